"""The resistance of an electrode that was not compensated, from the recording itself.

Such an electrode adds a voltage that follows the injected current at once, while the voltage of a membrane follows it slowly,
as a sum of exponentials. So the voltage is regressed on the current at the same moment and on the responses of membranes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from .spikes import Spikes
from .stimuli import is_noise
from .sweep import NEGLIGIBLE, QUIET, Floats, Sweep, denoise, samples

BIN = 0.1  # ms: faster samples are averaged over bins of this length
EARLY = 0.2  # ms by which the voltage may be ahead of a recorded current, whose filter may be slower
LATE = 0.4  # ms after a step of the current in which the electrode follows; its capacitive transients are over by then
FASTEST = 0.6  # ms: shortest time constant of the exponentials that a membrane's response is composed of
FASTEST_BINS = 3  # the same in bins, for a coarse sample step: a faster response could not be told from a jump
SLOWEST = 80.0  # ms: longest of these time constants
TAUS = 10  # number of these time constants
# Time constant, ms, of the exponential with which the voltage recovers from each spike, whatever the current
RECOVERY = 15.0
# Time constant, ms, of the high-pass filter on voltage and current. Slower changes of the voltage have many other reasons.
SLOW = 3.0
AFTER = 15.0  # ms after the onset of a spike that are left out
AFTER_FAST = 4.0  # the same, ms, for a cell that fires so fast that less than ENOUGH would be left
ENOUGH = 0.2  # least share of the samples that must be left
BEFORE = 2.0  # ms before the onset of a spike that are left out
WIDTH = 3.0  # ms after the peak of a spike, in which it is over
NEAR = 15.0  # ms after a step of the current in which the voltage tells something about the electrode
STEP = 0.02  # share of the range of a current by which a step changes it at least, from one bin to the next
MOST = 100_000  # number of bins of all sweeps that are looked at
BLOCKS = 20  # number of blocks of the data, each of which is left out in turn for the standard error
LEAST = 2.0  # MOhm: a smaller resistance is not distinguished from none
# mV: a voltage across the electrode below this is ignored, because noise that voltage and current share looks like one
FAINT = 0.3
SURE = 3.0  # least number of standard errors that the resistance is above 0
MAIN = 0.6  # least share of the resistance that one bin must have for its lag to count
VISIBLE = 5.0  # mV by which the electrode must answer the largest change of the current to be mistaken for spikes


@dataclass(frozen=True)
class Electrode:
    """An electrode that was not compensated.

    resistance  MOhm; 0.0 if none is seen
    lag         ms by which the recorded voltage is behind the recorded current, due to filters and multiplexers: a sample or
                two. It is 0 unless the stimulus is noise, which alone needs it
    """

    resistance: float = 0.0
    lag: float = 0.0

    def compensated(self, sweep: Sweep, dt: float) -> Floats:
        """The voltage (T,) mV of a sweep without that across the electrode.

        The electrode's voltage is counted from the current before the stimulus; if there is no such part, from the median of
        the current.
        """
        if sweep.current is None or not self.resistance:
            return sweep.voltage
        n = len(sweep.current)
        quiet = sweep.window is not None and sweep.window[0] >= QUIET
        base = np.median(sweep.current[: samples(sweep.window[0], dt)] if quiet and sweep.window else sweep.current)
        current = sweep.current[np.clip(np.arange(n) - round(self.lag / dt), 0, n - 1)] if self.lag else sweep.current
        return sweep.voltage - self.resistance * (current - base)


def electrode_sentence(resistance: float) -> str:
    """What a user is told of an electrode with this resistance, MOhm: a sentence without its full stop."""
    return (
        f"The voltage follows the current at once by {resistance:.0f} MOhm: the electrode was not compensated, and spikes are"
        " sought without its voltage"
    )


def rough_electrode(sweeps: Sequence[Sweep], dt: float) -> Electrode:
    """An estimate for which no spikes need be known; a resistance of 0 if it is too small to be mistaken for spikes.

    Changes of the voltage are regressed on the changes of the current at that moment, one bin before and one behind, and on
    the current itself. Changes that are far from the line (spikes) are then left out, again and again.
    """
    parts = _parts(sweeps, dt)
    x, y = [np.empty((4, 0))], [np.empty(0)]
    for part in parts:
        change = np.pad(np.diff(part.current), 1)
        x.append(np.stack([change[:-2], change[1:-1], change[2:], part.current[:-1] - part.current.mean()]))
        y.append(np.diff(part.voltage))
    rows, dv = np.concatenate(x, axis=1), np.concatenate(y)
    largest = float(np.max(np.abs(rows[1]), initial=0.0))
    if largest == 0:
        return Electrode()
    found: Floats = np.zeros(4)
    kept: slice | np.ndarray = slice(None)
    for _ in range(4):
        solved = np.linalg.lstsq(*_products(rows[:, kept], dv[kept]), rcond=1e-12)
        found = np.asarray(solved[0], dtype=np.float64)
        off = np.abs(dv - np.einsum("kt,k->t", rows, found))
        kept = off <= 4 * 1.4826 * float(np.median(off[kept])) + 1e-9
    made = _electrode(found[2::-1], range(-1, 2), parts[0].step)
    return made if made.resistance * largest >= VISIBLE else Electrode()


def find_electrode(sweeps: Sequence[Sweep], dt: float, spikes: Sequence[Spikes]) -> Electrode:
    """The electrode through which the voltage of these sweeps follows their current at once.

    spikes  those of each sweep. The voltage near them is left out: it tells nothing about the electrode, and the current that
            some amplifiers record carries an image of each spike

    Each bin of the current from LATE before to EARLY after a moment has a coefficient of its own. Their sum is the resistance:
    a jump that some filter has blurred counts as a whole, and a capacitive transient, which leaves nothing behind, not at all.
    Exponentials have coefficients of at least 0. Unless the stimulus is noise, a running median removes the noise of a
    recorded current, which would make the resistance too small; steps it leaves as they are.
    """
    parts = _parts(sweeps, dt, spikes)
    if not parts:
        return Electrode()
    step = parts[0].step
    noise = is_noise(sweeps, dt)
    taps = range(-samples(EARLY, step), samples(LATE, step) + 1)
    for after in (AFTER, AFTER_FAST):
        clear = [part.clear(after) for part in parts]
        if np.mean(np.concatenate(clear)) >= ENOUGH:
            break
    found = [part.regressors(taps, kept, noise) for part, kept in zip(parts, clear, strict=True)]
    x, y = np.concatenate([a for a, _ in found], axis=1), np.concatenate([b for _, b in found])
    if len(y) < 4 * len(x):
        return Electrode()
    ends = np.linspace(0, len(y), BLOCKS + 1).astype(int)
    blocks = [_products(x[:, a:b], y[a:b]) for a, b in pairwise(ends)]
    squares, products = (np.array([block[k] for block in blocks]) for k in (0, 1))
    whole, right = squares.sum(axis=0), products.sum(axis=0)
    free = len(taps) + 1  # and the recovery from spikes
    solution = _solve(whole, right, free)
    made = _electrode(solution[: len(taps)], taps, step)
    used = (solution > 0) | (np.arange(len(solution)) < free)
    whole, right, squares, products = whole[used][:, used], right[used], squares[:, used][:, :, used], products[:, used]
    without = [
        float(np.sum(np.linalg.lstsq(whole - a, right - b, rcond=1e-9)[0][: len(taps)]))
        for a, b in zip(squares, products, strict=True)
    ]
    error = float(np.sqrt(BLOCKS - 1) * np.std(without))
    span = max(float(np.ptp(np.percentile(p.current, (2, 98)) if noise else p.current)) for p in parts)
    if made.resistance < max(LEAST, SURE * error) or made.resistance * span < FAINT:
        return Electrode()
    return made if noise else replace(made, lag=0.0)


def _electrode(coefficients: Floats, taps: range, step: float) -> Electrode:
    """The electrode with these coefficients, MOhm, of the current 0 bins before the voltage (bins in `taps`), 1 bin, ..."""
    resistance, largest = float(np.sum(coefficients)), int(np.argmax(coefficients))
    return Electrode(resistance, taps[largest] * step if coefficients[largest] >= MAIN * resistance else 0.0)


@dataclass(frozen=True, eq=False)
class _Part:
    """Voltage (n,) mV and current (n,) nA of a part of a sweep, averaged over bins, and the bins of its spikes.

    step    ms, length of a bin
    onsets  (k,) bins in which the spikes in and around this part begin; peaks: in which they are highest
    """

    voltage: Floats
    current: Floats
    step: float
    onsets: np.ndarray
    peaks: np.ndarray

    def clear(self, after: float) -> np.ndarray:
        """(n,) bool: whether a bin is not near a spike, which lasts until `after` ms after its onset."""
        clear = np.ones(len(self.voltage), dtype=bool)
        for onset in self.onsets:
            clear[max(0, onset - samples(BEFORE, self.step)) : max(0, onset + samples(after, self.step))] = False
        return clear

    def regressors(self, taps: range, kept: np.ndarray, noise: bool) -> tuple[Floats, Floats]:
        """The regressors (taps, recovery, time constants; m) and the voltage (m,) mV of the bins in `kept` that follow a step."""
        from scipy.signal import lfilter

        i, least = self.current, 0.0
        if not noise:
            i, left = denoise(self._without_spikes(self.current), self.step)
            least = max(STEP * np.ptp(i), 6 * left)
        n = len(i)
        steps = np.flatnonzero(np.abs(np.diff(i, prepend=i[:1])) > max(least, NEGLIGIBLE))
        near = np.zeros(n + 1, dtype=np.int64)
        np.add.at(near, np.maximum(steps - samples(NEAR / 3, self.step), 0), 1)
        np.add.at(near, np.minimum(steps + samples(NEAR, self.step), n), -1)
        used = kept & (np.cumsum(near[:n]) > 0)
        used[: taps.stop] = False
        used[n + taps.start :] = False
        y, u = _high_pass(self._without_spikes(self.voltage), self.step), _high_pass(i, self.step)
        at = np.flatnonzero(used)
        columns = [u[at - k] for k in taps]
        ends = np.zeros(n)
        np.add.at(ends, np.clip(self.peaks + samples(WIDTH, self.step), 0, n - 1), 1.0)
        columns.append(_high_pass(lfilter([1], [1, -np.exp(-self.step / RECOVERY)], ends), self.step)[at])
        for tau in np.geomspace(max(FASTEST, FASTEST_BINS * self.step), SLOWEST, TAUS):
            k = -np.expm1(-self.step / tau)
            columns.append(lfilter([0, k], [1, k - 1], u)[at])
        return np.stack(columns), y[at]

    def _without_spikes(self, trace: Floats) -> Floats:
        """A trace with a straight line in place of each spike, so that the filter does not spread the spikes."""
        v = trace.copy()
        for onset, peak in zip(self.onsets, self.peaks, strict=True):
            a, b = max(0, onset - samples(BEFORE / 2, self.step)), min(len(v) - 1, peak + samples(WIDTH, self.step))
            if a < b:
                v[a:b] = np.linspace(v[a], trace[b], b - a, endpoint=False)
        return v


def _parts(sweeps: Sequence[Sweep], dt: float, spikes: Sequence[Spikes] | None = None) -> list[_Part]:
    """A part of each sweep whose current changes, averaged over bins: of long sweeps, what follows the first change."""
    size = max(1, int(BIN / dt + 1e-6))
    known = [(k, s.voltage, s.current) for k, s in enumerate(sweeps) if s.current is not None and np.ptp(s.current) > 0]
    parts = []
    for k, voltage, current in known:
        most = max(MOST // len(known), round(100.0 / (dt * size))) * size
        start = 0
        if len(voltage) > most:
            away = np.abs(current - current[0]) > STEP * np.ptp(current)
            start = max(0, min(int(np.argmax(away)) - samples(2 * NEAR, dt), len(voltage) - most))
        n = min(most, len(voltage) - start) // size
        if n < 2:
            continue
        v, i = (a[start : start + n * size].reshape(n, size).mean(axis=1) for a in (voltage, current))
        onsets = np.empty(0, np.int64) if spikes is None else (spikes[k].onset_index - start) // size
        peaks = np.empty(0, np.int64) if spikes is None else (spikes[k].peak_index - start) // size
        inside = (onsets > -samples(AFTER, dt * size)) & (onsets < n)
        parts.append(_Part(v, i, dt * size, onsets[inside], peaks[inside]))
    return parts


def _high_pass(x: Floats, step: float) -> Floats:
    from scipy.signal import lfilter

    k = np.exp(-step / SLOW)
    return lfilter([k, -k], [1, -k], x - x[0])


def _products(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """The normal equations, (n, n) and (n,), of a regression of y (m,) on n regressors (n, m).

    Not by a matrix product, which many threads would compute: slower for such shapes, and different in the last bits.
    """
    return np.einsum("it,jt->ij", x, x), np.einsum("it,t->i", x, y)


def _solve(squares: Floats, products: Floats, free: int) -> Floats:
    """The coefficients (n,) of a least-squares problem, of which the first `free` may be anything, the others at least 0.

    squares, products  (n, n) and (n,): the normal equations
    """
    from scipy.optimize import nnls

    scale = np.sqrt(np.diag(squares))
    scale[scale == 0] = 1.0
    a = squares / scale[:, None] / scale + 1e-9 * np.eye(len(scale))
    b = products / scale
    # Without the free coefficients (Schur complement), the problem is one of coefficients of at least 0 only.
    solved = np.linalg.solve(a[:free, :free], np.column_stack([a[:free, free:], b[:free]]))
    rest = a[free:, free:] - a[free:, :free] @ solved[:, :-1]
    triangle = np.linalg.cholesky((rest + rest.T) / 2 + 1e-12 * np.eye(len(rest)))
    membrane = nnls(triangle.T, np.linalg.solve(triangle, b[free:] - a[free:, :free] @ solved[:, -1]), maxiter=1000)[0]
    return np.concatenate([solved[:, -1] - solved[:, :-1] @ membrane, membrane]) / scale
