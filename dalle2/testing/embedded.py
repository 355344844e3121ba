"""One emulator for the whole process, started when it is first asked for.

The rule: it listens on loopback only, costs nothing until used, and never keeps a process alive. A forked
child starts its own, because threads do not survive a fork.
"""

from __future__ import annotations

import atexit
import os
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._app import Emulator
    from ._server import Serving

# By process id, locks too: a child must not wait for a lock that a thread of its parent held.
_locks: dict[int, threading.Lock] = {}
_running: dict[int, tuple[Serving, Emulator]] = {}


def embedded_base_url() -> str:
    """The base URL of the process's own emulator, such as `http://127.0.0.1:49152/v1`.

    Its key is `sk-test`.
    """
    return _embedded()[0].base_url


def embedded_emulator() -> Emulator:
    """The process's own emulator, which `provider="emulator"` calls: its clock, its bills, its faults."""
    return _embedded()[1]


def _embedded() -> tuple[Serving, Emulator]:
    with _own_lock():
        running = _running.get(os.getpid())
        if running is None:
            from ._app import Emulator

            emulator = Emulator(keep=1000)
            running = _running[os.getpid()] = emulator.serve().start(), emulator
            atexit.register(stop_embedded)
    return running


def stop_embedded() -> None:
    """Stop the process's own emulator, if it runs; the next `embedded_base_url` starts another."""
    with _own_lock():
        running = _running.pop(os.getpid(), None)
        atexit.unregister(stop_embedded)
    if running is not None:
        running[0].close()


def _own_lock() -> threading.Lock:
    return _locks.setdefault(os.getpid(), threading.Lock())
