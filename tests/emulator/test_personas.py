"""The hosts that the emulator can pretend to be, and the second wire of CometAPI."""

from __future__ import annotations

import base64
import re
from datetime import date
from typing import Any

import pytest

import dalle2
from dalle2.testing import Emulator

COMET = "https://api.cometapi.com/v1"
LITELLM = "http://localhost:4000/v1"
AZURE = "https://mine.openai.azure.com/openai"


@pytest.fixture
def comet(make_api: Any) -> Any:
    """CometAPI as it comes."""
    return make_api(COMET, persona="cometapi")


def respond(api: Any, **body: Any) -> Any:
    """One call of the second wire."""
    return api.post("/responses", json={"model": "dall-e-2", "input": "a fox"} | body)


def test_comet_images_lie_at_a_plain_address(comet):
    """No signature, no expiry, still a PNG."""
    url = comet.image_url()
    assert re.fullmatch(r"https://filesystem\.site/cdn/\d{8}/\w+\.png", url)
    comet.emulator.clock.advance(10**7)
    assert comet.download(url).content.startswith(b"\x89PNG")
    assert comet.download(url, Authorization="Bearer sk-test").status_code == 403
    assert len(comet.emulator.leaks) == 1


@pytest.mark.parametrize(
    ("body", "status", "code", "words"),
    [
        ({"model": None}, 400, "", "model name is required"),
        (
            {"model": "nope"},
            503,
            "model_not_found",
            "no available channel for group default and model nope (distributor)",
        ),
        ({"prompt": None}, 500, "invalid_request", "field prompt is required"),
        ({"n": 0}, 400, "", "0 is less than the minimum of 1 - 'n'"),
        ({"prompt": "unsafe"}, 400, "content_policy_violation", "Your request was rejected"),
    ],
)
def test_comet_errors_have_their_own_envelope(comet, body, status, code, words):
    """The request id stands inside the message, `param` is empty."""
    response = comet.generate(**body)
    error = response.json()["error"]
    assert (response.status_code, error["code"], error["param"]) == (status, code, "")
    assert error["type"] == "comet_api_error"
    assert re.fullmatch(re.escape(words) + r".* \(request id: \w{20,}\)", error["message"])
    assert "x-request-id" not in response.headers


def test_comet_says_invalid_token(comet):
    """401 in the same envelope."""
    comet.http.headers["Authorization"] = "Bearer sk-wrong"
    response = comet.generate()
    assert (response.status_code, response.json()["error"]["message"][:14]) == (401, "invalid token ")


def test_comet_points_elsewhere_for_a_wrong_path(comet):
    """There is no clean 404."""
    response = comet.http.post("https://api.cometapi.com/images/generations", json={})
    assert response.status_code == 301
    assert response.headers["location"] == "https://www.cometapi.com/images/generations"


def test_comet_retires_with_503(make_api):
    """A model that is gone upstream has no channel."""
    api = make_api(COMET, persona="cometapi", today=date(2026, 6, 1))
    assert (api.generate().status_code, respond(api).status_code) == (503, 503)


def test_comet_paints_in_the_background(make_api):
    """`async` answers a task, which is polled until it is done."""
    api = make_api(COMET, persona="cometapi", task_polls=2)
    task = api.generate(**{"async": True}).json()["data"]["task_id"]
    states = [api.get(f"/images/generations/{task}").json()["data"] for _ in range(3)]
    assert [state["status"] for state in states] == ["in_progress", "in_progress", "success"]
    assert api.download(states[2]["data"]["data"][0]["url"]).status_code == 200
    missing = api.get("/images/generations/task_none")
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "task_not_exist")
    assert len(api.emulator.billed) == 1


def test_old_tasks_are_forgotten_when_memory_is_bounded(make_api):
    """`keep` bounds tasks too."""
    api = make_api(COMET, persona="cometapi", keep=1)
    first, second = (api.generate(**{"async": True}).json()["data"]["task_id"] for _ in range(2))
    answers = [api.get(f"/images/generations/{task}").status_code for task in (first, second)]
    assert answers == [404, 200]


def shaped(make_api: Any, shape: str, **options: Any) -> Any:
    """A CometAPI that answers the second wire in that shape."""
    return make_api(COMET, persona="cometapi", responses_shape=shape, **options)


def test_a_call_holds_the_picture(comet):
    """The shape of the vendor's own image tool."""
    body = respond(comet).json()
    [item] = body["output"]
    assert (body["object"], body["status"], body["model"]) == ("response", "completed", "dall-e-2")
    assert (item["type"], item["status"]) == ("image_generation_call", "completed")
    assert base64.b64decode(item["result"]).startswith(b"\x89PNG")
    [record] = comet.emulator.billed
    assert (record.operation, record.prompt, record.n) == ("respond", "a fox", 1)


def test_messages_hold_the_picture_in_three_ways(make_api):
    """As a bare URL, a Markdown image, or a data URI."""

    def text(shape: str) -> str:
        [message] = respond(shaped(make_api, shape)).json()["output"]
        [part] = message["content"]
        assert (message["role"], part["type"]) == ("assistant", "output_text")
        return str(part["text"])

    assert text("message_url").startswith("https://filesystem.site/cdn/")
    assert re.search(r"!\[a fox\]\(https://filesystem\.site/cdn/\S+\)$", text("message_markdown"))
    assert text("message_data").startswith("data:image/png;base64,iVBOR")


def test_the_wrong_route_can_answer_an_images_body(make_api):
    """The body of the images endpoint, from `/responses`."""
    assert respond(shaped(make_api, "images")).json().keys() == {"created", "data"}


@pytest.mark.parametrize("shape", ["task", "task_nested"])
def test_a_task_is_polled_to_its_end(make_api, shape):
    """The id is at the top or one level down; polling ends in a finished response."""
    api = shaped(make_api, shape)
    body = respond(api).json()
    task = body.get("task_id") or body["data"]["task_id"]
    first, second = (api.get(f"/responses/{task}").json() for _ in range(2))
    assert first["status"] == "in_progress"
    assert second["output"][0]["result"]


def test_a_success_can_be_a_failure(make_api):
    """Status 200 with `failed`, `incomplete` or a refusal inside."""
    failed = respond(shaped(make_api, "failed"))
    assert (failed.status_code, failed.json()["status"], failed.json()["error"]["code"]) == (
        200,
        "failed",
        "server_error",
    )
    incomplete = respond(shaped(make_api, "incomplete")).json()
    assert incomplete["incomplete_details"] == {"reason": "content_filter"}
    [message] = respond(shaped(make_api, "refusal")).json()["output"]
    assert message["content"][0]["type"] == "refusal"


@pytest.mark.parametrize(
    "given",
    [
        [{"role": "user", "content": "a fox"}],
        [{"role": "user", "content": [{"type": "input_text", "text": "a fox"}, {"type": "input_image"}]}],
    ],
)
def test_the_input_can_be_messages(comet, given):
    """The prompt is the text of all messages."""
    respond(comet, input=given)
    assert comet.emulator.billed[0].prompt == "a fox"


def test_the_second_wire_checks_too(comet, api):
    """No model, no input, and no picture from the vendor itself."""
    assert respond(comet, model=None).json()["error"]["message"].startswith("model name is required")
    for empty in (None, [], [1], [{"content": None}]):
        assert respond(comet, input=empty).json()["error"]["code"] == "invalid_request"
    assert respond(api).json()["error"]["code"] == "unsupported_model"
    assert api.get("/responses/r1").status_code == 404


def test_the_second_wire_can_lose_its_answer(comet):
    """It is a paid call like the others."""
    import httpx

    comet.emulator.lose_next()
    with pytest.raises(httpx.RemoteProtocolError):
        respond(comet)
    assert len(comet.emulator.billed) == 1


def test_litellm_nests_the_upstreams_words(make_api):
    """`code` is a number in a text, `param` the word None, and `Retry-After` gets lost."""
    api = make_api(LITELLM, persona="litellm")
    error = api.generate(n=0).json()["error"]
    assert (error["code"], error["param"], error["type"]) == ("400", "None", None)
    assert error["message"].startswith(
        "litellm.BadRequestError: BadRequestError: OpenAIException - Error code: 400"
    )
    assert "0 is less than" in error["message"]
    assert "ContentPolicyViolationError" in api.generate(prompt="unsafe").json()["error"]["message"]
    api.emulator.fail_next(429, retry_after=3)
    limited = api.generate()
    assert limited.json()["error"]["code"] == "429"
    assert "retry-after" not in limited.headers
    api.emulator.fail_next(503)
    assert "litellm.APIError" in api.generate().json()["error"]["message"]
    api.http.headers["Authorization"] = "Bearer sk-wrong"
    assert api.generate().json()["error"]["type"] == "token_not_found_in_db"


def test_litellm_sends_every_key(make_api):
    """Keys without a value are null; the prefix `/v1` may be missing."""
    api = make_api("http://localhost:4000", persona="litellm")
    [row] = api.generate().json()["data"]
    assert row["url"].startswith("https://")
    assert (row["b64_json"], row["revised_prompt"]) == (None, None)


def test_azure_names_a_deployment_in_the_path(make_api):
    """The classic form: `api-key`, `api-version`, and no model in the body."""
    api = make_api(f"{AZURE}/deployments/dall-e-3", persona="azure")
    del api.http.headers["Authorization"]
    key, version = {"api-key": "sk-test"}, {"api-version": "2024-02-01"}
    response = api.post("/images/generations", json={"prompt": "a fox"}, headers=key, params=version)
    body = response.json()
    assert body["data"][0]["url"].startswith("https://dalleproduse.blob.core.windows.net/private/")
    assert api.emulator.billed[0].model == "dall-e-3"
    api.emulator.clock.advance(86000)
    assert api.download(body["data"][0]["url"]).status_code == 200
    without = api.post("/images/generations", json={"prompt": "a fox"}, headers=key)
    assert (without.status_code, without.json()) == (
        404,
        {"error": {"code": "404", "message": "Resource not found"}},
    )
    assert "apim-request-id" in without.headers
    denied = api.post("/images/generations", json={}, headers={"api-key": "no"}, params=version)
    assert (denied.status_code, denied.json()["error"]["code"]) == (401, "401")


def test_azure_v1_takes_the_deployment_as_model(make_api):
    """The newer form needs no version, and takes a bearer token too."""
    api = make_api(f"{AZURE}/v1", persona="azure")
    assert api.generate().status_code == 200
    gone = api.generate(model="mine")
    assert (gone.status_code, gone.json()["error"]["code"]) == (404, "DeploymentNotFound")
    unsafe = api.generate(prompt="unsafe").json()["error"]
    assert unsafe["inner_error"]["code"] == "ResponsibleAIPolicyViolation"
    assert api.generate(n=0).json()["error"]["code"] == "400"
    assert api.post("/images/variations", json={}).status_code == 404
    assert api.get("/models").status_code == 200


def test_localai_images_need_the_key(make_api):
    """They lie at the API's own origin, behind the same key."""
    api = make_api("http://box:8080/v1", persona="localai")
    url = api.image_url()
    assert url.startswith("http://box:8080/generated-images/")
    assert api.download(url).json()["error"]["message"] == "missing or malformed API Key"
    assert api.http.get(url).content.startswith(b"\x89PNG")
    assert api.emulator.leaks == []


def test_moderation_flags_the_words_that_are_refused(api):
    """One result a text, with every category."""
    body = api.post("/moderations", json={"input": ["a fox", "a gory fox"]}).json()
    clean, flagged = body["results"]
    assert body["id"].startswith("modr-")
    assert body["model"] == "omni-moderation-latest"
    assert (clean["flagged"], flagged["flagged"]) == (False, True)
    assert [name for name, value in flagged["categories"].items() if value] == [
        "violence",
        "violence/graphic",
    ]
    assert len(flagged["category_scores"]) == len(flagged["category_applied_input_types"]) == 13
    assert api.emulator.billed == []


def test_moderation_takes_each_form_of_input(api):
    """A text, a list of parts, and nothing else."""

    def results(given: Any) -> Any:
        return api.post("/moderations", json={"input": given, "model": "text-moderation-stable"}).json()

    assert results("nude")["results"][0]["categories"]["sexual"] is True
    parts = [{"type": "text", "text": "hateful"}, {"type": "image_url", "image_url": {"url": "data:,"}}]
    assert len(results(parts)["results"]) == 1
    assert results(parts)["results"][0]["categories"]["hate"] is True
    assert results(None)["error"]["param"] == "input"
    for wrong in ([], [1], 7):
        assert "'$.input' is invalid" in results(wrong)["error"]["message"]


def test_one_api_speaks_chinese_for_itself(make_api):
    """Its own refusals are Chinese and name the request; those of the host behind it come as they are."""
    api = make_api("https://relay.example/v1", persona="one-api", today=date(2026, 6, 1))
    gone = api.generate()
    assert (gone.status_code, gone.json()["error"]["type"]) == (503, "one_api_error")
    assert "模型 dall-e-2 无可用渠道 (request id: " in gone.json()["error"]["message"]
    refused = api.generate(model="gpt-image-2", size="816x816", n=99)
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "n")
    assert api.generate(model="gpt-image-2", size="816x816").status_code == 200
    api.http.headers["Authorization"] = "Bearer sk-wrong"
    assert "无效的令牌" in api.generate().json()["error"]["message"]


@pytest.mark.parametrize("persona", ["litellm", "localai", "one-api"])
def test_a_home_server_works_or_says_what_to_write(persona):
    """With `base_url` alone an image comes, or a sentence that works when it is followed."""
    with Emulator(persona=persona).serve() as server:
        with dalle2.Client("sk-test", base_url=server.base_url) as client:
            image = client.generate("a fox", size="256x256")[0]
            if persona != "localai":
                assert image.read().startswith(b"\x89PNG")
                return
            with pytest.raises(dalle2.DownloadError, match=r"Provider\.localai\(base_url\)"):
                image.read()
        with dalle2.Client("sk-test", provider=dalle2.Provider.localai(server.base_url)) as client:
            assert client.image(image.url or "").read().startswith(b"\x89PNG")
