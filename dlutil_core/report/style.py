"""How pictures look: colours that colour-blind people can tell apart, bytes that never change."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dlutil_core.files import atomic_path

# Okabe and Ito (2008), Color Universal Design.
LINE = "#0072B2"
SECOND = "#D55E00"
THIRD = "#009E73"
FOURTH = "#CC79A7"
FIFTH = "#E69F00"
INK = "#444444"


def new_figure(rows: int, columns: int, width: float = 4.5, height: float = 4.0) -> Any:
    """A figure and its axes, drawn without a display."""
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
        rows, columns, figsize=(width * columns, height * rows), layout="constrained"
    )


def save_svg(figure: Any, out: Path) -> None:
    """Write a figure as SVG, atomically, without a date."""
    import matplotlib.pyplot as plt

    with atomic_path(out) as temporary:
        figure.savefig(temporary, format="svg", metadata={"Date": None, "Creator": None})
    plt.close(figure)
