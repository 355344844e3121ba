"""What a client works with: decided once, from arguments and an environment passed in as a mapping.

The order for the provider: `provider=`, else `DALLE2_PROVIDER`, else `base_url=` (a custom host), else OpenAI
if `OPENAI_API_KEY` is set, else CometAPI if only its key is. A named provider reads only its own variables.
An explicit argument wins over a variable; a blank variable is none. Settings that exist are valid,
however they were made.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from ._http import Timeouts, origin_of
from ._secrets import Secret
from ._texts import STRAY, checked_headers, clean_base_url, clean_key, clean_word, hide
from .errors import ConfigurationError
from .providers import PROVIDERS, Provider

if TYPE_CHECKING:
    from typing import Any, Literal, Protocol, TypeAlias

    from ._money import PriceTable
    from .retry import RetryPolicy

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

    TimeoutArgument: TypeAlias = "float | TimeoutLike | Default | None"


class Default(enum.Enum):
    """The type of `DEFAULT`; an enum so that type checkers can tell it from `None`."""

    DEFAULT = "DEFAULT"

    def __repr__(self) -> str:
        return "DEFAULT"


DEFAULT: Final = Default.DEFAULT
"""The client's own setting, where `None` means something else (no limit)."""

DEFAULT_MODEL = "dall-e-2"
DEFAULT_TIMEOUTS = Timeouts(connect=10.0, read=600.0, write=120.0, pool=60.0)
"""Seconds. Slow image models answer after minutes; connecting takes none."""


def _check_one_of(name: str, value: object, *allowed: str) -> None:
    if value is not None and value not in allowed:
        words = " or ".join(map(repr, allowed))
        raise ConfigurationError(f"{name} must be None or {words}; it is {value!r:.40}")


class Settings:
    """A client's settings: valid, complete, and safe to print. What follows from them is worked out once.

    `retry` is `None` for the default policy, which is loaded when something has failed.
    """

    __slots__ = (
        "base_url", "credential", "download", "headers", "host", "key", "key_from", "model", "moderate",
        "openai_like", "organization", "prices", "project", "provider", "retry", "split_n", "successor",
        "timeouts",
    )  # fmt: skip

    def __init__(
        self,
        *,
        provider: Provider,
        base_url: str,
        key: Secret,
        key_from: str,
        model: str,
        organization: str | None = None,
        project: str | None = None,
        timeouts: Timeouts | None = None,
        retry: RetryPolicy | None = None,
        headers: Mapping[str, str] | None = None,
        moderate: Literal["before"] | None = None,
        download: Literal["eager"] | None = None,
        successor: str | None = None,
        split_n: bool = False,
        prices: PriceTable | None = None,
    ) -> None:
        self.provider = provider
        self.base_url = base_url
        self.key = key
        self.key_from = key_from
        self.model = clean_word(model, "model")
        self.organization = organization
        self.project = project
        self.timeouts = timeouts
        self.retry = retry
        self.headers = checked_headers(headers)
        self.moderate = moderate
        self.download = download
        self.successor = successor
        self.split_n = split_n
        self.prices = prices
        for name in ("organization", "project", "successor"):
            if getattr(self, name) is not None:
                clean_word(getattr(self, name), name)
        _check_one_of("moderate", moderate, "before")
        _check_one_of("download", download, "eager")
        if retry is not None:
            check_policy(retry)
        if prices is not None:
            check_money("prices", prices, "PriceTable")
        self.host = urlsplit(base_url).netloc
        """The API's host, for messages."""
        known = self.origin[1]
        self.openai_like = known == "api.openai.com" or (provider.openai_like and not provider.official)
        """Whether an unsigned image URL is known to live one hour: on OpenAI's own host, or where the
        provider says so.
        """
        self.credential = Secret(f"{provider.auth_scheme} {key.reveal()}".strip())
        """The key as it is sent."""

    @property
    def origin(self) -> tuple[str, str, int]:
        """Scheme, host and port of the API."""
        return origin_of(self.base_url)

    def changed(self, **changes: Any) -> Settings:
        """The same with other values. Raises `ConfigurationError`."""
        kept = {name: getattr(self, name) for name in self.__slots__ if name not in _WORKED_OUT}
        return Settings(**kept | changes)

    def __repr__(self) -> str:
        return (
            f"Settings(provider={self.provider!r}, base_url={self.base_url!r}, key={self.key!r}, "
            f"key_from={self.key_from!r}, model={self.model!r})"
        )


_WORKED_OUT = ("credential", "host", "openai_like")


def check_policy(value: object) -> None:
    """Raises `ConfigurationError` for what is no `RetryPolicy`."""
    from .retry import RetryPolicy

    if not isinstance(value, RetryPolicy):
        raise ConfigurationError(f"retry must be a RetryPolicy; it is {value!r:.40}")


def check_money(name: str, value: object, kind: Literal["Budget", "PriceTable"]) -> None:
    """Raises `ConfigurationError` for what is no limit or table: a bill is computed after the payment."""
    from . import _money

    if not isinstance(value, getattr(_money, kind)):
        raise ConfigurationError(f"{name} must be a {kind}; it is {type(value).__name__}")


def policy_of(retry: RetryPolicy | None) -> RetryPolicy:
    """The policy that a setting means."""
    if retry is not None:
        return retry
    from .retry import RetryPolicy

    return RetryPolicy()


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
        chosen = chosen._replace(query={**chosen.query, **query})
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
        retry=retry,
        headers=headers,
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
