"""What an exception of an exchange proves, and to whom it belongs. Loaded once something has failed.

The rules: a caller's own exception is the caller's (a request hook that fails, a signal handler that raises,
a test tool that refuses); an answer that a hook turned into an exception is that answer; everything else
becomes a plain `Failure`, raised where no handler is active, so that no exception of a library, which holds
the request and its key, hangs on ours.

Where no trace event was seen, the class of an exception proves nothing (transports that are not httpx's own
name a lost answer `ConnectTimeout`); only its cause does: connection refused, name not found, certificate not
trusted, no connection free.
"""

from __future__ import annotations

import socket
import ssl
import sys
from typing import TYPE_CHECKING, cast

from .._http import Failure, TransportError
from ._handlers import chain, raised_by_handler
from ._watch import Watch, untouched

if TYPE_CHECKING:
    from types import ModuleType

    import httpx

_TOOLS = frozenset(
    {"_pytest", "hypothesis", "mock", "pytest", "pytest_httpx", "pytest_socket", "respx", "unittest", "vcr"}
)
"""Packages whose exceptions mean that a test, and not an exchange, went wrong."""
_UNTRUSTED_CHAIN = (18, 19, 20, 21)
"""OpenSSL's verify codes for a certificate that no trusted authority signed."""


def certainly_unsent(watch: Watch, error: BaseException) -> bool:
    """Whether the request has certainly not been carried out."""
    if not watch.sent:
        return True
    links = list(chain(error, watch.outer))
    if watch.seen:
        return any(untouched(link, watch.stream_id) for link in links)
    ends = [
        link
        for link in links
        if not isinstance(link, BaseExceptionGroup)
        and (link.__cause__ or link.__context__) in (None, watch.outer)
    ]
    return bool(ends) and all(_before_sending(end) for end in ends)


def _before_sending(error: BaseException) -> bool:
    if isinstance(error, (ConnectionRefusedError, socket.gaierror, ssl.SSLCertVerificationError)):
        return True
    return _no_slot(error)


def _no_slot(error: BaseException) -> bool:
    """Whether no connection of httpcore's pool was free."""
    root, name = type(error).__module__.partition(".")[0], type(error).__name__
    return name == "PoolTimeout" and root in ("httpcore", "httpcore2")


def judge(lib: ModuleType, watch: Watch, error: Exception) -> BaseException | httpx.Response:
    """What a failed sending comes to: the answer after all, or what to raise outside the handler."""
    interrupt = raised_by_handler(error, watch.outer)
    if interrupt is not None:
        return interrupt
    if isinstance(error, TransportError):
        failure = error.failure
        return TransportError(failure._replace(sent=failure.sent and watch.sent))
    if _of_a_test(error):
        return error
    foreign = not isinstance(error, _named(lib, "HTTPError", "InvalidURL", "StreamError"))
    if foreign and not (watch.ours or watch.offered or watch.seen):
        return error  # a request hook's: nothing was sent
    answer = _answer_in(lib, watch, error)
    return TransportError(failure_of(lib, watch, error)) if answer is None else answer


def _of_a_test(error: Exception) -> bool:
    return isinstance(error, AssertionError) or type(error).__module__.partition(".")[0] in _TOOLS


def _answer_in(lib: ModuleType, watch: Watch, error: Exception) -> httpx.Response | None:
    """The answer that a hook of the caller's client raised for, or that the client could not go on with."""
    held = getattr(error, "response", None)
    if isinstance(held, _named(lib, "Response")):
        return cast("httpx.Response", held)
    if watch.ours or watch.head is None or watch.head[0] < 300:
        return None
    status, headers = watch.head
    kept = [
        (name, value)
        for name, value in headers
        if name.lower() not in (b"content-encoding", b"content-length")
    ]
    made: httpx.Response = lib.Response(status, headers=kept, content=b"")
    return made


def failure_of(lib: ModuleType, watch: Watch, error: Exception, *, answered: bool = False) -> Failure:
    """What an exception means for the exchange; `answered`: it was raised while the answer was arriving."""
    detail = str(error) or type(error).__name__
    links = list(chain(error, watch.outer))
    if not answered and certainly_unsent(watch, error):
        distrust = [link for link in links if isinstance(link, ssl.SSLCertVerificationError)]
        if distrust:  # the innermost is ssl's own: those of aiohttp around it know no reason
            return Failure("untrusted", False, _told(distrust[-1]))
        if any(_waited(lib, watch, link) for link in links):
            return Failure("connect_timeout", False, detail)
        if _of(error, _named(lib, "InvalidURL", "UnsupportedProtocol")):
            return Failure("refused_address", False, detail)
        late = isinstance(error, _named(lib, "TimeoutException")) and not (watch.offered and not watch.seen)
        return Failure("timeout" if late else "connect", False, detail)
    if any(_late(lib, link) for link in links):
        return Failure("timeout", True, detail, watch.came)
    broken = _of(error, _named(lib, "DecodingError", "StreamError"))
    return Failure("unreadable" if broken else "disconnected", True, detail, watch.came)


def _named(lib: ModuleType, *names: str) -> tuple[type, ...]:
    """The classes of these names: the library's, and those of httpx, which who stands in for a host raises
    whatever carries the call.
    """
    libraries = [lib, sys.modules.get("httpx", lib)]
    return tuple(getattr(one, name) for one in libraries for name in names if hasattr(one, name))


def _of(error: Exception, kinds: tuple[type, ...]) -> bool:
    """Whether it is one of these, or a `ValueError` that is not the system's."""
    return isinstance(error, (*kinds, ValueError)) and not isinstance(error, OSError)


def _waited(lib: ModuleType, watch: Watch, error: BaseException) -> bool:
    """Whether it means that no connection came in time, which only the library's own class tells truly."""
    told = (watch.seen or watch.ours) and isinstance(error, _named(lib, "ConnectTimeout", "PoolTimeout"))
    return told or _no_slot(error)


def _late(lib: ModuleType, error: BaseException) -> bool:
    """Whether no bytes came in time. What has left was not late to connect, however it is called."""
    if isinstance(error, _named(lib, "ConnectTimeout", "PoolTimeout")):
        return False
    return isinstance(error, (*_named(lib, "TimeoutException"), TimeoutError))


def _told(error: ssl.SSLCertVerificationError) -> str:
    if error.verify_code not in _UNTRUSTED_CHAIN:
        return f"its certificate is not valid ({error.verify_message})"
    return (
        f"its certificate is not trusted ({error.verify_message}); if an authority of your own signs it, "
        "name its file in SSL_CERT_FILE (REQUESTS_CA_BUNDLE is not read)"
    )
