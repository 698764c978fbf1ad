"""How much of a recording is taken into memory: a longer one is declined in a sentence, before its samples are read."""

from pathlib import Path
from typing import NoReturn

from spikefab.errors import Advice, FileError, RecordingError

MEMORY = 4e9  # bytes that the analysis of a recording may take
NOTABLE = 1e9  # bytes from which on the user is told
# Bytes for each sample of the recording, as measured: voltage, current, and the current without the image of spikes.
EACH = 24
# Bytes for each sample of the longest sweep besides: what is computed of one sweep at a time.
OF_LONGEST = 40
# Bytes of a fit besides, for each step of the hardware in all sweeps, and more for each model whose voltage is kept: as measured
# on three million steps in one sweep and in many.
OF_FIT, OF_RESULT = 100, 8
OF_TEXT = 10  # bytes for each byte of a text, as measured on a table of a million lines


def memory(total: int, longest: int) -> int:
    """Bytes that the analysis of a recording takes.

    total    number of samples of the voltage in all sweeps
    longest  of them, the number in the longest sweep
    """
    return EACH * total + OF_LONGEST * longest


def require_memory(path: Path, total: int, longest: int, sweeps: int = 1) -> None:
    """Raise FileError if the analysis of a recording would take too much memory, see `memory`.

    sweeps  how many there are to choose from, if the format is read sweep by sweep
    """
    need = memory(total, longest)
    if need > MEMORY:
        most = int(MEMORY / (EACH + OF_LONGEST) / 1e6) * 1_000_000
        if sweeps > 1 and memory(longest, longest) <= MEMORY:
            _decline(path, f"its {total:,} samples in {sweeps:,} sweeps", need, Advice.SOME_SWEEPS)
        _decline(path, f"its {total:,} samples", need, f"save it in parts, each a sweep of at most {most:,} samples,")


def require_memory_for_fit(steps: int, kept: int) -> str | None:
    """Raise RecordingError if a fit would take too much memory. Returns a sentence about it if it is much.

    steps  number of steps of the hardware in all sweeps
    kept   number of models whose voltage is kept
    """
    need = (OF_FIT + OF_RESULT * kept) * steps
    what = f"this fit of {steps:,} steps takes about {need / 1e9:.1f} GB of memory"
    if need > MEMORY:
        raise RecordingError(
            f"{what}, of which at most {MEMORY / 1e9:.0f} GB are used: fit some of its sweeps, or with a longer step of the"
            " hardware."
        )
    return what if need > NOTABLE else None


def require_memory_for_text(path: Path) -> None:
    """Raise FileError if reading a text would take too much memory."""
    size = path.stat().st_size
    if OF_TEXT * size > MEMORY:
        _decline(path, f"its {size / 1e6:,.0f} MB of text", OF_TEXT * size, "save it in parts")


def _decline(path: Path, what: str, need: int, remedy: str | Advice) -> NoReturn:
    raise FileError(
        f"{path} is too long: {what} would take {need / 1e9:.1f} GB of memory, of which at most {MEMORY / 1e9:.0f} GB"
        " are used: ",
        remedy,
        " or save it with fewer samples per second.",
    )
