"""What blocking and awaited exchanges decide alike: which library carries them, and what they come to."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Literal

from .._http import Failure, TransportError, flat
from ..errors import ConfigurationError
from ._building import build, core_request
from ._carrier import CORE, Routes, engine, maker
from ._pools import Slot, Slots, Turn
from ._watch import Watch

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import ModuleType

    import httpx

    from .._http import Departure, HttpRequest, Timeouts
    from ._encodings import Unpacker
    from ._watch import Guard


class Base:
    """A transport, without its I/O."""

    kind: Literal["Client", "AsyncClient"]

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
        return engine(self.kind) if self.lib is None else self.lib

    def _closed(self) -> ConfigurationError:
        what = "this client" if self.closed else "the http_client of this client"
        return ConfigurationError(f"{what} is closed: make a new one")

    def _turned(self, slots: Slots[Any], turn: Turn[Any]) -> Slot[Any]:
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
            maker(lib, self.kind, scheme, None)

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
    ) -> Any:
        """The library's request. Raises `TransportError` for one that cannot be made: nothing was sent."""
        extensions: dict[str, object] = {"timeout": watch.phases(timeouts), "trace": trace}
        try:
            if lib.__name__ == CORE:
                return core_request(lib, request, extensions, watch, api=api)
            return build(lib, request, extensions, watch, self.client, api=api)
        except (ValueError, getattr(lib, "InvalidURL", ValueError)) as error:
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


class BaseAnswer:
    """An answer, without the I/O: its head, and how the bytes of its body are handed on.

    One layer of gzip or deflate is unpacked, piece by piece.
    """

    __slots__ = (
        "_lease", "_lib", "_response", "_started", "_unpacker", "_watch", "_whole", "headers", "status",
    )  # fmt: skip

    def __init__(
        self,
        response: Any,
        lib: ModuleType,
        watch: Watch,
        lease: tuple[Slots[Any], Slot[Any]] | None = None,
    ) -> None:
        if lib.__name__ == CORE and not isinstance(response, lib.Response):
            lib = importlib.import_module("httpx")  # an exception of which brought it
        self._response = response
        self._lib = lib
        self._watch = watch
        self._lease = lease
        self._started = False
        self._whole = False
        self._unpacker: Unpacker | None = None
        if lib.__name__ == CORE:
            self.status, raw = response.status, response.headers
        else:
            self.status, raw = response.status_code, response.headers.raw
        self.headers = flat(raw)

    def _held(self) -> bytes | None:
        """The body, if a hook or a transport of the caller's has read it; `None` if it is to come."""
        response, lib = self._response, self._lib
        if self._started:
            raise ValueError("its body was read before")
        self._started = True
        if lib.__name__ == CORE:
            return None
        try:
            read: bytes = response.content
            return read
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
        from ._encodings import OURS, Unpacker, as_httpx, layers

        names = layers(self.headers["content-encoding"])
        if len(names) > 1:
            raise ValueError(f"it is packed {len(names)} times, which can swell without bound")
        if names and names[0] in OURS:
            self._unpacker = Unpacker(names[0])
        otherwise = bool(names) and self._unpacker is None
        if otherwise and self._lib.__name__ == CORE:
            self._lib = importlib.import_module("httpx")
            self._response = as_httpx(self._lib, self._response)
        return otherwise

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
