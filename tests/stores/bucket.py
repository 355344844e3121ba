"""A bucket on loopback that speaks as much of S3 as a put needs, and fails as it is told."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

Fault = Callable[["_Handler", bytes], bool]
"""What happens to the next put in place of the usual; true if that was all."""


class Bucket(ThreadingHTTPServer):
    """The bucket `pictures`, empty."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.objects: dict[str, tuple[bytes, str]] = {}
        self.conditions = "kept"
        """What it makes of `If-None-Match`: `"kept"`, `"ignored"` or `"refused"`."""
        self.forbidden: set[str] = set()
        """The methods that these credentials may not use; listing is `LIST`."""
        self.broken: tuple[int, str] | None = None
        """With what everything is answered."""
        self.puts: list[Fault] = []
        """What happens to the next puts."""
        self.asked: list[tuple[str, str]] = []
        self.begun, self.reads = threading.Event(), threading.Event()
        """A put began; what is put is read (set unless a test holds it back)."""
        self.reads.set()
        self.lock = threading.Lock()

    @property
    def endpoint(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Bucket

    def handle(self) -> None:
        try:
            super().handle()
        except OSError:
            self.close_connection = True  # who asked has gone

    def answer(
        self, status: int, body: bytes = b"", kind: str = "application/xml", size: int | None = None
    ) -> None:
        """Send an answer."""
        self.send_response_only(status)
        self.send_header("ETag", '"1"')
        self.send_header("Last-Modified", "Thu, 26 Nov 2026 10:00:00 GMT")
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body) if size is None else size))
        self.end_headers()
        self.wfile.write(body)

    def no(self, status: int, code: str = "") -> None:
        """Send a refusal, with what a careless store would repeat in it."""
        said = f"<Error><Code>{code}</Code><Message>{self.headers.get('authorization')}</Message></Error>"
        self.answer(status, said.encode() if code and self.command != "HEAD" else b"")

    def drop(self) -> None:
        """Close the connection without an answer."""
        self.close_connection = True

    def keep(self, data: bytes) -> bool:
        """Keep an object if its condition holds."""
        said = (
            self.headers.get("if-none-match") == "*" or self.headers.get("x-goog-if-generation-match") == "0"
        )
        conditional = said and self.server.conditions == "kept"
        with self.server.lock:
            if conditional and self.key in self.server.objects:
                return False
            self.server.objects[self.key] = data, self.headers.get("content-type", "")
        return True

    @property
    def key(self) -> str:
        """The key that is asked for."""
        return unquote(urlsplit(self.path).path).removeprefix("/pictures").removeprefix("/")

    def _go(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        if self.command == "PUT":
            self.server.begun.set()
            self.server.reads.wait(20)
        data = self.rfile.read(length)
        if len(data) < length:  # who sent it has gone: a part is no object
            self.drop()
            return
        query = parse_qs(urlsplit(self.path).query, keep_blank_values=True)
        method = "LIST" if "list-type" in query else "DELETE" if "delete" in query else self.command
        self.server.asked.append((method, self.key))
        if self.server.broken is not None:
            self.no(*self.server.broken)
        elif not unquote(self.path).startswith("/pictures"):
            self.no(404, "NoSuchBucket")
        elif method in self.server.forbidden:
            self.no(403, "AccessDenied")
        elif method == "PUT":
            self._put(data)
        elif method == "LIST":
            self._list(query.get("prefix", [""])[0])
        elif method == "DELETE":
            key = data.decode().partition("<Key>")[2].partition("</Key>")[0]
            self.server.objects.pop(key, None)
            self.answer(200, f"<DeleteResult><Deleted><Key>{key}</Key></Deleted></DeleteResult>".encode())
        elif self.key not in self.server.objects:
            self.no(404, "NoSuchKey")
        else:
            content, kind = self.server.objects[self.key]
            head = method == "HEAD"
            self.answer(200, b"" if head else content, kind, size=len(content))

    def _put(self, data: bytes) -> None:
        if self.server.puts and self.server.puts.pop(0)(self, data):
            return
        if self.headers.get("if-none-match") and self.server.conditions == "refused":
            self.no(501, "NotImplemented")
        elif self.keep(data):
            self.answer(200)
        else:
            self.no(412, "PreconditionFailed")

    def _list(self, prefix: str) -> None:
        found = "".join(
            f"<Contents><Key>{escape(key)}</Key><Size>{len(data)}</Size><ETag>1</ETag>"
            "<LastModified>2026-11-26T10:00:00Z</LastModified></Contents>"
            for key, (data, _) in sorted(self.server.objects.items())
            if key.startswith(prefix)
        )
        self.answer(
            200, f"<ListBucketResult><IsTruncated>false</IsTruncated>{found}</ListBucketResult>".encode()
        )

    do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = _go

    def log_message(self, format: str, *args: object) -> None:
        """Print nothing."""


@contextmanager
def serving() -> Iterator[Bucket]:
    """A bucket until the block ends."""
    with Bucket() as bucket:
        thread = threading.Thread(target=bucket.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield bucket
        finally:
            bucket.shutdown()
            thread.join()


def lost(handler: _Handler, data: bytes) -> bool:
    """It lands, and the answer is lost."""
    handler.keep(data)
    handler.drop()
    return True


def cut(handler: _Handler, data: bytes) -> bool:
    """It does not land, and there is no answer."""
    handler.drop()
    return True


def says(status: int, code: str = "", *, landed: bool = False) -> Fault:
    """It is answered with a no, landed or not."""

    def fault(handler: _Handler, data: bytes) -> bool:
        if landed:
            handler.keep(data)
        handler.no(status, code)
        return True

    return fault


def meanwhile(other: bytes) -> Fault:
    """Somebody else's object lands first."""

    def fault(handler: _Handler, data: bytes) -> bool:
        handler.server.objects[handler.key] = other, "image/png"
        return False

    return fault
