"""The table of a network's tensors, `network.csv`: written where torch is at hand, read without."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlutil_core.common import files
from dlutil_core.common.errors import UserError

COLUMNS = ("name", "shape", "values", "trained")

BUFFERS = ("running_mean", "running_var", "num_batches_tracked")
"""Last parts of names of tensors that batch normalisation keeps, which are not trained."""


@dataclass(frozen=True)
class Weight:
    """One tensor of a network; `trained`: a parameter, and no statistic that a layer keeps."""

    name: str
    shape: tuple[int, ...]
    trained: bool

    @property
    def values(self) -> int:
        """How many numbers it holds."""
        return math.prod(self.shape)


def weights_of(state: Mapping[str, Any]) -> list[Weight]:
    """The tensors of a state of `Model.save()`, in the network's order."""
    weights = state.get("weights")
    tensors = weights if isinstance(weights, Mapping) else {}
    return [
        Weight(name, tuple(tensor.shape), name.rpartition(".")[2] not in BUFFERS)
        for name, tensor in tensors.items()
        if hasattr(tensor, "shape")
    ]


def write_network(path: Path, weights: list[Weight]) -> None:
    """Write the table; a shape is its numbers with `x` between them, none for a single number."""
    rows = [
        {
            "name": weight.name,
            "shape": "x".join(map(str, weight.shape)),
            "values": weight.values,
            "trained": weight.trained,
        }
        for weight in weights
    ]
    files.write_csv(path, COLUMNS, rows)


def read_network(path: Path) -> list[Weight]:
    """The tensors that a table holds."""
    try:
        return [
            Weight(row["name"], _shape(row["shape"]), row["trained"] == "1")
            for row in files.read_csv(path)
        ]
    except (OSError, KeyError, ValueError) as error:
        raise UserError(
            f"{path}: not a table of a network ({error}); remove it and run again"
        ) from None


def _shape(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("x")) if text else ()
