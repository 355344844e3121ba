"""Who is called: each host as a value, and which of them an environment means.

How a host authenticates, which variables hold its key, what its paths are, where its images live: all of
it is a field, so that a new host is a new `Provider` and no new code.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple
from urllib.parse import urlsplit

from ._http import origin_of
from ._secrets import Secret, quoted
from ._texts import STRAY, KeySource, clean_base_url, clean_key, read_variable, variable_set
from .errors import ConfigurationError

__all__ = ["PROVIDERS", "Provider"]

DEFAULT_PATHS: Mapping[str, str] = {
    "generate": "/images/generations",
    "edit": "/images/edits",
    "vary": "/images/variations",
    "moderate": "/moderations",
    "models": "/models",
    "responses": "/responses",
    "files": "/files",
    "batches": "/batches",
}


_WITHOUT_BATCHES = {name: path for name, path in DEFAULT_PATHS.items() if name not in ("files", "batches")}
_NOTHING: Mapping[str, str] = {}

_AZURE = (
    ".openai.azure.com",
    ".cognitiveservices.azure.com",
    ".services.ai.azure.com",
    ".openai.azure.us",
    ".openai.azure.cn",
)
_SUBMIT = "/images/generations:submit"
"""Where Azure took DALL·E 2's own requests in 2023: it answers 202, and where to ask for the images."""


class Provider(NamedTuple):
    """One host of the API, or one way to speak to it.

    - `base_url`: where the paths start, usually ending in `/v1`; `None` only for the embedded emulator.
    - `key_variables`, `url_variables`: the environment variables read for it, first one wins.
    - `wire`: `"images"` (the Images API) or `"responses"` (`POST /responses`, one image a call).
    - `auth_header`, `auth_scheme`: `Authorization: Bearer <key>` unless said; no scheme sends the bare key.
    - `query`, `headers`: sent with each API request, such as Azure's `api-version`.
    - `openai_like`: whether unsigned image URLs of DALL·E models live one hour, as OpenAI's do.
    - `images_need_key`: whether image URLs on the API's own origin want the key; no other origin gets it.
    - `image_hosts`: hosts (`"images.lan"`, `"10.0.0.7:9000"`) from which images may come although they are
      private, also by plain http; with a port, from that port only.
    - `idempotency_header`: the header that carries the key of a logical call, or `None` to send none.
    - `official`: whether the catalogue's retirement dates hold here (OpenAI's own host).
    """

    name: str
    base_url: str | None
    key_variables: tuple[str, ...] = ("OPENAI_API_KEY",)
    url_variables: tuple[str, ...] = ()
    wire: Literal["images", "responses"] = "images"
    paths: Mapping[str, str] = DEFAULT_PATHS
    auth_header: str = "Authorization"
    auth_scheme: str = "Bearer"
    query: Mapping[str, str] = _NOTHING
    headers: Mapping[str, str] = _NOTHING
    default_key: str | None = None
    openai_like: bool = False
    images_need_key: bool = False
    image_hosts: tuple[str, ...] = ()
    idempotency_header: str | None = "Idempotency-Key"
    official: bool = False

    def __repr__(self) -> str:
        """Without what may hold a secret: headers, query, key."""
        return f"Provider(name={self.name!r}, base_url={self.base_url!r}, wire={self.wire!r})"

    def __sentry_repr__(self) -> str:
        return repr(self)  # a crash reporter that walks into tuples asks for this instead

    def signed(self, key: Secret) -> tuple[str, Secret]:
        """The header that carries the key."""
        return self.auth_header, Secret(f"{self.auth_scheme} {key.reveal()}".strip())

    def portable(self, base_url: str) -> Provider:
        """The same at that address, without headers, default key and query, which may hold a secret."""
        query = {name: value for name, value in self.query.items() if name == "api-version"}
        return self.replace(base_url=base_url, headers={}, query=query, default_key=None)

    def replace(self, **changes: object) -> Provider:
        """A copy with some fields changed: `provider.replace(base_url="https://...")`.

        Raises `ConfigurationError` for a field that there is none of.
        """
        unknown = ", ".join(sorted(changes.keys() - set(self._fields)))
        if unknown:
            raise ConfigurationError(
                f"Provider has no field {unknown}: its fields are {', '.join(self._fields)}"
            )
        return Provider(**(self._asdict() | changes))

    @classmethod
    def custom(cls, base_url: str, *, name: str = "custom") -> Provider:
        """Any OpenAI-compatible host; its key is read from `OPENAI_API_KEY`."""
        return cls(name=name, base_url=base_url)

    @classmethod
    def litellm(cls, base_url: str) -> Provider:
        """A LiteLLM proxy, which often serves `dall-e-2` as an alias; its key from `LITELLM_API_KEY`."""
        return cls(name="litellm", base_url=base_url, key_variables=("LITELLM_API_KEY", "OPENAI_API_KEY"))

    @classmethod
    def localai(cls, base_url: str) -> Provider:
        """A LocalAI server: its image URLs are on its own origin and want the key too.

        Source: https://github.com/nextcloud/integration_openai/issues/138
        """
        return cls(
            name="localai",
            base_url=base_url,
            key_variables=("LOCALAI_API_KEY", "OPENAI_API_KEY"),
            images_need_key=True,
        )

    @classmethod
    def azure(
        cls, resource_url: str, *, deployment: str | None = None, api_version: str | None = None
    ) -> Provider:
        """Azure OpenAI at `https://<resource>.openai.azure.com`; the key is sent as `api-key`.

        `resource_url` may be a whole target URI as the portal shows it: what it says of deployment and
        version counts, unless an argument does. With a deployment, the classic path with `api-version`
        (required then); without, the v1 path, where `model` is the deployment's name, or with a version of
        2023 the path of that time, which makes images in the background. Raises `ConfigurationError` for
        what is no URL, and for a deployment without a version.
        """
        _, query = clean_base_url(resource_url, "resource_url")
        parts = urlsplit(resource_url.strip(STRAY))
        before, _, after = (parts.path.rstrip("/") + "/").partition("/openai/")
        if after.startswith("deployments/"):
            deployment = deployment or after.split("/")[1]
        version = api_version or query.get("api-version")
        if deployment and not version:
            raise ConfigurationError(
                "Azure's deployment path needs api_version, such as '2024-02-01', or ?api-version= in the URL"
            )
        submits = not deployment and (after.startswith(_SUBMIT[1:]) or str(version).startswith("2023-"))
        tail = f"/deployments/{deployment}" if deployment else "" if submits else "/v1"
        return cls(
            name="azure",
            base_url=f"{parts.scheme.lower()}://{parts.netloc}{before.rstrip('/')}/openai{tail}",
            key_variables=("AZURE_OPENAI_API_KEY",),
            paths={**_WITHOUT_BATCHES, "generate": _SUBMIT}
            if submits
            else _WITHOUT_BATCHES
            if deployment
            else DEFAULT_PATHS,
            auth_header="api-key",
            auth_scheme="",
            query={**query, "api-version": version} if version else query,
        )

    @classmethod
    def of_url(cls, base_url: str, source: str = "base_url") -> Provider:
        """The host that a URL alone tells of: Azure by its name, else any OpenAI-compatible one.

        Its key is read from `OPENAI_API_KEY`, for Azure first from its own variable. Raises
        `ConfigurationError` for what is no URL.
        """
        url, _ = clean_base_url(base_url, source)
        if not (urlsplit(url).hostname or "").endswith(_AZURE):
            return cls.custom(url)
        return cls.azure(base_url).replace(key_variables=("AZURE_OPENAI_API_KEY", "OPENAI_API_KEY"))


PROVIDERS: Mapping[str, Provider] = {
    "openai": Provider(
        name="openai",
        base_url="https://api.openai.com/v1",
        url_variables=("OPENAI_BASE_URL",),
        openai_like=True,
        official=True,
    ),
    # Base URL and variable names: https://apidoc.cometapi.com/ and the host's own SDK.
    "cometapi": Provider(
        name="cometapi",
        base_url="https://api.cometapi.com/v1",
        key_variables=("COMETAPI_KEY", "COMETAPI_API_KEY"),
        url_variables=("COMETAPI_BASE_URL",),
    ),
    "cometapi-responses": Provider(
        name="cometapi-responses",
        base_url="https://api.cometapi.com/v1",
        key_variables=("COMETAPI_KEY", "COMETAPI_API_KEY"),
        url_variables=("COMETAPI_BASE_URL",),
        wire="responses",
    ),
    "emulator": Provider(
        name="emulator", base_url=None, key_variables=(), default_key="sk-test", openai_like=True
    ),
}


def choose_provider(
    provider: str | Provider | None, base_url: str | None, environ: Mapping[str, str]
) -> Provider:
    """Which provider, before its URL and key. Raises `ConfigurationError` for an unknown name."""
    source = "provider"
    if provider is None:
        named = read_variable(environ, ("DALLE2_PROVIDER",))
        if named:
            provider, source = named[0].strip(STRAY), "DALLE2_PROVIDER"
        elif base_url is not None:
            return Provider.of_url(base_url)
        elif not variable_set(environ, ("OPENAI_API_KEY",)) and variable_set(
            environ, PROVIDERS["cometapi"].key_variables
        ):
            return PROVIDERS["cometapi"]
        else:
            url = read_variable(environ, PROVIDERS["openai"].url_variables)
            pasted = None if url is None else Provider.of_url(*url)
            return pasted if pasted is not None and pasted.name == "azure" else PROVIDERS["openai"]
    if isinstance(provider, Provider):
        return provider
    if not isinstance(provider, str) or provider not in PROVIDERS:
        raise ConfigurationError(
            f"{source} is {quoted(provider)}: known are {', '.join(PROVIDERS)}; any other host is "
            "base_url=..., or a Provider"
        )
    return PROVIDERS[provider]


def find_key(
    api_key: Secret | KeySource | None, provider: Provider, environ: Mapping[str, str]
) -> tuple[Secret, str]:
    """The key and where it came from. Raises `ConfigurationError` naming the variables if there is none."""
    if isinstance(api_key, KeySource):
        return Secret(""), "a function"
    if api_key is not None:
        return clean_key(api_key, "api_key"), "api_key"
    name = variable_set(environ, provider.key_variables)
    if name is not None:
        return clean_key(Secret(environ[name]), f"the variable {name}"), name
    if provider.default_key is not None:
        return Secret(provider.default_key), "default"
    names = list(provider.key_variables)
    if provider.name == "openai":  # nothing was chosen, so the other host's variable is worth naming too
        names.append("COMETAPI_KEY")
    raise ConfigurationError(
        f"there is no API key for {provider.name}: pass api_key=... or set {' or '.join(names)}"
        " (without a key, provider='emulator' paints test pictures locally)"
    )


def lost_dall_e(provider: Provider, base_url: str) -> bool:
    """Whether code written for DALL·E 2 may find it gone there: on OpenAI's own host, and CometAPI's."""
    if provider.name == "openai":
        return origin_of(base_url) == ("https", "api.openai.com", 443)
    return provider.name == "cometapi"
