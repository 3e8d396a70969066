"""`dlutil predict`: any file, encoded as the training data were, as by the workflow's own step."""

from __future__ import annotations

import contextlib
import csv
import gzip
import io
import os
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import hdf5plugin  # noqa: F401  (registers the filters that files are written with)
import numpy as np
import pytest
from encoded import fasta, letters_of, sequences, workflows
from support import REPOSITORY, Project

import dlutil_core
from dlutil_core.cli.commands import main
from dlutil_core.common.errors import UserError
from dlutil_core.export.exporting import export


def ask(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """`dlutil predict` in a fresh process."""
    code = "import sys; from dlutil_core.cli.commands import main; sys.exit(main())"
    return subprocess.run(
        [sys.executable, "-c", code, "predict", *words],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=False,
    )


def table(folder: Path, *words: str) -> list[dict[str, str]]:
    """The rows of the table that `dlutil predict … --out` writes."""
    done = ask(folder, *words, "--out", "asked.tsv")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "The predictions are in asked.tsv\n"
    with open(folder / "asked.tsv", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def refused(folder: Path, *words: str) -> str:
    """The one sentence of an error; no table is left."""
    told = io.StringIO()
    with contextlib.chdir(folder), contextlib.redirect_stderr(told):
        assert main(["predict", *words]) == 1
    beside = ("executing ", "warning: ")
    lines = [line for line in told.getvalue().splitlines() if not line.startswith(beside)]
    assert len(lines) == 1 and lines[0].startswith("error: "), told.getvalue()
    assert not list(folder.glob("*.predictions.tsv"))
    return lines[0]


def floats(rows: list[dict[str, str]], column: str) -> np.ndarray:
    return np.array([row[column] for row in rows]).astype(np.float32)


# DNA from a genome, two classes


def test_intervals_are_cut_and_predicted_as_the_workflow_does(peaks: Project) -> None:
    rows = table(peaks.folder, "out", "new.bed")
    array, told = workflows(peaks)
    assert list(rows[0]) == ["name", "prediction", "class", "interval"]
    assert [row["name"] for row in rows] == [row["name"] for row in told]
    assert [row["interval"] for row in rows] == [row["interval"] for row in told]
    assert floats(rows, "prediction").tobytes() == np.ascontiguousarray(array[:, 1]).tobytes()
    assert [row["class"] for row in rows] == [str(k) for k in array.argmax(axis=1)]


def test_every_form_of_the_same_records_gives_the_same_table(peaks: Project) -> None:
    folder = peaks.folder
    first = table(folder, "out", "new.bed")
    with h5py.File(folder / "data" / "new.h5") as file:
        data = file["data"][:]
    texts = letters_of(data, "ACGT")
    fasta(folder / "same.fa", texts)
    with gzip.open(folder / "same.fa.gz", "wt") as packed:
        packed.write((folder / "same.fa").read_text())
    (folder / "same.csv").write_text("id,sequence\n" + "".join(f"n{s},{s}\n" for s in texts))
    np.save(folder / "same.npy", data)
    np.save(folder / "floats.npy", data.astype(np.float64))
    forms = ["same.fa", "same.fa.gz", "same.csv", "same.npy", "floats.npy", "data/new.h5"]
    done = ask(folder, "out", *forms)
    assert done.returncode == 0, done.stderr
    for form in forms:
        with open(folder / f"{form}.predictions.tsv", encoding="utf-8") as file:
            rows = list(csv.DictReader(file, delimiter="\t"))
        assert [row["prediction"] for row in rows] == [row["prediction"] for row in first], form
        assert ("interval" in rows[0]) == (form == "data/new.h5")
        (folder / f"{form}.predictions.tsv").unlink()


def test_a_copied_result_folder_predicts_where_the_genome_is_given(
    peaks: Project, tmp_path: Path
) -> None:
    first = table(peaks.folder, "out", "new.bed")
    shutil.copytree(peaks.result, tmp_path / "copy", ignore=shutil.ignore_patterns("logs"))
    shutil.copy(peaks.folder / "new.bed", tmp_path)
    assert "genome.fa; give its FASTA file (--genome)" in refused(tmp_path, "copy", "new.bed")
    other = (peaks.folder / "genome.fa").read_text().replace("A", "C", 1)
    (tmp_path / "other.fa").write_text(other)
    found = refused(tmp_path, "copy", "new.bed", "--genome", "other.fa")
    assert "other.fa: is another genome than genome.fa" in found
    genome = str(peaks.folder / "genome.fa")
    assert table(tmp_path, "copy", "new.bed", "--genome", genome) == first


def test_an_export_gives_the_same_table(peaks: Project, tmp_path: Path) -> None:
    first = table(peaks.folder, "out", "new.bed")
    export(peaks.result, tmp_path / "model", None)
    command = [sys.executable, "-P", "model/predict.py", str(peaks.folder / "new.bed"), "y.tsv"]
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}

    def run(*more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*command, *more],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    done = run()
    assert done.returncode == 1 and "give its FASTA file (--genome)" in done.stderr
    done = run("--genome", str(peaks.folder / "genome.fa"))
    assert done.returncode == 0, done.stderr
    with open(tmp_path / "y.tsv", encoding="utf-8", newline="") as file:
        assert list(csv.DictReader(file, delimiter="\t")) == first


def test_what_does_not_fit_is_one_sentence(peaks: Project, tmp_path: Path) -> None:
    folder = tmp_path
    result = str(peaks.result)
    fasta(folder / "long.fa", sequences(2, 3, "ACGT", 31))
    found = refused(folder, result, "long.fa")
    assert "definition: is a folder" in refused(peaks.result / "best", result, "definition")
    assert "long.fa: record 1 (r0) has 31 letters, but the model takes 30" in found
    fasta(folder / "protein.fa", sequences(2, 3, "MKWL", 30))
    assert "outside the alphabet dna; the model takes no others" in refused(
        folder, result, "protein.fa"
    )
    np.save(folder / "wide.npy", np.zeros((2, 4, 1, 31), np.float32))
    assert "a record has shape 4 x 1 x 31, but the model takes 4 x 1 x 30" in refused(
        folder, result, "wide.npy"
    )
    with h5py.File(folder / "rows.h5", "w") as file:
        file["data"] = np.zeros((2, 4, 1, 30), np.uint8)
        file["data"].attrs["letters"] = "ACGU"
    assert "its rows are the letters ACGU, but the model's are ACGT" in refused(
        folder, result, "rows.h5"
    )
    assert "absent.fa: there is no such file" in refused(folder, result, "absent.fa")
    (folder / "empty.fa").write_text("")
    assert "empty.fa" in refused(folder, result, "empty.fa")
    found = refused(folder, result, "long.fa", "protein.fa", "--out", "x.tsv")
    assert "--out: belongs to one file" in found
    assert "is the file to predict" in refused(folder, result, "long.fa", "--out", "long.fa")
    assert "holds no trained model" in refused(folder, ".", "long.fa")


def test_the_encoding_belongs_to_the_best_model(peaks: Project, tmp_path: Path) -> None:
    """A damaged one is made again; another section, here with the same data, is kept anew."""
    project = peaks.copy(tmp_path / "copy")
    kept = project.result / "best" / "encoding.json"
    before = kept.read_text()
    kept.write_text(before.replace("ACGT", "ACGU"))
    done = project.succeed()
    assert "best/encoding.json: is damaged" in done.output
    assert kept.read_text() == before
    config = project.config["preprocess"]
    project.configure(preprocess=config | {"outside": "drop"})
    done = project.succeed()
    assert '"outside": "drop"' in kept.read_text()
    project.configure(preprocess=config)
    project.succeed()
    assert kept.read_text() == before


# Proteins of three named classes, a table


def test_classes_have_their_names(proteins: Project) -> None:
    rows = table(proteins.folder, "out", "new.tsv")
    array, told = workflows(proteins)
    names = ["=odd", "membrane", "nucleus"]
    columns = [f"prediction.{name}" for name in names]
    assert list(rows[0]) == ["name", *columns, "class"]
    assert [row["name"] for row in rows] == [row["name"] for row in told]
    text = (proteins.folder / "new.tsv").read_text().splitlines()
    bare = "".join(line.rpartition("\t")[0] + "\n" for line in text)
    (proteins.folder / "bare.tsv").write_text(bare)
    assert table(proteins.folder, "out", "bare.tsv") == rows
    found = np.column_stack([floats(rows, column) for column in columns])
    assert found.tobytes() == array.tobytes()
    shown = ["'=odd", *names[1:]]
    assert [row["class"] for row in rows] == [shown[k] for k in array.argmax(axis=1)]


def test_shorter_proteins_are_padded_and_missing_columns_told(proteins: Project) -> None:
    folder = proteins.folder
    (folder / "bad.tsv").write_text("id\tsequences\nq\tACD\n")
    assert "bad.tsv" in refused(folder, "out", "bad.tsv")
    (folder / "swapped.tsv").write_text("sequence\tid\nACDEF\tq1\n")
    (row,) = table(folder, "out", "swapped.tsv")
    assert row["name"] == "q1"
    (folder / "long.tsv").write_text("id\tsequence\nq\tACDEFACDEFACDEF\n")
    found = refused(folder, "out", "long.tsv")
    assert "has 15 letters, but the model takes 12" in found


# A table of numbers


def test_a_table_of_numbers_is_predicted_as_the_workflow_does(numbers: Project) -> None:
    rows = table(numbers.folder, "out", "new.csv")
    array, _ = workflows(numbers)
    assert list(rows[0]) == ["name", "prediction"]
    assert floats(rows, "prediction").tobytes() == array.reshape(-1).tobytes()
    values = np.loadtxt(numbers.folder / "new.csv", delimiter=",", skiprows=1)
    np.save(numbers.folder / "new.npy", values)
    again = table(numbers.folder, "out", "new.npy")
    assert [row["prediction"] for row in again] == [row["prediction"] for row in rows]


def test_columns_are_the_ones_that_were_trained_on(numbers: Project) -> None:
    folder = numbers.folder
    wrong = {
        "order": ("width,height,depth\n1,2,3\n", "in another order"),
        "missing": ("height,width\n1,2\n", "lacks the column depth of the table"),
        "more": ("height,width,depth,age\n1,2,3,4\n", "has the column age, which"),
        "bare": ("1,2,3\n4,5,6\n", "has no line of column names"),
    }
    for name, (text, sentence) in wrong.items():
        (folder / f"{name}.csv").write_text(text)
        assert sentence in refused(folder, "out", f"{name}.csv"), name
    # The workflow's own sets are looked at in the same way.
    project = numbers.copy(folder / "copy")
    section = project.config["preprocess"]
    shutil.copy(folder / "order.csv", project.folder / "order.csv")
    project.configure(preprocess=section | {"predict": {"new": {"features": "order.csv"}}})
    done = project.run()
    assert done.code == 1
    assert any("in another order" in sentence for sentence in done.sentences), done.output


# Files that the user's own loader reads


def test_files_of_ones_own_go_to_the_loader(tmp_path: Path) -> None:
    search = {"method": "fixed", "max_epochs": 1}
    search["config"] = {"units": 4, "lr": 0.1, "dropout": 0.0, "momentum": 0.0}  # type: ignore[assignment]
    project = Project.make(tmp_path / "project", search=search, evaluate=False)
    project.succeed()
    rows = table(project.folder, "out", "data/new.npy")
    wanted = np.load(project.result / "predictions" / "new.npy.npy")
    assert list(rows[0]) == ["name", "prediction"]
    assert [row["name"] for row in rows] == [str(k) for k in range(len(wanted))]
    assert floats(rows, "prediction").tobytes() == wanted.tobytes()
    model = dlutil_core.load(project.result)
    with pytest.raises(UserError, match="were not made by preprocess"):
        model.predict(["ACGT"])
    np.save(project.folder / "flat.npy", np.zeros((4, 2), np.float32))
    assert "flat.npy" in refused(project.folder, "out", "flat.npy")
