"""Many images with this package, awaited: `bulk.arun`."""

# ruff: noqa: D103 - `worker.py` says what each function is for

from by_bulk import KEY, jobs


def many(base, prompts, folder, answers):
    import asyncio

    import dalle2
    from dalle2 import bulk

    async def main():
        async with dalle2.AsyncClient(api_key=KEY, base_url=base) as client:
            await bulk.arun(client, jobs(prompts, answers), journal=f"{folder}.db", out=folder)

    asyncio.run(main())
