"""A streamed call: what each event means, and what it means when the stream ends. No I/O.

The rule: a stream that ends without its final image may have been billed; the partial images that came are kept in the error. A host
or proxy that does not stream at all, and answers plain JSON, still gives the final image.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Generic, TypeVar

import attrs

from . import errors as e
from ._http import Call, Failure, HttpResponse
from ._images import ImageData
from ._money import Usage
from ._outcome import Pending, lost_error
from ._successor import fitted
from ._wire._body import JsonBody
from ._wire._errors import Asked, problem_error, read_problem
from ._wire._images import Reading, Unreadable, created_at, plain, read_item
from ._wire._sse import EventParser

R = TypeVar("R")


@attrs.frozen
class PartialImage(Generic[R]):
    """An image on its way, `index` counting from 0: it can be shown and saved like a final one."""

    index: int
    image: R


@attrs.frozen
class FinalImage(Generic[R]):
    """A finished image. `usage` is what it cost in tokens, if the host said so."""

    image: R
    usage: Usage | None = None


class StreamReader(Generic[R]):
    """Takes the body of one streamed answer; gives typed events."""

    def __init__(
        self,
        response: HttpResponse,
        call: Call[object],
        asked: Asked,
        reading: Reading,
        wrap: Callable[[ImageData], R],
        scale: tuple[int, int] | None,
    ) -> None:
        self._response = response
        self._call = call
        self._asked = asked
        self._reading = reading
        self._wrap = wrap
        self._scale = scale
        self._parser = EventParser()
        self._whole = JsonBody()  # the answer of a host that does not stream
        self._streams = "json" not in response.headers.get("content-type", "text/event-stream")
        self._partial: list[R] = []
        self.finals = 0
        self.ended = False

    def feed(self, chunk: bytes) -> Iterator[PartialImage[R] | FinalImage[R]]:
        """The events that this chunk completes. Raises the error that an event reports."""
        if not self._streams:
            self._whole.feed(chunk)
            return
        for event in self._parser.feed(chunk):
            if self.ended:
                return
            if event.data.text().startswith("[DONE]"):
                self.ended = True
                return
            try:
                document = event.data.document()
            except ValueError:
                raise self._early("unreadable", "an event is not one JSON document") from None
            if not isinstance(document, Mapping):
                continue
            if document.get("error") or event.name == "error":
                fields = document if document.get("error") else {"error": document}
                raise self._keeping(
                    problem_error(read_problem(fields, ""), self._response, self._asked, fields)
                )
            yield from self._event(document, str(document.get("type") or event.name))

    def _event(self, fields: Mapping[str, object], name: str) -> Iterator[PartialImage[R] | FinalImage[R]]:
        kind = name.rpartition(".")[2]
        encoded = fields.get("b64_json") or fields.get("partial_image_b64") or fields.get("url")
        if kind not in ("partial_image", "completed") or not encoded:
            return
        created = created_at(fields.get("created_at"), self._response)
        item = {"b64_json": encoded} if not fields.get("url") else {"url": encoded}
        try:
            data = read_item(item, name, created, self._reading, fields.get("output_format"))
        except Unreadable as unreadable:
            raise self._keeping(
                e.DecodeError(
                    f"{self._asked.host} streamed an image that cannot be read: {unreadable.problem}",
                    path=unreadable.path,
                    idempotency_key=self._asked.idempotency_key,
                )
            ) from None
        if kind == "partial_image":
            image = self._wrap(data)
            self._partial.append(image)
            index = fields.get("partial_image_index")
            yield PartialImage(index if isinstance(index, int) else len(self._partial) - 1, image)
        else:
            self.finals += 1
            yield FinalImage(
                self._wrap(fitted(data, self._scale)), Usage.from_json(plain(fields.get("usage")))
            )

    def finish(self) -> Iterator[FinalImage[R]]:
        """After the last byte. Raises `OutcomeUnknownError` if no final image came."""
        if not self._streams:
            response = attrs.evolve(self._response, body=self._whole)
            images = self._call.decode(response)
            if isinstance(images, Pending) or not isinstance(images, list):
                raise self._early("unreadable", "the answer is a task, which cannot be streamed")
            for data in images:
                self.finals += 1
                yield FinalImage(self._wrap(fitted(data, self._scale)))
        elif not self.finals:
            raise self._early("disconnected", "the stream ended before the final image")

    def lost(self, failure: Failure) -> e.Dalle2Error:
        """The error for a stream that broke off: none, if the final image was there already."""
        return self._keeping(lost_error(attrs.evolve(failure, sent=True), self._asked))

    def _early(self, reason: str, detail: str) -> e.Dalle2Error:
        kind = "unreadable" if reason == "unreadable" else "disconnected"
        return self.lost(Failure(kind, True, detail))  # type: ignore[arg-type]

    def _keeping(self, error: e.Dalle2Error) -> e.Dalle2Error:
        error.images = list(self._partial)  # type: ignore[arg-type]
        error.maybe_billed = True
        return error
