"""Predicts any files with the model of a result folder: `dlutil predict`."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dlutil_core.common.errors import UserError
from dlutil_core.common.result_folder import BEST_ENCODING
from dlutil_core.common.seeds import loader_seed, seed_everything
from dlutil_core.job.loaded_run import LoadedRun
from dlutil_core.loaders.generators import MatrixBatchGenerator
from dlutil_core.preprocess.kept_encoding import OWN, KeptEncoding
from dlutil_core.preprocess.new_records import NewRecords
from dlutil_core.trained.load import restore_models, trained_run
from dlutil_core.trained.members import model_files
from dlutil_core.trained.predict import predicted
from dlutil_core.trained.prediction_table import PredictionTable, are_classes, are_labels
from dlutil_core.trained.run_note import noted_genome

SUFFIX = ".predictions.tsv"
"""What is put behind the name of a file for that of its table."""


def predict_files(
    result: Path,
    paths: Sequence[str],
    out: Path | None = None,
    *,
    genome: str | None = None,
    paired: str | None = None,
    device: str = "auto",
    definition: str | None = None,
    member: str | None = None,
) -> list[Path]:
    """Predict files, one after the other, each into a table.

    Parameters
    ----------
    result
        A result folder, or a copy of one.
    paths
        Raw files, `.npy` or HDF5; see `NewRecords.prepare`.
    out
        The table, where there is one file; None: `<file>.predictions.tsv` for each.
    genome
        The FASTA file for intervals; None: the one that the run used, where it still is.
    paired
        The file of second sequences, for a model of pairs.
    device
        `auto`, `cpu` or `cuda`.
    definition
        A `def.py` to execute instead of the one that the result folder keeps.
    member
        Of several members one alone, `fold-{k}/seed-{i}`, or `best`; None: the mean of all.

    Returns
    -------
    The tables.

    Raises
    ------
    UserError
        A file is missing or does not fit the model.
    """
    tables = _tables(paths, out, paired)
    chosen = model_files(result, member)
    run = trained_run(result, definition, device)
    try:
        encoding = KeptEncoding.read(result / BEST_ENCODING)
        genome = genome or noted_genome(result)
        records = NewRecords(encoding, genome, paired)
        with run.on_device():
            model = restore_models(run, chosen)
            for path, table in zip(paths, tables, strict=True):
                _predict(run, model, records, path, table)
    finally:
        run.opened.stop()
    return tables


def _tables(paths: Sequence[str], out: Path | None, paired: str | None) -> list[Path]:
    """Where the tables go, after a look at what can be known at once."""
    for path in paths:
        if os.path.isdir(path):
            raise UserError(f"{path}: is a folder; give files of records to predict")
        if not os.path.isfile(path):
            raise UserError(f"{path}: there is no such file; give the records to predict")
    if len(paths) > 1 and (out is not None or paired is not None):
        raise UserError(
            f"{'--paired' if out is None else '--out'}: belongs to one file, but there are"
            f" {len(paths)}; give them one after the other"
        )
    tables = [Path(f"{path}{SUFFIX}") for path in paths] if out is None else [out]
    for table in tables:
        if any(table.exists() and table.samefile(path) for path in paths):
            raise UserError(f"{table}: is the file to predict; give another one to write (--out)")
    return tables


def _predict(run: LoadedRun, model: Any, records: NewRecords, path: str, table: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="dlutil-predict-") as folder:
        prepared = records.prepare(path, Path(folder))
        seed_everything(loader_seed(run.spec.seed))
        try:
            loader = _loader(run.definition, prepared, records.encoding)
            found, spread = predicted(run.definition, model, prepared, loader)
        except UserError as error:  # of a file in a folder that nobody knows
            raise UserError(str(error).replace(prepared, path)) from error
        classes = are_classes(model, records.encoding)
        labels = are_labels(model)
        encoding = records.encoding
        PredictionTable(prepared, found, encoding, classes, labels, spread).write(table)


def _loader(definition: Any, path: str, encoding: KeptEncoding) -> Any:
    """What `get_pred_generator` gives; without one, an array is taken as it is."""
    if encoding.kind == OWN and path.endswith(".npy") and not definition.has("get_pred_generator"):
        return MatrixBatchGenerator(np.load(path))
    return definition.prediction_loader(path)
