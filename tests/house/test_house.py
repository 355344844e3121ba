"""The house rules that a reader can rely on, each as a test over the source files."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import dalle2

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "dalle2"
FILES = sorted(PACKAGE.rglob("*.py"))

# A file may import only from an earlier line, and a package's files from one another. `testing` stands
# outside: it imports nothing of the others, so anything may import it.
LAYERS = (
    {"pickling", "_types", "_version", "_secrets", "_dates"},
    {"errors"},
    {"catalog", "events", "retry"},
    {"_http", "_money", "_state", "providers"},
    {"_texts", "_image"},
    {"settings"},
    {"_requests"},
    {"_wire"},
    {"_transport"},
    {"_calls"},
    {"_results"},
    {"_session"},
    {"_client", "_async_client"},
    {"bulk", "compat", "_doctor"},
    {"_cli"},
)
RANKS = {name: rank for rank, layer in enumerate(LAYERS) for name in layer}


def room(file: Path) -> str:
    """The top-level module or package that a file belongs to: `_wire` for `dalle2/_wire/_errors.py`."""
    return file.relative_to(PACKAGE).with_suffix("").parts[0]


def imported_rooms(file: Path) -> Iterator[str]:
    """The top-level modules of `dalle2` that a file imports, wherever and however the import is written."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] == "dalle2":
                    yield alias.name.partition("dalle2.")[2].split(".")[0] or "__init__"
        elif isinstance(node, ast.ImportFrom):
            package = file.parent.relative_to(ROOT).parts
            base = ".".join(package[: len(package) + 1 - node.level]) if node.level else ""
            module = ".".join(filter(None, (base, node.module)))
            if module.split(".")[0] == "dalle2":
                names = (
                    [module.partition("dalle2.")[2]] if module != "dalle2" else [a.name for a in node.names]
                )
                yield from (name.split(".")[0] for name in names)


def test_there_are_files_to_check() -> None:
    """The tests of this file look at the real source files."""
    assert len(FILES) > 20


@pytest.mark.parametrize(
    "file",
    [file for file in FILES if room(file) not in {"__init__", "testing"}],
    ids=lambda file: str(file.relative_to(ROOT)),
)
def test_a_file_imports_only_from_lower_ranks(file: Path) -> None:
    """Ranks make circles of imports impossible and keep I/O out of decisions."""
    own = room(file)
    assert own in RANKS, f"{own} needs a place in LAYERS"
    for other in set(imported_rooms(file)) - {own, "testing"}:
        assert other in RANKS, f"{own} imports {other}, which has no place in LAYERS"
        assert RANKS[other] < RANKS[own], f"{own} (rank {RANKS[own]}) imports {other} (rank {RANKS[other]})"


def test_the_emulator_imports_nothing_of_the_client() -> None:
    """An emulator that shared code with the client would prove the client with itself."""
    for file in (PACKAGE / "testing").rglob("*.py"):
        assert set(imported_rooms(file)) <= {"testing"}, file


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_a_file_stays_short_and_says_what_it_decides(file: Path) -> None:
    """A file has at most some 300 lines and opens with a docstring.

    The clients may have 420: there each method's parameters are written out, for help and completion.
    """
    text = file.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= (420 if file.stem in {"_client", "_async_client"} else 320)
    assert ast.get_docstring(ast.parse(text))
    assert file.stem not in {"utils", "helpers", "common", "misc"}


def test_all_is_a_sorted_literal() -> None:
    """`__all__` can be read without running anything, and has one order."""
    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    values = [
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name) and target.id == "__all__"
    ]
    assert len(values) == 1
    assert list(values[0]) == sorted(set(values[0]))


@pytest.mark.parametrize("name", dalle2.__all__)
def test_every_public_name_resolves(name: str) -> None:
    """What `__all__` promises is there, and `dir()` shows it."""
    assert getattr(dalle2, name) is not None
    assert name in dir(dalle2)


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    """Laziness does not change what a misspelt name does."""
    with pytest.raises(AttributeError, match="Clinet"):
        dalle2.Clinet  # type: ignore[attr-defined] # noqa: B018


def test_every_public_name_is_documented() -> None:
    """Each name of `__all__` is spoken of in the README or in docs."""
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    text = "\n".join(page.read_text(encoding="utf-8") for page in pages)
    assert [name for name in dalle2.__all__ if name not in text] == []


def test_the_version_is_the_one_that_was_built() -> None:
    """`dalle2.__version__` is what the package index shows."""
    scope: dict[str, str] = {}
    exec((PACKAGE / "_version.py").read_text(encoding="utf-8"), scope)
    assert dalle2.__version__ == scope["__version__"]
