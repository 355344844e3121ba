"""The awaited client: `_client` with `await`. What each method does is described there."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Literal, Self, TypeVar

from ._calls._envelope import Options
from ._calls._loop import perform_async, sleep, stream_async
from ._calls._plan import keep
from ._image._data import ImagesData
from ._requests._draft import Draft
from ._results._awaited import AsyncFetcher, AsyncImageResult, AsyncImages, held, in_thread
from ._session import BaseClient, Session
from ._texts import Environment, hide
from ._transport._async import AsyncTransport
from .errors import ModelRetiredError
from .settings import DEFAULT, resolve

if TYPE_CHECKING:
    from datetime import datetime
    from types import TracebackType

    from . import _types as t
    from ._calls._attempts import Attempts
    from ._calls._plan import Plan
    from ._calls._stream import FinalImage, PartialImage, StreamReader
    from ._image._data import ImageData
    from ._money import Budget, PriceTable
    from ._requests._inputs import ImageSource
    from ._requests._values import Request
    from ._transport._callers import AsyncHttpClient
    from ._wire._lists import ModelInfo, Moderation
    from ._wire._responses import Task
    from .errors import Dalle2Error
    from .events import Listener
    from .providers import Provider
    from .retry import RetryPolicy
    from .settings import Default, TimeoutArgument

T = TypeVar("T")


class AsyncClient(BaseClient):
    """`Client`, awaited, on asyncio and trio; `http_client` is an `httpx.AsyncClient` (or
    `httpx2.AsyncClient`).

    >>> async with dalle2.AsyncClient() as client:
    ...     images = await client.generate("a corgi astronaut, studio photo", size="512x512")
    ...     await images[0].save("corgi.png")

    Safe to share between tasks. Raises `ConfigurationError` for a client that cannot work.
    """

    __module__ = "dalle2"

    def __init__(
        self,
        api_key: str | Callable[[], str | Awaitable[str]] | None = None,
        *,
        provider: str | Provider | None = None,
        base_url: str | None = None,
        model: str | None = None,
        organization: str | None = None,
        project: str | None = None,
        timeout: TimeoutArgument = DEFAULT,
        retry: RetryPolicy | None = None,
        http_client: AsyncHttpClient | None = None,
        headers: Mapping[str, str] | None = None,
        moderate: Literal["before"] | None = None,
        download: Literal["eager"] | None = None,
        successor: str | Default | None = DEFAULT,
        split_n: bool = False,
        on_event: Listener | None = None,
        budget: Budget | None = None,
        prices: PriceTable | None = None,
    ) -> None:
        secret, api_key = hide(api_key), None  # no frame of an error may hold it
        settings = resolve(
            Environment(os.environ),
            api_key=secret,
            provider=provider,
            base_url=base_url,
            model=model,
            organization=organization,
            project=project,
            timeout=timeout,
            retry=retry,
            headers=headers,
            moderate=moderate,
            download=download,
            successor=successor,
            split_n=split_n,
            prices=prices,
        )
        self._setup(
            Session.started(settings, on_event, budget, http_client),
            AsyncTransport(http_client),
            True,
        )

    def _setup(self, session: Session, transport: AsyncTransport, owner: bool) -> None:
        self._session = session
        self._transport = transport
        self._owner = owner
        self._fetcher = AsyncFetcher(transport, session.fetching())

    def _share(self, other: Self, session: Session) -> None:
        self._setup(session, other._transport, False)

    async def generate(
        self,
        prompt: str,
        *,
        n: int | None = None,
        size: t.Size | None = None,
        response_format: t.ResponseFormat | None = None,
        model: str | None = None,
        user: str | None = None,
        quality: t.Quality | None = None,
        style: t.Style | None = None,
        background: t.Background | None = None,
        moderation: t.ModerationLevel | None = None,
        output_format: t.OutputFormat | None = None,
        output_compression: int | None = None,
        extra_body: Mapping[str, object] | None = None,
        extra_headers: Mapping[str, str] | None = None,
        timeout: TimeoutArgument = DEFAULT,
        idempotency_key: str | None = None,
    ) -> AsyncImages:
        """`Client.generate`, awaited."""
        request = Draft.generation(
            extra_body,
            model=model,
            n=n,
            size=size,
            response_format=response_format,
            user=user,
            quality=quality,
            background=background,
            moderation=moderation,
            output_format=output_format,
            output_compression=output_compression,
            prompt=prompt,
            style=style,
        )
        return await self._send(request, Options(extra_headers, idempotency_key), timeout)

    async def edit(
        self,
        image: ImageSource | Sequence[ImageSource],
        prompt: str,
        *,
        mask: ImageSource | None = None,
        n: int | None = None,
        size: t.Size | None = None,
        response_format: t.ResponseFormat | None = None,
        model: str | None = None,
        user: str | None = None,
        quality: t.Quality | None = None,
        background: t.Background | None = None,
        moderation: t.ModerationLevel | None = None,
        output_format: t.OutputFormat | None = None,
        output_compression: int | None = None,
        input_fidelity: t.InputFidelity | None = None,
        extra_body: Mapping[str, object] | None = None,
        extra_headers: Mapping[str, str] | None = None,
        timeout: TimeoutArgument = DEFAULT,
        idempotency_key: str | None = None,
    ) -> AsyncImages:
        """`Client.edit`, awaited; files are read in a thread."""
        from ._requests._inputs import read_input, read_inputs
        from ._requests._values import EditRequest

        await held(image, mask)
        request = EditRequest(
            image=await in_thread(read_inputs, image),
            prompt=prompt,
            mask=None if mask is None else await in_thread(read_input, mask, "mask"),
            n=n,
            size=size,
            response_format=response_format,
            model=model,
            user=user,
            quality=quality,
            background=background,
            moderation=moderation,
            output_format=output_format,
            output_compression=output_compression,
            input_fidelity=input_fidelity,
            extra_body=extra_body,
        )
        return await self._send(Draft.of(request), Options(extra_headers, idempotency_key), timeout)

    async def vary(
        self,
        image: ImageSource,
        *,
        n: int | None = None,
        size: t.Size | None = None,
        response_format: t.ResponseFormat | None = None,
        model: str | None = None,
        user: str | None = None,
        extra_body: Mapping[str, object] | None = None,
        extra_headers: Mapping[str, str] | None = None,
        timeout: TimeoutArgument = DEFAULT,
        idempotency_key: str | None = None,
    ) -> AsyncImages:
        """`Client.vary`, awaited; files are read in a thread."""
        from ._requests._inputs import read_inputs
        from ._requests._values import VariationRequest

        await held(image)
        request = VariationRequest(
            image=await in_thread(read_inputs, image),
            n=n,
            size=size,
            response_format=response_format,
            model=model,
            user=user,
            extra_body=extra_body,
        )
        return await self._send(Draft.of(request), Options(extra_headers, idempotency_key), timeout)

    async def send(
        self,
        request: Request | t.SentRequest,
        *,
        extra_headers: Mapping[str, str] | None = None,
        timeout: TimeoutArgument = DEFAULT,
        idempotency_key: str | None = None,
    ) -> AsyncImages:
        """`Client.send`, awaited."""
        return await self._send(Draft.of(request), Options(extra_headers, idempotency_key), timeout)

    async def _send(self, request: Draft, options: Options, timeout: TimeoutArgument) -> AsyncImages:
        session = self._session
        plan = session.plan(request, options)
        prompt = session.moderated_prompt(request)
        if prompt is not None:
            session.refuse_flagged(await self.moderate(prompt))
        try:
            return await self._carried_out(plan, timeout)
        except ModelRetiredError as error:
            plan = session.replanned(error, plan, request, options)
        return await self._carried_out(plan, timeout)

    async def _carried_out(self, plan: Plan, timeout: TimeoutArgument) -> AsyncImages:
        session = self._session
        calls: list[Attempts[ImagesData | Task]] = []
        try:
            answers = [await self._one(part, options, timeout, calls) for part, options in plan.parts]
            images = AsyncImages.of(session.joined(plan, answers), self._fetcher)
            if session.fetches(plan):
                for image in images:
                    with session.warning_of_loss():
                        await image.read()
            if plan.scale is not None:
                await in_thread(images.fit)
            return images
        except BaseException as problem:
            keep(problem, calls, plan, self._results)
            raise

    async def _one(
        self,
        request: Draft,
        options: Options,
        timeout: TimeoutArgument,
        calls: list[Attempts[ImagesData | Task]],
    ) -> ImagesData:
        """One paid call, and the questions after its task if the host makes the images in the background."""
        attempts = self._session.attempts(request, options)
        calls.append(attempts)
        answer = await self._perform(attempts, timeout)
        if isinstance(answer, ImagesData):
            return answer
        with self._session.polling(answer, attempts) as polling:
            while not isinstance(answer, ImagesData):
                wait, asking = polling.again()
                await sleep(wait)
                calls.append(asking)
                answer = await self._perform(asking, timeout)
        return answer

    def stream(
        self,
        prompt: str,
        *,
        partial_images: int | None = None,
        n: int | None = None,
        size: t.Size | None = None,
        model: str | None = None,
        user: str | None = None,
        quality: t.Quality | None = None,
        background: t.Background | None = None,
        moderation: t.ModerationLevel | None = None,
        output_format: t.OutputFormat | None = None,
        output_compression: int | None = None,
        extra_body: Mapping[str, object] | None = None,
        extra_headers: Mapping[str, str] | None = None,
        timeout: TimeoutArgument = DEFAULT,
        idempotency_key: str | None = None,
    ) -> AsyncGenerator[PartialImage[AsyncImageResult] | FinalImage[AsyncImageResult], None]:
        """`Client.stream`, awaited: `async for event in client.stream(...)`.

        To leave the loop early, put `contextlib.aclosing` around the generator: nothing else ends the
        connection at once.
        """
        request = Draft.generation(
            extra_body,
            model=model,
            n=n,
            size=size,
            user=user,
            quality=quality,
            background=background,
            moderation=moderation,
            output_format=output_format,
            output_compression=output_compression,
            partial_images=partial_images,
            prompt=prompt,
        )
        plan, attempts, reader = self._session.streamed(request, Options(extra_headers, idempotency_key))
        return self._events(plan, attempts, reader, timeout)

    async def _events(
        self,
        plan: Plan,
        attempts: Attempts[ImagesData | Task],
        reader: StreamReader,
        timeout: TimeoutArgument,
    ) -> AsyncGenerator[PartialImage[AsyncImageResult] | FinalImage[AsyncImageResult], None]:
        prompt = self._session.moderated_prompt(plan.request)
        if prompt is not None:
            self._session.refuse_flagged(await self.moderate(prompt))
        limits = self._session.timeouts(timeout, self._transport.default_timeouts())
        try:
            async with aclosing(stream_async(attempts, reader, self._transport, limits)) as events:
                async for event in events:
                    yield event.with_image(AsyncImageResult(event.image, self._fetcher))
        except BaseException as problem:
            keep(problem, [attempts], plan, self._results)
            raise

    def image(self, url: str, *, created: datetime | None = None) -> AsyncImageResult:
        """`Client.image`."""
        return AsyncImageResult(self._session.kept(url, created), self._fetcher)

    def images_of(self, error: Dalle2Error) -> AsyncImages:
        """`Client.images_of`."""
        return AsyncImages.of(self._session.kept_by(error), self._fetcher)

    async def moderate(self, prompt: str) -> Moderation:
        """`Client.moderate`, awaited."""
        return await self._perform(self._session.moderation(prompt), DEFAULT)

    async def list_models(self) -> list[ModelInfo]:
        """`Client.list_models`, awaited."""
        rows = await self._perform(self._session.models(), DEFAULT)
        return self._session.learned(rows)

    def _results(self, images: Sequence[ImageData]) -> list[AsyncImageResult]:
        return [AsyncImageResult(image, self._fetcher) for image in images]

    async def _perform(self, attempts: Attempts[T], timeout: TimeoutArgument) -> T:
        limits = self._session.timeouts(timeout, self._transport.default_timeouts())
        return await perform_async(attempts, self._transport, limits)

    async def warm_up(self) -> None:
        """Load, off the event loop, all that a first call would load in it: modules and certificates."""
        await self._transport.warm_up()

    async def aclose(self) -> None:
        """`Client.close`, awaited."""
        if self._owner:
            await self._transport.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()
