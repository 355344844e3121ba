"""What goes wrong on purpose: failures and losses waiting for the next requests.

The rule: they are used up in the order in which they were asked for, one a request, and separately for paid
calls, image downloads, batch files and free questions. A failure is answered before anything is looked at
and bills nothing; a loss waits until something was really carried out.
"""

from __future__ import annotations

import http
import json
import threading
from collections import deque
from datetime import datetime
from typing import Literal, get_args

import attrs

from . import _refusals as refuse
from ._exchange import EmulatedResponse, Loss
from ._personas import PersonaName, refusal_response, wait_headers
from ._refusals import Refusal

Target = Literal["paid", "image", "file", "poll"]
Body = bytes | str | dict[str, object] | list[object]


@attrs.frozen
class Failure:
    """An answer that comes instead of the real one."""

    status: int
    retry_after: float | str | None = None
    code: str | None = None
    headers: dict[str, str] = attrs.field(factory=dict)
    body: Body | None = None


@attrs.frozen
class StreamFailure:
    """An error in the middle of an event stream, after so many events."""

    after_events: int
    code: str = "server_error"


class Faults:
    """The queue of faults; safe to use from several threads."""

    def __init__(self) -> None:
        self._waiting: dict[Target, deque[Failure | Loss | StreamFailure]] = {
            target: deque() for target in get_args(Target)
        }
        self._lock = threading.Lock()

    def add(self, fault: Failure | Loss | StreamFailure, times: int, target: Target) -> None:
        """Let the fault happen to the next `times` requests."""
        if target not in self._waiting:
            raise ValueError(f"on={target!r}: expected one of {list(self._waiting)}")
        with self._lock:
            self._waiting[target].extend([fault] * times)

    def failure(self, target: Target) -> Failure | None:
        """The failure whose turn it is, if it is one's turn."""
        with self._lock:
            waiting = self._waiting[target]
            first = waiting[0] if waiting else None
            if not isinstance(first, Failure):
                return None
            waiting.popleft()
            return first

    def mishap(self, target: Target, *, streamed: bool = False) -> Loss | StreamFailure | None:
        """What befalls the answer of a request that was carried out; a broken stream waits for a stream."""
        with self._lock:
            waiting = self._waiting[target]
            first = waiting[0] if waiting else None
            if isinstance(first, Loss) or (streamed and isinstance(first, StreamFailure)):
                waiting.popleft()
                return first
            return None


def failure_response(failure: Failure, persona: PersonaName, now: datetime, path: str) -> EmulatedResponse:
    """The answer that a failure stands for: the body given, else the one that the vendor sends for the code
    or status.
    """
    response = _answer(failure, persona, now, path)
    headers = dict(response.headers)
    # LiteLLM was seen to swallow the upstream's advice.
    if failure.retry_after is not None and persona != "litellm":
        headers |= wait_headers(failure.retry_after)
    return attrs.evolve(response, headers=headers | failure.headers)


def _answer(failure: Failure, persona: PersonaName, now: datetime, path: str) -> EmulatedResponse:
    status, body = failure.status, failure.body
    if body is not None:
        if isinstance(body, dict | list):
            return EmulatedResponse(status, {"Content-Type": "application/json"}, json.dumps(body).encode())
        raw = body.encode() if isinstance(body, str) else body
        kinds = {b"<": "text/html; charset=UTF-8", b"{": "application/json", b"[": "application/json"}
        return EmulatedResponse(status, {"Content-Type": kinds.get(raw.lstrip()[:1], "text/plain")}, raw)
    if status < 400:
        target = {"Location": f"https://moved.example{path}"} if 300 <= status < 400 else {}
        return EmulatedResponse(status, target)
    if failure.code is None and status in (502, 504):
        return _problem(status, now)
    if failure.code is None and 520 <= status <= 526:
        return _page(status)
    return refusal_response(persona, _refusal(failure), now)


def _refusal(failure: Failure) -> Refusal:
    known = _by_code(failure.code) if failure.code is not None else None
    if known is None:
        known = _by_status(failure.status)
        known.code = failure.code or known.code
    known.status = failure.status
    return known


def _by_code(code: str) -> Refusal | None:
    quota = "You exceeded your current quota, please check your plan and billing details."
    overloaded = "The server is currently overloaded with other requests. Please retry your request later."
    refusals = {
        "content_policy_violation": refuse.policy_violation(),
        "moderation_blocked": refuse.moderation_blocked(["sexual"]),
        "billing_hard_limit_reached": Refusal("Billing hard limit has been reached.", code=code),
        "rate_limit_exceeded": _by_status(429),
        "invalid_api_key": refuse.wrong_key("sk-refused-by-the-emulator"),
        "model_not_found": refuse.model_not_found("dall-e-2"),
        "insufficient_quota": Refusal(quota, type="insufficient_quota", code=code),
        "server_is_overloaded": Refusal(overloaded, type="service_unavailable_error", code=code),
        "slow_down": Refusal("Slow down. " + overloaded, type="service_unavailable_error", code=code),
    }
    for spent in ("credit_balance_exhausted", "spend_limit_exceeded", "usage_limit_exceeded"):
        if code.endswith(spent):
            return Refusal(quota, type="insufficient_quota", code=code)
    return refusals.get(code)


def _by_status(status: int) -> Refusal:
    if status == 400:
        return refuse.bad_json()
    if status == 401:
        return refuse.wrong_key("sk-refused-by-the-emulator")
    if status == 403:
        return Refusal("Your organization must be verified to use the model `dall-e-2`.")
    if status == 404:
        return refuse.model_not_found("dall-e-2")
    if status == 429:
        return Refusal(
            "Rate limit reached for images per minute in organization org-emulator. Limit: 60.000000 / min. "
            "Current: 80.000000 / min. Contact us through our help center if you continue to have issues.",
            type="requests",
            code="rate_limit_exceeded",
        )
    if status == 503:
        overloaded = _by_code("server_is_overloaded")
        assert overloaded is not None
        return overloaded
    if status >= 500:
        return server_error()
    try:
        phrase = http.HTTPStatus(status).phrase
    except ValueError:
        phrase = "Error"
    return Refusal(f"{phrase}.")


def server_error() -> Refusal:
    """The vendor's own trouble."""
    return Refusal(
        "An error occurred while processing your request. You can retry your request, or contact us "
        "through our help "
        "center at help.openai.com if the error persists. Please include the request ID "
        "c0ffee00-0000-4000-8000-000000000000 in your message.",
        500,
        type="server_error",
        code="server_error",
    )


def _problem(status: int, now: datetime) -> EmulatedResponse:
    """Cloudflare's newer form: a JSON document with the wait inside and no `error` key."""
    name = {502: "Bad gateway", 504: "Gateway time-out"}[status]
    body = {
        "type": f"https://developers.cloudflare.com/support/troubleshooting/http-status-codes/{status}/",
        "title": f"Error {status}: {name}",
        "status": status,
        "detail": "The origin web server did not give a usable answer.",
        "instance": "8f00000000000000-FRA",
        "error_code": status,
        "error_name": "origin_" + name.lower().replace(" ", "_").replace("-", ""),
        "error_category": "origin",
        "ray_id": "8f00000000000000",
        "timestamp": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "zone": "api.openai.com",
        "cloudflare_error": True,
        "retryable": True,
        "retry_after": 60,
    }
    return EmulatedResponse(status, {"Content-Type": "application/problem+json"}, json.dumps(body).encode())


def _page(status: int) -> EmulatedResponse:
    """Cloudflare's older form: a web page."""
    text = (
        f"<!DOCTYPE html>\n<html><head><title>api.openai.com | {status}: A timeout occurred</title></head>"
        f'<body><div id="cf-error-details" class="cf-error-details-wrapper"><h1>Error code {status}</h1>'
        "<p>Cloudflare Ray ID: <strong>8f00000000000000</strong></p></div></body></html>\n"
    )
    return EmulatedResponse(status, {"Content-Type": "text/html; charset=UTF-8"}, text.encode())
