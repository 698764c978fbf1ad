"""Messages: where they stay, and what the page says and does when its server goes and comes back."""

import pytest
from playwright.sync_api import expect

from spikefab.studio.server import Server

from .conftest import MOST, NARROW, WIDE, new_fit, take

BOTH = pytest.mark.parametrize("viewport", [WIDE | {"height": 800}, NARROW], ids=["1280", "390"])
THEMES = pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
VIEWS = ("trace", "models", "fit", "deploy")
# whether all of an element is in the window, and nothing lies over its middle
SEEN = """selector => [...document.querySelectorAll(selector)].every(e => {
    const b = e.getBoundingClientRect();
    const inside = b.width > 0 && b.left >= 0 && b.right <= innerWidth && b.top >= 0 && b.bottom <= innerHeight;
    const top = document.elementFromPoint(b.left + b.width / 2, b.top + b.height / 2);
    return inside && e.scrollWidth <= e.clientWidth + 1 && e.contains(top);
})"""


def gone(page):
    return page.locator("#server-gone")


@BOTH
@THEMES
def test_an_error_stays_in_the_window(visit, tmp_path, recording, viewport, dark):
    page = visit(viewport, dark=dark, refusals=True)
    take(page, recording)
    long = tmp_path / f"{'a_file_whose_name_has_no_end_' * 6}.abf"
    long.write_bytes(b"ABF2" + bytes(600))
    page.set_input_files("#import-file", long)
    page.wait_for_selector("#alerts [role=alert]")
    for view in VIEWS:
        page.click(f"#tab-{view}")
        page.wait_for_function(f"() => !document.querySelector('#panel-{view}').hidden")
        page.wait_for_timeout(300)
        for y in (0, 10**6):
            page.evaluate(f"scrollTo(0, {y})")
            page.wait_for_timeout(50)
            assert page.evaluate(SEEN, "#alerts .banner"), (view, y)
        assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
        page.click("#tab-trace")
    page.locator("#alerts [role=alert] button").click()
    page.wait_for_selector("#alerts [role=alert]", state="detached")


@BOTH
def test_a_passing_message_is_whole(visit, tmp_path, csv, cell, viewport):
    page = visit(viewport)
    path = tmp_path / f"{'x' * 150}.csv"
    path.write_text(csv([cell(0.3, seed=1000 + viewport["width"])]))
    page.set_input_files("#import-file", path)
    page.wait_for_selector("#status.on >> text=imported")
    assert page.evaluate(SEEN, "#status")
    box = page.locator("#status").bounding_box()
    assert box["height"] < 200


@BOTH
def test_a_server_that_is_gone_is_told_at_once_and_found_again(browser, tmp_path, recording, viewport):
    """It ends and is started again on its port: with another token, which the open page gets with its key."""
    context = browser.new_context(viewport=viewport)
    page = context.new_page()
    page.set_default_timeout(30_000)
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    with Server(tmp_path / "project") as server:
        port, token = server.port, server.studio.token
        page.goto(server.address)
        page.wait_for_function("() => window.__spikefab?.ready")
        take(page, recording)
        for view in VIEWS:
            page.click(f"#tab-{view}")
            page.wait_for_selector(f"#panel-{view} > :not([role=status])", timeout=MOST)
        assert not gone(page).is_visible()
    gone(page).wait_for(timeout=4000)
    assert "does not answer" in gone(page).inner_text() and "connects by itself" in gone(page).inner_text()
    for view in VIEWS:
        page.click(f"#tab-{view}")
        page.evaluate("scrollTo(0, 1e6)")
        page.wait_for_timeout(600)
        assert page.evaluate(SEEN, "#server-gone")
        assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
    assert page.locator("#alerts .banner").all_inner_texts() == []  # it is said once
    with Server(tmp_path / "project", port) as server:
        assert server.studio.token != token
        gone(page).wait_for(state="hidden", timeout=8000)
        page.click("#tab-trace")
        other = tmp_path / "other.csv"
        other.write_bytes(recording.read_bytes())
        page.set_input_files("#import-file", other)  # what changes something needs the new token
        page.wait_for_selector("#recordings >> text=other.csv")
        assert len(server.studio.project.recordings()) == 2
        page.reload()  # and what is only read, the new cookie
        page.wait_for_selector("#recordings >> text=other.csv")
    assert errors == []
    context.close()


def test_a_fit_is_followed_on_when_the_server_is_back(browser, tmp_path, recording):
    page = browser.new_context(viewport=WIDE).new_page()
    with Server(tmp_path / "project") as server:
        port = server.port
        page.goto(server.address)
        page.wait_for_function("() => window.__spikefab?.ready")
        take(page, recording)
        new_fit(page, "LIFNeuron")
        page.fill("#fit-budget", "200000")
        page.check("#fit-whole-budget")
        page.click("#fit-start")
        page.wait_for_selector("#ranking tbody tr >> text=/ of 200,000/", timeout=MOST)
    gone(page).wait_for()
    with Server(tmp_path / "project", port) as server:
        gone(page).wait_for(state="hidden")
        before = page.inner_text("#ranking tbody tr")
        page.wait_for_function("t => document.querySelector('#ranking tbody tr').innerText !== t", arg=before)
        page.click("#fit-cancel")
        page.wait_for_function(
            "() => document.querySelector('#fit-state').innerText.includes('cancelled')", timeout=MOST
        )
    page.context.close()


def test_another_project_at_the_address_is_told(browser, tmp_path):
    page = browser.new_context(viewport=WIDE).new_page()
    with Server(tmp_path / "mine") as server:
        port = server.port
        page.goto(server.address)
        page.wait_for_function("() => window.__spikefab?.ready")
    gone(page).wait_for()
    with Server(tmp_path / "other", port):
        page.wait_for_selector("#server-gone >> text=does not know this page")
        page.wait_for_timeout(2500)
        assert gone(page).is_visible() and page.locator("#alerts .banner").count() == 0
    with Server(tmp_path / "mine", port):
        gone(page).wait_for(state="hidden")
    page.context.close()


@BOTH
@THEMES
def test_the_same_import_twice_is_told(visit, studio, tmp_path, csv, cell, viewport, dark):
    page = visit(viewport, dark=dark)
    name = f"twice-{viewport['width']}-{dark}.csv"
    path = tmp_path / name
    path.write_text(csv([cell(0.3, seed=viewport["width"] + dark)]))
    take(page, path)
    assert page.locator("#alerts .banner").count() == 0
    before = page.locator("#recordings li").count()
    take(page, path)
    again = name.replace(".csv", ".csv (2)")
    expect(page.locator("#alerts .banner")).to_contain_text(f"{again} is the same as {name}", use_inner_text=True)
    assert page.evaluate(SEEN, "#alerts .banner")
    expect(page.locator("#recordings li")).to_have_count(before + 1)
    page.reload()
    page.wait_for_selector(f"#recordings >> text={again}")
    for r in studio.studio.project.recordings():
        if r["name"].startswith("twice"):
            studio.studio.project.remove_recording(r["id"])
