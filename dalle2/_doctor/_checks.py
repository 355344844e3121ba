"""Is everything ready for a paid call? Asked without spending anything.

What is looked at: the key's shape (never the key), proxy and certificates, the host, and what would become
of a call there. One free request is made, for the list of models. Whatever is wrong with what is looked at,
the other looks go on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import TYPE_CHECKING

from .. import catalog
from .. import errors as e
from .._client import Client
from .._secrets import Secret, one_line, redact
from ..retry import RetryPolicy
from ..settings import Settings, resolve
from ._checked import Check
from ._network import network
from ._prospects import Prospects

if TYPE_CHECKING:
    from ..providers import Provider

SHORTEST = 20
"""Characters: no host gives out shorter keys."""
_NO_KEY = Secret("")


def diagnose(
    environ: Mapping[str, str],
    *,
    provider: str | Provider | None = None,
    base_url: str | None = None,
    model: str | None = None,
    today: date,
) -> list[Check]:
    """All checks, in the order in which a call would meet the problems. Never raises for what it looks at."""
    try:
        settings = resolve(environ, provider=provider, base_url=base_url, model=model)
    except Exception as error:
        return [_failed("settings", error)]
    key = settings.key
    checks = _looked("key", lambda: [_key(settings)], key)
    way = _looked("network", lambda: network(environ, settings), key)
    listed: dict[str, date | None] = {}
    if any(check.status == "problem" for check in way):
        way.append(Check("host", "note", "not asked, since no call can reach it"))
    else:
        way += _looked("host", lambda: [_host(settings, listed)], key)
    prospects = Prospects(settings, catalog.with_dates(listed), listed, today)
    return checks + way + _looked("model", prospects.checks, key)


def _looked(name: str, look: Callable[[], list[Check]], key: Secret) -> list[Check]:
    try:
        return look()
    except Exception as error:
        return [_failed(name, error, key)]


def _failed(name: str, error: Exception, key: Secret = _NO_KEY) -> Check:
    if isinstance(error, e.Dalle2Error):
        return Check(name, "problem", str(error))
    reason = one_line(redact(f"{type(error).__name__}: {error}", key=key.reveal()))
    return Check(name, "problem", f"this cannot be looked at ({reason})")


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


def _host(settings: Settings, listed: dict[str, date | None]) -> Check:
    """Whether the host answers; the models that it lists, with their ends, are put into `listed`."""
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
        return Check("host", "problem", f"{place} answers{secure}, and refuses the key: {error}")
    except (e.APIStatusError, e.DecodeError) as error:
        status = getattr(error, "status_code", None)
        why = f": HTTP {status}" if status else ""
        return Check("host", "warning", f"{place} answers{secure}, but lists no models{why}")
    except e.Dalle2Error as error:
        return Check("host", "problem", str(error))
    listed.update((row.id, row.shutdown_date) for row in rows)
    detail = f"{place} answers{secure}, accepts the key and lists {len(rows)} models"
    return Check("host", "ok", detail)
