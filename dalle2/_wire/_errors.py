"""What an answer that says no means: one error of the tree, by `code` first, then message, status last.

Two questions decide: could it have been billed, and would the same request be answered otherwise a moment
later? Only the API's own words prove that nothing was carried out: an error object, or words that the table
of `_relays` knows. A status alone, a bare message of some gateway, a web page or a status that only proxies
use leave a paid call in doubt. What the body says was flattened into a `Problem` before.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from .. import errors as e
from .._dates import parse_retry_after
from .._secrets import AT_ONCE, one_line, redact, redact_tree, shown_headers
from ._body import plain
from ._context import Context, came, request_id
from ._doubt import in_doubt, maybe_billed, repeatable, under_way
from ._problem import BLANK, Problem, read_problem, text_of
from ._relays import Meaning, meaning_of_code, meanings_in, wait_in_words

if TYPE_CHECKING:
    from .._http import HttpResponse

_NO_MODEL = (
    "(?i)"
    r"\bmodel\b(?:[^.]|\.(?!\s)){0,120}?\b(?:does not exist|not found|is not available|"
    r"has been (?:deprecated|retired|shut down))|\b(?:unknown|invalid|no such) model\b|"
    r"模型.{0,40}(?:不存在|未找到|未开通|不支持)|不(?:存在|支持)(?:该|的)?模型"
)
# A gateway that repeats what it was told, as JSON or as Python's repr of it, under a code of its own.
_NESTED_CODE = r"""["']code\\?["']:\s{0,9}\\?["'](\w{3,64})\\?["']"""
_ZERO_LIMIT = "(?i)" r"\blimit:\s{0,9}0(?:\.0{1,9})?\s{0,9}(?:/|,|\.\s|$)"
_NO_MODEL_UNDER = ("", "invalid_value", "invalid_model", "invalid_request", "invalid_request_error",
                   "not_found", "model_deprecated", "400", "404", "503")  # fmt: skip
_TELLING = 9
"""Characters: no shorter prompt holds a phrase that decides."""
_CATEGORIES = r"safety_violations=\[([^\]\[]{0,500})\]"


def error_of(response: HttpResponse, context: Context) -> e.APIError:
    """The error that an answer stands for. Pure: the answer's own time is the clock."""
    document = _document(response)
    return problem_error(read_problem(document, response.body.text()), response, context, document)


def _document(response: HttpResponse) -> object:
    """The document of an answer that says no, an odd one too; `None` if it is none, or not whole."""
    try:
        return response.body.document()
    except ValueError:
        pass
    from ._loosely import deeper_than, read_loosely

    if response.body.text().lstrip(BLANK)[:1] not in ("{", "["):
        return None
    document, whole = read_loosely(response.body.raw())
    return document if whole and not deeper_than(document, 100) else None


def problem_error(problem: Problem, response: HttpResponse, context: Context, document: object) -> e.APIError:
    """The error for a flattened problem that came with `response`."""
    status, key = response.status, context.key.reveal()

    def shown(text: str, limit: int = 200) -> str:
        return one_line(redact(text, key=key), limit)

    said = one_line(redact(problem.message, key=key, prompt=context.prompt))
    if context.prompt and len(context.prompt) >= _TELLING:  # the host's words decide, not what it repeats
        problem = problem._replace(message=redact(problem.message, prompt=context.prompt))
    problem = problem._replace(message=problem.message[:AT_ONCE])
    identity = request_id(response.headers, problem.message, key=context.key)
    kind, hint = _classify(problem, response, context)
    quoted = f" The host said: {said}" if said else " The host gave no reason."
    facts = ", ".join(
        [f"HTTP {status}"]
        + ([f"code {shown(problem.code, 80)}"] if problem.code else [])
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
            body=came(response, context),
        )
    assert issubclass(kind, e.APIStatusError)
    stage = text_of(problem.details.get("moderation_stage")) or None
    if meaning_of_code(_meant(problem), problem.type) == "output":
        stage = "output"
    billed = maybe_billed(kind, problem, status)
    error = kind(
        message,
        status_code=status,
        code=shown(problem.code) if problem.code else None,
        type=shown(problem.type) if problem.type else None,
        param=shown(problem.param) if problem.param else None,
        request_id=identity,
        retry_after=_wait(problem, response, document),
        headers=shown_headers(response.headers, key=key),
        body=redact_tree(plain(document) if document is not None else response.body.text(), key=key),
        repeatable=repeatable(kind, problem, status, response.headers),
        maybe_billed=context.paid and (billed or stage == "output"),
        idempotency_key=context.idempotency_key,
    )
    if isinstance(error, e.ContentPolicyError):
        error.categories = tuple(shown(name, 80) for name in _categories(problem))
        error.stage = shown(stage, 80) if stage else None
    if isinstance(error, e.ModelRetiredError):
        error.model = context.model
        error.replacement = context.successor
    return error


def _wait(problem: Problem, response: HttpResponse, document: object) -> float | None:
    """Seconds that the host asks to wait: in a header, else in its words where waiting helps."""
    told = parse_retry_after(response.headers, response.at, document)
    return wait_in_words(problem.message) if told is None and response.status in (429, 503) else told


def _classify(problem: Problem, response: HttpResponse, context: Context) -> tuple[type[e.APIError], str]:
    """The class of an answer, and the sentence that says what to do next."""
    status = response.status
    code = _meant(problem)
    if 300 <= status < 400:
        location = redact(response.headers.get("location", "nowhere"), key=context.key.reveal())
        return e.APIStatusError, (
            f"{context.host} redirects the call to {one_line(location, 120)}; "
            "API calls are never redirected: check base_url"
        )
    means, known = _meanings(problem, code), meaning_of_code(code)
    if "quota" in means or _no_allowance(problem, status):
        return e.QuotaExceededError, (
            "No quota or credit is left for this key: waiting does not help, check plan, billing and limits"
        )
    if "policy" in means or "output" in means:
        return e.ContentPolicyError, "Refused for its content: change the prompt or the image"
    if "no model" in means or _says_no_model(problem, code, status, context):
        return _no_model(code, status, context)
    if "no channel" in means and status != 429 and (code in _NO_MODEL_UNDER or known or code.isdigit()):
        return _no_model("model_not_found", status, context)
    if "key" in means and status not in (429, 503):
        return e.AuthenticationError, _key_hint(context)
    if code == "invalid_request" and status >= 500:
        return e.BadRequestError, "The host refused the request (under a status of its own making)"
    if (code == "rate_limit_exceeded" or known == "rate") and status in (200, 429):
        return e.RateLimitError, "Too many requests: wait, or send fewer at once"
    return _by_status(problem, response, context)


def _meanings(problem: Problem, code: str) -> frozenset[Meaning]:
    """What the codes of an answer mean, else its words; a web page has neither."""
    if problem.page:
        return frozenset()
    known = [means for word in (code, problem.type) if (means := meaning_of_code(word))]
    return frozenset(known) if known else meanings_in(problem.message)


def _says_no_model(problem: Problem, code: str, status: int, context: Context) -> bool:
    """Whether the message says that the model asked for is not there: by its name, and not under
    another code.
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


def _by_status(problem: Problem, response: HttpResponse, context: Context) -> tuple[type[e.APIError], str]:
    status = response.status
    if status >= 400 and in_doubt(problem, response):
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
    if status == 409 and under_way(problem):
        return e.ConflictError, (
            "The host has this call, or one with the same idempotency key, already: "
            "it may be carried out and billed"
        )
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
    if meaning_of_code(code) == "no model" or status in (404, 503):
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
