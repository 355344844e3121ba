"""Reading `multipart/form-data` with the standard library alone."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dalle2.testing._exchange import EmulatedRequest
from dalle2.testing._forms import read_form


@pytest.mark.parametrize(
    ("media_type", "content", "words"),
    [
        ("text/plain", b"", "Unsupported content type: 'text/plain'."),
        ("multipart/form-data", b"", "no boundary"),
        ("multipart/form-data; boundary=b", b"", "closing boundary"),
        ("multipart/form-data; boundary=b", b"--b\r\n\r\nx\r\n", "closing boundary"),
        ("multipart/form-data; boundary=b", b"--b\r\n\r\nx\r\n--b--\r\n", "a part has no name"),
    ],
)
def test_a_broken_form_is_refused(api, media_type, content, words):
    """What is no complete form is answered with what is wrong about it."""
    response = api.post("/images/edits", content=content, headers={"Content-Type": media_type})
    assert response.status_code == 400
    assert words in response.json()["error"]["message"]


@settings(deadline=None)
@given(data=st.binary(), text=st.text(), name=st.text("abcdefg", min_size=1))
def test_a_form_is_read_byte_for_byte(data, text, name):
    """Whatever the bytes of a file and the letters of a text are, they arrive as they were sent."""
    boundary = b"b9d1f0"
    body = (
        b"--b9d1f0\r\n"
        + f'Content-Disposition: form-data; name="{name}"'.encode()
        + b"\r\n\r\n"
        + text.encode()
        + b'\r\n--b9d1f0\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n'
        + data
        + b"\r\n--b9d1f0--\r\n"
    )
    request = EmulatedRequest(
        "POST",
        "",
        "/",
        headers={"content-type": f"multipart/form-data; boundary={boundary.decode()}"},
        body=body,
    )
    if b"\r\n--" + boundary in b"\r\n" + data + text.encode():
        return
    form = read_form(request)
    [file] = form.files["image"]
    assert (form.values[name], file.data, file.filename) == (text, data, "a.png")
    assert file.media_type == "application/octet-stream"
