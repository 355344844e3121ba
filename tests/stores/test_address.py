"""URLs of stores: what each names, and what is refused before anything is done."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import dalle2
from dalle2._stores import address_of, local_path


@pytest.mark.parametrize(
    ("url", "root", "key"),
    [
        ("s3://pictures/a.png", "s3://pictures/", "a.png"),
        ("s3://pictures", "s3://pictures/", ""),
        ("s3://pictures/", "s3://pictures/", ""),
        ("S3A://pictures/a/b/", "s3a://pictures/", "a/b/"),
        ("gs://my_bucket.example/a", "gs://my_bucket.example/", "a"),
        ("az://container/ä b#c%20d~*.png", "az://container/", "ä b#c%20d~*.png"),
        ("abfss://box@account.dfs.core.windows.net/a", "abfss://box@account.dfs.core.windows.net/", "a"),
        ("memory://", "memory://", ""),
        ("memory:///a", "memory:///", "a"),
        ("memory://box/a", "memory://", "box/a"),
        ("s3://pictures/👩‍🎨/می‌خواهم.png", "s3://pictures/", "👩‍🎨/می‌خواهم.png"),
    ],
)
def test_a_key_is_the_text_behind_the_bucket(url: str, root: str, key: str) -> None:
    """Nothing of it is decoded, and together they are the URL again."""
    address = address_of(url)
    assert (address.root, address.key) == (root, key)
    assert address.url.partition("://")[2].rstrip("/") == url.partition("://")[2].rstrip("/")
    assert address.is_folder is (not key or key.endswith("/"))


@pytest.mark.parametrize(
    ("url", "what"),
    [
        ("pictures/a.png", "must begin with s3://"),
        ("", "must begin with"),
        ("ftp://host/a.png", "save"),
        ("https://bucket.s3.amazonaws.com/a.png?X-Amz-Signature=0011", "endpoint"),
        (Path("a.png"), "it is a PosixPath"),
        (b"s3://pictures/a.png", "it is a bytes"),
        ("s3://", "names no bucket"),
        ("s3:///a.png", "names no bucket"),
        ("s3://pic tures/a.png", "names no bucket"),
        ("s3://pictures:443/a.png", "names no bucket"),
        ("abfss://@account/a", "names no bucket"),
        ("s3://key:secret@pictures/a.png", "name or password"),
        ("s3://pictures/a.png?sig=0011", "query"),
        ("file:///tmp/a.png?sig=0011", "query"),
        ("memory://a?b", "query"),
        ("s3://pictures/../a.png", "empty part"),
        ("s3://pictures/a/..", "empty part"),
        ("s3://pictures/./a.png", "empty part"),
        ("s3://pictures/a//b.png", "empty part"),
        ("s3://pictures//", "empty part"),
        ("s3://pictures/a\nb.png", "control"),
        ("s3://pictures/a\x00b.png", "control"),
        ("s3://pictures/\ud800.png", "surrogate"),
        ("s3://pictures/" + "ä" * 513, "1024 bytes"),
    ],
)
def test_what_can_be_read_in_two_ways_is_refused(url: object, what: str) -> None:
    """By a message that says what is wrong, and repeats no credential."""
    with pytest.raises(dalle2.InvalidRequestError, match=what) as caught:
        address_of(url)
    assert caught.value.field == "url"
    assert "s3://" in (caught.value.allowed or ())
    assert "secret" not in str(caught.value)
    assert "0011" not in str(caught.value)


@given(st.text(min_size=1, max_size=40))
@example("a/../b")
@example("%2e%2e/x")
def test_a_key_stays_behind_its_bucket(text: str) -> None:
    """Whatever is written there is a key as it stands, or refused."""
    try:
        address = address_of(f"s3://pictures/{text}")
    except dalle2.InvalidRequestError:
        return
    assert address.root == "s3://pictures/"
    assert address.key == text
    assert not {"", ".", ".."} & set(address.key.removesuffix("/").split("/")) or not address.key
    assert address.within("a.png").key.endswith("a.png")


@given(st.text())
def test_any_text_is_an_address_or_bad_input(text: str) -> None:
    """No other error comes out."""
    for url in (text, f"az://{text}", f"abfs://{text}", f"memory://{text}", f"file://{text}"):
        for read in (address_of, local_path):
            try:
                read(url)
            except dalle2.InvalidRequestError:
                continue


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("file:///tmp/a%20b.png", "/tmp/a b.png"),
        ("file://localhost/tmp/a b#c.png", "/tmp/a b#c.png"),
        ("s3://pictures/a", None),
    ],
)
def test_a_file_url_is_a_path_of_this_machine(url: str, path: str | None) -> None:
    """Decoded, as `Path.as_uri` writes it."""
    assert local_path(url) == (None if path is None else Path(path))


@pytest.mark.parametrize("url", ["file://", "file:///", "file://elsewhere/tmp/a.png", "file://tmp/a.png"])
def test_a_file_url_of_no_path_is_refused(url: str) -> None:
    """Another machine's, or none."""
    with pytest.raises(dalle2.InvalidRequestError, match="path of this machine"):
        local_path(url)
