"""Code in the documentation runs: every Python block of a page in order, in one namespace."""

import re
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), flags=re.MULTILINE | re.DOTALL)


# the tutorial has tests of its own; the page on many cells starts workers
WITH_PYTHON = [p for p in PAGES if blocks(p, "python") and p.name != "tutorial.md"]
# the guide fits all models, which is slow; below, it fits four of them
RUN = [pytest.param(p, marks=pytest.mark.slow) if p.name in ("guide.md", "many.md") else p for p in WITH_PYTHON]
# Python blocks of the site's reference, which is no Markdown
REFERENCE = [
    block
    for page in sorted((ROOT / "docs").rglob("*.rst"))
    for block in re.findall(r"^\.\. code-block:: python\n\n((?:   .*\n|\n)+)", page.read_text(), flags=re.MULTILINE)
]


def run(page: Path) -> None:
    namespace: dict = {}
    for block in blocks(page, "python"):
        exec(compile(block, page.name, "exec"), namespace)


@pytest.mark.parametrize("page", RUN, ids=lambda p: p.name)
def test_python_blocks_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run(page)


def test_the_guide_runs_with_four_models(four_models, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run(ROOT / "docs" / "guide.md")


@pytest.mark.parametrize("block", REFERENCE)
def test_blocks_of_the_reference_run(block):
    exec(compile(textwrap.dedent(block), "reference", "exec"), {})


@pytest.mark.parametrize("seed", [0, *(pytest.param(k, marks=pytest.mark.slow) for k in (1, 2, 3))])
def test_the_first_fit_of_the_guide_finds_the_model_that_made_the_recording(seed, capsys):
    """With the seed of the page and with others, so that the page promises nothing that was luck."""
    page = blocks(ROOT / "docs" / "guide.md", "python")
    first = next(k for k, block in enumerate(page) if "fit(" in block)
    text = page[first].replace("default_rng(0)", f"default_rng({seed})").replace("seed=0", f"seed={seed}")
    assert text.count(f"({seed})") == text.count(f"seed={seed}") == 1
    namespace: dict = {}
    exec(compile(f"import numpy as np\n{text}", "guide.md", "exec"), namespace)
    made, results = namespace["made"], namespace["results"]
    assert results.best.model_name == type(made).__name__
    assert results.best.validated
    assert results.best.combined_score < 0.06 < results[1].combined_score
    for name, value in results.best.params.items():
        if name != "V_peak":  # what a spike shows; the noise is added to it
            assert value == pytest.approx(made.values[name], rel=0.03), name
    assert len(capsys.readouterr().out.splitlines()) == 1 + len(results) + len(results.best.params)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_commands_exist(page):
    """Each `spikefab CMD` and `make TARGET` of a page is one that exists."""
    from spikefab.cli import make_parser

    commands = next(a for a in make_parser()._actions if a.dest == "command").choices
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    for block in blocks(page, "sh"):
        for line in block.splitlines():
            words = line.split("#")[0].split()
            if words[:1] == ["spikefab"] and not words[1].startswith("-"):
                assert words[1] in commands, line
            if words[:1] == ["make"]:
                assert words[1] in targets, line


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_and_pictures_exist(page):
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target
