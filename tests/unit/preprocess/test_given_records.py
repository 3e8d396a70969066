"""Texts and data frames for a trained model become the arrays that files of them become."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin  # noqa: F401  (registers the filters that files are written with)
import numpy as np
import pandas as pd
import pytest

from dlutil_core.common.errors import UserError
from dlutil_core.preprocess.kept_encoding import SEQUENCES, KeptEncoding
from dlutil_core.preprocess.new_records import NewRecords

FIRSTS, SECONDS = ["ACGTAC", "GGA", "ttgac"], ["TTTTTTTT", "CA", "GATTACA"]


def kept(height: int = 1, **more: Any) -> KeptEncoding:
    options = {"ambiguous": "error", "length": "pad", "align": "left"}
    options |= {"window": None, "center": "summit", "outside": "error"}  # type: ignore[dict-item]
    options |= {"reverse_complement": more.pop("reverse_complement", "none")}
    shape = (4, height, 8)
    return KeptEncoding(SEQUENCES, shape, 8, "ACGT", options=options, **more)


def fasta(path: Path, texts: list[str]) -> str:
    path.write_text("".join(f">r{k}\n{text}\n" for k, text in enumerate(texts)))
    return str(path)


def data(path: str | Path) -> np.ndarray:
    with h5py.File(path) as file:
        return np.asarray(file["data"][:])


@pytest.mark.parametrize("strands", ["none", "all"])
def test_texts_become_what_a_file_of_them_becomes(tmp_path: Path, strands: str) -> None:
    records = NewRecords(kept(reverse_complement=strands))
    wanted = data(records.prepare(fasta(tmp_path / "a.fa", FIRSTS), tmp_path))
    records.write(FIRSTS, tmp_path / "texts.h5")
    assert np.array_equal(data(tmp_path / "texts.h5"), wanted)
    assert len(wanted) == (3 if strands == "none" else 6)


def test_two_lists_and_two_columns_are_pairs(tmp_path: Path) -> None:
    second = fasta(tmp_path / "b.fa", SECONDS)
    records = NewRecords(kept(2), paired=second)
    wanted = data(records.prepare(fasta(tmp_path / "a.fa", FIRSTS), tmp_path))
    frame = pd.DataFrame({"x": FIRSTS, "y": SECONDS})
    for columns in ({"sequence": "x", "paired": "y"}, {"sequence": 1, "paired": 2}):
        NewRecords(kept(2, columns=columns)).write(frame, tmp_path / "frame.h5")
        assert np.array_equal(data(tmp_path / "frame.h5"), wanted)
    for given in ([FIRSTS, SECONDS], (pd.Series(FIRSTS), np.array(SECONDS))):
        NewRecords(kept(2)).write(given, tmp_path / "lists.h5")
        assert np.array_equal(data(tmp_path / "lists.h5"), wanted)
    with_columns = NewRecords(kept(2, columns={"sequence": "x", "paired": "y"}))
    with_columns.write([FIRSTS, SECONDS], tmp_path / "lists.h5")
    assert np.array_equal(data(tmp_path / "lists.h5"), wanted)
    wrong: list[tuple[Any, str]] = [
        (FIRSTS, r"takes pairs of sequences, .* are 1 lists; give \[firsts, seconds\]"),
        ([FIRSTS, SECONDS[:2]], "have 3 and 2 sequences; give equally many"),
        (frame, "pairs of two files; give"),
        ([frame, frame], "one data frame, not a list"),
    ]
    for given, sentence in wrong:
        with pytest.raises(UserError, match=sentence):
            NewRecords(kept(2)).write(given, tmp_path / "wrong.h5")


def test_summits_of_a_frame_and_windows_that_training_left_out(tmp_path: Path) -> None:
    genome = tmp_path / "genome.fa"
    genome.write_text(">chr1\n" + "ACGTTGCAGG" * 5 + "\n")
    sha256 = hashlib.sha256(genome.read_bytes()).hexdigest()
    encoding = kept(genome={"name": "genome.fa", "sha256": sha256})
    options = dict(encoding.options or {}) | {"window": 8, "outside": "drop"}
    records = NewRecords(replace(encoding, options=options), str(genome))
    frame = pd.DataFrame({"chrom": "chr1", "start": [10, 20], "end": 40, "peak": [3, 9]})
    lines = [f"chr1\t{s}\t40\tp\t0\t.\t1.5\t-1\t-1\t{at}\n" for s, at in ((10, 3), (20, 9))]
    (tmp_path / "peaks.narrowPeak").write_text("".join(lines))
    wanted = data(records.prepare(str(tmp_path / "peaks.narrowPeak"), tmp_path))
    records.write(frame, tmp_path / "frame.h5")
    assert np.array_equal(data(tmp_path / "frame.h5"), wanted)
    with pytest.raises(UserError, match=r"row 2 \(chr1:0-2\) makes a window past .* remove"):
        frame = pd.DataFrame({"chrom": "chr1", "start": [10, 0], "end": [40, 2]})
        records.write(frame, tmp_path / "wrong.h5")
