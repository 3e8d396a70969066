"""Loaders of batches for `def.py`, under the documented name."""

from dlutil_core.loaders.generators import BatchGenerator, H5pyBatchGenerator, MatrixBatchGenerator

__all__ = ["BatchGenerator", "H5pyBatchGenerator", "MatrixBatchGenerator"]
