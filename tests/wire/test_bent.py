"""Base64 and documents that were bent on the way: what they meant is read, and nothing is made up."""

from __future__ import annotations

import base64
import html
import json
import zlib
from collections.abc import Callable
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

import dalle2
from dalle2._wire._bent import is_whole, unbent
from dalle2._wire._body import JsonBody, plain
from dalle2._wire._images import Unreadable, read_bytes
from dalle2._wire._loosely import deeper_than, read_loosely, unescaped

PREFIX = "data:image/png;base64,"


def picture(seed: int, tail: int) -> bytes:
    """A whole PNG whose base64 has every letter, and ends with any padding."""
    start, end = dalle2.mask_from_box(16, (0, 0, 8, 8))[:33], b"\0\0\0\0IEND\xaeB`\x82"
    data = bytes((seed * 31 + number * 7 + number // 9) % 256 for number in range(4000)) + bytes(tail)
    chunk = b"teXt" + data
    return start + len(data).to_bytes(4, "big") + chunk + zlib.crc32(chunk).to_bytes(4, "big") + end


def wrapped(text: str, mark: str) -> str:
    """The text in lines of 76."""
    return mark.join(text[at : at + 76] for at in range(0, len(text), 76))


BENDS: dict[str, Callable[[str], str]] = {
    "plus became space": lambda text: text.replace("+", " "),
    "plus became space, with a prefix": lambda text: PREFIX + text.replace("+", " "),
    "the URL alphabet": lambda text: text.replace("+", "-").replace("/", "_"),
    "no padding": lambda text: text.rstrip("="),
    "too much padding": lambda text: text + "==",
    "lines": lambda text: wrapped(text, "\r\n"),
    "lines with a last end": lambda text: wrapped(text, "\n") + "\n",
    "lines that became spaces": lambda text: wrapped(text, " "),
    "lines with escapes": lambda text: wrapped(text, "\\n"),
    "zero-width spaces": lambda text: wrapped(text, "\u200b"),
    "a byte order mark": lambda text: "\ufeff" + text,
    "percent signs": lambda text: quote(text, safe=""),
    "percent signs, with the prefix": lambda text: quote(PREFIX + text, safe=""),
    "percent signs for the padding": lambda text: text.replace("=", "%3D").replace("+", "%2B"),
    "entities": lambda text: html.escape(text).replace("+", "&#43;").replace("=", "&#61;"),
    "escaped slashes": lambda text: text.replace("/", "\\/"),
    "quoted": lambda text: f'"{text}"',
    "bytes as Python shows them": lambda text: f"b'{text}'",
    "a colon for the comma": lambda text: "data:image/png;base64:" + text,
    "a semicolon for the comma": lambda text: "data:image/png;base64;" + text,
    "a semicolon for the colon": lambda text: "data;image/png;base64," + text,
    "no comma": lambda text: "data:image/png;base64" + text,
    "no type": lambda text: "data:;base64," + text,
    "nothing but a comma": lambda text: "data:," + text,
    "no encoding": lambda text: "data:image/png," + text,
    "capitals": lambda text: PREFIX.upper() + text,
    "a charset": lambda text: "data:image/png;charset=utf-8;base64," + text,
    "a blank": lambda text: "data:image/png;base64, " + text,
    "no scheme": lambda text: "image/png;base64," + text,
    "the encoding alone": lambda text: "base64," + text,
    "two prefixes": lambda text: PREFIX + PREFIX + text,
    "three prefixes": lambda text: PREFIX * 3 + text,
    "brackets": lambda text: f"<{PREFIX}{text}>",
    "hexadecimal digits": lambda text: base64.b64decode(text).hex(),
    "encoded twice": lambda text: base64.b64encode(text.encode()).decode(),
    "encoded twice, with a prefix": lambda text: base64.b64encode((PREFIX + text).encode()).decode(),
}


@pytest.mark.parametrize("name", BENDS)
@pytest.mark.parametrize("tail", [0, 1, 2])
def test_a_bend_is_undone(name: str, tail: int) -> None:
    """The image comes back byte for byte, from a text that was built and from one that was streamed."""
    content = picture(3, tail)
    text = BENDS[name](base64.b64encode(content).decode())
    found = unbent(text)
    assert found is not None
    assert found[0] == content
    assert read_bytes(text, "b64_json")[0] == content
    body = JsonBody()
    raw = json.dumps({"b64_json": text}).encode()
    for at in range(0, len(raw), 1021):
        body.feed(raw[at : at + 1021])
    document = body.document()
    assert isinstance(document, dict)
    assert read_bytes(document["b64_json"], "b64_json")[0] == content


@given(st.sampled_from(sorted(BENDS)), st.integers(0, 200), st.integers(0, 5))
def test_any_picture_survives_any_bend(name: str, seed: int, tail: int) -> None:
    """Whatever its bytes are."""
    content = picture(seed, tail)
    found = unbent(BENDS[name](base64.b64encode(content).decode()))
    assert found is not None
    assert found[0] == content


@pytest.mark.parametrize(
    ("text", "named"), [(PREFIX, "image/png"), ("DATA:IMAGE/WEBP;BASE64:", "image/webp"), ("", None)]
)
def test_a_bent_prefix_still_names_its_type(text: str, named: str | None) -> None:
    """In lower case; without one there is none."""
    found = unbent(text + base64.b64encode(picture(1, 0)).decode())
    assert found is not None
    assert found[1] == named


@pytest.mark.parametrize(
    "text",
    [
        "",
        "data:",
        "data:image/png;base64,",
        "?",
        "x y z",
        "%zz",
        "&amp;",
        "89504e4",
        "aGVsbG8=",
        "=",
        "a=b=c",
    ],
)
def test_nothing_is_made_of_what_is_no_image(text: str) -> None:
    """A word, half an escape, a prefix alone."""
    assert unbent(text) is None
    with pytest.raises(Unreadable):
        read_bytes(text, "data[0].url")


def test_half_an_image_is_taken_where_there_is_no_whole_one() -> None:
    """A text that was cut still begins like an image: whether it is whole is told when it is read."""
    content = picture(1, 0)
    found = unbent("data:image/png;base64:" + base64.b64encode(content).decode()[:400])
    assert found is not None
    assert content.startswith(found[0])
    assert not is_whole(found[0])
    assert is_whole(content)


def test_a_type_of_its_own_word_is_taken() -> None:
    """A kind that is not known here, in a bent data URI; words are none, whatever they are called."""
    content = bytes(range(128, 200))
    assert unbent("data:image/avif;base64:" + base64.b64encode(content).decode()) == (content, "image/avif")
    assert unbent("data:image/avif;base64:" + base64.b64encode(b"<html>busy</html>").decode()) is None


def test_twice_encoded_bytes_that_are_no_text_are_let_be() -> None:
    """What only begins like base64 of an image is not decoded again."""
    assert unbent(base64.b64encode(b"iVBO\xff\xfe").decode()) is None


# Documents


documents = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(10**12), 10**12), st.text(max_size=8)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=8,
)


@given(st.one_of(st.lists(documents), st.dictionaries(st.text(max_size=5), documents)), st.booleans())
def test_a_good_document_is_read_as_it_is(document: object, ascii_only: bool) -> None:
    """Leniently read, JSON means what it means."""
    text = json.dumps(document, ensure_ascii=ascii_only)
    assert read_loosely(text.encode()) == (document, True)


@given(st.dictionaries(st.text("abc'\\\"\n ", max_size=5), st.text("ab'\\\"\n/", max_size=9), min_size=1))
def test_every_string_that_ended_is_there(document: dict[str, str]) -> None:
    """However a document is cut: its whole strings are those of the whole one, from the first on."""
    text = json.dumps(document)
    for cut in range(len(text)):
        found, whole = read_loosely(text[:cut].encode())
        assert not whole
        kept = found if isinstance(found, dict) else {}
        assert kept.items() <= document.items()


@given(st.binary(max_size=80))
def test_no_bytes_are_too_odd(raw: bytes) -> None:
    """Nothing raises, nothing loops."""
    read_loosely(raw)
    read_loosely(b'{"a": ' + raw)


@pytest.mark.parametrize(
    ("text", "document", "whole"),
    [
        ("", [], False),
        ("word", [], False),
        ("{}", {}, True),
        ("{} []", [{}, []], True),
        ("x {} y", {}, True),
        ("{]", {}, True),
        ("]{}", {}, True),
        ('{"a" "b"}', {"a": "b"}, True),
        ('{"a": tru}', {"a": None}, True),
        ("{'a': True, 'b': \"c\"}", {"a": True, "b": None}, True),
        ('{"a": 1', {"a": 1}, False),
        ('{"a": "b', {}, False),
        ('{"a": 12e3, "b": ' + "1" * 60 + "}", {"a": None, "b": None}, True),
    ],
)
def test_what_is_odd_is_read_as_far_as_it_goes(text: str, document: object, whole: bool) -> None:
    """Words without meaning are nothing, numbers without end too."""
    assert read_loosely(text.encode()) == (document, whole)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a", "a"),
        ("a\\n", "a\n"),
        ("\\q", "q"),
        ("\\u00e9\\x", "éx"),
        ("\\n\\q", "\nq"),
        ("\x01\\t", "\x01\t"),
    ],
)
def test_an_escape_that_json_does_not_know_stands_for_what_it_escapes(text: str, expected: str) -> None:
    """The others keep their meaning beside it."""
    assert unescaped(text) == expected


def test_what_is_opened_without_end_is_given_up() -> None:
    """A million signs are looked at, and what was whole before is kept."""
    found, whole = read_loosely(b'[{"a": "b"}' + b", {}" * 1_000_000 + b"]")
    assert not whole
    assert isinstance(found, list)
    assert found[0] == {"a": "b"}
    assert len(found) < 1_000_000


def test_depth_is_counted_without_recursion() -> None:
    """A hundred thousand levels are told, and no stack is used up."""
    document, _ = read_loosely(b"[" * 100_000 + b"]" * 100_000)
    assert deeper_than(document, 100)
    assert not deeper_than([[]], 2)
    assert plain({"a": [1]}) == {"a": [1]}
