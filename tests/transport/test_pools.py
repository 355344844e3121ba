"""Which connection a request goes to, who waits for one, and what a crowd takes."""

from __future__ import annotations

import socket
import threading
import time
import types
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import anyio
import httpcore
import pytest

import dalle2
from dalle2 import RetryPolicy
from dalle2._http import HttpRequest, Timeouts, TransportError
from dalle2._transport import _carrier, _pools
from dalle2._transport._async import AsyncTransport
from dalle2._transport._pools import MOST_SLOTS, Slots, Turn, hang_up
from dalle2._transport._sync import Transport

from ..faults.server import FaultServer

KEY = "sk-test-key"
LIMITS = Timeouts(5.0, 5.0, 5.0, 5.0)
every_client = pytest.mark.parametrize("flavour", ["sync", "asyncio", "trio"])


@pytest.fixture
def server() -> Iterator[FaultServer]:
    """A server that does what it is told, and well until then."""
    with FaultServer() as one:
        yield one


def slots_of(make: Callable[[], object] = object) -> Slots[object]:
    """Slots without transports."""
    return Slots(lambda crowd: make())


def test_slots_are_taken_where_they_were_left() -> None:
    """The slot that was used last is taken first; where all are busy there is none."""
    slots = slots_of()
    taken = [slots.take() for _ in range(MOST_SLOTS)]
    assert None not in taken
    assert len(slots.all) == len(set(taken)) == MOST_SLOTS
    assert slots.take() is None
    used = taken[17]
    assert used is not None
    slots.give_back(used, clean=True)
    assert slots.take() is used
    assert len(slots.all) == MOST_SLOTS
    assert slots.free == []


def test_an_idle_crowd_is_let_go() -> None:
    """After a rush, each call closes one slot that was unused for too long."""
    slots = slots_of()
    taken = [slot for _ in range(5) if (slot := slots.take())]
    for slot in taken:
        slots.give_back(slot, clean=True)
    assert len(slots.free) == 5
    for slot in taken:
        slot.used -= 100
    for left in (5, 4, 3, 2, 2):
        found = slots.take()
        assert found is not None
        slots.give_back(found, clean=True)
        found.used -= 100
        assert len(slots.all) == len(slots.free) == max(left - 1, 1)


def waiting(slots: Slots[object]) -> Turn[object]:
    """A new one at the end of the line."""
    return slots.queue(lambda: None)


def test_who_waited_the_longest_is_served_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody jumps the line, and who leaves it passes on what it got."""
    monkeypatch.setattr(_pools, "MOST_SLOTS", 1)
    slots = slots_of()
    only = slots.take()
    assert only is not None
    first, second, third = (waiting(slots) for _ in range(3))
    slots.leave(second)
    slots.give_back(only, clean=True)
    assert first.slot is only
    assert slots.take() is None
    slots.leave(first)
    assert third.slot is only
    assert not slots.line


def test_a_broken_slot_makes_room_for_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waits gets a new one, and none that somebody else's failure may have harmed."""
    monkeypatch.setattr(_pools, "MOST_SLOTS", 1)
    slots = slots_of()
    only = slots.take()
    assert only is not None
    turn = waiting(slots)
    slots.give_back(only, clean=False)
    assert turn.slot is not None
    assert turn.slot is not only
    assert slots.all.all() == [turn.slot]


def test_what_is_given_back_in_between_is_found() -> None:
    """A slot that comes free before the place in the line is taken is not waited for."""
    slots = slots_of()
    slot = slots.take()
    assert slot is not None
    slots.give_back(slot, clean=True)
    assert waiting(slots).slot is slot


def test_two_threads_that_serve_the_same_line_lose_no_slot() -> None:
    """The one that comes too late lays its slot back."""

    class Served(deque[Turn[object]]):
        def popleft(self) -> Turn[object]:
            super().popleft()
            raise IndexError

    slots = slots_of()
    slots.line = Served()
    assert waiting(slots).slot is None
    assert len(slots.free) == len(slots.all) == 1


class Stubborn:
    """A stream that waits for its event loop when it is closed."""

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self.closed = False

    @types.coroutine
    def aclose(self) -> Any:
        """First it closes, then it waits."""
        self.closed = True
        for _ in range(self.steps):
            yield None
        yield object()


@pytest.mark.parametrize("steps", [0, 1, 500])
def test_a_stream_is_closed_as_far_as_it_goes_without_its_loop(steps: int) -> None:
    """Its first step closes it; nothing that it does then is waited for."""
    stream = Stubborn(steps)
    hang_up(stream)
    assert stream.closed


def crowd(flavour: str, origin: str, count: int, **options: Any) -> list[Any]:
    """So many calls at once over one client: what each came to."""
    given = {"api_key": KEY, "retry": RetryPolicy.none(), "timeout": 5.0, "base_url": origin} | options
    came: list[Any] = []
    if flavour == "sync":

        def call() -> None:
            try:
                came.append(client.generate("a fox"))
            except dalle2.Dalle2Error as error:
                came.append(error)

        with dalle2.Client(**given) as client:
            threads = [threading.Thread(target=call) for _ in range(count)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        return came

    async def work() -> None:
        async def one() -> None:
            try:
                came.append(await client.generate("a fox"))
            except dalle2.Dalle2Error as error:
                came.append(error)

        async with dalle2.AsyncClient(**given) as client, anyio.create_task_group() as group:
            for _ in range(count):
                group.start_soon(one)

    anyio.run(work, backend=flavour)
    return came


@every_client
def test_more_calls_than_connections_wait_in_line(
    flavour: str, server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of them are answered, over as many connections as there may be."""
    monkeypatch.setattr(_pools, "MOST_SLOTS", 3)
    came = crowd(flavour, server.origin, 20)
    assert all(isinstance(one, (dalle2.Images, dalle2.AsyncImages)) for one in came)
    assert len(server.billed) == 20
    assert server.connections <= 3


@every_client
@pytest.mark.parametrize(
    "limits", [LIMITS._replace(pool=0.05), LIMITS._replace(total=0.05)], ids=["pool", "total"]
)
def test_who_waits_too_long_has_sent_nothing(
    flavour: str, limits: Timeouts, server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wait for a connection ends at its limit, or with the time for the whole exchange."""
    monkeypatch.setattr(_pools, "MOST_SLOTS", 1)
    request = HttpRequest("GET", server.origin + "/a.png")

    async def work() -> None:
        transport = AsyncTransport()
        async with await transport.open(request, LIMITS, api=True):
            await transport.open(request, limits, api=True)

    with pytest.raises(TransportError) as caught:
        if flavour == "sync":
            transport = Transport()
            with transport.open(request, LIMITS, api=True):
                transport.open(request, limits, api=True)
        else:
            anyio.run(work, backend=flavour)
    assert caught.value.failure == ("connect_timeout", False, "no connection became free in time", b"")


@every_client
def test_who_stops_waiting_gives_its_place_up(
    flavour: str, server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call that is stopped in the line leaves it, and the slot goes to the next one."""
    monkeypatch.setattr(_pools, "MOST_SLOTS", 1)
    request = HttpRequest("GET", server.origin + "/a.png")
    if flavour == "sync":

        class Stopped:
            def wait(self, limit: float | None) -> None:
                raise KeyboardInterrupt

            def set(self) -> None: ...

        transport = Transport()
        with transport.open(request, LIMITS, api=True):
            monkeypatch.setattr("dalle2._transport._sync.threading", types.SimpleNamespace(Event=Stopped))
            with pytest.raises(KeyboardInterrupt):
                transport.open(request, LIMITS, api=True)
        with transport.open(request, LIMITS, api=True) as answer:
            assert answer.status == 200
        transport.close()
        return

    async def work() -> None:
        transport = AsyncTransport()
        async with await transport.open(request, LIMITS, api=True):
            with anyio.move_on_after(0.01) as late:
                await transport.open(request, LIMITS, api=True)
            assert late.cancelled_caught
        async with await transport.open(request, LIMITS, api=True) as answer:
            assert answer.status == 200
        await transport.aclose()

    anyio.run(work, backend=flavour)


def test_who_waits_for_a_client_that_is_closed_is_told(
    server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Closing a client lets the calls under way end, and sends those in the line home."""
    monkeypatch.setattr(_pools, "MOST_SLOTS", 1)
    came: list[Exception] = []
    asked = HttpRequest("GET", server.origin + "/a.png")
    transport = Transport()

    def wait() -> None:
        try:
            transport.open(asked, LIMITS, api=True)
        except dalle2.ConfigurationError as error:
            came.append(error)

    with transport.open(asked, LIMITS, api=True) as answer:
        thread = threading.Thread(target=wait)
        thread.start()
        (slots,) = transport._own.values()
        while not slots.line:
            time.sleep(0.001)
        transport.close()
        thread.join(5)
        assert b"".join(answer) == server.image
    assert "this client is closed" in str(came[0])


@every_client
@pytest.mark.parametrize(("most", "connections"), [(2, 2), (1, 4)], ids=["quiet", "crowd"])
def test_a_slot_keeps_a_connection_to_the_api_and_one_to_the_images(
    flavour: str, most: int, connections: int, server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Going back and forth between two hosts opens two connections; in a crowd, each slot has only one."""
    monkeypatch.setattr(_carrier, "MOST_SLOTS", most)
    with FaultServer() as other:
        requests = [HttpRequest("GET", one.origin + "/a.png") for one in (server, other) * 2]
        if flavour == "sync":
            transport = Transport()
            for request in requests:
                with transport.open(request, LIMITS, api=True) as answer:
                    assert b"".join(answer) == server.image
            transport.close()
        else:

            async def work() -> None:
                transport = AsyncTransport()
                for request in requests:
                    async with await transport.open(request, LIMITS, api=True) as answer:
                        assert b"".join([chunk async for chunk in answer]) == server.image
                await transport.aclose()

            anyio.run(work, backend=flavour)
        assert server.connections + other.connections == connections


@every_client
def test_a_library_that_marks_no_end_of_a_request_changes_no_call(
    flavour: str, server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What waits for its body leaves before the answer is read."""
    over = httpcore.HTTP11Connection if flavour == "sync" else httpcore.AsyncHTTP11Connection
    send = over._send_event  # type: ignore[attr-defined]

    def unmarked(self: Any, event: object, timeout: float | None = None) -> Any:
        if type(event).__name__ == "EndOfMessage" or not getattr(event, "data", b"some"):
            self._h11_state.send(event)
            return None if flavour == "sync" else anyio.lowlevel.checkpoint()
        return send(self, event, timeout)

    monkeypatch.setattr(over, "_send_event", unmarked)
    came = crowd(flavour, server.origin, 3)
    assert [len(images) for images in came] == [1, 1, 1]
    read = came[0][0].read
    assert (read() if flavour == "sync" else anyio.run(read, backend=flavour)) == server.image


@every_client
def test_a_small_request_leaves_in_one_piece(
    flavour: str, server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Head and body are one system call, and one TLS record."""
    pieces: list[bytes] = []
    kind = (
        httpcore._backends.sync.SyncStream
        if flavour == "sync"
        else (
            httpcore.AnyIOBackend.connect_tcp.__globals__["AnyIOStream"]
            if flavour == "asyncio"
            else httpcore.TrioBackend.connect_tcp.__globals__["TrioStream"]
        )
    )
    write = kind.write

    def written(stream: Any, buffer: bytes, timeout: float | None = None) -> Any:
        pieces.append(buffer)
        return write(stream, buffer, timeout)

    monkeypatch.setattr(kind, "write", written)
    (made,) = crowd(flavour, server.origin, 1)
    assert made[0].url
    assert [piece[:5] for piece in pieces] == [b"POST "]
    assert server.requests[0].body in pieces[0]


@every_client
def test_a_connection_that_ends_at_the_last_moment_is_replaced(
    flavour: str, server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look at it and the first byte: the request leaves on a new one, once."""
    request = HttpRequest("GET", server.origin + "/a.png")
    kind = "HTTP11Connection" if flavour == "sync" else "AsyncHTTP11Connection"

    def end() -> None:
        for sock in list(server._open.values()):
            with suppress(OSError):  # one that has ended
                sock.shutdown(socket.SHUT_RDWR)
        monkeypatch.setattr(getattr(httpcore, kind), "has_expired", lambda connection: False)

    if flavour == "sync":
        transport = Transport()
        for _ in range(2):
            with transport.open(request, LIMITS, api=True) as answer:
                assert b"".join(answer) == server.image
            end()
        transport.close()
    else:

        async def work() -> None:
            transport = AsyncTransport()
            for _ in range(2):
                async with await transport.open(request, LIMITS, api=True) as answer:
                    assert b"".join([chunk async for chunk in answer]) == server.image
                end()
            await transport.aclose()

        anyio.run(work, backend=flavour)
    assert server.connections == len(server.requests) == 2
