"""The emulator over real HTTP on loopback, with nothing of this package in front of it."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from dalle2.testing import Emulator
from dalle2.testing import _foreground as foreground

KEY = {"Authorization": "Bearer sk-test"}
BODY = {"model": "dall-e-2", "prompt": "a fox", "size": "256x256"}


@pytest.fixture
def emulator() -> Emulator:
    """The emulator behind `server`."""
    return Emulator()


@pytest.fixture
def server(emulator: Emulator) -> Iterator[Any]:
    """A running server."""
    with emulator.serve() as running:
        yield running


@pytest.fixture
def http_client(server: Any) -> Iterator[httpx.Client]:
    """A client with real sockets, signed in."""
    with httpx.Client(base_url=server.base_url, headers=KEY, trust_env=False) as client:
        yield client


def test_the_whole_way_over_a_socket(server, emulator, http_client):
    """A prompt in, a PNG out, from the server's own origin; requests share one connection."""
    assert server.base_url == f"http://127.0.0.1:{server.port}/v1"
    url = http_client.post("images/generations", json=BODY).json()["data"][0]["url"]
    assert url.startswith(f"{server.origin}/private/org-")
    with httpx.Client(trust_env=False) as bare:
        response = bare.get(url)
        assert (response.status_code, response.headers["content-type"]) == (200, "image/png")
        assert bare.head(url).headers["content-length"] == str(len(response.content))
        emulator.clock.advance(3601)
        assert bare.get(url).status_code == 403
    assert http_client.post("images/generations", json=BODY | {"n": 0}).status_code == 400
    assert len(emulator.billed) == 1


def test_connections_are_kept_alive(server):
    """Two calls travel over one socket."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    seen = set()
    for _ in range(2):
        connection.request("POST", "/v1/images/generations", json.dumps(BODY), KEY)
        assert connection.getresponse().read()
        seen.add(connection.sock)
    connection.close()
    assert len(seen) == 1


def test_urls_name_the_host_that_was_called(server, http_client):
    """Behind another name, the images are found under that name; without any, under the bound address."""
    answer = http_client.post("images/generations", json=BODY, headers={"Host": "localhost:1234"})
    assert answer.json()["data"][0]["url"].startswith("http://localhost:1234/private/")
    raw = socket.create_connection(("127.0.0.1", server.port))
    text = json.dumps(BODY).encode()
    head = "POST /v1/images/generations HTTP/1.0\r\nAuthorization: Bearer sk-test\r\n"
    raw.sendall(f"{head}Content-Length: {len(text)}\r\n\r\n".encode() + text)
    received = b"".join(iter(lambda: raw.recv(65536), b""))
    raw.close()
    assert server.origin.encode() + b"/private/" in received


def test_a_body_may_come_in_chunks(http_client, emulator):
    """Some clients send forms without a length."""
    text = json.dumps(BODY).encode()
    response = http_client.post("images/generations", content=iter([text[:9], text[9:]]))
    assert response.status_code == 200
    assert emulator.requests[0].json() == BODY


def test_chunks_may_end_with_trailers(server):
    """A trailer after the last chunk is read and passed over."""
    raw = socket.create_connection(("127.0.0.1", server.port))
    raw.sendall(
        b"POST /v1/moderations HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer sk-test\r\n"
        b"Connection: close\r\n"
        b'Transfer-Encoding: chunked\r\n\r\nd;a=b\r\n{"input":"a"}\r\n0\r\nX-Sum: 1\r\n\r\n'
    )
    received = b"".join(iter(lambda: raw.recv(65536), b""))
    raw.close()
    assert received.startswith(b"HTTP/1.1 200 OK\r\n")


def test_a_stream_comes_event_by_event(http_client):
    """The event stream is chunked."""
    body = {"model": "gpt-image-2", "prompt": "a fox", "size": "816x816", "stream": True, "partial_images": 1}
    with http_client.stream("POST", "images/generations", json=body) as response:
        assert response.headers["transfer-encoding"] == "chunked"
        names = [line for line in response.iter_lines() if line.startswith("event: ")]
    assert names == ["event: image_generation.partial_image", "event: image_generation.completed"]


@pytest.mark.parametrize("after", [None, 20])
def test_a_lost_answer_closes_the_connection(http_client, emulator, after):
    """Before the first byte or in the middle of the body."""
    emulator.lose_next(after_bytes=after)
    with pytest.raises(httpx.RemoteProtocolError):
        http_client.post("images/generations", json=BODY)
    assert len(emulator.billed) == 1
    assert http_client.post("images/generations", json=BODY).status_code == 200


def test_a_lost_stream_ends_early(http_client, emulator):
    """The stream stops without its last chunk."""
    body = {"model": "gpt-image-2", "prompt": "a fox", "size": "816x816", "stream": True, "partial_images": 1}
    partial, _, _ = http_client.post("images/generations", json=body).text.partition(
        "event: image_generation.completed"
    )
    for after in (300, len(partial) + 9):
        emulator.lose_next(after_bytes=after)
        with pytest.raises(httpx.RemoteProtocolError):
            http_client.post("images/generations", json=body)


def test_an_answer_can_stay_away(http_client, emulator):
    """The connection stays open and silent until the client gives up."""
    emulator.lose_next(cause="timeout")
    with pytest.raises(httpx.ReadTimeout):
        http_client.post("images/generations", json=BODY, timeout=0.2)
    assert len(emulator.billed) == 1


def test_closing_ends_a_silent_connection(emulator):
    """A server that stops does not wait for an answer that never comes."""
    emulator.lose_next(cause="timeout")
    with emulator.serve() as server:
        raw = socket.create_connection(("127.0.0.1", server.port))
        text = json.dumps(BODY).encode()
        raw.sendall(
            b"POST /v1/images/generations HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer sk-test\r\n"
            + f"Content-Length: {len(text)}\r\n\r\n".encode()
            + text
            + b"more"
        )
        while not emulator.billed:
            pass
    assert raw.recv(10) == b""
    raw.close()


def test_nothing_is_left_behind():
    """After the block there are no threads, and the port is free."""
    before = set(threading.enumerate())
    with Emulator().serve() as server:
        port = server.port
        connections = [http.client.HTTPConnection("127.0.0.1", port) for _ in range(3)]
        for connection in connections:
            connection.request("GET", "/v1/models", headers=KEY)
            assert connection.getresponse().read()
    for connection in connections:
        assert connection.sock.recv(1) == b""
        connection.close()
    assert set(threading.enumerate()) <= before
    with Emulator().serve(port=port) as again:
        assert again.port == port
    again.close()
    with pytest.raises(RuntimeError, match=r"with emulator\.serve"):
        _ = again.base_url


def test_a_taken_port_is_an_error_of_the_system(server):
    """`OSError` speaks for the port."""
    with pytest.raises(OSError, match="in use"):
        Emulator().serve(port=server.port).start()


def test_many_clients_at_once(server, emulator):
    """Requests from many threads are each billed once."""

    def call() -> None:
        with httpx.Client(base_url=server.base_url, headers=KEY, trust_env=False) as client:
            for _ in range(3):
                assert client.post("images/generations", json=BODY).status_code == 200

    threads = [threading.Thread(target=call) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(emulator.billed) == 24


def test_other_addresses_and_hosts(make_api):
    """IPv6 is written in brackets; Azure has its own base path."""
    with Emulator(persona="azure").serve("::1") as server:
        assert server.base_url == f"http://[::1]:{server.port}/openai/v1"
        raw = socket.create_connection(("::1", server.port))
        raw.sendall(
            b"POST /openai/v1/images/generations HTTP/1.0\r\napi-key: sk-test\r\nContent-Length: 2\r\n\r\n{}"
        )
        received = b"".join(iter(lambda: raw.recv(65536), b""))
        raw.close()
    assert b"400" in received


def test_rubbish_is_answered_and_hung_up(server):
    """What is no HTTP gets a 400 and no more."""
    raw = socket.create_connection(("127.0.0.1", server.port))
    raw.sendall(b"RUBBISH\x00 / / /\r\n\r\n")
    received = b"".join(iter(lambda: raw.recv(65536), b""))
    raw.close()
    assert b"400" in received


def test_a_client_that_went_away_is_passed_over_and_a_bug_is_shown(server, monkeypatch, capsys):
    """Only errors of the connection are silent."""
    running = server._server
    for error in (ConnectionResetError("gone"), RuntimeError("a bug")):
        try:
            raise error
        except Exception:
            running.handle_error(None, ("127.0.0.1", 1))
    told = capsys.readouterr().err
    assert "a bug" in told
    assert "gone" not in told


RUN = "from dalle2.testing import run; run(port=0, api_key='sk-other'); print('ended')"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_run_serves_until_a_signal(number):
    """It prints the base URL once it is ready, and ends cleanly."""
    with subprocess.Popen([sys.executable, "-c", RUN], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        base_url = process.stdout.readline().strip()
        with httpx.Client(base_url=base_url, trust_env=False) as client:
            answer = client.post(
                "images/generations", json=BODY, headers={"Authorization": "Bearer sk-other"}
            )
            assert answer.status_code == 200
            process.send_signal(number)
            assert process.stdout.read() == "ended\n"
    assert process.returncode == 0


def test_run_gives_the_signals_back(monkeypatch, capsys):
    """After `run`, the handlers are those from before."""
    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(
        foreground, "print", lambda *_, **__: os.kill(os.getpid(), signal.SIGTERM), raising=False
    )
    foreground.run(port=0)
    assert signal.getsignal(signal.SIGTERM) is before
