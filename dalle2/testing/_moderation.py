"""The moderation endpoint: which texts are flagged, and as what.

The rule: the same words are flagged here as image requests are refused for. Images are taken and
never flagged.
"""

from __future__ import annotations

import secrets

from . import _refusals as refuse
from ._forms import Form
from ._safety import CATEGORIES, flagged_categories


def moderate(form: Form) -> dict[str, object]:
    """The answer to `POST /v1/moderations`: one result a text, or one for a list of parts."""
    given = form.values.get("input")
    if isinstance(given, str):
        texts = [given]
    elif isinstance(given, list) and given and all(isinstance(item, str) for item in given):
        texts = list(given)
    elif isinstance(given, list) and given and all(isinstance(item, dict) for item in given):
        texts = ["\n".join(str(item.get("text", "")) for item in given)]
    elif given is None:
        raise refuse.missing_parameter("input")
    else:
        raise refuse.schema_error("'$.input' is invalid. Please check the API reference.")
    return {
        "id": f"modr-{secrets.token_hex(16)}",
        "model": form.text("model") or "omni-moderation-latest",
        "results": [_result(text) for text in texts],
    }


def _result(text: str) -> dict[str, object]:
    flagged = flagged_categories(text)
    return {
        "flagged": bool(flagged),
        "categories": {name: name in flagged for name in CATEGORIES},
        "category_scores": {name: 0.98 if name in flagged else 0.0001 for name in CATEGORIES},
        "category_applied_input_types": {name: ["text"] for name in CATEGORIES},
    }
