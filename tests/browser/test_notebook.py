"""The page in a frame of a notebook, which is another site to the browser: it gets no cookie, and works without."""

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from playwright.sync_api import expect

from spikefab.studio.server import NOTEBOOKS, Server

from .conftest import WIDE, take


@pytest.fixture
def notebook(tmp_path):
    """The address of a page on localhost that shows a Studio on 127.0.0.1, and the Studio."""
    with Server(tmp_path / "project", frames=NOTEBOOKS) as server:

        class Notebook(BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.send_header("content-type", "text/html")
                self.end_headers()
                self.wfile.write(f'<iframe src="{server.address}" width="1200" height="800"></iframe>'.encode())

            def log_message(self, *_):
                pass

        here = HTTPServer(("127.0.0.1", 0), Notebook)
        threading.Thread(target=here.serve_forever, daemon=True).start()
        yield f"http://localhost:{here.server_port}/", server
        here.shutdown()
        here.server_close()


def test_in_a_frame(browser, notebook, recording):
    address, server = notebook
    context = browser.new_context(viewport=WIDE, accept_downloads=True)
    page = context.new_page()
    page.goto(address)
    frame = page.frames[1]
    frame.wait_for_function("() => window.__spikefab?.ready")
    take(frame, recording)
    assert context.cookies() == []
    job = frame.evaluate(
        """async () => (await (await fetch("/api/jobs", {method: "POST", headers: {"X-Spikefab-Token":
        document.querySelector("meta[name=spikefab-token]").content}, body: JSON.stringify({kind: "fit", models: ["LIF"],
        budget: 200, recording: (await (await fetch("/api/project" + location.search)).json()).recordings[0].id})})).json()).id"""
    )
    end = frame.evaluate(
        """job => new Promise((over, bad) => { const s = new EventSource(`/api/jobs/${job}/events${location.search}`);
        s.onerror = bad;
        s.onmessage = m => { const e = JSON.parse(m.data); if (e.type == "ranking") { s.close(); over(e); } } })""",
        job,
    )
    assert end["rows"] and server.studio.jobs.describe(job)["files"]
    context.close()


def test_without_the_link(browser, notebook):
    _, server = notebook
    page = browser.new_page()
    page.goto(server.origin)
    expect(page.locator("body")).to_contain_text("printed in the terminal", use_inner_text=True)
    page.close()
