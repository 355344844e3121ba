"""What both clients are apart from their I/O: settings, what their calls share, and each call ready to run.

The clients hold a `Session` and a transport. Whatever can be decided without sending is decided here, once.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Literal, TypedDict, TypeVar, Unpack

import attrs

from . import catalog
from . import errors as e
from ._core import (
    USER_AGENT,
    Options,
    api_request,
    check_request,
    context_of,
    images_call,
    new_key,
    with_model,
)
from ._fetch import Fetching
from ._hosts import Site
from ._http import Call, Failure, HttpResponse, Secret, Timeouts
from ._images import ImageData, ImagesData
from ._money import Budget
from ._outcome import POLLS, Knowledge, Pending, accept, asked_of, lost_error
from ._prepare import require_pillow
from ._requests import GenerateRequest, Request, prompt_of
from ._run import Run, Shared
from ._stream import StreamReader
from ._successor import Adapted, adapt, check_successor
from ._types import DEFAULT
from ._values import ModelInfo, Moderation
from ._wire._images import Unreadable, encode_json
from ._wire._lists import read_models, read_moderation
from .retry import RetryPolicy
from .settings import DEFAULT_TIMEOUTS, Settings, TimeoutArgument, timeouts_of

if TYPE_CHECKING:
    from .errors import SavableImage

T = TypeVar("T")
R = TypeVar("R")
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


_warned: set[str] = set()


@attrs.frozen
class Plan:
    """The calls that a request becomes, and how it was adapted."""

    adapted: Adapted
    parts: tuple[tuple[Request, Options], ...]


def _items(data: ImagesData) -> Any:
    """The bare images of an answer, which the reader of a stream wraps itself."""
    return list(data.images)


@contextmanager
def keeping(done: Sequence[Sequence[SavableImage]]) -> Iterator[None]:
    """Around one of several paid calls: an error keeps the images of those before it."""
    try:
        yield
    except e.Dalle2Error as error:
        if done:
            error.images = [*(image for images in done for image in images), *error.images]
            error.maybe_billed = True
        raise


@attrs.frozen
class Session:
    """One client's decisions. Copies made by `changed` share the clock, the rate limits, the budget and the listener."""

    settings: Settings
    shared: Shared
    known: Knowledge = attrs.Factory(Knowledge)
    budget: Budget | None = None

    @classmethod
    def started(cls, settings: Settings, shared: Shared, budget: Budget | None) -> Session:
        """A session ready to call; the embedded emulator is started if it is the provider and has no URL."""
        if not settings.base_url:
            from .testing.embedded import embedded_base_url

            settings = attrs.evolve(settings, base_url=embedded_base_url())
        return cls(settings, shared, budget=budget)

    def changed(self, **changes: Unpack[Changes]) -> Session:
        """The same with other settings. Raises `ConfigurationError`."""
        values: dict[str, object] = dict(changes)
        if "timeout" in changes:
            values["timeouts"] = timeouts_of(changes["timeout"])
            del values["timeout"]
        return attrs.evolve(self, settings=attrs.evolve(self.settings, **values))  # type: ignore[arg-type]

    def today(self) -> date:
        """The host's day."""
        return self.shared.clock.now(self.shared.now()).date()

    def plan(self, request: Request, options: Options, *, stream: bool = False) -> Plan:
        """What is to be sent for a request: itself, what it becomes on a successor, or several calls of one image.

        Raises `InvalidRequestError` or `ConfigurationError`: nothing was sent then.
        """
        settings, today = self.settings, self.today()
        adapted = Adapted(with_model(request, settings))
        if settings.successor is not None:
            heir = check_successor(settings.successor, today, self.known.models)
            adapted = adapt(adapted.request, heir, today=today, models=self.known.models)
            if adapted.scale is not None:
                require_pillow()
        sent = adapted.request
        model = sent.model or settings.model
        self._warn_of_end(model, today)
        known = catalog.find(model)
        single = settings.provider.wire == "responses" or (
            known is not None and len(known.n_range(sent.operation)) == 1
        )
        count = sent.n or 1
        if stream or not (settings.split_n and single and count > 1):
            check_request(sent, model, stream=stream)
            return Plan(adapted, ((sent, options),))
        part = attrs.evolve(sent, n=None)
        check_request(part, model)
        key = options.idempotency_key or new_key()
        return Plan(
            adapted,
            tuple(
                (part, attrs.evolve(options, idempotency_key=f"{key}-{number}"))
                for number in range(1, count + 1)
            ),
        )

    def _warn_of_end(self, model: str, today: date) -> None:
        """Warn once of a model within 30 days of its end: by the catalogue on OpenAI's own host, by the live list anywhere."""
        official = self.settings.provider.official and self.settings.host == "api.openai.com"
        if not official and model not in self.known.live:
            return
        end = catalog.retiring_within(model, today, models=self.known.models)
        if end is not None and model not in _warned:
            _warned.add(model)
            heir = catalog.successor_of(model, end, models=self.known.models)
            follows = f"; its successor is {heir}" if heir else ""
            warnings.warn(
                f"The model {model} ends on {end:%Y-%m-%d}{follows}", e.ModelRetirementWarning, stacklevel=5
            )

    def images(
        self, request: Request, make: Callable[[ImagesData], S], options: Options
    ) -> Run[S | Pending[S]]:
        """The paid call for a request. Raises `InvalidRequestError` or `BudgetExceededError`: nothing was sent then."""
        call = images_call(self.settings, request, options, make, today=self.today(), known=self.known)
        return Run(call, self.settings.retry, self.shared, self.budget)

    def streamed(
        self, request: Request, options: Options
    ) -> tuple[Run[object], Callable[[HttpResponse, Callable[[ImageData], R]], StreamReader[R]]]:
        """The paid call for a streamed request, and how to make the reader of its answer. Raises like `plan`."""
        plan = self.plan(request, options, stream=True)
        ((sent, options),) = plan.parts
        options = attrs.evolve(options, idempotency_key=options.idempotency_key or new_key())
        call: Call[Any] = images_call(
            self.settings, sent, options, _items, today=self.today(), known=self.known, stream=True
        )
        asked, reading = context_of(
            self.settings, sent, options.idempotency_key, today=self.today(), known=self.known
        )

        def reader(response: HttpResponse, wrap: Callable[[ImageData], R]) -> StreamReader[R]:
            self.shared.clock.observe(response.headers.get("date"), response.at)
            return StreamReader(response, call, asked, reading, wrap, plan.adapted.scale)

        return Run(call, self.settings.retry, self.shared, self.budget), reader

    def again(self, pending: Pending[S], asked: int) -> tuple[float, Run[S | Pending[S]]]:
        """How long to wait for a task, and the free call that asks after it. Raises `OutcomeUnknownError` in the end."""
        policy, call = self.settings.retry, pending.call
        if asked > POLLS:
            raise call.lost(Failure("timeout", True, f"it was still not finished when asked {POLLS} times"))
        return policy.backoff(asked), Run(call, policy, self.shared)

    def moderation(self, prompt: str) -> Run[Moderation]:
        """The free check of a prompt. Raises `InvalidRequestError`."""
        GenerateRequest(prompt=prompt)  # the same rules for what a prompt is
        body = encode_json({"model": "omni-moderation-latest", "input": prompt})
        return self._free("moderate", body, prompt, read_moderation)

    def models(self) -> Run[tuple[ModelInfo, ...]]:
        """The free list of the host's models, from which the client also learns their ends."""

        def read(document: object, response: HttpResponse) -> tuple[ModelInfo, ...]:
            rows = read_models(document)
            self.known.learn({row.id: row.shutdown_date for row in rows if row.dated})
            return rows

        return self._free("models", None, None, read)

    def _free(
        self, route: str, body: bytes | None, prompt: str | None, read: Callable[[object, HttpResponse], T]
    ) -> Run[T]:
        settings = self.settings
        asked = asked_of(
            settings, settings.model, prompt, None, None, today=self.today(), known=self.known, paid=False
        )

        def decode(response: HttpResponse) -> T:
            try:
                return read(accept(response, asked), response)
            except Unreadable as unreadable:
                raise e.DecodeError(
                    f"{asked.host} answered something else than was asked for: {unreadable.path}: {unreadable.problem}",
                    path=unreadable.path,
                    maybe_billed=False,
                ) from None

        call = Call(
            request=api_request(settings, route, body, method="POST" if body is not None else "GET"),
            decode=decode,
            lost=lambda failure: lost_error(failure, asked),
            paid=False,
            lane=f"{settings.base_url} {route}",
            operation=route,
            model=settings.model,
            host=settings.host,
        )
        return Run(call, settings.retry, self.shared)

    def refuse_flagged(self, moderation: Moderation) -> None:
        """The check before a paid call. Raises `ContentPolicyError` naming the categories."""
        if not moderation.flagged:
            return
        names = moderation.flagged_categories
        error = e.ContentPolicyError(
            f"The prompt was not sent: moderation flagged it as {', '.join(names) or 'unsafe'}. Change the prompt",
            request_id=moderation.request_id,
        )
        error.categories = names
        error.stage = "input"
        raise error

    def moderated_prompt(self, request: Request) -> str | None:
        """The prompt to check before this request, or `None` if none is to be checked."""
        return prompt_of(request) if self.settings.moderate == "before" else None

    def timeouts(self, argument: TimeoutArgument, theirs: Timeouts | None) -> Timeouts:
        """The timeouts of one call: its own, else the client's, else those of the caller's HTTP client, else the default."""
        own = None if argument is DEFAULT else timeouts_of(argument)
        return own or self.settings.timeouts or theirs or DEFAULT_TIMEOUTS

    def kept(self, url: str, created: datetime | None) -> ImageData:
        """An image known only by its URL. Raises `InvalidRequestError` if it is none."""
        if not isinstance(url, str) or not url[:8].lower().startswith(("http://", "https://")):
            raise e.InvalidRequestError("url must be an http or https URL", field="url")
        if created is not None and (not isinstance(created, datetime) or created.tzinfo is None):
            raise e.InvalidRequestError("created must be an aware datetime", field="created")
        openai_like = created is not None and self.settings.provider.openai_like
        made = created or self.shared.clock.now(self.shared.now())
        return ImageData.of_url(url, created=made, model=self.settings.model if openai_like else None)

    @contextmanager
    def warning_of_loss(self) -> Iterator[None]:
        """Around an eager download: what fails there warns, and leaves the URL result as it is."""
        try:
            yield
        except e.DownloadError as error:
            warnings.warn(f"An image was made but not fetched yet; its URL is kept: {error}", stacklevel=4)

    def shown(self, name: str) -> str:
        """The `repr` of a client."""
        settings = self.settings
        return f"<{name} {settings.provider.name} at {settings.base_url}, model {settings.model}, key from {settings.key_from}>"

    def portable(self) -> dict[str, object]:
        """What a pickled client keeps: arguments for a new one, without the key and without anything that could hold it."""
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
        }

    def fetching(self) -> Fetching:
        """How images of this client are fetched."""
        settings, provider = self.settings, self.settings.provider
        key = None
        if provider.images_need_key:
            key = (provider.auth_header, Secret(f"{provider.auth_scheme} {settings.key.reveal()}".strip()))
        return Fetching(
            shared=self.shared,
            policy=settings.retry,
            site=Site.of(settings.base_url, provider.image_hosts),
            key=key,
            timeouts=settings.timeouts,
            user_agent=USER_AGENT,
        )
