"""Predicts with the model in this folder, without dlutil or Snakemake being installed.

    python predict.py INPUT [OUTPUT]

INPUT is a file of records (FASTA, BED, a table, .npy or HDF5), which are encoded as the training
data were. Where these were files of one's own, it is one that the definition's get_pred_generator
reads or, with --array and where there is none, a .npy array of inputs (N, ...). OUTPUT is a .tsv
table (INPUT.predictions.tsv) or a .npy array. Needs the packages in requirements.txt. From Python:

    from predict import load
    model = load()
    y = model.predict(MatrixBatchGenerator(X))   # dlutil_core.batch_generator, beside this file
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import os
import sys
import tempfile
from pathlib import Path
from types import ModuleType
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE / "definition")]

import numpy as np  # noqa: E402
import torch  # noqa: E402

from dlutil_core import base_model, batch_generator  # noqa: E402
from dlutil_core.common.errors import UserError  # noqa: E402
from dlutil_core.model.base import model_settings  # noqa: E402
from dlutil_core.model.options import TrainingOptions  # noqa: E402
from dlutil_core.model.safetensors_file import read_tensors  # noqa: E402
from dlutil_core.preprocess.kept_encoding import KeptEncoding  # noqa: E402
from dlutil_core.preprocess.new_records import NewRecords  # noqa: E402
from dlutil_core.trained.ensemble import Ensemble  # noqa: E402
from dlutil_core.trained.prediction_table import (  # noqa: E402
    PredictionTable,
    are_classes,
    are_labels,
    as_array,
)


def settings() -> dict[str, Any]:
    """The content of config.json; says which environment variables are not as in training."""
    found: dict[str, Any] = json.loads((HERE / "config.json").read_text(encoding="utf-8"))
    for name, sha256 in found["env_sha256"].items():
        text = f"{name}={os.environ.get(name)}"
        if name not in os.environ or hashlib.sha256(text.encode()).hexdigest() != sha256:
            print(f"warning: in training {name} had another value; set it", file=sys.stderr)
    return found


def definition() -> ModuleType:
    """The executed definition."""
    path = HERE / "definition" / settings()["definition"]
    spec = importlib.util.spec_from_file_location("dlutil_definition", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["dlutil_definition"] = module
    spec.loader.exec_module(module)
    return module


def load(device: str = "cpu", member: str | None = None) -> Any:
    """The trained model, ready to predict; of several members all, whose predictions are means.

    Parameters
    ----------
    member
        One of them alone: a key of `members` in config.json, or `best` for the first.
    """
    found = settings()
    torch.set_num_threads(found["threads"])  # other numbers give other last bits
    weights = found.get("members", {"": "weights.safetensors"})
    chosen = next(iter(weights)) if member == "best" else member
    if chosen is not None and chosen not in weights:
        raise UserError(f"member {member}: there is none; choose from {', '.join(weights)}, best")
    module = definition()
    models = {}
    for name in weights if chosen is None else [chosen]:
        with model_settings(device, TrainingOptions(**found["options"])):
            model: base_model.BaseModel = module.Model(found["config"])
        model.load(read_tensors(HERE / weights[name]))
        models[name] = model
    return Ensemble(models) if len(models) > 1 else next(iter(models.values()))


def inputs(path: str, array: bool = False) -> Any:
    """A loader of the inputs in a file."""
    module = definition()
    if hasattr(module, "get_pred_generator") and not array:
        return module.get_pred_generator(path)
    if not path.endswith(".npy"):
        sys.exit(f"error: {path}: is not a .npy array; give one, or a definition that reads it")
    return batch_generator.MatrixBatchGenerator(np.load(path))


def predict(arguments: argparse.Namespace) -> None:
    """Predict one file; into an array or a table."""
    encoding = KeptEncoding.read(HERE / "encoding.json")
    out = arguments.output or f"{arguments.input}.predictions.tsv"
    model = load(arguments.device, arguments.member)
    with tempfile.TemporaryDirectory() as folder:
        path = arguments.input
        if not arguments.array:
            records = NewRecords(encoding, arguments.genome, arguments.paired)
            path = records.prepare(path, Path(folder))
        loader, spread = inputs(path, arguments.array), None
        if isinstance(model, Ensemble):
            found, spread = map(as_array, model.predict_with_sd(loader))
        else:
            found = as_array(model.predict(loader))
        if out.endswith(".npy"):
            with open(out, "wb") as file:
                np.save(file, found, allow_pickle=False)
        else:
            kinds = are_classes(model, encoding), are_labels(model)
            PredictionTable(path, found, encoding, *kinds, spread).write(Path(out))


def main() -> None:
    """Predict one file."""
    parser = argparse.ArgumentParser(description="Predicts with the model in this folder.")
    parser.add_argument("input", help="a file of records")
    parser.add_argument("output", nargs="?", help=".tsv (default: beside the input) or .npy")
    parser.add_argument("--array", action="store_true", help="INPUT is a .npy array of inputs")
    parser.add_argument("--genome", help="the genome's FASTA file, for BED")
    parser.add_argument("--paired", help="the second sequences, for a model of pairs")
    parser.add_argument("--member", help="one of several models alone, or best")
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    arguments = parser.parse_args()
    if not os.path.isfile(arguments.input):
        sys.exit(f"error: {arguments.input}: there is no such file; give the inputs to predict")
    try:
        predict(arguments)
    except UserError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
