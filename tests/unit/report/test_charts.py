"""Axes and charts: ticks, outliers, escaping, size."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from dlutil_core.explain.figures import compact
from dlutil_core.report.chart import Chart, document, number
from dlutil_core.report.scales import (
    categories,
    linear,
    logarithmic,
    reward_range,
    robust_range,
    suits_log,
)


@pytest.mark.parametrize(
    ("low", "high"), [(0, 1), (-3.2, 17), (1e-7, 3e-7), (5, 5), (0, 0), (-2e9, 3e9), (99.1, 99.2)]
)
def test_linear_ticks_are_few_distinct_and_on_the_axis(low: float, high: float) -> None:
    scale = linear(low, high)
    values = [v for v, _ in scale.ticks]
    labels = [t for _, t in scale.ticks]
    assert 2 <= len(values) <= 8
    assert len(set(labels)) == len(labels)
    assert all(scale.inside(v) for v in values)
    assert scale.fraction(scale.low) == 0 and scale.fraction(scale.high) == 1


def test_logarithmic_axis() -> None:
    scale = logarithmic(1e-5, 0.1)
    assert [t for _, t in scale.ticks] == ["1e-05", "0.0001", "0.001", "0.01", "0.1"]
    assert scale.fraction(1e-3) == pytest.approx(0.5)
    assert suits_log(np.array([0.001, 0.01])) and not suits_log(np.array([0, 100.0]))
    assert not suits_log(np.array([1.0, 2.0]))


def test_ranges_without_outliers() -> None:
    values = np.append(np.linspace(0, 1, 200), [1e9, np.nan, -np.inf])
    low, high = robust_range(values)
    assert low == 0 and 1 <= high < 4
    rewards = np.append(-np.linspace(0.1, 1, 50), -1e12)
    low, high = reward_range(rewards)
    assert -3 < low <= -1 and high == -0.1
    assert robust_range(np.array([np.nan])) == (0.0, 1.0)


def chart(title: str = "a chart") -> Chart:
    return Chart(title, linear(0, 10), linear(0, 1), "x (units)", "y (units)")


def test_what_lies_outside_is_a_triangle_at_the_edge() -> None:
    made = chart()
    made.dots([((5, 0.5), "inside"), ((5, -9.0), "below")], "c0")
    svg = made.svg()
    assert svg.count("<circle") == 1 and svg.count("<path d=") == 1
    assert "<title>below</title>" in svg


def test_text_is_escaped_and_files_are_xml() -> None:
    made = chart('<script>"&')
    made.line([(0, 0), (1, 1)], "c0", hint="a < b & c")
    made.legend.append(("<i>", "c0"))
    boxes = Chart("boxes", categories(["a&b", "c"]), linear(0, 1), "x", "y")
    boxes.cell(0, 0, 1.0, "<5>")
    boxes.bar(0, 1, 0.5, "c1", hint='"')
    root = ElementTree.fromstring(document([made, boxes], columns=2))
    texts = [e.text for e in root.iter("{http://www.w3.org/2000/svg}text")]
    assert '<script>"&' in texts and "a&b" in texts and "<5>" in texts
    assert root.attrib["width"] == "840"


def test_numbers_are_short() -> None:
    assert [number(v) for v in (0.0, -0.01, 1.0, 2.25, 1234.56)] == ["0", "0", "1", "2.2", "1234.6"]


def test_compaction_keeps_what_is_small() -> None:
    svg = '<defs><path d="M 0.01234 5.678\nL 1 2"/></defs>\n <path d="M 10.256 3\nL 1.5 2 \nz"/>'
    svg += '<use transform="scale(0.015625)"/>'
    found = compact(svg)
    assert '<defs><path d="M 0.01234 5.678\nL 1 2"/></defs>' in found
    assert ' d="M10.3 3L1.5 2z"' in found and "scale(0.015625)" in found
