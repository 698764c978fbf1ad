"""Opens a file of Axon's pCLAMP (ABF 1 and 2) with pyabf, and reads what its header says about the outputs (DACs).

pyabf interprets the samples. Much of the header it reads wrongly or not at all, so the protocol is read here: outputs and
epochs, alternation, user lists, conditioning trains and leak subtraction.
"""

import contextlib
import io
import struct
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikefab.errors import FileError

from .channels import plain
from .limits import require_memory

Floats = NDArray[np.float64]

SHORTEST = 20.0  # length of a sweep, ms, below which the file is taken to be damaged or no recording
# Size of the header of an ABF 1 file, bytes. Very old files have a shorter one without the command; there would be samples in
# its place.
ABF1_HEADER = 6144
EPISODIC = 5  # operation mode in which outputs play a protocol
CURRENT_CLAMP = 1  # mode of an amplifier
HELD = 1e6  # larger holding levels are no numbers of a header


@dataclass(frozen=True)
class Epoch:
    """One epoch of an output. Level and duration change from sweep to sweep by their steps.

    kind             1 step, 2 ramp, 3 pulses, 4 triangles, 5 cosine, 7 biphasic pulses
    level            in the unit of the output
    duration         samples
    period, width    samples, of pulses and the like
    """

    kind: int
    level: float
    level_step: float
    duration: int
    duration_step: int
    period: int
    width: int


@dataclass(frozen=True)
class Output:
    """What the protocol says about one output (DAC).

    number, name, unit
    holding       level outside the epochs, in its unit
    plays         "nothing", "epochs" or "file"
    keeps         whether the level of the last epoch is held until the next sweep, in place of `holding`
    epochs        those that are not switched off
    file          path of the stimulus file, as it was on the computer of the rig
    scale, offset, episode, channel
                  how the numbers of that file are converted, which of its sweeps (0: all in turn) and channels is played
    obstacles     what else the protocol says of this output, and is not rebuilt here: clauses such as "it has a user list"
    """

    number: int
    name: str
    unit: str
    holding: float
    plays: str
    keeps: bool
    epochs: tuple[Epoch, ...]
    file: str
    scale: float
    offset: float
    episode: int
    channel: int
    obstacles: tuple[str, ...]


@dataclass(frozen=True)
class Protocol:
    """What the header says about the outputs.

    outputs        in the order of their numbers
    episodic       whether the file was recorded in episodes; otherwise the outputs play no epochs
    episodes       number of episodes of the protocol, 0 if it is not given
    alternates     whether outputs 0 and 1 play in turn: output 0 in the first, third, ... sweep, output 1 in the others
    """

    outputs: tuple[Output, ...]
    episodic: bool
    episodes: int
    alternates: bool


@contextlib.contextmanager
def quietly() -> Any:
    """Suppress what pyabf prints, and its warnings: spikefab reports the same problems in its own words."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        yield


def open_abf(path: Path) -> Any:
    """The file as pyabf reads it. Raises FileError if it is no ABF file, truncated or damaged."""
    with path.open("rb") as stream:
        header = stream.read(20)
    if header[:4] not in (b"ABF ", b"ABF2"):
        raise FileError(f"{path} is named .abf but is not an Axon Binary Format file.")
    import pyabf

    header = header.ljust(20, b"\0")
    (episodes,) = struct.unpack_from("I", header, 16 if header[:4] == b"ABF " else 12)
    size = path.stat().st_size
    samples = size // 4  # of two bytes, one of the voltage and one of the current
    require_memory(path, samples, samples // max(1, episodes))
    abf: Any = None
    try:
        with quietly():
            # Check the number of sweeps first: pyabf makes a list of that length, and in a damaged header it may be huge.
            if episodes * 20 <= size:
                abf = pyabf.ABF(str(path), cacheStimulusFiles=False)
            whole = abf is not None and abf.data.size == abf.dataPointCount > 0
    except Exception as error:  # a damaged file may make pyabf raise any exception
        if "float data" in str(error):
            raise FileError(f"{path} stores its samples as floating point, which cannot be read in ABF 1.") from None
        whole = False
    if not whole:
        raise FileError(f"{path} is truncated or damaged: its header and its size do not fit together.")
    return abf


def step_of(abf: Any) -> float:
    """The sample step, ms, from the header, because pyabf rounds the sampling rate to whole Hz."""
    if abf.abfVersion["major"] == 1:
        step = float(abf._headerV1.fADCSampleInterval) * abf.channelCount / 1e3
        if _changes_step(abf):
            raise FileError(f"{abf.abfFilePath} changes its sample step within each sweep: that cannot be read.")
    else:
        step = float(abf._protocolSection.fADCSequenceInterval) / 1e3
    # A step or length like this comes from a damaged header. Many short sweeps also keep pyabf busy for very long.
    if not 1e-4 < step < 10 or abf.sweepPointCount * step < SHORTEST:
        sweeps = f"{abf.sweepCount} sweeps of {abf.sweepPointCount} samples"
        raise FileError(f"{abf.abfFilePath} is damaged or no recording of a cell: {sweeps}, {step:g} ms apart.")
    return round(step, 9)


def labels_of(abf: Any) -> tuple[list[str], list[str]]:
    """The names and the units of the channels. pyabf drops the micro sign of ABF 1, so that µV would become V."""
    names, units = abf.adcNames, abf.adcUnits
    if abf.abfVersion["major"] == 1:
        with open(abf.abfFilePath, "rb") as stream:
            header = stream.read(ABF1_HEADER)
        inputs = abf._headerV1.nADCSamplingSeq[: abf.channelCount]
        names = [_text(header, 442 + 10 * c, 10) for c in inputs]
        units = [_text(header, 602 + 8 * c, 8) for c in inputs]
    return [name.strip("\0 ") or "?" for name in names], [plain(unit) or "?" for unit in units]


def _text(header: bytes, byte: int, length: int) -> str:
    """A text in the header of ABF 1, which is padded with blanks or zeros."""
    return header[byte : byte + length].split(b"\0")[0].decode("latin-1").strip()


def _changes_step(abf: Any) -> bool:
    """Whether old programs recorded the end of each sweep with another sample step."""
    with open(abf.abfFilePath, "rb") as stream:
        header = stream.read(200)
    (second,), (change,) = struct.unpack_from("f", header, 126), struct.unpack_from("i", header, 194)
    return 0 < second != abf._headerV1.fADCSampleInterval and 0 < change < abf._headerV1.lNumSamplesPerEpisode


def in_current_clamp(abf: Any) -> list[bool]:
    """Whether the amplifier of each channel told pCLAMP, by its telegraph, that it was in current clamp."""
    if abf.abfVersion["major"] == 2:
        told = list(zip(abf._adcSection.nTelegraphEnable, abf._adcSection.nTelegraphMode, strict=True))
    elif abf._headerV1.lDataSectionPtr * 512 < ABF1_HEADER:
        told = []
    else:
        header = abf._headerV1
        told = [
            (header.nTelegraphEnable[c], header.nTelegraphMode[c]) for c in header.nADCSamplingSeq[: abf.channelCount]
        ]
    return [bool(enabled) and mode == CURRENT_CLAMP for enabled, mode in told]


def samples_of(abf: Any, channel: int, factor: float = 1.0) -> list[Floats]:
    """The samples of one channel, (T,) for each sweep, multiplied by `factor`."""
    lengths = [abf.sweepPointCount] * abf.sweepCount
    if abf.sweepCount > 1 and hasattr(abf, "_synchArraySection") and len({*abf._synchArraySection.lLength}) > 1:
        lengths = [n // abf.channelCount for n in abf._synchArraySection.lLength[: abf.sweepCount]]
    sweeps, at = [], 0
    for k, n in enumerate(lengths):
        sweep = abf.data[channel, at : at + n].astype(np.float64) * factor
        if len(sweep) < max(n, 1) or not np.all(np.isfinite(sweep)):
            raise FileError(f"{abf.abfFilePath} is damaged: sweep {k} of channel {channel} is cut or has no numbers.")
        sweeps.append(sweep)
        at += n
    return sweeps


def protocol_of(abf: Any) -> Protocol | None:
    """What the header says about the outputs; None if it is too old to say it, or damaged."""
    try:
        if abf.abfVersion["major"] == 2:
            return _protocol2(abf)
        with open(abf.abfFilePath, "rb") as stream:
            header = stream.read(ABF1_HEADER)
        too_old = abf._headerV1.lDataSectionPtr * 512 < ABF1_HEADER
        return None if too_old or len(header) < ABF1_HEADER else _protocol1(header)
    except (LookupError, ValueError, TypeError, AttributeError, struct.error):
        return None


def _protocol1(header: bytes) -> Protocol:
    """The protocol in the header of ABF 1, whose fields are at fixed bytes. It has 4 outputs, of which 2 play a protocol."""

    def at(kind: str, byte: int, index: int = 0) -> Any:
        return struct.unpack_from(kind, header, byte + index * struct.calcsize(kind))[0]

    outputs = []
    for n in range(4):
        plays, epochs = 0, []
        if n < 2:
            plays = at("h", 2300, n) if at("h", 2296, n) else 0
            for k in range(10 * n, 10 * n + 10):
                kind, duration, duration_step = at("h", 2308, k), at("i", 2508, k), at("i", 2588, k)
                level, level_step, period, width = (
                    at("f", 2348, k),
                    at("f", 2428, k),
                    at("i", 2136, k),
                    at("i", 2216, k),
                )
                epochs.append(Epoch(kind, level, level_step, duration, duration_step, period, width))
        user_list = at("h", 3360, n) or at("h", 3368, n)
        train, leak, ltp = (at("h", byte, n) if n < 2 else 0 for byte in (3260, 4456, 5816))
        ltp, added, first = ltp if at("h", 5814) else 0, _holding(at("f", 5298, n)), at("h", 162)
        m = min(n, 1)
        outputs.append(
            Output(
                n, _text(header, 1306 + 10 * n, 10), plain(_text(header, 1346 + 8 * n, 8)),
                _holding(at("f", 1394, n)), _plays(plays),
                bool(at("h", 2304, m)) and n < 2, tuple(e for e in epochs if e.kind), _text(header, 2736 + 256 * m, 256),
                at("f", 2708, m), at("f", 2716, m), at("i", 2724, m), at("h", 2732, m),
                _obstacles(user_list, train, leak, ltp, added, first),
            )
        )  # fmt: skip
    return Protocol(tuple(outputs), at("h", 8) == EPISODIC, at("i", 146), bool(at("h", 5876)))


def _protocol2(abf: Any) -> Protocol:
    """The protocol in the sections of ABF 2."""
    dac, per_dac, general = abf._dacSection, abf._epochPerDacSection, abf._protocolSection
    strings = abf._stringsSection._indexedStrings
    lists = [k for k in abf._userListSection.nULEnable if k]
    outputs = []
    for n, number in enumerate(dac.nDACNum):
        epochs = []
        for k in sorted(range(len(per_dac.nDACNum)), key=lambda k: per_dac.nEpochNum[k]):
            if per_dac.nDACNum[k] == number and per_dac.nEpochType[k]:
                epochs.append(
                    Epoch(
                        per_dac.nEpochType[k], per_dac.fEpochInitLevel[k], per_dac.fEpochLevelInc[k],
                        per_dac.lEpochInitDuration[k], per_dac.lEpochDurationInc[k],
                        per_dac.lEpochPulsePeriod[k], per_dac.lEpochPulseWidth[k],
                    )
                )  # fmt: skip
        plays = dac.nWaveformSource[n] if dac.nWaveformEnable[n] else 0
        outputs.append(
            Output(
                number, strings[dac.lDACChannelNameIndex[n]].strip(), plain(strings[dac.lDACChannelUnitsIndex[n]]),
                _holding(dac.fDACHoldingLevel[n]), _plays(plays), bool(dac.nInterEpisodeLevel[n]), tuple(epochs),
                strings[dac.lDACFilePathIndex[n]], dac.fDACFileScale[n], dac.fDACFileOffset[n], dac.lDACFileEpisodeNum[n],
                dac.nDACFileADCNum[n],
                _obstacles(
                    bool(lists), dac.nConditEnable[n], dac.nLeakSubtractType[n],
                    general.nLTPType and dac.nLTPUsageOfDAC[n], _holding(dac.fInstrumentHoldingLevel[n]),
                    general.nFirstEpisodeInRun,
                ),
            )
        )  # fmt: skip
    episodic = general.nOperationMode == EPISODIC
    return Protocol(tuple(outputs), episodic, general.lEpisodesPerRun, bool(general.nAlternateDACOutputState))


def _holding(level: float) -> float:
    """A holding level; NaN if it is no number of a header."""
    return level if abs(level) < HELD else np.nan


def _plays(source: int) -> str:
    """What an output plays, by its number in the header."""
    return {0: "nothing", 1: "epochs", 2: "file"}.get(source, f"source {source}")


def _obstacles(user_list: Any, train: Any, leak: Any, ltp: Any, added: float, first: int) -> tuple[str, ...]:
    """Parts of a protocol that are not rebuilt. `added` is a level of the amplifier, `first` the number of the first episode."""
    found = [
        (user_list, "follows a user list"),
        (train, "follows a conditioning train"),
        (leak, "was played again for leak subtraction (P/N)"),
        (ltp, "is that of an LTP protocol"),
        (abs(added) > 1e-9, f"was added to a holding level of the amplifier ({added:g})"),
        (first > 1, f"begins with episode {first}"),
    ]
    return tuple(clause for there, clause in found if there)
