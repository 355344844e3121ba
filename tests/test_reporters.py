"""Crash reporters show the values that frames hold: each hides what is secret from them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

import dalle2
from dalle2._http import FilePart, Form
from dalle2._image._data import ImageData
from dalle2._secrets import Secret
from dalle2._wire._context import Context

KEY, PROMPT, URL = "sk-secret-0123456789", "zebrafish ballet", "https://h.example/a.png?sig=abcdefgh"
SECRETS = (KEY, PROMPT, "abcdefgh")
PNG = dalle2.mask_from_box(16, (0, 0, 8, 8))


def walked(value: object, depth: int = 0) -> Iterator[str]:
    """What a reporter shows of a value, as Sentry's does: its own word, else a tuple's items, else `repr`."""
    own = getattr(type(value), "__sentry_repr__", None)
    if own is not None:
        yield own(value)
    elif isinstance(value, (tuple, list)) and depth < 4:
        for item in value:
            yield from walked(item, depth + 1)
    else:
        yield repr(value)


@pytest.mark.parametrize(
    "value",
    [
        Context("h.example", key=Secret(KEY), prompt=PROMPT),
        ImageData(datetime.now(UTC), url=URL, prompt=PROMPT),
        Form((("prompt", PROMPT),), (FilePart("image", "image.png", "image/png", PROMPT.encode()),)),
        FilePart("image", "image.png", "image/png", PROMPT.encode()),
        dalle2.Provider.azure("https://h.example/", deployment="pictures", api_version="2024-02-01"),
        dalle2.GenerateRequest(prompt=PROMPT, user=PROMPT, extra_body={"prompt": PROMPT}),
        dalle2.EditRequest(prompt=PROMPT, image=dalle2.read_input(PNG)),  # type: ignore[arg-type]
        dalle2.Client(KEY).image(URL),
        dalle2.Client(KEY),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_value_hides_what_is_secret(value: object) -> None:
    """No key, no prompt, no signature: in its `repr`, and in what a reporter asks for instead."""
    shown = "\n".join([repr(value), *walked(value)])
    assert not [secret for secret in SECRETS if secret in shown]


def failing(kind: str) -> httpx.Client:
    """An HTTP client whose host fails in one way."""

    def answer(request: httpx.Request) -> httpx.Response:
        if kind == "lost":
            raise httpx.ReadError("gone")
        if kind == "broken":
            return httpx.Response(200, json={"created": 1, "data": "none"})
        return httpx.Response(500, json={"error": {"message": f"no {PROMPT}"}})

    return httpx.Client(transport=httpx.MockTransport(answer))


@pytest.mark.parametrize("kind", ["lost", "broken", "refused"])
def test_no_frame_of_an_error_holds_a_value_that_tells(kind: str) -> None:
    """Texts apart, which are the caller's own: every object in our frames, however the call failed."""
    policy = dalle2.RetryPolicy.none()
    edit = dalle2.EditRequest(prompt=PROMPT, image=dalle2.read_input(PNG))  # type: ignore[arg-type]
    uses: list[Any] = [
        lambda client: client.send(dalle2.GenerateRequest(prompt=PROMPT)),
        lambda client: client.send(edit),
        lambda client: client.image(URL).read(),
    ]
    with failing(kind) as http, dalle2.Client(KEY, http_client=http, retry=policy) as client:
        for use in uses:
            with pytest.raises(dalle2.Dalle2Error) as caught:
                use(client)
            frames = [entry.frame for entry in caught.traceback]
            ours = [frame for frame in frames if frame.f_globals["__name__"].startswith("dalle2.")]
            assert ours
            values = [
                one for frame in ours for one in frame.f_locals.values() if not isinstance(one, (str, bytes))
            ]
            shown = "\n".join(text for value in values for text in walked(value))
            assert not [secret for secret in SECRETS if secret in shown]
