"""What decodes base64: the standard library, or pybase64 where it is installed."""

from __future__ import annotations

import base64
import sys
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dalle2._wire import _decoder
from dalle2._wire._body import LONG, JsonBody, LongText

ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
bent = st.lists(st.sampled_from([bytes((one,)) for one in ALPHABET + b"=-_ \n\\\0\xff"]), max_size=24)
groups = st.one_of(
    st.binary(max_size=48).map(base64.b64encode),
    bent.map(b"".join),
    st.tuples(st.binary(max_size=24).map(base64.b64encode), bent.map(b"".join)).map(b"".join),
)


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    """Each test chooses the decoder anew, and so does what follows."""
    _decoder._strictly.cache_clear()
    yield
    _decoder._strictly.cache_clear()


def library(name: str, patch: pytest.MonkeyPatch) -> None:
    """From now on it is this library that decodes."""
    _decoder._strictly.cache_clear()
    if name == "binascii":
        patch.setitem(sys.modules, "pybase64", None)


@given(groups)
def test_both_libraries_take_and_refuse_the_same(text: bytes) -> None:
    """Whatever is made of letters of base64 and others: the same bytes, or none."""
    found = []
    for name in ("binascii", "pybase64"):
        with pytest.MonkeyPatch.context() as patch:
            library(name, patch)
            found.append(_decoder.decode(memoryview(text)[: len(text) & ~3]))
    assert found[0] == found[1]


@pytest.mark.parametrize("name", ["binascii", "pybase64"])
@pytest.mark.parametrize("cut", [1, 7, 4096, 70_001])
def test_a_picture_comes_out_as_it_went_in(name: str, cut: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """With either library, however the answer is cut."""
    library(name, monkeypatch)
    picture = bytes(range(256)) * (LONG // 256 + 1)
    raw = b'{"b64_json": "' + base64.b64encode(picture) + b'"}'
    body = JsonBody()
    for at in range(0, len(raw), cut):
        body.feed(raw[at : at + cut])
    document = body.document()
    assert isinstance(document, dict)
    text = document["b64_json"]
    assert isinstance(text, LongText)
    assert text.is_base64
    assert text.data() == picture
    assert body.raw() == raw
    module = _decoder._strictly().func.__module__  # type: ignore[attr-defined]
    assert module.partition(".")[0] in (name, f"_{name}")
