"""The only place that knows httpx (and its twin httpx2): one exchange, and what went wrong in it.

What it decides: whether a request that failed had left whole. httpx alone cannot tell (a failed write and a
lost answer look the same), its `trace` events can. A failure becomes a plain `Failure`, raised outside the
handler that caught it, so that no exception of the library, which holds the request and its key, hangs on
ours.

It also decides whether the address that a name turned out to have may be talked to: the guard is asked at the
moment of connecting, with the address of the connection itself, so there is no second look-up that could say
something else.

Requests are built whole and sent as they are: none of a client's headers, cookies or credentials join a
request to an image host, be it our own client or the caller's. A caller's client adds its defaults to API
requests only.
"""

from __future__ import annotations

import os
import socket
import sys
from typing import TYPE_CHECKING

from .._http import Departure, Failure
from .._secrets import Secret
from ..errors import ConfigurationError

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Mapping
    from types import ModuleType
    from typing import Literal, Protocol, TypeAlias

    import httpx

    from .._http import FailureKind, Form, HttpRequest, Timeouts

    Guard: TypeAlias = "Callable[[str], str | None]"
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
        try:
            _contexts[names] = lib.create_ssl_context()
        except OSError as problem:
            reason = str(problem)
        else:
            return _contexts[names]
        raise ConfigurationError(
            f"the trusted certificates cannot be read ({reason}): check SSL_CERT_FILE and SSL_CERT_DIR"
        )
    return _contexts[names]


def no_tls() -> ssl.SSLContext:
    """A context that trusts nobody, for clients that speak plain http: httpx would build a full one each."""
    import ssl

    if () not in _contexts:
        _contexts[()] = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return _contexts[()]


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


_TELLING = frozenset(
    {
        *(
            f"{protocol}.{step}"
            for protocol in ("http11", "http2")
            for step in (
                "send_request_headers.started",
                "send_request_body.started",
                "send_request_body.complete",
            )
        ),
        "connection.connect_tcp.started",
        "connection.connect_tcp.complete",
    }
)
"""The trace events that decide something: five of some twenty."""


class Watch:
    """What the trace events of one request told."""

    __slots__ = ("_departure", "_dialled", "_tunnel", "guard", "host", "peer", "seen", "whole")

    def __init__(self, guard: Guard | None, departure: Departure | None = None) -> None:
        self._departure = Departure() if departure is None else departure
        self.host = ""
        self.guard = guard
        self.seen = False
        self.whole = False
        self.peer: str | None = None
        self._dialled = ""
        self._tunnel = False

    def event(self, name: str, info: Mapping[str, object]) -> Failure | None:
        """Take one event; gives the reason to give up the connection just made, if there is one."""
        if not self.seen:
            self.seen = True
            self._departure.left = False
        if name not in _TELLING:
            return None
        step = name.partition(".")[2]  # behind "http11." or "http2."
        if step == "send_request_headers.started":
            self.whole = False
        elif step == "send_request_body.started":  # a proxy's CONNECT comes first and is traced alike
            self._tunnel = getattr(info.get("request"), "method", b"") == b"CONNECT"
            self._departure.left = (
                not self._tunnel
            )  # an interrupt can fall between the last byte and its event
        elif step == "send_request_body.complete":
            self.whole = not self._tunnel
        elif step == "connect_tcp.started":
            self._dialled = str(info.get("host", ""))
        else:
            return self._connected(info["return_value"])
        return None

    def sending(self, *, told: bool) -> None:
        """The request is handed over; `told`: by events, as a transport that is not the library's may not."""
        self._departure.left = not told

    def _connected(self, stream: object) -> Failure | None:
        get = getattr(stream, "get_extra_info", lambda name: None)
        try:
            raw = get("socket")
            if raw is not None:  # so that a quiet NAT does not drop a long generation
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            address = get("server_addr")
        except OSError as error:
            return Failure("connect", False, f"the connection broke at once: {error}")
        if self._dialled.strip("[]").lower() != self.host:
            return None  # a proxy: it does its own policing
        self.peer = str(address[0]) if isinstance(address, tuple) else None
        if self.guard is None or self.peer is None:
            return None
        refused = self.guard(self.peer)
        return None if refused is None else Failure("refused_address", False, refused)

    def failure(self, lib: ModuleType, error: Exception) -> Failure:
        """What an exception of the library means."""
        detail = str(error) or type(error).__name__
        kind: FailureKind
        if isinstance(error, (lib.ConnectTimeout, lib.PoolTimeout)):
            return Failure("connect_timeout", False, detail)
        if isinstance(error, (lib.InvalidURL, lib.UnsupportedProtocol)):
            return Failure("refused_address", False, detail)
        if isinstance(error, (lib.ConnectError, lib.ProxyError, lib.LocalProtocolError)):
            return Failure("connect", False, detail)
        if isinstance(error, lib.TimeoutException):
            kind = "timeout"
        elif isinstance(error, lib.DecodingError):
            return Failure("unreadable", True, detail)
        else:
            kind = "disconnected"
        return Failure(kind, not self.seen or self.whole, detail)


def tells(lib: ModuleType, client: object, url: object) -> bool:
    """Whether what carries the requests of a caller's client is the library's own, which tells each step."""
    find = getattr(client, "_transport_for_url", None)
    return find is not None and type(find(url)) in (lib.HTTPTransport, lib.AsyncHTTPTransport)


def _plain(value: str | Secret) -> str:
    return value.reveal() if isinstance(value, Secret) else value


def build(
    lib: ModuleType, request: HttpRequest, timeouts: Timeouts, trace: object, watch: Watch, client: object
) -> httpx.Request:
    """The library's request. With `client`, its default headers, cookies and parameters join in."""
    headers = [(name, _plain(value)) for name, value in request.headers]
    extensions = {"timeout": timeouts._asdict(), "trace": trace}
    made: httpx.Request
    if client is None and request.form is None:
        url = _parsed(lib, request.url) if request.method == "POST" else lib.URL(request.url)
        content = request.content or b""
        made = lib.Request(
            request.method,
            url,
            headers=_completed(headers, url, content, request.method),
            stream=lib.ByteStream(content),
            extensions=extensions,
        )
    else:
        body = {"content": request.content} if request.form is None else _multipart(request.form)
        made = (lib.Request if client is None else client.build_request)(  # type: ignore[attr-defined]
            request.method, request.url, headers=headers, extensions=extensions, **body
        )
    watch.host = made.url.raw_host.decode("ascii").lower()
    return made


def _completed(
    headers: list[tuple[str, str]], url: httpx.URL, content: bytes, method: str
) -> list[tuple[str, str]]:
    """With what the library would add after looking at everything: the host, and the length of a body."""
    given = {name.lower() for name, _ in headers}
    if "host" not in given:
        headers.insert(0, ("Host", url.netloc.decode("ascii")))
    if "content-length" not in given and (content or method == "POST"):
        headers.append(("Content-Length", str(len(content))))
    return headers


_parsed_urls: dict[tuple[ModuleType, str], httpx.URL] = {}


def _parsed(lib: ModuleType, url: str) -> httpx.URL:
    """A URL of the API, parsed once: a client posts to the same few again and again."""
    kept = _parsed_urls.get((lib, url))
    if kept is None:
        if len(_parsed_urls) >= 16:
            _parsed_urls.clear()
        kept = _parsed_urls[lib, url] = lib.URL(url)
    return kept


def as_written(lib: ModuleType, made: httpx.Request, url: str) -> None:
    """Let the request ask for the path and query as they stand in `url`: the library would normalise them."""
    rest = url.partition("#")[0].partition("://")[2]
    cut = min((at for at in map(rest.find, "/?") if at >= 0), default=len(rest))
    target = rest[cut:] if rest[cut : cut + 1] == "/" else "/" + rest[cut:]
    if not target.isascii() or not target.isprintable() or " " in target:
        return  # not sendable as it is
    raw = target.encode("ascii")
    if made.url.raw_path != raw:
        made.url = type("AsWritten", (lib.URL,), {"raw_path": raw})(made.url)


def _multipart(form: Form) -> dict[str, object]:
    files = [(part.name, (part.filename, part.data, part.content_type)) for part in form.files]
    return {"data": dict(form.fields), "files": files}


def flat(headers: httpx.Headers) -> dict[str, str]:
    """Headers with lower-case names; of several lines with one name, their values joined."""
    found: dict[str, str] = {}
    for raw_name, raw in headers.raw:
        name = raw_name.lower().decode("ascii", "replace")
        try:
            value = raw.decode()
        except UnicodeDecodeError:
            value = raw.decode("latin-1")
        found[name] = f"{found[name]}, {value}" if name in found else value
    return found
