"""Where people keep their pictures: `s3://`, `gs://`, `az://`, `memory://`, over obstore (extra `cloud`).

The rule: an object appears whole or not at all; without `overwrite` nothing that is there is replaced; and no
message holds a credential. `_address` reads a URL, `_bucket` decides what is asked of the store and what its
answers mean, `_trouble` tells an answer that says no, `_perform` is the only part that sends and waits. What
keeps images here is above: the results, and `bulk`.
"""

from __future__ import annotations

from ._address import Address, address_of, local_path
from ._bucket import Bucket
from ._perform import Steps, perform, perform_async
from ._sidecar import SIDECAR, sidecar_of

__all__ = [
    "SIDECAR",
    "Address",
    "Bucket",
    "Steps",
    "address_of",
    "local_path",
    "perform",
    "perform_async",
    "sidecar_of",
]
