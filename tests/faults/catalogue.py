"""The faults, and what a client must make of each: by default never two bills, never a hang, never half
an image.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import attrs

from .server import Connection, FaultServer

Place = Callable[[FaultServer], contextlib.AbstractContextManager[str]]

PAGE = (
    b"<!DOCTYPE html><html><head><title>Oops</title></head><body>" + b"<p>nginx</p>" * 60 + b"</body></html>"
)


@attrs.frozen
class Post:
    """What a paid call comes to if the fault never ends. `tries` counts POSTs that reached the server."""

    error: str = ""
    reason: str | None = None
    maybe_billed: bool = False
    tries: int = 1
    billed: int = 0


@attrs.frozen
class Fetch:
    """What fetching an image comes to if the fault never ends."""

    error: str = "DownloadError"
    reason: str | None = None
    tries: int = 3


FINE = Post(tries=1, billed=1)
WHOLE = Fetch(error="", tries=1)


def lost(reason: str, *, billed: int = 1, tries: int = 1) -> Post:
    """Sent, and no readable answer: raised at once, with the outcome open."""
    return Post("OutcomeUnknownError", reason, True, tries, billed)


@attrs.frozen
class Fault:
    """One way in which an exchange goes wrong."""

    name: str
    act: Callable[[Connection], None]
    post: Post
    fetch: Fetch
    place: Place | None = None
    large: bool = False
    warm: bool = False
    deadline: float | None = None
    slow: bool = False
    untidy: bool = False
    """httpx leaves a generator half-way, of which trio warns; it can be reached by nobody else."""

    @property
    def id(self) -> str:
        """A name for test reports."""
        return self.name.replace(" ", "-").replace(",", "")


# --- what the server does ---


def reset_unread(c: Connection) -> None:
    """Reset before the program behind the socket has seen the request. The whole of it had left
    the client.
    """
    c.swallow()
    c.reset()


def reset_after_head(c: Connection) -> None:
    """Read a part of a large request and reset.

    The client is in the middle of its body then: asyncio's transports do not tell of a write that fails
    at once.
    """
    line, _, _ = c.head()
    for _ in range(8 if line.startswith("POST") else 0):
        c.sock.recv(65536)
    c.reset()


def reset_after_read(c: Connection) -> None:
    """Take the whole request, then reset."""
    c.read()
    c.reset()


def close_after_read(c: Connection) -> None:
    """Take the whole request, then close."""
    c.read()
    c.close()


def stall(c: Connection) -> None:
    """Take the whole request and fall silent."""
    c.read()
    c.hold()


def stall_in_body(c: Connection) -> None:
    """Fall silent in the middle of the answer."""
    c.read()
    c.reply(upto=len(c.good_body()) // 2)
    c.hold()


def drip(c: Connection) -> None:
    """Send the answer's body byte by byte."""
    c.read()
    c.reply(upto=8)
    c.drip(c.good_body()[8:])


def cut_with_length(c: Connection) -> None:
    """Close in the middle of a body whose length was said."""
    c.read()
    c.reply(upto=len(c.good_body()) // 2)
    c.close()


def cut_without_length(c: Connection) -> None:
    """Close in the middle of a body that ends with the connection."""
    c.read()
    c.reply(length=None, headers={"Connection": "close"}, upto=len(c.good_body()) // 2)
    c.close()


def cut_chunked(c: Connection) -> None:
    """Close in the middle of a chunked body."""
    c.read()
    half = c.good_body()[: len(c.good_body()) // 2]
    c.reply(200, b"%x\r\n%b\r\n" % (len(half), half), length=None, headers={"Transfer-Encoding": "chunked"})
    c.close()


def length_too_small(c: Connection) -> None:
    """Announce fewer bytes than are sent."""
    c.read()
    c.reply(length=len(c.good_body()) - 20)
    c.close()


def length_too_large(c: Connection) -> None:
    """Announce more bytes than are sent."""
    c.read()
    c.reply(length=len(c.good_body()) + 20)
    c.close()


def lying_gzip(c: Connection) -> None:
    """Say gzip and send something else."""
    c.read()
    c.reply(headers={"Content-Encoding": "gzip"})


def plain_text(c: Connection) -> None:
    """Speak before being asked, and not TLS."""
    c.send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
    c.close()


def garbage(c: Connection) -> None:
    """Answer with what is not HTTP."""
    c.read()
    c.send(b"SSH-2.0-OpenSSH_9.6\r\n")
    c.close()


def body_of(status: int, body: bytes, **headers: str) -> Callable[[Connection], None]:
    """Answer a request that was carried out with this instead of the right thing."""
    fields = {name.replace("_", "-"): value for name, value in headers.items()}

    def act(c: Connection) -> None:
        c.read()
        c.reply(status, body, headers=fields)

    return act


def refusal(status: int, error: dict[str, object], **headers: str) -> Callable[[Connection], None]:
    """Refuse a request in the API's own words."""
    fields = {name.replace("_", "-"): value for name, value in headers.items()}

    def act(c: Connection) -> None:
        c.read(bill=False)
        c.reply(status, json.dumps({"error": {"param": None, **error}}).encode(), headers=fields)

    return act


def redirect(status: int) -> Callable[[Connection], None]:
    """Send the request elsewhere; the image is there."""

    def act(c: Connection) -> None:
        moved = c.peek_target() == "/moved"
        request = c.read(bill=moved)
        if not moved:
            c.reply(status, b"", headers={"Location": "/moved"})
        elif request.method == "GET" and request.headers.get("accept") == "application/json":
            c.reply(405, b'{"error": {"message": "Method not allowed.", "type": "x"}}')
        else:
            c.reply(200)

    return act


def redirect_for_ever(c: Connection) -> None:
    """Send the request round in circles."""
    request = c.read(bill=False)
    c.reply(302, b"", headers={"Location": request.target + "x"})


def close_when_idle(c: Connection) -> None:
    """Answer well, then close the connection that the client keeps."""
    c.read()
    c.reply()
    c.close()


def drip_head(c: Connection) -> None:
    """Send the head of an answer byte by byte."""
    c.read()
    c.drip(b"HTTP/1.1 200 OK\r\n" + b"X-Padding: none\r\n" * 500)


def interim_for_ever(c: Connection) -> None:
    """Send nothing but interim answers."""
    c.read()
    while not c.server.stopping.is_set():
        c.send(b"HTTP/1.1 102 Processing\r\n\r\n" * 100)


def more_than_asked(c: Connection) -> None:
    """Answer well, and go on speaking."""
    c.read()
    body = c.good_body()
    kind = b"application/json" if body[:1] == b"{" else b"image/png"
    head = b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\nContent-Length: %d\r\n\r\n" % (kind, len(body))
    c.send(head + body + b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")


def refuse_without_end(c: Connection) -> None:
    """Refuse, in a body that never ends (after 8 MiB it breaks off, for those who read all of it)."""
    c.read(bill=False)
    c.reply(429, b"", length=None, headers={"Transfer-Encoding": "chunked"})
    said = json.dumps({"error": _LIMIT}).encode()
    c.send(b"%x\r\n%b\r\n" % (len(said), said))
    for _ in range(128):
        c.send(b"10000\r\n" + b" " * 65536 + b"\r\n")
    c.close()


def packed_twice(c: Connection) -> None:
    """Pack the answer twice, as one does to fill a memory."""
    c.read()
    c.reply(200, gzip.compress(gzip.compress(c.good_body())), headers={"Content-Encoding": "gzip, gzip"})


# --- where the server is ---


@contextmanager
def nowhere(server: FaultServer) -> Iterator[str]:
    """A port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{probe.getsockname()[1]}"


@contextmanager
def unknown_name(server: FaultServer) -> Iterator[str]:
    """A name that does not resolve."""
    real = socket.getaddrinfo

    def refuse(host: object, *args: object, **options: object) -> object:
        if host in ("nowhere.invalid", b"nowhere.invalid"):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return real(host, *args, **options)  # type: ignore[arg-type]

    socket.getaddrinfo = refuse  # type: ignore[assignment]
    try:
        yield f"http://nowhere.invalid:{server.port}"
    finally:
        socket.getaddrinfo = real


@contextmanager
def full_queue(server: FaultServer) -> Iterator[str]:
    """A server that does not accept: its queue is full, and connecting takes for ever."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@contextmanager
def as_https(server: FaultServer) -> Iterator[str]:
    """TLS is spoken to a server that does not speak it."""
    yield f"https://127.0.0.1:{server.port}"


# --- the list ---

_LIMIT: dict[str, object] = {
    "message": "Rate limit reached.",
    "type": "requests",
    "code": "rate_limit_exceeded",
}
_QUOTA: dict[str, object] = {
    "message": "You exceeded your current quota.",
    "type": "insufficient_quota",
    "code": "insufficient_quota",
}
_ERROR: dict[str, object] = {"message": "The server had an error.", "type": "server_error", "code": None}
_BUSY: dict[str, object] = {
    "message": "Overloaded.",
    "type": "service_unavailable_error",
    "code": "overloaded",
}
_OTHER = json.dumps(
    {"error": {"message": "upstream call failed", "type": "new_api_error", "code": "x"}}
).encode()
_CLOUDFLARE = json.dumps(
    {"type": "about:blank", "title": "Error 502", "status": 502, "cloudflare_error": True, "retryable": True}
).encode()

_UNREACHABLE = Fetch(reason="unreachable")
_TRUNCATED = Fetch(reason="truncated")
_TIMEOUT = Fetch(reason="timeout")
_TIMEOUT_ONCE = Fetch(reason="timeout", tries=1)
_NO_IMAGE = Fetch(reason="not_an_image", tries=1)
_NO_IMAGE_YET = Fetch(reason="not_an_image")
_STATUS = Fetch(reason="status")
_STATUS_ONCE = Fetch(reason="status", tries=1)


def _refused(error: str, *, tries: int = 3) -> Post:
    return Post(error, None, False, tries, 0)


FAULTS: tuple[Fault, ...] = (
    Fault(
        "connection refused",
        reset_unread,
        Post("APIConnectionError", tries=0),
        Fetch(reason="unreachable", tries=0),
        place=nowhere,
    ),
    Fault(
        "name does not resolve",
        reset_unread,
        Post("APIConnectionError", tries=0),
        Fetch(reason="unreachable", tries=0),
        place=unknown_name,
    ),
    Fault(
        "connect timeout",
        reset_unread,
        Post("ConnectTimeoutError", tries=0),
        Fetch(reason="timeout", tries=0),
        place=full_queue,
        slow=True,
    ),
    Fault(
        "TLS failure",
        plain_text,
        Post("APIConnectionError", tries=0),
        Fetch(reason="unreachable", tries=0),
        place=as_https,
    ),
    Fault(
        "reset before the request was read",
        reset_unread,
        lost("disconnected", billed=0, tries=0),
        Fetch(reason="unreachable", tries=0),
    ),
    Fault(
        "large request, reset half-way",
        reset_after_head,
        Post("APIConnectionError", tries=0),
        Fetch(reason="unreachable", tries=0),
        large=True,
        untidy=True,
    ),
    Fault("reset after the request was read", reset_after_read, lost("disconnected"), _UNREACHABLE),
    Fault("closed after the request was read", close_after_read, lost("disconnected"), _UNREACHABLE),
    Fault("kept connection closed while idle", close_when_idle, FINE, WHOLE, warm=True),
    Fault(
        "kept connection reset by the next request",
        reset_unread,
        lost("disconnected", billed=0, tries=0),
        Fetch(reason="unreachable", tries=0),
        warm=True,
    ),
    Fault("no answer", stall, lost("timeout"), _TIMEOUT, slow=True),
    Fault("silence in the body", stall_in_body, lost("timeout"), _TIMEOUT, slow=True),
    Fault("slow drip", drip, lost("timeout"), Fetch(reason="timeout", tries=1), deadline=0.4, slow=True),
    Fault("dripped head", drip_head, lost("timeout"), _TIMEOUT_ONCE, deadline=0.4, slow=True),
    Fault("interim answers without end", interim_for_ever, lost("unreadable"), _NO_IMAGE_YET, deadline=5.0),
    Fault("more bytes than were asked for", more_than_asked, FINE, WHOLE, warm=True),
    Fault("packed twice", packed_twice, lost("unreadable"), _NO_IMAGE),
    Fault("429 without end", refuse_without_end, _refused("RateLimitError"), _STATUS),
    Fault("body cut, length said", cut_with_length, lost("disconnected"), _TRUNCATED),
    Fault("body cut, no length", cut_without_length, lost("unreadable"), _TRUNCATED),
    Fault("body cut, chunked", cut_chunked, lost("disconnected"), _TRUNCATED),
    Fault("length too small", length_too_small, lost("unreadable"), _TRUNCATED),
    Fault("length too large", length_too_large, lost("disconnected"), _TRUNCATED),
    Fault("gzip that is none", lying_gzip, lost("unreadable"), Fetch(reason="not_an_image"), untidy=True),
    Fault("not HTTP at all", garbage, lost("disconnected"), _UNREACHABLE),
    Fault("200 with a web page", body_of(200, PAGE, Content_Type="text/html"), lost("unreadable"), _NO_IMAGE),
    Fault("200, empty", body_of(200, b""), lost("unreadable"), _NO_IMAGE),
    Fault(
        "200, half a JSON document",
        body_of(200, b'{"created": 1, "data": [{"ur'),
        lost("unreadable"),
        _NO_IMAGE,
    ),
    Fault(
        "200, JSON and more",
        body_of(200, b'{"created": 1, "data": []}{"created"'),
        lost("unreadable"),
        _NO_IMAGE,
    ),
    Fault(
        "200, JSON of another shape",
        body_of(200, b'{"status": "ok"}'),
        Post("DecodeError", None, True, 1, 1),
        _NO_IMAGE,
    ),
    Fault(
        "200 without images",
        body_of(200, b'{"created": 1, "data": []}'),
        Post("DecodeError", None, True, 1, 1),
        _NO_IMAGE,
    ),
    *(
        Fault(
            f"redirect {status}",
            redirect(status),
            _refused("APIStatusError", tries=1),
            Fetch(error="", tries=2),
        )
        for status in (301, 302, 303, 307, 308)
    ),
    Fault(
        "redirect without end",
        redirect_for_ever,
        _refused("APIStatusError", tries=1),
        Fetch(reason="forbidden", tries=4),
    ),
    Fault(
        "401",
        refusal(
            401, {"message": "Incorrect API key.", "type": "invalid_request_error", "code": "invalid_api_key"}
        ),
        _refused("AuthenticationError", tries=1),
        _STATUS_ONCE,
    ),
    Fault("408", refusal(408, {"message": "Timeout.", "type": "x"}), _refused("APIStatusError"), _STATUS),
    Fault(
        "409", refusal(409, {"message": "Conflict.", "type": "x"}), _refused("ConflictError"), _STATUS_ONCE
    ),
    Fault("429", refusal(429, _LIMIT), _refused("RateLimitError"), _STATUS),
    Fault("429, wait 10 ms", refusal(429, _LIMIT, Retry_After_Ms="10"), _refused("RateLimitError"), _STATUS),
    Fault(
        "429, wait an hour",
        refusal(429, _LIMIT, Retry_After="3600"),
        _refused("RateLimitError", tries=1),
        _STATUS_ONCE,
    ),
    Fault("429, no quota left", refusal(429, _QUOTA), _refused("QuotaExceededError", tries=1), _STATUS),
    Fault("500 server_error", refusal(500, _ERROR), _refused("InternalServerError"), _STATUS),
    Fault(
        "500 of another kind", body_of(500, _OTHER), Post("InternalServerError", None, True, 1, 1), _STATUS
    ),
    Fault("502 web page", body_of(502, PAGE, Content_Type="text/html"), lost("gateway"), _STATUS),
    Fault(
        "502 Cloudflare JSON",
        body_of(502, _CLOUDFLARE, Content_Type="application/problem+json"),
        lost("gateway"),
        _STATUS,
    ),
    Fault("503 from the API", refusal(503, _BUSY), _refused("InternalServerError"), _STATUS),
    Fault("503 web page", body_of(503, PAGE, Content_Type="text/html"), lost("gateway"), _STATUS),
    Fault("504 web page", body_of(504, PAGE, Content_Type="text/html"), lost("gateway"), _STATUS),
    Fault("524 web page", body_of(524, PAGE, Content_Type="text/html"), lost("gateway"), _STATUS),
)
