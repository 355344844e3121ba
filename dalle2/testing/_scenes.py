"""The landscapes that the emulator paints: hills, dunes, sea and forest.

The rule: each draws from the back to the front, and nothing but the stage decides about colours and chance.
"""

from __future__ import annotations

import math

from ._canvas import Canvas, Ink, mix
from ._stage import WHITE, Stage

NIGHT = frozenset({"night", "midnight", "moon", "moonlight", "stars", "star", "aurora"})


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
        near = stage.chance(2)
        y = (horizon + 0.004 + depth * near) * canvas.height
        thick = max(0.8, (0.0012 + 0.005 * near) * canvas.height)
        if number % 2:
            x = stage.sun[0] + stage.between(-1, 1) * stage.between(0, 0.03 + 0.16 * near)
            ink = canvas.flat(colours.sun, round(0.55 - 0.3 * near, 1))
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
    canvas.box(middle - high * 0.025, foot - high * 0.2, high * 0.05, high * 0.3, ink)
    for low, top, wide in ((0.0, 0.6, 0.28), (0.34, 0.82, 0.21), (0.58, 1.0, 0.14)):
        left, half = math.floor(middle - high * wide), high * wide
        base, slope = foot - high * low, (top - low) / wide
        columns = range(left, math.ceil(middle + half) + 1)
        tops = [base - max(0.0, half - abs(column - middle)) * slope for column in columns]
        canvas.fill(left, tops, [base] * len(tops), ink)
