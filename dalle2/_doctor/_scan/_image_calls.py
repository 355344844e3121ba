"""Which calls make images: the official SDK in both its forms, LangChain's wrapper, this package, and
plain HTTP.

The rule: a call is known by the import path of its receiver or by the address that it is given. One that only
looks like an image call is kept too, as `"unknown"`: it is told as not understood.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Literal, TypeAlias
from urllib.parse import urlsplit

import attrs

from ._known import Args, Const, Instance, Partial, Ref, Row, Table, Tail, Value, Values, text_of

Host: TypeAlias = Literal["openai", "unknown", "other"]
"""Whose models a call asks for: OpenAI's, those of a host with dates of its own, or that cannot be told."""

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
    "generations": "generate",
    "edits": "edit",
    "variations": "vary",
}
_SHAPES = (
    ("compat", r"dalle2\.compat\.(?:Async)?OpenAI\(\)\.images\.(generate|edit|create_variation)"),
    ("openai", r"openai\.(?:(?:Async)?(?:OpenAI|Client)\(\)\.)?images\.(generate|edit|create_variation)"),
    ("openai-0", r"openai\.Image\.(a?create(?:_edit|_variation)?)"),
    ("dalle2", r"dalle2\.(?:Async)?Client\(\)\.(generate|stream|edit|vary)"),
)
_PATTERNS = [(api, re.compile(shape)) for api, shape in _SHAPES]
_LANGCHAIN = ("langchain.", "langchain_community.", "langchain_classic.")
_COPIES = re.compile(r"(?:openai|dalle2(?:\.compat)?)\.\w+\(\)\.(?:with_options|copy|__enter__|__aenter__)")
_WRAPPED = re.compile(r"\.with_(?:raw|streaming)_response\b")
CLIENTS = re.compile(r"(?:openai|dalle2|dalle2\.compat)\.(?:Async)?(?:OpenAI|Client)")

# `from package import *` binds these.
STARRED = {
    "openai": ("OpenAI", "AsyncOpenAI", "Client", "AsyncClient", "Image"),
}

_TELLING = re.compile(r"dall|gpt-image|images/|^https?:|^\d{3,4}x\d{3,4}$")
_LOOKALIKES = ("generate", "edit", "create_variation")
_ADDRESS = re.compile(r"(?:^|/)images/(?:generations|edits|variations)$")
_SENDERS = ("fetch", "post", "request", "Request", "stream")
_HOSTS = ("base_url", "api_base", "openai_api_base")
_AZURE = ("azure_endpoint", "azure_deployment", "engine", "deployment_id", "api_version")


@attrs.frozen(eq=False)
class Site:
    """A call that makes images: its arguments, those of its client, where it stands, and whose it is."""

    api: str
    operation: str
    args: Args
    made: Args | None
    node: ast.Call
    asynchronous: bool = False
    host: Host = "openai"


def is_telling(args: Args) -> bool:
    """Whether something among these arguments can decide what an image call is."""
    given = [*args.positional, *args.named.values()]
    return "model" in args.named or any(_tells(value, 1) for values in given for value in values)


def _tells(value: Value, depth: int) -> bool:
    """A client, a model, a size or an address, or something that holds one."""
    match value:
        case Const():
            return _TELLING.search(str(value.value)) is not None
        case Ref():
            return value.path.startswith(("openai", "dalle2"))
        case Tail() | Partial():
            return True
        case Instance() if depth:
            parts = list(value.of.attributes.values())
        case Table() if depth:
            parts = list(value.items.values())
        case _:
            return False
    return any(_tells(part, depth - 1) for values in parts for part in values)


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
    site = _site_of(ref, args, node)
    if site is None:
        return None
    unread: Host = "unknown" if site.made is not None and site.made.open else "openai"
    return attrs.evolve(site, host=worse(_host_of(site.made), _host_of(site.args), unread))


def _site_of(ref: Ref, args: Args, node: ast.Call) -> Site | None:
    found = _match(ref.path)
    if found is not None:
        return Site(*found, args, ref.made, node, "Async" in ref.path or ".acreate" in ref.path)
    if ref.path.startswith(_LANGCHAIN):
        if ref.path.endswith(".DallEAPIWrapper"):
            return Site("langchain", "generate", _aliased(args), None, node)
        if ref.path.endswith(".load_tools") and "dalle-image-generator" in _names(args):
            return Site("langchain", "generate", Args(), None, node)
    return None


def at_address(args: Args, node: ast.Call) -> Site | None:
    """The call, if it sends something to the address of an endpoint for images."""
    called = [_last(node.func), *(_path_end(value) for values in args.positional for value in values)]
    if not any(name in _SENDERS for name in called):
        return None
    for value, text in _addresses(args):
        return Site(
            "http", _OPERATIONS[text.rpartition("/")[2]], _body(args), None, node, host=_host_at(value)
        )
    return None


def made_address(args: Args) -> Values:
    """What a function makes that is given the end of such an address: `urljoin(base, "images/edits")`."""
    return tuple(Tail(text) for _, text in _addresses(args))


def _addresses(args: Args) -> Iterator[tuple[Value, str]]:
    for values in (*args.positional[:3], args.named.get("url", ())):
        for value in values:
            text = value.text if isinstance(value, Tail) else str(getattr(value, "value", ""))
            if _ADDRESS.search(text):
                yield value, text


def of_unknown(args: Args, node: ast.Call) -> Site | None:
    """The call of something unknown, if it looks like one of the official SDK's image calls."""
    func = node.func
    if isinstance(func, ast.Attribute) and func.attr in _LOOKALIKES and _last(func.value) == "images":
        return Site("unknown", _OPERATIONS[func.attr], args, None, node, host="unknown")
    return None


def _last(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def _path_end(value: Value) -> str:
    return value.path.rpartition(".")[2] if isinstance(value, Ref) else ""


def _body(args: Args) -> Args:
    """What a request sends, as arguments."""
    for values in (*(args.named.get(name, ()) for name in ("json", "data", "body")), *args.positional):
        for value in values:
            if isinstance(value, Table):
                return Args((), value.items, value.open)
    return Args(open=True)


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


def _host_of(args: Args | None) -> Host:
    """Whose models are meant by the arguments of a client or a call."""
    if args is None:
        return "openai"
    named = args.named
    if any(key in named for key in _AZURE):
        return "other"
    hosts = [host_at(named[key]) for key in _HOSTS if key in named]
    if "provider" in named:
        hosts.append(_provided(named["provider"]))
    return worse("openai", *hosts)


def worse(*hosts: Host) -> Host:
    """Another host decides; one that cannot be told comes next."""
    return next((host for host in ("other", "unknown") if host in hosts), "openai")


def _provided(names: Values) -> Host:
    texts = set(text_of(names))
    if texts:
        return "openai" if texts == {"openai"} else "other"
    return "openai" if is_none(names) else "unknown"


def host_at(urls: Values) -> Host:
    """Whose models are meant by a base URL."""
    hosts = {_host_at(value) for value in urls}
    return hosts.pop() if len(hosts) == 1 else "unknown"


def _host_at(url: Value) -> Host:
    if not isinstance(url, Const):
        return "unknown"
    if url.value is None:
        return "openai"
    try:
        name = urlsplit(str(url.value)).hostname
    except ValueError:
        name = None
    if name is None:
        return "unknown"
    return "openai" if f".{name}".endswith(".api.openai.com") else "other"


def is_none(values: Values) -> bool:
    """Whether nothing but `None` is given."""
    return bool(values) and all(isinstance(value, Const) and value.value is None for value in values)
