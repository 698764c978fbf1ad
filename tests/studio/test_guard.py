"""Hostile and mistaken requests: each is answered, none gets through, and the server goes on."""

import concurrent.futures
import errno
import os
import signal
import socket
import subprocess
import sys
import threading

import httpx
import pytest

from spikefab.studio import app, guard, page_keys
from spikefab.studio.project import Project, file_name
from spikefab.studio.server import Server

from .conftest import Page, neuron

POSTS = ("/api/recordings", "/api/simulate", "/api/jobs", "/api/jobs/j00000000/cancel")


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "127.0.0.1", "[::1]:1", "127.0.0.1.evil.example", ""]
)
def test_foreign_hosts(studio, host):
    for path in ("/", "/api/project", "/static/app.js"):
        answer = studio.http.get(path, headers={"host": host})
        if host:
            assert studio.refused(answer, 403) == "The Studio answers to 127.0.0.1 and localhost only."
        assert answer.status_code in (400, 403)
    assert studio.server.studio.token not in answer.text


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "https://127.0.0.1", "null", "http://127.0.0.1:1", "file://"]
)
def test_foreign_origins(studio, origin):
    for path in POSTS:
        assert "other sites" in studio.refused(studio.http.post(path, headers={"origin": origin}), 403)
    assert studio.http.get("/api/project", headers={"origin": origin}).status_code == 403
    own = {"origin": studio.server.origin}
    assert studio.http.get("/api/project", headers=own).status_code == 200


@pytest.mark.parametrize("token", [None, "", "wrong", "ü" * 24])
def test_without_the_token(studio, token):
    headers = [] if token is None else [(b"x-spikefab-token", token.encode())]
    with httpx.Client(base_url=studio.server.origin, trust_env=False) as http:
        for path in POSTS:
            assert "token" in studio.refused(http.post(path, headers=headers), 403)
        for path in ("/api/recordings/r00000000", "/api/jobs/j00000000"):
            assert "token" in studio.refused(http.delete(path, headers=headers), 403)
        assert "token" in studio.refused(http.put("/api/session", headers=headers, json={}), 403)
    assert studio.get("/api/project")["recordings"] == []


READS = ("/api/project", "/api/models", "/api/boards", "/api/recordings/r00000000/trace", "/api/jobs/j00000000/events")


@pytest.mark.parametrize("given", [{}, {"params": {"token": "wrong"}}, {"params": {"token": ""}}, {"cookies": "wrong"}])
def test_another_user_of_this_machine_sees_nothing(studio, given):
    if "cookies" in given:
        given = {"headers": {"cookie": f"spikefab-studio-{studio.server.port}=wrong; spikefab-studio-1=x"}}
    with httpx.Client(base_url=studio.server.origin, trust_env=False) as stranger:
        page = stranger.get("/", **given)
        assert page.status_code == 403 and "printed in the terminal" in page.text
        assert studio.server.studio.token not in page.text + str(page.headers)
        for path in READS:
            answer = stranger.get(path, **given)
            assert "token" in studio.refused(answer, 403) and studio.server.studio.token not in str(answer.headers)
        assert stranger.put("/api/session", json={"taken": 1}, **given).status_code == 403
    assert "taken" not in studio.get("/api/project")["session"]


def test_the_link_opens_the_page(studio):
    with httpx.Client(base_url=studio.server.origin, trust_env=False) as browser:
        answer = browser.get(studio.server.address)
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        cookie = answer.headers["set-cookie"].lower()
        assert (
            "httponly" in cookie and "samesite=strict" in cookie and f"spikefab-studio-{studio.server.port}=" in cookie
        )
        page = browser.get("/")  # 503 if the page is not built
        assert page.status_code in (200, 503) and studio.server.studio.token not in str(page.headers)
        assert browser.get("/api/project").status_code == 200
        # the cookie comes with requests of pages of other ports: it changes nothing
        assert "token" in studio.refused(browser.put("/api/session", json={}), 403)


def test_a_project_is_readable_by_its_owner_only(tmp_path, recording):
    """Also one that an earlier version has made."""
    (tmp_path / "p" / "jobs").mkdir(parents=True)
    (tmp_path / "p" / "studio.json").write_text("{}")
    for path in (tmp_path / "p", tmp_path / "p" / "jobs"):
        path.chmod(0o755)
    before = os.umask(0)
    try:
        with Server(tmp_path / "p") as server:
            page = Page(server)
            made = page.upload("cell.csv", recording.read_bytes()).json()["id"]
            current = page.http.post(
                f"/api/recordings/{made}/current", params={"name": "i.csv"}, content=recording.read_bytes()
            )
            assert current.status_code in (200, 422)
            page.http.put("/api/session", json={"a": 1})
            page.events(page.post("/api/jobs", {"kind": "export", "neuron": neuron()})["id"])
    finally:
        os.umask(before)
    paths = [tmp_path / "p", *(p for p in (tmp_path / "p").rglob("*") if p.name != "studio.json")]
    assert {"session.json", "cell.csv", "voltage.npy", "events.jsonl", "worker.log", "lock", "neuron.json"} <= {
        p.name for p in paths
    }
    open_ = {str(p): oct(p.stat().st_mode) for p in paths if p.stat().st_mode & 0o077}
    assert open_ == {}


def test_an_order_that_did_not_reach_the_disk_leaves_nothing(tmp_path):
    Project(tmp_path / "cells").close()
    lost, kept = tmp_path / "cells" / "jobs" / "j00000000", tmp_path / "cells" / "jobs" / "j11111111"
    lost.mkdir()
    (lost / ".job.json.0123.part").write_text("{")
    kept.mkdir()
    (kept / "events.jsonl").touch()
    Project(tmp_path / "cells").close()
    assert kept.exists() and not lost.exists()


def test_every_answer_forbids_other_sources(studio):
    for path in ("/", "/api/project", "/nothing", "/static/nothing"):
        headers = studio.http.get(path).headers
        assert "default-src 'self'" in headers["content-security-policy"]
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert "access-control-allow-origin" not in headers


def test_a_gigabyte_is_refused_before_it_is_sent(studio):
    with socket.create_connection(("127.0.0.1", studio.server.port), timeout=20) as line:
        line.sendall(
            f"POST /api/recordings?name=a.csv HTTP/1.1\r\nHost: 127.0.0.1:{studio.server.port}\r\n"
            f"X-Spikefab-Token: {studio.server.studio.token}\r\nContent-Length: {2**30}\r\n\r\n".encode()
        )
        answer = b"".join(iter(lambda: line.recv(65536), b""))
    assert b"413" in answer.split(b"\r\n")[0]
    assert b"too large: at most 512 MiB" in answer


def test_a_body_without_end_is_cut_off(studio, monkeypatch):
    monkeypatch.setattr(guard, "UPLOAD", 2**20)
    sent = 0

    def endless():
        nonlocal sent
        while sent < 2**28:
            sent += 2**16
            yield bytes(2**16)

    try:
        answer = studio.http.post("/api/recordings", params={"name": "a.csv"}, content=endless())
        assert "too large" in studio.refused(answer, 413)
    except httpx.TransportError:  # it was closed while we still sent
        pass
    assert sent < 2**28
    assert not list((studio.folder / "recordings").iterdir())


@pytest.mark.parametrize(
    "path",
    [
        "/static/../app.py",
        "/static/..%2fapp.py",
        "/static/%2e%2e%2fapp.py",
        "/static//etc/passwd",
        "/api/jobs/..%2f..%2fetc/files/passwd",
        "/api/jobs/j00000000/files/..%2fjob.json",
        "/api/recordings/..%2f..%2fstudio.json/trace",
        "/api/recordings/r00000000%00/trace",
        "/api/models/..%2f..%2fpasswd/parameters",
    ],
)
def test_paths_lead_nowhere(studio, path):
    with httpx.Client(headers=studio.http.headers, trust_env=False) as http:
        answer = http.send(http.build_request("GET", studio.server.origin + path))
    assert answer.status_code in (404, 422)
    assert "root:" not in answer.text and "format" not in answer.text


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("../../etc/passwd", "passwd"),
        ("..\\..\\boot.ini", "boot.ini"),
        ("/abs/cell.abf", "cell.abf"),
        (".bashrc", "bashrc"),
        ("..", "recording"),
        ("", "recording"),
        ("-rf.csv", "rf.csv"),
        ("a b;$(rm).csv", "a_b___rm_.csv"),
        ("übung.csv", "_bung.csv"),
        ("x" * 300 + ".csv", "x" * 96 + ".csv"),
        ("nul\0.csv", "nul_.csv"),
        ("x" + "-" * 200, "recording"),
    ],
)
def test_names_of_files(given, kept):
    assert file_name(given) == kept


def test_an_upload_stays_in_its_folder(studio, recording):
    answer = studio.upload("../../../escaped.csv", recording.read_bytes())
    made = answer.json()
    assert made["name"] == "escaped.csv"
    assert {p.name for p in studio.folder.parent.iterdir()} == {"project"}
    assert (studio.folder / "recordings" / made["id"] / "escaped.csv").is_file()
    assert studio.http.delete(f"/api/recordings/{made['id']}").status_code == 204
    assert studio.get("/api/project")["recordings"] == []


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("cell.abf", b"ABF2" + bytes(600), "cell.abf is truncated or damaged"),
        ("cell.abf", os.urandom(5000), "cell.abf"),
        ("cell.nwb", b"\x89HDF\r\n\x1a\n" + bytes(3000), "cell.nwb"),
        ("cell.csv", b"", "cell.csv is empty"),
        ("cell.csv", b"\x00\xff" * 500, "cell.csv"),
        ("cell.xyz", b"hello", "cell.xyz"),
        ("cell", b"hello", "cell"),
    ],
)
def test_malformed_files(studio, name, content, says):
    assert says in studio.refused(studio.upload(name, content))
    assert not list((studio.folder / "recordings").iterdir())


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'"x"', b"[" * 100_000, b"\xff", b'{"a": NaN'])
def test_malformed_requests(studio, body):
    for path in ("/api/simulate", "/api/jobs"):
        assert "JSON" in studio.refused(studio.http.post(path, content=body), 400)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"model": "Nothing"}, "there is no model"),
        ({"model": 3}, "model must be a text"),
        ({"model": "LIF", "word": 17}, "word 17"),
        ({"model": "LIF", "dt": 1e-9}, "dt must be 0.005 to 1"),
        ({"model": "LIF", "dt": True}, "dt must be a number"),
        ({"model": "LIF", "params": {"tau_m": 1e9}}, "tau_m can be"),
        ({"model": "LIF", "params": {"nothing": 1}}, "no parameter"),
        ({"model": "LIF", "params": []}, "params must be an object"),
        ({"model": "LIF", "codes": {"k_m": 1}}, "needs a code"),
        ({"model": "LIF", "settings": {"kinetics": "1952"}}, "no setting"),
        ({"model": "LIF", "recording": "r00000000"}, "no recording"),
        ({"model": "LIF", "recording": "../../x"}, "no recording"),
        ({"model": "LIF", "stimulus": {"duration": 1e9}}, "steps"),
        ({"model": "LIF", "stimulus": {"amplitude": 1e9}}, "amplitude"),
    ],
)
def test_simulations_that_make_no_sense(studio, body, says):
    answer = studio.http.post("/api/simulate", json=body)
    assert says in studio.refused(answer, answer.status_code) and answer.status_code in (404, 422)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"kind": "shell"}, "kind is one of"),
        ({"kind": "fit", "recording": "r00000000"}, "no recording"),
        ({"kind": "build", "neuron": {"model": "LIF", "codes": {}, "i_span": 1}, "board": "x"}, "no board"),
        ({"kind": "build", "neuron": {}, "board": "icebreaker"}, "model must be a text"),
        ({"kind": "verify", "neuron": {"fit": "j00000000", "rank": 1}}, "no job"),
        ({"kind": "verify", "neuron": {"fit": "../../x", "rank": 1}}, "no job"),
        ({"kind": "verify", "steps": 1e12, "neuron": {}}, "steps must be"),
    ],
)
def test_jobs_that_make_no_sense(studio, body, says):
    answer = studio.http.post("/api/jobs", json=body)
    assert says in studio.refused(answer, answer.status_code) and answer.status_code in (404, 422)
    assert studio.get("/api/project")["jobs"] == []


@pytest.mark.slow  # two hundred uploads
def test_two_hundred_uploads_at_once(studio, csv, cell):
    content = csv([cell(0.3, step=100.0)]).encode()

    def upload(k: int) -> int:  # a connection each: httpx closes those of a shared pool while other threads still read
        with httpx.Client(
            base_url=studio.http.base_url, headers=studio.http.headers, timeout=60, trust_env=False
        ) as http:
            return http.post("/api/recordings", params={"name": f"cell{k}.csv"}, content=content).status_code

    with concurrent.futures.ThreadPoolExecutor(200) as pool:
        assert set(pool.map(upload, range(200))) == {201}
    listed = studio.get("/api/project")["recordings"]
    assert len(listed) == len({r["id"] for r in listed}) == 200
    assert {r["name"] for r in listed} == {f"cell{k}.csv" for k in range(200)}
    for r in listed:
        assert studio.http.delete(f"/api/recordings/{r['id']}").status_code == 204


def test_a_reader_that_dies_costs_one_request(studio, recording, monkeypatch):
    readers = studio.server.studio.readers
    victim = readers._idle[-1]
    os.kill(victim.pid, signal.SIGSTOP)  # it takes the file and is still at it
    killer = threading.Timer(0.5, os.kill, (victim.pid, signal.SIGKILL))
    killer.start()
    assert "crashed" in studio.refused(studio.upload("cell.csv", recording.read_bytes()))
    killer.join()
    again = studio.upload("cell.csv", recording.read_bytes())
    assert again.status_code == 201
    studio.http.delete(f"/api/recordings/{again.json()['id']}")


def test_a_file_that_takes_for_ever_is_given_up(studio, recording, monkeypatch):
    monkeypatch.setattr("spikefab.studio.readers.LONGEST", 0.3)
    victim = studio.server.studio.readers._idle[-1]
    os.kill(victim.pid, signal.SIGSTOP)
    assert "given up" in studio.refused(studio.upload("cell.csv", recording.read_bytes()))


def test_a_full_disk_is_a_sentence(studio, recording, monkeypatch):
    async def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(app, "_receive", full)
    answer = studio.upload("cell.csv", recording.read_bytes())
    assert "No space left on device" in studio.refused(answer, 507)
    assert not list((studio.folder / "recordings").iterdir())


def test_a_session_is_small(studio):
    too_much = {"x": "y" * app.SESSION}
    assert "64 kB" in studio.refused(studio.http.put("/api/session", json=too_much), 413)


def test_a_port_that_is_taken(studio, tmp_path):
    command = [sys.executable, "-m", "spikefab", "studio", tmp_path / "p", "--port", str(studio.server.port)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "cannot be had" in done.stderr and "Traceback" not in done.stderr


def test_an_open_page_gets_in_again_after_a_new_start(tmp_path):
    """Its old token opens nothing at the next start; its key opens the new one, at the last few starts of this project only."""
    ask = {"trust_env": False, "timeout": 30}
    with Server(tmp_path / "p") as server:
        port, old, key = server.port, server.studio.token, server.studio.keys.current
        page = httpx.get(server.address, follow_redirects=True, **ask)
        assert page.status_code == 503 or key in page.text
        assert key not in (tmp_path / "p" / "pages.json").read_text()
    with Server(tmp_path / "p", port) as server, httpx.Client(base_url=server.origin, **ask) as http:
        assert http.get("/api/alive", headers={"x-spikefab-token": old}).status_code == 403
        assert http.get("/api/alive", cookies={f"spikefab-studio-{port}": old}).status_code == 403
        for wrong in ("", old, server.studio.token, key[:-1], "é"):
            answer = http.post("/api/again", headers={"x-spikefab-key": wrong.encode()})
            assert "does not know this page" in answer.json()["error"] and answer.status_code == 403
        foreign = {"x-spikefab-key": key, "origin": "http://evil.example"}
        assert http.post("/api/again", headers=foreign).status_code == 403
        assert http.get("/api/again", headers={"x-spikefab-key": key}).status_code == 403
        http.cookies.clear()
        answer = http.post("/api/again", headers={"x-spikefab-key": key})
        assert answer.json() == {"token": server.studio.token, "key": server.studio.keys.current}
        assert "httponly" in answer.headers["set-cookie"].lower()
        assert http.get("/api/alive").status_code == 204  # with the cookie
    with Server(tmp_path / "other", port) as server:
        answer = httpx.post(f"{server.origin}/api/again", headers={"x-spikefab-key": key}, **ask)
        assert answer.status_code == 403
    for _ in range(page_keys.STARTS):
        with Server(tmp_path / "p") as server:
            pass
    assert not server.studio.keys.known(key)


@pytest.mark.parametrize("content", ["{", '{"keys": [1]}', "[]", '{"keys": null}'])
def test_damaged_keys_are_none(tmp_path, content):
    file = tmp_path / "pages.json"
    file.write_text(content)
    keys = page_keys.PageKeys(file)
    assert keys.known(keys.current) and not keys.known("") and page_keys.PageKeys(file).known(keys.current)
