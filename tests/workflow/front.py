"""A tiny project in a folder of its own, run by `main.py` or by plain Snakemake from anywhere."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import yaml
from support import REPOSITORY, Finished

DEFINITION = '''\
"""A line through four features, with one step of everything that a def.py may have."""

import os
import random

import numpy as np
import torch
from dlutil_core import base_model, batch_generator, constraints
from torch import nn


def read(path, **options):
    return batch_generator.H5pyBatchGenerator(path, **options)


def get_train_generator(data_dir, batch_size):
    return read(os.path.join(data_dir, "train.h5"), batch_size=batch_size, shuffle=True)


def get_val_generator(data_dir):
    return read(os.path.join(data_dir, "valid.h5"))


def get_test_generator(data_dir):
    return read(os.path.join(data_dir, "test.h5"))


def get_pred_generator(pred_path):
    return read(pred_path)


def get_config():
    return {"lr": random.choice([0.1, 0.03, 0.01]), "scale": float(os.environ.get("SCALE", "1"))}


class Model(base_model.RegressionModel):
    def init_model(self):
        network = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1), nn.Flatten(0))
        optimizer = torch.optim.Adam(network.parameters(), lr=self.config["lr"])
        limits = [constraints.MaxNormConstraint(3.0)]
        super().init_model(network, optimizer, constraints=limits)
'''


def table(seed: int, rows: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """Features `(rows, 4)` and targets `(rows,)`, float32."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, 4)).astype(np.float32)
    return x, (x[:, 0] - x[:, 1]).astype(np.float32)


def write_hdf5(path: Path, **datasets: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        for name, values in datasets.items():
            file[name] = values


def make(folder: Path, definition: str = DEFINITION) -> Path:
    """Write `def.py` and `data/{train,valid,test}.h5` and `data/new/more.h5` (without labels)."""
    for seed, name in enumerate(["train", "valid", "test"]):
        x, y = table(seed)
        write_hdf5(folder / "data" / f"{name}.h5", data=x, label=y)
    write_hdf5(folder / "data" / "new" / "more.h5", data=table(9)[0][:17])
    (folder / "def.py").write_text(definition)
    return folder


def environment(**changes: str) -> dict[str, str]:
    """The environment of a run, without what could reach a `def.py` by accident."""
    kept = {k: v for k, v in os.environ.items() if k not in ("SCALE", "PYTHONPATH")}
    return kept | changes


def call(command: list[str], folder: Path, **changes: str) -> Finished:
    """Run a command to its end."""
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment(**changes),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        timeout=300,
        check=False,
    )
    return Finished(done.returncode, done.stdout, 0.0)


def main_py(folder: Path, *arguments: str, **changes: str) -> Finished:
    """Run `main.py` of the repository in `folder`."""
    return call([sys.executable, str(REPOSITORY / "main.py"), *arguments], folder, **changes)


def run_main(folder: Path, *arguments: str, **changes: str) -> Finished:
    """`main.py` with the flags that every test gives: def.py, data, out, one epoch, two cores."""
    common = ["-f", "def.py", "-d", "data", "-r", "out", "-ep", "1", "-bs", "20", "--cores", "2"]
    return main_py(folder, *common, *arguments, **changes)


def snakemake(folder: Path, *arguments: str, **changes: str) -> Finished:
    """Run Snakemake on the repository's Snakefile in `folder`."""
    snakefile = str(REPOSITORY / "workflow" / "Snakefile")
    command = [sys.executable, "-m", "snakemake", "--snakefile", snakefile, "--cores", "2"]
    return call([*command, *arguments], folder, **changes)


def write_config(folder: Path, **changes: Any) -> None:
    """Write `config.yaml` of the project; `changes` replace keys (`None` removes one)."""
    config: dict[str, Any] = {
        "definition": "def.py",
        "data": "data",
        "result": "out",
        "device": "cpu",
        "batch_size": 20,
        "search": {"max_epochs": 1},
        "data_files": {"train": ["train.h5", "valid.h5"], "test": ["test.h5"]},
    }
    config = {k: v for k, v in (config | changes).items() if v is not None}
    (folder / "config.yaml").write_text(yaml.safe_dump(config))


def one_sentence(done: Finished, *pieces: str) -> str:
    """The one sentence of a failed run, after checking that nothing else was wrong with it."""
    assert done.code != 0, done.output
    assert "Traceback" not in done.output, done.output
    assert len(done.sentences) == 1, done.output
    for piece in pieces:
        assert piece in done.sentences[0], done.output
    return done.sentences[0]


def result_files(folder: Path) -> list[str]:
    """Files of results below a result folder; what `logs/` holds is none."""
    if not folder.exists():
        return []
    found = (p.relative_to(folder) for p in folder.rglob("*") if p.is_file())
    return sorted(str(p) for p in found if p.parts[0] != "logs")
