"""The DALL·E 2 contract over a living model, and how a retirement shows: errors, warnings, adaptations."""

from __future__ import annotations

import base64
import inspect
import io
import json
import sys
import warnings
from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from PIL import Image

import dalle2
from dalle2 import catalog
from dalle2._calls import _plan
from dalle2._calls._envelope import Options
from dalle2._requests._draft import Draft
from dalle2._requests._successor import VARIATION_PROMPT
from dalle2._session import Session
from dalle2._state import ClientState, KnownModels
from dalle2.settings import resolve
from dalle2.testing import Emulator

AFTER = date(2026, 6, 1)
NOVEMBER = date(2026, 11, 20)
FLARE = "gpt-image-2.5-flare"
PLAIN = dalle2.prepare_image(dalle2.mask_from_box(64, (0, 0, 1, 1)), fill="red")
MASK = dalle2.mask_from_box(64, (0, 0, 32, 32))


def opaque(side: int = 64) -> bytes:
    """A PNG without an alpha channel."""
    buffer = io.BytesIO()
    Image.new("RGB", (side, side), "red").save(buffer, "PNG")
    return buffer.getvalue()


def holed(side: int = 64) -> bytes:
    """A PNG with a transparent corner."""
    picture = Image.new("RGBA", (side, side), "red")
    picture.paste((0, 0, 0, 0), (0, 0, side // 2, side // 2))
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def emulator() -> Emulator:
    """OpenAI's host after the retirement."""
    return Emulator(today=AFTER)


def client_of(emulator: Emulator, **options: Any) -> dalle2.Client:
    """A client on an emulated OpenAI."""
    return dalle2.Client("sk-test", http_client=emulator.client(), **options)


def fields(images: Any) -> list[str]:
    """The names of what was changed."""
    return [change.field for change in images.adaptations]


def size_of(data: bytes) -> tuple[int, int]:
    """Width and height of an image."""
    with Image.open(io.BytesIO(data)) as picture:
        picture.load()
        return picture.size


def sent(emulator: Emulator) -> dict[str, Any]:
    """The JSON of the last paid call."""
    document: dict[str, Any] = json.loads(emulator.requests[-1].body)
    return document


@pytest.mark.parametrize("size", ["256x256", "512x512", "1024x1024"])
def test_generate_keeps_the_contract(emulator: Emulator, tmp_path: Path, size: str) -> None:
    """Each size comes back exactly, `n` and `user` travel, and every result reads and saves."""
    with client_of(emulator, successor="auto") as client:
        images = client.generate("a corgi astronaut", n=2, size=size, response_format="url", user="u-1")
    edge = int(size.partition("x")[0])
    assert len(images) == 2
    for image in images:
        assert size_of(image.read()) == (edge, edge)
        assert image.b64_json == base64.b64encode(image.read()).decode()
        assert size_of(image.save(tmp_path / "corgi", overwrite=True).read_bytes()) == (edge, edge)
        assert (image.url, image.expires_at, image.media_type) == (None, None, "image/png")
    body = sent(emulator)
    assert (body["model"], body["n"], body["user"]) == (FLARE, 2, "u-1")
    assert "response_format" not in body
    expected = ["model", "response_format", "quality"] + (["size"] if edge < 816 else [])
    assert fields(images) == expected
    assert images.model == FLARE


@pytest.mark.anyio
async def test_the_awaited_client_keeps_it_too(emulator: Emulator, tmp_path: Path) -> None:
    """Generate, edit and vary on asyncio and trio."""
    async with dalle2.AsyncClient(
        "sk-test", http_client=emulator.async_client(), successor="gpt-image-2.5-sunburst"
    ) as client:
        made = await client.generate("a corgi astronaut", size="256x256")
        edited = await client.edit(opaque(), "a hat", mask=MASK, size="512x512")
        varied = await client.vary(opaque(), size="256x256")
        for images, edge in ((made, 256), (edited, 512), (varied, 256)):
            (path,) = await images.save(tmp_path / str(edge))
            assert size_of(path.read_bytes()) == (edge, edge)
            assert "size" in fields(images)
    assert {billed.model for billed in emulator.billed} == {"gpt-image-2.5-sunburst"}


def test_a_size_that_was_not_said_stays_that_of_dalle2(emulator: Emulator) -> None:
    """Unasked, dall-e-2 made 1024x1024: so it is asked for, and told."""
    with client_of(emulator, successor="auto") as client:
        images = client.generate("a corgi astronaut")
    assert sent(emulator)["size"] == "1024x1024"
    assert str(images.adaptations[-1]) == "size is sent as '1024x1024': the size that dall-e-2 made unasked"


def test_an_edit_keeps_its_mask_and_options(emulator: Emulator) -> None:
    """A square PNG with a mask is edited, twice, at the size asked for."""
    with client_of(emulator, successor="auto") as client:
        images = client.edit(
            opaque(), "a hat", mask=MASK, n=2, size="256x256", response_format="b64_json", user="u"
        )
        assert [size_of(image.read()) for image in images] == [(256, 256)] * 2
    (billed,) = emulator.billed
    assert (billed.operation, billed.n, billed.size) == ("edit", 2, "816x816")
    assert fields(images) == ["model", "response_format", "quality", "size"]
    assert b'name="mask"' in emulator.requests[-1].body
    assert b'name="user"' in emulator.requests[-1].body
    assert b"response_format" not in emulator.requests[-1].body


def test_an_edit_without_a_mask_uses_the_transparency_of_the_image(emulator: Emulator) -> None:
    """What dall-e-2 read from the image itself is sent as the mask; an opaque image brings none."""
    with client_of(emulator, successor="auto") as client:
        images = client.edit(holed(), "a hat", size="256x256")
        assert b'name="mask"; filename="mask.png"' in emulator.requests[-1].body
        assert "mask" in fields(images)
        plain = client.edit(opaque(), "a hat", size="256x256")
        assert b'name="mask"' not in emulator.requests[-1].body
        assert "mask" not in fields(plain)


def test_the_transparency_of_another_format_is_no_mask(emulator: Emulator) -> None:
    """Masks are PNGs: a WebP goes through without one."""
    buffer = io.BytesIO()
    Image.new("RGBA", (64, 64), (1, 2, 3, 0)).save(buffer, "WEBP", lossless=True)
    with client_of(emulator, successor="auto") as client:
        images = client.edit(buffer.getvalue(), "a hat")
    assert fields(images) == ["model", "quality", "size"]


def test_a_variation_becomes_an_edit_with_a_stated_prompt(emulator: Emulator) -> None:
    """The prompt is one that a reader can see, and nothing of the request is lost."""
    with client_of(emulator, successor="auto") as client:
        images = client.vary(holed(), n=2, size="512x512", response_format="url", user="u")
        assert [size_of(image.read()) for image in images] == [(512, 512)] * 2
    (billed,) = emulator.billed
    assert (billed.operation, billed.prompt, billed.n) == ("edit", VARIATION_PROMPT, 2)
    assert fields(images) == ["model", "operation", "response_format", "quality", "size"]
    assert VARIATION_PROMPT in str(images.adaptations[1])


def test_the_changes_can_be_asked_for_without_a_call() -> None:
    """`dalle2.adapt` tells what a request becomes, on a day that is given."""
    request = dalle2.GenerateRequest(prompt="a corgi", size="256x256", response_format="url")
    adapted = dalle2.adapt(request, "gpt-image-2", today=AFTER)
    assert isinstance(adapted, dalle2.Adapted)
    assert adapted.request == dalle2.GenerateRequest(prompt="a corgi", size="816x816", model="gpt-image-2")
    assert adapted.scale == (256, 256)
    assert [str(change).partition(":")[0] for change in adapted.adaptations] == [
        "model='dall-e-2' is sent as 'gpt-image-2'",
        "response_format='url' is not sent",
        "size='256x256' is sent as '816x816'",
    ]
    assert dalle2.adapt(request, "auto", today=AFTER).request.model == FLARE
    with pytest.raises(dalle2.ConfigurationError, match="'dall-e-3' is itself retired: use"):
        dalle2.adapt(request, "dall-e-3", today=AFTER)


def test_before_the_end_the_reason_is_the_callers_wish() -> None:
    """`successor` counts whatever the date; only the words differ."""
    request = dalle2.GenerateRequest(prompt="a corgi")
    assert dalle2.adapt(request, FLARE, today=date(2026, 5, 11)).adaptations[0].reason == "as you asked"
    assert (
        dalle2.adapt(request, FLARE, today=AFTER).adaptations[0].reason
        == "dall-e-2 was retired on 2026-05-12"
    )


@pytest.mark.parametrize(
    ("given", "successor", "expected"),
    [
        ({"quality": "hd", "style": "vivid"}, FLARE, {"quality": "high", "style": None}),
        ({"quality": "standard"}, FLARE, {"quality": "medium"}),
        (
            {"quality": "hd", "style": "natural"},
            "my-alias",
            {"quality": "high", "style": None, "size": "1024x1024"},
        ),
        ({"quality": "low", "style": "drawn"}, "my-alias", {"quality": "low", "style": "drawn"}),
        ({"size": "1792x1024"}, FLARE, {"size": "1792x1024"}),
        ({"size": "1792x1024"}, "chatgpt-image-latest", {"size": "1792x1024"}),
        ({"size": "256x256"}, "chatgpt-image-latest", {"size": "1024x1024"}),
        ({"size": "256x256"}, "my-alias", {"size": "256x256"}),
    ],
)
def test_options_of_dalle3_find_their_successor(
    given: dict[str, Any], successor: str, expected: dict[str, Any]
) -> None:
    """What has a counterpart is translated, what has none is dropped; an unknown model gets what was said."""
    request = dalle2.GenerateRequest(prompt="a corgi", model="dall-e-3", **given)
    adapted = dalle2.adapt(request, successor, today=AFTER).request
    assert {name: getattr(adapted, name) for name in expected} == expected


BEST, DEAR = "the best that costs no more", "the cheapest, but it costs more"


@pytest.mark.parametrize(
    ("given", "quality", "reason"),
    [
        ({}, "medium", f"{BEST} than dall-e-2 did (about $0.013 an image against $0.02)"),
        ({"size": "512x512"}, "medium", f"{BEST} than dall-e-2 did (about $0.0084 an image against $0.018)"),
        (
            {"quality": "standard"},
            "medium",
            f"{BEST} than dall-e-2 did (about $0.013 an image against $0.02)",
        ),
        (
            {"size": "1792x1024", "model": "dall-e-3"},
            "medium",
            f"{BEST} than dall-e-3 did (about $0.023 an image against $0.08)",
        ),
        ({"size": "2048x2048"}, "low", f"{DEAR} than dall-e-2 did (about $0.024 an image against $0.02)"),
        (
            {"model": "gpt-image-1"},
            "medium",
            f"{BEST} than dall-e-2 did (about $0.013 an image against $0.02)",
        ),
    ],
)
def test_auto_sends_the_best_quality_for_the_money(given: dict[str, Any], quality: str, reason: str) -> None:
    """Where the caller names none, or the one that only DALL·E had: said with both prices."""
    adapted = dalle2.adapt(dalle2.GenerateRequest(prompt="a corgi", **given), "auto", today=NOVEMBER)
    assert (adapted.request.model, getattr(adapted.request, "quality", None)) == (FLARE, quality)
    told = [(change.asked, change.reason) for change in adapted.adaptations if change.field == "quality"]
    assert told == [(given.get("quality"), reason)]


@pytest.mark.parametrize(
    ("given", "quality"),
    [
        ({"quality": "low"}, "low"),
        ({"quality": "auto"}, "auto"),
        ({"quality": "hd"}, "high"),
        ({"extra_body": {"quality": "max"}}, None),
        ({"extra_body": {"quality": None}}, None),
    ],
)
def test_a_quality_that_is_named_is_kept(given: dict[str, Any], quality: str | None) -> None:
    """Whatever it costs, also under `extra_body`, which wins on the wire."""
    adapted = dalle2.adapt(dalle2.GenerateRequest(prompt="a corgi", **given), "auto", today=NOVEMBER).request
    assert getattr(adapted, "quality", None) == quality


def test_a_successor_that_is_named_keeps_its_own_quality() -> None:
    """Only `auto` chooses one: who names a model knows it."""
    for given in ({}, {"quality": None}):
        request = dalle2.GenerateRequest(prompt="a corgi", **given)
        assert "quality" not in [c.field for c in dalle2.adapt(request, FLARE, today=NOVEMBER).adaptations]
    request = dalle2.GenerateRequest(prompt="a corgi", quality="standard")
    assert getattr(dalle2.adapt(request, FLARE, today=NOVEMBER).request, "quality", None) == "medium"


def test_auto_without_a_known_price_is_the_cheapest() -> None:
    """Of a model that the price list does not know, and of one whose qualities nobody has listed."""
    taken = catalog.MODELS[FLARE].parameters
    old = catalog.MODELS["dall-e-2"]._replace(successor="tomorrow")
    heir = catalog.MODELS[FLARE]._replace(name="tomorrow")
    some = {operation: {**values, "quality": None} for operation, values in taken.items()}
    none = {
        operation: {name: value for name, value in values.items() if name != "quality"}
        for operation, values in taken.items()
    }
    request = dalle2.GenerateRequest(prompt="a corgi")
    for parameters, quality in ((taken, "low"), (some, "low"), (none, None)):
        models = {"dall-e-2": old, "tomorrow": heir._replace(parameters=parameters)}
        adapted = dalle2.adapt(request, "auto", today=NOVEMBER, models=models)
        assert getattr(adapted.request, "quality", None) == quality
        told = [str(change) for change in adapted.adaptations if change.field == "quality"]
        assert told == ([] if quality is None else [
            "quality is sent as 'low': what an image of tomorrow costs is not known, and this is the cheapest"
        ])  # fmt: skip


def test_a_dearer_heir_is_told_so() -> None:
    """Where even the cheapest quality costs more than dall-e-2 did."""
    heir = catalog.MODELS["gpt-image-2.6-flare"]
    models = {"dall-e-2": catalog.MODELS["dall-e-2"]._replace(successor=heir.name), heir.name: heir}
    adapted = dalle2.adapt(dalle2.GenerateRequest(prompt="a corgi"), "auto", today=NOVEMBER, models=models)
    assert "the cheapest, but it costs more than dall-e-2 did (about $0.024" in str(adapted.adaptations[1])


def test_the_day_need_not_be_named() -> None:
    """Unsaid it is the present one, and the signature fits on a line."""
    request = dalle2.GenerateRequest(prompt="a corgi")
    assert dalle2.adapt(request, FLARE) == dalle2.adapt(request, FLARE, today=datetime.now(UTC).date())
    assert len(str(inspect.signature(dalle2.adapt))) < 200


def test_a_newer_model_that_ended_is_followed_too() -> None:
    """gpt-image-1 ended after dall-e-2; its own size stays unsaid, and what only it took is dropped."""
    image = dalle2.read_input(opaque())
    request = dalle2.EditRequest(image=image, prompt="a hat", model="gpt-image-1", input_fidelity="high")  # type: ignore[arg-type]
    assert dalle2.adapt(request, FLARE, today=AFTER).adaptations == ()
    adapted = dalle2.adapt(request, FLARE, today=date(2026, 10, 23))
    assert [change.field for change in adapted.adaptations] == ["model", "input_fidelity"]
    assert adapted.request.size is None


@pytest.mark.parametrize("model", ["gpt-image-2", FLARE, "somebody-elses-model"])
def test_a_model_that_lives_or_is_not_known_is_left_alone(model: str) -> None:
    """Only what is known to have ended is replaced."""
    request = dalle2.GenerateRequest(prompt="a corgi", model=model, size="300x300")
    assert dalle2.adapt(request, FLARE, today=AFTER) == dalle2.Adapted(request)


# --- where nobody named a model -----------------------------------------------------------------------------


@pytest.fixture
def first(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that has warned of nothing yet."""
    monkeypatch.setattr(_plan, "_warned", set())


@pytest.mark.parametrize("options", [{"successor": None}, {"successor": "none"}, {"model": "dall-e-2"}])
def test_without_successor_nothing_is_swapped(emulator: Emulator, options: dict[str, Any]) -> None:
    """Where the caller named the model, or none to follow it, the refusal is told and nothing else tried."""
    with client_of(emulator, **options) as client, pytest.raises(dalle2.ModelRetiredError):
        client.generate("a corgi", size="256x256")
    with client_of(emulator) as client, pytest.raises(dalle2.ModelRetiredError):
        client.generate("a corgi", size="256x256", model="dall-e-2")
    with client_of(emulator) as client, pytest.raises(dalle2.ModelRetiredError):
        client.with_options(successor=None).generate("a corgi", size="256x256")
    assert len(emulator.requests) == 3
    images = client_of(Emulator()).generate("a corgi", size="256x256")
    assert (images.adaptations, images.model) == ((), "dall-e-2")


def test_the_model_that_environment_or_client_names_is_not_replaced(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`DALLE2_MODEL` names a model as an argument does; `DALLE2_SUCCESSOR=none` forbids any other."""
    for name, value in (("DALLE2_MODEL", "dall-e-2"), ("DALLE2_SUCCESSOR", "none")):
        with monkeypatch.context() as patch:
            patch.setenv(name, value)
            with client_of(emulator) as client, pytest.raises(dalle2.ModelRetiredError):
                client.generate("a corgi")


@pytest.mark.usefixtures("first")
def test_a_key_of_openai_gets_an_image_although_nobody_named_a_model(emulator: Emulator) -> None:
    """The host says, free, that dall-e-2 is gone; then the successor makes it, warned of once."""
    with client_of(emulator) as client:
        with pytest.warns(dalle2.ModelRetirementWarning) as caught:
            images = client.generate("a corgi", size="256x256")
        again = client.with_options(timeout=9).generate("a corgi", size="256x256")
    assert [json.loads(request.body)["model"] for request in emulator.requests] == ["dall-e-2", FLARE, FLARE]
    assert [billed.model for billed in emulator.billed] == [FLARE, FLARE]
    assert images.model == again.model == FLARE
    assert Image.open(io.BytesIO(images[0].read())).size == (256, 256)
    assert {change.field: change.sent for change in images.adaptations}["quality"] == "medium"
    (warning,) = caught
    for words in ("api.openai.com no longer has dall-e-2", FLARE, "about $0.0", "successor=", "model="):
        assert words in str(warning.message)
    assert warning.filename == __file__


@pytest.mark.usefixtures("first")
@pytest.mark.parametrize("flavour", ["asyncio", "trio"])
def test_the_awaited_client_replaces_it_alike(emulator: Emulator, flavour: Any) -> None:
    """The twin does the same, and `DALLE2_SUCCESSOR` needs no first refusal."""

    async def main(**options: Any) -> None:
        http = emulator.async_client()
        async with http, dalle2.AsyncClient("sk-test", http_client=http, **options) as client:
            await client.generate("a corgi")

    with pytest.warns(dalle2.ModelRetirementWarning):
        anyio.run(main, backend=flavour)
    assert len(emulator.requests) == 2
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DALLE2_SUCCESSOR", " auto\n")
        anyio.run(main, backend=flavour)
    assert len(emulator.requests) == 3


@pytest.mark.filterwarnings("ignore::dalle2.ModelRetirementWarning")
@pytest.mark.parametrize(
    ("asked", "sent"),
    [
        ({"quality": "high"}, {"quality": "high"}),
        ({"quality": "standard", "size": "512x512"}, {"quality": "medium"}),
        ({"prompt": "a" * 1001}, {"prompt": "a" * 1001}),
        ({"size": "1536x1024"}, {"size": "1536x1024"}),
        ({"background": "transparent", "output_format": "webp"}, {"output_format": "webp"}),
    ],
)
def test_what_only_the_successor_takes_goes_to_it_at_once(
    emulator: Emulator, asked: dict[str, Any], sent: dict[str, Any]
) -> None:
    """No refusal is asked for that is certain; on a host that still has dall-e-2 likewise."""
    for host in (emulator, Emulator()):
        with client_of(host) as client:
            client.generate(**{"prompt": "a corgi", **asked})
        (request,) = host.requests
        body = json.loads(request.body)
        assert body["model"] == FLARE
        assert sent.items() <= body.items()


@pytest.mark.filterwarnings("ignore::dalle2.ModelRetirementWarning")
def test_a_stream_goes_to_the_successor_at_once(emulator: Emulator) -> None:
    """dall-e-2 never streamed."""
    with client_of(emulator) as client:
        events = list(client.stream("a corgi", partial_images=1))
    assert [type(event).__name__ for event in events] == ["PartialImage", "FinalImage"]
    assert [billed.model for billed in emulator.billed] == [FLARE]


@pytest.mark.parametrize(
    "asked",
    [{"size": "300x300"}, {"n": 11}, {"style": "vivid"}, {"quality": "ultra"}, {"quality": "high", "n": 11}],
)
def test_what_neither_takes_is_refused_in_the_words_of_dall_e_2(
    emulator: Emulator, asked: dict[str, Any]
) -> None:
    """A mistake is told as one, and nothing is sent."""
    with client_of(emulator) as client, pytest.raises(dalle2.InvalidRequestError, match="dall-e-2"):
        client.generate("a corgi", **asked)
    assert emulator.requests == []


def test_other_hosts_are_not_second_guessed(host: Any) -> None:
    """A custom host, and OpenAI's name at another address, say no and that is that."""
    body = {"error": {"message": "The model 'dall-e-2' does not exist.", "code": "model_not_found"}}
    host.say(body, status=404)
    for options in ({}, {"provider": "openai"}):
        with (
            dalle2.Client("sk-test", base_url=host.base_url, **options) as client,
            pytest.raises(dalle2.Dalle2Error),
        ):
            client.generate("a corgi")
    assert len(host.asked) == 2


@pytest.mark.usefixtures("first")
@pytest.mark.filterwarnings("ignore::dalle2.ModelRetirementWarning")
def test_an_error_after_the_swap_names_both_models(emulator: Emulator) -> None:
    """Who asked for dall-e-2 and is told to verify for another model must learn how that came about."""
    body = {"error": {"message": f"Your organization must be verified to use the model {FLARE}."}}
    with client_of(emulator) as client:
        client.generate("a corgi")
        emulator.fail_next(403, body=body)
        with pytest.raises(
            dalle2.PermissionDeniedError, match=f"{FLARE}, in the place of dall-e-2: "
        ) as caught:
            client.generate("a corgi")
        emulator.lose_next()
        with pytest.raises(dalle2.OutcomeUnknownError) as lost:
            client.generate("a corgi")
        assert lost.value.request == dalle2.GenerateRequest(prompt="a corgi")
        assert client.send(lost.value.request).model == FLARE
    assert "verified" in str(caught.value)


@pytest.mark.usefixtures("first")
def test_cometapi_is_asked_again_for_a_living_model() -> None:
    """Its 503 for an unknown model is such an answer, too."""
    emulator = Emulator(persona="cometapi", today=AFTER)
    client = dalle2.Client("sk-test", provider="cometapi", http_client=emulator.client())
    with client, pytest.warns(dalle2.ModelRetirementWarning, match=r"api\.cometapi\.com"):
        assert client.generate("a corgi").model == FLARE


def test_a_retired_successor_in_the_environment_is_told_by_its_variable(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error names what is to be changed."""
    monkeypatch.setenv("DALLE2_SUCCESSOR", "dall-e-3")
    with pytest.raises(dalle2.ConfigurationError, match="DALLE2_SUCCESSOR='dall-e-3' is itself retired"):
        client_of(emulator)


@pytest.mark.parametrize("name", ["dall-e-2", "dall-e-3", "gpt-image-1"])
def test_a_retired_successor_is_refused_at_once(emulator: Emulator, name: str) -> None:
    """By the constructor and by `with_options`, with a living model to use; nothing is sent."""
    with pytest.raises(
        dalle2.ConfigurationError, match=f"successor='{name}' is itself retired: use 'gpt-image"
    ):
        client_of(emulator, successor=name)
    with client_of(emulator) as client:
        with pytest.raises(dalle2.ConfigurationError, match="itself retired"):
            client.with_options(successor=name)
        assert client.with_options(successor=None).generate("a corgi", model="gpt-image-2").adaptations == ()
    assert len(emulator.requests) == 1


def test_a_successor_that_ends_later_is_refused_then() -> None:
    """A client can outlive its successor: before the next call it is told so."""
    known = KnownModels(models=catalog.with_dates({FLARE: date(2026, 12, 24)}))
    settings = resolve({"OPENAI_API_KEY": "sk-test"}, successor=FLARE)
    request = dalle2.GenerateRequest(prompt="a corgi")
    with pytest.raises(dalle2.ConfigurationError, match="itself retired"):
        state = ClientState(known=known, now=lambda: datetime(2026, 12, 24, 12, tzinfo=UTC))
        _plan.make_plan(settings, state, Draft.of(request), Options(), stream=False)


def test_auto_needs_a_living_model() -> None:
    """When every known model is gone, a name must be given; one without heirs is refused plainly."""
    gone = catalog.with_dates(dict.fromkeys(catalog.MODELS, date(2020, 1, 1)))
    request = dalle2.GenerateRequest(prompt="a corgi")
    with pytest.raises(dalle2.ConfigurationError, match="name one"):
        dalle2.adapt(request, "auto", today=AFTER, models=gone)
    with pytest.raises(dalle2.ConfigurationError, match=r"itself retired: use 'auto'"):
        dalle2.adapt(request, "gpt-image-2", today=AFTER, models=gone)


def test_missing_pillow_is_told_before_the_paid_call(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where an image would have to be scaled, the extra is asked for first; where not, it is not needed."""
    monkeypatch.setitem(sys.modules, "PIL", None)
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    with client_of(emulator, successor="auto") as client:
        with pytest.raises(dalle2.ConfigurationError, match=r"dalle2-sdk\[pillow\]"):
            client.generate("a corgi", size="512x512")
        with pytest.raises(dalle2.ConfigurationError, match=r"dalle2-sdk\[pillow\]"):
            client.stream("a corgi", size="512x512")
        assert emulator.requests == []
        client.generate("a corgi", size="1024x1024")


def test_a_request_that_the_successor_refuses_is_refused_before_sending(emulator: Emulator) -> None:
    """The check is that of the model that would be called."""
    with (
        client_of(emulator, successor="auto") as client,
        pytest.raises(dalle2.InvalidRequestError, match="n 11"),
    ):
        client.generate("a corgi", n=11)
    assert emulator.requests == []


def test_what_is_kept_by_an_error_has_the_size_asked_for(host: Any) -> None:
    """One of two images is unreadable: the other one is there, scaled."""
    big = {"b64_json": base64.b64encode(opaque(816)).decode()}
    host.say({"created": 1, "data": [big, {"b64_json": None}]})
    with dalle2.Client("sk-test", base_url=host.base_url, successor="auto") as client:
        with pytest.raises(dalle2.DecodeError) as caught:
            client.generate("a corgi", n=2, size="256x256")
        (kept,) = caught.value.images
        assert size_of(kept.read()) == (256, 256)  # type: ignore[arg-type]


def test_a_lost_call_is_sent_again_as_it_was_meant(emulator: Emulator) -> None:
    """`client.send(error.request)` asks for 256x256 of dall-e-2, so the second answer is scaled too."""
    with client_of(emulator, successor="auto") as client:
        emulator.lose_next()
        with pytest.raises(dalle2.OutcomeUnknownError) as caught:
            client.generate("a corgi", size="256x256")
        error = caught.value
        assert error.request == dalle2.GenerateRequest(prompt="a corgi", size="256x256", model="dall-e-2")
        images = client.send(error.request, idempotency_key=error.idempotency_key)
        assert size_of(images[0].read()) == (256, 256)
    assert len({billed.idempotency_key for billed in emulator.billed}) == 1


def test_an_image_that_comes_as_a_url_is_fetched_and_scaled(host: Any) -> None:
    """A gateway may answer with a URL: the size is kept all the same; a bad image stays as it is."""
    picture = opaque(816)
    host.say({"created": 1, "data": [{"url": "/images/1.png"}]})
    host.say(picture, kind="image/png")
    host.say({"created": 1, "data": [{"b64_json": base64.b64encode(b"no picture" * 20).decode()}]})
    host.say({"created": 1, "data": [{"url": "/images/2.png"}]})
    host.say({"error": "gone"}, status=404)
    with dalle2.Client("sk-test", base_url=host.base_url, successor="auto") as client:
        assert size_of(client.generate("a corgi", size="256x256")[0].read()) == (256, 256)
        with pytest.raises(dalle2.DecodeError) as caught:
            client.generate("a corgi", size="256x256")
        assert b"bm8gcGljdHVyZ" in (caught.value.body or b"")
        with pytest.warns(UserWarning, match="not fetched yet"):
            left = client.generate("a corgi", size="256x256")
        assert left[0].url is not None


def test_successor_takes_part_in_split_calls(emulator: Emulator) -> None:
    """dall-e-3 makes one a call, its successor several: no splitting is needed."""
    with client_of(emulator, successor="auto", split_n=True) as client:
        assert len(client.generate("a corgi", n=2, model="dall-e-3", size="1024x1024")) == 2
    assert len(emulator.billed) == 1


# The retirement itself


def refusal(message: str) -> dict[str, Any]:
    """The body of a host that has no such model."""
    return {"error": {"message": message, "type": "comet_api_error", "param": "", "code": "model_not_found"}}


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, None),
        (404, refusal("The model 'dall-e-2' does not exist or you do not have access to it.")),
        (503, refusal("no available channel for group default and model dall-e-2 (distributor)")),
    ],
)
def test_every_form_of_the_answer_is_a_retirement(
    emulator: Emulator, status: int, body: dict[str, Any] | None
) -> None:
    """The error names model, successor and other hosts; it is a bad request and costs nothing."""
    if body is not None:
        emulator.fail_next(status, body=body)
    with (
        client_of(emulator, successor=None) as client,
        pytest.raises(dalle2.ModelRetiredError) as caught,
    ):
        client.generate("a corgi")
    error = caught.value
    assert isinstance(error, dalle2.BadRequestError)
    assert (error.model, error.replacement, error.status_code) == ("dall-e-2", FLARE, status)
    assert not error.maybe_billed
    for word in ("dall-e-2", FLARE, "retired", "successor=", "CometAPI", "gateway"):
        assert word in str(error)
    assert len(emulator.requests) == 1
    assert emulator.billed == []


def test_edits_and_variations_are_retired_alike(emulator: Emulator) -> None:
    """All three routes give the same error."""
    with client_of(emulator, successor=None) as client:
        for call in (lambda: client.edit(opaque(), "a hat", mask=MASK), lambda: client.vary(opaque())):
            with pytest.raises(dalle2.ModelRetiredError):
                call()


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "invalid_value", dalle2.BadRequestError),
        (404, "model_not_found", dalle2.NotFoundError),
        (503, "model_not_found", dalle2.NotFoundError),
    ],
)
def test_a_typo_is_no_retirement(
    emulator: Emulator, status: int, code: str, kind: type[dalle2.APIStatusError]
) -> None:
    """A model that nobody knows, and one that lives, stay not found or bad request; none is tried twice."""
    for model in ("dall-e-22", "gpt-image-2"):
        emulator.fail_next(
            status, body={"error": {"message": f"The model '{model}' does not exist.", "code": code}}
        )
        with client_of(emulator) as client, pytest.raises(kind) as caught:
            client.generate("a corgi", model=model)
        assert type(caught.value) is kind
        assert model in str(caught.value)
    assert len(emulator.requests) == 2


def test_the_live_list_knows_of_retirements_too(host: Any) -> None:
    """A date in a host's own list wins over the catalogue, in both directions."""
    refusal = {"error": {"message": "The model does not exist.", "code": "model_not_found"}}
    rows = [{"id": "gpt-image-2", "shutdown_date": "2026-01-01"}, {"id": "dall-e-2", "shutdown_date": None}]
    host.say({"data": rows})
    host.say(refusal, status=404)
    with dalle2.Client("sk-test", base_url=host.base_url) as client:
        client.list_models()
        with pytest.raises(dalle2.ModelRetiredError):
            client.generate("a corgi", model="gpt-image-2")
        with pytest.raises(dalle2.NotFoundError) as caught:
            client.generate("a corgi", model="dall-e-2")
    assert type(caught.value) is dalle2.NotFoundError


# The warning


@pytest.fixture
def unwarned(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A process in which nobody was warned yet."""
    monkeypatch.setattr(_plan, "_warned", set())
    yield


def on(day: date, emulator: Emulator, **options: Any) -> dalle2.Client:
    """A client that lives on that day."""
    client = client_of(emulator, **options)
    now = datetime(day.year, day.month, day.day, tzinfo=UTC)
    session = client._session
    client._session = Session(session.settings, ClientState(now=lambda: now), session.budget)
    return client


@pytest.mark.usefixtures("unwarned")
def test_a_model_near_its_end_warns_once(emulator: Emulator) -> None:
    """The warning names the day and the successor, points to the caller's line, and does not come twice."""
    emulator.clock.advance((datetime(2026, 11, 20, tzinfo=UTC) - emulator.clock.now()).total_seconds())
    client = on(date(2026, 11, 20), emulator)
    with pytest.warns(
        dalle2.ModelRetirementWarning, match="ends on 2026-12-01; its successor is gpt-image"
    ) as caught:
        client.generate("a corgi", model="gpt-image-1-mini", size="1024x1024")
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        client.generate("a corgi", model="gpt-image-1-mini", size="1024x1024")
        client.generate("a corgi", model="gpt-image-2")
    with pytest.warns(dalle2.ModelRetirementWarning) as caught:
        client.send(dalle2.GenerateRequest(prompt="a corgi", model="gpt-image-1.5"))
    assert caught[0].filename == __file__


def plan(day: date, model: str, known: KnownModels | None = None, **settings: Any) -> None:
    """What happens before a call on that day."""
    resolved = resolve({"OPENAI_API_KEY": "sk-test", "COMETAPI_KEY": "sk-test"}, **settings)
    request = dalle2.GenerateRequest(prompt="a corgi", model=model)
    state = ClientState(known=known, now=lambda: datetime.combine(day, time(12), UTC))
    _plan.make_plan(resolved, state, Draft.of(request), Options(), stream=False)


@pytest.mark.usefixtures("unwarned")
@pytest.mark.parametrize(
    ("day", "model", "settings"),
    [
        (date(2026, 11, 20), "gpt-image-1.5", {"provider": "cometapi"}),
        (date(2026, 11, 20), "gpt-image-1.5", {"base_url": "https://images.example.com/v1"}),
        (
            date(2026, 11, 20),
            "gpt-image-1.5",
            {"provider": "openai", "base_url": "https://proxy.example.com/v1"},
        ),
        (date(2026, 10, 31), "gpt-image-1.5", {}),
        (date(2026, 12, 1), "gpt-image-1.5", {}),
        (date(2026, 11, 20), "gpt-image-2", {}),
        (date(2026, 11, 20), "gpt-image-9", {}),
    ],
)
def test_nobody_is_warned_for_nothing(day: date, model: str, settings: dict[str, Any]) -> None:
    """Not on other hosts, not more than 30 days ahead, not after the end, and not of models that stay."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plan(day, model, **settings)


@pytest.mark.usefixtures("unwarned")
def test_a_date_in_the_live_list_warns_anywhere() -> None:
    """A host that says itself when a model ends is believed; a model without successor has none to name."""
    known = KnownModels()
    known.learn({"gpt-image-2": date(2026, 12, 24)})
    with pytest.warns(dalle2.ModelRetirementWarning, match="The model gpt-image-2 ends on 2026-12-24$"):
        plan(date(2026, 12, 1), "gpt-image-2", known, provider="cometapi")


def scaled_by(form: str | None, host: str = "PNG", **options: Any) -> tuple[Any, bytes]:
    """The images of a small size whose host answers in one format, and what was saved of them."""
    buffer = io.BytesIO()
    Image.new("RGBA" if host == "PNG" else "RGB", (816, 816), "red").save(buffer, host)
    encoded = base64.b64encode(buffer.getvalue()).decode()

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"created": 1, "data": [{"b64_json": encoded}]})

    http = httpx.Client(transport=httpx.MockTransport(answer))
    with http, dalle2.Client("sk-test", http_client=http, successor=FLARE) as client:
        images = client.generate("a corgi", size="256x256", output_format=form, **options)
    return images, images[0].read()


@pytest.mark.parametrize(
    ("form", "host", "media_type", "suffix"),
    [
        (None, "PNG", "image/png", ".png"),
        ("png", "PNG", "image/png", ".png"),
        ("jpeg", "JPEG", "image/jpeg", ".jpg"),
        ("webp", "WEBP", "image/webp", ".webp"),
        (None, "GIF", "image/png", ".png"),
        (None, "AVIF", "image/png", ".png"),
    ],
)
def test_a_scaled_image_has_the_format_that_was_asked_for(
    form: str | None, host: str, media_type: str, suffix: str, tmp_path: Path
) -> None:
    """A JPEG stays one, and is saved as one; what cannot be scaled in its own format becomes a PNG."""
    images, data = scaled_by(form, host)
    assert size_of(data) == (256, 256)
    assert images[0].media_type == media_type
    assert images[0].save(tmp_path / "corgi").name == "corgi" + suffix


@pytest.mark.parametrize("given", [{"output_format": "gif"}, {"extra_body": {"output_format": "svg"}}])
def test_what_is_never_scaled_is_told(given: dict[str, Any]) -> None:
    """A GIF may move and an SVG has no pixels: they come as they are made, and are told."""
    request = dalle2.GenerateRequest(prompt="a corgi", size="256x256", **given)
    adapted = dalle2.adapt(request, "gpt-image-2.6-flare", today=NOVEMBER)
    assert adapted.scale is None
    (size,) = [change for change in adapted.adaptations if change.field == "size"]
    assert "is not scaled: it comes as large as it is made" in size.reason


def test_a_picture_that_cannot_be_scaled_stays_as_it_came() -> None:
    """It was paid for: an SVG, of which nobody knew before that it would come, is kept as it is."""
    from dalle2._image._data import ImageData
    from dalle2._requests._successor import fitted

    image = ImageData(created=datetime.now(UTC), content=b"<svg xmlns='http://www.w3.org/2000/svg'></svg>")
    assert fitted(image, (256, 256)) is image
