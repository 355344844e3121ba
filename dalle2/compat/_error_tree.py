"""Errors as scripts for the official SDK catch them, and still ours.

The rule: what a call raises is the error that it was, and of the official class besides, so that both
`except openai.RateLimitError` and `except dalle2.QuotaExceededError` catch it. The official class follows
what ours means, and the status that travelled where that says another one. The classes here stand for those
of the SDK from version 1 on; a `Tree` names where the official ones are found: here, in `compat.error`
(2022), or in the `openai` that is installed.

A lost answer is an `APIError` and never one of the classes that scripts repeat.
"""

from __future__ import annotations

import functools
import importlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from .. import errors as e

if TYPE_CHECKING:
    import httpx


class OpenAIError(Exception):
    """The base of all errors that come out of here."""


class APIError(OpenAIError):
    """The call failed. `body` is the answer's `error` object, or its text; `None` if none came."""

    message: str
    request: httpx.Request
    body: object
    code: str | None
    param: str | None
    type: str | None

    def __init__(self, message: str, request: httpx.Request | None = None, *, body: object = None) -> None:
        super().__init__(message)
        told = body if isinstance(body, Mapping) else {}
        self.__dict__.update(message=message, request=request, body=body)
        self.__dict__.update({name: told.get(name) for name in ("code", "param", "type")})


class APIResponseValidationError(APIError):
    """An answer of the wrong shape."""


class APIConnectionError(APIError):
    """No connection: the request was not carried out."""

    def __init__(self, *, message: str = "Connection error.", request: httpx.Request | None = None) -> None:
        super().__init__(message, request)


class APITimeoutError(APIConnectionError):
    """No connection in time: the request was not carried out."""

    def __init__(self, request: httpx.Request | None = None) -> None:
        super().__init__(message="Request timed out.", request=request)


class APIStatusError(APIError):
    """An answer that says no. `response` holds its status, headers and JSON."""

    response: httpx.Response
    status_code: int
    request_id: str | None

    def __init__(self, message: str, *, response: httpx.Response, body: object = None) -> None:
        super().__init__(message, body=body)
        self.__dict__.update(response=response, status_code=response.status_code)
        self.__dict__.update(request_id=response.headers.get("x-request-id"))


class BadRequestError(APIStatusError):
    """400; also what is refused here, before anything is sent."""


class AuthenticationError(APIStatusError):
    """401."""


class PermissionDeniedError(APIStatusError):
    """403."""


class NotFoundError(APIStatusError):
    """404."""


class ConflictError(APIStatusError):
    """409."""


class UnprocessableEntityError(APIStatusError):
    """422."""


class RateLimitError(APIStatusError):
    """429."""


class InternalServerError(APIStatusError):
    """500 and above."""


class Tree(NamedTuple):
    """Where the official classes are, and under which names.

    `names` maps the names of our classes, `statuses` what travelled (500 stands for all above), `library` is
    the HTTP library of `error.response`.
    """

    module: str
    names: Mapping[str, str]
    statuses: Mapping[int, str]
    library: str = "httpx"

    def classes(self, error: e.Dalle2Error) -> tuple[type[Exception], ...]:
        """The official classes of an error: what it means, and what its status says."""
        lineage = [kind.__name__ for kind in type(error).__mro__]
        names = [next(self.names[name] for name in lineage if name in self.names)]
        status = (error.status_code or 0) if isinstance(error, e.APIStatusError) else 0
        said = self.statuses.get(status) or self.statuses.get(min(status, 500))
        if said is not None:
            names = [name for name in names if name != self.names["APIStatusError"]] + [said]
        module = importlib.import_module(self.module)
        found = list(dict.fromkeys(getattr(module, name) for name in names))
        return tuple(one for one in found if not any(one in other.__mro__[1:] for other in found))


_STATUSES = ("BadRequestError", "AuthenticationError", "PermissionDeniedError", "NotFoundError",
             "ConflictError", "UnprocessableEntityError", "RateLimitError", "InternalServerError",
             "APIStatusError", "APIError", "APIConnectionError")  # fmt: skip
SDK_NAMES: Mapping[str, str] = {name: name for name in _STATUSES} | {
    "Dalle2Error": "OpenAIError",
    "InvalidRequestError": "BadRequestError",
    "DecodeError": "APIResponseValidationError",
    "ConnectTimeoutError": "APITimeoutError",
    "OutcomeUnknownError": "APIError",
}
SDK_STATUSES: Mapping[int, str] = dict(zip((400, 401, 403, 404, 409, 422, 429, 500), _STATUSES, strict=False))
NAMES_2022: Mapping[str, str] = {
    "Dalle2Error": "OpenAIError",  # a lost answer too: scripts of the time repeat an APIError
    "InvalidRequestError": "InvalidRequestError",
    "BadRequestError": "InvalidRequestError",
    "NotFoundError": "InvalidRequestError",
    "AuthenticationError": "AuthenticationError",
    "PermissionDeniedError": "PermissionError",
    "ConflictError": "TryAgain",
    "RateLimitError": "RateLimitError",
    "APIStatusError": "APIError",
    "ConnectTimeoutError": "Timeout",
    "APIConnectionError": "APIConnectionError",
}
STATUSES_2022: Mapping[int, str] = {
    400: "InvalidRequestError",
    401: "AuthenticationError",
    403: "PermissionError",
    404: "InvalidRequestError",
    409: "TryAgain",
    415: "InvalidRequestError",
    429: "RateLimitError",
    503: "ServiceUnavailableError",
    500: "APIError",
}
SDK = Tree(__name__, SDK_NAMES, SDK_STATUSES)
OF_2022 = Tree("dalle2.compat.error", NAMES_2022, STATUSES_2022)


class Official:
    """What an error tells under the official names, on top of what it tells as ours."""

    _asked: tuple[str, str]
    _whole: object = None

    @property
    def request(self) -> Any:
        """The HTTP request, without its headers and body; a lost call's is the request to send again."""
        url, library = self._asked
        ours = self.__dict__.get("request")
        return ours if ours is not None else importlib.import_module(library).Request("POST", url)

    @property
    def response(self) -> Any:
        """The HTTP answer, as the installed library shows one."""
        fields = self.__dict__
        if fields.get("status_code") is None:
            raise AttributeError(f"{type(self).__name__} has no response: none came")
        from ._shapes import http_answer

        request = None if "request" in fields else self.request
        headers = fields.get("headers", {})
        return http_answer(self._asked[1], fields["status_code"], headers, self.http_body, request)

    @property
    def http_status(self) -> int | None:
        """The status, by its name of 2022."""
        status = self.__dict__.get("status_code")
        return status if isinstance(status, int) else None

    @property
    def http_body(self) -> str:
        """The answer as text."""
        whole = self._whole
        return whole if isinstance(whole, str) else "" if whole is None else json.dumps(whole)

    @property
    def json_body(self) -> Any:
        """The whole answer, or `None` where it is no JSON."""
        return self._whole if isinstance(self._whole, dict) else None

    @property
    def error(self) -> Any:
        """The answer's `error` object, by key and by attribute."""
        from .openai_object import OpenAIObject

        told = self.json_body and self.json_body.get("error")
        return OpenAIObject.of(told) if isinstance(told, dict) else None

    @property
    def _message(self) -> str:
        return str(self.args[0])  # type: ignore[attr-defined]

    @property
    def user_message(self) -> str:
        """The message, by its name of 2022."""
        return self._message

    @property
    def should_retry(self) -> bool:
        """Whether it certainly was not carried out and may be a moment later."""
        return bool(self.__dict__.get("repeatable", isinstance(self, e.APIConnectionError)))

    @property
    def organization(self) -> str | None:
        """The organisation that the answer names."""
        found = self.__dict__.get("headers", {}).get("openai-organization")
        return found if isinstance(found, str) else None

    def __str__(self) -> str:
        return self._message

    def __reduce__(self) -> tuple[object, ...]:
        return restore_error, (type(self).__bases__[1:], self.args, self.__dict__.copy())  # type: ignore[attr-defined]


@functools.cache
def _joined(bases: tuple[type, ...]) -> type[e.Dalle2Error]:
    """The class of an error of ours that is official besides, under its own name."""
    ours = bases[0]
    return type(ours.__name__, (Official, *bases), {"__doc__": ours.__doc__, "__module__": __package__})


def restore_error(bases: tuple[type, ...], args: tuple[Any, ...], fields: dict[str, Any]) -> e.Dalle2Error:
    """The error in a pickle: the classes that it is of, its message and its fields."""
    error = _joined(bases).__new__(_joined(bases))
    error.args = args
    error.__dict__.update(fields)
    return error


def make_official(error: e.Dalle2Error, tree: Tree, url: str) -> None:
    """Let an error be of the official class besides. Nothing that it says as ours changes, but that `body`
    becomes the inner `error` object, as the SDK has it.
    """
    if isinstance(error, Official):
        return
    fields = error.__dict__
    if isinstance(error, e.InvalidRequestError):
        inner = {
            "message": error.message,
            "type": "invalid_request_error",
            "param": error.field,
            "code": None,
        }
        fields.update(status_code=400, headers={}, request_id=None, body={"error": inner})
        fields.update({name: value for name, value in inner.items() if name != "message"})
    for name in ("body", "code", "param", "type"):
        fields.setdefault(name, None)
    if isinstance(fields["body"], (dict, str)):
        fields["_whole"] = whole = fields["body"]
        fields["body"] = whole.get("error", whole) if isinstance(whole, dict) else whole
    fields["_asked"] = url, tree.library
    error.__class__ = _joined((type(error), *tree.classes(error)))


@contextmanager
def officially(tree: Tree, url: str) -> Iterator[None]:
    """Around a call: what it raises is of the official class besides."""
    try:
        yield
    except e.Dalle2Error as error:
        make_official(error, tree, url)
        raise
