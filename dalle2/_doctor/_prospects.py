"""What would become of a call: its model and that one's end, its successor, and about what it costs."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING

import attrs

from .. import catalog
from .. import errors as e
from .._money import in_words
from .._requests._inputs import InputImage
from .._requests._pictures import mask_from_box
from .._requests._successor import Adapted, adapt, check_successor
from .._requests._values import EditRequest, GenerateRequest, VariationRequest
from ..settings import Settings
from ._checked import Check

if TYPE_CHECKING:
    from .._requests._values import Request


@attrs.frozen
class Prospects:
    """A host on a day: `listed` are the models that it lists, `models` all that are known."""

    settings: Settings
    models: Mapping[str, catalog.Model]
    listed: Mapping[str, date | None]
    today: date

    def checks(self) -> list[Check]:
        """The model, about what an image costs, and what changes on its successor."""
        said = self.settings.successor
        ends = self.settings.model.startswith("dall-e") or self._retired()
        try:
            heir = check_successor(said or "auto", self.today, self.models, self.settings.successor_from)
        except e.ConfigurationError as error:
            return [self._model(None), Check("successor", "problem", str(error))]
        swaps = said is not None or self.settings.falls_back
        found = [self._model(heir if swaps else None), *self._price(heir if ends else None)]
        return [*found, *self._on(heir)] if ends else found

    def _retired(self) -> bool:
        return catalog.retired(self.settings.model, self.today, models=self.models)

    def _model(self, heir: str | None) -> Check:
        """The model that would be called; `heir` is what a client takes in its place."""
        name = self.settings.model
        known = catalog.find(name, models=self.models)
        missing = bool(self.listed) and name not in self.listed
        if known is None:
            if missing:
                return Check("model", "warning", f"{name} is not in the host's list: is it spelt right?")
            return Check(
                "model", "ok", f"{name} is not known to this package: its requests are sent unchecked"
            )
        follows = catalog.successor_of(name, self.today, models=self.models)
        way = f": use {follows}, or Client(successor='auto')" if follows else ""
        if self._retired():
            return self._gone(f"{name} was retired on {known.retired_on}", way, heir, missing=missing)
        soon = catalog.retiring_within(name, self.today, models=self.models)
        if soon is not None:
            return Check("model", "warning", f"{name} ends on {soon}{way}")
        if missing:
            return Check(
                "model", "warning", f"{name} is not in the host's list: does the key have access to it?"
            )
        until = f" until {known.retired_on}" if known.retired_on else ""
        return Check("model", "ok", f"{name} lives{until}")

    def _gone(self, end: str, way: str, heir: str | None, *, missing: bool) -> Check:
        """OpenAI's dates hold for its own host; any other one says by its list what it still serves."""
        settings = self.settings
        if heir is not None and settings.successor is not None:
            return Check(
                "model", "ok", f"{end}: {heir} answers in its place, as {settings.successor_from} says"
            )
        if settings.model in self.listed:
            return Check("model", "ok", f"{end} by OpenAI; this host still lists it")
        if heir is not None:
            return Check("model", "warning", f"{end}: {heir} answers in its place")
        if missing or (settings.provider.official and settings.host == "api.openai.com"):
            return Check("model", "problem", end + way)
        return Check("model", "warning", f"{end} by OpenAI; this host decides for itself. If it refuses{way}")

    def _price(self, heir: str | None) -> list[Check]:
        """About what an image costs, on the model itself or on `heir`."""
        usual = GenerateRequest(prompt="-", model=self.settings.model, size="1024x1024")
        before = usual.estimate(rough=True)
        told = None if before is None else f"{in_words(before)} an image of {usual.size}"
        if heir is not None:
            after = self._adapted(usual, heir).request.estimate(rough=True)
            if after is not None:
                told = f"{in_words(after)} an image of {usual.size} on {heir}" + (
                    f", against {in_words(before)} on {usual.model}" if before is not None else ""
                )
        return [] if told is None else [Check("price", "note", told)]

    def _on(self, heir: str) -> list[Check]:
        """What usual requests become, so that a reader sees it before anything is changed."""
        model = self.settings.model
        image = (InputImage.of(mask_from_box(16, (0, 0, 8, 8))),)
        usual: list[Request] = [
            GenerateRequest(prompt="-", model=model, size=size, response_format="url")
            for size in ("256x256", "512x512")
        ]
        if model == "dall-e-2":
            usual.append(EditRequest(image=image, prompt="-", model=model, size="1024x1024"))
            usual.append(VariationRequest(image=image, model=model, size="1024x1024"))
        changes = {
            (change.field, str(change.asked), str(change.sent)): str(change)
            for request in reversed(usual)
            for change in self._adapted(request, heir).adaptations
            if change.field != "model"
        }
        return [Check(f"on {heir}", "note", text) for text in reversed(changes.values())]

    def _adapted(self, request: Request, heir: str) -> Adapted:
        """What the request becomes; for the heir of `"auto"`, with the quality that this chooses."""
        auto = heir == catalog.default_successor(self.today, models=self.models)
        return adapt(request, "auto" if auto else heir, today=self.today, models=self.models)
