"""Variants in real CTCF sites that the model did not see: it follows the known matrix."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr
from support import REPOSITORY, Project

from dlutil_core.explain.motif_files import read_motifs
from dlutil_core.preprocess.encode.alphabet import reverse_complement

EXAMPLE = REPOSITORY / "examples" / "conv_seq_classifier"
KNOWN = {"learning_rate": 0.003, "dropout": 0.1, "filters": 32, "max_norm": 5.0}
LETTERS = b"ACGT"
FLANK = 200


def peaks_of(chromosomes: set[str]) -> list[bytes]:
    records = (EXAMPLE / "raw_data" / "ctcf_peaks.fa").read_text().split(">")[1:]
    split = (record.split("\n", 1) for record in records)
    return [
        s.replace("\n", "").upper().encode() for h, s in split if h.split(":")[0] in chromosomes
    ]


def scores_of(matrix: np.ndarray, letters: bytes) -> np.ndarray:
    """Log odds of the matrix `(width, 4)` at each place of a text."""
    codes = np.array([LETTERS.index(letter) for letter in letters])
    width = len(matrix)
    places = np.arange(len(codes) - width + 1)[:, None] + np.arange(width)
    found: np.ndarray = matrix[np.arange(width), codes[places]].sum(axis=1)
    return found


def rows_of(matrix: np.ndarray, name: str, peak: bytes) -> list[tuple[str, ...]]:
    """All substitutions within the best site of a peak, called by their change of score."""
    strands = {strand: scores_of(matrix, strand) for strand in (peak, reverse_complement(peak))}
    strand = max(strands, key=lambda text: strands[text].max())
    first, rows = int(strands[strand].argmax()), []
    if strands[strand].max() < 10:
        return []
    for column, weights in enumerate(matrix):
        place, letter = first + column, strand[first + column : first + column + 1]
        for other in (bytes([k]) for k in LETTERS if bytes([k]) != letter):
            change = weights[LETTERS.index(other)] - weights[LETTERS.index(letter)]
            ref, alt, at = letter, other, place
            if strand != peak:
                ref, alt = reverse_complement(ref), reverse_complement(alt)
                at = len(peak) - 1 - place
            rows.append((name, str(FLANK + at + 1), f"{change:.4f}", ref.decode(), alt.decode()))
    return rows


def test_effects_in_ctcf_sites_follow_the_known_matrix(tmp_path: Path) -> None:
    matrix = np.log2(read_motifs(EXAMPLE / "raw_data" / "MA0139.1.jaspar")[0].frequencies / 0.25)
    rng, rows = np.random.default_rng(1), []
    with (tmp_path / "genome.fa").open("wb") as genome:
        for k, peak in enumerate(p for p in peaks_of({"chr1", "chr8"}) if b"N" not in p):
            flanks = [bytes(rng.choice(list(LETTERS), FLANK).tolist()) for _ in range(2)]
            genome.write(b">p%d\n%s\n" % (k, flanks[0] + peak + flanks[1]))
            rows += rows_of(matrix, f"p{k}", peak)
    (tmp_path / "sites.vcf").write_text("".join("\t".join(row) + "\n" for row in rows))
    project = Project(tmp_path)
    project.configure(
        definition=str(EXAMPLE / "def.py"),
        data="data",
        result="out",
        device="cpu",
        evaluate=False,
        search={"method": "fixed", "max_epochs": 12, "config": KNOWN},
        variants={"sites": {"vcf": "sites.vcf", "genome": "genome.fa"}},
        preprocess={
            "positives": str(EXAMPLE / "raw_data" / "ctcf_peaks.fa"),
            "negatives": "shuffle",
            "split": {"by": "chromosome", "valid": ["chr2", "chr9"], "test": ["chr1", "chr8"]},
        },
    )
    project.succeed()
    with (project.result / "variants" / "sites.tsv").open(newline="") as file:
        found = list(csv.DictReader(file, delimiter="\t"))
    assert len(found) == len(rows) > 2000 and {row["status"] for row in found} == {"ok"}
    change = np.array([float(row["id"]) for row in found])
    effect = np.array([float(row["logit_difference"]) for row in found])
    assert spearmanr(change, effect).statistic > 0.7
    assert (effect[change < -4] < 0).mean() > 0.95
