"""What two sets share: letters of the genome, sequences, and reverse complements."""

from __future__ import annotations

import random

import numpy as np
import pytest

from dlutil_core.preprocess.encode.overlaps import Intervals, overlapping

COMPLEMENT = str.maketrans("ACGTUN", "TGCAAN")


def told(caplog, word: str) -> list[str]:
    warned = [r for r in caplog.records if r.levelname == "WARNING"]
    return [r.getMessage() for r in warned if word in r.getMessage()]


def drawn(count: int, length: int, seed: int = 1, letters: str = "ACGT") -> list[str]:
    generator = random.Random(seed)
    return ["".join(generator.choices(letters, k=length)) for _ in range(count)]


def turned(sequence: str) -> str:
    return sequence.translate(COMPLEMENT)[::-1]


def fasta(prefix: str, sequences: list[str]) -> str:
    return "".join(f">{prefix}{i}\n{s}\n" for i, s in enumerate(sequences))


def test_reverse_complements_across_sets_are_told(bench, caplog):
    first = drawn(20, 30)
    second = [turned(s) for s in first[5:9]] + drawn(10, 30, seed=2)
    made = {"train": {"sequences": bench.write("a.fa", fasta("a", first))}}
    made["test"] = {"sequences": bench.write("b.fa", fasta("b", second))}
    bench.run(made)
    (message,) = told(caplog, "reverse complements")
    for word in ("warning: 4 records of test", "of train", "'b0' of 'a5'"):
        assert word in message
    found = bench.statistics("test")["duplicates"]["reverse_complements"]
    assert found == {"train": {"records": 4, "example": ["a5", "b0"]}}


@pytest.mark.parametrize("align", ["left", "center", "right"])
def test_padding_does_not_hide_them(bench, caplog, align):
    first = [s[: 20 + i] for i, s in enumerate(drawn(9, 30))]
    second = [turned(s) for s in first]
    made = {"train": {"sequences": bench.write("a.fa", fasta("a", first))}}
    made["valid"] = {"sequences": bench.write("b.fa", fasta("b", second))}
    bench.run(made | {"length": "pad", "align": align})
    assert "9 records of valid" in told(caplog, "reverse complements")[0]


@pytest.mark.parametrize("alphabet,letters", [("rna", "ACGU"), ("rna", "ACGT"), ("dna", "acgtN")])
def test_other_letters_of_nucleic_acids(bench, caplog, alphabet, letters):
    first = drawn(6, 25, letters=letters)
    second = [turned(s.upper()).replace("T", letters[3].upper()) for s in first]
    made = {"train": {"sequences": bench.write("a.fa", fasta("a", first))}}
    made["test"] = {"sequences": bench.write("b.fa", fasta("b", second))}
    bench.run(made | {"alphabet": alphabet})
    assert "6 records of test" in told(caplog, "reverse complements")[0]


def test_pairs_are_turned_as_one(bench, caplog):
    first, other = drawn(5, 20), drawn(5, 20, seed=2)
    sets = {}
    for name, one, two in (
        ("train", first, other),
        ("valid", [turned(s) for s in first], other),  # one of the two alone
        ("test", [turned(s) for s in first], [turned(s) for s in other]),
    ):
        source = {"sequences": bench.write(f"{name}.fa", fasta(name, one))}
        sets[name] = source | {"paired": bench.write(f"{name}2.fa", fasta(name, two))}
    bench.run(sets)
    (message,) = told(caplog, "reverse complements")
    assert "5 records of test" in message and "of train" in message


def test_palindromes_and_proteins_and_both_strands_are_told_once(bench, caplog):
    equal = bench.write("a.fa", fasta("a", ["ACGT", "AATT"]))
    bench.run({"train": {"sequences": equal}, "test": {"sequences": equal}})
    assert told(caplog, "reverse complements") == []
    assert len(told(caplog, "are in train too")) == 1
    caplog.clear()
    protein = {"train": {"sequences": equal}, "test": {"sequences": equal}, "alphabet": "protein"}
    bench.run(protein)
    assert told(caplog, "reverse complements") == []
    caplog.clear()
    first = drawn(5, 20)
    both = {"train": {"sequences": bench.write("c.fa", fasta("c", first))}}
    both["test"] = {"sequences": bench.write("d.fa", fasta("d", [turned(s) for s in first]))}
    bench.run(both | {"reverse_complement": "train"})
    assert told(caplog, "reverse complements") == []
    assert "5 records of test are in train too" in told(caplog, "are in train too")[0]


def test_sets_to_predict_on_are_not_warned_of(bench, caplog):
    first = drawn(5, 20)
    train = {"sequences": bench.write("a.fa", fasta("a", first))}
    new = {"sequences": bench.write("b.fa", fasta("b", [turned(s) for s in first]))}
    bench.run({"train": train, "predict": {"new": new}})
    assert told(caplog, "reverse complements") == []


def test_overlapping_peaks_across_sets_are_told(bench, caplog):
    genome = bench.write("g.fa", f">chr1\n{drawn(1, 3000)[0]}\n>chr2\n{drawn(1, 3000, 2)[0]}\n")
    train = "chr1\t100\t200\tt1\nchr1\t500\t900\tt2\nchr1\t520\t530\tt3\nchr2\t100\t200\tt4\n"
    test = (
        "chr1\t200\t300\tbeside\nchr1\t850\t950\twithin\n"
        "chr2\t50\t150\tother\nchr2\t500\t600\tfar\n"
    )
    section = {
        "train": {"sequences": bench.write("a.bed", train)},
        "test": {"sequences": bench.write("b.bed", test)},
        "genome": genome,
        "length": "pad",
    }
    bench.run(section)
    (message,) = told(caplog, "overlap")
    for word in ("warning: 2 records of test overlap records of train", "'within' overlaps 't2'"):
        assert word in message
    assert bench.statistics("train")["overlaps"]["test"]["records"] == 2


def test_overlaps_are_found_in_the_names_of_fasta(bench, caplog):
    first = "".join(
        f">a{i}::chr1:{i * 10}-{i * 10 + 20}(+)\n{s}\n" for i, s in enumerate(drawn(9, 20))
    )
    second = ">chr1:95-115\n" + drawn(1, 20, 5)[0] + "\n>chr1:900-920\n" + drawn(1, 20, 6)[0] + "\n"
    sets = {"train": {"sequences": bench.write("a.fa", first)}}
    sets["test"] = {"sequences": bench.write("b.fa", second)}
    bench.run(sets)
    (message,) = told(caplog, "overlap")
    assert "1 records of test" in message and "'a8::chr1:80-100(+)'" in message


def test_overlaps_are_those_that_a_plain_loop_finds():
    generator = np.random.default_rng(2)
    for _ in range(60):
        sets = []
        for count in generator.integers(1, 12, 2):
            starts = generator.integers(0, 60, count)
            ends = starts + generator.integers(1, 12, count)
            sets.append(Intervals(np.arange(count), starts, ends))
        first, second = sets
        pairs = [
            (i, j)
            for j in range(len(second.starts))
            for i in range(len(first.starts))
            if first.starts[i] < second.ends[j] and second.starts[j] < first.ends[i]
        ]
        found = overlapping(first, second)
        assert found.count == len({j for _, j in pairs})
        if pairs:
            assert found.example in pairs and found.example[1] == pairs[0][1]
