"""The landscapes that the emulator paints: what lies where, from the sky down to the foreground.

The rule: a scene draws with fractions of the canvas and takes the same random numbers at every size, so that a
coarse picture shows the same place as the sharp one.
"""

from __future__ import annotations

import random

import attrs

from ._canvas import Canvas, Colour, Ink, mix

WHITE: Colour = (255, 255, 255)
NIGHT = frozenset({"night", "midnight", "moon", "moonlight", "stars", "star", "aurora"})


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
    """What a scene is painted on and with. `unit` is the shorter side in pixels."""

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

    def backdrop(self, horizon: float, *, lights: int = 0) -> None:
        """The sky with its glow and soft clouds, and the sun; `lights` are coloured mists instead of clouds."""
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
        for number in range(count):
            x, y, light = self.between(0, 1), self.between(0, lowest), self.between(0.25, 1)
            size = light * self.unit / (260 if number % 9 == 0 else 560)
            self.canvas.disc(
                x * self.canvas.width,
                y * self.canvas.height,
                max(0.55, size),
                self.canvas.flat(WHITE, light * 0.9),
            )

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


def hills(stage: Stage) -> None:
    """Ridges behind ridges under a low sun; sometimes around a lake, sometimes with mountains."""
    canvas, colours = stage.canvas, stage.palette
    height = canvas.height
    lake = bool(stage.words & {"lake", "river", "pond"}) or stage.between(0, 1) < 0.35
    peaks = bool(stage.words & {"mountain", "mountains", "alps", "peak"}) or stage.between(0, 1) < 0.3
    stage.sun = (stage.between(0.22, 0.78), stage.between(0.24, 0.42), stage.between(0.055, 0.1))
    stage.backdrop(0.62)
    if stage.words & NIGHT:
        stage.stars(90, 0.45)
    layers = 6
    for number in range(layers):
        depth = number / (layers - 1)
        if lake and number == 3:
            water = round(height * 0.66)
            canvas.mirror(water, mix(colours.near, colours.middle, 0.45), 0.35, 1.25)
            ripples(stage, water / height)
        base = 0.46 + 0.44 * depth * (0.75 + 0.25 * depth) if not lake or number < 3 else 0.74 + 0.2 * depth
        swing = (
            (0.075 if number < 2 and peaks else 0.05)
            * (1.1 - 0.25 * depth)
            * (1.6 if lake and number > 2 else 1)
        )
        wave = stage.ridge(
            stage.between(1.6, 3.2) + (2 if peaks and number < 2 else 0),
            octaves=2 + (peaks and number < 2) * 2,
        )
        tilt = stage.between(-0.05, 0.05) * (3 if lake and number > 2 else 1)
        line = [height * (base + swing * v + tilt * (x / canvas.width - 0.5) * 2) for x, v in enumerate(wave)]
        if lake and number in (3, 4):
            continue
        stage.land(line, mix(colours.far, colours.near, depth), haze=0.45 * (1 - depth) + 0.05)
        if number == 2:
            stage.birds()


def dunes(stage: Stage) -> None:
    """Dunes, each with a crest between its lit and its shaded flank."""
    canvas, colours = stage.canvas, stage.palette
    stage.sun = (stage.between(0.25, 0.75), stage.between(0.2, 0.36), stage.between(0.07, 0.13))
    stage.backdrop(0.6)
    for number in range(5):
        depth = number / 4
        wave = stage.ridge(stage.between(2.0, 3.0), octaves=1)
        line = [canvas.height * (0.54 + 0.36 * depth + 0.09 * v) for v in wave]
        colour = mix(colours.far, colours.near, depth * 0.9)
        stage.land(line, mix(colour, colours.low, 0.3), haze=0.3)
        # The shade begins at the crest and winds down the flank.
        crest = stage.between(0.15, 0.85) * canvas.width
        shade = [y + max(0.0, crest - x) * 0.42 + max(0.0, x - crest) * 0.02 for x, y in enumerate(line)]
        ink = canvas.gradient(
            (min(line), mix(colour, colours.near, 0.35)), (canvas.height * 1.1, mix(colour, colours.low, 0.2))
        )
        canvas.below(shade, ink)
    stage.birds()


def ripples(stage: Stage, horizon: float) -> None:
    """Light on water: streaks that are wider and further apart near the viewer, and a path under the sun."""
    canvas, colours = stage.canvas, stage.palette
    depth = 1 - horizon
    for number in range(130):
        near = stage.rng.random() ** 2
        y = (horizon + 0.004 + depth * near) * canvas.height
        thick = max(0.8, (0.0012 + 0.005 * near) * canvas.height)
        if number % 2:
            x = stage.sun[0] + stage.between(-1, 1) * stage.between(0, 0.03 + 0.16 * near)
            ink = canvas.flat(colours.sun, 0.55 - 0.3 * near)
        else:
            x = stage.between(0, 1)
            ink = canvas.flat(mix(colours.low, WHITE, 0.2), 0.16)
        reach = stage.between(0.01, 0.05) * (0.5 + 1.6 * near) * stage.unit
        canvas.ellipse(x * canvas.width, y, reach, thick, ink)


def water(stage: Stage, horizon: float) -> None:
    """Open sea up to the horizon."""
    canvas, colours = stage.canvas, stage.palette
    line = round(horizon * canvas.height)
    deep = mix(colours.near, colours.top, 0.35)
    canvas.box(
        0,
        line,
        canvas.width,
        canvas.height,
        canvas.gradient(
            (line, mix(colours.low, colours.far, 0.4)),
            (line + 0.16 * canvas.height, mix(colours.far, deep, 0.55)),
            (canvas.height, deep),
        ),
    )
    ripples(stage, horizon)


def sea(stage: Stage) -> None:
    """The sun over the sea, an island, a boat."""
    canvas, colours = stage.canvas, stage.palette
    horizon = stage.between(0.56, 0.64)
    stage.sun = (stage.between(0.3, 0.7), horizon - stage.between(0.06, 0.2), stage.between(0.07, 0.11))
    stage.backdrop(horizon)
    wave = stage.ridge(3)
    side = 0.0 if stage.sun[0] > 0.5 else 1.0
    line = [
        canvas.height * (horizon - 0.1 * max(0.0, 1 - abs(x / canvas.width - side) * 2.2) * (1 + 0.4 * v))
        for x, v in enumerate(wave)
    ]
    canvas.fill(
        0, line, [horizon * canvas.height] * len(line), canvas.flat(mix(colours.far, colours.low, 0.25))
    )
    water(stage, horizon)
    boat(stage, 0.5 + (0.5 - stage.sun[0]) * 0.9, horizon + 0.07)
    stage.birds()


def boat(stage: Stage, x: float, y: float) -> None:
    """A small sailing boat and its shadow."""
    canvas, unit, colours = stage.canvas, stage.unit, stage.palette
    left, base, size = x * canvas.width, y * canvas.height, 0.085 * unit
    canvas.ellipse(left, base + size * 0.28, size * 0.7, size * 0.07, canvas.flat(colours.near, 0.45))
    hull = canvas.flat(mix(colours.near, (30, 20, 30), 0.4))
    canvas.polygon(
        [
            (left - size * 0.6, base),
            (left + size * 0.62, base),
            (left + size * 0.4, base + size * 0.24),
            (left - size * 0.42, base + size * 0.24),
        ],
        hull,
    )
    sail = mix(colours.sun, WHITE, 0.6)
    canvas.polygon(
        [
            (left - size * 0.03, base - size * 1.3),
            (left - size * 0.03, base - size * 0.08),
            (left + size * 0.52, base - size * 0.08),
        ],
        canvas.flat(sail),
    )
    canvas.polygon(
        [
            (left - size * 0.09, base - size * 1.1),
            (left - size * 0.09, base - size * 0.08),
            (left - size * 0.45, base - size * 0.08),
        ],
        canvas.flat(mix(sail, colours.middle, 0.3)),
    )


def forest(stage: Stage) -> None:
    """Rows of conifers that fade into mist."""
    canvas, colours = stage.canvas, stage.palette
    stage.sun = (stage.between(0.3, 0.7), stage.between(0.2, 0.34), stage.between(0.06, 0.09))
    stage.backdrop(0.7)
    line = [canvas.height * (0.44 + 0.09 * v) for v in stage.ridge(2.4, octaves=4)]
    stage.land(line, mix(colours.far, colours.low, 0.3), haze=0.7)
    stage.birds()
    for number in range(4):
        depth = number / 3
        ground = [canvas.height * (0.6 + 0.36 * depth + 0.035 * v) for v in stage.ridge(1.8, octaves=2)]
        tall = (0.1 + 0.2 * depth) * stage.unit
        colour = mix(colours.far, colours.near, 0.15 + 0.85 * depth)
        stage.land(ground, colour, haze=0.6 * (1 - depth))
        foot = min(ground)
        ink = canvas.gradient(
            (foot - tall, colour), (foot + tall, mix(colour, colours.low, 0.4 * (1 - depth)))
        )
        trees = round((30 - 18 * depth) * max(1.0, canvas.width / canvas.height))
        for tree in range(trees):
            middle = (tree + stage.between(0.1, 0.9)) / trees * canvas.width
            high = tall * stage.between(0.6, 1.25)
            _conifer(canvas, middle, ground[int(middle)] + high * 0.03, high, ink)


def _conifer(canvas: Canvas, middle: float, foot: float, high: float, ink: Ink) -> None:
    """A tree that stands at `foot`: a trunk and three skirts, one above the other."""
    canvas.box(middle - high * 0.025, foot - high * 0.2, high * 0.05, high * 0.25, ink)
    for low, top, wide in ((0.1, 0.6, 0.27), (0.34, 0.82, 0.21), (0.58, 1.0, 0.14)):
        corners = [(middle - high * wide, foot - high * low), (middle + high * wide, foot - high * low)]
        canvas.polygon([*corners, (middle, foot - high * top)], ink)
