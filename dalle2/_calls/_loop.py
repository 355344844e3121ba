"""One logical call over a transport, blocking and awaited: the only two retry loops of this package.

The first attempt is bare; tenacity is entered only after a failure. What is repeated, how long is waited and
what is raised in the end is decided by `Attempts`.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterator
from contextlib import aclosing, contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar, cast

from .._http import HttpResponse, TransportError
from .._wire._body import JsonBody
from ..errors import Dalle2Error

if TYPE_CHECKING:
    from .._http import Failure, Timeouts
    from .._transport._async import AsyncAnswer, AsyncTransport
    from .._transport._sync import Answer, Transport
    from ..errors import SavableImage
    from ._attempts import Attempts
    from ._stream import FinalImage, PartialImage, StreamReader

T = TypeVar("T")
V = TypeVar("V")
R = TypeVar("R", bound="SavableImage")


def perform(run: Attempts[T], transport: Transport, timeouts: Timeouts) -> T:
    """The value of a call. Raises the error that is true of all its attempts."""
    return repeated(run, lambda: _attempt(run, transport, timeouts))


def repeated(run: Attempts[T], attempt_once: Callable[[], V]) -> V:
    """What `attempt_once` gives, repeated as the run decides."""
    run.reserve()
    try:
        try:
            return attempt_once()
        except Dalle2Error as error:
            if not run.repeats(error):
                raise
            run.begin_again(error)
        from ..retry import attempts

        again = attempts(run, time.sleep)
        while True:
            with next(again):
                run.replay()
                return attempt_once()
    except Dalle2Error as error:
        raise run.final(error) from None
    except BaseException:
        run.abandon()
        raise


def begin(run: Attempts[T], transport: Transport, timeouts: Timeouts) -> Answer:
    """Send the request once the lane is free; gives the answer with its body still to come."""
    while pause := run.pause():
        time.sleep(pause)
    try:
        return transport.open(run.call.request, run.start(timeouts), api=True)
    except TransportError as error:
        failure = error.failure
    raise run.lost(failure)


def _attempt(run: Attempts[T], transport: Transport, timeouts: Timeouts) -> T:
    with begin(run, transport, timeouts) as answer:
        return run.read(collect(run, answer))


def collect(run: Attempts[T], answer: Answer) -> HttpResponse:
    """The whole answer."""
    body = JsonBody()
    try:
        for chunk in answer:
            body.feed(chunk)
            run.tick(body.size)
    except TransportError as error:
        failure = error.failure
    else:
        return response_of(answer, body)
    return run.cut(failure, response_of(answer, body))


def response_of(answer: Answer | AsyncAnswer, body: JsonBody | None = None) -> HttpResponse:
    """An answer as a value, its body read or still to come."""
    return HttpResponse(
        answer.status, answer.headers, JsonBody() if body is None else body, datetime.now(UTC)
    )


def open_stream(run: Attempts[T], transport: Transport, timeouts: Timeouts) -> Answer:
    """The beginning of a streamed answer. Raises the error of one that says no."""

    def once() -> Answer:
        answer = begin(run, transport, timeouts)
        if not 200 <= answer.status < 300:
            with answer:
                run.read(collect(run, answer))
        return answer

    return repeated(run, once)


def stream(
    run: Attempts[T], answer: Answer, reader: StreamReader[R]
) -> Generator[PartialImage[R] | FinalImage[R], None, None]:
    """The events of a streamed answer. Closing the generator ends the connection."""
    with answer, ending(run, reader, answer):
        for chunk in answer:
            run.tick(reader.received)
            yield from reader.feed(chunk)
        yield from reader.finish()


@contextmanager
def ending(run: Attempts[T], reader: StreamReader[R], answer: Answer | AsyncAnswer) -> Iterator[None]:
    """Around a streamed answer: what its end means. One that breaks off with all its images here is whole."""
    try:
        yield
    except TransportError as error:
        failure: Failure | None = error.failure
    except Dalle2Error as error:
        raise run.broken(error) from None
    except GeneratorExit:
        if reader.complete:  # the caller has what it wanted
            run.streamed(reader.finals, answer.headers)
        raise
    else:
        failure = None
    if failure is not None and not reader.complete:
        raise run.broken(reader.lost(failure))
    run.streamed(reader.finals, answer.headers)


async def sleep(seconds: float) -> None:
    """Sleep on whichever event loop runs."""
    import anyio

    await anyio.sleep(seconds)


async def perform_async(run: Attempts[T], transport: AsyncTransport, timeouts: Timeouts) -> T:
    """`perform`, awaited."""
    return await repeated_async(run, lambda: _attempt_async(run, transport, timeouts))


async def repeated_async(run: Attempts[T], attempt_once: Callable[[], Awaitable[V]]) -> V:
    """`repeated`, awaited."""
    run.reserve()
    try:
        try:
            return await attempt_once()
        except Dalle2Error as error:
            if not run.repeats(error):
                raise
            run.begin_again(error)
        from ..retry import async_attempts

        again = async_attempts(run, sleep)
        while True:
            with await anext(again):
                run.replay()
                return await attempt_once()
    except Dalle2Error as error:
        raise run.final(error) from None
    except BaseException:
        run.abandon()
        raise


async def begin_async(run: Attempts[T], transport: AsyncTransport, timeouts: Timeouts) -> AsyncAnswer:
    """`begin`, awaited."""
    while pause := run.pause():
        await sleep(pause)
    try:
        return await transport.open(run.call.request, run.start(timeouts), api=True)
    except TransportError as error:
        failure = error.failure
    raise run.lost(failure)


async def _attempt_async(run: Attempts[T], transport: AsyncTransport, timeouts: Timeouts) -> T:
    async with await begin_async(run, transport, timeouts) as answer:
        return run.read(await collect_async(run, answer))


async def collect_async(run: Attempts[T], answer: AsyncAnswer) -> HttpResponse:
    """`collect`, awaited."""
    body = JsonBody()
    try:
        async for chunk in answer:
            body.feed(chunk)
            run.tick(body.size)
    except TransportError as error:
        failure = error.failure
    else:
        return response_of(answer, body)
    return run.cut(failure, response_of(answer, body))


async def open_stream_async(run: Attempts[T], transport: AsyncTransport, timeouts: Timeouts) -> AsyncAnswer:
    """`open_stream`, awaited."""

    async def once() -> AsyncAnswer:
        answer = await begin_async(run, transport, timeouts)
        if not 200 <= answer.status < 300:
            async with answer:
                run.read(await collect_async(run, answer))
        return answer

    return await repeated_async(run, once)


async def stream_async(
    run: Attempts[T], answer: AsyncAnswer, reader: StreamReader[R]
) -> AsyncGenerator[PartialImage[R] | FinalImage[R], None]:
    """`stream`, awaited."""
    body = cast("AsyncGenerator[bytes, None]", aiter(answer))
    async with answer, aclosing(body) as chunks:
        with ending(run, reader, answer):
            async for chunk in chunks:
                run.tick(reader.received)
                for event in reader.feed(chunk):
                    yield event
            for event in reader.finish():
                yield event
