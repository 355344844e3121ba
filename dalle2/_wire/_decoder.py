"""What decodes the long base64 of an answer: pybase64 where it is installed (extra `fast`), else `binascii`.

The rule: both take and refuse the same, and pybase64 takes a fiftieth of the time. Loaded with the first
image that comes along in its answer.
"""

from __future__ import annotations

import binascii
import functools
import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def decode(groups: bytes | memoryview) -> bytes | None:
    """The bytes of whole groups; `None` if they are not all full, or no base64."""
    try:
        decoded = _strictly()(groups)
    except ValueError:
        return None
    # Fewer bytes: padding, whose text would be lost.
    return decoded if len(decoded) == len(groups) // 4 * 3 else None


@functools.cache
def _strictly() -> Callable[[bytes | memoryview], bytes]:
    try:
        found = importlib.import_module("pybase64").b64decode
    except ImportError:
        return functools.partial(binascii.a2b_base64, strict_mode=True)
    return functools.partial(found, validate=True)
