"""One bucket of a store: what is asked of it, and what its answers mean.

The rule: a put is asked for with "only if nothing is there", after a look, so that a store that does not know
this condition replaces nothing either but what came in the same moment. obstore repeats nothing by itself: an
answer that was lost may have been a yes, and then the next "something is there" means our own bytes. What is
there tells.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cache, partial
from importlib import import_module
from typing import Any

from .._image._media import sniff
from ..errors import ConfigurationError
from ._address import Address
from ._perform import Steps, answer_to, asked, perform
from ._trouble import Trouble, taken

WAITS = (0.25, 0.5, 1.0, 2.0)
"""Seconds between the attempts of one put."""


class Bucket:
    """A bucket as obstore opens it. What gives `Steps` does nothing by itself: see `_perform`."""

    def __init__(self, store: Any, root: str) -> None:
        self._store = store
        self.root = root

    @classmethod
    def open(cls, address: Address) -> Bucket:
        """The bucket of an address, by the store's own environment variables. Sends nothing.

        Raises `ConfigurationError` without obstore, and for settings that cannot be used.
        """
        if address.root.startswith("memory:"):
            return cls(_memory(), address.root)
        opened = asked(partial(_obstore().from_url, address.root, retry_config={"max_retries": 0}))
        if isinstance(opened, Trouble):
            raise Trouble("settings", opened.told).error(address.url)
        return cls(opened, address.root)

    def put(self, key: str, data: bytes, *, overwrite: bool = False) -> Steps[None]:
        """Keep `data` under `key`. Raises `FileExistsError` if something is there and is not to be replaced,
        `FileNotFoundError` for a bucket that is not there, `PermissionError`, `ConnectionError`,
        `TimeoutError` and other `OSError`s, and `ConfigurationError`.
        """
        mode, doubt, blind = "overwrite" if overwrite else "create", False, False
        kind = {"Content-Type": content_type(key, data)}
        # One request whatever the size: parts of an upload that is killed would stay, unseen and charged.
        ask = partial(self._store.put, key, data, attributes=kind, use_multipart=False)
        waits = iter(WAITS)
        while True:
            sending = False
            try:
                size = None if overwrite or blind else (yield from self._size(key))
                if size is not None:
                    if doubt and size == len(data) and (yield from self._holds(key, data)):
                        return
                    raise taken(self.root + key)
                sending = True
                yield from answer_to(partial(ask, mode=mode))
                return
            except Trouble as problem:
                trouble = problem
            again = trouble.passing or (trouble.kind == "taken" and not overwrite)
            if not (sending or trouble.passing):
                blind = True  # who may put need not be allowed to look, and a put says more of what is wrong
            elif trouble.kind == "unsupported" and mode == "create":
                mode = "overwrite"
            elif again and (wait := next(waits, None)) is not None:
                doubt = doubt or (sending and trouble.passing and not trouble.unsent)
                yield wait
            else:
                break
        if trouble.kind == "taken" and not blind:  # a conflict, and yet nothing is there
            trouble = Trouble("failed", trouble.told)
        raise trouble.error(self.root + key)

    def look(self, key: str) -> Steps[bool]:
        """Whether something is under `key`, as far as the store tells."""
        try:
            return (yield from self._size(key)) is not None
        except Trouble:
            return False

    def refuse_taken(self, key: str) -> Steps[None]:
        """Raise `FileExistsError` if something is under `key`, as far as the store tells."""
        if not (yield from self.look(key)):
            return
        raise taken(self.root + key)

    def same(self, key: str, data: bytes) -> Steps[bool]:
        """Whether exactly these bytes are under `key`; no where the store does not tell."""
        try:
            return (yield from self._size(key)) == len(data) and (yield from self._holds(key, data))
        except Trouble:
            return False

    def _size(self, key: str) -> Steps[int | None]:
        try:
            found = yield from answer_to(partial(self._store.head, key))
        except Trouble as problem:
            if problem.kind != "missing":
                raise
            return None
        size: int = found["size"]
        return size

    def _holds(self, key: str, data: bytes) -> Steps[bool]:
        found = yield from answer_to(partial(self._store.get, key))
        return bytes((yield from answer_to(found.bytes))) == data

    def probe(self, folder: Address) -> None:
        """Raise what putting an image would end in, as far as it can be foreseen. A small object is put and
        removed; it stays where these credentials may not remove it.
        """
        key = folder.within(f".dalle2-probe-{os.urandom(8).hex()}").key
        perform(self.put(key, b""))
        perform(self._removed(key))

    def _removed(self, key: str) -> Steps[None]:
        try:
            yield from answer_to(partial(self._store.delete, key))
        except Trouble:
            return

    def entries(self, folder: Address) -> Iterator[tuple[str, int]]:
        """All objects in a folder, deep: their keys behind it, and their bytes. Raises like `put`."""
        prefix = folder.key.rstrip("/")
        start = f"{prefix}/" if prefix else ""
        pages = iter(self._store.list(prefix or None, chunk_size=1000))
        while (page := perform(self._page(pages, folder))) is not None:
            for entry in page:
                yield entry["path"].removeprefix(start), entry["size"]

    def _page(self, pages: Iterator[Any], folder: Address) -> Steps[Any]:
        try:
            return (yield from answer_to(partial(next, pages, None)))
        except Trouble as problem:
            trouble = problem
        raise trouble.error(folder.url)


def content_type(key: str, data: bytes) -> str:
    """The media type of what is put: by its bytes."""
    sidecar = "application/json" if key.endswith(".json") else "application/octet-stream"
    return sniff(data[:512]) or sidecar


def _obstore() -> Any:
    try:
        return import_module("obstore.store")
    except ImportError:
        raise ConfigurationError("stores need obstore: pip install 'dalle2-sdk[cloud]'") from None


@cache
def _memory() -> Any:
    """The one store of `memory://`: what is put there is there for the rest of the process."""
    return _obstore().MemoryStore()
