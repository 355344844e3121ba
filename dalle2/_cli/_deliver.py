"""Where images go, and what is printed about them.

The rule: what can be refused about the place is refused before anything is paid for, and whatever was paid
for ends up on disk or, at the least, with its URL on the screen.
"""

from __future__ import annotations

import contextlib
import errno
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import attrs

from .._results._files import AtomicFile, has_image_suffix, is_directory_target

TYPE_CHECKING = False
if TYPE_CHECKING:
    from datetime import datetime

    from .._results._blocking import ImageResult


_MOST_IMAGES = 100
"""More than any host makes in one call: a wild `-n` is left to the check of the request."""


@attrs.frozen
class Place:
    """A file for one image (numbered for each of several), or a directory where the library chooses names."""

    path: Path
    in_directory: bool
    overwrite: bool

    @classmethod
    def from_option(cls, option: str | None, *, overwrite: bool) -> Place:
        """Read `-o`: without it the current directory; a name that ends in `/` is a directory to make."""
        text = "." if option is None else option
        return cls(Path(text), is_directory_target(text), overwrite)

    def file(self, index: int, count: int) -> Path:
        """The path for image `index` (from 0) of `count`: `corgi.png`, or `corgi-1.png` and so on."""
        if self.in_directory or count == 1:
            return self.path
        suffix = self.path.suffix if has_image_suffix(self.path) else ""
        return self.path.with_name(f"{self.path.name.removesuffix(suffix)}-{index + 1}{suffix}")

    def check(self, count: int) -> None:
        """Raise the `OSError` that saving `count` images here would end in, as far as it can be foreseen."""
        if self.in_directory:
            folder = self.path
            while not folder.exists():
                folder = folder.parent  # what is missing is made when there is something to save
            with AtomicFile(folder / "probe"):
                return
        with AtomicFile(self.file(0, count)):
            pass
        if self.overwrite:
            return
        for index in range(min(count, _MOST_IMAGES)):
            file = self.file(index, count)
            complete = file if has_image_suffix(file) else file.with_name(f"{file.name}.png")
            if complete.exists():
                raise FileExistsError(errno.EEXIST, "exists already; --overwrite replaces it", str(complete))


@attrs.frozen
class Delivered:
    """One image after the attempt to save it: `path` is where it is, `error` why not where it should be."""

    image: ImageResult
    path: Path | None
    error: Exception | None = None


def save_all(images: Sequence[ImageResult], place: Place, *, count: int) -> list[Delivered]:
    """Save each image, whatever happens to the others."""
    delivered: list[Delivered] = []
    try:
        for index, image in enumerate(images):
            delivered.append(_save(image, place, place.file(index, count)))
    except KeyboardInterrupt:
        print_paths([*delivered, *(Delivered(image, None) for image in images[len(delivered) :])])
        raise
    return delivered


def _save(image: ImageResult, place: Place, path: Path) -> Delivered:
    try:
        if place.in_directory:
            path.mkdir(parents=True, exist_ok=True)
        return Delivered(image, image.save(path, overwrite=place.overwrite))
    except Exception as error:
        return Delivered(image, _rescue(image) if image.url is None else None, error)


def _rescue(image: ImageResult) -> Path | None:
    """Save an image that exists nowhere else to the system's temporary directory, if it can be done."""
    with contextlib.suppress(Exception):
        return image.save(tempfile.mkdtemp(prefix="dalle2-"))
    return None


def print_paths(delivered: Sequence[Delivered]) -> None:
    """One path a line on stdout; for an image that could not be saved, its URL on stderr."""
    for each in delivered:
        if each.path is not None:
            print(each.path)
        elif each.image.url is not None:
            print(f"dalle2: not saved, for now it is at {each.image.url}", file=sys.stderr)


def print_document(created: datetime | None, model: str | None, delivered: Sequence[Delivered]) -> None:
    """One JSON document on stdout; datetimes are ISO 8601, UTC; `path` is `null` for an image not saved."""
    document = {
        "created": _iso(created),
        "model": model,
        "images": [
            {
                "path": None if each.path is None else str(each.path),
                "url": each.image.url,
                "revised_prompt": each.image.revised_prompt,
                "media_type": each.image.media_type,
                "expires_at": _iso(each.image.expires_at),
                "error": None if each.error is None else str(each.error),
            }
            for each in delivered
        ],
    }
    print(json.dumps(document, ensure_ascii=False, indent=2))


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
