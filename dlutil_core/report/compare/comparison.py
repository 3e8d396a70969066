"""Two models beside each other: metrics, differences, how sure they are; a table and a picture."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dlutil_core.common.files import write_csv
from dlutil_core.report import bootstrap
from dlutil_core.report.chart import save
from dlutil_core.report.compare import figures
from dlutil_core.report.compare.pair import Pair, read_pair
from dlutil_core.report.compare.paired_tests import (
    DELONG,
    PERMUTATION,
    delong,
    paired_bootstrap,
    permutation,
)
from dlutil_core.report.tasks import BINARY, CLASSES, LABELS, Task

TABLE = "comparison.tsv"
PICTURE = "comparison.svg"


@dataclass(frozen=True)
class Line:
    """A metric of two models.

    Parameters
    ----------
    a, b
        Its value for either.
    low, high
        95 % limits of `b - a`; NaN where no resample defines it.
    p
        Two-sided, of no difference; not corrected for the number of metrics.
    test
        `DeLong` or `permutation`.
    """

    metric: str
    a: float
    b: float
    low: float
    high: float
    p: float
    test: str

    @property
    def difference(self) -> float:
        """b - a."""
        return self.b - self.a

    @property
    def is_clear(self) -> bool:
        """Whether the limits leave 0 out."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True)
class Comparison:
    """All lines of two results, and the results themselves."""

    pair: Pair
    lines: tuple[Line, ...]


def compare(first: Path, second: Path) -> Comparison:
    """Compare two result folders that were tested on the same records.

    Returns
    -------
    A line for each metric that both have: its values, the difference `second - first` with 95 %
    limits by the paired bootstrap, and a p-value: DeLong's for the area under one ROC curve, by
    paired permutation for all else.

    Raises
    ------
    UserError
        The records or the tasks differ, or a folder holds no test.
    """
    pair = read_pair(first, second)
    one, two = bootstrap.statistics(pair.a), bootstrap.statistics(pair.b)
    limits = paired_bootstrap(pair.a, pair.b)
    by_swapping = permutation(pair.a, pair.b)
    by_area = dict(_areas(pair.a, pair.b))
    lines = []
    for name in [n for n in one if n in two]:
        found = limits.get(name)
        p, test = by_area.get(name, (by_swapping.get(name, math.nan), PERMUTATION))
        low, high = (found.low, found.high) if found else (math.nan, math.nan)
        lines.append(Line(name, one[name], two[name], low, high, p, test))
    return Comparison(pair, tuple(lines))


def _areas(a: Task, b: Task) -> Iterator[tuple[str, tuple[float, str]]]:
    """DeLong's p-value of every metric that is the area under one curve."""
    if a.kind == BINARY:
        rows = a.rows(0)
        found = delong(a.truth[rows, 0], a.scores[rows, 0], b.scores[rows, 0])
        yield "auroc", (found, DELONG)
    elif a.kind in (CLASSES, LABELS):
        for column in range(a.truth.shape[1]):
            rows = a.rows(column)
            truth = a.truth[rows, column]
            found = delong(truth, a.scores[rows, column], b.scores[rows, column])
            yield f"auroc.{a.name(column)}", (found, DELONG)


def write_comparison(comparison: Comparison, out: Path) -> None:
    """Write `comparison.tsv` and `comparison.svg` into the folder `out`."""
    out.mkdir(parents=True, exist_ok=True)
    titles = ("metric", "a", "b", "difference", "low", "high", "p", "test")
    rows = [{title: getattr(line, title) for title in titles} for line in comparison.lines]
    write_csv(out / TABLE, list(titles), rows, delimiter="\t")
    save(figures.pictures(comparison.pair, comparison.lines), out / PICTURE)
