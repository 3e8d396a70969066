"""Metrics by name against scikit-learn's; metrics of each class; rewards from any of them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from sklearn import metrics as known
from torch import nn

from dlutil_core import base_model
from dlutil_core.batch_generator import MatrixBatchGenerator
from dlutil_core.common.errors import UserError
from dlutil_core.model.base import model_settings
from dlutil_core.model.chosen_metrics import KNOWN, chosen_metrics, column_metrics, reward_of
from dlutil_core.model.options import TrainingOptions

RNG = np.random.default_rng(5)
N = 200
BINARY = RNG.integers(0, 2, N)
SCORES = np.round(np.clip(0.3 * BINARY + RNG.uniform(0, 0.7, N), 0, 1), 2)  # with ties
CLASSES = RNG.integers(0, 3, N)
SHARES = RNG.dirichlet([1, 1, 1], N) + 0.4 * np.eye(3)[CLASSES]
SHARES /= SHARES.sum(axis=1, keepdims=True)
LABELS = (RNG.uniform(size=(N, 4)) < 0.4).astype(np.float32)
FLAGS = np.clip(0.4 * LABELS + RNG.uniform(0, 0.6, (N, 4)), 0, 1)
NUMBERS = RNG.normal(size=N)
GUESSES = NUMBERS + RNG.normal(size=N)


def sklearn_of(name: str, truth: Any, scores: Any) -> float:
    """The same metric of a yes or no, or of numbers, by scikit-learn or scipy."""
    from scipy import stats

    chosen = np.asarray(scores) > 0.5
    found: dict[str, Any] = {
        "accuracy": lambda: known.accuracy_score(truth, chosen),
        "auroc": lambda: known.roc_auc_score(truth, scores),
        "average_precision": lambda: known.average_precision_score(truth, scores),
        "balanced_accuracy": lambda: known.balanced_accuracy_score(truth, chosen),
        "f1": lambda: known.f1_score(truth, chosen),
        "mcc": lambda: known.matthews_corrcoef(truth, chosen),
        "precision": lambda: known.precision_score(truth, chosen),
        "recall": lambda: known.recall_score(truth, chosen),
        "mae": lambda: known.mean_absolute_error(truth, scores),
        "mse": lambda: known.mean_squared_error(truth, scores),
        "pearson": lambda: stats.pearsonr(truth, scores)[0],
        "r2": lambda: known.r2_score(truth, scores),
        "spearman": lambda: stats.spearmanr(truth, scores)[0],
    }
    return float(found[name]())


@pytest.mark.parametrize("name", KNOWN)
def test_one_column_is_scikit_learn_s(name: str) -> None:
    numbers = name in ("mae", "mse", "pearson", "r2", "spearman")
    truth, scores = (NUMBERS, GUESSES) if numbers else (BINARY, SCORES)
    found = chosen_metrics([name], truth, scores)
    assert found == {name: pytest.approx(sklearn_of(name, truth, scores), rel=1e-9)}
    assert found == chosen_metrics([name], truth[:, None], scores)
    if not numbers:
        both = np.column_stack([1 - scores, scores])
        assert (
            found
            == chosen_metrics([name], truth, both)
            == chosen_metrics([name], np.eye(2)[truth], both)
        )


def test_classes_are_means_over_classes() -> None:
    chosen = SHARES.argmax(axis=1)
    names = ["accuracy", "average_precision", "balanced_accuracy", "f1", "precision", "recall"]
    found = chosen_metrics([*names, "auroc"], CLASSES, SHARES)
    assert found["accuracy"] == pytest.approx(known.accuracy_score(CLASSES, chosen))
    assert found["balanced_accuracy"] == pytest.approx(
        known.balanced_accuracy_score(CLASSES, chosen)
    )
    assert found["f1"] == pytest.approx(known.f1_score(CLASSES, chosen, average="macro"))
    assert found["auroc"] == pytest.approx(
        known.roc_auc_score(CLASSES, SHARES, multi_class="ovr", average="macro")
    )
    assert found["average_precision"] == pytest.approx(
        known.average_precision_score(np.eye(3)[CLASSES], SHARES, average="macro")
    )
    each = column_metrics(["recall", "auroc"], CLASSES, SHARES, titles=["a", "b.c", "d"])
    recalls = known.recall_score(CLASSES, chosen, average=None)
    assert [each[f"recall.{n}"] for n in ("a", "b.c", "d")] == pytest.approx(list(recalls))
    assert column_metrics(["recall"], CLASSES, SHARES, titles=["a"]).keys() == {
        *(f"recall.{k}" for k in range(3))
    }
    assert column_metrics(["auroc"], BINARY, SCORES) == {}


def test_labels_are_means_over_columns_and_missing_ones_are_left_out() -> None:
    expected = known.average_precision_score(LABELS, FLAGS, average="macro")
    assert chosen_metrics(["average_precision"], LABELS, FLAGS, True) == {
        "average_precision": pytest.approx(expected)
    }
    holed = LABELS.copy()
    holed[::3, 1] = np.nan
    holed[:, 3] = 1.0  # of one kind: not defined, and not part of the mean
    each = column_metrics(["auroc"], holed, FLAGS, True)
    rows = ~np.isnan(holed[:, 1])
    assert each["auroc.1"] == pytest.approx(known.roc_auc_score(holed[rows, 1], FLAGS[rows, 1]))
    assert math.isnan(each["auroc.3"])
    mean = chosen_metrics(["auroc"], holed, FLAGS, True)["auroc"]
    assert mean == pytest.approx(np.mean([each[f"auroc.{k}"] for k in range(3)]))


@pytest.mark.parametrize(
    ("name", "truth", "scores"),
    [
        ("auroc", NUMBERS, GUESSES),
        ("f1", CLASSES, SCORES),
        ("spearman", CLASSES, SHARES),
        ("auroc", {"a": BINARY}, SCORES),
    ],
)
def test_a_metric_of_another_kind_is_refused(name: str, truth: Any, scores: Any) -> None:
    with pytest.raises(UserError, match=f"metrics: {name} is for labels that are"):
        chosen_metrics([name], truth, scores)


class Line(base_model.RegressionModel):
    def init_model(self) -> None:  # type: ignore[override]
        torch.manual_seed(0)
        network = nn.Sequential(nn.Linear(3, 1), nn.Flatten(0))
        super().init_model(network, torch.optim.SGD(network.parameters(), lr=0.05))


def rows(options: TrainingOptions, epochs: int = 3) -> list[dict[str, float]]:
    x = RNG.normal(size=(60, 3)).astype(np.float32)
    loader = MatrixBatchGenerator(x, x[:, 0], batch_size=20)
    with model_settings("cpu", options):
        return Line({}).fit(loader, loader, epochs=epochs)


def test_unset_nothing_changes_and_no_trial_is_another() -> None:
    assert TrainingOptions().identity() == {}
    assert TrainingOptions(metrics=()).identity() == {}
    row = rows(TrainingOptions())[0]
    names = ["epoch", "train_loss", "train_mse", "train_pearson"]
    assert list(row) == [*names, "val_loss", "val_mse", "val_pearson", "reward"]
    assert row["reward"] == -row["val_loss"]


def test_the_reward_is_what_the_config_asks_for() -> None:
    options = TrainingOptions(metrics=("spearman", "mse"), reward="spearman")
    assert options.identity() == {"metrics": ["spearman", "mse"], "reward": "spearman"}
    assert TrainingOptions(**options.identity()) == options
    for row in rows(options):
        assert row["reward"] == row["val_spearman"] and list(row).count("val_mse") == 1
    row = rows(TrainingOptions(reward="-train_mse"), 1)[0]
    assert row["reward"] == -row["train_mse"]
    with pytest.raises(
        UserError, match="reward: f2 asks for val_f2, but there are only train_loss"
    ):
        rows(TrainingOptions(reward="f2"), 1)
    assert reward_of({"val_pearson": math.nan}, "pearson") == 0.0
    assert math.isnan(reward_of({"val_auroc": math.nan}, "auroc"))
