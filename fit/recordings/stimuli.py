"""The stimuli of a recording: which sweeps repeat one, and whether they are noise."""

from collections.abc import Sequence

import numpy as np

from .sweep import Sweep, denoise, samples

PULSES = 3.0  # times its usual range that a current reaches in rare pulses
MOST = 4_000_000  # number of samples that are compared: of a longer recording, one in so many that about this many are left


def stimuli(sweeps: Sequence[Sweep], dt: float) -> list[list[int]]:
    """Indices of the sweeps, grouped by stimulus; the groups are in ascending order of mean current.

    Two sweeps have the same stimulus if their currents differ by less than 1 % (rms) of their range. Averages over 10 ms
    are compared, so that the noise of a recorded current does not make repeats of one stimulus look different.
    """
    width = max(1, round(10 / dt))
    coarse = [  # current of each sweep in averages over 10 ms
        np.array([part.mean() for part in np.array_split(s.current, max(1, len(s.current) // width))])
        for s in sweeps
        if s.current is not None
    ]
    groups: list[list[int]] = []
    for k, current in enumerate(coarse):
        for group in groups:
            other = coarse[group[0]]
            spread = max(np.ptp(current), np.ptp(other), 1e-6)
            if len(other) == len(current) and np.sqrt(np.mean((current - other) ** 2)) < 0.01 * spread:
                group.append(k)
                break
        else:
            groups.append([k])
    return sorted(groups, key=lambda g: float(coarse[g[0]].mean()))


def is_noise(sweeps: Sequence[Sweep], dt: float) -> bool:
    """Whether the stimulus fluctuates all the time (noise as in vivo), and is not steps, ramps or slow oscillations.

    True if in at least half of the samples the current differs from its running average by more than 4 % of the range of
    the currents. The average is over 20 ms, or over 1/20 of a sweep shorter than 400 ms, so that the edges of a
    single step do not count as noise. The range is that of all but 2 % of the samples, unless rare pulses are far larger.
    """
    currents = [sweep.current for sweep in sweeps if sweep.current is not None]
    if not currents:
        return False
    from scipy.ndimage import uniform_filter1d

    every = max(1, sum(map(len, currents)) // MOST)
    away, smooth = [], []
    for i in currents:
        width = min(samples(20.0, dt), max(1, len(i) // 20))
        # copies, because a view would keep the whole array
        away.append(np.abs(i - uniform_filter1d(i, width, mode="nearest"))[::every].copy())
        smooth.append(denoise(i, dt)[0][::every].copy())
    low, high = np.percentile(np.concatenate([i[::every] for i in currents]), [1, 99])
    usual, whole = float(high - low), float(np.ptp(np.concatenate(smooth)))
    span = whole if whole > PULSES * usual else usual
    return bool(span > 0 and np.median(np.concatenate(away)) > 0.04 * span)
