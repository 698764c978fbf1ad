"""The Trace view: what is shown first, cursors that measure, a current that comes in a file of its own, facts in words."""

import numpy as np
import pytest
from playwright.sync_api import expect

from spikefab import read
from spikefab.fit.features.extract import sweep_features

from .conftest import MOST, take

SIZES = [{"width": 1280, "height": 800}, {"width": 390, "height": 844}]
BOTH = pytest.mark.parametrize("viewport", SIZES, ids=["1280", "390"])
LOOKS = pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])


@pytest.fixture
def columns(recording):
    """The columns of the recording, by name."""
    head, *rows = recording.read_text().splitlines()
    return dict(zip(head.split(","), np.array([[float(x) for x in row.split(",")] for row in rows]).T, strict=True))


def written(path, columns, head=True):
    rows = [",".join(f"{x:.6g}" for x in row) for row in zip(*columns.values(), strict=True)]
    path.write_text("\n".join([",".join(columns)] * head + rows) + "\n")
    return path


def drop(page, *paths):
    """Drop files on the page, all at once."""
    page.set_input_files("#import-file", list(paths))
    page.wait_for_function("() => !document.querySelector('#import-busy').textContent", timeout=MOST)


def names(page):
    return [e.inner_text() for e in page.locator("#recordings .entry b").all()]


def removed(page, name):
    page.once("dialog", lambda d: d.accept())
    page.get_by_label(f"Remove {name}").first.click()
    page.wait_for_function(
        "n => ![...document.querySelectorAll('#recordings b')].some(e => e.innerText === n)", arg=name
    )


@BOTH
@LOOKS
def test_the_first_sweep_has_spikes_and_all_sweeps_are_drawn(visit, recording, viewport, dark):
    page = visit(viewport, dark=dark)
    take(page, recording)
    name = page.locator("#recordings [aria-current] b").inner_text()
    first = next(k for k, s in enumerate(read(recording).spikes()) if len(s))
    assert first > 0 and page.input_value("#sweep") == str(first)
    assert page.is_checked("#sweep-all")
    # all sweeps are seen: the scale of the voltage and the ink of the chart are other than those of one sweep
    page.wait_for_timeout(500)
    ink = "() => document.querySelector('#trace-voltage canvas').toDataURL()"
    together = page.evaluate(ink)
    page.uncheck("#sweep-all")
    page.wait_for_function(f"was => ({ink})() !== was", arg=together)
    page.check("#sweep-all")
    page.wait_for_function(f"was => ({ink})() === was", arg=together)
    removed(page, name)


@BOTH
@LOOKS
def test_cursors_measure(visit, recording, columns, viewport, dark):
    page = visit(viewport, dark=dark)
    take(page, recording)
    name = page.locator("#recordings [aria-current] b").inner_text()
    page.select_option("#sweep", "3")
    page.check("#cursors")
    page.wait_for_selector("#cursor-values")

    def values():
        rows = page.locator("#cursor-values tbody tr").all()
        return [[float(cell.inner_text()) for cell in row.locator("td").all()] for row in rows]

    def moved(cursor, to):
        page.focus(f"#cursor-{cursor}")
        page.keyboard.press("Home")
        for key, step in (("PageDown", None), ("PageUp", 10), ("Shift+ArrowRight", 1), ("ArrowRight", 0.1)):
            for _ in range(0 if step is None else int(round(to / step, 6))):
                page.keyboard.press(key)
            to = to if step is None else to - step * int(round(to / step, 6))

    spike = read(recording).spikes()[3]
    onset, trough = spike.onset_index[2], spike.trough_index[2]
    moved("a", onset * 0.1)
    moved("b", trough * 0.1)
    a, b, difference = values()
    for k, (t, v, i) in ((onset, a), (trough, b)):
        assert t == pytest.approx(0.1 * k, abs=0.006)
        assert v == pytest.approx(columns["V3_mV"][k], abs=0.006) and i == pytest.approx(columns["I3_nA"][k], rel=1e-3)
    assert difference == pytest.approx([b[0] - a[0], b[1] - a[1], 0], abs=0.011)
    # the spike under each is the same, and what is said of it is what the definitions say
    page.wait_for_selector(".spike[data-cursor=B] [data-feature=ahp_depth]")
    for cursor in "AB":
        shown = {
            f: float(page.inner_text(f".spike[data-cursor={cursor}] [data-feature={f}]").split()[0])
            for f in ("ap_threshold", "ahp_depth", "ap_height")
        }
        assert shown["ap_threshold"] == pytest.approx(spike.onset_voltage[2], rel=1e-3)
        assert shown["ahp_depth"] == pytest.approx(
            spike.onset_voltage[2] - columns["V3_mV"][onset : trough + 1].min(), rel=1e-3
        )
        assert shown["ap_height"] == pytest.approx(spike.peak_voltage[2] - spike.onset_voltage[2], rel=1e-3)
    told = page.get_attribute(".spike[data-cursor=A] abbr:text('after-hyperpolarisation')", "title")
    assert "Onset of a spike minus the lowest voltage after it" in told
    # between spikes there is none
    moved("a", 20.0)
    expect(page.locator(".spike[data-cursor=A]")).to_contain_text("no spike under it", use_inner_text=True)
    # by pointer, too
    box = page.locator("#cursor-b").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 30)
    page.mouse.down()
    page.mouse.move(box["x"] + 60, box["y"] + 30, steps=3)
    page.mouse.up()
    assert values()[1][0] > b[0] + 5
    assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
    page.uncheck("#cursors")
    assert not page.is_visible("#cursor-a") and not page.is_visible("#measurements")
    removed(page, name)


def test_the_medians_of_the_spikes_are_the_features(studio, visit, recording):
    page = visit()
    take(page, recording)
    name = page.locator("#recordings [aria-current] b").inner_text()
    shapes = page.evaluate("""async () => {
        const id = JSON.parse(await (await fetch('/api/project')).text()).recordings.at(-1).id;
        return (await fetch(`/api/recordings/${id}/shapes?sweep=4`)).json();
    }""")
    wanted = sweep_features(read(recording))[4]
    assert len(shapes["spikes"]) == wanted["spike_count"] > 10
    for f in shapes["features"]:
        known = [s[f["name"]] for s in shapes["spikes"] if s[f["name"]] is not None]
        assert np.median(known) == pytest.approx(wanted[f["name"]])
    removed(page, name)


CURRENTS = {
    "with a time": lambda c: {"t_ms": c["t_ms"], "I_nA": c["I3_nA"]},
    "in pA": lambda c: {"time (ms)": c["t_ms"], "stim (pA)": 1000 * c["I3_nA"]},
    "alone": lambda c: {"I_nA": c["I3_nA"]},
    "without a heading": lambda c: {"": c["t_ms"], " ": 1000 * c["I3_nA"]},
}


@pytest.mark.parametrize(
    ("viewport", "first", "kind"),
    [(SIZES[k], first, kind) for k, first in enumerate(("voltage", "current")) for kind in CURRENTS],
    ids=lambda x: str(x["width"]) if isinstance(x, dict) else x,
)
def test_a_current_that_comes_with_its_recording_is_paired(visit, columns, tmp_path, viewport, first, kind):
    page = visit(viewport, refusals=True)
    voltage = written(tmp_path / "cell_v.csv", {"t_ms": columns["t_ms"], "V_mV": columns["V3_mV"]})
    current = written(tmp_path / "cell_i.csv", CURRENTS[kind](columns), head=kind != "without a heading")
    drop(page, *((voltage, current) if first == "voltage" else (current, voltage)))
    page.wait_for_selector("#trace-current canvas")
    assert names(page) == ["cell_v.csv"], "the current is a recording of its own"
    assert page.locator("#alerts [role=alert]").count() == 0 and page.locator("#refused form").count() == 0
    expect(page.locator("#facts")).to_contain_text("the file cell_i.csv", use_inner_text=True)
    removed(page, "cell_v.csv")


def test_what_is_no_current_of_it_is_refused_still(visit, columns, tmp_path):
    page = visit(refusals=True)
    voltage = written(tmp_path / "v.csv", {"t_ms": columns["t_ms"], "V_mV": columns["V3_mV"]})
    short = written(tmp_path / "i.csv", {"t_ms": columns["t_ms"][:-9], "I_nA": columns["I3_nA"][:-9]})
    drop(page, voltage, short)
    expect(page.locator("#alerts")).to_contain_text("holds no voltage", use_inner_text=True)
    expect(page.locator("#facts")).to_contain_text("none:", use_inner_text=True)
    assert page.is_visible("#add-current")
    removed(page, "v.csv")


def test_of_two_currents_the_one_with_its_name_is_taken_or_none(visit, columns, tmp_path):
    page = visit(refusals=True)
    cells = [
        written(tmp_path / f"cell{k}_v.csv", {"t_ms": columns["t_ms"], "V_mV": columns[f"V{k}_mV"]}) for k in (2, 4)
    ]
    currents = [
        written(tmp_path / f"cell{k}_i.csv", {"t_ms": columns["t_ms"], "I_nA": columns[f"I{k}_nA"]}) for k in (4, 2)
    ]
    drop(page, *currents, *cells)
    assert names(page) == ["cell2_v.csv", "cell4_v.csv"]
    for k in (2, 4):
        page.click(f"#recordings .entry:has-text('cell{k}_v.csv')")
        page.wait_for_selector(f"#facts >> text=the file cell{k}_i.csv")
        removed(page, f"cell{k}_v.csv")
    other = [written(tmp_path / f"{name}.csv", {"t_ms": columns["t_ms"], "I_nA": columns["I2_nA"]}) for name in "xy"]
    drop(page, cells[0], *other)
    assert names(page) == ["cell2_v.csv"]
    assert "none:" in page.inner_text("#facts"), "one of two currents was guessed"
    removed(page, "cell2_v.csv")


@BOTH
def test_facts_are_words(visit, nwb_file, viewport):
    page = visit(viewport)
    take(page, nwb_file)
    facts = page.inner_text("#facts")
    assert "steps of 0.03125 mV and steps of 0.000125 nA" in facts and "mV and nA" in facts
    assert "every 0.05 ms, 20 kHz" in facts
    assert "e-0" not in facts and " x " not in facts
    removed(page, nwb_file.name)


@pytest.fixture
def nwb_file(tmp_path):
    """A recording as a patch-clamp amplifier's program writes it: the numbers of a converter."""
    from datetime import UTC, datetime

    import pynwb
    from pynwb.icephys import CurrentClampSeries, CurrentClampStimulusSeries

    made = pynwb.NWBFile("made", "made", datetime(2026, 1, 1, tzinfo=UTC))
    electrode = made.create_icephys_electrode(name="e", description="patch", device=made.create_device(name="amp"))
    t = np.arange(20_000) * 0.05
    current = 0.1 * ((t > 200) & (t < 700))
    scale = {"rate": 2e4, "electrode": electrode, "gain": 1.0}
    v = np.round((-70 + 100 * current) / 1e3 / 3.125e-5).astype(np.int16)
    i = np.round(current / 1e9 / 1.25e-13).astype(np.int16)
    made.add_intracellular_recording(
        electrode=electrode,
        response=CurrentClampSeries(name="response", data=v, conversion=3.125e-5, **scale),
        stimulus=CurrentClampStimulusSeries(name="stimulus", data=i, conversion=1.25e-13, **scale),
    )
    path = tmp_path / "made.nwb"
    with pynwb.NWBHDF5IO(str(path), "w") as out:
        out.write(made)
    return path
