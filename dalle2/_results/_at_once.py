"""Keeping several images at once, awaited: all are tried, and an interrupt tells what was kept before it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

from ._many import note_kept

R = TypeVar("R")
T = TypeVar("T")
K = TypeVar("K")


async def keep_each(
    images: Iterable[tuple[R, T]], keep: Callable[[R, T], Awaitable[K]]
) -> tuple[dict[int, K], dict[int, Exception]]:
    """Keep all images at once; gives what was kept and what failed, by their places."""
    import anyio

    kept: dict[int, K] = {}
    failed: dict[int, Exception] = {}

    async def one(index: int, image: R, target: T) -> None:
        try:
            kept[index] = await keep(image, target)
        except Exception as error:
            failed[index] = error

    try:
        async with anyio.create_task_group() as group:
            for index, (image, target) in enumerate(images):
                group.start_soon(one, index, image, target)
    except BaseException as interrupt:
        note_kept(interrupt, kept)
        raise
    return kept, failed
