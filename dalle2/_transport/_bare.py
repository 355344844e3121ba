"""httpx's transports without its client around them, for connections of our own.

A client adds redirects, cookies, authentication, hooks and a log line to each call; requests here are built
whole and want none of it, and it is half of a call's cost. With a proxy in the environment the client stays:
it knows how to choose one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx


class BareClient:
    """The part of `httpx.Client` that is used here, over one transport."""

    __slots__ = ("_transport",)

    def __init__(self, transport: httpx.HTTPTransport) -> None:
        self._transport = transport

    def send(self, request: httpx.Request, **options: object) -> httpx.Response:
        """Send a request as it is; the body of the answer is still to come."""
        response = self._transport.handle_request(request)
        response.request = request
        return response

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()


class AsyncBareClient:
    """`BareClient`, awaited."""

    __slots__ = ("_transport",)

    def __init__(self, transport: httpx.AsyncHTTPTransport) -> None:
        self._transport = transport

    async def send(self, request: httpx.Request, **options: object) -> httpx.Response:
        """`BareClient.send`, awaited."""
        response = await self._transport.handle_async_request(request)
        response.request = request
        return response

    async def aclose(self) -> None:
        """Close the connections."""
        await self._transport.aclose()


def proxies_set() -> bool:
    """Whether the environment names a proxy."""
    from urllib.request import getproxies

    return any(scheme != "no" for scheme in getproxies())
