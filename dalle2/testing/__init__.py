"""Testing without spending: an emulator of the DALL·E 2 API.

Names only, resolved when they are first used, because pytest imports this package at every start. The rule
for what is behind them: nothing here imports the client's own wire code, or tests would prove the code
with itself.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ._app import Emulator
    from ._clock import Clock
    from ._exchange import BilledRequest, EmulatedRequest, EmulatedResponse
    from ._foreground import run
    from ._safety import TRIGGERS
    from ._server import Serving
    from .embedded import embedded_base_url, embedded_emulator
else:
    _HOMES = {
        "BilledRequest": "_exchange",
        "Clock": "_clock",
        "EmulatedRequest": "_exchange",
        "EmulatedResponse": "_exchange",
        "Emulator": "_app",
        "Serving": "_server",
        "TRIGGERS": "_safety",
        "embedded_base_url": "embedded",
        "embedded_emulator": "embedded",
        "run": "_foreground",
    }

    def __getattr__(name):
        home = _HOMES.get(name)
        if home is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        value = getattr(import_module(f".{home}", __name__), name)
        globals()[name] = value
        return value

    def __dir__():
        return sorted({*globals(), *__all__})


__all__ = [
    "TRIGGERS",
    "BilledRequest",
    "Clock",
    "EmulatedRequest",
    "EmulatedResponse",
    "Emulator",
    "Serving",
    "embedded_base_url",
    "embedded_emulator",
    "run",
]
