"""Azure as people have it: a pasted target URI, the 202 with `Operation-Location`, and the v1 path."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

import dalle2
from dalle2 import ConfigurationError, Provider
from dalle2._calls._tasks import own_address
from dalle2.settings import resolve
from dalle2.testing import Emulator

HOST = "https://mine.openai.azure.com"
CLASSIC = f"{HOST}/openai/deployments/dall-e-2/images/generations?api-version=2024-02-01"
OF_2023 = f"{HOST}/openai/images/generations:submit?api-version=2023-06-01-preview"
QUICK = dalle2.RetryPolicy(initial=0)
STORE = "https://dalleproduse.blob.core.windows.net/private"
DONE = {
    "created": 1685130482,
    "expires": 1685216887,
    "id": "op1",
    "result": {"created": 1685130482, "data": [{"url": f"{STORE}/a.png?se=2030"}]},
    "status": "succeeded",
}


@pytest.mark.parametrize(
    ("url", "base", "query"),
    [
        (HOST, "/openai/v1", {}),
        (HOST + "/", "/openai/v1", {}),
        (HOST + "/openai", "/openai/v1", {}),
        (HOST + "/openai/v1/", "/openai/v1", {}),
        (HOST + "/openai/v1/images/edits?api-version=preview", "/openai/v1", {"api-version": "preview"}),
        (CLASSIC, "/openai/deployments/dall-e-2", {"api-version": "2024-02-01"}),
        (CLASSIC.replace("generations", "edits"), "/openai/deployments/dall-e-2", None),
        (f" {CLASSIC}\n", "/openai/deployments/dall-e-2", None),
        (CLASSIC.replace("dall-e-2/images/generations", "my%20d"), "/openai/deployments/my%20d", None),
        (OF_2023, "/openai", {"api-version": "2023-06-01-preview"}),
    ],
)
def test_a_pasted_uri_is_understood(url: str, base: str, query: dict[str, str] | None) -> None:
    """What the portal shows, and what is left of it, tells path, deployment and version, and the header."""
    provider = Provider.azure(url)
    assert provider.base_url == HOST + base
    assert query is None or provider.query == query
    for settings in (
        resolve({"OPENAI_API_KEY": "k"}, base_url=url),
        resolve({"AZURE_OPENAI_API_KEY": "k", "OPENAI_API_KEY": "no"}, base_url=url),
        resolve({"OPENAI_BASE_URL": url, "OPENAI_API_KEY": "k"}),
    ):
        assert settings.base_url == HOST + base
        assert settings.provider.query == provider.query
        assert settings.provider.paths == provider.paths
        assert (settings.credential[0], settings.credential[1].reveal()) == ("api-key", "k")


def test_an_argument_wins_over_the_uri() -> None:
    """Deployment and version of the URI count unless they are said."""
    provider = Provider.azure(CLASSIC, deployment="other", api_version="2025-01-01")
    assert provider.base_url == f"{HOST}/openai/deployments/other"
    assert provider.query == {"api-version": "2025-01-01"}


def test_a_gateway_in_front_of_azure_keeps_its_path() -> None:
    """What stands before `/openai` stays, on any host."""
    url = "https://gateway.corp:8443/ai/openai/deployments/d/images/generations?api-version=1&tenant=7"
    provider = Provider.azure(url)
    assert provider.base_url == "https://gateway.corp:8443/ai/openai/deployments/d"
    assert provider.query == {"api-version": "1", "tenant": "7"}


@pytest.mark.parametrize(
    ("url", "words"),
    [
        (f"{HOST}/openai/deployments/d", "api-version="),
        ("mine.openai.azure.com", "http or https URL"),
        (f"https://user:secret@{HOST[8:]}", "user name"),
        (17, "must be a text"),
    ],
)
def test_what_cannot_be_azure_is_refused(url: Any, words: str) -> None:
    """A deployment without a version, and what is no URL; no password is repeated."""
    with pytest.raises(ConfigurationError, match=words) as caught:
        Provider.azure(url)
    assert "secret" not in str(caught.value)


def test_another_host_is_no_azure() -> None:
    """A name that only begins like one is any compatible host, and reads its key as ever."""
    for url in ("https://openai.azure.com.evil.example/v1", "https://images.example.com/openai/v1"):
        settings = resolve({"OPENAI_API_KEY": "k"}, base_url=url)
        assert (settings.provider.name, settings.credential[0]) == ("custom", "Authorization")
    named = resolve({"OPENAI_API_KEY": "k"}, provider="openai", base_url=HOST)
    assert named.provider.name == "openai"


@pytest.mark.parametrize("uri", [CLASSIC, OF_2023, HOST])
@pytest.mark.anyio
async def test_the_first_call_on_azure_gives_an_image(uri: str) -> None:
    """Classic, in the background, and v1: the pasted URI is all that is needed, blocking and awaited."""
    emulator = Emulator(persona="azure", task_polls=2)
    with dalle2.Client("sk-test", base_url=uri, http_client=emulator.client(), retry=QUICK) as client:
        (image,) = client.generate("a corgi astronaut", size="256x256")
        assert image.read().startswith(b"\x89PNG")
    assert image.expires_in is not None
    assert 86000 < image.expires_in <= 86400
    async with dalle2.AsyncClient(
        "sk-test", base_url=uri, http_client=emulator.async_client(), retry=QUICK
    ) as client:
        (again,) = await client.generate("a corgi astronaut", size="256x256")
        assert (await again.read()).startswith(b"\x89PNG")
    assert len(emulator.billed) == 2
    assert emulator.leaks == []


def test_the_routes_of_2023_are_azures_alone(make_api: Any) -> None:
    """Without a version, and on another host, they are not found; an operation that is none is told."""
    azure = make_api(f"{HOST}/openai", persona="azure")
    body = {"prompt": "a fox", "size": "256x256"}
    assert azure.post("/images/generations:submit", json=body).status_code == 404
    assert make_api().post("/images/generations:submit", json=body).status_code == 404
    version = "?api-version=2023-06-01-preview"
    assert azure.get(f"/operations/images/none{version}").status_code == 404
    answer = azure.post(f"/images/generations:submit{version}", json=body)
    assert (answer.status_code, answer.json()["status"]) == (202, "notRunning")
    assert azure.http.get(answer.headers["operation-location"]).json()["status"] == "running"


Answer = tuple[int, dict[str, str], object]


def asked(*answers: Answer, **options: Any) -> tuple[Any, list[str]]:
    """What a call on the classic path gives with these answers in order, and which URLs were asked."""
    left, urls = iter(answers), []

    def handle(request: httpx.Request) -> httpx.Response:
        urls.append(str(request.url))
        assert request.headers["api-key"] == "sk-test"
        status, headers, body = next(left)
        content = {"content": body} if isinstance(body, bytes) else {"json": body}
        return httpx.Response(status, headers=headers, **content)  # type: ignore[arg-type]

    options = {"retry": QUICK, **options}
    with httpx.Client(transport=httpx.MockTransport(handle)) as http:
        client = dalle2.Client("sk-test", base_url=CLASSIC, http_client=http, **options)
        try:
            return client.generate("a fox"), urls
        except dalle2.Dalle2Error as error:
            return error, urls


WHERE = f"{HOST}/openai/operations/images/op1?api-version=2023-06-01-preview"
HERE = {"Operation-Location": WHERE}


@pytest.mark.parametrize(
    "first",
    [
        (202, HERE, {"id": "op1", "status": "notRunning"}),
        (202, HERE, {}),
        (202, HERE, b""),
        (202, HERE, b"<html>accepted</html>"),
        (202, {"Location": WHERE}, b""),
        (202, {"Operation-Location": WHERE.removeprefix(HOST)}, {"id": "op1", "status": "running"}),
        (200, HERE, {"id": "op1", "status": "queued"}),
        (201, {}, {"id": "op1", "status": "queued", "polling_url": WHERE}),
        (200, {}, {"task_id": "op1", "status_url": WHERE}),
        (202, {}, {"data": {"status": "queued", "operation_location": WHERE}}),
        (200, {}, {"id": "op1", "status": "queued", "status-url": None, "operationUrl": WHERE}),
        (200, {}, {"task_id": "op1", "PollingURL": "", "statusUri": WHERE.removeprefix(HOST)}),
    ],
)
def test_a_task_is_asked_after_where_the_host_says(first: Answer) -> None:
    """By a header or in the body, as a URL or a path, with a name of its own or none."""
    images, urls = asked(first, (200, HERE, {"id": "op1", "status": "running"}), (200, {}, DONE))
    assert urls[1:] == [WHERE, WHERE]
    assert [image.url for image in images] == [f"{STORE}/a.png?se=2030"]


@pytest.mark.parametrize(
    "address",
    [
        "https://elsewhere.example/op1",
        "http://mine.openai.azure.com/op1",
        "https://mine.openai.azure.com:8443/op1",
        "//elsewhere.example/op1",
        "https://mine.openai.azure.com@elsewhere.example/op1",
        "https://someone@mine.openai.azure.com/op1",
        "https://mine.openai.azure.com.evil.example/op1",
        "https://elsewhere.example\\@mine.openai.azure.com/op1",
        "https://[::1/op1",
        "file:///etc/passwd",
    ],
)
@pytest.mark.parametrize("where", ["header", "body"])
def test_the_key_goes_to_no_other_origin(address: str, where: str) -> None:
    """An address elsewhere is not asked: the task's name is, on the API's own route."""
    first = (
        (202, {"Operation-Location": address}, {"id": "op1", "status": "running"})
        if where == "header"
        else (202, {}, {"id": "op1", "status": "running", "polling_url": address})
    )
    error, urls = asked(first, (404, {}, {"error": {"code": "404", "message": "Resource not found"}}))
    assert urls[1] == CLASSIC.replace("?", "/op1?")
    assert isinstance(error, dalle2.NotFoundError)
    assert error.maybe_billed
    assert "Task op1 was started and may have been billed (the host says to ask" in str(error)


def test_a_refusal_in_a_202_is_no_task() -> None:
    """Whatever its headers say, a host that gives a reason has refused."""
    body = {"error": {"code": "content_policy_violation", "message": "no"}}
    error, urls = asked((202, HERE, body))
    assert isinstance(error, dalle2.ContentPolicyError)
    assert len(urls) == 1
    error, urls = asked((202, {}, {"ok": True}))
    assert isinstance(error, dalle2.DecodeError)
    assert len(urls) == 1


def test_a_task_that_fails_says_why() -> None:
    """The reason is the host's, and the task is named."""
    failed = {"id": "op1", "status": "failed", "error": {"code": "contentFilter", "message": "filtered"}}
    error, _ = asked((202, HERE, b""), (200, {}, failed))
    assert "Task op1 was started" in str(error)
    assert "filtered" in str(error)


@pytest.mark.parametrize(
    ("told", "waited"), [({"Retry-After": "7"}, 7.0), ({"retry-after-ms": "40"}, 0.04), ({}, 0.0)]
)
def test_a_host_says_when_to_ask(
    told: dict[str, str], waited: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`Retry-After` of each answer is kept to, and never beyond what the policy waits for."""
    waits: list[float] = []
    monkeypatch.setattr("dalle2._client.time.sleep", waits.append)
    running = {"id": "op1", "status": "running"}
    asked((202, HERE | told, running), (200, told, running), (200, {}, DONE))
    assert waits == [waited, waited]
    waits.clear()
    asked((202, HERE | {"Retry-After": "500"}, running), (200, {}, DONE))
    assert waits == [QUICK.max_retry_after]
    error, _ = asked(
        (202, HERE | {"Retry-After": "50"}, running), retry=dalle2.RetryPolicy(initial=0, deadline=20)
    )
    assert "at the deadline" in str(error)


def test_an_address_is_asked_as_it_was_given() -> None:
    """Its query stays, a fragment goes, and what no URL can hold is no address."""
    settings = resolve({}, api_key="k", base_url=CLASSIC)

    def read(address: str | None) -> str | None:
        return own_address(address, settings, f"{HOST}/openai/x")

    assert read(WHERE + "#top") == WHERE
    assert read("op1?a=%2B") == f"{HOST}/openai/op1?a=%2B"
    assert [read(bad) for bad in (None, f"{HOST}/a b", f"{HOST}/\r\nHost: x", f"{HOST}/\x7f")] == [None] * 4
