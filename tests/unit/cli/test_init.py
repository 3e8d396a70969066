"""`dlutil init`: what it finds in files, and where it asks instead of guessing."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
import yaml

from dlutil_core.cli.commands import main
from dlutil_core.preprocess import section
from dlutil_core.run.config import validated


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def table(path: str, cells: list[tuple[str, str]]) -> None:
    rows = "".join(f"{sequence}\t{label}\n" for sequence, label in cells)
    Path(path).write_text(f"sequence\tlabel\n{rows}")


def made(*words: str) -> tuple[dict[str, object], str]:
    """The config's preprocessing, which must be valid, and the definition, which must parse."""
    assert main(["init", "mine", *words]) == 0
    config = validated(yaml.safe_load(Path("mine/config.yaml").read_text()))
    section.parse(config["preprocess"])
    text = Path("mine/def.py").read_text()
    ast.parse(text)
    return config["preprocess"], text


def test_letters_tell_the_alphabet_and_texts_are_classes(here: Path) -> None:
    table("a.tsv", [("ACGUACGU", "x"), ("ACGUAUUU", "y")] * 3)
    found, text = made("--sequences", "a.tsv")
    assert found["alphabet"] == "rna" and found["sequences"] == "../a.tsv"
    assert "nn.Linear(64, 2),  # x, y" in text and "ClassificationModel" in text
    assert 'strands="one"' in text


def test_chromosomes_are_taken_where_all_headers_tell_them(here: Path) -> None:
    records = [f">chr{c}:{p}-{p + 8}\nACGTACGT\n" for c in range(1, 11) for p in (10, 40)]
    Path("a.fa").write_text("".join(records))
    found, text = made("--positives", "a.fa")
    split = found["split"]
    assert isinstance(split, dict) and split["by"] == "chromosome"
    assert not set(split["valid"]) & set(split["test"]) and found["negatives"] == "shuffle"
    assert 'strands="both"' in text and "import torch\n" not in text


def test_numbers_are_regression_on_their_scale(here: Path) -> None:
    rows = "".join(f"{k * 0.1:.1f},{100 + k * 0.5}\n" for k in range(20))
    Path("t.csv").write_text("dose,effect\n" + rows)
    found, text = made("--table", "t.csv", "--labels", "effect")
    assert "RegressionModel" in text and "x.new_tensor([100.0])" in text
    assert Path("mine", str(found["features"])).read_text().splitlines()[:2] == ["dose", "0.0"]
    assert Path("mine", str(found["targets"])).read_text().splitlines()[0] == "100.0"


@pytest.mark.parametrize(
    ("labels", "words", "said"),
    [
        (["0", "1", "2"], [], "--task classes or --task numbers"),
        (["1", "2", "3"], ["--task", "classes"], "without gaps"),
        (["a", "b", "a"], ["--task", "numbers"], "texts, which are classes"),
        (["1", "1", "1"], [], "nothing to learn"),
        (["a", "b", "a"], ["--test", "chr1"], "not every record tells its own"),
        (["a", "b", "a"], ["--window", "9"], "--window belongs to --genome"),
    ],
)
def test_what_has_two_readings_is_asked(
    here: Path, capsys: pytest.CaptureFixture[str], labels: list[str], words: list[str], said: str
) -> None:
    table("a.tsv", [("ACGTACGT", label) for label in labels])
    assert main(["init", "mine", "--sequences", "a.tsv", *words]) == 1
    told = capsys.readouterr().err
    assert said in told and told.count("\n") == 1
    assert not Path("mine").exists()


def test_ambiguous_bases_may_be_residues(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table("a.tsv", [("ACGTRYSW", "a"), ("ACGTACGT", "b")])
    assert main(["init", "mine", "--sequences", "a.tsv"]) == 1
    assert "--alphabet dna, rna or protein" in capsys.readouterr().err
    found, _ = made("--sequences", "a.tsv", "--alphabet", "dna")
    assert found["ambiguous"] == "zero"


def test_nothing_is_overwritten(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table("a.tsv", [("ACGTACGT", "a"), ("ACGTACGA", "b")])
    made("--sequences", "a.tsv")
    assert main(["init", "mine", "--sequences", "a.tsv"]) == 1
    assert "is there already" in capsys.readouterr().err
