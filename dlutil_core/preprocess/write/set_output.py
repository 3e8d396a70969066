"""One set on its way to `<name>.h5` and `<name>.stats.json`."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import h5py
import numpy as np

from dlutil_core.common.errors import UserError
from dlutil_core.preprocess.encode.alphabet import Alphabet
from dlutil_core.preprocess.encode.encoder import Encoded
from dlutil_core.preprocess.read.blocks import Block
from dlutil_core.preprocess.read.labels import LabelColumns
from dlutil_core.preprocess.write.datasets import (
    CACHE_BYTES,
    Growing,
    LabelSpool,
    TextSpool,
    compression_arguments,
    unnamed_file,
)
from dlutil_core.preprocess.write.statistics import LabelCounts, SequenceCounts

MAX_NAME_BYTES = 1 << 14

INDEX = "index"
"""The dataset with each record's number in the input, from 0, where there are folds."""


class SetOutput:
    """Takes encoded blocks of one set and writes its file at `path`, a temporary name.

    Parameters
    ----------
    path
        Where to write.
    alphabet
        For the names of rows and the statistics.
    compression
        ``blosc``, ``gzip`` or ``none``.
    data_name, label_name
        Names of the datasets.
    """

    def __init__(
        self,
        path: Path,
        alphabet: Alphabet,
        compression: str,
        data_name: str = "data",
        label_name: str = "label",
    ) -> None:
        self.alphabet = alphabet
        self.records = 0
        self.shape: tuple[int, ...] = ()
        self.labels: LabelSpool | None = None
        self.label_counts = LabelCounts()
        self.sequence_counts = SequenceCounts(alphabet)
        self.hashes: IO[bytes] = unnamed_file(path.parent)
        self.name_hashes: IO[bytes] | None = None
        self.strand_hashes: tuple[IO[bytes], IO[bytes]] | None = None
        self._compression = compression_arguments(compression)
        self._data_name, self._label_name = data_name, label_name
        self._file = h5py.File(path, "w", rdcc_nbytes=CACHE_BYTES)
        self._data: Growing | None = None
        self._names = TextSpool(path.parent)
        self._intervals: TextSpool | None = None
        self._places: Growing | None = None
        self._featured = False

    def add(self, block: Block, encoded: Encoded) -> None:
        """Append a block."""
        if self._data is None:
            self._start(block, encoded)
        assert self._data is not None
        self._data.add(encoded.data)
        if self._names.add(block.names) > MAX_NAME_BYTES:
            self._complain(block)
        self.hashes.write(encoded.hashes.tobytes())
        if self.strand_hashes is not None and encoded.strands is not None:
            for spool, hashes in zip(self.strand_hashes, encoded.strands, strict=True):
                spool.write(hashes.tobytes())
        if self.labels is not None and block.labels is not None:
            self.label_counts.add(self.labels.add(block.labels))
        if self._intervals is not None and block.intervals is not None:
            self._intervals.add(block.intervals)
        if self._places is not None and block.places is not None:
            self._places.add(block.places)
        if encoded.counts is not None:
            self.sequence_counts.add_letters(encoded.counts, encoded.stored)
        self.records += len(block)

    def _complain(self, block: Block) -> None:
        lengths = list(map(len, block.names))
        longest = max(lengths)
        raise UserError(
            f"{block.where(lengths.index(longest))} has a name of {longest} bytes; shorten it to"
            f" {MAX_NAME_BYTES} at most"
        )

    def _start(self, block: Block, encoded: Encoded) -> None:
        self.shape = encoded.data.shape[1:]
        self._featured = encoded.counts is None
        self._data = Growing(
            self._file, self._data_name, self.shape, encoded.data.dtype, self._compression
        )
        if not self._featured and self.alphabet.is_onehot:
            self._data.dataset.attrs["letters"] = "".join(self.alphabet.letters)
        folder = Path(self._file.filename).parent
        if encoded.strands is not None:
            self.strand_hashes = unnamed_file(folder), unnamed_file(folder)
        if block.labels is not None:
            self.labels = LabelSpool(folder)
        if block.intervals is not None:
            self._intervals = TextSpool(folder)
        if block.places is not None:
            self._places = Growing(self._file, INDEX, (), block.places.dtype, self._compression)

    def finish(self, label_dtype: np.dtype, columns: LabelColumns) -> None:
        """Write what waited for the end, and close the file.

        The names of classes become attributes of the file: `classes`, or `classes.<k>` for the
        k-th of several columns of labels. A file without labels has them too, for predictions.
        """
        assert self._data is not None
        self._data.finish()
        if self._places is not None:
            self._places.finish()
        classes = columns.classes()
        for k, names in enumerate(classes):
            if names is not None:
                self._file.attrs.create(
                    "classes" if len(classes) == 1 else f"classes.{k}",
                    np.array([name.encode() for name in names]),
                    dtype=h5py.string_dtype("utf-8", max(len(name.encode()) for name in names)),
                )
        self.label_counts.classes = classes
        self.label_counts.orders = columns.orders()
        if self.labels is not None:
            self.labels.write(
                self._file, self._label_name, label_dtype, self._compression, columns.orders()
            )
        self.name_hashes = self._names.write(self._file, "name", self._compression)
        if self._intervals is not None:
            self._intervals.write(self._file, "interval", self._compression).close()
        self._file.close()

    def abort(self) -> None:
        """Close the file whatever state it is in; its bytes are of no use any more."""
        with suppress(OSError, RuntimeError):  # a full disk cannot take the last bytes either
            self._file.close()

    def summary(self) -> dict[str, Any]:
        """The statistics of this set alone."""
        summary: dict[str, Any] = {"records": self.records, "shape": [self.records, *self.shape]}
        if not self._featured:
            summary |= self.sequence_counts.summary()
        return summary | {"labels": self.label_counts.summary()}
