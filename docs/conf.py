"""The site: these pages as they are, and the reference, made from docstrings. Built by `nox -s docs`.

The rule: a page is plain Markdown that reads well without a site. What a site needs beyond that is made here,
from what the pages say:

- the menu from the lists of links in `index.md`: a page is added by a line there;
- the reference from the tables of `reference.md`: each section is a page with the docstrings of its names;
- links from names: whatever stands in backticks and is a public name leads to its docstring;
- the notebook from its cells, and the changelog from the file at the root.

Nothing is fetched: other projects find this one by its `objects.inv`, and none is looked up here.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import pkgutil
import pydoc
import re
from contextlib import suppress
from pathlib import Path
from types import ModuleType

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.pycode import ModuleAnalyzer
from sphinx.util import logging
from sphinx.util.nodes import make_refnode

import dalle2

HERE = Path(__file__).parent

project = "dalle2"
author = project_copyright = "the dalle2 authors"
release = version = dalle2.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc"]
source_suffix = {".md": "markdown", ".ipynb": "markdown", ".rst": "restructuredtext"}
exclude_patterns = ["_build"]
myst_heading_anchors = 4
myst_enable_extensions = ["html_image"]
suppress_warnings = ["myst.strikethrough"]
default_role = "literal"
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True}
maximum_signature_line_length = 80
toc_object_entries_show_parents = "hide"
html_theme = "furo"
html_title = f"dalle2 {release}"
html_copy_source = html_show_sourcelink = False
html_theme_options = {"top_of_page_buttons": []}
pygments_style, pygments_dark_style = "friendly", "monokai"

SPEAK_OF = {
    "budget": "Budget",
    "client": "Client",
    "emulator": "testing.Emulator",
    "error": "Dalle2Error",
    "image": "ImageResult",
    "images": "Images",
    "policy": "RetryPolicy",
    "provider": "Provider",
    "report": "bulk.Report",
    "request": "GenerateRequest",
}
"""What the pages call a value of each class, so that `images.cost` leads to `dalle2.Images.cost`."""

ALONE = ("dalle2.events.", "dalle2.testing.", "dalle2.bulk.")
"""Modules whose classes the pages name alone: `Emulator`."""

INHERITED = "object,tuple,Sequence,Enum"
"""Up to which class a class shows what it inherits."""


STYLE = """
@media (min-width: 68em) { .main .content { width: min(60em, 100vw - 22em) } }
@media (min-width: 82em) {
  .main .content { width: min(60em, 100vw - 37em) }
  .page .sidebar-drawer, .page .toc-drawer { width: max(15em, 50% - 33em) }
}
.content p, .content li, .content dd { max-width: 46em }
.main .content table.docutils { margin-left: 0 }
"""
"""Blocks and tables are wider than a line that reads well."""


def sections(overview: str) -> list[tuple[str, str, list[str]]]:
    """Of each section of the overview its title, its module and the names in its table."""
    found = []
    for section in overview.split("\n## ")[1:]:
        title, _, rest = section.partition("\n")
        module = re.search(r"`(dalle2[\w.]*)`", title)
        names = re.findall(r"^\| `(\w+)[`(]", rest, re.MULTILINE)
        found.append((title.replace("`", "``"), module[1] if module else "dalle2", names))
    return found


def reference_page(title: str, module: str, names: list[str]) -> str:
    """The docstrings of some names of a module, as reStructuredText."""
    lines = [title, "=" * len(title), "", ":doc:`In a line each </reference>`", ""]
    home = importlib.import_module(module)
    lived_in = {getattr(getattr(home, name), "__module__", "dalle2") for name in names}
    about = module if module != "dalle2" else "".join(lived_in) if lived_in == {"dalle2.errors"} else ""
    if about:
        lines += [f".. automodule:: {about}", "   :no-members:", ""]
    for name in names:
        value = getattr(home, name)
        if inspect.ismodule(value):
            continue
        if inspect.isclass(value):
            kind = "exception" if issubclass(value, Exception) else "class"
            options = [f"   :inherited-members: {INHERITED}" if kind == "class" else "   :show-inheritance:"]
        else:
            kind, options = ("function", []) if inspect.isroutine(value) else ("data", ["   :no-value:"])
        lines += [f".. auto{kind}:: {module}.{name}", *options, ""]
    return "\n".join(lines)


def write_reference(app: Sphinx) -> None:
    """Write the pages of the reference beside the others, in a folder of their own."""
    folder = Path(app.srcdir) / "api"
    folder.mkdir(exist_ok=True)
    pages = []
    for title, module, names in sections((Path(app.srcdir) / "reference.md").read_text(encoding="utf-8")):
        if title != "Modules":
            slug = module.rpartition(".")[2] if module != "dalle2" else re.sub(r"\W+", "-", title.lower())
            pages.append(slug)
            text = reference_page(title, module, names)
            (folder / f"{slug}.rst").write_text(text, encoding="utf-8")
    contents = ["Every name in full", "==================", "", ".. toctree::", ""]
    contents += [f"   {page}" for page in pages]
    (folder / "index.rst").write_text("\n".join([*contents, ""]), encoding="utf-8")


def completed(app: Sphinx, docname: str, source: list[str]) -> None:
    """Give a page what only the site has: the menu, the cells of a notebook, the changelog."""
    text = source[0]
    if docname == "index":
        menu = []
        for section in text.split("\n## ")[1:]:
            caption, _, rest = section.partition("\n")
            pages = re.findall(r"^- \[[^]]*\]\(([\w-]+)\.\w+\)", rest, re.MULTILINE)
            pages += ["api/index"] if "reference" in pages else []
            menu.append(
                "\n".join(["", "```{toctree}", ":hidden:", f":caption: {caption}", "", *pages, "```"])
            )
        source[0] = text + "\n".join(menu)
    elif docname == "changelog":
        changes = (HERE.parent / "CHANGELOG.md").read_text(encoding="utf-8").partition("\n## ")
        source[0] = re.sub(r"^\[CHANGELOG\.md\].*$", lambda _: "## " + changes[2], text, flags=re.MULTILINE)
    elif text.startswith("{"):
        cells = json.loads(text)["cells"]
        parts = ["".join(cell["source"]) for cell in cells]
        code = [cell["cell_type"] == "code" for cell in cells]
        source[0] = "\n\n".join(
            f"```python\n{part}\n```" if is_code else part for part, is_code in zip(parts, code, strict=True)
        )


def plain(app: Sphinx, what: str, name: str, value: object, options: object, lines: list[str]) -> None:
    """Docstrings are plain text with names in backticks; a drawing is shown as it stands."""
    if lines[:1] and lines[0].startswith("Alias for field number"):
        lines[:] = []
    if what == "data" and lines[:-1] == (inspect.getdoc(type(value)) or "").splitlines():
        lines[:] = []  # said of its type, not of it
    parts = "\n".join(lines).split("\n\n")
    for place, part in enumerate(parts):
        if "├" in part:  # a drawing, shown as it stands
            parts[place] = "::\n\n" + part.replace("`", "")
        else:
            parts[place] = re.sub(r"`+([^`]+)`+(\w*)", literal, part)
    lines[:] = "\n\n".join(parts).splitlines()


def literal(found: re.Match[str]) -> str:
    """A name in backticks as reStructuredText writes it, also where a letter follows."""
    return f"``{found[1]}``" + (f"\\ {found[2]}" if found[2] else "")


def without_private(
    app: Sphinx,
    what: str,
    name: str,
    value: object,
    options: object,
    signature: str | None,
    gives: str | None,
) -> tuple[str | None, str | None]:
    """A class that only calls make shows no arguments: they are private values."""
    private = what == "class" and re.search(r"\bImages?Data\b", signature or "")
    return "" if private else signature, gives


def prefixes(node: nodes.Node) -> list[str]:
    """In what a name stands, the nearest first: a class, a module, a section about one, the package."""
    found = []
    for parent in ancestors(node):
        if isinstance(parent, addnodes.desc) and parent[0].get("ids"):
            found += [f"{parent[0]['ids'][0]}.", f"{parent[0]['module']}."]
        elif isinstance(parent, nodes.section):
            found += [f"{code.astext()}." for code in parent[0].findall(nodes.literal)]
    return [*found, "dalle2.", "", *ALONE]


def link_names(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Let a name in backticks lead to its docstring, where there is one."""
    objects = app.env.domains.python_domain.objects
    for code in list(doctree.findall(nodes.literal)):
        match = re.fullmatch(r"([A-Za-z_][\w.]*)(\(.*\))?", code.astext(), re.DOTALL)
        if match is None or code.parent is None:
            continue
        name = match[1]
        first, dot, rest = name.partition(".")
        named = f"{SPEAK_OF[first]}.{rest}" if dot and first in SPEAK_OF else name
        parents = {type(parent) for parent in ancestors(code)}
        whole = (prefix + named for prefix in prefixes(code) if prefix not in ALONE or name[0].isupper())
        target = next((objects[one] for one in whole if one in objects), None)
        if target is not None and not parents & {nodes.reference, nodes.title}:
            code.replace_self(
                make_refnode(app.builder, docname, target.docname, target.node_id, code.deepcopy(), name)
            )
        elif target is None and name.startswith("dalle2.") and pydoc.locate(name) is None:
            logging.getLogger(__name__).warning("there is no %s", name, location=code)


def ancestors(node: nodes.Node) -> list[nodes.Node]:
    """What a node stands in."""
    found = []
    while node.parent is not None:
        node = node.parent
        found.append(node)
    return found


def shown_as(name: str) -> type:
    """A class that signatures show by this name."""
    return type(name, (), {"__module__": "builtins"})


def meant() -> None:
    """Say what annotations mean where the package itself does without: see `dalle2.__init__`."""
    dalle2._stand_ins().update(
        AsyncFetches=shown_as("AsyncClient"),
        AsyncHttpClient=shown_as("httpx.AsyncClient"),
        Fetches=shown_as("Client"),
        HttpClient=shown_as("httpx.Client"),
        PillowImage=shown_as("PIL.Image.Image"),
        TimeoutArgument=float | shown_as("httpx.Timeout") | None,
    )
    for package in ("bulk", "catalog", "compat", "testing"):
        path = importlib.import_module(f"dalle2.{package}").__path__
        homes = [module.name for module in pkgutil.iter_modules(path)]
        gather(f"dalle2.{package}", homes)
        if package == "bulk":
            for home in homes:
                complete(importlib.import_module(f"dalle2.bulk.{home}"))
    gather("dalle2", sorted(set(dalle2._HOMES.values()) - {"bulk", "catalog", "compat"}))


def complete(module: ModuleType) -> None:
    """Import what a module names in annotations alone, so that a signature shows what they mean."""
    known = vars(module)
    for node in ast.walk(ast.parse(inspect.getsource(module))):
        if not (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"):
            continue
        for said in node.body:
            with suppress(ImportError):  # of a library that is not here
                exec(compile(ast.Module([said], []), str(module.__file__), "exec"), known)
            if isinstance(said, ast.ImportFrom) and said.level:
                name = "." * said.level + (said.module or "")
                home = vars(importlib.import_module(name, module.__package__))
                texts = [name.name for name in said.names if isinstance(home.get(name.name), str)]
                known.update((name, eval(home[name], home)) for name in texts)  # an alias written as a text


def gather(module: str, homes: list[str]) -> None:
    """Let docstrings of attributes, and the order of names, be found under the module that they show."""
    shown = ModuleAnalyzer.for_module(module)
    shown.analyze()
    for home in homes:
        private = ModuleAnalyzer.for_module(f"{module}.{home}")
        private.analyze()
        shown.attr_docs.update(private.attr_docs)
        first = len(shown.tagorder)
        shown.tagorder.update((name, first + place) for name, place in private.tagorder.items())


def styled(app: Sphinx, page: str, template: str, context: dict[str, str], doctree: object) -> None:
    """Put the style into the head of each page."""
    context["metatags"] = f"{context.get('metatags', '')}<style>{STYLE}</style>"


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx once these settings are read."""
    meant()
    app.connect("builder-inited", write_reference)
    app.connect("source-read", completed)
    app.connect("autodoc-process-docstring", plain)
    app.connect("autodoc-process-signature", without_private)
    app.connect("html-page-context", styled)
    app.connect("doctree-resolved", link_names)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
