"""What is refused, and how it reads: a sentence in an alert, and the page goes on."""

import pytest
from playwright.sync_api import expect

from .conftest import take


@pytest.fixture
def page(visit):
    return visit(refusals=True)


def alert(page):
    page.wait_for_selector("#alerts [role=alert]")
    text = page.inner_text("#alerts [role=alert] >> nth=-1")
    assert "Traceback" not in text and "/recordings/" not in text
    return text


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("broken.abf", b"ABF2" + bytes(600), "truncated or damaged"),
        ("empty.csv", b"", "empty"),
        ("picture.png", b"\x89PNG\r\n\x1a\n" + bytes(100), "picture.png"),
        ("broken.nwb", b"not hdf5 at all", "broken.nwb"),
    ],
)
def test_files_that_cannot_be_read(page, tmp_path, name, content, says):
    path = tmp_path / name
    path.write_bytes(content)
    page.set_input_files("#import-file", path)
    assert says in alert(page)
    page.locator("#alerts button").first.click()
    page.wait_for_selector("#alerts [role=alert]", state="detached")


def test_a_file_that_is_too_large_is_not_sent(page, monkeypatch, tmp_path):
    sent = []
    page.on("request", lambda r: sent.append(r.url) if r.method == "POST" else None)
    with (tmp_path / "large.abf").open("wb") as file:
        file.truncate(600 * 2**20)
    page.set_input_files("#import-file", tmp_path / "large.abf")
    assert "can be imported" in alert(page)
    assert not any("/api/recordings" in url for url in sent)


def test_a_time_step_is_asked_for(page, tmp_path):
    path = tmp_path / "bare.csv"
    path.write_text("\n".join(["V_mV,I_nA", *("-70.0,0.1",) * 4000]))
    page.set_input_files("#import-file", path)
    alert(page)
    page.fill("#import-dt", "0.25")
    page.click("#import-retry")
    page.wait_for_selector("#recordings >> text=bare.csv")
    expect(page.locator("#facts")).to_contain_text("0.25", use_inner_text=True)


def test_a_recording_is_read_otherwise(page, tmp_path, cell):
    voltage, current = cell(0.3)
    path = tmp_path / "two.csv"
    rows = zip(voltage, voltage - 10, current, strict=True)
    path.write_text(
        "\n".join(
            ["t_ms,V1_mV,V2_mV,I_nA", *(f"{k * 0.1:.1f},{a:.3f},{b:.3f},{i}" for k, (a, b, i) in enumerate(rows))]
        )
    )
    take(page, path)
    page.click("#read-otherwise summary")
    page.fill("#again-voltage-channel", "V9")
    page.click("#read-again")
    page.wait_for_selector("#facts .bad:not([hidden]) >> text=V9")
    page.fill("#again-voltage-channel", "V2_mV")
    page.fill("#again-units", "mV,pA")
    page.click("#read-again")
    page.wait_for_selector("#facts >> text=mV and pA")
    page.click("#panel-trace .same summary")
    same = page.inner_text("#panel-trace .same")
    assert "--voltage-channel V2_mV --units mV,pA" in same and "units='mV,pA'" in same
    assert page.input_value("#again-voltage-channel") == "V2_mV"


def test_a_voltage_alone_is_seen_and_overlaid_and_not_fitted(page, tmp_path, cell):
    voltage, _ = cell(0.3)
    path = tmp_path / "only.csv"
    path.write_text("\n".join(["t_ms,V_mV", *(f"{k * 0.1:.1f},{v:.4f}" for k, v in enumerate(voltage))]))
    take(page, path)
    expect(page.locator("#cannot-be-fitted")).to_contain_text("cannot be fitted", use_inner_text=True)
    page.click("#tab-models")
    page.click("[data-testid=open-LIFNeuron]")
    page.wait_for_selector("#codes tbody tr", timeout=120_000)
    page.click("#tab-fit")
    page.click("#fit-start") if page.is_enabled("#fit-start") else None
    expect(page.locator("#panel-fit")).to_contain_text("cannot be fitted", use_inner_text=True)


def test_what_makes_no_sense_is_a_sentence(page, recording):
    take(page, recording)
    page.click("#tab-fit")
    page.fill("#fit-budget", "0")
    page.click("#fit-start")
    page.wait_for_function(
        "document.querySelector('#fit-error').innerText || document.querySelector('#fit-budget:invalid')"
    )
