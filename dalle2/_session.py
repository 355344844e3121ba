"""What both clients are apart from their I/O: settings, what their calls share, and each call ready to run.

The clients hold a `Session` and a transport. Whatever can be decided without sending is decided here, once.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import TYPE_CHECKING, TypedDict, TypeVar

from . import errors as e
from ._calls._attempts import Attempts
from ._calls._envelope import USER_AGENT
from ._calls._outcome import POLLS
from ._calls._paid import context_of, images_call
from ._calls._plan import make_plan
from ._http import Failure
from ._image._data import ImageData
from ._results._origins import Fetching, Origins
from ._state import ClientState, KnownModels, Reporter
from .settings import DEFAULT, DEFAULT_TIMEOUTS, check_policy, policy_of, timeouts_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import date
    from typing import Any, Literal, Unpack

    from ._calls._envelope import Options
    from ._calls._outcome import Pending
    from ._calls._plan import Plan
    from ._calls._stream import StreamReader
    from ._http import Call, HttpResponse, Timeouts
    from ._image._data import ImagesData
    from ._money import Budget
    from ._requests._draft import Draft
    from ._wire._lists import ModelInfo, Moderation
    from .errors import SavableImage
    from .events import Listener
    from .retry import RetryPolicy
    from .settings import Settings, TimeoutArgument

T = TypeVar("T")
R = TypeVar("R", bound="SavableImage")
S = TypeVar("S", bound="Sequence[SavableImage]")


class Changes(TypedDict, total=False):
    """What `with_options` can change."""

    model: str
    timeout: TimeoutArgument
    retry: RetryPolicy
    headers: Mapping[str, str]
    moderate: Literal["before"] | None
    download: Literal["eager"] | None
    successor: str | None


class Session:
    """One client's decisions. Copies made by `changed` share the clock, the rate limits, the budget and the
    listener.
    """

    __slots__ = ("budget", "known", "settings", "shared")

    def __init__(
        self,
        settings: Settings,
        shared: ClientState,
        known: KnownModels | None = None,
        budget: Budget | None = None,
    ) -> None:
        self.settings = settings
        self.shared = shared
        self.known = KnownModels() if known is None else known
        self.budget = budget

    @classmethod
    def started(cls, settings: Settings, listener: Listener | None, budget: Budget | None) -> Session:
        """A session ready to call; the embedded emulator is started if it is the provider and has no URL."""
        if not settings.base_url:
            from .testing.embedded import embedded_base_url

            settings = settings.changed(base_url=embedded_base_url())
        session = cls(settings, ClientState(Reporter(listener)), budget=budget)
        if settings.successor is not None:
            session._check_successor(settings.successor)
        return session

    def _check_successor(self, name: str) -> None:
        """Raises `ConfigurationError` for a model that is retired itself."""
        from ._requests._successor import check_successor

        check_successor(name, self.today(), self.known.models)

    def changed(self, **changes: Unpack[Changes]) -> Session:
        """The same with other settings. Raises `ConfigurationError`."""
        values: dict[str, Any] = dict(changes)
        if changes.get("successor") is not None:
            self._check_successor(str(changes["successor"]))
        if "retry" in changes:
            check_policy(changes["retry"])
        if "timeout" in changes:
            values["timeouts"] = timeouts_of(changes["timeout"])
            del values["timeout"]
        return Session(self.settings.changed(**values), self.shared, self.known, self.budget)

    def today(self) -> date:
        """The host's day."""
        return self.shared.clock.now(self.shared.now()).date()

    def plan(self, request: Draft, options: Options, *, stream: bool = False) -> Plan:
        """What is to be sent for a request. Raises `InvalidRequestError` or `ConfigurationError`: nothing was
        sent then.
        """
        return make_plan(self.settings, self.known, request, options, today=self.today(), stream=stream)

    def images(
        self, request: Draft, make: Callable[[ImagesData], S], options: Options
    ) -> Attempts[S | Pending[S]]:
        """The paid call for a request. Raises `InvalidRequestError` or `BudgetExceededError`: nothing was
        sent then.
        """
        call = images_call(
            self.settings,
            request,
            options,
            make,
            today=self.today(),
            known=self.known,
            priced=self.budget is not None or self.shared.report.listening,
        )
        return Attempts(call, self.settings.retry, self.shared, self.budget)

    def streamed(
        self, request: Draft, make: Callable[[ImagesData], Sequence[R]], options: Options
    ) -> tuple[
        Attempts[Sequence[R] | Pending[Sequence[R]]],
        Callable[[HttpResponse, Callable[[ImageData], R]], StreamReader[R]],
    ]:
        """The paid call for a stream, and how to make the reader of its answer. Raises like `plan`."""
        plan = self.plan(request, options, stream=True)
        ((sent, options),) = plan.parts
        today, known = self.today(), self.known
        call: Call[Any] = images_call(
            self.settings,
            sent,
            options,
            make,
            today=today,
            known=known,
            stream=True,
            priced=self.budget is not None or self.shared.report.listening,
        )
        from ._calls._stream import StreamReader

        asked, reading = context_of(
            self.settings,
            sent,
            call.idempotency_key,
            model=call.model,
            today=today,
            known=known,
            again=options.again,
        )

        def reader(response: HttpResponse, wrap: Callable[[ImageData], R]) -> StreamReader[R]:
            self.shared.clock.observe(response.headers.get("date"), response.at)
            return StreamReader(response, call, asked, reading, wrap, plan)

        return Attempts(call, self.settings.retry, self.shared, self.budget), reader

    def again(
        self, pending: Pending[S], asked: int, before: Attempts[S | Pending[S]]
    ) -> tuple[float, Attempts[S | Pending[S]]]:
        """How long to wait for a task, and the free call that asks after it, under the deadline of the call
        before.

        Raises `OutcomeUnknownError` in the end.
        """
        policy, call = policy_of(self.settings.retry), pending.call
        wait, left = policy.backoff(asked), before.remaining()
        if asked > POLLS:
            raise call.lost(Failure("timeout", True, f"it was still not finished when asked {POLLS} times"))
        if left is not None and left <= wait:
            raise call.lost(Failure("timeout", True, "it was still not finished at the deadline"))
        run = Attempts(call, policy, self.shared)
        run.deadline = before.deadline
        return wait, run

    def moderation(self, prompt: str) -> Attempts[Moderation]:
        """The free check of a prompt. Raises `InvalidRequestError`."""
        from ._calls._free import moderation_call

        call = moderation_call(self.settings, self.known, prompt, self.today())
        return Attempts(call, self.settings.retry, self.shared)

    def models(self) -> Attempts[tuple[ModelInfo, ...]]:
        """The free list of the host's models, from which the client also learns their ends."""
        from ._calls._free import models_call

        return Attempts(
            models_call(self.settings, self.known, self.today()), self.settings.retry, self.shared
        )

    def refuse_flagged(self, moderation: Moderation) -> None:
        """The check before a paid call. Raises `ContentPolicyError` naming the categories."""
        from ._calls._free import refuse_flagged

        refuse_flagged(moderation)

    def fetches(self, plan: Plan) -> bool:
        """Whether images are fetched at once: because the caller wants it, or to be scaled."""
        return self.settings.download == "eager" or plan.scale is not None

    def moderated_prompt(self, request: Draft) -> str | None:
        """The prompt to check before this request, or `None` if none is to be checked."""
        return request.prompt if self.settings.moderate == "before" else None

    def timeouts(self, argument: TimeoutArgument, theirs: Timeouts | None) -> Timeouts:
        """The timeouts of one call: its own, else the client's, else those of the caller's HTTP client, else
        the default.
        """
        own = None if argument is DEFAULT else timeouts_of(argument)
        return own or self.settings.timeouts or theirs or DEFAULT_TIMEOUTS

    def kept(self, url: str, created: datetime | None) -> ImageData:
        """An image known only by its URL. Raises `InvalidRequestError` if it is none."""
        if not isinstance(url, str) or not url[:8].lower().startswith(("http://", "https://")):
            raise e.InvalidRequestError("url must be an http or https URL", field="url")
        if created is not None and (not isinstance(created, datetime) or created.tzinfo is None):
            raise e.InvalidRequestError("created must be an aware datetime", field="created")
        openai_like = created is not None and self.settings.openai_like
        made = created or self.shared.clock.now(self.shared.now())
        return ImageData.of_url(url, created=made, model=self.settings.model if openai_like else None)

    @contextmanager
    def warning_of_loss(self, urls: Sequence[str | None]) -> Iterator[None]:
        """Around an eager download: what fails there warns, and leaves the URL result as it is.

        An interrupt goes on with a note of the URLs: they are all that is left of what was paid for.
        """
        try:
            yield
        except e.DownloadError as error:
            import warnings

            with suppress(Warning):  # made an error by a filter, it must not throw a paid image away
                warnings.warn(
                    f"An image was made but not fetched yet; its URL is kept: {error}", stacklevel=4
                )
        except BaseException as interrupt:
            interrupt.add_note("dalle2: paid for and not fetched: " + ", ".join(url for url in urls if url))
            raise

    def shown(self, name: str) -> str:
        """The `repr` of a client."""
        settings = self.settings
        return (
            f"<{name} {settings.provider.name} at {settings.base_url}, model {settings.model}, "
            f"key from {settings.key_from}>"
        )

    def portable(self) -> dict[str, object]:
        """What a pickled client keeps: arguments for a new one, without the key and without anything that
        could hold it.
        """
        settings = self.settings
        embedded = settings.provider.base_url is None
        return {
            "provider": settings.provider,
            "base_url": None if embedded else settings.base_url,
            "model": settings.model,
            "organization": settings.organization,
            "project": settings.project,
            "timeout": DEFAULT if settings.timeouts is None else settings.timeouts,
            "retry": settings.retry,
            "moderate": settings.moderate,
            "download": settings.download,
            "successor": settings.successor,
            "split_n": settings.split_n,
            "prices": settings.prices,
        }

    def fetching(self) -> Fetching:
        """How images of this client are fetched."""
        settings, provider = self.settings, self.settings.provider
        key = None
        if provider.images_need_key:
            key = provider.auth_header, settings.credential
        return Fetching(
            shared=self.shared,
            policy=settings.retry,
            origins=Origins.of(settings.base_url, provider.image_hosts),
            key=key,
            timeouts=settings.timeouts,
            user_agent=USER_AGENT,
        )
