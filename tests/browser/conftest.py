"""A Studio and a browser in front of it. Every request and every word on the console is looked at."""

import os
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect, sync_playwright

from spikefab.studio.server import Server

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
MOST = 180_000  # ms, for what compiles or builds
expect.set_options(timeout=30_000)  # a page shows what is so when it comes to it: look again, do not look once


@pytest.fixture(scope="session")
def browser():
    if not Path(CHROMIUM).exists():
        pytest.skip(f"there is no {CHROMIUM}: set CHROMIUM to a Chromium or Chrome")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def studio(tmp_path_factory):
    with Server(tmp_path_factory.mktemp("studio") / "project") as server:
        yield server


@pytest.fixture
def visit(browser, studio):
    """visit(viewport, dark=False, refusals=False): a page of the Studio; at the end nothing may have gone elsewhere, and
    the console is empty but for the answers that are refusals."""
    pages = []

    def open_page(viewport=WIDE, dark=False, refusals=False, hash=""):
        context = browser.new_context(
            viewport=viewport, color_scheme="dark" if dark else "light", accept_downloads=True,
            permissions=["clipboard-read", "clipboard-write"],
        )  # fmt: skip
        page = context.new_page()
        page.set_default_timeout(30_000)
        page.foreign, page.said = [], []

        def asked(request):
            address = urlsplit(request.url)
            if address.scheme not in ("data", "blob") and address.netloc != urlsplit(studio.address).netloc:
                page.foreign.append(request.url)

        def said(message):
            expected = refusals and "the server responded with a status of 4" in message.text
            if message.type in ("error", "warning") and not expected:
                page.said.append(message.text)

        page.on("request", asked)
        page.on("console", said)
        page.on("pageerror", lambda error: page.said.append(str(error)))
        page.goto(studio.address + hash)
        page.wait_for_function("() => window.__spikefab?.ready")
        pages.append(page)
        return page

    yield open_page
    for page in pages:
        assert page.foreign == []
        assert page.said == []
        page.context.close()


def take(page, path):
    """Import a file, until it is drawn."""
    begun = page.evaluate("performance.now()")
    page.set_input_files("#import-file", path)
    page.wait_for_function("() => !document.querySelector('#import-busy').textContent", timeout=MOST)
    page.wait_for_function(
        "t => performance.getEntriesByName('trace-drawn').some(m => m.startTime > t)", arg=begun, timeout=MOST
    )


def all_models(page):
    """Open Models with all its cards. A view comes after the click on its tab, when what it shows has been loaded."""
    page.click("#tab-models")
    page.wait_for_selector("#all-models:visible, [data-testid^=open-]:visible", timeout=MOST)
    if page.is_visible("#all-models"):
        page.click("#all-models")
    page.wait_for_selector("#cards article", timeout=MOST)


def new_fit(page, *models):
    """Open the form of a new fit in Auto-Fit, of these models, or of those that are chosen."""
    page.click("#tab-fit")
    page.wait_for_selector("#fit-budget", state="attached")
    if not page.is_visible("#fit-budget"):
        page.click("text=New fit")
    for box in page.locator("[id^=fit-model-]").all() if models else ():
        box.set_checked(box.get_attribute("id").removeprefix("fit-model-") in models)


def begin(page, budget, models=("LIFNeuron",), recording="cell.csv"):
    """Start a fit in Auto-Fit, and return the key of its job."""
    new_fit(page, *models)
    page.select_option("#fit-recording", label=recording)
    page.fill("#fit-budget", str(budget))
    page.set_checked("#fit-whole-budget", budget > 20_000)  # a fit that is to last does not end when it has converged
    before = page.evaluate("location.hash")
    page.click("#fit-start")
    page.wait_for_function("before => location.hash.startsWith('#fit/') && location.hash !== before", arg=before)
    return page.evaluate("location.hash").split("/")[1]


def until(page, state):
    """Wait until the fit that is shown is in a state."""
    page.wait_for_function("s => document.querySelector('#fit-state').innerText.includes(s)", arg=state, timeout=MOST)
