"""How much of a recording is taken into memory: a longer one is declined in a sentence, before its samples are read."""

from pathlib import Path

from spikefab.errors import FileError

MEMORY = 4e9  # bytes that the analysis of a recording may take
# Bytes for each sample of the recording, as measured: voltage, current, and the current without the image of spikes.
EACH = 24
# Bytes for each sample of the longest sweep besides: what is computed of one sweep at a time.
OF_LONGEST = 40


def require_memory(path: Path, total: int, longest: int) -> None:
    """Raise FileError if the analysis of a recording would take too much memory.

    total    number of samples of the voltage in all sweeps
    longest  of them, the number in the longest sweep
    """
    need = EACH * total + OF_LONGEST * longest
    if need > MEMORY:
        most = int(MEMORY / (EACH + OF_LONGEST) / 1e6) * 1_000_000
        raise FileError(
            f"{path} is too long: its {total:,} samples would take {need / 1e9:.1f} GB of memory, of which at most"
            f" {MEMORY / 1e9:.0f} GB are used: save it in parts, each a sweep of at most {most:,} samples, or with fewer"
            " samples per second."
        )
