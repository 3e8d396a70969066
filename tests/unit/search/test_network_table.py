"""The table of a network's tensors: what a state holds, written and read back."""

from __future__ import annotations

from pathlib import Path

import torch

from dlutil_core.search.network_table import read_network, weights_of, write_network


def test_shapes_are_written_and_read_back(tmp_path: Path) -> None:
    network = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))
    weights = weights_of({"weights": network.state_dict(), "mine": 3})
    write_network(tmp_path / "network.csv", weights)
    lines = (tmp_path / "network.csv").read_text().splitlines()
    assert lines[:2] == ["name,shape,values,trained", "0.weight,2x3,6,1"]
    assert lines[-1] == "1.num_batches_tracked,,1,0"
    assert read_network(tmp_path / "network.csv") == weights
    assert sum(w.values for w in weights if w.trained) == 3 * 2 + 2 + 2 + 2


def test_state_without_weights_is_an_empty_table(tmp_path: Path) -> None:
    write_network(tmp_path / "network.csv", weights_of({"mine": torch.zeros(2)}))
    assert read_network(tmp_path / "network.csv") == []
