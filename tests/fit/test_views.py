"""What recordings, results and neurons show of themselves: short texts, HTML, pictures, tables of parameters."""

import dataclasses
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from spikefab import AdExNeuron, HodgkinHuxleyNeuron, LIFNeuron, Recording, read
from spikefab.errors import RecordingError, UsageError
from spikefab.fit import fit
from spikefab.fit.results import FitResults

DT = 0.1
EVIL = "<img src=x onerror=alert(1)>&\"'"


@pytest.fixture(scope="module")
def arrays(membrane, steps):
    currents = steps([0.1, 0.22, 0.26, 0.31], DT)
    return [membrane(i, DT, 0.3, k) for k, i in enumerate(currents)], currents


@pytest.fixture(scope="module")
def results(arrays):
    return fit(voltage=arrays[0], current=arrays[1], dt=DT, models=["LIF", "AdEx"], budget=96)


class Page(HTMLParser):
    """The elements and the text of HTML; every element is closed in its turn."""

    def __init__(self, content):
        super().__init__()
        self.open, self.tags, self.text = [], [], []
        self.feed(content)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        self.tags.append(tag)

    def handle_endtag(self, tag):
        if tag == "mspace":
            return
        assert self.open.pop() == tag

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)

    def handle_data(self, data):
        if "style" not in self.open:
            self.text.append(data)


def page(thing):
    return Page(thing._repr_html_())


def test_a_recording(arrays, recording):
    made = Recording.from_arrays(*arrays, DT)
    assert repr(made) == "<Recording of arrays: 4 sweeps of up to 350 ms, dt 0.1 ms>"
    alone = Recording.from_arrays(arrays[0][0], None, DT)
    assert repr(alone) == "<Recording of arrays: 1 sweep of up to 350 ms, dt 0.1 ms, current unknown>"
    assert recording.name in repr(read(recording))
    shown = page(made)
    assert shown.tags.count("tr") == 5
    assert all(str(len(spikes.time)) in shown.text for spikes in made.spikes())
    assert any("without its current" in text for text in page(alone).text)  # why it cannot be fitted
    none = dataclasses.replace(made, sweeps=())
    assert "0 sweeps" in repr(none) and any("holds no sweeps" in text for text in page(none).text)
    with pytest.raises(RecordingError, match="holds no sweeps"):
        none.plot()
    many = dataclasses.replace(made, sweeps=made.sweeps * 10)
    assert "and 28 more sweeps" in page(many).text


def test_nothing_from_a_file_is_an_element(arrays):
    made = Recording.from_arrays(*arrays, DT)
    sweeps = tuple(dataclasses.replace(s, name=EVIL) for s in made.sweeps)
    odd = dataclasses.replace(made, sweeps=sweeps, source=EVIL, current_origin=EVIL, notes=(EVIL,), units=EVIL)
    shown = page(odd)
    assert "img" not in shown.tags
    assert shown.text.count(EVIL) == 5  # four names and the note
    assert sum(EVIL in text for text in shown.text) == 7  # and the title, and units and origin in one line
    fitted = fit(odd, models=["LIF"], budget=64)
    assert "img" not in page(fitted).tags and "img" not in page(fitted.best).tags


def test_plots_of_a_recording(arrays):
    figure = Recording.from_arrays(*arrays, DT).plot()
    voltage, current = figure.axes
    assert (voltage.get_ylabel(), current.get_ylabel()) == ("voltage (mV)", "current (nA)")
    for axes, values in zip((voltage, current), arrays, strict=True):
        assert len(axes.lines) == 4
        for line, row in zip(axes.lines, values, strict=True):
            assert np.array_equal(line.get_ydata(), row)
    assert figure._repr_png_().startswith(b"\x89PNG")
    assert len(Recording.from_arrays(arrays[0][0], None, DT).plot().axes) == 1


def test_results(results):
    assert re.fullmatch(r"<FitResults of arrays: \w+Neuron 0\.\d{3}, \w+Neuron 0\.\d{3}>", repr(results))
    shown = page(results)
    assert [shown.text.count(r.model_name) for r in results] == [1, 1]
    assert repr(FitResults()) == "<FitResults of arrays: none>"


def test_a_result(results, tmp_path):
    for result in results:
        shown = page(result)
        assert shown.tags.count("math") == 1
        for row in result.parameters():
            assert row["name"] in shown.text and f"{row['value']:.5g}" in shown.text
    figure = results[1].plot()
    assert results[1].model_name in figure.get_suptitle()
    second = figure.axes[0].lines[1].get_ydata()
    (held,) = {part.sweep for part in results.task.split.held_out}
    voltage = results[1].voltages[held]
    assert len(second) and any(np.array_equal(second, voltage[k : k + len(second)]) for k in range(len(voltage)))
    loaded = FitResults.load(results.save(tmp_path / "result.json"))
    assert page(loaded.best).text == page(results.best).text
    with pytest.raises(UsageError, match="holds none"):
        loaded.best.plot()


def test_a_result_whose_model_is_not_known(results):
    strange = dataclasses.replace(results.best, model_name="MyNeuron", model_source="my.py:MyNeuron")
    shown = page(strange)
    assert shown.text[0] == "MyNeuron" and any("my.py" in text for text in shown.text)


def test_parameters_of_a_result(results):
    table = results.best.parameters()
    lines = repr(table).splitlines()
    assert lines[0].split() == ["parameter", "value", "unit", "bounds", "can", "vary", "within", "meaning"]
    assert len(lines) == 1 + len(table) == 1 + len(results.best.params)
    by_name = {row["name"]: row for row in table}
    for name, ends in results.best.searched.items():
        assert by_name[name]["bounds"] == ends
        assert f"{ends[0]:.4g} .. {ends[1]:.4g}" in next(line for line in lines if line.startswith(f"{name} "))
    assert page(table).tags.count("tr") == len(lines)


def test_parameters_of_a_neuron():
    neuron = HodgkinHuxleyNeuron(kinetics="traub-miles", g_M=0.07)
    table = neuron.parameters()
    assert {row["name"]: row["value"] for row in table} == neuron.values
    units = {name: p.unit for name, p in type(neuron).params().items()}
    assert {row["name"]: row["unit"] for row in table} == units
    assert all(row["bounds"] == tuple(neuron.datapath.params[row["name"]].bounds) for row in table)
    assert "can vary within" not in repr(table)  # nothing was fitted


@pytest.mark.parametrize(
    ("model", "given", "text"),
    [
        (LIFNeuron, {}, "<LIFNeuron: word 18, dt 0.1 ms>"),
        (
            AdExNeuron,
            {"b": 0.06, "tau_w": 120, "word": 16},
            "<AdExNeuron: b 0.06 nA, tau_w 120.1 ms, word 16, dt 0.1 ms>",
        ),
        (HodgkinHuxleyNeuron, {"m_current": True}, "<HodgkinHuxleyNeuron: m_current True, word 18, dt 0.1 ms>"),
    ],
)
def test_short_texts_of_neurons(model, given, text):
    assert repr(model(**given)) == text


def test_many_parameters_are_counted():
    given = AdExNeuron.defaults()
    assert repr(AdExNeuron(**given)).count(",") == 6
    assert f"{len(given) - 4} more" in repr(AdExNeuron(**given))
    assert repr(AdExNeuron(codes=AdExNeuron(b=0.06).codes)) == "<AdExNeuron: from codes, word 18, dt 0.1 ms>"


def test_a_neuron_in_a_notebook():
    neuron = AdExNeuron(b=0.06)
    shown = page(neuron)
    assert shown.tags.count("math") == 1
    assert "0.059998" in shown.text
    assert "State: V -70.6 mV, w 0 nA, hold 0 steps" in shown.text


def drawn(figure):
    """Voltage and current in a figure of a neuron."""
    voltage, current = figure.axes
    return voltage.lines[0].get_ydata(), current.lines[0].get_ydata()


def test_plots_of_a_neuron():
    neuron = LIFNeuron()
    voltage, current = drawn(neuron.plot())
    spikes = neuron.plot().axes[0].get_title()
    assert "a step of" in spikes and not spikes.endswith(" 0 spikes")
    assert current.max() > 0 and (current[0], current[-1]) == (0, 0)
    neuron.step(0.3)
    state = neuron.state
    given = np.full(500, 0.4)
    made = neuron.run(given)
    made_copy = made.copy()
    made[:] = 0  # a user may change what is theirs
    voltage, current = drawn(neuron.plot())
    assert np.array_equal(voltage, made_copy)
    assert current == pytest.approx(given, abs=1e-4)
    after = neuron.state
    assert after != state
    voltage, _ = drawn(neuron.plot(np.full(300, 0.2)))
    assert len(voltage) == 300
    assert neuron.state == after and np.array_equal(drawn(neuron.plot())[0], made_copy)  # it was only looked at
    neuron.reset()
    assert "a step of" in neuron.plot().axes[0].get_title()
    with pytest.raises(UsageError, match="outside the input's span"):
        neuron.plot(np.full(10, 1e3))
    for shape in [(2, 5), (0,), ()]:
        with pytest.raises(UsageError, match=r"must be \(T,\)|must be numbers"):
            neuron.plot(np.zeros(shape))
