"""The standard library alone: `http.client` and `json`."""

# ruff: noqa: D103 - `worker.py` says what each function is for

import os

HEADERS = {"Authorization": "Bearer sk-test", "Content-Type": "application/json"}
ASKED = {"model": "dall-e-2", "prompt": "a corgi astronaut"}


def load():
    import http.client
    import json
    import urllib.parse

    return http.client, json, urllib.parse


def client(base):
    import http.client
    import json  # noqa: F401
    from urllib.parse import urlsplit

    parts = urlsplit(base)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    return kind(parts.netloc, timeout=600)


def post(made, base, asked):
    """One call; the bytes of its answer."""
    import json
    from urllib.parse import urlsplit

    path = urlsplit(base).path + "/images/generations"
    made.request("POST", path, json.dumps(asked), HEADERS)
    answer = made.getresponse()
    assert answer.status == 200
    return json.loads(answer.read())["data"]


def get(made, url):
    """The answer of a GET, its body still to come."""
    from urllib.parse import urlsplit

    parts = urlsplit(url)
    made.request("GET", f"{parts.path}?{parts.query}")
    answer = made.getresponse()
    assert answer.status == 200
    return answer


def cold(base, path):
    made = client(base)
    url = post(made, base, ASKED)[0]["url"]
    with open(path, "wb") as file:
        file.write(get(made, url).read())


def caller(base):
    made = client(base)
    return lambda: post(made, base, ASKED)[0]["url"]


def base64(base, count):
    from base64 import b64decode

    from careful import save as save_file

    made = client(base)
    asked = {**ASKED, "n": count, "response_format": "b64_json"}

    def save(folder):
        for number, row in enumerate(post(made, base, asked)):
            save_file(os.path.join(folder, f"{number}.png"), b64decode(row["b64_json"]))

    return save


def download(base):
    import shutil

    from careful import Careful

    made = client(base)

    def save(url, folder):
        with Careful(os.path.join(folder, "image.png")) as file:
            shutil.copyfileobj(get(made, url), file)

    return save
