"""What an answer that says no means: one error of the tree, by `code` first, then message, status last.

Two questions decide: could it have been billed, and would the same request be answered otherwise a moment
later? What the body says was flattened into a `Problem` before.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from .. import errors as e
from .._dates import parse_retry_after
from .._secrets import one_line, redact, redact_tree
from ._body import plain
from ._context import Context, request_id
from ._problem import Problem, read_problem, text_of

if TYPE_CHECKING:
    from .._http import HttpResponse

QUOTA_CODES = frozenset(
    {
        "billing_hard_limit_reached",
        "billing_not_active",
        "budget_exceeded",
        "credit_balance_exhausted",
        "insufficient_quota",
        "insufficient_user_quota",
        "organization_spend_limit_exceeded",
        "organization_usage_limit_exceeded",
        "pre_consume_token_quota_failed",
        "project_spend_limit_exceeded",
    }
)
POLICY_CODES = frozenset(
    {
        "bio_policy",
        "content_filter",
        "content_policy_violation",
        "contentfilter",
        "image_content_policy_violation",
        "invalid_prompt",
        "moderation_blocked",
        "responsibleaipolicyviolation",
    }
)
_SAFETY = "(?i)" r"safety system|content[ _]policy|content_filter"
_QUOTA = (
    "(?i)" r"exceeded your current quota|billing hard limit|insufficient (?:quota|credits?|balance|funds)"
)
_NO_MODEL = (
    "(?i)"
    r"\bmodel\b(?:[^.]|\.(?!\s)){0,120}?\b(?:does not exist|not found|is not available|"
    r"has been (?:deprecated|retired|shut down))|no available channel|\b(?:unknown|invalid|no such) model\b"
)
# A gateway that repeats what it was told, as JSON or as Python's repr of it, under a code of its own.
_NESTED_CODE = r"""["']code\\?["']:\s*\\?["'](\w{3,64})\\?["']"""
_ZERO_LIMIT = "(?i)" r"\blimit:\s*0(?:\.0+)?\s*(?:/|,|\.\s|$)"
_NO_MODEL_CODES = ("model_not_found", "deploymentnotfound")
_NO_MODEL_UNDER = ("", "invalid_value", "invalid_model", "invalid_request", "invalid_request_error",
                   "not_found", "model_deprecated", "400", "404", "503")  # fmt: skip
_TELLING = 9
"""Characters: no shorter prompt holds a phrase that decides."""
_CATEGORIES = r"safety_violations=\[([^\]]*)\]"
_GATEWAY = frozenset({502, 504, *range(520, 531), 598, 599})
# What a proxy met on its own way and wraps in an envelope: its timeout, a gateway's page.
_RELAYED = "(?i)" r"\blitellm\.Timeout\b|<!doctype html|<html"


def error_of(response: HttpResponse, context: Context) -> e.APIError:
    """The error that an answer stands for. Pure: the answer's own time is the clock."""
    try:
        document: object = response.body.document()
    except ValueError:
        document = None
    problem = read_problem(document, response.body.text())
    return problem_error(problem, response, context, document)


def problem_error(problem: Problem, response: HttpResponse, context: Context, document: object) -> e.APIError:
    """The error for a flattened problem that came with `response`."""
    status = response.status
    said = one_line(redact(problem.message, key=context.key.reveal(), prompt=context.prompt))
    if context.prompt and len(context.prompt) >= _TELLING:  # the host's words decide, not what it repeats
        problem = problem._replace(message=redact(problem.message, prompt=context.prompt))
    identity = request_id(response.headers, problem.message)
    kind, hint = _classify(problem, response, context)
    quoted = f" The host said: {said}" if said else " The host gave no reason."
    facts = ", ".join(
        [f"HTTP {status}"]
        + [f"{name} {one_line(_safe(v, context), 80)}" for name, v in (("code", problem.code),) if v]
        + ([f"request id {one_line(identity, 80)}"] if identity else [])
    )
    message = f"{hint} ({facts}).{quoted}"
    if kind is e.OutcomeUnknownError:
        return e.OutcomeUnknownError(
            message,
            reason="gateway",
            request=context.resent,
            idempotency_key=context.idempotency_key,
            request_id=identity,
            status_code=status,
            maybe_billed=context.paid,
        )
    assert issubclass(kind, e.APIStatusError)
    stage = text_of(problem.details.get("moderation_stage")) or None
    error = kind(
        message,
        status_code=status,
        code=problem.code,
        type=problem.type,
        param=problem.param,
        request_id=identity,
        retry_after=parse_retry_after(response.headers, response.at, document),
        headers={
            name: _safe(value, context) for name, value in response.headers.items() if name != "set-cookie"
        },
        body=redact_tree(
            plain(document) if document is not None else response.body.text(), key=context.key.reveal()
        ),
        repeatable=_repeatable(kind, problem, status, response.headers),
        maybe_billed=context.paid and (_maybe_billed(kind, problem, status) or stage == "output"),
        idempotency_key=context.idempotency_key,
    )
    if isinstance(error, e.ContentPolicyError):
        error.categories = _categories(problem)
        error.stage = stage
    if isinstance(error, e.ModelRetiredError):
        error.model = context.model
        error.replacement = context.successor
    return error


def _safe(text: str, context: Context) -> str:
    return redact(text, key=context.key.reveal())


def _classify(problem: Problem, response: HttpResponse, context: Context) -> tuple[type[e.APIError], str]:
    """The class of an answer, and the sentence that says what to do next."""
    status = response.status
    code, kind = _meant(problem), (problem.type or "").lower()
    if 300 <= status < 400:
        target = one_line(_safe(response.headers.get("location", "nowhere"), context), 120)
        return e.APIStatusError, (
            f"{context.host} redirects the call to {target}; API calls are never redirected: check base_url"
        )
    if (
        code in QUOTA_CODES
        or kind in QUOTA_CODES
        or re.search(_QUOTA, problem.message)
        or _no_allowance(problem, status)
    ):
        return e.QuotaExceededError, (
            "No quota or credit is left for this key: waiting does not help, check plan, billing and limits"
        )
    if code in POLICY_CODES or re.search(_SAFETY, problem.message):
        return e.ContentPolicyError, "Refused for its content: change the prompt or the image"
    if code in _NO_MODEL_CODES or _says_no_model(problem, code, status, context):
        return _no_model(code, status, context)
    if code in ("invalid_api_key", "invalid_token"):
        return e.AuthenticationError, _key_hint(context)
    if code == "invalid_request" and status >= 500:
        return e.BadRequestError, "The host refused the request (under a status of its own making)"
    if code == "rate_limit_exceeded" and status in (200, 429):
        return e.RateLimitError, "Too many requests: wait, or send fewer at once"
    return _by_status(problem, status, context)


def _says_no_model(problem: Problem, code: str, status: int, context: Context) -> bool:
    """Whether the message says that the model asked for is not there: by its name, and not under another
    code.
    """
    return (
        status != 403
        and code in _NO_MODEL_UNDER
        and context.model.lower() in problem.message.lower()
        and bool(re.search(_NO_MODEL, problem.message))
    )


def _meant(problem: Problem) -> str:
    """The code in lower case; where a gateway put a number, the one of the answer that it repeats."""
    code = problem.code or ""
    nested = None if code and not code.isdigit() else re.search(_NESTED_CODE, problem.message)
    return (nested[1] if nested else code).lower()


def _by_status(problem: Problem, status: int, context: Context) -> tuple[type[e.APIError], str]:
    relayed = status in (408, 503) and re.search(_RELAYED, problem.message)
    if relayed or status in _GATEWAY or (status == 503 and not problem.enveloped):
        return e.OutcomeUnknownError, (
            "A gateway answered in place of the API: the call may have been carried out and billed; repeat "
            "it with client.send(e.request, idempotency_key=e.idempotency_key) if a second bill is acceptable"
            if context.paid
            else "A gateway answered in place of the API: try again later"
        )
    if status >= 500:
        return e.InternalServerError, "The host failed: try again later"
    if status < 300:
        return e.InternalServerError, "The host answered that the call failed; it may have been billed"
    known: dict[int, tuple[type[e.APIStatusError], str]] = {
        400: (
            e.BadRequestError,
            "The host refused the request: correct it, the same one will be refused again",
        ),
        401: (e.AuthenticationError, _key_hint(context)),
        402: (e.QuotaExceededError, "The host wants money first: check plan and billing of the account"),
        403: (e.PermissionDeniedError, "The key may not do this: check its project, organisation and region"),
        404: (e.NotFoundError, f"{context.host} has no such model or route: check model and base_url"),
        408: (e.APIStatusError, "The host gave up waiting for the request: try again"),
        409: (e.ConflictError, "The request conflicts with another one: try again"),
        413: (e.BadRequestError, "The request is too large for the host: send a smaller image"),
        422: (e.UnprocessableEntityError, "The host could not process the request: correct it"),
        429: (e.RateLimitError, "Too many requests: wait, or send fewer at once"),
    }
    return known.get(status, (e.APIStatusError, "The host refused the call"))


def _key_hint(context: Context) -> str:
    names = " or ".join(context.key_names)
    return "The API key was not accepted: check api_key" + (f" or {names}" if names else "")


def _no_model(code: str, status: int, context: Context) -> tuple[type[e.APIError], str]:
    if context.retired and code != "deploymentnotfound":  # a deployment's name is the caller's own
        successor = context.successor
        return e.ModelRetiredError, (
            f"The model {context.model!r} is retired and {context.host} no longer serves it: "
            + (
                f"use model={successor!r}, or run this code unchanged with Client(successor={successor!r}); "
                if successor
                else ""
            )
            + "hosts that may still serve it: CometAPI (provider='cometapi'), your own gateway (base_url=...)"
        )
    if code in _NO_MODEL_CODES or status in (404, 503):
        return (
            e.NotFoundError,
            f"{context.host} has no model {one_line(context.model, 60)!r} for this key: check model=",
        )
    return (
        e.BadRequestError,
        f"{context.host} does not know the model {one_line(context.model, 60)!r}: check model=",
    )


def _no_allowance(problem: Problem, status: int) -> bool:
    return status == 429 and bool(re.search(_ZERO_LIMIT, problem.message))


def _repeatable(kind: type[e.APIError], problem: Problem, status: int, headers: Mapping[str, str]) -> bool:
    """Whether the host certainly did not carry it out, and may do so a moment later."""
    if status < 400 or issubclass(
        kind, (e.QuotaExceededError, e.BadRequestError, e.AuthenticationError, e.NotFoundError)
    ):
        return False
    if headers.get("x-should-retry", "").lower() in ("true", "false"):
        return headers["x-should-retry"].lower() == "true"
    if status == 500:
        return "server_error" in (problem.type, problem.code)
    return status in (408, 409, 429, 503)


def _maybe_billed(kind: type[e.APIError], problem: Problem, status: int) -> bool:
    if status < 300:
        return True
    if issubclass(kind, (e.BadRequestError, e.RateLimitError, e.AuthenticationError, e.NotFoundError)):
        return False
    return (
        status >= 500
        and status != 503
        and not (status == 500 and "server_error" in (problem.type, problem.code))
    )


def _categories(problem: Problem) -> tuple[str, ...]:
    listed = problem.details.get("categories")
    if isinstance(listed, list):
        return tuple(str(name) for name in listed)
    results = problem.details.get("content_filter_results") or problem.details.get("content_filter_result")
    if isinstance(results, Mapping):  # Azure
        return tuple(
            str(name) for name, it in results.items() if isinstance(it, Mapping) and it.get("filtered")
        )
    found = re.search(_CATEGORIES, problem.message)
    return tuple(name.strip(" '\"") for name in found[1].split(",") if name.strip()) if found else ()
