"""What a notebook shows of recordings, results, neurons and a fit under way: legible in a dark and a light theme, and no more than
text. A theme is the notebook's, whatever the system prefers."""

import dataclasses

import pytest
from playwright.sync_api import expect

from spikefab import HodgkinHuxleyNeuron, fit, read
from spikefab.fit.options import FitOptions
from spikefab.fit.search.clock import FitClock
from spikefab.progress import Cell

from .conftest import NARROW, WIDE

THEMES = {"dark": ("#111111", "#e0e0e0"), "light": ("#ffffff", "#212121")}
EVIL = '<img src="http://127.0.0.1:9/x" onerror="window.harmed = 1">'

# The least contrast of all text with the ground, where the opacity of every element around it counts.
CONTRAST = """() => {
  const numbers = c => c.match(/[\\d.]+/g).slice(0, 3).map(Number);
  const light = c => { const [r, g, b] = c.map(x => x / 255).map(x => x <= .03928 ? x / 12.92 : ((x + .055) / 1.055) ** 2.4);
    return .2126 * r + .7152 * g + .0722 * b; };
  const ground = numbers(getComputedStyle(document.body).backgroundColor);
  const walk = document.createTreeWalker(document.querySelector("main"), NodeFilter.SHOW_TEXT);
  const found = [];
  while (walk.nextNode()) {
    const element = walk.currentNode.parentElement;
    if (!walk.currentNode.data.trim() || element.closest("style") || !element.checkVisibility()) continue;
    let opacity = 1;
    for (let e = element; e; e = e.parentElement) opacity *= Number(getComputedStyle(e).opacity);
    const ink = numbers(getComputedStyle(element).color).map((x, k) => opacity * x + (1 - opacity) * ground[k]);
    const [a, b] = [light(ink), light(ground)].sort((x, y) => y - x);
    found.push([(a + .05) / (b + .05), walk.currentNode.data]);
  }
  return found.sort((x, y) => x[0] - y[0]);
}"""


@pytest.fixture(scope="module")
def views(recording):
    cell = read(recording)
    named = dataclasses.replace(cell, notes=(EVIL,), source=EVIL, sweeps=(*cell.sweeps, *cell.sweeps))
    options = FitOptions.of(models=["LIF", "AdEx"], budget=96)
    shown = []

    class Handle:
        def update(self, thing):
            shown.append(thing._repr_html_())

    def display(thing, display_id):
        shown.append(thing._repr_html_())
        return Handle()

    with Cell(FitClock(options), display) as progress:
        progress.notice(EVIL)
        results = fit(cell, options=options, progress=progress, notice=progress.notice)
    neuron = HodgkinHuxleyNeuron(g_M=0.07)
    return [*shown, *(x._repr_html_() for x in (named, results, results.best, neuron, neuron.parameters()))]


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
@pytest.mark.parametrize("theme", THEMES)
def test_views_are_legible(browser, views, theme, size):
    ground, ink = THEMES[theme]
    context = browser.new_context(viewport=size, color_scheme="light" if theme == "dark" else "dark")
    page = context.new_page()
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    style = f"background: {ground}; color: {ink}; font: 14px sans-serif"
    page.set_content(f'<body style="{style}"><main>{"<hr>".join(views)}</main></body>')
    page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true })")
    contrasts = page.evaluate(CONTRAST)
    assert len(contrasts) > 200
    assert contrasts[0][0] >= 4.5, contrasts[:5]
    assert page.evaluate("document.scrollingElement.scrollWidth <= innerWidth")  # tables scroll, the page does not
    assert page.evaluate("document.querySelectorAll('img, script').length") == 0
    assert page.evaluate("window.harmed") is None
    assert asked == []
    expect(page.locator("main")).to_contain_text(EVIL, use_inner_text=True)
    context.close()
