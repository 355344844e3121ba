"""The public surface as a user writes it: read by type checkers on the installed wheel, run by nobody."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import aclosing
from datetime import date, datetime
from pathlib import Path
from typing import Any, BinaryIO, assert_type

import httpx
import httpx2
from PIL.Image import Image as PillowImage

import dalle2
from dalle2 import catalog, compat, events
from dalle2.testing import BilledRequest, Emulator


def clients(provider: dalle2.Provider, hear: Callable[[events.Event], None]) -> None:
    """Every argument of a client, and what it can do besides calls."""
    dalle2.Client()
    dalle2.Client("sk-test", provider="cometapi", timeout=10)
    client = dalle2.Client(
        api_key="sk-test",
        provider=provider,
        base_url="https://images.example/v1",
        model="dall-e-2",
        organization="org",
        project="project",
        timeout=None,
        retry=dalle2.RetryPolicy(max_attempts=5, deadline=60, ambiguous="retry"),
        http_client=httpx.Client(),
        headers={"X-Team": "a"},
        moderate="before",
        download="eager",
        on_event=hear,
        budget=dalle2.Budget(max_images=10, max_usd=1.5),
    )
    dalle2.Client(http_client=httpx2.Client(), timeout=httpx.Timeout(5))
    dalle2.AsyncClient(http_client=httpx.AsyncClient(), retry=dalle2.RetryPolicy.none())
    dalle2.AsyncClient(http_client=httpx2.AsyncClient(), timeout=dalle2.DEFAULT)
    dalle2.Client(http_client=httpx.AsyncClient())  # type: ignore[arg-type]
    dalle2.Client(api_kye="sk-test")  # type: ignore[call-arg]
    assert_type(client.with_options(model="gpt-image-1", timeout=5.0), dalle2.Client)
    client.close()
    with client as entered:
        assert_type(entered, dalle2.Client)


def calls(client: dalle2.Client, path: Path, data: bytes, file: BinaryIO, picture: PillowImage) -> None:
    """Every call of the blocking client."""
    images = client.generate("a corgi", n=2, size="512x512", response_format="b64_json", user="u", timeout=5)
    assert_type(images, dalle2.Images)
    assert_type(images[:1], dalle2.Images)
    assert_type(images.to_dict(), dict[str, object])
    assert_type(images[0].width, int | None)
    assert_type(images[0].to_pil(), PillowImage)
    assert_type(dalle2.ImageResult.from_dict(images[0].to_dict(), client=client), dalle2.ImageResult)
    client.generate(
        "a corgi",
        model="gpt-image-1",
        quality="high",
        style="vivid",
        background="transparent",
        moderation="low",
        output_format="webp",
        output_compression=80,
        extra_body={"seed": 1},
        extra_headers={"X-Trace": "1"},
        idempotency_key="key",
    )
    assert_type(client.edit(path, "a hat", mask=data, n=1, size="256x256"), dalle2.Images)
    client.edit([file, picture], "a hat")
    client.edit(images[0], "a hat", mask=dalle2.mask_from_box(512, (0, 0, 256, 256)))
    assert_type(client.vary(str(path), n=1, size="256x256", response_format="url"), dalle2.Images)
    requests: list[dalle2.GenerateRequest | dalle2.EditRequest | dalle2.VariationRequest] = [
        dalle2.GenerateRequest(prompt="a corgi", n=2),
        dalle2.EditRequest(image=(dalle2.read_input(path),), prompt="a hat"),
        dalle2.VariationRequest(image=(dalle2.read_input(data),)),
    ]
    for request in requests:
        assert_type(client.send(request, idempotency_key="key"), dalle2.Images)
    assert_type(client.image("https://images.example/a.png", created=datetime.now()), dalle2.ImageResult)
    moderation = client.moderate("a corgi")
    assert_type(moderation, dalle2.Moderation)
    assert_type(moderation.flagged, bool)
    assert_type(moderation.categories, Mapping[str, bool])
    for row in client.list_models():
        assert_type(row, dalle2.ModelInfo)
        assert_type(row.id, str)
        assert_type(row.shutdown_date, date | None)


async def awaited(client: dalle2.AsyncClient, path: Path) -> None:
    """Every call of the awaited client."""
    async with client as entered:
        assert_type(entered, dalle2.AsyncClient)
    images = await client.generate("a corgi", n=2, size="512x512")
    assert_type(images, dalle2.AsyncImages)
    assert_type(images[0], dalle2.AsyncImageResult)
    assert_type(await images[0].read(), bytes)
    assert_type(await images[0].save("corgi.png", overwrite=True), Path)
    assert_type(await images.save(path), list[Path])
    assert_type(await images[0].upload("s3://pictures/corgi.png", overwrite=True), str)
    assert_type(await images.upload("s3://pictures/", provenance=True), list[str])
    assert_type(images[1:], dalle2.AsyncImages)
    assert_type(await images[0].to_pil(), PillowImage)
    assert_type(dalle2.AsyncImageResult.from_dict({}, client=client), dalle2.AsyncImageResult)
    await images[0].show()
    assert_type(await client.edit(path, "a hat"), dalle2.AsyncImages)
    assert_type(await client.vary(path), dalle2.AsyncImages)
    assert_type(await client.send(images.request), dalle2.AsyncImages)
    assert_type(client.image("https://images.example/a.png"), dalle2.AsyncImageResult)
    assert_type(await client.moderate("a corgi"), dalle2.Moderation)
    assert_type(await client.list_models(), list[dalle2.ModelInfo])
    assert_type(client.with_options(retry=dalle2.RetryPolicy.none()), dalle2.AsyncClient)
    await client.aclose()


def streams(client: dalle2.Client) -> None:
    """Events of a stream, told apart by their class."""
    for event in client.stream("a corgi", partial_images=2, model="gpt-image-2"):
        assert_type(event.image, dalle2.ImageResult)
        if isinstance(event, dalle2.PartialImage):
            assert_type(event.index, int)
        else:
            assert_type(event.usage, dalle2.Usage | None)
            assert_type(event.adaptations, tuple[dalle2.Adaptation, ...])
    client.stream("a corgi").close()


async def awaited_again(client: dalle2.AsyncClient, error: dalle2.OutcomeUnknownError) -> None:
    """The way on after a lost answer, awaited."""
    again = await client.send(error.request, idempotency_key=error.idempotency_key)
    assert_type(again, dalle2.AsyncImages)
    assert_type(client.images_of(error), dalle2.AsyncImages)
    await client.send("a corgi")  # type: ignore[arg-type]


async def awaited_streams(client: dalle2.AsyncClient) -> None:
    """The same, awaited."""
    async with aclosing(client.stream("a corgi", model="gpt-image-2")) as stream:
        async for event in stream:
            assert_type(event.image, dalle2.AsyncImageResult)
            assert_type(await event.image.read(), bytes)


def retirement(path: Path) -> None:
    """A successor, what it changes, and scripts for the official SDK."""
    request = dalle2.GenerateRequest(prompt="a corgi", size="256x256")
    adapted = dalle2.adapt(request, "auto", today=date(2026, 6, 1))
    assert_type(adapted, dalle2.Adapted)
    assert_type(adapted.scale, tuple[int, int] | None)
    images = dalle2.Client(successor="auto", split_n=True).send(adapted.request)
    assert_type(images.adaptations, tuple[dalle2.Adaptation, ...])
    client = compat.OpenAI(successor="auto", max_retries=1, http_client=httpx.Client())
    answer = client.images.edit(image=path, mask=path, prompt="a hat", n=1, size="256x256")
    assert_type(answer, compat.ImagesResponse)
    assert_type(answer.created, int)
    assert_type(answer.data[0].url, str | None)
    client.images.create_variation(image=("a.png", b""), n=1)
    client.images.generate(prompt="a corgi", sise="256x256")  # type: ignore[call-overload]
    assert_type(client.images.generate(prompt="a corgi", stream=True), compat.Stream)
    assert_type(client.images.with_raw_response.generate(prompt="a corgi").parse(), compat.ImagesResponse)
    assert_type(client.with_options(timeout=5.0), compat.OpenAI)
    assert_type([model.id for model in client.models.list().data], list[str])
    assert_type(client.moderations.create(input="a corgi").results[0].flagged, bool)
    assert_type(compat.images.generate(prompt="a corgi"), compat.ImagesResponse)
    try:
        compat.AzureOpenAI(azure_deployment="pictures", azure_ad_token_provider=lambda: "a token").close()
    except compat.BadRequestError as e:
        assert_type(e.response.status_code, int)
        assert_type(e.code, str | None)
    compat.install(successor="auto")
    compat.OpenAI(api_kye="sk-test")  # type: ignore[call-arg]
    assert_type(compat.Image.create(prompt="a corgi"), compat.OpenAIObject)


def money(images: dalle2.Images) -> None:
    """Estimates, costs, and prices of one's own."""
    assert_type(images.cost, float | None)
    assert_type(images.request.estimate(), float | None)
    about = images.request.estimate(rough=True)
    assert_type(about, dalle2.Estimate | None)
    if about is not None:
        assert_type((about.rough, about.source), tuple[bool, str])
        assert_type(about * 2, float)
    prices = dalle2.PriceTable.listed().with_prices({"mine": catalog.Price("me")}, as_of=date(2026, 1, 1))
    dalle2.Client(prices=prices)


def results(images: dalle2.Images, client: dalle2.Client) -> None:
    """What an answer holds."""
    assert_type(images.created, datetime)
    assert_type(images.model, str)
    assert_type(images.request_id, str | None)
    assert_type(images.usage, dalle2.Usage | None)
    assert_type(images[0], dalle2.ImageResult)
    assert_type(images[:1], dalle2.Images)
    assert_type(images.save("directory"), list[Path])
    assert_type(images.upload("s3://pictures/"), list[str])
    assert_type(images[0].upload("s3://pictures/", provenance=True), str)
    for image in images:
        assert_type(image.url, str | None)
        assert_type(image.b64_json, str | None)
        assert_type(image.revised_prompt, str | None)
        assert_type(image.created, datetime)
        assert_type(image.media_type, str | None)
        assert_type(image.expires_at, datetime | None)
        assert_type(image.expires_in, float | None)
        assert_type(image.is_expired, bool)
        assert_type(image.read(), bytes)
        assert_type(image.save(Path("corgi.png"), overwrite=True), Path)
        assert_type(image.to_dict(), dict[str, object])
        assert_type(dalle2.ImageResult.from_dict(image.to_dict(), client=client), dalle2.ImageResult)


def errors(client: dalle2.Client) -> None:
    """What can be read from each error, narrowest first."""
    try:
        client.generate("a corgi")
    except dalle2.OutcomeUnknownError as error:
        assert_type(client.send(error.request, idempotency_key=error.idempotency_key), dalle2.Images)
        assert_type(client.images_of(error), dalle2.Images)
        assert_type(error.idempotency_key, str | None)
        assert_type(error.sent_at, datetime | None)
        assert_type(error.maybe_billed, bool)
    except dalle2.ContentPolicyError as error:
        assert_type(error.categories, tuple[str, ...])
        assert_type(error.stage, str | None)
    except dalle2.ModelRetiredError as error:
        assert_type(error.model, str | None)
        assert_type(error.replacement, str | None)
    except dalle2.APIStatusError as error:
        assert_type(error.status_code, int | None)
        assert_type(error.code, str | None)
        assert_type(error.request_id, str | None)
        assert_type(error.retry_after, float | None)
    except dalle2.ImageExpiredError as error:
        assert_type(error.expires_at, datetime | None)
    except dalle2.DownloadError as error:
        assert_type(error.reason, str)
        assert_type(error.saved, tuple[Path, ...])
        assert_type(error.uploaded, tuple[str, ...])
    except dalle2.DecodeError as error:
        assert_type(error.path, str)
    except dalle2.InvalidRequestError as error:
        assert_type(error.field, str | None)
        value_error: ValueError = error
        raise value_error from None
    except (dalle2.ConfigurationError, dalle2.BudgetExceededError, dalle2.APIConnectionError) as error:
        assert_type(error.message, str)
    except dalle2.Dalle2Error as error:
        for kept in error.images:
            assert_type(kept.url, str | None)
            assert_type(kept.content, bytes | None)
        for image in dalle2.Client().images_of(error):
            assert_type(image.save("rescued/"), Path)


def pictures(path: Path) -> None:
    """The extra `pillow`, and the models that are known."""
    assert_type(dalle2.prepare_image(path, size=512, fit="crop", mask_box=(0, 0, 9, 9)), bytes)
    model = catalog.find("dall-e-2")
    assert model is not None
    assert_type(catalog.successor_of("dall-e-2", date(2026, 6, 1)), str | None)


def testing() -> None:
    """The emulator, in process and over HTTP."""
    emulator = Emulator(api_key="sk-test", today=date(2026, 6, 1), persona="cometapi")
    assert_type(emulator.client(), httpx.Client)
    dalle2.Client(api_key="sk-test", http_client=emulator.client())
    dalle2.AsyncClient(api_key="sk-test", http_client=emulator.async_client())
    with emulator.serve() as server:
        assert_type(server.base_url, str)
    emulator.clock.advance(3601)
    emulator.fail_next(429, retry_after=1)
    emulator.lose_next()
    assert_type(emulator.billed, list[BilledRequest])
    assert_type(emulator.billed[0].prompt, str)


def after_a_lost_answer(client: dalle2.Client) -> None:
    """The way on from the error itself, and what it kept."""
    try:
        client.generate("a corgi")
    except dalle2.OutcomeUnknownError as error:
        assert_type(client.send(error.request, idempotency_key=error.idempotency_key), dalle2.Images)
        assert_type(error.request.to_dict(), dict[str, object])
        if isinstance(error.request, dalle2.GenerateRequest):
            assert_type(error.request.prompt, str)
        assert_type(client.images_of(error), dalle2.Images)
        assert_type(error.body, bytes | None)


async def after_a_lost_answer_awaited(client: dalle2.AsyncClient) -> None:
    """The same, awaited."""
    try:
        await client.generate("a corgi")
    except dalle2.OutcomeUnknownError as error:
        sent = await client.send(error.request, idempotency_key=error.idempotency_key)
        assert_type(sent, dalle2.AsyncImages)
        assert_type(client.images_of(error), dalle2.AsyncImages)


def plain(client: dalle2.Client) -> None:
    """What goes out as JSON and comes back."""
    request = dalle2.GenerateRequest.from_dict({"prompt": "a corgi"})
    assert_type(request, dalle2.GenerateRequest)
    assert_type(dalle2.EditRequest.from_dict({}).image, tuple[dalle2.InputImage, ...])
    assert_type(client.send(request).to_dict(), dict[str, object])
    assert_type(client.moderate("a corgi").to_dict(), dict[str, object])
    assert_type([row.to_dict() for row in client.list_models()], list[dict[str, object]])


async def mistakes(client: dalle2.Client, awaited: dalle2.AsyncClient, path: Path) -> None:
    """Each of these lines is wrong, and every type checker must say so."""
    client.generate()  # type: ignore[call-arg]
    client.generate(3)  # type: ignore[arg-type]
    client.generate("a corgi", n="2")  # type: ignore[arg-type]
    client.generate("a corgi", size=512)  # type: ignore[arg-type]
    client.generate("a corgi", sise="512x512")  # type: ignore[call-arg]
    client.generate("a corgi", 2)  # type: ignore[call-arg]
    client.edit(path)  # type: ignore[call-arg]
    client.edit(3, "a hat")  # type: ignore[arg-type]
    client.send("a corgi")  # type: ignore[arg-type]
    client.send(None)  # type: ignore[arg-type]
    client.image(path)  # type: ignore[arg-type]
    client.with_options(modle="dall-e-2")  # type: ignore[call-arg]
    client.generate("a corgi").sve("directory")  # type: ignore[attr-defined]
    client.generate("a corgi")[0].save()  # type: ignore[call-arg]
    client.generate("a corgi")[0].url.upper()  # type: ignore[union-attr]
    client.generate("a corgi")["first"]  # type: ignore[call-overload]
    await client.generate("a corgi")  # type: ignore[misc]
    awaited.generate("a corgi").save("directory")  # type: ignore[attr-defined]
    (await awaited.generate("a corgi"))[0].read().hex()  # type: ignore[attr-defined]
    dalle2.GenerateRequest("a corgi")  # type: ignore[call-arg]
    dalle2.GenerateRequest(prompt="a corgi", n="2")  # type: ignore[arg-type]
    dalle2.GenerateRequest(prompt="a corgi").n = 2  # type: ignore[misc]
    dalle2.RetryPolicy(ambiguous="always")  # type: ignore[arg-type]
    dalle2.Budget(max_usd="5")  # type: ignore[arg-type]
    dalle2.prepare_image(path, fit="stretch")  # type: ignore[arg-type]


def is_not_any(client: dalle2.Client) -> Any:
    """A misspelt name is an error for a type checker, not an `Any`."""
    dalle2.Clinet  # type: ignore[attr-defined]
    return client.genrate("a corgi")  # type: ignore[attr-defined]
