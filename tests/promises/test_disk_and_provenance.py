"""What a run leaves: checkpoints as the config wants them, and where its results came from."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from support import Project, planned_epochs

ALONE: dict[str, Any] = {"evaluate": False, "predict": []}


def checkpoints(project: Project) -> dict[int, int]:
    """How many checkpoints each trial has, where it has any."""
    found = (project.result / "search" / "trials").glob("*/*.pt")
    return dict(Counter(int(path.parent.name) for path in found))


def last_rung(project: Project) -> set[int]:
    """Trials that were trained to the end."""
    seeds = {t["seed"]: t["trial"] for t in project.plan["trials"]}
    last = project.plan["max_epochs"]
    return {seeds[e.trial_seed] for e in project.epochs() if e.number == last}


@pytest.mark.slow
@pytest.mark.parametrize("keep", ["survivors", "best"])
def test_pruned_then_grown(
    keep: str, tmp_path: Path, tally: Counter[str], larger: Project, searched: Project
) -> None:
    project = searched.copy(tmp_path / "project")
    survivors = last_rung(project)
    manifest = project.manifest
    assert len(checkpoints(project)) == 5
    project.configure(keep_checkpoints=keep)
    assert dict(project.succeed().ran) == {"prune": 1}
    assert project.manifest == manifest
    best = {json_of(project, "best/leaderboard.csv")}
    assert set(checkpoints(project)) == (survivors if keep == "survivors" else best)
    note = (project.result / "logs" / "pruned.txt").read_text()
    assert re.search(r"(\d+) bytes freed", note)
    # What is left is enough for the same results,
    assert not project.would_run()
    # and what was removed is trained again when a larger search needs it.
    project.forget_epochs()
    project.configure(search={"max_epochs": 9})
    project.succeed()
    assert project.manifest == larger.manifest
    missing = planned_epochs(project.plan) - 11
    assert missing <= len(project.epochs()) <= missing + 11
    tally["epochs repeated after pruning"] += len(project.epochs()) - missing


def json_of(project: Project, name: str) -> int:
    """The trial in the first row of a leaderboard."""
    lines = (project.result / name).read_text().splitlines()
    return int(lines[1].split(",")[lines[0].split(",").index("trial")])


@pytest.mark.slow
def test_nothing_is_removed_before_the_search_has_ended(tmp_path: Path) -> None:
    """A run that ends in an error keeps all checkpoints, whatever the config wants kept."""
    project = Project.make(
        tmp_path / "project", search={"max_epochs": 3}, keep_checkpoints="best", predict=[]
    )
    text = (project.folder / "def.py").read_text()
    broken = text.replace("        trace(self.seed, self.epoch)\n", BREAK)
    assert broken != text
    (project.folder / "def.py").write_text(broken)
    done = project.run(BREAK="8")
    assert done.code != 0
    assert "its worker ended with signal 9" in done.output
    assert checkpoints(project)
    project.succeed()
    assert len(checkpoints(project)) == 1


BREAK = """\
        trace(self.seed, self.epoch)
        traced = os.stat(os.environ["DLUTIL_TRACE"]).st_size  # not read: other jobs write there too
        if traced > 30 * int(os.environ.get("BREAK", "1000")):
            os.kill(os.getpid(), 9)
"""


# Provenance


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_provenance_tells_what_results_came_from(finished: Project) -> None:
    told = json.loads((finished.result / "best" / "provenance.json").read_text())
    data = finished.folder / "data"
    assert told["data_sha256"] == {n: sha256(data / n) for n in ("train.h5", "valid.npy")}
    assert told["plan_sha256"] == sha256(finished.result / "search" / "plan.json")
    assert set(told["versions"]) >= {"python", "torch", "numpy", "h5py"}
    assert told["config"]["seed"] == 3
    assert told["config"]["batch_size"] == 50
    assert told["config"]["search"] == {"method": "hyperband", "max_epochs": 9, "eta": 3}
    units = hashlib.sha256(b"DLUTIL_TEST_UNITS=volts").hexdigest()
    assert told["config"]["env_sha256"] == {"DLUTIL_TEST_UNITS": units}
    assert re.fullmatch(r"[0-9a-f]{16,}.*", told["definition"]["train"])
    tested = json.loads((finished.result / "test" / "provenance.json").read_text())
    assert tested["data_sha256"] == {"test.npy": sha256(data / "test.npy")}
    assert tested["model_sha256"] == sha256(finished.result / "best" / "model.pt")
    assert re.fullmatch(r"[0-9a-f]{16,}.*", tested["definition"]["test"])
    assert tested["definition"]["test"] != told["definition"]["train"]


def test_results_name_no_place_host_or_day(finished: Project) -> None:
    """What cannot change a result is in logs/ alone."""
    year = re.compile(rb"\b20[2-9]\d-[01]\d-[0-3]\d\b")
    words = [str(finished.folder), os.uname().nodename, str(Path(finished.repository))]
    for line in finished.manifest.splitlines():
        path = finished.result / line.partition("  ")[2]
        content = path.read_bytes()
        for word in words:
            if len(word) > 3:
                assert word.encode() not in content, f"{path} names {word}"
        if path.suffix in (".json", ".csv", ".svg", ".tsv"):
            assert not year.search(content), f"{path} holds a date"
    assert (finished.result / "logs" / "run.json").is_file()
