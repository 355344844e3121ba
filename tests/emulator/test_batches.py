"""Files and batches of the emulator: checked, carried out by its clock, billed a line at a time."""

from __future__ import annotations

import base64
import json

import httpx
import pytest

from dalle2.testing import Emulator
from dalle2.testing._png import dimensions

from .conftest import Api, MakeApi

SMALL = {"model": "gpt-image-2", "prompt": "a fox", "size": "816x816", "quality": "low"}


def line(name: object, **more: object) -> dict[str, object]:
    """A line of an input file."""
    request = {"custom_id": name, "method": "POST", "url": "/v1/images/generations", "body": SMALL}
    return request | more


def uploaded(api: Api, *lines: object) -> str:
    """The id of an uploaded file."""
    data = "".join((one if isinstance(one, str) else json.dumps(one)) + "\n" for one in lines)
    answer = api.post("/files", data={"purpose": "batch"}, files={"file": ("in.jsonl", data.encode())})
    return str(answer.json()["id"])


def created(api: Api, *lines: object, **more: object) -> dict[str, object]:
    """A new batch."""
    body = {
        "input_file_id": uploaded(api, *lines),
        "endpoint": "/v1/images/generations",
        "completion_window": "24h",
    }
    answer = api.post("/batches", json=body | more)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def now(api: Api, batch: dict[str, object]) -> dict[str, object]:
    """The batch as it is now."""
    return dict(api.get(f"/batches/{batch['id']}").json())


def lines_of(api: Api, file: object) -> list[dict[str, object]]:
    """The lines of a file."""
    return [json.loads(text) for text in api.get(f"/files/{file}/content").text.splitlines()]


def test_a_batch_is_carried_out_in_two_files(make_api: MakeApi) -> None:
    """What went well in one, all else in the other; only the former is billed, a line at a time."""
    api = make_api()
    batch = created(
        api, line("a"), line("b", body={**SMALL, "prompt": "nude"}), line("c"), metadata={"k": "v"}
    )
    assert (batch["object"], batch["status"], batch["metadata"]) == ("batch", "validating", {"k": "v"})
    assert [(one.prompt, one.batch, one.operation) for one in api.emulator.billed] == [
        ("a fox", batch["id"], "generate")
    ] * 2
    batch = now(api, batch)
    assert (batch["status"], batch["request_counts"]) == (
        "completed",
        {"total": 3, "completed": 2, "failed": 1},
    )
    good, bad = lines_of(api, batch["output_file_id"]), lines_of(api, batch["error_file_id"])
    assert [one["custom_id"] for one in good] == ["c", "a"]
    response = good[0]["response"]
    assert isinstance(response, dict) and response["status_code"] == 200 and good[0]["error"] is None
    assert dimensions(base64.b64decode(response["body"]["data"][0]["b64_json"]))[:2] == (816, 816)
    ((name, refused),) = ((one["custom_id"], one["response"]) for one in bad)
    assert isinstance(refused, dict)
    assert (name, refused["status_code"], refused["body"]["error"]["code"]) == (
        "b",
        400,
        "moderation_blocked",
    )


def test_time_passes_by_the_clock(make_api: MakeApi) -> None:
    """Its lines are carried out evenly over it, whoever looks; after a day the rest expires."""
    api = make_api(batch_latency=172_800)
    batch = created(api, *(line(str(number)) for number in range(4)))
    clock = api.emulator.clock
    assert now(api, batch)["status"] == "validating"
    clock.advance(43_300)
    assert len(api.emulator.billed) == 1
    assert now(api, batch)["status"] == "in_progress"
    clock.advance(43_300)
    batch = now(api, batch)
    assert (batch["status"], batch["expired_at"] is not None) == ("expired", True)
    assert len(api.emulator.billed) == len(lines_of(api, batch["output_file_id"])) == 2
    undone = lines_of(api, batch["error_file_id"])
    assert [(one["response"], one["error"]["code"]) for one in undone] == [(None, "batch_expired")] * 2  # type: ignore[index]
    quick = make_api(batch_latency=100)
    batch = created(quick, line("a"))
    quick.emulator.clock.advance(97)
    assert now(quick, batch)["status"] == "finalizing"


def test_a_batch_can_be_cancelled(make_api: MakeApi) -> None:
    """What was carried out is handed out; one that has ended cannot be."""
    api = make_api(batch_latency=100)
    batch = created(api, line("a"), line("b"))
    api.emulator.clock.advance(60)
    assert api.post(f"/batches/{batch['id']}/cancel").json()["status"] == "cancelling"
    batch = now(api, batch)
    assert (batch["status"], len(lines_of(api, batch["output_file_id"]))) == ("cancelled", 1)
    assert lines_of(api, batch["error_file_id"])[0]["error"]["code"] == "batch_cancelled"  # type: ignore[index]
    answer = api.post(f"/batches/{batch['id']}/cancel")
    assert (answer.status_code, "Cannot cancel" in answer.text) == (409, True)


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        (["{"], "invalid_json_line"),
        ([{"custom_id": "a"}], "invalid_json_line"),
        (["[]"], "invalid_json_line"),
        ([line("a", url="/v1/chat/completions")], "invalid_request"),
        ([line(5)], "invalid_request"),
        ([line("a", body="x")], "invalid_request"),
        ([line("a"), line("a")], "duplicate_custom_id"),
        ([line("a", body={**SMALL, "model": "dall-e-2"})], "model_not_found"),
        ([line("a"), line("b", body={**SMALL, "model": "gpt-image-2-2026-04-21"})], "mismatched_model"),
        ([], "empty_file"),
    ],
)
def test_a_file_is_checked_before_anything_is_carried_out(
    make_api: MakeApi, lines: list[object], code: str
) -> None:
    """Then nothing is billed."""
    api = make_api()
    batch = now(api, created(api, *lines))
    assert batch["status"] == "failed"
    assert batch["errors"]["data"][0]["code"] == code  # type: ignore[index]
    assert (batch["output_file_id"], batch["error_file_id"], api.emulator.billed) == (None, None, [])


def test_a_batch_has_so_many_lines_at_most(make_api: MakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    """50,000, as the vendor says; a file has 200 MB."""
    monkeypatch.setattr("dalle2.testing._batch_files.MOST_LINES", 1)
    api = make_api()
    batch = now(api, created(api, line("a"), line("b")))
    assert batch["errors"]["data"][0]["code"] == "too_many_tasks"  # type: ignore[index]
    monkeypatch.setattr("dalle2.testing._batches.MOST_BYTES", 5)
    answer = api.post("/files", data={"purpose": "batch"}, files={"file": ("in.jsonl", b"123456")})
    assert answer.status_code == 413


def test_what_is_asked_wrongly_is_refused(make_api: MakeApi) -> None:
    """With the parameter."""
    api = make_api()
    for options, param in (
        ({"data": {"purpose": "batch"}, "files": {"other": ("x", b"x")}}, "file"),
        ({"data": {"purpose": "vision"}, "files": {"file": ("x", b"x")}}, "purpose"),
    ):
        answer = api.post("/files", **options)
        assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)
    right = {"input_file_id": "f", "endpoint": "/v1/images/generations", "completion_window": "24h"}
    for change, param in (
        ({"input_file_id": None}, "input_file_id"),
        ({"endpoint": "/v1/x"}, "endpoint"),
        ({"completion_window": "1h"}, "completion_window"),
        ({}, "id"),
    ):
        answer = api.post("/batches", json=right | change)
        assert answer.json()["error"]["param"] == param
    for path in ("/files/x", "/files/x/content", "/batches/x"):
        assert api.get(path).status_code == 404
    assert not api.emulator.billed


def test_lists_come_in_pages_newest_first(make_api: MakeApi) -> None:
    """Of files by purpose, of batches as they are now."""
    api = make_api()
    batches = [created(api, line("a"))["id"] for _ in range(3)]
    page = api.get("/batches?limit=2").json()
    assert ([row["id"] for row in page["data"]], page["has_more"]) == (batches[:0:-1], True)
    page = api.get(f"/batches?limit=2&after={page['last_id']}").json()
    assert ([row["id"] for row in page["data"]], page["has_more"]) == ([batches[0]], False)
    assert len(api.get("/files?purpose=batch").json()["data"]) == 3
    assert len(api.get("/files").json()["data"]) == 6
    assert api.get("/files?purpose=vision").json()["data"] == []
    file = api.get("/files").json()["data"][-1]
    assert api.get(f"/files/{file['id']}").json() == file


def test_a_batch_ends_as_a_test_wants_it(make_api: MakeApi) -> None:
    """With lines that are missing, doubled or garbled, or a file that is gone."""
    api = make_api()
    lines = [line(name) for name in "abc"]
    api.emulator.end_batch_next(missing=1, doubled=1, garbled=1)
    batch = now(api, created(api, *lines))
    text = api.get(f"/files/{batch['output_file_id']}/content").text.splitlines()
    assert [json.loads(one)["custom_id"] for one in text[:-1]] == ["b", "c", "b"]
    assert text[-1] == '{"id": "batch_req_'
    api.emulator.end_batch_next("expired", done=1, gone=True)
    batch = now(api, created(api, *lines))
    assert (batch["status"], api.get(f"/files/{batch['output_file_id']}/content").status_code) == (
        "expired",
        404,
    )
    assert len(api.emulator.billed) == 4
    api.emulator.end_batch_next("failed")
    assert now(api, created(api, *lines))["status"] == "failed"
    assert now(api, created(api, *lines))["status"] == "completed"


def test_faults_wait_for_files_questions_and_creations_apart(make_api: MakeApi) -> None:
    """A creation is a paid POST like any other."""
    api = make_api()
    emulator = api.emulator
    emulator.fail_next(500, on="file")
    emulator.fail_next(503, on="poll")
    assert api.post("/files", data={"purpose": "batch"}, files={"file": ("a", b"b")}).status_code == 500
    emulator.lose_next()
    body = {"input_file_id": uploaded(api, line("a")), "endpoint": "/v1/images/generations"}
    with pytest.raises(httpx.RemoteProtocolError):
        api.post("/batches", json={**body, "completion_window": "24h"})
    assert api.get("/batches").status_code == 503
    (batch,) = api.get("/batches").json()["data"]
    assert batch["status"] == "completed"
    emulator.lose_next(on="file", after_bytes=10)
    with pytest.raises(httpx.RemoteProtocolError):
        api.get(f"/files/{batch['output_file_id']}/content")
    with pytest.raises(ValueError, match=r"on='x': expected one of \['paid', 'image', 'file', 'poll'\]"):
        emulator.fail_next(500, on="x")  # type: ignore[arg-type]


def test_a_key_that_is_honoured_creates_one_batch(make_api: MakeApi) -> None:
    """The second request gets the answer of the first."""
    api = make_api(honours_keys=True)
    body = {"input_file_id": uploaded(api, line("a")), "endpoint": "/v1/images/generations"}
    first, second = (
        api.post(
            "/batches", json={**body, "completion_window": "24h"}, headers={"Idempotency-Key": "k"}
        ).json()
        for _ in range(2)
    )
    assert first == second
    assert len(api.get("/batches").json()["data"]) == 1


def test_few_files_and_batches_are_kept(make_api: MakeApi) -> None:
    """The oldest go first."""
    api = make_api(keep=1, batch_latency=50)
    first, second = created(api, line("a")), created(api, line("a"))
    assert api.get(f"/batches/{first['id']}").status_code == 404
    assert now(api, second)["status"] == "validating"
    assert len(api.get("/files").json()["data"]) == 1


@pytest.mark.parametrize("persona", ["cometapi", "azure", "localai", "one-api"])
def test_not_every_host_has_batches(make_api: MakeApi, persona: str) -> None:
    """Their routes are not found."""
    base = "https://x.openai.azure.com/openai/v1" if persona == "azure" else "https://api.openai.com/v1"
    assert make_api(base, persona=persona).get("/batches").status_code in (301, 404)


@pytest.mark.parametrize("latency", [-1.0, float("inf"), float("nan"), True])
def test_a_latency_is_a_number_of_seconds(latency: float) -> None:
    """Anything else is refused."""
    with pytest.raises(ValueError, match="batch_latency="):
        Emulator(batch_latency=latency)
