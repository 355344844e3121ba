"""The service of `docs/service` as a server over an emulator: readers come, leave, and come twice."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from dalle2.testing import Emulator

FOLDER = Path(__file__).parents[2] / "docs" / "service"
LONGEST = 20.0
"""Seconds that anything may take here."""
PNG = b"\x89PNG\r\n\x1a\n"


@contextmanager
def running(emulator: Emulator, kept: Path, folder: Path = FOLDER) -> Iterator[httpx.Client]:
    """A browser's connections to the service, which is ended by SIGTERM, and has ended behind the block."""
    with emulator.serve() as server:
        env = os.environ | {
            "OPENAI_BASE_URL": server.base_url,
            "OPENAI_API_KEY": "sk-test",
            "PICTURES": str(kept),
        }
        command = [
            sys.executable,
            "-m",
            "uvicorn",
            "--app-dir",
            str(folder),
            "--port",
            "0",
            "--no-access-log",
            "app:app",
        ]
        with subprocess.Popen(command, env=env, stderr=subprocess.PIPE, text=True) as process:
            assert process.stderr is not None
            said = ""
            try:
                while not (ready := re.search(r"running on (http://\S+)", said)):
                    line = process.stderr.readline()
                    assert line, f"the service did not start:\n{said}"
                    said += line
                with httpx.Client(base_url=ready[1], timeout=LONGEST, trust_env=False) as browser:
                    yield browser
            finally:
                process.terminate()
                said += process.communicate(timeout=30)[1]
    assert "Application shutdown complete" in said


@pytest.fixture(scope="module")
def emulator() -> Emulator:
    """What the shared service paints with."""
    return Emulator()


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the shared service keeps its pictures."""
    return tmp_path_factory.mktemp("kept")


@pytest.fixture(scope="module")
def browser(emulator: Emulator, kept: Path) -> Iterator[httpx.Client]:
    """A browser at the shared service."""
    with running(emulator, kept) as browser:
        yield browser


def ask(browser: httpx.Client, prompt: str) -> str:
    """Send the form as a page holds it; the address where the picture can be watched."""
    key = re.search(r'name="key" value="([0-9a-f-]{36})"', browser.get("/").text)
    assert key
    answer = browser.post("/jobs", data={"key": key[1], "prompt": prompt})
    assert answer.status_code == 303
    return answer.headers["location"]


def ended(browser: httpx.Client, address: str) -> str:
    """The page of a picture when it is over."""
    assert "event: end" in browser.get(f"{address}/events").text
    return browser.get(address).text


def test_a_reader_who_leaves_loses_no_picture(tmp_path: Path) -> None:
    """The connection is closed in the middle and the service told to end: billed once, the image kept."""
    emulator = Emulator(latency=2)
    with running(emulator, tmp_path) as browser:
        address = ask(browser, "a lighthouse")
        assert 'data-events="' in browser.get(address).text
        with browser.stream("GET", f"{address}/events") as events:
            for line in events.iter_lines():
                if line.startswith("data: data:image/png;base64,"):
                    break
        assert not list(tmp_path.glob("*.png"))
    (picture,) = tmp_path.glob("*.png")
    assert picture.read_bytes().startswith(PNG)
    (bill,) = emulator.billed
    assert (bill.prompt, bill.idempotency_key) == ("a lighthouse", picture.stem)


def test_a_form_that_is_sent_twice_is_painted_once(
    browser: httpx.Client, emulator: Emulator, kept: Path
) -> None:
    """By a double click, by going back, and to a service that was started anew."""
    address = ask(browser, "a fox")
    again = {"key": address.rpartition("/")[2], "prompt": "another fox"}
    assert browser.post("/jobs", data=again).headers["location"] == address
    assert "<img" in ended(browser, address)
    with running(emulator, kept) as later:
        assert later.post("/jobs", data=again).headers["location"] == address
        page = later.get(address).text
        (source,) = re.findall(r'<img src="([^"]+)" alt="a fox">', page)
        assert later.get(source).content.startswith(PNG)
    assert sum("fox" in bill.prompt for bill in emulator.billed) == 1


def test_a_prompt_is_text_and_no_script(browser: httpx.Client) -> None:
    """It is escaped wherever it stands, and the page could run no script that it brings."""
    address = ask(browser, '"><script>alert(1)</script>${key}')
    ended(browser, address)
    answer = browser.get(address)
    assert answer.text.count("<script") == 1
    assert answer.text.count("&lt;script&gt;alert(1)&lt;/script&gt;${key}") == 2
    assert "sk-test" not in answer.text
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self';")
    assert "unsafe" not in policy
    assert not re.search(r"<style|\son\w+=|\sstyle=|<script[^>]*>[^<]", browser.get("/").text)


@pytest.mark.parametrize(
    ("fault", "billed", "told"),
    [
        (lambda host: host.fail_next(400, code="content_policy_violation"), 0, "refused for its content"),
        (lambda host: host.fail_next(401), 0, "cost nothing"),
        (lambda host: host.lose_next(), 1, "may have been painted and paid for"),
    ],
)
def test_a_reader_is_told_what_to_do(
    browser: httpx.Client, emulator: Emulator, fault: Callable[[Emulator], None], billed: int, told: str
) -> None:
    """In a sentence about this picture; what it says of the bill is right."""
    before = len(emulator.billed)
    fault(emulator)
    assert told in ended(browser, ask(browser, "a boat"))
    assert len(emulator.billed) == before + billed


def test_what_a_dead_service_had_begun_is_not_begun_again(
    browser: httpx.Client, emulator: Emulator, kept: Path
) -> None:
    """A key that was written down by a process that was killed is told to be in doubt, and not paid for."""
    key, before = str(uuid4()), len(emulator.billed)
    (kept / f"{key}.txt").write_text("a crash")
    browser.post("/jobs", data={"key": key, "prompt": "a crash"})
    assert "may have been painted and paid for" in ended(browser, f"/jobs/{key}")
    assert len(emulator.billed) == before


def test_another_site_cannot_spend(browser: httpx.Client, emulator: Emulator) -> None:
    """Its form is refused, as are a key that is none and a picture that is not there."""
    before = len(emulator.billed)
    form = {"key": str(uuid4()), "prompt": "x"}
    assert browser.post("/jobs", data=form, headers={"sec-fetch-site": "cross-site"}).status_code == 403
    assert browser.post("/jobs", data=form | {"key": "../../etc"}).status_code == 422
    assert browser.get(f"/jobs/{form['key']}").status_code == 404
    assert len(emulator.billed) == before


AWAITED_BY_A_REQUEST = """
import os, pathlib
import dalle2
from fastapi import FastAPI
from fastapi.responses import StreamingResponse

app = FastAPI()

async def painted(name):
    async with dalle2.AsyncClient() as client:
        images = await client.generate(name, size="256x256")
        await images[0].save(pathlib.Path(os.environ["PICTURES"]) / name)

@app.get("/handler")
async def handler():
    await painted("handler")

@app.get("/generator")
async def generator():
    async def told():
        yield "begun"
        await painted("generator")
    return StreamingResponse(told())
"""


@pytest.mark.parametrize(("owner", "saved"), [("handler", ["handler.png"]), ("generator", [])])
def test_what_a_request_awaits_ends_as_the_page_says(tmp_path: Path, owner: str, saved: list[str]) -> None:
    """The page's table: a handler goes on when its reader has left, the generator of an answer does not."""
    (tmp_path / "app.py").write_text(AWAITED_BY_A_REQUEST)
    (tmp_path / "kept").mkdir()
    emulator = Emulator(latency=1)
    with running(emulator, tmp_path / "kept", tmp_path) as browser:
        address = browser.base_url.host, browser.base_url.port
        with socket.create_connection(address) as reader:
            reader.sendall(f"GET /{owner} HTTP/1.1\r\nHost: {address[0]}\r\n\r\n".encode())
            end = time.monotonic() + LONGEST
            while not emulator.billed and time.monotonic() < end:
                time.sleep(0.01)
    assert len(emulator.billed) == 1
    assert [path.name for path in (tmp_path / "kept").iterdir()] == saved
