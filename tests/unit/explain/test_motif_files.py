"""Files of motifs in each format, told by what they hold."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from dlutil_core.common.errors import UserError
from dlutil_core.explain.motif_files import read_motifs

MEME = "MEME version 4\n\nALPHABET= ACGT\n\nstrands: + -\n\n"
MATRIX = (
    "MOTIF m1 CTCF\nletter-probability matrix: alength= 4 w= 3 nsites= 20 E= 0\n"
    " 1.0 0.0 0.0 0.0\n 0.0 1.0 0.0 0.0\n 0.0 0.0 0.5 0.5\n"
)
LOG_ODDS = "MOTIF m0\nlog-odds matrix: alength= 4 w= 1 E= 0\n 10 -20 -30 -40\n"
OWN = (
    'ALPHABET "DNA" DNA-LIKE\nA "Adenine" CC0000 ~ T "Thymine" 008000\n'
    'C "Cytosine" 0000CC ~ G "Guanine" FFB300\nN = ACGT\nX = ACGT\nEND ALPHABET\n'
)
HOMER = ">ACK\tCTCF/x\t6.1\t-10\t0\n"
HOMER_ROWS = "1 0 0 0\n0 1 0 0\n0 0 0.5 0.5\n"

# Each holds the columns A, C and G or T with 20 sites, or probabilities, which count as 20.
SAME = {
    "meme": MEME + MATRIX,
    "meme crlf": (MEME + MATRIX).replace("\n", "\r\n"),
    "meme mac": (MEME + MATRIX).replace("\n", "\r"),
    "meme no width": MEME + MATRIX.replace(" w= 3", ""),
    "meme no header": MATRIX,
    "meme rna": (MEME + MATRIX).replace("ACGT", "ACGU"),
    "meme own alphabet": "MEME version 5\n\n" + OWN + MATRIX,
    "meme log-odds first": MEME + MATRIX.replace("letter", LOG_ODDS.split("\n", 1)[1] + "letter"),
    "meme no sites": MEME + MATRIX.replace("nsites= 20", ""),
    "meme zero sites": MEME + MATRIX.replace("nsites= 20", "nsites= 0"),
    "jaspar": ">m1\tCTCF\nA [ 20 0 0 ]\nC [ 0 20 0 ]\nG [ 0 0 10 ]\nT [ 0 0 10 ]\n",
    "jaspar tight": ">m1 CTCF\nA  [20  0  0]\nC  [0 20 0]\nG  [0 0 10]\nT  [0 0 10]\n",
    "jaspar rna": ">m1 CTCF\nA [20 0 0]\nC [0 20 0]\nG [0 0 10]\nU [0 0 10]\n",
    "jaspar bars": ">m1 CTCF\nA | 20 0 0\nC | 0 20 0\nG | 0 0 10\nT | 0 0 10\n",
    "lower case": ">m1 CTCF\na [20 0 0]\nc [0 20 0]\ng [0 0 10]\nt [0 0 10]\n",
    "other order": ">m1 CTCF\nC [0 20 0]\nA [20 0 0]\nT [0 0 10]\nG [0 0 10]\n",
    "probabilities in jaspar": ">m1 CTCF\nA [1 0 0]\nC [0 1 0]\nG [0 0 .5]\nT [0 0 5e-1]\n",
    "old jaspar": ">m1 CTCF\n20 0 0\n0 20 0\n0 0 10\n0 0 10\n",
    "no name": "20 0 0\n0 20 0\n0 0 10\n0 0 10\n",
    "homer": HOMER + HOMER_ROWS,
    "columns of letters": ">m1\nT G A C\n0 0 20 0\n0 0 0 20\n10 10 0 0\n",
    "transfac": "AC m1\nXX\nID CTCF\nP0 A C G T\n01 20 0 0 0 A\n02 0 20 0 0 C\n03 0 0 10 10 K\n"
    "XX\n//\n",
    "transfac of jaspar": "AC m1\nXX\nID CTCF\nXX\nDE m1 CTCF ; From JASPAR\nPO\tA\tC\tG\tT\n"
    "01\t20\t0\t0\t0\n02\t0\t20\t0\t0\n03\t0\t0\t10\t10\nXX\nCC tax_group:plants\nXX\n//\n",
    "cis-bp": "Pos\tA\tC\tG\tT\n1\t1\t0\t0\t0\n2\t0\t1\t0\t0\n3\t0\t0\t0.5\t0.5\n",
    "cis-bp rna": "TF\tx\nMotif\tm1\nPos\tA\tC\tG\tU\n"
    "1\t1\t0\t0\t0\n2\t0\t1\t0\t0\n3\t0\t0\t.5\t.5\n",
    "uniprobe": "Protein: m1\tSeed k-mer: ACK\tEnrichment Score: 0.49\n"
    "A:\t1\t0\t0\nC:\t0\t1\t0\nG:\t0\t0\t0.5\nT:\t0\t0\t0.5\n",
}


def read(folder: Path, text: str | bytes):
    path = folder / "motif.txt"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_motifs(path)


@pytest.mark.parametrize("form", SAME)
def test_one_motif_in_many_formats(tmp_path, form):
    (motif,) = read(tmp_path, SAME[form])
    assert motif.counts.tolist() == [[20, 0, 0, 0], [0, 20, 0, 0], [0, 0, 10, 10]]
    names = {"homer": "ACK", "no name": "motif", "cis-bp": "motif"}
    assert motif.name == names.get(form, "m1")
    assert read(tmp_path, gzip.compress(SAME[form].encode()))[0].name == motif.name
    assert read(tmp_path, b"\xef\xbb\xbf" + SAME[form].encode())[0].name == motif.name


@pytest.mark.parametrize(
    "form", ["meme", "jaspar", "old jaspar", "homer", "transfac", "cis-bp rna", "uniprobe"]
)
def test_several_motifs_in_a_file(tmp_path, form):
    text = SAME[form]
    second = text.removeprefix(MEME).replace("m1", "m2").replace("ACK", "ACK2")
    motifs = read(tmp_path, text + "\n" + second)
    assert len(motifs) == 2 and motifs[0].name != motifs[1].name
    assert np.array_equal(motifs[0].counts, motifs[1].counts)


def test_homer_motifs_of_four_letters_are_not_turned(tmp_path):
    rows = "0.97 0.01 0.01 0.01\n0.9 0.08 0.01 0.01\n0.01 0.01 0.97 0.01\n0.01 0.01 0.01 0.97\n"
    for head in (">AAGT\tX\t6.0\t-3\n", ">AAGT\n"):
        assert read(tmp_path, head + rows)[0].consensus == "AAGT"
    turned = "10 9 0 0\n0 1 0 0\n0 0 10 0\n0 0 0 10\n"
    assert read(tmp_path, ">x\n" + turned)[0].consensus == "AAGT"


def test_counts_that_are_no_whole_numbers(tmp_path):
    rows = "40.5\t18.2\t56.4\t38.9\n10.9\t11.7\t33.4\t98.0\n22.1\t42.9\t17.2\t71.8\n"
    motif = read(tmp_path, ">AHR_HUMAN.H11MO.0.B\n" + rows)[0]
    assert motif.sites == 154 and motif.counts[0].tolist() == [40.5, 18.2, 56.4, 38.9]


def test_counts_whose_sums_differ_are_warned_of(tmp_path, caplog):
    read(tmp_path, ">x\nA 100 0 1\nC 0 10 0\nG 0 0 99\nT 0 0 0\n")
    (record,) = caplog.records
    assert record.getMessage().startswith("warning: ")
    assert "x sum to 10" in record.getMessage() and "100" in record.getMessage()


PROTEIN = "ACDEFGHIKLMNPQRSTVWY"


@pytest.mark.parametrize(
    "text,told",
    [
        ("\n", "holds no motif"),
        (MEME, "holds no motif"),
        (MEME + LOG_ODDS, "m0 has no letter-probability matrix"),
        ((MEME + MATRIX).replace("ACGT", PROTEIN), "m1 has 20 letters as proteins"),
        (
            "MOTIF p\nletter-probability matrix: alength= 20 w= 1\n" + "0.05 " * 20 + "\n",
            "p has 20 letters as proteins",
        ),
        (MEME + MATRIX.replace("0.5 0.5", "0.5 0.4"), "m1 sums to 0.9 at position 3"),
        (MEME + MATRIX.replace("1.0", "10"), "m1 sums to 10 at position 1"),
        (MEME + MATRIX.replace("w= 3", "w= 4"), "m1 has 3 rows of numbers, but says w= 4"),
        (MEME + MATRIX.replace("w= 3", "w= 2"), "m1 has 3 rows of numbers, but says w= 2"),
        (">x\n" + "".join(f"{c} 1 2\n" for c in PROTEIN), "x has 20 letters as proteins"),
        ("AC x\nP0 " + " ".join(PROTEIN) + "\n01 " + "1 " * 20 + "\n//\n", "as proteins"),
        (">x\nA .97 .01 .1\nC .01 .97 .1\nG .01 .01 .1\nT .01 .01 .4\n", "x sums to 0.7 at po"),
        (">x\nA 0.1 1.9\nC 0.1 0\nG 0.1 0\nT 0.1 0\n", "x sums to"),
        (">x\nA 1 0\nC 0 0\nG 0 0\nT 0 0\n", "x sums to 0 at position 2"),
        (">x\n0.05 -0.7 0.3 0.01\n-1.2 -1.1 0 1\n1 1 1 1\n", "x has negative numbers.*log-odds"),
        (">x\nA 0,97 0\nC 0,01 1\nG 0,01 0\nT 0,01 0\n", "x has commas"),
        (">x\nA 1_0 0\nC 0 1\nG 0 0\nT 0 0\n", "the matrix of x is not four"),
        (">x\nA nan 0\nC 0 1\nG 0 0\nT 0 0\n", "the matrix of x"),
        (">x\nA 1 2\nC 1 2\nG 1 2\n", "x has the letters ACG"),
        (">x\nA 1 2\nC 1 2\nG 1 2\nG 1 2\n", "x has the letters ACGG"),
        (">x\nA 1 2\nC 1 2\nG 1 2\n1 2\n", "x has rows with letters and rows without"),
        (">x\nACGTACGT\n>y\nACGT\n", "the matrix of x"),
        (">x\n1 2 3 4\n4 3 2 1\n2 1 4 3\n3 4 1 2\n", "x has four rows and four columns"),
        (">x\n1 2 3 4 5\n1 2 3 4 5\n1 2 3 4 5\n", "the matrix of x"),
    ],
)
def test_what_is_no_motif_of_four_letters_is_a_sentence(tmp_path, text, told):
    with pytest.raises(UserError, match=told) as caught:
        read(tmp_path, text)
    assert str(tmp_path / "motif.txt") in str(caught.value)
