"""Small programs for the official SDK give over `dalle2.compat` what they give over the SDK, field by field.

The `.json` beside each file of `tests/scripts` is what the official SDK gave (version 3, and 0.28 for the
programs of 2022); the peers' tests hold it to that.
"""

from __future__ import annotations

import gc
import importlib.util
import json
import os
import types
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from dalle2 import compat

SCRIPTS = Path(__file__).parents[1] / "scripts"
FILES = ("programs_sdk", "programs_azure", "programs_2022")
EXPECTED: dict[tuple[str, str], object] = {
    (file, name): outcome
    for file in FILES
    for name, outcome in json.loads((SCRIPTS / f"{file}.json").read_text(encoding="utf-8")).items()
}
# That SDK sent uploads as application/octet-stream, which the host refuses today; here they are sent as PNG.
UPLOADS_OF_2022 = {
    "try_awaited": 3,
    "try_edit": 1,
    "try_edit_by_position": 1,
    "try_variation": 1,
    "try_variation_by_position": 1,
}


def runner() -> types.ModuleType:
    """`tests/scripts/runner.py`, which is no module of a package."""
    spec = importlib.util.spec_from_file_location("runner", SCRIPTS / "runner.py")
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[tuple[str, str], object]]:
    """What each program gave over `dalle2.compat`; environment and module are put back."""
    found: dict[tuple[str, str], object] = {}
    environment, settings = dict(os.environ), dict(vars(compat))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # programs leave files and clients open
        for file in FILES:
            os.environ.clear()
            os.environ.update(environment)
            outcomes: Mapping[str, object] = runner().main(
                "compat", SCRIPTS / f"{file}.py", tmp_path_factory.mktemp(file)
            )
            found |= {(file, name): outcome for name, outcome in outcomes.items()}
            vars(compat).update(settings)
            compat.reset()
            gc.collect()
    os.environ.clear()
    os.environ.update(environment)
    yield found


def test_there_are_programs_of_each_age(given: dict[tuple[str, str], object]) -> None:
    """Each program was run, on both sides."""
    assert given.keys() == EXPECTED.keys()
    assert len([1 for file, _ in given if file == "programs_sdk"]) >= 55
    assert len([1 for file, _ in given if file == "programs_2022"]) >= 25


@pytest.mark.parametrize(("file", "name"), EXPECTED)
def test_a_program_gives_what_it_gives_over_the_sdk(
    file: str, name: str, given: dict[tuple[str, str], object]
) -> None:
    """The same answers, the same errors, and as often paid for."""
    outcome = given[file, name]
    if file == "programs_2022" and name in UPLOADS_OF_2022:
        assert isinstance(outcome, dict)
        assert "raised" not in outcome["gave"]
        assert outcome["paid for"] == UPLOADS_OF_2022[name]
    else:
        assert outcome == EXPECTED[file, name]
