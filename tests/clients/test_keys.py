"""A key that is asked for: before each attempt, blocking or awaited, and never shown."""

from __future__ import annotations

import io
import itertools
import logging
import pickle
import traceback
from collections.abc import Awaitable, Callable

import anyio
import pytest

import dalle2
from dalle2.testing import Emulator

QUICK = dalle2.RetryPolicy(initial=0)


def rotating(*keys: str) -> Callable[[], str]:
    """A function that gives the next key at each call."""
    left = itertools.chain(keys, itertools.repeat(keys[-1]))
    return lambda: next(left)


def sent_keys(emulator: Emulator) -> list[str]:
    """The keys that came, in order."""
    return [request.headers["authorization"].removeprefix("Bearer ") for request in emulator.requests]


def test_the_key_is_asked_for_before_each_attempt() -> None:
    """A token that expired between two attempts is not sent again."""
    emulator = Emulator()
    emulator.fail_next(429, retry_after=0)
    key = rotating("sk-old", "sk-test")
    with dalle2.Client(key, http_client=emulator.client(), retry=QUICK) as client:
        client.generate("a fox")
        client.moderate("a fox")
    assert sent_keys(emulator) == ["sk-old", "sk-test", "sk-test"]


@pytest.mark.parametrize("flavour", ["asyncio", "trio"])
@pytest.mark.parametrize("awaited", [True, False])
def test_an_awaited_client_takes_both_kinds(flavour: str, awaited: bool) -> None:
    """A plain function and one that is awaited."""
    emulator = Emulator()

    async def soon() -> str:
        await anyio.sleep(0)
        return "sk-test"

    key: Callable[[], str | Awaitable[str]] = soon if awaited else (lambda: "sk-test")

    async def main() -> None:
        async with dalle2.AsyncClient(key, http_client=emulator.async_client()) as client:
            assert len(await client.generate("a fox")) == 1

    anyio.run(main, backend=flavour)
    assert sent_keys(emulator) == ["sk-test"]


async def _awaited() -> str:
    return "sk-test"


@pytest.mark.parametrize(
    ("key", "words"),
    [
        (_awaited, "AsyncClient"),
        (lambda: None, "must be a text; it is NoneType"),
        (lambda: b"sk-test", "must be a text; it is bytes"),
        (lambda: "  ", "is blank"),
        (lambda: "sk-pässword-123456", "no key has"),
    ],
)
def test_what_gives_no_key_is_told_before_anything_is_sent(key: Callable[[], str], words: str) -> None:
    """The error is about the function, and shows nothing of what it gave."""
    emulator, budget = Emulator(), dalle2.Budget(max_images=1)
    client = dalle2.Client(key, http_client=emulator.client(), budget=budget)
    with client, pytest.raises(dalle2.ConfigurationError, match=words) as caught:
        client.generate("a fox")
    assert "pässword" not in str(caught.value)
    assert (emulator.requests, budget.spent_images) == ([], 0)


@pytest.mark.anyio
async def test_an_awaited_function_that_gives_no_key_is_told_too() -> None:
    """Before anything is sent; the function shows itself as what it is."""
    emulator = Emulator()

    async def nothing() -> None:
        return None

    async with dalle2.AsyncClient(nothing, http_client=emulator.async_client()) as client:  # type: ignore[arg-type]
        with pytest.raises(dalle2.ConfigurationError, match="must be a text; it is NoneType"):
            await client.generate("a fox")
        assert repr(client._session.settings.key_source) == "<a function that gives the key>"
    assert emulator.requests == []


def test_what_the_function_raises_goes_through() -> None:
    """It is the caller's own, nothing was sent, and the budget is whole."""
    emulator, budget = Emulator(), dalle2.Budget(max_images=1)

    def expired() -> str:
        raise LookupError("no token")

    client = dalle2.Client(expired, http_client=emulator.client(), budget=budget)
    with client, pytest.raises(LookupError, match="no token"):
        client.generate("a fox")
    assert (emulator.requests, budget.spent_images) == ([], 0)


def test_a_key_that_was_asked_for_is_shown_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    """Neither in a message, a frame, a log, a repr nor a pickle; a host that echoes it is redacted."""
    secret = "sk-very-secret-0123456789"
    emulator = Emulator()
    caplog.set_level(logging.DEBUG)
    emulator.fail_next(401, body={"error": {"message": f"Incorrect API key provided: {secret}"}})
    client = dalle2.Client(lambda: secret, http_client=emulator.client())
    with client, pytest.raises(dalle2.AuthenticationError) as caught:
        client.generate("a fox")
    shown = io.StringIO()
    report = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    report.stack = traceback.StackSummary.from_list(
        [frame for frame in report.stack if "test_keys" not in frame.filename]
    )
    print("".join(report.format()), repr(client), caplog.text, file=shown)
    shown.write(repr(pickle.dumps(caught.value)) + repr(pickle.dumps(client)))
    assert secret not in shown.getvalue()
    assert "key from a function" in repr(client)
