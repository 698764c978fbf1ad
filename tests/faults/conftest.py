"""The account of the long tests, which is committed: benchmarks/results/faults.json."""

import os
from pathlib import Path

import pytest

from benchmarks.running import Rows


@pytest.fixture
def account():
    """account(test, **figures): keeps what a long test did in the file that SPIKEFAB_ACCOUNT names, if it names one."""

    def keep(test, **figures):
        if path := os.environ.get("SPIKEFAB_ACCOUNT"):
            Rows(Path(path), ["test"], order=lambda row: row["test"]).keep({"test": test, **figures})

    return keep
