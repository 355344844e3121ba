"""The pages for those who come from another client: both sides are run from the page, and cost what it says.

A `py` block is theirs, or stands beside their library; it is a program of its own, run by the Python that
has the library. The first block of a page in each language does the same thing, on the two sides: it is run
at a host that works, at one that loses its answers, and at one where the account is without credit.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import attrs
import pytest

import dalle2
from dalle2.testing import Emulator

DOCS = Path(__file__).parents[2] / "docs"
PAGES = {path.stem: path.read_text(encoding="utf-8") for path in sorted(DOCS.glob("from-*.md"))}
PROGRAM = """
import json, os, sys
code, hosts = json.load(sys.stdin)
for host, address in hosts.items():
    os.mkdir(host)
    os.chdir(host)
    os.environ.update(OPENAI_BASE_URL=address, OPENAI_API_BASE=address)
    try:
        exec(compile(code, "page", "exec"), {"__name__": "page"})
        error = None
    except Exception as raised:
        error = raised
    os.chdir("..")
    if "litellm" in sys.modules:  # which would go on with the address before
        sys.modules["litellm"].in_memory_llm_clients_cache.flush_cache()
    print(json.dumps([host, error and type(error).__name__, getattr(error, "status_code", None)]))
"""


def blocks(page: str, language: str) -> list[str]:
    """The blocks of a page in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGES[page], re.MULTILINE | re.DOTALL)


def python_of(page: str, language: str) -> str:
    """The Python that has the library of a side."""
    if (page, language) == ("from-litellm", "py"):  # in an environment of its own
        return str(Path(os.environ["DALLE2_PEERS_LITELLM"]).with_name("python"))
    return sys.executable


def run(python: str, code: str, folder: Path, told: str = "", **more: str) -> str:
    """What a program says that runs in a folder, with a key, and with loopback for all of the net."""
    closed = "http://127.0.0.1:9"  # whatever they want from elsewhere
    proxies = {"HTTP_PROXY": closed, "HTTPS_PROXY": closed, "NO_PROXY": "127.0.0.1"}
    env = os.environ | proxies | {"OPENAI_API_KEY": "sk-test", "LITELLM_LOCAL_MODEL_COST_MAP": "True"} | more
    command = [python, "-c", code]
    done = subprocess.run(
        command, cwd=folder, env=env, input=told, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@attrs.frozen
class Side:
    """What a side did: the calls and files where all is well, bills and requests where it is not."""

    calls: list[tuple[object, ...]]
    files: int
    lost: int
    lost_as: list[object]
    asked: int


def played(page: str, language: str, folder: Path) -> Side:
    """One side of a page, at all three hosts, in one process."""
    hosts = {"well": Emulator(), "lost": Emulator(), "broke": Emulator()}
    hosts["lost"].lose_next(9)
    hosts["broke"].fail_next(429, code="insufficient_quota", times=9)
    with ExitStack() as stack:
        addresses = {name: stack.enter_context(host.serve()).base_url for name, host in hosts.items()}
        task = json.dumps([blocks(page, language)[0], addresses])
        lines = run(python_of(page, language), PROGRAM, folder, task).splitlines()
    said = {name: rest for name, *rest in map(json.loads, filter(lambda line: line.startswith("["), lines))}
    assert said["well"] == [None, None]
    assert None not in (said["lost"][0], said["broke"][0])
    assert not hosts["broke"].billed
    return Side(
        calls=[(bill.prompt, bill.n, bill.model, bill.size) for bill in hosts["well"].billed],
        files=len([*(folder / "well").rglob("*.png")]),
        lost=len(hosts["lost"].billed),
        lost_as=said["lost"],
        asked=len(hosts["broke"].requests),
    )


@pytest.fixture(scope="module", params=PAGES)
def sides(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Side, Side]:
    """A page, their side of it, and ours."""
    theirs, ours = (
        played(request.param, language, tmp_path_factory.mktemp(language)) for language in ("py", "python")
    )
    return request.param, theirs, ours


def told(page: str, row: str) -> tuple[int, int]:
    """The two numbers of a row of the page's table: there, and here."""
    found = re.search(rf"^\| {row} \| (\d) times? \| (\d) times? \|$", PAGES[page], re.MULTILINE)
    assert found, f"{page} says nothing of {row!r}"
    return int(found[1]), int(found[2])


def test_both_sides_get_the_same(sides: tuple[str, Side, Side]) -> None:
    """One call each, for as many pictures of the same prompt, size and model, and each is on the disk."""
    _, theirs, ours = sides
    assert theirs.calls == ours.calls
    ((_, wanted, _, _),) = ours.calls
    assert theirs.files == ours.files == wanted


def test_a_lost_answer_costs_what_the_page_says(sides: tuple[str, Side, Side]) -> None:
    """By default, on both sides; both raise."""
    page, theirs, ours = sides
    assert (theirs.lost, ours.lost) == told(page, "an answer that is lost on the way is billed")
    assert ours.lost_as[0] == "OutcomeUnknownError"


def test_an_account_without_credit_is_asked_as_often_as_the_page_says(sides: tuple[str, Side, Side]) -> None:
    """Waiting does not help there, and not each side knows."""
    page, theirs, ours = sides
    assert (theirs.asked, ours.asked) == told(page, "an account without credit is asked")


@pytest.mark.parametrize(("page", "number"), [("from-openai", 1), ("from-httpx", 1), ("from-langchain", 2)])
def test_each_other_block_of_theirs_runs(page: str, number: int, base_url: str, tmp_path: Path) -> None:
    """Nobody is made to look worse by code that does not work."""
    assert sum(len(blocks(page, "py")) - 1 for page in PAGES) == 4  # and the one of the test after the next
    run(python_of(page, "py"), blocks(page, "py")[number], tmp_path, OPENAI_BASE_URL=base_url)


def test_litellm_is_as_the_page_says(base_url: str, emulator: Emulator, tmp_path: Path) -> None:
    """`max_retries=0` changes nothing, a lost answer is a 500, and the names of the table exist."""
    emulator.lose_next(9)
    run(
        python_of("from-litellm", "py"),
        "import litellm\n"
        "names = 'image_generation aimage_generation image_edit image_variation completion_cost'\n"
        "names = [*names.split(), 'BudgetManager', 'success_callback']\n"
        "assert all(hasattr(litellm, name) for name in names)\n"
        "try:\n"
        "    litellm.image_generation(model='openai/dall-e-2', prompt='a fox', max_retries=0)\n"
        "except litellm.exceptions.InternalServerError as error:\n"
        "    assert error.status_code == 500\n",
        tmp_path,
        OPENAI_BASE_URL=base_url,
    )
    assert len(emulator.billed) == 3
    assert "| the same with `max_retries=0` | 3 times |" in PAGES["from-litellm"]


def test_langchain_is_as_the_page_says(base_url: str, emulator: Emulator, tmp_path: Path) -> None:
    """It says itself that it is not maintained; a living model is billed, and its picture lost."""
    code = "import sys; sys.stderr = sys.stdout\n" + blocks("from-langchain", "py")[1]
    said = run(sys.executable, code, tmp_path, OPENAI_API_BASE=base_url)
    assert "no longer actively maintained" in said
    assert "expected str instance, NoneType found" in said
    assert [bill.model for bill in emulator.billed] == ["gpt-image-2"]


@pytest.mark.parametrize("page", PAGES)
def test_the_names_of_a_page_are_there(page: str) -> None:
    """What stands in the right column of its table as a name of this package exists."""
    table = PAGES[page].partition("## Call by call")[2].partition("\n## ")[0]
    right = "".join(row.split("|")[2] for row in re.findall(r"^\|.*\|$", table, re.MULTILINE))
    for home, pattern in (
        (dalle2.Client, r"\bclient\.(\w+)"),
        (dalle2, r"\b([A-Z]\w+)\("),
        (dalle2.Images, r"\bimages\.(\w+)"),
    ):
        assert [name for name in re.findall(pattern, right) if not hasattr(home, name)] == []
