"""The tutorial as a notebook: `make notebook` writes examples/tutorial.ipynb from docs/tutorial.md."""

import json
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PAGE, NOTEBOOK = ROOT / "docs" / "tutorial.md", ROOT / "examples" / "tutorial.ipynb"


def notebook(page: str) -> dict[str, Any]:
    """Text and Python blocks of a page as the cells of a notebook without outputs."""
    page = page.replace("This page is also a\n[notebook](../examples/tutorial.ipynb).", "")
    cells: list[dict[str, Any]] = []
    for k, text in enumerate(re.split(r"^```(?:python)?\n", page, flags=re.MULTILINE)):
        if not text.strip():
            continue
        code = k % 2 == 1
        cell = {"cell_type": "code" if code else "markdown", "id": f"cell-{k}", "metadata": {}}
        cell["source"] = text.strip("\n").splitlines(keepends=True)
        cells.append({**cell, "execution_count": None, "outputs": []} if code else cell)
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}


def text() -> str:
    return json.dumps(notebook(PAGE.read_text(encoding="utf-8")), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    NOTEBOOK.parent.mkdir(exist_ok=True)
    NOTEBOOK.write_text(text(), encoding="utf-8")
