"""Errors of `dalle2.compat`: of the official class, and still ours."""

from __future__ import annotations

import copy
import pickle
import traceback
from typing import Any

import httpx
import pytest

import dalle2
from dalle2 import compat
from dalle2.compat import _error_tree
from dalle2.testing import Emulator

OURS = [
    kind
    for kind in list(vars(dalle2.errors).values())
    if isinstance(kind, type) and issubclass(kind, dalle2.Dalle2Error)
]


def official(error: dalle2.Dalle2Error, tree: Any = _error_tree.SDK) -> Any:
    """The error as a script catches it."""
    try:
        with _error_tree.officially(tree, "https://api.example.com/v1/images"):
            raise error
    except dalle2.Dalle2Error as caught:
        return caught


@pytest.mark.parametrize("kind", OURS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("tree", [_error_tree.SDK, _error_tree.OF_2022], ids=["now", "2022"])
def test_each_of_ours_is_official_too(kind: type[dalle2.Dalle2Error], tree: Any) -> None:
    """It keeps its name, its words and its class, is caught by the official base, and travels."""
    reason = {"reason": "timeout"} if kind is dalle2.OutcomeUnknownError else {}
    error = official(kind("It went wrong.", **reason), tree)
    assert isinstance(error, kind)
    assert isinstance(error, compat.OpenAIError)
    assert type(error).__name__ == kind.__name__
    assert str(error) == error.message == error.user_message == "It went wrong."
    assert official(error, tree) is error
    for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(twin) is type(error)
        assert (str(twin), vars(twin)) == (str(error), vars(error))
    assert b"._" not in pickle.dumps(error)


@pytest.mark.parametrize(
    "error", [dalle2.OutcomeUnknownError("lost", reason="timeout"), dalle2.DecodeError("unread")]
)
def test_a_lost_answer_is_nothing_that_scripts_repeat(error: Any) -> None:
    """What may have been billed without an answer is caught by no name for "try again"."""
    now = _error_tree.SDK.classes(error)
    repeated = compat.APIConnectionError | compat.RateLimitError | compat.InternalServerError
    assert not any(issubclass(kind, repeated) for kind in now)
    assert all(issubclass(kind, compat.APIError) for kind in now)
    assert _error_tree.OF_2022.classes(error) == (compat.OpenAIError,)


CLASSES: list[tuple[dalle2.Dalle2Error, str, str]] = [
    (dalle2.ModelRetiredError("m", status_code=404), "BadRequest NotFound", "InvalidRequest"),
    (dalle2.BadRequestError("m", status_code=500), "BadRequest InternalServer", "InvalidRequest API"),
    (dalle2.InternalServerError("m", status_code=503), "InternalServer", "ServiceUnavailable"),
    (dalle2.QuotaExceededError("m", status_code=429), "RateLimit", "RateLimit"),
    (dalle2.APIStatusError("m", status_code=418), "APIStatus", "API"),
    (dalle2.APIConnectionError("m"), "APIConnection", "APIConnection"),
    (dalle2.ConnectTimeoutError("m"), "APITimeout", "Timeout"),
    (dalle2.InvalidRequestError("m", field="n"), "BadRequest", "InvalidRequest"),
    (dalle2.ConfigurationError("m"), "OpenAI", "OpenAI"),
]


@pytest.mark.parametrize(("error", "now", "then"), CLASSES, ids=lambda value: type(value).__name__)
def test_the_official_classes_of_an_error(error: Any, now: str, then: str) -> None:
    """What it means, and what its status says where that is another one."""
    for tree, place, names in ((_error_tree.SDK, compat, now), (_error_tree.OF_2022, compat.error, then)):
        wanted = [name if name == "Timeout" else f"{name}Error" for name in names.split()]
        assert list(tree.classes(error)) == [getattr(place, name) for name in wanted]


def test_what_an_answer_that_says_no_tells() -> None:
    """Under today's names and those of 2022: status, headers, body, request."""
    body = {"error": {"message": "No.", "code": "c", "type": "t", "param": "p"}}
    headers = {"x-request-id": "req_1", "openai-organization": "org-1", "content-encoding": "gzip"}
    error = official(
        dalle2.BadRequestError(
            "It said no.", status_code=400, code="c", headers=headers, body=body, repeatable=True
        )
    )
    assert error.body == body["error"]
    assert error.response.json() == error.json_body == body
    assert (error.response.status_code, error.http_status) == (400, 400)
    assert error.response.headers["X-Request-Id"] == "req_1"
    assert error.response.request.url == error.request.url == httpx.URL("https://api.example.com/v1/images")
    assert error.error.code == error.error["code"] == "c"
    assert (error.organization, error.should_retry) == ("org-1", True)
    text = official(dalle2.BadRequestError("It said no.", status_code=400, body="<html>"))
    assert (text.body, text.json_body, text.error, text.http_body) == ("<html>", None, None, "<html>")


def test_what_has_no_answer_says_so() -> None:
    """`hasattr(e, "response")` is how scripts tell; a lost call keeps the request to send again."""
    error = official(dalle2.APIConnectionError("no way there"))
    assert not hasattr(error, "response")
    assert (error.body, error.code, error.http_body, error.http_status) == (None, None, "", None)
    assert error.should_retry is True
    request = dalle2.GenerateRequest(prompt="a corgi")
    lost = official(dalle2.OutcomeUnknownError("lost", reason="gateway", request=request, status_code=504))
    assert lost.request is request
    assert lost.response.status_code == 504


def test_errors_made_by_hand() -> None:
    """Tests of scripts make them with the official constructors."""
    response = httpx.Response(429, headers={"x-request-id": "req_1"})
    error = compat.RateLimitError("slow", response=response, body={"code": "c"})
    assert (error.status_code, error.request_id, error.code, error.message) == (429, "req_1", "c", "slow")
    request = httpx.Request("POST", "https://api.example.com")
    assert compat.APITimeoutError(request).request is request
    assert str(compat.APIConnectionError(request=request)) == "Connection error."


def test_what_is_refused_here_looks_like_the_hosts_no() -> None:
    """A handler finds status, body and response; `maybe_billed` tells that nothing was sent."""
    emulator = Emulator()
    with (
        compat.OpenAI(api_key="sk-test", http_client=emulator.client()) as client,
        pytest.raises(compat.BadRequestError) as refused,
    ):
        client.images.generate(prompt="a corgi", size="300x300")
    error: Any = refused.value
    assert (error.status_code, error.response.status_code, error.code, error.request_id) == (
        400,
        400,
        None,
        None,
    )
    assert error.body == {
        "message": str(error), "type": "invalid_request_error", "param": "size", "code": None,
    }  # fmt: skip
    assert error.response.json()["error"]["param"] == error.field == "size"
    assert error.maybe_billed is False
    assert emulator.requests == []


KEY = "sk-a-secret-of-somebody"


def safe_repr(value: object) -> str:
    """As tools show a local: one that is half made has no `repr`."""
    try:
        return repr(value)
    except AttributeError:
        return repr(vars(value))


@pytest.mark.parametrize(
    "fail",
    [
        lambda: compat.OpenAI(api_key=f"{KEY} with a space"),
        lambda: compat.OpenAI(api_key=KEY, timeout=-1),
        lambda: compat.AzureOpenAI(azure_ad_token=KEY),
        lambda: compat.AzureOpenAI(api_key=KEY, azure_endpoint="no url", api_version="1"),
        lambda: compat.OpenAI(api_key="sk-test").copy(api_key=KEY, timeout=-1),
        lambda: compat.OpenAI(api_key=KEY, base_url="http://127.0.0.1:9").images.generate(prompt="a"),
        lambda: compat.OpenAI(api_key=KEY).images.generate(prompt="a", size="300x300"),
        lambda: compat.Image.create(prompt="a", api_key=KEY, api_base="http://127.0.0.1:9"),
        lambda: compat.Image.create_edit(b"", prompt="a", api_key=KEY),
        lambda: compat.Image.create(prompt="a", api_key=KEY, api_type="azure_ad"),
        lambda: compat.Model.list(api_key=KEY, api_base="http://127.0.0.1:9"),
    ],
)
def test_no_frame_of_an_error_shows_the_key(fail: Any) -> None:
    """Nor its message, its fields or a pickle: tracebacks with locals go to logs of other people."""
    compat.reset()
    with pytest.raises(compat.OpenAIError) as caught:
        fail()
    error: BaseException | None = caught.value
    assert KEY.encode() not in pickle.dumps(error)
    while error is not None:
        assert KEY not in repr(error) + repr(vars(error))
        for frame, _ in traceback.walk_tb(error.__traceback__):
            if frame.f_globals["__name__"].startswith("dalle2."):
                shown = {name: safe_repr(value) for name, value in frame.f_locals.items()}
                assert [name for name, text in shown.items() if KEY in text] == [], frame
        error = error.__cause__ or error.__context__
    compat.reset()
