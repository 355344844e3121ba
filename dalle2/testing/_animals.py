"""Animals that look out of a picture, each drawn from the same few shapes.

The rule: an animal is a value, its coat; a new one is a line in the table.
"""

from __future__ import annotations

import attrs

from ._canvas import Canvas, Colour, mix
from ._stage import WHITE, Stage

DARK: Colour = (38, 30, 40)


@attrs.frozen
class Coat:
    """How an animal looks: its fur, its face, and its ears (their height and lean; 0 high means round)."""

    fur: Colour
    face: Colour
    ears: float = 1.0
    lean: float = 0.3
    whiskers: bool = False
    scarf: Colour = (40, 124, 138)
    patches: bool = False


_RED: Colour = (208, 74, 70)

ANIMALS = {
    "corgi": Coat((232, 152, 74), (255, 248, 238), 1.1, 0.3),
    "fox": Coat((226, 108, 52), (255, 244, 232), 1.2, 0.2),
    "cat": Coat((148, 146, 160), (242, 238, 238), 1.0, 0.18, whiskers=True, scarf=_RED),
    "kitten": Coat((238, 172, 104), (255, 244, 230), 0.9, 0.2, whiskers=True),
    "dog": Coat((176, 122, 78), (246, 232, 212), 0.5, 0.45),
    "puppy": Coat((214, 170, 118), (255, 244, 226), 0.5, 0.5),
    "wolf": Coat((116, 124, 142), (232, 234, 240), 1.15, 0.2, scarf=_RED),
    "panda": Coat((246, 243, 238), (255, 253, 250), 0.0, scarf=_RED, patches=True),
    "bear": Coat((150, 100, 66), (232, 204, 170), 0.0),
    "rabbit": Coat((216, 204, 200), (255, 250, 248), 2.0, 0.06, whiskers=True, scarf=_RED),
}


def portrait(stage: Stage, coat: Coat, *, helmet: bool) -> None:
    """An animal that looks at the viewer, in a space suit or with a scarf."""
    canvas, colours = stage.canvas, stage.palette
    x, y, r = canvas.width / 2, canvas.height * 0.5, stage.unit * 0.235
    suit = (236, 236, 240) if helmet else mix(coat.fur, DARK, 0.12)
    shade = mix(suit, colours.near, 0.28)
    shoulders = y + r * 2.75
    canvas.ellipse(x, shoulders, r * 1.75, r * 1.75, canvas.flat(shade))
    canvas.ellipse(x - r * 0.08, shoulders + r * 0.1, r * 1.6, r * 1.75, canvas.flat(suit))
    if not helmet:
        _head(canvas, x, y, r, coat)
        _scarf(canvas, x, y, r, coat.scarf)
        return
    canvas.ellipse(x, y + r * 1.32, r * 1.08, r * 0.36, canvas.flat(mix(shade, colours.near, 0.25)))
    canvas.disc(x, y, r * 1.62, canvas.flat(mix(WHITE, colours.near, 0.12)))
    canvas.disc(x - r * 0.02, y - r * 0.02, r * 1.59, canvas.flat(WHITE))
    inside = (mix(colours.top, DARK, 0.3), mix(colours.middle, colours.low, 0.5))
    canvas.disc(x, y, r * 1.47, canvas.gradient((y - r * 1.5, inside[0]), (y + r * 1.5, inside[1])))
    _head(canvas, x, y + r * 0.16, r * 0.88, coat)
    canvas.disc(x, y, r * 1.47, canvas.flat(WHITE, 0.05))
    glint = canvas.flat(WHITE, 0.45)
    canvas.ellipse(x - r * 1.0, y - r * 0.82, r * 0.18, r * 0.19, glint, -1.0)
    canvas.disc(x - r * 1.25, y - r * 0.36, r * 0.07, glint)
    canvas.disc(x + r * 0.75, shoulders - r * 0.85, r * 0.17, canvas.flat(mix(colours.far, _RED, 0.7)))
    canvas.disc(x + r * 0.75, shoulders - r * 0.85, r * 0.09, canvas.flat(colours.sun))


def _head(canvas: Canvas, x: float, y: float, r: float, coat: Coat) -> None:
    fur, face = canvas.flat(coat.fur), canvas.flat(coat.face)
    for side in (-1, 1):
        _ear(canvas, x, y, side * r, coat)
    canvas.ellipse(x, y + r * 0.08, r * 1.08, r * 0.92, fur)
    for side in (-1, 1):
        canvas.ellipse(x + side * r * 0.52, y + r * 0.42, r * 0.5, r * 0.46, face)
    canvas.ellipse(x, y + r * 0.5, r * 0.62, r * 0.5, face)
    top, bottom = y - r * 0.56, y + r * 0.4
    canvas.polygon(
        [(x - r * 0.1, top), (x + r * 0.1, top), (x + r * 0.3, bottom), (x - r * 0.3, bottom)], face
    )
    canvas.ellipse(x, top, r * 0.1, r * 0.16, face)
    for side in (-1, 1):
        if coat.patches:
            canvas.ellipse(x + side * r * 0.47, y, r * 0.25, r * 0.29, canvas.flat(mix(DARK, coat.fur, 0.25)))
        _half_face(canvas, x, y, side * r, coat)
    if not coat.whiskers:
        canvas.ellipse(x, y + r * 0.74, r * 0.13, r * 0.17, canvas.flat((236, 110, 116)))
        canvas.ellipse(x, y + r * 0.6, r * 0.2, r * 0.09, face)
    nose = r * (0.1 if coat.whiskers else 0.16)
    canvas.ellipse(x, y + r * 0.32, nose, nose * 0.72, canvas.flat(DARK))
    canvas.ellipse(x - nose * 0.3, y + r * 0.29, nose * 0.3, nose * 0.18, canvas.flat(WHITE, 0.5))
    canvas.box(x - r * 0.012, y + r * 0.4, max(1.0, r * 0.024), r * 0.14, canvas.flat(DARK))


def _ear(canvas: Canvas, x: float, y: float, r: float, coat: Coat) -> None:
    """One ear; a negative `r` makes it the left one."""
    size = abs(r)
    if not coat.ears:
        canvas.disc(x + r * 0.78, y - size * 0.68, size * 0.36, canvas.flat(mix(coat.fur, DARK, 0.75)))
        return
    tip = (x + r * (0.62 + coat.lean), y - size * (0.62 + 0.6 * coat.ears))
    outer = [(x + r * 0.16, y - size * 0.62), tip, (x + r * 0.95, y - size * 0.1)]
    canvas.polygon(outer, canvas.flat(mix(coat.fur, DARK, 0.1)))
    tip = (x + r * (0.62 + coat.lean * 0.9), y - size * (0.52 + 0.5 * coat.ears))
    inner = [(x + r * 0.36, y - size * 0.6), tip, (x + r * 0.82, y - size * 0.24)]
    canvas.polygon(inner, canvas.flat(mix(coat.face, (240, 150, 140), 0.6)))


def _half_face(canvas: Canvas, x: float, y: float, r: float, coat: Coat) -> None:
    """An eye, a cheek and half a mouth; a negative `r` makes them the left ones."""
    size = abs(r)
    dark, face = canvas.flat(DARK), canvas.flat(coat.face)
    canvas.ellipse(x + r * 0.46, y - size * 0.04, size * 0.13, size * 0.16, dark)
    canvas.disc(x + r * 0.46 + size * 0.045, y - size * 0.1, size * 0.045, canvas.flat(WHITE))
    canvas.ellipse(x + r * 0.72, y + size * 0.36, size * 0.16, size * 0.1, canvas.flat((244, 140, 120), 0.45))
    canvas.ellipse(x + r * 0.15, y + size * 0.56, size * 0.16, size * 0.13, dark)
    canvas.ellipse(x + r * 0.15, y + size * 0.525, size * 0.155, size * 0.125, face)
    for hair in range(3 if coat.whiskers else 0):
        start, end = y + size * (0.4 + 0.06 * hair), y + size * (0.28 + 0.14 * hair)
        tip = x + r * 1.25
        points = [(x + r * 0.4, start), (tip, end), (tip, end + size * 0.025)]
        canvas.polygon(points, canvas.flat(WHITE, 0.8))


def _scarf(canvas: Canvas, x: float, y: float, r: float, colour: Colour) -> None:
    fold = canvas.flat(mix(colour, (20, 20, 40), 0.22))
    end = [(x + r * 0.3, y + r * 1.2), (x + r * 0.66, y + r * 1.12), (x + r * 0.76, y + r * 1.95)]
    canvas.ellipse(x, y + r * 1.16, r * 0.88, r * 0.3, fold)
    canvas.polygon([*end, (x + r * 0.42, y + r * 1.98)], fold)
    canvas.ellipse(x, y + r * 1.08, r * 0.88, r * 0.28, canvas.flat(colour))
