"""Money on clients: shared budgets, estimates, costs, other prices, and moderation before paying."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import Any

import anyio
import pytest

import dalle2
from dalle2.catalog import Price
from dalle2.testing import TRIGGERS, Emulator

AT_ONCE = dalle2.RetryPolicy(initial=0)
UNSAFE = f"a {next(iter(TRIGGERS))} corgi"
SMALL: dict[str, Any] = {"size": "256x256"}


def client_of(emulator: Emulator, **options: Any) -> dalle2.Client:
    """A client on an emulated OpenAI."""
    return dalle2.Client("sk-test", http_client=emulator.client(), **{"retry": AT_ONCE, **options})


def test_a_call_that_would_pass_the_budget_is_not_sent() -> None:
    """Images and money are counted before sending; what is left can be asked for."""
    emulator = Emulator()
    budget = dalle2.Budget(max_images=3, max_usd=0.05)
    with client_of(emulator, budget=budget) as client:
        client.generate("a corgi", n=2, **SMALL)
        assert (budget.spent_images, budget.spent_usd) == (2, 0.032)
        with pytest.raises(dalle2.BudgetExceededError, match="3 images"):
            client.generate("a corgi", n=2, **SMALL)
        with pytest.raises(dalle2.BudgetExceededError, match=r"\$0\.05"):
            client.generate("a corgi", size="1024x1024")
        client.generate("a corgi", **SMALL)
        assert (budget.remaining_images, budget.remaining_usd) == (0, 0.002)
    assert [billed.n for billed in emulator.billed] == [2, 1]
    assert len(emulator.requests) == 2


def test_a_call_whose_price_is_not_known_needs_another_limit(host: Any) -> None:
    """A limit in dollars that could not be kept is told before sending; one in images works always."""
    host.say({"created": 1, "data": [{"url": "/images/1.png"}]})
    options: dict[str, Any] = {"base_url": host.base_url, "model": "mine"}
    with (
        dalle2.Client("sk-test", budget=dalle2.Budget(max_usd=9), **options) as client,
        pytest.raises(dalle2.BudgetExceededError, match="not known, not even roughly"),
    ):
        client.generate("a corgi")
    assert host.asked == []
    budget = dalle2.Budget(max_images=1)
    with dalle2.Client("sk-test", budget=budget, **options) as client:
        client.generate("a corgi")
        with pytest.raises(dalle2.BudgetExceededError):
            client.generate("a corgi")
    assert budget.unpriced_images == 1


def test_a_successor_is_settled_by_its_usage() -> None:
    """Four times the rough price is put aside; what is spent in the end is what the answers did cost."""
    emulator = Emulator(today=date(2026, 6, 1))
    budget = dalle2.Budget(max_usd=0.2)
    with client_of(emulator, budget=budget, successor="auto") as client:
        spent = [client.generate("a corgi", size="1024x1024").cost for _ in range(3)]
        assert None not in spent
        assert budget.spent_usd == pytest.approx(sum(usd for usd in spent if usd))
        with pytest.raises(dalle2.BudgetExceededError, match=r"about \$0\.21 more \(4 times the rough price"):
            client.generate("a corgi", size="1024x1024", n=4)
    assert len(emulator.billed) == 3


def test_a_stream_is_settled_by_its_usage() -> None:
    """The tokens come with the last event."""
    budget = dalle2.Budget(max_usd=1)
    with client_of(Emulator(), budget=budget, model="gpt-image-2.5-flare") as client:
        last = list(client.stream("a corgi", size="1024x1024", quality="low"))[-1]
    assert isinstance(last, dalle2.FinalImage)
    assert last.usage is not None
    assert last.usage.output_tokens is not None
    assert 0 < budget.spent_usd == pytest.approx(last.usage.output_tokens * 30 / 1e6, abs=0.001)


@pytest.mark.parametrize("n", [10, 10.0, "10"])
def test_what_extra_body_asks_for_is_counted(n: object) -> None:
    """In whatever form a host reads as a number: ten images do not fit a budget of nine."""
    emulator = Emulator()
    with (
        client_of(emulator, budget=dalle2.Budget(max_images=9)) as client,
        pytest.raises(dalle2.BudgetExceededError, match="10 more would pass the budget of 9"),
    ):
        client.generate("a corgi", extra_body={"n": n})
    assert emulator.requests == []


def test_a_task_is_counted_when_its_images_come(host: Any) -> None:
    """Its end counts what was made, and a question that fails gives nothing back."""
    host.say({"id": "task_1", "status": "queued"})
    host.say({"created": 1, "data": [{"url": f"/images/{number}.png"} for number in range(3)]})
    host.say({"id": "task_2", "status": "queued"})
    host.say({"error": {"message": "no such key", "code": "invalid_api_key"}}, status=401)
    budget = dalle2.Budget(max_images=9)
    with dalle2.Client("sk-test", base_url=host.base_url, budget=budget, retry=AT_ONCE) as client:
        assert len(client.generate("a corgi", **SMALL)) == 3
        assert (budget.spent_images, budget.spent_usd) == (3, 0.048)
        with pytest.raises(dalle2.AuthenticationError):
            client.generate("a corgi", **SMALL)
    assert budget.spent_images == 4


@pytest.mark.parametrize("whole", [True, False])
def test_a_host_that_makes_more_is_counted_for_all(host: Any, whole: bool) -> None:
    """Asked for one, it made three: three are counted, also when one of them cannot be read."""
    images: list[dict[str, object]] = [{"url": f"/images/{number}.png"} for number in range(3)]
    host.say({"created": 1, "data": images if whole else [*images, {"url": None}]})
    budget = dalle2.Budget(max_images=5)
    with dalle2.Client("sk-test", base_url=host.base_url, budget=budget) as client:
        if whole:
            assert client.generate("a corgi", **SMALL).cost == 0.048
        else:
            with pytest.raises(dalle2.DecodeError):
                client.generate("a corgi", **SMALL)
        assert (budget.spent_images, budget.spent_usd) == (3, 0.048)
        with pytest.raises(dalle2.BudgetExceededError):
            client.generate("a corgi", n=3, **SMALL)


def test_an_unknown_outcome_is_spent() -> None:
    """A lost answer may have been billed: it counts, in full."""
    emulator = Emulator()
    emulator.lose_next()
    budget = dalle2.Budget(max_images=2)
    with client_of(emulator, budget=budget) as client:
        with pytest.raises(dalle2.OutcomeUnknownError):
            client.generate("a corgi", n=2, **SMALL)
        assert budget.spent_images == 2
        with pytest.raises(dalle2.BudgetExceededError):
            client.generate("a corgi", **SMALL)


def test_a_repeated_unknown_outcome_is_spent_twice() -> None:
    """`ambiguous="retry"` may pay twice, so it counts twice; without room for it, it is not repeated."""
    emulator = Emulator()
    emulator.lose_next(2)
    budget = dalle2.Budget(max_images=3)
    policy = dalle2.RetryPolicy(initial=0, ambiguous="retry")
    with client_of(emulator, budget=budget, retry=policy) as client:
        client.generate("a corgi", **SMALL)
        assert budget.spent_images == 3 == len(emulator.billed)
    emulator.lose_next()
    budget = dalle2.Budget(max_images=1)
    with (
        client_of(emulator, budget=budget, retry=policy) as client,
        pytest.raises(dalle2.OutcomeUnknownError),
    ):
        client.generate("a corgi", **SMALL)
    assert len(emulator.billed) == 4


@pytest.mark.parametrize("status", [400, 401, 429, 503])
def test_what_was_certainly_not_carried_out_is_given_back(status: int) -> None:
    """A refusal costs nothing, after however many attempts."""
    emulator = Emulator()
    emulator.fail_next(status, times=3)
    budget = dalle2.Budget(max_images=1)
    with client_of(emulator, budget=budget) as client, pytest.raises(dalle2.APIStatusError):
        client.generate("a corgi", **SMALL)
    assert (budget.spent_images, emulator.billed) == (0, [])


def test_a_host_that_is_not_there_costs_nothing() -> None:
    """A connection that was never made is given back."""
    budget = dalle2.Budget(max_images=1)
    client = dalle2.Client("sk-test", base_url="http://127.0.0.1:1/v1", retry=AT_ONCE, budget=budget)
    with client, pytest.raises(dalle2.APIConnectionError):
        client.generate("a corgi")
    assert budget.spent_images == 0


def test_an_answer_without_images_is_spent(host: Any) -> None:
    """The host answered, most likely billed: the reservation stands."""
    host.say({"created": 1, "data": []})
    budget = dalle2.Budget(max_images=1)
    client = dalle2.Client("sk-test", base_url=host.base_url, budget=budget)
    with client, pytest.raises(dalle2.DecodeError):
        client.generate("a corgi")
    assert budget.spent_images == 1


def test_free_calls_are_not_counted() -> None:
    """Moderation, the list of models and bad input never touch the budget."""
    budget = dalle2.Budget(max_images=0)
    with client_of(Emulator(), budget=budget) as client:
        client.moderate("a corgi")
        client.list_models()
        with pytest.raises(dalle2.InvalidRequestError):
            client.generate("a corgi", size="300x300")
        with pytest.raises(dalle2.BudgetExceededError):
            client.generate("a corgi")
    assert budget.spent_images == 0


def test_threads_and_copies_share_a_budget() -> None:
    """However many ask at once, the limit holds: of forty calls seven are sent."""
    emulator = Emulator()
    budget = dalle2.Budget(max_images=7)
    start = threading.Barrier(8)
    with client_of(emulator, budget=budget) as client:
        copies = [client.with_options(timeout=60) for _ in range(8)]

        def work(copy: dalle2.Client) -> int:
            start.wait()
            refused = 0
            for _ in range(5):
                try:
                    copy.generate("a corgi", **SMALL)
                except dalle2.BudgetExceededError:
                    refused += 1
            return refused

        with ThreadPoolExecutor(8) as pool:
            refused = sum(pool.map(work, copies))
    assert (refused, len(emulator.billed), budget.spent_images) == (33, 7, 7)


@pytest.mark.anyio
async def test_tasks_share_a_budget() -> None:
    """The same among tasks of asyncio and trio, and between a blocking and an awaited client."""
    emulator = Emulator()
    budget = dalle2.Budget(max_images=3)
    refused = 0
    async with dalle2.AsyncClient("sk-test", http_client=emulator.async_client(), budget=budget) as client:

        async def work() -> None:
            nonlocal refused
            try:
                await client.generate("a corgi", **SMALL)
            except dalle2.BudgetExceededError:
                refused += 1

        async with anyio.create_task_group() as group:
            for _ in range(5):
                group.start_soon(work)
    assert (refused, len(emulator.billed)) == (2, 3)
    with client_of(emulator, budget=budget) as blocking, pytest.raises(dalle2.BudgetExceededError):
        blocking.generate("a corgi")


def test_split_calls_stop_at_the_budget() -> None:
    """Of three calls two fit: their images are kept."""
    emulator = Emulator()
    with client_of(emulator, split_n=True, budget=dalle2.Budget(max_images=2), model="dall-e-3") as client:
        with pytest.raises(dalle2.BudgetExceededError) as caught:
            client.generate("a corgi", n=3)
        assert len(caught.value.images) == 2
        assert all(image.url for image in caught.value.images)
        assert "2 of the 3 calls are paid for: error.images has what they gave" in str(caught.value)
        assert "Nothing was sent" not in str(caught.value)
    assert len(emulator.billed) == 2


# What a call costs


def test_a_request_tells_what_it_will_cost() -> None:
    """By the list, where the model is priced by image; `None`, never 0, where it is not known."""
    assert dalle2.GenerateRequest(prompt="a corgi", n=3, size="512x512").estimate() == 0.054
    assert dalle2.GenerateRequest(prompt="a corgi").estimate() == 0.02
    assert dalle2.GenerateRequest(prompt="a corgi", model="gpt-image-2").estimate() is None
    assert dalle2.GenerateRequest(prompt="a corgi", model="somebody-elses").estimate() is None


def test_an_answer_tells_what_it_cost() -> None:
    """By its images, or by its tokens where the model is priced so; the two agree with the bill."""
    with client_of(Emulator()) as client:
        images = client.generate("a corgi", n=2, **SMALL)
        assert (images.cost, images.usage) == (0.032, None)
        assert images.cost == images.request.estimate()
        newer = client.generate("a corgi", model="gpt-image-2", size="1024x1024", quality="low")
        assert newer.usage is not None
        assert newer.usage.output_tokens is not None
        assert (newer.extra["quality"], newer.created) == ("low", newer[0].created)
        tokens = newer.usage.input_tokens or 0
        assert newer.cost == pytest.approx((tokens * 5 + newer.usage.output_tokens * 30) / 1e6)
    elsewhere = dalle2.Provider.custom("https://images.example.com/v1")
    with client_of(Emulator(), provider=elsewhere) as client:
        images = client.generate("a corgi", model="gpt-image-1.5", size="1024x1024")
        assert (images.usage is None, images.cost) == (False, None)


def test_a_successors_answer_is_priced_as_what_it_is() -> None:
    """By its own tokens, at the size that was really made."""
    with client_of(Emulator(today=date(2026, 6, 1)), successor="gpt-image-2") as client:
        images = client.generate("a corgi", **SMALL)
    assert images.usage is not None
    assert images.cost is not None
    assert images.cost > 0.016


def test_other_prices_can_be_brought() -> None:
    """`Client(prices=...)` counts for budgets and costs; `estimate` takes them as an argument."""
    mine = dalle2.PriceTable.listed().with_prices(
        {"dall-e-2": Price("my contract", {("", "256x256"): 0.5}, exact=True)}, as_of=date(2026, 11, 1)
    )
    assert isinstance(mine, dalle2.PriceTable)
    emulator = Emulator()
    budget = dalle2.Budget(max_usd=1.2)
    with client_of(emulator, prices=mine, budget=budget) as client:
        images = client.generate("a corgi", n=2, **SMALL)
        assert (images.cost, budget.spent_usd) == (1.0, 1.0)
        with pytest.raises(dalle2.BudgetExceededError):
            client.generate("a corgi", **SMALL)
    assert images.request.estimate(prices=mine) == 1.0
    assert images.request.estimate() == 0.032


# Moderation before paying


def test_a_flagged_prompt_is_not_paid_for() -> None:
    """The error names the categories, has no status since there was no paid call, and nothing is spent."""
    emulator = Emulator()
    budget = dalle2.Budget(max_images=5)
    with client_of(emulator, moderate="before", budget=budget) as client:
        with pytest.raises(dalle2.ContentPolicyError) as caught:
            client.generate(UNSAFE)
        error = caught.value
        assert TRIGGERS["unsafe"] in error.categories
        assert TRIGGERS["unsafe"] in str(error)
        assert UNSAFE not in str(error)
        assert (error.status_code, error.stage, error.maybe_billed) == (None, "input", False)
        with pytest.raises(dalle2.ContentPolicyError):
            client.edit(dalle2.mask_from_box(64, (0, 0, 9, 9)), UNSAFE)
        assert (emulator.billed, budget.spent_images) == ([], 0)
        client.generate("a corgi", **SMALL)
        client.vary(dalle2.mask_from_box(64, (0, 0, 9, 9)), **SMALL)
    paths = [request.path.rpartition("/")[2] for request in emulator.requests]
    assert paths == ["moderations", "moderations", "moderations", "generations", "variations"]


@pytest.mark.anyio
async def test_a_flagged_prompt_is_not_paid_for_by_an_awaited_client() -> None:
    """The same on asyncio and trio."""
    emulator = Emulator()
    http_client = emulator.async_client()
    async with dalle2.AsyncClient("sk-test", http_client=http_client, moderate="before") as client:
        with pytest.raises(dalle2.ContentPolicyError):
            await client.generate(UNSAFE)
        await client.generate("a corgi", **SMALL)
    assert len(emulator.billed) == 1


def test_flagged_without_categories_is_still_refused(host: Any) -> None:
    """A host that says no more than "flagged" is believed."""
    host.say({"results": [{"flagged": True}]})
    client = dalle2.Client("sk-test", base_url=host.base_url, moderate="before")
    with client, pytest.raises(dalle2.ContentPolicyError, match="unsafe") as caught:
        client.generate("a corgi")
    assert caught.value.categories == ()
    assert len(host.asked) == 1


def test_a_moderation_that_fails_stops_the_call(host: Any) -> None:
    """What could not be checked is not paid for; an odd answer is a `DecodeError` that owes nothing."""
    host.say({"results": []})
    host.say({"error": {"message": "busy"}}, status=500)
    host.say(b"", cut=True)
    with dalle2.Client(
        "sk-test", base_url=host.base_url, moderate="before", retry=dalle2.RetryPolicy.none()
    ) as client:
        for kind in (dalle2.DecodeError, dalle2.InternalServerError, dalle2.OutcomeUnknownError):
            with pytest.raises(kind) as caught:
                client.generate("a corgi")
            assert caught.value.maybe_billed is False
    assert {path for _, path, _ in host.asked} == {"/v1/moderations"}


def test_moderation_can_be_asked_for_alone() -> None:
    """`moderate` tells what was found, and how sure the host is."""
    with client_of(Emulator()) as client:
        found = client.moderate(UNSAFE)
        assert found.flagged
        assert found.flagged_categories == (TRIGGERS["unsafe"],)
        assert 0 <= found.scores[TRIGGERS["unsafe"]] <= 1
        assert not client.moderate("a corgi").flagged
        with pytest.raises(dalle2.InvalidRequestError):
            client.moderate(" ")
