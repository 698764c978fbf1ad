"""How fast the Studio draws, against a bare page of Starlette and uPlot that does nothing else, in one run.

    python -m benchmarks.studio OUT.json [--runs 15] [--chromium /usr/bin/chromium]

draw    200,000 samples of voltage and current, from the beginning of the page's load to the drawn trace
import  a csv of 1,000,000 samples, from the chosen file to the drawn trace; both read it by `spikefab.read`
slider  a move of a slider to the redrawn trace of 20,000 steps, beside its recording: median over moves
size    of the first page, its script and its style, by gzip

Medians of the runs, the two pages in turns. Ends with status 8 beyond 1.5 times, 1.2 times, 100 ms or 200 kB.
"""

import gzip
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import uvicorn
from playwright.sync_api import Page, sync_playwright
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.routing import Route

from spikefab import read
from spikefab.studio.server import Server

from . import running

UPLOT = running.ROOT / "studio/web/node_modules/uplot/dist"
GATES = {"draw": 1.5, "import": 1.2, "slider_ms": 100.0, "page_kB": 200.0}
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
BARE = """<!doctype html><link rel="stylesheet" href="/uPlot.min.css"><script src="/uPlot.iife.min.js"></script>
<input type="file" id="file"><div id="v"></div><div id="i"></div><script>
async function draw(answer) {
  const floats = new Float32Array(await (await answer).arrayBuffer()), n = floats.length / 2;
  const t = Float64Array.from({length: n}, (_, k) => k * 0.1);
  for (const [k, id] of ["v", "i"].entries())
    new uPlot({width: 1100, height: 300, scales: {x: {time: false}}, series: [{}, {stroke: "red"}]},
      [t, floats.subarray(k * n, (k + 1) * n)], document.getElementById(id));
  requestAnimationFrame(() => setTimeout(() => performance.mark("trace-drawn")));
}
const file = document.getElementById("file");
file.onchange = () => draw(fetch("/csv", {method: "POST", body: file.files[0]}));
if (location.hash) draw(fetch("/trace"));
</script>"""


def recording(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """mV and nA: a wandering voltage with spikes, under steps."""
    rng = np.random.default_rng(seed)
    v = -65 + np.cumsum(rng.normal(0, 0.05, n)) * 0.02 + rng.normal(0, 0.3, n)
    for at in range(500, n - 30, 1500):
        v[at : at + 20] += 90 * np.exp(-np.arange(20) / 5.0)
    return v, 0.2 * (np.arange(n) // 5_000 % 2)


def csv(v: np.ndarray, i: np.ndarray) -> bytes:
    t = np.arange(len(v)) * 0.1
    rows = (f"{a:.1f},{b:.3f},{c:.2f}" for a, b, c in zip(t, v, i, strict=True))
    return "\n".join(["t_ms,V_mV,I_nA", *rows]).encode() + b"\n"


class Bare:
    """The bare page, served."""

    def __init__(self, trace: bytes, folder: Path):
        async def take(request: Request) -> Response:
            path = folder / "taken.csv"
            path.write_bytes(await request.body())
            (sweep,) = read(path).sweeps
            return Response(np.concatenate([sweep.voltage, sweep.current]).astype("<f4").tobytes())

        routes = [
            Route("/", lambda _: HTMLResponse(BARE)),
            Route("/trace", lambda _: Response(trace)),
            Route("/csv", take, methods=["POST"]),
            Route("/favicon.ico", lambda _: Response(status_code=404)),
            Route("/{name}", lambda r: FileResponse(UPLOT / Path(r.path_params["name"]).name)),
        ]
        config = uvicorn.Config(Starlette(routes=routes), port=0, log_level="warning", access_log=False)
        self.server = uvicorn.Server(config)
        threading.Thread(target=self.server.run, daemon=True).start()
        while not self.server.started:
            time.sleep(0.01)
        self.address = f"http://127.0.0.1:{self.server.servers[0].sockets[0].getsockname()[1]}/"


def drawn(page: Page, since: float = 0.0) -> float:
    """ms, on the page's clock, at which a trace was drawn after `since`."""
    found = "performance.getEntriesByName('trace-drawn').map(m => m.startTime).filter(t => t > since)"
    page.wait_for_function(f"since => {found}.length > 0", arg=since, timeout=120_000)
    return page.evaluate(f"since => {found}[0]", since)


def imported(page: Page, chooser: str, path: Path) -> float:
    """ms from a chosen file to its drawn trace."""
    begun = page.evaluate("performance.now()")
    page.set_input_files(chooser, path)
    return drawn(page, begun) - begun


def main() -> int:
    parser = running.parser(__doc__)
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--moves", type=int, default=40)
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    options = parser.parse_args()
    times: dict[str, list[float]] = {name: [] for name in ("draw ours", "draw bare", "import ours", "import bare")}
    with tempfile.TemporaryDirectory() as text, sync_playwright() as driver:
        folder = Path(text)
        short, long, cell = (folder / f"{name}.csv" for name in ("short", "long", "cell"))
        v, i = recording(200_000)
        short.write_bytes(csv(v, i))
        long.write_bytes(csv(*recording(1_000_000)))
        cell.write_bytes(csv(*recording(20_000)))
        bare = Bare(np.concatenate([v, i]).astype("<f4").tobytes(), folder)
        browser = driver.chromium.launch(executable_path=options.chromium, args=ARGUMENTS)
        with Server(folder / "project") as server:
            view = {"width": 1280, "height": 900}
            ours, theirs = (browser.new_page(viewport=view) for _ in range(2))
            ours.goto(server.address)
            imported(ours, "#import-file", short)
            ours.wait_for_timeout(1000)  # until the session is saved
            for _ in range(options.runs):
                for name, page, address in (("ours", ours, server.origin), ("bare", theirs, bare.address + "#trace")):
                    page.bring_to_front()  # a page in the background is drawn late
                    page.goto("about:blank")
                    page.goto(address)
                    times[f"draw {name}"].append(drawn(page))
            for _ in range(options.runs):
                ours.bring_to_front()
                times["import ours"].append(imported(ours, "#import-file", long))
                theirs.bring_to_front()
                theirs.goto("about:blank")
                theirs.goto(bare.address)
                times["import bare"].append(imported(theirs, "#file", long))
            slider = moved(ours, cell, options.moves)
            browser.close()
    medians = {name: statistics.median(x) for name, x in times.items()}
    static = running.ROOT / "studio/static"
    found = {
        "draw": medians["draw ours"] / medians["draw bare"],
        "import": medians["import ours"] / medians["import bare"],
        "slider_ms": statistics.median(slider),
        "page_kB": sum(len(gzip.compress(p.read_bytes())) for p in static.iterdir()) / 1000,
    }
    for name, x in found.items():
        print(f"{name}: {x:.2f} (at most {GATES[name]:g})")
    content = running.head("starlette", "uvicorn", "playwright") | {
        "found": found,
        "gates": GATES,
        "medians_ms": medians,
        "times_ms": times,
        "slider_ms": slider,
    }
    running.write(options.output, content)
    return running.MISSED if any(found[name] > limit for name, limit in GATES.items()) else 0


def moved(page: Page, path: Path, moves: int) -> list[float]:
    """ms of each of so many moves of a slider, to the redrawn trace."""
    page.bring_to_front()
    imported(page, "#import-file", path)
    page.click("#tab-models")
    page.click("[data-testid=open-AdExNeuron]")
    page.wait_for_selector("#p-C")
    page.wait_for_timeout(15_000)  # until kernels are compiled
    page.evaluate("performance.clearMeasures()")
    for k in range(moves):
        page.evaluate(
            "k => { const s = document.querySelector('#p-C'); s.value = 300 + 7 * k;"
            " s.dispatchEvent(new Event('input', {bubbles: true})); }",
            k,
        )
        page.wait_for_function("k => performance.getEntriesByName('slider-to-trace').length > k", arg=k, timeout=30_000)
        page.wait_for_timeout(150)
    return page.evaluate("performance.getEntriesByName('slider-to-trace').map(m => m.duration)")


if __name__ == "__main__":
    sys.exit(main())
