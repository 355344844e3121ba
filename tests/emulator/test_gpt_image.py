"""The GPT image models: base64, usage, free sizes, formats, the event stream, and retirements."""

from __future__ import annotations

import base64
import io
import json
import sys
from datetime import date
from typing import Any

import httpx
import pytest
from PIL import Image

from dalle2.testing._png import dimensions

FLARE = "gpt-image-2.5-flare"
SMALL = "816x816"


def events_of(response: httpx.Response) -> list[dict[str, Any]]:
    """The data of each event; its name must be the data's type."""
    assert response.headers["content-type"].startswith("text/event-stream")
    found = []
    for block in response.text.strip().split("\n\n"):
        name, data = block.split("\n")
        found.append(json.loads(data.removeprefix("data: ")))
        assert name == f"event: {found[-1]['type']}"
    return found


def open_image(text: str) -> Image.Image:
    """The picture behind a base64 text."""
    image = Image.open(io.BytesIO(base64.b64decode(text)))
    image.load()
    return image


def test_an_answer_is_base64_with_usage(api):
    """No URL ever; the settings used and the tokens come along."""
    body = api.generate(model=FLARE, size=SMALL, n=2, quality="low").json()
    assert body.keys() == {"created", "background", "output_format", "quality", "size", "data", "usage"}
    assert (body["background"], body["output_format"], body["quality"], body["size"]) == (
        "opaque",
        "png",
        "low",
        SMALL,
    )
    assert [row.keys() for row in body["data"]] == [{"b64_json"}] * 2
    assert dimensions(base64.b64decode(body["data"][0]["b64_json"]))[:2] == (816, 816)
    usage = body["usage"]
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
    assert usage["input_tokens_details"] == {"text_tokens": 1, "image_tokens": 0}


@pytest.mark.parametrize(
    ("model", "body", "code", "param"),
    [
        (FLARE, {"response_format": "url"}, "unknown_parameter", "response_format"),
        (FLARE, {"size": "256x256"}, "invalid_value", "size"),
        (FLARE, {"size": "1000x1000"}, "invalid_value", "size"),
        (FLARE, {"size": "0x0"}, "invalid_value", "size"),
        (FLARE, {"size": "3200x800"}, "invalid_value", "size"),
        (FLARE, {"size": "3856x2000"}, "invalid_value", "size"),
        (FLARE, {"size": "3840x3840"}, "invalid_value", "size"),
        (FLARE, {"size": "large"}, "invalid_value", "size"),
        (FLARE, {"size": "1024xabc"}, "invalid_value", "size"),
        ("gpt-image-1", {"size": SMALL}, "invalid_value", "size"),
        (FLARE, {"n": 11}, "integer_above_max_value", "n"),
        (FLARE, {"n": 0}, "integer_below_min_value", "n"),
        (FLARE, {"quality": "hd"}, "invalid_value", "quality"),
        ("gpt-image-2", {"quality": "max"}, "invalid_value", "quality"),
        (FLARE, {"background": "green"}, "invalid_value", "background"),
        (FLARE, {"background": "transparent", "output_format": "jpeg"}, "invalid_value", "background"),
        (FLARE, {"output_format": "gif"}, "invalid_value", "output_format"),
        (FLARE, {"output_compression": 50}, "invalid_value", "output_compression"),
        (
            FLARE,
            {"output_compression": 101, "output_format": "webp"},
            "integer_above_max_value",
            "output_compression",
        ),
        (FLARE, {"moderation": "none"}, "invalid_value", "moderation"),
        (FLARE, {"partial_images": 4, "stream": True}, "integer_above_max_value", "partial_images"),
        (FLARE, {"stream": "yes"}, "invalid_type", "stream"),
        (FLARE, {"complexity": "low"}, "unknown_parameter", "complexity"),
        ("gpt-image-2.6-flare", {"complexity": "odd"}, "invalid_value", "complexity"),
        (FLARE, {"input_fidelity": "high"}, "unknown_parameter", "input_fidelity"),
        (FLARE, {"prompt": "x" * 32001}, "string_above_max_length", "prompt"),
    ],
)
def test_a_bad_parameter_is_refused(api, model, body, code, param):
    """The newer wording always has a code and a parameter name."""
    response = api.post("/images/generations", json={"model": model, "prompt": "a fox"} | body)
    error = response.json()["error"]
    assert (response.status_code, error["code"], error["param"]) == (400, code, param)
    assert api.emulator.billed == []


def test_a_size_that_is_too_small_is_the_users_error(api):
    """The answer to 256x256 names no model list, only the rule."""
    error = api.generate(model="gpt-image-2").json()["error"]
    assert error["type"] == "image_generation_user_error"
    assert "655360 or more" in error["message"]


@pytest.mark.parametrize(
    ("size", "echoed"), [("auto", "1024x1024"), (None, "1024x1024"), ("1536x1024", "1536x1024")]
)
def test_a_size_is_settled_before_it_is_echoed(api, size, echoed):
    """`auto` and nothing at all become 1024x1024."""
    assert api.generate(model=FLARE, size=size).json()["size"] == echoed


def test_an_unsafe_prompt_is_blocked_with_details(api):
    """The refusal names the categories by their short names."""
    error = api.generate(model=FLARE, size=SMALL, prompt="a gory nude").json()["error"]
    assert (error["type"], error["code"]) == ("image_generation_user_error", "moderation_blocked")
    assert error["moderation_details"] == {"moderation_stage": "input", "categories": ["sexual", "violence"]}
    assert "safety_violations=[sexual, violence]" in error["message"]


@pytest.mark.parametrize("output_format", ["png", "jpeg", "webp", "gif"])
def test_the_format_is_the_one_asked_for(api, output_format):
    """The bytes are what `output_format` says."""
    options = {"output_compression": 80} if output_format in ("jpeg", "webp") else {}
    body = api.generate(
        model="gpt-image-2.6-flare", size=SMALL, output_format=output_format, **options
    ).json()
    image = open_image(body["data"][0]["b64_json"])
    assert (body["output_format"], image.format, image.size) == (
        output_format,
        output_format.upper(),
        (816, 816),
    )


def test_svg_holds_the_picture(api):
    """SVG is a real document of the right size."""
    body = api.generate(model="gpt-image-2.6-flare", size=SMALL, output_format="svg").json()
    text = base64.b64decode(body["data"][0]["b64_json"]).decode()
    assert text.startswith('<svg xmlns="http://www.w3.org/2000/svg" width="816" height="816">')


def test_without_pillow_other_formats_are_refused(api, monkeypatch):
    """The emulator never answers PNG under another name."""
    monkeypatch.setitem(sys.modules, "PIL", None)
    error = api.generate(model=FLARE, size=SMALL, output_format="webp").json()["error"]
    assert (error["param"], "needs Pillow" in error["message"]) == ("output_format", True)
    assert api.generate(model=FLARE, size=SMALL).status_code == 200


def test_a_stream_sharpens(api):
    """Two partial pictures and the finished one, in events that are named by their type."""
    events = events_of(api.generate(model=FLARE, size=SMALL, stream=True, partial_images=2))
    assert [event["type"] for event in events] == [
        "image_generation.partial_image",
        "image_generation.partial_image",
        "image_generation.completed",
    ]
    assert [event.get("partial_image_index") for event in events] == [0, 1, None]
    shared = {"size", "quality", "background", "output_format", "created_at", "b64_json"}
    assert all(shared <= event.keys() for event in events)
    assert "usage" in events[-1]
    assert len({event["b64_json"] for event in events}) == 3
    final = api.generate(model=FLARE, size=SMALL).json()["data"][0]["b64_json"]
    assert events[-1]["b64_json"] == final
    assert len(api.emulator.billed) == 2


def test_a_stream_without_partials_is_one_event(api):
    """`partial_images` is 0 unless said."""
    [event] = events_of(api.generate(model=FLARE, size=SMALL, stream=True))
    assert event["type"] == "image_generation.completed"


def test_a_stream_can_fail_in_the_middle(api):
    """After some events comes an error event, and it was billed; plain answers do not use the fault."""
    api.emulator.fail_stream_next(after_events=1, code="image_generation_failed")
    assert api.generate().status_code == 200
    events = events_of(api.generate(model=FLARE, size=SMALL, stream=True, partial_images=2))
    assert [event["type"] for event in events] == ["image_generation.partial_image", "error"]
    assert events[1]["error"]["code"] == "image_generation_failed"
    assert len(api.emulator.billed) == 2


def test_a_stream_can_end_early(api):
    """A loss cuts a stream in the middle of an event."""
    api.emulator.lose_next(after_bytes=100)
    with pytest.raises(httpx.RemoteProtocolError):
        api.generate(model=FLARE, size=SMALL, stream=True)
    assert len(api.emulator.billed) == 1


def test_the_list_tells_when_models_end(api):
    """`shutdown_date` is a date or null."""
    body = api.get("/models").json()
    dates = {row["id"]: row["shutdown_date"] for row in body["data"]}
    assert body["object"] == "list"
    assert dates["dall-e-2"] == dates["dall-e-3"] == "2026-05-12"
    assert dates["gpt-image-1"] == "2026-10-23"
    assert dates["gpt-image-2"] is None
    row = api.get("/models/dall-e-2").json()
    assert (row["object"], row["owned_by"], row["created"]) == ("model", "system", 1667433600)


def test_retirements_are_off_unless_a_day_is_set(make_api):
    """dall-e-2 is served whatever the clock says."""
    api = make_api()
    api.emulator.clock.advance(20 * 365 * 86400)
    assert api.generate().status_code == 200


def test_a_retired_model_is_gone_before_anything_else_is_checked(make_api, make_png):
    """Generations, edits and variations all answer that the model does not exist."""
    api = make_api(today=date(2026, 6, 1))
    files = {"image": ("a.png", make_png(), "image/png")}
    answers = [
        api.generate(n=99, prompt=None, nonsense=1),
        api.post("/images/generations", json={}),
        api.post("/images/edits", data={"model": "dall-e-2"}, files=files),
        api.post("/images/edits", json={"model": "dall-e-2"}),
        api.post("/images/variations", files=files),
    ]
    for answer in answers:
        assert answer.status_code == 400
        assert answer.json()["error"] == {
            "message": "The model 'dall-e-2' does not exist.",
            "type": "image_generation_user_error",
            "param": "model",
            "code": "invalid_value",
        }
    assert api.emulator.billed == []


def test_a_retired_model_has_no_row(make_api):
    """It leaves the list, and its own address answers 404."""
    api = make_api(today=date(2026, 6, 1))
    names = [row["id"] for row in api.get("/models").json()["data"]]
    assert "dall-e-2" not in names
    assert "gpt-image-1" in names
    gone = api.get("/models/dall-e-2")
    assert (gone.status_code, gone.json()["error"]["code"]) == (404, "model_not_found")
    assert api.get("/models/dall-e-9").status_code == 404
    assert api.generate(model=FLARE, size=SMALL).status_code == 200


@pytest.mark.parametrize(("day", "status"), [(date(2026, 5, 11), 200), (date(2026, 5, 12), 400)])
def test_a_model_is_gone_from_its_shutdown_date_on(make_api, day, status):
    """The day of the shutdown is the first day without the model."""
    assert make_api(today=day).generate().status_code == status
