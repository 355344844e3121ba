"""What the package costs, counted in things that do not vary with the machine: never in seconds."""

from __future__ import annotations

import binascii
import json
import os
import socket
import subprocess
import sys
import threading
import tracemalloc
import zlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

import dalle2
from dalle2._wire._body import LONG, JsonBody
from dalle2.testing import Emulator

from ..faults.server import IMAGE, FaultServer
from ..faults.tls import CERTIFICATE, TlsFront


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
    """httpcore, on which httpx stands, is loaded by the first request, tenacity by the first failure."""
    loaded = modules_after("import dalle2; dalle2.Client('sk-test')")
    heavy = {"httpx", "httpx2", "httpcore", "attr", "tenacity", "anyio", "asyncio", "typer", "PIL"}
    assert not loaded & heavy
    assert not {name for name in loaded if name.startswith("dalle2.testing")}
    assert len([name for name in loaded if name.startswith("dalle2")]) <= 50


def test_a_call_that_succeeds_loads_nothing_else(tmp_path: Path) -> None:
    """No tenacity and no attrs, and none of the parts for failures, edits, money, events and streams."""
    code = (
        "sys.modules['trio'] = None  # or httpcore loads it, and it loads attrs\n"
        "import dalle2; c = dalle2.Client('sk-test', base_url={!r}); "
        "c.generate('a fox', size='256x256')[0].save({!r}); c.close()"
    )
    with Emulator().serve() as server:
        loaded = modules_after(code.format(server.base_url, str(tmp_path / "fox.png")))
    assert "httpcore" in loaded
    unused = {
        "attr",
        "email.utils",
        "httpx",
        "tenacity",
        "urllib.request",
        "asyncio",
        "encodings.utf_8_sig",
        "dalle2.events",
        "dalle2.retry",
        "dalle2._cli",
        "dalle2._requests._inputs",
        "dalle2._money",
        "dalle2._requests._pictures",
        "dalle2._requests._values",
        "dalle2._calls._stream",
        "dalle2._requests._successor",
        "dalle2._transport._async",
        "dalle2._results._store_verdict",
        "dalle2._wire._errors",
        "dalle2._wire._problem",
        "dalle2._wire._responses",
    }
    assert loaded & unused == set()
    assert len([name for name in loaded if name.startswith("dalle2")]) <= 50


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


def test_a_plain_http_call_builds_no_tls_context() -> None:
    """The trusted certificates are read at the first https contact: they cost more than all the rest."""
    counted = (
        "import ssl; made = ssl.create_default_context; built = []\n"
        "ssl.create_default_context = lambda *a, **k: built.append(1) or made(*a, **k)\n"
        "import dalle2; c = dalle2.Client('sk-test', base_url={!r})\n"
        "c.generate('a fox'); c.generate('a fox')\n"
        "assert built == [], built"
    )
    with Emulator().serve() as server:
        assert "ssl" in modules_after(counted.format(server.base_url))


def counted_calls(monkeypatch: pytest.MonkeyPatch, work: Callable[[], object]) -> Counter[str]:
    """How often the system is asked for each thing that has to do with files."""
    calls: Counter[str] = Counter()

    def counting(name: str) -> Callable[..., Any]:
        real = getattr(os, name)

        def call(*args: Any, **options: Any) -> Any:
            calls[name] += 1
            return real(*args, **options)

        return call

    with monkeypatch.context() as patch:
        for name in ("open", "write", "fsync", "close", "link", "replace", "unlink", "lstat", "ftruncate"):
            patch.setattr(os, name, counting(name))
        work()
    return calls


def test_a_save_asks_the_system_for_no_more_than_it_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One temporary file, one write for held bytes, two flushes (file, directory), one name; all closed."""
    client = dalle2.Client("sk-test", http_client=Emulator().client())
    image = client.generate("a fox", size="256x256", response_format="b64_json")[0]
    calls = counted_calls(monkeypatch, lambda: image.save(tmp_path / "fox.png"))
    assert calls == {"open": 2, "write": 1, "fsync": 2, "close": 2, "link": 1, "unlink": 1, "lstat": 2}


def test_an_answer_in_base64_is_held_once() -> None:
    """While it comes, when its image is asked for and in what an error would tell: as bytes, not as text."""
    size, piece = 12 * 1024 * 1024, binascii.b2a_base64(bytes(48 * 1024), newline=False)
    body = JsonBody()
    tracemalloc.start()
    body.feed(b'{"data": "')
    for _ in range(size // (48 * 1024)):
        body.feed(piece)
    body.feed(b'"}')
    document: Any = body.document()
    content = document["data"].data()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert content is document["data"].data() == bytes(size)
    assert peak < 1.2 * size


@pytest.mark.parametrize(
    "code",
    [
        "c = dalle2.Client('sk-test', base_url={0!r}); one = c.image({0!r} + '/a.png')\n"
        "c.generate('a fox'); tracemalloc.start(); held = one.read()",
        "async def main():\n"
        "    async with dalle2.AsyncClient('sk-test', base_url={0!r}) as c:\n"
        "        await c.generate('a fox'); tracemalloc.start(); global one, held\n"
        "        one = c.image({0!r} + '/a.png'); held = await one.read()\n"
        "asyncio.run(main())",
    ],
    ids=["blocking", "awaited"],
)
def test_a_fetched_image_is_held_once(code: str) -> None:
    """Twelve MiB are read, blocking and awaited, by a process that never holds them twice."""
    size = 12 * 1024 * 1024
    data = b"IDAT" + bytes(size)
    with FaultServer() as server:
        server.image = IMAGE[:33] + size.to_bytes(4, "big") + data
        server.image += zlib.crc32(data).to_bytes(4, "big") + IMAGE[-12:]
        modules_after(
            f"import asyncio, dalle2, tracemalloc\n{code.format(server.origin)}\n"
            f"peak = tracemalloc.get_traced_memory()[1]; assert peak < {1.2 * size}, peak\n"
            f"assert held is one.content and len(held) == {len(server.image)}"
        )


def test_a_warm_call_is_a_head_a_body_and_one_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a connection that is open nothing else is asked of the socket but whether the host has hung up."""
    with FaultServer() as server, dalle2.Client("sk-test", base_url=server.origin) as client:
        client.generate("a fox")
        here, calls = threading.get_ident(), Counter[str]()
        for name in ("send", "sendall", "recv", "recv_into", "connect"):
            real = getattr(socket.socket, name)

            def call(sock: socket.socket, *args: Any, real: Any = real, name: str = name) -> Any:
                calls[name] += threading.get_ident() == here  # the server is in this process, too
                return real(sock, *args)

            monkeypatch.setattr(socket.socket, name, call)
        client.generate("a fox")
    assert calls.pop("send") <= 2
    assert +calls == {"recv": 1}


@pytest.mark.parametrize("held", [True, False])
def test_an_awaited_save_goes_to_a_thread_twice(
    held: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To open the file, and for all the rest: a small image, fetched or held."""
    hops: list[object] = []
    real = anyio.to_thread.run_sync

    async def counted(work: Any, *args: Any) -> Any:
        hops.append(work)
        return await real(work, *args)

    async def main() -> None:
        async with dalle2.AsyncClient("sk-test", base_url=server.origin) as client:
            image = client.image(f"{server.origin}/a.png")
            if held:
                await image.read()
            monkeypatch.setattr(anyio.to_thread, "run_sync", counted)
            await image.save(tmp_path / "a.png")

    with FaultServer() as server:
        anyio.run(main)
    assert len(hops) == 2


def test_calls_over_https_share_one_context_and_one_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is built once, whatever the clients; each client shakes hands once for all its calls."""
    counted = (
        "import ssl; made = ssl.create_default_context; built = []\n"
        "ssl.create_default_context = lambda *a, **k: built.append(1) or made(*a, **k)\n"
        "import dalle2\n"
        "for _ in range(2):\n"
        "    with dalle2.Client('sk-test', base_url={!r}) as c: c.generate('a fox'); c.generate('a fox')\n"
        "assert built == [1], built"
    )
    with FaultServer() as server, TlsFront(server.port) as front:
        monkeypatch.setenv("SSL_CERT_FILE", CERTIFICATE)
        modules_after(counted.format(front.origin))
        assert front.handshakes == 2


def test_a_download_holds_a_chunk_and_not_the_image(tmp_path: Path) -> None:
    """Sixteen MiB pass through a process that never holds two of them."""
    size = 16 * 1024 * 1024
    picture = size.to_bytes(4, "big") + b"IDAT" + bytes(size + 4)
    code = (
        "import dalle2, tracemalloc; c = dalle2.Client('sk-test', base_url={!r})\n"
        "c.generate('a fox')[0].read()\n"
        "tracemalloc.start(); c.image({!r}).save({!r})\n"
        "peak = tracemalloc.get_traced_memory()[1]; assert peak < 2 * 1024 * 1024, peak"
    )
    path = tmp_path / "big.png"
    with FaultServer() as server:
        server.image = IMAGE[:33] + picture + IMAGE[-12:]
        modules_after(code.format(server.origin, f"{server.origin}/big.png", str(path)))
    assert path.stat().st_size == len(server.image)
