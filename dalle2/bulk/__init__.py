"""Many images: a run that can be killed at any moment, and goes on where it stopped.

>>> from dalle2 import bulk
>>> jobs = bulk.read_jobs("rows.csv", prompt="Studio photo of {title}", id="sku", size="512x512")
>>> report = bulk.run(client, jobs, journal="pictures.db", out="pictures/")  # doctest: +SKIP

The rule of the room: the journal is written before the act that it allows. A job is `planned`, then `sent`
(durable before the call), `answered` (durable before its images are fetched) and `done` (the file is
durable); `failed` and `refused` are the host's no, `held` is what nobody knows, `expired` what was paid for
and is gone.
"""

from __future__ import annotations

import typing

from . import _jobs, _progress, _rows, _standing
from ._dask import dask_executor
from ._half_price import acollect, asubmit, collect, submit
from ._jobs import Job, RowError
from ._progress import Progress
from ._rows import Jobs, read_jobs
from ._run import aresume, arun, release, resume, run
from ._standing import Report, status

__all__ = [
    "Job",
    "Jobs",
    "Progress",
    "Report",
    "RowError",
    "acollect",
    "aresume",
    "arun",
    "asubmit",
    "collect",
    "dask_executor",
    "read_jobs",
    "release",
    "resume",
    "run",
    "status",
    "submit",
]


def _mean(home: dict[str, object], *kinds: type) -> None:
    """Let annotations mean something here, too, which these classes show as their own."""
    for kind in kinds:
        for owner in (kind, kind.__init__):  # type: ignore[misc]
            meant = typing.get_type_hints(owner, home)
            owner.__annotations__ = {name: meant[name] for name in owner.__annotations__}


_mean(vars(_jobs), Job, RowError)
_mean(vars(_progress), Progress)
_mean(vars(_rows), Jobs)
_mean(vars(_standing), Report)
