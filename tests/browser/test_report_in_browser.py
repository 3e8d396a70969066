"""The report in a real browser: it renders, asks for nothing, complains of nothing, sorts.

Screenshots are kept under build/screenshots, to be looked at.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from chromium import Browser
from support import REPOSITORY

SCREENSHOTS = REPOSITORY / "build" / "screenshots"
WIDTHS = (1400, 800, 400)


@pytest.fixture(params=["regression", "classification"])
def report(request: pytest.FixtureRequest) -> Path:
    found: Path = request.getfixturevalue(request.param)
    return found


def name_of(report: Path) -> str:
    return "classification" if "classification" in str(report) else "regression"


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("dark", [False, True])
def test_renders_offline_without_a_complaint(
    browser: Browser, report: Path, width: int, dark: bool
) -> None:
    browser.requests.clear()
    browser.complaints.clear()
    browser.open(report, width, dark)
    shade = "-dark" if dark else ""
    browser.screenshot(SCREENSHOTS / f"{name_of(report)}-{width}{shade}.png")
    outside = [u for u in browser.requests if not u.startswith(("file://", "data:"))]
    assert outside == []
    assert [u for u in browser.requests if u.startswith("file:")] == [report.resolve().as_uri()]
    assert browser.complaints == []
    # Nothing is wider than the page; wide tables scroll inside their frames.
    assert browser.run("document.documentElement.scrollWidth") <= width
    empty = """[...document.querySelectorAll("figure svg, figure img")].filter(e => {
        const b = e.getBoundingClientRect(); return b.width < 100 || b.height < 60; }).length"""
    assert browser.run(empty) == 0
    broken = "[...document.images].filter(i => !i.complete || !i.naturalWidth).length"
    assert browser.run(broken) == 0


def test_text_can_be_read_on_its_ground(browser: Browser, report: Path) -> None:
    ratio = """(() => {
      const light = c => { const [r, g, b] = c.match(/[\\d.]+/g).map(Number).map(v => {
        v /= 255; return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; });
        return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
      const ground = e => { for (; e; e = e.parentElement) {
        const c = getComputedStyle(e).backgroundColor;
        if (c !== "rgba(0, 0, 0, 0)") return c; } return "rgb(255, 255, 255)"; };
      let worst = 99;
      const texts = "p, td, th, dt, dd, figcaption, a, h1, h2, h3, svg text";
      for (const e of document.querySelectorAll(texts)) {
        if (!e.textContent.trim() || e.matches(".on, .skip")) continue;
        const style = getComputedStyle(e);
        const a = light(e.closest("svg") ? style.fill : style.color), b = light(ground(e));
        worst = Math.min(worst, (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)); }
      return worst; })()"""
    for dark in (False, True):
        browser.open(report, 1400, dark)
        assert browser.run(ratio) >= 4.5  # WCAG 2.1, level AA


def column(browser: Browser, head: str) -> list[str]:
    """The texts of a column of the leaderboard, in the order on the page."""
    found: list[str] = browser.run(
        f"""(() => {{ const t = document.getElementById("t-leaderboard");
        const i = [...t.tHead.rows[0].cells].findIndex(c => c.textContent === "{head}");
        return [...t.tBodies[0].rows].map(r => r.cells[i].textContent); }})()"""
    )
    return found


def click(browser: Browser, head: str) -> str:
    """Click a head of the leaderboard; how it is sorted then."""
    found: str = browser.run(
        f"""(() => {{ const t = document.getElementById("t-leaderboard");
        const c = [...t.tHead.rows[0].cells].find(c => c.textContent === "{head}");
        c.querySelector("button").click(); return c.getAttribute("aria-sort"); }})()"""
    )
    return found


def test_leaderboard_sorts_numbers_as_numbers(browser: Browser, report: Path) -> None:
    browser.open(report, 1400)
    assert [int(t) for t in column(browser, "rank")] == list(
        range(1, len(column(browser, "rank")) + 1)
    )
    assert click(browser, "trial") == "ascending"
    trials = [int(t) for t in column(browser, "trial")]
    assert trials == sorted(trials)
    assert click(browser, "trial") == "descending"
    assert [int(t) for t in column(browser, "trial")] == trials[::-1]
    click(browser, "score")
    scores = [float(t) for t in column(browser, "score") if t != "–"]
    assert scores == sorted(scores)
    undefined = column(browser, "score")[len(scores) :]
    assert set(undefined) <= {"–"}


def test_keyboard_reaches_the_heads(browser: Browser, report: Path) -> None:
    browser.open(report, 1400)
    sorted_by_key = """(() => {
        const b = document.querySelector("#t-leaderboard th:nth-child(2) button");
        b.focus(); return document.activeElement === b && b.tagName; })()"""
    assert browser.run(sorted_by_key) == "BUTTON"


def test_failed_trials_are_told_and_escaped(browser: Browser, regression: Path) -> None:
    browser.open(regression, 1400)
    text = browser.run("document.getElementById('t-failed').innerText")
    assert "units of <16> & more are 'too many'" in text
    assert "not finite in epoch" in text


def test_all_rows_are_shown_on_demand(browser: Browser, regression: Path) -> None:
    code = "[...document.querySelectorAll('#t-leaderboard tbody tr')]"
    code += ".filter(r => r.offsetHeight).length"
    browser.open(regression, 1400)
    total = browser.run("document.querySelectorAll('#t-leaderboard tbody tr').length")
    assert browser.run(code) == min(total, 50)
    browser.run("document.querySelector('button.all-rows')?.click()")
    assert browser.run(code) == total


def test_explanation_shows_its_pictures(browser: Browser, classification: Path) -> None:
    browser.open(classification, 1400)
    pictures = browser.run(
        "[...document.querySelectorAll('#explained img')].map(i => i.naturalWidth)"
    )
    assert len(pictures) == 2 and min(pictures) > 300


def test_prints_on_white(browser: Browser, report: Path) -> None:
    browser.open(report, 800, dark=True)
    browser.call("Emulation.setEmulatedMedia", media="print")
    assert browser.run("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert browser.run("getComputedStyle(document.querySelector('nav')).display") == "none"
    browser.call("Emulation.setEmulatedMedia", media="")
