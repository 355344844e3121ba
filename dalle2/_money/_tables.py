"""Amounts of money as text, and small tables of them for notebooks, as HTML.

The rule: every text is escaped, since models and sources may have any name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape

from ..catalog import Price


def in_dollars(usd: float) -> str:
    """An amount to the millionth of a dollar: `$0.018`, `$5`, never `$1e+06`."""
    return "$" + f"{usd:.6f}".rstrip("0").rstrip(".")


def table(caption: str, rows: Iterable[Sequence[str]]) -> str:
    """An HTML table; the first row is its head."""
    head, *body = rows
    lines = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in body)
    names = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    return (
        f"<table><caption>{escape(caption)}</caption><thead><tr>{names}</tr></thead>"
        f"<tbody>{lines}</tbody></table>"
    )


def price_rows(prices: Mapping[str, Price]) -> Iterable[Sequence[str]]:
    """A row for each model: its prices, and where they stand."""
    yield "model", "an image", "a million tokens (text in, image in, image out)", "first-party", "source"
    for name, price in prices.items():
        span = sorted(
            {min(price.per_image.values()), max(price.per_image.values())} if price.per_image else ()
        )
        tokens = price.per_million or ()
        yield (
            name,
            " to ".join(map(in_dollars, span)),
            ", ".join(map(in_dollars, tokens)),
            "yes" if price.first_party else "no",
            price.source,
        )
