"""The emulator's painter: a prompt in, a PNG out, quickly and without an imaging library.

The rule: everything follows from the prompt and the index, so that a picture is the same in every process,
and another prompt, or another index, is another picture. Words choose the motif and the colours; the rest
is taken from a hash. No pixel depends on the platform; the compressed bytes are those of the local zlib.
"""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Callable, Sequence
from operator import itemgetter

from . import _motifs, _scenes
from ._animals import ANIMALS, portrait
from ._canvas import Canvas, doubled
from ._png import Bitmap, decode, encode, interleave
from ._scenes import NIGHT
from ._stage import Palette, Stage

_WARM = (
    Palette((43, 45, 95), (193, 78, 104), (255, 180, 110), (255, 236, 190), (150, 70, 110), (35, 22, 58)),
    Palette((226, 120, 70), (244, 176, 96), (255, 222, 150), (255, 246, 210), (206, 110, 76), (92, 38, 46)),
    Palette((84, 56, 124), (222, 110, 120), (255, 200, 140), (255, 240, 205), (172, 92, 124), (52, 30, 66)),
    Palette((34, 62, 104), (226, 122, 96), (255, 206, 128), (255, 242, 204), (140, 86, 104), (24, 30, 56)),
)
_DAY = (
    Palette((38, 120, 160), (120, 190, 200), (240, 232, 200), (255, 250, 225), (110, 165, 170), (18, 62, 78)),
    Palette((98, 120, 190), (236, 170, 180), (255, 222, 190), (255, 246, 224), (150, 130, 180), (52, 52, 98)),
    Palette((70, 150, 150), (165, 210, 180), (246, 240, 200), (255, 252, 230), (120, 175, 150), (24, 74, 72)),
    Palette((64, 132, 206), (142, 196, 232), (244, 238, 220), (255, 252, 236), (128, 170, 190), (34, 78, 96)),
    Palette((112, 96, 168), (198, 160, 206), (252, 214, 212), (255, 244, 232), (146, 122, 176), (58, 44, 92)),
)
_DARK = (
    Palette((8, 12, 40), (24, 40, 92), (84, 92, 150), (248, 242, 220), (62, 72, 130), (10, 12, 34)),
    Palette((14, 8, 40), (60, 28, 100), (150, 74, 140), (255, 226, 200), (112, 62, 136), (20, 10, 44)),
    Palette((4, 18, 38), (10, 58, 80), (60, 140, 140), (236, 248, 226), (40, 104, 118), (6, 20, 36)),
)
_GREY = (
    Palette((58, 72, 98), (112, 128, 150), (206, 196, 190), (250, 238, 214), (128, 136, 156), (30, 36, 56)),
    Palette((52, 64, 92), (118, 112, 142), (226, 190, 178), (255, 232, 204), (130, 118, 148), (34, 30, 56)),
)
_GREEN = (
    Palette((92, 154, 150), (176, 208, 170), (246, 236, 190), (255, 250, 222), (124, 168, 136), (20, 58, 52)),
    Palette((196, 132, 82), (240, 192, 122), (255, 232, 178), (255, 248, 218), (176, 138, 90), (58, 48, 38)),
)

# The first row with a word of the prompt decides.
_COLOURS: tuple[tuple[frozenset[str], Sequence[Palette]], ...] = (
    (frozenset(["sunset", "dusk", "sunrise", "dawn", "evening", "autumn", "fall", "golden", "warm"]), _WARM),
    (
        NIGHT
        | frozenset(
            [
                "space",
                "galaxy",
                "astronaut",
                "cosmonaut",
                "planet",
                "rocket",
                "mars",
                "nebula",
                "dark",
                "neon",
            ]
        ),
        _DARK,
    ),
    (
        frozenset(
            ["rain", "rainy", "fog", "foggy", "storm", "mist", "misty", "cloudy", "winter", "snow", "snowy"]
        ),
        _GREY,
    ),
    (frozenset(["desert", "dune", "dunes", "sand", "sahara"]), _WARM[1:3]),
    (frozenset(["forest", "woods", "tree", "trees", "jungle", "pine"]), (*_GREEN, *_DAY)),
)
_SCENES: tuple[tuple[frozenset[str], Callable[[Stage], None]], ...] = (
    (frozenset({"lighthouse"}), _motifs.lighthouse),
    (
        frozenset(["space", "galaxy", "astronaut", "cosmonaut", "planet", "rocket", "mars", "nebula"]),
        _motifs.space,
    ),
    (
        frozenset(["city", "town", "street", "skyline", "skyscraper", "tokyo", "london", "paris", "york"]),
        _motifs.city,
    ),
    (
        frozenset(
            ["sea", "ocean", "beach", "boat", "ship", "harbour", "harbor", "island", "wave", "waves", "sail"]
        ),
        _scenes.sea,
    ),
    (frozenset(["forest", "woods", "tree", "trees", "jungle", "pine"]), _scenes.forest),
    (frozenset(["desert", "dune", "dunes", "sand", "sahara"]), _scenes.dunes),
    (frozenset(["mountain", "mountains", "hill", "hills", "lake", "river", "valley", "alps"]), _scenes.hills),
)
_MAX_PIXELS = 2_000_000  # larger pictures are painted at half size and enlarged


def paint(prompt: str, width: int, height: int, index: int = 0, *, detail: float = 1.0) -> bytes:
    """A PNG of `width` x `height` pixels for the prompt; `index` tells pictures of one prompt apart.

    `detail` (0..1) below 1 gives the same picture coarser, as it would look before it is finished.
    """
    return encode(_painted(prompt, width, height, index, detail))


def repaint(image: bytes, mask: bytes | None, prompt: str, width: int, height: int, index: int = 0) -> bytes:
    """A PNG of the image in which the pixels under a fully transparent mask pixel come from the prompt.

    Without a mask the image's own alpha channel is the mask. The other pixels are kept exactly; image and
    mask are brought to `width` x `height` by their nearest pixels. Raises `ValueError` for what is not a
    readable PNG.
    """
    source = _resized(decode(image), width, height)
    holes = source if mask is None else _resized(decode(mask), width, height)
    chosen = holes.alpha.translate(b"\xff" + bytes(255))
    select = int.from_bytes(interleave(chosen, chosen, chosen, chosen), "little")
    old = int.from_bytes(source.rgba, "little")
    new = int.from_bytes(_painted(prompt, width, height, index, 1.0).rgba, "little")
    mixed = Bitmap(width, height, 4, (old ^ ((old ^ new) & select)).to_bytes(4 * width * height, "little"))
    return encode(mixed if min(mixed.alpha) < 255 else _opaque(mixed))


def variation(image: bytes, width: int, height: int, index: int = 0) -> bytes:
    """A PNG that resembles the image: seen a little closer, its hues turned, every second one mirrored.

    Raises `ValueError` for what is not a readable PNG.
    """
    source = decode(image)
    if source.width < 2 * width:
        # Picked from twice as many pixels, lines stay smooth when the picture is brought closer.
        pixels = doubled(source.pixels, source.width, source.height, source.channels)
        source = Bitmap(2 * source.width, 2 * source.height, source.channels, pixels)
    rng = random.Random(hashlib.sha256(b"%d " % index + image).digest())
    zoom = 0.84 + 0.1 * rng.random()
    left, top = (1 - zoom) * rng.random(), (1 - zoom) * rng.random()
    picture = _resized(source, width, height, (left, top, zoom), mirrored=index % 2 == 0)
    planes = [picture.pixels[lane :: picture.channels] for lane in range(picture.channels)]
    # Each colour takes a part of the next one: a turn of the hues that needs no arithmetic on single pixels.
    # The golden ratio keeps the turns of successive indices apart.
    share = 0.12 + 0.2 * ((index * 0.618034 + rng.random() * 0.2) % 1)
    step = 1 + index // 2 % 2
    turned = [_blend(planes[lane], planes[(lane + step) % 3], share) for lane in range(3)]
    return encode(Bitmap(width, height, picture.channels, interleave(*turned, *planes[3:])))


def _painted(prompt: str, width: int, height: int, index: int, detail: float) -> Bitmap:
    doublings = round((1 - min(max(detail, 0.0), 1.0)) * 5 + 0.49)
    if width * height > _MAX_PIXELS:
        doublings = max(1, doublings)
    part = 1 << doublings
    canvas = Canvas.blank(-(-width // part), -(-height // part))
    _compose(canvas, prompt, index)
    return canvas.enlarged(width, height, doublings).bitmap()


def _compose(canvas: Canvas, prompt: str, index: int) -> None:
    words = frozenset(re.findall(r"[a-z]+", prompt.lower()))
    rng = random.Random(hashlib.sha256(f"{index} {prompt}".encode("utf-8", "surrogatepass")).digest())
    palettes = next((choice for known, choice in _COLOURS if words & known), (*_WARM, *_DAY, _DARK[0]))
    stage = Stage(canvas, palettes[int(rng.random() * len(palettes))], rng, words)
    usual = (_scenes.hills, _scenes.hills, _scenes.sea, _scenes.forest, _scenes.dunes)
    fallback = usual[int(rng.random() * len(usual))]
    scene = next((painter for known, painter in _SCENES if words & known), fallback)
    scene(stage)
    animal = next((word for word in ANIMALS if words & {word, word + "s"}), None)
    if animal is not None:
        helmet = bool(words & {"astronaut", "cosmonaut", "space"})
        portrait(stage, ANIMALS[animal], helmet=helmet)
    if words & {"rain", "rainy", "storm"}:
        _motifs.rain(stage)
    if words & {"snow", "snowy", "winter"}:
        _motifs.snow(stage)


def _resized(
    source: Bitmap,
    width: int,
    height: int,
    window: tuple[float, float, float] = (0.0, 0.0, 1.0),
    *,
    mirrored: bool = False,
) -> Bitmap:
    """The nearest pixels of a window, given by its left, its top and its size as fractions of the source."""
    if (width, height) == (source.width, source.height) and window == (0.0, 0.0, 1.0):
        return source
    left, top, size = window
    columns = [int((left + (x + 0.5) / width * size) * source.width) for x in range(width)]
    if mirrored:
        columns.reverse()
    channels, stride = source.channels, source.channels * source.width
    pick = itemgetter(*(channels * column + lane for column in columns for lane in range(channels)))
    lines: dict[int, bytes] = {}
    rows = []
    for y in range(height):
        row = int((top + (y + 0.5) / height * size) * source.height)
        if row not in lines:
            lines[row] = bytes(pick(source.pixels[row * stride : (row + 1) * stride]))
        rows.append(lines[row])
    return Bitmap(width, height, channels, b"".join(rows))


def _blend(first: bytes, second: bytes, share: float) -> bytes:
    """Byte by byte a mean; both parts are rounded down, so no sum leaves its byte."""
    a = int.from_bytes(first.translate(bytes(int(v * (1 - share)) for v in range(256))), "little")
    b = int.from_bytes(second.translate(bytes(int(v * share) for v in range(256))), "little")
    return (a + b).to_bytes(len(first), "little")


def _opaque(bitmap: Bitmap) -> Bitmap:
    pixels = bitmap.pixels
    return Bitmap(bitmap.width, bitmap.height, 3, interleave(pixels[0::4], pixels[1::4], pixels[2::4]))
