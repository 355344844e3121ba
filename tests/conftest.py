"""What every test gets: an environment without hosts and keys, so that none can be called by accident."""

from __future__ import annotations

import pytest

VARIABLES = (
    "OPENAI_API_KEY",
    "OPENAI_BASE_URL",
    "OPENAI_ORG_ID",
    "OPENAI_PROJECT_ID",
    "COMETAPI_KEY",
    "COMETAPI_API_KEY",
    "COMETAPI_BASE_URL",
    "DALLE2_PROVIDER",
    "DALLE2_MODEL",
)
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No provider, key or proxy is taken from the machine that the tests run on."""
    for name in (*VARIABLES, *PROXIES, *(name.upper() for name in PROXIES)):
        monkeypatch.delenv(name, raising=False)
