"""Reads the parameters of a GLIF model from a file of the Allen Cell Types Database.

The file is the JSON (`neuron_config.json`) from which the AllenSDK makes a neuron: values in SI units, with factors (`coeffs`)
beside them and the names of the rules by which the neuron moves. The whole may be the value of the number of the model.
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spikefab.errors import FileError, shortened
from spikefab.shapes import load_json

MILLI = 1e3  # of a value in V or s, in mV or ms; also of a resistance in GOhm
# rule -> names that it may have, in the AllenSDK and in files
KNOWN = {
    "voltage_dynamics_method": ("linear_forward_euler", "linear_exact"),
    "voltage_reset_method": ("zero", "v_before"),
    "threshold_dynamics_method": ("inf", "spike_component", "three_components_exact"),
    "threshold_reset_method": ("inf", "three_components"),
    "AScurrent_dynamics_method": ("none", "exp"),
    "AScurrent_reset_method": ("none", "sum"),
}
ONE_BY_ONE = ("a", "b", "C", "G", "th_inf")  # factors of single values
DETAILED = {"passive", "genome", "conditions", "biophys"}  # keys at the top of a biophysical model of the atlas


def is_allen(content: Any) -> bool:
    """Whether JSON is, at first sight, a GLIF model of the atlas."""
    return isinstance(content, Mapping) and any(
        isinstance(part, Mapping) and {"El", "th_inf", "coeffs"} <= part.keys() for part in (content, *content.values())
    )


def read(path: Path) -> dict[str, Any]:
    """The parameters and settings of a GLIFNeuron, by name, in a file of the atlas. Raises FileError."""
    try:
        content = load_json(path)
    except OSError as error:
        raise FileError(f"{path} cannot be opened: {error.strerror}.") from None
    except ValueError as error:
        raise FileError(f"{path} is no JSON, in which the atlas has its models: {error}.") from None
    return _Config(path, content).neuron()


class _Config:
    """The content of a file. Its methods return values of the right kind, or raise FileError with the name of what is wrong."""

    def __init__(self, path: Path, content: Any):
        self.path = path
        if not isinstance(content, dict):
            raise self.wrong(f"is no GLIF model but {shortened(content)}")
        models = {k: v for k, v in content.items() if k.isdecimal() and isinstance(v, dict)}
        if len(models) > 1:
            raise self.wrong(f"has {len(models)} models ({', '.join(models)}): leave one of them in it")
        self.all: Mapping[str, Any] = next(iter(models.values()), content)
        if DETAILED & self.all.keys() and "El" not in self.all:
            raise self.wrong("is a biophysical model, with dendrites: only GLIF models of the atlas can be read")
        if self.all.get("type", "GLIF") != "GLIF":
            raise self.wrong(f"is a model of type {shortened(self.all['type'])}: only GLIF models can be read")

    def neuron(self) -> dict[str, Any]:
        factors = self.factors()
        rules = {rule: self.rule(rule) for rule in KNOWN}
        self.agree(rules)
        if self.number("El") != 0:
            raise self.wrong(f"has El = {self.number('El'):g}, where the atlas counts voltages from rest, El = 0")
        R, C = self.number("R_input", above=0), self.number("C", above=0)
        R, C = R / factors["G"], C * factors["C"]
        # The AllenSDK computes the next step from the reset state after spike_cut_length steps; the first of these is the
        # step of the spike itself.
        cut = self.number("spike_cut_length", least=0) - 1
        found: dict[str, Any] = {
            "E_L": MILLI * self.number("El_reference"),
            "R_m": R / 1e6,
            "tau_m": MILLI * R * C,
            "omega": MILLI * self.number("th_inf") * factors["th_inf"],
            "t_ref": max(0.0, MILLI * cut * self.number("dt", above=0)),
        }
        if rules["voltage_reset_method"] == "v_before":
            found["f_v"] = self.of_rule("voltage_reset_method", "a")
            found["d_v"] = -MILLI * self.of_rule("voltage_reset_method", "b")
        threshold = rules["threshold_dynamics_method"]
        if threshold != "inf":
            found["a_s"] = MILLI * self.of_rule("threshold_dynamics_method", "a_spike")
            found["b_s"] = self.of_rule("threshold_dynamics_method", "b_spike") / MILLI
        if threshold == "three_components_exact":
            found["b_v"] = self.of_rule("threshold_dynamics_method", "b_voltage") * factors["b"] / MILLI
            found["a_v"] = self.of_rule("threshold_dynamics_method", "a_voltage") * factors["a"] / MILLI
        if rules["AScurrent_dynamics_method"] == "exp":
            found |= self.currents()
        settings = {
            "voltage_reset": "rules" if rules["voltage_reset_method"] == "v_before" else "rest",
            "after_spike_currents": "two" if "tau_1" in found else "none",
            "spike_threshold": "one" if "a_s" in found else "none",
            "voltage_threshold": "linear" if "a_v" in found else "none",
        }
        return settings | found

    def currents(self) -> dict[str, float]:
        found: dict[str, float] = {}
        amplitudes, taus = self.pair(self.all, "asc_amp_array"), self.pair(self.all, "asc_tau_array")
        factors = self.pair(self.all.get("coeffs", {}), "asc_amp_array", "coeffs.asc_amp_array", (1.0, 1.0))
        rests = self.pair(self.params("AScurrent_reset_method"), "r", "AScurrent_reset_method.params.r")
        for k, (a, tau, factor, left) in enumerate(zip(amplitudes, taus, factors, rests, strict=True), 1):
            found |= {f"tau_{k}": MILLI * tau, f"a_{k}": 1e9 * a * factor, f"f_{k}": left}
        return found

    def agree(self, rules: Mapping[str, str]) -> None:
        """Two rules that the AllenSDK names apart must be of one kind: what a spike adds, and how it decays."""
        for decays, adds, without in (
            ("threshold_dynamics_method", "threshold_reset_method", "inf"),
            ("AScurrent_dynamics_method", "AScurrent_reset_method", "none"),
        ):
            if (rules[decays] == without) != (rules[adds] == without):
                raise self.wrong(f"has {decays} {rules[decays]} with {adds} {rules[adds]}, which do not go together")

    def factors(self) -> dict[str, float]:
        given = self.all.get("coeffs", {})
        if not isinstance(given, dict):
            raise self.wrong(f"has no factors in coeffs but {shortened(given)}")
        found = {name: self.checked(given.get(name, 1), f"coeffs.{name}") for name in ONE_BY_ONE}
        for name in ("C", "G"):
            if found[name] <= 0:
                raise self.wrong(f"has coeffs.{name} = {found[name]:g}, which must be above 0")
        return found

    def rule(self, name: str) -> str:
        rule = self.all.get(name)
        found = rule.get("name") if isinstance(rule, dict) else None
        if found is None:
            raise self.wrong(f"has no {name} with a name, as GLIF models of the atlas have")
        if found not in KNOWN[name]:
            raise self.wrong(f"has the {name} {shortened(found)}: known are {', '.join(KNOWN[name])}")
        return str(found)

    def params(self, rule: str) -> Mapping[str, Any]:
        found = self.all[rule].get("params", {})
        if not isinstance(found, dict):
            raise self.wrong(f"has no parameters in {rule}.params but {shortened(found)}")
        return found

    def of_rule(self, rule: str, name: str) -> float:
        params = self.params(rule)
        if name not in params:
            raise self.wrong(f"has no {rule}.params.{name}")
        return self.checked(params[name], f"{rule}.params.{name}")

    def pair(
        self, where: Any, name: str, shown: str | None = None, default: tuple[float, float] | None = None
    ) -> list[float]:
        shown = shown or name
        found = where.get(name, default)
        if not isinstance(found, list | tuple) or len(found) != 2:
            raise self.wrong(f"has no {shown} of two numbers, one for each after-spike current")
        return [self.checked(x, shown) for x in found]

    def number(self, name: str, above: float = -math.inf, least: float = -math.inf) -> float:
        if name not in self.all:
            raise self.wrong(f"has no {name}, as GLIF models of the atlas have")
        value = self.checked(self.all[name], name)
        if not (value > above and value >= least):
            limit = f"above {above:g}" if value <= above else f"at least {least:g}"
            raise self.wrong(f"has {name} = {value:g}, which must be {limit}")
        return value

    def checked(self, value: Any, name: str) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.wrong(f"has {shortened(value)} for {name}, which is a number")
        try:
            found = float(value)
        except OverflowError:
            found = math.inf
        if not math.isfinite(found):
            raise self.wrong(f"has a number for {name} that no cell can have")
        return found

    def wrong(self, what: str) -> FileError:
        return FileError(f"{self.path} {what}.")
