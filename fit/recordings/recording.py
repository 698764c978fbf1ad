"""The class `Recording`: sweeps of voltage (mV) and injected current (nA) with one sample step dt (ms), and their origin.

Sample k of the voltage is the voltage at time k*dt. Sample k of the current flows from k*dt to (k+1)*dt.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from spikefab.calls import listed, public, whole
from spikefab.delegates import delegate
from spikefab.errors import Advice, RecordingError, Sentence, UsageError, readable, shortened
from spikefab.units import require_rows, rows, sample_step, step

from .doubts import find_doubts
from .electrode import Electrode, find_electrode, rough_electrode
from .image import Image, find_image, without_image
from .quality import quality_warnings
from .resampling import resample_current, resample_voltage
from .spikes import PROMINENCE, Spikes, find_spikes, prominence_of
from .sweep import LARGEST, Floats, Sweep, make_sweep

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHORTEST = 10.0  # duration, ms, of the shortest recording that can be fitted


@dataclass(frozen=True, eq=False, repr=False)
class Recording:
    """Sweeps with one sample step.

    sweeps          in the order of the file; they may differ in length
    dt              sample step, ms
    source          path of the file, or "arrays"
    sha256          hash of the file, None for arrays
    current_origin  in words, which signal of the file is the current; without a current, why there is none
    notes           notices to the user: what was guessed, left out or resampled while reading
    units           units of the numbers in the file, before they were converted to mV and nA
    reading         options with which `read` gives this recording from `source`; for arrays, those of `from_arrays`; None if
                    the recording was changed since (resampled, sweeps selected), so that no options give it
    spike_prominence  mV: least prominence of a spike, see `find_spikes`
    image           what the spikes left in the recorded current and `cleaned` removed; None if they left nothing
    """

    sweeps: tuple[Sweep, ...]
    dt: float
    source: str = "arrays"
    sha256: str | None = None
    current_origin: str = "as given"
    notes: tuple[str, ...] = ()
    units: str = "mV, nA"
    reading: Mapping[str, Any] | None = None
    spike_prominence: float = PROMINENCE
    image: Image | None = None
    _known: "_Known | None" = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if not isinstance(self.sweeps, list | tuple) or not all(isinstance(s, Sweep) for s in self.sweeps):
            raise UsageError("a Recording is made of sweeps: arrays go to Recording.from_arrays(voltage, current, dt).")
        if self._known is None or not self._known.is_of(self):  # `replace` passes that of the old recording
            object.__setattr__(self, "_known", _Known(self))

    @classmethod
    @public
    def from_arrays(
        cls,
        voltage: ArrayLike,
        current: ArrayLike | None = None,
        dt: float | None = None,
        *,
        spike_prominence: float | None = None,
    ) -> "Recording":
        """A recording from arrays in memory, with or without units, see `spikefab.units`.

        voltage  mV: one sweep (T,), several sweeps (S, T), or a sequence of S arrays that differ in length
        current  nA: of the same shape as the voltage; or one array (T,) that every sweep received; or None, for a recording
                 that can be viewed but not fitted
        dt       sample step, ms; it may be left out if a signal carries it (neo)
        spike_prominence  mV: least prominence of a spike (default 20), see `find_spikes`

        Samples that are NaN or masked in voltage or current are cut from the ends of a sweep, with a notice.

        Raises UsageError if shapes, lengths, units or dt make no sense, and RecordingError if other samples are no numbers
        or there are none.
        """
        dt = sample_step(dt, voltage, current)
        if dt is None:
            raise UsageError("dt is missing: the ms between two samples.")
        voltages = _sweep_arrays(voltage, "voltage", "mV")
        currents: list[Floats | None] = [None] * len(voltages)
        if current is not None:
            given = _sweep_arrays(current, "current", "nA")
            if len(given) == 1:
                given *= len(voltages)
            if len(given) != len(voltages):
                raise UsageError(f"There are {len(voltages)} sweeps of voltage but {len(given)} of current.")
            currents = list(given)
        require_rows((len(voltages), max(map(len, voltages))), dt, "sweeps")
        sweeps, cut = [], 0
        for k, (v, i) in enumerate(zip(voltages, currents, strict=True)):
            if i is not None and len(i) != len(v):
                raise UsageError(f"Sweep {k} has {len(v)} samples of voltage but {len(i)} of current.")
            where = f" of sweep {k}" if len(voltages) > 1 else ""
            kept = _kept(v, i, where)
            cut += kept.stop - kept.start < len(v)
            sweeps.append(make_sweep(v[kept], None if i is None else i[kept], dt, str(k)))
        prominence = prominence_of(spike_prominence)
        made = cls(
            tuple(sweeps),
            dt,
            current_origin="as given" if current is not None else "none was given",
            notes=(f"samples that are no numbers are cut from the ends of {cut} of {len(sweeps)} sweeps",)
            if cut
            else (),
            reading={"dt": dt} if spike_prominence is None else {"dt": dt, "spike_prominence": prominence},
            spike_prominence=prominence,
        )
        return made.cleaned()

    def __repr__(self) -> str:
        sweeps = "1 sweep" if len(self.sweeps) == 1 else f"{len(self.sweeps)} sweeps"
        longest = max((len(sweep.voltage) for sweep in self.sweeps), default=0) * self.dt
        known = "" if all(sweep.current is not None for sweep in self.sweeps) else ", current unknown"
        name = readable(Path(self.source).name)
        return f"<Recording of {name}: {sweeps} of up to {longest:g} ms, dt {self.dt:g} ms{known}>"

    def _repr_html_(self) -> str:
        return delegate("recording_html")(self)

    def plot(self) -> "Figure":
        """A matplotlib figure of the voltages of all sweeps, with the currents below them."""
        return delegate("plot_recording")(self)

    def spikes(self) -> tuple[Spikes, ...]:
        """The spikes of each sweep. They are sought once; a resampled recording has those of the original.

        They are sought in the voltage without that of the electrode, see `compensated`, and their voltages are of it.
        """
        assert self._known is not None
        return self._known.found[1]

    @property
    def electrode_resistance(self) -> float:
        """MOhm: the resistance of the electrode that was not compensated, as the recording shows it; 0.0 if it shows none."""
        assert self._known is not None
        return self._known.found[0].resistance

    def compensated(self, sweep: Sweep) -> Floats:
        """The voltage (T,) mV of one of the sweeps without the voltage across an electrode that was not compensated."""
        if not isinstance(sweep, Sweep):
            raise UsageError(f"compensated takes one of the recording's sweeps, not {shortened(sweep)}.")
        assert self._known is not None
        return self._known.found[0].compensated(sweep, self.dt)

    @property
    def doubts(self) -> tuple[Sentence, ...]:
        """What is so doubtful about the units or the current that the recording is not fitted unless the user insists."""
        assert self._known is not None
        return self._known.doubts

    def cleaned(self) -> "Recording":
        """The recording with the image of spikes removed from its current, and a notice; itself if there is no image.

        Each sweep keeps the current as it was recorded as `recorded`.
        """
        image = found = find_image(self.sweeps, self.spikes(), self.dt)
        sweeps = self.sweeps
        for _ in range(3):  # an image may outlast what was seen of it
            if found is None:
                break
            sweeps = tuple(without_image(s, p, found, self.dt) for s, p in zip(sweeps, self.spikes(), strict=True))
            found = find_image(sweeps, self.spikes(), self.dt)
        if image is None:
            return self
        note = f"the recorded current holds {image}: it is used without it"
        return replace(self, sweeps=sweeps, image=image, notes=(*self.notes, note))

    @public
    def resample(self, dt: float) -> "Recording":
        """The recording resampled to a sample step of dt ms; if dt is its sample step already, the recording itself.

        For a coarser step, the voltage is filtered by a zero-phase low-pass at the new Nyquist frequency; for a finer one,
        it is interpolated linearly. The total charge of the current stays exactly the same: each new sample is the mean of
        the old current, which is constant over each old step.
        """
        dt = step(dt)
        if np.isclose(dt, self.dt, rtol=1e-9, atol=0):
            return self
        sweeps = []
        for sweep in self.sweeps:
            n = int(np.floor((len(sweep.voltage) - 1) * self.dt / dt + 1e-6)) + 1
            v = resample_voltage(sweep.voltage, self.dt, dt, n)
            i = None if sweep.current is None else resample_current(sweep.current, self.dt, dt, n)
            recorded = None if sweep.recorded is None else resample_current(sweep.recorded, self.dt, dt, n)
            sweeps.append(replace(sweep, voltage=v, current=i, recorded=recorded))
        note = f"resampled from {self.dt:g} to {dt:g} ms"
        made = replace(self, sweeps=tuple(sweeps), dt=float(dt), notes=(*self.notes, note), reading=None)
        return made._from(self, range(len(sweeps)))

    @public
    def select(self, indices: Sequence[int]) -> "Recording":
        """The recording with only the sweeps at these positions, counted from 0.

        Raises RecordingError if there are no indices, UsageError if there is no sweep at one of them.
        """
        indices = [whole(k, "the number of a sweep") for k in listed(indices, "select takes the numbers of sweeps")]
        if not indices:
            raise RecordingError(f"No sweep of {self.source} is left after the selection.")
        beyond = [k for k in indices if not 0 <= k < len(self.sweeps)]
        if beyond:
            known = f"its sweeps are 0 to {len(self.sweeps) - 1}" if len(self.sweeps) > 1 else "its only one is sweep 0"
            raise UsageError(f"{self.source} has no sweep {beyond[0]}: {known}, counted in the order of the file.")
        return replace(self, sweeps=tuple(self.sweeps[k] for k in indices), reading=None)._from(self, indices)

    def _from(self, parent: "Recording", places: Sequence[int]) -> "Recording":
        """This recording, whose spikes are those of the sweeps of `parent` at these places."""
        object.__setattr__(self, "_known", _Known(self, parent, tuple(places)))
        return self

    def require_fit(self, anyway: bool = False) -> None:
        """Raise RecordingError if the recording cannot be fitted: a current is missing, all are zero, or it is too short.

        Raise it too if there are doubts, unless the user wants to fit it `anyway`.
        """
        if not self.sweeps:
            raise RecordingError(f"{self.source} holds no sweeps.")
        chooses = self.source.lower().endswith(".abf")  # only of abf files can a channel be chosen
        advice = Advice.ADD_CURRENT_OR_CHANNEL if chooses else Advice.ADD_CURRENT
        if any(sweep.current is None for sweep in self.sweeps):
            raise RecordingError(
                f"{self.source} cannot be fitted without its current ({self.current_origin}): ", advice, "."
            )
        if not any(np.any(sweep.current) for sweep in self.sweeps):
            raise RecordingError(f"{self.source} cannot be fitted, as its current is zero throughout: ", advice, ".")
        longest = max(len(sweep.voltage) for sweep in self.sweeps) * self.dt
        if longest < SHORTEST:
            raise RecordingError(f"{self.source} lasts {longest:g} ms: a fit needs {SHORTEST:g} ms or more.")
        if self.doubts and not anyway:
            *words, _ = self.doubts[0].parts
            raise RecordingError(f"{self.source} is not fitted. ", *words, Advice.ANYWAY, ".")

    def warnings(self, trains: Sequence[Spikes] | None = None) -> tuple[str, ...]:
        """Warnings about faults that the recording may have although it can be fitted, one sentence each.

        trains  other spikes of each sweep than those of `spikes`
        """
        spikes = self.spikes() if trains is None else trains
        return quality_warnings(self.sweeps, self.dt, spikes, self.compensated)


class _Known:
    """What was found in a recording, kept as long as its samples and the rule for spikes are the same.

    A resampled recording, and one with only some sweeps, takes the spikes of its parent: with a coarser step the slope of a
    narrow spike may be lost.
    """

    def __init__(self, recording: Recording, parent: Recording | None = None, places: tuple[int, ...] = ()):
        self._sweeps, self._dt, self._prominence = recording.sweeps, recording.dt, recording.spike_prominence
        self._parent, self._places = parent, places

    def is_of(self, recording: Recording) -> bool:
        """Whether the recording has the same samples and the same rule for spikes."""
        return (
            (self._dt, self._prominence) == (recording.dt, recording.spike_prominence)
            and len(self._sweeps) == len(recording.sweeps)
            and all(
                a.voltage is b.voltage and a.current is b.current
                for a, b in zip(self._sweeps, recording.sweeps, strict=True)
            )
        )

    @cached_property
    def doubts(self) -> tuple[Sentence, ...]:
        return find_doubts(self._sweeps, self._dt, self.found[1])

    @cached_property
    def found(self) -> tuple[Electrode, tuple[Spikes, ...]]:
        """The electrode, and the spikes of each sweep."""
        if self._parent is not None:
            assert self._parent._known is not None
            electrode, found = self._parent._known.found
            moved = tuple(
                found[place].moved(self._parent.dt, self._dt, len(sweep.voltage))
                for place, sweep in zip(self._places, self._sweeps, strict=True)
            )
            return electrode, moved
        # The electrode is measured away from spikes, and through an electrode noise looks like spikes: so first roughly.
        rough = rough_electrode(self._sweeps, self._dt)
        spikes = self._sought(rough)
        electrode = find_electrode(self._sweeps, self._dt, spikes)
        return electrode, spikes if electrode == rough else self._sought(electrode)

    def _sought(self, electrode: Electrode) -> tuple[Spikes, ...]:
        return tuple(find_spikes(electrode.compensated(s, self._dt), self._dt, self._prominence) for s in self._sweeps)


def _sweep_arrays(values: ArrayLike, what: str, unit: str) -> list[Floats]:
    """One float array per sweep from (T,), (S, T) or a sequence of arrays. Raises an error if one is empty."""
    arrays = rows(values, unit, f"The {what}")
    if not arrays or not all(map(len, arrays)):
        raise RecordingError(f"The {what} is empty.")
    return arrays


def _kept(voltage: Floats, current: Floats | None, where: str) -> slice:
    """The samples of a sweep without those at its ends that are NaN in voltage or current.

    Raises RecordingError if none is left, or if one of those that are left is no number, or too large. `where`: of which sweep.
    """
    signals = {"voltage": voltage} | ({} if current is None else {"current": current})
    there = ~np.any([np.isnan(x) for x in signals.values()], axis=0)
    if not there.any():
        raise RecordingError(f"There is no sample{where} at which voltage and current are numbers.")
    kept = slice(int(np.argmax(there)), len(there) - int(np.argmax(there[::-1])))
    for what, array in signals.items():
        bad = kept.start + np.flatnonzero(~(np.abs(array[kept]) <= LARGEST))
        if len(bad):
            place = f"sample {bad[0]}{where}"
            if np.isfinite(array[bad[0]]):
                raise RecordingError(f"The {what} is {array[bad[0]]:g} at {place}, which nothing measures: repair it.")
            raise RecordingError(f"The {what} is not a number at {place}: cut or repair it first.")
    return kept
