"""Where the answers in the bytes of a connection end, and how long they are waited for."""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Iterator
from itertools import pairwise
from threading import Semaphore
from types import SimpleNamespace
from typing import Any

import anyio
import httpcore
import httpx
import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

import dalle2
from dalle2 import RetryPolicy
from dalle2._http import Patience, Term, TransportError, allowed
from dalle2._transport._awaiting import AsyncAttended
from dalle2._transport._patience import LARGEST_HEAD, Conversation, attend

from ..faults.server import Connection, FaultServer, good

KEY = "sk-test-key"
every_client = pytest.mark.parametrize("flavour", ["sync", "asyncio", "trio"])
every_library = pytest.mark.parametrize("library", [None, httpx, httpx2], ids=["ours", "httpx", "httpx2"])
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"


def chunked(body: bytes, size: int, trailer: bytes, extension: bytes) -> bytes:
    """A body in chunks of this size."""
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    sent = b"".join(b"%x%b\r\n%b\r\n" % (len(piece), extension, piece) for piece in pieces)
    return HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + sent + b"0\r\n" + trailer + b"\r\n"


bodies = st.binary(max_size=60)
answers = st.one_of(
    bodies.map(lambda body: HEAD + b"content-length:  %d\r\n\r\n" % len(body) + body),
    bodies.map(
        lambda body: (HEAD + b"Content-Length: %d\r\n\r\n" % len(body)).replace(b"\r\n", b"\n") + body
    ),
    st.builds(
        chunked,
        bodies,
        st.integers(1, 9),
        st.sampled_from([b"", b"X-Sum: 1\r\n", b"A: b\r\nC: d\r\n"]),
        st.sampled_from([b"", b";name=value"]),
    ),
    st.just(b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n"),
    st.just(b"HTTP/1.1 304 Not Modified\r\n\r\n"),
)
cuttings = st.lists(st.integers(0, 5000))
interim = st.lists(
    st.sampled_from([b"HTTP/1.1 102 Processing\r\n\r\n", b"HTTP/1.1 103 Hints\r\nA: b\r\n\r\n"])
)


def hear(conversation: Conversation, data: bytes, cuts: list[int]) -> None:
    """Let it hear these bytes in the pieces that the cuts make."""
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    for start, end in pairwise(places):
        conversation.heard(data[start:end])


@given(
    interim, st.lists(answers, min_size=1, max_size=3), st.lists(st.integers(0, 5000)), st.binary(max_size=9)
)
def test_an_answer_ends_where_it_says(
    before: list[bytes], said: list[bytes], cuts: list[int], surplus: bytes
) -> None:
    """However the bytes are cut: what was asked is no surplus, and what comes behind it is."""
    conversation = Conversation()
    for answer in said:
        conversation.asked(b"POST / HTTP/1.1\r\n\r\n")
        assert not conversation.over
        conversation.asked(b"{}")
        hear(conversation, b"".join(before) + answer, cuts)
        assert conversation.over
        assert not conversation.surplus
    hear(conversation, surplus, cuts)
    assert conversation.surplus is bool(surplus)


@given(st.lists(answers, min_size=2, max_size=2), cuttings)
def test_a_second_answer_to_one_question_is_surplus(said: list[bytes], cuts: list[int]) -> None:
    """It would be taken for the answer to the next one."""
    conversation = Conversation()
    conversation.asked(b"POST / HTTP/1.1\r\n\r\n")
    hear(conversation, b"".join(said), cuts)
    assert conversation.surplus


@pytest.mark.parametrize(
    "said",
    [
        HEAD + b"\r\nuntil the end",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\nanything",
        b"SSH-2.0-OpenSSH_9.6\r\n\r\nanything",
        b"\r\n\r\nanything",
        HEAD + b"Content-Length: many\r\n\r\nanything",
        HEAD + b"Content-Length: 8, 8\r\n\r\nanything",
        HEAD + b"Content-Length: 0, 0\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\nanything",
    ],
)
def test_an_answer_without_an_end_of_its_own_ends_with_the_connection(said: bytes) -> None:
    """Nothing behind it can be told from it, so that such a connection is not used again, whatever the
    library makes of it.
    """
    conversation = Conversation()
    conversation.asked(b"GET / HTTP/1.1\r\n\r\n")
    conversation.heard(said)
    assert (conversation.over, conversation.surplus) == (False, True)
    conversation.heard(b"more")
    assert (conversation.over, conversation.surplus) == (False, True)


def test_http2_counts_for_itself() -> None:
    """Its frames name the question that they belong to."""
    conversation = Conversation()
    conversation.asked(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
    conversation.heard(b"\x00\x00\x00\x04\x00\x00\x00\x00\x00")
    conversation.asked(b"\x00\x00")
    assert (conversation.over, conversation.surplus) == (False, False)


@pytest.mark.parametrize("said", [b"HTTP/1.1 102 Processing\r\n\r\n" * 100, b"X-A: " + b"b" * 4096])
def test_a_head_that_does_not_end_is_given_up(said: bytes) -> None:
    """Interim answers and a single head alike, after a mebibyte."""
    conversation = Conversation()
    conversation.asked(b"GET / HTTP/1.1\r\n\r\n")
    with pytest.raises(TransportError, match="not end"):
        for _ in range(LARGEST_HEAD // len(said) + 2):
            conversation.heard(said)


def test_the_work_grows_with_the_bytes() -> None:
    """A head that comes byte by byte is searched in its new bytes only."""
    conversation = Conversation()
    conversation.asked(b"GET / HTTP/1.1\r\n\r\n")
    for _ in range(50_000):
        conversation.heard(b"x")
    assert len(conversation._held) == 50_000


def test_patience_ends_with_the_exchange() -> None:
    """A step may take what is left of the whole, and none is begun after its end."""
    now = time.monotonic()
    assert allowed(None) is None
    assert allowed(7.0) == 7.0
    assert allowed(Patience(7.0, Term(now + 1000))) == 7.0
    left = allowed(Patience(1e6, Term(now + 1000)))
    assert left is not None
    assert 0 < left <= 1000
    with pytest.raises(TransportError, match="deadline"):
        allowed(Patience(7.0, Term(now - 1)))


def test_a_stream_that_cannot_be_attended_to_stays_as_it_is() -> None:
    """It may be written in another language; nothing is lost but the bound."""

    class Fixed:
        __slots__ = ()

        def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
            return b""

    fixed = Fixed()
    attend(fixed)
    attend(object())
    assert type(fixed) is Fixed


class Said:
    """A blocking stream of nobody's, with what it was told to do."""

    def __init__(self, kind: str = "mine") -> None:
        self.sent: list[int] = []

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """An answer, and more."""
        return b"HTTP/1.1 204 No Content\r\n\r\nmore"

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Remember how much."""
        self.sent.append(len(buffer))

    def get_extra_info(self, info: str) -> Any:
        """It has a socket."""
        return info == "socket"


def test_a_stream_of_another_backend_says_when_it_is_not_to_be_used() -> None:
    """Large bodies go out in pieces; who does not know httpcore cannot be told to take another connection."""
    stream: Any = Said()
    attend(stream)
    attend(stream)
    stream.write(b"x" * 600_000, 5.0)
    assert stream.sent == [262_144, 262_144, 75_712]
    assert stream.get_extra_info("socket") is True
    assert stream.get_extra_info("is_readable") is False
    stream.read(100)
    assert stream.get_extra_info("is_readable") is True
    stream.write(b"y", None)
    assert stream.sent[-1] == 1


class Known(Said):
    """A stream of httpcore's making."""

    __module__ = "httpcore._backends.mock"


def test_a_connection_that_spoke_at_the_last_moment_gives_way_to_another() -> None:
    """Between the look at it and the request's first byte: nothing is sent, httpcore takes another one."""
    stream: Any = Known()
    attend(stream)
    stream.write(b"POST", 5.0)
    stream.read(100)
    with pytest.raises(httpcore.ConnectionNotAvailable):
        stream.write(b"POST", 5.0)
    assert stream.sent == [4]


@pytest.mark.parametrize(
    ("layers", "readable"),
    [
        (SimpleNamespace(), False),
        (SimpleNamespace(_protocol=SimpleNamespace(read_queue=[])), False),
        (SimpleNamespace(_protocol=SimpleNamespace(read_queue=[b"x"])), True),
        (SimpleNamespace(_read_bio=SimpleNamespace(pending=3)), True),
        (SimpleNamespace(_incoming=SimpleNamespace(pending=3)), True),
        (
            SimpleNamespace(transport_stream=SimpleNamespace(_protocol=SimpleNamespace(read_queue=[b"x"]))),
            True,
        ),
    ],
)
def test_what_lies_unread_in_a_streams_layers_is_seen(layers: Any, readable: bool) -> None:
    """asyncio's protocol and TLS keep bytes where no look at the socket finds them."""

    class Awaited(Said):
        async def aclose(self) -> None: ...

    stream: Any = Awaited()
    stream._stream = layers
    attend(stream, AsyncAttended)
    assert stream.get_extra_info("is_readable") is readable


@pytest.mark.parametrize("polls", [True, False], ids=["poll", "no poll"])
def test_a_look_at_an_awaited_socket_costs_one_question(polls: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether it is idle, has spoken or is closed: where the system can be asked at once, and elsewhere."""

    class Layered:
        """As slow as the libraries' own, which are asked for the socket once."""

        def __init__(self, sock: socket.socket) -> None:
            self.sock, self.asked = sock, list[str]()

        async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
            return b""

        async def aclose(self) -> None: ...

        def get_extra_info(self, info: str) -> Any:
            self.asked.append(info)
            if info == "socket":
                return self.sock
            return self.sock.fileno() < 0 or bool(select.select([self.sock], [], [], 0)[0])

    if not polls:
        monkeypatch.delattr(select, "poll", raising=False)
    near, far = socket.socketpair()
    stream: Any = Layered(near)
    attend(stream, AsyncAttended, ours=True)
    assert stream.get_extra_info("is_readable") is False
    far.send(b"more")
    assert stream.get_extra_info("is_readable") is True
    near.close()
    far.close()
    assert stream.get_extra_info("is_readable") is True
    assert stream.asked == (["socket"] if polls else ["is_readable"] * 3)


# --- over the wire ---


@pytest.fixture
def server() -> Iterator[FaultServer]:
    """A server that does what it is told."""
    with FaultServer() as one:
        yield one


def calls(flavour: str, library: Any, count: int, *, said: Semaphore | None = None, **options: Any) -> int:
    """Some paid calls, one after another, over our connections or a caller's; how many images came.

    After each, `said` tells when the server has said all.
    """
    given = {"api_key": KEY, "retry": RetryPolicy.none(), "timeout": 5.0} | options
    if flavour == "sync":
        http = None if library is None else library.Client()
        with dalle2.Client(http_client=http, **given) as client:
            done = 0
            for _ in range(count):
                done += len(client.generate("a fox"))
                if said is not None:
                    said.acquire(timeout=10)
        if http is not None:
            http.close()
        return done

    async def work() -> int:
        http = None if library is None else library.AsyncClient()
        async with dalle2.AsyncClient(http_client=http, **given) as client:
            done = 0
            for _ in range(count):
                done += len(await client.generate("a fox"))
                if said is not None:
                    said.acquire(timeout=10)
        if http is not None:
            await http.aclose()
        return done

    return anyio.run(work, backend=flavour)


def whole(c: Connection) -> bytes:
    """A good answer, with its head."""
    c.read()
    body = c.good_body()
    return HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body


def stray_bytes(c: Connection) -> None:
    """An answer, and bytes behind it."""
    c.send(whole(c) + b"STRAY")


def stray_bytes_later(c: Connection) -> None:
    """An answer, and bytes behind it in a segment of their own."""
    c.send(whole(c))
    c.send(b"STRAY")


def surplus_answer(c: Connection) -> None:
    """The answer twice."""
    answer = whole(c)
    c.send(answer + answer)


def surplus_behind_a_list(c: Connection) -> None:
    """The same, where the library reads a length that stands there twice."""
    answer = whole(c)
    length = str(len(c.good_body())).encode()
    c.send(answer.replace(length, length + b", " + length, 1) + answer)


def surplus_chunked(c: Connection) -> None:
    """The answer twice, in chunks."""
    c.read()
    answer = chunked(c.good_body(), 10, b"", b"")
    c.send(answer + answer)


@every_client
@every_library
@pytest.mark.parametrize(
    "act",
    [stray_bytes, stray_bytes_later, surplus_answer, surplus_behind_a_list, surplus_chunked],
    ids=lambda act: act.__name__,
)
def test_a_connection_that_said_too_much_is_not_used_again(
    act: Any, library: Any, flavour: str, server: FaultServer
) -> None:
    """Each call gets its own answer, on a connection of its own: ours, and a caller's."""
    said = Semaphore(0)

    def telling(c: Connection) -> None:
        act(c)
        said.release()

    server.then(forever=telling)
    assert calls(flavour, library, 3, said=said, base_url=server.origin) == 3
    assert (len(server.billed), server.connections) == (3, 3)


@every_client
@every_library
def test_a_connection_that_said_what_it_was_asked_is_kept(
    library: Any, flavour: str, server: FaultServer
) -> None:
    """Chunked answers are no reason to connect anew."""

    def act(c: Connection) -> None:
        c.read()
        c.send(chunked(c.good_body(), 10, b"", b""))

    server.then(forever=act)
    assert calls(flavour, library, 3, base_url=server.origin) == 3
    assert server.connections == 1


def drip_head(c: Connection) -> None:
    """A head that comes byte by byte."""
    c.read()
    c.drip(HEAD + b"X-A: b\r\n" * 500)


def interim_drip(c: Connection) -> None:
    """Interim answers without end."""
    c.read()
    c.drip(b"HTTP/1.1 102 Processing\r\n\r\n" * 500, 0.005)


@every_client
@every_library
@pytest.mark.parametrize("act", [drip_head, interim_drip], ids=lambda act: act.__name__)
def test_the_deadline_ends_an_answer_that_never_gets_past_its_head(
    act: Any, library: Any, flavour: str, server: FaultServer
) -> None:
    """Each byte comes in time, and the whole does not."""
    server.then(forever=act)
    retry = RetryPolicy(max_attempts=1, deadline=0.3)
    with pytest.raises(dalle2.OutcomeUnknownError) as unknown:
        calls(flavour, library, 1, base_url=server.origin, retry=retry)
    assert unknown.value.reason == "timeout"
    assert len(server.billed) == 1


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # httpx's, seen by trio
@every_client
def test_a_server_that_does_not_read_is_bounded_too(flavour: str, server: FaultServer) -> None:
    """A large request that does not leave in time: certain where the rest stays here, else in doubt."""
    release = server.stopping

    def act(c: Connection) -> None:
        c.head()
        release.wait(10)

    server.then(forever=act)
    retry = RetryPolicy(max_attempts=1, deadline=0.3)

    async def work() -> None:
        async with dalle2.AsyncClient(KEY, base_url=server.origin, retry=retry) as client:
            await client.generate("a fox", extra_body={"padding": "x" * 12_000_000})

    try:
        with pytest.raises(dalle2.APIError) as late:
            if flavour == "sync":
                with dalle2.Client(KEY, base_url=server.origin, retry=retry) as client:
                    client.generate("a fox", extra_body={"padding": "x" * 12_000_000})
            else:
                anyio.run(work, backend=flavour)
    finally:
        release.set()
    assert late.value.maybe_billed is (flavour == "asyncio")


# --- heads that the library does not read ---


def odd_head(head: bytes) -> Any:
    """Answer well behind a head that no library takes."""

    def act(c: Connection) -> None:
        c.read()
        c.send(head + b"\r\n\r\n" + c.good_body())
        c.close()

    return act


@every_client
@every_library
@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Type : application/json", 200),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4", 200),
        (b"HTTP/1.1 200 OK\nTransfer-Encoding: gzip, chunked", 200),
        (b"HTTP/2 201 Created", 201),
        (b"ICY", None),
    ],
)
def test_what_came_behind_a_head_that_nobody_reads_is_kept(
    head: bytes, status: int | None, library: Any, flavour: str, server: FaultServer
) -> None:
    """It was paid for: the body is in the error, and so is the image in it."""
    server.then(odd_head(head))
    with pytest.raises(dalle2.OutcomeUnknownError) as caught:
        calls(flavour, library, 1, base_url=server.origin)
    assert (caught.value.status_code, caught.value.body) == (status, server.answer())
    assert [image.url for image in caught.value.images] == (
        [f"{server.origin}/private/img.png"] if status else []
    )
    assert len(server.billed) == 1


@every_client
def test_a_head_that_nobody_reads_on_a_kept_connection(flavour: str, server: FaultServer) -> None:
    """It is the last question whose answer is kept; and nothing of the one before it."""
    server.then(good, odd_head(b"HTTP/2 200"))
    with pytest.raises(dalle2.OutcomeUnknownError) as caught:
        calls(flavour, None, 2, base_url=server.origin)
    assert caught.value.body == server.answer()
    server.then(good, odd_head(b"HTTP/2 200"))
    with pytest.raises(dalle2.OutcomeUnknownError) as unknown:
        calls(flavour, httpx, 2, base_url=server.origin)
    # A caller's pool may not tell whose the bytes are.
    assert unknown.value.body in (None, server.answer())


def test_the_beginning_of_a_head_is_no_body(server: FaultServer) -> None:
    """Its headers are nobody's to keep."""

    def act(c: Connection) -> None:
        c.read()
        c.send(b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\n")
        c.close()

    server.then(act)
    with pytest.raises(dalle2.OutcomeUnknownError) as caught:
        calls("sync", None, 1, base_url=server.origin)
    assert caught.value.body is None
