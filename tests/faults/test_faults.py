"""The matrix: every fault, on every kind of client, for a paid call and for a download."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

import dalle2

from .catalogue import FAULTS, Fault
from .drive import FLAVOURS, STACKS, WITHOUT_EVENTS, expected, fetch, fetched, pay
from .server import IMAGE, Connection, FaultServer

ROOT = Path(__file__).parents[2]


def cases(faults: Iterable[Fault]) -> pytest.MarkDecorator:
    """A test of each of these faults."""
    ignored = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
    return pytest.mark.parametrize(
        "fault",
        [pytest.param(one, id=one.id, marks=[ignored] if one.untidy else []) for one in faults],
    )


every_fault = cases(FAULTS)
every_client = pytest.mark.parametrize("flavour", (*FLAVOURS, WITHOUT_EVENTS[0]))


@pytest.mark.parametrize("stack", STACKS)
@every_fault
def test_a_paid_call_ends_as_the_table_says(fault: Fault, stack: str) -> None:
    """A fault that never ends costs at most one bill and says truly whether there may be one."""
    came = pay(stack, fault)
    post = expected(stack, fault)
    assert (came.kind, came.tries, came.billed) == (post.error, post.tries, post.billed)
    assert came.reason == post.reason or (came.reason and stack in WITHOUT_EVENTS)
    assert came.billed <= 1
    assert came.maybe_billed == post.maybe_billed
    assert came.maybe_billed or came.billed == 0 or came.error is None
    assert len(came.keys) <= 1
    assert None not in came.keys


@every_client
@cases(one for one in FAULTS if one.place is None)
def test_a_fault_that_passes_is_survived_only_if_that_is_free(fault: Fault, flavour: str) -> None:
    """After one failed attempt the call is repeated if it was not carried out, and never otherwise."""
    came, told = pay(flavour, fault, once=True), expected(flavour, fault)
    safe = told.tries == 3 or (fault.large and not told.maybe_billed) or told.error == ""
    assert came.billed <= 1
    assert (came.error is None) == safe
    assert len(came.keys) <= 1


@every_client
@every_fault
def test_a_download_ends_as_the_table_says(fault: Fault, flavour: str, tmp_path: Path) -> None:
    """An image is there with its exact bytes, or an error says why and the folder is empty."""
    came, told = fetch(flavour, fault, tmp_path), fetched(flavour, fault)
    assert (came.kind, came.reason, came.tries) == (told.error, told.reason, told.tries)
    assert came.data == (IMAGE if came.error is None else None)
    assert not came.maybe_billed


@every_client
@cases(one for one in FAULTS if one.fetch.tries == 3 or (one.fetch.tries == 0 and one.place is None))
def test_a_download_survives_a_fault_that_passes(fault: Fault, flavour: str, tmp_path: Path) -> None:
    """Fetching is free, so what can pass is tried again, and the bytes are exact."""
    came = fetch(flavour, fault, tmp_path, once=True)
    passes = fetched(flavour, fault).tries != 1
    assert (came.error is None) == passes
    assert came.data == (IMAGE if passes else None)


def test_a_head_that_says_no_is_an_answer_though_its_body_is_cut() -> None:
    """Nothing was carried out, so nothing is in doubt; of a cut success, the request id is kept."""

    def refused(c: Connection) -> None:
        c.read()
        c.reply(401, b'{"error": {"message": "no"}}', headers={"x-request-id": "req_1"}, upto=9)
        c.close()

    def accepted(c: Connection) -> None:
        c.read()
        c.reply(headers={"x-request-id": "req_2"}, upto=9)
        c.close()

    with FaultServer() as server, dalle2.Client("sk-test", base_url=server.origin) as client:
        server.then(forever=refused)
        with pytest.raises(dalle2.AuthenticationError) as said:
            client.generate("a fox")
        server.then(forever=accepted)
        with pytest.raises(dalle2.OutcomeUnknownError) as lost:
            client.generate("a fox")
    assert (said.value.maybe_billed, said.value.request_id) == (False, "req_1")
    assert (lost.value.maybe_billed, lost.value.request_id, lost.value.status_code) == (True, "req_2", 200)


@pytest.mark.parametrize("status", [408, 500, 503])
def test_a_cut_answer_whose_words_would_decide_is_in_doubt(status: int) -> None:
    """A gateway's lost call and the API's own refusal have the same head: it is not sent again."""

    def cut(c: Connection) -> None:
        c.read()
        c.reply(status, b'{"error": {"type": "server_error"}}', upto=9)
        c.close()

    with FaultServer() as server, dalle2.Client("sk-test", base_url=server.origin) as client:
        server.then(forever=cut)
        with pytest.raises(dalle2.OutcomeUnknownError) as lost:
            client.generate("a fox")
        assert server.connections == 1
    assert (lost.value.maybe_billed, lost.value.status_code, lost.value.attempts) == (True, status, 1)


def test_headers_of_any_bytes_are_read() -> None:
    """UTF-8 where it is that, else Latin-1; of two lines with one name both values count."""

    def odd(c: Connection) -> None:
        c.read(bill=False)
        body = b'{"error": {"message": "No.", "type": "x", "code": null, "param": null}}'
        head = b"HTTP/1.1 400 Bad\r\nX-Latin: caf\xe9\r\nX-Utf: caf\xc3\xa9\r\nX-Two: a\r\nx-two: b\r\n"
        c.send(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)

    with FaultServer() as server, dalle2.Client("sk-test", base_url=server.origin) as client:
        server.then(forever=odd)
        with pytest.raises(dalle2.BadRequestError) as no:
            client.generate("a fox")
    found = {name: value for name, value in no.value.headers.items() if name.startswith("x-")}
    assert found == {"x-latin": "caf\xe9", "x-utf": "caf\xe9", "x-two": "a, b"}


def test_a_host_header_of_the_caller_is_the_only_one() -> None:
    """Who names the host means it: it is not said twice."""
    with FaultServer() as server, dalle2.Client("sk-test", base_url=server.origin) as client:
        client.generate("a fox", extra_headers={"host": "images.example"})
        assert server.requests[0].headers["host"] == "images.example"


def test_what_a_lost_call_asked_for_can_be_sent_again() -> None:
    """The error holds the request as its caller would write it: after a lost answer, and a gateway's page."""

    def drop(c: Connection) -> None:
        c.read()
        c.close()

    def gateway(c: Connection) -> None:
        c.read()
        c.reply(502, b"<html>bad gateway</html>", headers={"Content-Type": "text/html"})

    asked = dalle2.GenerateRequest(prompt="a fox", n=2, model="dall-e-2")
    for act in (drop, gateway):
        with FaultServer() as server, dalle2.Client("sk-test", base_url=server.origin) as client:
            server.then(act)
            with pytest.raises(dalle2.OutcomeUnknownError) as lost:
                client.generate("a fox", n=2)
            assert lost.value.request == asked
            assert isinstance(lost.value.request, dalle2.GenerateRequest)
            images = client.send(lost.value.request, idempotency_key=lost.value.idempotency_key)
            assert images.request == asked
            first, second = server.requests
            assert (first.body, first.headers["idempotency-key"]) == (
                second.body,
                second.headers["idempotency-key"],
            )
