"""What users do: containers and units that spikefab understands, and mistakes with the sentence that each is answered with.

Two tables to be read from top to bottom, which `test_mistakes` runs: UNDERSTOOD has calls and what they give, REFUSED has calls
and the error, of which the text is shown whole. The libraries here are the real ones; spikefab imports none of them.
"""

import datetime
import io
from decimal import Decimal

import astropy.units as au
import h5py
import neo
import numpy as np
import pandas as pd
import pint
import quantities as pq
import xarray as xr
from astropy.utils.masked import Masked

from spikefab import (
    MODELS,
    AdExNeuron,
    HodgkinHuxleyNeuron,
    LIFNeuron,
    Recording,
    extract_features,
    fit_many,
    read,
    simulate,
)
from spikefab.boards.build import build
from spikefab.boards.session import connect
from spikefab.boards.table import BOARDS
from spikefab.errors import FileError, RecordingError, UsageError
from spikefab.fit.features.extract import f_i_curve, recording_features
from spikefab.fit.features.recommend import recommend
from spikefab.fit.fitting import fit
from spikefab.fit.many.collect import collect
from spikefab.fit.options import FitOptions
from spikefab.fit.results import FitResults
from spikefab.hw.models import get_model, resolve_models
from spikefab.hw.neuron import Neuron
from spikefab.sim.export import export_verilog
from spikefab.sim.verify import verify
from spikefab.studio import show

ur = pint.UnitRegistry()
nS, MOhm = pq.Quantity(1, "nS"), pq.Quantity(1, "Mohm")

NAMES = ", ".join(BOARDS)
T = 1000  # samples of 0.1 ms
VOLTS = (-65 + np.random.default_rng(0).normal(0, 1, T)).round(3) / 1000
V = 1000 * VOLTS  # mV
I = np.where((np.arange(T) >= 200) & (np.arange(T) < 700), 0.1, 0.0)  # nA  # noqa: E741 - as everybody calls it
V3, I3 = np.stack([V, V + 1, V - 1]), np.stack([I, 2 * I, 3 * I])
PLAIN = (V, I, 0.1)


def nan_at(values, *places):
    out = np.array(values)
    out[list(places)] = np.nan
    return out


def neo_signal(values, units, kHz=10):
    return neo.AnalogSignal(np.asarray(values).T, units=units, sampling_rate=kHz * pq.kHz)


def frame(**units):
    """A table of pandas whose columns have units."""
    table = pd.DataFrame({"v": VOLTS, "i": I * 1000})
    table.attrs["units"] = units
    return table


def arrays(*given, **more):
    """What a recording of these arrays holds: voltage and current of its only sweep, or of all, and dt."""
    r = Recording.from_arrays(*given, **more)
    v, i = [s.voltage for s in r.sweeps], [s.current for s in r.sweeps]
    return (v[0], i[0], r.dt) if len(v) == 1 else (v, i, r.dt)


def ran(current, **made):
    """The voltage of a neuron under a current, and its spikes."""
    neuron = LIFNeuron(**made)
    return neuron.run(current), neuron.spikes


def stepped(current):
    return LIFNeuron().step(current)


def on_board(current, **more):
    """What a simulated board answers."""
    with connect("sim:reference", NEURON) as board:
        return board.run(current, **more)


def written(*register):
    with connect("sim:reference", NEURON) as board:
        board.write(*register)


def dataset(values, **attributes):
    """A data set of an HDF5 file in memory."""
    found = h5py.File(io.BytesIO(), "w").create_dataset("data", data=values)
    found.attrs.update(attributes)
    return found


def simulated(params, current, **more):
    found = simulate(LIFNeuron, params, current, **more)
    return found.counts, found.spikes


FIVE = np.where(np.arange(T) < 100, 0.0, 1.5)  # nA, under which LIFNeuron fires
LIF = ran(FIVE)

# what a user does, the call, what it gives
UNDERSTOOD = [
    # -- units of voltage, current and time, by library
    ("quantities: V, pA and s", lambda: arrays(VOLTS * pq.V, I * 1000 * pq.pA, 1e-4 * pq.s), PLAIN),
    ("quantities: mV, nA and ms", lambda: arrays(V * pq.mV, I * pq.nA, 0.1 * pq.ms), PLAIN),
    ("neo: signals in mV and pA, which know their dt", lambda: arrays(neo_signal(V, "mV"), neo_signal(I * 1000, "pA")), PLAIN),
    ("neo: the same, with the dt that they have", lambda: arrays(neo_signal(V, "mV"), neo_signal(I, "nA"), 0.1), PLAIN),
    ("neo: several channels are sweeps", lambda: arrays(neo_signal(V3, "mV"), neo_signal(I3, "nA")), ([*V3], [*I3], 0.1)),
    ("neo: a list with a signal a sweep", lambda: arrays([neo_signal(v, "mV") for v in V3], I3), ([*V3], [*I3], 0.1)),
    ("neo: a signal of the step, 10 kHz", lambda: ran(neo_signal(FIVE * 1000, "pA")), LIF),
    ("pint: V, pA and us", lambda: arrays(VOLTS * ur.V, I * 1000 * ur.pA, 100 * ur.us), PLAIN),
    ("pint: a list with a unit an element", lambda: arrays([v * ur.mV for v in V], I, 0.1), PLAIN),
    ("astropy: V, A and s", lambda: arrays(VOLTS * au.V, I / 1e9 * au.A, 1e-4 * au.s), PLAIN),
    ("xarray: attrs['units']", lambda: arrays(xr.DataArray(VOLTS, attrs={"units": "V"}), xr.DataArray(I), 0.1), PLAIN),
    ("xarray: volts and picoamperes in words",
     lambda: arrays(xr.DataArray(V, attrs={"units": "millivolts"}), xr.DataArray(I * 1000, attrs={"units": "pA"}), 0.1), PLAIN),
    ("xarray: pint inside", lambda: arrays(xr.DataArray(VOLTS * ur.V), I, 0.1), PLAIN),
    ("xarray: time comes first", lambda: arrays(xr.DataArray(V3.T, dims=("time", "sweep")), I3, 0.1), ([*V3], [*I3], 0.1)),
    ("pandas: a Series without a unit", lambda: arrays(pd.Series(V), pd.Series(I, index=np.arange(T) * 0.1), 0.1), PLAIN),
    ("pandas: units by column", lambda: arrays(frame(v="V", i="pA")["v"], frame(v="V", i="pA")["i"], 0.1), PLAIN),
    ("numpy: dt as a time difference", lambda: arrays(V, I, np.timedelta64(100, "us")), PLAIN),
    ("pandas: dt as a time difference", lambda: arrays(V, I, pd.Timedelta("100us")), PLAIN),
    ("datetime: dt as a time difference", lambda: arrays(V, I, datetime.timedelta(microseconds=100)), PLAIN),
    ("h5py: an attribute of the data set", lambda: arrays(dataset(VOLTS, unit="volts"), dataset(I), 0.1), PLAIN),
    # -- what numpy takes
    ("lists", lambda: arrays(V.tolist(), I.tolist(), 0.1), PLAIN),
    ("lists of sweeps", lambda: arrays(V3.tolist(), I3.tolist(), 0.1), ([*V3], [*I3], 0.1)),
    ("sweeps of different lengths", lambda: arrays([V, V[:600]], [I, I[:600]], 0.1), ([V, V[:600]], [I, I[:600]], 0.1)),
    ("a tuple, and a range as current", lambda: arrays(tuple(V), range(T), 0.1), (V, np.arange(T), 0.1)),
    ("decimals", lambda: arrays([Decimal(str(v)) for v in V], I, 0.1), PLAIN),
    ("objects", lambda: arrays(V.astype(object), I, np.array(0.1)), PLAIN),
    ("big-endian, read-only, every second sample",
     lambda: arrays(np.repeat(V, 2).astype(">f8")[::2], np.broadcast_to(I, (1, T)), np.float64(0.1)), PLAIN),
    ("integers as voltage", lambda: arrays(V.astype(np.int16), I, 0.1), (V.astype(np.int16), I, 0.1)),
    ("one current for all sweeps", lambda: arrays(V3, I, 0.1), ([*V3], [I, I, I], 0.1)),
    # -- gaps that pad an end
    ("NaN at the end", lambda: arrays(nan_at(V, T - 1, T - 2), I, 0.1), (V[:-2], I[:-2], 0.1)),
    ("NaN at the start, in the current", lambda: arrays(V, nan_at(I, 0, 1, 2), 0.1), (V[3:], I[3:], 0.1)),
    ("sweeps that are padded with NaN",
     lambda: arrays([V, nan_at(V, *range(600, T))], I, 0.1), ([V, V[:600]], [I, I[:600]], 0.1)),
    ("numpy: masked at the end", lambda: arrays(np.ma.masked_array(V, np.arange(T) > 990), I, 0.1), (V[:991], I[:991], 0.1)),
    ("astropy: masked at the end", lambda: arrays(Masked(V * au.mV, np.arange(T) > 990), I, 0.1), (V[:991], I[:991], 0.1)),
    ("numpy: nothing is masked", lambda: arrays(np.ma.masked_array(V, np.zeros(T)), I, 0.1), PLAIN),
    # -- parameters, steps and currents of a neuron
    ("parameters in units", lambda: AdExNeuron(tau_w=0.1 * ur.s, C=200 * ur.pF, g_L=12 * nS).codes,
     AdExNeuron(tau_w=100, C=0.2, g_L=0.012).codes),
    ("a resistance in MOhm, a dt in us", lambda: LIFNeuron(R_m=0.1 * 1000 * MOhm, dt=100 * au.us).codes, LIFNeuron(R_m=100).codes),
    ("a product of units", lambda: get_model("Izhikevich")(k=0.7 * nS / pq.mV).codes, get_model("Izhikevich")(k=0.0007).codes),
    ("a step of 800 pA", lambda: stepped(800 * ur.pA), stepped(0.8)),
    ("a step from an array of no dimension", lambda: stepped(np.array(0.8)), stepped(0.8)),
    ("run: a list in pA", lambda: ran((FIVE * 1000).tolist() * pq.pA), LIF),
    ("run: (N, T) is N currents from the initial state", lambda: ran([FIVE, FIVE]), ([LIF[0]] * 2, [LIF[1]] * 2)),
    ("simulate: a model by name, params in units",
     lambda: simulated({"tau_m": [5, 10] * ur.ms}, FIVE * 1000 * ur.pA), simulated({"tau_m": [5, 10]}, FIVE)),
    ("a board: a signal of neo in pA", lambda: on_board(neo_signal(FIVE * 1000, "pA")).voltage, LIF[0]),
    # -- models as classes, as names, one or several
    ("models: a class", lambda: resolve_models(LIFNeuron), [LIFNeuron]),
    ("models: a list of class, name and short name", lambda: resolve_models([LIFNeuron, "AdExNeuron", "hh"]),
     [LIFNeuron, AdExNeuron, HodgkinHuxleyNeuron]),
    ("models of a fit", lambda: FitOptions(models=[LIFNeuron]).to_dict(), FitOptions(models=["LIF"]).to_dict()),
    ("models of a fit from its dict", lambda: FitOptions.from_dict({"models": [LIFNeuron]}).models, (LIFNeuron,)),
    ("free by class", lambda: FitOptions(models=[LIFNeuron], free={LIFNeuron: ["V_peak"]}).free, {"LIFNeuron": ("V_peak",)}),
    ("options of a fit in units",
     lambda: FitOptions(step=100 * ur.us, fixed={"C": 200 * pq.pF}, bounds={"tau_w": [0.05, 0.3] * ur.s}).to_dict(),
     FitOptions(step=0.1, fixed={"C": 0.2}, bounds={"tau_w": (50, 300)}).to_dict()),
    ("features in units", lambda: extract_features(neo_signal(VOLTS, "V"), current=I * 1000 * pq.pA),
     extract_features(V, 0.1, I)),
    ("a resampling to 200 us", lambda: Recording.from_arrays(V, I, 0.1).resample(200 * pq.us).dt, 0.2),
]  # fmt: skip

RECORDING = Recording.from_arrays(V3, I3, 0.1)
NEURON = LIFNeuron()
NONE = FitResults()

# what a user does, the call, the class of the error, its sentence
REFUSED = [
    # -- a unit of something else, or one that is not understood
    ("voltage and current are exchanged (quantities)", lambda: arrays(I * pq.nA, V * pq.mV, 0.1),
     UsageError, "The voltage has the unit nA, which cannot be converted to mV."),
    ("voltage and current are exchanged (pint)", lambda: arrays(I * ur.nA, V * ur.mV, 0.1),
     UsageError, "The voltage has the unit nanoampere, which cannot be converted to mV."),
    ("the current is a density (astropy)", lambda: arrays(V, I * au.uA / au.cm**2, 0.1),
     UsageError, "The current has the unit uA / cm2, which cannot be converted to nA."),
    ("a voltage without a unit of its own (pint)", lambda: arrays(V * ur.dimensionless, I, 0.1),
     UsageError, "The voltage has the unit dimensionless, which cannot be converted to mV."),
    ("attrs['units'] of another kind (xarray)", lambda: arrays(xr.DataArray(V, attrs={"units": "nA"}), I, 0.1),
     UsageError, "The voltage has the unit nA, which cannot be converted to mV."),
    ("attrs['units'] that is no unit (xarray)", lambda: arrays(xr.DataArray(V, attrs={"units": "a.u."}), I, 0.1),
     UsageError, "The voltage has the unit a.u., which cannot be converted to mV."),
    ("a table whose columns have units (pandas)", lambda: arrays(frame(v="V", i="pA"), I, 0.1),
     UsageError, "The voltage is a table whose columns have units of their own: choose one of them."),
    ("a column in another unit (pandas)", lambda: arrays(V, frame(v="V", i="pA")["v"], 0.1),
     UsageError, "The current has the unit V, which cannot be converted to nA."),
    ("a conversion beside the unit (h5py)", lambda: arrays(dataset(V, unit="V", conversion=0.001), I, 0.1),
     UsageError, "The voltage has a conversion beside its unit: open its file with spikefab.read."),
    ("a data set with two variables (xarray)", lambda: arrays(xr.Dataset({"v": ("t", V)}), I, 0.1),
     UsageError, "The voltage must be numbers in mV, not an object of type Dataset."),
    ("spike times as voltage (neo)", lambda: arrays(neo.SpikeTrain([1, 2] * pq.ms, 9 * pq.ms), None, 0.1),
     UsageError, "The voltage has the unit ms, which cannot be converted to mV."),
    ("a segment as voltage (neo)", lambda: arrays(neo.Segment(), None, 0.1),
     UsageError, "The voltage must be numbers in mV, not an object of type Segment."),
    ("a signal of irregular times (neo)",
     lambda: arrays(neo.IrregularlySampledSignal([0, 1, 3] * pq.ms, [1, 2, 3] * pq.mV), None),
     UsageError, "a signal is sampled at irregular times: resample it with one time step."),
    ("a list with another unit in it (pint)", lambda: arrays([-65 * ur.mV, -65 * ur.nA], None, 0.1),
     UsageError, "The voltage has the unit nanoampere, which cannot be converted to mV."),
    ("a parameter in another unit (pint)", lambda: AdExNeuron(tau_w=100 * ur.mV),
     UsageError, "AdExNeuron: tau_w has the unit millivolt, which cannot be converted to ms."),
    ("a parameter without unit in a unit (quantities)", lambda: HodgkinHuxleyNeuron(phi_m=1 * pq.ms),
     UsageError, "HodgkinHuxleyNeuron: phi_m has the unit ms, and takes a number without a unit."),
    ("a step in mV", lambda: stepped(1 * pq.mV),
     UsageError, "the current of a step has the unit mV, which cannot be converted to nA."),
    ("a current in mV", lambda: ran(V * ur.mV),
     UsageError, "the current has the unit millivolt, which cannot be converted to nA."),
    ("simulate: a parameter in another unit", lambda: simulate(LIFNeuron, {"tau_m": 10 * ur.mV}, FIVE),
     UsageError, "LIFNeuron: tau_m has the unit millivolt, which cannot be converted to ms."),
    ("fixed in a unit that only some of the models have", lambda: FitOptions(fixed={"a": 4 * nS}),
     UsageError, "fixed a has different units in these models (1/ms, none, uS): give a number without unit."),
    ("fixed in another unit", lambda: FitOptions(fixed={"C": 1 * ur.mV}),
     UsageError, "fixed C has the unit millivolt, which cannot be converted to nF."),
    # -- time steps
    ("dt in seconds", lambda: arrays(V, I, 1e-4),
     UsageError, "dt = 0.0001 ms looks like seconds: in ms it is 0.1."),
    ("dt is a rate in Hz", lambda: arrays(V, I, 20_000),
     UsageError, "dt = 20000 ms looks like a rate in Hz: the step is 0.05 ms."),
    ("dt is a rate in kHz", lambda: arrays(V, I, 20),
     UsageError, "dt = 20 ms looks like a rate in kHz: the step is 0.05 ms."),
    ("dt is a rate with a unit (quantities)", lambda: arrays(V, I, 10 * pq.kHz),
     UsageError, "dt has the unit kHz, which cannot be converted to ms."),
    ("dt is a rate with a unit (pint)", lambda: arrays(V, I, 10 * ur.kHz),
     UsageError, "dt has the unit kilohertz, which cannot be converted to ms."),
    ("dt of a model in seconds", lambda: LIFNeuron(dt=1e-4),
     UsageError, "dt = 0.0001 ms looks like seconds: in ms it is 0.1."),
    ("dt of a simulation in seconds", lambda: simulate(LIFNeuron, {}, FIVE, dt=1e-4),
     UsageError, "dt = 0.0001 ms looks like seconds: in ms it is 0.1."),
    ("the step of a fit in seconds", lambda: FitOptions(step=1e-4),
     UsageError, "step = 0.0001 ms looks like seconds: in ms it is 0.1."),
    ("a resampling in seconds", lambda: RECORDING.resample(2e-4),
     UsageError, "dt = 0.0002 ms looks like seconds: in ms it is 0.2."),
    ("dt of a file in seconds", lambda: read("cell.csv", dt=1e-4),
     UsageError, "dt = 0.0001 ms looks like seconds: in ms it is 0.1."),
    ("dt is 0", lambda: arrays(V, I, 0),
     UsageError, "dt must be a positive number of ms, not 0."),
    ("dt is negative", lambda: arrays(V, I, -0.1),
     UsageError, "dt must be a positive number of ms, not -0.1."),
    ("dt is NaN", lambda: arrays(V, I, float("nan")),
     UsageError, "dt is one number in ms, not nan."),
    ("dt is text", lambda: arrays(V, I, "0.1"),
     UsageError, "dt is one number in ms, not '0.1'."),
    ("dt is the time axis", lambda: arrays(V, I, np.arange(T) * 0.1),
     UsageError, "dt is one number in ms, not an array of shape (1000,)."),
    ("dt is missing", lambda: arrays(V, I),
     UsageError, "dt is missing: the ms between two samples."),
    ("dt is not that of the signal (neo)", lambda: arrays(neo_signal(V, "mV", 20), I, 0.1),
     UsageError, "a signal is sampled every 0.05 ms, not every 0.1 ms: leave out dt, or resample it."),
    ("two signals with different steps (neo)", lambda: arrays(neo_signal(V, "mV"), neo_signal(I, "nA", 20)),
     UsageError, "a signal is sampled every 0.05 ms, not every 0.1 ms: leave out dt, or resample it."),
    ("a signal that does not have the neuron's step (neo)", lambda: ran(neo_signal(FIVE, "nA", 20)),
     UsageError, "the current is sampled every 0.05 ms, where a step lasts 0.1 ms: resample it."),
    # -- gaps
    ("NaN in the middle", lambda: arrays(nan_at(V, 500), I, 0.1),
     RecordingError, "The voltage is not a number at sample 500: cut or repair it first."),
    ("NaN in the middle of a sweep", lambda: arrays(V3, [I, nan_at(I, 9), I], 0.1),
     RecordingError, "The current is not a number at sample 9 of sweep 1: cut or repair it first."),
    ("a sample in the middle is masked", lambda: arrays(np.ma.masked_array(V, np.arange(T) == 500), I, 0.1),
     RecordingError, "The voltage is not a number at sample 500: cut or repair it first."),
    ("a sample in the middle is masked (astropy)", lambda: arrays(Masked(V * au.mV, np.arange(T) == 5), I, 0.1),
     RecordingError, "The voltage is not a number at sample 5: cut or repair it first."),
    ("infinity at the end", lambda: arrays(np.append(V[:-1], np.inf), I, 0.1),
     RecordingError, "The voltage is not a number at sample 999: cut or repair it first."),
    ("nothing but NaN", lambda: arrays(V * np.nan, I, 0.1),
     RecordingError, "There is no sample at which voltage and current are numbers."),
    ("everything is masked", lambda: arrays(np.ma.masked_all(T), I, 0.1),
     RecordingError, "There is no sample at which voltage and current are numbers."),
    ("None for a missing sample", lambda: arrays([-65.0, None, -65.0], None, 0.1),
     UsageError, "The voltage must be numbers in mV, not None."),
    ("run: NaN in the current", lambda: ran(nan_at(FIVE, 3)),
     UsageError, "the current is not a number at sample 3."),
    ("run: a masked current", lambda: ran(np.ma.masked_array(FIVE, np.arange(T) == 3)),
     UsageError, "the current is not a number at sample 3."),
    ("simulate: NaN in a current", lambda: simulate(LIFNeuron, {}, [FIVE, nan_at(FIVE, 3)]),
     UsageError, "the current is not a number at sample 3 of row 1."),
    ("step: NaN", lambda: stepped(float("nan")),
     UsageError, "the current of a step is one number in nA, not nan."),
    ("a parameter is NaN", lambda: LIFNeuron(tau_m=float("nan")),
     UsageError, "LIFNeuron: tau_m is one number in ms, not nan."),
    # -- shapes
    ("voltage and current of different lengths", lambda: arrays(V, I[:-1], 0.1),
     UsageError, "Sweep 0 has 1000 samples of voltage but 999 of current."),
    ("more sweeps of current than of voltage", lambda: arrays(V3[:2], I3, 0.1),
     UsageError, "There are 2 sweeps of voltage but 3 of current."),
    ("samples down the rows", lambda: arrays(V3.T, I3.T, 0.1),
     UsageError, "There are 1000 sweeps of 3 samples: transpose the array to (sweeps, T)."),
    ("samples down the rows of a table (pandas)", lambda: arrays(pd.DataFrame(V3.T), I3.T, 0.1),
     UsageError, "There are 1000 sweeps of 3 samples: transpose the array to (sweeps, T)."),
    ("three axes", lambda: arrays(np.zeros((2, 3, 4)), None, 0.1),
     UsageError, "The voltage must be an array of shape (T,) or (sweeps, T), not (2, 3, 4)."),
    ("one number", lambda: arrays(-65.0, 0.1, 0.1),
     UsageError, "The voltage must be an array of shape (T,) or (sweeps, T), not ()."),
    ("no samples", lambda: arrays([], [], 0.1),
     RecordingError, "The voltage is empty."),
    ("a sweep without samples", lambda: arrays([V, []], None, 0.1),
     RecordingError, "The voltage is empty."),
    ("run: samples down the rows", lambda: ran(np.stack([FIVE, FIVE]).T),
     UsageError, "There are 1000 currents of 2 samples: transpose the array to (currents, T)."),
    ("run: currents of different lengths", lambda: ran([FIVE, FIVE[:5]]),
     UsageError, "the current must be one array, not rows of different shapes, (1000,), (5,)."),
    ("run: three axes", lambda: ran(np.zeros((2, 3, 4))),
     UsageError, "the current must be (T,) or (N, T) nA, not (2, 3, 4)."),
    ("run: no samples", lambda: ran([]),
     UsageError, "the current must be (T,) or (N, T) nA, not (0,)."),
    ("run: one number", lambda: ran(0.5),
     UsageError, "the current must be (T,) or (N, T) nA, not ()."),
    ("ideal: samples down the rows", lambda: NEURON.ideal().run(np.stack([FIVE, FIVE]).T),
     UsageError, "There are 1000 currents of 2 samples: transpose the array to (currents, T)."),
    ("step: a whole current", lambda: stepped(FIVE),
     UsageError, "the current of a step is one number in nA, not an array of shape (1000,)."),
    ("simulate: no currents", lambda: simulate(LIFNeuron, {}, []),
     UsageError, "the current must be (T,) or (N, T) nA, not (0,)."),
    ("simulate: parameters of different lengths", lambda: simulate(LIFNeuron, {"tau_m": [5, 6], "R_m": [1, 2, 3]}, FIVE),
     UsageError, "LIFNeuron: parameters are numbers or arrays of one length, not tau_m (2,), R_m (3,)."),
    ("export: several currents", lambda: export_verilog(NEURON, [FIVE, FIVE], "out"),
     UsageError, "the current must be (T,) nA, not (2, 1000)."),
    ("verify: several currents", lambda: verify(NEURON, current=[FIVE, FIVE]),
     UsageError, "the current must be (T,) nA, not (2, 1000)."),
    # -- types
    ("voltage is text", lambda: arrays("cell.csv", I, 0.1),
     UsageError, "The voltage must be numbers in mV, not 'cell.csv'."),
    ("voltage is a list of texts", lambda: arrays(["-65", "-64"], None, 0.1),
     UsageError, "The voltage must be numbers in mV, not '-65'."),
    ("voltage is a mask", lambda: arrays(V > -65, I, 0.1),
     UsageError, "The voltage must be numbers in mV, not True and False."),
    ("voltage is complex", lambda: arrays(np.fft.fft(V), I, 0.1),
     UsageError, "The voltage must be numbers in mV, not complex numbers."),
    ("voltage is a dict", lambda: arrays({"v": V}, I, 0.1),
     UsageError, "The voltage must be numbers in mV, not an object of type dict."),
    ("voltage is a generator", lambda: arrays((v for v in V), I, 0.1),
     UsageError, "The voltage must be numbers in mV, not an object of type generator."),
    ("voltage is a table of records", lambda: arrays(np.zeros(9, [("t", float), ("v", float)]), None, 0.1),
     UsageError, "The voltage must be numbers in mV, not a table: choose a column, t or v."),
    ("run: text", lambda: ran("0.5"),
     UsageError, "the current must be numbers in nA, not '0.5'."),
    ("step: text", lambda: stepped("0.5"),
     UsageError, "the current of a step is one number in nA, not '0.5'."),
    ("step: True", lambda: stepped(True),
     UsageError, "the current of a step is one number in nA, not True."),
    ("a parameter is text", lambda: LIFNeuron(tau_m="10"),
     UsageError, "LIFNeuron: tau_m is one number in ms, not '10'."),
    ("a parameter is None", lambda: LIFNeuron(tau_m=None),
     UsageError, "LIFNeuron: tau_m is one number in ms, not None."),
    ("a parameter is a list", lambda: LIFNeuron(tau_m=[5, 10]),
     UsageError, "LIFNeuron: tau_m is one number in ms, not an array of shape (2,)."),
    ("word is text", lambda: LIFNeuron(word="18"),
     UsageError, "word '18' is not one of 16, 18, 24 bits."),
    ("i_span is text", lambda: LIFNeuron(i_span="4"),
     UsageError, "i_span is one number in nA, not '4'."),
    ("codes are a list", lambda: LIFNeuron(codes=[1, 2]),
     UsageError, "LIFNeuron needs a code for each of k_m, R_m, V_th, V_reset, E_L, n_ref, V_peak."),
    ("a code is a fraction", lambda: LIFNeuron(codes=dict.fromkeys(NEURON.codes, 0.5)),
     UsageError, "LIFNeuron: the code of k_m is a whole number, not 0.5."),
    ("the height of spikes is text", lambda: arrays(V, I, 0.1, spike_prominence="8"),
     UsageError, "The prominence of a spike is one number in mV, not '8'."),
    ("the height of spikes is negative", lambda: arrays(V, I, 0.1, spike_prominence=-8),
     UsageError, "The prominence of a spike must be a positive number of mV, not -8."),
    ("budget is a fraction", lambda: FitOptions(budget=0.5),
     UsageError, "budget and top_k must be whole numbers of at least 1."),
    ("weights are two", lambda: FitOptions(weights=(1, 2)),
     UsageError, "weights are three numbers of 0 or more, not all 0: of voltage, timing and count."),
    ("held_out is a list", lambda: FitOptions(held_out=[1]),
     UsageError, "held_out is one of auto, amplitudes, tail, none, not [1]."),
    ("fixed is a list", lambda: FitOptions(fixed=["C"]),
     UsageError, 'fixed takes a number for each parameter, such as {"E_L": -70}.'),
    ("bounds are one number", lambda: FitOptions(bounds={"C": 1}),
     UsageError, 'bounds takes two numbers for each parameter, such as {"tau_m": (5, 30)}.'),
    ("bounds are texts", lambda: FitOptions(bounds={"C": ("a", "b")}),
     UsageError, 'bounds takes two numbers for each parameter, such as {"tau_m": (5, 30)}.'),
    ("free is a text", lambda: FitOptions(free="C"),
     UsageError, "free takes names in a list, or lists by model, not the text 'C'."),
    ("options are a dict", lambda: fit(RECORDING, options={"word": 16}),
     UsageError, "options are FitOptions(...), not {'word': 16}: single ones are given by name."),
    ("an option that a fit does not have", lambda: fit(RECORDING, bugdet=5),
     UsageError, "a fit has no option 'bugdet': did you mean budget?"),
    ("callback is no function", lambda: fit(RECORDING, callback=5),
     UsageError, "callback is a function, not 5."),
    ("engine is a name", lambda: fit(RECORDING, engine="float64"),
     UsageError, "engine is a function, not 'float64'."),
    ("simulate: params are a list", lambda: simulate(LIFNeuron, [10], FIVE),
     UsageError, "params are values by name, such as {'tau_m': 10}, not [10]."),
    ("simulate: no spikes are kept", lambda: simulate(LIFNeuron, {}, FIVE, max_spikes=0),
     UsageError, "max_spikes is a whole number of 1 or more, not 0."),
    ("sweeps of a file as a number", lambda: read("cell.csv", sweeps=3),
     UsageError, "sweeps are a text such as 0,3-7, or numbers in a list, not 3."),
    ("sweeps of a file as fractions", lambda: read("cell.csv", sweeps=[0.5]),
     UsageError, "the number of a sweep is a whole number of 0 or more, not 0.5."),
    ("units of a file as a pair", lambda: read("cell.csv", units=("mV", "pA")),
     UsageError, "units is a text, not ('mV', 'pA')."),
    ("a path that is none", lambda: read(None),
     UsageError, "read takes the path of a file or folder, not None."),
    ("a file that is not there", lambda: read("nowhere.csv"),
     FileError, "nowhere.csv does not exist."),
    ("select: a number", lambda: RECORDING.select(0),
     UsageError, "select takes the numbers of sweeps in a list, not 0."),
    ("select: text", lambda: RECORDING.select("0,1"),
     UsageError, "select takes the numbers of sweeps in a list, not '0,1'."),
    ("select: a sweep that is not there", lambda: RECORDING.select([3]),
     UsageError, "arrays has no sweep 3: its sweeps are 0 to 2, counted in the order of the file."),
    ("select: a sweep from the end", lambda: RECORDING.select([-1]),
     UsageError, "the number of a sweep is a whole number of 0 or more, not -1."),
    ("select: no sweep", lambda: RECORDING.select([]),
     RecordingError, "No sweep of arrays is left after the selection."),
    ("compensated: the number of a sweep", lambda: RECORDING.compensated(0),
     UsageError, "compensated takes one of the recording's sweeps, not 0."),
    # -- order and names of arguments
    ("fit(voltage, current, dt)", lambda: fit(V, I, 0.1),
     UsageError, "fit: too many arguments without a name: voltage, current, dt, spike_prominence are given by name."),
    ("fit(voltage, current, dt, with an option)", lambda: fit(V, I, 0.1, models="LIF"),
     UsageError, "fit: too many arguments without a name: voltage, current, dt, spike_prominence are given by name."),
    ("fit(voltage)", lambda: fit(V),
     UsageError, "recording must be what spikefab.read gives, or a path: arrays go to voltage= and current=."),
    ("fit()", lambda: fit(),
     UsageError, "give fit either a recording, or voltage and current."),
    ("fit: voltage without current", lambda: fit(voltage=V, dt=0.1),
     UsageError, "fit needs the injected current (nA) beside the voltage (mV)."),
    ("fit: voltage and current without dt", lambda: fit(voltage=V, current=I),
     UsageError, "dt is missing: the ms between two samples."),
    ("Recording(voltage, current, dt)", lambda: Recording(V, I, 0.1),
     UsageError, "a Recording is made of sweeps: arrays go to Recording.from_arrays(voltage, current, dt)."),
    ("from_arrays(dt, voltage, current)", lambda: arrays(0.1, V, I),
     UsageError, "dt is one number in ms, not an array of shape (1000,)."),
    ("extract_features(voltage, current, dt)", lambda: extract_features(V, I, 0.1),
     UsageError, "dt is one number in ms, not an array of shape (1000,)."),
    ("extract_features: one name for a list", lambda: extract_features(V, 0.1, I, extra="mean_frequency"),
     UsageError, "extra takes names of features in a list, not 'mean_frequency'."),
    ("extract_features: a feature that is not there", lambda: extract_features(V, 0.1, I, extra=["rhobase"]),
     UsageError, "eFEL has no feature called rhobase: see efel.get_feature_names()."),
    ("recording_features of arrays", lambda: recording_features(V),
     UsageError, "features are those of a Recording, not of an object of type ndarray: see Recording.from_arrays."),
    ("f_i_curve of arrays", lambda: f_i_curve(V),
     UsageError, "an f-I curve is that of a Recording, not of an object of type ndarray."),
    ("recommend for a recording", lambda: recommend(RECORDING),
     UsageError, "recommend takes the features of a recording, not an object of type Recording: see recording_features."),
    ("recommend for the features of a sweep", lambda: recommend(extract_features(V, 0.1, I)),
     UsageError, "recommend takes what recording_features gives: the feature 'noise' is missing."),
    ("read: unit for units", lambda: read("cell.csv", unit="mV"),
     UsageError, "read: there is no argument 'unit': did you mean units?"),
    ("simulate: currents forgotten", lambda: simulate(LIFNeuron, FIVE),
     UsageError, "simulate: missing a required argument: 'currents'."),
    ("simulate: traces without a name", lambda: simulate(LIFNeuron, {}, FIVE, True),
     UsageError, "simulate: too many arguments without a name: dt, word, i_span, max_spikes are given by name."),
    ("run: no current", lambda: NEURON.run(),
     UsageError, "Neuron.run: missing a required argument: 'current'."),
    ("LIFNeuron(10)", lambda: LIFNeuron(10),
     UsageError, "parameters are given by name, such as LIFNeuron(tau_m=20, R_m=100)."),
    ("Neuron()", lambda: Neuron(),
     UsageError, "Neuron is what all models have in common: take one of them, such as LIFNeuron."),
    ("a parameter by a wrong name", lambda: LIFNeuron(tau=10),
     UsageError, "LIFNeuron has no parameter 'tau': did you mean tau_m?"),
    ("a parameter by its number", lambda: simulate(LIFNeuron, {0: 10}, FIVE),
     UsageError, "LIFNeuron has no parameter 0: it has tau_m, R_m, V_th, V_reset, E_L, t_ref, V_peak."),
    ("a setting that is not there", lambda: HodgkinHuxleyNeuron(kinetics="squid"),
     UsageError,
     "HodgkinHuxleyNeuron has no setting kinetics = squid: there are kinetics: 1952, traub-miles; m_current: False, True."),
    ("a parameter out of bounds: seconds for ms", lambda: LIFNeuron(tau_m=0.01),
     UsageError, "LIFNeuron: tau_m = 0.01 ms is outside 2..60 ms."),
    ("a current of pA without a unit", lambda: ran(FIVE * 1000),
     UsageError, "a current of 1500 nA is outside the input's span of 4 nA: make the model with a larger i_span."),
    ("word 32", lambda: LIFNeuron(word=32),
     UsageError, "word 32 is not one of 16, 18, 24 bits."),
    # -- models
    ("a model by a wrong name", lambda: resolve_models("Izikevich"),
     UsageError, "there is no model 'Izikevich': did you mean IzhikevichNeuron?"),
    ("a neuron for a model", lambda: simulate(LIFNeuron(), {}, FIVE),
     UsageError, "models takes the class of a model, LIFNeuron, and not a neuron, LIFNeuron(...)."),
    ("a neuron for a model, in a fit", lambda: fit(RECORDING, models=[LIFNeuron()]),
     UsageError, "models takes the class of a model, LIFNeuron, and not a neuron, LIFNeuron(...)."),
    ("a number for a model", lambda: fit(RECORDING, models=5),
     UsageError, "models are names or classes in a list, not 5."),
    ("a class that is no model", lambda: FitOptions(models=[int]),
     UsageError, "models takes a subclass of Neuron, not <class 'int'>."),
    ("Neuron for a model", lambda: simulate(Neuron, {}, FIVE),
     UsageError, "models takes a subclass of Neuron, not <class 'spikefab.hw.neuron.Neuron'>."),
    ("no model", lambda: FitOptions(models=[]),
     UsageError, f"no model was named: there are {', '.join(MODELS)}."),
    ("a model for a neuron: build", lambda: build(LIFNeuron, "icebreaker", "out"),
     UsageError, "LIFNeuron is a model: make a neuron of it, LIFNeuron(...)."),
    ("a model for a neuron: verify", lambda: verify(LIFNeuron),
     UsageError, "LIFNeuron is a model: make a neuron of it, LIFNeuron(...)."),
    ("a model for a neuron: export", lambda: export_verilog(LIFNeuron, None, "out"),
     UsageError, "LIFNeuron is a model: make a neuron of it, LIFNeuron(...)."),
    ("results for a neuron: connect", lambda: connect("sim:reference", NONE),
     UsageError, "this takes a neuron, such as LIFNeuron() or results.best.create_model(), not <FitResults of arrays: none>."),
    ("board: several currents", lambda: on_board([FIVE, FIVE]),
     UsageError, "the current must be (T,) nA, not (2, 1000)."),
    ("board: NaN in the current", lambda: on_board(nan_at(FIVE, 3)),
     UsageError, "the current is not a number at sample 3."),
    ("board: a current in mV", lambda: on_board(V * pq.mV),
     UsageError, "the current has the unit mV, which cannot be converted to nA."),
    ("board: a fraction of a bit of noise", lambda: on_board(FIVE, noise_bits=0.5),
     UsageError, "noise_bits is a whole number of 0 or more, not 0.5."),
    ("board: every third sample", lambda: on_board(FIVE, every=3),
     UsageError, "every = 3 is not one of 1, 4, 16, 256, 32768 steps."),
    ("board: a register that is not there", lambda: written("tau", 5),
     UsageError, "LIFNeuron has no register 'tau'."),
    ("board: a physical value for a code", lambda: written("k_m", 0.005),
     UsageError, "a code of k_m is a whole number, -131072 to 131071, not 0.005."),
    # -- boards, many files, results, the Studio
    ("a board that is not there", lambda: build(NEURON, "icebraker", "out"),
     UsageError, f"there is no board 'icebraker': did you mean icebreaker? the boards are {NAMES}, or give a file."),
    ("no board", lambda: build(NEURON, None, "out"),
     UsageError, f"there is no board None: the boards are {NAMES}, or give a file."),
    ("a clock as text", lambda: build(NEURON, "icebreaker", "out", clock_mhz="24"),
     UsageError, "clock_mhz is one number in MHz, not '24'."),
    ("a port as number", lambda: connect(0, NEURON),
     UsageError, "a port is a text, such as /dev/ttyUSB1 or sim, not 0."),
    ("a speed of the line as text", lambda: connect("sim:reference", NEURON, baud="fast"),
     UsageError, "baud is a whole number of 1 or more, not 'fast'."),
    ("fit_many without a folder", lambda: fit_many("cells"),
     UsageError, "fit_many needs a folder for its results: out=DIR."),
    ("fit_many of recordings", lambda: fit_many([RECORDING], out="out"),
     UsageError, "fit_many takes paths of files, not Recording: workers open them themselves."),
    ("fit_many of one recording", lambda: fit_many(RECORDING, out="out"),
     UsageError, "fit_many takes paths of files, which workers open themselves, in a list, not an object of type Recording."),
    ("fit_many: an executor that is none", lambda: fit_many("cells", 4, "out"),
     UsageError, "an executor has a method submit, and 4 has none."),
    ("fit_many: shard as on the command line", lambda: fit_many("cells", out="out", shard="1/2"),
     UsageError, "shard is two numbers, (i, N), not '1/2'."),
    ("fit_many: jobs as text", lambda: fit_many("cells", out="out", jobs="2"),
     UsageError, "jobs is a whole number of 1 or more, not '2'."),
    ("fit_many: reading as a list", lambda: fit_many("cell.csv", out="out", reading=["mV"]),
     UsageError, "reading has options of read by name, such as {'units': 'mV,pA'}, not ['mV']."),
    ("collect of what is no folder", lambda: collect("nowhere"),
     FileError, "nowhere is no folder of spikefab fit-many."),
    ("the best of no results", lambda: NONE.best,
     UsageError, "there are no results: no model was fitted."),
    ("a plot of no results", lambda: NONE.plot(),
     UsageError, "there are no results to plot."),
    ("a plot to a file", lambda: NONE.plot("fit.png"),
     UsageError, "FitResults.plot: too many positional arguments."),
    ("a report of no results", lambda: NONE.report("report.html"),
     UsageError, "there are no results to report."),
    ("save to no path", lambda: NONE.save(None),
     UsageError, "save takes the path of a file or folder, not None."),
    ("save to a place that cannot be", lambda: NONE.save("/dev/null/result.json"),
     FileError, "/dev/null/result.json cannot be written: File exists."),
    ("load of a file that is not there", lambda: FitResults.load("nowhere.json"),
     FileError, "nowhere.json cannot be read: No such file or directory."),
    ("load of a number", lambda: FitResults.load(5),
     UsageError, "load takes the path of a file or folder, not 5."),
    ("show: a folder that is none", lambda: show(5),
     UsageError, "folder takes the path of a file or folder, not 5."),
    ("show: a port as text", lambda: show("studio", port="http"),
     UsageError, "port is a whole number of 0 or more, not 'http'."),
]  # fmt: skip
