"""HDF5 files as one table: what is wrong with a file is a sentence that names it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from dlutil_core.batch_generator import H5pyBatchGenerator
from dlutil_core.common.errors import UserError
from dlutil_core.loaders.hdf5 import Hdf5Source, matching_files

MEMORY = 2**20


def write(path: Path, **datasets: Any) -> Path:
    with h5py.File(path, "w") as file:
        for name, values in datasets.items():
            file[name] = values
    return path


def refused(path: Path | str, *pieces: str, labels: bool | None = None) -> None:
    with pytest.raises(UserError) as caught:
        Hdf5Source(str(path), labels, MEMORY)
    text = str(caught.value)
    assert "\n" not in text
    for piece in pieces:
        assert piece in text, text


def test_files_of_a_glob_come_in_natural_order(tmp_path: Path) -> None:
    for name in ("a.batch10", "a.batch2", "a.batch1", "b.batch3"):
        write(tmp_path / name, data=np.ones((1, 2)))
    (tmp_path / "a.batch5").mkdir()
    found = [os.path.basename(f) for f in matching_files(str(tmp_path / "a.batch*"))]
    assert found == ["a.batch1", "a.batch2", "a.batch10"]


def test_a_name_with_characters_of_globs_is_a_name(tmp_path: Path) -> None:
    path = write(tmp_path / "set[1].h5", data=np.ones((3, 2)))
    assert Hdf5Source(str(path), None, MEMORY).rows == 3


def test_files_that_are_missing_or_none(tmp_path: Path) -> None:
    refused(tmp_path / "none.h5", "none.h5", "no file matches", "check")
    (tmp_path / "empty.h5").write_bytes(b"")
    refused(tmp_path / "empty.h5", "empty.h5", "empty")
    (tmp_path / "text.h5").write_text("1,2,3\n" * 1000)
    refused(tmp_path / "text.h5", "text.h5", "not a readable HDF5 file")
    whole = write(tmp_path / "cut.h5", data=np.ones((100, 20)))
    whole.write_bytes(whole.read_bytes()[:3000])
    refused(tmp_path / "cut.h5", "cut.h5", "not a readable HDF5 file")


def test_datasets_that_are_missing_or_wrong(tmp_path: Path) -> None:
    refused(write(tmp_path / "a.h5", x=np.ones(3)), "a.h5", "no dataset 'data'", "'x'")
    refused(write(tmp_path / "b.h5"), "b.h5", "no dataset 'data'", "nothing")
    wrong = write(tmp_path / "c.h5", data=np.ones((5, 2)), label=np.ones(4))
    refused(wrong, "c.h5", "'data' has 5 samples", "'label' has 4")
    refused(write(tmp_path / "d.h5", data=3.0), "d.h5", "'data'", "single value")
    with h5py.File(tmp_path / "e.h5", "w") as file:
        file.create_group("data")["x"] = np.ones(3)
    refused(tmp_path / "e.h5", "e.h5", "'data'", "group")
    refused(write(tmp_path / "f.h5", data=["ACGT", "ACGA"]), "f.h5", "'data'", "texts", "numbers")
    unlabelled = write(tmp_path / "g.h5", data=np.ones((5, 2)), label=[b"a"] * 5)
    refused(unlabelled, "g.h5", "'label'", "texts")
    assert Hdf5Source(str(unlabelled), False, MEMORY).rows == 5


def test_labels_are_needed_where_they_are_asked_for(tmp_path: Path) -> None:
    write(tmp_path / "x1.h5", data=np.ones((5, 2)), label=np.ones(5))
    path = write(tmp_path / "x2.h5", data=np.ones((5, 2)))
    refused(path, "x2.h5", "no dataset 'label'", "except to predict", labels=True)
    refused(tmp_path / "x*.h5", "x2.h5", "no dataset 'label'")
    assert not Hdf5Source(str(path), None, MEMORY).has_labels


def test_files_read_together_must_agree(tmp_path: Path) -> None:
    write(tmp_path / "x1.h5", data=np.ones((5, 2)), label=np.ones(5))
    write(tmp_path / "x2.h5", data=np.ones((5, 3)), label=np.ones(5))
    refused(tmp_path / "x*.h5", "x2.h5", "'data' has shape (3,)", "x1.h5", "(2,)")
    write(tmp_path / "x2.h5", data=np.ones((5, 2)), label=np.ones((5, 1)))
    refused(tmp_path / "x*.h5", "x2.h5", "'label' has shape (1,)", "()")


def test_files_of_several_dtypes_lose_nothing(tmp_path: Path) -> None:
    write(tmp_path / "x1.h5", data=np.ones((4, 2), np.int8), label=np.zeros(4, np.int8))
    write(tmp_path / "x2.h5", data=np.full((4, 2), 300.5, np.float32), label=np.full(4, 1000))
    for memory in (MEMORY, 60):
        loader = H5pyBatchGenerator(str(tmp_path / "x*.h5"), memory=memory)
        ((x, y),) = loader
        assert loader.source.streamed == (memory == 60)
        assert x[:, 0].tolist() == [1] * 4 + [300.5] * 4
        assert y.tolist() == [0] * 4 + [1000] * 4


def test_a_damaged_chunk_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    with h5py.File(path, "w") as file:
        data = np.random.default_rng(0).integers(0, 99, (1000, 20)).astype(np.int8)
        file.create_dataset("data", data=data, chunks=(100, 20), compression="gzip")
        place = file["data"].id.get_chunk_info(5).byte_offset
    damaged = bytearray(path.read_bytes())
    damaged[place : place + 60] = bytes(60)
    path.write_bytes(damaged)
    with pytest.raises(UserError, match=r"x\.h5: rows 0 to 1000 cannot be read.*write it again"):
        Hdf5Source(str(path), None, MEMORY).load()


def test_a_shuffle_buffer_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "x.h5", data=np.ones((1000, 2), np.int8))
    with pytest.raises(UserError, match=r"x\.h5.*lower shuffle_buffer or raise memory"):
        H5pyBatchGenerator(str(path), 10, shuffle=True, memory=1000)


def test_handles_are_not_shared_with_a_forked_process(tmp_path: Path) -> None:
    path = write(tmp_path / "x.h5", data=np.arange(2000, dtype=np.int16).reshape(1000, 2))
    loader = H5pyBatchGenerator(str(path), 100, memory=100)
    wanted = [b.copy() for b in loader]
    child = os.fork()
    if not child:
        same = all(np.array_equal(a, b) for a, b in zip(wanted, loader, strict=True))
        os._exit(0 if same else 1)
    again = list(loader)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert all(np.array_equal(a, b) for a, b in zip(wanted, again, strict=True))
