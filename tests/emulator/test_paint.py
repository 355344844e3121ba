"""The painter: pictures that follow from the prompt alone, their edits and their variations."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable

import pytest

from dalle2.testing import _paint
from dalle2.testing._animals import ANIMALS
from dalle2.testing._canvas import Canvas, Ink, mix
from dalle2.testing._paint import paint, repaint, variation
from dalle2.testing._png import Bitmap, decode, dimensions, encode

PROMPTS = (
    "a corgi astronaut, studio photo",
    "a lighthouse at sunset",
    "a city in the rain",
    "two cats by the sea",
    "a panda in the snow",
    "a forest at night",
    "the moon over a mountain lake",
    "mountains and a river at night",
    "desert dunes",
    "一只可爱的猫",
    "",
    "\ud800",
)


def distance(first: bytes, second: bytes) -> float:
    """How far two pictures are apart: the mean difference of their samples."""
    a, b = decode(first).pixels, decode(second).pixels
    return sum(abs(x - y) for x, y in zip(a, b, strict=True)) / len(a)


def roughness(data: bytes) -> float:
    """The mean difference of neighbours in a row."""
    pixels = decode(data).pixels
    return sum(abs(a - b) for a, b in zip(pixels, pixels[3:], strict=False)) / len(pixels)


@pytest.mark.parametrize("prompt", PROMPTS)
@pytest.mark.parametrize(("width", "height"), [(96, 96), (150, 100), (40, 130), (1, 1), (2, 1), (1, 7)])
def test_any_prompt_is_painted_at_any_size(prompt: str, width: int, height: int) -> None:
    """The picture is an opaque PNG of just the size that was asked for."""
    data = paint(prompt, width, height)
    assert dimensions(data) == (width, height, False)
    assert decode(data).width == width


@pytest.mark.parametrize("index", range(12))
def test_no_word_is_needed(index: int) -> None:
    """Whatever chance chooses for a prompt without a known word can be painted."""
    colours = set(decode(paint("something", 64, 48, index)).pixels)
    assert len(colours) > 40


@pytest.mark.parametrize("animal", ANIMALS)
def test_every_animal_is_seen(animal: str) -> None:
    """One or several, on the ground or behind the glass of a helmet, an animal shows its fur."""
    fur = ANIMALS[animal].fur
    assert decode(paint(f"a {animal}", 80, 80)).pixels.count(bytes(fur)) > 20
    behind_glass = mix(fur, (255, 255, 255), 0.05)
    assert decode(paint(f"{animal}s in space", 80, 80)).pixels.count(bytes(behind_glass)) > 20


def test_a_picture_is_the_same_in_another_process() -> None:
    """Neither the hash seed of a process nor what was painted before matters."""
    script = (
        "import hashlib; from dalle2.testing._paint import paint;"
        "print(hashlib.sha256(paint('a fox in a forest', 64, 64, 3)).hexdigest())"
    )
    here = hashlib.sha256(paint("a fox in a forest", 64, 64, 3)).hexdigest()
    for seed in ("1", "2"):
        there = subprocess.run(
            [sys.executable, "-c", script],
            capture_output=True,
            text=True,
            check=True,
            env=os.environ | {"PYTHONHASHSEED": seed},
        )
        assert there.stdout.strip() == here


def test_pixels_do_not_depend_on_the_version_of_python() -> None:
    """The pixels of one picture are known for good."""
    pixels = decode(paint("a lighthouse at sunset", 48, 32)).pixels
    assert (
        hashlib.sha256(pixels).hexdigest()
        == "c161d9ebb57d09089ecea163718bb3297a365f763a9917a8e9009c3d1a7cf97e"
    )


def test_prompts_and_indices_differ_clearly() -> None:
    """Another prompt and another index of it are other pictures."""
    pictures = [paint(prompt, 48, 48) for prompt in PROMPTS]
    pictures += [paint("a fox", 48, 48, index) for index in range(4)]
    for number, picture in enumerate(pictures):
        for other in pictures[:number]:
            assert distance(picture, other) > 4


def test_details_come_one_after_another() -> None:
    """A lower `detail` is the same place, but coarser; values outside 0..1 count as 0 and 1."""
    steps = [paint("a city", 192, 192, detail=detail) for detail in (0, 0.25, 0.5, 0.75, 1)]
    rough = [roughness(step) for step in steps]
    assert rough == sorted(rough)
    assert len(set(steps)) == 5
    apart = [distance(step, steps[-1]) for step in steps]
    assert apart == sorted(apart, reverse=True)
    assert apart[0] < 35
    assert paint("a city", 192, 192, detail=-1) == steps[0]
    assert paint("a city", 192, 192, detail=2) == steps[-1]


def test_a_very_large_picture_is_enlarged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Above a number of pixels half the size is painted, whatever the detail."""
    small = paint("sea", 60, 50)
    monkeypatch.setattr(_paint, "_MAX_PIXELS", 2999)
    large = paint("sea", 60, 50)
    assert dimensions(large) == dimensions(small) == (60, 50, False)
    assert large != small
    assert paint("sea", 60, 50, detail=0.25) == paint("sea", 60, 50, detail=0.25)


def half(width: int, height: int, *, colour: bytes = b"\x20\x60\xa0") -> bytes:
    """A PNG of one colour with a transparent left half."""
    left = width // 2
    row = (colour + b"\0") * left + (colour + b"\xff") * (width - left)
    return encode(Bitmap(width, height, 4, row * height))


def test_only_what_the_mask_leaves_open_is_repainted() -> None:
    """The right half stays exactly as it was, the left one comes from the prompt's picture."""
    source, other = paint("a fox", 40, 30), paint("the sea", 40, 30, 2)
    bitmap = decode(repaint(source, half(40, 30), "the sea", 40, 30, 2))
    assert bitmap.channels == 3
    before, new = decode(source).pixels, decode(other).pixels
    for start in range(0, len(before), 120):
        assert bitmap.pixels[start : start + 60] == new[start : start + 60]
        assert bitmap.pixels[start + 60 : start + 120] == before[start + 60 : start + 120]


def test_without_a_mask_the_image_itself_says_where() -> None:
    """The image's transparent pixels are painted and opaque then."""
    bitmap = decode(repaint(half(40, 30), None, "the sea", 40, 30))
    assert bitmap.channels == 3
    assert bitmap.pixels[60:120] == b"\x20\x60\xa0" * 20
    assert bitmap.pixels[:60] == decode(paint("the sea", 40, 30)).pixels[:60]


def test_transparency_that_is_kept_stays() -> None:
    """A pixel that shines through a little is not repainted, and keeps its alpha."""
    source = encode(Bitmap(2, 1, 4, b"\1\2\3\x04\5\6\7\0"))
    bitmap = decode(repaint(source, None, "x", 2, 1))
    assert bitmap.pixels[:4] == b"\1\2\3\x04"
    assert bitmap.pixels[7] == 255


def test_a_mask_without_alpha_keeps_everything() -> None:
    """An opaque mask leaves nothing to paint."""
    source = paint("a fox", 24, 24)
    assert decode(repaint(source, source, "the sea", 24, 24)) == decode(source)


def test_an_edit_takes_the_nearest_pixels_at_another_size() -> None:
    """Twice the size repeats each kept pixel, half the size takes some of them."""
    source = paint("a fox", 20, 20)
    opaque = paint("x", 7, 7)
    before = decode(source)
    large = decode(repaint(source, opaque, "sea", 40, 40))
    assert large.pixels[: 3 * 40] == b"".join(before.pixels[3 * x : 3 * x + 3] * 2 for x in range(20))
    small = decode(repaint(source, opaque, "sea", 10, 5))
    rows = {before.pixels[start : start + 60] for start in range(0, len(before.pixels), 60)}
    assert any(small.pixels[:30] == b"".join(row[6 * x + 3 : 6 * x + 6] for x in range(10)) for row in rows)


def test_variations_resemble_their_source_and_differ() -> None:
    """No two are alike; one that is not mirrored is nearer to its source than another picture."""
    source = paint("a lighthouse at sunset", 64, 64)
    made = [variation(source, 64, 64, index) for index in range(6)]
    assert made == [variation(source, 64, 64, index) for index in range(6)]
    for number, picture in enumerate([source, *made]):
        assert dimensions(picture) == (64, 64, False)
        for other in made[: max(0, number - 1)]:
            assert distance(picture, other) > 2
    assert 2 < distance(source, made[1]) < distance(source, paint("a city in the rain", 64, 64))


@pytest.mark.parametrize(("width", "height"), [(20, 20), (64, 64), (100, 50)])
def test_a_variation_has_the_size_and_alpha_asked_for(width: int, height: int) -> None:
    """Smaller, larger, another shape: the alpha channel goes along."""
    bitmap = decode(variation(half(64, 64), width, height, 1))
    assert (bitmap.width, bitmap.height, bitmap.channels) == (width, height, 4)
    assert set(bitmap.alpha) >= {0, 255}


def test_what_is_no_png_cannot_be_changed() -> None:
    """Edits and variations need a PNG that can be read."""
    with pytest.raises(ValueError, match="not a PNG"):
        repaint(b"GIF89a", None, "x", 8, 8)
    with pytest.raises(ValueError, match="not a PNG"):
        repaint(half(8, 8), b"GIF89a", "x", 8, 8)
    with pytest.raises(ValueError, match="not a PNG"):
        variation(b"GIF89a", 8, 8)


def test_a_shape_covers_as_much_as_its_area() -> None:
    """Edges are smooth: the light of a disc and of a polygon is that of their area."""
    shapes: list[tuple[Callable[[Canvas, Ink], None], float]] = [
        (lambda canvas, ink: canvas.disc(20.3, 19.6, 12.5, ink), 490.9),
        (lambda canvas, ink: canvas.polygon([(4.5, 30), (20, 3.25), (35.5, 30)], ink), 414.6),
        (lambda canvas, ink: canvas.box(5, 5.5, 10, 4.25, ink), 42.5),
    ]
    for draw, area in shapes:
        for alpha in (1.0, 0.5):
            canvas = Canvas.blank(40, 40)
            draw(canvas, canvas.flat((250, 250, 250), alpha))
            assert sum(canvas.pixels) / 750 == pytest.approx(area * alpha, rel=0.02)


def test_shapes_may_lie_beside_the_canvas() -> None:
    """What is not on the canvas is not drawn."""
    canvas = Canvas.blank(8, 8)
    ink = canvas.flat((255, 255, 255))
    for x, y in ((-20, 4), (20, 4), (4, -20), (4, 20)):
        canvas.disc(x, y, 5, ink)
        canvas.dot(x, y, 2, (255, 255, 255), 1)
    assert not any(canvas.pixels)
