"""The only place that knows httpcore, httpx and its twin httpx2: one exchange, and what went wrong in it.

Blocking exchanges are in `_sync`, awaited ones in `_async`: a client loads only its own.
"""
