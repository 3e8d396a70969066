"""Networks with a convolutional part and a dense part."""

from __future__ import annotations

import torch
from torch import nn


class ConvRegressionNetwork(nn.Module):
    """`features`, flattened, then `regressor`: one number per sample.

    Parameters
    ----------
    features
        A module on batches `(N, depth, height, width)`.
    regressor
        A module on `(N, F)`, the flattened features, that gives `(N,)` or `(N, 1)`.
    """

    def __init__(self, features: nn.Module, regressor: nn.Module) -> None:
        super().__init__()
        self.features = features
        self.regressor = regressor

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Predictions `(N,)` of a batch `(N, depth, height, width)`."""
        flat = torch.flatten(self.features(x), 1)
        y_pred: torch.Tensor = self.regressor(flat)
        return y_pred.squeeze(1) if y_pred.dim() == 2 and y_pred.shape[1] == 1 else y_pred


class ConvClassificationNetwork(nn.Module):
    """`features`, flattened, then `classifier`: the logits of each class.

    `ClassificationModel` sets `multi_label`: then each class has a probability of its own.

    Parameters
    ----------
    features
        A module on batches `(N, depth, height, width)`.
    classifier
        A module on `(N, F)`, the flattened features, that gives logits `(N, K)`, softmax not
        applied.
    """

    multi_label = False

    def __init__(self, features: nn.Module, classifier: nn.Module) -> None:
        super().__init__()
        self.features = features
        self.classifier = classifier

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        """`y_pred`: for two classes, or of one logit, the probability of class 1, `(N,)`, otherwise
        of each class, `(N, K)`; `y_pred_loss`: the logits `(N, K)`.
        """
        logits = self.classifier(torch.flatten(self.features(x), 1))
        if self.multi_label:
            return {"y_pred": torch.sigmoid(logits), "y_pred_loss": logits}
        if logits.shape[1] == 1:
            return {"y_pred": torch.sigmoid(logits)[:, 0], "y_pred_loss": logits}
        probability = torch.softmax(logits, dim=1)
        if logits.shape[1] == 2:
            probability = probability[:, 1]
        return {"y_pred": probability, "y_pred_loss": logits}
