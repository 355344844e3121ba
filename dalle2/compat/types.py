"""What the SDK answers with: `openai.types`, as far as images, moderations and models go.

The fields are those of the SDK's version 3; `_base_model` decides what can be done with them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any, Literal, TypeAlias

from ._base_model import BaseModel as BaseModel

ImageModel: TypeAlias = Literal[
    "gpt-image-1", "gpt-image-1-mini", "gpt-image-1.5", "gpt-image-2", "dall-e-2", "dall-e-3"
]


class Image(BaseModel):
    """One image of an answer."""

    b64_json: str | None
    revised_prompt: str | None
    url: str | None


class UsageInputTokensDetails(BaseModel):
    """What went in."""

    image_tokens: int
    text_tokens: int


class UsageOutputTokensDetails(BaseModel):
    """What came out."""

    image_tokens: int
    text_tokens: int


class Usage(
    BaseModel,
    input_tokens_details=UsageInputTokensDetails,
    output_tokens_details=UsageOutputTokensDetails,
):
    """The tokens of a call."""

    input_tokens: int
    input_tokens_details: UsageInputTokensDetails
    output_tokens: int
    total_tokens: int
    output_tokens_details: UsageOutputTokensDetails | None


class ImagesResponse(BaseModel, data=Image, usage=Usage):
    """An answer with images; `created` is Unix seconds."""

    created: int
    background: str | None
    data: list[Image]
    output_format: str | None
    quality: str | None
    size: str | None
    usage: Usage | None


class ImagePartialEvent(BaseModel):
    """A picture on its way."""

    b64_json: str
    background: str
    created_at: int
    output_format: str
    partial_image_index: int
    quality: str
    size: str
    type: str


class ImageCompletedEvent(BaseModel, usage=Usage):
    """A finished picture of a stream."""

    b64_json: str
    background: str
    created_at: int
    output_format: str
    quality: str
    size: str
    type: str
    usage: Usage


ImageGenPartialImageEvent = ImagePartialEvent
ImageGenCompletedEvent = ImageCompletedEvent


class Categories(BaseModel):
    """Whether each category applies."""


class CategoryScores(BaseModel):
    """How surely each category applies, from 0 to 1."""


class CategoryAppliedInputTypes(BaseModel):
    """To which kind of input each category applies."""


class Moderation(
    BaseModel,
    categories=Categories,
    category_applied_input_types=CategoryAppliedInputTypes,
    category_scores=CategoryScores,
):
    """What a moderation model says of one input."""

    categories: Categories
    category_applied_input_types: CategoryAppliedInputTypes
    category_scores: CategoryScores
    flagged: bool


class ModerationCreateResponse(BaseModel, results=Moderation):
    """The answer of the moderation endpoint."""

    id: str
    model: str
    results: list[Moderation]


class Model(BaseModel):
    """One model of a host."""

    id: str
    created: int
    object: str
    owned_by: str
    shutdown_date: str | None


class ModelPage(BaseModel, data=Model):
    """A host's models: iterate it, or look at `data`."""

    data: list[Model]
    object: str

    def __iter__(self) -> Iterator[Any]:
        return iter(self.data)

    async def __aiter__(self) -> AsyncIterator[Model]:
        for model in self.data:
            yield model

    def has_next_page(self) -> bool:
        """All models come at once."""
        return False
