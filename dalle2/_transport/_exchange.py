"""What blocking and awaited exchanges decide alike: what is put on the wire, and what it comes to.

The rule: requests are built whole and sent as they are: none of a client's headers, cookies or credentials
join a request to an image host, be it our own client or the caller's. A caller's client adds its defaults to
API requests only.
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Generic, Literal, TypeVar

from .._http import Failure, TransportError, flat
from .._secrets import Secret
from ..errors import ConfigurationError
from ._patience import body_of
from ._pools import Routes, Slot, Slots, Turn, new_transport
from ._watch import Watch

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import ModuleType

    import httpx

    from .._http import Departure, Form, HttpRequest, Timeouts
    from ._encodings import Unpacker
    from ._watch import Guard

C = TypeVar("C")


class Base(Generic[C]):
    """A transport, without its I/O."""

    kind: Literal["Client", "AsyncClient"]
    ours: Literal["HTTPTransport", "AsyncHTTPTransport"]

    def __init__(self, client: object = None) -> None:
        self.lib: ModuleType | None = None
        self.client = client
        self.closed = False
        self.peer: str | None = None
        self._routes = Routes()
        if client is not None:
            from ._callers import library_of

            self.lib = library_of(client, self.kind)
            self.default_timeouts()

    def default_timeouts(self) -> Timeouts | None:
        """The timeouts of the caller's client if they were set, else `None`. Raises `ConfigurationError`."""
        if self.client is None or self.lib is None:
            return None
        from ._callers import timeouts_of

        return timeouts_of(self.client, self.lib)

    def usable(self) -> bool:
        """Whether requests can still be sent."""
        return not self.closed and not getattr(self.client, "is_closed", False)

    def _library(self) -> ModuleType:
        if not self.usable():
            raise self._closed()
        if self.lib is None:
            self.lib = importlib.import_module("httpx")
        return self.lib

    def _closed(self) -> ConfigurationError:
        what = "this client" if self.closed else "the http_client of this client"
        return ConfigurationError(f"{what} is closed: make a new one")

    def _turned(self, slots: Slots[C], turn: Turn[C]) -> Slot[C]:
        """The slot that was waited for. Raises where none came: nothing was sent."""
        if turn.slot is not None:
            return turn.slot
        slots.leave(turn)
        if not self.usable():
            raise self._closed()
        raise TransportError(Failure("connect_timeout", False, "no connection became free in time"))

    def _prepare(self, scheme: str) -> None:
        """Load what a call over this scheme would, up to its first connection."""
        lib = self._library()
        if self.client is None:
            new_transport(lib, self.ours, scheme, None)

    def _watch(self, timeouts: Timeouts, guard: Guard | None, departure: Departure | None) -> Watch:
        watch = Watch(guard, timeouts.total, departure)
        watch.ours = self.client is None
        return watch

    def _built(
        self,
        lib: ModuleType,
        request: HttpRequest,
        timeouts: Timeouts,
        trace: object,
        watch: Watch,
        *,
        api: bool,
    ) -> httpx.Request:
        """The library's request. Raises `TransportError` for one that cannot be made: nothing was sent."""
        extensions: dict[str, object] = {"timeout": watch.phases(timeouts), "trace": trace}
        try:
            return build(lib, request, extensions, watch, self.client, api=api)
        except (lib.InvalidURL, ValueError) as error:
            detail = str(error)
        raise TransportError(Failure("refused_address", False, detail))

    def _comes_to(
        self, lib: ModuleType, watch: Watch, error: BaseException
    ) -> BaseException | httpx.Response:
        """What a sending that raised comes to: an answer after all, or what to raise outside the handler."""
        if not isinstance(error, Exception) or isinstance(error, ConfigurationError):
            return error
        if isinstance(error, RuntimeError) and not self.usable():  # another thread closed it just now
            return self._closed()
        from ._proof import judge

        return judge(lib, watch, error)


def build(
    lib: ModuleType,
    request: HttpRequest,
    extensions: dict[str, object],
    watch: Watch,
    client: object,
    *,
    api: bool,
) -> httpx.Request:
    """The library's request. To the API, a caller's client joins its headers, cookies and parameters."""
    headers = [
        (name, value.reveal() if isinstance(value, Secret) else value) for name, value in request.headers
    ]
    made: httpx.Request
    if request.form is None and not (client and api):
        url = _parsed(lib, request.url) if request.method == "POST" else lib.URL(request.url)
        content = request.content or b""
        made = lib.Request(
            request.method,
            url,
            headers=_completed(headers, url, content, request.method),
            stream=body_of(lib, content),
            extensions=extensions,
        )
    else:
        body = {"content": request.content} if request.form is None else _multipart(request.form, headers)
        if client and not any(name.lower() == "accept-encoding" for name, _ in headers):
            headers.append(("Accept-Encoding", "gzip, deflate"))  # theirs may name what cannot be bounded
        made = (client.build_request if client and api else lib.Request)(  # type: ignore[attr-defined]
            request.method, request.url, headers=headers, extensions=extensions, **body
        )
        if client and api:
            _framed(made, {name.lower() for name, _ in headers})
    watch.host = made.url.raw_host.decode("ascii").lower()
    if not api:
        as_written(lib, made, request.url)
    if client:
        from ._callers import note_offer

        note_offer(lib, made, watch, body_of(lib, made.read()))
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


def _framed(made: httpx.Request, ours: set[str]) -> None:
    """What the body is, and how long, is for the request to say, whatever their client sends by default."""
    for name in {"content-encoding", "content-length", "content-type", "trailer", "transfer-encoding"} - ours:
        made.headers.pop(name, None)
    if made.method == "POST":
        made.headers["Content-Length"] = str(len(made.read()))


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


def _multipart(form: Form, headers: list[tuple[str, str]]) -> dict[str, object]:
    """A form for the library. Its media type names its boundary, so no caller's is sent in its place."""
    headers[:] = [(name, value) for name, value in headers if name.lower() != "content-type"]
    headers.append(("Content-Type", f"multipart/form-data; boundary={os.urandom(16).hex()}"))
    files = [(part.name, (part.filename, part.data, part.content_type)) for part in form.files]
    return {"data": dict(form.fields), "files": files}


class BaseAnswer(Generic[C]):
    """An answer, without the I/O: its head, and how the bytes of its body are handed on.

    One layer of gzip or deflate is unpacked, piece by piece.
    """

    __slots__ = (
        "_lease", "_lib", "_response", "_started", "_unpacker", "_watch", "_whole", "headers", "status",
    )  # fmt: skip

    def __init__(
        self,
        response: httpx.Response,
        lib: ModuleType,
        watch: Watch,
        lease: tuple[Slots[C], Slot[C]] | None = None,
    ) -> None:
        self._response = response
        self._lib = lib
        self._watch = watch
        self._lease = lease
        self._started = False
        self._whole = False
        self._unpacker: Unpacker | None = None
        self.status = response.status_code
        self.headers = flat(response.headers.raw)

    def _held(self) -> bytes | None:
        """The body, if a hook or a transport of the caller's client has read it; `None` if it is to come."""
        response, lib = self._response, self._lib
        if self._started:
            raise lib.StreamConsumed
        self._started = True
        if self._watch.ours:
            return None
        try:
            return response.content
        except lib.ResponseNotRead:
            pass
        if not response.is_closed and not response.is_stream_consumed:
            return None
        if not 200 <= self.status < 300:
            return b""  # the head has said no, which is told all the same
        raise lib.StreamConsumed

    def _packed_otherwise(self) -> bool:
        """Prepare for how the body is packed: whether only the library may be able to unpack it.

        Raises `ValueError` for more layers than one.
        """
        if "content-encoding" not in self.headers:
            return False
        from ._encodings import OURS, Unpacker, layers

        names = layers(self.headers["content-encoding"])
        if len(names) > 1:
            raise ValueError(f"it is packed {len(names)} times, which can swell without bound")
        if names and names[0] in OURS:
            self._unpacker = Unpacker(names[0])
        return bool(names) and self._unpacker is None

    def _pieces(self, chunk: bytes) -> Iterable[bytes]:
        """The bytes of the body that are in this chunk. Raises `TransportError` if the time is over."""
        if self._watch.term is not None:
            self._watch.term.check()
        return (chunk,) if self._unpacker is None else self._unpacker.feed(chunk)

    def _end(self) -> None:
        """The body has come to its end. Raises `ValueError` if something is missing."""
        if self._unpacker is not None:
            self._unpacker.end()
        self._whole = True

    def _broken(self, error: Exception) -> BaseException:
        """What to raise for a body that did not come."""
        from ._handlers import raised_by_handler
        from ._proof import failure_of

        if isinstance(error, TransportError):
            return error
        interrupt = raised_by_handler(error, self._watch.outer)
        return interrupt or TransportError(failure_of(self._lib, self._watch, error, answered=True))

    def _let_interrupt_pass(self, problem: Exception) -> None:
        """Raise what a signal handler raised while the exchange was being closed."""
        from ._handlers import raised_by_handler

        interrupt = raised_by_handler(problem, self._watch.outer)
        if interrupt is not None:
            raise interrupt

    def _release(self, *, clean: bool) -> None:
        lease, self._lease = self._lease, None
        if lease is not None:
            lease[0].give_back(lease[1], clean=clean)
