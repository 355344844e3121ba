"""The files of a batch, line by line: what is asked, what is wrong with it, what is answered.

The rule: an input file is checked as a whole before any line is carried out; each line is answered in one of
two files, what was carried out well in the one and all else in the other.
"""

from __future__ import annotations

import json
import secrets
from urllib.parse import parse_qs

from ._exchange import EmulatedRequest, EmulatedResponse, json_response
from ._forms import Form, dump
from ._models import MODELS

ENDPOINT = "/v1/images/generations"
MOST_LINES = 50_000


def page(request: EmulatedRequest, rows: list[dict[str, object]], limit: int) -> EmulatedResponse:
    """A part of a list, newest first, after the row that is named."""
    query = parse_qs(request.query)
    limit, after = int(query.get("limit", [str(limit)])[0]), query.get("after", [None])[0]
    start = next((number for number, row in enumerate(rows, 1) if row["id"] == after), 0)
    part = rows[start : start + limit]
    return json_response(
        {
            "object": "list",
            "data": part,
            "first_id": part[0]["id"] if part else None,
            "last_id": part[-1]["id"] if part else None,
            "has_more": start + limit < len(rows),
        }
    )


def entries_of(data: bytes) -> tuple[list[tuple[str, Form]], list[dict[str, object]]]:
    """The requests of an input file, and what is wrong with it."""
    entries: list[tuple[str, Form]] = []
    problems: list[dict[str, object]] = []
    models, seen = set(), set()
    for number, text in enumerate(data.splitlines(), 1):
        try:
            asked = json.loads(text)
            custom_id, body = asked["custom_id"], asked["body"]
            right = (asked["method"], asked["url"]) == ("POST", ENDPOINT) and isinstance(body, dict)
        except (ValueError, KeyError, TypeError):
            problems.append(problem("This line is not parseable as valid JSON.", "invalid_json_line", number))
            continue
        model = body.get("model") if right else None
        if not right or not isinstance(custom_id, str):
            problems.append(problem("The line is no request of this endpoint.", "invalid_request", number))
        elif custom_id in seen:
            problems.append(
                problem("The custom_id for this request is a duplicate.", "duplicate_custom_id", number)
            )
        elif model not in MODELS or not MODELS[model].batches:
            problems.append(
                problem(
                    f"The provided model '{model}' is not supported by the Batch API.",
                    "model_not_found",
                    number,
                )
            )
        else:
            entries.append((custom_id, Form(body, {}, is_json=True)))
        models.add(model)
        seen.add(str(custom_id))
    if len(models) > 1 and not problems:
        problems.append(problem("A batch holds requests for one model.", "mismatched_model", None))
    if not data.strip():
        problems.append(problem("The input file is empty.", "empty_file", None))
    if len(entries) > MOST_LINES:
        problems.append(problem(f"A batch has at most {MOST_LINES} requests.", "too_many_tasks", None))
    return entries, problems


def problem(message: str, code: str, line: int | None) -> dict[str, object]:
    """Something that is wrong with a batch or a line of it."""
    return {"code": code, "line": line, "message": message, "param": None}


def line(custom_id: str, status: int, body: dict[str, object]) -> bytes:
    """A line of an output or error file: what a request was answered."""
    response = {"status_code": status, "request_id": f"req_{secrets.token_hex(16)}", "body": body}
    return _row(custom_id, response, None)


def undone(custom_id: str, status: str) -> bytes:
    """A line of an error file: a request that was not carried out."""
    words = {
        "expired": "This request could not be executed before the completion window expired.",
        "cancelled": "This request was not executed, because the batch was cancelled.",
    }
    message = words.get(status, "This request was not executed.")
    return _row(custom_id, None, {"code": f"batch_{status}", "message": message})


def _row(custom_id: str, response: object, error: object) -> bytes:
    name = f"batch_req_{secrets.token_hex(12)}"
    return dump({"id": name, "custom_id": custom_id, "response": response, "error": error}) + b"\n"
