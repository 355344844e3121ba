"""The module as a client: its settings at the moment of the call, in the style of 2022 and in today's."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

import dalle2
from dalle2 import compat
from dalle2.testing import Emulator

MASK = dalle2.mask_from_box(64, (0, 0, 32, 32))


@pytest.fixture
def emulator() -> Emulator:
    """The host."""
    return Emulator()


@pytest.fixture
def openai(emulator: Emulator) -> Iterator[Any]:
    """The module as a script has it, with a key and a host; put back afterwards."""
    before = dict(vars(compat))
    with emulator.serve() as server:
        module: Any = compat
        module.api_key, module.api_base, module.max_retries = "sk-test", server.base_url, 0
        yield module
        compat.reset()
    vars(compat).update(before)


def test_one_client_serves_as_long_as_the_settings_stay(openai: Any, emulator: Emulator) -> None:
    """Connections and what was learnt of the host are kept; a few sets of settings are."""
    from dalle2.compat import _module

    compat.reset()
    openai.http_client = emulator.client()
    for _ in range(3):
        openai.Image.create(prompt="a", size="256x256")
    assert len(_module._kept) == 1
    for number in range(9):
        openai.default_headers = {"X-Number": str(number)}
        openai.Image.create(prompt="a", size="256x256")
    assert len(_module._kept) <= 8


@pytest.mark.parametrize("name", ["proxy", "requestssession", "ca_bundle_path"])
def test_a_setting_that_cannot_be_kept_is_refused(openai: Any, emulator: Emulator, name: str) -> None:
    """Passed over in silence it would send a call where it must not go; the sentence says what to set."""
    setattr(openai, name, "http://proxy.example.com")
    try:
        with pytest.raises(openai.error.OpenAIError, match=rf"openai\.{name} is not read here: set"):
            openai.Image.create(prompt="a")
    finally:
        setattr(openai, name, None)
    assert emulator.requests == []


@pytest.mark.parametrize("seconds", [20, (5, 20), None])
def test_a_timeout_of_one_call(openai: Any, seconds: Any) -> None:
    """`request_timeout` in seconds, or for connecting and reading apart."""
    assert openai.Image.create(prompt="a", size="256x256", request_timeout=seconds)["created"]


def test_what_2022_did_not_know_goes_to_the_host(openai: Any, emulator: Emulator) -> None:
    """An argument that is none of ours is the host's to refuse, which is free."""
    with pytest.raises(openai.error.InvalidRequestError):
        openai.Image.create(prompt="a", num_images=2, extra_body={"user": "u"})
    assert b'"num_images":2' in emulator.requests[0].body
    assert emulator.billed == []


def test_the_environment_of_2022(
    openai: Any, emulator: Emulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Base, organisation and a file with the key are read from it where the module says nothing."""
    base, openai.api_base, openai.api_key = openai.api_base, None, None
    path = tmp_path / "key"
    path.write_text("sk-test\n", encoding="utf-8")
    monkeypatch.setenv("OPENAI_API_BASE", base)
    monkeypatch.setenv("OPENAI_ORGANIZATION", "org-1")
    monkeypatch.setenv("OPENAI_API_KEY_PATH", str(path))
    openai.Image.create(prompt="a", size="256x256")
    assert emulator.requests[-1].headers["openai-organization"] == "org-1"
    monkeypatch.setenv("OPENAI_API_KEY_PATH", str(tmp_path / "nothing"))
    with pytest.raises(openai.OpenAIError, match="api_key_path cannot be read"):
        openai.Image.create(prompt="a")


def test_a_wrong_kind_of_host_is_refused(openai: Any) -> None:
    """`api_type` is what it was, or a sentence names what it may be."""
    openai.api_type = "azzure"
    with pytest.raises(openai.error.OpenAIError, match="'openai', 'azure' or 'azure_ad'"):
        openai.Image.create(prompt="a")


@pytest.mark.parametrize(
    ("kind", "given", "path", "header"),
    [
        ("azure", {}, "/openai/images/generations:submit", "api-key"),
        ("azure_ad", {}, "/openai/images/generations:submit", "authorization"),
        ("azure", {"deployment_id": "d"}, "/openai/deployments/d/images/generations", "api-key"),
        ("azure", {"engine": "d"}, "/openai/deployments/d/images/generations", "api-key"),
    ],
)
def test_azure_in_2022(openai: Any, kind: str, given: Any, path: str, header: str) -> None:
    """The address, the version and the kind of key are Azure's, and no longer OpenAI's in silence."""
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        result = {"created": 1, "data": [{"url": "https://a.example.com/1.png"}]}
        return httpx.Response(200, json=result | {"status": "succeeded", "result": result})

    openai.http_client = httpx.Client(transport=httpx.MockTransport(answer))
    openai.api_type, openai.api_base = kind, "https://a.openai.azure.com/"
    made = openai.Image.create(prompt="a corgi", size="256x256", api_version="2023-06-01-preview", **given)
    assert made == {"created": 1, "data": [{"url": "https://a.example.com/1.png"}]}
    assert (asked[0].url.path, asked[0].url.query) == (path, b"api-version=2023-06-01-preview")
    assert asked[0].headers[header].removeprefix("Bearer ") == "sk-test"


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])  # that SDK knew no other
async def test_a_moderation_of_2022_awaited(openai: Any) -> None:
    """As before a paid call."""
    assert (await openai.Moderation.acreate(input="a corgi"))["results"][0]["flagged"] is False


def test_what_was_said_of_the_answer(openai: Any) -> None:
    """`organization` and `response_ms`, beside the dictionary and not in it; they travel, too."""

    def answer(request: httpx.Request) -> httpx.Response:
        headers = {"openai-organization": "org-1", "openai-processing-ms": "12"}
        return httpx.Response(200, json={"created": 1, "data": [{"url": "https://a.b/c"}]}, headers=headers)

    openai.http_client = httpx.Client(transport=httpx.MockTransport(answer))
    made = openai.Image.create(prompt="a", size="256x256")
    again = pickle.loads(pickle.dumps(made))
    for one in (made, again):
        assert (one.organization, one.response_ms) == ("org-1", 12)
        assert sorted(one) == ["created", "data"]
    assert repr(made).startswith("<OpenAIObject at 0x")


def test_todays_module_style(openai: Any) -> None:
    """`openai.images`, `openai.models`, `openai.moderations`, and the names that scripts import with them."""
    openai.timeout = openai.Timeout(20.0, connect=5.0)
    assert openai.images.generate(prompt="a", size="256x256").data[0].url
    assert "dall-e-2" in [model.id for model in openai.models.list()]
    assert openai.moderations.create(input="a corgi").results[0].flagged is False
    assert issubclass(openai.DefaultHttpxClient, httpx.Client)
    assert openai.Client is openai.OpenAI
