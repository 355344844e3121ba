"""What must be known of a call to read its answer and to tell its errors; and what every answer says.

Apart from `_errors`, so that a call that goes well loads nothing of what tells errors apart.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from .._secrets import AT_ONCE, Secret, one_line, redact, redact_bytes, suspicious

if TYPE_CHECKING:
    from .._http import HttpResponse
    from .._money import Charge
    from .._requests._draft import Draft
    from .._requests._values import Request

_ID_IN_MESSAGE = "(?i)" r"request[ _-]id[:=]?\s{0,9}((?=[\w-]{0,99}\d)[\w-]{8,100})"
_ID_HEADERS = (
    "x-request-id",
    "request-id",
    "apim-request-id",
    "x-ms-request-id",
    "x-oneapi-request-id",
    "x-litellm-call-id",
)


class Context(NamedTuple):
    """Who was asked for what: the one value that readers of answers and tellers of errors look at.

    - `request`: what was sent; `again`: what the caller sends after a lost answer, if that is another.
    - `charge`: what it is counted at in a budget, if anybody counts.
    - `retired`, `successor`: what is known of the model's end; `openai_like`: whether unsigned URLs live an
      hour.
    - `started`: a task was begun by an earlier answer, so that no failure can say that nothing was.
    """

    host: str
    operation: str = ""
    model: str = ""
    base_url: str = ""
    key: Secret = Secret("")
    key_names: tuple[str, ...] = ()
    prompt: str | None = None
    request: Draft | None = None
    again: Draft | None = None
    idempotency_key: str | None = None
    paid: bool = True
    charge: Charge | None = None
    openai_like: bool = False
    retired: bool = False
    successor: str | None = None
    started: bool = False

    def __repr__(self) -> str:
        """Without prompt, request and key."""
        return f"Context({self.operation} {self.model} at {self.host}, key {self.idempotency_key})"

    def __sentry_repr__(self) -> str:
        return repr(self)  # a crash reporter that walks into tuples asks for this instead

    @property
    def billable(self) -> bool:
        """Whether carrying it out costs money; a question after a task that was started does not."""
        return self.paid and not self.started

    @property
    def resent(self) -> Request | None:
        """The request value that is sent after a lost answer; `None` for a call that has none."""
        request = self.again or self.request
        try:
            return None if request is None else request.value
        except (ImportError, OSError) as problem:  # no file can be read any more: an error without it, then
            if getattr(problem, "errno", 0) is None:  # a signal handler's own
                raise
            return None


def request_id(headers: Mapping[str, str], message: str = "", *, key: Secret | None = None) -> str | None:
    """The host's own name for the request: from a header, else the message, else the proxy's (Cloudflare)."""
    for name in _ID_HEADERS:
        if name in headers and (header := one_line(headers[name])):
            return _without(key, header)
    found = re.search(_ID_IN_MESSAGE, message[:AT_ONCE])
    return _without(key, found[1] if found else one_line(headers.get("cf-ray", ""))) or None


def _without(key: Secret | None, text: str) -> str:
    """A text in which the host does not repeat our key, in part either."""
    if key is None or not suspicious(text, key.reveal()):
        return text
    return redact(text, key=key.reveal())


def reports_failure(document: object) -> bool:
    """Whether a document of a 2xx answer says that the call failed after all."""
    return isinstance(document, dict) and bool(document.get("error")) and not document.get("data")


def came(response: HttpResponse, context: Context) -> bytes | None:
    """The bytes that came, the key taken out; `None` if none did."""
    return redact_bytes(response.body.raw(), key=context.key.reveal()) or None
