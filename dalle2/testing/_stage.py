"""What every scene of the emulator's painter needs: colours, a sky, hilly lines, stars and birds.

The rule: positions are fractions of the canvas, and the same random numbers are taken at every size, so
that a coarse picture shows the same place as the sharp one.
"""

from __future__ import annotations

import math
import random

import attrs

from ._canvas import Canvas, Colour, mix

WHITE: Colour = (255, 255, 255)


@attrs.frozen
class Palette:
    """The colours of a scene: the sky from top to horizon, its light, and hills from far to near."""

    top: Colour
    middle: Colour
    low: Colour
    sun: Colour
    far: Colour
    near: Colour


@attrs.define
class Stage:
    """What a scene is painted on and with: `words` are those of the prompt, in lower case."""

    canvas: Canvas
    palette: Palette
    rng: random.Random
    words: frozenset[str]
    sun: tuple[float, float, float] = (0.5, 0.4, 0.07)  # place as fractions of the sides, radius of the unit

    @property
    def unit(self) -> int:
        """The shorter side of the canvas in pixels."""
        return min(self.canvas.width, self.canvas.height)

    def between(self, low: float, high: float) -> float:
        """A random number; `Random.random` alone is the same in every version of Python."""
        return low + (high - low) * self.rng.random()

    def chance(self, power: int) -> float:
        """A random share, mostly small: a product of so many equal numbers."""
        value = self.rng.random()
        return math.prod([value] * power)

    def backdrop(self, horizon: float, *, lights: int = 0) -> None:
        """The sky with its glow, the sun, and soft clouds or so many coloured `lights` instead."""
        canvas, colours = self.canvas, self.palette
        doublings = 0
        while max(canvas.width, canvas.height) >> doublings > 72:
            doublings += 1
        part = 1 << doublings
        small = Canvas.blank(-(-canvas.width // part), -(-canvas.height // part))
        width, height, unit = canvas.width / part, canvas.height / part, self.unit / part
        small.cover(
            small.gradient(
                (0, colours.top), (horizon * 0.62 * height, colours.middle), (horizon * height, colours.low)
            )
        )
        x, y, radius = self.sun
        small.glow(x * width, y * height, unit * 0.85, unit * 0.75, mix(colours.low, colours.sun, 0.3), 0.6)
        small.glow(x * width, y * height, unit * radius * 3.2, unit * radius * 3.2, colours.sun, 0.55)
        for _ in range(7):
            across, down, size = self.between(-0.1, 1.1), self.between(0.08, 0.95), self.between(0.16, 0.42)
            if not lights:
                tone = mix(colours.middle, mix(colours.sun, colours.low, 0.5), down)
                at = horizon * down * height
                small.glow(across * width, at, size * unit * 1.3, size * unit * 0.13, tone, 0.5)
        for number in range(lights):
            across, down, size = self.between(0, 1), self.between(0.05, 0.8), self.between(0.3, 0.6)
            tone = mix((colours.middle, colours.low, colours.far)[number % 3], colours.middle, 0.3)
            small.glow(across * width, down * height, size * unit * 1.2, size * unit * 0.8, tone, 0.5)
        canvas.pixels[:] = small.enlarged(canvas.width, canvas.height, doublings).pixels
        canvas.disc(x * canvas.width, y * canvas.height, radius * self.unit, canvas.flat(colours.sun))

    def ridge(self, knots: float, *, octaves: int = 3) -> list[float]:
        """A wavy line over the canvas, about -1..1, one value at each side of a column."""
        width = self.canvas.width
        knots *= max(1.0, width / self.canvas.height)
        total = [0.0] * (width + 1)
        size = 0.75
        for _ in range(octaves):
            points = [self.between(-1, 1) for _ in range(int(knots) + 5)]
            scale = knots / width
            for x in range(width + 1):
                place = x * scale
                knot = int(place)
                t = place - knot
                a, b, c, d = points[knot : knot + 4]
                total[x] += size * (
                    b + t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a))) / 2
                )
            size *= 0.3
            knots *= 2.6
        return total

    def land(self, line: list[float], colour: Colour, *, haze: float = 0.35) -> None:
        """Ground below an outline, paler further down, as if mist lay in the valley behind the next ridge."""
        top = min(line)
        mist = mix(colour, self.palette.low, haze)
        self.canvas.below(line, self.canvas.gradient((top, colour), (top + 0.3 * self.canvas.height, mist)))

    def stars(self, count: int, lowest: float) -> None:
        """Small stars down to a height."""
        canvas = self.canvas
        for number in range(count):
            x, y, light = self.between(0, 1), self.between(0, lowest), self.between(0.25, 1)
            radius = max(0.55, light * self.unit / (260 if number % 9 == 0 else 560))
            canvas.dot(x * canvas.width, y * canvas.height, radius, WHITE, light * 0.9)

    def birds(self) -> None:
        """A few birds far away."""
        canvas, unit = self.canvas, self.unit
        ink = canvas.flat(mix(self.palette.near, self.palette.top, 0.25), 0.85)
        x0, y0 = self.between(0.2, 0.7), self.between(0.16, 0.3)
        for number in range(5):
            x = (x0 + 0.07 * (number - 2) + self.between(-0.025, 0.025)) * canvas.width
            y = (y0 + self.between(-0.06, 0.06)) * canvas.height
            span = self.between(0.011, 0.02) * unit
            for side in (-1, 1):
                tip = (x + side * span, y - span * 0.45)
                bend = (x + side * span * 0.5, y - span * 0.55)
                canvas.polygon([(x, y), bend, (x + side * span * 0.55, y - span * 0.3)], ink)
                canvas.polygon([bend, tip, (x + side * span * 0.55, y - span * 0.3)], ink)
