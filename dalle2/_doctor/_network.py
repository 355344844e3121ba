"""The way to the host, as the environment sets it: proxies, and the certificates that are trusted.

The rule: what is set is told by the variable's name, what cannot work is told before anything is connected,
and a file that a variable names is looked at only if it is a regular one.
"""

from __future__ import annotations

import os
import ssl
import stat
from collections.abc import Mapping

from .._secrets import one_line, shown_url
from .._transport._proxies import proxy_for
from ..errors import ConfigurationError
from ..settings import Settings
from ._checked import Check

_NOT_READ = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
"""What other libraries take a company's own certificates from."""


def network(environ: Mapping[str, str], settings: Settings) -> list[Check]:
    """The proxy and the certificates on the way to the API's host; nothing if they are as usual."""
    if not settings.base_url:
        return []
    return [*_proxy(environ, settings), *_certificates(environ, settings.origin[0])]


def _proxy(environ: Mapping[str, str], settings: Settings) -> list[Check]:
    scheme, host, port = settings.origin
    try:
        named = proxy_for(scheme, host, port)
    except ConfigurationError as error:
        return [Check("proxy", "problem", str(error))]
    if named is not None:
        where = shown_url(named.url, 80)
        return [Check("proxy", "note", f"{named.variable} is set: calls go through {where}")]
    forms = [name for base in (f"{scheme}_proxy", "all_proxy") for name in (base, base.upper())]
    for name in forms:
        if environ.get(name, "").strip():
            return [Check("proxy", "note", f"{name} is set, but NO_PROXY excepts {host}")]
    return []


def _certificates(environ: Mapping[str, str], scheme: str) -> list[Check]:
    if scheme != "https":
        return []
    for name, problem_of in (("SSL_CERT_FILE", _file_problem), ("SSL_CERT_DIR", _folder_problem)):
        path = environ.get(name)
        if not path:
            continue
        shown = f"{name} names {one_line(path, 200)}"
        problem = problem_of(path)
        if problem:
            return [Check("TLS", "problem", f"{shown}, {problem}: mend it, or unset {name}")]
        return [Check("TLS", "note", f"{shown}: only the authorities in it are trusted")]
    for name in _NOT_READ:
        if environ.get(name):
            return [
                Check(
                    "TLS",
                    "note",
                    f"{name} is set, and not read here: for a company's own certificate authority set "
                    "SSL_CERT_FILE to the same file",
                )
            ]
    return []


def _file_problem(path: str) -> str | None:
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            return "which is no regular file"
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=path)
    except ssl.SSLError:
        return "which holds no certificates that can be read"
    except (OSError, ValueError) as error:
        return f"which cannot be read ({getattr(error, 'strerror', None) or error})"
    return None


def _folder_problem(path: str) -> str | None:
    return None if os.path.isdir(path) else "which is no directory"
