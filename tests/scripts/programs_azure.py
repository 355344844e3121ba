# ruff: noqa
"""Small programs for the official SDK's Azure clients, as people write them."""

import json
import os

import openai
from openai import AsyncAzureOpenAI, AzureOpenAI

ENDPOINT, VERSION = os.environ["AZURE_OPENAI_ENDPOINT"], "2024-02-01"


def seen(emulator):
    request = emulator.requests[-1]
    how = "key" if "api-key" in request.headers else request.headers["authorization"]
    return [request.path, sorted(request.query.split("&")), how]


def try_a_deployment(emulator):
    client = AzureOpenAI(
        azure_endpoint=ENDPOINT, api_key="sk-test", api_version=VERSION, azure_deployment="dall-e-2"
    )
    answer = client.images.generate(prompt="a corgi", n=2, size="256x256")
    return [answer.to_dict(), seen(emulator)]


def try_the_model_is_the_deployment(emulator):
    client = AzureOpenAI(azure_endpoint=ENDPOINT, api_key="sk-test", api_version=VERSION)
    answer = client.images.generate(model="dall-e-2", prompt="a corgi", size="256x256")
    return [answer.to_dict(), seen(emulator)]


def try_all_from_the_environment(emulator):
    client = AzureOpenAI(azure_deployment="dall-e-2")
    return [client.images.generate(prompt="a corgi", size="256x256").to_dict(), seen(emulator)]


def try_a_version_of_2023(emulator):
    client = AzureOpenAI(api_version="2023-12-01-preview")
    answer = client.images.generate(model="dall-e-2", prompt="a corgi", size="256x256")
    return [answer.to_dict(), seen(emulator)]


def try_a_base_url(emulator):
    client = AzureOpenAI(
        base_url=f"{ENDPOINT}/openai/deployments/dall-e-2", api_key="sk-test", api_version=VERSION
    )
    return [client.images.generate(prompt="a corgi", size="256x256").to_dict(), seen(emulator)]


def try_a_token(emulator):
    client = AzureOpenAI(azure_endpoint=ENDPOINT, azure_ad_token="sk-test", azure_deployment="dall-e-2")
    return [client.images.generate(prompt="a corgi", size="256x256").to_dict(), seen(emulator)]


def try_a_token_that_is_asked_for(emulator):
    client = AzureOpenAI(
        azure_endpoint=ENDPOINT, azure_ad_token_provider=lambda: "sk-test", azure_deployment="dall-e-2"
    )
    return [client.images.generate(prompt="a corgi", size="256x256").to_dict(), seen(emulator)]


def try_a_token_that_is_awaited(emulator):
    async def token():
        return "sk-test"

    async def main():
        async with AsyncAzureOpenAI(
            azure_endpoint=ENDPOINT, azure_ad_token_provider=token, azure_deployment="dall-e-2"
        ) as client:
            answer = await client.images.generate(prompt="a corgi", size="256x256")
            return [answer.to_dict(), seen(emulator)]

    return main()


def try_awaited(emulator):
    async def main():
        client = AsyncAzureOpenAI(azure_endpoint=ENDPOINT, api_key="sk-test", api_version=VERSION)
        answer = await client.images.generate(model="dall-e-2", prompt="a corgi", size="256x256")
        await client.close()
        return [answer.to_dict(), seen(emulator)]

    return main()


def try_with_options(emulator):
    client = AzureOpenAI(azure_deployment="dall-e-2", default_query={"tenant": "a"})
    other = client.with_options(api_version="2025-01-01", timeout=20)
    return [other.images.generate(prompt="a corgi", size="256x256").to_dict(), seen(emulator)]


def try_with_another_token(emulator):
    client = AzureOpenAI(azure_endpoint=ENDPOINT, azure_ad_token="sk-wrong", azure_deployment="dall-e-2")
    other = client.with_options(azure_ad_token="sk-test")
    return [other.images.generate(prompt="a corgi", size="256x256").to_dict(), seen(emulator)]


def try_an_edit(emulator):
    path = os.path.join(os.environ["PICTURES"], "photo.png")
    client = AzureOpenAI(azure_endpoint=ENDPOINT)
    with open(path, "rb") as image:
        answer = client.images.edit(model="dall-e-2", image=image, prompt="a hat", size="256x256")
    return [answer.to_dict(), seen(emulator)]


def try_a_wrong_key():
    client = AzureOpenAI(azure_endpoint=ENDPOINT, api_key="sk-wrong", azure_deployment="dall-e-2")
    try:
        client.images.generate(prompt="a corgi", size="256x256")
    except openai.AuthenticationError as e:
        return [e.status_code, e.code, sorted(e.body), e.response.status_code]


def try_an_unsafe_prompt():
    client = AzureOpenAI(azure_endpoint=ENDPOINT, azure_deployment="dall-e-2")
    try:
        client.images.generate(prompt="gore everywhere", size="256x256")
    except openai.BadRequestError as e:
        return [e.status_code, e.code, e.body, e.response.json()]


def try_the_module(emulator):
    openai.api_type = "azure"
    openai.azure_endpoint = ENDPOINT
    openai.api_version = VERSION
    openai.api_key = "sk-test"
    answer = openai.images.generate(model="dall-e-2", prompt="a corgi", size="256x256")
    return [answer.to_dict(), seen(emulator)]


def try_no_endpoint():
    endpoint = os.environ.pop("AZURE_OPENAI_ENDPOINT")
    try:
        AzureOpenAI(api_key="sk-test", api_version=VERSION)
    except (ValueError, openai.OpenAIError) as e:
        return "AZURE_OPENAI_ENDPOINT" in str(e)
    finally:
        os.environ["AZURE_OPENAI_ENDPOINT"] = endpoint
