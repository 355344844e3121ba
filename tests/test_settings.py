"""Who is called, with which key and how: decided once, from arguments and environment."""

from __future__ import annotations

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

import dalle2
from dalle2 import AsyncClient, Client, ConfigurationError, Provider, RetryPolicy, providers, settings
from dalle2._http import Timeouts
from dalle2._texts import Environment
from dalle2.testing import Emulator

OPENAI = "https://api.openai.com/v1"
COMET = "https://api.cometapi.com/v1"
HOST = "https://images.example.com/v1"
BOTH = {"OPENAI_API_KEY": "sk-openai", "COMETAPI_KEY": "sk-comet"}
AZURE = Provider.azure("https://r.openai.azure.com/", deployment="paint", api_version="2024-02-01")

# environment, arguments, and then: provider, base URL, key, where the key is from
CHOICES: list[tuple[dict[str, str], dict[str, object], tuple[str, str, str, str]]] = [
    # nothing but keys
    ({"OPENAI_API_KEY": "sk-o"}, {}, ("openai", OPENAI, "sk-o", "OPENAI_API_KEY")),
    ({"COMETAPI_KEY": "sk-c"}, {}, ("cometapi", COMET, "sk-c", "COMETAPI_KEY")),
    ({"COMETAPI_API_KEY": "sk-c"}, {}, ("cometapi", COMET, "sk-c", "COMETAPI_API_KEY")),
    (
        {"COMETAPI_KEY": "sk-1", "COMETAPI_API_KEY": "sk-2"},
        {},
        ("cometapi", COMET, "sk-1", "COMETAPI_KEY"),
    ),
    (BOTH, {}, ("openai", OPENAI, "sk-openai", "OPENAI_API_KEY")),
    (BOTH | {"OPENAI_API_KEY": " \n"}, {}, ("cometapi", COMET, "sk-comet", "COMETAPI_KEY")),
    ({"COMETAPI_KEY": "", "COMETAPI_API_KEY": "k"}, {}, ("cometapi", COMET, "k", "COMETAPI_API_KEY")),
    ({}, {"api_key": "sk-mine"}, ("openai", OPENAI, "sk-mine", "api_key")),
    ({"OPENAI_API_KEY": "sk-o"}, {"api_key": "sk-mine"}, ("openai", OPENAI, "sk-mine", "api_key")),
    ({"COMETAPI_KEY": "sk-c"}, {"api_key": "sk-mine"}, ("cometapi", COMET, "sk-mine", "api_key")),
    # provider= wins over everything, and reads only its own variables
    (BOTH, {"provider": "cometapi"}, ("cometapi", COMET, "sk-comet", "COMETAPI_KEY")),
    (BOTH, {"provider": "cometapi-responses"}, ("cometapi-responses", COMET, "sk-comet", "COMETAPI_KEY")),
    (BOTH, {"provider": "openai"}, ("openai", OPENAI, "sk-openai", "OPENAI_API_KEY")),
    (
        BOTH | {"DALLE2_PROVIDER": "openai"},
        {"provider": "cometapi"},
        ("cometapi", COMET, "sk-comet", "COMETAPI_KEY"),
    ),
    (
        BOTH | {"OPENAI_BASE_URL": "https://wrong.example.com"},
        {"provider": "cometapi"},
        ("cometapi", COMET, "sk-comet", "COMETAPI_KEY"),
    ),
    (
        {"AZURE_OPENAI_API_KEY": "az"} | BOTH,
        {"provider": AZURE},
        ("azure", str(AZURE.base_url), "az", "AZURE_OPENAI_API_KEY"),
    ),
    (
        BOTH,
        {"provider": Provider.custom(HOST, name="mine")},
        ("mine", HOST, "sk-openai", "OPENAI_API_KEY"),
    ),
    (
        BOTH | {"LITELLM_API_KEY": "sk-l"},
        {"provider": Provider.litellm("http://127.0.0.1:4000")},
        ("litellm", "http://127.0.0.1:4000/v1", "sk-l", "LITELLM_API_KEY"),
    ),
    (
        BOTH,
        {"provider": Provider.localai("http://127.0.0.1:8080")},
        ("localai", "http://127.0.0.1:8080/v1", "sk-openai", "OPENAI_API_KEY"),
    ),
    # then DALLE2_PROVIDER
    (BOTH | {"DALLE2_PROVIDER": "cometapi"}, {}, ("cometapi", COMET, "sk-comet", "COMETAPI_KEY")),
    (BOTH | {"DALLE2_PROVIDER": " cometapi\n"}, {}, ("cometapi", COMET, "sk-comet", "COMETAPI_KEY")),
    (BOTH | {"DALLE2_PROVIDER": " "}, {}, ("openai", OPENAI, "sk-openai", "OPENAI_API_KEY")),
    (
        BOTH | {"DALLE2_PROVIDER": "cometapi"},
        {"base_url": HOST},
        ("cometapi", HOST, "sk-comet", "COMETAPI_KEY"),
    ),
    # then base_url=, a custom host with OpenAI's variable
    (BOTH, {"base_url": HOST}, ("custom", HOST, "sk-openai", "OPENAI_API_KEY")),
    ({}, {"base_url": HOST, "api_key": "k"}, ("custom", HOST, "k", "api_key")),
    (
        BOTH | {"OPENAI_BASE_URL": "https://wrong.example.com"},
        {"base_url": HOST},
        ("custom", HOST, "sk-openai", "OPENAI_API_KEY"),
    ),
    # base_url beside a named provider replaces only its URL
    (BOTH, {"provider": "openai", "base_url": HOST}, ("openai", HOST, "sk-openai", "OPENAI_API_KEY")),
    (BOTH, {"provider": "cometapi", "base_url": HOST}, ("cometapi", HOST, "sk-comet", "COMETAPI_KEY")),
    (
        {},
        {"provider": "emulator", "base_url": "http://127.0.0.1:9"},
        ("emulator", "http://127.0.0.1:9/v1", "sk-test", "default"),
    ),
    # the URL variables
    (
        BOTH | {"OPENAI_BASE_URL": HOST + "/"},
        {},
        ("openai", HOST, "sk-openai", "OPENAI_API_KEY"),
    ),
    (BOTH | {"OPENAI_BASE_URL": " "}, {}, ("openai", OPENAI, "sk-openai", "OPENAI_API_KEY")),
    (
        {"COMETAPI_KEY": "k", "COMETAPI_BASE_URL": HOST, "OPENAI_BASE_URL": OPENAI},
        {},
        ("cometapi", HOST, "k", "COMETAPI_KEY"),
    ),
    # stray white space around a key: line breaks, a byte order mark, what copying from a page brings
    ({"OPENAI_API_KEY": "\ufeffsk-o\r\n"}, {}, ("openai", OPENAI, "sk-o", "OPENAI_API_KEY")),
    ({}, {"api_key": "\u200b sk-mine\u00a0\n\t"}, ("openai", OPENAI, "sk-mine", "api_key")),
]


@pytest.mark.parametrize(("environ", "arguments", "expected"), CHOICES)
def test_which_provider_and_which_key(
    environ: dict[str, str],
    arguments: dict[str, str],
    expected: tuple[str, str, str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The order is `provider=`, `DALLE2_PROVIDER`, `base_url=`, OpenAI's key, CometAPI's: in both."""
    name, url, _, key_from = expected
    found = settings.resolve(environ, **arguments)  # type: ignore[arg-type]
    assert (found.provider.name, found.base_url, found.key.reveal(), found.key_from) == expected
    for variable, value in environ.items():
        monkeypatch.setenv(variable, value)
    for client in (Client(**arguments), AsyncClient(**arguments)):  # type: ignore[arg-type]
        kind = type(client).__name__
        assert repr(client) == f"<{kind} {name} at {url}, model dall-e-2, key from {key_from}>"


def wrong(name: str, value: object, words: str) -> tuple[dict[str, str], dict[str, object], list[str]]:
    """A row of the table below: one wrong argument beside a good key."""
    return {"OPENAI_API_KEY": "k"}, {name: value}, [words]


REFUSED: list[tuple[dict[str, str], dict[str, object], list[str]]] = [
    # no key: the variables are named
    ({}, {}, ["openai", "OPENAI_API_KEY", "COMETAPI_KEY", "provider='emulator'"]),
    ({"OPENAI_API_KEY": "\n "}, {}, ["OPENAI_API_KEY"]),
    ({"OPENAI_API_KEY": "sk-o"}, {"provider": "cometapi"}, ["COMETAPI_KEY or COMETAPI_API_KEY"]),
    ({"COMETAPI_KEY": "sk-c"}, {"provider": "openai"}, ["OPENAI_API_KEY"]),
    ({"COMETAPI_KEY": "sk-c"}, {"base_url": HOST}, ["custom", "OPENAI_API_KEY"]),
    ({"OPENAI_API_KEY": "sk-o"}, {"provider": AZURE}, ["azure", "AZURE_OPENAI_API_KEY"]),
    # a blank explicit argument is a mistake, not a wish to read the environment
    ({"OPENAI_API_KEY": "sk-o"}, {"api_key": ""}, ["api_key is blank"]),
    ({"OPENAI_API_KEY": "sk-o"}, {"api_key": " \ufeff\n"}, ["api_key is blank"]),
    ({"OPENAI_API_KEY": "sk-o"}, {"base_url": ""}, ["base_url must be an http or https URL"]),
    ({"OPENAI_API_KEY": "sk-o"}, {"provider": "openai", "base_url": " "}, ["base_url"]),
    ({"OPENAI_API_KEY": "sk-o"}, {"model": ""}, ["model must be a name"]),
    ({"OPENAI_API_KEY": "sk-o"}, {"organization": " "}, ["organization"]),
    ({"OPENAI_API_KEY": "sk-o"}, {"project": ""}, ["project"]),
    ({"OPENAI_API_KEY": "sk-o"}, {"successor": ""}, ["successor"]),
    # an unknown provider: the known are named
    ({}, {"provider": "dalle"}, ["provider is 'dalle'", "openai, cometapi, cometapi-responses, emulator"]),
    ({}, {"provider": ""}, ["provider is ''"]),
    ({}, {"provider": 3}, ["provider is 3"]),
    ({"DALLE2_PROVIDER": "dalle"}, {"api_key": "k"}, ["DALLE2_PROVIDER is 'dalle'"]),
    # the wrong kind of value
    ({}, {"api_key": b"sk-1"}, ["api_key must be a text or a function", "bytes"]),
    ({"OPENAI_API_KEY": "k"}, {"base_url": 3}, ["base_url must be a text; it is int"]),
    ({"OPENAI_API_KEY": "k"}, {"model": 3}, ["model", "3"]),
    ({"OPENAI_API_KEY": "k"}, {"retry": 3}, ["retry must be a RetryPolicy", "3"]),
    ({"OPENAI_API_KEY": "k"}, {"moderate": "after"}, ["moderate must be None or 'before'", "'after'"]),
    ({"OPENAI_API_KEY": "k"}, {"download": "lazy"}, ["download must be None or 'eager'", "'lazy'"]),
    # what cannot be sent as a header
    ({"OPENAI_API_KEY": "k"}, {"organization": "org\nX-Evil: 1"}, ["organization"]),
    ({"OPENAI_API_KEY": "k"}, {"project": "Zoë"}, ["project", "ASCII"]),
    ({"OPENAI_API_KEY": "k", "OPENAI_ORG_ID": "Zoë"}, {}, ["organization", "ASCII"]),
    ({"OPENAI_API_KEY": "k", "OPENAI_ORG_ID": "a\nb"}, {}, ["the variable OPENAI_ORG_ID"]),
    ({"OPENAI_API_KEY": "k", "OPENAI_PROJECT_ID": "a\0b"}, {}, ["the variable OPENAI_PROJECT_ID"]),
    ({"OPENAI_API_KEY": "k", "DALLE2_MODEL": "a\nb"}, {}, ["the variable DALLE2_MODEL"]),
    ({"OPENAI_API_KEY": "k"}, {"headers": [("a", "b")]}, ["headers must map names to values"]),
    ({"OPENAI_API_KEY": "k"}, {"headers": {"X-A": 1}}, ["'X-A'", "texts"]),
    ({"OPENAI_API_KEY": "k"}, {"headers": {1: "a"}}, ["1", "texts"]),
    *(wrong("headers", {name: "a"}, "no header name") for name in ("", "X A", "X:A", "X\nA", "Ü", "X(A)")),
    *(
        wrong("headers", {"X-A": value}, "X-A cannot be sent: plain ASCII on one line")
        for value in ("a\r\nX-Evil: 1", "a\0", "a\x01", "ü")
    ),
    # timeouts
    *(
        wrong("timeout", value, "timeout must be")
        for value in (0, -1, True, float("inf"), float("nan"), "3", (1, 2, 3, 4))
    ),
]


@pytest.mark.parametrize(("environ", "arguments", "words"), REFUSED)
def test_a_client_that_cannot_work_is_refused(
    environ: dict[str, str],
    arguments: dict[str, str],
    words: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The mistake is told when the client is made, by the name of the argument or variable."""
    with pytest.raises(ConfigurationError) as caught:
        settings.resolve(environ, **arguments)  # type: ignore[arg-type]
    assert all(word in str(caught.value) for word in words), str(caught.value)
    for variable, value in environ.items():
        if "\0" not in value:
            monkeypatch.setenv(variable, value)
    if not any("\0" in value for value in environ.values()):  # no operating system stores such a variable
        for kind in (Client, AsyncClient):
            with pytest.raises(ConfigurationError) as again:
                kind(**arguments)  # type: ignore[arg-type]
            assert str(again.value) == str(caught.value)


@pytest.mark.parametrize("inner", ["\n", "\r", "\t", " ", "\x00", "\x7f", "\u200b", "ü", "\ufeff"])
def test_a_key_that_cannot_be_sent_is_refused_without_being_shown(inner: str) -> None:
    """A control, space or non-ASCII character in a key: the error names the source, no part of the key."""
    key = f"sk-FIRSTHALF{inner}SECONDHALF"
    for arguments, environ, source in (
        ({"api_key": key}, {}, "api_key"),
        ({}, {"OPENAI_API_KEY": key}, "OPENAI_API_KEY"),
    ):
        with pytest.raises(ConfigurationError) as caught:
            settings.resolve(environ, **arguments)  # type: ignore[arg-type]
        shown = repr(caught.value) + str(caught.value.__cause__) + str(caught.value.__context__)
        assert source in shown
        assert "FIRSTHALF" not in shown
        assert "SECONDHALF" not in shown


@pytest.mark.parametrize(
    ("given_url", "base", "query"),
    [
        ("https://h.example", "https://h.example/v1", {}),
        ("https://h.example/", "https://h.example/v1", {}),
        ("https://h.example/v1", "https://h.example/v1", {}),
        ("https://h.example/v1//", "https://h.example/v1", {}),
        (" https://h.example/v1\n", "https://h.example/v1", {}),
        ("HTTPS://H.example/v1", "https://H.example/v1", {}),
        ("https://h.example/openai/v1/", "https://h.example/openai/v1", {}),
        ("https://h.example/api", "https://h.example/api", {}),
        ("https://h.example/v1/images/generations", "https://h.example/v1", {}),
        ("https://h.example/v1/images/edits/", "https://h.example/v1", {}),
        ("https://h.example/v1/images/variations", "https://h.example/v1", {}),
        ("https://h.example/v1/responses", "https://h.example/v1", {}),
        ("https://h.example/v1/models", "https://h.example/v1", {}),
        ("https://h.example/v1/moderations", "https://h.example/v1", {}),
        ("https://h.example/images/generations", "https://h.example/v1", {}),
        ("https://h.example/v1?api-version=1&x=", "https://h.example/v1", {"api-version": "1", "x": ""}),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000/v1", {}),
        ("http://[::1]:8000/v1", "http://[::1]:8000/v1", {}),
        ("https://bücher.example", "https://bücher.example/v1", {}),
    ],
)
def test_a_base_url_does_the_obvious(given_url: str, base: str, query: dict[str, str]) -> None:
    """With or without slash, `/v1`, endpoint or query: the same base."""
    found = settings.resolve({}, api_key="k", base_url=given_url)
    assert (found.base_url, found.provider.query) == (base, query)
    assert settings.resolve({}, api_key="k", base_url=base).base_url == base


@pytest.mark.parametrize(
    "url",
    [
        "",
        "h.example/v1",
        "//h.example/v1",
        "ftp://h.example",
        "file:///etc/passwd",
        "https://",
        "https:///v1",
        "https://h.example:99999",
        "https://h.example:port",
        "https://[::1",
        "https://h.example/a b",
        "https://h.example/a\tb",
        "https://h.example/v1#part",
        "https://user@h.example/v1",
        "https://user:SECRET@h.example/v1?sig=SECRET",
        "sk-SECRETSECRET",
        "https://h.example:port/?key=SECRET",
    ],
)
def test_a_base_url_that_is_none_is_refused_without_its_secrets(url: str) -> None:
    """Not http(s), no host, a user name, a fragment, a space: refused with no password or query shown."""
    with pytest.raises(ConfigurationError, match="base_url") as caught:
        settings.resolve({}, api_key="k", base_url=url)
    assert "SECRET" not in str(caught.value)
    with pytest.raises(ConfigurationError, match="OPENAI_BASE_URL"):
        settings.resolve({"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": url or "x"})


def test_a_provider_with_a_bad_url_is_refused_by_its_name() -> None:
    """The URL of a `Provider` value is held to the same rules."""
    with pytest.raises(ConfigurationError, match="base_url of mine"):
        settings.resolve({}, api_key="k", provider=Provider.custom("nowhere", name="mine"))


def test_no_repr_shows_a_secret() -> None:
    """Neither settings nor client nor provider show a key, a header's value or a query."""
    arguments = {
        "api_key": "sk-SECRET",
        "base_url": "https://h.example/v1?key=SECRET",
        "headers": {"X-Key": "SECRET"},
    }
    found = settings.resolve({}, **arguments)  # type: ignore[arg-type]
    assert found.key.reveal() == "sk-SECRET"
    assert "SECRET" not in repr(found)
    assert "SECRET" not in repr(found.provider)
    assert "***" in repr(found)
    assert "SECRET" not in repr(Client(**arguments))  # type: ignore[arg-type]
    assert "SECRET" not in repr(AsyncClient(**arguments))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("environ", "model", "expected"),
    [
        ({}, None, "dall-e-2"),
        ({"DALLE2_MODEL": " dall-e-3\n"}, None, "dall-e-3"),
        ({"DALLE2_MODEL": " "}, None, "dall-e-2"),
        ({"DALLE2_MODEL": "dall-e-3"}, "gpt-image-2", "gpt-image-2"),
        ({}, " gpt-image-2 ", "gpt-image-2"),
    ],
)
def test_the_model_is_dall_e_2_unless_said(environ: dict[str, str], model: str | None, expected: str) -> None:
    """The argument, else `DALLE2_MODEL`, else dall-e-2."""
    assert settings.resolve(environ, api_key="k", model=model).model == expected


OWN = {"OPENAI_ORG_ID": " org-1\n", "OPENAI_PROJECT_ID": "proj-1"}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, ("org-1", "proj-1")),
        ({"organization": " org-2 ", "project": "proj-2"}, ("org-2", "proj-2")),
        ({"provider": "cometapi"}, (None, None)),
        ({"base_url": HOST}, (None, None)),
        ({"provider": "cometapi", "organization": "org-2"}, ("org-2", None)),
    ],
)
def test_organisation_and_project_are_openais_own(
    arguments: dict[str, str], expected: tuple[str | None, str | None]
) -> None:
    """Their variables are read for OpenAI alone; an explicit argument goes to any host."""
    found = settings.resolve(OWN, api_key="k", **arguments)  # type: ignore[arg-type]
    assert (found.organization, found.project) == expected


@pytest.mark.parametrize(
    ("timeout", "expected"),
    [
        (dalle2.DEFAULT, None),
        (None, Timeouts(None, None, None, None)),
        (3, Timeouts(3, 3, 3, 3)),
        (0.5, Timeouts(0.5, 0.5, 0.5, 0.5)),
        (httpx.Timeout(4.0, read=None), Timeouts(4.0, None, 4.0, 4.0)),
        (Timeouts(1, 2, 3, 4), Timeouts(1, 2, 3, 4)),
    ],
)
def test_a_timeout_is_seconds_a_timeout_object_or_none(timeout: object, expected: Timeouts | None) -> None:
    """A number stands for each phase, `None` for no limit, `DEFAULT` for the package's own."""
    assert settings.resolve({}, api_key="k", timeout=timeout).timeouts == expected  # type: ignore[arg-type]


def test_headers_are_cleaned_and_copied() -> None:
    """A later change of the caller's mapping changes no client."""
    mine = {"X-Trace": " abc "}
    found = settings.resolve({}, api_key="k", headers=mine)
    mine["X-Trace"] = "other"
    assert found.headers == {"X-Trace": "abc"}


@pytest.mark.parametrize(
    "changes",
    [
        {"model": ""},
        {"timeout": -1},
        {"retry": None},
        {"headers": {"bad name": "x"}},
        {"moderate": "after"},
        {"download": "lazy"},
        {"successor": " "},
    ],
)
def test_with_options_is_held_to_the_same_rules(changes: dict[str, object]) -> None:
    """A copy cannot get settings that a new client would refuse."""
    for client in (Client("k"), AsyncClient("k")):
        with pytest.raises(ConfigurationError):
            client.with_options(**changes)  # type: ignore[arg-type]


def test_with_options_changes_only_what_is_said() -> None:
    """The copy has the new model and policy, the same host and key; the original keeps its own."""
    emulator = Emulator()
    client = Client("sk-test", http_client=emulator.client(), headers={"X-Mine": "1"})
    copy = client.with_options(model="dall-e-3", retry=RetryPolicy.none(), timeout=3)
    copy.generate("a corgi")
    client.generate("a corgi")
    assert [request.json()["model"] for request in emulator.requests] == ["dall-e-3", "dall-e-2"]
    assert {request.headers["x-mine"] for request in emulator.requests} == {"1"}
    assert repr(copy) == "<Client openai at https://api.openai.com/v1, model dall-e-3, key from api_key>"


def test_the_azure_provider_knows_both_paths() -> None:
    """With a deployment the classic path and its version; without one, v1; the key as `api-key`."""
    root = "https://r.openai.azure.com"
    assert AZURE.base_url == f"{root}/openai/deployments/paint"
    assert AZURE.query == {"api-version": "2024-02-01"}
    assert (AZURE.auth_header, AZURE.auth_scheme) == ("api-key", "")
    for form in (root, root + "/", root + "/openai", f" {root}/openai/v1/"):
        v1 = Provider.azure(form)
        assert (v1.base_url, v1.query) == (f"{root}/openai/v1", {})
    with pytest.raises(ConfigurationError, match="api_version"):
        Provider.azure(root, deployment="paint")


def test_providers_are_known_by_the_names_that_they_have() -> None:
    """The table's keys and the values' names agree, and only OpenAI's own host is official."""
    assert {name: value.name for name, value in providers.PROVIDERS.items()} == {
        name: name for name in ("openai", "cometapi", "cometapi-responses", "emulator")
    }
    assert [name for name, value in providers.PROVIDERS.items() if value.official] == ["openai"]


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://Host.Example./v1", ("https", "host.example", 443)),
        ("http://h.example", ("http", "h.example", 80)),
        ("HTTP://h.example:8080/x", ("http", "h.example", 8080)),
        ("https://h.example:99999", ("", "", 0)),
        ("https://[::1]:9/v1", ("https", "::1", 9)),
    ],
)
def test_an_origin_is_scheme_host_and_port(url: str, origin: tuple[str, str, int]) -> None:
    """Letter case, a dot at the end and the path do not matter; a URL that is none has none."""
    assert settings.origin_of(url) == origin


def test_settings_tell_host_and_origin() -> None:
    """Messages name the host; what may carry the key is the origin."""
    found = settings.resolve({}, api_key="k", base_url="https://h.example:8443/v1")
    assert found.host == "h.example:8443"
    assert found.origin == ("https", "h.example", 8443)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "api_key": st.text(max_size=8),
            "provider": st.sampled_from(["openai", "cometapi", "emulator", "x", ""]),
            "base_url": st.text(max_size=12) | st.text(max_size=8).map("https://h.example/".__add__),
            "model": st.text(max_size=4),
            "headers": st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=2),
        },
    ),
    st.dictionaries(
        st.sampled_from(
            ["OPENAI_API_KEY", "COMETAPI_KEY", "DALLE2_PROVIDER", "OPENAI_BASE_URL", "DALLE2_MODEL"]
        ),
        st.text(max_size=8),
    ),
)
def test_whatever_comes_there_are_settings_or_one_kind_of_error(
    arguments: dict[str, object], environ: dict[str, str]
) -> None:
    """Any text in any place gives valid settings or a `ConfigurationError`."""
    try:
        found = settings.resolve(environ, **arguments)  # type: ignore[arg-type]
    except ConfigurationError:
        return
    key = found.key.reveal()
    assert key.isascii() and key.isprintable() and " " not in key
    assert found.model.strip() == found.model != ""
    assert found.base_url.startswith(("http://", "https://")) or found.provider.name == "emulator"


def test_the_environment_is_read_and_never_shown() -> None:
    """It holds keys, and a traceback with locals shows what stands in a frame."""
    environ = Environment({"OPENAI_API_KEY": "sk-secret", "HOME": "/"})
    assert (len(environ), sorted(environ), environ["HOME"]) == (2, ["HOME", "OPENAI_API_KEY"], "/")
    assert "sk-secret" not in repr(environ)
    assert settings.resolve(environ).key.reveal() == "sk-secret"


def test_unsigned_urls_are_known_to_die_only_on_openais_own_host() -> None:
    """What a named provider promises does not hold for the host that was put in its place."""
    own = settings.resolve({"OPENAI_API_KEY": "sk-1"})
    moved = settings.resolve({"OPENAI_API_KEY": "sk-1", "OPENAI_BASE_URL": "https://gateway.example/v1"})
    custom = settings.resolve({"OPENAI_API_KEY": "sk-1"}, base_url="https://api.openai.com/v1")
    assert (own.openai_like, moved.openai_like, custom.openai_like) == (True, False, True)


@pytest.mark.parametrize("key", ["sk-proj-0123456789abcdef", "0123456789abcdef0123456789abcdef", "A1" * 30])
@pytest.mark.parametrize(
    "argument", ["provider", "moderate", "download", "retry", "timeout", "headers", "organization"]
)
def test_a_key_in_the_wrong_place_is_not_quoted(argument: str, key: str) -> None:
    """Whichever argument gets it by mistake, the error does not repeat it."""
    value = key + "\n\x00" if argument == "organization" else key
    with pytest.raises(ConfigurationError) as caught:
        Client("k", **{argument: value})  # type: ignore[arg-type]
    assert key not in str(caught.value)


def test_a_client_half_made_can_be_shown() -> None:
    """Tools that show the locals of a failed constructor meet it."""
    assert repr(object.__new__(Client)) == "<Client>"
