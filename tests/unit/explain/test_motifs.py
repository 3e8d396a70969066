"""Motif files, information, consensus, and the comparison of motifs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support import REPOSITORY

from dlutil_core.common.errors import UserError
from dlutil_core.explain.compare import best_match, compare
from dlutil_core.explain.motif_files import read_motifs
from dlutil_core.explain.motifs import Motif, write_jaspar, write_meme

EXAMPLE = REPOSITORY / "examples" / "conv_seq_classifier"
CTCF = EXAMPLE / "raw_data" / "MA0139.1.jaspar"


def ctcf() -> Motif:
    return read_motifs(CTCF)[0]


def test_jaspar_file_is_read() -> None:
    motif = ctcf()
    assert (motif.name, motif.label, motif.width, motif.sites) == ("MA0139.1", "CTCF", 19, 913)
    commonest = "".join("ACGT"[i] for i in motif.counts.argmax(axis=1))
    assert commonest == "TGGCCACCAGGGGGCGCTA"
    assert motif.consensus == "YgRCCASYAGRKGGCRSYr"


def test_files_that_are_written_are_read_back(tmp_path: Path) -> None:
    motif = ctcf()
    write_jaspar(tmp_path / "m.jaspar", [motif, motif.reverse_complement()])
    write_meme(tmp_path / "m.meme", [motif])
    jaspar = read_motifs(tmp_path / "m.jaspar")
    assert len(jaspar) == 2
    assert (jaspar[0].counts == motif.counts).all()
    meme = read_motifs(tmp_path / "m.meme")[0]
    assert (meme.name, meme.label) == ("MA0139.1", "CTCF")
    assert meme.frequencies == pytest.approx(motif.frequencies, abs=2e-3)


def test_pfm_without_letters_and_meme_without_width_are_read(tmp_path: Path) -> None:
    (tmp_path / "m.pfm").write_text(">X some name\n1 0\n0 2\n0 0\n1 0\n")
    motif = read_motifs(tmp_path / "m.pfm")[0]
    assert (motif.name, motif.label) == ("X", "some name")
    assert motif.counts.tolist() == [[1, 0, 0, 1], [0, 2, 0, 0]]
    text = "MEME version 4\nMOTIF Y why\nletter-probability matrix: alength= 4 nsites= 10\n"
    (tmp_path / "m.meme").write_text(text + "1 0 0 0\n0 0 0.5 0.5\n\nURL x\n")
    motif = read_motifs(tmp_path / "m.meme")[0]
    assert motif.counts.tolist() == [[10, 0, 0, 0], [0, 0, 5, 5]]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("nothing here", "holds no motif"),
        (">bad\n1 2 3\n1 2\n1 2\n1 2\n", "the matrix of bad"),
        (">three\n1 2\n1 2\n1 2\n", "the matrix of three"),
        ("MOTIF p\nletter-probability matrix: alength= 20 w= 1\n" + "0.05 " * 20, "matrix of p"),
    ],
)
def test_wrong_files_are_a_sentence(tmp_path: Path, content: str, told: str) -> None:
    path = tmp_path / "motifs.txt"
    path.write_text(content)
    with pytest.raises(UserError, match=told) as error:
        read_motifs(path)
    assert str(path) in str(error.value)


def test_missing_file_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not a readable text file"):
        read_motifs(tmp_path / "absent.meme")


def test_information_of_extremes() -> None:
    many = 1e9
    motif = Motif("m", np.array([[many, 0, 0, 0], [many, many, 0, 0], [many, many, many, many]]))
    assert motif.information == pytest.approx([2, 1, 0], abs=1e-6)
    assert motif.consensus == "AMn"


def test_motif_matches_itself_shifted_and_turned() -> None:
    motif = ctcf()
    whole = compare(motif, motif)
    assert (whole.strand, whole.offset, whole.overlap) == ("+", 0, 19)
    assert whole.similarity == pytest.approx(1) and whole.pearson == pytest.approx(1)
    turned = compare(motif.reverse_complement(), motif)
    assert (turned.strand, turned.offset) == ("-", 0)
    assert turned.pearson == pytest.approx(1)
    padded = Motif("p", np.vstack([np.full((3, 4), 200.0), motif.counts, np.full((2, 4), 200.0)]))
    moved = compare(padded, motif)
    assert (moved.strand, moved.offset, moved.overlap) == ("+", 3, 19)
    assert moved.similarity > 0.99
    inner = compare(Motif("i", motif.counts[4:16]), motif)
    assert (inner.offset, inner.overlap) == (-4, 12)
    assert inner.pearson == pytest.approx(1) and 0.7 < inner.similarity < 1


def test_unrelated_motif_is_not_similar_and_p_says_so() -> None:
    motif = ctcf()
    rng = np.random.default_rng(3)
    other = Motif("other", rng.dirichlet(np.full(4, 0.3), 19) * 900)
    match, p_value = best_match(other, [motif])
    assert match.similarity < 0.7 and p_value > 0.01
    match, p_value = best_match(motif, [other, motif])
    assert match.target.name == "MA0139.1" and p_value == pytest.approx(0.001)
