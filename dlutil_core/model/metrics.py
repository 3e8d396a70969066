"""Metrics on numpy arrays. An undefined value is NaN; means over batches leave NaN out."""

from __future__ import annotations

import math

import numpy as np

Array = np.ndarray


def class_labels(y_true: Array) -> Array:
    """Class numbers `(N,)` of labels given as `(N,)`, `(N, 1)` or one-hot `(N, K)`."""
    if y_true.ndim == 2 and y_true.shape[1] == 1:
        y_true = y_true[:, 0]
    if y_true.ndim == 2:
        return np.asarray(y_true.argmax(axis=1))
    return y_true.astype(np.int64, copy=False)


def class_scores(y_pred: Array) -> Array:
    """Predictions as `(N,)` (two classes: the probability of class 1) or `(N, K)`, K > 2."""
    if y_pred.ndim == 2 and y_pred.shape[1] == 1:
        return y_pred[:, 0]
    if y_pred.ndim == 2 and y_pred.shape[1] == 2:
        return y_pred[:, 1]
    return y_pred


def accuracy(y_true: Array, y_pred: Array) -> float:
    """Fraction of right classes; two classes are told apart at 0.5.

    Parameters
    ----------
    y_true
        Labels `(N,)`, `(N, 1)` or one-hot `(N, K)`.
    y_pred
        Probability of class 1 `(N,)` or of each class `(N, K)`.
    """
    truth = class_labels(y_true)
    if len(truth) == 0:
        return float("nan")
    scores = class_scores(y_pred)
    chosen = scores.argmax(axis=1) if scores.ndim == 2 else scores > 0.5
    return float(np.count_nonzero(chosen == truth) / len(truth))


def auroc(y_true: Array, y_pred: Array) -> float:
    """Area under the ROC curve; ties count half. More than two classes: mean of one-vs-rest.

    The area is the Mann-Whitney statistic (Hanley and McNeil 1982, Radiology 143, 29-36, section
    III). NaN where only one class occurs or a score is NaN.

    Parameters
    ----------
    y_true
        Labels `(N,)`, `(N, 1)` or one-hot `(N, K)`.
    y_pred
        Probability of class 1 `(N,)` or of each class `(N, K)`.
    """
    truth = class_labels(y_true)
    scores = class_scores(y_pred)
    if scores.ndim == 1:
        return binary_auroc(truth == 1, scores)
    areas = [binary_auroc(truth == k, scores[:, k]) for k in range(scores.shape[1])]
    return float(np.mean(areas))


def binary_auroc(positive: Array, scores: Array) -> float:
    """AUROC of boolean labels `(N,)` against scores `(N,)`; see `auroc`."""
    n_positive = int(np.count_nonzero(positive))
    n_negative = len(positive) - n_positive
    if n_positive == 0 or n_negative == 0 or not np.isfinite(scores).all():
        return float("nan")
    rank_sum = float(mean_ranks(scores)[positive].sum())
    return (rank_sum - n_positive * (n_positive + 1) / 2) / (n_positive * n_negative)


def mean_ranks(values: Array) -> Array:
    """Ranks `(N,)` from 1 of values `(N,)`; equal ones share the mean of their ranks."""
    _, group, counts = np.unique(values, return_inverse=True, return_counts=True)
    last_rank = np.cumsum(counts)
    return np.asarray((last_rank - (counts - 1) / 2)[group])


def mean_squared_error(y_true: Array, y_pred: Array) -> float:
    """Mean of squared differences, in squared units of the labels."""
    difference = y_true.astype(np.float64) - y_pred
    return float(np.dot(difference.ravel(), difference.ravel()) / max(difference.size, 1))


def pearson(y_true: Array, y_pred: Array) -> float:
    """Pearson's correlation of all values; the mean over columns for `(N, K)`, K > 1.

    NaN where labels or predictions do not vary.
    """
    if y_true.ndim == 2 and y_true.shape[1] > 1:
        columns = [pearson(y_true[:, k], y_pred[:, k]) for k in range(y_true.shape[1])]
        return float(np.mean(columns))
    a = y_true.ravel().astype(np.float64)
    b = y_pred.ravel().astype(np.float64)
    if len(a) < 2 or _is_constant(a) or _is_constant(b):
        return float("nan")
    with np.errstate(invalid="ignore", over="ignore"):  # predictions of a diverged model
        a -= np.add.reduce(a) / len(a)
        b -= np.add.reduce(b) / len(b)
        scale = math.sqrt(float(a.dot(a)) * float(b.dot(b)))
        product = float(a.dot(b))
    return product / scale if scale > 0 and math.isfinite(scale) else float("nan")


def spearman(y_true: Array, y_pred: Array) -> float:
    """Spearman's correlation: Pearson's of the ranks; the mean over columns for `(N, K)`, K > 1."""
    if y_true.ndim == 2 and y_true.shape[1] > 1:
        columns = [spearman(y_true[:, k], y_pred[:, k]) for k in range(y_true.shape[1])]
        return float(np.mean(columns))
    true, pred = y_true.ravel(), y_pred.ravel()
    if not (np.isfinite(true).all() and np.isfinite(pred).all()):
        return float("nan")
    return pearson(mean_ranks(true), mean_ranks(pred))


def _is_constant(values: Array) -> bool:
    """Whether all values are one; a rounded mean would not tell."""
    return bool(values[0] == values[-1]) and bool((values == values[0]).all())
