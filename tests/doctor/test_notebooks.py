"""Notebooks: their code cells are read as Python, on the right lines, and what is IPython's own is not."""

from __future__ import annotations

import ast
import json
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dalle2._doctor._scan import Finding, scan_source
from dalle2._doctor._scan._notebook import without_magics

TODAY = date(2026, 11, 20)
CALL = "openai.Image.create(prompt='x')"


def scanned(*cells: object, name: str = "a.ipynb") -> list[Finding]:
    """What is found in a notebook of these code cells."""
    rows = [{"cell_type": "code", "source": cell} for cell in ("import openai", *cells)]
    return scan_source(json.dumps({"cells": rows}), name, today=TODAY)


def places(*cells: object) -> list[tuple[int | None, int, str]]:
    """Cell, line and kind of all that is found; the first cell imports the SDK."""
    return [(one.cell, one.line, one.kind) for one in scanned(*cells)]


MAGICS = {
    "shell": "!pip install openai",
    "shell, continued": "!pip install \\\n    openai \\\n    pillow",
    "shell with a quote": '!echo "it\'s" (',
    "magic": "%matplotlib inline",
    "magic, continued": "%run a.py \\\n  --fast",
    "cell magic": "%%time",
    "cell magic after blank lines": "\n\n   \n%%capture out",
    "assigned shell": "files = !ls",
    "assigned magic": "a, b = %timeit -o f()",
    "assigned and continued": "files = !ls \\\n  -l",
    "help": "openai.Image?",
    "more help": "openai.Image??",
    "help before": "?openai.Image",
    "an installer without a mark": "pip install -U 'openai'",
    "another one": "conda install openai -y",
    "inside a block": "if x:\n    !ls\n    y = %pwd",
    "after a comment": "# it's a comment (\n!ls",
    "after a text": 's = """\n!not a magic\n%nor this\n"""\n!ls',
    "after brackets": "x = (a\n% b)\n!ls",
    "after a continued line": "x = a \\\n% b\n!ls",
    "after quotes that meet": "x = 'it''s' \"a\"\"\"\n!ls",
    "after an escaped quote": "x = 'it\\'s'\n!ls",
    "after a text over two lines": "x = 'a\\\nb'\n!ls",
    "after a stray bracket": "!ls\n]\n",
    "with carriage returns": "!ls\r\n%cd x\r",
}


@pytest.mark.parametrize("name", MAGICS)
def test_lines_after_a_magic_keep_their_numbers(name: str) -> None:
    """However many lines a magic has, and whatever stands in it."""
    cell = f"{MAGICS[name]}\n{CALL}"
    found = [place for place in places(cell) if place[2] == "retired"]
    wanted = [] if name == "after a stray bracket" else [(2, cell.count("\n") + 1, "retired")]
    assert found == wanted


def test_a_source_as_a_list_of_lines_is_the_same() -> None:
    """As most notebooks are stored."""
    assert places(["!ls \\\n", "  -l\n", CALL]) == [(2, 3, "retired")]


def test_a_scanned_text_is_no_magic() -> None:
    """What looks like one inside a text or brackets stays, so that the values after it are right."""
    cell = "!ls\nm = (\n'dall-e-2' if x\n%y else 'dall-e-3')\nopenai.OpenAI().images.generate(model=m)"
    assert [one.model for one in scanned(cell)] == ["dall-e-2", "dall-e-3"]
    assert places(f'!ls\ns = "%s" % x\nt = f("a=%s" % x)\n{CALL}') == [(2, 4, "retired")]


@pytest.mark.parametrize(
    "cell",
    [
        f"%%bash\necho {CALL}",
        f"\n\n%%html\n<a {CALL}",
        f"%%!\n{CALL} (",
        f"%%writefile notes.txt\n{CALL} and so on",
        f"%%sql\n{CALL}",
        f"%%R\n{CALL}",
    ],
)
def test_a_cell_in_another_language_is_passed_over(cell: str) -> None:
    """Neither found nor broken; the next one is read."""
    assert places(cell, CALL) == [(3, 1, "retired")]


def test_a_notebook_in_another_language_is_passed_over() -> None:
    """Its cells are not Python, whatever they look like."""
    rows = [{"cell_type": "code", "source": f"import openai; {CALL}"}]
    text = json.dumps({"cells": rows, "metadata": {"kernelspec": {"language": "R"}}})
    assert scan_source(text, "a.ipynb", today=TODAY) == []


def test_a_python_file_that_a_cell_writes_is_read() -> None:
    """It is the bot itself, in many a tutorial."""
    assert places(f"%%writefile bot.py\n{CALL}") == [(2, 2, "retired")]


def test_a_broken_cell_hides_no_other() -> None:
    """It counts if it speaks of images; the line is the cell's own."""
    assert places("x = 1\ndef f(:", f"\n!ls\nif {CALL}", CALL) == [
        (2, 2, "unread"),
        (3, 3, "error"),
        (4, 1, "retired"),
    ]


def test_an_odd_cell_hides_no_other() -> None:
    """A cell without a readable source is told by its number."""
    assert places(3, ["x", 3], None, CALL) == [
        (2, 1, "unread"),
        (3, 1, "unread"),
        (4, 1, "unread"),
        (5, 1, "retired"),
    ]
    whole = {"cell_type": "code", "source": f"import openai; {CALL}"}
    text = json.dumps({"cells": [3, {"cell_type": "markdown"}, whole]})
    assert [(one.cell, one.kind) for one in scan_source(text, "a.ipynb", today=TODAY)] == [
        (1, "unread"),
        (2, "retired"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        '{"a": "dall-e"}',
        '["dall-e"]',
        '{"cells": 3, "a": "dall-e"}',
        "{dall-e",
        '"dall-e"',
        "[" * 100_000 + "dall-e",
        "[" + "1" * 5000 + ', "dall-e"]',
    ],
)
def test_what_is_no_notebook_is_one_finding(text: str) -> None:
    """JSON of another shape, or none: told, and counted if it speaks of images."""
    (one,) = scan_source(text, "a.ipynb", today=TODAY)
    assert (one.kind, one.problem) == ("error", "cannot be read as a notebook")
    (one,) = scan_source(text.replace("dall-e", "image openai"), "a.ipynb", today=TODAY)
    assert one.kind == "unread"


@pytest.mark.parametrize("metadata", [3, {}, {"kernelspec": 3}, {"kernelspec": {}}, None])
def test_a_notebook_is_python_unless_it_says_otherwise(metadata: object) -> None:
    """Only a kernel's language tells."""
    rows = [{"cell_type": "code", "source": f"import openai; {CALL}"}]
    text = json.dumps({"cells": rows, "metadata": metadata})
    assert [one.kind for one in scan_source(text, "a.ipynb", today=TODAY)] == ["retired"]


LINES = st.sampled_from(
    [
        "!ls",
        "%time x",
        "x = !ls",
        "x?",
        "x = 1",
        "'''",
        '"""',
        "(",
        ")",
        "'",
        '"',
        "\\",
        "# x",
        "if x:",
        "    y",
    ]
)


@given(st.lists(LINES, max_size=12))
def test_no_line_is_lost_or_won(lines: list[str]) -> None:
    """Whatever the cell, as many lines come out as went in, and what is Python alone stays as it is."""
    cell = "\n".join(lines)
    assert without_magics(cell).count("\n") == cell.count("\n")
    if not any(mark in cell for mark in "!%?"):
        assert without_magics(cell) == cell
    try:
        ast.parse(cell)
    except (SyntaxError, ValueError):
        return
    assert scanned(cell) == []


@pytest.mark.parametrize("line", [" ", "(", "x = 1 ", "'a'", "\\", "!ls ", "#", "[x] = "])
def test_the_steps_grow_with_the_length(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twice the cell is twice the look-ups, however it is made: many lines or one long one."""
    looked: list[int] = []

    def steps(cell: str) -> int:
        looked.clear()
        without_magics(cell)
        return sum(looked)

    from dalle2._doctor._scan import _notebook as notebook

    class Pattern:
        """A pattern that notes how far each look went."""

        def __init__(self, pattern: object) -> None:
            self.pattern = pattern

        def search(self, text: str, at: int) -> object:
            found = self.pattern.search(text, at)  # type: ignore[attr-defined]
            looked.append((found.end() if found else len(text)) - at)
            return found

    monkeypatch.setattr(notebook, "_OUTSIDE", Pattern(notebook._OUTSIDE))
    inside = {quote: Pattern(pattern) for quote, pattern in notebook._INSIDE.items()}
    monkeypatch.setattr(notebook, "_INSIDE", inside)
    for cell in (line * 500, f"{line}\n" * 500):
        once, twice = steps(cell), steps(cell * 2)
        assert twice <= 2 * once + 10
