"""Predictions of every record by the members that did not see it: `members/out_of_fold.tsv`."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from dlutil_core.common import files
from dlutil_core.common import result_folder as names
from dlutil_core.common.errors import UserError
from dlutil_core.common.logs import WARNING_PREFIX, log
from dlutil_core.common.seeds import loader_seed, seed_everything
from dlutil_core.common.shown_text import shown_cell
from dlutil_core.job.loaded_run import LoadedRun
from dlutil_core.loaders.prediction_order import check_prediction_loader
from dlutil_core.members.outputs import read_outputs
from dlutil_core.members.repeat import Member
from dlutil_core.model.metrics import class_scores
from dlutil_core.preprocess.kept_encoding import KeptEncoding
from dlutil_core.preprocess.write.set_output import INDEX
from dlutil_core.trained.ensemble import mean_of, sd_of
from dlutil_core.trained.load import restore_model
from dlutil_core.trained.prediction_table import are_classes, as_array, shown_numbers


@dataclass(frozen=True)
class TestedFold:
    """The records that one fold tests, and what its members predict.

    Attributes
    ----------
    fold
        Its number.
    labels, mean, sd
        Shapes (N, K), (N, P) and (N, P).
    records, places
        Names of the records and their numbers in the input, where both are known.
    """

    fold: int
    labels: np.ndarray
    mean: np.ndarray
    sd: np.ndarray
    records: Sequence[str] | None = None
    places: np.ndarray | None = None

    def named(self, records: Sequence[str], places: np.ndarray) -> TestedFold:
        """The same with names and places, which are as many as the records."""
        return replace(self, records=records, places=places)


def write_out_of_fold(
    loaded: LoadedRun, result: Path, members: Sequence[Member], tested: Mapping[int, Path]
) -> None:
    """Write the table: a line a record, in the order of the input.

    Columns are `name`, `fold`, `label`, `prediction` (the mean over the fold's members) and `sd`
    (over them, N - 1 below the line; empty where the fold has one member). Several labels or
    predicted values have a column each: `label.<name>`, `prediction.<name>`, `sd.<name>`.

    Parameters
    ----------
    loaded
        The run, whose test loader is asked whether it keeps the order of its file.
    members
        All of them.
    tested
        For each fold the file of its test set. Where preprocessing made none, or the test loader
        gives other records, these are numbered as they are tested, fold by fold.
    """
    model = restore_model(loaded, result / names.BEST_MODEL)
    scored = are_classes(model, KeptEncoding.read(result / names.BEST_ENCODING))
    folds = {member.fold: [m for m in members if m.fold == member.fold] for member in members}
    every = [_tested(result, fold, own, scored) for fold, own in folds.items()]
    if all(_is_of(loaded, found, tested.get(found.fold)) for found in every):
        every = [found.named(*_records(tested[found.fold])) for found in every]
    told = read_outputs(result, members[0]).classes
    with (
        files.atomic_path(result / names.OUT_OF_FOLD) as temporary,
        temporary.open("w", encoding="utf-8", newline="") as file,
    ):
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        writer.writerow(map(shown_cell, _titles(every[0], told)))
        writer.writerows(_lines(every))


def _tested(result: Path, fold: int, members: Sequence[Member], scored: bool) -> TestedFold:
    outputs = [read_outputs(result, member) for member in members]
    predictions = [as_array(found.arrays[1]) for found in outputs]
    if scored:
        predictions = [class_scores(found) for found in predictions]
    mean, sd = (_rows(of(predictions)) for of in (mean_of, sd_of))
    return TestedFold(fold, _rows(as_array(outputs[0].arrays[0])), mean, sd)


def _rows(array: np.ndarray) -> np.ndarray:
    return array.reshape(len(array), -1)


# Records


def _is_of(loaded: LoadedRun, found: TestedFold, path: Path | None) -> bool:
    """Whether the records of a fold are those of the file, in its order."""
    if path is None:
        return False
    with _opened(path) as file:
        count, labels = len(file["name"]), np.asarray(file["label"][:] if "label" in file else [])
    why = f"has {count} records" if count != len(found.labels) else ""
    if not why and not np.array_equal(labels, found.labels, equal_nan=True):
        why = _out_of_order(loaded, path)
    if why:
        log.warning(
            f"{WARNING_PREFIX}{names.OUT_OF_FOLD}: records of fold {found.fold} have no names,"
            f" since {path} {why}, and get_test_generator gave {len(found.labels)} records"
        )
    return not why


def _out_of_order(loaded: LoadedRun, path: Path) -> str:
    """Why the test loader, whose labels are not the file's own, may give another order."""
    seed_everything(loader_seed(loaded.spec.seed))
    loader: Any = loaded.definition.test_loader(str(path.parent))
    try:
        check_prediction_loader(loader)
    except UserError:
        return "is read in another order"
    return ""


def _records(path: Path) -> tuple[list[str], np.ndarray]:
    with _opened(path) as file:
        texts = file["name"][:].tolist()
        return [text.decode("utf-8", "backslashreplace") for text in texts], file[INDEX][:]


def _opened(path: Path) -> Any:
    with suppress(ImportError):
        import hdf5plugin  # noqa: F401
    import h5py

    return h5py.File(path, "r")


# The table


def _titles(found: TestedFold, classes: np.ndarray | None) -> list[str]:
    known = [] if classes is None else classes.tolist()
    titles = ["name", "fold"]
    for title, array in (("label", found.labels), ("prediction", found.mean), ("sd", found.sd)):
        count = array.shape[1]
        further = known if len(known) == count else range(count)
        titles += [title] if count == 1 else [f"{title}.{name}" for name in further]
    return titles


def _lines(every: Sequence[TestedFold]) -> Iterator[tuple[Any, ...]]:
    """The lines of all folds in the order of the input; without it, fold by fold."""
    places = [np.arange(len(f.labels)) if f.places is None else f.places for f in every]
    lines = [line for found in every for line in _lines_of(found)]
    if any(found.places is None for found in every):
        yield from lines
        return
    for place in np.argsort(np.concatenate(places), kind="stable").tolist():
        yield lines[place]


def _lines_of(found: TestedFold) -> Iterator[tuple[Any, ...]]:
    records = range(len(found.labels)) if found.records is None else found.records
    columns = [
        [("" if text == "nan" else text) for text in shown_numbers(column)]
        for array in (found.labels, found.mean, found.sd)
        for column in array.T
    ]
    for name, *numbers in zip(records, *columns, strict=True):
        yield shown_cell(str(name)), found.fold, *numbers
