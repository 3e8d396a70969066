"""Rows of several HDF5 files as one table: held in memory where they fit, streamed otherwise."""

from __future__ import annotations

import glob
import itertools
import os
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from queue import Queue
from typing import Any

import numpy as np

from dlutil_core.common.errors import UserError
from dlutil_core.common.paths import natural_key
from dlutil_core.loaders.hdf5_checks import check_dataset, find_dataset

Segment = tuple[np.ndarray, np.ndarray]
"""Numbers of the blocks that are read together, and the order of their rows."""

Buffer = tuple[Any, Any]
"""Arrays of inputs and of labels (or `None`)."""

DEFAULT_MEMORY = 4 * 2**30
"""Bytes that a generator may hold in memory unless it is told otherwise."""


Paths = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]
"""A file or a glob, or several."""


def matching_files(path: Paths) -> list[str]:
    """Files that paths or globs name, those of a glob in natural order; none is a `UserError`."""
    if isinstance(path, (str, os.PathLike)):
        return _matching(os.fspath(path))
    if not isinstance(path, Iterable) or isinstance(path, (bytes, dict)):
        raise UserError(f"{path!r}: is no path; give a file, a glob, or a list of them")
    files = [file for part in list(path) for file in matching_files(part)]
    if not files:
        raise UserError("the list of files is empty; give the path of a file at least")
    twice = [file for file in files if files.count(file) > 1]
    if twice:
        raise UserError(f"{twice[0]}: is named twice; name each file once")
    return files


def _matching(path: str) -> list[str]:
    if os.path.isfile(path):
        return [path]
    if os.path.isdir(path):
        raise UserError(f"{path}: is a folder; give its files, as in {os.path.join(path, '*.h5')}")
    # Brackets in names that are there, of folders first, are no glob.
    for pattern in (_with_literal_folders(path), re.sub(r"\[", "[[]", path)):
        found = sorted((f for f in glob.glob(pattern) if os.path.isfile(f)), key=natural_key)
        if found:
            return found
    raise UserError(f"{path}: no file matches; check the folder and the spelling")


def _with_literal_folders(path: str) -> str:
    """The glob in which the longest beginning that is a folder stands for itself."""
    folder = os.path.dirname(path)
    while folder and not os.path.isdir(folder):
        shorter = os.path.dirname(folder)
        folder = "" if shorter == folder else shorter
    return glob.escape(folder) + path[len(folder) :]


class Hdf5Source:
    """The rows of two datasets of all matching files, one file after the other.

    Parameters
    ----------
    path
        A file or a glob, or several.
    labels
        Whether to read the labels; `None`: where all files have them.
    memory
        Bytes that may be held; larger sets are streamed.
    data, label
        Names of the datasets; they may be in groups, as in ``train/data``.
    """

    def __init__(
        self,
        path: Paths,
        labels: bool | None,
        memory: int,
        data: str = "data",
        label: str = "label",
    ) -> None:
        if labels not in (True, False, None):
            raise UserError(
                f"labels is {labels!r}, but must be True, False or None; the name of the dataset"
                " of labels is label"
            )
        if data == label:
            raise UserError(f"data and label: are both {data!r}, but must be two datasets")
        self.files = matching_files(path)
        self.names = {"data": data, "label": label}
        self.classes: list[str] | None = None
        self.memory = memory
        self._handles: dict[str, Any] = {}
        self._datasets: dict[tuple[str, str], Any] = {}
        self._process = os.getpid()
        self._arrays: tuple[Any, Any] | None = None
        self._dtypes: dict[str, np.dtype[Any]] = {}
        self._shapes: dict[str, tuple[int, ...]] = {}
        try:
            self._survey(labels)
        finally:
            self.close()

    def _survey(self, labels: bool | None) -> None:
        """Find out what the files hold together."""
        found = [self._inspect(f, labels) for f in self.files]
        self.classes = self._common_classes()
        self.has_labels = self._decide_labels(labels, [f["label"] for f in found])
        self.starts = np.cumsum([0] + [len(f["data"]) for f in found])
        self.rows = int(self.starts[-1])
        self.row_bytes = 0
        for name in ("data", "label") if self.has_labels else ("data",):
            datasets = [f[name] for f in found]
            self._check_alike(self.names[name], [d.shape[1:] for d in datasets])
            self._dtypes[name] = np.result_type(*(d.dtype for d in datasets))
            self._shapes[name] = datasets[0].shape[1:]
            values = int(np.prod(self._shapes[name], dtype=np.int64))
            self.row_bytes += values * self._dtypes[name].itemsize
        self.streamed = self.rows * self.row_bytes > self.memory

    def _inspect(self, file: str, labels: bool | None) -> dict[str, Any]:
        """The datasets of inputs and labels of a file; `None` where there are no labels."""
        handle = self._open(file)
        data, label = (
            find_dataset(file, handle, self.names["data"]),
            None if labels is False else find_dataset(file, handle, self.names["label"]),
        )
        if data is None:
            raise UserError(
                f"{file}: has no dataset '{self.names['data']}', only {_names(handle)}; write it "
                "there, or give the names of the datasets, as in data='x_train', label='y_train'"
            )
        found = {"data": data} if label is None else {"data": data, "label": label}
        for key, dataset in found.items():
            check_dataset(file, self.names[key], dataset)
        if label is not None and len(data) != len(label):
            raise UserError(
                f"{file}: '{self.names['data']}' has {len(data)} samples but "
                f"'{self.names['label']}' has {len(label)}; write the file again"
            )
        return {"label": None} | found

    def _common_classes(self) -> list[str] | None:
        """Names of the classes; files that tell others are refused."""
        known = {file: class_names(self._open(file)) for file in self.files}
        told = {file: names for file, names in known.items() if names is not None}
        for file, names in told.items():
            first = next(iter(told))
            if names != told[first]:
                raise UserError(
                    f"{file}: its classes are {', '.join(names[:5])}, but in {first} they are"
                    f" {', '.join(told[first][:5])}; preprocess files that are read together"
                    " in one run"
                )
        return next(iter(told.values()), None)

    def _decide_labels(self, wanted: bool | None, shapes: list[Any]) -> bool:
        if wanted is False:
            return False
        missing = [f for f, s in zip(self.files, shapes, strict=True) if s is None]
        if not missing:
            return True
        if wanted or len(missing) < len(shapes):
            raise UserError(
                f"{missing[0]}: has no dataset '{self.names['label']}', which is needed except to"
                " predict; write it, or give the name of the dataset of labels, as in"
                " label='y_train'"
            )
        return False

    def _check_alike(self, dataset: str, shapes: list[tuple[int, ...]]) -> None:
        for file, shape in zip(self.files, shapes, strict=True):
            if shape != shapes[0]:
                raise UserError(
                    f"{file}: a sample of '{dataset}' has shape {shape}, but in {self.files[0]} it "
                    f"has {shapes[0]}; files read together must agree"
                )

    def _open(self, file: str) -> Any:
        """The file's handle in this process: opened lazily, never shared over a fork."""
        import h5py
        import hdf5plugin  # noqa: F401  (registers the filters that files may be written with)

        if self._process != os.getpid():
            self._handles, self._datasets = {}, {}
            self._process = os.getpid()
        if file not in self._handles:
            try:
                self._handles[file] = h5py.File(file, "r", rdcc_nbytes=self._chunk_cache())
            except OSError as error:
                if os.path.isfile(file) and not os.path.getsize(file):
                    raise UserError(f"{file}: is empty; write the file again") from None
                raise UserError(
                    f"{file}: not a readable HDF5 file ({error}); write the file again"
                ) from None
        return self._handles[file]

    def _chunk_cache(self) -> int:
        """Bytes that HDF5 may keep of each dataset's chunks; its own choice is not `memory`'s."""
        return max(2**16, min(2**20, self.memory // (16 * len(self.files))))

    def close(self) -> None:
        """Close this process's handles; they open again when needed."""
        if self._process == os.getpid():
            for handle in self._handles.values():
                handle.close()
        self._handles, self._datasets = {}, {}

    def _dataset(self, file: str, name: str) -> Any:
        """A dataset, looked up once."""
        handle = self._open(file)
        if (file, name) not in self._datasets:
            self._datasets[file, name] = handle[self.names[name]]
        return self._datasets[file, name]

    def check_buffer(self, rows: int) -> None:
        """Refuse a shuffle buffer that, with the one read ahead, does not fit into `memory`."""
        needed = 3 * rows * self.row_bytes
        if needed > self.memory:
            raise UserError(
                f"{self.files[0]}: three shuffle buffers of {rows} rows take {needed} bytes, but "
                f"memory is {self.memory}: lower shuffle_buffer or raise memory"
            )

    def load(self) -> tuple[Any, Any]:
        """All rows, in the files' dtype; read once and kept."""
        if self._arrays is None:
            self._arrays = self._read(0, self.rows)
            self.close()
        return self._arrays

    def buffer(self, rows: int) -> Buffer:
        """Memory for so many rows, of no content yet."""
        names = ("data", "label") if self.has_labels else ("data",)
        held = [np.empty((rows, *self._shapes[name]), self._dtypes[name]) for name in names]
        return held[0], held[1] if self.has_labels else None

    def read_blocks(self, blocks: np.ndarray, size: int, buffer: Buffer) -> Buffer:
        """Rows of these blocks of `size` rows, one block after the other, as views of a buffer."""
        data, label = buffer
        place = 0
        for block in blocks:
            low = int(block) * size
            part, part_label = self._read(low, min(low + size, self.rows))
            end = place + len(part)
            data[place:end] = part
            if label is not None:
                label[place:end] = part_label
            place = end
        return data[:place], None if label is None else label[:place]

    def _read(self, start: int, stop: int) -> tuple[Any, Any]:
        """Rows `start:stop` of the joined table."""
        parts = []
        for file, first, end in zip(self.files, self.starts[:-1], self.starts[1:], strict=True):
            low, high = max(start, first) - first, min(stop, end) - first
            if low < high or (first == end and start == stop):
                parts.append(self._read_file(file, int(low), int(high)))
        if not parts:
            parts = [self._read_file(self.files[0], 0, 0)]
        if len(parts) == 1:
            return parts[0]
        data = np.concatenate([p[0] for p in parts])
        label = np.concatenate([p[1] for p in parts]) if self.has_labels else None
        return data, label

    def _read_file(self, file: str, low: int, high: int) -> tuple[Any, Any]:
        try:
            label = self._dataset(file, "label")[low:high] if self.has_labels else None
            return self._dataset(file, "data")[low:high], label
        except OSError as error:
            raise UserError(
                f"{file}: rows {low} to {high} cannot be read ({error}); the file is damaged, "
                "write it again"
            ) from None


def reading_ahead(
    read: Callable[[np.ndarray, Buffer], Buffer],
    segments: Iterable[Segment],
    buffers: Sequence[Buffer],
) -> Iterator[tuple[Buffer, np.ndarray]]:
    """Yield `read(blocks, buffer), order` for each segment, the next one read in the background.

    The two buffers take turns: what was yielded holds until the next one is asked for.
    """
    turns = itertools.cycle(buffers)
    ready: Queue[Any] = Queue(maxsize=1)
    wanted = threading.Semaphore(1)
    stopped = threading.Event()

    def reader() -> None:
        try:
            for blocks, order in segments:
                wanted.acquire()
                if stopped.is_set():
                    return
                ready.put((read(blocks, next(turns)), order))
            ready.put(None)
        except BaseException as error:  # handed to the consumer, which raises it
            ready.put(error)

    thread = threading.Thread(target=reader, daemon=True, name="hdf5-reader")
    thread.start()
    try:
        while (item := ready.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            wanted.release()
            yield item
    finally:
        stopped.set()
        wanted.release()
        while not ready.empty():
            ready.get_nowait()
        thread.join(timeout=60)


def _names(handle: Any) -> str:
    return ", ".join(repr(name) for name in handle) or "nothing"


def class_names(handle: Any) -> list[str] | None:
    """Names of the classes that preprocessing noted in a file; None without them.

    Class k of the labels is the k-th name. Where there are several columns of labels they are kept
    as `classes.<column>`, and not given here.
    """
    names = handle.attrs.get("classes")
    if names is None or getattr(names, "ndim", 0) != 1:
        return None
    return [_text(name) for name in names.tolist()]


def read_classes(path: str | os.PathLike[str]) -> list[str] | None:
    """Names of the classes of an HDF5 file, in the order of their numbers; None without them."""
    import h5py

    if not os.path.isfile(path) or not h5py.is_hdf5(path):
        return None
    with h5py.File(path, "r") as file:
        return class_names(file)


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
    import h5py

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
