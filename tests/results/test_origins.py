"""From where images may be fetched: the address policy as a table, and that it holds at the moment
of connecting.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from typing import Any

import anyio
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

import dalle2
from dalle2._http import is_loopback_name, is_private, keeps_bytes, literal_address, origin_of
from dalle2._results._origins import Origins
from dalle2.errors import DownloadError

from ..faults.drive import FLAVOURS
from ..faults.server import IMAGE, FaultServer

PUBLIC_API = Origins.of("https://api.openai.com/v1")
LOCAL_API = Origins.of("http://127.0.0.1:8080/v1")
every_client = pytest.mark.parametrize("flavour", FLAVOURS)


def test_who_vouches_for_bytes_on_their_way() -> None:
    """TLS from anywhere, and no way at all; plain http from another machine does not."""
    for url in ("https://a.example/x", "HTTPS://A.EXAMPLE", "http://127.0.0.1:80/x", "http://localhost/x"):
        assert keeps_bytes(url)
    for url in ("http://a.example/x", "http://10.0.0.7/x", "http://[fe80::1]/x", "/x", ""):
        assert not keeps_bytes(url)


@pytest.mark.parametrize(
    "url",
    [
        "https://images.example.com/a.png",
        "https://images.example.com:8443/a.png?sig=%2B",
        "https://93.184.216.34/a.png",
        "https://[2606:2800:220:1:248:1893:25c8:1946]/a.png",
        "HTTPS://IMAGES.EXAMPLE.COM/a.png",
        "https://api.openai.com/files/a.png",
        "https://1e100.net/a.png",
        "https://0xdead.example/a.png",
    ],
)
def test_public_https_is_fetched(url: str) -> None:
    """Nothing stands against a public address over https."""
    PUBLIC_API.check(url)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://10.0.0.7:9000/a.png", "plain http"),
        ("http://169.254.169.254/latest/meta-data", "plain http"),
        ("http://[fd00::1]/a.png", "plain http"),
        ("ftp://images.example.com/a.png", "only https"),
        ("file:///etc/passwd", "only https"),
        ("data:image/png;base64,AA==", "only https"),
        ("images.example.com/a.png", "only https"),
        ("https:///a.png", "only https"),
        ("https://[::1/a.png", "no URL"),
        ("https://images.example.com:99999/a.png", "no URL"),
        ("https://\\api.openai.com/a.png", "no URL"),
        ("https://127.0.0.1\\.example.com/a.png", "no URL"),
        ("https://user:pass@images.example.com/a.png", "user name"),
        ("https://user@images.example.com/a.png", "user name"),
        ("https://images.example.com\\@10.0.0.1/a.png", "user name"),
        ("https://images.example.com/a b.png", "space"),
        ("https://images.example.com/a\r\nHost: evil", "space"),
        ("https://images.example.com/a\x00.png", "space"),
        ("http://localhost/a.png", "this machine"),
        ("https://localhost./a.png", "this machine"),
        ("https://some.localhost/a.png", "this machine"),
        ("http://127.0.0.1/a.png", "127.0.0.1"),
        ("https://127.0.0.1./a.png", "127.0.0.1"),
        ("https://127.1/a.png", "127.0.0.1"),
        ("https://2130706433/a.png", "127.0.0.1"),
        ("https://0x7f000001/a.png", "127.0.0.1"),
        ("https://0x7f.0.0.1/a.png", "127.0.0.1"),
        ("https://017700000001/a.png", "127.0.0.1"),
        ("https://0177.0.0.1/a.png", "127.0.0.1"),
        ("https://0/a.png", "0.0.0.0"),
        ("https://0.0.0.0/a.png", "0.0.0.0"),
        ("https://10.0.0.7/a.png", "10.0.0.7"),
        ("https://172.16.0.1/a.png", "172.16.0.1"),
        ("https://192.168.1.1/a.png", "192.168.1.1"),
        ("https://169.254.169.254/latest/meta-data", "169.254.169.254"),
        ("https://100.64.0.1/a.png", "100.64.0.1"),
        ("https://100.100.100.200/latest/meta-data", "100.100.100.200"),
        ("https://192.0.0.192/a.png", "192.0.0.192"),
        ("https://198.18.0.1/a.png", "198.18.0.1"),
        ("https://224.0.0.1/a.png", "224.0.0.1"),
        ("https://255.255.255.255/a.png", "255.255.255.255"),
        ("https://[::1]/a.png", "::1"),
        ("https://[::]/a.png", "::"),
        ("https://[::ffff:127.0.0.1]/a.png", "private"),
        ("https://[::ffff:169.254.169.254]/a.png", "private"),
        ("https://[::127.0.0.1]/a.png", "private"),
        ("https://[64:ff9b::10.0.0.1]/a.png", "private"),
        ("https://[64:ff9b:1::1]/a.png", "private"),
        ("https://[2002:7f00:1::]/a.png", "private"),
        ("https://[2001::1]/a.png", "private"),
        ("https://[fe80::1]/a.png", "fe80::1"),
        ("https://[fe80::1%25eth0]/a.png", "fe80::1"),
        ("https://[fec0::1]/a.png", "fec0::1"),
        ("https://[fd00:ec2::254]/latest", "fd00:ec2::254"),
        ("https://[ff02::1]/a.png", "ff02::1"),
    ],
)
def test_everything_else_is_refused_before_anything_is_sent(url: str, why: str) -> None:
    """Other schemes, credentials, and every spelling of an address that is not public."""
    with pytest.raises(DownloadError, match="not fetched") as caught:
        PUBLIC_API.check(url)
    assert caught.value.reason == "forbidden"
    assert why in str(caught.value)
    assert "pass@" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:9000/a.png",
        "http://localhost/a.png",
        "http://[::1]:9000/a.png",
        "https://10.0.0.7/a.png",
        "https://192.168.1.1/a.png",
        "http://127.0.0.1:8080/generated-images/a.png",
    ],
)
def test_a_private_api_may_have_private_images(url: str) -> None:
    """Whoever calls an API on his own network fetches from there too."""
    LOCAL_API.check(url)


def test_plain_http_stays_on_loopback_and_the_own_origin() -> None:
    """A private API does not make plain http to other hosts right; the API's own origin is fine as it is."""
    origins = Origins.of("http://10.0.0.5:8080/v1")
    own = "http://10.0.0.5:8080/generated-images/a.png"
    assert origins.check(own) == own
    assert LOCAL_API.check("http://localhost:81/a.png") == "http://localhost:81/a.png"
    for url in ("http://10.0.0.6/a.png", "http://10.0.0.5:8081/a.png"):
        with pytest.raises(DownloadError, match="plain http"):
            origins.check(url)


@pytest.mark.parametrize(
    ("url", "asked"),
    [
        ("http://images.example.com/a.png?sig=%2B", "https://images.example.com/a.png?sig=%2B"),
        ("HTTP://Images.Example.Com:80/a.png", "https://Images.Example.Com/a.png"),
        ("http://images.example.com:9000/:80", "https://images.example.com:9000/:80"),
        ("http://93.184.216.34/a.png", "https://93.184.216.34/a.png"),
        (
            "http://[2606:2800:220:1:248:1893:25c8:1946]:80/a",
            "https://[2606:2800:220:1:248:1893:25c8:1946]/a",
        ),
        ("http://api.openai.com/files/a.png", "https://api.openai.com/files/a.png"),
    ],
)
def test_a_public_host_is_asked_over_https(url: str, asked: str) -> None:
    """A URL of plain http is not refused: its host is asked in the safe way, at the same place."""
    assert PUBLIC_API.check(url) == asked


def test_a_provider_can_allow_a_private_host() -> None:
    """`Provider.image_hosts` names hosts that may be private; no other becomes so."""
    origins = Origins.of("https://api.openai.com/v1", ("10.0.0.7", "Images.LAN", "localhost"))
    origins.check("https://10.0.0.7/a.png")
    origins.check("https://localhost/a.png")
    assert origins.refuse("images.lan", "10.1.1.1", 443) is None
    assert origins.refuse("other.lan", "10.1.1.1") is not None
    with pytest.raises(DownloadError):
        origins.check("https://10.0.0.8/a.png")


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("10.0.0.7:9000", "http://10.0.0.7:9000/a.png"),
        ("10.0.0.7:9000", "https://10.0.0.7:9000/a.png"),
        ("10.0.0.7", "http://10.0.0.7:9000/a.png"),
        ("10.0.0.7:80", "http://10.0.0.7/a.png"),
        ("minio.lan:9000", "http://MinIO.lan:9000/bucket/a.png?X-Amz-Signature=1"),
        (" HTTP://MinIO.lan:9000/ ", "http://minio.lan:9000/a.png"),
        ("store.example.com", "http://store.example.com/a.png"),
        ("[fd00::1]:9000", "http://[fd00::1]:9000/a.png"),
        ("fd00::1", "http://[fd00::1]:9000/a.png"),
        ("localhost:81", "http://localhost:81/a.png"),
    ],
)
def test_a_named_host_speaks_plain_http(name: str, url: str) -> None:
    """However the host is written, alone or with its port, its URL is asked as it is."""
    for allowed in ((name,), ("other.lan", name), name):
        assert Origins.of("https://api.openai.com/v1", allowed).check(url) == url  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("10.0.0.7:9000", "http://10.0.0.7:9001/a.png"),
        ("10.0.0.7:9000", "https://10.0.0.7/a.png"),
        ("10.0.0.7", "http://10.0.0.70/a.png"),
        ("localhost:81", "http://localhost:82/a.png"),
        ("fd00::1", "http://[fd00::2]/a.png"),
    ],
)
def test_another_port_or_host_is_not_named(name: str, url: str) -> None:
    """What was allowed is allowed and no more; following the refusal's advice works."""
    origins = Origins.of("https://api.openai.com/v1", (name,))
    with pytest.raises(DownloadError) as caught:
        origins.check(url)
    (advice,) = re.findall(r"image_hosts=\('([^']+)',\)", str(caught.value))
    assert Origins.of("https://api.openai.com/v1", (advice,)).check(url) == url


@pytest.mark.parametrize(
    "name",
    ["", "*", "10.0.0.0/8", "images.lan/path", "user@images.lan", "a:b", "http://", "sk-key?x", 7, "[::1"],
)
def test_what_names_no_host_is_refused(name: Any) -> None:
    """A name that could never match is told when the client is made, not when the image is lost."""
    provider = dalle2.Provider.custom("https://api.example.com/v1").replace(image_hosts=(name,))
    with pytest.raises(dalle2.ConfigurationError, match="image_hosts names hosts"):
        dalle2.Client("sk-test", provider=provider)


def test_where_the_api_turned_out_to_live_counts() -> None:
    """A public-looking API name that resolved to a private address makes private images fine."""
    origins = Origins.of("https://gateway.corp/v1")
    assert not origins.api_private
    assert origins.with_peer(None) is origins
    assert origins.with_peer("93.184.216.34") is origins
    assert origins.with_peer("10.0.0.1").api_private
    assert LOCAL_API.with_peer("10.0.0.1") is LOCAL_API


@pytest.mark.parametrize(
    "base_url", ["https://api.openai.com/v1", "http://127.0.0.1:8080/v1", "http://[::1]:80/v1"]
)
def test_a_site_can_be_told_by_its_origin(base_url: str) -> None:
    """What travels with a result is one URL, from which the same value comes back."""
    origins = Origins.of(base_url)
    assert origins.url is not None
    assert Origins.of(origins.url) == origins
    assert Origins().url is None


def test_addresses_are_read_in_every_spelling() -> None:
    """Resolvers take decimal, octal, hexadecimal and short forms, so these are addresses and not names."""
    assert literal_address("127.1") == "127.0.0.1"
    assert literal_address("0x7f000001") == "127.0.0.1"
    assert literal_address("fe80::1%eth0") == "fe80::1"
    assert literal_address("1.2.3.4.5") is None
    assert literal_address("example.com") is None
    assert is_loopback_name("127.8.8.8")
    assert not is_loopback_name("localhost.example.com")
    assert is_private("no address")
    assert not is_private("8.8.8.8")


@given(
    st.text("abc.:/\\@[]%?#0127xé１。\t -", max_size=24),
    st.sampled_from(["", "/a.png", "/v1"]),
)
def test_the_url_that_is_checked_is_the_url_that_is_asked(middle: str, path: str) -> None:
    """What passes the check has the same host for httpx, or httpx does not take it: no two readings of
    one URL.
    """
    url = f"https://{middle}api.openai.com{path}"
    try:
        PUBLIC_API.check(url)
        theirs = httpx.URL(url)
    except (DownloadError, httpx.InvalidURL):
        return
    ours = origin_of(url)[1]
    if ours.isascii():
        assert theirs.raw_host.decode("ascii").lower().rstrip(".") == ours


def resolve_to(monkeypatch: pytest.MonkeyPatch, names: dict[str, str]) -> None:
    """Let these names have these addresses."""
    real: Callable[..., object] = socket.getaddrinfo

    def getaddrinfo(host: str | bytes | None, *args: object, **options: object) -> object:
        name = host.decode() if isinstance(host, bytes) else host
        return real(names.get(name or "", name), *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


def read(flavour: str, url: str, **options: object) -> bytes:
    """Fetch an image with a client of this kind."""
    settings = {"api_key": "sk-test", "retry": dalle2.RetryPolicy.none(), "timeout": 5.0} | options
    if flavour == "sync":
        with dalle2.Client(**settings) as client:  # type: ignore[arg-type]
            return client.image(url).read()

    async def work() -> bytes:
        async with dalle2.AsyncClient(**settings) as client:  # type: ignore[arg-type]
            return await client.image(url).read()

    return anyio.run(work, backend=flavour)


@every_client
@pytest.mark.parametrize("name", ["images.test", "bücher.test"])
def test_a_name_that_resolves_to_loopback_is_refused_when_it_is_connected_to(
    flavour: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The address of the connection itself decides, whatever script the name is in; not a byte is sent."""
    resolve_to(monkeypatch, {"images.test": "127.0.0.1", "xn--bcher-kva.test": "127.0.0.1"})
    with (
        FaultServer() as server,
        pytest.raises(DownloadError, match=r"private address 127\.0\.0\.1") as caught,
    ):
        read(flavour, f"https://{name}:{server.port}/a.png")
    assert caught.value.reason == "forbidden"
    assert server.requests == []


@every_client
def test_an_allowed_name_is_connected_to(flavour: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With `image_hosts` the guard lets the connection be: what fails then is TLS, which this server
    has not.
    """
    resolve_to(monkeypatch, {"images.test": "127.0.0.1"})
    provider = dalle2.Provider(name="own", base_url="https://api.openai.com/v1", image_hosts=("images.test",))

    def plain(connection: object) -> None:
        connection.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")  # type: ignore[attr-defined]
        connection.close()  # type: ignore[attr-defined]

    with FaultServer(then=plain) as server, pytest.raises(DownloadError) as caught:
        read(flavour, f"https://images.test:{server.port}/a.png", provider=provider)
    assert caught.value.reason == "unreachable"


@every_client
def test_a_store_on_the_own_network_is_fetched_by_plain_http(
    flavour: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The provider names it with its port: a name that is private, plain http, an https API in front."""
    resolve_to(monkeypatch, {"store.test": "127.0.0.1"})
    with FaultServer() as server:
        name = f"store.test:{server.port}"
        provider = dalle2.Provider.custom("https://api.example.com/v1").replace(image_hosts=(name,))
        assert read(flavour, f"http://{name}/a.png", provider=provider) == IMAGE


@every_client
def test_a_store_that_is_not_named_is_refused_with_the_way_out(
    flavour: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked over https, a private name is refused before a byte is sent, and the error says what to write."""
    resolve_to(monkeypatch, {"store.test": "127.0.0.1"})
    with FaultServer() as server, pytest.raises(DownloadError) as caught:
        name = f"store.test:{server.port}"
        read(flavour, f"http://{name}/a.png")
    assert caught.value.reason == "forbidden"
    assert f"image_hosts=('{name}',)" in str(caught.value)
    assert server.requests == []


@every_client
def test_a_host_that_has_no_https_is_refused_with_the_way_out(
    flavour: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where https fails, the image does not come by plain http unasked, and nothing is tried again."""
    resolve_to(monkeypatch, {"store.test": "127.0.0.1", "gateway.test": "127.0.0.1"})

    def plain(connection: object) -> None:
        connection.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")  # type: ignore[attr-defined]
        connection.close()  # type: ignore[attr-defined]

    with FaultServer(then=plain) as server, pytest.raises(DownloadError) as caught:
        name = f"store.test:{server.port}"
        url = f"http://{name}/a.png?sig=secret"
        read(flavour, url, base_url="http://10.0.0.5/v1", retry=dalle2.RetryPolicy(initial=30.0))
    assert caught.value.reason == "forbidden"
    assert caught.value.url == url
    assert "https failed" in str(caught.value)
    assert f"image_hosts=('{name}',)" in str(caught.value)
    assert "secret" not in str(caught.value)


@every_client
def test_the_own_origin_is_fetched_from_wherever_it_lives(
    flavour: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Images on the API's own origin need no permission, also when its name is private and plain http."""
    resolve_to(monkeypatch, {"gateway.test": "127.0.0.1"})
    with FaultServer() as server:
        origin = f"http://gateway.test:{server.port}"
        assert read(flavour, f"{origin}/a.png", base_url=f"{origin}/v1") == IMAGE


@every_client
def test_an_api_that_turned_out_private_may_name_private_images(
    flavour: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a call to an API whose name is private, a loopback image of its answer is fetched."""
    resolve_to(monkeypatch, {"gateway.test": "127.0.0.1"})
    with FaultServer() as server:
        base_url = f"http://gateway.test:{server.port}/v1"
        if flavour == "sync":
            with dalle2.Client("sk-test", base_url=base_url) as client:
                data = client.generate("a fox")[0].read()
        else:

            async def work() -> bytes:
                async with dalle2.AsyncClient("sk-test", base_url=base_url) as client:
                    return await (await client.generate("a fox"))[0].read()

            data = anyio.run(work, backend=flavour)
        assert data == IMAGE


@every_client
def test_a_url_that_is_none_for_the_http_library_is_refused_at_once(flavour: str) -> None:
    """What only the library finds wrong is no reason to wait and try again."""
    with pytest.raises(DownloadError) as caught:
        read(flavour, "https://exa_mple-.１/a.png", retry=dalle2.RetryPolicy(initial=30.0))
    assert caught.value.reason == "forbidden"
