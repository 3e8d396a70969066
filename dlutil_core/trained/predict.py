"""Predicts one file with the best model."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np

from dlutil_core.common import files
from dlutil_core.common.errors import UserError
from dlutil_core.common.logs import log
from dlutil_core.common.seeds import loader_seed, seed_everything
from dlutil_core.common.shown_text import shown_cell
from dlutil_core.job.loaded_run import LoadedRun
from dlutil_core.loaders.hdf5 import read_names
from dlutil_core.trained.load import restore_model


def predict_file(loaded: LoadedRun, model_file: Path, subpath: str, out: Path) -> None:
    """Write predictions of `<data_dir>/<subpath>` to `out` (`.npy`), and `.tsv` beside it.

    The array is `(N, …)` in record order. Where `def.py` defines `save_prediction`, it is called
    in addition, with the subpath and the array.
    """
    model = restore_model(loaded, model_file)
    spec = loaded.spec
    path = str(Path(spec.data_dir, subpath))
    seed_everything(loader_seed(spec.seed))
    definition = loaded.definition
    loader = definition.prediction_loader(path)
    predictions = definition.call(f"prediction of {path}", model.predict, loader)
    with files.atomic_path(out) as temporary, temporary.open("wb") as file:
        np.save(file, predictions, allow_pickle=False)
    write_table(out.with_suffix(".tsv"), path, predictions)
    if definition.has("save_prediction"):
        save = definition.module.save_prediction
        definition.call("save_prediction", save, subpath, predictions)
    log.info("predicted %s: %s", subpath, " x ".join(str(n) for n in predictions.shape))


def write_table(out: Path, path: str, predictions: np.ndarray) -> None:
    """Names and predictions as a table: one row per record, one column per predicted value.

    Records are named as in the HDF5 file at `path`; without names they are numbered from 0.
    """
    rows = predictions.reshape(len(predictions), -1)
    names = read_names(path)
    if names is not None and len(names) != len(rows):
        raise UserError(
            f"{path}: has names of {len(names)} records, but get_pred_generator gave {len(rows)}; "
            "predictions must be in the file's order"
        )
    columns = (
        ["prediction"] if rows.shape[1] == 1 else [f"prediction.{k}" for k in range(rows.shape[1])]
    )
    with (
        files.atomic_path(out) as temporary,
        temporary.open("w", encoding="utf-8", newline="") as file,
    ):
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        writer.writerow(["name", *columns])
        for index, row in enumerate(rows):
            name = index if names is None else shown_cell(names[index])
            writer.writerow([name, *map(_shown, row)])


def _shown(value: Any) -> str:
    """The shortest text that reads back to the same number of the array's own precision."""
    return (
        str(value.item())
        if value.dtype != np.float32
        else np.format_float_positional(value, unique=True, trim="0")
    )
