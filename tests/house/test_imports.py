"""Who imports whom, over all files of the product: one direction, no circle, nothing behind the back of the import statement.

Counted are absolute and relative imports, those inside functions and those under TYPE_CHECKING; in TypeScript also `import type`
and `import("./x")`. Not counted is that importing a module first runs the `__init__` of its packages.
"""

import ast
import functools
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("hw", "sim", "boards", "fit", "studio", "src/spikefab")
WEB = "studio/web/src"

Tree = dict[str, str]  # path of a file from the root of the repository: its text

# Each file belongs to the longest name here that it begins with, and may import its own line and the lines above.
LAYERS = [
    ["errors"],
    ["files", "interrupts", "shapes", "delegates", "markup", "progress", "units", "calls"],
    ["toolchain"],
    ["hw.fixed", "hw.ops", "hw.interval", "hw.trace", "hw.proofs"],
    ["hw.conversions", "hw.spec", "hw.parameter_table"],
    ["hw.tables", "hw.spiking", "hw.gates", "hw.exponential"],
    ["hw.datapath"],
    ["hw.lowering"],
    ["hw.neuron"],
    ["hw.words", "hw.spram", "hw.bank", "hw.lanes"],
    ["hw.models"],
    ["hw.synapses", "hw.network"],
    ["hw.pages", "hw.__init__"],
    ["sim"],
    ["boards"],
    ["fit.recordings"],
    ["fit.features"],
    ["fit.scoring"],
    ["fit.freedom", "fit.options", "fit.flags"],
    ["fit.result", "fit.results"],
    ["fit.search"],
    ["fit.assess", "fit.target", "fit.fitting", "fit.pareto", "fit.recall"],
    ["fit.report"],
    ["fit.many"],
    ["fit.__init__"],
    ["__init__"],  # `from spikefab import fit`: the public names
    ["studio"],
    [
        "cli",
        "commands",
        "codesign",
        "on_board",
        "views",
        "console",
        "terminal",
        "output",
        "demo",
        "doctor",
        "parts",
        "many",
        "__main__",
    ],
]
WEB_LAYERS = [["state"], ["ui"], ["charts"], ["views"], ["main"]]

BY_NAME = {"import_module", "__import__", "resolve_name", "run_module"}  # functions that import what a text names
MAY_BY_NAME = {
    "delegates": "calls against the direction, each listed there",
    "__init__": "the public names, on first use",
    "cli": "a command is imported when it is run",
    "boards.table": "amaranth_boards, of which one platform is needed",
    "hw.models.resolve": "a user's model",
}


def read(root: Path) -> Tree:
    """The source files of the product."""
    paths = [path for folder in FOLDERS for path in (root / folder).rglob("*.py")]
    paths += (root / WEB).rglob("*.ts")
    return {path.relative_to(root).as_posix(): path.read_text() for path in paths}


def modules(tree: Tree) -> dict[str, str]:
    """The text of every Python file, by its name without `spikefab.`; packages end in `__init__`."""
    names = {path: path.removeprefix("src/spikefab/").removesuffix(".py").replace("/", ".") for path in tree}
    return {name: tree[path] for path, name in names.items() if path.endswith(".py")}


@functools.cache
def statements(text: str) -> tuple[list[tuple[int, str, str]], set[str]]:
    """The imports of a file (level, module, what is taken from it), and all names that it mentions."""
    imports, names = [], set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            imports += [(0, alias.name, "") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            imports += [(node.level, node.module or "", alias.name) for alias in node.names]
        if isinstance(node, ast.Name | ast.Attribute | ast.alias):
            names.add(getattr(node, "id", None) or getattr(node, "attr", None) or getattr(node, "name", ""))
    return imports, names


def python_graph(tree: Tree) -> dict[str, set[str]]:
    """The names (as in `modules`) that each file imports."""
    files = modules(tree)
    return {name: {*_imports(name, text, files)} for name, text in files.items()}


def _imports(name: str, text: str, files: dict[str, str]) -> Iterator[str]:
    package = ["spikefab", *name.split(".")[:-1]]
    for level, module, taken in statements(text)[0]:
        full = ".".join([*(package[: len(package) + 1 - level] if level else []), *([module] if module else [])])
        if full.split(".")[0] != "spikefab" or (full, taken) == ("spikefab", "__version__"):
            continue
        inner = full.removeprefix("spikefab").removeprefix(".")
        candidates = [f"{inner}.{taken}", f"{inner}.{taken}.__init__", inner, f"{inner}.__init__"]
        existing = [c.strip(".") for c in candidates if c.strip(".") in files]
        assert existing, f"{name} imports {taken} from {full}, which does not exist"
        yield existing[0]


def web_graph(tree: Tree) -> dict[str, set[str]]:
    """The files that each TypeScript file imports, as `charts/plot`."""
    files = {
        path.removeprefix(f"{WEB}/").removesuffix(".ts"): text for path, text in tree.items() if path.endswith(".ts")
    }
    graph: dict[str, set[str]] = {}
    for name, text in files.items():
        wanted = re.findall(r"""\b(?:from|import|require)\s*\(?\s*["'](\.[^"']*)["']""", text)
        resolved = (os.path.normpath(f"{Path(name).parent}/{target}").removesuffix(".ts") for target in wanted)
        graph[name] = {target for target in resolved if not target.endswith(".css")}
        assert graph[name] <= {*files}, f"{name} imports {graph[name] - {*files}}, which does not exist"
    return graph


def layer(name: str, layers: list[list[str]], separator: str) -> int | None:
    """The line of `layers` to which a file belongs."""
    fitting = [
        (len(entry), k)
        for k, entries in enumerate(layers)
        for entry in entries
        if name == entry or name.startswith(entry + separator)
    ]
    return max(fitting)[1] if fitting else None


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """The circles of more than one file: groups of files that all reach each other, sorted."""
    reach = {name: {*targets} for name, targets in graph.items()}
    for middle in graph:
        for targets in reach.values():
            if middle in targets:
                targets |= reach[middle]
    parts = {frozenset(b for b in reach[a] if a in reach[b]) for a in graph if a in reach[a]}
    return sorted(sorted(part) for part in parts)


def faults(graph: dict[str, set[str]], layers: list[list[str]], separator: str) -> set[str]:
    """One text for each file without a place, arrow against the direction, and circle."""
    place = {name: layer(name, layers, separator) for name in graph}
    found = {f"{name} has no place in the layers" for name in graph if place[name] is None}
    for name, targets in graph.items():
        for target in targets:
            here, there = place[name], place[target]
            if here is not None and there is not None and there > here:
                found.add(f"{name} -> {target}")
    return found | {"circle: " + " ".join(part) for part in circles(graph)}


def by_name(tree: Tree) -> set[str]:
    """One text for each file that may not import what a text names, but mentions a function that does."""
    return {
        f"{name} uses {said}"
        for name, text in modules(tree).items()
        for said in statements(text)[1]
        if said.split(".")[-1] in BY_NAME and name not in MAY_BY_NAME
    }


def all_faults(tree: Tree) -> set[str]:
    return faults(python_graph(tree), LAYERS, ".") | faults(web_graph(tree), WEB_LAYERS, "/") | by_name(tree)


@pytest.fixture(scope="module")
def tree():
    return read(ROOT)


def test_imports_go_one_way_without_circles(tree):
    assert all_faults(tree) == set()


def test_only_the_front_of_the_house_is_told_what_to_import(tree):
    files = modules(tree)
    for name, reason in MAY_BY_NAME.items():
        assert name in files, reason
    for name in ("boards.table", "hw.models.resolve"):  # these import other packages
        for call in (node for node in ast.walk(ast.parse(files[name])) if isinstance(node, ast.Call)):
            if ast.unparse(call.func).split(".")[-1] in BY_NAME:
                assert "spikefab" not in ast.unparse(call), f"{name}: {ast.unparse(call)}"


def test_every_delegate_exists():
    from spikefab.delegates import DELEGATES, delegate

    for name in DELEGATES:
        assert callable(delegate(name)), name


def planted(tree: Tree, files: Tree) -> set[str]:
    """The faults that text added to files brings in."""
    return all_faults({**tree, **{path: tree.get(path, "") + text for path, text in files.items()}}) - all_faults(tree)


@pytest.mark.parametrize(
    "line",
    [
        "from ..fit.recordings import spikes",
        "from ..fit.recordings.spikes import find_spikes",
        "from .. import studio",
        "def late():\n    from spikefab.fit.recordings import spikes",
        "import spikefab.fit.recordings.spikes as s",
    ],
)
def test_an_upward_import_is_found(tree, line):
    target = "studio.__init__" if "studio" in line else "fit.recordings.spikes"
    assert planted(tree, {"boards/timing.py": f"\n{line}\n"}) == {f"boards.timing -> {target}"}


def test_an_upward_import_inside_fit_is_found(tree):
    line = "\nfrom ..report import plots\n"
    assert "fit.scoring.split -> fit.report.plots" in planted(tree, {"fit/scoring/split.py": line})


def test_a_circle_under_type_checking_is_found(tree):
    one = "from typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    from .two import B\n"
    two = "from spikefab.sim.one import A\n"
    assert planted(tree, {"sim/one.py": one, "sim/two.py": two}) == {"circle: sim.one sim.two"}


def test_an_import_by_name_is_found(tree):
    one = 'import importlib\n\nx = importlib.import_module("spikefab.fit.fitting")\n'
    two = "from importlib import import_module as load\n"
    found = planted(tree, {"sim/one.py": one, "sim/two.py": two})
    assert found == {"sim.one uses import_module", "sim.two uses import_module"}


def test_a_file_outside_every_room_is_found(tree):
    assert planted(tree, {"fit/drawer.py": ""}) == {"fit.drawer has no place in the layers"}


@pytest.mark.parametrize(
    "line",
    [
        'import { one } from "../views/one";',
        'import type { One } from "../views/one";',
        'import {\n  type One,\n} from "../views/one";',
        'export { one } from "../views/one";',
        'const one = await import("../views/one");',
        'type One = import("../views/one").One;',
        'import "../views/one";',
    ],
)
def test_a_typescript_arrow_against_the_direction_is_found(tree, line):
    files = {f"{WEB}/views/one.ts": "export const one = 1;\n", f"{WEB}/charts/two.ts": f"{line}\n"}
    assert planted(tree, files) == {"charts/two -> views/one"}


def test_a_typescript_circle_is_found(tree):
    files = {
        f"{WEB}/ui/one.ts": 'import { two } from "./two";\n',
        f"{WEB}/ui/two.ts": 'import type { one } from "./one";\n',
    }
    assert planted(tree, files) == {"circle: ui/one ui/two"}
