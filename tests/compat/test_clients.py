"""The official clients beyond what the programs try: refusals before paying, copies, Azure, answers."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import httpx
import pytest

import dalle2
from dalle2 import compat
from dalle2.testing import Emulator

MASK = dalle2.mask_from_box(64, (0, 0, 32, 32))


def openai_of(emulator: Emulator, **options: Any) -> compat.OpenAI:
    """The official client's twin on an emulator."""
    return compat.OpenAI(api_key="sk-test", http_client=emulator.client(), max_retries=0, **options)


# What is not supported


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda c: c.images.with_streaming_response, "with_raw_response"),
        (lambda c: c.with_streaming_response, "with_raw_response"),
        (lambda c: c.models.with_streaming_response, "with_raw_response"),
        (lambda c: c.images.edit(image=MASK, prompt="a", stream=True), "stream=True"),
        (lambda c: c.images.create_variation(image=MASK, extra_body={"stream": True}), "stream=True"),
        (lambda c: c.images.with_raw_response.generate(prompt="a", stream=True), "stream=True"),
        (lambda c: c.images.generate(prompt="a", extra_query={"a": [1, 2]}), "extra_query"),
        (lambda c: c.images.generate(prompt="a", extra_query="a=b"), "extra_query"),
        (lambda c: c.images.generate(prompt="a", extra_body=[1]), "extra_body"),
        (lambda c: c.images.generate(prompt="a", extra_headers={"X": 1}), "extra_headers"),
        (lambda c: c.images.generate(prompt="a", size="300x300"), "size"),
    ],
)
def test_a_shape_that_is_not_supported_fails_before_it_pays(call: Any, words: str) -> None:
    """As a bad request in one sentence that names the argument."""
    emulator = Emulator()
    with openai_of(emulator) as client, pytest.raises(compat.BadRequestError, match=words) as caught:
        call(client)
    assert "\n" not in str(caught.value)
    assert emulator.requests == []


@pytest.mark.parametrize("name", ["chat", "responses", "beta", "files", "embeddings"])
def test_what_the_sdk_does_besides_is_told_with_a_way_on(name: str) -> None:
    """On a client and on the module, with the sentence that works: `install()`."""
    with openai_of(Emulator()) as client:
        for place in (client, compat):
            with pytest.raises(AttributeError, match=r"keep `import openai`.*dalle2\.compat\.install\(\)"):
                getattr(place, name)
            assert not hasattr(place, "_" + name)


def test_unknown_arguments_are_type_errors() -> None:
    """As Python has it: of the constructor, of a copy, of a call."""
    emulator = Emulator()
    with pytest.raises(TypeError, match="api_kye"):
        compat.OpenAI(api_kye="sk-test")  # type: ignore[call-arg]
    with openai_of(emulator) as client:
        with pytest.raises(TypeError, match="timeuot"):
            client.with_options(timeuot=3)  # type: ignore[call-arg]
        with pytest.raises(TypeError, match="azure_ad_token"):
            compat.OpenAI(azure_ad_token="a")  # type: ignore[call-arg]
        with pytest.raises(TypeError, match="sise"):
            client.images.generate(prompt="a", sise="256x256")  # type: ignore[call-overload]
    assert emulator.requests == []


# Clients


def test_what_a_client_tells() -> None:
    """The official properties; the key is shown when it is asked for, and in no `repr`."""
    with openai_of(Emulator(), organization="org-1", project="p-1", timeout=9.0) as client:
        assert client.base_url == httpx.URL("https://api.openai.com/v1/")
        assert (client.organization, client.project, client.timeout) == ("org-1", "p-1", 9.0)
        assert (client.api_key, client.max_retries) == ("sk-test", 0)
        assert "sk-test" not in repr(client)
        assert "sk-test" not in repr(vars(client)) + repr(vars(client._behind))
        assert client.with_raw_response.images is not None
        with pytest.raises(TypeError, match="secret"):
            pickle.dumps(client)
    assert compat.OpenAI(provider="emulator").api_key == ""


def test_copies_share_connections_and_keep_what_they_do_not_change() -> None:
    """Headers and queries are joined unless set whole; closing a copy closes nothing."""
    emulator = Emulator()
    with openai_of(emulator, default_headers={"X-One": "1"}, default_query={"a": "1"}) as client:
        light = client.with_options(default_headers={"X-Two": "2"})
        whole = light.copy(set_default_headers={"X-Three": "3"}, set_default_query={"b": "2"})
        other = whole.copy(organization="org-2", api_key=None)
        light.close()
        seen = []
        for made in (client, light, whole, other):
            made.images.generate(prompt="a corgi", size="256x256")
            asked = emulator.requests[-1]
            headers = sorted(name for name in asked.headers if name in ("x-one", "x-two", "x-three"))
            seen.append((headers, asked.query, asked.headers.get("openai-organization")))
    assert seen == [
        (["x-one"], "a=1", None),
        (["x-one", "x-two"], "a=1", None),
        (["x-three"], "b=2", None),
        (["x-three"], "b=2", "org-2"),
    ]


def test_another_http_client_is_used() -> None:
    """A copy with an HTTP client of its own leaves the first one's connections alone."""
    first, second = Emulator(), Emulator()
    with openai_of(first) as client:
        client.with_options(http_client=second.client()).images.generate(prompt="a", size="256x256")
    assert [len(emulator.billed) for emulator in (first, second)] == [0, 1]


@pytest.mark.anyio
async def test_raw_answers_and_streams_awaited() -> None:
    """`with_raw_response` for each image call, and a stream closed early, on asyncio and trio."""
    emulator = Emulator()
    async with compat.AsyncOpenAI(api_key="sk-test", http_client=emulator.async_client()) as client:
        raws = [
            await client.images.with_raw_response.generate(prompt="a", size="256x256"),
            await client.images.with_raw_response.edit(image=MASK, prompt="a", size="256x256"),
            await client.images.with_raw_response.create_variation(image=MASK, size="256x256"),
        ]
        for raw in raws:
            assert raw.json() == raw.parse().to_dict()
            assert raw.content == raw.text.encode()
            assert str(raw.url).startswith("https://api.openai.com/v1/images/")
        async with await client.images.generate(
            prompt="a", model="gpt-image-2.5-flare", size="1024x1024", stream=True, partial_images=1
        ) as stream:
            assert (await anext(aiter(stream))).type == "image_generation.partial_image"
        page = await client.models.list()
        assert [model.id async for model in page] == [model.id for model in page]
        assert (await client.moderations.create(input="a corgi")).results[0].flagged is False
        with pytest.raises(compat.NotFoundError):
            await client.models.retrieve("dall-e-9")


def test_raw_answers_of_every_call() -> None:
    """The blocking ones, and what a free call answers that is no object."""
    with openai_of(Emulator()) as client:
        raw = client.images.with_raw_response
        for answer in (
            raw.edit(image=MASK, prompt="a", size="256x256"),
            raw.create_variation(image=MASK, size="256x256"),
        ):
            assert answer.parse().data[0].url
    odd = httpx.Client(transport=httpx.MockTransport(lambda request: httpx.Response(200, json=[])))
    with (
        compat.OpenAI(api_key="sk-test", http_client=odd, max_retries=0) as client,
        pytest.raises(compat.APIResponseValidationError, match="object"),
    ):
        client.models.list()


# Azure


def azure_of(emulator: Emulator, **options: Any) -> compat.AzureOpenAI:
    """The official Azure client's twin on an emulator."""
    given = {
        "azure_endpoint": "https://a.openai.azure.com",
        "api_key": "sk-test",
        "api_version": "2024-02-01",
    }
    return compat.AzureOpenAI(http_client=emulator.client(), max_retries=0, **given | options)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"api_version": None}, "OPENAI_API_VERSION"),
        ({"azure_endpoint": None}, "AZURE_OPENAI_ENDPOINT"),
        ({"base_url": "https://a.openai.azure.com/openai"}, "not both"),
        ({"api_key": None}, "AZURE_OPENAI_API_KEY"),
    ],
)
def test_what_an_azure_client_needs(options: dict[str, Any], words: str) -> None:
    """Said when it is made, naming the argument or the variable."""
    with pytest.raises(compat.OpenAIError, match=words):
        azure_of(Emulator(), **options)


def test_without_a_deployment_nothing_is_sent() -> None:
    """The SDK would post to a path that is not there."""
    emulator = Emulator(persona="azure")
    with azure_of(emulator) as client:
        with pytest.raises(compat.BadRequestError, match="azure_deployment="):
            client.images.generate(prompt="a corgi")
        assert emulator.requests == []
        for _ in range(2):
            client.images.generate(model="dall-e-2", prompt="a corgi", size="256x256", extra_query={"a": "b"})
    assert emulator.requests[-1].query == "api-version=2024-02-01&a=b"


def test_a_token_of_the_environment_goes_before_a_key_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the SDK has it; an argument goes before both, and a copy may change from one to the other."""
    emulator = Emulator(persona="azure")
    monkeypatch.setenv("AZURE_OPENAI_AD_TOKEN", "sk-test")
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", "sk-wrong")
    with azure_of(emulator, api_key=None, azure_deployment="dall-e-2") as client:
        seen = []
        for made in (client, client.copy(api_key="sk-test"), client.copy(api_version="2025-01-01")):
            made.images.generate(prompt="a corgi", size="256x256")
            asked = emulator.requests[-1]
            seen.append((asked.headers.get("authorization"), asked.headers.get("api-key"), asked.query))
    assert seen == [
        ("Bearer sk-test", None, "api-version=2024-02-01"),
        (None, "sk-test", "api-version=2024-02-01"),
        ("Bearer sk-test", None, "api-version=2025-01-01"),
    ]


def test_a_token_is_asked_for_before_each_attempt() -> None:
    """It expires within the hour; what it was stands nowhere afterwards."""
    emulator = Emulator(persona="azure")
    tokens = iter(["sk-old", "sk-test"])
    client = compat.AzureOpenAI(
        azure_endpoint="https://a.openai.azure.com",
        azure_deployment="dall-e-2",
        api_version="2024-02-01",
        azure_ad_token_provider=lambda: next(tokens),
        http_client=emulator.client(),
    )
    emulator.fail_next(429, retry_after=0.01)
    with client:
        client.images.generate(prompt="a corgi", size="256x256")
        sent = [request.headers["authorization"] for request in emulator.requests]
        assert sent == ["Bearer sk-old", "Bearer sk-test"]
        assert client.api_key == ""
        assert "sk-" not in repr(vars(client)) + repr(vars(client._behind))


# Answers


def test_a_model_takes_what_it_is_made_of() -> None:
    """By hand, from JSON, with names that are none of Python's, and compared by what it holds."""
    made = compat.types.Moderation.model_construct(flagged=True, categories={"self-harm/intent": True})
    assert made.categories.self_harm_intent is True
    assert made.to_dict() == {"flagged": True, "categories": {"self-harm/intent": True}}
    assert made.model_dump(exclude_none=True)["categories"] == {"self_harm_intent": True}
    answer = compat.ImagesResponse.model_validate_json('{"created": 1, "data": [{"url": "a"}, 3], "seed": 7}')
    assert answer.model_extra == {"seed": 7}
    assert answer == copy.copy(answer)
    assert answer == answer.copy()
    assert answer != compat.ImagesResponse(created=1)
    assert answer != 1
    assert answer.model_dump(exclude={"data": {0: ...}, "created": True}, exclude_none=True) == {
        "data": [3], "seed": 7,
    }  # fmt: skip
    assert "data" in compat.ImagesResponse.model_fields


def test_the_markers_for_not_given_are_false() -> None:
    """As the SDK's are, so that `if n:` means what it meant."""
    assert not compat.NOT_GIVEN
    assert not compat.omit
    assert repr(compat.not_given) == "NOT_GIVEN"
    assert isinstance(compat.omit, compat.Omit)


def test_what_is_asked_of_the_host_beyond_ours_travels(tmp_path: Path) -> None:
    """Parameters of the SDK that are none of ours go in the body; the host has the word."""
    emulator = Emulator()
    with openai_of(emulator) as client, pytest.raises(compat.BadRequestError):
        client.images.generate(prompt="a", safety_identifier="user-1", partial_images=1)
    assert b'"safety_identifier":"user-1"' in emulator.requests[0].body
    assert b'"partial_images":1' in emulator.requests[0].body
    assert emulator.billed == []
