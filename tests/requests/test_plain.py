"""Requests as plain JSON values: what any encoder takes, and what comes back is checked."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Callable
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

import dalle2
from dalle2._requests._plain import plain
from dalle2.errors import InvalidRequestError

PNG = dalle2.mask_from_box(8, (0, 0, 4, 4))
TEXT = base64.b64encode(PNG).decode()
IMAGE = dalle2.read_input(PNG)
MASK = dalle2.read_input(PNG, "mask")

words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(str.strip)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | words,
    lambda inner: st.lists(inner) | st.dictionaries(words, inner),
)
common = {
    "model": st.none() | words,
    "n": st.none() | st.integers(1, 10**9),
    "size": st.none() | words,
    "user": st.none() | words,
    "extra_body": st.none() | st.dictionaries(words, json_values, max_size=3),
}
requests = st.one_of(
    st.builds(dalle2.GenerateRequest, prompt=words, style=st.none() | words, **common),
    st.builds(dalle2.EditRequest, prompt=words, image=st.sampled_from([IMAGE, [IMAGE, IMAGE]]), **common),
    st.builds(dalle2.EditRequest, prompt=words, image=st.just(IMAGE), mask=st.just(MASK), **common),
    st.builds(dalle2.VariationRequest, image=st.just(IMAGE), **common),
)


@given(requests)
def test_a_request_survives_json(request: Any) -> None:
    """Whatever is set; what is not set is not there."""
    written = request.to_dict()
    assert type(request).from_dict(json.loads(json.dumps(written, allow_nan=False))) == request
    assert None not in written.values()
    assert written["operation"] == request.operation


def test_the_form_is_the_one_that_is_promised() -> None:
    """Names as they travel, images as base64: what was written by 0.2 stays readable."""
    request = dalle2.EditRequest(image=IMAGE, prompt="a hat", mask=MASK, n=2, extra_body={"seed": 7})
    written = {
        "operation": "edit",
        "image": [TEXT],
        "prompt": "a hat",
        "mask": TEXT,
        "n": 2,
        "extra_body": {"seed": 7},
    }
    assert request.to_dict() == written
    assert dalle2.EditRequest.from_dict(written) == request


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (math.inf, "inf"),
        ((1, "a", None), [1, "a", None]),
        ({1: {2.5: b"x"}}, {"1": {"2.5": "b'x'"}}),
        ({"seed"}, "{'seed'}"),
    ],
)
def test_what_json_has_not_becomes_a_text(value: object, written: object) -> None:
    """Such a request cannot be sent, and can be looked at."""
    assert plain(value) == written
    request = dalle2.GenerateRequest(prompt="a fox", extra_body={"x": value})
    assert request.to_dict()["extra_body"] == {"x": written}


@pytest.mark.parametrize("image", [TEXT, [TEXT], f"data:image/png;base64,{TEXT}", IMAGE, [IMAGE]])
def test_an_image_may_come_in_any_text_form(image: object) -> None:
    """One or a list, base64 or a data URI, or read already."""
    assert dalle2.VariationRequest.from_dict({"image": image}) == dalle2.VariationRequest(image=IMAGE)  # type: ignore[arg-type]


Make = Callable[[], object]
BAD: list[tuple[Make, str, str]] = [
    (lambda: dalle2.GenerateRequest.from_dict([("prompt", "a fox")]), "data", "must be a mapping"),  # type: ignore[arg-type]
    (lambda: dalle2.GenerateRequest.from_dict({}), "prompt", "must be a text"),
    (lambda: dalle2.GenerateRequest.from_dict({"prompt": ""}), "prompt", "empty"),
    (lambda: dalle2.GenerateRequest.from_dict({"prompt": "a", "n": "2"}), "n", "integer"),
    (lambda: dalle2.GenerateRequest.from_dict({"prompt": "a", "seed": 1}), "seed", "no field of a Generate"),
    (lambda: dalle2.GenerateRequest.from_dict({"prompt": "a", 3: 1}), "3", "no field of a Generate"),  # type: ignore[dict-item]
    (lambda: dalle2.GenerateRequest.from_dict({"prompt": "a", "operation": "edit"}), "operation", "'edit'"),
    (lambda: dalle2.VariationRequest.from_dict({}), "image", "at least one"),
    (lambda: dalle2.VariationRequest.from_dict({"image": "/etc/passwd"}), "image", "image"),
    (lambda: dalle2.VariationRequest.from_dict({"image": "a.png"}), "image", "must be base64"),
    (
        lambda: dalle2.VariationRequest.from_dict({"image": "https://h.example/a.png"}),
        "image",
        "must be base64",
    ),
    (lambda: dalle2.VariationRequest.from_dict({"image": 3}), "image", "must be base64; it is int"),
    (lambda: dalle2.VariationRequest.from_dict({"image": "AAAA"}), "image", "not a usable image"),
    (lambda: dalle2.EditRequest.from_dict({"image": TEXT, "prompt": "a", "mask": [TEXT]}), "mask", "base64"),
]


@pytest.mark.parametrize(("make", "field", "words"), BAD, ids=[str(number) for number in range(len(BAD))])
def test_what_is_no_request_is_refused(make: Make, field: str, words: str) -> None:
    """By the field that is wrong; a text from elsewhere opens no file and fetches nothing."""
    with pytest.raises(InvalidRequestError, match=words) as caught:
        make()
    assert caught.value.field == field
    assert "root:" not in str(caught.value)


def test_a_class_of_the_caller_comes_back_as_itself() -> None:
    """Made from one of ours."""

    @attrs.frozen(kw_only=True)
    class Mine(dalle2.GenerateRequest):
        """A request with a default of its own."""

        size: Any = "256x256"

    assert Mine.from_dict(Mine(prompt="a fox").to_dict()) == Mine(prompt="a fox")
