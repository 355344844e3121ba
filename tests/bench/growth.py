"""How cost grows: CPU and memory against calls at once, images an answer, jobs a run, and bytes an image.

The rule: the floor is drawn from sockets without a client (`subjects/by_sockets.py`); what lies between it
and a line is what the client costs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from statistics import median

import attrs
from environments import NAMES
from measuring import Bench, Figures
from table import IMAGE, MIB, short

BEGIN, END = "<!-- growth: begin -->", "<!-- growth: end -->"


SENT = 500
"""Jobs of a long run that are sent: what grows with the others is the journal's."""


@attrs.frozen
class Axis:
    """One thing that grows. `places` are its values as shown; `cpu` scales CPU seconds to `unit`."""

    key: str
    title: str
    function: str
    subjects: tuple[str, ...]
    places: tuple[int, ...]
    unit: str
    scale: float

    def asked(self, place: int) -> tuple[str, str | None]:
        """What a worker is told: count and folder."""
        if self.key == "at once":
            return str(max(1000, 4 * place) if place >= 30 else 100 + 40 * place), str(place)
        if self.key == "images":
            return f"{place}x{IMAGE}", None
        if self.key == "jobs":
            return f"{place}x{SENT}", None
        return str(place * MIB), None


AXES = (
    Axis(
        "at once",
        "async calls at once",
        "crowd",
        (
            "dalle2",
            "httpx",
            "openai",
            "aiohttp",
            "sockets",
            "dalle2_aiohttp",
            "openai_aiohttp",
            "httpx2",
        ),
        (1, 3, 10, 30, 100, 300, 1000),
        "µs a call",
        1e6,
    ),
    Axis(
        "images",
        "base64 images of 1.5 MB an answer, to disk",
        "base64_images",
        ("dalle2", "httpx", "openai", "stdlib", "sockets"),
        (1, 2, 5, 10),
        "ms",
        1e3,
    ),
    Axis(
        "jobs",
        f"jobs of a run, {SENT} of them sent",
        "long_run",
        ("dalle2", "sockets"),
        (1_000, 10_000, 100_000),
        "µs a job",
        1e6,
    ),
    Axis(
        "size",
        "MiB of one image by URL, to disk",
        "download",
        ("dalle2", "httpx", "openai", "stdlib", "sockets"),
        (1, 4, 16, 64, 200),
        "ms",
        1e3,
    ),
)

Points = Mapping[tuple[str, str], Mapping[int, tuple[float, float]]]
"""By axis and subject: at each place the median CPU (in the axis's unit) and peak growth (MiB)."""


def measure(bench: Bench, rounds: int, tell: Callable[[str], None]) -> Points:
    """All points, the subjects in turn."""
    taken: dict[tuple[str, str, int], list[Figures]] = {}
    failed: set[tuple[str, str]] = set()
    for turn in range(rounds):
        for axis in AXES:
            tell(f"round {turn + 1} of {rounds}: {axis.title}")
            for place in axis.places:
                count, folder = axis.asked(place)
                for name in bench.in_turn(axis.subjects, turn):
                    if (axis.key, name) in failed:
                        continue
                    try:
                        got = bench.measure(name, axis.function, bench.http, count, folder)
                    except RuntimeError as problem:
                        tell(f"left out: {problem}")
                        failed.add((axis.key, name))
                    else:
                        taken.setdefault((axis.key, name, place), []).append(got)
    scales = {axis.key: axis.scale for axis in AXES}
    points: dict[tuple[str, str], dict[int, tuple[float, float]]] = {}
    for (key, name, place), figures in taken.items():
        if (key, name) in failed:
            continue
        cpu = median(one["cpu"] for one in figures) * scales[key]
        peak = median(one.get("peak", 0.0) for one in figures) / MIB
        points.setdefault((key, name), {})[place] = cpu, peak
    return points


def present(points: Points, axis: Axis) -> Sequence[str]:
    """The subjects of an axis that were measured."""
    return [name for name in axis.subjects if (axis.key, name) in points]


def markdown(points: Points) -> str:
    """The same figures in words, for who cannot see the drawing."""
    lines = []
    for axis in AXES:
        names = present(points, axis)
        lines += [
            f"| {axis.title}: CPU in {axis.unit} / peak growth in MiB | "
            + " | ".join(NAMES[n] for n in names)
            + " |",
            "|---|" + "---|" * len(names),
        ]
        for place in axis.places:
            pairs = (points[axis.key, name][place] for name in names)
            lines.append(
                f"| {place} | " + " | ".join(f"{short(cpu)} / {short(peak)}" for cpu, peak in pairs) + " |"
            )
        lines.append("")
    return "\n".join(lines)
