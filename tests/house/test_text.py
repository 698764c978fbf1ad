"""Text is UTF-8 whatever the locale: every file and pipe that is opened as text names its encoding."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("hw", "sim", "boards", "fit", "studio", "src", "benchmarks", "docs")
FILES = [
    path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py")) if "node_modules" not in path.parts
]
# name of a function: position of its mode and its default; without a mode it is always text
MODES = {"open": (0, "r"), "fdopen": (1, "r"), "NamedTemporaryFile": (0, "w+b"), "TemporaryFile": (0, "w+b")}
ALWAYS = ("read_text", "write_text", "savetxt", "TextIOWrapper")
PROCESSES = ("run", "Popen", "check_output", "check_call", "call", "getoutput")
OTHER_OPEN = ("os", "webbrowser", "zipfile", "Image", "tarfile")  # what else is called `open`: `os.open` gives bytes


def unnamed(source: str) -> list[int]:
    """Lines of the calls that open text without an encoding."""
    found = []
    for call in ast.walk(ast.parse(source)):
        if not isinstance(call, ast.Call):
            continue
        named = {k.arg: k.value for k in call.keywords}
        function = call.func
        owner = function.value if isinstance(function, ast.Attribute) else None
        name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
        if "encoding" in named or None in named:  # None: **options
            continue
        text = name in ALWAYS
        if name in MODES and not (name == "open" and getattr(owner, "id", "") in OTHER_OPEN):
            place, default = MODES[name]
            place += name == "open" and owner is None  # open(path, mode), path.open(mode)
            given = named.get("mode", call.args[place] if len(call.args) > place else ast.Constant(default))
            modes = [c.value for c in ast.walk(given) if isinstance(c, ast.Constant) and isinstance(c.value, str)]
            text = not modes or any("b" not in mode for mode in modes)
        if name in PROCESSES:
            said = [named.get(option) for option in ("text", "universal_newlines")]
            text = any(isinstance(x, ast.Constant) and x.value is True for x in said)
        if text:
            found.append(call.lineno)
    return found


def test_text_names_its_encoding():
    lines = {str(p.relative_to(ROOT)): unnamed(p.read_text(encoding="utf-8")) for p in FILES}
    assert {name: found for name, found in lines.items() if found} == {}, 'encoding="utf-8" is missing in these lines'


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("open(p)", True),
        ("open(p, 'rb')", False),
        ("open(p, mode='w')", True),
        ("p.open()", True),
        ("p.open('ab', buffering=0)", False),
        ("p.open('r+b' if p.exists() else 'w+b')", False),
        ("p.open(mode)", True),
        ("p.open('a+', encoding='utf-8')", False),
        ("os.open(p, os.O_RDONLY)", False),
        ("os.fdopen(1, 'w')", True),
        ("p.read_text(errors='replace')", True),
        ("np.savetxt(p, x)", True),
        ("tempfile.NamedTemporaryFile('w')", True),
        ("tempfile.NamedTemporaryFile()", False),
        ("subprocess.run(c, text=True)", True),
        ("subprocess.run(c, capture_output=True)", False),
        ("subprocess.Popen(c, text=True, encoding='utf-8')", False),
    ],
)
def test_the_test_sees_it(source, found):
    assert bool(unnamed(source)) is found
