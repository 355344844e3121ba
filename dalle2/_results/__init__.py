"""What a call gives: images that know when their URL dies, and all that fetching and saving them need decide.

The rule: a `repr` never does I/O; bytes that are held never expire; a file appears whole or not at all.
`ImageResult` and `AsyncImageResult` are two classes with the same names, so that a type checker catches a
forgotten `await`; what is pure they share, and it is here.
"""

from __future__ import annotations

from ._files import Target, made_directory
from ._many import BaseImages, in_order, note_kept, partial_error
from ._one import BaseResult, data_from

__all__ = [
    "BaseImages",
    "BaseResult",
    "Target",
    "data_from",
    "in_order",
    "made_directory",
    "note_kept",
    "partial_error",
]
