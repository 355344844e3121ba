"""The scanner finds every form of call on a retired model in a tree of fixtures, and nothing else."""

from __future__ import annotations

import os
import re
import shutil
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dalle2._doctor._scan import Finding, scan_path, scan_source

TODAY = date(2026, 11, 20)
FIXTURES = Path(__file__).parents[1] / "fixtures" / "scan"
MARK = re.compile(r"# (FOUND|HOST|UNCLEAR) ?(\S+)?$")
KINDS = {"retired": "FOUND", "retiring": "FOUND", "host": "HOST", "unclear": "UNCLEAR"}


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The fixture tree under its real names; in the repository each ends in `.txt`, so that no tool trips."""
    root = tmp_path_factory.mktemp("scan")
    for file in FIXTURES.rglob("*"):
        if file.is_file():
            target = root / str(file.relative_to(FIXTURES)).removesuffix(".txt")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, target)
    for folder in (".venv/lib", "node_modules/x", ".git", "__pycache__", "myenv"):
        (root / folder).mkdir(parents=True)
        (root / folder / "hidden.py").write_text("import openai; openai.Image.create(prompt='x')\n")
    (root / "myenv" / "pyvenv.cfg").touch()
    return root


def calls(source: str, today: date = TODAY) -> list[Finding]:
    """The findings in a few lines of Python."""
    return scan_source(source, "a.py", today=today)


def sdk(call: str, today: date = TODAY) -> list[Finding]:
    """The findings in one call on a client of the official SDK named `c`."""
    return calls(f"from openai import OpenAI, AsyncOpenAI\nc = OpenAI(api_key='sk-secret')\n{call}\n", today)


def test_every_marked_line_is_found_and_no_other(tree: Path) -> None:
    """Each line that is marked in the fixtures has its finding; look-alikes have none."""
    marked = set()
    for file in tree.rglob("*.py"):
        for number, line in enumerate(file.read_bytes().decode("latin-1").splitlines(), 1):
            if match := MARK.search(line):
                marked.add((file.name, number, match[1], match[2]))
    found = [one for one in scan_path(tree, today=TODAY) if one.kind in KINDS and one.cell is None]
    assert {(Path(one.file).name, one.line, KINDS[one.kind], one.model) for one in found} == marked
    assert len(marked) > 100


def test_folders_of_others_are_not_entered(tree: Path) -> None:
    """Environments, packages of Node, caches and version control are skipped, unless named themselves."""
    assert not [one for one in scan_path(tree, today=TODAY) if one.file.endswith("hidden.py")]
    assert len(scan_path(tree / ".venv" / "lib", today=TODAY)) == 1


def test_what_cannot_be_read_is_a_finding(tree: Path) -> None:
    """A wrong encoding and a broken notebook are told, and count if they speak of images; old Python with
    another subject is not even told.
    """
    found = [one for one in scan_path(tree / "notes", today=TODAY) if one.kind in ("error", "unread")]
    problems = {(Path(one.file).name, one.kind): one for one in found}
    assert set(problems) == {
        ("klingon.py", "unread"),
        ("not_utf8.py", "unread"),
        ("notebook.ipynb", "unread"),
    }
    klingon = problems["klingon.py", "unread"]
    assert klingon.problem == "cannot be read: unknown encoding: klingon"
    assert (klingon.line, klingon.model, klingon.change) == (1, None, "")


def test_a_notebook_is_scanned_by_its_code_cells(tree: Path) -> None:
    """Names carry over from cell to cell; magics, shell lines and other languages are passed over."""
    (found,) = [one for one in scan_path(tree / "notes", today=TODAY) if one.cell and one.kind == "retired"]
    assert (found.cell, found.line, found.column, found.model) == (3, 2, 5, "dall-e-2")
    assert "notebook.ipynb:cell 3:2:5: client.images.generate: " in str(found)


def test_one_file_can_be_named(tree: Path) -> None:
    """A path to a file scans that file, whatever its name ends in."""
    named = tree / "script"
    named.write_text("import openai\nopenai.Image.create(prompt='x')\n")
    assert [one.line for one in scan_path(named, today=TODAY)] == [2]
    assert [one.problem for one in scan_path(str(tree / "none.py"), today=TODAY)] == [
        "cannot be read: No such file or directory"
    ]


def test_a_folder_may_import_from_above_it(tree: Path) -> None:
    """Names from files outside the folder that is scanned are followed, but those files are not reported."""
    assert [one.line for one in scan_path(tree / "proj" / "sub", today=TODAY)] == [5]


def test_a_model_behind_and_is_found() -> None:
    """`x and y` can be either."""
    found = calls(
        "import openai\nm = ok and 'dall-e-2'\nopenai.OpenAI().images.generate(model=m, prompt='x')\n"
    )
    assert [one.model for one in found] == ["dall-e-2"]


def test_the_current_folder_can_be_scanned(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative path gives relative file names."""
    monkeypatch.chdir(tree / "proj")
    assert {one.file for one in scan_path(".", today=TODAY)} == {
        "clients.py",
        "main.py",
        "sub/inner.py".replace("/", os.sep),
    }


def test_a_finding_says_where_what_and_the_change() -> None:
    """File, line, column, call, model, problem, and the change for each argument."""
    [one] = sdk("x = c.images.generate(model='dall-e-2', prompt='p', size='256x256', response_format='url')")
    assert (one.file, one.line, one.column, one.call) == ("a.py", 3, 5, "c.images.generate")
    assert (one.model, one.kind, one.cell) == ("dall-e-2", "retired", None)
    assert one.problem == "model 'dall-e-2' was retired on 2026-05-12"
    assert one.change == (
        "use model='gpt-image-2.5-flare'; size 256x256 is not available there: "
        "ask for 816x816 and scale the image; "
        "drop response_format: the answer always holds base64 (b64_json), never a URL; "
        "or run it unchanged with dalle2.compat.OpenAI(successor='auto'), or, where other calls need the "
        "same client, after dalle2.compat.install(successor='auto')"
    )
    assert str(one) == f"a.py:3:5: c.images.generate: {one.problem}: {one.change}"


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ("c.images.generate(model='dall-e-3', quality='hd', prompt='p')", "quality 'hd' becomes 'high'"),
        (
            "c.images.generate(model='dall-e-3', quality='standard', prompt='p')",
            "quality 'standard' becomes 'medium'",
        ),
        ("c.images.generate(model='dall-e-3', quality='odd', prompt='p')", "quality 'odd' becomes 'auto'"),
        ("c.images.generate(model='dall-e-3', style='vivid', prompt='p')", "drop style; "),
        ("c.images.generate(prompt='p')", "the answer holds base64 (b64_json), never a URL"),
        ("c.images.generate(prompt='p', size='9999x1')", "ask for 1024x1024 and scale the image"),
        (
            "c.images.create_variation(image=i)",
            "use edit with model='gpt-image-2.5-flare' and a prompt that says what to vary",
        ),
        ("AsyncOpenAI().images.generate(prompt='p')", "dalle2.compat.AsyncOpenAI(successor='auto')"),
        (
            "import openai; openai.Image.create_variation()",
            "run it unchanged with import dalle2.compat as openai, and openai.successor = 'auto'",
        ),
        (
            "import openai; openai.Image.acreate_variation()",
            "run it unchanged with import dalle2.compat as openai, and openai.successor = 'auto'",
        ),
        (
            "import openai; openai.Image.create()",
            "openai.Image left the SDK with version 1.0: call OpenAI().images.generate",
        ),
        (
            "import dalle2; dalle2.Client().generate('p', model='dall-e-2')",
            "run it unchanged with dalle2.Client(successor='auto')",
        ),
        (
            "requests.post('https://api.openai.com/v1/images/edits', json=dict(size='512x512'))",
            "; or call dalle2.Client(successor='auto').edit",
        ),
        (
            "import requests; requests.post('https://api.openai.com/v1/images/variations', files=x)",
            "use images/edits with model=",
        ),
        (
            "from langchain.utilities import DallEAPIWrapper as D; D()",
            "the wrapper hands on the answer's URL",
        ),
    ],
)
def test_the_change_fits_the_call(call: str, words: str) -> None:
    """Each argument that the successor does not take is named with what to do."""
    [one] = sdk(call)
    assert words in one.change


def test_no_promise_is_made_that_compat_does_not_keep() -> None:
    """A streamed response is refused there, and a model that never had the old contract needs none."""
    [one] = sdk("c.images.with_streaming_response.generate(model='dall-e-2', prompt='p')")
    assert "compat" not in one.change


def test_arguments_that_stay_are_not_spoken_of() -> None:
    """What the successor takes needs no change, and a newer model does not need the old contract."""
    [one] = sdk("c.images.generate(model='gpt-image-1', prompt='p', size='1024x1024', quality='low')")
    assert one.change == "use model='gpt-image-2.5-sunburst'"


def test_no_secret_of_the_source_is_shown() -> None:
    """Keys and prompts of the scanned source are in no finding."""
    found = sdk("OpenAI(api_key='sk-secret').images.generate(prompt='private', size='x' * 3)")
    found += sdk("dict(a=c)['sk-secret'].images.generate(prompt='private', model='dall-e-2')")
    found += sdk("[c]['sk-secret' == ''].images.generate(prompt='private', model='dall-e-2')")
    found += sdk("[c][0].images.generate(prompt='private', model='dall-e-2')")
    assert [one.call for one in found] == ["OpenAI().images.generate", *["(...).images.generate"] * 3]
    assert not re.search("sk-|private", "".join(map(str, found)))


@pytest.mark.parametrize("name", ["size", "quality"])
@pytest.mark.parametrize("text", ["", "sk-0123456789", "a b", "1x2x3", "x" * 30, "9" * 30 + "x1", "\\x1b[2J"])
def test_what_does_not_look_like_an_argument_is_not_shown(name: str, text: str) -> None:
    """A size and a quality are shown; a text that a mistake put in their place may be anything."""
    [one] = sdk(f"c.images.generate(model='dall-e-3', prompt='p', {name}='{text}')")
    assert "size" not in one.change
    assert "quality" not in one.change


def test_the_day_decides() -> None:
    """Long before the end nothing is said, in the last month that it nears, then that it is gone."""
    call = "c.images.generate(model='dall-e-2', prompt='p')\nc.images.create_variation(image=i)"
    assert sdk(call, date(2026, 3, 1)) == []
    near = sdk(call, date(2026, 5, 1))
    assert [one.kind for one in near] == ["retiring", "retiring"]
    assert near[0].problem == "model 'dall-e-2' will be retired on 2026-05-12"
    gone = sdk(call, date(2026, 5, 12))
    assert [one.kind for one in gone] == ["retired", "retired"]
    assert gone[1].problem == "variations were served by 'dall-e-2' alone, and it was retired on 2026-05-12"


def test_a_default_is_told_as_one() -> None:
    """A call without a model is told which one it got."""
    assert sdk("c.images.generate(prompt='p')")[0].problem == (
        "no model is named, and the default, 'dall-e-2', was retired on 2026-05-12"
    )


def test_without_a_living_model_there_is_no_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Advice is given only where there is some."""
    monkeypatch.setattr("dalle2.catalog.successor_of", lambda *_: None)
    monkeypatch.setattr("dalle2.catalog.default_successor", lambda *_: None)
    [one] = sdk("c.images.generate(prompt='p')")
    assert one.change == ""
    assert str(one) == f"a.py:3:1: c.images.generate: {one.problem}"


@pytest.mark.parametrize(
    "source",
    [
        "def f(:",
        "x = '\0'",
        "(" * 500,
        "openai" + ".a" * 50_000,
        "openai = " + "-" * 20_000 + "1",
        "openai = " + " + ".join(["1"] * 5000),
    ],
    ids=["syntax", "null byte", "parentheses", "attributes", "minus", "long sum"],
)
def test_a_source_that_cannot_be_parsed_is_one_finding(source: str) -> None:
    """Neither broken nor absurd sources stop the scanner; they count if they speak of images."""
    assert [one.kind for one in calls(f"{source}\n# openai images")] == ["unread"]
    assert [one.kind for one in calls(f"{source}\n# dall-e")] == ["error"]


def test_a_call_in_a_default_is_found() -> None:
    """Of a lambda, too: it is made where the lambda is."""
    (found,) = sdk("f = lambda x=c.images.generate(model='dall-e-2', prompt='x'): x")
    assert found.kind == "retired"


def test_a_name_that_may_be_too_much_is_unknown() -> None:
    """More than a handful of possible values are as good as none."""
    names = [f"m{i}" for i in range(20)]
    found = sdk(f"for m in {['dall-e-2', *names]}:\n    c.images.generate(model=m, prompt='p')")
    assert [one.kind for one in found] == ["unclear"]


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        ("c.images.generate(**options)", "its arguments are not in the source"),
        ("c.images.generate(model=wanted, prompt='p')", "its model is not in the source"),
        ("wanted.images.edit(prompt='p')", "the client of this call is not in the source"),
        (
            "wanted.images.generate(model='dall-e-2' if x else 'my-own', prompt='p')",
            "the client of this call, for 'dall-e-2', is not in the source",
        ),
    ],
)
def test_what_is_not_understood_is_told_with_the_reason(call: str, reason: str) -> None:
    """Nothing is guessed, and no name but a model's is shown."""
    (one,) = sdk(call)
    assert (one.kind, one.problem, one.change, one.model) == (
        "unclear",
        f"not understood: {reason}",
        "",
        None,
    )


def test_a_call_is_not_understood_only_if_no_way_tells_more() -> None:
    """A function whose callers name a living model needs no change, however little it says itself."""
    assert sdk("def f(m):\n    c.images.generate(model=m, prompt='p')\nf('gpt-image-2')") == []


def test_a_host_that_is_not_known_is_a_finding_of_its_own() -> None:
    """With the change that is needed if it is OpenAI's."""
    (one,) = sdk("OpenAI(base_url=settings.url).images.generate(model='gpt-image-1', prompt='p')")
    assert one.kind == "host"
    assert one.problem == "if this is OpenAI's host: model 'gpt-image-1' was retired on 2026-10-23"
    assert one.change == "use model='gpt-image-2.5-sunburst'"


def test_a_host_that_one_way_tells_is_told() -> None:
    """Where another way leads from a host that is not known, the certain finding is enough."""
    [one] = calls(
        "from openai import OpenAI\ndef draw(client):\n"
        "    client.images.generate(model='dall-e-2', prompt='p')\n"
        "draw(OpenAI())\ndraw(OpenAI(base_url=settings.url))\n"
    )
    assert (one.kind, one.line) == ("retired", 3)


def test_a_call_that_many_ways_lead_to_is_one_finding() -> None:
    """With the changes of all of them, each once."""
    (one,) = sdk(
        "def f(size):\n    c.images.generate(model='dall-e-2', prompt='p', size=size)\n"
        "f('256x256')\nf('512x512')\nf('1024x1024')"
    )
    assert one.change.count("size 256x256 is not available there") == 1
    assert one.change.count("size 512x512 is not available there") == 1
    assert one.change.count("use model=") == 1


def test_warnings_about_the_source_are_not_ours() -> None:
    """An invalid escape in a scanned file warns nobody."""
    assert calls("x = '\\d'  # openai") == []


WORDS = st.sampled_from(
    [
        "import openai",
        "from openai import *",
        "c = openai.OpenAI()",
        "c.images.generate(**x)",
        "x = {'model': c}",
        "x['model'] = 'dall-e-2'",
        "def f(a, *b, c=1, **d): return a",
        "f(c, *x, **x)",
        "class K(f): c = c",
        "K(c=c).c.images",
        "with c as x: pass",
        "for x in c: c = x",
        "try:\n pass\nexcept E as c: c.x = 1",
        "match c:\n case [x, *c]: pass",
        "c = lambda x=c: c",
        "x = [c for c in x if c]",
        "c, *x = x",
        "global x",
        "async def g(): await c",
        "x += c",
        "del c",
        "c: K = c",
        "x = c or x and c",
        "print(f'{c}{x!r}')",
        "(c := x)",
        "c.y: int = 1",
        "x[c] = c",
        "x[0:1] = c",
    ]
)


@given(st.lists(WORDS, max_size=12))
def test_no_combination_of_statements_breaks_the_scanner(lines: list[str]) -> None:
    """Whatever is written, the answer is a list of findings."""
    for one in calls("\n".join(["import openai", *lines, "openai.Image.create()"])):
        assert one.kind in (*KINDS, "error")
