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
    from ._server import Serving

# By process id, locks too: a child must not wait for a lock that a thread of its parent held.
_locks: dict[int, threading.Lock] = {}
_running: dict[int, Serving] = {}


def embedded_base_url() -> str:
    """The base URL of the process's own emulator, such as `http://127.0.0.1:49152/v1`.

    Its key is `sk-test`.
    """
    with _own_lock():
        server = _running.get(os.getpid())
        if server is None:
            from ._app import Emulator

            server = Emulator(keep=1000).serve().start()
            _running[os.getpid()] = server
            atexit.register(stop_embedded)
    return server.base_url


def stop_embedded() -> None:
    """Stop the process's own emulator, if it runs; the next `embedded_base_url` starts another."""
    with _own_lock():
        server = _running.pop(os.getpid(), None)
        atexit.unregister(stop_embedded)
    if server is not None:
        server.close()


def _own_lock() -> threading.Lock:
    return _locks.setdefault(os.getpid(), threading.Lock())
