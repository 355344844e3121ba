"""The built site: each link of it leads somewhere, and its inventory holds what is public.

Run by the session `docs`, with the site's folder in `DALLE2_SITE`; a reader of the inventory is another
project, built here with nothing but that file.
"""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from sphinx.util.inventory import InventoryFile

import dalle2

SITE = Path(os.environ["DALLE2_SITE"])
PAGES = sorted(SITE.rglob("*.html"))
MODULES = ("bulk", "catalog", "compat", "events", "providers", "testing")


class Page(HTMLParser):
    """What a page links to, and what can be linked to in it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        """Note it."""
        for name, value in attributes:
            if name == "id":
                self.anchors.add(value or "")
            elif name in ("href", "src") and tag != "base":
                self.links.append(value or "")


@cache
def read(page: Path) -> Page:
    """A page, read once."""
    return Page(page.read_text(encoding="utf-8"))


def test_there_is_a_site() -> None:
    """With a page for each file of docs, and the start page among them."""
    assert len(PAGES) > 40
    assert SITE / "index.html" in PAGES


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(SITE)))
def test_each_link_leads_somewhere(page: Path) -> None:
    """To a file of the site, and to a place in it; nothing is loaded from elsewhere."""
    for link in read(page).links:
        parts = urlsplit(link)
        if parts.scheme or parts.netloc:
            assert parts.scheme in ("http", "https", "mailto", "data"), link
            continue
        target = page if not parts.path else (page.parent / unquote(parts.path)).resolve()
        assert target.exists(), link
        if parts.fragment and target.suffix == ".html":
            assert unquote(parts.fragment) in read(target).anchors, link


def public() -> set[str]:
    """Every public name, whole."""
    names = {f"dalle2.{name}" for name in dalle2.__all__} - {"dalle2.__version__"}
    for module in MODULES:
        names |= {f"dalle2.{module}.{name}" for name in importlib.import_module(f"dalle2.{module}").__all__}
    modules = {name for name in names if name.rpartition(".")[2] in ("error", "types", "openai_object")}
    return names - modules


def test_the_inventory_holds_every_public_name_and_no_private_one() -> None:
    """What other projects link to is what `__all__` says, and the members of these."""
    with (SITE / "objects.inv").open("rb") as file:
        inventory = InventoryFile.load(file, "", "/".join)
    found = {name for kind, names in inventory.items() if kind.startswith("py:") for name in names}
    assert public() - found == set()
    assert [name for name in found if any(part.startswith("_") for part in name.split("."))] == []
    assert {name for name in found if name.count(".") == 1} <= public() | {"dalle2.testing"}


def test_another_project_links_to_this_one(tmp_path: Path) -> None:
    """By its inventory alone: no network, no warning."""
    home = "https://docs.example/dalle2/"
    named = f"intersphinx_mapping = {{'dalle2': ({home!r}, {str(SITE / 'objects.inv')!r})}}"
    (tmp_path / "conf.py").write_text(f"extensions = ['sphinx.ext.intersphinx']\n{named}\n")
    links = (
        ":py:class:`dalle2.Client`",
        ":py:meth:`dalle2.Client.generate`",
        ":py:exc:`dalle2.errors.OutcomeUnknownError`",
        ":py:func:`dalle2.bulk.run`",
        ":doc:`errors <dalle2:errors>`",
    )
    (tmp_path / "index.rst").write_text("Theirs\n======\n\n" + ", ".join(links) + "\n")
    options = ("-q", "-n", "-W", "-b", "html")
    subprocess.run(
        [sys.executable, "-P", "-m", "sphinx", *options, str(tmp_path), str(tmp_path / "out")],
        check=True,
        timeout=120,
    )
    built = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert built.count(home) == len(links)
