"""Tables of numbers and labels: one separator, one meaning, or one sentence with the line."""

from __future__ import annotations

import logging

import h5py
import numpy as np
import pytest

from dlutil_core.preprocess.read.cells import find_separator
from dlutil_core.preprocess.read.numbers import NumberReader

LETTERS = ["ACGT", "GGCC", "TTTT", "ACCA", "CATG", "GATT"]


def source(bench, targets: str, count: int = 0) -> dict:
    count = count or len([line for line in targets.splitlines() if line and line[0] != "#"])
    fasta = "".join(f">s{i}\n{LETTERS[i % 6]}\n" for i in range(count))
    return {"sequences": bench.write("a.fa", fasta), "targets": bench.write("a.t", targets)}


def labels(bench, targets: str, count: int = 0, **options) -> np.ndarray:
    made = bench.run({"train": source(bench, targets, count), **options})
    return made["train"]["label"]


@pytest.mark.parametrize(
    "text,words",
    [
        ("0,53\n1,20\n2,75\n0,01\n", ["line 1", "'0,53'", "decimal or thousands comma"]),
        ("0,5\n1,2\n3,7\n", ["line 1", "'0,5'", "decimal"]),
        ("#\n5,25\n-1,25\n", ["line 2", "'5,25'"]),
        ("1,200\n3,450\n2,000\n", ["line 1", "'1,200'", "thousands"]),
        ("1,200,000\n3,450,111\n", ["line 1", "thousands"]),
        ("1,200.50\n3,450.25\n", ["line 1", "'1,200.50'"]),
        ("1 200\n3 000\n", ["line 2", "'3 000'", "thousands"]),
        ("0,53;1,2\n1,20;1,2\n", ["line 1", "'0,53'", "decimal point"]),
        ('"0,53"\n"1,20"\n', ["line 1", "'0,53'", "decimal point"]),
        ("0,5\t1,5\n0,6\t1,6\n", ["line 1", "'0,5'", "decimal point"]),
        ("950\n1,200\n", ["line 2", "commas"]),
        ("1,200\n950\n", ["line 1", "thousands comma"]),
        ("1\t2\n3 4\n", ["line 2", "1 targets", "tabs"]),
        ("1,2,3\n1;2;3\n", ["line 2", "semicolons"]),
        ("1\t2\n3\t\n", ["line 2", "empty cell", "columns.missing"]),
        ("1,,2\n3,4,5\n", ["line 1", "empty cell"]),
        ("1\n0\n\n0\n", ["line 3", "empty", "columns.missing"]),
        ("1\nNA\n0\n", ["line 2", "'NA'", "columns.missing"]),
        ("1\nnan\n0\n", ["line 2", "'nan'", "columns.missing"]),
        ("1\ninf\n", ["line 2", "'inf'", "finite"]),
        ("1\n1e39\n", ["line 2", "'1e39'", "float32"]),
        ("1\n-3.5e38\n", ["line 2", "float32"]),
        ("label\n1\n0\n", ["line 1", "'label'", "header line"]),
        ("a b\n1 2\n3 4\n", ["line 1", "'a b'", "header line"]),
        ("class\nx\ny\n", ["line 1", "'class'", "header line"]),
        ("s0 1\ns1 1\ns1 y\n", ["line 3", "'y'"]),
        ("s0 1\ns1 0\ns2 1\n", ["line 1", "'s0'", "names"]),
        ("x\n1\n0\n1\n0\n", ["line 1", "'x'", "header line"]),
        ("x\n1\nx\n", ["line 1", "'x'"]),
        ("1\n2\nx\n", ["line 3", "'x'", "finite number"]),
        ("50%\n60%\n", ["line 1", "'50%'"]),
        ("1.234,5\n2.345,6\n", ["line 1", "'1.234,5'", "decimal or thousands comma"]),
        ("3,5e3\n2,5e3\n", ["line 1", "'3,5e3'", "decimal"]),
        (",0\n0,1\n1,0\n", ["line 1", "header line"]),
        ("low activity\nhigh activity\n", ["line 1", "text with blanks"]),
        ("−1\n2\n", ["line 1", "finite number"]),
        ("0x10\n1\n", ["line 1", "'0x10'", "finite number"]),
        ("1\nTrue\n", ["line 2", "'True'"]),
        ("1'000\n2'000\n", ["line 1", "finite number"]),
        ('"a\n1\n', ["line 1", "quotation"]),
    ],
)
def test_targets_that_are_refused(bench, text, words):
    bench.refused({"train": source(bench, text)}, "a.t", *words)


@pytest.mark.parametrize("mark", ["\t", ",", ";", " ", "  ", ", ", " \t "])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_any_separator_gives_the_same_numbers(bench, mark, end):
    rows = [[0.25, -1, 3e-4], [1, 2, 7], [12.5, 1e6, 0]]
    text = "".join(mark.join(map(repr, row)) + end for row in rows)
    assert np.array_equal(labels(bench, text, 3), np.array(rows, np.float32))


@pytest.mark.parametrize(
    "text,expected",
    [
        ("0,1\n1,0\n0,0\n", [[0, 1], [1, 0], [0, 0]]),
        ("#a,b\n5,25\n7,10\n", [[5, 25], [7, 10]]),
        ("0.5,100\n0.7,200\n", [[0.5, 100], [0.7, 200]]),
        ("1 100\n2 200\n", [[1, 100], [2, 200]]),
        ("# made by hand\n1\n# between\n2\n\n\n", [[1], [2]]),
        ('"1"\t"2"\n"3"\t"4"\n', [[1, 2], [3, 4]]),
        ("3.4e38\n1\n", [[3.4e38], [1]]),
    ],
)
def test_targets_with_one_meaning(bench, text, expected):
    assert np.array_equal(labels(bench, text, len(expected)), np.array(expected, np.float32))


def test_mixed_separators_are_seen_in_any_block(bench, monkeypatch):
    from dlutil_core.preprocess.read import text_files

    monkeypatch.setattr(text_files, "BLOCK_BYTES", 4)
    bench.refused({"train": source(bench, "1 2\n3 4\n5\t6\n")}, "line 3", "blanks")


@pytest.mark.parametrize("text", ["0\t5\n1\t7\n2\t6\n", "1,0\n2,1\n3,0\n", "0\n1\n2\n3\n"])
def test_a_column_that_counts_is_warned_of(bench, caplog, text):
    with caplog.at_level(logging.WARNING):
        labels(bench, text)
    assert [r for r in caplog.records if "only counts" in r.message]


def test_other_columns_do_not_count(bench, caplog):
    for text in ("0\t5\n1\t7\n1\t6\n", "2\n3\n4\n", "0\n2\n4\n", "1\n0\n", "0\n1\n"):
        labels(bench, text)
    assert not [r for r in caplog.records if "only counts" in r.message]


def test_features_may_have_a_line_of_names(bench):
    table = np.random.default_rng(1).normal(size=(4, 3)).astype(np.float32)
    body = "\n".join(",".join(repr(float(x)) for x in row) for row in table)
    for first in ("a,b,c\n", ",b,c\n", "#a,b,c\n", "# x\na,b,c\n", ""):
        made = bench.run({"predict": {"new": {"features": bench.write("x.csv", first + body)}}})
        assert np.array_equal(made["new"]["data"][:, 0, 0], table)


@pytest.mark.parametrize(
    "text,words",
    [
        ("a,b\n1,2\nx,3\n", ["line 3", "'x'"]),
        ("a,1\n1,2\n", ["line 1", "'a'"]),
        ("a,b\n1,2,3\n", ["line 2", "3 features"]),
        ("1.5,\n2.5,1\n", ["line 1", "empty cell"]),
        ("1.5,NA\n2.5,1\n", ["line 1", "'NA'"]),
        ("0,5 1,5\n0,6 1,6\n", ["line 1", "decimal"]),
        ("1e39 2\n", ["line 1", "'1e39'", "float32"]),
        ("a,b\nc,d\n", ["line 1", "'a'"]),
    ],
)
def test_features_that_are_refused(bench, text, words):
    section = {"predict": {"new": {"features": bench.write("x.csv", text)}}}
    bench.refused(section | {"columns": {"missing": ["NA", ""]}}, "x.csv", *words)


@pytest.mark.parametrize(
    "text,expected",
    [
        ("1\nNA\n0\n", [1, np.nan, 0]),
        ("1\n\n0\n", [1, np.nan, 0]),
        ("\n1\n0\n", [np.nan, 1, 0]),
        ("1\n0\n\n", [1, 0, np.nan]),
        ("0.5\n-9\n0\n", [0.5, np.nan, 0]),
        ("0,1\n \t\nNA,1\n,0\n", [0, np.nan, np.nan]),
        ("0\t1\n  \n\t\n1\t0\n", [0, np.nan, 1]),
    ],
)
def test_missing_labels_are_taken_where_they_are_named(bench, text, expected):
    made = labels(bench, text, 3, columns={"missing": ["NA", "", -9]})
    assert made.dtype == np.float32
    assert np.array_equal(made[:, 0], np.array(expected, np.float32), equal_nan=True)


def test_labels_that_are_all_missing_are_refused(bench):
    section = {"train": source(bench, "NA\nNA\n"), "columns": {"missing": ["NA"]}}
    bench.refused(section, "preprocess.columns.missing", "every label")


def test_missing_labels_are_counted(bench):
    labels(bench, "1 2\nNA 4\n0 NA\n1 NA\n", columns={"missing": "NA"})
    first, second = bench.statistics("train")["labels"]
    assert first == {"min": 0, "max": 1, "mean": 2 / 3, "counts": {"0": 1, "1": 2}, "missing": 1}
    assert second["missing"] == 2 and second["mean"] == 3


def classes(bench, name: str) -> list[str]:
    with h5py.File(bench.data / f"{name}.h5") as file:
        return [text.decode() for text in file.attrs["classes"]]


def test_texts_are_classes_over_all_sets(bench):
    """Numbered by the sorted names, though they appear in another order and in one set alone."""
    train = bench.write("train.csv", "sequence,label\nACGT,promoter\nACGA,enhancer\n")
    test = bench.write("test.csv", "sequence,label\nGGGG,silencer\nCCCC,enhancer\nAGAG,dark\n")
    new = bench.write("new.csv", "sequence,label\nTTTT,?\n")
    sets = {"train": {"sequences": train}, "test": {"sequences": test}}
    made = bench.run(sets | {"predict": {"new": {"sequences": new}}})
    assert made["train"]["label"].tolist() == [[2], [1]]
    assert made["test"]["label"].tolist() == [[3], [1], [0]]
    assert made["train"]["label"].dtype == np.uint8
    assert "label" not in made["new"]
    for name in ("train", "test", "new"):
        assert classes(bench, name) == ["dark", "enhancer", "promoter", "silencer"]
    [counted] = bench.statistics("test")["labels"]
    assert counted["counts"] == {"dark": 1, "enhancer": 1, "promoter": 0, "silencer": 1}


@pytest.mark.parametrize(
    "text,expected,names",
    [
        ("True\nFalse\nTrue\n", [1, 0, 1], ["False", "True"]),
        ("yes\nno\nno\n", [1, 0, 0], ["no", "yes"]),
        ("é\na-b\nZ\n", [2, 1, 0], ["Z", "a-b", "é"]),
        ('"a b"\nx\n"a, c"\n', [0, 2, 1], ["a b", "a, c", "x"]),
    ],
)
def test_classes_of_targets(bench, text, expected, names):
    assert labels(bench, text)[:, 0].tolist() == expected
    assert classes(bench, "train") == names


def test_classes_in_several_columns_and_a_split(bench):
    rows = [(LETTERS[i % 6] * 2, "ab"[i % 2], "zyx"[i // 8], 0.5) for i in range(24)]
    text = "seq;kind;cell;y\n" + "".join(f"{s};{a};{b};{y}\n" for s, a, b, y in rows)
    made = bench.run(
        {
            "sequences": bench.write("a.csv", text),
            "columns": {"sequence": "SEQ", "labels": ["cell", "Kind", "y"]},
            "split": {"by": "fraction", "test": 0.25},
        }
    )
    with h5py.File(bench.data / "test.h5") as file:
        assert file.attrs["classes.0"].tolist() == [b"x", b"y", b"z"]
        assert file.attrs["classes.1"].tolist() == [b"a", b"b"]
        assert "classes.2" not in file.attrs and "classes" not in file.attrs
    by_line = {
        int(n.split()[1]) - 2: made[s]["label"][i]
        for s in made
        for i, n in enumerate(made[s]["name"].tolist())
    }
    for i, (_, a, b, y) in enumerate(rows):
        assert by_line[i].tolist() == ["xyz".index(b), "ab".index(a), y]


def test_missing_classes_are_nan(bench):
    made = labels(bench, "b\nNA\na\n", columns={"missing": ["NA"]})
    assert np.array_equal(made[:, 0], [1, np.nan, 0], equal_nan=True)


def test_names_are_no_classes(bench):
    text = "".join(f"s{i}\n" for i in range(30))
    bench.refused({"train": source(bench, text)}, "a.t", "line 1", "'s0'", "names")


def test_classes_that_differ_in_case_are_warned_of(bench, caplog):
    labels(bench, "Enhancer\nenhancer\nx\n")
    assert [r for r in caplog.records if "'Enhancer' and 'enhancer'" in r.message]


def test_labels_that_are_guessed_are_told(bench, caplog):
    path = bench.write("a.csv", "Name;SEQUENCE;Label\na;ACGT;1\nb;GGCC;1\n")
    with caplog.at_level(logging.INFO):
        made = bench.run({"sequences": path, "split": {"by": "fraction", "test": 0.5}})
    assert made["train"]["name"].tolist() in ([b"a"], [b"b"])
    assert len([r for r in caplog.records if "column Label" in r.message]) == 1
    path = bench.write("b.csv", "sequence,target_a,Target_b\nACGT,1,2\nGGCC,0,3\n")
    assert bench.run({"train": {"sequences": path}})["train"]["label"].tolist() == [[1, 2], [0, 3]]
    [said] = [r for r in caplog.records if "target_a, Target_b" in r.message]
    assert said.message.startswith("warning:") and said.levelno == logging.WARNING


@pytest.mark.parametrize(
    "text,words",
    [
        ("ACGT 1\nACGA 0\n", ["line 1", "sequence: 1, labels: [2]"]),
        ("1\tACGT\n0\tACGA\n", ["line 1", "sequence: 2, labels: [1]"]),
        ("ACGT,1\nACGA,0\n", ["line 1", "sequence: 1, labels: [2]"]),
        ("0;ACGT\n1;ACGA\n", ["line 1", "sequence: 2, labels: [1]"]),
        ("FoldID\tseq\tBound\nA\tACGT\t1\n", ["line 1", "sequence: seq", "header line"]),
        ("sequence;label\nACGT;0,5\nACGA;0,7\n", ["line 2", "'0,5'", "decimal point"]),
        ("sequence,label\nACGT,1\nACGT,x\n", ["line 3", "'x'", "label"]),
        ("sequence,label\nACGT,1\nACGA,\n", ["line 3", "empty cell", "columns.missing"]),
        ("sequence,label,label\nACGT,1,2\n", ["2 columns", "'label'"]),
        ("sequence\tlabel\nACGT 1\n", ["line 2", "1 columns", "tabs"]),
        ("sequence,label\nACGT,1e39\n", ["line 2", "float32"]),
        ("sequence,label\nACGT,nan\n", ["line 2", "'nan'"]),
    ],
)
def test_tables_that_are_refused(bench, text, words):
    bench.refused({"train": {"sequences": bench.write("a.csv", text)}}, "a.csv", *words)


@pytest.mark.parametrize(
    "text,columns",
    [
        ("# made by x\nsequence,label\nACGT,1\n# between\nGGCC,0\n", {}),
        ("#sequence,label\nACGT,1\nGGCC,0\n", {}),
        ("#id\tdna\ty\nr1\tACGT\t1\nr2\tGGCC\t0\n", {"sequence": "DNA", "label": "Y"}),
        ("sequence label\nACGT 1\nGGCC 0\n", {}),
        ("ACGT 1\nGGCC 0\n", {"sequence": 1, "label": 2}),
        ("\n\nSequence;Target\nACGT;1\n\nGGCC;0\n\n", {}),
    ],
)
def test_tables_with_comments_and_any_separator(bench, onehot, text, columns):
    path = bench.write("a.csv", text)
    made = bench.run({"train": {"sequences": path}, "columns": columns})["train"]
    assert np.array_equal(made["data"], onehot(["ACGT", "GGCC"]))
    assert made["label"].tolist() == [[1], [0]]


def test_numbers_for_columns_that_have_names(bench):
    path = bench.write("a.csv", "seq,y\nACGT,1\n")
    section = {"train": {"sequences": path}, "columns": {"sequence": 1, "labels": [2]}}
    bench.refused(section, "line 1", "header line")


@pytest.mark.parametrize("comment", ["", "#chrom\tstart\tend\tname\tkind\tstrand\n"])
def test_a_label_column_of_bed(bench, comment):
    genome = bench.write("g.fa", ">chr1\n" + "ACGTTGCA" * 10 + "\n")
    lines = "chr1\t0\t4\ta\tx\t+\nchr1\t4\t8\tb\ty\t-\nchr1\t8\t12\tc\tx\t.\n"
    bed = bench.write("a.bed", comment + lines)
    columns = {"label": "Kind" if comment else 5}
    made = bench.run({"genome": genome, "train": {"sequences": bed}, "columns": columns})["train"]
    assert made["label"].tolist() == [[0], [1], [0]]
    assert classes(bench, "train") == ["x", "y"]
    section = {"genome": genome, "train": {"sequences": bed}, "columns": {"label": 9}}
    bench.data = bench.folder / "other"
    bench.refused(section, "a.bed", "column 9")


def test_columns_that_do_not_apply(bench):
    fa = bench.write("a.fa", ">a\nACGT\n")
    bench.refused({"train": {"sequences": fa}, "columns": {"label": 2}}, "a.fa", "columns.labels")
    bench.refused({"train": {"sequences": fa}, "columns": {"paired": 2}}, "a.fa", "columns.paired")
    both = {"label": 2, "labels": [3]}
    bench.refused({"train": {"sequences": fa}, "columns": both}, "preprocess.columns.label")


@pytest.mark.parametrize("keys", [None, "new.fa", []])
def test_a_set_without_files_is_a_sentence(bench, keys):
    bench.refused({"predict": {"new": keys}}, "preprocess.predict.new", "sequences: new.fa")


def test_chromosomes_may_be_numbers(bench):
    path = bench.write("a.fa", ">1:1-5\nACGT\n>2:1-5\nACGA\n>X:1-5\nCCGA\n")
    split = {"by": "chromosome", "valid": [2], "test": ["X"]}
    assert set(bench.run({"sequences": path, "split": split})) == {"train", "valid", "test"}


def test_the_separator_that_fits_all_lines_is_taken():
    assert find_separator([b"a b,c", b"d,e"]).words == "commas"
    assert find_separator([b"0,5;1", b"1,2;3"]).words == "semicolons"
    assert find_separator([b"x\ty z", b"u\tv"]).words == "tabs"
    assert find_separator([b"1", b"2"]).words == "one column"


def test_a_table_is_read_in_small_blocks(bench, monkeypatch):
    from dlutil_core.preprocess.read import text_files

    path = bench.write("a.t", "# x\n\n" + "".join(f"{i}.5;{-i}\n" for i in range(50)))
    for size in (1, 3, 7, 64):
        monkeypatch.setattr(text_files, "BLOCK_BYTES", size)
        made = np.concatenate(list(NumberReader(path, "target")))
        assert np.array_equal(made, [[i + 0.5, -i] for i in range(50)])
