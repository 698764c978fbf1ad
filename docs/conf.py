"""The site of the documentation: `make site` builds it with Sphinx from the pages of this folder and from docstrings."""

import re
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import docstrings

import spikefab
from spikefab.hw.models import MODELS

project = "spikefab"
version = release = spikefab.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.autosummary"]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
exclude_patterns = ["*.py"]
highlight_language = "none"  # the code of the pages is Python where it says so

myst_heading_anchors = 3  # links such as guide.md#a-search-of-your-own
smartquotes = False  # "auto" is what a user types

autodoc_typehints = "none"  # docstrings say shapes and units; the types of arrays would fill a screen
autodoc_member_order = "bysource"
python_maximum_signature_line_length = 100
add_module_names = False
autosummary_generate = False

html_theme = "furo"  # loads nothing from other hosts, which a test checks
html_title = f"spikefab {release}"
html_copy_source = False
html_show_sphinx = False


def docstring(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    lines[:] = docstrings.rendered(lines)
    if obj in MODELS.values():
        lines += ["", f"Its parameters, cost and firing patterns: :doc:`/models/{obj.__name__}`."]


def signature(app: Any, what: str, name: str, obj: Any, options: Any, given: str | None, back: str) -> Any:
    """A signature as one would write it: classes by name, and without what is not for users."""
    if name.endswith(".Neuron"):  # its own is that of any Amaranth component
        given = "(*, dt=0.1, word=18, i_span=None, codes=None, initial=None, **params)"
    if given is None:
        return None
    given = re.sub(r"<class '(?:\w+\.)*(\w+)'>", r"\1", given.replace("<factory>", "{}"))
    return re.sub(r", _\w+=[^,)]+", "", given), back


def setup(app: Any) -> None:
    app.connect("autodoc-process-signature", signature)
    app.connect("autodoc-process-docstring", docstring)
