"""The commands that compute something: fit, verify, build, export."""

import os
import shlex
import time
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spikefab import interrupts
from spikefab.console import Screen, number
from spikefab.errors import FileError, RecordingError, UsageError
from spikefab.fit.scoring.rules import WEIGHTS

if TYPE_CHECKING:
    from spikefab.boards.population import Crowd
    from spikefab.fit.options import FitOptions
    from spikefab.fit.report.folder import OutputFolder
    from spikefab.fit.results import FitResult, FitResults
    from spikefab.hw.neuron import Neuron


def fit(args: Namespace, screen: Screen) -> int:
    from spikefab.fit.flags import options_of, reading_of
    from spikefab.fit.recordings.readers import read
    from spikefab.fit.report.folder import OutputFolder

    out = None if args.out is None else OutputFolder(args.out)
    started = time.monotonic()
    recording = read(args.file, **reading_of(args))
    options = options_of(args)
    if out is None:
        screen.notice("the results are shown and not kept: add --out DIR to keep them.")
    with interrupts.deferred():
        results, timings = run_fit(screen, recording, options=options, journal=args.journal)
        if not results:
            raise KeyboardInterrupt
        timings["total"] = round(time.monotonic() - started, 3)
        try:
            deliver(screen, results, None if out is None else lambda: out.save_fit(results, timings))
        finally:
            screen.result(results.to_dict())
    if out is not None:
        screen.heading(f"Written to {out.path}: {', '.join(out.written)}")
        folder = shlex.quote(str(out.path))
        for step in next_steps(results, folder):
            screen.say(step)
    return ended(screen, results, out)


def ended(screen: Screen, results: "FitResults", out: "OutputFolder | None", early: bool = False) -> int:
    """The exit code of a fit. If it was interrupted, or (`early`) what came after it, it is said what was kept."""
    if not (results.interrupted or interrupts.arrived() or early):
        return 0
    what = "the best so far" if results.interrupted else "the finished fit"
    kept = f"{what} is in {out.path}" if out is not None else "nothing was saved, as --out was not given"
    screen.err.print(f"spikefab: interrupted; {kept}.", soft_wrap=True)
    return interrupts.exit_code()


def deliver(screen: Screen, results: "FitResults", save: Callable[[], None] | None) -> None:
    """Show and save the results. One is done even if the other fails: the disk may be full, the reader of a pipe gone."""
    try:
        show_fit(screen, results)
    finally:
        if save is not None:
            save()


def next_steps(results: "FitResults", folder: str) -> list[str]:
    """The commands that follow a fit whose results are in `folder`; a fit that failed is followed by none.

    A fit failed if its best model is no better than a flat line without spikes.
    """
    from spikefab.boards.table import suited

    best = results.best.judged
    weights = results.settings.get("weights", WEIGHTS)
    # a flat line without spikes has 1 in all three scores, but 0 in timing and count if the cell does not fire
    flat = 1.0 if best.spikes_data else weights[0] / sum(weights)
    if not best.combined_score < flat:
        return ["No model is better than a flat line: look at the recording before building one (spikefab info)."]
    target = results.options.board
    board = suited(results.best.word).name if target is None else shlex.quote(target.path)
    return [f"  spikefab verify {folder}", f"  spikefab build {folder} --board {board}"]


def run_fit(screen: Screen, recording: Any, options: "FitOptions", **more: Any) -> "tuple[FitResults, dict[str, Any]]":
    """Run a fit with its progress on stderr. Returns the results, and the seconds that each model took."""
    from spikefab.fit import fit as fit_models
    from spikefab.fit.search.clock import FitClock
    from spikefab.fit.target import suited

    options = suited(options, screen.notice)
    with interrupts.interruptible():
        features = _recommend(screen, recording, options.anyway)
    clock = FitClock(options)
    with screen.fitting(clock) as shown:
        results = fit_models(
            recording, progress=shown, portion=clock.portion, notice=screen.notice, options=options, **more
        )
    if features:
        results.features = features  # those that were shown: of the recording with its own sample step
    return results, {"models": {model: round(s, 3) for model, s in clock.seconds.items()}}


def _recommend(screen: Screen, recording: Any, anyway: bool) -> dict[str, float]:
    """The features of a recording, with a notice about the recommended models; empty if the recording cannot be fitted."""
    from spikefab.fit.features.extract import recording_features
    from spikefab.fit.features.recommend import advice, recommend

    try:
        recording.require_fit(anyway)
    except RecordingError:
        return {}  # the fit will raise the same error
    features = recording_features(recording)
    screen.notice(advice(recommend(features)))
    return features


def show_fit(screen: Screen, results: "FitResults") -> None:
    """Print the ranking between floor and ceiling, and the parameters of the best model."""
    from spikefab.fit.report.board_table import board_sentences, board_table
    from spikefab.fit.report.scale_words import levels, scale_sentences

    how = results.task.split.how if results.task else ""
    validated = results.best.validated
    scored = ("held out", "training", "float64", "voltage", "timing", "count", "spikes", "masked mV", "gamma")
    headers = ("", "model", *scored)
    rows: list[tuple[str, ...]] = []
    for rank, r in enumerate(results, 1):
        s, ideal = r.judged, r.judged_ideal
        rows.append(
            (
                str(rank),
                r.model_name,
                number(r.combined_score) if r.validated else "not validated",
                number(r.train.combined_score),
                number(ideal.combined_score if ideal else None),
                number(s.voltage),
                number(s.timing_term),
                number(s.count),
                f"{s.spikes_model}/{s.spikes_data}",
                number(s.masked_rmse, 2),
                number(s.gamma, 2),
            )
        )
    for label, level in levels(results.scale):
        shown = [number(x) for x in (level.voltage, level.timing, level.count)]
        rows.append(("", label, number(level.score), "", "", *shown, "", "", ""))
    basis = "held-out data" if validated else "the data they were fitted to"
    screen.table(f"Models ranked on {basis} (score: 0 is perfect)", headers, rows, left=2)
    if how:
        screen.say(f"{how}; float64 is the same model without rounding; spikes are the model's / the recording's.")
    for sentence in scale_sentences(results):
        screen.say(sentence)
    if (on_board := board_table(results)) is not None:
        screen.table(f"On {results.settings['target']}", *on_board, left=2)
        for sentence in board_sentences(results):
            screen.say(sentence)
    if results.tie:
        screen.say(results.tie)
    if results.ended_early:
        early = ", ".join(name.removesuffix("Neuron") for name in results.ended_early)
        screen.say(f"Stopped early, as they cannot come among the first: {early}.")
    if results.outcome:
        screen.say(results.outcome)
    show_parameters(screen, results.best)


def show_parameters(screen: Screen, best: "FitResult") -> None:
    rows = []
    for p in best.parameters():
        note = "at its bound" if p["at_bound"] else "" if p["free"] else "measured, refined"
        span = "" if p["range"] is None else "{:.4g} .. {:.4g}".format(*p["range"])
        rows.append((p["name"], p["unit"], p["meaning"], note, f"{p['value']:.5g}", span))
    choice = "".join(f", {name.replace('_', ' ')} {value}" for name, value in best.settings.items() if value)
    title = f"{best.model_name}{choice}, word {best.word}, dt {best.dt:g} ms, current within ±{best.i_span:g} nA"
    screen.table(title, ("parameter", "unit", "meaning", "", "value", "range"), rows, left=4)
    if best.sensitivity:
        screen.say("range: where a parameter alone can move before the training loss grows by a tenth.")


def verify(args: Namespace, screen: Screen) -> int:
    from spikefab.errors import MismatchError

    neuron, current = neuron_of(args)
    try:
        checks = run_verify(screen, neuron, simulator=args.sim, steps=args.steps, current=current)
    except MismatchError as error:
        # print the JSON all the same: a program needs it most when hardware and reference differ
        screen.result({"checks": getattr(error, "checks", [])})
        raise
    screen.result({"checks": checks})
    return 0


def run_verify(screen: Screen, neuron: "Neuron", **options: Any) -> list[dict[str, Any]]:
    """Run the regression with its progress. Returns the checks; raises MismatchError, with the checks, if they differ."""
    from spikefab.errors import MismatchError
    from spikefab.sim.verify import require_exact, verify
    from spikefab.toolchain import tools

    # raises ToolError at once if a tool is missing, before the stimuli are made
    tools.simulator_env(options.get("simulator", "verilator"))
    with screen.steps() as steps:
        checks = verify(neuron, progress=steps.enter, **options)
    show_checks(screen, checks)
    try:
        require_exact(checks)
    except MismatchError as error:
        error.checks = checks  # type: ignore[attr-defined]
        raise
    total = sum(c["steps"] for c in checks)
    what = f"{type(neuron).__name__} at word {neuron.word}, hardware in {checks[0]['simulator']}"
    screen.say(f"bit-exact over {total:,} steps: {what} against the reference.")
    return checks


def show_checks(screen: Screen, checks: list[dict[str, Any]]) -> None:
    columns = ("stimulus", "steps", "spikes", "saturations", "mismatches")
    rows = [(c["stimulus"], *(f"{c[name]:,}" for name in columns[1:])) for c in checks]
    screen.table("", columns, rows)


def build(args: Namespace, screen: Screen) -> int:
    neuron, _ = neuron_of(args)
    options = {"seed": args.seed, "seeds": args.seeds, "clock_mhz": args.clock, "baud": args.baud}
    options["crowd"] = _crowd(args, neuron)
    report = run_build(screen, neuron, args.board, args.out or Path("build"), **options)
    board = f"--board {args.board}"
    given = {name: getattr(args, name) for name in ("rank", "word", "models", "baud")}
    same = "".join(f" --{name} {shlex.quote(str(value))}" for name, value in given.items() if value is not None)
    screen.say(f"  spikefab flash {shlex.quote(report['bitstream'])} {board}")
    screen.say(f"  spikefab run {shlex.quote(str(args.what))} {board}{same}")
    screen.result(report)
    return 0


def _crowd(args: Namespace, neuron: "Neuron") -> "Crowd | None":
    """The population that the options of `build` ask for; None: one neuron. Raises UsageError."""
    from spikefab.boards.capacity import most
    from spikefab.boards.estimates import population, worthwhile
    from spikefab.boards.population import Crowd
    from spikefab.boards.table import get_board

    board, several = get_board(args.board), args.neurons not in (None, 1)
    pipelined = args.form == "pipelined" or (args.form is None and several)
    more = [f"--{name.replace('_', '-')}" for name in ("multipliers", "per_neuron") if getattr(args, name)]
    more += ["--lanes"] if args.lanes > 1 else []
    if not pipelined and (several or more):
        what = "--neurons" if several else more[0]
        raise UsageError(f"{what} is for populations: take --form pipelined.")
    if not pipelined:
        return None
    if args.neurons == 1:
        raise UsageError("a pipeline serves two neurons or more: take more --neurons, or --form shared.")
    shape = (args.lanes, args.multipliers, tuple(args.per_neuron))
    if args.neurons in (None, "max"):
        found = population(neuron, board, *shape)
        if found is None or found.refused:
            # nothing is known of it: the router will say
            each = args.multipliers or (worthwhile(neuron, board, args.lanes)[0] if board.multipliers else None)
            return most(neuron, board, args.lanes, each, shape[2])
        return Crowd(found.neurons, args.lanes, found.each, shape[2])
    return Crowd(args.neurons, *shape)


def run_build(screen: Screen, neuron: "Neuron", board: str, out: Path, **options: Any) -> dict[str, Any]:
    from spikefab.boards.build import build

    with screen.steps() as steps:
        report = build(neuron, board, out, progress=steps.build, **options)
    screen.say(report.text())
    return report.as_dict()


def export(args: Namespace, screen: Screen) -> int:
    from spikefab.hw.lowering.cores import core_name
    from spikefab.sim.export import export_verilog

    neuron, current = neuron_of(args)
    out = args.out or Path()
    files = export_verilog(neuron, current, out, to=args.to)
    design, bench, *more = map(str, files)
    module = files[0].stem
    screen.say(f"{design}: the design, module {module}, its ports in the header")
    screen.say(f"{bench}: a testbench with golden vectors; run it with")
    if args.to == "fusesoc":
        screen.say(f"  fusesoc --cores-root {shlex.quote(str(out))} run --target=sim {core_name(neuron)}")
    else:
        screen.say(f"  iverilog -g2005 -o {module}.vvp {shlex.quote(design)} {shlex.quote(bench)}")
        screen.say(f"  vvp {module}.vvp")
    if args.to == "litex":
        screen.say(f"{more[0]}: a LiteX module with CSRs; in a SoC: self.neuron = {module}(platform)")
    screen.result({"model": type(neuron).__name__, "word": neuron.word, "to": args.to, "files": [design, bench, *more]})
    return 0


def neuron_of(args: Namespace, sweep: int | None = None) -> tuple["Neuron", Any]:
    """The neuron that the argument RESULT or MODEL names, and a recorded current (T,) nA to play, or None.

    sweep  of a result, whose current it is; None: the one with the most spikes
    """
    what = str(args.what)
    path = Path(what)
    is_result = (path.is_file() and path.suffix != ".py") or (path / "result.json").is_file()
    own = ":" in what or path.suffix == ".py"  # a model from a user's file, file.py:Class
    if not is_result and not own and (os.sep in what or path.suffix == ".json"):
        raise FileError(f"{what} is no result.json and no folder that holds one.")
    is_neuron = path.is_file() and path.name == "neuron.json"
    if sweep is not None and (not is_result or is_neuron):
        raise UsageError(f"--sweep goes with a result of fit, which has sweeps: {what} has none.")
    if not is_result:
        return _default_model(args, what)
    if (atlas := _atlas_neuron(args, path, sweep)) is not None:
        return atlas, None
    if is_neuron:
        return _one_neuron(args, path), None
    from spikefab.fit.report.folder import fitted_neuron

    if args.word is not None:
        raise UsageError(f"--word goes with a model's name: {what} was fitted at its own word.")
    return fitted_neuron(path, args.rank or 1, args.models, sweep)


def _atlas_neuron(args: Namespace, path: Path, sweep: int | None) -> "Neuron | None":
    """The neuron of a model of the Allen Cell Types Database; None if the file is another one."""
    from spikefab.hw.models import GLIFNeuron, allen
    from spikefab.shapes import load_json

    try:
        if path.suffix != ".json" or not allen.is_allen(load_json(path)):
            return None
    except (OSError, ValueError):
        return None  # what is wrong with a result is said by what reads it
    if args.rank is not None or args.models is not None or sweep is not None:
        raise UsageError(
            f"--rank, --models and --sweep do not go with {path}, which is one neuron of the Allen Institute."
        )
    return GLIFNeuron.from_allen(path, word=18 if args.word is None else args.word)


def _one_neuron(args: Namespace, path: Path) -> "Neuron":
    from spikefab.fit.report.folder import described_neuron

    if args.rank is not None or args.word is not None:
        raise UsageError(f"--rank and --word do not go with {path}, which is one neuron with a word of its own.")
    return described_neuron(path)


def _default_model(args: Namespace, name: str) -> tuple["Neuron", None]:
    from spikefab.hw.models import get_model

    if args.rank is not None or args.models is not None:
        option = "--models" if args.rank is None else "--rank"
        raise UsageError(f"{option} goes with a result of fit, not with a model's name ({name}).")
    model = get_model(name)
    return model(word=18 if args.word is None else args.word), None
