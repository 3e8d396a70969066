"""What a set that a loader gave holds, in the form of the statistics that preprocessing writes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

MAX_COUNTED = 20
"""So many different labels, if they are whole numbers, are counted one by one."""


def described(
    name: str, shape: Sequence[int] | None, y: np.ndarray, names: Sequence[str] | None = None
) -> dict[str, Any]:
    """A set's records, the shape of one's inputs, and its labels.

    Parameters
    ----------
    name
        What the set is called.
    shape
        Of the inputs of one record; `None`: not known.
    y
        Labels `(N, …)`; NaN is missing.
    names
        What the classes are called, in the order of their numbers.
    """
    columns = y.reshape(len(y), -1).T if len(y) else y.reshape(1, 0)
    one = columns.shape[0] == 1
    labels = [_column(column, names if one else None) for column in columns]
    return {"file": name, "records": len(y), "shape": list(shape or ()), "labels": labels}


def _column(values: np.ndarray, names: Sequence[str] | None) -> dict[str, Any]:
    known = values[~np.isnan(values)] if values.dtype.kind == "f" else values
    found: dict[str, Any] = {"missing": len(values) - len(known)}
    if not known.size:
        return found | {"min": None}
    different, counts = np.unique(known, return_counts=True)
    if len(different) <= MAX_COUNTED and bool((different == np.floor(different)).all()):
        called = [_called(float(value), names) for value in different]
        counted = dict(zip(called, counts.tolist(), strict=True))
        return found | {"classes": called, "counts": counted}
    limits = {"min": float(known.min()), "max": float(known.max()), "mean": float(known.mean())}
    return found | limits


def _called(value: float, names: Sequence[str] | None) -> str:
    if names is not None and 0 <= value < len(names):
        return str(names[int(value)])
    return f"{value:g}"
