"""What a test may state of the requests that an emulator saw, and of what it billed.

The rule: a statement that does not hold raises `AssertionError` with what was there instead, so that the
failure of a test can be read without a debugger.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from . import _refusals as refuse
from ._forms import is_json, read_form, read_json

if TYPE_CHECKING:
    from ._exchange import BilledRequest, EmulatedRequest


class Assertions:
    """The statements of an emulator about what it keeps."""

    if TYPE_CHECKING:

        @property
        def billed(self) -> Sequence[BilledRequest]:
            """What was carried out and paid for, in order."""

        @property
        def requests(self) -> Sequence[EmulatedRequest]:
            """Every request seen, in order."""

    def assert_billed(
        self,
        times: int | None = None,
        *,
        prompt: str | None = None,
        n: int | None = None,
        model: str | None = None,
        size: str | None = None,
        operation: str | None = None,
        idempotency_key: str | None = None,
    ) -> None:
        """Exactly so many paid requests (without `times`: at least one) were like this.

        What is not given may be anything; `assert_billed(0)` says that nothing at all was paid for. Raises
        `AssertionError` that lists what was billed.
        """
        given = {
            "prompt": prompt,
            "n": n,
            "model": model,
            "size": size,
            "operation": operation,
            "idempotency_key": idempotency_key,
        }
        wanted = {name: value for name, value in given.items() if value is not None}
        found = [
            record
            for record in self.billed
            if all(getattr(record, name) == value for name, value in wanted.items())
        ]
        _state("billed", times, len(found), wanted, (_line(record, given) for record in self.billed))

    def assert_sent(self, path: str, times: int | None = None, **parameters: object) -> None:
        """Exactly so many requests (without `times`: at least one) went to a path with this end, with these
        parameters in their JSON or form; `None` says that a parameter was not sent.

        Texts of a form are compared as texts. Raises `AssertionError` that lists what was sent.
        """
        seen = [(request, sent_by(request)) for request in self.requests]
        found = [
            sent
            for request, sent in seen
            if request.path.endswith(path)
            and all(_same(sent.get(name), value) for name, value in parameters.items())
        ]
        lines = (f"{request.method} {request.path} {_short(sent)}" for request, sent in seen)
        _state(f"sent to {path}", times, len(found), parameters, lines)


def sent_by(request: EmulatedRequest) -> dict[str, object]:
    """The parameters of a request, from its JSON or its form; files by their size."""
    try:
        form = read_json(request) if is_json(request) else read_form(request)
    except refuse.Refusal:
        return {}
    files = {name: f"<{len(found[0].data)} bytes>" for name, found in form.files.items()}
    return {**form.values, **files}


def _same(sent: object, wanted: object) -> bool:
    return sent == wanted or (isinstance(sent, str) and wanted is not None and sent == str(wanted))


def _line(record: BilledRequest, names: Iterable[str]) -> str:
    return _short({name: getattr(record, name) for name in names})


def _short(values: Mapping[str, object]) -> str:
    return ", ".join(f"{name}={value!r:.60}" for name, value in values.items()) or "nothing readable"


def _state(
    what: str, times: int | None, found: int, wanted: Mapping[str, object], lines: Iterable[str]
) -> None:
    if found == times or (times is None and found):
        return
    like = f" with {_short(wanted)}" if wanted else ""
    expected = "at least one request" if times is None else f"{times} request(s)"
    there = "".join(f"\n  {line}" for line in lines) or "\n  nothing"
    raise AssertionError(f"expected {expected} {what}{like}, found {found}. There was:{there}")
