"""Regression of a generated table (Friedman #1) with a small dense network."""

import os
import random

import pandas as pd
from torch import nn, optim

from dlutil_core import base_model, batch_generator, constraints

VALIDATION_ROWS = 100


def read(data_dir, name):
    """A CSV table as float32 values."""
    return pd.read_csv(os.path.join(data_dir, name)).to_numpy("float32")


def get_train_generator(data_dir, batch_size):
    """Training and validation loaders: the last rows of the table validate."""
    x, y = read(data_dir, "X_train.csv"), read(data_dir, "y_train.csv")[:, 0]
    train = batch_generator.MatrixBatchGenerator(
        x[:-VALIDATION_ROWS], y[:-VALIDATION_ROWS], batch_size=batch_size, shuffle=True
    )
    val = batch_generator.MatrixBatchGenerator(x[-VALIDATION_ROWS:], y[-VALIDATION_ROWS:])
    return train, val


def get_test_generator(data_dir):
    return batch_generator.MatrixBatchGenerator(
        read(data_dir, "X_test.csv"), read(data_dir, "y_test.csv")[:, 0]
    )


def get_pred_generator(pred_path):
    return batch_generator.MatrixBatchGenerator(pd.read_csv(pred_path).to_numpy("float32"))


def get_config():
    return {
        "learning_rate": random.choice([0.003, 0.01, 0.03]),
        "hidden": random.choice([16, 32, 64]),
        "dropout": random.choice([0.0, 0.1]),
        "max_norm": random.choice([2.0, 4.0]),
    }


class FriedmanNetwork(nn.Module):
    """Two hidden layers between centred inputs and outputs of about the labels' scale."""

    def __init__(self, hidden, dropout):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(10, hidden),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(hidden, 20),
            nn.ReLU(),
            nn.Linear(20, 1),
        )

    def forward(self, x):
        # Inputs are uniform on 0..1; labels have a mean of about 14 and a spread of about 5.
        return 14 + 5 * self.layers(2 * x - 1).squeeze(1)


class Model(base_model.RegressionModel):
    def init_model(self):
        config = self.config
        network = FriedmanNetwork(config["hidden"], config["dropout"])
        optimizer = optim.Adam(network.parameters(), lr=config["learning_rate"])
        limits = [constraints.MaxNormConstraint(config["max_norm"], "layers.[03]")]
        super().init_model(network, optimizer, constraints=limits)
