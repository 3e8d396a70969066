"""CTCF binding sites against shuffled sequences: a convolution over one-hot DNA."""

import os
import random

from torch import nn, optim

from dlutil_core import base_model, batch_generator, constraints


def read(data_dir, name, **options):
    """Batches of (N, 4, 1, L) one-hot sequences and (N,) labels, 1 for a binding site."""
    return batch_generator.H5pyBatchGenerator(
        os.path.join(data_dir, name), process_x_y=lambda x, y: (x, y[:, 0]), **options
    )


def get_train_generator(data_dir, batch_size):
    return read(data_dir, "train.h5", batch_size=batch_size, shuffle=True)


def get_val_generator(data_dir):
    return read(data_dir, "valid.h5")


def get_test_generator(data_dir):
    return read(data_dir, "test.h5")


def get_pred_generator(pred_path):
    return batch_generator.H5pyBatchGenerator(pred_path, labels=False)


def get_config():
    return {
        "learning_rate": random.choice([0.0003, 0.001, 0.003]),
        "dropout": random.choice([0.1, 0.3, 0.5]),
        "filters": random.choice([32, 64, 128]),
        "max_norm": random.choice([3.0, 5.0]),
    }


class Model(base_model.ClassificationModel):
    """Filters of 24 letters over both strands, a dense layer of 32 with dropout, two classes."""

    def init_model(self):
        config = self.config
        classifier = nn.Sequential(
            nn.Linear(config["filters"], 32),
            nn.ReLU(),
            nn.Dropout(config["dropout"]),
            nn.Linear(32, 2),
        )
        features = base_model.MotifScan(config["filters"], width=24, strands="both")
        network = base_model.ConvClassificationNetwork(features, classifier)
        optimizer = optim.Adam(network.parameters(), lr=config["learning_rate"])
        limits = [constraints.MaxNormConstraint(config["max_norm"], "classifier.*")]
        super().init_model(network, optimizer, constraints=limits)
