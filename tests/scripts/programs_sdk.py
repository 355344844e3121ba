# ruff: noqa
"""Small programs for the official SDK, as people write them: what they do with calls, answers and errors."""

import asyncio
import base64
import copy
import json
import os
import pickle
from pathlib import Path

import openai
from openai import NOT_GIVEN, AsyncOpenAI, OpenAI
from openai.types import ImagesResponse

client = OpenAI(max_retries=0)
SMALL = {"model": "dall-e-2", "size": "256x256"}


# Answers


def try_fields_of_an_answer():
    answer = client.images.generate(prompt="a corgi", n=2, **SMALL)
    first = answer.data[0]
    return [
        type(answer).__name__,
        isinstance(answer, ImagesResponse),
        isinstance(answer.created, int),
        len(answer.data),
        type(first).__name__,
        first.url.startswith("http"),
        first.b64_json,
        first.revised_prompt,
        answer.usage,
    ]


def try_base64():
    answer = client.images.generate(prompt="a corgi", response_format="b64_json", **SMALL)
    return [base64.b64decode(answer.data[0].b64_json)[:4].hex(), answer.data[0].url]


def try_model_dump():
    return client.images.generate(prompt="a corgi", n=2, **SMALL).model_dump(exclude_none=True)


def try_model_dump_of_what_was_set():
    answer = client.images.generate(prompt="a corgi", **SMALL)
    return [answer.model_dump(exclude_unset=True), answer.data[0].model_dump()]


def try_model_dump_in_parts():
    answer = client.images.generate(prompt="a corgi", n=2, **SMALL)
    return [
        answer.model_dump(include={"created"}),
        answer.model_dump(include={"data": {0: {"url"}}}),
        answer.model_dump(exclude={"data": {"__all__": {"url", "b64_json"}}}, exclude_none=True),
        answer.model_dump(mode="json", exclude_none=True),
    ]


def try_model_dump_json():
    answer = client.images.generate(prompt="a corgi", **SMALL)
    text = answer.model_dump_json(exclude_none=True)
    return [text.startswith('{"created":1'), json.loads(text), "\n" in answer.model_dump_json(indent=2)]


def try_to_dict_and_to_json():
    answer = client.images.generate(prompt="a corgi", **SMALL)
    return [answer.to_dict(), json.loads(answer.to_json()), answer.to_json().count("\n")]


def try_the_old_json_and_dict():
    answer = client.images.generate(prompt="a corgi", **SMALL)
    return [json.loads(answer.json(exclude_none=True)), answer.dict(exclude_none=True)]


def try_iteration():
    answer = client.images.generate(prompt="a corgi", n=2, **SMALL)
    names = [name for name, value in answer if value is not None]
    return [names, [image.url for image in answer.data], dict(answer)["created"]]


def try_pickle_and_copies():
    answer = client.images.generate(prompt="a corgi", **SMALL)
    copies = [pickle.loads(pickle.dumps(answer)), copy.deepcopy(answer), answer.model_copy(deep=True)]
    return [one == answer and one.data[0].url == answer.data[0].url for one in copies]


def try_changed_copies():
    image = client.images.generate(prompt="a corgi", **SMALL).data[0]
    other = image.model_copy(update={"url": "file:///corgi.png"})
    image.revised_prompt = "a corgi, revised"
    return [other.url, image.revised_prompt, other == image, other.revised_prompt]


def try_made_by_hand():
    answer = ImagesResponse.model_validate({"created": 1, "data": [{"url": "https://a.example/1.png"}]})
    other = ImagesResponse.construct(created=1, data=[{"url": "https://a.example/1.png"}])
    return [answer.data[0].url, other.data[0].url, answer.to_dict(), ImagesResponse(created=1).data]


def try_what_was_said_beyond():
    answer = client.images.generate(prompt="a corgi", **SMALL)
    return [answer.model_fields_set, answer.model_extra, answer.data[0].model_fields_set]


def try_a_repr_names_class_and_fields():
    text = repr(client.images.generate(prompt="a corgi", **SMALL).data[0])
    return [text.startswith("Image("), "url='http" in text]


def try_attributes_by_name():
    answer = client.images.generate(prompt="a corgi", **SMALL)
    return [hasattr(answer, "data"), hasattr(answer, "images"), getattr(answer, "nothing", "no")]


def try_request_id():
    return client.images.generate(prompt="a corgi", **SMALL)._request_id


def try_usage_of_a_newer_model():
    answer = client.images.generate(
        prompt="a corgi", model="gpt-image-2.5-flare", size="1024x1024", quality="low"
    )
    usage = answer.usage
    return [
        usage.total_tokens,
        usage.input_tokens,
        usage.output_tokens,
        usage.input_tokens_details.text_tokens,
        usage.input_tokens_details.image_tokens,
        usage.to_dict(),
        [answer.size, answer.quality, answer.background, answer.output_format],
        answer.data[0].url,
        answer.to_dict(),
    ]


# Calls


def try_edit():
    folder = Path(os.environ["PICTURES"])
    answer = client.images.edit(
        image=open(folder / "photo.png", "rb"),
        mask=open(folder / "mask.png", "rb"),
        prompt="a hat",
        n=2,
        **SMALL,
    )
    return answer.to_dict()


def try_edit_with_paths():
    folder = Path(os.environ["PICTURES"])
    return client.images.edit(
        image=folder / "photo.png", mask=folder / "mask.png", prompt="a hat", **SMALL
    ).to_dict()


def try_edit_with_named_bytes():
    content = (Path(os.environ["PICTURES"]) / "photo.png").read_bytes()
    return client.images.edit(
        image=("photo.png", content, "image/png"), prompt="a hat", response_format="b64_json", **SMALL
    ).to_dict()


def try_variation():
    with open(Path(os.environ["PICTURES"]) / "photo.png", "rb") as image:
        return client.images.create_variation(image=image, n=2, **SMALL).to_dict()


def try_variation_with_a_name():
    content = (Path(os.environ["PICTURES"]) / "photo.png").read_bytes()
    return client.images.create_variation(image=("photo.png", content), **SMALL).to_dict()


def try_arguments_not_given(emulator):
    answer = client.images.generate(
        prompt="a corgi", n=NOT_GIVEN, user=NOT_GIVEN, style=NOT_GIVEN, timeout=NOT_GIVEN, **SMALL
    )
    return [answer.to_dict(), json.loads(emulator.requests[-1].body)]


def try_none_for_optional_arguments(emulator):
    client.images.generate(prompt="a corgi", n=1, user="u-1", **SMALL)
    return json.loads(emulator.requests[-1].body)


def try_positional_arguments():
    return client.images.generate("a corgi").data


def try_a_misspelt_argument():
    return client.images.generate(prompt="a corgi", sise="256x256").data


def try_extras_of_a_call(emulator):
    client.images.generate(
        prompt="a corgi",
        extra_headers={"X-Call": "1"},
        extra_query={"trace": "yes", "level": 2, "deep": True, "a": {"b": "c"}},
        extra_body={"user": "u-2"},
        timeout=20.0,
        **SMALL,
    )
    request = emulator.requests[-1]
    return [request.headers["x-call"], request.query, json.loads(request.body)]


def try_defaults_of_a_client(emulator):
    other = OpenAI(
        organization="org-1",
        project="proj-1",
        default_headers={"X-Team": "a"},
        default_query={"tenant": "b"},
        timeout=openai.Timeout(20.0, connect=5.0),
        max_retries=1,
    )
    other.images.generate(prompt="a corgi", extra_query={"more": "c"}, **SMALL)
    request = emulator.requests[-1]
    names = ("x-team", "openai-organization", "openai-project", "authorization")
    return [[request.headers[name] for name in names], request.query, other.max_retries, other.organization]


def try_with_options(emulator):
    other = client.with_options(timeout=20, max_retries=1, default_headers={"X-One": "1"})
    again = other.with_options(default_headers={"X-Two": "2"}, default_query={"q": "3"})
    again.images.generate(prompt="a corgi", **SMALL)
    request = emulator.requests[-1]
    return [request.headers["x-one"], request.headers["x-two"], request.query, again.max_retries]


def try_copy_with_another_key():
    other = client.copy(api_key="sk-wrong")
    try:
        other.images.generate(prompt="a corgi", **SMALL)
    except openai.AuthenticationError as e:
        return [e.status_code, e.code, client.images.generate(prompt="a corgi", **SMALL).to_dict()]


def try_set_default_headers(emulator):
    other = client.with_options(default_headers={"X-One": "1"})
    again = other.copy(set_default_headers={"X-Two": "2"})
    again.images.generate(prompt="a corgi", **SMALL)
    return ["x-one" in emulator.requests[-1].headers, emulator.requests[-1].headers["x-two"]]


def try_base_url_and_key_of_a_client():
    made = OpenAI(api_key="sk-test", base_url=os.environ["OPENAI_BASE_URL"])
    return [
        str(made.base_url).endswith("/v1/"),
        made.api_key,
        made.images.generate(prompt="a corgi", **SMALL).to_dict(),
    ]


def try_a_client_as_context():
    with OpenAI() as made:
        answer = made.images.generate(prompt="a corgi", **SMALL)
        return [answer.to_dict(), made.is_closed()]


def try_raw_response():
    raw = client.images.with_raw_response.generate(prompt="a corgi", **SMALL)
    return [
        raw.status_code,
        raw.headers["content-type"],
        raw.headers.get("X-Request-ID") == raw.request_id,
        raw.request_id,
        raw.parse().to_dict(),
        json.loads(raw.text)["data"][0]["url"],
        raw.http_response.json()["created"],
        raw.method,
        str(raw.url),
        raw.elapsed.total_seconds() >= 0,
        [raw.is_closed, raw.http_version, raw.retries_taken],
    ]


def try_raw_edit():
    image = Path(os.environ["PICTURES"]) / "photo.png"
    raw = client.with_raw_response.images.edit(image=image, prompt="a hat", **SMALL)
    return raw.parse().data[0].to_dict()


def try_module_style():
    answer = openai.images.generate(prompt="a corgi", **SMALL)
    return [answer.to_dict(), openai.models.retrieve("dall-e-2").id]


def try_module_settings():
    openai.api_key = "sk-wrong"
    try:
        openai.images.generate(prompt="a corgi", **SMALL)
    except openai.AuthenticationError as e:
        return e.status_code
    finally:
        openai.api_key = None


def try_await():
    async def main():
        async with AsyncOpenAI() as made:
            answers = await asyncio.gather(
                *(made.images.generate(prompt=f"corgi {n}", **SMALL) for n in range(2))
            )
            folder = Path(os.environ["PICTURES"])
            edited = await made.images.edit(image=folder / "photo.png", prompt="a hat", **SMALL)
            varied = await made.images.create_variation(image=folder / "photo.png", **SMALL)
            raw = await made.images.with_raw_response.generate(prompt="a corgi", **SMALL)
            return [one.to_dict() for one in (*answers, edited, varied, raw.parse())]

    return main()


# Models and moderations


def try_models():
    listed = client.models.list()
    names = [model.id for model in listed]
    found = client.models.retrieve("dall-e-2")
    return [
        "dall-e-2" in names,
        [model.id for model in listed.data] == names,
        listed.has_next_page(),
        found.id,
        found.object,
        found.owned_by,
        sorted(found.to_dict()),
    ]


def try_an_unknown_model():
    try:
        client.models.retrieve("dall-e-9")
    except openai.NotFoundError as e:
        return [e.status_code, e.code, e.body["message"]]


def try_models_awaited():
    async def main():
        async with AsyncOpenAI() as made:
            page = await made.models.list()
            found = [model.id async for model in made.models.list()]
            return [found == [model.id for model in page.data], (await made.models.retrieve("dall-e-2")).id]

    return main()


def try_moderations():
    answer = client.moderations.create(input="a friendly corgi", model="omni-moderation-latest")
    result = answer.results[0]
    return [
        answer.id,
        answer.model,
        result.flagged,
        result.categories.violence,
        result.categories.sexual_minors,
        result.category_scores.self_harm < 0.5,
        sorted(result.to_dict()["categories"])[:3],
        [one.flagged for one in client.moderations.create(input=["a corgi", "gore everywhere"]).results],
    ]


# Errors


def try_a_bad_request():
    try:
        client.images.generate(prompt="a corgi", model="dall-e-2", size="300x300")
    except openai.BadRequestError as e:
        return [
            e.status_code,
            e.response.status_code,
            e.type,
            e.code,
            sorted(e.body),
            e.body["type"],
            e.response.json()["error"]["type"],
            e.request.method,
            isinstance(e.message, str),
            isinstance(e, openai.APIStatusError),
        ]


def try_an_unsafe_prompt():
    try:
        client.images.generate(prompt="gore everywhere", **SMALL)
    except openai.BadRequestError as e:
        return [
            e.status_code,
            e.code,
            e.type,
            e.param,
            e.request_id,
            e.body,
            e.response.json(),
            e.response.headers["x-request-id"] == e.request_id,
            "content_policy_violation" in str(e),
            str(e.request.url),
        ]


def try_a_wrong_key():
    try:
        OpenAI(api_key="sk-wrong").images.generate(prompt="a corgi")
    except openai.AuthenticationError as e:
        return [e.status_code, e.code, e.type, sorted(e.body), e.response.is_success]


def try_a_rate_limit(emulator):
    emulator.fail_next(429, retry_after=7)
    try:
        client.images.generate(prompt="a corgi", **SMALL)
    except openai.RateLimitError as e:
        return [e.status_code, e.response.headers["retry-after"], e.code, e.response.headers.get("x-nothing")]


def try_a_rate_limit_repeated(emulator):
    emulator.fail_next(429, retry_after=0.01)
    return OpenAI(max_retries=1).images.generate(prompt="a corgi", **SMALL).to_dict()


def try_a_failing_host(emulator):
    emulator.fail_next(500)
    try:
        client.images.generate(prompt="a corgi", **SMALL)
    except openai.InternalServerError as e:
        return [e.status_code, e.type, sorted(e.body or {}), e.response.status_code]


def try_other_refusals(emulator):
    found = []
    body = {"error": {"message": "Something about it.", "type": "some_error", "param": None, "code": "odd"}}
    kinds = (
        openai.BadRequestError,
        openai.PermissionDeniedError,
        openai.NotFoundError,
        openai.ConflictError,
        openai.UnprocessableEntityError,
        openai.InternalServerError,
    )
    for status in (400, 403, 404, 409, 422, 418, 500):
        emulator.fail_next(status, body=body)
        try:
            client.images.generate(prompt="a corgi", **SMALL)
        except openai.APIStatusError as e:
            found.append([e.status_code, [isinstance(e, kind) for kind in kinds], e.code, e.type, e.body])
    return found


def try_no_connection():
    lost = OpenAI(base_url="http://127.0.0.1:9/v1", max_retries=0)
    try:
        lost.images.generate(prompt="a corgi", **SMALL)
    except openai.APIConnectionError as e:
        return [e.code, e.body, e.param, e.request.method, hasattr(e, "response"), hasattr(e, "status_code")]


def try_an_error_page(emulator):
    emulator.fail_next(400, body="<html>no</html>")
    try:
        client.images.generate(prompt="a corgi", **SMALL)
    except openai.BadRequestError as e:
        return [e.status_code, e.body, e.response.text, e.code, e.type, e.param]


def try_no_key():
    key = os.environ.pop("OPENAI_API_KEY")
    try:
        OpenAI()
    except openai.OpenAIError as e:
        return ["OPENAI_API_KEY" in str(e), isinstance(e, openai.APIError)]
    finally:
        os.environ["OPENAI_API_KEY"] = key


def try_an_error_made_by_hand():
    error = openai.APIError("no luck", request=None, body={"code": "c", "type": "t"})
    return [error.message, str(error), error.code, error.type, error.param, error.body]


# Streams


def try_stream():
    events = []
    for event in client.images.generate(
        prompt="a corgi",
        model="gpt-image-2.5-flare",
        size="1024x1024",
        quality="low",
        stream=True,
        partial_images=2,
    ):
        events.append([event.type, event.size, event.quality, event.background, event.output_format])
        events.append(base64.b64decode(event.b64_json)[:4].hex())
        events.append(getattr(event, "partial_image_index", None))
    return [events, event.usage.total_tokens, sorted(event.to_dict()), event.created_at]


def try_stream_as_context():
    with client.images.generate(
        prompt="a corgi", model="gpt-image-2.5-flare", size="1024x1024", stream=True, partial_images=1
    ) as stream:
        return [event.type for event in stream]


def try_stream_left_early():
    stream = client.images.generate(
        prompt="a corgi", model="gpt-image-2.5-flare", size="1024x1024", stream=True, partial_images=1
    )
    first = next(stream)
    stream.close()
    return first.type


def try_stream_refused():
    try:
        client.images.generate(
            prompt="gore everywhere", model="gpt-image-2.5-flare", stream=True, partial_images=1
        )
    except openai.BadRequestError as e:
        return [e.status_code, e.response.status_code]


def try_stream_awaited():
    async def main():
        async with AsyncOpenAI() as made:
            stream = await made.images.generate(
                prompt="a corgi", model="gpt-image-2.5-flare", size="1024x1024", stream=True, partial_images=1
            )
            return [event.type async for event in stream]

    return main()


# Keys that are asked for


def try_a_key_that_is_asked_for(emulator):
    asked = []

    def key():
        asked.append(1)
        return "sk-test"

    OpenAI(api_key=key).images.generate(prompt="a corgi", **SMALL)
    return [len(asked), emulator.requests[-1].headers["authorization"]]


def try_a_key_that_is_awaited(emulator):
    async def key():
        return "sk-test"

    async def main():
        async with AsyncOpenAI(api_key=key) as made:
            await made.images.generate(prompt="a corgi", **SMALL)
        return emulator.requests[-1].headers["authorization"]

    return main()


# What the host is asked, and what it thinks of it


def try_numbers_as_texts():
    return client.images.generate(prompt="a corgi", n="2", **SMALL).to_dict()


def try_too_many():
    return client.images.generate(prompt="a corgi", n=11, **SMALL).to_dict()


def try_a_long_prompt():
    return client.images.generate(prompt="a" * 1001, **SMALL).to_dict()


def try_no_model():
    return client.images.generate(prompt="a corgi", model=None, size="256x256").to_dict()


def try_a_model_that_is_not_there():
    try:
        client.images.generate(prompt="a corgi", model="dall-e-9")
    except openai.APIStatusError as e:
        return [
            e.status_code,
            e.code,
            isinstance(e, openai.NotFoundError),
            isinstance(e, openai.BadRequestError),
        ]


def try_no_quota(emulator):
    emulator.fail_next(429, code="insufficient_quota")
    try:
        client.images.generate(prompt="a corgi", **SMALL)
    except openai.RateLimitError as e:
        return [e.code, e.status_code, e.body["code"], e.type]


def try_dall_e_3():
    return client.images.generate(
        prompt="a corgi", model="dall-e-3", quality="hd", style="vivid", size="1024x1024"
    ).to_dict()


def try_several_images_to_edit():
    path = Path(os.environ["PICTURES"]) / "photo.png"
    return client.images.edit(
        image=[open(path, "rb"), open(path, "rb")],
        prompt="a hat",
        model="gpt-image-2.5-flare",
        size="1024x1024",
        input_fidelity="high",
    ).to_dict()


def try_raise_for_status():
    try:
        client.images.generate(prompt="gore everywhere", **SMALL)
    except openai.OpenAIError as e:
        return [e.response.reason_phrase, e.response.is_error, e.response.request.method, len(e.args)]


def try_a_pattern():
    match client.images.generate(prompt="a corgi", **SMALL):
        case ImagesResponse(data=[openai.types.Image(url=str() as url)]):
            return url
