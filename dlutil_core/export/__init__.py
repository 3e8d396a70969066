"""A trained model as a folder of its own: weights, definition, `predict.py`, a model card."""

from dlutil_core.export.exporting import export

__all__ = ["export"]
