"""The two documented networks: shapes of what they give."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from dlutil_core import base_model

X = torch.randn(5, 4, 1, 12, generator=torch.Generator().manual_seed(0))


def features() -> nn.Module:
    return nn.Sequential(nn.Conv2d(4, 3, (1, 5)), nn.ReLU(), nn.MaxPool2d((1, 8)))


def test_regression_gives_one_number_a_sample() -> None:
    for regressor in (nn.Linear(3, 1), nn.Sequential(nn.Linear(3, 1), nn.Flatten(0))):
        assert base_model.ConvRegressionNetwork(features(), regressor)(X).shape == (5,)
    one = base_model.ConvRegressionNetwork(features(), nn.Linear(3, 1))(X[:1])
    assert one.shape == (1,)
    assert base_model.ConvRegressionNetwork(features(), nn.Linear(3, 2))(X).shape == (5, 2)


def test_two_classes_give_the_probability_of_class_1_and_the_logits() -> None:
    torch.manual_seed(0)
    found = base_model.ConvClassificationNetwork(features(), nn.Linear(3, 2))(X)
    assert found["y_pred"].shape == (5,)
    assert found["y_pred_loss"].shape == (5, 2)
    probability = torch.softmax(found["y_pred_loss"], 1)[:, 1]
    assert torch.equal(found["y_pred"], probability)


def test_more_classes_give_all_columns() -> None:
    found = base_model.ConvClassificationNetwork(features(), nn.Linear(3, 4))(X)
    assert found["y_pred"].shape == found["y_pred_loss"].shape == (5, 4)
    assert torch.allclose(found["y_pred"].sum(1), torch.ones(5))


@pytest.mark.parametrize("name", ["regressor", "classifier"])
def test_parts_have_their_documented_names(name: str) -> None:
    kind = {
        "regressor": base_model.ConvRegressionNetwork,
        "classifier": base_model.ConvClassificationNetwork,
    }[name]
    network = kind(features(), nn.Linear(3, 2))
    assert {"features", name} <= {n for n, _ in network.named_children()}
