"""What a picture was made of, as the file beside it: `corgi.png.json` for `corgi.png`.

The rule: it says what was asked and of whom, and holds no key, no URL of the picture, and not the `user` whom
the caller named to the host.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime

SIDECAR = ".json"
"""What the name of a sidecar has behind that of its image."""
_NOT_TOLD = ("operation", "prompt", "model", "user", "safety_identifier", "image", "mask", "extra_body")


def sidecar_of(
    *,
    prompt: str | None,
    revised_prompt: object = None,
    model: str | None,
    parameters: Mapping[str, object],
    request_id: str | None,
    created: datetime,
) -> bytes:
    """The sidecar of an image. `parameters` are those of its request, `extra_body` among them."""
    extra = parameters.get("extra_body")
    sent = {**parameters, **(extra if isinstance(extra, Mapping) else {})}
    document = {
        "prompt": prompt,
        "revised_prompt": revised_prompt,
        "model": model,
        "parameters": {name: value for name, value in sent.items() if name not in _NOT_TOLD},
        "request_id": request_id,
        "created": created.isoformat(),
    }
    return (json.dumps(document, indent=2, ensure_ascii=False, default=str) + "\n").encode("utf-8", "replace")
