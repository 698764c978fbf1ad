"""The pictures of docs/hardware.md: what multipliers of banks do in each clock, and where a population is on the device.

    python docs/make_hardware.py

The floorplan is of a build (a minute), drawn by Chromium from what nextpnr writes.
"""

import os
import tempfile
from pathlib import Path

from matplotlib.patches import Patch
from playwright.sync_api import sync_playwright

from spikefab.boards.build import build
from spikefab.boards.population import Crowd
from spikefab.boards.table import BOARDS
from spikefab.fit.report.plots import STYLE, new_figure
from spikefab.hw.bank import Bank
from spikefab.hw.models import HodgkinHuxleyNeuron, IzhikevichNeuron

DOCS = Path(__file__).parent
BANKS = (
    ("icebreaker", 16, 1),
    ("icebreaker", 16, 3),
    ("ulx3s-25f", 18, 16),
)  # of Hodgkin-Huxley: board, word, multipliers
BUSY, IDLE = "#30638e", "#e3e6ea"
SCALE = 0.55  # of the floorplan


def occupancy(path: Path) -> None:
    """Draw for each multiplier of a bank which product it makes in each clock of the interval."""
    from matplotlib import rc_context

    banks = [
        Bank(HodgkinHuxleyNeuron(word=word), 64, multipliers=count, timing=BOARDS[board].family.timing)
        for board, word, count in BANKS
    ]
    with rc_context(STYLE):
        figure = new_figure(11.5, 4.6)
        axes = figure.subplots(1, len(banks), width_ratios=[bank.interval + 4 for bank in banks])
        for ax, bank, (board, word, count) in zip(axes, banks, BANKS, strict=True):
            plan, interval = bank.plan, bank.interval
            taken = {(plan.start[i] % interval, unit): i for i, unit in plan.unit.items()}
            assert len(taken) == len(plan.unit), "a multiplier makes one product in a clock"
            numbers = {i: k for k, i in enumerate(sorted(plan.unit), 1)}
            for clock in range(interval):
                for unit in range(count):
                    product = taken.get((clock, unit))
                    colour = IDLE if product is None else BUSY
                    ax.barh(unit, 0.94, 0.9, left=clock + 0.03, color=colour)
                    if product is not None:
                        size = 8 if interval < 20 else 6
                        ax.text(
                            clock + 0.5, unit, str(numbers[product]), color="w", ha="center", va="center", fontsize=size
                        )
            ax.set(
                xlim=(0, interval), ylim=(max(count, 6) - 0.4, -0.6), yticks=[], xlabel=f"clock of {interval}",
                title=f"{board}\nword {word}\n{count} multiplier{'s' * (count > 1)}\n{len(taken) / (count * interval):.0%} busy",
            )  # fmt: skip
            ax.set_xticks(
                [0.5, interval - 0.5] if interval > 1 else [0.5], ["1", str(interval)] if interval > 1 else ["1"]
            )
        axes[0].set_ylabel("multiplier")
        marks = [Patch(color=BUSY, label="makes the product of this number"), Patch(color=IDLE, label="idle")]
        figure.legend(handles=marks, frameon=False, loc="outside lower center", ncols=2)
        figure.savefig(path, dpi=110)


def floorplan(path: Path) -> None:
    """Draw where a population of Izhikevich neurons and its link are on the iCEBreaker."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        build(IzhikevichNeuron(word=16), "icebreaker", folder, crowd=Crowd(2048), floorplan=True)
        drawing = (Path(folder) / "floorplan.svg").read_text(encoding="utf-8")
        browser = driver.chromium.launch(
            executable_path=os.environ.get("CHROMIUM", "/usr/bin/chromium"), args=["--no-sandbox"]
        )
        page = browser.new_page(device_scale_factor=SCALE)
        page.set_content(f"<style>body {{ margin: 0 }} svg {{ display: block }}</style>{drawing}")
        page.locator("svg").screenshot(path=path)
        browser.close()


if __name__ == "__main__":
    occupancy(DOCS / "occupancy.png")
    floorplan(DOCS / "floorplan.png")
