"""From where an image may be fetched, and how patiently.

An image URL comes out of an answer, so a hostile or careless host could point it at anything the caller's
machine can reach. The rule: https, or http on loopback, the API's own origin and hosts that the provider
allows, while any other public host is asked over https instead; no credentials in the URL; no private,
link-local or metadata address, unless the API itself lives on a private one or the provider allows that host.
Literal addresses are refused before anything is sent, names when they are connected to: then the address is
known, and there is no second look-up to race. A refusal names what would allow the host.
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar
from urllib.parse import urlsplit

from .._http import Timeouts, is_loopback_name, is_private, literal_address, origin_of
from .._secrets import quoted, shown_url
from .._state import ClientState
from ..errors import ConfigurationError, DownloadError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from .._image._data import ImageData
    from .._secrets import Secret
    from .._transport._async import AsyncTransport
    from .._transport._sync import Transport
    from ..retry import RetryPolicy

T = TypeVar("T", "Transport", "AsyncTransport")

MAX_REDIRECTS = 3
LARGEST_IMAGE = 256 * 1024 * 1024
"""Bytes of one image; the largest known outputs are a tenth of it."""
LONGEST = 300.0
"""Seconds for one image, attempts and waits together, unless the retry policy has a deadline."""
FETCH_TIMEOUTS = Timeouts(connect=10.0, read=60.0, write=60.0, pool=60.0)
"""Seconds; images come from stores that answer at once."""


class Origins(NamedTuple):
    """From where images may come: where the API is, and what it vouches for.

    `api_private`: it is on a private address or loopback. `allowed`: hosts, or hosts with a port, that may be
    on one, too, and speak plain http.
    """

    origin: tuple[str, str, int] = ("", "", 0)
    api_private: bool = False
    allowed: tuple[str, ...] = ()

    def check(self, url: str) -> str:
        """The URL to ask for an image: the same, or that over https. Raises `DownloadError` (reason
        `"forbidden"`) for one that must not be fetched.
        """
        problem = self._problem(url)
        if problem:
            text = f"This image URL is not fetched: {problem} ({shown_url(url)})"
            error, url = DownloadError(text, reason="forbidden", url=url), ""  # no frame shows a signature
            raise error
        scheme, host, port = origin_of(url)
        plain = (scheme, host, port) == self.origin or is_loopback_name(host) or self.names(host, port)
        return url if scheme == "https" or plain else _over_tls(url)

    def _problem(self, url: str) -> str | None:
        try:
            parts = urlsplit(url)
            host, _ = (parts.hostname or "").rstrip("."), parts.port
        except ValueError:
            return "it is no URL"
        scheme = parts.scheme.lower()
        if scheme not in ("http", "https") or not host:
            return "only https URLs are"
        if any(char.isspace() or not char.isprintable() for char in url):
            return "it holds a space or a control character"
        if "@" in parts.netloc:
            return "it holds a user name or password"
        if any(char in parts.netloc for char in '\\<>"^`{|}') or not _is_name(host):
            return "it is no URL"
        if origin_of(url) == self.origin:
            return None
        literal, port = literal_address(host), origin_of(url)[2]
        if literal is not None:
            exposed = scheme == "http" and not is_loopback_name(host) and not self.names(host, port)
            if exposed and is_private(literal):
                return f"{ONLY_HERE}{way_out(host, port)}"
            return self.refuse(host, literal, port)
        if is_loopback_name(host) and not self.trusts(host, port):
            return f"it points at this machine, and the API does not live here{way_out(host, port)}"
        return None

    def names(self, host: str, port: int | None) -> bool:
        """Whether the provider names this host, alone or with this port."""
        name = host.lower()
        return name in self.allowed or (port is not None and _with_port(name, port) in self.allowed)

    def trusts(self, host: str, port: int | None = None) -> bool:
        """Whether private addresses are fine for this host."""
        return self.api_private or self.names(host, port)

    def refuse(self, host: str, address: str, port: int | None = None) -> str | None:
        """The reason not to talk to `address`, to which `host` resolved, or `None`."""
        if not is_private(address) or self.trusts(host, port):
            return None
        return (
            f"{host} is at the private address {address}, and the API does not live on a private one"
            f"{way_out(host, port)}"
        )

    def with_peer(self, address: str | None) -> Origins:
        """The same, with what the API's own connection told of where it lives."""
        if self.api_private or address is None or not is_private(address):
            return self
        return self._replace(api_private=True)

    @property
    def url(self) -> str | None:
        """The API's origin as a text, from which `of` makes the origins again; `None` if it is not known."""
        scheme, host, port = self.origin
        return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}" if host else None

    @classmethod
    def of(cls, base_url: str, allowed: tuple[str, ...] = ()) -> Origins:
        """Those of an API."""
        origin = origin_of(base_url)
        literal = literal_address(origin[1])
        private = is_loopback_name(origin[1]) or (literal is not None and is_private(literal))
        names = (allowed,) if isinstance(allowed, str) else allowed
        return cls(origin, private, tuple(map(_allowed, names)))


ONLY_HERE = "plain http is only for loopback, the API's own origin and image_hosts"


def way_out(host: str, port: int | None) -> str:
    """What would allow a host, for the end of a refusal."""
    named = host if port is None else _with_port(host, port)
    return f"; if you trust it, Provider.replace(image_hosts=({named!r},)) allows it"


def not_over_tls(url: str, detail: str) -> str:
    """Why an image that was named by plain http does not come, its host being no use over https."""
    _, host, port = origin_of(url)
    return f"{ONLY_HERE}, and https failed: {detail}{way_out(host, port)}"


def _with_port(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _over_tls(url: str) -> str:
    """The same URL with https, byte for byte; port 80 becomes the usual one of https."""
    netloc = urlsplit(url).netloc
    return "https" + url[4:].replace(netloc, netloc.removesuffix(":80"), 1)


def _allowed(name: object) -> str:
    """One of `image_hosts`, as it is compared: a host, with its port if it has one.
    Raises `ConfigurationError`.
    """
    text = name.strip().lower() if isinstance(name, str) else ""
    scheme, mark, rest = text.partition("://")
    text = (rest if mark and scheme in ("http", "https") else text).rstrip("/")
    if text.count(":") > 1 and "[" not in text:
        text = f"[{text}]"  # an IPv6 address
    host, port, named = "", None, ""
    with suppress(ValueError):
        parts = urlsplit(f"//{text}")
        named, host, port = parts.netloc, (parts.hostname or "").rstrip("."), parts.port
    if not host or named != text or any(char in text for char in "@*, ") or not _is_name(host):
        raise ConfigurationError(
            f"image_hosts names hosts, such as 'images.lan' or '10.0.0.7:9000'; it holds {quoted(name)}"
        )
    return host if port is None else _with_port(host, port)


def _is_name(host: str) -> bool:
    """Whether a host can be looked up at all: resolvers raise errors of their own for what cannot."""
    try:
        name = host if host.isascii() else host.encode("idna").decode("ascii")
    except UnicodeError:
        return False
    return len(name) < 254 and all(0 < len(label) < 64 for label in name.split("."))


class Fetching:
    """How a client fetches images: plain values, and what its calls share. `key` is what the API's own origin
    gets where the provider wants it.
    """

    __slots__ = ("key", "largest", "longest", "origins", "policy", "shared", "timeouts", "user_agent")

    def __init__(
        self,
        *,
        shared: ClientState | None = None,
        policy: RetryPolicy | None = None,
        origins: Origins | None = None,
        key: tuple[str, Secret] | None = None,
        timeouts: Timeouts | None = None,
        user_agent: str = "dalle2",
        largest: int = LARGEST_IMAGE,
        longest: float = LONGEST,
    ) -> None:
        self.shared = ClientState() if shared is None else shared
        self.policy = policy
        self.origins = Origins() if origins is None else origins
        self.key = key
        self.timeouts = timeouts
        self.user_agent = user_agent
        self.largest = largest
        self.longest = longest

    def now(self) -> datetime:
        """The corrected clock (aware, UTC)."""
        return self.shared.clock.now(self.shared.now())

    def earliest(self) -> datetime:
        """The time by which an expiry is certainly past (aware, UTC)."""
        return self.shared.clock.earliest(self.shared.now())

    def within(self, seconds: float, largest: int) -> Fetching:
        """The same, for an image that is wanted now or not at all, and only if it is not larger (bytes)."""
        from ..retry import RetryPolicy

        return Fetching(
            shared=self.shared,
            policy=RetryPolicy(max_attempts=2, initial=0.1, deadline=seconds),
            origins=self.origins,
            key=self.key,
            timeouts=self.timeouts,
            user_agent=self.user_agent,
            largest=largest,
        )

    @contextmanager
    def telling_of_loss(self, image: ImageData) -> Iterator[None]:
        """Around a download: an image that did not come is reported."""
        try:
            yield
        except DownloadError as error:
            host = origin_of(image.url or "")[1]
            self.shared.report("ImageLost", host=host, error=error, at=self.shared.now())
            raise


class BaseFetcher(Generic[T]):
    """What a result keeps of its client: how to reach images, and nothing that could make a paid call.

    When its client is closed, or was never there, it fetches over a connection of its own.
    """

    def __init__(self, transport: T | None = None, how: Fetching | None = None) -> None:
        self._transport: T | None = transport
        self.how = Fetching() if how is None else how

    @property
    def origins(self) -> Origins:
        """Where the API is, as far as it is known by now."""
        return self.how.origins.with_peer(self._peer)

    @property
    def _peer(self) -> str | None:
        return None if self._transport is None else self._transport.peer

    def _usable(self) -> T | None:
        """The client's transport, unless the client is closed."""
        transport = self._transport
        return transport if transport is not None and transport.usable() else None
