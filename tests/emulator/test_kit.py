"""What a test of your own code gets: time that passes, calls that take time, keys, and statements."""

from __future__ import annotations

import subprocess
import sys
import threading
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import pytest

import dalle2
from dalle2.testing import Emulator, embedded_emulator
from dalle2.testing.embedded import stop_embedded

QUICK = dalle2.RetryPolicy(initial=0.001, max_delay=0.002, max_attempts=9)
GPT: dict[str, Any] = {"model": "gpt-image-2", "prompt": "a fox", "size": "816x816", "stream": True}


# --- time ---------------------------------------------------------------------------------------------------


@pytest.mark.anyio
async def test_images_follow_the_clock_of_an_emulator_in_process() -> None:
    """Moving the emulator's clock ages what is held already, blocking and awaited, in either direction."""
    emulator = Emulator()
    client = dalle2.Client("sk-test", http_client=emulator.client())
    (image,) = client.generate("a fox", size="256x256")
    async with emulator.async_client() as http:
        (awaited,) = await dalle2.AsyncClient("sk-test", http_client=http).generate("a fox", size="256x256")
    for one in (image, awaited):
        assert not one.is_expired
    emulator.clock.advance(3601)
    for one in (image, awaited):
        assert one.is_expired
        assert one.expires_in == 0
    with pytest.raises(dalle2.ImageExpiredError):
        image.read()
    (later,) = client.with_options(model="dall-e-2").generate("a fox", size="256x256")
    assert 3590 < (later.expires_in or 0) <= 3600
    emulator.clock.advance(-3601)
    assert not image.is_expired
    assert image.read().startswith(b"\x89PNG")


def test_images_follow_the_embedded_emulator() -> None:
    """With `provider="emulator"` the process's own emulator has the clock, and the bills."""
    try:
        with dalle2.Client(provider="emulator") as client:
            (image,) = client.generate("a fox", size="256x256")
            embedded_emulator().clock.advance(3601)
            assert image.is_expired
        assert [record.prompt for record in embedded_emulator().billed] == ["a fox"]
    finally:
        stop_embedded()


def test_no_host_moves_the_clock_by_what_it_sends() -> None:
    """Over a socket an emulator is a host like any: what it serves cannot age an image that is held."""
    emulator = Emulator()
    with emulator.serve() as server, dalle2.Client("sk-test", base_url=server.base_url) as client:
        (image,) = client.generate("a fox", size="256x256")
        emulator.clock.advance(3601)
        assert not image.is_expired


# --- calls that take time -----------------------------------------------------------------------------------


def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that the emulator's clients and servers sleep, which then pass at once."""
    seconds: list[float] = []

    async def sleep(wait: float) -> None:
        seconds.append(wait)

    def wait(event: threading.Event, timeout: float | None = None) -> bool:
        seconds.append(timeout or 0.0)
        return False

    monkeypatch.setattr("dalle2.testing._clients.time.sleep", seconds.append)
    monkeypatch.setattr("dalle2.testing._clients.anyio.sleep", sleep)
    monkeypatch.setattr("dalle2.testing._server._Stopping.wait", wait)
    return seconds


@pytest.mark.anyio
@pytest.mark.parametrize("way", ["blocking", "awaited", "served"])
async def test_a_paid_call_takes_its_time(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a paid call does; what a stream sends is spread over it."""
    emulator, waits = Emulator(latency=3.0), slept(monkeypatch)
    emulator.fail_next(400)
    calls: list[dict[str, Any]] = [
        {"json": {"model": "dall-e-2", "prompt": "refused"}},
        {"json": {"model": "dall-e-2", "prompt": "a fox", "size": "256x256"}},
        {"json": {**GPT, "partial_images": 2}},
    ]
    headers = {"Authorization": "Bearer sk-test"}
    if way == "awaited":
        async with emulator.async_client() as http:
            for call in calls:
                await http.post("https://h.example/v1/images/generations", headers=headers, **call)
            await http.get("https://h.example/v1/models", headers=headers)
    elif way == "blocking":
        with emulator.client() as http:
            for call in calls:
                http.post("https://h.example/v1/images/generations", headers=headers, timeout=None, **call)
            http.get("https://h.example/v1/models", headers=headers)
    else:
        with emulator.serve() as server, httpx.Client(base_url=server.base_url, headers=headers) as http:
            for call in calls:
                http.post("images/generations", **call)
            http.get("models")
    assert [wait for wait in waits if wait] == [3.0, 1.0, 1.0, 1.0]


@pytest.mark.anyio
async def test_a_call_that_takes_longer_than_the_caller_waits_times_out() -> None:
    """As over a connection: the call was carried out, and its answer never came."""
    emulator = Emulator(latency=3600)
    client = dalle2.Client("sk-test", http_client=emulator.client(), timeout=0.01)
    with pytest.raises(dalle2.OutcomeUnknownError) as caught:
        client.generate("a fox")
    assert caught.value.reason == "timeout"
    async with emulator.async_client() as http:
        awaited = dalle2.AsyncClient("sk-test", http_client=http, timeout=0.01)
        with pytest.raises(dalle2.OutcomeUnknownError):
            await awaited.generate("a fox")
        with pytest.raises(dalle2.OutcomeUnknownError):
            async for _ in awaited.stream("a fox", model="gpt-image-2", size="816x816"):
                pass
    with pytest.raises(dalle2.OutcomeUnknownError):
        list(client.stream("a fox", model="gpt-image-2", size="816x816"))
    assert len(emulator.billed) == 4


@pytest.mark.parametrize("latency", [-1, float("nan"), float("inf"), True, 4000])
def test_a_latency_is_a_number_of_seconds(latency: float) -> None:
    """What cannot be waited for is refused when the emulator is made."""
    with pytest.raises(ValueError, match="latency="):
        Emulator(latency=latency)


# --- idempotency keys ---------------------------------------------------------------------------------------


def post(emulator: Emulator, key: str | None = "k1", **body: Any) -> httpx.Response:
    """One paid request under a key."""
    headers = {"Authorization": "Bearer sk-test"} | ({"Idempotency-Key": key} if key else {})
    body = {"model": "dall-e-2", "prompt": "a fox", "size": "256x256"} | body
    with emulator.client() as http:
        return http.post("https://h.example/v1/images/generations", headers=headers, json=body)


def test_a_key_that_is_honoured_is_billed_once() -> None:
    """The same answer, byte for byte; another key, or none, is another call."""
    emulator = Emulator(honours_keys=True)
    first, again = post(emulator), post(emulator)
    assert (again.status_code, again.content) == (200, first.content)
    emulator.assert_billed(1)
    assert post(emulator, "k2").content != first.content
    assert post(emulator, None).content != post(emulator, None).content
    emulator.assert_billed(4)


def test_a_key_is_for_one_request() -> None:
    """Under another request it is a mistake; after a refusal it is free again; what is old is forgotten."""
    emulator = Emulator(honours_keys=True, keep=2)
    assert post(emulator, prompt="unsafe").status_code == 400
    assert post(emulator).status_code == 200
    mistake = post(emulator, prompt="a wolf")
    assert (mistake.status_code, mistake.json()["error"]["type"]) == (400, "idempotency_error")
    for key in ("k2", "k3"):
        post(emulator, key)
    assert post(emulator, prompt="a wolf").status_code == 200


def test_a_stream_and_a_form_are_honoured_too(make_png: Any) -> None:
    """A stream is sent again event by event; a form is the same under another boundary."""
    emulator = Emulator(honours_keys=True)
    assert post(emulator, **GPT).content == post(emulator, **GPT).content
    client = dalle2.Client("sk-test", http_client=emulator.client())
    images = [client.edit(make_png(), "a hat", idempotency_key="k2")[0].url for _ in range(2)]
    assert images[0] == images[1]
    emulator.assert_billed(2)


@pytest.mark.parametrize("cause", ["disconnect", "timeout"])
def test_a_lost_answer_comes_at_the_second_try(cause: Any) -> None:
    """With `ambiguous="retry"` the image that was paid for is handed over after all."""
    emulator = Emulator(honours_keys=True)
    emulator.lose_next(cause=cause)
    policy = dalle2.RetryPolicy(initial=0.001, ambiguous="retry")
    client = dalle2.Client("sk-test", http_client=emulator.client(), retry=policy)
    assert client.generate("a fox", size="256x256")[0].read().startswith(b"\x89PNG")
    emulator.assert_billed(1)
    emulator.assert_sent("/images/generations", 2, prompt="a fox")


def test_a_call_that_still_runs_is_waited_for() -> None:
    """The host answers 409 and when to ask again, the client does, and gets the first call's answer."""
    emulator = Emulator(honours_keys=True, latency=0.2)
    policy = dalle2.RetryPolicy(initial=0.001, ambiguous="retry", max_attempts=6)
    client = dalle2.Client("sk-test", http_client=emulator.client(), retry=policy, timeout=0.02)
    assert len(client.generate("a fox", size="256x256")) == 1
    emulator.assert_billed(1)
    conflict = dalle2.Client(
        "sk-test", http_client=emulator.client(), timeout=0.02, retry=dalle2.RetryPolicy.none()
    )
    for kind in (dalle2.OutcomeUnknownError, dalle2.ConflictError):
        with pytest.raises(kind) as caught:
            conflict.generate("a wolf", idempotency_key="k9")
        assert caught.value.maybe_billed
    assert caught.value.retry_after is not None  # type: ignore[attr-defined]


def test_a_conflict_is_not_repeated_unasked() -> None:
    """Without `ambiguous="retry"` a call that is under way elsewhere is told, not repeated."""
    error = dalle2.ConflictError("running", status_code=409, maybe_billed=True)
    assert not QUICK.repeats(error, paid=True)
    retrying = dalle2.RetryPolicy(ambiguous="retry")
    assert retrying.repeats(error, paid=True)
    assert not retrying.repeats(dalle2.ConflictError("no", status_code=409, maybe_billed=False), paid=True)


# --- statements ---------------------------------------------------------------------------------------------


@pytest.fixture
def used(make_png: Any) -> Emulator:
    """An emulator that painted and edited."""
    emulator = Emulator()
    client = dalle2.Client("sk-test", http_client=emulator.client())
    client.generate("a fox", n=2, size="256x256")
    client.edit(make_png(), "a hat", n=1)
    client.list_models()
    return emulator


def test_what_was_billed_can_be_stated(used: Emulator) -> None:
    """So many, or at least one, like this."""
    used.assert_billed()
    used.assert_billed(2)
    used.assert_billed(1, prompt="a fox", n=2, size="256x256", model="dall-e-2", operation="generate")
    used.assert_billed(0, prompt="a wolf")
    used.assert_billed(idempotency_key=used.billed[1].idempotency_key)
    with pytest.raises(AssertionError, match=r"expected 1 request\(s\) billed, found 2\. There was:\n  pro"):
        used.assert_billed(1)
    with pytest.raises(AssertionError, match="at least one request billed with prompt='a wolf', found 0"):
        used.assert_billed(prompt="a wolf")
    with pytest.raises(AssertionError, match="There was:\n  nothing"):
        Emulator().assert_billed()


def test_what_was_sent_can_be_stated(used: Emulator) -> None:
    """By path and parameters, of JSON and forms alike; `None` says that one was left out."""
    used.assert_sent("/images/generations", 1, prompt="a fox", n=2, quality=None)
    used.assert_sent("/images/edits", prompt="a hat", n=1)
    used.assert_sent("/models", 1)
    used.assert_sent("/images/variations", 0)
    with pytest.raises(AssertionError, match=r"sent to /images/edits with n=5, found 0.*\n.*POST /v1/images"):
        used.assert_sent("/images/edits", n=5)


# --- pytest -------------------------------------------------------------------------------------------------

PROJECT = {
    "shop.py": '''
import dalle2

def picture_of(title, client):
    """The code under test: one image, saved."""
    image = client.generate(f"Studio photo of {title}", size="256x256")[0]
    return image.save(title)
''',
    "test_shop.py": """
from datetime import date
import dalle2, pytest, shop
pytestmark = pytest.mark.dalle2_emulator(images_per_minute=9)

def client(emulator, **options):
    return dalle2.Client("sk-test", http_client=emulator.client(), **options)

def test_one_picture_is_paid_for(dalle2_emulator, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = shop.picture_of("mug", client(dalle2_emulator))
    assert path.read_bytes().startswith(b"\\x89PNG")
    dalle2_emulator.assert_billed(1, prompt="Studio photo of mug", size="256x256")
    dalle2_emulator.assert_sent("/images/generations", response_format=None)

def test_nothing_is_paid_for_a_bad_size(dalle2_emulator):
    with pytest.raises(dalle2.InvalidRequestError):
        client(dalle2_emulator).generate("a mug", size="1x1")
    dalle2_emulator.assert_billed(0)

@pytest.mark.dalle2_emulator(today=date(2026, 6, 1))
def test_after_the_retirement(dalle2_emulator):
    with pytest.raises(dalle2.ModelRetiredError):
        shop.picture_of("mug", client(dalle2_emulator, model="dall-e-2"))

@pytest.mark.dalle2_emulator(latency=5.0)
def test_a_slow_host(dalle2_emulator):
    with pytest.raises(dalle2.OutcomeUnknownError):
        shop.picture_of("mug", client(dalle2_emulator, timeout=0.05))
    dalle2_emulator.assert_billed(1)

def test_an_old_url(dalle2_emulator):
    image = client(dalle2_emulator).generate("a mug")[0]
    dalle2_emulator.clock.advance(3601)
    assert image.is_expired

@pytest.mark.anyio
async def test_awaited(dalle2_emulator):
    async with dalle2.AsyncClient("sk-test", http_client=dalle2_emulator.async_client()) as c:
        assert len(await c.generate("a mug", n=2)) == 2
""",
    "test_wrong.py": """
import pytest

@pytest.mark.dalle2_emulator("openai")
def test_by_position(dalle2_emulator): ...

@pytest.mark.dalle2_emulator(latencey=1)
def test_misspelt(dalle2_emulator): ...

@pytest.mark.dalle2_emulator(persona="nobody")
def test_nobody(dalle2_emulator): ...
""",
}
ROOT = Path(dalle2.__file__).parents[1]
PLUGINS = ["-p", "dalle2.testing.pytest_plugin", "-p", "anyio"]


def test_a_project_of_its_own_tests_its_code(tmp_path: Path) -> None:
    """A folder with one module and its tests, run by another pytest: all statements hold, and a wrong marker
    is told in a sentence.
    """
    for name, text in PROJECT.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "--strict-markers", "-p", "no:cacheprovider", *PLUGINS]
    environment = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": f"{ROOT}", "PATH": ""}
    run = subprocess.run(
        [*command, "test_shop.py", "test_wrong.py"],
        cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert "3 errors" in run.stdout, run.stdout + run.stderr
    assert "7 passed" in run.stdout  # `anyio` runs the awaited one under asyncio and trio
    assert "takes keyword arguments only" in run.stdout
    assert "latencey" in run.stdout
    assert "persona='nobody'" in run.stdout


def test_options_of_a_marker_reach_the_fixture(request: pytest.FixtureRequest) -> None:
    """They are the emulator's own."""
    request.node.add_marker(pytest.mark.dalle2_emulator(today=date(2026, 6, 1), persona="azure"))
    emulator: Emulator = request.getfixturevalue("dalle2_emulator")
    assert (emulator.today, emulator.persona) == (date(2026, 6, 1), "azure")


@pytest.mark.parametrize(
    ("marker", "words"),
    [
        (pytest.mark.dalle2_emulator("openai"), "keyword arguments only"),
        (pytest.mark.dalle2_emulator(latencey=1), "latencey"),
        (pytest.mark.dalle2_emulator(persona="nobody"), "persona='nobody'"),
    ],
)
def test_a_wrong_marker_is_told(marker: Any, words: str, request: pytest.FixtureRequest) -> None:
    """In a sentence that names the marker."""
    request.node.add_marker(marker)
    with pytest.raises(pytest.UsageError, match=f"pytest.mark.dalle2_emulator.*{words}"):
        request.getfixturevalue("dalle2_emulator")
