"""This package over httpx's transport on aiohttp, as a service would use it."""

# ruff: noqa: D103 - `worker.py` says what each function is for

KEY = "sk-test"


async def crowd(base, at_once):
    import httpx
    from httpx_aiohttp import AiohttpTransport

    import dalle2

    limits = httpx.Limits(max_connections=max(100, at_once))
    http = httpx.AsyncClient(transport=AiohttpTransport(limits=limits), timeout=600)
    made = dalle2.AsyncClient(api_key=KEY, base_url=base, http_client=http)

    async def call():
        return (await made.generate("a corgi astronaut"))[0].url

    async def close():
        await made.aclose()
        await http.aclose()

    return call, close
