"""Rows become jobs: what is read, what is refused, and what leaves the machine."""

from __future__ import annotations

import csv
import json
import math
import pickle
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import dalle2
from dalle2.bulk import Job, RowError, read_jobs
from dalle2.bulk._rows import Jobs
from dalle2.bulk._template import Template


def prompts(source: object, prompt: str = "{title}", **more: object) -> list[str]:
    """The prompts that rows become."""
    return [job.request.prompt for job in read_jobs(source, prompt=prompt, **more)]  # type: ignore[arg-type]


def written(folder: Path, text: str | bytes, name: str = "rows.csv") -> Path:
    """A file of rows."""
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


# Templates


def test_a_template_names_columns_and_nothing_else() -> None:
    """Dots, brackets and spaces are part of a column's name, and a doubled brace is one."""
    row = {"a.b": "1", "Body (HTML)": "2", "x[0]": "3", "0": "4"}
    assert prompts([row], "{a.b} {Body (HTML)} {x[0]} {0} {{not}}") == ["1 2 3 4 {not}"]


@pytest.mark.parametrize(
    "template", ["{a!r}", "{a:>300000000}", "{a:{b}}", "{}", "{ }", "{a", "a}", "{a!x}", '{"a": 1}', "{a{b}}"]
)
def test_a_template_that_would_format_is_refused_before_a_row_is_read(template: str) -> None:
    """No width, no conversion, no unbalanced brace: the error names the field and the way out."""

    def rows() -> Iterator[dict[str, object]]:
        raise AssertionError("a row was read")
        yield {}

    with pytest.raises(dalle2.InvalidRequestError, match="prompt: ") as caught:
        read_jobs(rows(), prompt=template)
    assert caught.value.field == "prompt"


def test_no_attribute_of_a_value_is_looked_up() -> None:
    """`{title.__class__}` is the name of a column that is not there."""
    with pytest.raises(RowError, match=r"title\.__class__"):
        prompts([{"title": "x"}], "{title.__class__}")


@given(st.text(), st.dictionaries(st.text(min_size=1), st.text()))
def test_any_template_fills_or_is_refused(text: str, row: dict[str, str]) -> None:
    """Whatever is written, the outcome is a text or one of our errors."""
    try:
        filled = Template.parse(text, "prompt").fill(row)
    except (dalle2.InvalidRequestError, ValueError):
        return
    assert isinstance(filled, str)


@given(st.text(st.characters(exclude_characters="{}\0")), st.text(st.characters(exclude_characters="\0")))
def test_what_a_cell_says_is_never_read_as_a_template(literal: str, value: str) -> None:
    """Braces in a value stay what they are."""
    if value.strip() and value not in ("nan", "NaN", "null", "NULL", "<NA>", "NaT"):
        assert Template.parse(literal + "{a}", "prompt").fill({"a": value}) == literal + value


def test_other_fields_may_be_templates_too() -> None:
    """Numbers come from texts, a callable sees the whole row, and a constant is for all."""
    rows = [
        {"title": "fox", "count": "2", "box": "512x512"},
        {"title": "owl", "count": 3.0, "box": "256x256"},
    ]
    found = list(
        read_jobs(
            rows, prompt=lambda row: f"a {row['title']}", n="{count}", size="{box}", user="me", id="title"
        )
    )
    requests = [job.request for job in found]
    assert [(r.prompt, r.n, r.size, r.user) for r in requests if isinstance(r, dalle2.GenerateRequest)] == [
        ("a fox", 2, "512x512", "me"),
        ("a owl", 3, "256x256", "me"),
    ]
    assert [job.id for job in found] == ["fox", "owl"]
    assert found[0].meta == rows[0]


def test_a_number_that_is_none_names_row_column_and_value() -> None:
    """As every refusal of a row does."""
    with pytest.raises(
        RowError, match=r"row 2, column 'count': n must be a whole number; it is 'two'"
    ) as caught:
        list(read_jobs([{"t": "a", "count": "1"}, {"t": "b", "count": "two"}], prompt="{t}", n="{count}"))
    assert (caught.value.row, caught.value.column, caught.value.field) == (2, "count", "n")


def test_a_function_that_fails_or_gives_no_text_is_refused_by_row() -> None:
    """Its own exception is behind the error."""
    with pytest.raises(RowError, match="row 1: the function for prompt failed: KeyError") as caught:
        list(read_jobs([{"a": 1}], prompt=lambda row: row["b"]))
    assert caught.value.row == 1
    with pytest.raises(RowError, match="prompt must be a text"):
        list(read_jobs([{"a": 1}], prompt=lambda row: row["a"]))


def test_a_constant_number_stays_a_number() -> None:
    """`n=2` is no template."""
    (job,) = read_jobs([{"t": "a"}], prompt="{t}", n=2, extra_body={"seed": 1})
    assert job.request.n == 2
    assert job.request.extra_body == {"seed": 1}


# Cells


class NAType:
    """As pandas has it: it refuses to be compared."""

    def __ne__(self, other: object) -> bool:
        raise TypeError("boolean value of NA is ambiguous")


class Array:
    """As NumPy has it, as far as it matters here."""

    ndim = 1

    def __ne__(self, other: object) -> list[bool]:  # type: ignore[override]
        return [True, True]


@pytest.mark.parametrize(
    "cell", ["", "  ", None, math.nan, Decimal("nan"), "nan", "NaN", "null", "<NA>", NAType()]
)
def test_a_cell_that_says_nothing_is_refused(cell: object) -> None:
    """A picture of nothing would be paid for."""
    with pytest.raises(RowError, match="row 2, column 'title': is empty") as caught:
        prompts([{"title": "ok"}, {"title": cell}])
    assert (caught.value.row, caught.value.column) == (2, "title")


def test_a_missing_cell_is_refused_and_an_unnamed_one_is_not_looked_at() -> None:
    """Only what a template names must be there."""
    assert prompts([{"title": "fox", "other": None}]) == ["fox"]
    with pytest.raises(RowError, match="is missing in this row"):
        prompts([{"titel": "fox"}])


@pytest.mark.parametrize("cell", [["a"], {"a": 1}, b"a", ("a",), Array()])
def test_a_cell_that_is_no_single_value_is_refused(cell: object) -> None:
    """Its text would be Python's, and not the caller's."""
    with pytest.raises(RowError, match="is no single value"):
        prompts([{"title": cell}])


def test_a_nul_character_is_refused() -> None:
    """It tells of a file in another encoding."""
    with pytest.raises(RowError, match="NUL"):
        prompts([{"title": "f\0o\0x"}])


def test_values_that_are_something_are_taken() -> None:
    """Nan is a bread, and zero is a number."""
    assert prompts([{"title": "Nan"}, {"title": 0}, {"title": False}]) == ["Nan", "0", "False"]


def test_ids_are_numbers_of_rows_unless_a_column_is_named() -> None:
    """And a named one is refused like any other cell."""
    assert [job.id for job in read_jobs([{"t": "a"}, {"t": "b"}], prompt="{t}")] == ["1", "2"]
    assert [job.id for job in read_jobs([{"t": "a", "sku": " x "}], prompt="{t}", id="sku")] == ["x"]
    with pytest.raises(RowError, match="column 'sku': is empty"):
        list(read_jobs([{"t": "a", "sku": ""}], prompt="{t}", id="sku"))
    with pytest.raises(RowError, match="column 'sku': id must be a text of 1 to 200"):
        list(read_jobs([{"t": "a", "sku": "x" * 201}], prompt="{t}", id="sku"))


# Files


def test_a_file_says_what_is_sent_and_what_is_not(tmp_path: Path) -> None:
    """The columns are known before a row is read."""
    path = written(tmp_path, "sku,title,price\n1,fox,9\n")
    jobs = read_jobs(path, prompt="Photo of {title}", id="sku")
    assert (jobs.sent, jobs.columns) == (("title",), ("sku", "title", "price"))
    assert read_jobs(path, prompt=lambda row: "x").sent is None
    assert [job.request.prompt for job in jobs] == [job.request.prompt for job in jobs] == ["Photo of fox"]


def test_a_column_that_is_not_there_is_refused_at_once(tmp_path: Path) -> None:
    """With the columns that are."""
    path = written(tmp_path, "sku,title\n1,fox\n")
    with pytest.raises(dalle2.InvalidRequestError, match="no column 'titel'; the columns are 'sku', 'title'"):
        read_jobs(path, prompt="{titel}")
    with pytest.raises(dalle2.InvalidRequestError, match="id: there is no column 'id'"):
        read_jobs(path, prompt="{title}", id="id")


@pytest.mark.parametrize(
    ("data", "name"),
    [
        ("title,x\nfox,1\nowl,2\n", "comma.csv"),
        ("\ufefftitle,x\r\nfox,1\r\nowl,2\r\n", "mark.csv"),
        ("title;x\nfox;1\nowl;2\n", "semicolon.csv"),
        ("title\tx\nfox\t1\nowl\t2\n", "tab.csv"),
        ("title\tx\nfox\t1\nowl\t2\n", "tab.TSV"),
        ("title|x\nfox|1\nowl|2", "bar.csv"),
        ("\ntitle,x\n\nfox,1\n\nowl,2\n\n", "gaps.csv"),
        ('"title","x"\n"fox","1"\n"owl",""\n', "quoted.csv"),
        (" title , x,\nfox,1,\nowl,,\n", "spaces.csv"),
        ("title\nfox\nowl\n", "single.csv"),
        ("title,title,x\nfox,no,1\nowl,no,2\n", "twice.csv"),
        ("title,x\nfox,1\nowl\n", "short.csv"),
        ("title,x\nfox,1\nowl,2\n".encode("utf-16"), "utf16.csv"),
        ('{"title": "fox"}\n\n{"title": "owl", "x": [1]}', "lines.jsonl"),
        ('\ufeff{"title": "fox"}\r\n{"title": "owl"}\r\n', "lines.ndjson"),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 16 else "",
)
def test_what_programs_really_write_is_read(tmp_path: Path, data: str | bytes, name: str) -> None:
    """Marks, delimiters, line ends, quotes and gaps."""
    if name == "gaps.csv":
        data = str(data).lstrip()
    assert prompts(written(tmp_path, data, name)) == ["fox", "owl"]


def test_a_cell_may_be_long_and_span_lines(tmp_path: Path) -> None:
    """The limit of the csv module, which is the process's own, is as before."""
    limit = csv.field_size_limit()
    text = f'title,body\n"a\nb","{"x" * 200_000}"\n'
    (job,) = read_jobs(written(tmp_path, text), prompt="{title}")
    assert job.request.prompt == "a\nb"
    assert len(str(job.meta["body"])) == 200_000
    assert csv.field_size_limit() == limit


def test_a_single_column_keeps_its_commas(tmp_path: Path) -> None:
    """A list of prompts, one a line, needs no quotes."""
    path = written(tmp_path, 'prompt\na fox, red\n"an owl; grey"\n')
    assert prompts(path, "{prompt}") == ["a fox, red", "an owl; grey"]


@pytest.mark.parametrize(
    ("data", "name", "told"),
    [
        ("title,x\nfox,1\nowl,2,3\n", "a.csv", "row 2 has 3 cells and the header 2"),
        ('title,x\nfox,1\n"owl,2\n', "a.csv", "row 2: .*quote"),
        ("title,x\nfox,1\nna\xefve,2\n".encode("latin-1"), "a.csv", "the file is not UTF-8 .*0xef"),
        ("t\xeftle\nfox\n".encode("latin-1"), "a.csv", "row 1: the file is not UTF-8"),
        ("", "a.csv", "is empty"),
        ("\n\n", "a.csv", "must name the columns"),
        ('"title', "a.tsv", "row 1: .*quote"),
        ('{"title": "fox"}\n{"title"\n', "a.jsonl", "row 2 is not JSON"),
        ('{"title": "fox"}\n["owl"]\n', "a.jsonl", "row 2 must be a JSON object; it is a list"),
        (b'{"title": "fox"}\n\xff\n', "a.jsonl", "the file is not UTF-8"),
        ("title\nfox\n", "a.xlsx", "must end in .csv, .tsv or .jsonl"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_without_guessing_is_refused(
    tmp_path: Path, data: str | bytes, name: str, told: str
) -> None:
    """With the number of the row, if it is one."""
    with pytest.raises(dalle2.InvalidRequestError, match=told):
        prompts(written(tmp_path, data, name))


def test_an_encoding_can_be_said(tmp_path: Path) -> None:
    """And one that is none is refused by name; a file that is not there is the system's own error."""
    path = written(tmp_path, "title\nnaïve\n".encode("latin-1"))
    assert prompts(path, encoding="latin-1") == ["naïve"]
    with pytest.raises(dalle2.InvalidRequestError, match="encoding 'klingon' is not known"):
        prompts(path, encoding="klingon")
    with pytest.raises(dalle2.InvalidRequestError, match="the file is not ascii"):
        prompts(path, encoding="ascii")
    with pytest.raises(FileNotFoundError):
        read_jobs(tmp_path / "none.csv", prompt="{title}")


@given(
    st.lists(
        st.lists(
            st.text(st.characters(codec="utf-8", exclude_characters="\0")).filter(lambda text: text.strip()),
            min_size=2,
            max_size=2,
        )
    ),
    st.sampled_from([",", ";", "\t", "|"]),
)
def test_what_the_csv_module_writes_comes_back(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]], delimiter: str
) -> None:
    """Whatever is in the cells, and whichever delimiter stands between them."""
    path = tmp_path_factory.mktemp("rows") / "rows.csv"
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter=delimiter)
        writer.writerow(["one", "two"])
        writer.writerows(rows)
    found = [[row["one"], row["two"]] for row in read_jobs(path, prompt="{one}")._rows()]
    assert found == rows


@given(st.lists(st.dictionaries(st.text(), st.none() | st.integers() | st.text())))
def test_json_lines_come_back(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, object]]
) -> None:
    """Whatever JSON holds."""
    path = tmp_path_factory.mktemp("rows") / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert list(read_jobs(path, prompt="{one}")._rows()) == rows


# Sources


@pytest.mark.parametrize("source", [7, {"title": "fox"}, b"rows.csv"])
def test_a_source_that_is_none_is_refused(source: object) -> None:
    """By its type."""
    with pytest.raises(dalle2.InvalidRequestError, match="source must be a path or an iterable of mappings"):
        prompts(source)


def test_a_data_frame_gets_the_way_that_works() -> None:
    """It iterates over its columns, which are no rows."""

    class Frame:
        def to_dict(self, kind: str) -> None:
            """As pandas has it."""

    with pytest.raises(dalle2.InvalidRequestError, match=r"df.to_dict\('records'\)"):
        prompts(Frame())


def test_a_row_that_is_no_mapping_is_refused() -> None:
    """By its number."""
    with pytest.raises(RowError, match="row 1 must be a mapping of columns; it is a str"):
        prompts(["fox"])


def test_an_iterable_that_raises_raises() -> None:
    """The caller's own exception comes through."""

    def rows() -> Iterator[dict[str, object]]:
        yield {"title": "fox"}
        raise LookupError("the database went away")

    with pytest.raises(LookupError):
        prompts(rows())


@pytest.mark.parametrize("prompt", [None, 7])
def test_a_prompt_that_is_neither_is_refused(prompt: object) -> None:
    """A template or a function."""
    with pytest.raises(dalle2.InvalidRequestError, match="prompt must be a template or a function"):
        read_jobs([], prompt=prompt)  # type: ignore[arg-type]
    with pytest.raises(dalle2.InvalidRequestError, match="id must be the name of a column"):
        read_jobs([], prompt="{a}", id=3)  # type: ignore[arg-type]


def test_rows_are_read_one_at_a_time() -> None:
    """No row is asked for before the one before it was used."""
    asked: list[int] = []

    def rows() -> Iterator[dict[str, object]]:
        for number in range(1_000_000):
            asked.append(number)
            yield {"title": f"fox {number}"}

    jobs = iter(read_jobs(rows(), prompt="{title}"))
    next(jobs)
    next(jobs)
    assert asked == [0, 1]


def test_jobs_tell_of_what_they_are_made() -> None:
    """A job is a value with checked parts."""
    request = dalle2.GenerateRequest(prompt="a fox")
    assert Job("a", request) == Job("a", request, {})
    assert isinstance(read_jobs([], prompt="{a}"), Jobs)
    for wrong in ({"id": ""}, {"id": 7}, {"request": "a fox"}, {"meta": []}, {"id": "\ud800"}):
        with pytest.raises(dalle2.InvalidRequestError):
            Job(**{"id": "a", "request": request, **wrong})  # type: ignore[arg-type]


def test_a_function_may_give_a_number(tmp_path: Path) -> None:
    """It is checked like any other."""
    (job,) = read_jobs([{"t": "a"}], prompt="{t}", n=lambda row: 2)
    assert job.request.n == 2
    with pytest.raises(RowError, match="n must be an integer"):
        list(read_jobs([{"t": "a"}], prompt="{t}", n=lambda row: 2.5))


def test_an_odd_byte_far_down_names_its_row(tmp_path: Path) -> None:
    """However much was read before."""
    data = b"title,x\n" + b"fox,1\n" * 5000 + b"owl,\xff\n"
    with pytest.raises(RowError, match="the file is not UTF-8") as caught:
        prompts(written(tmp_path, data))
    assert caught.value.row > 3000


def test_jobs_and_their_errors_travel() -> None:
    """Between processes, whole."""
    job = Job("a", dalle2.GenerateRequest(prompt="a fox"), {"sku": 1})
    assert pickle.loads(pickle.dumps(job)) == job
    error = pickle.loads(pickle.dumps(RowError("no", row=3, column="c", field="f", allowed=[1])))
    assert (error.row, error.column, error.field, error.allowed, str(error)) == (3, "c", "f", (1,), "no")
