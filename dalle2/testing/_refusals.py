"""The vendor's refusals, word for word: what it answers to which mistake.

The rule: one function a body, named for the mistake. A `Refusal` is the vendor's own form (`message`,
`type`, `code`, `param`); how another host wraps it is decided in `_personas.py`.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence

import attrs

USER_ERROR = "image_generation_user_error"


@attrs.define(slots=False, eq=False)
class Refusal(Exception):
    """A request that is not carried out, and the body that says so."""

    message: str
    status: int = 400
    type: str = "invalid_request_error"
    code: str | None = None
    param: str | None = None
    extra: dict[str, object] = attrs.field(factory=dict)
    """Further keys inside `error`."""
    retry_after: float | None = None
    """Seconds."""

    def body(self) -> dict[str, object]:
        """The envelope as the vendor sends it."""
        error = {"message": self.message, "type": self.type, "param": self.param, "code": self.code}
        return {"error": error | self.extra}


def policy_violation() -> Refusal:
    """A dall-e prompt that the safety system refused."""
    return Refusal(
        "Your request was rejected as a result of our safety system. Your prompt may contain text that is "
        "not "
        "allowed by our safety system.",
        code="content_policy_violation",
    )


def moderation_blocked(categories: Sequence[str]) -> Refusal:
    """A prompt for a GPT image model that the safety system refused."""
    return Refusal(
        "Your request was rejected by the safety system. If you believe this is an error, contact us at "
        f"help.openai.com and include the request ID {uuid.uuid4()}. "
        f"safety_violations=[{', '.join(categories)}].",
        type=USER_ERROR,
        code="moderation_blocked",
        extra={"moderation_details": {"moderation_stage": "input", "categories": list(categories)}},
    )


def model_gone(model: str) -> Refusal:
    """An image request for a model that was retired or never existed: the answer is the same."""
    return Refusal(
        f"The model '{model}' does not exist.", type=USER_ERROR, code="invalid_value", param="model"
    )


def model_not_found(model: str) -> Refusal:
    """`GET /v1/models/{model}` for a model that was retired or never existed."""
    return Refusal(
        f"The model '{model}' does not exist or you do not have access to it.",
        404,
        code="model_not_found",
        param="model",
    )


def missing_key() -> Refusal:
    """No key was sent."""
    return Refusal(
        "You didn't provide an API key. You need to provide your API key in an Authorization header using "
        "Bearer auth "
        "(i.e. Authorization: Bearer YOUR_KEY). You can obtain an API key from "
        "https://platform.openai.com/account/api-keys.",
        401,
    )


def wrong_key(key: str) -> Refusal:
    """A key that the emulator does not accept; the vendor repeats it half masked."""
    masked = f"{key[:8]}{'*' * max(len(key) - 12, 4)}{key[-4:]}" if len(key) > 12 else f"{key[:3]}{'*' * 8}"
    return Refusal(
        f"Incorrect API key provided: {masked}. You can find your API key at "
        "https://platform.openai.com/account/api-keys.",
        401,
        code="invalid_api_key",
    )


def key_under_way(seconds: float) -> Refusal:
    """The first request under this idempotency key has not been answered yet; it takes so long still (s)."""
    refusal = Refusal("Another request with this idempotency key is running.", 409)
    refusal.retry_after = seconds
    return refusal


def key_used_otherwise() -> Refusal:
    """This idempotency key was used for a request that is not the same."""
    return Refusal(
        "This idempotency key was used before with other parameters.", type="idempotency_error", code=None
    )


def unknown_url(method: str, path: str) -> Refusal:
    """A path that does not exist."""
    return Refusal(f"Invalid URL ({method} {path})", 404)


def method_not_allowed(method: str, path: str) -> Refusal:
    """A path that exists, called with the wrong method."""
    return Refusal(f"Not allowed to {method} on {path}.", 405, code="method_not_supported")


def bad_json() -> Refusal:
    """A body that is no JSON object."""
    return Refusal(
        "We could not parse the JSON body of your request. (HINT: This likely means you aren't using your "
        "HTTP "
        "library correctly. The OpenAI API expects a JSON payload, but what was sent was not valid JSON.)"
    )


def wrong_content_type(given: str) -> Refusal:
    """A JSON body where only a form is taken."""
    return Refusal(
        f"Unsupported content type: '{given}'. This API method only accepts 'multipart/form-data' "
        "requests, but you "
        f"specified the header 'Content-Type: {given}'.",
        code="unsupported_content_type",
    )


def unknown_parameter(name: str) -> Refusal:
    """A parameter that the model does not take."""
    return Refusal(f"Unknown parameter: '{name}'.", code="unknown_parameter", param=name)


def missing_parameter(name: str) -> Refusal:
    """A required parameter was left out."""
    return Refusal(f"Missing required parameter: '{name}'.", code="missing_required_parameter", param=name)


def invalid_type(name: str, expected: str, got: str) -> Refusal:
    """A parameter of the wrong JSON type, or a file where a text belongs."""
    return Refusal(
        f"Invalid type for '{name}': expected {expected}, but got {got} instead.",
        code="invalid_type",
        param=name,
    )


def schema_error(text: str) -> Refusal:
    """The older wording, from a JSON schema: no code and no parameter name."""
    return Refusal(text)


def invalid_value(name: str, given: object, allowed: Sequence[str]) -> Refusal:
    """The newer wording for a value outside a list."""
    *most, last = [f"'{value}'" for value in allowed]
    listed = f"{', '.join(most)}{',' if len(most) > 1 else ''} and {last}" if most else last
    return Refusal(
        f"Invalid value: '{given}'. Supported values are: {listed}.", code="invalid_value", param=name
    )


def out_of_range(name: str, given: int, low: int, high: int) -> Refusal:
    """The newer wording for a number outside its range."""
    if given > high:
        return Refusal(
            f"Invalid '{name}': integer above maximum value. Expected a value <= {high}, but got {given} "
            "instead.",
            code="integer_above_max_value",
            param=name,
        )
    return Refusal(
        f"Invalid '{name}': integer below minimum value. Expected a value >= {low}, but got {given} instead.",
        code="integer_below_min_value",
        param=name,
    )


def unsupported_size() -> Refusal:
    """A size that another model takes, but not this one."""
    return Refusal("The size is not supported by this model.", code="invalid_size")


def prompt_too_long(limit: int, length: int) -> Refusal:
    """A dall-e prompt over its limit."""
    return Refusal(
        f"Prompt must be length {limit} or less. Your prompt length is {length}. Please reduce your prompt "
        "length."
    )


def string_too_long(name: str, limit: int, length: int) -> Refusal:
    """The newer wording for a text over its limit."""
    return Refusal(
        f"Invalid '{name}': string too long. Expected a string with maximum length {limit}, but got a "
        "string with "
        f"length {length} instead.",
        code="string_above_max_length",
        param=name,
    )


def unsupported_mimetype(name: str, given: str, allowed: Sequence[str]) -> Refusal:
    """An upload whose part has the wrong `Content-Type`."""
    *most, last = [f"'{value}'" for value in allowed]
    listed = f"{', '.join(most)}, and {last}" if most else last
    return Refusal(
        f"Invalid file '{name}': unsupported mimetype ('{given}'). Supported file formats are {listed}.",
        param=name,
    )


def not_a_small_png() -> Refusal:
    """A dall-e-2 upload that is no PNG, or too large."""
    return Refusal("Uploaded image must be a PNG and less than 4 MB.")


def invalid_image_file(number: int) -> Refusal:
    """An upload for a GPT image model that cannot be read."""
    return Refusal(
        f"Invalid image file or mode for image {number}, please check your image file.",
        type=USER_ERROR,
        code="invalid_image_file",
        param="",
    )


def fidelity_not_supported(model: str) -> Refusal:
    """`input_fidelity` for a model without it."""
    return Refusal(
        f"The model '{model}' does not support the 'input_fidelity' parameter.",
        type=USER_ERROR,
        code="invalid_input_fidelity_model",
        param="input_fidelity",
    )


def rate_limited(limit: int, current: int, wait: int) -> Refusal:
    """More images a minute than allowed."""
    return Refusal(
        "Rate limit exceeded for images per minute in organization org-emulator. "
        f"Limit: {limit}/1min. Current: {current}/1min. Please visit "
        "https://platform.openai.com/docs/guides/rate-limits to learn how to increase your rate limit.",
        429,
        type="requests",
        code="rate_limit_exceeded",
        retry_after=wait,
    )
