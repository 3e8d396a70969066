"""A search's trials trained for real: `examples/function_regressor` with a wider search space."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import harness
from spaces import Range, Space, Values

from dlutil_core.common.seeds import seed_everything
from dlutil_core.job.loaded_run import LoadedRun
from dlutil_core.job.run_spec import RunSpec
from dlutil_core.search.outcome import Outcome, diverged
from dlutil_core.search.plan import Schedule, Trial

EXAMPLE = harness.ROOT / "examples" / "function_regressor"
PEERS = Path(__file__).resolve().parent / "peers"
BATCH = 50

SPACE: Space = {
    "learning_rate": Range(1e-4, 1e-1, log=True),
    "hidden": Values((4, 8, 16, 32, 64, 128), ordered=False),
    "dropout": Range(0, 0.5),
    "max_norm": Range(0.5, 5),
}
"""Most configurations are bad ones."""


class Training:
    """Trials in memory: their models, their rows so far, and their rewards on the test set."""

    def __init__(self, data: str, seed: int) -> None:
        self.loaded = LoadedRun(RunSpec(str(EXAMPLE / "def.py"), data, BATCH, seed, device="cpu"))
        definition = self.loaded.definition
        get_test = definition.get("get_test_generator", "the test")
        self.test = definition.call("get_test_generator", get_test, data)
        self.models: dict[int, Any] = {}
        self.rows: dict[int, list[dict[str, float]]] = {}
        self.tested: dict[int, list[float]] = {}
        self.epochs = 0

    def to(self, trial: Trial, budget: int) -> Outcome:
        """The outcome of a trial at a budget, trained on from where it is."""
        number = trial.number
        if number not in self.models:
            seed_everything(trial.seed)
            self.models[number] = self.loaded.model(trial.config)
            self.rows[number], self.tested[number] = [], []
        rows, model = self.rows[number], self.models[number]
        train, val = self.loaded.loaders
        while len(rows) < budget and not (rows and diverged(rows[-1])):
            epoch = len(rows) + 1
            rows += model.fit(train, val, epoch, epoch, trial.seed)
            self.tested[number].append(-model.evaluate(self.test)["loss"])
            self.epochs += 1
        bad = bool(rows) and diverged(rows[-1])
        return Outcome(number, rows[:budget], "diverged" if bad else "ok")

    def test_reward(self, pick: Outcome) -> float:
        """Of a trial at its best epoch."""
        assert pick.best_epoch is not None
        return self.tested[pick.trial][pick.best_epoch - 1]


def make_data(folder: str) -> None:
    """The example's files."""
    subprocess.run([sys.executable, EXAMPLE / "make_data.py", folder], check=True)


def ray_rewards(search: Schedule, data: str, seeds: int, bohb: bool) -> list[tuple[float, float]]:
    """Rewards and epochs of Ray's searches, all in one cluster."""
    numbers = [str(n) for n in (BATCH, seeds, search.max_epochs, search.trial_count, search.epochs)]
    with tempfile.TemporaryDirectory(prefix="dlutil-benchmark-") as name:
        command = [sys.executable, str(PEERS / "ray_quality.py"), data, f"{name}/out", *numbers]
        command += ["--bohb"] if bohb else []
        said = harness.run_process(command, Path(name), seconds=120 + 60 * seeds)
    return [(reward, spent) for reward, spent in json.loads(said.strip().splitlines()[-1])]
