"""Recorded answers that say no, and what each one means.

A file in `bodies/` is an answer as it travels: a status line, headers, an empty line, the body.
"""

from __future__ import annotations

import pickle
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import attrs
import pytest

from dalle2 import errors as e
from dalle2._http import HttpResponse
from dalle2._requests._draft import Draft
from dalle2._secrets import Secret
from dalle2._wire._body import JsonBody
from dalle2._wire._context import Context, reports_failure, request_id
from dalle2._wire._errors import error_of, problem_error
from dalle2._wire._problem import read_problem

REQUEST = Draft.generation(None, prompt="a corgi")
BODIES = Path(__file__).parents[1] / "bodies"
AT = datetime(2026, 11, 20, 12, tzinfo=UTC)
KEY = "sk-proj-Abcdefghijklmnop0123456789WXYZ"
PROMPT = 'A poster that says "the content policy of our safety system":\n  the model does not exist, naïve 猫'
UUID = "0d4f2f3b-9f0a-4a8e-8e34-6f2ad64f1b77"
RELAY_ID = "20261120101112345678901AbCdEf"


def asked_with(**changes: Any) -> Context:
    """What a call was, but for these changes."""
    return Context(
        **{
            "key": Secret(KEY),
            "prompt": PROMPT,
            "model": "dall-e-2",
            "host": "api.example.com",
            "key_names": ("OPENAI_API_KEY", "OTHER_KEY"),
            "request": REQUEST,
            "idempotency_key": "dalle2-1",
            "retired": True,
            "successor": "gpt-image-2.5-flare",
            **changes,
        }
    )


ASKED = asked_with()
LIVING = asked_with(model="gpt-image-2", retired=False, successor=None)


@attrs.frozen
class Case:
    """What the answer in `file` means for a call that `asked` describes."""

    file: str
    error: type[e.APIError]
    says: str
    code: str | None = None
    type: str | None = "invalid_request_error"
    param: str | None = None
    request_id: str | None = None
    retry_after: float | None = None
    repeatable: bool = False
    billed: bool = False
    categories: tuple[str, ...] = ()
    stage: str | None = None
    asked: Context = ASKED
    name: str = ""


USER_ERROR = "image_generation_user_error"
COMET = "comet_api_error"
LEAKS = "is too long - 'prompt'"

CASES = (
    Case(
        "openai-policy",
        e.ContentPolicyError,
        "safety system",
        code="content_policy_violation",
        request_id="req_policy01",
    ),
    Case("openai-policy-2023", e.ContentPolicyError, "safety system"),
    Case(
        "openai-policy-dalle3", e.ContentPolicyError, "adjusting your prompt", code="content_policy_violation"
    ),
    Case(
        "openai-moderation-input",
        e.ContentPolicyError,
        "safety_violations",
        code="moderation_blocked",
        type=USER_ERROR,
        request_id=UUID,
        categories=("sexual", "violence"),
        stage="input",
    ),
    Case(
        "openai-moderation-output",  # the image was made before it was refused
        e.ContentPolicyError,
        "change the prompt",
        code="moderation_blocked",
        type=USER_ERROR,
        request_id=UUID,
        categories=("sexual",),
        stage="output",
        billed=True,
    ),
    Case(
        "openai-moderation-no-details",
        e.ContentPolicyError,
        UUID,
        code="moderation_blocked",
        type=USER_ERROR,
        request_id=UUID,
        categories=("sexual", "violence"),
    ),
    Case(
        "azure-content-filter",
        e.ContentPolicyError,
        "safety system",
        code="contentFilter",
        type=None,
        request_id="a1b2c3d4-0000-1111",
        categories=("violence",),
    ),
    Case("openai-hard-limit", e.QuotaExceededError, "check plan, billing", code="billing_hard_limit_reached"),
    Case("openai-quota-2023", e.QuotaExceededError, "waiting does not help", type="insufficient_quota"),
    Case(
        "openai-quota",
        e.QuotaExceededError,
        "current quota",
        code="insufficient_quota",
        type="insufficient_quota",
        retry_after=20.0,
    ),
    Case(
        "openai-credit-exhausted",
        e.QuotaExceededError,
        "credit",
        code="credit_balance_exhausted",
        type="insufficient_quota",
    ),
    Case(
        "openai-spend-limit",
        e.QuotaExceededError,
        "limit",
        code="organization_spend_limit_exceeded",
        type="requests",
    ),
    Case(
        "openai-no-allowance",
        e.QuotaExceededError,
        "Limit: 0/1min",
        code="rate_limit_exceeded",
        type="requests",
    ),
    Case(
        "openai-rate-limit",
        e.RateLimitError,
        "Limit: 5/1min",
        code="rate_limit_exceeded",
        type="requests",
        request_id="req_rate01",
        retry_after=12.0,
        repeatable=True,
    ),
    Case(
        "openai-rate-limit-2023",
        e.RateLimitError,
        "Limit: 60.000000 / min",
        code="rate_limit_exceeded",
        type="requests",
        retry_after=1.5,
        repeatable=True,
    ),
    Case(
        "openai-rate-limit-keep-off",
        e.RateLimitError,
        "Too many requests",
        code="rate_limit_exceeded",
        type="requests",
    ),
    Case("openai-wrong-key", e.AuthenticationError, "OPENAI_API_KEY or OTHER_KEY", code="invalid_api_key"),
    Case(
        "openai-ip-not-authorized",
        e.AuthenticationError,
        "check api_key (",
        asked=asked_with(key_names=()),
    ),
    Case(
        "openai-model-gone",
        e.ModelRetiredError,
        "Client(successor='gpt-image-2.5-flare')",
        code="invalid_value",
        type=USER_ERROR,
        param="model",
    ),
    Case(
        "openai-model-gone",
        e.ModelRetiredError,
        "hosts that may still serve it",
        code="invalid_value",
        type=USER_ERROR,
        param="model",
        asked=asked_with(successor=None),
        name="openai-model-gone, no successor",
    ),
    Case(
        "openai-model-gone",
        e.BadRequestError,
        "The host refused the request",
        code="invalid_value",
        type=USER_ERROR,
        param="model",
        asked=LIVING,
        name="openai-model-gone, not known as retired",
    ),
    Case(
        "openai-model-gone-dotted",
        e.ModelRetiredError,
        "is retired",
        code="invalid_value",
        type=USER_ERROR,
        param="model",
        asked=asked_with(model="gpt-image-1.5"),
    ),
    Case("openai-model-not-found", e.ModelRetiredError, "is retired", code="model_not_found", param="model"),
    Case(
        "openai-model-not-found",
        e.NotFoundError,
        "has no model 'gpt-image-2'",
        code="model_not_found",
        param="model",
        asked=LIVING,
        name="openai-model-not-found, not known as retired",
    ),
    Case("openai-model-no-access", e.NotFoundError, "for this key", code="model_not_found", asked=LIVING),
    Case("openai-size", e.BadRequestError, "not supported by this model", code="invalid_size"),
    Case("openai-size-schema", e.BadRequestError, "'512x512' is not one of"),
    Case("openai-prompt-length", e.BadRequestError, "1000 or less"),
    Case("openai-prompt-repeated", e.BadRequestError, LEAKS, code="invalidPayload"),
    Case("openai-prompt-repeated-long", e.BadRequestError, "The host said: '‹prompt›"),
    Case(
        "openai-unknown-parameter",
        e.BadRequestError,
        "'response_format'",
        code="unknown_parameter",
        param="response_format",
    ),
    Case("openai-image-array", e.BadRequestError, "got an array", code="invalid_type", param="image"),
    Case("openai-mimetype", e.BadRequestError, "unsupported mimetype", param="image"),
    Case("openai-image-file", e.BadRequestError, "image 3", code="invalid_image_file", type=USER_ERROR),
    Case(
        "openai-input-fidelity",
        e.BadRequestError,
        "does not support",
        code="invalid_input_fidelity_model",
        type=USER_ERROR,
        param="input_fidelity",
    ),
    Case(
        "openai-server-error",
        e.InternalServerError,
        "try again later",
        code="server_error",
        type="server_error",
        request_id=UUID,
        repeatable=True,
    ),
    Case(
        "openai-server-error-2023",
        e.InternalServerError,
        "Sorry about that!",
        type="server_error",
        request_id="5a0b6d1f2c3e4d5f6a7b8c9d0e1f2a3b",
        repeatable=True,
    ),
    Case("openai-server-error-keep-off", e.InternalServerError, "had an error", type="server_error"),
    Case(
        "openai-overloaded",
        e.InternalServerError,
        "overloaded",
        code="server_is_overloaded",
        type="service_unavailable_error",
        retry_after=30.0,
        repeatable=True,
    ),
    Case(
        "openai-slow-down",
        e.RateLimitError,
        "slow down",
        code="slow_down",
        type="service_unavailable_error",
        repeatable=True,
    ),
    Case("openai-unverified", e.PermissionDeniedError, "must be verified"),
    Case(
        "openai-country",
        e.PermissionDeniedError,
        "region",
        code="unsupported_country_region_territory",
        type="request_forbidden",
    ),
    Case("openai-image-too-large", e.BadRequestError, "too large", code="image_too_large"),
    Case("openai-unknown-route", e.NotFoundError, "check model and base_url"),
    Case("openai-timeout", e.APIStatusError, "gave up waiting", repeatable=True),
    Case("openai-conflict", e.ConflictError, "has this call", billed=True),
    Case("openai-too-large", e.BadRequestError, "send a smaller image"),
    Case("openai-unprocessable", e.UnprocessableEntityError, "could not be read"),
    Case(
        "cometapi-no-model-name",
        e.BadRequestError,
        "model name is required",
        type=COMET,
        request_id=RELAY_ID,  # and not the number of the proxy in front of it
    ),
    Case("cometapi-wrong-key", e.AuthenticationError, "OPENAI_API_KEY", type=COMET, request_id=RELAY_ID),
    Case(
        "cometapi-forbidden",
        e.PermissionDeniedError,
        "not allowed",
        code="permission_denied",
        type=COMET,
        request_id=RELAY_ID,
    ),
    Case(
        "cometapi-saturated",
        e.RateLimitError,
        "saturated",
        type=COMET,
        request_id=RELAY_ID,
        repeatable=True,
    ),
    Case(
        "cometapi-bad-request-as-500",
        e.BadRequestError,
        "status of its own making",
        code="invalid_request",
        type=COMET,
        request_id=RELAY_ID,
    ),
    Case(
        "cometapi-no-channel",
        e.ModelRetiredError,
        "no longer serves it",
        code="model_not_found",
        type=COMET,
        request_id=RELAY_ID,
    ),
    Case(
        "cometapi-no-channel",
        e.NotFoundError,
        "has no model 'gpt-image-2'",
        code="model_not_found",
        type=COMET,
        request_id=RELAY_ID,
        asked=LIVING,
        name="cometapi-no-channel, not known as retired",
    ),
    Case(
        "cometapi-failure",  # a gateway's 500 may hide a call that was carried out
        e.InternalServerError,
        "bad response status code",
        code="bad_response_status_code",
        type="upstream_error",
        param="504",
        request_id=RELAY_ID,
        billed=True,
    ),
    Case(
        "cometapi-gateway-timeout",
        e.OutcomeUnknownError,
        "second bill",
        request_id=RELAY_ID,
        billed=True,
    ),
    Case(
        "cometapi-gateway-timeout",
        e.OutcomeUnknownError,
        "A gateway answered in place of the API: try again later",
        request_id=RELAY_ID,
        asked=asked_with(paid=False),
        name="cometapi-gateway-timeout, free call",
    ),
    Case(
        "cometapi-redirect",
        e.APIStatusError,
        "redirects the call to https://www.cometapi.com/v1/images/generations?sig=***&x=1",
        type=None,
    ),
    Case(
        "cometapi-html",
        e.NotFoundError,
        "an HTML or XML page: Page not found | Example",
        type=None,
    ),
    Case(
        "new-api-quota",
        e.QuotaExceededError,
        "quota is not enough",
        code="insufficient_user_quota",
        type="new_api_error",
        request_id=RELAY_ID,
    ),
    Case("new-api-503-type", e.InternalServerError, "busy", code="503", type="503", repeatable=True),
    Case("relay-payment-required", e.QuotaExceededError, "Insufficient credits", code="402", type=None),
    Case("relay-payment-required-plain", e.QuotaExceededError, "Payment Required", type=None),
    Case(
        "litellm-policy",
        e.ContentPolicyError,
        "Your request was rejected",
        code="400",
        type=None,
        request_id="3f6c2b1a-call",
    ),
    Case("litellm-quota", e.QuotaExceededError, "No more", code="400", type=None),
    Case("litellm-unknown-model", e.ModelRetiredError, "Invalid model name", code="400"),
    Case(
        "litellm-unknown-model",
        e.BadRequestError,
        "The host refused the request",
        code="400",
        asked=LIVING,
        name="litellm-unknown-model, not known as retired",
    ),
    Case("litellm-internal", e.InternalServerError, "Connection error", code="500", type=None, billed=True),
    Case("fastapi-detail", e.OutcomeUnknownError, "No worker is free", billed=True),
    Case("fastapi-validation", e.UnprocessableEntityError, "permitted", type=None, param="body.size"),
    Case("fastapi-validation-empty", e.UnprocessableEntityError, "gave no reason", type=None),
    Case("fastapi-validation-odd", e.UnprocessableEntityError, "bad", type=None),
    Case("fastapi-nested", e.AuthenticationError, "Invalid key", code="invalid_token", type=None),
    Case("fastapi-nested-error", e.BadRequestError, "Bad size", type=None),
    Case("plain-string-error", e.BadRequestError, "unsupported size", code="1001", type=None),
    Case("message-only", e.RateLimitError, "too fast", code="429", type=None, repeatable=True),
    Case("json-string", e.OutcomeUnknownError, "upstream connect error", billed=True),
    Case("json-list", e.BadRequestError, "API key not valid", code="400", type=None),
    Case("json-empty-list", e.InternalServerError, "The host said: []", type=None, billed=True),
    Case("json-empty", e.InternalServerError, "gave no reason", type=None, billed=True),
    Case("json-null-fields", e.APIStatusError, "short and stout", type=None),
    Case("text-overloaded", e.OutcomeUnknownError, "upstream connect error", billed=True),
    Case("text-empty-500", e.InternalServerError, "gave no reason", type=None, billed=True),
    Case("json-cut", e.InternalServerError, "The server had an err", type=None, billed=True),
    Case(
        "cloudflare-502-json",
        e.OutcomeUnknownError,
        "Error 502: Bad gateway",
        request_id="9f0000000000abcd-FRA",
        billed=True,
    ),
    Case("cloudflare-503-json", e.OutcomeUnknownError, "invalid or incomplete response", billed=True),
    Case(
        "cloudflare-429-json",
        e.RateLimitError,
        "being rate limited",
        type=None,
        retry_after=60.0,
        repeatable=True,
    ),
    Case(
        "cloudflare-524-html",
        e.OutcomeUnknownError,
        "524: A timeout occurred",
        request_id="9f0000000000abcd-FRA",
        billed=True,
    ),
    Case("nginx-502-html", e.OutcomeUnknownError, "502 Bad Gateway", billed=True),
    Case("html-500", e.InternalServerError, "an HTML or XML page", type=None, billed=True),
    Case("html-503", e.OutcomeUnknownError, "Down for maintenance", billed=True),
    Case("xml-500", e.InternalServerError, "an HTML or XML page", type=None, billed=True),
    Case(
        "ok-with-error",
        e.InternalServerError,
        "may have been billed",
        code="server_error",
        type="server_error",
        request_id="req_200",
        billed=True,
    ),
    Case(
        "ok-with-rate-limit",
        e.RateLimitError,
        "Too many",
        code="rate_limit_exceeded",
        type="requests",
        billed=True,
    ),
    Case("ok-with-policy", e.ContentPolicyError, "safety system", code="moderation_blocked", billed=True),
    Case("ok-with-string-error", e.InternalServerError, "generation failed", type=None, billed=True),
)


def recorded(name: str, step: int | None = None) -> HttpResponse:
    """The answer in a file of `bodies/`, its body read in chunks of `step` bytes."""
    head, _, content = (BODIES / f"{name}.http").read_bytes().partition(b"\n\n")
    status, *lines = head.decode().split("\n")
    headers = dict(line.split(": ", 1) for line in lines)
    body = JsonBody()
    step = step or len(content) + 1
    for at in range(0, len(content), step):
        body.feed(content[at : at + step])
    return HttpResponse(int(status.split()[1]), headers, body, AT)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name or case.file)
def test_an_answer_that_says_no_gets_its_class_and_fields(case: Case) -> None:
    """Each recorded answer becomes the one error that it stands for, however its bytes arrive."""
    response = recorded(case.file)
    error = error_of(response, case.asked)
    assert type(error) is case.error
    assert case.says in error.message
    assert error.maybe_billed is case.billed
    assert error.idempotency_key == "dalle2-1"
    assert getattr(error, "request_id", None) == case.request_id
    if isinstance(error, e.OutcomeUnknownError):
        assert (error.reason, error.request, error.status_code) == ("gateway", REQUEST.value, response.status)
    else:
        assert isinstance(error, e.APIStatusError)
        assert error.status_code == response.status
        assert (error.code, error.type, error.param) == (case.code, case.type, case.param)
        assert (error.retry_after, error.repeatable) == (case.retry_after, case.repeatable)
        assert "set-cookie" not in error.headers
    if isinstance(error, e.ContentPolicyError):
        assert (error.categories, error.stage) == (case.categories, case.stage)
    if isinstance(error, e.ModelRetiredError):
        assert (error.model, error.replacement) == (case.asked.model, case.asked.successor)
    for step in (1, 7):
        again = error_of(recorded(case.file, step), case.asked)
        assert (type(again), again.args, vars(again)) == (type(error), error.args, vars(error))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name or case.file)
def test_a_message_is_safe_to_show(case: Case) -> None:
    """A message is one short printable line without key, prompt or signature, and the error pickles."""
    error = error_of(recorded(case.file), case.asked)
    assert error.message.isprintable()
    assert len(error.message) < 900
    shown = f"{error!r} {vars(error)}"
    for secret in (KEY, "WXYZ", "abcdefghijklmnop"):
        assert secret not in shown
    for phrase in ("naïve", "猫", "A poster"):
        assert phrase not in error.message
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), copy.args, vars(copy)) == (type(error), error.args, vars(error))


def test_every_recorded_answer_is_judged() -> None:
    """No file in `bodies/` is left out of the table."""
    assert {path.stem for path in BODIES.iterdir()} == {case.file for case in CASES}


def test_a_repeatable_answer_is_never_a_billed_one() -> None:
    """What may be sent again without asking was certainly not carried out."""
    for case in CASES:
        assert not (case.repeatable and case.billed), case.file


def answer(status: int, text: str, **headers: str) -> HttpResponse:
    """An answer with this body."""
    body = JsonBody()
    body.feed(text.encode())
    return HttpResponse(status, {name.replace("_", "-"): value for name, value in headers.items()}, body, AT)


@pytest.mark.parametrize(
    ("status", "word", "repeatable"),
    [(500, "true", True), (500, "TRUE", True), (400, "true", False), (401, "true", False)],
)
def test_a_host_may_ask_for_another_attempt(status: int, word: str, repeatable: bool) -> None:
    """`x-should-retry` is honoured, except where the same request would be refused again."""
    response = answer(status, '{"error": {"message": "Hm."}}', x_should_retry=word)
    error = error_of(response, ASKED)
    assert isinstance(error, e.APIStatusError)
    assert error.repeatable is repeatable


@pytest.mark.parametrize(
    "text",
    [
        f'{{"error": {{"message": "Bad key {KEY}", "{KEY}": ["Bearer {KEY}", 1, 2.5, true, null]}}}}',
        f"Bad key {KEY}",
    ],
)
def test_the_body_of_an_error_has_no_key(text: str) -> None:
    """`body` is the decoded JSON, or the text, with secrets taken out, names of fields included."""
    error = error_of(answer(400, text, www_authenticate=f"Key {KEY}"), ASKED)
    assert isinstance(error, e.APIStatusError)
    assert "***" in str(error.body)
    assert "***" in error.headers["www-authenticate"]
    assert KEY not in f"{error.body} {error.headers} {error}"


def test_the_body_of_an_error_is_plain_json() -> None:
    """Texts of any length in an error body are kept as texts."""
    error = error_of(answer(400, '{"error": {"message": "m", "log": "' + "x" * 9000 + '"}}'), ASKED)
    assert isinstance(error, e.APIStatusError)
    assert error.body == {"error": {"message": "m", "log": "x" * 9000}}


def test_a_long_message_is_read_whole_before_it_decides() -> None:
    """A message over the length of what is held as text still decides, and is shown cut."""
    message = "x" * 9000 + " rejected as a result of our safety system"
    error = error_of(answer(400, '{"error": {"message": "' + message + '"}}'), ASKED)
    assert type(error) is e.ContentPolicyError
    assert error.message.endswith("x…")


def test_a_short_prompt_hides_nothing_from_the_verdict() -> None:
    """A prompt of a digit does not take the zero out of "Limit: 0"."""
    error = error_of(recorded("openai-no-allowance"), asked_with(prompt="0"))
    assert type(error) is e.QuotaExceededError


def test_a_call_without_prompt_and_key_is_told_as_well() -> None:
    """A free call, of which nothing is to be hidden, gets the same verdicts."""
    asked = Context(key=Secret(""), prompt=None, model="m", host="h", paid=False)
    error = error_of(recorded("openai-policy"), asked)
    assert type(error) is e.ContentPolicyError
    assert not error_of(recorded("json-empty"), asked).maybe_billed


def test_a_redirect_without_target_is_told() -> None:
    """A redirect that names no target says so."""
    assert "to nowhere;" in error_of(answer(307, ""), ASKED).message


def test_a_code_is_redacted_in_the_message() -> None:
    """Whatever field of an answer repeats the key, the message does not."""
    problem = read_problem({"error": {"message": "no", "code": KEY}}, "")
    assert KEY not in problem_error(problem, answer(400, ""), ASKED, None).message


@pytest.mark.parametrize(
    ("details", "categories"),
    [
        ('{"moderation_details": {"categories": ["a", 1]}}', ("a", "1")),
        ('{"moderation_details": "odd"}', ()),
        ('{"innererror": {"content_filter_result": {"hate": {"filtered": true}, "x": 1}}}', ("hate",)),
        ('{"message": "safety_violations=[]"}', ()),
    ],
)
def test_categories_are_read_wherever_they_stand(details: str, categories: tuple[str, ...]) -> None:
    """Details, Azure's filter results and the message each name the categories."""
    error = error_of(answer(400, '{"error": {"code": "moderation_blocked", ' + details[1:] + "}"), ASKED)
    assert isinstance(error, e.ContentPolicyError)
    assert error.categories == categories


@pytest.mark.parametrize(
    ("headers", "message", "found"),
    [
        ({"x-request-id": "a", "cf-ray": "b"}, "request id: 12345678", "a"),
        ({"x-request-id": "", "request-id": "c"}, "", "c"),
        ({"cf-ray": "b"}, "(request id: abc-1234)", "abc-1234"),
        ({"cf-ray": "b"}, "include the request ID associated with it", "b"),
        ({"cf-ray": ""}, "no id", None),
    ],
)
def test_the_request_id_is_the_hosts_own(headers: dict[str, str], message: str, found: str | None) -> None:
    """The host's header, else its message, else the number of the proxy in front of it."""
    assert request_id(headers, message) == found


@pytest.mark.parametrize(
    ("document", "failed"),
    [
        ({"error": {"message": "m"}}, True),
        ({"error": "m", "data": []}, True),
        ({"error": None, "data": []}, False),
        ({"error": {"message": "m"}, "data": [{"url": "u"}]}, False),
        ([{"error": "m"}], False),
    ],
)
def test_a_2xx_answer_may_report_a_failure(document: object, failed: bool) -> None:
    """An error beside images does not take them away."""
    assert reports_failure(document) is failed
