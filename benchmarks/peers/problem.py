"""The search problem as one would write it by hand: data, space, network, an epoch. No dlutil.

The same as `examples/function_regressor`: 400 rows to train on and 100 to validate, batches of 20,
one thread.
"""

from __future__ import annotations

import os
import random
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn, optim

MAX_EPOCHS = 27
ETA = 3
TRIALS = 49
SPACE: dict[str, list[Any]] = {
    "learning_rate": [0.003, 0.01, 0.03],
    "hidden": [16, 32, 64],
    "dropout": [0.0, 0.1],
    "max_norm": [2.0, 4.0],
}

torch.set_num_threads(1)


def table(folder: str, name: str) -> torch.Tensor:
    """A CSV file as float32 values."""
    return torch.tensor(pd.read_csv(os.path.join(folder, name)).to_numpy("float32"))


class Data:
    """Training, validation and test sets, and what is to be predicted."""

    def __init__(self, folder: str) -> None:
        x, y = table(folder, "X_train.csv"), table(folder, "y_train.csv")[:, 0]
        self.x, self.y, self.val_x, self.val_y = x[:-100], y[:-100], x[-100:], y[-100:]
        self.test_x, self.test_y = table(folder, "X_test.csv"), table(folder, "y_test.csv")[:, 0]
        self.pred_x = table(folder, "X_pred.csv")


class Trial:
    """A configuration's network, and how it is trained."""

    def __init__(self, config: dict[str, Any], seed: int, data: Data, batch_size: int) -> None:
        torch.manual_seed(seed)
        self.data, self.batch_size, self.max_norm = data, batch_size, config["max_norm"]
        self.network = nn.Sequential(
            nn.Linear(10, config["hidden"]),
            nn.ReLU(),
            nn.Dropout(config["dropout"]),
            nn.Linear(config["hidden"], 20),
            nn.ReLU(),
            nn.Linear(20, 1),
        )
        self.optimizer = optim.Adam(self.network.parameters(), lr=config["learning_rate"])
        self.limited = [self.network[0].weight, self.network[3].weight]
        self.epoch = 0
        self.best = -float("inf")
        self.best_state: dict[str, Any] = {}

    def predict(self, x: torch.Tensor) -> torch.Tensor:
        """Predictions `(N,)`."""
        return 14 + 5 * self.network(2 * x - 1).squeeze(1)

    def train_epoch(self) -> float:
        """One epoch; returns minus the validation loss, and keeps the best weights."""
        data, loss_function = self.data, nn.functional.mse_loss
        self.network.train()
        for rows in torch.randperm(len(data.x)).split(self.batch_size):
            self.optimizer.zero_grad()
            loss = loss_function(self.predict(data.x[rows]), data.y[rows])
            loss.backward()
            self.optimizer.step()
            with torch.no_grad():
                for weight in self.limited:
                    weight.copy_(torch.renorm(weight, 2, 0, self.max_norm))
        self.network.eval()
        with torch.no_grad():
            reward = -float(loss_function(self.predict(data.val_x), data.val_y))
        self.epoch += 1
        if reward > self.best:
            self.best = reward
            self.best_state = {k: v.clone() for k, v in self.network.state_dict().items()}
        return reward

    def finish(self, folder: str) -> float:
        """Test the best weights, predict with them, and return the test loss."""
        self.network.load_state_dict(self.best_state)
        self.network.eval()
        with torch.no_grad():
            loss = nn.functional.mse_loss(self.predict(self.data.test_x), self.data.test_y)
            predicted = self.predict(self.data.pred_x)
        os.makedirs(folder, exist_ok=True)
        np.save(os.path.join(folder, "X_pred.npy"), predicted.numpy())
        return float(loss)


def sample(seed: int) -> dict[str, Any]:
    """A configuration at random."""
    rng = random.Random(seed)
    return {name: rng.choice(values) for name, values in SPACE.items()}
