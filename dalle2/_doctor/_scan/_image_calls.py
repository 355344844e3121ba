"""Which calls make images: the official SDK in both its forms, LangChain's wrapper, and this package.

The rule: a call is known by the import path of its receiver, never by the look of its name.
"""

from __future__ import annotations

import ast
import re
from urllib.parse import urlsplit

import attrs

from ._known import Args, Const, Ref, Row, Values, text_of

_OPERATIONS = {
    "generate": "generate",
    "stream": "generate",
    "edit": "edit",
    "vary": "vary",
    "create_variation": "vary",
    "create": "generate",
    "acreate": "generate",
    "create_edit": "edit",
    "acreate_edit": "edit",
    "acreate_variation": "vary",
}
_SHAPES = (
    ("compat", r"dalle2\.compat\.(?:Async)?OpenAI\(\)\.images\.(generate|edit|create_variation)"),
    ("openai", r"openai\.(?:(?:Async)?(?:OpenAI|Client)\(\)\.)?images\.(generate|edit|create_variation)"),
    ("openai-0", r"openai\.(?:api_resources\.(?:image\.)?)?Image\.(a?create(?:_edit|_variation)?)"),
    ("dalle2", r"dalle2\.(?:Async)?Client\(\)\.(generate|stream|edit|vary)"),
)
_PATTERNS = [(api, re.compile(shape)) for api, shape in _SHAPES]
_SEND = re.compile(r"dalle2\.(?:Async)?Client\(\)\.send")
_REQUESTS = {
    "dalle2.GenerateRequest()": "generate",
    "dalle2.EditRequest()": "edit",
    "dalle2.VariationRequest()": "vary",
}
_LANGCHAIN = ("langchain.", "langchain_community.", "langchain_classic.")
_COPIES = re.compile(r"(?:openai|dalle2(?:\.compat)?)\.\w+\(\)\.(?:with_options|copy|__enter__|__aenter__)")
_WRAPPED = re.compile(r"\.with_(?:raw|streaming)_response\b")
CLIENTS = re.compile(r"(?:openai|dalle2|dalle2\.compat)\.(?:Async)?(?:OpenAI|Client)")

# `from package import *` binds these.
STARRED = {
    "openai": ("OpenAI", "AsyncOpenAI", "Client", "AsyncClient", "Image"),
    "dalle2": ("Client", "AsyncClient", "GenerateRequest", "EditRequest", "VariationRequest"),
    "dalle2.compat": ("OpenAI", "AsyncOpenAI"),
    "langchain_community.utilities.dalle_image_generator": ("DallEAPIWrapper",),
}

_HOSTS = ("base_url", "api_base", "openai_api_base")
_AZURE = ("azure_endpoint", "azure_deployment", "engine", "deployment_id", "api_version")


@attrs.frozen(eq=False)
class Site:
    """A call that makes images: its arguments, those of its client, and where it stands."""

    api: str
    operation: str
    args: Args
    made: Args | None
    node: ast.Call
    asynchronous: bool


def is_operation(path: str) -> bool:
    """Whether this path is a method that makes images."""
    return _match(path) is not None


def copied(path: str) -> bool:
    """Whether calling this path gives the same client once more, with other settings."""
    return _COPIES.fullmatch(path) is not None


def plain(path: str) -> str:
    """The path without the wrappers that change only how the answer comes."""
    return _WRAPPED.sub("", path)


def site_of(ref: Ref, args: Args, node: ast.Call) -> Site | None:
    """The call of `ref` with `args`, if it makes images."""
    found = _match(ref.path)
    if found is not None:
        return Site(*found, args, ref.made, node, "Async" in ref.path or ".acreate" in ref.path)
    if _SEND.fullmatch(ref.path):
        for request in args.positional[0] if args.positional else args.named.get("request", ()):
            if isinstance(request, Ref) and request.path in _REQUESTS:
                asked = Args((), request.made.named if request.made else {}, args.open)
                return Site("dalle2", _REQUESTS[request.path], asked, ref.made, node, "Async" in ref.path)
    if ref.path.startswith(_LANGCHAIN):
        if ref.path.endswith(".DallEAPIWrapper"):
            return Site("langchain", "generate", _aliased(args), None, node, False)
        if ref.path.endswith(".load_tools") and "dalle-image-generator" in _names(args):
            return Site("langchain", "generate", Args(), None, node, False)
    return None


def _match(path: str) -> tuple[str, str] | None:
    for api, pattern in _PATTERNS:
        if match := pattern.fullmatch(path):
            return api, _OPERATIONS[match[1]]
    return None


def _aliased(args: Args) -> Args:
    named = dict(args.named)
    if "model_name" in named:
        named["model"] = named.pop("model_name")
    return Args(args.positional, named, args.open)


def _names(args: Args) -> list[str]:
    given = args.positional[0] if args.positional else args.named.get("tool_names", ())
    return [text for row in given if isinstance(row, Row) for item in row.items for text in text_of(item)]


def other_host(args: Args | None) -> bool:
    """Whether these arguments point to a host other than OpenAI's own, whose models have other dates."""
    if args is None:
        return False
    named = args.named
    if any(key in named for key in _AZURE):
        return True
    if any(is_foreign(named[key]) for key in _HOSTS if key in named):
        return True
    provider = named.get("provider", (Const(None),))
    if set(text_of(provider)) != {"openai"} and not _is_none(provider):
        return True
    client = named.get("http_client", ())
    return any(isinstance(value, Ref) and value.path.startswith("dalle2.testing.") for value in client)


def is_foreign(url: Values) -> bool:
    """Whether a base URL is anything but OpenAI's own; one that cannot be read is taken to be another."""
    return not _is_none(url) and {urlsplit(text).hostname for text in text_of(url)} != {"api.openai.com"}


def _is_none(values: Values) -> bool:
    return bool(values) and all(isinstance(value, Const) and value.value is None for value in values)
