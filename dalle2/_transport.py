"""The only place that knows httpx (and its twin httpx2): one exchange, and what went wrong in it.

What it decides: whether a request that failed had left whole. httpx alone cannot tell (a failed write and a lost answer look the
same), its `trace` events can. A failure becomes a plain `Failure`, raised outside the handler that caught it, so that no
exception of the library, which holds the request and its key, hangs on ours.

Requests are built whole and sent as they are: none of a client's headers, cookies or credentials join a request to an image
host, be it our own client or the caller's. A caller's client adds its defaults to API requests only.
"""

from __future__ import annotations

import importlib
import os
import socket
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

import attrs

from ._http import Failure, FailureKind, Form, HttpRequest, Secret, Timeouts, TransportError
from .errors import ConfigurationError

if TYPE_CHECKING:
    import ssl
    from types import ModuleType

    import httpx

Guard: TypeAlias = Callable[[str], str | None]
"""Takes the address that a name resolved to, gives the reason to refuse it or `None`."""


class HttpClient(Protocol):
    """An `httpx.Client` or `httpx2.Client`."""

    @property
    def is_closed(self) -> bool: ...
    def close(self) -> None: ...


class AsyncHttpClient(Protocol):
    """An `httpx.AsyncClient` or `httpx2.AsyncClient`."""

    @property
    def is_closed(self) -> bool: ...
    async def aclose(self) -> None: ...


_contexts: dict[tuple[str | None, ...], ssl.SSLContext] = {}


def tls_context(lib: ModuleType) -> ssl.SSLContext:
    """The process's one TLS context, built at the first https contact: it costs more than many calls."""
    names = tuple(os.environ.get(name) for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE"))
    if names not in _contexts:
        _contexts[names] = lib.create_ssl_context()
    return _contexts[names]


def _no_tls() -> ssl.SSLContext:
    """A context that trusts nobody, for clients that speak plain http: httpx would build a full one."""
    import ssl

    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def library_of(client: object, kind: Literal["Client", "AsyncClient"]) -> ModuleType:
    """The library that a caller's client comes from. Raises `ConfigurationError` for the wrong kind."""
    for base in type(client).__mro__:
        root = base.__module__.partition(".")[0]
        if root in ("httpx", "httpx2") and base.__name__ in ("Client", "AsyncClient"):
            if base.__name__ == kind:
                return sys.modules[root]
            ours = "AsyncClient" if kind == "Client" else "Client"
            raise ConfigurationError(
                f"http_client is an {root}.{base.__name__}, this client needs an {root}.{kind}: "
                f"give it one, or use dalle2.{ours}"
            )
    raise ConfigurationError(
        f"http_client must be an httpx.{kind} (or httpx2.{kind}); it is {type(client).__name__}"
    )


class Watch:
    """What the trace events of one request told."""

    __slots__ = ("_dialled", "guard", "host", "peer", "seen", "whole")

    def __init__(self, host: str, guard: Guard | None) -> None:
        self.host = host
        self.guard = guard
        self.seen = False
        self.whole = False
        self.peer: str | None = None
        self._dialled = ""

    def event(self, name: str, info: Mapping[str, object]) -> str | None:
        """Take one event; gives the reason to refuse the connection just made, if there is one."""
        self.seen = True
        if name.endswith("send_request_headers.started"):
            self.whole = False  # a proxy's CONNECT comes first and is traced alike
        elif name.endswith("send_request_body.complete"):
            self.whole = True
        elif name == "connection.connect_tcp.started":
            self._dialled = str(info.get("host", ""))
        elif name == "connection.connect_tcp.complete":
            return self._connected(info["return_value"])
        return None

    def _connected(self, stream: object) -> str | None:
        get = getattr(stream, "get_extra_info", lambda name: None)
        raw = get("socket")
        if raw is not None:  # so that a quiet NAT does not drop a long generation
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if self._dialled.strip("[]").lower() != self.host:
            return None  # a proxy: it does its own policing
        address = get("server_addr")
        self.peer = str(address[0]) if isinstance(address, tuple) else None
        return self.guard(self.peer) if self.guard is not None and self.peer else None

    def failure(self, lib: ModuleType, error: Exception) -> Failure:
        """What an exception of the library means."""
        detail = str(error) or type(error).__name__
        kind: FailureKind
        if isinstance(error, (lib.ConnectTimeout, lib.PoolTimeout)):
            return Failure("connect_timeout", False, detail)
        if isinstance(
            error,
            (
                lib.ConnectError,
                lib.ProxyError,
                lib.UnsupportedProtocol,
                lib.LocalProtocolError,
                lib.InvalidURL,
            ),
        ):
            return Failure("connect", False, detail)
        if isinstance(error, lib.TimeoutException):
            kind = "timeout"
        elif isinstance(error, lib.DecodingError):
            return Failure("unreadable", True, detail)
        else:
            kind = "disconnected"
        return Failure(kind, not self.seen or self.whole, detail)


def _plain(value: str | Secret) -> str:
    return value.reveal() if isinstance(value, Secret) else value


def build(
    lib: ModuleType, request: HttpRequest, timeouts: Timeouts, trace: object, client: object = None
) -> httpx.Request:
    """The library's request. With `client`, its default headers, cookies and parameters join in."""
    body = {"content": request.content} if request.content is not None else _multipart(request.form)
    made: httpx.Request = (lib.Request if client is None else client.build_request)(  # type: ignore[attr-defined]
        request.method,
        request.url,
        headers=[(name, _plain(value)) for name, value in request.headers],
        extensions={"timeout": attrs.asdict(timeouts), "trace": trace},
        **body,
    )
    return made


def _multipart(form: Form | None) -> dict[str, object]:
    if form is None:
        return {}
    files = [(part.name, (part.filename, part.data, part.content_type)) for part in form.files]
    return {"data": dict(form.fields), "files": files}


def _flat(headers: httpx.Headers) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _host(url: str) -> tuple[str, str]:
    scheme, _, rest = url.partition("://")
    authority = rest.partition("/")[0].partition("?")[0].rpartition("@")[2]
    if authority.startswith("["):
        return scheme.lower(), authority[1:].partition("]")[0].lower()
    return scheme.lower(), authority.partition(":")[0].lower()


class _Base:
    """What both transports decide alike."""

    kind: Literal["Client", "AsyncClient"]

    def __init__(self, client: object = None) -> None:
        self.lib: ModuleType | None = None if client is None else library_of(client, self.kind)
        self.client = client
        self.closed = False
        self.peer: str | None = None

    def default_timeouts(self) -> Timeouts | None:
        """The timeouts of the caller's client if they were set, else `None`."""
        theirs = getattr(self.client, "timeout", None)
        if theirs is None or self.lib is None or theirs == self.lib.Timeout(5.0):
            return None
        return Timeouts(theirs.connect, theirs.read, theirs.write, theirs.pool)

    def usable(self) -> bool:
        """Whether requests can still be sent."""
        return not self.closed and not getattr(self.client, "is_closed", False)

    def _library(self) -> ModuleType:
        if not self.usable():
            raise ConfigurationError("this client is closed: make a new one")
        if self.lib is None:
            self.lib = importlib.import_module("httpx")
        return self.lib

    def _new(self, lib: ModuleType, scheme: str) -> httpx.Client | httpx.AsyncClient:
        limits = lib.Limits(max_connections=256, max_keepalive_connections=32, keepalive_expiry=5.0)
        verify = tls_context(lib) if scheme == "https" else _no_tls()
        client: httpx.Client | httpx.AsyncClient = getattr(lib, self.kind)(
            verify=verify, limits=limits, timeout=None, follow_redirects=False
        )
        return client


class Answer:
    """An answer whose body is still to come: iterate it for the decoded bytes, once; leave the `with` to close it."""

    def __init__(self, response: httpx.Response, lib: ModuleType, watch: Watch) -> None:
        self._response = response
        self._lib = lib
        self._watch = watch
        self.status = response.status_code
        self.headers = _flat(response.headers)

    def __enter__(self) -> Answer:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._response.close()

    @property
    def received(self) -> int:
        """Bytes of the body that came, before any decoding."""
        return self._response.num_bytes_downloaded

    def __iter__(self) -> Iterator[bytes]:
        lib = self._lib
        try:
            yield from self._response.iter_bytes()
            return
        except (lib.HTTPError, lib.StreamError) as error:
            failure = attrs.evolve(self._watch.failure(lib, error), sent=True)
        raise TransportError(failure)


class Transport(_Base):
    """Blocking exchanges, over a client of our own or the caller's."""

    kind = "Client"

    def __init__(self, client: HttpClient | None = None) -> None:
        super().__init__(client)
        self._own: dict[tuple[int, str], httpx.Client] = {}

    def open(
        self, request: HttpRequest, timeouts: Timeouts, *, api: bool, guard: Guard | None = None
    ) -> Answer:
        """Send a request; gives the answer once its headers are here. Raises `TransportError`."""
        lib = self._library()
        scheme, host = _host(request.url)
        watch = Watch(host, guard)

        def trace(name: str, info: Mapping[str, object]) -> None:
            refused = watch.event(name, info)
            if refused is not None:
                info["return_value"].close()  # type: ignore[attr-defined]
                raise TransportError(Failure("refused_address", False, refused))

        try:
            client = self._client_for(lib, scheme)
            made = build(lib, request, timeouts, trace, self.client if api else None)
            auth = {} if api and self.client is not None else {"auth": None}
            response = client.send(made, stream=True, follow_redirects=False, **auth)
        except (lib.HTTPError, lib.InvalidURL, lib.StreamError) as error:
            failure = watch.failure(lib, error)
        else:
            self.peer = watch.peer or self.peer if api else self.peer
            return Answer(response, lib, watch)
        raise TransportError(failure)

    def _client_for(self, lib: ModuleType, scheme: str) -> httpx.Client:
        if self.client is not None:
            return self.client  # type: ignore[return-value]
        key = os.getpid(), scheme
        client = self._own.get(key)
        if client is None:
            made = self._own.setdefault(key, self._new(lib, scheme))  # type: ignore[arg-type]
            return made
        return client

    def close(self) -> None:
        """Close the connections of our own; a caller's client is left as it is."""
        self.closed = True
        own, self._own = self._own, {}
        for (pid, _), client in own.items():
            if pid == os.getpid():
                client.close()


class AsyncAnswer:
    """`Answer`, awaited."""

    def __init__(self, response: httpx.Response, lib: ModuleType, watch: Watch) -> None:
        self._response = response
        self._lib = lib
        self._watch = watch
        self.status = response.status_code
        self.headers = _flat(response.headers)

    async def __aenter__(self) -> AsyncAnswer:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._response.aclose()

    @property
    def received(self) -> int:
        """Bytes of the body that came, before any decoding."""
        return self._response.num_bytes_downloaded

    async def __aiter__(self) -> AsyncIterator[bytes]:
        lib = self._lib
        try:
            async for chunk in self._response.aiter_bytes():
                yield chunk
            return
        except (lib.HTTPError, lib.StreamError) as error:
            failure = attrs.evolve(self._watch.failure(lib, error), sent=True)
        raise TransportError(failure)


class AsyncTransport(_Base):
    """`Transport`, awaited. Our own clients belong to the event loop that made them; a new loop gets new ones."""

    kind = "AsyncClient"

    def __init__(self, client: AsyncHttpClient | None = None) -> None:
        super().__init__(client)
        self._own: dict[tuple[int, object, str], httpx.AsyncClient] = {}

    async def open(
        self, request: HttpRequest, timeouts: Timeouts, *, api: bool, guard: Guard | None = None
    ) -> AsyncAnswer:
        """`Transport.open`, awaited."""
        lib = self._library()
        scheme, host = _host(request.url)
        watch = Watch(host, guard)

        async def trace(name: str, info: Mapping[str, object]) -> None:
            refused = watch.event(name, info)
            if refused is not None:
                await info["return_value"].aclose()  # type: ignore[attr-defined]
                raise TransportError(Failure("refused_address", False, refused))

        try:
            client = self._client_for(lib, scheme)
            made = build(lib, request, timeouts, trace, self.client if api else None)
            auth = {} if api and self.client is not None else {"auth": None}
            response = await client.send(made, stream=True, follow_redirects=False, **auth)
        except (lib.HTTPError, lib.InvalidURL, lib.StreamError) as error:
            failure = watch.failure(lib, error)
        else:
            self.peer = watch.peer or self.peer if api else self.peer
            return AsyncAnswer(response, lib, watch)
        raise TransportError(failure)

    def _client_for(self, lib: ModuleType, scheme: str) -> httpx.AsyncClient:
        if self.client is not None:
            return self.client  # type: ignore[return-value]
        loop = _current_loop()
        if any(known[1] is not loop for known in self._own):
            self._own = {key: client for key, client in self._own.items() if key[1] is loop}
        key = os.getpid(), loop, scheme
        if key not in self._own:
            self._own[key] = self._new(lib, scheme)  # type: ignore[assignment]
        return self._own[key]

    async def aclose(self) -> None:
        """Close the connections of our own that belong to the running loop."""
        self.closed = True
        own, self._own = self._own, {}
        for (pid, loop, _), client in own.items():
            if pid == os.getpid() and loop is _current_loop():
                await client.aclose()


def _current_loop() -> object:
    """An object that stands for the running event loop, asyncio's or trio's."""
    try:
        import asyncio

        return asyncio.get_running_loop()
    except RuntimeError:
        trio = sys.modules.get("trio")
        if trio is None:
            raise
        token: object = trio.lowlevel.current_trio_token()
        return token
