"""`dlutil compare A B`: two results on the same test records."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def add_parser(commands: Any) -> None:
    """Add the command to the parser of `dlutil`."""
    parser = commands.add_parser(
        "compare", help="two results on the same test records, with intervals and p-values"
    )
    parser.add_argument("first", type=Path, metavar="RESULT_A")
    parser.add_argument("second", type=Path, metavar="RESULT_B")
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("comparison"),
        help="the folder for comparison.tsv and comparison.svg (default: comparison)",
    )
    parser.set_defaults(function=run)


def run(arguments: argparse.Namespace) -> None:
    """Print the table, and write it with its picture."""
    from rich.console import Console
    from rich.table import Table

    from dlutil_core.common.shown_text import shown
    from dlutil_core.report.compare.comparison import PICTURE, TABLE, compare, write_comparison

    comparison = compare(arguments.first, arguments.second)
    write_comparison(comparison, arguments.out)
    names = [shown(name) for name in comparison.pair.names]
    table = Table(box=None, pad_edge=False)
    table.add_column("metric")
    for title in ("A", "B", "B - A", "95 % limits", "p"):
        table.add_column(title, justify="right")
    table.add_column("by")
    for line in comparison.lines:
        values = [f"{value:.4g}" for value in (line.a, line.b, line.difference)]
        limits = f"{line.low:.4g} to {line.high:.4g}"
        table.add_row(shown(line.metric), *values, limits, f"{line.p:.2g}", line.test)
    console = Console(markup=False, highlight=False, emoji=False)
    console.print(f"A: {names[0]}\nB: {names[1]}\n{comparison.pair.records} test records\n")
    console.print(table)
    told = "p: two-sided, of no difference, one metric at a time"
    console.print(f"\n{told}\n{shown(str(arguments.out / TABLE))}, {PICTURE} beside it")
