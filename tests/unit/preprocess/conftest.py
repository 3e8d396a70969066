"""Small raw files, and a run of the preprocessing on them."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin  # noqa: F401
import numpy as np
import pytest

from dlutil_core.common.errors import UserError
from dlutil_core.preprocess.pipeline import preprocess


class Bench:
    """A folder of raw files and what preprocessing makes of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / "data"

    def write(self, name: str, text: str | bytes) -> str:
        """Write a raw file, packed if its name ends in .gz; return its path."""
        path = self.folder / name
        raw = text.encode() if isinstance(text, str) else text
        path.write_bytes(gzip.compress(raw, mtime=0) if name.endswith(".gz") else raw)
        return str(path)

    def run(self, section: dict[str, Any], seed: int = 1) -> dict[str, dict[str, np.ndarray]]:
        """Preprocess; return the arrays of each set."""
        preprocess(section, self.data, seed)
        return {path.stem: self.arrays(path) for path in sorted(self.data.glob("*.h5"))}

    def arrays(self, path: Path) -> dict[str, np.ndarray]:
        with h5py.File(path) as file:
            return {key: file[key][:] for key in file}

    def statistics(self, name: str) -> dict[str, Any]:
        return json.loads((self.data / f"{name}.stats.json").read_text())

    def refused(self, section: dict[str, Any], *words: str) -> str:
        """Preprocess what must be refused in one sentence with these words, leaving no file."""
        before = sorted(self.data.iterdir()) if self.data.exists() else []
        with pytest.raises(UserError) as caught:
            preprocess(section, self.data, 1)
        sentence = str(caught.value)
        assert "\n" not in sentence
        for word in words:
            assert word in sentence, sentence
        left = sorted(self.data.iterdir()) if self.data.exists() else []
        assert left == before, f"a partial output stays behind: {left}"
        return sentence


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.fixture
def onehot() -> Callable[[list[str]], np.ndarray]:
    """The reference's encoding: a dictionary lookup for each letter, then transposed."""
    rows = dict(zip("ACGT", np.eye(4), strict=True)) | {"N": np.zeros(4)}

    def encode(sequences: list[str]) -> np.ndarray:
        return np.array(
            [[[column] for column in np.array([rows[c] for c in s]).T] for s in sequences]
        )

    return encode
