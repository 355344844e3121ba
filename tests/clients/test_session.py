"""What both clients decide without sending: plans, tasks, warnings, moderation, what is kept."""

from __future__ import annotations

import json
import pickle
import warnings
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

import dalle2
from dalle2 import (
    AsyncClient,
    Client,
    GenerateRequest,
    Provider,
    RetryPolicy,
    errors,
    events,
    providers,
    settings,
)
from dalle2._calls._envelope import Options
from dalle2._calls._plan import make_plan
from dalle2._calls._tasks import POLLS
from dalle2._requests._draft import Draft
from dalle2._state import ClientState, KnownModels
from dalle2.testing import TRIGGERS, Emulator

QUICK = RetryPolicy(initial=0)
COMET = providers.PROVIDERS["cometapi-responses"]
UNSAFE = f"a corgi, {next(iter(TRIGGERS))}"


def both(emulator: Emulator, use: Callable[[Any], Any], **arguments: Any) -> list[Any]:
    """What a use gives, or the error that it raises, with the sync client and then with the async one."""
    results: list[Any] = []
    with emulator.client() as http:
        client = Client("sk-test", http_client=http, **arguments)
        try:
            results.append(use(client))
        except errors.Dalle2Error as error:
            results.append(error)

    async def awaited() -> None:
        async with emulator.async_client() as http:
            client = AsyncClient("sk-test", http_client=http, **arguments)
            try:
                results.append(await use(client))
            except errors.Dalle2Error as error:
                results.append(error)

    anyio.run(awaited)
    return results


# --- tasks --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", ["task", "task_nested"])
def test_a_task_is_asked_after_until_its_images_come(shape: Any) -> None:
    """The paid call is made once; the questions after it are free, and no event counts its price again."""
    emulator = Emulator(persona="cometapi", responses_shape=shape, task_polls=3)
    told: list[events.Event] = []
    results = both(
        emulator, lambda c: c.generate("a corgi"), provider=COMET, retry=QUICK, on_event=told.append
    )
    assert [len(images) for images in results] == [1, 1]
    assert len(emulator.billed) == 2
    assert [request.method for request in emulator.requests][:4] == ["POST", "GET", "GET", "GET"]
    done = [event for event in told if isinstance(event, events.CallSucceeded)]
    assert [event.usd for event in done if event.paid] == [0.02, 0.02]
    assert {event.usd for event in done if not event.paid} == {None}
    assert sum(event.images for event in done) == 2


def test_a_task_that_never_ends_is_given_up() -> None:
    """After a bounded number of questions the outcome is unknown, and the task is named."""
    emulator = Emulator(persona="cometapi", responses_shape="task", task_polls=POLLS + 99)
    for error in both(emulator, lambda c: c.generate("a corgi"), provider=COMET, retry=QUICK):
        assert isinstance(error, errors.OutcomeUnknownError)
        assert error.maybe_billed
        assert "Task " in str(error)
        assert f"{POLLS} times" in str(error)
    assert len(emulator.requests) == 2 * (POLLS + 1)


def test_a_task_keeps_the_deadline_of_its_call() -> None:
    """A question that would come after the deadline is not asked."""
    emulator = Emulator(persona="cometapi", responses_shape="task", task_polls=9)
    policy = RetryPolicy(initial=3600, max_delay=3600, deadline=60)
    for error in both(emulator, lambda c: c.generate("a corgi"), provider=COMET, retry=policy):
        assert isinstance(error, errors.OutcomeUnknownError)
        assert "at the deadline" in str(error)
    assert [request.method for request in emulator.requests] == ["POST", "POST"]


def answering(*answers: tuple[int, Any] | Exception) -> httpx.Client:
    """A client whose requests get these answers, in order."""
    left = iter(answers)

    def handle(request: httpx.Request) -> httpx.Response:
        answer = next(left)
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer[0], json=answer[1])

    return httpx.Client(transport=httpx.MockTransport(handle))


TASK = (200, {"task_id": "task-1"})


@pytest.mark.parametrize(
    "answers",
    [
        [TASK, httpx.ConnectError("refused")],
        [TASK, httpx.ReadTimeout("slow")],
        [TASK, (404, {"error": {"message": "no such task", "type": "x", "code": None, "param": None}})],
        [TASK, (200, {"data": []})],
    ],
)
def test_a_task_that_cannot_be_asked_after_may_have_been_billed(answers: list[Any]) -> None:
    """Whatever keeps the answer away says nothing of the task: it was started, and is named."""
    with answering(*answers) as http:
        client = Client("sk-test", provider=COMET, http_client=http, retry=RetryPolicy.none())
        with pytest.raises(
            errors.Dalle2Error, match="Task task-1 was started and may have been billed"
        ) as caught:
            client.generate("a corgi")
    assert caught.value.maybe_billed


def test_an_interrupted_wait_names_the_task(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C while waiting for a task leaves a note of what is on its way."""

    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("dalle2._client.time.sleep", interrupt)
    with answering(TASK) as http:
        client = Client("sk-test", provider=COMET, http_client=http)
        with pytest.raises(KeyboardInterrupt) as caught:
            client.generate("a corgi")
    assert "Task task-1 was started" in caught.value.__notes__[0]


@pytest.mark.parametrize("shape", ["failed", "refusal"])
def test_an_answer_that_reports_a_failure_is_an_error(shape: Any) -> None:
    """A 200 can say no; it is never repeated."""
    emulator = Emulator(persona="cometapi", responses_shape=shape)
    for error in both(emulator, lambda c: c.generate("a corgi"), provider=COMET, retry=QUICK):
        assert isinstance(error, errors.APIStatusError)
        assert error.status_code == 200
    assert len(emulator.requests) == 2


# --- several calls for several images -----------------------------------------------------------------------


def test_a_failure_in_the_middle_keeps_the_images_before_it() -> None:
    """With `split_n`, what was paid for first is in the error of what failed later."""
    emulator = Emulator()
    with emulator.client() as http:
        client = Client("sk-test", http_client=http, model="dall-e-3", split_n=True, retry=RetryPolicy.none())
        with pytest.raises(errors.RateLimitError) as caught, pytest.MonkeyPatch.context() as patch:
            real = emulator.handle

            def handle(request: Any) -> Any:
                if len(emulator.billed) == 2:
                    emulator.fail_next(429)
                return real(request)

            patch.setattr(emulator, "handle", handle)
            client.generate("a corgi", n=3)
        assert len(caught.value.images) == 2
        assert caught.value.maybe_billed
        emulator.fail_next(400)
        with pytest.raises(errors.BadRequestError) as first:
            client.generate("a corgi", n=2)
    assert list(first.value.images) == []
    assert not first.value.maybe_billed


def test_what_was_paid_for_is_said_before_what_may_be_repeated() -> None:
    """The next call of a split did not leave: that it is safe to repeat is said of what is missing."""
    emulator = Emulator()

    def handle(request: httpx.Request) -> httpx.Response:
        if len(emulator.billed) == 2:
            raise httpx.ConnectError("refused") from ConnectionRefusedError()
        return passing(request)

    with emulator.client() as http:
        passing = http._transport.handle_request
        with httpx.Client(transport=httpx.MockTransport(handle)) as mine:
            client = Client(
                "sk-test", http_client=mine, model="dall-e-3", split_n=True, retry=RetryPolicy.none()
            )
            with pytest.raises(errors.APIConnectionError) as caught:
                client.generate("a corgi", n=3)
    error = caught.value
    assert (len(error.images), error.maybe_billed) == (2, True)
    paid, _, safe = str(error).partition(". Of the next one: ")
    assert paid == "2 of the 3 calls are paid for: error.images has what they gave, so ask for the rest only"
    assert "trying again is safe" in safe


def test_one_deadline_covers_all_calls_of_a_split(monkeypatch: pytest.MonkeyPatch) -> None:
    """The third is not sent once it has passed, and the images of the first two are in the error."""
    emulator, passed = Emulator(), [0.0]
    real, init = emulator.handle, ClientState.__init__

    def handle(request: Any) -> Any:
        passed[0] += 6 if request.method == "POST" else 0
        return real(request)

    def timed(self: ClientState, *values: Any, **more: Any) -> None:
        init(self, *values, **{**more, "monotonic": lambda: passed[0]})

    monkeypatch.setattr(emulator, "handle", handle)
    monkeypatch.setattr(ClientState, "__init__", timed)
    policy = RetryPolicy(deadline=12, max_attempts=3)
    for error in both(emulator, lambda c: c.generate("a corgi", n=3), **SPLIT, retry=policy):
        assert isinstance(error, errors.APIConnectionError)
        assert "deadline passed before it was sent" in str(error)
        assert len(error.images) == 2
        assert error.maybe_billed
    assert len(emulator.billed) == 4


def test_what_takes_n_is_not_split() -> None:
    """One call where one is enough; a model that nobody knows is asked as it is."""
    emulator = Emulator()
    for images in both(emulator, lambda c: c.generate("a corgi", n=3), split_n=True):
        assert len(images) == 3
    assert [record.n for record in emulator.billed] == [3, 3]


SPLIT: dict[str, Any] = {"model": "dall-e-3", "split_n": True}


@pytest.mark.parametrize("where", ["argument", "extra_headers", "client"])
def test_the_parts_go_under_the_key_that_the_caller_gave(where: str) -> None:
    """As an argument or as a header: sent again under the same key, no part is paid for a second time."""
    emulator, header = Emulator(), {"idempotency-key": "order-7"}
    given = {"idempotency_key": "order-7"} if where == "argument" else {}
    extra = header if where == "extra_headers" else None
    more = {"headers": header} if where == "client" else {}
    both(emulator, lambda c: c.generate("a corgi", n=2, extra_headers=extra, **given), **SPLIT, **more)
    assert [record.idempotency_key for record in emulator.billed] == ["order-7-1", "order-7-2"] * 2


@pytest.mark.parametrize("length", [252, 253])
def test_a_key_that_grows_too_long_is_refused_before_the_first_part_is_paid_for(length: int) -> None:
    """Of ten numbered keys the last one is the longest."""
    emulator = Emulator()
    results = both(emulator, lambda c: c.generate("a corgi", n=10, idempotency_key="k" * length), **SPLIT)
    if length == 252:
        assert [len(images) for images in results] == [10, 10]
    else:
        assert [type(error) for error in results] == [errors.InvalidRequestError] * 2
        assert emulator.requests == []


# --- the end of models --------------------------------------------------------------------------------------


def planned(model: str, today: date, known: KnownModels | None = None, **arguments: Any) -> list[str]:
    """The warnings of planning a request."""
    found = settings.resolve({}, api_key="k", model=model, **arguments)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        request = GenerateRequest(prompt="a corgi")
        state = ClientState(known=known, now=lambda: datetime.combine(today, time(12), UTC))
        make_plan(found, state, Draft.of(request), Options(), stream=False)
    assert all(warning.filename == __file__ for warning in caught)
    assert all(warning.category is dalle2.ModelRetirementWarning for warning in caught)
    return [str(warning.message) for warning in caught]


def test_a_model_near_its_end_warns_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Within thirty days, with its successor, at the caller's line; the second time nothing is said."""
    monkeypatch.setattr("dalle2._calls._plan._warned", set())
    assert planned("dall-e-2", date(2026, 4, 1)) == []
    (said,) = planned("dall-e-2", date(2026, 5, 1))
    assert said.startswith("The model dall-e-2 ends on 2026-05-12; its successor is gpt-image")
    assert planned("dall-e-2", date(2026, 5, 2)) == []
    assert planned("dall-e-3", date(2026, 5, 13)) == []


def test_elsewhere_dates_hold_only_from_the_live_list(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another host outlives OpenAI's dates, unless its own list says when a model ends."""
    monkeypatch.setattr("dalle2._calls._plan._warned", set())
    today = date(2026, 5, 1)
    assert planned("dall-e-2", today, base_url="https://h.example") == []
    assert planned("dall-e-2", today, provider="openai", base_url="https://h.example") == []
    known = KnownModels()
    known.learn({"dall-e-2": date(2026, 5, 20)})
    (said,) = planned("dall-e-2", today, known, base_url="https://h.example")
    assert "2026-05-20" in said


def test_a_model_without_successor_warns_without_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is made up where no advice is known."""
    monkeypatch.setattr("dalle2._calls._plan._warned", set())
    known = KnownModels()
    known.learn({"gpt-image-2": date(2030, 1, 10)})
    (said,) = planned("gpt-image-2", date(2030, 1, 1), known)
    assert said == "The model gpt-image-2 ends on 2030-01-10"


def test_a_client_learns_ends_from_the_live_list() -> None:
    """`list_models` gives the dates of the host, and the client plans by them."""
    end = datetime.now(UTC).date() + timedelta(days=10)
    rows = {
        "object": "list",
        "data": [{"id": "gpt-image-2", "object": "model", "shutdown_date": end.isoformat()}],
    }
    image = {"created": 1, "data": [{"b64_json": ""}, {"url": "https://h.example/a.png"}]}
    with answering((200, rows), (200, image | {"data": image["data"][1:]})) as http:  # type: ignore[index]
        client = Client("k", base_url="https://h.example", http_client=http, model="gpt-image-2")
        assert [(row.id, row.shutdown_date) for row in client.list_models()] == [("gpt-image-2", end)]
        with pytest.MonkeyPatch.context() as patch, pytest.warns(dalle2.ModelRetirementWarning):
            patch.setattr("dalle2._calls._plan._warned", set())
            client.generate("a corgi")


# --- successors ---------------------------------------------------------------------------------------------


def test_a_retired_successor_is_refused_when_it_is_named() -> None:
    """At construction and in `with_options`, with the one to take instead."""
    for kind in (Client, AsyncClient):
        with pytest.raises(errors.ConfigurationError, match="itself retired"):
            kind("k", successor="dall-e-3")
        client = kind("k")
        with pytest.raises(errors.ConfigurationError, match="itself retired"):
            client.with_options(successor="gpt-image-1")
        copy = client.with_options(successor="auto").with_options(successor=None)
        assert repr(copy) == repr(client)


def test_a_small_size_on_a_successor_is_fetched_and_scaled() -> None:
    """256 comes back at 256, and the changes are told."""
    emulator = Emulator(today=date(2026, 11, 20))
    for images in both(emulator, lambda c: c.generate("a corgi", size="256x256"), successor="gpt-image-2"):
        assert {change.field for change in images.adaptations} >= {"model", "size"}
        held = images[0].content
        assert held is not None
        assert (held[16:20], held[20:24]) == ((256).to_bytes(4, "big"),) * 2


def test_a_size_that_the_successor_has_is_not_scaled() -> None:
    """Then its image is what the caller gets."""
    emulator = Emulator(today=date(2026, 11, 20))
    for images in both(emulator, lambda c: c.generate("a corgi", size="1024x1024"), successor="gpt-image-2"):
        assert [change.field for change in images.adaptations] == ["model"]


# --- moderation ---------------------------------------------------------------------------------------------


def test_a_flagged_prompt_is_never_sent() -> None:
    """`moderate="before"`: the categories are named, nothing was called or billed; a clean prompt goes on."""
    emulator = Emulator()
    for error in both(emulator, lambda c: c.generate(UNSAFE), moderate="before"):
        assert isinstance(error, errors.ContentPolicyError)
        assert (error.status_code, error.stage, error.maybe_billed) == (None, "input", False)
        assert error.categories == ("violence",)
        assert error.request_id
    assert {request.path for request in emulator.requests} == {"/v1/moderations"}
    assert [len(images) for images in both(emulator, lambda c: c.generate("a corgi"), moderate="before")] == [
        1,
        1,
    ]
    assert len(emulator.billed) == 2


def test_flagged_for_nothing_in_particular_is_unsafe() -> None:
    """A host that names no category still refuses."""
    verdict = {
        "id": "m",
        "model": "m",
        "results": [{"flagged": True, "categories": {}, "category_scores": {}}],
    }
    with answering((200, verdict)) as http:
        client = Client("k", http_client=http, moderate="before")
        with pytest.raises(errors.ContentPolicyError, match="flagged it as unsafe"):
            client.generate("a corgi")


def test_a_variation_has_no_prompt_to_moderate(tmp_path: Path) -> None:
    """So nothing is asked."""
    emulator = Emulator()
    with emulator.client() as http:
        client = Client("sk-test", http_client=http, moderate="before")
        made = client.generate("a corgi", size="256x256")[0]
        client.vary(made)
    assert [request.path for request in emulator.requests].count("/v1/moderations") == 1


@pytest.mark.parametrize("body", [{"hello": 1}, 3, {"object": "list", "data": "x"}])
def test_a_free_answer_of_the_wrong_shape_is_a_free_error(body: Any) -> None:
    """A `DecodeError` that was certainly not billed."""
    with answering((200, body)) as http, pytest.raises(errors.DecodeError) as caught:
        Client("k", http_client=http).list_models()
    assert not caught.value.maybe_billed


# --- what is kept -------------------------------------------------------------------------------------------


def test_a_kept_url_is_a_result_without_a_request() -> None:
    """With `created` an hour is known on OpenAI's host; without it nothing is guessed; elsewhere never."""
    url = "https://oaidalleapiprodscus.blob.core.windows.net/a.png"
    created = datetime(2026, 1, 1, tzinfo=UTC)
    for kind in (Client, AsyncClient):
        client = kind("k")
        assert client.image(url).expires_at is None
        assert client.image(url, created=created).expires_at == created + timedelta(hours=1)
        assert client.image(url, created=created).created == created
        other = kind("k", base_url="https://h.example")
        assert other.image(url, created=created).expires_at is None
        with pytest.raises(errors.InvalidRequestError, match="aware"):
            client.image(url, created=datetime(2026, 1, 1))


def test_an_eager_client_fetches_at_once_and_forgives() -> None:
    """The bytes are there; where they are not, a warning says so and the URL is kept."""
    emulator = Emulator()
    for images in both(emulator, lambda c: c.generate("a corgi", size="256x256"), download="eager"):
        assert images[0].content
    emulator.fail_next(404, on="image", times=2)
    with pytest.warns(UserWarning, match="its URL is kept") as caught:
        results = both(emulator, lambda c: c.generate("a corgi"), download="eager")
    assert len(caught) == 2
    assert all(images[0].content is None and images[0].url for images in results)


def test_a_hook_for_warnings_that_fails_costs_no_image(monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs put their own in the place of `warnings.showwarning`."""

    def fail(*warning: object, **more: object) -> None:
        raise RuntimeError("the hook's own")

    emulator = Emulator()
    emulator.fail_next(404, on="image", times=2)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        monkeypatch.setattr(warnings, "showwarning", fail)
        results = both(emulator, lambda c: c.generate("a corgi"), download="eager")
    assert all(images[0].url for images in results)


def test_a_pickled_client_finds_its_key_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """All settings travel but the key and the headers, which may hold one; no key anywhere is an error."""
    provider = Provider.custom("https://h.example/v1")
    for kind in (Client, AsyncClient):
        client = kind(
            "sk-SECRET",
            provider=provider,
            model="dall-e-3",
            organization="o",
            project="p",
            timeout=3,
            retry=QUICK,
            headers={"X": "SECRET"},
            moderate="before",
            download="eager",
            successor="gpt-image-2",
            split_n=True,
            prices=dalle2.PriceTable(date(2026, 1, 1), {}),
        )
        data = pickle.dumps(client)
        assert b"SECRET" not in data
        monkeypatch.delenv("OPENAI_API_KEY", raising=False)
        assert "key from a function" in repr(pickle.loads(data))
        monkeypatch.setenv("OPENAI_API_KEY", "sk-again")
        again = pickle.loads(data)
        assert type(again) is kind
        assert repr(again) == repr(client).replace("from api_key", "from OPENAI_API_KEY")
        assert again._session.portable() == client._session.portable()
        assert again._session.settings.timeouts == client._session.settings.timeouts


def test_a_client_on_the_embedded_emulator_needs_nothing() -> None:
    """No key, no network; and it pickles without the address of this process's emulator."""
    with Client(provider="emulator") as client:
        assert len(client.generate("a corgi", size="256x256")[0].read()) > 100
        assert client._session.settings.origin[:2] == ("http", "127.0.0.1")
        again = pickle.loads(pickle.dumps(client))
    assert again._session.portable()["base_url"] is None
    dalle2.testing.embedded.stop_embedded()


def test_images_of_a_host_that_wants_the_key_are_fetched_with_it() -> None:
    """Only for providers that say so, and only on the API's own origin."""
    seen: list[tuple[str, str | None]] = []
    image = Emulator()
    with image.client() as http:
        data = Client("sk-test", http_client=http).generate("a corgi", size="256x256")[0].read()

    def handle(request: httpx.Request) -> httpx.Response:
        seen.append((request.url.host, request.headers.get("authorization")))
        if request.method == "GET":
            return httpx.Response(200, content=data)
        url = "https://h.example/a.png" if len(seen) == 1 else "https://store.example/a.png"
        return httpx.Response(200, json={"created": 1, "data": [{"url": url}]})

    with httpx.Client(transport=httpx.MockTransport(handle)) as http:
        client = Client("sk-1", provider=Provider.localai("https://h.example/v1"), http_client=http)
        for _ in range(2):
            assert client.generate("a corgi")[0].read() == data
    assert seen == [
        ("h.example", "Bearer sk-1"),
        ("h.example", "Bearer sk-1"),
        ("h.example", "Bearer sk-1"),
        ("store.example", None),
    ]


@pytest.mark.parametrize(
    ("own", "theirs", "call", "expected"),
    [
        ({}, httpx.Timeout(5.0), {}, {"connect": 10.0, "read": 600.0, "write": 120.0, "pool": 60.0}),
        ({}, httpx.Timeout(7.0), {}, {"connect": 7.0, "read": 7.0, "write": 7.0, "pool": 7.0}),
        ({"timeout": 3}, httpx.Timeout(7.0), {}, {"connect": 3, "read": 3, "write": 3, "pool": 3}),
        (
            {"timeout": 3},
            httpx.Timeout(7.0),
            {"timeout": None},
            dict.fromkeys(("connect", "read", "write", "pool")),
        ),
        (
            {"timeout": None},
            httpx.Timeout(7.0),
            {"timeout": 2.5},
            {"connect": 2.5, "read": 2.5, "write": 2.5, "pool": 2.5},
        ),
    ],
)
def test_the_nearest_timeout_wins(
    own: Any, theirs: httpx.Timeout, call: Any, expected: dict[str, float]
) -> None:
    """The call's, else the client's, else that of the caller's HTTP client if set, else the default."""
    seen: list[Any] = []

    def handle(request: httpx.Request) -> httpx.Response:
        seen.append(request.extensions["timeout"])
        return httpx.Response(200, json={"created": 1, "data": [{"url": "https://h.example/a.png"}]})

    with httpx.Client(transport=httpx.MockTransport(handle), timeout=theirs) as http:
        Client("k", http_client=http, **own).generate("a corgi", **call)
    assert seen == [expected]


def test_a_bad_timeout_of_a_call_is_refused() -> None:
    """Before anything is sent."""
    emulator = Emulator()
    for error in both(emulator, lambda c: c.generate("a corgi", timeout=-1)):
        assert isinstance(error, errors.ConfigurationError)
    assert emulator.requests == []


def test_a_stream_refuses_a_blank_key() -> None:
    """As every paid call does."""
    with pytest.raises(errors.InvalidRequestError, match="idempotency_key"):
        Client("k", model="gpt-image-2").stream("a corgi", idempotency_key="")


def sending_again(error: errors.OutcomeUnknownError) -> Callable[[Any], Any]:
    """The way on that the error names."""
    return lambda client: client.send(error.request, idempotency_key=error.idempotency_key)


def test_an_unknown_error_can_be_sent_again() -> None:
    """The request in the error is whole: model, prompt and key of the first call."""
    emulator = Emulator()
    emulator.lose_next(2)
    for error in both(emulator, lambda c: c.generate("a corgi", n=2)):
        assert isinstance(error, errors.OutcomeUnknownError)
        again = both(emulator, sending_again(error))
        assert [len(images) for images in again] == [2, 2]
        bodies = [json.loads(request.body) for request in emulator.requests]
        assert bodies[-1] == bodies[0] == {"model": "dall-e-2", "n": 2, "prompt": "a corgi"}
        assert emulator.billed[-1].idempotency_key == error.idempotency_key
