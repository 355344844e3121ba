"""The values that go in and out of the emulator, and the records that it keeps.

The rule: these are plain data. How they travel (a real socket, an httpx transport) is decided in
`_server.py` and `_clients.py`; what they mean is decided in `_app.py`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Literal, Protocol

import attrs

Cause = Literal["disconnect", "timeout"]


@attrs.frozen
class EmulatedRequest:
    """One HTTP request as the emulator sees it; also the record kept in `Emulator.requests`."""

    __module__ = "dalle2.testing"

    method: str
    origin: str
    """Scheme, host and port that were called, such as `https://api.openai.com`."""
    path: str
    query: str = ""
    headers: dict[str, str] = attrs.field(factory=dict)
    """Names in lower case."""
    body: bytes = attrs.field(default=b"", repr=lambda body: f"<{len(body)} bytes>")
    served: bool = False
    """Whether it came over a real socket; then images live on the server's own origin."""

    def json(self) -> dict[str, object]:
        """The body as a JSON object, for assertions; `ValueError` if it is none."""
        try:
            value = json.loads(self.body)
        except RecursionError:
            raise ValueError("the body is JSON that is nested too deep") from None
        if not isinstance(value, dict):
            raise ValueError(f"the body is JSON, but a {type(value).__name__} and no object")
        return value


@attrs.frozen
class Loss:
    """How an answer gets lost: the connection breaks, or nothing more comes."""

    after_bytes: int | None = None
    """`None` sends nothing at all; a number sends the head and so many bytes of the body first."""
    cause: Cause = "disconnect"


@attrs.frozen
class EmulatedResponse:
    """One answer: `chunks` instead of `body` is sent piece by piece.

    It begins after `delay` seconds, and each chunk takes `pause` seconds.
    """

    __module__ = "dalle2.testing"

    status: int
    headers: dict[str, str] = attrs.field(factory=dict)
    body: bytes = attrs.field(default=b"", repr=lambda body: f"<{len(body)} bytes>")
    chunks: Iterator[bytes] | None = None
    loss: Loss | None = None
    delay: float = 0.0
    pause: float = 0.0


@attrs.frozen
class BilledRequest:
    """One request that the emulator carried out, whether or not its answer arrived."""

    __module__ = "dalle2.testing"

    prompt: str
    """Empty for a variation."""
    n: int
    model: str
    idempotency_key: str | None
    operation: str
    """`"generate"`, `"edit"`, `"vary"` or `"respond"`."""
    size: str
    request_id: str
    at: datetime
    batch: str | None = None
    """The batch that it was a line of; such a line costs half."""


def json_response(
    value: object, *, status: int = 200, headers: dict[str, str] | None = None
) -> EmulatedResponse:
    """An answer with a JSON body, laid out as the vendor does: indented, and `&` escaped."""
    text = json.dumps(value, indent=2, ensure_ascii=False).replace("&", "\\u0026") + "\n"
    return EmulatedResponse(status, {"Content-Type": "application/json", **(headers or {})}, text.encode())


class Answers(Protocol):
    """What an emulator is for those who carry its answers."""

    @property
    def persona(self) -> str:
        """The host that it imitates."""

    def handle(self, request: EmulatedRequest) -> EmulatedResponse:
        """The answer to one request."""
