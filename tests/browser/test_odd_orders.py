"""Odd orders of doing things: presets of another variant, refused values, other tabs, a recording that is gone."""

import re

import pytest
from playwright.sync_api import expect

from .conftest import MOST, all_models, new_fit, take

PRESETS = {"RS": (0.020267, 1000.0), "RS fitted": (0.0088828, 608.0)}  # g_M, tau_max
FIRING = "() => document.querySelector('#codes tbody tr')"


@pytest.fixture
def page(visit):
    return visit(refusals=True)


def on_the_bench(page, model):
    all_models(page)
    page.click(f"[data-testid=open-{model}]")
    page.wait_for_function(FIRING, timeout=MOST)


def simulated(page, what, sought):
    """Do something, until what it simulates has come: the answer to a request that is `sought`."""

    def right(response):
        return response.url.endswith("/api/simulate") and sought(response.request.post_data_json)

    with page.expect_response(right, timeout=MOST) as answer:
        what()
    return answer.value.request.post_data_json, answer.value.status


def fit(page, budget="300"):
    """A fit of one model, as small as it can be, to its end."""
    new_fit(page, "LIFNeuron")
    page.fill("#fit-budget", budget)
    page.click("#fit-start")
    page.wait_for_function("() => document.querySelector('#fit-state').innerText.includes('done')", timeout=MOST)


@pytest.mark.slow  # compiles kernels of several variants
def test_presets_of_other_variants(page):
    on_the_bench(page, "HodgkinHuxleyNeuron")

    def preset(name, sought):
        return simulated(page, lambda: page.select_option("#preset", name), sought)

    for name, (g_m, tau) in PRESETS.items():
        asked, status = preset(name, lambda asked, tau=tau: asked["params"].get("tau_max") == tau)
        assert status == 200 and asked["params"]["g_M"] == pytest.approx(g_m, rel=1e-4)
        page.wait_for_function("(x) => Number(document.querySelector('#n-tau_max').value) == x", arg=tau)
        assert page.input_value("#preset") == name
    asked, status = preset("FS", lambda asked: not asked["settings"]["m_current"])
    assert status == 200 and "g_M" not in asked["params"]
    with page.expect_response(lambda r: r.url.endswith("/api/session") and '"1952"' in (r.request.post_data or "")):
        asked, status = preset("1952", lambda asked: asked["params"]["g_Na"] == 120)
    assert status == 200 and asked["settings"]["kinetics"] != "traub-miles"
    page.reload()
    page.wait_for_function(FIRING, timeout=MOST)
    assert page.input_value("#preset") == "1952"
    assert not page.locator("#alerts [role=alert]").count()


def test_every_file_that_needs_a_time_step_has_a_form(page, tmp_path):
    names = [f"bare{k}.csv" for k in range(6)]
    for name in names:
        (tmp_path / name).write_text("\n".join(["V_mV,I_nA", *("-70.0,0.1",) * 4000]))
    page.set_input_files("#import-file", [tmp_path / name for name in names])
    page.wait_for_function("() => document.querySelectorAll('#refused form').length == 6")
    expect(page.locator("#alerts [role=alert]")).to_have_count(6)
    ids = page.eval_on_selector_all("#refused [id]", "all => all.map(e => e.id)")
    assert len(ids) == len(set(ids))
    page.click("#import-retry")
    page.wait_for_selector("#import-dt:invalid")
    form = page.get_by_role("form", name="bare3.csv")
    form.locator("input").fill("0.25")
    form.get_by_text("Try again").click()
    page.wait_for_selector("#recordings >> text=bare3.csv")
    expect(page.locator("#refused form")).to_have_count(5)
    expect(page.locator("#alerts [role=alert]")).to_have_count(5)
    assert "bare3" not in page.inner_text("#alerts")


def test_a_refused_value_is_not_kept(page, recording):
    take(page, recording)
    on_the_bench(page, "LIFNeuron")
    good = page.input_value("#n-R_m")
    sent = []
    page.on("request", lambda r: sent.append(r.post_data or ""))
    for field, odd in (("n-R_m", "1e9"), ("n-R_m", ""), ("bench-dt", "7"), ("bench-dt", "")):
        before = page.input_value(f"#{field}")
        page.fill(f"#{field}", odd)
        page.keyboard.press("Enter")
        page.wait_for_selector(f"#{field}:invalid")
        page.keyboard.press("Tab")
        page.wait_for_function("([id, x]) => document.getElementById(id).value == x", arg=[field, before])
        assert re.search("can be|must be", page.inner_text("#status"))
    assert page.input_value("#n-R_m") == good
    with page.expect_response(lambda r: r.url.endswith("/api/session") and '"R_m":600' in (r.request.post_data or "")):
        page.fill("#n-R_m", "600")
        page.keyboard.press("Enter")
    assert not any("1000000000" in body or '"dt":7' in body for body in sent)
    page.reload()
    page.wait_for_function(FIRING, timeout=MOST)
    assert page.input_value("#n-R_m") == "600" and page.input_value("#bench-dt") == "0.1"


def test_a_step_that_ends_before_it_begins(page, recording):
    take(page, recording)
    on_the_bench(page, "LIFNeuron")
    simulated(page, lambda: page.select_option("#driven", "step"), lambda asked: "stimulus" in asked)
    before = page.input_value("#stimulus-start")
    page.fill("#stimulus-start", "650")
    page.keyboard.press("Tab")
    page.wait_for_function("(x) => document.querySelector('#stimulus-start').value == x", arg=before)
    expect(page.locator("#status")).to_contain_text("end after it begins", use_inner_text=True)


def test_after_a_failure_nothing_old_stays(page, recording):
    take(page, recording)
    on_the_bench(page, "LIFNeuron")
    page.route("**/api/simulate", lambda route: route.fulfill(status=422, json={"error": "It cannot be simulated."}))
    page.fill("#p-R_m", "700")
    page.wait_for_selector("#alerts >> text=It cannot be simulated.")
    assert page.inner_text("#bench-score") == page.inner_text("#bench-state") == ""
    assert page.is_disabled("#bench-deploy") and not page.locator("#codes tbody tr").count()
    page.unroute("**/api/simulate")
    page.fill("#p-R_m", "600")
    page.wait_for_function(FIRING)
    assert page.is_enabled("#bench-deploy") and not page.locator("#alerts [role=alert]").count()


def test_emptied_fields_begin_nothing(page, recording):
    take(page, recording)
    on_the_bench(page, "LIFNeuron")
    sent = []
    page.on("request", lambda r: sent.append(r.url) if r.url.endswith("/api/jobs") else None)
    page.click("#tab-fit")
    for name in ("budget", "dt"):
        was = page.input_value(f"#fit-{name}")
        page.fill(f"#fit-{name}", "")
        page.click("#fit-start")
        page.wait_for_selector(f"#fit-{name}:invalid")
        page.fill(f"#fit-{name}", was)
    page.click("#tab-deploy")
    page.wait_for_selector("#verify-start:enabled")
    page.fill("#verify-steps", "")
    page.click("#verify-start")
    page.wait_for_selector("#verify-steps:invalid")
    assert not sent


def test_a_fit_whose_recording_was_deleted(page, recording, visit):
    take(page, recording)
    fit(page)
    assert "tied" not in page.inner_text("#ranking")
    other = visit(refusals=True, hash="#fit")
    other.wait_for_selector("#fit-voltage canvas", timeout=MOST)
    page.click("#tab-trace")
    said = []

    def agree(dialog):
        said.append(dialog.message)
        dialog.accept()

    page.on("dialog", agree)
    page.locator("#recordings li", has=page.locator("[aria-current=true]")).get_by_title("Remove this").click()
    page.wait_for_selector("#status >> text=was removed")
    assert re.search(r"cell\.csv.* · ", said[0]) and "cannot be resumed" in said[0]
    # the other page is told of it, and says what it lacks
    other.wait_for_selector("#fit-overlay >> text=Its recording is no longer in this project.", timeout=15_000)
    assert not other.is_visible("#fit-voltage")
    # and of a fit that is deleted
    page.click("#tab-fit")
    page.wait_for_selector("#fit-overlay >> text=Its recording is no longer in this project.")
    page.get_by_label(re.compile("Delete: cell\\.csv")).first.click()
    other.wait_for_selector("#fit-job", state="hidden", timeout=15_000)


def test_a_hidden_page_holds_no_stream(page, recording, studio):
    take(page, recording)
    streams = """() => {
        const all = (window.streams = []);
        const made = window.EventSource;
        window.EventSource = function (url) { const e = new made(url); all.push(e); return e; };
        window.EventSource.CLOSED = made.CLOSED;
    }"""
    page.evaluate(streams)
    new_fit(page)
    page.fill("#fit-budget", "200000")
    page.check("#fit-whole-budget")
    page.click("#fit-start")
    page.wait_for_selector("#ranking tbody tr", timeout=MOST)
    held = "() => window.streams.filter(e => e.readyState !== 2).length"
    assert page.evaluate(held) == 1
    page.click("#tab-trace")
    page.wait_for_function(f"{held} === 0")
    page.click("#tab-fit")
    page.wait_for_function("() => window.streams.filter(e => e.readyState === 1).length === 1")
    for hidden in ("true", "false"):
        page.evaluate(
            f"Object.defineProperty(document, 'hidden', {{value: {hidden}, configurable: true}});"
            "document.dispatchEvent(new Event('visibilitychange'))"
        )
        n = 0 if hidden == "true" else 1
        page.wait_for_function(f"() => window.streams.filter(e => e.readyState !== 2).length === {n}")
    page.click("#fit-cancel")
    page.wait_for_function("() => document.querySelector('#fit-state').innerText.includes('cancelled')", timeout=MOST)


def test_an_odd_session(visit, studio):
    studio.studio.project.session = {
        "tab": "models", "model": "LIFNeuron", "stimulus": None, "setup": {"models": 3, "budget": "many", "word": None},
        "benches": {"LIFNeuron": {"settings": {}, "params": {"R_m": 1e9, "odd": 1}, "touched": True}, "AdExNeuron": 3},
        "dt": 7, "recording": 5,
    }  # fmt: skip
    page = visit()
    page.wait_for_function(FIRING, timeout=MOST)
    assert page.input_value("#bench-dt") == "0.1" and page.input_value("#stimulus-duration") == "700"
    page.click("#tab-fit")
    page.wait_for_selector("#fit-form", state="attached")
    assert page.input_value("#fit-budget") == "20000"
