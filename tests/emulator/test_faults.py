"""Failing on purpose: the next paid call, the next download, the next stream; in process."""

from __future__ import annotations

import httpx
import pytest

ENVELOPE = {"message", "type", "param", "code"}


def test_one_failure_and_then_normal_again(api):
    """A failure bills nothing and is used up."""
    api.emulator.fail_next(429, retry_after=1)
    failed = api.generate()
    assert (failed.status_code, failed.headers["retry-after"]) == (429, "1")
    assert failed.json()["error"]["code"] == "rate_limit_exceeded"
    assert failed.headers["x-request-id"].startswith("req_")
    assert api.emulator.billed == []
    assert api.generate().status_code == 200


def test_failures_happen_in_the_order_in_which_they_were_asked_for(api):
    """Different faults queue up; free calls do not use them."""
    api.emulator.fail_next(500, times=2)
    api.emulator.fail_next(503)
    api.emulator.lose_next()
    assert api.get("/models").status_code == 200
    assert [api.generate().status_code for _ in range(3)] == [500, 500, 503]
    with pytest.raises(httpx.RemoteProtocolError):
        api.generate()
    assert api.generate().status_code == 200
    assert len(api.emulator.billed) == 2


@pytest.mark.parametrize(
    ("status", "type_", "code", "words"),
    [
        (400, "invalid_request_error", None, "could not parse the JSON body"),
        (401, "invalid_request_error", "invalid_api_key", "Incorrect API key provided"),
        (403, "invalid_request_error", None, "must be verified"),
        (404, "invalid_request_error", "model_not_found", "does not exist or you do not have access"),
        (409, "invalid_request_error", None, "Conflict."),
        (429, "requests", "rate_limit_exceeded", "Rate limit reached for images per minute"),
        (499, "invalid_request_error", None, "Error."),
        (500, "server_error", "server_error", "An error occurred while processing your request."),
        (503, "service_unavailable_error", "server_is_overloaded", "overloaded"),
        (529, "server_error", "server_error", "An error occurred"),
    ],
)
def test_each_status_has_the_body_of_the_vendor(api, status, type_, code, words):
    """Without a body of the test's own, the vendor's body for the status comes."""
    api.emulator.fail_next(status)
    response = api.generate()
    error = response.json()["error"]
    assert response.status_code == status
    assert error.keys() == ENVELOPE
    assert (error["type"], error["code"]) == (type_, code)
    assert words in error["message"]
    assert "retry-after" not in response.headers


@pytest.mark.parametrize(
    ("status", "code", "type_", "words"),
    [
        (400, "content_policy_violation", "invalid_request_error", "safety system"),
        (400, "moderation_blocked", "image_generation_user_error", "safety_violations=[sexual]"),
        (400, "billing_hard_limit_reached", "invalid_request_error", "Billing hard limit"),
        (429, "insufficient_quota", "insufficient_quota", "exceeded your current quota"),
        (429, "credit_balance_exhausted", "insufficient_quota", "exceeded your current quota"),
        (429, "organization_spend_limit_exceeded", "insufficient_quota", "exceeded your current quota"),
        (429, "rate_limit_exceeded", "requests", "Rate limit reached"),
        (503, "slow_down", "service_unavailable_error", "Slow down."),
        (404, "model_not_found", "invalid_request_error", "does not exist"),
        (401, "invalid_api_key", "invalid_request_error", "Incorrect API key"),
        (500, "novel_trouble", "server_error", "An error occurred"),
        (502, "server_error", "server_error", "An error occurred"),
    ],
)
def test_a_code_chooses_the_body(api, status, code, type_, words):
    """`code` picks the vendor's body; an unknown one is put into that of the status."""
    api.emulator.fail_next(status, code=code)
    response = api.generate()
    error = response.json()["error"]
    assert (response.status_code, error["code"], error["type"]) == (status, code, type_)
    assert words in error["message"]


@pytest.mark.parametrize(("status", "name"), [(502, "origin_bad_gateway"), (504, "origin_gateway_timeout")])
def test_a_gateway_error_is_cloudflares_document(api, status, name):
    """502 and 504 carry the wait in the body and no `error` key."""
    api.emulator.fail_next(status)
    response = api.generate()
    body = response.json()
    assert response.status_code == body["status"] == status
    assert (body["error_name"], body["retry_after"], body["cloudflare_error"]) == (name, 60, True)
    assert "error" not in body


def test_a_timeout_at_the_gateway_is_a_web_page(api):
    """520 to 526 answer HTML."""
    api.emulator.fail_next(524)
    response = api.generate()
    assert (response.status_code, response.headers["content-type"]) == (524, "text/html; charset=UTF-8")
    assert "cf-error-details" in response.text


@pytest.mark.parametrize(
    ("body", "media_type", "content"),
    [
        ({"detail": "no"}, "application/json", b'{"detail": "no"}'),
        ([1], "application/json", b"[1]"),
        ("<html>502", "text/html; charset=UTF-8", b"<html>502"),
        (b' {"error": "x"}', "application/json", b' {"error": "x"}'),
        ("gone", "text/plain", b"gone"),
        (b"", "text/plain", b""),
    ],
)
def test_a_body_of_the_tests_own_is_sent_as_it_is(api, body, media_type, content):
    """`body` replaces the vendor's, and `headers` add to the rest."""
    api.emulator.fail_next(500, body=body, headers={"X-Should-Retry": "false"})
    response = api.generate()
    assert (response.headers["content-type"], response.content) == (media_type, content)
    assert response.headers["x-should-retry"] == "false"


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        (2, {"retry-after": "2"}),
        (0.25, {"retry-after": "1", "retry-after-ms": "250"}),
        ("Fri, 20 Nov 2026 21:00:00 GMT", {"retry-after": "Fri, 20 Nov 2026 21:00:00 GMT"}),
    ],
)
def test_the_wait_is_told_in_each_form(api, given, sent):
    """Whole seconds, parts of a second, or a date as it stands."""
    api.emulator.fail_next(429, retry_after=given)
    headers = api.generate().headers
    assert {name: value for name, value in headers.items() if name.startswith("retry-after")} == sent


def test_a_redirect_names_a_target_and_other_statuses_are_empty(api):
    """301 to 308 point elsewhere; any other status below 400 has an empty body."""
    api.emulator.fail_next(307)
    api.emulator.fail_next(204)
    api.emulator.fail_next(200, body={"created": 1, "data": []})
    moved, empty, hollow = api.generate(), api.generate(), api.generate()
    assert (moved.status_code, moved.headers["location"]) == (
        307,
        "https://moved.example/v1/images/generations",
    )
    assert (empty.status_code, empty.content) == (204, b"")
    assert hollow.json()["data"] == []
    assert api.emulator.billed == []


def test_a_lost_answer_is_billed(api):
    """The request was carried out; only the answer is gone."""
    api.emulator.lose_next()
    with pytest.raises(httpx.RemoteProtocolError, match="disconnected without sending a response"):
        api.generate(response_format="b64_json")
    assert len(api.emulator.billed) == 1


def test_a_refused_request_does_not_use_up_a_loss(api):
    """Only what is billed can be lost."""
    api.emulator.lose_next()
    assert api.generate(n=0).status_code == 400
    with pytest.raises(httpx.RemoteProtocolError):
        api.generate()


def test_an_answer_can_break_off(api):
    """With `after_bytes` the head and the beginning of the body arrive."""
    api.emulator.lose_next(after_bytes=10)
    with pytest.raises(httpx.RemoteProtocolError, match="without sending complete message body"):
        api.generate()
    assert len(api.emulator.billed) == 1


def test_an_answer_that_arrived_whole_is_not_lost(api):
    """A loss beyond the end of the body changes nothing but the connection."""
    api.emulator.lose_next(after_bytes=10**6)
    assert api.generate().status_code == 200


@pytest.mark.parametrize("after", [None, 10])
def test_an_answer_can_stay_away(api, after):
    """`cause="timeout"` is a read timeout, before or within the body."""
    api.emulator.lose_next(cause="timeout", after_bytes=after)
    with pytest.raises(httpx.ReadTimeout):
        api.generate()
    assert len(api.emulator.billed) == 1


def test_downloads_fail_on_their_own(api):
    """`on="image"` leaves paid calls alone, and paid faults leave downloads alone."""
    url = api.image_url()
    api.emulator.fail_next(503)
    api.emulator.fail_next(500, on="image", body="busy")
    api.emulator.lose_next(on="image", after_bytes=5)
    api.emulator.lose_next(on="image")
    assert api.download(url).text == "busy"
    assert api.download(url + "x").status_code == 403
    for _ in range(2):
        with pytest.raises(httpx.RemoteProtocolError):
            api.download(url)
    assert api.download(url).status_code == 200
    assert api.generate().status_code == 503


def test_a_misspelt_target_is_named(api):
    """`on` knows two words."""
    with pytest.raises(ValueError, match="on='images'"):
        api.emulator.fail_next(500, on="images")
