"""This package, used as a user would."""

# ruff: noqa: D103 - `worker.py` says what each function is for

import os

KEY = "sk-test"


def load():
    import dalle2  # noqa: F401


def names():
    from dalle2 import AsyncClient  # noqa: F401


def client(base):
    import dalle2

    return dalle2.Client(api_key=KEY, base_url=base)


def cold(base, path):
    import dalle2

    with dalle2.Client(api_key=KEY, base_url=base) as client:
        images = client.generate("a corgi astronaut")
        images[0].save(path)


def command(words):
    import sys

    from dalle2._cli import main

    os.environ["OPENAI_API_KEY"] = KEY
    sys.argv = ["dalle2", *words]
    return main()


def caller(base):
    made = client(base)
    return lambda: made.generate("a corgi astronaut")[0].url


def run_of(base, prompts, folder, sent):
    import by_bulk

    by_bulk.go_on(base, by_bulk.jobs(prompts, "url"), folder, images=sent)


async def crowd(base, at_once):
    import dalle2

    made = dalle2.AsyncClient(api_key=KEY, base_url=base)

    async def call():
        return (await made.generate("a corgi astronaut"))[0].url

    return call, made.aclose


def base64(base, count):
    made = client(base)

    def save(folder):
        images = made.generate("a corgi astronaut", n=count, response_format="b64_json")
        images.save(folder)

    return save


def download(base):
    made = client(f"{base}/url/1/v1")
    return lambda url, folder: made.image(url).save(os.path.join(folder, "image.png"))


async def loop(base, answers):
    import dalle2

    made = dalle2.AsyncClient(api_key=KEY, base_url=base)
    asked = {"response_format": "b64_json"} if answers == "b64" else {}

    async def call(prompt, path):
        await (await made.generate(prompt, **asked))[0].save(path)

    return call, made.aclose
