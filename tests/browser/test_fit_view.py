"""Auto-Fit: parameters, the current, what is held out, floor and ceiling, times, and what is a score and what a search loss."""

import json
import re

import numpy as np
import pytest
from playwright.sync_api import expect

from .conftest import MOST, NARROW, WIDE, begin, new_fit, take, until

BOTH = pytest.mark.parametrize("viewport", [WIDE | {"height": 800}, NARROW], ids=["1280", "390"])
THEMES = pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
# a copy of a canvas, whose points are read; reading the canvas itself would make it slower from then on
COPY = """const copy = selector => {
    const c = document.querySelector(selector), made = document.createElement('canvas');
    [made.width, made.height] = [c.width, c.height];
    const ctx = made.getContext('2d', {willReadFrequently: true});
    ctx.drawImage(c, 0, 0);
    return ctx;
};"""
# the colour of a point of a canvas, at shares of its width and height
PIXEL = f"""([selector, x, y]) => {{ {COPY}
    const ctx = copy(selector), c = ctx.canvas;
    return [...ctx.getImageData(Math.round(x * c.width), Math.round(y * c.height), 1, 1).data];
}}"""
# the number of colours in the middle of the chart of the current, above its axis
INKED = f"""() => {{ {COPY}
    const ctx = copy('#fit-current canvas'), c = ctx.canvas;
    const d = ctx.getImageData(c.width * 0.3, 0, c.width * 0.4, c.height * 0.7).data;
    return new Set(new Uint32Array(d.buffer)).size;
}}"""
# which share of a column of the chart of losses is drawn on, in its upper half: at so many evaluations, and a little beside
COLUMNS = f"""at => {{ {COPY}
    const r = devicePixelRatio, ctx = copy('#losses canvas'), b = document.querySelector('#losses canvas').getBoundingClientRect();
    const u = document.querySelector('#losses .u-over').getBoundingClientRect();
    const x = Math.round((u.left - b.left + u.width * at / 1000) * r);
    const top = Math.round((u.top - b.top + 2) * r), height = Math.round(u.height * 0.5 * r);
    const drawn = k => {{ const d = ctx.getImageData(x + k, top, 1, height).data; let n = 0;
        for (let j = 0; j < d.length; j += 4) n += d[j + 3] > 120; return n / height; }};
    return [Math.max(drawn(-1), drawn(0), drawn(1)), drawn(9)];
}}"""


def event(studio, job, kind):
    (found,) = (e for _, e in studio.studio.jobs.events(job) if e["type"] == kind)
    return found


@pytest.fixture(scope="module")
def fitted(browser, studio, recording):
    """A fit of two models that is done."""
    page = browser.new_page(viewport=WIDE)
    page.goto(studio.address)
    take(page, recording)
    job = begin(page, 2000, ("LIFNeuron", "ExpIFNeuron"))
    until(page, "done")
    page.close()
    return job


@pytest.fixture(scope="module")
def long_fit(browser, studio, cell, csv, tmp_path_factory):
    """A fit of a recording that is so long that the search begins on a part of it."""
    path = tmp_path_factory.mktemp("long") / "long.csv"
    path.write_text(csv([cell(a, 13_000.0, k) for k, a in enumerate(np.linspace(0.2, 0.4, 10))]))
    page = browser.new_page(viewport=WIDE)
    page.goto(studio.address)
    take(page, path)
    job = begin(page, 1000, ("LIFNeuron",), "long.csv")
    until(page, "done")
    page.close()
    return job


def opened(visit, job, viewport, dark=False):
    page = visit(viewport, dark=dark, hash=f"#fit/{job}")
    page.wait_for_selector("#fit-voltage canvas", timeout=MOST)
    page.wait_for_selector("#fit-overlay >> text=This sweep", timeout=MOST)
    return page


@BOTH
def test_parameters_have_units_and_ranges(visit, studio, fitted, viewport):
    page = opened(visit, fitted, viewport)
    best = event(studio, fitted, "ranking")["rows"][0]
    count = "n => document.querySelectorAll('#fit-parameters tbody tr').length === n"
    page.click(f"[data-testid=row-{best['model']}]")
    page.wait_for_function(count, arg=len(best["params"]))
    for p in best["params"]:
        cells = page.locator(f"#fit-parameters tr[data-key='{p['name']}'] td").all_inner_texts()
        assert cells[0] == p["name"] and cells[2] == (p["unit"] or "")
        assert float(cells[1]) == pytest.approx(p["value"], rel=1e-3, abs=1e-12)
        for text, ends in ((cells[3], p["range"]), (cells[4], p["bounds"] if p["range"] or p["free"] else None)):
            if ends and ends[0] == ends[1]:
                assert text == "only this"
            elif ends:
                assert [float(x) for x in re.findall(r"-?[\d.]+(?:e[+-]?\d+)?", text)] == pytest.approx(
                    ends, rel=1e-2, abs=1e-12
                )
            else:
                assert text in ("–", "not searched")
    assert any(p["range"] for p in best["params"])
    other = event(studio, fitted, "ranking")["rows"][1]
    page.click(f"[data-testid=row-{other['model']}]")
    page.wait_for_function(
        "n => document.querySelectorAll('#fit-parameters tbody tr').length === n", arg=len(other["params"])
    )
    # beside the charts where there is room, else below them
    charts, table = page.locator("#fit-voltage").bounding_box(), page.locator("#fit-parameters").bounding_box()
    if viewport["width"] > 1100:
        assert table["x"] >= charts["x"] + charts["width"] - 1 and abs(table["y"] - charts["y"]) < 60
    else:
        assert table["y"] > charts["y"] + charts["height"]
    assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]


@BOTH
@THEMES
def test_the_current_and_what_is_held_out(visit, studio, fitted, viewport, dark):
    page = opened(visit, fitted, viewport, dark)
    order = [page.locator(f"#fit-{name}").bounding_box()["y"] for name in ("voltage", "current", "raster")]
    assert order == sorted(order) and page.locator("#fit-current canvas").is_visible()
    expect(page.locator("#fit-current")).to_contain_text("injected current", use_inner_text=True)
    held = {p["sweep"] for p in event(studio, fitted, "split")["held_out"]}
    shown = {int(b.get_attribute("data-sweep")): b for b in page.locator("#fit-sweep button").all()}
    assert {k for k, b in shown.items() if "held out" in b.get_attribute("aria-label")} == held and len(shown) == 5
    backgrounds = {k: b.evaluate("e => getComputedStyle(e).backgroundColor") for k, b in shown.items()}
    assert len({backgrounds[k] for k in held}) == 1
    assert not {backgrounds[k] for k in held} & {backgrounds[k] for k in shown if k not in held}
    expect(page.locator("#fit-held-out-key")).to_contain_text("held out", use_inner_text=True)
    colours = {}
    for k in (min(held), next(k for k in shown if k not in held)):
        page.click(f"#fit-sweep [data-sweep='{k}']")
        page.wait_for_selector(f"#fit-sweep [data-sweep='{k}'][aria-pressed=true]")
        page.wait_for_function(
            "held => document.querySelector('#fit-overlay').innerText.includes('This sweep, held out') === held",
            arg=k in held,
        )
        page.wait_for_timeout(500)
        # above the lines, right of the axis
        colours[k in held] = page.evaluate(PIXEL, ["#fit-voltage canvas", 0.22, 0.12])
    assert colours[True] != colours[False]
    assert page.evaluate(INKED) > 3


@BOTH
def test_floor_and_ceiling_are_on_the_score(visit, studio, fitted, viewport):
    page = opened(visit, fitted, viewport)
    ranking = event(studio, fitted, "ranking")
    floor = f"{ranking['scale']['floor']['score']:.3f}"
    expect(page.locator("#fit-scale")).to_contain_text(floor, use_inner_text=True)
    assert re.search(r"score \d\.\d+ \((ceiling \d\.\d+, )?floor \d\.\d+\)", page.inner_text("#fit-overlay"))
    lines = page.locator("#ranking .score .line")
    expect(lines).to_have_count(len(ranking["rows"]))
    assert lines.first.is_visible() == (viewport["width"] > 640)
    assert lines.first.locator(".floor").count() == 1


@BOTH
def test_a_score_is_no_search_loss(visit, studio, fitted, viewport):
    """Each has a column of its own; neither changes its meaning when the fit is done."""
    page = opened(visit, fitted, viewport)
    heads = page.locator("#ranking thead th").all_inner_texts()
    assert {"held-out score", "training score", "search loss"} <= set(heads) and "training" not in heads
    ranking = event(studio, fitted, "ranking")
    events = [e for _, e in studio.studio.jobs.events(fitted)]
    for row in ranking["rows"]:
        cells = page.locator(f"#ranking tr[data-key={row['model']}] td").all_inner_texts()
        assert cells[heads.index("training score")] == f"{row['training']:.3f}"
        last = [e["loss"] for e in events if e["type"] == "progress" and e["model"] == row["model"]][-1]
        assert cells[heads.index("search loss")] == f"{last:.3f}"
        assert last != pytest.approx(row["training"], rel=1e-3)  # it has one term more
    expect(page.locator("#losses-told")).to_contain_text("no score of the ranking", use_inner_text=True)


@BOTH
def test_times_of_a_fit_that_runs(visit, studio, recording, fitted, viewport):
    page = visit(viewport)
    page.click("#tab-fit")
    begin(page, 400_000, ("LIFNeuron",))
    page.wait_for_function(
        r"() => /^(\d+ min )?\d+ s so far, (about|a few)/.test(document.querySelector('#fit-time').innerText)",
        timeout=MOST,
    )
    heads = page.locator("#ranking thead th").all_inner_texts()
    cells = page.locator("#ranking tbody tr td").all_inner_texts()
    assert cells[heads.index("training score")] == "–" and float(cells[heads.index("search loss")]) > 0
    before = page.inner_text("#fit-time")
    page.wait_for_function("t => document.querySelector('#fit-time').innerText !== t", arg=before)
    page.wait_for_selector("#fit-parameters tbody tr")  # its best so far, with units
    expect(page.locator("#fit-parameters")).to_contain_text("mV", use_inner_text=True)
    page.click("#fit-pause")
    until(page, "paused")
    page.wait_for_selector("#fit-time >> text=has run")
    spent = page.inner_text("#fit-time")
    page.wait_for_timeout(2500)
    assert page.inner_text("#fit-time") == spent
    page.click("#fit-cancel")
    until(page, "cancelled")
    page.wait_for_selector("#fit-time >> text=took")


@BOTH
@THEMES
def test_the_losses_say_where_the_search_moved_to_all_data(visit, studio, long_fit, viewport, dark):
    page = opened(visit, long_fit, viewport, dark)
    part, whole = (e for _, e in studio.studio.jobs.events(long_fit) if e["type"] == "portion")
    assert part["share"] < 1 == whole["share"] and 550 < whole["evaluations"] < 800
    told = page.inner_text("#losses-told")
    assert f"at {whole['evaluations']:,} evaluations" in told and f"{round(100 * part['share'])} %" in told
    assert " on " not in page.inner_text("#ranking tbody tr")  # the last loss is over all of it
    on, beside = page.evaluate(COLUMNS, whole["evaluations"])
    assert 0.3 < on < 0.9 and beside < 0.2


def test_with_folds_the_search_loss_is_of_the_search_on_everything(visit, studio, recording, fitted):
    page = visit()
    new_fit(page)
    page.check("#held-folds")
    page.fill("#fit-folds", "2")
    job = begin(page, 500, ("LIFNeuron",))
    until(page, "done")
    events = [e for _, e in studio.studio.jobs.events(job)]
    begun = [k for k, e in enumerate(events) if e["type"] == "portion"]
    assert len(begun) == 3
    last = [e["loss"] for e in events[: begun[1]] if e["type"] == "progress"][-1]
    heads = page.locator("#ranking thead th").all_inner_texts()
    cells = page.locator("#ranking tbody tr td").all_inner_texts()
    assert cells[heads.index("search loss")] == f"{last:.3f}"
    assert cells[heads.index("evaluations")].startswith("1,500 of 1,500")
    expect(page.locator("#fit-outcome")).to_contain_text("of the search on everything", use_inner_text=True)
    assert page.locator("#fit-sweep .held").count() == 0


def test_a_fit_for_a_board_chooses_the_word(browser, studio, recording, tmp_path):
    page = browser.new_page(viewport=WIDE)
    page.goto(studio.address)
    take(page, recording)
    new_fit(page)
    page.wait_for_selector("#fit-target option[value=icebreaker]", state="attached")
    page.select_option("#fit-target", "icebreaker")
    assert page.is_disabled("#fit-word")
    job = begin(page, 64)
    until(page, "done")
    content = json.loads((studio.studio.jobs.folder(job) / "out" / "result.json").read_text())
    assert content["settings"]["target"] == "icebreaker" and content["settings"]["word"] is None
    assert content["results"][0]["takes"]["one"]["board"] == "icebreaker" and content["results"][0]["word"] == 16
    assert "--board icebreaker" in page.text_content("#fit-job")
    page.reload()  # the choice is kept
    page.click("#tab-fit")
    page.wait_for_selector("#fit-target option[value=icebreaker]", state="attached")
    page.wait_for_function("document.querySelector('#fit-target').value === 'icebreaker'")
    page.close()
