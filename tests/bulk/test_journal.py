"""The journal as a file: what is refused, what survives, and that readers see it while a run goes on."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import types
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

import dalle2
from dalle2 import bulk
from dalle2.bulk._guard import Guard
from dalle2.bulk._journal import Journal
from dalle2.bulk._receipt import Receipt
from dalle2.bulk._schema import VERSION
from dalle2.bulk._spool import Spool
from dalle2.testing import EmulatedRequest, EmulatedResponse, Emulator

from .conftest import job


def go(client: dalle2.Client, jobs: object = ("a fox",), **more: object) -> bulk.Report:
    """A run in this folder."""
    return bulk.run(client, jobs, **{"journal": "run.db", "out": "out", **more})  # type: ignore[arg-type]


# What cannot be used


def test_what_is_no_journal_is_refused_and_left_alone(client: dalle2.Client, emulator: Emulator) -> None:
    """A folder, a text, another program's database, a newer one, one with a table missing, no path at all."""
    Path("folder").mkdir()
    Path("text.db").write_text("this is a text and no database at all, though it is long enough " * 20)
    with closing(sqlite3.connect("other.db")) as db:
        db.execute("CREATE TABLE theirs (x)")
    for name, change in [("newer.db", f"PRAGMA user_version={VERSION + 1}"), ("torn.db", "DROP TABLE image")]:
        Journal(Path(name).resolve(), create=True).close()
        with closing(sqlite3.connect(name)) as db:
            db.execute(change)
    told = {
        "folder": "is a directory",
        "text.db": "not a database",
        "other.db": "something else",
        "newer.db": "newer dalle2",
        "torn.db": "malformed",
        "none/run.db": "cannot be locked",
    }
    for name, words in told.items():
        before = Path(name).read_bytes() if Path(name).is_file() else b""
        with pytest.raises(dalle2.JournalError, match=words) as caught:
            go(client, journal=name)
        assert name in str(caught.value)
        if before:
            assert Path(name).read_bytes() == before
            with pytest.raises(dalle2.JournalError):
                bulk.status(name)
    with pytest.raises(dalle2.JournalError, match="must be a path; it is 7"):
        go(client, journal=7)
    for name, words in [("folder", "is a directory"), ("none.db", "does not exist")]:
        with pytest.raises(dalle2.JournalError, match=words):
            bulk.status(name)
    with pytest.raises(dalle2.JournalError, match="there is no journal"):
        bulk.resume(client, "none.db")
    Path("empty.db").touch()
    with pytest.raises(dalle2.JournalError, match="is empty"):
        bulk.status("empty.db")
    assert emulator.requests == []


def test_a_journal_that_cannot_be_written_is_refused(
    client: dalle2.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever may only read it may still look."""
    go(client)
    real = sqlite3.connect

    def read_only(path: object, **more: object) -> sqlite3.Connection:
        return real(
            path if str(path).startswith("file:") else f"file:{path}?mode=ro", uri=True, isolation_level=None
        )

    monkeypatch.setattr(sqlite3, "connect", read_only)
    with pytest.raises(dalle2.JournalError, match="cannot be used: attempt to write a readonly database"):
        go(client)
    assert bulk.status("run.db").done == 1


def test_a_disk_without_a_write_ahead_log_is_told(
    client: dalle2.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run works all the same."""

    class Old(sqlite3.Connection):
        def execute(self, sql: str, *values: object) -> sqlite3.Cursor:  # type: ignore[override]
            return super().execute("PRAGMA journal_mode=DELETE" if sql.endswith("=WAL") else sql, *values)  # type: ignore[arg-type]

    real = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda path, **more: real(path, factory=Old, **more))
    with pytest.warns(UserWarning, match="write-ahead log does not work"):
        assert go(client).done == 1


def test_a_second_writer_is_refused_and_readers_are_not(client: dalle2.Client) -> None:
    """In the same process, under another name of the file, and from another process."""
    go(client)
    os.symlink("run.db", "alias.db")
    first = Journal(Path("run.db").resolve(), create=False)
    for name in ("run.db", "alias.db"):
        with pytest.raises(dalle2.JournalError, match="in use by another run"):
            bulk.release(name)
    code = "import sys; from dalle2 import bulk; print(bulk.status('run.db').done); bulk.release('run.db')"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert other.stdout == "1\n"
    assert "JournalError" in other.stderr and "in use by another run" in other.stderr
    first.close()
    assert bulk.release("run.db") == 0


def test_a_lock_dies_with_its_process(folder: Path) -> None:
    """Killed, it leaves nothing that somebody would have to remove."""
    code = (
        "import os, sys, pathlib; from dalle2.bulk._guard import Guard\n"
        "Guard(pathlib.Path('run.db').resolve()); print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(dalle2.JournalError):
            Guard((folder / "run.db").resolve())
        other.kill()
        other.wait(30)
    guard = Guard((folder / "run.db").resolve())
    guard.release()
    guard.release()


def test_a_folder_that_cannot_be_written_can_still_be_looked_at(client: dalle2.Client, folder: Path) -> None:
    """Nobody can be writing there either."""
    go(client)
    (folder / "frozen").mkdir()
    shutil.copy("run.db", "frozen/run.db")
    (folder / "frozen").chmod(0o500)
    try:
        assert bulk.status("frozen/run.db").done == 1
    finally:
        (folder / "frozen").chmod(0o700)


# Bad jobs


def test_bad_jobs_leave_the_journal_as_it_was(client: dalle2.Client, emulator: Emulator) -> None:
    """All are refused before anything is sent, by row and value."""

    def broken() -> Iterator[bulk.Job]:
        yield job("a")
        raise LookupError("the database went away")

    many = "jobs is a path: dalle2.bulk.read_jobs"
    for jobs, kind, told in [
        ([job("a"), job("a")], bulk.RowError, r"row 2 \(id 'a'\): another row has the same id"),
        ([job("a"), job("b", size="300x300")], bulk.RowError, r"row 2 .*size '300x300'"),
        ([job("a"), 7], bulk.RowError, "job 2 must be a Job or a prompt; it is a int"),
        (["a fox", " "], bulk.RowError, "job 2: prompt is empty"),
        ([job("a/b"), job("a-b")], bulk.RowError, r"row 2 \(id 'a-b'\): name: .* that of the job 'a/b'"),
        ([job("A"), job("a")], bulk.RowError, "of the job 'A'"),
        ([job("a", extra_body={"x": {1, 2}})], bulk.RowError, "plain JSON"),
        (broken(), LookupError, "went away"),
        ("rows.csv", dalle2.InvalidRequestError, many),
    ]:  # fmt: skip
        with pytest.raises(kind, match=told):
            go(client, jobs)
        with (
            closing(sqlite3.connect("run.db"))
            if Path("run.db").exists()
            else closing(sqlite3.connect(":memory:")) as db
        ):
            tables = [name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE name = 'job'")]
            assert not tables or db.execute("SELECT COUNT(*) FROM job").fetchone() == (0,)
    with pytest.raises(bulk.RowError, match="of the same job"):
        go(client, [job("a", n=2)], name="{id}")
    assert emulator.requests == []


def test_a_row_error_of_the_catalogue_names_the_column(client: dalle2.Client) -> None:
    """From the template of the field that is wrong."""
    jobs = bulk.read_jobs(
        [{"t": "a", "box": "256x256"}, {"t": "b", "box": "9x9"}], prompt="{t}", size="{box}"
    )
    with pytest.raises(bulk.RowError, match=r"row 2, column 'box' \(id '2'\): size '9x9'") as caught:
        go(client, jobs)
    assert (caught.value.row, caught.value.column, caught.value.field) == (2, "box", "size")
    assert caught.value.allowed


def test_an_id_that_is_done_keeps_its_request(client: dalle2.Client, emulator: Emulator) -> None:
    """The error says what differs, and no prompt."""
    go(client, [job("a")])
    with pytest.raises(dalle2.JournalError, match=r"'a' is done .*prompt differs") as caught:
        go(client, [job("a", "my secret prompt")])
    assert "secret" not in str(caught.value)
    with pytest.raises(dalle2.JournalError, match="size '256x256' there, '512x512' here"):
        go(client, [job("a", size="512x512")])
    split = dalle2.Client("sk-test", http_client=emulator.client(), split_n=True)
    three = bulk.Job("b", dalle2.GenerateRequest(prompt="x", model="dall-e-3", n=3))
    two = bulk.Job("b", dalle2.GenerateRequest(prompt="x", model="dall-e-3", n=2))
    go(split, [job("a"), three])
    with pytest.raises(dalle2.JournalError, match="3 calls there, 2 here"):
        go(split, [job("a"), two])


def test_a_file_of_somebody_else_is_never_overwritten(client: dalle2.Client, emulator: Emulator) -> None:
    """It is met before anything is spent, in folders too; what is no image is in nobody's way."""
    Path("out/red").mkdir(parents=True)
    for name in ("out/a-1.PNG", "out/notes.txt", "out/red/b.png"):
        Path(name).write_text("mine")
    with pytest.raises(dalle2.InvalidRequestError, match=r"holds the file 'a-1\.PNG'.* job 'a'"):
        go(client, [job("a")])
    one = bulk.Job("b", dalle2.GenerateRequest(prompt="x"), {"colour": "red"})
    with pytest.raises(dalle2.InvalidRequestError, match=r"holds the file 'red/b\.png'"):
        go(client, [one], journal="other.db", name="{colour}/{id}.png")
    assert emulator.requests == []
    Path("out/a-1.PNG").unlink()
    Path("file").touch()
    with pytest.raises(dalle2.InvalidRequestError, match="out 'file' is a file"):
        go(client, [job("a")], out="file")
    assert go(client, [job("a")]).done == 1
    assert go(client, [one], journal="third.db", name="{id}/{colour}.png").done == 1
    assert Path("out/b/red.png").exists()


def test_a_file_that_appears_during_a_run_is_not_replaced(emulator: Emulator) -> None:
    """The image stays where it is safe, and the row says why."""

    class Meddling(Emulator):
        def handle(self, request: EmulatedRequest) -> EmulatedResponse:
            Path("out").mkdir(exist_ok=True)
            Path("out/a-1.png").write_text("mine")
            return super().handle(request)

    with dalle2.Client("sk-test", http_client=Meddling().client()) as client:
        report = go(client, [job("a", response_format="b64_json")])
        assert (report.remaining, Path("out/a-1.png").read_text()) == (1, "mine")
        assert "does not know" in str(next(report.rows())["error"])
        assert list(Path("run.db.spool").glob("*.json"))
        Path("out/a-1.png").unlink()
    with dalle2.Client("sk-test", http_client=emulator.client()) as client:
        assert bulk.resume(client, "run.db").done == 1
    assert emulator.requests == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("concurrency", 0),
        ("concurrency", True),
        ("images_per_minute", 0),
        ("images_per_minute", float("inf")),
        ("on_unknown", "guess"),
        ("name", ""),
        ("out", ""),
        ("out", 7),
        ("spool_limit", 0),
    ],
)
def test_an_argument_that_is_none_is_refused_by_name(
    client: dalle2.Client, field: str, value: object
) -> None:
    """Before anything else happens."""
    with pytest.raises(dalle2.InvalidRequestError) as caught:
        go(client, **{field: value})
    assert caught.value.field == field
    with pytest.raises(dalle2.InvalidRequestError):
        go(client)
        bulk.resume(client, "run.db", concurrency=0)


def test_a_store_needs_its_extra(client: dalle2.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which is named."""
    monkeypatch.setitem(sys.modules, "obstore.store", None)
    with pytest.raises(dalle2.ConfigurationError, match=r"dalle2-sdk\[cloud\]"):
        go(client, out="s3://bucket/x")


def test_a_client_of_the_other_kind_or_with_a_budget_is_refused(
    client: dalle2.Client, emulator: Emulator
) -> None:
    """Its budget would count beside the journal."""
    awaited = dalle2.AsyncClient("sk-test", http_client=emulator.async_client())
    with pytest.raises(dalle2.InvalidRequestError, match="use arun"):
        go(awaited)  # type: ignore[arg-type]
    rich = dalle2.Client("sk-test", http_client=emulator.client(), budget=dalle2.Budget(max_images=1))
    with pytest.raises(dalle2.ConfigurationError, match="budget of its own"):
        go(rich)


# What survives


def crashed(emulator: Emulator, jobs: list[bulk.Job]) -> None:
    """A journal as a run leaves it that is killed while its calls are under way."""
    with dalle2.Client("sk-test", http_client=emulator.client()) as client:
        emulator.fail_next(401, code="invalid_api_key")
        with pytest.raises(dalle2.AuthenticationError):
            go(client, jobs, concurrency=1)
    with closing(sqlite3.connect("run.db")) as db:
        db.execute("UPDATE job SET state = 'sent', attempts = 2")
        db.execute(
            "INSERT INTO attempt (job, number, key, state, sent_at, images, nano) "
            "SELECT n, 2, key, 'sent', 0, images, expected FROM job"
        )
        db.commit()


def spooled(spool: Spool, name: str, receipt: Receipt) -> None:
    """Spool one answer."""
    spool.put(name, receipt)
    spool.confirm({name: receipt})


def test_what_was_sent_is_held_unless_it_is_spooled(client: dalle2.Client, emulator: Emulator) -> None:
    """A manifest makes the difference; leftovers without one are swept away."""
    crashed(emulator, [job("a"), job("b")])
    spool = Spool(Path("run.db").resolve())
    picture = dalle2.mask_from_box(16, (0, 0, 8, 8))
    spooled(spool, "1-2", Receipt((({"url": None}, picture),), 16_000_000, "req_1"))
    spool.put_body("9-9", b"what came")
    for name in ("2-2-0.image", "2-2.new", "7-1.json"):
        (spool.folder / name).write_bytes(b"{}")
    report = bulk.resume(client, "run.db")
    assert (report.done, report.held) == (1, 1)
    assert report.usd == report.usd_held == 0.016
    assert Path("out/a-1.png").read_bytes() == picture
    assert [path.name for path in spool.folder.iterdir()] == ["9-9.body"]
    assert emulator.billed == []


def test_an_answer_may_bring_one_image_and_link_another(client: dalle2.Client, emulator: Emulator) -> None:
    """What is spooled is taken from there, the rest is fetched."""
    crashed(emulator, [job("a", n=2)])
    picture = dalle2.mask_from_box(16, (0, 0, 8, 8))
    linked = client.generate("a fox", size="256x256")[0]
    images = ({"url": None}, picture), (linked.to_dict(), None)
    spooled(Spool(Path("run.db").resolve()), "1-2", Receipt(images))
    assert bulk.resume(client, "run.db").done == 1
    assert Path("out/a-1.png").read_bytes() == picture
    assert Path("out/a-2.png").read_bytes() == linked.read()


def test_an_answer_that_was_spooled_after_all_is_no_longer_held(
    client: dalle2.Client, emulator: Emulator
) -> None:
    """A thread that outlived its run may have made it safe."""
    crashed(emulator, [job("a")])
    assert bulk.resume(client, "run.db").held == 1
    picture = dalle2.mask_from_box(16, (0, 0, 8, 8))
    spooled(Spool(Path("run.db").resolve()), "1-2", Receipt((({"url": None}, picture),)))
    assert bulk.resume(client, "run.db").done == 1


def test_bytes_that_were_never_safe_are_told_as_gone(client: dalle2.Client, emulator: Emulator) -> None:
    """Paid for, and lost with the machine."""
    crashed(emulator, [job("a")])
    with closing(sqlite3.connect("run.db")) as db:
        db.execute("UPDATE job SET state = 'answered'")
        db.execute("UPDATE image SET facts = '{\"url\": null}'")
        db.commit()
    report = bulk.resume(client, "run.db")
    assert report.expired == 1
    assert "not safe" in str(next(report.rows())["error"])


def test_a_report_and_a_status_need_few_statements(
    client: dalle2.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their number does not grow with the rows."""
    real, counts = sqlite3.connect, []
    for rows in (2, 12):
        go(client, [job(str(number)) for number in range(rows)], journal=f"{rows}.db", out=f"{rows}")
        asked: list[str] = []

        def traced(*values: object, asked: list[str] = asked, **more: object) -> sqlite3.Connection:
            db = real(*values, **more)  # type: ignore[arg-type, call-overload]
            db.set_trace_callback(asked.append)
            return db  # type: ignore[no-any-return]

        with monkeypatch.context() as patch:
            patch.setattr(sqlite3, "connect", traced)
            assert len(list(bulk.status(f"{rows}.db").rows())) == rows
        counts.append(len(asked))
    assert counts[0] == counts[1]


def test_a_system_without_posix_locks_has_others(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows: one byte is locked."""
    locked: list[int] = []
    other = types.ModuleType("msvcrt")
    other.LK_NBLCK = 2  # type: ignore[attr-defined]
    other.locking = lambda fd, mode, count: locked.append(count)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "fcntl", None)
    monkeypatch.setitem(sys.modules, "msvcrt", other)
    Guard((folder / "run.db").resolve()).release()
    assert locked == [1]


def test_a_reader_takes_the_file_alone_where_nothing_else_can_be_made(
    client: dalle2.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder that cannot be written; unless a log tells that there is more than the file."""
    go(client)
    real = sqlite3.connect

    def refused(path: str, **more: object) -> sqlite3.Connection:
        if "immutable" not in path:
            raise sqlite3.OperationalError("unable to open database file")
        return real(path, **more)  # type: ignore[call-overload, no-any-return]

    monkeypatch.setattr(sqlite3, "connect", refused)
    assert bulk.status("run.db").done == 1
    Path("run.db-wal").touch()
    with pytest.raises(dalle2.JournalError, match="unable to open"):
        bulk.status("run.db")


def test_a_file_of_somebody_else_is_met_among_many_of_ours(client: dalle2.Client, emulator: Emulator) -> None:
    """However few names are still to be used."""
    go(client, [job(str(number)) for number in range(4)])
    Path("out/a-1.webp").touch()
    for id, name in [("a", "{id}-{index}"), ("a", "other-{id}"), ("b", "a-1.webp")]:
        with pytest.raises(dalle2.InvalidRequestError, match=rf"holds the file 'a-1\.webp'.* job '{id}'"):
            go(client, [job("0"), job(id)], name=name)
        with closing(sqlite3.connect("run.db")) as db:
            if name != "{id}-{index}":
                db.execute("DELETE FROM image WHERE job > 4")
                db.execute("DELETE FROM job WHERE n > 4")
                db.commit()
    assert len(emulator.billed) == 4
    assert go(client, [job("0"), job("c")], name="{id}.png").done == 5
    assert Path("out/c.png").exists()


def test_an_answer_may_hold_bytes_of_one_image_and_the_url_of_another(folder: Path) -> None:
    """What is not spooled is fetched."""
    spool = Spool(folder / "run.db")
    spool.folder.mkdir(exist_ok=True)
    picture = dalle2.mask_from_box(16, (0, 0, 8, 8))
    spooled(spool, "1-1", Receipt((({"url": None}, picture), ({"url": "https://x.example/a.png"}, None))))
    assert (spool.image("1-1", 0), spool.image("1-1", 1)) == (picture, None)
    assert [facts["url"] for facts, _ in spool.receipts()["1-1"].images] == [None, "https://x.example/a.png"]


def test_one_of_several_answers_that_came_together_may_be_forgotten(folder: Path) -> None:
    """The others are spooled as before; with the last one goes what told of them."""
    picture, names = dalle2.mask_from_box(16, (0, 0, 8, 8)), ("1-1", "2-1", "3-1")
    answers = {name: Receipt((({"url": None}, picture),)) for name in names}
    spool = Spool(folder / "run.db")
    for name, receipt in answers.items():
        spool.put(name, receipt)
    spool.confirm(answers)
    for gone, name in enumerate(names):
        again = Spool(folder / "run.db")
        assert set(again.receipts()) >= set(names[gone:])
        assert [again.image(one, 0) for one in names[gone:]] == [picture] * (3 - gone)
        spool.drop(name, 1)
    assert list(spool.folder.iterdir()) == []
