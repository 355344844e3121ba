"""HTTP as plain values: what is to be sent, what came back, what went wrong on the way.

The rule: nothing here (or below) knows an HTTP library, and nothing here does I/O. `_transport` turns these
values into traffic; `_core` turns questions into these values. A secret is a `Secret` until the moment it is
put on the wire, so that no `repr`, traceback with locals, log line or pickle can show it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, Literal, NamedTuple, NoReturn, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime
    from typing import Protocol

    from ._form import Form
    from .errors import Dalle2Error

    class Body(Protocol):
        """A body that has been read: a JSON document, or at least its beginning as text."""

        def document(self) -> object:
            """The JSON document; `ValueError` if the body is not exactly one complete document."""

        def text(self) -> str:
            """The beginning of the body as text, for messages."""

    class Lost(Protocol):
        """Gives the error of an exchange that broke off; `response` is its head, if that had come."""

        def __call__(self, failure: Failure, response: HttpResponse | None = None) -> Dalle2Error:
            """The error."""


T = TypeVar("T")


class Secret:
    """A text that never shows itself; `reveal()` is called where the request is put on the wire."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself."""
        return self._text

    def __repr__(self) -> str:
        return "Secret('***')"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is never pickled")


class HttpRequest:
    """One request, whole. `content` is a JSON body, `form` a multipart one; never both."""

    __slots__ = ("content", "form", "headers", "method", "url")

    def __init__(
        self,
        method: str,
        url: str,
        headers: tuple[tuple[str, str | Secret], ...] = (),
        content: bytes | None = None,
        form: Form | None = None,
    ) -> None:
        self.method = method
        self.url = url
        self.headers = headers
        self.content = content
        self.form = form

    def __repr__(self) -> str:
        return f"<{self.method} {self.url} {self.headers}, <{len(self.content or b'')} bytes>>"


class HttpResponse:
    """One answer, whole. Header names are lower-case; `at` is when it had come (local clock, aware, UTC)."""

    __slots__ = ("at", "body", "headers", "status")

    def __init__(self, status: int, headers: Mapping[str, str], body: Body, at: datetime) -> None:
        self.status = status
        self.headers = headers
        self.body = body
        self.at = at


class Timeouts(NamedTuple):
    """Seconds for each phase, `None` for no limit; the same meaning as in httpx."""

    connect: float | None
    read: float | None
    write: float | None
    pool: float | None

    def within(self, remaining: float | None) -> Timeouts:
        """The same limits, none of them longer than what is left of a deadline."""
        if remaining is None:
            return self
        left = max(remaining, 0.001)
        return Timeouts(*(left if limit is None else min(limit, left) for limit in self))


FailureKind = Literal[
    "connect", "connect_timeout", "timeout", "disconnected", "unreadable", "refused_address"
]


class Failure(NamedTuple):
    """An exchange that ended without an answer.

    `sent` is `False` only when the request certainly did not leave whole, so that no server can have carried
    it out.
    """

    kind: FailureKind
    sent: bool
    detail: str


class TransportError(Exception):
    """Carries a `Failure` from the transport to the core; it never reaches a caller."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.detail)
        self.failure = failure


class Call(Generic[T]):
    """One logical call: its request, how to read its answer, and what a failure on the way means.

    `decode` and `lost` are pure; `decode` raises the error of an answer that says no, `lost` returns the
    error of an answer that never came. `paid` says whether carrying it out costs money, which decides what
    may be repeated. `lane` names the host, key and model whose rate limit the call shares with others.
    """

    __slots__ = (
        "decode", "host", "idempotency_key", "images", "lane", "lost", "model", "operation", "paid",
        "request", "usd",
    )  # fmt: skip

    def __init__(
        self,
        request: HttpRequest,
        decode: Callable[[HttpResponse], T],
        lost: Lost,
        paid: bool,
        lane: str,
        idempotency_key: str | None = None,
        operation: str = "",
        model: str = "",
        host: str = "",
        images: int = 0,
        usd: float | None = None,
    ) -> None:
        self.request = request
        self.decode = decode
        self.lost = lost
        self.paid = paid
        self.lane = lane
        self.idempotency_key = idempotency_key
        self.operation = operation
        self.model = model
        self.host = host
        self.images = images
        self.usd = usd
