"""`spikefab doctor`: shows what is installed, what is missing or not ready, and what to do about it."""

import importlib.metadata
import platform
import shutil
import tempfile
from argparse import Namespace
from dataclasses import asdict
from pathlib import Path
from typing import Any

from spikefab import __version__
from spikefab.console import Screen
from spikefab.errors import ToolError
from spikefab.files import left_behind
from spikefab.parts import parts

# folders of the user's cache, and what the table of caches says that each holds
CACHES = {
    "kernels": "compiled kernels of the fit",
    "sim": "compiled simulations of the regression",
    "yowasp": "place and route, compiled for this machine",
    "logs": "defects",
}

KERNELS = (
    "A kernel in fixed point is compiled before a model is first searched, one in float64 before it is scored on sweeps of more"
    " than {:,} steps. A variant, word, time step or span of the current can need a kernel of its own. The functions of the"
    " loss, which all models share, {} compiled."
)


def doctor(args: Namespace, screen: Screen) -> int:
    """Show packages, tools, parts and caches. Raises `ToolError` if something that spikefab needs is missing.

    A part that is not ready (see `PartState`) is shown with what to do, and does not count as missing: most users do without it.
    """
    packages = _packages()
    tools = _tools()
    caches = _caches()
    ready = parts(Path(caches[0]["folder"]))
    left = left_behind(Path(tempfile.gettempdir()))
    missing = [
        *(f"{p['name']}: pip install {p['name']}" for p in packages if p["version"] is None),
        *(f"{t['name']}: {t['install']}" for t in tools if not t["found"] and not t["optional"]),
    ]
    screen.say(f"spikefab {__version__}, Python {platform.python_version()}, {platform.platform()}")
    rows = [(str(p["name"]), str(p["version"] or "missing"), p["needs"]) for p in packages]
    screen.table("Packages", ("package", "version", "needed"), rows, left=3)
    screen.table(
        "Tools",
        ("tool", "version", "found in", "for"),
        [(t["name"], t["version"] or ("-" if t["found"] else "missing"), _where(t), t["purpose"]) for t in tools],
        left=4,
    )
    screen.table(
        "For some uses",
        ("part", "", "found", "to do"),
        [(p.name, "ready" if p.ready else "not ready", p.state, p.advice) for p in ready],
        left=4,
    )
    screen.table(
        "Caches",
        ("cache", "holds", "folder", "MB"),
        [(c["name"], CACHES[c["name"]], c["folder"], f"{c['bytes'] / 1e6:.1f}") for c in caches],
        left=3,
    )
    # where a package is missing, the modules that count kernels cannot be imported
    compiled = _kernels(Path(caches[0]["folder"])) if all(p["version"] for p in packages) else {"models": []}
    if compiled["models"]:
        rows = [(k["model"], f"{k['fixed_point'] or '-'}", f"{k['float64'] or '-'}") for k in compiled["models"]]
        screen.table("Compiled kernels", ("model", "fixed point", "float64"), rows, left=1)
        screen.say(KERNELS.format(compiled["interpreted"], "are" if compiled["loss"] else "are not yet"))
    if left and not args.sweep:
        screen.say(
            f"Left by processes that were killed: {', '.join(map(str, left))}. spikefab doctor --sweep deletes them."
        )
    elif args.sweep:
        for folder in left:
            shutil.rmtree(folder, ignore_errors=True)
        screen.say(f"Deleted: {', '.join(map(str, left)) or 'nothing, as nothing was left'}.")
    screen.result(
        {
            "spikefab": __version__,
            "python": platform.python_version(),
            "platform": platform.platform(),
            "packages": packages,
            "tools": tools,
            "parts": [asdict(p) for p in ready],
            "caches": caches,
            "kernels": compiled,
            "left": list(map(str, left)),
            "missing": missing,
        }
    )
    if missing:
        raise ToolError(f"something that spikefab needs is missing: {'; '.join(missing)}.")
    rest = [p.name for p in ready if not p.ready] + [t["name"] for t in tools if t["optional"] and not t["found"]]
    for_some = f" For some uses: {', '.join(rest)}; what to do stands above." if rest else ""
    screen.say(f"Nothing that spikefab cannot do without is missing.{for_some}")
    return 0


def _packages() -> list[dict[str, Any]]:
    """The packages that spikefab requires, each with the version that is installed, None if it is not."""
    found = []
    for requirement in importlib.metadata.requires("spikefab") or []:
        text, _, condition = requirement.partition(";")
        if "extra" in condition:
            continue
        # in "numpy>=2" or "name[extra]", the name of the package ends before the first of these characters
        end = next((k for k, c in enumerate(text) if c in "<>=!~[ ("), len(text))
        name = text[:end].strip()
        try:
            version: str | None = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            version = None
        found.append({"name": name, "version": version, "needs": text[end:].strip()})
    return found


def _tools() -> list[dict[str, Any]]:
    """The external tools: where each was found, or how to install it."""
    from spikefab.toolchain.tools import TOOLS, find_tool

    tools = []
    for name, source in TOOLS.items():
        tool = find_tool(name)
        tools.append(
            {
                "name": name,
                "found": tool is not None,
                "version": None if tool is None else tool.version,
                "origin": None if tool is None else tool.origin,
                "compiled": tool is None or tool.compiled,
                "purpose": source.purpose,
                "install": source.install,
                "optional": source.optional,
            }
        )
    return tools


def _where(tool: dict[str, Any]) -> str:
    """For the table: where the tool was found, or the command that installs it."""
    if not tool["found"]:
        return f"{tool['install']}{' (optional)' if tool['optional'] else ''}"
    return f"{tool['origin']}{'' if tool['compiled'] else ' (first use compiles it, a minute or two)'}"


def _kernels(folder: Path) -> dict[str, Any]:
    """What a fit compiles: how many undamaged kernels of each model are in the cache, and whether the loss is compiled.

    "interpreted" is the number of steps of a sweep up to which float64 needs no kernel.
    """
    from spikefab.fit.search.loss import _losses
    from spikefab.hw.models.table import MODELS
    from spikefab.sim.engine import INTERPRETED
    from spikefab.sim.kernels import cached

    whole = [path.stem.rpartition("_")[0] for path in sorted(folder.glob("*_*.json")) if cached(path.stem)]
    models = [{"model": m, "fixed_point": whole.count(m), "float64": whole.count(f"{m}_ideal")} for m in MODELS]
    place = _losses.stats.cache_path  # beside the package, if that folder can be written
    loss = place is not None and any(Path(place).glob("loss._losses-*.nbi"))
    return {"models": models, "interpreted": INTERPRETED, "loss": loss}


def _caches() -> list[dict[str, Any]]:
    """Folder and size of each cache."""
    from spikefab.toolchain.cache import cache_dir

    caches = []
    for name in CACHES:
        folder: Path = cache_dir(name)
        size = sum(f.stat().st_size for f in folder.rglob("*") if f.is_file())
        caches.append({"name": name, "folder": str(folder), "bytes": size})
    return caches
