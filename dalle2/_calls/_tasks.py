"""A paid call whose images are made in the background: how often, how long and where its task is asked after.

The rule: the task was started and may have been billed, so whatever goes wrong with the free questions after
it, the error says so and names the task. The host may say where to ask; only an address on the API's own
origin is asked, since the key goes along, and for any other the task's name is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal
from urllib.parse import quote, urljoin, urlsplit

from .. import errors as e
from .._dates import parse_retry_after
from .._http import Failure, origin_of
from .._image._data import ImagesData
from .._secrets import one_line, shown_url
from .._wire._problem import Problem
from .._wire._responses import Task
from ..settings import policy_of
from ._attempts import Attempts
from ._envelope import api_request
from ._outcome import Call, lost_error

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from .._http import HttpResponse
    from .._state import ClientState
    from .._wire._reading import Reading
    from ..settings import Settings

POLLS = 120
"""How often a task is asked after: ten minutes at the longest waits."""

_HEADERS = ("operation-location", "azure-asyncoperation", "location")
"""Where a 202 says to ask, the first one wins. Source of the first: Azure's image API of 2023."""


def task_of(reading: Reading, response: HttpResponse) -> Task | None:
    """The task of an answer: of its body, or of the headers of a 202 that says nothing else."""
    task, headers = reading.task, response.headers
    address = next((headers[name] for name in _HEADERS if headers.get(name)), None)
    if response.status != 202:
        address = headers.get(_HEADERS[0])
    if task is None:
        if address is None or reading.data.images or isinstance(reading.problem, Problem):
            return None
        task = Task(_name_in(address))
    wait = parse_retry_after(headers, response.at)
    return task._replace(address=address or task.address, wait=wait)


def _name_in(address: str) -> str:
    """The task's name, by where a host says to ask; any text may stand there."""
    try:
        path = urlsplit(address).path
    except ValueError:
        path = ""
    return path.rstrip("/").rpartition("/")[2] or "without a name"


def own_address(address: str | None, settings: Settings, asked: str) -> str | None:
    """The URL at which a task is asked after, if it is on the API's own origin; a path is one, too."""
    if address is None or any(char <= " " or char == "\\" or not char.isprintable() for char in address):
        return None
    try:
        url = urljoin(asked, address)
        named = "@" in urlsplit(url).netloc
    except ValueError:
        return None
    return None if named or origin_of(url) != settings.origin else url.partition("#")[0]


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
        self._last = before
        self._task = one_line(task.id, 60)
        first = before.call
        address = own_address(task.address, settings, first.request.url)
        self._elsewhere = "" if address or not task.address else one_line(shown_url(task.address), 80)
        route: Literal["responses", "generate"] = (
            "responses" if settings.provider.wire == "responses" else "generate"
        )
        self.call = Call(
            api_request(
                settings, route, None, method="GET", tail="/" + quote(task.id, safe=""), address=address
            ),
            first.context._replace(started=True),
            first.decode,
            lane=first.lane,
            settings=settings,
        )

    def again(self) -> tuple[float, Attempts[ImagesData | Task]]:
        """How long to wait, and the next question. Raises `OutcomeUnknownError` in the end."""
        self._asked += 1
        wait, left = max(self._policy.backoff(self._asked), self._told()), self._before.remaining()
        if self._asked > POLLS:
            raise self._lost(f"it was still not finished when asked {POLLS} times")
        if left is not None and left <= wait:
            raise self._lost("it was still not finished at the deadline")
        asking = Attempts(self.call, self._policy, self._state)
        asking.follow(self._before)
        self._last = asking
        return wait, asking

    def _told(self) -> float:
        """Seconds that the last answer asks to wait, as far as waiting so long is wanted."""
        task = self._last.value
        wait = task.wait if isinstance(task, Task) else None
        return min(wait or 0.0, self._policy.max_retry_after)

    def _lost(self, detail: str) -> e.Dalle2Error:
        return lost_error(Failure("timeout", True, detail), self.call.context)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        started = f"Task {self._task} was started and may have been billed"
        if self._elsewhere:
            started += f" (the host says to ask at {self._elsewhere}, where the key does not go)"
        if isinstance(error, e.Dalle2Error):
            error.maybe_billed = True
            error.args = (f"{started}. {error.message}",)
        elif error is not None:
            error.add_note(f"dalle2: {started}")
