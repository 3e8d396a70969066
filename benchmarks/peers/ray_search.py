"""Ray Tune with its asynchronous Hyperband (ASHA in 4 brackets), reused actors on all cores.

python ray_search.py DATA OUT BATCH_SIZE
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

os.environ["RAY_AIR_NEW_OUTPUT"] = "0"
os.environ["TUNE_DISABLE_AUTO_CALLBACK_LOGGERS"] = "1"

import ray
import torch
from problem import ETA, MAX_EPOCHS, SPACE, TRIALS, Data, Trial
from ray import tune
from ray.tune.schedulers import ASHAScheduler


class Training(tune.Trainable):
    """A trial as Ray wants it."""

    def setup(self, config: dict[str, Any]) -> None:
        self.trial = Trial(config, config["seed"], Data(config["folder"]), config["batch_size"])

    def reset_config(self, config: dict[str, Any]) -> bool:
        self.setup(config)
        return True

    def step(self) -> dict[str, float]:
        self.trial.train_epoch()
        return {"best": self.trial.best}

    def save_checkpoint(self, folder: str) -> None:
        trial = self.trial
        states = trial.network.state_dict(), trial.optimizer.state_dict(), trial.best_state
        torch.save((*states, trial.best, trial.epoch), Path(folder) / "state.pt")

    def load_checkpoint(self, folder: str) -> None:
        content = torch.load(Path(folder) / "state.pt")
        trial = self.trial
        trial.network.load_state_dict(content[0])
        trial.optimizer.load_state_dict(content[1])
        trial.best_state, trial.best, trial.epoch = content[2:]


def start() -> None:
    """Ray on all cores of this machine, without its pages and its copies of the workers' prints."""
    here = os.path.dirname(os.path.abspath(__file__))
    ray.init(
        num_cpus=len(os.sched_getaffinity(0)),
        include_dashboard=False,
        log_to_driver=False,
        runtime_env={"env_vars": {"PYTHONPATH": here}},
    )


def main(folder: str, out: str, batch_size: int) -> None:
    start()
    space: dict[str, Any] = {name: tune.choice(values) for name, values in SPACE.items()}
    space |= {"seed": tune.randint(0, 2**31), "folder": folder, "batch_size": batch_size}
    tuner = tune.Tuner(
        tune.with_resources(Training, {"cpu": 1}),
        param_space=space,
        tune_config=tune.TuneConfig(
            num_samples=TRIALS,
            metric="best",
            mode="max",
            reuse_actors=True,
            scheduler=ASHAScheduler(
                "training_iteration", max_t=MAX_EPOCHS, reduction_factor=ETA, brackets=4
            ),
        ),
        run_config=tune.RunConfig(storage_path=os.path.abspath(out), verbose=0),
    )
    found = tuner.fit().get_best_result()
    print(f"best reward {found.metrics['best']:.3f}")


if __name__ == "__main__":
    main(os.path.abspath(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
