"""What is to be predicted: two classes, several, several labels, or numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dlutil_core.cli.start.records import Records
from dlutil_core.common.errors import UserError

CLASSES, LABELS, NUMBERS = "classes", "labels", "numbers"
CHOICES = (CLASSES, LABELS, NUMBERS)
FEW = 20
"""So many different whole numbers may be classes."""


@dataclass(frozen=True)
class Task:
    """What the model has to predict."""

    kind: str
    outputs: int
    """Classes, labels or columns of numbers."""
    names: tuple[str, ...] = ()
    centre: tuple[float, ...] = ()
    spread: tuple[float, ...] = ()


def task_of(found: Records, kind: str | None, names: list[str]) -> Task:
    """The task of these labels.

    Parameters
    ----------
    kind
        What the user says, where labels have two readings.
    names
        Names of several columns of labels, where they are known.

    Raises
    ------
    UserError
        There are no labels, they have two readings, or they do not fit `kind`.
    """
    labels = found.labels
    if labels is None:
        raise UserError(
            "the records have no labels; name their columns with --labels, or give a file of them"
            " with --targets, a line for each record"
        )
    if labels.shape[1] == 1:
        return _of_one(labels[:, 0], found.classes[0] if found.classes else None, kind)
    return _of_several(labels, found.classes, kind, names)


def _of_one(labels: np.ndarray, classes: list[str] | None, kind: str | None) -> Task:
    if classes:
        if kind not in (None, CLASSES):
            raise UserError(f"the labels are texts, which are classes and no {kind}")
        return _classes(classes)
    values = np.unique(labels[~np.isnan(labels)])
    whole = bool((values == np.round(values)).all())
    counted = whole and set(values) == set(range(len(values)))
    if kind == LABELS:
        raise UserError("there is one column of labels; --task labels is for several")
    if kind == CLASSES and not counted:
        raise UserError(
            f"the labels are {_shown(values)}, but classes are numbers 0, 1, 2, … without gaps,"
            " or names; write those"
        )
    if kind is None and whole and 2 < len(values) <= FEW:
        raise UserError(
            f"the labels are whole numbers, {_shown(values)}, which may be classes or numbers;"
            " say which with --task classes or --task numbers"
        )
    if len(values) < 2:
        raise UserError(f"every label is {_shown(values)}, so there is nothing to learn")
    if kind == NUMBERS or not counted or (len(values) > FEW and kind is None):
        return _numbers(labels[:, None])
    return _classes([str(number) for number in range(len(values))])


def _of_several(
    labels: np.ndarray, classes: list[list[str] | None], kind: str | None, names: list[str]
) -> Task:
    columns = labels.shape[1]
    if any(classes):
        raise UserError(
            f"there are {columns} columns of labels, and one of them holds texts; write 0 and 1 for"
            " several labels, or name one column with --labels"
        )
    there = labels[~np.isnan(labels)]
    flags = bool(np.isin(there, (0, 1)).all())
    if kind == CLASSES:
        if not (flags and (labels.sum(axis=1) == 1).all()):
            raise UserError(
                f"there are {columns} columns of labels, but classes in columns are a single 1 in"
                " each line and 0 elsewhere"
            )
        return _classes(names or [str(number) for number in range(columns)])
    if kind == LABELS and not flags:
        raise UserError("--task labels is for columns of 0 and 1, but there are other numbers")
    if kind is None and flags and (labels.sum(axis=1) == 1).all():
        raise UserError(
            f"each line of the {columns} columns of labels has a single 1: they may be one of"
            f" {columns} classes, or labels of which each is a question of its own; say which with"
            " --task classes or --task labels"
        )
    if kind == NUMBERS or not flags:
        return _numbers(labels)
    return Task(LABELS, columns, tuple(names))


def _classes(names: list[str]) -> Task:
    return Task(CLASSES, len(names), tuple(names))


def _numbers(labels: np.ndarray) -> Task:
    """With the labels' scale to two digits, so that a network need not learn it."""
    centre = tuple(float(f"{value:.2g}") for value in np.nanmean(labels, axis=0))
    spread = tuple(float(f"{value:.2g}") or 1.0 for value in np.nanstd(labels, axis=0))
    return Task(NUMBERS, labels.shape[1], (), centre, spread)


def _shown(values: np.ndarray) -> str:
    told = ", ".join(f"{value:g}" for value in values[:6])
    return told + (", …" if len(values) > 6 else "")
