"""What the HTTP library tells of an exchange, and what becomes of it: proxies, broken sockets,
pools, certificates.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import threading
import time
import types
from collections.abc import AsyncIterator, Iterator
from typing import Any

import anyio
import httpx
import pytest

import dalle2
from dalle2 import RetryPolicy
from dalle2._http import HttpRequest, Timeouts, TransportError
from dalle2._transport._async import AsyncTransport
from dalle2._transport._building import as_written
from dalle2._transport._certificates import tls_context
from dalle2._transport._proof import failure_of
from dalle2._transport._sync import Transport
from dalle2._transport._watch import Watch

from ..faults import catalogue
from ..faults.server import IMAGE, Connection, FaultServer

KEY = "sk-test-key"
LIMITS = Timeouts(5.0, 5.0, 5.0, 5.0)
every_client = pytest.mark.parametrize("flavour", ["sync", "asyncio", "trio"])


@pytest.fixture
def server() -> Iterator[FaultServer]:
    """A server that does what it is told, and well until then."""
    with FaultServer() as one:
        yield one


def generate(flavour: str, **options: Any) -> Any:
    """One paid call, without waits between attempts."""
    given = {"api_key": KEY, "retry": RetryPolicy(initial=0.0), "timeout": 5.0} | options
    if flavour == "sync":
        with dalle2.Client(**given) as client:
            return client.generate("a fox")

    async def work() -> Any:
        async with dalle2.AsyncClient(**given) as client:
            return await client.generate("a fox")

    return anyio.run(work, backend=flavour)


def stall_connect(c: Connection) -> None:
    """A proxy that takes a `CONNECT` and falls silent."""
    c.read()
    c.hold()


@every_client
def test_a_silent_proxy_has_not_forwarded_anything(
    flavour: str, server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tunnel is asked for in a request of its own: as long as it is not there, the paid call was
    not sent.
    """
    monkeypatch.setenv("HTTPS_PROXY", server.origin)
    server.then(forever=stall_connect)
    with pytest.raises(dalle2.APIConnectionError):
        generate(flavour, base_url="https://api.example.com/v1", timeout=0.1)
    assert [one.method for one in server.requests] == ["CONNECT"] * 3


@every_client
def test_a_proxy_does_its_own_policing(
    flavour: str, server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The address that is connected to is the proxy's, and says nothing of the image's host."""
    monkeypatch.setenv("HTTPS_PROXY", server.origin)

    def refuse(c: Connection) -> None:
        c.read()
        c.reply(502, b"")

    server.then(forever=refuse)
    url, retry = "https://images.example.com/a.png", RetryPolicy.none()

    async def work() -> None:
        async with dalle2.AsyncClient(KEY, retry=retry) as client:
            await client.image(url).read()

    with pytest.raises(dalle2.DownloadError) as caught:
        if flavour == "sync":
            with dalle2.Client(KEY, retry=retry) as client:
                client.image(url).read()
        else:
            anyio.run(work, backend=flavour)
    assert caught.value.reason == "unreachable"
    assert server.requests[0].line.startswith("CONNECT images.example.com:443")


class Broken:
    """A stream whose socket is gone already."""

    def get_extra_info(self, name: str) -> object:
        """As a socket that was reset: even its peer is not known any more."""
        raise OSError(107, "Transport endpoint is not connected")


class Bare:
    """A stream that tells nothing of itself."""


@pytest.mark.parametrize(("method", "left"), [(b"POST", True), (b"CONNECT", False)])
def test_a_body_that_an_interrupt_stops_may_have_left(method: bytes, left: bool) -> None:
    """It can fall between the last byte and the event that tells; a proxy's CONNECT is no body."""
    watch = Watch()
    request = type("Request", (), {"method": method})()
    watch.event("http11.send_request_headers.started", {"request": request})
    assert not watch.sent
    watch.event("http11.send_request_body.started", {"request": request})
    watch.event("http11.send_request_body.failed", {"exception": KeyboardInterrupt()})
    assert watch.sent is left


def test_a_connection_that_breaks_at_once_was_not_used() -> None:
    """It is given up before anything is sent on it, and that is known."""
    watch = Watch(lambda address: "no")
    watch.host = "images.example.com"
    assert watch.event("connection.connect_tcp.started", {"host": "images.example.com"}) is None
    failure = watch.event("connection.connect_tcp.complete", {"return_value": Broken()})
    assert failure is not None
    assert (failure.kind, failure.sent) == ("connect", False)
    assert watch.event("connection.connect_tcp.complete", {"return_value": Bare()}) is None


def play(watch: Watch, protocol: str, method: bytes = b"POST", *, whole: bool = True) -> None:
    """The events of a request that is sent, whole or but half."""
    request = httpx.Request("POST", "https://a.example")
    request.method = method  # type: ignore[assignment]
    watch.event(f"{protocol}.send_request_headers.started", {"request": request})
    watch.event(f"{protocol}.send_request_body.started", {"request": request})
    if whole:
        watch.event(f"{protocol}.send_request_body.complete", {})
    else:
        watch.event(f"{protocol}.send_request_body.failed", {"exception": httpx.WriteError("x")})


def test_whether_a_request_left_whole() -> None:
    """Only the end of its body says so; without any word of the library, it may have."""
    watch = Watch()
    assert not watch.sent
    watch.offer()
    assert watch.departure.left
    assert failure_of(httpx, watch, httpx.ReadError("x")).sent
    play(watch, "http11", b"CONNECT")
    assert not failure_of(httpx, watch, httpx.ReadTimeout("")).sent
    play(watch, "http11", whole=False)
    assert not failure_of(httpx, watch, httpx.WriteError("x")).sent
    play(watch, "http2")
    assert failure_of(httpx, watch, httpx.ReadTimeout(""))[:3] == ("timeout", True, "ReadTimeout")
    play(watch, "http11", whole=False)  # a transport of the caller's that tries again: the first one counts
    assert failure_of(httpx, watch, httpx.WriteError("x")).sent


@pytest.mark.parametrize(
    ("error", "buffered", "sent"),
    [
        (httpx.WriteError("reset"), False, False),
        (TimeoutError("whosever"), False, True),
        (httpx.WriteTimeout("slow"), False, False),
        (httpx.WriteTimeout("slow"), True, True),
        (KeyboardInterrupt(), False, True),
        (KeyboardInterrupt(), True, True),
        (type("Cancelled", (BaseException,), {})(), False, False),
        (type("CancelledError", (BaseException,), {})(), True, True),
    ],
)
def test_what_a_body_that_broke_off_proves(error: BaseException, buffered: bool, sent: bool) -> None:
    """A write that failed did not end. One that was given up may have, where the system keeps what it got."""
    watch = Watch()
    watch.buffered = buffered
    watch.event("http11.send_request_headers.started", {})
    watch.event("http11.send_request_body.started", {})
    assert watch.departure.left
    watch.event("http11.send_request_body.failed", {"exception": error})
    assert watch.sent is sent


@every_client
def test_a_dead_connection_is_closed_and_replaced(
    flavour: str, server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A socket that breaks as soon as it is there costs an attempt, never a bill."""
    real, broken = Watch._connected, []

    def connected(self: Watch, info: Any) -> Any:
        if not broken:
            broken.append(info)
            info = {"return_value": Broken()}
        return real(self, info)

    monkeypatch.setattr(Watch, "_connected", connected)
    assert len(generate(flavour, base_url=server.origin)) == 1
    assert len(broken) == len(server.billed) == 1


@every_client
def test_connections_are_kept_alive_for_quiet_routers(
    flavour: str, server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A generation can take minutes without a byte: TCP keep-alive is on, on every kind of socket."""
    seen: list[int] = []
    real = Watch._connected

    def connected(self: Watch, info: Any) -> Any:
        result = real(self, info)
        seen.append(
            info["return_value"].get_extra_info("socket").getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        )
        return result

    monkeypatch.setattr(Watch, "_connected", connected)
    generate(flavour, base_url=server.origin)
    assert seen == [1]


def test_certificates_that_cannot_be_read_are_a_configuration_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable that names them is named."""
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere/ca.pem")
    with pytest.raises(dalle2.ConfigurationError, match="SSL_CERT_FILE") as caught:
        tls_context()
    assert caught.value.__context__ is None


def test_a_client_closed_by_another_thread_says_so(server: FaultServer) -> None:
    """Between the look at it and the sending: a `ConfigurationError`, not the library's own."""
    with httpx.Client() as http:

        def close(request: httpx.Request) -> None:
            http.close()

        http.event_hooks = {"request": [close]}
        transport = Transport(http)
        http._state = type(http._state).CLOSED  # what the other thread just did
        transport.usable = iter([True, False]).__next__  # type: ignore[method-assign]
        with pytest.raises(dalle2.ConfigurationError, match="closed") as caught:
            transport.open(HttpRequest("GET", server.origin), LIMITS, api=True)
        assert caught.value.__context__ is None


def test_an_error_that_is_not_of_the_library_passes(server: FaultServer) -> None:
    """A caller's hook that fails is the caller's to know."""

    def fail(request: httpx.Request) -> None:
        raise RuntimeError("the caller's own")

    with httpx.Client(event_hooks={"request": [fail]}) as http, pytest.raises(RuntimeError, match="own"):
        generate("sync", base_url=server.origin, http_client=http)


def wait_for_open(server: FaultServer, count: int) -> None:
    """Wait until the server sees so many open connections."""
    while len(server._open) != count:
        time.sleep(0.002)


def test_a_child_process_leaves_its_parents_connections_alone(
    server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pools belong to the process that made them, and only that one closes them."""
    transport = Transport()
    request = HttpRequest("GET", server.origin + "/a.png")
    with transport.open(request, LIMITS, api=True) as answer:
        assert b"".join(answer) == IMAGE
    ((_, parents),) = transport._own.items()
    real = os.getpid()
    monkeypatch.setattr(os, "getpid", lambda: real + 1)
    with transport.open(request, LIMITS, api=True) as answer:
        assert b"".join(answer) == IMAGE
    transport.close()
    assert server.connections == 2
    wait_for_open(server, 1)
    parents.close()
    wait_for_open(server, 0)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_the_same_for_awaited_ones(
    backend: str, server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A forked event loop's pools are left to the parent."""

    async def work() -> None:
        transport = AsyncTransport()
        request = HttpRequest("GET", server.origin + "/a.png")
        async with await transport.open(request, LIMITS, api=True) as answer:
            assert b"".join([chunk async for chunk in answer]) == IMAGE
        (home,) = transport._own.values()
        real = os.getpid()
        with monkeypatch.context() as patch:
            patch.setattr(os, "getpid", lambda: real + 1)
            await transport.aclose()
        wait_for_open(server, 1)
        await home.ending.aclose()
        wait_for_open(server, 0)

    anyio.run(work, backend=backend)


def test_a_loop_that_was_closed_without_a_word(server: FaultServer) -> None:
    """Its connections are lost with it; the next loop gets new ones, and the same client works on."""
    import asyncio

    client = dalle2.AsyncClient(KEY, base_url=server.origin)
    home: Any = None
    for _ in range(2):
        loop = asyncio.new_event_loop()
        loop.run_until_complete(client.generate("a fox"))
        (home,) = client._transport._own.values()
        # What a tidy program does before closing; the client must not need it.
        home.slots.close()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()
        assert home.gone()
    assert len(server.billed) == server.connections == 2


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # of the endless generator itself
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_an_answer_left_half_way_is_tidied_up(backend: str) -> None:
    """Also one that has no end: it is not read for ever to be rid of it."""
    read = 0

    class Endless(httpx.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            nonlocal read
            try:
                while True:
                    read += 1
                    yield b"x" * 10
            finally:
                pass

    async def work() -> None:
        transport = httpx.MockTransport(lambda request: httpx.Response(200, stream=Endless()))
        async with httpx.AsyncClient(transport=transport) as http:
            ours = AsyncTransport(http)
            answer = await ours.open(HttpRequest("GET", "https://a.example"), LIMITS, api=True)
            assert await anext(answer) == b"x" * 10
            await answer.aclose()
            await answer.aclose()
            assert read < 500

    anyio.run(work, backend=backend)


def test_a_body_is_read_once(server: FaultServer) -> None:
    """A second look at it is an error of ours, told like one of the exchange."""
    transport = Transport()
    with transport.open(HttpRequest("GET", server.origin), LIMITS, api=True) as answer:
        list(answer)
        with pytest.raises(TransportError):
            list(answer)
    transport.close()


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("https://a.example/x/../y?q=%2f#f", b"/x/../y?q=%2f"),
        ("https://a.example?q=1", b"/?q=1"),
        ("https://a.example", b"/"),
        ("https://a.example/a/b", b"/a/b"),
        ("https://a.example/\u00e9", b"/%C3%A9"),
        ("https://a.example/a b", b"/a%20b"),
    ],
)
def test_paths_are_sent_as_they_are_written(url: str, target: bytes) -> None:
    """What the library would normalise is left alone; what cannot be sent is left to the library."""
    request = httpx.Request("GET", url)
    as_written(httpx, request, url)
    assert request.url.raw_path == target
    assert request.url.host == "a.example"


def test_threads_build_one_pool(server: FaultServer) -> None:
    """Many first calls at once end up on common pools, and all are closed in the end."""
    transport = Transport()
    meeting = threading.Barrier(8)

    def work() -> None:
        meeting.wait()
        with transport.open(HttpRequest("GET", server.origin), LIMITS, api=True) as answer:
            list(answer)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(transport._own) == 1
    transport.close()


def kept_waiting(closed: threading.Event, asked: threading.Event) -> Any:
    """Answer once the client was closed, as it is when `with` ends before the threads that use it."""

    def act(c: Connection) -> None:
        c.read()
        asked.set()
        closed.wait(5)
        c.reply(headers={"Content-Type": "application/json"})

    return act


def test_a_closed_client_lets_the_calls_of_other_threads_come_to_their_end(server: FaultServer) -> None:
    """Each of them may have been paid for, and their connections end with them."""
    closed, asked = threading.Event(), threading.Event()
    server.then(kept_waiting(closed, asked))
    client, made = dalle2.Client(KEY, base_url=server.origin), []
    thread = threading.Thread(target=lambda: made.append(client.generate("a fox")))
    thread.start()
    assert asked.wait(5)
    client.close()
    closed.set()
    thread.join()
    assert len(made) == len(server.billed) == 1
    wait_for_open(server, 0)
    with pytest.raises(dalle2.ConfigurationError, match="closed"):
        client.generate("a fox")


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_closed_client_lets_the_calls_of_other_tasks_come_to_their_end(
    backend: str, server: FaultServer
) -> None:
    """The same, awaited."""
    closed, asked = threading.Event(), threading.Event()
    server.then(kept_waiting(closed, asked))

    async def work() -> None:
        client, made = dalle2.AsyncClient(KEY, base_url=server.origin), []

        async def pay() -> None:
            made.append(await client.generate("a fox"))

        async with anyio.create_task_group() as group:
            group.start_soon(pay)
            await anyio.to_thread.run_sync(asked.wait, 5)
            await client.aclose()
            closed.set()
        assert len(made) == len(server.billed) == 1
        await anyio.to_thread.run_sync(wait_for_open, server, 0)

    anyio.run(work, backend=backend)


def test_every_fault_has_a_line_in_the_documentation() -> None:
    """The page lists each fault of the catalogue."""
    from pathlib import Path

    page = (Path(__file__).parents[2] / "docs" / "faults.md").read_text(encoding="utf-8")
    missing = [fault.name for fault in catalogue.FAULTS if f"| {fault.name} " not in page]
    assert missing == []


@every_client
def test_a_request_that_the_library_cannot_make_was_not_sent(flavour: str) -> None:
    """Its own error becomes ours before there is a connection."""
    request = HttpRequest("POST", "http://a.example:notaport/v1", content=b"{}")

    async def work() -> None:
        await AsyncTransport().open(request, LIMITS, api=True)

    with pytest.raises(TransportError) as caught:
        if flavour == "sync":
            Transport().open(request, LIMITS, api=True)
        else:
            anyio.run(work, backend=flavour)
    assert (caught.value.failure.kind, caught.value.failure.sent) == ("refused_address", False)
    assert caught.value.__context__ is None


def test_what_a_signal_handler_raises_at_the_wrong_moment(server: FaultServer) -> None:
    """While a connection is looked at, while a body arrives, and while it is closed: it goes on as it is."""

    def ring(*args: object) -> None:
        raise TimeoutError("enough")

    class Ringing:
        def get_extra_info(self, name: str) -> object:
            """Where the signal strikes."""
            ring()
            return None

    class Body(httpx.SyncByteStream):
        def __init__(self, places: str) -> None:
            self.places = places

        def __iter__(self) -> Iterator[bytes]:
            if self.places == "body":
                ring()
            yield b"{}"

        def close(self) -> None:
            if self.places == "close":
                ring()

    before = signal.signal(signal.SIGUSR1, ring)
    try:
        with pytest.raises(TimeoutError, match="enough"):
            Watch().event("connection.connect_tcp.complete", {"return_value": Ringing()})
        for place in ("body", "close"):
            mock = httpx.MockTransport(lambda request, place=place: httpx.Response(200, stream=Body(place)))
            with (
                httpx.Client(transport=mock) as http,
                pytest.raises(TimeoutError, match="enough"),
                Transport(http).open(HttpRequest("GET", server.origin), LIMITS, api=True) as answer,
            ):
                list(answer)
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_the_host_is_said_once(server: FaultServer) -> None:
    """A caller's own header stands, and a length that was given is not given twice."""
    headers = (("host", "b.example"), ("content-length", "2"))
    transport = Transport()
    with transport.open(HttpRequest("POST", server.origin, headers, b"{}"), LIMITS, api=True) as answer:
        list(answer)
    transport.close()
    assert server.requests[0].headers["host"] == "b.example"


def test_a_first_call_goes_out_while_a_thread_loads_trio(
    server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another first call may be loading it at this very moment: it is there in name, and empty."""
    monkeypatch.setitem(sys.modules, "trio", types.ModuleType("trio"))

    async def call() -> dalle2.AsyncImages:
        async with dalle2.AsyncClient("sk-test", base_url=f"{server.origin}/v1") as client:
            return await client.generate("a fox")

    assert len(asyncio.run(call())) == 1
