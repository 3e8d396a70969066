"""A set to predict is encoded alone, as the labelled sets were."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import pytest

from dlutil_core.common.errors import UserError
from dlutil_core.preprocess.parts import parts, sets_apart
from dlutil_core.preprocess.pipeline import preprocess

SECTION: dict[str, Any] = {
    "train": {"sequences": "train.fa", "targets": "train.txt"},
    "test": {"sequences": "test.fa", "targets": "test.txt"},
    "length": "pad",
    "ambiguous": "zero",
    "predict": {"new": {"sequences": "new.fa"}, "more": {"sequences": "more.fa"}},
}


@pytest.fixture(autouse=True)
def raw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    sequences = {"train": "ACGTAC", "test": "ACG", "new": "AC", "more": "ACGTACGT"}
    for name, sequence in sequences.items():
        Path(f"{name}.fa").write_text(f">a\n{sequence}\n>b\n{sequence}\n")
        Path(f"{name}.txt").write_text("1\n0\n")


def made(section: dict[str, Any], part: str) -> None:
    found = parts(section)[part]
    later = Path("data", *found.needed) if found.needed else None
    preprocess(found.section, Path("data"), 1, later)


def test_a_set_to_predict_depends_on_its_own_keys_and_on_the_encoding() -> None:
    found = parts(SECTION)
    assert list(found) == ["preprocess", "preprocess/new", "preprocess/more"]
    assert "predict" not in found["preprocess"].section
    assert "encoding.json" in found["preprocess"].outputs
    new = found["preprocess/new"]
    assert new.section == {
        "length": "pad",
        "ambiguous": "zero",
        "predict": {"new": {"sequences": "new.fa"}},
    }
    assert new.outputs == ("new.h5", "new.stats.json")
    assert new.needed == ("encoding.json",)
    assert sets_apart(SECTION) == ["new", "more"]
    alone = parts(SECTION | {"predict": {"new": SECTION["predict"]["new"]}})
    assert alone["preprocess"] == found["preprocess"] and alone["preprocess/new"] == new


def test_sets_to_predict_alone_are_made_together() -> None:
    section = {k: v for k, v in SECTION.items() if k not in ("train", "test")}
    assert list(parts(section)) == ["preprocess"]
    assert parts({}) == {}


def test_the_labelled_sets_give_the_width() -> None:
    made(SECTION, "preprocess")
    assert sorted(p.name for p in Path("data").iterdir()) == [
        *("encoding.json", "test.h5", "test.stats.json", "train.h5", "train.stats.json")
    ]
    assert json.loads(Path("data/encoding.json").read_text()) == {
        "width": 6,
        "shape": [4, 1, 6],
        "letters": "ACGT",
        "features": None,
        "classes": [],
    }
    made(SECTION, "preprocess/new")
    with h5py.File("data/new.h5") as file:
        assert file["data"].shape == (2, 4, 1, 6)
    with pytest.raises(UserError, match="has 8 letters, more than the width 6"):
        made(SECTION, "preprocess/more")
    assert not Path("data/more.h5").exists()
