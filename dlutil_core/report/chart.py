"""Charts as small SVG: drawn without a display or a font, the same bytes everywhere.

A chart carries classes, not colours, so that a page shows it light or dark; `document` adds the
colours for a file of its own.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from pathlib import Path

from dlutil_core.common.files import write_text
from dlutil_core.common.shown_text import shown
from dlutil_core.report.scales import Scale
from dlutil_core.report.style import CHART_CSS, LIGHT

LEFT, TOP, BOTTOM = 60, 44, 46
"""Margins in pixels; the left one unless a chart says otherwise."""

LETTER = 6.2
"""Width of a letter of the charts' text in pixels, about."""

Point = tuple[float, float]


def escape(text: str, quote: bool = True) -> str:
    """A text of the user for XML, which knows no control characters."""
    return html.escape(shown(text), quote)


class Chart:
    """Axes with what is drawn on them.

    Parameters
    ----------
    title
        What the chart shows, also told to screen readers.
    x, y
        The axes.
    x_label, y_label
        What they are, with the unit.
    description
        A sentence for those who do not see the picture.
    left, right
        Margins in pixels.
    """

    def __init__(
        self,
        title: str,
        x: Scale,
        y: Scale,
        x_label: str,
        y_label: str,
        description: str = "",
        width: int = 420,
        height: int = 300,
        right: int = 14,
        left: int = LEFT,
    ) -> None:
        self.title = title
        self.x, self.y = x, y
        self.x_label, self.y_label = x_label, y_label
        self.description = description
        self.width, self.height = width, height
        self.left, self.right = left, width - right
        self.parts: list[str] = []
        self.legend: list[tuple[str, str]] = []

    # Coordinates

    def px(self, value: float) -> float:
        """Horizontal pixel of a value."""
        return self.left + self.x.fraction(value) * (self.right - self.left)

    def py(self, value: float) -> float:
        """Vertical pixel of a value."""
        return self.height - BOTTOM - self.y.fraction(value) * (self.height - TOP - BOTTOM)

    # What is drawn

    def line(self, points: Sequence[Point], style: str, hint: str = "") -> None:
        """A line through points; a single point becomes a dot."""
        if len(points) == 1:
            self.dots([(points[0], hint)], style, radius=2)
            return
        body = f'<path class="ln {style}" d="{self.path(points)}"'
        self.parts.append(f"{body}><title>{escape(hint)}</title></path>" if hint else f"{body}/>")

    def steps(self, points: Sequence[Point], style: str) -> None:
        """A line that stays level until the next point (horizontal, then vertical)."""
        corners: list[Point] = []
        for here, after in zip(points, [*points[1:], points[-1]], strict=True):
            corners += [here, (after[0], here[1])]
        self.line(corners, style)

    def band(self, lower: Sequence[Point], upper: Sequence[Point], style: str) -> None:
        """The area between two lines."""
        d = self.path([*upper, *reversed(lower)])
        self.parts.append(f'<path class="area {style}" d="{d}Z"/>')

    def dots(
        self,
        points: Iterable[tuple[Point, str]],
        style: str,
        radius: float = 3,
        spread: float = 0,
    ) -> None:
        """Points with hints; one that the axes do not show lies as a triangle at the edge.

        `spread` moves them sideways by up to so many pixels, so that equal ones can be seen.
        """
        drawn = []
        for index, ((x, y), hint) in enumerate(points):
            note = f"<title>{escape(hint)}</title>" if hint else ""
            at_x, at_y = self.px(x) + spread * (index * 5 % 13 - 6) / 6, self.py(y)
            if self.y.inside(y):
                tag = f'circle cx="{number(at_x)}" cy="{number(at_y)}" r="{number(radius)}"'
            else:
                tip = 4 if y < self.y.low else -4
                tag = f'path d="M{number(at_x - 4)} {number(at_y - tip)}h8l-4 {tip}z"'
            drawn.append(f"<{tag}>{note}</{tag.split()[0]}>" if note else f"<{tag}/>")
        if drawn:
            self.parts.append(f'<g class="pt {style}">{"".join(drawn)}</g>')

    def bar(self, x_low: float, x_high: float, y: float, style: str, hint: str = "") -> None:
        """A bar from the bottom of the axis up to `y`."""
        left, top = self.px(x_low), self.py(y)
        size = (
            f'width="{number(self.px(x_high) - left)}" height="{number(self.py(self.y.low) - top)}"'
        )
        self._rectangle(left, top, size, f"bar {style}", hint)

    def cell(self, column: int, row: int, shade: float, text: str) -> None:
        """A cell of a table of categories, shaded from 0 to 1, with a text."""
        left, right = self.px(column - 0.5), self.px(column + 0.5)
        top, bottom = self.py(row + 0.5), self.py(row - 0.5)
        size = f'width="{number(right - left)}" height="{number(bottom - top)}"'
        opacity = f'fill-opacity="{number(0.08 + 0.82 * shade, 3)}"'
        self._rectangle(left, top, f"{size} {opacity}", "cell")
        strong = " on" if shade > 0.55 else ""
        self.text(column, row, text, f"mid{strong}", dy=4)

    def rule(self, x: float | None = None, y: float | None = None, style: str = "cut") -> None:
        """A line across the chart at `x` or `y`."""
        bottom, top = self.height - BOTTOM, TOP
        if x is not None:
            d = f"M{number(self.px(x))} {bottom}V{top}"
        else:
            d = f"M{self.left} {number(self.py(y or 0.0))}H{self.right}"
        self.parts.append(f'<path class="{style}" d="{d}"/>')

    def text(
        self, x: float, y: float, text: str, style: str = "tk", dx: float = 0, dy: float = 0
    ) -> None:
        """A text at a point, moved by so many pixels."""
        at = f'x="{number(self.px(x) + dx)}" y="{number(self.py(y) + dy)}"'
        self.parts.append(f'<text class="{style}" {at}>{escape(text)}</text>')

    def path(self, points: Sequence[Point]) -> str:
        """The `d` of a path through points."""
        pixels = [f"{number(self.px(x))} {number(self.py(y))}" for x, y in points]
        return "M" + "L".join(pixels)

    def _rectangle(self, left: float, top: float, size: str, style: str, hint: str = "") -> None:
        body = f'<rect class="{style}" x="{number(left)}" y="{number(top)}" {size}'
        self.parts.append(f"{body}><title>{escape(hint)}</title></rect>" if hint else f"{body}/>")

    # The whole

    def svg(self, attributes: str = "") -> str:
        """The chart as an `svg` element for a page."""
        label = escape(f"{self.title}. {self.description}".strip(), quote=True)
        return (
            f'<svg viewBox="0 0 {self.width} {self.height}" role="img" aria-label="{label}"'
            f"{attributes}>{self._axes()}{''.join(self.parts)}{self._legend()}</svg>"
        )

    def _axes(self) -> str:
        bottom, right = self.height - BOTTOM, self.right
        found = [f'<text class="ti" x="{self.left}" y="15">{escape(self.title)}</text>']
        for value, label in self.x.ticks:
            at = number(self.px(value))
            found.append(f'<path class="gr" d="M{at} {bottom}V{TOP}"/>')
            found.append(f'<text class="tk mid" x="{at}" y="{bottom + 15}">{escape(label)}</text>')
        for value, label in self.y.ticks:
            at_y = self.py(value)
            found.append(f'<path class="gr" d="M{self.left} {number(at_y)}H{right}"/>')
            place = f'x="{self.left - 6}" y="{number(at_y + 4)}"'
            found.append(f'<text class="tk end" {place}>{escape(label)}</text>')
        found.append(f'<path class="ax" d="M{self.left} {TOP}V{bottom}H{right}"/>')
        middle = number((self.left + right) / 2)
        place = f'x="{middle}" y="{self.height - 10}"'
        found.append(f'<text class="lb mid" {place}>{escape(self.x_label)}</text>')
        turn = f'transform="translate(14 {number((TOP + bottom) / 2)}) rotate(-90)"'
        found.append(f'<text class="lb mid" {turn}>{escape(self.y_label)}</text>')
        return "".join(found)

    def _legend(self) -> str:
        left = float(self.left)
        found = []
        room = (self.right - self.left) / max(len(self.legend), 1) - 30
        fits = sum(30 + LETTER * len(text) for text, _ in self.legend) <= self.right - self.left
        for name, style in self.legend:
            text = name if fits else short(name, room)
            found.append(
                f'<path class="ln key {style}" d="M{number(left)} 30h14"/>'
                f'<text class="tk" x="{number(left + 18)}" y="34">{escape(text)}</text>'
            )
            left += 30 + LETTER * len(text)
        return "".join(found)


def short(text: str, room: float) -> str:
    """A text for so many pixels; of one that is longer, the beginning and the end."""
    letters = max(4, int(room / LETTER))
    if len(text) <= letters:
        return text
    ending = (letters - 1) // 3
    return f"{text[: letters - 1 - ending]}…{text[len(text) - ending :]}"


def number(value: float, decimals: int = 1) -> str:
    """A coordinate in few characters."""
    text = f"{value:.{decimals}f}".rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def document(charts: Sequence[Chart], columns: int) -> str:
    """Charts side by side as one SVG file with its colours."""
    width = max(chart.width for chart in charts)
    height = max(chart.height for chart in charts)
    columns = min(columns, len(charts))
    rows = -(-len(charts) // columns)
    placed = []
    for index, chart in enumerate(charts):
        x, y = index % columns * width, index // columns * height
        size = f' x="{x}" y="{y}" width="{chart.width}" height="{chart.height}"'
        placed.append(chart.svg(size))
    total = f"{columns * width} {rows * height}"
    size = f'width="{columns * width}" height="{rows * height}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {total}" {size}>'
        f"<style>:root{{{LIGHT}}}{CHART_CSS}</style>"
        f'<rect width="100%" height="100%" fill="#fff"/>{"".join(placed)}</svg>\n'
    )


def save(charts: Sequence[Chart], out: Path, columns: int = 2) -> None:
    """Write charts as one SVG file, atomically."""
    write_text(out, document(charts, columns))
