"""Where images go, and whether they can.

The rule: one test (`Place.check`) foresees, before anything is paid for, whatever saving there would end in;
it opens the files that saving opens, so that both know the same.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from .._results._atomic import has_image_suffix
from .._results._files import Target, is_directory_target, is_url
from ._words import WrongUsage

_MOST_IMAGES = 100
"""More than any host makes in one call: a wild `-n` is left to the check of the request."""


class Place(NamedTuple):
    """A file for one image (numbered for each of several), a directory where the library chooses names, or
    standard output.
    """

    path: Path
    in_directory: bool
    overwrite: bool
    is_stdout: bool = False

    @classmethod
    def from_option(cls, option: str | None, *, overwrite: bool) -> Place:
        """Read `-o`: without it the current directory; a name that ends in `/` is a directory to make."""
        text = "." if option is None else option
        if not text or "\0" in text:
            raise WrongUsage("--output must be a path, a directory or - (standard output)")
        if is_url(text):
            raise WrongUsage(
                "--output is a place on this disk, and no URL (begin it with ./ if a folder really has such "
                "a name): dalle2 bulk run --out puts into a store"
            )
        return cls(Path(text), is_directory_target(text), overwrite, text == "-")

    def file(self, index: int, count: int) -> Path:
        """The path for image `index` (from 0) of `count`: `corgi.png`, or `corgi-1.png` and so on."""
        if self.in_directory or count == 1:
            return self.path
        suffix = self.path.suffix if has_image_suffix(self.path) else ""
        return self.path.with_name(f"{self.path.name.removesuffix(suffix)}-{index + 1}{suffix}")

    def names(self, count: int) -> list[str]:
        """What `count` images will be called, if that is known beforehand."""
        if self.is_stdout or self.in_directory:
            return []
        return [str(self.file(index, count)) for index in range(min(count, _MOST_IMAGES))]

    def shown(self, count: int) -> str:
        """The place in words."""
        if self.is_stdout:
            return "standard output"
        return ", ".join(self.names(count)) or f"{os.path.join(self.path, '')} (named after the prompt)"

    def check(self, count: int, *, as_json: bool = False) -> None:
        """Raise what saving `count` images here would end in, as far as it can be foreseen: an `OSError`, or
        `WrongUsage` for standard output where it cannot take them.
        """
        if self.is_stdout:
            _check_stdout(count, as_json)
        elif self.in_directory:
            folder = self.path
            while not os.path.lexists(folder) and folder != folder.parent:
                folder = folder.parent  # what is missing is made when there is something to save
            with Target(folder, "probe", overwrite=False, inside=True).open():
                return
        else:
            for index in range(min(count, _MOST_IMAGES)):
                self._check_file(self.file(index, count))

    def _check_file(self, file: Path) -> None:
        with suppress(FileNotFoundError, NotADirectoryError):
            kind = os.stat(file).st_mode
            if not stat.S_ISREG(kind) and not stat.S_ISDIR(kind):
                raise OSError(errno.EINVAL, "is no regular file (-o - is standard output)", str(file))
        with Target(file, "probe", overwrite=self.overwrite).open():
            pass
        complete = file if has_image_suffix(file) else file.with_name(f"{file.name}.png")
        with suppress(FileNotFoundError):
            os.lstat(complete)  # a name that is too long is known here
            if not self.overwrite and not file.is_dir():
                raise FileExistsError(errno.EEXIST, "File exists", str(complete))


def _check_stdout(count: int, as_json: bool) -> None:
    if as_json:
        raise WrongUsage("-o - and --json both want standard output: leave one of them out")
    if count > 1:
        raise WrongUsage(f"-o - takes one image, and -n {count} asks for more: name a file or a directory")
    if getattr(sys.stdout, "buffer", None) is None:
        raise WrongUsage("-o - needs a standard output that takes bytes: name a file")
    if sys.stdout.isatty():
        raise WrongUsage("-o - would write the picture on the terminal: send it on (| or >), or name a file")
