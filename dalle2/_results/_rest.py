"""Decides whether a part of an image is the rest that was asked for. It is loaded only for such a part.

The rule: bytes of two objects are never mixed. Some stores ignore `If-Match`, some caches answer from another
object or with another piece: only a part that names the same object, begins where the download broke off,
goes to the end and is as long as it says is put behind what is here. For anything else it begins anew.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_RANGE = "bytes ([0-9]{1,15})-([0-9]{1,15})/([0-9]{1,15})"


def total_of_rest(headers: Mapping[str, str], etag: str | None, size: int) -> int | None:
    """How large the whole object is, if this part of it goes from byte `size` to its end; else `None`.

    `etag` is the strong entity tag of the object that was begun.
    """
    told = re.fullmatch(_RANGE, headers.get("content-range", "").lower())
    if told is None or etag is None or headers.get("etag") != etag:
        return None
    start, end, total = map(int, told.groups())
    rest = str(total - size)
    if (start, end) != (size, total - 1) or headers.get("content-length", rest) != rest:
        return None
    return total
