"""A paid call that is stopped from outside: the same exception goes on, and tells what may have been paid."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import signal
from collections.abc import Callable, Iterator
from typing import Any

import anyio
import pytest
import trio

import dalle2
from dalle2 import events
from dalle2.testing import Emulator

from ..faults.server import FaultServer

PNG = dalle2.mask_from_box(16, (0, 0, 8, 8))


@pytest.fixture
def told() -> list[events.Event]:
    """What the listener was told."""
    return []


def notes(error: BaseException) -> str:
    """The notes of an exception as one text."""
    return "\n".join(getattr(error, "__notes__", []))


def unknown(told: list[events.Event]) -> list[events.OutcomeUnknown]:
    """The events that count as spent."""
    return [event for event in told if isinstance(event, events.OutcomeUnknown)]


@contextlib.contextmanager
def alarm(seconds: float) -> Iterator[None]:
    """Ctrl-C, so many seconds from now."""

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def held_client(host: Any, kind: Callable[..., Any], **options: Any) -> Any:
    """A client of a host that answers nothing."""
    host.say([b""], held=True)
    return kind("sk-test", base_url=host.base_url, **options)


def test_ctrl_c_while_the_host_paints(host: Any, told: list[events.Event]) -> None:
    """The note names call and key, the event counts it, the budget stays spent, and the next call works."""
    budget = dalle2.Budget(max_images=3)
    client = held_client(host, dalle2.Client, on_event=told.append, budget=budget)
    with pytest.raises(KeyboardInterrupt) as caught, alarm(0.3):
        client.generate("a fox", idempotency_key="key-1")
    assert "generate may have been billed, idempotency key key-1" in notes(caught.value)
    (event,) = unknown(told)
    assert isinstance(event.error, dalle2.OutcomeUnknownError)
    assert (event.error.reason, event.error.idempotency_key) == ("cancelled", "key-1")
    assert event.error.request == dalle2.GenerateRequest(prompt="a fox", model="dall-e-2")
    assert budget.spent_images == 1
    host._answers.clear()
    host.say({"created": 1, "data": [{"url": "https://h.example/a.png"}]})
    assert len(client.generate("a fox")) == 1
    client.close()


def test_ctrl_c_before_anything_left_costs_nothing(told: list[events.Event]) -> None:
    """While it waits behind a rate limit nothing has been sent: no note, no event, the budget whole."""
    emulator, budget = Emulator(), dalle2.Budget(max_images=3)
    with dalle2.Client(
        "sk-test", http_client=emulator.client(), on_event=told.append, budget=budget
    ) as client:
        emulator.fail_next(429, retry_after=60)
        with pytest.raises(KeyboardInterrupt) as caught, alarm(0.2):
            client.generate("a fox")
        assert notes(caught.value) == ""
        assert unknown(told) == []
        assert budget.spent_images == 0


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_free_call_that_is_stopped_has_nothing_to_tell(host: Any, told: list[events.Event]) -> None:
    """Nothing of it can have been billed: no note, no event."""
    client = held_client(host, dalle2.AsyncClient, on_event=told.append)
    task = asyncio.create_task(client.list_models())
    while not host.asked:
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError) as caught:
        await task
    assert (notes(caught.value), unknown(told)) == ("", [])
    await client.aclose()


@pytest.mark.parametrize("way", ["cancel", "timeout", "sibling", "trio"])
def test_a_task_that_is_stopped_tells_it_too(host: Any, told: list[events.Event], way: str) -> None:
    """By `cancel()`, by `asyncio.timeout`, by a sibling's failure, by trio's scope: note, event, budget."""
    budget = dalle2.Budget(max_images=3)
    client = held_client(host, dalle2.AsyncClient, on_event=told.append, budget=budget)
    seen: list[BaseException] = []

    async def paint() -> None:
        try:
            await client.generate("a fox", idempotency_key="key-1")
        except BaseException as error:
            seen.append(error)
            raise

    async def until_sent(sleep: Callable[[float], Any]) -> None:
        while not host.asked:
            await sleep(0.01)

    async def on_asyncio() -> None:
        if way == "timeout":
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.5):
                    await paint()
        elif way == "cancel":
            task = asyncio.create_task(paint())
            await until_sent(asyncio.sleep)
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        else:
            with contextlib.suppress(BaseExceptionGroup):
                async with asyncio.TaskGroup() as group:
                    group.create_task(paint())
                    await until_sent(asyncio.sleep)
                    raise LookupError("a sibling")
        await client.aclose()

    async def on_trio() -> None:
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(paint)
                await until_sent(trio.sleep)
                scope.cancel()
        await client.aclose()

    if way == "trio":
        trio.run(on_trio)
    else:
        asyncio.run(on_asyncio())
    (error,) = seen
    assert isinstance(error, (asyncio.CancelledError, trio.Cancelled))
    assert "may have been billed, idempotency key key-1" in notes(error)
    assert [event.error.idempotency_key for event in unknown(told)] == ["key-1"]  # type: ignore[attr-defined]
    assert budget.spent_images == 1


def test_of_split_calls_an_interrupt_keeps_what_was_paid_for(host: Any) -> None:
    """The images of the calls before are with it, and their whole URLs in the note."""
    url = "https://h.example/a.png?sig=abc"
    host.say({"output": [{"type": "message", "content": [{"type": "output_text", "text": f"![a]({url})"}]}]})
    host.say([b""], held=True)
    client = dalle2.Client("sk-test", provider="cometapi-responses", base_url=host.base_url, split_n=True)
    with pytest.raises(KeyboardInterrupt) as caught, alarm(0.4):
        client.generate("a fox", n=2)
    assert url in notes(caught.value)
    assert "may have been billed" in notes(caught.value)
    (kept,) = caught.value.images  # type: ignore[attr-defined]
    assert (kept.url, type(kept)) == (url, dalle2.ImageResult)
    client.close()


def sse(name: str, **fields: object) -> bytes:
    """One server-sent event with an image."""
    data = {"type": name, "b64_json": base64.b64encode(PNG).decode(), "created_at": 1, **fields}
    return f"event: {name}\ndata: {json.dumps(data)}\n\n".encode()


@pytest.mark.parametrize("whole", [False, True])
def test_a_stream_that_is_stopped_keeps_its_images(host: Any, told: list[events.Event], whole: bool) -> None:
    """What came is with the interrupt; a stream that had its last image is no unknown outcome."""
    name = "completed" if whole else "partial_image"
    host.say([sse(f"image_generation.{name}", partial_image_index=0)], kind="text/event-stream", held=True)
    client = dalle2.Client("sk-test", base_url=host.base_url, model="gpt-image-2", on_event=told.append)
    came = []
    try:
        with alarm(0.4):
            for event in client.stream("a fox", partial_images=1):
                came.append(event)
    except KeyboardInterrupt as stopped:
        assert not whole
        assert "may have been billed" in notes(stopped)
        assert len(stopped.images) == 1  # type: ignore[attr-defined]
    assert len(came) == 1
    assert len(unknown(told)) == (0 if whole else 1)
    client.close()


def test_a_stream_that_is_stopped_after_its_last_image_is_a_success(
    host: Any, told: list[events.Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C behind the final image, before the stream has ended: no note, no unknown outcome."""

    def stopped(reader: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("dalle2._calls._stream.StreamReader.finish", stopped)
    host.say([sse("image_generation.completed")], kind="text/event-stream", held=True)
    with dalle2.Client(
        "sk-test", base_url=host.base_url, model="gpt-image-2", on_event=told.append
    ) as client:
        stream: Any = iter(client.stream("a fox"))
        assert isinstance(next(stream), dalle2.FinalImage)
        with pytest.raises(KeyboardInterrupt) as caught:
            next(stream)
    assert (notes(caught.value), unknown(told)) == ("", [])


@pytest.mark.parametrize("kind", ["sync", "asyncio", "trio"])
def test_an_interrupt_while_half_an_answer_is_told_keeps_that_half(kind: str, host: Any) -> None:
    """It comes between the answer and its error, here in a listener that stops all that it is told."""
    host.say({"created": 1, "data": [{"url": f"{host.origin}/a.png"}, {"url": None}]})

    def stop(event: events.Event) -> None:
        if not isinstance(event, events.AttemptStarted):
            raise KeyboardInterrupt(type(event).__name__)

    async def main() -> None:
        async with dalle2.AsyncClient("sk-test", base_url=host.base_url, on_event=stop) as client:
            await client.generate("a fox", n=2)

    with pytest.raises(KeyboardInterrupt, match="AttemptFailed") as caught:
        if kind == "sync":
            with dalle2.Client("sk-test", base_url=host.base_url, on_event=stop) as client:
                client.generate("a fox", n=2)
        else:
            anyio.run(main, backend=kind)
    assert [image.url for image in getattr(caught.value, "images", ())] == [f"{host.origin}/a.png"]
    assert "may have been billed" in notes(caught.value)
    assert f"not handed over: {host.origin}/a.png" in notes(caught.value)


def test_an_exception_that_nobody_foresaw_is_an_unknown_outcome() -> None:
    """Once a paid request has left, whatever is raised says that it may have been billed."""

    class Odd(Exception):
        pass

    with FaultServer() as server, dalle2.Client("sk-test", base_url=server.origin) as client:
        opened = client._transport.open

        def broken(*args: Any, **more: Any) -> Any:
            answer = opened(*args, **more)
            with answer:
                pass
            raise Odd("Bearer sk-test")

        client._transport.open = broken  # type: ignore[method-assign]
        with pytest.raises(dalle2.OutcomeUnknownError, match="Odd in this process") as caught:
            client.generate("a fox")
        assert caught.value.__cause__ is None
        assert "sk-test" not in str(caught.value)
        with pytest.raises(dalle2.OutcomeUnknownError):
            next(client.stream("a fox", model="gpt-image-2"))


def test_the_next_awaited_call_works_after_many_cancels(host: Any) -> None:
    """Twenty calls are stopped at whatever step they are; then one goes through at once."""
    host.say({"created": 1, "data": [{"url": "https://h.example/a.png"}]})

    async def main() -> None:
        async with dalle2.AsyncClient("sk-test", base_url=host.base_url) as client:
            for turn in range(20):
                task = asyncio.create_task(client.generate("a fox"))
                for _ in range(turn):
                    await asyncio.sleep(0)
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
            with anyio.fail_after(5):
                assert len(await client.generate("a fox")) == 1

    asyncio.run(main())
