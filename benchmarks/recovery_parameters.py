"""Which parameters of a cell a recording can tell, and whether a fit has found the true ones: see `recovery.py`."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from spikefab.fit.freedom import unsearched
from spikefab.fit.scoring.task import Task
from spikefab.fit.search.loss import Loss
from spikefab.fit.search.space import bounds
from spikefab.hw.datapath import Datapath, datapath
from spikefab.hw.models import get_model
from spikefab.hw.spec import Role
from spikefab.sim.engine import FixedPoint

from .cells import X_R, Params
from .synthetic import DT

WORD = 18
CHANGE = 0.05  # relative change of a parameter with which its effect on the loss is measured
MOVES = 0.1  # relative change of the loss above which a parameter counts as identifiable

RESTS = {Role.REST, Role.LEAK_REVERSAL}
POTENTIALS = {Role.THRESHOLD, Role.RESET, Role.PEAK, Role.REVERSAL, Role.HALF_ACTIVATION, Role.OFFSET}


def settings(p: Mapping[str, Any]) -> dict[str, Any]:
    return {"kinetics": p["kinetics"]} if "kinetics" in p else {}


def true_datapath(name: str, p: Params, task: Task) -> Datapath:
    return datapath(get_model(name).variant(**settings(p)), WORD, DT, task.i_span)


def true_params(dp: Datapath, p: Params, task: Task) -> Params:
    """With the level at which a fit counts spikes that are part of the solution: halfway up the recording's."""
    return p | dict.fromkeys(dp.model.spec.having(Role.SPIKE_LEVEL), task.measured.half)


def scales(name: str, p: Params, task: Task) -> dict[str, float]:
    """What 100 % of each parameter is, in its unit."""
    rest = float(np.median([s.voltage[: round(40 / DT)] for s in task.recording.sweeps]))
    assert task.measured.onset is not None
    found = {}
    params = get_model(name).variant(**settings(p)).params()
    for n, value in p.items():
        role = params[n].role if n in params else None
        if role in RESTS:
            found[n] = task.measured.onset - rest
        elif role in POTENTIALS:
            # for the squid axon, V_T is a shift of gates: the half activation of sodium is at -40 mV plus V_T
            shift = p.get("kinetics") == "1952" and role is Role.HALF_ACTIVATION
            found[n] = abs(value - rest - (40 if shift else 0))
        elif not isinstance(value, str):
            found[n] = abs(value)
    return found


def determined(name: str, p: Mapping[str, float]) -> dict[str, float]:
    """What the equations determine, by the parameter that stands for it."""
    params = get_model(name).variant(**settings(p)).params()
    found = {n: value for n, value in p.items() if n in params and params[n].role is not Role.SPIKE_LEVEL}
    if name == "ThetaNeuron":
        tau = found.pop("tau")
        found |= {"eta": p["eta"] / tau**2, "k_I": p["k_I"] / tau**2, "S": p["S"] * tau}
    if name == "HindmarshRoseNeuron":
        found["I_0"] += p["s"] * (found.pop("x_R") - X_R)
    return found


def sensitivity(name: str, p: Params, task: Task) -> tuple[float, dict[str, dict[str, Any]]]:
    """The training loss at the true parameters, and by parameter what it is 5 % below and above, and whether it is listed."""
    dp, scale = true_datapath(name, p, task), scales(name, p, task)
    full, names = true_params(dp, p, task), list(determined(name, p))
    around = [full | {n: full[n] + sign * CHANGE * scale[n]} for n in names for sign in (-1, 1)]
    losses = Loss(FixedPoint(dp), task)(np.concatenate([dp.quantise(q) for q in (full, *around)]))
    loss = float(losses[0])
    found = {}
    for n, (below, above) in zip(names, losses[1:].reshape(-1, 2).tolist(), strict=True):
        listed = max(abs(below - loss), abs(above - loss)) > MOVES * loss
        found[n] = {"scale": scale[n], "loss_below": below, "loss_above": above, "listed": listed}
    return loss, found


def compared(name: str, p: Params, fitted: Mapping[str, float], listed: dict[str, dict[str, Any]]) -> None:
    """Adds true and fitted values, the error in units of 100 %, and whether it is within 5 %."""
    true, found = determined(name, p), determined(name, fitted)
    for n, row in listed.items():
        # of a combination, which a change by 5 % of its own parameter changes by 5 % as well
        scale = abs(true[n]) if true[n] != p[n] else row["scale"]
        error = (found[n] - true[n]) / scale if scale else None
        row |= {"true": true[n], "fitted": found[n], "error": error}
        row["within"] = error is not None and abs(error) <= CHANGE


def outside(name: str, p: Params, task: Task) -> list[str]:
    """Parameters that lie outside the range that a fit searches."""
    dp = true_datapath(name, p, task)
    found = []
    for n in dp.params:
        if n in p and n not in unsearched(dp.params):
            q = dp.params[n].quantity
            low, high = bounds(dp, n, task.measured) if q is None else q.bounds
            if not low <= (p[n] if q is None else q.there(p[n], p)) <= high:
                found.append(n)
    return found
