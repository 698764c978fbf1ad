"""The report: whole, self-contained, escaped, and of every kind of fit."""

import re
from dataclasses import replace
from html import escape
from html.parser import HTMLParser

import numpy as np
import pytest

from spikefab.errors import FileError, UsageError
from spikefab.fit import fit
from spikefab.fit.features.definitions import feature
from spikefab.fit.recordings.recording import Recording
from spikefab.fit.report.report import report
from spikefab.fit.results import FitResults

DT = 0.1
VOID = {"meta", "br", "hr", "img"}
SECTIONS = (
    "What was recorded", "What the cell does", "Ranking", "Spike trains and rates", "Fixed point against float64",
    "Parameters", "The same again",
)  # fmt: skip


class Page(HTMLParser):
    """Checks that elements nest, and collects ids, references and attributes."""

    def __init__(self, text):
        super().__init__()
        self.open, self.ids, self.links, self.attributes = [], [], set(), set()
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attrs:
            self.attributes.add(name)
            if name == "id":
                self.ids.append(value)
            if name in ("href", "src"):
                self.links.add(value)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def made(membrane, steps):
    def make(amplitudes, models=("LIF",), source="arrays", **options):
        currents = steps(amplitudes, DT)
        voltages = [membrane(i, DT, 0.3, k) for k, i in enumerate(currents)]
        recording = Recording.from_arrays(voltages, currents, DT)
        object.__setattr__(recording, "source", source)
        return fit(recording, dt=DT, models=models, budget=64, **options)

    return make


@pytest.fixture(scope="module")
def results(made):
    return made([-0.1, 0.1, 0.19, 0.22, 0.26, 0.31], ("LIF", "AdEx"), source="<cell> & 'co'.abf")


@pytest.fixture(scope="module")
def text(results):
    return report(results)


def test_it_is_whole(text, results):
    page = Page(text)
    assert len(page.ids) == len(set(page.ids)), "one page has several pictures"
    for title in SECTIONS:
        assert f"<h2>{title}</h2>" in text
    held = {p.sweep for p in results.task.split.held_out}
    assert text.count("<svg ") == len(held) + 3  # each of them, raster, f-I, rounding
    assert "LIF on held-out sweeps" in text or "AdEx on held-out sweeps" in text
    assert results.outcome in text
    for p in results.best.parameters():
        assert f"<td>{p['name']}</td>" in text
        assert f"{p['value']:.5g}" in text


def test_no_request_leaves_it(text):
    assert "default-src 'none'" in text
    assert not re.search(r"https?:|//[a-z]|@import|<script|<link|<iframe|srcset", text)
    page = Page(text)
    assert all(link.startswith("#") for link in page.links)
    assert {link[1:] for link in page.links} <= set(page.ids)
    assert set(re.findall(r"url\((.)", text)) <= {"#"}
    assert set(re.findall(r"url\(#([^)]+)\)", text)) <= set(page.ids)


def test_names_are_escaped(text):
    assert "<cell>" not in text
    assert "&lt;cell&gt; &amp;" in text


def test_pictures_take_their_colours_from_the_page(text):
    pictures = "".join(re.findall(r"<svg .*?</svg>", text, flags=re.DOTALL))
    assert set(re.findall(r"#[0-9a-fA-F]{6}\b", pictures)) <= {"#ffffff"}
    for name in set(re.findall(r"var\((--[a-z]+)\)", text)) - {"--c"}:
        assert text.count(f"{name}: #") == 2, name  # light and dark


def test_floor_and_ceiling(text, results, made):
    scale = results.scale
    assert scale.floor.count == 1.0
    assert f"the floor is {scale.floor.score:.2f}" in text
    assert "<h3>How good is that?</h3>" in text
    assert scale.ceiling_from == "neighbours"
    for name in ("score", "voltage", "timing", "count"):  # on one line each, and in numbers
        row = re.search(rf"<tr><td>(?:<b>)?{name}(?:</b>)?</td><td><div class=\"line\".*?</tr>", text)[0]
        assert row.count("<b style=") == 2  # the models
        assert f"<td>{getattr(scale.ceiling, name):.3f}</td>" in row
        assert f"<td>{getattr(scale.floor, name):.3f}</td>" in row
    assert "each sweep as the mean of the two that were recorded with the neighbouring amplitudes" in text
    assert "unknown, as no stimulus was repeated" in report(made([0.26, 0.31]))
    kept = results.best.held_out
    results.scale = replace(scale, ceiling_from="repeats")
    try:
        results.best.held_out = replace(kept, reliability=0.71, gamma_over_R=0.8, repeat_rmse=1.6)
        more = report(results)
    finally:
        results.best.held_out, results.scale = kept, scale
    assert "reliability R of 0.71" in more
    assert "differ by 1.60 mV" in more
    assert "<th>gamma/R</th>" in more


def test_same_results_same_text_and_a_folder_is_made(results, text, tmp_path):
    path = results.report(tmp_path / "new" / "report.html")
    assert path.read_text(encoding="utf-8") == text
    with pytest.raises(FileError, match="cannot be written"):
        results.report(tmp_path)


def test_loaded_results_have_no_traces(results, tmp_path):
    loaded = FitResults.load(results.save(tmp_path / "result.json"))
    text = report(loaded)
    Page(text)
    assert "<svg" not in text
    assert "holds no traces" in text
    assert results.outcome in text
    with pytest.raises(UsageError, match="no results"):
        FitResults().report(tmp_path / "none.html")


@pytest.mark.parametrize("amplitudes", [(0.26,), (0.1, -0.1)], ids=["not validated", "silent"])
def test_small_recordings(made, amplitudes):
    text = report(made(amplitudes))
    Page(text)
    assert "not validated" in text
    assert not re.search(r"\bnan\b", text, flags=re.IGNORECASE)


@pytest.mark.slow
def test_noise_of_which_a_third_is_held_out(membrane, monkeypatch):
    from spikefab.fit.report import figures

    # the float64 run ends before the held-out part begins
    monkeypatch.setattr(figures, "FLOAT_STEPS", 3000)
    rng = np.random.default_rng(0)
    current = 0.2 + np.repeat(rng.normal(0, 0.1, 800), 50)
    results = fit(voltage=membrane(current, DT, 0.2), current=current, dt=DT, models=["LIF"], budget=64)
    text = report(results)
    Page(text)
    assert "fluctuat" in text
    assert "f-I curves" not in text
    assert "Over the first 300 ms" in text
    assert "fit(voltage=voltage" in text


def test_an_interrupted_fit_has_a_report(made):
    results = made([0.1, 0.2, 0.3])
    results.best.ideal = {"train": None, "held_out": None}
    results.interrupted = True
    assert "was interrupted" in report(results)


def test_every_feature_shown_has_its_definition(made):
    results = made([0.1, 0.2, 0.3])
    text = report(results)
    for name, value in results.features.items():
        known = feature(name)
        if np.isfinite(value):
            assert f'<abbr title="{escape(known.definition)}">{escape(known.label)}</abbr>' in text
        assert f"<dt>{escape(known.label)}</dt><dd>{escape(known.definition)}</dd>" in text
