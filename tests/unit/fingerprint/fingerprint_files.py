"""A definition and its modules, and what edits of them change: for the tests of fingerprints."""

from __future__ import annotations

from pathlib import Path

from dlutil_core.fingerprint.analysis import analyse

ALL = {"train", "test", "predict"}
NONE: set[str] = set()
REPOSITORY = Path(__file__).resolve().parents[3]

DEFINITION = '''\
"""A definition."""
import os
import random

import numpy as np
import torch
from torch import nn

import nets
from loaders import load_train, load_test
from dlutil_core import base_model, batch_generator

N_FEATURES = 4
TEST_NAME = "test.h5"
PRED_COLUMNS = ["a", "b"]
UNUSED = 1


def shared(x):
    """Used by all loaders."""
    return x.astype("float32")


def only_test(x):
    return x * 2  # doubled


def only_predict(x):
    return x[:, :3]


def nobody(x):
    return x


def get_train_generator(data_dir, batch_size):
    x, y = load_train(data_dir)
    return batch_generator.MatrixBatchGenerator(shared(x), y, batch_size, shuffle=True)


def get_val_generator(data_dir):
    x, y = load_train(data_dir)
    return batch_generator.MatrixBatchGenerator(shared(x), y)


def get_test_generator(data_dir):
    """The test set."""
    x, y = load_test(os.path.join(data_dir, TEST_NAME))
    return batch_generator.MatrixBatchGenerator(only_test(shared(x)), y)


def get_pred_generator(pred_path):
    return batch_generator.MatrixBatchGenerator(only_predict(shared(np.load(pred_path))))


def save_prediction(pred_subpath, Y):
    np.savetxt(pred_subpath, Y, header=",".join(PRED_COLUMNS))


def get_config():
    return {"lr": random.choice([0.1, 0.01]), "width": int(os.environ.get("WIDTH", 8))}


class Network(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.body = nn.Linear(N_FEATURES, width)

    def forward(self, x):
        return nets.head(self.body(x))


class Model(base_model.RegressionModel):
    def init_model(self):
        network = Network(self.config["width"])
        super().init_model(network, torch.optim.Adam(network.parameters()))


if __name__ == "__main__":
    print(get_config())
'''
LOADERS = """\
import h5py
from common import open_file


def load_train(folder):
    return h5py.File(open_file(folder + "/train.h5"))


def load_test(path):
    return open_file(path)
"""
NETS = '''\
"""Networks."""
import torch


def head(x):
    return torch.relu(x)
'''
FILES = {
    "def.py": DEFINITION,
    "loaders.py": LOADERS,
    "nets.py": NETS,
    "common.py": "def open_file(path):\n    return path\n",
}


def write(folder: Path, files: dict[str, str]) -> Path:
    """Write files into a folder; the path of its def.py."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder / "def.py"


def prints(folder: Path, files: dict[str, str], search_path: tuple[str, ...] = ()) -> dict:
    return analyse(write(folder, files), search_path).fingerprints


def changed(tmp_path: Path, before: dict[str, str], after: dict[str, str]) -> set[str]:
    """Stages whose fingerprint an edit changes."""
    old = prints(tmp_path / "before", before)
    new = prints(tmp_path / "after", after)
    return {stage for stage in ALL if old[stage] != new[stage]}


def edit(old: str, new: str, file: str = "def.py") -> dict[str, str]:
    """The files with one place replaced."""
    assert FILES[file].count(old) >= 1, old
    return {**FILES, file: FILES[file].replace(old, new)}


BARE = """\
from torch import nn
def get_train_generator(data_dir, batch_size): return []
def get_pred_generator(pred_path): return []
class Model(nn.Module): ...
"""
