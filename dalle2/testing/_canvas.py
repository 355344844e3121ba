"""A small drawing surface in pure Python: smooth shapes on a bitmap, a megapixel in a fraction of a second.

The rule: pixels lie column by column, because skies, hills and towers are vertical runs of a colour gradient,
and a run is one slice assignment. Only the pixels that the edge of a shape crosses are mixed one by one.
Coordinates are pixels from the top left; y grows downwards. Of the mathematical functions only the square
root is used, which is rounded in one way everywhere (a power is not), so that machines do not differ.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Sequence
from itertools import chain, pairwise

import attrs

from ._png import Bitmap, by_lanes, interleave

Colour = tuple[int, int, int]


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """The colour that is `share` (0..1) of the way from the first to the second."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(first, second, strict=True))
    return red, green, blue


@attrs.frozen
class Ink:
    """What a shape is filled with: a colour for each row of the canvas, or one colour to shine through."""

    column: bytes
    alpha: float = 1.0
    tables: tuple[bytes, ...] = ()


@attrs.define
class Canvas:
    """A canvas of `width` x `height` pixels, black at first."""

    width: int
    height: int
    pixels: bytearray

    @classmethod
    def blank(cls, width: int, height: int) -> Canvas:
        """A new canvas."""
        return cls(width, height, bytearray(3 * width * height))

    def flat(self, colour: Colour, alpha: float = 1.0) -> Ink:
        """One colour; with `alpha` below 1 what is under it shines through."""
        tables: tuple[bytes, ...] = ()
        if alpha < 1:
            tables = tuple(_towards(lane, alpha) for lane in colour)
        return Ink(bytes(colour) * self.height, alpha, tables)

    def gradient(self, *stops: tuple[float, Colour]) -> Ink:
        """Colours from top to bottom; a stop is a height in pixels and the colour there, ascending."""
        first, last = stops[0], stops[-1]
        ends = ((min(-1.0, first[0]), first[1]), *stops, (max(self.height + 1.0, last[0] + 1), last[1]))
        planes = []
        for channel in range(3):
            plane: list[int] = []
            for (top, start), (bottom, end) in pairwise(ends):
                until = max(0, min(self.height, math.ceil(bottom)))
                slope = (end[channel] - start[channel]) / max(bottom - top, 1e-9)
                offset = start[channel] + 0.5 - top * slope
                plane += [int(offset + slope * y) for y in range(len(plane), until)]
            planes.append(bytes(plane))
        return Ink(interleave(*planes))

    def fill(self, left: int, tops: Sequence[float], bottoms: Sequence[float], ink: Ink) -> None:
        """Fill between two outlines, given by their heights at the sides of the columns from `left` on."""
        height, pixels, column, tables = self.height, self.pixels, ink.column, ink.tables
        for i in range(max(0, -left), min(len(tops) - 1, self.width - left)):
            # An edge that crosses a column at a slope covers a run of its pixels in part: a ramp.
            soft_top = abs(tops[i] - tops[i + 1]) / 2
            soft_top = soft_top if soft_top > 0.5 else 0.5
            soft_bottom = abs(bottoms[i] - bottoms[i + 1]) / 2
            soft_bottom = soft_bottom if soft_bottom > 0.5 else 0.5
            top = (tops[i] + tops[i + 1]) / 2 - 0.5
            bottom = (bottoms[i] + bottoms[i + 1]) / 2 - 0.5
            first = max(math.floor(top - soft_top) + 1, 0)
            end = min(math.ceil(bottom + soft_bottom), height)
            inner = max(math.ceil(top + soft_top), 0)
            outer = min(math.floor(bottom - soft_bottom) + 1, height)
            base = (left + i) * 3 * height
            rows: Iterable[int]
            if inner < outer:
                start, stop = 3 * inner, 3 * outer
                if tables:
                    for at, table in enumerate(tables, base + start):
                        pixels[at : base + stop : 3] = pixels[at : base + stop : 3].translate(table)
                else:
                    pixels[base + start : base + stop] = column[start:stop]
                rows = chain(range(first, inner), range(outer, end))
            else:
                rows = range(first, end)
            for y in rows:
                above, below = (y - top) / soft_top, (bottom - y) / soft_bottom
                cover = (above if above < 1 else 1.0) + (below if below < 1 else 1.0)
                if cover > 0:
                    share = int(cover * 128 * ink.alpha)
                    at = base + 3 * y
                    for lane in (0, 1, 2):
                        old = pixels[at + lane]
                        pixels[at + lane] = old + ((column[3 * y + lane] - old) * share >> 8)

    def cover(self, ink: Ink) -> None:
        """Fill the whole canvas."""
        self.box(0, 0, self.width, self.height, ink)

    def below(self, outline: Sequence[float], ink: Ink) -> None:
        """Fill everything below an outline that begins at the left side."""
        self.fill(0, outline, [self.height + 1.0] * len(outline), ink)

    def box(self, x: float, y: float, width: float, height: float, ink: Ink) -> None:
        """An upright rectangle; its sides are moved to whole columns."""
        columns = max(1, round(x + width) - round(x)) + 1
        self.fill(round(x), [y] * columns, [y + height] * columns, ink)

    def ellipse(self, x: float, y: float, rx: float, ry: float, ink: Ink, slant: float = 0.0) -> None:
        """An ellipse around (x, y); `slant` moves each column down by so many pixels a pixel to the right."""
        left, right = math.floor(x - rx), math.ceil(x + rx)
        reach = [
            ry / rx * math.sqrt(max(0.0, (rx - at + x) * (rx + at - x))) for at in range(left, right + 1)
        ]
        middle = [y + slant * (min(max(at, x - rx), x + rx) - x) for at in range(left, right + 1)]
        self.fill(
            left,
            [m - r for m, r in zip(middle, reach, strict=True)],
            [m + r for m, r in zip(middle, reach, strict=True)],
            ink,
        )

    def disc(self, x: float, y: float, radius: float, ink: Ink) -> None:
        """A filled circle."""
        self.ellipse(x, y, radius, radius, ink)

    def glow(self, x: float, y: float, rx: float, ry: float, colour: Colour, strength: float) -> None:
        """Light around (x, y) that fades out towards an ellipse, pixel by pixel: for small canvases."""
        for column in range(max(0, math.floor(x - rx)), min(self.width, math.ceil(x + rx))):
            right = (column + 0.5 - x) / rx
            for row in range(max(0, math.floor(y - ry)), min(self.height, math.ceil(y + ry))):
                down = (row + 0.5 - y) / ry
                light = 1 - right * right - down * down
                if light > 0:
                    self.dab(column, row, colour, strength * light * light)

    def polygon(self, points: Sequence[tuple[float, float]], ink: Ink) -> None:
        """A convex polygon."""
        low, high = min(x for x, _ in points), max(x for x, _ in points)
        left, right = math.floor(low), math.ceil(high)
        tops, bottoms = [], []
        for column in range(left, right + 1):
            at = min(max(column, low), high)
            crossings = [
                y1 + (y2 - y1) * share
                for (x1, y1), (x2, y2) in zip(points, [*points[1:], points[0]], strict=True)
                if min(x1, x2) <= at <= max(x1, x2)
                for share in ([(at - x1) / (x2 - x1)] if x1 != x2 else [0.0, 1.0])
            ]
            tops.append(min(crossings))
            bottoms.append(max(crossings))
        self.fill(left, tops, bottoms, ink)

    def dab(self, x: int, y: int, colour: Colour, alpha: float) -> None:
        """One pixel, if it lies on the canvas."""
        if 0 <= x < self.width and 0 <= y < self.height:
            at = 3 * (x * self.height + y)
            for lane in (0, 1, 2):
                old = self.pixels[at + lane]
                self.pixels[at + lane] = old + int((colour[lane] - old) * alpha)

    def dot(self, x: float, y: float, radius: float, colour: Colour, alpha: float) -> None:
        """A small circle; smoother than a disc of a few pixels."""
        for column in range(math.floor(x - radius), math.ceil(x + radius) + 1):
            for row in range(math.floor(y - radius), math.ceil(y + radius) + 1):
                right, down = column + 0.5 - x, row + 0.5 - y
                off = math.sqrt(right * right + down * down)
                self.dab(column, row, colour, alpha * min(max(radius + 0.5 - off, 0.0), 1.0))

    def mirror(self, line: int, tint: Colour, alpha: float, squeeze: float) -> None:
        """Everything from row `line` down becomes a tinted mirror image of what is above it.

        `squeeze` is how many rows above one row below shows.
        """
        tables = self.flat(tint, alpha).tables
        sources = [max(0, line - 1 - int(row * squeeze)) for row in range(self.height - line)]
        span = 3 * self.height
        for start in range(0, len(self.pixels), span):
            for lane, table in enumerate(tables):
                plane = self.pixels[start + lane : start + span : 3].translate(table)
                self.pixels[start + 3 * line + lane : start + span : 3] = bytes(
                    [plane[row] for row in sources]
                )

    def enlarged(self, width: int, height: int, doublings: int) -> Canvas:
        """This canvas with its sides doubled so many times, softly, and cut to a size."""
        pixels, columns, rows = bytes(self.pixels), self.width, self.height
        for _ in range(doublings):
            pixels = doubled(pixels, rows, columns)
            columns, rows = 2 * columns, 2 * rows
        if rows != height:
            starts = range(0, 3 * rows * width, 3 * rows)
            pixels = b"".join(pixels[start : start + 3 * height] for start in starts)
        return Canvas(width, height, bytearray(pixels[: 3 * width * height]))

    def bitmap(self) -> Bitmap:
        """The picture, row by row."""
        planes = []
        for lane in range(3):
            plane = bytes(self.pixels[lane::3])
            planes.append(b"".join(plane[row :: self.height] for row in range(self.height)))
        return Bitmap(self.width, self.height, 3, interleave(*planes))


@functools.lru_cache(maxsize=1024)
def _towards(value: int, share: float) -> bytes:
    """A table that moves each byte by a share of the way to a value."""
    return bytes(int(old + (value - old) * share + 0.5) for old in range(256))


def doubled(pixels: bytes, line: int, lines: int, channels: int = 3) -> bytes:
    """Twice as many pixels along and across: each new one is 3/4 its nearest and 1/4 its next nearest.

    `line` is how many pixels follow one another, `lines` how many such rows or columns there are.
    """
    span = channels * line
    last = span - channels
    before = bytearray(pixels[:channels] + pixels[:-channels])
    after = bytearray(pixels[channels:] + pixels[-channels:])
    for lane in range(channels):
        before[lane::span] = pixels[lane::span]
        after[last + lane :: span] = pixels[last + lane :: span]
    near, far = _leaning(pixels, bytes(before)), _leaning(pixels, bytes(after))
    along = bytearray(2 * len(pixels))
    for lane in range(channels):
        along[lane :: 2 * channels] = near[lane::channels]
        along[lane + channels :: 2 * channels] = far[lane::channels]
    wide, span = bytes(along), 2 * span
    near = _leaning(wide, wide[:span] + wide[:-span])
    far = _leaning(wide, wide[span:] + wide[-span:])
    starts = range(0, span * lines, span)
    return b"".join(half[start : start + span] for start in starts for half in (near, far))


def _leaning(first: bytes, second: bytes) -> bytes:
    """Byte by byte three parts of the first and one of the second."""
    return by_lanes(first, second, _lean)


def _lean(a: int, b: int, one: int) -> int:
    # One mean is rounded down and the next up, so that enlarging does not darken.
    middle = (a & b) + ((a ^ b) >> 1 & one * 127)
    return (a | middle) - ((a ^ middle) >> 1 & one * 127)
