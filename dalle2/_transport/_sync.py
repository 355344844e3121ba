"""Blocking exchanges."""

from __future__ import annotations

import importlib
import os
import threading
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, cast

from .._http import HttpRequest, Timeouts, TransportError
from ._carrier import CORE, maker
from ._exchange import Base, BaseAnswer
from ._pools import Slot, Slots

if TYPE_CHECKING:
    from types import ModuleType

    import httpx

    from .._http import Departure
    from ._callers import HttpClient
    from ._proxies import Named
    from ._watch import Guard, Watch


class Answer(BaseAnswer):
    """An answer whose body is still to come: iterate it for the decoded bytes, once; the `with` closes it."""

    __slots__ = ()

    def __enter__(self) -> Answer:
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        clean = kind is None
        try:
            if clean or self._lease is None:  # else the pool may be in the middle of something
                self._response.close()
        except Exception as problem:  # what came is here; only the connection is not used again
            clean = False
            self._let_interrupt_pass(problem)
        except BaseException:
            clean = False
            raise
        finally:
            self._release(clean=clean)

    def __iter__(self) -> Iterator[bytes]:
        try:
            held = self._held()
            if held is not None:
                yield held
                return
            packed = self._packed_otherwise()
            # As they come, without the steps between.
            chunks: Iterable[bytes] = self._response.iter_bytes() if packed else self._response.stream
            for chunk in chunks:
                yield from self._pieces(chunk)
            self._end()
            return
        except Exception as error:
            problem = self._broken(error)
        raise problem


class Transport(Base):
    """Blocking exchanges, over connections of our own or the caller's client."""

    kind = "Client"

    def __init__(self, client: HttpClient | None = None) -> None:
        super().__init__(client)
        self._own: dict[tuple[int, str, str, Named | None], Slots[Any]] = {}

    def open(
        self,
        request: HttpRequest,
        timeouts: Timeouts,
        *,
        api: bool,
        guard: Guard | None = None,
        departure: Departure | None = None,
    ) -> Answer:
        """Send a request; gives the answer once its headers are here. Raises `TransportError`.

        `departure` is told how far the request got, whatever is raised.
        """
        lib = self._library()
        watch = self._watch(timeouts, guard, departure)

        def trace(name: str, info: Mapping[str, object]) -> None:
            failure = watch.event(name, info)
            if failure is not None:
                info["return_value"].close()  # type: ignore[attr-defined]
                raise TransportError(failure)

        lease = None
        try:
            if self.client is None:
                lease = self._lease(lib, request.url, watch, timeouts)
                watch.slot = lease[1]
            made = self._built(lib, request, timeouts, trace, watch, api=api)
            if lease is not None:
                response = lease[1].transport.handle_request(made)
                if lib.__name__ != CORE:
                    response.request = made
            else:
                client = cast("httpx.Client", self.client)
                response = client.send(made, stream=True, follow_redirects=False, auth=None)
        except BaseException as error:
            if lease is not None:
                lease[0].give_back(lease[1], clean=False)
            comes_to = self._comes_to(lib, watch, error)
            if comes_to is error:
                raise
        else:
            self.peer = watch.peer or self.peer if api else self.peer
            return Answer(response, lib, watch, lease)
        finally:
            watch.departure.left = watch.sent
        if not isinstance(comes_to, BaseException):
            return Answer(comes_to, lib, watch)
        raise comes_to

    def _lease(
        self, lib: ModuleType, url: str, watch: Watch, timeouts: Timeouts
    ) -> tuple[Slots[Any], Slot[Any]]:
        scheme, proxy = self._routes.find(url)
        key = os.getpid(), lib.__name__, scheme, proxy
        slots = self._own.get(key)
        if slots is None:
            slots = self._own.setdefault(key, Slots(maker(lib, self.kind, scheme, proxy)))
        slot = slots.take()
        if slot is not None:
            return slots, slot
        rung = threading.Event()
        turn = slots.queue(rung.set)
        try:
            rung.wait(watch.at_most(timeouts.pool))
        except BaseException:
            slots.leave(turn)
            raise
        return slots, self._turned(slots, turn)

    def warm_up(self) -> None:
        """Load what a first call over https would."""
        self._prepare("https")
        importlib.import_module("encodings.idna")  # which the first look-up of a name loads

    def close(self) -> None:
        """Close the connections of our own; a caller's client is left as it is."""
        self.closed = True
        own, self._own = self._own, {}
        for (pid, *_), slots in own.items():
            if pid == os.getpid():
                slots.close()
