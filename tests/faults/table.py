"""Prints the table of faults as Markdown: this client, the official SDK (if it is installed) and bare httpx.

    python -m tests.faults.table            # print it
    python -m tests.faults.table docs/faults.md   # put it into the page, between the marks

Every cell is measured: each fault is played on loopback, for ever, with default retries and without
their waits.
"""

from __future__ import annotations

import importlib.util
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import httpx

from .catalogue import FAULTS, Fault
from .drive import PADDING, STACKS, arm, expected, fetch, fetched, patience, pay, scene
from .server import IMAGE, FaultServer

BEGIN, END = "<!-- table: python -m tests.faults.table docs/faults.md -->", "<!-- end of table -->"
HEADINGS = (
    "fault",
    "a paid call here",
    "POSTs / billed",
    "on httpx2, uvloop, aiohttp and the other stacks",
    "official SDK {version}",
    "POSTs / billed",
    "an image here",
    "`httpx.get`",
)


def bold(count: int) -> str:
    """More than one bill stands out."""
    return f"**{count}**" if count > 1 else str(count)


def ours(fault: Fault) -> list[str]:
    """A paid call through this client."""
    came = pay("sync", fault)
    told = f"`{came.kind}`" + (f" ({came.reason})" if came.reason else "") if came.error else "images"
    return [told, f"{came.tries} / {bold(came.billed)}"]


def elsewhere(fault: Fault) -> str:
    """What differs on the other stacks; measured by the tests, which hold each of them to this."""
    differing: dict[str, list[str]] = {}
    for stack in STACKS:
        post = expected(stack, fault)
        if post != fault.post:
            told = f"`{post.error}` ({post.reason})" if post.error else "images"
            differing.setdefault(told, []).append(stack)
    return listed(differing) or "the same"


def listed(differing: dict[str, list[str]]) -> str:
    """What differs, and on which stacks."""
    return "; ".join(f"{told} on {', '.join(stacks)}" for told, stacks in differing.items())


def official(fault: Fault) -> list[str]:
    """The same call through the official SDK."""
    if importlib.util.find_spec("openai") is None:
        return ["not installed", ""]
    import openai

    class Impatient(openai.OpenAI):
        def _calculate_retry_timeout(self, *args: object, **options: object) -> float:
            return 0.0

    with scene(fault) as (server, origin), Impatient(api_key="sk-test", base_url=f"{origin}/v1") as client:
        client = client.with_options(timeout=patience(fault))

        def call() -> str:
            try:
                answer = client.images.generate(
                    model="dall-e-2", prompt="a fox", extra_body={"padding": PADDING} if fault.large else None
                )
            except Exception as error:
                return f"`{type(error).__name__}`"
            return "images" if getattr(answer, "data", None) else "returns no images, no error"

        told = warmed(server, fault, call)
        posts = [one for one in server.requests if one.method == "POST"]
        return [told, f"{len(posts)} / {bold(len(server.billed))}"]


def download(fault: Fault) -> list[str]:
    """An image through this client."""
    with tempfile.TemporaryDirectory() as folder:
        came = fetch("sync", fault, Path(folder))
    if came.error is None:
        return ["exact bytes" if came.data == IMAGE else "**wrong bytes**"]
    differing: dict[str, list[str]] = {}
    for stack in STACKS:
        told = fetched(stack, fault).reason
        if told != fault.fetch.reason:
            differing.setdefault(f"({told})", []).append(stack)
    return [
        " ".join(filter(None, [f"`{came.kind}` ({came.reason})" + ";" * bool(differing), listed(differing)]))
    ]


def bare(fault: Fault) -> list[str]:
    """The same image through httpx alone."""
    with scene(fault) as (server, origin), httpx.Client(timeout=patience(fault)) as client:

        def call() -> str:
            try:
                answer = client.get(f"{origin}/private/img.png", follow_redirects=True)
                answer.raise_for_status()
            except httpx.HTTPError as error:
                return f"`{type(error).__name__}`"
            return "exact bytes" if answer.content == IMAGE else "**wrong bytes, no error**"

        return [warmed(server, fault, call)]


def warmed(server: FaultServer, fault: Fault, call: Callable[[], str]) -> str:
    """What `call` comes to; where a kept connection is the point, after a first one that goes well."""
    if fault.warm:
        call()
        arm(server, fault, once=False)
    return call()


def row(fault: Fault) -> list[str]:
    """One line of the table."""
    if fault.deadline is not None:  # bare clients have no limit on the whole, and would wait for ever
        return [
            f"{fault.name} (deadline set)",
            *ours(fault),
            elsewhere(fault),
            "waits for ever",
            "",
            *download(fault),
            "waits for ever",
        ]
    return [fault.name, *ours(fault), elsewhere(fault), *official(fault), *download(fault), *bare(fault)]


def table() -> str:
    """The whole table."""
    from importlib import metadata

    version = metadata.version("openai") if importlib.util.find_spec("openai") else ""
    lines = [[heading.format(version=version).strip() for heading in HEADINGS], ["---"] * len(HEADINGS)]
    lines += [row(fault) for fault in FAULTS]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def main(arguments: list[str]) -> None:
    """Print the table, or put it into a page."""
    text = table()
    if not arguments:
        print(text)
        return
    page = Path(arguments[0])
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
