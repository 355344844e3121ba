"""The notebook of docs, executed by a kernel of its own, and what a reader sees in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parents[2] / "docs" / "notebook.ipynb"


@pytest.fixture
def shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, list[Any]]:
    """What each cell shows, by its last line; nothing of the machine's own settings takes part."""
    for name in ("HOME", "IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(tmp_path))
    for name in ("DALLE2_NOTEBOOK_FETCH", "DALLE2_MODEL", "DALLE2_SUCCESSOR", "DALLE2_PROVIDER"):
        monkeypatch.delenv(name, raising=False)
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute(cwd=str(tmp_path))
    return {
        cell.source.splitlines()[-1].strip(): cell.outputs
        for cell in notebook.cells
        if cell.cell_type == "code"
    }


def test_the_notebook_shows_what_it_promises(shown: dict[str, list[Any]]) -> None:
    """Pictures as themselves, several as a grid, tables, a sentence for a dead URL and for an error."""
    data = {line: outputs[-1].get("data", {}) for line, outputs in shown.items()}
    for line in ("image", "event", "await paper.show()"):
        assert data[line]["image/png"].startswith("iVBORw0KGgo"), line
    assert data["images"]["text/html"].count("<img alt=") == 4
    assert data["images[:2]"]["text/html"].count("<img alt=") == 2
    assert data["client"]["text/html"].startswith("<table><caption>Client")
    assert "<td>$0.032</td><td>$0.068</td>" in data["budget"]["text/html"]
    assert "dall-e-2" in data["dalle2.PriceTable.listed()"]["text/html"]
    (late,) = [told for line, told in data.items() if "created=yesterday" in line]
    assert "URL expired at" in late["text/html"]
    (error,) = [outputs[0] for line, outputs in shown.items() if "640x480" in line]
    *frames, sentence = error["traceback"]
    assert "size '640x480' is not one that dall-e-2 makes" in sentence
    assert not any("dalle2" in line for line in frames)
    assert "PartialImage\nPartialImage\nFinalImage" in "".join(o.get("text", "") for o in shown["event"])


def test_the_notebook_is_kept_without_what_it_showed() -> None:
    """Outputs are made where they are looked at: in the file they would only change with each run."""
    cells = [cell for cell in json.loads(NOTEBOOK.read_text("utf-8"))["cells"] if "outputs" in cell]
    assert len(cells) > 9
    assert not any(cell["outputs"] or cell["execution_count"] for cell in cells)
