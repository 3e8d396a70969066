"""Loaders of batches: arrays in memory, and HDF5 files in memory or streamed.

A generator can be iterated any number of times; each pass with `shuffle=True` has a new order,
drawn from torch's global generator, which training seeds anew for each epoch of each trial.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any

import numpy as np
import torch

from dlutil_core.common.nested import take, tree_join, tree_leaves, tree_map
from dlutil_core.loaders.batching import as_input, as_label, row_bytes, runs_of_batches, take_copy
from dlutil_core.loaders.hdf5 import DEFAULT_MEMORY, Hdf5Source, Paths, Segment, reading_ahead
from dlutil_core.loaders.reverse_complement import Turner

BLOCK = 256
"""Rows that a streamed pass reads together; fixed, since the order of samples depends on it."""

BUFFER_BYTES = 2**28
"""Default size of the shuffle buffer, in bytes of stored rows."""


class BatchGenerator:
    """What all generators share: sizes, order, conversion, augmentation.

    Parameters
    ----------
    samples
        How many samples there are, N.
    batch_size
        Samples per batch; `None` gives everything in one batch. The last batch may be smaller.
    shuffle
        Whether each pass has a new random order.
    drop_last
        Whether a last batch of fewer than `batch_size` samples is left out (batch normalisation
        cannot train on a single sample).
    reverse_complement
        The probability with which a record's one-hot sequences `(4, …, L)` are replaced by their
        reverse complements (rows A, C, G, T and positions reversed), all inputs of a record
        together; augmentation for training. Vectors `(N, F)` stay, other inputs are refused.
    reverse_labels
        Whether the labels of such a record, one for each position in their last dimension, are
        reversed too; must be said where labels are as long as sequences.
    """

    def __init__(
        self,
        samples: int,
        batch_size: int | None,
        shuffle: bool,
        drop_last: bool = False,
        reverse_complement: float = 0.0,
        reverse_labels: bool | None = None,
    ) -> None:
        if batch_size is not None and batch_size < 1:
            raise ValueError(f"batch_size is {batch_size!r}, but must be at least 1, or None")
        if not 0 <= reverse_complement <= 1:
            raise ValueError(f"reverse_complement is {reverse_complement!r}, but is a probability")
        self.samples = samples
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.drop_last = drop_last
        self.reverse_complement = reverse_complement
        self.turner = Turner(reverse_complement, reverse_labels)

    known_missing: tuple[Any, bool] | None = None
    """The labels that were looked through for missing ones, and whether any are."""

    @cached_property
    def device_tables(self) -> dict[Any, Any]:
        """What devices hold of this generator's table, by device and type of numbers."""
        return {}

    @property
    def has_labels(self) -> bool:
        """Whether batches are pairs `(x, y)`; a subclass says."""
        return True

    def __len__(self) -> int:
        """How many batches a pass has."""
        size = self.batch_size or max(self.samples, 1)
        return self.samples // size if self.drop_last else math.ceil(self.samples / size)

    def __iter__(self) -> Iterator[Any]:
        """Batches `(x, y)`, or `x` alone where there are no labels."""
        ordering, augmenting = self.generators()
        for x, y in self.raw_batches(ordering):
            x, y = self.prepare(x, y)
            if augmenting is not None:
                x, y = self.augmented(x, y, augmenting)
            yield (x, y) if self.has_labels else x

    def generators(self) -> tuple[np.random.Generator | None, np.random.Generator | None]:
        """What is random in a pass: its order and its augmentation, each where there is one.

        They are seeded from torch's global generator, and apart, so that an order may be drawn
        bit by bit.
        """
        if not self.shuffle and not self.reverse_complement:
            return None, None
        rng = np.random.default_rng(int(torch.randint(2**62, ())))
        augmenting = rng.spawn(1)[0] if self.reverse_complement else None
        return rng if self.shuffle else None, augmenting

    def in_pieces(self, size: int) -> Iterator[Any]:
        """The same samples in the same order, but `size` at a time where all would come at once.

        Evaluation and prediction take this, so that no whole set is converted together.
        """
        pieces = self
        if self.batch_size is None and type(self).__iter__ is BatchGenerator.__iter__:
            pieces = copy.copy(self)
            pieces.batch_size, pieces.drop_last = size, False
        return iter(pieces)

    def prepare(self, x: Any, y: Any) -> tuple[Any, Any]:
        """Convert the stored arrays of a batch to what a model takes."""
        return tree_map(as_input, x), (tree_map(as_label, y) if self.has_labels else None)

    def raw_batches(self, rng: np.random.Generator | None) -> Iterator[tuple[Any, Any]]:
        """Rows of the stored arrays, batch by batch; without labels `y` is `None`.

        Each batch has memory of its own, so that a network may change its input in place.
        """
        x, y = self.table()
        size = self.batch_size or max(self.samples, 1)
        order = self.order(rng)
        for start, stop in runs_of_batches(len(self), size, self.samples, row_bytes(x, y)):
            rows: Any = slice(start, stop) if order is None else order[start:stop]
            run_x, run_y = (take_copy(part, rows) for part in (x, y))
            for low in range(0, stop - start, size):
                cut = slice(low, low + size)
                yield take(run_x, cut), take(run_y, cut)

    def table(self) -> tuple[Any, Any]:
        """The arrays in memory whose rows batches are, `(x, y)`; a subclass gives them."""
        raise TypeError(f"{type(self).__name__} must define __iter__, raw_batches or table")

    def plain_table(self) -> tuple[Any, Any] | None:
        """`table`, where rows become batches by nothing but conversion."""
        return None

    def order(self, rng: np.random.Generator | None) -> np.ndarray | None:
        """The rows of a pass, one after the other; `None`: as they are stored."""
        return None if rng is None else rng.permutation(self.samples)

    def augmented(self, x: Any, y: Any, rng: np.random.Generator) -> tuple[Any, Any]:
        """A batch with some of its records replaced by their reverse complements."""
        return self.turner(x, y, rng)


class MatrixBatchGenerator(BatchGenerator):
    """Batches of arrays that are in memory.

    Arrays become float32 inputs, batch by batch, and labels int64 where they are whole numbers,
    float32 otherwise. Tensors stay as they are, so tokens for an `nn.Embedding` are given as
    `torch.from_numpy(X)`.

    Parameters
    ----------
    X
        Inputs: an array or tensor `(N, …)`, or a dictionary or tuple of such with equal N.
    Y
        Labels in the same form, or `None` to predict.
    batch_size, shuffle, drop_last, reverse_complement, reverse_labels
        See `BatchGenerator`.
    """

    def __init__(
        self,
        X: Any,
        Y: Any = None,
        batch_size: int | None = None,
        shuffle: bool = False,
        drop_last: bool = False,
        reverse_complement: float = 0.0,
        reverse_labels: bool | None = None,
    ) -> None:
        self.X = tree_map(lambda leaf: _compact(leaf, as_input), _table(X))
        self.Y = None
        if Y is not None:
            self.Y = tree_map(lambda leaf: _compact(leaf, as_label), _table(Y))
        samples = self._checked_samples()
        turning = reverse_complement, reverse_labels
        super().__init__(samples, batch_size, shuffle, drop_last, *turning)

    @property
    def has_labels(self) -> bool:
        return self.Y is not None

    def _checked_samples(self) -> int:
        sizes = {f"X.{name}".rstrip("."): len(leaf) for name, leaf in tree_leaves(self.X)}
        if self.Y is not None:
            sizes |= {f"Y.{name}".rstrip("."): len(leaf) for name, leaf in tree_leaves(self.Y)}
        if len(set(sizes.values())) > 1:
            told = ", ".join(f"{name} has {size}" for name, size in sizes.items())
            raise ValueError(f"X and Y must have equally many samples, but {told}")
        return next(iter(sizes.values()), 0)

    def table(self) -> tuple[Any, Any]:
        return self.X, self.Y

    def plain_table(self) -> tuple[Any, Any] | None:
        return self.table()


class H5pyBatchGenerator(BatchGenerator):
    """Batches of HDF5 files with the datasets 'data' and (except to predict) 'label'.

    The files that match `path` are joined in natural order (batch2 before batch10). Arrays are kept
    in the files' dtype; inputs become float32 and whole-number labels int64 batch by batch. Files
    larger than `memory` are streamed: blocks of rows in a shuffled order, samples shuffled within a
    buffer, the next buffer read in the background. The order of samples depends on the seed and
    `shuffle_buffer` alone, never on `memory`.

    Parameters
    ----------
    path
        A file or a glob, or several of them, which are read one after the other.
    process_x_y
        A function `(X, Y) -> (X, Y)` on a batch's converted arrays, for example to choose a label
        column; to predict, `Y` is `None`.
    labels
        Whether to read the labels; `None`: where all files have them.
    data, label
        Names of the datasets, as in ``x_train`` or ``train/data``.
    memory
        Bytes that may be held in memory.
    shuffle_buffer
        Rows within which samples are shuffled; `None` takes as many as fit into 256 MiB. A set no
        larger than that is shuffled as a whole.
    batch_size, shuffle, drop_last, reverse_complement, reverse_labels
        See `BatchGenerator`.

    Raises
    ------
    UserError
        A file is missing, is not HDF5, lacks a dataset, or has unequal numbers of samples.
    """

    def __init__(
        self,
        path: Paths,
        batch_size: int | None = None,
        shuffle: bool = False,
        process_x_y: Callable[[Any, Any], tuple[Any, Any]] | None = None,
        labels: bool | None = None,
        data: str = "data",
        label: str = "label",
        memory: int = DEFAULT_MEMORY,
        shuffle_buffer: int | None = None,
        drop_last: bool = False,
        reverse_complement: float = 0.0,
        reverse_labels: bool | None = None,
    ) -> None:
        if memory < 1:
            raise ValueError(f"memory is {memory!r}, but must be at least 1 byte")
        if shuffle_buffer is not None and shuffle_buffer < 1:
            raise ValueError(
                f"shuffle_buffer is {shuffle_buffer!r}, but must be at least 1 row, or None"
            )
        self.source = Hdf5Source(path, labels, memory, data, label)
        turning = reverse_complement, reverse_labels
        super().__init__(self.source.rows, batch_size, shuffle, drop_last, *turning)
        self.process_x_y = process_x_y
        bytes_each = max(self.source.row_bytes, 1)
        rows = shuffle_buffer or max(1, BUFFER_BYTES // bytes_each)
        if not shuffle:  # the order is the files', however much is read at once
            rows = min(rows, max(1, self.source.memory // (3 * bytes_each) // BLOCK * BLOCK))
        self.shuffle_buffer = math.ceil(rows / BLOCK) * BLOCK
        if self.source.streamed and shuffle:
            self.source.check_buffer(min(self.shuffle_buffer, self.samples))

    @property
    def has_labels(self) -> bool:
        return self.source.has_labels

    @property
    def class_names(self) -> list[str] | None:
        """Names of the classes in the order of their numbers, where the files tell them."""
        return self.source.classes

    def prepare(self, x: Any, y: Any) -> tuple[Any, Any]:
        x, y = super().prepare(x, y)
        return (x, y) if self.process_x_y is None else self.process_x_y(x, y)

    def table(self) -> tuple[Any, Any]:
        return self.source.load()

    def plain_table(self) -> tuple[Any, Any] | None:
        plain = self.process_x_y is None and not self.source.streamed
        return self.table() if plain else None

    def order(self, rng: np.random.Generator | None) -> np.ndarray | None:
        if rng is None or not self.samples:
            return None
        parts = [blocks_rows(blocks, self.samples)[rows] for blocks, rows in self._segments(rng)]
        return np.concatenate(parts)

    def raw_batches(self, rng: np.random.Generator | None) -> Iterator[tuple[Any, Any]]:
        if not self.samples:
            return
        if not self.source.streamed:
            yield from super().raw_batches(rng)
            return
        size = self.batch_size or self.samples
        source = self.source
        buffers = [source.buffer(min(self.shuffle_buffer, self.samples)) for _ in range(2)]
        left: tuple[Any, Any] | None = None  # rows that do not fill a batch yet
        for part, order in reading_ahead(
            lambda blocks, buffer: source.read_blocks(blocks, BLOCK, buffer),
            self._segments(rng),
            buffers,
        ):
            first = 0
            if left is not None:
                first = min(size - len(left[0]), len(order))
                left = tree_join(np.concatenate, [left, take_copy(part, order[:first])])
                if len(left[0]) < size:
                    continue
                yield left
            whole = first + (len(order) - first) // size * size
            for start in range(first, whole, size):
                yield take_copy(part, order[start : start + size])
            left = take_copy(part, order[whole:]) if whole < len(order) else None
        if left is not None and not self.drop_last:
            yield left

    def _segments(self, rng: np.random.Generator | None) -> Iterator[Segment]:
        """What fills the shuffle buffer, time after time: block numbers, order of their rows."""
        blocks = np.arange(math.ceil(self.samples / BLOCK))
        if rng is not None:
            rng.shuffle(blocks)
        step = self.shuffle_buffer // BLOCK
        for start in range(0, len(blocks), step):
            chosen = blocks[start : start + step]
            rows = len(blocks_rows(chosen, self.samples))
            yield chosen, np.arange(rows) if rng is None else rng.permutation(rows)


def blocks_rows(blocks: np.ndarray, samples: int) -> np.ndarray:
    """Row numbers of these blocks, one block after the other."""
    rows = (blocks[:, None] * BLOCK + np.arange(BLOCK)).ravel()
    return rows[rows < samples]


def _table(values: Any) -> Any:
    """A list of numbers, or of such lists, as an array; a list of arrays is one of inputs."""
    if isinstance(values, list) and all(not _is_array(leaf) for _, leaf in tree_leaves(values)):
        return np.asarray(values)
    return values


def _is_array(leaf: Any) -> bool:
    return len(getattr(leaf, "shape", ())) > 0


def _compact(values: Any, as_type: Callable[[Any], Any]) -> Any:
    """Keep arrays and tensors; make an array of anything else; halve float64 at once."""
    if isinstance(values, torch.Tensor):
        return values
    array = np.asarray(values)
    if array.dtype.kind not in "fiub":
        raise ValueError(
            f"X and Y must be numbers, but an array of {array.dtype} was given; encode texts and "
            "choose columns before"
        )
    return as_type(array) if array.dtype == np.float64 else array
