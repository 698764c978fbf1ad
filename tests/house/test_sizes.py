"""Files and functions stay short enough to be read at once."""

import ast
import statistics
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDERS = ("hw", "sim", "boards", "fit", "studio", "src/spikefab")
MEDIAN, LONGEST, FUNCTION = 170, 400, 80  # lines
REASON = "one file"  # a longer file says in its first ten lines why it is one file
LIMITS = {"hw/models/lif.py": 45}  # lines: the example that docs/new-model.md starts from


def sources(root: Path) -> dict[str, list[str]]:
    """The lines of every source file of the product."""
    paths = [path for folder in FOLDERS for path in (root / folder).rglob("*.py")]
    paths += (root / "studio/web/src").rglob("*.ts")
    return {path.relative_to(root).as_posix(): path.read_text().splitlines() for path in paths}


def too_long(root: Path) -> set[str]:
    """One text for each file or function that is too long."""
    found = set()
    for name, lines in sources(root).items():
        if len(lines) > LIMITS.get(name, LONGEST) and REASON not in " ".join(lines[:10]).lower():
            found.add(name)
        if name.endswith(".py"):
            found |= {f"{name} {f}" for f, length in functions("\n".join(lines)) if length > FUNCTION}
    return found


def functions(text: str) -> list[tuple[str, int]]:
    """Name and lines of each function, its docstring not counted."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = node.end_lineno - node.lineno + 1
            first = node.body[0]
            if ast.get_docstring(node) is not None:
                length -= first.end_lineno - first.lineno + 1
            found.append((node.name, length))
    return found


def test_nothing_is_too_long():
    assert too_long(ROOT) == set()


def test_half_of_the_files_are_short():
    lengths = [len(lines) for lines in sources(ROOT).values() if len(lines) > 1]  # not the empty __init__
    assert statistics.median(lengths) <= MEDIAN


def test_what_is_too_long_is_found(tmp_path):
    def write(name: str, text: str) -> None:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    docstring = '"""' + "\n" * 50 + '"""'
    body = "\n    x = 1"
    write("sim/long.py", "x = 1\n" * 401)
    write("sim/reason.py", '"""Statements, in one file as they are one table."""\n' + "x = 1\n" * 401)
    write("studio/web/src/long.ts", "let x = 1;\n" * 401)
    write("hw/models/lif.py", "x = 1\n" * 46)
    write("fit/function.py", f"def long():{body * 80}\n")
    write("fit/docstring.py", f"async def short():\n    {docstring}{body * 79}\n")
    write("fit/method.py", f"class A:\n  def long(self):{body * 80}\n")
    assert too_long(tmp_path) == {
        "sim/long.py",
        "studio/web/src/long.ts",
        "hw/models/lif.py",
        "fit/function.py long",
        "fit/method.py long",
    }
