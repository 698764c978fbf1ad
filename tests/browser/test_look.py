"""How it looks, and to whom it is accessible: pictures of the four views, and axe-core's findings."""

import re
from pathlib import Path

import pytest

from .conftest import MOST, NARROW, WIDE, new_fit, take

ROOT = Path(__file__).parents[2]
AXE = ROOT / "studio/web/node_modules/axe-core/axe.min.js"
PICTURES = ROOT / "out" / "studio"
VIEWS = ("trace", "models", "fit", "deploy")


@pytest.fixture(scope="module")
def filled(browser, studio, recording):
    """A project with a recording, a fit, a regression and a build: what a user has after an hour."""
    page = browser.new_page(viewport=WIDE)
    page.goto(studio.address)
    take(page, recording)
    page.select_option("#sweep", "3")
    page.click("#tab-models")
    page.click("[data-testid=open-AdExNeuron]")
    page.wait_for_selector("#codes tbody tr", timeout=MOST)
    new_fit(page, "LIFNeuron", "LapicqueNeuron", "AdExNeuron")
    page.fill("#fit-budget", "3000")
    page.click("#fit-start")
    page.wait_for_function("() => document.querySelector('#fit-state').innerText.includes('done')", timeout=MOST)
    page.locator("#ranking tbody tr").first.click()
    page.wait_for_selector("#fit-voltage canvas", timeout=MOST)
    page.click("#tab-deploy")
    page.click("#board-icebreaker")
    page.click("#build-start")
    page.wait_for_selector("#report >> text=/MHz/", timeout=MOST)
    page.wait_for_timeout(1500)
    page.close()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("viewport", [WIDE, NARROW], ids=["1280", "390"])
@pytest.mark.parametrize("view", VIEWS)
def test_views(visit, filled, view, viewport, dark):
    page = visit(viewport, dark=dark, hash=f"#{view}")
    page.click(f"#tab-{view}")
    page.wait_for_timeout(1500)
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= viewport["width"], f"the page is {wide} px wide"
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=PICTURES / f"{view}-{viewport['width']}{'-dark' if dark else ''}.png", full_page=True)
    page.evaluate(AXE.read_text() + "; undefined")
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']}).then(r => r.violations)")
    serious = [
        f"{v['id']}: {v['help']}: {[n['html'][:120] for n in v['nodes'][:3]]}"
        for v in found
        if v["impact"] in ("serious", "critical")
    ]
    assert serious == []


def test_tabs_by_keyboard(visit, filled):
    page = visit()
    page.focus("#tab-trace")
    for name in ("models", "fit", "deploy", "trace"):
        page.keyboard.press("ArrowRight")
        assert page.evaluate("document.activeElement.id") == f"tab-{name}"
        page.wait_for_selector(f"#tab-{name}[aria-selected=true]")
        page.wait_for_selector(f"#panel-{name}")
    page.keyboard.press("End")
    assert page.evaluate("document.activeElement.id") == "tab-deploy"


def test_every_control_can_be_reached(visit, filled):
    page = visit(hash="#trace")
    reached = set()
    for _ in range(150):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.id"))
    assert {"import", "theme", "sweep", "window-start", "window-end"} <= reached
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"


def test_a_window_handle_by_keyboard(visit, filled):
    page = visit(hash="#trace")
    page.wait_for_selector("#window-start")
    before = page.get_attribute("#window-start", "aria-valuenow")
    page.focus("#window-start")
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    assert float(page.get_attribute("#window-start", "aria-valuenow")) > float(before)
    page.wait_for_function("() => document.querySelector('#features')?.innerText.includes('latency')")


def test_tables_are_copied_and_saved(visit, filled):
    page = visit(hash="#fit")
    page.click("#tab-fit")
    page.wait_for_selector("#ranking tbody tr")
    page.get_by_label(re.compile("Copy table: .*[Rr]ank")).click()
    text = page.evaluate("navigator.clipboard.readText()")
    assert "\t" in text and "AdEx" in text
    with page.expect_download() as started:
        page.get_by_label(re.compile("Download table as CSV: .*[Rr]ank")).click()
    saved = Path(started.value.path()).read_text()
    assert "," in saved and "AdEx" in saved and len(saved.splitlines()) >= 4
