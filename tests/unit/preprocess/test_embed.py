"""scripts/embed_h5.py: the reference's arguments, alone, from any folder."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import h5py
import hdf5plugin  # noqa: F401
import numpy as np
import pytest

REPOSITORY = Path(__file__).resolve().parents[3]
SCRIPT = REPOSITORY / "scripts" / "embed_h5.py"
CHIP = REPOSITORY.parent / "shared" / "data" / "chip_seq"


def embed(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(SCRIPT), *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def read(folder: Path, pattern: str, data: str = "data", label: str = "label"):
    files = sorted(folder.glob(pattern), key=lambda f: int(f.name.partition("batch")[2] or 0))
    arrays = []
    for path in files:
        with h5py.File(path) as file:
            arrays.append((file[data][:], file[label][:]))
    return [f.name for f in files], *(np.concatenate(part) for part in zip(*arrays, strict=True))


@pytest.fixture
def raw(tmp_path: Path) -> list[str]:
    generator = np.random.default_rng(1)
    sequences = ["".join(row) for row in generator.choice(list("ACGTN"), (53, 12))]
    (tmp_path / "a.fa").write_text("".join(f">s{i}\n{s}\n" for i, s in enumerate(sequences)))
    (tmp_path / "a.tsv").write_text("".join(f">s{i} {s}\n" for i, s in enumerate(sequences)))
    (tmp_path / "a.target").write_text("".join(f"{i % 2}\t{i / 2}\n" for i in range(53)))
    return sequences


@pytest.mark.parametrize("infile", ["a.fa", "a.tsv"])
def test_batches_hold_the_reference_encoding(tmp_path, raw, onehot, infile):
    done = embed(tmp_path, infile, "a.target", "out.h5", "-b", "10")
    assert done.returncode == 0, done.stderr
    names, data, label = read(tmp_path, "out.h5.batch*")
    assert names == [f"out.h5.batch{i}" for i in range(1, 7)]
    assert data.shape == (53, 4, 1, 12) and np.array_equal(data, onehot(raw))
    assert np.array_equal(label, [[i % 2, i / 2] for i in range(53)])


def test_labels_may_be_left_out(tmp_path, raw, onehot):
    done = embed(tmp_path, "-b", "0", "a.fa", "out.h5")
    assert done.returncode == 0, done.stderr
    with h5py.File(tmp_path / "out.h5") as file:
        assert np.array_equal(file["data"][:], onehot(raw)) and "label" not in file


def test_fewer_batches_take_the_place_of_more(tmp_path, raw):
    (tmp_path / "out.h5.batchX").write_text("not ours")
    assert embed(tmp_path, "a.fa", "a.target", "out.h5", "-b", "10").returncode == 0
    assert embed(tmp_path, "a.fa", "a.target", "out.h5", "--batch", "30").returncode == 0
    assert sorted(f.name for f in tmp_path.glob("out*")) == [
        "out.h5.batch1",
        "out.h5.batch2",
        "out.h5.batchX",
    ]
    (tmp_path / "out.h5.batchX").unlink()
    assert len(read(tmp_path, "out.h5.batch*")[1]) == 53


def test_five_thousand_a_file_unless_told_otherwise(tmp_path):
    (tmp_path / "a.fa").write_text(">s\nACGT\n" * 5001)
    (tmp_path / "a.target").write_text("1\n" * 5000 + "0.5\n")
    assert embed(tmp_path, "a.fa", "a.target", "x.h5").returncode == 0
    names, _, _ = read(tmp_path, "x.h5.batch*")
    assert names == ["x.h5.batch1", "x.h5.batch2"]
    with h5py.File(tmp_path / "x.h5.batch1") as file:
        assert len(file["data"]) == 5000 and file["label"].dtype == np.float32


def test_one_file_names_mapper_and_pairs(tmp_path, raw, onehot):
    (tmp_path / "map.tsv").write_text("A\t1\t0\nC\t0\t1\nG\t1\t1\nT\t0\t0\nN\t0\t0\n")
    arguments = [
        "a.fa",
        "a.target",
        "o.h5",
        "-b",
        "0",
        "-m",
        "map.tsv",
        "-i",
        "a.tsv",
        "-l",
        "y",
        "-d",
        "x",
        "-s",
        "Y",
    ]
    assert embed(tmp_path, *arguments).returncode == 0
    _, data, label = read(tmp_path, "o.h5", "x", "y")
    both = onehot(raw)[:, [0, 1]] + onehot(raw)[:, [2]]
    both[:, 1] = onehot(raw)[:, 1] + onehot(raw)[:, 2]
    assert data.shape == (53, 2, 2, 12)
    assert np.array_equal(data[:, :, :1], both) and np.array_equal(data[:, :, 1:], both)
    assert label.shape == (53, 2)


def test_numbers_instead_of_sequences(tmp_path):
    (tmp_path / "x.txt").write_text("1 2 3\n4 5 6.5\n")
    (tmp_path / "y.txt").write_text("1\n0\n")
    assert embed(tmp_path, "x.txt", "y.txt", "o.h5", "-b", "0", "-s", "N").returncode == 0
    _, data, label = read(tmp_path, "o.h5")
    assert data.tolist() == [[[[1, 2, 3]]], [[[4, 5, 6.5]]]] and label.tolist() == [[1], [0]]


def test_a_wrong_letter_leaves_no_batch(tmp_path, raw):
    with (tmp_path / "a.fa").open("a") as file:
        file.write(">bad\nACGTACGTACGQ\n")
    with (tmp_path / "a.target").open("a") as file:
        file.write("1\t1\n")
    done = embed(tmp_path, "a.fa", "a.target", "out.h5", "-b", "10")
    assert done.returncode == 1
    assert "record 54 (bad)" in done.stderr and "Traceback" not in done.stderr
    assert not list(tmp_path.glob("*out.h5*"))


@pytest.mark.skipif(not CHIP.is_dir(), reason="the ChIP-seq data is not beside the repository")
def test_the_documented_loop_on_real_peaks(tmp_path, onehot):
    loop = f"""
    for dtype in train valid test
    do
        paste - - -d' ' < {CHIP}/$dtype.fa > tmp.tsv
        {sys.executable} {SCRIPT} tmp.tsv {CHIP}/$dtype.target $dtype.h5 || exit 1
    done
    """
    subprocess.run(["bash", "-c", loop], cwd=tmp_path, check=True, capture_output=True)
    for name in ("train", "valid", "test"):
        _, data, label = read(tmp_path, f"{name}.h5.batch*")
        lines = (CHIP / f"{name}.fa").read_text().split()
        assert np.array_equal(data, onehot(lines[1::2]))
        assert np.array_equal(label, np.loadtxt(CHIP / f"{name}.target", ndmin=2))
