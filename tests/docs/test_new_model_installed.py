"""docs/new-model.md as its reader follows it: spikefab from its wheel, a file of one's own, then a package of one's own."""

import json
import re
import shlex
import shutil
import site
import subprocess
import sys
import venv
from pathlib import Path

import numpy as np
import pytest

from spikefab import LIFNeuron
from spikefab.hw.models import MODELS

pytestmark = pytest.mark.slow  # a wheel is built and installed, and fits with new kernels

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "new-model.md").read_text()
NAME = "AdaptiveLIFNeuron"
SOURCE = f"adaptive_lif.py:{NAME}"


def block(kind: str, k: int = 0) -> str:
    return re.findall(rf"^```{kind}\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)[k]


def command(beginning: str) -> list[str]:
    """The page's own line that begins so, without its remark, as arguments."""
    (line,) = {line for line in PAGE.splitlines() if line.startswith(beginning)}
    return shlex.split(line, comments=True)


class Installed:
    """An environment that has spikefab's wheel, and the libraries of the one that runs the tests."""

    def __init__(self, root: Path, work: Path):
        pytest.importorskip(
            "setuptools", minversion="77", reason="building the wheel needs setuptools 77: pip install -e .[dev]"
        )
        venv.create(root / "venv", with_pip=False)
        self.work, self.python = work, root / "venv" / "bin" / "python"
        (self.packages,) = (root / "venv" / "lib").glob("python*/site-packages")
        source = root / "source"
        for name in ("src", "hw", "sim", "fit", "boards", "studio"):
            shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("web", "__pycache__"))
        for name in ("pyproject.toml", "README.md", "LICENSE"):
            shutil.copy(ROOT / name, source)
        self.install(source)
        # plain lines: .pth files in there, such as the one of an editable spikefab, do not count
        (self.packages / "libraries.pth").write_text("\n".join(site.getsitepackages()))

    def install(self, source: Path) -> None:
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
        subprocess.run([*pip, "--target", str(self.packages), str(source)], check=True, cwd=source)

    def run(self, *words: str) -> str:
        """What a command of spikefab prints, or with `-c` a program; it ends well."""
        start = ["-I", *words] if words[0] == "-c" else ["-I", "-m", *words]
        done = subprocess.run([self.python, *start], cwd=self.work, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    work = tmp_path_factory.mktemp("work")
    (work / "adaptive_lif.py").write_text(block("python"))
    current = np.zeros(4000)
    current[500:3500] = 0.45
    voltage = LIFNeuron().run(current)
    rows = np.column_stack([np.arange(4000) * 0.1, voltage, current])
    np.savetxt(work / "cell.csv", rows, delimiter=",", header="time (ms),voltage (mV),current (nA)", comments="")
    return Installed(tmp_path_factory.mktemp("installed"), work)


@pytest.fixture(scope="module")
def fitted(installed):
    words = [w.replace("cell.abf", "cell.csv") for w in command("spikefab fit cell.abf --models")]
    installed.run(*(w.replace(",AdEx", "") for w in words), "--budget", "128", "--json")
    return json.loads((installed.work / "fitted" / "result.json").read_text())


def test_it_is_the_wheel_and_knows_nothing_of_the_model(installed):
    found = installed.run("-c", "import spikefab.hw.models as m; print(m.__file__, *m.every_model())")
    assert found.startswith(str(installed.packages))
    assert NAME not in found
    assert len(found.split()) == 1 + len(MODELS)


def test_models_and_drawing(installed):
    words = command("spikefab models adaptive_lif.py")
    (found,) = json.loads(installed.run(*words, "--json"))["models"]
    assert found["name"] == NAME
    assert (installed.work / "adaptive.svg").read_text().startswith("<svg")


def test_fit_beside_others(installed, fitted):
    names = {r["model_name"]: r for r in fitted["results"]}
    assert set(names) == {NAME, "LIFNeuron"}
    assert names[NAME]["model_source"] == f"{(installed.work / 'adaptive_lif.py').resolve()}:{NAME}"
    assert "model_source" not in names["LIFNeuron"]


def place(fitted) -> int:
    return [r["model_name"] for r in fitted["results"]].index(NAME) + 1


LOAD = "from spikefab.fit.results import FitResults; r = FitResults.load('fitted'{more}); "
RUN = "print(len(next(x for x in r if x.model_name == 'AdaptiveLIFNeuron').create_model().run([0.1] * 50)))"


def test_a_result_is_told_where_its_class_is(installed, fitted):
    source = f"adaptive_lif.py:{NAME}"
    assert installed.run("-c", LOAD.format(more=f", models=[{source!r}]") + RUN).strip() == "50"
    words = ["export", "fitted", "--rank", str(place(fitted)), "--to", "verilog", "--out", "v"]
    command = [installed.python, "-I", "-m", "spikefab", *words]
    done = subprocess.run(command, cwd=installed.work, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "no file is run because a result names it: give its file and class with --models SOURCE." in done.stderr
    installed.run("spikefab", *words, "--models", source)
    assert (installed.work / "v" / f"{NAME}.v").is_file()


def test_a_package_of_its_own_gives_it_a_name(installed, fitted, tmp_path):
    """Comes last: from here on the environment has the package."""
    (tmp_path / "pyproject.toml").write_text(block("toml"))
    shutil.copy(installed.work / "adaptive_lif.py", tmp_path)
    installed.install(tmp_path)
    (found,) = json.loads(installed.run(*command("spikefab models AdaptiveLIF"), "--json"))["models"]
    assert found["name"] == NAME
    every = [m["name"] for m in json.loads(installed.run("spikefab", "models", "--json"))["models"]]
    assert every[-1] == NAME
    assert len(every) == 1 + len(MODELS)
    assert installed.run("-c", f"from spikefab import {NAME} as M; print(M.__module__)").strip() == "adaptive_lif"
