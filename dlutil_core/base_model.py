"""Models and networks for `def.py`, under the documented names."""

from dlutil_core.model.base import BaseModel
from dlutil_core.model.constraints import MaxNormConstraint
from dlutil_core.model.models import ClassificationModel, RegressionModel
from dlutil_core.model.motif_scan import MotifScan
from dlutil_core.model.networks import ConvClassificationNetwork, ConvRegressionNetwork

__all__ = [
    "BaseModel",
    "ClassificationModel",
    "ConvClassificationNetwork",
    "ConvRegressionNetwork",
    "MaxNormConstraint",
    "MotifScan",
    "RegressionModel",
]
