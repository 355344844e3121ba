"""aiohttp by hand, for the async scenario."""

# ruff: noqa: D103 - `worker.py` says what each function is for

HEADERS = {"Authorization": "Bearer sk-test"}
ASKED = {"model": "dall-e-2", "prompt": "a corgi astronaut"}


async def crowd(base, at_once):
    import aiohttp

    connector = aiohttp.TCPConnector(limit=max(100, at_once))
    made, url = aiohttp.ClientSession(headers=HEADERS, connector=connector), f"{base}/images/generations"

    async def call():
        async with made.post(url, json=ASKED) as answer:
            answer.raise_for_status()
            return (await answer.json())["data"][0]["url"]

    return call, made.close
