"""The command line: what it saves, what it prints, how it fails, and that nothing paid for is lost."""

from __future__ import annotations

import base64
import json
import warnings
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import dalle2
from dalle2._cli import main
from dalle2.testing import Emulator

from .shell import CORGI, OFFLINE, failure, files


def test_generate_saves_where_it_is_told(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With the emulator as provider there is a PNG at the end, without any key."""
    assert main([*CORGI, *OFFLINE, "-o", "corgi.png"]) == 0
    assert capsys.readouterr() == ("corgi.png\n", "")
    with Image.open("corgi.png") as picture:
        assert (picture.format, picture.size) == ("PNG", (256, 256))


def test_several_images_are_numbered(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`-o corgi.png` with `-n 2` gives `corgi-1.png` and `corgi-2.png`."""
    assert main([*CORGI, *OFFLINE, "-n", "2", "-o", "corgi.png"]) == 0
    assert capsys.readouterr().out == "corgi-1.png\ncorgi-2.png\n"
    assert files(directory) == ["corgi-1.png", "corgi-2.png"]


def test_a_name_without_suffix_gets_one(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The suffix comes from the picture and is printed; a version number is no suffix."""
    assert main([*CORGI, *OFFLINE, "-n", "2", "-o", "corgi v1.2"]) == 0
    assert capsys.readouterr().out == "corgi v1.2-1.png\ncorgi v1.2-2.png\n"


def test_without_output_the_prompt_names_the_file(
    directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The default is the current directory, and no run replaces the file of an earlier one."""
    assert main([*CORGI, *OFFLINE]) == 0
    assert main([*CORGI, *OFFLINE]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert len(set(printed)) == 2
    assert sorted(printed) == files(directory)
    assert all("corgi" in name for name in printed)


def test_a_missing_output_directory_is_made(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A name that ends in a slash is a directory."""
    assert main([*CORGI, *OFFLINE, "-n", "2", "-o", "a/b/"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(files(directory / "a" / "b")) == 2


def test_json_is_one_document(emulator: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    """`--json` prints where the images are and what is known of them."""
    assert main([*CORGI, "--json", "-o", "corgi.png"]) == 0
    document = json.loads(capsys.readouterr().out)
    (image,) = document["images"]
    assert document["model"] == "dall-e-2"
    assert image["path"] == "corgi.png"
    assert image["url"].startswith("http")
    assert image["media_type"] == "image/png"
    assert image["error"] is None
    lifetime = datetime.fromisoformat(image["expires_at"]) - datetime.fromisoformat(document["created"])
    assert 3500 < lifetime.total_seconds() < 3700


def test_the_options_reach_the_host(emulator: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    """Prompt, number, model and response format are what was typed."""
    assert main([*CORGI, "-n", "3", "--model", "dall-e-2", "--response-format", "b64_json", "--json"]) == 0
    assert [image["url"] for image in json.loads(capsys.readouterr().out)["images"]] == [None] * 3
    (billed,) = emulator.billed
    assert (billed.prompt, billed.n, billed.model) == ("a corgi astronaut", 3, "dall-e-2")


def test_edit_and_vary_take_files(
    emulator: Emulator, directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An image and a mask are named by their paths; the options are those of `generate`."""
    Image.new("RGBA", (64, 64), (9, 9, 9, 255)).save("dog.png")
    Image.new("RGBA", (64, 64), (0, 0, 0, 0)).save("mask.png")
    options = ["--size", "256x256", "-n", "2"]
    assert main(["edit", "dog.png", "a dog with a hat", "--mask", "mask.png", "-o", "hat.png", *options]) == 0
    assert main(["vary", "dog.png", "-o", "dogs/", *options]) == 0
    assert capsys.readouterr().out.splitlines()[:2] == ["hat-1.png", "hat-2.png"]
    assert len(files(directory / "dogs")) == 2
    assert [billed.n for billed in emulator.billed] == [2, 2]


@pytest.mark.parametrize("words", [["edit", "missing.png", "a hat"], ["vary", "missing.png"]])
def test_an_image_that_is_not_there_is_one_line(
    emulator: Emulator, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    """A path that cannot be read is told as the system tells it, and costs nothing."""
    assert main(words) == 1
    assert failure(capsys) == "dalle2: missing.png: No such file or directory\n"
    assert emulator.billed == []


def test_base_url_names_another_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """`--base-url` goes before the environment."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    emulator = Emulator()
    with emulator.serve() as server:
        assert main([*CORGI, "--base-url", server.base_url]) == 0
    assert len(emulator.billed) == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["paint"], "No such command"),
        (["generate"], "Missing argument"),
        ([*CORGI, "--colour", "red"], "No such option"),
        ([*CORGI, "-n", "two"], "'-n'"),
        (["generate", " ", *OFFLINE], "PROMPT is empty"),
        ([*CORGI, *OFFLINE, "-n", "11"], "10"),
        ([*CORGI, *OFFLINE, "-n", "1000000000", "-o", "corgi.png"], "10"),
        ([*CORGI, *OFFLINE, "--size", "300x300"], "256x256"),
        (["serve", "--port", "70000"], "65535"),
    ],
)
def test_wrong_usage_is_2(capsys: pytest.CaptureFixture[str], words: list[str], said: str) -> None:
    """What the caller can mend on the command line ends with 2 and one line that says how."""
    assert main(words) == 2
    assert said in failure(capsys)


def test_a_missing_key_is_1(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a key the line names the variables to set."""
    assert main(CORGI) == 1
    assert "OPENAI_API_KEY" in failure(capsys)


def test_an_error_of_the_host_is_1(emulator: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    """What the host refuses is said in one line."""
    emulator.fail_next(401)
    assert main(CORGI) == 1
    failure(capsys)


def test_an_error_of_ours_is_still_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not even a defect shows a traceback; its kind is named."""

    def broken(*args: object, **kwargs: object) -> None:
        raise RuntimeError("first\nsecond")

    monkeypatch.setattr(dalle2.Client, "generate", broken)
    assert main([*CORGI, *OFFLINE]) == 1
    assert failure(capsys) == "dalle2: RuntimeError: first second\n"


def test_what_cannot_be_saved_is_shown(
    emulator: Emulator, directory: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One of three fails: the other two are there, and the URL of the third is on the screen."""
    block_when_asked(monkeypatch, directory / "corgi-2.png")
    assert main([*CORGI, "-n", "3", "-o", "corgi.png"]) == 1
    printed = capsys.readouterr()
    assert printed.out == "corgi-1.png\ncorgi-3.png\n"
    url, error = printed.err.splitlines()
    assert "http://127.0.0.1" in url
    assert "corgi-2.png" in error


def test_what_cannot_be_saved_is_in_the_document(
    emulator: Emulator, directory: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With `--json` each failure stands beside its URL, and the line on stderr counts them."""
    block_when_asked(monkeypatch, directory / "corgi-2.png", directory / "corgi-3.png")
    assert main([*CORGI, "-n", "3", "-o", "corgi.png", "--json"]) == 1
    printed = capsys.readouterr()
    images = json.loads(printed.out)["images"]
    assert [image["path"] for image in images] == ["corgi-1.png", None, None]
    assert "corgi-2.png" in images[1]["error"]
    assert images[1]["url"].startswith("http://127.0.0.1")
    assert "2 of 3" in printed.err


def test_an_image_without_url_is_put_elsewhere(
    emulator: Emulator, directory: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Bytes that exist nowhere else go to the temporary directory, and the path is printed."""
    spare = directory / "spare"
    spare.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(spare))
    block_when_asked(monkeypatch, directory / "corgi.png")
    assert main([*CORGI, "-o", "corgi.png", "--response-format", "b64_json"]) == 1
    printed = capsys.readouterr()
    assert Path(printed.out.strip()).is_relative_to(spare)
    assert Path(printed.out.strip()).read_bytes().startswith(b"\x89PNG")
    assert "corgi.png" in printed.err


def test_an_image_that_no_disk_takes_is_told_itself(
    emulator: Emulator, directory: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It was paid for and is nowhere else: a line that a browser shows, and the error behind it."""
    monkeypatch.setattr("tempfile.tempdir", str(directory / "nowhere"))
    block_when_asked(monkeypatch, directory / "corgi.png")
    assert main([*CORGI, "-o", "corgi.png", "--response-format", "b64_json"]) == 1
    printed = capsys.readouterr()
    told, image, error = printed.err.splitlines()
    assert told.startswith("dalle2: not saved, and it is nowhere else")
    head, _, data = image.partition(";base64,")
    assert head == "data:image/png"
    assert base64.b64decode(data, validate=True).startswith(b"\x89PNG")
    assert error.startswith("dalle2: corgi.png: exists already")
    assert printed.out == ""


def test_the_document_holds_an_image_that_no_disk_takes(
    emulator: Emulator, directory: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same for programs: base64, where neither a path nor a URL is left."""
    monkeypatch.setattr("tempfile.tempdir", str(directory / "nowhere"))
    block_when_asked(monkeypatch, directory / "corgi.png")
    assert main([*CORGI, "-o", "corgi.png", "--response-format", "b64_json", "--json"]) == 1
    (image,) = json.loads(capsys.readouterr().out)["images"]
    assert (image["path"], image["url"]) == (None, None)
    assert base64.b64decode(image["b64_json"]).startswith(b"\x89PNG")


def block_when_asked(monkeypatch: pytest.MonkeyPatch, *paths: Path) -> None:
    """Let another process take these names between the check and the save."""
    generate = dalle2.Client.generate

    def slow(*args: Any, **options: Any) -> Any:
        images = generate(*args, **options)
        for path in paths:
            path.write_bytes(b"another's")
        return images

    monkeypatch.setattr(dalle2.Client, "generate", slow)


def test_images_of_a_half_readable_answer_are_saved(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An error that carries images ends with 1, and with the images on disk."""
    generate = dalle2.Client.generate

    def half(*args: Any, **options: Any) -> Any:
        raise dalle2.DecodeError(
            "data[1] cannot be read", path="data[1]", images=generate(*args, **options)[:1]
        )

    monkeypatch.setattr(dalle2.Client, "generate", half)
    assert main([*CORGI, "-n", "2", "-o", "corgi.png"]) == 1
    printed = capsys.readouterr()
    assert printed.out == "corgi-1.png\n"
    assert "data[1]" in printed.err
    assert Path("corgi-1.png").read_bytes().startswith(b"\x89PNG")
    assert main([*CORGI, "-n", "2", "-o", "again.png", "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert [image["path"] for image in document["images"]] == ["again-1.png"]
    assert document["model"] == "dall-e-2"
    assert document["cost"] is None


def test_a_warning_is_one_line(
    emulator: Emulator, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python would add a line of our source, or, told to, raise it after the call was paid for."""
    generate = dalle2.Client.generate

    def warn_first(*args: Any, **kwargs: Any) -> dalle2.Images:
        warnings.warn("the model ends soon", dalle2.ModelRetirementWarning, stacklevel=2)
        return generate(*args, **kwargs)

    monkeypatch.setattr(dalle2.Client, "generate", warn_first)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert main(CORGI) == 0
    assert capsys.readouterr().err == "dalle2: warning: the model ends soon\n"
