"""A request on its way: the parameters that were set, checked, under the names that they travel by.

The rule: a `Draft` holds what a request value holds and no more, so each can be made from the other. Both are
checked by the same rules.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from ..errors import InvalidRequestError
from ._rules import check

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .._types import SentRequest
    from ..catalog import Operation
    from ._inputs import InputImage
    from ._values import Request


class Draft:
    """A request that can be sent. `parameters` holds those that are sent, in their order on the wire."""

    __slots__ = ("_value", "extra_body", "images", "mask", "operation", "parameters")

    def __init__(
        self,
        operation: Operation,
        parameters: Mapping[str, object],
        extra_body: Mapping[str, object] | None = None,
        *,
        images: Sequence[InputImage] = (),
        mask: InputImage | None = None,
        value: Request | None = None,
    ) -> None:
        self.operation = operation
        self.parameters = parameters
        self.extra_body = extra_body
        self.images = images
        self.mask = mask
        self._value = value

    @classmethod
    def generation(cls, extra_body: Mapping[str, object] | None, **parameters: object) -> Draft:
        """The arguments of a generation, `None` for those that are not sent. Raises `InvalidRequestError`."""
        check("extra_body", extra_body)
        given = {name: value for name, value in parameters.items() if value is not None}
        for name, value in given.items():
            check(name, value)
        if "prompt" not in given:
            check("prompt", None)
        return cls("generate", given, extra_body)

    @classmethod
    def of(cls, request: Request | SentRequest) -> Draft:
        """The draft of a request value. Raises `InvalidRequestError` for what is no request."""
        from ._values import BaseRequest, parameters

        if not isinstance(request, BaseRequest):
            raise InvalidRequestError(
                "request must be a GenerateRequest, EditRequest or VariationRequest; "
                f"it is a {type(request).__name__}",
                field="request",
            )
        return cls(
            request.operation,
            parameters(request),
            request.extra_body,
            images=getattr(request, "image", ()),
            mask=getattr(request, "mask", None),
            value=cast("Request", request),
        )

    @property
    def value(self) -> Request:
        """The request value, made when it is first asked for."""
        if self._value is None:
            from ._values import KINDS

            more = {"image": self.images, "mask": self.mask} if self.images else {}
            if self.operation == "vary":
                del more["mask"]
            self._value = KINDS[self.operation](**self.parameters, **more, extra_body=self.extra_body)
        return self._value

    @property
    def model(self) -> str | None:
        """The model, if it is named."""
        return cast("str | None", self.parameters.get("model"))

    @property
    def n(self) -> int:
        """How many images are asked for."""
        return cast("int", self.parameters.get("n", 1))

    @property
    def prompt(self) -> str | None:
        """The prompt, if this is a request that has one."""
        return cast("str | None", self.parameters.get("prompt"))

    def to(self, model: str) -> Draft:
        """The same request to that model."""
        return self._with({"model": model, **self.without("model").parameters})

    def without(self, name: str) -> Draft:
        """The same request, that parameter not sent."""
        if name not in self.parameters:
            return self
        return self._with({known: value for known, value in self.parameters.items() if known != name})

    def _with(self, parameters: Mapping[str, object]) -> Draft:
        return Draft(self.operation, parameters, self.extra_body, images=self.images, mask=self.mask)


def value_of(request: object) -> object:
    """The request value behind a draft; anything else is itself."""
    return request.value if isinstance(request, Draft) else request
