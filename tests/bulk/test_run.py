"""Runs over the emulator, in threads and in tasks: what is made, kept, refused, held, and done next time."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import socket
import sqlite3
import sys
import time
import types
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

import dalle2
from dalle2 import bulk
from dalle2.bulk import _pacer
from dalle2.bulk._journal import Journal, Order
from dalle2.bulk._planner import Unit
from dalle2.bulk._progress import line
from dalle2.testing import Emulator

from .conftest import Run, job


def rows(journal: str = "run.db") -> dict[str, dict[str, object]]:
    """The rows of a journal by their ids."""
    return {str(row["id"]): row for row in bulk.status(journal).rows()}


def states(journal: str = "run.db") -> dict[str, object]:
    """The states of a journal's rows by their ids."""
    return {id: row["state"] for id, row in rows(journal).items()}


# What is made


@pytest.mark.parametrize("form", ["url", "b64_json"])
def test_each_job_becomes_its_files(run: Run, emulator: Emulator, folder: Path, form: str) -> None:
    """Named by id and index, with their hashes in the journal; nothing else is left."""
    report = run(
        [job("a", n=2, response_format=form), job("b", response_format=form)], images_per_minute=60_000
    )
    assert (report.done, report.total, report.usd, report.complete) == (2, 2, pytest.approx(0.048), True)
    assert sorted(path.name for path in (folder / "out").iterdir()) == ["a-1.png", "a-2.png", "b-1.png"]
    assert rows()["a"]["paths"] == ["out/a-1.png", "out/a-2.png"]
    assert rows()["a"]["usd"] == pytest.approx(0.032)
    with closing(sqlite3.connect("run.db")) as db:
        for path, size, digest in db.execute("SELECT path, size, sha256 FROM image"):
            data = (folder / "out" / path).read_bytes()
            assert (len(data), hashlib.sha256(data).hexdigest()) == (size, digest)
    left = {path.name for path in folder.iterdir()} - {"run.db-wal", "run.db-shm"}
    assert left == {"out", "run.db", "run.db.lock"}
    assert (folder / "run.db").stat().st_mode & 0o777 == 0o600
    assert len(emulator.billed) == 2


def test_the_same_call_again_does_nothing(run: Run, emulator: Emulator) -> None:
    """Whether with the jobs or without them."""
    run(["a fox", "an owl"])
    for jobs in (["a fox", "an owl"], None):
        assert run(jobs).done == 2
    assert len(emulator.billed) == 2


def test_new_jobs_are_added_and_missing_ones_left_alone(run: Run, emulator: Emulator) -> None:
    """As long as one id is known."""
    run([job("a"), job("b")])
    report = run([job("b"), job("c")])
    assert states() == {"a": "done", "b": "done", "c": "done"}
    assert (report.done, len(emulator.billed)) == (3, 3)
    with pytest.raises(dalle2.JournalError, match="of other jobs: no id of these 1 is in it"):
        run([job("x")])


def test_idempotency_keys_say_nothing_of_the_row(run: Run, emulator: Emulator) -> None:
    """And each job has its own, the same in the journal as on the wire."""
    run([job("secret-sku"), job("other")])
    sent = [entry.idempotency_key for entry in emulator.billed]
    assert len(set(sent)) == 2
    assert not [key for key in sent if key is None or "secret" in key]
    with closing(sqlite3.connect("run.db")) as db:
        assert {key for (key,) in db.execute("SELECT key FROM attempt")} == set(sent)


def test_edits_and_variations_can_be_jobs_too(run: Run, emulator: Emulator) -> None:
    """Their images are kept in the journal, once each, so that a resumed run has them."""
    image = dalle2.read_input(dalle2.mask_from_box(64, (0, 0, 8, 8)))
    edit = dalle2.EditRequest(image=image, mask=image, prompt="a hat", size="256x256")
    emulator.fail_next(401, code="invalid_api_key")
    with pytest.raises(dalle2.AuthenticationError):
        run([bulk.Job("e", edit), bulk.Job("v", dalle2.VariationRequest(image=image))], concurrency=1)
    assert run(None).done == 2
    assert [entry.operation for entry in emulator.billed] == ["edit", "vary"]
    with closing(sqlite3.connect("run.db")) as db:
        assert db.execute("SELECT COUNT(*) FROM input").fetchone() == (1,)


def test_the_number_of_a_row_that_went_is_never_given_again(run: Run, emulator: Emulator) -> None:
    """What was sent under it stays in the books: a new row has books of its own."""
    owl = dalle2.GenerateRequest(prompt="an owl", model="dall-e-3", n=2)
    emulator.fail_next(400, code="moderation_blocked", times=2)
    run([bulk.Job("b", owl)], client={"split_n": True})
    fewer = dalle2.GenerateRequest(prompt="an owl", model="dall-e-3")
    new = dalle2.GenerateRequest(prompt="a hen", model="dall-e-3")
    assert run([bulk.Job("b", fewer), bulk.Job("c", new)], client={"split_n": True}).done == 2


def test_a_split_call_is_a_row_for_each_part(run: Run, emulator: Emulator) -> None:
    """Each with its own key, and one may fail while the others are done."""
    emulator.fail_next(400, code="moderation_blocked")
    split = bulk.Job("a", dalle2.GenerateRequest(prompt="a fox", model="dall-e-3", n=3))
    report = run([split], client={"split_n": True}, concurrency=1)
    assert (report.done, report.refused, report.total) == (2, 1, 3)
    assert [row["paths"] for row in bulk.status("run.db").rows()] == [[], ["out/a-2.png"], ["out/a-3.png"]]
    assert len({entry.idempotency_key for entry in emulator.billed}) == 2
    run([split], client={"split_n": True})
    assert len(emulator.billed) == 2
    other = bulk.Job("b", dalle2.GenerateRequest(prompt="an owl", model="dall-e-3", n=2))
    emulator.fail_next(400, code="moderation_blocked", times=2)
    run([split, other], client={"split_n": True})
    fewer = bulk.Job("b", dalle2.GenerateRequest(prompt="an owl", model="dall-e-3"))
    assert run([split, fewer], client={"split_n": True}).done == 3


# What the host says no to


def test_a_refusal_stops_only_its_row(run: Run, emulator: Emulator) -> None:
    """And is not asked again, until somebody edits the prompt."""
    emulator.fail_next(400, code="moderation_blocked")
    report = run([job("a"), job("b")], concurrency=1)
    assert (report.refused, report.done, report.remaining) == (1, 1, 0)
    assert "ContentPolicyError" in str(rows()["a"]["error"])
    assert run([job("a"), job("b")]).refused == 1
    assert run([job("a", "something tame"), job("b")]).done == 2
    assert len(emulator.billed) == 2


def test_a_row_that_the_host_cannot_take_fails_alone(run: Run, emulator: Emulator) -> None:
    """It is the host's no to this very row."""
    emulator.fail_next(400)
    report = run([job("a"), job("b")], concurrency=1)
    assert (report.failed, report.done) == (1, 1)
    assert rows()["a"]["usd"] is None


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (429, "insufficient_quota", dalle2.QuotaExceededError),
        (401, "invalid_api_key", dalle2.AuthenticationError),
        (403, None, dalle2.PermissionDeniedError),
        (404, "model_not_found", dalle2.ModelRetiredError),
        (308, None, dalle2.APIError),
    ],
)
def test_what_no_row_can_help_stops_the_run_at_once(
    run: Run, emulator: Emulator, status: int, code: str | None, kind: type[dalle2.Dalle2Error]
) -> None:
    """With what is done and what remains; the next run sends the rest."""
    jobs = [job(str(number), model="dall-e-2") for number in range(12)]
    emulator.fail_next(status, code=code, times=20)
    with pytest.raises(kind) as caught:
        run(jobs, concurrency=2)
    report = caught.value.report  # type: ignore[attr-defined]
    assert (report.done, report.remaining) == (0, 12)
    assert report.stopped.startswith(type(caught.value).__name__)
    paid = [request for request in emulator.requests if request.method == "POST"]
    assert len(paid) <= 2
    emulator._faults = type(emulator._faults)()
    assert run(jobs).done == 12
    assert len(emulator.billed) == 12


def test_a_passing_rate_limit_is_waited_for(run: Run, emulator: Emulator) -> None:
    """As long as the host says, and each attempt is a row."""
    emulator.fail_next(429, retry_after=0.05)
    emulator.fail_next(500)
    emulator.fail_next(503)
    report = run([job("a"), job("b")], concurrency=1)
    assert report.done == 2
    with closing(sqlite3.connect("run.db")) as db:
        kinds = Counter(state for (state,) in db.execute("SELECT state FROM attempt"))
    assert kinds == {"ended": 3, "answered": 2}


def test_a_retry_after_that_is_no_pause_ends_the_run(run: Run, emulator: Emulator) -> None:
    """Nobody waits for an hour."""
    emulator.fail_next(429, retry_after=3600)
    with pytest.raises(dalle2.RateLimitError) as caught:
        run([job("a")])
    assert caught.value.report.remaining == 1  # type: ignore[attr-defined]


# What nobody knows


def test_a_lost_answer_is_held_and_never_sent_again_by_itself(run: Run, emulator: Emulator) -> None:
    """It is told with its price; `release` plans it once more."""
    emulator.lose_next()
    report = run([job("a"), job("b")], concurrency=1)
    assert (report.held, report.done, report.usd_held, report.usd) == (
        1,
        1,
        pytest.approx(0.016),
        pytest.approx(0.016),
    )
    assert rows()["a"]["usd"] == pytest.approx(0.016)
    assert run(None).held == 1
    assert len(emulator.billed) == 2
    with pytest.raises(dalle2.InvalidRequestError, match="the id 'b' is not held: it is done"):
        bulk.release("run.db", ["a", "b"])
    with pytest.raises(dalle2.InvalidRequestError, match="the id 'c' is not in the journal"):
        bulk.release("run.db", ["c"])
    assert bulk.status("run.db").held == 1
    assert bulk.release("run.db", "a") == 1
    assert bulk.status("run.db").remaining == 1
    assert run(None).done == 2
    assert len(emulator.billed) == 3
    assert bulk.release("run.db") == 0


def test_on_request_an_unknown_outcome_is_tried_again(run: Run, emulator: Emulator) -> None:
    """And counts as spent each time; after a few times it is held."""
    emulator.lose_next()
    assert run([job("a")], on_unknown="retry", client={"retry": dalle2.RetryPolicy.none()}).done == 1
    assert len(emulator.billed) == 2
    emulator.lose_next(times=9)
    budget = dalle2.Budget(max_images=6)
    report = run([job("a"), job("b")], on_unknown="retry", concurrency=1, budget=budget)
    assert (report.held, report.done) == (1, 1)
    assert len(emulator.billed) == 5
    assert budget.spent_images == 0


def test_the_clients_own_ambiguous_does_not_pay_twice(run: Run, emulator: Emulator) -> None:
    """What the run was told wins."""
    emulator.lose_next()
    report = run([job("a")], client={"retry": dalle2.RetryPolicy(ambiguous="retry")})
    assert (report.held, len(emulator.billed)) == (1, 1)


def test_an_answer_of_the_wrong_shape_is_held_with_its_bytes(
    run: Run, emulator: Emulator, folder: Path
) -> None:
    """Most likely it was billed, and what came may still be read by somebody."""
    emulator.fail_next(200, body={"odd": "shape"})
    report = run([job("a")], on_unknown="retry")
    assert report.held == 1
    (kept,) = (folder / "run.db.spool").iterdir()
    assert json.loads(kept.read_bytes()) == {"odd": "shape"}
    assert str(rows()["a"]["error"]).startswith("DecodeError")
    assert str(kept) in str(rows()["a"]["error"])


def test_images_of_an_answer_that_is_not_whole_are_kept(run: Run, emulator: Emulator) -> None:
    """One of two could be read: it is there, and the row says what was wrong."""
    good = json.loads(_answer(emulator))["data"][0]
    emulator.fail_next(200, body={"created": 1, "data": [good, {"odd": 1}]})
    report = run([job("a", n=2)])
    assert report.done == 1
    assert rows()["a"]["paths"] == ["out/a-1.png"]
    assert "DecodeError" in str(rows()["a"]["error"])


def test_more_images_than_asked_for_get_names_too(run: Run, emulator: Emulator) -> None:
    """They were paid for, perhaps."""
    good = json.loads(_answer(emulator))["data"][0]
    emulator.fail_next(200, body={"created": 1, "data": [good, good, good]})
    assert run([job("a")]).done == 1
    assert rows()["a"]["paths"] == ["out/a-1.png", "out/a-1-more-2.png", "out/a-1-more-3.png"]


def _answer(emulator: Emulator) -> bytes:
    """An answer with one image, in base64."""
    with emulator.client() as http:
        answer = http.post(
            "https://api.openai.com/v1/images/generations",
            json={"prompt": "x", "model": "dall-e-2", "size": "256x256", "response_format": "b64_json"},
            headers={"Authorization": "Bearer sk-test"},
        )
    emulator.billed.clear()
    return answer.content


# Keeping


def test_an_image_that_does_not_come_is_fetched_by_the_next_run(run: Run, emulator: Emulator) -> None:
    """It stays paid for, and is not paid for again."""
    emulator.fail_next(503, on="image", times=9)
    patient = {"retry": dalle2.RetryPolicy(max_attempts=1)}
    report = run([job("a")], client=patient)
    assert (report.remaining, states()) == (1, {"a": "answered"})
    emulator._faults = type(emulator._faults)()
    assert run(None).done == 1
    assert len(emulator.billed) == 1


def test_an_image_whose_url_died_is_told(run: Run, emulator: Emulator) -> None:
    """It is paid for and gone: `expired`, in the report's dollars."""
    emulator.fail_next(503, on="image", times=9)
    run([job("a")], client={"retry": dalle2.RetryPolicy(max_attempts=1)})
    emulator._faults = type(emulator._faults)()
    emulator.clock.advance(7300)
    report = run(None)
    assert (report.expired, report.usd) == (1, pytest.approx(0.016))
    assert run([job("a")]).expired == 1
    assert len(emulator.billed) == 1


def test_an_image_that_is_not_whole_is_kept_as_it_came(run: Run, emulator: Emulator, folder: Path) -> None:
    """It was paid for; the row says what is wrong with it."""
    picture = dalle2.mask_from_box(64, (0, 0, 8, 8))[:-20]
    body = {"created": 1, "data": [{"b64_json": base64.b64encode(picture).decode()}]}
    emulator.fail_next(200, body=body)
    assert run([job("a")]).done == 1
    assert (folder / "out/a-1.png").read_bytes() == picture
    assert "not a whole image" in str(rows()["a"]["error"])


def test_a_file_that_is_gone_is_fetched_again_while_that_is_free(
    run: Run, emulator: Emulator, folder: Path
) -> None:
    """By its URL; without one it is told as gone, and never paid for again."""
    jobs = [job("url"), job("b64", response_format="b64_json")]
    run(jobs)
    for path in (folder / "out").iterdir():
        path.unlink()
    report = run(jobs)
    assert (report.done, report.expired, len(emulator.billed)) == (1, 1, 2)
    assert "removed or changed" in str(rows()["b64"]["error"])


@pytest.mark.parametrize("awaitable", [False, True])
def test_anything_with_put_is_a_place(run: Run, emulator: Emulator, awaitable: bool) -> None:
    """What was there before is never replaced; what an interrupted run had put is."""
    store = Store({"b-1.png": b"of somebody else"})
    place = AwaitedStore(store) if awaitable and run.__name__ == "awaited" else store
    report = run([job("a"), job("b")], out=place, client={"retry": dalle2.RetryPolicy(max_attempts=1)})
    assert (report.done, report.remaining) == (1, 1)
    assert "FileExistsError" in str(rows()["b"]["error"])
    assert rows()["a"]["paths"] == ["a-1.png"]
    assert store.kept["b-1.png"] == b"of somebody else"
    del store.kept["b-1.png"]
    store.breaks = 1
    assert run([job("a"), job("b")], out=place).done == 2
    assert store.asked[-2:] == [("b-1.png", True), ("b-1.png", False)]
    with pytest.raises(dalle2.JournalError, match="does not say where its images go"):
        run(None)
    store.breaks = 99
    with pytest.raises(ConnectionError) as caught:
        run([job("a"), job("c")], out=place)
    assert caught.value.report.remaining == 1  # type: ignore[attr-defined]
    assert len(emulator.billed) == 3


@pytest.mark.parametrize("plain", [False, True])
def test_a_store_that_is_awaited_needs_somebody_who_does(
    run: Run, emulator: Emulator, client: dalle2.Client, plain: bool
) -> None:
    """Where nobody can, it is refused before anything is spent, or else nothing is told as put."""
    store = Store({})
    awaited = AwaitedStore(store)

    class Plain:
        def put(self, key: str, data: bytes, create: bool) -> object:
            return awaited.put(key, data, create)

    out = Plain() if plain else awaited
    with pytest.raises(dalle2.InvalidRequestError, match="only arun"):
        bulk.run(client, [job("a", response_format="b64_json")], journal="run.db", out=out)
    assert (len(emulator.billed), store.kept) == (int(plain), {})
    assert run([job("a", response_format="b64_json")], out=store).done == len(emulator.billed) == 1


def test_a_future_that_nobody_awaits_keeps_nothing(client: dalle2.Client) -> None:
    """What is awaited is not always a coroutine."""

    class Later:
        def __await__(self) -> Iterator[None]:
            yield

    class Store:
        def put(self, key: str, data: bytes, create: bool) -> Later:
            return Later()

    with pytest.raises(dalle2.InvalidRequestError, match="only arun"):
        bulk.run(client, [job("a")], journal="run.db", out=Store())
    assert bulk.status("run.db").remaining == 1


@pytest.mark.parametrize("later", [bulk.resume, bulk.collect])
def test_a_journal_on_which_no_run_began_is_told_as_that(
    client: dalle2.Client, later: Callable[..., object]
) -> None:
    """Its first rows were refused: nobody knows with what limits it was to be."""
    with pytest.raises(dalle2.InvalidRequestError):
        bulk.run(client, [job("a"), job("a")], journal="run.db", out="out")
    with pytest.raises(dalle2.JournalError, match=r"no run has begun .*: begin with bulk\.run"):
        later(client, "run.db", out="out")


def test_what_kept_an_image_from_its_place_is_forgotten_once_it_is_there(run: Run) -> None:
    """A row that is done has no error but what is odd about its image."""
    store = Store({})
    store.breaks = 99
    with pytest.raises(ConnectionError):
        run([job("a")], out=store)
    assert "ConnectionError" in str(rows()["a"]["error"])
    store.breaks = 0
    assert run([job("a")], out=store).done == 1
    assert rows()["a"]["error"] is None


class Store:
    """A store in memory, which can break after it has kept something."""

    def __init__(self, kept: dict[str, bytes]) -> None:
        self.kept = kept
        self.asked: list[tuple[str, bool]] = []
        self.breaks = 0

    def put(self, key: str, data: bytes, create: bool) -> None:
        """Keep it."""
        self.asked.append((key, create))
        if create and key in self.kept:
            raise FileExistsError(17, "exists", key)
        self.kept[key] = data
        if self.breaks:
            self.breaks -= 1
            raise ConnectionError("the answer was lost")


class AwaitedStore:
    """The same, awaited."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def put(self, key: str, data: bytes, create: bool) -> None:
        """Keep it."""
        self.store.put(key, data, create)


# Money and pace


def test_a_budget_counts_what_earlier_runs_spent(run: Run, emulator: Emulator) -> None:
    """It ends a run without an error, and the object stays as it was."""
    jobs = [job(str(number)) for number in range(6)]
    budget = dalle2.Budget(max_usd=0.05)
    report = run(jobs, budget=budget)
    assert (report.done, report.remaining, report.stopped) == (3, 3, "the budget is reached")
    assert run(None).done == 3
    assert run(jobs, budget=dalle2.Budget(max_images=4)).done == 4
    assert (budget.spent_usd, len(emulator.billed)) == (0, 4)


def test_a_limit_in_dollars_needs_a_price(run: Run, emulator: Emulator) -> None:
    """Before anything is sent; a limit on images does not."""
    priceless = bulk.Job("a", dalle2.GenerateRequest(prompt="a fox", model="my-own-model"))
    with pytest.raises(dalle2.BudgetExceededError, match="price of a call of my-own-model is not known"):
        run([job("b"), priceless], budget=dalle2.Budget(max_usd=5))
    assert emulator.requests == []


def test_a_rough_price_is_reserved_several_times_and_settled(run: Run, emulator: Emulator) -> None:
    """By the tokens that the answer counts."""
    newer = {"model": "gpt-image-2", "quality": "low", "size": "1024x1024"}
    jobs = [job(str(number), **newer) for number in range(3)]
    report = run(jobs, budget=dalle2.Budget(max_usd=0.03), concurrency=8)
    assert 0 < report.usd <= 0.03
    assert report.unpriced == 0


def test_several_runs_share_a_pace(run: Run, folder: Path) -> None:
    """Through a file that they name."""
    report = run(["a", "b"], images_per_minute=6000, pace="pace.db", name="{id}")
    assert report.done == 2
    with closing(sqlite3.connect("pace.db")) as db:
        (told,) = db.execute("SELECT told FROM pace").fetchone()
    assert json.loads(told)["sent"] == 2


# Who is told


def test_progress_and_outcomes_are_told(run: Run, emulator: Emulator) -> None:
    """With the counts of the journal; a listener that fails changes nothing."""
    seen: list[bulk.Progress] = []
    outcomes: list[dict[str, object]] = []
    emulator.fail_next(400)
    run([job("a"), job("b")], concurrency=1, progress=seen.append, on_outcome=outcomes.append)
    assert [(row["id"], row["state"]) for row in outcomes] == [("a", "failed"), ("b", "done")]
    last = seen[-1]
    assert (last.done, last.failed, last.remaining, last.images, last.total) == (1, 1, 0, 1, 2)
    assert last.seconds > 0 and last.images_per_second > 0

    def broken(what: object) -> None:
        raise LookupError("broken")

    assert run([job("a"), job("c")], progress=broken, on_outcome=broken).done == 2


def test_metadata_comes_flat_and_hides_nothing(run: Run) -> None:
    """A column that is named like one of ours has a prefix; values that JSON has not are texts."""
    meta = {
        "scalar": Scalar(),
        "odd": Scalar([1]),
        "state": "new",
        "row_state": 1,
        "title": "fox",
        "when": Path("x"),
        "raw": b"a",
    }
    one = bulk.Job("a", dalle2.GenerateRequest(prompt="a fox"), meta)
    run([one])
    row = rows()["a"]
    assert (row["state"], row["row_state"], row["row_row_state"]) == ("done", "new", 1)
    assert (row["title"], row["when"], row["raw"]) == ("fox", "x", "YQ==")
    assert (row["scalar"], row["odd"]) == (7, "a scalar")
    run([bulk.Job("a", dalle2.GenerateRequest(prompt="a fox"), {"title": "red fox"})])
    assert rows()["a"]["title"] == "red fox"


def test_an_awaited_listener_is_awaited(emulator: Emulator) -> None:
    """In `arun`, whatever `on_outcome` gives."""
    told: list[object] = []

    async def listen(row: dict[str, object]) -> None:
        told.append(row["id"])

    async def main() -> None:
        async with dalle2.AsyncClient("sk-test", http_client=emulator.async_client()) as client:
            await bulk.arun(client, [job("a")], journal="run.db", out="out", on_outcome=listen)

    asyncio.run(main())
    assert told == ["a"]


@pytest.mark.parametrize("looks", ["terminal", "pipe", "bare", "notebook", "notebook without widgets"])
def test_a_bar_where_somebody_looks_and_a_line_elsewhere(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], looks: str
) -> None:
    """Without rich it is a line in any case, and in a notebook without the widgets that rich draws with."""
    if "notebook" in looks:
        widgets = None if "without" in looks else types.ModuleType("ipywidgets")
        monkeypatch.setitem(sys.modules, "ipykernel", types.ModuleType("ipykernel"))
        monkeypatch.setitem(sys.modules, "ipywidgets", widgets)
    elif looks != "pipe":
        monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    if looks == "bare":
        monkeypatch.setitem(sys.modules, "rich.console", None)
    run([job("a"), job("b")], progress=True)
    err = capsys.readouterr().err
    assert "2 of 2" in err and "$0.03" in err
    assert ("\u2501" in err) == (looks in ("terminal", "notebook"))
    assert err.count("\n") == 1


def test_a_line_tells_what_is_left_and_what_went_wrong() -> None:
    """Rates, money, time, and each state that is not empty."""
    made = {"done": 30, "remaining": 70, "held": 2, "refused": 1, "images": 30, "usd": 0.48}
    told = [
        line(bulk.Progress(**made, seconds=seconds))  # type: ignore[arg-type]
        for seconds in (10.0, 60.0, 6000.0)
    ]
    assert told[0] == "33 of 103, 3 images/s, $0.48, 23 s left, 1 refused, 2 held"
    assert "2 min 20 s left" in told[1]
    assert "3 h 53 min left" in told[2]
    assert line(bulk.Progress(remaining=5)) == "0 of 5, $0.00"
    assert bulk.Progress().images_per_second == 0.0


def test_no_jobs_are_a_run_too(run: Run) -> None:
    """It does nothing, and everything of it is done."""
    report = run([])
    assert (report.total, report.complete, list(report.rows())) == (0, True, [])


def test_a_resumed_run_may_be_told_otherwise(run: Run, emulator: Emulator) -> None:
    """What it is told wins, and is checked as ever; what it is not told is as before."""
    jobs = [job(str(number)) for number in range(3)]
    run(jobs, budget=dalle2.Budget(max_images=1))
    assert run(None, budget=dalle2.Budget(max_images=2)).done == 2
    assert run(None).done == 2
    with pytest.raises(dalle2.InvalidRequestError, match=r"out 'elsewhere' does not hold '0-1\.png'"):
        run(None, out="elsewhere")
    Path("out").rename("moved")
    assert run(None, out="moved", budget=dalle2.Budget(max_images=9), pace="pace.db").done == 3
    assert Path("moved/2-1.png").exists()
    with pytest.raises(dalle2.InvalidRequestError, match="images_per_minute"):
        run(None, images_per_minute=-1)


def test_a_host_that_is_not_there_is_no_error_of_the_run(run: Run, folder: Path) -> None:
    """Everything remains, and the report says why."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        with dalle2.Client("sk-test", base_url=url) as client:
            report = bulk.run(client, [job("a"), job("b")], journal="run.db", out="out")
    assert (report.remaining, report.held) == (2, 0)
    assert str(report.stopped).startswith("APIConnectionError")


def test_lasting_429s_end_the_run(run: Run, emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the last of them, and what remains."""
    monkeypatch.setattr(_pacer, "PATIENCE", 0.0)
    emulator.fail_next(429, retry_after=0.01, times=99)
    with pytest.raises(dalle2.RateLimitError) as caught:
        run([job("a"), job("b")])
    assert caught.value.report.remaining == 2  # type: ignore[attr-defined]


def test_a_spool_that_cannot_be_emptied_ends_the_run(run: Run, emulator: Emulator) -> None:
    """What lies under a name that is taken fills it, and no more is paid for."""
    store = Store({f"{number}-1.png": b"mine" for number in range(3)})
    jobs = [job(str(number), response_format="b64_json") for number in range(3)]
    report = run(jobs, out=store, spool_limit=1, concurrency=1)
    assert (report.remaining, len(emulator.billed)) == (3, 1)
    assert "is full of images that could not be kept" in str(report.stopped)


def test_a_client_that_breaks_leaves_its_call_held(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether it was sent, nobody can tell."""

    def broken(*values: object, **more: object) -> None:
        raise LookupError("odd")

    monkeypatch.setattr(dalle2.Client, "send", broken)
    monkeypatch.setattr(dalle2.AsyncClient, "send", broken)
    with pytest.raises(LookupError) as caught:
        run([job("a")])
    assert caught.value.report.held == 1  # type: ignore[attr-defined]


def test_a_failing_journal_ends_the_run_with_its_error(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it is, and in no group of exceptions."""
    real = Journal.order

    def broken(self: Journal, unit: Unit) -> Order:
        if unit.number == 2:
            raise dalle2.JournalError("the journal broke")
        return real(self, unit)

    monkeypatch.setattr(Journal, "order", broken)
    with pytest.raises(dalle2.JournalError, match="the journal broke"):
        run([job("a"), job("b")], concurrency=1)
    closed = Journal(Path("closed.db").resolve(), create=True)
    closed.close()
    with pytest.raises(dalle2.JournalError, match="cannot be used: Cannot operate on a closed database"):
        closed.write([("SELECT 1", ())])


class Scalar:
    """A number as NumPy has it."""

    def __init__(self, value: object = 7) -> None:
        self.value = value

    def __str__(self) -> str:
        return "a scalar"

    def item(self) -> object:
        """The plain value."""
        return self.value


@pytest.mark.parametrize(
    ("wrong", "kind", "match"),
    [
        ({"journal": "a\0b"}, dalle2.JournalError, "journal must be a path"),
        ({"out": "a\0b"}, dalle2.InvalidRequestError, "out is 'a.x00b': name a directory"),
        ({"pace": "a\0b"}, dalle2.JournalError, "pace .* cannot be used"),
        ({"pace": 4}, dalle2.InvalidRequestError, "pace must be the path of a file, or None; it is 4"),
        ({"pace": ""}, dalle2.InvalidRequestError, "pace must be the path of a file"),
        ({"pace": "run.db"}, dalle2.JournalError, "cannot be used: it is a database of something else"),
    ],
)
def test_a_path_that_is_none_is_refused(
    run: Run, emulator: Emulator, wrong: dict[str, object], kind: type[Exception], match: str
) -> None:
    """By name, and before anything is sent; so is a journal in the place of a pace."""
    with pytest.raises(kind, match=match):
        run([job("a")], **wrong)
    assert emulator.requests == []
    assert run([job("a")], pace=Path("pace.db")).done == 1


def test_jobs_that_are_none_are_refused(run: Run, emulator: Emulator) -> None:
    """Before there is a journal."""
    with pytest.raises(dalle2.InvalidRequestError, match="jobs must be Job values or prompts; it is 7"):
        run(7)
    assert not Path("run.db").exists()


@pytest.mark.parametrize("text", ["{", "[]", '{"1-1": {}}', '{"1-1": 7}', "\x80"])
def test_a_spool_that_cannot_be_read_is_named(run: Run, emulator: Emulator, text: str) -> None:
    """Nothing is sent, and without it the run goes on."""
    Path("run.db.spool").mkdir()
    path = Path("run.db.spool", "1-1.json")
    path.write_text(text, encoding="latin-1")
    with pytest.raises(dalle2.JournalError, match=r"run\.db\.spool/1-1\.json' is malformed: move it away"):
        run([job("a")])
    assert emulator.requests == []
    path.unlink()
    assert run([job("a")]).done == 1


@pytest.mark.parametrize("jump", [86400, -86400])
@pytest.mark.parametrize("pace", [None, "pace.db"])
def test_a_clock_that_jumps_a_day_changes_nothing(
    run: Run, emulator: Emulator, monkeypatch: pytest.MonkeyPatch, jump: float, pace: str | None
) -> None:
    """In the middle of a run and between two: no wait of a day, nothing paid twice, no odd time left."""
    shift, wall = [0.0], time.time
    monkeypatch.setattr(time, "time", lambda: wall() + shift[0])
    ended: list[object] = []
    seen: list[bulk.Progress] = []

    def jumps(row: object) -> None:
        ended.append(row)
        if len(ended) == 2:
            shift[0] += jump

    emulator.fail_next(429, headers={"retry-after-ms": "50"})
    jobs = [job(str(number), response_format="b64_json") for number in range(6)]
    options = {"images_per_minute": 6000, "pace": pace, "concurrency": 2, "progress": seen.append}
    budget = dalle2.Budget(max_images=4)
    assert run(jobs, **options, on_outcome=jumps, budget=budget).done == 4
    shift[0] += jump
    assert run(jobs, **options).done == 6
    assert len(emulator.billed) == 6
    assert all(0 <= each.seconds < 600 for each in seen)
