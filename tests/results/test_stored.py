"""What a pickled result keeps: plain values under public names, no key, no connections."""

from __future__ import annotations

import copy
import io
import pickle
from datetime import UTC, date, datetime
from typing import Any

import pytest

import dalle2
from dalle2._http import Timeouts
from dalle2._image._data import ImageData
from dalle2._results._fetch import AsyncFetcher, Fetcher
from dalle2._results._origins import Fetching, Origins
from dalle2._secrets import Secret
from dalle2.catalog import Price
from dalle2.retry import RetryPolicy
from dalle2.testing import Emulator

from ..faults.server import IMAGE

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
URL = "https://images.example.com/private/img.png?sig=x&se=2026-06-01T13%3A00%3A00Z"
KINDS = [
    (dalle2.ImageResult, Fetcher),
    (dalle2.AsyncImageResult, AsyncFetcher),
]


def modules(packed: bytes) -> set[str]:
    """The modules that a pickle names."""
    found: set[str] = set()

    class Reader(pickle.Unpickler):
        def find_class(self, module: str, name: str) -> Any:
            found.add(module)
            return super().find_class(module, name)

    Reader(io.BytesIO(packed)).load()
    return found


def full(kind: Any, fetcher: Any) -> Any:
    """A result of which everything is known, of a client with a key and settings of its own."""
    image = ImageData.of_url(URL, created=NOW, model="dall-e-2")
    how = Fetching(
        policy=RetryPolicy(max_attempts=7, deadline=9.0),
        origins=Origins.of("http://127.0.0.1:8080/v1", ("images.lan",)),
        key=("Authorization", Secret("Bearer sk-secret")),
        timeouts=Timeouts(1.0, 2.0, None, 4.0),
        user_agent="dalle2/test",
    )
    more = {"revised_prompt": "a red fox", "prompt": "a fox", "extra": {"seed": 7}, "content": b"GIF89a"}
    return kind(image._replace(**more), fetcher(None, how))


@pytest.mark.parametrize(("kind", "fetcher"), KINDS)
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_result_travels_whole_and_without_its_key(kind: Any, fetcher: Any, protocol: int) -> None:
    """All that is known of it, and how patiently to fetch it; under public names only."""
    result = full(kind, fetcher)
    packed = pickle.dumps(result, protocol)
    assert b"secret" not in packed
    public = {"dalle2.pickling", "datetime", "copyreg", "builtins", "__builtin__", "_codecs"}
    assert modules(packed) <= public
    other = pickle.loads(packed)
    assert type(other) is kind
    assert other == result
    assert other._data.sound == result._data.sound
    one, two = result._fetcher.how, other._fetcher.how
    for name in ("origins", "policy", "timeouts", "user_agent", "largest", "longest"):
        assert getattr(two, name) == getattr(one, name)
    assert two.key is None
    assert two.shared is not one.shared
    bare = pickle.loads(pickle.dumps(kind(ImageData(NOW)), protocol))
    assert (bare._fetcher.how.policy, bare._fetcher.how.timeouts, bare.expires_at) == (None, None, None)


@pytest.mark.parametrize(("kind", "fetcher"), KINDS)
def test_a_copy_stays_on_the_same_connections(kind: Any, fetcher: Any) -> None:
    """Copying in one process is no journey: the copy keeps the key and what the client's calls share."""
    result = full(kind, fetcher)
    for other in (copy.copy(result), copy.deepcopy(result)):
        assert other == result
        assert other is not result
        assert other._fetcher is result._fetcher


def of_a_call(**options: Any) -> dalle2.Images:
    """The images of one call."""
    emulator = Emulator()
    with emulator.client() as http, dalle2.Client("sk-test", http_client=http, **options) as client:
        return client.generate("a fox", n=2, size="256x256")


def test_the_images_of_a_call_travel_with_what_was_said_of_them() -> None:
    """Request, usage, cost by the caller's own prices, and the changes that a successor asked for."""
    prices = dalle2.PriceTable(date(2026, 1, 1), {"dall-e-2": Price("x", {("", "256x256"): 0.5}, exact=True)})
    images = of_a_call(prices=prices)
    images._data = images._data._replace(
        usage=dalle2.Usage(total_tokens=7),
        adaptations=(dalle2.Adaptation("style", "vivid", None, "not taken"),),
        scale=(256, 256),
    )
    packed = pickle.dumps(images)
    assert {name for name in modules(packed) if "._" in name} <= modules(pickle.dumps(images.request))
    for other in (pickle.loads(packed), copy.copy(images), copy.deepcopy(images)):
        assert type(other) is dalle2.Images
        assert list(other) == list(images)
        for name in ("request", "usage", "adaptations", "created", "model", "request_id", "extra", "cost"):
            assert getattr(other, name) == getattr(images, name)
        assert other.cost == 1.0
        assert other._data.scale == (256, 256)
    plain = of_a_call()
    assert pickle.loads(pickle.dumps(plain)).cost == plain.cost == 0.032
    deep = copy.deepcopy(plain)
    deep[0]._hold(IMAGE, "image/png")
    assert plain[0].content is None


def test_awaited_images_travel_as_what_they_are() -> None:
    """The twin comes back as the twin."""
    images = of_a_call()
    awaited = dalle2.AsyncImages.of(images._data, AsyncFetcher())
    other = pickle.loads(pickle.dumps(awaited))
    assert type(other) is dalle2.AsyncImages
    assert list(other) == list(awaited)


def test_public_classes_show_a_public_module() -> None:
    """What help, tracebacks and documentation tools show."""
    for kind in (dalle2.ImageResult, dalle2.AsyncImageResult, dalle2.Images, dalle2.AsyncImages):
        assert kind.__module__ == "dalle2"
        assert getattr(dalle2, kind.__qualname__) is kind
