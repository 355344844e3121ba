"""The tree of errors as plain data, and what a message may show."""

from __future__ import annotations

import copy
import html
import inspect
import json
import pickle
import re
import struct
import zlib
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dalle2 import errors as e
from dalle2._image._data import ImageData
from dalle2._results._blocking import ImageResult
from dalle2._secrets import one_line, redact, redact_tree, shown_url

NOW = datetime(2026, 11, 20, tzinfo=UTC)
CLASSES = [
    value
    for value in vars(e).values()
    if isinstance(value, type) and issubclass(value, e.Dalle2Error) and value.__module__ == e.__name__
]
ARGUMENTS: dict[str, object] = {
    "maybe_billed": True,
    "images": (ImageResult(ImageData(created=NOW, content=b"bytes")),),
    "field": "n",
    "allowed": [1, 2],
    "path": "data[0].url",
    "request_id": "req_1",
    "idempotency_key": "k-1",
    "reason": "timeout",
    "status_code": 418,
    "url": "https://h/x",
    "saved": [Path("a.png")],
    "uploaded": ["s3://pictures/a.png"],
    "failed": {1: e.DownloadError("inner", reason="truncated")},
    "expires_at": NOW,
    "attempts": 3,
    "request": ("a", "request"),
    "sent_at": NOW,
    "code": "c",
    "type": "t",
    "param": "p",
    "retry_after": 1.5,
    "headers": {"x": "y"},
    "body": {"error": None},
    "repeatable": True,
}


def made(kind: type[e.Dalle2Error]) -> e.Dalle2Error:
    """An error of this class with every argument that it takes."""
    names = [name for name in inspect.signature(kind).parameters if name != "message"]
    return kind("what happened", **{name: ARGUMENTS[name] for name in names})


def same(one: object, other: object) -> bool:
    """Equality of field values, in which errors are compared by theirs."""
    if isinstance(one, e.Dalle2Error) and isinstance(other, e.Dalle2Error):
        return (
            type(one) is type(other)
            and one.args == other.args
            and vars(one).keys() == vars(other).keys()
            and all(same(value, vars(other)[name]) for name, value in vars(one).items())
        )
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)
    return one == other


@pytest.mark.parametrize("kind", CLASSES)
def test_every_error_can_be_made_anew_from_its_arguments(kind: type[e.Dalle2Error]) -> None:
    """A queue that sends errors as JSON makes them from `args`: each stays what it is, and as doubtful."""
    anew = kind(*json.loads(json.dumps(made(kind).args)))
    assert type(anew) is kind
    assert str(anew) == "what happened"
    assert anew.maybe_billed is kind.maybe_billed


@pytest.mark.parametrize("kind", CLASSES)
def test_every_error_survives_a_pickle_and_a_copy(kind: type[e.Dalle2Error]) -> None:
    """All fields, images, notes and later changes come back, in every protocol."""
    error = made(kind)
    error.add_note("a note")
    if isinstance(error, e.ContentPolicyError):
        error.categories, error.stage = ("sexual",), "output"
    if isinstance(error, e.ModelRetiredError):
        error.model, error.replacement = "dall-e-2", "another"
    again = [
        pickle.loads(pickle.dumps(error, protocol)) for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1)
    ]
    for other in (*again, copy.copy(error), copy.deepcopy(error)):
        assert same(other, error)
        assert other.__notes__ == ["a note"]
        assert (str(other), repr(other)) == (str(error), repr(error))


@pytest.mark.parametrize("kind", CLASSES)
def test_every_argument_is_a_field_of_the_same_name(kind: type[e.Dalle2Error]) -> None:
    """What an error is told can be read from it, and its message is its text."""
    error = made(kind)
    assert error.message == str(error) == "what happened"
    for name in inspect.signature(kind).parameters:
        if name not in ("message", "allowed", "saved", "uploaded"):
            assert same(getattr(error, name), ARGUMENTS[name])
    if isinstance(error, e.InvalidRequestError):
        assert error.allowed == (1, 2)
    if type(error) is e.DownloadError:
        assert error.saved == (Path("a.png"),)
        assert error.uploaded == ("s3://pictures/a.png",)


@pytest.mark.parametrize("kind", CLASSES)
def test_a_message_alone_is_enough(kind: type[e.Dalle2Error]) -> None:
    """Each class keeps its promise of `maybe_billed`, and has its fields, without being told."""
    error = kind("m", reason="timeout") if kind is e.OutcomeUnknownError else kind("m")  # type: ignore[call-arg]
    assert error.maybe_billed is (kind in (e.DecodeError, e.OutcomeUnknownError))
    assert error.images == ()
    for name in inspect.signature(kind).parameters:
        assert hasattr(error, name)


def drawn() -> dict[str, str]:
    """The tree in the docstring: each class and the class above it."""
    above: dict[int, str] = {}
    parents: dict[str, str] = {}
    for line in (e.__doc__ or "").splitlines():
        entry = re.match(r"    ([│├└─ ]*)([A-Z]\w+(?:, [A-Z]\w+)*)", line)
        if entry is None:
            continue
        depth = len(entry[1]) // 3
        for name in entry[2].split(", "):
            parents[name] = above.get(depth - 1, "")
            above[depth] = name
    return parents


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    """What the module draws is what the classes are."""
    real = {kind.__name__: kind.__bases__[0].__name__ for kind in CLASSES}
    real["Dalle2Error"] = ""
    assert drawn() == real


def test_a_refused_request_is_a_value_error() -> None:
    """Code that catches `ValueError` around its own checks catches ours."""
    with pytest.raises(ValueError, match="no such size"):
        raise e.InvalidRequestError("no such size", field="size", allowed=["256x256"])
    assert e.InvalidRequestError("m").allowed is None
    assert not issubclass(e.BadRequestError, ValueError)


def test_a_connection_error_is_always_safe_to_repeat() -> None:
    """Whatever `APIConnectionError` catches was certainly not carried out; the unknown is elsewhere."""
    assert issubclass(e.ConnectTimeoutError, e.APIConnectionError)
    assert not issubclass(e.OutcomeUnknownError, e.APIConnectionError)
    assert not issubclass(e.OutcomeUnknownError, e.APIStatusError)


def test_images_of_an_error_are_still_saved(tmp_path: Path) -> None:
    """The images that an error keeps can be saved, after a pickle too."""
    parts = (
        (b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)),
        (b"IDAT", zlib.compress(b"\0\0")),
        (b"IEND", b""),
    )
    png = b"\x89PNG\r\n\x1a\n"
    for name, data in parts:
        png += struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
    error = e.DecodeError("m", images=[ImageResult(ImageData(created=NOW, content=png))])
    (image,) = pickle.loads(pickle.dumps(error)).images
    assert image.save(tmp_path / "kept").read_bytes() == png


KEY = "sk-proj-Abcdefghijklmnop0123456789WXYZ"
PLAIN_KEY = "0123456789abcdefABCDEF"


@pytest.mark.parametrize("key", [KEY, PLAIN_KEY, "short"])
@pytest.mark.parametrize(
    "text", ["Incorrect key: {}.", "{}", "a{}b", "Bearer {}", "{{'key': '{}'}}", "key={}&x=1"]
)
def test_a_key_is_never_shown(key: str, text: str) -> None:
    """The key is taken out wherever it stands."""
    shown = redact(text.format(key), key=key)
    assert key not in shown
    assert "***" in shown


@pytest.mark.parametrize(
    ("text", "secrets"),
    [
        ("Incorrect API key provided: sk-proj-********************WXYZ. See", ["sk-proj", "WXYZ"]),
        ("Incorrect API key provided: sk-pr…XYZ", ["sk-pr", "XYZ"]),
        ("key sk-...WXYZ is wrong", ["WXYZ"]),
        ("Received API Key = Abcdefghij", ["Abcdefghij"]),
        ("hash 0123456789WXYZ", ["0123456789"]),
        ("one more: sk-other-0123", ["other"]),
        ("Authorization: Bearer abc.def", ["abc"]),
        ("masked ab***cd and ***", ["ab", "cd"]),
    ],
)
def test_a_part_of_a_key_is_never_shown(text: str, secrets: list[str]) -> None:
    """Vendors repeat a part of the key, or mask its middle; neither is passed on."""
    shown = redact(text, key=KEY)
    assert not [secret for secret in secrets if secret in shown]
    assert "***" in shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("key 0123...CDEF", "key ***"),
        ("key 0123…", "key ***"),
        ("key ..CDEF", "key ***"),
        ("wait... please ** 01..", "wait... please ** 01.."),
    ],
)
def test_the_ends_of_a_key_around_dots_are_masked(text: str, shown: str) -> None:
    """A key without a telling beginning is known by its own ends; prose with dots stays."""
    assert redact(text, key=PLAIN_KEY) == shown


@pytest.mark.parametrize(
    "text",
    [
        "https://h/a.png?se=1&sig=SECRET%2Bx%3D&sp=r",
        "?SIG=SECRET",
        "sig=SECRET",
        "{'u': 'https://h/?x=1\\u0026sig=SECRET'}",
        "https://h/?a=1&amp;sig=SECRET",
        "https://h/?X-Amz-Signature=SECRET&X-Amz-Date=1",
        "https://h/?X-Amz-Security-Token=SECRET",
        "https://h/?Expires=1&Signature=SECRET~",
        "https://p/?u=https%3A%2F%2Fh%2F%3Fsig%3DSECRET",
        "https://h/?q-signature=SECRET&q-ak=1",
        'url="https://h/?sig=SECRET"',
    ],
)
def test_a_signature_is_never_shown(text: str) -> None:
    """A signed URL keeps its place in a message, and loses what makes it work."""
    shown = redact(text)
    assert "SECRET" not in shown
    assert "***" in shown


def test_ordinary_text_stays() -> None:
    """What only looks a little like a secret is left alone."""
    text = "The design=1 of task-force risk-free: disk-full, 2*3, Limit: 5/1min, 'dall-e-2' **bold**."
    assert redact(text, key=KEY, prompt="a corgi") == text


PROMPT = 'A "naïve" <猫> & it\'s\n  50% \\ off '


@pytest.mark.parametrize(
    "form",
    [
        PROMPT,
        PROMPT.strip(),
        " ".join(PROMPT.split()),
        json.dumps(PROMPT),
        json.dumps(PROMPT, ensure_ascii=False),
        json.dumps(json.dumps(PROMPT)),
        json.dumps({"m": json.dumps({"prompt": PROMPT}, ensure_ascii=False)}, ensure_ascii=False),
        repr(PROMPT),
        html.escape(PROMPT),
        quote(PROMPT, safe=""),
        quote_plus(PROMPT),
    ],
)
def test_a_prompt_is_never_shown_in_full(form: str) -> None:
    """However a host writes the prompt, it is taken out."""
    shown = redact(f"prompt: {form} is too long", prompt=PROMPT)
    assert "‹prompt›" in shown
    assert "off" not in shown


@pytest.mark.parametrize(
    ("prompt", "text", "shown"),
    [
        ("a", "a cat and a dog, 'a'", "‹prompt› cat and ‹prompt› dog, '‹prompt›'"),
        ("猫", "提示猫被拒绝", "提示‹prompt›被拒绝"),
        (" ", "a b", "a b"),
        ("\ud800x", "got \ud800x", "got ‹prompt›"),
        ("a.c", "abc a.c", "abc ‹prompt›"),
    ],
)
def test_a_short_prompt_leaves_the_words_alone(prompt: str, text: str, shown: str) -> None:
    """A prompt of a letter is only taken out where it is a word of its own."""
    assert redact(text, prompt=prompt) == shown


@given(st.text(min_size=1), st.text(max_size=20))
def test_any_prompt_between_quotes_is_taken_out(prompt: str, text: str) -> None:
    """Whatever characters a prompt has, it does not come back, and nothing is raised."""
    shown = redact(f"{text} '{prompt}' {text}", prompt=prompt)
    assert f"'{prompt}'" not in shown or not prompt.strip() or prompt in "‹prompt›***"


@given(st.text(), st.integers(2, 40))
def test_any_text_becomes_one_printable_line(text: str, limit: int) -> None:
    """Control characters, lone surrogates and line ends never reach a terminal, and the length is kept."""
    line = one_line(text, limit)
    assert line.isprintable()
    assert len(line) <= limit


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a\r\n  b\tc ", "a b c"),
        ("\x1b[31mred\x07\x00", "\ufffd[31mred\ufffd\ufffd"),
        ("\ud800 \u202e x", "? \ufffd x"),
        ("x" * 300, "x" * 300),
        ("x" * 301, "x" * 299 + "…"),
    ],
)
def test_a_line_is_clean_and_short(text: str, line: str) -> None:
    """What cannot be shown is marked, and what is cut ends in an ellipsis."""
    assert one_line(text) == line


def test_a_text_of_any_length_is_redacted_at_once() -> None:
    """No pattern goes over the same text again and again: a megabyte takes no time."""
    text = "a" * 500_000 + "*" * 3 + "-" * 500_000 + "." * 100_000 + "sig" * 100_000
    assert redact(text, key=KEY, prompt="a corgi").startswith("***")


def test_a_tree_is_redacted_all_over() -> None:
    """Names and values of a decoded body lose the key; numbers stay; what is no JSON becomes its text."""
    tree = {KEY: [f"Bearer {KEY}", 1, 2.5, True, None, {"a": KEY}], "at": Path("x")}
    assert redact_tree(tree, key=KEY) == {
        "***": ["***", 1, 2.5, True, None, {"a": "***"}],
        "at": "x",
    }


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://h/a.png?sig=x#y", "https://h/a.png"),
        ("https://user:secret@h:8/a@b#y", "https://h:8/a@b"),
        ("/a/b?c", "/a/b"),
        ("https://h/" + "x" * 200, "https://h/" + "x" * 109 + "…"),
    ],
)
def test_a_url_is_shown_without_what_makes_it_work(url: str, shown: str) -> None:
    """Query, fragment and credentials are left out, and a long path is cut."""
    assert shown_url(url) == shown
