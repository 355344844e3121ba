"""What is put on the wire: a request as the library takes it that carries it.

The rule: requests are built whole and sent as they are: none of a client's headers, cookies or credentials
join a request to an image host, be it our own client or the caller's. A caller's client adds its defaults to
API requests only.

A URL that httpx would send as it stands is taken apart here. Every other one (a name that is not ASCII, an
address in brackets, a path to be put in order), and a form, is httpx's to read, which is loaded for it.
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

from .._secrets import Secret

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

    import httpx

    from .._http import Form, HttpRequest
    from ._carrier import Routes
    from ._watch import Watch

_IN_NAMES = "abcdefghijklmnopqrstuvwxyz0123456789.-"
_AS_THEY_ARE = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~/?=&,:"
"""What httpx sends as it is in a path and in a query."""
_PORTS = {"http": 80, "https": 443}


class Place(NamedTuple):
    """Where a request goes. `port` is `None` for the scheme's own, `netloc` what the Host header says."""

    scheme: str
    host: str
    port: int | None
    target: str
    netloc: str


def place_of(url: str, *, written: bool) -> Place | None:
    """What is in a URL of the usual kind. `written`: path and query are asked for as they stand."""
    scheme, _, rest = url.partition("://")
    at = min((at for at in (rest.find("/"), rest.find("?")) if at >= 0), default=len(rest))
    netloc, target = rest[:at], rest[at:]
    host, mark, digits = netloc.partition(":")
    if scheme not in _PORTS or not _usual_name(host):
        return None
    port = None
    if mark:
        port = int(digits) if len(digits) <= 5 and digits.isascii() and digits.isdigit() else -1
        if not 0 <= port <= 65535:
            return None
        port = None if port == _PORTS[scheme] else port
    if not target.startswith("/"):
        target = f"/{target}"
    if written:
        usual = "#" not in target and " " not in target and target.isascii() and target.isprintable()
    else:
        usual = not target.strip(_AS_THEY_ARE) and "/." not in target
    return Place(scheme, host, port, target, host if port is None else f"{host}:{port}") if usual else None


def _usual_name(host: str) -> bool:
    """Whether it is a name in small letters, or an address in four parts as they are always written."""
    if not host or host.strip(_IN_NAMES):
        return False
    if not host.replace(".", "").isdigit():
        return True
    parts = host.split(".")
    return len(parts) == 4 and all(part.isdigit() and str(min(int(part), 255)) == part for part in parts)


def needs_httpx(request: HttpRequest, routes: Routes, *, api: bool) -> bool:
    """Whether httpx must still be loaded for this request: to write it, or to read a proxy's URL."""
    if "httpx" in sys.modules:
        return False
    if request.form is not None or place_of(request.url, written=not api) is None:
        return True
    return routes.find(request.url)[1] is not None


def core_request(
    core: ModuleType, request: HttpRequest, extensions: dict[str, object], watch: Watch, *, api: bool
) -> Any:
    """httpcore's request. Raises `ValueError` for one that cannot be made."""
    place = None if request.form is not None else place_of(request.url, written=not api)
    if place is None:
        lib = importlib.import_module("httpx")
        try:
            made = build(lib, request, extensions, watch, None, api=api)
        except lib.InvalidURL as error:
            detail = str(error)
        else:
            url, headers, body = made.url, made.headers.raw, made.stream
            return core.Request(
                made.method,
                core.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
                headers=headers,
                content=body,
                extensions=extensions,
            )
        raise ValueError(detail)
    watch.host = place.host
    content = request.content or b""
    return core.Request(
        request.method,
        core.URL(scheme=place.scheme, host=place.host, port=place.port, target=place.target),
        headers=[
            (name.encode("ascii"), value.encode("ascii"))
            for name, value in _completed(_revealed(request), place.netloc, content, request.method)
        ],
        content=Body(content),
        extensions=extensions,
    )


def build(
    lib: ModuleType,
    request: HttpRequest,
    extensions: dict[str, object],
    watch: Watch,
    client: object,
    *,
    api: bool,
) -> httpx.Request:
    """httpx's request. To the API, a caller's client joins its headers, cookies and parameters."""
    headers = _revealed(request)
    made: httpx.Request
    if request.form is None and not (client and api):
        url = lib.URL(request.url)
        content = request.content or b""
        made = lib.Request(
            request.method,
            url,
            headers=_completed(headers, url.netloc.decode("ascii"), content, request.method),
            stream=body_of(lib, content),
            extensions=extensions,
        )
    else:
        body = {"content": request.content} if request.form is None else _multipart(request.form, headers)
        if client and not any(name.lower() == "accept-encoding" for name, _ in headers):
            headers.append(("Accept-Encoding", "gzip, deflate"))  # theirs may name what cannot be bounded
        made = (client.build_request if client and api else lib.Request)(  # type: ignore[attr-defined]
            request.method, request.url, headers=headers, extensions=extensions, **body
        )
        if client and api:
            _framed(made, {name.lower() for name, _ in headers})
    watch.host = made.url.raw_host.decode("ascii").lower()
    if not api:
        as_written(lib, made, request.url)
    if client:
        from ._callers import note_offer

        note_offer(lib, made, watch, body_of(lib, made.read()))
    return made


def _revealed(request: HttpRequest) -> list[tuple[str, str]]:
    return [(name, value.reveal() if isinstance(value, Secret) else value) for name, value in request.headers]


def _completed(
    headers: list[tuple[str, str]], netloc: str, content: bytes, method: str
) -> list[tuple[str, str]]:
    """With what the library would add after looking at everything: the host, and the length of a body."""
    given = {name.lower() for name, _ in headers}
    if "host" not in given:
        headers.insert(0, ("Host", netloc))
    if "content-length" not in given and (content or method == "POST"):
        headers.append(("Content-Length", str(len(content))))
    return headers


def _framed(made: httpx.Request, ours: set[str]) -> None:
    """What the body is, and how long, is for the request to say, whatever their client sends by default."""
    for name in {"content-encoding", "content-length", "content-type", "trailer", "transfer-encoding"} - ours:
        made.headers.pop(name, None)
    if made.method == "POST":
        made.headers["Content-Length"] = str(len(made.read()))


def as_written(lib: ModuleType, made: httpx.Request, url: str) -> None:
    """Let the request ask for the path and query as they stand in `url`: the library would normalise them."""
    rest = url.partition("#")[0].partition("://")[2]
    cut = min((at for at in map(rest.find, "/?") if at >= 0), default=len(rest))
    target = rest[cut:] if rest[cut : cut + 1] == "/" else "/" + rest[cut:]
    if not target.isascii() or not target.isprintable() or " " in target:
        return  # not sendable as it is
    raw = target.encode("ascii")
    if made.url.raw_path != raw:
        made.url = type("AsWritten", (lib.URL,), {"raw_path": raw})(made.url)


def _multipart(form: Form, headers: list[tuple[str, str]]) -> dict[str, object]:
    """A form for the library. Its media type names its boundary, so no caller's is sent in its place."""
    headers[:] = [(name, value) for name, value in headers if name.lower() != "content-type"]
    headers.append(("Content-Type", f"multipart/form-data; boundary={os.urandom(16).hex()}"))
    files = [(part.name, (part.filename, part.data, part.content_type)) for part in form.files]
    return {"data": dict(form.fields), "files": files}


class Body:
    """A request's body of one chunk, blocking and awaited."""

    __slots__ = ("_content",)

    def __init__(self, content: bytes) -> None:
        self._content = content

    def __iter__(self) -> Iterator[bytes]:
        return iter((self._content,))

    def __aiter__(self) -> _Once:
        return _Once(self._content)


class _Once:
    """Its chunk, awaited: no generator, which trio would warn of when a request is given up."""

    __slots__ = ("_chunks",)

    def __init__(self, content: bytes) -> None:
        self._chunks = iter((content,))

    def __aiter__(self) -> _Once:
        return self

    async def __anext__(self) -> bytes:
        for chunk in self._chunks:
            return chunk
        raise StopAsyncIteration


def body_of(lib: ModuleType, content: bytes) -> httpx.SyncByteStream | httpx.AsyncByteStream:
    """A `Body` that httpx takes for one of its own."""
    kind = _bodies.get(lib)
    if kind is None:
        kind = _bodies[lib] = type("Body", (Body, lib.ByteStream), {})
    made: httpx.ByteStream = kind(content)
    return made


_bodies: dict[ModuleType, type] = {}
