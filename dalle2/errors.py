"""Every error that this package raises, as plain data.

The tree decides what a caller may do next, and each class keeps one promise:

    Dalle2Error                      .maybe_billed: could this have cost money?
    ├─ ConfigurationError            a client that cannot work: no key, bad base URL
    ├─ InvalidRequestError           refused before sending (also a ValueError): .field, .allowed
    ├─ DecodeError                   a complete answer of the wrong shape: .path, .body
    ├─ DownloadError                 an image could not be fetched: .reason, .status_code
    │  └─ ImageExpiredError          its URL is dead: .expires_at
    ├─ BudgetExceededError           the next call would pass the limit that the caller set
    ├─ JournalError                  a journal of `dalle2.bulk` that cannot be used
    └─ APIError
       ├─ APIConnectionError         certainly not carried out: safe to repeat
       │  └─ ConnectTimeoutError     no connection in time, or none free in the pool
       ├─ OutcomeUnknownError        sent, no readable answer: may have been billed; .body
       └─ APIStatusError             an answer that says no: .status_code, .code, .type, .param, ...
          ├─ BadRequestError
          │  ├─ ContentPolicyError   .categories, .stage
          │  └─ ModelRetiredError    .model, .replacement
          ├─ AuthenticationError, PermissionDeniedError, NotFoundError
          ├─ ConflictError, UnprocessableEntityError
          ├─ RateLimitError
          │  └─ QuotaExceededError   permanent: waiting does not help
          └─ InternalServerError

No HTTP library is known here. All of them pickle, keyword arguments included, because task queues and process
pools carry exceptions between processes.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from pathlib import Path
    from typing import Any, Literal, Self

    from ._types import KeptImage as KeptImage
    from ._types import SentRequest as SentRequest


class Dalle2Error(Exception):
    """The base of all errors of this package.

    `maybe_billed` tells whether the call behind it could have cost money. `images` holds the images that were
    paid for and could be read before the error (empty if there were none): they can be saved as usual.
    """

    maybe_billed: bool = False

    def __init__(
        self, message: str, *, maybe_billed: bool | None = None, images: Sequence[KeptImage] = ()
    ) -> None:
        super().__init__(message)
        if maybe_billed is not None:
            self.maybe_billed = maybe_billed
        self.images = images

    @property
    def message(self) -> str:
        """The message alone, as `str()` gives it."""
        return str(self.args[0])

    def _render_traceback_(self) -> list[str]:
        """What a notebook shows: the frames of its cells and the sentence, none of this package's."""
        import traceback

        ours = __file__.removesuffix("errors.py")
        told = traceback.TracebackException.from_exception(self)
        frames = [frame for frame in told.stack if not frame.filename.startswith(ours)]
        shells = [place for place, frame in enumerate(frames) if "IPython" in frame.filename]
        told.stack = traceback.StackSummary.from_list(frames[max(shells, default=-1) + 1 :])
        return [line for text in told.format() for line in text.splitlines()]

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle by class, message and fields: keyword-only constructors do not survive the default way."""
        from .pickling import stored

        return stored(self, {"args": self.args, "fields": self.__dict__.copy()})

    @classmethod
    def _restored(cls, state: Mapping[str, Any]) -> Self:
        error = cls.__new__(cls)
        error.args = state["args"]
        error.__dict__.update(state["fields"])
        return error


class ConfigurationError(Dalle2Error):
    """A client that cannot work: no key, a bad base URL, a wrong HTTP client, a missing extra."""


class InvalidRequestError(Dalle2Error, ValueError):
    """Refused before anything was sent. `field` is the argument, `allowed` what it may be (or `None`)."""

    def __init__(
        self, message: str, *, field: str | None = None, allowed: Sequence[object] | None = None
    ) -> None:
        super().__init__(message)
        self.field = field
        self.allowed: tuple[object, ...] | None = tuple(allowed) if allowed is not None else None


class DecodeError(Dalle2Error):
    """A complete answer of the wrong shape; never repeated, since it was most likely billed.

    `path` is the place, such as `data[0].url`; `body` the bytes that came, the key taken out, since what was
    paid for may be in them. `request_id` and `idempotency_key` help to ask the host about it.
    """

    maybe_billed = True

    def __init__(
        self,
        message: str,
        *,
        path: str = "",
        request_id: str | None = None,
        idempotency_key: str | None = None,
        maybe_billed: bool | None = None,
        images: Sequence[KeptImage] = (),
        body: bytes | None = None,
    ) -> None:
        super().__init__(message, maybe_billed=maybe_billed, images=images)
        self.path = path
        self.request_id = request_id
        self.idempotency_key = idempotency_key
        self.body = body


class DownloadError(Dalle2Error):
    """An image could not be fetched or kept. Fetching costs nothing: trying again is always safe.

    `reason`: `"truncated"`, `"too_large"`, `"not_an_image"`, `"forbidden"`, `"forged"`, `"unreachable"`,
    `"timeout"`, `"status"`, `"expired"`, `"partial"` (of several; then `.saved` or `.uploaded`, `.failed`).
    """

    def __init__(
        self,
        message: str,
        *,
        reason: str = "unreachable",
        status_code: int | None = None,
        url: str | None = None,
        saved: Sequence[Path] = (),
        uploaded: Sequence[str] = (),
        failed: Mapping[int, Exception] | None = None,
        images: Sequence[KeptImage] = (),
    ) -> None:
        super().__init__(message, images=images)
        self.reason = reason
        self.status_code = status_code
        self.url = url
        self.saved: tuple[Path, ...] = tuple(saved)
        self.uploaded: tuple[str, ...] = tuple(uploaded)
        self.failed: dict[int, Exception] = dict(failed or {})


class ImageExpiredError(DownloadError):
    """The image's URL is dead; `expires_at` is when it died (aware, UTC), if known."""

    def __init__(
        self,
        message: str,
        *,
        expires_at: datetime | None = None,
        status_code: int | None = None,
        url: str | None = None,
    ) -> None:
        super().__init__(message, reason="expired", status_code=status_code, url=url)
        self.expires_at = expires_at


class BudgetExceededError(Dalle2Error):
    """The next call would pass the limit that the caller set; nothing was sent."""


class JournalError(Dalle2Error):
    """(bulk) A journal that cannot be used: locked by another run, malformed, newer, of other jobs."""


class APIError(Dalle2Error):
    """The API call itself failed. `idempotency_key` is the key that every attempt of the call carried."""

    def __init__(
        self,
        message: str,
        *,
        maybe_billed: bool | None = None,
        idempotency_key: str | None = None,
        attempts: int = 1,
        images: Sequence[KeptImage] = (),
    ) -> None:
        super().__init__(message, maybe_billed=maybe_billed, images=images)
        self.idempotency_key = idempotency_key
        self.attempts = attempts


class APIConnectionError(APIError):
    """The request was certainly not carried out: whatever this catches is safe to repeat.

    `passing` is `False` where another attempt a moment later comes to the same: a certificate that is not
    trusted, an address that cannot be used.
    """

    passing: bool = True


class ConnectTimeoutError(APIConnectionError):
    """No connection in time, or none free in the pool."""


class OutcomeUnknownError(APIError):
    """The request was sent and no readable answer came: it may have been carried out and billed.

    The way on, if a second bill is acceptable: `client.send(e.request, idempotency_key=e.idempotency_key)`.
    `reason` is `"timeout"`, `"disconnected"`, `"gateway"`, `"unreadable"` or `"cancelled"`; `request` is
    `None` only after a free call; `sent_at` is aware, UTC; `body` the bytes that came, the key taken out.
    """

    maybe_billed = True
    request: SentRequest

    def __init__(
        self,
        message: str,
        *,
        reason: Literal["timeout", "disconnected", "gateway", "unreadable", "cancelled"] = "disconnected",
        request: SentRequest | None = None,
        idempotency_key: str | None = None,
        sent_at: datetime | None = None,
        request_id: str | None = None,
        status_code: int | None = None,
        maybe_billed: bool | None = None,
        images: Sequence[KeptImage] = (),
        body: bytes | None = None,
    ) -> None:
        super().__init__(message, maybe_billed=maybe_billed, idempotency_key=idempotency_key, images=images)
        self.reason = reason
        self.request = request  # type: ignore[assignment] # each call that is paid has one
        self.sent_at = sent_at
        self.request_id = request_id
        self.status_code = status_code
        self.body = body


class APIStatusError(APIError):
    """An answer that says no. The class follows `code` and message first, `status_code` is what travelled.

    `code`, `type` and `param` are strings or `None`; `retry_after` is in seconds or `None`; `headers` is a
    plain mapping with lower-case names; `body` is the decoded JSON or the text, with secrets taken out.
    `repeatable` tells whether the host certainly did not carry the call out and may do so a moment later.
    """

    def __init__(
        self,
        message: str,
        *,
        status_code: int | None = None,
        code: str | None = None,
        type: str | None = None,
        param: str | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
        headers: Mapping[str, str] | None = None,
        body: object = None,
        repeatable: bool = False,
        maybe_billed: bool | None = None,
        idempotency_key: str | None = None,
        images: Sequence[KeptImage] = (),
    ) -> None:
        super().__init__(message, maybe_billed=maybe_billed, idempotency_key=idempotency_key, images=images)
        self.status_code = status_code
        self.code = code
        self.type = type
        self.param = param
        self.request_id = request_id
        self.retry_after = retry_after
        self.headers: dict[str, str] = dict(headers or {})
        self.body = body
        self.repeatable = repeatable


class BadRequestError(APIStatusError):
    """The host refused the request as it stands: the same request will be refused again."""


class ContentPolicyError(BadRequestError):
    """Refused for its content. `categories` are the vendor's names; `stage` is `"input"`, `"output"`, `None`.

    `status_code` is `None` when a moderation check refused the prompt before any paid call.
    """

    categories: tuple[str, ...] = ()
    stage: str | None = None


class ModelRetiredError(BadRequestError):
    """The model is retired on this host. `model` is the one asked for, `replacement` its successor if any."""

    model: str | None = None
    replacement: str | None = None


class AuthenticationError(APIStatusError):
    """The key is missing, wrong or revoked (401)."""


class PermissionDeniedError(APIStatusError):
    """The key is valid but may not do this (403)."""


class NotFoundError(APIStatusError):
    """No such model or route on this host (404)."""


class ConflictError(APIStatusError):
    """The request conflicts with another (409); with `maybe_billed` that other may be this very call."""


class UnprocessableEntityError(APIStatusError):
    """The host understood the request and refused its content (422)."""


class RateLimitError(APIStatusError):
    """Too many requests (429): `retry_after` tells how long to wait, if the host said so."""


class QuotaExceededError(RateLimitError):
    """No money or no allowance left: permanent until the account changes, never retried."""


class InternalServerError(APIStatusError):
    """The host failed (5xx)."""


class ModelRetirementWarning(UserWarning):
    """The model that was called ends within 30 days."""
