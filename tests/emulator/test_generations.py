"""Generations as dall-e-2 and dall-e-3 answered them."""

from __future__ import annotations

import base64
import json
from typing import Any

import httpx
import pytest

from dalle2.testing import TRIGGERS, Emulator
from dalle2.testing._png import dimensions


def error_of(response: httpx.Response) -> dict[str, Any]:
    """The error object of an answer with the vendor's envelope."""
    error = response.json()["error"]
    assert {"message", "type", "param", "code"} <= error.keys()
    return error


def test_an_answer_holds_created_and_urls_only(api):
    """dall-e-2 answers nothing but `created` and one `url` an image."""
    before = int(api.emulator.clock.timestamp())
    body = api.generate(n=2).json()
    assert body.keys() == {"created", "data"}
    assert before <= body["created"] <= api.emulator.clock.timestamp()
    assert [row.keys() for row in body["data"]] == [{"url"}, {"url"}]
    assert body["data"][0]["url"] != body["data"][1]["url"]


def test_ampersands_travel_escaped(api):
    """A URL must be read out of JSON: the raw text holds no ampersand."""
    response = api.generate()
    assert "&" not in response.text
    assert "&se=" in response.json()["data"][0]["url"]


@pytest.mark.parametrize("size", ["256x256", "512x512", "1024x1024"])
def test_base64_holds_a_png_of_the_size(api, size):
    """`b64_json` is a PNG of the size asked for."""
    body = api.generate(size=size, response_format="b64_json").json()
    width, height, _ = dimensions(base64.b64decode(body["data"][0]["b64_json"]))
    assert f"{width}x{height}" == size


def test_the_size_is_1024_unless_said(api):
    """Without `size`, the old default holds."""
    api.post("/images/generations", json={"prompt": "a fox"})
    record = api.emulator.billed[0]
    assert (record.model, record.size, record.n) == ("dall-e-2", "1024x1024", 1)


def test_the_same_prompt_gives_the_same_picture(api):
    """Pictures follow from the prompt; the images of one answer differ."""

    def pictures(prompt: str) -> list[str]:
        rows = api.generate(prompt=prompt, n=2, response_format="b64_json").json()["data"]
        return [row["b64_json"] for row in rows]

    first, again, other = pictures("a fox"), pictures("a fox"), pictures("a very old owl")
    assert first == again
    assert first[0] != first[1]
    assert other[0] != first[0]


def test_answers_carry_the_vendors_headers(api):
    """Request id, timing, version, rate limits and `Date` come with success and error alike."""
    for response in (api.generate(n=3), api.generate(n=0)):
        headers = response.headers
        assert headers["x-request-id"].startswith("req_")
        assert headers["openai-processing-ms"].isdigit()
        assert headers["openai-version"] == "2020-10-01"
        assert headers["x-ratelimit-limit-images"] == "500"
        assert headers["x-ratelimit-remaining-images"] == "497"
        assert headers["x-ratelimit-reset-images"].endswith("s")
        assert headers["date"].endswith("GMT")


def test_every_request_is_recorded_and_every_paid_one_billed(api):
    """`billed` holds one record a paid request, `requests` everything."""
    api.post(
        "/images/generations",
        json={"model": "dall-e-2", "prompt": "a fox", "n": 2, "size": "512x512"},
        headers={"Idempotency-Key": "k-1"},
    )
    api.generate(n=99)
    [record] = api.emulator.billed
    assert (record.prompt, record.n, record.model, record.size) == ("a fox", 2, "dall-e-2", "512x512")
    assert (record.idempotency_key, record.operation) == ("k-1", "generate")
    assert record.request_id.startswith("req_")
    first, second = api.emulator.requests
    assert (first.method, first.path) == ("POST", "/v1/images/generations")
    assert first.headers["idempotency-key"] == "k-1"
    assert first.json()["n"] == 2
    assert second.json()["n"] == 99
    assert "fox" not in repr(first)


@pytest.mark.parametrize(
    ("body", "message", "code", "param"),
    [
        (
            {"prompt": "x" * 1001},
            "Prompt must be length 1000 or less. Your prompt length is 1001. ",
            None,
            None,
        ),
        ({"prompt": ""}, "'' is too short - 'prompt'", None, None),
        ({"prompt": None}, "Missing required parameter: 'prompt'.", "missing_required_parameter", "prompt"),
        (
            {"prompt": ["x"]},
            "Invalid type for 'prompt': expected a string, but got an array",
            "invalid_type",
            "prompt",
        ),
        ({"quality": "standard"}, "Unknown parameter: 'quality'.", "unknown_parameter", "quality"),
        ({"size": "1792x1024"}, "The size is not supported by this model.", "invalid_size", None),
        ({"size": "37x37"}, "'37x37' is not one of ['256x256', '512x512', '1024x1024'] - 'size'", None, None),
        ({"n": 11}, "11 is greater than the maximum of 10 - 'n'", None, None),
        ({"n": 0}, "0 is less than the minimum of 1 - 'n'", None, None),
        (
            {"n": "2"},
            "Invalid type for 'n': expected an integer, but got a string instead.",
            "invalid_type",
            "n",
        ),
        (
            {"n": 2.0},
            "Invalid type for 'n': expected an integer, but got a decimal number",
            "invalid_type",
            "n",
        ),
        ({"n": True}, "Invalid type for 'n': expected an integer, but got a boolean", "invalid_type", "n"),
        ({"n": {}}, "Invalid type for 'n': expected an integer, but got an object", "invalid_type", "n"),
        (
            {"response_format": "png"},
            "'png' is not one of ['url', 'b64_json'] - 'response_format'",
            None,
            None,
        ),
        ({"model": "dall-e-9"}, "The model 'dall-e-9' does not exist.", "invalid_value", "model"),
        (
            {"prompt": "an unsafe thing"},
            "Your request was rejected as a result",
            "content_policy_violation",
            None,
        ),
    ],
)
def test_a_bad_parameter_gets_the_vendors_own_words(api, body, message, code, param):
    """Each mistake is answered as the vendor answered it, and costs nothing."""
    response = api.generate(**body)
    error = error_of(response)
    assert response.status_code == 400
    assert error["message"].startswith(message)
    assert (error["code"], error["param"]) == (code, param)
    assert api.emulator.billed == []


def test_null_means_not_sent(api):
    """JSON null leaves a parameter at its default."""
    assert api.generate(n=None, size=None, response_format=None, user=None).status_code == 200


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff"])
def test_a_body_that_is_no_json_object_is_refused(api, content):
    """Anything but a JSON object is answered with the parser's complaint."""
    response = api.post("/images/generations", content=content)
    assert "could not parse the JSON body" in error_of(response)["message"]


@pytest.mark.parametrize("word", sorted(TRIGGERS))
def test_trigger_words_are_refused_in_any_letter_case(api, word):
    """A trigger word counts as a whole word, and only so."""
    assert error_of(api.generate(prompt=f"so {word.upper()}!"))["code"] == "content_policy_violation"
    assert api.generate(prompt=f"x{word}x").status_code == 200


def test_dalle3_has_its_own_rules(api):
    """dall-e-3 paints one image, takes quality and style, and revises the prompt."""
    body = api.generate(model="dall-e-3", size="1792x1024", quality="hd", style="vivid").json()
    [row] = body["data"]
    assert list(row) == ["revised_prompt", "url"]
    assert error_of(api.generate(model="dall-e-3", size=None, n=2))["message"].startswith("2 is greater than")
    assert error_of(api.generate(model="dall-e-3", size="256x256"))["code"] == "invalid_size"
    assert "'style'" in error_of(api.generate(model="dall-e-3", size=None, style="odd"))["message"]
    assert "4000 or less" in error_of(api.generate(model="dall-e-3", size=None, prompt="x" * 4001))["message"]


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ({}, "You didn't provide an API key."),
        ({"Authorization": "Basic sk-test"}, "You didn't provide an API key."),
        ({"Authorization": "Bearer sk-wrong"}, "Incorrect API key provided: sk-********."),
        (
            {"Authorization": "Bearer sk-proj-1234567890abcd"},
            "Incorrect API key provided: sk-proj-**********abcd.",
        ),
    ],
)
def test_a_missing_or_wrong_key_is_refused(header, message):
    """Only the emulator's key is accepted, and a wrong one is repeated half masked."""
    with Emulator().client() as http:
        response = http.post(
            "https://api.openai.com/v1/images/generations", json={"prompt": "x"}, headers=header
        )
    assert response.status_code == 401
    assert error_of(response)["message"].startswith(message)


def test_another_key_can_be_chosen(make_api):
    """`Emulator(api_key=...)` accepts that key instead."""
    assert make_api(api_key="sk-other").generate().status_code == 200


def test_unknown_paths_and_methods_are_told_apart(api):
    """A path that is none answers 404, a wrong method 405."""
    missing = api.post("/images/dreams", json={})
    assert (missing.status_code, error_of(missing)["message"]) == (
        404,
        "Invalid URL (POST /v1/images/dreams)",
    )
    assert api.http.get("https://api.openai.com/").status_code == 404
    wrong = api.get("/images/generations")
    assert (wrong.status_code, error_of(wrong)["code"]) == (405, "method_not_supported")


def test_a_limit_on_images_per_minute_is_enforced_by_the_clock(make_api):
    """Beyond the limit comes 429, until a minute has passed."""
    api = make_api(images_per_minute=3)
    assert api.generate(n=3).headers["x-ratelimit-remaining-images"] == "0"
    refused = api.generate()
    assert (refused.status_code, error_of(refused)["code"]) == (429, "rate_limit_exceeded")
    assert "Limit: 3/1min. Current: 4/1min." in error_of(refused)["message"]
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert len(api.emulator.billed) == 1
    api.emulator.clock.advance(60)
    assert api.generate().status_code == 200


def test_memory_can_be_bounded(make_api):
    """`keep` limits requests, bills and images; the oldest images are gone."""
    api = make_api(keep=2)
    urls = [api.image_url() for _ in range(3)]
    assert len(api.emulator.billed) == len(api.emulator.requests) == 2
    assert [api.download(url).status_code for url in urls] == [404, 200, 200]


def test_the_emulator_refuses_settings_it_does_not_know():
    """A misspelt persona or shape is named at once."""
    with pytest.raises(ValueError, match="persona='opnai'"):
        Emulator(persona="opnai")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="responses_shape='round'"):
        Emulator(responses_shape="round")  # type: ignore[arg-type]


def test_a_recorded_body_that_is_no_object_is_no_json(api):
    """`EmulatedRequest.json` gives an object or says what it found."""
    api.post("/images/generations", content=json.dumps([1]))
    with pytest.raises(ValueError, match="list"):
        api.emulator.requests[0].json()
