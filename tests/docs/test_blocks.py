"""Every block of code on a page runs in some tier of the tests: a new one that nothing runs is found here.

Python blocks are run by tests/docs/test_docs.py and tests/tutorial. The commands of `sh` blocks are run here, on made recordings
and with few evaluations: those that take seconds always, whole pages where tests are slow. What needs a board, another program, or
never ends is in ELSEWHERE, with the test that runs it, or the reason why none does.
"""

import importlib.util
import re
import shlex
import tomllib
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
LANGUAGES = {
    "python",
    "sh",
    "toml",
    "text",
    "",
}  # `text` and no language: what a program prints, formulas, a file of udev
SITE = {"index.md", "CHANGELOG.md"}  # of the site only: directives, no code
COMMANDS = ("spikefab", "python", ".venv", "make", "pip", "git", "cc", "./", "sudo", "ls", "apt", "$ ")

# the beginning of a line: the test that runs it, as FILE::FUNCTION; or, after a dash, why no test of ours does
ELSEWHERE = {
    "pip install spikefab-VERSION": "tests/docs/test_new_model_installed.py::test_it_is_the_wheel_and_knows_nothing_of_the_model",
    "pip install .": "tests/docs/test_new_model_installed.py::test_a_package_of_its_own_gives_it_a_name",
    "spikefab models AdaptiveLIF": "tests/docs/test_new_model_installed.py::test_a_package_of_its_own_gives_it_a_name",
    "spikefab demo": "tests/cli/test_demo.py::test_the_story",
    "spikefab studio": "tests/studio/test_jobs.py::test_ctrl_c_ends_the_server",
    "spikefab build LIF --word 16 --board mine.toml": "tests/boards/test_table.py::test_a_bitstream_for_a_board_of_ones_own",
    "spikefab flash": "tests/cli/test_on_board.py::test_flash_runs_the_boards_program_or_says_what_to_type",
    "spikefab twin": "tests/cli/test_on_board.py::test_a_twin_serves_a_host_until_it_is_interrupted",
    "spikefab build Izhikevich --board ulx3s-25f --neurons": "tests/boards/test_build.py::test_builds_a_population",
    "make": "tests/docs/test_docs.py::test_commands_exist",
    "python -m benchmarks.": "tests/house/test_benchmarks.py::test_help",
    ".venv/bin/python examples/host.py": "tests/boards/test_examples.py::test_every_voltage_and_spike_of_the_top_level",
    "cc ": "tests/boards/test_examples.py::test_every_voltage_and_spike_of_the_top_level",
    "./host ": "tests/boards/test_examples.py::test_every_voltage_and_spike_of_the_top_level",
    "python -m venv peers": "- it installs Brian 2 and jaxley",
    "ls ": "- a program of the system",
    "sudo ": "- a program of the system, as root",
}
# toml blocks of a page: the test that uses them
TOML = {
    "board.md": "tests/boards/test_table.py::test_a_board_of_ones_own_is_a_file",
    "guide.md": "tests/recordings/test_other_formats.py::test_a_registered_reader",
    "new-model.md": "tests/docs/test_new_model_installed.py::test_a_package_of_its_own_gives_it_a_name",
}
# options that make a command short: a page shows what a user types
SHORT = {
    "fit": ["--budget", "64", "--models", "LIF"],
    "fit-many": ["--budget", "64", "--models", "LIF"],
    "verify": ["--steps", "200"],
    "run": ["--seconds", "0.05"],
}
QUICK = {"info", "features", "fit", "fit-many", "collect", "models", "export", "doctor", "boards"}
NO_BOARD = 9  # exit code of a command that looks for a board, where none is connected


def fenced(page: Path) -> list[tuple[str, str]]:
    """Language and text of each block."""
    return re.findall(r"^```(.*?)\n(.*?)^```", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


def lines(text: str) -> list[str]:
    """The commands of a block, without remarks and the sign of a prompt."""
    return [
        shlex.join(shlex.split(line.removeprefix("$ "), comments=True)) for line in text.splitlines() if line.strip()
    ]


def shell(page: Path) -> list[str]:
    """The commands of a page, and those that stand in a block above what they print."""
    found = []
    for language, text in fenced(page):
        if language == "sh":
            found += lines(text)
        elif language in ("", "text"):
            found += lines("\n".join(line for line in text.splitlines() if line.startswith("$ ")))
    return found


def elsewhere(command: str) -> str | None:
    return next((where for start, where in ELSEWHERE.items() if command.startswith(start.rstrip())), None)


WITH_SHELL = [page for page in PAGES if any(elsewhere(c) is None for c in shell(page))]
NAME = {"ids": lambda page: page.name}


# -- the rule --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES, **NAME)
def test_every_block_has_a_language_that_something_runs(page):
    if page.name in SITE:
        return
    assert {language for language, _ in fenced(page)} <= LANGUAGES
    for language, text in fenced(page):
        if language in ("", "text"):
            typed = [line for line in text.splitlines() if line.startswith(COMMANDS) and not line.startswith("$ ")]
            assert typed == [], "commands are in a block of the language sh"
    # four spaces make a block too: formulas and what a program prints, no commands
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    assert re.findall(rf"^    (?:{'|'.join(map(re.escape, COMMANDS))}).*$", text, flags=re.MULTILINE) == []


@pytest.mark.parametrize("page", PAGES, **NAME)
def test_every_command_runs_somewhere(page):
    for command in shell(page):
        words = command.split()
        assert elsewhere(command) or words[0] == "spikefab", f"no test runs: {command}"


def test_every_python_block_is_of_a_page_that_is_run():
    """test_docs.py runs pages of docs/ itself, the tutorial has tests of its own."""
    other = loaded(ROOT / "tests/docs/test_docs.py")
    run = {getattr(page, "values", (page,))[0] for page in other.RUN} | {ROOT / "docs/tutorial.md"}
    assert {page for page in PAGES if any(language == "python" for language, _ in fenced(page))} <= run
    reference = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "docs").rglob("*.rst"))
    assert reference.count("code-block::") == reference.count("code-block:: python") == len(other.REFERENCE)


@pytest.mark.parametrize("where", sorted({*ELSEWHERE.values(), *TOML.values()}))
def test_what_runs_elsewhere_is_there(where):
    if not where.startswith("- "):
        file, name = where.split("::")
        assert f"def {name}(" in (ROOT / file).read_text(encoding="utf-8")


def test_toml_blocks():
    for page in PAGES:
        for language, text in fenced(page):
            if language == "toml":
                tomllib.loads(text)
                assert page.name in TOML


def test_every_picture_is_made_by_code():
    """docs/tests.md says by what; whatever it names, and every picture that a page shows, is there."""
    table = (ROOT / "docs/tests.md").read_text(encoding="utf-8").split("| picture | made by |")[1]
    patterns = re.findall(r"`(docs/[^`]*\.(?:png|svg))`", "".join(row.split(" | ")[0] for row in table.splitlines()))
    pictures = {path for path in (ROOT / "docs").rglob("*") if path.suffix in (".png", ".svg", ".jpg", ".gif")}
    named = {pattern: set(ROOT.glob(pattern)) for pattern in patterns}
    assert all(named.values()), named
    assert pictures == set().union(*named.values())
    for page in PAGES:
        for target in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).resolve() in pictures, f"{page.name}: {target}"


@pytest.mark.parametrize(
    "text",
    [
        "```sh\nspikefab-other run\n```\n",
        "```sh\nwget something\n```\n",
        "```bash\nspikefab info cell.abf\n```\n",
        "```\nspikefab info cell.abf\n```\n",
        "    python -m benchmarks.fit OUT.json\n",
        "```js\nlet x\n```\n",
    ],
)
def test_a_block_that_nothing_runs_is_found(tmp_path, text):
    page = tmp_path / "page.md"
    page.write_text(f"# A page\n\n{text}", encoding="utf-8")

    def rules():
        test_every_block_has_a_language_that_something_runs(page)
        test_every_command_runs_somewhere(page)

    with pytest.raises(AssertionError):
        rules()


# -- the commands ----------------------------------------------------------------------------------------------------


def loaded(path: Path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def desk(tmp_path_factory, cell, csv) -> Path:
    """A folder with what pages name: cell.abf, cell.nwb, a folder of recordings, and the model of docs/new-model.md."""
    folder = tmp_path_factory.mktemp("desk")
    sweeps = [cell(amplitude, seed=k) for k, amplitude in enumerate((0.1, 0.18, 0.2, 0.22, 0.26, 0.28, 0.31, 0.37))]
    voltage, current = ([pair[k] for pair in sweeps] for k in (0, 1))
    loaded(ROOT / "tests/recordings/abf_files.py").write_abf(
        folder / "cell.abf", [("Vm", "mV", voltage), ("Im", "nA", current)], dt=0.1
    )
    write_nwb(folder / "cell.nwb", voltage, current)
    (folder / "recordings").mkdir()
    (folder / "recordings" / "one.csv").write_text(csv(sweeps[3:6]), encoding="utf-8")
    own = next(text for language, text in fenced(ROOT / "docs/new-model.md") if language == "python")
    (folder / "adaptive_lif.py").write_text(own, encoding="utf-8")
    return folder


def write_nwb(path: Path, voltage: list[np.ndarray], current: list[np.ndarray]) -> None:
    import h5py

    add = loaded(ROOT / "tests/recordings/conftest.py").add
    with h5py.File(path, "w") as file:
        file.attrs["nwb_version"] = "2.5.0"
        for k, (v, i) in enumerate(zip(voltage, current, strict=True)):
            add(file, f"acquisition/response_{k}", v / 1e3, "volts", "CurrentClampSeries", k, electrode="e")
            add(
                file,
                f"stimulus/presentation/stimulus_{k}",
                i / 1e9,
                "amperes",
                "CurrentClampStimulusSeries",
                k,
                electrode="e",
            )


def run(command: str, capsys) -> None:
    """A command as it stands on the page, made short. Without a board, one that looks for a board must say so."""
    from spikefab.cli import main

    words = shlex.split(command)[1:]
    more = SHORT.get(words[0], [])
    given = [option for k, option in enumerate(more) if more[k - k % 2] not in words]
    seeks_board = words[0] == "run" and "--port" not in words
    code = main([*words, *given])
    assert code == (NO_BOARD if seeks_board else 0), (command, capsys.readouterr())


# those of new-model.md compile a kernel for each model that they fit: they are run by the slow test only
@pytest.mark.parametrize("page", [page for page in WITH_SHELL if page.name != "new-model.md"], **NAME)
def test_quick_commands_run(page, desk, capsys, monkeypatch):
    monkeypatch.chdir(desk)
    for command in shell(page):
        if elsewhere(command) is None and command.split()[1] in QUICK:
            run(command, capsys)


@pytest.mark.slow  # regressions, bitstreams, a simulated board
@pytest.mark.parametrize("page", WITH_SHELL, **NAME)
def test_all_commands_run(page, desk, capsys, monkeypatch):
    monkeypatch.chdir(desk)
    run("spikefab fit cell.abf --word 16 --out cell", capsys)  # what a page takes from the page before it
    for command in shell(page):
        if elsewhere(command) is None:
            run(command, capsys)
