"""A process that is killed while it uploads leaves nothing, and its next run goes on."""

from __future__ import annotations

import base64
import json
import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

import dalle2
from dalle2 import bulk
from dalle2.testing import Emulator

from .bucket import Bucket
from .conftest import settings

UPLOAD = """
import dalle2, json, sys
image = dalle2.ImageResult.from_dict(json.load(sys.stdin))
print("ready", flush=True)
print(image.upload("s3://pictures/a.png"), flush=True)
"""
RUN = """
import dalle2, sys
from dalle2 import bulk
with dalle2.Client("sk-test", base_url=sys.argv[1]) as client:
    bulk.run(client, ["a fox", "a dog"], journal="run.db", out="s3://pictures/run/", concurrency=1)
"""


def picture() -> bytes:
    """A PNG larger than any buffer between two processes."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    side = 1600
    head = struct.pack(">IIBBBBB", side, side, 8, 6, 0, 0, 0)
    rows = zlib.compress(bytes((1 + side * 4) * side), 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def child(bucket: Bucket, code: str, *arguments: str) -> subprocess.Popen[str]:
    """A process of its own with the settings of the bucket."""
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        env={**os.environ, **settings(bucket.endpoint)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_a_killed_upload_leaves_nothing(bucket: Bucket) -> None:
    """The same name is free afterwards, and the image still whole where it was."""
    data = picture()
    image = {"created": 1, "b64_json": base64.b64encode(data).decode()}
    bucket.reads.clear()
    with child(bucket, UPLOAD) as process:
        assert process.stdin is not None
        json.dump(image, process.stdin)
        process.stdin.close()
        assert bucket.begun.wait(60)  # its head is here, and most of its body cannot be
        process.kill()
    bucket.reads.set()
    url = dalle2.ImageResult.from_dict(image).upload("s3://pictures/a.png")
    assert url == "s3://pictures/a.png"
    assert bucket.objects == {"a.png": (data, "image/png")}


def test_a_run_that_is_killed_while_it_puts_pays_nothing_again(
    bucket: Bucket, emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was put without being written down is recognised as its own."""
    with emulator.serve() as server:
        monkeypatch.chdir(tmp_path)
        seen: list[subprocess.Popen[str]] = []

        def kill(handler: object, data: bytes) -> bool:
            handler.keep(data)  # type: ignore[attr-defined]
            seen[0].kill()
            handler.drop()  # type: ignore[attr-defined]
            return True

        bucket.puts += [lambda handler, data: False, kill]
        process = child(bucket, RUN, server.base_url)
        seen.append(process)
        process.communicate(timeout=60)
        assert process.returncode == -9
        assert set(bucket.objects) >= {"run/1-1.png"}
        with dalle2.Client("sk-test", base_url=server.base_url) as client:
            report = bulk.resume(client, "run.db")
    assert report.complete
    assert {key for key in bucket.objects if "probe" not in key} == {"run/1-1.png", "run/2-1.png"}
    assert len(emulator.billed) == 2
