"""What carries the calls on connections of our own, and who sees them."""

from __future__ import annotations

import functools
import sys
import time
import types
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

import anyio
import anyio.from_thread
import httpcore
import httpx
import pytest
import respx

import dalle2
from dalle2 import RetryPolicy
from dalle2._transport import _carrier, _pools

from ..faults.server import FaultServer

KEY = "sk-test"
every_client = pytest.mark.parametrize("flavour", ["sync", "asyncio", "trio"])


@pytest.fixture
def server() -> Iterator[FaultServer]:
    """A server without faults."""
    with FaultServer() as one:
        yield one


def test_transports_are_made_once_and_share_what_they_can() -> None:
    """A slot costs a connection, and no pool of the library's and no context of its own."""
    make = _carrier.maker(httpcore, "Client", "http", None)
    one, other = make(_pools.Living()), make(_pools.Living())
    assert one is not other
    assert one._pool is other._pool


@contextmanager
def steps(flavour: str, origin: str) -> Iterator[tuple[Any, Callable[..., Any]]]:
    """A client, and what does one step with it."""
    given: dict[str, Any] = {"api_key": KEY, "retry": RetryPolicy.none(), "base_url": origin}
    if flavour == "sync":
        with dalle2.Client(**given) as client:
            yield client, lambda step, *given: step(*given)
        return
    with anyio.from_thread.start_blocking_portal(backend=flavour) as portal:
        awaited = dalle2.AsyncClient(**given)
        yield awaited, portal.call
        portal.call(awaited.aclose)


def hooked_into(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Hook into httpx's transports as tracing does; the requests that are seen from now on."""
    seen: list[str] = []
    blocking, awaited = httpx.HTTPTransport.handle_request, httpx.AsyncHTTPTransport.handle_async_request

    def handle(self: httpx.HTTPTransport, request: httpx.Request) -> httpx.Response:
        seen.append(request.method)
        return blocking(self, request)

    async def handle_awaited(self: httpx.AsyncHTTPTransport, request: httpx.Request) -> httpx.Response:
        seen.append(request.method)
        return await awaited(self, request)

    monkeypatch.setattr(httpx.HTTPTransport, "handle_request", handle)
    monkeypatch.setattr(httpx.AsyncHTTPTransport, "handle_async_request", handle_awaited)
    return seen


@every_client
def test_who_hooks_into_the_transports_of_httpx_sees_each_call(
    flavour: str, server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of a client that has called before, too, and each download."""
    with steps(flavour, server.origin) as (client, do):
        do(client.generate, "a fox")
        seen = hooked_into(monkeypatch)
        (image,) = do(client.generate, "a fox")
        assert do(image.read) == server.image
        assert seen == ["POST", "GET"]
        monkeypatch.undo()
        do(client.generate, "a fox")
        assert seen == ["POST", "GET"]


@every_client
def test_where_httpcore_is_another_one_httpx_carries_the_calls(
    flavour: str, server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a version that is not as it is known here, and where it cannot be loaded."""
    seen = hooked_into(monkeypatch)
    monkeypatch.setattr(_carrier, "_hooked", lambda kind: False)
    with steps(flavour, server.origin) as (client, do):
        do(client.generate, "a fox")
        assert seen == []
        monkeypatch.delattr(httpcore, "ConnectionNotAvailable")
        do(client.generate, "a fox")
        assert seen == ["POST"]
        monkeypatch.setattr(_carrier, "CORE", "httpcore.not_there")
        do(client.generate, "a fox")
        assert seen == ["POST", "POST"]


REAL = httpx.HTTPTransport.handle_request


def watching(seen: list[str]) -> dict[str, Any]:
    """Ways to stand in the place of the transport's method; each notes a call."""

    def plain(self: httpx.HTTPTransport, request: httpx.Request) -> httpx.Response:
        seen.append(request.method)
        return REAL(self, request)

    space: dict[str, Any] = {"plain": plain}
    exec("def built(self, request): return plain(self, request)", space)
    nameless = types.FunctionType(space["built"].__code__, {"plain": plain})
    return {
        "plain": plain,
        "wraps": functools.wraps(REAL)(plain),
        "built": nameless,
        "autospec": mock.create_autospec(REAL, side_effect=plain),
        "partial": functools.partialmethod(plain),
    }


@pytest.mark.parametrize("way", watching([]))
def test_each_way_to_hook_into_a_transport_is_seen(
    way: str, server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However the function is made that stands there."""
    seen: list[str] = []
    with steps("sync", server.origin) as (client, _):
        monkeypatch.setattr(httpx.HTTPTransport, "handle_request", watching(seen)[way])
        client.generate("a fox")[0].read()
    assert seen == ["POST", "GET"]


@pytest.mark.parametrize("part", ["__init__", "__new__"])
def test_who_changes_how_a_transport_is_made_is_heard(
    part: str, server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To bind another address, for one."""
    made: list[object] = []
    real = httpx.HTTPTransport

    def init(self: httpx.HTTPTransport, **options: Any) -> None:
        made.append(self)
        real.__init__(self, **options)

    def new(kind: type[httpx.HTTPTransport], **options: Any) -> httpx.HTTPTransport:
        made.append(kind)
        return object.__new__(kind)

    other = {"__init__": init} if part == "__init__" else {"__init__": real.__init__, "__new__": new}
    kind = type("HTTPTransport", (real,), {"handle_request": REAL, **other})
    monkeypatch.setattr(httpx, "HTTPTransport", kind)
    with steps("sync", server.origin) as (client, _):
        client.generate("a fox")
    assert made


def test_nobody_can_have_hooked_into_what_is_not_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then httpcore carries."""
    monkeypatch.delitem(sys.modules, "httpx")
    assert _carrier.engine("Client") is httpcore
    assert "httpx" not in sys.modules


@every_client
def test_a_hooked_slot_keeps_no_more_connections_than_another(
    flavour: str, server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two, however many hosts its images are on."""
    hooked_into(monkeypatch)
    with ExitStack() as stack, steps(flavour, server.origin) as (client, do):
        hosts = [stack.enter_context(FaultServer()) for _ in range(4)]
        for host in hosts:
            do(client.image(f"{host.origin}/private/img.png").read)
        for _ in range(500):
            if sum(len(host._open) for host in hosts) <= 2:
                break
            time.sleep(0.01)
        assert sum(len(host._open) for host in hosts) == 2


def raises(raised: Exception, retry: RetryPolicy | None) -> tuple[Exception, int]:
    """What a call comes to if respx raises this, and how many attempts it took."""
    with respx.mock as router:
        route = router.post("https://api.example/v1/images/generations").mock(side_effect=raised)
        client = dalle2.Client(KEY, base_url="https://api.example/v1", retry=retry)
        with client, pytest.raises(dalle2.Dalle2Error) as caught:
            client.generate("a fox")
        return caught.value, route.call_count


@pytest.mark.parametrize("library", [httpx, httpcore])
@pytest.mark.parametrize("name", ["ConnectTimeout", "PoolTimeout"])
def test_who_stands_in_for_a_host_may_raise_what_httpx_raises(name: str, library: Any) -> None:
    """respx does so beneath httpx, where nothing makes httpx's exceptions of httpcore's."""
    error, _ = raises(getattr(library, name)("late"), RetryPolicy.none())
    assert type(error) is dalle2.ConnectTimeoutError


@pytest.mark.parametrize("raised", [httpx.UnsupportedProtocol("gopher"), httpx.InvalidURL("odd")])
def test_an_address_that_cannot_be_used_is_not_tried_again(raised: Exception) -> None:
    """Whichever library says so."""
    error, attempts = raises(raised, None)
    assert isinstance(error, dalle2.APIConnectionError)
    assert attempts == 1


@every_client
@pytest.mark.parametrize("hooked", [False, True])
def test_an_answer_that_became_an_exception_is_that_answer(
    flavour: str, hooked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stand-in that raises for a status, beneath httpx or in the place of its transport."""
    url = "https://api.example/v1/images/generations"
    answer = httpx.Response(429, json={"error": {"message": "slow down"}}, request=httpx.Request("POST", url))
    raised = httpx.HTTPStatusError("429", request=answer.request, response=answer)

    def handle(self: object, request: object) -> httpx.Response:
        raise raised

    async def handle_awaited(self: object, request: object) -> httpx.Response:
        raise raised

    with respx.mock(assert_all_called=False) as router:
        router.post(url).mock(side_effect=raised)
        if hooked:
            monkeypatch.setattr(httpx.HTTPTransport, "handle_request", handle)
            monkeypatch.setattr(httpx.AsyncHTTPTransport, "handle_async_request", handle_awaited)
        calling = steps(flavour, "https://api.example/v1")
        with calling as (client, do), pytest.raises(dalle2.RateLimitError, match="slow down"):
            do(client.generate, "a fox")


def test_a_body_that_is_late_by_the_words_of_httpx_is_late() -> None:
    """Its outcome is unknown, and the reason is the time."""

    class Late(httpx.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            raise httpx.ReadTimeout("late")

    answer = httpx.Response(200, stream=Late())
    with respx.mock as router, dalle2.Client(KEY, base_url="https://api.example/v1") as client:
        router.post("https://api.example/v1/images/generations").mock(return_value=answer)
        with pytest.raises(dalle2.OutcomeUnknownError, match="timeout"):
            client.generate("a fox")
