"""The version is said once; changelog and citation agree with it."""

import re
from importlib import metadata
from pathlib import Path

import pytest

import spikefab

ROOT = Path(__file__).parents[2]
CHANGELOG = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
CITATION = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
HEADS = re.findall(r"^## (.+)$", CHANGELOG, flags=re.MULTILINE)


def numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, re.match(r"\d+(?:\.\d+)*", version)[0].split(".")))


def test_only_one_file_says_the_version():
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert 'version = { attr = "spikefab.__version__" }' in text
    assert re.findall(r'^version = "', text, flags=re.MULTILINE) == []


def test_the_changelog_has_versions_in_order():
    """The newest on top, which may be `Unreleased`; every other has its date."""
    for head in HEADS[1:]:
        assert re.fullmatch(r"\d+\.\d+\.\d+ - \d{4}-\d\d-\d\d", head), head
    assert re.fullmatch(r"\d+\.\d+\.\d+ - (Unreleased|\d{4}-\d\d-\d\d)", HEADS[0])
    versions = [numbers(head) for head in HEADS]
    assert versions == sorted(set(versions), reverse=True)


def test_this_version_is_in_the_changelog():
    """Either as the one on top, or as the last release before it."""
    assert numbers(spikefab.__version__) in [numbers(head) for head in HEADS[:2]]


def test_the_citation_is_of_the_last_release():
    released = next(head for head in HEADS if "Unreleased" not in head)
    version, date = released.split(" - ")
    assert f"\nversion: {version}\n" in CITATION
    assert f"\ndate-released: {date}\n" in CITATION


def test_the_citation_can_be_read():
    yaml = pytest.importorskip("yaml")  # with dev: myst-parser needs it
    content = yaml.safe_load(CITATION)
    assert {"cff-version", "message", "title", "authors", "version", "license"} <= set(content)
    assert content["license"] == metadata.metadata("spikefab")["License-Expression"]
