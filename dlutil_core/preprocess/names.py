"""Names of the records of an HDF5 file, to stand beside predictions."""

from __future__ import annotations

import os
from contextlib import suppress

import h5py


def read_names(path: str | os.PathLike[str]) -> list[str] | None:
    """Names of the records in record order; None if the file is not HDF5 or holds no names."""
    return _texts(path, "name")


def read_intervals(path: str | os.PathLike[str]) -> list[str] | None:
    """Genome intervals of the records, as ``chr1:100-200(-)`` (from 0, end excluded), or None."""
    return _texts(path, "interval")


def _texts(path: str | os.PathLike[str], dataset: str) -> list[str] | None:
    # The filter registers itself with HDF5 on import; a missing plugin fails on reading alone.
    with suppress(ImportError):
        import hdf5plugin  # noqa: F401
    if not os.path.isfile(path) or not h5py.is_hdf5(path):
        return None
    with h5py.File(path, "r") as file:
        if not isinstance(file.get(dataset), h5py.Dataset) or file[dataset].ndim != 1:
            return None
        return [_text(value) for value in file[dataset][:].tolist()]


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return str(value)
