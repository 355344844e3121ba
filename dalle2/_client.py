"""The blocking client: sends, sleeps, and asks `Session` and `Attempts` for everything else."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import TYPE_CHECKING, Literal, Self, TypeVar

from ._calls._envelope import Options
from ._calls._loop import perform, stream
from ._calls._plan import keep
from ._image._data import ImagesData
from ._requests._draft import Draft
from ._results._blocking import Fetcher, ImageResult, Images
from ._session import BaseClient, Session
from ._texts import Environment, hide
from ._transport._sync import Transport
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
    from ._transport._callers import HttpClient
    from ._wire._lists import ModelInfo, Moderation
    from ._wire._responses import Task
    from .errors import Dalle2Error
    from .events import Listener
    from .providers import Provider
    from .retry import RetryPolicy
    from .settings import Default, TimeoutArgument

T = TypeVar("T")


class Client(BaseClient):
    """A client for the DALL·E 2 image API on any host that speaks it.

    >>> with dalle2.Client() as client:
    ...     images = client.generate("a corgi astronaut, studio photo", size="512x512")
    ...     images[0].save("corgi.png")

    - `api_key`, `provider`, `base_url`: who is called; left out, the environment decides (`OPENAI_API_KEY`,
      `COMETAPI_KEY`, `DALLE2_PROVIDER`, ...).
    - `model`: `dall-e-2` unless said.
    - `timeout`: seconds for each phase (connect, write, read, pool), an `httpx.Timeout`, or `None` for no
      limit. The limit on a whole call is `RetryPolicy.deadline`.
    - `retry`: a paid call is repeated only if it certainly was not carried out, see `RetryPolicy`.
    - `http_client`: your own `httpx.Client` (or `httpx2.Client`); it is never closed here.
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

    Safe to share between threads. Raises `ConfigurationError` for a client that cannot work.
    """

    __module__ = "dalle2"

    def __init__(
        self,
        api_key: str | Callable[[], str] | None = None,
        *,
        provider: str | Provider | None = None,
        base_url: str | None = None,
        model: str | None = None,
        organization: str | None = None,
        project: str | None = None,
        timeout: TimeoutArgument = DEFAULT,
        retry: RetryPolicy | None = None,
        http_client: HttpClient | None = None,
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
        self._setup(Session.started(settings, on_event, budget, http_client), Transport(http_client), True)

    def _setup(self, session: Session, transport: Transport, owner: bool) -> None:
        self._session = session
        self._transport = transport
        self._owner = owner
        self._fetcher = Fetcher(transport, session.fetching())

    def _share(self, other: Self, session: Session) -> None:
        self._setup(session, other._transport, False)

    def generate(
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
    ) -> Images:
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
        return self._send(request, Options(extra_headers, idempotency_key), timeout)

    def edit(
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
    ) -> Images:
        """Repaint a part of an image: `POST /images/edits`.

        `image` is a path, bytes, base64 text or a data URI, a binary file, a result or a Pillow image
        (several in a list for models that take them); it is read once. Fully transparent pixels of `mask`,
        else of the image itself, mark what to repaint. For dall-e-2: one square PNG under 4 MB, a mask of the
        same size; `dalle2.prepare_image` makes such an image, `dalle2.mask_from_box` such a mask. The other
        parameters as in `generate`. Source:
        https://developers.openai.com/api/reference/resources/images/methods/edit.md

        `timeout` is in seconds for each phase, `None` for no limit; unsaid, the client's. `extra_headers` go
        with this call alone; `idempotency_key` names it to the host (unsaid, a new one is made).

        Raises `InvalidRequestError` for bad input, the built-in `OSError`s for a file that cannot be read and
        `DownloadError` for a result that cannot be fetched, all before anything is sent; then what `generate`
        raises: `OutcomeUnknownError`, `DecodeError`, `APIConnectionError` and the `APIStatusError` family.
        """
        from ._requests._inputs import read_input, read_inputs
        from ._requests._values import EditRequest

        request = EditRequest(
            image=read_inputs(image),
            prompt=prompt,
            mask=None if mask is None else read_input(mask, "mask"),
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
        return self._send(Draft.of(request), Options(extra_headers, idempotency_key), timeout)

    def vary(
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
    ) -> Images:
        """Make variations of an image: `POST /images/variations`, which only dall-e-2 ever served.

        `image` is a path, bytes, base64 text or a data URI, a binary file, a result or a Pillow image, read
        once: one square PNG under 4 MB, as `dalle2.prepare_image` makes it. `n` is from 1 to 10, `size` in
        pixels (256x256, 512x512 or 1024x1024). Source: OpenAI's specification, `CreateImageVariationRequest`
        in https://github.com/openai/openai-openapi

        `timeout` is in seconds for each phase, `None` for no limit; unsaid, the client's. `extra_headers` go
        with this call alone; `idempotency_key` names it to the host (unsaid, a new one is made).

        Raises `InvalidRequestError` for bad input, the built-in `OSError`s for a file that cannot be read and
        `DownloadError` for a result that cannot be fetched, all before anything is sent; then what `generate`
        raises: `OutcomeUnknownError`, `DecodeError`, `APIConnectionError` and the `APIStatusError` family.
        """
        from ._requests._inputs import read_inputs
        from ._requests._values import VariationRequest

        request = VariationRequest(
            image=read_inputs(image),
            n=n,
            size=size,
            response_format=response_format,
            model=model,
            user=user,
            extra_body=extra_body,
        )
        return self._send(Draft.of(request), Options(extra_headers, idempotency_key), timeout)

    def send(
        self,
        request: t.SentRequest,
        *,
        extra_headers: Mapping[str, str] | None = None,
        timeout: TimeoutArgument = DEFAULT,
        idempotency_key: str | None = None,
    ) -> Images:
        """Send a request at hand: a `GenerateRequest`, an `EditRequest` or a `VariationRequest`.

        After an `OutcomeUnknownError`, once a second bill is accepted:
        `client.send(e.request, idempotency_key=e.idempotency_key)`.

        `timeout` is in seconds for each phase, `None` for no limit; unsaid, the client's. `extra_headers` go
        with this call alone; `idempotency_key` names it to the host (unsaid, a new one is made).

        Raises `InvalidRequestError` before anything is sent; then `OutcomeUnknownError` if the call may have
        been carried out and no answer came, `DecodeError` for an answer without (all) images,
        `APIConnectionError` if it certainly was not carried out, and the `APIStatusError` family for an
        answer that says no. `error.maybe_billed` tells on each whether it could have cost money.
        """
        return self._send(Draft.of(request), Options(extra_headers, idempotency_key), timeout)

    def _send(self, request: Draft, options: Options, timeout: TimeoutArgument) -> Images:
        session = self._session
        plan = session.plan(request, options)
        prompt = session.moderated_prompt(request)
        if prompt is not None:
            session.refuse_flagged(self.moderate(prompt))
        try:
            return self._carried_out(plan, timeout)
        except ModelRetiredError as error:
            plan = session.replanned(error, plan, request, options)
        return self._carried_out(plan, timeout)

    def _carried_out(self, plan: Plan, timeout: TimeoutArgument) -> Images:
        session = self._session
        calls: list[Attempts[ImagesData | Task]] = []
        try:
            answers = [self._one(part, options, timeout, calls) for part, options in plan.parts]
            images = Images.of(session.joined(plan, answers), self._fetcher)
            if session.fetches(plan):
                for image in images:
                    with session.warning_of_loss():
                        image.read()
            images.fit()
            return images
        except BaseException as problem:
            keep(problem, calls, plan, self._results)
            raise

    def _one(
        self,
        request: Draft,
        options: Options,
        timeout: TimeoutArgument,
        calls: list[Attempts[ImagesData | Task]],
    ) -> ImagesData:
        """One paid call, and the questions after its task if the host makes the images in the background."""
        attempts = self._session.attempts(request, options)
        attempts.join(calls)
        answer = self._perform(attempts, timeout)
        if isinstance(answer, ImagesData):
            return answer
        with self._session.polling(answer, attempts) as polling:
            while not isinstance(answer, ImagesData):
                wait, asking = polling.again()
                time.sleep(wait)
                calls.append(asking)
                answer = self._perform(asking, timeout)
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
    ) -> Generator[PartialImage[ImageResult] | FinalImage[ImageResult], None, None]:
        """Make an image and watch it come: `POST /images/generations` with `stream`, for models that stream.

        Gives `PartialImage` events (`partial_images`, 0 to 3, is how many are asked for; fewer can come) and
        then a `FinalImage`, each with an `image` that can be shown and saved. A host that answers without
        streaming still gives the final one. The other parameters as in `generate`. Source:
        https://developers.openai.com/api/reference/resources/images/methods/generate.md

        Leaving the loop early ends the connection as soon as the generator is closed, and does not undo
        the bill.

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

    def _events(
        self,
        plan: Plan,
        attempts: Attempts[ImagesData | Task],
        reader: StreamReader,
        timeout: TimeoutArgument,
    ) -> Generator[PartialImage[ImageResult] | FinalImage[ImageResult], None, None]:
        prompt = self._session.moderated_prompt(plan.request)
        if prompt is not None:
            self._session.refuse_flagged(self.moderate(prompt))
        limits = self._session.timeouts(timeout, self._transport.default_timeouts())
        try:
            for event in stream(attempts, reader, self._transport, limits):
                yield event.with_image(ImageResult(event.image, self._fetcher))
        except BaseException as problem:
            keep(problem, [attempts], plan, self._results)
            raise

    def image(self, url: str, *, created: datetime | None = None) -> ImageResult:
        """A result for a URL that was kept elsewhere: the same safe download for it. Nothing is sent.

        `created` (aware) is when the image was made, if the URL itself does not tell when it dies. Raises
        `InvalidRequestError` for what is no http or https URL, and for a `created` without a time zone.
        """
        return ImageResult(self._session.kept(url, created), self._fetcher)

    def images_of(self, error: Dalle2Error) -> Images:
        """The images that an error kept, as results of this client, on its connections. Nothing is sent, and
        nothing raises: an error that kept none gives an empty sequence.
        """
        return Images.of(self._session.kept_by(error), self._fetcher)

    def moderate(self, prompt: str) -> Moderation:
        """Ask the free moderation endpoint about a prompt: `POST /moderations`. It costs nothing.

        A clean answer does not promise that the image model accepts the prompt. Raises `InvalidRequestError`
        for an empty prompt, `DecodeError` for an answer that cannot be read, `APIConnectionError` where no
        answer came, and the `APIStatusError` family for one that says no. Source: OpenAI's specification,
        `CreateModerationRequest` in https://github.com/openai/openai-openapi
        """
        return self._perform(self._session.moderation(prompt), DEFAULT)

    def list_models(self) -> list[ModelInfo]:
        """The host's live list of models: `GET /models`. It costs nothing.

        Its shutdown dates win over the catalogue's from then on. Raises `DecodeError` for an answer that
        cannot be read, `APIConnectionError` where no answer came, and the `APIStatusError` family for one
        that says no. Source: OpenAI's specification, `Model` in https://github.com/openai/openai-openapi
        """
        rows = self._perform(self._session.models(), DEFAULT)
        return self._session.learned(rows)

    def _results(self, images: Sequence[ImageData]) -> list[ImageResult]:
        return [ImageResult(image, self._fetcher) for image in images]

    def _perform(self, attempts: Attempts[T], timeout: TimeoutArgument) -> T:
        limits = self._session.timeouts(timeout, self._transport.default_timeouts())
        return perform(attempts, self._transport, limits)

    def warm_up(self) -> None:
        """Load all that a first call would load: modules and certificates. Nothing is sent."""
        self._transport.warm_up()

    def close(self) -> None:
        """Close the client's own connections; a call that is under way in another thread comes to its end.

        Results stay usable.
        """
        if self._owner:
            self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
