"""The terminal gets what it can show, in any locale, and files are UTF-8 all the same."""

import io
import json
import os
import subprocess
import sys

import pytest

from spikefab.terminal import prepare, stand_in

ENCODINGS = ("ascii", "latin-1", "cp1252", "utf-8")
# A locale in which Python's own default for files, names and streams is ASCII.
BARE = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("R = 3.2 MΩ, 5 µA ± 1", "R = 3.2 MOhm, 5 uA +- 1"),
        ("0 ≤ V × 2 … – −3", "0 <= V x 2 ... - -3"),
        ("Zelle_Größe.csv", "Zelle_Grosse.csv"),
        ("naïve Ångström Łódź", "naive Angstrom Lodz"),
        ("├──┤ │ ⠋ ████", "+--+ | . ####"),
        ("細胞", "??"),
        (os.fsencode("ü").decode("ascii", "surrogateescape"), "u"),  # as Python reads a name in the locale C
        ("zelle_\udcfc.csv", "zelle_?.csv"),  # as Python reads a name that is no UTF-8
    ],
)
def test_what_stands_for_what(text, plain):
    assert stand_in(text) == plain


NAME = "Zelle 1 'µ' Größe – Ω 細胞.csv"


@pytest.fixture
def streams(monkeypatch):
    """Standard output and error of an encoding, made as Python makes them; returns the bytes written so far."""

    def of(encoding):
        made = io.BytesIO(), io.BytesIO()
        for name, raw in zip(("stdout", "stderr"), made, strict=True):
            monkeypatch.setattr(sys, name, io.TextIOWrapper(raw, encoding=encoding, errors="strict"))
        return lambda: (sys.stdout.flush(), sys.stderr.flush()) and tuple(raw.getvalue() for raw in made)

    return of


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_sign_is_replaced_only_where_the_encoding_lacks_it(streams, encoding):
    written = streams(encoding)
    prepare()
    print("±1 µm Ω …")
    wanted = {"ascii": "+-1 um Ohm ...", "latin-1": "±1 µm Ohm ...", "cp1252": "±1 µm Ohm …", "utf-8": "±1 µm Ω …"}
    assert written()[0].decode(encoding) == wanted[encoding] + "\n"


@pytest.fixture
def strange(recording, tmp_path):
    """The recording under a name with spaces, quotes and signs of several alphabets."""
    path = tmp_path / NAME
    path.write_bytes(recording.read_bytes())
    return path


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_no_command_fails_for_an_encoding(streams, strange, encoding, tmp_path):
    from spikefab.cli import main

    written = streams(encoding)
    assert main(["models", "hodgkinhuxley"]) == 0
    assert main(["features", "--help"]) == 0
    assert main(["info", str(strange), "--picture", str(tmp_path / "Bild µ.png")]) == 0
    assert main(["features", str(strange)]) == 0
    assert main(["features", str(tmp_path / "fehlt – Ω.csv")]) == 3
    assert main(["info", str(strange), "--json"]) == 0
    out, err = (text.decode(encoding) for text in written())
    assert "Zelle 1 '" in out and "fehlt" in err and "defect" not in err
    assert ("Ω" in out) is (encoding == "utf-8")


def test_a_fit_in_the_bare_locale(strange, tmp_path):
    """One process, because the locale is that of a process: names, report, result and picture."""
    out = tmp_path / "Ergebnis µ Ω"
    strange = strange.rename(
        os.fsdecode(os.fsencode(strange.parent) + b"/alt_\xe9_" + os.fsencode(strange.name))
    )  # Latin-1
    command = [sys.executable, "-m", "spikefab", "fit", strange, "--models", "lif", "--budget", "96", "--out", out]
    done = subprocess.run(command, env=os.environ | BARE, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode("utf-8", "replace")
    assert done.stdout.isascii()
    report = (out / "report.html").read_text(encoding="utf-8")
    assert f"alt_\ufffd_{NAME}".replace("'", "&#x27;") in report
    source = json.loads((out / "result.json").read_text(encoding="utf-8"))["input"]["source"]
    assert source == f"alt_\ufffd_{NAME}"
    again = subprocess.run(
        [sys.executable, "-m", "spikefab", "export", out, "--to", "verilog", "--out", out / "rtl 1"],
        env=os.environ | BARE, capture_output=True, check=False,
    )  # fmt: skip
    assert again.returncode == 0, again.stderr.decode("utf-8", "replace")


def test_a_dumb_terminal_gets_no_control_codes(strange, on_a_terminal):
    """But lines of progress, as a pipe does."""
    written = on_a_terminal("-m", "spikefab", "fit", strange, "--models", "lif", "--budget", "96", TERM="dumb")
    assert "\x1b" not in written
    assert "evaluations, best loss" in written


def test_no_color(on_a_terminal):
    written = on_a_terminal("-m", "spikefab", "boards", NO_COLOR="1", TERM="xterm-256color", PYTHONIOENCODING="ascii")
    assert written.isascii() and "\x1b[3" not in written and "+--" not in written
