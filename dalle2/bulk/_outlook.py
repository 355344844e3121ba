"""What a run is going to do and to cost, told before anything is spent.

The rule: it is counted from the journal, so it is true of a run that goes on as well as of one that begins; a
price that is only roughly known is called so, and one that is not known at all is not left out.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from typing import TYPE_CHECKING

import attrs

from ._journal import Journal
from ._load import check_with, load_jobs
from ._naming import Naming
from ._out import place_of
from ._receipt import NANO
from ._recover import recover, verify
from ._rows import Jobs
from ._schema import journal_path, open_for_reading
from ._spool import Spool
from ._standing import Counts, counts

if TYPE_CHECKING:
    from os import PathLike

    from ._jobs import Job
    from ._load import Check, Sender
    from ._ongoing import Wishes


@attrs.frozen(kw_only=True)
class Outlook(Counts):
    """The counts of a journal, and what is still to be sent: `images` of `calls`, for about `price` dollars.

    `rough`: the price is a rough one. `priceless`: so many of the calls have not even that. `spent` are the
    images and dollars of before. `first` is the first prompt that is sent, whole.
    """

    calls: int
    images: int
    price: float
    rough: bool
    priceless: int
    spent_images: int
    spent: float
    first: str | None

    def lines(
        self,
        jobs: Iterable[Job | str] | None = None,
        wishes: Wishes | None = None,
        *,
        in_batches: bool = False,
    ) -> list[str]:
        """The plan for people, a line each. `in_batches`: at half the price, within a day."""
        known = self.total - self.remaining
        lines = [f"{_many(self.calls, 'call')} for {_many(self.images, 'image')}" + (
            f" ({known} of {_many(self.total, 'row')} ended before)" if known else ""
        )]  # fmt: skip
        about = "about " if self.rough else ""
        of = "half the list price" if in_batches else "list price"
        price = f"price: {about}${self.price / (2 if in_batches else 1):.2f}"
        price += "" if self.rough and not in_batches else f" at {of}"
        if self.priceless:
            price += f", and {_many(self.priceless, 'call')} whose price is not known"
        lines.append(price)
        if wishes is not None:
            lines += self._limits(wishes)
        if in_batches:
            lines.append("time: up to a day, in batches")
        if isinstance(jobs, Jobs):
            sent = jobs.sent
            lines.append(
                f"columns sent: {', '.join(sent) or 'none'}"
                if sent is not None
                else "columns sent: what the function takes"
            )
            if sent is not None and jobs.columns is not None:
                kept = [column for column in jobs.columns if column not in sent]
                lines.append(f"columns not sent: {', '.join(kept) or 'none'}")
        if self.first is not None:
            lines.append(f"first prompt: {' '.join(self.first.split())}")
        if self.held:
            lines.append(f"held: {self.held}, which may have cost ${self.usd_held:.2f}, are left alone")
        return lines

    def _limits(self, wishes: Wishes) -> list[str]:
        lines, pace = [], wishes.images_per_minute
        if wishes.max_usd is not None:
            lines.append(f"limit: ${wishes.max_usd:.2f} in all, of which ${self.spent:.2f} are spent")
        if wishes.max_images is not None:
            most = _many(wishes.max_images, "image")
            lines.append(f"limit: {most} in all, of which {self.spent_images} are made")
        if pace is not None:
            lines.append(f"time: at least {self.images / pace:.0f} min at {pace:g} images a minute")
        return lines


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def prepare(
    client: Sender,
    jobs: Iterable[Job | str],
    journal: str | PathLike[str],
    wishes: Wishes,
    check: Check | None = None,
) -> Outlook:
    """Put the jobs into the journal and tell what a run would do. Raises like `run`, and spends nothing."""
    path = journal_path(journal)
    book = Journal(path, create=True)
    try:
        naming = Naming.parse(wishes.name)
        recover(book, Spool(path))
        check = check or check_with(client, priced=wishes.max_usd is not None)
        load_jobs(book, jobs, check, naming)
        if wishes.out is not None:
            verify(book, place_of(wishes.out), naming)
        book.begin_run(wishes.noted_after(book.last_options()))
        return _outlook(book.db)
    finally:
        book.close()


def outlook(journal: str | PathLike[str]) -> Outlook:
    """What a run would do on a journal as it is."""
    with closing(open_for_reading(journal_path(journal))) as db:
        return _outlook(db)


def _outlook(db: sqlite3.Connection) -> Outlook:
    calls, images, nano, priced, rough = db.execute(
        "SELECT COUNT(*), COALESCE(SUM(images), 0), COALESCE(SUM(expected), 0), COUNT(expected), "
        "COALESCE(MAX(rough), 0) FROM job WHERE state = 'planned'"
    ).fetchone()
    spent_images, spent = db.execute(
        "SELECT COALESCE(SUM(images), 0), COALESCE(SUM(nano), 0) FROM attempt "
        "WHERE state IN ('sent', 'held', 'answered', 'billed')"
    ).fetchone()
    first = db.execute(
        "SELECT json_extract(request, '$.prompt') FROM job WHERE state = 'planned' ORDER BY n LIMIT 1"
    ).fetchone()
    return Outlook(
        calls=calls,
        images=images,
        price=nano / NANO,
        rough=bool(rough),
        priceless=calls - priced,
        spent_images=spent_images,
        spent=spent / NANO,
        first=None if first is None else first[0],
        **counts(db),  # type: ignore[arg-type]
    )
