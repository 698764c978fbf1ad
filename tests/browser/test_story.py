"""The whole story, as a scientist clicks it: a real recording in, a bitstream out."""

import os
import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from .conftest import MOST, all_models, new_fit, take

CELL = Path(os.environ.get("SPIKEFAB_DATA", "/nowhere")) / "pyABF" / "18713001.abf"


def number(text):
    return float(re.search(r"-?[\d.]+", text.replace(",", "")).group())


@pytest.fixture(scope="module")
def cell():
    if not CELL.is_file():
        pytest.skip("SPIKEFAB_DATA is not set: the folder of real recordings")
    return CELL


def test_story(visit, studio, cell, tmp_path):
    page = visit()
    # import, and what was understood
    take(page, cell)
    expect(page.locator("#recordings")).to_contain_text("18713001.abf", use_inner_text=True)
    expect(page.locator("#facts")).to_contain_text("0.05", use_inner_text=True)
    page.select_option("#sweep", "17")
    page.wait_for_function("() => document.querySelector('#trace-voltage canvas')")
    page.click("#measure")
    page.wait_for_selector("#features >> text=spike onset")
    told = page.get_attribute("#features abbr:text('rheobase')", "title")
    assert "one sweep has no rheobase" in told
    expect(page.locator("#features tr[data-key=rheobase]")).to_contain_text("–", use_inner_text=True)

    # the bench: a slider moves codes and redraws at once, over the recording
    page.click("#tab-models")
    page.click("[data-testid=open-AdExNeuron]")
    page.wait_for_selector("#codes tbody tr", timeout=MOST)
    before = page.inner_text("#codes"), page.inner_text("#bench-score")
    page.evaluate("performance.clearMeasures()")
    page.fill("#p-C", "400")
    page.wait_for_function("() => performance.getEntriesByName('slider-to-trace').length", timeout=MOST)
    after = page.inner_text("#codes"), page.inner_text("#bench-score")
    assert after[0] != before[0] and after[1] != before[1]
    page.click("#plus-C")
    page.wait_for_function("t => document.querySelector('#codes').innerText !== t", arg=after[0])

    # a fit: paused, reloaded, resumed, to the end
    new_fit(page, "LIFNeuron", "AdExNeuron")
    page.fill("#fit-budget", "6000")
    page.wait_for_selector("#recommended li", timeout=MOST)
    page.click("#fit-start")
    page.wait_for_selector("#ranking tr[data-key=LIFNeuron]", timeout=MOST)
    page.click("#fit-pause")
    page.wait_for_function("() => document.querySelector('#fit-state').innerText.includes('paused')")
    page.reload()
    page.wait_for_function("() => window.__spikefab?.ready")
    page.wait_for_selector("#ranking tr[data-key=LIFNeuron]")
    expect(page.locator("#fit-state")).to_contain_text("paused", use_inner_text=True)
    page.click("#fit-resume")
    page.wait_for_function("() => document.querySelector('#fit-state').innerText.includes('done')", timeout=MOST)
    rows = page.locator("#ranking tbody tr")
    expect(rows).to_have_count(2)
    assert rows.first.get_attribute("data-key") == "AdExNeuron"
    (job,) = studio.studio.jobs.all()
    (ranking,) = (e for _, e in studio.studio.jobs.events(job["id"]) if e["type"] == "ranking")
    assert f"{ranking['rows'][0]['combined_score']:.3f}" in rows.first.inner_text()
    rows.first.click()
    page.wait_for_selector("#fit-voltage canvas", timeout=MOST)

    # another one: cancelled, it keeps the best so far
    page.click("text=New fit")
    page.fill("#fit-budget", "200000")
    page.check("#fit-whole-budget")
    page.click("#fit-start")
    page.wait_for_function("() => document.querySelector('#fit-state').innerText.includes('running')")
    page.wait_for_selector("#ranking tr[data-key=LIFNeuron]", timeout=MOST)
    page.click("#fit-cancel")
    page.wait_for_function("() => document.querySelector('#fit-state').innerText.includes('cancelled')", timeout=MOST)
    assert page.locator("#ranking tbody tr").count() >= 1

    # the winner of the first one: proven, built, downloaded
    page.click("#tab-deploy")
    page.wait_for_selector(f"#neuron option[value='{job['id']}:1']", state="attached")
    page.select_option("#neuron", f"{job['id']}:1")
    page.fill("#verify-steps", "2000")
    page.click("#verify-start")
    page.wait_for_selector("#verdict:not(:empty)", timeout=MOST)
    expect(page.locator("#verdict")).to_contain_text("bit-exact over", use_inner_text=True)
    expect(page.locator("#verdict")).to_contain_text("in simulation", use_inner_text=True)
    page.click("#board-icebreaker")
    page.click("#build-start")
    page.wait_for_selector("#report >> text=/MHz/", timeout=MOST)
    report = page.inner_text("#report")
    assert "from timing" in report and "5,280" in report.replace(" ", ",")
    assert page.wait_for_function("() => document.querySelector('#floorplan')?.naturalWidth > 100")
    log = page.inner_text("#job-log")
    assert "Info: Device utilisation" in log or "ICESTORM" in log
    with page.expect_download() as started:
        page.click("#bitstream")
    path = tmp_path / "bitstream"
    started.value.save_as(path)
    (built,) = (studio.studio.project.folder / "jobs").glob("*/out/*.bin")
    assert path.read_bytes() == built.read_bytes() and len(path.read_bytes()) > 10_000
    page.click("#export-start")
    page.wait_for_selector("#job-files >> text=/\\.v\\b/", timeout=MOST)
    with page.expect_download() as started:
        page.locator("#job-files a", has_text=re.compile(r"^\w+(?<!_tb)\.v")).first.click()
    started.value.save_as(tmp_path / "design.v")
    assert "module" in (tmp_path / "design.v").read_text()


def test_a_session_comes_back(visit, studio, cell):
    page = visit()
    take(page, cell)
    page.select_option("#sweep", "9")
    all_models(page)
    page.click("[data-testid=open-LIFNeuron]")
    page.wait_for_selector("#codes tbody tr", timeout=MOST)
    before = page.inner_text("#codes")
    with page.expect_response(lambda r: r.url.endswith("/api/session") and "700" in (r.request.post_data or "")):
        page.fill("#p-R_m", "700")
    page.wait_for_function("(before) => document.querySelector('#codes').innerText != before", arg=before)
    codes = page.inner_text("#codes")
    again = visit()
    again.wait_for_function("(codes) => document.querySelector('#codes')?.innerText == codes", arg=codes, timeout=MOST)
    again.click("#tab-trace")
    assert again.input_value("#sweep") == "9"
