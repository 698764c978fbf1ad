"""Jobs on the page: their names and notes, the queue, their links, and two fits of one recording in Deploy."""

import re

import pytest
from playwright.sync_api import expect

from .conftest import MOST, NARROW, WIDE, begin, take, until

BOTH = pytest.mark.parametrize("viewport", [WIDE | {"height": 800}, NARROW], ids=["1280", "390"])


@pytest.fixture(scope="module")
def two(browser, studio, recording):
    """Two fits of one recording that are done: their jobs."""
    page = browser.new_page(viewport=WIDE)
    page.goto(studio.address)
    take(page, recording)
    jobs = []
    for _ in range(2):
        jobs.append(begin(page, 300))
        until(page, "done")
    page.close()
    return jobs


@BOTH
def test_a_job_is_named_and_noted(visit, studio, two, viewport):
    page = visit(viewport, hash=f"#fit/{two[0]}")
    title = page.inner_text("#fit-job h2")
    (ranking,) = (e for _, e in studio.studio.jobs.events(two[0]) if e["type"] == "ranking")
    assert title.startswith("cell.csv · LIF") and title.endswith(f"{ranking['rows'][0]['combined_score']:.3f}")
    page.click("#fit-label-edit")
    page.fill("#fit-label-name", "My cell")
    page.fill("#fit-label-note", "first line\nsecond line")
    page.click("#fit-label-save")
    page.wait_for_selector("#fit-job h2 >> text=My cell")
    assert page.inner_text("#fit-label .note") == "first line\nsecond line"
    expect(page.locator("#fits")).to_contain_text("My cell", use_inner_text=True)
    expect(page.locator("#fits")).to_contain_text("second line", use_inner_text=True)
    other = visit(viewport, hash=f"#fit/{two[0]}")
    assert other.inner_text("#fit-job h2") == "My cell"
    page.click("#fit-label-edit")
    assert page.input_value("#fit-label-name") == "My cell"
    page.fill("#fit-label-name", "")
    page.press("#fit-label-name", "Enter")
    page.wait_for_function("t => document.querySelector('#fit-job h2').innerText === t", arg=title)
    page.click("#fit-label-edit")
    page.fill("#fit-label-note", "lost")
    page.press("#fit-label-note", "Escape")
    assert not page.is_visible("#fit-label-note") and page.inner_text("#fit-label .note") == "first line\nsecond line"
    page.click("#fit-label-edit")
    page.fill("#fit-label-note", "")
    page.click("#fit-label-save")
    page.wait_for_selector("#fit-label .note", state="hidden")
    assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]


@BOTH
def test_a_link_opens_its_job(visit, two, viewport):
    page = visit(viewport, hash=f"#fit/{two[0]}")
    page.wait_for_selector(f"#fits tr[data-key={two[0]}][aria-current]")
    page.click("#fit-label-link")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.endswith(f"/#fit/{two[0]}") and "token" not in copied
    page.locator(f"#fits tr[data-key={two[1]}] a").click()
    page.wait_for_selector(f"#fits tr[data-key={two[1]}][aria-current]")
    assert page.evaluate("location.hash") == f"#fit/{two[1]}"
    page.go_back()
    page.wait_for_selector(f"#fits tr[data-key={two[0]}][aria-current]")
    page.goto(copied)
    page.wait_for_selector(f"#fits tr[data-key={two[0]}][aria-current]")
    page.click("#tab-trace")
    page.goto(copied.replace("#fit/", "#deploy/"))  # a fit is shown where fits are
    page.wait_for_selector("#tab-fit[aria-selected=true]")
    page.goto(re.sub("j[0-9a-f]{8}", "j00000000", copied))
    page.wait_for_selector("#alerts >> text=There is no job j00000000")


@BOTH
def test_two_fits_of_one_recording_are_told_apart_in_deploy(visit, studio, two, viewport):
    page = visit(viewport)
    page.click("#tab-deploy")
    for job in two:  # each comes when its ranking has been loaded
        page.wait_for_selector(f"#neuron option[value='{job}:1']", state="attached")
    labels = [g.get_attribute("label") for g in page.locator("#neuron optgroup").all()]
    assert len(labels) == len(set(labels)) == 2 and all(re.search(r"cell\.csv · LIF.* · 20\d\d-", t) for t in labels)
    told = []
    for job in two:
        page.select_option("#neuron", f"{job}:1")
        told.append(page.inner_text("#neuron-about"))
    assert told[0] != told[1]
    page.click("#export-start")
    page.wait_for_selector("#job h2 >> text=Verilog of LIF · rank 1 of cell.csv")
    key = page.evaluate("location.hash").removeprefix("#deploy/")
    assert key in [j["id"] for j in studio.studio.jobs.all()]
    page.wait_for_function("() => document.querySelector('#job-state').innerText.includes('done')", timeout=MOST)
    other = visit(viewport, hash=f"#deploy/{key}")
    other.wait_for_selector("#job h2 >> text=Verilog of LIF")


@BOTH
def test_a_third_fit_waits_for_its_turn(visit, studio, two, viewport):
    page = visit(viewport)
    running = [begin(page, 1_000_000) for _ in range(2)]
    third = begin(page, 300)
    until(page, "queued")
    expect(page.locator("#fit-state")).to_contain_text("starts when another has ended", use_inner_text=True)
    assert page.is_hidden("#fit-pause") and page.is_visible("#fit-cancel")
    expect(page.locator(f"#fits tr[data-key={third}]")).to_contain_text("queued", use_inner_text=True)
    fourth = begin(page, 300)
    page.click("#fit-cancel")
    until(page, "cancelled")
    page.goto(f"{studio.origin}/#fit/{third}")
    until(page, "queued")
    page.get_by_label(re.compile("Cancel:")).first.wait_for()
    page.locator(f"#fits tr[data-key={running[0]}] button", has_text="Cancel").click()
    until(page, "done")
    states = {j["id"]: j["state"] for j in studio.studio.jobs.all()}
    assert (states[third], states[fourth], states[running[1]]) == ("done", "cancelled", "running")
    page.locator(f"#fits tr[data-key={running[1]}] button", has_text="Cancel").click()
    page.wait_for_selector(f"#fits tr[data-key={running[1]}] >> text=cancelled", timeout=MOST)
    assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
