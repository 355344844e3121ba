"""What went wrong, in the words of the command line.

The rule: an error of the library names arguments and calls of Python; here the same sentence names options:
`size` is `--size`, `overwrite=True` is `--overwrite`. Whether the user typed it wrong (exit status 2) is told
by the type of an error, never by its words.
"""

from __future__ import annotations

import re

from ..errors import Dalle2Error, InvalidRequestError

OPTIONS = {
    "prompt": "PROMPT",
    "image": "IMAGE",
    "n": "-n",
    "box": "--mask-box",
    "overwrite": "--overwrite",
    **{
        name: "--" + name.replace("_", "-")
        for name in (
            "mask", "mask_box", "size", "quality", "response_format", "model", "provider", "base_url",
            "successor", "timeout", "persona", "today", "latency",
        )
    },
}  # fmt: skip
"""The arguments of the library that can be given on the command line, and how."""

_PYTHON_ONLY = (
    r"(?:pass )?\bapi_key(?:=\.\.\.)? or ",
    r",? or a Provider\b",
    r" or (?:Client\()?split_n=True\)? to send several calls",
    r"; read\(\) gives them as they are",
    r", or None for no limit",
)
_CALLS = (
    (r"\brepeat it with client\.send\([^()]*\)", "run the command again"),
    (r"\bclient\.send\([^()]*\)", "run the command again"),
    (r"\bClient\(([^()]*)\)", r"\1"),
    (r"\bdalle2\.mask_from_box\(\.\.\.\)", "--mask-box LEFT,TOP,RIGHT,BOTTOM"),
    (r"\bdalle2\.prepare_image\(", "in Python, dalle2.prepare_image("),
    (r"\bgive client\.image\(url\)\.read\(\)", "download it first, and give the file"),
    (r"\bas api_key\b", "in the environment"),
    (r"\btimeout\.(?:connect|read|write|pool)\b", "--timeout"),
    (r"\bthis code\b", "this command"),
    (r"\bare in error\.images\b", "are kept"),
    (r"\boverwrite=True\b", "--overwrite"),
    (r"\bbase_url=\.\.\.", "--base-url URL"),
)


class WrongUsage(Exception):
    """What was typed cannot be carried out; the message says what to type."""


def in_own_words(message: str, field: str | None = None) -> str:
    """A message of the library, its arguments as options. `field` is the argument that it is about."""
    for pattern in _PYTHON_ONLY:
        message = re.sub(pattern, "", message)
    for pattern, words in _CALLS:
        message = re.sub(pattern, words, message)
    message = re.sub(r"(?<![-\w?&/])([a-z_]+)=('[-\w.]+'|(?=[\w'\"]))?", _option, message)
    message = re.sub(r"(?<![-\w?&/])([a-z]+_[a-z_]+)(?![-\w=('])", _option, message)
    option = OPTIONS.get(field or "")
    if option is None or re.search(rf"(?<![-\w]){option}(?![-\w])", message):
        return message
    told, count = re.subn(rf"(?<![-\w./]){field}(?![-\w./])", option, message, count=1)
    return told if count else f"{option}: {message}"


def _option(found: re.Match[str]) -> str:
    """The option for an argument, with a space before the value that follows, which needs no quotes."""
    option = OPTIONS.get(found[1])
    if option is None:
        return found[0]
    return option if found.lastindex == 1 else f"{option} {found[2].strip(chr(39))}"


def describe(error: BaseException) -> str:
    """What went wrong, in one sentence: the local disk by file and reason, ours by their message."""
    if isinstance(error, FileExistsError):
        return f"{error.filename}: exists already; --overwrite replaces it"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    if isinstance(error, InvalidRequestError):
        return in_own_words(str(error), error.field)
    if isinstance(error, Dalle2Error):
        return in_own_words(str(error))
    if isinstance(error, OSError | WrongUsage):
        return str(error)
    return f"{type(error).__name__}: {error}"
