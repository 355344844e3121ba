"""The server that all subjects talk to: on loopback, in a process of its own, never the bottleneck.

The rule: every answer is built before it is needed, and a request is looked at no further than its path and
length. The path's first parts say what is answered, so that any client can ask for it by its base URL:

    /url/SIZE/v1        POST: one image by URL, of about SIZE bytes
    /slow/MS/v1         the same after about so many milliseconds, as if someone drew
    /b64/COUNTxSIZE/v1  POST: that many images in base64
    /image/SIZE.png     GET: the image
    /paced/N-NAME/v1    POST: one image by URL, of at most N a minute; GET /paced/N-NAME/told: how it went

Run by `measuring.server`: prints its two ports, for http and https, and ends when its input ends.
"""

from __future__ import annotations

import asyncio
import base64
import functools
import itertools
import json
import ssl
import sys
import tempfile
import time
from email.utils import formatdate
from pathlib import Path
from typing import BinaryIO

from pictures import png

LARGE = 262_144
"""Answers above this many bytes are sent by the kernel from a file, where there is no TLS."""

UNEVEN = itertools.cycle((0.5, 1.3, 0.9, 1.5, 0.7, 1.1))
"""How much longer or shorter than said an answer takes, in turn, so that calls do not march in step."""


TOGETHER = 2.0
"""So many images may come together where a host limits them."""

REFUSAL = json.dumps(
    {
        "error": {
            "message": "Rate limit exceeded for images per minute",
            "type": "requests",
            "param": None,
            "code": "rate_limit_exceeded",
        }
    }
).encode()


def head(size: int, kind: str, second: int, status: str = "200 OK") -> bytes:
    """The first lines of an answer, much like those of the real API."""
    lines = (
        f"HTTP/1.1 {status}",
        f"date: {formatdate(second, usegmt=True)}",
        f"content-type: {kind}",
        f"content-length: {size}",
        "openai-version: 2020-10-01",
        "openai-processing-ms: 5120",
        "x-request-id: req_0123456789abcdef0123456789abcdef",
        "strict-transport-security: max-age=31536000; includeSubDomains; preload",
        "cf-cache-status: DYNAMIC",
        "server: bench",
    )
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


@functools.cache
def image(size: int) -> bytes:
    """The image of about this size."""
    return png(size)


@functools.cache
def base64_answer(count: int, size: int) -> bytes:
    """An answer that brings its images along."""
    row = {"b64_json": base64.b64encode(image(size)).decode()}
    return json.dumps({"created": 1_700_000_000, "data": [row] * count}).encode()


@functools.lru_cache(maxsize=64)
def url_answer(origin: str, size: int, second: int) -> bytes:
    """An answer that names its image, head and all."""
    url = f"{origin}/image/{size}.png?se=2099-01-01T00%3A00%3A00Z&sig=q83vEjRWeJA%3D"
    body = json.dumps({"created": second, "data": [{"url": url}]}).encode()
    return head(len(body), "application/json", second) + body


@functools.cache
def in_file(body: bytes) -> BinaryIO:
    """The same bytes as an open file."""
    file = tempfile.TemporaryFile()  # noqa: SIM115 - held for the life of the process
    file.write(body)
    file.flush()
    return file


class Allowance:
    """A host's limit of images a minute, strictly kept: a bucket that holds two images, so that two clients
    that do not know of each other are refused half of what they ask.
    """

    def __init__(self, per_minute: int) -> None:
        self.rate = per_minute / 60
        self.left = TOGETHER
        self.at = time.monotonic()
        self.passed: list[float] = []
        self.refused = 0

    def passes(self) -> bool:
        """Whether one more image is allowed now."""
        now = time.monotonic()
        self.left, self.at = min(TOGETHER, self.left + (now - self.at) * self.rate), now
        if self.left < 1:
            self.refused += 1
            return False
        self.left -= 1
        self.passed.append(now)
        return True

    def told(self) -> bytes:
        """How it went: the images, the 429s, and the share of the allowance that was used."""
        span = self.passed[-1] - self.passed[0]
        used = (len(self.passed) - 1) / span / self.rate
        return json.dumps({"images": len(self.passed), "refused": self.refused, "used": used}).encode()


@functools.cache
def allowance(name: str) -> Allowance:
    """The limit of that name, `N-NAME`."""
    return Allowance(int(name.partition("-")[0]))


class Connection(asyncio.Protocol):
    """One connection of a client; it may send its requests one after another."""

    def __init__(self, secure: bool) -> None:
        self.secure = secure
        self.buffer = b""
        self.missing = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        port = transport.get_extra_info("sockname")[1]
        self.origin = f"{'https' if self.secure else 'http'}://127.0.0.1:{port}"

    def data_received(self, data: bytes) -> None:
        """Answer each request that is here whole."""
        self.buffer += data
        while self.buffer:
            top, found, rest = self.buffer.partition(b"\r\n\r\n")
            if not found:
                return
            at = top.lower().find(b"content-length:")
            length = int(top[at + 15 :].partition(b"\r\n")[0]) if at >= 0 else 0
            if len(rest) < length:
                return
            self.buffer = rest[length:]
            self.answer(top.partition(b" ")[2].partition(b" ")[0].decode())

    def answer(self, target: str) -> None:
        """Send what a path stands for, at once or when it is time."""
        _, kind, what, *rest = target.split("/")
        second = int(time.time())
        if kind == "url":
            self.transport.write(url_answer(self.origin, int(what), second))
        elif kind == "slow":
            answer = url_answer(self.origin, 1024, second)
            delay = int(what) / 1000 * next(UNEVEN)
            asyncio.get_running_loop().call_later(delay, self.transport.write, answer)
        elif kind == "paced" and rest == ["told"]:
            self.send(allowance(what).told(), "application/json", second)
        elif kind == "paced" and not allowance(what).passes():
            self.send(REFUSAL, "application/json", second, "429 Too Many Requests")
        elif kind == "paced":
            self.transport.write(url_answer(self.origin, 1024, second))
        elif kind == "b64":
            count, _, size = what.partition("x")
            self.send(base64_answer(int(count), int(size)), "application/json", second)
        else:
            self.send(image(int(what.partition(".")[0])), "image/png", second)

    def send(self, body: bytes, kind: str, second: int, status: str = "200 OK") -> None:
        """Send an answer of any size."""
        self.transport.write(head(len(body), kind, second, status))
        if self.secure or len(body) < LARGE:
            self.transport.write(body)
            return
        work = asyncio.get_running_loop().sendfile(self.transport, in_file(body))
        self.sending = asyncio.ensure_future(work)
        self.sending.add_done_callback(lambda done: done.cancelled() or done.exception())


async def serve(certificate: Path) -> None:
    """Serve http and https until the standard input ends."""
    loop = asyncio.get_running_loop()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    plain = await loop.create_server(lambda: Connection(False), "127.0.0.1", 0, backlog=4096)
    safe = await loop.create_server(lambda: Connection(True), "127.0.0.1", 0, backlog=4096, ssl=context)
    ports = [server.sockets[0].getsockname()[1] for server in (plain, safe)]
    print(*ports, flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
