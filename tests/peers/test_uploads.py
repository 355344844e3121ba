"""`image.upload` into stores of other people: Azurite (Azure Blob Storage) and s3rver (S3)."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import boto3
import pytest
from azure.storage.blob import BlobServiceClient
from botocore.config import Config

import dalle2
from dalle2 import bulk

NAME = "org-x/img 1+\u00fc #%20.png"
ACCOUNT = "devstoreaccount1"
# Azurite's own well-known key, the same on every machine: https://learn.microsoft.com/azure/storage/common/storage-use-azurite
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="

Read = Callable[[str], tuple[bytes, str | None]]
"""Bytes and media type of an object, as the vendor's own package reads them."""


@pytest.fixture(scope="module")
def azurite(
    running: Callable[..., AbstractContextManager[str]], npm: Path
) -> Iterator[tuple[str, BlobServiceClient]]:
    """Azurite's blob service, with the container `pictures`."""
    script = npm / "node_modules" / "azurite" / "dist" / "src" / "blob" / "main.js"
    options = ["--inMemoryPersistence", "--disableTelemetry", "--skipApiVersionCheck"]
    address = ["--blobHost", "127.0.0.1", "--blobPort", "0"]
    with contextlib.ExitStack() as stack:
        origin = stack.enter_context(running(["node", script, *options, *address], r"listens on (http\S+)"))
        service = stack.enter_context(BlobServiceClient(f"{origin}/{ACCOUNT}", credential=KEY))
        service.create_container("pictures")
        yield origin, service


@pytest.fixture(params=["s3", "az"])
def read(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Read:
    """Each store in turn, its variables set."""
    if request.param == "s3":
        endpoint = request.getfixturevalue("s3rver")
        variables = {
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_ALLOW_HTTP": "true",
            "AWS_ACCESS_KEY_ID": "S3RVER",
            "AWS_SECRET_ACCESS_KEY": "S3RVER",
            "AWS_REGION": "us-east-1",
        }
        config = Config(s3={"addressing_style": "path"})

        def of_s3(name: str) -> tuple[bytes, str | None]:
            found = boto3.client("s3", config=config).get_object(Bucket="pictures", Key=name)
            return found["Body"].read(), found["ContentType"]

        reader: Read = of_s3
    else:
        origin, service = request.getfixturevalue("azurite")
        variables = {
            "AZURE_STORAGE_ACCOUNT_NAME": ACCOUNT,
            "AZURE_STORAGE_ACCOUNT_KEY": KEY,
            "AZURE_STORAGE_ENDPOINT": f"{origin}/{ACCOUNT}",
            "AZURE_ALLOW_HTTP": "true",
        }

        def of_azure(name: str) -> tuple[bytes, str | None]:
            blob = service.get_blob_client("pictures", name).download_blob()
            return blob.readall(), blob.properties.content_settings.content_type

        reader = of_azure
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return reader


@pytest.fixture
def root(request: pytest.FixtureRequest, read: Read) -> str:
    """The URL of the store's bucket or container."""
    return f"{request.node.callspec.params['read']}://pictures/"


@pytest.fixture
def client(base_url: str) -> Iterator[dalle2.Client]:
    """A client of the emulator."""
    with dalle2.Client("sk-test", base_url=base_url) as client:
        yield client


def test_the_object_is_whole_and_has_its_media_type(read: Read, root: str, client: dalle2.Client) -> None:
    """As the vendor's own package reads it, under the very name."""
    image = client.generate("a fox", size="256x256")[0]
    assert image.upload(root + NAME) == root + NAME
    assert read(NAME) == (image.read(), "image/png")
    with pytest.raises(FileExistsError):
        image.upload(root + NAME)
    other = client.generate("a dog", size="256x256")[0]
    assert other.upload(root + NAME, overwrite=True) == root + NAME
    assert read(NAME)[0] == other.read()


@pytest.mark.parametrize("read", ["az"], indirect=True)
def test_of_sixteen_writers_one_wins(read: Read, root: str, client: dalle2.Client) -> None:
    """On Azurite, which has the condition; s3rver has none, and mixes what is written at once."""
    images = [client.generate(f"picture {number}", size="256x256")[0] for number in range(16)]
    start, won = threading.Barrier(16), []

    def put(image: dalle2.ImageResult) -> None:
        image.read()
        start.wait()
        try:
            image.upload(f"{root}race.png")
            won.append(image)
        except FileExistsError:
            return

    threads = [threading.Thread(target=put, args=(image,)) for image in images]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [image.read() for image in won] == [read("race.png")[0]]


def test_a_container_that_is_not_there(read: Read, root: str, client: dalle2.Client) -> None:
    """It is told by its name."""
    image = client.generate("a fox", size="256x256")[0]
    with pytest.raises(FileNotFoundError, match="no such bucket") as caught:
        image.upload(root.replace("pictures", "nothing") + "a.png")
    assert caught.value.filename.endswith("nothing/a.png")


def test_a_wrong_key_of_azure_is_told_before_a_run(
    azurite: tuple[str, BlobServiceClient],
    monkeypatch: pytest.MonkeyPatch,
    client: dalle2.Client,
    tmp_path: Path,
) -> None:
    """And repeated nowhere."""
    wrong = "B" + KEY[1:]
    for name, value in {
        "AZURE_STORAGE_ACCOUNT_NAME": ACCOUNT,
        "AZURE_STORAGE_ACCOUNT_KEY": wrong,
        "AZURE_STORAGE_ENDPOINT": f"{azurite[0]}/{ACCOUNT}",
        "AZURE_ALLOW_HTTP": "true",
    }.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(PermissionError, match="AZURE_") as caught:
        bulk.run(client, ["a fox"], journal=tmp_path / "run.db", out="az://pictures/run")
    assert wrong not in repr(caught.value)


def test_a_run_ends_there_and_goes_on(read: Read, root: str, client: dalle2.Client, tmp_path: Path) -> None:
    """With sidecars; what was removed meanwhile is told."""
    out = f"{root}run/"
    report = bulk.run(client, ["a fox", "a dog"], journal=tmp_path / "run.db", out=out, provenance=True)
    assert report.complete
    assert read("run/1-1.png")[1] == "image/png"
    assert read("run/2-1.png.json")[1] == "application/json"
    assert bulk.resume(client, tmp_path / "run.db").complete
    with pytest.raises(dalle2.InvalidRequestError, match="this journal did not write"):
        bulk.run(client, ["a fox"], journal=tmp_path / "other.db", out=out)
