"""What the catalogue knows, what it refuses, and what it lets pass."""

from __future__ import annotations

from datetime import date
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dalle2 import _types, catalog
from dalle2.catalog import MODELS, Model
from dalle2.catalog._check import broken_rules, parse_size
from dalle2.errors import InvalidRequestError

TODAY = date(2026, 11, 20)
DALLE2 = MODELS["dall-e-2"]
FREE = MODELS["gpt-image-2"]


def refusal(operation: str, model: str, **values: object) -> InvalidRequestError:
    """The error of a request that is refused."""
    with pytest.raises(InvalidRequestError) as caught:
        catalog.check(operation, model, values)
    return caught.value


def test_every_model_is_known_by_its_exact_name() -> None:
    """Exact names and dated snapshots are found, anything else is not."""
    assert set(MODELS) == {
        "dall-e-2",
        "dall-e-3",
        "gpt-image-1",
        "gpt-image-1-mini",
        "gpt-image-1.5",
        "gpt-image-1.5-2025-12-16",
        "chatgpt-image-latest",
        "gpt-image-2",
        "gpt-image-2-2026-04-21",
        "gpt-image-2.5-sunburst",
        "gpt-image-2.5-sunburst-2026-09-08",
        "gpt-image-2.5-flare",
        "gpt-image-2.5-flare-2026-09-08",
        "gpt-image-2.6-sunburst",
        "gpt-image-2.6-flare",
    }
    assert catalog.find("dall-e-2") is DALLE2
    assert catalog.find("DALL-E-2") is None
    assert catalog.find("dall-e-2 ") is None


@pytest.mark.parametrize("model", MODELS.values(), ids=list(MODELS))
def test_every_entry_is_whole(model: Model) -> None:
    """Each entry has a source, a limit, a size, and a successor that is known and lives if it ends."""
    assert model.source.startswith("https://")
    assert model.prompt_limit >= 1000
    assert "1024x1024" in model.sizes
    assert "generate" in model.endpoints
    assert (model.retired_on is None) == (model.successor is None)
    assert model.successor is None or MODELS[model.successor].retired_on is None
    assert model.snapshot_of is None or model == MODELS[model.snapshot_of]._replace(
        name=model.name, snapshot_of=model.snapshot_of
    )


def test_the_limits_of_dall_e_2() -> None:
    """dall-e-2 takes one square PNG below 4 MB, 1 to 10 images a call, three squares, and writes PNG."""
    assert DALLE2.endpoints == ("generate", "edit", "vary")
    assert DALLE2.images is not None
    assert (DALLE2.images.most, DALLE2.images.square, DALLE2.images.below_bytes) == (1, True, 4 * 1024 * 1024)
    assert DALLE2.n_range() == range(1, 11)
    assert DALLE2.output_formats == ("png",)
    assert DALLE2.sizes == ("256x256", "512x512", "1024x1024")


def test_what_the_newer_models_write_and_serve() -> None:
    """GPT image models write several formats, and serve no variations."""
    assert FREE.output_formats == ("png", "jpeg", "webp")
    assert MODELS["gpt-image-2.6-flare"].output_formats == ("png", "jpeg", "webp", "gif", "svg")
    assert FREE.endpoints == ("generate", "edit")
    assert MODELS["dall-e-3"].n_range() == range(1, 2)
    assert FREE.n_range("vary") == range(1, 2)


ACCEPTED: list[tuple[str, str, dict[str, object]]] = [
    (
        "generate",
        "dall-e-2",
        {"prompt": "a" * 1000, "n": 10, "size": "256x256", "response_format": "url", "user": "u"},
    ),
    ("edit", "dall-e-2", {"image": [object()], "mask": b"", "prompt": "x", "n": 1}),
    ("edit", "dall-e-2", {"image": b"one file"}),
    ("vary", "dall-e-2", {"image": ("one",), "size": "512x512"}),
    ("generate", "dall-e-3", {"quality": "hd", "style": "natural", "n": 1, "size": "1792x1024"}),
    ("generate", "gpt-image-1", {"size": "auto", "quality": "high", "background": "transparent"}),
    (
        "generate",
        "gpt-image-2",
        {"size": "816x816", "stream": True, "partial_images": 3, "prompt": "a" * 32000},
    ),
    ("generate", "gpt-image-2", {"background": "transparent", "output_format": "webp"}),
    ("generate", "gpt-image-2", {"output_format": "jpeg", "output_compression": 0}),
    ("generate", "gpt-image-2", {"output_compression": 100}),
    ("edit", "gpt-image-1.5", {"input_fidelity": "high", "image": [b""] * 16, "moderation": "low"}),
    ("generate", "gpt-image-2.5-flare", {"quality": "xhigh"}),
    ("generate", "gpt-image-2.6-flare", {"complexity": "anything", "frame_count": 4, "output_format": "gif"}),
    ("generate", "dall-e-2", {"quality": None, "n": None}),
    ("generate", "dall-e-2", {"model": "dall-e-2", "something_of_tomorrow": 1}),
    ("generate", "a-model-of-tomorrow", {"n": 99, "quality": "?", "size": 3}),
    ("vary", "another", {}),
]


@pytest.mark.parametrize(("operation", "model", "values"), ACCEPTED)
def test_what_a_model_takes_passes(operation: str, model: str, values: dict[str, object]) -> None:
    """A request inside the limits, or one that nobody knows anything about, is not held back."""
    catalog.check(operation, model, values)


REFUSED: list[tuple[str, str, dict[str, object], str, str]] = [
    (
        "generate",
        "dall-e-2",
        {"prompt": "p" * 1200},
        "prompt",
        "has 1200 characters, dall-e-2 takes at most 1000: shorten it by 200",
    ),
    ("generate", "dall-e-2", {"prompt": " "}, "prompt", "prompt is empty"),
    ("generate", "dall-e-2", {"prompt": 3}, "prompt", "must be a string, not int"),
    ("generate", "dall-e-2", {"n": 11}, "n", "n 11 is not possible: dall-e-2 takes an integer from 1 to 10"),
    ("generate", "dall-e-2", {"n": 0}, "n", "from 1 to 10"),
    ("generate", "dall-e-2", {"n": True}, "n", "from 1 to 10"),
    ("generate", "dall-e-3", {"n": 2}, "n", "dall-e-3 takes 1 only"),
    ("generate", "dall-e-2", {"size": "300x300"}, "size", "use 256x256, 512x512 or 1024x1024"),
    ("generate", "dall-e-2", {"size": 512}, "size", "size 512 is not one that dall-e-2 makes"),
    ("generate", "gpt-image-1", {"size": "512x512"}, "size", "1024x1024, 1536x1024, 1024x1536 or auto"),
    (
        "generate",
        "gpt-image-2",
        {"size": "512x512"},
        "size",
        "655360 to 8294400 pixels (this has 262144): the nearest legal size is 816x816",
    ),
    (
        "generate",
        "gpt-image-2",
        {"size": "1000x1000"},
        "size",
        "divisible by 16: the nearest legal size is 1008x1008",
    ),
    (
        "generate",
        "gpt-image-2",
        {"size": "4000x2000"},
        "size",
        "no edge may be longer than 3840: the nearest",
    ),
    (
        "generate",
        "gpt-image-2",
        {"size": "3200x640"},
        "size",
        "ratio must lie between 1:3 and 3:1: the nearest",
    ),
    ("generate", "gpt-image-2", {"size": "wide"}, "size", "is not of the form WIDTHxHEIGHT"),
    (
        "generate",
        "dall-e-2",
        {"quality": "hd"},
        "quality",
        "dall-e-2 does not take quality: leave it out. Models that take it: dall-e-3, gpt-image-1,",
    ),
    (
        "generate",
        "gpt-image-2",
        {"response_format": "url"},
        "response_format",
        "It always answers base64. Models that take it: dall-e-2, dall-e-3",
    ),
    ("generate", "gpt-image-2", {"style": "vivid"}, "style", "Models that take it: dall-e-3"),
    (
        "generate",
        "gpt-image-2",
        {"complexity": "low"},
        "complexity",
        "gpt-image-2.6-sunburst, gpt-image-2.6-flare",
    ),
    (
        "edit",
        "gpt-image-2",
        {"input_fidelity": "high"},
        "input_fidelity",
        "gpt-image-1, gpt-image-1.5, chatgpt-image-latest",
    ),
    (
        "generate",
        "gpt-image-1.5",
        {"input_fidelity": "high"},
        "input_fidelity",
        "no parameter of generate: leave it out (it belongs to edit)",
    ),
    ("vary", "dall-e-2", {"prompt": "x"}, "prompt", "it belongs to generate and edit"),
    (
        "generate",
        "gpt-image-2",
        {"quality": "max"},
        "quality",
        "takes low, medium, high or auto ('max' is known to gpt-image-2.5-sunburst",
    ),
    ("generate", "gpt-image-2", {"quality": "no" * 99}, "quality", "characters"),
    ("generate", "gpt-image-2", {"stream": 1}, "stream", "takes True or False"),
    ("generate", "gpt-image-2", {"partial_images": 4}, "partial_images", "0 to 3"),
    (
        "generate",
        "gpt-image-2",
        {"background": "transparent", "output_format": "jpeg"},
        "background",
        "png or webp, not 'jpeg'",
    ),
    ("generate", "gpt-image-2", {"output_compression": 50}, "output_compression", "jpeg or webp, not 'png'"),
    ("edit", "dall-e-2", {"image": [b"", b""]}, "image", "2 images given, dall-e-2 takes exactly one image"),
    ("edit", "gpt-image-2", {"image": []}, "image", "0 images given, gpt-image-2 takes 1 to 16 images"),
    ("edit", "gpt-image-2", {"image": [b""] * 17}, "image", "17 images given"),
    (
        "vary",
        "gpt-image-2",
        {},
        "model",
        "gpt-image-2 cannot make variations: models that can: dall-e-2; or use edit()",
    ),
    ("edit", "dall-e-3", {}, "model", "dall-e-3 cannot edit images: models that can: dall-e-2, gpt-image-1"),
    ("dream", "dall-e-2", {}, "model", "dall-e-2 cannot dream"),
]


@pytest.mark.parametrize(("operation", "model", "values", "field", "words"), REFUSED)
def test_what_a_model_does_not_take_is_refused(
    operation: str, model: str, values: dict[str, object], field: str, words: str
) -> None:
    """The error names the field and says what is allowed."""
    error = refusal(operation, model, **values)
    assert error.field == field
    assert words in str(error)
    assert not error.maybe_billed


def test_an_error_carries_what_is_allowed() -> None:
    """The allowed values travel as data beside the sentence."""
    assert refusal("generate", "dall-e-2", size="1x1").allowed == DALLE2.sizes
    assert refusal("generate", "dall-e-2", n=11).allowed == tuple(range(1, 11))
    assert refusal("vary", "gpt-image-2").allowed == ("dall-e-2",)


@given(st.text(min_size=1001, max_size=1100, alphabet="zyx!"))
def test_a_prompt_is_never_in_a_message(prompt: str) -> None:
    """A refused prompt is counted, not quoted."""
    assert prompt[:20] not in str(refusal("generate", "dall-e-2", prompt=prompt))


def test_which_models_take_a_parameter() -> None:
    """Asked by parameter, operation and value; dated snapshots are left out."""
    assert catalog.models_taking("style", "generate") == ("dall-e-3",)
    assert catalog.models_taking("response_format", "vary") == ("dall-e-2",)
    assert catalog.models_taking("quality", "vary") == ()
    assert catalog.models_taking("quality", "dream") == ()
    assert catalog.models_taking("output_format", "edit", "svg") == (
        "gpt-image-2.6-sunburst",
        "gpt-image-2.6-flare",
    )
    assert catalog.models_taking("complexity", "generate", "low") == (
        "gpt-image-2.6-sunburst",
        "gpt-image-2.6-flare",
    )


@given(st.integers(1, 12000), st.integers(1, 12000))
def test_the_nearest_size_is_legal_and_a_legal_size_is_its_own_nearest(width: int, height: int) -> None:
    """What is offered instead of a bad size can be asked for."""
    nearest = catalog.nearest_size(width, height)
    assert catalog.is_legal_size(FREE, nearest)
    assert (nearest == f"{width}x{height}") == (not broken_rules(width, height))


@pytest.mark.parametrize(
    "size", ["0x0", "01x16", "1024X1024", "1024x", "1x1x1", "٣x٣", "123456789x1", "auto", 7, None]
)
def test_what_is_no_size(size: object) -> None:
    """Only two plain positive integers with a small x between them are a size."""
    assert parse_size(size) is None


@pytest.mark.parametrize(
    ("model", "size", "expected"),
    [
        ("dall-e-2", "300x300", "512x512"),
        ("dall-e-2", "2000x2000", None),
        ("gpt-image-1", "256x256", "1024x1024"),
        ("gpt-image-1", "300x200", "1536x1024"),
        ("gpt-image-2", "256x256", "816x816"),
        ("gpt-image-2", "512x512", "816x816"),
        ("gpt-image-2", "1024x1024", "1024x1024"),
        ("gpt-image-2", "5000x5000", None),
        ("gpt-image-2", "200x1000", None),
        ("gpt-image-2", "auto", None),
    ],
)
def test_the_size_to_scale_down_from(model: str, size: str, expected: str | None) -> None:
    """The smallest legal size of the same shape that is at least as large."""
    assert catalog.covering_size(MODELS[model], size) == expected


def test_a_model_is_retired_from_its_day_on() -> None:
    """The day of the end is the first day without it; unknown and undated models are never retired."""
    assert not catalog.retired("dall-e-2", date(2026, 5, 11))
    assert catalog.retired("dall-e-2", date(2026, 5, 12))
    assert not catalog.retired("gpt-image-2", date(2099, 1, 1))
    assert not catalog.retired("unheard-of", date(2099, 1, 1))


def test_a_model_near_its_end_is_told_with_its_day() -> None:
    """Within the days asked for and still alive: its last day; else nothing."""
    assert catalog.retiring_within("gpt-image-1.5", TODAY) == date(2026, 12, 1)
    assert catalog.retiring_within("gpt-image-1.5", TODAY, days=10) is None
    assert catalog.retiring_within("gpt-image-1.5", date(2026, 12, 1)) is None
    assert catalog.retiring_within("gpt-image-2", TODAY) is None
    assert catalog.retiring_within("unheard-of", TODAY) is None


def test_the_successor_lives() -> None:
    """The advice is followed to a model that lives on that day."""
    assert catalog.successor_of("dall-e-2", TODAY) == "gpt-image-2.5-flare"
    assert catalog.successor_of("gpt-image-1", TODAY) == "gpt-image-2.5-sunburst"
    assert catalog.successor_of("gpt-image-2", TODAY) is None
    assert catalog.successor_of("unheard-of", TODAY) is None
    assert catalog.default_successor(TODAY) == "gpt-image-2.5-flare"


def test_the_live_list_wins_over_the_catalogue() -> None:
    """Dates of a live list replace those of the catalogue, and the advice follows them."""
    live = catalog.with_dates({"gpt-image-2.5-flare": date(2027, 1, 1), "dall-e-3": None, "new": None})
    later = date(2027, 2, 1)
    assert catalog.retired("gpt-image-2.5-flare", later, models=live)
    assert not catalog.retired("dall-e-3", later, models=live)
    assert catalog.find("new", models=live) is None
    assert catalog.successor_of("dall-e-2", later, models=live) is None
    assert catalog.default_successor(later, models=live) == "dall-e-3"
    assert catalog.default_successor(later, models={}) is None


def test_a_chain_of_advice_is_followed_and_a_circle_ends() -> None:
    """From model to model until one lives; advice that goes round gives none."""
    gone = date(2026, 1, 1)
    models = {
        "a": FREE._replace(name="a", retired_on=gone, successor="b"),
        "b": FREE._replace(name="b", retired_on=gone, successor="c"),
        "c": FREE._replace(name="c"),
        "x": FREE._replace(name="x", retired_on=gone, successor="y"),
        "y": FREE._replace(name="y", retired_on=gone, successor="x"),
        "z": FREE._replace(name="z", retired_on=gone, successor="nowhere"),
    }
    assert catalog.successor_of("a", TODAY, models=models) == "c"
    assert catalog.successor_of("x", TODAY, models=models) is None
    assert catalog.successor_of("z", TODAY, models=models) is None


def test_the_typed_vocabularies_name_what_the_catalogue_knows() -> None:
    """A type checker completes every value that some model takes; the sets stay open all the same."""
    known = {
        name: {value for model in MODELS.values() for value in model.parameters["generate"].get(name) or ()}
        for name in ("quality", "style", "background", "moderation", "output_format", "response_format")
    }
    typed = {
        "quality": _types.Quality,
        "style": _types.Style,
        "background": _types.Background,
        "moderation": _types.ModerationLevel,
        "output_format": _types.OutputFormat,
        "response_format": _types.ResponseFormat,
    }
    for name, alias in typed.items():
        literal, open_end = get_args(alias)
        assert known[name] <= set(get_args(literal)), name
        assert open_end is str


class Rude:
    """A value whose own `repr` fails."""

    def __repr__(self) -> str:
        raise RuntimeError("rude")


ODD: list[object] = [10**5000, -(10**5000), [10**5000], Rude(), "1" * 9000, float("nan"), b"x" * 99]


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: type(odd).__name__)
def test_a_refusal_can_be_said_of_any_value(odd: object) -> None:
    """What was given is shown in short, or named by its kind: a message is never an error of its own."""
    for name in ("n", "size", "response_format"):
        error = refusal("generate", "dall-e-2", **{name: odd})
        assert error.field == name
        assert len(str(error)) < 200
