"""Neurons from files of the Allen Cell Types Database: a made file of its layout at each level, and files that are broken."""

import copy
import json
import random
import re

import numpy as np
import pytest

from spikefab import GLIFNeuron
from spikefab.errors import FileError, SpikefabError, UsageError
from spikefab.hw.models.allen import is_allen

REMOVED = object()


def plain(name):
    """A rule without parameters."""
    return {"name": name, "params": {}}


def made(level, **changes):
    """A model of the atlas' layout, in SI units. `changes`: of dotted keys."""
    resets, currents = level in (2, 4, 5), level >= 3
    lift = {"a_spike": 0.0015, "b_spike": 120.0}
    threshold = {
        1: ("inf", {}), 2: ("spike_component", lift | {"a_voltage": 0, "b_voltage": 0}),
        5: ("three_components_exact", lift | {"a_voltage": 4.0, "b_voltage": 30.0}),
    }  # fmt: skip
    name, params = threshold[5 if level == 5 else 2 if resets else 1]
    config = {
        "type": "GLIF", "El": 0.0, "El_reference": -0.071, "C": 8e-11, "R_input": 2.5e8, "th_inf": 0.024, "dt": 5e-05,
        "dt_multiplier": 10, "spike_cut_length": 61, "th_adapt": None, "extrapolation_method_name": "endpoints",
        "init_voltage": 0.0, "init_threshold": 0.024, "init_AScurrents": [0.0, 0.0],
        "asc_amp_array": [-2e-11, 1.5e-10], "asc_tau_array": [0.1, 0.01],
        "coeffs": {"a": 1, "b": 1, "C": 1.1, "G": 1.25, "th_inf": 0.9, "asc_amp_array": [1.0, 0.8]},
        "voltage_dynamics_method": plain("linear_forward_euler"),
        "voltage_reset_method": {"name": "v_before", "params": {"a": 0.3, "b": 0.005}} if resets else plain("zero"),
        "threshold_dynamics_method": {"name": name, "params": params},
        "threshold_reset_method": {"name": "three_components", "params": lift} if resets else plain("inf"),
        "AScurrent_dynamics_method": plain("exp" if currents else "none"),
        "AScurrent_reset_method": {"name": "sum", "params": {"r": [1.0, 0.5]}} if currents else plain("none"),
    }  # fmt: skip
    for key, value in changes.items():
        *path, last = key.split(".")
        where = config
        for part in path:
            where = where[part]
        if value is REMOVED:
            del where[last]
        else:
            where[last] = value
    return config


@pytest.fixture
def write(tmp_path):
    def _write(content):
        path = tmp_path / "cell.json"
        path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
        return path

    return _write


EXPECTED = {
    "E_L": -71.0, "R_m": 200.0, "tau_m": 17.6, "omega": 21.6, "t_ref": 3.0, "f_v": 0.3, "d_v": -5.0, "a_s": 1.5, "b_s": 0.12,
    "a_v": 0.004, "b_v": 0.03, "tau_1": 100.0, "tau_2": 10.0, "a_1": -0.02, "a_2": 0.12, "f_1": 1.0, "f_2": 0.5,
    "V_peak": 30.0,
}  # fmt: skip


@pytest.mark.parametrize("wrapped", [False, True])
@pytest.mark.parametrize("level", GLIFNeuron.LEVELS)
def test_each_level(level, wrapped, write):
    """SI units to those of the models, with the factors; the spike that is cut out begins with the step of the spike."""
    config = made(level)
    neuron = GLIFNeuron.from_allen(write({"318556138": config} if wrapped else config), word=24, dt=0.05, i_span=1.0)
    assert dict(neuron.chosen) == dict(GLIFNeuron.LEVELS[level])
    assert (neuron.word, neuron.dt, neuron.datapath.i_span) == (24, 0.05, 1.0)
    for name, value in neuron.values.items():
        assert value == pytest.approx(EXPECTED[name], rel=2e-5, abs=1e-5), name
    assert is_allen(config)
    assert is_allen({"318556138": config})


def test_it_fires_as_the_rules_of_the_atlas_say(write):
    """The AllenSDK's loop, typed again with exact steps for V: from the state after the spike, spike_cut_length steps later."""
    config = made(4, **{"AScurrent_reset_method.params.r": [1.0, 1.0], "asc_amp_array": [-1e-11, 1.5e-10]})
    neuron = GLIFNeuron.from_allen(write(config), word=24, dt=0.05)
    dt, cut = config["dt"], config["spike_cut_length"]
    C, g = config["C"] * 1.1, 1.25 / config["R_input"]
    amplitudes, taus = np.array([-1e-11, 1.2e-10]), np.array([0.1, 0.01])
    current = np.full(20_000, 0.3e-9)
    v, th, asc, k, spikes = 0.0, 0.0, np.zeros(2), 0, []
    while k < len(current):
        kernel = taus / (C * (g * taus / C - 1)) * (np.exp(-dt / taus) - np.exp(-dt * g / C))
        v = v * np.exp(-dt * g / C) - current[k] / g * np.expm1(-dt * g / C) + (kernel * asc).sum()
        asc, th = asc * np.exp(-dt / taus), th * np.exp(-120 * dt)
        if v > th + 0.9 * 0.024:
            spikes.append(k)
            v, th = 0.3 * v + 0.005, th * np.exp(-120 * dt * cut) + 0.0015
            asc = amplitudes + asc * np.exp(-dt * cut / taus)
            k += cut
        else:
            k += 1
    neuron.run(current * 1e9)
    found = np.round(neuron.spikes / 0.05)
    assert len(found) == len(spikes) > 20
    # what is left of earlier spikes falls through the cut, in the AllenSDK through one step more
    assert np.abs(np.diff(found) - np.diff(spikes)).max() <= 2


def test_a_parameter_can_be_replaced(write):
    path = write(made(2, El_reference=-0.02))
    with pytest.raises(
        FileError, match=r"cell.json has E_L = -20 mV, outside -100..-30 mV: pass E_L= with another value\.$"
    ):
        GLIFNeuron.from_allen(path)
    neuron = GLIFNeuron.from_allen(path, E_L=-70, V_peak=10)
    assert neuron.values["E_L"] == -70
    assert neuron.values["V_peak"] == 10
    with pytest.raises(UsageError, match="has no parameter 'wrd'"):
        GLIFNeuron.from_allen(path, E_L=-70, wrd=24)


BROKEN = {
    "no JSON": (b"El: 0", "is no JSON, in which the atlas has its models"),
    "empty": (b"", "is no JSON"),
    "no text": (b"\xff\xfe\x00", "is no JSON"),
    "half": (json.dumps(made(1)).encode()[:200], "is no JSON"),
    "NaN": (json.dumps(made(1)).replace("8e-11", "NaN").encode(), "is no JSON"),
    "nested": (b"[" * 100_000, "is no JSON"),
    "a list": ([made(1)], "is no GLIF model but an object of type list"),
    "a number": (3, "is no GLIF model but 3"),
    "nothing in it": ({}, "has no voltage_dynamics_method with a name"),
    "two models": ({"1": made(1), "2": made(2)}, "has 2 models (1, 2): leave one of them in it"),
    "biophysical": (
        {"passive": [{"ra": 100}], "genome": [], "conditions": []}, "is a biophysical model, with dendrites: only GLIF"
    ),
    "another type": (made(1, type="HH"), "is a model of type 'HH': only GLIF models can be read"),
    **{f"no {key}": (made(5, **{key: REMOVED}), f"has no {key}") for key in
       ("El", "El_reference", "C", "R_input", "th_inf", "dt", "spike_cut_length", "asc_amp_array", "asc_tau_array",
        "voltage_reset_method", "threshold_reset_method", "AScurrent_dynamics_method", "voltage_reset_method.params.a",
        "threshold_dynamics_method.params.b_voltage", "AScurrent_reset_method.params.r")},
    "no params": (made(2, **{"voltage_reset_method.params": None}), "has no parameters in voltage_reset_method.params but None"),
    "text for a number": (made(1, C="8e-11"), "has '8e-11' for C, which is a number"),
    "null for a number": (made(1, th_inf=None), "has None for th_inf, which is a number"),
    "true for a number": (made(1, dt=True), "has True for dt, which is a number"),
    "an object for a number": (made(1, El={}), "has {} for El, which is a number"),
    "huge": (json.dumps(made(1)).replace("8e-11", "1e999").encode(), "has a number for C that no cell can have"),
    "huge whole": (made(1, C=10**400), "has a number for C that no cell can have"),
    "no resistance": (made(1, R_input=0), "has R_input = 0, which must be above 0"),
    "a negative factor": (made(1, **{"coeffs.G": -1}), "has coeffs.G = -1, which must be above 0"),
    "factors in a list": (made(1, coeffs=[1]), "has no factors in coeffs but [1]"),
    "a negative cut": (made(1, spike_cut_length=-3), "has spike_cut_length = -3, which must be at least 0"),
    "one current": (made(3, asc_amp_array=[1e-11]), "has no asc_amp_array of two numbers, one for each after-spike current"),
    "text among currents": (made(3, asc_tau_array=[0.1, "fast"]), "has 'fast' for asc_tau_array, which is a number"),
    "voltages not from rest": (made(1, El=-0.07), "has El = -0.07, where the atlas counts voltages from rest, El = 0"),
    "an unknown rule": (
        made(1, voltage_dynamics_method=plain("quadratic_i_of_v")),
        "has the voltage_dynamics_method 'quadratic_i_of_v': known are linear_forward_euler, linear_exact",
    ),
    "a rule that is no text": (made(1, voltage_reset_method=plain(["zero"])), "has the voltage_reset_method ['zero']: known"),
    "rules that contradict": (
        made(3, AScurrent_reset_method=plain("none")),
        "has AScurrent_dynamics_method exp with AScurrent_reset_method none, which do not go together",
    ),
    "a slow membrane": (made(1, C=1e-9), "has tau_m = 220 ms, outside 1..120 ms: pass tau_m= with another value"),
    "no decay": (made(5, **{"threshold_dynamics_method.params.b_voltage": 0}), "has b_v = 0 1/ms, outside 0.001..1 1/ms"),
    "a current without time": (made(3, asc_tau_array=[0.0, 0.1]), "has tau_1 = 0 ms, outside 1..500 ms"),
}  # fmt: skip


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_file_gets_one_sentence(case, write):
    content, told = BROKEN[case]
    path = write(content)
    with pytest.raises(FileError) as caught:
        GLIFNeuron.from_allen(path)
    text = str(caught.value)
    assert text.startswith(f"{path} {told}"), text
    assert text.endswith(".")
    assert text.count("\n") == 0


def test_no_such_file(tmp_path):
    with pytest.raises(FileError, match="cannot be opened: No such file"):
        GLIFNeuron.from_allen(tmp_path / "none.json")
    with pytest.raises(FileError, match="cannot be opened: Is a directory"):
        GLIFNeuron.from_allen(tmp_path)
    with pytest.raises(UsageError, match="from_allen takes the path of a file"):
        GLIFNeuron.from_allen(3)
    with pytest.raises(UsageError, match="missing a required argument: 'file'"):
        GLIFNeuron.from_allen()


WRONG = [None, True, "", "x", [], {}, [1], {"name": 3}, 1e300, -1, 0, 10**400, [None, None], {"name": "exp"}]


def test_any_value_in_any_place_makes_a_neuron_or_one_sentence(write):
    rng = random.Random(0)
    outcomes = {}
    for _ in range(400):
        config = made(rng.choice([1, 2, 3, 4, 5]))
        where, path = config, []
        while isinstance(where, dict) and where and (not path or rng.random() < 0.7):
            path.append(rng.choice(sorted(where)))
            where = where[path[-1]]
        holder = config
        for key in path[:-1]:
            holder = holder[key]
        holder[path[-1]] = copy.deepcopy(rng.choice(WRONG))
        try:
            GLIFNeuron.from_allen(write(config))
            outcomes["a neuron."] = GLIFNeuron
        except SpikefabError as error:
            outcomes[str(error)] = type(error)
    assert {GLIFNeuron, FileError} <= {*outcomes.values()}
    assert all(re.fullmatch(r"[^\n]+\.", text) for text in outcomes)
