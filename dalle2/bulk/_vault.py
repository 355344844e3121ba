"""What was paid for, from the moment it arrives until it is in its place.

The rule: bytes that exist nowhere else are spooled before anything else is done with them, and what follows
from an answer is written before it is acted on. Where the disk refuses, the answer stays in memory, the room
that was kept free is given up, and in the end it is saved wherever that is possible.
"""

from __future__ import annotations

import errno
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import attrs

from ..errors import DecodeError, OutcomeUnknownError
from ._ballast import Ballast
from ._receipt import Receipt
from ._spool import Spool

if TYPE_CHECKING:
    from ._journal import Change, Journal, Order

T = TypeVar("T")


@attrs.frozen
class Came:
    """What came of a call: a receipt, or an error, or both; neither if it was not made. `spooled` is how many
    bytes are safe, and `None` if they could not be made safe.
    """

    order: Order
    receipt: Receipt | None = None
    error: BaseException | None = None
    spooled: int | None = 0


class Vault:
    """The spool of one run, what is not yet written into its journal, and what is only in memory."""

    def __init__(self, journal: Journal, spool: Spool) -> None:
        self.spool = spool
        self.at_once = False
        """Whether whoever brings an answer makes it safe before it is taken in: that may have to wait for a
        function of the caller's, of which nobody knows how long it takes.
        """
        self._journal = journal
        self._ballast = Ballast(journal.path.with_name(f"{journal.path.name}.room"))
        self._changes: list[Change] = []
        self._unsafe: dict[str, Receipt] = {}
        """Answers of which something is nowhere but here: their bytes, or (`_unwritten`) that they came."""
        self._unwritten: set[str] = set()
        self._sizes: dict[str, int] = {}
        self._drops: list[tuple[str, int]] = []

    def open(self, spooled: Mapping[str, int], calls: int) -> None:
        """Begin with what an earlier run spooled, and room for so many calls. Raises `OSError`."""
        self._sizes.update(spooled)
        self._ballast.take(calls)

    @property
    def size(self) -> int:
        """The bytes that are spooled."""
        return sum(self._sizes.values())

    @property
    def behind(self) -> bool:
        """Whether something is not written yet."""
        return bool(self._changes)

    def secure(self, came: Sequence[Came]) -> list[Came]:
        """Make bytes safe that exist nowhere else; whatever happens, they come back. For any thread."""
        answers = {one.order.name: one.receipt for one in came if one.receipt and one.receipt.has_bytes}
        sizes: dict[str, int] = {}
        problems: dict[str, Exception] = {}
        for name, receipt in answers.items():
            try:
                sizes[name] = self._insisting(partial(self.spool.put, name, receipt))
            except Exception as problem:
                problems[name] = problem
        try:
            if sizes:
                self._insisting(partial(self.spool.confirm, {name: answers[name] for name in sizes}))
        except Exception as problem:
            problems |= dict.fromkeys(sizes, problem)
        return [_secured(one, sizes, problems) for one in came]

    def _insisting(self, work: Callable[[], T]) -> T:
        """Do it; if the disk refuses, once more in the room that was kept free."""
        try:
            return work()
        except OSError:
            self._ballast.give_up()
            return work()

    def holds(self, name: str) -> bool:
        """Whether any bytes of an answer are held here."""
        return name in self._unsafe or self._sizes.get(name, 0) > 0

    def load(self, name: str, index: int) -> bytes | None:
        """The bytes of an image that are held here; `None` if it has only its URL."""
        if not self.holds(name):
            return None
        unsafe = self._unsafe.get(name)
        held = None if unsafe is None else unsafe.images[index][1]
        return self.spool.image(name, index) if held is None else held

    def file_of(self, name: str, index: int, data: bytes) -> str | None:
        """A whole file that holds an image, in the spool: what was spooled, else what was fetched, written
        there now. `None` where that cannot be.
        """
        if name in self._unsafe:
            return None
        try:
            return self.spool.path(name, index) if self.holds(name) else self.spool.lay(name, index, data)
        except OSError:
            return None

    def keep_body(self, order: Order, error: BaseException) -> str:
        """Keep the bytes of an answer that could not be read; says where they are. Raises `OSError`."""
        body = error.body if isinstance(error, DecodeError | OutcomeUnknownError) else None
        if not body:
            return ""
        return f" (what came is in {self.spool.put_body(order.name, body)})"

    def came(self, name: str, receipt: Receipt, spooled: int | None) -> None:
        """An answer is here; until it is written that it came, this is the only place that knows."""
        self._unsafe[name] = receipt
        if spooled is not None:
            self._unwritten.add(name)
            self._sizes[name] = spooled

    def done(self, name: str, images: int) -> None:
        """All of an answer is in its place: once that is written, it can be forgotten here."""
        self._unsafe.pop(name, None)
        self._drops.append((name, images))

    def note(self, changes: Iterable[Change]) -> None:
        """What is to be written with the next commit."""
        self._changes += changes

    def write(self, begun: Sequence[Change] = ()) -> None:
        """Make everything noted durable, together with what begins now. Raises `OSError` if it cannot: what
        was noted is then written without what begins, or stays noted.
        """
        if self._changes or begun:
            try:
                self._journal.write([*self._changes, *begun])
            except OSError:
                self._ballast.give_up()
                self._journal.write(self._changes)
                self._written()
                raise
            self._written()
        for name, count in self._drops:
            self.spool.drop(name, count)
            self._sizes.pop(name, None)
        self._drops.clear()

    def _written(self) -> None:
        self._changes.clear()
        for name in self._unwritten:
            self._unsafe.pop(name, None)
        self._unwritten.clear()

    def met(self, error: BaseException | None) -> None:
        """Something failed: for a full disk, the room that was kept free is given up."""
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            self._ballast.give_up()

    def close(self) -> Path | None:
        """The end of the run. What is only in memory is saved where it can be; gives the directory."""
        self._ballast.give_up()
        self.spool.tidy()
        unsafe, self._unsafe = self._unsafe, {}
        if not unsafe:
            return None
        rescue = Spool(Path(tempfile.mkdtemp(prefix="dalle2-")) / self._journal.path.name)
        with suppress(OSError):
            for name, receipt in unsafe.items():
                rescue.put(name, receipt)
                rescue.confirm({name: receipt})
        return rescue.folder


def _secured(came: Came, sizes: Mapping[str, int], problems: Mapping[str, Exception]) -> Came:
    """What came, once its bytes are safe or could not be made so."""
    name = came.order.name
    if name in problems:
        return attrs.evolve(came, error=problems[name], spooled=None)
    if came.receipt is None or name not in sizes:
        return came
    return attrs.evolve(came, receipt=came.receipt.without_bytes(), spooled=sizes[name])
