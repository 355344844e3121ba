"""What the package costs, counted in things that do not vary with the machine: never in seconds."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import dalle2
from dalle2._transport._pools import MOST_POOLS, PER_POOL, Slots
from dalle2._wire._body import LONG, JsonBody
from dalle2.testing import Emulator

from .faults.server import FaultServer


def modules_after(code: str) -> set[str]:
    """The modules that a fresh process has loaded after this code, beyond those it starts with."""
    probe = (
        "import sys, json\nbefore = set(sys.modules)\n{}\n"
        "print(json.dumps(sorted(set(sys.modules) - before)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", probe.format(code)], capture_output=True, text=True, check=True, timeout=60
    )
    return set(json.loads(done.stdout))


def test_importing_the_package_loads_next_to_nothing() -> None:
    """Each name is loaded when it is first used."""
    loaded = modules_after("import dalle2")
    assert len(loaded) <= 5
    assert "dalle2" in loaded


def test_a_client_needs_neither_httpx_nor_tenacity_before_its_first_call() -> None:
    """They are loaded by the first request, and by the first failure."""
    loaded = modules_after("import dalle2; dalle2.Client('sk-test')")
    assert not loaded & {"httpx", "httpx2", "httpcore", "tenacity", "anyio", "asyncio", "typer", "PIL"}
    assert not {name for name in loaded if name.startswith("dalle2.testing")}


def test_a_call_that_succeeds_needs_no_tenacity(tmp_path: Path) -> None:
    """Nor the parts for edits of money, events, streams and the command line."""
    code = (
        "import dalle2; c = dalle2.Client('sk-test', base_url={!r}); "
        "c.generate('a fox', size='256x256')[0].save({!r}); c.close()"
    )
    with Emulator().serve() as server:
        loaded = modules_after(code.format(server.base_url, str(tmp_path / "fox.png")))
    assert "httpx" in loaded
    unused = {
        "tenacity",
        "dalle2.events",
        "dalle2._money",
        "dalle2._stream",
        "dalle2._prepare",
        "dalle2._cli",
    }
    assert not loaded & unused


def test_one_connection_serves_a_quiet_client() -> None:
    """Calls one after another share it, images on the same origin included."""
    with FaultServer() as server, dalle2.Client("sk-test", base_url=server.origin) as client:
        for _ in range(5):
            client.generate("a fox")
    assert server.connections == 1


def test_no_long_string_is_built_while_an_answer_is_read() -> None:
    """The skeleton of an answer of a megabyte is as small as without its image."""
    body = JsonBody()
    body.feed(b'{"data": [{"b64_json": "')
    for _ in range(256):
        body.feed(b"A" * 4096)
    body.feed(b'"}]}')
    assert len(body._skeleton) < LONG


def test_calls_at_once_are_spread_over_small_pools() -> None:
    """One pool costs O(n²): a call takes the first with room, and at the limit the least busy one."""
    slots: Slots[object] = Slots()
    taken = [slots.take(object) for _ in range(PER_POOL * 3)]
    assert [slot.busy for slot in slots.all] == [PER_POOL] * 3
    assert PER_POOL <= 4
    slots.give_back(taken[0])
    assert slots.take(object) is slots.all[0]
    for _ in range(PER_POOL * (MOST_POOLS - 3)):
        slots.take(object)
    assert len(slots.all) == MOST_POOLS
    assert slots.take(object).busy == PER_POOL + 1
    assert len(slots.all) == MOST_POOLS
