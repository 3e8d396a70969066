"""Predicts with the model in this folder, without dlutil or Snakemake being installed.

    python predict.py INPUT OUTPUT

INPUT is a file that the definition's get_pred_generator reads or, with --array and where there is
none, a .npy array of inputs (N, ...); OUTPUT is a .npy file, or a .tsv table. Needs the packages in
requirements.txt. From Python:

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
from pathlib import Path
from types import ModuleType
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE / "definition")]

import numpy as np  # noqa: E402
import torch  # noqa: E402

from dlutil_core import base_model, batch_generator  # noqa: E402
from dlutil_core.model.base import model_settings  # noqa: E402
from dlutil_core.model.options import TrainingOptions  # noqa: E402
from dlutil_core.model.safetensors_file import read_tensors  # noqa: E402


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


def load(device: str = "cpu") -> Any:
    """The trained model, ready to predict."""
    found = settings()
    torch.set_num_threads(found["threads"])  # other numbers give other last bits
    with model_settings(device, TrainingOptions(**found["options"])):
        model: base_model.BaseModel = definition().Model(found["config"])
    model.load(read_tensors(HERE / "weights.safetensors"))
    return model


def inputs(path: str, array: bool = False) -> Any:
    """A loader of the inputs in a file."""
    module = definition()
    if hasattr(module, "get_pred_generator") and not array:
        return module.get_pred_generator(path)
    if not path.endswith(".npy"):
        sys.exit(f"error: {path}: is not a .npy array; give one, or a definition that reads it")
    return batch_generator.MatrixBatchGenerator(np.load(path))


def write(path: str, predictions: np.ndarray) -> None:
    """Write predictions as an array or as a table."""
    if path.endswith(".tsv"):
        np.savetxt(path, predictions.reshape(len(predictions), -1), fmt="%.9g", delimiter="\t")
    else:
        with open(path, "wb") as file:
            np.save(file, predictions, allow_pickle=False)


def main() -> None:
    """Predict one file."""
    parser = argparse.ArgumentParser(description="Predicts with the model in this folder.")
    parser.add_argument("input", help="a file that get_pred_generator reads, or a .npy array")
    parser.add_argument("output", help=".npy or .tsv")
    parser.add_argument("--array", action="store_true", help="INPUT is a .npy array of inputs")
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    arguments = parser.parse_args()
    if not os.path.isfile(arguments.input):
        sys.exit(f"error: {arguments.input}: there is no such file; give the inputs to predict")
    predictions = load(arguments.device).predict(inputs(arguments.input, arguments.array))
    write(arguments.output, predictions)


if __name__ == "__main__":
    main()
