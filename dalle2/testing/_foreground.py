"""The emulator's server in the foreground, until a signal ends it."""

from __future__ import annotations

import signal
import threading
from types import FrameType

from ._app import Emulator


def run(
    host: str = "127.0.0.1", port: int = 8000, api_key: str = "sk-test", *, emulator: Emulator | None = None
) -> None:
    """Serve until SIGTERM or SIGINT, then return; prints the base URL on a line of its own once it is ready.

    For the main thread of a program. `OSError` if the port is taken. Serves `emulator`, else one that
    remembers only the last thousand requests and images, so that it can run for days.
    """

    stop = threading.Event()

    def end(signum: int, frame: FrameType | None) -> None:
        stop.set()

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        served = Emulator(api_key=api_key, keep=1000) if emulator is None else emulator
        with served.serve(host, port) as server:
            print(server.base_url, flush=True)
            stop.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
