"""Batches over the emulator, in threads and in tasks: handed over once, brought back whole, at half price."""

from __future__ import annotations

import asyncio
import inspect
import json
import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from types import SimpleNamespace

import attrs
import pytest
import trio
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

import dalle2
from dalle2 import bulk
from dalle2._image._media import facts
from dalle2.bulk import _batch_rules, _schema, _spool, _submitting
from dalle2.bulk._batch_book import lots
from dalle2.testing import EmulatedRequest, EmulatedResponse, Emulator

MODEL = "gpt-image-2"
PRICE = 0.0052
"""Dollars, about: of one such image, outside of a batch."""

Half = Callable[..., bulk.Report]


@attrs.frozen
class Halves:
    """`submit` and `collect`, of one kind."""

    submit: Half
    collect: Half


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits that a test need not sit through."""
    monkeypatch.setattr(_batch_rules, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(_batch_rules, "LONGEST_PAUSE", 0.01)
    monkeypatch.setattr(_batch_rules, "LOOKS", (0.0,))
    monkeypatch.setattr(_batch_rules, "SETTLED_AFTER", 0.02)


@pytest.fixture(params=["threads", "asyncio", "trio"])
def halves(request: pytest.FixtureRequest, emulator: Emulator) -> Halves:
    """The two halves, with a client of the emulator."""
    kind = request.param

    def made(
        blocking: Half, awaited: Callable[..., object], first: object, more: dict[str, object]
    ) -> bulk.Report:
        settings = {"model": MODEL, "retry": dalle2.RetryPolicy(initial=0.01), **more.pop("client", {})}  # type: ignore[dict-item]
        host: Emulator = more.pop("host", emulator)  # type: ignore[assignment]
        if kind == "threads":
            with dalle2.Client("sk-test", http_client=host.client(), **settings) as client:  # type: ignore[arg-type]
                return blocking(client, first, **more)

        async def main() -> bulk.Report:
            http = host.async_client()
            async with dalle2.AsyncClient("sk-test", http_client=http, **settings) as client:  # type: ignore[arg-type]
                return await awaited(client, first, **more)  # type: ignore[misc, no-any-return]

        return asyncio.run(main()) if kind == "asyncio" else trio.run(main)

    def submit(jobs: object, **more: object) -> bulk.Report:
        return made(bulk.submit, bulk.asubmit, jobs, {"journal": "run.db", **more})

    def collect(**more: object) -> bulk.Report:
        return made(bulk.collect, bulk.acollect, "run.db", {"out": "out", **more})

    return Halves(submit, collect)


@pytest.fixture
def blocking(emulator: Emulator) -> Halves:
    """The two halves in threads, where both kinds share what is tried."""

    def client(more: dict[str, object]) -> dalle2.Client:
        settings = {"model": MODEL, "retry": dalle2.RetryPolicy(initial=0.01), **more.pop("client", {})}  # type: ignore[dict-item]
        host: Emulator = more.pop("host", emulator)  # type: ignore[assignment]
        key = more.pop("key", "sk-test")
        return dalle2.Client(key, http_client=host.client(), **settings)  # type: ignore[arg-type]

    def submit(jobs: object, **more: object) -> bulk.Report:
        with client(more) as one:
            return bulk.submit(one, jobs, **{"journal": "run.db", **more})  # type: ignore[arg-type]

    def collect(**more: object) -> bulk.Report:
        with client(more) as one:
            return bulk.collect(one, "run.db", **{"out": "out", **more})  # type: ignore[arg-type]

    return Halves(submit, collect)


def job(id: str, prompt: str = "a fox", **more: object) -> bulk.Job:
    """A small job for a model that is made in batches; all are the same picture, which is painted once."""
    fields = {"size": "816x816", "quality": "low", **more}
    return bulk.Job(id, dalle2.GenerateRequest(prompt=prompt, **fields))  # type: ignore[arg-type]


JOBS = [job("a"), job("b"), job("c")]
REFUSED = "a nude fox"


def rows(journal: str = "run.db") -> dict[str, dict[str, object]]:
    """The rows of a journal by their ids."""
    return {str(row["id"]): row for row in bulk.status(journal).rows()}


def states() -> dict[str, object]:
    """The states of the journal's rows by their ids."""
    return {id: row["state"] for id, row in rows().items()}


def asked(emulator: Emulator) -> list[str]:
    """What the emulator was asked, without the names of files and batches."""
    paths = [request.path.split("/")[2:] for request in emulator.requests]
    plain = ["/".join(part for part in path if "-" not in part and "_" not in part) for path in paths]
    return [f"{one.method} {path}" for one, path in zip(emulator.requests, plain, strict=True)]


# What is made


def test_jobs_are_handed_over_and_brought_back(halves: Halves, emulator: Emulator, folder: Path) -> None:
    """Each is paid for once, at half the price, and kept under its name; nothing else is left."""
    report = halves.submit([*JOBS, job("d", REFUSED)])
    assert (report.remaining, report.batched, report.done, report.usd) == (4, 4, 0, 0)
    assert report.stopped is None
    (batch,) = report.batches()
    assert (batch["part"], batch["rows"], batch["waiting"], batch["ended"]) == (1, 4, 4, False)
    report = halves.collect()
    assert (report.done, report.refused, report.remaining, report.batched) == (3, 1, 0, 0)
    assert report.usd == pytest.approx(3 * PRICE / 2, rel=0.01)
    assert [(one.prompt, one.batch) for one in emulator.billed] == [("a fox", batch["id"])] * 3
    assert rows()["a"]["paths"] == ["out/a-1.png"]
    assert "safety_violations" in str(rows()["d"]["error"])
    for name in "abc":
        assert facts((folder / "out" / f"{name}-1.png").read_bytes()).width == 816
    left = {path.name for path in folder.iterdir()} - {"run.db-wal", "run.db-shm"}
    assert left == {"out", "run.db", "run.db.lock"}
    (batch,) = report.batches()
    assert (batch["status"], batch["ended"], batch["waiting"], batch["error"]) == ("completed", True, 0, None)
    emulator.requests.clear()
    assert halves.submit(JOBS).done == halves.collect().done == 3
    assert not emulator.requests


def test_what_travels_names_no_row(blocking: Halves, emulator: Emulator) -> None:
    """A line has a number, the call's own body, and is ASCII; the batch says how it is found again."""
    blocking.submit([job("secret-sku", "ein Löwe \u2028 am Meer")])
    upload, create = (request for request in emulator.requests if request.method == "POST")
    assert b"secret-sku" not in upload.body and upload.body.isascii()
    assert b'name="purpose"\r\n\r\nbatch' in upload.body
    line = json.loads(upload.body[upload.body.index(b'{"custom_id"') :].splitlines()[0])
    assert line == {
        "custom_id": "1",
        "method": "POST",
        "url": "/v1/images/generations",
        "body": {"model": MODEL, "prompt": "ein Löwe \u2028 am Meer", "size": "816x816", "quality": "low"},
    }
    sent = create.json()
    assert (sent["endpoint"], sent["completion_window"]) == ("/v1/images/generations", "24h")
    assert sent["metadata"]["dalle2_part"] == "1" and len(sent["metadata"]["dalle2_run"]) == 16  # type: ignore[index, call-overload]
    assert create.headers["idempotency-key"].startswith("dalle2-")


def test_parts_hold_so_many_images_of_one_model(
    blocking: Halves, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row that does not fit begins the next one."""
    monkeypatch.setattr(_batch_rules, "PART_IMAGES", 3)
    dated = f"{MODEL}-2026-04-21"
    jobs = [
        job("a", n=2),
        job("b", n=2),
        job("c", model=dated),
        job("d"),
        job("e", n=5),
        job("f", model=dated),
    ]
    assert blocking.submit(jobs).batched == 6
    with closing(sqlite3.connect("run.db")) as db:
        parts: dict[int, list[str]] = {}
        for batch, id in db.execute(
            "SELECT batch, id FROM line JOIN job ON job.n = line.job ORDER BY batch, job"
        ):
            parts.setdefault(batch, []).append(id)
    assert sorted(parts.values()) == [["a"], ["b", "d"], ["c", "f"], ["e"]]
    assert blocking.collect().done == 6
    assert rows()["a"]["paths"] == ["out/a-1.png", "out/a-2.png"]


def test_a_file_has_so_many_lines_and_bytes_at_most(
    blocking: Halves, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the images."""
    monkeypatch.setattr("dalle2.bulk._submitting.MOST_LINES", 2)
    blocking.submit(JOBS)
    assert [batch["rows"] for batch in bulk.status("run.db").batches()] == [2, 1]
    monkeypatch.setattr("dalle2.bulk._submitting.MOST_BYTES", 200)
    blocking.submit([*JOBS, job("d"), job("e")])
    assert [batch["rows"] for batch in bulk.status("run.db").batches()] == [2, 1, 1, 1]


def test_a_successor_takes_the_jobs_of_dall_e_2(halves: Halves, emulator: Emulator, folder: Path) -> None:
    """At the sizes that were asked for."""
    jobs = [bulk.Job("a", dalle2.GenerateRequest(prompt="a fox", size="256x256"))]
    client = {"model": "dall-e-2", "successor": MODEL}
    halves.submit(jobs, client=client)
    assert halves.collect(client={"model": "dall-e-2"}).done == 1
    assert facts((folder / "out" / "a-1.png").read_bytes()).width == 256
    assert [one.size for one in emulator.billed] == ["816x816"]


def test_the_two_kinds_take_the_same() -> None:
    """Arguments, defaults and names."""
    for one, two in ((bulk.submit, bulk.asubmit), (bulk.collect, bulk.acollect)):
        first, second = inspect.signature(one).parameters, inspect.signature(two).parameters
        assert [(p.name, p.kind, p.default) for p in first.values()] == [
            (p.name, p.kind, p.default) for p in second.values()
        ]


def test_each_row_that_ends_is_told(halves: Halves) -> None:
    """To `on_outcome`, with its paths, and to `progress`."""
    halves.submit([job("a"), job("b", REFUSED)])
    told, seen = [], []
    halves.collect(on_outcome=told.append, progress=seen.append)
    assert {row["id"]: row["state"] for row in told} == {"a": "done", "b": "refused"}
    assert seen[-1].done == 1


# What costs nothing is refused first

DALL_E = {"size": "256x256", "quality": None}


@pytest.mark.parametrize(
    ("client", "request_", "words"),
    [
        (
            {"model": "dall-e-2"},
            DALL_E,
            r"row 1 .*dall-e-2 was never made in batches: use model='gpt-image-2'",
        ),
        ({"model": "mine"}, {}, "mine is not known to be made in batches"),
        ({"model": "dall-e-2", "successor": "auto"}, DALL_E, "flare is not known to be made in batches"),
        ({}, {"prompt": "x" * 40_000}, r"row 1 .*shorten it"),
    ],
)
def test_what_no_batch_takes_is_refused(
    blocking: Halves, emulator: Emulator, client: dict[str, object], request_: dict[str, object], words: str
) -> None:
    """By row, with what to do, before anything is sent."""
    with pytest.raises(bulk.RowError, match=words):
        blocking.submit([job("a", **request_)], client=client)  # type: ignore[arg-type]
    assert not emulator.requests


def test_edits_are_refused(blocking: Halves, emulator: Emulator) -> None:
    """Whatever is forced."""
    image = dalle2.read_input(dalle2.mask_from_box(64, (0, 0, 8, 8)))
    edit = dalle2.EditRequest(image=image, prompt="a hat")
    with pytest.raises(bulk.RowError, match=r"generations only: make edits and variations with bulk\.run"):
        blocking.submit([bulk.Job("e", edit)], force=True)
    assert not emulator.requests


@pytest.mark.parametrize(
    ("settings", "error", "words"),
    [
        ({"moderate": "before"}, dalle2.ConfigurationError, "client.moderate"),
        ({"budget": dalle2.Budget(max_images=1)}, dalle2.ConfigurationError, "budget of its own"),
        (
            {"provider": dalle2.Provider(name="mine", base_url="https://x/v1", paths={"generate": "/g"})},
            dalle2.ConfigurationError,
            "mine has no batches",
        ),
        ({"provider": "cometapi-responses"}, dalle2.ConfigurationError, "cometapi-responses has no batches"),
        (
            {
                "provider": dalle2.Provider.azure(
                    "https://x.openai.azure.com", deployment="d", api_version="2024-02-01"
                )
            },
            dalle2.ConfigurationError,
            "azure has no batches",
        ),
    ],
)
def test_a_client_that_cannot_is_refused(
    blocking: Halves, emulator: Emulator, settings: dict[str, object], error: type[Exception], words: str
) -> None:
    """With the reason."""
    with pytest.raises(error, match=words):
        blocking.submit(JOBS, client=settings)
    assert not emulator.requests


def test_a_client_of_another_host_cannot_collect(halves: Halves, emulator: Emulator) -> None:
    """It is refused before its host is asked, and holds nothing."""
    halves.submit(JOBS)
    emulator.requests.clear()
    with pytest.raises(dalle2.ConfigurationError, match="cometapi-responses has no batches"):
        halves.collect(client={"provider": "cometapi-responses"})
    assert not emulator.requests
    assert states() == dict.fromkeys("abc", "sent")
    assert halves.collect().done == 3


def test_wrong_arguments_are_refused(blocking: Halves) -> None:
    """Naming the field."""
    with pytest.raises(dalle2.InvalidRequestError, match="read_jobs makes jobs of it"):
        blocking.submit("rows.csv")
    with pytest.raises(dalle2.JournalError, match="no journal"):
        blocking.submit(None)
    blocking.submit(JOBS)
    for wait in (-1, float("nan"), "long", None):
        with pytest.raises(dalle2.InvalidRequestError, match="wait must be True, False"):
            blocking.collect(wait=wait)
    with pytest.raises(dalle2.JournalError, match="does not say where its images go"):
        blocking.collect(out=None)
    with pytest.raises(dalle2.InvalidRequestError, match="with the other client use asubmit"):
        bulk.submit(None, JOBS, journal="run.db")  # type: ignore[arg-type]


def test_a_forced_model_is_asked_for(blocking: Halves, emulator: Emulator) -> None:
    """And where the host says no, nothing was billed, and its words are told."""
    blocking.submit(JOBS, client={"model": "gpt-image-2.5-flare"}, force=True)
    with pytest.raises(
        dalle2.APIStatusError, match=r"part 1 did not pass.*flare' is not supported by the Batch API"
    ):
        blocking.collect()
    assert set(states().values()) == {"planned"}
    assert not emulator.billed


def test_rows_that_cannot_be_batched_are_left_to_a_run(
    blocking: Halves, emulator: Emulator, client: dalle2.Client
) -> None:
    """The others are handed over all the same."""
    emulator.fail_next(401, code="invalid_api_key")
    with pytest.raises(dalle2.AuthenticationError):
        bulk.run(client, ["a fox"], journal="run.db", out="out")
    report = blocking.submit(None, client={"model": "dall-e-2"})
    assert (report.remaining, report.batched) == (1, 0)
    assert "left to bulk.resume: dall-e-2 was never" in str(report.stopped)
    assert bulk.resume(client, "run.db").done == 1


# Money


def test_a_budget_stops_before_it_is_passed(blocking: Halves, emulator: Emulator) -> None:
    """A line counts half its rough price, four times; what was not handed over is the next call's."""
    one = dalle2.GenerateRequest(prompt="a fox", size="816x816", quality="low", model=MODEL).estimate(
        rough=True
    )
    assert one is not None
    report = blocking.submit(JOBS, budget=dalle2.Budget(max_usd=one * 4 / 2 * 2.5))
    assert (report.batched, report.remaining, report.stopped) == (2, 3, "the budget is reached")
    report = blocking.submit(JOBS, budget=dalle2.Budget(max_images=2))
    assert (report.batched, report.remaining, report.stopped) == (2, 3, "the budget is reached")
    assert blocking.collect().done == 2
    assert blocking.submit(JOBS, budget=dalle2.Budget(max_images=3)).batched == 1
    assert blocking.collect().done == len(emulator.billed) == 3


def test_a_price_that_is_not_known_keeps_no_limit(blocking: Halves, emulator: Emulator) -> None:
    """Refused before anything is sent."""
    with pytest.raises(dalle2.BudgetExceededError, match="no limit in dollars"):
        blocking.submit(JOBS, client={"model": "mine"}, force=True, budget=dalle2.Budget(max_usd=1))
    assert not emulator.requests


# The creation that nobody heard of


def test_a_lost_creation_is_found_in_the_list(halves: Halves, emulator: Emulator) -> None:
    """At once, free of charge."""
    emulator.lose_next()
    assert halves.submit(JOBS).batched == 3
    assert asked(emulator) == ["GET files", "POST files", "POST batches", "GET batches"]
    assert halves.collect().done == len(emulator.billed) == 3


@pytest.mark.parametrize("body", [b"", b"null", b'{"object": "batch"}'])
def test_an_unreadable_answer_is_a_lost_one(blocking: Halves, emulator: Emulator, body: bytes) -> None:
    """The batch may be there: the list tells."""
    emulator.fail_next(200, body=body.decode() or " ")
    with pytest.raises(dalle2.Dalle2Error, match=r"part 1 .*, and its batch was never created") as caught:
        blocking.submit(JOBS)
    assert not caught.value.maybe_billed
    assert (caught.value.report.batched, caught.value.report.remaining) == (0, 3)  # type: ignore[attr-defined]
    assert asked(emulator)[-1] == "GET batches"


def unheard(blocking: Halves, **more: object) -> None:
    """Hand over, with an end before the answer to the creation."""

    def killed(self: object, lot: object) -> None:
        raise dalle2.ConfigurationError("the end")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_submitting.Desk, "settled", killed)
        with pytest.raises(dalle2.ConfigurationError, match="the end"):
            blocking.submit(JOBS, **more)
    assert states() == dict.fromkeys("abc", "sent")


def test_a_list_is_read_to_its_end(blocking: Halves, emulator: Emulator) -> None:
    """The batch may be on its second page."""
    emulator.lose_next()
    unheard(blocking)
    (create,) = (request.json() for request in emulator.requests if request.path == "/v1/batches")
    with emulator.client() as http:
        for _ in range(101):
            http.post(
                "https://api.openai.com/v1/batches",
                json={**create, "metadata": {"dalle2_run": "another"}},
                headers={"Authorization": "Bearer sk-test"},
            )
    emulator.requests.clear()
    assert blocking.submit(JOBS).batched == 3
    assert [request.query.partition("&after=")[0] for request in emulator.requests] == ["limit=100"] * 2
    assert blocking.collect().done == 3


class Forgetful(Emulator):
    """A host that gives no metadata back, or its own, and begins its list again for ever."""

    def __init__(self, *, endless: bool, metadata: object = None) -> None:
        super().__init__()
        self._endless = endless
        self._metadata = metadata

    def handle(self, request: EmulatedRequest) -> EmulatedResponse:
        """Answer one request."""
        if self._endless:
            request = attrs.evolve(request, query="")
        answer = super().handle(request)
        if request.method == "GET" and request.path == "/v1/batches":
            page = json.loads(answer.body)
            page["has_more"] = self._endless
            for row in page["data"]:
                row["metadata"] = self._metadata
            return attrs.evolve(answer, body=json.dumps(page).encode())
        return answer


@pytest.mark.parametrize("metadata", [None, {}, {"customer": "c-1", "tags": ["a"]}, "none"])
def test_a_host_that_forgets_metadata_is_believed_by_the_file(blocking: Halves, metadata: object) -> None:
    """A batch of the same file that is known already is not taken for the one that was lost."""
    host = Forgetful(endless=False, metadata=metadata)
    host.end_batch_next("failed")
    blocking.submit(JOBS, host=host)
    with pytest.raises(dalle2.BadRequestError):
        blocking.collect(host=host)
    host.fail_next(502)
    with pytest.raises(dalle2.OutcomeUnknownError, match="never created"):
        blocking.submit(JOBS, host=host)
    host.lose_next()
    assert blocking.submit(JOBS, host=host).batched == 3
    assert blocking.collect(host=host).done == len(host.billed) == 3
    assert asked(host).count("POST files") == 1


def test_a_list_without_an_end_proves_nothing(blocking: Halves, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not in it is held, and not handed over again."""
    host = Forgetful(endless=True)
    blocking.submit([job("z")], journal="other.db", host=host)
    host.fail_next(502)
    with pytest.raises(dalle2.OutcomeUnknownError, match="not heard of") as caught:
        blocking.submit(JOBS, host=host)
    report = caught.value.report  # type: ignore[attr-defined]
    assert (caught.value.maybe_billed, report.held, report.remaining) == (True, 3, 0)
    monkeypatch.setattr("dalle2.bulk._submitting._MOST_PAGES", 1)
    assert blocking.collect(host=host).held == 3


class Paged(Emulator):
    """A host that answers some questions with a page of its own."""

    def __init__(self, *paged: tuple[str, str], status: int = 200) -> None:
        super().__init__()
        self.paged = paged
        self.status = status

    def handle(self, request: EmulatedRequest) -> EmulatedResponse:
        """Answer one request; what is created is created all the same."""
        answer = super().handle(request)
        if any((request.method, request.path[: len(path)]) == (method, path) for method, path in self.paged):
            list(answer.chunks or ())
            return EmulatedResponse(self.status, {"Content-Type": "text/html"}, b"<html>hello</html>")
        return answer


def test_a_list_that_is_a_page_proves_nothing(halves: Halves) -> None:
    """The error says that it may have been paid for; the rows are held until the list can be read."""
    host = Paged(("POST", "/v1/batches"), ("GET", "/v1/batches"))
    with pytest.raises(
        dalle2.OutcomeUnknownError, match=r"unreadable.*not heard of: submit again$"
    ) as caught:
        halves.submit(JOBS, host=host)
    assert caught.value.maybe_billed
    assert caught.value.report.held == 3  # type: ignore[attr-defined]
    host.paged = ()
    assert halves.collect(host=host).done == len(host.billed) == 3


def test_an_outage_behind_a_lost_creation_is_told_as_that(halves: Halves, emulator: Emulator) -> None:
    """It is no free trouble: a batch may be out there. The next call finds it."""
    emulator.lose_next()
    emulator.fail_next(503, on="poll", times=1)  # the list of files: done without
    emulator.requests.clear()
    seen = emulator.handle

    def down(request: EmulatedRequest) -> EmulatedResponse:
        if request.path == "/v1/batches" and request.method == "GET":
            emulator.fail_next(503, on="poll")
        return seen(request)

    emulator.handle = down  # type: ignore[method-assign]
    with pytest.raises(dalle2.InternalServerError, match="part 1 was handed over, and nobody") as caught:
        halves.submit(JOBS)
    assert caught.value.maybe_billed
    emulator.handle = seen  # type: ignore[method-assign]
    assert halves.submit(JOBS).batched == 3
    assert halves.collect().done == len(emulator.billed) == 3


@pytest.mark.parametrize("path", ["/v1/files", "/v1/batches"])
@pytest.mark.parametrize("status", [404, 405, 501])
def test_a_host_without_batches_is_told_as_that(halves: Halves, path: str, status: int) -> None:
    """With what makes the rows all the same."""
    host = Paged(("POST", path), ("GET", path), status=status)
    with pytest.raises(dalle2.Dalle2Error, match=r"with bulk\.resume\)$|not heard of") as caught:
        halves.submit(JOBS, host=host)
    assert caught.value.report.batched == 0  # type: ignore[attr-defined]


def test_a_list_of_files_that_is_a_page_is_done_without(halves: Halves) -> None:
    """It only saves an upload."""
    host = Paged(("GET", "/v1/files?"), ("GET", "/v1/files"))
    assert halves.submit(JOBS, host=host).batched == 3


def test_a_creation_that_never_was_is_repeated_once_that_is_sure(
    halves: Halves, blocking: Halves, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not before; and the file is not uploaded again."""
    emulator.fail_next(502)
    unheard(blocking)
    with monkeypatch.context() as patch:
        patch.setattr(_batch_rules, "SETTLED_AFTER", 60.0)
        report = halves.collect(wait=0.02)
        assert (report.batched, "nobody knows yet whether part 1" in str(report.stopped)) == (3, True)
    report = halves.collect()
    assert (report.remaining, report.batched) == (3, 0)
    assert "never created" in str(rows()["a"]["error"])
    assert asked(emulator).count("POST batches") == 1
    assert halves.submit(JOBS).batched == 3
    assert halves.collect().done == len(emulator.billed) == 3
    assert asked(emulator).count("POST files") == 1


def test_submit_waits_until_it_is_sure(halves: Halves, blocking: Halves, emulator: Emulator) -> None:
    """And hands over what was never created, in the same call."""
    emulator.fail_next(502)
    unheard(blocking)
    assert halves.submit(JOBS).batched == 3
    assert halves.collect().done == len(emulator.billed) == 3


def test_a_clock_that_is_set_settles_nothing_early(
    blocking: Halves, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch that its host lists a moment later is found, and not created again."""
    handle, asked_for = emulator.handle, list[str]()

    def tardy(request: EmulatedRequest) -> EmulatedResponse:
        answer = handle(request)
        if request.path == "/v1/batches":
            asked_for.append(request.method)
            if request.method == "POST":  # and somebody sets the clock
                later = SimpleNamespace(time=lambda: time.time() + 86_400, monotonic=time.monotonic)
                monkeypatch.setattr(_submitting, "time", later)
            elif asked_for.count("GET") == 1:
                return EmulatedResponse(200, {}, b'{"object": "list", "data": [], "has_more": false}')
        return answer

    monkeypatch.setattr(emulator, "handle", tardy)
    emulator.lose_next()
    assert blocking.submit(JOBS).batched == 3
    assert asked_for == ["POST", "GET", "GET"]
    assert blocking.collect().done == len(emulator.billed) == 3


def test_another_key_cannot_settle_it(blocking: Halves, emulator: Emulator) -> None:
    """What it does not see may be there: held, with half its price, until the right key finds it."""
    emulator.lose_next()
    unheard(blocking)
    report = blocking.collect(host=Emulator(api_key="sk-other"), key="sk-other")
    assert (report.held, report.remaining) == (3, 0)
    assert 0 < report.usd_held < 3 * PRICE
    assert rows()["a"]["usd"] == pytest.approx(report.usd_held / 3)
    assert "take the key that it was handed over with" in str(rows()["a"]["error"])
    assert blocking.collect().done == len(emulator.billed) == 3


@pytest.mark.parametrize("status", [403, 404, 405])
def test_a_list_that_is_refused_proves_nothing(blocking: Halves, emulator: Emulator, status: int) -> None:
    """The rows are held, until the list can be seen; a key that is wrong is told."""
    blocking.submit(JOBS[:1])
    emulator.lose_next()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_submitting.Desk, "settled", lambda self, lot: iter(()))
        with pytest.raises(dalle2.OutcomeUnknownError, match="not heard of"):
            blocking.submit(JOBS)
    seen = emulator.handle

    def closed(request: EmulatedRequest) -> EmulatedResponse:
        if request.path == "/v1/batches":
            emulator.fail_next(status, on="poll")
        return seen(request)

    emulator.handle = closed  # type: ignore[method-assign]
    report = blocking.collect()
    assert (report.done, report.held) == (1, 2)
    emulator.handle = seen  # type: ignore[method-assign]
    emulator.fail_next(401, on="poll")
    with pytest.raises(dalle2.AuthenticationError):
        blocking.collect()
    assert blocking.collect().done == len(emulator.billed) == 3


@pytest.mark.parametrize("again", ["the same", "another", "a function"])
def test_a_key_that_sees_the_file_settles_it(blocking: Halves, emulator: Emulator, again: str) -> None:
    """Another one of the same account does; the same one need not look for it."""
    emulator.fail_next(502)
    unheard(blocking, key=(lambda: "sk-test") if again == "a function" else "sk-test")
    emulator.api_key = "sk-new" if again == "another" else "sk-test"
    emulator.requests.clear()
    key = (lambda: "sk-test") if again == "a function" else emulator.api_key
    assert blocking.submit(JOBS, key=key).batched == 3
    looked = sum(request.path.startswith("/v1/files/") for request in emulator.requests)
    assert looked == (again != "the same")


def test_a_batch_that_another_key_does_not_see_is_held(halves: Halves, emulator: Emulator) -> None:
    """And found again by the right one; released, it is not asked after any more."""
    halves.submit(JOBS)
    stranger = Emulator()
    told: list[object] = []
    for _ in range(2):
        report = halves.collect(host=stranger, on_outcome=told.append)
        assert (report.held, report.remaining, len(told)) == (3, 0, 3)
    assert halves.collect().done == 3
    halves.submit([*JOBS, job("d")])
    halves.collect(host=stranger)
    assert bulk.release("run.db", ["d"]) == 1
    halves.collect(host=stranger)
    assert halves.collect().remaining == 1
    (*_, last) = bulk.status("run.db").batches()
    assert (last["ended"], last["status"]) == (True, "unknown")


def test_images_of_a_row_that_was_released_are_taken_in_all_the_same(
    halves: Halves, emulator: Emulator
) -> None:
    """If it was not sent again they are its images; if it was, they are put aside and told."""
    halves.submit(JOBS)
    halves.collect(host=Emulator())
    assert bulk.release("run.db", ["a", "b"]) == 2
    halves.submit(None, budget=dalle2.Budget(max_images=4))
    assert [row["state"] for row in rows().values()] == ["sent", "planned", "held"]
    report = halves.collect()
    assert (report.done, len(emulator.billed)) == (3, 4)
    (aside,) = Path("run.db.spool").glob("*.body")
    assert json.loads(aside.read_bytes())["custom_id"] == "1"
    assert [batch["error"] for batch in report.batches()] == ["1 answered twice", None]


def test_a_no_to_the_creation_plans_its_rows_again(halves: Halves, emulator: Emulator) -> None:
    """With the error and its report; the file that is there is used by the next call."""
    emulator.fail_next(429, code="insufficient_quota")
    with pytest.raises(dalle2.QuotaExceededError) as caught:
        halves.submit(JOBS)
    report = caught.value.report  # type: ignore[attr-defined]
    assert (report.remaining, report.batched) == (3, 0)
    assert halves.submit(JOBS).batched == 3
    assert asked(emulator).count("POST files") == 1
    assert halves.collect().done == 3


def test_a_failed_upload_changes_nothing(halves: Halves, emulator: Emulator) -> None:
    """Nothing was handed over."""
    emulator.fail_next(413, on="file")
    with pytest.raises(dalle2.BadRequestError) as caught:
        halves.submit(JOBS)
    assert caught.value.report.batched == 0  # type: ignore[attr-defined]
    assert states() == dict.fromkeys("abc", "planned")
    emulator.lose_next(on="file")  # repeated: it costs nothing
    assert halves.submit(JOBS).batched == 3


@pytest.mark.parametrize(
    ("status", "known"), [(404, True), (405, True), (403, True), (501, True), (401, False), (429, False)]
)
def test_a_host_may_have_no_list_of_files(
    blocking: Halves, emulator: Emulator, status: int, known: bool
) -> None:
    """Then the file is uploaded; another no is told."""
    emulator.fail_next(status, on="poll", times=3)
    if known:
        assert blocking.submit(JOBS).batched == 3
    else:
        with pytest.raises(dalle2.APIStatusError):
            blocking.submit(JOBS)


# How a batch ends


def test_an_error_file_alone(halves: Halves, emulator: Emulator) -> None:
    """Every row was refused, and none was billed."""
    halves.submit([job("a", REFUSED), job("b", REFUSED)])
    report = halves.collect()
    assert (report.refused, report.usd, len(emulator.billed)) == (2, 0, 0)


def test_a_row_that_no_line_speaks_of_is_held(halves: Halves, emulator: Emulator) -> None:
    """With half its price; the others are kept."""
    emulator.end_batch_next(missing=1)
    halves.submit(JOBS)
    report = halves.collect()
    assert (report.done, report.held, report.remaining) == (2, 1, 0)
    assert report.usd_held == pytest.approx(rows()["a"]["usd"])
    assert 0 < report.usd_held < PRICE
    assert "no line of its batch speaks of it" in str(rows()["a"]["error"])
    (batch,) = report.batches()
    assert batch["error"] == "1 spoken of by no line"
    assert bulk.release("run.db") == 1
    assert halves.submit(JOBS).batched == 1
    assert halves.collect().done == 3
    assert len(emulator.billed) == 4


def test_a_row_that_is_answered_twice_loses_neither(blocking: Halves, emulator: Emulator) -> None:
    """The first answer is kept, the other is put aside and told, once."""
    emulator.end_batch_next(doubled=1)
    blocking.submit(JOBS)
    report = blocking.collect()
    assert report.done == 3
    error = str(rows()["a"]["error"])
    where = Path(error.partition("the other answer is in ")[2])
    assert error.startswith("answered twice") and json.loads(where.read_bytes())["custom_id"] == "1"
    assert next(report.batches())["error"] == "1 answered twice"


def test_lines_that_cannot_be_read_are_kept(halves: Halves, emulator: Emulator, folder: Path) -> None:
    """A row of an expired batch that no line speaks of may have been one of them: it is held."""
    emulator.end_batch_next("expired", done=2, garbled=2, missing=1)
    halves.submit(JOBS)
    report = halves.collect()
    assert (report.done, report.held, report.remaining) == (1, 1, 1)
    assert next(report.batches())["error"] == "1 spoken of by no line, 2 lines that could not be read"
    kept = list((folder / "run.db.spool").glob("*.body"))
    assert [path.read_bytes() for path in kept] == [b'{"id": "batch_req_'] * 2


@pytest.mark.parametrize("status", ["expired", "cancelled"])
def test_what_was_finished_is_kept_and_the_rest_planned_again(
    halves: Halves, emulator: Emulator, status: str
) -> None:
    """And handed over again by the next call; each is billed once."""
    emulator.end_batch_next(status, done=2)  # type: ignore[arg-type]
    halves.submit(JOBS)
    report = halves.collect()
    assert (report.done, report.remaining, report.batched) == (2, 1, 0)
    assert "ended before it was carried out" in str(rows()["c"]["error"])
    assert halves.submit(JOBS).batched == 1
    report = halves.collect()
    assert (report.done, len(emulator.billed)) == (3, 3)
    assert report.usd == pytest.approx(3 * PRICE / 2, rel=0.01)


def test_a_batch_that_fails_its_checks_is_told_in_the_hosts_words(halves: Halves, emulator: Emulator) -> None:
    """Nothing was billed, and the rows are planned again; other batches are taken in first."""
    emulator.end_batch_next("failed")
    halves.submit(JOBS[:2])
    halves.submit(JOBS)
    with pytest.raises(dalle2.BadRequestError, match=r"part 1 .*enqueued token limit") as caught:
        halves.collect()
    report = caught.value.report  # type: ignore[attr-defined]
    assert (report.done, report.remaining, len(emulator.billed)) == (1, 2, 1)
    assert "token_limit_exceeded" in str(next(report.batches())["error"])
    assert halves.submit(JOBS).batched == 2


def test_an_output_file_that_is_gone(halves: Halves, emulator: Emulator) -> None:
    """Its rows were paid for and are gone; what the error file says is still true."""
    emulator.end_batch_next(gone=True)
    halves.submit([job("a"), job("b", REFUSED)])
    report = halves.collect()
    assert (report.expired, report.refused, report.remaining) == (1, 1, 0)
    assert 0 < report.usd < PRICE
    assert "gone from the host" in str(rows()["a"]["error"])
    assert next(report.batches())["error"] == "1 spoken of by no line, its output file was gone"


def test_a_file_that_is_there_and_not_given_is_not_gone(halves: Halves) -> None:
    """The no is raised, and the next call takes the batch in."""
    host = Emulator()
    seen = host.handle

    def closed(request: EmulatedRequest) -> EmulatedResponse:
        content = request.path.endswith("/content")
        return EmulatedResponse(404, {}, b"") if content else seen(request)

    halves.submit(JOBS, host=host)
    host.handle = closed  # type: ignore[method-assign]
    with pytest.raises(dalle2.NotFoundError):
        halves.collect(host=host)
    assert states() == dict.fromkeys("abc", "sent")
    host.handle = seen  # type: ignore[method-assign]
    assert halves.collect(host=host).done == 3


@pytest.mark.parametrize("other", [b"<html>sign in</html>\n<p>", b""])
def test_what_is_no_file_of_a_batch_does_not_end_it(halves: Halves, other: bytes) -> None:
    """A page of a proxy, or nothing: the rows are held, and the next call asks for the file again."""
    host = Odd(other)
    halves.submit(JOBS[:2], host=host)
    report = halves.collect(host=host)
    assert (report.held, next(report.batches())["ended"]) == (2, False)
    host.lines = (line({"body": BODY}), line({"body": BODY}, custom_id="2"))
    report = halves.collect(host=host)
    assert (report.done, next(report.batches())["ended"]) == (2, True)


def test_a_batch_that_is_not_understood_is_let_go_once_its_rows_are(blocking: Halves) -> None:
    """Rows that were released are handed over again, and it is asked after a last time."""
    host = Odd(b"<html>")
    blocking.submit(JOBS[:1], host=host)
    blocking.collect(host=host)
    assert "lines that could not be read are in " in str(rows()["a"]["error"])
    assert bulk.release("run.db") == 1
    report = blocking.collect(host=host)
    assert (report.remaining, next(report.batches())["ended"]) == (1, True)


# Answers of other shapes


class Odd(Emulator):
    """An emulator whose files hold these lines."""

    def __init__(self, *lines: object) -> None:
        super().__init__()
        self.lines = lines

    def handle(self, request: EmulatedRequest) -> EmulatedResponse:
        """Answer one request."""
        if request.path.endswith("/content"):
            list(super().handle(request).chunks or ())
            body = b"\n".join(
                line if isinstance(line, bytes) else json.dumps(line).encode() for line in self.lines
            )
            return EmulatedResponse(200, {}, body)
        return super().handle(request)


def line(response: object, error: object = None, custom_id: object = "1") -> dict[str, object]:
    """A line of a file."""
    return {"custom_id": custom_id, "response": response, "error": error}


PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAAC0lEQVR42mNgAAIAAAUAAen63NgAAAAASUVORK5CYII="
BODY = {"created": 1, "data": [{"b64_json": PIXEL}]}


@pytest.mark.parametrize(
    "answer",
    [
        line({"status_code": 200, "body": BODY}),
        line({"status_code": "200", "body": json.dumps(BODY)}),
        line({"body": BODY}, custom_id=1),
        line(BODY),
        line(json.dumps({"status_code": 200, "body": BODY})),
        b"\xef\xbb\xbf" + json.dumps(line({"body": BODY})).encode() + b"\r\n\r\n",
        {"custom_id": " 1 ", "body": BODY},
        line({"status_code": 200, "body": {**BODY, "pad": "x" * 5000}}),
    ],
)
def test_an_answer_is_found_wherever_it_stands(answer: object) -> None:
    """In the line of a batch as anywhere."""
    host = Odd(answer)
    with dalle2.Client("sk-test", http_client=host.client(), model=MODEL) as client:
        bulk.submit(client, [job("a")], journal="run.db")
        report = bulk.collect(client, "run.db", out="out")
    assert report.done == 1
    assert Path("out/a-1.png").read_bytes().startswith(b"\x89PNG")
    assert 0 < report.usd < PRICE  # the usage is not told: half of what was expected


@pytest.mark.parametrize(
    ("answer", "state", "words"),
    [
        (line(None, {"code": "bad", "message": "no such size"}), "failed", "no such size"),
        (
            line({"status_code": 400, "body": {"error": {"message": "no such size"}}}),
            "failed",
            "no such size",
        ),
        (line({"status_code": 400, "body": None}, {"message": "no such size"}), "failed", "no such size"),
        (line({"status_code": 429, "body": {"error": {"message": "slow down"}}}), "planned", "slow down"),
        (
            line({"status_code": 500, "body": {"error": {"message": "oh no", "type": "server_error"}}}),
            "planned",
            "oh no",
        ),
        (line({"status_code": 200, "body": {"data": []}}), "held", "what came is in"),
        (line({"status_code": 200, "body": "half a"}), "held", "what came is in"),
        (line(None), "held", ""),
        (line("boom"), "held", ""),
        (line([1]), "held", "what came is in"),
        (
            line({"status_code": 202, "body": {"id": "t", "status": "in_progress"}}),
            "held",
            "still being made",
        ),
        (line(BODY, custom_id="7"), "held", "no line of its batch"),
        (line(BODY, custom_id=True), "held", "no line of its batch"),
        (b"[]", "held", "no line of its batch"),
    ],
)
def test_what_a_line_says_otherwise(answer: object, state: str, words: str) -> None:
    """A host's no ends the row, what the row cannot help plans it again, and what nobody can know is held."""
    host = Odd(answer)
    with dalle2.Client("sk-test", http_client=host.client(), model=MODEL) as client:
        bulk.submit(client, [job("a")], journal="run.db")
        report = bulk.collect(client, "run.db", out="out")
    assert states() == {"a": state}
    assert words in str(rows()["a"]["error"])
    assert (report.usd_held > 0) == (state == "held")


@pytest.mark.parametrize(
    "first",
    [
        line(None, {"code": "batch_expired", "message": "too late"}),
        line({"status_code": 500, "body": {"error": {"message": "oh no"}}}),
        line({"status_code": 400, "body": {"error": {"message": "no such size"}}}),
        line({"status_code": 200, "body": {"data": []}}),
    ],
)
@pytest.mark.parametrize("late", [False, True])
def test_images_count_before_a_no_to_the_same_row(first: object, late: bool) -> None:
    """In either order: what was paid for is taken in, and not made again."""
    lines = [first, line({"status_code": 200, "body": BODY})]
    host = Odd(*(lines[::-1] if late else lines))
    with dalle2.Client("sk-test", http_client=host.client(), model=MODEL) as client:
        bulk.submit(client, [job("a")], journal="run.db")
        report = bulk.collect(client, "run.db", out="out")
    assert (report.done, report.remaining, next(report.batches())["error"]) == (1, 0, "1 answered twice")


@pytest.mark.parametrize("second", [line(None, {"code": "batch_expired"}), line({"status_code": 500})])
def test_two_answers_without_images_are_both_kept(second: object) -> None:
    """The first one decides."""
    host = Odd(line({"status_code": 400, "body": {"error": {"message": "no such size"}}}), second)
    with dalle2.Client("sk-test", http_client=host.client(), model=MODEL) as client:
        bulk.submit(client, [job("a")], journal="run.db")
        bulk.collect(client, "run.db", out="out")
    assert states() == {"a": "failed"}
    assert "the other answer is in" in str(rows()["a"]["error"])


def test_one_readable_image_of_two_is_kept() -> None:
    """With what was wrong with the other, scaled like the others."""
    body = {"created": 1, "data": [{"b64_json": PIXEL}, {"b64_json": "?"}]}
    host = Odd(line({"status_code": 200, "body": body}))
    with dalle2.Client("sk-test", http_client=host.client(), model="dall-e-2", successor=MODEL) as client:
        jobs = [bulk.Job("a", dalle2.GenerateRequest(prompt="a fox", size="256x256", n=2))]
        bulk.submit(client, jobs, journal="run.db")
        assert bulk.collect(client, "run.db", out="out").done + bulk.status("run.db").expired == 1
    assert rows()["a"]["paths"] == ["out/a-1.png"]


def test_what_no_row_can_help_is_raised_in_the_end() -> None:
    """With the report; the row is planned again."""
    error = {"message": "no money", "code": "insufficient_quota"}
    host = Odd(line({"status_code": 429, "body": {"error": error}}), line({"body": BODY}, custom_id="2"))
    with dalle2.Client("sk-test", http_client=host.client(), model=MODEL) as client:
        bulk.submit(client, JOBS[:2], journal="run.db")
        with pytest.raises(dalle2.QuotaExceededError) as caught:
            bulk.collect(client, "run.db", out="out")
    assert (caught.value.report.done, caught.value.report.remaining) == (1, 1)  # type: ignore[attr-defined]


# Waiting


def test_what_is_under_way_is_left_or_waited_for(halves: Halves, folder: Path) -> None:
    """By the clock of the host; nothing is fetched before its time, and nothing twice."""
    slow = Emulator(batch_latency=3600)
    halves.submit(JOBS, host=slow)
    for wait in (False, 0, 0.03):
        report = halves.collect(host=slow, wait=wait)
        assert (report.batched, report.stopped) == (3, "batches are still under way: collect again")
    assert next(report.batches())["status"] == "validating"
    slow.clock.advance(1800)
    assert next(halves.collect(host=slow, wait=False).batches())["status"] == "in_progress"
    assert len(slow.billed) == 1
    timer = threading.Timer(0.05, slow.clock.advance, [1800])
    timer.start()
    assert halves.collect(host=slow, wait=float("inf")).done == 3
    timer.join()
    assert asked(slow).count("GET files/content") == 1


def test_a_batch_that_is_cancelled_at_its_host(blocking: Halves) -> None:
    """What was carried out is kept, and the rest planned again."""
    slow = Emulator(batch_latency=3600)
    blocking.submit(JOBS, host=slow)
    slow.clock.advance(2500)
    (batch,) = bulk.status("run.db").batches()
    with slow.client() as http:
        url = f"https://api.openai.com/v1/batches/{batch['id']}/cancel"
        assert http.post(url, headers={"Authorization": "Bearer sk-test"}).json()["status"] == "cancelling"
    report = blocking.collect(host=slow)
    assert (report.done, report.remaining, len(slow.billed)) == (2, 1, 2)


def test_a_passing_trouble_is_waited_out(halves: Halves, emulator: Emulator) -> None:
    """While somebody waits; who does not is told."""
    halves.submit(JOBS)
    emulator.fail_next(503, times=4, on="poll")
    assert halves.collect().done == 3
    halves.submit([*JOBS, job("d")])
    emulator.fail_next(503, times=3, on="poll")
    with pytest.raises(dalle2.InternalServerError) as caught:
        halves.collect(wait=False)
    assert caught.value.report.batched == 1  # type: ignore[attr-defined]
    emulator.fail_next(401, on="poll")
    with pytest.raises(dalle2.AuthenticationError):
        halves.collect()
    assert halves.collect().done == 4


def test_a_lasting_trouble_ends_the_waiting(
    blocking: Halves, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After so many questions; a time that passes before ends it, too."""
    monkeypatch.setattr(_batch_rules, "TROUBLES", 2)
    blocking.submit(JOBS)
    emulator.fail_next(503, times=100, on="poll")
    with pytest.raises(dalle2.InternalServerError):
        blocking.collect(client={"retry": dalle2.RetryPolicy.none()})
    assert asked(emulator)[-3:] == ["GET batches"] * 3


def test_a_download_that_breaks_off_is_begun_again(halves: Halves, emulator: Emulator) -> None:
    """What came before is not taken in twice."""
    halves.submit(JOBS)
    emulator.lose_next(on="file", after_bytes=150_000)
    told: list[dict[str, object]] = []
    assert halves.collect(on_outcome=told.append).done == len(emulator.billed) == 3
    assert sorted(str(row["id"]) for row in told) == ["a", "b", "c"]
    assert asked(emulator).count("GET files/content") == 2


def test_many_answers_are_kept_on_the_way(
    halves: Halves, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The spool holds few at a time, whatever the size of the file."""
    most = 0
    put = _spool.Spool.put

    def watched(self: _spool.Spool, *args: object) -> int:
        nonlocal most
        size = put(self, *args)  # type: ignore[arg-type]
        most = max(most, len(list(self.folder.glob("*.image"))))
        return size

    monkeypatch.setattr(_spool.Spool, "put", watched)
    halves.submit([job(str(number)) for number in range(12)])
    assert halves.collect(concurrency=1).done == 12
    assert 1 <= most <= 6


# Beside ordinary runs


def test_a_run_leaves_alone_what_is_out(blocking: Halves, emulator: Emulator) -> None:
    """It is known to the host: neither held nor sent again, but counted as spent."""
    blocking.submit(JOBS[:2])
    with dalle2.Client("sk-test", http_client=emulator.client(), model=MODEL) as client:
        report = bulk.run(client, JOBS, journal="run.db", out="out", budget=dalle2.Budget(max_images=3))
        assert (report.done, report.batched, report.held) == (1, 2, 0)
        assert bulk.resume(client, "run.db").batched == 2
        assert bulk.release("run.db") == 0
    assert blocking.collect().done == len(emulator.billed) == 3
    full, half_ = rows()["c"]["usd"], rows()["a"]["usd"]
    assert half_ == pytest.approx(full / 2)  # type: ignore[operator]


def test_collect_sends_nothing_and_keeps_what_a_run_left(blocking: Halves, emulator: Emulator) -> None:
    """Rows that are planned stay planned; an image that could not be fetched is fetched now."""
    with dalle2.Client("sk-test", http_client=emulator.client(), retry=dalle2.RetryPolicy.none()) as client:
        emulator.fail_next(500, times=50, on="image")
        report = bulk.run(client, ["a fox"], journal="run.db", out="out", budget=dalle2.Budget(max_images=1))
        assert report.remaining == 1
        emulator.fail_next(401, code="invalid_api_key")
        with pytest.raises(dalle2.AuthenticationError):
            bulk.run(client, ["a fox", "an owl"], journal="run.db", out="out")
    emulator._faults._waiting["image"].clear()
    sent = asked(emulator).count("POST images/generations")
    report = blocking.collect()
    assert (report.done, report.remaining, report.batched) == (1, 1, 0)
    assert asked(emulator).count("POST images/generations") == sent


def test_a_row_that_is_out_keeps_its_request(blocking: Halves) -> None:
    """Another one under its id is refused."""
    blocking.submit(JOBS)
    with pytest.raises(dalle2.JournalError, match="the id 'a' is sent in the journal with another request"):
        blocking.submit([job("a", "an owl"), *JOBS[1:]])


def test_a_stranger_in_the_way_is_named(blocking: Halves, folder: Path) -> None:
    """Before anything is fetched; nothing is lost."""
    blocking.submit(JOBS)
    (folder / "out").mkdir()
    (folder / "out" / "b-1.png").write_bytes(b"mine")
    with pytest.raises(dalle2.InvalidRequestError, match=r"out 'out' holds the file 'b-1\.png'"):
        blocking.collect()
    assert blocking.collect(out="elsewhere").done == 3


def test_where_the_images_went_before_is_where_they_go(blocking: Halves, emulator: Emulator) -> None:
    """`out` is remembered over a `submit`, which names none."""
    blocking.submit(JOBS[:1])
    blocking.collect()
    blocking.submit(JOBS)
    assert blocking.collect(out=None).done == 3
    assert rows()["c"]["paths"] == ["out/c-1.png"]
    with pytest.raises(dalle2.InvalidRequestError, match=r"out 'later' does not hold .*, which is done"):
        blocking.submit([*JOBS, job("d")], out="later")


def test_what_is_in_the_way_is_refused_before_anything_is_spent(
    blocking: Halves, emulator: Emulator, folder: Path
) -> None:
    """Where `submit` is told where the images will go."""
    (folder / "out").mkdir()
    (folder / "out" / "b-1.png").write_bytes(b"mine")
    with pytest.raises(dalle2.InvalidRequestError, match=r"holds the file 'b-1\.png'"):
        blocking.submit(JOBS, out="out")
    assert not emulator.requests
    assert blocking.submit(JOBS, out="elsewhere").batched == 3
    assert blocking.collect(out=None).done == 3


def test_a_journal_of_the_version_before_is_given_what_it_lacks(client: dalle2.Client) -> None:
    """Readers take it as it is, writers add the tables, and nothing in it changes."""
    bulk.run(client, ["a fox"], journal="run.db", out="out")
    with closing(sqlite3.connect("run.db")) as db:
        db.executescript("DROP TABLE batch; DROP TABLE line; PRAGMA user_version=1")
    report = bulk.status("run.db")
    assert (report.done, list(report.batches())) == (1, [])
    assert bulk.resume(client, "run.db").done == 1
    with closing(sqlite3.connect("run.db")) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (_schema.VERSION,)
        assert lots(db) == []
        db.executescript("DROP TABLE line")
    with pytest.raises(dalle2.JournalError, match="malformed: a table is missing"):
        bulk.status("run.db")


# Whatever happens


class Ways(RuleBasedStateMachine):
    """Batches that end in any way, one after the other: no row is lost, none is paid for twice unasked."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.here = Path(self.folder.name)
        self.emulator = Emulator()
        self.client = dalle2.Client("sk-test", http_client=self.emulator.client(), model=MODEL)
        self.jobs = [job(str(number), REFUSED if number == 2 else "a fox") for number in range(4)]
        self.released = 0

    @rule(
        status=st.sampled_from(["completed", "expired", "cancelled", "failed"]),
        done=st.none() | st.integers(0, 4),
        odd=st.tuples(st.integers(0, 2), st.integers(0, 2), st.integers(0, 1)),
        gone=st.booleans(),
        lost=st.booleans(),
        cut=st.booleans(),
    )
    def batch(
        self, status: str, done: int | None, odd: tuple[int, int, int], gone: bool, lost: bool, cut: bool
    ) -> None:
        """Hand over, and take in whatever comes of it."""
        missing, doubled, garbled = odd
        self.emulator.end_batch_next(
            status,  # type: ignore[arg-type]
            done=done,
            missing=missing,
            doubled=doubled,
            garbled=garbled,
            gone=gone,
        )
        if lost:
            self.emulator.lose_next()
        bulk.submit(self.client, self.jobs, journal=self.here / "run.db")
        if cut:
            self.emulator.lose_next(on="file", after_bytes=120_000)
        with suppress(dalle2.BadRequestError):
            bulk.collect(self.client, self.here / "run.db", out=self.here / "out")
        self.emulator._batches._ends.clear()
        for waiting in self.emulator._faults._waiting.values():
            waiting.clear()

    @rule()
    def release(self) -> None:
        """What is held is planned again, knowingly."""
        if (self.here / "run.db").exists():
            self.released += bulk.release(self.here / "run.db")

    @invariant()
    def nothing_is_lost(self) -> None:
        """Each row is where it is known to be, and the money is counted."""
        if not (self.here / "run.db").exists():
            return
        report = bulk.status(self.here / "run.db")
        assert report.total == 4
        assert report.batched == 0
        paid = report.done + report.expired
        assert paid <= len(self.emulator.billed) <= paid + report.held + self.released
        files = {path.name for path in (self.here / "out").glob("*")}
        assert files == {Path(str(p)).name for row in report.rows() for p in row["paths"]}  # type: ignore[attr-defined]
        assert len(files) == report.done
        assert report.usd == pytest.approx(paid * PRICE / 2, rel=0.3)
        assert not list(self.here.glob("run.db.spool/*.json"))

    def teardown(self) -> None:
        """Nothing stays."""
        self.client.close()
        self.folder.cleanup()


Ways.TestCase.settings = settings(max_examples=12, stateful_step_count=5, deadline=None)
TestWays = Ways.TestCase
