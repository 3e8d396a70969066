"""Sequence logos of filters and of attributions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from dlutil_core.explain.figures import new_figure, save_svg
from dlutil_core.explain.motifs import LETTERS, Motif

COLUMNS = 3
WINDOW = 40
COLOURS = {"A": "#009E73", "C": "#0072B2", "G": "#E69F00", "T": "#D55E00"}
"""Okabe and Ito's colours, near the usual green, blue, yellow and red of A, C, G and T."""


def draw_motifs(motifs: list[tuple[Motif, str]], out: Path) -> None:
    """Logos of motifs with a title each: the height of a column is its information in bits."""
    rows = -(-len(motifs) // COLUMNS)
    figure, axes = new_figure(rows, min(COLUMNS, len(motifs)), width=3.6, height=1.5)
    for axis, entry in _each(axes, motifs):
        if entry is None:
            axis.set_axis_off()
            continue
        motif, title = entry
        _logo(axis, motif.frequencies * motif.information[:, None])
        axis.set_ylim(0, 2)
        axis.set_yticks([0, 1, 2])
        axis.set_ylabel("bits", fontsize=8)
        axis.set_xlabel("position in the filter", fontsize=8)
        axis.set_title(title, fontsize=8)
        _positions(axis, motif.width, 0)
    save_svg(figure, out)


def draw_examples(
    titles: list[str], heights: dict[str, np.ndarray], windows: list[int], out: Path
) -> None:
    """One row for each sequence and one column for each method.

    Parameters
    ----------
    heights
        By method, the letters' contributions `(N, 4, L)`.
    windows
        First position of each sequence that is drawn; `WINDOW` positions are.
    """
    figure, axes = new_figure(len(titles), len(heights), width=4.4, height=1.3)
    for row, (title, start) in enumerate(zip(titles, windows, strict=True)):
        for axis, (method, values) in zip(axes[row], heights.items(), strict=True):
            shown = values[row, :, start : start + WINDOW].T
            _logo(axis, shown)
            _positions(axis, len(shown), start)
            axis.tick_params(labelsize=7)
            axis.axhline(0, color="#444444", linewidth=0.5)
            if row == 0:
                axis.set_title(method.replace("_x_", " × ").replace("_", " "), fontsize=9)
            if row == len(titles) - 1:
                axis.set_xlabel("position in the sequence (letters)", fontsize=8)
        axes[row][0].set_ylabel(title, fontsize=7)
    save_svg(figure, out)


def window_of(heights: np.ndarray) -> int:
    """Where the `WINDOW` letters begin that contribute most; `heights` is `(4, L)`."""
    total = np.abs(heights).sum(axis=0)
    if len(total) <= WINDOW:
        return 0
    sums = np.convolve(total, np.ones(WINDOW), mode="valid")
    return int(np.argmax(sums))


def _logo(axis: Any, values: np.ndarray) -> None:
    import logomaker
    import pandas as pd

    # Letters too low to be seen would only make the file larger.
    limit = np.abs(values).sum(axis=1).max(initial=0.0) * 0.02
    table = pd.DataFrame(np.where(np.abs(values) < limit, 0.0, values), columns=list(LETTERS))
    logomaker.Logo(table, ax=axis, color_scheme=COLOURS, show_spines=False)


def _positions(axis: Any, width: int, start: int) -> None:
    """Ticks that count from 1."""
    step = 5 if width <= 30 else 10
    shown = [i for i in range(width) if (i + start + 1) % step == 0 or (i + start) == 0]
    axis.set_xticks(shown)
    axis.set_xticklabels([str(i + start + 1) for i in shown], fontsize=7)


def _each(axes: Any, entries: list[Any]) -> Any:
    flat = list(axes.ravel())
    return zip(flat, [*entries, *([None] * (len(flat) - len(entries)))], strict=True)
