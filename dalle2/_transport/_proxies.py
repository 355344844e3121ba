"""Which proxy the environment names for a host: `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY`, and `NO_PROXY`.

The rule: what the library can use is used, and what it cannot is a `ConfigurationError` that names the
variable, before anything is sent. `NO_PROXY` is read as widely as people write it: names (with their
subdomains), addresses, ranges (`10.0.0.0/8`), IPv6 with or without brackets, each with or without a port,
`*`; separated by commas or blanks.
"""

from __future__ import annotations

import importlib.util
import os
from typing import TYPE_CHECKING, NamedTuple
from urllib.request import getproxies

from ..errors import ConfigurationError

if TYPE_CHECKING:
    import ipaddress
    from collections.abc import Mapping
    from types import ModuleType

USABLE = ("http", "https", "socks5", "socks5h")


class Named(NamedTuple):
    """A proxy, and the variable that names it. The URL may hold a password, and is never shown."""

    variable: str
    url: str


def proxy_for(scheme: str, host: str, port: int) -> Named | None:
    """The proxy for an origin, or `None` for a direct connection. Raises `ConfigurationError`."""
    found: Mapping[str, str] = getproxies()
    which = scheme if found.get(scheme, "").strip() else "all"
    url = found.get(which, "").strip()
    if not url or bypassed(found.get("no", ""), host, port):
        return None
    names = (f"{which}_proxy", f"{which}_proxy".upper())
    variable = next(
        (name for name in names if os.environ.get(name, "").strip()), "the system's proxy setting"
    )
    kind, mark, rest = url.partition("://")
    if not mark:
        return Named(variable, f"http://{url}")
    kind = kind.lower()
    if kind not in USABLE:
        advice = "write socks5://" if kind.startswith("socks") else f"write http:// or {USABLE[2]}://"
        raise ConfigurationError(
            f"{variable} names a proxy by {kind}://, which cannot be used: {advice}, "
            f"or put {host} into NO_PROXY"
        )
    if kind.startswith("socks") and importlib.util.find_spec("socksio") is None:
        raise ConfigurationError(
            f"{variable} names a SOCKS proxy, which needs one more package: pip install 'httpx[socks]'; "
            f"or put {host} into NO_PROXY"
        )
    return Named(variable, f"{kind}://{rest}")


def readable(lib: ModuleType, named: Named) -> object:
    """The library's proxy. Raises `ConfigurationError` for a URL that it cannot read."""
    try:
        proxy: object = lib.Proxy(named.url)
        if lib.URL(named.url).host:
            return proxy
    except (lib.InvalidURL, ValueError):
        pass
    raise ConfigurationError(
        f"{named.variable} holds no proxy that can be read: write http://HOST:PORT (its value is not shown, "
        "it may hold a password)"
    )


def bypassed(no_proxy: str, host: str, port: int) -> bool:
    """Whether `NO_PROXY` says that a host is called directly."""
    host = host.strip("[]").rstrip(".").lower()
    return any(_matches(entry, host, port) for entry in no_proxy.replace(",", " ").split())


def _matches(entry: str, host: str, port: int) -> bool:
    entry = entry.rpartition("://")[2].lower()
    name, wanted = entry, ""
    if entry.startswith("["):
        name, _, wanted = entry[1:].partition("]")
    elif entry.count(":") == 1:
        name, _, wanted = entry.partition(":")
    wanted = wanted.lstrip(":")
    if wanted and wanted != str(port):
        return False
    if name == "*":
        return True
    name = name.removeprefix("*").strip(".")
    if not name:
        return False
    if host == name or host.endswith("." + name):
        return True
    address = _address(host)
    return address is not None and _in_range(address, name)


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    import ipaddress

    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _in_range(address: ipaddress.IPv4Address | ipaddress.IPv6Address, name: str) -> bool:
    import ipaddress

    try:
        return address in ipaddress.ip_network(name, strict=False)
    except ValueError:
        return False
