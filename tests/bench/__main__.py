"""The benchmark: figures, never verdicts. `nox -s bench`, or `python tests/bench --wheel dist/….whl`.

Measures this package side by side with others on loopback, prints one Markdown table of ratios and writes
it into `docs/performance.md`, between its markers. With `--growth` it draws `docs/performance.svg` instead;
with `--bulk` it measures many images.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import environments
import figure
import growth
import many
import measuring
import table

DOCS = Path(__file__).parents[2] / "docs"
BEGIN, END = "<!-- bench: begin -->", "<!-- bench: end -->"


def main() -> None:
    """Read the options and do as they say."""
    parser = argparse.ArgumentParser(prog="bench", description="Speed and memory, side by side.")
    parser.add_argument("--wheel", type=Path, required=True, help="the built wheel of this package")
    parser.add_argument("--work", type=Path, help="where the subjects' environments are kept")
    parser.add_argument("--rounds", type=int, default=9, help="how often each figure is taken (9)")
    parser.add_argument("--only", nargs="*", default=[], metavar="SUBJECT", help="fewer subjects")
    parser.add_argument(
        "--scenario", action="append", default=[], choices=[one.key for one in table.SCENARIOS]
    )
    parser.add_argument("--growth", action="store_true", help="measure how cost grows, and draw it, instead")
    parser.add_argument("--bulk", action="store_true", help="measure many images instead (3 rounds)")
    parser.add_argument("--jobs", type=int, default=many.Size().jobs, help="of many images (500)")
    parser.add_argument("--full", action="store_true", help="send all of the 100,000, too: some ten minutes")
    parser.add_argument("--dry", action="store_true", help="print, but write nothing into docs")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="dalle2-bench-") as temporary:
        folder = Path(temporary)
        pythons = environments.make_all(options.work or folder, options.wheel.resolve(), options.only)
        with measuring.server(folder, roots(pythons)) as (origins, bundle):
            bench = measuring.Bench(pythons, origins, folder, bundle)
            if options.bulk:
                count = min(options.rounds, 3)
                size = many.Size(options.jobs, sent=many.Size().large if options.full else options.jobs)
                taken = many.measure(bench, count, size, tell)
                text = many.markdown(taken, size, notes(pythons, count))
                print(text)
                if not (options.dry or options.only):
                    write(many.BEGIN, many.END, text)
                return
            if options.growth:
                points = growth.measure(bench, min(options.rounds, 5), tell)
                print(growth.markdown(points))
                if not options.dry:
                    (DOCS / "performance.svg").write_text(figure.svg(points), encoding="utf-8")
                    write(growth.BEGIN, growth.END, growth.markdown(points))
                return
            rounds = table.measure(bench, options.rounds, options.scenario, tell)
    text = table.markdown(rounds, notes(pythons, options.rounds))
    print(text)
    if not (options.dry or options.only or options.scenario):
        write(BEGIN, END, text)


def roots(pythons: dict[str, Path]) -> Path:
    """The usual certificates, so that a TLS context costs what it costs in life."""
    library = pythons[environments.REFERENCE].parents[1]
    return next(library.rglob("certifi/cacert.pem"))


def write(begin: str, end: str, text: str) -> None:
    """Put a text between two markers of the page."""
    page = DOCS / "performance.md"
    before, _, rest = page.read_text(encoding="utf-8").partition(begin)
    after = rest.partition(end)[2]
    page.write_text(f"{before}{begin}\n{text}{end}{after}", encoding="utf-8")


def notes(pythons: dict[str, Path], rounds: int) -> str:
    """With what was measured."""
    shown = [f"Python {platform.python_version()} on {platform.system()}", f"{os.cpu_count()} cores"]
    for name in ("httpx", "openai", "aiohttp", "httpx2", "dalle2_aiohttp"):
        known = environments.versions(pythons[name]) if name in pythons else {}
        shown += [
            f"{package} {known[package]}" for package in (name, "httpx2", "httpx-aiohttp") if package in known
        ]
    return f"{rounds} rounds on {datetime.now(UTC):%Y-%m-%d}: {', '.join(dict.fromkeys(shown))}."


def tell(text: str) -> None:
    """Say how far it is."""
    print(text, file=sys.stderr, flush=True)


main()
