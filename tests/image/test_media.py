"""Whole images are told from cut ones, and images from everything else."""

from __future__ import annotations

import io
import pickle
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from dalle2._image._media import (
    ImageCheck,
    ImageError,
    ImageFacts,
    NotAnImage,
    Truncated,
    described,
    facts,
    sniff,
    suffix_for,
)

PNG = b"\x89PNG\r\n\x1a\n"
PICTURE = Image.effect_mandelbrot((60, 40), (-2.0, -1.0, 1.0, 1.0), 50).convert("RGB")
SEE_THROUGH = PICTURE.convert("RGBA")
SEE_THROUGH.putalpha(100)


def encode(picture: Image.Image, kind: str, **options: object) -> bytes:
    """The picture as Pillow writes it."""
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def chunk(kind: bytes, data: bytes = b"") -> bytes:
    """One PNG chunk."""
    return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")


SVG = b'<?xml version="1.0"?>\n<!-- by hand -->\n<svg xmlns="http://www.w3.org/2000/svg"><g/></svg>\n'
# A one-pixel lossless WebP with a picture chunk of six bytes: shorter than the header of the other kinds.
TINY_WEBP = b"RIFF\x12\0\0\0WEBPVP8L\x06\0\0\0\x2f\x41\x6c\x6f\0\x6b"
# Two frames, comments and a transparent colour, by hand.
GIF = (
    b"GIF89a\x03\0\x02\0\x80\0\0" + b"\0\0\0\xff\xff\xff"  # 3 x 2, two colours
    b"\x21\xfe\0"  # an empty comment
    b"\x21\xfe\x02hi\0"
    b"\x21\xf9\x04\x01\0\0\0\0"  # the transparent colour
    b"\x2c\0\0\0\0\x03\0\x02\0\x80\0\0\0\xff\xff\xff\x02\x02\x84\x51\0"  # a frame with colours of its own
    b"\x2c\0\0\0\0\x03\0\x02\0\0\x02\x02\x84\x51\0"
    b"\x3b"
)

IMAGES = {
    "png": (encode(PICTURE, "PNG"), "image/png", False),
    "png alpha": (encode(SEE_THROUGH, "PNG"), "image/png", True),
    "png palette": (encode(PICTURE.quantize(), "PNG"), "image/png", False),
    "png palette alpha": (encode(PICTURE.quantize(), "PNG", transparency=0), "image/png", True),
    "jpeg": (encode(PICTURE, "JPEG"), "image/jpeg", False),
    "jpeg progressive": (
        encode(PICTURE, "JPEG", progressive=True, exif=b"Exif\0\0" + b"\xff" * 99),
        "image/jpeg",
        False,
    ),
    "jpeg restarts": (encode(PICTURE, "JPEG", restart_marker_rows=1, quality=100), "image/jpeg", False),
    "webp": (encode(PICTURE, "WEBP"), "image/webp", False),
    "webp lossless": (encode(PICTURE, "WEBP", lossless=True), "image/webp", False),
    "webp lossless alpha": (encode(SEE_THROUGH, "WEBP", lossless=True), "image/webp", True),
    "webp alpha": (encode(SEE_THROUGH, "WEBP"), "image/webp", True),
    "avif": (encode(PICTURE, "AVIF"), "image/avif", False),
    "avif alpha": (encode(SEE_THROUGH, "AVIF"), "image/avif", True),
    "gif": (encode(PICTURE, "GIF"), "image/gif", False),
    "gif animated": (
        encode(SEE_THROUGH, "GIF", save_all=True, append_images=[SEE_THROUGH.rotate(90)]),
        "image/gif",
        True,
    ),
}
every_image = pytest.mark.parametrize("name", IMAGES)


@every_image
def test_facts_are_those_of_the_picture(name: str) -> None:
    """Type, size in pixels and transparency come from the image's own header."""
    data, media_type, has_alpha = IMAGES[name]
    assert facts(data) == ImageFacts(media_type, 60, 40, has_alpha)
    assert sniff(data[:12]) == media_type


@every_image
@pytest.mark.parametrize("step", [1, 2, 7, 64])
def test_the_sizes_of_the_chunks_do_not_matter(name: str, step: int) -> None:
    """Fed by the byte or at once, an image gives the same answer."""
    data, media_type, has_alpha = IMAGES[name]
    check = ImageCheck()
    assert check.media_type is None
    for start in range(0, len(data), step):
        check.feed(data[start : start + step])
        check.feed(b"")
    assert check.finish() == check.media_type == media_type
    assert check.size == len(data)
    assert check.facts() == ImageFacts(media_type, 60, 40, has_alpha)


@every_image
def test_a_cut_image_is_found_wherever_it_was_cut(name: str) -> None:
    """Every proper beginning of an image, down to its first byte, is called truncated."""
    data = IMAGES[name][0]
    for end in range(1, len(data)):
        check = ImageCheck()
        check.feed(data[:end])
        with pytest.raises(Truncated, match=f"cut off after {end} bytes") as caught:
            check.finish()
        assert caught.value.reason == "truncated"


@every_image
@pytest.mark.parametrize("rest", [b"\0" * 1000, b"trailing \xff\xd9 metadata"])
def test_what_follows_the_end_is_tolerated(name: str, rest: bytes) -> None:
    """Cameras and editors append to images, and every viewer lets them."""
    data, media_type, _ = IMAGES[name]
    check = ImageCheck()
    check.feed(data)
    check.feed(rest)
    assert check.finish() == media_type
    assert check.size == len(data) + len(rest)
    assert facts(data + rest).media_type == media_type


def test_a_gif_with_comments_and_colours_is_walked_to_its_end() -> None:
    """Extensions, empty ones too, and local colour tables are passed over."""
    assert facts(GIF) == ImageFacts("image/gif", 3, 2, True)


def test_the_smallest_webp_is_read() -> None:
    """A picture chunk may be shorter than the longest header."""
    assert facts(TINY_WEBP).media_type == "image/webp"
    assert facts(TINY_WEBP + b"\0").height > 0


@pytest.mark.parametrize("window", [1, 2, 3, 50])
def test_where_the_search_for_the_end_pauses_does_not_matter(
    window: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A JPEG's marker that lies across two windows is found, and nothing else is taken for one."""
    monkeypatch.setattr("dalle2._image._formats._SEARCHED", window)
    for name, (data, media_type, _) in IMAGES.items():
        if media_type == "image/jpeg":
            assert facts(data + b"\xff\xd9")[:3] == ("image/jpeg", 60, 40), name
            with pytest.raises(Truncated):
                facts(data[:-1])


def test_the_marks_inside_an_exif_thumbnail_do_not_end_a_jpeg() -> None:
    """A JPEG cut after the picture embedded in its header is cut, although it ends in an end marker."""
    inner = encode(PICTURE.resize((8, 8)), "JPEG")
    whole = encode(PICTURE, "JPEG", exif=b"Exif\0\0" + inner)
    end = whole.index(inner) + len(inner)
    assert whole[:end].endswith(b"\xff\xd9")
    assert facts(whole).width == 60
    with pytest.raises(Truncated):
        facts(whole[:end])


def test_markers_without_content_are_passed_over() -> None:
    """JPEG fills with FF and has markers without a length; a frame header may be too short for a size."""
    with pytest.raises(NotAnImage, match="size in pixels"):
        facts(b"\xff\xd8\xff\xff\x01\xff\xd0\xff\xc0\0\x03\x08\xff\xd9")


DAMAGED = {
    "png checksum": (IMAGES["png"][0].replace(b"IDAT", b"IDAT\x00", 1), "checksum of the PNG chunk IDAT"),
    "png chunk": (PNG + b"\0\0\0\0I\0\0\0", "no PNG chunk"),
    "png length": (PNG + b"\xff\xff\xff\xffIHDR", "no PNG chunk"),
    "jpeg marker": (b"\xff\xd8\xff\xe0\0\x02oops", "no JPEG marker"),
    "jpeg length": (b"\xff\xd8\xff\xe0\0\x01", "without a length"),
    "webp length": (b"RIFF\x04\0\0\0WEBP", "too short"),
    "webp kind": (b"RIFF\x20\0\0\0WEBPJUNK" + b"\0" * 20, "no picture"),
    "gif block": (b"GIF89a\x03\0\x02\0\0\0\0\x99", "no GIF block"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_structure_that_cannot_be_is_damage(name: str) -> None:
    """Damage is found while the bytes stream past, and feeding on does not make it whole."""
    data, detail = DAMAGED[name]
    check = ImageCheck()
    with pytest.raises(NotAnImage, match=detail) as caught:
        check.feed(data)
    assert caught.value.reason == "damaged"
    check.feed(IMAGES["png"][0])
    with pytest.raises(ImageError):
        check.finish()


def test_a_flipped_bit_in_picture_data_is_damage() -> None:
    """PNG carries checksums, so bytes that changed on the way are found."""
    data = bytearray(IMAGES["png"][0])
    data[data.index(b"IDAT") + 20] ^= 1
    with pytest.raises(NotAnImage, match="IDAT"):
        facts(bytes(data))


def test_picture_sums_can_be_left_to_who_vouches_for_the_bytes() -> None:
    """Then only the picture data are passed over: structure, header and end are proven as ever."""
    whole = IMAGES["png"][0]
    changed = bytearray(whole)
    changed[changed.index(b"IDAT") + 20] ^= 1
    check = ImageCheck(sums=False)
    check.feed(bytes(changed))
    assert check.finish() == "image/png"
    changed = bytearray(whole)
    changed[20] ^= 1
    with pytest.raises(NotAnImage, match="checksum of the PNG chunk IHDR"):
        ImageCheck(sums=False).feed(bytes(changed))
    cut = ImageCheck(sums=False)
    cut.feed(whole[:-20])
    with pytest.raises(ImageError):
        cut.finish()


def test_damage_in_what_readers_pass_over_is_not_looked_at() -> None:
    """An odd extra chunk makes no picture unreadable."""
    data = IMAGES["png"][0]
    extra = bytearray(chunk(b"tEXt", b"Comment\0hello"))
    extra[-1] ^= 1
    assert facts(data[:33] + bytes(extra) + data[33:]).width == 60


@pytest.mark.parametrize("size", [0, 5])
def test_a_png_without_a_size_has_no_facts(size: int) -> None:
    """Zero pixels, or a header too short to tell, is no picture to send."""
    data = PNG + chunk(b"IHDR", bytes(size) if size else bytes(13)) + chunk(b"IDAT", b"x") + chunk(b"IEND")
    with pytest.raises(NotAnImage, match="size in pixels"):
        facts(data)


def test_facts_before_any_bytes_are_an_error() -> None:
    """Nothing is known of an image nobody has seen."""
    with pytest.raises(NotAnImage):
        ImageCheck().facts()


OTHERS = {
    "empty": (b"", "an empty body"),
    "html": (b"\xef\xbb\xbf \n<!DOCTYPE html><title>502", "an HTML page"),
    "html after a declaration": (b"<?xml version='1.0'?>\n<HTML><body>", "an HTML page"),
    "xml": (b"<?xml version='1.0'?><Error><Code>AuthenticationFailed</Code></Error>", "an XML document"),
    "json": (b' {"error": {"message": "no"}}', "a JSON document"),
    "json list": (b"[1]", "a JSON document"),
    "text": (b"Forbidden\r\n", "plain text"),
    "unknown heic": (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "a HEIC picture"),
    "unknown heif": (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", "a HEIF picture"),
    "unknown video": (b"\0\0\0\x18ftypisom\0\0\0\0isommp42", "a video"),
    "unknown bmp": (encode(PICTURE, "BMP"), "a BMP picture"),
    "unknown tiff": (encode(PICTURE, "TIFF"), "a TIFF picture"),
    "unknown jp2": (b"\0\0\0\x0cjP  \r\n\x87\n", "a JPEG 2000 picture"),
    "unknown jxl": (b"\xff\x0a\x10\0", "a JPEG XL picture"),
    "unknown pdf": (b"%PDF-1.7\n\xe2\xe3", "a PDF document"),
    "unknown zip": (b"PK\x03\x04\x14\0", "a ZIP archive"),
    "unknown packed": (b"\x1f\x8b\x08\0", "gzip-compressed data"),
    "unknown": (b"\x7fELF\x02\x01\x01\0", "unknown kind"),
    "sound": (b"RIFF\x24\0\0\0WAVEfmt ", "cut off|unknown kind"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_no_image_is_called_by_its_name(name: str) -> None:
    """An error page in place of a picture says what it is."""
    body, detail = OTHERS[name]
    with pytest.raises(ImageError, match=detail) as caught:
        facts(body)
    assert str(caught.value) == caught.value.detail
    if name != "sound":
        assert caught.value.reason == name.split()[0]


def test_a_long_page_is_refused_before_its_end() -> None:
    """A download of something else stops after the first bytes."""
    check = ImageCheck()
    check.feed(b"<html>" + b" " * 500)
    with pytest.raises(NotAnImage, match="an HTML page"):
        check.feed(b" " * 10)


def test_an_svg_counts_only_if_it_clearly_begins_as_one() -> None:
    """A drawing may follow a declaration and comments; other XML is none, even if it contains one."""
    check = ImageCheck()
    check.feed(SVG)
    assert check.finish() == "image/svg+xml"
    with pytest.raises(NotAnImage, match="size in pixels"):
        check.facts()
    cut = ImageCheck()
    cut.feed(SVG.partition(b"</svg>")[0])
    assert cut.media_type == "image/svg+xml"
    with pytest.raises(Truncated, match="SVG"):
        cut.finish()
    assert sniff(b"<Error><svg></svg></Error>") is None
    assert sniff(b"<svgfoo>") is None
    assert sniff(b"<html><svg>") is None


@pytest.mark.parametrize(
    ("media_type", "suffix"),
    [
        ("image/png", ".png"),
        ("image/jpeg", ".jpg"),
        ("image/webp", ".webp"),
        ("image/gif", ".gif"),
        ("image/svg+xml", ".svg"),
        ("Image/PNG; charset=binary", ".png"),
        ("image/avif", ".avif"),
        ("image/heic", ".img"),
    ],
)
def test_a_media_type_has_its_suffix(media_type: str, suffix: str) -> None:
    """The suffix follows from the bytes' type, not from the URL."""
    assert suffix_for(media_type) == suffix


def test_its_errors_survive_a_pickle() -> None:
    """Process pools carry them between processes."""
    error = pickle.loads(pickle.dumps(NotAnImage("html", "an HTML page")))
    assert (error.reason, error.detail, str(error)) == ("html", "an HTML page", "an HTML page")
    assert isinstance(error, ValueError)


SIGNATURES = [PNG, b"\xff\xd8\xff", b"GIF89a", b"RIFF\x20\0\0\0WEBPVP8X", b"<svg ", b""]


@given(st.sampled_from(SIGNATURES), st.lists(st.binary(max_size=40), max_size=6))
def test_any_bytes_are_an_image_or_an_image_error(start: bytes, pieces: list[bytes]) -> None:
    """Whatever comes, in whatever pieces, the verdict is the same and nothing else is raised."""

    def verdict(parts: list[bytes]) -> str:
        check = ImageCheck()
        try:
            for part in parts:
                check.feed(part)
            return check.finish()
        except ImageError as error:
            return error.reason

    assert verdict([start, *pieces]) == verdict([start + b"".join(pieces)])


@given(st.sampled_from(sorted(IMAGES)), st.data())
def test_any_splitting_of_an_image_gives_the_same_answer(name: str, data: st.DataObject) -> None:
    """The network decides where chunks end, and that must not matter."""
    image, media_type, has_alpha = IMAGES[name]
    cuts = sorted(data.draw(st.lists(st.integers(0, len(image)), max_size=5)))
    check = ImageCheck()
    for start, end in zip([0, *cuts], [*cuts, len(image)], strict=True):
        check.feed(image[start:end])
    assert check.finish() == media_type
    assert check.facts().has_alpha is has_alpha


def box(kind: bytes, content: bytes = b"", *, large: bool = False) -> bytes:
    """One box of a file made of boxes."""
    if large:
        return b"\0\0\0\1" + kind + (len(content) + 16).to_bytes(8, "big") + content
    return (len(content) + 8).to_bytes(4, "big") + kind + content


FTYP = box(b"ftyp", b"mif1\0\0\0\0mif1avif")
ISPE = b"ispe\0\0\0\0" + (7).to_bytes(4, "big") + (9).to_bytes(4, "big")


def test_boxes_may_stand_in_any_order_and_be_large() -> None:
    """AVIF may be the second brand, the data may come first, and lengths may be of 64 bits."""
    data = FTYP + box(b"mdat", b"x" * 50, large=True) + box(b"free") + box(b"meta", b"\0\0\0\0" + ISPE)
    assert facts(data) == ImageFacts("image/avif", 7, 9, False)
    assert facts(data + b"more") == facts(data)
    with pytest.raises(Truncated):
        facts(data[:-1])
    endless = FTYP + box(b"meta", ISPE) + b"\0\0\0\0mdat" + b"x" * 50  # it goes to the end of the file
    assert facts(endless).height == 9
    long = FTYP + box(b"meta", ISPE + b"x" * 70_000) + box(b"mdat")
    assert facts(long).width == 7
    with pytest.raises(NotAnImage, match="without a size"):
        facts(FTYP + box(b"meta") + box(b"mdat"))


@pytest.mark.parametrize(
    "wrong",
    [
        b"\0\0\0\7meta",
        b"\0\0\0\0mdat",
        b"\0\0\1\0\0\0\0\0",
        b"\0\0\0\1mdat" + b"\xff" * 8,
        b"\0\0\0\1meta" + bytes(8),
    ],
    ids=["too short", "without end", "no name", "too long", "large and too short"],
)
def test_boxes_that_cannot_be_are_a_damaged_image(wrong: bytes) -> None:
    """A length that is none, or no name where one must be."""
    with pytest.raises(NotAnImage, match="AVIF box"):
        facts(FTYP + wrong + bytes(100))


@every_image
def test_the_beginning_of_an_image_tells_its_kind(name: str) -> None:
    """In words that a message can use; what begins as nothing known has none."""
    data, media_type, _ = IMAGES[name]
    assert described(data[:64]) == f"a {media_type.partition('/')[2].upper()} picture"
    assert described(b"this is a text") is None
