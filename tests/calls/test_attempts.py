"""One logical call from its first attempt to its end: waits, deadlines, budgets, events, the true error."""

from __future__ import annotations

import contextlib
import logging
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta

import anyio
import attrs
import pytest

from dalle2 import AsyncClient, Budget, Client, RetryPolicy, errors, events
from dalle2._calls._attempts import LARGEST_ANSWER, Attempts
from dalle2._calls._loop import _repeated, _repeated_async
from dalle2._calls._outcome import Call
from dalle2._http import Failure, HttpRequest, HttpResponse, Timeouts, TransportError
from dalle2._money import PRICES, Charge, Estimate
from dalle2._state import ClientState, RateLimits, Reporter, utc_now
from dalle2._wire._body import JsonBody
from dalle2._wire._context import Context
from dalle2.testing import Emulator

START = datetime(2026, 11, 20, 12, tzinfo=UTC)
TIMEOUTS = Timeouts(10, 600, 120, 60)
LOST = Failure("timeout", True, "no answer")
REFUSED = Failure("connect", False, "refused")
Outcome = Failure | BaseException | HttpResponse


class Fake:
    """A clock that moves when somebody sleeps, and what was slept and told."""

    def __init__(self) -> None:
        self.seconds = 100.0
        self.slept: list[float] = []
        self.told: list[events.Event] = []
        self.shared = ClientState(report=Reporter(self.told.append), monotonic=self.monotonic, now=self.now)

    def monotonic(self) -> float:
        """The clock for durations."""
        return self.seconds

    def now(self) -> datetime:
        """The clock on the wall."""
        return START + timedelta(seconds=self.seconds - 100)

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.slept.append(seconds)
        self.seconds += seconds

    @property
    def names(self) -> list[str]:
        """The kinds of the events told, in order."""
        return [type(event).__name__ for event in self.told]


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Fake:
    """A fake clock that the retry loop sleeps on."""
    made = Fake()
    monkeypatch.setattr("dalle2._calls._loop.time.sleep", made.sleep)
    return made


def answer(status: int = 200, date: str | None = None) -> HttpResponse:
    """An answer; the date is its `Date` header."""
    headers = {"x-request-id": "req_1"} | ({"date": date} if date else {})
    return HttpResponse(status, headers, JsonBody(), START)


def limited(seconds: float | None = None) -> errors.RateLimitError:
    """A 429 that may pass."""
    return errors.RateLimitError(
        "slow down", status_code=429, repeatable=True, retry_after=seconds, code="rate_limit_exceeded"
    )


def failed(*, billed: bool = True, repeatable: bool = False) -> errors.InternalServerError:
    """A 500."""
    return errors.InternalServerError("oops", status_code=500, maybe_billed=billed, repeatable=repeatable)


def make_run(
    fake: Fake,
    policy: RetryPolicy | None = None,
    budget: Budget | None = None,
    *,
    paid: bool = True,
    lane: str = "host model",
    images: int = 2,
) -> Attempts[list[str]]:
    """A call of two images, ready to run."""

    context = Context(
        host="h.example",
        operation="generate",
        model="dall-e-2",
        idempotency_key="key-1",
        paid=paid,
        charge=Charge({"model": "dall-e-2", "n": images}, images, Estimate(0.04), PRICES),
    )
    request = HttpRequest("POST", "https://h.example/v1")
    call = Call(request, context, lambda response, context: ["one", "two"], lane)
    return Attempts(call, policy or RetryPolicy(initial=1, max_delay=1), fake.shared, budget)


def drive(run: Attempts[list[str]], fake: Fake, outcomes: Iterable[Outcome]) -> list[str]:
    """The client's loop, with outcomes in place of a network."""
    left = iter(outcomes)

    def once() -> list[str]:
        while pause := run.pause():
            fake.sleep(pause)
        _, departure = run.start(TIMEOUTS)
        departure.left = True
        outcome = next(left)
        if isinstance(outcome, Failure):
            raise run.lost(outcome)
        if isinstance(outcome, BaseException):
            raise outcome
        return run.read(outcome)

    return _repeated(run, once)


def drive_async(run: Attempts[list[str]], fake: Fake, outcomes: Iterable[Outcome]) -> list[str]:
    """The same, awaited; it waits for nothing."""
    left = iter(outcomes)

    async def once() -> list[str]:
        _, departure = run.start(TIMEOUTS)
        departure.left = True
        outcome = next(left)
        if isinstance(outcome, Failure):
            raise run.lost(outcome)
        if isinstance(outcome, BaseException):
            raise outcome
        assert isinstance(outcome, HttpResponse)
        return run.read(outcome)

    async def main() -> list[str]:
        return await _repeated_async(run, once)

    return anyio.run(main)


BRAVE = RetryPolicy(max_attempts=3, initial=0, ambiguous="retry")


# --- events -------------------------------------------------------------------------------------------------


def test_a_call_that_succeeds_tells_two_events(fake: Fake) -> None:
    """Started, succeeded: with all that is needed to count and reconcile."""
    assert drive(make_run(fake), fake, [answer()]) == ["one", "two"]
    started, done = fake.told
    common = {
        "operation": "generate",
        "model": "dall-e-2",
        "host": "h.example",
        "idempotency_key": "key-1",
        "paid": True,
        "attempt": 1,
        "at": START,
    }
    assert attrs.asdict(started) == common
    assert isinstance(done, events.CallSucceeded)
    assert attrs.asdict(done) == common | {"images": 0, "usd": 0.04, "request_id": "req_1"}


def test_a_call_that_is_repeated_tells_each_step(fake: Fake) -> None:
    """Each attempt, why it failed and how long the wait is, in order."""
    drive(make_run(fake), fake, [limited(7), REFUSED, answer()])
    assert fake.names == [
        "AttemptStarted",
        "AttemptFailed",
        "Waiting",
        "AttemptStarted",
        "AttemptFailed",
        "Waiting",
        "AttemptStarted",
        "CallSucceeded",
    ]
    assert [event.attempt for event in fake.told if isinstance(event, events.CallEvent)] == [
        1,
        1,
        1,
        2,
        2,
        2,
        3,
        3,
    ]
    waits = [event.seconds for event in fake.told if isinstance(event, events.Waiting)]
    assert waits == fake.slept
    assert waits[0] == 7
    assert 0.75 <= waits[1] <= 1


def test_a_paid_call_without_an_answer_is_an_unknown_outcome(fake: Fake) -> None:
    """One attempt, no repetition; the error knows when it was sent, the event that it may be billed."""
    with pytest.raises(errors.OutcomeUnknownError) as caught:
        drive(make_run(fake), fake, [LOST])
    assert (caught.value.sent_at, caught.value.attempts) == (START, 1)
    assert fake.names == ["AttemptStarted", "OutcomeUnknown"]
    last = fake.told[-1]
    assert isinstance(last, events.OutcomeUnknown)
    assert last.error is caught.value


def test_a_free_call_without_an_answer_is_repeated(fake: Fake) -> None:
    """Nothing can be lost by asking again, and the event says no more than that an attempt failed."""
    assert drive(make_run(fake, paid=False), fake, [LOST, LOST, answer()]) == ["one", "two"]
    assert fake.names.count("AttemptFailed") == 2
    assert "OutcomeUnknown" not in fake.names
    with pytest.raises(errors.OutcomeUnknownError) as caught:
        drive(make_run(fake, paid=False), fake, [LOST, LOST, LOST])
    assert not caught.value.maybe_billed


def test_a_streamed_answer_tells_its_end(fake: Fake) -> None:
    """Its end, or how it broke; a break is never repeated."""
    run = make_run(fake)
    run.start(TIMEOUTS)
    run.succeeded(None, {"x-request-id": "req_2"})
    unknown = errors.OutcomeUnknownError("cut", reason="disconnected")
    assert run.broken(unknown) is unknown
    assert unknown.sent_at == START
    refused = errors.BadRequestError("no", status_code=200)
    assert run.broken(refused) is refused
    assert fake.names == ["AttemptStarted", "CallSucceeded", "OutcomeUnknown", "AttemptFailed"]


# --- the one true error -------------------------------------------------------------------------------------

REQUEST = errors.BadRequestError
ENDINGS: list[tuple[str, list[Outcome], type[errors.Dalle2Error], bool, int]] = [
    ("refused", [REFUSED, REFUSED, REFUSED], errors.APIConnectionError, False, 3),
    ("limited", [limited(), limited(), limited()], errors.RateLimitError, False, 3),
    ("lost", [LOST, LOST, LOST], errors.OutcomeUnknownError, True, 3),
    ("lost, then refused", [LOST, REFUSED, REFUSED], errors.OutcomeUnknownError, True, 3),
    ("refused, then lost", [REFUSED, LOST, REFUSED], errors.OutcomeUnknownError, True, 3),
    ("lost, then limited", [LOST, limited(), limited()], errors.RateLimitError, True, 3),
    ("lost, then a bad request", [LOST, REQUEST("no", status_code=400)], REQUEST, True, 2),
    ("lost, then no images", [LOST, errors.DecodeError("no images")], errors.DecodeError, True, 2),
    ("lost, then closed", [LOST, errors.ConfigurationError("closed")], errors.OutcomeUnknownError, True, 2),
    ("a doubtful 500, then refused", [failed(), REFUSED, REFUSED], errors.InternalServerError, True, 3),
    ("a doubtful 500, then lost", [failed(), LOST, REFUSED], errors.OutcomeUnknownError, True, 3),
    (
        "a certain 500, then refused",
        [failed(billed=False, repeatable=True), REFUSED, REFUSED],
        errors.APIConnectionError,
        False,
        3,
    ),
    ("closed", [errors.ConfigurationError("closed")], errors.ConfigurationError, False, 1),
]


@pytest.mark.parametrize("loop", [drive, drive_async])
@pytest.mark.parametrize(
    ("name", "outcomes", "kind", "maybe_billed", "attempts"), ENDINGS, ids=[row[0] for row in ENDINGS]
)
def test_the_last_error_is_true_of_all_attempts(
    name: str,
    outcomes: list[Outcome],
    kind: type[errors.Dalle2Error],
    maybe_billed: bool,
    attempts: int,
    loop: Callable[..., list[str]],
    fake: Fake,
) -> None:
    """Once an attempt may have been carried out, no later one makes the call look unbilled."""
    for outcome in outcomes:
        if isinstance(outcome, errors.RateLimitError | errors.BadRequestError):
            outcome.maybe_billed = False  # the rows are used twice
    run = make_run(fake, BRAVE)
    with pytest.raises(kind) as caught:
        loop(run, fake, outcomes)
    assert type(caught.value) is kind
    assert caught.value.maybe_billed is maybe_billed
    assert run.attempt == attempts
    if isinstance(caught.value, errors.APIError):
        assert caught.value.attempts == attempts


def test_a_decode_error_stands_as_the_doubt_it_is(fake: Fake) -> None:
    """An interrupted sequence keeps the first doubtful error, whatever its class."""
    run = make_run(fake)
    doubt = errors.DecodeError("no images")
    assert not run.repeats(doubt)
    assert run.final(errors.APIConnectionError("refused")) is doubt


def test_success_after_a_doubt_is_success(fake: Fake) -> None:
    """With `ambiguous="retry"` the images count, and the event of the doubt was told."""
    assert drive(make_run(fake, BRAVE), fake, [LOST, answer()]) == ["one", "two"]
    assert fake.names == ["AttemptStarted", "OutcomeUnknown", "Waiting", "AttemptStarted", "CallSucceeded"]


def test_what_is_not_ours_is_not_repeated(fake: Fake) -> None:
    """Only this package's errors say whether a call may be made again."""
    run = make_run(fake)
    run.start(TIMEOUTS)
    assert run.repeats(errors.APIConnectionError("refused"))
    assert not run.repeats(ValueError("not ours"))


# --- deadlines ----------------------------------------------------------------------------------------------


def test_one_deadline_covers_attempts_and_waits(fake: Fake) -> None:
    """Each attempt may use what is left, and a wait that would pass the deadline is not begun."""
    run = make_run(fake, RetryPolicy(deadline=10, max_attempts=9))
    assert run.start(TIMEOUTS)[0] == Timeouts(10, 10, 10, 10, total=10)
    fake.sleep(8)
    assert run.start(TIMEOUTS)[0] == Timeouts(2, 2, 2, 2, total=2)
    assert run.remaining() == 2
    late = limited(3)
    assert not run.repeats(late)
    assert late.retry_after == 3
    fake.sleep(5)
    assert run.start(TIMEOUTS)[0] == Timeouts(0.001, 0.001, 0.001, 0.001, total=0.001)


def test_without_a_deadline_the_timeouts_stand(fake: Fake) -> None:
    """Nothing is shortened."""
    run = make_run(fake)
    assert run.remaining() is None
    assert run.start(TIMEOUTS)[0] is TIMEOUTS
    run.tick(LARGEST_ANSWER)


@pytest.mark.parametrize("wait", [11.0, 121.0])
def test_a_retry_after_that_is_too_long_raises_at_once(wait: float, fake: Fake) -> None:
    """Longer than `max_retry_after`, or past the deadline: no sleep, and the wait is in the error."""
    policy = RetryPolicy(deadline=10) if wait < 120 else RetryPolicy()
    with pytest.raises(errors.RateLimitError) as caught:
        drive(make_run(fake, policy), fake, [limited(wait)])
    assert (caught.value.retry_after, fake.slept) == (wait, [])


def test_an_answer_without_end_ends(fake: Fake) -> None:
    """It was sent, so its outcome is unknown."""
    with pytest.raises(TransportError, match="larger") as large:
        make_run(fake).tick(LARGEST_ANSWER + 1)
    assert (large.value.failure.kind, large.value.failure.sent) == ("unreadable", True)


# --- lanes --------------------------------------------------------------------------------------------------


def test_a_rate_limit_holds_the_others_of_its_lane_back(fake: Fake) -> None:
    """The same host, key and model wait too; another model goes on."""
    first = make_run(fake)
    first.start(TIMEOUTS)
    assert first.repeats(limited(7))
    fake.sleep(2)
    assert make_run(fake, lane="host other").pause() == 0
    second = make_run(fake)
    assert second.pause() == 5
    waiting = fake.told[-1]
    assert isinstance(waiting, events.Waiting)
    assert (waiting.shared, waiting.seconds, waiting.attempt) == (True, 5, 0)
    assert drive(second, fake, [answer()]) == ["one", "two"]
    assert fake.slept[-1] == 5
    assert first.pause() == 0


def test_a_held_call_keeps_its_own_deadline(fake: Fake) -> None:
    """One that cannot wait so long raises the rate limit at once, as not sent and with the wait."""
    first = make_run(fake)
    first.start(TIMEOUTS)
    first.repeats(limited(7))
    for deadline in (7.0, 3.0):
        with pytest.raises(errors.RateLimitError, match="Not sent") as caught:
            drive(make_run(fake, RetryPolicy(deadline=deadline)), fake, [])
        error = caught.value
        assert (error.retry_after, error.status_code, error.code) == (7, 429, "rate_limit_exceeded")
        assert (error.maybe_billed, error.attempts, error.idempotency_key) == (False, 0, "key-1")
    assert make_run(fake, RetryPolicy(deadline=7.5)).pause() == 7


def test_other_failures_hold_nobody_back(fake: Fake) -> None:
    """A refused connection or a failing host says nothing about the others, nor a limit that ends a call."""
    for error in (errors.APIConnectionError("refused"), failed(repeatable=True), limited(500)):
        run = make_run(fake)
        run.start(TIMEOUTS)
        run.repeats(error)
        assert make_run(fake).pause() == 0


def test_the_longer_hold_wins_and_ends() -> None:
    """A shorter wish does not free a lane early; once its time has come it is forgotten."""
    lanes = RateLimits()
    long, short = limited(9), limited(1)
    lanes.hold("a", 10.0, long)
    lanes.hold("a", 5.0, short)
    assert lanes.held("a", 4.0) == (6.0, long)
    lanes.hold("a", 12.0, short)
    assert lanes.held("a", 4.0) == (8.0, short)
    assert lanes.held("b", 4.0) is None
    assert lanes.held("a", 12.0) is None
    assert lanes.held("a", 4.0) is None


def test_the_calls_of_one_client_share_its_lanes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy made by `with_options` has the same key and waits for its limits; another client does not."""
    slept: list[float] = []
    told: list[events.Event] = []
    emulator = Emulator()
    with emulator.client() as http:
        client = Client("sk-test", http_client=http, on_event=told.append)
        copy = client.with_options(retry=RetryPolicy(deadline=20))
        other = Client("sk-test", http_client=http)
        meanwhile: list[type[Exception] | None] = []

        def sleep(seconds: float) -> None:
            slept.append(seconds)
            if len(slept) == 1:
                emulator_calls = len(emulator.requests)
                with pytest.raises(errors.RateLimitError, match="Not sent"):
                    copy.generate("a corgi")
                assert len(emulator.requests) == emulator_calls
                other.generate("a corgi")
                client.generate("a corgi", model="dall-e-3")
                meanwhile.append(None)
                moved[0] += seconds

        moved = [0.0]
        client._session.state.monotonic = lambda: moved[0]
        monkeypatch.setattr("dalle2._calls._loop.time.sleep", sleep)
        emulator.fail_next(429, retry_after=30)
        client.generate("a corgi")
    assert (slept, meanwhile) == ([30.0], [None])
    assert len(emulator.billed) == 3


# --- budgets ------------------------------------------------------------------------------------------------

SPENT: list[tuple[str, RetryPolicy, list[Outcome], int]] = [
    ("success", RetryPolicy.none(), [answer()], 2),
    ("success at the second attempt", RetryPolicy(initial=0), [REFUSED, answer()], 2),
    ("never sent", RetryPolicy.none(), [REFUSED], 0),
    ("refused by the host", RetryPolicy.none(), [REQUEST("no", status_code=400)], 0),
    ("lost", RetryPolicy.none(), [LOST], 2),
    ("a doubtful 500", RetryPolicy.none(), [failed()], 2),
    ("no images", RetryPolicy.none(), [errors.DecodeError("no images")], 2),
    ("lost, then success", BRAVE, [LOST, answer()], 4),
    ("lost, then refused", BRAVE, [LOST, REFUSED, REFUSED], 2),
    ("lost three times", BRAVE, [LOST, LOST, LOST], 6),
    ("interrupted after sending", RetryPolicy.none(), [KeyboardInterrupt()], 2),
]


@pytest.mark.parametrize("loop", [drive, drive_async])
@pytest.mark.parametrize(("name", "policy", "outcomes", "spent"), SPENT, ids=[row[0] for row in SPENT])
def test_a_budget_counts_what_may_have_been_billed(
    name: str,
    policy: RetryPolicy,
    outcomes: list[Outcome],
    spent: int,
    loop: Callable[..., list[str]],
    fake: Fake,
) -> None:
    """Every attempt that may have been carried out stays spent; what certainly was not is given back."""
    for outcome in outcomes:
        if isinstance(outcome, REQUEST):
            outcome.maybe_billed = False
    budget = Budget(max_images=10)
    run = make_run(fake, policy, budget)
    assert budget.spent_images == 0
    with contextlib.suppress(errors.Dalle2Error, KeyboardInterrupt):
        loop(run, fake, outcomes)
    assert budget.spent_images == spent
    assert budget.spent_usd == pytest.approx(0.02 * spent)


def test_a_call_over_the_budget_is_not_begun(fake: Fake) -> None:
    """No event, no attempt."""
    with pytest.raises(errors.BudgetExceededError):
        drive(make_run(fake, budget=Budget(max_images=1)), fake, [])
    assert fake.told == []


def test_a_second_bill_needs_room_in_the_budget(fake: Fake) -> None:
    """An ambiguous failure is not repeated if the repetition could pass the limit."""
    budget = Budget(max_images=3)
    with pytest.raises(errors.OutcomeUnknownError) as caught:
        drive(make_run(fake, BRAVE, budget), fake, [LOST])
    assert caught.value.attempts == 1
    assert budget.spent_images == 2


def test_an_interrupted_wait_costs_nothing(fake: Fake) -> None:
    """Ctrl-C between two attempts gives the reservation back: nothing was under way."""
    budget = Budget(max_images=10)

    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    fake.sleep = interrupt  # type: ignore[method-assign]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dalle2._calls._loop.time.sleep", interrupt)
        with pytest.raises(KeyboardInterrupt):
            drive(make_run(fake, RetryPolicy(), budget), fake, [limited(5)])
    assert budget.spent_images == 0


def test_a_client_keeps_its_budget() -> None:
    """Shared by copies; the call that would pass it is refused before sending; a lost one stays spent."""
    budget = Budget(max_images=5)
    emulator = Emulator()
    with emulator.client() as http:
        client = Client("sk-test", http_client=http, budget=budget, retry=RetryPolicy(initial=0))
        emulator.fail_next(429)
        client.generate("a corgi", n=2)
        emulator.lose_next()
        with pytest.raises(errors.OutcomeUnknownError):
            client.with_options(model="dall-e-2").generate("a corgi", n=2)
        requests = len(emulator.requests)
        with pytest.raises(errors.BudgetExceededError):
            client.generate("a corgi", n=2)
        assert len(emulator.requests) == requests
        emulator.fail_next(400)
        with pytest.raises(errors.BadRequestError):
            client.generate("a corgi")
        client.generate("a corgi")
    assert (budget.spent_images, budget.remaining_images) == (5, 0)


@pytest.mark.anyio
async def test_a_refused_stream_gives_its_budget_back() -> None:
    """A stream that moderation stopped, or that nobody began to read, costs nothing."""
    budget = Budget(max_images=1)
    emulator = Emulator()
    async with emulator.async_client() as http:
        client = AsyncClient(
            "sk-test", http_client=http, budget=budget, model="gpt-image-2", moderate="before"
        )
        client.stream("a corgi")
        with pytest.raises(errors.ContentPolicyError):
            async for _ in client.stream("a gory corgi"):
                raise AssertionError
        assert budget.spent_images == 0
        seen = [type(event).__name__ async for event in client.stream("a corgi")]
    assert seen[-1] == "FinalImage"
    assert budget.spent_images == 1


# --- who is told --------------------------------------------------------------------------------------------


def test_a_listener_that_fails_never_fails_the_call(caplog: pytest.LogCaptureFixture) -> None:
    """Its exception is logged, with its traceback, and the images come."""

    def listener(event: events.Event) -> None:
        raise RuntimeError("my own mistake")

    with Emulator().client() as http:
        images = Client("sk-test", http_client=http, on_event=listener).generate("a corgi")
    assert len(images) == 1
    assert "on_event failed for AttemptStarted" in caplog.text
    assert "my own mistake" in caplog.text


def test_a_log_handler_that_fails_never_fails_the_call() -> None:
    """What somebody's handler raises is not the call's: it was paid for."""

    class Broken(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            raise RuntimeError("the log is full")

    def listener(event: events.Event) -> None:
        raise ValueError("and so is the listener")

    log, handler = logging.getLogger("dalle2"), Broken()
    log.addHandler(handler)
    log.setLevel(logging.DEBUG)
    try:
        with Client("sk-test", http_client=Emulator().client(), on_event=listener) as client:
            assert len(client.generate("a corgi", model="dall-e-2")) == 1
    finally:
        log.removeHandler(handler)
        log.setLevel(logging.NOTSET)


def test_the_memory_of_rate_limits_does_not_grow_for_ever() -> None:
    """However many models were limited, the lanes that are held longest are remembered."""
    limits = RateLimits()
    for number in range(5000):
        limits.hold(f"host model-{number}", float(number), limited())
    assert len(limits._until) <= 256
    assert limits.held("host model-4999", 0.0) is not None


def test_a_listener_may_interrupt(fake: Fake) -> None:
    """Only exceptions are kept back: Ctrl-C in a listener is Ctrl-C."""

    def listener(event: events.Event) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Reporter(listener)("ImageFetched", host="h", size=1, attempts=1, at=START)


def test_the_log_tells_the_story_without_secrets(caplog: pytest.LogCaptureFixture) -> None:
    """Attempts at DEBUG, possible losses as warnings; no prompt, key or signature in any line."""
    caplog.set_level(logging.DEBUG, "dalle2")
    emulator = Emulator(api_key="sk-VERYSECRET")
    with emulator.client() as http:
        client = Client("sk-VERYSECRET", http_client=http, retry=RetryPolicy(initial=0))
        emulator.fail_next(429)
        made = client.generate("a PRIVATE corgi", idempotency_key="order-1")[0]
        emulator.lose_next()
        with pytest.raises(errors.OutcomeUnknownError):
            client.generate("a PRIVATE corgi")
        assert made.url is not None
        made.read()
        emulator.clock.advance(7200)
        with pytest.raises(errors.DownloadError):
            client.image(made.url.replace("sig=", "sig=x")).read()
    records = [(record.name, record.levelname, record.getMessage()) for record in caplog.records]
    ours = [(level, text) for name, level, text in records if name == "dalle2"]
    assert [(level, text.partition(":")[0]) for level, text in ours][:8] == [
        ("DEBUG", "AttemptStarted"),
        ("DEBUG", "AttemptFailed"),
        ("DEBUG", "Waiting"),
        ("DEBUG", "AttemptStarted"),
        ("DEBUG", "CallSucceeded"),
        ("DEBUG", "AttemptStarted"),
        ("WARNING", "OutcomeUnknown"),
        ("DEBUG", "ImageFetched"),
    ]
    text = "\n".join(text for _, text in ours)
    assert "generate dall-e-2 at api.openai.com, attempt 1, key order-1" in text
    assert "PRIVATE" not in text
    assert "SECRET" not in text
    assert "sig=" not in text


def test_each_event_has_its_line() -> None:
    """A line is complete and short, also for a free call without a key, and for images."""
    common = {
        "operation": "models",
        "model": "dall-e-2",
        "host": "h",
        "idempotency_key": None,
        "paid": False,
        "attempt": 1,
        "at": START,
    }
    started = events.AttemptStarted(**common)  # type: ignore[arg-type]
    assert events.line(started) == "AttemptStarted: models dall-e-2 at h, attempt 1"
    done = events.CallSucceeded(images=0, usd=None, request_id=None, **common)  # type: ignore[arg-type]
    assert events.line(done) == "CallSucceeded: models dall-e-2 at h, attempt 1: 0 image(s), request id -"
    fetched = events.ImageFetched(host="h", size=9, attempts=2, at=START)
    assert events.line(fetched) == "ImageFetched: 9 bytes from h in 2 attempt(s)"
    lost = events.ImageLost(host="h", error=errors.DownloadError("gone"), at=START)
    assert events.line(lost) == "ImageLost: h: gone"
    waiting = events.Waiting(seconds=1.25, **common)  # type: ignore[arg-type]
    assert events.line(waiting).endswith("attempt 1: 1.2 s")


def test_nobody_listens_and_nothing_is_made_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a listener and without `logging` in the process, an event is not even built."""
    monkeypatch.delitem(sys.modules, "logging")
    report = Reporter()
    assert not report.listening
    report("OutcomeUnknown", no="such fields")

    def fail(event: events.Event) -> None:
        raise RuntimeError("mine")

    loud = Reporter(fail)
    assert loud.listening
    loud("ImageLost", host="h", error=errors.DownloadError("gone"), at=START)


def test_silence_by_default() -> None:
    """A program that configured no logging sees nothing on its standard error, whatever happens."""
    code = """
import logging, dalle2
from dalle2.testing import Emulator
emulator = Emulator()
def bad(event): raise RuntimeError("listener")
client = dalle2.Client("sk-test", http_client=emulator.client(), on_event=bad)
emulator.lose_next()
try:
    client.generate("a corgi")
except dalle2.OutcomeUnknownError:
    print("unknown")
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=60
    )
    assert (done.stdout, done.stderr) == ("unknown\n", "")


def test_the_clock_learns_from_every_answer(fake: Fake) -> None:
    """Also from one that says no: the host's `Date` corrects ours."""
    run = make_run(fake)
    late = answer(date="Fri, 20 Nov 2026 13:00:00 GMT")
    run.read(late)
    assert fake.shared.clock.now(START) == START + timedelta(hours=1)
    assert utc_now().tzinfo is UTC


def test_threads_share_a_client() -> None:
    """Many calls at once: each its own key, each billed once, every event told."""
    told: list[events.Event] = []
    emulator = Emulator()
    failures: list[BaseException] = []
    with emulator.client() as http:
        client = Client("sk-test", http_client=http, on_event=told.append)

        def work() -> None:
            try:
                client.generate("a corgi", size="256x256")
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert failures == []
    assert len({record.idempotency_key for record in emulator.billed}) == 8
    assert len(told) == 16


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """The package's logger is left as it was found."""
    log = logging.getLogger("dalle2")
    before = list(log.handlers)
    yield
    log.handlers[:] = before
