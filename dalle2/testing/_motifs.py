"""What a word in a prompt can add to a picture: a city, space, a lighthouse, rain and snow.

The rule is that of the landscapes: fractions of the canvas, and the same random numbers at every size.
"""

from __future__ import annotations

import math

from ._canvas import Canvas, Colour, Ink, mix
from ._scenes import water
from ._stage import WHITE, Stage


def city(stage: Stage) -> None:
    """Rows of towers with lit windows, mirrored in wet ground."""
    canvas, colours = stage.canvas, stage.palette
    stage.sun = (stage.between(0.25, 0.75), stage.between(0.2, 0.32), stage.between(0.05, 0.08))
    stage.backdrop(0.75)
    ground = round(canvas.height * 0.8)
    for number in range(4):
        depth = number / 3
        colour = mix(mix(colours.far, colours.low, 0.45), colours.near, depth)
        ink = canvas.gradient(
            (canvas.height * (0.3 + 0.1 * depth), colour),
            (ground, mix(colour, colours.low, 0.4 - 0.25 * depth)),
        )
        x = stage.between(-0.08, 0)
        while x < canvas.width / canvas.height + 0.05:
            wide = stage.between(0.05, 0.1) * (0.8 + 0.5 * depth)
            high = stage.between(0.16, 0.4 - 0.05 * depth) + 0.1 * (1 - depth)
            _tower(stage, x * canvas.height, ground, wide * canvas.height, high * canvas.height, ink, number)
            x += wide + stage.between(0, 0.02 + 0.03 * depth)
    canvas.mirror(ground, colours.near, 0.45, 1.8)
    streak = canvas.flat(mix(colours.sun, colours.low, 0.3), 0.12)
    for _ in range(60):
        across, near = stage.between(0, 1), stage.chance(2)
        y = ground + near * (canvas.height - ground)
        canvas.ellipse(
            across * canvas.width,
            y,
            stage.between(0.02, 0.09) * stage.unit,
            (0.001 + 0.003 * near) * stage.unit,
            streak,
        )


def _tower(stage: Stage, x: float, ground: float, wide: float, high: float, ink: Ink, row: int) -> None:
    canvas, colours = stage.canvas, stage.palette
    canvas.box(x, ground - high, wide, high, ink)
    roof = stage.between(0, 1)
    if roof < 0.25:
        canvas.box(x + wide * 0.46, ground - high * 1.16, max(1.0, wide * 0.05), high * 0.17, ink)
    elif roof < 0.5:
        canvas.box(x + wide * 0.2, ground - high * 1.06, wide * 0.6, high * 0.07, ink)
    elif roof < 0.65:
        canvas.polygon([(x, ground - high), (x + wide, ground - high), (x + wide, ground - high * 1.12)], ink)
    warm = canvas.flat(mix(colours.sun, (255, 200, 110), 0.5), 0.35 + 0.17 * row)
    lanes = 3 if wide < 0.08 * canvas.height else 4
    for floor in range(int(high / (0.034 * canvas.height))):
        for lane in range(lanes):
            lit = stage.between(0, 1) < 0.14 + 0.1 * row
            if lit and row:
                canvas.box(
                    x + wide * (lane + 0.62) / (lanes + 0.6),
                    ground - high + (0.018 + floor * 0.034) * canvas.height,
                    wide * 0.42 / lanes,
                    0.015 * canvas.height,
                    warm,
                )


def space(stage: Stage) -> None:
    """Stars, coloured mists, a ringed planet, and the ground of a moon."""
    canvas, colours, unit = stage.canvas, stage.palette, stage.unit
    stage.sun = (stage.between(0.1, 0.3), stage.between(0.1, 0.25), 0.012)
    stage.backdrop(1.1, lights=5)
    stage.stars(150, 1.0)
    x, y = stage.between(0.62, 0.78) * canvas.width, stage.between(0.24, 0.38) * canvas.height
    size = stage.between(0.11, 0.16) * unit
    slant = stage.between(-0.35, 0.35)
    ring = mix(colours.sun, colours.far, 0.3)
    _ring(canvas, x, y, size, slant, canvas.flat(ring, 0.8), front=False)
    _ball(canvas, x, y, size, mix(colours.far, colours.near, 0.5), mix(colours.far, colours.sun, 0.45))
    _ring(canvas, x, y, size, slant, canvas.flat(ring, 0.8), front=True)
    side = stage.between(0.12, 0.3) * canvas.width
    _ball(
        canvas,
        side,
        stage.between(0.5, 0.62) * canvas.height,
        size * 0.28,
        mix(colours.low, colours.near, 0.5),
        mix(colours.low, WHITE, 0.3),
    )
    for number in range(2):
        wave = stage.ridge(1.5)
        line = [canvas.height * (0.8 + 0.1 * number + 0.05 * v) for v in wave]
        ground = mix(colours.far, colours.near, 0.45 + 0.4 * number)
        stage.land(line, ground, haze=0.15)
        for _ in range(5):
            cx = stage.between(0.02, 0.98) * canvas.width
            cy = line[int(cx)] + stage.between(0.05, 0.12) * canvas.height
            wide = stage.between(0.02, 0.055) * unit
            canvas.ellipse(cx, cy, wide, wide * 0.32, canvas.flat(mix(ground, colours.near, 0.5)))
            canvas.ellipse(
                cx, cy + wide * 0.07, wide * 0.9, wide * 0.24, canvas.flat(mix(ground, colours.low, 0.12))
            )


def _ball(canvas: Canvas, x: float, y: float, radius: float, dark: Colour, light: Colour) -> None:
    """A sphere that is lit from the upper left."""
    steps = 14
    for step in range(steps):
        share = step / (steps - 1)
        shift = radius * 0.3 * share
        canvas.disc(x - shift, y - shift, radius * (1 - 0.56 * share), canvas.flat(mix(dark, light, share)))


def _ring(canvas: Canvas, x: float, y: float, size: float, slant: float, ink: Ink, *, front: bool) -> None:
    """Half a planet's ring: the one in front of it or the one behind."""
    wide = 1.95 * size
    left = int(x - wide)
    outer, inner = [], []
    for column in range(left, int(x + wide) + 2):
        off = min(max((column - x) / wide, -1.0), 1.0)
        middle, side = y + slant * off * wide * 0.6, 1 if front else -1
        outer.append(middle + side * 0.34 * size * math.sqrt(1 - off * off))
        hole = max(0.0, 1 - off * off / 0.6)
        inner.append(middle + side * 0.24 * size * math.sqrt(hole))
    if front:
        canvas.fill(left, inner, outer, ink)
    else:
        canvas.fill(left, outer, inner, ink)


def lighthouse(stage: Stage) -> None:
    """A banded tower on a headland, its beam over the sea."""
    canvas, colours, unit = stage.canvas, stage.palette, stage.unit
    horizon = 0.64
    side = 1 if stage.between(0, 1) < 0.5 else -1
    stage.sun = (
        0.5 - side * stage.between(0.16, 0.26),
        horizon - stage.between(0.03, 0.1),
        stage.between(0.075, 0.1),
    )
    stage.backdrop(horizon)
    water(stage, horizon)
    x, foot = (0.5 + side * 0.22) * canvas.width, 0.7 * canvas.height
    for number, lift in enumerate((0.0, 0.09)):
        wave = stage.ridge(4)
        line = []
        for column, v in enumerate(wave):
            off = abs(column / canvas.width - 0.5 - side * (0.3 + 0.12 * number)) - 0.2
            line.append(canvas.height * (0.69 + lift + 0.012 * v + max(0.0, off) * (1.0 + 0.4 * v) * 0.9))
        colour = mix(mix(colours.far, colours.near, 0.75), colours.near, number)
        stage.land(line, colour, haze=0.12 * (1 - number))
        if number == 0:
            _lamp_tower(stage, x, foot, 0.42 * unit, side)
    stage.birds()


def _lamp_tower(stage: Stage, x: float, foot: float, high: float, side: int) -> None:
    canvas, colours = stage.canvas, stage.palette
    lamp = foot - high * 0.93
    light = mix(colours.sun, (255, 244, 190), 0.6)
    for spread in (0.04, 0.06, 0.08, 0.1, 0.12, 0.14):
        reach = 3.2 * high
        beam = [
            (x, lamp),
            (x - side * reach, lamp - spread * reach * 1.5),
            (x - side * reach, lamp + spread * reach * 0.3),
        ]
        canvas.polygon(beam, canvas.flat(light, 0.06))
    bands = ((228, 72, 62), (250, 246, 238))
    low, top, base = high * 0.12, high * 0.072, foot - high * 0.84
    for band in range(5):
        y0, y1 = foot - high * 0.168 * band, foot - high * 0.168 * (band + 1)
        w0, w1 = low + (top - low) * band / 5, low + (top - low) * (band + 1) / 5
        colour = mix(bands[(band + 1) % 2], colours.low, 0.12)
        canvas.polygon([(x - w0, y0), (x + w0, y0), (x + w1, y1), (x - w1, y1)], canvas.flat(colour))
        shade = canvas.flat(colours.near, 0.3)
        canvas.polygon(
            [
                (x + side * w0 * 0.25, y0),
                (x + side * w0, y0),
                (x + side * w1, y1),
                (x + side * w1 * 0.25, y1),
            ],
            shade,
        )
    dark = canvas.flat(mix(colours.near, (20, 22, 34), 0.6))
    canvas.box(x - top * 1.35, base - high * 0.015, top * 2.7, high * 0.022, dark)
    canvas.box(x - top * 0.72, base - high * 0.13, top * 1.44, high * 0.115, canvas.flat(light))
    for post in (-0.72, -0.06, 0.6):
        canvas.box(x + top * post, base - high * 0.13, max(1.0, top * 0.12), high * 0.115, dark)
    canvas.polygon(
        [(x - top, base - high * 0.13), (x + top, base - high * 0.13), (x, base - high * 0.21)], dark
    )
    canvas.disc(x, base - high * 0.215, max(0.8, high * 0.012), dark)
    for radius in (0.07, 0.085, 0.1, 0.12, 0.14, 0.17):
        canvas.disc(x, lamp, high * radius, canvas.flat(light, 0.1))
    for floor in (0.2, 0.5):
        canvas.ellipse(x - side * low * 0.2, foot - high * floor, high * 0.016, high * 0.03, dark)


def rain(stage: Stage) -> None:
    """Slanting streaks of rain over everything."""
    canvas = stage.canvas
    colour = mix(stage.palette.low, WHITE, 0.6)
    for _ in range(260):
        x, y = stage.between(0, 1.1) * canvas.width, stage.between(-0.1, 1) * canvas.height
        long, light = stage.between(0.025, 0.075) * canvas.height, stage.between(0.12, 0.4)
        for step in range(int(long) + 1):
            canvas.dab(int(x - step * 0.22), int(y) + step, colour, light)


def snow(stage: Stage) -> None:
    """Snow in the air, near flakes larger than far ones."""
    canvas = stage.canvas
    for _ in range(170):
        x, y, near = stage.between(0, 1), stage.between(0, 1), stage.chance(3)
        radius = max(0.6, (0.002 + 0.006 * near) * stage.unit)
        canvas.dot(x * canvas.width, y * canvas.height, radius, WHITE, 0.85 - 0.35 * near)
