"""Type-checks every Python block of README and docs, as a reader's editor would.

The rule: a page is one module, whose blocks share a namespace from top to bottom, as they do when the tests
run them; its line numbers are those of the page. All of it stands in an `async def`, so that `await` may
stand at the top of a block. A notebook is checked by its cells, each a block. A page with a mistake planted
in it is checked beside them, and must be found wanting: a check that sees nothing would be green, too.

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

```python
import dalle2

client = dalle2.Client(api_kye="sk-test")
```
"""


def module_of(text: str) -> str:
    """The Python blocks of a page as one module with the page's lines; all else is left blank."""
    lines, inside = ["async def page() -> None:"], False
    for line in text.splitlines()[1:]:
        fence = line.startswith("```")
        lines.append(f"    {line}" if inside and not fence else "")
        inside = line.startswith("```python") or (inside and not fence)
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


def main(folder: Path) -> int:
    """Write the modules, have them checked, and tell what is wrong."""
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / f"page_{name}.py" for name, _ in pages()]  # `logging.md` is not the module
    for file, (_, text) in zip(files, pages(), strict=True):
        file.write_text(module_of(text), encoding="utf-8")
    planted = folder / "planted.py"
    planted.write_text(module_of(PLANTED), encoding="utf-8")
    settings = ["--strict", "--allow-redefinition", f"--config-file={ROOT / 'pyproject.toml'}", "--no-pretty"]
    out, problems, _ = api.run([*settings, *map(str, files), str(planted)])
    found = [line for line in out.splitlines() if ": error: " in line and line.startswith(str(folder))]
    of_ours = [line for line in found if "planted.py" not in line]
    if problems or len(found) - len(of_ours) != 1 or "planted.py:6:" not in out or "api_kye" not in out:
        print(out, problems, "the planted mistake was not found", sep="\n")
        return 1
    print(*of_ours, f"{len(files)} pages checked, {len(of_ours)} problems", sep="\n")
    return min(len(of_ours), 1)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
