"""A small project in the working directory, for tests of what a run derives from its config."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dlutil_core.run.run_config import RunConfig

DEFINITION = """
import os
from dlutil_core import base_model

def get_train_generator(data_dir, batch_size):
    return data_dir, os.environ["UNITS"]

def get_val_generator(data_dir):
    return data_dir

def get_test_generator(data_dir):
    return data_dir

def get_pred_generator(pred_path):
    return pred_path

def get_config():
    return {}

class Model(base_model.RegressionModel):
    pass
"""


def write_project() -> None:
    """`def.py`, and files below `data/`."""
    Path("def.py").write_text(DEFINITION)
    for name in ("train.h5", "valid.h5", "test.h5.batch2", "test.h5.batch10", "new/a.npy", ".x"):
        Path("data", name).parent.mkdir(parents=True, exist_ok=True)
        Path("data", name).write_text(name)


def run_of(**changes: Any) -> RunConfig:
    """The project's run, with these keys of the config."""
    config = {"definition": "def.py", "data": "data", "result": "out"}
    return RunConfig(config | changes)
