"""`client.image(url)` against stores of other people: Azurite (Azure Blob Storage), s3rver (S3).

Their URLs are signed by the vendors' own Python packages, and expire by the stores' own clocks: an expired
URL is one that was signed in the past. `Wire` stands between the two where a transfer is to go wrong.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, build_opener

import attrs
import boto3
import pytest
from azure.storage.blob import BlobServiceClient, ContentSettings, generate_blob_sas
from botocore.config import Config

import dalle2

HOUR = timedelta(hours=1)
NAME = "org-x/img 1+\u00fc.png"
AZURITE_ACCOUNT = "devstoreaccount1"
# Azurite's own well-known key, the same on every machine: https://learn.microsoft.com/azure/storage/common/storage-use-azurite
AZURITE_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


@attrs.frozen
class Store:
    """One store: how to put a picture there, and how its vendor signs a URL that dies after so long.

    `says_expired`, `says_altered`: whether its refusals tell so in words of their own.
    `checks_match`: whether it honours `If-Match`.
    """

    put: Callable[[str, bytes], object]
    sign: Callable[[str, timedelta], str]
    signature: str
    says_expired: bool = True
    says_altered: bool = True
    checks_match: bool = True


@pytest.fixture(scope="session")
def azurite(running: Callable[..., AbstractContextManager[str]], npm: Path) -> Iterator[Store]:
    """Azurite's blob service, in memory."""
    script = npm / "node_modules" / "azurite" / "dist" / "src" / "blob" / "main.js"
    options = ["--inMemoryPersistence", "--disableTelemetry", "--skipApiVersionCheck"]
    address = ["--blobHost", "127.0.0.1", "--blobPort", "0"]
    with contextlib.ExitStack() as stack:
        origin = stack.enter_context(running(["node", script, *options, *address], r"listens on (http\S+)"))
        service = stack.enter_context(
            BlobServiceClient(f"{origin}/{AZURITE_ACCOUNT}", credential=AZURITE_KEY)
        )
        container = service.create_container("private")

        def put(name: str, data: bytes) -> None:
            settings = ContentSettings(content_type="image/png")
            container.upload_blob(name, data, overwrite=True, content_settings=settings)

        def sign(name: str, life: timedelta) -> str:
            now = datetime.now(UTC)
            query = generate_blob_sas(
                AZURITE_ACCOUNT,
                "private",
                name,
                account_key=AZURITE_KEY,
                permission="r",
                start=now - 24 * HOUR,
                expiry=now + life,
                content_disposition="inline",
                content_type="image/png",
            )
            return f"{container.get_blob_client(name).url}?{query}"

        # It refuses an expired and an altered signature with the same words; the real service does not.
        yield Store(put, sign, "sig=", says_expired=False, says_altered=False)


def s3_store(endpoint: str, version: str) -> Store:
    """A store of s3rver, with URLs signed by version 2 or 4; it checks the signatures of version 2 only."""

    def client(signing: str) -> Any:
        return boto3.client(
            "s3",
            endpoint_url=endpoint,
            aws_access_key_id="S3RVER",
            aws_secret_access_key="S3RVER",
            region_name="us-east-1",
            config=Config(signature_version=signing, s3={"addressing_style": "path"}),
        )

    uploader, signer = client("s3v4"), client(version)

    def put(name: str, data: bytes) -> None:
        uploader.put_object(Bucket="pictures", Key=name, Body=data, ContentType="image/png")

    def sign(name: str, life: timedelta) -> str:
        place, seconds = {"Bucket": "pictures", "Key": name}, int(life.total_seconds())
        if seconds > 0 or version == "s3":
            url: str = signer.generate_presigned_url("get_object", place, ExpiresIn=seconds)
            return url
        # Version 4 counts from the time of signing, so this one was signed earlier; s3rver checks no more.
        url = signer.generate_presigned_url("get_object", place, ExpiresIn=1)
        signed = f"{datetime.now(UTC) + life:%Y%m%dT%H%M%SZ}"
        return re.sub(r"(?<=X-Amz-Date=)[0-9TZ]+", signed, url)

    return Store(put, sign, "Signature=", says_altered=version == "s3", checks_match=False)


@pytest.fixture(params=["azurite", "s3-v4", "s3-v2"])
def store(request: pytest.FixtureRequest) -> Store:
    """Each store in turn."""
    if request.param == "azurite":
        azurite: Store = request.getfixturevalue("azurite")
        return azurite
    return s3_store(request.getfixturevalue("s3rver"), {"s3-v4": "s3v4", "s3-v2": "s3"}[request.param])


@pytest.fixture(scope="session")
def picture(uploads: Path) -> bytes:
    """A picture, large enough to be cut in the middle."""
    return (uploads / "image.png").read_bytes()


@pytest.fixture
def client() -> Iterator[dalle2.Client]:
    """A client whose API would be on loopback, so that images may come from there; it is never called."""
    retry = dalle2.RetryPolicy(initial=0.01)
    with dalle2.Client("sk-test", base_url="http://127.0.0.1:9/v1", retry=retry) as client:
        yield client


class Wire(ThreadingHTTPServer):
    """Passes each GET on to a store as it came, and spoils the next answer if it was told to."""

    daemon_threads = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.target = ""
        self.location: str | None = None
        self.cut: int | None = None
        self.flip: int | None = None
        self.after: Callable[[], object] = lambda: None
        self.seen: list[dict[str, str]] = []

    def before(self, url: str) -> str:
        """The URL with this server in place of the store; path and query stay byte for byte."""
        origin = "{0.scheme}://{0.netloc}".format(urlsplit(url))
        self.target = urlsplit(url).netloc
        return url.replace(origin, f"http://127.0.0.1:{self.server_port}", 1)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Wire

    def do_GET(self) -> None:
        wire = self.server
        wire.seen.append({name.lower(): value for name, value in self.headers.items()})
        self.close_connection = True
        if wire.location is not None:
            self.send_response_only(302)
            self.send_header("Location", wire.location)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        upstream = http.client.HTTPConnection(wire.target, timeout=20)
        upstream.request("GET", self.path, headers={**dict(self.headers), "Host": wire.target})
        with upstream.getresponse() as answer:
            body = bytearray(answer.read())
        upstream.close()
        if wire.flip is not None:
            body[wire.flip] ^= 1
        self.send_response_only(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("connection", "keep-alive", "transfer-encoding", "content-length"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: wire.cut])
        if wire.cut is not None or wire.flip is not None:
            wire.cut = wire.flip = None
            wire.after()

    def log_message(self, format: str, *args: object) -> None:
        """Print nothing."""


@pytest.fixture
def wire() -> Iterator[Wire]:
    """Something between client and store."""
    with Wire() as wire:
        thread = threading.Thread(target=wire.serve_forever, args=(0.02,))
        thread.start()
        yield wire
        wire.shutdown()
        thread.join()


def status_of(url: str) -> int:
    """What the store itself says to a plain GET."""
    try:
        with build_opener(ProxyHandler({})).open(url, timeout=20) as answer:
            return int(answer.status)
    except HTTPError as refusal:
        refusal.close()
        return refusal.code


def altered(url: str, mark: str) -> str:
    """The URL with the first letter of its signature changed."""
    head, _, tail = url.partition(mark)
    return head + mark + ("A" if tail[0] != "A" else "B") + tail[1:]


def test_the_bytes_are_exact_and_the_expiry_is_known(
    store: Store, client: dalle2.Client, picture: bytes, tmp_path: Path
) -> None:
    """What was put there comes back; when the URL dies is read from its signature."""
    store.put(NAME, picture)
    image = client.image(store.sign(NAME, HOUR))
    assert image.expiry_source == "signature"
    assert image.expires_at is not None
    assert abs(image.expires_at - datetime.now(UTC) - HOUR) < timedelta(seconds=30)
    assert image.save(tmp_path / "picture").read_bytes() == picture
    assert (tmp_path / "picture.png").exists()


def test_the_awaited_client_does_the_same(store: Store, picture: bytes, tmp_path: Path) -> None:
    """`AsyncClient` writes the same bytes."""
    store.put(NAME, picture)

    async def save() -> Path:
        async with dalle2.AsyncClient("sk-test", base_url="http://127.0.0.1:9/v1") as client:
            return await client.image(store.sign(NAME, HOUR)).save(tmp_path / "picture.png")

    assert asyncio.run(save()).read_bytes() == picture


def test_an_expired_url_is_not_even_asked_for(
    store: Store, client: dalle2.Client, picture: bytes, wire: Wire
) -> None:
    """The store would refuse it, and the client knows: the signature says so."""
    store.put(NAME, picture)
    url = store.sign(NAME, -timedelta(seconds=60))
    assert status_of(url) == 403
    with pytest.raises(dalle2.ImageExpiredError) as raised:
        client.image(wire.before(url)).read()
    assert raised.value.expires_at is not None
    assert not wire.seen


def test_the_store_says_that_a_url_expired(
    store: Store, client: dalle2.Client, picture: bytes, wire: Wire
) -> None:
    """Behind a redirect the expiry is not known beforehand: then the store's own words decide."""
    store.put(NAME, picture)
    wire.location = store.sign(NAME, -timedelta(seconds=60))
    with pytest.raises(dalle2.DownloadError) as raised:
        client.image(f"http://127.0.0.1:{wire.server_port}/latest").read()
    assert raised.value.status_code == 403
    assert isinstance(raised.value, dalle2.ImageExpiredError) is store.says_expired


def test_an_altered_signature_is_told_from_an_expired_one(
    store: Store, client: dalle2.Client, picture: bytes
) -> None:
    """It is `"forged"` where the store says so, and never an expiry."""
    store.put("altered.png", picture)
    url = altered(store.sign("altered.png", HOUR), store.signature)
    if status_of(url) == 200:
        assert client.image(url).read() == picture  # s3rver does not check signatures of version 4
        return
    with pytest.raises(dalle2.DownloadError) as raised:
        client.image(url).read()
    assert not isinstance(raised.value, dalle2.ImageExpiredError)
    assert raised.value.status_code == 403
    assert raised.value.reason == "forged" or not store.says_altered


def test_an_image_that_is_gone_is_a_download_error(store: Store, client: dalle2.Client) -> None:
    """A good URL of nothing: 404, and no expiry."""
    with pytest.raises(dalle2.DownloadError) as raised:
        client.image(store.sign("nothing.png", HOUR)).read()
    assert (raised.value.reason, raised.value.status_code) == ("status", 404)


def test_a_broken_download_is_continued(
    store: Store, client: dalle2.Client, picture: bytes, wire: Wire, tmp_path: Path
) -> None:
    """The rest is asked for with `Range` and `If-Match`; no credentials are sent either time."""
    store.put(NAME, picture)
    wire.cut = 4000
    path = client.image(wire.before(store.sign(NAME, HOUR))).save(tmp_path / "picture.png")
    assert path.read_bytes() == picture
    first, second = wire.seen
    assert "range" not in first
    assert second["range"] == "bytes=4000-"
    assert second["if-match"].strip('"')
    assert not {"authorization", "cookie", "referer", "api-key"} & (first.keys() | second.keys())


def test_an_image_replaced_meanwhile_is_never_mixed(
    store: Store, client: dalle2.Client, picture: bytes, uploads: Path, wire: Wire
) -> None:
    """One of the same length takes its place between two attempts: that one comes whole, or an error."""
    other = (uploads / "mask.png").read_bytes()
    assert len(other) == len(picture)
    store.put(NAME, picture)
    wire.cut = 4000
    wire.after = lambda: store.put(NAME, other)
    image = client.image(wire.before(store.sign(NAME, HOUR)))
    try:
        assert image.read() == other
    except dalle2.DownloadError:
        assert not store.checks_match


def test_bytes_that_changed_on_the_way_are_fetched_again(
    azurite: Store, client: dalle2.Client, wire: Wire
) -> None:
    """Azure's `Content-MD5` shows a flipped bit in a JPEG, which neither length nor format do."""
    frame, scan = "ffc0000b080100010001011100", "ffda000801010000" + "3f00"
    picture = bytes.fromhex("ffd8" + frame + scan) + bytes(5000) + bytes.fromhex("ffd9")
    azurite.put("picture.jpg", picture)
    wire.flip = 2500
    assert client.image(wire.before(azurite.sign("picture.jpg", HOUR))).read() == picture
    assert ["range" in headers for headers in wire.seen] == [False, False]


def test_a_public_api_does_not_lead_to_a_store_on_loopback(store: Store, picture: bytes) -> None:
    """The same good URL is refused by a client whose API lives elsewhere; nothing is sent."""
    store.put(NAME, picture)
    with (
        dalle2.Client("sk-test", base_url="https://images.example.com/v1") as client,
        pytest.raises(dalle2.DownloadError) as raised,
    ):
        client.image(store.sign(NAME, HOUR)).read()
    assert raised.value.reason == "forbidden"
