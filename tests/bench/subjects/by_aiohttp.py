"""aiohttp by hand, for the async scenario."""

# ruff: noqa: D103 - `worker.py` says what each function is for

HEADERS = {"Authorization": "Bearer sk-test"}
ASKED = {"model": "dall-e-2", "prompt": "a corgi astronaut"}


def names():
    import aiohttp  # noqa: F401


async def crowd(base, at_once):
    import aiohttp

    connector = aiohttp.TCPConnector(limit=max(100, at_once))
    made, url = aiohttp.ClientSession(headers=HEADERS, connector=connector), f"{base}/images/generations"

    async def call():
        async with made.post(url, json=ASKED) as answer:
            answer.raise_for_status()
            return (await answer.json())["data"][0]["url"]

    return call, made.close


async def loop(base, answers):
    from base64 import b64decode

    import aiohttp
    from careful import save as save_file

    made, url = aiohttp.ClientSession(headers=HEADERS), f"{base}/images/generations"
    asked = {**ASKED, "response_format": "b64_json"} if answers == "b64" else ASKED

    async def call(prompt, path):
        async with made.post(url, json={**asked, "prompt": prompt}) as answer:
            answer.raise_for_status()
            row = (await answer.json())["data"][0]
        if answers == "b64":
            save_file(path, b64decode(row["b64_json"]))
            return
        async with made.get(row["url"]) as image:
            image.raise_for_status()
            save_file(path, await image.read())

    return call, made.close
