"""Carrying out what is asked: checked, billed, painted, and handed over.

The rule: a request is billed once, when its last check has passed; what befalls the answer comes after that.
How long it takes is written on the answer, and spent by whoever carries it.
"""

from __future__ import annotations

import functools
import secrets
from datetime import date

import attrs

from . import _delivery, _pictures, _responses
from . import _refusals as refuse
from ._batches import Batches
from ._clock import Clock
from ._exchange import BilledRequest, EmulatedRequest, EmulatedResponse, Loss, json_response
from ._faults import Faults, StreamFailure
from ._forms import Form, is_json, read_form, read_json
from ._ledger import Ledger
from ._models import Operation
from ._order import Order, check_order, find_model
from ._personas import PERSONAS, PersonaName
from ._routes import Route
from ._store import Store
from ._uploads import check_uploads


class Studio:
    """What an emulator works with: the host that it plays, its clock, its account and its store."""

    def __init__(
        self,
        *,
        persona: PersonaName,
        today: date | None,
        responses_shape: _responses.ResponsesShape,
        task_polls: int,
        images_per_minute: int | None,
        latency: float,
        batch_latency: float,
        honours_keys: bool,
        keep: int | None,
    ) -> None:
        self.persona = persona
        self.today = today
        self.responses_shape = responses_shape
        self.latency = latency
        self.honours_keys = honours_keys
        self.clock: Clock = Clock()
        self._host = PERSONAS[persona]
        self._store = Store(self.clock, keep=keep)
        self._faults = Faults()
        self._tasks = _responses.Tasks(task_polls, keep=keep)
        self._ledger = Ledger(images_per_minute=images_per_minute, keep=keep)
        self._batches = Batches(self.clock, batch_latency, self._carry_out_line, self._body_of_line, keep)

    def _paint(
        self, request: EmulatedRequest, request_id: str, route: Route, operation: Operation
    ) -> EmulatedResponse:
        form = read_json(request) if operation == "generate" or is_json(request) else read_form(request)
        if route.deployment is not None:
            form.values["model"] = route.deployment
        if self.persona == "cometapi" and operation == "generate" and form.text("model") is None:
            raise refuse.missing_parameter("model")
        in_background = form.values.pop("async", None) is True if self.persona == "cometapi" else False
        order = self._check(form, operation)
        created = int(self.clock.timestamp())
        mishap = self._bill(request, order, request_id, operation)
        put = functools.partial(self._put, request, created)
        if order.stream:
            failure = mishap if isinstance(mishap, StreamFailure) else None
            chunks = _delivery.events(order, created, failure)
            headers = {"Content-Type": "text/event-stream; charset=utf-8"}
            pause = self.latency / (order.n * (order.partials + 1))
            response = EmulatedResponse(200, headers, chunks=chunks, pause=pause)
        elif route.kind == "submit":
            query = request.query
            response = _responses.submitted(order, created, request.origin, query, self._tasks)
        elif in_background:
            response = json_response(_responses.started(order, created, self._tasks))
        elif isinstance(mishap, Loss) and mishap.after_bytes is None and not self.honours_keys:
            response = json_response({})  # Nobody will see it, so nothing is painted.
        else:
            response = json_response(_delivery.images_body(order, created, put, self.persona))
        return self._handed_over(response, mishap)

    def _handed_over(
        self, response: EmulatedResponse, mishap: Loss | StreamFailure | None
    ) -> EmulatedResponse:
        """An answer with what befalls it, after the time that it takes."""
        delay = 0.0 if response.chunks is not None else self.latency
        return attrs.evolve(response, delay=delay, loss=mishap if isinstance(mishap, Loss) else None)

    def _check(self, form: Form, operation: Operation) -> Order:
        model = find_model(form, operation, self.today)
        if operation != "generate" and form.is_json and model.family != "gpt-image":
            raise refuse.wrong_content_type("application/json")
        order = check_order(form, operation, model)
        if operation != "generate":
            order = check_uploads(form, order)
        _pictures.check_format(order)
        return order

    def _respond(self, request: EmulatedRequest, request_id: str) -> EmulatedResponse:
        form = read_json(request)
        if form.text("model") is None:
            raise refuse.missing_parameter("model")
        model = find_model(form, "generate", self.today)
        if self.persona != "cometapi":
            raise refuse.Refusal(
                f"The requested model '{model.id}' cannot be used with the Responses API.",
                code="unsupported_model",
                param="model",
            )
        asked: dict[str, object] = {"model": model.id, "prompt": _responses.read_prompt(form)}
        order = check_order(Form(asked, {}, is_json=True), "generate", model)
        mishap = self._bill(request, order, request_id, "respond")
        created = int(self.clock.timestamp())
        put = functools.partial(self._put, request, created)
        body = _responses.response_body(order, created, put, self.responses_shape, self._tasks)
        response = json_response(body)
        return self._handed_over(response, mishap)

    def _bill(
        self, request: EmulatedRequest, order: Order, request_id: str, operation: str
    ) -> Loss | StreamFailure | None:
        entry = BilledRequest(
            prompt=order.prompt,
            n=order.n,
            model=order.model.id,
            idempotency_key=request.headers.get("idempotency-key"),
            operation=operation,
            size=order.size,
            request_id=request_id,
            at=self.clock.now(),
        )
        self._ledger.bill(entry)
        return self._faults.mishap("paid", streamed=order.stream)

    def _carry_out_line(self, form: Form, batch: str) -> Order:
        """A line of a batch, checked and billed."""
        order = self._check(form, "generate")
        entry = BilledRequest(
            prompt=order.prompt,
            n=order.n,
            model=order.model.id,
            idempotency_key=None,
            operation="generate",
            size=order.size,
            request_id=f"batch_req_{secrets.token_hex(12)}",
            at=self.clock.now(),
            batch=batch,
        )
        self._ledger.enter(entry)
        return order

    def _body_of_line(self, order: Order, created: int) -> dict[str, object]:
        """The answer of a line; no model that is made in batches answers with URLs."""
        return _delivery.images_body(order, created, lambda order, index: "", self.persona)

    def _put(self, request: EmulatedRequest, created: int, order: Order, index: int) -> str:
        origin = self._host.image_origin
        return self._store.put(
            functools.partial(_pictures.picture, order, index),
            media_type=_pictures.media_type(order),
            created=created,
            origin=request.origin if origin is None or request.served else origin,
            lane=self._host.lane,
            lifetime=self._host.lifetime,
        )
