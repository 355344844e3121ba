"""TLS on loopback: whom we trust, what is told of others, and where the loading is done."""

from __future__ import annotations

import os
import ssl
import subprocess
import sys
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

import dalle2
from dalle2 import RetryPolicy
from dalle2._transport import _async
from dalle2._transport._async import AsyncTransport
from dalle2._transport._certificates import _built
from dalle2._transport._sync import Transport

from ..faults.server import FaultServer
from ..faults.tls import CERTIFICATE, TlsFront

every_client = pytest.mark.parametrize("flavour", ["sync", "asyncio", "trio"])


def pay(flavour: str, origin: str, count: int = 1) -> int:
    """Some paid calls over https, with the default policy."""
    options: dict[str, Any] = {"base_url": origin, "timeout": 5.0, "retry": RetryPolicy(initial=0.0)}
    if flavour == "sync":
        with dalle2.Client("sk-test", **options) as client:
            return sum(len(client.generate("a fox")) for _ in range(count))

    async def work() -> int:
        async with dalle2.AsyncClient("sk-test", **options) as client:
            done = 0
            for _ in range(count):
                done += len(await client.generate("a fox"))
            return done

    return anyio.run(work, backend=flavour)


@every_client
def test_an_untrusted_certificate_is_told_once(flavour: str) -> None:
    """The error says what is wrong with it, which variable helps, and which one is not read."""
    with FaultServer() as server, TlsFront(server.port) as front:
        with pytest.raises(dalle2.APIConnectionError) as told:
            pay(flavour, front.origin)
        assert front.handshakes == 1
        assert not server.requests
    assert all(
        word in str(told.value) for word in ("self-signed", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE is not read")
    )
    assert not told.value.passing
    assert not told.value.maybe_billed
    assert told.value.__cause__ is told.value.__context__ is None


@every_client
def test_a_companys_own_authority_is_trusted_when_it_is_named(
    flavour: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By SSL_CERT_FILE; the connection is kept and used again."""
    monkeypatch.setenv("SSL_CERT_FILE", CERTIFICATE)
    with FaultServer() as server, TlsFront(server.port) as front:
        assert pay(flavour, front.origin, 3) == 3
        assert front.handshakes == 1


@every_client
def test_what_breaks_tls_after_the_request_is_in_doubt(flavour: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """`ssl.SSLError` passes through asyncio's streams as it is; here it becomes an unknown outcome."""
    monkeypatch.setenv("SSL_CERT_FILE", CERTIFICATE)
    with FaultServer() as server, TlsFront(server.port, spoil=True) as front:
        with pytest.raises(dalle2.OutcomeUnknownError) as unknown:
            pay(flavour, front.origin)
        assert len(server.billed) == 1
    assert unknown.value.__cause__ is unknown.value.__context__ is None


SCRIPT = """
import asyncio, importlib.abc, ssl, sys, threading
import {backend}
import dalle2

here = threading.get_ident()
seen = []

class Finder(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if threading.get_ident() == here:
            seen.append(name)

real = ssl.SSLContext.load_verify_locations

def load(self, *args, **options):
    if threading.get_ident() == here:
        seen.append("trusted certificates")
    return real(self, *args, **options)

ssl.SSLContext.load_verify_locations = load

async def work():
    async with dalle2.AsyncClient("sk-test", base_url={origin!r}) as client:
        sys.meta_path.insert(0, Finder())
        await client.generate("a fox")
        await client.image({plain!r}).save({folder!r})
    print(*(set(seen) - {{"concurrent.futures.thread", "queue", "_queue"}}))

{backend}.run({work})
"""


@pytest.mark.parametrize(("backend", "work"), [("asyncio", "work()"), ("trio", "work")])
def test_the_event_loop_stands_still_for_nothing(backend: str, work: str, tmp_path: Path) -> None:
    """The first awaited call over https loads some 180 modules and the trusted certificates: in a thread.

    A save loads what it needs there, too.
    """
    with FaultServer() as server, TlsFront(server.port) as front:
        script = SCRIPT.format(
            backend=backend,
            work=work,
            origin=front.origin,
            plain=f"{server.origin}/private/img.png",
            folder=str(tmp_path / "fox.png"),
        )
        done = subprocess.run(
            [sys.executable, "-c", script],
            capture_output=True,
            text=True,
            timeout=60,
            env=os.environ | {"SSL_CERT_FILE": CERTIFICATE},
        )
    assert (done.stdout.strip(), done.returncode) == ("", 0), done.stderr


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_all_can_be_loaded_beforehand(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocking and awaited; with a caller's client there is nothing to load. A closed client says so."""
    transport = Transport()
    transport.warm_up()
    assert "httpcore" in sys.modules
    with httpx.Client() as http:
        Transport(http).warm_up()
    transport.close()
    with pytest.raises(dalle2.ConfigurationError, match="closed"):
        transport.warm_up()

    async def work() -> None:
        monkeypatch.setattr("dalle2._transport._async._prepared", set())
        awaited = AsyncTransport()
        await awaited.warm_up()
        assert _async._prepared == {("https", f"anyio._backends._{backend}", "httpcore")}
        await awaited.warm_up()

    anyio.run(work, backend=backend)


def test_the_authorities_are_certifis_unless_the_environment_names_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file, a folder (empty here), certifi's, and the system's where certifi is not there."""
    monkeypatch.delitem(sys.modules, "httpx")
    own, theirs = _built(CERTIFICATE, None), _built(None, None)
    assert len(own.get_ca_certs()) == 1
    assert len(theirs.get_ca_certs()) > 50
    assert not _built(None, str(tmp_path)).get_ca_certs()
    monkeypatch.setitem(sys.modules, "certifi", None)
    assert isinstance(_built(None, None), ssl.SSLContext)


def test_who_builds_the_context_for_httpx_builds_it_for_us(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the system's own authorities, for one."""
    theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    monkeypatch.setattr(httpx, "create_ssl_context", lambda: theirs)
    assert _built(None, None) is theirs
