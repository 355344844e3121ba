"""`dalle2 doctor` and `dalle2 models`: what they look at, what they say, and that they spend nothing."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from dalle2._cli import main
from dalle2._doctor._checks import Check, diagnose
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
    assert lines[3:5] == ["", "With Client(successor='auto'), on gpt-image-2.5-flare:"]
    changes = [line.partition(":")[0] for line in lines[5:]]
    assert changes == [
        "  response_format='url' is not sent",
        "  size='256x256' is sent as '816x816'",
        "  size='512x512' is sent as '816x816'",
        "  mask is sent as 'the image itself'",
        "  operation='vary' is sent as 'edit'",
    ]


def test_a_living_model_is_well(emulator: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing to mend is exit status 0, and no word of a successor."""
    assert main(["doctor", "--model", "gpt-image-2"]) == 0
    assert said(capsys).splitlines()[2:] == ["ok       model  gpt-image-2 lives"]


def test_json_holds_the_same(emulator: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    """One document, with name, status and detail of each check."""
    assert main(["doctor", "--json"]) == 1
    found = json.loads(said(capsys))["checks"]
    assert [check["name"] for check in found[:3]] == ["key", "host", "model"]
    assert [check["status"] for check in found] == ["ok", "ok", "problem"] + ["note"] * 5
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
    """Where the host cannot be asked, the catalogue's dates hold for OpenAI."""
    monkeypatch.setenv("OPENAI_API_KEY", LONG_KEY)
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:1")
    found = checks()
    assert found["host"].status == "problem"
    assert found["model"].status == "problem"
    assert found["proxy"] == Check("proxy", "note", "https_proxy is set: calls go through http://127.0.0.1:1")


def test_certificates_that_cannot_be_read_are_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broken TLS setting is told like any other failure to connect."""
    monkeypatch.setenv("OPENAI_API_KEY", LONG_KEY)
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere/certificates.pem")
    assert checks(base_url="https://127.0.0.1:1/v1")["host"].status == "problem"


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        (
            {"HTTP_PROXY": "http://user:secret@proxy.lan:3128"},
            "HTTP_PROXY is set: calls go through http://proxy.lan:3128",
        ),
        ({"ALL_PROXY": "http://proxy.lan"}, "ALL_PROXY is set: calls go through http://proxy.lan"),
        (
            {"http_proxy": "http://proxy.lan", "no_proxy": "127.0.0.1"},
            "http_proxy is set, but NO_PROXY excepts",
        ),
        (
            {"http_proxy": "http://proxy.lan", "NO_PROXY": "lan, 127.0.0.1"},
            "http_proxy is set, but NO_PROXY excepts",
        ),
        ({"https_proxy": "http://proxy.lan"}, None),
    ],
)
def test_a_proxy_is_told(emulator: Emulator, variables: dict[str, str], expected: str | None) -> None:
    """Which variable, and where it leads, without user and password; or that it does not count."""
    found = {check.name: check for check in diagnose({**os.environ, **variables}, today=AFTER)}
    if expected is None:
        assert "proxy" not in found
    else:
        assert found["proxy"].detail.startswith(expected)
        assert "secret" not in found["proxy"].detail


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


def test_a_retired_successor_is_a_problem(emulator: Emulator) -> None:
    """The doctor refuses what the client would refuse; dall-e-3 has no edits to speak of."""
    assert checks(successor="dall-e-3")["successor"].status == "problem"
    changes = [check.detail for check in diagnose(os.environ, model="dall-e-3", today=AFTER)]
    assert not any("operation=" in change for change in changes)


def test_settings_come_from_the_mapping_alone(host: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What stands in the real environment does not get into a diagnosis of another one."""
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1/v1")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-another")
    host.say({"data": [{"id": "dall-e-2"}]})
    environ = {"OPENAI_API_KEY": LONG_KEY, "OPENAI_BASE_URL": host.base_url}
    found = {check.name: check for check in diagnose(environ, today=AFTER)}
    assert found["host"].status == "ok"


# Source code


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with one call to change, and one that is well."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "old.py").write_text(
        "from openai import OpenAI\n"
        f'client = OpenAI(api_key="{LONG_KEY}")\n'
        'client.images.generate(model="dall-e-2", prompt="a secret corgi", size="256x256")\n',
        encoding="utf-8",
    )
    (tmp_path / "new.py").write_text("print('a corgi')\n", encoding="utf-8")
    return tmp_path


def test_a_scan_prints_a_line_for_each_call(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """File, line, column and the change on one line, for programs to read; the sum goes to stderr."""
    assert main(["doctor", "."]) == 1
    printed = capsys.readouterr()
    (line,) = printed.out.splitlines()
    assert line.startswith(
        "old.py:3:1: client.images.generate: model 'dall-e-2' was retired on 2026-05-12: use model="
    )
    assert "816x816" in line
    assert printed.err == "1 to change in 1 file\n"
    assert "secret" not in line
    assert LONG_KEY not in line


def test_on_a_terminal_the_changes_stand_below(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One change a line, so that a reader can go through them."""
    (project / "more.py").write_text((project / "old.py").read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert main(["doctor", "old.py", "more.py"]) == 1
    printed = capsys.readouterr()
    first, *changes = printed.out.splitlines()[:5]
    assert first == "old.py:3:1: client.images.generate: model 'dall-e-2' was retired on 2026-05-12"
    assert changes[0] == "    use model='gpt-image-2.5-flare'"
    assert all(change.startswith("    ") for change in changes)
    assert printed.err == "2 to change in 2 files\n"


def test_a_scan_as_json(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One document with all that is known of each place."""
    assert main(["doctor", "--json", "old.py"]) == 1
    printed = capsys.readouterr()
    (finding,) = json.loads(printed.out)["findings"]
    assert (finding["file"], finding["line"], finding["model"]) == ("old.py", 3, "dall-e-2")
    assert (finding["kind"], printed.err) == ("retired", "")
    assert LONG_KEY not in printed.out


def test_nothing_to_change_is_well(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit status 0, and one word for a reader."""
    assert main(["doctor", "new.py"]) == 0
    assert capsys.readouterr() == ("", "nothing to change\n")


def test_a_path_that_is_not_there_is_one_line(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is told before anything is scanned."""
    assert main(["doctor", "old.py", "missing.py"]) == 1
    assert capsys.readouterr() == ("", "dalle2: missing.py: No such file or directory\n")


# The list of models


def test_models_shows_what_ends_when(
    host: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One model a line, with the day of its end, past or to come."""
    soon = TODAY + timedelta(days=10)
    rows: list[dict[str, Any]] = [
        {"id": "short", "shutdown_date": "2020-01-01", "owned_by": "system"},
        {"id": "a-longer-name", "shutdown_date": str(soon)},
        {"id": "alive", "shutdown_date": None},
    ]
    host.say({"data": rows})
    monkeypatch.setenv("OPENAI_API_KEY", LONG_KEY)
    assert main(["models", "--base-url", host.base_url]) == 0
    assert said(capsys).splitlines() == [
        "short          ended 2020-01-01",
        f"a-longer-name  ends {soon}",
        "alive",
    ]
    assert main(["models", "--base-url", host.base_url, "--json"]) == 0
    assert json.loads(said(capsys))["models"] == [
        {"id": "short", "owned_by": "system", "shutdown_date": "2020-01-01"},
        {"id": "a-longer-name", "owned_by": None, "shutdown_date": str(soon)},
        {"id": "alive", "owned_by": None, "shutdown_date": None},
    ]


def test_an_empty_list_is_no_failure(
    host: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A gateway may list nothing."""
    host.say({"data": []})
    monkeypatch.setenv("OPENAI_API_KEY", LONG_KEY)
    assert main(["models", "--base-url", host.base_url]) == 0
    assert capsys.readouterr() == ("", "")


def test_models_of_the_emulator_need_no_key(capsys: pytest.CaptureFixture[str]) -> None:
    """A look at the list costs nothing and needs nothing."""
    assert main(["models", "--provider", "emulator"]) == 0
    assert "dall-e-2" in capsys.readouterr().out


def test_the_doctor_is_in_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    """Both commands explain themselves."""
    assert main(["doctor", "--help"]) == 0
    assert "retirement" in capsys.readouterr().out
    assert main(["models", "--help"]) == 0
