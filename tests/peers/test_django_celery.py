"""The page on Django and Celery, run as it stands: an order comes once, twice, and after a crash."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from dalle2.testing import Emulator

PAGE = (Path(__file__).parents[2] / "docs" / "django-celery.md").read_text(encoding="utf-8")
KEY = "5f0c8a52-6d1f-4f0e-9a51-1d6a4c1b7e01"
BEFORE = f"""
import celery, django
from django.conf import settings
settings.configure(
    DATABASES={{"default": {{"ENGINE": "django.db.backends.sqlite3", "NAME": "shop.sqlite3"}}}},
    INSTALLED_APPS=["shop"], ROOT_URLCONF="shop", MEDIA_ROOT="media", MEDIA_URL="/media/",
)
app = celery.Celery("shop", broker="memory://")
app.conf.update(task_always_eager=True)
app.set_default()
django.setup()
from celery.signals import task_retry
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import RequestFactory
from shop.models import Picture
from shop.tasks import client, paint
from shop.views import at_once, order, state
with connection.schema_editor() as editor:
    editor.create_model(Picture)
requests, key, retried = RequestFactory(), {KEY!r}, []
task_retry.connect(lambda reason, **rest: retried.append(type(reason.exc).__name__), weak=False)
def ordered():
    return order(requests.post("/", {{"key": key, "prompt": "a corgi"}})).status_code
def row():
    return Picture.objects.get(pk=key)
"""


def files() -> dict[str, str]:
    """The page's files: a block names its own in its first line, or goes on with the one before."""
    found: dict[str, str] = {}
    for block in re.findall(r"^```py\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL):
        named = re.match(r"# (shop/\w+\.py)\n", block)
        name = named[1] if named else [*found][-1]
        found[name] = found.get(name, "") + block
    return found


@pytest.fixture
def shop(tmp_path: Path, base_url: str) -> Callable[[str], None]:
    """Runs the page as the application `shop`, then some lines, in a process and a directory of their own."""
    (tmp_path / "shop").mkdir()
    for name, text in files().items():
        (tmp_path / name).write_text(text)
    env = os.environ | {"OPENAI_BASE_URL": base_url, "OPENAI_API_KEY": "sk-test", "PYTHONPATH": str(tmp_path)}

    def run(lines: str) -> None:
        command = [sys.executable, "-c", BEFORE + lines]
        done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr

    return run


def test_an_order_becomes_a_file(shop: Callable[[str], None], emulator: Emulator) -> None:
    """Ordered twice with one key it is painted once; delivered again it is left alone."""
    shop(
        "assert ordered() == ordered() == 202\n"
        "paint.delay(key)\n"
        "said = state(requests.get('/'), key).content.decode()\n"
        "assert f'/media/pictures/{key}.png' in said and 'done' in said\n"
        "assert row().file.open().read(4)[1:] == b'PNG'\n"
    )
    emulator.assert_billed(1, prompt="a corgi")
    assert emulator.billed[0].idempotency_key == KEY


def test_a_picture_at_once(shop: Callable[[str], None], emulator: Emulator) -> None:
    """A view that waits answers with the picture; an upload is an image as it is."""
    shop(
        "answer = at_once(requests.post('/', {'prompt': 'a fox'}))\n"
        "assert answer.headers['content-type'] == 'image/png' and answer.content[1:4] == b'PNG'\n"
        "photo = SimpleUploadedFile('photo.png', answer.content)\n"
        "assert client().vary(requests.post('/', {'photo': photo}).FILES['photo'], n=1)\n"
    )
    emulator.assert_billed(2)


def test_what_was_certainly_not_carried_out_is_tried_again(
    shop: Callable[[str], None], emulator: Emulator
) -> None:
    """More refusals than the client repeats: the task comes again, and the order is painted, once."""
    emulator.fail_next(429, retry_after=0, times=3)
    shop("ordered()\nassert (row().state, retried) == ('done', ['RateLimitError']), row().problem\n")
    emulator.assert_billed(1)


@pytest.mark.parametrize(
    ("fault", "state", "billed"),
    [
        (lambda host: host.lose_next(), "held", 1),
        (lambda host: host.fail_next(400, code="content_policy_violation"), "failed", 0),
        (lambda host: host.fail_next(429, code="insufficient_quota"), "failed", 0),
    ],
)
def test_what_may_have_been_paid_for_is_held(
    shop: Callable[[str], None],
    emulator: Emulator,
    fault: Callable[[Emulator], None],
    state: str,
    billed: int,
) -> None:
    """And what was refused for good is failed; a second delivery does nothing in both."""
    fault(emulator)
    shop(f"ordered()\npaint.delay(key)\nassert row().state == {state!r} and row().problem, row().state\n")
    emulator.assert_billed(billed)


def test_an_answer_is_kept_until_it_can_be_stored(shop: Callable[[str], None], emulator: Emulator) -> None:
    """The host's store fails for longer than the client repeats: the task comes again, and pays nothing."""
    emulator.fail_next(500, on="image", times=3)
    shop("ordered()\nassert (row().state, row().answer, retried) == ('done', None, ['DownloadError'])\n")
    emulator.assert_billed(1)


def test_an_order_of_a_worker_that_died_is_not_paid_for_again(
    shop: Callable[[str], None], emulator: Emulator
) -> None:
    """Its message comes again, its row says that it was sent, and so it stays for a person."""
    shop(
        "Picture.objects.create(pk=key, prompt='a corgi', state='sent')\n"
        "paint.delay(key)\n"
        "assert row().state == 'sent'\n"
    )
    emulator.assert_billed(0)
