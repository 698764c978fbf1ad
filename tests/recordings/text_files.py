"""Text tables for tests: signals, a writer, and a check of what was read."""

import numpy as np

N = 400
T = np.arange(N) * 0.1  # ms
V = -65 + np.random.default_rng(0).normal(0, 1, N).round(3)  # mV
W = -58 + np.random.default_rng(1).normal(0, 1, N).round(3)
STEP = np.where((np.arange(N) >= 100) & (np.arange(N) < 300), 100.0, 0.0)  # pA
AUX = np.where(np.arange(N) % 50 < 10, 5.0, 0.0)


def writer(folder):
    """write(header, *columns) makes a text file in a folder; a NaN is written as `empty`. The path."""

    def write(header, *columns, name="a.csv", delimiter=",", empty="NaN"):
        rows = ["" if header is None else header]
        for row in zip(*columns, strict=True):
            rows.append(delimiter.join(empty if np.isnan(x) else f"{x:.6g}" for x in row))
        path = folder / name
        path.write_text("\n".join(rows).lstrip("\n") + "\n", encoding="utf-8")
        return path

    return write


def check(recording, *sweeps, unit=1e3):
    """Its sweeps are these pairs of mV and pA, or of a current of which `unit` is a nA; None is no current."""
    assert len(recording.sweeps) == len(sweeps)
    for sweep, (v, i) in zip(recording.sweeps, sweeps, strict=True):
        np.testing.assert_allclose(sweep.voltage, v, atol=1e-3)
        if i is None:
            assert sweep.current is None
        else:
            np.testing.assert_allclose(sweep.current * unit, i, atol=1e-6)
