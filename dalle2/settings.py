"""What a client works with: decided once, from arguments and an environment passed in as a mapping.

The order for the provider: `provider=`, else `DALLE2_PROVIDER`, else `base_url=` (a custom host), else OpenAI if
`OPENAI_API_KEY` is set, else CometAPI if only its key is. A named provider reads only its own variables. An explicit argument
wins over a variable; a blank variable is none. A key is cleaned of stray white space and checked before anything uses it, and
is never shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Protocol, TypeAlias
from urllib.parse import parse_qsl, urlsplit, urlunsplit

import attrs

from ._http import Secret, Timeouts
from ._money import PriceTable
from ._types import DEFAULT, Default
from .errors import ConfigurationError
from .providers import PROVIDERS, Provider
from .retry import RetryPolicy

DEFAULT_MODEL = "dall-e-2"
DEFAULT_TIMEOUTS = Timeouts(connect=10.0, read=600.0, write=120.0, pool=60.0)
"""Seconds. Slow image models answer after minutes; connecting takes none."""

_STRAY = " \t\r\n\v\f\ufeff\u200b\u00a0"
_ENDPOINTS = (
    "/images/generations",
    "/images/edits",
    "/images/variations",
    "/moderations",
    "/responses",
    "/models",
)


class TimeoutLike(Protocol):
    """Any object with httpx's four phases, such as `httpx.Timeout`."""

    @property
    def connect(self) -> float | None: ...
    @property
    def read(self) -> float | None: ...
    @property
    def write(self) -> float | None: ...
    @property
    def pool(self) -> float | None: ...


TimeoutArgument: TypeAlias = float | TimeoutLike | Default | None


@attrs.frozen(kw_only=True)
class Settings:
    """A client's settings: valid, complete, and safe to print."""

    provider: Provider
    base_url: str
    key: Secret
    key_from: str
    model: str
    organization: str | None = None
    project: str | None = None
    timeouts: Timeouts | None = None
    retry: RetryPolicy = RetryPolicy()
    headers: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    moderate: Literal["before"] | None = None
    download: Literal["eager"] | None = None
    successor: str | None = None
    split_n: bool = False
    prices: PriceTable | None = attrs.field(default=None, repr=False)

    @property
    def host(self) -> str:
        """The API's host, for messages."""
        return urlsplit(self.base_url).netloc

    @property
    def origin(self) -> tuple[str, str, int]:
        """Scheme, host and port of the API."""
        return origin_of(self.base_url)


def origin_of(url: str) -> tuple[str, str, int]:
    """Scheme, host and port of a URL; `("", "", 0)` if it has none."""
    try:
        parts = urlsplit(url)
        scheme, host, port = parts.scheme.lower(), (parts.hostname or "").lower(), parts.port
    except ValueError:
        return "", "", 0
    return scheme, host.rstrip("."), port or (443 if scheme == "https" else 80)


def timeouts_of(value: TimeoutArgument) -> Timeouts | None:
    """A timeout argument as `Timeouts`; `None` stands for `DEFAULT`. Raises `ConfigurationError`."""
    if isinstance(value, Default):
        return None
    if value is None:
        return Timeouts(None, None, None, None)
    if isinstance(value, (int, float)):
        if isinstance(value, bool) or not 0 < value < float("inf"):
            raise ConfigurationError(
                f"timeout must be above 0 seconds, or None for no limit; it is {value!r}"
            )
        return Timeouts(value, value, value, value)
    try:
        return Timeouts(value.connect, value.read, value.write, value.pool)
    except AttributeError:
        raise ConfigurationError(
            f"timeout must be seconds, an httpx.Timeout or None; it is {type(value).__name__}"
        ) from None


def clean_key(text: str, source: str) -> Secret:
    """A key without stray white space. Raises `ConfigurationError`, without the key, for one that cannot be sent."""
    if not isinstance(text, str):
        raise ConfigurationError(f"{source} must be a text; it is {type(text).__name__}")
    key = text.strip(_STRAY)
    if not key:
        raise ConfigurationError(f"{source} is blank: give a key, or leave it out to read the environment")
    if not key.isascii() or not key.isprintable() or " " in key:
        raise ConfigurationError(
            f"{source} holds a character that no key has (a space, a control or a non-ASCII character): copy it again"
        )
    return Secret(key)


def clean_base_url(text: object, source: str) -> tuple[str, dict[str, str]]:
    """A base URL without trailing slash, and the query that it carried.

    A bare host gets `/v1`, a full endpoint is cut back to its base. Raises `ConfigurationError`.
    """
    if not isinstance(text, str):
        raise ConfigurationError(f"{source} must be a text; it is {type(text).__name__}")
    url = text.strip(_STRAY)
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
    shown = url.partition("?")[0].rpartition("@")[2]
    return f"{shown!r:.80}"


def _read(environ: Mapping[str, str], names: tuple[str, ...]) -> tuple[str, str] | None:
    for name in names:
        if environ.get(name, "").strip(_STRAY):
            return environ[name], name
    return None


def choose_provider(
    provider: str | Provider | None, base_url: str | None, environ: Mapping[str, str]
) -> Provider:
    """Which provider, before its URL and key. Raises `ConfigurationError` for an unknown name."""
    source = "provider"
    if provider is None:
        named = _read(environ, ("DALLE2_PROVIDER",))
        if named:
            provider, source = named[0].strip(_STRAY), "DALLE2_PROVIDER"
        elif base_url is not None:
            return Provider.custom(clean_base_url(base_url, "base_url")[0])
        elif not _read(environ, ("OPENAI_API_KEY",)) and _read(environ, PROVIDERS["cometapi"].key_variables):
            return PROVIDERS["cometapi"]
        else:
            return PROVIDERS["openai"]
    if isinstance(provider, Provider):
        return provider
    if not isinstance(provider, str) or provider not in PROVIDERS:
        raise ConfigurationError(
            f"{source} is {provider!r:.40}: known are {', '.join(PROVIDERS)}; any other host is base_url=..., or a Provider"
        )
    return PROVIDERS[provider]


def find_key(api_key: str | None, provider: Provider, environ: Mapping[str, str]) -> tuple[Secret, str]:
    """The key and where it came from. Raises `ConfigurationError` naming the variables if there is none."""
    if api_key is not None:
        return clean_key(api_key, "api_key"), "api_key"
    found = _read(environ, provider.key_variables)
    if found:
        return clean_key(found[0], f"the variable {found[1]}"), found[1]
    if provider.default_key is not None:
        return Secret(provider.default_key), "default"
    names = list(provider.key_variables)
    if provider.name == "openai":  # nothing was chosen, so the other host's variable is worth naming too
        names.append("COMETAPI_KEY")
    raise ConfigurationError(
        f"there is no API key for {provider.name}: pass api_key=... or set {' or '.join(names)}"
        " (without a key, provider='emulator' paints test pictures locally)"
    )


def resolve(
    environ: Mapping[str, str],
    *,
    api_key: str | None = None,
    provider: str | Provider | None = None,
    base_url: str | None = None,
    model: str | None = None,
    organization: str | None = None,
    project: str | None = None,
    timeout: TimeoutArgument = DEFAULT,
    retry: RetryPolicy | None = None,
    headers: Mapping[str, str] | None = None,
    moderate: Literal["before"] | None = None,
    download: Literal["eager"] | None = None,
    successor: str | None = None,
    split_n: bool = False,
    prices: PriceTable | None = None,
) -> Settings:
    """Settings from arguments and environment. Raises `ConfigurationError`.

    The base URL of the embedded emulator is left empty: whoever starts it fills it in.
    """
    chosen = choose_provider(provider, base_url, environ)
    key, key_from = find_key(api_key, chosen, environ)
    named = _read(environ, chosen.url_variables) if base_url is None else (base_url, "base_url")
    url, query = clean_base_url(*named) if named else (chosen.base_url or "", {})
    if url and not named:
        url, query = clean_base_url(url, f"the base_url of {chosen.name}")
    if query:
        chosen = attrs.evolve(chosen, query={**chosen.query, **query})
    found_model = model if model is not None else (_read(environ, ("DALLE2_MODEL",)) or (DEFAULT_MODEL,))[0]
    if not isinstance(found_model, str) or not found_model.strip(_STRAY):
        raise ConfigurationError(f"model must be the name of a model; it is {found_model!r:.40}")
    if moderate not in (None, "before"):
        raise ConfigurationError(f"moderate must be None or 'before'; it is {moderate!r:.40}")
    if download not in (None, "eager"):
        raise ConfigurationError(f"download must be None or 'eager'; it is {download!r:.40}")
    openai = chosen.name == "openai"
    return Settings(
        provider=chosen,
        base_url=url,
        key=key,
        key_from=key_from,
        model=found_model.strip(_STRAY),
        organization=organization or _own(environ, "OPENAI_ORG_ID", openai),
        project=project or _own(environ, "OPENAI_PROJECT_ID", openai),
        timeouts=timeouts_of(timeout),
        retry=RetryPolicy() if retry is None else retry,
        headers=checked_headers(headers),
        moderate=moderate,
        download=download,
        successor=successor,
        split_n=split_n,
        prices=prices,
    )


def _own(environ: Mapping[str, str], name: str, wanted: bool) -> str | None:
    found = _read(environ, (name,)) if wanted else None
    return found[0].strip(_STRAY) if found else None


def checked_headers(headers: Mapping[str, str] | None) -> dict[str, str]:
    """Headers that can be sent. Raises `ConfigurationError` naming the header, not its value."""
    checked: dict[str, str] = {}
    for name, value in (headers or {}).items():
        if not isinstance(name, str) or not isinstance(value, str):
            raise ConfigurationError(f"the header {name!r:.40} and its value must be texts")
        if not name.isascii() or not name.isprintable() or " " in name or ":" in name or not name:
            raise ConfigurationError(f"{name!r:.40} is no header name")
        if any(char in value for char in "\r\n\0") or not value.isascii():
            raise ConfigurationError(
                f"the value of the header {name} cannot be sent: plain ASCII on one line only"
            )
        checked[name] = value
    return checked
