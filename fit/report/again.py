"""The commands with which a fit can be repeated, on the command line and in Python, for reports and the Studio."""

import shlex
from collections.abc import Mapping
from typing import Any

from spikefab.fit.flags import fit_words, reading_words, sayable
from spikefab.fit.options import FitOptions


def read_command(command: str, file: str, reading: Mapping[str, Any]) -> list[str]:
    """The words of a command that reads a recording, such as "info". A file name with a dash gets "./" in front."""
    return ["spikefab", command, f"./{file}" if file.startswith("-") else file, *reading_words(reading)]


def fit_command(file: str, reading: Mapping[str, Any], options: FitOptions, out: str = "fit") -> str | None:
    """The command line that reads and fits a file in the same way; None if it cannot express the choice of sweeps."""
    if not sayable(reading):
        return None
    return shlex.join([*read_command("fit", file, reading), *fit_words(options), "--out", out])


def read_python(file: str, reading: Mapping[str, Any]) -> str:
    """The Python call that reads the recording in the same way."""
    return f"read({', '.join([repr(file), *(f'{name}={value!r}' for name, value in reading.items())])})"


def fit_python(file: str | None, reading: Mapping[str, Any] | None, options: FitOptions) -> str:
    """Python code that repeats the fit.

    It reads the file if there is one; otherwise it fits the variables `voltage` and `current` (with dt from `reading`), or
    the variable `recording`.
    """
    lines = ["from spikefab import fit", ""]
    what = "recording"
    if file is not None and reading is not None:
        lines = ["from spikefab import fit, read", "", f"recording = {read_python(file, reading)}"]
    elif reading is not None:
        what = ", ".join(
            ["voltage=voltage, current=current", *(f"{name}={value!r}" for name, value in reading.items())]
        )
    asked = "".join(f"    {argument},\n" for argument in options.to_python())
    return "\n".join([*lines, f"results = fit({what},\n{asked})"])
