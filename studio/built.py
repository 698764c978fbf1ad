"""What was built in a project: size and speed of its builds, and which neurons did and did not fit which boards."""

from collections.abc import Iterator
from typing import Any

from spikefab.shapes import conforms

from .job_events import BuildOutcome, BuildReport
from .jobs import Jobs


def builds(jobs: Jobs) -> list[dict[str, Any]]:
    """Size and speed of the builds that are done."""
    found = []
    for job, events in _of_builds(jobs):
        report = next((e for e in events if e["type"] == "report"), None)
        if job["state"] == "done" and report is not None and conforms(report, BuildReport):
            used = {name: report[name][0] for name in ("cells", "multipliers", "block_rams")}
            named = {name: report[name] for name in ("board", "model", "word", "mhz")}
            found.append(named | used | {"job": job["id"]})
    return found


def outcomes(jobs: Jobs) -> list[dict[str, Any]]:
    """For each build that came so far as to show it: the neuron, the board, and whether the one fits the other."""
    found = []
    for job, events in _of_builds(jobs):
        outcome = next((e for e in events if e["type"] == "outcome"), None)
        if outcome is not None and conforms(outcome, BuildOutcome):
            found.append({name: x for name, x in outcome.items() if name != "type"} | {"job": job["id"]})
    return found


def _of_builds(jobs: Jobs) -> Iterator[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """Each job that is a build, and its events."""
    for job in jobs.all():
        if job["kind"] == "build":
            yield job, [e for _, e in jobs.events(job["id"])]
