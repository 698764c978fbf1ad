"""A run in a board, as it is clicked: seen while it comes, its verdict, its files; and how a build says what a board can do."""

import json
import shutil

import pytest
from playwright.sync_api import expect

from .conftest import MOST, WIDE
from .test_odd_orders import on_the_bench

CLAIMS = ("real time", "on the board", "on hardware")
DRAWN = """([id, name]) => {
    const canvas = document.querySelector(`#${id} canvas`), probe = document.createElement("i");
    probe.style.color = `var(--${name})`;
    document.body.append(probe);
    const [r, g, b] = getComputedStyle(probe).color.match(/[\\d.]+/g).map(Number);
    probe.remove();
    const copy = Object.assign(document.createElement("canvas"), {width: canvas.width, height: canvas.height});
    const context = copy.getContext("2d", {willReadFrequently: true});
    context.drawImage(canvas, 0, 0);
    const {data} = context.getImageData(0, 0, copy.width, copy.height);
    let found = 0;
    for (let k = 0; k < data.length; k += 4)
        found += Math.abs(data[k] - r) + Math.abs(data[k + 1] - g) + Math.abs(data[k + 2] - b) < 30 && data[k + 3] > 200;
    return found;
}"""
REPORT = {
    "type": "report", "board": "icebreaker", "model": "LIFNeuron", "word": 18, "mhz": 41.5, "interval": 12, "latency": 12,
    "clock_mhz": 39.75, "floorplan": None, "bitstream": "x.bin", "cells": [1, 2], "multipliers": [1, 2], "block_rams": [1, 2],
}  # fmt: skip
SPEED = {
    "neurons": 1, "baud": 1_000_000, "steps_per_second": 22_000, "times_real_time": 2.2, "possible_neurons": 331,
}  # fmt: skip


@pytest.fixture
def page(visit):
    page = visit(refusals=True)
    on_the_bench(page, "LIFNeuron")
    page.click("#tab-deploy")
    page.wait_for_selector("#neuron option[value=bench]:not([disabled])", state="attached")
    page.select_option("#neuron", "bench")
    page.click("#board-icebreaker")
    page.select_option("#run-port", "sim:reference")
    return page


def run(page, **fields):
    for name, value in fields.items():
        page.fill(f"#run-{name}", str(value))
    before = page.locator("#jobs tbody tr[data-key]").count()
    page.click("#run-start")
    page.wait_for_function("n => document.querySelectorAll('#jobs tbody tr[data-key]').length > n", arg=before)


def test_a_run_in_the_simulated_reference(page, studio):
    assert page.is_disabled("#run-current option[value=recorded]") and page.input_value("#run-current") == "step"
    assert float(page.input_value("#run-step")) > 0
    run(page, step=0.7, seconds=30)
    page.wait_for_function(
        "() => / of 300,000 steps/.test(document.querySelector('#run-counts').innerText)", timeout=MOST
    )
    page.wait_for_function(f"a => ({DRAWN})(a) > 200", arg=["run-voltage", "accent"])  # while it goes on
    assert not page.inner_text("#verdict")
    page.click("#job-cancel")
    page.wait_for_selector("#job-state >> text=cancelled")
    page.wait_for_selector("#job-files >> text=run.csv")

    run(page, seconds=0.5)
    page.wait_for_selector("#verdict:not(:empty)", timeout=MOST)
    page.wait_for_selector("#job-state >> text=done")
    (job,) = (j for j in studio.studio.jobs.all() if j["kind"] == "run" and j["state"] == "done")
    (told,) = (e for _, e in studio.studio.jobs.events(job["id"]) if e["type"] == "run")
    assert told["spikes"] > 10
    assert page.inner_text("#verdict") == f"✓ bit-exact over 5,000 samples and {told['spikes']} spikes, in simulation."
    counts = page.inner_text("#run-counts")
    assert counts.startswith("lockstep, the reference behind the same bytes: 5,000 steps (0.5 s of model time) in ")
    for chart in ("run-voltage", "run-spikes"):
        assert page.evaluate(DRAWN, [chart, "accent"]) > 200
    assert not any(claim in page.inner_text("#job") for claim in CLAIMS)
    page.click("#job .same summary")
    same = "--port sim:reference --board icebreaker --step 0.7 --seconds 0.5"
    expect(page.locator("#job .same")).to_contain_text(same, use_inner_text=True)
    with page.expect_download() as started:
        page.click("#job-files >> text=run.csv")
    text = started.value.path().read_text()
    assert text.startswith("time_ms,current_nA,voltage_mV,spike\n") and len(text.splitlines()) == 5001

    page.select_option("#run-every", "32768")
    run(page)
    page.wait_for_selector("#verdict >> text=/over [0-9]+ samples/", timeout=MOST)
    assert page.is_hidden("#run-voltage") and page.evaluate(DRAWN, ["run-spikes", "accent"]) > 200
    page.reload()
    page.wait_for_selector("#verdict >> text=/in simulation/", timeout=MOST)
    assert page.input_value("#run-every") == "32768" and page.input_value("#run-step") == "0.7"


def test_a_port_that_is_not_there_is_a_sentence(page):
    assert page.is_hidden("#run-path")
    page.select_option("#run-port", "other")
    page.fill("#run-path", "ttyUSB1")
    page.click("#run-start")
    page.wait_for_selector("#deploy-error >> text=A port is a path in /dev, such as /dev/ttyUSB1.")
    run(page, path="/dev/ttyNONE9", seconds=0.1)
    page.wait_for_selector("#job >> text=there is no port /dev/ttyNONE9", timeout=MOST)
    expect(page.locator("#job-state")).to_contain_text("failed", use_inner_text=True)
    assert not page.inner_text("#verdict")
    assert page.is_hidden("#run-result")


NOW = [
    "39.75 MHz needed, from a PLL",
    "1 in this bitstream",
    "1 times real time, counted from the clock, not measured on a board",
    "22,000 steps a second at 1,000,000 baud: 2.2 times real time",
    "331 neurons in real time",
]


@pytest.mark.parametrize(
    ("more", "says", "lacks"),
    [
        (SPEED | {"pll": True, "free_run": 1.000000002}, NOW, []),
        (SPEED | {"pll": False, "free_run": 0.5}, ["39.75 MHz needed –", "0.5 times real time"], ["PLL"]),
        (SPEED, ["39.75 MHz needed –", "22,000 steps a second"], ["PLL", "free-run"]),
        ({"neurons": 331}, ["331 neurons in real time"], ["in this bitstream", "free-run", "lockstep"]),
    ],
    ids=["pll", "no pll", "without free-run", "first"],
)
def test_build_reports_of_each_version(visit, studio, more, says, lacks):
    folder = studio.studio.project.folder / "jobs" / "j0000000a"
    folder.mkdir()
    job = {
        "id": folder.name,
        "kind": "build",
        "title": "LIF for icebreaker",
        "created": "2026-01-01",
        "recording": None,
        "settings": {},
    }
    (folder / "job.json").write_text(json.dumps(job))
    events = [REPORT | more, {"type": "state", "state": "done"}]
    (folder / "events.jsonl").write_text("".join(f"{json.dumps(e)}\n" for e in events))
    try:
        page = visit(WIDE)
        page.click("#tab-deploy")
        page.click("#jobs tr[data-key=j0000000a] .link")
        page.wait_for_selector("#report >> text=/MHz/")
        text = page.inner_text("#report")
        assert [words for words in says if words not in text] == [] and [
            words for words in lacks if words in text
        ] == []
    finally:
        shutil.rmtree(folder)
