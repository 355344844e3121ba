"""Texts that become part of a request's head: cleaned once, and refused while nothing is sent.

The rule: stray white space (a line break from a file, a byte order mark from an editor) is taken off; what
cannot travel is refused by its source and never with its value where that may be a key.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from ._secrets import Secret, redact
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


class Environment(Mapping[str, str]):
    """The environment, read through a value that does not show it: it holds keys, and a traceback shows
    locals.
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


def hide(key: str | Secret | None) -> Secret | None:
    """A key as a value that does not show itself, whatever was given. Raises `ConfigurationError` if it is no
    text.
    """
    if key is None or isinstance(key, Secret):
        return key
    if not isinstance(key, str):
        raise ConfigurationError(f"api_key must be a text; it is {type(key).__name__}")
    return Secret(key)


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
        raise ConfigurationError(f"{source} must be a name, not blank, on one line; it is {text!r:.40}")
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
        raise ConfigurationError(f"headers must map names to values; they are a {type(headers).__name__}")
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
        checked[name] = value.strip()
    return checked
