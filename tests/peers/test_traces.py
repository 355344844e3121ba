"""What `docs/logging.md` says of OpenTelemetry, run with its SDK: spans of requests, and what they meant."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import dalle2
from dalle2.testing import Emulator

PAGE = (Path(__file__).parents[2] / "docs" / "logging.md").read_text(encoding="utf-8")
REQUESTS, MEANING = re.findall(r"^```py\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
SPANS = InMemorySpanExporter()


@pytest.fixture(scope="module", autouse=True)
def provider() -> None:
    """The process's provider, which can be set once: spans are kept in memory."""
    told = TracerProvider()
    told.add_span_processor(SimpleSpanProcessor(SPANS))
    trace.set_tracer_provider(told)


@pytest.fixture
def emulator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    """A host that the environment names, and no spans."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    emulator = Emulator()
    SPANS.clear()
    with emulator.serve() as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        yield emulator


def run(block: str) -> dict[str, Any]:
    """Run a block of the page as it stands."""
    names: dict[str, Any] = {}
    exec(compile(block, "logging.md", "exec", dont_inherit=True), names)
    return names


def test_the_instrumentation_of_httpx_makes_a_span_of_each_request(emulator: Emulator) -> None:
    """A repeated call is two of them."""
    emulator.fail_next(503, code="server_error", retry_after=0.01)
    run(REQUESTS)
    assert [span.name for span in SPANS.get_finished_spans()] == ["POST", "POST"]


def test_events_tell_the_span_what_a_call_meant(emulator: Emulator) -> None:
    """Images, dollars and request id as attributes, what failed on the way as events of the span."""
    emulator.fail_next(429, retry_after=0.01)
    run(MEANING)
    (span,) = SPANS.get_finished_spans()
    assert span.name == "a corgi for the front page"
    assert span.attributes is not None
    assert span.attributes["images"] == 1
    assert span.attributes["usd"] == 0.016
    assert str(span.attributes["request_id"]).startswith("req_")
    assert [event.name for event in span.events] == ["AttemptFailed", "Waiting"]


def test_a_lost_call_is_an_event_of_its_span(emulator: Emulator) -> None:
    """It says that it may have been billed, and the span has the exception that goes on."""
    listen = run(MEANING)["to_span"]
    SPANS.clear()
    emulator.lose_next()
    with (
        pytest.raises(dalle2.OutcomeUnknownError),
        dalle2.Client(on_event=listen) as client,
        trace.get_tracer("tests").start_as_current_span("lost"),
    ):
        client.generate("a corgi")
    (span,) = SPANS.get_finished_spans()
    unknown, raised = span.events
    assert unknown.name == "OutcomeUnknown"
    assert unknown.attributes == {"error": "OutcomeUnknownError", "maybe_billed": True}
    assert raised.name == "exception"
