"""Runs the small programs of one file over the official SDK, over `dalle2.compat`, or after its `install()`.

    python runner.py official|compat|install programs_sdk.py

Each function of the file whose name begins with `try_` is a program: what it returns, or the names by which
its error can be caught, is printed as one JSON object. What differs from run to run (addresses, moments, ids,
pictures) is replaced by a word, so that two runs can be compared. A program may ask for `emulator`, the host,
to bring it into a mood; the folder in the variable `PICTURES` holds `photo.png` and `mask.png`.
"""

import asyncio
import importlib
import inspect
import json
import os
import re
import runpy
import sys
import tempfile
from pathlib import Path

import dalle2
from dalle2.testing import Emulator

VOLATILE = [
    (r"http://127\.0\.0\.1:\d+[^\s'\"\\]*", "<url>"),
    (r"req_[0-9a-f]{32}", "<request id>"),
    (r"modr-[0-9a-f]{32}", "<moderation id>"),
    (r"1[789]\d{8}", "<moment>"),
    (r"[A-Za-z0-9+/]{200,}={0,2}", "<base64>"),
]
CATCHABLE = (
    "OpenAIError", "APIError", "APIStatusError", "APIConnectionError", "APITimeoutError", "BadRequestError",
    "AuthenticationError", "PermissionDeniedError", "NotFoundError", "ConflictError", "RateLimitError",
    "UnprocessableEntityError", "InternalServerError",
)  # fmt: skip
CATCHABLE_2022 = (
    "OpenAIError", "APIError", "APIConnectionError", "Timeout", "InvalidRequestError", "AuthenticationError",
    "PermissionError", "RateLimitError", "ServiceUnavailableError", "TryAgain",
)  # fmt: skip


def steady(value):
    """A value as plain JSON, without what differs from run to run."""
    if isinstance(value, dict):
        return {str(name): steady(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [steady(inner) for inner in (sorted(value) if isinstance(value, set) else value)]
    if value is None or isinstance(value, bool):
        return value
    text = str(value)
    for pattern, word in VOLATILE:
        text = re.sub(pattern, word, text)
    return text if isinstance(value, str) or text != str(value) else value


def caught_by(error, sdk, old):
    """The official names by which a script can catch an error; else Python's own."""
    place, names = (sdk.error, CATCHABLE_2022) if old else (sdk, CATCHABLE)
    found = [name for name in names if isinstance(error, getattr(place, name))]
    return found or [type(error).__name__]


def run(program, given, sdk, old):
    """What a program gives, or the names of what it ends with."""
    try:
        wanted = inspect.signature(program).parameters
        result = program(**{name: value for name, value in given.items() if name in wanted})
        return steady(asyncio.run(result) if inspect.iscoroutine(result) else result)
    except Exception as error:
        return {"raised": caught_by(error, sdk, old)}


def changed_imports(source):
    """The source of a script for the SDK, with nothing but its imports changed."""
    source = re.sub(r"^import openai$", "import dalle2.compat as openai", source, flags=re.MULTILINE)
    return re.sub(r"^from openai\b", "from dalle2.compat", source, flags=re.MULTILINE)


def main(way, path, folder):
    """Run all programs of a file."""
    source = path.read_text(encoding="utf-8")
    if way == "install":
        importlib.import_module("dalle2.compat").install()
    if way == "compat":
        path = folder / path.name
        path.write_text(changed_imports(source), encoding="utf-8")
    mask = dalle2.mask_from_box(64, (0, 0, 32, 32))
    for name in ("photo.png", "mask.png"):
        (folder / name).write_bytes(mask)
    azure = path.stem == "programs_azure"
    emulator = Emulator(persona="azure" if azure else "openai")
    results = {}
    with emulator.serve() as server:
        os.environ |= {"PICTURES": str(folder)}
        if azure:
            os.environ |= {"AZURE_OPENAI_ENDPOINT": server.origin, "AZURE_OPENAI_API_KEY": "sk-test"}
            os.environ |= {"OPENAI_API_VERSION": "2024-02-01"}
        else:
            os.environ |= {"OPENAI_API_KEY": "sk-test", "OPENAI_BASE_URL": server.base_url}
            os.environ |= {"OPENAI_API_BASE": server.base_url}
        programs = runpy.run_path(str(path))
        sdk = programs["openai"]
        for name, program in programs.items():
            if name.startswith("try_"):
                before = len(emulator.billed)
                outcome = run(program, {"emulator": emulator}, sdk, "2022" in path.stem)
                results[name] = {"gave": outcome, "paid for": len(emulator.billed) - before}
    return results


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        print(json.dumps(main(sys.argv[1], Path(sys.argv[2]), Path(scratch)), indent=1, sort_keys=True))
