"""test/performance.svg: ROC and precision-recall of a classifier, or predicted against true."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from dlutil_core.report.style import INK, LINE, new_figure, save_svg


def draw_performance(outputs: Path, out: Path) -> None:
    """Draw what suits the test set's labels and predictions."""
    with np.load(outputs) as arrays:
        y_true, y_pred = arrays.get("y_true"), arrays.get("y_pred")
    figure, axes = new_figure(1, 2)
    if y_true is not None and y_pred is not None and is_binary(y_true, y_pred):
        positive, scores = binary_labels(y_true, y_pred)
        _draw_roc(axes[0], positive, scores)
        _draw_precision_recall(axes[1], positive, scores)
    elif y_true is not None and y_pred is not None and y_true.size == y_pred.size:
        _draw_regression(axes, y_true.ravel(), y_pred.ravel())
    else:
        values = y_pred if y_pred is not None else np.empty(0)
        axes[0].hist(values.ravel(), bins=40, color=LINE)
        axes[0].set(xlabel="prediction", ylabel="values", title="Predictions on the test set")
        axes[1].set_axis_off()
    save_svg(figure, out)


def is_binary(y_true: np.ndarray, y_pred: np.ndarray) -> bool:
    """Whether labels are two classes and predictions probabilities."""
    probabilities = bool(((y_pred >= 0) & (y_pred <= 1)).all())
    columns = y_pred.shape[1] if y_pred.ndim == 2 else 1
    return probabilities and columns <= 2 and bool(np.isin(y_true, (0, 1)).all())


def binary_labels(y_true: np.ndarray, y_pred: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Boolean labels `(N,)` and scores `(N,)` of class 1."""
    from dlutil_core.metrics import class_labels, class_scores

    return class_labels(y_true) == 1, class_scores(y_pred)


def _draw_roc(axes: Any, positive: np.ndarray, scores: np.ndarray) -> None:
    from sklearn.metrics import roc_auc_score, roc_curve

    if positive.all() or not positive.any():
        axes.set_title("ROC is not defined: one class only")
        return
    false_rate, true_rate, _ = roc_curve(positive, scores)
    axes.plot(false_rate, true_rate, color=LINE)
    axes.plot([0, 1], [0, 1], color=INK, linewidth=0.8, linestyle=":")
    axes.set(
        xlabel="false positive rate",
        ylabel="true positive rate",
        title=f"ROC, area {roc_auc_score(positive, scores):.3f}",
    )


def _draw_precision_recall(axes: Any, positive: np.ndarray, scores: np.ndarray) -> None:
    from sklearn.metrics import average_precision_score, precision_recall_curve

    if not positive.any():
        axes.set_title("Precision and recall are not defined: no positives")
        return
    precision, recall, _ = precision_recall_curve(positive, scores)
    axes.step(recall, precision, where="post", color=LINE)
    axes.axhline(positive.mean(), color=INK, linewidth=0.8, linestyle=":")
    axes.set(
        xlabel="recall",
        ylabel="precision",
        ylim=(0, 1.05),
        title=f"Precision and recall, average {average_precision_score(positive, scores):.3f}",
    )


def _draw_regression(axes: Any, y_true: np.ndarray, y_pred: np.ndarray) -> None:
    low, high = float(min(y_true.min(), y_pred.min())), float(max(y_true.max(), y_pred.max()))
    axes[0].scatter(y_true, y_pred, s=8, alpha=0.6, color=LINE, linewidths=0)
    axes[0].plot([low, high], [low, high], color=INK, linewidth=0.8, linestyle=":")
    axes[0].set(xlabel="true value", ylabel="predicted value", title="Predicted against true")
    axes[1].scatter(y_pred, y_true - y_pred, s=8, alpha=0.6, color=LINE, linewidths=0)
    axes[1].axhline(0, color=INK, linewidth=0.8, linestyle=":")
    axes[1].set(xlabel="predicted value", ylabel="true - predicted", title="Residuals")
