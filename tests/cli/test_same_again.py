""" "The same again" of a report, run as printed, gives result.json again, to the byte."""

import html
import re
import shlex

import numpy as np
import pytest

EVERY = (
    "--models", "LIF,AdEx", "--word", "16", "--dt", "0.1", "--step", "0.2", "--top", "1", "--budget", "64", "--seed", "7",
    "--held-out", "amplitudes", "--weights", "1,2,0.5", "--free", "V_th,R_m,V_T,g_L", "--fix", "E_L=-70",
    "--bounds", "R_m=90:150", "--bounds", "V_th=-55:-45", "--sweeps", "0-2,4",
)  # fmt: skip


def printed(folder):
    """The command and the Python of the report in a folder."""
    text = (folder / "report.html").read_text()
    return [html.unescape(x) for x in re.findall(r"<pre>(.*?)</pre>", text, re.DOTALL)]


def timeless(path, name, columns):
    path.parent.mkdir(exist_ok=True)
    np.savetxt(path, np.column_stack(columns), "%.6g", ",", header=",".join([name] * len(columns)), comments="")
    return path


@pytest.mark.slow
def test_of_a_fit_with_every_option(spikefab, tmp_path, cell, monkeypatch):
    voltages, currents = zip(*(cell(i, 150.0, k) for k, i in enumerate((0.1, 0.25, 0.3, 0.33, 0.36))), strict=True)
    file = timeless(tmp_path / "cells" / "my cell.csv", "V_mV", voltages)
    current = timeless(tmp_path / "its current" / "i.csv", "I_nA", currents)
    ran = spikefab("fit", file, "--current", current, *EVERY, "--journal", tmp_path / "j", "--out", tmp_path / "first")
    assert ran.code == 0, ran.err
    wanted = (tmp_path / "first" / "result.json").read_bytes()
    command, python = printed(tmp_path / "first")
    monkeypatch.chdir(file.parent)
    program, *words = shlex.split(command)
    assert program == "spikefab" and "--journal" not in words
    again = spikefab(*words)
    assert again.code == 0, again.err
    assert (file.parent / "fit" / "result.json").read_bytes() == wanted
    assert printed(file.parent / "fit") == [command, python]
    there = {}
    exec(python, there)
    assert there["results"].save(tmp_path / "python.json").read_bytes() == wanted


@pytest.mark.slow  # a fit with folds, twice
def test_of_folds_and_parameters_freed_in_one_model(spikefab, recording, tmp_path, monkeypatch):
    words = ("--models", "LIF,Lapicque", "--budget", "64", "--folds", "2", "--free", "LIF.V_peak")
    assert spikefab("fit", recording, *words, "--out", tmp_path / "first").code == 0
    (command, _) = printed(tmp_path / "first")
    assert "--held-out" not in command
    monkeypatch.chdir(recording.parent)
    words = shlex.split(command)[1:-1]
    assert spikefab(*words, tmp_path / "again").code == 0
    assert (tmp_path / "again" / "result.json").read_bytes() == (tmp_path / "first" / "result.json").read_bytes()
