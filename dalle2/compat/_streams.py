"""Streamed images as the SDK gives them: an iterable of events that is a context manager.

The rule: the call is made, and an answer that says no raised, before the stream is handed over, as with the
SDK; so its first event has come by then.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator
from typing import TYPE_CHECKING, Any, Self

from ._error_tree import officially
from ._shapes import usage_values

if TYPE_CHECKING:
    from .._calls._stream import FinalImage, PartialImage
    from ._error_tree import Tree


def event_values(event: PartialImage[Any] | FinalImage[Any]) -> dict[str, Any]:
    """The values of an event, as a host would have sent it."""
    image = event.image
    index = getattr(event, "index", None)
    values: dict[str, Any] = {
        "type": f"image_generation.{'completed' if index is None else 'partial_image'}",
        "b64_json": image.b64_json,
        "created_at": int(image.created.timestamp()),
        "output_format": (image.media_type or "image/png").partition("/")[2],
        "partial_image_index": index,
        **image.extra,
    }
    usage = getattr(event, "usage", None)
    if usage is not None:
        values["usage"] = usage_values(usage)
    return {name: value for name, value in values.items() if value is not None}


class Stream:
    """The events of one call."""

    def __init__(
        self,
        events: Generator[PartialImage[Any] | FinalImage[Any], None, None],
        shape: Callable[[dict[str, Any]], Any],
        tree: Tree,
        url: str,
    ) -> None:
        self._events = events
        self._shape = shape
        self._tree = tree
        self._url = url
        self._first = [next(events)]

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        with officially(self._tree, self._url):
            event = self._first.pop() if self._first else next(self._events)
        return self._shape(event_values(event))

    def close(self) -> None:
        """End the connection; it does not undo the bill."""
        self._events.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


class AsyncStream:
    """`Stream`, awaited."""

    def __init__(
        self,
        events: AsyncGenerator[PartialImage[Any] | FinalImage[Any], None],
        shape: Callable[[dict[str, Any]], Any],
        tree: Tree,
        url: str,
    ) -> None:
        self._events = events
        self._shape = shape
        self._tree = tree
        self._url = url
        self._first: list[PartialImage[Any] | FinalImage[Any]] = []

    async def begun(self) -> Self:
        """The stream once its first event is here."""
        self._first = [await anext(self._events)]
        return self

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        with officially(self._tree, self._url):
            event = self._first.pop() if self._first else await anext(self._events)
        return self._shape(event_values(event))

    async def close(self) -> None:
        """End the connection; it does not undo the bill."""
        await self._events.aclose()

    aclose = close

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close()
