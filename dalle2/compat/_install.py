"""Our image calls inside the `openai` that is installed, in place of its own; all else stays as it is.

The rule: what is replaced are the image methods on their classes, so that clients which exist, clients to
come and the module style are reached alike. A call goes out by the client's own key, address, options and
HTTP client; answers and errors are of the installed classes. `uninstall` puts back the very objects that
were there. Clients that sign in otherwise than with a key (Bedrock, workload identities) keep their own way.
"""

from __future__ import annotations

import functools
import importlib
import inspect
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from .._async_client import AsyncClient
from .._client import Client
from .._http import origin_of
from .._requests._successor import check_successor
from .._secrets import Secret
from .._transport._callers import library_of
from ..catalog import MODELS
from ..errors import ConfigurationError
from ..providers import PROVIDERS, Provider
from ..settings import DEFAULT, Default
from ._arguments import given_of, hidden
from ._asking import Ways, ask, ask_async, refuse_streaming
from ._behind import Azure, Behind
from ._error_tree import NAMES_2022, SDK_NAMES, SDK_STATUSES, STATUSES_2022, Tree, officially
from ._module import ask_2022, ask_2022_async
from ._module import reset as reset

if TYPE_CHECKING:
    from types import ModuleType

    from ._arguments import Operation
    from ._shapes import Answered

_RAW = "x-stainless-raw-response"
_replaced: list[tuple[type, str, object, object]] = []
_known: WeakKeyDictionary[Any, tuple[dict[str, Any], Behind[Any]]] = WeakKeyDictionary()
_successor: str | Default | None = DEFAULT


def install(*, successor: str | Default | None = DEFAULT) -> None:
    """Let the image calls of the installed `openai` be made by this package, until `uninstall()`.

    `images.generate`, `images.edit` and `images.create_variation` of all its clients and of the module, or
    `openai.Image` of a version before 1. `successor` as in `Client`. Called again, it only takes the new
    `successor`. Raises `ConfigurationError` if there is no `openai`, or the successor is retired itself.
    """
    global _successor
    try:
        openai = importlib.import_module("openai")
    except ImportError:
        raise ConfigurationError(
            "install() puts our image calls into the package openai, which is not installed: "
            "pip install openai, or import dalle2.compat in its place"
        ) from None
    if isinstance(successor, str):
        check_successor(successor, datetime.now(UTC).date(), MODELS)
    _successor = successor
    _known.clear()
    if _replaced:
        return
    if hasattr(openai, "images"):
        resources = importlib.import_module("openai.resources.images")
        for kind, made in ((resources.Images, _method), (resources.AsyncImages, _async_method)):
            for operation in ("generate", "edit", "create_variation"):
                _replace(kind, operation, made(openai, getattr(kind, operation), operation))
    else:
        for name, operation, places in _METHODS_2022:
            for prefix, old in (("", _old_method), ("a", _old_async_method)):
                original = openai.Image.__dict__[prefix + name].__func__
                method = old(openai, original, operation, (*places, *_PLACES_2022))
                _replace(openai.Image, prefix + name, classmethod(method))


def uninstall() -> None:
    """Put back the image calls of the installed `openai` as they were.

    What others have wrapped since (a tracer) stays wrapped: ours then hands on to the SDK's.
    """
    while _replaced:
        kind, name, original, ours = _replaced.pop()
        if vars(kind).get(name) is ours:
            setattr(kind, name, original)
    _known.clear()
    reset()


def _replace(kind: type, name: str, method: object) -> None:
    _replaced.append((kind, name, vars(kind)[name], method))
    setattr(kind, name, method)


def _method(openai: ModuleType, original: Callable[..., Any], operation: Operation) -> Callable[..., Any]:
    known = inspect.signature(original).parameters.keys()

    @functools.wraps(original)
    def call(self: Any, *positional: object, **official: Any) -> Any:
        wrong = positional or official.keys() - known  # their method says so, and sends nothing
        given = None if wrong else _given(openai, self._client)
        if given is None:
            return original(self, *positional, **official)
        ways = _ways(openai, self._client)
        with officially(ways.tree, given["base_url"]):
            behind = _behind(self._client, Client, given)
            official, raw = _raw(official, ways.tree)
        return ask(behind, operation, official, ways, raw=raw)

    return call


def _async_method(
    openai: ModuleType, original: Callable[..., Any], operation: Operation
) -> Callable[..., Any]:
    known = inspect.signature(original).parameters.keys()

    @functools.wraps(original)
    async def call(self: Any, *positional: object, **official: Any) -> Any:
        wrong = positional or official.keys() - known
        given = None if wrong else _given(openai, self._client)
        if given is None:
            return await original(self, *positional, **official)
        ways = _ways(openai, self._client)
        with officially(ways.tree, given["base_url"]):
            behind = _behind(self._client, AsyncClient, given)
            official, raw = _raw(official, ways.tree)
        return await ask_async(behind, operation, official, ways, raw=raw)

    return call


def _raw(official: dict[str, Any], tree: Tree) -> tuple[dict[str, Any], bool]:
    """The arguments without the mark of a raw response, and whether it was there."""
    headers = dict(official.get("extra_headers") or {})
    marks = [headers.pop(name) for name in list(headers) if name.lower() == _RAW]
    if "stream" in marks:
        refuse_streaming(tree)
    return (official | {"extra_headers": headers}, True) if marks else (official, False)


def _behind(client: Any, kind: type[Any], given: dict[str, Any]) -> Behind[Any]:
    """The client of ours for one of theirs: that of its last call, if nothing was set since."""
    known = _known.get(client)
    if known is None or known[0] != given:
        known = _known[client] = given, Behind(kind, given)
    return known[1]


def _given(openai: ModuleType, client: Any) -> dict[str, Any] | None:
    """What a client of the SDK was made from, read off it at the moment of the call.

    `None` for one that signs in otherwise than with a key, and after `uninstall()`.
    """
    if not _replaced:
        return None
    base = str(client.base_url).rstrip("/")
    query = dict(client._custom_query or {})
    headers = client._custom_headers or {}
    key = getattr(client, "_api_key_provider", None) or client.api_key
    given: dict[str, Any] = {
        "organization": client.organization,
        "project": getattr(client, "project", None),
        "max_retries": client.max_retries,
        "http_client": client._client,
        "successor": _successor,
        "base_url": base,
        "default_headers": {name: value for name, value in headers.items() if isinstance(value, str)},
        "default_query": query,
    }
    if isinstance(client, (openai.AzureOpenAI, openai.AsyncAzureOpenAI)):
        token = client._azure_ad_token or client._azure_ad_token_provider
        deployment = base.partition("/deployments/")[2].partition("/")[0] or None
        key, version = token or key, str(query.pop("api-version", ""))
        given["azure"] = Azure(base, deployment, version, token is not None)
    else:
        official = origin_of(base)[1] == "api.openai.com"
        given["provider"] = PROVIDERS["openai"] if official else Provider.custom(base)
    other = any(getattr(client, name, None) is not None for name in ("workload_identity", "_provider"))
    if other or not key or "Bedrock" in type(client).__name__:
        return None
    given["api_key"] = Secret(key) if isinstance(key, str) else key
    return given_of(given) | {"timeout": client.timeout}


def _ways(openai: ModuleType, client: Any) -> Ways[Any]:
    """The shapes of the installed classes."""
    types = importlib.import_module("openai.types")
    awaited = hasattr(client._client, "aclose")

    def answer(answered: Answered) -> Any:
        made = types.ImagesResponse.construct(**answered.values)
        made._request_id = answered.headers.get("x-request-id")
        return made

    def event(values: dict[str, Any]) -> Any:
        partial = values["type"].endswith("partial_image")
        kind = types.ImageGenPartialImageEvent if partial else types.ImageGenCompletedEvent
        return kind.construct(**values)

    library = library_of(client._client, "AsyncClient" if awaited else "Client").__name__
    return Ways(Tree("openai", SDK_NAMES, SDK_STATUSES, library), answer, event)


_PLACES_2022 = ("api_key", "api_base", "api_type", "api_version", "organization")
_METHODS_2022: tuple[tuple[str, Operation, tuple[str, ...]], ...] = (
    ("create", "generate", ()),
    ("create_edit", "edit", ("image", "mask")),
    ("create_variation", "create_variation", ("image",)),
)


def _ways_2022(openai: ModuleType) -> Ways[Any]:
    def answer(answered: Answered) -> Any:
        headers = _Headers(answered.headers)
        if not headers.get("openai-processing-ms", "").isdecimal():  # that SDK breaks on what is no number
            headers.pop("openai-processing-ms", None)
        return openai.util.convert_to_openai_object(
            openai.openai_response.OpenAIResponse(answered.values, headers)
        )

    return Ways(Tree("openai.error", NAMES_2022, STATUSES_2022), answer, lambda values: values)


class _Headers(dict[str, str]):
    """Headers by any spelling of their names."""

    def get(self, name: str, default: Any = None) -> Any:
        """The header's value."""
        return super().get(name.lower(), default)


def _old_method(
    openai: ModuleType, original: Callable[..., Any], operation: Operation, places: tuple[str, ...]
) -> Callable[..., Any]:
    @functools.wraps(original)
    def call(cls: type, *positional: Any, **official: Any) -> Any:
        if not _replaced:
            return original(cls, *positional, **official)
        given = _placed(places, positional, official)
        return ask_2022(openai, operation, given, _ways_2022(openai))

    return call


def _old_async_method(
    openai: ModuleType, original: Callable[..., Any], operation: Operation, places: tuple[str, ...]
) -> Callable[..., Any]:
    @functools.wraps(original)
    async def call(cls: type, *positional: Any, **official: Any) -> Any:
        if not _replaced:
            return await original(cls, *positional, **official)
        given = _placed(places, positional, official)
        return await ask_2022_async(openai, operation, given, _ways_2022(openai))

    return call


def _placed(
    places: tuple[str, ...], positional: tuple[Any, ...], official: Mapping[str, Any]
) -> dict[str, Any]:
    if len(positional) > len(places):
        raise TypeError(f"takes at most {len(places)} positional arguments, {len(positional)} were given")
    given = {**dict(zip(places, positional, strict=False)), **hidden(official)}
    return given_of(hidden(given)) | {"successor": _successor}
