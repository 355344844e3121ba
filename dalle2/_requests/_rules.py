"""What no model accepts, whatever the model: pure checks of one parameter each.

All raise `InvalidRequestError` naming the parameter.
"""

from __future__ import annotations

from collections.abc import Mapping

from .._secrets import quoted
from ..errors import InvalidRequestError

WHOLE = frozenset({"n", "output_compression", "partial_images"})
"""The parameters that are integers; the others are texts."""


def check(name: str, value: object) -> None:
    """Check a parameter by its name; `None` is one that is not sent."""
    if name == "prompt":
        check_prompt(value)
    elif name == "extra_body":
        check_body(value)
    elif value is not None:
        if name in WHOLE:
            _check_whole(name, value)
        else:
            _check_word(name, value)


def check_prompt(value: object) -> None:
    """A text that says something."""
    if not isinstance(value, str):
        raise InvalidRequestError(f"prompt must be a text; it is {type(value).__name__}", field="prompt")
    if not value.strip():
        raise InvalidRequestError("prompt is empty: describe the image you want", field="prompt")
    _check_sendable(value, "prompt")


def _check_whole(name: str, value: object) -> None:
    """An integer from 0 up, `n` from 1 up."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidRequestError(f"{name} must be an integer; it is {_shown(value)}", field=name)
    low = 1 if name == "n" else 0
    if value < low:
        raise InvalidRequestError(f"{name} must be at least {low}; it is {quoted(value)}", field=name)


def _check_word(name: str, value: object) -> None:
    """A text that is not blank."""
    if not isinstance(value, str):
        raise InvalidRequestError(f"{name} must be a text; it is {_shown(value)}", field=name)
    if not value.strip():
        raise InvalidRequestError(f"{name} is empty: leave it out to get the host's default", field=name)
    _check_sendable(value, name)


def _check_sendable(text: str, field: str) -> None:
    if text.isascii():
        return
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise InvalidRequestError(
            f"{field} holds half of a surrogate pair, which no host can read: decode the text anew",
            field=field,
        ) from None


def check_body(value: object) -> None:
    """A mapping with texts for names, or `None`."""
    if value is None:
        return
    if not isinstance(value, Mapping):
        raise InvalidRequestError(
            f"extra_body must be a mapping; it is a {type(value).__name__}", field="extra_body"
        )
    for name in value:
        if not isinstance(name, str):
            raise InvalidRequestError(
                f"extra_body: every name must be a text; one is {_shown(name)}", field="extra_body"
            )


def _shown(value: object) -> str:
    return f"{quoted(value)} ({type(value).__name__})"
