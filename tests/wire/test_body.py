"""Reading a JSON answer as it arrives: the same meaning as `json.loads`, without its long strings."""

from __future__ import annotations

import base64
import contextlib
import json
import math
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dalle2._wire._body import LONG, JsonBody, LongText, decode_base64, plain

BIG = bytes(range(256)) * 64  # its base64 is longer than LONG, and holds every letter of the alphabet


def body_of(raw: bytes, cuts: list[int] | None = None) -> JsonBody:
    """A body that got these bytes, cut at these places."""
    body = JsonBody()
    at = 0
    for cut in [*sorted(cut % (len(raw) + 1) for cut in cuts or ()), len(raw)]:
        body.feed(raw[at:cut])
        at = cut
    assert body.size == len(raw)
    return body


def longs(value: object) -> list[LongText]:
    """Every `LongText` in a document."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [value] if isinstance(value, LongText) else [text for item in inner for text in longs(item)]


def meaning(body: JsonBody) -> object:
    """The document with its long texts, or the word for its lack."""
    try:
        return plain(body.document())
    except ValueError:
        return "no document"


def reference(raw: bytes) -> object:
    """What an ordinary parser says of the bytes."""
    try:
        return json.loads(raw.decode("utf-8-sig"))
    except ValueError:
        return "no document"


def same(one: object, other: object) -> bool:
    """Equality of documents, in which NaN equals NaN, 1 is not True, and the order of keys counts."""
    return json.dumps(one) == json.dumps(other)


@st.composite
def long_texts(draw: st.DrawFn) -> str:
    """Texts around and over `LONG`: base64, data URIs, nearly base64, anything."""
    data = draw(st.binary(max_size=30)) + BIG[: draw(st.integers(3000, 3200))] + draw(st.binary(max_size=8))
    text = base64.b64encode(data).decode()
    kind = draw(st.sampled_from(["plain", "data", "url", "unpadded", "broken", "text", "padded inside"]))
    if kind == "data":
        return (
            draw(st.sampled_from(["data:image/png;base64,", "data:,", "data:", "data:é,", "data:\n,"])) + text
        )
    if kind == "url":
        return text.replace("+", "-").replace("/", "_")
    if kind == "unpadded":
        return text.rstrip("=")
    if kind == "broken":
        at = draw(st.integers(0, len(text)))
        return text[:at] + draw(st.text(max_size=5)) + text[at:]
    if kind == "padded inside":
        at = 4 * draw(st.integers(500, len(text) // 4 - 1))
        return text[: at - 2] + "==" + text[at:]
    return (
        draw(st.text(alphabet='ab"\\/é\n\u2028\ud800猫😀', min_size=1, max_size=6)) * 1100
        if kind == "text"
        else text
    )


texts = st.one_of(st.text(max_size=12), st.text(alphabet='\\"/u', max_size=8), long_texts())
documents = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), texts),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(texts, inner, max_size=4)),
    max_leaves=6,
)


@st.composite
def encodings(draw: st.DrawFn) -> bytes:
    """The bytes of a document, written in any of the ways that hosts write them.

    One that is shorter than `LONG` is not looked at on its way, so white space makes some of them longer.
    """
    text = json.dumps(
        draw(documents), ensure_ascii=draw(st.booleans()), indent=draw(st.sampled_from([None, 1]))
    )
    if draw(st.booleans()):
        text = text.replace("/", "\\/")
    space = b" " * draw(st.sampled_from([0, LONG + 1]))
    mark = draw(st.sampled_from([b"", b"", b"\xef\xbb\xbf"]))
    return mark + space + text.encode("utf-8", "surrogatepass")


@given(encodings(), st.lists(st.integers(), max_size=8))
def test_a_document_means_what_json_loads_says(raw: bytes, cuts: list[int]) -> None:
    """Whatever the document and wherever its chunks end, it reads as `json.loads` reads it whole."""
    assert same(meaning(body_of(raw, cuts)), reference(raw))


@given(encodings(), st.integers(), st.binary(max_size=3), st.integers(0, 3))
def test_damage_is_seen_where_json_loads_sees_it(raw: bytes, at: int, put: bytes, drop: int) -> None:
    """Cut, with bytes lost or strange bytes put in: what is no document for `json.loads` is none here."""
    at %= len(raw) + 1
    damaged = raw[:at] + put + raw[at + drop :]
    assert same(meaning(body_of(damaged, [at])), reference(damaged))
    assert same(meaning(body_of(raw[:at], [at // 2])), reference(raw[:at]))


@given(st.binary(max_size=60), st.sampled_from([0, LONG + 1]))
def test_any_bytes_mean_what_json_loads_says(raw: bytes, space: int) -> None:
    """No bytes at all make the two disagree, or raise anything but `ValueError`."""
    raw = b" " * space + raw
    assert same(meaning(body_of(raw, [space + 3])), reference(raw))


@given(long_texts(), st.lists(st.integers(0), max_size=6), st.booleans())
def test_a_long_text_has_the_bytes_of_its_base64(text: str, cuts: list[int], escaped: bool) -> None:
    """`data()` is what decoding the whole text gives, or fails where that fails."""
    raw = json.dumps(text).replace("/", "\\/" if escaped else "/").encode()
    document = body_of(raw, cuts).document()
    try:
        expected: bytes | None = decode_base64(text.partition(",")[2] if text.startswith("data:") else text)
    except ValueError:
        expected = None
    if not isinstance(document, LongText):
        assert document == text
        return
    assert document.text() == text
    if expected is None:
        with pytest.raises(ValueError):
            document.data()
    else:
        assert document.data() == expected


@pytest.mark.parametrize("step", [1, 3, 4096, 1 << 20])
@pytest.mark.parametrize("cut", [0, 1, 2, 3])
@pytest.mark.parametrize("prefix", ["", "data:image/png;base64,"])
def test_base64_is_held_as_bytes(prefix: str, cut: int, step: int) -> None:
    """An image is decoded while it arrives, whatever its padding, and gives back its own text."""
    data = BIG[: len(BIG) - cut]
    text = prefix + base64.b64encode(data).decode()
    raw = json.dumps({"b64_json": text}).encode()
    (held,) = longs(body_of(raw, list(range(0, len(raw), step))).document())
    assert held.is_base64
    assert held.prefix == prefix
    assert held.data() == data
    assert held.text() == text


@pytest.mark.parametrize("slash", ["/", "\\/"])
def test_escaped_slashes_are_no_obstacle(slash: str) -> None:
    """A gateway that escapes slashes, in a data URI's type too, costs no second copy."""
    text = "data:image/png;base64," + base64.b64encode(BIG).decode()
    (held,) = longs(body_of(f'["{text.replace("/", slash)}"]'.encode(), [5000, 9000]).document())
    assert (held.is_base64, held.data(), held.text()) == (True, BIG, text)


@pytest.mark.parametrize(
    "start", ["data:" + "x" * 300 + ",", "data:" + "x" * 5000, "data:é,", "data:\\u0061,", "data:\\\\/,"]
)
def test_an_odd_data_uri_is_kept_as_text(start: str) -> None:
    """What has no short plain header before its comma is a text like any other."""
    raw = f'"{start}{base64.b64encode(BIG).decode()}"'.encode()
    held = body_of(raw).document()
    assert isinstance(held, LongText)
    assert not held.is_base64
    assert held.text() == json.loads(raw)


@pytest.mark.parametrize("cut", range(5000, 5012))
def test_padding_in_the_middle_is_kept(cut: int) -> None:
    """Padding before the end is no base64, even where a chunk ends right behind it."""
    text = base64.b64encode(BIG).decode()
    text = text[:4998] + "==" + text[5000:]
    held = body_of(f'"{text}"'.encode(), [cut]).document()
    assert isinstance(held, LongText)
    assert held.text() == text
    with pytest.raises(ValueError):
        held.data()


def test_strings_are_told_apart_by_length_alone() -> None:
    """A string of `LONG` bytes is a string, one byte more is a `LongText`, keys included."""
    document = body_of(
        json.dumps({"prompt": "x" * LONG, "y" * (LONG + 1): "x" * (LONG + 1)}).encode()
    ).document()
    assert isinstance(document, dict)
    assert document["prompt"] == "x" * LONG
    assert isinstance(document["y" * (LONG + 1)], LongText)


def test_no_long_string_is_built() -> None:
    """What goes through `json.loads` stays small, and an image of megabytes is held once, decoded."""
    size = 6_000_000
    raw = b'{"data": [{"b64_json": "' + base64.b64encode(bytes(size)) + b'"}]}'
    tracemalloc.start()
    try:
        body = JsonBody()
        for at in range(0, len(raw), 65_536):
            body.feed(raw[at : at + 65_536])
        (held,) = longs(body.document())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(body._skeleton) < 100
    assert peak < size * 1.5
    assert held.data() == bytes(size)


def test_a_document_nested_too_deeply_is_none() -> None:
    """A hundred levels are read, more are refused, before anything runs out of stack."""
    for levels, well in ((100, True), (101, False), (100_000, False)):
        for left, right in (("[", "]"), ('{"a":', "}")):
            for space in ("", " " * LONG):
                body = body_of((space + left * levels + "0" + right * levels).encode())
                assert (meaning(body) != "no document") is well, levels
    wide = [[] for _ in range(200)]
    assert meaning(body_of(json.dumps(wide).encode())) == wide


def test_a_document_in_the_middle_of_a_string_is_none() -> None:
    """An answer cut inside a string says so."""
    with pytest.raises(ValueError, match="Unterminated string"):
        body_of(b'{"a": "b').document()
    with pytest.raises(ValueError, match="ends inside a string"):
        body_of(b" " * LONG + b'{"a": "b').document()


def test_a_document_of_nothing_but_signs_is_none() -> None:
    """Read, it would be twenty times as large: 32 MiB outside of long strings are no answer."""
    body = JsonBody()
    for _ in range(33):
        body.feed(b"[" + b" " * (1 << 20))
    with pytest.raises(ValueError, match="or never"):
        body.document()


def test_the_beginning_stays_readable_as_text() -> None:
    """The first 8 KiB are kept as text for messages, whatever the bytes are."""
    body = JsonBody()
    for _ in range(3):
        body.feed(b"\xff<html>" + b"x" * 5000)
    assert body.text().startswith("\ufffd<html>x")
    assert len(body.text()) == 8192
    assert JsonBody().text() == ""


@given(st.binary(min_size=1, max_size=40), st.booleans(), st.booleans(), st.integers(1, 9))
def test_base64_is_read_in_all_its_spellings(data: bytes, url: bool, padded: bool, width: int) -> None:
    """The URL alphabet, missing padding and line breaks all give the same bytes."""
    text = (base64.urlsafe_b64encode if url else base64.b64encode)(data).decode()
    text = text if padded else text.rstrip("=")
    assert decode_base64("\r\n ".join(text[at : at + width] for at in range(0, len(text), width))) == data


@pytest.mark.parametrize("text", ["", "=", " \n", "a", "a=b=", "é", "\ud800", "ab.c", "https://x/y"])
def test_what_is_no_base64_is_refused(text: str) -> None:
    """Nothing is made of a text that is not base64."""
    with pytest.raises(ValueError):
        decode_base64(text)


def test_plain_takes_the_long_texts_out() -> None:
    """A value with nothing but JSON's own types is left, numbers and all."""
    raw = json.dumps({"a": ["x" * 5000, {"b": 1.5, "c": None}]})
    assert plain(body_of(raw.encode()).document()) == json.loads(raw)
    assert math.isnan(float(str(plain(float("nan")))))


def test_bytes_are_held_once_and_the_text_can_still_be_asked_for() -> None:
    """An answer of ten images is not in memory twice; its text comes back from the bytes."""
    for size in (5000, 5001, 5002):
        encoded = base64.b64encode(bytes(range(256)) * 20)[: size - size % 4].decode()
        body = JsonBody()
        body.feed(f'["{encoded}"]'.encode())
        document = body.document()
        assert isinstance(document, list)
        (text,) = document
        assert text.data() is text.data()
        assert text.data() == base64.b64decode(encoded)
        assert text.text() == encoded


@given(
    encodings(), st.integers(), st.binary(max_size=3), st.integers(0, 3), st.lists(st.integers(), max_size=6)
)
def test_what_came_is_given_back_byte_for_byte(
    raw: bytes, at: int, put: bytes, drop: int, cuts: list[int]
) -> None:
    """Whole, damaged or cut, before and after it was read as a document: no byte is lost."""
    at %= len(raw) + 1
    for came in (raw, raw[:at], raw[:at] + put + raw[at + drop :]):
        body = body_of(came, cuts)
        assert body.raw() == came
        for text in longs(document_of(body)):
            with contextlib.suppress(ValueError):
                text.data()
        assert body.raw() == came


def document_of(body: JsonBody) -> object:
    """The document, or nothing."""
    try:
        return body.document()
    except ValueError:
        return None


@given(st.binary(max_size=60), st.integers(0, 3), st.lists(st.integers(), max_size=4))
def test_any_bytes_are_given_back(piece: bytes, quotes: int, cuts: list[int]) -> None:
    """Also where a body is no text at all, such as a picture."""
    raw = (piece + b'"' * quotes) * 300
    assert body_of(raw, cuts).raw() == raw


@pytest.mark.parametrize("text", ["data:image\\/png;base64,", "a\\/", "a/b\\/"])
def test_escaped_slashes_come_back_escaped(text: str) -> None:
    """Written one way or another, or mixed."""
    encoded = base64.b64encode(BIG).decode()
    for inner in (
        text + encoded,
        text + encoded.replace("/", "\\/"),
        encoded + text,
        encoded.replace("/", "\\/") + text,
    ):
        raw = f'["{inner}"]'.encode()
        body = body_of(raw, [5000, 9000])
        assert body.raw() == raw
        assert plain(body.document()) == json.loads(raw)


def test_a_body_with_a_limit_is_cut_there() -> None:
    """What follows is left out, and the body says that it wants no more."""
    body = JsonBody(limit=10_000)
    body.feed(b'{"a": "' + b"x" * 9_000)
    assert not body.full
    body.feed(b"x" * 9_000)
    body.feed(b"x")
    assert (body.full, body.size, len(body.raw())) == (True, 10_000, 10_000)


def test_a_text_is_found_outside_the_pictures() -> None:
    """In short and long bodies, and in a long text that is no base64."""
    assert body_of(b'{"a": "sk-1"}').holds(b"sk-1")
    long = body_of(
        json.dumps({"a": "sk-1", "b": "? sk-2" * 1000, "c": base64.b64encode(BIG).decode()}).encode()
    )
    assert [long.holds(text) for text in (b"sk-1", b"sk-2", b"sk-3")] == [True, True, False]
