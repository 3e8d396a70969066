"""What Ray Tune's HyperBandScheduler reaches with so many epochs, one search for each seed.

python ray_quality.py DATA OUT BATCH_SIZE SEEDS MAX_EPOCHS TRIALS EPOCHS [--bohb]

The last line that it prints is a list of `[reward, epochs]`. The space is that of `../live.py`.
With `--bohb` it draws by TuneBOHB, which needs hpbandster, with the scheduler that belongs to it.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import sys
from typing import Any

import numpy as np
from problem import ETA
from ray import tune
from ray.tune.schedulers import HyperBandForBOHB, HyperBandScheduler
from ray_search import Training, start

SPACE: dict[str, Any] = {
    "learning_rate": tune.loguniform(1e-4, 1e-1),
    "hidden": tune.choice([4, 8, 16, 32, 64, 128]),
    "dropout": tune.uniform(0, 0.5),
    "max_norm": tune.uniform(0.5, 5),
}


class Spent(tune.Stopper):
    """Ends a search when its trials have been trained for so many epochs together."""

    def __init__(self, epochs: int) -> None:
        self.left = epochs
        self.best = -float("inf")

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        if self.left > 0:
            self.left -= 1
            self.best = max(self.best, result["best"])
        return self.stop_all()

    def stop_all(self) -> bool:
        return self.left <= 0


def search(
    space: dict[str, Any], out: str, max_epochs: int, trials: int, epochs: int, bohb: int | None
) -> Spent:
    """One search; `best` of what it returns is the reward of its pick. `bohb` is BOHB's seed."""
    spent = Spent(epochs)
    scheduler: Any = HyperBandScheduler(max_t=max_epochs, reduction_factor=ETA)
    algorithm = None
    if bohb is not None:
        from ray.tune.search.bohb import TuneBOHB

        scheduler = HyperBandForBOHB(max_t=max_epochs, reduction_factor=ETA)
        algorithm = TuneBOHB(seed=bohb)
    tune.Tuner(
        tune.with_resources(Training, {"cpu": 1}),
        param_space=space,
        tune_config=tune.TuneConfig(
            num_samples=trials,
            metric="best",
            mode="max",
            reuse_actors=True,
            scheduler=scheduler,
            search_alg=algorithm,
        ),
        run_config=tune.RunConfig(storage_path=out, verbose=0, stop=spent),
    ).fit()
    shutil.rmtree(out, ignore_errors=True)
    return spent


def main(folder: str, out: str, numbers: list[int], bohb: bool) -> None:
    batch_size, seeds, max_epochs, trials, epochs = numbers
    start()
    fixed = {"seed": tune.randint(0, 2**31), "folder": folder, "batch_size": batch_size}
    found = []
    for seed in range(seeds):
        random.seed(seed)
        np.random.seed(seed)  # what Ray draws configurations with
        told = seed if bohb else None
        spent = search(SPACE | fixed, out, max_epochs, trials, epochs, told)
        found.append([spent.best, epochs - spent.left])
    print(json.dumps(found))


if __name__ == "__main__":
    bohb = "--bohb" in sys.argv
    given = [argument for argument in sys.argv[1:] if argument != "--bohb"]
    main(*(os.path.abspath(path) for path in given[:2]), [int(n) for n in given[2:]], bohb)
