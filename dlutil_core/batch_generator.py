"""Loaders of batches: arrays in memory, and HDF5 files in memory or streamed.

A generator can be iterated any number of times; each pass with `shuffle=True` has a new order,
drawn from torch's global generator, which training seeds anew for each epoch of each trial.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch

from dlutil_core.hdf5_source import DEFAULT_MEMORY, Hdf5Source, reading_ahead
from dlutil_core.trees import take, tree_join, tree_leaves, tree_map

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
        The probability with which each one-hot sequence `(4, …, L)` of a batch is replaced by its
        reverse complement (rows A, C, G, T and positions reversed); augmentation for training.
    """

    def __init__(
        self,
        samples: int,
        batch_size: int | None,
        shuffle: bool,
        drop_last: bool = False,
        reverse_complement: float = 0.0,
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
        rng = pass_generator() if self.shuffle or self.reverse_complement else None
        for x, y in self._raw_batches(rng if self.shuffle else None):
            x, y = self.prepare(x, y)
            if rng is not None and self.reverse_complement:
                x = tree_map(lambda part: self._augmented(part, rng), x)
            yield (x, y) if self.has_labels else x

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

    def _raw_batches(self, rng: np.random.Generator | None) -> Iterator[tuple[Any, Any]]:
        raise TypeError(f"{type(self).__name__} must define _raw_batches or __iter__")

    def _bounds(self) -> Iterator[tuple[int, int]]:
        size = self.batch_size or max(self.samples, 1)
        for k in range(len(self)):
            yield k * size, min((k + 1) * size, self.samples)

    def _augmented(self, x: Any, rng: np.random.Generator) -> Any:
        chosen = rng.random(len(x)) < self.reverse_complement
        axes = (1, x.ndim - 1)
        if isinstance(x, torch.Tensor):
            mask = torch.from_numpy(chosen).view(-1, *([1] * (x.dim() - 1)))
            return torch.where(mask, torch.flip(x, axes), x)
        return np.where(chosen.reshape(-1, *([1] * (x.ndim - 1))), np.flip(x, axes), x)


class MatrixBatchGenerator(BatchGenerator):
    """Batches of arrays that are in memory.

    Parameters
    ----------
    X
        Inputs: an array or tensor `(N, …)`, or a dictionary or tuple of such with equal N.
    Y
        Labels in the same form, or `None` to predict.
    batch_size, shuffle, drop_last, reverse_complement
        See `BatchGenerator`.

    Batches are float32 inputs; labels are int64 where they are whole numbers, float32 otherwise.
    """

    def __init__(
        self,
        X: Any,
        Y: Any = None,
        batch_size: int | None = None,
        shuffle: bool = False,
        drop_last: bool = False,
        reverse_complement: float = 0.0,
    ) -> None:
        self.X = tree_map(_compact, _table(X))
        self.Y = None if Y is None else tree_map(_compact, _table(Y))
        samples = self._checked_samples()
        super().__init__(samples, batch_size, shuffle, drop_last, reverse_complement)

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

    def _raw_batches(self, rng: np.random.Generator | None) -> Iterator[tuple[Any, Any]]:
        order = None if rng is None else rng.permutation(self.samples)
        for start, stop in self._bounds():
            rows: Any = slice(start, stop) if order is None else order[start:stop]
            yield take(self.X, rows), take(self.Y, rows)


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
        A file or a glob.
    process_x_y
        A function `(X, Y) -> (X, Y)` on a batch's converted arrays, for example to choose a label
        column; to predict, `Y` is `None`.
    labels
        Whether to read 'label'; `None`: where all files have it.
    memory
        Bytes that may be held in memory.
    shuffle_buffer
        Rows within which samples are shuffled; `None` takes as many as fit into 256 MiB. A set no
        larger than that is shuffled as a whole.
    batch_size, shuffle, drop_last, reverse_complement
        See `BatchGenerator`.

    Raises
    ------
    UserError
        A file is missing, is not HDF5, lacks a dataset, or has unequal numbers of samples.
    """

    def __init__(
        self,
        path: str,
        batch_size: int | None = None,
        shuffle: bool = False,
        process_x_y: Callable[[Any, Any], tuple[Any, Any]] | None = None,
        labels: bool | None = None,
        memory: int = DEFAULT_MEMORY,
        shuffle_buffer: int | None = None,
        drop_last: bool = False,
        reverse_complement: float = 0.0,
    ) -> None:
        self.source = Hdf5Source(path, labels, memory)
        super().__init__(self.source.rows, batch_size, shuffle, drop_last, reverse_complement)
        self.process_x_y = process_x_y
        row_bytes = max(self.source.row_bytes, 1)
        rows = shuffle_buffer or max(1, BUFFER_BYTES // row_bytes)
        if not shuffle:  # the order is the files', however much is read at once
            rows = min(rows, max(1, self.source.memory // (3 * row_bytes) // BLOCK * BLOCK))
        self.shuffle_buffer = math.ceil(rows / BLOCK) * BLOCK
        if self.source.streamed and shuffle:
            self.source.check_buffer(min(self.shuffle_buffer, self.samples))

    @property
    def has_labels(self) -> bool:
        return self.source.has_labels

    def prepare(self, x: Any, y: Any) -> tuple[Any, Any]:
        x, y = super().prepare(x, y)
        return (x, y) if self.process_x_y is None else self.process_x_y(x, y)

    def _raw_batches(self, rng: np.random.Generator | None) -> Iterator[tuple[Any, Any]]:
        if not self.samples:
            return
        segments = self._segments(rng)
        if not self.source.streamed:
            order = np.concatenate([blocks_rows(b, self.samples)[p] for b, p in segments])
            for start, stop in self._bounds():
                yield self.source.in_memory(order[start:stop])
            return
        left: tuple[Any, Any] | None = None
        size = self.batch_size or self.samples
        for part, order in reading_ahead(self.source.read_blocks, segments, BLOCK):
            taken = take(part, order)
            if left is not None:
                taken = tree_join(np.concatenate, [left, taken])
            whole = len(taken[0]) // size * size
            for start in range(0, whole, size):
                yield take(taken, slice(start, start + size))
            left = take(taken, slice(whole, None)) if whole < len(taken[0]) else None
        if left is not None and not self.drop_last:
            yield left

    def _segments(self, rng: np.random.Generator | None) -> list[tuple[np.ndarray, np.ndarray]]:
        """What fills the shuffle buffer, time after time: block numbers, order of their rows."""
        blocks = np.arange(math.ceil(self.samples / BLOCK))
        if rng is not None:
            rng.shuffle(blocks)
        step = self.shuffle_buffer // BLOCK
        segments = []
        for start in range(0, len(blocks), step):
            chosen = blocks[start : start + step]
            rows = len(blocks_rows(chosen, self.samples))
            order = np.arange(rows) if rng is None else rng.permutation(rows)
            segments.append((chosen, order))
        return segments


def blocks_rows(blocks: np.ndarray, samples: int) -> np.ndarray:
    """Row numbers of these blocks, one block after the other."""
    rows = (blocks[:, None] * BLOCK + np.arange(BLOCK)).ravel()
    return rows[rows < samples]


def pass_generator() -> np.random.Generator:
    """A generator for one pass, seeded from torch's global generator."""
    return np.random.default_rng(int(torch.randint(2**62, ())))


def as_input(x: Any) -> Any:
    """Inputs as float32; tensors stay as they are."""
    if isinstance(x, np.ndarray) and x.dtype != np.float32 and x.dtype.kind in "fiub":
        return x.astype(np.float32)
    return x


def as_label(y: Any) -> Any:
    """Labels as int64 where they are whole numbers, as float32 otherwise."""
    if not isinstance(y, np.ndarray) or y.dtype in (np.int64, np.float32):
        return y
    if y.dtype.kind in "iub":
        return y.astype(np.int64)
    return y.astype(np.float32) if y.dtype.kind == "f" else y


def _table(values: Any) -> Any:
    """A list of numbers, or of such lists, as an array; a list of arrays is one of inputs."""
    if isinstance(values, list) and all(not _is_array(leaf) for _, leaf in tree_leaves(values)):
        return np.asarray(values)
    return values


def _is_array(leaf: Any) -> bool:
    return len(getattr(leaf, "shape", ())) > 0


def _compact(values: Any) -> Any:
    """Keep arrays and tensors; make an array of anything else; halve float64 at once."""
    if isinstance(values, torch.Tensor):
        return values
    array = np.asarray(values)
    if array.dtype.kind not in "fiub":
        raise ValueError(
            f"X and Y must be numbers, but an array of {array.dtype} was given; encode texts and "
            "choose columns before"
        )
    return array.astype(np.float32) if array.dtype == np.float64 else array
