"""How well a voltage follows a current, to tell which of several channels is the membrane and which the current."""

import re
from collections.abc import Sequence

import numpy as np

from .membrane import along, response
from .sweep import Floats, samples

BIN = 4.0  # ms over which signals are reduced to one value: the median leaves spikes out
TAUS = (0.0, 3.0, 10.0, 30.0, 100.0)  # ms, time constants of the membranes that are tried
# Time constants in a recording, at least: the response to noise has few independent values, which agree with a voltage by chance.
LONG = 50
MOST = 20_000  # number of values that are looked at; of a longer recording, sweeps in even distances
FOLLOWS = 0.3  # agreement with a current from which a voltage counts as following it
BETTER = 0.2  # by which the agreement of another current must be larger for it to be taken instead
CELL = (-130.0, -20.0)  # mV, between which a membrane rests
LARGEST = 200.0  # mV, that no membrane reaches
MEMBRANE = re.compile(r"(?:^|[^a-z])v[_ ]?m(?!on)|memb|soma", re.IGNORECASE)
# beginnings of words in names of channels that are no membrane
OTHERS = (
    *("stim", "trig", "ttl", "sync", "cmd", "command", "led", "light", "laser", "photo", "opto", "shutter", "field"),
    *("fepsp", "lfp", "eeg", "ecg", "emg", "temp", "pressure", "piez", "flow", "digi"),
)


def likeness(
    name: str, in_mv: bool, voltages: Sequence[Floats], currents: Sequence[Sequence[Floats]], dt: float
) -> tuple[float, float]:
    """How much a channel is like a membrane: of several voltages, the one with the largest value is taken.

    name      of the channel
    in_mv     whether the file says that it is in mV
    voltages  (T,) mV of each sweep
    currents  signals that may be the injected current, each (T,) for each sweep
    """
    v = np.concatenate(voltages)
    cell = CELL[0] <= np.percentile(v, 20) <= CELL[1] and np.max(np.abs(v)) < LARGEST
    words = re.findall("[a-z]+", name.lower())
    named = bool(MEMBRANE.search(name)) - any(word.startswith(OTHERS) for word in words)
    follows = any(agreement(voltages, i, dt) >= FOLLOWS for i in currents)
    return 2 * cell + 1.5 * named + follows + 0.25 * in_mv, max(float(np.std(x)) for x in voltages)


def followed(voltages: Sequence[Floats], currents: Sequence[Sequence[Floats]], dt: float) -> int:
    """Which of several currents the voltages follow: the first, unless they follow another clearly better."""
    values = [agreement(voltages, i, dt) for i in currents]
    best = int(np.argmax(values))
    return best if values[best] >= FOLLOWS and values[best] > values[0] + BETTER else 0


def agreement(voltages: Sequence[Floats], currents: Sequence[Floats], dt: float) -> float:
    """How well the voltages (T,) follow the currents (T,) of the same sweeps, 0..1, whatever their units and signs.

    It is the largest correlation between the voltage and the response of a passive membrane to the current, over several
    time constants: of all values, or of the changes within the sweeps.
    """
    width = min(samples(BIN, dt), max(1, min(map(len, voltages)) // 50))
    each = max(1, -(-sum(map(len, voltages)) // width // MOST))
    pairs = [
        (np.median(_rows(v, width), axis=1), _rows(i, width).mean(axis=1))
        for v, i in list(zip(voltages, currents, strict=True))[::each]
    ]
    best = 0.0
    for tau in (tau for tau in TAUS if LONG * tau <= sum(map(len, voltages)) * dt):
        responses = [response(i, i[0], tau, width * dt) if tau else i for _, i in pairs]
        for within in (False, True):
            v, x = (np.concatenate([y - within * y.mean() for y in ys]) for ys in ([v for v, _ in pairs], responses))
            best = max(best, abs(along(v, x)[0]))
    return best


def _rows(x: Floats, width: int) -> Floats:
    """The signal in rows of `width` samples, without what is left at its end."""
    return x[: len(x) // width * width].reshape(-1, width)
