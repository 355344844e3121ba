"""`out="s3://..."`: a run over a store is what it is over a directory."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from obstore.store import MemoryStore

import dalle2
from dalle2 import bulk
from dalle2._cli import main
from dalle2.bulk import _planner
from dalle2.testing import Emulator

from ..bulk.conftest import Run, job
from ..bulk.conftest import run as run  # the fixture: threads, asyncio and trio
from .bucket import Bucket, cut, lost, meanwhile, says
from .conftest import KEY_ID, SECRET, keys

OUT = "s3://pictures/run/"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current directory, and waits that a test need not sit through."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(_planner, "FIRST_WAIT", 0.02)
    return tmp_path


def jobs(count: int = 3) -> list[bulk.Job]:
    """So many, whose bytes come in the answer and exist nowhere else."""
    return [job(f"a{number}", response_format="b64_json") for number in range(1, count + 1)]


def paths(report: bulk.Report) -> list[str]:
    """Where the pictures are said to be."""
    return [path for row in report.rows() for path in row["paths"]]  # type: ignore[attr-defined]


def journal_text() -> str:
    """All that the journal holds, as text."""
    with closing(sqlite3.connect("run.db")) as db:
        return "\n".join(db.iterdump())


def test_a_run_puts_its_pictures_into_a_store(bucket: Bucket, run: Run, emulator: Emulator) -> None:
    """Each under its name; the same call again pays for nothing, and looks with one listing."""
    report = run(jobs(), out=OUT)
    assert report.complete
    assert paths(report) == [f"s3://pictures/run/a{number}-1.png" for number in (1, 2, 3)]
    assert set(bucket.objects) == {f"run/a{number}-1.png" for number in (1, 2, 3)}
    assert {kind for _, kind in bucket.objects.values()} == {"image/png"}
    bucket.asked.clear()
    assert run(jobs(), out=OUT).complete
    assert run(None).complete
    assert len(emulator.billed) == 3
    assert [method for method, _ in bucket.asked].count("LIST") == 2
    assert not [key for method, key in bucket.asked if method in ("HEAD", "PUT") and "probe" not in key]
    assert not [secret for secret in (KEY_ID, SECRET) if secret in journal_text()]


def test_a_file_url_is_a_directory(run: Run, tmp_path: Path) -> None:
    """And `memory://` a store that ends with its process."""
    assert run(jobs(), out=f"file://{tmp_path}/out/").complete
    assert len(list((tmp_path / "out").iterdir())) == 3
    report = run(None)
    assert report.complete
    assert paths(report)[0] == f"file://{tmp_path}/out/a1-1.png"


def test_a_store_of_obstore_is_an_out(run: Run, emulator: Emulator) -> None:
    """As its caller opened it, with whatever settings."""
    store = MemoryStore()
    assert run(jobs(), out=store).complete
    assert set(keys(store)) == {f"a{number}-1.png" for number in (1, 2, 3)}
    assert run(jobs(), out=store).complete
    assert len(emulator.billed) == 3


def test_names_may_have_folders(bucket: Bucket, run: Run) -> None:
    """They are looked at, too."""
    bucket.objects["run/a1/old.png"] = b"", "image/png"
    report = run(jobs(1), out="s3://pictures/run", name="{id}/{index}")
    assert paths(report) == ["s3://pictures/run/a1/1.png"]


@pytest.mark.parametrize("name", ["run/a2-1.png", "run/A2-1.webp"])
def test_a_strange_object_is_refused_before_anything_is_spent(
    bucket: Bucket, run: Run, emulator: Emulator, name: str
) -> None:
    """As a strange file is; it stays."""
    bucket.objects[name] = b"older", "image/png"
    with pytest.raises(dalle2.InvalidRequestError, match="this journal did not write") as caught:
        run(jobs(), out=OUT)
    assert caught.value.field == "out"
    assert emulator.billed == []
    assert bucket.objects[name][0] == b"older"


@pytest.mark.parametrize(
    ("break_it", "kind", "words"),
    [
        (
            lambda bucket: setattr(bucket, "broken", (404, "NoSuchBucket")),
            FileNotFoundError,
            "no such bucket",
        ),
        (lambda bucket: setattr(bucket, "broken", (403, "InvalidAccessKeyId")), PermissionError, "AWS_"),
        (lambda bucket: setattr(bucket, "broken", (503, "SlowDown")), ConnectionError, "cannot serve"),
        (lambda bucket: bucket.forbidden.add("PUT"), PermissionError, "AccessDenied"),
        (lambda bucket: bucket.forbidden.update(("PUT", "LIST", "HEAD")), PermissionError, "AccessDenied"),
    ],
)
def test_a_store_that_cannot_be_used_is_told_before_anything_is_spent(
    bucket: Bucket,
    run: Run,
    emulator: Emulator,
    break_it: Callable[[Bucket], object],
    kind: type[OSError],
    words: str,
) -> None:
    """A small object is put first; the error carries the report."""
    break_it(bucket)
    with pytest.raises(kind, match=words) as caught:
        run(jobs(), out=OUT)
    assert caught.value.report.remaining == 3  # type: ignore[attr-defined]
    assert emulator.billed == []
    assert SECRET not in f"{caught.value!r}" + journal_text()


@pytest.mark.parametrize(
    "out", ["s3://key:private@pictures/run", "s3://pictures/run?sig=private", "ftp://private/"]
)
def test_a_url_that_is_none_is_not_written_down(
    run: Run, emulator: Emulator, monkeypatch: pytest.MonkeyPatch, out: str
) -> None:
    """Nor repeated where it holds a credential."""
    with pytest.raises(dalle2.InvalidRequestError, match="out ") as caught:
        run(jobs(), out=out)
    assert caught.value.field == "out"
    assert "sig=private" not in str(caught.value) and "key:" not in str(caught.value)
    assert "private" not in journal_text()


def test_credentials_that_may_only_put_are_enough(bucket: Bucket, run: Run, emulator: Emulator) -> None:
    """Then nothing is looked at beforehand: the store's own condition keeps what is there."""
    bucket.forbidden |= {"LIST", "HEAD", "GET", "DELETE"}
    bucket.objects["run/a2-1.png"] = b"older", "image/png"
    report = run(jobs(), out=OUT)
    assert (report.done, report.remaining) == (2, 1)
    assert bucket.objects["run/a2-1.png"][0] == b"older"
    assert run(None).done == 2
    assert len(emulator.billed) == 3


def test_an_outage_in_the_middle_loses_nothing(bucket: Bucket, run: Run, emulator: Emulator) -> None:
    """What was paid for stays spooled, and the next run puts it without paying again."""
    outage = [says(503), cut] * 40
    bucket.puts += [lambda handler, data: False, *outage]  # the probe gets through
    with pytest.raises(ConnectionError) as caught:
        run(jobs(), out=OUT, concurrency=1)
    assert caught.value.report.remaining == 3  # type: ignore[attr-defined]
    paid = len(emulator.billed)
    assert paid >= 1
    assert Path("run.db.spool").is_dir()
    bucket.puts.clear()
    assert run(None).complete
    assert len(emulator.billed) == 3
    assert len(bucket.objects) == 3
    assert not Path("run.db.spool").exists()


def test_a_moment_of_outage_is_not_even_noticed(bucket: Bucket, run: Run, emulator: Emulator) -> None:
    """Puts are free, so they are repeated; a lost answer is no stranger."""
    bucket.puts += [lambda handler, data: False, lost, says(503, landed=True), cut]
    assert run(jobs(), out=OUT, concurrency=1).complete
    assert len(emulator.billed) == len(bucket.objects) == 3


def test_a_store_that_refuses_ends_the_run(bucket: Bucket, run: Run, emulator: Emulator) -> None:
    """At once: to pay for more that cannot be kept would be waste."""
    bucket.puts += [lambda handler, data: False, *[says(403, "AccessDenied")] * 9]
    with pytest.raises(PermissionError, match="AccessDenied"):
        run(jobs(9), out=OUT, concurrency=1)
    assert len(emulator.billed) <= 2
    bucket.puts.clear()
    assert run(None).complete
    assert len(emulator.billed) == 9


def test_an_object_that_appears_meanwhile_stays(bucket: Bucket, run: Run, emulator: Emulator) -> None:
    """The row keeps its picture in the spool, and tells."""
    bucket.puts += [lambda handler, data: False, meanwhile(b"other")]
    report = run(jobs(1), out=OUT)
    assert report.remaining == 1
    assert "is not replaced" in str(next(report.rows())["error"])
    assert bucket.objects["run/a1-1.png"][0] == b"other"
    del bucket.objects["run/a1-1.png"]
    assert run(None).complete
    assert len(emulator.billed) == 1


def test_an_object_that_was_removed_is_noticed(bucket: Bucket, run: Run) -> None:
    """Fetched again where that is free, told as gone where it is not."""
    assert run([job("a1"), job("a2", response_format="b64_json")], out=OUT).complete
    bucket.objects.clear()
    report = run(None)
    assert (report.done, report.expired) == (1, 1)
    assert set(bucket.objects) == {"run/a1-1.png"}


@pytest.mark.parametrize(("first", "then"), [(OUT, "s3://pictures/other"), (OUT, "here"), ("here", OUT)])
def test_pictures_in_another_place_are_not_made_again(
    bucket: Bucket, run: Run, emulator: Emulator, first: str, then: str
) -> None:
    """Moving is for people: the error names where they are."""
    assert run(jobs(), out=first).complete
    with pytest.raises(dalle2.InvalidRequestError, match="which is done and lies in"):
        run(jobs(), out=then)
    assert len(emulator.billed) == 3


def test_what_an_object_kept_is_not_looked_for(bucket: Bucket, run: Run, emulator: Emulator) -> None:
    """It cannot be looked at: a store that has none of it finds all of it gone."""

    class Shelf:
        def put(self, key: str, data: bytes, create: bool) -> None:
            pass

    assert run([job("a1")], out=Shelf()).complete
    assert run([job("a1")], out=OUT).complete
    assert set(bucket.objects) == {"run/a1-1.png"}
    assert len(emulator.billed) == 1


class Files:
    """What a file system of fsspec looks like from here."""

    def put(self, here: str, there: str, recursive: bool = False) -> None:
        """Copy a file."""

    def pipe_file(self, path: str, value: bytes) -> None:
        """Write a file."""


def test_a_file_system_is_no_store(run: Run) -> None:
    """Its `put` means something else; the error says what to do."""
    with pytest.raises(dalle2.InvalidRequestError, match="fsspec") as caught:
        run(jobs(), out=Files())
    assert "docs/stores.md" in str(caught.value)


# Sidecars


def sidecars(found: dict[str, bytes]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Those among the objects or files of a place."""
    for key, data in sorted(found.items()):
        if key.endswith(".json"):
            yield key, json.loads(data)


@pytest.mark.parametrize("place", ["store", "directory"])
def test_sidecars_say_what_was_paid_for(run: Run, place: str, emulator: Emulator) -> None:
    """On request, for URLs and bytes alike; a resumed run goes on with them."""
    store = MemoryStore()
    asked = [job("a1", "a fox"), job("a2", "a dog", response_format="b64_json", n=2)]
    out: Any = store if place == "store" else "out"
    report = run(asked, out=out, provenance=True, budget=dalle2.Budget(max_images=1))
    assert report.remaining == 1
    more = {"out": store} if place == "store" else {}
    assert run(None, budget=dalle2.Budget(max_images=9), **more).complete
    found = keys(store) if place == "store" else {p.name: p.read_bytes() for p in Path("out").iterdir()}
    told = dict(sidecars(found))
    assert set(told) == {"a1-1.png.json", "a2-1.png.json", "a2-2.png.json"}
    assert {key.removesuffix(".json") for key in told} == set(found) - set(told)
    fox, dog = told["a1-1.png.json"], told["a2-2.png.json"]
    assert (fox["prompt"], fox["model"]) == ("a fox", "dall-e-2")
    assert (dog["prompt"], dog["model"]) == ("a dog", "dall-e-2")
    assert dog["parameters"] == {"n": 2, "response_format": "b64_json", "size": "256x256"}
    assert fox["request_id"].startswith("req_") and fox["request_id"] != dog["request_id"]
    assert "T" in fox["created"]
    assert run(asked, provenance=True, **({"out": out})).complete
    assert len(emulator.billed) == 2


def test_a_sidecar_that_cannot_be_put_is_put_by_the_next_run(
    bucket: Bucket, run: Run, emulator: Emulator
) -> None:
    """Its image, which lies there already, is recognised as the run's own."""
    through = [lambda handler, data: False] * 2
    bucket.puts += [*through, *[says(403, "AccessDenied")] * 9]
    with pytest.raises(PermissionError):
        run(jobs(1), out=OUT, provenance=True)
    assert set(bucket.objects) == {"run/a1-1.png"}
    bucket.puts.clear()
    assert run(None).complete
    assert set(bucket.objects) == {"run/a1-1.png", "run/a1-1.png.json"}
    assert len(emulator.billed) == 1


def test_a_batch_is_collected_into_a_store(bucket: Bucket, emulator: Emulator) -> None:
    """And again without a word, as it was told."""
    http = emulator.client()
    with dalle2.Client("sk-test", http_client=http, model="gpt-image-2") as client:
        bulk.submit(client, ["a fox", "a dog"], journal="run.db")
        emulator.clock.advance(24 * 3600)
        assert bulk.collect(client, "run.db", out=OUT).complete
        assert paths(bulk.collect(client, "run.db")) == [f"{OUT}1-1.png", f"{OUT}2-1.png"]
    assert set(bucket.objects) == {"run/1-1.png", "run/2-1.png"}


# On the command line


@pytest.fixture
def rows(folder: Path) -> list[str]:
    """The words of a run over two rows, but for where it puts them."""
    (folder / "rows.csv").write_text("title\nfox\ndog\n")
    words = ["bulk", "run", "rows.csv", "--prompt", "a {title}", "--size", "256x256", "--yes"]
    return [*words, "--provider", "emulator"]


def test_the_command_puts_into_a_store(
    bucket: Bucket, rows: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """It wants a journal by name; `--provenance` puts the sidecars; `bulk export` gives the URLs."""
    assert main([*rows, "--out", OUT]) == 2
    assert "say --journal FILE" in capsys.readouterr().err
    assert main([*rows, "--out", OUT, "--journal", "run.db", "--provenance"]) == 0
    names = {"run/1-1.png", "run/2-1.png"}
    assert set(bucket.objects) == names | {f"{name}.json" for name in names}
    assert main(["bulk", "resume", "run.db"]) == 0
    capsys.readouterr()
    assert main(["bulk", "export", "run.db"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[0])["paths"] == ["s3://pictures/run/1-1.png"]


def test_the_command_tells_of_a_bucket_that_is_not_there(
    bucket: Bucket, rows: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """In one line, before anything is spent, and without a trace of a journal."""
    assert main([*rows, "--out", "s3://nothing/x", "--journal", "run.db"]) == 1
    told = capsys.readouterr().err.splitlines()
    assert told == ["dalle2: s3://nothing/x: There is no such bucket (404 NoSuchBucket)"]
    assert not list(Path().glob("run.db*"))


def test_what_a_store_of_the_callers_says_is_written_down_without_signatures(run: Run) -> None:
    """Its errors may hold the URLs that it asked."""

    class Shelf:
        def put(self, key: str, data: bytes, create: bool) -> None:
            raise ValueError("403 for https://host/a.png?X-Amz-Signature=private0011")

    with pytest.raises(ValueError, match="403"):
        run(jobs(1), out=Shelf())
    assert "403 for https://host" in journal_text()
    assert "private0011" not in journal_text()
