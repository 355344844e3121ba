"""What hosts say in codes and words, and what it means: a table, each row with its source.

The rule: a code decides before words, and words only where a program of the API's own side wrote them. To
teach the package a host's way of speaking, add a row: the codes in lower case, the words as one pattern
without unbounded parts. Numbers are no codes here, since each host counts in its own way; what they stand
for is in the words beside them.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple, TypeAlias

from .._secrets import AT_ONCE

Meaning: TypeAlias = Literal["quota", "policy", "output", "no model", "no channel", "rate", "busy", "key"]
"""`output`: refused for its content once it was made. `no channel`: a relay without a way to the model.
`busy`: refused since too much is going on, and not begun."""


class Row(NamedTuple):
    """What means the same, by whom it was seen."""

    meaning: Meaning
    says: str
    source: str


_OPENAI = "https://github.com/openai/openai-openapi (ResponseErrorCode and the guide to error codes)"
_ONE_API = "https://github.com/songquanpeng/one-api"
_NEW_API = "https://doc.tokendog.io/zh/api-reference/guide/error-codes (codes of new-api)"
_DASHSCOPE = "https://help.aliyun.com/zh/model-studio/developer-reference/error-code"
_ARK = "https://www.volcengine.com/docs/82379/1299023"
_VIDU = "https://platform.vidu.cn/docs/error-code"
_UCLOUD = "https://github.com/UCloudDoc-Team/modelverse (api_doc/common/error-code.md)"
_COMET = "https://apidoc.cometapi.com/errors/error-codes-handling"

CODES = (
    Row("quota", "billing_hard_limit_reached billing_not_active insufficient_quota", _OPENAI),
    Row(
        "quota",
        "credit_balance_exhausted organization_spend_limit_exceeded organization_usage_limit_exceeded "
        "project_spend_limit_exceeded",
        "https://www.developersdigest.tech/errors/api/openai-api",
    ),
    Row("quota", "budget_exceeded", "https://docs.litellm.ai/docs/proxy/users"),
    Row("quota", "insufficient_user_quota", f"{_ONE_API}/issues/898"),
    Row("quota", "pre_consume_token_quota_failed token_quota_exhausted", _NEW_API),
    Row("quota", "arrearage", _DASHSCOPE),
    Row("quota", "accountoverdueerror operationdenied.serviceoverdue", _ARK),
    Row("quota", "not_enough_balance", "https://docs.jiekou.ai/docs/models/reference-error-code.md"),
    Row("quota", "creditinsufficient", _VIDU),
    Row("policy", "content_policy_violation moderation_blocked", _OPENAI),
    Row("policy", "image_content_policy_violation bio_policy invalid_prompt", _OPENAI),
    Row(
        "policy",
        "content_filter contentfilter responsibleaipolicyviolation",
        "https://learn.microsoft.com/azure/ai-services/openai/concepts/content-filter",
    ),
    Row("policy", "sensitive_words_detected prompt_blocked", _NEW_API),
    Row("policy", "datainspectionfailed data_inspection_failed", _DASHSCOPE),
    Row(
        "policy",
        "sensitivecontentdetected sensitivecontentdetected.severeviolation sensitivecontentdetected.violence "
        "inputtextsensitivecontentdetected inputimagesensitivecontentdetected inputtextriskdetection "
        "inputimageriskdetection",
        _ARK,
    ),
    Row("output", "outputimagesensitivecontentdetected outputimageriskdetection", _ARK),
    Row("policy", "sensitive_check_error", _UCLOUD),
    Row("policy", "taskpromptpolicyviolation auditsubmitillegal", _VIDU),
    Row("output", "creationpolicyviolation", _VIDU),
    Row(
        "policy",
        "prohibited_content image_safety",
        "https://ai.google.dev/api/generate-content (FinishReason)",
    ),
    Row("no model", "model_not_found", _OPENAI),
    Row("no model", "deploymentnotfound", "https://learn.microsoft.com/azure/ai-services/openai/reference"),
    Row("no model", "modelnotfound modelnotopen invalidendpointormodel.notfound", _ARK),
    Row("no channel", "get_channel_failed channel:no_available_key", _NEW_API),
    Row("rate", "throttling throttling.ratequota throttling.allocationquota", _DASHSCOPE),
    Row("busy", "server_is_overloaded slow_down service_unavailable_error overloaded", _OPENAI),
    Row("busy", "overloaded_error", "https://docs.anthropic.com/en/api/errors"),
    Row("key", "invalid_api_key", _OPENAI),
    Row("key", "invalid_token", _COMET),
    Row("key", "invalidapikey", _DASHSCOPE),
)

WORDS = (
    Row("quota", "exceeded your current quota|billing hard limit", _OPENAI),
    Row("quota", "insufficient (?:quota|credits?|balance|funds)", "https://openrouter.ai/docs/errors"),
    Row("quota", r"quota.{0,60}is not enough", f"{_ONE_API}/issues/1846"),
    Row("quota", "额度(?:已|不足|耗尽)|配额(?:已|不足|耗尽)", f"{_ONE_API}/issues/1274"),
    Row("quota", "[余餘][额額]不足|[额額]度不足|欠[费費]", "https://docs.aihubmix.com/cn/FAQs/HTTP-Codes"),
    Row("quota", "account is in arrears|balance is insufficient", "https://docs.z.ai/api-reference/api-code"),
    Row("policy", "safety system|content[ _]policy|content_filter", _OPENAI),
    Row("policy", "may contain (?:inappropriate|sensitive) content|data inspection", _DASHSCOPE),
    Row("policy", "may contain (?:sensitive|severe violation|violence) information", _ARK),
    Row("policy", "unsafe or sensitive content", "https://docs.z.ai/api-reference/api-code"),
    Row("policy", "(?:prompt|creation|content) policy violation", _VIDU),
    Row(
        "policy",
        "敏感(?:词|内容|信息)|敏感(?:詞|內容|資訊)|(?:内容|提示词|图片|文本).{0,8}(?:违规|不合规)|"
        "(?:未通过|不通过).{0,8}审核|审核(?:未|不)通过|内容审核",
        "https://docs.bigmodel.cn/cn/faq/api-code",
    ),
    Row("no channel", "no available channel", _COMET),
    Row("no channel", "[无無沒没]有?可用(?:的)?(?:渠道|管道)|可用渠道失败", f"{_ONE_API}/issues/2340"),
    Row("no channel", "incorrect model id", "https://docs.aihubmix.com/en/FAQs/HTTP-Codes"),
    Row("busy", "overload|at capacity|over capacity|is (?:currently )?busy|saturated|no worker", _COMET),
    Row(
        "busy",
        "负载已?饱和|上游负载|繁忙|过载|負載已?飽和|過載",
        "https://github.com/QuantumNous/new-api/issues/991",
    ),
    Row(
        "rate",
        "rate.?limit|too many requests|too fast|throttl|slow down|limit (?:was |is )?(?:exceeded|reached)",
        _OPENAI,
    ),
    Row("rate", "no deployments available", "https://github.com/BerriAI/litellm/issues/20867"),
    Row(
        "rate",
        "频率(?:超|过高|限制)|过于频繁|请求过快|并发.{0,6}(?:超|过|达到)|限流|限速|頻率超",
        "https://docs.aihubmix.com/cn/FAQs/HTTP-Codes",
    ),
    Row("key", "无效的令牌|令牌(?:已过期|不存在|状态不可用|无效)|未提供令牌", _ONE_API),
)

_BY_CODE = {code: row.meaning for row in CODES for code in row.says.split()}
_STANDING_WAIT = (
    "(?i)"
    r"(?:retry|try again|wait)(?:[^.\d]|\.(?!\s)){0,40}?(\d{1,6}(?:\.\d{1,6})?)\s{0,3}"
    r"(ms|milliseconds?|s|secs?|seconds?|m|mins?|minutes?|h|hours?)(?:\b|(?=\d))(?:(\d{1,4}(?:\.\d{1,6})?)s\b)?"
)
_CHINESE_WAIT = r"(\d{1,6})\s{0,3}(毫秒|秒钟?|分钟?|小时)\s{0,3}(?:之|以)?[后後]"
_UNITS = {"ms": 0.001, "毫": 0.001, "s": 1.0, "秒": 1.0, "m": 60.0, "分": 60.0, "h": 3600.0, "小": 3600.0}
LONGEST_WAIT = 86_400.0
"""Seconds that words may ask for: a number in a sentence is worth less than a header."""


def meaning_of_code(*codes: str | None) -> Meaning | None:
    """What the first known of several codes means."""
    return next((_BY_CODE[code.lower()] for code in codes if code and code.lower() in _BY_CODE), None)


def meanings_in(text: str) -> frozenset[Meaning]:
    """All that the beginning of a text says."""
    text = text[:AT_ONCE]
    return frozenset(row.meaning for row in WORDS if re.search(row.says, text, re.IGNORECASE))


def wait_in_words(text: str) -> float | None:
    """Seconds that a sentence asks to wait ("retry after 20 seconds", "in 1m30s", "30秒后"), or `None`."""
    text = text[:AT_ONCE]
    found = re.search(_STANDING_WAIT, text) or re.search(_CHINESE_WAIT, text)
    if found is None:
        return None
    unit = found[2].lower()
    name = "ms" if unit.startswith(("ms", "milli")) else unit[:1]
    rest = found.re.groups > 2 and found[3]
    seconds = float(found[1]) * _UNITS[name] + (float(rest) if rest else 0.0)
    return seconds if seconds <= LONGEST_WAIT else None
