"""The site builds without a warning, has every public name, and loads nothing from another host."""

import importlib.util
import inspect
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

import spikefab
from spikefab.hw.models import MODELS

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


def loaded(path: Path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


docstrings = loaded(DOCS / "docstrings.py")


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    built = subprocess.run(
        [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-n", "-q", "-d", folder / "trees", DOCS, folder / "html"],
        capture_output=True, text=True, encoding="utf-8", env=os.environ | {"NO_COLOR": "1"},
    )  # fmt: skip
    assert built.returncode == 0, built.stderr
    assert built.stderr == ""
    return folder / "html"


class Loads(HTMLParser):
    """What a browser fetches for a page: it collects the addresses. An `a` is only followed by a click."""

    def __init__(self, page: str):
        super().__init__()
        self.found: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        values = {name: value or "" for name, value in attrs}
        self.found += [values[name] for name in ("src", "srcset", "poster", "data") if name in values]
        if tag != "a" and "href" in values and values.get("rel") not in ("search", "index", "next", "prev"):
            self.found.append(values["href"])


def elsewhere(folder: Path) -> dict[str, list[str]]:
    """Files of a built site: addresses on other hosts that a browser would load for them."""
    found = {}
    for path in folder.rglob("*"):
        if path.suffix == ".html":
            addresses = Loads(path.read_text(encoding="utf-8")).found
        elif path.suffix == ".css":
            text = path.read_text(encoding="utf-8")
            addresses = re.findall(r"url\(\s*[\"']?([^)\"']+)|@import\s+[\"']([^\"']+)", text)
            addresses = ["".join(pair) for pair in addresses]
        else:
            continue
        far = [a for a in addresses if re.match(r"(?!data:)[a-z+]+:|//", a)]
        if far:
            found[path.name] = far
    return found


def test_nothing_is_loaded_from_another_host(site):
    assert elsewhere(site) == {}
    assert (site / "search.html").exists()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.html", '<script src="https://cdn.example/x.js"></script>'),
        ("a.html", '<link rel="stylesheet" href="//fonts.example/x.css">'),
        ("a.html", '<img srcset="http://a.example/x.png 2x">'),
        ("a.css", "@import 'https://fonts.example/x.css';"),
        ("a.css", "body { background: url(https://a.example/x.png) }"),
    ],
)
def test_what_is_loaded_is_seen(tmp_path, name, text):
    (tmp_path / name).write_text(text, encoding="utf-8")
    assert elsewhere(tmp_path)


def test_a_link_and_a_picture_in_place_load_nothing(tmp_path):
    text = '<a href="https://a.example">x</a><img src="data:image/png;base64,xx"><img src="pictures/x.png">'
    (tmp_path / "a.html").write_text(text, encoding="utf-8")
    assert elsewhere(tmp_path) == {}


def test_every_public_name_is_in_the_reference(site):
    text = "".join(path.read_text(encoding="utf-8") for path in (site / "api").glob("*.html"))
    shown = set(re.findall(r'<dt class="sig[^>]* id="([\w.]+)"', text))
    wanted = {f"spikefab.{name}" for name in spikefab.__all__ if name not in ("MODELS", "SpikefabError")}
    errors = vars(spikefab.errors)
    kinds = [e for e in errors.values() if inspect.isclass(e) and issubclass(e, spikefab.SpikefabError)]
    wanted |= {f"spikefab.errors.{e.__name__}" for e in kinds} | {"spikefab.boards.connect"}
    own = {f"spikefab.{name}" for name in spikefab.__all__ if name.endswith("Neuron")} - {
        f"spikefab.{m}" for m in MODELS
    }
    assert wanted - own - shown == set()


def test_every_page_can_be_reached(site):
    """Also by people who read the files: the site has a page for each file, and its own pages are few."""
    pages = {str(path.relative_to(DOCS).with_suffix("")) for path in DOCS.rglob("*.md")}
    assert {name for name in pages if not (site / f"{name}.html").exists()} == set()


# -- docstrings ------------------------------------------------------------------------------------------------------


def test_columns_become_terms():
    text = "dt  ms, the step\na, b\n    both of them\nlong_name  what it is,\n           and more"
    assert docstrings.rendered(text.splitlines()) == [
        "**dt**", "   ms, the step", "**a, b**", "   both of them", "**long_name**", "   what it is,", "   and more", "",
    ]  # fmt: skip


def test_a_paragraph_stays_one():
    text = "One sentence. Two\nlines of it; x * y and |z|, `code_` and a_name_."
    assert docstrings.rendered(text.splitlines()) == [
        "One sentence. Two", r"lines of it; x \* y and \|z\|, ``code_`` and a_name\_.", "",
    ]  # fmt: skip


def test_indented_lines_are_equations():
    text = "    C V' = -g V * I\n    w' = a\n\n    V >= 0: reset"
    assert docstrings.rendered(text.splitlines()) == [
        "::", "", "   C V' = -g V * I", "   w' = a", "", "   V >= 0: reset", "",
    ]  # fmt: skip


def test_a_markdown_table():
    text = "| port | dir |\n|---|---|\n| `i` | in |"
    assert docstrings.rendered(text.splitlines()) == [
        ".. list-table::", "   :header-rows: 1", "", "   * - port", "     - dir", "   * - ``i``", "     - in", "",
    ]  # fmt: skip
