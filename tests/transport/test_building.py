"""Requests that go without httpx are those that httpx would have made."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import httpcore
import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dalle2._http import FilePart, Form, HttpRequest
from dalle2._secrets import Secret
from dalle2._transport._building import as_written, core_request, needs_httpx, place_of
from dalle2._transport._carrier import Routes

NAMES = st.text("abz019.-_:@[]% ABZäß", max_size=12)
PARTS = st.lists(
    st.sampled_from(
        ["a", "..", ".", "", "v1", "%2F", "%zz", "ä", "b c", "'", "|", "+", "&x=1", "a:b", "é", "^"]
    )
)
URLS = st.builds(
    lambda scheme, name, port, parts, mark, query, fragment: (
        f"{scheme}://{name}{port}{mark}{'/'.join(parts)}{query}{fragment}"
    ),
    st.sampled_from(["http", "https", "HTTP", "ftp", ""]),
    NAMES
    | st.sampled_from(["api.example", "127.0.0.1", "1.2.3", "999.1.1.1", "01.2.3.4", "[::1]", "localhost"]),
    st.sampled_from(["", ":", ":80", ":443", ":8000", ":65536", ":-1", ":08", ":٣"]),
    PARTS,
    st.sampled_from(["/", "?", ""]),
    st.sampled_from(["", "?", "?q=a%20b&c=d+e", "?ä", "?a?b", "?a=/b:c,d", "?'"]),
    st.sampled_from(["", "#", "#f"]),
)


def by_httpx(url: str, *, written: bool) -> tuple[object, ...]:
    """The same, read by httpx."""
    made = httpx.Request("GET", url)
    if written:
        as_written(httpx, made, url)
    read = made.url
    return (
        read.raw_scheme.decode(),
        read.raw_host.decode(),
        read.port,
        read.raw_path.decode(),
        read.netloc.decode(),
    )


@given(URLS, st.booleans())
@example("https://api.openai.com/v1/images/generations", False)
@example("https://store.example/a/../b%2Fc?sig=x%2By&e='", True)
@example("http://127.0.0.1:8000", False)
@example("https://api.example/v1/../v2/./x", False)
@example("http://256.0.0.1/", False)
def test_a_place_that_is_read_here_is_the_one_that_httpx_reads(url: str, written: bool) -> None:
    """Scheme, name, port, path and query, and the Host header; what is unusual is left to httpx."""
    place = place_of(url, written=written)
    if place is not None:
        assert tuple(place) == by_httpx(url, written=written)


@pytest.mark.parametrize(
    ("url", "written"),
    [
        ("https://api.openai.com/v1/images/generations", False),
        ("http://127.0.0.1:8000/v1", False),
        ("http://localhost?a=b", True),
        ("https://store.example/a/../b%2Fc?sig=x%2By&e=|", True),
    ],
)
def test_what_most_hosts_have_is_read_here(url: str, written: bool) -> None:
    """The API's own URL, a server at home, and the signed URL of an image."""
    assert place_of(url, written=written) is not None


def made_of(request: HttpRequest, *, api: bool = True) -> tuple[Any, Any]:
    """httpcore's request, and the watch."""
    watch = SimpleNamespace(host="")
    return core_request(httpcore, request, {"trace": None}, watch, api=api), watch  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["api.example", "bücher.example", "[::1]"])
def test_a_request_is_the_same_by_either_way(name: str) -> None:
    """Line, headers and body, whether the URL is usual or httpx's to read."""
    headers = (("Authorization", Secret("Bearer sk-test")), ("X-Own", "1"))
    made, watch = made_of(HttpRequest("POST", f"https://{name}:8443/v1/x", headers, b"{}"))
    host = name.encode("idna") if "ü" in name else name.encode()
    assert (made.method, made.url.target, made.url.port) == (b"POST", b"/v1/x", 8443)
    assert made.headers == [
        (b"Host", host + b":8443"),
        (b"Authorization", b"Bearer sk-test"),
        (b"X-Own", b"1"),
        (b"Content-Length", b"2"),
    ]
    assert b"".join(made.stream) == b"{}"
    assert made.extensions == {"trace": None}
    assert watch.host == host.decode().strip("[]")


def test_a_form_is_written_by_httpx() -> None:
    """With one boundary in its header and between its parts."""
    form = Form((("prompt", "a fox"),), (FilePart("image", "i.png", "image/png", b"PNG"),))
    made, _ = made_of(HttpRequest("POST", "https://api.example/v1/images/edits", form=form))
    named = dict(made.headers)
    boundary = named[b"Content-Type"].partition(b"boundary=")[2]
    body = b"".join(made.stream)
    assert body.count(b"--" + boundary) == 3
    assert int(named[b"Content-Length"]) == len(body)


def test_an_address_that_is_none_is_a_value_error() -> None:
    """By httpx's words, without httpx's exception behind it."""
    with pytest.raises(ValueError, match=r"999\.1\.1\.1") as caught:
        made_of(HttpRequest("GET", "http://999.1.1.1/a.png"), api=False)
    assert caught.value.__context__ is None


def test_httpx_is_needed_for_a_form_and_for_what_is_unusual(monkeypatch: pytest.MonkeyPatch) -> None:
    """And for the URL of a proxy; only as long as nobody has loaded it."""
    usual = HttpRequest("GET", "https://api.example/a.png")
    form = HttpRequest("POST", "https://api.example/v1", form=Form((), ()))
    odd = HttpRequest("GET", "https://[::1]/a.png")
    assert not any(needs_httpx(one, Routes(), api=False) for one in (usual, form, odd))
    monkeypatch.delitem(sys.modules, "httpx")
    assert [needs_httpx(one, Routes(), api=False) for one in (usual, form, odd)] == [False, True, True]
    monkeypatch.setenv("HTTPS_PROXY", "proxy.example:3128")
    assert needs_httpx(usual, Routes(), api=False)


def test_a_header_that_cannot_be_written_is_a_value_error() -> None:
    """As httpx says it, and not the other library's own: nothing was sent, and no new attempt helps."""
    with pytest.raises(ValueError, match="ascii"):
        made_of(HttpRequest("GET", "https://api.example/a.png", (("X-Own", "Zoë"),)))
