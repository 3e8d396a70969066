"""What an epoch leaves: metrics of each batch, from arrays that came from the device together."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from dlutil_core.model import epoch_outputs


def metric(y_true: Any, y_pred: np.ndarray) -> dict[str, float]:
    assert isinstance(y_pred, np.ndarray)
    first = y_true["a"] if isinstance(y_true, dict) else y_true
    return {"sum": float(first.sum() + y_pred.sum())}


def means(batches: list[Any]) -> dict[str, float]:
    kept = epoch_outputs.EpochOutputs(metric)
    for y_true, y_pred in batches:
        kept.add(y_true, y_pred, torch.tensor(0.5))
    return epoch_outputs.mean_over_batches(kept)


@pytest.mark.parametrize("limit", [1, 10**6])
def test_each_batch_keeps_its_own_rows(limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(epoch_outputs, "FLUSH_VALUES", limit)
    batches = [(torch.full((n,), float(n)), torch.arange(n)) for n in (3, 4, 2)]
    sums = [n * n + n * (n - 1) / 2 for n in (3, 4, 2)]
    expected = np.dot(sums, [3, 4, 2]) / 9
    assert means(batches) == {"loss": 0.5, "sum": pytest.approx(expected)}


def test_batches_of_several_shapes_and_types_are_not_joined() -> None:
    batches = [
        (torch.ones(2, n), torch.ones(2, n, dtype=kind))
        for n, kind in ((3, torch.float32), (5, torch.float32), (5, torch.float64))
    ]
    assert means(batches)["sum"] == pytest.approx((12 + 20 + 20) / 3)


def test_labels_may_be_dictionaries() -> None:
    batches = [({"a": torch.ones(n), "b": torch.ones(n, 2)}, torch.zeros(n)) for n in (1, 3)]
    assert means(batches)["sum"] == pytest.approx((1 + 9) / 4)


def test_predictions_that_are_not_one_per_sample_stay_with_their_batch() -> None:
    batches = [(torch.ones(3), torch.tensor(5.0)), (torch.ones(2), torch.tensor(7.0))]
    assert means(batches)["sum"] == pytest.approx((8 * 3 + 9 * 2) / 5)
    batches = [(torch.ones(3), torch.ones(1)), (torch.ones(2), torch.ones(1))]
    assert means(batches)["sum"] == pytest.approx((4 * 3 + 3 * 2) / 5)


def test_a_metric_that_some_batches_lack_counts_where_it_is() -> None:
    def some(y_true: torch.Tensor, y_pred: np.ndarray) -> dict[str, float]:
        size = float(len(y_pred))
        return {"all": size} | ({"late": size} if size > 2 else {})

    kept = epoch_outputs.EpochOutputs(some)
    for n in (1, 3, 2, 4):
        kept.add(torch.ones(n), torch.ones(n), torch.tensor(0.0))
    found = epoch_outputs.mean_over_batches(kept)
    assert found["late"] == pytest.approx((9 + 16) / 7)
    assert found["all"] == pytest.approx(30 / 10)
