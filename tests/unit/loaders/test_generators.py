"""Loaders: order, dtypes, shapes of batches; streaming gives what memory gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pytest
import torch

from dlutil_core import batch_generator
from dlutil_core.batch_generator import H5pyBatchGenerator, MatrixBatchGenerator

ROWS = 2000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`part*.h5`: 2,000 rows in three files, each sample with its own number in it."""
    made = tmp_path_factory.mktemp("hdf5")
    bounds = [0, 700, 701, ROWS]
    for name, start, stop in zip(["1", "2", "10"], bounds[:-1], bounds[1:], strict=True):
        with h5py.File(made / f"part{name}.h5", "w") as file:
            numbers = np.arange(start, stop)
            file["data"] = np.stack([numbers // 100, numbers % 100], axis=1).astype(np.int8)
            file["label"] = (numbers % 7).astype(np.int8)[:, None]
    return made


def numbers(x: np.ndarray) -> np.ndarray:
    """The numbers of samples that `folder` gave."""
    return (x[:, 0] * 100 + x[:, 1]).astype(int)


def passes(loader: Any, seed: int, count: int = 1) -> list[list[Any]]:
    torch.manual_seed(seed)
    return [list(loader) for _ in range(count)]


def same(a: list[Any], b: list[Any]) -> bool:
    return len(a) == len(b) and all(
        np.array_equal(p[0], q[0]) and np.array_equal(p[1], q[1]) for p, q in zip(a, b, strict=True)
    )


# MatrixBatchGenerator


def test_matrix_batches_are_in_order_and_complete() -> None:
    x = np.arange(20.0).reshape(10, 2)
    y = np.arange(10)
    loader = MatrixBatchGenerator(x, y, batch_size=4)
    assert len(loader) == 3
    assert [len(b[0]) for b in loader] == [4, 4, 2]
    assert np.array_equal(np.concatenate([b[0] for b in loader]), x)
    assert np.array_equal(np.concatenate([b[1] for b in loader]), y)
    (whole,) = MatrixBatchGenerator(x, y)
    assert whole[0].shape == (10, 2)


def test_without_labels_batches_are_inputs_alone() -> None:
    batches = list(MatrixBatchGenerator(np.ones((5, 2)), batch_size=3))
    assert [b.shape for b in batches] == [(3, 2), (2, 2)]


@pytest.mark.parametrize("dtype", ["int8", "uint8", "bool", "float16", "float64", "int64"])
def test_inputs_are_kept_compact_and_become_float32_batch_by_batch(dtype: str) -> None:
    x = np.ones((6, 3), dtype=dtype)
    loader = MatrixBatchGenerator(x, x[:, 0], batch_size=4)
    kept = "float32" if dtype == "float64" else dtype
    assert loader.X.dtype == kept
    for batch_x, batch_y in loader:
        assert batch_x.dtype == np.float32
        assert batch_y.dtype == (np.float32 if dtype.startswith("float") else np.int64)


def test_every_pass_has_a_new_order_that_the_seed_decides() -> None:
    x = np.arange(50)[:, None]
    loader = MatrixBatchGenerator(x, np.arange(50), batch_size=10, shuffle=True)
    first, second, third = passes(loader, 3, 3)
    orders = [np.concatenate([b[1] for b in p]) for p in (first, second, third)]
    assert all(sorted(o) == list(range(50)) for o in orders)
    assert not np.array_equal(orders[0], orders[1])
    assert not np.array_equal(orders[1], orders[2])
    assert not np.array_equal(orders[0], np.arange(50))
    assert all(np.array_equal(b[0][:, 0], b[1]) for b in first), "labels stay with their inputs"
    again = passes(loader, 3, 3)
    assert all(same(p, q) for p, q in zip([first, second, third], again, strict=True))
    assert not same(passes(loader, 4)[0], first)


def test_drop_last_leaves_out_a_short_batch_only() -> None:
    x = np.arange(10)[:, None]
    loader = MatrixBatchGenerator(x, batch_size=4, drop_last=True)
    assert [len(b) for b in loader] == [4, 4]
    assert len(loader) == 2
    assert [len(b) for b in MatrixBatchGenerator(x, batch_size=5, drop_last=True)] == [5, 5]
    assert [len(b) for b in MatrixBatchGenerator(x, drop_last=True)] == [10]


def test_dictionaries_and_tuples_of_arrays() -> None:
    x = {"dna": np.ones((5, 4)), "extra": (np.arange(5), torch.arange(5))}
    y = (np.arange(5), np.zeros((5, 2)))
    batches = list(MatrixBatchGenerator(x, y, batch_size=2, shuffle=True))
    for batch_x, batch_y in batches:
        assert set(batch_x) == {"dna", "extra"}
        assert np.array_equal(batch_x["extra"][0], batch_x["extra"][1].numpy())
        assert np.array_equal(batch_x["extra"][0], batch_y[0])
        assert batch_y[1].dtype == np.float32
        assert batch_x["extra"][1].dtype == torch.int64, "tensors stay as they are"


def test_tables_and_lists_are_arrays() -> None:
    table = pd.DataFrame({"a": [1, 2, 3], "b": [0.5, 0.25, 0.0]})
    ((x, y),) = MatrixBatchGenerator(table, pd.Series([0, 1, 0]))
    assert x.shape == (3, 2)
    assert y.dtype == np.int64
    ((x, y),) = MatrixBatchGenerator([[1, 2], [3, 4]], [0, 1])
    assert x.tolist() == [[1, 2], [3, 4]]
    assert y.tolist() == [0, 1]


def test_what_cannot_be_batches_is_refused() -> None:
    with pytest.raises(ValueError, match="X has 3, Y has 4"):
        MatrixBatchGenerator(np.ones(3), np.ones(4))
    with pytest.raises(ValueError, match=r"X\.a has 3, X\.b has 2"):
        MatrixBatchGenerator({"a": np.ones(3), "b": np.ones(2)})
    with pytest.raises(ValueError, match="must be numbers"):
        MatrixBatchGenerator(np.array(["a", None], dtype=object))
    with pytest.raises(ValueError, match="must be numbers"):
        MatrixBatchGenerator(np.array(["a", "b"]))
    with pytest.raises(ValueError, match="batch_size is 0"):
        MatrixBatchGenerator(np.ones(3), batch_size=0)
    with pytest.raises(ValueError, match=r"reverse_complement is 1\.5"):
        MatrixBatchGenerator(np.ones(3), reverse_complement=1.5)
    for buffer in (0, -5):
        with pytest.raises(ValueError, match=f"shuffle_buffer is {buffer}, but must be at least"):
            H5pyBatchGenerator("x.h5", shuffle=True, shuffle_buffer=buffer)
    with pytest.raises(ValueError, match="memory is 0, but must be at least 1 byte"):
        H5pyBatchGenerator("x.h5", memory=0)


def test_subclasses_work() -> None:
    class Own(MatrixBatchGenerator):
        def __init__(self, n: int) -> None:
            super().__init__(np.arange(n)[:, None], np.arange(n), batch_size=2)

        def prepare(self, x: Any, y: Any) -> Any:
            x, y = super().prepare(x, y)
            return x * 10, y

    class Iterating(MatrixBatchGenerator):
        def __iter__(self) -> Any:
            for x, y in super().__iter__():
                yield {"x": x}, y

    assert [b[0][0, 0] for b in Own(4)] == [0, 20]
    assert [set(b[0]) for b in Iterating(np.ones((4, 1)), np.ones(4), 2)] == [{"x"}, {"x"}]


# Reverse complements


def test_reverse_complement_turns_rows_and_positions_around() -> None:
    rng = np.random.default_rng(0)
    x = np.eye(4, dtype=np.int8)[rng.integers(0, 4, (30, 9))].transpose(0, 2, 1)[:, :, None, :]
    always = MatrixBatchGenerator(x, np.arange(30), batch_size=8, reverse_complement=1.0)
    found = np.concatenate([b[0] for b in always])
    assert np.array_equal(found, x[:, ::-1, :, ::-1])
    assert np.array_equal(np.concatenate([b[1] for b in always]), np.arange(30))
    some = MatrixBatchGenerator(torch.from_numpy(x), batch_size=8, reverse_complement=0.5)
    torch.manual_seed(1)
    first, second = (torch.cat(list(some)).numpy() for _ in range(2))
    turned = (first != x).any((1, 2, 3))
    assert 5 < turned.sum() < 25
    assert np.array_equal(first[turned], x[turned][:, ::-1, :, ::-1])
    assert not np.array_equal(first, second), "each pass draws anew"


# H5pyBatchGenerator


def test_hdf5_files_are_joined_in_natural_order_and_kept_in_their_dtype(folder: Path) -> None:
    loader = H5pyBatchGenerator(str(folder / "part*.h5"), batch_size=300)
    batches = list(loader)
    assert np.array_equal(np.concatenate([numbers(b[0]) for b in batches]), np.arange(ROWS))
    assert all(b[0].dtype == np.float32 and b[1].dtype == np.int64 for b in batches)
    assert batches[0][1].shape == (300, 1)
    data, label = loader.source.load()
    assert data.dtype == label.dtype == np.int8


def test_the_dtype_in_memory_is_the_files(folder: Path, tmp_path: Path) -> None:
    for dtype in ("int8", "float16", "float64"):
        with h5py.File(tmp_path / "x.h5", "w") as file:
            file["data"] = np.ones((4, 2), dtype)
            file["label"] = np.ones(4, dtype)
        loader = H5pyBatchGenerator(str(tmp_path / "x.h5"))
        ((x, y),) = loader
        assert loader.source.load()[0].dtype == dtype
        assert x.dtype == np.float32
        assert y.dtype == (np.int64 if dtype == "int8" else np.float32)


@pytest.mark.parametrize("shuffle_buffer", [None, 256, 300, 512])
@pytest.mark.parametrize("batch_size", [1000, 100, 64, 7, None])
def test_streamed_batches_are_those_of_memory(
    folder: Path, batch_size: int | None, shuffle_buffer: int | None
) -> None:
    row = 3
    memory = 1600 * row if shuffle_buffer else ROWS * row * 3
    for shuffle in (True, False):
        options: dict[str, Any] = {"batch_size": batch_size, "shuffle": shuffle}
        options["shuffle_buffer"] = shuffle_buffer
        glob = str(folder / "part*.h5")
        held = H5pyBatchGenerator(glob, **options)
        streamed = H5pyBatchGenerator(glob, memory=memory, **options)
        if shuffle_buffer is None:
            streamed.source.streamed = True  # as if rows were larger
        assert streamed.source.streamed
        assert not held.source.streamed
        wanted, found = passes(held, 5, 2), passes(streamed, 5, 2)
        assert all(same(p, q) for p, q in zip(wanted, found, strict=True))
        orders = [np.concatenate([numbers(b[0]) for b in p]) for p in wanted]
        assert all(sorted(o) == list(range(ROWS)) for o in orders)
        assert np.array_equal(orders[0], orders[1]) != shuffle


def test_streaming_with_drop_last_and_augmentation(folder: Path) -> None:
    glob = str(folder / "part*.h5")
    for options in ({"drop_last": True}, {"process_x_y": lambda x, y: (x + 1, y[:, 0])}):
        held = H5pyBatchGenerator(glob, 64, True, shuffle_buffer=256, **options)
        streamed = H5pyBatchGenerator(glob, 64, True, shuffle_buffer=256, memory=4000, **options)
        assert streamed.source.streamed
        assert len(held) == len(passes(held, 1)[0]) == len(passes(streamed, 1)[0])
        assert same(passes(held, 1)[0], passes(streamed, 1)[0])


def test_without_shuffling_little_memory_needs_no_setting(folder: Path) -> None:
    loader = H5pyBatchGenerator(str(folder / "part*.h5"), batch_size=100, memory=3000)
    assert loader.source.streamed
    assert np.array_equal(np.concatenate([numbers(b[0]) for b in loader]), np.arange(ROWS))


def test_a_pass_that_is_left_early_leaves_nothing_behind(folder: Path) -> None:
    import threading

    loader = H5pyBatchGenerator(str(folder / "part*.h5"), 10, True, shuffle_buffer=256, memory=4000)
    wanted = passes(loader, 2)[0]
    for _ in range(3):
        next(iter(loader))
    assert same(passes(loader, 2)[0], wanted)
    assert not [t for t in threading.enumerate() if t.name == "hdf5-reader"]


def test_process_x_y_maps_converted_batches(folder: Path) -> None:
    seen = []

    def process(x: Any, y: Any) -> Any:
        seen.append((x.dtype, y.dtype, x.shape))
        return {"digits": x}, y[:, 0] % 2

    loader = H5pyBatchGenerator(str(folder / "part2.h5"), process_x_y=process)
    ((x, y),) = loader
    assert seen == [(np.float32, np.int64, (1, 2))]
    assert numbers(x["digits"]).tolist() == [700]
    assert y.shape == (1,)


def test_a_file_without_labels_gives_inputs_alone(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "new.h5", "w") as file:
        file["data"] = np.ones((5, 2), np.int8)
    (x,) = H5pyBatchGenerator(str(tmp_path / "new.h5"))
    assert x.shape == (5, 2)
    (x,) = H5pyBatchGenerator(str(tmp_path / "new.h5"), process_x_y=lambda x, y: (x * 2, y))
    assert x.max() == 2


def test_labels_can_be_left_out(folder: Path) -> None:
    first = next(iter(H5pyBatchGenerator(str(folder / "part1.h5"), 10, labels=False)))
    assert first.shape == (10, 2)


def test_pieces_of_a_whole_set_are_converted_one_by_one(folder: Path) -> None:
    loader = H5pyBatchGenerator(str(folder / "part*.h5"), shuffle=True, drop_last=True)
    (whole,) = passes(loader, 1)[0]
    torch.manual_seed(1)
    pieces = list(loader.in_pieces(256))
    assert [len(p[0]) for p in pieces] == [256] * 7 + [208]
    assert np.array_equal(np.concatenate([p[0] for p in pieces]), whole[0])
    sized = H5pyBatchGenerator(str(folder / "part*.h5"), batch_size=700)
    assert [len(p[0]) for p in sized.in_pieces(256)] == [700, 700, 600]


def test_an_empty_file_has_no_batches(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "empty.h5", "w") as file:
        file["data"] = np.ones((0, 2), np.int8)
        file["label"] = np.ones(0, np.int8)
    for shuffle in (True, False):
        loader = H5pyBatchGenerator(str(tmp_path / "empty.h5"), 10, shuffle)
        assert len(loader) == 0
        assert list(loader) == []
    assert list(MatrixBatchGenerator(np.ones((0, 2)), np.ones(0), 10, shuffle=True)) == []


def test_the_module_has_the_documented_names() -> None:
    assert issubclass(batch_generator.MatrixBatchGenerator, batch_generator.BatchGenerator)
    assert issubclass(batch_generator.H5pyBatchGenerator, batch_generator.BatchGenerator)
