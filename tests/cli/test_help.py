"""Help answers at once: it imports nothing heavy."""

import re
import subprocess
import sys

import pytest

from spikefab import __version__

COMMANDS = ("fit", "pareto", "info", "features", "models", "verify", "build", "export", "boards", "doctor", "demo")
COMMANDS += ("fit-many", "collect", "flash", "run", "twin")
HEAVY = ("numpy", "scipy", "amaranth", "numba", "rich", "matplotlib", "efel", "pyabf", "h5py")

PROGRAM = """
import sys
from spikefab.cli import main
for args in (["--help"], ["--version"], *([c, "--help"] for c in {commands})):
    assert main(args) == 0, args
print("loaded:", [name for name in {heavy} if name in sys.modules])
"""


def test_help_of_every_command_imports_nothing_heavy():
    program = PROGRAM.format(commands=COMMANDS, heavy=HEAVY)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("loaded: []\n")
    for command in COMMANDS:
        assert re.search(rf"^usage: spikefab {command} .*--json", done.stdout, re.MULTILINE | re.DOTALL)


def test_version(spikefab):
    assert spikefab("--version").out == f"spikefab {__version__}\n"


def test_help_lists_every_command_and_exit_code(spikefab):
    text = spikefab("--help").out
    assert all(re.search(rf"^    {command} ", text, re.MULTILINE) for command in COMMANDS)
    assert all(f" {code} " in text for code in (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 130))


def test_no_command_is_a_usage_error_that_shows_the_help(spikefab):
    ran = spikefab()
    assert ran.code == 2
    assert "commands:" in ran.out


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (("frobnicate",), "invalid choice: 'frobnicate'"),
        (("fit",), "required: FILE"),
        (("fit", "a.csv", "--buget", "3"), "unrecognized arguments: --buget 3"),
        (("fit", "a.csv", "--budget", "many"), "invalid int value: 'many'"),
        (("verify", "lif", "--steps", "0"), "0 is not a number of 1 or more"),
        (("verify", "lif", "--sim", "questa"), "invalid choice: 'questa'"),
        (("build", "lif"), "required: --board"),
        (("export", "lif"), "required: --to"),
    ],
)
def test_wrong_options_are_one_sentence(spikefab, args, sentence):
    ran = spikefab(*args)
    assert ran.code == 2
    assert sentence in ran.sentence
    assert "--help" in ran.sentence
    assert ran.out == ""
