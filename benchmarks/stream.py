"""Sets larger than memory: speed of a convolution's training streamed and in memory; peak memory.

    python benchmarks/stream.py [--quick] [--rounds 8] [--seconds 120]

Both contestants train on the same files with the same seed, in turn, and end in the same weights.
Streamed means a memory limit of a tenth of the set. Peak memory is the growth of the resident
memory of a process of its own while it trains on 200 MB under a limit of 20 MB.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import harness

harness.use_repository()

import h5py  # noqa: E402
import hdf5plugin  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402
from torch import nn, optim  # noqa: E402
from train import BATCH, Convolution  # noqa: E402

from dlutil_core.base_model import (  # noqa: E402
    ClassificationModel,
    ConvClassificationNetwork,
)
from dlutil_core.batch_generator import H5pyBatchGenerator  # noqa: E402

LENGTH = 101
ROW_BYTES = 4 * LENGTH + 1
CHUNK = 512
"""Rows of a chunk: what preprocessing writes for sequences of this length."""


def write(path: Path, megabytes: float) -> int:
    """One-hot sequences with labels as preprocessing writes them; returns their number."""
    rows = int(megabytes * 1e6) // ROW_BYTES
    generator = np.random.default_rng(1)
    blosc = hdf5plugin.Blosc(cname="lz4", clevel=5, shuffle=hdf5plugin.Blosc.BITSHUFFLE)
    with h5py.File(path, "w") as file:
        shape = (rows, 4, 1, LENGTH)
        data = file.create_dataset("data", shape, "u1", chunks=(CHUNK, *shape[1:]), **blosc)
        file["label"] = generator.integers(0, 2, rows, dtype=np.uint8)
        onehot = np.eye(4, dtype=np.uint8)
        for start in range(0, rows, 10 * CHUNK):
            letters = generator.integers(0, 4, (min(10 * CHUNK, rows - start), 1, LENGTH))
            data[start : start + len(letters)] = onehot[letters].transpose(0, 3, 1, 2)
    return rows


def training(path: Path, memory: float, buffer: int) -> tuple[Any, Callable[[], object]]:
    """A convolution, and an epoch of it."""
    torch.manual_seed(1)
    model = Convolution({})
    loader = H5pyBatchGenerator(
        str(path), BATCH, shuffle=True, memory=int(memory * 1e6), shuffle_buffer=buffer
    )
    return model, lambda: model.fit(loader)


def speed(path: Path, megabytes: float, rounds: int, seconds: float) -> None:
    """Race streamed against in memory."""
    rows = write(path, megabytes)
    buffer = int(megabytes / 10 * 1e6) // 3 // ROW_BYTES // 256 * 256
    held, in_memory = training(path, 100 * megabytes, buffer)
    read, streamed = training(path, megabytes / 10, buffer)
    everyone = [
        harness.Contestant("in memory", in_memory, rows),
        harness.Contestant("streamed", streamed, rows),
    ]
    rounds = harness.race(everyone, rounds, seconds)
    print(f"convolution 128x24, {megabytes:g} MB, {rows:,} samples, {rounds} rounds")
    harness.print_speeds(everyone, everyone[0], "samples/s")
    ratios = harness.speed_ratios(everyone[1], everyone[0])
    harness.goal("streamed, of the speed in memory", ratios, 0.7, at_least=True)
    same = all(
        torch.equal(a, b)
        for a, b in zip(held.network.parameters(), read.network.parameters(), strict=True)
    )
    print(f"the weights of both are {'equal to the last bit' if same else 'NOT equal'}")


class Light(ClassificationModel):
    """So small a network that reading decides."""

    def init_model(self) -> None:  # type: ignore[override]
        network = ConvClassificationNetwork(nn.AvgPool2d((1, LENGTH)), nn.Linear(4, 2))
        super().init_model(network, optim.SGD(network.parameters(), lr=0.01))

    def get_hyperband_reward(self, result: Any) -> float:
        return -float(result["train_loss"])


def resident(field: str) -> float:
    """MB that this process has now (`VmRSS`) or had at most (`VmHWM`)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) * 1024 / 1e6
    raise SystemExit("the peak memory of a process is told by Linux alone")


def child(path: str, warm: str, memory: float, buffer: int) -> None:
    """In a process of its own: the growth of memory, and the seconds of an epoch."""
    torch.set_num_threads(1)
    model = Light({})
    for name in (warm, path):  # a first pass over a small set brings in what code needs
        loader = H5pyBatchGenerator(
            name, BATCH, shuffle=True, memory=int(memory * 1e6), shuffle_buffer=buffer
        )
        Path("/proc/self/clear_refs").write_text("5")  # the peak so far is forgotten
        before = resident("VmRSS")
        model.fit(loader)
        grown = resident("VmHWM") - before
    print(f"{grown:.2f}")


def peak(folder: Path, megabytes: float, limit: float) -> None:
    """Train on a set that is ten times the limit and tell how memory grew."""
    path, warm = folder / "large.h5", folder / "small.h5"
    rows = write(path, megabytes)
    write(warm, 1)
    buffer = int(limit * 1e6) // 3 // ROW_BYTES // 256 * 256
    held = []
    for memory in (limit, 2 * megabytes):
        arguments = [str(path), str(warm), str(memory), str(buffer)]
        command = [sys.executable, __file__, "--child", *arguments]
        held.append(float(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout))
    print(
        f"\n{megabytes:g} MB, {rows:,} samples, memory limit {limit:g} MB, {buffer:,} in a buffer"
    )
    harness.goal("streamed: growth of resident memory, MB", held[:1], limit, at_least=False)
    print(f"in memory: {held[1]:.0f} MB")


def main() -> None:
    parser = harness.parser(__doc__, rounds=8, seconds=120)
    parser.add_argument("--child", nargs=4, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        path, warm, memory, buffer = arguments.child
        child(path, warm, float(memory), int(buffer))
        return
    harness.print_versions("torch", "h5py", "hdf5plugin")
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(prefix="dlutil-benchmark-") as name:
        megabytes = 4 if arguments.quick else 16
        seconds = 15 if arguments.quick else arguments.seconds
        speed(Path(name) / "set.h5", megabytes, arguments.rounds, seconds)
        peak(Path(name), megabytes=200, limit=20)


if __name__ == "__main__":
    main()
