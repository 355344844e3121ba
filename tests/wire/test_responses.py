"""CometAPI's second wire, `POST /responses`: every shape of its answers, and what it cannot carry."""

from __future__ import annotations

import base64
import json
from typing import Any, get_args

import anyio
import pytest

import dalle2
from dalle2._calls._tasks import POLLS
from dalle2._wire._problem import Problem
from dalle2._wire._responses import Task, addresses, reduce_answer
from dalle2.testing import Emulator
from dalle2.testing._responses import ResponsesShape

AT_ONCE = dalle2.RetryPolicy(initial=0)
PNG = dalle2.mask_from_box(16, (0, 0, 8, 8))
B64 = base64.b64encode(PNG).decode()
PAINTED = sorted(set(get_args(ResponsesShape)) - {"failed", "incomplete", "refusal"})
CALL = {"type": "image_generation_call", "id": "ig_1", "status": "completed", "result": B64}


def comet(emulator: Emulator, **options: Any) -> dalle2.Client:
    """A client on the second wire of an emulated CometAPI."""
    options = {"retry": AT_ONCE, **options}
    return dalle2.Client("sk-test", provider="cometapi-responses", http_client=emulator.client(), **options)


def scripted(host: Any, **options: Any) -> dalle2.Client:
    """A client on the second wire of a scripted host."""
    options = {"retry": AT_ONCE, **options}
    return dalle2.Client("sk-test", provider="cometapi-responses", base_url=host.base_url, **options)


def message(*parts: object) -> dict[str, object]:
    """An output item of text."""
    return {"type": "message", "role": "assistant", "content": list(parts)}


def said(text: str) -> dict[str, object]:
    """A message of one text."""
    return message({"type": "output_text", "text": text})


@pytest.mark.parametrize("shape", PAINTED)
def test_every_shape_of_an_answer_is_an_image(shape: ResponsesShape) -> None:
    """A call, a message, an Images body and a task all end in an image that can be read."""
    emulator = Emulator(persona="cometapi", responses_shape=shape, task_polls=3)
    with comet(emulator) as client:
        (image,) = client.generate("a corgi astronaut")
        assert image.read().startswith(b"\x89PNG")
    (billed,) = emulator.billed
    assert (billed.operation, billed.model) == ("respond", "dall-e-2")
    (paid,) = [request for request in emulator.requests if request.method == "POST"]
    assert json.loads(paid.body) == {"model": "dall-e-2", "input": "a corgi astronaut"}


@pytest.mark.anyio
@pytest.mark.parametrize("shape", ["call", "message_url", "task"])
async def test_the_awaited_client_reads_the_same(shape: ResponsesShape) -> None:
    """Polling and downloading work on asyncio and trio."""
    emulator = Emulator(persona="cometapi", responses_shape=shape, task_polls=3)
    async with dalle2.AsyncClient(
        "sk-test", provider="cometapi-responses", http_client=emulator.async_client(), retry=AT_ONCE
    ) as client:
        (image,) = await client.generate("a corgi astronaut")
        assert (await image.read()).startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("shape", "kind", "words"),
    [
        ("failed", dalle2.InternalServerError, "could not finish the picture"),
        ("incomplete", dalle2.ContentPolicyError, "content_filter"),
        ("refusal", dalle2.ContentPolicyError, "I cannot draw that"),
    ],
)
def test_a_200_that_failed_is_an_error(
    shape: ResponsesShape, kind: type[dalle2.APIStatusError], words: str
) -> None:
    """The status within the answer counts, its reason is told, it may be billed and is not repeated."""
    emulator = Emulator(persona="cometapi", responses_shape=shape)
    with comet(emulator) as client, pytest.raises(kind, match=words) as caught:
        client.generate("a corgi astronaut")
    assert (caught.value.status_code, caught.value.maybe_billed) == (200, True)
    assert len(emulator.billed) == 1


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ([CALL, said("Enjoy! https://example.com/terms")], [{"b64_json": B64}]),
        ([{**CALL, "result": [B64], "revised_prompt": "r"}], [{"b64_json": B64, "revised_prompt": "r"}]),
        ([said(f"![a](data:image/png;base64,{B64})")], [{"url": f"data:image/png;base64,{B64}"}]),
        (
            [said("Here: ![a corgi]( <https://x.test/a.png> ) of https://y.test")],
            [{"url": "https://x.test/a.png"}],
        ),
        (
            [said("https://x.test/a.png, and https://x.test/b.png. https://x.test/a.png")],
            [{"url": "https://x.test/a.png"}, {"url": "https://x.test/b.png"}],
        ),
        ([{"type": "message", "content": "https://x.test/a.png"}], [{"url": "https://x.test/a.png"}]),
        ({"image_url": "https://x.test/a.png"}, [{"url": "https://x.test/a.png"}]),
        ({"url": "https://x.test/a.png"}, [{"url": "https://x.test/a.png"}]),
    ],
)
def test_images_are_found_in_the_order_of_their_certainty(output: object, expected: object) -> None:
    """What says that it is an image goes before what a text mentions, and Markdown before bare addresses."""
    reduced = reduce_answer({"created_at": 1700000000, "output": output, "usage": {"total_tokens": 3}})
    assert isinstance(reduced, dict)
    assert reduced["data"] == expected
    assert reduced["created"] == 1700000000
    assert reduced["usage"] == {"total_tokens": 3}


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"data": [{"url": "u"}]}, {"data": [{"url": "u"}]}),
        ({"data": {"data": {"created": 1, "data": []}}}, {"created": 1, "data": []}),
        ({"data": {"status": "SUCCESS", "data": [{"url": "u"}]}}, {"data": [{"url": "u"}]}),
        ({"task_id": "t1"}, Task("t1")),
        ({"task_id": 17, "status": "queued"}, Task("17")),
        ({"id": "resp_1", "status": "in_progress", "output": []}, Task("resp_1")),
        ({"code": "success", "data": {"task_id": "t1", "data": {}}}, Task("t1")),
        ({"status": "completed", "id": "resp_1", "output": []}, None),
        ({"status": "completed", "output": {"nothing": 1}}, None),
        ({"status": "queued", "task_id": ["t"]}, None),
        ({"output": "text"}, None),
        (
            {
                "output": [
                    said("no picture"),
                    "text",
                    message("text", {"type": "output_text"}),
                    {"type": "message"},
                ]
            },
            None,
        ),
        (["a list"], None),
    ],
)
def test_other_bodies_are_images_tasks_or_left_alone(document: object, expected: object) -> None:
    """An Images body may be nested, a task is named by `task_id` or by an unfinished `id`."""
    assert reduce_answer(document) == (document if expected is None else expected)


@pytest.mark.parametrize(
    ("document", "code", "words"),
    [
        (
            {"status": "failed", "error": {"code": "server_error", "message": "broke"}},
            "server_error",
            "broke",
        ),
        ({"status": "failed", "error": "broke"}, None, "broke"),
        ({"status": "cancelled"}, None, "the status is cancelled"),
        (
            {"status": "incomplete", "incomplete_details": {"reason": "content_filter"}},
            "content_filter",
            "content_filter",
        ),
        (
            {"data": {"task_id": "t", "status": "FAILURE", "fail_reason": "no credit", "data": []}},
            None,
            "no credit",
        ),
        ({"data": {"task_id": "t", "status": "failure", "message": "busy"}}, None, "busy"),
        ({"output": [{**CALL, "result": None, "status": "failed"}]}, None, "the status is failed"),
        (
            {"output": [message({"type": "refusal", "refusal": None})]},
            "content_policy_violation",
            "the model refused",
        ),
    ],
)
def test_a_failure_keeps_its_reason(document: object, code: str | None, words: str) -> None:
    """Whatever the host says of a failure becomes the problem."""
    problem = reduce_answer(document)
    assert isinstance(problem, Problem)
    assert problem.code == code
    assert words in problem.message


def test_a_long_data_uri_in_a_message_is_read(host: Any) -> None:
    """An image of megabytes in a text, bare or within Markdown, comes back byte for byte."""
    big = dalle2.mask_from_box(4096, (0, 0, 1, 1))
    address = f"data:image/png;base64,{base64.b64encode(big).decode()}"
    host.say({"output": [said(address)]})
    host.say({"output": [said(f"Here it is: ![a corgi]({address})")]})
    with scripted(host) as client:
        assert [client.generate("a corgi")[0].read() for _ in range(2)] == [big, big]


def test_addresses_of_a_text_are_told_once() -> None:
    """A text without any has none."""
    assert addresses("no picture today") == []
    assert addresses("(https://x.test/a.png)") == ["https://x.test/a.png"]


def test_a_task_that_never_ends_is_given_up(host: Any) -> None:
    """After a bounded number of questions the error names the task, which may have been billed."""
    host.say({"task_id": "task_42", "status": "queued"})
    with scripted(host) as client, pytest.raises(dalle2.OutcomeUnknownError, match="task_42") as caught:
        client.generate("a corgi")
    assert (caught.value.reason, caught.value.maybe_billed) == ("timeout", True)
    assert [path for _, path, _ in host.asked] == ["/v1/responses"] + ["/v1/responses/task_42"] * POLLS


def test_the_deadline_covers_the_task(host: Any) -> None:
    """Questions after a task end with the deadline of the whole call, not with one of their own."""
    host.say({"task_id": "task_42"})
    policy = dalle2.RetryPolicy(initial=1000, max_delay=1000, deadline=100)
    with scripted(host, retry=policy) as client, pytest.raises(dalle2.OutcomeUnknownError) as caught:
        client.generate("a corgi")
    assert "deadline" in str(caught.value)
    assert len(host.asked) == 1


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ({"status": 404, "body": {"error": {"message": "task not exist"}}}, dalle2.NotFoundError),
        (
            {"status": 401, "body": {"error": {"message": "bad", "code": "invalid_api_key"}}},
            dalle2.AuthenticationError,
        ),
        ({"status": 500, "body": {"error": {"message": "oops"}}}, dalle2.InternalServerError),
        ({"status": 429, "body": {"error": {"message": "slow down"}}}, dalle2.RateLimitError),
        ({"status": 200, "body": b'{"status": "comp', "cut": True}, dalle2.OutcomeUnknownError),
        ({"status": 200, "body": {"status": "failed", "error": "no"}}, dalle2.InternalServerError),
        ({"status": 200, "body": {"status": "completed", "output": []}}, dalle2.DecodeError),
    ],
)
def test_a_failing_question_never_says_that_nothing_was_done(
    host: Any, answer: dict[str, Any], kind: type[dalle2.Dalle2Error]
) -> None:
    """The error is the answer's own, names the task once, and owns that it may have been billed."""
    host.say({"task_id": "task_42"})
    host.say(**answer)
    with scripted(host) as client, pytest.raises(kind) as caught:
        client.generate("a corgi")
    assert str(caught.value).startswith("Task task_42 was started and may have been billed. ")
    assert str(caught.value).count("task_42") == 1
    assert caught.value.maybe_billed
    assert sum(method == "POST" for method, _, _ in host.asked) == 1


def test_a_host_that_is_gone_after_the_task_began(host: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A question that cannot even connect is an unknown outcome, never an `APIConnectionError`."""
    host.say({"task_id": "task_42"})
    with scripted(host) as client:
        perform = client._perform

        def moved(run: Any, timeout: Any) -> Any:
            if run.call.request.method == "GET":
                run.call.request.url = "http://127.0.0.1:1/v1/responses/task_42"
            return perform(run, timeout)

        monkeypatch.setattr(client, "_perform", moved)
        with pytest.raises(dalle2.OutcomeUnknownError, match="task_42"):
            client.generate("a corgi")


def test_a_question_that_must_wait_too_long_owns_the_bill(host: Any) -> None:
    """A rate limit that outlasts the deadline ends the waiting, without a claim that all is well."""
    host.say({"task_id": "task_42"})
    with scripted(host, retry=dalle2.RetryPolicy(initial=0, deadline=60)) as client:
        session = client._session
        polling = session.polling

        class Held:
            """The session, once another call of the lane met a rate limit."""

            def __getattr__(self, name: str) -> Any:
                return getattr(session, name)

            def polling(self, task: Any, before: Any) -> Any:
                why = dalle2.RateLimitError("Too many requests", status_code=429)
                session.state.limits.hold(before.call.lane, session.state.monotonic() + 1000, why)
                return polling(task, before)

        client._session = Held()  # type: ignore[assignment]
        with pytest.raises(dalle2.RateLimitError, match="task_42") as caught:
            client.generate("a corgi")
    assert caught.value.maybe_billed


def test_an_interrupt_leaves_the_name_of_the_task(host: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C while a task is waited for: the traceback ends with what was paid for."""
    host.say({"task_id": "task_42"})

    def interrupted(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("dalle2._client.time.sleep", interrupted)
    with scripted(host) as client, pytest.raises(KeyboardInterrupt) as caught:
        client.generate("a corgi")
    assert caught.value.__notes__ == ["dalle2: Task task_42 was started and may have been billed"]


def test_tasks_of_the_first_wire_are_polled_on_their_own_route() -> None:
    """CometAPI's `async: true` answers with a task on the Images wire too."""
    emulator = Emulator(persona="cometapi", task_polls=2)
    with dalle2.Client(
        "sk-test", provider="cometapi", http_client=emulator.client(), retry=AT_ONCE
    ) as client:
        image = client.generate("a corgi", extra_body={"async": True})[0]
        assert image.read().startswith(b"\x89PNG")
    polls = [request.path for request in emulator.requests if request.method == "GET"]
    assert polls[0].startswith("/v1/images/generations/task_")
    assert len(emulator.billed) == 1


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"n": 2}, "n"),
        ({"size": "256x256"}, "size"),
        ({"response_format": "url"}, "response_format"),
        ({"user": "u"}, "user"),
    ],
)
def test_what_the_wire_cannot_carry_is_refused(options: dict[str, Any], field: str) -> None:
    """An option that would be lost is named before anything is sent."""
    emulator = Emulator(persona="cometapi")
    with comet(emulator) as client, pytest.raises(dalle2.InvalidRequestError) as caught:
        client.generate("a corgi", **options)
    assert caught.value.field == field
    assert emulator.requests == []


def test_edits_and_variations_belong_to_the_other_wire() -> None:
    """The error says which provider can."""
    emulator = Emulator(persona="cometapi")
    with comet(emulator) as client:
        for call in (lambda: client.edit(PNG, "a hat"), lambda: client.vary(PNG)):
            with pytest.raises(dalle2.InvalidRequestError, match="provider='cometapi'"):
                call()
    assert emulator.requests == []


def test_one_image_and_an_extra_body_are_carried(host: Any) -> None:
    """`n=1` is what the wire does anyway; `extra_body` is sent as it is, and vouches for what is in it."""
    host.say({"output": [CALL]})
    with scripted(host) as client:
        client.generate("a corgi", n=1)
        client.generate("a corgi", size="256x256", extra_body={"size": "256x256", "store": False})
    assert [json.loads(body) for _, _, body in host.asked] == [
        {"model": "dall-e-2", "input": "a corgi"},
        {"model": "dall-e-2", "input": "a corgi", "size": "256x256", "store": False},
    ]


def test_split_n_sends_several_calls() -> None:
    """Three images are three calls with a key each, and one answer that can be asked for again as a whole."""
    emulator = Emulator(persona="cometapi", responses_shape="call")
    with comet(emulator, split_n=True) as client:
        images = client.generate("a corgi astronaut", n=3, idempotency_key="mine")
        assert len(images) == 3
        assert images.request == dalle2.GenerateRequest(prompt="a corgi astronaut", n=3, model="dall-e-2")
        assert len(client.send(images.request)) == 3
    assert [billed.idempotency_key for billed in emulator.billed][:3] == ["mine-1", "mine-2", "mine-3"]
    assert len({billed.idempotency_key for billed in emulator.billed}) == 6


def test_split_n_helps_a_model_that_makes_one() -> None:
    """dall-e-3 takes `n=1` only; dall-e-2 is never split on the Images wire."""
    emulator = Emulator()
    with dalle2.Client("sk-test", http_client=emulator.client(), split_n=True) as client:
        assert len(client.generate("a corgi", n=2, model="dall-e-3")) == 2
        assert len(client.generate("a corgi", n=2, size="256x256")) == 2
    assert [(billed.model, billed.n) for billed in emulator.billed] == [
        ("dall-e-3", 1),
        ("dall-e-3", 1),
        ("dall-e-2", 2),
    ]


def test_split_usage_is_the_sum(host: Any) -> None:
    """The tokens of the parts are added; if one part does not tell them, nobody knows."""
    host.say({"output": [CALL], "usage": {"total_tokens": 3, "input_tokens": 1, "output_tokens": 2}})
    host.say({"output": [CALL], "usage": {"total_tokens": 30, "input_tokens": 10, "output_tokens": 20}})
    host.say({"output": [CALL], "usage": {"total_tokens": 300}})
    host.say({"output": [CALL]})
    with scripted(host, split_n=True) as client:
        both = client.generate("a corgi", n=2)
        assert both.usage == dalle2.Usage(total_tokens=33, input_tokens=11, output_tokens=22)
        assert client.generate("a corgi", n=2).usage is None


@pytest.mark.parametrize(
    ("third", "kind"),
    [
        ({"status": 400, "body": {"error": {"message": "no"}}}, dalle2.BadRequestError),
        (
            {"status": 429, "body": {"error": {"message": "x", "code": "insufficient_quota"}}},
            dalle2.QuotaExceededError,
        ),
        ({"body": b"{", "cut": True}, dalle2.OutcomeUnknownError),
        ({"body": {"output": []}}, dalle2.DecodeError),
    ],
)
def test_a_failing_third_call_keeps_the_first_two_images(
    host: Any, third: dict[str, Any], kind: type[dalle2.Dalle2Error]
) -> None:
    """What was paid for is in `error.images`, and the error owns that there is a bill."""
    host.say({"output": [CALL]})
    host.say({"output": [CALL]})
    host.say(**third)
    with scripted(host, split_n=True, retry=dalle2.RetryPolicy.none()) as client:
        with pytest.raises(kind) as caught:
            client.generate("a corgi", n=3)
        assert [image.read() for image in caught.value.images] == [PNG, PNG]
    assert caught.value.maybe_billed
    if isinstance(caught.value, dalle2.OutcomeUnknownError):
        # What is sent again is the one call that was lost.
        assert caught.value.request == dalle2.GenerateRequest(prompt="a corgi", model="dall-e-2")
        assert caught.value.idempotency_key is not None
        assert caught.value.idempotency_key.endswith("-3")


@pytest.mark.anyio
async def test_a_failing_third_awaited_call_keeps_the_first_two_images(host: Any, tmp_path: Any) -> None:
    """The same on asyncio and trio; the kept images can be saved."""
    host.say({"output": [CALL]})
    host.say({"output": [CALL]})
    host.say({"error": {"message": "no"}}, status=400)
    async with dalle2.AsyncClient(
        "sk-test", provider="cometapi-responses", base_url=host.base_url, split_n=True
    ) as client:
        with anyio.fail_after(20), pytest.raises(dalle2.BadRequestError) as caught:
            await client.generate("a corgi", n=3)
        for number, image in enumerate(caught.value.images):
            await image.save(tmp_path / f"{number}.png")  # type: ignore[misc]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0.png", "1.png"]


def test_a_bad_request_of_many_is_refused_before_the_first() -> None:
    """What every part would be refused for is told while nothing is paid."""
    emulator = Emulator(persona="cometapi")
    with comet(emulator, split_n=True) as client:
        with pytest.raises(dalle2.InvalidRequestError, match="1000"):
            client.generate("x" * 1001, n=3)
        with pytest.raises(dalle2.InvalidRequestError, match="size"):
            client.generate("a corgi", n=3, size="256x256")
    assert emulator.requests == []


def test_the_shapes_are_those_of_the_emulator() -> None:
    """A shape that is added there must be added to a test here."""
    assert {*PAINTED, "failed", "incomplete", "refusal"} == set(get_args(ResponsesShape))
