"""Rebuilds the command that an output (DAC) of an ABF file played, from the protocol in its header or from a stimulus file.

What the header says and cannot be rebuilt makes the command unknown, with the reason. It is rebuilt as pCLAMP does it: the
first 64th of a sweep is at the holding level, the epochs follow, and the rest is again at the holding level. pyabf differs:
it ignores alternation, the scale of a stimulus file and user lists, and draws the ends of trains wrongly.
"""

from pathlib import Path

import numpy as np

from .abf_file import Epoch, Floats, Output, Protocol
from .abf_stimulus import NotKnownError, played

RAMP, PULSES, TRIANGLES, COSINE, BIPHASIC = 2, 3, 4, 5, 7
STEP = 1
BEFORE = 64  # part of a sweep before its first epoch


def command_of(path: Path, protocol: Protocol, output: Output, lengths: list[int], step: float) -> list[Floats]:
    """The command of an output, (T,) for each sweep, in its unit. Raises NotKnownError if it cannot be rebuilt.

    path     of the recording, beside which a stimulus file is sought
    lengths  number of samples of each sweep
    step     sample step, ms
    """
    if output.plays not in ("nothing", "epochs", "file"):
        raise NotKnownError(f"its command comes from {output.plays}, which is not known")
    plays = output.plays if protocol.episodic else "nothing"
    if not np.isfinite(output.holding):
        raise NotKnownError("its header does not hold the command")
    if plays == "nothing":
        return [np.full(n, output.holding) for n in lengths]
    if output.obstacles:
        raise NotKnownError(f"its command {' and '.join(output.obstacles)}, which cannot be rebuilt")
    if protocol.alternates and (output.number > 1 or output.keeps):
        raise NotKnownError("its outputs alternate in a way that cannot be rebuilt")
    if len(set(lengths)) > 1:
        raise NotKnownError("its sweeps differ in length")
    if 0 < protocol.episodes < len(lengths):
        raise NotKnownError(f"its protocol has {protocol.episodes} sweeps but the file {len(lengths)}")
    turns = [not protocol.alternates or k % 2 == output.number for k in range(len(lengths))]
    epochs = (_waveform(output, k, n) for k, n in enumerate(lengths))
    commands = played(path, output, lengths, step) if plays == "file" else [*epochs]
    if not all(np.all(np.isfinite(c)) for c in commands):
        raise NotKnownError("its command cannot be rebuilt")
    return [c if turn else np.full(len(c), output.holding) for c, turn in zip(commands, turns, strict=True)]


def _waveform(output: Output, sweep: int, length: int) -> Floats:
    """The epochs of an output in one sweep: (T,) in its unit."""
    begin = output.holding
    if output.keeps and sweep and output.epochs:
        begin = output.epochs[-1].level + (sweep - 1) * output.epochs[-1].level_step
    made = np.full(length, begin)
    at, before = max(1, length // BEFORE), begin
    for epoch in output.epochs:
        n = epoch.duration + sweep * epoch.duration_step
        if n <= 0:
            continue
        if at + n > length:
            raise NotKnownError("its command is longer than its sweeps")
        level = epoch.level + sweep * epoch.level_step
        made[at : at + n] = _shape(epoch, n, before, level)
        at, before = at + n, level
    made[at:] = before if output.keeps else output.holding
    return made


def _shape(epoch: Epoch, n: int, start: float, level: float) -> Floats:
    """One epoch of n samples, from the level before it (`start`) to its own. Of a train, only whole pulses are played."""
    k = np.arange(n)
    if epoch.kind == STEP:
        return np.full(n, level)
    if epoch.kind == RAMP:
        return start + (level - start) * (k + 1) / n
    period, width = epoch.period, epoch.width
    most = period - 1 if epoch.kind == TRIANGLES else period
    if epoch.kind not in (PULSES, TRIANGLES, COSINE, BIPHASIC):
        raise NotKnownError(f"its command has an epoch of kind {epoch.kind}, which cannot be rebuilt")
    if period < 1 or (epoch.kind != COSINE and not 0 < width <= most):
        raise NotKnownError(f"its command has a train of pulses of {width} samples every {period}")
    within = k % period
    whole = k < n - n % period
    if epoch.kind == COSINE:
        shape = 0.5 - 0.5 * np.cos(2 * np.pi * within / period)
    elif epoch.kind == TRIANGLES:
        shape = np.where(within < width, within / width, 1 - (within - width) / (period - width))
    else:
        whole |= n % period >= width
        shape = np.where(within < width, 1.0, 0.0)
        if epoch.kind == BIPHASIC:
            shape[(within >= width // 2) & (within < width)] = -1.0
    return start + (level - start) * np.where(whole, shape, 0.0)
