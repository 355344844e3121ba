"""What may come in at the emulator's server: framing, sizes, times, and for whom it answers."""

from __future__ import annotations

import io
import json
import socket
import threading
import time
from collections.abc import Iterator
from email.message import Message
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dalle2.testing import Emulator, _incoming, _server
from dalle2.testing._incoming import Source, Unreadable, answers_for, read_body

TEXT = json.dumps({"model": "dall-e-2", "prompt": "a fox", "size": "256x256"}).encode()
HEAD = b"POST /v1/images/generations HTTP/1.1\r\nAuthorization: Bearer sk-test\r\n"
LOCAL = b"Host: localhost\r\n"


@pytest.fixture
def emulator() -> Emulator:
    """One for each test."""
    return Emulator()


@pytest.fixture
def server(emulator: Emulator) -> Iterator[Any]:
    """It, on a real socket."""
    with emulator.serve() as running:
        yield running


def said(server: Any, message: bytes, *, shut: bool = True) -> bytes:
    """All that the server answers to these bytes, until it hangs up."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as raw:
        raw.sendall(message)
        if shut:
            raw.shutdown(socket.SHUT_WR)
        try:
            return b"".join(iter(lambda: raw.recv(65536), b""))
        except ConnectionResetError:  # what it did not read came after its answer
            return b""


def whole(*headers: bytes) -> bytes:
    """A paid request with these headers."""
    return HEAD + b"".join(header + b"\r\n" for header in headers) + b"\r\n" + TEXT


LENGTH = b"Content-Length: %d" % len(TEXT)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ((LOCAL[:-2], LENGTH, LENGTH), 400),
        ((LOCAL[:-2], LENGTH, b"Transfer-Encoding: chunked"), 400),
        ((LOCAL[:-2], b"Transfer-Encoding: gzip"), 400),
        ((LOCAL[:-2], b"Transfer-Encoding: gzip, chunked"), 400),
        ((LOCAL[:-2], b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"), 400),
        ((LOCAL[:-2], b"Transfer-Encoding: chunked"), 400),
        ((LOCAL[:-2], b"Content-Length: -1"), 400),
        ((LOCAL[:-2], b"Content-Length: +7"), 400),
        ((LOCAL[:-2], b"Content-Length: 1_0"), 400),
        ((LOCAL[:-2], "Content-Length: ٣".encode()), 400),
        ((LOCAL[:-2], b"Content-Length: 999999999999"), 413),
        ((LENGTH,), 400),
        ((LOCAL[:-2], LOCAL[:-2], LENGTH), 400),
        ((b"Host: evil.example", LENGTH), 421),
        ((b"Host: 127.0.0.1.evil.example", LENGTH), 421),
        ((b"Host: localhost@evil.example", LENGTH), 421),
        ((b"Host: 10.0.0.7", LENGTH), 421),
        ((b"Host: ", LENGTH), 421),
    ],
)
def test_what_can_be_read_in_two_ways_is_not_carried_out(
    headers: tuple[bytes, ...], status: int, server: Any, emulator: Emulator
) -> None:
    """One answer, a reason in JSON, and the connection ends: what follows is no request."""
    answer = said(server, whole(*headers) + whole(LOCAL[:-2], LENGTH), shut=False)
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert answer.count(b"HTTP/1.1 ") == 1
    assert b"Connection: close" in answer
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"]["message"]
    assert emulator.requests == []


@pytest.mark.parametrize(
    "body",
    [
        b"Content-Length: 500\r\n\r\n" + TEXT,
        b"Transfer-Encoding: chunked\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n5",
        b"Transfer-Encoding: chunked\r\n\r\n50\r\n" + TEXT,
        b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n" % (len(TEXT), TEXT),
    ],
)
def test_half_a_request_is_not_carried_out(body: bytes, server: Any, emulator: Emulator) -> None:
    """Whoever goes away in the middle gets no answer, and nothing is billed."""
    assert said(server, HEAD + LOCAL + body) == b""
    assert emulator.requests == []


@pytest.mark.parametrize(
    "chunks",
    [
        b"zz\r\n",
        b"\r\n",
        b"-5\r\n",
        b"2\r\nabc\r\n0\r\n\r\n",
        b"ffffffffffffffff\r\n",
        b"1" * 70000,
        b"0\r\n" + b"X: 1\r\n" * 101 + b"\r\n",
    ],
)
def test_chunks_are_bounded_and_say_what_they_are(chunks: bytes) -> None:
    """A size that is none, a chunk of another size, a body or line too large, trailers without end."""
    headers = Message()
    headers["Transfer-Encoding"] = "Chunked"
    with pytest.raises(Unreadable) as caught:
        read_body(headers, io.BytesIO(chunks))
    assert caught.value.status in (400, 413)


@given(st.lists(st.binary(min_size=1, max_size=50), max_size=6), st.booleans())
def test_a_body_is_the_same_however_it_is_framed(pieces: list[bytes], trailers: bool) -> None:
    """Chunks or a length: what is read is what was sent, and no more."""
    body, headers = b"".join(pieces), Message()
    headers["Content-Length"] = str(len(body))
    source = io.BytesIO(body + b"next")
    assert (read_body(headers, source), source.read()) == (body, b"next")
    chunked = b"".join(b"%X;a=b\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    source = io.BytesIO(chunked + b"0\r\n" + (b"X-Sum: 1\r\n" if trailers else b"") + b"\r\nnext")
    headers = Message()
    headers["Transfer-Encoding"] = "chunked"
    assert (read_body(headers, source), source.read()) == (body, b"next")
    assert read_body(Message(), source) == b""


@pytest.mark.parametrize(
    ("bound", "name", "answers"),
    [
        ("127.0.0.1", "127.0.0.1:8000", True),
        ("127.0.0.1", "LOCALHOST.", True),
        ("127.0.0.1", "[::1]:8000", True),
        ("127.0.0.1", "api.localhost:1", True),
        ("127.0.0.1", "127.9.9.9", True),
        ("::1", "localhost", True),
        ("localhost", "127.0.0.1", True),
        ("localhost", "evil.example", False),
        ("127.0.0.1", "localhost.evil.example", False),
        ("127.0.0.1", "a b", False),
        ("127.0.0.1", "localhost:port", False),
        ("10.0.0.7", "10.0.0.7:80", True),
        ("10.0.0.7", "localhost", False),
        ("box.lan", "Box.LAN", True),
        ("0.0.0.0", "emulator:8000", True),
        ("::", "anything.example", True),
        ("", "anything.example", True),
        ("0.0.0.0", "a@b", False),
    ],
)
def test_a_server_answers_for_what_it_was_bound_to(bound: str, name: str, answers: bool) -> None:
    """On loopback for this machine alone; on all addresses for any name, since it cannot know its own."""
    assert answers_for(name, bound) is answers


def test_http_1_0_need_not_name_a_host(server: Any, emulator: Emulator) -> None:
    """Image URLs lie under the bound address then."""
    answer = said(server, b"GET /v1/models HTTP/1.0\r\nAuthorization: Bearer sk-test\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert emulator.requests[0].origin == server.origin


@pytest.mark.parametrize(
    "body", [b"[" * 200_000, b'{"a":' * 200_000, b"1" * 5000, b'{"n": ' + b"9" * 5000 + b"}"]
)
def test_json_that_breaks_parsers_is_bad_json(body: bytes, server: Any) -> None:
    """Depth and huge numbers are the caller's mistake, not the end of the server."""
    message = HEAD + LOCAL + b"Content-Length: %d\r\n\r\n" % len(body) + body
    assert b"could not parse the JSON body" in said(server, message)


def test_a_form_has_a_bounded_number_of_parts(make_api: Any) -> None:
    """Thousands of parts are no request of this API."""
    files = [("image[]", (f"{number}.png", b"x", "image/png")) for number in range(300)]
    answer = make_api().post("/images/edits", files=files, data={"model": "gpt-image-2", "prompt": "a"})
    assert "more than 256 parts" in answer.json()["error"]["message"]


def test_a_bug_is_answered_and_shown(
    server: Any, emulator: Emulator, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The caller gets one 500 and does not wait; the traceback is on stderr."""

    def broken(request: object) -> None:
        raise KeyError("a bug")

    monkeypatch.setattr(emulator, "handle", broken)
    answer = said(server, whole(LOCAL[:-2], LENGTH), shut=False)
    assert answer.startswith(b"HTTP/1.1 500 ")
    assert answer.count(b"HTTP/1.1 ") == 1
    assert "a bug" in capsys.readouterr().err


@pytest.mark.parametrize("part", ["IDLE", "HEAD", "BODY"])
def test_whoever_is_too_slow_is_hung_up_on(
    part: str, server: Any, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each part of a request has its time, however its bytes are dripped."""
    monkeypatch.setattr(_server, part, 0.05)
    sent = {"IDLE": b"", "HEAD": HEAD, "BODY": HEAD + LOCAL + b"Content-Length: 500\r\n\r\n"}[part]
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as raw:
        raw.sendall(sent)
        received = raw.recv(100)
    assert received == b""
    assert emulator.requests == []


def test_drips_do_not_prolong_the_time() -> None:
    """The moment is set once: a byte in time does not move it."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        source = Source(ours)
        source.allow(0.02)
        theirs.sendall(b"a")
        assert io.BufferedReader(source).read(1) == b"a"
        theirs.sendall(b"b")
        source._until = time.monotonic() - 1
        with pytest.raises(TimeoutError):
            source.readinto(bytearray(1))


def test_a_server_that_stops_does_not_wait_for_a_slow_answer() -> None:
    """Leaving the block ends calls that still take their time."""
    emulator = Emulator(latency=3600)
    with emulator.serve() as server:
        got: list[bytes] = []
        caller = threading.Thread(
            target=lambda: got.append(said(server, whole(LOCAL[:-2], LENGTH), shut=False))
        )
        caller.start()
        while not emulator.billed:
            time.sleep(0.005)
    caller.join(20)
    assert got == [b""]
    assert _incoming.LARGEST_BODY > 50_000_000
