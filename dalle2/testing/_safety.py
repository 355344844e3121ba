"""Which prompts the emulator refuses: a short list of harmless trigger words, each standing for a category.

The rule: a prompt is refused, and a text flagged, exactly if it contains one of `TRIGGERS` as a whole word
in any letter case. Image requests and moderations use the same list.
"""

from __future__ import annotations

import re

TRIGGERS: dict[str, str] = {
    "unsafe": "violence",
    "gory": "violence/graphic",
    "nude": "sexual",
    "hateful": "hate",
    "bullying": "harassment",
    "self-harm": "self-harm",
    "contraband": "illicit",
}
"""Trigger word to moderation category."""

CATEGORIES: tuple[str, ...] = (
    "hate",
    "hate/threatening",
    "harassment",
    "harassment/threatening",
    "illicit",
    "illicit/violent",
    "self-harm",
    "self-harm/intent",
    "self-harm/instructions",
    "sexual",
    "sexual/minors",
    "violence",
    "violence/graphic",
)
"""Every category of the moderation endpoint, in its order."""


def flagged_categories(text: str) -> list[str]:
    """The categories whose trigger words occur in the text; a finer category brings its parent along."""
    found: set[str] = set()
    for word, category in TRIGGERS.items():
        if re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", text, re.IGNORECASE):
            found |= {category, category.partition("/")[0]}
    return [category for category in CATEGORIES if category in found]


def short_categories(text: str) -> list[str]:
    """As `flagged_categories`, by the short names that image refusals use."""
    return [category for category in flagged_categories(text) if "/" not in category]
