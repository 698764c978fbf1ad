"""A recording made ready to be fitted: resampled, its spikes found, split, with the scales that every score needs."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from spikefab.errors import RecordingError
from spikefab.fit.features.measured import Measured, measure
from spikefab.fit.recordings.recording import Recording
from spikefab.fit.recordings.spikes import Spikes, find_spikes, spike_mask
from spikefab.fit.recordings.stimuli import is_noise, stimuli
from spikefab.fit.recordings.sweep import baseline_current

from . import scores
from .split import Part, Split, deal, split

if TYPE_CHECKING:
    from spikefab.hw.datapath import Datapath

LONG, SHORT = 1_000_000, 250_000  # steps; see `Task.shortened`
SEEN = 20  # spikes: a search that sees fewer learns little


@dataclass(frozen=True, eq=False)
class Task:
    """What all models of one fit share.

    recording  on the time step of the hardware
    recorded   the same on its own sample step
    spikes     of each sweep; times in ms do not depend on the step, indices are of `recording`
    """

    recording: Recording
    recorded: Recording
    spikes: tuple[Spikes, ...]
    split: Split
    noise: bool
    measured: Measured
    notes: tuple[str, ...]
    weights: tuple[float, float, float] = scores.WEIGHTS
    folds: tuple[tuple[int, ...], ...] = ()

    @classmethod
    def of(
        cls,
        recording: Recording,
        step: float,
        held_out: str = "auto",
        weights: tuple[float, float, float] = scores.WEIGHTS,
        folds: int | None = None,
    ) -> "Task":
        """Resample to `step` (ms), find spikes, split by the rule `held_out` and measure.

        weights: of voltage, timing and count in every combined score. folds: into how many parts the stimuli are dealt for
        `without`; this task then has all of them to train on. Raises RecordingError where there is nothing to fit.
        """
        recording.require_fit()
        found = tuple(find_spikes(s.voltage, recording.dt) for s in recording.sweeps)
        notes = [*recording.warnings()]
        resampled = recording.resample(step)
        spikes = found
        if resampled is not recording:
            # counted at the recording's own rate: a coarser step may lose a narrow spike's slope
            spikes = tuple(
                _moved(p, recording.dt, step, len(s.voltage)) for p, s in zip(found, resampled.sweeps, strict=True)
            )
        dealt = () if folds is None else deal(resampled, spikes, folds)
        parts = split(resampled, spikes, "none" if dealt else held_out)
        if dealt:
            parts = replace(parts, how=f"each of {sum(map(len, dealt))} sweeps is held out once, in {folds} folds")
        train = [p.sweep for p in parts.train]
        seen = resampled.select(train)
        if not parts.held_out and not dealt:
            notes.append(f"{parts.how}.")
        measured = measure(seen, [spikes[k] for k in train])
        if measured.jump >= 1:
            notes.append(
                f"The voltage follows the current at once by {measured.jump:.0f} MOhm: the electrode was not compensated,"
                " and no model follows it there."
            )
        task = cls(
            resampled,
            recording,
            spikes,
            parts,
            is_noise(resampled.sweeps, resampled.dt),
            measured,
            (*resampled.notes, *notes),
            weights,
            dealt,
        )
        return replace(task, notes=(*task.notes, *task.limits()))

    def without(self, held: Sequence[int]) -> "Task":
        """The same with sweeps held out, and measured anew."""
        whole = [Part(k, 0, len(s.voltage)) for k, s in enumerate(self.recording.sweeps)]
        train = [p for p in whole if p.sweep not in held]
        parts = Split(tuple(train), tuple(p for p in whole if p.sweep in held), self.split.how)
        seen = [p.sweep for p in train]
        return replace(
            self, split=parts, measured=measure(self.recording.select(seen), [self.spikes[k] for k in seen]), folds=()
        )

    def shortened(self) -> "Task":
        """Of more than LONG steps to train on about SHORT: of noise the beginning of each part, else some of the sweeps, from
        the one that evokes fewest spikes to the one that evokes most. The same task where there is no more, or it has too few
        spikes."""
        parts = self.split.train
        total = sum(p.stop - p.start for p in parts)
        if total <= LONG:
            return self
        if self.noise:
            kept = [replace(p, stop=p.start + math.ceil((p.stop - p.start) * SHORT / total)) for p in parts]
        else:
            order = sorted(range(len(parts)), key=lambda k: len(self.part_spikes(parts[k])))
            some = np.linspace(0, len(parts) - 1, min(len(parts), max(2, round(len(parts) * SHORT / total))))
            kept = [parts[k] for k in sorted(order[j] for j in some.round().astype(int))]
        if (len(kept) == len(parts) and not self.noise) or sum(len(self.part_spikes(p)) for p in kept) < SEEN:
            return self
        return replace(self, split=replace(self.split, train=tuple(kept)))

    @property
    def dt(self) -> float:
        """ms between two samples of `recording`: the time step of the hardware."""
        return self.recording.dt

    def require_step(self, dp: "Datapath") -> None:
        """Assert that the time step of a datapath is the one that the recording was resampled to."""
        same = math.isclose(dp.dt, self.dt, rel_tol=1e-9)  # as near as `resample` takes for the same
        assert same, f"hardware that steps {dp.dt} ms meets a recording of {self.dt} ms a sample"

    @cached_property
    def i_span(self) -> float:
        """nA: the power of two that holds every sample of the current."""
        largest = max(float(np.max(np.abs(s.current))) for s in self.recording.sweeps if s.current is not None)
        if not 0 < largest < 1e3:
            raise RecordingError(f"a current of up to {largest:g} nA cannot be fitted: check its unit.")
        # the upper end of a span is one code short of it
        return 2.0 ** math.ceil(math.log2(largest * (1 + 2.0**-15)))

    def part_spikes(self, part: Part) -> np.ndarray:
        """Spike times (ms) in a part, from its start."""
        times = self.spikes[part.sweep].time
        lo, hi = part.start * self.dt, part.stop * self.dt
        return times[(times >= lo) & (times < hi)] - lo

    def part_voltage(self, part: Part) -> np.ndarray:
        return self.recording.sweeps[part.sweep].voltage[part.start : part.stop]

    def part_mask(self, part: Part) -> np.ndarray:
        return spike_mask(self.part_spikes(part), part.stop - part.start, self.dt)[0]

    @cached_property
    def clip(self) -> float:
        parts = self.split.train
        return scores.v_clip([self.part_voltage(p) for p in parts], [self.part_mask(p) for p in parts])

    @cached_property
    def flat(self) -> float:
        parts = self.split.train
        return scores.flat_rmse([self.part_voltage(p) for p in parts], [self.part_mask(p) for p in parts], self.clip)

    @cached_property
    def baselines(self) -> np.ndarray:
        """(S,) nA: what flowed before each sweep."""
        return np.array([baseline_current(s, self.dt) for s in self.recording.sweeps])

    def score(
        self, parts: Sequence[Part], voltage: Sequence[np.ndarray], spikes: Sequence[np.ndarray]
    ) -> scores.Scores | None:
        """Scores over parts of a model's whole sweeps: voltage (T,) mV and spike times (ms) for each sweep."""
        if not parts:
            return None
        cut = []
        for p in parts:
            times = spikes[p.sweep]
            lo, hi = p.start * self.dt, p.stop * self.dt
            cut.append((voltage[p.sweep][p.start : p.stop], times[(times >= lo) & (times < hi)] - lo))
        found = scores.score_sweeps(
            [self.part_voltage(p) for p in parts],
            [self.part_spikes(p) for p in parts],
            [v for v, _ in cut],
            [t for _, t in cut],
            self.dt,
            self.clip,
            self.flat,
            self.noise,
            self.weights,
        )
        repeats: dict[str, Any] = {**self.against_repeats(parts, [t for _, t in cut])}
        return replace(found, **repeats)

    @cached_property
    def repeats(self) -> list[list[int]]:
        """Sweeps that received the same current: those groups that have more than one."""
        return [group for group in stimuli(self.recording.sweeps, self.recording.dt) if len(group) > 1]

    def against_repeats(self, parts: Sequence[Part], spikes: Sequence[np.ndarray]) -> dict[str, float | None]:
        """How a model's spikes (ms, one train a part) compare with what the cell's own repeats predict of each other.

        reliability   mean gamma of one repeat with another; gamma_over_R: the model's mean gamma over it, for the stimuli
                      whose reliability is .3 or more; repeat_rmse (mV): masked_rmse of one repeat against another.
        None without repeats, for what is too fast for gamma, and (gamma_over_R) for an unpredictable cell.
        """
        reliabilities, ratios, errors = [], [], []
        for group in self.repeats:
            own = [(p, t) for p, t in zip(parts, spikes, strict=True) if p.sweep in group]
            between, model = [], []
            for a, fired in own:
                span = (a.stop - a.start) * self.dt
                model.append(scores.gamma(self.part_spikes(a), fired, scores.DELTA, span))
                for b, _ in own:
                    if a.sweep != b.sweep:
                        between.append(scores.gamma(self.part_spikes(a), self.part_spikes(b), scores.DELTA, span))
                        errors.append(self._apart(a, b))
            told = [g for g in between if g is not None]
            explained = [g for g in model if g is not None]
            if told and len(told) == len(between) and len(explained) == len(model):  # else too fast for gamma
                reliabilities.append(float(np.mean(told)))
                if reliabilities[-1] >= scores.PREDICTABLE:
                    ratios.append(float(np.mean(explained)) / reliabilities[-1])
        return {
            name: float(np.mean(values)) if values else None
            for name, values in (
                ("reliability", reliabilities),
                ("gamma_over_R", ratios),
                ("repeat_rmse", [e for e in errors if e is not None]),
            )
        }

    def limits(self) -> list[str]:
        """What no model can be asked for, or no score can tell, one sentence each."""
        parts, found = self.split.held_out or self.split.train, []
        rates = [len(self.part_spikes(p)) / ((p.stop - p.start) * self.dt) for p in parts]
        fast = sum(2 * scores.DELTA * rate >= scores.TOO_FAST for rate in rates)
        if fast:
            found.append(
                f"Too fast: in {fast} of {len(parts)} judged sweeps every train of so many spikes would coincide with the"
                f" cell's within {scores.DELTA:g} ms, and gamma is not given."
            )
        between = self.against_repeats(parts, [self.part_spikes(p) for p in parts])["reliability"]
        if between is not None and between < scores.PREDICTABLE:
            found.append(
                f"Unpredictable: repeats of one stimulus predict each other's spikes with gamma {between:.2f} only, and"
                " gamma / R is not given."
            )
        return found

    def _apart(self, a: Part, b: Part) -> float | None:
        """masked_rmse (mV) of one repeat's part against another's."""
        n = min(a.stop - a.start, b.stop - b.start)
        v, w = (self.part_voltage(p)[:n] for p in (a, b))
        return scores.masked_rmse(v, w, self.part_mask(a)[:n], self.clip)


def _moved(spikes: Spikes, old: float, new: float, n: int) -> Spikes:
    """The same spikes with their indices on another time step."""
    indices = {
        name: np.minimum((getattr(spikes, name) * (old / new)).round().astype(np.int64), n - 1)
        for name in ("onset_index", "peak_index", "trough_index")
    }
    return replace(spikes, **indices)
