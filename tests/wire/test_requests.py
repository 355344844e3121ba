"""Every request that the clients can make, byte for byte, as it arrives at a socket."""

from __future__ import annotations

import io
import json
import re
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, Self

import anyio
import attrs
import httpx
import pytest
from PIL import Image

import dalle2
from dalle2 import AsyncClient, Client, EditRequest, GenerateRequest, Provider, VariationRequest, read_input


def picture(form: str) -> bytes:
    """A small picture."""
    buffer = io.BytesIO()
    Image.new("RGBA", (4, 4)).save(buffer, format=form)
    return buffer.getvalue()


PNG, MASK, WEBP = picture("PNG"), picture("PNG"), picture("WEBP")
IMAGE = json.dumps({"created": 1, "data": [{"url": "https://h.example/a.png"}]}).encode()
AGENT = f"dalle2/{dalle2.__version__} (python {sys.version_info.major}.{sys.version_info.minor})"


@attrs.frozen
class Request:
    """One request as it came over the socket."""

    line: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str | None:
        """A header by its name in any letter case; it must not be there twice."""
        found = [value for key, value in self.headers if key.lower() == name.lower()]
        assert len(found) <= 1
        return found[0] if found else None


class Server:
    """Records raw requests on loopback; gives each the same answer and closes the connection."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.answer = IMAGE
        self.kind = "application/json"
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.host = "127.0.0.1:%d" % self._socket.getsockname()[1]  # noqa: UP031
        self.url = f"http://{self.host}/v1"
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with socket.create_connection(self._socket.getsockname()):
            pass  # an empty connection ends the loop
        self._thread.join()
        self._socket.close()

    def _run(self) -> None:
        while True:
            connection, _ = self._socket.accept()
            with connection, connection.makefile("rwb") as stream:
                line = stream.readline().decode().strip()
                if not line:
                    return
                headers = []
                while header := stream.readline().decode("latin-1").rstrip("\r\n"):
                    name, _, value = header.partition(": ")
                    headers.append((name, value))
                length = next((int(value) for name, value in headers if name.lower() == "content-length"), 0)
                self.requests.append(Request(line, tuple(headers), stream.read(length)))
                head = f"HTTP/1.1 200 OK\r\nContent-Type: {self.kind}\r\nConnection: close\r\n"
                stream.write(f"{head}Content-Length: {len(self.answer)}\r\n\r\n".encode() + self.answer)
                stream.flush()


@pytest.fixture
def server() -> Iterator[Server]:
    """A recording server."""
    with Server() as server:
        yield server


Use = Callable[[Any], Any]


def sent(server: Server, use: Use, **arguments: Any) -> Request:
    """What the sync client sends for a use; the async client must send the same bytes."""
    arguments.setdefault("api_key", "sk-test")
    arguments.setdefault("provider", Provider.custom(server.url))
    with Client(**arguments) as client:
        result = use(client)
        if isinstance(result, Iterator):
            list(result)

    async def awaited() -> None:
        async with AsyncClient(**arguments) as client:
            result = use(client)
            if hasattr(result, "__await__"):
                await result
            else:
                async for _ in result:
                    pass

    for backend in ("asyncio", "trio"):
        anyio.run(awaited, backend=backend)
    first, *others = [without_chance(request) for request in server.requests]
    assert others == [first, first]
    request = server.requests[0]
    server.requests.clear()
    return request


def without_chance(request: Request) -> Request:
    """The request without what is drawn anew each time: boundary and idempotency key."""
    boundary = re.search(r"boundary=([0-9a-f]+)", request.header("content-type") or "")
    if boundary:
        assert len(boundary[1]) == 32
    headers = tuple(
        (name, re.sub(r"boundary=[0-9a-f]+|dalle2-[0-9a-f]{32}", "*", value))
        for name, value in request.headers
    )
    body = request.body.replace(boundary[1].encode(), b"*") if boundary else request.body
    return Request(request.line, headers, body)


def head(server: Server, body: bytes, **more: str | None) -> list[tuple[str, str]]:
    """The headers of a JSON request: exactly these, in this order. `None` leaves one out."""
    headers: dict[str, str | None] = {
        "Host": server.host,
        "Authorization": "Bearer sk-test",
        "Accept": "application/json",
        "User-Agent": AGENT,
        "Content-Type": "application/json",
        "Idempotency-Key": "order-1",
        "Content-Length": str(len(body)),
    }
    headers |= {name.replace("_", "-"): value for name, value in more.items()}
    return [(name, value) for name, value in headers.items() if value is not None]


# --- JSON ---------------------------------------------------------------------------------------------------

JSON: list[tuple[Use, str]] = [
    (lambda c: c.generate("a corgi"), '{"model":"dall-e-2","prompt":"a corgi"}'),
    (
        lambda c: c.generate('柯基 \U0001f415\n"x"'),
        '{"model":"dall-e-2","prompt":"柯基 \U0001f415\\n\\"x\\""}',
    ),
    (
        lambda c: c.generate("a corgi", n=2, size="512x512", response_format="b64_json", user="u-1"),
        '{"model":"dall-e-2","n":2,"size":"512x512","response_format":"b64_json","user":"u-1",'
        '"prompt":"a corgi"}',
    ),
    (
        lambda c: c.generate("a corgi", model="dall-e-3", quality="hd", style="natural"),
        '{"model":"dall-e-3","quality":"hd","prompt":"a corgi","style":"natural"}',
    ),
    (
        lambda c: c.generate(
            "a corgi",
            model="gpt-image-2",
            quality="high",
            background="opaque",
            moderation="low",
            output_format="jpeg",
            output_compression=80,
            size="1536x1024",
        ),
        '{"model":"gpt-image-2","size":"1536x1024","quality":"high","background":"opaque","moderation":"low",'
        '"output_format":"jpeg","output_compression":80,"prompt":"a corgi"}',
    ),
    (
        lambda c: c.generate(
            "a corgi", n=2, extra_body={"n": 3, "quality": "standard", "x": [1, {"y": None}]}
        ),
        '{"model":"dall-e-2","n":3,"prompt":"a corgi","quality":"standard","x":[1,{"y":null}]}',
    ),
    (
        lambda c: c.generate("a corgi", extra_body={"model": "other", "prompt": "mine"}),
        '{"model":"other","prompt":"mine"}',
    ),
    (
        lambda c: c.generate("a corgi", model="unknown-model", size="7x7", quality="any", n=99),
        '{"model":"unknown-model","n":99,"size":"7x7","quality":"any","prompt":"a corgi"}',
    ),
    (
        lambda c: c.send(GenerateRequest(prompt="a corgi", n=1)),
        '{"model":"dall-e-2","n":1,"prompt":"a corgi"}',
    ),
]


@pytest.mark.parametrize(("use", "body"), JSON)
def test_a_generation_is_exactly_this(use: Use, body: str, server: Server) -> None:
    """`model` always, of the rest only what was set, and no header but ours and HTTP's own."""

    def keyed(client: Any) -> Any:
        return use(Keyed(client))

    request = sent(server, keyed)
    assert request.line == "POST /v1/images/generations HTTP/1.1"
    assert request.body.decode() == body
    assert list(request.headers) == head(server, request.body)


class Keyed:
    """A client whose paid calls all carry one idempotency key."""

    def __init__(self, client: Any, **more: Any) -> None:
        self._client = client
        self._more = {"idempotency_key": "order-1"} | more

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._client, name)
        return lambda *args, **kwargs: method(*args, **(self._more | kwargs))


def test_each_call_has_a_key_of_its_own(server: Server) -> None:
    """Made fresh unless given, and long enough to be unique."""
    keys = set()
    with Client("sk-test", base_url=server.url) as client:
        for _ in range(3):
            client.generate("a corgi")
    for request in server.requests:
        keys.add(request.header("Idempotency-Key"))
    assert len(keys) == 3
    assert all(re.fullmatch(r"dalle2-[0-9a-f]{32}", str(key)) for key in keys)


def test_a_streamed_generation_asks_for_events(server: Server) -> None:
    """`stream` is true, and the answer asked for is an event stream."""
    server.kind = "text/event-stream"
    server.answer = b'data: {"type": "image_generation.completed", "url": "https://h.example/a.png"}\n\n'
    request = sent(
        server,
        lambda c: c.stream("a corgi", model="gpt-image-2", partial_images=2, idempotency_key="order-1"),
    )
    assert json.loads(request.body) == {
        "model": "gpt-image-2",
        "partial_images": 2,
        "prompt": "a corgi",
        "stream": True,
    }
    assert list(request.headers) == head(server, request.body, Accept="text/event-stream")


# --- the free calls -----------------------------------------------------------------------------------------


def test_a_moderation_is_exactly_this(server: Server) -> None:
    """The vendor's current model, the prompt, and no idempotency key, since nothing is paid."""
    server.answer = json.dumps(
        {"id": "m", "model": "m", "results": [{"flagged": False, "categories": {}, "category_scores": {}}]}
    ).encode()
    request = sent(server, lambda c: c.moderate("a corgi"))
    assert request.line == "POST /v1/moderations HTTP/1.1"
    assert request.body == b'{"model":"omni-moderation-latest","input":"a corgi"}'
    assert list(request.headers) == head(server, request.body, Idempotency_Key=None)


def test_the_list_of_models_is_exactly_this(server: Server) -> None:
    """A GET without a body."""
    server.answer = b'{"object": "list", "data": []}'
    request = sent(server, lambda c: c.list_models())
    assert (request.line, request.body) == ("GET /v1/models HTTP/1.1", b"")
    left_out = {"Content_Type": None, "Content_Length": None, "Idempotency_Key": None}
    assert list(request.headers) == head(server, b"", **left_out)


# --- multipart ----------------------------------------------------------------------------------------------


def field(name: str, value: str) -> bytes:
    """One text field of a form."""
    return f'--*\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()


def file(name: str, filename: str, kind: str, data: bytes) -> bytes:
    """One file of a form."""
    disposition = f'Content-Disposition: form-data; name="{name}"; filename="{filename}"'
    return f"--*\r\n{disposition}\r\nContent-Type: {kind}\r\n\r\n".encode() + data + b"\r\n"


FORMS: list[tuple[Use, str, list[bytes]]] = [
    (
        lambda c: c.edit(PNG, "a hat"),
        "edits",
        [field("model", "dall-e-2"), field("prompt", "a hat"), file("image", "image.png", "image/png", PNG)],
    ),
    (
        lambda c: c.edit(PNG, "ein Hütchen", mask=MASK, n=2, size="256x256", response_format="url", user="u"),
        "edits",
        [
            field("model", "dall-e-2"),
            field("n", "2"),
            field("size", "256x256"),
            field("response_format", "url"),
            field("user", "u"),
            field("prompt", "ein Hütchen"),
            file("image", "image.png", "image/png", PNG),
            file("mask", "mask.png", "image/png", MASK),
        ],
    ),
    (
        lambda c: c.edit([PNG, WEBP], "a hat", model="gpt-image-1.5", input_fidelity="high", quality="low"),
        "edits",
        [
            field("model", "gpt-image-1.5"),
            field("quality", "low"),
            field("prompt", "a hat"),
            field("input_fidelity", "high"),
            file("image[]", "image.png", "image/png", PNG),
            file("image[]", "image.webp", "image/webp", WEBP),
        ],
    ),
    (
        lambda c: c.edit([PNG], "a hat", extra_body={"n": 3, "x": True, "y": {"z": 1}, "prompt": "mine"}),
        "edits",
        [
            field("model", "dall-e-2"),
            field("prompt", "mine"),
            field("n", "3"),
            field("x", "true"),
            field("y", '{"z":1}'),
            file("image", "image.png", "image/png", PNG),
        ],
    ),
    (
        lambda c: c.vary(PNG),
        "variations",
        [field("model", "dall-e-2"), file("image", "image.png", "image/png", PNG)],
    ),
    (
        lambda c: c.vary(PNG, n=10, size="512x512", response_format="b64_json", user="u"),
        "variations",
        [
            field("model", "dall-e-2"),
            field("n", "10"),
            field("size", "512x512"),
            field("response_format", "b64_json"),
            field("user", "u"),
            file("image", "image.png", "image/png", PNG),
        ],
    ),
    (
        lambda c: c.send(EditRequest(image=read_input(PNG), prompt="a hat")),
        "edits",
        [field("model", "dall-e-2"), field("prompt", "a hat"), file("image", "image.png", "image/png", PNG)],
    ),
    (
        lambda c: c.send(VariationRequest(image=read_input(PNG))),
        "variations",
        [field("model", "dall-e-2"), file("image", "image.png", "image/png", PNG)],
    ),
]


@pytest.mark.parametrize(("use", "route", "parts"), FORMS)
def test_an_upload_is_exactly_this(use: Use, route: str, parts: list[bytes], server: Server) -> None:
    """Text fields, then files named and typed by their bytes: `image`, several as `image[]`, then `mask`."""
    request = sent(server, lambda client: use(Keyed(client)))
    plain = without_chance(request)
    assert plain.line == f"POST /v1/images/{route} HTTP/1.1"
    assert plain.body == b"".join(parts) + b"--*--\r\n"
    expected = head(server, request.body)
    expected = [pair for pair in expected if pair[0] != "Content-Type"]
    assert [pair for pair in plain.headers if pair[0] != "Content-Type"] == expected
    assert plain.header("Content-Type") == "multipart/form-data; *"


# --- headers ------------------------------------------------------------------------------------------------


def test_organisation_and_project_are_sent_when_set(server: Server) -> None:
    """Under OpenAI's names, and else not at all."""
    request = sent(
        server,
        lambda c: c.generate("a corgi", idempotency_key="order-1"),
        organization="org-1",
        project="proj-1",
    )
    expected = dict(head(server, request.body))
    assert dict(request.headers) == expected | {"OpenAI-Organization": "org-1", "OpenAI-Project": "proj-1"}


def test_the_more_special_header_wins(server: Server) -> None:
    """The call's over the client's over the provider's over ours, in any letter case; each travels once."""
    provider = Provider(
        name="mine", base_url=server.url, headers={"X-A": "provider", "X-B": "provider", "X-C": "provider"}
    )
    request = sent(
        server,
        lambda c: c.generate("a corgi", extra_headers={"x-a": "call", "USER-AGENT": "mine/1", "X-D": "call"}),
        provider=provider,
        headers={"x-A": "client", "x-b": "client"},
    )
    found = {name.lower(): value for name, value in request.headers}
    assert (found["x-a"], found["x-b"], found["x-c"], found["x-d"]) == ("call", "client", "provider", "call")
    assert found["user-agent"] == "mine/1"
    assert len(found) == len(request.headers)


def test_a_call_may_carry_another_authorization(server: Server) -> None:
    """For hosts that want a token of their own."""
    request = sent(server, lambda c: c.generate("a corgi", extra_headers={"authorization": "Basic abc"}))
    assert request.header("Authorization") == "Basic abc"


def test_a_host_may_want_no_idempotency_key(server: Server) -> None:
    """The name of the header, and whether there is one, belong to the provider."""
    for name in (None, "X-Request-Token"):
        provider = Provider(name="mine", base_url=server.url, idempotency_header=name)
        request = sent(server, lambda c: c.generate("a corgi", idempotency_key="order-1"), provider=provider)
        assert request.header("Idempotency-Key") is None
        assert request.header("X-Request-Token") == (None if name is None else "order-1")


def test_a_key_without_scheme_is_sent_bare(server: Server) -> None:
    """Azure: the key as `api-key`, the version in the query, the deployment in the path."""
    provider = Provider.azure(f"http://{server.host}", deployment="paint", api_version="2024-02-01")
    request = sent(server, lambda c: c.generate("a corgi", idempotency_key="order-1"), provider=provider)
    assert request.line == "POST /openai/deployments/paint/images/generations?api-version=2024-02-01 HTTP/1.1"
    expected = [
        ("api-key", "sk-test") if name == "Authorization" else (name, value)
        for name, value in head(server, request.body)
    ]
    assert list(request.headers) == expected
    assert request.body == b'{"model":"dall-e-2","prompt":"a corgi"}'
    request = sent(server, lambda c: c.edit(PNG, "a hat"), provider=provider)
    assert request.line == "POST /openai/deployments/paint/images/edits?api-version=2024-02-01 HTTP/1.1"
    v1 = Provider.azure(f"http://{server.host}/")
    request = sent(server, lambda c: c.generate("a corgi", model="my-deployment"), provider=v1)
    assert request.line == "POST /openai/v1/images/generations HTTP/1.1"
    assert json.loads(request.body)["model"] == "my-deployment"


def test_a_query_of_the_base_url_goes_with_each_request(server: Server) -> None:
    """Escaped as it must be."""
    request = sent(
        server, lambda c: c.generate("a corgi"), provider=None, base_url=f"{server.url}/?tag=a%20b&x=%26"
    )
    assert request.line == "POST /v1/images/generations?tag=a+b&x=%26 HTTP/1.1"


# --- the responses wire -------------------------------------------------------------------------------------

ANSWER = json.dumps(
    {
        "status": "completed",
        "output": [
            {"type": "message", "content": [{"type": "output_text", "text": "https://h.example/a.png"}]}
        ],
    }
).encode()


def responses(server: Server) -> Provider:
    """CometAPI's second form, on the recording server."""
    return dalle2.providers.PROVIDERS["cometapi-responses"]._replace(base_url=server.url)


@pytest.mark.parametrize(
    ("use", "body"),
    [
        (lambda c: c.generate("a corgi"), b'{"model":"dall-e-2","input":"a corgi"}'),
        (lambda c: c.generate("a corgi", n=1), b'{"model":"dall-e-2","input":"a corgi"}'),
        (
            lambda c: c.generate("a corgi", size="512x512", extra_body={"size": "512x512"}),
            b'{"model":"dall-e-2","input":"a corgi","size":"512x512"}',
        ),
        (
            lambda c: c.generate("a corgi", extra_body={"model": "other"}),
            b'{"model":"other","input":"a corgi"}',
        ),
    ],
)
def test_the_responses_wire_carries_model_and_input(use: Use, body: bytes, server: Server) -> None:
    """Nothing else, unless the caller insists."""
    server.answer = ANSWER
    request = sent(server, lambda client: use(Keyed(client)), provider=responses(server))
    assert (request.line, request.body) == ("POST /v1/responses HTTP/1.1", body)
    assert list(request.headers) == head(server, body)


@pytest.mark.parametrize(
    ("use", "field_name"),
    [
        (lambda c: c.generate("a corgi", n=2), "n"),
        (lambda c: c.generate("a corgi", size="512x512"), "size"),
        (lambda c: c.generate("a corgi", response_format="url"), "response_format"),
        (lambda c: c.generate("a corgi", user="u"), "user"),
        (lambda c: c.edit(PNG, "a hat"), "provider"),
        (lambda c: c.vary(PNG), "provider"),
    ],
)
def test_what_the_responses_wire_would_lose_is_refused(use: Use, field_name: str, server: Server) -> None:
    """By name, before anything is sent."""
    with (
        Client("k", provider=responses(server)) as client,
        pytest.raises(dalle2.InvalidRequestError, match="/responses wire") as caught,
    ):
        use(client)
    assert caught.value.field == field_name
    assert server.requests == []


def test_several_images_become_several_calls_when_asked_for(server: Server) -> None:
    """`split_n`: each call of one image has a key of its own, derived from the call's."""
    server.answer = ANSWER
    with Client("k", provider=responses(server), split_n=True) as client:
        images = client.generate("a corgi", n=3, idempotency_key="order-1")
    assert len(images) == 3
    assert {request.body for request in server.requests} == {b'{"model":"dall-e-2","input":"a corgi"}'}
    keys = [request.header("Idempotency-Key") for request in server.requests]
    assert keys == ["order-1-1", "order-1-2", "order-1-3"]
    with (
        Client("k", provider=responses(server), split_n=True) as client,
        pytest.raises(dalle2.InvalidRequestError, match="idempotency_key"),
    ):
        client.generate("a corgi", n=3, idempotency_key="")


# --- a caller's own HTTP client -----------------------------------------------------------------------------


def test_a_callers_client_adds_its_own(server: Server) -> None:
    """Its headers, cookies and parameters join in; ours win where both speak."""
    with httpx.Client(
        headers={"X-Mine": "1", "User-Agent": "theirs"}, cookies={"c": "1"}, params={"p": "1"}
    ) as http:
        Client("sk-test", base_url=server.url, http_client=http).generate("a corgi")
        assert not http.is_closed
    (request,) = server.requests
    assert request.line == "POST /v1/images/generations?p=1 HTTP/1.1"
    assert (request.header("X-Mine"), request.header("Cookie")) == ("1", "c=1")
    assert request.header("User-Agent") == AGENT


def test_a_key_given_as_a_header_is_the_key_of_the_call(server: Server) -> None:
    """The error of a lost call must name the key that travelled; the argument wins over a header."""
    header = {"idempotency-KEY": "mine"}
    keys = [
        sent(server, lambda c: c.generate("a corgi", extra_headers=header)),
        sent(server, lambda c: c.generate("a corgi"), headers=header),
        sent(server, lambda c: c.generate("a corgi", extra_headers=header, idempotency_key="argument")),
    ]
    assert [request.header("Idempotency-Key") for request in keys] == ["mine", "mine", "argument"]


def test_what_the_extra_body_says_is_what_counts(server: Server) -> None:
    """Model and number are taken from what is sent: for the budget, for errors and for the price."""
    budget = dalle2.Budget(max_images=3)
    with Client("sk-test", base_url=server.url, budget=budget) as client:
        with pytest.raises(dalle2.BudgetExceededError):
            client.generate("a corgi", n=2, extra_body={"n": 10})
        images = client.generate("a corgi", extra_body={"model": "my-alias"})
    assert len(server.requests) == 1
    assert (images.model, images.cost, budget.spent_images) == ("my-alias", None, 1)
