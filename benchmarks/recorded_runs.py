"""A set of runs whose outputs a change of the inside must not change: fits, regressions, Verilog, what readers understand.

    python -m benchmarks.recorded_runs out/before          # before the change
    python -m benchmarks.recorded_runs out/after           # after it, same machine
    python -m benchmarks.recorded_runs out/after --against out/before

Five seeded fits of five recordings with small budgets, the Verilog of all their models and of every model at every word, two
regressions, and `info` and `features` of every recording. --against compares two such folders file by file, traces by their
arrays and timings not at all, lists what differs, and ends with status 8 if anything does. The search depends on the
processor's linear algebra, so the digests are good for one machine and are not committed. Takes about ten minutes.
"""

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np

from spikefab.hw.datapath import WORDS
from spikefab.hw.models import MODELS

from . import running

FITS = {
    "abf": ("pyABF/18713001.abf", "--seed 1"),
    "noise": ("QSNMC2007/challengeA_set04_4reps.csv", "--seed 2 --sweeps 0-1 --dt 0.2 --step 0.1"),
    "ca3": ("neuroptimus/ca3_pc_v2_4_with_current.csv", "--seed 3 --word 16"),
    "nwb": (
        "NWBShowcase/LantyerEtAl2018_180817_ME_9_CC.nwb",
        "--seed 4 --word 24 --weights 1,2,1 --sweeps 2-9",
    ),
    "pyr": (
        "NWBShowcase/PYR2.abf",
        "--seed 5 --held-out tail --fix E_L=-50 --bounds C=0.02:1.0 --models LIF,QIF,AdEx,MAT,Alpha,Lapicque",
    ),
}
VERIFIED = {"verify": "ca3 --rank 1", "verify2": "abf --rank 2 --steps 5000"}
SUFFIXES = ("abf", "nwb", "csv", "asc", "txt")
COMPARED = {".json", ".v", ".html", ".npz", ".txt", ".png"}


def spikefab(folder: Path, *words: str) -> str:
    """What a command prints on both streams, with its exit code."""
    command = [sys.executable, "-m", "spikefab", *words]
    done = subprocess.run(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8"
    )
    return f"== {' '.join(words[:1])}\n{done.stdout}rc {done.returncode}\n"


def record(folder: Path) -> None:
    data = running.data()
    folder.mkdir(parents=True)
    for name, (file, words) in FITS.items():
        said = spikefab(
            folder, "fit", str(data / file), "--budget", "600", "--top", "14", "--out", name, *words.split()
        )
        print(name, said.splitlines()[-1], flush=True)
        for rank in range(1, len(MODELS) + 1):
            spikefab(folder, "export", name, "--rank", str(rank), "--to", "verilog", "--out", f"v/{name}-{rank}")
    for model in MODELS:
        (folder / f"{model}.json").write_text(spikefab(folder, "models", model, "--json"), encoding="utf-8")
        for word in WORDS:
            spikefab(folder, "export", model, "--word", str(word), "--to", "verilog", "--out", f"v/{model}-{word}")
    for name, words in VERIFIED.items():
        (folder / f"{name}.txt").write_text(spikefab(folder, "verify", *words.split(), "--json"), encoding="utf-8")
    read = []
    for path in sorted(p for suffix in SUFFIXES for p in data.glob(f"*/*.{suffix}")):
        read += [f"{path.relative_to(data)}\n{spikefab(folder, c, str(path), '--json')}" for c in ("info", "features")]
    (folder / "reading.txt").write_text("".join(read), encoding="utf-8")


def digests(folder: Path) -> dict[str, str]:
    found = {}
    for path in sorted(p for p in folder.rglob("*") if p.suffix in COMPARED and p.name != "timings.json"):
        if path.suffix == ".npz":
            with np.load(path) as arrays:
                content = b"".join(f"{n}{arrays[n].dtype}".encode() + arrays[n].tobytes() for n in sorted(arrays))
        else:
            content = path.read_bytes()
        found[str(path.relative_to(folder))] = hashlib.sha256(content).hexdigest()
    return found


def main() -> int:
    parser = running.parser(__doc__, output=False)
    parser.add_argument("folder", type=Path, metavar="DIR", help="recorded runs, made here if there are none")
    parser.add_argument("--against", type=Path, metavar="DIR", help="earlier ones to compare with")
    options = parser.parse_args()
    if not options.folder.exists():
        record(options.folder)
    if options.against is None:
        return 0
    mine, theirs = digests(options.folder), digests(options.against)
    apart = [name for name in sorted(mine.keys() | theirs.keys()) if mine.get(name) != theirs.get(name)]
    print(f"{len(mine)} files, {len(apart)} differ.", *apart, sep="\n")
    return running.MISSED if apart or not mine else 0


if __name__ == "__main__":
    sys.exit(main())
