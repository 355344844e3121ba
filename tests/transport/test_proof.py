"""What an exception proves: on HTTP/2, over transports that are not httpx's own, with hooks, in a test."""

from __future__ import annotations

import functools
import signal
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import aiohttp
import anyio
import httpcore
import httpx
import httpx2
import pytest
from h2.errors import ErrorCodes
from httpx_aiohttp import AiohttpTransport, HttpxAiohttpClient

import dalle2
from dalle2 import RetryPolicy
from dalle2._transport._handlers import chain, raised_by_handler
from dalle2._transport._proof import failure_of, judge
from dalle2._transport._watch import Watch

from ..faults import http2
from ..faults.catalogue import FAULTS, PAGE, Fault, body_of, close_after_read, refusal
from ..faults.drive import scene
from ..faults.server import IMAGE, Connection, FaultServer, good
from ..faults.tls import TlsFront

KEY = "sk-test-key-of-nobody"
every_client = pytest.mark.parametrize("flavour", ["sync", "asyncio", "trio"])
every_library = pytest.mark.parametrize("library", [httpx, httpx2])


def attempt(flavour: str, library: Any, origin: str, work: str = "generate", **options: Any) -> Any:
    """One call or download over a caller's client of this library: its value, or the error."""
    given = {"api_key": KEY, "base_url": origin, "timeout": 2.0, "retry": RetryPolicy(initial=0.0)}
    try:
        if flavour == "sync":
            with library.Client(**options) as http, dalle2.Client(http_client=http, **given) as client:
                if work == "generate":
                    return client.generate("a fox")
                return client.image(f"{origin}/private/img.png").read()

        async def awaited() -> Any:
            async with (
                library.AsyncClient(**options) as http,
                dalle2.AsyncClient(http_client=http, **given) as client,
            ):
                if work == "generate":
                    return await client.generate("a fox")
                return await client.image(f"{origin}/private/img.png").read()

        return anyio.run(awaited, backend=flavour)
    except Exception as error:
        return error


def clean(error: BaseException) -> bool:
    """Whether no exception of a library hangs on it."""
    return error.__cause__ is None and error.__context__ is None


# --- HTTP/2 ---

UNKNOWN = (
    http2.data_first,
    http2.broken_hpack,
    http2.bad_window,
    http2.huge_window,
    http2.unknown_stream,
    http2.half_a_body,
    http2.hang_up,
    http2.reset_stream(ErrorCodes.INTERNAL_ERROR),
    http2.reset_stream(ErrorCodes.CANCEL),
    http2.leave(None),
    http2.leave(None, close=False),
)
REFUSED = (
    http2.reset_stream(ErrorCodes.REFUSED_STREAM),
    http2.leave(0),
    http2.leave(0, 2, close=False),
)


@every_client
@every_library
@pytest.mark.parametrize("act", UNKNOWN)
def test_what_left_whole_over_http2_is_in_doubt(act: http2.Act, library: Any, flavour: str) -> None:
    """Whatever rule the server breaks, and whosever error the library calls it: one POST, and the truth."""
    with http2.Http2Server(forever=act) as server:
        error = attempt(flavour, library, server.origin, http1=False, http2=True)
        assert isinstance(error, dalle2.OutcomeUnknownError)
        assert clean(error)
        assert server.received == 1


@every_client
@every_library
@pytest.mark.parametrize("act", REFUSED)
def test_what_http2_calls_untouched_is_repeated(act: http2.Act, library: Any, flavour: str) -> None:
    """REFUSED_STREAM, and a GOAWAY below the stream: certain, so it is sent again, and told as safe."""
    with http2.Http2Server(act) as server:
        images = attempt(flavour, library, server.origin, http1=False, http2=True)
        assert len(images) == 1
        assert server.received == 2
    with http2.Http2Server(forever=act) as server:
        error = attempt(flavour, library, server.origin, http1=False, http2=True)
        assert isinstance(error, dalle2.APIConnectionError)
        assert server.received == 3


@every_library
def test_a_second_stream_that_was_not_begun_with_goes_to_another_connection(library: Any) -> None:
    """httpcore sends it again by itself: then the doubt is that of the second sending alone."""
    with http2.Http2Server(http2.fine, http2.leave(1, close=False), http2.hang_up) as server:
        with (
            library.Client(http1=False, http2=True) as http,
            dalle2.Client(KEY, base_url=server.origin, http_client=http, retry=RetryPolicy.none()) as client,
        ):
            client.generate("a fox")
            with pytest.raises(dalle2.OutcomeUnknownError):
                client.generate("a fox")
        assert (server.received, server.connections) == (3, 2)


# --- a transport that does not trace ---


class Untraced(httpx.BaseTransport):
    """Sends requests of its own making, and calls every failure what it likes."""

    def __init__(self, named: Exception | None = None) -> None:
        self.inner = httpx.HTTPTransport()
        self.named = named

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """As the inner one does, without events."""
        copy = httpx.Request(request.method, request.url, headers=request.headers, content=request.content)
        copy.extensions = {"timeout": request.extensions["timeout"]}
        try:
            return self.inner.handle_request(copy)
        except httpx.HTTPError as error:
            if self.named is None:
                raise
            raise self.named from error


LIES = [
    httpx.ConnectTimeout("no"),
    httpx.ConnectError("no"),
    httpx.PoolTimeout("no"),
    httpx.UnsupportedProtocol("no"),
    httpx.LocalProtocolError("no"),
    httpx.ProxyError("no"),
]


@pytest.mark.parametrize("named", LIES, ids=lambda error: type(error).__name__)
def test_without_events_a_class_proves_nothing(named: Exception) -> None:
    """A lost answer is in doubt, whatever a transport calls it, and whatever the caller is handling."""
    with FaultServer() as server:
        server.then(forever=close_after_read)
        try:
            raise ConnectionRefusedError("the caller's own trouble")
        except ConnectionRefusedError:
            error = attempt("sync", httpx, server.origin, transport=Untraced(named))
        assert isinstance(error, dalle2.OutcomeUnknownError)
        assert error.reason == "disconnected"
        assert len(server.billed) == 1


def fault(name: str) -> Fault:
    """A fault of the catalogue."""
    return next(one for one in FAULTS if one.name == name)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("connection refused", dalle2.APIConnectionError),
        ("name does not resolve", dalle2.APIConnectionError),
        ("connect timeout", dalle2.OutcomeUnknownError),
    ],
)
def test_without_events_a_cause_may_prove_something(name: str, kind: type[Exception]) -> None:
    """Connection refused and name not found come before anything is sent; a timeout can come after."""
    with scene(fault(name)) as (_, origin):
        error = attempt("sync", httpx, origin, transport=Untraced())
        assert type(error) is kind


@pytest.mark.parametrize(
    ("name", "kind", "billed"),
    [
        ("connection refused", dalle2.APIConnectionError, 0),
        ("name does not resolve", dalle2.APIConnectionError, 0),
        ("connect timeout", dalle2.OutcomeUnknownError, 0),
        ("TLS failure", dalle2.OutcomeUnknownError, 0),
        ("reset after the request was read", dalle2.OutcomeUnknownError, 1),
        ("closed after the request was read", dalle2.OutcomeUnknownError, 1),
        ("no answer", dalle2.OutcomeUnknownError, 1),
        ("silence in the body", dalle2.OutcomeUnknownError, 1),
        ("slow drip", dalle2.OutcomeUnknownError, 1),
        ("body cut, length said", dalle2.OutcomeUnknownError, 1),
        ("body cut, chunked", dalle2.OutcomeUnknownError, 1),
        ("gzip that is none", dalle2.OutcomeUnknownError, 1),
        ("not HTTP at all", dalle2.OutcomeUnknownError, 1),
        ("401", dalle2.AuthenticationError, 0),
        ("502 web page", dalle2.OutcomeUnknownError, 1),
        ("kept connection closed while idle", type(None), 1),
    ],
)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # aiohttp's own
def test_aiohttp_under_httpx_pays_once(name: str, kind: type[Exception], billed: int) -> None:
    """Its transport calls a lost answer `ConnectTimeout`, and its errors hold our key."""
    one = fault(name)

    async def work() -> BaseException | None:
        retry = RetryPolicy(initial=0.0, deadline=one.deadline)
        async with (
            HttpxAiohttpClient(timeout=0.3 if one.slow else 5.0) as http,
            dalle2.AsyncClient(KEY, base_url=origin, http_client=http, retry=retry) as client,
        ):
            try:
                await client.generate("a fox")
            except dalle2.Dalle2Error as error:
                return error
            return None

    with scene(one) as (server, origin):
        if one.warm:
            server.then(forever=one.act)
        error = anyio.run(work)
        assert type(error) is kind
        assert len(server.billed) == billed
    if error is not None:
        assert clean(error)
        assert KEY not in repr(error) + str(error.__dict__)


def test_a_certificate_that_aiohttp_does_not_trust_proves_that_nothing_was_sent() -> None:
    """Its cause says so: raised at once, with the way on, and the server has seen no request."""

    async def work() -> None:
        async with (
            HttpxAiohttpClient() as http,
            dalle2.AsyncClient(KEY, base_url=front.origin, http_client=http) as client,
        ):
            await client.generate("a fox")

    with FaultServer() as server, TlsFront(server.port) as front:
        with pytest.raises(dalle2.APIConnectionError, match="SSL_CERT_FILE") as untrusted:
            anyio.run(work)
        assert (server.requests, front.handshakes) == ([], 1)
    assert not untrusted.value.maybe_billed


def test_aiohttp_sends_no_cookie_to_an_image_host_if_it_keeps_none() -> None:
    """By itself it does, to another server of the same name; with the jar that the page shows it does not."""

    def with_cookie(c: Connection) -> None:
        c.read()
        c.reply(headers={"Set-Cookie": "seen=1; Path=/"})

    async def work(**options: Any) -> None:
        transport = AiohttpTransport(client=lambda: aiohttp.ClientSession(**options))
        async with (
            httpx.AsyncClient(transport=transport) as http,
            dalle2.AsyncClient(KEY, base_url=f"http://localhost:{api.port}", http_client=http) as client,
        ):
            await client.generate("a fox")
            await client.image(f"http://localhost:{store.port}/a.png").read()

    with FaultServer(then=with_cookie) as api, FaultServer() as store:
        anyio.run(work)
        anyio.run(lambda: work(cookie_jar=aiohttp.DummyCookieJar()))
        kept, none = store.requests
    assert (kept.headers.get("cookie"), none.headers.get("cookie")) == ("seen=1", None)
    assert "authorization" not in {*kept.headers, *none.headers}


def test_what_aiohttp_calls_a_timeout_is_told_by_its_cause() -> None:
    """A connection that was refused is no timeout, though it comes as `ConnectTimeout`."""

    async def work() -> None:
        async with (
            HttpxAiohttpClient() as http,
            dalle2.AsyncClient(KEY, base_url=origin, http_client=http, retry=RetryPolicy.none()) as client,
        ):
            await client.image(f"{origin}/a.png").read()

    with scene(fault("connection refused")) as (_, origin), pytest.raises(dalle2.DownloadError) as refused:
        anyio.run(work)
    assert refused.value.reason == "unreachable"


def drip_head(c: Connection) -> None:
    """A head that comes byte by byte."""
    c.read()
    c.drip(b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 500)


def silent_body(c: Connection) -> None:
    """A body that stops after its first bytes."""
    c.read()
    c.reply(upto=8)
    c.server.stopping.wait(0.15)
    c.send(c.good_body()[8:9])
    c.hold()


@pytest.mark.parametrize("act", [drip_head, silent_body])
def test_the_deadline_bounds_a_transport_that_nobody_can_attend_to(act: Any) -> None:
    """An awaited one is cancelled shortly after."""

    async def work() -> None:
        retry = RetryPolicy(max_attempts=1, deadline=0.2)
        async with (
            HttpxAiohttpClient(timeout=5.0) as http,
            dalle2.AsyncClient(KEY, base_url=server.origin, http_client=http, retry=retry) as client,
        ):
            await client.generate("a fox")

    with FaultServer() as server:
        server.then(forever=act)
        with pytest.raises(dalle2.OutcomeUnknownError) as unknown:
            anyio.run(work)
    assert unknown.value.reason == "timeout"


def test_a_pool_without_a_free_connection_has_sent_nothing() -> None:
    """httpcore tells no event before a connection is there; its own exception is the proof."""
    watch = Watch()
    watch.offer()
    try:
        try:
            raise httpcore.PoolTimeout
        except httpcore.PoolTimeout as inner:
            raise httpx.PoolTimeout("") from inner
    except httpx.PoolTimeout as error:
        assert failure_of(httpx, watch, error)[:3] == ("connect_timeout", False, "PoolTimeout")
    assert failure_of(httpx, watch, httpx.PoolTimeout("")).sent


def test_each_end_of_a_chain_has_to_prove_it() -> None:
    """Of several addresses all were refused; one other end is a doubt."""
    watch = Watch()
    watch.offer()

    def failed(*causes: OSError) -> bool:
        error = httpx.ConnectError("all failed")
        error.__cause__ = ExceptionGroup("several", list(causes))
        return failure_of(httpx, watch, error).sent

    assert not failed(ConnectionRefusedError(), socket.gaierror())
    assert failed(ConnectionRefusedError(), ConnectionResetError())
    distrust = ssl.SSLCertVerificationError()
    distrust.verify_code, distrust.verify_message = 10, "certificate has expired"
    error = httpx.ConnectError("x")
    error.__cause__ = distrust
    assert failure_of(httpx, watch, error)[:3] == (
        "untrusted",
        False,
        "its certificate is not valid (certificate has expired)",
    )


def test_a_chain_that_bites_its_tail_proves_nothing() -> None:
    """Nobody forbids it, and it has no end that could prove something."""
    watch = Watch()
    watch.offer()
    looped = httpx.ConnectError("x")
    looped.__cause__ = looped
    assert failure_of(httpx, watch, looped).sent
    first, second = ValueError("a"), ValueError("b")
    first.__cause__, second.__cause__ = second, first
    assert list(chain(first)) == [first, second]
    assert list(chain(first, second)) == [first]


# --- hooks ---


def hooked(flavour: str, kind: str, hook: Any) -> dict[str, Any]:
    """A client's arguments with this hook, awaited where it must be."""
    if flavour == "sync":
        return {"event_hooks": {kind: [hook]}}

    async def awaited(value: Any) -> None:
        if hook is read:
            await value.aread()
        elif hook is drain:
            async for _ in value.aiter_raw():
                pass
        else:
            hook(value)

    return {"event_hooks": {kind: [awaited]}}


def read(response: Any) -> None:
    """A hook that logs bodies."""
    response.read()


def drain(response: Any) -> None:
    """A hook that takes the body and keeps nothing."""
    for _ in response.iter_raw():
        pass


def raise_for_status(response: Any) -> None:
    """A hook that raises for a status."""
    response.raise_for_status()


class Own(Exception):
    """A caller's exception."""


def raise_own(response: Any) -> None:
    """A hook that raises an exception of the caller's for a status."""
    if response.status_code >= 300:
        raise Own("the caller's")


def raise_always(value: Any) -> None:
    """A hook with a fault of its own."""
    raise Own("the caller's")


def read_request(request: Any) -> None:
    """A hook that logs requests."""
    assert request.content == request.read()


@every_client
@every_library
@pytest.mark.parametrize(("kind", "hook"), [("response", read), ("request", read_request)])
def test_a_hook_that_reads_takes_nothing_away(kind: str, hook: Any, library: Any, flavour: str) -> None:
    """The answer is what it has read: of a call, of a refusal, of a download, and packed or not."""
    options = hooked(flavour, kind, hook)
    with FaultServer() as server:
        assert len(attempt(flavour, library, server.origin, **options)) == 1
        assert attempt(flavour, library, server.origin, "download", **options) == IMAGE
        quota = {"message": "No.", "type": "insufficient_quota", "code": "insufficient_quota"}
        server.then(forever=refusal(429, quota))
        error = attempt(flavour, library, server.origin, **options)
        assert isinstance(error, dalle2.QuotaExceededError)


@every_client
@every_library
def test_a_hook_that_takes_the_body_away_is_told(library: Any, flavour: str) -> None:
    """Nobody can read it again: at once, and without a second POST; a status is told all the same."""
    options = hooked(flavour, "response", drain)
    with FaultServer() as server:
        error = attempt(flavour, library, server.origin, **options)
        assert isinstance(error, dalle2.OutcomeUnknownError)
        assert error.reason == "unreadable"
        assert len(server.billed) == 1
        server.then(forever=refusal(401, {"message": "No.", "type": "x"}))
        assert isinstance(attempt(flavour, library, server.origin, **options), dalle2.AuthenticationError)


@every_client
@every_library
@pytest.mark.parametrize("hook", [raise_for_status, raise_own])
def test_a_hook_that_raises_for_a_status_hides_no_answer(hook: Any, library: Any, flavour: str) -> None:
    """A 401 stays a 401, a 404 of a store a 404, and a gateway's page an unknown outcome."""
    options = hooked(flavour, "response", hook)
    with FaultServer() as server:
        server.then(forever=refusal(401, {"message": "No.", "type": "x"}))
        error = attempt(flavour, library, server.origin, **options)
        assert isinstance(error, dalle2.AuthenticationError)
        assert clean(error)
        assert len(server.requests) == 1
        server.then(forever=body_of(404, b"<Error/>"))
        error = attempt(flavour, library, server.origin, "download", **options)
        assert (type(error), error.status_code) == (dalle2.DownloadError, 404)
        server.then(forever=body_of(502, PAGE))
        error = attempt(flavour, library, server.origin, **options)
        assert isinstance(error, dalle2.OutcomeUnknownError)
        assert len(server.billed) == 1
        server.then(forever=good)
        assert len(attempt(flavour, library, server.origin, **options)) == 1


@every_client
@every_library
def test_a_hook_with_a_fault_of_its_own(library: Any, flavour: str) -> None:
    """Before the request it is the caller's to know, and nothing was sent; after it, the outcome is open."""
    with FaultServer() as server:
        error = attempt(flavour, library, server.origin, **hooked(flavour, "request", raise_always))
        assert isinstance(error, Own)
        assert not server.requests
        error = attempt(flavour, library, server.origin, **hooked(flavour, "response", raise_always))
        assert isinstance(error, dalle2.OutcomeUnknownError)
        assert len(server.billed) == 1


@every_library
def test_a_redirect_that_cannot_be_read_is_a_redirect(library: Any) -> None:
    """A client stumbles over where it points to, although it must not follow."""

    def act(c: Connection) -> None:
        c.read(bill=False)
        c.reply(302, b"", headers={"Location": "http://[::1"})

    with FaultServer() as server:
        server.then(forever=act)
        error = attempt("sync", library, server.origin)
        assert (type(error), error.status_code) == (dalle2.APIStatusError, 302)
        assert len(server.requests) == 1


# --- whose exception it is ---


@contextmanager
def alarm(handler: Any) -> Iterator[None]:
    """With this handler for a signal."""
    before = signal.signal(signal.SIGUSR1, handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGUSR1, before)


class Ringing:
    """A handler that is no function."""

    def __call__(self, *args: object) -> None:
        """Ring."""
        raise TimeoutError("enough")

    def ring(self, *args: object) -> None:
        """A method that is one."""
        raise TimeoutError("enough")


def ring(*args: object) -> None:
    """A handler that raises what many do."""
    raise TimeoutError("enough")


@pytest.mark.parametrize(
    "handler",
    [ring, Ringing(), Ringing().ring, functools.partial(ring, 1)],
    ids=["function", "object", "method", "partial"],
)
def test_what_a_signal_handler_raises_goes_on(handler: Any) -> None:
    """Also one that the library took for a timeout of its own."""
    watch = Watch()
    with alarm(handler):
        try:
            try:
                handler(signal.SIGUSR1, None)
            except TimeoutError as inner:
                raise httpx.ReadTimeout("") from inner
        except httpx.ReadTimeout as error:
            found = raised_by_handler(error)
            assert found is error.__cause__
            assert judge(httpx, watch, error) is found
    assert raised_by_handler(TimeoutError()) is None
    with alarm(print):
        assert raised_by_handler(TimeoutError()) is None


odd_errors = pytest.mark.parametrize(
    "error", [ssl.SSLError("late"), NotImplementedError(), ValueError("odd"), Own("mine")]
)


class AllMockedAssertionError(AssertionError):
    """As respx raises it."""


class SocketBlockedError(RuntimeError):
    """As pytest-socket raises it."""

    __module__ = "pytest_socket"


@every_client
@pytest.mark.parametrize("error", [AllMockedAssertionError("not mocked"), SocketBlockedError("no sockets")])
def test_a_test_tools_own_error_passes_through(error: Exception, flavour: str) -> None:
    """It is about the test."""

    def handle(request: Any) -> Any:
        raise error

    found = attempt(flavour, httpx, "http://api.example", transport=httpx.MockTransport(handle))
    assert found is error or isinstance(error, SocketBlockedError)


@every_client
@pytest.mark.parametrize(
    "error", [ssl.SSLError("late"), NotImplementedError(), ValueError("odd"), Own("mine")]
)
def test_what_a_transport_raises_is_an_unknown_outcome(error: Exception, flavour: str) -> None:
    """No exception of another's reaches the caller once a paid call may have left."""

    def handle(request: Any) -> Any:
        raise error

    found = attempt(flavour, httpx, "http://api.example", transport=httpx.MockTransport(handle))
    assert isinstance(found, dalle2.OutcomeUnknownError)
    assert clean(found)


@every_client
@pytest.mark.parametrize(
    "error", [ssl.SSLError("late"), NotImplementedError(), ValueError("odd"), Own("mine")]
)
def test_what_a_body_raises_is_an_unknown_outcome(error: Exception, flavour: str) -> None:
    """While the answer is arriving, as well."""

    class Broken(httpx.SyncByteStream, httpx.AsyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            raise error

        def __aiter__(self) -> Any:
            return self

        async def __anext__(self) -> bytes:
            raise error

        def close(self) -> None:
            raise error

        async def aclose(self) -> None:
            raise error

    transport = httpx.MockTransport(lambda request: httpx.Response(200, stream=Broken()))
    found = attempt(flavour, httpx, "http://api.example", transport=transport)
    assert isinstance(found, dalle2.OutcomeUnknownError)
    assert clean(found)


@every_client
@pytest.mark.parametrize("host", ["a" * 64 + ".example", "xn--a.example", "a..example"])
def test_a_host_name_that_cannot_be_looked_up_was_not_reached(host: str, flavour: str) -> None:
    """One attempt, and our own error."""
    told: list[Any] = []

    async def work() -> None:
        async with dalle2.AsyncClient(KEY, base_url=f"http://{host}/v1", on_event=told.append) as client:
            await client.generate("a fox")

    with pytest.raises((dalle2.APIConnectionError, dalle2.ConfigurationError)) as caught:
        if flavour == "sync":
            with dalle2.Client(KEY, base_url=f"http://{host}/v1", on_event=told.append) as client:
                client.generate("a fox")
        else:
            anyio.run(work, backend=flavour)
    assert clean(caught.value)
