"""Pictures of the map, by a real browser; `python -m tests.acceptance.screenshot URL FILE`."""

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
_OPTIONS = [
    "--no-sandbox",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


@contextmanager
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=_OPTIONS)
        try:
            yield running
        finally:
            running.close()


def open_map(page: Page, url: str) -> None:
    """Open the map and wait until it is drawn."""
    page.goto(url)
    page.wait_for_selector("body[data-drawn]", timeout=60_000)


def take_screenshot(
    running: Browser, url: str, path: str, *, width: int = 1440, height: int = 900
) -> None:
    """The map as a PNG file."""
    page = running.new_page(viewport={"width": width, "height": height})
    open_map(page, url)
    page.wait_for_timeout(500)  # labels fade in
    page.screenshot(path=path)
    page.close()


if __name__ == "__main__":
    with browser() as opened:
        take_screenshot(opened, *sys.argv[1:3], width=1200, height=720)
