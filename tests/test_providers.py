"""A host as a value: how one is made from another."""

from __future__ import annotations

import pytest

from dalle2 import ConfigurationError, Provider


def test_a_copy_differs_in_what_was_said() -> None:
    """`replace` changes the fields that it names and keeps the others."""
    azure = Provider.azure("https://my-resource.openai.azure.com", deployment="d", api_version="2024-02-01")
    entra = azure.replace(auth_header="Authorization", auth_scheme="Bearer")
    assert (entra.auth_header, entra.auth_scheme) == ("Authorization", "Bearer")
    assert entra.replace(auth_header=azure.auth_header, auth_scheme=azure.auth_scheme) == azure


def test_a_field_that_is_none_is_refused_by_name() -> None:
    """A misspelt field is named, and the ones that exist are listed."""
    with pytest.raises(ConfigurationError, match=r"no field auth_headers: its fields are name, base_url"):
        Provider.custom("https://h.example").replace(auth_headers="X")
