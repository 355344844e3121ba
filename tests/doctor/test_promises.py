"""What the scanner promises of `dalle2.compat` and of `successor`, done and run on OpenAI's host of today.

Each promise is followed to the letter, by nothing but replacing words of the source.
"""

from __future__ import annotations

import base64
import re
import struct
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest

import dalle2
from dalle2 import compat
from dalle2._doctor._scan import scan_source
from dalle2.testing import Emulator

TODAY = date(2026, 6, 1)
STYLES = {
    "2022": "import openai\nopenai.api_key = KEY\nopenai.api_base = URL\nanswer = openai.Image.{old}\n",
    "2022, awaited": "import asyncio\nimport openai\nopenai.api_key = KEY\nopenai.api_base = URL\n"
    "answer = asyncio.run(openai.Image.a{old})\n",
    "client": "from openai import OpenAI\nclient = OpenAI(api_key=KEY, base_url=URL)\n"
    "answer = client.images.{new}\n",
    "raw": "from openai import OpenAI\nclient = OpenAI(api_key=KEY, base_url=URL)\n"
    "answer = client.images.with_raw_response.{new}.parse()\n",
    "copy": "from openai import OpenAI\nclient = OpenAI(api_key=KEY, base_url=URL)\n"
    "answer = client.with_options(timeout=20).images.{new}\n",
    "awaited": "import asyncio\nfrom openai import AsyncOpenAI\n"
    "client = AsyncOpenAI(api_key=KEY, base_url=URL)\nanswer = asyncio.run(client.images.{new})\n",
}
CALLS = {
    "generate, as little as can be": ("generate(prompt='a corgi')", 1, None),
    "generate, all of 2022": (
        "generate(prompt='a corgi', n=2, size='256x256', response_format='url', user='u')",
        2,
        (256, 256),
    ),
    "generate, base64": (
        "generate(model='dall-e-2', prompt='a corgi', size='512x512', response_format='b64_json')",
        1,
        (512, 512),
    ),
    "generate, of the model in between": (
        "generate(model='dall-e-3', prompt='a corgi', size='1024x1024', quality='hd', style='vivid')",
        1,
        (1024, 1024),
    ),
    "edit": (
        "edit(image=PICTURE, mask=MASK, prompt='a hat', size='512x512', model='dall-e-2')",
        1,
        (512, 512),
    ),
    "edit, without a mask": ("edit(image=MASK, prompt='a hat', n=2, size='256x256')", 2, (256, 256)),
    "vary": ("create_variation(image=PICTURE, n=2, size='256x256')", 2, (256, 256)),
}
OLD_NAMES = {"generate(": "create(", "edit(": "create_edit("}


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """OpenAI's host after the retirement; what a script sets on the module is put back."""
    before = dict(vars(compat))
    yield Emulator(today=TODAY)
    compat.reset()
    vars(compat).update(before)


def promised(source: str) -> str:
    """The change that the scanner promises for the one call in a source."""
    (found,) = {one.change for one in scan_source(source, "a.py", today=TODAY)}
    return found.rpartition("; ")[2]


def followed(source: str, promise: str) -> str:
    """The source with the promise followed."""
    if "import dalle2.compat as openai" in promise:
        setting = re.search(r"and (openai\.\w+ = \S+)", promise)
        assert setting is not None
        return source.replace("import openai\n", f"import dalle2.compat as openai\n{setting[1]}\n")
    name = re.search(r"(dalle2(?:\.compat)?)\.(\w+)\(successor='auto'\)", promise)
    assert name is not None
    assert f"import {name[2]}\n" in source
    moved = re.sub(r"from \S+ import", f"from {name[1]} import", source)
    return moved.replace(f"= {name[2]}(", f"= {name[2]}(successor='auto', ")


def shape(data: bytes) -> tuple[int, int]:
    """Width and height of a PNG."""
    width, height = struct.unpack(">II", data[16:24])
    return int(width), int(height)


def run(source: str, base_url: str) -> Any:
    """The answer of a script."""
    values: dict[str, Any] = {
        "KEY": "sk-test",
        "URL": base_url,
        "MASK": dalle2.mask_from_box(64, (0, 0, 32, 32)),
        "PICTURE": dalle2.mask_from_box(64, (0, 0, 1, 1)),
    }
    exec(compile(source, "script", "exec", dont_inherit=True), values)
    if not source.startswith("import asyncio") and "client" in values:
        values["client"].close()
    return values["answer"]


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("style", STYLES)
def test_a_script_runs_on_as_promised(emulator: Emulator, style: str, call: str) -> None:
    """As many images as were asked for, of that size, where the script looks for them; by a living model."""
    new, count, size = CALLS[call]
    old = re.sub(r"^(?:generate|edit)\(", lambda match: OLD_NAMES[match[0]], new)
    source = STYLES[style].format(new=new, old=old)
    with emulator.serve() as server:
        answer = run(followed(source, promised(source)), server.base_url)
    assert len(answer.data) == count
    for one in answer.data:
        text = one.b64_json if "b64_json" in new else one.url.partition("base64,")[2]
        data = base64.b64decode(text)
        assert size is None or shape(data) == size
    assert {paid.model for paid in emulator.billed} == {"gpt-image-2.5-flare"}


@pytest.mark.parametrize(
    ("client", "call"),
    [
        ("Client", "generate('a corgi', model='dall-e-2', size='256x256')"),
        ("Client", "edit(PICTURE, 'a hat', mask=MASK, model='dall-e-2', size='256x256')"),
        ("Client", "vary(PICTURE, model='dall-e-2', size='256x256')"),
        ("AsyncClient", "generate('a corgi', model='dall-e-2', size='256x256')"),
    ],
)
def test_a_call_of_this_package_runs_on_as_promised(emulator: Emulator, client: str, call: str) -> None:
    """With the successor named, the same call gives the same size."""
    run_it = f"asyncio.run(client.{call})" if client == "AsyncClient" else f"client.{call}"
    first = "import asyncio\n" if client == "AsyncClient" else ""
    source = (
        f"{first}from dalle2 import {client}\n"
        f"client = {client}(api_key=KEY, base_url=URL, provider='openai')\nanswer = {run_it}\n"
    )
    with emulator.serve() as server:
        answer = run(followed(source, promised(source)), server.base_url)
    assert shape(answer[0].content) == (256, 256)


@pytest.mark.parametrize(
    ("endpoint", "arguments"),
    [
        ("generations", {"prompt": "a corgi", "size": "256x256", "n": 2}),
        ("edits", {"image": dalle2.mask_from_box(64, (0, 0, 32, 32)), "prompt": "x", "size": "256x256"}),
        ("variations", {"image": dalle2.mask_from_box(64, (0, 0, 1, 1)), "size": "256x256"}),
    ],
)
def test_a_request_by_hand_has_its_method(
    emulator: Emulator, endpoint: str, arguments: dict[str, Any]
) -> None:
    """The method that is named takes what was sent."""
    source = f"requests.post('https://api.openai.com/v1/images/{endpoint}', data={{'size': '256x256'}})"
    named = re.fullmatch(
        r"or call dalle2\.Client\(successor='auto'\)\.(\w+)", promised(f"# openai\n{source}")
    )
    assert named is not None
    with (
        emulator.serve() as server,
        dalle2.Client("sk-test", base_url=server.base_url, successor="auto") as client,
    ):
        images = getattr(client, named[1])(**arguments)
        assert shape(images[0].read()) == (256, 256)
    assert len(images) == arguments.get("n", 1)
