"""Which form a file of sequences has, where comments, headers and odd columns stand before them."""

from __future__ import annotations

import pytest

GENOME = ">chr1\n" + "ACGTTGCAAC" * 60 + "\n"


def predict(path: str, **options) -> dict:
    return {"predict": {"new": {"sequences": path}}, **options}


@pytest.mark.parametrize(
    "text",
    [
        ";old comment\n>a\nACGT\n>b\nACGA\n",
        ";one\n;two\n\n>a\nAC\nGT\n>b\nACGA\n",
        "# made by x\n>a\nACGT\n>b\nACGA\n",
        "#\n\n# x\n> a\nACGT\n>  b\nACGA\n",
        "\ufeff>a\nACGT\n>b\nACGA\n",
        "#x\r>a\rACGT\r>b\rACGA\r",
        "#names\na ACGT\n# more\nb ACGA\n",
        ">a\tACGT\n>b\tACGA\n",
        "track1\tACGT\nbrowser\tACGA\n",
    ],
)
def test_comments_and_marks_before_sequences(bench, onehot, text):
    made = bench.run(predict(bench.write("a.txt", text)))["new"]
    assert (made["data"] == onehot(["ACGT", "ACGA"])).all()


@pytest.mark.parametrize(
    "text,words",
    [
        (">a\nACGT\n;note\n>b\nACGA\n", ["record 1 (a)", "';'", "comments"]),
        (">a\nAC#T\n>b\nACGA\n", ["record 1 (a)", "'#'", "comments"]),
        ("# nothing\n# more\n", ["nothing but comment"]),
        ("#a ACGT\nb ACGA\n", ["line 1", "begins with '#'"]),
        (">a TAG\n>b\nACGT\n", ["record 1 (a TAG)", "empty sequence"]),
    ],
)
def test_comments_where_none_may_be(bench, text, words):
    bench.refused(predict(bench.write("a.fa", text)), "a.fa", *words)


@pytest.mark.parametrize(
    "text,words",
    [
        ("ACGT 1\nACGA 0\n", ["line 1", "second column is a number", "{sequence: 1, labels: [2]}"]),
        ("ACGT\tone\nACGA\ttwo\n", ["line 1", "another order"]),
        (
            "1\tACGT\n0\tACGA\n",
            ["line 1", "first column is a number: a label", "{sequence: 2, labels: [1]}"],
        ),
        ("0.5\tACGT\n2.25\tACGA\n", ["line 1", "first column is a number"]),
        ("3 ACGT\n3 ACGA\n", ["line 1", "first column is a number"]),
        ("ACGT,1\nACGA,0\n", ["line 1", "{sequence: 1, labels: [2]}"]),
        ("1,ACGT\n0,ACGA\n", ["line 1", "{sequence: 2, labels: [1]}"]),
        ("FoldID\tseq\tBound\nA\tACGT\t1\n", ["line 1", "preprocess.columns"]),
        ("chr1:5-15\nchr1:9-12\n", ["line 1", "chromosome, start"]),
        ("chr1,5,15\n", ["line 1", "looks like BED", "tabs"]),
        ("chr1;5;15\n", ["line 1", "looks like BED", "tabs"]),
        ("chrom,start,end\nchr1,5,15\n", ["line 1", "column names"]),
        ("chr1\t5\t15\n", ["looks like BED", "preprocess.genome"]),
        ("chrom\tstart\tend\nchr1\t5\t15\n", ["line 1", "column names"]),
    ],
)
def test_columns_in_another_order_are_told(bench, text, words):
    bench.refused(predict(bench.write("a.txt", text)), "a.txt", *words)


def test_names_that_count_are_names(bench):
    text = "".join(f"{i}\tACG{'ACGT'[i % 4]}\n" for i in range(5))
    made = bench.run(predict(bench.write("a.tsv", text)))["new"]
    assert made["name"].tolist() == [b"%d" % i for i in range(5)]


TABLES = {
    "track.csv": "track_id,sequence,label\na,ACGT,1\nb,ACGA,0\n",
    "browser.csv": "browser,sequence,label\na,ACGT,1\nb,ACGA,0\n",
    "coordinates.tsv": "chrom\tstart\tend\tsequence\tlabel\n"
    "chr1\t0\t4\tACGT\t1\nchr1\t4\t8\tACGA\t0\n",
}


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("columns", [None, {"sequence": "sequence", "labels": ["label"]}])
def test_a_table_beside_bed_and_a_genome(bench, onehot, name, columns):
    section = predict(bench.write("p.bed", "chr1\t10\t14\n"))
    section |= {"genome": bench.write("genome.fa", GENOME)}
    section |= {"train": {"sequences": bench.write(name, TABLES[name])}}
    made = bench.run(section | ({"columns": columns} if columns else {}))
    assert (made["train"]["data"] == onehot(["ACGT", "ACGA"])).all()
    assert made["train"]["label"].tolist() == [[1], [0]]
    assert made["new"]["interval"].tolist() == [b"chr1:10-14(.)"]
