"""A result that was edited or damaged: refused in a sentence, or exactly what the file says."""

import copy
import json
import random

import numpy as np
import pytest

from spikefab.errors import FileError, UsageError
from spikefab.fit import fit
from spikefab.fit.report.folder import OutputFolder, fitted_neuron
from spikefab.fit.results import FitResults
from spikefab.hw.datapath import datapath

DT = 0.1


@pytest.fixture(scope="module")
def folder(tmp_path_factory, cell):
    """The folder of a fit of two models."""
    voltages, currents = zip(*(cell(x, 300, k) for k, x in enumerate((0.1, 0.19, 0.22, 0.26, 0.31))), strict=True)
    results = fit(voltage=voltages, current=currents, dt=DT, models=["LIF", "Izhikevich"], budget=96, top_k=2)
    place = tmp_path_factory.mktemp("fit") / "cell"
    OutputFolder(place).save_fit(results, {"total": 1.0})
    return place


def leaves(value, path=()):
    """The path of everything in a JSON value."""
    yield path
    if isinstance(value, dict | list):
        for name in value if isinstance(value, dict) else range(len(value)):
            yield from leaves(value[name], (*path, name))


WRONG = [
    None,
    True,
    -1,
    0,
    1,
    7,
    24,
    1.5,
    1e300,
    float("nan"),
    float("inf"),
    10**400,
    "",
    "x",
    "\ud800",
    [],
    [1],
    {},
    {"x": 1},
]


def edited(content, rng):
    """The content with one change; None if it is the same."""
    made = copy.deepcopy(content)
    path = rng.choice([p for p in leaves(content) if p])
    above = made
    for name in path[:-1]:
        above = above[name]
    old = above[path[-1]]
    how = rng.randrange(4)
    if how == 0 and isinstance(above, dict):
        del above[path[-1]]
    elif how == 1 and isinstance(old, int | float) and not isinstance(old, bool):
        above[path[-1]] = rng.choice([old + 1, old - 1, 2 * old, -old, old * (1 + 1e-6), old + 1e-3])
    elif how == 2 and isinstance(above, list):
        above.insert(path[-1], copy.deepcopy(rng.choice(above)))
    else:
        above[path[-1]] = copy.deepcopy(rng.choice(WRONG))
    return None if made == content else (made, path)


def used(place, name):
    """All that reading a result leads to."""
    results = FitResults.load(place / name)
    str(results), repr(results), results._repr_html_(), results.to_dict(), results.outcome, results.tie, results.options
    results.report(place / "again.html")
    results.plot()
    for rank, result in enumerate(results, 1):
        repr(result.parameters()), repr(result), result._repr_html_()
        fitted_neuron(place / name, rank)
    return results


def check_edits(folder, tmp_path, count, seed):
    rng = random.Random(seed)
    content = json.loads((folder / "result.json").read_text())
    refused = done = 0
    while done < count:
        change = edited(content, rng)
        if change is None:
            continue
        done += 1
        made, path = change
        (tmp_path / "result.json").write_bytes(json.dumps(made).encode("utf-8", "surrogatepass"))
        try:
            results = used(tmp_path, "result.json")
        except (FileError, UsageError):  # UsageError: of settings that no fit has
            refused += 1
            continue
        except BaseException as error:
            raise AssertionError(f"{path}: {made}") from error
        for stored, result in zip(made["results"], results, strict=True):
            neuron = result.create_model()
            dp = datapath(type(neuron), stored["word"], stored["dt"], stored["i_span"])
            codes = [*stored["codes"].values()]
            assert [*neuron.codes.values()] == codes and dp.formats == stored["formats"], path
            exact = dp.dequantise(np.array(codes))
            assert all(abs(exact[n] - x) <= 1e-9 * abs(x) + 1e-12 for n, x in stored["params"].items()), path
            assert result.judged.combined_score == stored.get("combined_score", result.combined_score), path
    return refused


def test_edited_results(folder, tmp_path):
    assert 20 <= check_edits(folder, tmp_path, 60, seed=1) < 60


@pytest.mark.long
def test_five_hundred_edited_results(folder, tmp_path, account):
    refused = check_edits(folder, tmp_path, 500, seed=2)
    account("edited results", edited=500, refused=refused, exact=500 - refused)


@pytest.mark.parametrize(
    "name", ["word", "dt", "i_span", "codes", "params", "formats", "initial", "settings", "combined_score"]
)
def test_what_does_not_belong_together_is_refused(folder, tmp_path, name):
    content = json.loads((folder / "result.json").read_text())
    model = content["results"][0]
    if name in ("codes", "params"):
        first = next(iter(model[name]))
        model[name][first] += 1
    elif name == "formats":
        model[name][next(iter(model[name]))] = "Q(3, 15)"
    elif name == "initial":
        model[name][0]["V"] = 1 << 40
    elif name == "settings":
        model[name]["kinetics"] = "squid"
    else:
        model[name] = {"word": 24, "dt": 0.05, "i_span": 64.0, "combined_score": 0.01}[name]
    (tmp_path / "result.json").write_text(json.dumps(content))
    with pytest.raises(
        FileError, match=r"was changed after it was written: the entries of \w+ do not belong together. Fit again."
    ):
        FitResults.load(tmp_path)


def test_a_later_version_is_told(folder, tmp_path):
    content = json.loads((folder / "result.json").read_text())
    (tmp_path / "result.json").write_text(json.dumps(content | {"schema": 99}))
    with pytest.raises(FileError, match="was written by a later version of spikefab"):
        FitResults.load(tmp_path)


def test_damaged_traces(folder, tmp_path):
    (tmp_path / "result.json").write_bytes((folder / "result.json").read_bytes())
    whole = (folder / "traces.npz").read_bytes()
    rng = random.Random(3)
    for _ in range(40):
        data = bytearray(whole)
        how = rng.randrange(3)
        if how == 0:
            del data[rng.randrange(len(data)) :]
        for _ in range(rng.choice([1, 30])):
            if how and data:
                data[rng.randrange(len(data))] = rng.randrange(256)
        (tmp_path / "traces.npz").write_bytes(data)
        try:
            _, current = fitted_neuron(tmp_path)
        except FileError:
            continue
        assert np.array_equal(current, fitted_neuron(folder)[1])


@pytest.mark.parametrize(
    "change", ["value", "cut", *(pytest.param(x, marks=pytest.mark.slow) for x in ("head", "nan", "longer", "large"))]
)
def test_a_damaged_journal_is_not_believed(change, tmp_path, cell):
    voltages, currents = zip(*(cell(x, 300, k) for k, x in enumerate((0.1, 0.26))), strict=True)
    given = {"voltage": voltages, "current": currents, "dt": DT, "models": ["LIF"], "budget": 200, "seed": 1}
    true = fit(**given).to_dict()
    fit(**given, journal=tmp_path)
    (file,) = tmp_path.iterdir()
    whole = file.read_bytes()
    data = bytearray(whole)
    if change == "value":
        data[24:32] = np.array([-5.0]).tobytes()
    elif change == "nan":
        data[24:32] = np.array([np.nan]).tobytes()
    elif change == "head":
        data[:24] = bytes(24)
    elif change == "large":
        data[16:24] = b"\xff" * 8
    elif change == "longer":
        data += bytes(1000)
    else:
        del data[len(data) // 2 :]
    file.write_bytes(data)
    assert fit(**given, journal=tmp_path).to_dict() == true
    assert file.read_bytes()[: len(whole)] == whole
