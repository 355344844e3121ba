"""The official arguments of an image call, as our client takes them.

The rule: what the SDK takes is taken here, or refused before anything is sent, in a sentence that says what
to do. Parameters that are the SDK's and not ours travel in the body as they are. The markers by which the SDK
says "not given" count as left out; so does `None`, but for `timeout`, where it is "no limit".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import IO, TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias, TypedDict

from .._secrets import Secret
from ..errors import InvalidRequestError

if TYPE_CHECKING:
    from .. import _types as t
    from .._requests._inputs import ImageSource
    from ..settings import TimeoutArgument

    Upload: TypeAlias = (
        ImageSource | IO[bytes] | tuple[str, IO[bytes] | bytes] | tuple[str, IO[bytes] | bytes, str]
    )
    Operation: TypeAlias = Literal["generate", "edit", "create_variation"]


class RequestOptions(TypedDict, total=False):
    """What every call takes; `None` is "not given", but for `timeout`, where it is "no limit"."""

    extra_headers: Mapping[str, str] | None
    extra_query: Mapping[str, object] | None
    extra_body: Mapping[str, object] | None
    timeout: TimeoutArgument


class CallOptions(RequestOptions, total=False):
    """What every image call takes besides."""

    model: str | None
    n: int | None
    size: t.Size | None
    response_format: t.ResponseFormat | None
    user: str | None


class PictureOptions(CallOptions, total=False):
    """What a generation and an edit take besides."""

    quality: t.Quality | None
    background: t.Background | None
    moderation: t.ModerationLevel | None
    output_format: t.OutputFormat | None
    output_compression: int | None
    partial_images: int | None
    safety_identifier: str | None
    complexity: str | None


class EditOptions(PictureOptions, total=False):
    """What an edit takes besides."""

    input_fidelity: t.InputFidelity | None


class GenerateOptions(PictureOptions, total=False):
    """What a generation takes besides."""

    style: t.Style | None
    frame_count: int | None
    frame_duration_ms: int | None


class NotGiven:
    """The type of `NOT_GIVEN` and `not_given`: an argument that was left out."""

    def __bool__(self) -> Literal[False]:
        return False

    def __repr__(self) -> str:
        return "NOT_GIVEN"


class Omit:
    """The type of `omit`: the same, in newer scripts."""

    def __bool__(self) -> Literal[False]:
        return False


NOT_GIVEN: NotGiven = NotGiven()
not_given: NotGiven = NOT_GIVEN
omit: Omit = Omit()
_METHODS = {"generate": "generate", "edit": "edit", "create_variation": "vary"}
_PATHS = {
    "generate": "/images/generations",
    "edit": "/images/edits",
    "create_variation": "/images/variations",
}
_IN_BODY = ("safety_identifier", "complexity", "frame_count", "frame_duration_ms")
_NOT_STREAMED = ("response_format", "style")
_SECRETS = ("api_key", "azure_ad_token")
_MEANT = ("timeout", "successor")  # where `None` is an answer: no limit, no successor


class Order(NamedTuple):
    """One call of our client: the method, its arguments, and what is said of it beside them."""

    method: str
    arguments: Mapping[str, Any]
    path: str
    query: Mapping[str, object]
    asked_format: object

    @property
    def model(self) -> str | None:
        """The model that was named."""
        return self.arguments.get("model")


def given_of(values: Mapping[str, object]) -> dict[str, Any]:
    """The arguments that were given."""
    return {
        name: value
        for name, value in values.items()
        if (value is not None or name in _MEANT) and type(value).__name__ not in ("NotGiven", "Omit")
    }


def hidden(given: Any) -> dict[str, Any]:
    """The same, with keys and tokens that do not show themselves; `given` loses them, since the frame of an
    error may hold it.
    """
    found = dict(given)
    for name in _SECRETS:
        if isinstance(found.get(name), str):
            found[name] = Secret(found[name])
            given[name] = None
    return found


def order_of(operation: Operation, official: Mapping[str, object], *, raw: bool = False) -> Order:
    """What our client is to be asked. Raises `InvalidRequestError` for what it cannot be."""
    given = given_of(official)
    query = given.pop("extra_query", {})
    body = given.pop("extra_body", {})
    if not isinstance(query, Mapping) or not isinstance(body, Mapping):
        raise InvalidRequestError("extra_query and extra_body map names to values", field="extra_body")
    streamed = bool(given.pop("stream", False))
    if body.get("stream") or (streamed and (raw or operation != "generate")):
        raise InvalidRequestError(
            "stream=True is an argument of images.generate itself only: leave it out here, and the answer "
            "comes whole",
            field="stream",
        )
    elsewhere = _IN_BODY + (_NOT_STREAMED if streamed else ("partial_images",))
    moved = {name: given.pop(name) for name in elsewhere if name in given}
    body = moved | dict(body)
    if body:
        given["extra_body"] = body
    for name in ("image", "mask"):
        if name in given:
            given[name] = _bare(given[name])
    asked_format = body.get("response_format", given.get("response_format"))
    method = "stream" if streamed else _METHODS[operation]
    return Order(method, given, _PATHS[operation], query, asked_format)


def _bare(image: Any) -> Any:
    """An upload as our client takes it: of the SDK's `(name, content, type)` only the content tells."""
    if isinstance(image, list):
        return [_bare(one) for one in image]
    return image[1] if isinstance(image, tuple) else image


def query_of(values: Mapping[str, object], field: str = "extra_query") -> dict[str, str]:
    """A query as it travels. Raises `InvalidRequestError` for a value that has no one way to."""
    return dict(_pairs(values, "", field))


def _pairs(value: object, name: str, field: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, inner in given_of(value).items():
            yield from _pairs(inner, f"{name}[{key}]" if name else str(key), field)
    elif isinstance(value, (str, int, float)):
        yield name, str(value).lower() if isinstance(value, bool) else str(value)
    else:
        kind = type(value).__name__
        raise InvalidRequestError(f"{field} takes texts and numbers; {name!r:.40} is a {kind}", field=field)
