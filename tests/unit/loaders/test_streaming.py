"""Sets larger than memory: the same training as in memory, within the limit, from any process."""

from __future__ import annotations

import multiprocessing
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from torch import nn

from dlutil_core.base_model import RegressionModel
from dlutil_core.loaders.generators import BLOCK, H5pyBatchGenerator

ROWS, WIDTH = 5000, 12


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Two compressed files, whose chunks are no blocks; each label is its row's number."""
    folder = tmp_path_factory.mktemp("large")
    generator = np.random.default_rng(0)
    for name, start, stop in (("a1", 0, 1777), ("a2", 1777, ROWS)):
        with h5py.File(folder / f"{name}.h5", "w") as file:
            data = generator.integers(0, 9, (stop - start, WIDTH), dtype=np.uint8)
            file.create_dataset("data", data=data, chunks=(100, WIDTH), compression="gzip")
            file.create_dataset("label", data=np.arange(start, stop, dtype=np.float32))
    return str(folder / "a*.h5")


def loader(files: str, memory: int, buffer: int = 600, **options: Any) -> H5pyBatchGenerator:
    settings = {"batch_size": 64, "shuffle": True} | options
    return H5pyBatchGenerator(files, memory=memory, shuffle_buffer=buffer, **settings)


LITTLE = 3 * 768 * (WIDTH + 4)
"""Bytes that three shuffle buffers take: a third of the set."""


class Model(RegressionModel):
    def init_model(self) -> None:  # type: ignore[override]
        network = nn.Sequential(nn.Linear(WIDTH, 3), nn.Dropout(0.1), nn.Linear(3, 1))
        network.append(nn.Flatten(0))
        super().init_model(network, torch.optim.Adam(network.parameters()))


def test_training_is_the_same_streamed_and_in_memory(files: str) -> None:
    found = []
    for memory in (LITTLE, 10**9):
        torch.manual_seed(1)
        model, data = Model({}), loader(files, memory)
        assert data.source.streamed == (memory == LITTLE)
        rows = model.fit(data, loader(files, memory, shuffle=False), epochs=2, seed=3)
        found.append(([w.clone() for w in model.network.parameters()], rows))
    assert all(torch.equal(a, b) for a, b in zip(found[0][0], found[1][0], strict=True))
    assert found[0][1] == found[1][1]


@pytest.mark.parametrize("batch_size", [1, 255, 256, 768, 1000, 4999, None])
def test_batches_of_any_size_are_kept_apart(files: str, batch_size: int | None) -> None:
    kept = []
    for memory in (LITTLE, 10**9):
        torch.manual_seed(2)
        kept.append(list(loader(files, memory, batch_size=batch_size)))
    assert len(kept[0]) == len(kept[1])
    for (x, y), (other_x, other_y) in zip(*kept, strict=True):
        assert np.array_equal(x, other_x)
        assert np.array_equal(y, other_y)
    labels = np.concatenate([y for _, y in kept[0]])
    assert np.array_equal(np.sort(labels), np.arange(ROWS))


def test_the_order_depends_on_seed_and_buffer_alone(files: str) -> None:
    def order(seed: int, memory: int, buffer: int) -> np.ndarray:
        torch.manual_seed(seed)
        return np.concatenate([y for _, y in loader(files, memory, buffer)])

    first = order(1, LITTLE, 600)
    assert np.array_equal(first, order(1, 2 * LITTLE // 3 * 2, 600))
    assert np.array_equal(first, order(1, 10**9, 600))
    assert not np.array_equal(first, order(2, LITTLE, 600))
    assert not np.array_equal(first, order(1, 10**9, 1200))
    moved = np.abs(first - np.arange(ROWS))
    assert np.median(moved) > BLOCK, "blocks of the whole set come in any order"


def test_the_reader_ends_with_the_pass(files: str) -> None:
    def readers() -> list[threading.Thread]:
        return [t for t in threading.enumerate() if t.name == "hdf5-reader"]

    for wanted in (0, 1, 30):
        passing = iter(loader(files, LITTLE))
        for _ in range(wanted):
            next(passing)
        assert len(readers()) == bool(wanted)
        passing.close()
        assert not readers()
    with pytest.raises(RuntimeError, match="stopped here"):
        for _ in loader(files, LITTLE):
            raise RuntimeError("stopped here")
    assert not readers()
    data = loader(files, LITTLE)
    list(data)
    assert not readers()


def totals(data: H5pyBatchGenerator, seed: int, queue: Any) -> None:
    torch.manual_seed(seed)
    queue.put((seed, [float(y.sum()) for _, y in data]))


def test_forked_processes_read_beside_each_other(files: str) -> None:
    data = loader(files, LITTLE)
    next(iter(data))  # handles are open here
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    running = [context.Process(target=totals, args=(data, seed, queue)) for seed in (1, 2, 3)]
    for process in running:
        process.start()
    told = dict(queue.get(timeout=60) for _ in running)
    for process in running:
        process.join(60)
    for seed in (1, 2, 3):
        torch.manual_seed(seed)
        assert told[seed] == [float(y.sum()) for _, y in data]


PEAK = """
import sys
from pathlib import Path
import numpy as np
from dlutil_core.batch_generator import H5pyBatchGenerator

def now(field):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))

small, large, memory, buffer = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
for path in (small, large):  # the first pass brings in what code needs
    data = H5pyBatchGenerator(path, 100, shuffle=True, memory=memory, shuffle_buffer=buffer)
    Path("/proc/self/clear_refs").write_text("5")
    before = now("VmRSS")
    total = sum(len(y) for _, y in data)
    grown = now("VmHWM") - before
print(total, grown, data.source.streamed)
"""


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="Linux tells peak memory")
def test_peak_memory_stays_within_the_limit(tmp_path: Path) -> None:
    width, limit = 1000, 20_000_000
    rows = {"small": 20_000, "large": 200_000}
    for name, count in rows.items():
        with h5py.File(tmp_path / f"{name}.h5", "w") as file:
            options = {"chunks": (256, width), "compression": "lzf"}
            file.create_dataset("data", (count, width), "u1", fillvalue=1, **options)
            file["label"] = np.zeros(count, np.uint8)
            for start in range(0, count, 10_000):
                file["data"][start : start + 10_000] = 2
    buffer = limit // 3 // (width + 1) // BLOCK * BLOCK
    paths = [str(tmp_path / f"{name}.h5") for name in rows]
    command = [sys.executable, "-c", PEAK, *paths, str(limit), str(buffer)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    total, grown, streamed = done.stdout.split()
    assert (int(total), streamed) == (rows["large"], "True")
    assert int(grown) <= limit
