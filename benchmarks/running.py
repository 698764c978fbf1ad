"""What all benchmarks share: their options, the recordings, what a result says of machine, versions and date, and going on
where a run was broken off."""

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
MISSED = 8  # exit code if a benchmark does not meet its requirement

Row = dict[str, Any]


def parser(doc: str | None, *, output: bool = True) -> argparse.ArgumentParser:
    """Options of a benchmark, described by its docstring; the first is OUT.json, if it keeps its result."""
    title, _, rest = (doc or "").partition("\n")
    found = argparse.ArgumentParser(
        description=title, epilog=rest, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    if output:
        found.add_argument("output", type=Path, metavar="OUT.json", help="the result; rows that it has are kept")
    return found


def model_names(text: str) -> list[str]:
    """Names of models, of `LIF,AdEx`: for an option `--models`."""
    from spikefab.hw.models import get_model

    return [get_model(name).__name__ for name in text.split(",")]


def data() -> Path:
    """The folder of the real recordings."""
    if "SPIKEFAB_DATA" not in os.environ:
        sys.exit("This needs the recordings: SPIKEFAB_DATA names their folder.")
    return Path(os.environ["SPIKEFAB_DATA"]).resolve()


def machine() -> dict[str, Any]:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.exists() else []
    name = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())
    return {"cpus": os.cpu_count(), "processor": name}


def versions(*packages: str) -> dict[str, str]:
    """Of Python, of spikefab and of packages."""
    return {"python": platform.python_version()} | {package: version(package) for package in ("spikefab", *packages)}


def head(*packages: str) -> dict[str, Any]:
    """What every result says of when, with what and where it was measured."""
    return {"date": datetime.now(UTC).date().isoformat(), "versions": versions(*packages), "machine": machine()}


def write(path: Path, content: str | Mapping[str, Any]) -> None:
    """Text, or an object as JSON: whole or not at all."""
    text = content if isinstance(content, str) else json.dumps(content, indent=1, allow_nan=False) + "\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)


class Rows:
    """The rows of a result, each in the file as soon as it is measured, so that a run can be broken off and taken up again.

    key       names by which rows are told apart: a new row takes the place of one that has the same
    packages  whose versions the result gives
    summary   what the result says of all of its rows
    order     by what rows are sorted, if not by when they were measured
    about     what else the result says; rows of other `settings` are refused
    """

    def __init__(
        self,
        path: Path,
        key: Sequence[str],
        packages: Sequence[str] = (),
        summary: Callable[[list[Row]], Mapping[str, Any]] | None = None,
        order: Callable[[Row], Any] | None = None,
        **about: Any,
    ):
        self.path, self.key, self.packages = path, key, packages
        self.about = json.loads(json.dumps(about))  # in the form in which it will be read back from JSON
        self.summary, self.order = summary, order
        self.rows: list[Row] = self._read()

    def _read(self) -> list[Row]:
        if not self.path.exists():
            return []
        before = json.loads(self.path.read_text(encoding="utf-8"))
        if before.get("settings", self.about.get("settings")) != self.about.get("settings"):
            sys.exit(
                f"{self.path} has rows of other settings, {before['settings']}: move it away, or name another file."
            )
        return before["rows"]

    def find(self, wanted: Mapping[str, Any]) -> Row | None:
        """The row that holds all of `wanted`, if there is one."""
        return next((row for row in self.rows if wanted.items() <= row.items()), None)

    def keep(self, row: Row) -> Row:
        """Add a row, beside those that other runs have added in the meantime, and write the result."""
        mine = [row.get(name) for name in self.key]
        self.rows = [old for old in self._read() if [old.get(name) for name in self.key] != mine] + [row]
        if self.order is not None:
            self.rows.sort(key=self.order)
        said = {} if self.summary is None else dict(self.summary(self.rows))
        write(self.path, head(*self.packages) | self.about | said | {"rows": self.rows})
        return row
