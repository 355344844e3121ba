"""The checksum that some stores send along (`Content-MD5`); it is loaded only for an answer that has one."""

from __future__ import annotations

import base64
import hashlib


class Digest:
    """The checksum that was announced, and that of what has come."""

    def __init__(self, announced: bytes) -> None:
        self._announced = announced
        self.restart()

    def restart(self) -> None:
        """Forget what has come."""
        self._come = hashlib.md5(usedforsecurity=False)

    def update(self, chunk: bytes) -> None:
        """Take the next bytes."""
        self._come.update(chunk)

    def agrees(self) -> bool:
        """Whether what has come is what was announced."""
        return self._come.digest() == self._announced


def digest_of(header: str) -> Digest | None:
    """The checksum of such a header; `None` if it holds none."""
    try:
        announced = base64.b64decode(header, validate=True)
    except ValueError:
        return None
    return Digest(announced) if len(announced) == 16 else None
