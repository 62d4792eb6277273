"""The pictures of the README: pages of a running service over the project's own data, as Chromium shows them.

python docs/pictures.py http://127.0.0.1:8000     # writes docs/pictures/*.png
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

FOLDER = Path(__file__).parent / "pictures"
SIZE = {"width": 1100, "height": 900}
PAGES = {
    "home": "/",
    "thing": "/page/organisation/gsef",
    "source": "/sources/mont-blanc-roadmap-2022",
    "network": "/network",
    "sdg": "/sdg",
    "query": "/query?example=themes/in-most-documents",
}


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--disable-dev-shm-usage"])
        for name, path in PAGES.items():
            page = browser.new_page(viewport=SIZE, locale="en", base_url=sys.argv[1])
            page.goto(path, wait_until="networkidle")
            page.screenshot(path=FOLDER / f"{name}.png")
            page.close()
        browser.close()


if __name__ == "__main__":
    main()
