"""Odd VCF files: each line a record with one meaning, or a sentence that names it."""

from __future__ import annotations

import gzip
import random
from pathlib import Path

import pysam
import pytest

from dlutil_core.common.errors import UserError
from dlutil_core.preprocess.encode.alphabet import load
from dlutil_core.preprocess.read.genome import Genome
from dlutil_core.variants.annotated import AnnotatedVcf, keys_of
from dlutil_core.variants.vcf import Record, VariantFile
from dlutil_core.variants.windows import AlleleWindows, Pair, trimmed

HEADER = b"##fileformat=VCFv4.3\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
LENGTHS = {"chr1": 1000, "chrM": 50, "HLA:01": 9}


def source(path: Path, content: bytes, lengths: dict[str, int] = LENGTHS) -> VariantFile:
    path.write_bytes(content)
    return VariantFile(str(path), "genome.fa", lengths)


def records(path: Path, content: bytes) -> list[Record]:
    return list(source(path, content).records())


def sentence(path: Path, content: bytes, lengths: dict[str, int] = LENGTHS) -> str:
    with pytest.raises(UserError) as error:
        source(path, content, lengths).check()
    assert "\n" not in str(error.value)
    return str(error.value)


def test_forms_that_mean_the_same(tmp_path: Path) -> None:
    path = tmp_path / "a.vcf"
    row = b"chr1\t7\trs1\tA\tC,G\t.\t.\t."
    wanted = [Record(3, row.split(b"\t"), "chr1", 7, b"A", (b"C", b"G"))]
    plain = HEADER + row + b"\n"
    assert records(path, plain) == wanted
    for other in (plain[:-1], plain.replace(b"\n", b"\r\n"), b"\xef\xbb\xbf" + plain):
        assert records(path, other) == wanted
        assert records(path, gzip.compress(other)) == wanted
    assert records(path, plain + b"\n\n") == wanted
    (bare,) = records(path, b"chr1\t7\trs1\tA\tC,G")
    assert bare.fields == wanted[0].fields, "no header, five columns"
    assert records(path, HEADER) == []
    (wide,) = records(path, plain.replace(b"INFO", b"INFO\tFORMAT\ta\tb")[:-1] + b"\tGT\t0|1\t.\n")
    assert wide.fields == [*wanted[0].fields, b"GT\t0|1\t."]
    assert records(path, plain + row) == [*wanted, Record(4, *list(vars(wanted[0]).values())[1:])]


@pytest.mark.parametrize("alt", ["*", "<DEL>", "<INS:ME:ALU>", ".", "A[chr2:3[", "]chr2:3]A", ".A"])
def test_alternatives_without_letters(alt: str, tmp_path: Path) -> None:
    (record,) = records(
        tmp_path / "a.vcf", HEADER + f"chr1\t7\t.\tA\t{alt},g".encode() + b"\t.\t.\t."
    )
    assert record.alternatives == (alt.encode(), b"g")


@pytest.mark.parametrize(
    "row,said",
    [
        (b"1\t7\t.\tA\tC\t.\t.\t.", r"line 3 is on 1, which genome\.fa calls chr1; rename"),
        (b"MT\t7\t.\tA\tC\t.\t.\t.", "is on MT, which genome.fa calls chrM"),
        (b"chrX\t7\t.\tA\tC\t.\t.\t.", r"is on chrX, which is not in genome\.fa \(it has chr1"),
        (b"chr1 7 . A C . . .", "line 3 has 1 columns between tabs, but its header has 8"),
        (b"chr1\t7\t.\tA\tC\t.", "line 3 has 6 columns between tabs, but its header has 8"),
        (b"chr1\tx\t.\tA\tC\t.\t.\t.", "has the position 'x', but it must be a whole number"),
        (b"chr1\t-1\t.\tA\tC\t.\t.\t.", "has the position '-1'"),
        (b"chr1\t7\t.\t.\tC\t.\t.\t.", "has the REF '.', but it must be the letters"),
        (b"chr1\t7\t.\tA\tC,,G\t.\t.\t.", "has the ALT '', which is no allele"),
        (b"chr1\t7\t.\tA\t-\t.\t.\t.", "has the ALT '-', which is no allele"),
        (b"chr1\t999999999\t.\tA\tC\t.\t.\t.", r"its index \(\.tbi\) can hold positions up to"),
        (b"chr1\t7\t.\tA\tC\t.\t.\t.\n##more", "line 4 is a line of a header behind records"),
        (b"chr1\t7\t.\tA\0\tC\t.\t.\t.", "line 3 has a NUL byte"),
    ],
)
def test_lines_that_are_refused(row: bytes, said: str, tmp_path: Path) -> None:
    import re

    assert re.search(said, sentence(tmp_path / "a.vcf", HEADER + row + b"\n"))


def test_files_that_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.vcf"
    assert "is empty" in sentence(path, b"")
    assert "chr1, which genome.fa calls 1" in sentence(path, b"chr1\t7\t.\tA\tC", {"1": 9})
    titles = HEADER.replace(b"POS\tID", b"ID\tPOS")
    assert "but the columns of VCF are #CHROM POS ID" in sentence(path, titles)
    assert "is BCF, the binary form" in sentence(path, gzip.compress(b"BCF\2\2" + bytes(50)))
    cut = gzip.compress(HEADER + b"chr1\t7\t.\tA\tC\t.\t.\t.\n" * 999)[:-20]
    assert "the gzip file is cut short or damaged" in sentence(path, cut)


def test_alleles_are_trimmed() -> None:
    assert trimmed(5, b"A", b"C") == (5, b"A", b"C")
    assert trimmed(5, b"GATT", b"GCTT") == (6, b"A", b"C")
    assert trimmed(5, b"A", b"ATT") == (6, b"", b"TT")
    assert trimmed(5, b"CAAA", b"CA") == (6, b"AA", b"")
    assert trimmed(5, b"ACA", b"ACA") == (5, b"ACA", b"ACA")


def windows(folder: Path, letters: str, width: int, padded: bool = False) -> AlleleWindows:
    (folder / "genome.fa").write_text(f">c\n{letters}\n")
    genome = Genome(str(folder / "genome.fa"))
    return AlleleWindows(genome, width, load("dna", "error"), padded)


def of(cutter: AlleleWindows, position: int, reference: str, alternative: str) -> Pair:
    record = Record(1, [], "c", position, reference.encode(), (alternative.encode(),))
    return cutter.of(record, alternative.encode())


def test_windows_are_those_of_edited_texts(tmp_path: Path) -> None:
    rng = random.Random(3)
    letters = "".join(rng.choices("ACGT", k=80))
    for width in (1, 2, 7, 20):
        cutter, plain = windows(tmp_path, letters, width, padded=True), "\0" * 200
        for _ in range(300):
            start, size = rng.randrange(80), rng.choice([1, 1, 2, 9, 40])
            reference = letters[start : start + size]
            alternative = "".join(rng.choices("ACGT", k=rng.choice([1, 1, 2, 9, 40])))
            found = of(cutter, start + 1, reference, alternative)
            at, ref, alt = trimmed(start, reference.encode(), alternative.encode())
            edited = letters[:at] + alt.decode() + letters[at + len(ref) :]
            assert edited == letters[:start] + alternative + letters[start + len(reference) :]
            first = 200 + at + len(ref) // 2 - width // 2
            second = 200 + at + len(alt) // 2 - width // 2
            wanted = (plain + letters + plain)[first : first + width]
            changed = (plain + edited + plain)[second : second + width]
            assert found.sequences == (wanted.encode(), changed.encode())
            assert found.status == ("edge" if "\0" in wanted + changed else "ok")
            if rng.random() < 0.02 and width == 7:
                edge = of(windows(tmp_path, letters, width), start + 1, reference, alternative)
                assert (edge.sequences is None) == (found.status == "edge")


def test_statuses(tmp_path: Path) -> None:
    cutter = windows(tmp_path, "acgtACGTNACGTACGTRACGTACGT", 3)
    assert of(cutter, 3, "G", "t") == Pair("ok", (b"cgt", b"cTt"), 1), "case says nothing"
    assert of(cutter, 3, "U", "t").status == "ref_mismatch"
    assert of(cutter, 4, "u", "A").status == "ok", "U is T"
    assert of(cutter, 8, "T", "A") == Pair("ambiguous", (b"GTN", b"GAN"), 6), "N beside it"
    assert of(cutter, 9, "N", "A").status == of(cutter, 9, "A", "C").status == "ambiguous"
    assert of(cutter, 17, "T", "A") == Pair("ambiguous"), "R has no code here"
    assert of(cutter, 7, "N", "A").status == "ambiguous", "REF does not say which"
    assert of(cutter, 26, "TA", "T").status == "ref_mismatch", "past the end"
    assert of(cutter, 40, "T", "A").status == "ref_mismatch"
    assert of(cutter, 27, "N", "A") == of(cutter, 0, "N", "A") == Pair("edge"), "telomeres"
    assert of(cutter, 1, "A", "C") == of(cutter, 26, "T", "C") == Pair("edge")
    assert of(cutter, 3, "G", "*") == of(cutter, 3, "G", "<DEL>") == Pair("ambiguous")
    assert of(cutter, 3, "A", "<DEL>").status == "ref_mismatch"


def annotated(folder: Path, vcf: VariantFile, titles: list[str], told: list[list[str]]) -> Path:
    file = AnnotatedVcf(folder, vcf.header(), titles)
    for record in vcf.records():
        file.add(record, told)
    file.write(folder / "out.vcf.gz", folder / "out.vcf.gz.tbi", vcf.lengths)
    return folder / "out.vcf.gz"


def test_what_is_annotated_again_is_replaced(tmp_path: Path) -> None:
    row = b"chr1\t7\t.\tA\tC\t.\t.\tAF=0.5;DB\tGT\t0|1"
    head = HEADER.replace(b"INFO\n", b"INFO\tFORMAT\tme\n").replace(
        b"#CHROM", b'##INFO=<ID=AF,Number=A,Type=Float,Description="x">\n#CHROM'
    )
    vcf = source(tmp_path / "a.vcf", head + row + b"\nHLA:01\t3\t.\tA\t.\t.\t.\t.\tGT\t0|0\n")
    once = gzip.decompress(
        annotated(tmp_path, vcf, ["difference", "status"], [["1", "ok"]]).read_bytes()
    )
    lines = once.splitlines()
    assert lines[-2].endswith(b"\tAF=0.5;DB;dlutil_difference=1;dlutil_status=ok\tGT\t0|1")
    assert lines[-1].endswith(b"\t.\t.\t.\t.\tGT\t0|0"), "no allele, nothing to tell"
    assert b"##contig=<ID=HLA:01,length=9>" in lines and lines[-3].endswith(b"FORMAT\tme")
    again = source(tmp_path / "b.vcf", once)
    path = annotated(tmp_path, again, ["difference", "status"], [["2", ""]])
    twice = gzip.decompress(path.read_bytes())
    wanted = once.replace(b"difference=1", b"difference=2").replace(b"status=ok", b"status=.")
    assert sorted(twice.splitlines()) == sorted(wanted.splitlines())
    with pysam.VariantFile(str(path)) as file:
        assert [r.info.get("dlutil_difference") for r in file.fetch("chr1")] == [(2.0,)]


def test_keys_of_outputs_are_told_apart() -> None:
    found = keys_of(["difference.a b", "difference.a-b", "status"])
    assert found == [b"dlutil_difference.a_b", b"dlutil_difference.a_b_2", b"dlutil_status"]
