"""The Deploy view: the board first, what fits it, as many steps as were asked, and what comes after the bitstream."""

import json
import shutil

import pytest
from playwright.sync_api import expect

from spikefab import MorrisLecarNeuron
from spikefab.boards.table import BOARDS

from .conftest import MOST, all_models

SIZES = [{"width": 1280, "height": 800}, {"width": 390, "height": 844}]
BOTH = pytest.mark.parametrize("viewport", SIZES, ids=["1280", "390"])
WHY = "MorrisLecarNeuron at word 24 does not fit icebreaker:"
UNTRIED = dict.fromkeys(BOARDS, "not tried")
LOOKS = pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])


def bench(page, model, word):
    """A neuron on the bench, which Deploy then offers."""
    all_models(page)
    page.click(f"[data-testid=open-{model}]")
    page.wait_for_selector("#codes tbody tr", timeout=MOST)
    page.select_option("#word", str(word))
    page.wait_for_function("w => document.querySelector('#codes').innerText", arg=str(word), timeout=MOST)
    page.wait_for_load_state("networkidle")
    page.click("#bench-deploy")
    page.wait_for_selector("#board-icebreaker")
    page.wait_for_selector(f"#neuron-about >> text={model} as on the bench: {word} bits", timeout=MOST)


def built(page, model, word, board):
    bench(page, model, word)
    page.click(f"#board-{board}")
    page.click("#build-start")
    page.wait_for_function("() => /done|failed/.test(document.querySelector('#job-state').innerText)", timeout=2 * MOST)


def said(page):
    """What is said of the neuron that is chosen: below it, in its list, and on the card of each board."""
    chosen = page.evaluate("document.querySelector('#neuron').selectedOptions[0].text").split(" · ")[-1]
    cards = {
        c.locator("input").get_attribute("value"): c.locator("[data-verdict]").get_attribute("data-verdict")
        for c in page.locator(".board").all()
    }
    return page.get_attribute("#neuron-fits [data-verdict]", "data-verdict"), chosen, cards


@pytest.fixture(scope="module")
def project(browser, studio):
    """A project in which a neuron was built that fits, and one that does not."""
    page = browser.new_page()
    page.goto(studio.address)
    page.wait_for_function("() => window.__spikefab?.ready")
    built(page, "LIFNeuron", 16, "icebreaker")
    expect(page.locator("#job-state")).to_contain_text("done", use_inner_text=True)
    page.close()
    refused(studio.studio.project.folder)
    return {job["title"]: job["id"] for job in studio.studio.jobs.all()}


def refused(folder):
    """The job that a build of Morris-Lecar leaves, which takes minutes to find that it does not fit: made of that of LIF."""
    neuron = MorrisLecarNeuron(word=24)
    (fitting,) = (folder / "jobs").iterdir()
    other = folder / "jobs" / "j0000abcd"
    shutil.copytree(fitting, other)
    job = json.loads((other / "job.json").read_text())
    (other / "job.json").write_text(json.dumps(job | {"id": other.name, "title": "MorrisLecar for icebreaker"}))
    events = [json.loads(line) for line in (other / "events.jsonl").read_text().splitlines()]
    (outcome,) = (e for e in events if e["type"] == "outcome")
    about = {
        "model": "MorrisLecarNeuron",
        "word": 24,
        "i_span": neuron.datapath.i_span,
        "settings": dict(type(neuron).chosen),
    }
    assert about.keys() < outcome.keys()
    outcome |= about | {
        "fits": False,
        "why": f"{WHY} it needs 112 block RAMs of 30; take a smaller word or a larger board.",
    }
    last = {"type": "state", "state": "failed", "error": outcome["why"]}
    kept = [e for e in events if e["type"] in ("step", "log")]
    (other / "events.jsonl").write_text("".join(json.dumps(e) + "\n" for e in [*kept, outcome, last]))


@BOTH
@LOOKS
def test_the_board_comes_first_and_each_model_says_whether_it_fits(visit, project, viewport, dark):
    page = visit(viewport, dark=dark)
    bench(page, "LIFNeuron", 16)
    assert page.locator("#boards").bounding_box()["y"] < page.locator("#neuron").bounding_box()["y"]
    page.click("#board-icebreaker")
    assert said(page) == ("fits", "fits", UNTRIED | {"icebreaker": "fits"})
    page.click("#board-ulx3s-25f")
    assert said(page) == ("not tried", "not tried", UNTRIED | {"icebreaker": "fits"})
    # another word, another time step, another model: nothing was tried of these
    bench(page, "LIFNeuron", 18)
    page.click("#board-icebreaker")
    assert said(page)[:2] == ("not tried", "not tried")
    bench(page, "LIFNeuron", 16)
    page.click("#tab-models")
    page.fill("#bench-dt", "0.05")
    page.keyboard.press("Tab")
    page.wait_for_function("() => document.querySelector('#bench-state').innerText.includes('0.05')", timeout=MOST)
    page.click("#bench-deploy")
    page.wait_for_selector("#neuron-about >> text=0.05 ms a step")
    assert said(page)[0] == "not tried"
    page.click("#tab-models")
    page.fill("#bench-dt", "0.1")
    page.keyboard.press("Tab")
    page.wait_for_function("() => document.querySelector('#bench-state').innerText.includes('0.1 ms')", timeout=MOST)
    # other parameters are other codes in the same hardware
    codes = page.inner_text("#codes")
    page.click("#plus-R_m")
    page.wait_for_function("t => document.querySelector('#codes').innerText !== t", arg=codes)
    page.click("#bench-deploy")
    page.wait_for_selector("#neuron-fits [data-verdict=fits]")
    bench(page, "MorrisLecarNeuron", 24)
    page.click("#board-icebreaker")
    assert said(page) == ("does not fit", "does not fit", UNTRIED | {"icebreaker": "does not fit"})
    expect(page.locator("#neuron-fits")).to_contain_text(WHY, use_inner_text=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]


@pytest.mark.parametrize("viewport", [SIZES[0], pytest.param(SIZES[1], marks=pytest.mark.slow)], ids=["1280", "390"])
def test_verify_runs_the_steps_that_it_was_asked(visit, project, viewport):
    page = visit(viewport)
    bench(page, "LIFNeuron", 16)
    for asked in (5001, 20_040):
        page.fill("#verify-steps", str(asked))
        page.click("#verify-start")
        page.wait_for_function(
            "t => document.querySelector('#verdict').innerText.includes(t)",
            arg=f"bit-exact over {asked:,} steps",
            timeout=MOST,
        )
        rows = page.locator("#checks tbody tr td:nth-child(2)").all_inner_texts()
        assert sum(int(x.replace(",", "")) for x in rows) == asked
        assert f"--steps {asked}" in page.locator("#job .same pre").first.text_content()
    # more than were asked are said to be so
    page.fill("#verify-steps", "200")
    page.click("#verify-start")
    page.wait_for_function(
        "() => document.querySelector('#verdict').innerText.includes('200 were asked, but')", timeout=MOST
    )


@BOTH
@pytest.mark.parametrize("dark", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["light", "dark"])
def test_what_comes_after_the_bitstream_is_found_from_it(visit, project, viewport, dark):
    page = visit(viewport, dark=dark)
    bench(page, "LIFNeuron", 16)
    page.click("#board-ulx3s-25f")
    page.click("#jobs >> text=LIF for icebreaker")
    after = page.locator("#after-build")
    key = project["LIF for icebreaker"]
    flash = f"spikefab flash jobs/{key}/out/LIFNeuron-16-icebreaker.bin --board icebreaker"
    assert flash in after.inner_text()
    after.get_by_label("Copy: command that loads the bitstream").click()
    assert page.evaluate("navigator.clipboard.readText()") == flash
    page.click("#run-on-board")
    assert page.input_value("#run-port") == "" and page.evaluate("document.activeElement.id") == "run-start"
    assert page.is_checked("#board-icebreaker"), "it is run in the board for which it was built"
    page.click("#run-simulated")
    assert page.input_value("#run-port") == "sim"
    page.select_option("#run-port", "sim:reference")
    page.fill("#run-step", "0.7")
    page.fill("#run-seconds", "0.3")
    page.click("#run-start")
    page.wait_for_selector("#run-result canvas", timeout=MOST)
    page.wait_for_function("() => document.querySelector('#verdict').innerText.includes('bit-exact')", timeout=MOST)
    assert page.locator("#run-result").is_visible() and page.locator("#job").bounding_box()["y"] < viewport["height"]
    assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
