"""The house: every package is packed, the public names load. (Imports and sizes have files of their own.)"""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import spikefab

ROOT = Path(__file__).parents[2]
FOLDERS = ["hw", "sim", "boards", "fit", "studio"]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_every_package_is_listed():
    folders = {
        str(p.parent.relative_to(ROOT)).replace("/", ".").removeprefix("src.spikefab.")
        for top in [*FOLDERS, "src/spikefab/toolchain"]
        for p in (ROOT / top).rglob("__init__.py")
    }
    listed = {p.removeprefix("spikefab.") for p in PYPROJECT["tool"]["setuptools"]["packages"]} - {"spikefab"}
    assert listed == folders


def test_no_root_folder_is_named_like_the_package():
    assert not (ROOT / "spikefab").exists()


def test_dependencies_carry_their_reason():
    lines = (ROOT / "pyproject.toml").read_text().splitlines()
    wanted = [line for line in lines if line.startswith('    "') and any(c in line for c in "<>=")]
    assert wanted
    for line in wanted:
        assert "#" in line, line


def test_public_names():
    from spikefab import AdExNeuron, extract_features, fit  # noqa: F401
    from spikefab.fit import fit as function

    assert callable(fit)
    assert callable(function)
    for name in spikefab.__all__:
        assert getattr(spikefab, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        spikefab.nothing  # noqa: B018


def test_version_from_the_root_of_the_checkout():
    out = subprocess.run(
        [sys.executable, "-m", "spikefab", "--version"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert out.stdout == f"spikefab {spikefab.__version__}\n"
