"""The official clients for Azure, and what they are made from."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Unpack

from .._secrets import Secret
from ..errors import ConfigurationError
from ._arguments import given_of, hidden
from ._behind import Azure
from ._error_tree import SDK, officially
from ._official import AsyncOpenAI, ClientOptions, OpenAI

if TYPE_CHECKING:
    from .._transport._callers import AsyncHttpClient, HttpClient
    from ._official import ApiKey, AsyncApiKey


class AzureOptions(ClientOptions, total=False):
    """What an Azure client takes besides."""

    azure_endpoint: str | None
    azure_deployment: str | None
    api_version: str | None
    azure_ad_token: str | None
    azure_ad_token_provider: Callable[[], str | Awaitable[str]] | None


def azure_given(options: Mapping[str, Any], environ: Mapping[str, str]) -> dict[str, Any]:
    """What a client on Azure is made from. Raises `ConfigurationError`, naming argument and variable."""
    given = given_of(hidden(options))
    endpoint, version = given.pop("azure_endpoint", None), given.pop("api_version", None)
    deployment, base_url = given.pop("azure_deployment", None), given.pop("base_url", None)
    tokens = [given.pop(name, None) for name in ("azure_ad_token", "azure_ad_token_provider")]
    token = next((one for one in tokens if one is not None), None)
    if token is None and given.get("api_key") is None and environ.get("AZURE_OPENAI_AD_TOKEN"):
        token = Secret(environ["AZURE_OPENAI_AD_TOKEN"])
    version = version or environ.get("OPENAI_API_VERSION")
    if not version:
        raise ConfigurationError("Azure needs api_version=... or the variable OPENAI_API_VERSION")
    if base_url is None:
        endpoint = endpoint or environ.get("AZURE_OPENAI_ENDPOINT")
        if not endpoint:
            raise ConfigurationError("Azure needs azure_endpoint=... or the variable AZURE_OPENAI_ENDPOINT")
        base_url = endpoint.rstrip("/") + "/openai"
    elif endpoint is not None:
        raise ConfigurationError("give base_url or azure_endpoint, not both")
    if token is not None:
        given["api_key"] = token
    root = str(base_url).rstrip("/")
    return {**given, "azure": Azure(root, deployment, version, token is not None)}


class AzureOpenAI(OpenAI):
    """The official client for Azure. The deployment is `azure_deployment`, else the `model` of each call.

    Credentials: `api_key`, else `azure_ad_token` or `azure_ad_token_provider` (asked before each attempt),
    else the variables `AZURE_OPENAI_AD_TOKEN` and `AZURE_OPENAI_API_KEY`.
    """

    def __init__(
        self,
        *,
        api_key: ApiKey = None,
        http_client: HttpClient | None = None,
        **options: Unpack[AzureOptions],
    ) -> None:
        key, api_key = hidden({"api_key": api_key}), None
        with officially(SDK, ""):
            given = azure_given({**key, "http_client": http_client, **hidden(options)}, os.environ)
        self._start(given)


class AsyncAzureOpenAI(AsyncOpenAI):
    """`AzureOpenAI`, awaited."""

    def __init__(
        self,
        *,
        api_key: AsyncApiKey = None,
        http_client: AsyncHttpClient | None = None,
        **options: Unpack[AzureOptions],
    ) -> None:
        key, api_key = hidden({"api_key": api_key}), None
        with officially(SDK, ""):
            given = azure_given({**key, "http_client": http_client, **hidden(options)}, os.environ)
        self._start(given)
