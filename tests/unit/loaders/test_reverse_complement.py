"""Reverse complements: one draw a record for all its inputs, and letters alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from dlutil_core.batch_generator import MatrixBatchGenerator
from dlutil_core.common.errors import UserError
from dlutil_core.loaders import on_device

RNG = np.random.default_rng(0)


def letters(length: int = 6, records: int = 40) -> np.ndarray:
    return np.eye(4, dtype=np.float32)[RNG.integers(4, size=(records, length))].transpose(0, 2, 1)


DNA = letters()


def batch_of(x: Any, y: Any = None, **options: Any) -> Any:
    torch.manual_seed(0)
    (found,) = MatrixBatchGenerator(x, y, **{"reverse_complement": 0.5, **options})
    torch.manual_seed(0)
    made = MatrixBatchGenerator(x, y, **{"reverse_complement": 0.5, **options})
    (resident,) = on_device.batches(made, torch.device("cpu"), torch.float32)
    pairs = zip(np.atleast_1d(_flat(found)), np.atleast_1d(_flat(resident)), strict=True)
    assert all(np.array_equal(a, b) for a, b in pairs)
    return found


def _flat(tree: Any) -> Any:
    from dlutil_core.common.nested import tree_leaves

    return np.concatenate([np.asarray(leaf).ravel() for _, leaf in tree_leaves(tree)])


def turned(found: Any, given: Any = DNA) -> np.ndarray:
    """Which records are their reverse complements; the others are as they were."""
    other = given[:, ::-1, ..., ::-1]
    which = (found != given).reshape(len(given), -1).any(1)
    assert np.array_equal(found, np.where(which.reshape(-1, *[1] * (given.ndim - 1)), other, given))
    return which


def test_all_inputs_of_a_record_are_turned_together() -> None:
    deep, long = DNA[:, :, None], letters(9)
    found = batch_of({"dna": DNA, "same": DNA.copy(), "deep": deep, "long": (long, long)})
    which = turned(found["dna"])
    assert 5 < which.sum() < 35
    assert np.array_equal(turned(found["same"]), which)
    assert np.array_equal(turned(found["deep"], deep), which)
    assert all(np.array_equal(turned(part, long), which) for part in found["long"])


def test_vectors_of_a_record_stay_as_they_are() -> None:
    cells, doses = RNG.normal(size=(40, 3)).astype(np.float32), np.arange(40, dtype=np.float32)
    found = batch_of({"cells": cells, "dose": doses, "dna": DNA})
    assert turned(found["dna"]).any()
    assert np.array_equal(found["cells"], cells) and np.array_equal(found["dose"], doses)


REFUSED: dict[str, Any] = {
    "a track": {"dna": DNA, "track": np.ones((40, 1, 6))},
    "a fifth row": np.concatenate([DNA, np.ones((40, 1, 6))], 1),
    "twenty letters": np.ones((40, 20, 6)),
    "four tracks": np.full((40, 4, 6), 3.0),
    "signed rows": DNA - 0.5,
    "tokens": RNG.integers(4, size=(40, 6)),
    "tokens beside": {"dna": DNA, "tokens": RNG.integers(4, size=(40, 6))},
    "a number": np.arange(40.0),
}


@pytest.mark.parametrize("name", REFUSED)
def test_everything_else_is_refused(name: str) -> None:
    with pytest.raises(UserError, match="reverse_complement"):
        batch_of(REFUSED[name])


def test_unknown_letters_and_probabilities_of_letters_are_letters() -> None:
    x = DNA.copy()
    x[:, :, 2], x[:, :, 3] = 0.25, 0.0
    assert turned(batch_of(x), x).any()


def test_labels_by_position_are_turned_where_asked_and_never_guessed() -> None:
    track = RNG.normal(size=(40, 6)).astype(np.float32)
    with pytest.raises(UserError, match=r"say reverse_labels=True"):
        batch_of(DNA, track)
    x, y = batch_of(DNA, track, reverse_labels=True)
    which = turned(x)
    assert np.array_equal(y, np.where(which[:, None], track[:, ::-1], track))
    strands = np.stack([track, -track], 1)
    x, y = batch_of(DNA, strands, reverse_labels=True)
    which = turned(x)
    assert np.array_equal(y, np.where(which[:, None, None], strands[:, :, ::-1], strands))
    _, y = batch_of(DNA, track, reverse_labels=False)
    assert np.array_equal(y, track)
    _, y = batch_of(DNA, track[:, :2])
    assert np.array_equal(y, track[:, :2])
    with pytest.raises(UserError, match=r"reverse_labels=True takes a number for each"):
        batch_of(DNA, track[:, :2], reverse_labels=True)
