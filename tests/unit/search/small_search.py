"""One small bracket, run in this process with real workers."""

from __future__ import annotations

import csv
import logging
from pathlib import Path
from typing import Any

from dlutil_core.job.loaded_run import LoadedRun
from dlutil_core.job.run_spec import RunSpec
from dlutil_core.search.bracket import run_bracket
from dlutil_core.search.plan import Plan, hyperband
from dlutil_core.search.sampling import sample_trials

DEFINITION = """
import os
import random
import signal
import sys
import time

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from dlutil_core import base_model, batch_generator

x = torch.randn(40, 3, generator=torch.Generator().manual_seed(0))
AT_TOP = None


def get_train_generator(data_dir, batch_size):
    train = batch_generator.MatrixBatchGenerator(x, x[:, 0], batch_size, shuffle=True)
    return train, batch_generator.MatrixBatchGenerator(x, x[:, 0])


class Model(base_model.RegressionModel):
    def init_model(self):
        network = nn.Sequential(nn.Linear(3, 4), nn.Dropout(0.2), nn.Linear(4, 1), nn.Flatten(0))
        super().init_model(network, torch.optim.Adam(network.parameters(), 0.01))

    def fit_epoch(self, train):
        self.before_epoch()
        return super().fit_epoch(train)

    def before_epoch(self):
        pass
"""

EPOCH = "    def before_epoch(self):\n        pass\n"


class SmallSearch:
    """Bracket 1 of R = 3: trials 0 to 2 for an epoch each, the best of them for three."""

    def __init__(self, folder: Path, definition: str = DEFINITION, **spec: Any) -> None:
        folder.mkdir(exist_ok=True)
        self.folder = folder
        (folder / "def.py").write_text(definition)
        given = {"trials_dir": str(folder / "trials"), "device": "cpu"} | spec
        self.spec = RunSpec(str(folder / "def.py"), str(folder), batch_size=16, seed=1, **given)
        schedule = hyperband(3)
        numbers = iter(range(100))
        trials = sample_trials(lambda: {"number": next(numbers)}, schedule, 1)
        self.plan = Plan.of(schedule, 1, trials)

    def run(self, workers: int = 1) -> list[dict[str, str]]:
        """Run it in a new process's view; the rows of its leaderboard."""
        run_bracket(LoadedRun(self.spec), self.plan, 1, workers, self.folder / "out")
        with open(self.folder / "out" / "leaderboard.csv", newline="") as file:
            return list(csv.DictReader(file))

    @property
    def files(self) -> dict[str, bytes]:
        """What the bracket left."""
        return {path.name: path.read_bytes() for path in (self.folder / "out").iterdir()}


def with_epochs(*lines: str, definition: str = DEFINITION) -> str:
    """The definition with these lines run before each epoch."""
    assert EPOCH in definition
    body = "".join(f"        {line}\n" for line in lines)
    return definition.replace(EPOCH, f"    def before_epoch(self):\n{body}")


class Told(logging.Handler):
    """Collects what the core says."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())

    @property
    def warnings(self) -> list[str]:
        """Lines that begin as warnings do."""
        return [line for line in self.lines if line.startswith("warning: ")]
