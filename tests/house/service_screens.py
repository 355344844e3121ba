"""The service of `docs/service` in a real browser: a page is closed in the middle, and pictures are taken.

Run by the session `screens`: `python service_screens.py FOLDER`. That the picture was billed once and kept
is asserted; how it all looks, on a phone and on a desk, a person judges.
"""

from __future__ import annotations

import runpy
import shutil
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from dalle2.testing import Emulator

HERE = Path(__file__).parent
BROWSERS = runpy.run_path(str(HERE / "screens.py"))["BROWSERS"]
running = runpy.run_path(str(HERE / "test_service.py"))["running"]
WIDTHS = {"phone": 390, "desk": 1280}
PROMPT = "a lighthouse at sunset, woodcut in three colours"
LONGEST = 30.0
"""Seconds that a picture may take here."""


def opened(browser: Browser, address: str, width: int = 1280, *, dark: bool = False) -> Page:
    """A page that loads nothing from elsewhere and complains of nothing."""
    page = browser.new_page(
        viewport={"width": width, "height": 800}, color_scheme="dark" if dark else "light"
    )
    page.on("console", lambda said: sys.exit(f"the browser says: {said.text}"))
    page.on("pageerror", lambda error: sys.exit(f"the page fails: {error}"))
    page.goto(address)
    return page


def photograph(page: Page, target: Path) -> None:
    """The whole page, once its pictures are there."""
    page.wait_for_function("[...document.images].every((image) => image.complete && image.naturalWidth)")
    wide = page.evaluate("document.documentElement.scrollWidth > innerWidth")
    assert not wide, f"{target.stem} scrolls sideways"
    page.screenshot(path=target, full_page=True)
    print(target)


def ask(page: Page, prompt: str) -> str:
    """Fill in the form as a person does; the address of the picture."""
    page.get_by_label("What shall it be?").fill(prompt)
    page.get_by_role("button", name="Paint").click()
    page.wait_for_url("**/jobs/*")
    return page.url


def closed_in_the_middle(browser: Browser, start: str, kept: Path, folder: Path) -> str:
    """A reader sees the first partial picture and goes; it is painted to its end, and kept, for nobody."""
    page = opened(browser, start, WIDTHS["phone"])
    address = ask(page, PROMPT)
    page.wait_for_selector("img[src^='data:image/png']")
    photograph(page, folder / "service-growing-phone.png")
    assert not list(kept.glob("*.png")), "it was over before the reader left"
    page.close()
    end = time.monotonic() + LONGEST
    while not list(kept.glob("*.png")):
        assert time.monotonic() < end, "the picture was never kept"
        time.sleep(0.05)
    return address


def main(folder: Path) -> None:
    """Make each picture."""
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        sys.exit("Chromium is needed: install it with the system's package manager")
    folder.mkdir(parents=True, exist_ok=True)
    emulator = Emulator(latency=4)
    kept = Path(tempfile.mkdtemp(prefix="dalle2-kept-"))
    with running(emulator, kept) as web, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        start = str(web.base_url)
        address = closed_in_the_middle(browser, start, kept, folder)
        assert [(bill.prompt, bill.n) for bill in emulator.billed] == [(PROMPT, 1)], emulator.billed
        emulator.fail_next(400, code="content_policy_violation")
        refused = ask(opened(browser, start), "something that hosts refuse")
        scenes = {"empty": start, "kept": address, "refused": refused}
        for device, width in WIDTHS.items():
            for name, where in scenes.items():
                photograph(opened(browser, where, width), folder / f"service-{name}-{device}.png")
        photograph(opened(browser, address, dark=True), folder / "service-kept-dark.png")
        watched = opened(browser, start)
        ask(watched, PROMPT)  # by one who stays
        watched.wait_for_selector("img[src^='data:image/png']")
        photograph(watched, folder / "service-growing-desk.png")
        watched.wait_for_selector("img[src^='/kept/']", timeout=LONGEST * 1000)
        browser.close()
    assert len(emulator.billed) == len(list(kept.glob("*.png"))) == 2
    shutil.rmtree(kept)


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
