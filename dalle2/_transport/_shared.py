"""The only place that knows httpx (and its twin httpx2): one exchange, and what went wrong in it.

What it decides: whether a request that failed had left whole. httpx alone cannot tell (a failed write and a lost answer look the
same), its `trace` events can. A failure becomes a plain `Failure`, raised outside the handler that caught it, so that no
exception of the library, which holds the request and its key, hangs on ours.

Requests are built whole and sent as they are: none of a client's headers, cookies or credentials join a request to an image
host, be it our own client or the caller's. A caller's client adds its defaults to API requests only.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

import attrs

from .._http import Failure, FailureKind, Form, HttpRequest, Secret, Timeouts
from ..errors import ConfigurationError

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


def no_tls() -> ssl.SSLContext:
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


def flat(headers: httpx.Headers) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def host_of(url: str) -> tuple[str, str]:
    scheme, _, rest = url.partition("://")
    authority = rest.partition("/")[0].partition("?")[0].rpartition("@")[2]
    if authority.startswith("["):
        return scheme.lower(), authority[1:].partition("]")[0].lower()
    return scheme.lower(), authority.partition(":")[0].lower()
