# ruff: noqa
"""Small programs for the SDK of 2022 (the versions before 1), as people wrote them then."""

import asyncio
import base64
import copy
import json
import os
import pickle
from pathlib import Path

import openai
from openai.error import InvalidRequestError, OpenAIError

openai.api_key = os.environ["OPENAI_API_KEY"]
openai.api_base = os.environ["OPENAI_API_BASE"]
openai.max_retries = 0  # no setting of that SDK, which never repeated an answer that says no
PHOTO = Path(os.environ["PICTURES"]) / "photo.png"
MASK = Path(os.environ["PICTURES"]) / "mask.png"


# Answers


def try_keys_and_attributes():
    response = openai.Image.create(prompt="a corgi", n=2, size="256x256")
    return [
        response["data"][0]["url"],
        response.data[1].url,
        response["data"][0].url == response.data[0]["url"],
        isinstance(response["created"], int),
        len(response["data"]),
    ]


def try_as_a_dictionary():
    response = openai.Image.create(prompt="a corgi", size="256x256")
    return [
        sorted(response),
        sorted(response.keys()),
        response.get("nothing"),
        "data" in response,
        len(response),
        [name for name, value in response.items()],
        isinstance(response, dict),
        isinstance(response, openai.openai_object.OpenAIObject),
        [url for image in response["data"] for url in image.values()],
        {**response}["created"],
        dict(response)["created"],
        response.get("data")[0].get("url"),
        list(response["data"][0]),
    ]


def try_base64():
    response = openai.Image.create(prompt="a corgi", size="256x256", response_format="b64_json")
    return [base64.b64decode(response["data"][0]["b64_json"])[:4].hex(), "url" in response["data"][0]]


def try_json():
    response = openai.Image.create(prompt="a corgi", size="256x256")
    return [
        json.loads(json.dumps(response)),
        json.loads(str(response)),
        str(response).startswith('{\n  "created": 1'),
    ]


def try_to_dict():
    response = openai.Image.create(prompt="a corgi", size="256x256")
    return [
        response.to_dict_recursive(),
        type(response.to_dict_recursive()["data"][0]).__name__,
        type(response.to_dict()).__name__,
        type(response.to_dict()["data"][0]).__name__,
    ]


def try_pickle_and_copies():
    response = openai.Image.create(prompt="a corgi", size="256x256")
    copies = [pickle.loads(pickle.dumps(response)), copy.deepcopy(response), copy.copy(response)]
    return [one == response and one.data[0].url == response["data"][0]["url"] for one in copies]


def try_a_missing_name():
    response = openai.Image.create(prompt="a corgi", size="256x256")
    found = []
    for look in (lambda: response["nothing"], lambda: response.nothing):
        try:
            look()
        except (KeyError, AttributeError) as e:
            found.append(type(e).__name__)
    return found


def try_to_change_it():
    response = openai.Image.create(prompt="a corgi", size="256x256")
    response["note"] = "kept"
    response.data[0].path = "corgi.png"
    return [response.note, response["data"][0]["path"], sorted(response)]


# Calls


def try_edit():
    response = openai.Image.create_edit(
        image=open(PHOTO, "rb"), mask=open(MASK, "rb"), prompt="a hat", n=2, size="256x256"
    )
    return response.to_dict_recursive()


def try_edit_by_position():
    return openai.Image.create_edit(
        open(PHOTO, "rb"), open(MASK, "rb"), prompt="a hat", size="256x256"
    ).to_dict_recursive()


def try_variation():
    return openai.Image.create_variation(image=open(PHOTO, "rb"), n=1, size="256x256").to_dict_recursive()


def try_variation_by_position():
    return openai.Image.create_variation(PHOTO.read_bytes(), n=2, size="256x256").to_dict_recursive()


def try_awaited():
    async def main():
        made = await openai.Image.acreate(prompt="a corgi", size="256x256")
        edited = await openai.Image.acreate_edit(image=open(PHOTO, "rb"), prompt="a hat", size="256x256")
        varied = await openai.Image.acreate_variation(open(PHOTO, "rb"), size="256x256")
        return [one.to_dict_recursive() for one in (made, edited, varied)]

    return main()


def try_a_key_for_one_call():
    try:
        openai.Image.create(prompt="a corgi", size="256x256", api_key="sk-wrong")
    except openai.error.AuthenticationError as e:
        return [e.http_status, openai.Image.create(prompt="a corgi", size="256x256").to_dict_recursive()]


def try_a_base_for_one_call():
    base, openai.api_base = openai.api_base, "http://127.0.0.1:9/v1"
    try:
        return openai.Image.create(prompt="a corgi", size="256x256", api_base=base).to_dict_recursive()
    finally:
        openai.api_base = base


def try_an_organization(emulator):
    openai.organization = "org-1"
    try:
        openai.Image.create(prompt="a corgi", size="256x256")
        first = emulator.requests[-1].headers["openai-organization"]
        openai.Image.create(prompt="a corgi", size="256x256", organization="org-2")
        return [first, emulator.requests[-1].headers["openai-organization"]]
    finally:
        openai.organization = None


def try_a_key_in_a_file():
    path = Path(os.environ["PICTURES"]) / "key.txt"
    path.write_text("sk-test\n")
    key, openai.api_key, openai.api_key_path = openai.api_key, None, str(path)
    try:
        return openai.Image.create(prompt="a corgi", size="256x256").to_dict_recursive()
    finally:
        openai.api_key, openai.api_key_path = key, None


def try_an_unknown_argument():
    openai.Image.create(prompt="a corgi", size="256x256", num_images=2)


# Errors


def try_an_unsafe_prompt():
    try:
        openai.Image.create(prompt="gore everywhere", size="256x256")
    except openai.error.InvalidRequestError as e:
        return [
            e.http_status,
            e.code,
            e.param,
            e.json_body,
            e.error.code,
            e.error["type"],
            json.loads(e.http_body),
            "safety system" in str(e),
            "safety system" in e.user_message,
            e.headers["x-request-id"],
        ]


def try_a_wrong_size():
    try:
        openai.Image.create(prompt="a corgi", size="300x300")
    except InvalidRequestError as e:
        return [e.http_status, sorted(e.json_body["error"]), e.error.type, isinstance(e, OpenAIError)]


def try_a_wrong_key():
    openai.api_key = "sk-wrong"
    try:
        openai.Image.create(prompt="a corgi", size="256x256")
    except openai.error.AuthenticationError as e:
        return [e.http_status, e.error.code]
    finally:
        openai.api_key = "sk-test"


def try_a_rate_limit(emulator):
    emulator.fail_next(429)
    try:
        openai.Image.create(prompt="a corgi", size="256x256")
    except openai.error.RateLimitError as e:
        return [e.http_status, sorted(e.json_body["error"]), e.headers.get("x-request-id")]


def try_other_refusals(emulator):
    found = []
    body = {"error": {"message": "Something about it.", "type": "some_error", "param": None, "code": "odd"}}
    kinds = (
        openai.error.APIError,
        openai.error.InvalidRequestError,
        openai.error.PermissionError,
        openai.error.RateLimitError,
        openai.error.Timeout,
        openai.error.ServiceUnavailableError,
        openai.error.TryAgain,
    )
    for status in (400, 403, 404, 409, 418, 500, 503):
        emulator.fail_next(status, body=None if status == 503 else body)
        try:
            openai.Image.create(prompt="a corgi", size="256x256")
        except openai.error.OpenAIError as e:
            found.append([e.http_status, [isinstance(e, kind) for kind in kinds]])
    return found


def try_no_connection():
    openai.Image.create(prompt="a corgi", size="256x256", api_base="http://127.0.0.1:9/v1")


def try_an_error_awaited():
    async def main():
        try:
            await openai.Image.acreate(prompt="gore everywhere", size="256x256")
        except openai.error.InvalidRequestError as e:
            return [e.http_status, e.code]

    return main()


def try_names_at_the_top():
    try:
        openai.Image.create(prompt="gore everywhere", size="256x256")
    except openai.InvalidRequestError as e:
        return [isinstance(e, openai.OpenAIError), isinstance(e, openai.error.APIError)]


# Models and moderations


def try_moderation():
    response = openai.Moderation.create(input="gore everywhere")
    result = response["results"][0]
    return [result["flagged"], result["categories"]["violence"], response.results[0].flagged]


def try_models():
    listed = openai.Model.list()
    return ["dall-e-2" in [model.id for model in listed.data], openai.Model.retrieve("dall-e-2")["id"]]


def try_what_the_host_says_no_to():
    found = []
    for arguments in ({"n": 11}, {"n": "1"}, {"prompt": ""}, {"size": "1x1"}, {"response_format": "png"}):
        try:
            openai.Image.create(**{"prompt": "a corgi", "size": "256x256"} | arguments)
        except openai.error.OpenAIError as e:
            found.append([sorted(arguments), e.http_status, isinstance(e, InvalidRequestError)])
    return found


def try_no_quota(emulator):
    emulator.fail_next(429, code="insufficient_quota")
    try:
        openai.Image.create(prompt="a corgi", size="256x256")
    except openai.error.RateLimitError as e:
        return [e.http_status, e.json_body["error"]["code"], e.error.type]
