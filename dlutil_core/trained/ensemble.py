"""Members of one result as one model: predictions are means over them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from dlutil_core.common.nested import tree_join


def mean_of(predictions: Sequence[Any]) -> Any:
    """Means over members, of arrays or of dictionaries and tuples of them.

    Summed in double precision, in the order in which members are given, and kept in theirs.
    """
    return tree_join(_mean, predictions)


def sd_of(predictions: Sequence[Any]) -> Any:
    """Standard deviations over members (N - 1 below the line), alike; NaN of one member."""
    return tree_join(_sd, predictions)


def _mean(leaves: list[Any]) -> np.ndarray:
    arrays = [np.asarray(leaf) for leaf in leaves]
    found = np.asarray(np.mean(np.stack(arrays), axis=0, dtype=np.float64))
    kind = arrays[0].dtype
    return found.astype(kind) if kind.kind == "f" else found


def _sd(leaves: list[Any]) -> np.ndarray:
    arrays = [np.asarray(leaf) for leaf in leaves]
    kind = arrays[0].dtype
    if len(arrays) < 2:
        found = np.full(arrays[0].shape, np.nan)
    else:
        found = np.asarray(np.std(np.stack(arrays), axis=0, dtype=np.float64, ddof=1))
    return found.astype(kind) if kind.kind == "f" else found
