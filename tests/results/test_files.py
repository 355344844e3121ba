"""Where an image is saved, and under a name that every system takes."""

from __future__ import annotations

import io
import os
import tempfile
import unicodedata
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import dalle2
from dalle2._image._data import ImageData
from dalle2._results._files import AtomicFile, has_image_suffix, is_directory_target, safe_stem
from dalle2.testing import Emulator

from ..faults.server import IMAGE

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("path", "has"),
    [
        ("photo.png", True),
        ("photo.JPEG", True),
        ("dir.png/photo", False),
        ("photo v1.2", False),
        ("photo.2x", False),
        ("photo.", False),
        ("photo", False),
        ("", False),
        ("photo.toolongx", False),
        ("photo.png\n", False),
        ("photo.pn g", False),
        (Path("x") / "photo.webp", True),
    ],
)
def test_a_suffix_is_told_from_a_version_number(path: str | Path, has: bool) -> None:
    """Only a dot, a letter and up to five more letters or digits make a suffix."""
    assert has_image_suffix(path) is has


def test_a_directory_is_one_that_exists_or_is_written_as_one(tmp_path: Path) -> None:
    """A trailing separator says directory, whether it exists or not."""
    assert is_directory_target(tmp_path)
    assert is_directory_target(str(tmp_path))
    assert is_directory_target(f"{tmp_path}/missing/")
    assert is_directory_target("missing/")
    assert not is_directory_target(tmp_path / "missing")
    assert not is_directory_target("")


@pytest.mark.parametrize(
    ("prompt", "stem"),
    [
        ("a corgi astronaut, studio photo", "a-corgi-astronaut-studio-photo"),
        ("  It's   a\n\ttest!  ", "Its-a-test"),
        ("../../etc/passwd", "etc-passwd"),
        ("..", "image"),
        ("", "image"),
        ("\0\x1b[31m", "31m"),
        ("C:\\Windows\\a.png", "C-Windows-a-png"),
        ("-rf --no", "rf-no"),
        (".hidden", "hidden"),
        ("snake_case_", "snake_case_"),
        ("photo v1.2", "photo-v1-2"),
        ("CON", "CON-image"),
        ("nul.", "nul-image"),
        ("com1", "com1-image"),
        ("LPT¹", "LPT¹-image"),
        ("console", "console"),
        ("abc\u202egnp.exe", "abcgnp-exe"),
        ("e\u0301te\u0301", "été"),
        ("\u0301a", "a"),
        ("a-\u0301b", "a-b"),
        ("x\ud800y", "xy"),
        ("x\ue000y", "xy"),
        ("猫が宇宙を飛ぶ、写真", "猫が宇宙を飛ぶ-写真"),
        ("кот в космосе", "кот-в-космосе"),
        ("قطة في الفضاء", "قطة-في-الفضاء"),
        ("अंतरिक्ष में बिल्ली", "अंतरिक्ष-में-बिल्ली"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("می\u200c \u200c", "می"),
        ("pass\u200cword", "password"),
        ("👩\u200d👩\u200d👧 👍🏽 50%", "👩\u200d👩\u200d👧-👍🏽-50"),
        ("／∕⁄＼", "image"),
        ("w" * 100, "w" * 60),
        ("a" * 50 + " " + "b" * 20, "a" * 50),
        ("a" * 60 + " b", "a" * 60),
        ("猫" * 100, "猫" * 60),
        ("𠀀" * 100, "𠀀" * 50),
        ("Z" + "\u0335" * 50, "Z" + "\u0335" * 8),
        ("é\u200d" + "\u200d" * 30, "é"),
        ("क" + "\u0941" * 8 + "\u200dक", "क" + "\u0941" * 8 + "क"),
    ],
)
def test_a_prompt_gives_a_readable_name(prompt: str, stem: str) -> None:
    """Any script stays, and what a file name cannot hold or should not is left out."""
    assert safe_stem(prompt) == stem


def test_the_name_for_nothing_can_be_chosen() -> None:
    """A prompt of which nothing remains, or a reserved one, uses the fallback."""
    assert safe_stem("???", fallback="picture") == "picture"
    assert safe_stem("aux", fallback="picture") == "aux-picture"


RESERVED = {
    "con",
    "prn",
    "aux",
    "nul",
    *(f"{port}{digit}" for port in ("com", "lpt") for digit in "0123456789¹²³"),
}
TRICKY = st.sampled_from(
    "\u200d\u200c\u0301\u202e\ud800👩🏽🇩é-_. /\\:\0क\u094dᄀ\u1161\u0958\ufeff"
) | st.sampled_from(["con", "COM1", "..", "a" * 70])


@settings(deadline=None)  # a disk may be busy
@given(st.text() | st.lists(TRICKY | st.text(max_size=2), max_size=90).map("".join))
@example("\u0958" * 80)
@example("\u1100\u00ad\u1161" * 40)
@example("ﷺ" * 80)
def test_any_prompt_gives_a_name_that_every_system_takes(prompt: str) -> None:
    """Short, valid UTF-8 in NFC, without separators, controls and reserved names; the disk agrees."""
    stem = safe_stem(prompt)
    assert stem
    assert len(stem.encode()) <= 200
    assert unicodedata.normalize("NFC", stem) == stem
    assert stem[0] not in "-. " and stem[-1] not in "-. "
    assert "--" not in stem
    assert not set(stem) & set('/\\:*?"<>|.\0 \n')
    kinds = {unicodedata.category(char) for char in stem if char not in "\u200c\u200d"}
    assert not kinds & {"Cc", "Cf", "Cs", "Co", "Cn", "Zs", "Zl", "Zp"}
    assert stem.lower() not in RESERVED
    assert unicodedata.category(stem[0])[0] != "M"
    with tempfile.TemporaryDirectory() as directory:
        with AtomicFile(Path(directory) / f"{stem}-999.png") as file:
            path = file.commit(overwrite=False)
        assert path.parent == Path(directory) and os.listdir(directory) == [path.name]


LETTERS = st.tuples(
    st.sampled_from("aeоक猫ㅏ👍"), st.text(alphabet="\u0301\u0323\u094d\ufe0f", max_size=3)
).map("".join)


@given(st.lists(LETTERS, min_size=1, max_size=90))
def test_a_cut_never_parts_a_letter_from_its_marks(letters: list[str]) -> None:
    """The name of a long prompt is made of its first letters, each with all of its marks."""
    beginnings = {unicodedata.normalize("NFC", "".join(letters[:end])) for end in range(1, 61)}
    assert safe_stem("".join(letters)) in beginnings


# --- what is no place ---


def image(content: bytes = IMAGE) -> dalle2.ImageResult:
    """A result that holds its bytes."""
    return dalle2.ImageResult(ImageData(created=NOW, content=content, prompt="a fox"))


def images() -> dalle2.Images:
    """Two images of one call."""
    emulator = Emulator()
    with emulator.client() as http, dalle2.Client("sk-test", http_client=http, download="eager") as client:
        return client.generate("a fox", n=2, size="256x256")


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("", "empty"),
        ("a\0b.png", "no file name can hold"),
        ("a\udfffb\ud800.png", "no file name can hold"),
        ("s3://bucket/a.png", "local disk"),
        ("HTTPS://example.com/a.png", "local disk"),
        (Path("gs://bucket/a.png"), "local disk"),
        ("file:///tmp/a.png", "local disk"),
        (5, "must be a text or a path; it is int"),
        (None, "it is NoneType"),
        (io.BytesIO(), r"file\.write\(image\.read\(\)\)"),
    ],
)
def test_what_is_no_place_on_this_disk_is_refused(
    path: Any, words: str, tmp_path: Path, monkeypatch: Any
) -> None:
    """`InvalidRequestError` names the argument and what to call; nothing is written, nothing fetched."""
    monkeypatch.chdir(tmp_path)
    for save, field in ((image().save, "path"), (images().save, "directory")):
        with pytest.raises(dalle2.InvalidRequestError, match=words) as caught:
            save(path)
        assert caught.value.field == field
    with pytest.raises(dalle2.InvalidRequestError, match=words):
        anyio.run(dalle2.AsyncImageResult(ImageData(created=NOW, content=IMAGE)).save, path)
    assert os.listdir(tmp_path) == []


def test_a_signed_url_as_a_path_is_not_quoted() -> None:
    """Its signature is a secret here, too."""
    with pytest.raises(dalle2.InvalidRequestError) as caught:
        image().save("https://a.example/x.png?sig=SECRET")
    assert "https://a.example/x.png" in str(caught.value)
    assert "SECRET" not in str(caught.value)


@pytest.mark.parametrize("name", ["one.png", "one.JPG", "a/b.webp"])
def test_several_images_are_not_saved_as_one_picture(name: str, tmp_path: Path) -> None:
    """A directory of that name would only surprise; one that is there, or is written as one, is taken."""
    several = images()
    with pytest.raises(dalle2.InvalidRequestError, match=r"images\[0\]\.save"):
        several.save(tmp_path / name)
    (tmp_path / "one.png").write_bytes(b"a file")
    with pytest.raises(dalle2.InvalidRequestError, match=r"images\[0\]\.save"):
        several.save(tmp_path / "one.png")
    assert os.listdir(tmp_path) == ["one.png"]
    assert [path.name for path in several.save(f"{tmp_path}/new.png/")] == ["a-fox-1.png", "a-fox-2.png"]
    assert len(several.save(tmp_path / "new.png")) == 2
    assert len(several.save(tmp_path / "results.v2")) == 2


def test_a_path_in_bytes_is_a_path(tmp_path: Path) -> None:
    """What the system gives, `os.listdir(b".")` for one, can be given back."""
    assert image().save(os.fsencode(tmp_path / "a.png")) == tmp_path / "a.png"  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["pipe", "link to a pipe"])
def test_a_device_is_meant_as_it_stands(kind: str, tmp_path: Path) -> None:
    """Without a suffix, too: `/dev/stdout` does not become a file `/dev/stdout.png` in silence."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link to a pipe").symlink_to(tmp_path / "pipe")
    with pytest.raises(dalle2.InvalidRequestError, match=r"device or a pipe.*image\.read\(\)"):
        image().save(tmp_path / kind, overwrite=True)
    assert sorted(os.listdir(tmp_path)) == ["link to a pipe", "pipe"]


@pytest.mark.parametrize("kind", ["file", "loop", "nothing"])
def test_what_has_the_name_without_its_suffix_is_left_alone(kind: str, tmp_path: Path) -> None:
    """It is the file with the suffix that is replaced."""
    (tmp_path / "file").write_bytes(b"another")
    (tmp_path / "loop").symlink_to("loop")
    for _ in range(2):
        assert image().save(tmp_path / kind, overwrite=True) == tmp_path / f"{kind}.png"
    assert (tmp_path / "file").read_bytes() == b"another"


def test_a_link_is_followed_only_to_replace(tmp_path: Path) -> None:
    """Through the public call: mode kept, link kept, and without `overwrite` a taken name is an error."""
    (tmp_path / "real").mkdir()
    real = tmp_path / "real" / "b.png"
    real.write_bytes(b"old")
    real.chmod(0o600)
    (tmp_path / "a.png").symlink_to(real)
    with pytest.raises(FileExistsError):
        image().save(tmp_path / "a.png")
    assert image().save(tmp_path / "a.png", overwrite=True) == tmp_path / "a.png"
    assert image().save(tmp_path / "a", overwrite=True) == tmp_path / "a.png"
    assert real.read_bytes() == IMAGE
    assert real.stat().st_mode & 0o777 == 0o600
    assert sorted(os.listdir(tmp_path)) == ["a.png", "real"]
    assert os.listdir(tmp_path / "real") == ["b.png"]
