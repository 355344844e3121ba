"""Pydantic reads and writes the values of this package by their own `from_dict` and `to_dict`."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError

import dalle2
from dalle2._image._data import ImageData, ImagesData

PNG = dalle2.mask_from_box(8, (0, 0, 4, 4))
IMAGE = dalle2.read_input(PNG)
MADE = datetime(2026, 6, 1, tzinfo=UTC)
DATA = ImageData(MADE, content=PNG)

READ: list[Any] = [
    dalle2.GenerateRequest(prompt="a fox", n=2),
    dalle2.EditRequest(prompt="a hat", image=IMAGE, mask=dalle2.read_input(PNG, "mask")),  # type: ignore[arg-type]
    dalle2.VariationRequest(image=IMAGE),  # type: ignore[arg-type]
    dalle2.ImageResult(DATA),
    dalle2.AsyncImageResult(DATA),
]
WRITTEN: list[Any] = [
    dalle2.Images(
        ImagesData((DATA,), MADE, "dall-e-2", None, None, dalle2.GenerateRequest(prompt="a fox"), {}),
        [dalle2.ImageResult(DATA)],
    ),
    dalle2.Moderation(False, {}),
    dalle2.ModelInfo("dall-e-2"),
]


@pytest.mark.parametrize("value", [*READ, *WRITTEN], ids=lambda value: type(value).__name__)
def test_a_value_is_written_by_its_to_dict(value: Any) -> None:
    """As JSON and as plain values, alone and inside a model."""
    adapter: TypeAdapter[Any] = TypeAdapter(type(value))
    assert adapter.validate_python(value) is value
    assert adapter.dump_python(value, mode="json") == value.to_dict()
    assert json.loads(adapter.dump_json(value)) == json.loads(json.dumps(value.to_dict()))
    assert adapter.json_schema()["title"] == type(value).__name__


@pytest.mark.parametrize("value", READ, ids=lambda value: type(value).__name__)
def test_a_value_is_read_by_its_from_dict(value: Any) -> None:
    """From JSON and from a mapping."""
    adapter: TypeAdapter[Any] = TypeAdapter(type(value))
    assert adapter.validate_json(json.dumps(value.to_dict())) == value
    assert adapter.validate_python(value.to_dict()) == value


@pytest.mark.parametrize("value", WRITTEN, ids=lambda value: type(value).__name__)
def test_what_is_only_written_is_not_read(value: Any) -> None:
    """It comes from a host, and is not made by hand."""
    with pytest.raises(ValidationError, match="instance of"):
        TypeAdapter(type(value)).validate_python(value.to_dict())


def test_what_is_wrong_is_told_by_pydantic() -> None:
    """One error, with our sentence."""
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(dalle2.GenerateRequest).validate_python({"prompt": "a fox", "n": 0})
    (error,) = caught.value.errors()
    assert error["msg"] == "Value error, n must be at least 1; it is 0"


def test_a_request_has_a_form_that_a_page_can_show() -> None:
    """Names, kinds and what must be there; no other field is taken."""
    form = TypeAdapter(dalle2.EditRequest).json_schema()
    assert sorted(form["required"]) == ["image", "prompt"]
    assert form["properties"]["n"] == {"type": "integer"}
    assert form["properties"]["extra_body"] == {"type": "object"}
    assert form["properties"]["mask"] == {"type": "string"}
    assert form["additionalProperties"] is False


def test_a_value_is_a_field_of_a_model() -> None:
    """Beside others."""

    class Order(BaseModel):
        request: dalle2.GenerateRequest
        result: dalle2.ImageResult | None = None

    Order.model_rebuild(_types_namespace={"dalle2": dalle2})
    order = Order(request={"prompt": "a fox"}, result=dalle2.ImageResult(DATA))  # type: ignore[arg-type]
    assert Order.model_validate_json(order.model_dump_json()) == order
