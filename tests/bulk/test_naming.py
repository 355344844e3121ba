"""What the files are called: legal everywhere, inside the folder, and each its own."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

import dalle2
from dalle2.bulk._naming import Naming, folded, stem


def test_a_name_is_made_of_id_index_and_columns() -> None:
    """What may not stand in a file name becomes a dash, in values as in the template."""
    naming = Naming.parse("{colour}/{id}-{index}")
    assert naming.name('a/b:c*"', 3, {"colour": "red\\blue"}) == "red-blue/a-b-c---3"
    assert naming.has_folders
    assert not Naming.parse("{id}-{index}").has_folders
    assert Naming.parse("a?{id}").name("x", 1, {}) == "a-x"


def test_own_words_win_over_columns() -> None:
    """A column that is called `id` or `index` does not change what these mean."""
    assert Naming.parse("{id}-{index}").name("a", 2, {"id": "b", "index": "c"}) == "a-2"


def test_a_suffix_of_the_template_is_the_suffix() -> None:
    """And one of a value is none: `A.B` is a product's number."""
    assert Naming.parse("{id}.png").whole
    assert not Naming.parse("{id}").whole
    assert not Naming.parse("{id}.v2").whole


@pytest.mark.parametrize("id", ["..", ".", ". .", "  .  "])
def test_a_name_that_leaves_the_folder_is_refused(id: str) -> None:
    """Whatever the id says."""
    with pytest.raises(dalle2.InvalidRequestError, match="leaves the folder"):
        Naming.parse("{id}").name(id, 1, {})
    with pytest.raises(dalle2.InvalidRequestError, match="leaves the folder"):
        Naming.parse("../{id}").name("a", 1, {})


@pytest.mark.parametrize(
    ("id", "name"),
    [
        ("con", "con-"),
        ("NUL.txt", "NUL-.txt"),
        ("con .txt", "con- .txt"),
        ("CONOUT$", "CONOUT$-"),
        ("a. ", "a--"),
        ("LPT1", "LPT1-"),
        ("contract", "contract"),
    ],
)
def test_what_windows_would_change_is_changed_here(id: str, name: str) -> None:
    """Devices and ends that it cuts off."""
    assert Naming.parse("{id}").name(id, 1, {}) == name


@pytest.mark.parametrize("id", ["x" * 241, "\ud800"])
def test_a_name_that_no_disk_takes_is_refused(id: str) -> None:
    """Before anything is spent."""
    with pytest.raises(dalle2.InvalidRequestError, match="name: "):
        Naming.parse("{id}").name(id, 1, {})


@pytest.mark.parametrize("text", ["", None, "{id!r}", "{id:>9}"])
def test_a_template_that_is_none_is_refused(text: str) -> None:
    """By its field."""
    with pytest.raises(dalle2.InvalidRequestError) as caught:
        Naming.parse(text)
    assert caught.value.field == "name"


def test_a_column_that_is_empty_names_no_file() -> None:
    """It is refused like any other cell."""
    with pytest.raises(dalle2.InvalidRequestError, match="column 'colour' is missing"):
        Naming.parse("{colour}").name("a", 1, {})
    with pytest.raises(dalle2.InvalidRequestError, match="column 'colour' is empty"):
        Naming.parse("{colour}").name("a", 1, {"colour": None})


DEVICES = {"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"} | {
    f"{port}{digit}" for port in ("COM", "LPT") for digit in "123456789\u00b9\u00b2\u00b3"
}
words = st.one_of(
    st.sampled_from(
        [".", "..", " ", "-", "/", "\\", ":", "con", "NUL", "nul.", "lpt1 .a", "conin$", "~", "\0"]
    ),
    st.text(max_size=6),
)
values = st.lists(words, max_size=4).map("".join)
templates = st.lists(
    st.one_of(st.sampled_from(["{id}", "{index}", "{col}", ".png", "{{", "../", "/"]), words), max_size=6
).map("".join)


@given(templates, values, values, st.integers(1, 10))
def test_any_template_gives_legal_names_in_the_folder_or_is_refused(
    template: str, id: str, column: str, index: int
) -> None:
    """No way out, no character that some system forbids, no end that some system cuts, no device."""
    try:
        name = Naming.parse(template).name(id, index, {"col": column})
    except dalle2.InvalidRequestError as error:
        assert len(str(error)) < 400
        return
    for part in name.split("/"):
        assert part.strip(". ")
        assert not set(part) & set('<>:"\\|?*')
        assert min(part) >= " "
        assert part[-1] not in ". "
        assert part.partition(".")[0].rstrip(" ").upper() not in DEVICES
        assert unicodedata.is_normalized("NFC", part)
        assert len(part.encode()) <= 240


def test_two_names_are_one_where_some_system_says_so() -> None:
    """By case and by how accents are written; and a suffix of an image is none of the name."""
    assert folded("Stra\u00dfe") == folded("STRASSE")
    assert folded("e\u0301") == folded("\u00c9")
    assert (stem("a/b.PNG"), stem("a.v2"), stem("a.jpeg")) == ("a/b", "a.v2", "a")
