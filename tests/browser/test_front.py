"""What accuracy costs, in the Deploy view: asked of a fit, shown, and a point of the front built."""

import json

import numpy as np
import pytest
from playwright.sync_api import expect

from .conftest import MOST, NARROW, WIDE, begin, new_fit, take, until


@pytest.fixture(scope="module")
def fitted(browser, studio, tmp_path_factory):
    """A fit of three models, in the project."""
    from spikefab import AdExNeuron

    current = np.zeros((5, 3500))
    current[:, 500:2800] = np.array([[0.2], [0.4], [0.5], [0.6], [0.7]])
    voltage = AdExNeuron().run(current)
    path = tmp_path_factory.mktemp("recording") / "cell.csv"
    time = 0.1 * np.arange(3500)
    heads = [
        "time_ms",
        *(f"{what}_{k}_{unit}" for k in range(5) for what, unit in (("voltage", "mV"), ("current", "nA"))),
    ]
    columns = [time, *(x for k in range(5) for x in (voltage[k], current[k]))]
    np.savetxt(path, np.array(columns).T, delimiter=",", header=",".join(heads), comments="")
    page = browser.new_page()
    page.goto(studio.address)
    page.wait_for_function("() => window.__spikefab?.ready")
    take(page, path)
    key = begin(page, 200, ("LIFNeuron", "AdExNeuron", "IzhikevichNeuron"))
    until(page, "done")
    page.close()
    return key


def asked(page, board):
    page.click("#tab-deploy")
    page.click(f"#board-{board}")
    shown(page)


def shown(page):
    """Ask for a front, and wait for it: not for one that was shown before."""
    before = page.evaluate("location.hash")
    page.click("#pareto-start")
    page.wait_for_function("before => location.hash !== before", arg=before)
    page.wait_for_function("() => document.querySelector('#job-state').innerText.includes('done')", timeout=MOST)
    page.wait_for_selector("#front-points tbody tr", timeout=MOST)


@pytest.mark.parametrize("viewport", [WIDE, NARROW], ids=["1280", "390"])
@pytest.mark.parametrize("dark", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["light", "dark"])
def test_the_front_of_a_fit_is_shown(visit, fitted, viewport, dark):
    page = visit(viewport, dark=dark)
    asked(page, "icebreaker")
    expect(page.locator("#job h2").first).to_contain_text("What accuracy costs on icebreaker")
    knees = page.locator("#front .knee").all_inner_texts()
    assert len(knees) == 2 and all("the knee is" in text for text in knees)
    assert page.locator("#front-points tbody tr", has_text="knee").count() == 2
    page.wait_for_function("() => document.querySelector('#front-picture').naturalWidth > 300")
    assert "held-out score" in page.inner_text("#front-points thead")
    assert f"--result jobs/{fitted}/out" in page.locator("#job .same pre").first.text_content()
    assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]


def test_a_point_is_built_and_of_many_the_command_is_copied(visit, fitted):
    page = visit()
    asked(page, "icebreaker")
    many = page.locator("#front-points").get_by_label("Copy the command that builds LIF, 16 bits, as many as fit")
    many.click()
    command = page.evaluate("navigator.clipboard.readText()")
    assert command.startswith("spikefab build jobs/") and "LIF-16/neuron.json --board icebreaker --neurons " in command
    page.locator("#front-points").get_by_label("Build LIF, 16 bits, one neuron").click()
    page.wait_for_function("() => document.querySelector('#job h2').innerText.startsWith('LIF for icebreaker')")
    page.wait_for_function("() => /done|failed/.test(document.querySelector('#job-state').innerText)", timeout=2 * MOST)
    expect(page.locator("#job-state")).to_contain_text("done", use_inner_text=True)
    assert page.locator("#front").is_hidden() and "16 bits, on icebreaker" in page.inner_text("#report")


def test_what_is_built_is_of_the_front_that_is_shown(visit, studio, fitted):
    """Of two fits on one board: the rows look the same but for their numbers."""
    page = visit()
    asked(page, "icebreaker")
    new_fit(page)
    page.fill("#fit-seed", "7")
    other = begin(page, 64, ("LIFNeuron",))
    until(page, "done")
    page.click("#tab-deploy")
    page.wait_for_selector(f"#neuron option[value='{other}:1']", state="attached")
    page.select_option("#neuron", f"{other}:1")
    shown(page)
    expect(page.locator("#front-points tbody tr")).to_have_count(2)
    key = page.evaluate("location.hash").split("/")[1]
    with page.expect_request(lambda request: request.method == "POST" and request.url.endswith("/api/jobs")) as sent:
        page.locator("#front-points").get_by_label("Build LIF, 16 bits, one neuron").click()
    neuron = json.loads((studio.studio.project.folder / f"jobs/{key}/out/LIF-16/neuron.json").read_text())
    assert sent.value.post_data_json["neuron"] == neuron and sent.value.post_data_json["board"] == "icebreaker"
    page.wait_for_function("() => document.querySelector('#job h2').innerText.startsWith('LIF for icebreaker')")
    page.click("#job-cancel")
    page.wait_for_function("() => document.querySelector('#job-state').innerText.includes('cancelled')", timeout=MOST)


def test_only_a_fit_has_a_front(visit, fitted):
    page = visit()
    page.click("#tab-models")
    page.wait_for_selector("[data-testid=open-LIFNeuron]:visible, #all-models:visible", timeout=MOST)
    if page.is_visible("#all-models"):
        page.click("#all-models")
    page.click("[data-testid=open-LIFNeuron]")
    page.wait_for_selector("#codes tbody tr", timeout=MOST)
    page.click("#bench-deploy")
    page.wait_for_selector("#neuron-about >> text=as on the bench")
    expect(page.locator("#pareto-start")).to_be_disabled()
    page.select_option("#neuron", f"{fitted}:1")
    expect(page.locator("#pareto-start")).to_be_enabled()
