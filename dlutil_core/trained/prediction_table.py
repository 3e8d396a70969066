"""Predictions of new records as a table: a line a record, in the order of the file."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dlutil_core.common import files
from dlutil_core.common.errors import UserError
from dlutil_core.common.nested import tree_leaves
from dlutil_core.common.shown_text import shown_cell
from dlutil_core.loaders.hdf5 import read_classes, read_intervals, read_names
from dlutil_core.model.metrics import class_scores
from dlutil_core.preprocess.kept_encoding import KeptEncoding

Column = tuple[str, Sequence[Any]]
"""Title and values."""


def as_array(predictions: Any) -> np.ndarray:
    """Predictions `(N, ...)`; those of a dictionary or tuple side by side."""
    if not isinstance(predictions, (dict, list, tuple)):
        return np.asarray(predictions)
    parts = [np.asarray(leaf).reshape(len(leaf), -1) for _, leaf in tree_leaves(predictions)]
    return np.concatenate(parts, axis=1)


@dataclass(frozen=True)
class PredictionTable:
    """What is known of a file's records, and what was predicted.

    Attributes
    ----------
    path
        The file that the loader read: its names and coordinates, where it is HDF5 and has them.
    predictions
        `(N, ...)`.
    encoding
        Of the model.
    classes
        Whether the predictions are probabilities of classes that exclude each other.
    labels
        Whether they are one probability for each of several columns of labels.
    spread
        Standard deviations over members, of the shape of the predictions; `None`: of one model.
    """

    path: str
    predictions: np.ndarray
    encoding: KeptEncoding
    classes: bool
    labels: bool = False
    spread: np.ndarray | None = None

    def write(self, out: Path) -> None:
        """Write the table with a line of titles.

        Raises
        ------
        UserError
            The file names more or fewer records than were predicted.
        """
        columns = self.columns()
        with (
            files.atomic_path(out) as temporary,
            temporary.open("w", encoding="utf-8", newline="") as file,
        ):
            writer = csv.writer(file, delimiter="\t", lineterminator="\n")
            writer.writerow([shown_cell(title) for title, _ in columns])
            writer.writerows(zip(*(values for _, values in columns), strict=True))

    def columns(self) -> list[Column]:
        """All columns; a spread over members, `sd`, stands between the predictions and `class`."""
        names = self._told("name", read_names(self.path))
        named = names or [("name", range(len(self.predictions)))]
        places = self._told("interval", read_intervals(self.path))
        return [*named, *self._predicted(), *self._spread(), *self._class(), *places]

    def _told(self, title: str, found: list[str] | None) -> list[Column]:
        if found is None:
            return []
        if len(found) != len(self.predictions):
            raise UserError(
                f"{self.path}: has {title}s of {len(found)} records, but get_pred_generator gave "
                f"{len(self.predictions)}; predictions must be in the file's order"
            )
        return [(title, [shown_cell(text) for text in found])]

    def titles(self) -> list[str]:
        """`prediction`; of several values `prediction.<class, label or number>` each."""
        return [title for title, _ in self._predicted()]

    def values(self) -> np.ndarray:
        """Predictions `(N, K)`, a column for each title; of two classes that of the second."""
        return self._rows(self.predictions)

    def _rows(self, values: np.ndarray) -> np.ndarray:
        """Predictions, or their spread, `(N, K)`; of two classes that of the second, `(N, 1)`."""
        found = class_scores(values) if self.classes else values
        return found.reshape(len(found), -1) if len(found) else found.reshape(0, 1)

    def _spread(self) -> list[Column]:
        if self.spread is None:
            return []
        titles = spread_titles(self.titles())
        columns = map(shown_numbers, self._rows(self.spread).T)
        return list(zip(titles, columns, strict=True))

    def _predicted(self) -> list[Column]:
        rows = self._rows(self.predictions)
        count = rows.shape[1]
        if count == 1:
            return [("prediction", shown_numbers(rows[:, 0]))]
        titles = self._class_names if self.classes else self._label_titles(count)
        if len(titles) != count:
            titles = [str(k) for k in range(count)]
        return [(f"prediction.{t}", shown_numbers(rows[:, k])) for k, t in enumerate(titles)]

    def _label_titles(self, count: int) -> list[str]:
        """Titles of several labels; of one with three classes or more, one for each class."""
        titles = self._labels
        if len(titles) == count or len(titles) != len(self.encoding.classes):
            return titles
        columns = zip(titles, self.encoding.classes, strict=True)
        whole = [[t] if len(c or ()) < 3 else [f"{t}.{n}" for n in c or ()] for t, c in columns]
        return [title for part in whole for title in part]

    @property
    def _labels(self) -> list[str]:
        """What the columns of labels are called: their titles, or their numbers from 0."""
        return list(self.encoding.labels) or [str(k) for k in range(len(self.encoding.classes))]

    def _class(self) -> list[Column]:
        if not self.classes:
            return self._class_of_each()
        if self.predictions.ndim > 2:
            return []
        rows = self.predictions.reshape(len(self.predictions), -1)
        if rows.shape[1] > 1:
            chosen = rows.argmax(axis=1)
        else:
            chosen = (self.predictions.reshape(-1) > 0.5).astype(int)
        names = self._class_names
        if len(names) != max(2, rows.shape[1]):
            return [("class", chosen.tolist())]
        return [("class", [shown_cell(names[k]) for k in chosen.tolist()])]

    def _class_of_each(self) -> list[Column]:
        """`class.<label>` for each column of labels whose two classes have names."""
        named = self.encoding.classes
        rows = self._rows(self.predictions)
        if not self.labels or len(named) != rows.shape[1] or len(self._labels) != len(named):
            return []
        return [
            (f"class.{title}", [shown_cell(names[int(p > 0.5)]) for p in rows[:, k].tolist()])
            for k, (title, names) in enumerate(zip(self._labels, named, strict=True))
            if names is not None and len(names) == 2
        ]

    @property
    def _class_names(self) -> list[str]:
        return read_classes(self.path) or self.encoding.class_names


def are_classes(model: Any, encoding: KeptEncoding) -> bool:
    """Whether a model's predictions are probabilities of classes that exclude each other.

    A `ClassificationModel` knows; of a model of one's own, the names of the classes tell.
    """
    named = not model.tensors_are_logits and bool(encoding.class_names)
    return bool(model.outputs_are_classes) or named


def are_labels(model: Any) -> bool:
    """Whether a model's predictions are a probability for each of several columns of labels."""
    return bool(model.tensors_are_logits) and not model.outputs_are_classes


def spread_titles(titles: Sequence[str]) -> list[str]:
    """Titles of the standard deviations beside predictions of these titles: `sd` of only one."""
    if len(titles) == 1:
        return ["sd"]
    return [f"sd.{title.removeprefix('prediction.')}" for title in titles]


def shown_numbers(values: np.ndarray) -> list[str]:
    """The shortest texts that read back to the same numbers of the array's own precision."""
    if values.dtype != np.float32:
        return [str(value) for value in values.tolist()]
    return [np.format_float_positional(value, unique=True, trim="0") for value in values]
