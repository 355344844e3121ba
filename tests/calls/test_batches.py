"""The requests of the Batch API: where they go, and that only one of them is paid for."""

from __future__ import annotations

import dalle2
from dalle2._calls import _batches as calls
from dalle2._calls._outcome import Call


def made(call: str, *args: object, provider: dalle2.Provider | None = None) -> Call[object]:
    """A call as a client makes it."""
    with dalle2.Client("sk-test", provider=provider or "openai") as client:
        session = client._session
        return getattr(calls, call)(session.settings, session.state, *args)  # type: ignore[no-any-return]


def test_a_query_is_joined_with_that_of_the_host() -> None:
    """Azure's version stands behind what a list is asked for."""
    azure = dalle2.Provider.azure("https://me.openai.azure.com", api_version="2025-04-01")
    call = made("batches_call", "batch_1", provider=azure)
    url = "https://me.openai.azure.com/openai/v1/batches?limit=100&after=batch_1&api-version=2025-04-01"
    assert call.request.url == url


def test_names_are_quoted() -> None:
    """A host's word leads nowhere else."""
    for call in ("file_call", "batch_call", "content_call"):
        assert "/..%2F..%3Fx" in made(call, "../..?x").request.url


def test_only_the_creation_may_be_billed() -> None:
    """All else may be repeated."""
    assert made("create_call", "file-1", "gpt-image-2", {"k": "v"}, "key").context.billable
    for call, *args in (
        ("upload_call", "name", b"{}"),
        ("files_call", None),
        ("file_call", "file-1"),
        ("content_call", "file-1"),
        ("batch_call", "batch_1"),
        ("batches_call", None),
    ):
        assert not made(call, *args).context.billable
