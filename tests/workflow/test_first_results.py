"""From nothing but people's files to predictions: `dlutil init`, `run`, `predict`."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
from support import REPOSITORY

DLUTIL = [
    sys.executable,
    "-c",
    "import sys; from dlutil_core.cli.commands import main; sys.exit(main())",
]


def dlutil(folder: Path, *words: str) -> str:
    """What a command prints; it must succeed."""
    done = subprocess.run(
        [*DLUTIL, *words],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "/usr/bin:/bin", "HOME": str(folder), "PYTHONPATH": str(REPOSITORY)},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def predictions(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def test_proteins_of_three_classes(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    motifs = {"kinase": "HRDLKPEN", "receptor": "DRYLAIVH", "zinc": "CPECGKSF"}
    rows = []
    for number in range(150):
        family = list(motifs)[number % 3]
        letters = list(rng.choice(list("ACDEFGHIKLMNPQRSTVWY"), rng.integers(50, 70)))
        place = rng.integers(5, 40)
        letters[place : place + 8] = motifs[family]
        rows.append((f"p{number}", "".join(letters), family))
    table = "".join("\t".join(row) + "\n" for row in rows)
    (tmp_path / "proteins.tsv").write_text("name\tsequence\tlabel\n" + table)
    (tmp_path / "new.fa").write_text("".join(f">{n}\n{s}\n" for n, s, _ in rows[:30]))

    assert "Proteins: 3 classes" in dlutil(tmp_path, "init", "mine", "--sequences", "proteins.tsv")
    folder = tmp_path / "mine"
    printed = dlutil(folder, "run", "config.yaml", "-ep", "9", "-c", "--cores", "2")
    assert len(printed.splitlines()) < 40
    dlutil(folder, "predict", "results", "../new.fa", "--out", "new.tsv")

    assert json.loads((folder / "results/test/metrics.json").read_text())["auroc"] > 0.9
    found = predictions(folder / "new.tsv")
    assert [row["name"] for row in found] == [name for name, _, _ in rows[:30]]
    right = [row["class"] == row_[2] for row, row_ in zip(found, rows, strict=False)]
    assert np.mean(right) > 0.8


def test_peaks_of_three_experiments_with_a_genome(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    genome = {f"chr{c}": rng.choice(list("ACGT"), 6000) for c in range(1, 9)}
    lines, labels = ["#chrom\tstart\tend\tname\tliver\theart\tbrain"], []
    for name, letters in genome.items():
        for peak in range(25):
            start, bound = 100 + peak * 220, rng.integers(0, 2, 3)
            for experiment, motif in enumerate(["TGACTCATGC", "GGAAGTCCAA", "CACGTGTTTC"]):
                if bound[experiment]:
                    place = start + 20 + 20 * experiment
                    letters[place : place + 10] = list(motif)
            end = start + 100 + int(rng.integers(0, 9))
            lines.append("\t".join(map(str, [name, start, end, f"peak{len(labels)}", *bound])))
            labels.append(bound)
    (tmp_path / "peaks.bed").write_text("\n".join(lines) + "\n")
    text = "".join(f">{name}\n{''.join(letters)}\n" for name, letters in genome.items())
    (tmp_path / "genome.fa").write_text(text)
    bare = "".join("\t".join(line.split("\t")[:4]) + "\n" for line in lines[1:])
    (tmp_path / "new.bed").write_text(bare)

    words = ["--sequences", "peaks.bed", "--genome", "genome.fa", "--window", "100"]
    dlutil(tmp_path, "init", "mine", *words, "--labels", "liver", "heart", "brain")
    folder = tmp_path / "mine"
    assert "by: chromosome" in (folder / "config.yaml").read_text()
    dlutil(folder, "run", "config.yaml", "-ep", "3", "-c", "--cores", "2")
    dlutil(folder, "predict", "results", "../new.bed", "--out", "new.tsv")

    found = predictions(folder / "new.tsv")
    assert [row["name"] for row in found] == [f"peak{k}" for k in range(200)]
    columns = [f"prediction.{name}" for name in ("liver", "heart", "brain")]
    values = np.array([[float(row[column]) for column in columns] for row in found])
    assert ((values > 0) & (values < 1)).all() and values.std(axis=0).min() > 0


def test_a_table_of_numbers(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    x = rng.normal(size=(200, 3)).round(4)
    y = (50 + 10 * x[:, 0] - 5 * x[:, 1]).round(4)
    both = "".join(
        ",".join(map(str, [*row, value])) + "\n" for row, value in zip(x, y, strict=True)
    )
    (tmp_path / "plants.csv").write_text("rain,sun,wind,yield\n" + both)
    bare = "".join(",".join(map(str, row)) + "\n" for row in x[:40])
    (tmp_path / "new.csv").write_text("rain,sun,wind\n" + bare)

    dlutil(tmp_path, "init", "mine", "--table", "plants.csv", "--labels", "yield")
    folder = tmp_path / "mine"
    dlutil(folder, "run", "config.yaml", "-ep", "9", "-c", "--cores", "2")
    dlutil(folder, "predict", "results", "../new.csv", "--out", "new.tsv")

    found = [float(row["prediction"]) for row in predictions(folder / "new.tsv")]
    assert np.corrcoef(found, y[:40])[0, 1] > 0.9
