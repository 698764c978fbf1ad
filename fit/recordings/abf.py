"""Reads recordings of Axon's pCLAMP (ABF 1 and 2) with pyabf, and decides which signal is the injected current.

The current is, in this order: a channel that recorded it; the command that pyabf reconstructs from the protocol; or not
known. A reconstructed command is not used if its stimulus file is missing (pyabf then returns NaN), if it is constant
(something else drove the cell), if it follows a user list (which pyabf ignores), or if its unit is not that of a current.
"""

import contextlib
import io
import struct
import warnings
from pathlib import Path, PureWindowsPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikefab.errors import FileError, UsageError

from .channels import AMPS, VOLTS, Units, plain
from .recording import Recording
from .sweep import make_sweep

Floats = NDArray[np.float64]

SHORTEST = 20.0  # length of a sweep, ms, below which the file is taken to be damaged or no recording
# Size of the header of an ABF 1 file, bytes. Very old files have a shorter one without the command; pyabf would then read
# samples in its place.
ABF1_HEADER = 6144
# Byte at which the header of ABF 1 has the holding level of each of the 4 outputs (fDACHoldingLevel, floats). It is read
# here because pyabf takes the level of the first epoch for the holding level.
ABF1_HOLDING = 1394


def read_abf(
    path: Path,
    voltage_channel: int | str | None = None,
    current_channel: int | str | None = None,
    units: Units = Units(),  # noqa: B008
) -> Recording:
    """The current-clamp recording in an ABF file. `voltage_channel` and `current_channel`, if given, are its ADC channels
    with the voltage and the current, by number or name; `units`, if given, are those of their numbers.

    If no current can be trusted, the sweeps have no current, and `current_origin` says why. Raises FileError if the file is
    of another kind, truncated or in voltage clamp, and UsageError if there is no such channel.
    """
    abf = _open(path)
    told, names = [plain(unit) for unit in abf.adcUnits], [name.strip() for name in abf.adcNames]
    current = None if current_channel is None else _channel(path, names, current_channel)
    voltages = [c for c, unit in enumerate(told) if unit in VOLTS and c != current]
    if voltage_channel is not None:
        voltages = [_channel(path, names, voltage_channel)]
    if not voltages:
        if any(unit in AMPS for unit in told):
            raise FileError(
                f"{path} is a voltage-clamp recording (it holds {', '.join(told)}): only current clamp can be read."
            )
        raise FileError(f"{path} holds no voltage: its channels are in {', '.join(told)}.")
    dt = _step(abf)
    notes = []
    factors = {c: VOLTS.get(units.voltage or told[c], 1.0) for c in voltages}
    traces = {c: _adc(abf, c, factors[c]) for c in voltages}
    voltage = max(voltages, key=lambda c: max(float(np.std(v)) for v in traces[c]))
    if len(voltages) > 1:
        notes.append(f"of {len(voltages)} voltage channels, ADC {voltage} ({names[voltage]}) is used")
    if not units.voltage and told[voltage] not in VOLTS:
        notes.append(f"ADC {voltage} is in {told[voltage]}: taken as mV")
    recorded = [c for c, unit in enumerate(told) if unit in AMPS and c != voltage]
    if current is not None:
        recorded = [current]
        if not units.current and told[current] not in AMPS:
            notes.append(f"ADC {current} is in {told[current]}: taken as pA")
    measured = [(c, _adc(abf, c, AMPS.get(units.current or told[c], 1e-3))) for c in recorded]
    measured = [(c, i) for c, i in measured if any(np.ptp(sweep) > 0 for sweep in i)]
    currents: list[Floats] | None
    if measured:
        channel, currents = measured[0]
        origin = f"recorded on ADC {channel} ({names[channel]})"
        chosen = voltage_channel is not None or current_channel is not None
        if not chosen and _is_clamped(traces[voltage], dt):
            raise FileError(f"{path} is a voltage-clamp recording: its voltage moves in steps, as only a command does.")
    else:
        currents, origin = _command(path, abf, voltage)
    sweeps = tuple(
        make_sweep(v, None if currents is None else currents[k], dt, str(k)) for k, v in enumerate(traces[voltage])
    )
    unit = units.current or told[measured[0][0]] if measured else ""
    if not measured and currents is not None:
        unit = abf.dacUnits[voltage].strip()
    in_file = ", ".join(u for u in (units.voltage or told[voltage], unit) if u)
    return Recording(sweeps, dt, str(path), None, origin, tuple(notes), in_file)


def _channel(path: Path, names: list[str], given: int | str) -> int:
    """The number of the ADC channel that the user named. Raises UsageError, with the names of all, if there is none."""
    if isinstance(given, str):
        found = [c for c, name in enumerate(names) if name.lower() == given.lower()]
        if len(found) == 1:
            return found[0]
        listed = ", ".join(f"{c} ({name})" for c, name in enumerate(names))
        raise UsageError(f"{path} has {len(found) or 'no'} channels named {given!r}: its channels are {listed}.")
    if given >= len(names):
        raise UsageError(f"{path} has no channel {given}: its channels are 0 to {len(names) - 1}.")
    return given


def read_current(path: Path, _: float, unit: str = "") -> tuple[list[Floats], float | None, tuple[str, ...]]:
    """The currents in an ABF file that need not have a voltage, such as a stimulus file; `unit`, if given, is theirs.

    Returns one current (T,) nA per sweep, the sample step in ms, and notices.
    """
    abf = _open(path)
    told = [plain(u) for u in abf.adcUnits]
    channel = next((c for c, u in enumerate(told) if u in AMPS), 0)
    unit = unit or told[channel]
    notes = () if unit in AMPS else (f"ADC {channel} of {path} is in {unit}: taken as pA",)
    return _adc(abf, channel, AMPS.get(unit, 1e-3)), _step(abf), notes


@contextlib.contextmanager
def _quietly() -> Any:
    """Suppress what pyabf prints, and its warnings: spikefab reports the same problems in its own words."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        yield


def _open(path: Path) -> Any:
    """The file as pyabf reads it. Raises FileError if it is no ABF file, truncated or damaged."""
    with path.open("rb") as stream:
        header = stream.read(ABF1_HEADER).ljust(ABF1_HEADER, b"\0")
    if header[:4] not in (b"ABF ", b"ABF2"):
        raise FileError(f"{path} is named .abf but is not an Axon Binary Format file.")
    import pyabf

    (episodes,) = struct.unpack_from("I", header, 16 if header[:4] == b"ABF " else 12)
    abf: Any = None
    try:
        with _quietly():
            # Check the number of sweeps first: pyabf makes a list of that length, and in a damaged header it may be huge.
            if episodes * 20 <= path.stat().st_size:
                abf = pyabf.ABF(str(path), cacheStimulusFiles=False)
            whole = abf is not None and abf.data.size == abf.dataPointCount > 0
    except Exception as error:  # a damaged file may make pyabf raise any exception
        if "float data" in str(error):
            raise FileError(f"{path} stores its samples as floating point, which cannot be read in ABF 1.") from None
        whole = False
    if not whole:
        raise FileError(f"{path} is truncated or damaged: its header and its size do not fit together.")
    if abf.abfVersion["major"] == 1:
        holding = struct.unpack_from("4f", header, ABF1_HOLDING)
        abf.holdingCommand = [h if abs(h) < 1e6 else np.nan for h in holding]
    return abf


def _step(abf: Any) -> float:
    """The sample step, ms, from the header, because pyabf rounds the sampling rate to whole Hz."""
    if abf.abfVersion["major"] == 1:
        step = float(abf._headerV1.fADCSampleInterval) * abf.channelCount / 1e3
    else:
        step = float(abf._protocolSection.fADCSequenceInterval) / 1e3
    # A step or length like this comes from a damaged header. Many short sweeps also keep pyabf busy for very long.
    if not 1e-4 < step < 10 or abf.sweepPointCount * step < SHORTEST:
        sweeps = f"{abf.sweepCount} sweeps of {abf.sweepPointCount} samples"
        raise FileError(f"{abf.abfFilePath} is damaged or no recording of a cell: {sweeps}, {step:g} ms apart.")
    return round(step, 9)


def _adc(abf: Any, channel: int, factor: float) -> list[Floats]:
    """The samples of one channel, (T,) for each sweep, multiplied by `factor` to be in mV or nA."""
    sweeps = []
    for k in abf.sweepList:
        with _quietly():
            abf.setSweep(k, channel=channel)
        sweep = abf.sweepY.astype(np.float64) * factor
        if not len(sweep) or not np.all(np.isfinite(sweep)):
            raise FileError(f"{abf.abfFilePath} is damaged: sweep {k} of channel {channel} is empty or has no numbers.")
        sweeps.append(sweep)
    return sweeps


def _command(path: Path, abf: Any, channel: int) -> tuple[list[Floats] | None, str]:
    """The command current that belongs to a voltage channel: (T,) nA for each sweep, and in words where it comes from.

    If it cannot be trusted, the result is None and the reason.
    """
    unit = plain(abf.dacUnits[channel]) if channel < len(abf.dacUnits) else ""
    if unit not in AMPS:
        return None, f"its command is in {unit or 'no unit'}, not in pA"
    if any(abf.userListEnable):
        return None, "its command follows a user list, which cannot be rebuilt"
    if abf.abfVersion["major"] == 1 and abf._headerV1.lDataSectionPtr * 512 < ABF1_HEADER:
        return None, "its old header does not hold the command"
    commands = []
    for k in abf.sweepList:
        try:
            with _quietly():
                abf.setSweep(k, channel=channel)
                length = len(abf.sweepY)
                command = np.array(abf.sweepC, dtype=np.float64) * AMPS[unit]
        except Exception:  # a damaged file may make pyabf raise any exception
            return None, "its command cannot be rebuilt"
        if len(command) < length or not np.all(np.isfinite(command)):
            missing = _stimulus_file(abf, channel)
            if missing is None:
                return None, "its command cannot be rebuilt"
            kept = f"the stimulus file {missing} that it names"
            return None, f"{kept} is not beside it" if not (path.parent / missing).exists() else f"{kept} does not fit"
        commands.append(command)
    if np.ptp(np.concatenate(commands)) == 0:
        return None, f"its command is flat at {commands[0][0]:g} nA, so that something else drove the cell"
    file = _stimulus_file(abf, channel)
    return commands, f"stimulus file {file}" if file else f"command of DAC {channel} ({abf.dacNames[channel].strip()})"


def _stimulus_file(abf: Any, channel: int) -> str | None:
    """The name of the stimulus file from which the command was played; None if there was no such file."""
    if abf.abfVersion["major"] == 1:
        if abf._headerV1.nWaveformSource[min(channel, 1)] != 2:
            return None
        stored = abf._headerV1.sDACFilePath[min(channel, 1)]
    else:
        if abf._dacSection.nWaveformSource[channel] != 2 or not abf._dacSection.nWaveformEnable[channel]:
            return None
        stored = abf._stringsSection._indexedStrings[abf._dacSection.lDACFilePathIndex[channel]]
    return PureWindowsPath(str(stored).strip("\0 ")).name or "without a name"


def _is_clamped(voltages: list[Floats], dt: float) -> bool:
    """Whether a voltage recorded together with a current is the command of a voltage clamp.

    A command moves in steps: apart from spikes, its largest change within 0.3 ms is most of its whole range.
    """
    from scipy.ndimage import median_filter

    width = 2 * max(1, round(1.0 / dt)) + 1
    smooth = [median_filter(v, width, mode="nearest") for v in voltages]
    span = max(float(np.ptp(v)) for v in smooth)
    lag = max(1, round(0.3 / dt))
    jump = max(float(np.max(np.abs(v[lag:] - v[:-lag]), initial=0.0)) for v in smooth)
    return span >= 5.0 and jump > 0.8 * span
