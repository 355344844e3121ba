"""The doctor on proxies and certificates: told by the variable, before anything is connected or opened."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path

import certifi
import pytest

from dalle2._cli import main
from dalle2._doctor._checked import Check
from dalle2._doctor._checks import diagnose

AFTER = date(2026, 6, 1)
LONG_KEY = "sk-proj-0123456789abcdef"
VARIABLES = [
    *(
        name
        for base in ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
        for name in (base, base.upper())
    ),
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
]


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment that says nothing of the network."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OPENAI_API_KEY", LONG_KEY)


def looked(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], base_url: str = "http://127.0.0.1:1/v1"
) -> dict[str, Check]:
    """The checks by name, with these variables set."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return {check.name: check for check in diagnose(os.environ, base_url=base_url, today=AFTER)}


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        (
            {"HTTP_PROXY": "http://user:secret@127.0.0.1:1"},
            "HTTP_PROXY is set: calls go through http://127.0.0.1:1",
        ),
        ({"ALL_PROXY": "http://127.0.0.1:1"}, "ALL_PROXY is set: calls go through http://127.0.0.1:1"),
        ({"http_proxy": "127.0.0.1:1"}, "http_proxy is set: calls go through http://127.0.0.1:1"),
        (
            {"http_proxy": "http://127.0.0.1:1", "no_proxy": "127.0.0.1"},
            "http_proxy is set, but NO_PROXY excepts 127.0.0.1",
        ),
        (
            {"ALL_PROXY": "socks9://127.0.0.1:1", "NO_PROXY": " lan , 127.0.0.0/8"},
            "ALL_PROXY is set, but NO_PROXY excepts 127.0.0.1",
        ),
        (
            {"ALL_PROXY": "http://127.0.0.1:1", "NO_PROXY": "*"},
            "ALL_PROXY is set, but NO_PROXY excepts 127.0.0.1",
        ),
        ({"https_proxy": "http://127.0.0.1:1"}, None),
        ({"http_proxy": "  "}, None),
    ],
)
def test_a_proxy_is_told(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], expected: str | None
) -> None:
    """Which variable, and where it leads, without user and password; or that it does not count."""
    found = looked(monkeypatch, variables)
    assert found.get("proxy") == (None if expected is None else Check("proxy", "note", expected))
    assert "secret" not in str(found)


@pytest.mark.parametrize("url", ["socks4://127.0.0.1:1", "socks://127.0.0.1:1", "ftp://127.0.0.1:1"])
def test_a_proxy_that_cannot_be_used_is_a_problem(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """The variable is named, and the host is not asked, since no call can reach it."""
    found = looked(monkeypatch, {"ALL_PROXY": url})
    assert found["proxy"].status == "problem"
    assert found["proxy"].detail.startswith("ALL_PROXY ")
    assert found["host"] == Check("host", "note", "not asked, since no call can reach it")
    assert found["model"].status == "warning"
    assert main(["doctor", "--base-url", "http://127.0.0.1:1/v1"]) == 1


def test_certificates_of_ones_own_are_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A file or a folder, by its variable."""
    https = "https://127.0.0.1:1/v1"
    bundle = certifi.where()
    assert looked(monkeypatch, {"SSL_CERT_DIR": str(tmp_path)}, https)["TLS"] == Check(
        "TLS", "note", f"SSL_CERT_DIR names {tmp_path}: only the authorities in it are trusted"
    )
    assert looked(monkeypatch, {"SSL_CERT_FILE": bundle}, https)["TLS"].detail == (
        f"SSL_CERT_FILE names {bundle}: only the authorities in it are trusted"
    )
    assert "TLS" not in looked(monkeypatch, {})


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_a_variable_of_other_libraries_is_said_not_to_count(
    monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    """With the one that does."""
    found = looked(monkeypatch, {variable: "/company.pem"}, "https://127.0.0.1:1/v1")
    assert found["TLS"].status == "note"
    assert found["TLS"].detail == (
        f"{variable} is set, and not read here: for a company's own certificate authority set SSL_CERT_FILE "
        "to the same file"
    )


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("missing", "which cannot be read (No such file or directory)"),
        ("pipe", "which is no regular file"),
        ("device", "which is no regular file"),
        ("folder", "which is no regular file"),
        ("empty", "which holds no certificates that can be read"),
        ("other", "which holds no certificates that can be read"),
    ],
)
def test_a_certificate_file_that_cannot_be_read_is_a_problem(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str, words: str
) -> None:
    """It is looked at, and never waited for; the host is not asked."""
    path = tmp_path / "certificates\x1b[2J.pem"
    match kind:
        case "pipe":
            os.mkfifo(path)
        case "device":
            path = Path("/dev/zero")
        case "folder":
            path.mkdir()
        case "empty":
            path.touch()
        case "other":
            path.write_text("-----BEGIN CERTIFICATE-----\nnone")
    found = looked(monkeypatch, {"SSL_CERT_FILE": str(path)}, "https://127.0.0.1:1/v1")
    assert found["TLS"].status == "problem"
    assert found["TLS"].detail.endswith(f", {words}: mend it, or unset SSL_CERT_FILE")
    assert found["TLS"].detail.isprintable()
    assert found["host"].status == "note"


def test_a_certificate_folder_that_is_none_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library would trust nobody, and say nothing."""
    found = looked(monkeypatch, {"SSL_CERT_DIR": "/nowhere"}, "https://127.0.0.1:1/v1")
    assert found["TLS"] == Check(
        "TLS",
        "problem",
        "SSL_CERT_DIR names /nowhere, which is no directory: mend it, or unset SSL_CERT_DIR",
    )
