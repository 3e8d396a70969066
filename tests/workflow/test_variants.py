"""Effects of variants: a planted motif in a genome, where a slow way of one's own says the same."""

from __future__ import annotations

import csv
import gzip
import os
import shutil
import signal
import time
from pathlib import Path

import numpy as np
import pysam
import pytest
from encoded import CLASSES, HEAD, SMALL
from support import Project

import dlutil_core
from dlutil_core.model.metrics import class_scores

WIDTH = 31
MOTIF = "TGACGTCATT"
SITES = range(100, 900, 200)
"""Where the motif begins in chr1, from 0."""

PLACE = ["chrom", "pos", "id", "ref", "alt"]
NUMBERS = ["ref_prediction", "alt_prediction", "difference", "logit_difference"]


def random_letters(rng: np.random.Generator, count: int) -> str:
    return "".join(rng.choice(list("ACGT"), count))


def genome_of(seed: int) -> dict[str, str]:
    """Two chromosomes; the first has the motif at its sites, and a run of N at 1000."""
    rng = np.random.default_rng(seed)
    letters = random_letters(rng, 1200)
    for site in SITES:
        letters = letters[:site] + MOTIF + letters[site + len(MOTIF) :]
    letters = letters[:1000] + "N" * 5 + letters[1005:]
    return {"chr1": letters, "chr2": random_letters(rng, 300).lower()}


def training_table(seed: int) -> str:
    """Random windows, half of them with the motif about their middle."""
    rng, lines = np.random.default_rng(seed), ["name\tsequence\tbound"]
    for k in range(300):
        letters = random_letters(rng, WIDTH)
        if k % 2:
            at = int(rng.integers(5, WIDTH - len(MOTIF) - 5))
            letters = letters[:at] + MOTIF + letters[at + len(MOTIF) :]
        lines.append(f"w{k}\t{letters}\t{k % 2}")
    return "\n".join(lines) + "\n"


def written_vcf(path: Path, rows: list[tuple[object, ...]], header: str | None = None) -> Path:
    if header is None:
        header = "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
    lines = ["\t".join(map(str, row)) + "\t.\t.\t." for row in rows]
    path.write_text(header + "\n".join(lines) + "\n")
    return path


def all_rows(genome: dict[str, str]) -> list[tuple[object, ...]]:
    """Substitutions along two sites and beside them, insertions and deletions, odd alleles."""
    one, rows = genome["chr1"], []
    for k, place in enumerate([*range(90, 120), *range(290, 320), *range(1, 20), 1000, 1010, 1190]):
        letter = one[place]
        other = [base for base in "ACGT" if base != letter]
        rows.append(("chr1", place + 1, f"rs{k}", letter, ",".join(other)))
    rows += [
        ("chr1", 103, "insertion", one[102], one[102] + "GG"),
        ("chr1", 103, "long_insertion", one[102], one[102] + "ACGT" * 20),
        ("chr1", 103, "deletion", one[102:106], one[102]),
        ("chr1", 303, "long_deletion", one[302:402], one[302]),
        ("chr1", 305, "several", one[304:306], "TTTTT"),
        ("chr1", 103, "padded", one[102:112], one[102] + "A" + one[104:112]),
        ("chr1", 104, "plain", one[103], "A"),
        ("chr1", 105, "symbols", one[104], "*,<DEL>,A"),
        ("chr1", 106, "none", one[105], "."),
        ("chr1", 107, "breakend", one[106], f"{one[106]}[chr2:20["),
        ("chr1", 108, "lower", one[107].lower(), "a" if one[107] != "A" else "c"),
        ("chr1", 109, "n", one[108], "N"),
        ("chr1", 110, "wrong", "A" if one[109] != "A" else "C", "G"),
        ("chr1", 1200, "last", one[1199], "A" if one[1199] != "A" else "C"),
        ("chr1", 5000, "outside", "A", "C"),
        ("chr1", 0, "telomere", "N", "A"),
        ("chr2", 100, "masked", genome["chr2"][99].upper(), "A,C"),
        ("chr2", 50, "unsorted", genome["chr2"][49], "A,C,G,T"),
        ("chr1", 103, "insertion", one[102], one[102] + "GG"),
    ]
    return rows


def by_hand(
    genome: dict[str, str], chrom: str, pos: int, ref: str, alt: str
) -> tuple[str, tuple[str, str] | None]:
    """Status and windows by edits of whole chromosomes as texts."""
    letters, ref, start = genome[chrom].upper(), ref.upper(), pos - 1
    if start < 0 or start == len(letters):
        return "edge", None
    if letters[start : start + len(ref)] != ref:
        return "ref_mismatch", None
    if not alt.isalpha():
        return "ambiguous", None
    alt = alt.upper()
    edited = letters[:start] + alt + letters[start + len(ref) :]
    while ref and alt and ref[-1] == alt[-1] and ref != alt:
        ref, alt = ref[:-1], alt[:-1]
    while ref and alt and ref[0] == alt[0] and ref != alt:
        ref, alt, start = ref[1:], alt[1:], start + 1
    first = start + len(ref) // 2 - WIDTH // 2
    second = start + len(alt) // 2 - WIDTH // 2
    if min(first, second) < 0 or first + WIDTH > len(letters) or second + WIDTH > len(edited):
        return "edge", None
    windows = letters[first : first + WIDTH], edited[second : second + WIDTH]
    return ("ambiguous" if set("".join(windows)) - set("ACGT") else "ok"), windows


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def made(folder: Path) -> Project:
    """A project that has not run, with a genome and variants."""
    folder.mkdir(parents=True, exist_ok=True)
    genome = genome_of(1)
    (folder / "genome.fa").write_text("".join(f">{n}\n{s}\n" for n, s in genome.items()))
    (folder / "train.tsv").write_text(training_table(2))
    written_vcf(folder / "gwas.vcf", all_rows(genome))
    definition = HEAD + CLASSES.replace("DEPTH", "4").replace("OUTPUTS", "2").replace("5)", "10)")
    (folder / "def.py").write_text(definition)
    project = Project(folder)
    project.configure(
        **SMALL,
        batch_size=20,
        search={"method": "fixed", "max_epochs": 12, "config": {"lr": 0.02}, "jobs": "bracket"},
        repeat={"seeds": 2},
        variants={"gwas": {"vcf": "gwas.vcf", "genome": "genome.fa"}},
        preprocess={
            "sequences": "train.tsv",
            "columns": {"sequence": "sequence", "label": "bound"},
            "split": {"by": "fraction", "valid": 0.2},
        },
    )
    return project


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A run of two seeds, on one core."""
    project = made(tmp_path_factory.mktemp("variants") / "project")
    project.succeed(cores=1)
    return project


def test_every_allele_is_what_strings_and_the_model_say(finished: Project) -> None:
    """Whole chromosomes edited as texts, and each member asked directly."""
    genome, rows = genome_of(1), table(finished.result / "variants" / "gwas.tsv")
    wanted = [(*r[:4], alt) for r in all_rows(genome) for alt in str(r[4]).split(",")]
    assert list(rows[0]) == [*PLACE, *NUMBERS, "sd", "status"]
    assert [[row[k] for k in PLACE] for row in rows] == [[str(x) for x in w] for w in wanted]
    found = [by_hand(genome, str(c), int(str(p)), str(r), a) for c, p, _, r, a in wanted]
    assert [row["status"] for row in rows] == [status for status, _ in found]
    assert {row["status"] for row in rows} == {"ok", "edge", "ambiguous", "ref_mismatch"}
    known = [k for k, (_, windows) in enumerate(found) if windows is not None]
    assert all(rows[k]["difference"] == "" for k in range(len(rows)) if k not in known)
    texts = [text for k in known for text in found[k][1] or ()]
    members = dlutil_core.load(finished.result).members.values()
    loaded = [dlutil_core.load(finished.result, member=(0, k)) for k in range(len(members))]
    each = np.array([class_scores(one.predict(texts)) for one in loaded], dtype=float)
    reference, alternative = each[:, 0::2].mean(0), each[:, 1::2].mean(0)
    numbers = {n: np.array([float(rows[k][n]) for k in known]) for n in [*NUMBERS, "sd"]}
    assert numbers["ref_prediction"] == pytest.approx(reference, abs=2e-6)
    assert numbers["alt_prediction"] == pytest.approx(alternative, abs=2e-6)
    assert numbers["difference"] == pytest.approx(alternative - reference, abs=2e-6)
    apart = (each[:, 1::2] - each[:, 0::2]).std(0, ddof=1)
    assert numbers["sd"] == pytest.approx(apart, abs=2e-6)
    p, q = numbers["alt_prediction"], numbers["ref_prediction"]
    logits = np.log(p / (1 - p)) - np.log(q / (1 - q))
    assert numbers["logit_difference"] == pytest.approx(logits, abs=1e-3, rel=1e-3)


def test_what_breaks_the_motif_has_the_largest_effect(finished: Project) -> None:
    rows = table(finished.result / "variants" / "gwas.tsv")
    ok = [row for row in rows if row["status"] == "ok" and row["id"].startswith("rs")]
    ordered = sorted(ok, key=lambda row: float(row["difference"]))
    for row in ordered[:8]:
        assert any(site <= int(row["pos"]) - 1 < site + len(MOTIF) for site in SITES), row
    assert float(ordered[0]["difference"]) < -0.3
    plain, padded = ({n: r[n] for n in NUMBERS} for r in rows if r["id"] in ("plain", "padded"))
    assert plain == padded, "it does not matter how far an allele is spelled out"


def test_the_annotated_file_holds_the_same_and_is_indexed(finished: Project) -> None:
    rows = table(finished.result / "variants" / "gwas.tsv")
    path = finished.result / "variants" / "gwas.vcf.gz"
    told: dict[tuple[str, ...], str] = {}
    with pysam.VariantFile(str(path)) as file:
        records = list(file)
        assert file.header.contigs["chr1"].length == 1200
        places = [(r.chrom, r.pos) for r in records]
        assert places == sorted(places)
        assert [r.pos for r in file.fetch("chr2", 0, 60)] == [50]
        for record in records:
            for k, alt in enumerate(record.alts or ()):
                value = record.info["dlutil_difference"][k]
                key = (record.chrom, str(record.pos), record.id or ".", record.ref, alt)
                told[key] = "" if value is None else value
                assert record.info["dlutil_status"][k] in (
                    "ok",
                    "edge",
                    "ambiguous",
                    "ref_mismatch",
                )
    for row in rows:
        if row["alt"] != ".":
            value = told[tuple(row[k] for k in PLACE)]
            assert (value == "") == (row["difference"] == ""), row
            assert value == "" or value == pytest.approx(float(row["difference"]), abs=1e-6)


def test_several_outputs_that_are_numbers_and_files_without_an_allele(tmp_path: Path) -> None:
    project = made(tmp_path / "project")
    genome, lines = genome_of(1), ["sequence\theight\twidth"]
    for k, letters in enumerate(random_letters(np.random.default_rng(4), WIDTH) for _ in range(60)):
        lines.append(f"{letters}\t{k % 7}\t{k % 3 - 0.5}")
    (project.folder / "train.tsv").write_text("\n".join(lines) + "\n")
    network = CLASSES.replace("DEPTH", "4").replace("OUTPUTS", "2").replace("Class", "Regress")
    (project.folder / "def.py").write_text(HEAD + network.replace("Regressification", "Regression"))
    base = genome["chr1"][50]
    written_vcf(project.folder / "odd.vcf", [("chr1", 51, "x", base, "*,<DEL>")])
    written_vcf(project.folder / "none.vcf", [])
    written_vcf(project.folder / "one.vcf", [("chr1", 51, "x", base, "A" if base != "A" else "C")])
    project.configure(
        search={"max_epochs": 1},
        repeat={},
        variants={n: {"vcf": f"{n}.vcf", "genome": "genome.fa"} for n in ("odd", "none", "one")},
        preprocess={
            "sequences": "train.tsv",
            "columns": {"sequence": "sequence", "labels": ["height", "width"]},
            "split": {"by": "fraction", "valid": 0.2},
        },
    )
    project.succeed()
    folder = project.result / "variants"
    titles = [f"{kind}.{name}" for kind in NUMBERS for name in ("height", "width")]
    head = "\t".join([*PLACE, *titles, "status"]) + "\n"
    assert (folder / "none.tsv").read_text() == head
    place, empty = f"chr1\t51\tx\t{base}", "\t" * len(titles)
    rows = "".join(f"{place}\t{alt}\t{empty}ambiguous\n" for alt in ("*", "<DEL>"))
    assert (folder / "odd.tsv").read_text() == head + rows
    (row,) = table(folder / "one.tsv")
    texts = by_hand(genome, "chr1", 51, base, row["alt"])[1] or ()
    wanted = dlutil_core.load(project.result).predict(list(texts))
    found = [[float(row[f"{n}.{k}"]) for k in ("height", "width")] for n in NUMBERS[:2]]
    assert np.array(found) == pytest.approx(wanted, abs=1e-5)
    assert row["logit_difference.height"] == "", "these are no probabilities"
    for name in ("odd", "none", "one"):
        with pysam.VariantFile(str(folder / f"{name}.vcf.gz")) as file:
            assert "dlutil_difference.height" in file.header.info
            assert len(list(file)) == len(table(folder / f"{name}.tsv")[:1])


def test_killed_on_two_cores_and_in_other_forms_it_is_the_same(
    finished: Project, tmp_path: Path
) -> None:
    again = made(tmp_path / "project")
    run = again.start()
    log = again.result / "logs" / "variants" / "gwas.log"
    while not log.exists():
        assert run.poll() is None, (again.folder / "run.txt").read_text()
        time.sleep(0.02)
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    done = again.succeed()
    assert again.manifest == finished.manifest
    assert "variants/gwas.vcf.gz.tbi" in again.manifest
    assert not done.ran["bracket"]
    assert sum(again.would_run().values()) == 0

    # What is in the file counts: packed, with line ends of Windows, it says the same.
    text = (again.folder / "gwas.vcf").read_bytes().replace(b"\n", b"\r\n")
    (again.folder / "packed.vcf.gz").write_bytes(gzip.compress(text))
    shutil.copy(again.folder / "gwas.vcf", again.folder / "block.vcf")
    pysam.tabix_compress(str(again.folder / "block.vcf"), str(again.folder / "block.vcf.gz"))
    again.configure(
        variants={
            "gwas": {"vcf": "packed.vcf.gz", "genome": "genome.fa"},
            "block": {"vcf": "block.vcf.gz", "genome": "genome.fa"},
        }
    )
    assert set(again.succeed().ran) == {"variants", "manifest"}
    for name in ("gwas", "block"):
        for end in ("tsv", "vcf.gz", "vcf.gz.tbi"):
            found = (again.result / "variants" / f"{name}.{end}").read_bytes()
            assert found == (finished.result / "variants" / f"gwas.{end}").read_bytes(), name
