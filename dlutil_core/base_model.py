"""Models and networks for `def.py`, under the documented names."""

from dlutil_core.constraints import MaxNormConstraint
from dlutil_core.models import ClassificationModel, RegressionModel
from dlutil_core.networks import ConvClassificationNetwork, ConvRegressionNetwork
from dlutil_core.training import BaseModel

__all__ = [
    "BaseModel",
    "ClassificationModel",
    "ConvClassificationNetwork",
    "ConvRegressionNetwork",
    "MaxNormConstraint",
    "RegressionModel",
]
