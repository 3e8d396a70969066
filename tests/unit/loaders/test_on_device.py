"""Tables held on the device: the same batches, bit for bit, as iterating and moving each batch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from torch import nn

from dlutil_core.base_model import RegressionModel
from dlutil_core.batch_generator import H5pyBatchGenerator, MatrixBatchGenerator
from dlutil_core.common.errors import UserError
from dlutil_core.common.nested import tree_leaves
from dlutil_core.loaders import on_device

CPU = torch.device("cpu")
DEVICES = ["cpu"] + (["cuda"] if torch.cuda.is_available() else [])


class Model(RegressionModel):
    """Five inputs, one output, in a precision of choice."""

    def init_model(self) -> None:  # type: ignore[override]
        network = nn.Sequential(nn.Linear(5, 1), nn.Flatten(0)).to(self.config.get("dtype"))
        super().init_model(network, torch.optim.SGD(network.parameters(), lr=0.01))


class ByHand(MatrixBatchGenerator):
    """The same batches, but a subclass with something of its own: never held on a device."""

    def prepare(self, x: Any, y: Any) -> Any:
        return super().prepare(x, y)


class H5ByHand(H5pyBatchGenerator):
    def prepare(self, x: Any, y: Any) -> Any:
        return super().prepare(x, y)


def moved(loader: Any, dtype: torch.dtype, device: str = "cpu", piece: int | None = None) -> list:
    """What a model makes of a loader's batches, and of the random numbers after them."""
    model = Model({"dtype": dtype}, device=device)
    torch.manual_seed(5)
    batches = on_device.batches(loader, model.device, model.dtype, piece)
    if loader.has_labels:
        found = [model.batch_to_device(batch) for batch in batches]
    else:
        found = [model.to_device(batch) for batch in batches]
    return [*found, torch.rand(3)]


def assert_same(a: list[Any], b: list[Any]) -> None:
    assert len(a) == len(b)
    for p, q in zip(a, b, strict=True):
        for (name, left), (other, right) in zip(tree_leaves(p), tree_leaves(q), strict=True):
            assert (name, left.dtype, left.device) == (other, right.dtype, right.device)
            assert torch.equal(left, right)


def tables(dtype: str) -> tuple[Any, Any]:
    x = (np.random.default_rng(0).random((50, 5)) * 9).astype(dtype)
    return x, x[:, 0].copy()


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("network", [torch.float32, torch.float64])
@pytest.mark.parametrize("dtype", ["float32", "float16", "float64", "uint8", "int64", "bool"])
def test_batches_have_the_same_bits(dtype: str, network: torch.dtype, device: str) -> None:
    x, y = tables(dtype)
    for options in (
        {"batch_size": 7, "shuffle": True},
        {"batch_size": 7, "drop_last": True},
        {"batch_size": None, "shuffle": True},
        {"batch_size": None},
    ):
        plain, other = MatrixBatchGenerator(x, y, **options), ByHand(x, y, **options)
        assert on_device._table_of(plain, torch.device(device), network) is not None
        assert on_device._table_of(other, torch.device(device), network) is None
        for piece in (None, 20):
            expected = moved(other, network, device, piece)
            assert_same(moved(plain, network, device, piece), expected)


@pytest.mark.parametrize("device", DEVICES)
def test_hdf5_files_too(tmp_path: Path, device: str) -> None:
    x, y = tables("float64")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["data"], file["label"] = x, (y * 3).astype(np.int16)
    for options in ({"shuffle": True, "batch_size": 8}, {"labels": False}):
        path = str(tmp_path / "a.h5")
        plain, other = H5pyBatchGenerator(path, **options), H5ByHand(path, **options)
        assert on_device._table_of(plain, torch.device(device), torch.float32) is not None
        expected = moved(other, torch.float32, device)
        assert_same(moved(plain, torch.float32, device), expected)


@pytest.mark.parametrize("device", DEVICES)
def test_sequences_of_several_inputs_are_augmented_alike(device: str) -> None:
    onehot = np.eye(4, dtype=np.uint8)[np.random.default_rng(1).integers(0, 4, (30, 9))]
    dna = onehot.transpose(0, 2, 1)
    other = torch.from_numpy(dna[:, :, :2].copy()), torch.rand(30, 3)
    x = {"dna": dna, "other": other}
    y = (np.arange(30), torch.arange(30.0, dtype=torch.float64))
    options = {"batch_size": 4, "shuffle": True, "reverse_complement": 0.5}
    expected = moved(ByHand(x, y, **options), torch.float32, device)
    assert_same(moved(MatrixBatchGenerator(x, y, **options), torch.float32, device), expected)


def test_training_ends_in_the_same_bits() -> None:
    x, y = tables("float32")
    weights = []
    for kind in (MatrixBatchGenerator, ByHand):
        torch.manual_seed(1)
        model = Model({})
        rows = model.fit(kind(x, y, 6, shuffle=True), kind(x, y), epochs=3, seed=4)
        weights.append((model.network[0].weight.detach().clone(), rows))
    assert torch.equal(weights[0][0], weights[1][0])
    assert weights[0][1] == weights[1][1]


def test_what_is_done_to_a_batch_does_not_change_the_data() -> None:
    x, y = tables("float32")
    kept = x.copy()
    for kind in (MatrixBatchGenerator, ByHand):
        for options in ({}, {"shuffle": True}, {"batch_size": 10}):
            for batch_x, batch_y in on_device.batches(kind(x, y, **options), CPU, torch.float32):
                batch_x *= 0
                batch_y *= 0
    assert np.array_equal(x, kept)
    assert np.array_equal(y, kept[:, 0])


def test_arrays_that_were_exchanged_are_noticed() -> None:
    x, y = tables("float32")
    loader = MatrixBatchGenerator(x, y)
    first = moved(loader, torch.float32)
    loader.X = x + 1
    assert torch.equal(moved(loader, torch.float32)[0][0], first[0][0] + 1)


def test_the_data_goes_to_a_device_once() -> None:
    x, y = tables("uint8")
    loader = MatrixBatchGenerator(x, y, batch_size=10, shuffle=True)
    meta = torch.device("meta")
    found = list(on_device.batches(loader, meta, torch.float32))
    assert [(b[0].device, b[0].dtype, tuple(b[0].shape)) for b in found] == 5 * [
        (meta, torch.float32, (10, 5))
    ]
    assert all(b[1].dtype == torch.int64 for b in found)
    table = on_device._table_of(loader, meta, torch.float32)
    assert table.x.values.dtype == torch.uint8, "held as it is stored"
    list(on_device.batches(loader, meta, torch.float32))
    assert on_device._table_of(loader, meta, torch.float32) is table


@pytest.mark.parametrize("kind", ["memmap", "big-endian", "uint16", "tensor"])
def test_arrays_of_unusual_kinds(kind: str, tmp_path: Path) -> None:
    x, y = tables("float32")
    if kind == "memmap":
        np.save(tmp_path / "x.npy", x)
        values: Any = np.load(tmp_path / "x.npy", mmap_mode="r")
    else:
        values = {
            "big-endian": x.astype(">f4"),
            "uint16": x.astype(np.uint16),
            "tensor": torch.from_numpy(x),
        }[kind]
    options = {"batch_size": 7, "shuffle": True}
    expected = moved(ByHand(values, y, **options), torch.float32)
    assert_same(moved(MatrixBatchGenerator(values, y, **options), torch.float32), expected)


def test_other_loaders_are_iterated_over() -> None:
    batches = [(np.ones((2, 5)), np.ones(2))]
    assert on_device.batches(batches, CPU, torch.float32) is batches


@pytest.mark.parametrize(
    "x,y,told",
    [
        ([[1.0], [1e39]], [0, 1], "the inputs hold 1e[+]39, which is larger than float32 holds"),
        ([[1.0], [2.0]], [0.0, -1e39], "the labels hold -1e[+]39, which is larger than float32"),
        ([[1.0], [2.0]], np.uint64([1, 2**63]), "the labels hold 9223372036854775808, .* int64"),
    ],
)
def test_numbers_that_the_models_types_do_not_hold_are_refused(tmp_path, x, y, told):
    with pytest.raises(UserError, match=told):
        list(MatrixBatchGenerator(np.array(x), np.array(y)))
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["data"], file["label"] = np.array(x), np.array(y)
    with pytest.raises(UserError, match=told):
        list(H5pyBatchGenerator(str(path)))
    with pytest.raises(UserError, match=told):
        list(on_device.batches(H5pyBatchGenerator(str(path)), CPU, torch.float32))
