"""The commands that do a fit again: on the command line and in Python. They print in reports and in the Studio."""

import shlex
from collections.abc import Mapping
from typing import Any

from spikefab.fit.flags import fit_words, reading_words, sayable
from spikefab.fit.options import FitOptions


def read_command(command: str, file: str, reading: Mapping[str, Any]) -> list[str]:
    """Words of a command that reads a recording, such as "info". A name that begins with a dash is no option."""
    return ["spikefab", command, f"./{file}" if file.startswith("-") else file, *reading_words(reading)]


def fit_command(file: str, reading: Mapping[str, Any], options: FitOptions, out: str = "fit") -> str | None:
    """The command line that fits a file, read in the same way; None where it has no words for the sweeps."""
    if not sayable(reading):
        return None
    return shlex.join([*read_command("fit", file, reading), *fit_words(options), "--out", out])


def read_python(file: str, reading: Mapping[str, Any]) -> str:
    """The call that reads the recording."""
    return f"read({', '.join([repr(file), *(f'{name}={value!r}' for name, value in reading.items())])})"


def fit_python(file: str | None, reading: Mapping[str, Any] | None, options: FitOptions) -> str:
    """Python that does the fit: of a file; without one, of `voltage` and `current` (dt in `reading`), or of `recording`."""
    lines = ["from spikefab import fit", ""]
    what = "recording"
    if file is not None and reading is not None:
        lines = ["from spikefab import fit, read", "", f"recording = {read_python(file, reading)}"]
    elif reading is not None:
        what = f"voltage=voltage, current=current, dt={reading['dt']!r}"
    asked = "".join(f"    {argument},\n" for argument in options.to_python())
    return "\n".join([*lines, f"results = fit({what},\n{asked})"])
