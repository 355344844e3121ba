"""The emulator itself: takes a request, gives an answer, and keeps account of both.

The rule: `Emulator.handle` does no I/O and never sleeps, so that the in-process clients and the real server
are the same emulator. State is guarded by locks; pictures are painted outside of them.
"""

from __future__ import annotations

import functools
import math
import secrets
import threading
import time
from datetime import date
from email.utils import format_datetime
from typing import TYPE_CHECKING, cast

import attrs

from . import _faults, _moderation, _responses
from . import _refusals as refuse
from ._asserting import Assertions
from ._batches import BatchEnd, Status
from ._exchange import BilledRequest, Cause, EmulatedRequest, EmulatedResponse, Loss, json_response
from ._faults import Failure, StreamFailure, Target
from ._forms import read_json
from ._honoured import Honoured
from ._models import MODELS
from ._personas import PERSONAS, PersonaName, lost_way, refusal_response, standing_headers
from ._routes import check_key, find_route
from ._store import is_image_path
from ._studio import Studio

if TYPE_CHECKING:
    import httpx

    from ._models import Operation
    from ._server import Serving


class Emulator(Studio, Assertions):
    """The DALL·E 2 API without network and without cost.

    `persona` is the host to imitate. `today` turns retirements on: a model whose shutdown date is reached
    by then is gone; `None` serves every model whatever the date, and has nothing to do with `clock`.
    `responses_shape` chooses how CometAPI's `/v1/responses` answers, `task_polls` how many polls a task
    stays pending. `images_per_minute` enforces that limit with real 429 answers. `latency` is how many
    seconds a paid call takes; what a stream sends is spread over them. `batch_latency` is how many seconds of
    `clock` a batch takes: its lines are carried out and billed evenly over them, and after a day it expires.
    `keep` bounds how many requests, bills, images, files and batches are remembered (`None`: all).

    A prompt that holds one of the words of `dalle2.testing.TRIGGERS` is refused as unsafe. Two requests with
    one idempotency key are both billed, as at most hosts; with `honours_keys` the second gets 409 while the
    first runs, and later the answer of the first, unbilled. Raises `ValueError` for what it cannot play.
    """

    __module__ = "dalle2.testing"

    def __init__(
        self,
        *,
        api_key: str = "sk-test",
        persona: PersonaName = "openai",
        today: date | None = None,
        responses_shape: _responses.ResponsesShape = "call",
        task_polls: int = 1,
        images_per_minute: int | None = None,
        latency: float = 0.0,
        batch_latency: float = 0.0,
        honours_keys: bool = False,
        keep: int | None = None,
    ) -> None:
        if persona not in PERSONAS:
            raise ValueError(f"persona={persona!r}: expected one of {list(PERSONAS)}")
        if responses_shape not in _responses.SHAPES:
            raise ValueError(
                f"responses_shape={responses_shape!r}: expected one of {list(_responses.SHAPES)}"
            )
        if isinstance(latency, bool) or not 0 <= latency <= 3600:
            raise ValueError(f"latency={latency!r}: expected seconds from 0 to 3600")
        if isinstance(batch_latency, bool) or not 0 <= batch_latency < math.inf:
            raise ValueError(f"batch_latency={batch_latency!r}: expected seconds from 0 up")
        super().__init__(
            persona=persona,
            today=today,
            responses_shape=responses_shape,
            task_polls=task_polls,
            images_per_minute=images_per_minute,
            latency=latency,
            batch_latency=batch_latency,
            honours_keys=honours_keys,
            keep=keep,
        )
        self.api_key = api_key
        self._honoured = Honoured(keep)
        self._keep = keep
        self._requests: list[EmulatedRequest] = []
        self._lock = threading.Lock()

    @property
    def billed(self) -> list[BilledRequest]:
        """What was carried out and paid for, in order; lines of batches, too, as far as these are by now."""
        self._batches.advance()
        return self._ledger.billed

    @property
    def requests(self) -> list[EmulatedRequest]:
        """Every request seen, in order, downloads included."""
        return self._requests

    @property
    def leaks(self) -> list[EmulatedRequest]:
        """Requests that carried an API key to the image store, where it must never go."""
        return self._store.leaks

    def fail_next(
        self,
        status: int,
        *,
        retry_after: float | str | None = None,
        code: str | None = None,
        times: int = 1,
        headers: dict[str, str] | None = None,
        body: _faults.Body | None = None,
        on: Target = "paid",
    ) -> None:
        """Answer the next `times` paid POSTs with `status`, unbilled; then normal again.

        The body is the one that the real host sends for `code`, else for `status`, unless `body` (an object
        sent as JSON, or text or bytes sent as they are) says otherwise. `retry_after` is in seconds, or a
        text sent as it is. `on="image"` does it to the next image downloads instead, `on="file"` to uploads
        and downloads of batch files, `on="poll"` to questions after files and batches.
        """
        self._faults.add(Failure(status, retry_after, code, headers or {}, body), times, on)

    def lose_next(
        self,
        times: int = 1,
        *,
        after_bytes: int | None = None,
        cause: Cause = "disconnect",
        on: Target = "paid",
    ) -> None:
        """Carry out and bill the next `times` paid POSTs, and lose their answers; then normal again.

        `after_bytes` sends the head and so many bytes of the body before the connection breaks. With
        `cause="timeout"` nothing more comes, and the connection stays open. `on="image"` does it to the
        next image downloads instead, `on="file"` to uploads and downloads of batch files, `on="poll"` to
        questions after files and batches.
        """
        self._faults.add(Loss(after_bytes, cause), times, on)

    def fail_stream_next(self, *, after_events: int = 1, code: str = "server_error", times: int = 1) -> None:
        """Break off the next event stream with an `error` event after so many events; it is billed."""
        self._faults.add(StreamFailure(after_events, code), times, "paid")

    def end_batch_next(
        self,
        status: Status = "completed",
        *,
        done: int | None = None,
        missing: int = 0,
        doubled: int = 0,
        garbled: int = 0,
        gone: bool = False,
        times: int = 1,
    ) -> None:
        """Let the next batch that is created end in this way, and its files be like this.

        `done` lines are carried out and billed, in order (unsaid, all); `"failed"` is a batch that does not
        pass the checks. Of these the first `missing` are in no file, `doubled` stand twice, and `garbled`
        lines that are no JSON come on top. `gone`: the output file is gone before anybody fetched it.
        """
        self._batches.end_next(BatchEnd(status, done, missing, doubled, garbled, gone), times)

    def delete_images(self) -> None:
        """Delete every image from the store: their URLs answer 404 from now on."""
        self._store.clear()

    def client(self) -> httpx.Client:
        """An HTTP client whose every request, to any host, is answered here.

        Images of a `dalle2.Client` with it take their time from `clock`.
        """
        from ._clients import make_client

        return make_client(self, self.clock)

    def async_client(self) -> httpx.AsyncClient:
        """As `client()`, for asyncio and trio."""
        from ._clients import make_async_client

        return make_async_client(self, self.clock)

    def serve(self, host: str = "127.0.0.1", port: int = 0) -> Serving:
        """A context manager that runs a real HTTP server; `port` 0 takes a free one."""
        from ._server import Serving

        return Serving(self, host, port)

    def handle(self, request: EmulatedRequest) -> EmulatedResponse:
        """Answer one request."""
        with self._lock:
            self._requests.append(request)
            if self._keep is not None:
                del self._requests[: -self._keep]
        response = self._download(request) if is_image_path(request.path) else self._call(request)
        date_header = {"Date": format_datetime(self.clock.now(), usegmt=True)}
        return attrs.evolve(response, headers=date_header | response.headers)

    def _download(self, request: EmulatedRequest) -> EmulatedResponse:
        failure = self._faults.failure("image")
        if failure is not None:
            return _faults.failure_response(failure, self.persona, self.clock.now(), request.path)
        response = self._store.answer(request, api_key=self.api_key)
        mishap = self._faults.mishap("image") if response.status < 300 else None
        return attrs.evolve(response, loss=mishap) if isinstance(mishap, Loss) else response

    def _call(self, request: EmulatedRequest) -> EmulatedResponse:
        started = time.perf_counter()
        request_id = f"req_{secrets.token_hex(16)}"
        try:
            response = self._route(request, request_id)
        except refuse.Refusal as refusal:
            if refusal.status == 404 and self.persona == "cometapi" and "Invalid URL" in refusal.message:
                response = lost_way(request.method, request.path)
            else:
                response = refusal_response(self.persona, refusal, self.clock.now())
        elapsed = round((time.perf_counter() - started) * 1000)
        headers = standing_headers(self.persona, request_id, elapsed)
        if self.persona == "openai" and "/images/" in request.path:
            headers |= self._ledger.headers(self.clock.timestamp())
        return attrs.evolve(response, headers=headers | response.headers)

    def _route(self, request: EmulatedRequest, request_id: str) -> EmulatedResponse:
        route = find_route(request, self.persona)
        if route.target is not None:
            failure = self._faults.failure(route.target)
            if failure is not None:
                return _faults.failure_response(failure, self.persona, self.clock.now(), request.path)
        check_key(request, self.persona, self.api_key)
        if route.kind == "models":
            rows = [model.row() for model in MODELS.values() if not model.is_retired(self.today)]
            return json_response({"object": "list", "data": rows})
        if route.kind == "model":
            if route.argument not in MODELS or MODELS[route.argument].is_retired(self.today):
                raise refuse.model_not_found(route.argument)
            return json_response(MODELS[route.argument].row())
        if route.kind == "moderate":
            return json_response(_moderation.moderate(read_json(request)))
        if route.kind == "poll_response":
            return json_response(_responses.polled_response(route.argument, self._tasks))
        about_batches = self._batches.answers(request, route.argument).get(route.kind)
        if about_batches is not None:
            response = self._honoured.once(request, about_batches) if self.honours_keys else about_batches()
            mishap = None if route.target is None else self._faults.mishap(route.target)
            return attrs.evolve(response, loss=mishap) if isinstance(mishap, Loss) else response
        put = functools.partial(self._put, request, int(self.clock.timestamp()))
        if route.kind == "poll_images":
            return json_response(_responses.polled_images(route.argument, put, self._tasks))
        if route.kind == "poll_operation":
            return json_response(_responses.polled_operation(route.argument, put, self._tasks))
        operation = cast("Operation", "generate" if route.kind == "submit" else route.kind)
        if route.kind == "respond":
            carry_out = functools.partial(self._respond, request, request_id)
        else:
            carry_out = functools.partial(self._paint, request, request_id, route, operation)
        return self._honoured.once(request, carry_out) if self.honours_keys else carry_out()
