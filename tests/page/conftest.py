"""A real Chromium, one a module; where there is none the tests are skipped aloud, or fail where they must not be."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright

from tests.conftest import REQUIRE_REAL
from tests.page.stage import Stage

NAMES = ("chromium", "chromium-browser", "google-chrome")
PATIENCE_MS = 15_000


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """The distribution's own. Its driver keeps an event loop of this thread running, in which no other can begin: it
    must be gone before the next asyncio test."""
    found = os.environ.get("BRIDGE_TEST_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        why = "needs Chromium: `deploy/scripts/debian-packages.sh chromium`"
        if os.environ.get(REQUIRE_REAL) == "1":
            pytest.fail(why)
        pytest.skip(why)
    with sync_playwright() as playwright:
        # root has no sandbox of Chromium's; the pages are our own
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield browser
        browser.close()


@dataclass
class Window:
    """One browser window on a stage, and what went on in it. `foreign` are requests that left for another host."""

    stage: Stage
    page: Page
    context: BrowserContext
    complaints: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)

    def watch(self) -> None:
        home = urlsplit(self.stage.url).netloc

        def asked(request: Any) -> None:
            if urlsplit(request.url).netloc != home:
                self.foreign.append(request.url)

        def said(message: ConsoleMessage) -> None:
            if message.type in ("error", "warning") and "Failed to load resource" not in message.text:
                self.complaints.append(message.text)

        self.page.on("request", asked)
        self.page.on("console", said)
        self.page.on("pageerror", lambda error: self.complaints.append(f"{error}"))

    def go(self, path: str = "") -> Page:
        """Opened there and alive."""
        self.page.goto(self.stage.url + path)
        return self.page


Opens = Callable[..., Window]


@pytest.fixture
def opened(chromium: Browser) -> Iterator[Opens]:
    """Opens windows; afterwards none may have broken the policy, thrown an error or asked another host."""
    windows: list[Window] = []
    with ExitStack() as stack:

        def opening(stage: Stage, **options: Any) -> Window:
            if not stage.url:
                stack.enter_context(stage.open())
            context = chromium.new_context(**{"viewport": {"width": 1200, "height": 800}, **options})
            context.set_default_timeout(PATIENCE_MS)
            stack.callback(context.close)
            window = Window(stage=stage, page=context.new_page(), context=context)
            window.watch()
            windows.append(window)
            return window

        yield opening
    assert [complaint for window in windows for complaint in window.complaints] == []
    assert [url for window in windows for url in window.foreign] == []
