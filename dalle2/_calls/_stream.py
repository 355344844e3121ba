"""A streamed call: what each event means, and what it means when the stream ends. No I/O.

The rule: a stream that ends without its final image may have been billed; the images that came are kept in
the error. A host or proxy that does not stream at all, and answers plain JSON, still gives the final image:
what a body is shows in its first byte, since the media type that a proxy declares is not to be trusted.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Generic, Literal, TypeAlias, TypeVar

import attrs

from .. import errors as e
from .._http import Failure, HttpResponse
from .._image._data import ImageData, ImagesData
from .._money import Usage
from .._requests._successor import Adaptation, fitted
from .._secrets import one_line
from .._wire._body import JsonBody
from .._wire._context import request_id
from .._wire._errors import problem_error
from .._wire._images import Unreadable, created_at, plain, read_item
from .._wire._problem import read_problem
from .._wire._sse import Event, EventParser
from ._outcome import lost_error
from ._paid import decode_images

if TYPE_CHECKING:
    from .._wire._context import Context
    from ._plan import Plan

R = TypeVar("R")
V = TypeVar("V")

_BLANK = b"\xef\xbb\xbf \t\r\n"
_DOCUMENT = (b"{", b"[", b"<")


class _Shown(Generic[R]):
    """An event that shows itself by its image."""

    __slots__ = ()
    image: R

    def _repr_mimebundle_(
        self, include: Collection[str] | None = None, exclude: Collection[str] | None = None
    ) -> dict[str, str]:
        """What a notebook shows."""
        shown: dict[str, str] = self.image._repr_mimebundle_(include, exclude)  # type: ignore[attr-defined]
        return shown


@attrs.frozen
class PartialImage(_Shown[R]):
    """An image on its way, `index` counting from 0: it can be shown and saved like a final one."""

    __module__ = "dalle2"

    index: int
    image: R

    def with_image(self, image: V) -> PartialImage[V]:
        """The same event with another form of its image."""
        return PartialImage(self.index, image)


@attrs.frozen
class FinalImage(_Shown[R]):
    """A finished image. `usage` is its tokens, if the host tells them; `adaptations` as in `Images`."""

    __module__ = "dalle2"

    image: R
    usage: Usage | None = None
    adaptations: tuple[Adaptation, ...] = ()

    def with_image(self, image: V) -> FinalImage[V]:
        """The same event with another form of its image."""
        return FinalImage(image, self.usage, self.adaptations)


StreamEvent: TypeAlias = PartialImage[ImageData] | FinalImage[ImageData]


class StreamReader:
    """Takes the body of one streamed answer, after `begin`; gives typed events."""

    def __init__(self, context: Context, plan: Plan) -> None:
        self._context = context
        self._plan = plan
        self._response: HttpResponse | None = None
        self._parser = EventParser()
        self._start: bytes | None = b""  # until it shows what the body is
        self._whole: JsonBody | None = None  # the answer of a host that does not stream
        self._damaged = False
        self._ended = False
        self._finals: list[ImageData] = []
        self._partials: list[ImageData] = []  # of the images that are still on their way
        self._usages: list[Usage | None] = []  # of the finished ones
        self.received = 0

    def begin(self, response: HttpResponse) -> None:
        """Take the head of the answer."""
        self._response = response

    @property
    def _head(self) -> HttpResponse:
        assert self._response is not None
        return self._response

    @property
    def complete(self) -> bool:
        """Whether all the images that were asked for came."""
        return len(self._finals) >= self._plan.request.n

    def data(self, *, partials: bool = False) -> ImagesData | None:
        """The images that came (the unfinished ones too, if wanted) as one answer; `None` if none came."""
        images = (*self._finals, *(self._partials if partials else ()))
        if not images:
            return None
        return ImagesData(
            images=images,
            created=images[0].created,
            model=self._context.model,
            request_id=request_id(self._head.headers),
            usage=Usage.total(self._usages),
            request=self._context.request,
            extra={},
        )

    def feed(self, chunk: bytes) -> Iterator[StreamEvent]:
        """The events that this chunk completes. Raises the error that an event reports."""
        self.received += len(chunk)
        if self._start is not None:
            self._start += chunk
            first = self._start.lstrip(_BLANK)[:1]
            if not first:
                return
            chunk, self._start = self._start, None
            self._whole = JsonBody() if first in _DOCUMENT else None
        if self._whole is not None:
            self._whole.feed(chunk)
            return
        for event in self._parser.feed(chunk):
            if not self._ended:
                yield from self._event(event)

    def _event(self, event: Event) -> Iterator[StreamEvent]:
        if event.data.text().startswith("[DONE]"):
            self._ended = True
            return
        try:
            fields = event.data.document()
        except ValueError:  # a heartbeat of a proxy, or the final image, damaged: the end will tell
            self._damaged = True
            return
        if not isinstance(fields, Mapping):
            return
        if fields.get("error") or event.name == "error":
            fields = fields if fields.get("error") else {"error": fields}
            raise self._keeping(problem_error(read_problem(fields, ""), self._head, self._context, fields))
        name = str(plain(fields.get("type")) or event.name)
        kind = name.rpartition(".")[2]
        if kind in ("partial_image", "completed"):
            yield from self._image(fields, name, final=kind == "completed")

    def _image(self, fields: Mapping[str, object], name: str, *, final: bool) -> Iterator[StreamEvent]:
        item = {
            "b64_json": fields.get("b64_json") or fields.get("partial_image_b64"),
            "url": fields.get("url"),
        }
        if not any(item.values()):
            return
        item |= {key: fields[key] for key in ("background", "quality", "size") if key in fields}
        created = created_at(fields.get("created_at"), self._head)
        try:
            data = read_item(item, name, created, self._context, fields.get("output_format"))
        except Unreadable as unreadable:
            raise self._keeping(
                e.DecodeError(
                    f"{self._context.host} streamed an image that cannot be read: {unreadable.problem}",
                    path=unreadable.path,
                    idempotency_key=self._context.idempotency_key,
                )
            ) from None
        image = fitted(data, self._plan.scale)
        if final:
            self._finals.append(image)
            self._partials.clear()
            usage = Usage.from_json(plain(fields.get("usage")))
            self._usages.append(usage)
            yield FinalImage(image, usage, self._plan.adaptations)
        else:
            self._partials.append(image)
            index = fields.get("partial_image_index")
            yield PartialImage(index if isinstance(index, int) else len(self._partials) - 1, image)

    def finish(self) -> Iterator[StreamEvent]:
        """After the last byte. Raises `OutcomeUnknownError` if a final image is missing."""
        if self._whole is not None:
            yield from self._plainly(
                HttpResponse(self._head.status, self._head.headers, self._whole, self._head.at)
            )
        elif not self._finals and self._damaged:
            raise self._early("unreadable", "no final image came, and an event was not one JSON document")
        elif not self._finals or (self._partials and not self.complete):
            raise self._early("disconnected", "the stream ended before the final image")

    def _plainly(self, response: HttpResponse) -> Iterator[StreamEvent]:
        """The images of an answer that is no stream; its `usage` goes with the last one."""
        answer = decode_images(response, self._context)
        if not isinstance(answer, ImagesData):
            task = one_line(answer.id, 60)
            raise self._early("unreadable", f"the images are made in the background, as task {task}")
        self._finals = [fitted(image, self._plan.scale) for image in answer.images]
        usage = Usage.from_json(answer.usage)
        self._usages = [usage]
        for number, image in enumerate(self._finals, 1):
            yield FinalImage(image, usage if number == len(self._finals) else None, self._plan.adaptations)

    def lost(self, failure: Failure) -> e.Dalle2Error:
        """The error for a stream that broke off."""
        return self._keeping(lost_error(failure._replace(sent=True), self._context))

    def _early(self, reason: Literal["unreadable", "disconnected"], detail: str) -> e.Dalle2Error:
        return self.lost(Failure(reason, True, detail))

    def _keeping(self, error: e.Dalle2Error) -> e.Dalle2Error:
        error.images = [*self._finals, *self._partials]
        error.maybe_billed = True
        return error
