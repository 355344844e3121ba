"""Decides how results show themselves where a person looks: in a notebook, in the system's viewer.

The rule: the picture itself is shown, since a link to it is dead within the hour. It is fetched only under a
notebook's kernel (IPython asks for the same in a terminal, where nobody would see it), only if a picture is
wanted, and only within the seconds and bytes that a cell can bear. Showing a value never raises: what cannot
be shown is said in a sentence. Awaited results are fetched by `await image.show()` only.
"""

from __future__ import annotations

import html
import os
import re
import sys
import threading
import time
from collections.abc import Collection, Sequence
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any

from .._image._media import suffix_for
from .._secrets import one_line
from ..errors import ConfigurationError, DownloadError

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    from PIL.Image import Image as PillowImage

    from .._image._data import ImageData
    from ._origins import BaseFetcher

    Kinds = Collection[str] | None
    Quickly = Callable[[ImageData, float, int], tuple[bytes, str]]

    class Shown(Protocol):
        """A result, as far as it is shown."""

        @property
        def _data(self) -> ImageData: ...
        @property
        def _fetcher(self) -> BaseFetcher[Any]: ...
        @property
        def is_expired(self) -> bool: ...
        def _hold(self, content: bytes, kind: str) -> bytes: ...


SECONDS = 5.0
"""For the images of one cell, which are fetched at once."""
LARGEST = 8 * 1024 * 1024
"""Bytes of an image."""
LARGEST_BUNDLE = 20 * 1024 * 1024
"""Bytes of all that one cell shows, as they are written into the notebook."""

_PICTURE = "image/[a-z0-9.+-]{1,40}"
_NATIVE = ("image/png", "image/jpeg", "image/gif")
_COLUMNS = "repeat(auto-fit,minmax(160px,max-content))"
_GRID = f"display:grid;gap:8px;grid-template-columns:{_COLUMNS};max-width:{{width}}px"


def in_kernel() -> bool:
    """Whether this is a notebook (or a console) with a kernel of its own, in which pictures can be seen."""
    get = getattr(sys.modules.get("IPython"), "get_ipython", None)
    shell = None if get is None else get()
    named = any(kind.__name__ == "ZMQInteractiveShell" for kind in type(shell).__mro__)
    return named or getattr(shell, "kernel", None) is not None


def bundle_of(result: Shown, include: Kinds, exclude: Kinds) -> dict[str, str]:
    """What a notebook shows of one image."""
    kinds = _wanted(include, exclude)
    if not kinds.isdisjoint({"text/html", *_NATIVE}):
        _fetch([result])
    return {kind: text for kind, text in _bundle(result, LARGEST).items() if kind in kinds}


def _bundle(result: Shown, largest: int | None) -> dict[str, str]:
    """One image as itself where notebooks know its type, else as HTML."""
    encoded, kind = _encoded(result, largest), result._data.media_type or ""
    picture = {kind: encoded} if encoded and kind in _NATIVE else {"text/html": _cell(result, encoded)}
    return {"text/plain": repr(result), **picture}


def grid_of(text: str, results: Sequence[Shown], include: Kinds, exclude: Kinds) -> dict[str, str]:
    """What a notebook shows of several images: side by side, as many in a row as there is room for."""
    kinds = _wanted(include, exclude)
    if "text/html" in kinds:
        _fetch(results)
    cells, room = [], LARGEST_BUNDLE
    for result in results:
        encoded = _encoded(result, LARGEST)
        cell = _cell(result, encoded if encoded and len(encoded) <= room else None)
        room -= len(cell)
        cells.append(f"<div>{cell}</div>")
    style = _GRID.format(width=320 * max(len(cells), 1))
    shown = {"text/plain": text, "text/html": f'<div style="{style}">{"".join(cells)}</div>'}
    return {name: value for name, value in shown.items() if name in kinds}


def _wanted(include: Kinds, exclude: Kinds) -> set[str]:
    """The media types that are asked for, of those that are shown here."""
    every = {"text/plain", "text/html", *_NATIVE}
    return (every.intersection(include) if include else every).difference(exclude or ())


def _encoded(result: Shown, largest: int | None) -> str | None:
    """The held bytes as base64, if they are a picture and not too large."""
    held = result._data.content
    known = held and re.fullmatch(_PICTURE, result._data.media_type or "")
    return result._data.b64_json if known and (largest is None or len(held or b"") <= largest) else None


def _cell(result: Shown, encoded: str | None) -> str:
    """One image as HTML: the picture, or a sentence in its place."""
    if encoded is None:
        return f"<em>{html.escape(_instead(result))}</em>"
    said = result._data.revised_prompt or result._data.prompt or "an image without a prompt"
    alt, source = html.escape(one_line(said, 200)), f"data:{result._data.media_type};base64,{encoded}"
    return f'<img alt="{alt}" style="max-width:100%" src="{source}">'


def _instead(result: Shown) -> str:
    """A sentence in place of a picture."""
    show = "image.show()" if _quickly(result) else "await image.show()"
    if result._data.content is not None and not re.fullmatch(_PICTURE, result._data.media_type or ""):
        return "These bytes are no picture that is known here; image.content has them."
    if result._data.content is not None:
        return f"This image is too large for this cell; {show} shows it."
    if result.is_expired:
        return f"This image's URL expired at {result._data.expires_at:%Y-%m-%d %H:%M:%S} UTC."
    return f"This image is not fetched yet; {show} shows it."


def _fetch(results: Sequence[Shown]) -> None:
    """Fetch what is to be shown, all at once; what does not come in time stays as it is."""
    missing = [
        (result, quickly)
        for result in results
        if result._data.content is None and not result.is_expired and (quickly := _quickly(result))
    ]
    if not missing or os.environ.get("DALLE2_NOTEBOOK_FETCH", "").strip() == "0" or not in_kernel():
        return
    threads = [threading.Thread(target=_fetch_one, args=one, daemon=True) for one in missing]
    end = time.monotonic() + SECONDS
    with suppress(RuntimeError):  # no more threads
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(max(end - time.monotonic(), 0.0))


def _quickly(result: Shown) -> Quickly | None:
    """How a result is fetched at once; `None` for one that must be awaited."""
    return getattr(result._fetcher, "quickly", None)


def _fetch_one(result: Shown, quickly: Quickly) -> None:
    with suppress(Exception):
        result._hold(*quickly(result._data, SECONDS, LARGEST))


def shown_in_kernel(result: Shown) -> bool:
    """Show a picture that is held in the notebook, if this is one; it was asked for, however large it is."""
    if not in_kernel():
        return False
    import_module("IPython.display").display(_bundle(result, None), raw=True)
    return True


def view(content: bytes, media_type: str | None) -> None:
    """Open a picture with the program that the system has for it; the file stays, for that program.

    Raises `ConfigurationError` where there is none.
    """
    import shutil
    import subprocess
    import tempfile

    start = getattr(os, "startfile", None)
    command = shutil.which("open" if sys.platform == "darwin" else "xdg-open")
    if start is None and command is None:
        raise ConfigurationError("no program that shows pictures was found: save it with image.save(...)")
    suffix = suffix_for(media_type or "")
    with tempfile.NamedTemporaryFile(prefix="dalle2-", suffix=suffix, delete=False) as file:
        file.write(content)
    if start is not None:
        start(file.name)
    else:
        subprocess.run([str(command), file.name], check=False, stdin=subprocess.DEVNULL)


def to_pil(content: bytes) -> PillowImage:
    """A picture for Pillow, decoded. Raises `ConfigurationError` without it, `DownloadError` if it cannot."""
    import io

    from .._requests._opened import require_pillow

    require_pillow()
    from PIL import Image

    try:
        picture = Image.open(io.BytesIO(content))
        picture.load()
    except Exception as problem:  # a damaged file makes the decoders of Pillow raise nearly anything
        reason = one_line(f"{type(problem).__name__}: {problem}", 120)
    else:
        return picture
    raise DownloadError(
        f"Pillow cannot read this image ({reason}); image.read() gives its bytes", reason="not_an_image"
    )
