"""Many images: what `dalle2.bulk` costs beside a loop by hand, how a long run grows, and how a shared
pace holds.

The rule: the loop by hand is the same for all who have none of their own (`worker.by_loop`), saves each image
as carefully as the other scenarios do, and writes nothing else down; the journal's commits are as durable as
ever. A target is written beside each figure, and judges nothing.
"""

from __future__ import annotations

import copy
import json
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from statistics import median

import attrs
from environments import REFERENCE
from measuring import Bench, Figures
from table import MIB, short

BEGIN, END = "<!-- many: begin -->", "<!-- many: end -->"
NAMES = {
    "bulk": "bulk.run",
    "abulk": "bulk.arun",
    "dalle2": "loop over AsyncClient",
    "httpx": "loop over httpx",
    "openai": "loop over the official SDK",
    "aiohttp": "loop over aiohttp",
}
OURS = ("bulk", "abulk", "dalle2")
ANSWERS = {"url": "answers with URLs", "b64": "answers in base64"}
PER_MINUTE, PACED = 600, 100
"""Images a minute as in `worker.py`, and the jobs of each of the two runs that share them."""

Taken = Mapping[tuple[str, str], Sequence[Figures]]
"""The figures by scenario and subject."""


@attrs.frozen
class Size:
    """How many jobs the loops have, how many a long run has, and how many of those are sent."""

    jobs: int = 500
    large: int = 100_000
    sent: int = 500


def measure(bench: Bench, rounds: int, size: Size, tell: Callable[[str], None]) -> Taken:
    """All of it: the loops in every round, what is large once."""
    bench = copy.copy(bench)
    homes = {name: "dalle2" if name in OURS else name for name in NAMES}
    bench.pythons = {name: bench.pythons[home] for name, home in homes.items() if home in bench.pythons}
    taken: dict[tuple[str, str], list[Figures]] = {}
    for turn in range(-1, rounds):
        for answers, title in ANSWERS.items():
            tell(f"round {turn + 1} of {rounds}: {size.jobs:,} jobs, {title}")
            for name in bench.in_turn(tuple(NAMES), turn):
                got = bench.measure(name, "many", bench.http, f"{size.jobs}x{answers}")
                if turn >= 0:
                    taken.setdefault((answers, name), []).append(got)
    for key, jobs, sent in (("few", size.jobs, size.jobs), ("large", size.large, size.sent)):
        tell(f"memory: {jobs:,} jobs, of which {sent:,} are sent")
        taken[key, "bulk"] = [bench.measure("bulk", "large", bench.http, f"{jobs}x{sent}")]
    tell(f"resume and status of {size.large:,} jobs")
    taken["resumed", "bulk"] = [bench.measure("bulk", "resumed", bench.http, str(size.large))]
    tell("two runs that share a pace")
    taken["paced", "bulk"] = [paced(bench)]
    return taken


def paced(bench: Bench) -> Figures:
    """Two processes, one pace, and a host that refuses what comes too early."""
    limit = f"{bench.http}/paced/{PER_MINUTE}-shared"
    pace = str(bench.folder / "pace.db")

    def run(_: int) -> Figures:
        return bench.measure("bulk", "paced", f"{limit}/v1", str(PACED), pace)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(run, range(2)))
    with urllib.request.urlopen(f"{limit}/told") as answer:
        told: Figures = json.load(answer)
    return told


def markdown(taken: Taken, size: Size, notes: str) -> str:
    """Both tables: beside the loops by hand, and the run's own figures with their targets."""
    names = [name for name in NAMES if ("url", name) in taken]
    lines = ["| | " + " | ".join(NAMES[name] for name in names) + " |", "|---|" + "---|" * len(names)]
    for answers, title in ANSWERS.items():
        cells = [cell(taken[answers, name], taken[answers, REFERENCE], name) for name in names]
        lines.append(f"| CPU a job, {title} | " + " | ".join(cells) + " |")
    lines += ["", "| | measured | target |", "|---|---|---|"]
    lines += [f"| {title} | {value} | {target} |" for title, value, target in own(taken, size)]
    return "\n".join(lines) + f"\n\n{notes}\n"


def cell(figures: Sequence[Figures], reference: Sequence[Figures], name: str) -> str:
    """The CPU of one subject, as a ratio to the reference within each round."""
    if name == REFERENCE:
        values = [one["cpu"] * 1e6 for one in figures]
        return f"1 = {short(median(values))} µs ({short(min(values))} to {short(max(values))})"
    ratios = [one["cpu"] / other["cpu"] for one, other in zip(figures, reference, strict=True)]
    return f"**{median(ratios):.2f}** ({min(ratios):.2f} to {max(ratios):.2f})"


def own(taken: Taken, size: Size) -> Iterator[tuple[str, str, str]]:
    """What stands alone: title, figure, target."""
    few, large, again, pace = (taken[key, "bulk"][0] for key in ("few", "large", "resumed", "paced"))
    grown = (large["peak"] - few["peak"]) / MIB
    yield (
        f"memory: what {size.large:,} jobs ({size.sent:,} of them sent) take more than {size.jobs:,}",
        f"{grown:.1f} MiB ({few['peak'] / MIB:.1f} to {large['peak'] / MIB:.1f})",
        "10 MiB",
    )
    way = "from the row to its place" if size.sent == size.large else "into the journal"
    yield f"{way}, CPU a job of {size.large:,}", f"{large['cpu'] * 1e6:.0f} µs", "–"
    for key, title in (("planned", "all are to be sent"), ("done", "nearly all are done")):
        what = f"{size.large:,} jobs of which {title}"
        yield (
            f"`resume` to the first image, {what}",
            f"{again[f'resume_{key}_wall']:.2f} s (of CPU {again[f'resume_{key}_cpu']:.2f} s)",
            "1 s to the first call",
        )
        yield f"`status`, {what}", f"{again[f'status_{key}'] * 1e3:.0f} ms", "100 ms"
    share = pace["refused"] / (pace["images"] + pace["refused"])
    yield (
        f"two processes on one `pace=` of {PER_MINUTE} a minute, {2 * PACED} images",
        f"{pace['used']:.1%} of the pace, {share:.1%} of the calls refused",
        "98 %, at most 1 % refused",
    )
