"""Predicts one file with the best model."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dlutil_core.common import files
from dlutil_core.common.errors import UserError
from dlutil_core.common.logs import log
from dlutil_core.common.seeds import loader_seed, seed_everything
from dlutil_core.common.shown_text import shown_cell
from dlutil_core.job.loaded_run import LoadedRun
from dlutil_core.loaders.hdf5 import read_classes, read_intervals, read_names
from dlutil_core.trained.ensemble import Ensemble
from dlutil_core.trained.load import restore_models
from dlutil_core.trained.prediction_table import as_array, shown_numbers, spread_titles


def predict_file(loaded: LoadedRun, model_files: Sequence[Path], subpath: str, out: Path) -> None:
    """Write predictions of `<data_dir>/<subpath>` to `out` (`.npy`), and `.tsv` beside it.

    Of several models, which are members of one result, they are means; the table tells their
    standard deviations too. The array is `(N, …)` in record order. Where `def.py` defines
    `save_prediction`, it is called in addition, with the subpath and the array.
    """
    model = restore_models(loaded, model_files)
    spec = loaded.spec
    path = str(Path(spec.data_dir, subpath))
    seed_everything(loader_seed(spec.seed))
    definition = loaded.definition
    loader = definition.prediction_loader(path)
    predictions, spread = predicted(definition, model, path, loader)
    with files.atomic_path(out) as temporary, temporary.open("wb") as file:
        np.save(file, predictions, allow_pickle=False)
    write_table(out.with_suffix(".tsv"), path, predictions, spread)
    if definition.has("save_prediction"):
        save = definition.module.save_prediction
        definition.call("save_prediction", save, subpath, predictions)
    log.info("predicted %s: %s", subpath, " x ".join(str(n) for n in predictions.shape))


def predicted(
    definition: Any, model: Any, path: str, loader: Any
) -> tuple[np.ndarray, np.ndarray | None]:
    """Predictions of a loader, those of a dictionary side by side; none of a file without records,
    of which there is nothing to ask. Beside them an ensemble's standard deviations.
    """
    several = isinstance(model, Ensemble)
    if getattr(loader, "samples", None) == 0:
        return np.empty(0, np.float32), np.empty(0, np.float32) if several else None
    what = f"prediction of {path}"
    if not several:
        return as_array(definition.call(what, model.predict, loader)), None
    mean, spread = definition.call(what, model.predict_with_sd, loader)
    return as_array(mean), as_array(spread)


def write_table(
    out: Path, path: str, predictions: np.ndarray, spread: np.ndarray | None = None
) -> None:
    """Names, coordinates and predictions as a table: one row per record.

    Records are named as in the HDF5 file at `path`; without names they are numbered from 0. Where
    they were cut from a genome, their interval stands beside the name. There is one column per
    predicted value, named after its class where the file tells classes; where there is a spread
    over members, of the shape of the predictions, `sd` columns follow alike.

    Raises
    ------
    UserError
        The file names more or fewer records than were predicted.
    """
    rows = predictions.reshape(len(predictions), -1) if len(predictions) else predictions[:, None]
    beside: dict[str, Sequence[object]] = {"name": range(len(rows))}
    for title, found in (("name", read_names(path)), ("interval", read_intervals(path))):
        if found is not None and len(found) != len(rows):
            raise UserError(
                f"{path}: has {title}s of {len(found)} records, but get_pred_generator gave "
                f"{len(rows)}; predictions must be in the file's order"
            )
        if found is not None:
            beside[title] = [shown_cell(text) for text in found]
    titles = _columns(rows.shape[1], read_classes(path) or [])
    numbers = [shown_numbers(column) for column in rows.T]
    if spread is not None:
        titles += spread_titles(titles)
        numbers += [shown_numbers(column) for column in spread.reshape(len(rows), -1).T]
    with (
        files.atomic_path(out) as temporary,
        temporary.open("w", encoding="utf-8", newline="") as file,
    ):
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        writer.writerow([*beside, *map(shown_cell, titles)])
        writer.writerows(zip(*beside.values(), *numbers, strict=True))


def _columns(count: int, classes: list[str]) -> list[str]:
    """Titles of the predicted values; one value of two classes is the second's probability."""
    if len(classes) == count:
        return [f"prediction.{name}" for name in classes]
    if count == 1:
        return [f"prediction.{classes[1]}" if len(classes) == 2 else "prediction"]
    return [f"prediction.{k}" for k in range(count)]
