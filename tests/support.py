"""Small real projects for tests: a `def.py`, data and a config, run by the real Snakemake.

`Project.make(folder)` writes one; `run()` runs it and tells the exit code, the output and the rules
that ran. Nothing is replaced by a stand-in: jobs are processes, results are files.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import yaml

REPOSITORY = Path(__file__).resolve().parent.parent

FEATURES = 4

DEFINITION = '''\
"""Regression on four features, with a trace of every epoch that is trained."""

import os
import random
import time

import h5py
import numpy as np
import torch
from dlutil_core import base_model, batch_generator
from torch import nn

from features import scaled


def load(path):
    if path.endswith(".h5"):
        with h5py.File(path, "r") as file:
            return file["table"][:]
    return np.load(path)


def for_test(table):
    return table * 1.0  # test


def for_prediction(table):
    return table * 1.0  # pred


def for_saving(Y):
    return Y * 1.0


def get_train_generator(data_dir, batch_size):
    table = scaled(load(data_dir + "/train.h5"))
    return batch_generator.MatrixBatchGenerator(table[:, :4], table[:, 4], batch_size, shuffle=True)


def get_val_generator(data_dir):
    table = scaled(load(data_dir + "/valid.npy"))
    return batch_generator.MatrixBatchGenerator(table[:, :4], table[:, 4], 50)


def get_test_generator(data_dir):
    table = for_test(load(data_dir + "/test.npy"))
    return batch_generator.MatrixBatchGenerator(table[:, :4], table[:, 4], 50)


def get_pred_generator(pred_path):
    table = for_prediction(load(pred_path))
    return batch_generator.MatrixBatchGenerator(table[:, :4], batch_size=50)


def get_config():
    return {
        "units": random.choice([4, 8, 16]),
        "lr": float(np.random.choice([0.3, 0.1, 0.03, 0.01])),
        "dropout": random.choice([0.0, 0.1, 0.3]),
        "momentum": random.choice([0.0, 0.5, 0.9]),
    }


def trace(trial_seed, epoch):
    if "DLUTIL_TRACE" in os.environ and "DLUTIL_SECOND_LOOK" not in os.environ:
        handle = os.open(os.environ["DLUTIL_TRACE"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.write(handle, f"{trial_seed} {epoch} {time.time()}\\n".encode())
        os.close(handle)


class Model(base_model.RegressionModel):
    def init_model(self):
        c = self.config
        network = nn.Sequential(
            nn.Linear(4, c["units"]), nn.ReLU(), nn.Dropout(c["dropout"]), nn.Linear(c["units"], 1),
            nn.Flatten(0),
        )
        optimizer = torch.optim.SGD(network.parameters(), lr=c["lr"], momentum=c["momentum"])
        super().init_model(network, optimizer)

    def fit(self, train, val=None, epochs=1, first_epoch=1, seed=0, on_epoch=None):
        self.seed, self.epoch = seed, first_epoch - 1
        return super().fit(train, val, epochs, first_epoch, seed, on_epoch)

    def fit_epoch(self, train):
        self.epoch += 1
        trace(self.seed, self.epoch)
        self.before_epoch()
        return super().fit_epoch(train)

    def before_epoch(self):
        time.sleep(float(os.environ.get("DLUTIL_EPOCH_SECONDS", "0")))


def save_prediction(pred_subpath, Y):
    saved = for_saving(Y)
    assert len(saved) == len(Y)
'''

MODULE = '''\
"""What `def.py` imports from beside it."""

FACTOR = 1.0


def scaled(table):
    return table * FACTOR
'''

CONFIG: dict[str, Any] = {
    "definition": "def.py",
    "data": "data",
    "result": "out",
    "seed": 3,
    "device": "cpu",
    "batch_size": 50,
    "search": {"max_epochs": 9, "eta": 3, "jobs": "bracket"},
    "predict": ["new.npy"],
    "env": {"DLUTIL_TEST_UNITS": "volts"},
    "data_files": {"train": ["train.h5", "valid.npy"], "test": ["test.npy"]},
}


def table(seed: int, rows: int = 120) -> np.ndarray:
    """`rows` rows of four features and a noisy nonlinear target, `(rows, 5)` float32."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, FEATURES))
    y = np.sin(x[:, 0]) + 0.5 * x[:, 1] * x[:, 2] + 0.1 * rng.normal(size=rows)
    return np.column_stack([x, y]).astype(np.float32)


@dataclass
class Finished:
    """A run of Snakemake that has ended."""

    code: int
    output: str
    seconds: float

    @property
    def planned(self) -> Counter[str]:
        """How many jobs of each rule were to run, but for `all`, which does nothing."""
        found: Counter[str] = Counter()
        tables = re.findall(r"^Job stats:\njob .*\n[- ]+\n((?:.+\n)+?)total ", self.output, re.M)
        for lines in tables:
            found = Counter({n: int(k) for n, k in re.findall(r"^(\S+)\s+(\d+)\n", lines, re.M)})
        del found["all"]
        return found

    @property
    def ran(self) -> Counter[str]:
        """How many jobs of each rule ended well, but for `all`."""
        found = Counter(re.findall(r"^Finished jobid: \d+ \(Rule: (\w+)\)$", self.output, re.M))
        del found["all"]
        return found

    @property
    def sentences(self) -> list[str]:
        """The distinct sentences that the run gave as errors."""
        return list(dict.fromkeys(re.findall(r"^error: (.*)$", self.output, re.M)))


@dataclass(frozen=True)
class Epoch:
    """One start of an epoch of a trial, at a time."""

    trial_seed: int
    number: int
    time: float


@dataclass
class Project:
    """A project folder: the working directory of its runs.

    `environment` is added to that of each run; `repository` is whose Snakefile runs.
    """

    folder: Path
    repository: Path = REPOSITORY
    environment: dict[str, str] = field(default_factory=dict)

    @classmethod
    def make(cls, folder: Path, definition: str = DEFINITION, **changes: Any) -> Project:
        """Write a project; `changes` replace keys of the config (`search` is merged)."""
        (folder / "data").mkdir(parents=True)
        (folder / "def.py").write_text(definition)
        (folder / "features.py").write_text(MODULE)
        with h5py.File(folder / "data" / "train.h5", "w") as file:
            file["table"] = table(1, 200)
        for seed, name in enumerate(["valid", "test", "new"], start=2):
            np.save(folder / "data" / f"{name}.npy", table(seed))
        project = cls(folder)
        project.configure(**CONFIG | changes)
        return project

    # The config

    @property
    def config(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(json.dumps(self._read_config()))
        return found

    def _read_config(self) -> Any:
        path = self.folder / "config.yaml"
        return yaml.safe_load(path.read_text()) if path.exists() else {}

    def configure(self, **changes: Any) -> None:
        """Replace keys of the config; the keys of `search` one by one."""
        config = self.config
        if "search" in changes:
            changes["search"] = config.get("search", CONFIG["search"]) | changes["search"]
        (self.folder / "config.yaml").write_text(yaml.safe_dump(config | changes))

    @property
    def result(self) -> Path:
        """The result folder."""
        return self.folder / self.config["result"]

    # Runs

    def command(self, *arguments: str, cores: int = 2) -> list[str]:
        """The command line of a run."""
        snakefile = str(self.repository / "workflow" / "Snakefile")
        command = [sys.executable, "-m", "snakemake", "--snakefile", snakefile]
        return [*command, "--configfile", "config.yaml", "--cores", str(cores), *arguments]

    def environ(self, **environment: str) -> dict[str, str]:
        """The environment of a run."""
        return os.environ | {"DLUTIL_TRACE": str(self.trace)} | self.environment | environment

    def start(self, *arguments: str, cores: int = 2, **environment: str) -> subprocess.Popen[str]:
        """Start a run in a process group of its own; its output goes to `run.txt`."""
        with open(self.folder / "run.txt", "w") as output:
            return subprocess.Popen(
                self.command(*arguments, cores=cores),
                cwd=self.folder,
                env=self.environ(**environment),
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                text=True,
                start_new_session=True,
                preexec_fn=heed_ctrl_c,
            )

    def run(
        self, *arguments: str, cores: int = 2, timeout: float = 300, **environment: str
    ) -> Finished:
        """Run to the end, whatever that is."""
        began = time.monotonic()
        run = subprocess.Popen(
            self.command(*arguments, cores=cores),
            cwd=self.folder,
            env=self.environ(**environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        try:
            output, _ = run.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            os.killpg(run.pid, signal.SIGKILL)
            output, _ = run.communicate()
            raise AssertionError(f"not ended after {timeout} seconds:\n{output}") from None
        return Finished(run.returncode, output, time.monotonic() - began)

    def succeed(self, *arguments: str, cores: int = 2, **environment: str) -> Finished:
        """Run to the end, which must be a good one."""
        done = self.run(*arguments, cores=cores, **environment)
        assert done.code == 0, done.output
        return done

    def would_run(self) -> Counter[str]:
        """Jobs by rule that a run would start now (a dry-run)."""
        return self.succeed("--dry-run").planned

    def copy(self, folder: Path) -> Project:
        """The same project, with results and file times, in another folder."""
        shutil.copytree(self.folder, folder, symlinks=True)
        return Project(folder, self.repository, dict(self.environment))

    # Results

    @property
    def trace(self) -> Path:
        """Where `def.py` notes each epoch that it starts."""
        return self.folder / "trace.txt"

    @property
    def manifest(self) -> str:
        """The manifest, after checking that it tells the truth."""
        done = subprocess.run(
            ["sha256sum", "--check", "--quiet", "MANIFEST.sha256"],
            cwd=self.result,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return (self.result / "MANIFEST.sha256").read_text()

    @property
    def plan(self) -> dict[str, Any]:
        """`search/plan.json`."""
        found: dict[str, Any] = json.loads((self.result / "search" / "plan.json").read_text())
        return found

    def epochs(self) -> list[Epoch]:
        """Every epoch that was started, in order."""
        if not self.trace.exists():
            return []
        fields = [line.split() for line in self.trace.read_text().splitlines()]
        return [Epoch(int(s), int(e), float(t)) for s, e, t in fields]

    def forget_epochs(self) -> None:
        """Start counting epochs anew."""
        self.trace.unlink(missing_ok=True)


def heed_ctrl_c() -> None:
    """In a started process: tests in the background may have inherited that SIGINT is ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def planned_epochs(plan: dict[str, Any]) -> int:
    """Epochs that a search trains: a promoted trial continues from the rung before."""
    total = 0
    for bracket in plan.get("brackets") or plan["stages"]:
        before = 0
        for rung in bracket["rungs"]:
            total += rung["trials"] * (rung["epochs"] - before)
            before = rung["epochs"]
    return total


def edit(path: Path, old: str, new: str) -> None:
    """Replace the one occurrence of `old` in a text file."""
    text = path.read_text()
    assert text.count(old) == 1, f"{path} holds {text.count(old)} times {old!r}"
    path.write_text(text.replace(old, new))
