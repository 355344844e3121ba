"""Type-checks every Python block of README and docs, as a reader's editor would.

The rule: a page is one module, whose blocks share a namespace from top to bottom, as they do when the tests
run them; its line numbers are those of the page. All of it stands in an `async def`, so that `await` may
stand at the top of a block. A notebook is checked by its cells, each a block. `py` blocks stand beside
libraries that are not here, which are taken for anything: what is said to this package is checked. A page
with a mistake planted in it is checked beside them, and must be found wanting: a check that sees nothing
would be green, too.

Run in the session `types`, on the installed wheel: `python pages.py FOLDER`, the folder for the modules.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

from mypy import api

ROOT = Path(__file__).parents[2]
PLANTED = """# A page

```{language}
import dalle2

client = dalle2.Client(api_kye="sk-test")
```
"""
STRICT = ("--strict", f"--config-file={ROOT / 'pyproject.toml'}")
BESIDE = (
    "--config-file=",
    "--check-untyped-defs",
    "--ignore-missing-imports",
    "--disable-error-code=no-redef",
)


def module_of(text: str, language: str) -> str:
    """The blocks of a page in one language as a module with the page's lines; all else is left blank."""
    lines, inside = ["async def page() -> None:"], False
    for line in text.splitlines()[1:]:
        fence = line.startswith("```")
        lines.append(f"    {line}" if inside and not fence else "")
        inside = line == f"```{language}" or (inside and not fence)
    return "\n".join([*lines, "    ...", ""])


def page_of(notebook: str) -> str:
    """The code cells of a notebook as a page."""
    cells = [cell for cell in json.loads(notebook)["cells"] if cell["cell_type"] == "code"]
    return "# Cells\n" + "".join("```python\n" + "".join(cell["source"]) + "\n```\n" for cell in cells)


def pages() -> Iterator[tuple[str, str]]:
    """The name and text of each page."""
    yield "readme", (ROOT / "README.md").read_text(encoding="utf-8")
    for path in sorted((ROOT / "docs").rglob("*.md")):
        yield path.stem, path.read_text(encoding="utf-8")
    for path in sorted((ROOT / "docs").rglob("*.ipynb")):
        yield path.stem, page_of(path.read_text(encoding="utf-8"))


def checked(folder: Path, language: str, settings: tuple[str, ...]) -> tuple[int, list[str]]:
    """How many pages have blocks in this language, and what is wrong with them."""
    folder.mkdir(parents=True, exist_ok=True)
    texts = {f"page_{name}": text for name, text in pages() if f"```{language}\n" in text}
    texts["planted"] = PLANTED.format(language=language)
    for name, text in texts.items():  # `logging.md` is not the module
        (folder / f"{name}.py").write_text(module_of(text, language), encoding="utf-8")
    files = [str(folder / f"{name}.py") for name in texts]
    out, problems, _ = api.run([*settings, "--allow-redefinition", "--no-pretty", *files])
    found = [line for line in out.splitlines() if ": error: " in line and line.startswith(str(folder))]
    of_ours = [line for line in found if "planted.py" not in line]
    if problems or len(found) - len(of_ours) != 1 or "planted.py:6:" not in out or "api_kye" not in out:
        sys.exit(f"{out}\n{problems}\nthe planted mistake was not found")
    return len(texts) - 1, of_ours


def main(folder: Path) -> int:
    """Write the modules, have them checked, and tell what is wrong."""
    status = 0
    for language, settings in (("python", STRICT), ("py", BESIDE)):
        number, wrong = checked(folder / language, language, settings)
        print(*wrong, f"{number} pages with {language} checked, {len(wrong)} problems", sep="\n")
        status |= bool(wrong)
    return status


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
