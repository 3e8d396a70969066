"""Tests the best model on held-out data."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from dlutil_core.common import files
from dlutil_core.common.logs import log
from dlutil_core.common.nested import tree_leaves
from dlutil_core.common.seeds import loader_seed, seed_everything
from dlutil_core.definition.opened_files import watched_files
from dlutil_core.job.loaded_run import LoadedRun
from dlutil_core.model.base import BaseModel
from dlutil_core.model.checks.alignment import aligned
from dlutil_core.model.epoch_outputs import numpy_tree
from dlutil_core.trained.load import restore_model


def evaluate_best(loaded: LoadedRun, model_file: Path, out: Path) -> dict[str, float | None]:
    """Write `metrics.json` and `outputs.npz` (labels and predictions, in record order).

    Returns
    -------
    The metrics: those of `eval_metrics`, and `loss`; `None` where one is not defined.
    """
    model = restore_model(loaded, model_file)
    spec = loaded.spec
    seed_everything(loader_seed(spec.seed))
    with watched_files("get_test_generator", spec.data_dir):
        loader = loaded.definition.test_loader(spec.data_dir)
    call = loaded.definition.call
    y_true, y_pred, y_pred_loss = call("evaluation", model.outputs, loader)
    if type(model).evaluate is BaseModel.evaluate:
        found = call("evaluation", model.metrics_of, y_true, y_pred, y_pred_loss)
    else:
        found = call("evaluation", model.evaluate, loader)
    metrics = {name: value if math.isfinite(value) else None for name, value in found.items()}
    arrays: dict[str, Any] = {}
    for prefix, part in (("y_true", aligned(y_true, y_pred)), ("y_pred", y_pred)):
        tree = numpy_tree(part)
        arrays |= {f"{prefix}.{n}".rstrip("."): leaf for n, leaf in tree_leaves(tree)}
    with files.atomic_path(out / "outputs.npz") as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **arrays)
    files.write_json(out / "metrics.json", metrics)
    log.info("test: %s", ", ".join(f"{n} {files.format_field(v)}" for n, v in metrics.items()))
    return metrics
