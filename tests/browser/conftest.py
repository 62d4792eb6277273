"""What the browser tests share: the system's Chromium, a context for each case, and what it complained of.

Playwright keeps an event loop in the thread of the tests while it runs, so it ends with each file: other tests have
loops of their own.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, expect, sync_playwright

from tests.clients import npm_programs
from tests.store.engines import IS_CI
from tests.web.conftest import service

__all__ = ["service"]

#: Names under which Chromium is found on PATH.
_NAMES = ("chromium", "chromium-browser", "google-chrome")


def chromium() -> str:
    """The system's Chromium: where KG_CHROMIUM says, else on PATH. In CI it must be there, elsewhere its tests skip."""
    found = os.environ.get("KG_CHROMIUM") or next(filter(None, map(shutil.which, _NAMES)), None)
    if found and Path(found).exists():
        return found
    why = "Chromium is not here (on Debian: apt install chromium), nor where KG_CHROMIUM says"
    if IS_CI:
        pytest.fail(why)
    pytest.skip(why)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One Chromium for the tests of a file, with software drawing, the same everywhere."""
    program = chromium()
    with sync_playwright() as playwright:
        # Not Playwright's own sandbox option: a container often lacks what it needs, and only our pages are opened.
        opened = playwright.chromium.launch(executable_path=program, args=["--disable-dev-shm-usage"])
        yield opened
        opened.close()


@dataclass
class Seen:
    """What a page did that nobody should see: requests to other hosts, errors, refusals of the security policy."""

    root: str
    #: Pages that a test went to: an error page is told on the console too, and is no error of the page.
    visited: set[str] = field(default_factory=set)
    elsewhere: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def request(self, request: Request) -> None:
        if not request.url.startswith((f"{self.root}/", "data:", "blob:")):
            self.elsewhere.append(request.url)

    def said(self, message: ConsoleMessage) -> None:
        address = message.location.get("url")
        is_told = address in self.visited or address == f"{self.root}/sparql"  # an island says what a query lacks
        if message.type in ("error", "warning") and not is_told:
            self.errors.append(f"{message.type}: {message.text} ({message.location.get('url')})")

    def nothing_else(self) -> None:
        """There must have been nothing of that kind since this was last asked."""
        elsewhere, self.elsewhere = self.elsewhere, []
        errors, self.errors = self.errors, []
        assert not elsewhere
        assert not errors

    def threw(self, error: Any) -> None:
        self.errors.append(f"thrown: {error}")


class Open:
    """Opens pages of the service, each in a context of its own.

    `opened(path, **options)`: options are those of a Playwright context, such as color_scheme or java_script_enabled.
    """

    def __init__(self, browser: Browser, root: str) -> None:
        self._browser, self._contexts, self.seen = browser, list[BrowserContext](), Seen(root)

    def __call__(self, path: str, **options: Any) -> Page:
        context = self._browser.new_context(base_url=self.seen.root, reduced_motion="reduce", **options)
        self._contexts.append(context)
        context.set_default_timeout(20_000)
        context.on("request", self.seen.request)
        context.on("console", self.seen.said)
        context.on("weberror", lambda error: self.seen.threw(error.error))
        page = context.new_page()
        return self.again(page, path, has_scripts=options.get("java_script_enabled", True))

    def again(self, page: Page, path: str, *, has_scripts: bool = True) -> Page:
        """Goes to another page where one is open."""
        self.seen.visited.add(f"{self.seen.root}{path}")
        while (answer := page.goto(path)) and "refresh" in answer.headers:  # what it shows is still made
            page.goto("about:blank")  # that page would ask again as well, and break this off
        if has_scripts:
            ready(page)
        return page

    def close(self) -> None:
        for context in self._contexts:
            context.close()


@pytest.fixture
def opened(browser: Browser, service: Any) -> Iterator[Open]:
    """Opens pages; at the end they must have kept to the host without errors."""
    opening = Open(browser, str(service.base_url).rstrip("/"))
    yield opening
    opening.close()
    opening.seen.nothing_else()


def ready(page: Page) -> None:
    """Waits until every island of the page is at work."""
    expect(page.locator("[data-island]:not([data-ready])")).to_have_count(0, timeout=20_000)


@pytest.fixture(scope="package")
def axe() -> str:
    """The text of axe-core."""
    _, folder = npm_programs.installed(Path(__file__).parent / "npm")
    return (folder / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")
