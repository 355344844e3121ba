"""The official npm client `openai`, unchanged, against the emulator; its script is `openai_node.mjs`."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from dalle2.testing import Emulator

SCRIPT = Path(__file__).with_name("openai_node.mjs").read_text(encoding="utf-8")
HEAD_256 = "89504e470d0a1a0a0000000d4948445200000100" + "00000100"


def node(npm: Path, scenario: str, base_url: str, *more: str) -> Any:
    """Run one scenario in a Node process and return what it printed."""
    command = ["node", "--input-type=module", "-", scenario, base_url, *more]
    done = subprocess.run(command, input=SCRIPT, cwd=npm, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_generate_gives_urls_that_download(npm: Path, served: str) -> None:
    """Two images of the size asked for, as URLs."""
    answer = node(npm, "url", served)
    assert answer["created"] > 0
    assert answer["heads"] == [HEAD_256] * 2


def test_generate_gives_base64(npm: Path, served: str) -> None:
    """The picture itself, when it is asked for."""
    assert node(npm, "b64_json", served)["heads"] == [HEAD_256]


@pytest.mark.parametrize(
    ("scenario", "error", "status"),
    [
        ("bad-request", "BadRequestError", 400),
        ("wrong-key", "AuthenticationError", 401),
        ("not-found", "NotFoundError", 404),
    ],
)
def test_errors_are_typed(npm: Path, served: str, scenario: str, error: str, status: int) -> None:
    """Each status arrives as the class that the client has for it."""
    answer = node(npm, scenario, served)
    assert (answer["error"], answer["status"]) == (error, status)
    assert answer["type"] == "invalid_request_error"


def test_a_rate_limit_is_waited_out(npm: Path, emulator: Emulator, base_url: str) -> None:
    """After one 429 the client's own retry succeeds, and one call was billed."""
    emulator.fail_next(429, retry_after=1)
    assert node(npm, "retry", base_url) == {"images": 1}
    assert len(emulator.billed) == 1


def test_a_rate_limit_is_typed(npm: Path, emulator: Emulator, base_url: str) -> None:
    """Without retries the 429 arrives, and nothing was billed."""
    emulator.fail_next(429)
    answer = node(npm, "rate-limit", base_url)
    assert (answer["error"], answer["status"]) == ("RateLimitError", 429)
    assert not emulator.billed


def test_an_edit_takes_an_image_and_a_mask(
    npm: Path, uploads: Path, emulator: Emulator, base_url: str
) -> None:
    """Files with a type, made by the client's own `toFile`."""
    assert node(npm, "edit", base_url, str(uploads))["heads"] == [HEAD_256]
    assert [(record.operation, record.prompt) for record in emulator.billed] == [("edit", "a red hat")]


def test_a_variation_takes_an_image(npm: Path, uploads: Path, emulator: Emulator, base_url: str) -> None:
    """Two variations of one file."""
    assert node(npm, "vary", base_url, str(uploads))["heads"] == [HEAD_256] * 2
    assert [(record.operation, record.n) for record in emulator.billed] == [("vary", 2)]


@pytest.mark.parametrize(
    ("scenario", "code", "param"),
    [
        ("edit-untyped", None, "image"),
        ("vary-untyped", None, "image"),
        ("edit-list", "invalid_type", "image"),
        ("edit-mask", None, None),
    ],
)
def test_uploads_that_the_model_does_not_take_are_refused(
    npm: Path,
    uploads: Path,
    emulator: Emulator,
    base_url: str,
    scenario: str,
    code: str | None,
    param: str | None,
) -> None:
    """A file stream (it travels without a type), a list, a mask of another size: a 400, and no bill."""
    answer = node(npm, scenario, base_url, str(uploads))
    assert (answer["error"], answer["status"]) == ("BadRequestError", 400)
    assert (answer["code"], answer["param"]) == (code, param)
    assert not emulator.billed
