"""The clients of ours behind an official one: made from the official constructor's arguments.

The rule: whatever official clients are derived from one another (`with_options`, a deployment of Azure for
each model, `extra_query`) share its connections, and no argument is dropped without a word.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, Self, TypeVar, cast
from urllib.parse import quote

from ..errors import InvalidRequestError
from ..providers import Provider
from ..retry import RetryPolicy
from ._arguments import given_of, query_of

if TYPE_CHECKING:
    from ..settings import Settings
    from ._arguments import Order

C = TypeVar("C")

_LIGHT = {"timeout", "max_retries", "default_headers", "successor"}
"""What a client of ours can change without being made anew."""
_LIGHT_OURS = {"timeout", "retry", "headers", "successor"}


class Azure(NamedTuple):
    """Where an Azure resource is asked: `root` ends where `/deployments` begins.

    Without a deployment the model's name is one, as the SDK has it; with `submit` (2022) there is none and
    the images are made in the background. `token`: the key is one of Entra.
    """

    root: str
    deployment: str | None
    api_version: str
    token: bool
    submit: bool = False

    @property
    def by_model(self) -> bool:
        """Whether each call has its deployment from its model."""
        return not (self.deployment or self.submit or "/deployments/" in self.root)

    def provider(self, model: str | None) -> Provider:
        """The host for a model; without any, the one for calls that belong to no deployment."""
        deployment = self.deployment or model
        here = "/deployments/" in self.root or not deployment
        base = self.root if here else f"{self.root}/deployments/{quote(str(deployment), safe='')}"
        made = Provider.azure(self.root, deployment=deployment, api_version=self.api_version)
        made = made._replace(base_url=base)
        if self.submit:
            made = made._replace(paths={**made.paths, "generate": "/images/generations:submit"})
        return made._replace(auth_header="Authorization", auth_scheme="Bearer") if self.token else made


class Behind(Generic[C]):
    """What an official client holds: a client of ours, and what was given to make it."""

    def __init__(self, kind: type[C], given: Mapping[str, Any], *, on: Behind[C] | None = None) -> None:
        self.kind = kind
        self.given: dict[str, Any] = dict(given)
        self.azure: Azure | None = given.get("azure")
        changed = {name for name in given if on is None or given[name] != on.given.get(name)}
        if on is not None and changed <= _LIGHT:
            light = {name: value for name, value in _ours(given).items() if name in _LIGHT_OURS}
            self.client: C = cast("Any", on.client).with_options(**light)
        else:
            self.client = self._made(on if "http_client" not in changed else None)
        self._deployed: dict[str, C] = {}

    def _made(self, on: Behind[C] | None) -> Any:
        ours = _ours(self.given)
        if self.azure is not None:
            ours |= {"provider": self.azure.provider(None), "base_url": None}
            ours["model"] = self.azure.deployment or ours.get("model")
        made: Any = self.kind(**ours)
        if on is not None:
            made._setup(made._session, cast("Any", on.client)._transport, False)
        return _with_query(made, self.given.get("default_query") or {}, "default_query")

    def changed(self, changes: Mapping[str, Any]) -> Self:
        """The same with other arguments, on the same connections."""
        changes = given_of(changes)
        given = self.given | changes
        for name in ("default_headers", "default_query"):
            if f"set_{name}" in given:
                given[name] = given.pop(f"set_{name}")
            elif name in changes:
                given[name] = {**(self.given.get(name) or {}), **changes[name]}
        tokens = [given.pop(name, None) for name in ("azure_ad_token", "azure_ad_token_provider")]
        version = given.pop("api_version", None)
        if self.azure is not None:
            token = next((one for one in tokens if one is not None), None)
            given["api_key"] = given.get("api_key") if token is None else token
            given["azure"] = self.azure._replace(
                api_version=version or self.azure.api_version,
                token=token is not None or (self.azure.token and "api_key" not in changes),
            )
        return type(self)(self.kind, given, on=self)

    def of(self, order: Order) -> C:
        """The client for a call. Raises `InvalidRequestError`."""
        client: Any = self.client
        if self.azure is not None and self.azure.by_model:
            client = self._on_deployment(self.azure, order.model)
        found: C = _with_query(client, order.query, "extra_query")
        return found

    def _on_deployment(self, azure: Azure, model: str | None) -> C:
        if model is None:
            raise InvalidRequestError(
                "Azure needs the name of a deployment: give azure_deployment=... or model=...", field="model"
            )
        if model not in self._deployed:
            provider = azure.provider(model)._replace(query=self.settings.provider.query)
            self._deployed[model] = _with_provider(self.client, provider)
        return self._deployed[model]

    def asked_with(self, query: Mapping[str, object]) -> C:
        """The client for a call that belongs to no model. Raises `InvalidRequestError`."""
        found: C = _with_query(self.client, query, "extra_query")
        return found

    def url(self, path: str) -> str:
        """Where a path of the API is."""
        return self.settings.base_url + path

    @property
    def settings(self) -> Settings:
        """What the client of ours works with."""
        found: Settings = cast("Any", self.client)._session.settings
        return found


def _ours(given: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of our constructor."""
    names = ("api_key", "organization", "project", "http_client", "provider", "successor", "budget",
             "on_event", "timeout", "model")  # fmt: skip
    ours = {name: given[name] for name in names if name in given}
    if given.get("base_url") is not None:
        ours["base_url"] = str(given["base_url"])
    ours["headers"] = given.get("default_headers")
    ours["retry"] = RetryPolicy(max_attempts=given.get("max_retries", 2) + 1)
    return ours


def _with_provider(client: Any, provider: Provider) -> Any:
    """The client on another address of its host, with its connections and all that it learnt."""
    return client._on(client._session.at(provider))


def _with_query(client: Any, query: Mapping[str, object], field: str) -> Any:
    if not query:
        return client
    settings = client._session.settings
    more = {**settings.provider.query, **query_of(query, field)}
    return _with_provider(client, settings.provider._replace(query=more, base_url=settings.base_url))
