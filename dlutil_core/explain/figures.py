"""Matplotlib figures without a display, as SVG whose bytes never change."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from dlutil_core.common.files import write_text


def new_figure(rows: int, columns: int, width: float = 4.5, height: float = 4.0) -> Any:
    """A matplotlib figure and its axes, drawn without a display."""
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams.update(
        {
            "svg.hashsalt": "dlutil",
            "svg.fonttype": "path",
            "font.family": "DejaVu Sans",
            "font.size": 9,
            "axes.spines.top": False,
            "axes.spines.right": False,
        }
    )
    import matplotlib.pyplot as plt

    return plt.subplots(
        rows,
        columns,
        figsize=(width * columns, height * rows),
        layout="constrained",
        squeeze=False,
    )


def save_svg(figure: Any, out: Path) -> None:
    """Write a matplotlib figure as SVG, atomically, without a date and in few bytes."""
    import io

    import matplotlib.pyplot as plt

    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    plt.close(figure)
    write_text(out, compact(buffer.getvalue()))


def compact(svg: str) -> str:
    """Paths on one line with coordinates to a tenth of a point, everything else as it is."""

    def shorter(path: re.Match[str]) -> str:
        rounded = re.sub(r"\d+\.\d{2,}", lambda m: f"{float(m[0]):.1f}", path[1])
        joined = re.sub(r"\s*([A-Za-z])\s*", r"\1", rounded)
        return f' d="{joined.strip()}"'

    # Outlines of text are drawn small by a factor, and few.
    found = re.split(r"(<defs>.*?</defs>)", svg, flags=re.DOTALL)
    parts = [re.sub(r'\sd="([^"]*)"', shorter, p) if i % 2 == 0 else p for i, p in enumerate(found)]
    return re.sub(r"\n\s*", "\n", "".join(parts))
