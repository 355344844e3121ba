"""Recorded answers of foreign hosts, driven through the real clients: each yes gives its images, each no its
error, blocking and awaited.

A file in `answers/` is a yes, one in `../bodies/` a no: a status line, headers, an empty line, the body.
"""

from __future__ import annotations

import base64
import json
import pickle
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import respx
from hypothesis import given
from hypothesis import strategies as st

import dalle2
from dalle2._calls._paid import decode_images
from dalle2._http import HttpResponse
from dalle2._image._data import ImagesData
from dalle2._requests._draft import Draft
from dalle2._secrets import Secret
from dalle2._wire._body import JsonBody
from dalle2._wire._context import Context

ANSWERS = Path(__file__).parent / "answers"
BODIES = Path(__file__).parents[1] / "bodies"
AT = datetime(2026, 11, 20, 12, tzinfo=UTC)
KEY = "sk-proj-Abcdefghijklmnop0123456789WXYZ"
BASE_URL = "https://api.example.com/v1"
ROUTE = BASE_URL + "/images/generations"
PNG = dalle2.mask_from_box(16, (0, 0, 8, 8))
PICTURE = "https://images.example.com/a/corgi.png"
OPEN = "https://files.example.com/f/8c1d2e"

HELD: dict[str, list[str | bytes]] = {
    "bare-list": [PICTURE, OPEN],
    "bare-objects": [OPEN, PNG],
    "bfl": [OPEN + "?se=1&sig=2"],
    "buffer": [PNG],
    "camel": [PNG],
    "chat-stream-unasked": [PICTURE],
    "cloudflare-ai": [PNG],
    "dashscope": [OPEN, PICTURE],
    "dashscope-chat": [OPEN],
    "error-beside": [OPEN],
    "fal": [OPEN],
    "gemini": [PNG],
    "home-server-path": ["https://api.example.com/v1/outputs/corgi.png"],
    "image-itself": [PNG],
    "kling": [OPEN],
    "localai-relative": ["https://api.example.com/generated-images/b64.png"],
    "midjourney-proxy": [OPEN],
    "minimax": [OPEN, PICTURE],
    "nested-code": [PNG],
    "numbered": [PICTURE, "https://images.example.com/a/second.png"],
    "openai-b64": [PNG],
    "openai-responses": [PNG],
    "openai-url": [PICTURE + "?se=2026-11-20T13%3A00%3A00Z&sig=abc%3D"],
    "openrouter-chat": [PNG],
    "plain-address": [PICTURE],
    "plain-base64": [PNG],
    "relay-chat-bare": [PICTURE],
    "relay-chat-markdown": [OPEN],
    "relay-chat-tag": [OPEN],
    "replicate": [OPEN],
    "stability-v1": [PNG],
    "stability-v2": [PNG],
    "stream-unasked": [PNG],
    "string-in-string": [PICTURE],
    "tencent": [PNG],
    "thumbnails": [OPEN],
    "uri-src": [PICTURE, "https://images.example.com/b.webp"],
    "vertex": [PNG],
    "volcengine-visual": [PNG],
    "webui": [PNG],
}


def answer_in(path: Path) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of a recorded answer."""
    head, _, content = path.read_bytes().partition(b"\n\n")
    status, *lines = head.decode().split("\n")
    return int(status.split()[1]), dict(line.split(": ", 1) for line in lines), content


CONTEXT = Context(
    "api.example.com",
    operation="generate",
    base_url=BASE_URL,
    key=Secret(KEY),
    model="dall-e-2",
    prompt="a corgi",
    request=Draft.generation(None, prompt="a corgi"),
    idempotency_key="k-1",
)


def decoded(content: bytes, step: int = 1021, status: int = 200, **headers: str) -> Any:
    """What a call makes of a body that comes in pieces."""
    body = JsonBody()
    for at in range(0, len(content), step):
        body.feed(content[at : at + step])
    return decode_images(HttpResponse(status, headers, body, AT), CONTEXT)


def held(images: Any) -> list[str | bytes]:
    """The address of each image, or its bytes."""
    return [image.url or image.content for image in images]


def test_every_recorded_yes_is_held_to_its_images() -> None:
    """No file in `answers/` is left out of the table."""
    assert {path.stem for path in ANSWERS.iterdir()} == set(HELD)


@pytest.mark.parametrize("name", sorted(HELD))
@pytest.mark.parametrize("step", [1, 7, 4099])
def test_a_foreign_shape_gives_its_images(name: str, step: int) -> None:
    """By what values are: whatever the envelope, the names and the pieces in which it comes."""
    status, headers, content = answer_in(ANSWERS / f"{name}.http")
    found = decoded(content, step, status, **headers)
    assert isinstance(found, ImagesData)
    assert held(found.images) == HELD[name]
    assert found.request_id == "req_yes"
    assert found.headers == headers


@pytest.mark.parametrize("name", sorted(HELD))
def test_a_client_gives_the_images_of_a_foreign_shape(name: str) -> None:
    """The whole way through the blocking client."""
    status, headers, content = answer_in(ANSWERS / f"{name}.http")
    with respx.mock as router:
        paid = router.post(ROUTE).respond(status, headers=headers, content=content)
        with dalle2.Client(KEY, base_url=BASE_URL, http_client=httpx.Client()) as client:
            images = client.generate("a corgi")
    assert held(image._data for image in images) == HELD[name]
    assert images.headers["x-request-id"] == "req_yes"
    assert paid.call_count == 1


@pytest.mark.parametrize("path", sorted(BODIES.glob("*.http")), ids=lambda path: path.stem)
def test_a_client_tells_each_recorded_no(path: Path) -> None:
    """An error of ours, raised once, that is whole after a pickle and holds neither key nor prompt."""
    status, headers, content = answer_in(path)
    with respx.mock as router:
        paid = router.post(ROUTE).respond(status, headers=headers, content=content)
        with (
            dalle2.Client(
                KEY, base_url=BASE_URL, http_client=httpx.Client(), retry=dalle2.RetryPolicy.none()
            ) as client,
            pytest.raises(dalle2.APIError) as caught,
        ):
            client.generate("a corgi")
    error = caught.value
    assert paid.call_count == 1
    assert KEY not in f"{error!r} {vars(error)}"
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), copy.args) == (type(error), error.args)
    if isinstance(error, dalle2.OutcomeUnknownError):
        assert error.body == content or not content
        assert copy.body == error.body


@pytest.mark.anyio
async def test_the_awaited_client_tells_and_gives_the_same() -> None:
    """Every recorded answer, on asyncio and trio."""
    async with dalle2.AsyncClient(
        KEY, base_url=BASE_URL, http_client=httpx.AsyncClient(), retry=dalle2.RetryPolicy.none()
    ) as client:
        for path in (*sorted(ANSWERS.glob("*.http")), *sorted(BODIES.glob("*.http"))):
            status, headers, content = answer_in(path)
            with respx.mock as router:
                router.post(ROUTE).respond(status, headers=headers, content=content)
                if path.stem in HELD:
                    images = await client.generate("a corgi")
                    assert held(image._data for image in images) == HELD[path.stem], path.stem
                else:
                    with pytest.raises(dalle2.APIError):
                        await client.generate("a corgi")


# What is no image is none


DOCS = "https://platform.openai.com/docs/guides/images"
NO_IMAGES: dict[str, object] = {
    "documentation": {"message": f"see {DOCS}", "url": DOCS},
    "documentation by its name": {"data": [], "documentation_url": PICTURE},
    "a page by its place": {"data": {"link": "https://example.com/help/abc"}},
    "a page": {"url": "https://example.com/gallery/index.html"},
    "the front page": {"image_url": "https://example.com/"},
    "a video": {"output": ["https://example.com/a.mp4"]},
    "a revised prompt": {"data": [{"revised_prompt": f"a poster of {PICTURE}"}]},
    "a thumbnail of the input": {"data": [], "input_thumbnail": PICTURE},
    "the input itself": {"input": {"image": PICTURE}, "status": "succeeded"},
    "the question repeated": {
        "messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": PICTURE}}]}]
    },
    "an input of a response": {"output": [{"type": "input_image", "image_url": PICTURE}]},
    "an avatar": {"user": {"avatar_url": PICTURE, "image": PICTURE}, "data": []},
    "ids like base64": {"data": ["img_AbCdEf0123456789AbCdEf0123456789", "aGVsbG8gd29ybGQgaGVsbG8gd29ybGQ="]},
    "a hash": {"data": [{"id": "a" * 64, "sha256": "b" * 64}]},
    "a page as base64": {"data": [{"b64_json": "PGh0bWw+YnVzeTwvaHRtbD4="}]},
    "a link in a refusal": {
        "choices": [
            {"message": {"role": "assistant", "content": "No. Read https://example.com/usage-policies"}}
        ]
    },
    "an address in a long text": {
        "choices": [{"message": {"role": "assistant", "content": "word " * 20 + OPEN + " and more"}}]
    },
    "addresses of the queue": {
        "status_url": OPEN,
        "response_url": OPEN,
        "cancel_url": OPEN,
        "request_id": "1",
    },
    "a callback": {"callback_url": PICTURE, "webhook": PICTURE},
    "numbers that are no bytes": {"data": [1, 2, 3, 300] * 20},
    "bytes that are no image": {"data": [1, 2, 3, 4] * 20},
    "an address that is none": {"image_url": "https://[broken"},
    "an error": {"error": {"message": "bad", "image_url": PICTURE}},
}


@pytest.mark.parametrize("name", NO_IMAGES)
def test_what_is_no_image_is_not_taken_for_one(name: str) -> None:
    """The error holds no image, and the bytes are kept where nothing told what they mean."""
    content = json.dumps(NO_IMAGES[name]).encode()
    with pytest.raises(dalle2.Dalle2Error) as caught:
        decoded(content)
    assert tuple(caught.value.images) == ()
    assert caught.value.maybe_billed
    if isinstance(caught.value, dalle2.DecodeError):
        assert caught.value.body == content


@pytest.mark.parametrize(
    "content",
    [
        f"<html><img src='{PICTURE}'></html>".encode(),
        f'<!DOCTYPE html><script>var x = {{"image": "{PICTURE}"}}</script>'.encode(),
        b"%PDF-1.4 https://images.example.com/a.png\x00\xff\xfe",
        b"upstream is busy",
        b"",
        PNG[:-20],
        b")]}'",
        b"data: {\n\n",
    ],
)
def test_a_body_that_is_no_answer_is_an_unknown_outcome(content: bytes) -> None:
    """A page, a text, half an image: no image is made of it, and it is kept as it came."""
    with pytest.raises(dalle2.OutcomeUnknownError) as caught:
        decoded(content)
    error = caught.value
    assert (error.reason, tuple(error.images), error.body) == ("unreadable", (), content or None)


@pytest.mark.parametrize(
    ("document", "kind", "words"),
    [
        ({"code": 1001, "message": "余额不足"}, dalle2.QuotaExceededError, "余额不足"),
        ({"success": False, "msg": "内容违规"}, dalle2.ContentPolicyError, "内容违规"),
        ({"base_resp": {"status_code": 1026, "status_msg": "sensitive"}}, dalle2.InternalServerError, "1026"),
        ({"candidates": [{"finishReason": "IMAGE_SAFETY"}]}, dalle2.ContentPolicyError, "IMAGE_SAFETY"),
        ({"choices": [{"message": {"refusal": "I cannot"}}]}, dalle2.ContentPolicyError, "I cannot"),
        ({"response": {"error": {"message": "broke"}}}, dalle2.InternalServerError, "broke"),
        ({"choices": [{"message": {"content": "Not today"}}]}, dalle2.DecodeError, "it said: Not today"),
        ({"code": "1001"}, dalle2.InternalServerError, "1001"),
        ({"success": False}, dalle2.DecodeError, "no list"),
        ({"response": {"created_at": 1}}, dalle2.DecodeError, "no list"),
    ],
)
def test_a_reason_in_a_yes_is_told(document: object, kind: type[dalle2.Dalle2Error], words: str) -> None:
    """Hosts that say no under 200 in their own envelopes, and models that answer in prose."""
    with pytest.raises(kind, match=words) as caught:
        decoded(json.dumps(document).encode())
    assert caught.value.maybe_billed


def test_an_error_keeps_the_images_that_came_with_it() -> None:
    """A status that says failed, beside an image: the reason is told, and the image is there."""
    with pytest.raises(dalle2.InternalServerError, match="one was blocked") as caught:
        decoded(json.dumps({"status": "failed", "error": "one was blocked", "images": [OPEN]}).encode())
    assert held(caught.value.images) == [OPEN]


def test_nine_of_ten_are_found_under_odd_names() -> None:
    """The list names ten items, nine hold an image: the tenth is named, the nine are kept."""
    items: list[object] = [{"picture": f"{OPEN}{number}"} for number in range(10)]
    items[3] = {"picture": None}
    with pytest.raises(dalle2.DecodeError, match="9 readable") as caught:
        decoded(json.dumps({"data": items}).encode())
    assert len(caught.value.images) == 9


def test_what_an_odd_answer_says_besides_is_kept() -> None:
    """In `extra`, without the texts that are the images."""
    document = {"created": 1724527201, "output": {"picture": OPEN, "seed": 7}, "id": "x"}
    found = decoded(json.dumps(document).encode())
    assert found.extra == {"output": {"seed": 7}, "id": "x"}
    assert found.images[0].extra == {"seed": 7}
    assert found.created == datetime(2024, 8, 24, 19, 20, 1, tzinfo=UTC)


def test_a_name_that_says_image_outweighs_a_path() -> None:
    """A store may keep its images under any path."""
    url = "https://files.example.com/account/status/8c1d2e"
    assert held(decoded(json.dumps({"image_url": url}).encode()).images) == [url]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("![](/files/a.png)", ["https://api.example.com/files/a.png"]),
        (f"![x](data:image/png;base64,{base64.b64encode(PNG).decode()})", [PNG]),
        (f"![x](data:image/png;base64:{base64.b64encode(PNG).decode()})", [PNG]),
    ],
)
def test_a_text_names_its_images_in_any_form(text: str, expected: list[str | bytes]) -> None:
    """A path on the host, a data URI, a bent one."""
    assert (
        held(decoded(json.dumps({"choices": [{"message": {"content": text}}]}).encode()).images) == expected
    )


@pytest.mark.parametrize("text", ["![](x)", "![](https://example.com/)", "![x](data:image/png;base64,AAAA)"])
def test_a_text_that_names_no_image_names_none(text: str) -> None:
    """A word, a front page, a data URI of three bytes."""
    with pytest.raises(dalle2.DecodeError):
        decoded(json.dumps({"choices": [{"message": {"content": text}}]}).encode())


def test_the_only_address_of_a_short_text_is_its_image() -> None:
    """Where nothing else holds one, and it is no page."""
    chat = {"choices": [{"message": {"role": "assistant", "content": f"Here you are: {OPEN}."}}]}
    assert held(decoded(json.dumps(chat).encode()).images) == [OPEN]


def test_an_error_beside_the_images_of_a_response_is_kept() -> None:
    """In `extra`: the call gave what it could."""
    call = {"type": "image_generation_call", "result": base64.b64encode(PNG).decode()}
    found = decoded(json.dumps({"output": [call], "error": {"message": "one of two"}}).encode())
    assert found.extra["error"] == {"message": "one of two"}


def test_events_that_are_no_objects_are_passed_over() -> None:
    """In a stream that nobody asked for, too."""
    stream = b"data: [1]\n\ndata: 7\n\ndata: {\n\ndata: " + json.dumps({"image": OPEN}).encode() + b"\n\n"
    assert held(decoded(stream).images) == [OPEN]


def test_an_odd_answer_to_a_call_without_a_key_is_read() -> None:
    """A home server needs none."""
    body = JsonBody()
    body.feed(ODD["NaN"])
    body.feed(b" ")
    found = decode_images(HttpResponse(200, {}, body, AT), CONTEXT._replace(key=Secret("")))
    assert isinstance(found, ImagesData)
    body = JsonBody()
    body.feed(ODD["a comma too many"])
    found = decode_images(HttpResponse(200, {}, body, AT), CONTEXT._replace(key=Secret("")))
    assert isinstance(found, ImagesData)
    assert held(found.images) == [OPEN]


def test_a_task_whose_image_is_there_needs_no_waiting() -> None:
    """And one that says that it is not finished is waited for, whatever it shows meanwhile."""
    from dalle2._wire._responses import Task

    assert held(decoded(json.dumps({"task_id": "t", "image_url": OPEN}).encode()).images) == [OPEN]
    assert decoded(json.dumps({"task_id": "t", "status": "queued", "image_url": OPEN}).encode()) == Task("t")
    assert decoded(json.dumps({"task_id": "t"}).encode()) == Task("t")


def test_a_202_may_hold_its_image_already() -> None:
    """And no task to wait for."""
    assert held(decoded(json.dumps({"image_url": OPEN}).encode(), status=202).images) == [OPEN]


@pytest.mark.parametrize(
    ("status", "content", "kind"),
    [
        (401, b'{"error": {"message": "bad key"}}', dalle2.AuthenticationError),
        (200, b'{"error": {"message": "broke"}}', dalle2.InternalServerError),
        (200, b"<html>", dalle2.OutcomeUnknownError),
        (503, b"<html>", dalle2.OutcomeUnknownError),
    ],
)
def test_a_free_call_tells_the_same_and_costs_nothing(
    status: int, content: bytes, kind: type[dalle2.APIError]
) -> None:
    """The list of models, with every kind of no."""
    with respx.mock as router:
        router.get(BASE_URL + "/models").respond(status, content=content)
        with (
            dalle2.Client(
                KEY, base_url=BASE_URL, http_client=httpx.Client(), retry=dalle2.RetryPolicy.none()
            ) as client,
            pytest.raises(kind) as caught,
        ):
            client.list_models()
    assert not caught.value.maybe_billed
    assert tuple(caught.value.images) == ()


# Damage


GOOD = b'"data": [{"url": "' + OPEN.encode() + b'"}]'
ODD = {
    "NaN": b'{"created": NaN, ' + GOOD + b"}",
    "a number of 5000 digits": b'{"created": ' + b"9" * 5000 + b", " + GOOD + b"}",
    "deep nesting": b'{"x": ' + b"[" * 300 + b"]" * 300 + b", " + GOOD + b"}",
    "nesting without end": b'{"x": ' + b"[" * 100_000 + b"]" * 100_000 + b", " + GOOD + b"}",
    "bytes that are no UTF-8": b'{"revised_prompt": "\xff\xfe", ' + GOOD + b"}",
    "control bytes in a text": b'{"revised_prompt": "a\x01\nb", ' + GOOD + b"}",
    "a comma too many": b"{" + GOOD + b",}",
    "an escape that is none": b'{"x": "\\q\\u12", ' + GOOD.replace(b"/", b"\\/") + b"}",
    "Python's way": ("{'created': None, 'data': [{'url': '" + OPEN + "'}]}").encode(),
    "two documents": b'{"status": "x"}\n{' + GOOD + b"}",
    "quotes that are not escaped": b'{"revised_prompt": "a "red" dog\'s", ' + GOOD + b"}",
    "protection from browsers": b")]}',\n{" + GOOD + b"}",
    "a mark before it": b"\xef\xbb\xbf {" + GOOD + b",}",
    "too many brackets": b"{" + GOOD + b"}]}",
}


@pytest.mark.parametrize("name", ODD)
def test_an_image_beside_odd_json_is_read(name: str) -> None:
    """The document is whole, so the call succeeds, whatever is wrong in some other text."""
    assert held(decoded(ODD[name]).images) == [OPEN]


def test_an_answer_of_ten_that_is_cut_gives_the_nine_whole_ones() -> None:
    """Wherever it is cut: each image whose text ended is kept, and no half of one."""
    items = [
        f'{{"b64_json": "{base64.b64encode(PNG).decode()}"}}',
        f'{{"url": "{OPEN}"}}',
    ]
    content = ('{"created": 1, "data": [' + ", ".join(items * 5) + "]}").encode()
    for cut in (1, 3, 20, 200, len(content) // 2, len(content) - 30):
        with pytest.raises(dalle2.OutcomeUnknownError) as caught:
            decoded(content[:-cut])
        kept = held(caught.value.images)
        whole = content[:-cut].count(b'="}') + content[:-cut].count(OPEN.encode() + b'"')
        assert abs(len(kept) - whole) <= 1
        assert set(kept) <= {PNG, OPEN}
        assert caught.value.body == content[:-cut]


def yes(name: str) -> bytes:
    """The body of a recorded yes."""
    return answer_in(ANSWERS / f"{name}.http")[2]


@given(
    st.sampled_from(sorted(set(HELD) - {"image-itself", "chat-stream-unasked"})),
    st.integers(0),
    st.binary(max_size=3),
    st.integers(0, 3),
    st.integers(1, 3000),
)
def test_no_change_makes_an_image_disappear(name: str, at: int, put: bytes, drop: int, step: int) -> None:
    """Cut, with bytes lost or put in: each image is among those that were read, or in the body."""
    content = yes(name)
    at %= len(content) + 1
    for changed in (content[:at], content[:at] + put + content[at + drop :]):
        try:
            found = decoded(changed, step)
            if not isinstance(found, ImagesData):  # a task, which gives its images when it is asked for
                continue
            images, body = found.images, b""
        except dalle2.Dalle2Error as error:
            images, body = tuple(error.images), getattr(error, "body", None) or b""
            if isinstance(error, (dalle2.DecodeError, dalle2.OutcomeUnknownError)):
                assert body == changed
                continue
            body = json.dumps(body).encode()
        told = b" ".join((one.encode() if isinstance(one, str) else one) for one in held(images))
        for image in HELD[name]:
            if isinstance(image, str) and image.encode() in changed:
                assert image.encode() in told or image.encode() in body or images


def test_the_key_is_nowhere_in_what_a_host_echoes() -> None:
    """Headers, texts, names and the body of an error; an address stays as it is, or it would be dead."""
    echo = {
        "data": [{"url": OPEN, "revised_prompt": f"by {KEY}", KEY: [KEY]}],
        "log": f"x {KEY}" + "é" * 5000,
    }
    found = decoded(json.dumps(echo).encode(), **{"x-request-id": f"req-{KEY}", "x-echo": f"Bearer {KEY}"})
    shown = f"{found.headers} {found.extra} {found.images[0].extra} {found.images[0].revised_prompt}"
    assert KEY not in shown + str(found.request_id)
    assert held(found.images) == [OPEN]
    for content in (
        json.dumps({"data": [KEY]}).encode(),
        f'{{"x": ["{KEY}"'.encode(),
        f"x {KEY[:20]}".encode(),
    ):
        with pytest.raises(dalle2.Dalle2Error) as caught:
            decoded(content)
        error: Any = caught.value
        assert KEY[:20].encode() not in error.body
        assert KEY[:20].encode() not in pickle.dumps(error)


def test_an_image_that_spells_the_key_stays_whole() -> None:
    """A short key of a home server may stand in base64, too."""
    encoded = base64.b64encode(PNG).decode()
    context = CONTEXT._replace(key=Secret(encoded[40:46]))
    body = JsonBody()
    body.feed(json.dumps({"data": [{"b64_json": encoded, "note": encoded[38:50]}]}).encode())
    found = decode_images(HttpResponse(200, {}, body, AT), context)
    assert isinstance(found, ImagesData)
    assert held(found.images) == [PNG]
    assert encoded[40:46] not in str(found.images[0].extra)


def test_a_document_within_a_text_is_read() -> None:
    """Some relays put JSON into a string of JSON, and some do so twice."""
    inner = json.dumps({"data": [{"b64_json": base64.b64encode(PNG).decode()}]})
    for text in (inner, json.dumps({"result": inner})):
        assert held(decoded(json.dumps({"output": text}).encode()).images) == [PNG]


def test_a_body_is_in_no_message() -> None:
    """Neither in `repr` nor in the message; it survives a pickle."""
    content = b'{"data": [{"secret_words": "zanzibar"}]}'
    with pytest.raises(dalle2.DecodeError) as caught:
        decoded(content)
    error = caught.value
    assert "zanzibar" not in f"{error!r} {error}"
    assert pickle.loads(pickle.dumps(error)).body == content


# Over a real connection


TEN = json.dumps({"data": [{"b64_json": base64.b64encode(PNG).decode()}] * 10}).encode()


def test_an_answer_that_breaks_off_keeps_what_came(host: Any) -> None:
    """Nine whole images and every byte, in an error that is never repeated by itself."""
    host.say([TEN[:1000], TEN[1000:-100]], cut=True)
    with dalle2.Client("sk-test", base_url=host.base_url) as client:
        with pytest.raises(dalle2.OutcomeUnknownError) as caught:
            client.generate("a corgi", n=10)
        assert [image.read() for image in client.images_of(caught.value)] == [PNG] * 9
    assert caught.value.body == TEN[:-100]
    assert len(host.asked) == 1


@pytest.mark.anyio
async def test_an_awaited_answer_that_breaks_off_keeps_what_came(host: Any) -> None:
    """The same on asyncio and trio."""
    host.say([TEN[:1000], TEN[1000:-100]], cut=True)
    async with dalle2.AsyncClient("sk-test", base_url=host.base_url) as client:
        with pytest.raises(dalle2.OutcomeUnknownError) as caught:
            await client.generate("a corgi", n=10)
        assert [await image.read() for image in client.images_of(caught.value)] == [PNG] * 9
    assert caught.value.body == TEN[:-100]


ENDLESS = [
    b'{"error": {"message": "slow down, retry after 7 seconds", "code": "rate_limit_exceeded"}} ',
    *[b" " * 65_536] * 40,
]


def test_an_endless_no_is_read_for_a_mebibyte(host: Any) -> None:
    """Its beginning tells what it means."""
    host.say(ENDLESS, status=429)
    policy = dalle2.RetryPolicy.none()
    with (
        dalle2.Client("sk-test", base_url=host.base_url, retry=policy) as client,
        pytest.raises(dalle2.RateLimitError, match="slow down") as caught,
    ):
        client.generate("a corgi")
    assert caught.value.retry_after == 7.0


@pytest.mark.anyio
async def test_an_awaited_endless_no_is_read_for_a_mebibyte(host: Any) -> None:
    """Cut in the middle of a text it is read as one."""
    host.say([b'{"error": {"message": "', *[b"too many " * 8192] * 40], status=429)
    policy = dalle2.RetryPolicy.none()
    async with dalle2.AsyncClient("sk-test", base_url=host.base_url, retry=policy) as client:
        with pytest.raises(dalle2.RateLimitError) as caught:
            await client.generate("a corgi")
    assert len(str(caught.value.body)) <= 8192


def test_a_text_that_only_begins_like_a_document_is_read_as_a_text() -> None:
    """A list or an object without an image in it hides no address that stands behind it."""
    from dalle2._wire._anywhere import find

    (found,) = find({"content": "[1] see https://h.example/a.png"}, "https://api.example.com/v1")
    assert found.item == {"url": "https://h.example/a.png"}
