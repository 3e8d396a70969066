"""Metrics against scikit-learn and numpy, undefined ones included."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from dlutil_core.model import metrics


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 5)), min_size=2, max_size=40))
@settings(max_examples=100, deadline=None)
def test_auroc_with_ties_is_scikit_learns(pairs: list[tuple[int, int]]) -> None:
    y = np.array([p[0] for p in pairs])
    scores = np.array([p[1] / 5 for p in pairs], dtype=np.float32)
    found = metrics.auroc(y, scores)
    if len(set(y)) < 2:
        assert math.isnan(found)
    else:
        assert found == pytest.approx(sk.roc_auc_score(y, scores), abs=1e-12)


def test_auroc_takes_every_form_of_labels_and_predictions() -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 60)
    p = rng.random(60).astype(np.float32)
    wanted = sk.roc_auc_score(y, p)
    both = np.column_stack([1 - p, p])
    for labels in (y, y[:, None], y.astype(np.float32), y.astype(bool), np.eye(2)[y]):
        for scores in (p, p[:, None], both):
            assert metrics.auroc(labels, scores) == pytest.approx(wanted)
            assert metrics.accuracy(labels, scores) == np.mean((p > 0.5) == y)


def test_multi_class_auroc_is_the_mean_of_one_against_the_rest() -> None:
    rng = np.random.default_rng(1)
    y = rng.integers(0, 4, 80)
    raw = rng.random((80, 4)) + np.eye(4)[y]
    p = raw / raw.sum(1, keepdims=True)
    wanted = sk.roc_auc_score(y, p, multi_class="ovr", average="macro")
    assert metrics.auroc(y, p) == pytest.approx(wanted)
    assert metrics.accuracy(y, p) == np.mean(p.argmax(1) == y)


def test_auroc_is_undefined_without_both_classes_or_with_scores_that_are_no_numbers() -> None:
    assert math.isnan(metrics.auroc(np.zeros(5), np.arange(5.0)))
    assert math.isnan(metrics.auroc(np.ones(5), np.arange(5.0)))
    assert math.isnan(metrics.auroc(np.array([0, 1]), np.array([0.1, np.nan])))
    assert math.isnan(metrics.auroc(np.zeros(0), np.zeros(0)))
    three = np.array([[0.2, 0.3, 0.5], [0.5, 0.3, 0.2]])
    assert math.isnan(metrics.auroc(np.array([0, 1]), three))  # class 2 does not occur
    assert math.isnan(metrics.accuracy(np.zeros(0), np.zeros(0)))


def test_pearson_is_numpys_and_undefined_where_nothing_varies() -> None:
    rng = np.random.default_rng(2)
    a, b = rng.normal(size=(2, 50)).astype(np.float32)
    assert metrics.pearson(a, b) == pytest.approx(np.corrcoef(a, b)[0, 1], abs=1e-6)
    assert metrics.pearson(a[:, None], b[:, None]) == metrics.pearson(a, b)
    columns = rng.normal(size=(2, 50, 3))
    wanted = np.mean([np.corrcoef(columns[0][:, k], columns[1][:, k])[0, 1] for k in range(3)])
    assert metrics.pearson(columns[0], columns[1]) == pytest.approx(wanted)
    assert math.isnan(metrics.pearson(np.ones(4), np.arange(4.0)))
    assert math.isnan(metrics.pearson(np.arange(4.0), np.full(4, 0.1)))
    for count in range(2, 40):  # a mean that is rounded leaves differences of 1e-17
        assert math.isnan(metrics.pearson(np.arange(float(count)), np.full(count, 0.1)))
    assert math.isnan(metrics.pearson(np.arange(4.0), np.full(4, np.inf)))
    assert math.isnan(metrics.pearson(np.ones(1), np.ones(1)))


def test_pearson_survives_a_large_mean() -> None:
    a = 1e6 + np.arange(20.0)
    assert metrics.pearson(a, 2 * a) == pytest.approx(1.0)


def test_mean_squared_error_of_integers_does_not_wrap() -> None:
    y = np.array([0, 255], dtype=np.uint8)
    p = np.array([255.0, 0.0], dtype=np.float32)
    assert metrics.mean_squared_error(y, p) == 255.0**2
    assert metrics.mean_squared_error(y, np.array([255, 0], dtype=np.uint8)) == 255.0**2
