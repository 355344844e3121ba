"""Texts that become part of a request's head: cleaned once, and refused while nothing is sent.

The rule: stray white space (a line break from a file, a byte order mark from an editor) is taken off; what
cannot travel is refused by its source and never with its value where that may be a key.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from ._secrets import Secret, quoted, redact
from .errors import ConfigurationError

STRAY = " \t\r\n\v\f\ufeff\u200b\u00a0"
_ENDPOINTS = (
    "/images/generations",
    "/images/edits",
    "/images/variations",
    "/moderations",
    "/responses",
    "/models",
)
_HEADER_NAME = r"[-!#$%&'*+.^_`|~0-9a-zA-Z]+"  # RFC 9110, section 5.6.2
_HEADER_VALUE = r"[\t\x20-\x7e]*"
_FRAMING = frozenset(
    {"connection", "content-length", "expect", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"}
)


class Environment(Mapping[str, str]):
    """The environment, read through a value that does not show it: it holds keys, and a traceback
    shows locals.
    """

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables

    def __getitem__(self, name: str) -> str:
        return self._variables[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._variables)

    def __len__(self) -> int:
        return len(self._variables)

    def __repr__(self) -> str:
        return "<the environment>"


def variable_set(environ: Mapping[str, str], names: tuple[str, ...]) -> str | None:
    """The first of the variables that is set and not blank."""
    return next((name for name in names if environ.get(name, "").strip(STRAY)), None)


def read_variable(environ: Mapping[str, str], names: tuple[str, ...]) -> tuple[str, str] | None:
    """The value of that variable, which is no key, and its name."""
    name = variable_set(environ, names)
    return None if name is None else (environ[name], name)


def hide(key: object) -> Secret | KeySource | None:
    """A key as a value that does not show itself, whatever was given. Raises `ConfigurationError` for what is
    neither a text nor a function that gives one.
    """
    if key is None or isinstance(key, (Secret, KeySource)):
        return key
    if isinstance(key, str):
        return Secret(key)
    if callable(key):
        return KeySource(key)
    raise ConfigurationError(
        f"api_key must be a text or a function that gives one; it is {type(key).__name__}"
    )


class KeySource:
    """A caller's function that gives the key, asked before each attempt: tokens expire within the hour."""

    __slots__ = ("_ask",)

    def __init__(self, ask: Callable[[], object]) -> None:
        self._ask = ask

    def ask(self) -> Secret:
        """The key of the next attempt. Raises what the function raises, and `ConfigurationError`."""
        found = _held(self._ask())
        if isinstance(found, Secret):
            return clean_key(found, _ASKED)
        if isinstance(found, Coroutine):
            found.close()  # or it complains later that nobody awaited it
            raise ConfigurationError(f"{_ASKED} must be awaited: use AsyncClient, or a plain function")
        raise ConfigurationError(f"{_ASKED} must be a text; it is {type(found).__name__}")

    async def ask_awaited(self) -> Secret:
        """`ask`, for a function whose answer may have to be awaited."""
        found = _held(self._ask())
        if isinstance(found, Awaitable):
            found = _held(await found)
        if isinstance(found, Secret):
            return clean_key(found, _ASKED)
        raise ConfigurationError(f"{_ASKED} must be a text; it is {type(found).__name__}")

    def __repr__(self) -> str:
        return "<a function that gives the key>"


_ASKED = "what the function api_key gave"


def _held(found: object) -> object:
    """A key just given, so that no frame of an error holds it; anything else as it is."""
    return Secret(found) if isinstance(found, str) else found


def clean_key(secret: Secret, source: str) -> Secret:
    """A key without stray white space. Raises `ConfigurationError`, without the key, if it cannot be sent."""
    problem = _key_problem(secret.reveal().strip(STRAY))
    if problem:
        raise ConfigurationError(f"{source} {problem}")
    return Secret(secret.reveal().strip(STRAY))


def _key_problem(key: str) -> str | None:
    """What is wrong with a key; apart, so that no frame of an error holds the key itself."""
    if not key:
        return "is blank: give a key, or leave it out to read the environment"
    if not key.isascii() or not key.isprintable() or " " in key:
        return (
            "holds a character that no key has (a space, a control or a non-ASCII character): copy it again"
        )
    return None


def clean_word(text: object, source: str) -> str:
    """A name (of a model, of an organisation) without stray white space. Raises `ConfigurationError`."""
    word = text.strip(STRAY) if isinstance(text, str) else ""
    if not word or not word.isprintable():
        raise ConfigurationError(f"{source} must be a name, not blank, on one line; it is {quoted(text)}")
    return word


def clean_base_url(text: object, source: str) -> tuple[str, dict[str, str]]:
    """A base URL without trailing slash, and the query that it carried.

    A bare host gets `/v1`, a full endpoint is cut back to its base. Raises `ConfigurationError`.
    """
    if not isinstance(text, str):
        raise ConfigurationError(f"{source} must be a text; it is {type(text).__name__}")
    url = text.strip(STRAY)
    problem = None
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise ConfigurationError(f"{source} is no URL: {_shown(url)}") from None
    if parts.scheme.lower() not in ("http", "https") or not parts.hostname:
        problem = "must be an http or https URL such as 'https://api.example.com/v1'"
    elif "@" in parts.netloc:
        problem = "must not hold a user name or password: give the key as api_key"
    elif parts.fragment:
        problem = "must not have a fragment (#...)"
    elif any(not char.isprintable() or char == " " for char in url):
        problem = "holds a space or a control character"
    if problem:
        raise ConfigurationError(f"{source} {problem}; it is {_shown(url)}")
    path = parts.path.rstrip("/")
    for endpoint in _ENDPOINTS:
        path = path.removesuffix(endpoint)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    return urlunsplit((parts.scheme.lower(), parts.netloc, path or "/v1", "", "")), query


def _shown(url: str) -> str:
    """A URL for a message, without what could be a secret: user name, query, or a key in place of the URL."""
    shown = redact(url.partition("?")[0].partition("#")[0].rpartition("@")[2])
    return f"{shown!r:.80}"


def checked_headers(headers: Mapping[str, str] | None) -> dict[str, str]:
    """Headers that can be sent. Raises `ConfigurationError` naming the header, not its value."""
    if headers is not None and not isinstance(headers, Mapping):
        raise ConfigurationError(
            f"headers must map names to values; they are a {type(headers).__name__}: write dict(...)"
        )
    checked: dict[str, str] = {}
    for name, value in (headers or {}).items():
        if not isinstance(name, str) or not isinstance(value, str):
            raise ConfigurationError(f"the header {name!r:.40} and its value must be texts")
        if not re.fullmatch(_HEADER_NAME, name):
            raise ConfigurationError(f"{name!r:.40} is no header name")
        if not re.fullmatch(_HEADER_VALUE, value):
            raise ConfigurationError(
                f"the value of the header {name} cannot be sent: plain ASCII on one line only"
            )
        if name.lower() in _FRAMING:
            raise ConfigurationError(f"the header {name} frames the message: it is set by whoever sends it")
        checked[name] = value.strip()
    return checked
