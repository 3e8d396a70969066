"""Files as R, spreadsheets, browsers and peak callers write them: one meaning, or its cause."""

from __future__ import annotations

import numpy as np
import pytest

RECORDS = "".join(f">s{i}\n{s}\n" for i, s in enumerate(["ACGT", "CCGA", "GATC", "TTTT"]))
CHROMOSOME = "GATTACAGATTACACCGGTTAACC" * 10
R_NAMES = ["line 1", "header line (column names)", "row.names=FALSE"]


def labelled(bench, targets: str, **options) -> dict:
    train = {"sequences": bench.write("a.fa", RECORDS), "targets": bench.write("t", targets)}
    return {"train": train, **options}


def table(bench, text: str, **options) -> dict:
    return {"train": {"sequences": bench.write("a.csv", text)}, **options}


def intervals(bench, bed: str, **options) -> dict:
    genome = bench.write("g.fa", f">chr1\n{CHROMOSOME}\n")
    path = bench.write("a.bed", bed)
    return {"predict": {"new": {"sequences": path}}, "genome": genome, "window": 10, **options}


@pytest.mark.parametrize(
    "targets,words",
    [
        ('"x"\n"1" 0.5\n"2" 0.7\n"3" 1\n"4" 2\n', R_NAMES),
        ("x\n1\t0.5\n2\t0.7\n3\t1\n4\t2\n", R_NAMES),
        ("x\ty\n1\t0.5\t1\n2\t0.7\t1\n3\t1\t1\n4\t2\t1\n", R_NAMES),
        ("#N/A\n1\n0\n1\n", ["line 1", "'#N/A'", "missing"]),
        ("1\n#DIV/0!\n0\n1\n", ["line 2", "'#DIV/0!'"]),
        ("sep=;\n1;2\n1;3\n1;4\n1;5\n", ["line 1", "a hint for spreadsheets"]),
        ("9007199254740993\n1\n2\n3\n", ["line 1", "more than 53 bits", "identifier"]),
        ("0" * 5000 + "9007199254740993\n1\n2\n3\n", ["line 1", "more than 53 bits"]),
        ("A\nB\nA\tx\nB\n", ["line 3", "tab inside"]),
        ("5,10\n1,3\n0,1\n1,1\n", ["line 1", "'5,10'", "a first line that begins with '#'"]),
    ],
)
def test_targets_of_other_tools_that_are_refused(bench, targets, words):
    bench.refused(labelled(bench, targets), *words)


def test_whole_numbers_are_kept_as_far_as_they_are_exact(bench):
    labels = bench.run(labelled(bench, "9007199254740992\n1\n2\n-3\n"))["train"]["label"]
    assert labels.dtype == np.int64 and labels[:, 0].tolist() == [9007199254740992, 1, 2, -3]
    labels = bench.run(labelled(bench, "1e20\n1\n2\n3\n"))["train"]["label"]
    assert labels.dtype == np.float32 and labels[0, 0] == np.float32(1e20)


def test_the_cell_of_a_failed_formula_may_be_a_missing_label(bench):
    section = labelled(bench, "1\n#N/A\n0\n1\n", columns={"missing": ["#N/A"]})
    np.testing.assert_array_equal(bench.run(section)["train"]["label"][:, 0], [1, np.nan, 0, 1])
    section = table(bench, "label,sequence\n#N/A,ACGT\n1,ACGA\n", columns={"missing": ["#N/A"]})
    np.testing.assert_array_equal(bench.run(section)["train"]["label"][:, 0], [np.nan, 1])


def test_one_word_and_then_two_are_classes_and_no_names_of_rows(bench):
    found = bench.run(labelled(bench, "enhancer\nT cell\nT cell\nT cell\n"))["train"]
    assert found["label"][:, 0].tolist() == [1, 0, 0, 0]  # capitals come first


@pytest.mark.parametrize(
    "features,words",
    [
        ("a\tb\n0\t1\t2\n1\t3\t4\n2\t5\t6\n3\t7\t8\n", R_NAMES),
        ('"a" "b"\n"1" 1 2\n"2" 3 4\n"3" 5 6\n"4" 7 8\n', R_NAMES),
        ("gene\ta\ng1\t1\ng2\t3\ng3\t5\ng4\t7\n", ["line 2", "'g1'", "are they names?"]),
        ('"a";"b"\n1,5;2,5\n3,5;4\n5;6\n7;8\n', ["line 2", "'1,5'", "decimal point"]),
    ],
)
def test_features_of_other_tools_that_are_refused(bench, features, words):
    path = bench.write("f.tsv", features)
    bench.refused({"predict": {"new": {"features": path}}}, *words)


@pytest.mark.parametrize(
    "text,columns,words",
    [
        ('"sequence" "label"\n"1" "ACGT" 1\n"2" "ACGA" 0\n', {}, R_NAMES),
        ("label,sequence\n#N/A,ACGT\n1,ACGA\n", {}, ["line 2", "'#N/A'"]),
        ("sep=;\nsequence;label\nACGT;1\n", {}, ["line 1", "a hint for spreadsheets"]),
        (
            "Sequence,sequence,y\nACGT,ACCC,1\n",
            {"labels": ["y"]},
            ["'Sequence'", "'sequence'", "case alone"],
        ),
        (
            "ACGT,0,53\nACGA,1,7\n",
            {"sequence": 1, "labels": [2]},
            ["line 1", "'0,53'", "decimal or thousands comma"],
        ),
    ],
)
def test_tables_of_other_tools_that_are_refused(bench, text, columns, words):
    bench.refused(table(bench, text, columns=columns), *words)


def test_a_comma_between_two_columns_is_none_of_a_number(bench):
    numbered = {"sequence": 1, "labels": [2, 3]}
    found = bench.run(table(bench, "ACGT,0,53\nACGA,1,7\n", columns=numbered))["train"]
    assert found["label"].tolist() == [[0, 53], [1, 7]]
    flags = bench.run(table(bench, "ACGT,0,1\nACGA,1,0\n", columns=numbered | {"labels": [2]}))
    assert flags["train"]["label"].tolist() == [[0], [1]]
    titled = {"sequence": "s", "labels": ["y"]}
    found = bench.run(table(bench, "#s,y,z\nACGT,0,53\nACGA,1,7\n", columns=titled))["train"]
    assert found["label"].tolist() == [[0], [1]]


def test_labels_beside_positives_are_told(bench, caplog):
    path = bench.write("a.csv", "sequence,label\nACGT,1\nACCC,0\n")
    section = {"train": {"positives": path, "negatives": "shuffle"}}
    assert bench.run(section)["train"]["label"][:, 0].tolist() == [1, 0, 1, 0]
    assert f"warning: {path}: the labels in column label are not read" in caplog.text
    bench.refused(section | {"columns": {"labels": ["label"]}}, "columns.labels", "labels 1 and 0")


@pytest.mark.parametrize(
    "line,words",
    [
        ("chr1\t100\t105\tACG\tA,<DEL>\t.\tPASS\tAC=1", ["is VCF"]),
        ("chr1\t100\t150\tA\tG,<*>\t.\t.\tAC=1", ["is VCF"]),
        ("chr1\t100\t150\tA\t*\t.\tPASS\tAC=1", ["is VCF"]),
        ("Chromosome/scaffold name\tGene start (bp)\tGene end (bp)", ["column names"]),
        ("motif_id\tmotif_alt_id\tsequence_name\tstart", ["column names"]),
        ('"chr1"\t"100"\t"120"', ["quotes around its cells"]),
        ("chr1 100\t120", ["tabs between all of its columns"]),
        ("chr1\t100\t120\tF", ["strand, 'F' in column 4"]),
        ("chr1\t501e999\t120", ["'501e999'", "no chromosome is long enough"]),
        ("chr1\t100\t" + "9" * 5000, ["no chromosome is long enough"]),
        ("chr1\t100\t120\tp\t5\t.\t3.2\t5.1\t2.2\t" + "9" * 5000, ["summit", "0 to 19"]),
        ("chr1\t100\t120\tp\t0\t+\t105\t115\t0\t3", ["'105' and '115'", "thickStart", "middle"]),
    ],
)
def test_intervals_of_other_tools_that_are_refused(bench, line, words):
    bench.refused(intervals(bench, line + "\n"), "a.bed: line 1", *words)


@pytest.mark.parametrize(
    "rest",
    ["100\t120\t0\t3", "100\t100\t0\t3", "chr1\t90\t130\tx\t1\t-", "105\t115\t0\t2\t5,5\t0,15"],
)
def test_columns_behind_the_sixth_are_no_summit(bench, rest):
    """A count behind BED of nine columns, with thickStart; an overlap; BED of twelve columns."""
    found = bench.run(intervals(bench, f"chr1\t100\t120\tp\t0\t+\t{rest}\n"))["new"]
    assert found["interval"].tolist() == [b"chr1:105-115(+)"]


def test_an_overlap_in_twelve_columns_has_no_blocks(bench, caplog):
    bench.run(intervals(bench, "chr1\t100\t120\tp\t0\t+\tchr1\t90\t130\tx\t1\t-\n"))
    assert "blocks" not in caplog.text


def test_shuffles_stay_with_headers_of_ensembl(bench):
    heads = [f"T{i} cdna chromosome:GRCh38:{i}:1:12:1" for i in (1, 2, 3)]
    text = "".join(f">{head}\nGATTACAGATTA\n" for head in heads)
    section = {
        "positives": bench.write("a.fa", text),
        "negatives": "shuffle",
        "split": {"by": "chromosome", "valid": ["2"], "test": ["3"]},
        "reverse_complement": "all",
    }
    found = bench.run(section)
    for number, name in enumerate(("train", "valid", "test")):
        names = [found[name]["name"][i].decode() for i in range(4)]
        assert {n.replace("_rc", "").replace("_shuf", "") for n in names} == {heads[number]}


@pytest.mark.parametrize(
    "raw,name",
    [
        (b"\x80\x04\x95\0\0", "a pickle of Python"),
        (b"X\n\0\0\0\3", "data of R"),
        (b"SQLite format 3\0", "SQLite"),
        (b"7z\xbc\xaf\x27\x1c", "7z"),
    ],
)
def test_data_of_other_programs_is_refused_by_name(bench, raw, name):
    bench.refused({"predict": {"new": {"sequences": bench.write("a", raw)}}}, f"is {name}, not")
