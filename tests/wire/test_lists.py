"""Moderations and models as plain JSON values."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime

import dalle2


def test_a_moderation_is_plain_json() -> None:
    """All that was said of the prompt, in plain mappings."""
    said = dalle2.Moderation(True, {"violence": True}, {"violence": 0.9}, "omni", "req-1")
    written = {
        "flagged": True,
        "categories": {"violence": True},
        "scores": {"violence": 0.9},
        "model": "omni",
        "request_id": "req-1",
    }
    assert json.loads(json.dumps(said.to_dict())) == written


def test_a_model_is_plain_json() -> None:
    """Moments as Unix seconds, days as ISO texts, and what is not known as null."""
    row = dalle2.ModelInfo("dall-e-2", datetime(2022, 11, 3, tzinfo=UTC), "openai", date(2026, 5, 12))
    assert json.loads(json.dumps(row.to_dict())) == {
        "id": "dall-e-2",
        "created": 1667433600.0,
        "owned_by": "openai",
        "shutdown_date": "2026-05-12",
        "extra": {},
    }
    bare = dalle2.ModelInfo("new", extra={"kind": ["image"]}).to_dict()
    assert (bare["created"], bare["shutdown_date"], bare["extra"]) == (None, None, {"kind": ["image"]})
