"""What a fit returns: one result a model, ranked, each able to simulate, verify, build and export itself."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spikefab.hw.datapath import datapath
from spikefab.hw.errors import FileError
from spikefab.hw.models import get_model
from spikefab.hw.neuron import Neuron

if TYPE_CHECKING:
    from .task import Task

SCHEMA = 1


@dataclass(eq=False, repr=False)
class FitResult:
    """One model, fitted.

    `settings` are the model's structural choices, such as the kinetics. `params` are physical values, exactly those that
    the integers `codes` stand for in `formats`. `train`, `held_out` and `ideal` (the same parameters in float64; None where
    the fit was interrupted before) hold the scores; `rmse` is over every sample of every sweep, so that re-simulating gives
    it; `masked_rmse`, `spike_timing_error`, `combined_score` and `gamma` are the held-out ones (the training ones where
    nothing was held out). A result loaded from a file has no traces.
    """

    model_name: str
    settings: dict[str, Any]
    params: dict[str, float]
    codes: dict[str, int]
    initial: list[dict[str, int]]
    word: int
    dt: float
    i_span: float
    train: dict[str, Any]
    held_out: dict[str, Any] | None
    ideal: dict[str, Any]
    currents: list[np.ndarray] = field(default_factory=list)
    voltages: list[np.ndarray] = field(default_factory=list)
    spikes: list[np.ndarray] = field(default_factory=list)
    data: list[np.ndarray] = field(default_factory=list)
    stored_rmse: float | None = None

    @property
    def validated(self) -> bool:
        """Whether it was judged on data that it had not seen."""
        return self.held_out is not None

    @property
    def judged(self) -> dict[str, Any]:
        """The scores it is ranked by: held-out, or training where nothing was held out."""
        return self.held_out or self.train

    @property
    def rmse(self) -> float:
        """mV, over the whole recording, spikes and all."""
        if self.stored_rmse is not None:
            return self.stored_rmse
        return float(np.sqrt(np.mean(np.square(np.concatenate(self.data) - np.concatenate(self.voltages)))))

    @property
    def masked_rmse(self) -> float | None:
        return self.judged["masked_rmse"]

    @property
    def spike_timing_error(self) -> float:
        return self.judged["spike_timing_error"]

    @property
    def combined_score(self) -> float:
        return self.judged["combined_score"]

    @property
    def gamma(self) -> float | None:
        return self.judged["gamma"]

    @property
    def formats(self) -> dict[str, str]:
        return self._datapath.formats

    @property
    def current(self) -> Any:
        """nA, as resampled: (T,) for one sweep, else a list of one array a sweep."""
        return self.currents[0] if len(self.currents) == 1 else self.currents

    @property
    def simulated_voltage(self) -> Any:
        """mV, of the fixed-point model over `current`: (T,) for one sweep, else a list."""
        return self.voltages[0] if len(self.voltages) == 1 else self.voltages

    @property
    def model(self) -> type[Neuron]:
        """The class of the neuron, in the variant that was fitted."""
        return get_model(self.model_name).variant(**self.settings)

    @property
    def _datapath(self):
        return datapath(self.model, self.word, self.dt, self.i_span)

    def create_model(self, sweep: int = 0) -> Neuron:
        """The fitted neuron, in the state in which `sweep` begins; `reset()` returns to it."""
        return self.model(codes=self.codes, initial=self.initial[sweep], word=self.word, dt=self.dt, i_span=self.i_span)

    def verify(self, **options: Any) -> list[dict[str, Any]]:
        """Run the hardware against the reference (`spikefab.sim.verify.verify`); raises MismatchError if they differ."""
        from spikefab.sim.verify import require_exact, verify

        current = self.currents[0] if self.currents else None
        checks = verify(self.create_model(), **{"current": current, **options})
        require_exact(checks)
        return checks

    def build(self, board: str, out_dir: str | Path = "build", **options: Any) -> Any:
        """Synthesise, place, route and pack for a board (`spikefab.boards.build.build`)."""
        from spikefab.boards.build import build

        return build(self.create_model(), board, Path(out_dir), **options)

    def to_verilog(self) -> str:
        """One self-contained Verilog file with this neuron's codes as reset values."""
        from spikefab.hw.verilog import to_verilog

        return to_verilog(self.create_model())

    def to_dict(self) -> dict[str, Any]:
        """For `result.json`: numbers, names, None; no arrays, no time stamps."""
        names = "model_name settings params codes formats initial word dt i_span rmse masked_rmse spike_timing_error"
        names += " combined_score gamma validated train held_out ideal"
        return {name: getattr(self, name) for name in names.split()} | {"scheme": self.model.scheme}

    @classmethod
    def from_dict(cls, d: dict[str, Any]) -> "FitResult":
        names = "model_name settings params codes initial word dt i_span train held_out ideal"
        return cls(**{name: d[name] for name in names.split()}, stored_rmse=d["rmse"])

    def __repr__(self) -> str:
        kind = "held-out" if self.validated else "training"
        return f"<FitResult {self.model_name}: {kind} score {self.combined_score:.3f}, rmse {self.rmse:.2f} mV>"


class FitResults(list[FitResult]):
    """Results in order of rank, with the task that they are about."""

    def __init__(self, task: "Task | None" = None, settings: dict[str, Any] | None = None):
        super().__init__()
        self.task = task
        self.settings = settings or {}
        self.input: dict[str, Any] | None = None if task is None else _about(task)
        self.interrupted = False
        self.evaluations: dict[str, int] = {}

    @property
    def best(self) -> FitResult:
        return self[0]

    def to_dict(self) -> dict[str, Any]:
        """The content of `result.json`; a rerun with the same seed gives the same bytes."""
        return {
            "schema": SCHEMA,
            "results": [r.to_dict() for r in self],
            "input": self.input,
            "settings": self.settings,
            "evaluations": self.evaluations,
            "interrupted": self.interrupted,
        }

    def save(self, path: str | Path) -> Path:
        """Write `result.json` to a file, whole or not at all."""
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(path.suffix + ".part")
        part.write_text(json.dumps(self.to_dict(), indent=1, allow_nan=False) + "\n")
        part.replace(path)
        return path

    @classmethod
    def load(cls, path: str | Path) -> "FitResults":
        """Results from `result.json` (or the folder that holds it), without traces."""
        path = Path(path)
        path = path / "result.json" if path.is_dir() else path
        try:
            content = json.loads(path.read_text())
            results = cls(settings=content["settings"])
            results.input, results.interrupted = content["input"], content["interrupted"]
            results.evaluations = content["evaluations"]
            results.extend(FitResult.from_dict(d) for d in content["results"])
        except OSError as error:
            raise FileError(f"{path} cannot be read: {error.strerror}.") from None
        except (ValueError, KeyError, TypeError):
            raise FileError(f"{path} is not a result.json of spikefab fit.") from None
        return results

    def __repr__(self) -> str:
        return "\n".join(f"{k}. {result!r}" for k, result in enumerate(self, 1)) or "<no results>"


def _about(task: "Task") -> dict[str, Any]:
    """What was fitted, for `result.json`."""
    recording = task.recording
    return {
        "source": Path(recording.source).name,
        "sha256": recording.sha256,
        "sweeps": len(recording.sweeps),
        "dt": recording.dt,
        "current_origin": recording.current_origin,
        "i_span": task.i_span,
        "split": task.split.how,
        "held_out": sorted({p.sweep for p in task.split.held_out}),
        "notes": list(task.notes),
    }
