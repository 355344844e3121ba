"""The bytes of a free answer as they come, for files that are too large to be held."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from contextlib import aclosing
from typing import TYPE_CHECKING, cast

from .._http import TransportError
from ._loop import begun, begun_async

if TYPE_CHECKING:
    from .._http import Timeouts
    from .._transport._async import AsyncTransport
    from .._transport._sync import Transport
    from ._attempts import Attempts


def contents(
    attempts: Attempts[None], transport: Transport, timeouts: Timeouts
) -> Generator[bytes, None, None]:
    """The body of an answer. Raises the error of one that says no, or breaks off."""
    answer = begun(attempts, transport, timeouts)
    with answer:
        try:
            yield from answer
        except TransportError as error:
            failure = error.failure
        else:
            return
    raise attempts.broken(attempts.lost(failure))


async def contents_async(
    attempts: Attempts[None], transport: AsyncTransport, timeouts: Timeouts
) -> AsyncGenerator[bytes, None]:
    """`contents`, awaited."""
    answer = await begun_async(attempts, transport, timeouts)
    async with answer, aclosing(cast("AsyncGenerator[bytes, None]", aiter(answer))) as chunks:
        try:
            async for chunk in chunks:
                yield chunk
        except TransportError as error:
            failure = error.failure
        else:
            return
    raise attempts.broken(attempts.lost(failure))
