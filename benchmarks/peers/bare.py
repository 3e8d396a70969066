"""Hyperband in one bare process: 49 trials, all in memory, no checkpoints.

python bare.py DATA OUT BATCH_SIZE
"""

from __future__ import annotations

import sys
import time

START = time.perf_counter()

from problem import ETA, MAX_EPOCHS, Data, Trial, sample  # noqa: E402


def main(folder: str, out: str, batch_size: int) -> None:
    began = time.perf_counter()
    data = Data(folder)
    best: Trial | None = None
    number = 0
    for s in (3, 2, 1, 0):
        count = -(-4 * ETA**s // (s + 1))
        trials = [Trial(sample(number + k), number + k, data, batch_size) for k in range(count)]
        number += count
        for rung in range(s + 1):
            for trial in trials:
                while trial.epoch < MAX_EPOCHS // ETA ** (s - rung):
                    trial.train_epoch()
            trials.sort(key=lambda trial: -trial.best)
            best = max(filter(None, [best, trials[0]]), key=lambda trial: trial.best)
            trials = trials[: count // ETA ** (rung + 1)]
    assert best is not None
    print(f"{number} trials, best reward {best.best:.3f}, test loss {best.finish(out):.3f}")
    print(f"inside: {time.perf_counter() - began:.3f} of {time.perf_counter() - START:.3f} s")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
