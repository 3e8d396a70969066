"""Projects of which a model is trained for an epoch: peaks in a genome, proteins, a table."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import Project

HEAD = """
import torch
from dlutil_core import base_model, batch_generator
from torch import nn

def get_train_generator(data_dir, batch_size):
    return batch_generator.H5pyBatchGenerator(data_dir + "/train.h5", batch_size, shuffle=True)

def get_val_generator(data_dir):
    return batch_generator.H5pyBatchGenerator(data_dir + "/valid.h5")

def get_pred_generator(pred_path):
    return batch_generator.H5pyBatchGenerator(pred_path, batch_size=7, labels=False)

def get_config():
    return {"lr": 0.1}
"""

CLASSES = """
class Model(base_model.ClassificationModel):
    def init_model(self):
        network = nn.Sequential(
            nn.Conv2d(DEPTH, 6, (1, 5)), nn.ReLU(), nn.AdaptiveMaxPool2d(1), nn.Flatten(),
            nn.Linear(6, OUTPUTS),
        )
        super().init_model(network, torch.optim.Adam(network.parameters(), lr=self.config["lr"]))
"""

NUMBERS = """
class Model(base_model.RegressionModel):
    def init_model(self):
        network = nn.Sequential(nn.Flatten(), nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1))
        super().init_model(network, torch.optim.Adam(network.parameters(), lr=self.config["lr"]))
"""


def sequences(seed: int, count: int, letters: str, length: int) -> list[str]:
    rng = np.random.default_rng(seed)
    return ["".join(rng.choice(list(letters), length)) for _ in range(count)]


def fasta(path: Path, records: list[str], start: str = "r") -> None:
    path.write_text("".join(f">{start}{k}\n{text}\n" for k, text in enumerate(records)))


SMALL: dict[str, Any] = {
    "definition": "def.py",
    "data": "data",
    "result": "out",
    "device": "cpu",
    "seed": 5,
    "evaluate": False,
}
"""What the configs of these small projects begin with."""


def made(folder: Path, definition: str, predicted: str, **preprocess: Any) -> Project:
    """A project that is trained for an epoch, and has predicted `predicted` (below its folder)."""
    split = {"by": "fraction", "valid": 0.3}
    given = {"split": split, "predict": {"new": {"sequences": predicted}}} | preprocess
    project = Project(folder)
    (folder / "def.py").write_text(definition)
    project.configure(
        **SMALL,
        batch_size=10,
        search={"method": "fixed", "max_epochs": 1, "config": {"lr": 0.1}, "jobs": "bracket"},
        predict=["new.h5"],
        preprocess={key: value for key, value in given.items() if value is not None},
    )
    project.succeed()
    return project


def workflows(project: Project) -> tuple[np.ndarray, list[dict[str, str]]]:
    """What the workflow's own step predicted for the same records: array and table."""
    folder = project.result / "predictions"
    with open(folder / "new.h5.tsv", encoding="utf-8", newline="") as file:
        return np.load(folder / "new.h5.npy"), list(csv.DictReader(file, delimiter="\t"))


@pytest.fixture(scope="session")
def peaks(tmp_path_factory: pytest.TempPathFactory) -> Project:
    folder = tmp_path_factory.mktemp("peaks")
    genome = sequences(1, 2, "ACGT", 900)
    (folder / "genome.fa").write_text("".join(f">chr{k}\n{s}\n" for k, s in enumerate(genome)))
    lines = [f"chr{k % 2}\t{20 * k + 40}\t{20 * k + 60}\tp{k}\t{k % 2}" for k in range(40)]
    (folder / "peaks.bed").write_text("\n".join(lines) + "\n")
    (folder / "new.bed").write_text("\n".join(lines[:15]) + "\n")
    definition = HEAD + CLASSES.replace("DEPTH", "4").replace("OUTPUTS", "2")
    columns = {"label": 5}
    given = {"sequences": "peaks.bed", "columns": columns, "genome": "genome.fa", "window": 30}
    return made(folder, definition, "new.bed", **given)


@pytest.fixture(scope="session")
def proteins(tmp_path_factory: pytest.TempPathFactory) -> Project:
    folder = tmp_path_factory.mktemp("proteins")
    names = ["membrane", "nucleus", "=odd"]
    rows = [
        f"q{k}\t{s}\t{names[k % 3]}"
        for k, s in enumerate(sequences(3, 60, "ACDEFGHIKL", 12) + sequences(4, 3, "MNPQ", 9))
    ]
    (folder / "train.tsv").write_text("id\tsequence\tplace\n" + "\n".join(rows) + "\n")
    (folder / "new.tsv").write_text("id\tsequence\tplace\n" + "\n".join(rows[-8:]) + "\n")
    definition = HEAD + CLASSES.replace("DEPTH", "20").replace("OUTPUTS", "3")
    definition = definition.replace(
        'data_dir + "/train.h5", batch_size, shuffle=True',
        'data_dir + "/train.h5", batch_size, True, lambda x, y: (x, y[:, 0])',
    )
    definition = definition.replace(
        'data_dir + "/valid.h5"',
        'data_dir + "/valid.h5", process_x_y=lambda x, y: (x, y[:, 0])',
    )
    columns = {"sequence": "sequence", "name": "id", "label": "place"}
    given = {"sequences": "train.tsv", "alphabet": "protein", "length": "pad", "columns": columns}
    return made(folder, definition, "new.tsv", **given)


@pytest.fixture(scope="session")
def numbers(tmp_path_factory: pytest.TempPathFactory) -> Project:
    folder = tmp_path_factory.mktemp("numbers")
    rng = np.random.default_rng(6)
    values = rng.normal(size=(50, 3)).round(3)
    lines = [",".join(map(str, row)) for row in values.tolist()]
    (folder / "x.csv").write_text("height,width,depth\n" + "\n".join(lines) + "\n")
    (folder / "y.txt").write_text("".join(f"{row.sum():.3f}\n" for row in values))
    (folder / "new.csv").write_text("height,width,depth\n" + "\n".join(lines[:6]) + "\n")
    given: dict[str, Any] = {"split": None, "predict": {"new": {"features": "new.csv"}}}
    given |= {name: {"features": "x.csv", "targets": "y.txt"} for name in ("train", "valid")}
    return made(folder, HEAD + NUMBERS, "new.csv", **given)


def letters_of(data: np.ndarray, alphabet: str) -> list[str]:
    hot = ((row[:, 0].argmax(axis=0), row[:, 0].any(axis=0)) for row in data)
    return ["".join(alphabet[k] for k in codes[there]) for codes, there in hot]
