"""Tools that answer in the place of httpx's transports see every request of a client, and every download."""

from __future__ import annotations

import anyio
import pytest
import respx
from pytest_httpx import HTTPXMock

import dalle2

PNG = dalle2.mask_from_box(16, (0, 0, 8, 8))
GENERATIONS = "https://api.openai.com/v1/images/generations"
STORE = "https://store.example/a.png"
ANSWER = {"created": 4070908800, "data": [{"url": STORE}]}


def call() -> None:
    """One image with each client, fetched."""
    with dalle2.Client("sk-test") as client:
        assert client.generate("a fox")[0].read() == PNG

    async def work() -> None:
        async with dalle2.AsyncClient("sk-test") as client:
            assert await (await client.generate("a fox"))[0].read() == PNG

    anyio.run(work)


def test_respx_sees_all() -> None:
    """Its router counts the paid calls and the downloads."""
    with respx.mock() as router:
        paid = router.post(GENERATIONS).respond(json=ANSWER)
        fetched = router.get(STORE).respond(content=PNG)
        call()
    assert (paid.call_count, fetched.call_count) == (2, 2)


@pytest.mark.httpx_mock(can_send_already_matched_responses=True)
def test_pytest_httpx_sees_all(httpx_mock: HTTPXMock) -> None:
    """So does its list of requests, in order."""
    httpx_mock.add_response(method="POST", url=GENERATIONS, json=ANSWER)
    httpx_mock.add_response(method="GET", url=STORE, content=PNG)
    call()
    assert [str(request.url) for request in httpx_mock.get_requests()] == [GENERATIONS, STORE] * 2
