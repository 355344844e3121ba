"""Draws how cost grows: a row of panels for CPU, a row for memory, all axes logarithmic. Plain Python."""

from __future__ import annotations

import math
from collections.abc import Iterator

from environments import NAMES
from growth import AXES, Axis, Points, present

COLOURS = {
    "dalle2": "#c2410c",
    "httpx": "#1d4ed8",
    "openai": "#15803d",
    "stdlib": "#7c3aed",
    "aiohttp": "#0e7490",
    "sockets": "#6b7280",
    "dalle2_aiohttp": "#f59e0b",
    "openai_aiohttp": "#65a30d",
    "httpx2": "#60a5fa",
}
WIDTH, HEIGHT, GAP, LEFT, TOP = 300, 210, 62, 56, 66
LEAST = (1.0, 0.1)
"""Below this much (CPU in its unit, MiB) a point is drawn on the ground: it is noise there."""


class Scale:
    """From a value to a place, logarithmically."""

    def __init__(self, low: float, high: float, start: float, end: float) -> None:
        self.low, self.high = math.log10(low), math.log10(high)
        self.start, self.end = start, end

    def __call__(self, value: float) -> float:
        """The place of a value."""
        part = (math.log10(value) - self.low) / (self.high - self.low)
        return self.start + part * (self.end - self.start)


def svg(points: Points) -> str:
    """The whole drawing."""
    width = LEFT + len(AXES) * (WIDTH + GAP)
    height = TOP + 2 * (HEIGHT + GAP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" ',
        'font-family="sans-serif" font-size="11">',
        "<title>CPU and memory against calls at once, images an answer, jobs a run, bytes an image</title>",
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        *legend(points),
    ]
    for column, axis in enumerate(AXES):
        for row in (0, 1):
            left, top = LEFT + column * (WIDTH + GAP), TOP + row * (HEIGHT + GAP)
            parts += panel(points, axis, row, left, top)
    return "\n".join((*parts, "</svg>", ""))


def legend(points: Points) -> Iterator[str]:
    """Who is which line."""
    known = [name for name in NAMES if any(subject == name for _, subject in points)]
    for number, name in enumerate(known):
        x, y = LEFT + number % 5 * 190, 18 + number // 5 * 16
        yield f'<path d="M{x} {y}h26" stroke="{COLOURS[name]}" stroke-width="2"{dash(name)}/>'
        yield text(x + 32, y + 4, NAMES[name] + (" (floor)" if name == "sockets" else ""), "start")


def dash(name: str) -> str:
    """The floor is dashed."""
    return ' stroke-dasharray="5 3"' if name == "sockets" else ""


def panel(points: Points, axis: Axis, row: int, left: float, top: float) -> Iterator[str]:
    """One panel: CPU (row 0) or memory (row 1) along one axis."""
    names = present(points, axis)
    values = {
        name: [max(points[axis.key, name][place][row], LEAST[row]) for place in axis.places] for name in names
    }
    everything = [value for line in values.values() for value in line]
    low, high = 10 ** math.floor(math.log10(min(everything))), 10 ** math.ceil(math.log10(max(everything)))
    across = Scale(axis.places[0], axis.places[-1], left, left + WIDTH)
    up = Scale(low, max(high, low * 10), top + HEIGHT, top)
    name = f"CPU, {axis.unit}" if row == 0 else "peak memory growth, MiB"
    yield text(left, top - 10, name, "start", "bold")
    yield from grid(axis, across, up, low, high, left, top)
    for name in names:
        corners = " ".join(
            f"{across(place):.1f},{up(value):.1f}"
            for place, value in zip(axis.places, values[name], strict=True)
        )
        yield (
            f'<polyline points="{corners}" fill="none" stroke="{COLOURS[name]}" '
            f'stroke-width="{2.4 if name == "dalle2" else 1.5}"{dash(name)}/>'
        )


def grid(
    axis: Axis, across: Scale, up: Scale, low: float, high: float, left: float, top: float
) -> Iterator[str]:
    """Lines and numbers behind the curves."""
    for place in axis.places:
        x = across(place)
        yield f'<path d="M{x:.1f} {top}v{HEIGHT}" stroke="#e5e7eb"/>'
        yield text(x, top + HEIGHT + 14, f"{place:,}", "middle")
    for power in range(round(math.log10(low)), round(math.log10(max(high, low * 10))) + 1):
        y = up(10.0**power)
        yield f'<path d="M{left} {y:.1f}h{WIDTH}" stroke="#e5e7eb"/>'
        yield text(left - 6, y + 4, f"{10.0**power:,g}", "end")
    yield text(left + WIDTH / 2, top + HEIGHT + 30, axis.title, "middle")


def text(x: float, y: float, words: str, anchor: str, weight: str = "normal") -> str:
    """Some words."""
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text {place} font-weight="{weight}" fill="#111827">{words}</text>'
