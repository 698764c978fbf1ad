"""What users do: containers and units that spikefab understands, and mistakes with the sentence that each is answered with.

Two tables to be read from top to bottom, which `test_mistakes` runs: UNDERSTOOD has calls and what they give, REFUSED has calls
and the error, of which the text is shown whole. The libraries here are the real ones; spikefab imports none of them.
"""

import datetime
from decimal import Decimal

import astropy.units as au
import neo
import numpy as np
import pandas as pd
import pint
import quantities as pq
import xarray as xr
from astropy.utils.masked import Masked

from spikefab import AdExNeuron, HodgkinHuxleyNeuron, LIFNeuron, Recording, extract_features, fit_many, read, simulate
from spikefab.boards.build import build
from spikefab.boards.session import connect
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

T = 1000  # samples of 0.1 ms
V = (-65 + np.random.default_rng(0).normal(0, 1, T)).round(3)  # mV
I = np.where((np.arange(T) >= 200) & (np.arange(T) < 700), 0.1, 0.0)  # nA
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
    table = pd.DataFrame({"v": V / 1000, "i": I * 1000})
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


def simulated(params, current, **more):
    found = simulate(LIFNeuron, params, current, **more)
    return found.counts, found.spikes


FIVE = np.where(np.arange(T) < 100, 0.0, 1.5)  # nA, under which LIFNeuron fires
LIF = ran(FIVE)

# what a user does, the call, what it gives
UNDERSTOOD = [
    # -- units of voltage, current and time, by library
    ("quantities: V, pA and s", lambda: arrays(V / 1000 * pq.V, I * 1000 * pq.pA, 1e-4 * pq.s), PLAIN),
    ("quantities: mV, nA and ms", lambda: arrays(V * pq.mV, I * pq.nA, 0.1 * pq.ms), PLAIN),
    ("neo: signals in mV and pA, which know their dt", lambda: arrays(neo_signal(V, "mV"), neo_signal(I * 1000, "pA")), PLAIN),
    ("neo: the same, with the dt that they have", lambda: arrays(neo_signal(V, "mV"), neo_signal(I, "nA"), 0.1), PLAIN),
    ("neo: several channels are sweeps", lambda: arrays(neo_signal(V3, "mV"), neo_signal(I3, "nA")), ([*V3], [*I3], 0.1)),
    ("neo: a list with a signal a sweep", lambda: arrays([neo_signal(v, "mV") for v in V3], I3), ([*V3], [*I3], 0.1)),
    ("neo: a signal of the step, 10 kHz", lambda: ran(neo_signal(FIVE * 1000, "pA")), LIF),
    ("pint: V, pA and us", lambda: arrays(V / 1000 * ur.V, I * 1000 * ur.pA, 100 * ur.us), PLAIN),
    ("pint: a list with a unit an element", lambda: arrays([v * ur.mV for v in V], I), PLAIN),
    ("astropy: V, A and s", lambda: arrays(V / 1000 * au.V, I * 1e-9 * au.A, 1e-4 * au.s), PLAIN),
    ("xarray: attrs['units']", lambda: arrays(xr.DataArray(V / 1000, attrs={"units": "V"}), xr.DataArray(I), 0.1), PLAIN),
    ("xarray: volts and picoamperes in words",
     lambda: arrays(xr.DataArray(V, attrs={"units": "millivolts"}), xr.DataArray(I * 1000, attrs={"units": "pA"}), 0.1), PLAIN),
    ("xarray: pint inside", lambda: arrays(xr.DataArray(V / 1000 * ur.V), I, 0.1), PLAIN),
    ("xarray: time comes first", lambda: arrays(xr.DataArray(V3.T, dims=("time", "sweep")), I3, 0.1), ([*V3], [*I3], 0.1)),
    ("pandas: a Series without a unit", lambda: arrays(pd.Series(V), pd.Series(I, index=np.arange(T) * 0.1), 0.1), PLAIN),
    ("pandas: units by column", lambda: arrays(frame(v="V", i="pA")["v"], frame(v="V", i="pA")["i"], 0.1), PLAIN),
    ("numpy: dt as a time difference", lambda: arrays(V, I, np.timedelta64(100, "us")), PLAIN),
    ("pandas: dt as a time difference", lambda: arrays(V, I, pd.Timedelta("100us")), PLAIN),
    ("datetime: dt as a time difference", lambda: arrays(V, I, datetime.timedelta(microseconds=100)), PLAIN),
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
    # -- models as classes, as names, one or several
    ("models: a class", lambda: resolve_models(LIFNeuron), [LIFNeuron]),
    ("models: a list of class, name and short name", lambda: resolve_models([LIFNeuron, "AdExNeuron", "hh"]),
     [LIFNeuron, AdExNeuron, HodgkinHuxleyNeuron]),
    ("models of a fit", lambda: FitOptions(models=[LIFNeuron]).to_dict(), FitOptions(models=["LIF"]).to_dict()),
    ("free by class", lambda: FitOptions(models=[LIFNeuron], free={LIFNeuron: ["V_peak"]}).free, {"LIFNeuron": ("V_peak",)}),
    ("options of a fit in units",
     lambda: FitOptions(step=100 * ur.us, fixed={"C": 200 * pq.pF}, bounds={"tau_w": [0.05, 0.3] * ur.s}).to_dict(),
     FitOptions(step=0.1, fixed={"C": 0.2}, bounds={"tau_w": (50, 300)}).to_dict()),
    ("features in units", lambda: extract_features(neo_signal(V / 1000, "V"), current=I * 1000 * pq.pA),
     extract_features(V, 0.1, I)),
    ("a resampling to 200 us", lambda: Recording.from_arrays(V, I, 0.1).resample(200 * pq.us).dt, 0.2),
]  # fmt: skip

RECORDING = Recording.from_arrays(V3, I3, 0.1)
NEURON = LIFNeuron()
NONE = FitResults()

# what a user does, the call, the class of the error, its sentence
REFUSED = [
    # -- a unit of something else, or one that is not understood
    ("voltage and current are exchanged (quantities)", lambda: arrays(I * pq.nA, V * pq.mV, 0.1), _),
    ("voltage and current are exchanged (pint)", lambda: arrays(I * ur.nA, V * ur.mV, 0.1), _),
    ("the current is a density (astropy)", lambda: arrays(V, I * au.uA / au.cm**2, 0.1), _),
    ("a voltage without a unit of its own (pint)", lambda: arrays(V * ur.dimensionless, I, 0.1), _),
    ("attrs['units'] of another kind (xarray)", lambda: arrays(xr.DataArray(V, attrs={"units": "nA"}), I, 0.1), _),
    ("attrs['units'] that is no unit (xarray)", lambda: arrays(xr.DataArray(V, attrs={"units": "a.u."}), I, 0.1), _),
    ("a table whose columns have units (pandas)", lambda: arrays(frame(v="V", i="pA"), I, 0.1), _),
    ("a column in another unit (pandas)", lambda: arrays(V, frame(v="V", i="pA")["v"], 0.1), _),
    ("a data set with two variables (xarray)", lambda: arrays(xr.Dataset({"v": ("t", V)}), I, 0.1), _),
    ("spike times as voltage (neo)", lambda: arrays(neo.SpikeTrain([1, 2] * pq.ms, 9 * pq.ms), None, 0.1), _),
    ("a segment as voltage (neo)", lambda: arrays(neo.Segment(), None, 0.1), _),
    ("a signal of irregular times (neo)",
     lambda: arrays(neo.IrregularlySampledSignal([0, 1, 3] * pq.ms, [1, 2, 3] * pq.mV), None), _),
    ("a list with another unit in it (pint)", lambda: arrays([-65 * ur.mV, -65 * ur.nA], None, 0.1), _),
    ("a parameter in another unit (pint)", lambda: AdExNeuron(tau_w=100 * ur.mV), _),
    ("a parameter without unit in a unit (quantities)", lambda: HodgkinHuxleyNeuron(phi_m=1 * pq.ms), _),
    ("a step in mV", lambda: stepped(1 * pq.mV), _),
    ("a current in mV", lambda: ran(V * ur.mV), _),
    ("simulate: a parameter in another unit", lambda: simulate(LIFNeuron, {"tau_m": 10 * ur.mV}, FIVE), _),
    ("fixed in another unit", lambda: FitOptions(fixed={"C": 1 * ur.mV}), _),
    # -- time steps
    ("dt in seconds", lambda: arrays(V, I, 1e-4), _),
    ("dt is a rate in Hz", lambda: arrays(V, I, 20_000), _),
    ("dt is a rate in kHz", lambda: arrays(V, I, 20), _),
    ("dt is a rate with a unit (quantities)", lambda: arrays(V, I, 10 * pq.kHz), _),
    ("dt is a rate with a unit (pint)", lambda: arrays(V, I, 10 * ur.kHz), _),
    ("dt of a model in seconds", lambda: LIFNeuron(dt=1e-4), _),
    ("dt of a simulation in seconds", lambda: simulate(LIFNeuron, {}, FIVE, dt=1e-4), _),
    ("the step of a fit in seconds", lambda: FitOptions(step=1e-4), _),
    ("a resampling in seconds", lambda: RECORDING.resample(2e-4), _),
    ("dt of a file in seconds", lambda: read("cell.csv", dt=1e-4), _),
    ("dt is 0", lambda: arrays(V, I, 0), _),
    ("dt is negative", lambda: arrays(V, I, -0.1), _),
    ("dt is NaN", lambda: arrays(V, I, float("nan")), _),
    ("dt is text", lambda: arrays(V, I, "0.1"), _),
    ("dt is the time axis", lambda: arrays(V, I, np.arange(T) * 0.1), _),
    ("dt is missing", lambda: arrays(V, I), _),
    ("dt is not that of the signal (neo)", lambda: arrays(neo_signal(V, "mV", 20), I, 0.1), _),
    ("two signals with different steps (neo)", lambda: arrays(neo_signal(V, "mV"), neo_signal(I, "nA", 20)), _),
    ("a signal that does not have the neuron's step (neo)", lambda: ran(neo_signal(FIVE, "nA", 20)), _),
    # -- gaps
    ("NaN in the middle", lambda: arrays(nan_at(V, 500), I, 0.1), _),
    ("NaN in the middle of a sweep", lambda: arrays(V3, [I, nan_at(I, 9), I], 0.1), _),
    ("a sample in the middle is masked", lambda: arrays(np.ma.masked_array(V, np.arange(T) == 500), I, 0.1), _),
    ("a sample in the middle is masked (astropy)", lambda: arrays(Masked(V * au.mV, np.arange(T) == 5), I, 0.1), _),
    ("infinity at the end", lambda: arrays(np.append(V[:-1], np.inf), I, 0.1), _),
    ("nothing but NaN", lambda: arrays(V * np.nan, I, 0.1), _),
    ("everything is masked", lambda: arrays(np.ma.masked_all(T), I, 0.1), _),
    ("None for a missing sample", lambda: arrays([-65.0, None, -65.0], None, 0.1), _),
    ("run: NaN in the current", lambda: ran(nan_at(FIVE, 3)), _),
    ("run: a masked current", lambda: ran(np.ma.masked_array(FIVE, np.arange(T) == 3)), _),
    ("simulate: NaN in a current", lambda: simulate(LIFNeuron, {}, [FIVE, nan_at(FIVE, 3)]), _),
    ("step: NaN", lambda: stepped(float("nan")), _),
    ("a parameter is NaN", lambda: LIFNeuron(tau_m=float("nan")), _),
    # -- shapes
    ("voltage and current of different lengths", lambda: arrays(V, I[:-1], 0.1), _),
    ("more sweeps of current than of voltage", lambda: arrays(V3[:2], I3, 0.1), _),
    ("samples down the rows", lambda: arrays(V3.T, I3.T, 0.1), _),
    ("samples down the rows of a table (pandas)", lambda: arrays(pd.DataFrame(V3.T), I3.T, 0.1), _),
    ("three axes", lambda: arrays(np.zeros((2, 3, 4)), None, 0.1), _),
    ("one number", lambda: arrays(-65.0, 0.1, 0.1), _),
    ("no samples", lambda: arrays([], [], 0.1), _),
    ("a sweep without samples", lambda: arrays([V, []], None, 0.1), _),
    ("run: samples down the rows", lambda: ran(np.stack([FIVE, FIVE]).T), _),
    ("run: currents of different lengths", lambda: ran([FIVE, FIVE[:5]]), _),
    ("run: three axes", lambda: ran(np.zeros((2, 3, 4))), _),
    ("run: no samples", lambda: ran([]), _),
    ("run: one number", lambda: ran(0.5), _),
    ("ideal: samples down the rows", lambda: NEURON.ideal().run(np.stack([FIVE, FIVE]).T), _),
    ("step: a whole current", lambda: stepped(FIVE), _),
    ("simulate: no currents", lambda: simulate(LIFNeuron, {}, []), _),
    ("simulate: parameters of different lengths", lambda: simulate(LIFNeuron, {"tau_m": [5, 6], "R_m": [1, 2, 3]}, FIVE), _),
    ("export: several currents", lambda: export_verilog(NEURON, [FIVE, FIVE], "out"), _),
    ("verify: several currents", lambda: verify(NEURON, current=[FIVE, FIVE]), _),
    # -- types
    ("voltage is text", lambda: arrays("cell.csv", I, 0.1), _),
    ("voltage is a list of texts", lambda: arrays(["-65", "-64"], None, 0.1), _),
    ("voltage is a mask", lambda: arrays(V > -65, I, 0.1), _),
    ("voltage is complex", lambda: arrays(np.fft.fft(V), I, 0.1), _),
    ("voltage is a dict", lambda: arrays({"v": V}, I, 0.1), _),
    ("voltage is a generator", lambda: arrays((v for v in V), I, 0.1), _),
    ("voltage is a table of records", lambda: arrays(np.zeros(9, [("t", float), ("v", float)]), None, 0.1), _),
    ("run: text", lambda: ran("0.5"), _),
    ("step: text", lambda: stepped("0.5"), _),
    ("step: True", lambda: stepped(True), _),
    ("a parameter is text", lambda: LIFNeuron(tau_m="10"), _),
    ("a parameter is None", lambda: LIFNeuron(tau_m=None), _),
    ("a parameter is a list", lambda: LIFNeuron(tau_m=[5, 10]), _),
    ("word is text", lambda: LIFNeuron(word="18"), _),
    ("i_span is text", lambda: LIFNeuron(i_span="4"), _),
    ("codes are a list", lambda: LIFNeuron(codes=[1, 2]), _),
    ("a code is a fraction", lambda: LIFNeuron(codes=dict.fromkeys(NEURON.codes, 0.5)), _),
    ("the height of spikes is text", lambda: arrays(V, I, 0.1, spike_prominence="8"), _),
    ("the height of spikes is negative", lambda: arrays(V, I, 0.1, spike_prominence=-8), _),
    ("budget is a fraction", lambda: FitOptions(budget=0.5), _),
    ("weights are two", lambda: FitOptions(weights=(1, 2)), _),
    ("held_out is a list", lambda: FitOptions(held_out=[1]), _),
    ("fixed is a list", lambda: FitOptions(fixed=["C"]), _),
    ("bounds are one number", lambda: FitOptions(bounds={"C": 1}), _),
    ("bounds are texts", lambda: FitOptions(bounds={"C": ("a", "b")}), _),
    ("free is a text", lambda: FitOptions(free="C"), _),
    ("options are a dict", lambda: fit(RECORDING, options={"word": 16}), _),
    ("an option that a fit does not have", lambda: fit(RECORDING, bugdet=5), _),
    ("callback is no function", lambda: fit(RECORDING, callback=5), _),
    ("engine is a name", lambda: fit(RECORDING, engine="float64"), _),
    ("simulate: params are a list", lambda: simulate(LIFNeuron, [10], FIVE), _),
    ("simulate: no spikes are kept", lambda: simulate(LIFNeuron, {}, FIVE, max_spikes=0), _),
    ("sweeps of a file as a number", lambda: read("cell.csv", sweeps=3), _),
    ("sweeps of a file as fractions", lambda: read("cell.csv", sweeps=[0.5]), _),
    ("units of a file as a pair", lambda: read("cell.csv", units=("mV", "pA")), _),
    ("a path that is none", lambda: read(None), _),
    ("a file that is not there", lambda: read("nowhere.csv"), _),
    ("select: a number", lambda: RECORDING.select(0), _),
    ("select: text", lambda: RECORDING.select("0,1"), _),
    ("select: a sweep that is not there", lambda: RECORDING.select([3]), _),
    ("select: a sweep from the end", lambda: RECORDING.select([-1]), _),
    ("select: no sweep", lambda: RECORDING.select([]), _),
    ("compensated: the number of a sweep", lambda: RECORDING.compensated(0), _),
    # -- order and names of arguments
    ("fit(voltage, current, dt)", lambda: fit(V, I, 0.1), _),
    ("fit(voltage)", lambda: fit(V), _),
    ("fit()", lambda: fit(), _),
    ("fit: voltage without current", lambda: fit(voltage=V, dt=0.1), _),
    ("fit: voltage and current without dt", lambda: fit(voltage=V, current=I), _),
    ("Recording(voltage, current, dt)", lambda: Recording(V, I, 0.1), _),
    ("from_arrays(dt, voltage, current)", lambda: arrays(0.1, V, I), _),
    ("extract_features(voltage, current, dt)", lambda: extract_features(V, I, 0.1), _),
    ("extract_features: one name for a list", lambda: extract_features(V, 0.1, I, extra="mean_frequency"), _),
    ("extract_features: a feature that is not there", lambda: extract_features(V, 0.1, I, extra=["rhobase"]), _),
    ("recording_features of arrays", lambda: recording_features(V), _),
    ("f_i_curve of arrays", lambda: f_i_curve(V), _),
    ("recommend for a recording", lambda: recommend(RECORDING), _),
    ("recommend for the features of a sweep", lambda: recommend(extract_features(V, 0.1, I)), _),
    ("read: unit for units", lambda: read("cell.csv", unit="mV"), _),
    ("simulate: currents forgotten", lambda: simulate(LIFNeuron, FIVE), _),
    ("simulate: traces without a name", lambda: simulate(LIFNeuron, {}, FIVE, True), _),
    ("run: no current", lambda: NEURON.run(), _),
    ("LIFNeuron(10)", lambda: LIFNeuron(10), _),
    ("Neuron()", lambda: Neuron(), _),
    ("a parameter by a wrong name", lambda: LIFNeuron(tau=10), _),
    ("a setting that is not there", lambda: HodgkinHuxleyNeuron(kinetics="squid"), _),
    ("a parameter out of bounds: seconds for ms", lambda: LIFNeuron(tau_m=0.01), _),
    ("a current of pA without a unit", lambda: ran(FIVE * 1000), _),
    ("word 32", lambda: LIFNeuron(word=32), _),
    # -- models
    ("a model by a wrong name", lambda: resolve_models("Izikevich"), _),
    ("a neuron for a model", lambda: simulate(LIFNeuron(), {}, FIVE), _),
    ("a neuron for a model, in a fit", lambda: fit(RECORDING, models=[LIFNeuron()]), _),
    ("a number for a model", lambda: fit(RECORDING, models=5), _),
    ("a class that is no model", lambda: FitOptions(models=[int]), _),
    ("Neuron for a model", lambda: simulate(Neuron, {}, FIVE), _),
    ("no model", lambda: FitOptions(models=[]), _),
    ("a model for a neuron: build", lambda: build(LIFNeuron, "icebreaker", "out"), _),
    ("a model for a neuron: verify", lambda: verify(LIFNeuron), _),
    ("a model for a neuron: export", lambda: export_verilog(LIFNeuron, None, "out"), _),
    ("results for a neuron: connect", lambda: connect("sim:reference", NONE), _),
    # -- boards, many files, results, the Studio
    ("a board that is not there", lambda: build(NEURON, "icebraker", "out"), _),
    ("no board", lambda: build(NEURON, None, "out"), _),
    ("a clock as text", lambda: build(NEURON, "icebreaker", "out", clock_mhz="24"), _),
    ("a port as number", lambda: connect(0, NEURON), _),
    ("a speed of the line as text", lambda: connect("sim:reference", NEURON, baud="fast"), _),
    ("fit_many without a folder", lambda: fit_many("cells"), _),
    ("fit_many of recordings", lambda: fit_many([RECORDING], out="out"), _),
    ("fit_many of one recording", lambda: fit_many(RECORDING, out="out"), _),
    ("fit_many: an executor that is none", lambda: fit_many("cells", 4, "out"), _),
    ("fit_many: shard as on the command line", lambda: fit_many("cells", out="out", shard="1/2"), _),
    ("fit_many: jobs as text", lambda: fit_many("cells", out="out", jobs="2"), _),
    ("fit_many: reading as a list", lambda: fit_many("cell.csv", out="out", reading=["mV"]), _),
    ("collect of what is no folder", lambda: collect("nowhere"), _),
    ("the best of no results", lambda: NONE.best, _),
    ("a plot of no results", lambda: NONE.plot(), _),
    ("a report of no results", lambda: NONE.report("report.html"), _),
    ("save to no path", lambda: NONE.save(None), _),
    ("save to a place that cannot be", lambda: NONE.save("/dev/null/result.json"), _),
    ("load of a file that is not there", lambda: FitResults.load("nowhere.json"), _),
    ("load of a number", lambda: FitResults.load(5), _),
    ("show: a folder that is none", lambda: show(5), _),
    ("show: a port as text", lambda: show("studio", port="http"), _),
]  # fmt: skip
