"""A real LiteLLM proxy in front of the emulator, driven by this package's client.

The proxy serves `dall-e-2` as an alias for the emulator and adds what it adds in real life: its own
envelopes, its own request ids, its own repeats. The emulator says `x-should-retry: false` where those
repeats are not the subject, since they take seconds.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import attrs
import pytest

import dalle2
from dalle2.testing import Emulator

MASTER_KEY = "sk-proxy-master"
ONCE = {"x-should-retry": "false"}
CONFIG = """
model_list:
  - model_name: dall-e-2
    litellm_params: &emulated
      model: openai/dall-e-2
      api_base: {base_url}
      api_key: sk-test
  - model_name: impatient
    litellm_params:
      <<: *emulated
      timeout: 0.5
general_settings:
  master_key: {key}
litellm_settings:
  num_retries: 0
router_settings:
  num_retries: 0
  disable_cooldowns: true
"""
QUIET = {
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_LOCAL_BLOG_POSTS": "True",
    "LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS": "True",
    # Whatever it still wants from elsewhere ends at a closed port of this machine.
    "HTTP_PROXY": "http://127.0.0.1:9",
    "HTTPS_PROXY": "http://127.0.0.1:9",
    "NO_PROXY": "127.0.0.1",
}


@attrs.frozen
class Proxied:
    """The proxy's address and the emulator behind it."""

    base_url: str
    upstream: Emulator

    def client(self, key: str = MASTER_KEY, retry: dalle2.RetryPolicy | None = None) -> dalle2.Client:
        """A client as a user of the proxy makes it, without repeats unless asked for."""
        provider = dalle2.Provider.litellm(self.base_url)
        return dalle2.Client(key, provider=provider, retry=retry or dalle2.RetryPolicy.none())


@pytest.fixture(scope="module")
def proxy(
    running: Callable[..., AbstractContextManager[str]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Proxied]:
    """One proxy for all tests: it takes seconds to start."""
    folder = tmp_path_factory.mktemp("litellm")
    upstream = Emulator()
    with upstream.serve() as server:
        config = folder / "config.yaml"
        config.write_text(CONFIG.format(base_url=server.base_url, key=MASTER_KEY), encoding="utf-8")
        command = [os.environ["DALLE2_PEERS_LITELLM"], "--config", config, "--telemetry", "False"]
        address = ["--host", "127.0.0.1", "--port", "0"]
        env = {"PATH": os.environ["PATH"], "HOME": str(folder), **QUIET}
        with running([*command, *address], r"running on (http\S+)", env=env) as base_url:
            yield Proxied(base_url, upstream)


@pytest.fixture
def upstream(proxy: Proxied) -> Emulator:
    """The emulator behind the proxy, with nothing billed yet."""
    proxy.upstream.billed.clear()
    proxy.upstream.requests.clear()
    return proxy.upstream


def test_urls_come_through_and_download(proxy: Proxied, upstream: Emulator, tmp_path: Path) -> None:
    """Two images of one billed call; their signed URLs work, and the proxy's key is not sent to them."""
    with proxy.client() as client:
        images = client.generate("a corgi astronaut", n=2, size="256x256")
        paths = images.save(tmp_path)
    assert [path.suffix for path in paths] == [".png", ".png"]
    assert {image.expiry_source for image in images} == {"signature"}
    assert images.request_id
    assert images.cost == pytest.approx(2 * 0.016)
    assert [(record.prompt, record.n) for record in upstream.billed] == [("a corgi astronaut", 2)]
    assert not upstream.leaks


def test_base64_comes_through(proxy: Proxied, upstream: Emulator) -> None:
    """The picture itself, when it is asked for."""
    with proxy.client() as client:
        image = client.generate("a corgi", size="256x256", response_format="b64_json")[0]
    assert image.url is None
    assert image.read().startswith(b"\x89PNG\r\n\x1a\n")
    assert len(upstream.billed) == 1


def test_an_edit_comes_through(proxy: Proxied, upstream: Emulator, uploads: Path) -> None:
    """The proxy takes the form apart and sends it on as one that the API accepts."""
    with proxy.client() as client:
        image = client.edit(uploads / "image.png", "a red hat", size="256x256", mask=uploads / "mask.png")[0]
        assert image.read()
    assert [(record.operation, record.prompt) for record in upstream.billed] == [("edit", "a red hat")]


def test_variations_are_not_served(proxy: Proxied, upstream: Emulator, uploads: Path) -> None:
    """The proxy has no such route: a 404 of its own, and no bill."""
    with proxy.client() as client, pytest.raises(dalle2.NotFoundError) as raised:
        client.vary(uploads / "image.png", size="256x256")
    assert not raised.value.maybe_billed
    assert not upstream.billed


def test_its_models_are_listed(proxy: Proxied) -> None:
    """The aliases of its configuration."""
    with proxy.client() as client:
        assert {model.id for model in client.list_models()} == {"dall-e-2", "impatient"}


@pytest.mark.parametrize(
    ("status", "code", "kind", "maybe_billed", "repeatable"),
    [
        (400, None, dalle2.BadRequestError, False, False),
        (400, "content_policy_violation", dalle2.ContentPolicyError, False, False),
        (400, "moderation_blocked", dalle2.ContentPolicyError, False, False),
        (400, "billing_hard_limit_reached", dalle2.QuotaExceededError, False, False),
        (401, None, dalle2.AuthenticationError, False, False),
        (403, None, dalle2.PermissionDeniedError, False, False),
        (404, None, dalle2.ModelRetiredError, False, False),
        (409, None, dalle2.ConflictError, False, True),
        (422, None, dalle2.UnprocessableEntityError, False, False),
        (429, None, dalle2.RateLimitError, False, True),
        (429, "insufficient_quota", dalle2.QuotaExceededError, False, False),
        (429, "credit_balance_exhausted", dalle2.QuotaExceededError, False, False),
        # The proxy answers 500 for its own lost calls too, and its envelope does not tell them apart.
        (500, None, dalle2.InternalServerError, True, False),
        (503, None, dalle2.InternalServerError, False, True),
    ],
)
def test_each_refusal_keeps_its_meaning(
    proxy: Proxied,
    upstream: Emulator,
    status: int,
    code: str | None,
    kind: type[dalle2.APIStatusError],
    maybe_billed: bool,
    repeatable: bool,
) -> None:
    """Class, status, the proxy's `code` (the status again) and request id, and what it can have cost."""
    upstream.fail_next(status, code=code, headers=ONCE)
    with proxy.client() as client, pytest.raises(dalle2.APIStatusError) as raised:
        client.generate("a corgi", size="256x256")
    error = raised.value
    assert type(error) is kind
    assert (error.status_code, error.code, bool(error.request_id)) == (status, str(status), True)
    assert (error.maybe_billed, error.repeatable) == (maybe_billed, repeatable)
    assert MASTER_KEY not in f"{error!r} {error.body} {error.headers}"
    assert len(upstream.requests) == 1


@pytest.mark.parametrize("status", [502, 503, 504, 520, 524])
def test_a_page_of_a_gateway_behind_it_leaves_the_outcome_unknown(
    proxy: Proxied, upstream: Emulator, status: int
) -> None:
    """The proxy wraps such pages in envelopes, some under 408: it may have been billed all the same."""
    page = "<html><head><title>503 Service Unavailable</title></head></html>" if status == 503 else None
    upstream.fail_next(status, headers=ONCE, body=page)
    with proxy.client() as client, pytest.raises(dalle2.OutcomeUnknownError) as raised:
        client.generate("a corgi", size="256x256")
    assert raised.value.maybe_billed
    assert raised.value.request_id


def test_its_own_timeout_leaves_the_outcome_unknown(proxy: Proxied, upstream: Emulator) -> None:
    """It answers 408 when it gives up waiting, although each of its three attempts was billed."""
    upstream.lose_next(3, cause="timeout")
    with (
        proxy.client(retry=dalle2.RetryPolicy(initial=0.01)) as client,
        pytest.raises(dalle2.OutcomeUnknownError) as raised,
    ):
        client.generate("a corgi", size="256x256", model="impatient")
    assert raised.value.maybe_billed
    assert len(upstream.billed) == 3


def test_it_repeats_lost_calls_itself(proxy: Proxied, upstream: Emulator) -> None:
    """One call of ours, one lost answer, two bills: no client can prevent what a proxy repeats."""
    upstream.lose_next()
    with proxy.client() as client:
        assert len(client.generate("a corgi", size="256x256")) == 1
    assert len(upstream.billed) == 2


def test_lost_calls_are_not_repeated_on_top_of_that(proxy: Proxied, upstream: Emulator) -> None:
    """After its three attempts it answers 500: that may have been billed, and stays one call of ours."""
    upstream.lose_next(3)
    with (
        proxy.client(retry=dalle2.RetryPolicy(initial=0.01)) as client,
        pytest.raises(dalle2.InternalServerError) as raised,
    ):
        client.generate("a corgi", size="256x256")
    assert raised.value.maybe_billed
    assert len(upstream.billed) == 3


def test_the_wait_that_the_host_asked_for_is_dropped(proxy: Proxied, upstream: Emulator) -> None:
    """`Retry-After` does not come through, so the client's own backoff decides when to try again."""
    upstream.fail_next(429, retry_after=90, headers=ONCE, times=2)
    with proxy.client() as client, pytest.raises(dalle2.RateLimitError) as raised:
        client.generate("a corgi", size="256x256")
    assert raised.value.retry_after is None
    with proxy.client(retry=dalle2.RetryPolicy(initial=0.01)) as client:
        assert len(client.generate("a corgi", size="256x256")) == 1
    assert len(upstream.billed) == 1


def test_an_answer_without_images_is_not_repeated(proxy: Proxied, upstream: Emulator) -> None:
    """An empty list comes through as one: paid for, most likely, and of the wrong shape."""
    upstream.fail_next(200, body={"created": 1, "data": []})
    with proxy.client() as client, pytest.raises(dalle2.DecodeError) as raised:
        client.generate("a corgi", size="256x256")
    assert raised.value.maybe_billed


def test_a_key_that_it_does_not_know_costs_nothing(proxy: Proxied, upstream: Emulator) -> None:
    """Without a database it knows its master key alone, says 400 to others, and sends nothing on."""
    with proxy.client("sk-somebody-else") as client, pytest.raises(dalle2.APIStatusError) as raised:
        client.generate("a corgi", size="256x256")
    assert (raised.value.status_code, raised.value.type) == (400, "no_db_connection")
    assert (raised.value.maybe_billed, raised.value.repeatable) == (False, False)
    assert not upstream.requests


def test_a_model_that_it_does_not_serve_is_named(proxy: Proxied, upstream: Emulator) -> None:
    """The proxy refuses it before anything is sent on."""
    with proxy.client() as client, pytest.raises(dalle2.BadRequestError, match="painter-9") as raised:
        client.generate("a corgi", model="painter-9")
    assert not raised.value.maybe_billed
    assert not upstream.requests
