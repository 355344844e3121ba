"""The images of one call: a sequence, what was said about all of them, and the error when some were
not saved.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar, cast, overload

from .._requests._draft import value_of
from .._secrets import one_line
from ..errors import DownloadError
from ._files import Target, safe_stem

if TYPE_CHECKING:
    import os

    from .._image._data import ImagesData
    from .._money import Usage
    from .._requests._successor import Adaptation
    from .._requests._values import Request
    from .._wire._rate_limit import RateLimit
    from ._one import BaseResult
    from ._uploads import Upload

R = TypeVar("R", bound="BaseResult[Any]")
K = TypeVar("K")


class BaseImages(Sequence[R], Generic[R]):
    """The results of one call, in order, and what was said about all of them."""

    _kind: type[R]

    def __init__(self, data: ImagesData, results: Sequence[R]) -> None:
        self._data = data
        self._results = tuple(results)
        self._made = len(self._results)
        answer = data._replace(images=())
        for result in self._results:
            result._answer = answer

    @classmethod
    def of(cls, data: ImagesData, fetcher: object) -> Self:
        """The results of an answer, fetched by what fetches results of this kind."""
        return cls(data, [cls._kind(image, fetcher) for image in data.images])

    def __reduce__(self) -> tuple[object, ...]:
        """Pickled like each result, without the key and the connections."""
        from ..pickling import stored
        from ._stored import adaptations_state, answer_state, prices_state

        state: dict[str, object] = {
            "results": self._results,
            "made": self._made,
            "answer": answer_state(self._data._replace(request=self.request), self.usage),
            "adaptations": adaptations_state(self.adaptations),
            "scale": self._data.scale,
            "prices": prices_state(self._data.prices),
        }
        return stored(self, state)

    @classmethod
    def _restored(cls, state: Mapping[str, Any]) -> Self:
        from ._stored import adaptations_of, answer_of, prices_of

        images = tuple(result._data for result in state["results"])
        data = answer_of(state["answer"])._replace(
            images=images,
            adaptations=adaptations_of(state["adaptations"]),
            scale=state["scale"],
            prices=prices_of(state["prices"]),
        )
        made = cls(data, state["results"])
        made._made = state["made"]
        return made

    def __copy__(self) -> Self:
        made = type(self)(self._data, self._results)
        made.__dict__.update(self.__dict__)
        return made

    def __deepcopy__(self, memo: object) -> Self:
        made = self.__copy__()
        made._results = tuple(result.__copy__() for result in self._results)
        return made

    def _targets(self, directory: str | os.PathLike[str], overwrite: bool) -> list[tuple[R, Target]]:
        """Where each image is saved in `directory`."""
        return [
            (result, Target(directory, stem, overwrite=overwrite, inside=True))
            for result, stem in self._stems()
        ]

    def _uploads(self, prefix: str, overwrite: bool, provenance: bool) -> list[tuple[R, Upload]]:
        """Where each image is put under `prefix`, which is opened once for all."""
        from ._uploads import Upload, Where

        where = Where(prefix, several=True)
        return [
            (
                result,
                Upload(where, stem, overwrite=overwrite, sidecar=result._sidecar() if provenance else None),
            )
            for result, stem in self._stems()
        ]

    def _stems(self) -> Iterator[tuple[R, str]]:
        """What each image is called: by its prompt, numbered if there are several."""
        stems: dict[str, str] = {}
        for number, result in enumerate(self._results, 1):
            prompt: str = result._data.prompt or ""
            stem = stems.get(prompt) or stems.setdefault(prompt, safe_stem(prompt))
            yield result, f"{stem}-{number}" if len(self._results) > 1 else stem

    def fit(self) -> None:
        """Bring the images to the size that was asked for, if a successor could not make it."""
        if self._data.scale is not None:
            from .._requests._successor import fit_each

            fit_each(self._results, self._data.scale)

    @property
    def adaptations(self) -> tuple[Adaptation, ...]:
        """Each change that was made to serve the request on `Client(successor=...)`; empty without one."""
        return cast("tuple[Adaptation, ...]", self._data.adaptations)

    @property
    def cost(self) -> float | None:
        """What the call cost in US dollars at OpenAI's list price (or `Client(prices=...)`): by image, or by
        usage; `None` where that is not known.
        """
        from .._money import PRICES, cost_of

        request, data = self.request, self._data
        sent: dict[str, object] = {"size": request.size, "quality": getattr(request, "quality", None)}
        sent |= {**(request.extra_body or {}), "model": data.model}
        return cost_of(sent, self._made, data.usage, data.extra, prices=data.prices or PRICES)

    @property
    def created(self) -> datetime:
        """When the images were made (aware, UTC)."""
        return self._data.created

    @property
    def model(self) -> str:
        """The model that was asked."""
        return self._data.model

    @property
    def request_id(self) -> str | None:
        """The host's own name for the call: give it to the host's support."""
        return self._data.request_id

    @property
    def headers(self) -> Mapping[str, str]:
        """Those of the answer, names in lower case; without values that hold the key."""
        return self._data.headers

    @property
    def rate_limit(self) -> RateLimit:
        """How much the key may still ask for, by the answer's headers; `None` in it where they do not say."""
        from .._wire._rate_limit import read_rate_limit

        return read_rate_limit(self.headers)

    @property
    def usage(self) -> Usage | None:
        """The tokens that were counted, where the model is priced by tokens; else `None`."""
        from .._money import Usage

        told = self._data.usage
        return told if isinstance(told, Usage) else Usage.from_json(told)

    @property
    def request(self) -> Request:
        """The request as it was sent, model included: `client.send(images.request)` asks for the
        same again.
        """
        return cast("Request", value_of(self._data.request))

    @property
    def extra(self) -> Mapping[str, object]:
        """What the answer said under names that this package does not know."""
        return self._data.extra

    def to_dict(self) -> dict[str, object]:
        """Plain JSON values: what was said of the call, and each image as its own `to_dict` gives it."""
        from ._stored import fields_of

        usage = self.usage
        return {
            "created": self.created.timestamp(),
            "model": self.model,
            "request_id": self.request_id,
            "cost": self.cost,
            "usage": None if usage is None else fields_of(usage),
            "adaptations": [fields_of(adaptation) for adaptation in self.adaptations],
            "extra": dict(self.extra),
            "images": [result.to_dict() for result in self._results],
        }

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: object) -> object:
        """For pydantic: the images of a call, written by `to_dict`."""
        from .._requests._pydantic import core_schema

        return core_schema(cls, {"title": cls.__name__, "type": "object"})

    @overload
    def __getitem__(self, index: int) -> R: ...
    @overload
    def __getitem__(self, index: slice) -> Self: ...
    def __getitem__(self, index: int | slice) -> R | Self:
        """One result, or some of them as images of the same call, with its cost and usage."""
        if not isinstance(index, slice):
            return self._results[index]
        some = self.__copy__()
        some._results = self._results[index]
        return some

    def __len__(self) -> int:
        return len(self._results)

    def __repr__(self) -> str:
        made = f"{self.created:%Y-%m-%d %H:%M:%S} UTC"
        model = one_line(self.model, 60)
        return f"<{type(self).__name__} {len(self)} image(s) of {model}, created {made}>"

    def _repr_mimebundle_(
        self, include: Collection[str] | None = None, exclude: Collection[str] | None = None
    ) -> dict[str, str]:
        """What a notebook shows: the pictures side by side."""
        from ._display import grid_of

        return grid_of(repr(self), self._results, include, exclude)


def partial_error(
    failed: Mapping[int, Exception],
    images: Sequence[R],
    *,
    saved: Mapping[int, Path] | None = None,
    uploaded: Mapping[int, str] | None = None,
) -> DownloadError:
    """The error of several images of which some failed: nothing that was saved or uploaded is forgotten."""
    first = failed[min(failed)]
    what = "saved" if uploaded is None else "uploaded"
    return DownloadError(
        f"{len(failed)} of {len(images)} images were not {what} (see .failed; .{what} lists the others); "
        f"the first: {type(first).__name__}: {one_line(str(first), 300)}",
        reason="partial",
        saved=in_order(saved or {}),
        uploaded=in_order(uploaded or {}),
        failed=failed,
        images=[images[index] for index in sorted(failed)],
    )


def in_order(found: Mapping[int, K]) -> list[K]:
    """What was kept, by the place of its image."""
    return [found[index] for index in sorted(found)]


def note_kept(error: BaseException, kept: Mapping[int, object]) -> None:
    """Tell what was saved or uploaded before an interrupt."""
    places = ", ".join(one_line(str(place)) for place in in_order(kept))
    error.add_note(f"dalle2: saved before this: {places or 'nothing'}")
