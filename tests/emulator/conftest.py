"""A short way to call the emulator without any client of this package."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import attrs
import httpx
import pytest

from dalle2.testing import Emulator
from dalle2.testing._png import Bitmap, encode


@attrs.frozen
class Api:
    """An emulator, and an HTTP client that is signed in to it."""

    emulator: Emulator
    http: httpx.Client
    base: str = "https://api.openai.com/v1"

    def post(self, path: str, **options: object) -> httpx.Response:
        """POST to a path below the base URL."""
        return self.http.post(self.base + path, **options)  # type: ignore[arg-type]

    def get(self, path: str) -> httpx.Response:
        """GET a path below the base URL."""
        return self.http.get(self.base + path)

    def generate(self, **body: object) -> httpx.Response:
        """Ask for pictures; the smallest of dall-e-2 unless said otherwise."""
        return self.post(
            "/images/generations", json={"model": "dall-e-2", "prompt": "a fox", "size": "256x256"} | body
        )

    def image_url(self) -> str:
        """The URL of one new picture."""
        return str(self.generate().json()["data"][0]["url"])

    def download(self, url: str, **headers: str) -> httpx.Response:
        """Fetch an image without the key."""
        with self.emulator.client() as bare:
            return bare.get(url, headers=headers)


MakeApi = Callable[..., Api]


@pytest.fixture
def make_api() -> Iterator[MakeApi]:
    """A factory of `Api`; the keywords go to `Emulator`."""
    made: list[Api] = []

    def make(base: str = "https://api.openai.com/v1", **options: object) -> Api:
        emulator = Emulator(**options)  # type: ignore[arg-type]
        http = emulator.client()
        http.headers["Authorization"] = f"Bearer {emulator.api_key}"
        made.append(Api(emulator, http, base))
        return made[-1]

    yield make
    for api in made:
        api.http.close()


@pytest.fixture
def api(make_api: MakeApi) -> Api:
    """The emulator as it comes, and a client signed in to it."""
    return make_api()


def png(
    width: int = 64, height: int | None = None, *, alpha: bool = True, colour: bytes = b"\x20\x60\xa0"
) -> bytes:
    """A PNG of one colour, its left half transparent if it has an alpha channel."""
    height = width if height is None else height
    left = width // 2
    row = (colour + b"\x00") * left + (colour + b"\xff") * (width - left) if alpha else colour * width
    return encode(Bitmap(width, height, 4 if alpha else 3, row * height))


@pytest.fixture
def make_png() -> Callable[..., bytes]:
    """`png(width, height=None, *, alpha=True, colour=...)`."""
    return png
