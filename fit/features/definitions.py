"""What each feature is called, its unit, and its definition.

This is the only place: the page docs/features.md, the tooltips of report and Studio and `spikefab features --help` show it.
"""

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Feature:
    """A feature: its name in tables and reports, its unit ("" for counts, shares and ratios), and its definition."""

    label: str
    unit: str
    definition: str


FEATURES: Mapping[str, Feature] = {
    "step": Feature(
        "current step",
        "nA",
        "Current during the stimulus minus the current before it, if the stimulus is a step. Of a sweep only.",
    ),
    "spike_count": Feature("spikes", "", "Number of spikes in all sweeps, during the stimulus or not."),
    "firing_rate": Feature(
        "firing rate",
        "Hz",
        "Number of spikes during the stimulus divided by its duration, over all sweeps that fire. After a pulse shorter than "
        "10 ms, spikes count until the end of the sweep.",
    ),
    "isi_cv": Feature(
        "CV of the intervals",
        "",
        "Standard deviation of the intervals between spikes divided by their mean: mean over the sweeps with at least three "
        "spikes during the stimulus. 0 is a clock, 1 is random (Poisson).",
    ),
    "adaptation_ratio": Feature(
        "last interval / first",
        "",
        "Last interval between spikes divided by the first: mean over the sweeps with at least three spikes during the "
        "stimulus. 1 is regular; above 1 the firing slows down.",
    ),
    "latency": Feature(
        "latency",
        "ms",
        "Time from the start of the stimulus to the first spike (the middle of its upstroke): median over the sweeps that fire.",
    ),
    "rheobase": Feature(
        "rheobase",
        "nA",
        "Weakest current step, counted from the current before it, at which the cell fires, while a weaker one leaves it "
        "silent; or the current of a ramp at the first spike. Of several sweeps only: one sweep has no rheobase, and neither "
        "have noise and pulses shorter than 10 ms.",
    ),
    "ap_height": Feature("spike height", "mV", "Peak of a spike minus its onset: median over spikes."),
    "ap_width": Feature(
        "spike width at half height",
        "ms",
        "Time that a spike spends above the middle between its onset and its peak: median over spikes.",
    ),
    "ap_threshold": Feature(
        "spike onset",
        "mV",
        "Voltage at which the upstroke of a spike reaches 10 V/s, its threshold: median over spikes.",
    ),
    "ahp_depth": Feature(
        "after-hyperpolarisation",
        "mV",
        "Onset of a spike minus the lowest voltage after it: before the next spike, within 100 ms (20 ms if the stimulus "
        "fluctuates or is a pulse), and before the stimulus ends; a spike within 20 ms of that end does not count. Median "
        "over spikes. (Measured from the resting potential, it is eFEL's AHP_depth.)",
    ),
    "v_rest": Feature(
        "resting potential",
        "mV",
        "Voltage before the stimulus (eFEL's voltage_base), under the holding current if there is one: median over sweeps. If "
        "the stimulus starts with the sweep, the 20th percentile of the voltage stands in.",
    ),
    "input_resistance": Feature(
        "input resistance",
        "MOhm",
        "Steady change of the voltage divided by the current step (eFEL's ohmic_input_resistance_vb_ssse): median over the "
        "hyperpolarising steps or, without these, over the steps that evoke no spikes.",
    ),
    "tau_m": Feature(
        "membrane time constant",
        "ms",
        "Time constant of the voltage after a step (eFEL's decay_time_constant_after_stim) or, if the sweep ends with the "
        "step, during it (time_constant): median over the steps of input_resistance.",
    ),
    "sag_ratio": Feature(
        "sag ratio",
        "",
        "Share of the largest deflection under the most hyperpolarising step that is gone at its end (eFEL's sag_ratio1). "
        "0 is no sag.",
    ),
    "peak_rate": Feature("highest firing rate", "Hz", "Firing rate of the sweep that fires fastest."),
    "fi_slope": Feature(
        "slope of the f-I curve",
        "Hz/nA",
        "Slope of a straight line through firing rate over current step, of the sweeps that fire; at least two currents.",
    ),
    "noise": Feature("fluctuating stimulus (1: yes)", "", "1 if the current fluctuates all the time, otherwise 0."),
    "constant": Feature(
        "firing sweeps under a step",
        "",
        "Share of the sweeps with at least three spikes whose stimulus is a step. Where it is low, intervals between spikes "
        "reflect the stimulus rather than the cell.",
    ),
    "bursts": Feature(
        "pauses among the intervals",
        "",
        "Share of the intervals between spikes that are at least twice as long as both their neighbours. 0 in regular and "
        "adapting firing, one half in doublets.",
    ),
    "block": Feature(
        "sweeps that end in a block",
        "",
        "Share of the firing sweeps in which the cell stops firing during the step while its voltage stays above the onset of "
        "its spikes (depolarisation block).",
    ),
    "rebound": Feature(
        "rebound after inhibition",
        "",
        "Share of the hyperpolarising steps with a spike within 300 ms after their end.",
    ),
    "resonance": Feature(
        "impedance, peak / 1 Hz",
        "",
        "Largest impedance within 1 to 60 Hz divided by the impedance at 1 Hz, from a fluctuating or oscillating current that "
        "evokes no spikes. 1 is a passive membrane.",
    ),
    "oscillation": Feature(
        "subthreshold rhythm, rms",
        "mV",
        "Root mean square of a rhythm of 4 to 100 Hz in the voltage under a step without spikes. 0 is no rhythm.",
    ),
}


def feature(name: str) -> Feature:
    """Label, unit and definition of a feature, by our name or, for a feature that is passed through, by eFEL's.

    A name that is neither may stand in a file of another version; its definition says that it is not known.
    """
    if name in FEATURES:
        return FEATURES[name]
    import efel.units

    try:
        unit = efel.units.get_unit(name)
    except KeyError:
        return Feature(name, "", "This version of spikefab knows no feature of this name.")
    return Feature(name, "" if unit == "constant" else unit, f"eFEL's {name}: mean of all values that it returns.")


def as_text() -> str:
    """All definitions as text for a terminal, as `spikefab features --help` shows them."""
    lines = ["features (docs/features.md; one that a recording does not show is -):"]
    for name, known in FEATURES.items():
        lines.append(f"  {name}: {known.label}{f', {known.unit}' if known.unit else ''}")
        lines += textwrap.wrap(known.definition, 100, initial_indent=" " * 6, subsequent_indent=" " * 6)
    return "\n".join(lines)
