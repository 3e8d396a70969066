"""Every form of raw file gives the same arrays as a plain reading of it."""

from __future__ import annotations

import gzip
import random

import h5py
import numpy as np
import pytest


def random_sequences(count: int, length: int, letters: str = "ACGTN", seed: int = 1) -> list[str]:
    generator = random.Random(seed)
    return ["".join(generator.choices(letters, k=length)) for _ in range(count)]


def fasta(sequences: list[str], width: int = 0) -> str:
    def body(s: str) -> str:
        return "\n".join(s[i : i + width] for i in range(0, len(s), width)) if width else s

    return "".join(f">chr1:{i}-{i + 10} record {i}\n{body(s)}\n" for i, s in enumerate(sequences))


def names(count: int) -> list[bytes]:
    return [b"chr1:%d-%d record %d" % (i, i + 10, i) for i in range(count)]


def test_fasta_equals_the_reference_encoding(bench, onehot):
    sequences = random_sequences(300, 40)
    made = bench.run({"predict": {"new": {"sequences": bench.write("a.fa", fasta(sequences))}}})
    assert made["new"]["data"].dtype == np.uint8
    assert np.array_equal(made["new"]["data"], onehot(sequences))
    assert made["new"]["name"].tolist() == names(300)
    assert "label" not in made["new"]


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace("\n", "\r"),
        lambda text: "\ufeff" + text,
        lambda text: text.rstrip("\n"),
        lambda text: "\n\n" + text + "\n\n",
        lambda text: text.replace("\n>", " \t\n\n>"),
        lambda text: "".join(
            line if line[0] == ">" else line.lower() for line in text.splitlines(True)
        ),
    ],
    ids=["crlf", "cr", "mark", "no-last-newline", "blank-lines", "trailing-blanks", "lower-case"],
)
@pytest.mark.parametrize("width", [0, 7], ids=["one-line", "many-lines"])
@pytest.mark.parametrize("name", ["a.fa", "a.fa.gz"])
def test_fasta_in_any_dress(bench, onehot, change, width, name):
    sequences = random_sequences(50, 30)
    path = bench.write(name, change(fasta(sequences, width)))
    made = bench.run({"predict": {"new": {"sequences": path}}})["new"]
    assert np.array_equal(made["data"], onehot(sequences))
    assert made["name"].tolist() == names(50)


def test_block_bounds_do_not_matter(bench, onehot, monkeypatch):
    from dlutil_core.preprocess.read import text_files

    sequences = random_sequences(60, 33)
    path = bench.write("a.fa", fasta(sequences, 10))
    targets = bench.write("a.target", "".join(f"{i}.5 -{i}\n" for i in range(60)))
    for size in (1, 2, 3, 17, 64, 1000):
        monkeypatch.setattr(text_files, "BLOCK_BYTES", size)
        made = bench.run({"train": {"sequences": path, "targets": targets}})["train"]
        assert np.array_equal(made["data"], onehot(sequences))
        assert np.array_equal(made["label"], [[i + 0.5, -i] for i in range(60)])
        assert made["name"].tolist() == names(60)


def test_bgzip_is_read_to_its_end(bench, onehot):
    sequences = random_sequences(40, 30)
    text = fasta(sequences).encode()
    members = b"".join(gzip.compress(text[i : i + 500], mtime=0) for i in range(0, len(text), 500))
    made = bench.run({"predict": {"new": {"sequences": bench.write("a.bgz", members)}}})
    assert np.array_equal(made["new"]["data"], onehot(sequences))


@pytest.mark.parametrize("separator", [" ", "\t"])
@pytest.mark.parametrize("prefix", [">", ""])
def test_pasted_two_columns(bench, onehot, separator, prefix):
    sequences = random_sequences(30, 20)
    text = "".join(f"{prefix}seq{i}{separator}{s}\n" for i, s in enumerate(sequences))
    made = bench.run({"predict": {"new": {"sequences": bench.write("a.tsv", text)}}})["new"]
    assert np.array_equal(made["data"], onehot(sequences))
    assert made["name"].tolist() == [b"seq%d" % i for i in range(30)]


@pytest.mark.parametrize("comma", [",", "\t"])
def test_table_with_named_columns(bench, onehot, comma):
    sequences = random_sequences(30, 20)
    lines = [["id", "dna", "y1", "y2"]]
    lines += [[f'"r, {i}"', s, str(i), f"{i / 4}"] for i, s in enumerate(sequences)]
    path = bench.write("a.csv", "\n".join(comma.join(line) for line in lines))
    columns = {"sequence": "dna", "name": "id", "labels": ["y2", "y1"]}
    made = bench.run({"train": {"sequences": path}, "columns": columns})["train"]
    assert np.array_equal(made["data"], onehot(sequences))
    assert np.array_equal(made["label"], [[i / 4, i] for i in range(30)])
    assert made["label"].dtype == np.float32
    assert made["name"][3] == b"r, 3"


def test_table_with_numbered_columns_and_no_titles(bench, onehot):
    sequences = random_sequences(30, 20)
    path = bench.write("a.tsv", "".join(f"{i % 2}\t{s}\n" for i, s in enumerate(sequences)))
    made = bench.run({"train": {"sequences": path}, "columns": {"sequence": 2, "labels": [1]}})
    assert np.array_equal(made["train"]["data"], onehot(sequences))
    assert made["train"]["label"].tolist() == [[i % 2] for i in range(30)]


def test_table_with_the_usual_titles_needs_no_columns(bench, onehot):
    path = bench.write("a.csv", "name,sequence,label\na,ACGT,1\nb,GGCC,0\n")
    made = bench.run({"train": {"sequences": path}})["train"]
    assert np.array_equal(made["data"], onehot(["ACGT", "GGCC"]))
    assert made["label"].tolist() == [[1], [0]]


def test_paired_input_has_height_two(bench, onehot):
    first, second = random_sequences(30, 20, seed=1), random_sequences(30, 20, seed=2)
    source = {
        "sequences": bench.write("a.fa", fasta(first)),
        "paired": bench.write("b.fa", fasta(second, 6)),
    }
    made = bench.run({"predict": {"new": source}})["new"]
    assert made["data"].shape == (30, 4, 2, 20)
    assert np.array_equal(made["data"][:, :, :1], onehot(first))
    assert np.array_equal(made["data"][:, :, 1:], onehot(second))


def test_paired_column_of_a_table(bench, onehot):
    path = bench.write("a.csv", "sequence,mate\nACGT,TTTT\nGGCC,AAAA\n")
    made = bench.run({"predict": {"new": {"sequences": path}}, "columns": {"paired": "mate"}})[
        "new"
    ]
    assert np.array_equal(made["data"][:, :, 1:], onehot(["TTTT", "AAAA"]))


def test_features_are_flat_float32(bench):
    table = np.random.default_rng(1).normal(size=(30, 5))
    text = "\n".join(" ".join(repr(float(x)) for x in row) for row in table)
    source = {
        "features": bench.write("x.txt", text),
        "targets": bench.write("y.txt", "".join(f"{i}\n" for i in range(30))),
    }
    made = bench.run({"train": source})["train"]
    assert made["data"].shape == (30, 1, 1, 5) and made["data"].dtype == np.float32
    assert np.array_equal(made["data"][:, 0, 0], table.astype(np.float32))


@pytest.mark.parametrize(
    "text,dtype",
    [
        ("0 1\n1 0\n", "uint8"),
        ("0\n255\n", "uint8"),
        ("0\n256\n", "int16"),
        ("-1\n1\n", "int16"),
        ("1e6\n1\n", "int32"),
        ("10000000000\n1\n", "int64"),
        ("0.5\n1\n", "float32"),
        ("1.0\n2.0\n", "uint8"),
    ],
)
def test_labels_have_the_smallest_dtype_that_holds_them(bench, text, dtype):
    fa = bench.write("a.fa", ">a\nACGT\n>b\nACGA\n")
    made = bench.run({"train": {"sequences": fa, "targets": bench.write("a.target", text)}})[
        "train"
    ]
    assert made["label"].dtype == dtype
    assert np.array_equal(
        made["label"], np.array([line.split() for line in text.splitlines()], float)
    )


def test_all_sets_share_the_label_dtype(bench):
    sets = {}
    for name, text in {"train": "0.5\n1\n", "valid": "1\n0\n"}.items():
        fa = bench.write(f"{name}.fa", f">a\nACG{name[0].replace('v', 'C').upper()}\n>b\nACGA\n")
        sets[name] = {"sequences": fa, "targets": bench.write(f"{name}.target", text)}
    made = bench.run(sets)
    assert made["train"]["label"].dtype == made["valid"]["label"].dtype == np.float32


def test_comments_and_commas_in_targets(bench):
    fa = bench.write("a.fa", ">a\nACGT\n>b\nACGA\n")
    targets = bench.write("a.target", "#first,second\n1,2\n\n3,4\n")
    assert bench.run({"train": {"sequences": fa, "targets": targets}})["train"][
        "label"
    ].tolist() == [
        [1, 2],
        [3, 4],
    ]


def test_names_that_are_not_utf8_and_names_of_any_length(bench):
    long = b"x" * 3000
    path = bench.write("a.fa", b">caf\xe9\tb\nACGT\n>" + long + b"\nACGA\n>\xc3\xa9\nACGC\n")
    made = bench.run({"predict": {"new": {"sequences": path}}})["new"]
    assert made["name"].tolist() == [b"caf\\xe9 b", long, "é".encode()]


def test_read_names(bench):
    from dlutil_core.loaders.hdf5 import read_intervals, read_names

    bench.run({"predict": {"new": {"sequences": bench.write("a.fa", ">é 1\nACGT\n>b\nACGA\n")}}})
    assert read_names(bench.data / "new.h5") == ["é 1", "b"]
    assert read_intervals(bench.data / "new.h5") is None
    assert read_names(bench.write("x.csv", "1,2\n")) is None
    with h5py.File(bench.folder / "other.h5", "w") as file:
        file["data"] = [1]
    assert read_names(bench.folder / "other.h5") is None


@pytest.mark.parametrize("compression", ["blosc", "gzip", "none"])
def test_compression(bench, onehot, compression):
    sequences = random_sequences(5000, 50)
    path = bench.write("a.fa", fasta(sequences))
    made = bench.run({"predict": {"new": {"sequences": path}}, "compression": compression})["new"]
    assert np.array_equal(made["data"], onehot(sequences))
    with h5py.File(bench.data / "new.h5") as file:
        filters = list(file["data"]._filters)
    assert filters == {"blosc": ["32001"], "gzip": ["gzip"], "none": []}[compression]


def test_the_same_bytes_again(bench, tmp_path):
    import time

    path = bench.write("a.fa", fasta(random_sequences(3000, 50, "ACGT")))
    section = {
        "positives": path,
        "negatives": "shuffle",
        "split": {"by": "fraction", "valid": 0.1, "test": 0.2},
    }
    bench.run(section)
    before = {f.name: f.read_bytes() for f in bench.data.iterdir()}
    time.sleep(1.1)  # a stored time would have a resolution of one second
    bench.data = tmp_path / "elsewhere"
    bench.run(section)
    assert before == {f.name: f.read_bytes() for f in bench.data.iterdir()}
    sets = [f"{s}{e}" for s in ("train", "valid", "test") for e in (".h5", ".stats.json")]
    assert sorted(before) == sorted([*sets, "encoding.json"])
