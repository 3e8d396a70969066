"""The documentation site (`make site`) in a real browser, served as a host would serve it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
from chromium import Browser
from support import REPOSITORY

SITE = REPOSITORY / "build" / "site" / "html"
PAGES = sorted(
    str(path.relative_to(SITE))
    for path in SITE.rglob("*.html")
    if path.name not in ("404.html", "report.html")
)

pytestmark = pytest.mark.skipif(not PAGES, reason="there is no site: make site builds it")


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=SITE)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def visit(browser: Browser, url: str, width: int) -> None:
    size = {"width": width, "height": 1000, "deviceScaleFactor": 1, "mobile": False}
    browser.call("Emulation.setDeviceMetricsOverride", **size)
    browser.requests.clear()
    browser.complaints.clear()
    browser.call("Page.navigate", url=url)
    while browser.run("document.readyState + location.href") != f"complete{url}":
        time.sleep(0.05)


@pytest.mark.parametrize("page", PAGES or ["index.html"])
def test_a_page_needs_nothing_from_elsewhere_and_fits(
    browser: Browser, address: str, page: str
) -> None:
    for width in (400, 1400):
        visit(browser, f"{address}/{page}", width)
        assert browser.run("document.documentElement.scrollWidth") <= width
        assert browser.run("document.querySelectorAll('h1').length") == 1
        own = (address, "data:", "blob:")
        assert not [url for url in browser.requests if not url.startswith(own)]
        assert not browser.complaints


def test_diagrams_are_drawn(browser: Browser, address: str) -> None:
    for page, label in (("index.html", "preprocess"), ("docs/architecture.html", "raw files")):
        visit(browser, f"{address}/{page}", 1400)
        assert label in browser.run("document.querySelector('.diagram svg').textContent")


def test_the_reference_has_the_documented_names(browser: Browser, address: str) -> None:
    visit(browser, f"{address}/reference.html", 1400)
    for name in ("load", "base_model.BaseModel", "batch_generator.H5pyBatchGenerator"):
        assert browser.run(f"document.getElementById('dlutil_core.{name}') !== null"), name


def test_the_search_finds_a_page(browser: Browser, address: str) -> None:
    visit(browser, f"{address}/index.html?q=manifest", 1400)
    found = "document.querySelectorAll('.md-search-result__item').length"
    for _ in range(200):
        if browser.run(found):
            break
        time.sleep(0.05)
    assert browser.run(found)
