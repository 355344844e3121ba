"""The hosts that the emulator can pretend to be: how each one wraps errors, signs in, and names its paths.

The rule: the image work is the same for all. A persona only changes what surrounds it, and copies the
oddities that were seen on the real host.
"""

from __future__ import annotations

import http
import math
import secrets
import uuid
from datetime import datetime
from typing import Literal

import attrs

from ._exchange import EmulatedResponse, json_response
from ._refusals import Refusal
from ._store import Lane

PersonaName = Literal["openai", "cometapi", "litellm", "azure", "localai", "one-api"]


@attrs.frozen
class Persona:
    """One host: where its API and its images live."""

    name: PersonaName
    image_origin: str | None
    """`None`: images live on the API's own origin."""
    lane: Lane = "sas"
    lifetime: int = 3600
    """Seconds that an image URL is good for; without meaning for a URL without a signature."""


PERSONAS: dict[str, Persona] = {
    persona.name: persona
    for persona in (
        Persona("openai", "https://oaidalleapiprodscus.blob.core.windows.net"),
        Persona("cometapi", "https://filesystem.site", "cdn"),
        Persona("litellm", "https://oaidalleapiprodscus.blob.core.windows.net"),
        Persona("azure", "https://dalleproduse.blob.core.windows.net", lifetime=86400),
        Persona("localai", None, "local"),
        Persona("one-api", "https://oaidalleapiprodscus.blob.core.windows.net"),
    )
}


def refusal_response(persona: PersonaName, refusal: Refusal, now: datetime) -> EmulatedResponse:
    """The refusal as this host puts it."""
    if persona == "litellm":
        return _litellm(refusal)  # It was seen to swallow the advice when to try again.
    if persona == "cometapi":
        response = _comet(refusal, now)
    elif persona == "one-api":
        response = _one_api(refusal, now)
    elif persona == "azure":
        response = _azure(refusal)
    else:
        response = json_response(refusal.body(), status=refusal.status)
    if refusal.retry_after is None:
        return response
    return attrs.evolve(response, headers=response.headers | wait_headers(refusal.retry_after))


def wait_headers(wait: float | str) -> dict[str, str]:
    """The headers that ask to wait: a text as it is, else seconds, in milliseconds too if they are
    not whole.
    """
    if isinstance(wait, str):
        return {"Retry-After": wait}
    headers = {"Retry-After": str(math.ceil(wait))}
    if wait != int(wait):
        headers["retry-after-ms"] = f"{wait * 1000:g}"
    return headers


def _comet(refusal: Refusal, now: datetime) -> EmulatedResponse:
    number = f"{now:%Y%m%d%H%M%S%f}"[:20] + secrets.token_hex(4)
    status, code, message = refusal.status, refusal.code or "", refusal.message
    if refusal.param == "model" and refusal.code in ("invalid_value", "model_not_found"):
        model = message.split("'")[1]
        status, code = 503, "model_not_found"
        message = f"no available channel for group default and model {model} (distributor)"
    elif code == "missing_required_parameter":
        if refusal.param == "model":
            code, message = "", "model name is required"
        else:
            status, code, message = 500, "invalid_request", f"field {refusal.param} is required"
    elif status == 401:
        code, message = "", "invalid token"
    error = {
        "code": code,
        "message": f"{message} (request id: {number})",
        "param": "",
        "type": "comet_api_error",
    }
    return json_response({"error": error}, status=status)


def _one_api(refusal: Refusal, now: datetime) -> EmulatedResponse:
    """The relay's own words are Chinese, those of the host behind it come as they are. Source:
    https://github.com/songquanpeng/one-api (middleware/distributor.go, middleware/auth.go).
    """
    if refusal.status == 401:
        message = "无效的令牌"
    elif refusal.param == "model" and refusal.code in ("invalid_value", "model_not_found"):
        model = refusal.message.split("'")[1]
        refusal = attrs.evolve(refusal, status=503)
        message = f"当前分组 default 下对于模型 {model} 无可用渠道"
    else:
        return json_response(refusal.body(), status=refusal.status)
    number = f"{now:%Y%m%d%H%M%S%f}"[:20] + secrets.token_hex(4)
    error = {"message": f"{message} (request id: {number})", "type": "one_api_error"}
    return json_response({"error": error}, status=refusal.status)


def _litellm(refusal: Refusal) -> EmulatedResponse:
    if refusal.status == 401:
        message = (
            "Authentication Error, Invalid proxy server token passed. Unable to find token in cache or "
            "`LiteLLM_VerificationTokenTable`"
        )
        return json_response(
            {"error": {"message": message, "type": "token_not_found_in_db", "param": "key", "code": "401"}},
            status=401,
        )
    names = {400: "BadRequestError", 404: "NotFoundError", 429: "RateLimitError", 500: "InternalServerError"}
    name = names.get(refusal.status, "APIError")
    if refusal.code == "content_policy_violation":
        name = "ContentPolicyViolationError"
    nested = f"litellm.{name}: {name}: OpenAIException - Error code: {refusal.status} - {refusal.body()}"
    error = {"message": nested, "type": None, "param": "None", "code": str(refusal.status)}
    return json_response({"error": error}, status=refusal.status)


def _azure(refusal: Refusal) -> EmulatedResponse:
    error: dict[str, object] = {"code": refusal.code or str(refusal.status), "message": refusal.message}
    if refusal.status == 401:
        error = {
            "code": "401",
            "message": "Access denied due to invalid subscription key or wrong API endpoint. Make sure to "
            "provide a "
            "valid key for an active subscription and use a correct regional API endpoint for your resource.",
        }
    elif refusal.code in ("content_policy_violation", "moderation_blocked"):
        error |= {
            "code": refusal.code,
            "inner_error": {
                "code": "ResponsibleAIPolicyViolation",
                "content_filter_results": {"violence": {"filtered": True, "severity": "medium"}},
            },
        }
    elif refusal.param == "model" and refusal.code == "invalid_value":
        error = {
            "code": "DeploymentNotFound",
            "message": "The API deployment for this resource does not exist. If you created the deployment "
            "within the "
            "last 5 minutes, please wait a moment and try again.",
        }
        return json_response({"error": error}, status=404)
    elif refusal.status == 404:
        error = {"code": "404", "message": "Resource not found"}
    return json_response({"error": error}, status=refusal.status)


def lost_way(method: str, path: str) -> EmulatedResponse:
    """What the CometAPI host answers to a wrong path: it points at its web site."""
    target = "https://www.cometapi.com" + path
    text = f'<a href="{target}">{http.HTTPStatus(301).phrase}</a>.\n\n'
    return EmulatedResponse(
        301, {"Content-Type": "text/html; charset=utf-8", "Location": target}, text.encode()
    )


def standing_headers(persona: PersonaName, request_id: str, milliseconds: int) -> dict[str, str]:
    """The headers that every API answer of the host carries."""
    if persona == "litellm":
        return {"x-litellm-call-id": str(uuid.uuid4()), "x-litellm-version": "1.80.0", "Server": "uvicorn"}
    if persona == "azure":
        return {
            "apim-request-id": str(uuid.uuid4()),
            "x-request-id": request_id,
            "x-ms-region": "Sweden Central",
        }
    if persona == "one-api":
        return {"X-Oneapi-Request-Id": request_id.removeprefix("req_")}
    if persona == "cometapi":
        return {"X-Oneapi-Request-Id": request_id.removeprefix("req_"), "Server": "cloudflare"}
    if persona == "localai":
        return {}
    return {
        "x-request-id": request_id,
        "openai-organization": "org-emulator",
        "openai-processing-ms": str(milliseconds),
        "openai-version": "2020-10-01",
        "cf-cache-status": "DYNAMIC",
        "Server": "cloudflare",
    }
