"""Processes of our own: a lost one takes nothing with it."""

import signal

import pytest

from spikefab.fit.many.workers import WorkerLost, Workers


def test_workers_die_alone_and_are_replaced():
    pool = Workers(2)
    try:
        one, two = pool.submit(signal.raise_signal, signal.SIGKILL), pool.submit(len, "three")
        with pytest.raises(RuntimeError, match="busy"):
            pool.submit(len, "x")
        with pytest.raises(WorkerLost, match="signal 9") as lost:
            one.result()
        assert lost.value.started
        assert two.result() == 5
        assert pool.submit(len, "again").result() == 5
        with pytest.raises(RuntimeError, match="TypeError"):
            pool.submit(len, 3).result()
    finally:
        pool.close()
