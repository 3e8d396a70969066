"""Folds: each record is tested once by a model that did not see it, whatever way it is trained."""

from __future__ import annotations

import csv
import json
import os
import random
import signal
import time
from collections import Counter
from pathlib import Path

import h5py
import numpy as np
import pytest
from killing import wait_for_orphans
from support import DEFINITION, Project

LOAD = """\
def load(path):
    with h5py.File(path, "r") as file:
        columns = file["data"][:].reshape(len(file["data"]), -1)[:, :4].astype(np.float32)
        labels = file["label"][:, :1] if "label" in file else columns[:, :1]
    return np.hstack([columns, labels.astype(np.float32)])
"""
FOLDS = 3
SIZES = {"chr1": 30, "chr2": 25, "chr3": 20, "chr4": 15, "chrX": 10}


def definition() -> str:
    """The usual one, for the HDF5 files of preprocessing; it knows nothing of folds."""
    start, end = DEFINITION.index("def load"), DEFINITION.index("def for_test")
    made = DEFINITION[:start] + LOAD + "\n\n" + DEFINITION[end:]
    return made.replace("valid.npy", "valid.h5").replace("test.npy", "test.h5")


def project(folder: Path) -> Project:
    drawn = random.Random(1)
    names = [f"{c}:{100 * i}-{100 * i + 8}" for c, size in SIZES.items() for i in range(size)]
    drawn.shuffle(names)
    rows = [
        f"{''.join(drawn.choices('ACGT', k=8))}\t{name}\t{drawn.random():.3f}" for name in names
    ]
    made = Project.make(
        folder,
        definition(),
        search={"max_epochs": 3, "jobs": "trial", "epochs_per_job": 9},
        repeat={"folds": FOLDS, "seeds": 2},
        predict=["new.h5"],
        data_files={},
        preprocess={
            "sequences": "records.tsv",
            "compression": "gzip",
            "predict": {"new": {"sequences": "new.fa"}},
        },
    )
    for path in (made.folder / "data").iterdir():
        path.unlink()
    (folder / "records.tsv").write_text("\n".join(["sequence\tname\tlabel", *rows]) + "\n")
    (folder / "new.fa").write_text(">a\nACGTACGT\n>b\nTTTTACGT\n")
    return made


def raw(made: Project) -> dict[str, float]:
    """The label of each record, by its name, in the order of the raw file."""
    lines = (made.folder / "records.tsv").read_text().splitlines()[1:]
    return {name: float(label) for _, name, label in (line.split("\t") for line in lines)}


@pytest.fixture(scope="module")
def folded(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A finished run of three folds and two seeds, by trial jobs on one core."""
    made = project(tmp_path_factory.mktemp("folds") / "project")
    made.succeed(cores=1)
    return made


def names_of(path: Path) -> list[str]:
    with h5py.File(path) as file:
        return [name.decode() for name in file["name"][:]]


def test_no_chromosome_is_in_two_sets_and_each_record_is_tested_once(folded: Project) -> None:
    data, records = folded.folder / "data", raw(folded)
    for k in range(FOLDS):
        sets = [set(names_of(data / f"fold-{k}" / f"{s}.h5")) for s in ("train", "valid", "test")]
        places = [{name.split(":")[0] for name in names} for names in sets]
        assert sum(map(len, sets)) == len(records) and set().union(*sets) == set(records)
        assert sum(map(len, places)) == len(SIZES)
    tested = Counter(name for k in range(FOLDS) for name in names_of(data / f"fold-{k}/test.h5"))
    assert tested == Counter(list(records))
    assert names_of(data / "new.h5") == ["a", "b"]
    assert not (data / "train.h5").exists()


def test_a_chosen_member_is_explained_on_the_part_of_its_fold(
    folded: Project, tmp_path: Path
) -> None:
    copied = folded.copy(tmp_path / "copied")
    for member, fold in (("fold-2/seed-1", 2), ("best", 0)):
        copied.configure(explain={"enabled": True, "member": member})
        output = copied.succeed("--dry-run", "--printshellcmds").output
        (command,) = [line for line in output.splitlines() if "/attribute.py" in line]
        assert f"--data=data/fold-{fold} " in command


def test_a_member_is_tested_on_the_part_of_its_fold(folded: Project) -> None:
    records = raw(folded)
    losses = set()
    for k in range(FOLDS):
        wanted = [records[name] for name in names_of(folded.folder / f"data/fold-{k}/test.h5")]
        for i in range(2):
            member = folded.result / "members" / f"fold-{k}" / f"seed-{i}"
            with np.load(member / "outputs.npz") as outputs:
                assert outputs["y_true"].ravel() == pytest.approx(wanted)
            losses.add(json.loads((member / "metrics.json").read_text())["loss"])
    assert len(losses) == FOLDS * 2
    first = folded.result / "members/fold-0/seed-0/model.pt"
    assert first.read_bytes() == (folded.result / "best" / "model.pt").read_bytes()


def test_every_record_is_predicted_by_those_that_did_not_see_it(folded: Project) -> None:
    records = raw(folded)
    with (folded.result / "members" / "out_of_fold.tsv").open() as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    assert list(rows[0]) == ["name", "fold", "label", "prediction", "sd"]
    assert [row["name"] for row in rows] == list(records), "in the order of the raw file"
    assert [float(row["label"]) for row in rows] == pytest.approx(list(records.values()))
    for k in range(FOLDS):
        names = names_of(folded.folder / f"data/fold-{k}/test.h5")
        of = {row["name"]: row for row in rows if row["fold"] == str(k)}
        assert sorted(of) == sorted(names)
        folders = [folded.result / f"members/fold-{k}/seed-{i}" for i in range(2)]
        found = [np.load(folder / "outputs.npz")["y_pred"].ravel() for folder in folders]
        told = [[float(of[name][key]) for name in names] for key in ("prediction", "sd")]
        assert told[0] == pytest.approx(np.mean(found, axis=0), rel=1e-5)
        assert told[1] == pytest.approx(np.std(found, axis=0, ddof=1), rel=1e-4, abs=1e-7)


def test_killed_on_two_cores_it_is_the_same(folded: Project, tmp_path: Path) -> None:
    """Killed while members are trained; then a fold's file is lost, which is made again alone."""
    other = project(tmp_path / "project")
    other.configure(search={"jobs": "bracket"})
    run = other.start(DLUTIL_EPOCH_SECONDS="0.2")
    while not list(other.result.glob("members/trials/fold-*/seed-*/*/history.csv")):
        assert run.poll() is None, (other.folder / "run.txt").read_text()
        time.sleep(0.05)
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    wait_for_orphans(other.folder)
    other.succeed()
    assert other.manifest == folded.manifest
    assert sum(other.would_run().values()) == 0

    kept = (other.folder / "data/fold-1/train.h5").read_bytes()
    (other.folder / "data/fold-1/train.h5").unlink()
    other.forget_epochs()
    assert other.succeed().ran["preprocess_fold"] == 1
    assert (other.folder / "data/fold-1/train.h5").read_bytes() == kept
    assert other.manifest == folded.manifest and not other.epochs()
