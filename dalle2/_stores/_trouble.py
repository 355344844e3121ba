"""What a store's no means, and the error it becomes.

The rule: an error of obstore holds URLs, settings and whatever the store wrote, so nothing of it is repeated:
a message is made of its kind, the status, and the store's one word for it (`NoSuchBucket`). A store speaks,
as a disk does, in the built-in `OSError`s, which name the URL.
"""

from __future__ import annotations

import errno
import re
from typing import TYPE_CHECKING, Literal

from ..errors import ConfigurationError

if TYPE_CHECKING:
    from typing import TypeAlias

Kind: TypeAlias = (
    'Literal["taken", "missing", "forbidden", "unsupported", "busy", "timeout", "unreachable", "settings", '
    '"failed"]'
)

_STATUS = r"status code: (\d{3})\b"
_CODE = r"<Code>([A-Za-z]{1,60})</Code>"
_KNOWN = (
    ("Account must be specified", "no account is named: set AZURE_STORAGE_ACCOUNT_NAME"),
    ("Invalid Access Key", "the account key is none"),
    ("service account", "the service account file cannot be read"),
    ("incorrectly configured region", "the bucket is in another region: set AWS_REGION"),
    ("builder error", "plain http must be allowed: set AWS_ALLOW_HTTP=true"),
)
_FROM_HERE = "Error performing "
_NO_CREDENTIALS = r"Error performing (?:token request|\w+ http://169\.254\.)"
"""Nothing else was found than to ask the machine that this may be running on."""
_VARIABLES = {
    "s3": "AWS_*",
    "s3a": "AWS_*",
    "gs": "GOOGLE_*",
    **dict.fromkeys(("az", "azure", "abfs", "abfss"), "AZURE_*"),
}


class Trouble(Exception):
    """A request that the store did not serve, as plain values; it never reaches a caller."""

    def __init__(self, kind: Kind, told: str = "", *, unsent: bool = False) -> None:
        super().__init__(kind, told)
        self.kind: Kind = kind
        self.told = told
        self.unsent = unsent
        """It certainly did not reach the store."""

    @property
    def passing(self) -> bool:
        """Whether it may be over in a moment."""
        return self.kind in ("busy", "timeout", "unreachable")

    def error(self, url: str) -> Exception:
        """What the caller gets."""
        variables = variables_of(url)
        told = f" ({self.told})" if self.told else ""
        if self.kind == "taken":
            return taken(url)
        if self.kind == "missing":
            return FileNotFoundError(errno.ENOENT, f"There is no such bucket{told}", url)
        if self.kind == "forbidden":
            way = f": it reads the environment variables {variables}"
            return PermissionError(errno.EACCES, f"The store refuses these credentials{told}{way}", url)
        if self.kind == "settings":
            return ConfigurationError(
                f"the store of {url!r:.120} cannot be used with these settings{told}; they are the "
                f"environment variables {variables}"
            )
        if self.kind == "timeout":
            return TimeoutError(errno.ETIMEDOUT, "The store did not answer in time", url)
        if self.kind in ("busy", "unreachable"):
            what = "cannot serve this now" if self.kind == "busy" else "cannot be reached"
            return ConnectionError(errno.ECONNABORTED, f"The store {what}{told}", url)
        return OSError(errno.EIO, f"The store refused{told or ' without a reason'}", url)


def taken(url: str) -> FileExistsError:
    """Something lies there."""
    return FileExistsError(errno.EEXIST, "File exists (overwrite=True replaces it)", url)


def variables_of(url: str) -> str:
    """Which environment variables a store of this kind reads."""
    return _VARIABLES.get(url.partition("://")[0], "of the store")


def trouble_of(error: BaseException) -> Trouble:
    """What an error of obstore means."""
    name, text = type(error).__name__, str(error)[:8000]
    said = text[max(text.find(_FROM_HERE), 0) :].partition("Debug source")[0]  # behind the key, as it came
    status, code = re.search(_STATUS, said), re.search(_CODE, said)
    told = " ".join(found[1] for found in (status, code) if found)
    number = int(status[1]) if status else 0
    for phrase, words in _KNOWN:
        if phrase in said:
            return Trouble("settings", words)
    if re.match(_NO_CREDENTIALS, said) and not code:
        return Trouble("forbidden", "none were found")
    if name in ("AlreadyExistsError", "PreconditionError") or number in (409, 412):
        return Trouble("taken", told)
    if isinstance(error, FileNotFoundError) or number == 404:
        return Trouble("missing", told)
    if number in (401, 403) or (code and "Token" in code[1]):
        return Trouble("forbidden", told)
    if isinstance(error, NotImplementedError) or number == 501:
        return Trouble("unsupported", told)
    if number in (408, 429) or number >= 500 or (code and code[1] == "RequestTimeout"):  # S3's comes with 400
        return Trouble("busy", told)
    for kind in ("Timeout", "Connect"):
        if f"kind: {kind}" in text:
            return Trouble("timeout") if kind == "Timeout" else Trouble("unreachable", unsent=True)
    if "HTTP error" in said:
        return Trouble("unreachable")
    return Trouble("settings" if "Config" in said or name == "PanicException" else "failed", told)
