"""`dalle2 doctor`: what it looks at, what it says, and that it spends nothing."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import pytest

from dalle2 import GenerateRequest
from dalle2._cli import main
from dalle2._doctor._checked import Check
from dalle2._doctor._checks import diagnose
from dalle2.testing import Emulator

AFTER = date(2026, 6, 1)
LONG_KEY = "sk-proj-0123456789abcdef"
TODAY = datetime.now(UTC).date()


@pytest.fixture
def emulator(monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    """OpenAI's host after the retirement, found through the environment; nothing may be billed or leaked."""
    emulator = Emulator(api_key=LONG_KEY, today=AFTER)
    with emulator.serve() as server:
        monkeypatch.setenv("OPENAI_API_KEY", LONG_KEY)
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        yield emulator
    assert emulator.billed == []
    assert {(request.method, request.path) for request in emulator.requests} <= {("GET", "/v1/models")}


def checks(today: date = AFTER, **options: Any) -> dict[str, Check]:
    """The checks by name; of those for the successor the last one."""
    return {check.name: check for check in diagnose(os.environ, today=today, **options)}


def said(capsys: pytest.CaptureFixture[str]) -> str:
    """What was printed, on both channels; never a key."""
    printed = capsys.readouterr()
    text = printed.out + printed.err
    for key in (LONG_KEY, "sk-test", "sk-short", "0123456789"):
        assert key not in text
    return text


def test_after_the_retirement_the_doctor_says_what_to_do(
    emulator: Emulator, capsys: pytest.CaptureFixture[str]
) -> None:
    """A table of checks, then what usual requests become; the exit status tells of the problem."""
    assert main(["doctor"]) == 1
    lines = said(capsys).splitlines()
    assert lines[0] == "ok       key    24 characters, from OPENAI_API_KEY"
    assert lines[1].startswith("ok       host   http://127.0.0.1:")
    assert lines[1].endswith("/v1 answers without TLS, accepts the key and lists 13 models")
    assert lines[2] == (
        "PROBLEM  model  dall-e-2 was retired on 2026-05-12: "
        "use gpt-image-2.5-flare, or Client(successor='auto')"
    )
    assert lines[3] == (
        "         price  about $0.013 an image of 1024x1024 on gpt-image-2.5-flare, against $0.02 on dall-e-2"
    )
    assert lines[4:6] == ["", "What usual requests become on gpt-image-2.5-flare:"]
    changes = [line.partition(":")[0] for line in lines[6:]]
    assert sorted(changes) == [
        "  mask is sent as 'the image itself'",
        "  operation='vary' is sent as 'edit'",
        "  quality is sent as 'medium'",
        "  response_format='url' is not sent",
        "  size='256x256' is sent as '816x816'",
        "  size='512x512' is sent as '816x816'",
    ]


def test_a_living_model_is_well(emulator: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing to mend is exit status 0, and no word of a successor."""
    assert main(["doctor", "--model", "gpt-image-2"]) == 0
    lines = said(capsys).splitlines()
    assert lines[2] == "ok       model  gpt-image-2 lives"
    assert lines[3].startswith("         price  about $")
    assert len(lines) == 4


def test_json_holds_the_same(emulator: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    """One document, with name, status and detail of each check."""
    assert main(["doctor", "--json"]) == 1
    found = json.loads(said(capsys))["checks"]
    assert [check["name"] for check in found[:3]] == ["key", "host", "model"]
    assert [check["status"] for check in found] == ["ok", "ok", "problem"] + ["note"] * 7
    assert all(set(check) == {"name", "status", "detail"} for check in found)


def test_the_emulator_on_board_is_well(capsys: pytest.CaptureFixture[str]) -> None:
    """Without key and network the doctor looks at the emulator; a host that lists the model may serve it."""
    assert main(["doctor", "--provider", "emulator"]) == 0
    lines = said(capsys).splitlines()
    assert lines[0] == "ok       key    the emulator on board needs none"
    assert lines[1] == "ok       host   the emulator on board answers, accepts the key and lists 15 models"
    assert lines[2] == (
        "ok       model  dall-e-2 was retired on 2026-05-12 by OpenAI; this host still lists it"
    )


def test_without_a_key_only_that_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """A client that cannot work is one problem, with the variables to set."""
    assert main(["doctor"]) == 1
    (line,) = said(capsys).splitlines()
    assert line.startswith("PROBLEM  settings")
    assert "OPENAI_API_KEY" in line


@pytest.mark.parametrize(
    ("key", "status", "words"),
    [
        (LONG_KEY, "ok", "24 characters, from OPENAI_API_KEY"),
        ("sk-short", "warning", "8 characters, from OPENAI_API_KEY; that is short"),
        ("0123456789abcdef0123456789", "warning", "begin with 'sk-'"),
        ('"sk-0123456789abcdef0123"', "problem", "quotation marks"),
        ("sk-0123456789abcdef0123'", "problem", "quotation marks"),
    ],
)
def test_the_shape_of_a_key_is_judged(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch, key: str, status: str, words: str
) -> None:
    """Its length, its beginning and its quotation marks are told, the key itself never."""
    monkeypatch.setenv("OPENAI_API_KEY", key)
    found = checks()
    assert found["key"].status == status
    assert words in found["key"].detail
    assert all(key.strip("\"'") not in check.detail for check in found.values())


def test_a_refused_key_is_a_problem(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """The host answers, so only the key is to blame; what the host repeats of it is not shown."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-wrong-0123456789abcdef")
    host = checks()["host"]
    assert host.status == "problem"
    assert "refuses the key" in host.detail
    assert "wrong" not in host.detail
    assert "cdef" not in host.detail


def test_an_unreachable_host_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rest is still told, by the catalogue."""
    monkeypatch.setenv("OPENAI_API_KEY", LONG_KEY)
    found = checks(base_url="http://127.0.0.1:1/v1")
    assert found["host"].status == "problem"
    assert "127.0.0.1:1 was not reached" in found["host"].detail
    assert found["model"] == Check(
        "model",
        "warning",
        "dall-e-2 was retired on 2026-05-12 by OpenAI; this host decides for itself. If it refuses: "
        "use gpt-image-2.5-flare, or Client(successor='auto')",
    )


def test_openais_own_host_keeps_its_dates(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the host cannot be asked, the catalogue's dates hold for a model that was named."""
    monkeypatch.setenv("OPENAI_API_KEY", LONG_KEY)
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:1")
    found = checks(model="dall-e-2")
    assert found["host"].status == "problem"
    assert found["model"].status == "problem"
    assert found["proxy"] == Check("proxy", "note", "https_proxy is set: calls go through http://127.0.0.1:1")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"body": {"error": "no such route"}, "status": 404}, "lists no models: HTTP 404"),
        ({"body": {"models": []}}, "lists no models"),
    ],
)
def test_a_host_without_a_list_is_a_warning(host: Any, answer: dict[str, Any], words: str) -> None:
    """Many gateways have none: the model is judged by the catalogue then."""
    host.say(**answer)
    environ = {"OPENAI_API_KEY": LONG_KEY}
    found = {
        check.name: check for check in diagnose(environ, base_url=host.base_url, model="my-own", today=AFTER)
    }
    assert found["host"].status == "warning"
    assert found["host"].detail.endswith(words)
    assert found["model"].detail == "my-own is not known to this package: its requests are sent unchecked"
    assert host.asked == [("GET", "/v1/models", b"")]


@pytest.mark.parametrize(
    ("model", "rows", "status", "words"),
    [
        ("dall-e-2", [{"id": "x"}], "problem", "was retired on 2026-05-12: use gpt-image-2.5-flare"),
        (
            "dall-e-2",
            [{"id": "dall-e-2", "shutdown_date": "2027-01-01"}],
            "ok",
            "dall-e-2 lives until 2027-01-01",
        ),
        (
            "dall-e-2",
            [{"id": "dall-e-2", "shutdown_date": "2026-06-11"}],
            "warning",
            "dall-e-2 ends on 2026-06-11: use",
        ),
        (
            "gpt-image-1.5",
            [{"id": "gpt-image-1.5", "shutdown_date": "2026-06-11"}],
            "warning",
            "ends on 2026-06-11: use",
        ),
        ("gpt-image-2", [{"id": "x"}], "warning", "does the key have access"),
        ("gpt-image-22", [{"id": "x"}], "warning", "spelt right"),
        ("gpt-image-22", [{"id": "gpt-image-22"}], "ok", "sent unchecked"),
        ("gpt-image-2", [{"id": "gpt-image-2", "shutdown_date": "2026-05-30"}], "ok", "still lists it"),
    ],
)
def test_the_hosts_list_goes_before_the_catalogue(
    host: Any, model: str, rows: list[dict[str, str]], status: str, words: str
) -> None:
    """What the host lists, with its dates, decides; a model without successor has none to name."""
    host.say({"data": rows})
    environ = {"OPENAI_API_KEY": LONG_KEY, "OPENAI_BASE_URL": host.base_url}
    found = {check.name: check for check in diagnose(environ, model=model, today=AFTER)}
    assert found["model"].status == status
    assert words in found["model"].detail


def test_settings_come_from_the_mapping_alone(host: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What stands in the real environment does not get into a diagnosis of another one."""
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1/v1")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-another")
    host.say({"data": [{"id": "dall-e-2"}]})
    environ = {"OPENAI_API_KEY": LONG_KEY, "OPENAI_BASE_URL": host.base_url}
    found = {check.name: check for check in diagnose(environ, today=AFTER)}
    assert found["host"].status == "ok"


# The successor


@pytest.mark.parametrize("provider", ["openai", "cometapi"])
def test_a_newcomer_is_told_which_model_answers(monkeypatch: pytest.MonkeyPatch, provider: str) -> None:
    """Where nobody named a model, a client takes a living one by itself: no problem, and about its price."""
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:1")
    environ = {"OPENAI_API_KEY": LONG_KEY, "COMETAPI_KEY": LONG_KEY}
    found = {check.name: check for check in diagnose(environ, provider=provider, today=AFTER)}
    assert found["model"] == Check(
        "model", "warning", "dall-e-2 was retired on 2026-05-12: gpt-image-2.5-flare answers in its place"
    )
    assert found["price"].detail.startswith("about $")


@pytest.mark.parametrize(
    ("options", "variables"),
    [
        ({"model": "dall-e-2"}, {}),
        ({}, {"DALLE2_MODEL": "dall-e-2"}),
        ({}, {"DALLE2_SUCCESSOR": "none"}),
    ],
)
def test_what_somebody_named_is_not_replaced(
    monkeypatch: pytest.MonkeyPatch, options: dict[str, str], variables: dict[str, str]
) -> None:
    """A model, or that there shall be no successor."""
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:1")
    found = diagnose({"OPENAI_API_KEY": LONG_KEY, **variables}, today=AFTER, **options)
    assert {check.name: check.status for check in found}["model"] == "problem"


def test_a_successor_in_the_environment_is_told(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """It answers at once, on any host, also for a model that was named."""
    monkeypatch.setenv("DALLE2_SUCCESSOR", "gpt-image-2")
    found = checks(model="dall-e-3")
    assert found["model"].status == "ok"
    assert found["model"].detail.endswith("gpt-image-2 answers in its place, as DALLE2_SUCCESSOR says")
    assert found["on gpt-image-2"].status == "note"
    assert "operation=" not in str(found)


def test_a_retired_successor_is_a_problem(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """The doctor refuses what the client would refuse, and names the variable."""
    monkeypatch.setenv("DALLE2_SUCCESSOR", "dall-e-3")
    found = checks()
    assert found["successor"].status == "problem"
    assert "DALLE2_SUCCESSOR" in found["successor"].detail
    assert "price" not in found


def test_without_a_living_model_there_is_none_to_name(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A catalogue that knows no way on says so."""
    monkeypatch.setattr("dalle2.catalog.default_successor", lambda *_, **__: None)
    assert checks()["successor"].detail.startswith("successor='auto': no living model is known")


def test_a_price_that_is_not_known_is_not_told(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither for a model that nobody knows, nor for a successor without one."""
    assert "price" not in checks(model="my-own")
    prices = {"gpt-image-2.5-flare": None}
    estimate = GenerateRequest.estimate

    def without(request: GenerateRequest, **options: Any) -> Any:
        return None if request.model in prices else estimate(request, **options)

    monkeypatch.setattr(GenerateRequest, "estimate", without)
    assert checks()["price"].detail == "$0.02 an image of 1024x1024"
    prices["dall-e-2"] = None
    del prices["gpt-image-2.5-flare"]
    assert checks()["price"].detail.endswith("an image of 1024x1024 on gpt-image-2.5-flare")


# Whatever is wrong


@pytest.mark.parametrize("look", ["_key", "network", "_host", "Prospects.checks"])
def test_the_other_looks_go_on_whatever_one_finds(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch, look: str
) -> None:
    """An exception that nobody foresaw is one problem, on one line and without the key."""

    def raises(*_: object, **__: object) -> None:
        raise ZeroDivisionError(f"odd\n\x1b[2J {os.environ['OPENAI_API_KEY']}")

    monkeypatch.setenv("OPENAI_API_KEY", "plain0123456789abcdefghij")
    monkeypatch.setattr(f"dalle2._doctor._checks.{look}", raises)
    found = diagnose(os.environ, today=AFTER)
    odd = [check for check in found if "ZeroDivisionError" in check.detail]
    assert [check.status for check in odd] == ["problem"]
    assert odd[0].detail.isprintable()
    assert "abcdef" not in odd[0].detail
    assert len(found) >= 3


def test_settings_that_break_their_reader_are_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing else can be looked at then."""
    monkeypatch.setattr("dalle2._doctor._checks.resolve", lambda *_, **__: 1 / 0)
    assert [(check.name, check.status) for check in diagnose({}, today=AFTER)] == [("settings", "problem")]
