"""`dalle2.compat.install()` in the official `openai`: what it takes over, leaves, and puts back."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import httpx2
import openai
import pytest
from openai.resources.chat.completions import Completions
from openai.resources.images import AsyncImages, Images

import dalle2
from dalle2 import compat
from dalle2.testing import Emulator

METHODS = ("generate", "edit", "create_variation")
CHAT = {
    "id": "c-1",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Woof."}}],
}


@pytest.fixture(autouse=True)
def put_back() -> Iterator[None]:
    """Whatever a test does, the SDK is whole afterwards."""
    yield
    compat.uninstall()


def client_of(base_url: str, **options: Any) -> openai.OpenAI:
    """A client of the SDK."""
    return openai.OpenAI(api_key="sk-test", base_url=base_url, max_retries=0, **options)


def test_clients_that_exist_and_clients_to_come(emulator: Emulator, base_url: str) -> None:
    """Both make their image calls through us; the idempotency key, which the SDK does not send, shows it."""
    with client_of(base_url) as before:
        compat.install()
        with client_of(base_url) as after:
            for client in (before, after, before.with_options(timeout=20)):
                answer = client.images.generate(model="dall-e-2", prompt="a corgi", size="256x256")
                assert type(answer) is openai.types.ImagesResponse
                assert (emulator.requests[-1].headers["idempotency-key"]).startswith("dalle2-")
            compat.uninstall()
            for client in (before, after):
                client.images.generate(model="dall-e-2", prompt="a corgi", size="256x256")
                assert "idempotency-key" not in emulator.requests[-1].headers


def test_what_is_put_back_is_what_was_there() -> None:
    """The very objects, also after two installs; and nothing else was ever touched."""
    before = {(kind, name): vars(kind)[name] for kind in (Images, AsyncImages) for name in vars(kind)}
    others = dict(vars(Completions)), dict(vars(openai.OpenAI)), dict(vars(openai)), list(vars(Images))
    compat.install()
    compat.install(successor="auto")
    changed = [name for (kind, name), value in before.items() if vars(kind)[name] is not value]
    assert sorted(changed) == sorted(METHODS * 2)
    compat.uninstall()
    compat.uninstall()
    assert before == {(kind, name): vars(kind)[name] for kind in (Images, AsyncImages) for name in vars(kind)}
    assert others == (
        dict(vars(Completions)), dict(vars(openai.OpenAI)), dict(vars(openai)), list(vars(Images)),
    )  # fmt: skip


def test_chat_stays_as_it_is(emulator: Emulator, base_url: str) -> None:
    """The same client chats through the SDK, byte for byte as before, and paints through us."""
    asked: list[tuple[bytes, dict[str, str]]] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append((request.content, {n: v for n, v in request.headers.items() if n != "authorization"}))
        return httpx2.Response(200, json=CHAT)

    with client_of(
        "https://api.example.com/v1", http_client=httpx2.Client(transport=httpx2.MockTransport(answer))
    ) as client:
        for install in (False, True):
            if install:
                compat.install()
            said = client.chat.completions.create(model="m", messages=[{"role": "user", "content": "hi"}])
            assert said.choices[0].message.content == "Woof."
    assert asked[0] == asked[1]


@pytest.mark.parametrize("library", [httpx, httpx2])
def test_the_clients_own_http_client_is_used(library: Any, emulator: Emulator) -> None:
    """Proxies, certificates and transports that a script gave its client hold for our calls, too."""
    compat.install()
    seen = []

    def answer(request: Any) -> Any:
        seen.append(request)
        return library.Response(
            200, json={"created": 1, "data": [{"url": "https://images.example.com/1.png"}]}
        )

    with client_of(
        "https://api.example.com/v1", http_client=library.Client(transport=library.MockTransport(answer))
    ) as client:
        made = client.images.generate(prompt="a corgi", model="dall-e-2")
    assert made.data is not None
    assert made.data[0].url == "https://images.example.com/1.png"
    assert seen[0].headers["idempotency-key"]


def test_a_setting_changed_later_counts(emulator: Emulator, base_url: str) -> None:
    """The client is read at each call."""
    compat.install()
    with client_of(base_url) as client:
        client.api_key = "sk-wrong"
        with pytest.raises(openai.AuthenticationError):
            client.images.generate(prompt="a corgi", model="dall-e-2", size="256x256")
        client.api_key = "sk-test"
        assert client.images.generate(prompt="a corgi", model="dall-e-2", size="256x256").data


def test_errors_are_of_both_kinds(emulator: Emulator, base_url: str) -> None:
    """`except openai.X` and `except dalle2.X` both catch; a lost answer is none of what is repeated."""
    compat.install()
    with client_of(base_url) as client:
        emulator.fail_next(429, retry_after=7)
        with pytest.raises(openai.RateLimitError) as limited:
            client.images.generate(prompt="a corgi", model="dall-e-2")
        assert isinstance(limited.value, dalle2.RateLimitError)
        assert limited.value.response.headers["retry-after"] == "7"
        assert isinstance(limited.value.response, httpx2.Response)
        again = pickle.loads(pickle.dumps(limited.value))
        assert isinstance(again, openai.RateLimitError)
        assert again.status_code == 429
        emulator.lose_next()
        with pytest.raises(openai.APIError) as lost:
            client.images.generate(prompt="a corgi", model="dall-e-2", size="256x256")
        assert isinstance(lost.value, dalle2.OutcomeUnknownError)
        assert not isinstance(lost.value, openai.APIConnectionError)
        with pytest.raises(openai.BadRequestError, match="size"):
            client.images.generate(prompt="a corgi", model="dall-e-2", size="300x300")
    assert len(emulator.billed) == 1


def test_a_successor_answers_for_a_retired_model(uploads: Path) -> None:
    """A script that nobody touches gets its pictures: as data URIs, at the size that it asked for."""
    emulator = Emulator(today=date(2026, 6, 1))
    with emulator.serve() as server, client_of(server.base_url) as client:
        with pytest.raises(openai.BadRequestError):
            client.images.generate(prompt="a corgi", model="dall-e-2", size="1024x1024")
        compat.install(successor="auto")
        answer = client.images.generate(prompt="a corgi", model="dall-e-2", size="1024x1024")
        assert answer.data is not None
        assert (answer.data[0].url or "").startswith("data:image/png;base64,")
        compat.install()
        with pytest.raises(openai.BadRequestError):
            client.images.generate(prompt="a corgi", model="dall-e-2", size="1024x1024")


def test_what_the_page_shows_works(tmp_path: Path) -> None:
    """The two lines that `docs/compat.md` adds to a program, and the program, in a process of their own."""
    page = (Path(__file__).parents[2] / "docs" / "compat.md").read_text(encoding="utf-8")
    shown = page.partition("```diff\n")[2].partition("```")[0]
    script = tmp_path / "program.py"
    script.write_text("".join(f"{line[1:]}\n" for line in shown.splitlines()), encoding="utf-8")
    with Emulator(today=date(2026, 6, 1)).serve() as server:
        known = os.environ | {"OPENAI_API_KEY": "sk-test", "OPENAI_BASE_URL": server.base_url}
        command = [sys.executable, str(script)]
        done = subprocess.run(command, capture_output=True, text=True, env=known, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("data:image/png;base64,\n")
    assert "openai" in done.stdout


def test_what_is_not_supported_is_refused_before_it_pays(emulator: Emulator, base_url: str) -> None:
    """In one sentence of the SDK's own class, or by the SDK's own method."""
    compat.install()
    with client_of(base_url) as client:
        with (
            pytest.raises(openai.BadRequestError, match="with_raw_response"),
            client.images.with_streaming_response.generate(prompt="a corgi"),
        ):
            pass
        with pytest.raises(openai.BadRequestError, match="stream=True"):
            client.images.with_raw_response.generate(prompt="a corgi", stream=True)
        with pytest.raises(openai.BadRequestError, match="stream=True"):
            client.images.edit(image=b"", prompt="a hat", stream=True)
        with pytest.raises(TypeError, match="sise"):
            client.images.generate(prompt="a corgi", sise="256x256")  # type: ignore[call-overload]
        with pytest.raises(TypeError):
            client.images.generate("a corgi")  # type: ignore[call-overload]
    assert emulator.billed == []


def test_a_client_that_signs_in_otherwise_keeps_its_own_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bedrock has no key that could be sent: its calls are made as before."""
    compat.install()
    asked = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(dict(request.headers))
        return httpx2.Response(200, json={"created": 1, "data": []})

    client = openai.BedrockOpenAI(
        api_key="a-token",
        base_url="https://bedrock.example.com/v1",
        http_client=httpx2.Client(transport=httpx2.MockTransport(answer)),
    )
    client.images.generate(prompt="a corgi")
    assert "idempotency-key" not in asked[0]
