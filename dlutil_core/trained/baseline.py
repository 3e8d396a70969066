"""What a linear model makes of the same split: the numbers that a network has to beat.

A logistic regression where labels are classes, or each a yes or no; a ridge regression where they
are numbers; by scikit-learn. How strongly it is regularised is chosen on the validation set.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dlutil_core.common.errors import UserError
from dlutil_core.common.files import write_json
from dlutil_core.common.logs import log
from dlutil_core.common.reads import Read
from dlutil_core.common.seeds import loader_seed, seed_everything
from dlutil_core.job.loaded_run import LoadedRun
from dlutil_core.loaders.described import described
from dlutil_core.model.chosen_metrics import chosen_metrics, column_metrics
from dlutil_core.model.models import ClassificationModel, RegressionModel
from dlutil_core.trained.features import Features, as_array

CLASSES, LABELS, NUMBERS = "classes", "labels", "numbers"
STRENGTHS = (0.001, 0.01, 0.1, 1.0)
"""Inverse strengths of regularisation that are tried (scikit-learn's C, and 1 / alpha)."""

UNCHOSEN = 0.01
"""The one that is taken without a validation set."""

MAX_RECORDS = 100_000
"""Of more training records, so many that are evenly spaced are fitted."""

MAX_CLASSES = 1000
METRICS = {
    CLASSES: ("accuracy", "auroc", "average_precision"),
    LABELS: ("accuracy", "auroc", "average_precision"),
    NUMBERS: ("mse", "pearson", "spearman"),
}
OF_EACH = {
    CLASSES: ("auroc", "average_precision", "recall"),
    LABELS: ("auroc", "average_precision"),
    NUMBERS: METRICS[NUMBERS],
}


@dataclass
class Set:
    """Features and labels of a set, in the loader's order."""

    x: Any
    y: np.ndarray
    shape: tuple[int, ...] | None = None
    """Of one record's inputs, where they are one array."""


def fit_baseline(
    loaded: LoadedRun, out: Path, kmer: int | None = None, label_names: Sequence[str] = ()
) -> tuple[Read, ...]:
    """Write `metrics.json` and `about.json` into the folder `out`.

    Parameters
    ----------
    kmer
        Letters of the words that are counted in sequences; `None`: as many as make up to 1024.
    label_names
        What classes or columns of labels are called, where the loader has no `class_names`.

    Returns
    -------
    What was read for it.
    """
    from threadpoolctl import threadpool_limits

    spec, definition = loaded.spec, loaded.definition
    train_loader, val_loader = loaded.loaders
    features = Features(kmer)
    train = _read(definition, train_loader, features)
    step = -(-len(train.y) // MAX_RECORDS)
    val = None if val_loader is None else _read(definition, val_loader, features)
    seed_everything(loader_seed(spec.seed))
    test_loader = definition.test_loader(spec.data_dir)
    test = _read(definition, test_loader, features)
    kind = kind_of(train.y, definition.model_class())
    with threadpool_limits(1), warnings.catch_warnings():  # bits depend on the number of threads
        warnings.simplefilter("ignore")
        strength, predicted = _predicted(kind, Set(train.x[::step], train.y[::step]), val, test)
    names = getattr(test_loader, "class_names", None) or label_names or None
    several = kind == LABELS
    wanted = dict.fromkeys([*METRICS[kind], *spec.options.metrics])
    each = dict.fromkeys([*OF_EACH[kind], *spec.options.metrics])
    found = chosen_metrics(wanted, test.y, predicted, several)
    found |= column_metrics(each, test.y, predicted, several, names)
    metrics = {name: value if math.isfinite(value) else None for name, value in found.items()}
    model = "ridge regression" if kind == NUMBERS else "logistic regression"
    about = {
        "text": f"A {model} on {features.text}, fitted to {len(train.y[::step])} records.",
        "features": int(train.x.shape[1]),
        "records": len(train.y[::step]),
        "strength": strength,
        "sets": [
            described(name, part.shape, part.y, names)
            for name, part in (("training", train), ("validation", val), ("test", test))
            if part is not None
        ],
    }
    write_json(out / "metrics.json", metrics)
    write_json(out / "about.json", about)
    log.info("baseline: %s", about["text"])
    return loaded.reads()


def _read(definition: Any, loader: Iterable[Any], features: Features) -> Set:
    parts: list[tuple[Any, np.ndarray]] = []
    shapes: list[tuple[int, ...] | None] = []

    def walk() -> None:
        for x, y in loader:
            shapes.append(None if isinstance(x, (dict, list, tuple)) else as_array(x).shape[1:])
            if isinstance(y, (dict, list, tuple)):
                raise UserError(
                    "baseline: labels are several arrays, of which it can fit none; set "
                    "baseline: false"
                )
            parts.append((features.of(x), as_array(y)))

    definition.call("a loader, for the baseline,", walk)
    if not parts:
        raise UserError("baseline: a loader gave no batch; check its data")
    x = features.joined([x for x, _ in parts])
    return Set(x, np.concatenate([y for _, y in parts]), shapes[0])


def kind_of(y: np.ndarray, model: type) -> str:
    """Whether labels are classes, each a yes or no, or numbers: what the model takes them for, if
    it is one of dlutil's, or else what they look like.
    """
    known = y[~np.isnan(y)] if y.dtype.kind == "f" else y
    whole = bool((known == np.floor(known)).all()) and bool((known >= 0).all())
    if (
        issubclass(model, RegressionModel)
        or not whole
        or (known.size and known.max() >= MAX_CLASSES)
    ):
        return NUMBERS
    if y.ndim == 1 or y.shape[1] == 1:
        certain = y.dtype.kind != "f" or issubclass(model, ClassificationModel)
        return CLASSES if certain or known.max(initial=0) <= 1 else NUMBERS
    if known.max(initial=0) > 1:
        return NUMBERS
    return CLASSES if bool((y.sum(axis=1) == 1).all()) else LABELS


def _predicted(kind: str, train: Set, val: Set | None, test: Set) -> tuple[float, np.ndarray]:
    """The strength that validates best, and predictions of the test set in a model's form."""
    if val is None:
        return UNCHOSEN, _fitted(kind, train, [test], UNCHOSEN)[0]
    best = (math.inf, UNCHOSEN, np.empty(0))
    for strength in STRENGTHS:
        of_val, of_test = _fitted(kind, train, [val, test], strength)
        found = _loss(kind, val.y, of_val)
        if found < best[0]:
            best = (found, strength, of_test)
    if not best[2].size:
        raise UserError(
            "baseline: no fit has a finite loss on the validation set; check its labels"
        )
    return best[1], best[2]


def _fitted(kind: str, train: Set, sets: list[Set], strength: float) -> list[np.ndarray]:
    """Predictions of sets by a model that was fitted to `train`."""
    if kind == CLASSES:
        return _classes(train, sets, strength)
    columns = train.y.reshape(len(train.y), -1)
    parts = [_column(kind, train.x, column, sets, strength) for column in columns.T]
    stacked = [np.column_stack(column) for column in zip(*parts, strict=True)]
    return [found.reshape(len(found)) if found.shape[1] == 1 else found for found in stacked]


def _column(kind: str, x: Any, y: np.ndarray, sets: list[Set], strength: float) -> list[np.ndarray]:
    """Predictions of one label or number, from the records where it is known."""
    from sklearn.linear_model import LogisticRegression, Ridge

    rows = np.flatnonzero(~np.isnan(y.astype(float)))
    x, y = x[rows], y[rows]
    if len(np.unique(y)) < 2:
        constant = float(y[0]) if len(y) else 0.0
        return [np.full(len(part.y), constant) for part in sets]
    if kind == NUMBERS:
        ridge = Ridge(1 / strength).fit(x, y)
        return [ridge.predict(part.x) for part in sets]
    model = LogisticRegression(C=strength, max_iter=2000).fit(x, y)
    return [model.predict_proba(part.x)[:, 1] for part in sets]


def _classes(train: Set, sets: list[Set], strength: float) -> list[np.ndarray]:
    """Probabilities of classes: `(N,)` of class 1 of two, `(N, K)` of more."""
    from sklearn.linear_model import LogisticRegression

    numbers = [_numbers(part.y) for part in (train, *sets)]
    count = max(int(y.max(initial=0)) for y in numbers) + 1
    count = max(count, train.y.shape[1] if train.y.ndim == 2 else 0, 2)
    rows = np.flatnonzero(numbers[0] >= 0)
    x, y = train.x[rows], numbers[0][rows]
    there = np.unique(y)
    if len(there) > 1:
        model = LogisticRegression(C=strength, max_iter=2000).fit(x, y)
    found = []
    for part in sets:
        shares = np.zeros((len(part.y), count))
        shares[:, there] = model.predict_proba(part.x) if len(there) > 1 else 1.0
        found.append(shares[:, 1] if count == 2 else shares)
    return found


def _numbers(y: np.ndarray) -> np.ndarray:
    """Class numbers `(N,)`; -1 where the label is missing."""
    if y.ndim == 2 and y.shape[1] > 1:
        return np.asarray(y.argmax(axis=1))
    return np.nan_to_num(y.reshape(len(y)).astype(float), nan=-1).astype(np.int64)


def _loss(kind: str, y: np.ndarray, predicted: np.ndarray) -> float:
    """Mean squared error, or log loss, of the labels that are known."""
    if kind == CLASSES:
        numbers = _numbers(y)
        rows = np.flatnonzero(numbers >= 0)
        shares = predicted if predicted.ndim == 2 else np.column_stack([1 - predicted, predicted])
        return float(-np.log(np.clip(shares[rows, numbers[rows]], 1e-15, 1)).mean())
    known = ~np.isnan(y.astype(float))
    true, found = y.astype(float)[known], predicted.reshape(y.shape)[known]
    if kind == NUMBERS:
        return float(((true - found) ** 2).mean())
    found = np.clip(found, 1e-15, 1 - 1e-15)
    return float(-(true * np.log(found) + (1 - true) * np.log(1 - found)).mean())
