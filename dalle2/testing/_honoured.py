"""Idempotency keys at a host that honours them: one key, one image, one bill.

The rule: a second request under a key is refused while the first one runs, and answered like the first
one afterwards; the same key for another request is a mistake. What was refused is forgotten, and may be
sent again.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from email.message import Message

import attrs

from . import _refusals as refuse
from ._exchange import EmulatedRequest, EmulatedResponse


@attrs.define
class _Kept:
    """What is known of a key: the request, its answer once there is one, and until when it runs."""

    digest: bytes
    answer: EmulatedResponse | None = None
    pieces: tuple[bytes, ...] | None = None
    until: float = 0.0


class Honoured:
    """The answers by key; safe to use from several threads. `keep` bounds how many."""

    def __init__(self, keep: int | None) -> None:
        self._keep = keep
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._lock = threading.Lock()

    def once(self, request: EmulatedRequest, carry_out: Callable[[], EmulatedResponse]) -> EmulatedResponse:
        """What `carry_out` gives, or gave under the same key. Raises `Refusal`."""
        key = request.headers.get("idempotency-key")
        if not key:
            return carry_out()
        mine = _Kept(_digest(request))
        with self._lock:
            kept = self._kept.setdefault(key, mine)
            while self._keep is not None and len(self._kept) > self._keep:
                self._kept.popitem(last=False)
        if kept is not mine:
            return _again(kept, mine)
        try:
            answer = carry_out()
        except BaseException:
            with self._lock:
                self._kept.pop(key, None)
            raise
        whole = answer.chunks
        mine.pieces = None if whole is None else tuple(whole)
        takes = answer.delay + answer.pause * len(mine.pieces or ())
        mine.until, mine.answer = time.monotonic() + takes, answer
        return _copy(mine, answer)


def _again(kept: _Kept, mine: _Kept) -> EmulatedResponse:
    if kept.digest != mine.digest:
        raise refuse.key_used_otherwise()
    left = kept.until - time.monotonic()
    if kept.answer is None or left > 0:
        raise refuse.key_under_way(max(left, 0.0))
    return _copy(kept, attrs.evolve(kept.answer, delay=0.0, pause=0.0, loss=None))


def _copy(kept: _Kept, answer: EmulatedResponse) -> EmulatedResponse:
    return answer if kept.pieces is None else attrs.evolve(answer, chunks=iter(kept.pieces))


def _digest(request: EmulatedRequest) -> bytes:
    """What tells one request from another: not the boundary of its form, which is new each time."""
    declared = Message()
    declared["Content-Type"] = request.headers.get("content-type", "")
    boundary = declared.get_boundary("")
    body = request.body.replace(boundary.encode(), b"") if boundary else request.body
    return hashlib.sha256(f"{request.path}?{request.query}\n".encode() + body).digest()
