"""The official `openai` Python client, unchanged, against the emulator."""

from __future__ import annotations

import base64
from pathlib import Path
from urllib.request import ProxyHandler, build_opener

import openai
import pytest

from dalle2.testing import Emulator

PNG = b"\x89PNG\r\n\x1a\n"
# The client's own, for its method.
variations = pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")


def official(base_url: str, key: str = "sk-test", **options: int) -> openai.OpenAI:
    """The client as its own documentation makes it, without repeats unless asked for."""
    return openai.OpenAI(api_key=key, base_url=base_url, **{"max_retries": 0, **options})


def fetch(url: str) -> bytes:
    """A plain GET, by nobody's client."""
    with build_opener(ProxyHandler({})).open(url, timeout=20) as answer:
        body: bytes = answer.read()
    return body


def test_generate_gives_urls_that_download(served: str) -> None:
    """Two images of the size asked for, as URLs."""
    with official(served) as client:
        answer = client.images.generate(model="dall-e-2", prompt="a corgi astronaut", n=2, size="256x256")
    assert answer.created > 0
    assert answer.data is not None
    assert len(answer.data) == 2
    for image in answer.data:
        assert image.url is not None
        assert image.b64_json is None
        picture = fetch(image.url)
        assert picture.startswith(PNG)
        assert int.from_bytes(picture[16:20]) == int.from_bytes(picture[20:24]) == 256


def test_generate_gives_base64(served: str) -> None:
    """The picture itself, when it is asked for."""
    with official(served) as client:
        answer = client.images.generate(
            model="dall-e-2", prompt="a corgi", size="256x256", response_format="b64_json"
        )
    assert answer.data is not None
    assert answer.data[0].url is None
    assert base64.b64decode(answer.data[0].b64_json or "", validate=True).startswith(PNG)


def test_a_bad_request_is_typed(served: str) -> None:
    """A size that the model does not take is a 400 that names the parameter."""
    with official(served) as client, pytest.raises(openai.BadRequestError) as raised:
        client.images.generate(model="dall-e-2", prompt="a corgi", size="1536x1024")
    assert raised.value.status_code == 400
    assert raised.value.type == "invalid_request_error"
    assert raised.value.request_id


def test_a_wrong_key_is_typed(served: str) -> None:
    """Another key than the emulator's is a 401."""
    with official(served, key="sk-wrong") as client, pytest.raises(openai.AuthenticationError) as raised:
        client.images.generate(model="dall-e-2", prompt="a corgi")
    assert raised.value.status_code == 401
    assert raised.value.code == "invalid_api_key"


def test_an_unknown_route_is_typed(served: str) -> None:
    """A route that the emulator does not have is a 404."""
    with official(served) as client, pytest.raises(openai.NotFoundError) as raised:
        client.fine_tuning.jobs.list()
    assert raised.value.status_code == 404


def test_a_rate_limit_is_waited_out(emulator: Emulator, base_url: str) -> None:
    """After one 429 the client's own retry succeeds, and one call was billed."""
    emulator.fail_next(429, retry_after=1)
    with official(base_url, max_retries=1) as client:
        answer = client.images.generate(model="dall-e-2", prompt="a corgi", size="256x256")
    assert answer.data
    assert len(emulator.billed) == 1


def test_a_rate_limit_is_typed(emulator: Emulator, base_url: str) -> None:
    """Without retries the 429 arrives, with its wait."""
    emulator.fail_next(429, retry_after=7)
    with official(base_url) as client, pytest.raises(openai.RateLimitError) as raised:
        client.images.generate(model="dall-e-2", prompt="a corgi")
    assert raised.value.response.headers["retry-after"] == "7"
    assert not emulator.billed


def test_models_are_listed(served: str) -> None:
    """The list of models has the one that this is all about."""
    with official(served) as client:
        assert "dall-e-2" in [model.id for model in client.models.list()]


def test_an_edit_takes_an_image_and_a_mask(uploads: Path, emulator: Emulator, base_url: str) -> None:
    """Opened files and their names, as the client's documentation shows; what comes back is a picture."""
    with (
        official(base_url) as client,
        (uploads / "image.png").open("rb") as image,
        (uploads / "mask.png").open("rb") as mask,
    ):
        answer = client.images.edit(
            model="dall-e-2", image=image, mask=mask, prompt="a red hat", n=2, size="256x256"
        )
    assert answer.data is not None
    assert [fetch(image.url or "")[:8] for image in answer.data] == [PNG] * 2
    assert [(record.operation, record.prompt, record.n) for record in emulator.billed] == [
        ("edit", "a red hat", 2)
    ]


@variations
def test_a_variation_takes_an_image(uploads: Path, emulator: Emulator, base_url: str) -> None:
    """The picture itself comes back when it is asked for."""
    with official(base_url) as client:
        answer = client.images.create_variation(
            model="dall-e-2", image=uploads / "image.png", size="256x256", response_format="b64_json"
        )
    assert answer.data is not None
    assert base64.b64decode(answer.data[0].b64_json or "", validate=True).startswith(PNG)
    assert [record.operation for record in emulator.billed] == ["vary"]


@variations
def test_an_upload_without_a_type_is_refused(uploads: Path, emulator: Emulator, base_url: str) -> None:
    """Bare bytes travel as `application/octet-stream`, which the API does not take."""
    image = (uploads / "image.png").read_bytes()
    with official(base_url) as client:
        for send in (
            lambda: client.images.edit(model="dall-e-2", image=image, prompt="a red hat"),
            lambda: client.images.create_variation(model="dall-e-2", image=image),
        ):
            with pytest.raises(openai.BadRequestError, match="unsupported mimetype"):
                send()
    assert not emulator.billed


def test_a_list_of_images_is_refused_for_dall_e_2(uploads: Path, base_url: str) -> None:
    """The client sends a list as `image[]`, and dall-e-2 takes one file."""
    with official(base_url) as client, pytest.raises(openai.BadRequestError) as raised:
        client.images.edit(model="dall-e-2", image=[uploads / "image.png"], prompt="a red hat")
    assert (raised.value.code, raised.value.param) == ("invalid_type", "image")


def test_a_mask_of_another_size_is_refused(uploads: Path, base_url: str) -> None:
    """Image and mask have one size."""
    with official(base_url) as client, pytest.raises(openai.BadRequestError, match="same size"):
        client.images.edit(
            model="dall-e-2",
            image=uploads / "image.png",
            mask=uploads / "small-mask.png",
            prompt="a red hat",
        )


def test_a_stream_gives_partial_images_and_the_final_one(emulator: Emulator, base_url: str) -> None:
    """Typed events of a GPT image model: partial images first, the whole one with its usage last."""
    with (
        official(base_url) as client,
        client.images.generate(
            model="gpt-image-2.5-flare", prompt="a corgi", size="1024x1024", stream=True, partial_images=2
        ) as stream,
    ):
        events = list(stream)
    assert [event.type for event in events] == ["image_generation.partial_image"] * 2 + [
        "image_generation.completed"
    ]
    assert all(base64.b64decode(event.b64_json, validate=True).startswith(PNG) for event in events)
    last = events[-1]
    assert last.type == "image_generation.completed"
    assert last.usage.output_tokens > 0
    assert len(emulator.billed) == 1


def test_a_stream_that_breaks_off_raises(emulator: Emulator, base_url: str) -> None:
    """An error in the middle of a stream reaches the caller after the events before it."""
    emulator.fail_stream_next(after_events=1)
    seen = []
    with official(base_url) as client, pytest.raises(openai.APIError):
        for event in client.images.generate(
            model="gpt-image-2.5-flare", prompt="a corgi", size="1024x1024", stream=True, partial_images=2
        ):
            seen.append(event.type)
    assert seen == ["image_generation.partial_image"]
