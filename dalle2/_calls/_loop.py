"""One logical call over a transport, blocking and awaited: here calls wait, and nothing is decided.

The first attempt is bare; tenacity is entered only after a failure. What is repeated, how long is waited and
what is raised in the end is decided by `Attempts`. (Images are fetched by a loop of their own, `_fetch`.)
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterator
from contextlib import aclosing, contextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar, cast

from .._http import HttpResponse, TransportError
from .._wire._body import JsonBody
from ..errors import Dalle2Error
from ._outcome import limit_of

if TYPE_CHECKING:
    from .._http import Failure, Timeouts
    from .._image._data import ImagesData
    from .._transport._async import AsyncAnswer, AsyncTransport
    from .._transport._sync import Answer, Transport
    from .._wire._responses import Task
    from ._attempts import Attempts
    from ._stream import StreamEvent, StreamReader

T = TypeVar("T")
V = TypeVar("V")


def perform(attempts: Attempts[T], transport: Transport, timeouts: Timeouts) -> T:
    """The value of a call. Raises the error that is true of all its attempts."""

    def once() -> T:
        with _sent(attempts, transport, timeouts) as answer:
            return attempts.read(_collected(attempts, answer))

    return _repeated(attempts, once)


def _repeated(attempts: Attempts[T], once: Callable[[], V]) -> V:
    """What `once` gives, repeated as `attempts` decides."""
    attempts.reserve()
    with _telling(attempts):
        try:
            return once()
        except Dalle2Error as error:
            if not attempts.repeats(error):
                raise
        time.sleep(attempts.delay)
        from ..retry import again

        repeats = again(attempts, time.sleep)
        while True:
            with next(repeats):
                return once()


@contextmanager
def _telling(attempts: Attempts[T]) -> Iterator[None]:
    """Around all attempts of a call: what is raised is true of all of them, an interrupt included."""
    try:
        yield
    except Dalle2Error as error:
        final = attempts.final(error)
    except AssertionError:  # a test tool's own, such as respx's: it is about the test
        raise
    except BaseException as problem:
        if _stops(problem):
            _note_interrupt(problem, attempts)
            raise
        final = attempts.unforeseen(cast("Exception", problem))
    else:
        return
    raise final from None


def _stops(problem: BaseException) -> bool:
    """Whether it stops the call from outside: a cancel, a signal, whatever a signal handler raises."""
    if not isinstance(problem, Exception):
        return True
    try:
        from .._transport._handlers import raised_by_handler
    except (ImportError, OSError) as failed:  # no file can be read any more
        if getattr(failed, "errno", 0) is None:  # a signal handler's own
            raise
        return False
    return raised_by_handler(problem) is not None


def _note_interrupt(interrupt: BaseException, attempts: Attempts[T]) -> None:
    """Let an interrupt tell what may have been paid for."""
    unknown = attempts.interrupted()
    if unknown is not None:
        interrupt.add_note(
            f"dalle2: {attempts.call.context.operation} may have been billed, "
            f"idempotency key {unknown.idempotency_key}"
        )


def _sent(attempts: Attempts[T], transport: Transport, timeouts: Timeouts) -> Answer:
    """Send the request once the lane is free; gives the answer with its body still to come."""
    while pause := attempts.pause():
        time.sleep(pause)
    if attempts.call.keys is not None:
        attempts.call.use_key(attempts.call.keys.ask())
    limits, departure = attempts.start(timeouts)
    try:
        return transport.open(attempts.call.request, limits, api=True, departure=departure)
    except TransportError as error:
        failure = error.failure
    raise attempts.lost(failure)


def _collected(attempts: Attempts[T], answer: Answer) -> HttpResponse:
    """The whole answer; of one that says no, as much as an error keeps."""
    body = JsonBody(limit_of(answer.status))
    try:
        for chunk in answer:
            body.feed(chunk)
            attempts.tick(body.size)
            if body.full:
                break
    except TransportError as error:
        failure = error.failure
    else:
        return _response_of(answer, body)
    return attempts.cut(failure, _response_of(answer, body))


def _response_of(answer: Answer | AsyncAnswer, body: JsonBody | None = None) -> HttpResponse:
    """An answer as a value, its body read or still to come."""
    return HttpResponse(
        answer.status, answer.headers, JsonBody() if body is None else body, datetime.now(UTC)
    )


def stream(
    attempts: Attempts[ImagesData | Task], reader: StreamReader, transport: Transport, timeouts: Timeouts
) -> Generator[StreamEvent, None, None]:
    """The events of a streamed call. Closing the generator ends the connection."""

    answer = begun(attempts, transport, timeouts)
    with answer, _ending(attempts, reader, answer):
        reader.begin(_response_of(answer))
        for chunk in answer:
            attempts.tick(reader.received)
            yield from reader.feed(chunk)
            if reader.over:
                break
        yield from reader.finish()


def begun(attempts: Attempts[T], transport: Transport, timeouts: Timeouts) -> Answer:
    """An answer that says yes, its body still to come. Raises the error of any other."""

    def once() -> Answer:
        answer = _sent(attempts, transport, timeouts)
        if not 200 <= answer.status < 300:
            with answer:
                attempts.read(_collected(attempts, answer))
        return answer

    return _repeated(attempts, once)


@contextmanager
def _ending(
    attempts: Attempts[ImagesData | Task], reader: StreamReader, answer: Answer | AsyncAnswer
) -> Iterator[None]:
    """Around a streamed answer: what its end means. One that breaks off with all its images here is whole."""
    try:
        yield
    except TransportError as error:
        failure: Failure | None = error.failure
    except Dalle2Error as error:
        raise attempts.broken(error) from None
    except GeneratorExit:
        if reader.complete:  # the caller has what it wanted
            attempts.succeeded(reader.data(), answer.headers)
        raise
    except BaseException as problem:
        attempts.value = reader.data(partials=True)
        if not _stops(problem):
            raise attempts.unforeseen(cast("Exception", problem)) from None
        if reader.complete:
            attempts.succeeded(reader.data(), answer.headers)
        else:
            _note_interrupt(problem, attempts)
        raise
    else:
        failure = None
    if failure is not None and not reader.complete:
        raise attempts.broken(reader.lost(failure))
    attempts.succeeded(reader.data(), answer.headers)


async def sleep(seconds: float) -> None:
    """Sleep on whichever event loop runs."""
    import anyio

    await anyio.sleep(seconds)


async def perform_async(attempts: Attempts[T], transport: AsyncTransport, timeouts: Timeouts) -> T:
    """`perform`, awaited."""

    async def once() -> T:
        async with await _sent_async(attempts, transport, timeouts) as answer:
            return attempts.read(await _collected_async(attempts, answer))

    return await _repeated_async(attempts, once)


async def _repeated_async(attempts: Attempts[T], once: Callable[[], Awaitable[V]]) -> V:
    attempts.reserve()
    with _telling(attempts):
        try:
            return await once()
        except Dalle2Error as error:
            if not attempts.repeats(error):
                raise
        await sleep(attempts.delay)
        from ..retry import again_async

        repeats = again_async(attempts, sleep)
        while True:
            with await anext(repeats):
                return await once()


async def _sent_async(attempts: Attempts[T], transport: AsyncTransport, timeouts: Timeouts) -> AsyncAnswer:
    while pause := attempts.pause():
        await sleep(pause)
    if attempts.call.keys is not None:
        attempts.call.use_key(await attempts.call.keys.ask_awaited())
    limits, departure = attempts.start(timeouts)
    try:
        return await transport.open(attempts.call.request, limits, api=True, departure=departure)
    except TransportError as error:
        failure = error.failure
    raise attempts.lost(failure)


async def _collected_async(attempts: Attempts[T], answer: AsyncAnswer) -> HttpResponse:
    body = JsonBody(limit_of(answer.status))
    try:
        async with aclosing(cast("AsyncGenerator[bytes, None]", aiter(answer))) as chunks:
            async for chunk in chunks:
                body.feed(chunk)
                attempts.tick(body.size)
                if body.full:
                    break
    except TransportError as error:
        failure = error.failure
    except BaseException as problem:
        rest = answer.rest() if _stops(problem) else None
        if rest is not None:  # stopped behind the last byte: what was paid for is kept
            with suppress(Dalle2Error):
                deque(map(body.feed, rest))
                attempts.read(_response_of(answer, body))
        raise
    else:
        return _response_of(answer, body)
    return attempts.cut(failure, _response_of(answer, body))


async def stream_async(
    attempts: Attempts[ImagesData | Task],
    reader: StreamReader,
    transport: AsyncTransport,
    timeouts: Timeouts,
) -> AsyncGenerator[StreamEvent, None]:
    """`stream`, awaited."""

    answer = await begun_async(attempts, transport, timeouts)
    body = cast("AsyncGenerator[bytes, None]", aiter(answer))
    async with answer, aclosing(body) as chunks:
        with _ending(attempts, reader, answer):
            reader.begin(_response_of(answer))
            async for chunk in chunks:
                attempts.tick(reader.received)
                for event in reader.feed(chunk):
                    yield event
                if reader.over:
                    break
            for event in reader.finish():
                yield event


async def begun_async(attempts: Attempts[T], transport: AsyncTransport, timeouts: Timeouts) -> AsyncAnswer:
    """`begun`, awaited."""

    async def once() -> AsyncAnswer:
        answer = await _sent_async(attempts, transport, timeouts)
        if not 200 <= answer.status < 300:
            async with answer:
                attempts.read(await _collected_async(attempts, answer))
        return answer

    return await _repeated_async(attempts, once)
