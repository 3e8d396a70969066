"""Checkpoints: whole and unchanged, or refused; equal content gives equal bytes."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from dlutil_core.common.errors import UserError
from dlutil_core.model.checkpoint import (
    DamagedCheckpoint,
    canonical,
    content_hash,
    read_checkpoint,
    write_checkpoint,
)

ROOT = Path(__file__).resolve().parents[3]

MAKE = """
import torch
from torch import nn

def state():
    torch.manual_seed(0)
    torch.set_num_threads(1)
    network = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 1))
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    for _ in range(3):
        optimizer.zero_grad()
        network(torch.randn(5, 6)).sum().backward()
        optimizer.step()
    history = [{"epoch": e, "val_loss": 1 / e, "train_loss": float("nan")} for e in (1, 2)]
    return {"weights": network.state_dict(), "optimizer": optimizer.state_dict(),
            "history": history, "best": None, "name": "é", "flags": (True, 3)}
"""


def state() -> dict[str, Any]:
    space: dict[str, Any] = {}
    exec(MAKE, space)
    made: dict[str, Any] = space["state"]()
    return made


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("checkpoint") / "at-3.pt"
    write_checkpoint(path, state())
    return path


def test_what_is_written_is_read(written: Path) -> None:
    content = read_checkpoint(written)
    assert content_hash(content) == content_hash(canonical(state()))
    network = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 1))
    network.load_state_dict(content["weights"])
    assert content["flags"] == (True, 3)
    assert np.isnan(content["history"][0]["train_loss"])


def test_torch_reads_it_with_weights_only(written: Path) -> None:
    assert "weights" in torch.load(written, weights_only=True)


def test_equal_content_gives_equal_bytes_under_any_name_in_any_process(
    written: Path, tmp_path: Path
) -> None:
    write_checkpoint(tmp_path / "another-name.pt", state())
    # Tensors that share memory, texts that are equal but not the same, other containers.
    shared = state()
    shared["weights"] = dict(shared["weights"])
    shared["name"] = "".join(["é"])
    write_checkpoint(tmp_path / "shared.pt", shared)
    code = MAKE + (
        "import sys\nfrom dlutil_core.model.checkpoint import write_checkpoint\n"
        "write_checkpoint(sys.argv[1], state())\n"
    )
    for hash_seed in ("1",):
        subprocess.run(
            [sys.executable, "-c", code, str(tmp_path / f"{hash_seed}.pt")],
            cwd=ROOT,
            env={"PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT), "HOME": str(tmp_path)},
            check=True,
        )
    hashes = {hashlib.sha256(p.read_bytes()).hexdigest() for p in tmp_path.glob("*.pt")}
    assert len(list(tmp_path.glob("*.pt"))) == 3
    assert hashes == {hashlib.sha256(written.read_bytes()).hexdigest()}


def test_a_truncated_file_is_refused(written: Path, tmp_path: Path) -> None:
    data = written.read_bytes()
    damaged = tmp_path / "damaged.pt"
    for part in range(50):
        damaged.write_bytes(data[: len(data) * part // 50])
        with pytest.raises(DamagedCheckpoint, match=r"damaged\.pt: "):
            read_checkpoint(damaged)
    damaged.write_bytes(data[:-1])
    with pytest.raises(DamagedCheckpoint):
        read_checkpoint(damaged)


def test_a_flipped_bit_is_refused_or_harmless(written: Path, tmp_path: Path) -> None:
    data = written.read_bytes()
    wanted = content_hash(read_checkpoint(written))
    damaged = tmp_path / "damaged.pt"
    refused = 0
    for part in range(50):
        for offset in (0, 7):
            place = min(len(data) * part // 50 + offset, len(data) - 1)
            flipped = bytearray(data)
            flipped[place] ^= 1 << (part % 8)
            damaged.write_bytes(flipped)
            try:
                content = read_checkpoint(damaged)
            except DamagedCheckpoint:
                refused += 1
            else:  # a bit of the archive's padding, say: what is read is what was written
                assert content_hash(content) == wanted
    assert refused > 20


def test_a_flipped_bit_of_a_weight_is_refused(written: Path, tmp_path: Path) -> None:
    data = written.read_bytes()
    weight = read_checkpoint(written)["weights"]["0.weight"].numpy().tobytes()
    place = data.index(weight)
    for bit in range(8):
        flipped = bytearray(data)
        flipped[place + 40] ^= 1 << bit
        (tmp_path / "damaged.pt").write_bytes(flipped)
        with pytest.raises(DamagedCheckpoint):
            read_checkpoint(tmp_path / "damaged.pt")


def test_foreign_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "foreign.pt"
    with pytest.raises(DamagedCheckpoint, match="there is no such file"):
        read_checkpoint(path)
    for data in (b"", b"\0" * 1000, b"PK\x03\x04 not a zip", b"epoch,loss\n1,2\n"):
        path.write_bytes(data)
        with pytest.raises(DamagedCheckpoint, match="not a readable checkpoint"):
            read_checkpoint(path)
    torch.save({"weights": torch.ones(3)}, path)
    with pytest.raises(DamagedCheckpoint, match="not a checkpoint of dlutil"):
        read_checkpoint(path)
    torch.save({"weights": torch.ones(3), "sha256": "0" * 64}, path)
    with pytest.raises(DamagedCheckpoint, match="does not match its checksum"):
        read_checkpoint(path)
    torch.save(nn.Linear(2, 2), path)  # code, which is never executed
    with pytest.raises(DamagedCheckpoint, match="not a readable checkpoint"):
        read_checkpoint(path)


def test_every_kind_of_tensor_and_scalar(tmp_path: Path) -> None:
    kinds = {
        "bf16": torch.ones(3, dtype=torch.bfloat16),
        "bool": torch.tensor([True, False]),
        "scalar": torch.tensor(3.0),
        "empty": torch.zeros(0, 4),
        "transposed": torch.arange(6.0).reshape(2, 3).T,
        "channels_last": torch.randn(2, 3, 4, 4).to(memory_format=torch.channels_last),
        "numpy": np.arange(3.0),
        "numpy_scalar": np.float64(0.1),
        3: None,
    }
    write_checkpoint(tmp_path / "x.pt", kinds)
    found = read_checkpoint(tmp_path / "x.pt")
    assert torch.equal(found["transposed"], kinds["transposed"])  # type: ignore[index]
    assert torch.equal(found["channels_last"], kinds["channels_last"])  # type: ignore[index]
    assert found["numpy_scalar"] == 0.1
    assert type(found["numpy_scalar"]) is float
    assert found["empty"].shape == (0, 4)
    assert found[3] is None


def test_content_that_a_checkpoint_cannot_hold_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"save\(\) returned function.*return tensors"):
        write_checkpoint(tmp_path / "x.pt", {"f": test_foreign_files_are_refused})
    assert list(tmp_path.iterdir()) == []


def test_different_content_has_different_hashes() -> None:
    values: list[Any] = [
        {"a": 1},
        {"a": 1.0},
        {"a": True},
        {"a": "1"},
        {"a": [1]},
        {"a": (1,)},
        {"a": torch.tensor(1)},
        {"a": torch.tensor([1])},
        {"a": torch.tensor(1.0)},
        {"a": None},
        {"a": 0.0},
        {"a": -0.0},
    ]
    assert len({content_hash(canonical(v)) for v in values}) == len(values)
