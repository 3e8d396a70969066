"""BED intervals and a genome."""

from __future__ import annotations

import gzip
import random

import numpy as np
import pytest

COMPLEMENT = str.maketrans("ACGTN", "TGCAN")


def genome(bench, name: str = "genome.fa") -> tuple[str, dict[str, str]]:
    generator = random.Random(3)
    chromosomes = {f"chr{i}": "".join(generator.choices("ACGT", k=500 + i)) for i in (1, 2, 3)}
    text = "".join(
        f">{name} description\n" + "".join(s[i : i + 60] + "\n" for i in range(0, len(s), 60))
        for name, s in chromosomes.items()
    )
    return bench.write(name, text), chromosomes


def test_strand_window_names_and_intervals(bench, onehot):
    path, chromosomes = genome(bench)
    bed = bench.write(
        "a.bed",
        "track name=x\n#comment\nchr1\t100\t121\tpeak1\t0\t+\nchr2\t50\t60\t.\t0\t-\n"
        "chr3\t200\t230\n",
    )
    made = bench.run({"predict": {"new": {"sequences": bed}}, "genome": path, "window": 20})["new"]
    centres = [("chr1", 110), ("chr2", 55), ("chr3", 215)]
    expected = [chromosomes[c][m - 10 : m + 10] for c, m in centres]
    expected[1] = expected[1].translate(COMPLEMENT)[::-1]
    assert np.array_equal(made["data"], onehot(expected))
    assert made["name"].tolist() == [b"peak1", b"chr2:50-60", b"chr3:200-230"]
    assert made["interval"].tolist() == [b"chr1:100-120(+)", b"chr2:45-65(-)", b"chr3:205-225(.)"]


def test_without_a_window_and_packed(bench, onehot):
    path, chromosomes = genome(bench)
    bed = bench.write("a.bed.gz", "chr1 0 30\nchr3 473 503\n")
    made = bench.run({"predict": {"new": {"sequences": bed}}, "genome": path})["new"]
    assert np.array_equal(
        made["data"], onehot([chromosomes["chr1"][:30], chromosomes["chr3"][-30:]])
    )


def test_a_window_past_the_end_is_padded_if_asked(bench, onehot):
    path, chromosomes = genome(bench)
    section = {
        "predict": {"new": {"sequences": bench.write("a.bed", "chr1\t0\t10\nchr1\t491\t501\n")}}
    }
    section |= {"genome": path, "window": 20}
    bench.refused(section, "a.bed: line 1", "chr1:-5-15", "501", "pad")
    bench.refused(section | {"length": "pad"}, "chr1:-5-15", "outside")
    made = bench.run(section | {"outside": "pad"})["new"]
    first, last = chromosomes["chr1"][:15], chromosomes["chr1"][486:]
    assert np.array_equal(made["data"], onehot(["N" * 5 + first, last + "N" * 5]))


@pytest.mark.parametrize(
    "line,words",
    [
        ("chr1\t10\t600", ["line 2", "600", "past the end", "501"]),
        ("chr9\t10\t20", ["line 2", "'chr9'", "not in", "genome.fa"]),
        ("chr1\t20\t20", ["line 2", "20"]),
        ("chr1\t-5\t20", ["line 2"]),
        ("chr1\tx\t20", ["line 2"]),
        ("chr1\t10", ["line 2"]),
        ("chr1\t10\t20\tn\t0\t*", ["line 2", "'*'"]),
    ],
)
def test_bad_intervals(bench, line, words):
    path, _ = genome(bench)
    bed = bench.write("a.bed", f"chr1\t0\t10\n{line}\n")
    bench.refused({"predict": {"new": {"sequences": bed}}, "genome": path}, "a.bed", *words)


def test_genomes_that_cannot_be_indexed(bench):
    bed = bench.write("a.bed", "chr1\t5\t15\n")
    uneven = bench.write("uneven.fa", ">chr1\nACGTACGTAC\nACG\nACGTACGTACGT\n")
    bench.refused({"predict": {"new": {"sequences": bed}}, "genome": uneven}, "uneven.fa")
    twice = bench.write("twice.fa", ">chr1\nACGTACGTACACGTACGT\n>chr1\nACGTACGTACGT\n")
    bench.refused({"predict": {"new": {"sequences": bed}}, "genome": twice}, "twice.fa")
    packed = bench.folder / "packed.fa.gz"
    packed.write_bytes(gzip.compress(b">chr1\nACGTACGTACACGTACGT\n"))
    section = {"predict": {"new": {"sequences": bed}}, "genome": str(packed)}
    bench.refused(section, "packed.fa.gz", "gunzip")
    bench.refused({"predict": {"new": {"sequences": bed}}}, "a.bed", "preprocess.genome")


def test_split_by_chromosome_with_shuffles(bench):
    path, _ = genome(bench)
    lines = [f"chr{i % 3 + 1}\t{i * 8}\t{i * 8 + 30}\tp{i}\t0\t{'+-'[i % 2]}\n" for i in range(50)]
    section = {
        "positives": bench.write("a.bed", "".join(lines)),
        "negatives": "shuffle",
        "genome": path,
        "window": 40,
        "outside": "pad",
        "split": {"by": "chromosome", "valid": ["chr2"], "test": ["chr3"]},
    }
    made = bench.run(section)
    for name, chromosome in {"train": b"chr1:", "valid": b"chr2:", "test": b"chr3:"}.items():
        assert all(i.startswith(chromosome) for i in made[name]["interval"].tolist())
    assert sum(len(s["data"]) for s in made.values()) == 100
