"""A folder in a store of `_stores` as the place of a run: `out="s3://bucket/pictures/"`.

The rule: the same as for a directory. An image appears whole or not at all, nothing that lies there is
replaced, and what can be refused is refused before anything is spent.
"""

from __future__ import annotations

from collections.abc import Iterator

from .._stores import Address, Bucket, perform
from ._place import STRANGER, NotListed


class Cloud:
    """A folder in a store. What is looked at is one listing, made when it is first asked for and kept until
    `probe`: what is put there since, the journal knows.
    """

    def __init__(self, bucket: Bucket, folder: Address) -> None:
        self.shown = folder.url
        self._bucket = bucket
        self._folder = folder
        self._listed: dict[str, int] | None = None

    @classmethod
    def at(cls, folder: Address) -> Cloud:
        """The folder of a URL. Raises `ConfigurationError`."""
        return cls(Bucket.open(folder), folder)

    @classmethod
    def of(cls, store: object) -> Cloud:
        """A store of obstore as its caller opened it."""
        folder = Address(f"{type(store).__name__}/", "")
        return cls(Bucket(store, folder.root), folder)

    def put(self, key: str, data: bytes, create: bool) -> None:
        """Like `Folder.put`; what is there may also be of an attempt whose answer was lost."""
        place = self._folder.within(key)
        try:
            perform(self._bucket.put(place.key, data))
        except FileExistsError:
            if not perform(self._bucket.same(place.key, data)):
                raise FileExistsError(17, STRANGER, place.url) from None

    def probe(self) -> None:
        """Like `Folder.probe`: a small object is put and removed."""
        self._listed = None
        self._bucket.probe(self._folder)

    @property
    def _sizes(self) -> dict[str, int]:
        if self._listed is None:
            try:
                self._listed = dict(self._bucket.entries(self._folder))
            except PermissionError as error:
                raise NotListed(error.errno, error.strerror, error.filename) from None
        return self._listed

    def entries(self, *, deep: bool) -> Iterator[str]:
        """The names of all objects, relative, with `/` between folders."""
        return (name for name in self._sizes if deep or "/" not in name)

    def size(self, key: str) -> int | None:
        """The size of an object; `None` if there is none."""
        return self._sizes.get(key)

    def lasts(self, error: Exception) -> bool:
        """A store that cannot be reached may be back in a moment; one that refuses does so again."""
        return isinstance(error, OSError) and not isinstance(error, (ConnectionError, TimeoutError))
