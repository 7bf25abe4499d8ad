"""A real Chromium that fails a test on any complaint and on any request to another host."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.web.conftest import *  # noqa: F403  its servers are ours too
from tests.web.serving import Server

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SHOTS = Path(os.environ.get("SCREENSHOTS", "build/screenshots"))


@pytest.fixture(scope="module")  # while it is open no other test can run an event loop
def browser() -> Iterator[Browser]:
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    assert found, "Debian's chromium is needed: sh scripts/install_for_tests.sh"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=FLAGS)
        yield browser
        browser.close()


class Watched:
    """Pages on one server, and what they complained of."""

    def __init__(self, browser: Browser, server: Server) -> None:
        self.browser, self.server = browser, server
        self.complaints: list[str] = []

    def page(self, width: int = 1280, height: int = 900, **options) -> Page:
        context = self.browser.new_context(
            viewport={"width": width, "height": height}, base_url=self.server.url, **options
        )
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("console", lambda m: self.complaints.append(f"console: {m.text}"))
        page.on("pageerror", lambda e: self.complaints.append(f"error: {e}"))
        page.on("request", self._requested)
        return page

    def _requested(self, request) -> None:
        if not request.url.startswith((self.server.url, "data:", "blob:")):
            self.complaints.append(f"another host was asked: {request.url}")

    def shot(self, page: Page, name: str) -> None:
        SHOTS.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=SHOTS / f"{name}.png", full_page=True)


@pytest.fixture
def watched(browser: Browser, server: Server) -> Iterator[Watched]:
    found = Watched(browser, server)
    yield found
    for context in browser.contexts:
        context.close()
    assert found.complaints == []
