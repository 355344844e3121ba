"""The catalogue itself: every known image model of OpenAI, with the source of what is said.

The rule: what the vendor's own pages say is written as a closed list; what only third parties report is
left open or left out. Sources, read in November 2026:

- the API specification, `openapi.yaml` in github.com/openai/openai-openapi (2026-08-21);
- the reference pages https://developers.openai.com/api/reference/resources/images/methods/generate.md and
  `edit.md`;
- the model pages below https://developers.openai.com/api/docs/models/
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from types import MappingProxyType

from ._model import Allowed, FileLimits, Model, Operation, OutputTokens, Price

AS_OF = date(2026, 11, 20)
"""The day on which all of this was last compared with its sources."""

_PAGES = "https://developers.openai.com/api/docs/models/"

# "Less than 4 MB" is not said to be decimal or binary; the larger reading refuses nothing that the host
# would take.
_SMALL_PNG = FileLimits(1, ("image/png",), 4 * 1024 * 1024, square=True)
_SMALL_MASK = FileLimits(1, ("image/png",), 4 * 1024 * 1024)
_GPT_IMAGES = FileLimits(16, ("image/png", "image/webp", "image/jpeg"), 50 * 1024 * 1024)

_DALLE_COMMON: dict[str, Allowed] = {
    "n": range(1, 11),
    "size": None,
    "response_format": ("url", "b64_json"),
    "user": None,
}
# The specification lists `quality="standard"` for dall-e-2, but the server rejected the parameter itself
# ("Unknown parameter: 'quality'", https://github.com/Code-with-Beto/snapai/issues/6), so it is never sent.
_DALLE2: dict[Operation, Mapping[str, Allowed]] = {
    "generate": {"prompt": None, **_DALLE_COMMON},
    "edit": {"image": None, "prompt": None, "mask": None, **_DALLE_COMMON},
    "vary": {"image": None, **_DALLE_COMMON},
}
_DALLE3: dict[Operation, Mapping[str, Allowed]] = {
    "generate": {
        "prompt": None,
        **_DALLE_COMMON,
        "n": range(1, 2),
        "quality": ("standard", "hd"),
        "style": ("vivid", "natural"),
    },
}


def _gpt(
    *,
    quality: tuple[str, ...] = ("low", "medium", "high", "auto"),
    formats: tuple[str, ...] = ("png", "jpeg", "webp"),
    generate: Mapping[str, Allowed] | None = None,
    edit: Mapping[str, Allowed] | None = None,
) -> dict[Operation, Mapping[str, Allowed]]:
    common: dict[str, Allowed] = {
        "prompt": None,
        "n": range(1, 11),
        "size": None,
        "quality": quality,
        "background": ("transparent", "opaque", "auto"),
        "moderation": ("low", "auto"),
        "output_format": formats,
        "output_compression": range(0, 101),
        "stream": (True, False),
        "partial_images": range(0, 4),
        "user": None,
        "safety_identifier": None,
    }
    return {
        "generate": {**common, **(generate or {})},
        "edit": {"image": None, "mask": None, **common, **(edit or {})},
    }


# `input_fidelity` belongs to gpt-image-1 and 1.5: mini does not know it, and gpt-image-2 answers 400
# `invalid_input_fidelity_model`. Nothing says that a later one takes it.
_FIDELITY: dict[str, Allowed] = {"input_fidelity": ("high", "low")}
_GPT_1_5 = _gpt(edit=_FIDELITY)
_GPT_2 = _gpt()
_FIVE_LEVELS = (
    "low",
    "medium",
    "high",
    "xhigh",
    "max",
    "auto",
)  # https://docs.apiyi.com/en/news/gpt-image-2-5-launch.md
_GPT_2_5 = _gpt(quality=_FIVE_LEVELS)
# What 2.6 adds is known from https://apidog.com/blog/gpt-image-2-6-api/ alone; so the new parameters stay
# open.
_GPT_2_6 = _gpt(
    quality=_FIVE_LEVELS,
    formats=("png", "jpeg", "webp", "gif", "svg"),
    generate={"complexity": None, "frame_count": None, "frame_duration_ms": None},
    edit={"complexity": None, "markup": None},
)

_SQUARES = ("256x256", "512x512", "1024x1024")
_GPT_SIZES = ("1024x1024", "1536x1024", "1024x1536", "auto")

# The vendor's own pages of the two tell no price any more: these were copied from https://openai.com/pricing
# in December 2023.
_DALLE2_PRICE = Price(
    "https://github.com/kevinhermawan/Canvas/blob/main/model-info.json",
    {("", "256x256"): 0.016, ("", "512x512"): 0.018, ("", "1024x1024"): 0.020},
    exact=True,
)
_DALLE3_PRICE = Price(
    "https://github.com/kevinhermawan/Canvas/blob/main/model-info.json",
    {
        ("standard", "1024x1024"): 0.040,
        ("standard", "1792x1024"): 0.080,
        ("standard", "1024x1792"): 0.080,
        ("hd", "1024x1024"): 0.080,
        ("hd", "1792x1024"): 0.120,
        ("hd", "1024x1792"): 0.120,
    },
    exact=True,
)


def _levels(square: str, tall: str, wide: str) -> dict[tuple[str, str], float]:
    table: dict[tuple[str, str], float] = {}
    for size, prices in (("1024x1024", square), ("1024x1536", tall), ("1536x1024", wide)):
        table.update(
            ((level, size), float(price))
            for level, price in zip(("low", "medium", "high"), prices.split(), strict=True)
        )
    return table


_GPT_1_PRICE = Price(
    "https://developers.openai.com/ja-JP/api/docs/models/gpt-image-1",
    _levels("0.011 0.042 0.167", "0.016 0.063 0.25", "0.016 0.063 0.25"),
    per_million=(5.0, 10.0, 40.0),
    first_party=True,
)
_MINI_PRICE = Price(
    "https://developers.openai.com/de-DE/api/docs/models/gpt-image-1-mini",
    _levels("0.005 0.011 0.036", "0.006 0.015 0.052", "0.006 0.015 0.052"),
    per_million=(2.0, 2.5, 8.0),
    first_party=True,
)
_GPT_1_5_PRICE = Price(  # its token prices were not found
    "https://runware.ai/docs/models/openai-gpt-image-1-5.md",
    _levels("0.009 0.034 0.133", "0.013 0.051 0.200", "0.013 0.050 0.199"),
)
# One price for 2, 2.5 and 2.6, by tokens only: what an image comes to is told by no list, only by a
# calculator. The vendor's own page was readable for one of them.
_TOKENS_AT = (5.0, 8.0, 30.0)
_GPT_2_PRICE = Price("https://fal.ai/models/openai/gpt-image-2/llms.txt", per_million=_TOKENS_AT)
_GPT_2_5_PRICE = Price("https://apidog.com/blog/gpt-image-2-5-api/", per_million=_TOKENS_AT)
_GPT_2_6_PRICE = Price(
    "https://developers.openai.com/de-DE/api/docs/models/gpt-image-2.6-sunburst",
    per_million=_TOKENS_AT,
    first_party=True,
)
_FLARE_2_6_PRICE = Price(
    "https://docs.laozhang.ai/en/announcements/gpt-image-2-6-2026-11.md", per_million=_TOKENS_AT
)

# What an image of 1024x1024 takes, as third parties report it: rough, and only used where that is said.
_GPT_2_TOKENS = OutputTokens(  # from $0.006, $0.053 and $0.211 an image
    "https://ezkit.app/ai-image/gpt-image-2/fal", {"low": 200, "medium": 1770, "high": 7030}
)
# Counted on Flare; Sunburst costs the same an image (https://wavespeed.ai/zh-CN/gpt-image-2-5-api).
_GPT_2_5_TOKENS = OutputTokens(
    "https://raw.githubusercontent.com/sanand0/blog/main/posts/2026/quality-levels-of-gpt-image-2.5-flare.md",
    {"low": 196, "medium": 439, "high": 1756, "xhigh": 3122, "max": 7024},
)
# "Three to four times the tokens of 2.5" for low and medium, the same from high up: the dearer of the two.
_GPT_2_6_TOKENS = OutputTokens(
    "https://docs.laozhang.ai/en/api-capabilities/gpt-image-2-6",
    {"low": 784, "medium": 1756, "high": 1756, "xhigh": 3122, "max": 7024},
)

# The advice of the vendor's pages is `gpt-image-2.5-sunburst` or `-flare`. Flare is the quick one, nearest
# to what dall-e-2 and the mini model were used for; Sunburst is the careful one.
_FLARE, _SUNBURST = "gpt-image-2.5-flare", "gpt-image-2.5-sunburst"
_DECEMBER = date(2026, 12, 1)  # shutdown_date in the list of models of 2026-10-27


def _gpt_model(
    name: str,
    parameters: Mapping[Operation, Mapping[str, Allowed]],
    price: Price | None = None,
    tokens: OutputTokens | None = None,
    *,
    free_sizes: bool = True,
    retired_on: date | None = None,
    successor: str | None = None,
    batches: bool = False,
) -> Model:
    return Model(
        name,
        _PAGES + name,
        parameters,
        _GPT_SIZES,
        32_000,
        free_sizes=free_sizes,
        images=_GPT_IMAGES,
        mask=_SMALL_MASK,
        price=price,
        retired_on=retired_on,
        successor=successor,
        tokens=tokens,
        batches=batches,
    )


_BASE = (
    Model(
        "dall-e-2",
        _PAGES + "dall-e-2.md",
        _DALLE2,
        _SQUARES,
        1000,
        images=_SMALL_PNG,
        mask=_SMALL_MASK,
        price=_DALLE2_PRICE,
        retired_on=date(2026, 5, 12),
        successor=_FLARE,
    ),
    Model(
        "dall-e-3",
        _PAGES + "dall-e-3",
        _DALLE3,
        ("1024x1024", "1792x1024", "1024x1792"),
        4000,
        price=_DALLE3_PRICE,
        retired_on=date(2026, 5, 12),
        successor=_SUNBURST,
    ),
    _gpt_model(
        "gpt-image-1",
        _GPT_1_5,
        _GPT_1_PRICE,
        free_sizes=False,
        retired_on=date(2026, 10, 23),
        successor=_SUNBURST,
    ),
    _gpt_model(
        "gpt-image-1-mini", _gpt(), _MINI_PRICE, free_sizes=False, retired_on=_DECEMBER, successor=_FLARE
    ),
    _gpt_model(
        "gpt-image-1.5", _GPT_1_5, _GPT_1_5_PRICE, free_sizes=False, retired_on=_DECEMBER, successor=_SUNBURST
    ),
    _gpt_model("chatgpt-image-latest", _GPT_1_5, free_sizes=False, retired_on=_DECEMBER, successor=_SUNBURST),
    _gpt_model("gpt-image-2", _GPT_2, _GPT_2_PRICE, _GPT_2_TOKENS, batches=True),
    _gpt_model(_SUNBURST, _GPT_2_5, _GPT_2_5_PRICE, _GPT_2_5_TOKENS),
    _gpt_model(_FLARE, _GPT_2_5, _GPT_2_5_PRICE, _GPT_2_5_TOKENS),
    _gpt_model("gpt-image-2.6-sunburst", _GPT_2_6, _GPT_2_6_PRICE, _GPT_2_6_TOKENS),
    _gpt_model("gpt-image-2.6-flare", _GPT_2_6, _FLARE_2_6_PRICE, _GPT_2_6_TOKENS),
)
_SNAPSHOTS = {
    "gpt-image-1.5": "2025-12-16",
    "gpt-image-2": "2026-04-21",
    _SUNBURST: "2026-09-08",
    _FLARE: "2026-09-08",
}


def _catalogue() -> Mapping[str, Model]:
    models = {model.name: model for model in _BASE}
    for name, day in _SNAPSHOTS.items():
        dated = f"{name}-{day}"
        models[dated] = models[name]._replace(name=dated, snapshot_of=name)
    return MappingProxyType(models)


MODELS: Mapping[str, Model] = _catalogue()
"""Every known model by its exact name, dated snapshots included."""
