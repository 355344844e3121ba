"""The official SDK on its aiohttp engine."""

# ruff: noqa: D103 - `worker.py` says what each function is for

KEY = "sk-test"
ASKED = {"model": "dall-e-2", "prompt": "a corgi astronaut"}


async def crowd(base, at_once):
    import openai

    made = openai.AsyncOpenAI(api_key=KEY, base_url=base, http_client=openai.DefaultAioHttpClient())

    async def call():
        return (await made.images.generate(**ASKED)).data[0].url

    return call, made.close
