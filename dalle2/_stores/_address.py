"""What a URL of a store names: a bucket, and a key in it.

The rule: a key is the text behind the bucket as it stands, as the stores' own tools read it: `%20`, `#` and a
space are letters of it. What could be read in two ways is refused before anything is done: a query, in which
a signature could be, a name and password, `..`, an empty part, a control character.
"""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

from .._secrets import shown_url
from ..errors import InvalidRequestError

SCHEMES = ("s3", "s3a", "gs", "az", "azure", "abfs", "abfss", "memory", "file")
_URL = r"([A-Za-z][A-Za-z0-9+.-]*)://(.*)\Z"
_BUCKET = r"[A-Za-z0-9][A-Za-z0-9._-]*\Z"
_CONTAINER = r"(?:[A-Za-z0-9$][A-Za-z0-9-]*@)?[A-Za-z0-9][A-Za-z0-9._-]*\Z"  # container@account.host
_LONGEST_KEY = 1024
"""Bytes; the limit of S3, Google Cloud and Azure alike."""


class Address(NamedTuple):
    """A place in a store: `root` is what the store is opened by, `key` the rest. A key that is empty or ends
    in a slash names a folder.
    """

    root: str
    key: str

    @property
    def url(self) -> str:
        """The address as a text."""
        return self.root + self.key

    @property
    def is_folder(self) -> bool:
        """Whether it can only be a folder."""
        return not self.key or self.key.endswith("/")

    def within(self, name: str) -> Address:
        """The address of a name in this folder."""
        return Address(self.root, f"{self.key.rstrip('/')}/{name}".lstrip("/"))


def local_path(url: str, field: str = "url") -> Path | None:
    """The path of a `file://` URL; `None` for another. Raises `InvalidRequestError` for one elsewhere."""
    scheme, rest = _split(url, field)
    if scheme != "file":
        return None
    host, slash, path = rest.partition("/")
    if host not in ("", "localhost") or not path.strip("/"):
        raise _refusal(url, field, "must be file:///... with a path of this machine")
    return Path(unquote(slash + path))


def address_of(url: object, field: str = "url") -> Address:
    """What a URL names. Raises `InvalidRequestError` for what is no URL of a store."""
    scheme, rest = _split(url, field)
    bucket, _, key = ("", "", rest.removeprefix("/")) if scheme == "memory" else rest.partition("/")
    azure = scheme in ("abfs", "abfss")
    if "@" in bucket and not azure:
        raise _refusal(url, field, f"holds a name or password: {_ELSEWHERE}")
    if scheme != "memory" and not re.match(_CONTAINER if azure else _BUCKET, bucket):
        raise _refusal(url, field, f"names no bucket: write {scheme}://bucket/name.png")
    check_key(key, url, field)
    root = f"{scheme}://{bucket}/" if bucket else f"{scheme}://{rest[: len(rest) - len(key)]}"
    return Address(root, key)


def check_key(key: str, url: object, field: str) -> None:
    """Raise `InvalidRequestError` for what is no key, but for one slash at its end."""
    if any(part in ("", ".", "..") for part in key.removesuffix("/").split("/")) and key:
        raise _refusal(url, field, "has an empty part, '.' or '..' behind the bucket")
    if any(unicodedata.category(char) in ("Cc", "Cs") for char in key):
        raise _refusal(url, field, "holds a control character, or half of a surrogate pair")
    if len(key.encode()) > _LONGEST_KEY:
        raise _refusal(url, field, f"is longer than the {_LONGEST_KEY} bytes of a key")


_ELSEWHERE = "credentials come from the store's own environment variables"


def _split(url: object, field: str) -> tuple[str, str]:
    """The scheme in lower case, and what is behind it."""
    if not isinstance(url, str):
        raise InvalidRequestError(
            f"{field} must be the URL of a store, such as s3://bucket/name.png; it is a {type(url).__name__} "
            "(save() writes to the local disk)",
            field=field,
            allowed=_allowed(),
        )
    found = re.match(_URL, url, re.DOTALL)
    scheme = found[1].lower() if found else ""
    if not found or scheme not in SCHEMES:
        web = scheme in ("http", "https")
        way = (
            "write s3://bucket/name.png and set the endpoint in the environment"
            if web
            else "save() writes to the local disk"
        )
        raise _refusal(url, field, f"must begin with {', '.join(_allowed())}; {way}")
    if "?" in url:
        raise _refusal(url, field, f"has a query: {_ELSEWHERE}, and no name may hold a '?'")
    return scheme, found[2]


def _allowed() -> tuple[str, ...]:
    return tuple(f"{scheme}://" for scheme in SCHEMES)


def _refusal(url: object, field: str, problem: str) -> InvalidRequestError:
    shown = shown_url(str(url), 80)
    return InvalidRequestError(f"{field} {problem}; it is {shown!r}", field=field, allowed=_allowed())
