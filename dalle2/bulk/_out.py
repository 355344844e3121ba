"""What `out` means: a directory, `file://`, a store's URL, a store of obstore, or an object with `put`.

The rule: what cannot keep an image is refused here, before anything is spent, and a store's library is loaded
only for a store.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ..errors import InvalidRequestError
from ._place import Folder

if TYPE_CHECKING:
    from ._place import Out, Place, Store


def folder_of(out: object) -> str | None:
    """The directory of this machine that `out` means, absolute; `None` for a store."""
    if not isinstance(out, (str, os.PathLike)):
        return None
    text = os.fspath(out)
    if "://" in text:
        from .._stores import local_path

        path = local_path(text, "out")
        return None if path is None else str(path)
    return os.path.abspath(text)


def awaited_store() -> InvalidRequestError:
    """The error of a store whose `put` is to be awaited, where nobody awaits."""
    return InvalidRequestError(
        "out.put must be awaited, which only arun, aresume and acollect do: use them, or give another",
        field="out",
    )


def place_of(out: Out) -> Place | Store:
    """The place that `out` means. Raises `InvalidRequestError` or `ConfigurationError`."""
    if isinstance(out, (str, os.PathLike)):
        text = os.fspath(out)
        if not text or "\0" in text:
            raise InvalidRequestError(f"out is {text!r:.60}: name a directory", field="out")
        if "://" not in text:
            return Folder(out)
        from .._stores import address_of, local_path

        path = local_path(text, "out")
        if path is not None:
            return Folder(path)
        from ._cloud import Cloud

        return Cloud.at(address_of(text, "out"))
    if any(kind.__module__ == "obstore.store" for kind in type(out).__mro__):
        from ._cloud import Cloud

        return Cloud.of(out)
    if hasattr(out, "pipe_file"):
        raise InvalidRequestError(
            "out is a file system of fsspec, whose put() copies files: give an object with put(key, data, "
            "create) around it, as docs/stores.md shows",
            field="out",
        )
    if callable(getattr(out, "put", None)):
        return out
    raise InvalidRequestError(
        f"out must be a directory, the URL of a store or have put(key, data, create); it is a "
        f"{type(out).__name__}",
        field="out",
    )
