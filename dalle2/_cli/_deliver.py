"""What was paid for, brought to the user: saved, printed, and on no way lost.

The rule: whatever happens between the answer and the last line (a disk that fills, a reader that leaves, a
signal), each image ends up on disk or, at the least, with its URL on the screen.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from typing import NamedTuple

from . import _screen
from ._halt import unbroken
from ._words import describe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    from .._results._blocking import ImageResult
    from ._output import Place


class Delivered(NamedTuple):
    """One image after the attempt to save it: `path` is where it is, `error` why not where it should be."""

    image: ImageResult
    path: Path | None = None
    error: Exception | None = None
    on_stdout: bool = False


class Delivery:
    """The images of one paid call on their way to the user. What is taken is told, come what may."""

    def __init__(self, place: Place, count: int, *, model: str | None, as_json: bool) -> None:
        self._place = place
        self._count = count
        self._as_json = as_json
        self._images: Sequence[ImageResult] = ()
        self._delivered: list[Delivered] = []
        self._done = False
        self._model = model

    @property
    def count(self) -> int:
        """How many images there are."""
        return len(self._images)

    def take(self, images: Sequence[ImageResult]) -> None:
        """The images, before anything else is done: from here on none of them is lost."""
        self._images = images

    def save(self) -> None:
        """Save each image, whatever happens to the others."""
        for image in self._images[len(self._delivered) :]:
            self._delivered.append(self._save(image, len(self._delivered)))

    def _save(self, image: ImageResult, index: int) -> Delivered:
        place = self._place
        if place.is_stdout:
            return self._write(image, index)
        path = place.file(index, max(self._count, len(self._images)))
        try:
            if place.in_directory:
                path.mkdir(parents=True, exist_ok=True)
            return Delivered(image, image.save(path, overwrite=place.overwrite))
        except Exception as error:
            return Delivered(image, _rescue(image) if image.url is None else None, error)

    def _write(self, image: ImageResult, index: int) -> Delivered:
        """The first image goes to standard output; what a host adds unasked must not run into it."""
        try:
            if index == 0:
                _screen.picture(image.read())
                return Delivered(image, on_stdout=True)
            return Delivered(image, _rescue(image))
        except Exception as error:
            return Delivered(image, _rescue(image), error)

    def tell(self) -> None:
        """Print where the images are: paths or one document on stdout, and for an image that could not be
        saved its URL on stderr. No signal breaks this off.
        """
        with unbroken():
            self._done = True
            if self._as_json:
                images = [_described(each) for each in self._delivered]
                _screen.document(self._about() | {"images": images}, paid=True)
                return
            for each in self._delivered:
                if each.path is None and not each.on_stdout:
                    _tell_unsaved(each.image)
            paths = [str(each.path) for each in self._delivered if each.path is not None]
            if self._place.is_stdout:
                for path in paths:
                    _screen.tell(f"saved as {path}")
            elif paths:
                _screen.say(*paths, paid=True)

    def _about(self) -> dict[str, object]:
        """What is known of the call: of one that failed in part, little."""
        images = self._images
        return {
            "created": _iso(getattr(images, "created", None)),
            "model": getattr(images, "model", self._model),
            "request_id": getattr(images, "request_id", None),
            "cost": getattr(images, "cost", None),
            "adaptations": changes(images),
        }

    def break_off(self) -> None:
        """After an interrupt: keep what is held already, and tell all."""
        with unbroken():
            for image in self._images[len(self._delivered) :]:
                if image.content is None:
                    self._delivered.append(Delivered(image))
                elif self._place.is_stdout:
                    self._delivered.append(Delivered(image, _rescue(image)))
                else:
                    self._delivered.append(self._save(image, len(self._delivered)))
            if self._delivered and not self._done:
                with contextlib.suppress(OSError):  # told on stderr, and the signal is what ended the command
                    self.tell()

    def failures(self) -> list[Exception]:
        """Why images are not where they should be."""
        return [each.error for each in self._delivered if each.error is not None]


def changes(images: object) -> list[dict[str, object]]:
    """What was changed for a successor, as plain values."""
    names = ("field", "asked", "sent", "reason")
    return [{name: getattr(change, name) for name in names} for change in getattr(images, "adaptations", ())]


def _rescue(image: ImageResult) -> Path | None:
    """Save an image to the system's temporary directory, if it can be done."""
    with contextlib.suppress(Exception):
        folder = tempfile.mkdtemp(prefix="dalle2-")
        try:
            return image.save(folder)
        finally:
            with contextlib.suppress(OSError):
                os.rmdir(folder)  # which stays if the image is in it
    return None


def _tell_unsaved(image: ImageResult) -> None:
    """Where an image is that no disk took: at its URL, else here, since it is nowhere else."""
    if image.url is not None:
        _screen.tell(f"not saved, for now it is at {image.url}")
    else:
        _screen.tell(
            "not saved, and it is nowhere else than here, for a browser's address bar or `base64 -d`:"
        )
        _screen.tell(f"data:{image.media_type};base64,{image.b64_json}", prefix="")


def _described(each: Delivered) -> dict[str, object]:
    """An image in the document. One that was not saved has no `path`: if it is nowhere else, it is here."""
    image = each.image
    told: dict[str, object] = {
        "path": None if each.path is None else str(each.path),
        "url": image.url,
        "revised_prompt": image.revised_prompt,
        "media_type": image.media_type,
        "expires_at": _iso(image.expires_at),
        "error": None if each.error is None else describe(each.error),
    }
    if each.path is None and image.url is None:
        told["b64_json"] = image.b64_json
    return told


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
