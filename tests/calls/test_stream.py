"""Streaming: events of every host and proxy, however their bytes fall, and what the end of a stream means."""

from __future__ import annotations

import base64
import io
import itertools
import json
import time
from collections.abc import Iterator
from contextlib import aclosing
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
import anyio.to_thread
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import dalle2
from dalle2 import events
from dalle2._calls._stream import StreamReader
from dalle2._wire._context import Context
from dalle2._wire._sse import EventParser
from dalle2.testing import TRIGGERS, Emulator

MODEL = "gpt-image-2"
SIZE = "816x816"
PNG = dalle2.mask_from_box(16, (0, 0, 8, 8))
B64 = base64.b64encode(PNG).decode()
PARTIAL = {"type": "image_generation.partial_image", "b64_json": B64, "partial_image_index": 0}
USAGE = {"total_tokens": 7, "input_tokens": 3, "output_tokens": 4}
FINAL = {"type": "image_generation.completed", "b64_json": B64, "usage": USAGE}
STREAM = "text/event-stream"
UNSAFE = f"a {next(iter(TRIGGERS))} corgi"


def client_of(emulator: Emulator, **options: Any) -> dalle2.Client:
    """A client on an emulated OpenAI, for a model that streams."""
    return dalle2.Client("sk-test", http_client=emulator.client(), **{"model": MODEL, **options})


def scripted(host: Any, **options: Any) -> dalle2.Client:
    """A client on a scripted host."""
    return dalle2.Client("sk-test", base_url=host.base_url, **{"model": MODEL, **options})


def lines(*documents: object) -> bytes:
    """The events of a stream, as OpenAI writes them."""
    parts = []
    for document in documents:
        name = document.get("type", "message") if isinstance(document, dict) else "message"
        parts.append(f"event: {name}\ndata: {json.dumps(document)}\n\n".encode())
    return b"".join(parts)


def kinds(found: list[Any]) -> list[str]:
    """The kinds of events, in order."""
    return [type(event).__name__ for event in found]


def test_partial_and_final_images_come_in_order(tmp_path: Path) -> None:
    """Each event holds an image that can be saved and shown; the final one tells its tokens."""
    with client_of(Emulator()) as client:
        found = list(client.stream("a corgi astronaut", partial_images=2, size=SIZE))
    assert kinds(found) == ["PartialImage", "PartialImage", "FinalImage"]
    assert [event.index for event in found if isinstance(event, dalle2.PartialImage)] == [0, 1]
    for number, event in enumerate(found):
        with Image.open(event.image.save(tmp_path / str(number))) as picture:
            assert picture.size == (816, 816)
        assert "image/png" in event.image._repr_mimebundle_()
    final = found[-1]
    assert isinstance(final, dalle2.FinalImage)
    assert final.usage is not None
    assert final.usage.image_tokens_in == 0
    assert final.adaptations == ()


@pytest.mark.anyio
@pytest.mark.parametrize("served", [False, True])
async def test_the_awaited_stream_gives_the_same(tmp_path: Path, served: bool) -> None:
    """In process and over real HTTP, on asyncio and trio."""
    emulator = Emulator()
    with emulator.serve() as server:
        where: dict[str, Any] = (
            {"base_url": server.base_url} if served else {"http_client": emulator.async_client()}
        )
        async with dalle2.AsyncClient("sk-test", model=MODEL, **where) as client:
            found = [event async for event in client.stream("a corgi astronaut", partial_images=1, size=SIZE)]
            assert kinds(found) == ["PartialImage", "FinalImage"]
            path = await found[0].image.save(tmp_path / "first")
    assert path.read_bytes().startswith(b"\x89PNG")
    assert len(emulator.billed) == 1


def test_a_real_connection_streams() -> None:
    """Over HTTP, with no partial images asked for, and with several images."""
    emulator = Emulator()
    with (
        emulator.serve() as server,
        dalle2.Client("sk-test", base_url=server.base_url, model=MODEL) as client,
    ):
        assert kinds(list(client.stream("a corgi", size=SIZE))) == ["FinalImage"]
        assert kinds(list(client.stream("a corgi", size=SIZE, n=2))) == ["FinalImage"] * 2
    body = json.loads(emulator.requests[0].body)
    assert body == {"model": MODEL, "prompt": "a corgi", "size": SIZE, "stream": True}
    assert emulator.requests[0].headers["accept"] == STREAM


def test_bad_input_is_refused_at_once() -> None:
    """Before the first event is asked for, and before anything is sent."""
    emulator = Emulator()
    with client_of(emulator) as client:
        with pytest.raises(dalle2.InvalidRequestError, match="stream"):
            client.stream("a corgi", model="dall-e-2")
        with pytest.raises(dalle2.InvalidRequestError, match="partial_images"):
            client.stream("a corgi", partial_images=4)
    assert emulator.requests == []


def test_a_successor_streams_at_the_size_asked_for() -> None:
    """Partial and final images are scaled alike, and the final one lists what was changed."""
    with client_of(Emulator(today=date(2026, 6, 1)), model=None, successor="auto") as client:
        found = list(client.stream("a corgi", partial_images=1, size="256x256"))
    for event in found:
        with Image.open(io.BytesIO(event.image.read())) as picture:
            assert picture.size == (256, 256)
    assert isinstance(found[-1], dalle2.FinalImage)
    assert [change.field for change in found[-1].adaptations] == ["model", "quality", "size"]


def test_the_prompt_is_moderated_first() -> None:
    """`moderate="before"` holds for streams too."""
    emulator = Emulator()
    with client_of(emulator, moderate="before") as client:
        with pytest.raises(dalle2.ContentPolicyError):
            list(client.stream(UNSAFE, size=SIZE))
        assert emulator.billed == []
        assert kinds(list(client.stream("a corgi", size=SIZE))) == ["FinalImage"]


@pytest.mark.anyio
async def test_the_prompt_of_an_awaited_stream_is_moderated_first() -> None:
    """The same on asyncio and trio."""
    emulator = Emulator()
    http_client = emulator.async_client()
    async with dalle2.AsyncClient(
        "sk-test", model=MODEL, http_client=http_client, moderate="before"
    ) as client:
        with pytest.raises(dalle2.ContentPolicyError):
            _ = [event async for event in client.stream(UNSAFE)]
    assert emulator.billed == []


# Streams that end badly


def events_until(stream: Iterator[Any]) -> tuple[list[Any], dalle2.Dalle2Error]:
    """The events that came, and the error that ended them."""
    found: list[Any] = []
    try:
        for event in stream:
            found.append(event)
    except dalle2.Dalle2Error as error:
        return found, error
    raise AssertionError("the stream ended well")


def test_an_error_in_mid_stream_keeps_the_partial_images() -> None:
    """What the host reports is raised with its class; it may be billed, and nothing is repeated."""
    emulator = Emulator()
    emulator.fail_stream_next(after_events=1, code="rate_limit_exceeded")
    emulator.fail_stream_next(after_events=2)
    with client_of(emulator) as client:
        found, error = events_until(client.stream("a corgi", partial_images=2, size=SIZE))
        assert isinstance(error, dalle2.RateLimitError)
        assert list(error.images) == [event.image for event in found]
        assert (error.status_code, error.maybe_billed, len(found)) == (200, True, 1)
        found, error = events_until(client.stream("a corgi", partial_images=2, size=SIZE))
        assert isinstance(error, dalle2.InternalServerError)
        assert len(error.images) == 2
    assert len(emulator.billed) == 2


@pytest.mark.anyio
async def test_an_error_in_an_awaited_stream_keeps_the_partial_images(tmp_path: Path) -> None:
    """The kept images are awaited ones, and can be saved."""
    emulator = Emulator()
    emulator.fail_stream_next(after_events=1)
    async with dalle2.AsyncClient("sk-test", model=MODEL, http_client=emulator.async_client()) as client:
        with pytest.raises(dalle2.InternalServerError) as caught:
            async for _ in client.stream("a corgi", partial_images=2, size=SIZE):
                pass
        (image,) = caught.value.images
        path = await image.save(tmp_path / "kept")  # type: ignore[misc]
    assert path.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("cut", [False, True])
@pytest.mark.parametrize(
    "policy", [dalle2.RetryPolicy(initial=0), dalle2.RetryPolicy(initial=0, ambiguous="retry")]
)
def test_a_stream_that_ends_early_is_an_unknown_outcome(
    host: Any, cut: bool, policy: dalle2.RetryPolicy
) -> None:
    """However it ends, cleanly or not, it is told as lost with the images that came, and never repeated."""
    host.say(lines(PARTIAL), kind=STREAM, cut=cut)
    with scripted(host, retry=policy) as client:
        found, error = events_until(client.stream("a corgi", partial_images=2))
    assert isinstance(error, dalle2.OutcomeUnknownError)
    assert (error.reason, error.maybe_billed) == ("disconnected", True)
    assert error.sent_at is not None
    assert [image.read() for image in error.images] == [PNG]
    assert kinds(found) == ["PartialImage"]
    assert len(host.asked) == 1
    # Sent again, it is no stream.
    assert error.request == dalle2.GenerateRequest(prompt="a corgi", model=MODEL)


def test_a_timeout_in_mid_stream_is_an_unknown_outcome(host: Any) -> None:
    """A stream that stalls ends with the read timeout, and with the partial image."""
    host.say(lines(PARTIAL), kind=STREAM, held=True)
    with scripted(host) as client:
        _, error = events_until(client.stream("a corgi", timeout=0.2))
    assert isinstance(error, dalle2.OutcomeUnknownError)
    assert (error.reason, len(error.images)) == ("timeout", 1)


def test_a_stream_ends_with_the_deadline(host: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The deadline of the call covers the stream, however lively it is."""
    host.say([lines(PARTIAL)] * 5, kind=STREAM)
    with scripted(host, retry=dalle2.RetryPolicy(deadline=600)) as client:
        stream, passed = client.stream("a corgi"), itertools.count(601, 2)
        next(stream)
        clock = SimpleNamespace(monotonic=lambda: time.monotonic() + next(passed))
        monkeypatch.setattr("dalle2._http.time", clock)
        _, error = events_until(stream)
    assert isinstance(error, dalle2.OutcomeUnknownError)
    assert "deadline" in str(error)


def test_an_endless_stream_is_given_up(host: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer has a largest size, streamed or not."""
    monkeypatch.setattr("dalle2._calls._attempts.LARGEST_ANSWER", 1000)
    host.say([lines(PARTIAL)] * 30, kind=STREAM)
    with scripted(host) as client:
        _, error = events_until(client.stream("a corgi"))
    assert isinstance(error, dalle2.OutcomeUnknownError)
    assert error.reason == "unreadable"


def test_with_all_images_here_a_broken_connection_is_no_loss(host: Any) -> None:
    """What follows the last final image is of no interest."""
    host.say(lines(PARTIAL, FINAL) + b"data: {", kind=STREAM, cut=True)
    with scripted(host) as client:
        assert kinds(list(client.stream("a corgi"))) == ["PartialImage", "FinalImage"]


@pytest.mark.parametrize(
    ("body", "cut", "kept"),
    [
        (lines(FINAL), True, 1),  # the connection broke: the second image was on its way
        (lines(FINAL, PARTIAL), False, 2),  # it ended between a partial image and its final one
    ],
)
def test_a_missing_second_image_is_told(host: Any, body: bytes, cut: bool, kept: int) -> None:
    """Of two images one came: the error keeps it, and all else that came."""
    host.say(body, kind=STREAM, cut=cut)
    with scripted(host) as client:
        found, error = events_until(client.stream("a corgi", n=2))
    assert isinstance(found[0], dalle2.FinalImage)
    assert isinstance(error, dalle2.OutcomeUnknownError)
    assert len(error.images) == kept


def test_a_host_may_make_fewer_images(host: Any) -> None:
    """A stream that ends in good order after one of two images is believed, as a plain answer would be."""
    host.say(lines(FINAL), kind=STREAM)
    with scripted(host) as client:
        assert kinds(list(client.stream("a corgi", n=2))) == ["FinalImage"]


def test_an_image_that_cannot_be_read_is_a_decode_error(host: Any) -> None:
    """The path names the event; what came before is kept."""
    host.say(lines(PARTIAL, {**FINAL, "b64_json": "!"}), kind=STREAM)
    with scripted(host) as client:
        _, error = events_until(client.stream("a corgi"))
    assert isinstance(error, dalle2.DecodeError)
    assert error.path == "image_generation.completed.b64_json"
    assert len(error.images) == 1
    assert error.maybe_billed


def test_a_damaged_final_event_is_told_as_unreadable(host: Any) -> None:
    """An event that is not one document is passed over; if it was the image, the end says so."""
    host.say(lines(PARTIAL) + b"data: keep-alive\n\n" + lines(FINAL), kind=STREAM)
    host.say(lines(PARTIAL) + b'data: {"type": "image_gen\n\n', kind=STREAM)
    with scripted(host) as client:
        assert kinds(list(client.stream("a corgi"))) == ["PartialImage", "FinalImage"]
        _, error = events_until(client.stream("a corgi"))
    assert isinstance(error, dalle2.OutcomeUnknownError)
    assert error.reason == "unreadable"


@pytest.mark.parametrize(
    "event",
    [
        {"type": "error", "error": {"message": "blocked", "code": "moderation_blocked"}},
        {"error": {"message": "blocked", "code": "moderation_blocked"}},
        {"type": "error", "message": "blocked", "code": "moderation_blocked"},
    ],
)
def test_every_form_of_an_error_event_is_read(host: Any, event: dict[str, Any]) -> None:
    """Wrapped or bare, the code decides the class."""
    host.say(lines(event), kind=STREAM)
    with scripted(host) as client, pytest.raises(dalle2.ContentPolicyError, match="blocked"):
        list(client.stream("a corgi"))


# What hosts and proxies make of a stream


@pytest.mark.parametrize("kind", [STREAM, "application/json", "text/plain", ""])
@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf", b" \n\r\n"])
def test_a_plain_answer_still_gives_the_final_image(host: Any, kind: str, start: bytes) -> None:
    """A host that does not stream, or a proxy that gathers: the first byte tells, whatever is declared."""
    document = {"created": 1, "data": [{"b64_json": B64}, {"b64_json": B64}], "usage": USAGE}
    host.say([start, json.dumps(document).encode()], kind=kind)
    host.say(start + lines(PARTIAL, FINAL), kind=kind)
    with scripted(host) as client:
        found = list(client.stream("a corgi", n=2))
        assert kinds(found) == ["FinalImage", "FinalImage"]
        assert [event.usage and event.usage.total_tokens for event in found] == [None, 7]  # type: ignore[union-attr]
        assert kinds(list(client.stream("a corgi"))) == ["PartialImage", "FinalImage"]


@pytest.mark.anyio
async def test_a_plain_answer_to_an_awaited_stream(host: Any) -> None:
    """The same on asyncio and trio; a failing one raises."""
    host.say({"created": 1, "data": [{"b64_json": B64}]})
    host.say(b"", kind=STREAM)
    async with dalle2.AsyncClient("sk-test", base_url=host.base_url, model=MODEL) as client:
        assert kinds([event async for event in client.stream("a corgi")]) == ["FinalImage"]
        with pytest.raises(dalle2.OutcomeUnknownError, match="before the final image"):
            _ = [event async for event in client.stream("a corgi")]


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        ({"body": {"error": {"message": "broke"}}}, dalle2.InternalServerError, "broke"),
        ({"body": {"data": [{"b64_json": B64}, {}]}}, dalle2.DecodeError, r"data\[1\]"),
        ({"body": {"task_id": "task_42"}}, dalle2.OutcomeUnknownError, "task_42"),
        ({"body": b"<html>busy</html>", "kind": "text/html"}, dalle2.OutcomeUnknownError, "JSON"),
        ({"body": b'{"data": [', "cut": True}, dalle2.OutcomeUnknownError, "disconnected"),
        (
            {"body": b"upstream is busy", "kind": "text/plain"},
            dalle2.OutcomeUnknownError,
            "before the final image",
        ),
    ],
)
def test_a_plain_answer_that_is_none(
    host: Any, answer: dict[str, Any], kind: type[dalle2.Dalle2Error], words: str
) -> None:
    """Its errors are those of `generate`, and readable images are kept."""
    host.say(**answer)
    with scripted(host) as client, pytest.raises(kind, match=words) as caught:
        list(client.stream("a corgi"))
    assert caught.value.maybe_billed
    if kind is dalle2.DecodeError:
        assert [image.read() for image in caught.value.images] == [PNG]


def test_odd_events_are_passed_over(host: Any) -> None:
    """Comments, heartbeats, other types, lists, images named otherwise, and whatever follows the end."""
    body = (
        b": welcome\n\nid: 1\nretry: 10\n\nevent: ping\ndata: {}\n\ndata: [1]\n\n"
        + lines({"type": "image_generation.started"}, {"type": "image_generation.completed"})
        + lines({"type": "response.image_generation_call.partial_image", "partial_image_b64": B64})
        + b"event: image_generation.partial_image\ndata: "
        + json.dumps({"b64_json": B64}).encode()
        + b"\n\n"
        + lines({"type": "x.completed", "url": "https://images.example.com/a.png"})
        + b"data: [DONE]\n\n"
        + lines(FINAL)
    )
    host.say(body, kind=STREAM)
    with scripted(host) as client:
        found = list(client.stream("a corgi"))
    assert kinds(found) == ["PartialImage", "PartialImage", "FinalImage"]
    assert [event.index for event in found[:2]] == [0, 1]  # type: ignore[union-attr]
    assert found[2].image.url == "https://images.example.com/a.png"


def test_the_other_wire_of_cometapi_gives_its_image_at_once() -> None:
    """A wire that cannot stream answers plainly; partial images cannot be asked for there."""
    emulator = Emulator(persona="cometapi")
    with client_of(emulator, provider="cometapi-responses") as client:
        assert kinds(list(client.stream("a corgi"))) == ["FinalImage"]
        with pytest.raises(dalle2.InvalidRequestError, match="partial_images"):
            client.stream("a corgi", partial_images=1)


# Repeating, leaving, paying


def test_before_the_stream_began_a_failed_call_is_repeated() -> None:
    """A refusal that certainly cost nothing is repeated like that of any call; other refusals are raised."""
    emulator = Emulator()
    with client_of(emulator, retry=dalle2.RetryPolicy(initial=0)) as client:
        emulator.fail_next(429, retry_after=0, times=2)
        assert kinds(list(client.stream("a corgi", size=SIZE))) == ["FinalImage"]
        assert len(emulator.requests) == 3
        emulator.fail_next(400)
        with pytest.raises(dalle2.BadRequestError):
            list(client.stream("a corgi", size=SIZE))
    assert len(emulator.billed) == 1


@pytest.mark.anyio
async def test_before_the_awaited_stream_began_a_failed_call_is_repeated() -> None:
    """The same on asyncio and trio."""
    emulator = Emulator()
    emulator.fail_next(429, retry_after=0)
    async with dalle2.AsyncClient(
        "sk-test", model=MODEL, http_client=emulator.async_client(), retry=dalle2.RetryPolicy(initial=0)
    ) as client:
        assert kinds([event async for event in client.stream("a corgi", size=SIZE)]) == ["FinalImage"]
    assert len(emulator.requests) == 2


def hold(client: dalle2.Client | dalle2.AsyncClient) -> None:
    """Let another call of the same lane have met a rate limit just now."""
    shared = client._session.state
    why = dalle2.RateLimitError("Too many requests", status_code=429)
    shared.limits.hold(f"{client._session.settings.base_url} {MODEL}", shared.monotonic() + 0.01, why)


def test_a_rate_limit_of_another_call_holds_the_stream_back() -> None:
    """The wait is told, and then the stream comes."""
    heard: list[events.Event] = []
    with client_of(Emulator(), on_event=heard.append) as client:
        hold(client)
        assert kinds(list(client.stream("a corgi", size=SIZE))) == ["FinalImage"]
    assert [type(event).__name__ for event in heard] == ["Waiting", "AttemptStarted", "CallSucceeded"]


@pytest.mark.anyio
async def test_a_rate_limit_of_another_call_holds_the_awaited_stream_back() -> None:
    """The same on asyncio and trio."""
    async with dalle2.AsyncClient("sk-test", model=MODEL, http_client=Emulator().async_client()) as client:
        hold(client)
        assert kinds([event async for event in client.stream("a corgi", size=SIZE)]) == ["FinalImage"]


def test_closing_the_stream_closes_the_connection(host: Any) -> None:
    """Who leaves early does not leave the host painting for nobody."""
    host.say(lines(PARTIAL), kind=STREAM, held=True)
    with scripted(host) as client:
        stream = client.stream("a corgi")
        assert isinstance(next(stream), dalle2.PartialImage)
        stream.close()
        assert host.gone.wait(10)


@pytest.mark.anyio
async def test_closing_the_awaited_stream_closes_the_connection(host: Any) -> None:
    """With `aclosing`, leaving the loop ends the connection, on asyncio and trio."""
    host.say(lines(PARTIAL), kind=STREAM, held=True)
    async with dalle2.AsyncClient("sk-test", base_url=host.base_url, model=MODEL) as client:
        async with aclosing(client.stream("a corgi")) as stream:
            async for event in stream:
                assert isinstance(event, dalle2.PartialImage)
                break
        assert await anyio.to_thread.run_sync(host.gone.wait, 10)


@pytest.mark.anyio
async def test_cancelling_the_awaited_stream_closes_the_connection(host: Any) -> None:
    """A cancelled task hangs up too."""
    host.say(lines(PARTIAL), kind=STREAM, held=True)
    async with dalle2.AsyncClient("sk-test", base_url=host.base_url, model=MODEL) as client:
        async with anyio.create_task_group() as group:

            async def watch() -> None:
                async with aclosing(client.stream("a corgi")) as stream:
                    async for _ in stream:
                        group.cancel_scope.cancel()

            group.start_soon(watch)
        assert await anyio.to_thread.run_sync(host.gone.wait, 10)


def test_leaving_after_the_final_image_is_a_success() -> None:
    """The loop is left with what it was for: the call is reported as one that succeeded, once."""
    heard: list[events.Event] = []
    with client_of(Emulator(), on_event=heard.append) as client:
        for event in client.stream("a corgi", partial_images=1, size=SIZE):
            if isinstance(event, dalle2.FinalImage):
                break
        stream = client.stream("a corgi", partial_images=1, size=SIZE)
        next(stream)
        stream.close()
    assert [type(event).__name__ for event in heard] == ["AttemptStarted", "CallSucceeded", "AttemptStarted"]


def test_a_stream_counts_in_the_budget(host: Any) -> None:
    """Made, lost or left early: it is spent. Refused by the host: it is not. Too much: nothing is sent."""
    budget = dalle2.Budget(max_images=3)
    host.say(lines(PARTIAL, FINAL), kind=STREAM)
    host.say(lines(PARTIAL), kind=STREAM)
    host.say({"error": {"message": "no"}}, status=400)
    host.say(lines(PARTIAL, FINAL), kind=STREAM)
    with scripted(host, budget=budget) as client:
        list(client.stream("a corgi"))
        assert budget.spent_images == 1
        with pytest.raises(dalle2.OutcomeUnknownError):
            list(client.stream("a corgi"))
        assert budget.spent_images == 2
        with pytest.raises(dalle2.BadRequestError):
            list(client.stream("a corgi"))
        assert budget.spent_images == 2
        client.stream("a corgi")  # never begun
        stream = client.stream("a corgi")
        next(stream)
        stream.close()
        assert budget.spent_images == 3
        with pytest.raises(dalle2.BudgetExceededError):
            next(client.stream("a corgi"))
    assert len(host.asked) == 4


# The parser


PIECES = st.sampled_from(
    [
        "event: a.partial_image",
        "event:b",
        'data: {"a": 1}',
        "data:[",
        "data: 2]",
        "data",
        "data:",
        ": note",
        "id: 7",
        "retry: 5",
        "",
        "",
        "odd",
        'data: "' + "x" * 50 + '"',
    ]
)


def parse(chunks: list[bytes]) -> list[tuple[str, str]]:
    """Name and data of each event."""
    parser = EventParser()
    return [(event.name, event.data.text()) for chunk in chunks for event in parser.feed(chunk)]


def by_the_book(text: str) -> list[tuple[str, str]]:
    """Server-sent events by the letter of their specification, in a dozen lines."""
    found, name, data = [], "", []
    for line in text.split("\n")[:-1]:
        if not line:
            if data:
                found.append((name, "\n".join(data)))
            name, data = "", []
            continue
        field, colon, value = line.partition(":")
        if field == "event":
            name = value.removeprefix(" ")
        elif field == "data" and colon and value:
            data.append(value.removeprefix(" "))
    return found


@given(
    st.lists(PIECES, max_size=20),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.lists(st.integers(0, 40), max_size=60),
)
def test_events_are_read_however_lines_end_and_chunks_fall(
    text: list[str], end: str, cuts: list[int]
) -> None:
    """Any of the three line ends, any chunks, empty ones too: the same events as by the specification."""
    whole = "".join(line + "\n" for line in text)
    data = whole.replace("\n", end).encode()
    chunks, at = [], 0
    for cut in cuts:
        chunks.append(data[at : at + cut])
        at += cut
    assert parse([*chunks, data[at:]]) == by_the_book(whole)


def test_a_byte_order_mark_is_no_part_of_a_name() -> None:
    """A proxy's mark at the very beginning does not cost the first event."""
    assert parse([b"\xef\xbb\xbfdata: 1\n\n"]) == [("", "1")]


# Events of other APIs and of relays, odd ones, and a stream that does not end


BIG = base64.b64encode(dalle2.mask_from_box(2048, (0, 0, 8, 8))).decode()
"""Longer than what is held as text."""
RESPONSE_DONE = {
    "type": "response.completed",
    "response": {
        "created_at": 1724527201,
        "output": [{"type": "image_generation_call", "status": "completed", "result": B64}],
        "usage": USAGE,
    },
}
ITEM_DONE = {"type": "response.output_item.done", "item": RESPONSE_DONE["response"]["output"][0]}  # type: ignore[index]
URL = "https://images.example.com/a/corgi.png"


def streamed(host: Any, body: object, *, n: int = 1, **how: Any) -> list[Any]:
    """The events of a stream that a host sends."""
    host.say(body, kind=STREAM, **how)
    with scripted(host) as client:
        return list(client.stream("a corgi", n=n))


def told(found: list[Any]) -> list[tuple[str, object]]:
    """Kind and image of each event."""
    return [(type(one).__name__, one.image.url or one.image.read()) for one in found]


@pytest.mark.parametrize(
    "events_",
    [
        [RESPONSE_DONE],
        [ITEM_DONE],
        [ITEM_DONE, RESPONSE_DONE],
        [
            {"type": "response.created", "response": {"status": "in_progress", "output": []}},
            {"type": "response.image_generation_call.in_progress", "item_id": "ig_1"},
            {"type": "response.image_generation_call.generating", "item_id": "ig_1"},
            {"type": "response.output_item.added", "item": {"type": "image_generation_call", "result": None}},
            {"type": "response.image_generation_call.completed", "item_id": "ig_1"},
            RESPONSE_DONE,
        ],
        [{"data": [{"b64_json": B64}]}],
        [[{"b64_json": B64}]],
        [{"type": "image", "image": {"base64": B64}}],
        [{"choices": [{"delta": {"images": [{"image_url": {"url": f"data:image/png;base64,{B64}"}}]}}]}],
        [{"status": "processing", "progress": 50, "image_url": URL}, {"status": "done", "image": B64}],
        [
            {"progress": "40%", "image_url": URL},
            {"progress": 0.5, "image_url": URL},
            {"progress": 100, "image": B64},
        ],
        [{"error": {"message": "one was blocked"}, "data": [{"b64_json": B64}]}],
        [{"type": "response.incomplete", "response": {"output": [ITEM_DONE["item"]]}}],
        [{"type": "image_generation.completed", "b64_json": BIG[:0] or None, "image_base64": B64}],
    ],
)
def test_the_events_of_others_bring_their_images(host: Any, events_: list[object]) -> None:
    """Of the Responses API and of relays, by the reader of whole answers; each image once."""
    assert told(streamed(host, lines(*events_))) == [("FinalImage", PNG)]


def test_partial_images_of_a_response_are_partial(host: Any) -> None:
    """And the usage comes with the event that tells it."""
    partial = {"type": "response.image_generation_call.partial_image", "partial_image_b64": B64,
               "partial_image_index": 1}  # fmt: skip
    found = streamed(host, lines(partial, RESPONSE_DONE))
    assert told(found) == [("PartialImage", PNG), ("FinalImage", PNG)]
    assert found[0].index == 1
    assert found[1].usage.total_tokens == 7


@pytest.mark.parametrize("end", [b"data: [DONE]\n\n", b""])
def test_a_chat_that_is_streamed_in_pieces_is_put_together(host: Any, end: bytes) -> None:
    """A Markdown image arrives letter by letter."""
    pieces = [{"choices": [{"delta": {"content": piece}}]} for piece in f"![corgi]({URL})"]
    assert told(streamed(host, lines(*pieces) + end)) == [("FinalImage", URL)]


@pytest.mark.parametrize(
    "bad", [{**PARTIAL, "b64_json": "!"}, {**PARTIAL, "b64_json": None}, {**PARTIAL, "b64_json": {}}]
)
def test_one_bad_partial_does_not_end_a_stream(host: Any, bad: dict[str, Any]) -> None:
    """The next one may be good."""
    assert kinds(streamed(host, lines(bad, PARTIAL, FINAL))) == ["PartialImage", "FinalImage"]


def test_a_bad_final_does_not_take_the_next_one_with_it(host: Any) -> None:
    """Of three images the second cannot be read: two come, and the end names it."""
    host.say(lines(FINAL, {**FINAL, "b64_json": "!"}, {**FINAL, "b64_json": BIG}), kind=STREAM)
    with scripted(host) as client:
        found, error = events_until(client.stream("a corgi", n=3))
    assert kinds(found) == ["FinalImage"] * 2
    assert isinstance(error, dalle2.DecodeError)
    assert len(error.images) == 2
    assert error.body is not None
    assert b'"b64_json": "!"' in error.body


WHOLE = lines(FINAL)


@pytest.mark.parametrize("end", [WHOLE[:-1], WHOLE[:-2], WHOLE[:-1] + b": x"])
@pytest.mark.parametrize("how", [{}, {"cut": True}, {"held": True}])
def test_the_last_event_counts_without_its_blank_line(host: Any, end: bytes, how: dict[str, bool]) -> None:
    """Whether the host ends the stream, breaks the connection, or says no more."""
    assert told(streamed(host, lines(PARTIAL) + end, **how)) == [("PartialImage", PNG), ("FinalImage", PNG)]


@pytest.mark.anyio
async def test_an_awaited_stream_that_is_an_image_itself(host: Any) -> None:
    """It is told at its end."""
    host.say(PNG, kind="image/png")
    async with dalle2.AsyncClient("sk-test", base_url=host.base_url, model=MODEL) as client:
        assert kinds([event async for event in client.stream("a corgi")]) == ["FinalImage"]


@pytest.mark.anyio
async def test_the_last_event_of_an_awaited_stream_counts_without_its_blank_line(host: Any) -> None:
    """As in the blocking one."""
    host.say(lines(PARTIAL) + WHOLE[:-2], kind=STREAM)
    async with dalle2.AsyncClient("sk-test", base_url=host.base_url, model=MODEL) as client:
        assert kinds([event async for event in client.stream("a corgi")]) == ["PartialImage", "FinalImage"]


@pytest.mark.parametrize("how", [{}, {"cut": True}, {"held": True}])
def test_the_last_event_counts_in_pieces_too(host: Any, how: dict[str, bool]) -> None:
    """An image of megabytes, whose line has no end."""
    big = lines({**FINAL, "b64_json": BIG})[:-2]
    assert kinds(streamed(host, [big[:5000], big[5000:9000], big[9000:]], **how)) == ["FinalImage"]


@pytest.mark.anyio
async def test_an_awaited_stream_is_over_with_its_last_image(host: Any) -> None:
    """The host keeps the connection open, and nobody waits for it."""
    host.say(lines(PARTIAL, FINAL), kind=STREAM, held=True)
    async with dalle2.AsyncClient("sk-test", base_url=host.base_url, model=MODEL) as client:
        found = [event async for event in client.stream("a corgi")]
        assert kinds(found) == ["PartialImage", "FinalImage"]
        assert await anyio.to_thread.run_sync(host.gone.wait, 10)


def test_a_stream_is_over_with_its_last_image(host: Any) -> None:
    """With all that were asked for, or with the host's word."""
    assert kinds(streamed(host, lines(FINAL), held=True)) == ["FinalImage"]
    host._answers.clear()
    assert kinds(streamed(host, lines(FINAL) + b"data: [DONE]\n\n", n=2, held=True)) == ["FinalImage"]


@pytest.mark.parametrize(
    ("event", "kind", "words"),
    [
        (
            {"type": "response.failed", "response": {"error": {"code": "server_error", "message": "broke"}}},
            dalle2.InternalServerError,
            "broke",
        ),
        (
            {
                "type": "response.incomplete",
                "response": {"incomplete_details": {"reason": "content_filter"}},
            },
            dalle2.ContentPolicyError,
            "content_filter",
        ),
        ({"type": "image_generation.failed", "message": "no luck"}, dalle2.InternalServerError, "no luck"),
        ({"type": "response.refusal.done", "refusal": "I cannot"}, dalle2.ContentPolicyError, "I cannot"),
        ({"type": "response.cancelled"}, dalle2.InternalServerError, "cancelled"),
        ({"code": 1001, "msg": "余额不足"}, dalle2.QuotaExceededError, "余额不足"),
        ({"status": "failed", "fail_reason": "too hard"}, dalle2.InternalServerError, "too hard"),
    ],
)
def test_the_reason_of_a_failure_is_told(
    host: Any, event: dict[str, Any], kind: type[dalle2.Dalle2Error], words: str
) -> None:
    """Wherever the event says it; what came before is kept."""
    host.say(lines(PARTIAL, event), kind=STREAM)
    with scripted(host) as client:
        _, error = events_until(client.stream("a corgi"))
    assert type(error) is kind
    assert words in str(error)
    assert error.maybe_billed
    assert len(error.images) == 1


def test_what_a_stream_said_that_nobody_read_is_kept(host: Any) -> None:
    """Events of no known kind, half an event, and the images that are whole in it."""
    odd = b'data: {"type": "x", "picture": "zanzibar"}\n\n'
    half = b'data: {"type": "image_generation.completed", "b64_json": "' + B64.encode() + b'", "usage": {"tot'
    host.say(lines(PARTIAL) + odd + half, kind=STREAM, cut=True)
    with scripted(host) as client:
        _, error = events_until(client.stream("a corgi"))
    assert isinstance(error, dalle2.OutcomeUnknownError)
    assert error.body is not None
    assert b"zanzibar" in error.body
    assert half in error.body
    assert "zanzibar" not in f"{error!r}"
    assert [image.read() for image in error.images] == [PNG]  # the same picture, whole twice


def test_a_plain_answer_that_breaks_off_keeps_its_whole_images(host: Any) -> None:
    """A host that does not stream, and dies while it sends the second image."""
    content = json.dumps({"data": [{"b64_json": B64}, {"b64_json": BIG}]}).encode()[:-100]
    host.say(content, cut=True)
    with scripted(host) as client:
        _, error = events_until(client.stream("a corgi"))
    assert isinstance(error, dalle2.OutcomeUnknownError)
    assert [image.read() for image in error.images] == [PNG]
    assert error.body == content


@pytest.mark.parametrize("body", [PNG, URL.encode(), B64.encode(), f"data:image/png;base64,{B64}".encode()])
def test_a_stream_that_is_an_image_itself(host: Any, body: bytes) -> None:
    """Or its address, or its base64."""
    assert told(streamed(host, body)) == [("FinalImage", URL if body == URL.encode() else PNG)]


@pytest.mark.parametrize(
    "event",
    [
        b'{"type": "image_generation.completed", "created_at": ' + b"9" * 5000 + b', "b64_json": "%b"}',
        b'{"type": "image_generation.completed", "x": "\xff\x01", "b64_json": "%b"}',
        b'{"type": "image_generation.completed", "b64_json": "%b",}',
    ],
)
def test_an_odd_event_is_read_as_far_as_it_goes(host: Any, event: bytes) -> None:
    """As an odd answer is."""
    found = streamed(host, b"data: " + event.replace(b"%b", B64.encode()) + b"\n\n")
    assert told(found) == [("FinalImage", PNG)]


def test_a_key_in_an_event_goes_no_further(host: Any) -> None:
    """Neither in an image's own words nor in what is kept."""
    host.say(lines({**FINAL, "quality": "by sk-test"}), kind=STREAM)
    host.say(b'data: {"x": "sk-test"\n\n', kind=STREAM)
    with scripted(host) as client:
        (final,) = list(client.stream("a corgi"))
        assert final.image._data.extra == {"quality": "by ***"}
        _, error = events_until(client.stream("a corgi"))
    assert isinstance(error, dalle2.OutcomeUnknownError)
    assert error.body == b'event: \ndata: {"x": "***"\n\n'


def test_a_dripped_event_is_looked_at_a_bounded_number_of_times(host: Any) -> None:
    """Each piece ends like a document; the image still comes with the end of its event."""
    pieces = [b'data: {"x": ['] + [b"{},{}"] * 1 + [b",{}"] * 100
    last = b'], "type": "image_generation.completed", "b64_json": "' + B64.encode() + b'"}'
    assert kinds(streamed(host, [*pieces, last + b"\n\n"])) == ["FinalImage"]
    host._answers.clear()
    with scripted(host) as client:
        host.say([*pieces, last], kind=STREAM)
        _, error = events_until(client.stream("a corgi"))
    assert [image.read() for image in error.images] == [PNG]


def test_two_finished_images_may_be_the_same(host: Any) -> None:
    """Only what an event sums up is told once."""
    assert kinds(streamed(host, lines(FINAL, FINAL), n=2)) == ["FinalImage"] * 2
    host._answers.clear()
    assert kinds(streamed(host, lines(ITEM_DONE, ITEM_DONE, RESPONSE_DONE), n=2)) == ["FinalImage"]


def test_a_plain_answer_is_over_with_its_last_image(host: Any) -> None:
    """A host that does not stream, and does not end either."""
    whole = json.dumps({"data": [{"b64_json": B64}, {"b64_json": BIG}], "usage": USAGE}).encode()
    found = streamed(host, [whole[:30], whole[30:-1], whole[-1:]], n=2, held=True)
    assert kinds(found) == ["FinalImage"] * 2
    assert (found[0].usage, found[1].usage.total_tokens) == (None, 7)


def test_a_plain_answer_with_fewer_images_is_believed_at_its_end(host: Any) -> None:
    """As a stream that ends in good order is."""
    host.say({"data": [{"b64_json": B64}]})
    with scripted(host) as client:
        assert kinds(list(client.stream("a corgi", n=2))) == ["FinalImage"]


def test_a_stream_of_which_nothing_came_holds_no_answer() -> None:
    """An interrupt before the first event has nothing to keep."""
    with client_of(Emulator()) as client:
        stream = client.stream("a corgi")
        stream.close()
    reader = StreamReader(Context("api.example.com"), SimpleNamespace(request=SimpleNamespace(n=1)))  # type: ignore[arg-type]
    assert reader.data(partials=True) is None
    assert not reader.over


# What says nothing costs nothing


@pytest.mark.parametrize(
    "line", [b"\n", b"\r\n", b"\r", b": ping\n", b"id: 1\n", b"retry: 3\r\n\r\n", b":\n"]
)
def test_what_says_nothing_is_passed_over_at_once(line: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred thousand lines are two steps, and a hundred million are as many more; the image comes."""
    steps: list[bytes] = []
    take = EventParser._take

    def counting(parser: EventParser, piece: bytes) -> None:
        steps.append(piece)
        take(parser, piece)

    monkeypatch.setattr(EventParser, "_take", counting)
    parser = EventParser()
    assert list(parser.feed(line * 100_000)) == []
    assert len(steps) <= 2
    (event,) = parser.feed(b"data: {}\n\n")
    assert event.data.text() == "{}"


@pytest.mark.parametrize(
    "piece", [b"x" * 4096, b": " + b"x" * 4096, b"id: " + b"x" * 4096, b"event: " + b"y" * 4096]
)
def test_a_line_without_end_is_not_gathered(piece: bytes) -> None:
    """Nor is the name of an event longer than names are."""
    parser = EventParser()
    for _ in range(100):
        assert list(parser.feed(piece)) == []
    assert len(parser._line) <= 512
    list(parser.feed(b"\n\n"))
    (event,) = parser.feed(b"data: 1\n\n")
    assert event.data.text() == "1"


def test_a_stream_that_begins_with_nothing_keeps_nothing(host: Any) -> None:
    """Blank lines before the first event are not held."""
    assert kinds(streamed(host, [b"\n" * 100_000] * 20 + [lines(FINAL)])) == ["FinalImage"]
