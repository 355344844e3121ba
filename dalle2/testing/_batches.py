"""Files and batches: many requests in one file, carried out while nobody waits, at half the price.

The rule: how far a batch is follows from the clock alone, and is worked out whenever somebody looks: its
lines are carried out and billed evenly over the time that a batch takes, and what is not done after a day
expires. The pictures of an output file are painted while it is sent.
"""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Literal
from urllib.parse import parse_qs

import attrs

from . import _refusals as refuse
from ._batch_files import ENDPOINT, entries_of, line, page, problem, undone
from ._clock import Clock
from ._exchange import EmulatedRequest, EmulatedResponse, json_response
from ._forms import Form, read_form, read_json
from ._order import Order
from ._refusals import Refusal

Status = Literal["completed", "expired", "cancelled", "failed"]
Body = Callable[[Order, int], dict[str, object]]
MOST_BYTES, WINDOW = 200 * 1000 * 1000, 86_400
_LOOKS = ((0.05, "validating"), (0.95, "in_progress"), (1.0, "finalizing"))


@attrs.frozen
class BatchEnd:
    """How a batch ends, and what is wrong with its files."""

    status: Status = "completed"
    done: int | None = None
    missing: int = 0
    doubled: int = 0
    garbled: int = 0
    gone: bool = False


@attrs.frozen
class File:
    """A file that was uploaded, or one of a batch, whose lines are made when it is fetched."""

    id: str
    name: str
    purpose: str
    made: int
    size: int
    lines: Callable[[], Iterator[bytes]]

    def row(self) -> dict[str, object]:
        """The file as the API shows it."""
        return {
            "id": self.id,
            "object": "file",
            "bytes": self.size,
            "created_at": self.made,
            "filename": self.name,
            "purpose": self.purpose,
            "status": "processed",
        }


@attrs.define
class Batch:
    """One batch. `results` are its lines that were carried out, in order."""

    id: str
    fields: dict[str, object]
    made: float
    entries: list[tuple[str, Form]]
    problems: list[dict[str, object]]
    end: BatchEnd
    results: list[Order | Refusal] = attrs.field(factory=list)
    status: str = "validating"
    cancelled: bool = False
    files: dict[str, str] = attrs.field(factory=dict)
    ended: int | None = None


class Batches:
    """The files and batches of an emulator; safe to use from several threads. `keep` bounds how many."""

    def __init__(
        self,
        clock: Clock,
        latency: float,
        carry_out: Callable[[Form, str], Order],
        body: Body,
        keep: int | None,
    ) -> None:
        self._clock = clock
        self._latency = latency
        self._carry_out = carry_out
        self._body = body
        self._keep = keep
        self._files: OrderedDict[str, File] = OrderedDict()
        self._batches: OrderedDict[str, Batch] = OrderedDict()
        self._ends: list[BatchEnd] = []
        self._lock = threading.RLock()

    def end_next(self, end: BatchEnd, times: int) -> None:
        """Let the next batches end like that."""
        with self._lock:
            self._ends += [end] * times

    def advance(self) -> None:
        """Bring every batch to where it is by now."""
        with self._lock:
            for batch in self._batches.values():
                self._advance(batch)

    def answers(self, request: EmulatedRequest, name: str) -> dict[str, Callable[[], EmulatedResponse]]:
        """What answers a request about files and batches, or the one of them that is named, by its kind."""
        return {
            "upload": lambda: self.upload(request),
            "files": lambda: self.files(request),
            "file": lambda: self.file(name),
            "content": lambda: self.content(name),
            "create_batch": lambda: self.create(request),
            "batches": lambda: self.batches(request),
            "batch": lambda: self.batch(name),
            "cancel_batch": lambda: self.cancel(name),
        }

    # Files

    def upload(self, request: EmulatedRequest) -> EmulatedResponse:
        """`POST /files`."""
        form = read_form(request)
        purpose, files = form.text("purpose"), form.files.get("file", [])
        if not files:
            raise refuse.missing_parameter("file")
        if purpose != "batch":
            raise refuse.invalid_value("purpose", purpose, ["batch"])
        data, name = files[0].data, files[0].filename
        if len(data) > MOST_BYTES:
            raise Refusal("File size exceeds the limit of 200 MB.", 413)
        return json_response(self._kept(name, purpose, len(data), lambda: iter([data])).row())

    def files(self, request: EmulatedRequest) -> EmulatedResponse:
        """`GET /files`."""
        purpose = parse_qs(request.query).get("purpose")
        with self._lock:
            rows = [file.row() for file in self._files.values() if purpose in (None, [file.purpose])]
        return page(request, rows[::-1], 10_000)

    def file(self, name: str) -> EmulatedResponse:
        """`GET /files/{id}`."""
        return json_response(self._file(name).row())

    def content(self, name: str) -> EmulatedResponse:
        """`GET /files/{id}/content`."""
        self.advance()
        headers = {"Content-Type": "application/octet-stream"}
        return EmulatedResponse(200, headers, chunks=self._file(name).lines())

    def _file(self, name: str) -> File:
        with self._lock:
            file = self._files.get(name)
        if file is None:
            raise Refusal(f"No such File object: {name}", 404, param="id")
        return file

    def _kept(self, name: str, purpose: str, size: int, lines: Callable[[], Iterator[bytes]]) -> File:
        made = int(self._clock.timestamp())
        file = File(f"file-{secrets.token_hex(11)}", name, purpose, made, size, lines)
        with self._lock:
            self._files[file.id] = file
            if self._keep is not None and len(self._files) > self._keep:
                self._files.popitem(last=False)
        return file

    # Batches

    def create(self, request: EmulatedRequest) -> EmulatedResponse:
        """`POST /batches`."""
        form = read_json(request)
        for name in ("input_file_id", "endpoint", "completion_window"):
            if form.text(name) is None:
                raise refuse.missing_parameter(name)
        if form.text("endpoint") != ENDPOINT:
            raise refuse.invalid_value("endpoint", form.text("endpoint"), [ENDPOINT])
        if form.text("completion_window") != "24h":
            raise refuse.invalid_value("completion_window", form.text("completion_window"), ["24h"])
        data = b"".join(self._file(str(form.text("input_file_id"))).lines())
        entries, problems = entries_of(data)
        with self._lock:
            end = self._ends.pop(0) if self._ends else BatchEnd()
            if end.status == "failed" and not problems:
                problems = [problem("The enqueued token limit is reached.", "token_limit_exceeded", None)]
            name = f"batch_{secrets.token_hex(16)}"
            batch = Batch(name, form.values, self._clock.timestamp(), entries, problems, end)
            self._batches[name] = batch
            if self._keep is not None and len(self._batches) > self._keep:
                self._batches.popitem(last=False)
            return json_response(self._shown(batch))

    def batch(self, name: str) -> EmulatedResponse:
        """`GET /batches/{id}`."""
        with self._lock:
            batch = self._found(name)
            self._advance(batch)
            return json_response(self._shown(batch))

    def batches(self, request: EmulatedRequest) -> EmulatedResponse:
        """`GET /batches`."""
        with self._lock:
            self.advance()
            return page(request, [self._shown(batch) for batch in self._batches.values()][::-1], 20)

    def cancel(self, name: str) -> EmulatedResponse:
        """`POST /batches/{id}/cancel`."""
        with self._lock:
            batch = self._found(name)
            self._advance(batch)
            if batch.ended is not None:
                raise Refusal(f"Cannot cancel a batch with status '{batch.status}'.", 409)
            batch.cancelled, batch.status = True, "cancelling"
            return json_response(self._shown(batch))

    def _found(self, name: str) -> Batch:
        if name not in self._batches:
            raise Refusal(f"No batch found with id '{name}'.", 404)
        return self._batches[name]

    def _advance(self, batch: Batch) -> None:
        if batch.ended is not None:
            return
        if batch.problems:
            self._finish(batch, "failed")
            return
        if batch.cancelled:
            self._finish(batch, "cancelled")
            return
        passed = min(self._clock.timestamp() - batch.made, WINDOW)
        share = min(passed / self._latency, 1.0) if self._latency else 1.0
        most = len(batch.entries) if batch.end.done is None else min(batch.end.done, len(batch.entries))
        for _, form in batch.entries[len(batch.results) : min(most, int(share * len(batch.entries)))]:
            try:
                batch.results.append(self._carry_out(form, batch.id))
            except Refusal as refusal:
                batch.results.append(refusal)
        if share == 1.0:
            self._finish(batch, batch.end.status)
        elif passed >= WINDOW:
            self._finish(batch, "expired")
        else:
            batch.status = next(status for until, status in _LOOKS if share < until)

    def _finish(self, batch: Batch, status: str) -> None:
        batch.status, batch.ended = status, int(self._clock.timestamp())
        end, done = batch.end, list(zip(batch.entries, batch.results, strict=False))[batch.end.missing :]
        good = [(entry[0], order) for entry, order in done if isinstance(order, Order)]
        bad: list[tuple[str, Refusal | None]]
        bad = [(entry[0], refusal) for entry, refusal in done if isinstance(refusal, Refusal)]
        bad += [(entry[0], None) for entry in batch.entries[len(batch.results) :]]
        good += good[: end.doubled]
        created = batch.ended

        def output() -> Iterator[bytes]:
            for custom_id, order in good[::-1]:  # the order is not kept
                yield line(custom_id, 200, self._body(order, created))
            yield b'{"id": "batch_req_\n' * end.garbled

        def errors() -> Iterator[bytes]:
            for custom_id, refusal in bad:
                if refusal is None:
                    yield undone(custom_id, status)
                else:
                    yield line(custom_id, refusal.status, refusal.body())

        if good:
            file = self._kept(f"{batch.id}_output.jsonl", "batch_output", 0, output)
            batch.files["output_file_id"] = file.id
            if end.gone:
                del self._files[file.id]
        if bad and status != "failed":
            file = self._kept(f"{batch.id}_error.jsonl", "batch_output", 0, errors)
            batch.files["error_file_id"] = file.id

    def _shown(self, batch: Batch) -> dict[str, object]:
        at: dict[str, object] = {
            f"{name}_at": batch.ended if name == batch.status else None
            for name in ("completed", "failed", "expired", "cancelled")
        }
        failed = sum(isinstance(result, Refusal) for result in batch.results)
        return {
            "id": batch.id,
            "object": "batch",
            "endpoint": ENDPOINT,
            "errors": {"object": "list", "data": batch.problems} if batch.status == "failed" else None,
            "input_file_id": batch.fields["input_file_id"],
            "completion_window": "24h",
            "status": batch.status,
            "output_file_id": batch.files.get("output_file_id"),
            "error_file_id": batch.files.get("error_file_id"),
            "created_at": int(batch.made),
            "expires_at": int(batch.made) + WINDOW,
            **at,
            "request_counts": {
                "total": len(batch.entries),
                "completed": len(batch.results) - failed,
                "failed": failed,
            },
            "metadata": batch.fields.get("metadata"),
        }
