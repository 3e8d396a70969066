"""How much of a minigene is spliced in, from nine letters of RNA at its 5' splice site."""

import os
import random

import numpy as np
import pandas as pd
from sklearn.feature_selection import mutual_info_regression
from torch import nn, optim
from torch.optim.lr_scheduler import CosineAnnealingLR

from dlutil_core import base_model, batch_generator

LETTERS = np.array(list("ACGU"))
EPOCHS = 27


def read(data_dir, part):
    """One-hot RNA (N, 9, 4) and log10 PSI (N,) of one set of the authors' split."""
    table = pd.read_csv(os.path.join(data_dir, "mpsa_data.csv.gz"))
    table = table[table["set"] == part]
    one_hot = np.array([list(site) for site in table["x"]])[:, :, None] == LETTERS
    return one_hot.astype("float32"), table["y"].to_numpy("float32")


def get_train_generator(data_dir, batch_size):
    x, y = read(data_dir, "training")
    return batch_generator.MatrixBatchGenerator(x, y, batch_size=batch_size, shuffle=True)


def get_val_generator(data_dir):
    return batch_generator.MatrixBatchGenerator(*read(data_dir, "validation"))


def get_test_generator(data_dir):
    return batch_generator.MatrixBatchGenerator(*read(data_dir, "test"))


def get_config():
    return {
        "learning_rate": random.choice([0.001, 0.002, 0.004]),
        "hidden": random.choice([64, 128, 256]),
        "layers": random.choice([2, 3]),
        "dropout": random.choice([0.1, 0.2, 0.3]),
    }


def bits(y_true, y_pred):
    """I[y; prediction] from the distances of five nearest neighbours.

    Kraskov, Stoegbauer and Grassberger (2004), Physical Review E 69, 066138, equation 8, as
    scikit-learn computes it; it is never below 0.
    """
    # As float64: noise of 1e-10 parts equal values, which in float32 stay equal and add bits.
    y_true, y_pred = y_true.astype(float), y_pred.astype(float).reshape(-1, 1)
    nats = mutual_info_regression(y_pred, y_true, n_neighbors=5, random_state=1)
    return float(nats[0] / np.log(2))


class Model(base_model.RegressionModel):
    """Dense layers with dropout; the learning rate falls to zero."""

    def init_model(self):
        config, width, layers = self.config, 9 * 4, []
        for _ in range(config["layers"]):
            layers += [nn.Linear(width, config["hidden"]), nn.ReLU(), nn.Dropout(config["dropout"])]
            width = config["hidden"]
        network = nn.Sequential(nn.Flatten(), *layers, nn.Linear(width, 1), nn.Flatten(0))
        optimizer = optim.AdamW(network.parameters(), lr=config["learning_rate"])
        super().init_model(network, optimizer, scheduler=CosineAnnealingLR(optimizer, T_max=EPOCHS))

    def eval_metrics(self, y_true, y_pred):
        return {**super().eval_metrics(y_true, y_pred), "bits": bits(y_true, y_pred)}
