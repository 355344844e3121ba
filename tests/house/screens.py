"""Remakes what people see, as pictures to be looked at: the notebook, the command line, the site.

Run by the session `screens`: `python screens.py FOLDER`, with the built site in `DALLE2_SITE`. The notebook
is executed and photographed by Chromium; commands run in a terminal of their own, whose screen is read back
as a terminal would draw it; the site is seen at the width of a phone and of a desk. Nothing is compared: a
person looks.
"""

from __future__ import annotations

import html
import os
import pty
import select
import shutil
import struct
import subprocess
import sys
import termios
import time
from fcntl import ioctl
from pathlib import Path

import nbformat
import pyte
from nbclient import NotebookClient
from nbconvert import HTMLExporter
from PIL import Image, ImageChops

from dalle2.testing import Emulator

NOTEBOOK = Path(__file__).parents[2] / "docs" / "notebook.ipynb"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
COLUMNS, LINES = 100, 60
COLOURS = {"brown": "#b58900", "black": "#586e75", "default": "inherit"}

GENERATE = 'dalle2 generate "a corgi astronaut" --provider emulator --size 512x512'
SCENES = {
    "help": "dalle2 -h",
    "help-generate": "dalle2 generate -h",
    "first": f"{GENERATE} -o corgi.png && ls *.png",
    "json": f"{GENERATE} -o corgi-2.png --json",
    "dry-run": f"{GENERATE} -n 4 -o pack.png --dry-run",
    "errors": (
        f"{GENERATE} -o corgi.png; dalle2 generate x --size 300x300 --provider emulator; "
        "dalle2 generate x --colour red; dalle2 paint; env -u OPENAI_API_KEY dalle2 generate x"
    ),
    "bulk": (
        'printf "sku,title\\nm-1,Red mug\\nm-2,Blue mug\\nb-1,Oak bowl\\n" > rows.csv; '
        'dalle2 bulk run rows.csv --prompt "Photo of {title}" --id sku --size 256x256 --out shop '
        "--provider emulator --yes; dalle2 bulk status shop.db"
    ),
    "doctor": (
        'printf \'import openai\\nopenai.Image.create(prompt="a", model="dall-e-2")\\n\' > old.py; '
        "dalle2 doctor old.py"
    ),
    "waiting": "dalle2 generate 'a patient corgi' -o patient.png",
}
MOMENTS = {"waiting": "next attempt in 2 s"}
"""Scenes that are photographed as soon as this is on the screen, and not at their end."""


PAGES = ("index", "timeouts", "reference", "api/clients")
WIDTHS = {"phone": 390, "desk": 1280}


def scene(command: str, folder: Path, moment: str | None) -> pyte.Screen:
    """The screen after a command, or at the moment that a text appears; a minute at the most."""
    screen = pyte.Screen(COLUMNS, LINES)
    stream = pyte.ByteStream(screen)
    stream.feed(f"$ {command}\r\n".encode())
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(folder)
        os.environ.update(
            TERM="xterm-256color",
            COLUMNS=str(COLUMNS),
            PATH=f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        )
        os.execvp("sh", ["sh", "-c", command])
    ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    end = time.monotonic() + 60
    seen = False
    while time.monotonic() < end:
        if not select.select([terminal], [], [], 0.1)[0]:
            continue
        try:
            data = os.read(terminal, 65536)
        except OSError:  # how a terminal says that everybody has left
            break
        if not data:
            break
        if not seen:
            stream.feed(data)
        seen = seen or bool(moment and moment in "\n".join(screen.display))
    os.close(terminal)
    os.waitpid(pid, 0)
    if moment and not seen:
        sys.exit(f"{moment!r} was never on the screen")
    return screen


def page_of(screen: pyte.Screen) -> str:
    """A screen as a page."""
    rows = []
    for line in range(LINES):
        cells = (screen.buffer[line][column] for column in range(COLUMNS))
        rows.append("".join(map(span, cells)).rstrip())
    style = "background:#fdf6e3;color:#333;font:14px/1.35 'DejaVu Sans Mono',monospace;padding:12px"
    return f'<meta charset="utf-8"><body style="margin:0"><pre style="{style}">' + "\n".join(rows).rstrip()


def span(cell: pyte.screens.Char) -> str:
    """One cell in its colour."""
    colour = COLOURS.get(cell.fg, cell.fg if not cell.fg.isalnum() or cell.fg.isalpha() else f"#{cell.fg}")
    text = html.escape(cell.data)
    if colour == "inherit" and not cell.bold:
        return text
    return f'<span style="color:{colour};font-weight:{700 if cell.bold else 400}">{text}</span>'


def photograph(browser: str, page: Path, width: int, height: int) -> None:
    """A picture beside the page, without the empty rest below it."""
    target = page.with_suffix(".png")
    options = ("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars")
    size = f"--window-size={width},{height}"
    command = [browser, *options, size, f"--screenshot={target}", page.as_uri()]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL, timeout=120)
    with Image.open(target) as picture:
        whole = picture.convert("RGB")
    empty = Image.new("RGB", whole.size, whole.getpixel((width - 1, height - 1)))
    box = ImageChops.difference(whole, empty).getbbox()
    whole.crop((0, 0, width, min((box or (0, 0, 0, height))[3] + 16, height))).save(target)
    print(target)


def framed(page: Path, width: int, height: int) -> str:
    """A page in a frame of that width: Chromium's own window is never as narrow as a phone's."""
    style = f"border:0;width:{width}px;height:{height}px"
    return f'<meta charset="utf-8"><body style="margin:0"><iframe src="{page.as_uri()}" style="{style}">'


def main(folder: Path) -> None:
    """Make each picture."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        sys.exit("Chromium is needed: install it with the system's package manager")
    folder.mkdir(parents=True, exist_ok=True)
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute(cwd=str(folder))
    page = folder / "notebook.html"
    page.write_text(HTMLExporter().from_notebook_node(notebook)[0], encoding="utf-8")
    photograph(browser, page, 1000, 6000)
    work = folder / "work"
    work.mkdir(exist_ok=True)
    emulator = Emulator()
    with emulator.serve() as server:
        os.environ.update(OPENAI_BASE_URL=server.base_url, OPENAI_API_KEY="sk-test")
        emulator.fail_next(429, retry_after=4)
        for name, command in SCENES.items():
            page = folder / f"terminal-{name}.html"
            page.write_text(page_of(scene(command, work, MOMENTS.get(name))), encoding="utf-8")
            photograph(browser, page, 900, 1300)
    for name in PAGES:
        for place, width in WIDTHS.items():
            page = folder / f"site-{name.replace('/', '-')}-{place}.html"
            seen = Path(os.environ["DALLE2_SITE"]) / f"{name}.html"
            page.write_text(framed(seen, width, 1800), encoding="utf-8")
            photograph(browser, page, width, 1800)


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
