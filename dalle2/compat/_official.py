"""The official clients by their constructors: `OpenAI` and its awaited twin."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Set
from typing import (
    TYPE_CHECKING,
    Any,
    ClassVar,
    Generic,
    NoReturn,
    Self,
    TypeAlias,
    TypedDict,
    TypeVar,
    Unpack,
)

from .._async_client import AsyncClient
from .._client import Client
from .._secrets import Secret
from ..settings import DEFAULT
from ._arguments import given_of, hidden
from ._asking import refuse_streaming
from ._behind import Behind
from ._error_tree import SDK, officially
from ._resources import AsyncImages, AsyncModels, AsyncModerations, Images, Models, Moderations

if TYPE_CHECKING:
    import httpx

    from .._money import Budget
    from .._transport._callers import AsyncHttpClient, HttpClient
    from ..events import Listener
    from ..providers import Provider
    from ..settings import Default, TimeoutArgument
    from ._resources import AsyncRawImages, RawImages

ApiKey: TypeAlias = str | Callable[[], str] | None
AsyncApiKey: TypeAlias = str | Callable[[], str | Awaitable[str]] | None
C = TypeVar("C")


class ClientOptions(TypedDict, total=False):
    """The official constructor's arguments, and those of our own that a script may want.

    `admin_api_key`, `webhook_secret`, `websocket_base_url` and those with a leading underscore have nothing
    to do with images, and do nothing.
    """

    organization: str | None
    project: str | None
    base_url: str | httpx.URL | None
    timeout: TimeoutArgument
    max_retries: int
    default_headers: Mapping[str, str] | None
    default_query: Mapping[str, object] | None
    admin_api_key: str | None
    webhook_secret: str | None
    websocket_base_url: str | httpx.URL | None
    _strict_response_validation: bool
    _enforce_credentials: bool
    provider: str | Provider | None
    successor: str | Default | None
    budget: Budget | None
    on_event: Listener | None


class CopyOptions(ClientOptions, total=False):
    """What a copy can change."""

    api_key: AsyncApiKey
    http_client: Any
    set_default_headers: Mapping[str, str] | None
    set_default_query: Mapping[str, object] | None
    api_version: str | None
    azure_ad_token: str | None
    azure_ad_token_provider: Callable[[], str | Awaitable[str]] | None


class _Official(Generic[C]):
    """What the four clients have in common, none of it I/O."""

    _kind: ClassVar[Any]
    _behind: Behind[C]

    def _start(self, given: Mapping[str, Any]) -> None:
        self._check(given, ClientOptions.__annotations__.keys() | {"api_key", "http_client", "azure"})
        with officially(SDK, ""):
            self._hold(Behind(self._kind, given_of(given)))

    def _hold(self, behind: Behind[C]) -> None: ...

    def _check(self, given: Iterable[str], known: Set[str]) -> None:
        for name in given:
            if name not in known:
                raise TypeError(f"{type(self).__name__}() got an unexpected keyword argument {name!r}")

    def copy(self, **changes: Unpack[CopyOptions]) -> Self:
        """A client on the same connections with other options; closing it leaves them open."""
        self._check(changes, CopyOptions.__annotations__.keys())
        made = object.__new__(type(self))
        with officially(SDK, ""):
            made._hold(self._behind.changed(hidden(changes)))
        return made

    with_options = copy

    @property
    def with_raw_response(self) -> Any:
        """`client.with_raw_response.images`: the same calls, with the answer's headers beside it."""
        return _Raw(self)

    @property
    def with_streaming_response(self) -> NoReturn:
        """Not here: an answer is whole when it is given, so that nothing paid for is lost."""
        refuse_streaming()

    def is_closed(self) -> bool:
        """Whether the connections are closed."""
        client: Any = self._behind.client
        return not client._transport.usable()

    @property
    def api_key(self) -> str:
        """The key, if it is a text and was given."""
        key = self._behind.given.get("api_key")
        return key.reveal() if isinstance(key, Secret) else ""

    @property
    def base_url(self) -> httpx.URL:
        """Where the paths of the API start."""
        import httpx

        return httpx.URL(self._behind.url("/"))

    @property
    def organization(self) -> str | None:
        """The organisation that is sent."""
        return self._behind.settings.organization

    @property
    def project(self) -> str | None:
        """The project that is sent."""
        return self._behind.settings.project

    @property
    def max_retries(self) -> int:
        """How often a call is repeated at most."""
        found = self._behind.given.get("max_retries", 2)
        return int(found)

    @property
    def timeout(self) -> TimeoutArgument:
        """The timeout that was given."""
        found: TimeoutArgument = self._behind.given.get("timeout", DEFAULT)
        return found

    def __repr__(self) -> str:
        behind = vars(self).get("_behind")  # not yet, in the frame of an error
        return f"<{type(self).__name__} over {behind and behind.client!r}>"

    if TYPE_CHECKING:
        pass  # a name that is not there is a mistake
    else:

        def __getattr__(self, name):
            if name.startswith("_"):
                raise AttributeError(name)
            raise AttributeError(no_such(f"client.{name}"))


def no_such(name: str) -> str:
    """The sentence for what the SDK may have and this has not."""
    return (
        f"dalle2.compat has no {name}, it has the image calls, models and moderations of the official SDK: "
        "for all else keep `import openai`, and let dalle2.compat.install() put our image calls into it"
    )


class _Raw:
    """`client.with_raw_response`."""

    def __init__(self, client: Any) -> None:
        self.images: RawImages | AsyncRawImages = client.images.with_raw_response


class OpenAI(_Official[Client]):
    """The official client's constructor, and its `images`, `models` and `moderations`."""

    _kind = Client
    images: Images
    models: Models
    moderations: Moderations

    def __init__(
        self,
        *,
        api_key: ApiKey = None,
        http_client: HttpClient | None = None,
        **options: Unpack[ClientOptions],
    ) -> None:
        given, api_key = hidden({"api_key": api_key}), None  # no frame of an error may hold it
        self._start({**given, "http_client": http_client, **options})

    def _hold(self, behind: Behind[Client]) -> None:
        self._behind = behind
        self.images, self.models = Images(behind), Models(behind)
        self.moderations = Moderations(behind)

    def close(self) -> None:
        """Close the connections."""
        self._behind.client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


class AsyncOpenAI(_Official[AsyncClient]):
    """`OpenAI`, awaited."""

    _kind = AsyncClient
    images: AsyncImages
    models: AsyncModels
    moderations: AsyncModerations

    def __init__(
        self,
        *,
        api_key: AsyncApiKey = None,
        http_client: AsyncHttpClient | None = None,
        **options: Unpack[ClientOptions],
    ) -> None:
        given, api_key = hidden({"api_key": api_key}), None
        self._start({**given, "http_client": http_client, **options})

    def _hold(self, behind: Behind[AsyncClient]) -> None:
        self._behind = behind
        self.images, self.models = AsyncImages(behind), AsyncModels(behind)
        self.moderations = AsyncModerations(behind)

    async def close(self) -> None:
        """Close the connections."""
        await self._behind.client.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close()
