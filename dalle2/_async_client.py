"""The awaited client: `_client` with `await`. Each method is described anew: editors show one at a time."""

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
from ._results._at_once import AsyncImages
from ._results._awaited import AsyncFetcher, AsyncImageResult, held, in_thread
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
    """A client for the DALL·E 2 image API on any host that speaks it, awaited: on asyncio and trio.

    >>> async with dalle2.AsyncClient() as client:
    ...     images = await client.generate("a corgi astronaut, studio photo", size="512x512")
    ...     await images[0].save("corgi.png")

    - `api_key`, `provider`, `base_url`: who is called; left out, the environment decides (`OPENAI_API_KEY`,
      `COMETAPI_KEY`, `DALLE2_PROVIDER`, ...).
    - `model`: `dall-e-2` unless said.
    - `timeout`: seconds for each phase (connect, write, read, pool), an `httpx.Timeout`, or `None` for no
      limit. The limit on a whole call is `RetryPolicy.deadline`.
    - `retry`: a paid call is repeated only if it certainly was not carried out, see `RetryPolicy`.
    - `http_client`: your own `httpx.AsyncClient` (or `httpx2.AsyncClient`); it is never closed here.
    - `headers`: sent with each API request, never to an image host.
    - `moderate="before"`: check each prompt with the free moderation endpoint first.
    - `download="eager"`: fetch each image as soon as it is made, so that no URL can expire.
    - `successor`: a living model (or `"auto"`) that takes the calls meant for a retired one; see
      `images.adaptations`.
    - `split_n`: send `n` images as `n` calls of one where host or model makes one a call.
    - `on_event`: called with a typed event (`dalle2.events`) for each attempt, wait, success, loss and
      download.
    - `budget`: a `Budget` that refuses the call that would pass it.
    - `prices`: your own `PriceTable` in place of OpenAI's list prices.

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
        """Make images from a prompt: `POST /images/generations`.

        `model` is always sent; of the other parameters only what is given. For dall-e-2: a prompt of at most
        1000 characters, `n` from 1 to 10, `size` in pixels (256x256, 512x512 or 1024x1024), `response_format`
        `"url"` or `"b64_json"`. What a known model does not take is refused before sending; an unknown model
        is not checked. `extra_body` is sent as it is and wins. Source:
        https://developers.openai.com/api/reference/resources/images/methods/generate.md

        `timeout` is in seconds for each phase, `None` for no limit; unsaid, the client's. `extra_headers` go
        with this call alone; `idempotency_key` names it to the host (unsaid, a new one is made).

        Raises `InvalidRequestError` before anything is sent; then `OutcomeUnknownError` if the call may have
        been carried out and no answer came, `DecodeError` for an answer without (all) images,
        `APIConnectionError` if it certainly was not carried out, and the `APIStatusError` family for an
        answer that says no. `error.maybe_billed` tells on each whether it could have cost money.
        """
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
        """Repaint a part of an image: `POST /images/edits`.

        `image` is a path, bytes, base64 text or a data URI, a binary file, a result or a Pillow image
        (several in a list for models that take them); it is read once, in a thread. Fully transparent pixels
        of `mask`, else of the image itself, mark what to repaint. For dall-e-2: one square PNG under 4 MB, a
        mask of the same size; `dalle2.prepare_image` makes such an image, `dalle2.mask_from_box` such a mask.
        The other parameters as in `generate`. Source:
        https://developers.openai.com/api/reference/resources/images/methods/edit.md

        `timeout` is in seconds for each phase, `None` for no limit; unsaid, the client's. `extra_headers` go
        with this call alone; `idempotency_key` names it to the host (unsaid, a new one is made).

        Raises `InvalidRequestError` for bad input, the built-in `OSError`s for a file that cannot be read and
        `DownloadError` for a result that cannot be fetched, all before anything is sent; then what `generate`
        raises: `OutcomeUnknownError`, `DecodeError`, `APIConnectionError` and the `APIStatusError` family.
        """
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
        """Make variations of an image: `POST /images/variations`, which only dall-e-2 ever served.

        `image` is a path, bytes, base64 text or a data URI, a binary file, a result or a Pillow image, read
        once, in a thread: one square PNG under 4 MB, as `dalle2.prepare_image` makes it. `n` is from 1 to 10,
        `size` in pixels (256x256, 512x512 or 1024x1024). Source: OpenAI's specification,
        `CreateImageVariationRequest` in https://github.com/openai/openai-openapi

        `timeout` is in seconds for each phase, `None` for no limit; unsaid, the client's. `extra_headers` go
        with this call alone; `idempotency_key` names it to the host (unsaid, a new one is made).

        Raises `InvalidRequestError` for bad input, the built-in `OSError`s for a file that cannot be read and
        `DownloadError` for a result that cannot be fetched, all before anything is sent; then what `generate`
        raises: `OutcomeUnknownError`, `DecodeError`, `APIConnectionError` and the `APIStatusError` family.
        """
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
        request: t.SentRequest,
        *,
        extra_headers: Mapping[str, str] | None = None,
        timeout: TimeoutArgument = DEFAULT,
        idempotency_key: str | None = None,
    ) -> AsyncImages:
        """Send a request at hand: a `GenerateRequest`, an `EditRequest` or a `VariationRequest`.

        After an `OutcomeUnknownError`, once a second bill is accepted:
        `await client.send(e.request, idempotency_key=e.idempotency_key)`.

        `timeout` is in seconds for each phase, `None` for no limit; unsaid, the client's. `extra_headers` go
        with this call alone; `idempotency_key` names it to the host (unsaid, a new one is made).

        Raises `InvalidRequestError` before anything is sent; then `OutcomeUnknownError` if the call may have
        been carried out and no answer came, `DecodeError` for an answer without (all) images,
        `APIConnectionError` if it certainly was not carried out, and the `APIStatusError` family for an
        answer that says no. `error.maybe_billed` tells on each whether it could have cost money.
        """
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
        attempts.join(calls)
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
        """Make an image and watch it come: `POST /images/generations` with `stream`, for models that stream.

        `async for event in client.stream(...)`. Gives `PartialImage` events (`partial_images`, 0 to 3, is how
        many are asked for; fewer can come) and then a `FinalImage`, each with an `image` that can be shown
        and saved. A host that answers without streaming still gives the final one. The other parameters as in
        `generate`. Source: https://developers.openai.com/api/reference/resources/images/methods/generate.md

        To leave the loop early, put `contextlib.aclosing` around the generator: nothing else ends the
        connection at once, and nothing undoes the bill.

        Raises `InvalidRequestError` at once. A stream that breaks off before the final image raises
        `OutcomeUnknownError` with the images that came in `error.images`; it is never repeated. Else raises
        what `generate` raises.
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
        """A result for a URL that was kept elsewhere: the same safe download. Nothing is sent or awaited.

        `created` (aware) is when the image was made, if the URL itself does not tell when it dies. Raises
        `InvalidRequestError` for what is no http or https URL, and for a `created` without a time zone.
        """
        return AsyncImageResult(self._session.kept(url, created), self._fetcher)

    def images_of(self, error: Dalle2Error) -> AsyncImages:
        """The images that an error kept, as results of this client, on its connections. Nothing is sent or
        awaited, and nothing raises: an error that kept none gives an empty sequence.
        """
        return AsyncImages.of(self._session.kept_by(error), self._fetcher)

    async def moderate(self, prompt: str) -> Moderation:
        """Ask the free moderation endpoint about a prompt: `POST /moderations`. It costs nothing.

        A clean answer does not promise that the image model accepts the prompt. Raises `InvalidRequestError`
        for an empty prompt, `DecodeError` for an answer that cannot be read, `APIConnectionError` where no
        answer came, and the `APIStatusError` family for one that says no. Source: OpenAI's specification,
        `CreateModerationRequest` in https://github.com/openai/openai-openapi
        """
        return await self._perform(self._session.moderation(prompt), DEFAULT)

    async def list_models(self) -> list[ModelInfo]:
        """The host's live list of models: `GET /models`. It costs nothing.

        Its shutdown dates win over the catalogue's from then on. Raises `DecodeError` for an answer that
        cannot be read, `APIConnectionError` where no answer came, and the `APIStatusError` family for one
        that says no. Source: OpenAI's specification, `Model` in https://github.com/openai/openai-openapi
        """
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
        """Close the client's own connections, never a caller's `http_client`. Results stay usable."""
        if self._owner:
            await self._transport.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()
