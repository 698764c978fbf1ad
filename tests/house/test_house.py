"""The house: imports go one way, every package is packed, the public names load, help is light."""

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ORDER = ["hw", "sim", "boards", "fit", "studio"]  # each may use what stands left of it
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def imported(path: Path) -> set[str]:
    """Folders of the project that a file imports, anywhere in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names |= {f"{node.module}.{a.name}" for a in node.names}
        elif isinstance(node, ast.Import):
            names |= {a.name for a in node.names}
    return {n.split(".")[1] for n in names if n.startswith("spikefab.")}


@pytest.mark.parametrize("folder", ORDER)
def test_imports_go_one_way(folder):
    allowed = {*ORDER[: ORDER.index(folder) + 1]}
    for path in (ROOT / folder).rglob("*.py"):
        beyond = {n for n in imported(path) if n in {*ORDER, "studio", "cli"}} - allowed
        assert not beyond, f"{path.relative_to(ROOT)} imports {beyond}"


def test_every_package_is_listed():
    folders = {
        str(p.parent.relative_to(ROOT)).replace("/", ".").removeprefix("src.spikefab.")
        for top in [*ORDER, "src/spikefab/toolchain"]
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
    import spikefab
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
    assert PYPROJECT["project"]["version"] in out.stdout
