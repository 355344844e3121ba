"""Results that fetch and save themselves, blocking: the loop around `Download`, which decides everything.

What failed in the transport is let go before anything is raised: its frames hold the request as it was sent.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from . import BaseImages, BaseResult, Target, data_from, in_order, made_directory, note_kept, partial_error
from ._download import Download
from ._origins import BaseFetcher

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Protocol, TypeVar

    from PIL.Image import Image as PillowImage

    from .._image._data import ImageData
    from .._transport._sync import Transport
    from ._uploads import Upload

    T = TypeVar("T")
    K = TypeVar("K")

    class Sink(Protocol):
        """Where the bytes go."""

        def write(self, data: bytes) -> object:
            """Append."""

        def restart(self) -> None:
            """Forget what was written."""

    class Fetches(Protocol):
        """A `dalle2.Client`, as far as fetching is concerned."""

        @property
        def _fetcher(self) -> Fetcher: ...


class Memory(BytesIO):
    """A sink that keeps the bytes, and gives them without a copy."""

    def restart(self) -> None:
        """Forget what was written."""
        self.truncate(self.seek(0))


class Fetcher(BaseFetcher["Transport"]):
    """Fetches images, blocking."""

    def fetch(self, image: ImageData, sink: Sink) -> str:
        """Write the whole image into `sink`; gives its media type.

        Raises `DownloadError`; the sink may hold a part then.
        """
        with self.how.telling_of_loss(image):
            download = Download(image, self.how, self._peer)
            with self._connected() as transport:
                wait = self._attempt(transport, download, sink)
                while wait is not None:
                    time.sleep(wait)
                    wait = self._attempt(transport, download, sink)
        return download.fetched()

    def quickly(self, image: ImageData, seconds: float, largest: int) -> tuple[bytes, str]:
        """The whole image and its media type, if it comes in that time and is not larger (bytes)."""
        memory = Memory()
        kind = Fetcher(self._transport, self.how.within(seconds, largest)).fetch(image, memory)
        return memory.getvalue(), kind

    def _attempt(self, transport: Transport, download: Download, sink: Sink) -> float | None:
        """One request; seconds until the next, `None` when the image is whole."""
        request, limits = download.request(), download.limits(transport.default_timeouts())
        try:
            with transport.open(request, limits, api=False, guard=download.refuse_address) as answer:
                if download.begin(answer.status, answer.headers):
                    sink.restart()
                for chunk in answer:
                    sink.write(download.feed(chunk))
            download.finish()
            return None
        except Download.AGAIN as failure:
            setback = download.judged(failure)
        return download.after(setback)

    @contextmanager
    def _connected(self) -> Iterator[Transport]:
        """The client's transport, else one for this image alone."""
        transport = self._usable()
        if transport is not None:
            yield transport
            return
        from .._transport._sync import Transport

        own = Transport()
        try:
            yield own
        finally:
            own.close()


class ImageResult(BaseResult[Fetcher]):
    """One image: a URL that dies or the bytes themselves, with the same ways to get at it.

    It outlives its client: with the client closed, or after unpickling, it downloads over a connection of
    its own.
    """

    __module__ = "dalle2"
    __slots__ = ()
    _fetchers = Fetcher

    def read(self) -> bytes:
        """The image's bytes, fetched once and kept.

        Raises `ImageExpiredError` if the URL is dead, `DownloadError` for anything else that keeps the whole
        image from coming, also for held bytes that are not one (`content` has them as they are). Fetching
        costs nothing; what can pass is tried again.
        """
        held = self._held()
        if held is not None:
            return held[0]
        memory = Memory()
        kind = self._fetcher.fetch(self._data, memory)
        return self._hold(memory.getvalue(), kind)

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
        """Save the image and give the path that it got; the bytes stream to the disk and are not kept.

        `path` is a file name, to which a missing suffix is added from the bytes, or a directory (an existing
        one, or a text that ends in a slash), in which the image gets a free name made from its prompt. The
        file appears whole or not at all, and an older one survives a failure.

        With `overwrite` an older file is replaced whole: links are followed, its mode stays, and a file that
        may not be written is not replaced; other hard links keep the older picture.

        Raises `InvalidRequestError` for what is no path on this disk, `FileExistsError` if the name is taken
        and `overwrite` is false, `FileNotFoundError`, `PermissionError` and other built-in `OSError`s for the
        local disk (a missing directory before anything is fetched), and like `read` for the rest.
        """
        return self._save(Target(path, self._stem, overwrite=overwrite))

    def _save(self, target: Target) -> Path:
        with target.open() as file:
            if self._data.content is not None:
                return self._publish_held(file, target)
            return target.publish(file, self._fetcher.fetch(self._data, file))

    def upload(self, url: str, *, overwrite: bool = False, provenance: bool = False) -> str:
        """Put the image into a store, and give the URL that it got; its bytes are fetched once and kept.

        `url` is `s3://`, `gs://`, `az://`, `memory://` or the like (extra `cloud`), or `file://`: a name, to
        which a missing suffix is added from the bytes, or a folder (a URL that ends in a slash), in which the
        image gets a free name made from its prompt. Credentials come from the store's own environment
        variables. The object appears whole or not at all; without `overwrite` none is replaced, and of
        several writers at once one wins (where the store has no such condition, it is looked for before).
        `provenance` puts `NAME.json` beside it: prompt, model, parameters, request id.

        Raises `InvalidRequestError` for what is no URL of a store, `ConfigurationError` without the extra or
        with settings that cannot be used, `FileExistsError` if the name is taken and `overwrite` is false,
        `FileNotFoundError` for a bucket that is not there, `PermissionError`, `ConnectionError`,
        `TimeoutError` and other built-in `OSError`s for the store (what can pass is tried again), and like
        `read` for the rest.
        """
        from ._uploads import Upload, Where

        sidecar = self._sidecar() if provenance else None
        return self._upload(Upload(Where(url), self._stem, overwrite=overwrite, sidecar=sidecar))

    def _upload(self, upload: Upload) -> str:
        from .._stores import perform

        if upload.where.path is not None:
            return upload.beside(self._save(upload.target()))
        perform(upload.before())
        return perform(upload.put(self.read(), self._kind()))

    def show(self) -> None:
        """Show the picture: in a notebook, else with the system's viewer. It is fetched if it must be.

        Raises like `read`, and `ConfigurationError` where no viewer is found.
        """
        from ._display import shown_in_kernel, view

        content = self.read()
        if not shown_in_kernel(self):
            view(content, self.media_type)

    def to_pil(self) -> PillowImage:
        """The picture for Pillow (extra `pillow`), decoded. It is fetched if it must be.

        Raises like `read`, `DownloadError` for a format that Pillow does not know, and `ConfigurationError`
        without Pillow.
        """
        from ._display import to_pil

        return to_pil(self.read())

    @classmethod
    def from_dict(cls, data: Mapping[str, object], *, client: Fetches | None = None) -> ImageResult:
        """The image that `to_dict` described, fetched through `client` if given.
        Raises `InvalidRequestError`.

        The mapping is believed, the API's place in it included: take it only from where you put it.
        """
        image, how = data_from(data)
        return cls(image, Fetcher(None, how) if client is None else client._fetcher)


class Images(BaseImages[ImageResult]):
    """The images of one call: a sequence of `ImageResult`."""

    __module__ = "dalle2"
    _kind = ImageResult

    def save(self, directory: str | os.PathLike[str], *, overwrite: bool = False) -> list[Path]:
        """Save all images into `directory`, which is made if it is missing, and give their paths in order.

        All are tried; if some failed, raises `DownloadError` with `.saved` (paths) and `.failed` (errors by
        index). `InvalidRequestError` for what is no directory on this disk.
        """
        made_directory(directory)
        saved, failed = _each(self._targets(directory, overwrite), ImageResult._save)
        if failed:
            raise partial_error(failed, self, saved=saved)
        return in_order(saved)

    def upload(self, prefix: str, *, overwrite: bool = False, provenance: bool = False) -> list[str]:
        """Put all images into the folder `prefix` of a store, and give their URLs in order.

        All are tried; if some failed, raises `DownloadError` with `.uploaded` (URLs) and `.failed` (errors by
        index). `InvalidRequestError` for what is no folder of a store, and like `image.upload` otherwise.
        """
        uploads = self._uploads(prefix, overwrite, provenance)
        uploaded, failed = _each(uploads, ImageResult._upload)
        if failed:
            raise partial_error(failed, self, uploaded=uploaded)
        return in_order(uploaded)


def _each(
    images: Iterable[tuple[ImageResult, T]], keep: Callable[[ImageResult, T], K]
) -> tuple[dict[int, K], dict[int, Exception]]:
    """Keep each image; gives what was kept and what failed, by their places."""
    kept: dict[int, K] = {}
    failed: dict[int, Exception] = {}
    for index, (image, target) in enumerate(images):
        try:
            kept[index] = keep(image, target)
        except Exception as error:
            failed[index] = error
        except BaseException as interrupt:
            note_kept(interrupt, kept)
            raise
    return kept, failed
