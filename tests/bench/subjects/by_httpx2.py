"""httpx2 by hand, as httpx is used by hand."""

# ruff: noqa: D103 - `worker.py` says what each function is for

HEADERS = {"Authorization": "Bearer sk-test"}
ASKED = {"model": "dall-e-2", "prompt": "a corgi astronaut"}


async def crowd(base, at_once):
    import httpx2

    limits = httpx2.Limits(max_connections=max(100, at_once), max_keepalive_connections=20)
    made = httpx2.AsyncClient(timeout=600, headers=HEADERS, limits=limits)

    async def call():
        answer = await made.post(f"{base}/images/generations", json=ASKED)
        answer.raise_for_status()
        return answer.json()["data"][0]["url"]

    return call, made.aclose
