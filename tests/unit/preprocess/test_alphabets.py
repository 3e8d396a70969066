"""Letters to vectors: alphabets, ambiguous letters, lengths, reverse complements."""

from __future__ import annotations

import numpy as np
import pytest

IUPAC = {"R": "AG", "Y": "CT", "S": "CG", "W": "AT", "K": "GT", "M": "AC"}
IUPAC |= {"B": "CGT", "D": "AGT", "H": "ACT", "V": "ACG"}


def predict(bench, text: str, **options):
    section = {"predict": {"new": {"sequences": bench.write("a.fa", text)}}, **options}
    return bench.run(section)["new"]


def test_rna_takes_u_and_t(bench):
    data = predict(bench, ">a\nACGUTNu\n", alphabet="rna")["data"]
    assert data[0, :, 0].T.tolist() == [*np.eye(4).tolist(), [0, 0, 0, 1], [0] * 4, [0, 0, 0, 1]]


def test_protein_has_twenty_rows_and_x_is_zero(bench):
    data = predict(bench, ">a\nACDEFGHIKLMNPQRSTVWYX\n", alphabet="protein")["data"]
    assert np.array_equal(data[0, :, 0], np.eye(20, 21))


def test_iupac_is_the_mean_of_the_bases(bench):
    text = "ACGTN" + "".join(IUPAC) + "".join(IUPAC).lower()
    data = predict(bench, f">a\n{text}\n", ambiguous="iupac")["data"]
    assert data.dtype == np.float32
    means = [
        np.mean([np.eye(4)["ACGT".index(b)] for b in bases], axis=0) for bases in IUPAC.values()
    ]
    expected = np.array([*np.eye(4), np.zeros(4), *means, *means], np.float32)
    assert np.array_equal(data[0, :, 0].T, expected)


def test_zero_makes_other_letters_zero(bench):
    data = predict(bench, ">a\nARnN-*.xAC\n", ambiguous="zero")["data"]
    assert data.dtype == np.uint8
    assert data[0].sum(axis=(0, 1)).tolist() == [1, 0, 0, 0, 0, 0, 0, 0, 1, 1]


def test_mapping_file(bench):
    mapping = bench.write("map.tsv", "A\t1\t0.5\nC\t0\t-1\n\nG 2 2\nT,0,0\n")
    data = predict(bench, ">x\nACGTNacgt\n", alphabet=mapping)["data"]
    vectors = [[1, 0.5], [0, -1], [2, 2], [0, 0]]
    assert data[0, :, 0].T.tolist() == [*vectors, [0, 0], *vectors]


def test_mapping_file_of_whole_numbers_stays_small(bench):
    mapping = bench.write("map.tsv", "A 1 0 3\nC 0 1 0\nc 9 9 9\n")
    data = predict(bench, ">x\nACca\n", alphabet=mapping)["data"]
    assert data.dtype == np.uint8
    assert data[0, :, 0].T.tolist() == [[1, 0, 3], [0, 1, 0], [9, 9, 9], [1, 0, 3]]


@pytest.mark.parametrize(
    "text,words",
    [
        ("A 1 0\nC 1\n", ["line 2", "'C'", "1 numbers"]),
        ("A 1 0\nA 1 1\n", ["line 2", "'A'", "again"]),
        ("A\n", ["line 1", "vector"]),
        ("AB 1 0\n", ["line 1", "'AB'"]),
        ("A 1 x\n", ["line 1", "'1 x'"]),
        ("A nan\n", ["line 1", "finite"]),
        ("\n", ["maps no letter"]),
        ("", ["is empty"]),
    ],
)
def test_bad_mapping(bench, text, words):
    mapping = bench.write("map.tsv", text)
    section = {
        "predict": {"new": {"sequences": bench.write("a.fa", ">a\nA\n")}},
        "alphabet": mapping,
    }
    bench.refused(section, "map.tsv", *words)


@pytest.mark.parametrize(
    "length,align,expected",
    [
        ("pad", "left", ["ACGTA", "CGNNN"]),
        ("pad", "center", ["ACGTA", "NCGNN"]),
        ("pad", "right", ["ACGTA", "NNNCG"]),
        ("crop", "left", ["AC", "CG"]),
        ("crop", "center", ["CG", "CG"]),
        ("crop", "right", ["TA", "CG"]),
    ],
)
def test_pad_and_crop(bench, onehot, length, align, expected):
    made = predict(bench, ">a\nACGTA\n>b\nCG\n", length=length, align=align)
    assert np.array_equal(made["data"], onehot(expected))


def test_fit_does_both(bench, onehot):
    made = predict(bench, ">a\nACGTA\n>b\nCG\n", length="fit", align="left", width=3)
    assert np.array_equal(made["data"], onehot(["ACG", "CGN"]))


def test_the_width_is_that_of_all_sets(bench):
    sets = {
        name: {"sequences": bench.write(f"{name}.fa", f">a\n{s}\n")}
        for name, s in {"train": "ACGT", "test": "ACGTAC"}.items()
    }
    made = bench.run({**sets, "length": "pad"})
    assert made["train"]["data"].shape == made["test"]["data"].shape == (1, 4, 1, 6)


def test_padding_is_no_letter_of_the_statistics(bench):
    predict(bench, ">a\nACGTN\n>b\nGC\n", length="pad")
    found = bench.statistics("new")
    assert found["lengths"] == {"min": 2, "max": 5, "mean": 3.5}
    assert found["letters"] == {"A": 1, "C": 2, "G": 2, "T": 1, "zero": 1}
    assert found["n_fraction"] == 1 / 7 and found["gc"] == 4 / 6


def test_reverse_complements_follow_their_record(bench, onehot):
    train, test = ">a\nAACGN\n>b\nTTTTG\n", ">c\nGGGGG\n"
    sets = {
        "train": {
            "sequences": bench.write("a.fa", train),
            "targets": bench.write("a.target", "1\n2\n"),
        },
        "test": {"sequences": bench.write("b.fa", test), "targets": bench.write("b.target", "3\n")},
    }
    made = bench.run({**sets, "reverse_complement": "train"})
    assert np.array_equal(made["train"]["data"], onehot(["AACGN", "NCGTT", "TTTTG", "CAAAA"]))
    assert made["train"]["label"].tolist() == [[1], [1], [2], [2]]
    assert made["train"]["name"].tolist() == [b"a", b"a_rc", b"b", b"b_rc"]
    assert len(made["test"]["data"]) == 1


def test_reverse_complement_of_iupac_and_rna(bench):
    text = "".join(IUPAC)
    plain = predict(bench, f">a\nA{text}\n", ambiguous="iupac", reverse_complement="all")["data"]
    # The complement exchanges A with T and C with G: rows in reverse order, read backwards.
    assert np.array_equal(plain[1], plain[0][::-1, :, ::-1])
    rna = predict(bench, ">a\nAACGU\n", alphabet="rna", reverse_complement="all")["data"]
    assert np.array_equal(rna[1], rna[0][::-1, :, ::-1])


def test_no_complement_in_an_alphabet_of_other_letters(bench):
    mapping = bench.write("map.tsv", "A 1 0\nQ 0 1\n")
    section = {"predict": {"new": {"sequences": bench.write("a.fa", ">a\nAQ\n")}}}
    bench.refused(
        section | {"alphabet": mapping, "reverse_complement": "all"}, "reverse_complement"
    )
