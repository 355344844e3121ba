"""A broken download is continued only by the rest of the very same object."""

from __future__ import annotations

import re

from hypothesis import example, given
from hypothesis import strategies as st

from dalle2._results._download import Setback
from dalle2._results._rest import total_of_rest
from dalle2.retry import RetryPolicy

from ..faults.server import ETAG, IMAGE, png
from .test_download import download, header

SIZE = len(IMAGE)
OTHER, NEW = png(50, 60), '"0x8D-second"'
PATIENT = RetryPolicy(max_attempts=9, initial=0.0)

numbers = st.integers(0, 3000) | st.just(SIZE) | st.just(SIZE - 1) | st.just(10**20)
ranges = st.builds("bytes {}-{}/{}".format, numbers, numbers, numbers | st.just("*")) | st.text(max_size=30)


@given(ranges, st.sampled_from([ETAG, NEW, "W/" + ETAG, None]), st.integers(1, 3000), numbers | st.none())
@example("bytes 5-9/10", ETAG, 5, 5)
@example("Bytes 5-9/10", ETAG, 5, None)
def test_only_the_rest_that_was_asked_for_is_one(
    told: str, etag: str | None, size: int, length: int | None
) -> None:
    """From where it broke off to the end, of the same object, as long as it says; anything else is none."""
    headers = {"content-range": told}
    if etag is not None:
        headers["etag"] = etag
    if length is not None:
        headers["content-length"] = str(length)
    numbers = re.fullmatch("bytes ([0-9]{1,15})-([0-9]{1,15})/([0-9]{1,15})", told.lower())
    start, end, total = map(int, numbers.groups()) if numbers else (0, 0, 0)
    right = etag == ETAG and (start, end) == (size, total - 1) and length in (None, total - size)
    assert total_of_rest(headers, ETAG, size) == (total if right and numbers else None)
    assert total_of_rest(headers, None, size) is None


@given(at=st.integers(1, SIZE - 1), told=ranges, etag=st.sampled_from([ETAG, NEW, None]))
@example(at=1000, told=f"bytes 1000-{SIZE - 1}/{SIZE}", etag=ETAG)
@example(at=1000, told=f"bytes 1000-{SIZE - 1}/{SIZE}", etag=NEW)
@example(at=1000, told=f"bytes 1000-{SIZE - 1}/{SIZE}", etag=None)
@example(at=1000, told=f"bytes 1000-{len(OTHER) - 1}/{len(OTHER)}", etag=NEW)
@example(at=1000, told=f"bytes 0-{SIZE - 1}/{SIZE}", etag=ETAG)
def test_bytes_of_two_objects_are_never_mixed(at: int, told: str, etag: str | None) -> None:
    """Whatever a store answers when it is asked for the rest: what is written is one of its images, whole."""
    one, written = download(policy=PATIENT), bytearray()

    def attempt(status: int, headers: dict[str, str], body: bytes) -> bool:
        try:
            if one.begin(status, headers):
                written.clear()
            written.extend(one.feed(body))
            one.finish()
        except Setback as setback:
            one.after(setback)
            return False
        return True

    assert not attempt(200, {"etag": ETAG, "content-length": str(SIZE)}, IMAGE[:at])
    assert header(one, "range") == f"bytes={at}-"
    place = re.fullmatch(r"bytes (\d+)-(\d+)/.*", told)
    start, end = map(int, place.groups()) if place else (0, 0)
    part = (OTHER if etag == NEW else IMAGE)[start : end + 1]
    if not attempt(206, {"content-range": told} | ({} if etag is None else {"etag": etag}), part):
        assert header(one, "range") is None
        assert attempt(200, {"etag": NEW, "content-length": str(len(OTHER))}, OTHER)
    assert bytes(written) in (IMAGE, OTHER)


def test_a_size_that_only_the_rest_tells_is_kept() -> None:
    """The first answer announced none: the total of the rest is what must have come in the end."""
    one = download(policy=PATIENT)
    one.begin(200, {"etag": ETAG})
    one.feed(IMAGE[:1000])
    one.after(Setback("truncated"))
    assert not one.begin(206, {"etag": ETAG, "content-range": f"bytes 1000-{SIZE - 1}/{SIZE}"})
    one.feed(IMAGE[1000:])
    one.finish()
    assert one.fetched() == "image/png"
