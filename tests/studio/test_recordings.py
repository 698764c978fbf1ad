"""Recordings over the wire: what the readers understood, to the sample, and what is refused."""

import os
import struct
from pathlib import Path

import numpy as np
import pytest

from spikefab import read
from spikefab.fit.recordings.spikes import find_spikes
from spikefab.studio import recordings
from spikefab.studio.project import Project

DATA = os.environ.get("SPIKEFAB_DATA")


def trace(studio, key, **query):
    content = studio._good(studio.http.get(f"/api/recordings/{key}/trace", params=query), parse=False)
    count, bucket, t0, step, has_current, has_recorded = struct.unpack("<IIddII", content[:32])
    arrays = np.frombuffer(content, "<f4", offset=32).reshape(1 + has_current + has_recorded, count)
    return bucket, t0, step, arrays


def test_what_is_told_is_what_was_read(studio, imported, recording):
    there = read(recording)
    assert imported["dt"] == there.dt and imported["units"] == there.units
    assert [s["samples"] for s in imported["sweeps"]] == [len(s.voltage) for s in there.sweeps]
    assert [s["window"] for s in imported["sweeps"]] == [list(s.window) for s in there.sweeps]
    assert imported["cannot_be_fitted"] is None and imported["warnings"] == list(there.warnings())
    assert (
        imported["name"] == "cell.csv" and imported["command"] == f"spikefab info recordings/{imported['id']}/cell.csv"
    )
    for k, sweep in enumerate(there.sweeps):
        bucket, t0, step, (v, i) = trace(studio, imported["id"], sweep=k)
        assert (bucket, t0, step) == (1, 0, there.dt)
        assert np.array_equal(v, sweep.voltage.astype("f4")) and np.array_equal(i, sweep.current.astype("f4"))
        times = studio.get(f"/api/recordings/{imported['id']}/spikes", sweep=k)["times"]
        assert times == find_spikes(sweep.voltage, there.dt).time.tolist()


def test_a_part_of_a_trace(studio, imported):
    whole = trace(studio, imported["id"], sweep=2)[3]
    for start, stop in ((0, 10), (100, 250.05), (499.9, 1e6), (-5, 3), (450, 100)):
        _, t0, step, part = trace(studio, imported["id"], sweep=2, **{"from": start, "to": stop})
        first = round(t0 / step)
        assert t0 <= max(start, 0) < t0 + 2 * step or stop < start
        assert np.array_equal(part, whole[:, first : first + part.shape[1]])
        assert t0 + step * part.shape[1] >= min(stop, whole.shape[1] * step)


@pytest.mark.parametrize("n", [1_000_001, 1_234_567])
def test_long_traces_keep_every_extreme(n):
    rng = np.random.default_rng(n)
    v = rng.normal(-60, 1, n)
    v[rng.integers(0, n, 50)] = 40  # a spike of one sample
    count, bucket, _, step, has_current, _ = struct.unpack(
        "<IIddII", recordings.wire(v, None, None, t0=0.0, dt=0.05)[:32]
    )
    assert bucket == -(-2 * n // recordings.POINTS) and not has_current
    sent = np.frombuffer(recordings.wire(v, None, None, t0=0.0, dt=0.05)[32:], "<f4")
    assert len(sent) == count == 2 * -(-n // bucket) <= recordings.POINTS + 2
    assert step == pytest.approx(0.05 * bucket / 2)
    for k in range(0, n, bucket):
        part = v[k : k + bucket].astype("f4")
        assert sorted(sent[2 * (k // bucket) : 2 * (k // bucket) + 2]) == [part.min(), part.max()]
    at = v[:bucket].argmin(), v[:bucket].argmax()
    assert (sent[0] < sent[1]) == (at[0] < at[1])


def test_a_time_step_is_asked_for_and_taken(studio):
    content = "\n".join(["V_mV,I_nA", *("-70.0,0.1",) * 300]).encode()
    assert "give the time between two samples" in studio.refused(studio.upload("bare.csv", content))
    made = studio.upload("bare.csv", content, dt=0.25)
    assert made.status_code == 201
    made_as = f"recordings/{made.json()['id']}/bare.csv"
    assert made.json()["dt"] == 0.25 and made.json()["command"] == f"spikefab info {made_as} --dt 0.25"
    assert "number" in studio.refused(studio.upload("bare.csv", content, dt="x"))
    assert "dt must be" in studio.refused(studio.upload("bare.csv", content, dt=-1))
    studio.http.delete(f"/api/recordings/{made.json()['id']}")


def test_a_voltage_alone_can_be_seen_and_gets_its_current(studio, cell):
    voltage, current = cell(0.3)
    times = np.arange(len(voltage)) * 0.1
    text = "\n".join(["t_ms,V_mV", *(f"{t:.1f},{v:.4f}" for t, v in zip(times, voltage, strict=True))])
    made = studio.upload("only.csv", text.encode()).json()
    assert made["cannot_be_fitted"] and "--" not in made["cannot_be_fitted"]
    assert made["sweeps"][0]["current"] is None and made["sweeps"][0]["spikes"] > 3
    assert trace(studio, made["id"], sweep=0)[3].shape == (1, len(voltage))
    assert studio.get(f"/api/recordings/{made['id']}/features")["features"]
    body = {"kind": "fit", "recording": made["id"]}
    assert studio.refused(studio.http.post("/api/jobs", json=body)) == made["cannot_be_fitted"]
    assert "without its current" in studio.refused(
        studio.http.post("/api/simulate", json={"model": "LIF", "recording": made["id"]})
    )
    where = f"/api/recordings/{made['id']}/current"
    short = "\n".join(["I_nA", *map(str, current[:-5])]).encode()
    assert "samples" in studio.refused(studio.http.post(where, params={"name": "i.csv"}, content=short))
    whole = "\n".join(["t_ms,I_nA", *(f"{t:.1f},{x}" for t, x in zip(times, current, strict=True))]).encode()
    answer = studio.http.post(where, params={"name": "../i.csv"}, content=whole)
    assert answer.status_code == 200, answer.text
    joined = answer.json()
    assert joined["id"] == made["id"] and joined["cannot_be_fitted"] is None
    assert str(studio.folder) not in answer.text
    folder = f"recordings/{made['id']}"
    assert joined["command"] == f"spikefab info {folder}/only.csv --current {folder}/current/i.csv"
    assert np.array_equal(trace(studio, made["id"], sweep=0)[3][1], current.astype("f4"))
    assert studio.simulate(model="LIF", recording=made["id"])["score"] is not None
    studio.http.delete(f"/api/recordings/{made['id']}")


def test_features_within_a_window(studio, imported):
    where = f"/api/recordings/{imported['id']}/window"

    def latency(window):
        answer = studio.http.put(where, json={"sweep": 3, "window": window})
        return {f["name"]: f["value"] for f in studio._good(answer)["features"]}["latency"]

    start, stop = imported["sweeps"][3]["window"]
    assert latency([start - 20, stop]) == pytest.approx(latency([start, stop]) + 20)
    for bad in ([300, 100], [0, 1e9], [0], "x", [0, None]):
        studio.refused(studio.http.put(where, json={"sweep": 3, "window": bad}))
    studio.refused(studio.http.put(where, json={"sweep": 99, "window": [0, 1]}))


def test_features_and_recommendation(studio, imported, recording):
    from spikefab.fit.features.extract import recording_features
    from spikefab.fit.features.recommend import recommend

    found = studio.get(f"/api/recordings/{imported['id']}/features")
    wanted = recording_features(read(recording))
    for f in found["features"]:
        x = wanted[f["name"]]
        assert f["value"] == pytest.approx(x) if np.isfinite(x) else f["value"] is None
    assert [(r["model"], r["reason"]) for r in found["recommended"]] == recommend(wanted)
    assert found["command"] == f"spikefab features recordings/{imported['id']}/cell.csv"


def test_a_project_is_opened_again(tmp_path, recording):
    from spikefab.studio.server import Server

    from .conftest import Page

    with Server(tmp_path / "p") as server:
        first = Page(server)
        key = first.upload("cell.csv", recording.read_bytes()).json()["id"]
        assert first.http.put("/api/session", json={"tab": "models", "x": [1]}).status_code == 204
        before, drawn = first.get("/api/project"), trace(first, key, sweep=1)[3]
    with Server(tmp_path / "p") as server:
        again = Page(server)
        assert again.get("/api/project") == before
        assert before["session"] == {"tab": "models", "x": [1]} and before["name"] == "p"
        assert np.array_equal(trace(again, key, sweep=1)[3], drawn)


def test_whose_folder_it_is(tmp_path):
    from spikefab.errors import FileError, UsageError

    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("x")
    with pytest.raises(UsageError, match="no project"):
        Project(tmp_path / "mine")
    assert [p.name for p in (tmp_path / "mine").iterdir()] == ["thesis.tex"]
    with pytest.raises(FileError, match="cannot be a project"):
        Project(tmp_path / "mine" / "thesis.tex")
    one = Project(tmp_path / "p")
    with pytest.raises(UsageError, match="open in another Studio"):
        Project(tmp_path / "p")
    one.close()
    Project(tmp_path / "p").close()


def test_broken_files_of_a_project_are_passed_over(tmp_path, recording):
    project = Project(tmp_path / "p")
    for name, content in (("r00000001", "{"), ("r00000002", "[]")):
        (project.folder / "recordings" / name).mkdir()
        (project.folder / "recordings" / name / "recording.json").write_text(content)
    (project.folder / "session.json").write_text("torn{")
    assert project.recordings() == [] and project.session == {}
    project.close()


def test_a_recording_is_read_again(studio):
    """With other channels and units; what is not given any more is forgotten, and a current from a file is kept."""
    time = np.arange(3000) * 0.1
    voltages = [-65 + 5 * np.sin(time / 30), -75 + 5 * np.sin(time / 20)]
    text = "\n".join(
        ["t_ms,V1_mV,V2_mV", *(",".join(f"{x:.4f}" for x in row) for row in zip(time, *voltages, strict=True))]
    )
    made = studio.upload("two.csv", text.encode()).json()
    assert {"voltage_channel", "current_channel", "units"} <= {*made["reading_options"]} and made["options"] == {}
    where = f"/api/recordings/{made['id']}"
    current = "\n".join(["I_pA", *(str(x) for x in np.where(time > 100, 50, 0))])
    studio._good(studio.http.post(f"{where}/current", params={"name": "i.csv"}, content=current.encode()))
    chosen = studio._good(studio.http.post(f"{where}/reading", params={"voltage_channel": "V2_mV", "units": "mV,nA"}))
    assert chosen["id"] == made["id"] and len(chosen["sweeps"]) == 1
    assert chosen["options"] == {"current": "i.csv", "voltage_channel": "V2_mV", "units": "mV,nA"}
    assert chosen["command"].endswith(
        "--current recordings/" + made["id"] + "/current/i.csv --voltage-channel V2_mV --units mV,nA"
    )
    np.testing.assert_allclose(
        trace(studio, made["id"], sweep=0)[3], [voltages[1], np.where(time > 100, 50, 0)], atol=1e-3
    )
    assert "V9" in studio.refused(studio.http.post(f"{where}/reading", params={"voltage_channel": "V9"}))
    assert studio.get(where.removesuffix(made["id"]) + made["id"] + "/features")
    plain = studio._good(studio.http.post(f"{where}/reading"))
    assert plain["options"] == {"current": "i.csv"} and len(plain["sweeps"]) == 2


@pytest.mark.skipif(not DATA, reason="SPIKEFAB_DATA is not set: the folder of real recordings")
def test_the_current_from_a_channel(studio):
    """Of an ABF that recorded it beside the voltage."""
    path = Path(str(DATA)) / "pyABF" / "opto_aps_good_units.abf"
    made = studio.upload(path.name, path.read_bytes()).json()
    assert "a channel of this one" in made["cannot_be_fitted"]
    where = f"/api/recordings/{made['id']}/current"
    assert "its channels are 0 to 0" in studio.refused(studio.http.post(where, params={"current_channel": 3}))
    path = Path(str(DATA)) / "NWBShowcase" / "PYR2.abf"
    made = studio.upload(path.name, path.read_bytes()).json()
    with_ = studio._good(studio.http.post(f"/api/recordings/{made['id']}/current", params={"current_channel": 0}))
    assert with_["id"] == made["id"] and with_["command"].endswith("PYR2.abf --current-channel 0")
    there = read(path, current_channel=0)
    _, used, recorded = trace(studio, made["id"], sweep=6)[3]  # it holds an image of the spikes
    assert np.array_equal(used, there.sweeps[6].current.astype("f4"))
    assert np.array_equal(recorded, there.sweeps[6].recorded.astype("f4"))


def test_spikes_are_counted_again(studio):
    """With another least height; the current from a file of its own stays."""
    dt, n = 0.1, 3000
    t = np.arange(n) * dt
    v = -60 + sum(13 * np.exp(-0.5 * ((t - time) / 0.5) ** 2) for time in (80.0, 150.0, 220.0))
    lines = "t_ms,V_mV\n" + "".join(f"{a:.1f},{b:.4f}\n" for a, b in zip(t, v, strict=True))
    made = studio.upload("small.csv", lines.encode()).json()
    assert made["sweeps"][0]["spikes"] == 0 and made["spike_prominence"] == 20
    current = "I_nA\n" + "".join(f"{0.1 * (500 < k < 2500):.1f}\n" for k in range(n))
    where = f"/api/recordings/{made['id']}"
    with_ = studio._good(studio.http.post(f"{where}/current", params={"name": "i.csv"}, content=current.encode()))
    again = studio._good(studio.http.post(f"{where}/reading", params={"spike_prominence": 8}))
    assert again["id"] == made["id"] and again["sweeps"][0]["spikes"] == 3 and again["spike_prominence"] == 8
    assert again["sweeps"][0]["current"] == with_["sweeps"][0]["current"] == [0, 0.1]
    assert again["command"].endswith("--spike-prominence 8.0") and "spike_prominence=8.0" in again["python"]
    assert len(studio.get(f"{where}/spikes", sweep=0)["times"]) == 3
    features = {f["name"]: f["value"] for f in studio.get(f"{where}/features")["features"]}
    assert features["spike_count"] == 3
    assert "must be 0.1 to 200" in studio.refused(studio.http.post(f"{where}/reading", params={"spike_prominence": 0}))
