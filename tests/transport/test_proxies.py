"""What the environment says of proxies: used where the library can, and named where it cannot."""

from __future__ import annotations

import importlib.util
import socket
import socketserver
import threading
from contextlib import suppress
from typing import Any, ClassVar

import anyio
import httpx
import pytest

import dalle2
from dalle2._transport._carrier import Routes
from dalle2._transport._proxies import bypassed, proxy_for, readable

from ..faults.server import FaultServer, good

every_client = pytest.mark.parametrize("flavour", ["sync", "asyncio", "trio"])


@pytest.mark.parametrize(
    ("no_proxy", "host", "direct"),
    [
        ("", "api.example.com", False),
        ("*", "api.example.com", True),
        ("other.org, *", "api.example.com", True),
        ("example.com", "example.com", True),
        ("example.com", "api.example.com", True),
        (".example.com", "api.example.com", True),
        ("*.example.com", "api.example.com", True),
        ("EXAMPLE.com.", "API.example.COM", True),
        ("example.com", "badexample.com", False),
        ("a.org  example.com\tb.org", "example.com", True),
        (" , ,, ", "example.com", False),
        ("https://example.com", "example.com", True),
        ("example.com:443", "example.com", True),
        ("example.com:8080", "example.com", False),
        ("10.0.0.0/8", "10.2.3.4", True),
        ("10.1.2.3/8", "10.2.3.4", True),
        ("10.0.0.0/8", "11.2.3.4", False),
        ("10.0.0.0/8", "ten.example.com", False),
        ("10.0.0.0/999", "10.0.0.1", False),
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1:443", "127.0.0.1", True),
        ("::1", "[::1]", True),
        ("[::1]", "::1", True),
        ("[::1]:443", "::1", True),
        ("[::1]:80", "::1", False),
        ("fd00::/8", "fd12::7", True),
        ("localhost", "localhost", True),
        ("*.", "example.com", False),
        ("[", "example.com", False),
    ],
)
def test_no_proxy_is_read_as_people_write_it(no_proxy: str, host: str, direct: bool) -> None:
    """Names, addresses and ranges, in brackets or not, with a port or not, between commas or blanks."""
    assert bypassed(no_proxy, host, 443) is direct


@pytest.mark.parametrize(
    ("value", "url"),
    [
        ("http://proxy.example:3128", "http://proxy.example:3128"),
        ("proxy.example:3128", "http://proxy.example:3128"),
        (" HTTPS://proxy.example ", "https://proxy.example"),
        ("   ", None),
    ],
)
def test_a_proxy_is_named_by_its_variable(
    value: str, url: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own scheme's variable comes before the one for all."""
    monkeypatch.setenv("ALL_PROXY", value)
    monkeypatch.setenv("http_proxy", "http://other.example")
    assert proxy_for("http", "a.example", 80) == ("http_proxy", "http://other.example")
    found = proxy_for("https", "a.example", 443)
    assert found == (None if url is None else ("ALL_PROXY", url))
    monkeypatch.setenv("NO_PROXY", "a.example")
    assert proxy_for("https", "a.example", 443) is None


def test_the_systems_own_setting_is_named_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    """It stands in no variable."""
    monkeypatch.setattr("dalle2._transport._proxies.getproxies", lambda: {"all": "socks4://x"})
    with pytest.raises(dalle2.ConfigurationError, match="the system's proxy setting"):
        proxy_for("https", "a.example", 443)


def call(flavour: str, origin: str, **options: Any) -> int:
    """One paid call."""
    if flavour == "sync":
        with dalle2.Client("sk-test", base_url=origin, **options) as client:
            return len(client.generate("a fox"))

    async def work() -> int:
        async with dalle2.AsyncClient("sk-test", base_url=origin, **options) as client:
            return len(await client.generate("a fox"))

    return anyio.run(work, backend=flavour)


@every_client
@pytest.mark.parametrize(
    ("value", "advice"),
    [
        ("socks://127.0.0.1:1080", "write socks5://"),
        ("socks4://user:secret@127.0.0.1:1080", "write socks5://"),
        ("socks5://user:secret@127.0.0.1:1080", r"pip install 'httpx\[socks\]'"),
        ("ftp://127.0.0.1", "write http://"),
        ("http://user:secret@127.0.0.1:notaport", "write http://HOST:PORT"),
        ("http://", "write http://HOST:PORT"),
    ],
)
def test_a_proxy_that_cannot_be_used_is_told_at_once(
    value: str, advice: str, flavour: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One error that names the variable and what to do, without the password that stands in it."""
    monkeypatch.setenv("ALL_PROXY", value)
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "socksio" else real(name))
    told: list[Any] = []
    with FaultServer() as server, pytest.raises(dalle2.ConfigurationError, match=advice) as caught:
        call(flavour, server.origin, on_event=told.append)
    assert "ALL_PROXY" in str(caught.value)
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is caught.value.__context__ is None
    assert [type(event).__name__ for event in told].count("AttemptStarted") == 1
    assert not server.requests


def test_socks_is_used_where_its_package_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library then knows what to do with it."""
    monkeypatch.setenv("HTTPS_PROXY", "socks5h://127.0.0.1:1080")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    named = proxy_for("https", "a.example", 443)
    assert named == ("HTTPS_PROXY", "socks5h://127.0.0.1:1080")
    assert isinstance(readable(httpx, named), httpx.Proxy)


@every_client
def test_a_proxy_carries_the_call(flavour: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The request goes to it with the whole URL; hosts in NO_PROXY are called directly."""
    with FaultServer() as proxy, FaultServer() as server:
        proxy.then(forever=good)
        monkeypatch.setenv("HTTP_PROXY", f"127.0.0.1:{proxy.port}")
        assert call(flavour, "http://api.example/v1") == 1
        assert proxy.requests[0].line.startswith("POST http://api.example/v1/")
        monkeypatch.setenv("NO_PROXY", "10.0.0.0/8, 127.0.0.0/8")
        assert call(flavour, server.origin) == 1
        assert len(server.billed) == 1


def hooked_into(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hook into httpx's transports, as tracing does: they carry the calls then."""
    blocking, awaited = httpx.HTTPTransport.handle_request, httpx.AsyncHTTPTransport.handle_async_request
    monkeypatch.setattr(httpx.HTTPTransport, "handle_request", lambda *given: blocking(*given))
    monkeypatch.setattr(httpx.AsyncHTTPTransport, "handle_async_request", lambda *given: awaited(*given))


class Socks(socketserver.StreamRequestHandler):
    """A SOCKS5 server for one request, which asks for a name and a password."""

    asked: ClassVar[list[tuple[bytes, bytes]]] = []

    def handle(self) -> None:
        """Greet, let in, connect, and pass on what both sides say."""
        self.rfile.read(self.rfile.read(2)[1])
        self.wfile.write(b"\x05\x02")
        user = self.rfile.read(self.rfile.read(2)[1])
        password = self.rfile.read(self.rfile.read(1)[0])
        self.asked.append((user, password))
        self.wfile.write(b"\x01\x00")
        kind = self.rfile.read(4)[3]
        host = (
            socket.inet_ntoa(self.rfile.read(4))
            if kind == 1
            else self.rfile.read(self.rfile.read(1)[0]).decode()
        )
        port = int.from_bytes(self.rfile.read(2), "big")
        with socket.create_connection((host, port)) as other:
            self.wfile.write(b"\x05\x00\x00\x01" + bytes(6))
            back = threading.Thread(target=self.pass_on, args=(other, self.connection))
            back.start()
            self.pass_on(self.connection, other)
            back.join()

    @staticmethod
    def pass_on(one: socket.socket, other: socket.socket) -> None:
        """All that one says, to the other."""
        with suppress(OSError):
            while said := one.recv(65536):
                other.sendall(said)
            other.shutdown(socket.SHUT_WR)


@every_client
@pytest.mark.parametrize("hooked", [False, True])
def test_a_socks_proxy_carries_the_call(flavour: str, hooked: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the name and the password of its URL; also where somebody hooks into httpx."""
    if hooked:
        hooked_into(monkeypatch)
    Socks.asked.clear()
    with FaultServer() as server, socketserver.ThreadingTCPServer(("127.0.0.1", 0), Socks) as proxy:
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        server.then(forever=good)
        monkeypatch.setenv("ALL_PROXY", f"socks5://me:secret@127.0.0.1:{proxy.server_address[1]}")
        assert call(flavour, server.origin) == 1
        proxy.shutdown()
    assert len(server.billed) == 1
    assert set(Socks.asked) == {(b"me", b"secret")}


@every_client
def test_a_proxy_carries_a_call_that_is_hooked_into(flavour: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As one that is not."""
    hooked_into(monkeypatch)
    with FaultServer() as proxy:
        proxy.then(forever=good)
        monkeypatch.setenv("HTTP_PROXY", f"127.0.0.1:{proxy.port}")
        assert call(flavour, "http://api.example/v1") == 1
        assert proxy.requests[0].line.startswith("POST http://api.example/v1/")


def test_routes_are_kept_in_mind_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many hosts of images do not make the list grow for ever."""
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example")
    routes = Routes()
    for number in range(300):
        assert routes.find(f"https://{number}.example/x") == (
            "https",
            ("HTTPS_PROXY", "http://proxy.example"),
        )
    assert len(routes._known) <= 128
