"""The images of one call, awaited: what is done to all of them is done at once, and each is tried."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import TypeVar

from . import BaseImages, in_order, made_directory, note_kept, partial_error
from ._awaited import AsyncImageResult, in_thread

T = TypeVar("T")
K = TypeVar("K")


class AsyncImages(BaseImages[AsyncImageResult]):
    """The images of one call: a sequence of `AsyncImageResult`."""

    __module__ = "dalle2"
    _kind = AsyncImageResult

    async def save(self, directory: str | os.PathLike[str], *, overwrite: bool = False) -> list[Path]:
        """Save all images into `directory`, which is made if it is missing, and give their paths in order.

        They are fetched at once, and all are tried; if some failed, raises `DownloadError` with `.saved`
        (paths) and `.failed` (errors by index). `InvalidRequestError` for what is no directory on this disk.
        """
        await in_thread(made_directory, directory)
        saved, failed = await _each(self._targets(directory, overwrite), AsyncImageResult._save)
        if failed:
            raise partial_error(failed, self, saved=saved)
        return in_order(saved)

    async def upload(self, prefix: str, *, overwrite: bool = False, provenance: bool = False) -> list[str]:
        """Put all images into the folder `prefix` of a store, and give their URLs in order.

        All are tried, at once; if some failed, raises `DownloadError` with `.uploaded` (URLs) and `.failed`
        (errors by index), `InvalidRequestError` for what is no folder of a store, else like `image.upload`.
        """
        uploads = await in_thread(self._uploads, prefix, overwrite, provenance)
        uploaded, failed = await _each(uploads, AsyncImageResult._upload)
        if failed:
            raise partial_error(failed, self, uploaded=uploaded)
        return in_order(uploaded)


async def _each(
    images: Iterable[tuple[AsyncImageResult, T]], keep: Callable[[AsyncImageResult, T], Awaitable[K]]
) -> tuple[dict[int, K], dict[int, Exception]]:
    """Keep all images at once; gives what was kept and what failed, by their places."""
    import anyio

    kept: dict[int, K] = {}
    failed: dict[int, Exception] = {}

    async def one(index: int, image: AsyncImageResult, target: T) -> None:
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
