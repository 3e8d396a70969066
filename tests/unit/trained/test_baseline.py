"""A baseline's columns and its fits, against scikit-learn called plainly."""

from __future__ import annotations

import collections
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge

from dlutil_core.common.errors import UserError
from dlutil_core.loaders.described import described
from dlutil_core.model.base import BaseModel
from dlutil_core.model.models import ClassificationModel, RegressionModel
from dlutil_core.trained import baseline
from dlutil_core.trained.baseline import Set, kind_of
from dlutil_core.trained.features import Features, letters_axis

RNG = np.random.default_rng(3)
LETTERS = RNG.integers(0, 4, (6, 12))


def one_hot(letters: np.ndarray, count: int = 4) -> np.ndarray:
    """`(N, A, 1, L)` as the preprocessing writes it."""
    return np.eye(count, dtype=np.float32)[letters].transpose(0, 2, 1)[:, :, None]


def counted(x: Any, kmer: int | None = None) -> np.ndarray:
    features = Features(kmer)
    found: np.ndarray = features.joined([features.of(x)]).toarray()
    return found


@pytest.mark.parametrize("kmer", [1, 2, 3])
def test_words_are_counted(kmer: int) -> None:
    found = counted(one_hot(LETTERS), kmer)
    assert found.shape == (6, 4**kmer)
    for row, letters in zip(found, LETTERS, strict=True):
        words = ["".join(map(str, letters[k : k + kmer])) for k in range(12 - kmer + 1)]
        expected = {int(w, 4): n for w, n in collections.Counter(words).items()}
        assert {k: int(n) for k, n in enumerate(row) if n} == expected


def test_other_layouts_are_the_same_and_unknown_letters_count_in_no_word() -> None:
    x = one_hot(LETTERS)
    assert np.array_equal(counted(x), counted(x[:, :, 0]))
    assert np.array_equal(counted(x), counted(x[:, :, 0].transpose(0, 2, 1)))
    for unknown in (0.0, 0.25):
        x = one_hot(LETTERS)
        x[0, :, 0, 5] = unknown
        assert counted(x, 3)[0].sum() == 10 - 3 and counted(x, 3)[1].sum() == 10


def test_words_are_as_long_as_1024_allow() -> None:
    assert counted(one_hot(LETTERS)).shape[1] == 4**5
    assert counted(one_hot(RNG.integers(0, 20, (4, 30)), 20)).shape[1] == 20**2
    with pytest.raises(UserError, match=r"baseline\.kmer is 12, but there are 16777216 such words"):
        counted(one_hot(LETTERS), 12)


def test_tables_are_standardised_as_the_first_set_is() -> None:
    table = RNG.normal(3, 5, (50, 4))
    table[3, 1] = np.nan
    assert letters_axis(table[:, :, None]) is None
    features = Features()
    first = features.joined([features.of(table[:20]), features.of(table[20:])])
    assert first.mean(axis=0) == pytest.approx(np.zeros(4), abs=1e-12) and first[3, 1] == 0
    again = features.joined([features.of(table * 2)])
    mean = np.nanmean(table, axis=0)
    assert again[0] == pytest.approx((table[0] * 2 - mean) / np.nanstd(table, axis=0))
    assert features.text == "4 standardised columns"


def test_sequences_beside_a_table() -> None:
    features = Features(1)
    x = {"dna": one_hot(LETTERS), "table": RNG.normal(size=(6, 3))}
    assert features.joined([features.of(x)]).shape == (6, 4 + 3)
    assert features.text == "counts of words of 1 letter and 3 standardised columns"


@pytest.mark.parametrize(
    ("labels", "model", "kind"),
    [
        (np.array([0, 1, 2]), ClassificationModel, "classes"),
        (np.array([0, 1, 2]), RegressionModel, "numbers"),
        (np.array([0.0, 1, 2]), ClassificationModel, "classes"),
        (np.array([0.0, 1, 2]), BaseModel, "numbers"),
        (np.array([[0.0], [1]]), BaseModel, "classes"),
        (np.array([0.5, np.nan]), BaseModel, "numbers"),
        (np.eye(3), ClassificationModel, "classes"),
        (np.array([[1.0, 1], [0, np.nan]]), ClassificationModel, "labels"),
    ],
)
def test_kind_of_labels(labels: np.ndarray, model: type, kind: str) -> None:
    assert kind_of(labels, model) == kind


X = RNG.normal(size=(90, 5))
SETS = [slice(0, 40), slice(40, 60), slice(60, 90)]


def fitted(kind: str, y: np.ndarray) -> tuple[float, np.ndarray]:
    train, val, test = (Set(X[rows], y[rows]) for rows in SETS)
    return baseline._predicted(kind, train, val, test)


def test_numbers_are_ridge_regressions_chosen_by_validation() -> None:
    y = np.column_stack([X @ [1, 2, 0, 0, -1] + RNG.normal(size=90), RNG.normal(size=90)])
    y[5, 1] = np.nan
    strength, found = fitted("numbers", y)
    assert strength in baseline.STRENGTHS and found.shape == (30, 2)
    train, val, test = SETS
    errors = {}
    for tried in baseline.STRENGTHS:
        models = [Ridge(1 / tried).fit(X[train][~np.isnan(c)], c[~np.isnan(c)]) for c in y[train].T]
        predicted = np.column_stack([m.predict(X[val]) for m in models])
        errors[tried] = ((predicted - y[val]) ** 2).mean()
        if tried == strength:
            expected = np.column_stack([m.predict(X[test]) for m in models])
    assert strength == min(errors, key=lambda s: errors[s])
    assert found == pytest.approx(expected)


def test_classes_and_labels_are_logistic_regressions() -> None:
    y = np.digitize(X[:, 0] + 0.3 * RNG.normal(size=90), [-0.5, 0.5])
    strength, found = fitted("classes", y)
    model = LogisticRegression(C=strength, max_iter=2000).fit(X[SETS[0]], y[SETS[0]])
    assert found == pytest.approx(model.predict_proba(X[SETS[2]]))
    for form in (y[:, None], np.eye(3)[y]):
        assert fitted("classes", form)[1] == pytest.approx(found)
    flags = np.column_stack([X[:, 0] > 0, X[:, 1] > 0, np.ones(90)]).astype(float)
    strength, found = fitted("labels", flags)
    assert found.shape == (30, 3) and (found[:, 2] == 1).all()
    assert ((found > 0.5) == (flags[SETS[2]] > 0.5)).mean() > 0.85
    assert fitted("classes", flags[:, :1])[1].shape == (30,)


def test_sets_are_told_by_their_labels() -> None:
    found = described("training", (4, 1, 9), np.array([0, 1, 1, 2]), ["a", "b", "c"])
    assert found["records"] == 4 and found["shape"] == [4, 1, 9]
    assert found["labels"][0]["counts"] == {"a": 1, "b": 2, "c": 1}
    two = described("test", None, np.array([[0.5, 1.0], [1.5, np.nan]]))
    assert two["labels"][0] == {"missing": 0, "min": 0.5, "max": 1.5, "mean": 1.0}
    assert two["labels"][1] == {"missing": 1, "classes": ["1"], "counts": {"1": 1}}
    assert described("test", None, np.array([np.nan]))["labels"] == [{"missing": 1, "min": None}]
