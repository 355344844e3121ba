"""The only place that knows httpx (and its twin httpx2): one exchange, and what went wrong in it."""

from __future__ import annotations

from ._async import AsyncAnswer, AsyncTransport
from ._shared import AsyncHttpClient, HttpClient
from ._sync import Answer, Transport

__all__ = ["Answer", "AsyncAnswer", "AsyncHttpClient", "AsyncTransport", "HttpClient", "Transport"]
