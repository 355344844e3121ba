"""What every test gets: an environment without hosts and keys, so that none can be called by accident."""

from __future__ import annotations

import json
import signal
import socketserver
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from http.server import BaseHTTPRequestHandler

import pytest

with suppress(ImportError):  # the tests with other people's software go without it
    import hypothesis

    hypothesis.settings.register_profile("steady", deadline=None)  # no test of ours measures time
    hypothesis.settings.load_profile("steady")

for _name in {"SIGINT", "SIGHUP", "SIGTERM"} & vars(signal).keys():  # no SIGHUP in Windows
    if signal.getsignal(getattr(signal, _name)) is signal.SIG_IGN:  # as in a shell's job in the background
        usual = signal.default_int_handler if _name == "SIGINT" else signal.SIG_DFL
        signal.signal(getattr(signal, _name), usual)  # each child inherits it

VARIABLES = (
    "OPENAI_API_KEY",
    "OPENAI_BASE_URL",
    "OPENAI_ORG_ID",
    "OPENAI_PROJECT_ID",
    "COMETAPI_KEY",
    "COMETAPI_API_KEY",
    "COMETAPI_BASE_URL",
    "DALLE2_PROVIDER",
    "DALLE2_MODEL",
    "DALLE2_SUCCESSOR",
)
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No provider, key or proxy is taken from the machine that the tests run on."""
    for name in (*VARIABLES, *PROXIES, *(name.upper() for name in PROXIES)):
        monkeypatch.delenv(name, raising=False)


class ScriptedHost:
    """A host on loopback that answers what it was told to, in order, and keeps what it was asked.

    A body that is no bytes or list is sent as JSON; a list is sent chunk by chunk. With `cut` the connection
    breaks after the last chunk; with `held` it stays open until the client goes away, which sets `gone`.
    """

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, bytes]] = []
        self.gone = threading.Event()
        self.origin = ""
        self._answers: list[tuple[int, list[bytes], str, bool, bool]] = []

    @property
    def base_url(self) -> str:
        """What to give a client."""
        return self.origin + "/v1"

    def say(
        self,
        body: object = b"",
        *,
        status: int = 200,
        kind: str = "application/json",
        cut: bool = False,
        held: bool = False,
    ) -> None:
        """Put one answer in the queue; the last one is given again and again."""
        if isinstance(body, bytes):
            chunks = [body]
        elif isinstance(body, Sequence) and not isinstance(body, str):
            chunks = list(body)
        else:
            chunks = [json.dumps(body).encode()]
        self._answers.append((status, chunks, kind, cut, held))

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        """Answer one request."""
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        self.asked.append((handler.command, handler.path, body))
        status, chunks, kind, cut, held = self._answers[0]
        if len(self._answers) > 1:
            self._answers.pop(0)
        handler.send_response_only(status)
        handler.send_header("Content-Type", kind)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        for chunk in filter(None, chunks):
            handler.wfile.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
            handler.wfile.flush()
        if held and not handler.rfile.read(1):
            self.gone.set()
        if cut or held:
            handler.close_connection = True
        else:
            handler.wfile.write(b"0\r\n\r\n")


@pytest.fixture
def host() -> Iterator[ScriptedHost]:
    """A host on loopback to be told what to answer."""
    scripted = ScriptedHost()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        do_GET = do_POST = lambda self: scripted.answer(self)

        def log_message(self, format: str, *args: object) -> None:
            """Print nothing."""

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = True
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """A client that goes away is what some tests are about."""

    with Server(("127.0.0.1", 0), Handler) as server:
        scripted.origin = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield scripted
        server.shutdown()
        thread.join()
