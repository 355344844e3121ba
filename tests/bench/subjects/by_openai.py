"""The official SDK. It saves nothing itself, so that its images are saved like those of the reference."""

# ruff: noqa: D103 - `worker.py` says what each function is for

import os

KEY = "sk-test"
ASKED = {"model": "dall-e-2", "prompt": "a corgi astronaut"}


def load():
    import openai  # noqa: F401


def names():
    from openai import AsyncOpenAI  # noqa: F401


def client(base):
    import openai

    return openai.OpenAI(api_key=KEY, base_url=base)


def fetch(made, url):
    """Its own way to bytes by URL; the caller holds them all."""
    from openai import HttpxBinaryResponseContent

    return made.get(url, cast_to=HttpxBinaryResponseContent).content


def cold(base, path):
    made = client(base)
    answer = made.images.generate(**ASKED)
    with open(path, "wb") as file:
        file.write(fetch(made, answer.data[0].url))


def caller(base):
    made = client(base)
    return lambda: made.images.generate(**ASKED).data[0].url


async def crowd(base, at_once):
    import openai

    made = openai.AsyncOpenAI(api_key=KEY, base_url=base)

    async def call():
        return (await made.images.generate(**ASKED)).data[0].url

    return call, made.close


def base64(base, count):
    from base64 import b64decode

    from careful import save as save_file

    made = client(base)

    def save(folder):
        answer = made.images.generate(**ASKED, n=count, response_format="b64_json")
        for number, row in enumerate(answer.data):
            save_file(os.path.join(folder, f"{number}.png"), b64decode(row.b64_json))

    return save


def download(base):
    from careful import save as save_file

    made = client(f"{base}/url/1/v1")
    return lambda url, folder: save_file(os.path.join(folder, "image.png"), fetch(made, url))


async def loop(base, answers):
    from base64 import b64decode

    import openai
    from careful import save as save_file

    made = openai.AsyncOpenAI(api_key=KEY, base_url=base)
    asked = {**ASKED, "response_format": "b64_json"} if answers == "b64" else ASKED

    async def call(prompt, path):
        answer = await made.images.generate(**{**asked, "prompt": prompt})
        if answers == "b64":
            save_file(path, b64decode(answer.data[0].b64_json))
            return
        got = await made.get(answer.data[0].url, cast_to=openai.HttpxBinaryResponseContent)
        save_file(path, got.content)

    return call, made.close
