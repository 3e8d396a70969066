"""Lines of BED: what has one meaning is read, everything else is a sentence with its cause."""

from __future__ import annotations

import random

import numpy as np
import pytest

COMPLEMENT = str.maketrans("ACGTN", "TGCAN")
CHROMOSOMES = {
    name: "".join(random.Random(name).choices("ACGT", k=length))
    for name, length in (("chr1", 400), ("chr2", 300), ("track1", 50), ("7", 200))
}


@pytest.fixture
def genome(bench) -> str:
    text = "".join(
        f">{name}\n" + "".join(s[i : i + 60] + "\n" for i in range(0, len(s), 60))
        for name, s in CHROMOSOMES.items()
    )
    return bench.write("genome.fa", text)


def section(bench, genome: str, bed: str, name: str = "a.bed", **options) -> dict:
    path = bench.write(name, bed)
    return {"predict": {"new": {"sequences": path}}, "genome": genome, **options}


def letters(array: np.ndarray) -> list[str]:
    """Sequences of a one-hot array (N, 4, 1, L); N where there is none."""
    best = np.where(array.any(axis=1), array.argmax(axis=1), 4)[:, 0]
    return ["".join("ACGTN"[code] for code in row) for row in best]


def cut(place: str, strand: str = "+") -> str:
    chromosome, _, span = place.partition(":")
    start, end = map(int, span.split("-"))
    sequence = "".join(
        CHROMOSOMES[chromosome][i] if 0 <= i < len(CHROMOSOMES[chromosome]) else "N"
        for i in range(start, end)
    )
    return sequence.translate(COMPLEMENT)[::-1] if strand == "-" else sequence


@pytest.mark.parametrize(
    "line,words",
    [
        ("chr1\t10\t20\t-", ["strand '-' in column 4", "column 6"]),
        ("chr1\t10\t20\t+,-", ["strand '+,-' in column 4"]),
        ("chr1\t10\t20\ta\t-", ["strand '-' in column 5"]),
        ("chr1\t10\t20\ta\t+", ["strand '+' in column 5"]),
        ("chr1\t10\t20\ta\t-\t.", ["strand '-' in column 5"]),
        ("chr1\t10\t20\ta\t-1", ["strand, '-1' in column 5"]),
        ("chr1\t10\t20\ta\t*", ["strand, '*' in column 5"]),
        ("chr1\t10\t20\tminus", ["strand, 'minus' in column 4"]),
        ("chr1\t10\t20\ta\t0\t.\t-", ["strand '-' in column 7"]),
        ("chr1\t10\t20\ta\t0\t*", ["strand '*' in column 6"]),
        ("chr1\t10\t20\ta\t0\t-1", ["strand '-1' in column 6"]),
        ("chr1\t10\t20\ta\t0\tF", ["strand 'F' in column 6"]),
        ("chr1\t1e+02\t120", ["start '1e+02'", "exponent", "100"]),
        ("chr1\t100.0\t120.0", ["start '100.0'", "decimal point", "100"]),
        ("chr1\t100\t120.5", ["end '120.5'", "no whole number"]),
        ("chr1\t1,000\t1,100", ["start '1,000'", "thousands commas", "1000"]),
        ("chr1\t+5\t20", ["start '+5'", "sign", "5"]),
        ("chr1\t5\t-20", ["end -20", "larger"]),
        ("chrom\tstart\tend\tname", ["column names", "remove the line"]),
        ("seqnames\tstart\tend\twidth\tstrand", ["column names"]),
        ('"chr1"\t10\t20', ["quotes around 'chr1'"]),
        ("peak1\tchr1\t10\t20", ["chromosome in column 2", "another order"]),
        ("10\t20\tchr1", ["chromosome in column 3", "another order"]),
        ("5\tchr1\t10\t20", ["chromosome in column 2", "another order"]),
        ("chr1:10-20", ["three columns"]),
        ("chr1,10,20", ["tabs or blanks"]),
        ("chr1\t10 20", ["tabs between all"]),
        ("chr1\t\t20", ["start ''", "no whole number"]),
        ("chr1\t5\t9-Mar", ["end '9-Mar'", "no whole number"]),
        ("chr1\t٥\t٩", ["no whole number"]),
        ("chr1\t20\t20", ["end must be larger"]),
        ("chr1\t20\t10", ["end must be larger"]),
        ("chrX\t10\t20", ["'chrX'", "not in", "same genome"]),
        ("chr1\t10\tx", ["end 'x'", "no whole number"]),
    ],
)
def test_a_wrong_line_tells_its_cause(bench, genome, line, words):
    good = "chr1\t0\t10\tgood\t0\t+\n"
    bench.refused(section(bench, genome, f"{good}{line}\n"), "a.bed: line 2", *words)


@pytest.mark.parametrize("line", ["chr1\t1e+02\t120", "chrom\tstart\tend", "peak1\tchr1\t10\t20"])
def test_a_wrong_first_line_tells_its_cause(bench, genome, line):
    sentence = bench.refused(section(bench, genome, f"{line}\nchr1\t0\t10\n"), "a.bed: line 1")
    assert any(w in sentence for w in ("exponent", "column names", "another order"))


@pytest.mark.parametrize("head", ["#name\tchrom\tstart\tend\n", "#start\tend\tchrom\n"])
def test_a_commented_header_in_another_order_is_told(bench, genome, head):
    """Without it the columns 7, 1 and 100 would be read as an interval."""
    bench.refused(section(bench, genome, head + "7\t1\t100\t150\n"), "line 1", "another order")


def test_track_and_browser_are_whole_words(bench, genome):
    bed = (
        "browser position chr1:1-100\ntrack name=x\ntrack\n#chrom\tstart\tend\n"
        "track1\t5\t15\n# comment\nchr1\t5\t15\n"
    )
    made = bench.run(section(bench, genome, bed))["new"]
    assert letters(made["data"]) == [cut("track1:5-15"), cut("chr1:5-15")]


def test_a_missing_strand_and_a_bed_of_twelve_columns_are_read(bench, genome):
    bed = (
        "chr1\t10\t20\ta\t\t-\nchr2\t10\t20\t.\t.\t.\n"
        "chr1\t100\t110\ttx\t0\t-\t100\t110\t0\t1\t10,\t0,\n"
    )
    made = bench.run(section(bench, genome, bed))["new"]
    wanted = [cut("chr1:10-20", "-"), cut("chr2:10-20"), cut("chr1:100-110", "-")]
    assert letters(made["data"]) == wanted
    assert made["name"].tolist() == [b"a", b"chr2:10-20", b"tx"]


NARROW = "chr1\t100\t200\tpk{}\t90\t{}\t5.1\t9.3\t4.7\t{}\n"


def test_the_summit_of_a_narrow_peak_is_the_windows_centre(bench, genome):
    bed = NARROW.format(1, ".", 10) + NARROW.format(2, "-", 99) + NARROW.format(3, "+", -1)
    made = bench.run(section(bench, genome, bed, window=20))["new"]
    centres = [110, 199, 150]
    assert made["interval"].tolist() == [
        f"chr1:{c - 10}-{c + 10}({s})".encode() for c, s in zip(centres, ".-+", strict=True)
    ]
    assert letters(made["data"])[0] == cut("chr1:100-120")
    made = bench.run(section(bench, genome, bed, window=20, center="middle"))["new"]
    assert {i[:12] for i in made["interval"].tolist()} == {b"chr1:140-160"}
    made = bench.run(section(bench, genome, bed))["new"]
    assert {i[:12] for i in made["interval"].tolist()} == {b"chr1:100-200"}


def test_summits_beyond_the_peak_are_refused(bench, genome):
    for summit in ("100", "-2", "x"):
        bed = 'track type="narrowPeak"\n' + NARROW.format(1, ".", summit)
        bench.refused(section(bench, genome, bed, window=20), "line 2", f"'{summit}'", "middle")


@pytest.mark.parametrize(
    "rest",
    [
        "100\t200\t0\t7",  # thickStart, thickEnd, colour and a column of one's own
        "100\t200\t255,0,0\t7",
        "100\t200\t0\t2\t10,10,\t0,90,",  # BED12: blocks
    ],
)
def test_ten_columns_that_are_no_narrow_peak_have_no_summit(bench, genome, rest):
    bed = f"chr1\t100\t200\ta\t0\t+\t{rest}\n"
    made = bench.run(section(bench, genome, bed, window=20))["new"]
    assert made["interval"].tolist() == [b"chr1:140-160(+)"]


def test_blocks_are_told_not_to_be_joined(bench, genome, caplog):
    bed = "chr1\t100\t200\ttx{}\t0\t-\t100\t200\t0\t2\t10,10,\t0,90,\n"
    made = bench.run(section(bench, genome, bed.format(1) + bed.format(2)))["new"]
    assert letters(made["data"]) == [cut("chr1:100-200", "-")] * 2
    told = [r.getMessage() for r in caplog.records if "blocks" in r.getMessage()]
    assert len(told) == 1 and told[0].startswith("warning: ") and "line 1" in told[0]


OUTSIDE = "chr1\t5\t15\tleft\nchr1\t100\t120\tin\nchr1\t-3\t9\tbefore\nchr1\t380\t412\tright\n"


def test_windows_past_an_end_are_an_error_unless_asked(bench, genome):
    bench.refused(section(bench, genome, OUTSIDE, window=40), "line 1", "chr1:-10-30", "outside")
    bench.refused(section(bench, genome, "chr1\t-3\t9\n"), "line 1", "-3", "outside")
    bench.refused(section(bench, genome, "chr1\t390\t410\n"), "line 1", "past the end", "400")
    # length: pad is about sequences of unequal lengths, not about the ends of chromosomes.
    bench.refused(section(bench, genome, OUTSIDE, window=40, length="pad"), "line 1", "outside")


def test_windows_past_an_end_are_dropped_with_their_names(bench, genome, caplog):
    made = bench.run(section(bench, genome, OUTSIDE, window=40, outside="drop"))["new"]
    assert made["name"].tolist() == [b"in"]
    assert letters(made["data"]) == [cut("chr1:90-130")]
    told = [r.getMessage() for r in caplog.records if "dropped" in r.getMessage()]
    assert len(told) == 1 and told[0].startswith("warning: ")
    for word in ("3 of 4", "left (line 1)", "before (line 3)", "right (line 4)"):
        assert word in told[0]
    bench.data.joinpath("new.h5").unlink()
    bench.data.joinpath("new.stats.json").unlink()
    only = "chr1\t5\t15\n"
    bench.refused(section(bench, genome, only, window=40, outside="drop"), "all 1 intervals")


def test_labels_and_pairs_are_dropped_with_their_intervals(bench, genome):
    targets = bench.write("t", "1\n2\n3\n4\n")
    source = {"sequences": bench.write("a.bed", OUTSIDE), "targets": targets}
    source["paired"] = bench.write("b.fa", "".join(f">{c}\n{c * 40}\n" for c in "ACGT"))
    made = bench.run({"train": source, "genome": genome, "window": 40, "outside": "drop"})["train"]
    assert made["label"].tolist() == [[2]]
    assert letters(made["data"][:, :, 1:]) == ["C" * 40]


def test_records_keep_their_numbers_where_others_are_dropped(bench):
    genome = bench.write("genome.fa", ">chr1\n" + "ACGT" * 20 + "R" + "ACGT" * 20 + "\n")
    bed = "chr1\t0\t4\nchr1\t20\t24\nchr1\t158\t161\nchr1\t78\t82\tbad\n"
    options = {"genome": genome, "window": 10, "outside": "drop"}
    source = {"predict": {"new": {"sequences": bench.write("a.bed", bed)}}}
    bench.refused(source | options, "record 4 (bad)", "'R'")


def test_dropped_intervals_take_no_part_in_widths_and_splits(bench, genome):
    lines = [f"chr1\t{s}\t{s + 20}\tp{s}\n" for s in range(20, 360, 10)]
    crop = {"genome": genome, "window": 40, "outside": "drop", "length": "crop"}
    positives = bench.write("a.bed", OUTSIDE + "".join(lines))
    split = {"by": "fraction", "valid": 0.2, "test": 0.2}
    made = bench.run({"positives": positives, "negatives": "shuffle", "split": split, **crop})
    assert sum(len(s["data"]) for s in made.values()) == 2 * (len(lines) + 1)
    assert all(s["data"].shape[-1] == 40 for s in made.values())


def test_windows_past_an_end_are_padded_or_moved(bench, genome):
    made = bench.run(section(bench, genome, OUTSIDE, window=40, outside="pad"))["new"]
    spans = ["-10-30", "90-130", "-17-23", "376-416"]
    assert made["interval"].tolist() == [f"chr1:{s}(.)".encode() for s in spans]
    wanted = [
        "N" * 10 + cut("chr1:0-30"),
        cut("chr1:90-130"),
        "N" * 17 + cut("chr1:0-23"),
        cut("chr1:376-400") + "N" * 16,
    ]
    assert letters(made["data"]) == wanted
    made = bench.run(section(bench, genome, OUTSIDE, window=40, outside="shift"))["new"]
    wanted = ["chr1:0-40", "chr1:90-130", "chr1:0-40", "chr1:360-400"]
    assert letters(made["data"]) == [cut(place) for place in wanted]
    assert made["interval"].tolist() == [f"{place}(.)".encode() for place in wanted]


@pytest.mark.parametrize("outside", ["pad", "shift"])
@pytest.mark.parametrize("line", ["chr1\t400\t420", "chr1\t5000\t5020", "chr1\t-30\t-10"])
def test_intervals_wholly_outside_are_never_letters(bench, genome, outside, line):
    bed = f"chr1\t100\t120\n{line}\n"
    bench.refused(section(bench, genome, bed, window=40, outside=outside), "line 2", "nothing of")
    made = bench.run(section(bench, genome, bed, window=40, outside="drop"))["new"]
    assert len(made["name"]) == 1


def test_windows_longer_than_the_chromosome(bench, genome):
    bed = "track1\t20\t30\n"
    bench.refused(section(bench, genome, bed, window=60, outside="shift"), "longer than track1")
    made = bench.run(section(bench, genome, bed, window=60, outside="pad"))["new"]
    assert letters(made["data"]) == ["N" * 5 + cut("track1:0-50") + "N" * 5]


def test_keys_are_checked(bench, genome):
    bed = "chr1\t100\t120\n"
    bench.refused(section(bench, genome, bed, outside="clip"), "preprocess.outside", "'clip'")
    bench.refused(section(bench, genome, bed, center="start"), "preprocess.center", "'start'")
    source = {"predict": {"new": {"sequences": bench.write("a.fa", ">a\nACGT\n")}}}
    bench.refused(source | {"outside": "drop"}, "preprocess.outside", "genome")
