"""Decides where in a store an image is put, and what it is called there.

The rule: as `save` decides it for the disk. A name that was given is kept, and gets the suffix of the bytes
if it has none; a folder, which is a URL that ends in a slash, gets a name made from the prompt, under which
nothing is. The image is put before its sidecar: whoever got the name describes what is under it. `file://` is
the disk, where `save` writes.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from .._image._media import suffix_for
from .._requests._draft import value_of
from .._requests._values import BaseRequest, parameters
from .._stores import SIDECAR, Address, Bucket, address_of, local_path, sidecar_of
from ..errors import InvalidRequestError
from ._atomic import AtomicFile, has_image_suffix, numbered
from ._files import PICTURES, Target
from ._numbers import free_number

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._image._data import ImageData, ImagesData
    from .._stores import Steps


class Where:
    """A URL that was given, opened. `several`: it is to hold several images.

    Raises `InvalidRequestError` for what is none, and `ConfigurationError` without obstore.
    """

    def __init__(self, url: str, *, several: bool = False) -> None:
        field = "prefix" if several else "url"
        self.path = local_path(url, field)
        self.named = not (several or url.endswith("/"))
        if several and url.lower().endswith(PICTURES):
            raise InvalidRequestError(
                f"{field} names one picture: put one with images[0].upload(...), or give a folder for all "
                f"of them; it is {url!r:.80}",
                field=field,
            )
        self.address = Address("", "")
        if self.path is None:
            self.address = address_of(url, field)
            self.named = self.named and not self.address.is_folder
            self.bucket = Bucket.open(self.address)


class Upload:
    """One image on its way to a URL: to a file if `where.path` says so, else `before` and `put`."""

    def __init__(
        self, where: Where, stem: str | Callable[[], str], *, overwrite: bool, sidecar: bytes | None
    ) -> None:
        self.where = where
        self._stem = stem
        self._overwrite = overwrite
        self._sidecar = sidecar

    def target(self) -> Target:
        """The file, its folder made: a store has none that could be missing. Raises the `OSError`s."""
        path = self.where.path
        assert path is not None
        (path.parent if self.where.named else path).mkdir(parents=True, exist_ok=True)
        return Target(path, self._stem, overwrite=self._overwrite, inside=not self.where.named)

    def beside(self, path: Path) -> str:
        """Write the sidecar of a file that was saved; gives the file's URL."""
        url = path.absolute().as_uri()
        if self._sidecar is not None:
            try:
                with AtomicFile(path.with_name(path.name + SIDECAR), overwrite=self._overwrite) as file:
                    file.write(self._sidecar)
                    file.commit(overwrite=self._overwrite)
            except OSError as error:
                problem = error
            else:
                return url
            raise _but_in_place(problem, url)
        return url

    def before(self) -> Steps[None]:
        """Before anything is fetched: raise `FileExistsError` for a name that is taken."""
        key = self.where.address.key
        if self.where.named and not self._overwrite and has_image_suffix(key):
            yield from self.where.bucket.refuse_taken(key)

    def put(self, content: bytes, media_type: str) -> Steps[str]:
        """Put the image, and its sidecar if it has one; gives its URL. Raises like `Bucket.put`."""
        bucket = self.where.bucket
        key = yield from self._placed(content, suffix_for(media_type))
        if self._sidecar is not None:
            try:
                yield from bucket.put(key + SIDECAR, self._sidecar, overwrite=self._overwrite)
            except OSError as error:
                problem = error
            else:
                return bucket.root + key
            raise _but_in_place(problem, bucket.root + key)
        return bucket.root + key

    def _placed(self, content: bytes, suffix: str) -> Steps[str]:
        address, bucket = self.where.address, self.where.bucket
        if self.where.named:
            key = address.key + ("" if has_image_suffix(address.key) else suffix)
            yield from bucket.put(key, content, overwrite=self._overwrite)
            return key
        name = Path((self._stem if isinstance(self._stem, str) else self._stem()) + suffix)
        number = 1
        while True:
            key = address.within(numbered(name, number).name).key
            try:
                yield from bucket.put(key, content, overwrite=self._overwrite)
                return key
            except FileExistsError:
                looks = free_number(number)
            number = next(looks)
            try:
                while True:
                    there = yield from bucket.look(address.within(numbered(name, number).name).key)
                    number = looks.send(not there)
            except StopIteration as found:
                number = found.value


def _but_in_place(problem: OSError, url: str) -> OSError:
    """The error of a sidecar, which must not hide where its image is."""
    said = f"{problem.strerror} (this is the sidecar; its image is in place: {url})"
    return type(problem)(problem.errno, said, problem.filename)


def sidecar(image: ImageData, answer: ImagesData | None) -> bytes:
    """What is known of how an image was made: all of it for an image of a call, less for one kept since."""
    request = None if answer is None else value_of(answer.request)
    assert request is None or isinstance(request, BaseRequest)
    sent = {} if request is None else {**parameters(request), "extra_body": request.extra_body}
    return sidecar_of(
        prompt=image.prompt,
        revised_prompt=image.revised_prompt,
        model=image.model,
        parameters=sent,
        request_id=None if answer is None else answer.request_id,
        created=image.created,
    )
