"""What a client works with: decided once, from arguments and an environment passed in as a mapping.

The order for the provider: `provider=`, else `DALLE2_PROVIDER`, else `base_url=` (a custom host), else OpenAI
if `OPENAI_API_KEY` is set, else CometAPI if only its key is. A named provider reads only its own variables.
An explicit argument wins over a variable; a blank variable is none. Settings that exist are valid,
however they were made.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final, TypedDict
from urllib.parse import urlsplit

from ._dates import MAX_WAIT
from ._http import Timeouts, origin_of
from ._secrets import Secret, quoted
from ._texts import STRAY, KeySource, checked_headers, clean_base_url, clean_word, hide, read_variable
from .errors import ConfigurationError
from .providers import Provider, choose_provider, find_key, lost_dall_e

if TYPE_CHECKING:
    from typing import Any, Literal, Protocol, TypeAlias, Unpack

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
        raise ConfigurationError(f"{name} must be None or {words}; it is {quoted(value)}")


class Arguments(TypedDict, total=False):
    """What a client is made from, besides the key: each as the client takes it."""

    provider: str | Provider | None
    base_url: str | None
    model: str | None
    organization: str | None
    project: str | None
    timeout: TimeoutArgument
    retry: RetryPolicy | None
    headers: Mapping[str, str] | None
    moderate: Literal["before"] | None
    download: Literal["eager"] | None
    successor: str | Default | None
    split_n: bool
    prices: PriceTable | None


class Changes(TypedDict, total=False):
    """What `with_options` can change."""

    model: str
    timeout: TimeoutArgument
    retry: RetryPolicy
    headers: Mapping[str, str]
    moderate: Literal["before"] | None
    download: Literal["eager"] | None
    successor: str | Default | None


class Settings:
    """A client's settings: valid, complete, and safe to print. What follows from them is worked out once.

    `retry` is `None` for the default policy, which is loaded when something has failed. `key_source` is asked
    before each attempt, where the caller gave a function; `key` is blank then. `successor` takes calls for a
    retired model at once; with `falls_back` the one that `"auto"` means does, once the host has said that it
    has no such model.
    """

    __slots__ = (
        "base_url", "credential", "download", "falls_back", "headers", "host", "key", "key_from",
        "key_source", "model", "moderate", "openai_like", "organization", "prices", "project",
        "provider", "retry", "split_n", "successor", "successor_from", "timeouts",
    )  # fmt: skip

    def __init__(
        self,
        *,
        provider: Provider,
        base_url: str,
        key: Secret,
        key_from: str,
        model: str,
        key_source: KeySource | None = None,
        organization: str | None = None,
        project: str | None = None,
        timeouts: Timeouts | None = None,
        retry: RetryPolicy | None = None,
        headers: Mapping[str, str] | None = None,
        moderate: Literal["before"] | None = None,
        download: Literal["eager"] | None = None,
        successor: str | None = None,
        successor_from: str = "successor",
        falls_back: bool = False,
        split_n: bool = False,
        prices: PriceTable | None = None,
    ) -> None:
        self.provider: Provider = provider
        self.base_url: str = base_url
        self.key: Secret = key
        self.key_from: str = key_from
        self.key_source: KeySource | None = key_source
        self.model: str = clean_word(model, "model")
        self.organization: str | None = organization
        self.project: str | None = project
        self.timeouts: Timeouts | None = timeouts
        self.retry: RetryPolicy | None = retry
        self.headers: dict[str, str] = checked_headers(headers)
        self.moderate = moderate
        self.download = download
        self.successor: str | None = None if successor == "none" else successor
        self.successor_from: str = successor_from
        self.falls_back: bool = falls_back
        self.split_n: bool = split_n
        self.prices: PriceTable | None = prices
        for name, word in {"organization": organization, "project": project, "successor": successor}.items():
            if word is not None and not clean_word(word, name).isascii():
                raise ConfigurationError(f"{name} must be plain ASCII; it is {quoted(word)}")
        _check_one_of("moderate", moderate, "before")
        _check_one_of("download", download, "eager")
        if retry is not None:
            check_policy(retry)
        if prices is not None:
            check_money("prices", prices, "PriceTable")
        self.host: str = urlsplit(base_url).netloc
        """The API's host, for messages."""
        known = self.origin[1]
        self.openai_like: bool = known == "api.openai.com" or (provider.openai_like and not provider.official)
        """Whether an unsigned image URL is known to live one hour: on OpenAI's own host, or where the
        provider says so.
        """
        self.credential: tuple[str, Secret] = provider.signed(key)
        """The header that carries the key."""

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
        raise ConfigurationError(f"retry must be a RetryPolicy; it is {quoted(value)}")


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
        return checked_timeouts(Timeouts(value, value, value, value), "timeout")
    try:
        phases = Timeouts(value.connect, value.read, value.write, value.pool)
    except AttributeError:
        raise ConfigurationError(
            f"timeout must be seconds, an httpx.Timeout or None; it is {type(value).__name__}"
        ) from None
    return checked_timeouts(phases, "timeout")


def checked_timeouts(phases: Timeouts, source: str) -> Timeouts:
    """The same, if each phase can be waited for. Raises `ConfigurationError` before anything is sent."""
    given = {name: getattr(phases, name) for name in ("connect", "read", "write", "pool")}
    for name, seconds in given.items():
        if seconds is not None and not is_wait(seconds):
            one = source if len(set(map(repr, given.values()))) == 1 else f"{source}.{name}"
            raise ConfigurationError(
                f"{one} must be above 0 seconds and at most {MAX_WAIT:.0f} (ten years), or None for "
                f"no limit; it is {quoted(seconds)}"
            )
    return phases


def is_wait(seconds: object) -> bool:
    """Whether it is a number of seconds, above 0, that a clock can wait."""
    return isinstance(seconds, (int, float)) and not isinstance(seconds, bool) and 0 < seconds <= MAX_WAIT


def resolve(
    environ: Mapping[str, str],
    *,
    api_key: str | Secret | KeySource | Callable[[], object] | None = None,
    **given: Unpack[Arguments],
) -> Settings:
    """Settings from arguments and environment. Raises `ConfigurationError`.

    The base URL of the embedded emulator is left empty: whoever starts it fills it in.
    """
    secret, api_key = hide(api_key), None
    base_url = given.get("base_url")
    chosen = choose_provider(given.get("provider"), base_url, environ)
    key, key_from = find_key(secret, chosen, environ)
    named = read_variable(environ, chosen.url_variables) if base_url is None else (base_url, "base_url")
    if chosen.name == "azure" and given.get("provider") is None:  # its URL told what it is, and is read
        named = None
    url, query = clean_base_url(*named) if named else (chosen.base_url or "", {})
    if url and not named:
        url, query = clean_base_url(url, f"the base_url of {chosen.name}")
    if query:
        chosen = chosen.replace(query={**chosen.query, **query})
    openai = chosen.name == "openai"
    model = _given(given.get("model"), "model", environ, "DALLE2_MODEL")
    successor, successor_from = _successor(given.get("successor", DEFAULT), environ)
    return Settings(
        provider=chosen,
        base_url=url,
        key=key,
        key_from=key_from,
        key_source=secret if isinstance(secret, KeySource) else None,
        model=model or DEFAULT_MODEL,
        organization=_given(
            given.get("organization"), "organization", environ, "OPENAI_ORG_ID" if openai else ""
        ),
        project=_given(given.get("project"), "project", environ, "OPENAI_PROJECT_ID" if openai else ""),
        timeouts=timeouts_of(given.get("timeout", DEFAULT)),
        retry=given.get("retry"),
        headers=given.get("headers"),
        moderate=given.get("moderate"),
        download=given.get("download"),
        successor=successor,
        successor_from=successor_from or "successor",
        falls_back=successor_from is None and model is None and lost_dall_e(chosen, url),
        split_n=given.get("split_n", False),
        prices=given.get("prices"),
    )


def _successor(value: str | Default | None, environ: Mapping[str, str]) -> tuple[str | None, str | None]:
    """The successor, and what said so; `None` where nothing did."""
    if not isinstance(value, Default):
        return value, "successor"
    found = read_variable(environ, ("DALLE2_SUCCESSOR",))
    return (None, None) if found is None else (found[0].strip(STRAY), "DALLE2_SUCCESSOR")


def _given(value: str | None, argument: str, environ: Mapping[str, str], variable: str) -> str | None:
    """An optional name. A blank argument is a mistake, a blank variable is none."""
    if value is not None:
        return clean_word(value, argument)
    found = read_variable(environ, (variable,))
    return clean_word(found[0], f"the variable {variable}") if found else None
