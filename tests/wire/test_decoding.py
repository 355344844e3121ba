"""What the answers that say yes hold: images in every form that hosts write, moderations, rows of models."""

from __future__ import annotations

import base64
import json
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dalle2 import errors as e
from dalle2._calls._attempts import Attempts
from dalle2._calls._envelope import Options, api_request
from dalle2._calls._outcome import Call
from dalle2._calls._paid import paid_call
from dalle2._calls._tasks import Polling
from dalle2._http import Failure, FilePart, HttpRequest, HttpResponse, Timeouts, TransportError
from dalle2._image._data import ImageData, ImagesData, declared_type, type_of_format
from dalle2._image._expiry import Expiry
from dalle2._image._media import ImageFacts
from dalle2._requests._draft import Draft
from dalle2._requests._inputs import InputImage
from dalle2._secrets import Secret
from dalle2._state import ClientState
from dalle2._wire._body import JsonBody
from dalle2._wire._context import Context
from dalle2._wire._forms import encode_form
from dalle2._wire._images import Unreadable, created_at, encode_json, read_images
from dalle2._wire._lists import Moderation, read_models, read_moderation
from dalle2.settings import Settings, resolve

PNG = b"\x89PNG\r\n\x1a\n" + bytes(50)
JPEG = b"\xff\xd8\xff\xe0" + bytes(range(256)) * 20
AT = datetime(2026, 11, 20, 12, tzinfo=UTC)
MADE = datetime(2024, 8, 24, 19, 20, 1, tzinfo=UTC)
URL = "https://images.example.com/a/img-1.png"
REQUEST = Draft.generation(None, prompt="a corgi")


def reading_of(base_url: str = "https://api.example.com/v1", *, openai_like: bool = False) -> Context:
    """What must be known to read an answer of that host."""
    return Context(
        "api.example.com",
        base_url=base_url,
        openai_like=openai_like,
        model="dall-e-2",
        prompt="a corgi",
        request=REQUEST,
    )


READING = reading_of()


def b64(data: bytes) -> str:
    """Base64 as text."""
    return base64.b64encode(data).decode()


def answer(document: object, **headers: str) -> HttpResponse:
    """A 200 with this document, read in odd chunks."""
    raw = document if isinstance(document, bytes) else json.dumps(document).encode()
    body = JsonBody()
    for at in range(0, len(raw), 1021):
        body.feed(raw[at : at + 1021])
    return HttpResponse(200, headers, body, AT)


def read(
    document: object, reading: Context = READING, **headers: str
) -> tuple[ImagesData, Unreadable | None]:
    """The images of an answer, and the first problem with it."""
    response = answer(document, **headers)
    return read_images(response.body.document(), response, reading)


def one(item: object, **fields: object) -> ImageData:
    """The image of an answer with one item."""
    data, problem = read({"created": 1724527201, "data": [item], **fields})
    assert problem is None
    return data.images[0]


@pytest.mark.parametrize(
    ("item", "url", "content"),
    [
        ({"url": URL}, URL, None),
        ({"url": f" {URL}\n"}, URL, None),
        ({"url": URL, "b64_json": None}, URL, None),
        ({"url": URL, "b64_json": ""}, URL, None),
        ({"url": URL, "b64_json": "None"}, URL, None),
        ({"url": URL, "b64_json": "?"}, URL, None),
        ({"url": URL, "b64_json": 5}, URL, None),
        ({"b64_json": URL}, URL, None),
        ({"url": "HTTPS://images.example.com/x"}, "HTTPS://images.example.com/x", None),
        ({"url": URL + "?x=" + "y" * 5000}, URL + "?x=" + "y" * 5000, None),
        ({"url": "/generated-images/a.png"}, "https://api.example.com/generated-images/a.png", None),
        ({"url": "//cdn.example.com/a.png"}, "https://cdn.example.com/a.png", None),
        (URL, URL, None),
        ({"b64_json": b64(PNG)}, None, PNG),
        ({"b64_json": b64(JPEG)}, None, JPEG),
        ({"b64_json": b64(PNG), "url": None}, None, PNG),
        ({"b64_json": b64(PNG), "url": "null"}, None, PNG),
        ({"b64_json": b64(PNG), "url": 7}, None, PNG),
        ({"b64_json": b64(PNG), "url": "//["}, None, PNG),
        ({"b64_json": b64(PNG), "url": URL}, URL, PNG),
        ({"b64_json": b64(PNG), "url": f"data:image/jpeg;base64,{b64(JPEG)}"}, None, PNG),
        ({"b64_json": "AAAA"}, None, bytes(3)),
        ({"url": f"data:image/png;base64,{b64(PNG)}"}, None, PNG),
        ({"url": f"data:image/jpeg;base64,{b64(JPEG)}"}, None, JPEG),
        ({"b64_json": f" data:image/jpeg;base64,{b64(JPEG)}"}, None, JPEG),
        ({"url": "data:,AAAA"}, None, bytes(3)),
        ({"url": b64(PNG)}, None, PNG),
        ({"url": b64(JPEG[:60])}, None, JPEG[:60]),  # its base64 begins with a slash, like a path
        ({"url": b64(JPEG)}, None, JPEG),
        ({"url": b64(bytes(200))}, None, bytes(200)),
        (b64(JPEG), None, JPEG),
        (b64(PNG), None, PNG),
    ],
)
def test_every_form_of_an_image_is_read(item: object, url: str | None, content: bytes | None) -> None:
    """A URL, base64 and a data URI look the same to the caller, under whichever name they come."""
    image = one(item)
    assert (image.url, image.content) == (url, content)
    assert (image.created, image.model, image.prompt) == (MADE, "dall-e-2", "a corgi")


@pytest.mark.parametrize(
    ("item", "path", "problem"),
    [
        (None, "data[0]", "it is null"),
        (5, "data[0]", "it is a number"),
        ([], "data[0]", "it is a list"),
        (True, "data[0]", "it is a boolean"),
        ({}, "data[0]", "neither a url nor a b64_json"),
        ({"url": None, "b64_json": ""}, "data[0]", "neither"),
        ({"url": {}}, "data[0].url", "it is an object, not a text"),
        ({"b64_json": 1}, "data[0].b64_json", "it is a number"),
        ({"url": "pending"}, "data[0].url", "neither a URL nor the base64"),
        ({"url": "success1"}, "data[0].url", "neither a URL nor the base64"),
        ({"url": "//["}, "data[0].url", "it is no URL"),
        ({"url": "data:image/png;base64,"}, "data[0].url", "neither"),
        ({"b64_json": "=="}, "data[0].b64_json", "neither"),
        ({"b64_json": "?" * 5000}, "data[0].b64_json", "neither"),
        ({"b64_json": "A" * 5001}, "data[0].b64_json", "neither"),
        ("?", "data[0].url", "neither"),
    ],
)
def test_an_unreadable_item_is_named(item: object, path: str, problem: str) -> None:
    """What is no image is a problem with its place."""
    data, found = read({"data": [item]})
    assert found is not None
    assert (found.path, data.images) == (path, ())
    assert problem in found.problem


@pytest.mark.parametrize(
    ("document", "path", "problem"),
    [
        ({}, "data", "there is no list of images"),
        ({"data": None}, "data", "there is no list of images"),
        ({"data": {"x": 1}}, "data", "there is no list of images"),
        ({"data": []}, "data", "the list of images is empty"),
        ({"data": None, "images": []}, "images", "the list of images is empty"),
        ({"images": [{}]}, "images[0]", "neither"),
        ([], "", "the answer is a list"),
        ("x", "", "the answer is a text"),
        ("x" * 5000, "", "the answer is a text"),
        (None, "", "the answer is null"),
    ],
)
def test_an_answer_without_images_is_named(document: object, path: str, problem: str) -> None:
    """An answer that holds no list of images says what it is instead."""
    data, found = read(document)
    assert found is not None
    assert (found.path, data.images) == (path, ())
    assert problem in found.problem


@pytest.mark.parametrize("name", ["data", "images"])
def test_the_list_may_have_another_name(name: str) -> None:
    """A host that says `images` is understood, beside an empty `data` too."""
    data, problem = read({"data": [], name: [{"url": URL}, {"b64_json": b64(PNG)}]})
    assert problem is None
    assert [image.url for image in data.images] == [URL, None]
    assert data.extra == {}


def test_one_image_needs_no_list() -> None:
    """A host that puts the one image where the list belongs is understood."""
    assert [
        read({"data": {name: value}})[0].images[0].url for name, value in [("url", URL), ("b64_json", URL)]
    ] == [
        URL,
        URL,
    ]


def test_a_bad_item_does_not_take_the_others_with_it() -> None:
    """Of ten images with one unreadable, nine are kept, and the first bad one is named."""
    items: list[object] = [{"b64_json": b64(PNG)}] * 10
    items[6] = {"b64_json": "not base64"}
    data, problem = read({"data": items})
    assert problem is not None
    assert problem.path == "data[6].b64_json"
    assert len(data.images) == 9


def test_unknown_keys_stay_reachable() -> None:
    """What this package does not know is kept, of the answer and of each image, long texts included."""
    long = "é" * 3000
    data, _ = read(
        {
            "data": [{"url": URL, "revised_prompt": long, "seed": 7, "note": long}],
            "background": "opaque",
            "log": [long],
            "usage": {"total_tokens": 3},
        },
        **{"x-request-id": "req_1"},
    )
    assert data.extra == {"background": "opaque", "log": [long]}
    assert data.images[0].extra == {"seed": 7, "note": long}
    assert data.images[0].revised_prompt == long
    assert (data.usage, data.request_id, data.request) == ({"total_tokens": 3}, "req_1", REQUEST)


@pytest.mark.parametrize(
    ("item", "output_format", "media_type"),
    [
        ({"url": "https://h/x"}, "WebP", "image/webp"),
        ({"url": URL}, None, "image/png"),
        ({"url": "https://h/x"}, 5, None),
        ({"url": "https://h/x"}, "tiff", None),
        ({"b64_json": b64(PNG)}, "jpeg", "image/png"),
        ({"b64_json": "AAAA"}, "jpeg", "image/jpeg"),
        ({"url": "data:image/AVIF;base64,AAAA"}, "png", "image/avif"),
        ({"url": "data:text/plain;base64,AAAA"}, "png", "image/png"),
    ],
)
def test_the_media_type_is_what_is_known(item: object, output_format: object, media_type: str | None) -> None:
    """The bytes say it, else the data URI, else the answer, else the URL."""
    assert one(item, output_format=output_format).media_type == media_type


@pytest.mark.parametrize(("revised", "expected"), [("a dog", "a dog"), ("", None), (None, None), (5, None)])
def test_a_revised_prompt_is_a_text_or_none(revised: object, expected: str | None) -> None:
    """Gateways write an empty one; that is none."""
    assert one({"url": URL, "revised_prompt": revised}).revised_prompt == expected


@pytest.mark.parametrize("value", [1724527201, 1724527201.0, "1724527201", " 1724527201.0 "])
def test_created_is_the_answers_word(value: object) -> None:
    """A number of seconds is taken in any spelling."""
    assert created_at(value, answer({})) == MADE


@pytest.mark.parametrize(
    "value",
    [None, True, 0, -5, "", "soon", "2024-08-24", "nan", "inf", 1e300, 10**400, 1724527201000, [], {"a": 1}],
)
def test_created_falls_back_to_the_date_and_then_to_now(value: object) -> None:
    """A missing or senseless time is the answer's `Date`, without one the local time."""
    date_header = {"date": "Sat, 24 Aug 2024 19:20:01 GMT"}
    assert created_at(value, answer({}, **date_header)) == MADE
    assert created_at(value, answer({}, date="yesterday")) == AT
    assert created_at(value, answer({})) == AT


def test_a_dall_e_url_of_openai_lives_one_hour() -> None:
    """Without a signature the documented hour counts, on a host that is OpenAI's or like it."""
    document = {"created": 1724527201, "data": [{"url": URL}]}
    images = read(document, reading_of(openai_like=True))[0].images
    assert images[0].expiry == Expiry(datetime(2024, 8, 24, 20, 20, 1, tzinfo=UTC), "created")
    assert one({"url": URL}).expiry == Expiry()


def settings_of(provider: str = "openai", base_url: str | None = None) -> Settings:
    """The settings of a client of that host."""
    return resolve({}, api_key="sk-test-0123456789", provider=provider, base_url=base_url)


def call_of(provider: str = "openai", base_url: str | None = None) -> Call[Any]:
    """A paid call whose result is the images of its answer as values."""
    return paid_call(
        settings_of(provider, base_url),
        ClientState(now=lambda: AT),
        Draft.generation(None, model="dall-e-2", prompt="a corgi astronaut"),
        Options(idempotency_key="k-1"),
    )


def read_by(call: Call[Any], response: HttpResponse) -> Any:
    """What a call makes of an answer."""
    return call.decode(response, call.context)


def test_readable_images_are_in_the_error() -> None:
    """After a paid call nothing readable is thrown away: the error has the nine good images."""
    items: list[object] = [{"url": f"{URL}?{index}"} for index in range(10)]
    items[3] = {"url": None}
    with pytest.raises(e.DecodeError, match=r"data\[3\]: there is neither .* 9 readable") as caught:
        read_by(call_of(), answer({"data": items}, **{"x-request-id": "req_1"}))
    error = caught.value
    assert (error.path, error.request_id, error.idempotency_key) == ("data[3]", "req_1", "k-1")
    assert error.maybe_billed
    assert len(error.images) == 9


@pytest.mark.parametrize("text", [b'{"data": []}', b"{}", b"[1]", b"null", b'{"data": [{"url": "soon"}]}'])
def test_a_complete_answer_without_images_is_a_decode_error(text: bytes) -> None:
    """JSON that is no image answer was most likely billed, and has no images to keep."""
    with pytest.raises(e.DecodeError) as caught:
        read_by(call_of(), answer(text))
    assert caught.value.maybe_billed
    assert caught.value.images == ()


words = st.one_of(
    st.sampled_from(
        [
            *(
                "http://",
                "https://[",
                "//[",
                "/",
                "data:",
                "data:image/png;base64,AAAA",
                "AAAA",
                URL,
                b64(PNG),
            ),
            *("image_generation_call", "message", "refusal", "completed", "failed", "queued", "x" * 5000),
            *(
                "A" * 5000,
                "é" * 3000,
                "nan",
                "![](x)",
                "data:image/png;base64," + "A" * 5000,
                "https://[x?se=1&sig=2",
            ),
        ]
    ),
    st.text(max_size=6),
)
leaves = st.one_of(st.none(), st.booleans(), st.integers(), st.just(10**400), st.floats(), words)
NAMES = """
    data images url b64_json created created_at error message msg code type param detail usage output id
    status task_id content text result results flagged categories category_scores revised_prompt
    output_format image_url refusal incomplete_details reason fail_reason shutdown_date owned_by model loc
    moderation_details innererror content_filter_results filtered cloudflare_error title retry_after
"""
names = st.one_of(st.sampled_from(NAMES.split()), st.text(max_size=3))
documents = st.recursive(
    leaves,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(names, inner, max_size=5)),
    max_leaves=20,
)


@given(documents, st.sampled_from(["openai", "cometapi", "cometapi-responses"]))
def test_no_json_raises_anything_but_this_packages_errors(document: object, provider: str) -> None:
    """Any JSON is images, a task, a `DecodeError` or an answer that says no."""
    call = call_of(provider)
    for _ in range(2):
        try:
            got = read_by(call, answer(document))
        except e.DecodeError as error:
            assert error.maybe_billed
            return
        except e.APIError as error:
            assert error.message.isprintable()
            return
        if isinstance(got, ImagesData):
            assert len(got.images) > 0
            assert all(image.url or image.content for image in got.images)
            return
        settings = settings_of(provider)
        call = Polling(settings, ClientState(), got, Attempts(call, None, ClientState())).call


@given(documents, st.integers(200, 599), st.one_of(st.just(""), words))
@example(None, 202, "https://[")
def test_no_error_body_raises_anything_else(document: object, status: int, header: str) -> None:
    """Any JSON under any status is one error of the tree, whatever the headers say."""
    raw = json.dumps(document).encode()
    response = answer(raw)
    response.status = status
    response.headers = {"retry-after": header, "location": header, "x-request-id": header}
    try:
        read_by(call_of(), response)
    except (e.APIError, e.DecodeError) as error:
        assert error.message.isprintable()
    else:
        assert status < 300


@given(documents)
def test_no_json_breaks_the_lists(document: object) -> None:
    """A moderation and a list of models are read, or `Unreadable`."""
    response = answer(document)
    value = response.body.document()
    for reader in (lambda: read_moderation(value, response), lambda: read_models(value)):
        try:
            reader()
        except Unreadable as unreadable:
            assert unreadable.problem


def moderation(document: object) -> Moderation:
    """The moderation in an answer."""
    response = answer(document, **{"x-request-id": "req_2"})
    return read_moderation(response.body.document(), response)


def test_a_moderation_is_read() -> None:
    """Categories are true or false, scores are numbers from 0 to 1, and what is neither is left out."""
    found = moderation(
        {
            "model": "omni-moderation-latest",
            "results": [
                {
                    "flagged": True,
                    "categories": {"violence": True, "hate": False, "sexual/minors": True, "odd": "yes"},
                    "category_scores": {"violence": 0.9, "hate": 0, "x": True, "y": None, "z": 10**400},
                }
            ],
        }
    )
    assert found.flagged_categories == ("sexual/minors", "violence")
    assert found.categories["odd"] is False
    assert found.scores == {"violence": 0.9, "hate": 0.0}
    assert (found.model, found.request_id) == ("omni-moderation-latest", "req_2")
    bare = moderation({"results": [{"flagged": False}]})
    assert (bare.flagged, bare.flagged_categories, bare.scores, bare.model) == (False, (), {}, None)


@pytest.mark.parametrize(
    "document", [{}, {"results": []}, {"results": [1]}, [], {"results": [{"flagged": 1}]}]
)
def test_what_is_no_moderation_is_refused(document: object) -> None:
    """A result that does not say true or false decides nothing."""
    with pytest.raises(Unreadable):
        moderation(document)


def test_a_model_list_is_read() -> None:
    """Rows keep what is unknown; a senseless date or time is none; rows without an id are passed over."""
    rows = read_models(
        {
            "data": [
                {
                    "id": "a",
                    "object": "model",
                    "created": 1724527201,
                    "owned_by": "openai",
                    "shutdown_date": "2026-05-12T00:00:00Z",
                    "x": 1,
                },
                {"id": "b", "created": True, "owned_by": 5, "shutdown_date": None},
                {"id": "c", "created": 10**30, "shutdown_date": "soon"},
                {"id": "d", "created": -1, "shutdown_date": 5},
                {"id": 5},
                "e",
            ]
        }
    )
    assert [row.id for row in rows] == ["a", "b", "c", "d"]
    first = rows[0]
    assert (first.created, first.owned_by, first.shutdown_date) == (MADE, "openai", date(2026, 5, 12))
    assert first.extra == {"x": 1}
    assert [row.dated for row in rows] == [True] * 4
    assert {(row.created, row.shutdown_date) for row in rows[1:]} == {(None, None)}
    assert not read_models([{"id": "bare"}])[0].dated
    for document in ({}, {"data": {}}, 5):
        with pytest.raises(Unreadable):
            read_models(document)


def test_a_json_body_is_compact_and_keeps_its_script() -> None:
    """Text stays text and nothing is padded."""
    raw = encode_json({"prompt": 'a "猫"', "n": 1, "stream": True, "x": {"y": [None]}})
    assert raw == '{"prompt":"a \\"猫\\"","n":1,"stream":true,"x":{"y":[null]}}'.encode()


@pytest.mark.parametrize("value", [float("nan"), b"x", {1, 2}, "\ud800", {"a": object()}])
def test_what_is_no_json_is_refused_by_name(value: object) -> None:
    """A value that cannot travel is refused before anything is sent, in a form as well."""
    with pytest.raises(e.InvalidRequestError, match="seed cannot be sent") as caught:
        encode_json({"prompt": "p", "seed": value})
    assert caught.value.field == "seed"
    with pytest.raises(e.InvalidRequestError, match="seed cannot be sent"):
        encode_form({"seed": value}, [], None)
    if isinstance(value, str):
        with pytest.raises(e.InvalidRequestError, match="extra_body cannot be sent"):
            encode_json({value: 1})


def test_a_form_names_its_files_as_hosts_want_them() -> None:
    """One image is `image`, several are `image[]`, the mask comes last; other values are JSON."""
    facts = ImageFacts("image/png", 1, 1, True)
    image, mask = InputImage(PNG, facts), InputImage(PNG, facts, "mask")
    form = encode_form({"prompt": "p", "n": 2, "flag": True, "more": {"é": 1}}, [image], mask)
    assert form.fields == (("prompt", "p"), ("n", "2"), ("flag", "true"), ("more", '{"é":1}'))
    assert [(part.name, part.filename, part.content_type) for part in form.files] == [
        ("image", "image.png", "image/png"),
        ("mask", "mask.png", "image/png"),
    ]
    assert [part.name for part in encode_form({}, [image, image], None).files] == ["image[]", "image[]"]


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("https://h/a.PNG?x=1", "image/png"),
        ("https://h/a.jpeg#top", "image/jpeg"),
        ("https://h.webp/a", None),
        ("https://h/a?sp=r&rsct=image%2Fwebp", "image/webp"),
        ("https://h/a.png?rsct=text/html", "image/png"),
        ("https://h/a.gif?RSCT=image/jpeg", "image/jpeg"),
    ],
)
def test_a_url_may_tell_its_type(url: str, kind: str | None) -> None:
    """The type that a signed URL forces counts before the suffix of its path."""
    assert declared_type(url) == kind


def test_an_output_format_is_a_media_type() -> None:
    """Only known formats are types."""
    assert [type_of_format(name) for name in ("png", "JPEG", "x", None)] == [
        "image/png",
        "image/jpeg",
        None,
        None,
    ]


images = st.builds(
    ImageData,
    created=st.integers(0, 4_000_000_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC)),
    url=st.just(URL),
    content=st.one_of(st.none(), st.binary(max_size=9), st.just(PNG)),
    revised_prompt=st.one_of(st.none(), st.text(max_size=5)),
    prompt=st.one_of(st.none(), st.text(max_size=5)),
    model=st.one_of(st.none(), st.just("dall-e-2")),
    declared_type=st.sampled_from([None, "image/png", "image/webp"]),
    expiry=st.sampled_from([Expiry(), Expiry(MADE, "created"), Expiry(MADE, "signature")]),
    extra=st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)


@given(images)
def test_an_image_survives_as_json(image: ImageData) -> None:
    """`from_dict` makes the same image of what `to_dict` gave, through JSON."""
    back = ImageData.from_dict(json.loads(json.dumps(image.to_dict())))
    assert back == image
    assert back.media_type == image.media_type


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"created": None}, "'created'"),
        ({"created": True}, "'created'"),
        ({"created": float("nan")}, "'created'"),
        ({"created": 1e300}, "'created'"),
        ({"url": 5}, "'url'"),
        ({"url": None}, "'url' or 'b64_json'"),
        ({"b64_json": "?"}, "'b64_json'"),
        ({"b64_json": "é"}, "'b64_json'"),
        ({"expires_at": "soon"}, "'expires_at'"),
        ({"expires_at": "0001-01-01T00:00:00+14:00"}, "'expires_at'"),
    ],
)
def test_a_wrong_key_of_a_kept_image_is_named(wrong: dict[str, object], named: str) -> None:
    """What `to_dict` never gives is a `ValueError` with the name of the key."""
    with pytest.raises(ValueError, match=named):
        ImageData.from_dict({"created": 1, "url": URL} | wrong)


def test_a_kept_image_may_lack_the_rest() -> None:
    """A time and a URL are enough; what is of the wrong kind beside them is left out."""
    image = ImageData.from_dict({"created": 1.5, "url": URL, "extra": [], "expiry_source": "created"})
    assert (image.expiry, image.extra) == (Expiry(), {})


def test_an_image_known_by_its_url_alone() -> None:
    """A URL kept elsewhere tells its type, and with its model when it dies."""
    assert ImageData.of_url(URL, created=MADE).expiry == Expiry()
    image = ImageData.of_url(URL, created=MADE, model="dall-e-2")
    assert (image.declared_type, image.expiry.source) == ("image/png", "created")
    assert image.holding(PNG).content == PNG
    assert repr(image.holding(PNG)).count("bytes") == 1
    assert "None" in repr(image)
    assert image.to_dict() == {
        "created": MADE.timestamp(),
        "url": URL,
        "b64_json": None,
        "revised_prompt": None,
        "prompt": None,
        "model": "dall-e-2",
        "media_type": "image/png",
        "expires_at": "2024-08-24T20:20:01+00:00",
        "expiry_source": "created",
        "extra": {},
    }


def test_a_secret_never_shows_itself() -> None:
    """Neither `repr` nor a pickle has it; equality and hash work as for texts."""
    secret = Secret("sk-abc")
    assert "sk-abc" not in repr(HttpRequest("POST", URL, (("Authorization", secret),)))
    assert secret == Secret("sk-abc")
    assert secret != Secret("other")
    assert secret != "sk-abc"
    assert len({secret, Secret("sk-abc")}) == 1
    assert secret.reveal() == "sk-abc"
    with pytest.raises(TypeError, match="never pickled"):
        secret.__reduce__()


def test_a_request_shows_the_size_of_its_body_only() -> None:
    """No body is in a `repr`."""
    assert "<3 bytes>" in repr(HttpRequest("POST", URL, content=b"abc"))
    assert "<0 bytes>" in repr(HttpRequest("GET", URL))
    assert "<3 bytes>" in repr(FilePart("image", "image.png", "image/png", b"abc"))


@pytest.mark.parametrize(
    ("remaining", "expected"),
    [
        (None, (10.0, None, 5.0, 1.0, None)),
        (7.0, (7.0, 7.0, 5.0, 1.0, 7.0)),
        (-1.0, (0.001, 0.001, 0.001, 0.001, 0.001)),
    ],
)
def test_no_phase_lasts_longer_than_the_deadline(
    remaining: float | None, expected: tuple[float | None, ...]
) -> None:
    """Limits shrink to what is left, "no limit" becomes one, and all of them together have it too."""
    assert Timeouts(10.0, None, 5.0, 1.0).within(remaining) == expected


def test_a_transport_error_carries_its_failure() -> None:
    """The failure and its text travel together."""
    failure = Failure("timeout", True, "no answer")
    error = TransportError(failure)
    assert (error.failure, str(error)) == (failure, "no answer")


@pytest.mark.parametrize(
    ("base_url", "sound"),
    [("https://api.example.com/v1", True), ("http://127.0.0.1:1/v1", True), ("http://10.0.0.7/v1", False)],
)
def test_an_answer_vouches_for_its_images_as_far_as_its_way_does(base_url: str, sound: bool) -> None:
    """Over TLS or within this machine no bit changes; plain http from another one is not trusted so far."""
    document = {"data": [{"b64_json": base64.b64encode(PNG * 3).decode()}, {"url": URL}]}
    held, named = read_images(document, answer(document), reading_of(base_url))[0].images
    assert (held.sound, named.sound) == (sound, False)


def test_an_output_comes_before_the_data_beside_it() -> None:
    """What a `/responses` wire says in its own words counts, even where a relay adds an Images list."""
    output = [{"type": "image_generation_call", "result": base64.b64encode(PNG * 3).decode()}]
    found: Any = read_by(call_of(), answer({"data": [{"url": URL}], "output": output}))
    assert [image.url for image in found.images] == [None]


@pytest.mark.parametrize("odd", [[], 0, ""])
def test_extra_headers_that_are_no_mapping_are_refused_empty_or_not(odd: Any) -> None:
    """Bad input is told of before anything is sent."""
    with pytest.raises(e.InvalidRequestError, match="extra_headers"):
        api_request(resolve({}, api_key="sk-test-0123456789"), "generate", b"{}", extra=odd)
