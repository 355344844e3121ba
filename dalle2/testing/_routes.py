"""Which path means what, on which persona, and whether the key is right.

The rule: a path that the real host does not have is not found here either, so that a wrong base URL shows
in a test.
"""

from __future__ import annotations

import re
from typing import Literal
from urllib.parse import parse_qs, unquote

import attrs

from . import _refusals as refuse
from ._exchange import EmulatedRequest
from ._faults import Target
from ._personas import PersonaName

Kind = Literal[
    "generate",
    "edit",
    "vary",
    "models",
    "model",
    "moderate",
    "respond",
    "submit",
    "poll_response",
    "poll_images",
    "poll_operation",
    "upload",
    "files",
    "file",
    "content",
    "create_batch",
    "batches",
    "batch",
    "cancel_batch",
]

_ROUTES: tuple[tuple[str, str, Kind], ...] = (
    ("POST", r"images/generations", "generate"),
    ("POST", r"images/edits", "edit"),
    ("POST", r"images/variations", "vary"),
    ("GET", r"models", "models"),
    ("GET", r"models/(.+)", "model"),
    ("POST", r"moderations", "moderate"),
    ("POST", r"responses", "respond"),
    ("GET", r"responses/([^/]+)", "poll_response"),
    ("GET", r"images/generations/([^/]+)", "poll_images"),
    ("POST", r"images/generations:submit", "submit"),
    ("GET", r"operations/images/([^/]+)", "poll_operation"),
    ("POST", r"files", "upload"),
    ("GET", r"files", "files"),
    ("GET", r"files/([^/]+)", "file"),
    ("GET", r"files/([^/]+)/content", "content"),
    ("POST", r"batches", "create_batch"),
    ("GET", r"batches", "batches"),
    ("GET", r"batches/([^/]+)", "batch"),
    ("POST", r"batches/([^/]+)/cancel", "cancel_batch"),
)
_AZURE_2023 = r"(?=images/generations:submit|operations/)"
"""Where Azure made dall-e-2's images in the background. Source:
https://github.com/MicrosoftDocs/azure-docs/issues/123705
"""
_PREFIXES = {
    "azure": rf"/openai/(?:v1/|deployments/(?P<deployment>[^/]+)/|{_AZURE_2023})",
    "litellm": r"/(?:v1/)?",
}
_COMET_ONLY = ("poll_response", "poll_images")
_AZURE_ONLY = ("submit", "poll_operation")
_AZURE = ("generate", "edit", "models", "model")
_TARGETS: dict[Kind, Target] = {
    **dict.fromkeys(("generate", "edit", "vary", "respond", "submit", "create_batch"), "paid"),
    **dict.fromkeys(("upload", "content"), "file"),
    **dict.fromkeys(("files", "file", "batches", "batch"), "poll"),
}
"""Which faults wait for which requests."""
_BATCHES = ("upload", "files", "file", "content", "create_batch", "batches", "batch", "cancel_batch")


@attrs.frozen
class Route:
    """What is asked for."""

    kind: Kind
    argument: str = ""
    deployment: str | None = None

    @property
    def target(self) -> Target | None:
        """Which faults may befall it: `"paid"` says that answering it costs money."""
        return _TARGETS.get(self.kind)


def find_route(request: EmulatedRequest, persona: PersonaName) -> Route:
    """The route of a request; a refusal with 404 or 405 if the host has none."""
    prefix = re.match(_PREFIXES.get(persona, r"/v1/"), request.path)
    rest = request.path[prefix.end() :] if prefix is not None else ""
    deployment = prefix.groupdict().get("deployment") if prefix is not None else None
    methods = []
    for method, pattern, kind in _ROUTES:
        found = re.fullmatch(pattern, rest)
        if found is None or not _has(persona, kind, request, dated=deployment is not None):
            continue
        if method == request.method:
            argument = unquote(found[1]) if found.groups() else ""
            return Route(kind, argument, None if deployment is None else unquote(deployment))
        methods.append(method)
    if methods:
        raise refuse.method_not_allowed(request.method, request.path)
    raise refuse.unknown_url(request.method, request.path)


def _has(persona: PersonaName, kind: Kind, request: EmulatedRequest, *, dated: bool) -> bool:
    """Whether the host has such a route; on Azure's older ones only with a version."""
    if kind in _BATCHES:
        return persona in ("openai", "litellm")
    if persona != "azure":
        return kind not in _AZURE_ONLY and (kind not in _COMET_ONLY or persona == "cometapi")
    if dated or kind in _AZURE_ONLY:
        return kind in (*_AZURE, *_AZURE_ONLY) and "api-version" in parse_qs(request.query)
    return kind in _AZURE


def check_key(request: EmulatedRequest, persona: PersonaName, api_key: str) -> None:
    """Refuse a request whose key is missing or wrong."""
    given = request.headers.get("authorization", "")
    scheme, _, token = given.partition(" ")
    key = token.strip() if scheme.lower() == "bearer" else ""
    if persona == "azure":
        key = request.headers.get("api-key", key)
    if not key:
        raise refuse.missing_key()
    if key != api_key:
        raise refuse.wrong_key(key)
