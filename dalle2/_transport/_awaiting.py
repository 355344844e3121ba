"""The streams of awaited connections: `_patience` for them. Loaded by clients that await."""

from __future__ import annotations

import select
from typing import Any

from ._patience import Overheard, allowed


class AsyncAttended(Overheard):
    """Put over the class of an awaited stream."""

    def get_extra_info(self, info: str) -> Any:
        """`Overheard`'s, and bytes that lie unread in the layers, where no look at the socket shows them."""
        if info != "is_readable":
            return super().get_extra_info(info)
        if self.conversation.surplus or _more_came(self):
            return True
        if not (self.conversation.gathers and hasattr(select, "poll")):
            return super().get_extra_info(info)
        # What the libraries' streams do, too, which look for the socket in all of their layers each time.
        if self.conversation.socket is None:
            self.conversation.socket = super().get_extra_info("socket")
        number = self.conversation.socket.fileno()
        if number < 0:
            return True
        question = select.poll()
        question.register(number, select.POLLIN)
        return bool(question.poll(0))

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """The next bytes, within the exchange's time."""
        data: bytes = await super().read(self.conversation.at_once(max_bytes), allowed(timeout))
        self.conversation.heard(data)
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send bytes, within the exchange's time."""
        for piece in self._ask(buffer):
            if piece:
                await super().write(piece, allowed(timeout))


def _more_came(stream: object) -> bool:
    layer = getattr(stream, "_stream", None)
    while layer is not None:
        bio = getattr(layer, "_read_bio", None) or getattr(layer, "_incoming", None)
        if getattr(bio, "pending", 0) or getattr(getattr(layer, "_protocol", None), "read_queue", None):
            return True
        layer = getattr(layer, "transport_stream", None)
    return False
