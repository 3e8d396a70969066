"""CTCF binding sites against shuffled sequences: a convolution over one-hot DNA."""

import os
import random

import torch
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


class BothStrands(nn.Module):
    """How well each filter matches a sequence: its maximum over all positions of both strands."""

    def __init__(self, filters, width=24):
        super().__init__()
        self.convolution = nn.Conv2d(4, filters, (1, width))
        self.strand = nn.Sequential(self.convolution, nn.ReLU(), nn.AdaptiveMaxPool2d(1))

    def forward(self, x):
        # Rows are A, C, G, T: turning rows and positions around gives the reverse complement.
        return torch.maximum(self.strand(x), self.strand(x.flip(1, 3)))


class Model(base_model.ClassificationModel):
    """Filters of 24 letters, max pooling, a dense layer of 32 with dropout, two classes."""

    def init_model(self):
        config = self.config
        classifier = nn.Sequential(
            nn.Linear(config["filters"], 32),
            nn.ReLU(),
            nn.Dropout(config["dropout"]),
            nn.Linear(32, 2),
        )
        features = BothStrands(config["filters"])
        network = base_model.ConvClassificationNetwork(features, classifier)
        optimizer = optim.Adam(network.parameters(), lr=config["learning_rate"])
        limits = [constraints.MaxNormConstraint(config["max_norm"], "classifier.*")]
        super().init_model(network, optimizer, constraints=limits)
