"""Copies and pickles of a client: the same connections and budget here, no secret and no key elsewhere."""

from __future__ import annotations

import copy
import pickle
import pickletools
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import anyio
import pytest

import dalle2
from dalle2 import AsyncClient, Budget, Client, ConfigurationError, Provider, RetryPolicy
from dalle2.testing import Emulator

SECRETS = ("sk-secret-key", "query-secret", "header-secret", "default-secret", "client-header")
GATEWAY = Provider(
    "gateway",
    "https://h.example/v1?token=query-secret",
    headers={"X-Pass": "header-secret"},
    query={"api-version": "2024-02-01", "sig": "query-secret"},
    default_key="default-secret",
)


@pytest.mark.parametrize("make", [copy.copy, copy.deepcopy, lambda client: client.with_options()])
def test_a_copy_has_the_same_key_connections_and_budget(
    make: Callable[[Client], Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the environment says by now, a copy pays with the same key and counts on the same budget."""
    emulator, budget = Emulator(), Budget(max_images=2)
    client = Client("sk-test", http_client=emulator.client(), budget=budget)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-other")
    other = make(client)
    assert type(other) is Client
    assert other._transport is client._transport
    other.generate("a fox")
    client.generate("a fox")
    with pytest.raises(dalle2.BudgetExceededError):
        other.generate("a fox")
    assert len(emulator.billed) == 2


def test_an_awaited_client_is_copied_alike() -> None:
    """The twin too."""
    client = AsyncClient("sk-test", http_client=Emulator().async_client(), budget=Budget(max_images=1))
    for other in (copy.copy(client), copy.deepcopy(client)):
        assert other._session.budget is client._session.budget


def test_a_pickle_holds_no_secret_and_no_private_name() -> None:
    """Neither key nor query, headers or default key; what is left makes the same calls."""
    client = Client(
        "sk-secret-key",
        provider=GATEWAY,
        headers={"X-More": "client-header"},
        timeout=9,
        retry=RetryPolicy(max_attempts=5),
        on_event=print,
    )
    packed = pickle.dumps(client)
    for secret in SECRETS:
        assert secret.encode() not in packed
    texts = [text for _, text, _ in pickletools.genops(packed) if isinstance(text, str)]
    assert not [text for text in texts if text.startswith("dalle2._")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OPENAI_API_KEY", "sk-here")
        other = pickle.loads(packed)
    settings = other._session.settings
    assert (settings.base_url, settings.provider.query) == (
        "https://h.example/v1",
        {"api-version": "2024-02-01"},
    )
    assert (settings.key_from, settings.timeouts.read, settings.retry.max_attempts) == (
        "OPENAI_API_KEY",
        9,
        5,
    )


def test_where_no_key_is_the_first_call_says_so() -> None:
    """Unpickling itself fails nowhere: it happens inside pools, whose workers would die of it."""
    packed = pickle.dumps(Client("sk-secret-key"))
    awaited = pickle.dumps(AsyncClient("sk-secret-key"))
    other = pickle.loads(packed)
    with pytest.raises(ConfigurationError, match="unpickled, and there is no API key for openai"):
        other.generate("a fox")

    async def main() -> None:
        await pickle.loads(awaited).generate("a fox")

    with pytest.raises(ConfigurationError, match="unpickled"):
        anyio.run(main)


def test_a_client_with_a_budget_is_not_pickled() -> None:
    """A copy elsewhere would pay beside the limit."""
    for client in (Client("k", budget=Budget(max_images=1)), AsyncClient("k", budget=Budget(max_images=1))):
        with pytest.raises(ConfigurationError, match="Budget of its own"):
            pickle.dumps(client)


def test_a_process_pool_takes_a_client(tmp_path: Path) -> None:
    """The worker reads its own environment and calls."""
    code = (
        "import os, pickle, sys\n"
        "from concurrent.futures import ProcessPoolExecutor\n"
        "import multiprocessing, dalle2\n"
        "def paint(client): return len(client.generate('a fox'))\n"
        "if __name__ == '__main__':\n"
        "    client = dalle2.Client('sk-test', base_url=sys.argv[1])\n"
        "    spawn = multiprocessing.get_context('spawn')\n"
        "    with ProcessPoolExecutor(1, mp_context=spawn) as pool:\n"
        "        assert pool.submit(paint, client).result() == 1\n"
    )
    emulator = Emulator()
    with emulator.serve() as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("OPENAI_API_KEY", "sk-test")
        script = tmp_path / "pool.py"
        script.write_text(code, encoding="utf-8")
        subprocess.run([sys.executable, str(script), server.base_url], check=True, timeout=120)
    assert len(emulator.billed) == 1
