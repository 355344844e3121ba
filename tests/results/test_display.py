"""How results show themselves: in a notebook's cell, in the system's viewer, as Pillow's picture."""

from __future__ import annotations

import base64
import io
import os
import re
import sys
import threading
import types
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import PIL.Image
import pytest

import dalle2
from dalle2._image._data import ImageData
from dalle2._image._media import size_of
from dalle2._results import _display
from dalle2.testing import Emulator

from ..faults.server import IMAGE, Connection, FaultServer, good

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


def picture(kind: str, width: int, height: int) -> bytes:
    """A picture of that kind and size."""
    file = io.BytesIO()
    PIL.Image.new("P" if kind == "GIF" else "RGB", (width, height)).save(file, kind)
    return file.getvalue()


GIF, WEBP = picture("GIF", 1, 2), picture("WEBP", 3, 4)


def result_of(content: bytes | None, **more: Any) -> dalle2.ImageResult:
    """A result that holds these bytes."""
    return dalle2.ImageResult(ImageData(created=NOW, content=content, **more))


class Shell:
    """The shell of IPython in a terminal."""


class ZMQInteractiveShell(Shell):
    """The shell of a notebook's kernel, by its name."""


class ColabShell(ZMQInteractiveShell):
    """One that is made from it."""


class Other:
    """An equal of another make, which names its kernel."""

    kernel = object()


class Notebook:
    """IPython, as far as it is asked: a shell, and what was displayed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, shell: object) -> None:
        self.shown: list[dict[str, str]] = []
        ipython, display = types.ModuleType("IPython"), types.ModuleType("IPython.display")
        ipython.get_ipython = lambda: shell  # type: ignore[attr-defined]
        display.display = lambda data, raw: self.shown.append(data)  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "IPython", ipython)
        monkeypatch.setitem(sys.modules, "IPython.display", display)


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine is no reason for a cell to give up here."""
    monkeypatch.setattr(_display, "SECONDS", 60.0)


@pytest.fixture
def notebook(monkeypatch: pytest.MonkeyPatch) -> Notebook:
    """A notebook around the test."""
    return Notebook(monkeypatch, ZMQInteractiveShell())


@pytest.fixture
def server() -> Iterator[FaultServer]:
    """A store of images."""
    with FaultServer() as server:
        yield server


def at(server: FaultServer, path: str = "/a.png", **options: Any) -> dalle2.ImageResult:
    """A result of a client of that server."""
    with dalle2.Client("sk-secret", base_url=server.origin, **options) as client:
        return client.image(server.origin + path)


@pytest.mark.parametrize(
    "shell", [ZMQInteractiveShell(), ColabShell(), Other()], ids=["Jupyter", "Colab", "other"]
)
def test_a_notebook_shows_the_picture_itself(
    monkeypatch: pytest.MonkeyPatch, server: FaultServer, shell: object
) -> None:
    """Fetched once when the cell is shown, and kept: a link would be dead within the hour."""
    Notebook(monkeypatch, shell)
    image = at(server, "/a.png?sig=TOPSECRET")
    bundle = image._repr_mimebundle_()
    assert bundle["image/png"] == base64.b64encode(IMAGE).decode()
    assert set(bundle) == {"text/plain", "image/png"}
    assert image._repr_mimebundle_() == image._repr_mimebundle_()
    assert image.content == IMAGE
    assert len(server.requests) == 1


@pytest.mark.parametrize("shell", [None, Shell()], ids=["plain Python", "terminal"])
def test_nothing_is_fetched_where_nobody_can_see_it(
    monkeypatch: pytest.MonkeyPatch, server: FaultServer, shell: object
) -> None:
    """IPython asks for a bundle in terminals too; a `repr` never asks anybody, not even in a notebook."""
    image = at(server, "/a.png?sig=TOPSECRET")
    if shell is not None:
        Notebook(monkeypatch, shell)
    html = image._repr_mimebundle_()["text/html"]
    assert "image.show()" in html
    assert "TOPSECRET" not in html and "src" not in html
    Notebook(monkeypatch, ZMQInteractiveShell())
    repr(image)
    assert server.requests == []


@pytest.mark.parametrize(
    ("include", "exclude", "asked", "kinds"),
    [
        ({"text/plain"}, None, 0, {"text/plain"}),
        (None, {"text/html", "image/png", "image/jpeg", "image/gif"}, 0, {"text/plain"}),
        (["image/png"], [], 1, {"image/png"}),
        ({"text/html"}, None, 1, set()),
        (None, {"text/plain"}, 1, {"image/png"}),
        ((), (), 1, {"text/plain", "image/png"}),
    ],
)
def test_only_a_picture_that_is_wanted_is_fetched(
    notebook: Notebook, server: FaultServer, include: Any, exclude: Any, asked: int, kinds: set[str]
) -> None:
    """`include` and `exclude` are kept, as IPython means them."""
    assert set(at(server)._repr_mimebundle_(include=include, exclude=exclude)) == kinds
    assert len(server.requests) == asked


def test_fetching_for_notebooks_can_be_turned_off(
    notebook: Notebook, server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`DALLE2_NOTEBOOK_FETCH=0`; any other value leaves it on."""
    monkeypatch.setenv("DALLE2_NOTEBOOK_FETCH", " 0 ")
    assert "image.show()" in at(server)._repr_mimebundle_()["text/html"]
    assert server.requests == []
    monkeypatch.setenv("DALLE2_NOTEBOOK_FETCH", "1")
    assert "image/png" in at(server)._repr_mimebundle_()


def test_showing_never_raises(
    notebook: Notebook, server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A refusal, a broken client, no more threads: a sentence in place of the picture."""
    server.then(lambda c: c.reply(404, b"gone") if c.read() else None, forever=good)
    assert "image.show()" in at(server)._repr_mimebundle_()["text/html"]
    broken = at(server)
    monkeypatch.setattr(broken._fetcher, "_transport", object())
    assert "image.show()" in broken._repr_mimebundle_()["text/html"]

    def no_more(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", no_more)
    assert "image.show()" in at(server)._repr_mimebundle_()["text/html"]


def test_a_cell_waits_for_seconds_only(notebook: Notebook, server: FaultServer, monkeypatch: Any) -> None:
    """What drips or hangs is left behind when its time is over, and other images are shown."""
    monkeypatch.setattr(_display, "SECONDS", 0.3)

    def slow(c: Connection) -> None:
        c.read()
        c.reply(headers={"Content-Type": "image/png"}, upto=1000)
        c.hold()

    server.then(slow, forever=good)
    image = at(server)
    assert "image.show()" in image._repr_mimebundle_()["text/html"]
    assert image.content is None


def test_a_cell_bears_no_more_than_it_can(
    notebook: Notebook, server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Too large an image is not fetched to its end, nor shown if it is held; nor are too many."""
    monkeypatch.setattr(_display, "LARGEST", len(IMAGE) - 1)
    image = at(server)
    assert "image.show()" in image._repr_mimebundle_()["text/html"]
    assert image.content is None
    image.read()
    assert "too large for this cell" in image._repr_mimebundle_()["text/html"]
    monkeypatch.undo()
    monkeypatch.setattr(_display, "LARGEST_BUNDLE", len(image.b64_json or "") + 500)
    images = of_a_call()
    for result in images:
        result._hold(IMAGE, "image/png")
    html = images._repr_mimebundle_()["text/html"]
    assert (html.count("<img"), html.count("too large for this cell")) == (1, 2)


def of_a_call(n: int = 3, **options: Any) -> dalle2.Images:
    """The images of one call, not fetched."""
    emulator = Emulator()
    with emulator.client() as http, dalle2.Client("sk-test", http_client=http, **options) as client:
        return client.generate('a <fox> & "friends"', n=n, size="256x256")


def test_several_images_stand_in_a_grid(notebook: Notebook) -> None:
    """All fetched at once, each with its prompt as the text for those who do not see it; slices too."""
    emulator = Emulator()
    with emulator.client() as http, dalle2.Client("sk-test", http_client=http) as client:
        images = client.generate('a <fox> & "friends"', n=4, size="256x256")
        some = images[1:3]._repr_mimebundle_()
        assert some["text/html"].count("data:image/png;base64,") == 2
        assert [image.content is None for image in images] == [True, False, False, True]
        html = images._repr_mimebundle_()["text/html"]
    assert html.count("data:image/png;base64,") == 4
    assert html.count('alt="a &lt;fox&gt; &amp; &quot;friends&quot;"') == 4
    assert "display:grid" in html
    assert "2 image(s)" in some["text/plain"]
    assert set(images._repr_mimebundle_(include={"text/plain"})) == {"text/plain"}


def test_every_kind_of_picture_is_shown() -> None:
    """PNG, JPEG and GIF as what they are, others inside HTML; unknown bytes and dead URLs in words."""
    assert set(result_of(GIF)._repr_mimebundle_()) == {"text/plain", "image/gif"}
    webp = result_of(WEBP, revised_prompt="a <b>")._repr_mimebundle_()["text/html"]
    assert webp.startswith('<img alt="a &lt;b&gt;"') and "data:image/webp;base64," in webp
    assert "without a prompt" in result_of(WEBP)._repr_mimebundle_()["text/html"]
    assert "no picture that is known" in result_of(b"?")._repr_mimebundle_()["text/html"]
    assert "unknown type" in repr(result_of(b"?"))
    dead = dalle2.ImageResult(ImageData.of_url("https://a.example/x?sig=x&se=2020-01-01", created=NOW))
    assert "expired at 2020-01-01 00:00:00 UTC" in dead._repr_mimebundle_()["text/html"]


def test_an_event_of_a_stream_is_shown_by_its_image() -> None:
    """Partial and final ones; `include` and `exclude` are kept."""
    for event in (dalle2.PartialImage(0, result_of(GIF)), dalle2.FinalImage(result_of(GIF))):
        assert set(event._repr_mimebundle_()) == {"text/plain", "image/gif"}
        assert set(event._repr_mimebundle_(exclude={"text/plain"})) == {"image/gif"}
    assert dalle2.PartialImage(0, "a") == dalle2.PartialImage(0, "a")


def test_an_awaited_result_is_shown_by_awaiting_it(notebook: Notebook, server: FaultServer) -> None:
    """A cell cannot await: it names what can; held bytes are shown at once."""

    async def main() -> None:
        async with dalle2.AsyncClient("sk-secret", base_url=server.origin) as client:
            image = client.image(server.origin + "/a.png")
            assert "await image.show()" in image._repr_mimebundle_()["text/html"]
            assert server.requests == []
            await image.show()
            assert image._repr_mimebundle_()["image/png"] == image.b64_json

    anyio.run(main)
    assert [base64.b64decode(data["image/png"]) for data in notebook.shown] == [IMAGE]


def test_a_host_cannot_write_on_the_page(notebook: Notebook) -> None:
    """Names and types that a host or a stored text gives are shown made harmless."""
    evil = 'image/x"><script>alert(1)</script>\x1b[31m'
    stored = {"created": 1, "b64_json": base64.b64encode(b"?").decode(), "media_type": evil, "prompt": evil}
    image = dalle2.ImageResult.from_dict(stored)
    shown = image._repr_mimebundle_()
    assert "<script" not in shown["text/html"]
    assert all(text.isprintable() for text in shown.values())


def test_show_in_a_notebook_displays_the_picture(
    notebook: Notebook, server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However large, and whatever its type; it is fetched if it must be, and fails as `read` does."""
    monkeypatch.setattr(_display, "LARGEST", 10)
    at(server).show()
    result_of(WEBP).show()
    png, webp = notebook.shown
    assert base64.b64decode(png["image/png"]) == IMAGE
    assert "data:image/webp;base64," in webp["text/html"]
    with pytest.raises(dalle2.DownloadError):
        result_of(b"no image").show()


@pytest.mark.parametrize("kind", [dalle2.ImageResult, dalle2.AsyncImageResult])
def test_show_elsewhere_opens_the_systems_viewer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: Any
) -> None:
    """The picture goes into a file that stays, and the program that the system has for it is called."""
    viewer = tmp_path / ("open" if sys.platform == "darwin" else "xdg-open")
    viewer.write_text(f'#!/bin/sh\nprintf %s "$1" > "{tmp_path}/called"\n')
    viewer.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    image = kind(ImageData(created=NOW, content=IMAGE))
    shown = image.show()
    if shown is not None:
        shown.close()
        anyio.run(image.show)
    called = Path((tmp_path / "called").read_text())
    assert called.name.startswith("dalle2-") and called.suffix == ".png"
    assert called.read_bytes() == IMAGE


def test_without_a_viewer_the_way_out_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server has none; on Windows the system itself opens files."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(dalle2.ConfigurationError, match=r"image\.save"):
        result_of(IMAGE).show()
    assert list(tmp_path.iterdir()) == []
    opened: list[str] = []
    monkeypatch.setattr(os, "startfile", opened.append, raising=False)
    result_of(IMAGE).show()
    assert [Path(name).read_bytes() for name in opened] == [IMAGE]


def test_the_size_is_what_the_header_says() -> None:
    """`None` until the bytes are held, and for what has no pixels; a cut picture still says it."""
    image = result_of(GIF)
    assert (image.width, image.height) == (1, 2)
    assert (result_of(WEBP).width, result_of(WEBP).height) == (3, 4)
    assert (result_of(None).width, result_of(None).height) == (None, None)
    with PIL.Image.open(io.BytesIO(IMAGE)) as known:
        assert (result_of(IMAGE).width, result_of(IMAGE).height) == known.size
        assert size_of(IMAGE[:200]) == known.size
    for content in (b"", b"?", b"{}" * 400, b"<svg></svg>", b"\x89PNG\r\n\x1a\n" + b"\0" * 200_000):
        assert size_of(content) is None


def test_pillow_gets_the_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    """Decoded; what it cannot read is told, and a missing Pillow names the extra."""
    assert result_of(IMAGE).to_pil().size == (result_of(IMAGE).width, result_of(IMAGE).height)
    awaited = dalle2.AsyncImageResult(ImageData(created=NOW, content=GIF))
    assert anyio.run(awaited.to_pil).size == (1, 2)
    with pytest.raises(dalle2.DownloadError, match=r"Pillow cannot read.*image\.read\(\)") as caught:
        result_of(b"<svg></svg>").to_pil()
    assert caught.value.reason == "not_an_image"
    monkeypatch.setitem(sys.modules, "PIL", None)
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    with pytest.raises(dalle2.ConfigurationError, match=re.escape("[pillow]")):
        result_of(IMAGE).to_pil()
