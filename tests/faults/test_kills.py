"""Commands killed at random moments and at each renaming: nothing lost, nothing half-written, nothing left running."""

import os
import shutil
from collections import Counter
from pathlib import Path

import pytest

from .kills import Case, Undisturbed, trial
from .studio_kills import UndisturbedStudio, studio_trial

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="processes are read from /proc"),
]


@pytest.fixture(scope="module")
def inputs(recording, tmp_path_factory, cell, csv):
    """Two recordings, one of them as `cell.csv` for a fit; and both in a folder."""
    place = tmp_path_factory.mktemp("inputs")
    shutil.copy(recording, place / "cell.csv")
    (place / "other.csv").write_text(csv([cell(a, seed=9) for a in (0.24, 0.3, 0.4)]))
    (place / "cells").mkdir()
    for name in ("cell.csv", "other.csv"):
        shutil.copy(place / name, place / "cells")
    return place


FIT = ["fit", "cell.csv", "--models", "lif", "--budget", "300", "--out", "out", "--journal", "journal"]
EARLIER = ["fit", "other.csv", "--models", "lif", "--budget", "100", "--out", "out"]
MANY = ["fit-many", "cells", "--models", "lif", "--budget", "64", "--jobs", "2", "--out", "out"]
EXPORT = ["export", "lif", "--to", "verilog", "--out", "out"]
COMMANDS = {
    "fit": (FIT, EARLIER, ("result.json", "traces.npz")),
    "fit-many": (MANY, [], ("cells/*",)),
    "verify": (["verify", "lif", "--steps", "200"], [], ()),
    "build": (["build", "lif", "--board", "icebreaker", "--out", "out"], [], ("*.bin",)),
    "export": (EXPORT, ["export", "lif", "--word", "24", "--to", "verilog", "--out", "out"], ("*.v",)),
}
TRIALS = {"fit": 80, "fit-many": 50, "verify": 40, "build": 40, "export": 40}  # with the Studio's, 300
STUDIO_TRIALS = 50
IN_CI = {"fit": 4, "export": 4}


@pytest.fixture(scope="module")
def normal(inputs, tmp_path_factory):
    """normal(name): the undisturbed run of a command."""
    made = {}

    def of(name):
        if name not in made:
            words, earlier, exact = COMMANDS[name]
            case = Case(name, words, lambda folder: shutil.copytree(inputs, folder, dirs_exist_ok=True), earlier, exact)
            made[name] = Undisturbed(case, tmp_path_factory.mktemp(name), dict(os.environ))
        return made[name]

    return of


@pytest.fixture(scope="module")
def studio(inputs, tmp_path_factory):
    return UndisturbedStudio(inputs / "cell.csv", tmp_path_factory.mktemp("studio"), dict(os.environ))


def counted(trials):
    """How many kills of each kind, and with which ends."""
    at_renaming = sum("renaming" in t["at"] for t in trials)
    ends = Counter(f"{t['signal']}, exit code {t['code']}" for t in trials)
    return {"kills": len(trials), "at renamings": at_renaming, "ends": dict(sorted(ends.items()))}


@pytest.mark.parametrize(("name", "seed"), [(name, seed) for name, count in IN_CI.items() for seed in range(count)])
def test_kills(normal, name, seed):
    trial(normal(name), seed)


@pytest.mark.long
@pytest.mark.parametrize("name", COMMANDS)
def test_many_kills(normal, name, account):
    account(f"kills of {name}", **counted([trial(normal(name), seed) for seed in range(1000, 1000 + TRIALS[name])]))


@pytest.mark.parametrize("seed", range(2))
def test_kills_of_the_studio(studio, seed):
    studio_trial(studio, seed)


@pytest.mark.long
def test_many_kills_of_the_studio(studio, account):
    trials = [studio_trial(studio, seed) for seed in range(1000, 1000 + STUDIO_TRIALS)]
    account("kills of studio", **counted(trials))
