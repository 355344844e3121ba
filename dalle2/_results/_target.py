"""Where an image is saved: the path that was asked for, and the name that it gets in the end."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from .._image._media import suffix_for
from ._files import AtomicFile, has_image_suffix, is_directory_target

if TYPE_CHECKING:
    from collections.abc import Callable


class Target:
    """Where an image is to be saved: a file, or a name of its own in a directory.

    `stem` is that name, or gives it if it is wanted; `inside` says that `path` is a directory.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        stem: str | Callable[[], str],
        *,
        overwrite: bool,
        inside: bool = False,
    ) -> None:
        self._named = not (inside or is_directory_target(path))
        self._path = Path(path)
        if not self._named:
            self._path /= stem if isinstance(stem, str) else stem()
        self._overwrite = overwrite

    def open(self) -> AtomicFile:
        """The file that will become it. Raises the built-in `OSError`s, `FileExistsError` for a taken
        name.
        """
        if self._named and not self._overwrite and os.path.lexists(self._path):
            raise FileExistsError(17, "File exists (overwrite=True replaces it)", str(self._path))
        return AtomicFile(self._path)

    def publish(self, file: AtomicFile, media_type: str) -> Path:
        """Give the file its name: a missing suffix comes from the bytes."""
        path = self._path
        if not self._named or not has_image_suffix(path):
            path = path.with_name(path.name + suffix_for(media_type))
        if self._named or self._overwrite:
            return file.commit(path, overwrite=self._overwrite)
        return file.commit_unique(path)
