"""A picture is taken in every form in which people have it, or one line says which call makes bytes of it."""

from __future__ import annotations

import base64
import errno
import gc
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import dalle2
from dalle2._requests._inputs import LARGEST, InputImage
from dalle2._requests._sources import read_source
from dalle2.errors import InvalidRequestError
from dalle2.testing import Emulator


def picture(form: str = "PNG", side: int = 8) -> bytes:
    """A small picture."""
    buffer = io.BytesIO()
    Image.effect_noise((side, side), 90).convert("RGB").save(buffer, form)
    return buffer.getvalue()


PNG = picture()
TEXT = base64.b64encode(PNG).decode()

WRITTEN: dict[str, str | bytes] = {
    "base64": TEXT,
    "base64 as bytes": TEXT.encode(),
    "base64 in lines": base64.encodebytes(PNG).decode(),
    "base64 of URLs": base64.urlsafe_b64encode(PNG).decode(),
    "base64 without filling": TEXT.rstrip("="),
    "base64 with a line break": f"\n{TEXT}\n",
    "data URI": f"data:image/png;base64,{TEXT}",
    "data URI as bytes": f"data:image/png;base64,{TEXT}".encode(),
    "data URI in capitals": f"DATA:image/png;BASE64,{TEXT}",
    "data URI with parameters": f"data:image/png;name=a.png;base64,{TEXT}",
    "data URI of a wrong type": f"data:application/octet-stream;base64,{TEXT}",
    "data URI with white space": f"  data:image/png;base64, {TEXT}\n",
    "data URI of escaped bytes": "data:image/png," + "".join(f"%{byte:02x}" for byte in PNG),
    "data URI of escaped base64": "data:;base64," + TEXT.replace("+", "%2B").replace("/", "%2F"),
}


@pytest.mark.parametrize("form", WRITTEN)
def test_a_picture_that_is_written_out_is_decoded(form: str) -> None:
    """As image, as mask, and where a picture is made fit."""
    given = WRITTEN[form]
    assert dalle2.read_input(given).data == PNG
    assert dalle2.read_input(given, "mask").data == PNG
    assert dalle2.prepare_image(given) == dalle2.prepare_image(PNG)
    assert dalle2.mask_from_box(given, (0, 0, 1, 1)) == dalle2.mask_from_box(8, (0, 0, 1, 1))


@pytest.mark.parametrize("form", ["PNG", "JPEG", "GIF", "WEBP"])
@given(side=st.integers(4, 40), lines=st.integers(0, 90))
def test_each_format_is_known_by_its_base64(form: str, side: int, lines: int) -> None:
    """However it is broken into lines."""
    data = picture(form, side)
    text = base64.b64encode(data).decode()
    wrapped = "\n".join(re.findall(f".{{1,{lines}}}", text)) if lines else text
    assert dalle2.read_input(wrapped).data == data


REFUSED: list[tuple[object, list[str]]] = [
    ("https://h.example/a.png?sig=secret", ["a URL", "client.image(url).read()"]),
    (" HTTP://h.example/a.png", ["client.image(url).read()"]),
    (b"https://h.example/a.png", ["client.image(url).read()"]),
    ("s3://bucket/a.png", ["a URL", "its bytes"]),
    ("file:///tmp/a.png", ["a URL", "its path"]),
    ("data:image/png;base64,", ["data URI", "holds no picture"]),
    ("data:image/png;base64", ["data URI", "holds no picture"]),
    ("data:image/png;base64,not base64!", ["data URI", "holds no picture"]),
    ("data:image/png;base64,ä", ["data URI", "holds no picture"]),
    ("data:image/png;base64," + TEXT[: len(TEXT) // 8 * 4], ["cut off"]),
    (TEXT[: len(TEXT) // 8 * 4], ["cut off"]),
    (TEXT + "*", ["the base64 of a PNG picture", "damaged"]),
    (TEXT + "ä", ["the base64 of a PNG picture", "damaged"]),
    (base64.b64encode(picture("BMP")).decode(), ["a BMP picture", "prepare_image"]),
    (picture("TIFF"), ["a TIFF picture", "prepare_image"]),
    (picture("JPEG2000"), ["a JPEG 2000 picture", "prepare_image"]),
    (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(600), ["a HEIC picture", "prepare_image"]),
    ("a" * 5000, ["a text of 5000 characters", "longer than a path"]),
    ("aGVsbG8g" * 100_000, ["a text of 800000 characters"]),
    (b"no picture at all", ["plain text"]),
]


@pytest.mark.parametrize(("source", "words"), REFUSED, ids=[str(number) for number in range(len(REFUSED))])
def test_what_cannot_be_taken_is_told_in_one_line(source: Any, words: list[str]) -> None:
    """The kind of thing it is and what to do, and nothing of what it holds."""
    for field in ("image", "mask"):
        with pytest.raises(InvalidRequestError) as caught:
            dalle2.read_input(source, field)
        message = str(caught.value)
        assert caught.value.field == field
        assert message.startswith(field)
        assert all(word in message for word in words), message
        assert len(message) < 300
        assert "\n" not in message
        assert "secret" not in message


class Array:
    """What numpy and torch have in common."""

    @property
    def __array_interface__(self) -> dict[str, object]:
        """Where the numbers lie."""
        return {"shape": (4, 4, 3), "typestr": "|u1", "version": 3}


class Tensor:
    """What answers numpy by a method."""

    def __array__(self) -> object:
        """The numbers."""
        raise NotImplementedError


@pytest.mark.parametrize("array", [Array(), Tensor()])
def test_an_array_is_told_what_to_call(array: Any) -> None:
    """Its numbers are no file: Pillow makes a picture of them."""
    for use in (dalle2.read_input, dalle2.prepare_image):
        with pytest.raises(InvalidRequestError, match=r"PIL\.Image\.fromarray\(array\)"):
            use(array)


class Upload:
    """An upload as async web frameworks hand it over."""

    async def read(self, size: int = -1) -> bytes:
        """What must be awaited."""
        return PNG


class Future:
    """What can be awaited and not closed."""

    def __await__(self) -> None:
        raise NotImplementedError


class Promised:
    """A file whose `read()` gives one."""

    def read(self, size: int = -1) -> Future:
        """What is there later."""
        return Future()


class ReadsAll:
    """A file-like thing whose `read` takes no size."""

    def read(self) -> bytes:
        """All of it."""
        return PNG


@pytest.mark.parametrize("upload", [Upload(), Promised()])
def test_an_awaited_upload_is_told_what_to_await(upload: Any) -> None:
    """Nothing complains later that a coroutine was never awaited."""
    with pytest.raises(InvalidRequestError, match=r"await file\.read\(\).*UploadFile"):
        dalle2.read_input(upload)
    gc.collect()


def test_a_file_that_cannot_be_read_in_pieces_is_refused() -> None:
    """Without a size there is no limit to what comes."""
    with pytest.raises(InvalidRequestError, match="cannot be read"):
        dalle2.read_input(ReadsAll())  # type: ignore[arg-type]


def test_what_holds_bytes_is_read_as_they_are(tmp_path: Path) -> None:
    """A result, an HTTP answer, and an input that was read already, also where a picture is made fit."""
    image = dalle2.read_input(PNG)
    assert dalle2.prepare_image(image) == dalle2.prepare_image(PNG)  # type: ignore[arg-type]
    with Emulator().client() as http, dalle2.Client("sk-test", http_client=http) as client:
        made = client.generate("a corgi", size="256x256")[0]
        assert dalle2.prepare_image(made) == dalle2.prepare_image(made.read())  # type: ignore[arg-type]


def test_a_file_that_is_named_like_base64_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is there wins over what it may mean."""
    monkeypatch.chdir(tmp_path)
    name = base64.urlsafe_b64encode(picture("GIF", 2))[:80].decode()
    (tmp_path / name).write_bytes(PNG)
    assert dalle2.read_input(name).data == PNG


def test_a_long_path_is_told_in_short(tmp_path: Path) -> None:
    """The built-in error keeps its kind and number, and shows both ends of the name."""
    path = tmp_path / Path(*["d" * 90] * 30)
    with pytest.raises(FileNotFoundError) as caught:
        dalle2.read_input(path)
    assert caught.value.errno == errno.ENOENT
    assert len(str(caught.value)) < 200
    with pytest.raises(FileNotFoundError) as short:
        dalle2.read_input("none.png")
    assert short.value.filename == "none.png"


def test_no_more_is_read_than_is_asked_for(tmp_path: Path) -> None:
    """A file of any length costs one byte more than the limit."""
    path = tmp_path / "a.png"
    path.write_bytes(PNG * 10)
    assert len(read_source(path, "image", 20)) == 21


@pytest.mark.parametrize(
    "make",
    [lambda p: p, lambda p: str(p), lambda p: p.read_bytes(), lambda p: p.open("rb")],
    ids=["path", "text", "bytes", "file"],
)
def test_the_usual_sources_stay_what_they_were(make: Callable[[Path], Any], tmp_path: Path) -> None:
    """Whatever else is understood now."""
    path = tmp_path / "a.png"
    path.write_bytes(PNG)
    source = make(path)
    assert dalle2.read_input(source) == InputImage.of(PNG)
    if hasattr(source, "close"):
        source.close()
    assert len(PNG) < LARGEST
