"""Folds: what each tests, validates and trains on, by plain h5py and the raw files."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin  # noqa: F401
import numpy as np
import pytest

from dlutil_core.common.errors import UserError
from dlutil_core.preprocess.encode.folding import dealt, packed
from dlutil_core.preprocess.parts import main_part, parts, with_folds
from dlutil_core.preprocess.pipeline import preprocess
from dlutil_core.preprocess.section import planned_files

SETS = ("train", "valid", "test")
FOLDS = 4
SIZES = {"chr1": 37, "chr2": 30, "chr3": 29, "chr4": 11, "chr5": 9, "chr6": 8, "chrX": 2}


def peaks(sizes: dict[str, int] = SIZES) -> tuple[list[str], str]:
    """Names and FASTA of records on chromosomes, in a random order."""
    drawn = random.Random(5)
    names = [f"{c}:{100 * i}-{100 * i + 20}" for c, n in sizes.items() for i in range(n)]
    drawn.shuffle(names)
    return names, "".join(f">{n}\n{''.join(drawn.choices('ACGT', k=20))}\n" for n in names)


def make(section: dict[str, Any], folds: Any, data: Path, seed: int = 1) -> list[dict[str, Any]]:
    """Write all folds; per fold and set the datasets of its file, as h5py reads them."""
    for part in parts(with_folds(section, folds)).values():
        later = data / part.needed[0] if part.needed else None
        preprocess(part.section, data, seed, later)
    count = folds if isinstance(folds, int) else len(folds)
    assert sorted(p.name for p in data.glob("fold-*")) == [f"fold-{k}" for k in range(count)]
    return [{name: read(data / f"fold-{k}" / f"{name}.h5") for name in SETS} for k in range(count)]


def read(path: Path) -> dict[str, np.ndarray]:
    with h5py.File(path) as file:
        return {key: file[key][:] for key in file}


def names_of(found: dict[str, np.ndarray]) -> list[str]:
    return [name.decode() for name in found["name"]]


def numbered(found: dict[str, np.ndarray]) -> list[tuple[int, str]]:
    return list(zip(found["index"].tolist(), names_of(found), strict=True))


def check(made: list[dict[str, Any]], wanted: list[str], family: Any) -> list[list[str]]:
    """No family in two sets of a fold, each record in one set of each fold and tested once.

    `wanted` are the names of all records in input order; the families of each part are returned.
    """
    tested: list[list[str]] = []
    for fold in made:
        sets = {name: {family(n) for n in names_of(fold[name])} for name in SETS}
        assert not any(sets[a] & sets[b] for a in SETS for b in SETS if a < b)
        everything = [(i, n) for s in SETS for i, n in numbered(fold[s])]
        assert [n for _, n in sorted(everything)] == wanted
        assert [i for i, _ in sorted(everything)] == list(range(len(wanted)))
        tested.append(sorted(sets["test"]))
    assert Counter(n for fold in made for n in names_of(fold["test"])) == Counter(wanted)
    for k, fold in enumerate(made):
        assert sorted({family(n) for n in names_of(fold["valid"])}) == tested[(k + 1) % len(made)]
    return tested


def chromosome(name: str) -> str:
    return name.split(":")[0]


@pytest.mark.parametrize("split", [None, {"by": "chromosome"}])
def test_chromosomes_stay_whole_with_their_shuffles(bench, split):
    names, fasta = peaks()
    section = {"positives": bench.write("a.fa", fasta), "negatives": "shuffle"}
    section |= {"negatives_per_positive": 2, "reverse_complement": "none"}
    section |= {"split": split} if split else {}
    made = make(section, FOLDS, bench.data)
    wanted = [n + suffix for n in names for suffix in ("", "_shuf1", "_shuf2")]
    check(made, wanted, chromosome)
    sizes = [len(fold["test"]["name"]) for fold in made]
    assert sum(sizes) == 3 * 126 and max(sizes) - min(sizes) <= 3 * SIZES["chr4"]
    raw = dict(zip(names, fasta.split("\n")[1::2], strict=True))
    test = made[2]["test"]
    for name, data, label in zip(names_of(test), test["data"], test["label"], strict=True):
        assert label == ("_shuf" not in name)
        if label:
            assert "".join("ACGT"[k] for k in data[:, 0].argmax(axis=0)) == raw[name]


def test_lists_of_chromosomes_say_what_each_fold_tests(bench):
    names, fasta = peaks()
    section = {"sequences": bench.write("a.fa", fasta)}
    lists = [["chr1"], ["chr2", "chr5"], ["chr3", "chr4", "chr6", "chrX"]]
    tested = check(make(section, lists, bench.data), names, chromosome)
    assert tested == lists


def test_groups_of_a_table_stay_whole(bench):
    drawn = random.Random(1)
    genes = [f"g{drawn.randrange(40)}" for _ in range(300)]
    rows = [
        f"{''.join(drawn.choices('ACGT', k=8))}\t{i}\t{g}\t{i % 3}" for i, g in enumerate(genes)
    ]
    table = bench.write("a.tsv", "\n".join(["sequence\tname\tgene\tlabel", *rows]) + "\n")
    section = {"sequences": table, "split": {"by": "group", "column": "gene"}}
    made = make(section, FOLDS, bench.data)
    wanted = [str(i) for i in range(300)]
    check(made, wanted, lambda name: genes[int(name)])
    assert all(70 <= len(fold["test"]["name"]) <= 80 for fold in made)
    assert all((f[s]["label"].ravel() == f[s]["index"] % 3).all() for f in made for s in SETS)


@pytest.mark.parametrize("shuffles", [0, 3])
def test_records_without_a_chromosome_are_dealt_out_with_their_shuffles(bench, shuffles):
    positives = "".join(f">p{i}\nACGTGCA{'ACGT'[i % 4]}\n" for i in range(50))
    section: dict[str, Any] = {"positives": bench.write("p.fa", positives)}
    if shuffles:
        section |= {"negatives": "shuffle", "negatives_per_positive": shuffles}
        suffixes = ["", *(f"_shuf{k + 1}" for k in range(shuffles))]
        wanted = [f"p{i}{suffix}" for i in range(50) for suffix in suffixes]
    else:
        negatives = "".join(f">n{i}\nACGTGTT{'ACGT'[i % 4]}\n" for i in range(21))
        section["negatives"] = bench.write("n.fa", negatives)
        wanted = [*(f"p{i}" for i in range(50)), *(f"n{i}" for i in range(21))]
    made = make(section, FOLDS, bench.data)
    check(made, wanted, lambda name: name.split("_")[0])
    shares = [Counter(fold["test"]["label"].ravel().tolist()) for fold in made]
    for label in (0, 1):
        counts = [share[label] for share in shares]
        assert max(counts) - min(counts) <= 1 + (shuffles - 1) * (shuffles > 0 and label == 0)
    other = make(section, FOLDS, bench.folder / "other", seed=2)
    assert names_of(other[0]["test"]) != names_of(made[0]["test"])


def test_both_strands_of_a_record_are_one_record_of_the_input(bench):
    names, fasta = peaks({"a": 3, "b": 2, "c": 2})
    section = {"sequences": bench.write("a.fa", fasta), "reverse_complement": "all"}
    for fold in make(section, 3, bench.data):
        for name in SETS:
            index = fold[name]["index"]
            assert (index[::2] == index[1::2]).all()
            assert [names[i] for i in index[::2]] == names_of(fold[name])[::2]


def test_a_fold_is_the_same_bytes_each_time_and_knows_all_classes_and_the_width(bench):
    rows = ["sequence\tname\tlabel"]
    rows += [f"{'ACGT' * (1 + i % 3)}\tchr{i % 5}:1-5\tclass{i % 5}" for i in range(60)]
    section = {"sequences": bench.write("a.tsv", "\n".join(rows) + "\n"), "length": "pad"}
    section["predict"] = {"new": {"sequences": bench.write("n.fa", ">x\nACGT\n")}}
    made = make(section, 5, bench.data)
    again = bench.folder / "again"
    make(section, 5, again)
    files = sorted(path.relative_to(bench.data) for path in bench.data.rglob("*.*"))
    assert len(files) == 5 * 7 + 2
    assert all((bench.data / f).read_bytes() == (again / f).read_bytes() for f in files)
    told = {(bench.data / f"fold-{k}" / "encoding.json").read_text() for k in range(5)}
    assert len(told) == 1, "what was encoded is a property of all records"
    assert made[0]["test"]["data"].shape[1:] == (4, 1, 12)
    assert read(bench.data / "new.h5")["data"].shape == (1, 4, 1, 12)
    with h5py.File(bench.data / "fold-2" / "test.h5") as file:
        assert len(file.attrs["classes"]) == 5 and len(set(file["label"][:].ravel())) == 1
    assert not (bench.data / "encoding.json").exists()


@pytest.mark.parametrize("seed", range(20))
def test_parts_of_groups_are_nearly_equal(seed):
    generator = np.random.default_rng(seed)
    sizes = generator.integers(1, 100, generator.integers(8, 60))
    parts = packed(sizes, 5, seed)
    filled = np.bincount(parts, weights=sizes, minlength=5)
    assert filled.min() > 0 and filled.max() - filled.min() <= sizes.max()
    assert (packed(sizes, 5, seed) == parts).all()


@pytest.mark.parametrize("seed", range(5))
def test_dealt_parts_differ_by_one(seed):
    strata = np.random.default_rng(seed).integers(0, 4, 203)
    parts = dealt(strata, 7, seed)
    for chosen in (slice(None), *(strata == k for k in range(4))):
        counts = np.bincount(parts[chosen], minlength=7)
        assert counts.max() - counts.min() <= 1


@pytest.mark.parametrize(
    "changes,folds,words",
    [
        ({"split": {"by": "chromosome", "test": ["chr1"]}}, 3, ["split.test", "repeat.folds"]),
        ({"split": {"valid": 0.1}}, 3, ["split.valid", "repeat.folds"]),
        ({"split": {"by": "fraction"}}, [["chr1"], ["chr2"], ["chr3"]], ["'fraction'", "lists"]),
        ({}, 2, ["repeat.folds", "2 folds", "3 at least"]),
        ({}, [["chr1"], ["chr2"], ["chr1"]], ["chr1", "fold 0 and of fold 2"]),
        ({}, [["chr1"], ["chr2"], []], ["fold 2", "empty"]),
        ({}, [["chr1"], ["chr2", "chr4"], ["chr3"]], ["chr5, chr6, chrX", "no fold tests"]),
        ({}, [[f"chr{k}" for k in range(1, 7)], ["chrX"], ["chr9"]], ["chr9", "fold 2", "chr1"]),
        ({}, 8, ["8 folds", "7 different chromosomes", "chrX", "fraction"]),
        ({"split": {"by": "fraction"}}, 200, ["200 folds", "126 records"]),
        ({"test": {"sequences": "a.fa"}}, 3, ["preprocess.test", "repeat.folds"]),
    ],
)
def test_folds_that_cannot_be_made_are_a_sentence(bench, monkeypatch, changes, folds, words):
    monkeypatch.chdir(bench.folder)
    bench.write("a.fa", peaks()[1])
    with pytest.raises(UserError) as caught:
        make({"sequences": "a.fa"} | changes, folds, bench.data)
    assert all(word in str(caught.value) for word in words), caught.value
    assert not list(bench.data.rglob("*.*"))


def test_sets_of_their_own_files_have_no_folds(bench):
    section = {name: {"sequences": bench.write(f"{name}.fa", ">a\nA\n")} for name in SETS}
    with pytest.raises(UserError, match=r"repeat\.folds: needs one input beside it"):
        parts(with_folds(section, 3))


def test_a_name_without_a_chromosome_among_others_is_a_sentence(bench):
    fasta = bench.write("a.fa", peaks()[1] + ">peak7\nACGTACGTACGTACGTACGT\n")
    with pytest.raises(UserError, match=r"record 127 \(peak7\) names no chromosome.*fraction"):
        make({"sequences": fasta}, 3, bench.data)


def test_a_command_makes_the_files_of_all_folds(bench):
    outputs = {s: [f"fold-{k}/{s}.txt" for k in range(3)] for s in SETS}
    section = {"command": {"run": "true", "outputs": outputs}}
    found = parts(with_folds(section, 3))
    assert list(found) == ["preprocess"] and len(found["preprocess"].outputs) == 9
    assert main_part(None) == "preprocess"
    with pytest.raises(UserError, match=r"outputs\.train: names no file in fold-3/"):
        planned_files(with_folds(section, 4, 3))
