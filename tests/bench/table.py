"""The table: what is measured for whom, how rounds become one figure, and how it is written.

The rule: a figure is the median over the rounds of the ratio to the reference in the same round, with the
least and the greatest. CPU time and memory come first, wall time last: other programs on the machine move
it most.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from statistics import median

import attrs
from environments import NAMES, REFERENCE
from measuring import Bench, Figures

SYNC = ("dalle2", "httpx", "openai", "stdlib")
ASYNC = ("dalle2", "httpx", "openai", "aiohttp", "dalle2_aiohttp", "openai_aiohttp", "httpx2")
LOOPS = ("dalle2", "httpx", "openai", "aiohttp")
MIB = 1024 * 1024
IMAGE = 1_150_000
"""Bytes of an image that is 1.5 MB in base64."""
LARGE = 15_000_000
"""Bytes of one that is 20 MB."""


@attrs.frozen
class Scenario:
    """One thing to do, and for whom it is measured."""

    key: str
    function: str
    subjects: tuple[str, ...] = SYNC
    secure: bool = False
    count: str = "0"
    folder: str | None = None


SCENARIOS = (
    Scenario("import", "load"),
    Scenario("client", "client", secure=True),
    Scenario("cold http", "cold"),
    Scenario("cold https", "cold", secure=True),
    Scenario("warm", "warm", count="500"),
    Scenario("crowd", "crowd", ASYNC, count="1000", folder="100"),
    Scenario("large crowd", "crowd", ASYNC, count="4000", folder="1000"),
    Scenario("base64", "base64_images", (*SYNC, "dalle2_fast"), count=f"10x{IMAGE}"),
    Scenario("download", "download", count=str(64 * MIB)),
    Scenario("version", "version", ("dalle2",)),
    Scenario("generate", "generate", ("dalle2",)),
    Scenario("first stop", "first_stop", LOOPS, secure=True),
    Scenario("answer stop", "large_stop", LOOPS, count=f"{LARGE}xb64"),
    Scenario("save stop", "large_stop", LOOPS, count=f"{LARGE}xurl"),
)


@attrs.frozen
class Row:
    """One line of the table. `plain`: written as it is, since a ratio to next to nothing says nothing."""

    title: str
    scenario: str
    figure: str
    unit: str
    plain: bool = False


ROWS = (
    Row("import, CPU", "import", "cpu", "ms"),
    Row("import, modules", "import", "modules", "", plain=True),
    Row("import + client, CPU", "client", "cpu", "ms"),
    Row("cold process to first image saved, http, CPU", "cold http", "process_cpu", "ms"),
    Row("the same, https, CPU", "cold https", "process_cpu", "ms"),
    Row("the same, https, peak of the process", "cold https", "process_peak", "MiB"),
    Row("warm sync call, CPU", "warm", "cpu", "µs"),
    Row("async, 100 at a time, CPU a call", "crowd", "cpu", "µs"),
    Row("async, 100 at a time, peak growth", "crowd", "peak", "MiB"),
    Row("async, 1,000 at a time, CPU a call", "large crowd", "cpu", "µs"),
    Row("async, 1,000 at a time, peak growth", "large crowd", "peak", "MiB"),
    Row("ten 1.5 MB base64 images to disk, CPU", "base64", "cpu", "ms"),
    Row("the same, peak growth", "base64", "peak", "MiB"),
    Row("64 MB download to disk, CPU", "download", "cpu", "ms"),
    Row("the same, peak growth", "download", "peak", "MiB", plain=True),
    Row("the event loop's longest stop: first https call", "first stop", "stop", "ms", plain=True),
    Row("the same, a 20 MB base64 answer, saved", "answer stop", "stop", "ms", plain=True),
    Row("the same, a 15 MB image by URL, saved", "save stop", "stop", "ms", plain=True),
    Row("`dalle2 --version`, CPU", "version", "process_cpu", "ms", plain=True),
    Row("`dalle2 generate`, http, CPU", "generate", "process_cpu", "ms", plain=True),
    Row("cold process, https, wall", "cold https", "process_wall", "ms"),
    Row("warm sync call, wall", "warm", "wall", "µs"),
    Row("ten base64 images, wall", "base64", "wall", "ms"),
    Row("64 MB download, wall", "download", "wall", "ms"),
)
SCALES = {"ms": 1e3, "µs": 1e6, "MiB": 1 / MIB, "": 1.0}

Rounds = Mapping[tuple[str, str], Sequence[Figures]]
"""The figures by scenario and subject, one for each round."""


def measure(bench: Bench, rounds: int, keys: Sequence[str], tell: Callable[[str], None]) -> Rounds:
    """All rounds of all scenarios (or those in `keys`)."""
    taken: dict[tuple[str, str], list[Figures]] = {}
    failed: set[tuple[str, str]] = set()
    for turn in range(-1, rounds):
        tell(f"round {turn + 1} of {rounds}" if turn >= 0 else "once to warm up, not counted")
        for scenario in SCENARIOS:
            if keys and scenario.key not in keys:
                continue
            origin = bench.https if scenario.secure else bench.http
            for name in bench.in_turn(scenario.subjects, turn):
                if (scenario.key, name) in failed:
                    continue
                try:
                    got = bench.measure(name, scenario.function, origin, scenario.count, scenario.folder)
                except RuntimeError as problem:
                    tell(f"left out: {problem}")
                    failed.add((scenario.key, name))
                    continue
                if turn >= 0:
                    taken.setdefault((scenario.key, name), []).append(got)
    return {known: figures for known, figures in taken.items() if known not in failed}


def cell(row: Row, subject: str, rounds: Rounds) -> str:
    """The figure of one subject, `–` where there is none."""
    own = rounds.get((row.scenario, subject))
    reference = own if row.plain else rounds.get((row.scenario, REFERENCE))
    if not own or not reference or any(row.figure not in one for one in (*own, *reference)):
        return "–"
    scale = SCALES[row.unit]
    nothing = any(one[row.figure] == 0 for one in reference)
    if row.plain or nothing or subject == REFERENCE:
        values = [figures[row.figure] * scale for figures in own]
        unit = f" {row.unit}" if row.unit else ""
        text = f"{short(median(values))}{unit} ({short(min(values))} to {short(max(values))})"
        return text if row.plain or nothing else f"1 = {text}"
    ratios = [one[row.figure] / other[row.figure] for one, other in zip(own, reference, strict=True)]
    return f"**{median(ratios):.2f}** ({min(ratios):.2f} to {max(ratios):.2f})"


def short(value: float) -> str:
    """Three digits, more or less."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def markdown(rounds: Rounds, notes: str) -> str:
    """The table, and below it what it was measured with."""
    subjects = [name for name in NAMES if any(name == known for _, known in rounds)]
    lines = [
        "| | " + " | ".join(NAMES[name] for name in subjects) + " |",
        "|---|" + "---|" * len(subjects),
    ]
    for row in ROWS:
        cells = [cell(row, name, rounds) for name in subjects]
        if set(cells) != {"–"}:
            lines.append(f"| {row.title} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + f"\n\n{notes}\n"
