"""Doubts about a recording that are strong enough to stop a fit: wrong units, or a current that is not what drove the cell."""

from collections.abc import Sequence

import numpy as np

from spikefab.errors import Advice, Sentence

from .drive import Drive, drive
from .spikes import Spikes, find_spikes
from .sweep import Floats, Sweep, denoise, quiet_part, rest_of

LOWEST_REST = -130.0  # resting potential, mV, below which no neuron rests
HIGHEST_REST = -3.0  # resting potential, mV, above which no neuron rests
LARGEST_VOLTAGE = 400.0  # mV: no membrane is often beyond
SMALLEST_VOLTAGE = 1.0  # mV: a voltage that stays below is in another unit
SMALLEST_CURRENT = 1e-3  # nA: no smaller current moves a neuron by much
LARGEST_CURRENT = 100.0  # nA: no electrode passes more
LOWEST_R, HIGHEST_R = 1.0, 10_000.0  # MOhm, between which the input resistance of a neuron lies
EXPLAINED = 0.25  # correlation of the voltage with the response to the current below which the current explains nothing
PASSIVE = 0.95  # correlation above which a cell at rest surely follows its current
CHANCE = 0.05  # probability above which spikes may fall into the stimulus by chance
AFTERWARDS = 20.0  # ms after the stimulus in which it may still evoke a spike
NEAR_ZERO = -30.0  # mV, above which spikes peak
MEASURED = 0.35  # correlation above which the resistance is measured well enough
SHIFTED = 0.05  # by which the correlation may be larger if the current is shifted in time
BEFORE = 5.0  # ms that a sweep must be quiet before its stimulus to tell how the voltage moves
LASTING = 20.0  # ms that a current must stay near its farthest for the voltage to have followed
MOVED = 2.0  # mV by which a sweep must move under its stimulus to tell anything about it
AGAINST = 0.2  # share of the sweeps that may move against their current
VOLTAGES = (1.0, 1e3, 1e-3)  # factors by which a current in nA may have been a voltage in mV


def find_doubts(sweeps: Sequence[Sweep], dt: float, trains: Sequence[Spikes]) -> tuple[Sentence, ...]:
    """The doubts about sweeps with sample step dt (ms) and spikes `trains`, one sentence each, the gravest first."""
    if not sweeps:
        return ()
    known = [s for s in sweeps if s.current is not None]
    found: list[Sentence] = []
    largest = max(float(np.max(np.abs(s.voltage))) for s in sweeps)
    rest = float(np.median([rest_of(s, dt) for s in sweeps]))
    amplitude = max((float(np.max(np.abs(s.current))) for s in known if s.current is not None), default=0.0)
    driven = drive(sweeps, trains, dt)
    resting = LOWEST_REST < rest < -20
    passive = resting and driven is not None and driven.correlation > PASSIVE
    if not any(map(len, trains)) and not passive and (other := _as_voltage(known, dt, resting)):
        return (Sentence(f"Voltage and current seem to be exchanged: the current has {other}", Advice.EXCHANGED, "."),)
    if largest < SMALLEST_VOLTAGE:
        found.append(Sentence(f"The voltage stays within {largest:.3g} mV, as if it were in V", Advice.UNITS, "."))
    elif LOWEST_REST < -rest < -20 and rest > HIGHEST_REST:
        found.append(Sentence(f"The cell rests at {rest:+.0f} mV: the sign is wrong", Advice.SIGN, "."))
    elif not LOWEST_REST < rest < HIGHEST_REST:
        found.append(
            Sentence(f"The cell rests at {rest:.4g} mV, as no cell does: its unit is wrong", Advice.UNITS, ".")
        )
    elif (high := max(float(np.percentile(np.abs(s.voltage), 99)) for s in sweeps)) > LARGEST_VOLTAGE:
        found.append(Sentence(f"The voltage reaches {high:.4g} mV, as no cell's does", Advice.UNITS, "."))
    if amplitude > LARGEST_CURRENT:
        found.append(Sentence(f"The current reaches {amplitude:.3g} nA, which no electrode passes", Advice.UNITS, "."))
    elif 0 < amplitude < SMALLEST_CURRENT:
        found.append(Sentence(f"The current stays within {amplitude:.2g} nA, too little for a cell", Advice.UNITS, "."))
    if not found and (
        against := _against(known, dt, [p for s, p in zip(sweeps, trains, strict=True) if s.current is not None])
    ):
        return (against,)
    return (*found, *_about_drive(driven, bool(found), _fires_within(sweeps, trains, dt)))


def _fires_within(sweeps: Sequence[Sweep], trains: Sequence[Spikes], dt: float) -> bool:
    """Whether nearly all spikes fall into the stimulus, more than could by chance: it covers only a part of the sweeps."""
    covered = length = within = total = 0.0
    for s, p in zip(sweeps, trains, strict=True):
        length += len(s.voltage) * dt
        total += len(p)
        if s.window is not None:
            covered += s.window[1] - s.window[0]
            within += np.sum((p.time >= s.window[0]) & (p.time <= s.window[1] + AFTERWARDS))
    share = max(covered / length, 1e-6)
    return total >= 3 and within >= 0.9 * total and share**total < CHANCE


def _about_drive(driven: Drive | None, doubted: bool, fires: bool) -> tuple[Sentence, ...]:
    """The doubts that follow from how the current explains the voltage.

    doubted  its unit is in doubt already
    fires    the cell fires during the stimulus only: the current drives it, however little the voltage shows of it besides
    """
    if driven is None or (abs(driven.correlation) < EXPLAINED and (fires or driven.follows)):
        return ()
    share = driven.correlation**2
    if abs(driven.correlation) < EXPLAINED:
        text = f"The current does not drive the cell: it explains {share:.1%} of what the voltage does"
        return (Sentence(text, Advice.OTHER_CURRENT, "."),)
    if driven.elsewhere > abs(driven.correlation) + SHIFTED:
        text = (
            "The current does not drive the cell: shifted in time, it explains"
            f" {driven.elsewhere**2:.0%} of what the voltage does, as it is {share:.0%}"
        )
        return (Sentence(text, Advice.OTHER_CURRENT, "."),)
    if driven.correlation < 0:
        return (Sentence("The voltage falls when the current rises: the sign is wrong", Advice.SIGN, "."),)
    if doubted or driven.correlation < MEASURED or not (driven.resistance < LOWEST_R or driven.resistance > HIGHEST_R):
        return ()
    text = f"The cell would have a resistance of {driven.resistance:.3g} MOhm, as no cell has"
    return (Sentence(text, Advice.UNITS, "."),)


def _as_voltage(sweeps: Sequence[Sweep], dt: float, resting: bool) -> str:
    """What the currents have of a membrane voltage: spikes or a rest; "" if they have nothing of it.

    If the voltage is that of a cell at rest (`resting`), only spikes that come above -30 mV count.
    """
    for factor in VOLTAGES:
        volts = [s.current * factor for s in sweeps if s.current is not None]
        rest = float(np.median([np.percentile(v, 20) for v in volts])) if volts else 0.0
        if not -120 < rest < -30 or max(float(np.ptp(v)) for v in volts) > 250:
            continue
        if resting and max(float(np.max(v)) for v in volts) < NEAR_ZERO:
            continue
        if spikes := sum(len(find_spikes(v, dt)) for v in volts):
            return f"{spikes} spikes"
        if factor == 1.0 and not resting:  # no electrode holds a cell at -30 nA or less
            return f"a rest of {rest:.0f} mV"
    return ""


def _move(voltage: Floats, current: Floats, spikes: Spikes, dt: float) -> tuple[float, float] | None:
    """By how much a voltage (mV) and a current (nA), both (T,), move together; None if nothing lasts long enough to tell.

    From the quiet part before the stimulus to the longest stretch in which the current is near its farthest, as a protocol may
    have several steps of both signs. A cell that fires without a stimulus does not tell.
    """
    quiet = quiet_part(current, dt)
    if quiet * dt < BEFORE or np.any(spikes.time < quiet * dt):
        return None
    away = denoise(current, dt)[0] - np.median(current[:quiet])
    farthest = away[np.argmax(np.abs(away))]
    beyond = np.diff(np.concatenate(([0], away * np.sign(farthest) > abs(farthest) / 2, [0])))
    starts, stops = np.flatnonzero(beyond > 0), np.flatnonzero(beyond < 0)
    if not len(starts):
        return None
    k = int(np.argmax(stops - starts))
    far = slice(starts[k], stops[k])
    if (stops[k] - starts[k]) * dt < LASTING:
        return None
    return float(np.median(voltage[far]) - np.median(voltage[:quiet])), float(np.median(away[far]))


def _against(sweeps: Sequence[Sweep], dt: float, trains: Sequence[Spikes]) -> Sentence | None:
    """The doubt that the sweeps do not belong to their currents: many move against them, others along with them."""
    moves = [
        move
        for s, p in zip(sweeps, trains, strict=True)
        if s.current is not None and (move := _move(s.voltage, s.current, p, dt))
    ]
    clear = [(v, i) for v, i in moves if abs(v) > MOVED and abs(i) > 0.02 * max(abs(i) for _, i in moves)]
    share = np.mean([v * i < 0 for v, i in clear]) if len(clear) >= 4 else 0.0
    if not AGAINST < share < 1 - AGAINST:
        return None
    text = (
        f"In {share:.0%} of the sweeps the voltage moves against the current: the current is that of another recording"
    )
    return Sentence(text, Advice.OTHER_CURRENT, ".")
