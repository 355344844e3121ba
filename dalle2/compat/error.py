"""`openai.error` of 2022: the names by which scripts of that time catch what goes wrong."""

from __future__ import annotations

from . import _error_tree
from ._error_tree import AuthenticationError as AuthenticationError
from ._error_tree import BadRequestError as InvalidRequestError
from ._error_tree import ConflictError as TryAgain
from ._error_tree import InternalServerError as ServiceUnavailableError
from ._error_tree import OpenAIError as OpenAIError
from ._error_tree import PermissionDeniedError as PermissionError
from ._error_tree import RateLimitError as RateLimitError

__all__ = [  # noqa: RUF022, the first is the base
    "OpenAIError",
    "APIConnectionError",
    "APIError",
    "AuthenticationError",
    "InvalidAPIType",
    "InvalidRequestError",
    "PermissionError",
    "RateLimitError",
    "ServiceUnavailableError",
    "Timeout",
    "TryAgain",
]


class APIError(_error_tree.APIError):
    """The host failed, in a way that none of the others names. Unlike today's it is no base of the others."""


class APIConnectionError(_error_tree.APIConnectionError):
    """No connection: the request was not carried out."""


class Timeout(_error_tree.APITimeoutError):
    """No connection in time: the request was not carried out."""


class InvalidAPIType(_error_tree.OpenAIError):
    """`api_type` names no kind of host, or one without this call."""
