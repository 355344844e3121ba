"""Which certificates are trusted: the process's one TLS context, and where its authorities come from."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from ..errors import ConfigurationError

if TYPE_CHECKING:
    import ssl

_contexts: dict[tuple[str | None, ...], ssl.SSLContext] = {}


def tls_context() -> ssl.SSLContext:
    """The process's one TLS context, built at the first https contact: it costs more than many calls."""
    names = tuple(os.environ.get(name) for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE"))
    if names not in _contexts:
        try:
            _contexts[names] = _built(names[0], names[1])
        except OSError as problem:
            reason = str(problem)
        else:
            return _contexts[names]
        raise ConfigurationError(
            f"the trusted certificates cannot be read ({reason}): check SSL_CERT_FILE and SSL_CERT_DIR"
        )
    return _contexts[names]


def _built(file: str | None, folder: str | None) -> ssl.SSLContext:
    """By httpx where it is loaded, since somebody may have put another function in the place of its own; else
    as that one does: the authorities of certifi, unless the environment names others.
    """
    import ssl

    theirs = getattr(sys.modules.get("httpx"), "create_ssl_context", None)
    if theirs is not None:
        made: ssl.SSLContext = theirs()
        return made
    if file:
        return ssl.create_default_context(cafile=file)
    if folder:
        return ssl.create_default_context(capath=folder)
    try:
        import certifi
    except ImportError:  # the libraries do without it
        return ssl.create_default_context()
    return ssl.create_default_context(cafile=certifi.where())
