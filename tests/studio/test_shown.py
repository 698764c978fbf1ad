"""The commands and the Python that the page shows run as they stand, in the project's folder, and do the same."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from spikefab.cli import main
from spikefab.fit.options import FitOptions
from spikefab.fit.results import FitResults

SOURCES = Path(__file__).parents[2] / "studio" / "web" / "src"


@pytest.fixture(scope="module")
def pieced(studio, cell):
    """A recording without a time, whose current is in a file of its own."""
    voltage, current = cell(0.3)
    text = "\n".join(["V_mV", *(f"{v:.4f}" for v in voltage)]).encode()
    made = studio.upload("-my cell.csv", text, dt=0.2).json()
    assert made["name"] == "-my cell.csv" and made["file"] == "my_cell.csv"
    current = "\n".join(["I_nA", *map(str, current)]).encode()
    answer = studio.http.post(f"/api/recordings/{made['id']}/current", params={"name": "i.csv"}, content=current)
    return studio._good(answer)


@pytest.fixture
def here(studio, monkeypatch):
    monkeypatch.chdir(studio.folder)
    return studio.folder


def run(command, *more):
    program, *words = shlex.split(command)
    assert program == "spikefab"
    assert main([*words, *more]) == 0


def python(text, folder, after=""):
    subprocess.run([sys.executable, "-c", f"{text}\n{after}"], cwd=folder, check=True)


def test_of_a_recording(studio, pieced, here, capsys):
    told = studio.get("/api/project")["recordings"]
    assert [r["id"] for r in told] == [pieced["id"]]
    run(told[0]["command"])
    python(told[0]["python"], here, f"assert recording.dt == 0.2 and len(recording.sweeps) == {len(pieced['sweeps'])}")
    features = studio.get(f"/api/recordings/{pieced['id']}/features")
    run(features["command"], "--json")
    count = next(f["value"] for f in features["features"] if f["name"] == "spike_count")
    assert f'"spike_count": {count}' in capsys.readouterr().out
    python(features["python"], here, f"assert features['spike_count'] == {count}")


def test_of_the_bench(studio, pieced, here, tmp_path):
    found = studio.simulate(model="AdEx", recording=pieced["id"], dt=0.1)
    python(found["python"], here, f"import numpy\nnumpy.save({str(tmp_path / 'v.npy')!r}, voltage)")
    assert np.array_equal(np.load(tmp_path / "v.npy").astype("f4"), found["voltage"])


@pytest.mark.slow
@pytest.mark.parametrize("dt", [0.1, 0.2, 0.4])
def test_of_a_fit_and_what_is_made_of_it(studio, pieced, here, tmp_path, dt):
    body = {
        "kind": "fit",
        "recording": pieced["id"],
        "models": ["LIFNeuron"],
        "budget": 200,
        "dt": dt,
        "held_out": "none",
    }
    job = studio.post("/api/jobs", body)["id"]
    studio.events(job)
    described = studio.get(f"/api/jobs/{job}")
    assert described["state"] == "done"
    codes = FitResults.load(here / "jobs" / job / "out").best.codes
    run(described["command"].removesuffix("fit") + shlex.quote(str(tmp_path / "fit")))
    assert FitResults.load(tmp_path / "fit").best.codes == codes
    python(described["python"], here, f"assert results.best.codes == {codes}")
    if dt != 0.1:
        return
    out = here / "jobs" / job / "out"
    for kind, more in (("verify", {"steps": 300}), ("export", {})):
        made = studio.post("/api/jobs", {"kind": kind, "neuron": {"fit": job, "rank": 1}, **more})
        studio.events(made["id"])
        described = studio.get(f"/api/jobs/{made['id']}")
        assert described["state"] == "done"
        if kind == "verify":
            run(described["command"])
            python(described["python"], here, "assert checks and not any(c['mismatches'] for c in checks)")
        else:
            run(described["command"], "--out", str(tmp_path / "rtl"))
            python(described["python"].replace("'.'", repr(str(tmp_path / "py"))), here)
            files = {p.name: p.read_text() for p in (here / "jobs" / made["id"] / "out").iterdir()}
            for folder in ("rtl", "py"):
                assert {p.name: p.read_text() for p in (tmp_path / folder).iterdir()} == files
    assert out.is_dir()


@pytest.mark.slow  # three processes, each with kernels to compile
def test_of_a_fit_with_every_option(studio, pieced, here, tmp_path):
    """result.json, to the byte, from the command and from the Python."""
    body = {
        "kind": "fit", "recording": pieced["id"], "models": ["LIF", "AdEx"], "word": 16, "dt": 0.1, "top_k": 1, "budget": 64,
        "seed": 7, "held_out": "tail", "weights": [1, 2, 0.5], "free": ["V_th", "R_m", "V_T", "g_L"], "fixed": {"E_L": -70},
        "bounds": {"R_m": [90, 150], "V_th": [-55, -45]},
    }  # fmt: skip
    job = studio.post("/api/jobs", body)["id"]
    studio.events(job)
    described = studio.get(f"/api/jobs/{job}")
    assert described["state"] == "done", described
    wanted = (here / "jobs" / job / "out" / "result.json").read_bytes()
    for name in body.keys() - {"kind", "recording", "models"}:
        assert described["settings"][name] == body[name]
    run(described["command"].removesuffix("fit") + shlex.quote(str(tmp_path / "fit")))
    assert (tmp_path / "fit" / "result.json").read_bytes() == wanted
    python(described["python"], here, f"results.save({str(tmp_path / 'python.json')!r})")
    assert (tmp_path / "python.json").read_bytes() == wanted


def test_the_page_begins_with_the_defaults_of_a_fit():
    (setup,) = re.findall(r"\n *setup: (\{.*?\}),", "".join(p.read_text() for p in SOURCES.rglob("*.ts")))
    shown = json.loads(re.sub(r"(\w+):", r'"\1":', setup))
    defaults = FitOptions().to_dict() | {"models": None, "target": None}
    assert shown == {name: defaults[name] for name in shown}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"budget": 10**8}, "budget must be 1 to"),
        ({"budget": "many"}, "budget must be a number"),
        ({"folds": 2, "held_out": "none"}, "either held_out or folds"),
        ({"weights": [1, 1]}, "weights are three numbers"),
        ({"bounds": {"tau_m": 3}}, "bounds takes two numbers"),
        ({"models": 5}, "models are names"),
        ({"dt": 7}, "outside 0.005..1 ms"),
    ],
)
def test_a_fit_that_makes_no_sense_is_refused(studio, pieced, change, says):
    answer = studio.http.post("/api/jobs", json={"kind": "fit", "recording": pieced["id"], **change})
    assert says in studio.refused(answer)


@pytest.mark.slow  # three processes, each with kernels to compile
def test_of_a_neuron_of_the_bench(studio, here):
    found = studio.simulate(model="HH", settings={"kinetics": "traub-miles"}, stimulus={"amplitude": 0.4})
    neuron = {"model": "HodgkinHuxleyNeuron", "settings": {"kinetics": "traub-miles"}, "word": 18, "dt": 0.1}
    neuron |= {"i_span": found["i_span"], "codes": found["codes"]}
    job = studio.post("/api/jobs", {"kind": "export", "neuron": neuron})["id"]
    studio.events(job)
    described = studio.get(f"/api/jobs/{job}")
    assert described["state"] == "done"
    python(described["python"].replace("'.'", "'again'"), here)
    made = {p.name: p.read_text() for p in (here / "jobs" / job / "out").iterdir()}
    assert {p.name: p.read_text() for p in (here / "again").iterdir()} == made
