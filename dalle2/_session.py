"""What both clients are apart from their I/O: settings, what their calls share, and each call ready to run.

The clients hold a `Session` and a transport. Whatever can be decided without sending is decided here, once.
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from datetime import datetime
from typing import TYPE_CHECKING

from . import errors as e
from ._calls._attempts import Attempts
from ._calls._envelope import USER_AGENT
from ._calls._paid import paid_call
from ._calls._plan import joined, make_plan, replaced_plan
from ._http import Timeouts
from ._image._data import ImageData, ImagesData
from ._results import BaseResult
from ._results._origins import Fetching, Origins
from ._state import ClientState, Reporter
from .settings import DEFAULT, DEFAULT_TIMEOUTS, Changes, check_money, check_policy, timeouts_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any, Self, Unpack

    from ._calls._envelope import Options
    from ._calls._plan import Plan
    from ._calls._stream import StreamReader
    from ._calls._tasks import Polling
    from ._money import Budget
    from ._requests._draft import Draft
    from ._wire._lists import ModelInfo, Moderation
    from ._wire._responses import Task
    from .events import Listener
    from .providers import Provider
    from .settings import Settings, TimeoutArgument


class Session:
    """One client's decisions. Copies made by `changed` share the state and the budget."""

    __slots__ = ("budget", "settings", "state")

    def __init__(self, settings: Settings, state: ClientState, budget: Budget | None = None) -> None:
        self.settings = settings
        self.state = state
        self.budget = budget

    @classmethod
    def started(
        cls, settings: Settings, listener: Listener | None, budget: Budget | None, http_client: object = None
    ) -> Session:
        """A session ready to call; the embedded emulator is started if it is the provider and has no URL."""
        state = ClientState(Reporter(listener))
        state.follow(getattr(http_client, "emulated_clock", None))
        if not settings.base_url:
            from .testing.embedded import embedded_base_url, embedded_emulator

            settings = settings.changed(base_url=embedded_base_url())
            state.follow(embedded_emulator().clock)
        if budget is not None:
            check_money("budget", budget, "Budget")
        session = cls(settings, state, budget)
        if settings.successor is not None:
            session._check_successor(settings.successor, settings.successor_from)
        return session

    def _check_successor(self, name: str, source: str = "successor") -> None:
        """Raises `ConfigurationError` for a model that is retired itself."""
        from ._requests._successor import check_successor

        check_successor(name, self.state.today(), self.state.known.models, source)

    def changed(self, **changes: Unpack[Changes]) -> Session:
        """The same with other settings. Raises `ConfigurationError`, `TypeError` for other names."""
        if fixed := sorted(changes.keys() - Changes.__annotations__.keys()):
            raise TypeError(f"with_options() cannot change {fixed[0]}: make another client")
        values: dict[str, Any] = {name: value for name, value in changes.items() if value is not DEFAULT}
        if values.get("successor") is not None:
            self._check_successor(values["successor"])
        if "model" in values or "successor" in values:
            values["falls_back"] = False
        if "retry" in changes:
            check_policy(changes["retry"])
        if "timeout" in changes:
            values["timeouts"] = timeouts_of(changes["timeout"])
            values.pop("timeout", None)
        return Session(self.settings.changed(**values), self.state, self.budget)

    def at(self, provider: Provider) -> Session:
        """The same on another address of its host, with all that was learnt there."""
        settings = self.settings.changed(provider=provider, base_url=provider.base_url)
        return Session(settings, self.state, self.budget)

    def plan(self, request: Draft, options: Options, *, stream: bool = False) -> Plan:
        """What is to be sent for a request. Raises `InvalidRequestError` or `ConfigurationError`: nothing was
        sent then.
        """
        return make_plan(self.settings, self.state, request, options, stream=stream)

    def replanned(self, error: e.ModelRetiredError, plan: Plan, request: Draft, options: Options) -> Plan:
        """The plan after a host said, free of charge, that it has no dall-e-2. Raises the error again where
        the caller named a model, or has paid for a part already.
        """
        if error.images or not plan.parts[0][1].falls_back:
            raise error
        self.state.known.gone |= {self.settings.model}
        return replaced_plan(self.settings, self.state, request, options)

    def attempts(
        self, request: Draft, options: Options, *, stream: bool = False
    ) -> Attempts[ImagesData | Task]:
        """The paid call for a request of a plan. Raises `InvalidRequestError`: nothing was sent then."""
        priced = self.budget is not None or self.state.report.listening
        call = paid_call(self.settings, self.state, request, options, stream=stream, priced=priced)
        return Attempts(call, self.settings.retry, self.state, self.budget)

    def streamed(
        self, request: Draft, options: Options
    ) -> tuple[Plan, Attempts[ImagesData | Task], StreamReader]:
        """The plan and the call for a stream, and what reads its answer. Raises like `plan`."""
        plan = self.plan(request, options, stream=True)
        attempts = self.attempts(*plan.parts[0], stream=True)
        from ._calls._stream import StreamReader

        return plan, attempts, StreamReader(attempts.call.context, plan)

    def polling(self, task: Task, before: Attempts[ImagesData | Task]) -> Polling:
        """The free questions after a task that a paid call started."""
        from ._calls._tasks import Polling

        return Polling(self.settings, self.state, task, before)

    def joined(self, plan: Plan, answers: Sequence[ImagesData]) -> ImagesData:
        """The answers of all calls of a plan as one."""
        return joined(plan, answers, self.settings.prices)

    def moderation(self, prompt: str) -> Attempts[Moderation]:
        """The free check of a prompt. Raises `InvalidRequestError`."""
        from ._calls._free import moderation_call

        return Attempts(moderation_call(self.settings, self.state, prompt), self.settings.retry, self.state)

    def models(self) -> Attempts[tuple[ModelInfo, ...]]:
        """The free list of the host's models."""
        from ._calls._free import models_call

        return Attempts(models_call(self.settings, self.state), self.settings.retry, self.state)

    def learned(self, rows: Sequence[ModelInfo]) -> list[ModelInfo]:
        """A host's list of models, whose ends win over the catalogue's from now on."""
        self.state.known.learn({row.id: row.shutdown_date for row in rows if row.dated})
        return list(rows)

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
        made = created or self.state.clock.now(self.state.now())
        return ImageData.of_url(url, created=made, model=self.settings.model if openai_like else None)

    def kept_by(self, error: e.Dalle2Error) -> ImagesData:
        """The images that an error kept, as one answer."""
        images = tuple(image._data for image in error.images if isinstance(image, BaseResult))
        return ImagesData(
            images=images,
            created=images[0].created if images else self.state.clock.now(self.state.now()),
            model=(images[0].model if images else None) or self.settings.model,
            request_id=getattr(error, "request_id", None),
            usage=None,
            request=getattr(error, "request", None),
            extra={},
        )

    @contextmanager
    def warning_of_loss(self) -> Iterator[None]:
        """Around an eager download: what fails there warns, and leaves the URL result as it is."""
        try:
            yield
        except e.DownloadError as error:
            import warnings

            with suppress(Exception):  # an error by a filter, or a hook that fails: the image is paid for
                warnings.warn(
                    f"An image was made but not fetched yet; its URL is kept: {error}", stacklevel=4
                )

    def portable(self) -> dict[str, object]:
        """What a pickled client keeps: arguments for a new one, without the key and without anything that
        could hold a secret. Raises `ConfigurationError` for one with a budget: a copy elsewhere would pay
        beside it.
        """
        if self.budget is not None:
            raise e.ConfigurationError(
                "a client with a Budget cannot be pickled: a copy elsewhere would pay beside the limit. "
                "Pickle one without, and give each process a Budget of its own"
            )
        settings, provider = self.settings, self.settings.provider
        embedded = provider.base_url is None
        return {
            "provider": provider if embedded else provider.portable(settings.base_url),
            "base_url": None if embedded else settings.base_url,
            "model": None if settings.falls_back else settings.model,
            "organization": settings.organization,
            "project": settings.project,
            "timeout": DEFAULT if settings.timeouts is None else tuple(settings.timeouts),
            "retry": settings.retry,
            "moderate": settings.moderate,
            "download": settings.download,
            "successor": DEFAULT if settings.falls_back else settings.successor,
            "split_n": settings.split_n,
            "prices": settings.prices,
        }

    def fetching(self) -> Fetching:
        """How images of this client are fetched."""
        settings, provider = self.settings, self.settings.provider
        return Fetching(
            shared=self.state,
            policy=settings.retry,
            origins=Origins.of(settings.base_url, provider.image_hosts),
            key=settings.credential if provider.images_need_key else None,
            timeouts=settings.timeouts,
            user_agent=USER_AGENT,
        )


class BaseClient:
    """What both clients are without I/O: how they show themselves and travel."""

    _session: Session

    def with_options(self, **changes: Unpack[Changes]) -> Self:
        """A copy on the same connections with other settings; closing it leaves them open.

        Takes `model`, `timeout`, `retry`, `headers`, `moderate`, `download`, `successor`. Raises
        `ConfigurationError`, and `TypeError` for others.
        """
        return self._on(self._session.changed(**changes))

    def _on(self, session: Session) -> Self:
        """A copy on the same connections with other settings, whatever they are."""
        copy = object.__new__(type(self))
        copy._share(self, session)
        return copy

    def _share(self, other: Self, session: Session) -> None:
        """Work on the connections of another client."""
        ...

    def __copy__(self) -> Self:
        return self.with_options()

    def __deepcopy__(self, memo: object) -> Self:
        return self.with_options()

    def __getstate__(self) -> dict[str, object]:
        return self._session.portable()

    def __setstate__(self, state: dict[str, Any]) -> None:
        """The key comes from this process's environment: where there is none, the first call says so."""
        if state["timeout"] is not DEFAULT:
            state = {**state, "timeout": Timeouts(*state["timeout"])}
        try:
            self.__init__(**state)  # type: ignore[misc]
        except e.ConfigurationError as problem:
            missing = str(problem)
        else:
            return

        def absent() -> str:
            raise e.ConfigurationError(f"this client was unpickled, and {missing}")

        self.__init__(absent, **state)  # type: ignore[misc]

    def _repr_html_(self) -> str:
        """What a notebook shows: who is called, with which model and key (never the key itself)."""
        from ._money._tables import table

        settings = self._session.settings
        rows = [("host", settings.base_url), ("provider", settings.provider.name), ("model", settings.model)]
        rows += [("successor", settings.successor or ("if it is gone" if settings.falls_back else "none"))]
        return table(type(self).__name__, [("", ""), *rows, ("key from", settings.key_from)])

    def __repr__(self) -> str:
        name = type(self).__name__
        if not hasattr(self, "_session"):  # whoever shows locals may meet one half made
            return f"<{name}>"
        settings = self._session.settings
        return (
            f"<{name} {settings.provider.name} at {settings.base_url}, model {settings.model}, "
            f"key from {settings.key_from}>"
        )
