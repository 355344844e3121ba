"""A caller's HTTP client: what of it is looked at before anything is sent."""

from __future__ import annotations

from typing import Any

import httpx
import httpx2
import pytest

import dalle2
from dalle2._http import Timeouts
from dalle2._transport._async import AsyncTransport
from dalle2._transport._sync import Transport

from ..faults.server import FaultServer

every_library = pytest.mark.parametrize("library", [httpx, httpx2])


@every_library
@pytest.mark.parametrize("phase", ["connect", "read", "write", "pool"])
@pytest.mark.parametrize(
    "seconds", [float("inf"), float("nan"), -1, 0, 1e10, "5", True], ids=lambda seconds: repr(seconds)
)
def test_a_timeout_that_no_wait_can_have_is_refused_when_it_is_given(
    seconds: Any, phase: str, library: Any
) -> None:
    """The library would raise for it once the paid request has left."""
    odd = library.Timeout(5.0)
    setattr(odd, phase, seconds)
    with (
        library.Client(timeout=odd) as http,
        pytest.raises(dalle2.ConfigurationError, match=f"the {phase} timeout of http_client"),
    ):
        dalle2.Client("sk-test", http_client=http)
    http = library.AsyncClient(timeout=odd)
    with pytest.raises(dalle2.ConfigurationError, match=f"the {phase} timeout of http_client"):
        dalle2.AsyncClient("sk-test", http_client=http)


@every_library
def test_a_timeout_that_is_set_later_is_refused_before_the_call(library: Any) -> None:
    """Nothing is sent with it."""
    with FaultServer() as server, library.Client() as http:
        client = dalle2.Client("sk-test", base_url=server.origin, http_client=http)
        http.timeout = library.Timeout(float("inf"))
        with pytest.raises(dalle2.ConfigurationError, match="connect timeout"):
            client.generate("a fox")
        assert not server.requests


@every_library
def test_the_timeouts_of_a_client_are_its_own_if_they_were_set(library: Any) -> None:
    """The library's default of five seconds is none."""
    with library.Client() as http:
        assert Transport(http).default_timeouts() is None
    with library.Client(timeout=library.Timeout(2.0, read=None)) as http:
        assert Transport(http).default_timeouts() == Timeouts(2.0, None, 2.0, 2.0)
    assert AsyncTransport(library.AsyncClient(timeout=3.0)).default_timeouts() == Timeouts(3, 3, 3, 3)
    assert Transport().default_timeouts() is None


@every_library
def test_the_wrong_kind_of_client_is_told(library: Any) -> None:
    """An awaited one for the blocking client and the other way round, and what is none."""
    with pytest.raises(dalle2.ConfigurationError, match=r"use dalle2\.AsyncClient"):
        dalle2.Client("sk-test", http_client=library.AsyncClient())
    with library.Client() as http, pytest.raises(dalle2.ConfigurationError, match=r"use dalle2\.Client"):
        dalle2.AsyncClient("sk-test", http_client=http)
    with pytest.raises(dalle2.ConfigurationError, match="it is object"):
        dalle2.Client("sk-test", http_client=object())  # type: ignore[arg-type]


@every_library
def test_a_hook_may_replace_the_body(library: Any) -> None:
    """The client sends what the hook put there."""

    def shout(request: Any) -> None:
        request.stream = library.ByteStream(request.content.replace(b"a fox", b"A FOX"))

    with FaultServer() as server, library.Client(event_hooks={"request": [shout]}) as http:
        with dalle2.Client("sk-test", base_url=server.origin, http_client=http) as client:
            client.generate("a fox")
        assert b"A FOX" in server.requests[0].body


@every_library
@pytest.mark.parametrize("where", ["http_client", "client", "call"])
def test_a_form_is_sent_as_one_whatever_media_type_is_set_for_all_requests(where: str, library: Any) -> None:
    """A `Content-Type` of JSON for each request, as people write it once, would make an upload unreadable."""
    kind = {"content-type": "application/json"}
    with FaultServer() as server, library.Client(headers=kind if where == "http_client" else None) as http:
        client = dalle2.Client(
            "sk-test",
            base_url=server.origin,
            http_client=http,
            headers=kind if where == "client" else None,
        )
        client.vary(dalle2.mask_from_box(16, (0, 0, 8, 8)), extra_headers=kind if where == "call" else None)
        (sent,) = server.billed
    media_type, _, boundary = sent.headers["content-type"].partition("; boundary=")
    assert media_type == "multipart/form-data"
    assert sent.body.startswith(f"--{boundary}\r\n".encode())


@every_library
@pytest.mark.parametrize(
    "theirs",
    [
        {"Content-Length": "5"},
        {"content-length": "0", "transfer-encoding": "chunked"},
        {"Transfer-Encoding": "chunked"},
        {"Content-Encoding": "gzip", "Trailer": "Digest", "Content-Type": "text/plain"},
    ],
)
@pytest.mark.parametrize("form", [False, True])
def test_a_default_header_never_says_what_our_body_is(
    library: Any, theirs: dict[str, str], form: bool
) -> None:
    """A paid request goes out whole and as what it is, with the other headers; a free one has no body."""
    with FaultServer() as server, library.Client(headers={**theirs, "X-Theirs": "yes"}) as http:
        client = dalle2.Client(
            "sk-test", base_url=server.origin, http_client=http, retry=dalle2.RetryPolicy.none()
        )
        if form:
            client.vary(dalle2.mask_from_box(16, (0, 0, 8, 8)))
        else:
            client.generate("a fox")
        with pytest.raises(dalle2.Dalle2Error):
            client.list_models()  # which this server does not have
    paid, free = server.requests
    assert paid.headers["content-length"] == str(len(paid.body))
    assert paid.body
    assert paid.headers["content-type"].partition(";")[0] == (
        "multipart/form-data" if form else "application/json"
    )
    assert not {"content-encoding", "transfer-encoding", "trailer"} & set(paid.headers)
    assert not {"content-length", "content-encoding", "transfer-encoding", "content-type"} & set(free.headers)
    assert paid.headers["x-theirs"] == free.headers["x-theirs"] == "yes"
