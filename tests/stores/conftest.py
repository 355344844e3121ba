"""An emulator and its client, and stores on this machine: memory, a directory, a bucket on loopback."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import obstore.store
import pytest

import dalle2
from dalle2._stores import _bucket
from dalle2.testing import Emulator

from .bucket import Bucket, serving

KEY_ID, SECRET = "AKIDLOOPBACKONLY0001", "wJalrXUtnFEMIloopbackONLYsecret/key0001"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings of no store but those that a test makes, and waits that a test need not sit through."""
    import os

    for name in list(os.environ):
        if name.startswith(("AWS_", "GOOGLE_", "AZURE_", "AZURITE_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setattr(_bucket, "WAITS", (0.01, 0.01, 0.01))


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    """The bucket `s3://pictures/`, with the settings that lead to it."""
    with serving() as bucket:
        for name, value in settings(bucket.endpoint).items():
            monkeypatch.setenv(name, value)
        yield bucket


def settings(endpoint: str) -> dict[str, str]:
    """The environment variables of a bucket on loopback."""
    return {
        "AWS_ACCESS_KEY_ID": KEY_ID,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ALLOW_HTTP": "true",
    }


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The store behind `memory://`, empty."""
    store = obstore.store.MemoryStore()
    monkeypatch.setattr(_bucket, "_memory", cache(lambda: store))
    return store


@pytest.fixture
def emulator() -> Emulator:
    """A host in this process."""
    return Emulator()


@pytest.fixture
def client(emulator: Emulator) -> Iterator[dalle2.Client]:
    """A client of it."""
    with dalle2.Client("sk-test", http_client=emulator.client()) as client:
        yield client


@pytest.fixture
def image(client: dalle2.Client) -> dalle2.ImageResult:
    """An image that is still to be fetched."""
    return client.generate("a corgi, with a hat", size="256x256")[0]


def keys(store: Any) -> dict[str, bytes]:
    """All that is in a store of obstore."""
    found = [entry["path"] for page in store.list() for entry in page]
    return {path: bytes(store.get(path).bytes()) for path in found}
