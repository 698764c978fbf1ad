"""The Models view: the score beside the sliders, equations that are whole, what a step and a preset are compared with."""

import re

import pytest
from playwright.sync_api import expect

from .conftest import MOST, all_models, take

SIZES = [{"width": 1280, "height": 800}, {"width": 390, "height": 844}]
BOTH = pytest.mark.parametrize("viewport", SIZES, ids=["1280", "390"])
LOOKS = pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])

# Whether an element is seen: within the window, and not under another one
SEEN = """e => {
    const r = e.getBoundingClientRect(), at = document.elementFromPoint(r.left + r.width / 2, r.top + r.height / 2);
    return r.top >= 0 && r.bottom <= innerHeight && r.left >= 0 && r.right <= innerWidth && (at === e || e.contains(at));
}"""
# Pixels of a chart that have exactly a colour of the page
PIXELS = """([id, name]) => {
    const probe = document.createElement('i');
    probe.style.color = `var(--${name})`;
    document.body.append(probe);
    const rgb = getComputedStyle(probe).color.match(/\\d+/g).map(Number);
    probe.remove();
    const c = document.querySelector(`#${id} canvas`), copy = new OffscreenCanvas(c.width, c.height);
    const to = copy.getContext('2d', {willReadFrequently: true});
    to.drawImage(c, 0, 0);
    const d = to.getImageData(0, 0, c.width, c.height).data;
    let n = 0;
    for (let k = 0; k < d.length; k += 4) n += d[k] === rgb[0] && d[k + 1] === rgb[1] && d[k + 2] === rgb[2] && d[k + 3] === 255;
    return n;
}"""


@pytest.fixture(scope="module")
def cell(browser, studio, recording):
    """The project has a recording, and its strongest sweep is chosen."""
    page = browser.new_page()
    page.goto(studio.address)
    take(page, recording)
    page.select_option("#sweep", "4")
    page.wait_for_timeout(1000)
    page.close()


def bench(page, model):
    all_models(page)
    with page.expect_response(lambda r: f"{model}/parameters" in r.url, timeout=MOST):
        page.click(f"[data-testid=open-{model}]")
    page.wait_for_selector("#codes tbody tr", timeout=MOST)
    page.wait_for_load_state("networkidle")


@BOTH
@LOOKS
def test_the_score_is_beside_every_slider(visit, cell, viewport, dark):
    page = visit(viewport, dark=dark)
    bench(page, "AdExNeuron")
    beside, told = page.locator("#bench-beside"), set()
    for slider in page.locator("#sliders input[type=range]").all():
        slider.scroll_into_view_if_needed()
        slider.focus()
        before = page.inner_text("#codes")
        page.keyboard.press("PageDown")
        page.wait_for_function("t => document.querySelector('#codes').innerText !== t", arg=before)
        assert slider.evaluate(SEEN), "the slider that is moved is hidden"
        assert beside.evaluate(SEEN), "the score is not seen beside it"
        told.add(beside.inner_text())
    assert len(told) > 3, "the score does not follow the sliders"
    score, model, data = re.search(r"score\s+([\d.]+)\s+spikes\s+(\d+) / (\d+)", beside.inner_text()).groups()
    expect(page.locator("#bench-score")).to_contain_text(f"score\n{score}", use_inner_text=True)
    assert f"{model} / {data}" in page.inner_text("#bench-score")


@BOTH
def test_equations_are_typeset_and_whole(visit, cell, viewport):
    page = visit(viewport)
    all_models(page)
    seen = page.evaluate("""() => [...document.querySelectorAll('#cards article')].map(card => {
        const box = card.querySelector('.equations'), frame = box.getBoundingClientRect();
        const math = [...box.querySelectorAll('math')];
        return {
            model: card.dataset.model, text: box.innerText, math: math.length, fractions: box.querySelectorAll('mfrac').length,
            out: math.filter(m => {
                const r = m.getBoundingClientRect();
                return !r.width || r.right > frame.right || r.left < frame.left || r.top < frame.top || r.bottom > frame.bottom;
            }).map(m => m.textContent),
        };
    })""")
    assert len(seen) >= 13
    for card in seen:
        assert card["math"] > 1 and card["fractions"], card
        assert card["out"] == [], card
        assert not re.search(r"[_^']|<-|>=|tau|alpha", card["text"]), card["text"]


@BOTH
@LOOKS
def test_a_step_is_not_drawn_over_a_recording_of_another_current(visit, cell, viewport, dark):
    page = visit(viewport, dark=dark)
    bench(page, "LIFNeuron")
    page.select_option("#driven", "recording")
    page.wait_for_function(f"([a]) => ({PIXELS})(a) > 0", arg=[["bench-voltage", "recorded"]])
    assert not page.is_visible("#not-driven")
    page.select_option("#driven", "step")
    page.wait_for_selector("#not-driven")
    expect(page.locator("#not-driven")).to_contain_text("cell.csv is not drawn", use_inner_text=True)
    page.wait_for_selector("#bench-beside >> text=/^spikes\\s+\\d+$/")
    page.wait_for_function(f"([a]) => ({PIXELS})(a) > 0", arg=[["bench-voltage", "accent"]])
    assert page.evaluate(PIXELS, ["bench-voltage", "recorded"]) == 0
    assert page.evaluate(PIXELS, ["bench-raster", "recorded"]) == 0
    page.select_option("#driven", "recording")
    page.wait_for_function(f"([a]) => ({PIXELS})(a) > 0", arg=[["bench-voltage", "recorded"]])


@BOTH
def test_a_silent_preset_is_not_what_the_recording_says(visit, cell, viewport):
    page = visit(viewport)
    bench(page, "LIFNeuron")
    page.wait_for_selector("#preset option:text-is('what the recording says')", state="attached", timeout=MOST)
    assert not page.is_visible("#preset-note")
    bench(page, "MorrisLecarNeuron")
    page.wait_for_selector("#preset-note", timeout=MOST)
    expect(page.locator("#preset-note")).to_contain_text("silent in sweep 4, where the cell has 2", use_inner_text=True)
    assert "what the recording says" not in page.inner_text("#preset")
    page.select_option("#preset", "start")
    page.wait_for_selector(
        "#preset option:text-is('measured in the recording: no spike')", state="attached", timeout=MOST
    )
