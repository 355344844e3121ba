"""A caller's HTTP client: which library it is of, what its settings mean here, what its hooks may do."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from .._http import Timeouts
from ..errors import ConfigurationError

if TYPE_CHECKING:
    from types import ModuleType
    from typing import Literal, Protocol

    import httpx

    from ._watch import Watch

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


LONGEST_PHASE = 1e6
"""Seconds (eleven days); the system's own limit on a wait is 24 days."""


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


def timeouts_of(client: object, lib: ModuleType) -> Timeouts | None:
    """The timeouts of a caller's client if they were set, else `None`.

    Raises `ConfigurationError` for seconds that no wait can have: the library would notice once a paid
    request has left.
    """
    theirs = getattr(client, "timeout", None)
    if theirs is None or theirs == lib.Timeout(5.0):
        return None
    for phase in ("connect", "read", "write", "pool"):
        seconds = getattr(theirs, phase)
        if seconds is None:
            continue
        number = isinstance(seconds, (int, float)) and not isinstance(seconds, bool)
        if not number or not 0 < seconds <= LONGEST_PHASE:
            raise ConfigurationError(
                f"the {phase} timeout of http_client is {seconds!r:.40}: it must be above 0 and at most "
                f"{LONGEST_PHASE:.0f} seconds, or None for no limit"
            )
    return Timeouts(theirs.connect, theirs.read, theirs.write, theirs.pool)


def note_offer(lib: ModuleType, made: httpx.Request, watch: Watch, body: object) -> None:
    """Note when the client takes the request's body to hand it to its transport. (Hooks read the content.)"""
    noted = _noted.get(lib)
    if noted is None:
        noted = _noted[lib] = type("Request", (lib.Request,), {"stream": property(_take_body, _set_body)})
    made.__dict__.pop("stream")
    made.__dict__.update(_watch=watch, _body=body)
    made.__class__ = noted


_noted: dict[ModuleType, type] = {}


def _take_body(made: httpx.Request) -> object:
    watch: Watch = made.__dict__["_watch"]
    watch.offer()
    return made.__dict__["_body"]


def _set_body(made: httpx.Request, body: object) -> None:
    made.__dict__["_body"] = body
