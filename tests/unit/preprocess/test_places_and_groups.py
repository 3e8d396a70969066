"""Splits by the interval that a sequence came from, and by groups that stay together."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from dlutil_core.preprocess.encode.grouping import assigned
from dlutil_core.preprocess.encode.places import places_of

BY_CHROMOSOME = {"by": "chromosome", "valid": ["chr2"], "test": ["chr3"]}


@pytest.mark.parametrize(
    "name,place",
    [
        ("chr1:100-112", "chr1:100-112"),
        ("chr1:100-112(-)", "chr1:100-112"),
        ("chr1:1,000-1,012", "chr1:1000-1012"),
        ("pk::chr2:100-112(+)", "chr2:100-112"),
        ("run:1-2::chr2:100-112", "chr2:100-112"),
        ("a::b::chr2:100-112(-)", "chr2:100-112"),
        ("::chr2:100-112", "chr2:100-112"),
        ("pk::chr2:100-112 of run:7-9", "chr2:100-112"),
        ("HLA-A*01:01:01:01:100-200", "HLA-A*01:01:01:01:100-200"),
        ("pk::HLA-A*01:01:01:01:100-200(-)", "HLA-A*01:01:01:01:100-200"),
        ("hg38_dna range=chr3:101-112 5'pad=0 strand=+", "chr3:101-112"),
        ("ENSG00000000001 chr2:5-17", "chr2:5-17"),
        ("NC_000001.11:c112-100 Homo sapiens chromosome 1", "NC_000001.11:100-112"),
        ("NC_000001.11:100-112 Homo sapiens chromosome 1", "NC_000001.11:100-112"),
        ("chromosome:GRCh38:1:100:111:1", "1:100-111"),
        ("ENST1.1 cdna chromosome:GRCh38:14:22:25:-1 gene:ENSG1.1 biotype:x", "14:22-25"),
        ("sp|P1|chr1:5-6", "chr1:5-6"),
        ("peak (chr1:5-9)", "chr1:5-9"),
        ("chr1:5-9 chr1:5-9(+)", "chr1:5-9"),
        ("chr1:5-9_shuf1", "chr1:5-9"),
        ("chr1_KI270706v1_random:5-9", "chr1_KI270706v1_random:5-9"),
        ("7:5-9", "7:5-9"),
    ],
)
def test_the_interval_of_a_header(name, place):
    assert list(map(str, places_of(name.encode()))) == [place]


@pytest.mark.parametrize(
    "name,words",
    [
        ("run:1-2 chr3:100-112", ["run:1-2", "chr3:100-112", "'::'"]),
        ("lane3:7-8|x chr2:100-112", ["lane3:7-8", "chr2:100-112"]),
        ("chr1:5-9,chr2:5-9", ["chr1:5-9", "chr2:5-9"]),
        ("chr1:5-9 chr1:6-9", ["chr1:5-9", "chr1:6-9"]),
        ("chr2:5-9::x chr1:5-9", ["chr2:5-9", "chr1:5-9"]),
        ("gene7", ["names no chromosome"]),
        ("a::b", ["names no chromosome"]),
        ("gene:c7-9", ["names no chromosome"]),
        ("chr1", ["names no chromosome"]),
    ],
)
def test_headers_without_one_interval_are_refused(bench, name, words):
    fasta = bench.write("a.fa", f">chr1:1-5\nACGT\n>{name}\nACGA\n>chr2:1-5\nACTT\n")
    bench.refused({"sequences": fasta, "split": BY_CHROMOSOME}, "a.fa: record 2", *words)


def test_records_go_to_the_set_of_their_own_chromosome(bench):
    names = ["chr1:1-5", "chr1:9-12::chr2:7-9", "hg38 range=chr3:4-8", "HLA-A*01:01:5-9"]
    text = "".join(f">{name}\nACG{'ACGT'[i]}\n" for i, name in enumerate(names))
    made = bench.run({"sequences": bench.write("a.fa", text), "split": BY_CHROMOSOME})
    found = {key: made[key]["name"].tolist() for key in made}
    wanted = {"train": [names[0], names[3]], "valid": [names[1]], "test": [names[2]]}
    assert found == {key: [name.encode() for name in value] for key, value in wanted.items()}


# -- groups ----------------------------------------------------------------------------------------

SHARES = {"by": "group", "valid": 0.2, "test": 0.3}


def table(groups: list[str], name: str = "gene") -> str:
    """A table of records; each record's label is its number."""
    rows = [
        f"{''.join(np.base_repr(i, 4)).zfill(6)}".translate(str.maketrans("0123", "ACGT"))
        for i in range(len(groups))
    ]
    lines = [
        f"{row}\t{group}\t{i}" for i, (row, group) in enumerate(zip(rows, groups, strict=True))
    ]
    return "\n".join([f"sequence\t{name}\tlabel", *lines]) + "\n"


def groups_of(made, groups: list[str]) -> dict[str, set[str]]:
    return {name: {groups[int(i)] for i in s["label"].ravel()} for name, s in made.items()}


@pytest.mark.parametrize("seed", [1, 2])
def test_groups_of_a_table_stay_together(bench, seed):
    groups = [f"g{i % 30}" for i in range(300)]
    split = SHARES | {"column": "gene"}
    section = {"sequences": bench.write("a.tsv", table(groups)), "split": split}
    made = bench.run(section, seed=seed)
    found = groups_of(made, groups)
    assert sum(map(len, found.values())) == len(set(groups)), "no group is in two sets"
    sizes = {name: len(s["data"]) for name, s in made.items()}
    assert sizes == {"train": 150, "valid": 60, "test": 90}
    again = groups_of(bench.run(section, seed=seed), groups)
    assert again == found
    assert groups_of(bench.run(section, seed=seed + 5), groups) != found


def test_groups_of_bed_stay_together_with_their_shuffles(bench):
    genome = bench.write("g.fa", ">chr1\n" + "ACGTTGCAACGGATCCATTA" * 60 + "\n")
    lines = [f"chr1\t{i * 10}\t{i * 10 + 40}\tp{i}\tgene{i // 5}\t+\n" for i in range(100)]
    section = {
        "positives": bench.write("a.bed", "".join(lines)),
        "negatives": "shuffle",
        "genome": genome,
        "split": SHARES | {"column": 5},
    }
    made = bench.run(section)
    assert {name: len(s["data"]) for name, s in made.items()} == {
        "train": 100, "valid": 40, "test": 60,
    }  # fmt: skip
    genes = {
        name: {int(n[1:].split(b"_")[0]) // 5 for n in s["name"].tolist()}
        for name, s in made.items()
    }
    assert sum(map(len, genes.values())) == 20
    assert all(s["label"].mean() == 0.5 for s in made.values())


def test_groups_by_number_in_a_table(bench):
    groups = ["a", "b", "c", "a"]
    text = "".join(table(groups).splitlines(True)[1:])
    columns = {"sequence": 1, "labels": [3]}
    split = {"by": "group", "column": 2, "test": 0.25}
    made = bench.run({"sequences": bench.write("a.tsv", text), "columns": columns, "split": split})
    found = groups_of(made, groups)
    assert found["test"] in ({"b"}, {"c"}) and "a" in found["train"]


def test_groups_that_cannot_be_read_are_refused(bench):
    good = bench.write("a.tsv", table(["a", "b", "c"]))
    split = {"by": "group", "test": 0.3, "column": "gene"}
    bench.refused({"sequences": good, "split": split | {"column": None}}, "split.column", "missing")
    bench.refused({"sequences": good, "split": split | {"column": "genes"}}, "a.tsv", "'genes'")
    bench.refused(
        {"sequences": good, "split": split | {"by": "fraction"}}, "split.column", "'group'"
    )
    few = bench.write("b.tsv", table(["a", "a", "a"]))
    bench.refused({"sequences": few, "split": split}, "gene", "1 different values", "train, test")
    empty = bench.write("c.tsv", table(["a", "", "b"]))
    bench.refused({"sequences": empty, "split": split}, "c.tsv: line 3", "gene")
    fasta = bench.write("d.fa", ">a\nACGT\n>b\nACGA\n")
    bench.refused({"sequences": fasta, "split": split}, "d.fa", "no columns")
    genome = bench.write("g.fa", ">chr1\n" + "ACGT" * 50 + "\n")
    bed = bench.write("e.bed", "chr1\t1\t9\tx\nchr1\t2\t10\n")
    bench.refused({"sequences": bed, "genome": genome, "split": split}, "e.bed", "'gene'", "number")
    split["column"] = 4
    bench.refused({"sequences": bed, "genome": genome, "split": split}, "e.bed: line 2", "column 4")


def distance(sizes: np.ndarray, targets: np.ndarray, chosen: np.ndarray) -> float:
    return float(np.abs(np.bincount(chosen, sizes, len(targets)) - targets).sum())


def test_shares_are_as_near_as_can_be():
    generator = np.random.default_rng(4)
    for seed in range(40):
        sizes = generator.integers(1, 40, generator.integers(3, 8))
        targets = np.array([0.6, 0.2, 0.2]) * sizes.sum()
        ways = (np.array(w) for w in itertools.product(range(3), repeat=len(sizes)))
        best = min(distance(sizes, targets, w) for w in ways if len(set(w.tolist())) == 3)
        assert distance(sizes, targets, assigned(sizes, targets, seed)) == pytest.approx(best)


@pytest.mark.parametrize("count", [30, 500, 5000])
def test_shares_of_many_groups_are_met(count):
    sizes = np.random.default_rng(1).geometric(0.05, count)
    targets = np.array([0.7, 0.1, 0.2]) * sizes.sum()
    chosen = assigned(sizes, targets, 3)
    assert distance(sizes, targets, chosen) <= 3
    assert (assigned(sizes, targets, 4) != chosen).any()


def test_no_set_is_empty_however_large_one_group_is():
    assert set(assigned(np.array([1000, 1, 1]), np.array([900.0, 51, 51]), 0)) == {0, 1, 2}
    many = np.array([100_000] + [1] * 30)
    assert set(assigned(many, np.array([0.98, 0.01, 0.01]) * many.sum(), 0)) == {0, 1, 2}
