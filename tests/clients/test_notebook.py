"""What a notebook shows of a client and of an error."""

from __future__ import annotations

import pytest

import dalle2
from dalle2.testing import Emulator


def test_a_client_shows_whom_it_calls() -> None:
    """Host, model and where the key is from, escaped; never the key."""
    client = dalle2.Client("sk-secret-0123456789", base_url="https://h.example/<b>", model="m<i>")
    shown = client._repr_html_()
    assert "<table>" in shown
    assert "<thead>" not in shown
    assert '<td style="text-align:left">m&lt;i&gt;</td>' in shown
    assert "https://h.example/&lt;b&gt;" in shown
    assert "api_key" in shown
    assert "secret" not in shown
    assert "if it is gone" in dalle2.AsyncClient("k")._repr_html_()


def test_an_error_shows_its_sentence_and_none_of_our_frames() -> None:
    """The caller's own lines and the message stay."""
    emulator = Emulator()
    emulator.fail_next(401)
    client = dalle2.Client("sk-test", http_client=emulator.client())
    with pytest.raises(dalle2.AuthenticationError) as caught:
        client.generate("a fox")
    lines = caught.value._render_traceback_()
    assert any("test_notebook.py" in line for line in lines)
    assert not any("/dalle2/_" in line for line in lines)
    assert lines[-1].endswith(str(caught.value))
