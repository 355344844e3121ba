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
    """An HTML table; the first row is its head, unless it is blank.

    Notebooks put the text of every cell to the right; a column without an amount is read from the left.
    """
    head, *body = rows
    left = [not any(cell.lstrip("$")[:1].isdigit() for cell in column) for column in zip(*body, strict=True)]
    lines = "".join(f"<tr>{_cells('td', row, left)}</tr>" for row in body)
    names = f"<thead><tr>{_cells('th', head, left)}</tr></thead>" if any(head) else ""
    return f"<table><caption>{escape(caption)}</caption>{names}<tbody>{lines}</tbody></table>"


def _cells(tag: str, row: Sequence[str], left: Iterable[bool]) -> str:
    styles = (' style="text-align:left"' if each else "" for each in left)
    return "".join(f"<{tag}{style}>{escape(cell)}</{tag}>" for cell, style in zip(row, styles, strict=True))


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
