"""The module as a client: `openai.api_key = ...` with `openai.Image.create(...)` of 2022, and with
today's `openai.images.generate(...)`.

The rule: the settings are those of the module at the moment of the call, what the call itself names wins, and
a setting that cannot be kept is refused instead of passed over. Clients are kept while the settings stay
the same. Which module it is, this package or the installed `openai`, makes no difference.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Hashable, Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar, Unpack

from .._async_client import AsyncClient
from .._client import Client
from .._http import Timeouts
from .._secrets import Secret
from ..errors import ConfigurationError
from ..settings import DEFAULT
from ._arguments import CallOptions, EditOptions, GenerateOptions, given_of, hidden
from ._asking import Ways, ask, ask_async, ask_free, ask_free_async
from ._azure import azure_given
from ._behind import Behind
from ._error_tree import OF_2022, officially
from .openai_object import OpenAIObject

if TYPE_CHECKING:
    from ..settings import Default
    from ._arguments import Operation, Upload
    from ._shapes import Answered

C = TypeVar("C")


class _ModuleOptions(CallOptions, total=False):
    """What a call of 2022 can say in place of the module."""

    api_key: str | None
    api_base: str | None
    api_type: str | None
    api_version: str | None
    organization: str | None
    engine: str | None
    deployment_id: str | None
    request_timeout: float | tuple[float, float] | None
    successor: str | Default | None


class CreateOptions(GenerateOptions, _ModuleOptions, total=False):
    """What `Image.create` takes."""


class CreateEditOptions(EditOptions, _ModuleOptions, total=False):
    """What `Image.create_edit` takes."""


_SETTINGS = tuple(_ModuleOptions.__annotations__.keys() - CallOptions.__annotations__.keys())
_KNOWN = {"prompt", "image", "mask", "stream", *GenerateOptions.__annotations__, *EditOptions.__annotations__}
_UNREAD = {
    "proxy": "set the variable HTTPS_PROXY",
    "requestssession": "set proxies and certificates by variables (HTTPS_PROXY, SSL_CERT_FILE)",
    "ca_bundle_path": "set the variable SSL_CERT_FILE",
}
_KEPT = 8
_kept: dict[tuple[object, ...], Any] = {}


def module_given(scope: ModuleType, said: Mapping[str, Any], *, old: bool) -> dict[str, Any]:
    """What the client of a module is made from. Raises `ConfigurationError`.

    `old`: as in 2022, when an image call on Azure belonged to no deployment.
    """
    for name, way in _UNREAD.items():
        if getattr(scope, name, None):
            raise ConfigurationError(f"openai.{name} is not read here: {way} instead")

    def setting(name: str, variable: str = "") -> Any:
        value = said.get(name)
        value = getattr(scope, name, None) if value is None else value
        return os.environ.get(variable) or None if value is None else value

    given = {
        name: setting(name)
        for name in ("project", "max_retries", "default_headers", "default_query", "http_client")
    }
    given["successor"] = said.get("successor", getattr(scope, "successor", DEFAULT))
    given |= {"api_key": _key(setting("api_key"), setting("api_key_path", "OPENAI_API_KEY_PATH"))}
    given |= {"organization": setting("organization", "OPENAI_ORGANIZATION")}
    if said.get("timeout") is None and getattr(scope, "timeout", None) is not None:
        given["timeout"] = scope.timeout
    base = setting("api_base", "OPENAI_API_BASE") or setting("base_url")
    kind = str(setting("api_type", "OPENAI_API_TYPE") or "openai").lower()
    if kind in ("openai", "open_ai"):
        return given_of({**given, "base_url": base})
    if kind not in ("azure", "azure_ad", "azuread"):
        raise ConfigurationError(
            f"openai.api_type is {kind!r:.40}: it may be 'openai', 'azure' or 'azure_ad'"
        )
    names = ("api_version", "azure_ad_token", "azure_ad_token_provider")
    azure = hidden({name: setting(name) for name in names})
    azure["azure_endpoint"] = setting("azure_endpoint") or base
    azure["azure_deployment"] = said.get("engine") or said.get("deployment_id")
    if kind != "azure":
        azure["azure_ad_token"] = given.pop("api_key")
    given = azure_given({**given, **azure}, os.environ)
    if old and given["azure"].deployment is None:
        given["azure"] = given["azure"]._replace(submit=True)
    return given


def _key(key: Any, path: str | None) -> Any:
    if path is not None:
        try:
            with open(path, encoding="utf-8") as file:
                return Secret(file.read().strip())
        except OSError as problem:
            raise ConfigurationError(f"openai.api_key_path cannot be read: {problem}") from None
    return Secret(key) if isinstance(key, str) else key


def kept(kind: type[C], given: Mapping[str, Any]) -> Behind[C]:
    """The client for these settings: the one of the last call, if they are the same."""
    settings = sorted(
        (name, value if isinstance(value, Hashable) else repr(value)) for name, value in given.items()
    )
    key = kind, os.getpid(), *settings
    found: Behind[C] | None = _kept.get(key)
    if found is None:
        if len(_kept) >= _KEPT:
            _kept.clear()
        found = _kept[key] = Behind(kind, given)
    return found


def reset() -> None:
    """Close and forget the clients of the module."""
    while _kept:
        _, behind = _kept.popitem()
        if behind.kind is Client:
            behind.client.close()


def _prepared(
    kind: type[C], scope: ModuleType, official: Mapping[str, Any]
) -> tuple[Behind[C], dict[str, Any]]:
    """The client for a call of 2022, and what is left for the call itself."""
    given = given_of(official)
    said = {name: given.pop(name) for name in _SETTINGS if name in given}
    seconds = said.pop("request_timeout", None)
    if isinstance(seconds, tuple):
        seconds = Timeouts(seconds[0], seconds[1], seconds[1], seconds[1])
    if seconds is not None:
        given["timeout"] = seconds
    more = {name: given.pop(name) for name in list(given) if name not in _KNOWN}
    if more:  # the host says what it thinks of it
        given["extra_body"] = more | given.get("extra_body", {})
    return kept(kind, module_given(scope, said, old=True)), given


def ask_2022(scope: ModuleType, operation: Operation, official: Mapping[str, Any], ways: Ways[Any]) -> Any:
    """An image call with the settings of a module."""
    with officially(ways.tree, ""):
        behind, given = _prepared(Client, scope, official)
    return ask(behind, operation, given, ways)


async def ask_2022_async(
    scope: ModuleType, operation: Operation, official: Mapping[str, Any], ways: Ways[Any]
) -> Any:
    """`ask_2022`, awaited."""
    with officially(ways.tree, ""):
        behind, given = _prepared(AsyncClient, scope, official)
    return await ask_async(behind, operation, given, ways)


def _object(answer: Answered) -> OpenAIObject:
    made = OpenAIObject.of(answer.values)
    made.organization = answer.headers.get("openai-organization")
    spent = answer.headers.get("openai-processing-ms", "")
    made.response_ms = int(spent) if spent.isdecimal() else None
    return made


_WAYS = Ways(OF_2022, _object, OpenAIObject.of)


def _here() -> ModuleType:
    return sys.modules[__package__ or ""]


class Image:
    """`openai.Image` of 2022."""

    @staticmethod
    def create(*, prompt: str, **options: Unpack[CreateOptions]) -> OpenAIObject:
        """Make images."""
        made: OpenAIObject = ask_2022(_here(), "generate", {"prompt": prompt, **hidden(options)}, _WAYS)
        return made

    @staticmethod
    async def acreate(*, prompt: str, **options: Unpack[CreateOptions]) -> OpenAIObject:
        """`create`, awaited."""
        given = {"prompt": prompt, **hidden(options)}
        made: OpenAIObject = await ask_2022_async(_here(), "generate", given, _WAYS)
        return made

    @staticmethod
    def create_edit(
        image: Upload, mask: Upload | None = None, *, prompt: str, **options: Unpack[CreateEditOptions]
    ) -> OpenAIObject:
        """Repaint a part of an image."""
        given = {"image": image, "mask": mask, "prompt": prompt, **hidden(options)}
        made: OpenAIObject = ask_2022(_here(), "edit", given, _WAYS)
        return made

    @staticmethod
    async def acreate_edit(
        image: Upload, mask: Upload | None = None, *, prompt: str, **options: Unpack[CreateEditOptions]
    ) -> OpenAIObject:
        """`create_edit`, awaited."""
        given = {"image": image, "mask": mask, "prompt": prompt, **hidden(options)}
        made: OpenAIObject = await ask_2022_async(_here(), "edit", given, _WAYS)
        return made

    @staticmethod
    def create_variation(image: Upload, **options: Unpack[_ModuleOptions]) -> OpenAIObject:
        """Make variations of an image."""
        made: OpenAIObject = ask_2022(_here(), "create_variation", {"image": image, **hidden(options)}, _WAYS)
        return made

    @staticmethod
    async def acreate_variation(image: Upload, **options: Unpack[_ModuleOptions]) -> OpenAIObject:
        """`create_variation`, awaited."""
        given = {"image": image, **hidden(options)}
        made: OpenAIObject = await ask_2022_async(_here(), "create_variation", given, _WAYS)
        return made


class Moderation:
    """`openai.Moderation` of 2022."""

    @staticmethod
    def create(input: object, model: str | None = None, **said: Any) -> OpenAIObject:
        """What the free endpoint says of a text."""
        return _free(hidden(said), "moderate", {"input": input, "model": model})

    @staticmethod
    async def acreate(input: object, model: str | None = None, **said: Any) -> OpenAIObject:
        """`create`, awaited."""
        with officially(OF_2022, ""):
            behind, given = _prepared(AsyncClient, _here(), hidden(said))
        body = {"input": input, "model": model}
        return await ask_free_async(behind, "moderate", body, given, _object, tree=OF_2022)


class Model:
    """`openai.Model` of 2022."""

    @staticmethod
    def list(**said: Any) -> OpenAIObject:
        """The host's models."""
        return _free(hidden(said), "models", None)

    @staticmethod
    def retrieve(id: str, **said: Any) -> OpenAIObject:
        """One of them."""
        return _free(hidden(said), "models", None, "/" + id)


def _free(
    said: Mapping[str, Any], route: str, body: Mapping[str, object] | None, tail: str = ""
) -> OpenAIObject:
    with officially(OF_2022, ""):
        behind, given = _prepared(Client, _here(), said)
    return ask_free(behind, route, body, given, _object, tail, OF_2022)
