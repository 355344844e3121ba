"""The README and every page of docs, run as written against the emulator in an empty directory.

Python blocks of a page share one namespace, from top to bottom; `await` may stand at the top of a block.
Of a console block each `dalle2` command is run (but `serve`, which does not end), and its output compared
with the lines below it, where `...` stands for anything. The environment holds keys, and base URLs of a
server on loopback or none, so that a page needs nothing that a reader would not type. All of it runs in each
of `WORLDS`.
"""

from __future__ import annotations

import ast
import asyncio
import contextlib
import doctest
import inspect
import io
import re
import shlex
from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from pathlib import Path

import httpx
import pytest
from sybil import Example, Sybil
from sybil.parsers.markdown import CodeBlockParser

import dalle2
from dalle2._calls import _plan
from dalle2._cli import main
from dalle2._dates import ServerClock
from dalle2._http import is_loopback_name
from dalle2._stores import _bucket
from dalle2.testing import Emulator

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
SHOWN_ONLY = {"py", "text", "toml", "json", "sh", "ini", "yaml", "javascript", "http", "diff"}


def run_python(example: Example) -> None:
    """Run one block; a block with `await` at its top level gets an event loop of its own."""
    source = "\n" * (example.line + example.parsed.line_offset) + example.parsed
    code = compile(source, example.path, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    result = eval(code, example.namespace)
    if inspect.iscoroutine(result):
        asyncio.run(result)


def run_console(example: Example) -> str | None:
    """Run each `dalle2` command of one block; `None` if each printed what the page says."""
    for command, expected in re.findall(
        r"^\$ (.*(?:\\\n.*)*)\n((?:(?!\$ ).*\n?)*)", example.parsed, re.MULTILINE
    ):
        for part in command.split("&&"):
            words = shlex.split(part)
            if words[:1] != ["dalle2"] or words[1:2] == ["serve"]:
                continue
            out = io.StringIO()
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
                status = main(words[1:])
            if status != 0:
                return f"{part}: exit status {status}: {out.getvalue()}"
            if WORLDS[example.namespace["world"]] is not None:
                continue  # a successor's warning and prices come on top
            flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
            if expected.strip() and not doctest.OutputChecker().check_output(expected, out.getvalue(), flags):
                return f"{part} printed:\n{out.getvalue()}"
    return None


SYBIL = Sybil([CodeBlockParser("python", run_python), CodeBlockParser("console", run_console)])


LIVING = "a host that serves dall-e-2"
WORLDS: dict[str, Emulator | None] = {
    LIVING: None,
    "OpenAI on 2026-06-01": Emulator(today=date(2026, 6, 1)),
    "OpenAI on the catalogue's day": Emulator(today=dalle2.catalog.AS_OF),
    "OpenAI on 2027-01-01": Emulator(today=date(2027, 1, 1)),
    "CometAPI": Emulator(today=dalle2.catalog.AS_OF, persona="cometapi"),
}
"""Where a reader may be: on a server on loopback that has everything, or on a real host as it stood or will
stand on a day, never on today's.
"""


@pytest.fixture
def reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, world: str) -> Iterator[Path]:
    """What a reader has: an empty directory, and keys that work in his world."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("builtins.input", lambda prompt="": "n")
    _plan._warned.clear()
    _bucket._memory.cache_clear()
    emulator = WORLDS[world]
    if emulator is not None:
        monkeypatch.setenv("COMETAPI_KEY", "sk-test")
        if emulator.persona == "openai":
            monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
        let_answer(emulator, monkeypatch)
        yield tmp_path
        return
    with Emulator().serve() as server:
        for name in ("OPENAI", "COMETAPI"):
            monkeypatch.setenv(f"{name}_BASE_URL", server.base_url)
        monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
        monkeypatch.setenv("COMETAPI_KEY", "sk-test")
        yield tmp_path


def let_answer(world: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let an emulator answer for every host that is not on this machine, on its own day."""
    assert world.today is not None
    world.clock.set(datetime.combine(world.today, time(12), UTC))
    named = Emulator(persona="cometapi", today=world.today)  # for a page that names it
    comet = world if world.persona == "cometapi" else named
    comet.clock.set(world.clock.now())
    transports = {}
    for name, emulator in ((None, world), ("api.cometapi.com", comet), ("filesystem.site", comet)):
        transports[name] = emulator.client()._transport, emulator.async_client()._transport
    blocking, awaited = httpx.HTTPTransport.handle_request, httpx.AsyncHTTPTransport.handle_async_request

    def handle(self: httpx.HTTPTransport, request: httpx.Request) -> httpx.Response:
        if is_loopback_name(request.url.host):
            return blocking(self, request)
        return transports.get(request.url.host, transports[None])[0].handle_request(request)

    async def handle_awaited(self: httpx.AsyncHTTPTransport, request: httpx.Request) -> httpx.Response:
        if is_loopback_name(request.url.host):
            return await awaited(self, request)
        return await transports.get(request.url.host, transports[None])[1].handle_async_request(request)

    monkeypatch.setattr(httpx.HTTPTransport, "handle_request", handle)
    monkeypatch.setattr(httpx.AsyncHTTPTransport, "handle_async_request", handle_awaited)
    ahead = world.clock.now() - datetime.now(UTC)  # what a client learns from the first answer
    monkeypatch.setattr(ServerClock.__init__, "__defaults__", (ahead,))


@pytest.mark.filterwarnings("ignore::dalle2.ModelRetirementWarning")
@pytest.mark.parametrize("world", [world for world in WORLDS if world != LIVING])
def test_a_world_is_the_real_host_on_its_day(world: str, reader: Path) -> None:
    """Nobody named a model, dall-e-2 is gone there, and the successor paints at the size asked for."""
    emulator = WORLDS[world]
    assert emulator is not None
    with dalle2.Client() as client:
        images = client.generate("a corgi astronaut", size="256x256")
    assert {request.origin for request in emulator.requests} <= {
        "https://api.openai.com",
        "https://api.cometapi.com",
        "https://filesystem.site",
    }
    assert emulator.billed[-1].model == images.model == "gpt-image-2.5-flare"
    assert images[0].width == 256


@pytest.mark.filterwarnings("ignore::dalle2.ModelRetirementWarning")
@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_example_of_a_page_works(page: Path, world: str, reader: Path) -> None:
    """What a page shows can be copied and works, before and after the retirements; what is meant to fail
    catches its error, and says so.
    """
    document = SYBIL.parse(page)
    document.namespace["world"] = world
    for example in document.examples():
        example.evaluate()
    for value in document.namespace.values():
        if isinstance(value, dalle2.Client):
            value.close()  # a script would end here
    dalle2.compat.reset()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_block_escapes_by_its_language(page: Path) -> None:
    """Each fenced block is run, or is in a language that holds nothing to run."""
    fences = re.findall(r"^```+ *(\S*)", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert set(fences[::2]) <= SHOWN_ONLY | {"python", "console"}


def test_the_two_commands_of_the_readme_are_there() -> None:
    """The README opens with what takes a newcomer to a picture, and a developer to green checks."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "python -m pip install '.[cli]'" in text
    assert 'dalle2 generate "a corgi astronaut" --provider emulator -o corgi.png' in text
    assert "python -m pip install nox && nox" in text


HOME = "https://github.com/dalle2-sdk/dalle2/blob/main/"
RAW = "https://raw.githubusercontent.com/dalle2-sdk/dalle2/main/"


def test_links_between_pages_lead_somewhere() -> None:
    """A link of a page to a file of ours names one that exists; the README's are whole, for the index."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for target in re.findall(r"\]\(([^)#\s]+)", text):
            if target.startswith((HOME, RAW)):
                assert (ROOT / target.removeprefix(HOME).removeprefix(RAW)).exists(), target
            elif not target.startswith(("http://", "https://", "mailto:")):
                assert page.name != "README.md", f"{target} breaks on the package index"
                assert (page.parent / target).exists(), f"{page.name} links to {target}"
