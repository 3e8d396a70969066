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
from dlutil_core.loaders.hdf5 import Hdf5Source, matching_files, read_classes

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


def write_parts(folder: Path, rows: int = 5) -> dict[str, h5py.VirtualLayout]:
    """Two files of rows 1 and 2, and the layout of a virtual dataset over them."""
    folder.mkdir()
    layout = h5py.VirtualLayout((2 * rows, 3), "float32")
    for i in range(2):
        with h5py.File(folder / f"{i}.h5", "w") as file:
            file["data"] = np.full((rows, 3), i + 1, np.float32)
        source = h5py.VirtualSource(str(folder / f"{i}.h5"), "data", (rows, 3))
        layout[rows * i : rows * (i + 1)] = source
    return layout


def virtual_file(tmp_path: Path, layout: h5py.VirtualLayout) -> str:
    with h5py.File(tmp_path / "v.h5", "w") as file:
        file.create_virtual_dataset("data", layout)
    return str(tmp_path / "v.h5")


def test_a_virtual_dataset_is_read_while_its_sources_are_there(tmp_path: Path) -> None:
    path = virtual_file(tmp_path, write_parts(tmp_path / "parts"))
    assert Hdf5Source(path, None, MEMORY).load()[0][:, 0].tolist() == [1] * 5 + [2] * 5
    (tmp_path / "parts/1.h5").rename(tmp_path / "parts/moved.h5")
    with pytest.raises(UserError, match=r"v\.h5: 'data' is virtual.*1\.h5 is missing"):
        Hdf5Source(path, None, MEMORY)


def test_virtual_sources_that_lack_something(tmp_path: Path) -> None:
    path = virtual_file(tmp_path, write_parts(tmp_path / "parts"))
    second = tmp_path / "parts/1.h5"
    for rows, name, words in ((3, "data", "shape"), (5, "other", "is not in")):
        with h5py.File(second, "w") as file:
            file[name] = np.ones((rows, 3), np.float32)
        with pytest.raises(UserError, match=rf"v\.h5: 'data' is virtual.*{words}"):
            Hdf5Source(path, None, MEMORY)
    second.write_bytes(b"no HDF5")
    with pytest.raises(UserError, match="cannot be read"):
        Hdf5Source(path, None, MEMORY)


def test_a_virtual_dataset_with_a_gap_is_refused(tmp_path: Path) -> None:
    write_parts(tmp_path / "parts")
    layout = h5py.VirtualLayout((12, 3), "float32")
    layout[:5] = h5py.VirtualSource("parts/0.h5", "data", (5, 3))
    with pytest.raises(UserError, match="21 of its 36 values come from no source"):
        Hdf5Source(virtual_file(tmp_path, layout), None, MEMORY)


def test_virtual_over_virtual_is_followed(tmp_path: Path) -> None:
    inner = Path(virtual_file(tmp_path, write_parts(tmp_path / "parts")))
    inner.rename(tmp_path / "inner.h5")
    layout = h5py.VirtualLayout((10, 3), "float32")
    layout[:] = h5py.VirtualSource("inner.h5", "data", (10, 3))
    path = virtual_file(tmp_path, layout)
    assert Hdf5Source(path, None, MEMORY).rows == 10
    (tmp_path / "parts/0.h5").unlink()
    with pytest.raises(UserError, match=r"inner\.h5.*0\.h5 is missing"):
        Hdf5Source(path, None, MEMORY)


def test_external_raw_storage_is_refused(tmp_path: Path) -> None:
    (tmp_path / "raw").write_bytes(bytes(60))
    with h5py.File(tmp_path / "t.h5", "w") as file:
        file.create_dataset("data", (10, 6), "u1", external=[(str(tmp_path / "raw"), 0, 60)])
    with pytest.raises(UserError, match=r"kept outside the file, in .*raw"):
        Hdf5Source(str(tmp_path / "t.h5"), None, MEMORY)


def test_links_that_lead_nowhere_are_refused_and_others_followed(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "real.h5", "w") as file:
        file["group/x"] = np.ones((4, 2))
    with h5py.File(tmp_path / "t.h5", "w") as file:
        file["data"] = h5py.ExternalLink("real.h5", "group/x")
        file["label"] = h5py.SoftLink("/gone")
        file["deep"] = h5py.ExternalLink("real.h5", "group")
    path = str(tmp_path / "t.h5")
    assert Hdf5Source(path, False, MEMORY).rows == 4
    assert Hdf5Source(path, False, MEMORY, data="deep/x").rows == 4
    with pytest.raises(UserError, match="'label' is a link to /gone"):
        Hdf5Source(path, None, MEMORY)
    (tmp_path / "real.h5").unlink()
    for data in ("data", "deep/x"):
        with pytest.raises(UserError, match=r"is a link to .* of real\.h5, which is not there"):
            Hdf5Source(path, False, MEMORY, data=data)


def test_other_names_of_datasets(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "t.h5", "w") as file:
        file["train/x"], file["y_train"] = np.arange(8).reshape(4, 2), np.arange(4)
    path = str(tmp_path / "t.h5")
    generator = H5pyBatchGenerator(path, None, False, None, None, "train/x", "y_train")
    [(x, y)] = list(generator)
    assert x[:, 0].tolist() == [0, 2, 4, 6] and y.tolist() == [0, 1, 2, 3]
    [x] = list(H5pyBatchGenerator(path, labels=False, data="train/x"))
    assert x.shape == (4, 2)
    with pytest.raises(UserError, match=r"no dataset 'data', only 'train', 'y_train'.*data='x_"):
        H5pyBatchGenerator(path)
    with pytest.raises(UserError, match="no dataset 'y', which is needed"):
        H5pyBatchGenerator(path, labels=True, data="train/x", label="y")
    with pytest.raises(UserError, match="labels is 'y_train'"):
        H5pyBatchGenerator(path, labels="y_train", data="train/x")  # type: ignore[arg-type]
    with pytest.raises(UserError, match="'train/x' has 4 samples but 'z' has 3"):
        with h5py.File(path, "a") as file:
            file["z"] = np.arange(3)
        H5pyBatchGenerator(path, data="train/x", label="z")


def test_lists_and_generators_of_paths(tmp_path: Path) -> None:
    for name, value in (("b", 2), ("a", 1), ("c10", 10), ("c9", 9)):
        write(tmp_path / f"{name}.h5", data=np.full((1, 1), value))
    paths = [tmp_path / "b.h5", str(tmp_path / "c*.h5"), tmp_path / "a.h5"]
    for given in (paths, tuple(paths), (p for p in paths)):
        assert Hdf5Source(given, None, MEMORY).load()[0].ravel().tolist() == [2, 9, 10, 1]
    for given, words in (
        ([], "list of files is empty"),
        ([paths[0], paths[0]], "named twice"),
        ([3], "3: is no path"),
        (b"a.h5", "is no path"),
        (tmp_path, "is a folder"),
        ([tmp_path / "z.h5"], r"z\.h5: no file matches"),
    ):
        with pytest.raises(UserError, match=words):
            Hdf5Source(given, None, MEMORY)  # type: ignore[arg-type]


@pytest.mark.parametrize("folder", ["run [1]", "[a]/b", "x*?"])
def test_brackets_in_the_name_of_a_folder_are_no_glob(tmp_path: Path, folder: str) -> None:
    (tmp_path / folder).mkdir(parents=True)
    for i in (1, 2, 10):
        write(tmp_path / folder / f"train[1].h5.batch{i}", data=np.full((1, 1), i))
    for pattern in ("train*batch*", "train[1].h5.batch*", "train[[]1].h5.batch*"):
        found = Hdf5Source(str(tmp_path / folder / pattern), None, MEMORY)
        assert found.load()[0].ravel().tolist() == [1, 2, 10]


def test_names_of_classes_are_read(tmp_path: Path) -> None:
    for name, classes in (("a", ["x", "é"]), ("b", ["x", "é"]), ("c", ["x", "y"]), ("d", None)):
        with h5py.File(tmp_path / f"{name}.h5", "w") as file:
            file["data"], file["label"] = np.ones((2, 1)), np.array([[0], [1]])
            if classes:
                file.attrs["classes"] = np.array(classes, h5py.string_dtype())
    path = str(tmp_path)
    assert H5pyBatchGenerator([f"{path}/a.h5", f"{path}/d.h5"]).class_names == ["x", "é"]
    assert read_classes(f"{path}/a.h5") == ["x", "é"] and read_classes(f"{path}/d.h5") is None
    with pytest.raises(UserError, match=r"c\.h5: its classes are x, y, but in .*a\.h5"):
        H5pyBatchGenerator(f"{path}/*.h5")
