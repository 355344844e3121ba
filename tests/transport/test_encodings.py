"""How an answer is unpacked: one layer, piece by piece, and no more of a refusal than one can read."""

from __future__ import annotations

import gzip
import json
import tracemalloc
import zlib
from itertools import pairwise
from typing import Any

import anyio
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

import dalle2
from dalle2 import RetryPolicy
from dalle2._calls._outcome import LARGEST_REFUSAL
from dalle2._transport._encodings import PIECE, Unpacker, layers

from ..faults.server import Connection, FaultServer

every_client = pytest.mark.parametrize("flavour", ["sync", "asyncio", "trio"])


def bare(data: bytes) -> bytes:
    """Deflate without zlib's header, as some servers send it."""
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


PACKED = {
    "gzip": [gzip.compress, lambda data: gzip.compress(data[:3]) + gzip.compress(data[3:])],
    "x-gzip": [gzip.compress],
    "deflate": [zlib.compress, bare],
}


@given(st.binary(max_size=500), st.lists(st.integers(0, 999)), st.data())
def test_what_was_packed_comes_out(plain: bytes, cuts: list[int], data: st.DataObject) -> None:
    """In whatever pieces it comes, in one part or two."""
    name = data.draw(st.sampled_from(sorted(PACKED)))
    packed = data.draw(st.sampled_from(PACKED[name]))(plain)
    unpacker = Unpacker(name)
    places = sorted({0, len(packed), *(cut % (len(packed) + 1) for cut in cuts)})
    came = [piece for start, end in pairwise(places) for piece in unpacker.feed(packed[start:end])]
    unpacker.end()
    assert b"".join(came) == plain


@pytest.mark.parametrize("name", sorted(PACKED))
def test_a_packed_answer_is_whole_or_refused(name: str) -> None:
    """Cut at any byte it is not whole; other bytes are not packed so; nothing at all is nothing."""
    packed = PACKED[name][0](b"abc" * 100)
    for cut in range(1, len(packed)):
        unpacker = Unpacker(name)
        list(unpacker.feed(packed[:cut]))
        with pytest.raises(ValueError, match="beginning"):
            unpacker.end()
    with pytest.raises(ValueError, match="not packed"):
        list(Unpacker(name).feed(b"\xff\xfe\xfd plain text"))
    Unpacker(name).end()


def test_a_bomb_comes_in_pieces() -> None:
    """A few kilobytes that hold 64 MiB never take more than a piece at once."""
    bomb = gzip.compress(bytes(64 << 20))
    tracemalloc.start()
    try:
        sizes = [len(piece) for piece in Unpacker("gzip").feed(bomb)]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert sum(sizes) == 64 << 20
    assert max(sizes) <= PIECE
    assert peak < 1 << 20


def test_what_changes_nothing_is_no_layer() -> None:
    """Blank parts and `identity` do not count."""
    assert layers(" gzip , identity,, ") == ["gzip"]
    assert layers("identity") == []
    assert layers("gzip, GZIP") == ["gzip", "gzip"]


def pay(flavour: str, server: FaultServer, http: Any = None) -> Any:
    """A paid call, once."""
    options: dict[str, Any] = {"base_url": server.origin, "retry": RetryPolicy.none(), "http_client": http}
    if flavour == "sync":
        with dalle2.Client("sk-test", **options) as client:
            return client.generate("a fox")

    async def work() -> Any:
        async with dalle2.AsyncClient("sk-test", **options) as client:
            return await client.generate("a fox")

    return anyio.run(work, backend=flavour)


@every_client
@pytest.mark.parametrize("name", sorted(PACKED))
def test_a_packed_answer_gives_its_images(name: str, flavour: str) -> None:
    """A proxy may pack what nobody asked it to."""

    def act(c: Connection) -> None:
        c.read()
        c.reply(200, PACKED[name][0](c.good_body()), headers={"Content-Encoding": name})

    with FaultServer() as server:
        server.then(forever=act)
        assert len(pay(flavour, server)) == 1


@every_client
def test_an_answer_that_is_packed_twice_is_not_unpacked(flavour: str) -> None:
    """Two layers swell without bound: it is told as unreadable."""

    def act(c: Connection) -> None:
        c.read()
        body = gzip.compress(gzip.compress(bytes(1 << 20)))
        c.reply(200, body, headers={"Content-Encoding": "gzip, gzip"})

    with FaultServer() as server:
        server.then(forever=act)
        with pytest.raises(dalle2.OutcomeUnknownError, match="packed 2 times") as unknown:
            pay(flavour, server)
        assert unknown.value.reason == "unreadable"


@every_client
def test_an_encoding_that_only_the_library_may_know_is_left_to_it(flavour: str) -> None:
    """One layer, by a name that is not ours: httpx unpacks what it can, and leaves the rest as it is."""

    def act(c: Connection) -> None:
        c.read()
        c.reply(headers={"Content-Encoding": "rot13"})

    with FaultServer() as server:
        server.then(forever=act)
        assert len(pay(flavour, server)) == 1


@every_client
@pytest.mark.parametrize("packed", [False, True])
def test_a_refusal_without_end_is_read_to_its_first_mebibyte(flavour: str, packed: bool) -> None:
    """What it says stands at its beginning; the rest is not waited for."""
    sent = 0

    def act(c: Connection) -> None:
        nonlocal sent
        c.read(bill=False)
        headers = {"Transfer-Encoding": "chunked"} | ({"Content-Encoding": "gzip"} if packed else {})
        text = json.dumps(
            {"error": {"message": "Slow down.", "type": "requests", "code": "rate_limit_exceeded"}}
        )
        piece = text.encode() + b" " * 65536
        packer = zlib.compressobj(0, wbits=31)
        c.reply(429, b"", length=None, headers=headers)
        while not c.server.stopping.is_set():
            data = packer.compress(piece) if packed else piece
            c.send(b"%x\r\n%b\r\n" % (len(data), data) if data else b"")
            sent += len(data)
        c.close()

    with FaultServer() as server:
        server.then(forever=act)
        with pytest.raises(dalle2.RateLimitError):
            pay(flavour, server)
        assert sent < 64 * LARGEST_REFUSAL


def test_a_callers_client_asks_for_what_can_be_bounded() -> None:
    """Its own default names encodings that cannot be unpacked in pieces; what was said for the call stays."""
    with FaultServer() as server, httpx.Client(headers={"Accept-Encoding": "br"}) as http:
        with dalle2.Client("sk-test", base_url=server.origin, http_client=http) as client:
            client.generate("a fox")
            client.generate("a fox", extra_headers={"accept-encoding": "identity"})
        assert [one.headers["accept-encoding"] for one in server.requests] == ["gzip, deflate", "identity"]
