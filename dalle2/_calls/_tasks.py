"""A paid call whose images are made in the background: how often, how long and where its task is asked after.

The rule: the task was started and may have been billed, so whatever goes wrong with the free questions after
it, the error says so and names the task.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal
from urllib.parse import quote

from .. import errors as e
from .._http import Failure
from .._image._data import ImagesData
from .._secrets import one_line
from ..settings import policy_of
from ._attempts import Attempts
from ._envelope import api_request
from ._outcome import Call, lost_error

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from .._state import ClientState
    from .._wire._responses import Task
    from ..settings import Settings

POLLS = 120
"""How often a task is asked after: ten minutes at the longest waits."""


class Polling:
    """The questions after one task, under the deadline of the call that started it.

    As a context manager it makes every error and interrupt name the task.
    """

    def __init__(
        self,
        settings: Settings,
        state: ClientState,
        task: Task,
        before: Attempts[ImagesData | Task],
    ) -> None:
        self._state = state
        self._policy = policy_of(settings.retry)
        self._before = before
        self._asked = 0
        self._task = one_line(task.id, 60)
        first = before.call
        route: Literal["responses", "generate"] = (
            "responses" if settings.provider.wire == "responses" else "generate"
        )
        self.call = Call(
            api_request(settings, route, None, method="GET", tail="/" + quote(task.id, safe="")),
            first.context._replace(started=True),
            first.decode,
            lane=first.lane,
            settings=settings,
        )

    def again(self) -> tuple[float, Attempts[ImagesData | Task]]:
        """How long to wait, and the next question. Raises `OutcomeUnknownError` in the end."""
        self._asked += 1
        wait, left = self._policy.backoff(self._asked), self._before.remaining()
        if self._asked > POLLS:
            raise self._lost(f"it was still not finished when asked {POLLS} times")
        if left is not None and left <= wait:
            raise self._lost("it was still not finished at the deadline")
        asking = Attempts(self.call, self._policy, self._state)
        asking.follow(self._before)
        return wait, asking

    def _lost(self, detail: str) -> e.Dalle2Error:
        return lost_error(Failure("timeout", True, detail), self.call.context)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        started = f"Task {self._task} was started and may have been billed"
        if isinstance(error, e.Dalle2Error):
            error.maybe_billed = True
            error.args = (f"{started}. {error.message}",)
        elif error is not None:
            error.add_note(f"dalle2: {started}")
