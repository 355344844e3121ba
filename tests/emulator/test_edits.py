"""Edits and variations: real forms, the vendor's checks, and pictures that show what they were made from."""

from __future__ import annotations

import base64
import io
import sys
from typing import Any

import pytest
from PIL import Image

from dalle2.testing._png import decode

MB = 1024 * 1024
GPT = "gpt-image-1"


def edit(api: Any, files: Any, path: str = "/images/edits", **data: Any) -> Any:
    """One edit with dall-e-2 unless said otherwise."""
    fields = {"model": "dall-e-2", "prompt": "a hat", "size": "256x256"} | data
    return api.post(
        path, data={name: value for name, value in fields.items() if value is not None}, files=files
    )


def upload(data: bytes, media_type: str = "image/png", name: str = "a.png") -> tuple[str, bytes, str]:
    """A file as httpx takes it."""
    return (name, data, media_type)


def pixels(api: Any, response: Any) -> Any:
    """The first picture of an answer, decoded."""
    row = response.json()["data"][0]
    data = base64.b64decode(row["b64_json"]) if "b64_json" in row else api.download(row["url"]).content
    return decode(data)


def as_format(data: bytes, name: str) -> bytes:
    """The picture in another file format."""
    out = io.BytesIO()
    Image.open(io.BytesIO(data)).convert("RGB").save(out, name)
    return out.getvalue()


def test_an_edit_keeps_what_the_mask_covers(api, make_png):
    """Opaque mask pixels keep the source, transparent ones are painted anew."""
    source, mask = make_png(256, alpha=False, colour=b"\x10\xd0\x30"), make_png(256)
    response = edit(api, {"image": upload(source), "mask": upload(mask)}, n="2")
    picture = pixels(api, response)
    assert (picture.width, picture.height) == (256, 256)
    rows = [bytes(picture.rgba[y * 1024 : (y + 1) * 1024]) for y in range(256)]
    assert {row[600 + 4 * x : 603 + 4 * x] for row in rows for x in range(80)} == {b"\x10\xd0\x30"}
    assert any(row[4 * x : 4 * x + 3] != b"\x10\xd0\x30" for row in rows for x in range(100))
    [record] = api.emulator.billed
    assert (record.operation, record.prompt, record.n, record.size) == ("edit", "a hat", 2, "256x256")


def test_without_a_mask_the_images_own_transparency_counts(api, make_png):
    """A transparent area of the image is the area to paint."""
    source = make_png(256)
    first = pixels(api, edit(api, {"image": upload(source)}))
    second = pixels(api, edit(api, {"image": upload(source)}, prompt="a green whale in the rain"))
    assert bytes(first.rgba) != bytes(second.rgba)


def test_a_variation_follows_its_source(api, make_png):
    """Different sources give different variations, and one source different ones by number."""

    def vary(source: bytes) -> list[bytes]:
        rows = edit(
            api,
            {"image": upload(source)},
            "/images/variations",
            prompt=None,
            n="2",
            response_format="b64_json",
        ).json()["data"]
        return [base64.b64decode(row["b64_json"]) for row in rows]

    red, blue = vary(make_png(256, colour=b"\xe0\x10\x10")), vary(make_png(256, colour=b"\x10\x10\xe0"))
    assert len({*red, *blue}) == 4
    assert api.emulator.billed[0].prompt == ""
    assert api.emulator.billed[0].operation == "vary"


@pytest.mark.parametrize(
    ("change", "message", "code", "param"),
    [
        ({"image": None}, "Missing required parameter: 'image'.", "missing_required_parameter", "image"),
        (
            {"image": None, "image[]": upload(b"x")},
            "Invalid type for 'image': expected a file, but got an array instead.",
            "invalid_type",
            "image",
        ),
        (
            {"image": (None, b"x", "image/png")},
            "Invalid type for 'image': expected a file, but got a string instead.",
            "invalid_type",
            "image",
        ),
        (
            {"image": upload(b"x", "application/octet-stream")},
            "Invalid file 'image': unsupported mimetype ('application/octet-stream'). Supported file formats "
            "are 'image/png'.",
            None,
            "image",
        ),
        ({"image": upload(b"\xff\xd8\xff")}, "Uploaded image must be a PNG and less than 4 MB.", None, None),
        (
            {"image": upload(b"\x89PNG\r\n\x1a\nbroken")},
            "Uploaded image must be a PNG and less than 4 MB.",
            None,
            None,
        ),
        ({"image": upload(bytes(4 * MB))}, "Uploaded image must be a PNG and less than 4 MB.", None, None),
        ({"mask": upload(b"x", "image/jpeg")}, "Invalid file 'mask': unsupported mimetype", None, "mask"),
    ],
)
def test_a_bad_file_gets_the_vendors_own_words(api, make_png, change, message, code, param):
    """Each mistake with a file has its answer, and costs nothing."""
    files = {"image": upload(make_png()), "mask": upload(make_png())} | change
    response = edit(api, {name: file for name, file in files.items() if file is not None} or {"x": "y"})
    error = response.json()["error"]
    assert response.status_code == 400
    assert error["message"].startswith(message)
    assert (error["code"], error["param"]) == (code, param)
    assert api.emulator.billed == []


def test_shapes_and_channels_are_checked(api, make_png):
    """Square image; a mask of its size, with an alpha channel; some transparency somewhere."""

    def message(image: bytes, mask: bytes | None = None) -> str:
        files = {"image": upload(image)} | ({} if mask is None else {"mask": upload(mask)})
        return str(edit(api, files).json()["error"]["message"])

    assert message(make_png(64, 32)) == "Uploaded image must be square."
    assert "expected dimensions (64, 64), got (32, 32)" in message(make_png(), make_png(32))
    assert message(make_png(), make_png(alpha=False)).startswith("Invalid input mask - format must be in")
    assert message(make_png(alpha=False)).startswith("Invalid input image - format must be in")


def test_several_files_for_one_are_an_array(api, make_png):
    """dall-e-2 takes one image and one mask."""
    two = [("image", upload(make_png()))] * 2
    assert edit(api, two).json()["error"]["code"] == "invalid_type"
    masks = [("image", upload(make_png())), *[("mask", upload(make_png()))] * 2]
    error = edit(api, masks).json()["error"]
    assert (error["code"], error["param"]) == ("invalid_type", "mask")


def test_form_fields_are_checked_like_json(api, make_png):
    """Numbers travel as digits; anything else is refused."""
    files = {"image": upload(make_png())}

    def error(**data: str) -> Any:
        return edit(api, files, **data).json()["error"]

    assert error(n="two")["code"] == "invalid_type"
    assert error(n="11")["message"].startswith("11 is greater than")
    assert error(quality="standard")["code"] == "unknown_parameter"
    assert error(prompt="unsafe")["code"] == "content_policy_violation"
    assert edit(api, files, prompt=None).json()["error"]["param"] == "prompt"
    assert edit(api, files, "/images/variations").json()["error"]["message"] == "Unknown parameter: 'prompt'."
    assert edit(api, {**files, "size": upload(b"256x256")}, size=None).json()["error"]["param"] == "size"
    assert "'dall-e-2'" in edit(api, files, "/images/variations", model=GPT).json()["error"]["message"]
    assert error(model="dall-e-3")["code"] == "invalid_value"


def test_dalle2_takes_no_json(api):
    """The JSON form of an edit is for GPT image models."""
    error = api.post("/images/edits", json={"model": "dall-e-2", "prompt": "x"}).json()["error"]
    assert error["code"] == "unsupported_content_type"


def test_gpt_takes_several_images_of_several_formats(api, make_png):
    """PNG, JPEG and WebP, as `image[]`; usage counts them; the further ones matter."""
    one = make_png(96, 64)
    files = [("image[]", upload(one)), ("image[]", upload(as_format(one, "JPEG"), "image/jpeg", "a.jpg"))]
    body = edit(api, files, model=GPT, size="auto", input_fidelity="high").json()
    assert body["size"] == "1024x1024"
    assert body["usage"]["input_tokens_details"]["image_tokens"] == 646
    single = edit(api, files[:1], model=GPT, size="auto").json()
    assert single["data"] != body["data"]
    webp = {"image": upload(as_format(one, "WEBP"), "image/webp", "a.webp")}
    assert edit(api, webp, model=GPT, size="auto").status_code == 200


def test_an_opaque_image_without_a_mask_is_changed_in_its_middle(api, make_png):
    """The border shows the image, the middle the prompt."""
    colour = b"\x10\xd0\x30"
    source = make_png(1024, alpha=False, colour=colour)
    picture = pixels(api, edit(api, {"image": upload(source)}, model=GPT, size="auto"))
    assert bytes(picture.rgba[:3]) == bytes(picture.rgba[-4:-1]) == colour
    middle = picture.rgba[512 * 4096 : 513 * 4096]
    assert len({middle[4 * x : 4 * x + 3] for x in range(256, 768)} - {colour}) > 1


def test_gpt_files_are_checked(api, make_png):
    """Number, type and content of the input images."""
    good = ("image[]", upload(make_png()))

    def error(files: Any, **data: str) -> Any:
        return edit(api, files, **({"model": GPT, "size": "auto"} | data)).json()["error"]

    assert error([good] * 17)["code"] == "array_above_max_length"
    assert error({"x": "y"})["param"] == "x"
    assert error({"mask": upload(make_png())})["code"] == "missing_required_parameter"
    assert error({"image[]": (None, "text")})["code"] == "invalid_type"
    assert "and 'image/webp'" in error({"image": upload(b"x", "image/gif")})["message"]
    bad = [good, ("image[]", upload(b"\xff\xd8\xffxx", "image/jpeg"))]
    assert error(bad)["message"].startswith("Invalid image file or mode for image 2")
    assert error({"image": upload(b"GIF89a")})["code"] == "invalid_image_file"
    assert error([good, ("mask", upload(make_png(32)))])["message"].startswith("Invalid mask image")
    assert error([good], model="gpt-image-2", input_fidelity="low")["code"] == "invalid_input_fidelity_model"
    assert error([good], input_fidelity="middling")["param"] == "input_fidelity"


def test_gpt_edits_with_a_mask_of_the_first_image(api, make_png):
    """The mask belongs to the first image."""
    files = [("image[]", upload(make_png(96, 64))), ("mask", upload(make_png(96, 64)))]
    assert edit(api, files, model=GPT, size="auto").status_code == 200


def test_gpt_takes_json_with_data_urls(api, make_png):
    """`images` and `mask` are objects with one key each."""
    url = "data:image/png;base64," + base64.b64encode(make_png()).decode()
    body = {"model": GPT, "prompt": "a hat", "images": [{"image_url": url}], "mask": {"image_url": url}}
    assert api.post("/images/edits", json=body).status_code == 200
    form = edit(api, {"image": upload(make_png()), "mask": upload(make_png())}, model=GPT, size="auto")
    assert form.json()["data"] == api.post("/images/edits", json=body).json()["data"]

    def error(**change: Any) -> Any:
        return api.post("/images/edits", json=body | change).json()["error"]

    assert error(images=None)["param"] == "images"
    assert error(images={})["code"] == "invalid_type"
    assert error(images=["x"])["param"] == "images[0]"
    assert error(images=[{"image_url": url, "file_id": "f"}])["code"] == "invalid_value"
    assert "No such File" in error(images=[{"file_id": "file-1"}])["message"]
    assert error(images=[{"image_url": "https://a.example/b.png"}])["code"] == "invalid_image_url"
    assert error(images=[{"image_url": "data:image/png;base64,%%"}])["code"] == "invalid_base64_image"


def test_the_default_for_edits_changed_with_the_retirement(make_api, make_png):
    """An edit without a model goes to dall-e-2 as long as it lives, then to a GPT image model."""
    from datetime import date

    files = {"image": upload(make_png())}
    before, after = make_api(), make_api(today=date(2026, 6, 1))
    edit(before, files, model=None)
    edit(after, files, model=None, size="auto")
    assert before.emulator.billed[0].model == "dall-e-2"
    assert after.emulator.billed[0].model == "gpt-image-1.5"


def test_an_edit_streams_too(api, make_png):
    """Partial pictures of an edit differ from the finished one, and bear its name."""
    files = {"image": upload(make_png(96, 80))}
    response = edit(api, files, model=GPT, size="auto", stream="true", partial_images="1")
    partial, final = response.text.strip().split("\n\n")
    assert partial.startswith("event: image_edit.partial_image\n")
    assert final.startswith("event: image_edit.completed\n")
    assert edit(api, files, model=GPT, size="auto", stream="false").json()["data"][0]["b64_json"] in final


def test_without_pillow_only_png_can_be_edited(api, make_png, monkeypatch):
    """What cannot be read is refused, not guessed."""
    jpeg = as_format(make_png(), "JPEG")
    monkeypatch.setitem(sys.modules, "PIL", None)
    response = edit(api, {"image": upload(jpeg, "image/jpeg", "a.jpg")}, model=GPT, size="auto")
    assert "needs Pillow for 'image/jpeg'" in response.json()["error"]["message"]
