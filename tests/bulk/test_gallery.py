"""A run to look through: what is in the page, and what a hostile prompt cannot do to it."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import sqlite3
from contextlib import closing
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, unquote_to_bytes

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import dalle2
from dalle2 import bulk
from dalle2._cli import main
from dalle2.bulk._gallery import write_gallery
from dalle2.testing import Emulator

from .conftest import job

HOSTILE = "</p><script>alert(1)</script><img src=x onerror=alert(2)>\" ' & <!-- \u202e {{7*7}}"


class Page(HTMLParser):
    """The tags of a page, and the text between them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """One more tag."""
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        """One more text."""
        self.text.append(data)


def run(client: dalle2.Client, jobs: list[bulk.Job], out: object = "out") -> str:
    """The page of a run."""
    bulk.run(client, jobs, journal="run.db", out=out, concurrency=1)  # type: ignore[arg-type]
    assert write_gallery("run.db", "page.html") == Path("page.html")
    return Path("page.html").read_text(encoding="utf-8")


def test_every_call_has_a_card(client: dalle2.Client, emulator: Emulator) -> None:
    """With its pictures, its prompt, its state, its cost, and what went wrong."""
    emulator.fail_next(400)
    emulator.lose_next()
    page = Page(run(client, [job("no"), job("lost"), job("a/b", n=2)]))
    cards = [attrs["data-state"] for tag, attrs in page.tags if tag == "article"]
    assert cards == ["failed", "held", "done", "done"]
    sources = [attrs["src"] for tag, attrs in page.tags if tag == "img" and attrs.get("src")]
    assert [unquote(str(source)) for source in sources] == ["out/a-b-1.png", "out/a-b-2.png"]
    assert all(Path(unquote(str(source))).exists() for source in sources)
    text = "".join(page.text)
    assert "a/b · done · $0.032" in text and "lost · held · $0.016" in text and "BadRequestError" in text
    boxes = [attrs["value"] for tag, attrs in page.tags if attrs.get("type") == "checkbox"]
    assert boxes == ["done", "failed", "held"]


def test_only_its_own_script_and_style_may_run(client: dalle2.Client) -> None:
    """The policy names them by their hashes, and allows pictures that are files."""
    page = run(client, [job("a", HOSTILE)])
    policy = str(dict(Page(page).tags[3][1]).get("content") or "")
    policy = next(str(attrs["content"]) for tag, attrs in Page(page).tags if attrs.get("http-equiv"))
    assert policy.startswith("default-src 'none'; img-src 'self' file:; ")
    for tag in ("style", "script"):
        (found,) = re.findall(f"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(found.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert "unsafe" not in policy


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(min_size=1, max_size=60).filter(lambda text: text.strip()), st.text(max_size=20))
def test_whatever_a_prompt_says_is_text(text: str, more: str) -> None:
    """In the card, in the description of the picture, and in an error."""
    Path("run.db").unlink(missing_ok=True)
    try:
        one = bulk.Job(f"{more}x", dalle2.GenerateRequest(prompt=HOSTILE + text, size="256x256"))
        with dalle2.Client("sk-test", http_client=Emulator().client()) as client:
            bulk.run(client, [one], journal="run.db", out=Keep())
    except dalle2.InvalidRequestError:
        return  # half of a surrogate pair, or no name for a file
    write_gallery("run.db", "page.html")
    tags = [tag for tag, _ in Page(Path("page.html").read_text(encoding="utf-8")).tags]
    usual = ["html", "head", "meta", "meta", "meta", "meta", "title", "style", "body", "header", "h1", "span"]
    assert tags[: len(usual)] == usual
    assert (tags.count("script"), tags.count("img"), tags.count("article")) == (1, 1, 1)


class Keep:
    """A store that has no files to show."""

    def put(self, key: str, data: bytes, create: bool) -> None:
        """Keep it."""


def test_pictures_that_are_no_files_are_named(client: dalle2.Client) -> None:
    """By their keys; a call without an image says its state."""
    page = run(client, [job("a")], out=Keep())
    assert '<div class="frame none">a-1.png</div>' in page


def test_a_path_is_never_read_as_an_address(client: dalle2.Client) -> None:
    """A folder may be called like a script."""
    page = run(client, [job("a")], out="javascript:alert(1)")
    assert 'src="javascript%3Aalert%281%29/a-1.png"' in page


@pytest.mark.parametrize("out", ["a b#c%25d?e", "bücher/\u202e", os.fsdecode(b"\xff\xfe"), "../up"])
@pytest.mark.parametrize("page", ["page.html", "there/ # %/page.html"])
def test_a_page_finds_its_pictures_from_where_it_is(
    client: dalle2.Client, folder: Path, monkeypatch: pytest.MonkeyPatch, out: str, page: str
) -> None:
    """Whatever characters, or bytes that are none, are in the names of the folders."""
    (folder / "here").mkdir()
    monkeypatch.chdir(folder / "here")
    bulk.run(client, [job("a")], journal="run.db", out=out)
    Path(page).parent.mkdir(parents=True, exist_ok=True)
    write_gallery("run.db", page)
    (source,) = re.findall(r'src="([^"]*)"', Path(page).read_text(encoding="utf-8"))
    assert re.fullmatch(r"[\w./%~-]+", source, re.ASCII)
    found = os.path.join(os.fsencode(Path(page).parent), unquote_to_bytes(source))
    assert os.path.samefile(found, os.path.join(out, "a-1.png"))


def test_what_a_journal_of_somebody_else_says_is_text(client: dalle2.Client) -> None:
    """Its states and paths, too, and where its images are kept."""
    run(client, [job("a"), job("b")], out=Keep())
    with closing(sqlite3.connect("run.db")) as db:
        db.execute("UPDATE job SET state = ?, error = ?", ('"><script>', "<img src=x onerror=alert(1)>"))
        db.execute("UPDATE image SET path = ? WHERE job = 1", ("<b>",))
        db.execute("UPDATE run SET options = ?", ('{"out": "s3://bucket/<i>"}',))
        db.commit()
    write_gallery("run.db", "page.html")
    page = Path("page.html").read_text(encoding="utf-8")
    tags = [tag for tag, _ in Page(page).tags]
    assert (tags.count("script"), tags.count("img"), tags.count("b"), tags.count("i")) == (1, 1, 0, 0)
    assert "s3://bucket/&lt;i&gt;/&lt;b&gt;" in page


def test_a_page_is_replaced_and_another_file_is_not(
    client: dalle2.Client, capsys: pytest.CaptureFixture[str]
) -> None:
    """From the command line, too."""
    run(client, [job("a")])
    assert main(["bulk", "gallery", "run.db", "-o", "page.html"]) == 0
    assert capsys.readouterr().out == "page.html\n"
    Path("other.html").write_text("<p>mine</p>")
    with pytest.raises(FileExistsError, match="is no gallery"):
        write_gallery("run.db", "other.html")
    assert main(["bulk", "gallery", "run.db", "-o", "other.html"]) == 1
    assert Path("other.html").read_text() == "<p>mine</p>"
    assert main(["bulk", "gallery", "none.db", "-o", "page.html"]) == 1
