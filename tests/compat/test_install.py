"""`install()` on stand-ins for the official package; the peers' tests prove it on the real one."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

import httpx
import pytest

import dalle2
from dalle2 import compat
from dalle2.compat import _error_tree, error, types
from dalle2.testing import Emulator

MASK = dalle2.mask_from_box(64, (0, 0, 32, 32))


class Given:
    """A client of the SDK from version 1 on: what can be read off it."""

    def __init__(self, http_client: object, **more: object) -> None:
        self.base_url = "https://api.openai.com/v1/"
        self.api_key: object = "sk-test"
        self.organization = self.project = self._custom_headers = self._custom_query = None
        self.timeout, self.max_retries = 30.0, 0
        self._client = http_client
        vars(self).update(more)


class AzureGiven(Given):
    """A client of the SDK for Azure."""

    _azure_ad_token: object = None
    _azure_ad_token_provider: object = None


class BedrockGiven(Given):
    """A client of the SDK for Bedrock."""


def resource(awaited: bool) -> type:
    """The SDK's `Images`, whose methods say by their answer that they were not replaced."""

    class Images:
        def __init__(self, client: Given) -> None:
            self._client = client

    for name in ("generate", "edit", "create_variation"):

        def plain(self: Any, *, prompt: object = None, image: object = None, model: str | None = None,
                  size: str | None = None, stream: bool | None = None, partial_images: int | None = None,
                  extra_headers: object = None) -> str:  # fmt: skip
            return "the SDK's own"

        async def waits(self: Any, *, prompt: object = None, image: object = None, model: str | None = None,
                        size: str | None = None, extra_headers: object = None) -> str:  # fmt: skip
            return "the SDK's own"

        setattr(Images, name, waits if awaited else plain)
    return Images


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., ModuleType]]:
    """Makes a module that can be imported, until the test ends."""

    def make(name: str, **content: object) -> ModuleType:
        made = ModuleType(name)
        vars(made).update(content)
        monkeypatch.setitem(sys.modules, name, made)
        return made

    yield make
    compat.uninstall()


@pytest.fixture
def openai(module: Callable[..., ModuleType]) -> Any:
    """The SDK from version 1 on."""
    names = {name: value for name, value in vars(_error_tree).items() if name.endswith("Error")}
    resources = module("openai.resources.images", Images=resource(False), AsyncImages=resource(True))
    module("openai.resources", images=resources)
    module("openai.types", **vars(types))
    azure = {"AzureOpenAI": AzureGiven, "AsyncAzureOpenAI": AzureGiven}
    return module("openai", images=object(), resources=resources, **azure, **names)


def test_without_the_sdk_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """No import error: one sentence with both ways on."""
    monkeypatch.setitem(sys.modules, "openai", None)
    with pytest.raises(dalle2.ConfigurationError, match=r"pip install openai, or import dalle2\.compat"):
        compat.install()
    compat.uninstall()


def test_image_calls_are_ours_until_uninstall(openai: Any) -> None:
    """For a client that exists, in the SDK's shapes, and put back object for object."""
    emulator = Emulator()
    images = openai.resources.Images(
        Given(emulator.client(), _custom_headers={"X-Team": "a", "X-No": object()})
    )
    before = dict(vars(openai.resources.Images))
    assert images.generate(prompt="a corgi") == "the SDK's own"
    compat.install()
    compat.install()
    answer = images.generate(prompt="a corgi", model="dall-e-2", size="256x256")
    assert isinstance(answer, types.ImagesResponse)
    assert answer._request_id == emulator.billed[0].request_id
    assert images.edit(prompt="a hat", image=MASK, size="256x256").data[0].url
    assert images.create_variation(image=MASK, size="256x256").data[0].url
    assert emulator.requests[-1].headers["x-team"] == "a"
    assert len(emulator.billed) == 3
    raw = images.generate(
        prompt="a corgi", model="dall-e-2", size="256x256", extra_headers={"X-Stainless-Raw-Response": "raw"}
    )
    assert raw.parse().data[0].url
    assert "x-stainless-raw-response" not in emulator.requests[-1].headers
    compat.uninstall()
    assert dict(vars(openai.resources.Images)) == before
    assert images.generate(prompt="a corgi") == "the SDK's own"


def test_what_others_wrapped_since_stays_wrapped(openai: Any, openai_traced: list[str]) -> None:
    """A tracer put around our call outlives it, and then traces the SDK's own."""
    images = openai.resources.Images(Given(Emulator().client()))
    assert images.generate(prompt="a corgi", model="dall-e-2", size="256x256").data
    compat.uninstall()
    assert images.generate(prompt="a corgi") == "the SDK's own"
    assert openai_traced == ["traced", "traced"]
    compat.install()
    assert images.generate(prompt="a corgi", model="dall-e-2", size="256x256").data


@pytest.fixture
def openai_traced(openai: Any) -> list[str]:
    """Ours installed, and somebody's wrapper around it."""
    compat.install()
    ours, traced = openai.resources.Images.generate, []

    def traces(self: Any, **given: Any) -> Any:
        traced.append("traced")
        return ours(self, **given)

    openai.resources.Images.generate = traces
    return traced


def test_a_successor_that_is_retired_is_told_at_once(openai: Any) -> None:
    """And nothing is installed."""
    before = dict(vars(openai.resources.Images))
    with pytest.raises(dalle2.ConfigurationError, match="itself retired"):
        compat.install(successor="dall-e-3")
    assert dict(vars(openai.resources.Images)) == before


def test_streams_and_their_shapes(openai: Any) -> None:
    """Events of the SDK's classes."""
    images = openai.resources.Images(Given(Emulator().client()))
    compat.install()
    events = list(
        images.generate(prompt="a corgi", model="gpt-image-2.5-flare", stream=True, partial_images=1)
    )
    kinds = [types.ImageGenPartialImageEvent, types.ImageGenCompletedEvent]
    assert [type(event) for event in events] == kinds


def test_what_is_not_supported_sends_nothing(openai: Any) -> None:
    """`with_streaming_response` in one sentence, unknown and positional arguments by the SDK's own method."""
    emulator = Emulator()
    images = openai.resources.Images(Given(emulator.client()))
    compat.install()
    with pytest.raises(openai.BadRequestError, match="with_streaming_response is not supported"):
        images.generate(prompt="a", extra_headers={"X-Stainless-Raw-Response": "stream"})
    with pytest.raises(TypeError, match="sise"):
        images.generate(prompt="a", sise="256x256")
    with pytest.raises(TypeError):
        images.generate("a")
    with pytest.raises(openai.OpenAIError, match="api_key"):
        openai.resources.Images(Given(emulator.client(), api_key="no key")).generate(prompt="a")
    assert emulator.requests == []


@pytest.mark.parametrize(
    "client",
    [
        Given(None, api_key=""),
        Given(None, workload_identity=object()),
        Given(None, _provider=object()),
        BedrockGiven(None),
    ],
    ids=["no-key", "workload-identity", "provider", "bedrock"],
)
@pytest.mark.anyio
async def test_a_client_that_signs_in_otherwise_keeps_its_way(openai: Any, client: Given) -> None:
    """What has no key that we could send goes on as before."""
    compat.install()
    assert openai.resources.Images(client).generate(prompt="a corgi") == "the SDK's own"
    assert await openai.resources.AsyncImages(client).generate(prompt="a corgi") == "the SDK's own"


@pytest.mark.anyio
async def test_the_awaited_calls(openai: Any) -> None:
    """On asyncio and trio alike."""
    emulator = Emulator()
    images = openai.resources.AsyncImages(Given(emulator.async_client()))
    compat.install()
    answer = await images.generate(prompt="a corgi", model="dall-e-2", size="256x256")
    assert isinstance(answer, types.ImagesResponse)
    assert len(emulator.billed) == 1
    with pytest.raises(openai.BadRequestError):
        await images.generate(prompt="a", model="dall-e-2", size="300x300")


def test_a_setting_that_changes_is_read_again(openai: Any) -> None:
    """Key, address and options are the client's at the moment of the call; a custom host is one."""
    emulator = Emulator()
    client = Given(emulator.client(), base_url="https://images.example.com/v1/")
    images = openai.resources.Images(client)
    compat.install()
    for key in ("sk-test", "sk-wrong", "sk-test"):
        client.api_key = key
        if key == "sk-test":
            assert images.generate(prompt="a corgi", model="dall-e-2", size="256x256").data
        else:
            with pytest.raises(openai.AuthenticationError):
                images.generate(prompt="a corgi", model="dall-e-2", size="256x256")
    assert emulator.requests[-1].origin == "https://images.example.com"


@pytest.mark.parametrize("base", ["/openai/", "/openai/deployments/dall-e-2/"])
def test_azure_clients(openai: Any, base: str) -> None:
    """The deployment is that of the address, else the model; a token goes as one."""
    emulator = Emulator(persona="azure")
    client = AzureGiven(
        emulator.client(),
        base_url=f"https://a.openai.azure.com{base}",
        _custom_query={"api-version": "2024-02-01"},
        api_key="<missing API key>",
        _azure_ad_token="sk-test",
    )
    compat.install()
    images = openai.resources.Images(client)
    assert images.generate(prompt="a corgi", model="dall-e-2", size="256x256").data
    asked = emulator.requests[-1]
    assert asked.path == "/openai/deployments/dall-e-2/images/generations"
    assert asked.query == "api-version=2024-02-01"
    assert asked.headers["authorization"] == "Bearer sk-test"


@pytest.fixture
def openai_of_2022(module: Callable[..., ModuleType]) -> Any:
    """The SDK before version 1."""

    class Image:
        """`openai.Image`."""

    async def waits(cls: type, **given: object) -> str:
        return "the SDK's own"

    for name in ("create", "create_edit", "create_variation"):
        setattr(Image, name, classmethod(lambda cls, *args, **given: "the SDK's own"))
        setattr(Image, f"a{name}", classmethod(waits))

    def response(data: object, headers: Any) -> object:
        return SimpleNamespace(data=data, request_id=headers.get("X-Request-Id"))

    def convert(answer: Any) -> object:
        return compat.OpenAIObject.of({**answer.data, "id": answer.request_id})

    module("openai.error", **vars(error))
    return module(
        "openai",
        Image=Image,
        openai_response=SimpleNamespace(OpenAIResponse=response),
        util=SimpleNamespace(convert_to_openai_object=convert),
        api_key="sk-test",
    )


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])  # that SDK knew no other
async def test_the_sdk_of_2022(openai_of_2022: Any) -> None:
    """`openai.Image` with the module's settings, by position too, and put back."""
    openai, before = openai_of_2022, dict(vars(openai_of_2022.Image))
    compat.install()
    with Emulator().serve() as server:
        openai.api_base = server.base_url
        made = openai.Image.create(prompt="a corgi", size="256x256")
        assert made["data"][0].url
        assert made.id.startswith("req_")
        assert (await openai.Image.acreate(prompt="a corgi", size="256x256"))["data"]
        assert openai.Image.create_edit(MASK, MASK, prompt="a hat", size="256x256").data
        assert (await openai.Image.acreate_variation(MASK, size="256x256")).data
        with pytest.raises(error.AuthenticationError):
            openai.Image.create_variation(MASK, "sk-wrong", size="256x256")
    odd = {"openai-processing-ms": "a while"}  # on which that SDK breaks, after the call was paid for
    answer = httpx.Response(200, json={"created": 1, "data": [{"url": "https://a.b/c"}]}, headers=odd)
    openai.http_client = httpx.Client(transport=httpx.MockTransport(lambda request: answer))
    assert openai.Image.create(prompt="a corgi").data[0].url == "https://a.b/c"
    with pytest.raises(TypeError, match="at most 5 positional"):
        openai.Image.create(*"abcdef", prompt="a")
    ours = [vars(openai.Image)[name].__func__ for name in ("create", "acreate")]
    compat.uninstall()
    assert dict(vars(openai.Image)) == before
    assert [ours[0](openai.Image), await ours[1](openai.Image)] == ["the SDK's own"] * 2
