"""The HDF5 file of a set, written block by block.

Datasets: 'data' (N, D, H, L); 'label' (N, K) where there are labels; 'name' and perhaps 'interval',
strings of fixed length. Labels and names are spooled to unnamed temporary files first, since their
dtype and length are known only at the end. Nothing in the file depends on time or place.
"""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import h5py
import numpy as np

from dlutil_core.errors import UserError
from dlutil_core.files import DISK_ERRORS
from dlutil_core.preprocess.hashing import hash_rows

CHUNK_BYTES = 1 << 18
CACHE_BYTES = 1 << 22
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


class TextSpool:
    """Texts without newlines, kept in an unnamed file until their longest is known."""

    def __init__(self, folder: Path) -> None:
        self._file: IO[bytes] = unnamed_file(folder)
        self._rows: list[tuple[int, int]] = []
        self.longest = 1

    def add(self, texts: list[bytes]) -> None:
        """Append texts in record order."""
        self.longest = max(self.longest, max(map(len, texts)))
        joined = b"\n".join(texts)
        self._file.write(joined)
        self._rows.append((len(joined), len(texts)))

    def blocks(self) -> Iterator[np.ndarray]:
        """Arrays of fixed-length bytes, all of the longest text's length."""
        self._file.seek(0)
        for size, _ in self._rows:
            texts = self._file.read(size).split(b"\n")
            step = max(1, CHUNK_BYTES // self.longest)
            for start in range(0, len(texts), step):
                yield np.array(texts[start : start + step], f"S{self.longest}")

    def write(self, file: h5py.File, name: str, compression: dict[str, Any]) -> IO[bytes]:
        """Write the dataset; return an unnamed file of the texts' hashes."""
        dtype = h5py.string_dtype("utf-8", self.longest)
        growing = Growing(file, name, (), np.dtype(dtype), compression)
        hashes: IO[bytes] = unnamed_file(Path(file.filename).parent)
        for block in self.blocks():
            growing.add(block)
            hashes.write(hash_rows(block.reshape(-1, 1)).tobytes())
        growing.finish()
        self._file.close()
        return hashes


class LabelSpool:
    """Labels, kept in an unnamed file in the smallest dtype of each block.

    Their dtype in the end: uint8, int16, int32 or int64, the smallest that holds all of them, where
    all are whole numbers; else float32, the precision that networks compute in.
    """

    def __init__(self, folder: Path) -> None:
        self._file: IO[bytes] = unnamed_file(folder)
        self._blocks: list[tuple[np.dtype, int]] = []
        self.columns = 0
        self.dtype = np.dtype(np.uint8)

    def add(self, labels: np.ndarray) -> np.ndarray:
        """Append labels, shape (n, K); return them in their smallest dtype."""
        small = smallest(labels)
        self.columns = labels.shape[1]
        self.dtype = common_dtype(self.dtype, small.dtype)
        self._file.write(small.tobytes())
        self._blocks.append((small.dtype, len(small)))
        return small

    def write(
        self, file: h5py.File, name: str, dtype: np.dtype, compression: dict[str, Any]
    ) -> None:
        """Write the dataset `name` in this dtype."""
        growing = Growing(file, name, (self.columns,), dtype, compression)
        self._file.seek(0)
        for stored, rows in self._blocks:
            raw = self._file.read(stored.itemsize * rows * self.columns)
            growing.add(np.frombuffer(raw, stored).reshape(rows, self.columns).astype(dtype))
        growing.finish()
        self._file.close()


def smallest(values: np.ndarray) -> np.ndarray:
    """The values in the smallest dtype of uint8, int16, int32, int64 (whole numbers), float32."""
    if values.dtype == np.uint8:
        return values
    low, high = values.min(), values.max()
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
