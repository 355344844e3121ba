"""Answers that are in the socket when the time is over, and answers to half a request."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import anyio
import httpx
import httpx2
import pytest

import dalle2
from dalle2 import RetryPolicy, _http
from dalle2._http import LEFTOVER, Term, TransportError

from ..faults.server import Connection, FaultServer, Gone

every_client = pytest.mark.parametrize("flavour", ["sync", "asyncio", "trio"])
every_library = pytest.mark.parametrize("library", [None, httpx, httpx2], ids=["ours", "httpx", "httpx2"])
DEADLINE = 0.5
"""Seconds that the child allows."""

CHILD = """
import sys, anyio, dalle2, httpx
flavour, origin, own = sys.argv[1:]
settings = dict(base_url=origin, retry=dalle2.RetryPolicy(max_attempts=1, deadline=0.5))

def sync():
    http = httpx.Client() if own == "httpx" else None
    with dalle2.Client("sk-test", http_client=http, **settings) as client:
        client.warm_up()
        client.list_models()
        print(len(client.image(origin + "/a.png").read()), client.generate("a fox")[0].url)

async def awaited():
    http = httpx.AsyncClient() if own == "httpx" else None
    async with dalle2.AsyncClient("sk-test", http_client=http, **settings) as client:
        await client.warm_up()
        await client.list_models()
        image = await client.image(origin + "/a.png").read()
        print(len(image), (await client.generate("a fox"))[0].url)

if flavour == "sync":
    sync()
elif flavour == "uvloop":
    import uvloop
    uvloop.run(awaited())
else:
    anyio.run(awaited, backend=flavour)
"""


@pytest.fixture
def server() -> Iterator[FaultServer]:
    """A server that does what it is told."""
    with FaultServer() as one:
        yield one


@pytest.mark.parametrize(
    ("flavour", "own"),
    [("sync", "ours"), ("asyncio", "ours"), ("trio", "ours"), ("uvloop", "ours"), ("asyncio", "httpx")],
)
@pytest.mark.parametrize("cut", [20, -10], ids=["in the head", "in the body"])
def test_what_came_while_the_process_was_stopped_is_the_answer(
    cut: int, flavour: str, own: str, server: FaultServer
) -> None:
    """Stopped past its deadline, in the head or the body of a paid answer and of a download."""
    child: list[int] = []

    def act(c: Connection) -> None:
        request = c.read()
        if request.target.endswith("/models"):
            c.reply(200, b'{"data": []}')
            return
        body = c.good_body()
        answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body
        c.send(answer[:cut])
        time.sleep(0.05)  # so that it waits for the rest
        os.kill(child[0], signal.SIGSTOP)
        try:
            c.send(answer[cut : cut + 5 if cut > 0 else None])
            c.send(answer[cut + 5 :] if cut > 0 else b"")
            time.sleep(DEADLINE + 0.2)
        finally:
            os.kill(child[0], signal.SIGCONT)

    server.then(forever=act)
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, flavour, server.origin, own], stdout=subprocess.PIPE, text=True
    ) as process:
        child.append(process.pid)
        said, _ = process.communicate(timeout=60)
    assert said.split() == [str(len(server.image)), f"{server.origin}/private/img.png"]
    assert len(server.billed) == 1


def test_who_never_ends_is_given_up_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is there is taken for a second after the end; a flood is longer than that."""
    now = 100.0
    monkeypatch.setattr(_http, "time", SimpleNamespace(monotonic=lambda: now))
    term = Term(99.0)
    term.check()
    now += LEFTOVER
    term.check()
    now += 0.1
    with pytest.raises(TransportError, match="deadline"):
        term.check()


# --- answers to half a request ---


def refusing(status: int, release: threading.Event, *, whole: bool = True, closes: bool = False) -> Any:
    """Answer after the head of a request, of which nothing more is read."""

    def act(c: Connection) -> None:
        c.head()
        body = b'{"error": {"message": "no", "code": "refused"}}'
        head = b"HTTP/1.1 %d No\r\nContent-Length: %d\r\n\r\n" % (status, len(body))
        c.send((head + body) if whole else head[:20])
        if closes:
            raise Gone
        assert release.wait(10), "the client waits for more than is there"

    return act


def large(flavour: str, library: Any, **options: Any) -> None:
    """A paid call that no window holds."""
    settings = {"retry": RetryPolicy.none(), "timeout": 0.3, **options}

    async def work() -> None:
        http = None if library is None else library.AsyncClient()
        async with dalle2.AsyncClient("sk-test", http_client=http, **settings) as client:
            await client.generate("a fox", extra_body={"padding": "x" * 12_000_000})
        if http is not None:
            await http.aclose()

    if flavour == "sync":
        http = None if library is None else library.Client()
        with dalle2.Client("sk-test", http_client=http, **settings) as client:
            client.generate("a fox", extra_body={"padding": "x" * 12_000_000})
    else:
        anyio.run(work, backend=flavour)


@pytest.fixture
def release() -> Iterator[threading.Event]:
    """Ends the waiting of a server."""
    event = threading.Event()
    yield event
    event.set()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # httpx's, seen by trio
@every_client
@every_library
@pytest.mark.parametrize(
    ("status", "kind", "limit"),
    [
        (413, dalle2.APIStatusError, "the timeout"),
        (429, dalle2.RateLimitError, "the timeout"),
        (401, dalle2.AuthenticationError, "the deadline"),
    ],
)
def test_a_host_that_refuses_and_does_not_read_is_heard(
    limit: str,
    status: int,
    kind: type[dalle2.APIStatusError],
    library: Any,
    flavour: str,
    server: FaultServer,
    release: threading.Event,
) -> None:
    """The body does not leave, and the answer is there: it is free, and told as what it is."""
    server.then(forever=refusing(status, release))
    options: dict[str, Any] = {"base_url": server.origin}
    if limit == "the deadline":
        options |= {"timeout": 9.0, "retry": RetryPolicy(max_attempts=1, deadline=0.3)}
    with pytest.raises(kind) as refused:
        large(flavour, library, **options)
    assert (refused.value.status_code, refused.value.maybe_billed) == (status, False)
    assert server.connections == 1


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # httpx's, seen by trio
@every_client
@every_library
def test_half_an_answer_to_half_a_request_decides_nothing(
    library: Any, flavour: str, server: FaultServer, release: threading.Event
) -> None:
    """It did not leave, where the rest stays here; asyncio may still send it."""
    server.then(forever=refusing(413, release, whole=False))
    limits = httpx.Timeout(0.3, read=None)
    with pytest.raises(dalle2.APIError) as lost:
        large(flavour, library, base_url=server.origin, timeout=limits)
    assert not isinstance(lost.value, dalle2.APIStatusError)
    assert lost.value.maybe_billed is (flavour == "asyncio")


@every_client
@every_library
def test_a_host_that_refuses_and_leaves_is_heard(
    library: Any, flavour: str, server: FaultServer, release: threading.Event
) -> None:
    """The pipe breaks under the body; the answer came before."""
    server.then(forever=refusing(413, release, closes=True))
    with pytest.raises(dalle2.APIStatusError) as refused:
        large(flavour, library, base_url=server.origin, timeout=5.0)
    assert refused.value.status_code == 413
