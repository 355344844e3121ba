"""The lines of batch files, and what a host says of a batch: read whatever their shape, never guessed."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dalle2._wire._batch import Lines, encode_line, read_batch, read_id, read_line, read_page
from dalle2._wire._body import JsonBody
from dalle2._wire._images import Unreadable

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(
    ["custom_id", "response", "error", "body", "status_code", "code", "request_id", "data"]
)
LINES = st.dictionaries(NAMES, st.dictionaries(NAMES, VALUES, max_size=4) | VALUES, max_size=5)


def body_of(text: bytes) -> JsonBody:
    """A line as it is read."""
    body = JsonBody()
    body.feed(text)
    return body


@given(
    st.lists(st.binary(max_size=40).map(lambda data: data.replace(b"\n", b"")), max_size=6),
    st.integers(1, 30),
    st.booleans(),
)
def test_lines_are_whole_however_they_come(lines: list[bytes], size: int, ended: bool) -> None:
    """Cut anywhere, with or without an end of the last one; blank ones are none."""
    data = b"\n".join(lines) + (b"\n" if ended else b"")
    reader = Lines()
    found = [body.raw() for at in range(0, len(data), size) for body in reader.feed(data[at : at + size])]
    found += [body.raw() for body in reader.finish()]
    assert found == [line for line in lines if line.strip()]


def test_a_picture_is_decoded_while_its_line_arrives() -> None:
    """It is never held as text."""
    text = json.dumps({"custom_id": "1", "response": {"body": {"data": [{"b64_json": "QUJD" * 5000}]}}})
    reader = Lines()
    for at in range(0, len(text), 1000):
        assert list(reader.feed(text[at : at + 1000].encode())) == []
    (body,) = reader.finish()
    document = read_line(body).answer.document()
    assert isinstance(document, dict)
    assert document["data"][0]["b64_json"].data() == b"ABC" * 5000


@given(LINES)
def test_a_line_is_read_or_named_unreadable(line: dict[str, object]) -> None:
    """Whatever stands where; what it says can be asked for."""
    try:
        read = read_line(body_of(json.dumps(line).encode()))
    except Unreadable:
        assert isinstance(line.get("custom_id"), bool) or not isinstance(line.get("custom_id"), (str, int))
        return
    assert read.custom_id == str(line["custom_id"]).strip()
    assert 100 <= read.status < 600
    assert isinstance(read.answer.text(), str)
    assert json.loads(read.answer.raw()) == line
    try:
        read.answer.document()
    except ValueError:
        assert read.answer.text() is not None


def test_a_part_of_a_line_is_a_body_of_its_own() -> None:
    """A text in the place of a body is read as JSON, and tells its beginning."""
    line = {"custom_id": "1", "response": {"body": '{"data": 1}', "request_id": "req_1"}}
    read = read_line(body_of(json.dumps(line).encode()))
    assert (read.answer.document(), read.answer.text(), read.request_id) == (
        {"data": 1},
        '{"data": 1}',
        "req_1",
    )
    assert read.answer.holds(b"req_1")
    assert not read.answer.holds(b"req_2")


@given(st.text(), st.dictionaries(st.text(max_size=5), VALUES, max_size=3))
def test_a_line_that_is_written_is_one_line_for_every_reader(name: str, values: dict[str, object]) -> None:
    """Also for those that end a line at every end of a line in Unicode."""
    line = encode_line(
        name,
        json.dumps(values, ensure_ascii=False)
        .encode("utf-8", "surrogatepass")
        .decode("utf-8", "replace")
        .encode(),
    )
    assert len(line.decode().splitlines()) == 1
    assert json.loads(line)["custom_id"] == name


@pytest.mark.parametrize(
    ("fields", "status", "ended"),
    [
        ({"status": "validating"}, "validating", False),
        ({"status": "cancelling", "cancelled_at": None}, "cancelling", False),
        ({"status": "canceled"}, "cancelled", True),
        ({"status": "Completed"}, "completed", True),
        ({"status": "done", "completed_at": 5}, "completed", True),
        ({"expired_at": 5}, "expired", True),
        ({}, "", False),
    ],
)
def test_a_batch_has_ended_by_its_word_or_its_times(
    fields: dict[str, object], status: str, ended: bool
) -> None:
    """A word that is not known is no end."""
    info = read_batch({"id": "b", **fields})
    assert (info.status, info.ended, info.leaves_undone) == (status, ended, status != "completed")


@pytest.mark.parametrize(
    ("errors", "message", "code"),
    [
        ({"data": [{"message": "bad", "code": "x", "line": 3}, {}]}, "bad (line 3 of 2 with errors)", "x"),
        ([{"message": "bad"}], "bad", None),
        ({"data": []}, "", None),
        (None, "", None),
        ("no", "", None),
    ],
)
def test_why_a_batch_failed(errors: object, message: str, code: str | None) -> None:
    """In the host's words, with the line."""
    problem = read_batch({"id": "b", "status": "failed", "errors": errors}).problem
    assert problem is not None
    assert (problem.message, problem.code) == (message, code)
    assert read_batch({"id": "b", "status": "expired", "errors": errors}).problem is None


@given(VALUES)
def test_what_is_no_batch_file_or_list_is_named(value: object) -> None:
    """And nothing else is raised."""
    for read in (read_batch, read_id):
        if not isinstance(value, dict) or not isinstance(value.get("id"), str) or not value["id"]:
            with pytest.raises(Unreadable):
                read(value)
    if not isinstance(value, dict) or not isinstance(value.get("data"), list):
        with pytest.raises(Unreadable):
            read_page(value)


def test_a_list_names_where_it_goes_on() -> None:
    """Only where there is more, and by a row that has an id."""
    rows = [{"id": "a"}, {"id": 5}, "b"]
    assert read_page({"data": rows, "has_more": True}) == (({"id": "a"},), "a")
    assert read_page({"data": rows}).after is None
    assert read_page({"data": [], "has_more": True}).after is None
    files = {"id": "b", "output_file_id": "f", "error_file_id": None, "metadata": {"k": "v"}}
    assert read_batch(files)[2:4] == (("f",), {"k": "v"})
