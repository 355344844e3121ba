"""What carries the requests on connections of our own: httpcore, on which httpx stands, or httpx itself.

The rule: httpcore's connections, without httpx around them and without the pool inside of it. httpx adds
redirects, cookies, authentication and a log line, which no request of ours uses, and loading it is a quarter
of a short program. Where somebody hooks into httpx's transports to see each call (OpenTelemetry does, and
tools for tests do), the calls go through these; so they do where httpcore is not as it is known here.
"""

from __future__ import annotations

import copy
import functools
import importlib
import os
import sys
from contextlib import suppress
from types import FunctionType
from typing import TYPE_CHECKING, Any, TypeAlias

from .._http import origin_of
from ._pools import IDLE, MOST_SLOTS, Living, hang_up

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable
    from types import ModuleType
    from typing import Literal

    from ._proxies import Named

    Kind: TypeAlias = Literal["Client", "AsyncClient"]

CORE = "httpcore"
CONNECTIONS = 2
"""Of a slot: to the API, and to where its images are."""
_PARTS = {
    "Client": ("HTTPTransport", "handle_request", ""),
    "AsyncClient": ("AsyncHTTPTransport", "handle_async_request", "Async"),
}
"""Of a kind of client: httpx's transport, its one method, and how httpcore's classes begin."""
_MAKES = "create_connection"


def engine(kind: Kind) -> ModuleType:
    """httpcore; or httpx, where its transports for this kind of client are hooked into."""
    core = None if _hooked(kind) else _core()
    return importlib.import_module("httpx") if core is None else core


def _core() -> ModuleType | None:
    """httpcore, if it is as it is known here."""
    with suppress(ImportError):
        core = importlib.import_module(CORE)
        if hasattr(core, "ConnectionNotAvailable") and hasattr(core.ConnectionPool, _MAKES):
            return core
    return None


def _hooked(kind: Kind) -> bool:
    """Whether the transport is made or used by other functions than its own.

    They cannot be there before httpx is loaded.
    """
    name, method, _ = _PARTS[kind]
    transport = getattr(sys.modules.get("httpx"), name, None)
    if transport is None:
        return False
    parts = vars(transport)
    return "__new__" in parts or not (_of_httpx(parts.get(method)) and _of_httpx(parts.get("__init__")))


def _of_httpx(function: object) -> bool:
    """Whether it is a plain function that stands in httpx: what wraps one shows its name, but is none."""
    if type(function) is not FunctionType:
        return False
    return str(function.__globals__.get("__name__")).startswith("httpx.")


def maker(lib: ModuleType, kind: Kind, scheme: str, proxy: Named | None) -> Callable[[Living[Any]], Any]:
    """Makes the transports of slots. Raises `ConfigurationError`."""
    context = _tls() if scheme == "https" else _no_tls()
    if lib.__name__ == CORE:
        pool = _pool(lib, _PARTS[kind][2], context, proxy)
        return lambda crowd: Direct(pool, lib.ConnectionNotAvailable, crowd)
    new = functools.partial(_new_transport, lib, _PARTS[kind][0], context, proxy)
    first, core = new(), _core()
    pool = getattr(first, "_pool", None)
    if core is None or not hasattr(pool, _MAKES):  # of a version built otherwise
        return lambda crowd: new()

    def make(crowd: Living[Any]) -> Any:
        made = copy.copy(first)
        made._pool = Direct(pool, core.ConnectionNotAvailable, crowd)
        return made

    return make


def _new_transport(lib: ModuleType, name: str, context: ssl.SSLContext, proxy: Named | None) -> Any:
    from ._proxies import readable

    through = None if proxy is None else readable(lib, proxy)
    return getattr(lib, name)(verify=context, limits=lib.Limits(keepalive_expiry=IDLE), proxy=through)


def _pool(core: ModuleType, beginning: str, context: ssl.SSLContext, proxy: Named | None) -> Any:
    """A pool that only makes connections."""
    if proxy is None:
        made = getattr(core, f"{beginning}ConnectionPool")
        return made(ssl_context=context, keepalive_expiry=IDLE)
    from ._proxies import readable

    read: Any = readable(importlib.import_module("httpx"), proxy)
    url = core.URL(scheme=read.url.raw_scheme, host=read.url.raw_host, port=read.url.port, target="/")
    options = {"proxy_url": url, "proxy_auth": read.raw_auth, "ssl_context": context}
    if read.url.scheme.startswith("socks"):
        return getattr(core, f"{beginning}SOCKSProxy")(keepalive_expiry=IDLE, **options)
    return getattr(core, f"{beginning}HTTPProxy")(
        proxy_headers=read.headers.raw, keepalive_expiry=IDLE, **options
    )


def _tls() -> ssl.SSLContext:
    from ._certificates import tls_context

    return tls_context()


@functools.cache
def _no_tls() -> ssl.SSLContext:
    """A context that trusts nobody, for what speaks plain http: the libraries would build a full one each."""
    import ssl

    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


class Direct:
    """A slot's transport: its connections, made as by a pool of httpcore's, without that pool."""

    __slots__ = ("_crowd", "_kept", "_pool", "_unavailable")

    def __init__(self, pool: Any, unavailable: type[Exception], crowd: Living[Any]) -> None:
        self._pool = pool
        self._unavailable = unavailable
        self._crowd = crowd
        self._kept: list[Any] = []

    def _connection(self, origin: object) -> Any:
        for kept in self._kept:
            if kept.can_handle_request(origin):
                if kept.is_available() and not kept.has_expired():
                    return kept
                self._drop(kept)
                break
        most = CONNECTIONS if len(self._crowd) <= MOST_SLOTS // 2 else 1
        while len(self._kept) >= most:
            self._drop(self._kept[0])
        self._kept.append(self._pool.create_connection(origin))
        return self._kept[-1]

    def _drop(self, connection: Any) -> None:
        self._kept.remove(connection)
        hang_up(connection)

    def handle_request(self, request: Any) -> Any:
        """Send a request on a connection of ours; on a new one if the other end just gave up the old one."""
        while True:
            connection = self._connection(request.url.origin)
            with suppress(self._unavailable):
                return connection.handle_request(request)
            self._drop(connection)

    async def handle_async_request(self, request: Any) -> Any:
        """`handle_request`, awaited."""
        while True:
            connection = self._connection(request.url.origin)
            with suppress(self._unavailable):
                return await connection.handle_async_request(request)
            self._drop(connection)


class Routes:
    """Which proxy the environment names for a URL. It is read once for each origin."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[tuple[str, str, int], Named | None] = {}

    def find(self, url: str) -> tuple[str, Named | None]:
        """The scheme, and the proxy or `None`. Raises `ConfigurationError` for one that cannot be used."""
        origin = origin_of(url)
        if origin not in self._known:
            if len(self._known) >= MOST_SLOTS:
                self._known.clear()
            self._known[origin] = _proxy_for(origin)
        return origin[0], self._known[origin]


def _proxy_for(origin: tuple[str, str, int]) -> Named | None:
    # Elsewhere the system may name one. What reads that loads half of the standard library.
    named = any(name[-6:].lower() == "_proxy" for name in os.environ)
    if not named and sys.platform not in ("darwin", "win32"):
        return None
    from ._proxies import proxy_for

    return proxy_for(*origin)
