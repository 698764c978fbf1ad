"""A recording prepared for a fit: resampled, with its spikes, its split, and the constants that the scores need."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from spikefab.errors import RecordingError
from spikefab.fit.features.measured import Measured, measure
from spikefab.fit.features.observed import observe
from spikefab.fit.recordings.electrode import electrode_sentence
from spikefab.fit.recordings.recording import Recording
from spikefab.fit.recordings.spikes import Spikes, spike_mask
from spikefab.fit.recordings.stimuli import is_noise, stimuli
from spikefab.fit.recordings.sweep import baseline_current

from . import oracle, scores
from .pattern import Step, pattern
from .split import Part, Split, deal, extrapolated, split

if TYPE_CHECKING:
    from spikefab.hw.datapath import Datapath

# steps of training data above which the first stages of a search use only a part, see `Task.shortened`
LONG = 1_000_000
SHORT = 250_000  # steps, about, of the part of long training data that the first stages of a search use
MANY = 100_000  # steps of training data above which the screen of a search uses only a part
FEW = 60_000  # steps, about, of the part that the screen uses
MORE = 1.5  # factor by which a part of noise grows until it has SEEN spikes
SEEN = 20  # number of spikes that the part of long training data must have at least, to be useful for a search


@dataclass(frozen=True, eq=False)
class Task:
    """All that the models of one fit share.

    recording  recording resampled to the time step of the hardware
    recorded   recording with its own sample step
    spikes     spikes of each sweep; their sample indices refer to `recording`
    split      training and held-out parts
    noise      whether the stimulus is noise
    measured   constants measured in the training sweeps
    notes      notices to the user
    weights    weights of voltage, timing and spike count in the score
    folds      indices of the sweeps of each fold, for cross-validation
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
        anyway: bool = False,
    ) -> "Task":
        """Prepare a recording: resample it to `step` (ms), find spikes, split it by the rule `held_out`, and measure constants.

        weights are those of voltage, timing and spike count in the combined score. folds is the number of folds for
        cross-validation; this task itself then trains on all sweeps, and `without` makes the task of a fold. Raises
        RecordingError if the recording cannot be fitted; with `anyway`, doubts about it become notes.
        """
        recording.require_fit(anyway)
        notes = [*recording.doubts, *recording.warnings()]
        resampled = recording.resample(step)
        spikes = resampled.spikes()
        dealt = () if folds is None else deal(resampled, spikes, folds)
        parts = split(resampled, spikes, "none" if dealt else held_out)
        if dealt:
            parts = replace(parts, how=f"each of {sum(map(len, dealt))} sweeps is held out once, in {folds} folds")
        train = [p.sweep for p in parts.train]
        seen = resampled.select(train)
        if not parts.held_out and not dealt:
            notes.append(f"{parts.how}.")
        measured = measure(seen, [spikes[k] for k in train])
        if recording.electrode_resistance:
            notes.append(f"{electrode_sentence(recording.electrode_resistance)}; no model follows it there.")
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
        """The same task with other sweeps held out, and constants measured again without them."""
        whole = [Part(k, 0, len(s.voltage)) for k, s in enumerate(self.recording.sweeps)]
        train = [p for p in whole if p.sweep not in held]
        parts = Split(tuple(train), tuple(p for p in whole if p.sweep in held), self.split.how)
        seen = [p.sweep for p in train]
        return replace(
            self, split=parts, measured=measure(self.recording.select(seen), [self.spikes[k] for k in seen]), folds=()
        )

    def shortened(self) -> "Task":
        """The task for the first two stages of a search: with about SHORT steps of training data if there are more than LONG."""
        return self._shortened(LONG, SHORT)

    def thinned(self) -> "Task":
        """The task for the screen of a search: with about FEW steps of training data if there are more than MANY."""
        few = self._shortened(MANY, FEW)
        return self.shortened() if few is self else few

    def _shortened(self, most: int, wanted: int) -> "Task":
        """The task with about `wanted` steps of training data if there are more than `most`; otherwise the task itself.

        Of noise, it keeps the beginning of each training part; of other stimuli some parts, from the one with the fewest
        spikes to the one with the most. It keeps more if they have less than SEEN spikes. If all are needed, it is the task itself.
        """
        parts = self.split.train
        total = sum(p.stop - p.start for p in parts)
        if total <= most:
            return self
        if self.noise:
            share = wanted / total
            while share < 1:
                kept = [replace(p, stop=p.start + math.ceil((p.stop - p.start) * share)) for p in parts]
                if sum(len(self.part_spikes(p)) for p in kept) >= SEEN:
                    return replace(self, split=replace(self.split, train=tuple(kept)))
                share *= MORE
            return self
        counts = [len(self.part_spikes(p)) for p in parts]
        order = sorted(range(len(parts)), key=counts.__getitem__)
        for n in range(max(2, round(len(parts) * wanted / total)), len(parts)):
            some = sorted(order[j] for j in np.linspace(0, len(parts) - 1, n).round().astype(int))
            if sum(counts[k] for k in some) >= SEEN:
                return replace(self, split=replace(self.split, train=tuple(parts[k] for k in some)))
        return self

    @property
    def dt(self) -> float:
        """Sample step of `recording`, ms, which is the time step of the hardware."""
        return self.recording.dt

    def require_step(self, dp: "Datapath") -> None:
        """Assert that a datapath has the time step to which the recording was resampled."""
        # the tolerance within which `Recording.resample` takes two steps for equal
        same = math.isclose(dp.dt, self.dt, rel_tol=1e-9)
        assert same, f"hardware that steps {dp.dt} ms meets a recording of {self.dt} ms a sample"

    @cached_property
    def i_span(self) -> float:
        """The span of the input, nA: the smallest power of two above the magnitude of all currents."""
        largest = max(float(np.max(np.abs(s.current))) for s in self.recording.sweeps if s.current is not None)
        if not 0 < largest < 1e3:
            raise RecordingError(f"a current of up to {largest:g} nA cannot be fitted: check its unit.")
        # a little more than the largest current, because the largest code is one step below the span
        return 2.0 ** math.ceil(math.log2(largest * (1 + 2.0**-15)))

    def part_spikes(self, part: Part) -> np.ndarray:
        """The spike times in a part, ms from its start."""
        return self.within(part, self.spikes[part.sweep].time)

    def part_voltage(self, part: Part) -> np.ndarray:
        """The recorded voltage of a part, mV."""
        return self.recording.sweeps[part.sweep].voltage[part.start : part.stop]

    def part_mask(self, part: Part) -> np.ndarray:
        """The samples of a part that are at or around spikes, see `scores.spike_mask`."""
        return spike_mask(self.part_spikes(part), part.stop - part.start, self.dt)[0]

    @cached_property
    def clip(self) -> float:
        """The voltage, mV, above which voltages are cut off in scores, see `scores.v_clip`."""
        parts = self.split.train
        return scores.v_clip([self.part_voltage(p) for p in parts], [self.part_mask(p) for p in parts])

    @cached_property
    def flat(self) -> float:
        """The error of the best constant voltage, mV, see `scores.flat_rmse`."""
        parts = self.split.train
        return scores.flat_rmse([self.part_voltage(p) for p in parts], [self.part_mask(p) for p in parts], self.clip)

    @cached_property
    def baselines(self) -> np.ndarray:
        """The current (S,) nA that flowed before each sweep."""
        return np.array([baseline_current(s, self.dt) for s in self.recording.sweeps])

    def score(
        self, parts: Sequence[Part], voltage: Sequence[np.ndarray], spikes: Sequence[np.ndarray]
    ) -> scores.Scores | None:
        """The scores of a model over some parts, from its voltage (T,) mV and spike times (ms) in each whole sweep."""
        if not parts:
            return None
        trains = [self.within(p, spikes[p.sweep]) for p in parts]
        volts = [voltage[p.sweep][p.start : p.stop] for p in parts]
        found = self._scored(parts, volts, trains, self.patterns(parts, trains))
        repeats: dict[str, Any] = {**self.against_repeats(parts, trains)}
        return replace(found, **repeats)

    def each_score(
        self, parts: Sequence[Part], voltage: Sequence[np.ndarray], spikes: Sequence[np.ndarray]
    ) -> list[float]:
        """The combined score of each part, whose mean is that of all of them; arguments as of `score`."""
        trains = [self.within(p, spikes[p.sweep]) for p in parts]
        patterns = self.patterns(parts, trains)  # the slope of the f-I curve in it is one for all parts
        return [
            self._scored([p], [voltage[p.sweep][p.start : p.stop]], [t], [e]).combined_score
            for p, t, e in zip(parts, trains, patterns, strict=True)
        ]

    def _scored(
        self,
        parts: Sequence[Part],
        volts: Sequence[np.ndarray],
        trains: Sequence[np.ndarray],
        patterns: Sequence[float | None],
    ) -> scores.Scores:
        return scores.score_sweeps(
            [self.part_voltage(p) for p in parts],
            [self.part_spikes(p) for p in parts],
            volts,
            trains,
            self.dt,
            self.clip,
            self.flat,
            self.noise,
            self.weights,
            patterns,
            self.timing_weight,
        )

    def within(self, part: Part, times: np.ndarray) -> np.ndarray:
        """Those of the spike times (ms in the whole sweep) that are in a part, in ms from its start."""
        lo, hi = part.start * self.dt, part.stop * self.dt
        return times[(times >= lo) & (times < hi)] - lo

    def patterns(
        self, parts: Sequence[Part], trains: Sequence[np.ndarray], counts: Sequence[float] | None = None
    ) -> list[float | None]:
        """The error of the firing pattern in each part, see `pattern`, from the model's spikes in each (ms from its start).

        None in a part that does not hold the onset of a current step. counts: the model's numbers of spikes, if they are
        not those of `trains`.
        """
        given = []
        for p in parts:
            lo, hi = p.start * self.dt, p.stop * self.dt
            s = self.steps[p.sweep]
            inside = s is not None and lo <= s.start < hi
            given.append(Step(s.start - lo, min(s.stop, hi) - lo, s.amplitude) if s and inside else None)
        data = [self.part_spikes(p) for p in parts]
        return pattern(given, data, trains, [scores.timing_tau(t, self.noise) for t in data], counts)

    @cached_property
    def steps(self) -> list[Step | None]:
        """The current step of each sweep; None where the stimulus is another."""
        if self.noise:
            return [None] * len(self.recording.sweeps)
        return oracle.steps(observe(self.recording, self.spikes))

    @cached_property
    def groups(self) -> list[list[int]]:
        """Indices of the sweeps by stimulus, see `stimuli`."""
        return stimuli(self.recording.sweeps, self.dt)

    @cached_property
    def sources(self) -> dict[str, oracle.Sources]:
        """From which sweeps others are predicted: "repeats" of the stimulus, and "neighbours" in amplitude."""
        return {"repeats": oracle.repeated(self.groups), "neighbours": oracle.neighbours(self.groups, self.steps)}

    @cached_property
    def predictability(self) -> dict[str, tuple[float, int] | None]:
        """The `oracle_timing` over the whole recording of each of the `sources`, with the number of its sweeps.

        "interpolated" is another prediction from the neighbours, see `oracle.interpolated`.
        """
        trains = [s.time for s in self.spikes]
        found = {kind: oracle.oracle_timing(s, trains, self.noise) for kind, s in self.sources.items()}
        starts = [0.0 if s is None else s.start for s in self.steps]
        return found | {"interpolated": oracle.oracle_timing(self.sources["neighbours"], trains, self.noise, starts)}

    @cached_property
    def timing_weight(self) -> float:
        """The weight of single spikes in the timing term, see `oracle.timing_weight`; 1 for noise stimuli.

        For noise, `reliability` says how far spikes can be predicted, and gamma / R compares with that.
        """
        readings = (None if found is None else found[0] for found in self.predictability.values())
        return 1.0 if self.noise else oracle.timing_weight(*readings, chance=self.chance)

    @cached_property
    def chance(self) -> float:
        """The `timing` of as many spikes at random times, over the whole recording, see `oracle.chance_timing`."""
        spans = [
            (0.0, len(sweep.voltage) * self.dt) if s is None else (s.start, s.stop)
            for s, sweep in zip(self.steps, self.recording.sweeps, strict=True)
        ]
        return oracle.chance_timing([s.time for s in self.spikes], spans, self.noise)

    @cached_property
    def repeats(self) -> list[list[int]]:
        """Groups of two or more sweeps that received the same current."""
        return [group for group in self.groups if len(group) > 1]

    def against_repeats(self, parts: Sequence[Part], spikes: Sequence[np.ndarray]) -> dict[str, float | None]:
        """Compare the spikes of a model (ms, one train per part) with how well repeats of the cell predict each other.

        reliability   mean gamma between repeats of the same stimulus
        gamma_over_R  mean gamma of the model divided by the reliability, for stimuli with a reliability of at least 0.3
        repeat_rmse   masked_rmse, mV, between repeats

        A value is None without repeats or if the cell fires too fast for gamma; gamma_over_R also if its spikes are not
        predictable.
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
            # use these numbers only if gamma (coincidence factor) is defined for all pairs: it is not if the cell fires too fast
            if told and len(told) == len(between) and len(explained) == len(model):
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
        """Notices about what no model can reproduce or no score can tell, one sentence each."""
        parts, found = self.split.held_out or self.split.train, []
        rates = [len(self.part_spikes(p)) / ((p.stop - p.start) * self.dt) for p in parts]
        fast = sum(2 * scores.DELTA * rate >= scores.TOO_FAST for rate in rates)
        if fast:
            found.append(
                f"Too fast: in {fast} of {len(parts)} judged sweeps every train of so many spikes would coincide with the"
                f" cell's within {scores.DELTA:g} ms, and gamma is not given."
            )
        found += extrapolated(self.recording, self.split, self.noise)
        between = self.against_repeats(parts, [self.part_spikes(p) for p in parts])["reliability"]
        if between is not None and between < scores.PREDICTABLE:
            found.append(
                f"Unpredictable: repeats of one stimulus predict each other's spikes with gamma {between:.2f} only, and"
                " gamma / R is not given."
            )
        if self.timing_weight < 1:
            reading = min(r[0] for r in self.predictability.values() if r is not None)
            found.append(
                f"Single spikes are hard to predict: the cell predicts its own spike times with a timing of {reading:.2f}"
                f" (0 is exact, {self.chance:.2f} is chance). They count for {100 * self.timing_weight:.0f} % of the timing"
                " term, the firing pattern (latency, f-I slope, rate profile, adaptation) for the rest."
            )
        return found

    def _apart(self, a: Part, b: Part) -> float | None:
        """The `masked_rmse`, mV, between the parts of two repeats."""
        n = min(a.stop - a.start, b.stop - b.start)
        v, w = (self.part_voltage(p)[:n] for p in (a, b))
        return scores.masked_rmse(v, w, self.part_mask(a)[:n], self.clip)
