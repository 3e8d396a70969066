from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from dlutil_core.common.hash_memory import HashMemory
from dlutil_core.common.reads import ABSENT, FILE
from dlutil_core.definition.opened_files import OpenedFiles


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenedFiles]:
    monkeypatch.chdir(tmp_path)
    found = OpenedFiles()
    yield found
    found.stop()


def names(opened: OpenedFiles, kind: str = FILE) -> list[str]:
    reads = opened.reads(HashMemory(Path("..", "memory.json")))
    found = [os.path.relpath(r.path) for r in reads if r.kind == kind]
    return [name for name in found if not name.startswith("..")]  # Libraries not installed.


def write_hdf5(path: str, **datasets: Any) -> None:
    Path(path).parent.mkdir(exist_ok=True)
    with h5py.File(path, "w") as file:
        for name, values in datasets.items():
            file[name] = values


def test_hdf5(opened: OpenedFiles) -> None:
    write_hdf5("a.h5", x=np.arange(3))
    write_hdf5("b.h5", x=np.arange(3))
    opened.start()
    h5py.File("a.h5").close()
    h5py.File(b"b.h5", "r+").close()
    with h5py.File("made.h5", "a") as made:
        made["x"] = 1
    with pytest.raises(FileNotFoundError):
        h5py.File("gone.h5")
    assert names(opened) == ["a.h5", "b.h5"]
    assert names(opened, ABSENT) == ["gone.h5"]


def test_hdf5_through_a_python_file(opened: OpenedFiles) -> None:
    write_hdf5("a.h5", x=np.arange(3))
    opened.start()
    with open("a.h5", "rb") as file:
        h5py.File(file).close()
    assert (names(opened), names(opened, ABSENT)) == (["a.h5"], [])


def test_files_that_hdf5_points_to(opened: OpenedFiles) -> None:
    write_hdf5("sources/one.h5", x=np.arange(3))
    write_hdf5("sources/two.h5", x=np.arange(3))
    Path("raw.bin").write_bytes(bytes(24))
    layout = h5py.VirtualLayout((6,), "i8")
    layout[:3] = h5py.VirtualSource("sources/one.h5", "x", (3,))
    layout[3:] = h5py.VirtualSource("sources/gone.h5", "x", (3,))
    with h5py.File("virtual.h5", "w") as file:
        file.create_virtual_dataset("deep/v", layout)
    with h5py.File("linking.h5", "w") as file:
        file["group/link"] = h5py.ExternalLink("virtual.h5", "deep/v")
        file["other"] = h5py.ExternalLink(str(Path("sources/two.h5").resolve()), "x")
        file["self"] = h5py.ExternalLink("linking.h5", "other")
        file.create_dataset("raw", (3,), "i8", external=[("raw.bin", 0, 24)])
    opened.start()
    h5py.File("linking.h5").close()
    expected = ["linking.h5", "raw.bin", "sources/one.h5", "sources/two.h5", "virtual.h5"]
    assert names(opened) == expected
    assert names(opened, ABSENT) == ["sources/gone.h5"]


def test_hdf5_in_parts(opened: OpenedFiles) -> None:
    with h5py.File("part-%d.h5", "w", driver="family", memb_size=2**12) as file:
        file["x"] = np.arange(2**10)
    opened.start()
    h5py.File("part-%d.h5", driver="family", memb_size=2**12).close()
    assert names(opened)[:2] == ["part-0.h5", "part-1.h5"]


class Files:
    """A dataset whose items are files."""

    def __init__(self, *names: str) -> None:
        self.names = names

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, i: int) -> int:
        if self.names[i].endswith(".h5"):
            with h5py.File(self.names[i]) as file:
                return len(file)
        return len(Path(self.names[i]).read_text())


@pytest.mark.parametrize("how", ["fork", "spawn"])
def test_workers_of_a_loader(how: str, opened: OpenedFiles) -> None:
    from torch.utils.data import DataLoader

    write_hdf5("a.h5", x=1)
    Path("b.txt").write_text("b")
    opened.start()
    loader = DataLoader(Files("a.h5", "b.txt"), num_workers=1, multiprocessing_context=how)
    assert len(list(loader)) == 2
    assert names(opened) == ["a.h5", "b.txt"]


def test_torch(opened: OpenedFiles) -> None:
    import torch

    torch.save({"x": torch.zeros(3)}, "a.pt")
    Path("b.bin").write_bytes(bytes(12))
    Path("c.bin").write_bytes(bytes(12))
    torch.jit.script(torch.nn.Linear(1, 1)).save("d.pt")
    opened.start()
    torch.load("a.pt", mmap=True)
    torch.from_file("b.bin", size=3)
    torch.UntypedStorage.from_file("c.bin", False, 12)
    torch.jit.load("d.pt")
    torch.save(1, "made.pt")
    torch.load("made.pt")
    assert names(opened) == ["a.pt", "b.bin", "c.bin", "d.pt"]


def test_safetensors(opened: OpenedFiles) -> None:
    safetensors = pytest.importorskip("safetensors")
    from safetensors.numpy import load_file, save_file

    save_file({"x": np.zeros(3)}, "a.st")
    save_file({"x": np.zeros(3)}, "b.st")
    opened.start()
    with safetensors.safe_open("a.st", framework="np") as file:
        assert file.keys() == ["x"]
    load_file("b.st")
    assert names(opened) == ["a.st", "b.st"]


def pandas_ways() -> list[Callable[[Any], object]]:
    return [
        lambda pandas: pandas.read_csv("t.csv"),
        lambda pandas: pandas.read_csv(Path("t.csv"), engine="python"),
        lambda pandas: pandas.read_csv("t.csv", memory_map=True),
        lambda pandas: pandas.read_table("t.csv"),
    ]


@pytest.mark.parametrize("way", pandas_ways())
def test_pandas(way: Callable[[Any], object], opened: OpenedFiles) -> None:
    pandas = pytest.importorskip("pandas")
    Path("t.csv").write_text("a,b\n1,2\n")
    opened.start()
    way(pandas)
    assert names(opened) == ["t.csv"]


def test_arrow(opened: OpenedFiles) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    pytest.importorskip("pyarrow.csv")
    pytest.importorskip("pyarrow.parquet")
    table = pyarrow.table({"x": [1]})
    for name in ("a", "b", "c", "folder/d", "folder/e"):
        Path(name).parent.mkdir(exist_ok=True)
        pyarrow.parquet.write_table(table, f"{name}.parquet")
    Path("t.csv").write_text("a,b\n1,2\n")
    opened.start()
    pyarrow.parquet.read_table("a.parquet")
    assert isinstance(pyarrow.memory_map("b.parquet"), pyarrow.MemoryMappedFile)
    pyarrow.parquet.ParquetFile("c.parquet")
    pyarrow.csv.read_csv("t.csv")
    pyarrow.parquet.read_table("folder")
    expected = ["a.parquet", "b.parquet", "c.parquet", "folder/d.parquet", "folder/e.parquet"]
    assert names(opened) == [*expected, "t.csv"]


def write_fasta(path: str) -> None:
    Path(path).write_text(">chr1\nACGT\n")
    Path(path + ".fai").write_text("chr1\t4\t6\t4\t5\n")


def test_pyfaidx(opened: OpenedFiles) -> None:
    pyfaidx = pytest.importorskip("pyfaidx")
    write_fasta("a.fa")
    os.utime("a.fa", (1, 1))
    opened.start()
    assert str(pyfaidx.Fasta("a.fa")["chr1"][:2]) == "AC"
    assert names(opened) == ["a.fa", "a.fa.fai"]


def test_pysam(opened: OpenedFiles) -> None:
    pysam = pytest.importorskip("pysam")
    write_fasta("a.fa")
    Path("new.fa").write_text(">chr1\nACGT\n")
    with pysam.AlignmentFile("a.bam", "wb", header={"SQ": [{"SN": "chr1", "LN": 9}]}):
        pass
    pysam.index("a.bam")
    Path("b.bed").write_text("chr1\t1\t2\n")
    pysam.tabix_index("b.bed", preset="bed", keep_original=True)
    opened.start()
    file = pysam.FastaFile("a.fa")
    assert isinstance(file, pysam.FastaFile) and file.fetch("chr1") == "ACGT"
    pysam.FastaFile(filename="new.fa")
    with pysam.AlignmentFile("a.bam") as bam:
        assert not list(bam.fetch("chr1"))
    assert len(list(pysam.TabixFile("b.bed.gz").fetch())) == 1
    expected = ["a.bam", "a.bam.bai", "a.fa", "a.fa.fai", "b.bed.gz", "b.bed.gz.tbi", "new.fa"]
    assert names(opened) == expected


def test_bigwig(opened: OpenedFiles) -> None:
    bigwig = pytest.importorskip("pyBigWig")
    with bigwig.open("a.bw", "w") as made:
        made.addHeader([("chr1", 9)])
        made.addEntries(["chr1"], [0], ends=[5], values=[1.0])
    opened.start()
    bigwig.open("a.bw").close()
    assert names(opened) == ["a.bw"]


def test_a_library_that_comes_later(opened: OpenedFiles) -> None:
    """And in a started process, where nothing of the library was there before."""
    write_hdf5("a.h5", x=1)
    opened.start()
    code = "import h5py; h5py.File('a.h5').close(); assert h5py.__spec__.loader.exec_module"
    subprocess.run([sys.executable, "-c", code], check=True)
    assert names(opened) == ["a.h5"]
