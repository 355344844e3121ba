"""What the pages say of the package is what the source says, and each page can be found."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
from pathlib import Path
from types import ModuleType

import attrs
import pytest

import dalle2
from dalle2._results._origins import FETCH_TIMEOUTS, LONGEST
from dalle2.settings import DEFAULT_TIMEOUTS

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(path for path in DOCS.glob("*") if path.suffix in (".md", ".ipynb"))
PROSE = [path for path in PAGES if path.suffix == ".md"]


def text_of(name: str) -> str:
    """A page as text."""
    return (DOCS / name).read_text(encoding="utf-8")


# --- each page ---


@pytest.mark.parametrize("page", PROSE, ids=lambda page: page.stem)
def test_a_page_opens_with_what_its_reader_can_do_and_ends_with_where_to_go_on(page: Path) -> None:
    """The first words are about the reader, the last lead to another page."""
    paragraphs = [part for part in text_of(page.name).strip().split("\n\n") if not part.startswith("<!--")]
    assert re.search(r"\byou\b", paragraphs[1]), paragraphs[1]
    assert re.search(r"\]\([\w-]+\.(md|ipynb)", paragraphs[-1]), paragraphs[-1]


def test_the_start_page_lists_each_page_once() -> None:
    """Its lists are the menu of the site: a page that is in none cannot be found."""
    listed = re.findall(r"^- \[[^]]*\]\(([\w-]+\.\w+)\)", text_of("index.md"), re.MULTILINE)
    assert sorted(listed) == sorted(page.name for page in PAGES if page.name != "index.md")


# --- the reference ---


def tables() -> dict[str, list[str]]:
    """The names of each section of the reference, by module."""
    found: dict[str, list[str]] = {}
    for section in text_of("reference.md").split("\n## ")[1:]:
        module = re.search(r"`(dalle2[\w.]*)`", section.partition("\n")[0])
        names = re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)
        found.setdefault(module[1] if module else "dalle2", []).extend(names)
    return found


TABLES = tables()


def public_modules() -> set[str]:
    """The modules of the package that say what is public in them."""
    found = pkgutil.iter_modules(dalle2.__path__, "dalle2.")
    names = [module.name for module in found if not module.name.startswith("dalle2._")]
    return {"dalle2"} | {name for name in names if hasattr(importlib.import_module(name), "__all__")}


def test_each_module_that_names_what_is_public_has_its_section() -> None:
    """And no other has one."""
    assert set(TABLES) == public_modules()


@pytest.mark.parametrize("module", sorted(TABLES))
def test_the_reference_holds_every_public_name_and_no_private_one(module: str) -> None:
    """Each name of `__all__` has its row, once; the site makes its pages of these rows."""
    home: ModuleType = importlib.import_module(module)
    assert sorted(TABLES[module]) == sorted(home.__all__)


def test_every_error_is_a_public_name() -> None:
    """`dalle2.errors` holds no class that `dalle2` does not show."""
    values = vars(dalle2.errors).items()
    kinds = {name for name, value in values if isinstance(value, type) and issubclass(value, Exception)}
    assert {"Dalle2Error", "JournalError"} <= kinds <= set(dalle2.__all__)


def test_the_page_on_errors_says_what_to_do_about_each() -> None:
    """Each class that is raised has its row; the three that only others are kinds of need none."""
    rows = [line for line in text_of("errors.md").splitlines() if line.startswith("| `")]
    told = {name for row in rows for name in re.findall(r"`(\w+)`", row.split(" | ")[0])}
    bases = {"Dalle2Error", "APIError", "APIStatusError"}
    found = {name: value for name, value in vars(dalle2.errors).items() if isinstance(value, type)}
    raised = {name for name, kind in found.items() if issubclass(kind, dalle2.Dalle2Error)}
    assert told == raised - bases


# --- the environment ---


def variables_of_the_source() -> set[str]:
    """Texts of the source that are spelt like variables, without what the package itself calls so."""
    texts, own = set(), set()
    for file in sorted((ROOT / "dalle2").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                texts.add(node.value)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                own.add(node.id)
            elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("environ.get", "getenv")):
                texts.update(arg.value for arg in node.args[:1] if isinstance(arg, ast.Constant))
    spelt = re.compile(r"(?!O_)_?[A-Z][A-Z0-9]*(_[A-Z0-9]+)+|SSL[A-Z]+")
    return {text for text in texts - own if spelt.fullmatch(text)}


def test_the_page_on_the_environment_names_each_variable_that_is_read() -> None:
    """And none that is not: what other libraries read is said of them."""
    page = text_of("environment.md")
    named = set(re.findall(r"`([A-Z_][A-Z0-9_]{4,})`", page))
    elsewhere = {"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "NO_COLOR", "FORCE_COLOR", "COLUMNS"}
    assert named - elsewhere == variables_of_the_source()
    assert len(named) > 20


# --- limits ---


def rows(page: str) -> dict[str, list[str]]:
    """The rows of a page's tables by their first cell, without marks."""
    lines = [line.strip("| ").split(" | ") for line in text_of(page).splitlines() if line.startswith("| ")]
    return {cells[0].partition(":")[0].replace("`", ""): cells[1:] for cells in lines}


@pytest.mark.parametrize("phase", ["connect", "pool", "write", "read"])
def test_the_page_on_timeouts_says_the_defaults(phase: str) -> None:
    """In seconds, of a call and of a download."""
    call, fetch, _ = rows("timeouts.md")[phase]
    assert float(call) == getattr(DEFAULT_TIMEOUTS, phase)
    assert float(fetch) == getattr(FETCH_TIMEOUTS, phase)


def test_the_page_on_timeouts_says_what_bounds_the_whole() -> None:
    """Retries, waits and downloads, by the fields of the policy."""
    policy = {field.name: field.default for field in attrs.fields(dalle2.RetryPolicy)}
    said = {
        what: list(map(float, re.findall(r"\d+(?:\.\d+)?", cells[0])))
        for what, cells in rows("timeouts.md").items()
    }
    assert said["fetching one image, its attempts and waits together"] == [LONGEST]
    assert said["a wait between attempts"] == [policy["initial"], policy["max_delay"]]
    assert said["a Retry-After that is kept to"] == [policy["max_retry_after"]]
    assert said["attempts"] == [policy["max_attempts"]]
    assert policy["deadline"] is None
