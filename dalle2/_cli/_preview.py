"""`--dry-run`: what would be sent, and what it would cost.

The rule: a dry run is the real call on a line that leads nowhere. The client does all that it would do, so
that what is shown is what would travel, and whatever would be refused is refused; the line answers itself.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from ..errors import Dalle2Error, ModelRetirementWarning
from . import _screen
from ._deliver import changes
from ._words import in_own_words

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from .._money import Estimate
    from .._requests._values import Request
    from .._results._blocking import Images
    from ._output import Place

_PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAAC0lEQVR42mNgAAIAAAUAAen63NgAAAAASUVORK5CYII="
"""A whole PNG of one pixel, in base64."""


class DeadLine:
    """An HTTP client that sends nothing: it keeps the request and answers with a pixel."""

    def __init__(self) -> None:
        import httpx

        self.sent: httpx.Request | None = None
        self._gone = False
        self.client = httpx.Client(transport=httpx.MockTransport(self._answer))

    def _answer(self, request: httpx.Request) -> httpx.Response:
        import httpx

        if self._gone:
            self._gone = False
            return httpx.Response(404, json={"error": {"code": "model_not_found", "param": "model"}})
        self.sent = request
        return httpx.Response(200, json={"created": 0, "data": [{"b64_json": _PIXEL}]})

    def without_model(self, call: Callable[[], Images]) -> Images | None:
        """What is sent if the host no longer has the model; `None` if nothing is put in its place."""
        self._gone = True
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ModelRetirementWarning)
            try:
                return call()
            except Dalle2Error:
                return None


def show(call: Callable[[], Images], line: DeadLine, place: Place, count: int, *, as_json: bool) -> None:
    """Make a call on the line; print what came to its end, the price, and where the images would go."""
    images, sent = call(), line.sent
    assert sent is not None
    instead = line.without_model(call)
    url = str(sent.url.copy_with(query=None, userinfo=None))  # a query may hold a secret
    if as_json:
        _screen.document(
            {"dry_run": True, "method": sent.method, "url": url}
            | _priced(images)
            | {
                "request_id": None,
                "images": [{"path": name} for name in place.names(count)],
                "if_model_is_gone": instead and _priced(instead),
            }
        )
        return
    rows = [("would send", f"{sent.method} {url}")]
    rows += [(name, str(value)) for name, value in _told(images.request).items()]
    rows += [("changed", in_own_words(str(change))) for change in images.adaptations]
    rows += [("cost", price_text(images.request.estimate(rough=True))), ("saved as", place.shown(count))]
    if instead is not None:
        cost = price_text(instead.request.estimate(rough=True))
        rows += [("if it is gone", f"{instead.model} in place of {images.model}, cost {cost}")]
    _screen.say(*(f"{name:16}{value}" for name, value in rows))
    _screen.tell("nothing was sent: this was a dry run")


def _priced(images: Images) -> dict[str, object]:
    """A request, its price and its changes as plain values."""
    usd = images.request.estimate(rough=True)
    return {
        "request": _told(images.request),
        "cost": usd,
        "cost_is_rough": usd is not None and usd.rough,
        "cost_source": None if usd is None else usd.source,
        "adaptations": changes(images),
    }


def price_text(usd: Estimate | None) -> str:
    """An estimate for people: `$0.02`, `about $0.013`; of a rough one no more digits than it is worth."""
    if usd is None:
        return "not known beforehand"
    dollars, _, parts = f"{float(f'{usd:.2g}') if usd.rough else usd:.4f}".partition(".")
    return f"{'about ' if usd.rough else ''}${dollars}.{parts.rstrip('0'):0<2}"


def _told(request: Request) -> dict[str, object]:
    """The parameters that travel; of images, what they are."""
    told: dict[str, object] = {}
    for name in ("model", "prompt", "n", "size", "quality", "response_format"):
        value = getattr(request, name, None)
        if value is not None:
            told[name] = value
    pictures = [*getattr(request, "image", ()), getattr(request, "mask", None)]
    for picture in filter(None, pictures):
        facts = picture.facts
        told[picture.field] = f"{facts.media_type}, {facts.width}x{facts.height}, {len(picture.data)} bytes"
    return told
