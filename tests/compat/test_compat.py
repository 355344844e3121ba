"""Scripts for the official SDK run on: before the retirement, after it, and with a successor."""

from __future__ import annotations

import base64
import io
import os
import subprocess
import sys
import urllib.request
import warnings
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import dalle2
from dalle2 import compat
from dalle2._doctor._scan import scan_path
from dalle2.testing import TRIGGERS, Emulator

SCRIPTS = Path(__file__).parents[1] / "scripts"
IMPORTS = {
    "images_2022.py": ("import openai\n", "import dalle2.compat as openai\n"),
    "images_sdk.py": ("from openai import", "from dalle2.compat import"),
}
AFTER = date(2026, 6, 1)
PICTURES = {"made-1.png": 256, "made-2.png": 256, "edited-1.png": 512, "varied-1.png": 256}
MASK = dalle2.mask_from_box(64, (0, 0, 32, 32))


def photo() -> bytes:
    """A square PNG, as dall-e-2 takes it."""
    buffer = io.BytesIO()
    Image.new("RGBA", (64, 64), "red").save(buffer, "PNG")
    return buffer.getvalue()


def run(
    script: str,
    folder: Path,
    base_url: str,
    changes: Sequence[tuple[str, str]] = (),
    **environment: str,
) -> subprocess.CompletedProcess[str]:
    """Run a script in a process of its own, with nothing but its import changed, or these places."""
    source = (SCRIPTS / script).read_text(encoding="utf-8")
    for old, new in changes or [IMPORTS[script]]:
        assert source.count(old) == 1
        source = source.replace(old, new)
    changed = folder / script
    changed.write_text(source, encoding="utf-8")
    (folder / "photo.png").write_bytes(photo())
    (folder / "mask.png").write_bytes(MASK)
    known = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    known |= {"PYTHONPATH": str(Path(dalle2.__file__).parents[1]), "OPENAI_API_KEY": "sk-test"}
    known |= {"OPENAI_BASE_URL": base_url, "OPENAI_API_BASE": base_url} | environment
    command = [sys.executable, str(changed), str(folder)]
    return subprocess.run(command, capture_output=True, text=True, env=known, timeout=120, check=False)


def pictures(folder: Path) -> dict[str, int]:
    """The sides of the square PNGs that a script left."""
    found = {}
    for path in sorted(folder.glob("*-*.png")):
        with Image.open(path) as picture:
            assert (picture.format, picture.width) == ("PNG", picture.height)
            found[path.name] = picture.width
    return found


@pytest.mark.parametrize("script", IMPORTS)
def test_a_script_lives_through_the_retirement(script: str, tmp_path: Path) -> None:
    """In 2023 it works; in 2026 it fails with one clear sentence; with a successor it works again."""
    for name in ("2023", "2026", "rescued"):
        (tmp_path / name).mkdir()
    emulator = Emulator()
    with emulator.serve() as server:
        done = run(script, tmp_path / "2023", server.base_url)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("made at 1")
    assert pictures(tmp_path / "2023") == PICTURES
    assert [billed.operation for billed in emulator.billed] == ["generate", "edit", "vary"]

    emulator = Emulator(today=AFTER)
    with emulator.serve() as server:
        failed = run(script, tmp_path / "2026", server.base_url)
        assert failed.returncode == 1
        assert failed.stdout == ""
        (sentence,) = failed.stderr.splitlines()
        assert sentence.startswith("ModelRetiredError: The model 'dall-e-2' is retired")
        assert "gpt-image-2.5-flare" in sentence
        assert "successor=" in sentence
        assert pictures(tmp_path / "2026") == {}
        assert emulator.billed == []

        rescued = run(script, tmp_path / "rescued", server.base_url, DALLE2_SUCCESSOR="auto")
    assert (rescued.returncode, rescued.stderr) == (0, "")
    assert pictures(tmp_path / "rescued") == PICTURES
    assert [billed.operation for billed in emulator.billed] == ["generate", "edit", "edit"]
    assert {billed.model for billed in emulator.billed} == {"gpt-image-2.5-flare"}


PROMISES = {
    "images_2022.py": (
        "run it unchanged with import dalle2.compat as openai, and openai.successor = 'auto'",
        [("import openai\n", "import dalle2.compat as openai\nopenai.successor = 'auto'\n")],
    ),
    "images_sdk.py": (
        "run it unchanged with dalle2.compat.OpenAI(successor='auto')",
        [("from openai import", "from dalle2.compat import"), ("OpenAI()", "OpenAI(successor='auto')")],
    ),
}


@pytest.mark.parametrize("script", PROMISES)
def test_what_the_doctor_promises_of_compat_is_kept(script: str, tmp_path: Path) -> None:
    """Its words for each call of a script, done as they stand, let the script run after the retirement."""
    promise, changes = PROMISES[script]
    found = scan_path(SCRIPTS / script, today=AFTER)
    assert len(found) == 3
    assert all(promise in one.change for one in found)
    emulator = Emulator(today=AFTER)
    with emulator.serve() as server:
        done = run(script, tmp_path, server.base_url, changes)
    assert (done.returncode, done.stderr) == (0, "")
    assert pictures(tmp_path) == PICTURES
    assert {billed.model for billed in emulator.billed} == {"gpt-image-2.5-flare"}


@pytest.fixture
def after() -> Emulator:
    """OpenAI's host after the retirement."""
    return Emulator(today=AFTER)


def openai_of(emulator: Emulator, **options: Any) -> compat.OpenAI:
    """The official client's twin on an emulator."""
    return compat.OpenAI(api_key="sk-test", http_client=emulator.client(), **options)


def test_an_answer_has_the_official_shape() -> None:
    """Integer `created`, `data`, `url`, by attribute and by key; what is not there is a `KeyError`."""
    with openai_of(Emulator()) as client:
        answer = client.images.generate(prompt="a corgi", model="dall-e-2", n=2, size="256x256", user=None)
        assert type(answer.created) is int
        assert [image.url is not None and image.b64_json is None for image in answer.data] == [True, True]
        assert answer["data"][0]["url"] == answer.data[0].url
        for name in ("nothing", "model_dump", "_x"):
            with pytest.raises(KeyError):
                answer[name]
        assert answer.usage is None
        assert answer.model_dump()["data"][0] == {
            "url": answer.data[0].url,
            "b64_json": None,
            "revised_prompt": None,
        }
        encoded = client.images.generate(prompt="a corgi", size="256x256", response_format="b64_json").data[0]
        assert encoded.url is None
        assert encoded.b64_json is not None
        assert (answer.data[0].url or "no") in repr(answer)  # scripts print it to keep it
        assert len(repr(encoded)) < 200
        assert sorted(vars(encoded)) == ["b64_json", "revised_prompt", "url"]


def test_a_url_of_a_successor_is_a_data_uri(after: Emulator) -> None:
    """Where a URL is expected there is one that plain urllib opens; base64 is given where asked for."""
    with openai_of(after, successor="auto") as client:
        for options in ({}, {"response_format": "url"}):
            image = client.images.generate(prompt="a corgi", size="256x256", **options).data[0]  # type: ignore[arg-type]
            assert image.url is not None
            assert image.b64_json is None
            with urllib.request.urlopen(image.url) as opened, Image.open(opened) as picture:
                assert picture.size == (256, 256)
        image = client.images.generate(prompt="a corgi", size="256x256", response_format="b64_json").data[0]
        assert image.url is None
        assert base64.b64decode(image.b64_json or "").startswith(b"\x89PNG")


def test_a_script_that_names_no_model_gets_its_picture(after: Emulator) -> None:
    """On OpenAI's host after the retirement, without any setting, and as the URL that it expects."""
    with openai_of(after) as client, warnings.catch_warnings():
        warnings.simplefilter("ignore", dalle2.ModelRetirementWarning)  # once a process
        answer = client.images.generate(prompt="a corgi", size="256x256")
        assert (answer.data[0].url or "").startswith("data:image/png;base64,")
        with pytest.raises(compat.BadRequestError, match="retired"):
            client.with_options(successor=None).images.generate(prompt="a corgi", size="256x256")
        with pytest.raises(compat.BadRequestError, match="retired"):
            client.images.generate(prompt="a corgi", model="dall-e-2", size="256x256")
    assert len(after.billed) == 1


def test_a_script_for_a_newer_model_gets_base64(after: Emulator) -> None:
    """Models that never gave a URL give none here, replaced or not."""
    refusal = {"error": {"message": "The model 'gpt-image-1' does not exist.", "code": "model_not_found"}}
    with openai_of(after, successor="gpt-image-2") as client:
        for model in ("gpt-image-2", "gpt-image-1"):
            answer = client.images.generate(prompt="a corgi", model=model, size="1024x1024", quality="low")
            assert answer.data[0].url is None
            assert answer.data[0].b64_json is not None
            assert answer.usage is not None
    after.fail_next(404, body=refusal)
    with openai_of(after) as client, pytest.raises(compat.NotFoundError):
        client.images.generate(prompt="a corgi", model="gpt-image-0")


@pytest.mark.parametrize(
    "upload",
    [
        photo(),
        ("photo.png", photo()),
        ("photo.png", photo(), "application/octet-stream"),
        io.BytesIO(photo()),
        [photo()],
        [("photo.png", io.BytesIO(photo()))],
    ],
    ids=["bytes", "pair", "triple", "file", "list", "list-of-pairs"],
)
def test_uploads_come_in_every_official_form(upload: Any) -> None:
    """Bytes, files, and tuples with names and types, alone or in a list."""
    emulator = Emulator()
    with openai_of(emulator) as client:
        client.images.edit(image=upload, prompt="a hat", mask=("mask.png", MASK), size="256x256")
    assert b"image/png" in emulator.requests[0].body
    assert b"octet-stream" not in emulator.requests[0].body


@pytest.mark.anyio
async def test_the_awaited_twin(after: Emulator) -> None:
    """`AsyncOpenAI` does the same on asyncio and trio."""
    http_client = after.async_client()
    async with compat.AsyncOpenAI(api_key="sk-test", http_client=http_client, successor="auto") as client:
        answers = [
            await client.images.generate(prompt="a corgi", size="256x256"),
            await client.images.edit(image=photo(), mask=MASK, prompt="a hat", size="256x256"),
            await client.images.create_variation(image=photo(), size="256x256"),
        ]
        with pytest.raises(compat.BadRequestError):
            await client.images.generate(prompt=" ")
    assert all((answer.data[0].url or "").startswith("data:image/png;base64,") for answer in answers)
    await client.close()


def test_the_environment_names_a_successor(after: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """`DALLE2_SUCCESSOR` is read here and nowhere else; the argument goes before it."""
    monkeypatch.setenv("DALLE2_SUCCESSOR", "auto")
    with openai_of(after) as client, openai_of(after, successor="gpt-image-2") as other:
        client.images.generate(prompt="a corgi", size="256x256")
        other.images.generate(prompt="a corgi", size="256x256")
    assert [billed.model for billed in after.billed] == ["gpt-image-2.5-flare", "gpt-image-2"]
    with (
        dalle2.Client("sk-test", http_client=after.client(), successor=None) as plain,
        pytest.raises(dalle2.ModelRetiredError),
    ):
        plain.generate("a corgi")
    monkeypatch.setenv("DALLE2_SUCCESSOR", "dall-e-3")
    with pytest.raises(compat.OpenAIError, match="itself retired"):
        openai_of(after)


def test_the_constructor_takes_the_official_arguments() -> None:
    """Retries, headers, base URL and timeout mean what they mean there; `NOT_GIVEN` is nothing given."""

    class NotGiven:
        """As the official SDK marks an argument that was left out."""

    class Omit:
        """As newer ones do."""

    emulator = Emulator()
    options: Any = {
        "max_retries": 0,
        "default_headers": {"X-Team": "a"},
        "timeout": None,
        "project": NotGiven(),
    }
    with openai_of(emulator, **options) as client:
        emulator.fail_next(503)
        with pytest.raises(compat.InternalServerError):
            client.images.generate(prompt="a corgi")
        answer: Any = client.images.generate(
            prompt="a corgi",
            size="256x256",
            n=Omit(),  # type: ignore[arg-type]
            user=NotGiven(),  # type: ignore[arg-type]
            timeout=NotGiven(),  # type: ignore[arg-type]
            extra_headers={"X-Call": "1"},
        )
    assert answer.data
    assert len(emulator.requests) == 2
    assert emulator.requests[1].headers["x-team"] == "a"
    assert emulator.requests[1].headers["x-call"] == "1"
    assert b'"n"' not in emulator.requests[1].body


def test_errors_have_the_official_names() -> None:
    """A script's `except` clauses catch what they are meant for."""
    emulator = Emulator()
    with openai_of(emulator, max_retries=0) as client:
        with pytest.raises(compat.BadRequestError) as refused:
            client.images.generate(prompt=f"a {next(iter(TRIGGERS))} corgi")
        assert refused.value.code == "content_policy_violation"
        for status, kind in (
            (401, compat.AuthenticationError),
            (403, compat.PermissionDeniedError),
            (409, compat.ConflictError),
            (422, compat.UnprocessableEntityError),
            (429, compat.RateLimitError),
            (500, compat.InternalServerError),
        ):
            emulator.fail_next(status)
            with pytest.raises(kind) as caught:
                client.images.generate(prompt="a corgi")
            assert isinstance(caught.value, compat.APIStatusError)
            assert isinstance(caught.value, compat.OpenAIError)
        emulator.lose_next()
        with pytest.raises(compat.APIError) as lost:
            client.images.generate(prompt="a corgi")
    assert not isinstance(lost.value, compat.APITimeoutError | compat.APIConnectionError)
    assert issubclass(compat.APITimeoutError, compat.APIConnectionError)
    assert compat.error.InvalidRequestError is compat.BadRequestError
    with pytest.raises(compat.OpenAIError, match="OPENAI_API_KEY"):
        compat.OpenAI()


@pytest.fixture
def openai() -> Iterator[Any]:
    """The module as a script of 2022 has it, put back afterwards."""
    names = ("api_key", "api_base", "organization", "successor")
    before = {name: getattr(compat, name) for name in names}
    yield compat
    for name, value in before.items():
        setattr(compat, name, value)


def test_the_module_style_of_2022(openai: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Key, base URL, organisation and successor are the module's, or come from the environment."""
    with Emulator(today=AFTER).serve() as server:
        openai.api_key, openai.api_base, openai.organization = "sk-test", server.base_url, "org-1"
        with pytest.raises(openai.error.InvalidRequestError, match="retired"):
            openai.Image.create(prompt="a corgi")
        openai.successor = "auto"
        answers = [
            openai.Image.create(prompt="a corgi", n=2, size="256x256"),
            openai.Image.create_edit(image=photo(), mask=MASK, prompt="a hat", size="256x256"),
            openai.Image.create_variation(image=photo(), size="256x256"),
        ]
        assert [len(answer["data"]) for answer in answers] == [2, 1, 1]
        assert all(answer["data"][0]["url"].startswith("data:") for answer in answers)
        openai.api_base = None
        monkeypatch.setenv("OPENAI_API_BASE", server.base_url)
        assert openai.Image.create(prompt="a corgi", size="256x256")["created"] > 0
