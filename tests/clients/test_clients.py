"""Both clients over real connections: shared, closed, forked, pickled, cancelled, and silent about
their key.
"""

from __future__ import annotations

import contextlib
import gc
import os
import pickle
import signal
import ssl
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import anyio
import httpcore
import httpx
import httpx2
import pytest

import dalle2
from dalle2 import RetryPolicy
from dalle2.testing import Emulator

from ..faults import catalogue
from ..faults.server import IMAGE, Connection, FaultServer, png

KEY = "sk-proj-Zq8TnotInAnyMessage4kQ"
BACKENDS = ("asyncio", "trio")
every_backend = pytest.mark.parametrize("backend", BACKENDS)
every_library = pytest.mark.parametrize("library", [httpx, httpx2], ids=["httpx", "httpx2"])


@pytest.fixture
def server() -> Iterator[FaultServer]:
    """A server that does what it is told, and well until then."""
    with FaultServer() as one:
        yield one


def run(backend: str, work: Callable[[], Any]) -> Any:
    """Run awaited work on this backend."""
    return anyio.run(work, backend=backend)


# --- every method ---


def square(tmp_path: Path) -> Path:
    """A picture that can be edited."""
    path = tmp_path / "square.png"
    path.write_bytes(png(64, 64))
    return path


def test_every_method_of_the_client(tmp_path: Path) -> None:
    """Generate, edit, vary, moderate and list over a real server."""
    emulator = Emulator()
    picture = square(tmp_path)
    mask = tmp_path / "mask.png"
    with emulator.client() as http, dalle2.Client("sk-test", http_client=http) as client:
        mask.write_bytes(client.generate("a mask", size="256x256")[0].read())
    with emulator.serve() as server, dalle2.Client("sk-test", base_url=server.base_url) as client:
        assert len(client.generate("a fox", n=2, size="256x256")) == 2
        made = client.generate("a fox", size="256x256", response_format="b64_json")[0]
        assert made.content is not None
        assert len(client.vary(picture, size="256x256")) == 1
        assert len(client.vary(made, size="256x256")) == 1
        assert client.moderate("a fox").flagged is False
        assert "dall-e-2" in [row.id for row in client.list_models()]
        assert len(client.send(dalle2.GenerateRequest(prompt="a fox", size="256x256"))) == 1
        quick = client.with_options(timeout=5.0, model="dall-e-3")
        assert quick.generate("a fox").model == "dall-e-3"
        quick.close()  # a copy does not own the connections
        assert client.moderate("a fox").flagged is False


def test_what_a_copy_cannot_change_is_said() -> None:
    """In words of the method that was called."""
    client = dalle2.Client("sk-test")
    with pytest.raises(TypeError, match=r"with_options\(\) cannot change budget: make another"):
        client.with_options(budget=dalle2.Budget(max_usd=1))
    with pytest.raises(TypeError, match="with_options"):
        client.with_options(timeouts=1)  # a name of the inside is none of the surface


@every_backend
def test_every_method_of_the_async_client(backend: str, tmp_path: Path) -> None:
    """The same, awaited."""
    picture = square(tmp_path)
    emulator = Emulator()

    async def work() -> None:
        async with dalle2.AsyncClient("sk-test", base_url=server.base_url) as client:
            assert len(await client.generate("a fox", n=2, size="256x256")) == 2
            made = (await client.generate("a fox", size="256x256"))[0]
            assert len(await client.vary(picture, size="256x256")) == 1
            assert len(await client.vary(made, size="256x256")) == 1
            assert (await client.moderate("a fox")).flagged is False
            assert "dall-e-2" in [row.id for row in await client.list_models()]
            assert len(await client.send(dalle2.GenerateRequest(prompt="a fox", size="256x256"))) == 1
            quick = client.with_options(timeout=5.0, model="dall-e-3")
            assert (await quick.generate("a fox")).model == "dall-e-3"
            await quick.aclose()
            assert (await client.moderate("a fox")).flagged is False

    with emulator.serve() as server:
        run(backend, work)


# --- shared ---


def test_thirty_two_threads_share_a_client(server: FaultServer) -> None:
    """Each call is sent once and gets its own answer."""
    with dalle2.Client(KEY, base_url=server.origin) as client, ThreadPoolExecutor(32) as pool:
        done = list(pool.map(lambda number: client.generate(f"fox {number}")[0].read(), range(96)))
    assert done == [IMAGE] * 96
    assert len(server.billed) == 96
    assert len(server.keys) == 96


@every_backend
def test_a_thousand_tasks_share_a_client(backend: str, server: FaultServer) -> None:
    """A thousand calls at once: each is sent once, none is lost, connections stay within bounds."""

    async def work() -> int:
        done: list[dalle2.AsyncImages] = []

        async def one(number: int) -> None:
            done.append(await client.generate(f"fox {number}"))

        async with (
            dalle2.AsyncClient(KEY, base_url=server.origin) as client,
            anyio.create_task_group() as group,
        ):
            for number in range(1000):
                group.start_soon(one, number)
        return len(done)

    assert run(backend, work) == 1000
    assert len(server.billed) == len(server.keys) == 1000
    assert server.connections <= 256


def descriptors() -> int:
    """How many files and sockets this process has open."""
    return len(os.listdir("/dev/fd" if sys.platform == "darwin" else "/proc/self/fd"))


def test_two_event_loops_one_after_the_other(server: FaultServer) -> None:
    """As notebooks do it: the same client in a new loop, of either kind; each loop takes its
    connections along.
    """
    client = dalle2.AsyncClient(KEY, base_url=server.origin)

    async def work() -> int:
        images = await client.generate("a fox")
        return len(await images[0].read())

    before = None
    for backend in (*BACKENDS, *BACKENDS, "asyncio", "asyncio"):
        assert run(backend, work) == len(IMAGE)
        before = before or descriptors()
        assert descriptors() <= before + 1
    assert len(server.billed) == 6

    async def close() -> None:
        await client.aclose()

    run("asyncio", close)


def test_two_event_loops_at_once(server: FaultServer) -> None:
    """Two threads with a loop each do not disturb one another's connections."""
    client = dalle2.AsyncClient(KEY, base_url=server.origin)
    meeting = threading.Barrier(2)

    async def work() -> None:
        for _ in range(10):
            await client.generate("a fox")
        meeting.wait()
        await client.generate("a fox")

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda backend: run(backend, work), BACKENDS))
    assert len(server.billed) == 22
    assert server.connections == 2


def test_an_event_loop_that_is_a_guest_of_another(
    server: FaultServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trio in its guest mode, as graphical programs run it: the calls are trio's, also the first ones."""
    import asyncio

    import trio

    monkeypatch.setattr("dalle2._transport._async._prepared", set())

    async def work() -> Path:
        async with dalle2.AsyncClient(KEY, base_url=server.origin) as client:
            images = await client.generate("a fox")
            return await images[0].save(tmp_path / "fox.png")

    async def host() -> Any:
        loop = asyncio.get_running_loop()
        ended = loop.create_future()
        trio.lowlevel.start_guest_run(
            work, run_sync_soon_threadsafe=loop.call_soon_threadsafe, done_callback=ended.set_result
        )
        async with dalle2.AsyncClient(KEY, base_url=server.origin) as client:
            await client.generate("the host itself")
        return (await ended).unwrap()

    assert asyncio.run(host()).read_bytes() == IMAGE
    assert len(server.billed) == 2


@pytest.mark.parametrize("backend", BACKENDS)
def test_where_no_more_threads_can_be_had_the_work_is_done_without(
    backend: str, server: FaultServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A limit of the system, or a process that is about to end: what was paid for is saved all the same."""
    monkeypatch.setattr("dalle2._transport._async._prepared", set())

    def refuse(*work: Any, **options: Any) -> Any:
        raise RuntimeError("can't start new thread")

    async def work() -> bytes:
        async with dalle2.AsyncClient(KEY, base_url=server.origin) as client:
            images = await client.generate("a fox")
            return (await images[0].save(tmp_path / "fox.png")).read_bytes()

    for name in ("anyio.to_thread", "trio.to_thread"):
        monkeypatch.setattr(f"{name}.run_sync", refuse)
    monkeypatch.setattr("asyncio.base_events.BaseEventLoop.run_in_executor", refuse)
    assert run(backend, work) == IMAGE


def test_a_fork_after_construction(server: FaultServer) -> None:
    """A child makes connections of its own: no answer goes to the wrong process."""
    script = f"""
import os, dalle2
client = dalle2.Client({KEY!r}, base_url={server.origin!r})
assert client.generate("before")[0].url
child = os.fork()
if child == 0:
    ok = client.generate("child")[0].url
    client.close()
    os._exit(0 if ok else 1)
assert os.waitpid(child, 0)[1] == 0
assert client.generate("parent")[0].url
client.close()
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert len(server.billed) == 3
    assert server.connections == 2


def test_connections_are_kept_for_the_next_call(server: FaultServer) -> None:
    """Calls one after the other use one connection; after five idle seconds it is not trusted any more."""
    from dalle2._transport._pools import IDLE

    with dalle2.Client(KEY, base_url=server.origin) as client:
        for _ in range(5):
            client.generate("a fox")[0].read()
    assert server.connections == 1
    assert IDLE == 5.0


# --- closed ---


@every_backend
def test_a_closed_client_says_so(backend: str, server: FaultServer) -> None:
    """After `close` a call is a `ConfigurationError`, and closing twice is fine."""
    client = dalle2.Client(KEY, base_url=server.origin)
    client.generate("a fox")
    client.close()
    client.close()
    with pytest.raises(dalle2.ConfigurationError, match="this client is closed"):
        client.generate("a fox")

    async def work() -> None:
        other = dalle2.AsyncClient(KEY, base_url=server.origin)
        await other.generate("a fox")
        await other.aclose()
        await other.aclose()
        with pytest.raises(dalle2.ConfigurationError, match="this client is closed"):
            await other.generate("a fox")

    run(backend, work)


def test_many_short_lived_clients_leak_nothing(server: FaultServer) -> None:
    """A thousand clients that made a call: as many descriptors, and TLS contexts, as before."""

    async def awaited() -> None:
        for _ in range(500):
            async with dalle2.AsyncClient(KEY, base_url=server.origin) as client:
                await client.generate("a fox")

    def contexts() -> int:
        gc.collect()
        return sum(isinstance(one, ssl.SSLContext) for one in gc.get_objects())

    def blocking(count: int) -> None:
        for _ in range(count):
            with dalle2.Client(KEY, base_url=server.origin) as client:
                client.generate("a fox")

    blocking(1)
    files, tls = descriptors(), contexts()
    blocking(500)
    run("asyncio", awaited)
    while server._open:
        time.sleep(0.001)
    assert descriptors() <= files
    assert contexts() == tls


def test_one_tls_context_serves_all_clients() -> None:
    """Building one costs more than many calls, so there is one for the process."""
    from dalle2._transport._carrier import maker
    from dalle2._transport._certificates import tls_context
    from dalle2._transport._pools import Living

    assert tls_context() is tls_context()
    libraries = (httpcore, httpx)
    made = [maker(library, "Client", "https", None)(Living()) for library in libraries]
    before = sum(isinstance(one, ssl.SSLContext) for one in gc.get_objects())
    made += [maker(library, "Client", "https", None)(Living()) for library in libraries]
    assert sum(isinstance(one, ssl.SSLContext) for one in gc.get_objects()) == before


# --- pickled ---


def test_a_client_pickles_without_its_key(server: FaultServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """It finds the key again in the environment, or says that there is none."""
    for kind in (dalle2.Client, dalle2.AsyncClient):
        client = kind(KEY, base_url=server.origin, headers={"X-Secret": KEY}, model="dall-e-3")
        packed = pickle.dumps(client)
        assert KEY.encode() not in packed
        monkeypatch.delenv("OPENAI_API_KEY", raising=False)
        keyless = pickle.loads(packed)
        with pytest.raises(dalle2.ConfigurationError, match="OPENAI_API_KEY"):
            called = keyless.list_models()
            called.send(None)  # of the awaited one
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        again = pickle.loads(packed)
        assert "dall-e-3" in repr(again)
        assert server.origin in repr(again)
    with dalle2.Client(KEY, base_url=server.origin) as client, pickle.loads(pickle.dumps(client)) as again:
        assert len(again.generate("a fox")) == 1


# --- a caller's HTTP client ---


@every_library
def test_a_callers_client_is_used_and_left_open(library: Any, server: FaultServer) -> None:
    """Its defaults join API requests, our key stays ours, and it is never closed by us."""
    with library.Client(headers={"X-Gateway": "yes"}, cookies={"a": "b"}, params={"v": "1"}) as http:
        with dalle2.Client(KEY, base_url=server.origin, http_client=http) as client:
            client.generate("a fox")[0].read()
        assert not http.is_closed
    post, get = server.requests
    assert (post.headers["x-gateway"], post.headers["cookie"]) == ("yes", "a=b")
    assert post.headers["authorization"] == f"Bearer {KEY}"
    assert post.target.endswith("?v=1")
    assert not {"x-gateway", "cookie", "authorization"} & set(get.headers)
    assert "?" not in get.target
    with pytest.raises(dalle2.ConfigurationError, match="http_client of this client is closed"):
        dalle2.Client(KEY, base_url=server.origin, http_client=http).generate("a fox")


@every_library
@every_backend
def test_a_callers_async_client_is_used_and_left_open(
    backend: str, library: Any, server: FaultServer
) -> None:
    """The same, awaited."""

    async def work() -> None:
        async with library.AsyncClient(headers={"X-Gateway": "yes"}) as http:
            async with dalle2.AsyncClient(KEY, base_url=server.origin, http_client=http) as client:
                images = await client.generate("a fox")
                assert await images[0].read() == IMAGE
            assert not http.is_closed

    run(backend, work)
    post, get = server.requests
    assert post.headers["x-gateway"] == "yes"
    assert "x-gateway" not in get.headers


@pytest.mark.parametrize(
    ("kind", "client", "words"),
    [
        (dalle2.Client, httpx.AsyncClient, r"httpx\.AsyncClient.*httpx\.Client.*dalle2\.AsyncClient"),
        (dalle2.AsyncClient, httpx.Client, r"httpx\.Client.*httpx\.AsyncClient.*dalle2\.Client"),
        (dalle2.Client, httpx2.AsyncClient, r"httpx2\.AsyncClient"),
        (dalle2.Client, dict, "it is dict"),
        (dalle2.AsyncClient, type("Client", (), {}), "it is Client"),
    ],
)
def test_the_wrong_kind_of_http_client_is_refused(kind: Any, client: Any, words: str) -> None:
    """At construction, with what is needed instead."""
    with pytest.raises(dalle2.ConfigurationError, match=words):
        kind(KEY, http_client=client())


def test_a_subclass_of_an_http_client_is_one() -> None:
    """Instrumented and test clients are subclasses."""

    class Own(httpx.Client):
        pass

    with Own() as http:
        assert dalle2.Client(KEY, http_client=http)


def test_our_timeout_goes_with_each_request_unless_theirs_was_set(server: FaultServer) -> None:
    """httpx's own default of 5 s would end a slow image; a timeout that the caller chose is kept."""
    seen: list[dict[str, float]] = []

    def note(request: httpx.Request) -> None:
        seen.append(request.extensions["timeout"])

    hooks = {"request": [note]}
    with (
        httpx.Client(event_hooks=hooks) as http,
        dalle2.Client(KEY, base_url=server.origin, http_client=http) as one,
    ):
        one.generate("a fox")[0].read()
        one.generate("a fox", timeout=7.0)
        one.with_options(timeout=9.0).generate("a fox")
    theirs = httpx.Timeout(3.0, read=33.0)
    with (
        httpx.Client(event_hooks=hooks, timeout=theirs) as http,
        dalle2.Client(KEY, base_url=server.origin, http_client=http) as one,
    ):
        one.generate("a fox")[0].read()
    assert [one["read"] for one in seen] == [600.0, 60.0, 7.0, 9.0, 33.0, 33.0]
    assert seen[0]["connect"] == 10.0
    assert seen[4]["connect"] == 3.0


def test_a_full_pool_is_certainly_not_sent(server: FaultServer) -> None:
    """No free connection in time: `ConnectTimeoutError`, and nothing was sent."""
    limits = httpx.Limits(max_connections=1)

    def hold(c: Connection) -> None:
        c.read(bill=False)
        c.reply(upto=5)
        c.hold()

    server.then(hold)
    with (
        httpx.Client(limits=limits) as http,
        http.stream("GET", server.origin),
        dalle2.Client(
            KEY, base_url=server.origin, http_client=http, timeout=0.1, retry=RetryPolicy(initial=0)
        ) as one,
        pytest.raises(dalle2.ConnectTimeoutError) as caught,
    ):
        one.generate("a fox")
    assert caught.value.attempts == 3
    assert not caught.value.maybe_billed
    assert server.billed == []


def test_an_instrumented_httpx_keeps_working(server: FaultServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tracing wraps `HTTPTransport.handle_request` and adds a header: it reaches the server, on clients of
    our own.
    """
    real = httpx.HTTPTransport.handle_request

    def traced(self: httpx.HTTPTransport, request: httpx.Request) -> httpx.Response:
        request.headers["traceparent"] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        return real(self, request)

    monkeypatch.setattr(httpx.HTTPTransport, "handle_request", traced)
    with dalle2.Client(KEY, base_url=server.origin) as client:
        client.generate("a fox")
    assert server.requests[0].headers["traceparent"].startswith("00-")


# --- waits end at once ---


@every_backend
@pytest.mark.parametrize(
    "act", [catalogue.stall, catalogue.stall_in_body], ids=["no answer", "half an answer"]
)
def test_cancelling_ends_a_wait_for_an_answer(backend: str, act: Any, server: FaultServer) -> None:
    """On asyncio and trio, within the call and not after its timeout."""
    server.then(act)

    async def work() -> bool:
        async with dalle2.AsyncClient(KEY, base_url=server.origin) as client:
            with anyio.move_on_after(0.1) as scope:
                await client.generate("a fox")
            assert len(await client.generate("a fox")) == 1  # the client is as good as before
            return scope.cancelled_caught

    assert run(backend, work)


@every_backend
def test_cancelling_ends_a_wait_between_attempts(backend: str, server: FaultServer) -> None:
    """A `Retry-After` of a minute is left at once."""
    server.then(catalogue.refusal(429, {"message": "slow down", "type": "requests"}, Retry_After="60"))

    async def work() -> bool:
        async with dalle2.AsyncClient(KEY, base_url=server.origin) as client:
            with anyio.move_on_after(0.1) as scope:
                await client.generate("a fox")
            return scope.cancelled_caught

    assert run(backend, work)
    assert len(server.requests) == 1


@pytest.mark.parametrize("wait", ["answer", "attempt"])
def test_an_interrupt_ends_a_wait(wait: str, server: FaultServer) -> None:
    """`KeyboardInterrupt` in the middle of a call comes out as it is, at once."""
    limit = catalogue.refusal(429, {"message": "slow down", "type": "requests"}, Retry_After="60")
    server.then(catalogue.stall if wait == "answer" else limit)

    def interrupt() -> None:
        while not server.requests:
            time.sleep(0.005)
        time.sleep(0.05)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with dalle2.Client(KEY, base_url=server.origin) as client, pytest.raises(KeyboardInterrupt):
        client.generate("a fox")
    thread.join()


# --- the key is nowhere ---


def secret_acts() -> dict[str, Any]:
    """Ways to fail, among them hosts that repeat the key."""
    echo = {
        "message": f"Incorrect API key provided: {KEY}.",
        "type": "invalid_request_error",
        "code": "invalid_api_key",
    }
    part = {
        "message": f"Incorrect API key provided: {KEY[:8]}***{KEY[-4:]}.",
        "type": "x",
        "code": "invalid_api_key",
    }
    return {
        "echo": catalogue.refusal(401, echo),
        "part": catalogue.refusal(401, part, X_Echo=f"Bearer {KEY}"),
        "html": catalogue.body_of(502, f"<html>Authorization: Bearer {KEY}</html>".encode()),
        "wrong": catalogue.body_of(200, b'{"data": [{"url": 5}]}', X_Echo=KEY),
        "cut": catalogue.cut_with_length,
        "reset": catalogue.reset_after_read,
        "stall": catalogue.stall,
        "redirect": catalogue.body_of(302, b"", Location=f"https://evil.example.com/?key={KEY}"),
        "gzip": catalogue.lying_gzip,
        "garbage": catalogue.garbage,
        "limit": catalogue.refusal(429, {"message": "slow down", "type": "requests"}, Retry_After="9999"),
    }


HOME = str(Path(dalle2.__file__).parent)


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error and everything that hangs on it."""
    seen: list[BaseException] = []
    waiting = [error]
    while waiting:
        one = waiting.pop()
        if one is not None and one not in seen:
            seen.append(one)
            waiting += [one.__cause__, one.__context__]
    return iter(seen)


def shown(error: BaseException) -> str:
    """Everything that a log or a crash reporter could show of an error, with locals of frames of ours."""
    texts = []
    for one in chain(error):
        texts += [str(one), repr(one), repr(vars(one)), *getattr(one, "__notes__", [])]
        told = traceback.TracebackException.from_exception(one, capture_locals=True)
        texts += [repr(frame.locals) for frame in told.stack if frame.filename.startswith(HOME)]
    return "\n".join(texts)


def assert_silent(text: str) -> None:
    """Neither the key nor a telling part of it."""
    assert KEY not in text
    assert KEY[8:20] not in text
    assert KEY[-12:] not in text


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # httpx's decoders on trio
@pytest.mark.parametrize("flavour", ["sync", *BACKENDS])
@pytest.mark.parametrize("name", list(secret_acts()))
def test_the_key_is_in_nothing_that_an_error_shows(
    name: str, flavour: str, server: FaultServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Message, fields, chain, locals, pickle, log lines and events of every kind of failure."""
    caplog.set_level("DEBUG", "dalle2")
    events: list[object] = []
    server.then(forever=secret_acts()[name])
    options: dict[str, Any] = {
        "api_key": KEY,
        "base_url": server.origin,
        "timeout": 0.2 if name == "stall" else 10.0,
        "retry": RetryPolicy(initial=0.0),
        "headers": {"X-Own": KEY},
        "on_event": events.append,
    }

    async def work() -> None:
        async with dalle2.AsyncClient(**options) as client:
            await client.generate("a fox")

    def blocking() -> None:
        with dalle2.Client(**options) as client:
            client.generate("a fox")

    with pytest.raises(dalle2.Dalle2Error) as caught:
        blocking() if flavour == "sync" else run(flavour, work)
    assert_silent(shown(caught.value))
    assert_silent(pickle.dumps(caught.value).decode("latin-1"))
    assert_silent(repr(events))
    assert_silent(caplog.text)
    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"


def test_the_key_is_in_nothing_that_a_client_shows(server: FaultServer) -> None:
    """`repr` of clients and results, `to_dict`, and an error from a download."""
    with dalle2.Client(KEY, base_url=server.origin, headers={"X-Own": KEY}) as client:
        images = client.generate("a fox")
        texts = [repr(client), repr(images), repr(images[0]), repr(images[0].to_dict()), repr(vars(client))]
        texts.append(repr(dalle2.AsyncClient(KEY)))
        server.then(forever=catalogue.cut_without_length)
        with pytest.raises(dalle2.DownloadError) as caught:
            client.with_options(retry=RetryPolicy.none()).image(server.origin + "/a.png").read()
        assert_silent("\n".join([*texts, shown(caught.value)]))
    provider = dalle2.Provider.localai(server.origin)
    with (
        dalle2.Client(KEY, provider=provider, retry=RetryPolicy.none()) as client,
        pytest.raises(dalle2.DownloadError) as caught,
    ):
        client.image(server.origin + "/a.png").read()
    assert_silent(shown(caught.value))


def test_the_key_is_in_no_frame_of_an_interrupt(server: FaultServer) -> None:
    """An exception that is not ours passes through frames of ours: their locals show nothing either."""

    def interrupt(event: object) -> None:
        raise KeyboardInterrupt

    with (
        dalle2.Client(KEY, base_url=server.origin, on_event=interrupt) as client,
        pytest.raises(KeyboardInterrupt) as caught,
    ):
        client.generate("a fox")
    frames = traceback.TracebackException.from_exception(caught.value, capture_locals=True).stack
    ours = [repr(one.locals) for one in frames if one.filename.startswith(HOME)]
    assert ours
    assert f"Bearer {KEY}" not in "\n".join(ours)


def test_no_exception_of_a_library_hangs_on_ours(server: FaultServer) -> None:
    """Theirs hold the request, and with it the key."""
    for act in (catalogue.reset_after_read, catalogue.cut_with_length, catalogue.stall):
        server.then(forever=act)
        with (
            dalle2.Client(KEY, base_url=server.origin, timeout=0.2) as client,
            pytest.raises(dalle2.OutcomeUnknownError) as caught,
        ):
            client.generate("a fox")
        assert [type(one).__module__.partition(".")[0] for one in chain(caught.value)] == ["dalle2"]


def test_nothing_is_printed(server: FaultServer, capfd: pytest.CaptureFixture[str]) -> None:
    """A call that goes wrong says so by its error alone."""
    server.then(forever=catalogue.reset_after_read)
    with (
        contextlib.suppress(dalle2.OutcomeUnknownError),
        dalle2.Client(KEY, base_url=server.origin) as client,
    ):
        client.generate("a fox")
    assert capfd.readouterr() == ("", "")


def test_images_tell_what_the_host_called_the_request(server: FaultServer) -> None:
    """Its support asks for that name."""
    answer = b'{"created": 1700000000, "data": [{"url": "https://h.example/a.png"}]}'
    server.then(forever=catalogue.body_of(200, answer, x_request_id="req_7"))
    with dalle2.Client(KEY, base_url=server.origin) as client:
        assert client.generate("a fox").request_id == "req_7"


def test_the_first_calls_of_many_threads_find_logging_whole() -> None:
    """Eight threads call at once while another imports `logging`: none meets half of it."""
    code = (
        "import sys, threading, time\n"
        "assert 'logging' not in sys.modules\n"
        "import importlib.machinery as m\n"
        "class Slow(m.SourceFileLoader):\n"
        "    def exec_module(self, module):\n"
        "        time.sleep(0.1); super().exec_module(module)\n"
        "class Finder:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name != 'logging': return None\n"
        "        spec = m.PathFinder.find_spec(name, path)\n"
        "        spec.loader = Slow(spec.loader.name, spec.loader.path); return spec\n"
        "sys.meta_path.insert(0, Finder())\n"
        "from dalle2._state import Reporter\n"
        "failed = []\n"
        "def look():\n"
        "    try: Reporter().wanted('AttemptStarted')\n"
        "    except BaseException as error: failed.append(error)\n"
        "first = threading.Thread(target=__import__, args=('logging',)); first.start()\n"
        "while 'logging' not in sys.modules: time.sleep(0.001)\n"
        "threads = [threading.Thread(target=look) for _ in range(8)]\n"
        "[t.start() for t in threads]; [t.join() for t in threads]; first.join()\n"
        "assert failed == [], failed\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


@pytest.mark.parametrize("name", ["Content-Length", "transfer-encoding", "Connection"])
def test_a_header_that_frames_the_message_is_refused(name: str) -> None:
    """It is set by whoever sends; another would let an answer be taken for the next call's."""
    with pytest.raises(dalle2.ConfigurationError, match=f"header {name} frames the message"):
        dalle2.Client("sk-test", headers={name: "1"})


@pytest.mark.anyio
async def test_a_client_is_warm_with_no_call(server: FaultServer) -> None:
    """Nothing is sent for it, blocking and awaited."""
    with dalle2.Client("sk-test", base_url=server.origin) as client:
        client.warm_up()
    async with dalle2.AsyncClient("sk-test", base_url=server.origin) as awaited:
        await awaited.warm_up()
    assert server.connections == 0


def test_a_client_that_is_warm_loads_nothing_more(server: FaultServer) -> None:
    """After `warm_up()` a first call finds all modules there, blocking and awaited."""
    for code in (
        "client = dalle2.Client('sk-test', base_url={0!r}); client.warm_up(); before = set(sys.modules)\n"
        "client.generate('a fox')",
        "async def main():\n"
        "    global before\n"
        "    client = dalle2.AsyncClient('sk-test', base_url={0!r}); await client.warm_up()\n"
        "    before = set(sys.modules); await client.generate('a fox'); await client.aclose()\n"
        "asyncio.run(main())",
    ):
        script = (
            f"import asyncio, sys, dalle2\n{code.format(server.origin)}\n"
            "late = sorted(name for name in set(sys.modules) - before if not name.startswith('dalle2.'))\n"
            "assert late == [], late\n"
        )
        subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
