"""Tests the best model on held-out data."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dlutil_core.common import files
from dlutil_core.common.hashes import sha256_file
from dlutil_core.common.logs import log
from dlutil_core.common.nested import tree_leaves
from dlutil_core.common.reads import Read
from dlutil_core.common.result_folder import member_of
from dlutil_core.common.seeds import loader_seed, seed_everything
from dlutil_core.job.loaded_run import LoadedRun
from dlutil_core.model.base import BaseModel
from dlutil_core.model.checks.alignment import aligned
from dlutil_core.model.epoch_outputs import numpy_tree
from dlutil_core.trained.load import restore_model
from dlutil_core.trained.provenance import data_sha256, test_provenance


def evaluate_best(
    loaded: LoadedRun, model_file: Path, out: Path, label_names: Sequence[str] = ()
) -> tuple[Read, ...]:
    """Write `metrics.json`, `outputs.npz` (labels and predictions, in record order, and the names
    of the classes where they are known) and `provenance.json`.

    Parameters
    ----------
    label_names
        What classes or columns of labels are called, where the loader has no `class_names`.

    Returns
    -------
    What was read for it.
    """
    model = restore_model(loaded, model_file)
    spec = loaded.spec
    seed_everything(loader_seed(spec.seed))
    loader = loaded.definition.test_loader(spec.data_dir)
    call = loaded.definition.call
    names = getattr(loader, "class_names", None) or label_names
    y_true, y_pred, y_pred_loss = call("evaluation", model.outputs, loader)
    if type(model).evaluate is BaseModel.evaluate:
        found = call("evaluation", model.metrics_of, y_true, y_pred, y_pred_loss)
    else:
        found = call("evaluation", model.evaluate, loader)
    further = call("evaluation", model.further_metrics, aligned(y_true, y_pred), y_pred, names)
    found |= {name: value for name, value in further.items() if name not in found}
    metrics = {name: value if math.isfinite(value) else None for name, value in found.items()}
    arrays: dict[str, Any] = {}
    for prefix, part in (("y_true", aligned(y_true, y_pred)), ("y_pred", y_pred)):
        tree = numpy_tree(part)
        arrays |= {f"{prefix}.{n}".rstrip("."): leaf for n, leaf in tree_leaves(tree)}
    if names:
        arrays["classes"] = np.array(names)
    with files.atomic_path(out / "outputs.npz") as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **arrays)
    files.write_json(out / "metrics.json", metrics)
    told = ", ".join(f"{n} {files.format_field(v)}" for n, v in metrics.items())
    log.info("%s: %s", f"member {member}" if (member := member_of(out)) else "test", told)
    reads = loaded.reads()
    data = data_sha256(reads, spec.data_dir)
    files.write_json(out / "provenance.json", test_provenance(spec, sha256_file(model_file), data))
    return reads
