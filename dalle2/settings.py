"""What a client works with: decided once, from arguments and an environment passed in as a mapping.

The order for the provider: `provider=`, else `DALLE2_PROVIDER`, else `base_url=` (a custom host), else OpenAI
if `OPENAI_API_KEY` is set, else CometAPI if only its key is. A named provider reads only its own variables.
An explicit argument wins over a variable; a blank variable is none. Settings that exist are valid,
however they were made.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias
from urllib.parse import urlsplit

import attrs

from ._clean import STRAY, checked_headers, clean_base_url, clean_key, clean_word, hide
from ._http import Secret, Timeouts
from ._types import DEFAULT, Default
from .errors import ConfigurationError
from .providers import PROVIDERS, Provider
from .retry import RetryPolicy

if TYPE_CHECKING:
    from ._money import PriceTable

DEFAULT_MODEL = "dall-e-2"
DEFAULT_TIMEOUTS = Timeouts(connect=10.0, read=600.0, write=120.0, pool=60.0)
"""Seconds. Slow image models answer after minutes; connecting takes none."""


class TimeoutLike(Protocol):
    """Any object with httpx's four phases, such as `httpx.Timeout`."""

    @property
    def connect(self) -> float | None:
        """Seconds, or `None` for no limit."""

    @property
    def read(self) -> float | None:
        """Seconds, or `None` for no limit."""

    @property
    def write(self) -> float | None:
        """Seconds, or `None` for no limit."""

    @property
    def pool(self) -> float | None:
        """Seconds, or `None` for no limit."""


TimeoutArgument: TypeAlias = float | TimeoutLike | Default | None


def _one_of(*allowed: str) -> Callable[[object, attrs.Attribute[Any], object], None]:
    def check(instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
        if value is not None and value not in allowed:
            words = " or ".join(map(repr, allowed))
            raise ConfigurationError(f"{attribute.name} must be None or {words}; it is {value!r:.40}")

    return check


def _word(instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    if value is not None:
        clean_word(value, attribute.name)


def _model(value: str) -> str:
    return clean_word(value, "model")


def _policy(instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    if not isinstance(value, RetryPolicy):
        raise ConfigurationError(f"retry must be a RetryPolicy; it is {value!r:.40}")


@attrs.frozen(kw_only=True)
class Settings:
    """A client's settings: valid, complete, and safe to print."""

    provider: Provider
    base_url: str
    key: Secret
    key_from: str
    model: str = attrs.field(converter=_model)
    organization: str | None = attrs.field(default=None, validator=_word)
    project: str | None = attrs.field(default=None, validator=_word)
    timeouts: Timeouts | None = None
    retry: RetryPolicy = attrs.field(default=RetryPolicy(), validator=_policy)
    headers: Mapping[str, str] = attrs.field(factory=dict, converter=checked_headers, repr=False)
    moderate: Literal["before"] | None = attrs.field(default=None, validator=_one_of("before"))
    download: Literal["eager"] | None = attrs.field(default=None, validator=_one_of("eager"))
    successor: str | None = attrs.field(default=None, validator=_word)
    split_n: bool = False
    prices: PriceTable | None = attrs.field(default=None, repr=False)

    @property
    def host(self) -> str:
        """The API's host, for messages."""
        return urlsplit(self.base_url).netloc

    @property
    def openai_like(self) -> bool:
        """Whether an unsigned image URL is known to live one hour: on OpenAI's own host, or where the
        provider says so.
        """
        host = (urlsplit(self.base_url).hostname or "").lower()
        return host == "api.openai.com" or (self.provider.openai_like and not self.provider.official)

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


def _set(environ: Mapping[str, str], names: tuple[str, ...]) -> str | None:
    """The first of the variables that is set and not blank."""
    return next((name for name in names if environ.get(name, "").strip(STRAY)), None)


def _read(environ: Mapping[str, str], names: tuple[str, ...]) -> tuple[str, str] | None:
    """The value of that variable, which is no key, and its name."""
    name = _set(environ, names)
    return None if name is None else (environ[name], name)


def choose_provider(
    provider: str | Provider | None, base_url: str | None, environ: Mapping[str, str]
) -> Provider:
    """Which provider, before its URL and key. Raises `ConfigurationError` for an unknown name."""
    source = "provider"
    if provider is None:
        named = _read(environ, ("DALLE2_PROVIDER",))
        if named:
            provider, source = named[0].strip(STRAY), "DALLE2_PROVIDER"
        elif base_url is not None:
            return Provider.custom(clean_base_url(base_url, "base_url")[0])
        elif not _set(environ, ("OPENAI_API_KEY",)) and _set(environ, PROVIDERS["cometapi"].key_variables):
            return PROVIDERS["cometapi"]
        else:
            return PROVIDERS["openai"]
    if isinstance(provider, Provider):
        return provider
    if not isinstance(provider, str) or provider not in PROVIDERS:
        raise ConfigurationError(
            f"{source} is {provider!r:.40}: known are {', '.join(PROVIDERS)}; any other host is "
            "base_url=..., or a Provider"
        )
    return PROVIDERS[provider]


def find_key(api_key: Secret | None, provider: Provider, environ: Mapping[str, str]) -> tuple[Secret, str]:
    """The key and where it came from. Raises `ConfigurationError` naming the variables if there is none."""
    if api_key is not None:
        return clean_key(api_key, "api_key"), "api_key"
    name = _set(environ, provider.key_variables)
    if name is not None:
        return clean_key(Secret(environ[name]), f"the variable {name}"), name
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
    api_key: str | Secret | None = None,
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
    secret, api_key = hide(api_key), None
    chosen = choose_provider(provider, base_url, environ)
    key, key_from = find_key(secret, chosen, environ)
    named = _read(environ, chosen.url_variables) if base_url is None else (base_url, "base_url")
    url, query = clean_base_url(*named) if named else (chosen.base_url or "", {})
    if url and not named:
        url, query = clean_base_url(url, f"the base_url of {chosen.name}")
    if query:
        chosen = attrs.evolve(chosen, query={**chosen.query, **query})
    openai = chosen.name == "openai"
    return Settings(
        provider=chosen,
        base_url=url,
        key=key,
        key_from=key_from,
        model=_given(model, "model", environ, "DALLE2_MODEL") or DEFAULT_MODEL,
        organization=_given(organization, "organization", environ, "OPENAI_ORG_ID" if openai else ""),
        project=_given(project, "project", environ, "OPENAI_PROJECT_ID" if openai else ""),
        timeouts=timeouts_of(timeout),
        retry=RetryPolicy() if retry is None else retry,
        headers=headers or {},
        moderate=moderate,
        download=download,
        successor=successor,
        split_n=split_n,
        prices=prices,
    )


def _given(value: str | None, argument: str, environ: Mapping[str, str], variable: str) -> str | None:
    """An optional name. A blank argument is a mistake, a blank variable is none."""
    if value is not None:
        return clean_word(value, argument)
    found = _read(environ, (variable,))
    return clean_word(found[0], f"the variable {variable}") if found else None
