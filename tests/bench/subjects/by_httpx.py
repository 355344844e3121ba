"""The reference: the least that one writes with httpx by hand."""

# ruff: noqa: D103 - `worker.py` says what each function is for

import os

HEADERS = {"Authorization": "Bearer sk-test"}
ASKED = {"model": "dall-e-2", "prompt": "a corgi astronaut"}


def load():
    import httpx  # noqa: F401


def names():
    import httpx  # noqa: F401


def client(base):
    import httpx

    return httpx.Client(timeout=600, headers=HEADERS)


def cold(base, path):
    import httpx

    with httpx.Client(timeout=600) as client:
        answer = client.post(f"{base}/images/generations", json=ASKED, headers=HEADERS)
        answer.raise_for_status()
        image = client.get(answer.json()["data"][0]["url"])
        image.raise_for_status()
        with open(path, "wb") as file:
            file.write(image.content)


def caller(base):
    made, url = client(base), f"{base}/images/generations"

    def call():
        answer = made.post(url, json=ASKED)
        answer.raise_for_status()
        return answer.json()["data"][0]["url"]

    return call


async def crowd(base, at_once):
    import httpx

    # The default limits as far as they go; above, as many connections as are asked for.
    limits = httpx.Limits(max_connections=max(100, at_once), max_keepalive_connections=20)
    made, url = httpx.AsyncClient(timeout=600, headers=HEADERS, limits=limits), f"{base}/images/generations"

    async def call():
        answer = await made.post(url, json=ASKED)
        answer.raise_for_status()
        return answer.json()["data"][0]["url"]

    return call, made.aclose


def base64(base, count):
    from base64 import b64decode

    from careful import save as save_file

    made, url = client(base), f"{base}/images/generations"
    asked = {**ASKED, "n": count, "response_format": "b64_json"}

    def save(folder):
        answer = made.post(url, json=asked)
        answer.raise_for_status()
        for number, row in enumerate(answer.json()["data"]):
            save_file(os.path.join(folder, f"{number}.png"), b64decode(row["b64_json"]))

    return save


def download(base):
    import httpx
    from careful import Careful

    made = httpx.Client(timeout=600)

    def save(url, folder):
        with made.stream("GET", url) as answer, Careful(os.path.join(folder, "image.png")) as file:
            answer.raise_for_status()
            for chunk in answer.iter_bytes():
                file.write(chunk)

    return save


async def loop(base, answers):
    from base64 import b64decode

    import httpx
    from careful import save as save_file

    made, url = httpx.AsyncClient(timeout=600, headers=HEADERS), f"{base}/images/generations"
    asked = {**ASKED, "response_format": "b64_json"} if answers == "b64" else ASKED

    async def call(prompt, path):
        answer = await made.post(url, json={**asked, "prompt": prompt})
        answer.raise_for_status()
        row = answer.json()["data"][0]
        if answers == "b64":
            save_file(path, b64decode(row["b64_json"]))
            return
        image = await made.get(row["url"])
        image.raise_for_status()
        save_file(path, image.content)

    return call, made.aclose
