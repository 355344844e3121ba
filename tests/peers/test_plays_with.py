"""Libraries that people have beside this one: each does what `docs/plays-with.md` says of it."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import cattrs
import hishel.httpx
import httpx
import numpy
import pytest
import sentry_sdk
import time_machine
import vcr
from celery import Celery
from fastapi import Body, Depends, FastAPI, UploadFile
from fastapi.exceptions import FastAPIError
from fastapi.testclient import TestClient
from kombu.serialization import dumps, loads
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from PIL import Image
from pydantic import BaseModel

import dalle2
from dalle2.testing import Emulator

PNG = dalle2.mask_from_box(256, (0, 0, 128, 128))
SECRET = "sk-test"
PROMPT = "a corgi astronaut at midnight"


@pytest.fixture
def emulator() -> Emulator:
    """An emulator in process."""
    return Emulator()


@pytest.fixture
def client(emulator: Emulator) -> Iterator[dalle2.Client]:
    """A client on it."""
    with emulator.client() as http, dalle2.Client(SECRET, http_client=http) as client:
        yield client


# HTTP: cassettes, caches, traces, reports


def test_vcrpy_replays_a_call_and_keeps_no_key(tmp_path: Path) -> None:
    """With its filter for headers; the second run needs no server, and the image is the same."""
    cassette = tmp_path / "corgi.yaml"
    recorder = vcr.VCR(filter_headers=["authorization"], match_on=["method", "path", "body"])
    with Emulator().serve() as server:
        with recorder.use_cassette(str(cassette)), dalle2.Client(SECRET, base_url=server.base_url) as client:
            first = client.generate(PROMPT, size="256x256", idempotency_key="key-1")[0].read()
        address = server.base_url
    assert SECRET not in cassette.read_text()
    with (
        recorder.use_cassette(str(cassette), record_mode=vcr.mode.NONE),
        dalle2.Client("sk-another", base_url=address) as client,
    ):
        assert client.generate(PROMPT, size="256x256", idempotency_key="key-1")[0].read() == first


def test_hishel_caches_no_paid_call(emulator: Emulator) -> None:
    """The same prompt twice is two calls and two bills."""
    with emulator.client() as inner:
        transport = hishel.httpx.CacheTransport(inner._transport)
        with httpx.Client(transport=transport) as http, dalle2.Client(SECRET, http_client=http) as client:
            client.generate(PROMPT)
            client.generate(PROMPT)
    assert len(emulator.billed) == 2


def test_opentelemetry_sees_each_request_and_no_secret(emulator: Emulator) -> None:
    """Its instrumentation of httpx: a span a request, without key, prompt and signature of the image."""
    spans = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    with emulator.client() as http:
        HTTPXClientInstrumentor.instrument_client(http, tracer_provider=provider)
        with dalle2.Client(SECRET, http_client=http) as client:
            client.generate(PROMPT)[0].read()
    finished = spans.get_finished_spans()
    assert [span.name for span in finished] == ["POST", "GET"]
    told = json.dumps([json.loads(span.to_json()) for span in finished])
    assert SECRET not in told
    assert PROMPT not in told


def test_a_report_of_sentry_holds_no_key_and_no_signature(emulator: Emulator) -> None:
    """Its event walks the locals of every frame, where the values of this package hide what is secret."""
    events: list[Any] = []
    sentry_sdk.init(
        dsn="http://public@127.0.0.1:9/1",
        before_send=lambda event, hint: events.append(event),
        default_integrations=False,
        include_local_variables=True,
    )
    url = "https://images.example/a.png?sig=abcdefgh&se=2099-01-01"
    try:
        emulator.fail_next(500)
        with emulator.client() as http, dalle2.Client(SECRET, http_client=http) as client:
            client.image(url)
            policy = dalle2.RetryPolicy.none()
            client.with_options(retry=policy).send(dalle2.GenerateRequest(prompt=PROMPT))
    except dalle2.InternalServerError as error:
        sentry_sdk.capture_exception(error)
    finally:
        sentry_sdk.get_client().close(timeout=0)
        sentry_sdk.init(default_integrations=False)
    (event,) = events
    ours = [
        frame
        for one in event["exception"]["values"]
        for frame in one["stacktrace"]["frames"]
        if frame["module"].startswith("dalle2.") and "testing" not in frame["module"]
    ]
    assert ours
    told = json.dumps(ours, default=str)
    assert SECRET not in told
    assert PROMPT not in told
    assert "abcdefgh" not in told


# Web frameworks


def test_fastapi_takes_a_request_and_gives_images(client: dalle2.Client) -> None:
    """A body that is a request, a response that is a result, and a client that comes from a function."""
    app = FastAPI()

    def our_client() -> dalle2.Client:
        """The one client of the application."""
        return client

    body, ours = Body(), Depends(our_client)

    @app.post("/draw", response_model=dalle2.Images)
    def draw(
        request: dalle2.GenerateRequest = body,
        client: dalle2.Client = ours,
    ) -> Any:
        """What the caller describes."""
        return client.send(request)

    @app.post("/vary")
    async def vary(upload: UploadFile, client: dalle2.Client = ours) -> dalle2.ImageResult:
        """What the caller sends."""
        with pytest.raises(dalle2.InvalidRequestError, match=r"await file\.read\(\)"):
            client.vary(upload)  # type: ignore[arg-type]
        return client.vary(await upload.read(), response_format="b64_json")[0]

    web = TestClient(app)
    answer = web.post("/draw", json={"prompt": PROMPT, "n": 2, "size": "256x256"}).json()
    assert len(answer["images"]) == 2
    refused = web.post("/draw", json={"prompt": PROMPT, "n": 0})
    assert refused.status_code == 422
    assert "n must be at least 1" in refused.text
    made = web.post("/vary", files={"upload": ("a.png", PNG)}).json()
    assert dalle2.ImageResult.from_dict(made).read() == base64.b64decode(made["b64_json"])
    assert web.get("/openapi.json").status_code == 200


def test_fastapi_refuses_the_class_as_a_dependency() -> None:
    """`Depends(dalle2.Client)` would let a visitor set the host that gets the key: it does not start."""
    app, ours = FastAPI(), Depends(dalle2.Client)
    with pytest.raises(FastAPIError):

        @app.get("/")
        def root(client: dalle2.Client = ours) -> str:
            """Wrong, and shown to be."""
            return repr(client)


def test_django_keeps_and_gives_files(client: dalle2.Client, tmp_path: Path) -> None:
    """A result becomes a file of a field, and a file of a field is an input."""
    from django.conf import settings

    settings.configure(MEDIA_ROOT=str(tmp_path))
    from django.core.files.base import ContentFile
    from django.core.files.storage import FileSystemStorage
    from django.core.files.uploadedfile import SimpleUploadedFile

    made = client.generate(PROMPT, size="256x256")[0]
    storage = FileSystemStorage(location=tmp_path)
    name = storage.save("corgi.png", ContentFile(made.read()))
    with storage.open(name) as file:
        assert dalle2.read_input(file).data == made.read()
    assert dalle2.read_input(SimpleUploadedFile("a.png", PNG)).data == PNG


# Values: structuring, checking, comparing, arrays


def test_cattrs_structures_and_unstructures_a_request() -> None:
    """By the hooks of two lines that the page shows; a price table and an adaptation need none."""
    converter = cattrs.Converter()
    for kind in (dalle2.GenerateRequest, dalle2.EditRequest, dalle2.VariationRequest):
        converter.register_structure_hook(kind, lambda data, kind: kind.from_dict(data))
        converter.register_unstructure_hook(kind, lambda value: value.to_dict())
    request = dalle2.EditRequest(image=dalle2.read_input(PNG), prompt=PROMPT)  # type: ignore[arg-type]
    assert converter.structure(converter.unstructure(request), dalle2.EditRequest) == request
    said = dalle2.Moderation(False, {"violence": False})
    plain = cattrs.Converter()
    assert plain.structure(plain.unstructure(said), dalle2.Moderation) == said


def test_pydantic_holds_a_request_and_a_result(client: dalle2.Client) -> None:
    """As fields of a model, from JSON and to JSON."""

    class Order(BaseModel):
        request: dalle2.GenerateRequest
        result: dalle2.ImageResult | None = None

    Order.model_rebuild(_types_namespace={"dalle2": dalle2})
    order = Order.model_validate_json(json.dumps({"request": {"prompt": PROMPT}}))
    order.result = client.send(order.request)[0]
    again = Order.model_validate_json(order.model_dump_json())
    assert (again.request, again.result) == (order.request, order.result)


def test_a_value_leaves_a_comparison_to_the_other_side(client: dalle2.Client) -> None:
    """`mock.ANY` and matchers decide themselves."""
    made = client.generate(PROMPT)
    for value in (made, made[0], made.request, client, dalle2.Moderation(False, {})):
        assert value == mock.ANY
        assert value == mock.ANY
    send = mock.Mock()
    send(made.request, idempotency_key="k")
    send.assert_called_once_with(mock.ANY, idempotency_key="k")


def test_an_array_is_told_to_become_a_picture(client: dalle2.Client) -> None:
    """And the way that it is told works."""
    array = numpy.asarray(Image.new("RGBA", (64, 64), "red"))
    with pytest.raises(dalle2.InvalidRequestError, match=r"PIL\.Image\.fromarray\(array\)"):
        client.vary(array)  # type: ignore[arg-type]
    assert len(client.vary(Image.fromarray(array))) == 1


# Time, processes, greenlets


def test_time_machine_makes_a_url_expire(client: dalle2.Client) -> None:
    """A result on a real clock follows the one that a test moves."""
    created = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
    with time_machine.travel(created, tick=False) as traveller:
        image = dalle2.Client(SECRET).image(
            "https://h.example/a.png?se=2026-06-01T13:00:00Z&sig=x", created=created
        )
        assert image.expires_in == 3600
        traveller.shift(timedelta(hours=2))
        assert image.is_expired


@pytest.mark.parametrize("form", ["json", "pickle"])
def test_celery_carries_requests_and_results(client: dalle2.Client, form: str) -> None:
    """As JSON by their plain form, pickled as they are; errors too."""
    made = client.generate(PROMPT, response_format="b64_json")
    values = [made.request, made[0]]
    if form == "pickle":
        content_type, encoding, body = dumps(values, serializer="pickle")
        assert loads(body, content_type, encoding, accept=[content_type]) == values
        return
    content_type, encoding, body = dumps([value.to_dict() for value in values], serializer="json")
    request, image = loads(body, content_type, encoding)
    assert dalle2.GenerateRequest.from_dict(request) == made.request
    assert dalle2.ImageResult.from_dict(image) == made[0]


def test_celery_runs_a_task_that_draws(client: dalle2.Client) -> None:
    """Eagerly, with an answer that is plain JSON."""
    app = Celery("drawing", broker="memory://", backend="cache+memory://")
    app.conf.task_always_eager = True

    @app.task
    def draw(request: dict[str, Any]) -> dict[str, object]:
        """What is described."""
        return client.send(dalle2.GenerateRequest.from_dict(request)).to_dict()

    answer = draw.delay({"prompt": PROMPT, "n": 2}).get()
    assert len(answer["images"]) == 2


def python(code: str, *more: str, folder: Path) -> str:
    """What a fresh interpreter says."""
    done = subprocess.run(
        [sys.executable, *more, *(["-c", code] if code else [])],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_gevent_draws_in_greenlets(tmp_path: Path) -> None:
    """Patched before anything else is imported, ten calls at once take their turns in one thread."""
    code = (
        "from gevent import monkey; monkey.patch_all()\n"
        "import gevent, dalle2\n"
        "from dalle2.testing import Emulator\n"
        "emulator = Emulator()\n"
        "with emulator.serve() as server, dalle2.Client('sk-test', base_url=server.base_url) as client:\n"
        "    jobs = [gevent.spawn(client.generate, 'a fox') for _ in range(10)]\n"
        "    gevent.joinall(jobs, timeout=60, raise_error=True)\n"
        "print(len(emulator.billed))"
    )
    assert python(code, folder=tmp_path) == "10\n"


def test_xdist_gives_each_worker_its_own_emulator(tmp_path: Path) -> None:
    """The fixture of the pytest plugin, in two processes at once."""
    (tmp_path / "test_mine.py").write_text(
        "import dalle2, pytest\n"
        "@pytest.mark.parametrize('number', range(8))\n"
        "def test_one(dalle2_emulator, number):\n"
        "    client = dalle2.Client('sk-test', http_client=dalle2_emulator.client())\n"
        "    client.generate('a fox')\n"
        "    assert len(dalle2_emulator.billed) == 1\n"
    )
    said = python("", "-m", "pytest", "-q", "-n", "2", "-p", "no:cacheprovider", folder=tmp_path)
    assert "8 passed" in said


PAGE = (Path(__file__).parents[2] / "docs" / "plays-with.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```py\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
NAMES = (
    "vcrpy hishel OpenTelemetry Sentry FastAPI Django cattrs pydantic numpy time-machine Celery gevent xdist"
)


@pytest.mark.parametrize("name", NAMES.split())
def test_the_page_names_what_is_tried_here(name: str) -> None:
    """Each library of these tests has its words there."""
    assert name in PAGE


@pytest.mark.parametrize("block", BLOCKS, ids=[str(number) for number in range(len(BLOCKS))])
def test_each_block_of_the_page_works(block: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In an empty directory, with a key in the environment."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    with Emulator().serve() as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        names: dict[str, Any] = {"__name__": "page"}
        exec(compile(block, "plays-with.md", "exec", dont_inherit=True), names)
        if "FastAPI" in names:
            with TestClient(names["app"]) as web:
                assert len(web.post("/draw", json={"prompt": PROMPT}).json()["images"]) == 1
                assert web.post("/vary", files={"upload": ("a.png", PNG)}).status_code == 200
        if "draw" in names and "Celery" in names:
            assert names["draw"]({"prompt": PROMPT})["images"]
