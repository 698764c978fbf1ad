"""Reads the stimulus file that an output (DAC) of an ABF file played: an ABF or ATF file that the header names.

The header has the path on the computer of the rig. The file is sought beside the recording, whatever folder its path names;
never in the folder from which spikefab runs, where another file of this name may be. The scale, the offset, the sweep and
the channel that the header gives are honoured.
"""

import contextlib
from pathlib import Path, PureWindowsPath

import numpy as np

from spikefab.errors import FileError

from .abf_file import Floats, Output, labels_of, open_abf, samples_of, step_of
from .channels import AMPS, VOLTS, plain


class NotKnownError(Exception):
    """The command of an output is not known. The text is the reason, a clause such as "its command is flat"."""


def file_name(output: Output) -> str:
    """The name of the stimulus file, without its folder on the computer of the rig."""
    return PureWindowsPath(output.file.strip("\0 ")).name or "without a name"


def played(path: Path, output: Output, lengths: list[int], step: float) -> list[Floats]:
    """What the output played from its stimulus file, (T,) for each sweep, in the unit of the output.

    path     of the recording
    lengths  number of samples of each of its sweeps
    step     its sample step, ms

    Raises NotKnownError if the file is not there or does not fit.
    """
    name = file_name(output)
    kept = f"the stimulus file {name} that it names"
    found = _beside(path, output, name)
    if found is None:
        raise NotKnownError(f"{kept} is not beside it")
    try:
        values, unit, its_step = _atf(found, output) if found.suffix.lower() == ".atf" else _abf(found, output)
    except (FileError, ValueError, OSError):
        raise NotKnownError(f"{kept} cannot be read") from None
    if unit != output.unit and unit in VOLTS | AMPS and (unit in AMPS) == (output.unit in AMPS):
        raise NotKnownError(f"{kept} is in {unit} but was played in {output.unit}")
    if output.episode > 0:
        values = values[output.episode - 1 : output.episode]
    if len(values) == 1:
        values = values * len(lengths)
    if output.episode < 0 or len(values) < len(lengths):
        raise NotKnownError(f"{kept} has other sweeps than it")
    if not np.isclose(its_step, step, rtol=1e-3):
        raise NotKnownError(f"{kept} has a time step of {its_step:g} ms, not of {step:g} ms")
    if any(len(x) < n for x, n in zip(values, lengths, strict=False)):
        raise NotKnownError(f"{kept} does not fit: it is shorter than a sweep")
    return [output.offset + output.scale * x[:n] for x, n in zip(values, lengths, strict=False)]


def _beside(path: Path, output: Output, name: str) -> Path | None:
    """The stimulus file: beside the recording, in upper or lower case, or else where the header says, on this computer."""
    folder, stored = path.absolute().parent, Path(output.file.strip("\0 "))
    with contextlib.suppress(OSError):  # of a folder that may not be listed, or a path that no file can have here
        there = [p for p in folder.iterdir() if p.name.lower() == name.lower() and p.is_file()]
        if there:
            return min(there, key=lambda p: p.name != name)
        if stored.is_absolute() and stored.is_file():
            return stored
    return folder / name if (folder / name).is_file() else None


def _abf(path: Path, output: Output) -> tuple[list[Floats], str, float]:
    """The numbers (T,) of each sweep of the channel that the output played, their unit, and their sample step in ms."""
    abf = open_abf(path)
    if abf.abfVersion["major"] == 1:
        inputs = list(abf._headerV1.nADCSamplingSeq[: abf.channelCount])
    else:
        inputs = list(abf._adcSection.nADCNum[: abf.channelCount])
    channel = _channel(inputs, output)
    return samples_of(abf, channel), labels_of(abf)[1][channel], step_of(abf)


def _atf(path: Path, output: Output) -> tuple[list[Floats], str, float]:
    """The same of an Axon text file: lines of header, a line of titles, then the time and a column for each signal."""
    with path.open(encoding="latin-1") as stream:
        signature = stream.readline().split()
        if signature[:1] != ["ATF"]:
            raise ValueError
        optional, columns = (int(x) for x in stream.readline().split()[:2])
        header = [stream.readline() for _ in range(optional)]
        titles = [title.strip().strip('"') for title in stream.readline().rstrip("\n").split("\t")]
        table = np.loadtxt(stream, delimiter="\t", ndmin=2, usecols=range(columns))
    listed = next((line for line in header if line.lstrip('"').startswith("Signals=")), "")
    signals = [name.strip().strip('"') for name in listed.split("\t")[1:] if name.strip()]
    inputs = list(dict.fromkeys(signals)) or [""]
    chosen = _channel(list(range(len(inputs))), output)
    time = table[:, 0] * (1.0 if "(ms" in titles[0].lower() else 1e3)
    step = float(time[-1] - time[0]) / (len(time) - 1)
    if not np.all(np.isfinite(table)) or step <= 0:
        raise ValueError
    unit = titles[1 + chosen].rpartition("(")[2].strip(") ") if "(" in titles[1 + chosen] else ""
    return list(table[:, 1 + chosen :: len(inputs)].T), plain(unit), step


def _channel(inputs: list[int], output: Output) -> int:
    """The position, among these inputs of a stimulus file, of the one that the output played."""
    if len(inputs) == 1:
        return 0
    if output.channel not in inputs:
        raise ValueError
    return inputs.index(output.channel)
