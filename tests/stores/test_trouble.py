"""What a store's no becomes: the built-in errors of a disk, and no credential in any of them."""

from __future__ import annotations

import pickle
import re
import traceback
from collections.abc import Callable
from typing import Any

import obstore.exceptions as e
import pytest
from hypothesis import given
from hypothesis import strategies as st

import dalle2
from dalle2._stores._trouble import trouble_of

from .bucket import Bucket
from .conftest import KEY_ID, SECRET


def texts_of(error: BaseException | None) -> str:
    """All that an error and those behind it can show."""
    found = []
    while error is not None:
        found += [str(error), repr(error), repr(error.args), *getattr(error, "__notes__", ())]
        found += traceback.format_exception(error)
        error = error.__cause__ or error.__context__
    return "\n".join(found)


@pytest.mark.parametrize(
    ("status", "code", "kind", "words"),
    [
        (404, "NoSuchBucket", FileNotFoundError, "no such bucket"),
        (403, "SignatureDoesNotMatch", PermissionError, "AWS_"),
        (403, "InvalidAccessKeyId", PermissionError, "403 InvalidAccessKeyId"),
        (401, "", PermissionError, "401"),
        (400, "ExpiredToken", PermissionError, "400 ExpiredToken"),
        (503, "SlowDown", ConnectionError, "cannot serve this now"),
        (500, "", ConnectionError, "500"),
        (429, "", ConnectionError, "429"),
        (400, "InvalidRequest", OSError, "400 InvalidRequest"),
        (418, "", OSError, "418"),
        (301, "PermanentRedirect", dalle2.ConfigurationError, "AWS_REGION"),
    ],
)
def test_an_answer_that_says_no(
    bucket: Bucket, image: dalle2.ImageResult, status: int, code: str, kind: type[Exception], words: str
) -> None:
    """It becomes an error that names the URL and what to do; the fetched image stays readable."""
    bucket.broken = status, code
    with pytest.raises(kind, match=re.escape(words)) as caught:
        image.upload("s3://pictures/a.png")
    if isinstance(caught.value, OSError):
        assert caught.value.filename == "s3://pictures/a.png"
        assert type(caught.value) is kind
        assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)
    assert image.content is not None
    shown = texts_of(caught.value)
    assert not [secret for secret in (KEY_ID, SECRET, "AWS4-HMAC") if secret in shown]


@pytest.mark.parametrize(
    ("variables", "kind", "words"),
    [
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, ConnectionError, "cannot be reached"),
        ({"AWS_ALLOW_HTTP": "false"}, dalle2.ConfigurationError, "AWS_ALLOW_HTTP=true"),
        ({"AWS_TIMEOUT": f"{SECRET}"}, dalle2.ConfigurationError, "AWS_*"),
        ({"AWS_ENDPOINT_URL": f"no url {SECRET}"}, dalle2.ConfigurationError, "AWS_*"),
        ({"AWS_CONDITIONAL_PUT": SECRET}, dalle2.ConfigurationError, "AWS_*"),
    ],
)
def test_settings_that_lead_nowhere(
    bucket: Bucket,
    image: dalle2.ImageResult,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    variables: dict[str, str],
    kind: type[Exception],
    words: str,
) -> None:
    """The error names the variables and repeats the value of none."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(kind, match=re.escape(words)) as caught:
        image.upload("s3://pictures/a.png")
    assert SECRET not in texts_of(caught.value)
    assert not bucket.objects
    capfd.readouterr()  # obstore's own language tells of a panic on its own


def test_a_store_that_does_not_answer(
    bucket: Bucket, image: dalle2.ImageResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends in time, by the store's own variable."""
    monkeypatch.setenv("AWS_TIMEOUT", "50ms")
    image.read()
    bucket.reads.clear()
    with pytest.raises(TimeoutError, match="did not answer in time"):
        image.upload("s3://pictures/a.png")
    bucket.reads.set()


@pytest.mark.parametrize(
    ("url", "variables", "words"),
    [
        ("az://box/a.png", {}, "AZURE_STORAGE_ACCOUNT_NAME"),
        (
            "az://box/a.png",
            {"AZURE_STORAGE_ACCOUNT_NAME": "us", "AZURE_STORAGE_ACCOUNT_KEY": "no base64 (private)"},
            "the account key is none",
        ),
        ("gs://box/a.png", {"GOOGLE_APPLICATION_CREDENTIALS": "/nowhere/private.json"}, "GOOGLE_*"),
    ],
)
def test_the_other_clouds_name_their_own_variables(
    image: dalle2.ImageResult,
    monkeypatch: pytest.MonkeyPatch,
    url: str,
    variables: dict[str, str],
    words: str,
) -> None:
    """Nothing is sent."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(dalle2.ConfigurationError, match=re.escape(words)) as caught:
        image.upload(url)
    assert "private" not in texts_of(caught.value)
    assert image.content is None


def test_no_credentials_at_all_are_told_as_that() -> None:
    """obstore asks the machine for some then; what that answers is not the bucket's word."""
    asks = ("PUT http://169.254.169.254/latest/api/token", "token request: Error performing GET http://x/")
    for ask in asks:
        said = f"Generic S3 error: Error performing {ask} in 1s - Server returned non-2xx status code: 403"
        error = trouble_of(e.GenericError(f"{said} Forbidden: no")).error("s3://pictures/a.png")
        assert isinstance(error, PermissionError)
        assert "none were found" in str(error)


KINDS: list[Callable[[str], Exception]] = [
    e.GenericError,
    e.AlreadyExistsError,
    e.PermissionDeniedError,
    e.UnauthenticatedError,
    e.PreconditionError,
    e.NotSupportedError,
    e.BaseError,
    FileNotFoundError,
    NotImplementedError,
    ValueError,
    OSError,
]


@given(
    st.sampled_from(KINDS),
    st.sampled_from(["Error performing PUT http://h/b/k?X-Amz-Signature={} in 1s - ", "", "Config {} "]),
    st.one_of(st.none(), st.integers(100, 599)),
    st.sampled_from(["<Code>AccessDenied</Code>", "<Code>{}</Code>", "kind: Timeout", "kind: Connect", ""]),
    st.text(max_size=20),
    st.sampled_from(["s3://b/k", "gs://b/k", "az://b/k", "memory://k", "abfs://b/k"]),
)
def test_no_credential_comes_out(
    kind: Callable[[str], Exception], where: str, status: int | None, code: str, more: str, url: str
) -> None:
    """Whatever an error of the store's library holds, and wherever in it."""
    told = "" if status is None else f"Server returned non-2xx status code: {status} Oh: "
    text = f"Generic S3 error: {where}{told}{code}{more} AWS_SECRET={{}}\n\nDebug source:\n{{}}".replace(
        "{}", SECRET
    )
    trouble = trouble_of(kind(text))
    error = trouble.error(url)
    shown = texts_of(error) + texts_of(trouble)
    assert SECRET not in shown
    assert "X-Amz-Signature" not in shown
    assert isinstance(error, (OSError, dalle2.ConfigurationError))
    assert url in str(error)


def test_a_name_that_speaks_like_an_answer_is_a_name(memory: Any, image: dalle2.ImageResult) -> None:
    """What a key says is not taken for what the store says."""
    url = "memory://box/status code: 503 <Code>SlowDown</Code> token request.png"
    assert image.upload(url) == url
    with pytest.raises(FileExistsError):
        image.upload(url)
