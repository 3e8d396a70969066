"""The problems of the tables of learning curves: small real ones, and one made of late bloomers.

A problem's records come in an order by a fixed seed: those to train on, to validate, to test.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from harness import ROOT
from numpy.typing import NDArray
from spaces import Space, Values

Array = NDArray[np.float32]

DENSE: Space = {
    "learning_rate": Values(tuple(float(f"{10 ** (k / 4 - 4):.2g}") for k in range(13))),
    "hidden": Values((4, 8, 16, 32, 64, 128)),
    "dropout": Values((0.0, 0.15, 0.4)),
    "weight_decay": Values((0.0, 0.001, 0.03)),
    "activation": Values(("relu", "tanh"), ordered=False),
}
"""1,404 configurations, most of them bad ones."""

MOTIFS: Space = {
    "learning_rate": Values(tuple(float(f"{10 ** (k / 4 - 3.5):.2g}") for k in range(11))),
    "filters": Values((2, 4, 8, 16)),
    "width": Values((8, 12, 16, 20)),
    "dropout": Values((0.0, 0.3)),
    "weight_decay": Values((0.0, 0.003)),
}
"""704 configurations."""

LATE: Space = {name: Values(tuple(range(10))) for name in ("speed", "luck", "start")}


@dataclass(frozen=True)
class Records:
    """Inputs and labels: standardised numbers of shape (N,), or classes 0, 1, … as int64."""

    inputs: Array
    labels: NDArray[Any]

    def part(self, first: int, end: int) -> Records:
        """Some of them."""
        return Records(self.inputs[first:end], self.labels[first:end])


@dataclass(frozen=True)
class Problem:
    """Records, how many of them train and validate at most, a space, and how long trials may be."""

    name: str
    records: Callable[[], Records] | None
    space: Space
    training: int
    validating: int
    epochs: int = 81

    @property
    def is_real(self) -> bool:
        """Whether records stand behind it; late bloomers have a formula instead."""
        return self.records is not None


def shuffled(inputs: Any, labels: Any) -> Records:
    """Inputs standardised by column, in an order of their own; labels that are numbers likewise."""
    order = np.random.RandomState(1).permutation(len(inputs))
    x = np.asarray(inputs, np.float64)[order]
    x = (x - x.mean(0)) / (x.std(0) + 1e-9)
    y = np.asarray(labels)[order]
    if y.dtype.kind == "f":
        y = ((y - y.mean()) / y.std()).astype(np.float32)
    return Records(x.astype(np.float32), y)


def friedman() -> Records:
    """As of examples/function_regressor, with more records to validate and test with."""
    sys.path.insert(0, str(ROOT / "examples" / "function_regressor"))
    from make_data import sample

    return shuffled(*sample(3000, seed=1, part=0))


def of_sklearn(name: str) -> Records:
    """A set that scikit-learn brings along."""
    from sklearn import datasets

    inputs, labels = getattr(datasets, f"load_{name}")(return_X_y=True)
    return shuffled(inputs, labels)


def ctcf() -> Records:
    """The middle of the peaks of examples/conv_seq_classifier against shuffles: (N, 4, 100)."""
    from dlutil_core.preprocess.encode.shuffle import shuffle_sequences

    path = ROOT / "examples" / "conv_seq_classifier" / "raw_data" / "ctcf_peaks.fa"
    lines = path.read_bytes().upper().split()
    peaks = [line for line in lines if not line.startswith(b">")]
    texts = [text[50:150] for text in [*peaks, *shuffle_sequences(peaks, 1, 0)]]
    letters = np.frombuffer(b"".join(texts), np.uint8).reshape(len(texts), 1, -1)
    inputs = letters == np.frombuffer(b"ACGT", np.uint8).reshape(1, 4, 1)
    labels = np.repeat([1, 0], len(peaks))
    order = np.random.RandomState(1).permutation(len(texts))
    return Records(inputs[order].astype(np.float32), labels[order])


LATE_BLOOMERS = Problem("late bloomers", None, LATE, 0, 0)

PROBLEMS = (
    Problem("Friedman", friedman, DENSE, 400, 400),
    Problem("diabetes", partial(of_sklearn, "diabetes"), DENSE, 200, 100),
    Problem("breast cancer", partial(of_sklearn, "breast_cancer"), DENSE, 150, 200),
    Problem("digits", partial(of_sklearn, "digits"), DENSE, 300, 400),
    Problem("CTCF", ctcf, MOTIFS, 400, 200, epochs=27),
    LATE_BLOOMERS,
)


def late_curves(configs: list[dict[str, Any]], epochs: int) -> Array:
    """Rewards of late bloomers, shape (configurations, epochs): the slower, the better in the end.

    Each begins at its `start`, and rises to a height that grows with how slow it is.
    """
    random = np.random.RandomState(1)
    rows = []
    for config in configs:
        slow = 9 - config["speed"]
        half = 2.0 * 1.45**slow
        height = 10.0 * slow + config["luck"] + random.standard_normal()
        epoch = np.arange(1, epochs + 1)
        rise = 1 / (1 + (half / epoch) ** 3)
        rows.append(config["start"] + (height - config["start"]) * rise - 100)
    return np.array(rows, dtype=np.float32)
