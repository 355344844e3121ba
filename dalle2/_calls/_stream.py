"""A streamed call: what each event means, and what it means when the stream ends. No I/O.

The rule: a stream that ends without its final image may have been billed; the images that came are kept in
the error. A host or proxy that does not stream at all, and answers plain JSON, still gives the final image:
what a body is shows in its first byte, since the media type that a proxy declares is not to be trusted.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import TYPE_CHECKING, Generic, Literal, TypeAlias, TypeVar

import attrs

from .. import errors as e
from .._http import Failure, HttpResponse
from .._image._data import ImageData, ImagesData
from .._money import Usage
from .._requests._successor import Adaptation, fitted
from .._secrets import one_line, redact, shown_headers
from .._wire._body import JsonBody
from .._wire._context import came, request_id
from .._wire._errors import problem_error
from .._wire._images import plain
from .._wire._reading import read_any, read_damaged
from .._wire._sse import Event, EventParser
from .._wire._told import told_by
from ._outcome import lost_error
from ._paid import decode_images

if TYPE_CHECKING:
    from .._wire._context import Context
    from .._wire._images import Unreadable
    from ._plan import Plan

R = TypeVar("R")
V = TypeVar("V")

_BLANK = b"\xef\xbb\xbf \t\r\n"
_FIELDS = (b"data:", b"event:", b"id:", b"retry:", b":")
"""How a stream begins: with the name of a field, or a comment."""

_DOCUMENT = ("{", "[", "<")
_TRIES = 64
"""How often an event is looked at before it ends, so that a dripped one costs no more than it is long."""


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
        self._begun = False  # once it shows what the body is
        self._whole: JsonBody | None = None  # the answer of a host that does not stream
        self._damaged = False
        self._unread = bytearray()  # the events that gave nothing
        self._said: list[str] = []  # pieces of a text
        self._problem: Unreadable | None = None
        self._heard: Event | None = None  # before it ended
        self._tried: Event | None = None
        self._tries = 0
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
            request_id=request_id(self._head.headers, key=self._context.key),
            usage=Usage.total(self._usages),
            request=self._context.request,
            extra={},
            headers=shown_headers(self._head.headers, key=self._context.key.reveal()),
        )

    @property
    def over(self) -> bool:
        """Whether nothing more is waited for, whatever the host does."""
        return self._ended or self.complete

    def feed(self, chunk: bytes) -> Iterator[StreamEvent]:
        """The events that this chunk completes. Raises the error that an event reports."""
        self.received += len(chunk)
        if not self._begun:
            chunk = chunk.lstrip(_BLANK)
            if not chunk:
                return
            self._begun = True
            stream = any(field.startswith(chunk[: len(field)]) for field in _FIELDS)
            self._whole = None if stream and not chunk.startswith(b"data:image/") else JsonBody()
        if self._whole is not None:
            self._whole.feed(chunk)
            yield from self._plainly_early(self._whole)
            return
        for event in self._parser.feed(chunk):
            if not self._ended and event is not self._heard:
                yield from self._event(event)
        yield from self._last()

    def _plainly_early(self, body: JsonBody) -> Iterator[StreamEvent]:
        """The images of an answer that is no stream, once they are all there: its end may never come."""
        self._tries += body.closed
        if not body.closed or self._tries > _TRIES:
            return
        try:
            answer = decode_images(self._answer(body), self._context)
        except e.Dalle2Error:  # not yet, or what the end will tell
            return
        if isinstance(answer, ImagesData) and len(answer.images) >= self._plan.request.n:
            yield from self._plainly(answer)

    def _last(self) -> Iterator[StreamEvent]:
        """The event that is still open, once its document is whole: its end may never come."""
        event = self._parser.open
        if event is None or event is self._heard or self._ended or not event.data.closed:
            return
        self._tries = self._tries + 1 if event is self._tried else 1
        self._tried = event
        if self._tries > _TRIES or not told_by(event, self._head, self._context).finals:
            return
        self._heard = event
        yield from self._event(event)

    def _event(self, event: Event) -> Iterator[StreamEvent]:
        told = told_by(event, self._head, self._context)
        self._ended = told.end
        if told.text:
            self._said.append(told.text)
        if told.unread:
            self._damaged = self._damaged or not self._looks_idle(event)
            self._unread += b"event: %b\ndata: %b\n\n" % (event.name.encode(), event.data.raw())
        self._problem = self._problem or told.problem
        if told.partial is not None:
            image = fitted(told.partial, self._plan.scale)
            self._partials.append(image)
            yield PartialImage(len(self._partials) - 1 if told.number is None else told.number, image)
        yield from self._finished(told.finals, told.usage, again=told.again)
        if told.failure is not None and not self.complete:
            raise self._keeping(problem_error(told.failure, self._head, self._context, told.document))

    @staticmethod
    def _looks_idle(event: Event) -> bool:
        """Whether an event that holds no image is one document, so that it need not have held any."""
        try:
            event.data.document()
        except ValueError:
            return False
        return True

    def _finished(
        self, images: Iterable[ImageData], usage: object, *, again: bool = False
    ) -> Iterator[StreamEvent]:
        """The events of finished images; with `again` those that other events told before are left out."""
        new = [fitted(image, self._plan.scale) for image in images]
        if again:
            known = [(image.url, image.content) for image in self._finals]
            new = [image for image in new if (image.url, image.content) not in known]
        for number, image in enumerate(new, 1):
            self._finals.append(image)
            self._partials.clear()
            told = Usage.from_json(plain(usage)) if number == len(new) else None
            self._usages.append(told)
            yield FinalImage(image, told, self._plan.adaptations)

    def finish(self) -> Iterator[StreamEvent]:
        """After the last byte. Raises `OutcomeUnknownError` if a final image is missing."""
        if self._whole is not None and self._whole.text()[:1] in _DOCUMENT and not self._finals:
            answer = decode_images(self._answer(self._whole), self._context)
            if not isinstance(answer, ImagesData):
                task = one_line(redact(answer.id, key=self._context.key.reveal()), 60)
                raise self._early("unreadable", f"the images are made in the background, as task {task}")
            yield from self._plainly(answer)
        elif self._whole is not None and not self._finals:  # an image, or a text about one
            found = read_damaged(self._answer(self._whole), self._context).data.images
            yield from self._finished(found, None)
        if self._said and not self._finals:  # a chat, whose pieces make one text
            images = read_any({"content": "".join(self._said)}, self._head, self._context).data.images
            yield from self._finished(images, None)
        if self._problem is not None and not self.complete:
            raise self._keeping(
                e.DecodeError(
                    f"{self._context.host} streamed an image that cannot be read: {self._problem.problem}",
                    path=self._problem.path,
                    idempotency_key=self._context.idempotency_key,
                    body=came(self._answer(self._rest()), self._context),
                )
            )
        if not self._finals and self._damaged:
            raise self._early("unreadable", "no final image came, and an event was not one JSON document")
        if not self._finals or (self._partials and not self.complete):
            raise self._early("disconnected", "the stream ended before the final image")

    def _answer(self, body: JsonBody) -> HttpResponse:
        return HttpResponse(self._head.status, self._head.headers, body, self._head.at)

    def _rest(self) -> JsonBody:
        """What came and gave no image: events that nobody could read, and the one that is open."""
        if self._whole is not None:
            return self._whole
        body, event = JsonBody(), self._parser.open
        body.feed(bytes(self._unread))
        if event is not None and event is not self._heard:
            body.feed(b"event: %b\ndata: %b" % (event.name.encode(), event.data.raw()))
        return body

    def _plainly(self, answer: ImagesData) -> Iterator[StreamEvent]:
        """The images of an answer that is no stream; its `usage` goes with the last one."""
        yield from self._finished(answer.images, answer.usage)

    def lost(self, failure: Failure) -> e.Dalle2Error:
        """The error for a stream that broke off."""
        response = self._answer(self._rest())
        return self._keeping(lost_error(failure._replace(sent=True), self._context, response))

    def _early(self, reason: Literal["unreadable", "disconnected"], detail: str) -> e.Dalle2Error:
        return self.lost(Failure(reason, True, detail))

    def _keeping(self, error: e.Dalle2Error) -> e.Dalle2Error:
        known = [*self._finals, *self._partials]
        error.images = [*known, *(image for image in error.images if image not in known)]
        error.maybe_billed = True
        return error
