"""Splits, shuffled negatives, duplicates and statistics."""

from __future__ import annotations

import io
import logging
import random
from collections import Counter

import numpy as np
import pytest

from dlutil_core.preprocess.encode.shuffle import shuffle_sequences


def pairs(sequence: bytes) -> Counter[bytes]:
    return Counter(sequence[i : i + 2] for i in range(len(sequence) - 1))


def peaks(bench, count: int = 200, chromosomes: int = 5, name: str = "peaks.fa") -> str:
    generator = random.Random(1)
    lines = [
        f">chr{i % chromosomes + 1}:{i * 100}-{i * 100 + 40}\n"
        + "".join(generator.choices("ACGT", k=40))
        for i in range(count)
    ]
    return bench.write(name, "\n".join(lines))


@pytest.mark.parametrize("letters", [b"ACGT", b"ACGTN", b"AC", b"ACDEFGHIKLMNPQRSTVWY"])
def test_shuffles_keep_dinucleotide_counts_and_both_ends(letters):
    generator = random.Random(1)
    sequences = [bytes(generator.choices(letters, k=k % 80 + 1)) for k in range(400)]
    shuffled = shuffle_sequences(sequences, 1, 1)
    for before, after in zip(sequences, shuffled, strict=True):
        assert pairs(before) == pairs(after)
        assert before[0] == after[0] and before[-1] == after[-1]
    long = [i for i, s in enumerate(sequences) if len(s) > 40 and len(letters) > 2]
    assert sum(sequences[i] == shuffled[i] for i in long) <= len(long) // 50


def test_shuffles_are_uniform_over_all_euler_walks():
    """ACAGATACTA has 24 sequences with its dinucleotides; each as likely (chi-square, 23 d.f.)."""
    draws = 24_000
    counts = Counter(shuffle_sequences([b"ACAGATACTA"] * draws, 7, 1))
    assert len(counts) == 24
    statistic = sum((n - draws / 24) ** 2 / (draws / 24) for n in counts.values())
    assert statistic < 49.7  # the 0.999 quantile


def test_a_shuffle_depends_on_seed_number_and_sequence_alone():
    generator = random.Random(2)
    sequences = [bytes(generator.choices(b"ACGT", k=50)) for _ in range(20)]
    whole = shuffle_sequences(sequences, 3, 1)
    assert whole[7:] == shuffle_sequences(sequences[7:], 3, 8)
    assert whole != shuffle_sequences(sequences, 4, 1)
    assert whole[0] != shuffle_sequences(sequences[:1], 3, 2)[0]


def test_positives_with_shuffled_negatives_by_chromosome(bench):
    split = {"by": "chromosome", "valid": ["chr2"], "test": ["chr1", "chr3"]}
    made = bench.run({"positives": peaks(bench), "negatives": "shuffle", "split": split})
    for name, allowed in {"train": "45", "valid": "2", "test": "13"}.items():
        assert {n.decode()[3] for n in made[name]["name"]} == set(allowed)
        assert made[name]["label"].tolist() == [[1], [0]] * (len(made[name]["label"]) // 2)
        letters = made[name]["data"].argmax(axis=1)[:, 0].astype(np.uint8)
        for positive, negative in zip(letters[0::2], letters[1::2], strict=True):
            assert pairs(positive.tobytes()) == pairs(negative.tobytes())
            assert not np.array_equal(positive, negative)
    assert sum(len(s["data"]) for s in made.values()) == 400


def test_several_shuffles_of_each_positive(bench):
    section = {
        "positives": peaks(bench),
        "negatives": "shuffle",
        "negatives_per_positive": 3,
        "split": {"by": "fraction", "valid": 0.25, "test": 0.25},
    }
    made = bench.run(section)
    assert [len(made[n]["data"]) for n in ("train", "valid", "test")] == [400, 200, 200]
    for arrays in made.values():
        assert arrays["label"].ravel().tolist() == [1, 0, 0, 0] * (len(arrays["label"]) // 4)
        # a positive and its shuffles stay together
        roots = [n.split(b"_")[0] for n in arrays["name"].tolist()]
        assert set(Counter(roots).values()) == {4}
        assert len(np.unique(arrays["data"], axis=0)) == len(arrays["data"])


def test_negatives_from_a_file(bench):
    source = {
        "positives": bench.write("p.fa", ">a\nACGT\n>b\nAAAA\n"),
        "negatives": bench.write("n.fa", ">c\nGGGG\n"),
    }
    made = bench.run({"train": source})["train"]
    assert made["label"].tolist() == [[1], [1], [0]]
    assert made["name"].tolist() == [b"a", b"b", b"c"]


def test_fractions_are_stratified_and_seeded(bench):
    fa = peaks(bench, 1000)
    targets = bench.write("t", "".join(f"{int(i % 10 == 0)}\n" for i in range(1000)))
    section = {"sequences": fa, "targets": targets, "split": {"valid": 0.1, "test": 0.2}}
    first = bench.run(section)
    for name, share in {"train": 0.7, "valid": 0.1, "test": 0.2}.items():
        assert len(first[name]["label"]) == 1000 * share
        assert first[name]["label"].sum() == 100 * share
    again = bench.run(section)
    other = bench.run(section, seed=2)
    assert first["test"]["name"].tolist() == again["test"]["name"].tolist()
    assert first["test"]["name"].tolist() != other["test"]["name"].tolist()
    names = [name for arrays in first.values() for name in arrays["name"].tolist()]
    assert len(set(names)) == 1000


def test_a_regression_target_is_stratified_by_rank(bench):
    targets = bench.write("t", "".join(f"{i / 7}\n" for i in range(1000)))
    section = {"sequences": peaks(bench, 1000), "targets": targets, "split": {"test": 0.1}}
    test = np.sort(bench.run(section)["test"]["label"][:, 0] * 7)
    assert np.histogram(test, bins=10, range=(0, 1000))[0].tolist() == [10] * 10


@pytest.mark.parametrize(
    "header",
    ["chr7:5-10", "peak::chr7:5-10(+)", "chr7:5-10 score", "hg38_dna range=chr7:5-10 strand=+"],
)
def test_chromosomes_in_headers(bench, header):
    fa = bench.write("a.fa", f">{header}\nACGT\n>chr1:1-2\nAAAA\n")
    made = bench.run({"sequences": fa, "split": {"by": "chromosome", "test": ["chr7"]}})
    assert made["test"]["name"].tolist() == [header.encode()]


def test_empty_sets_after_a_split(bench):
    fa = peaks(bench, 20, chromosomes=2)
    by = {"by": "chromosome"}
    bench.refused({"sequences": fa, "split": by | {"test": ["chr9"]}}, "test is empty", "chr1")
    bench.refused({"sequences": fa, "split": by | {"test": ["chr1", "chr2"]}}, "train is empty")
    bench.refused({"sequences": fa, "split": {"test": 0.01}}, "test is empty", "0.01")
    bench.refused(
        {"sequences": bench.write("b.fa", ">a\nACGT\n"), "split": by | {"test": ["chr1"]}},
        "b.fa: record 1 (a)",
        "chromosome",
    )


def messages(caplog) -> str:
    return "\n".join(record.getMessage() for record in caplog.records)


def test_leaks_and_repeats_are_told_with_two_records(bench, caplog):
    logger = logging.getLogger("dlutil")
    logger.addHandler(caplog.handler)
    sets = {
        "train": {"sequences": bench.write("a.fa", ">t1\nACGTA\n>t2\nCCCCC\n>t3\nacgta\n")},
        "test": {"sequences": bench.write("b.fa", ">s1\nGGGGG\n>s2\nCCCCC\n>s2\nTTTTT\n")},
        "predict": {"new": {"sequences": bench.write("c.fa", ">n1\nGGGGG\n")}},
    }
    bench.run(sets)
    logger.removeHandler(caplog.handler)
    said = messages(caplog)
    assert "1 records of test are in train too, for example 's2' is equal to 't2'" in said
    assert "1 records of train repeat the sequence of another one, for example 't3'" in said
    assert "names of test repeat another one, for example 's2' names the records 2 and 3" in said
    assert "of new are in" not in said
    found = bench.statistics("test")["duplicates"]
    assert found["across"]["train"] == {"records": 1, "example": ["t2", "s2"]}
    assert found["names"] == 1
    assert bench.statistics("train")["duplicates"]["within"]["records"] == 1


def test_duplicates_are_the_same_in_any_number_of_buckets(monkeypatch):
    import tempfile

    from dlutil_core.preprocess.encode import row_hashes

    generator = np.random.default_rng(1)
    spools = {}
    arrays = {name: generator.integers(0, 400, 300).astype(np.uint64) for name in ("a", "b", "c")}
    for name, array in arrays.items():
        spools[name] = tempfile.TemporaryFile()  # noqa: SIM115
        spools[name].write(array.tobytes())
    one = row_hashes.find_duplicates(spools)
    monkeypatch.setattr(row_hashes, "BUCKET_RECORDS", 50)
    many = row_hashes.find_duplicates(spools)
    assert one == many
    for name, array in arrays.items():
        assert one.within[name].count == len(array) - len(set(array.tolist()))
    for (first, second), repeats in one.across.items():
        assert repeats.count == np.isin(arrays[second], arrays[first]).sum()
        i, j = repeats.example
        assert arrays[first][i] == arrays[second][j]


def test_hashes_differ_in_every_byte():
    rows = np.zeros((101 * 4 + 1, 101), np.uint8)
    for i in range(101 * 4):
        rows[i + 1, i // 4] = i % 4 + 1
    from dlutil_core.preprocess.encode.row_hashes import hash_rows

    assert len(set(hash_rows(rows).tolist())) == len(rows)
    wide = np.pad(rows, ((0, 0), (0, 3)))
    assert np.array_equal(hash_rows(rows[:1]), hash_rows(rows[:1].copy()))
    assert hash_rows(wide).shape == (len(rows),)


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_a_bar_and_a_log_plain_lines(bench, caplog, monkeypatch):
    from dlutil_core.common import terminal

    monkeypatch.setattr(terminal, "BAR_SECONDS", 0)
    monkeypatch.setattr(terminal, "LINE_SECONDS", 0)
    section = {"predict": {"new": {"sequences": peaks(bench, 30)}}}
    screen = Screen()
    monkeypatch.setattr("sys.stderr", screen)
    bench.run(section)
    assert "\rpreprocessing: 30 records, " in screen.getvalue()
    assert screen.getvalue().endswith("\r\033[K"), "the bar is taken off at the end"
    logger = logging.getLogger("dlutil")
    plain = io.StringIO()
    monkeypatch.setattr("sys.stderr", plain)
    logger.addHandler(caplog.handler)
    caplog.set_level(logging.INFO, "dlutil")
    bench.run(section)
    logger.removeHandler(caplog.handler)
    assert "preprocessing: 30 records, " in messages(caplog) and "records/s" in messages(caplog)
    assert "\r" not in plain.getvalue()


def test_leftovers_of_a_killed_run_are_removed(bench):
    bench.data.mkdir()
    (bench.data / ".new.h5.123.tmp").write_text("cut")
    (bench.data / ".other.h5.123.tmp").write_text("not ours")
    bench.run({"predict": {"new": {"sequences": peaks(bench)}}})
    names = sorted(path.name for path in bench.data.iterdir())
    assert names == [".other.h5.123.tmp", "encoding.json", "new.h5", "new.stats.json"]


def test_label_statistics(bench):
    fa = peaks(bench, 4)
    bench.run({"train": {"sequences": fa, "targets": bench.write("t", "0 0.5\n1 1\n1 2\n1 3\n")}})
    first, second = bench.statistics("train")["labels"]
    assert first == {"min": 0, "max": 1, "mean": 0.75, "counts": {"0": 1, "1": 3}}
    assert (second["min"], second["max"], second["mean"]) == (0.5, 3, 1.625)
