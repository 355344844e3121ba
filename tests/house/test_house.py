"""The house rules that a reader can rely on, each as a test over the source files."""

from __future__ import annotations

import ast
import graphlib
import importlib
import importlib.metadata
import pickle
import pickletools
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

import dalle2
from dalle2.testing import Emulator

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "dalle2"
FILES = sorted(PACKAGE.rglob("*.py"))

# A file may import only from an earlier line, and a package's files from one another. `testing` stands
# outside: it imports nothing of the others, so anything may import it.
LAYERS = (
    {"pickling", "_types", "_secrets", "_dates"},
    {"errors"},
    {"catalog", "events", "retry"},
    {"_http", "_money", "_state"},
    {"_texts", "_image"},
    {"providers", "_stores"},
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
    {"__main__"},
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
    [file for file in FILES if room(file) not in {"__init__", "__main__", "testing"}],
    ids=lambda file: str(file.relative_to(ROOT)),
)
def test_a_file_imports_only_from_lower_ranks(file: Path) -> None:
    """Ranks make circles of imports impossible and keep I/O out of decisions."""
    own = room(file)
    assert own in RANKS, f"{own} needs a place in LAYERS"
    for other in set(imported_rooms(file)) - {own, "testing", "__version__"}:
        assert other in RANKS, f"{own} imports {other}, which has no place in LAYERS"
        assert RANKS[other] < RANKS[own], f"{own} (rank {RANKS[own]}) imports {other} (rank {RANKS[other]})"


def module_of(file: Path) -> str:
    """The dotted name of a file: `dalle2._wire._errors`."""
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported_modules(file: Path) -> set[str]:
    """The files of `dalle2` that a file imports, those for annotations included."""
    known = {module_of(other) for other in FILES}
    package = file.parent.relative_to(ROOT).parts
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) + 1 - node.level]) if node.level else ""
            module = ".".join(filter(None, (base, node.module)))
            for alias in node.names:
                found.add(f"{module}.{alias.name}" if f"{module}.{alias.name}" in known else module)
    return found & known - {module_of(file)}


def test_no_file_imports_itself_in_a_circle() -> None:
    """Annotations included: each file can be read after those that it names."""
    graph = {module_of(file): imported_modules(file) for file in FILES if file != PACKAGE / "__init__.py"}
    list(graphlib.TopologicalSorter(graph).static_order())  # raises `CycleError` with the circle


def test_the_ranks_name_the_rooms_that_are_there() -> None:
    """No room without a rank, and no rank without a room."""
    rooms = {room(file) for file in FILES} - {"__init__", "testing"}
    assert rooms == set(RANKS)


def test_no_two_private_files_have_one_name() -> None:
    """A name stands for one thing; the emulator, which shares nothing, has names of its own."""
    names = Counter(
        part
        for file in FILES
        if "testing" not in file.parts
        for part in [file.parent.name if file.name == "__init__.py" else file.stem]
        if part.startswith("_") and part != "__main__"
    )
    assert [name for name, count in names.items() if count > 1] == []


def test_few_files_lie_flat() -> None:
    """What stands at the top can be seen at a glance."""
    assert len(list(PACKAGE.glob("_[a-z]*.py"))) <= 14


def test_the_page_on_architecture_names_each_room_once() -> None:
    """The table of rooms is the source's, from the bottom up, and each way names files that exist."""
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    table = page.partition("## The rooms")[2].partition("\n## ")[0]
    rooms = re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)
    assert sorted(rooms) == sorted({*RANKS, "testing"})
    ranks = [RANKS[name] for name in rooms if name != "testing"]
    assert ranks == sorted(ranks)
    for name in re.findall(r"`((?:_\w+|catalog|testing|retry|providers)/\w+)`", page):
        assert (PACKAGE / f"{name}.py").exists(), name


PUBLIC_MODULES = (
    "dalle2",
    "dalle2.bulk",
    "dalle2.catalog",
    "dalle2.errors",
    "dalle2.events",
    "dalle2.providers",
    "dalle2.retry",
    "dalle2.testing",
)


@pytest.mark.parametrize("module", PUBLIC_MODULES)
def test_public_classes_show_a_public_module(module: str) -> None:
    """A traceback, a `repr` or a pickle of what a user names says where the user finds it."""
    home = importlib.import_module(module)
    page = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
    for name in getattr(home, "__all__", [name for name in dir(home) if f"`{name}" in page]):
        value = getattr(home, name)
        own = getattr(value, "__module__", "") if isinstance(value, type) else ""
        assert not (own.startswith("dalle2.") and "._" in own), f"{module}.{name} shows {own}"


def test_a_pickle_names_no_private_module() -> None:
    """Results, requests and errors can be read after any rearrangement of the rooms."""
    client = dalle2.Client("sk-test", http_client=Emulator().client())
    images = client.generate("a fox", n=2, size="256x256")
    edit = dalle2.EditRequest(image=dalle2.read_input(dalle2.mask_from_box(16, (0, 0, 8, 8))), prompt="a fox")
    unknown = dalle2.OutcomeUnknownError("lost", request=edit, images=list(images))
    policy = dalle2.RetryPolicy(initial=0)
    values = [images, images[0], images.request, edit, edit.image[0], unknown, policy, dalle2.Usage(1)]
    values += [
        kind("message")
        for kind in vars(dalle2.errors).values()
        if isinstance(kind, type) and issubclass(kind, dalle2.Dalle2Error)
    ]
    for value in values:
        packed = pickle.dumps(value)
        texts = [text for _, text, _ in pickletools.genops(packed) if isinstance(text, str)]
        assert [text for text in texts if re.match(r"dalle2(\.\w+)*\._", text)] == [], value
        assert type(pickle.loads(packed)) is type(value)


def test_the_emulator_imports_nothing_of_the_client() -> None:
    """An emulator that shared code with the client would prove the client with itself."""
    for file in (PACKAGE / "testing").rglob("*.py"):
        assert set(imported_rooms(file)) <= {"testing"}, file


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_a_file_stays_short_and_says_what_it_decides(file: Path) -> None:
    """A file has at most some 300 lines and opens with a docstring.

    The clients may have 520: there each method's parameters are written out, for help and completion; and
    so may the tree of errors have 340, with the fields of each.
    """
    text = file.read_text(encoding="utf-8")
    longest = {"_client": 520, "_async_client": 520, "errors": 340}
    assert len(text.splitlines()) <= longest.get(file.stem, 320)
    assert ast.get_docstring(ast.parse(text))
    assert file.stem not in {"utils", "helpers", "common", "misc"}


@pytest.mark.parametrize("folder", ["dalle2", "tests"])
def test_words_stand_where_they_belong(folder: str) -> None:
    """No comment was torn from its line by a bracket, and no paragraph of a docstring ends in a lone word."""
    torn = re.compile(r"^\s*[\])}]+:?\s+#(?! (?:fmt:|type:|noqa|https))")
    for file in sorted((ROOT / folder).rglob("*.py")):
        text = file.read_text(encoding="utf-8")
        assert [line for line in text.splitlines() if torn.match(line)] == [], file
        for node in ast.walk(ast.parse(text)):
            if not isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
                continue
            for paragraph in (ast.get_docstring(node) or "").split("\n\n"):
                lines = paragraph.splitlines()
                plain = lines and not any(re.match(r"\s|[-|#>├└]", line) for line in lines)
                alone = len(lines) > 1 and len(lines[-1].split()) == 1
                assert not (plain and alone and "http" not in lines[-1]), f"{file}: {lines[-1]}"


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
    assert dalle2.__version__ == importlib.metadata.version("dalle2-sdk")
