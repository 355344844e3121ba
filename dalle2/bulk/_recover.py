"""What a run finds when it starts: what the last one left, made true again before anything is sent.

The rule: what was sent and has no answer on this disk is held, never sent again by itself; but a line of a
batch is known to its host, and waits there. What is spooled is answered, whatever the journal knew. A file
that is not there as it was written is fetched again where that is free, and is told as gone where it is not.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..errors import InvalidRequestError
from . import _journal as j
from ._naming import SUFFIXES, Naming, folded, stem
from ._out import place_of
from ._place import NotListed, is_place
from ._planner import Unit
from ._spool import Spool

if TYPE_CHECKING:
    from ._journal import Change, Journal
    from ._place import Place, Store

_GONE = "the file was removed or changed, and its URL is not known"


def recover(journal: Journal, spool: Spool) -> dict[str, int]:
    """Settle what was under way when the last run ended; gives the spooled answers with their bytes."""
    spooled = spool.receipts()
    changes: list[Change] = []
    now = time.time()
    rows = journal.db.execute(
        "SELECT job.n, job.attempts, job.state, job.images, expected, batch FROM job "
        "LEFT JOIN line ON line.job = job.n AND attempt = job.attempts "
        "WHERE state IN ('sent', 'held', 'answered')"
    )
    wanted = set()
    for number, attempt, state, images, expected, batch in rows:
        name = j.spool_name(number, attempt)
        if name in spooled:
            wanted.add(name)
            if state != "answered":
                receipt = spooled[name]
                nano = expected if receipt.nano is None else receipt.nano
                changes += j.answered(Unit(number, images), attempt, receipt, nano, now)
        elif state == "sent" and batch is None:
            why = "sent when the machine or the run was stopped: nobody here knows whether it was paid for"
            changes += j.ended(number, attempt, "held", why, now, unpaid=False)
    for name in spooled.keys() - wanted:  # a disk that had promised to keep it lost even that it was sent
        number, attempt = map(int, name.split("-"))
        planned = "SELECT images FROM job WHERE n = ? AND state = 'planned' AND attempts = ?"
        for (images,) in journal.db.execute(planned, (number, attempt - 1)).fetchall():
            wanted.add(name)
            order, receipt = journal.order(Unit(number, images)), spooled[name]
            changes += j.sent(order, now)
            changes += j.answered(order.unit, attempt, receipt, receipt.nano, now)
    journal.write(changes)
    return spool.sweep(wanted)


def verify(journal: Journal, place: Place | Store, naming: Naming) -> None:
    """Compare what is in place with what the journal knows, as far as that can be looked at: not what an
    object with `put` keeps, and not a store whose credentials may not list.

    Raises `InvalidRequestError` for a file that lies under a name of ours and is not ours, and for another
    place than the one where the images are.
    """
    if not is_place(place):
        return
    try:
        _refuse_strangers(journal, place, naming)
        _settle(journal, place)
    except NotListed:
        return


def _settle(journal: Journal, place: Place) -> None:
    """What is not there as it was written is fetched again, or told as gone."""
    before: Place | None = None
    changes: list[Change] = []
    again: list[Change] = []
    rows = journal.db.execute(
        "SELECT job, place, path, size, facts FROM image JOIN job ON job.n = image.job "
        "WHERE path IS NOT NULL AND state IN ('done', 'expired', 'answered')"
    )
    for number, index, path, size, facts in rows:
        if place.size(path) == size:
            continue
        before = before or _before(journal, place)
        if before.size(path) == size:
            raise InvalidRequestError(
                f"out {place.shown!r:.100} does not hold {path!r:.80}, which is done and lies in "
                f"{before.shown!r:.100}: name that directory, or move what is in it",
                field="out",
            )
        changes.append(
            ("UPDATE image SET path = NULL, putting = 0 WHERE job = ? AND place = ?", (number, index))
        )
        if json.loads(facts).get("url"):
            again.append(("UPDATE job SET state = 'answered', error = NULL WHERE n = ?", (number,)))
        else:
            changes.append(("UPDATE job SET state = 'expired', error = ? WHERE n = ?", (_GONE, number)))
    journal.write([*changes, *again])


def _before(journal: Journal, place: Place) -> Place:
    """The place of the last run."""
    told = journal.last_options()
    out = told.get("folder") or told.get("out")
    found = place_of(out) if isinstance(out, str) else place
    return found if is_place(found) else place


_WAITING = "path IS NULL AND NOT putting AND state IN ('planned', 'sent', 'answered', 'held')"


def _refuse_strangers(journal: Journal, place: Place, naming: Naming) -> None:
    """Look for files under names still to be used: by name, or if there are many, by what is there."""
    images, kept = journal.db.execute("SELECT COUNT(*), COUNT(path) FROM image").fetchone()
    few = images - kept < kept
    found = _looked_up(journal, place) if few else _listed(journal, place, naming.has_folders)
    for id, entry in found:
        raise InvalidRequestError(
            f"out {place.shown!r:.100} holds the file {entry!r:.80}, which this journal did not write and "
            f"the job {id!r:.60} would be kept in: move it away, or take another out, name or journal",
            field="out",
        )


def _looked_up(journal: Journal, place: Place) -> Iterator[tuple[str, str]]:
    query = f"SELECT id, name, whole FROM image JOIN job ON job.n = image.job WHERE {_WAITING}"
    for id, name, whole in journal.db.execute(query):
        for suffix in ("",) if whole else SUFFIXES:
            if place.size(name + suffix) is not None:
                yield id, name + suffix


def _listed(journal: Journal, place: Place, deep: bool) -> Iterator[tuple[str, str]]:
    query = (
        f"SELECT id FROM image JOIN job ON job.n = image.job WHERE folded = ? AND whole = ? AND {_WAITING}"
    )
    for entry in place.entries(deep=deep):
        name = stem(entry)
        if name != entry:  # else it is no image, and no name of ours
            for wanted in ((folded(name), 0), (folded(entry), 1)):
                for (id,) in journal.db.execute(query, wanted):
                    yield id, entry
