"""What the scanner promises of `dalle2.compat.install()`: a script is left as it is, and run."""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterator
from datetime import date
from typing import Any

import openai
import pytest

import dalle2
from dalle2 import compat
from dalle2._doctor._scan import scan_source
from dalle2.testing import Emulator

TODAY = date(2026, 6, 1)
STYLES = {
    "client": "from openai import OpenAI\nwith OpenAI(api_key=KEY, base_url=URL) as client:\n"
    "    answer = client.images.{call}\n",
    "raw": "from openai import OpenAI\nwith OpenAI(api_key=KEY, base_url=URL) as client:\n"
    "    answer = client.images.with_raw_response.{call}.parse()\n",
    "module": "import openai\nopenai.api_key = KEY\nopenai.base_url = URL + '/'\n"
    "answer = openai.images.{call}\n",
    "awaited": "import asyncio\nfrom openai import AsyncOpenAI\n\n\nasync def main():\n"
    "    async with AsyncOpenAI(api_key=KEY, base_url=URL) as client:\n"
    "        return await client.images.{call}\n\n\nanswer = asyncio.run(main())\n",
}
CALLS = {
    "generate": "generate(prompt='a corgi', n=2, size='256x256', response_format='url', user='u')",
    "edit": "edit(image=PICTURE, mask=PICTURE, prompt='a hat', model='dall-e-2', size='256x256')",
    "vary": "create_variation(image=PICTURE, size='256x256')",
}


@pytest.fixture
def base_url() -> Iterator[str]:
    """OpenAI's host after the retirement; whatever was put into the SDK is out again afterwards."""
    with Emulator(today=TODAY).serve() as server:
        yield server.base_url
    compat.uninstall()
    openai.api_key = openai.base_url = None
    vars(openai).pop("_client", None)
    openai._client = None  # type: ignore[attr-defined]


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("style", STYLES)
def test_a_script_runs_on_unchanged_after_install(base_url: str, style: str, call: str) -> None:
    """The promise stands in the finding, and the script's own answer has images of the size asked for."""
    source = STYLES[style].format(call=CALLS[call])
    (change,) = {one.change for one in scan_source(source, "a.py", today=TODAY)}
    assert change.endswith("after dalle2.compat.install(successor='auto')")
    compat.install(successor="auto")
    values: dict[str, Any] = {
        "KEY": "sk-test",
        "URL": base_url,
        "PICTURE": dalle2.mask_from_box(64, (0, 0, 9, 9)),
    }
    exec(compile(source, "script", "exec", dont_inherit=True), values)
    for one in values["answer"].data:
        data = base64.b64decode(one.url.partition("base64,")[2])
        assert struct.unpack(">II", data[16:24]) == (256, 256)
