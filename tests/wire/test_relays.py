"""What hosts say in words and codes, what proves a refusal, and what leaves a paid call in doubt."""

from __future__ import annotations

import html
import json
import re
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dalle2 import errors as e
from dalle2._http import HttpResponse
from dalle2._requests._draft import Draft
from dalle2._secrets import AT_ONCE, Secret, redact, redact_bytes
from dalle2._wire._body import JsonBody
from dalle2._wire._context import Context
from dalle2._wire._errors import error_of
from dalle2._wire._problem import read_problem
from dalle2._wire._relays import CODES, WORDS, meaning_of_code, meanings_in, wait_in_words

AT = datetime(2026, 11, 20, 12, tzinfo=UTC)
KEY = "sk-proj-Abcdefghijklmnop0123456789WXYZ"
ASKED = Context(
    "api.example.com",
    model="dall-e-2",
    key=Secret(KEY),
    prompt="a corgi",
    request=Draft.generation(None, prompt="a corgi"),
    retired=True,
)


def answer(status: int, content: object, **headers: str) -> HttpResponse:
    """An answer with this body: bytes as they are, a text as a web page or text, all else as JSON."""
    raw = content if isinstance(content, bytes) else content.encode() if isinstance(content, str) else b""
    body = JsonBody()
    body.feed(raw or json.dumps(content, ensure_ascii=False).encode() if content != "" else b"")
    return HttpResponse(status, {name.replace("_", "-"): value for name, value in headers.items()}, body, AT)


def told(status: int, content: object, asked: Context = ASKED, **headers: str) -> Any:
    """The error of an answer."""
    return error_of(answer(status, content, **headers), asked)


def enveloped(message: str, **more: object) -> dict[str, object]:
    """The API's own error object."""
    return {"error": {"message": message, **more}}


# The table


def test_every_row_names_its_source() -> None:
    """A web address, so that whoever doubts a row can look."""
    for row in (*CODES, *WORDS):
        assert "https://" in row.source


def test_codes_are_in_lower_case_and_mean_one_thing() -> None:
    """No code stands in two rows, and none is a number."""
    codes = [code for row in CODES for code in row.says.split()]
    assert codes == [code.lower() for code in codes]
    assert len(codes) == len(set(codes))
    assert not [code for code in codes if code.isdigit()]


def test_no_pattern_of_the_table_grows_without_bound() -> None:
    """Words are looked for by patterns without `*` and `+`."""
    for row in WORDS:
        assert not re.search(r"(?<!\\)[*+]", row.says), row
        re.compile(row.says)


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("当前分组 default 下对于模型  无可用渠道 (request id: 2025)", "no channel"),
        ("分组 vip 下模型 qwen 的可用渠道失败（retry）", "no channel"),
        ("no available channel for group default", "no channel"),
        ("用户额度不足, 剩余额度: 0", "quota"),
        ("该令牌额度已用尽", "quota"),
        ("您的账户余额不足，请充值", "quota"),
        ("使用者餘額不足", "quota"),
        ("账户已欠费", "quota"),
        ("user [3446] quota [-2]preConsumedQuota [743]is not enough", "quota"),
        ("Your account balance is insufficient. Please recharge", "quota"),
        ("当前分组上游负载已饱和，请稍后再试", "busy"),
        ("系统繁忙", "busy"),
        ("The engine is currently overloaded", "busy"),
        ("请求频率超过限制", "rate"),
        ("litellm.RateLimitError: No deployments available for selected model", "rate"),
        ("Input data may contain inappropriate content.", "policy"),
        ("系统检测到输入可能包含不安全或敏感内容", "policy"),
        ("提示词包含违规内容", "policy"),
        ("图片未通过内容审核", "policy"),
        ("The request failed because the output image may contain sensitive information.", "policy"),
        ("无效的令牌", "key"),
    ],
)
def test_words_mean_what_their_hosts_mean(text: str, meaning: Any) -> None:
    """In Chinese, simplified and traditional, as in English."""
    assert meaning in meanings_in(text)


@pytest.mark.parametrize("text", ["", "a corgi", "未知错误", "Bad size", "x" * AT_ONCE + "余额不足"])
def test_other_words_mean_nothing(text: str) -> None:
    """Nor does what stands beyond the beginning of a text."""
    assert meanings_in(text) == frozenset()


def test_a_code_is_known_in_any_case_and_the_first_known_counts() -> None:
    """`DataInspectionFailed` and its kin."""
    assert meaning_of_code("DataInspectionFailed") == "policy"
    assert meaning_of_code(None, "", "x", "Arrearage") == "quota"
    assert meaning_of_code("OutputImageSensitiveContentDetected") == "output"
    assert meaning_of_code("1301") is None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("Please retry after 20 seconds.", 20.0),
        ("Rate limited. Try again in 1.5s.", 1.5),
        ("Please try again in 6m0s.", 360.0),
        ("try again in 1m30.5s", 90.5),
        ("try again in 120ms", 0.12),
        ("wait 2 minutes", 120.0),
        ("retry in 1 hour", 3600.0),
        ("No deployments available for selected model, Try again in 60 seconds. Passed model=x", 60.0),
        ("请30秒后重试", 30.0),
        ("请在 5 分钟之后再试", 300.0),
        ("請 2 小時後", None),
        ("请 2 小时后重试", 7200.0),
        ("500毫秒后", 0.5),
        ("try again later", None),
        ("retry after 999999 hours", None),
        ("retry after", None),
        ("wait. Limit: 5 s", None),
        ("", None),
    ],
)
def test_a_wait_may_stand_in_a_sentence(text: str, seconds: float | None) -> None:
    """In any unit, up to a day; a sentence without a number asks for none."""
    found = wait_in_words(text)
    assert found == pytest.approx(seconds) if seconds is not None else found is None


def test_a_header_goes_before_a_sentence() -> None:
    """And a sentence counts only where waiting helps."""
    message = enveloped("Too many requests, retry after 20 seconds")
    assert told(429, message).retry_after == 20.0
    assert told(429, message, retry_after="3").retry_after == 3.0
    assert told(400, message).retry_after is None


# What proves a refusal


@pytest.mark.parametrize(
    ("status", "content", "kind"),
    [
        (
            503,
            enveloped("当前分组 default 下对于模型  无可用渠道", type="one_api_error"),
            e.ModelRetiredError,
        ),
        (503, {"code": 1, "msg": "无可用渠道"}, e.ModelRetiredError),
        (500, enveloped("x", code="get_channel_failed"), e.ModelRetiredError),
        (400, enveloped("模型 dall-e-2 不存在"), e.ModelRetiredError),
        (403, enveloped("用户额度不足", type="new_api_error"), e.QuotaExceededError),
        (500, enveloped("x", code="insufficient_user_quota"), e.QuotaExceededError),
        (429, {"message": "余额不足"}, e.QuotaExceededError),
        (400, {"code": "DataInspectionFailed", "message": "x", "request_id": "r"}, e.ContentPolicyError),
        (500, enveloped("敏感词", code="sensitive_words_detected"), e.ContentPolicyError),
        (400, {"Response": {"Error": {"Code": "X", "Message": "图片违规"}}}, e.ContentPolicyError),
        (
            400,
            {"ResponseMetadata": {"Error": {"Code": "InvalidApiKey", "Message": "x"}}},
            e.AuthenticationError,
        ),
        (500, enveloped("无效的令牌"), e.AuthenticationError),
        (429, {"code": "Throttling.RateQuota", "message": "x"}, e.RateLimitError),
        (529, enveloped("Overloaded", type="overloaded_error"), e.InternalServerError),
        (400, {"errors": [{"message": "Bad size"}]}, e.BadRequestError),
    ],
)
def test_a_hosts_own_words_are_a_refusal(status: int, content: object, kind: type[e.APIStatusError]) -> None:
    """They are known for what they are, and nothing was billed."""
    error = told(status, content)
    assert type(error) is kind
    assert not error.maybe_billed


def test_a_refusal_of_what_was_made_may_be_billed() -> None:
    """Some hosts look at the picture once it is there."""
    error = told(400, enveloped("x", code="OutputImageSensitiveContentDetected"))
    assert (type(error), error.stage, error.maybe_billed) == (e.ContentPolicyError, "output", True)


PAGE = "<html><head><title>Service Unavailable</title></head></html>"
GATEWAYS: tuple[object, ...] = (
    PAGE,
    "",
    "upstream connect error or disconnect/reset before headers",
    {"message": "Service Unavailable"},
    {"msg": "no healthy upstream"},
    {"detail": "Service Unavailable"},
    {"error": "Service Unavailable", "status": 503, "path": "/v1/images/generations"},
    {"message": "The server is busy"},
    [],
    "null",
)


@pytest.mark.parametrize("status", [408, 503])
@pytest.mark.parametrize("content", GATEWAYS, ids=repr)
def test_a_gateways_word_proves_nothing(status: int, content: object) -> None:
    """A page, a status alone, a bare message: a paid call may have been carried out."""
    error = told(status, content)
    assert (type(error), error.reason, error.maybe_billed) == (e.OutcomeUnknownError, "gateway", True)
    assert not told(status, content, ASKED._replace(paid=False)).maybe_billed


@pytest.mark.parametrize(
    "status", [444, 460, 463, 494, 495, 496, 497, 498, 499, 520, 524, 527, 530, 561, 598, 599]
)
@pytest.mark.parametrize("content", [PAGE, "", enveloped("Closed.", type="x"), {"message": "x"}], ids=repr)
def test_a_status_that_only_proxies_use_proves_nothing(status: int, content: object) -> None:
    """Whatever stands in its body."""
    error = told(status, content)
    assert (type(error), error.maybe_billed, error.status_code) == (e.OutcomeUnknownError, True, status)


@pytest.mark.parametrize("status", [502, 504])
def test_a_gateways_status_proves_nothing_in_any_envelope(status: int) -> None:
    """A relay wraps the timeout of its own call as if it were the API's."""
    assert isinstance(told(status, enveloped("busy", type="server_error")), e.OutcomeUnknownError)


@pytest.mark.parametrize(
    ("content", "headers", "kind"),
    [
        (enveloped("slow down"), {}, e.RateLimitError),
        ({"message": "API rate limit exceeded"}, {}, e.RateLimitError),
        ("<html><head><title>429 Too Many Requests</title></head></html>", {}, e.RateLimitError),
        ("local_rate_limited", {}, e.RateLimitError),
        ("", {"retry_after": "3"}, e.RateLimitError),
        ("", {}, e.OutcomeUnknownError),
        (PAGE, {}, e.OutcomeUnknownError),
        (enveloped("upstream timed out"), {}, e.OutcomeUnknownError),
    ],
    ids=repr,
)
def test_a_429_is_a_refusal_where_something_says_so(
    content: object, headers: dict[str, str], kind: type[e.APIError]
) -> None:
    """Load balancers refuse as well, and say so; a status alone does not."""
    error = told(429, content, **headers)
    assert type(error) is kind
    assert error.maybe_billed is (kind is e.OutcomeUnknownError)
    if isinstance(error, e.RateLimitError):
        assert error.repeatable


@pytest.mark.parametrize(
    ("content", "repeatable"),
    [
        (enveloped("Conflict.", type="x"), True),
        (enveloped("Another request with this idempotency key is running."), False),
        (enveloped("The request is already being processed"), False),
        (enveloped("x", code="idempotency_key_in_use"), False),
        (enveloped("请求正在处理中"), False),
        ({"message": "Conflict"}, False),
        (PAGE, False),
        ("", False),
    ],
    ids=repr,
)
def test_a_conflict_with_the_call_itself_may_be_billed(content: object, repeatable: bool) -> None:
    """It runs, or ran: it is not sent again. Only the API's own words say that the conflict is another."""
    error = told(409, content)
    assert type(error) is e.ConflictError
    assert (error.repeatable, error.maybe_billed) == (repeatable, not repeatable)
    assert not told(409, content, x_should_retry="true").repeatable or repeatable


@pytest.mark.parametrize(
    ("content", "repeatable"),
    [
        (enveloped("The server had an error", type="server_error"), True),
        (enveloped("upstream failed", type="server_error"), False),
        (enveloped("x"), False),
        (PAGE, False),
        ("", False),
    ],
    ids=repr,
)
def test_a_500_is_repeated_where_the_api_says_that_it_was_its_own(content: object, repeatable: bool) -> None:
    """A relay's own 500 hides what became of its call."""
    error = told(500, content)
    assert (type(error), error.repeatable, error.maybe_billed) == (
        e.InternalServerError,
        repeatable,
        not repeatable,
    )


def test_only_the_api_may_ask_for_another_attempt() -> None:
    """`x-should-retry: true` on a page is not its word; `false` is obeyed, whoever says it."""
    assert told(500, enveloped("x"), x_should_retry="true").repeatable
    assert not told(500, PAGE, x_should_retry="true").repeatable
    assert not told(429, enveloped("slow down"), x_should_retry="false").repeatable


def test_a_refusal_that_is_odd_json_is_read() -> None:
    """Bytes that JSON does not allow do not turn the API's own words into a gateway's."""
    error = told(400, b'{"error": {"message": "safety system \xff", "code": "moderation_blocked"}}')
    assert type(error) is e.ContentPolicyError
    for content in (b'{"error": {"message": "x"', b"[" * 1000 + b"]" * 1000):
        assert type(told(400, content)) is e.BadRequestError


# Secrets, and what is shown


def test_no_field_of_an_error_repeats_the_key() -> None:
    """Headers and their names, code, type, param, id, categories, stage, body; in whole and in part."""
    part = KEY[:16]
    content = {
        "error": {
            "message": f"safety system {KEY}",
            "code": f"c {KEY}",
            "type": part,
            "param": KEY,
            "moderation_details": {"categories": [KEY], "moderation_stage": KEY},
        },
        KEY: f"Bearer {KEY}",
    }
    headers = {"x-request-id": f"req_{KEY}", f"x-{KEY}": "a", "www-authenticate": f"Key {KEY}"}
    error = error_of(
        answer(400, content)._replace(headers) if False else _with(answer(400, content), headers), ASKED
    )
    shown = f"{error!r} {vars(error)}"
    assert part not in shown
    assert isinstance(error, e.ContentPolicyError)
    lost = error_of(_with(answer(502, f"<html>{KEY}</html>"), headers), ASKED)
    assert part not in f"{lost!r} {vars(lost)}"


def _with(response: HttpResponse, headers: dict[str, str]) -> HttpResponse:
    """The same answer with these headers."""
    return HttpResponse(response.status, headers, response.body, response.at)


@pytest.mark.parametrize(
    "mark", ["\x1b[31m", "\x9b2J", "\u202e", "\u200b", "\n", "\r", "\u2028", "\x07", "\ud83d"]
)
def test_no_host_writes_on_a_terminal(mark: str) -> None:
    """Escape sequences, bidi marks, what has no width and line breaks, in every field that is shown."""
    text = f"a{mark}b"
    content = {"error": {"message": text, "code": text, "type": text, "param": text,
                         "moderation_details": {"categories": [text], "moderation_stage": text}}}  # fmt: skip
    raw = json.dumps({**content, "x": "safety system"}).encode()
    error = told(400, raw.replace(b'"message": "a', b'"message": "safety system a'), x_request_id=text)
    assert isinstance(error, e.ContentPolicyError)
    for shown in (
        error.message,
        error.code,
        error.type,
        error.param,
        error.request_id,
        *error.categories,
        error.stage,
    ):
        assert shown is not None
        assert mark not in shown
        assert shown.isprintable()


@pytest.mark.parametrize("key", ["abc/def+ghi=jkl&mno", 'k"ey\\with<odd>signs'])
def test_a_key_of_odd_signs_is_found_in_every_spelling(key: str) -> None:
    """As it is, in JSON, with escaped slashes, in a URL, in HTML."""
    spellings = [key, json.dumps(key)[1:-1], key.replace("/", "\\/"), quote(key, safe=""), html.escape(key)]
    text = " and ".join(spellings)
    assert redact(text, key=key) == " and ".join(["***"] * 5)
    assert redact_bytes(text.encode(), key=key) == b" and ".join([b"***"] * 5)


def test_a_body_without_a_key_in_it_is_left_as_it_is() -> None:
    """Also where it looks like one: the signature of a URL is needed, and no key is known."""
    body = b"sk-abc https://h/a?sig=abc"
    assert redact_bytes(body, key="sk-proj-0123456789") == body
    assert redact_bytes(body, key=None) == redact_bytes(body, key="abc") == body


# Every search is bounded


HOSTILE = (
    "safety_violations=[",
    "![",
    "![](",
    '"code": "',
    "'code':" + " " * 50,
    "limit: 0",
    "model ",
    "model.",
    "request id ",
    "retry ",
    "try again in 1",
    "<title",
    "<img src=",
    "data:image/png;base64,",
    "https://",
    "quota ",
    "额度",
    "a.",
    "sk-",
    "Bearer ",
    " ",
)


@pytest.mark.parametrize("piece", HOSTILE)
def test_no_search_looks_at_more_than_the_beginning(piece: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A message of a megabyte is searched in its first 16 KiB; what goes over it whole goes over it once."""
    sizes: list[int] = []
    for name in ("search", "match", "fullmatch", "finditer"):
        real = getattr(re, name)

        def counting(pattern: Any, string: Any, *more: Any, real: Any = real) -> Any:
            sizes.append(len(string))
            return real(pattern, string, *more)

        monkeypatch.setattr(re, name, counting)
    told(400, enveloped(piece * (1_000_000 // len(piece))))
    told(503, piece * (1_000_000 // len(piece)))
    assert sizes
    assert max(sizes) <= AT_ONCE + 200


def test_each_pattern_of_an_answers_text_is_linear() -> None:
    """Where a text is searched whole, no start looks further than a bound."""
    from dalle2._wire import _addresses

    for pattern in (_addresses._MARKDOWN, _addresses._TAG, _addresses._BARE):
        bounds = [int(bound) for bound in re.findall(r"\{\d+,(\d+)\}", pattern)]
        assert bounds
        assert max(bounds) <= 8192
        without = re.sub(r"\[(?:\\.|[^\]\\])*\]", "C", pattern)  # classes hold the same signs
        assert not re.search(r"(?<!\\)[*+](?!\+)", without.replace("\\*", "").replace("\\+", "")), pattern


@given(st.text(max_size=300))
def test_any_words_are_read_without_a_fall(text: str) -> None:
    """Whatever a host says, it has a class."""
    for status in (200, 400, 408, 409, 429, 500, 503, 599):
        assert isinstance(told(status, enveloped(text)), e.APIError)


@pytest.mark.parametrize(
    ("document", "message", "code"),
    [
        ({"Response": {"Error": {"Code": "X", "Message": "m"}}}, "m", "X"),
        ({"ResponseMetadata": {"Error": {"Code": "X", "Message": "m"}}}, "m", "X"),
        ({"base_resp": {"status_code": 1026, "status_msg": "m"}}, "m", "1026"),
        ({"errors": [{"message": "m", "code": 7}]}, "m", "7"),
        ({"errors": []}, "", None),
        ({"error_code": 18, "error_msg": "m"}, "m", "18"),
        ({"detail": {"error": {"message": "m"}}}, "m", None),
        ({"detail": {"message": "m", "code": "c"}}, "m", "c"),
    ],
)
def test_error_objects_are_found_where_hosts_put_them(
    document: object, message: str, code: str | None
) -> None:
    """Tencent Cloud, Volcengine, MiniMax, JSON:API, Baidu, FastAPI."""
    problem = read_problem(document, "")
    assert (problem.message, problem.code) == (message, code)
