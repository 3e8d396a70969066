"""Optuna with its HyperbandPruner in one process, 49 trials at random.

python optuna_search.py DATA OUT BATCH_SIZE
"""

from __future__ import annotations

import sys
from typing import Any

import optuna
from problem import ETA, MAX_EPOCHS, SPACE, TRIALS, Data, Trial


def main(folder: str, out: str, batch_size: int) -> None:
    data = Data(folder)
    trained: dict[int, Trial] = {}
    epochs = 0

    def objective(trial: Any) -> float:
        nonlocal epochs
        config = {name: trial.suggest_categorical(name, values) for name, values in SPACE.items()}
        mine = trained[trial.number] = Trial(config, trial.number, data, batch_size)
        for epoch in range(1, MAX_EPOCHS + 1):
            reward = mine.train_epoch()
            epochs += 1
            trial.report(reward, epoch)
            if trial.should_prune():
                raise optuna.TrialPruned
        return mine.best

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    pruner = optuna.pruners.HyperbandPruner(1, MAX_EPOCHS, ETA)
    study = optuna.create_study(
        sampler=optuna.samplers.RandomSampler(1), pruner=pruner, direction="maximize"
    )
    study.optimize(objective, TRIALS)
    best = max(trained.values(), key=lambda one: one.best)
    print(f"{epochs} epochs, best reward {best.best:.3f}, test loss {best.finish(out):.3f}")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
