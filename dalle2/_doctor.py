"""Is everything ready for a paid call? Asked without spending anything.

What is looked at: the key's shape (never the key), the host, proxy and TLS, the model that would be called and its end, and what usual
arguments become on its successor. One free request is made, for the list of models.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Literal

import attrs

from . import catalog
from . import errors as e
from ._client import Client
from ._redact import one_line
from ._requests import GenerateRequest
from ._successor import adapt, check_successor
from .providers import Provider
from .retry import RetryPolicy
from .settings import Settings, resolve

Status = Literal["ok", "warning", "problem"]


@attrs.frozen
class Check:
    """One thing looked at: its name, how it is, and what to do about it."""

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
    checks = [_key(settings)]
    checks += _proxy(environ, settings)
    dates: dict[str, date | None] = {}
    checks.append(_host(settings, provider, base_url, dates))
    models = catalog.with_dates(dates)
    checks.append(_model(settings, today, models, listed=settings.model in dates))
    checks += _on_successor(settings, successor, today, models)
    return checks


def _key(settings: Settings) -> Check:
    length = len(settings.key.reveal())
    shape = f"from {settings.key_from}, {length} characters"
    if settings.provider.name == "emulator":
        return Check("key", "ok", "the emulator needs none")
    if settings.provider.official and not settings.key.reveal().startswith("sk-"):
        return Check("key", "warning", f"{shape}, and does not begin with 'sk-' as OpenAI's keys do")
    return Check(
        "key", "ok" if length >= 20 else "warning", shape + ("" if length >= 20 else ", which is short")
    )


def _proxy(environ: Mapping[str, str], settings: Settings) -> list[Check]:
    """Proxies are read by httpx from the environment."""
    scheme = settings.base_url.partition(":")[0] or "http"
    for name in (f"{scheme}_proxy", "all_proxy"):
        for form in (name, name.upper()):
            if environ.get(form):
                shown = environ[form].rpartition("@")[2]
                return [Check("proxy", "ok", f"{form} is set: calls go through {one_line(shown, 80)}")]
    return []


def _host(
    settings: Settings, provider: str | Provider | None, base_url: str | None, dates: dict[str, date | None]
) -> Check:
    place = settings.base_url or "the embedded emulator"
    secure = "over TLS" if place.startswith("https") else "without TLS"
    try:
        with Client(
            settings.key.reveal(),
            provider=provider if provider is not None else settings.provider,
            base_url=base_url,
            timeout=20.0,
            retry=RetryPolicy.none(),
        ) as client:
            rows = client.list_models()
    except (e.AuthenticationError, e.PermissionDeniedError) as error:
        return Check("host", "problem", f"{place} answers, and refuses the key: {error}")
    except e.APIStatusError as error:
        return Check(
            "host",
            "warning",
            f"{place} answers {secure}, but gives no list of models: HTTP {error.status_code}",
        )
    except e.DecodeError:
        return Check("host", "warning", f"{place} answers {secure}, but gives no list of models")
    except e.Dalle2Error as error:
        return Check("host", "problem", str(error))
    dates.update({row.id: row.shutdown_date for row in rows})
    return Check(
        "host", "ok", f"{place} answers {secure}, the key is accepted, {len(rows)} models are listed"
    )


def _model(settings: Settings, today: date, models: Mapping[str, catalog.Model], *, listed: bool) -> Check:
    name = settings.model
    known = catalog.find(name, models=models)
    here = settings.provider.official
    where = "" if here else " by OpenAI; this host decides for itself"
    follows = catalog.successor_of(name, today, models=models)
    way = f": use {follows}, or Client(successor='auto')" if follows else ""
    if known is None:
        return Check("model", "ok", f"{name} is not in the catalogue: requests for it are not checked")
    if catalog.retired(name, today, models=models):
        status: Status = "problem" if here else "ok" if listed else "warning"
        return Check("model", status, f"{name} was retired on {known.retired_on}{where}{way}")
    soon = catalog.retiring_within(name, today, models=models)
    if soon is not None:
        return Check("model", "warning", f"{name} ends on {soon}{where}{way}")
    return Check("model", "ok", f"{name} lives" + (f" until {known.retired_on}" if known.retired_on else ""))


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
    changes: dict[str, str] = {}
    for size in ("256x256", "512x512", "1024x1024"):
        request = GenerateRequest(prompt="-", model=settings.model, size=size, response_format="url")
        for change in adapt(request, heir, today=today, models=models).adaptations:
            if change.field != "model":
                changes[f"{change.field}={change.asked}"] = str(change)
    return [Check(f"on {heir}", "ok", text) for text in changes.values()]
