"""The HDF5 file of a set, written block by block.

Datasets: 'data' (N, D, H, L); 'label' (N, K) where there are labels; 'name' and perhaps 'interval',
strings of fixed length; of folds 'index' (N,). Labels and names are spooled to unnamed temporary
files first, since their dtype and length are known only at the end. Nothing in the file depends on
time or place.
"""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import h5py
import numpy as np

from dlutil_core.common.errors import UserError
from dlutil_core.common.files import DISK_ERRORS
from dlutil_core.preprocess.encode.row_hashes import hash_rows

CHUNK_BYTES = 1 << 18
CACHE_BYTES = 1 << 22
SPOOL_BYTES = 1 << 20
SPOOL_ROWS = 1 << 16
MAX_CHUNK_ROWS = 4096
GZIP_LEVEL = 1
FULL = DISK_ERRORS | {errno.EFBIG: "the largest size of a file is reached"}


def compression_arguments(compression: str) -> dict[str, Any]:
    """Arguments of `create_dataset` for ``blosc`` (lz4 and bitshuffle), ``gzip`` or ``none``."""
    if compression == "blosc":
        import hdf5plugin

        # Several blosc threads write their blocks in the order in which they finish.
        os.environ["BLOSC_NTHREADS"] = "1"
        return dict(hdf5plugin.Blosc(cname="lz4", clevel=5, shuffle=hdf5plugin.Blosc.BITSHUFFLE))
    if compression == "gzip":
        return {"compression": "gzip", "compression_opts": GZIP_LEVEL, "shuffle": False}
    return {}


def chunk_rows(row_bytes: int) -> int:
    """Rows of a chunk: a power of two, about a quarter of a MiB; a batch touches few chunks."""
    rows = max(1, CHUNK_BYTES // max(1, row_bytes))
    return min(MAX_CHUNK_ROWS, 1 << (rows.bit_length() - 1))


def unnamed_file(folder: Path) -> IO[bytes]:
    """A binary file without a name on the disk of `folder`, gone when it is closed."""
    return tempfile.TemporaryFile(dir=folder)


class Growing:
    """A dataset that grows with each block.

    A chunk that a block fills in part waits in HDF5's chunk cache, so that each is compressed once.
    """

    def __init__(
        self,
        file: h5py.File,
        name: str,
        tail: tuple[int, ...],
        dtype: np.dtype,
        compression: dict[str, Any],
    ) -> None:
        row_bytes = int(np.prod(tail, dtype=np.int64)) * dtype.itemsize
        self._dtype = dtype
        self.dataset = file.create_dataset(
            name,
            shape=(0, *tail),
            maxshape=(None, *tail),
            chunks=(chunk_rows(row_bytes), *tail),
            dtype=dtype,
            track_times=False,
            **compression,
        )
        self.rows = 0

    def add(self, rows: np.ndarray) -> None:
        """Append rows of shape (n, *tail)."""
        start = self.rows
        self.rows += len(rows)
        if self.rows > len(self.dataset):
            self.dataset.resize(max(self.rows, 2 * len(self.dataset)), axis=0)
        # The view gives bytes the mark of UTF-8, without which HDF5 refuses them.
        self.dataset[start : self.rows] = rows.view(self._dtype)

    def finish(self) -> None:
        """Take off the rows that no block came for."""
        self.dataset.resize(self.rows, axis=0)


class Spool:
    """Rows in an unnamed file; rows of one dtype in a row are read back together."""

    def __init__(self, folder: Path) -> None:
        self._file = unnamed_file(folder)
        self._runs: list[tuple[np.dtype, int]] = []

    def add(self, rows: np.ndarray) -> None:
        """Append rows of any dtype, shape (n, ...)."""
        self._file.write(rows.tobytes())
        dtype, count = rows.dtype, len(rows)
        if self._runs and self._runs[-1][0] == dtype and self._runs[-1][1] < SPOOL_ROWS:
            count += self._runs.pop()[1]
        self._runs.append((dtype, count))

    def blocks(self, columns: int = 1) -> Iterator[np.ndarray]:
        """The rows in order, shape (n, columns), in blocks of bounded size; closes the file."""
        self._file.seek(0)
        for dtype, count in self._runs:
            row_bytes = dtype.itemsize * columns
            step = max(1, SPOOL_BYTES // row_bytes)
            for start in range(0, count, step):
                raw = self._file.read(min(step, count - start) * row_bytes)
                yield np.frombuffer(raw, dtype).reshape(-1, columns)
        self._file.close()


class TextSpool:
    """Texts, kept until their longest is known."""

    def __init__(self, folder: Path) -> None:
        self._spool = Spool(folder)
        self.longest = 1

    def add(self, texts: list[bytes]) -> int:
        """Append texts in record order; return the length of their longest."""
        array = np.array(texts, "S")
        self._spool.add(array)
        self.longest = max(self.longest, array.itemsize)
        return array.itemsize

    def write(self, file: h5py.File, name: str, compression: dict[str, Any]) -> IO[bytes]:
        """Write the dataset; return an unnamed file of the texts' hashes."""
        dtype = np.dtype(h5py.string_dtype("utf-8", self.longest))
        growing = Growing(file, name, (), dtype, compression)
        hashes = unnamed_file(Path(file.filename).parent)
        wide = max(1, SPOOL_BYTES // self.longest)
        for block in self._spool.blocks():
            for start in range(0, len(block), wide):
                texts = block[start : start + wide].astype(f"S{self.longest}")
                growing.add(texts[:, 0])
                hashes.write(hash_rows(texts).tobytes())
        growing.finish()
        return hashes


class LabelSpool:
    """Labels, kept in the smallest dtype of each block.

    Their dtype in the end: uint8, int16, int32 or int64, the smallest that holds all of them, where
    all are whole numbers; else float32, the precision that networks compute in. Missing ones are
    NaN.
    """

    def __init__(self, folder: Path) -> None:
        self._spool = Spool(folder)
        self.columns = 0
        self.dtype = np.dtype(np.uint8)

    def add(self, labels: np.ndarray) -> np.ndarray:
        """Append labels, shape (n, K); return them in their smallest dtype."""
        small = smallest(labels)
        self.columns = labels.shape[1]
        self.dtype = common_dtype(self.dtype, small.dtype)
        self._spool.add(small)
        return small

    def write(
        self,
        file: h5py.File,
        name: str,
        dtype: np.dtype,
        compression: dict[str, Any],
        orders: Sequence[np.ndarray | None] = (),
    ) -> None:
        """Write the dataset `name` in this dtype; `orders` are the final numbers of classes."""
        growing = Growing(file, name, (self.columns,), dtype, compression)
        for block in self._spool.blocks(self.columns):
            growing.add(renumbered(block.astype(dtype), orders))
        growing.finish()


def renumbered(labels: np.ndarray, orders: Sequence[np.ndarray | None]) -> np.ndarray:
    """Labels, shape (n, K), the classes of column k numbered by `orders[k]` where it is given."""
    for k, order in enumerate(orders):
        if order is not None:
            known = ~np.isnan(labels[:, k])
            labels[known, k] = order[labels[known, k].astype(np.int64)]
    return labels


def smallest(values: np.ndarray) -> np.ndarray:
    """The values in the smallest dtype of uint8, int16, int32, int64 (whole numbers), float32."""
    if values.dtype == np.uint8:
        return values
    low, high = values.min(), values.max()  # NaN where one is missing
    if max(-low, high) <= 2.0**53 and np.array_equal(values, np.rint(values)):
        for kind in (np.uint8, np.int16, np.int32, np.int64):
            if np.iinfo(kind).min <= low and high <= np.iinfo(kind).max:
                return values.astype(kind)
    return values.astype(np.float32)


def common_dtype(first: np.dtype, second: np.dtype) -> np.dtype:
    """The dtype for both: float32 as soon as one is, for wider floats serve no network."""
    if np.dtype(np.float32) in (first, second):
        return np.dtype(np.float32)
    return np.promote_types(first, second)


@contextmanager
def disk_full_is_a_sentence(folder: Path) -> Iterator[None]:
    """Turn HDF5's errors about a full disk (OSError or RuntimeError with a trace) into one."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        text = str(error)
        for code in FULL:
            if getattr(error, "errno", None) == code or f"errno = {code}," in text:
                raise UserError(
                    f"{folder}: cannot be written, {FULL[code]}; free some space and run the same"
                    " command again"
                ) from None
        raise
