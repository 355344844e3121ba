"""Image sizes: which are legal, which legal one is nearest, and which covers a smaller one.

The rule of the free sizes (gpt-image-2 and later): both edges divisible by 16, a ratio between 1:3 and 3:1,
no edge over 3840, and 655 360 to 8 294 400 pixels in all. The first two stand in OpenAI's specification,
the others in https://docs.comfy.org/zh/built-in-nodes/OpenAIGPTImageNodeV2. The smallest legal square is
816x816, so the sizes 256x256 and 512x512 of DALL·E 2 cannot be asked for.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._model import Model

STEP, LONGEST, RATIO = 16, 3840, 3
FEWEST, MOST = 655_360, 8_294_400

_FORM = "(?a)" r"([1-9][0-9]{0,7})x([1-9][0-9]{0,7})"


def parse_size(size: object) -> tuple[int, int] | None:
    """Width and height of `"1024x768"`; `None` for anything of another form."""
    match = re.fullmatch(_FORM, size) if isinstance(size, str) else None
    return (int(match[1]), int(match[2])) if match else None


def broken_rules(width: int, height: int) -> list[str]:
    """The rules of the free sizes that this size breaks, in words."""
    rules = []
    if width % STEP or height % STEP:
        rules.append(f"width and height must be divisible by {STEP}")
    if max(width, height) > LONGEST:
        rules.append(f"no edge may be longer than {LONGEST}")
    if max(width, height) > RATIO * min(width, height):
        rules.append(f"the ratio must lie between 1:{RATIO} and {RATIO}:1")
    if not FEWEST <= width * height <= MOST:
        rules.append(f"there must be {FEWEST} to {MOST} pixels (this has {width * height})")
    return rules


def is_legal_size(model: Model, size: object) -> bool:
    """Whether the model makes images of this size."""
    if size in model.sizes:
        return True
    edges = parse_size(size)
    return model.free_sizes and edges is not None and not broken_rules(*edges)


def nearest_size(width: int, height: int) -> str:
    """The legal free size nearest to this one: the shape counts most, then the number of pixels."""
    shape, area = math.log(width / height), math.log(width * height)

    def distance(edges: tuple[int, int]) -> float:
        w, h = edges
        return (4 * (math.log(w / h) - shape)) ** 2 + (math.log(w * h) - area) ** 2

    legal = []
    for w in range(STEP, LONGEST + 1, STEP):
        low = _up(max(-(-FEWEST // w), -(-w // RATIO)))
        high = _up(min(MOST // w, RATIO * w, LONGEST) + 1) - STEP
        if low > high:
            continue
        # For one width the distance has a single lowest point; only its two neighbours on the grid count.
        best = math.exp((16 * (math.log(w) - shape) - math.log(w) + area) / 17)
        for h in (int(best) // STEP * STEP, int(best) // STEP * STEP + STEP):
            legal.append((w, min(max(h, low), high)))
    w, h = min(legal, key=distance)
    return f"{w}x{h}"


def _up(edge: int) -> int:
    return -(-edge // STEP) * STEP


def covering_size(model: Model, size: str) -> str | None:
    """The smallest size of the model with the shape of `size` and at least as large, to be scaled down.

    `None` if it has none, or if `size` is not of the form `WIDTHxHEIGHT`.
    """
    edges = parse_size(size)
    if edges is None:
        return None
    width, height = edges
    shape = math.gcd(width, height)
    a, b = width // shape, height // shape
    found = [e for e in map(parse_size, model.sizes) if e and e[0] * b == e[1] * a and e[0] >= width]
    if model.free_sizes:
        unit = math.lcm(STEP // math.gcd(STEP, a), STEP // math.gcd(STEP, b))
        for factor in range(unit, LONGEST // max(a, b) + 1, unit):
            if a * factor >= width and not broken_rules(a * factor, b * factor):
                found.append((a * factor, b * factor))
                break
    if not found:
        return None
    width, height = min(found)
    return f"{width}x{height}"
