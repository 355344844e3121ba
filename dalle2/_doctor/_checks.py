"""Is everything ready for a paid call? Asked without spending anything.

What is looked at: the key's shape (never the key), the host, proxy and TLS, the model that would be called
and its end, and what usual arguments become on its successor. One free request is made, for the list of
models.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Literal
from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]

import attrs

from .. import catalog
from .. import errors as e
from .._client import Client
from .._requests._inputs import InputImage
from .._requests._pictures import mask_from_box
from .._requests._successor import adapt, check_successor
from .._requests._values import EditRequest, GenerateRequest, VariationRequest
from .._secrets import shown_url
from ..retry import RetryPolicy
from ..settings import Settings, resolve

if TYPE_CHECKING:
    from .._requests._values import Request
    from ..providers import Provider

Status = Literal["ok", "note", "warning", "problem"]
SHORTEST = 20
"""Characters: no host gives out shorter keys."""


@attrs.frozen
class Check:
    """One thing looked at: its name, how it is, and what to do about it. A `note` is neither good nor bad."""

    name: str
    status: Status
    detail: str


def diagnose(
    environ: Mapping[str, str],
    *,
    provider: str | Provider | None = None,
    base_url: str | None = None,
    model: str | None = None,
    successor: str = "auto",
    today: date,
) -> list[Check]:
    """All checks, in the order in which a call would meet the problems. Never raises for what it looks at."""
    try:
        settings = resolve(environ, provider=provider, base_url=base_url, model=model)
    except e.ConfigurationError as error:
        return [Check("settings", "problem", str(error))]
    host, dates = _host(settings)
    models = catalog.with_dates(dates)
    return [
        _key(settings),
        *_proxy(environ, settings),
        host,
        _model(settings, today, models, dates),
        *_on_successor(settings, successor, today, models),
    ]


def _key(settings: Settings) -> Check:
    key = settings.key.reveal()
    shape = f"{len(key)} characters, from {settings.key_from}"
    if settings.provider.name == "emulator":
        return Check("key", "ok", "the emulator on board needs none")
    if key[0] in "\"'" or key[-1] in "\"'":
        return Check("key", "problem", f"{shape}; it stands in quotation marks: take them off")
    if settings.provider.official and not key.startswith("sk-"):
        return Check("key", "warning", f"{shape}; OpenAI's keys begin with 'sk-', and this one does not")
    if len(key) < SHORTEST:
        return Check("key", "warning", f"{shape}; that is short for a key: was it copied whole?")
    return Check("key", "ok", shape)


def _proxy(environ: Mapping[str, str], settings: Settings) -> list[Check]:
    """Proxies are read from the environment, as the HTTP library does."""
    scheme = settings.base_url.partition(":")[0]
    forms = [name for base in (f"{scheme}_proxy", "all_proxy") for name in (base, base.upper())]
    name = next((form for form in forms if scheme and environ.get(form)), None)
    if name is None:
        return []
    excepted = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
    if proxy_bypass_environment(settings.host, {"no": excepted}):
        return [Check("proxy", "note", f"{name} is set, but NO_PROXY excepts {settings.host}")]
    return [Check("proxy", "note", f"{name} is set: calls go through {shown_url(environ[name], 80)}")]


def _host(settings: Settings) -> tuple[Check, dict[str, date | None]]:
    """Whether the host answers, and the models that it lists, with their ends."""
    place = settings.base_url or "the emulator on board"
    secure = {"https": " over TLS", "http": " without TLS"}.get(settings.base_url.partition(":")[0], "")
    try:
        with Client(
            settings.key.reveal(),
            provider=settings.provider,
            base_url=settings.base_url or None,
            organization=settings.organization,
            project=settings.project,
            timeout=20.0,
            retry=RetryPolicy.none(),
        ) as client:
            rows = client.list_models()
    except (e.AuthenticationError, e.PermissionDeniedError) as error:
        return Check("host", "problem", f"{place} answers{secure}, and refuses the key: {error}"), {}
    except (e.APIStatusError, e.DecodeError) as error:
        status = getattr(error, "status_code", None)
        why = f": HTTP {status}" if status else ""
        return Check("host", "warning", f"{place} answers{secure}, but lists no models{why}"), {}
    except e.Dalle2Error as error:
        return Check("host", "problem", str(error)), {}
    detail = f"{place} answers{secure}, accepts the key and lists {len(rows)} models"
    return Check("host", "ok", detail), {row.id: row.shutdown_date for row in rows}


def _model(
    settings: Settings,
    today: date,
    models: Mapping[str, catalog.Model],
    listed: Mapping[str, date | None],
) -> Check:
    name = settings.model
    known = catalog.find(name, models=models)
    missing = bool(listed) and name not in listed
    if known is None:
        if missing:
            return Check("model", "warning", f"{name} is not in the host's list: is it spelt right?")
        return Check("model", "ok", f"{name} is not known to this package: its requests are sent unchecked")
    follows = catalog.successor_of(name, today, models=models)
    way = f": use {follows}, or Client(successor='auto')" if follows else ""
    if catalog.retired(name, today, models=models):
        return _retired(settings, f"{name} was retired on {known.retired_on}", way, name in listed, missing)
    soon = catalog.retiring_within(name, today, models=models)
    if soon is not None:
        return Check("model", "warning", f"{name} ends on {soon}{way}")
    if missing:
        return Check("model", "warning", f"{name} is not in the host's list: does the key have access to it?")
    return Check("model", "ok", f"{name} lives" + (f" until {known.retired_on}" if known.retired_on else ""))


def _retired(settings: Settings, end: str, way: str, listed: bool, missing: bool) -> Check:
    """OpenAI's dates hold for its own host; any other one says by its list what it still serves."""
    if listed:
        return Check("model", "ok", f"{end} by OpenAI; this host still lists it")
    if missing or (settings.provider.official and settings.host == "api.openai.com"):
        return Check("model", "problem", end + way)
    return Check("model", "warning", f"{end} by OpenAI; this host decides for itself. If it refuses{way}")


def _on_successor(
    settings: Settings, successor: str, today: date, models: Mapping[str, catalog.Model]
) -> list[Check]:
    """What usual requests become, so that a reader sees it before anything is changed."""
    if not settings.model.startswith("dall-e") and not catalog.retired(settings.model, today, models=models):
        return []
    try:
        heir = check_successor(successor, today, models)
    except e.ConfigurationError as error:
        return [Check("successor", "problem", str(error))]
    image = (InputImage.of(mask_from_box(16, (0, 0, 8, 8))),)
    usual: list[Request] = [
        GenerateRequest(prompt="-", model=settings.model, size=size, response_format="url")
        for size in ("256x256", "512x512")
    ]
    if settings.model == "dall-e-2":
        usual.append(EditRequest(image=image, prompt="-", model=settings.model, size="1024x1024"))
        usual.append(VariationRequest(image=image, model=settings.model, size="1024x1024"))
    changes = [
        str(change)
        for request in usual
        for change in adapt(request, heir, today=today, models=models).adaptations
        if change.field != "model"
    ]
    return [Check(f"on {heir}", "note", text) for text in dict.fromkeys(changes)]
