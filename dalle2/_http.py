"""HTTP as plain values: what is to be sent, what came back, what went wrong on the way.

The rule: nothing here (or below) knows an HTTP library, and nothing here does I/O. `_transport` turns these
values into traffic; `_calls` turns questions into these values. A secret is a `Secret` until the moment it is
put on the wire, so that no `repr`, traceback with locals, log line or pickle can show it.
"""

from __future__ import annotations

import ipaddress
import socket
import time
from typing import TYPE_CHECKING, Any, Literal, NamedTuple
from urllib.parse import urlsplit

from ._secrets import shown_url

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime
    from typing import Protocol

    from ._secrets import Secret

    class Body(Protocol):
        """A body that has been read: a JSON document, or at least its beginning as text."""

        def document(self) -> object:
            """The JSON document; `ValueError` if the body is not exactly one complete document."""

        def text(self) -> str:
            """The beginning of the body as text, for messages."""

        def raw(self) -> bytes:
            """What came, byte for byte."""

        def holds(self, text: bytes) -> bool:
            """Whether the text stands somewhere outside the pictures."""


AT_ONCE = 0.001
"""Seconds in which bytes come that are there."""
LEFTOVER = 1.0
"""Seconds after its end in which an exchange takes what is there: for a sender who never ends."""
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_ALSO_PRIVATE = tuple(
    ipaddress.ip_network(text)
    for text in ("192.0.0.0/24", "192.88.99.0/24", "64:ff9b:1::/48", "2001::/23", "3fff::/20", "fec0::/10")
)
"""Special by the IANA registries, which the standard library follows in its later versions only."""


class FilePart(NamedTuple):
    """One file of a multipart form. Its bytes are held, so that a repeated attempt sends the same ones."""

    name: str
    filename: str
    content_type: str
    data: bytes

    def __repr__(self) -> str:
        return f"FilePart({self.name!r}, {self.filename!r}, {self.content_type!r}, <{len(self.data)} bytes>)"

    def __sentry_repr__(self) -> str:
        return repr(self)  # a crash reporter that walks into tuples asks for this instead


class Form(NamedTuple):
    """A multipart form: text fields in order, then files in order."""

    fields: tuple[tuple[str, str], ...]
    files: tuple[FilePart, ...]

    def __repr__(self) -> str:
        """Without what stands in the fields: a prompt, mostly."""
        return f"Form({[name for name, _ in self.fields]}, {list(self.files)})"

    def __sentry_repr__(self) -> str:
        return repr(self)


class HttpRequest:
    """One request, whole. `content` is a JSON body, `form` a multipart one; never both."""

    __slots__ = ("content", "form", "headers", "method", "url")

    def __init__(
        self,
        method: str,
        url: str,
        headers: tuple[tuple[str, str | Secret], ...] = (),
        content: bytes | None = None,
        form: Form | None = None,
    ) -> None:
        self.method = method
        self.url = url
        self.headers = headers
        self.content = content
        self.form = form

    def with_header(self, header: tuple[str, str | Secret]) -> HttpRequest:
        """The same request with one header set."""
        kept = tuple(pair for pair in self.headers if pair[0].lower() != header[0].lower())
        return HttpRequest(self.method, self.url, (header, *kept), self.content, self.form)

    def __repr__(self) -> str:
        """Without the query of the URL, in which a signature may be."""
        return f"<{self.method} {shown_url(self.url)} {self.headers}, <{len(self.content or b'')} bytes>>"


class HttpResponse:
    """One answer, whole. Header names are lower-case; `at` is when it had come (local clock, aware, UTC)."""

    __slots__ = ("at", "body", "headers", "status")

    def __init__(self, status: int, headers: Mapping[str, str], body: Body, at: datetime) -> None:
        self.status = status
        self.headers = headers
        self.body = body
        self.at = at


class Timeouts(NamedTuple):
    """Seconds for each phase, `None` for no limit; the same meaning as in httpx. `total`: for all of them."""

    connect: float | None
    read: float | None
    write: float | None
    pool: float | None
    total: float | None = None

    def within(self, remaining: float | None) -> Timeouts:
        """The same limits, none of them longer than what is left of a deadline."""
        if remaining is None:
            return self
        left = max(remaining, 0.001)
        return Timeouts(*(left if limit is None else min(limit, left) for limit in self))  # `total`, too


FailureKind = Literal[
    "connect",
    "connect_timeout",
    "timeout",
    "disconnected",
    "unreadable",
    "refused_address",
    "untrusted",
    "cancelled",
]


class Failure(NamedTuple):
    """An exchange that ended without an answer.

    `sent` is `False` only when the request certainly did not leave whole, so that no server can have carried
    it out. `came`: what was said where no head could be read.
    """

    kind: FailureKind
    sent: bool
    detail: str
    came: bytes = b""


class Departure:
    """How far one request got, as the transport says at the end of `open`, however it ends: `left` is `False`
    only while the request has certainly not left whole.
    """

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = False


class TransportError(Exception):
    """Carries a `Failure` from the transport to the core; it never reaches a caller."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.detail)
        self.failure = failure


class Term:
    """When an exchange must be over, in monotonic seconds. What is there then is still taken."""

    __slots__ = ("_late", "scope", "until")

    def __init__(self, until: float) -> None:
        self.until = until
        self.scope: Any = None
        """What cancels an awaited exchange."""
        self._late: float | None = None

    def left(self) -> float:
        """Seconds that are left."""
        return self.until - time.monotonic()

    def check(self) -> None:
        """Raises `TransportError` if the time is over, and what was there could be taken."""
        now = time.monotonic()
        if now > self.until:
            self._late = now if self._late is None else self._late
            if now > self._late + LEFTOVER:
                raise TransportError(Failure("timeout", True, "the deadline passed"))


class Patience(float):
    """Seconds for one step of an exchange that has a `Term`. Timeouts of httpx bound the wait for the next
    bytes only, so that a head that drips, or a flood of interim answers, never ends.
    """

    __slots__ = ("term",)
    term: Term

    def __new__(cls, seconds: float, term: Term) -> Patience:
        made = super().__new__(cls, seconds)
        made.term = term
        return made


def allowed(timeout: float | None, *, reads: bool = False) -> float | None:
    """The seconds that a step may take now. Raises `TransportError` if the time is over."""
    if not isinstance(timeout, Patience):
        return timeout
    left = timeout.term.left()
    if left > 0:
        return min(float(timeout), left)
    if not reads:
        raise TransportError(Failure("timeout", True, "the deadline passed"))
    timeout.term.check()
    return AT_ONCE


def flat(lines: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Headers with lower-case names; of several lines with one name, their values joined."""
    found: dict[str, str] = {}
    for raw_name, raw in lines:
        name = raw_name.lower().decode("ascii", "replace")
        try:
            value = raw.decode()
        except UnicodeDecodeError:
            value = raw.decode("latin-1")
        found[name] = f"{found[name]}, {value}" if name in found else value
    return found


def origin_of(url: str) -> tuple[str, str, int]:
    """Scheme, host and port of a URL; `("", "", 0)` if it has none."""
    try:
        parts = urlsplit(url)
        scheme, host, port = parts.scheme.lower(), (parts.hostname or "").lower(), parts.port
    except ValueError:
        return "", "", 0
    return scheme, host.rstrip("."), port or (443 if scheme == "https" else 80)


def literal_address(host: str) -> str | None:
    """The address that a host name spells out, in any of the forms that resolvers take
    (`127.1`, `0x7f000001`).
    """
    try:
        return str(ipaddress.ip_address(host.partition("%")[0]))
    except ValueError:
        pass
    if host[:1].isdigit() and all(char in "0123456789abcdefxABCDEFX." for char in host):
        try:
            return socket.inet_ntoa(socket.inet_aton(host))
        except OSError:
            return None
    return None


def is_loopback_name(host: str) -> bool:
    """Whether a host name means this machine."""
    name = host.lower().rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    literal = literal_address(name)
    return literal is not None and _unwrapped(literal).is_loopback


def keeps_bytes(url: str) -> bool:
    """Whether no bit can change unseen on the way from there: TLS proves each one, or there is no way."""
    if url[:6].lower() == "https:":
        return True
    return is_loopback_name(origin_of(url)[1])


def is_private(address: str) -> bool:
    """Whether an address is anything but a public one: loopback, link-local, shared, multicast,
    reserved, ...
    """
    try:
        real = _unwrapped(address.partition("%")[0])
    except ValueError:
        return True
    special = not real.is_global or real.is_multicast or real.is_reserved
    return special or any(real in network for network in _ALSO_PRIVATE if network.version == real.version)


def _unwrapped(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """The IPv4 address inside an IPv6 one (mapped, NAT64, 6to4), else the address itself."""
    parsed = ipaddress.ip_address(address)
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed in _NAT64:
            return ipaddress.IPv4Address(int(parsed) & 0xFFFFFFFF)
        return parsed.ipv4_mapped or parsed.sixtofour or parsed
    return parsed
