"""The in-process clients, the embedded server, the clock, and the pytest plugin."""

from __future__ import annotations

import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta

import httpx
import pytest

import dalle2.testing
from dalle2.testing import Emulator, embedded_base_url
from dalle2.testing.embedded import stop_embedded

KEY = {"Authorization": "Bearer sk-test"}
URL = "https://api.openai.com/v1/images/generations"
BODY = {"model": "dall-e-2", "prompt": "a fox", "size": "256x256"}


def test_a_blocking_client_streams(api):
    """The body arrives in pieces, as from a socket."""
    url = api.generate(size="1024x1024").json()["data"][0]["url"]
    with api.emulator.client() as http, http.stream("GET", url) as response:
        pieces = list(response.iter_raw())
    assert b"".join(pieces).startswith(b"\x89PNG")
    assert all(len(piece) <= 65536 for piece in pieces)


def test_any_host_is_answered(api):
    """The host of the URL does not matter, only its path."""
    assert api.http.post("https://other.example/v1/images/generations", json=BODY).status_code == 200
    assert api.emulator.requests[-1].origin == "https://other.example"


@pytest.mark.anyio
async def test_the_awaited_client_does_the_same():
    """Under asyncio and trio: a picture, its bytes in a stream, HEAD without a body."""
    emulator = Emulator()
    async with emulator.async_client() as http:
        answer = await http.post(URL, json=BODY, headers=KEY)
        url = answer.json()["data"][0]["url"]
        async with http.stream("GET", url) as response:
            data = b"".join([piece async for piece in response.aiter_raw()])
        head = await http.head(url)
    assert data.startswith(b"\x89PNG")
    assert (head.content, head.headers["content-length"]) == (b"", str(len(data)))
    assert len(emulator.billed) == 1


@pytest.mark.anyio
async def test_the_awaited_client_loses_answers_too():
    """Before the head, and in the body."""
    emulator = Emulator()
    emulator.lose_next()
    emulator.lose_next(after_bytes=3)
    emulator.lose_next(cause="timeout")
    async with emulator.async_client() as http:
        for error in (httpx.RemoteProtocolError, httpx.RemoteProtocolError, httpx.ReadTimeout):
            with pytest.raises(error) as caught:
                await http.post(URL, json=BODY, headers=KEY)
            assert str(caught.value.request.url) == URL
    assert len(emulator.billed) == 3


@pytest.mark.anyio
async def test_the_awaited_client_streams_events():
    """Events arrive one by one."""
    body = {"model": "gpt-image-2", "prompt": "a fox", "size": "816x816", "stream": True, "partial_images": 1}
    async with (
        Emulator().async_client() as http,
        http.stream("POST", URL, json=body, headers=KEY) as response,
    ):
        lines = [line async for line in response.aiter_lines() if line.startswith("event")]
    assert len(lines) == 2


def test_the_embedded_server_is_one_for_the_process():
    """Every call, from any thread, names the same server; after stopping, another one starts."""
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(embedded_base_url())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    try:
        assert len(set(found)) == 1
        with httpx.Client(base_url=found[0], trust_env=False) as http:
            assert http.post("images/generations", json=BODY, headers=KEY).status_code == 200
    finally:
        stop_embedded()
    stop_embedded()
    again = embedded_base_url()
    stop_embedded()
    assert again.startswith("http://127.0.0.1:")


FORK = """
import os
from dalle2.testing import embedded_base_url
mine = embedded_base_url()
reader, writer = os.pipe()
child = os.fork()
if not child:
    import urllib.request
    theirs = embedded_base_url()
    request = urllib.request.Request(theirs + "/models", headers={"Authorization": "Bearer sk-test"})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    os.write(writer, f"{theirs} {opener.open(request).status}".encode())
    os._exit(0)
os.waitpid(child, 0)
theirs, status = os.read(reader, 100).decode().split()
assert theirs != mine and status == "200", (mine, theirs, status)
print("apart")
"""


def test_a_forked_child_starts_its_own():
    """Threads do not survive a fork, so the child gets another server; and the process ends by itself."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORK], capture_output=True, text=True, timeout=60
    )
    assert (done.stdout, done.returncode) == ("apart\n", 0), done.stderr


def test_the_clock_runs_and_can_be_set():
    """It starts at the real time; `advance` and `set` move it."""
    clock = Emulator().clock
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(seconds=5)
    clock.advance(86400)
    assert clock.now() > datetime.now(UTC) + timedelta(hours=23)
    clock.set(datetime(2023, 3, 1, tzinfo=UTC))
    assert clock.now().date().isoformat() == "2023-03-01"
    with pytest.raises(ValueError, match="aware"):
        clock.set(datetime(2023, 3, 1))


def test_answers_bear_the_emulators_date(api):
    """`created` and `Date` come from the clock."""
    api.emulator.clock.set(datetime(2023, 3, 1, 12, tzinfo=UTC))
    response = api.generate()
    assert response.headers["date"].startswith("Wed, 01 Mar 2023 12:00:")
    assert 1677672000 <= response.json()["created"] < 1677672060


def test_the_fixture_is_an_emulator(dalle2_emulator):
    """The plugin's fixture comes with the installed package."""
    assert isinstance(dalle2_emulator, Emulator)
    assert dalle2_emulator.billed == []


def test_importing_the_plugin_is_light():
    """pytest imports it everywhere, so it brings in no HTTP library."""
    code = (
        "import sys, pytest; before = set(sys.modules); import dalle2.testing.pytest_plugin;"
        "print(sorted({'httpx', 'attrs', 'attr', 'anyio', 'http.server'} & (set(sys.modules) - before)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_names_are_resolved_when_they_are_used():
    """Every public name exists, and a wrong one is an `AttributeError`."""
    assert all(getattr(dalle2.testing, name) is not None for name in dalle2.testing.__all__)
    assert set(dalle2.testing.__all__) <= set(dir(dalle2.testing))
    with pytest.raises(AttributeError, match="Emulater"):
        _ = dalle2.testing.Emulater
