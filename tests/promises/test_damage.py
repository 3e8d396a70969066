"""Damaged files are detected, reported and made again; a full disk is a sentence."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from support import Project

ALONE: dict[str, object] = {"evaluate": False, "predict": []}


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def flip_a_bit_of_the_weights(path: Path) -> None:
    content = bytearray(path.read_bytes())
    weights = torch.load(path, weights_only=True)["weights"]
    first = next(iter(weights.values())).numpy().tobytes()
    place = bytes(content).find(first)
    assert place > 0
    content[place + 1] ^= 1
    path.write_bytes(content)


def from_another_trial(path: Path) -> None:
    other = next(p for p in sorted(path.parent.parent.glob(f"*/{path.name}")) if p != path)
    shutil.copyfile(other, path)


def from_another_program(path: Path) -> None:
    torch.save({"epoch": 3, "weights": {}, "state": torch.zeros(3)}, path)


def code_in_a_pickle(path: Path) -> None:
    """A pickle that would run a command if it were read without care."""
    path.write_bytes(b"cos\nsystem\n(S'touch " + str(path.parent).encode() + b"/pwned'\ntR.")


DAMAGES: list[Callable[[Path], None]] = [
    truncate,
    empty,
    flip_a_bit_of_the_weights,
    from_another_trial,
    from_another_program,
    code_in_a_pickle,
]


@pytest.mark.slow
def test_damaged_checkpoints_are_trained_again(
    searched: Project, larger: Project, tmp_path: Path, tally: Counter[str]
) -> None:
    """Each trial's checkpoints are damaged in another way, then the search goes on."""
    project = searched.copy(tmp_path / "project")
    trials = sorted((project.result / "search" / "trials").iterdir())
    damaged = []
    for number, folder in enumerate(trials):
        for path in folder.glob("at-*.pt"):
            DAMAGES[number % len(DAMAGES)](path)
            damaged.append(path)
    code_in_a_pickle(trials[0] / "last.pt")
    truncate(trials[1] / "history.csv")
    empty(trials[2] / "config.json")
    project.configure(search={"max_epochs": 9})
    done = project.succeed()
    assert project.manifest == larger.manifest
    assert not list(project.result.rglob("pwned"))
    needed = [p for p in damaged if p.parent != trials[2]]
    reported = [str(p) for p in needed if f"{p.relative_to(project.folder)}" in done.output]
    assert reported, done.output
    tally["damaged checkpoints"] += len(damaged)


@pytest.mark.slow
@pytest.mark.parametrize("damage", DAMAGES, ids=[d.__name__ for d in DAMAGES])
def test_a_damaged_checkpoint_is_reported(
    damage: Callable[[Path], None], searched: Project, tmp_path: Path, tally: Counter[str]
) -> None:
    """The best trial's checkpoint is damaged and its bracket made again."""
    project = searched.copy(tmp_path / "project")
    project.forget_epochs()
    best = int(project.plan["brackets"][1]["trials"][0])
    paths = [
        project.result / "search" / "trials" / f"{j:05d}" / "at-3.pt" for j in (best, best + 1)
    ]
    for path in paths:
        damage(path)
    shutil.rmtree(project.result / "search" / "bracket-0")
    done = project.succeed()
    assert project.manifest == searched.manifest
    assert re.search(r"^warning: out/search/trials/0000\d/at-3.pt\b.*$", done.output, re.M)
    assert project.epochs(), "the checkpoint was needed and has been trained again"
    tally["damaged checkpoints"] += 2


# A full disk


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 200 kB, mounted at the result folder."""
    place = tmp_path / "project" / "out"
    project = Project.make(tmp_path / "project", **ALONE)
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(place)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip(f"no small file system can be mounted here: {mounted.stderr.strip()}")
    yield project.folder
    subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.mark.slow
def test_a_full_disk(small_disk: Path, larger: Project) -> None:
    project = Project(small_disk)
    done = project.run()
    assert done.code != 0
    # One sentence each for the jobs that were running.
    assert 1 <= len(done.sentences) <= 3, done.output
    assert all("the disk is full; free some space" in s for s in done.sentences), done.sentences
    assert "Traceback" not in done.output
    assert "Logging error" not in done.output
    again = project.run()
    assert again.code != 0, "it is full still"
    subprocess.run(["mount", "-o", "remount,size=64m", str(project.result)], check=True)
    project.succeed()
    assert project.manifest == larger.manifest


# More than one run


@pytest.mark.slow
def test_a_second_run_gets_a_sentence(searched: Project, tmp_path: Path) -> None:
    project = Project.make(tmp_path / "project", **ALONE, search={"max_epochs": 3})
    run = project.start(DLUTIL_EPOCH_SECONDS="1")
    while not project.epochs():
        time.sleep(0.1)
        assert run.poll() is None
    second = project.run()
    assert second.code == 1
    assert len(second.sentences) == 1
    told = rf"another run works on this result folder \(process {run.pid} on {os.uname().nodename}"
    assert re.match(f"out: {told}", second.sentences[0])
    assert "Traceback" not in second.output
    assert project.run("--dry-run").code == 0
    assert run.wait(120) == 0
    assert project.manifest == searched.manifest


@pytest.mark.slow
@pytest.mark.parametrize("seed", [3, 4])
def test_an_orphan_and_its_successor(seed: int, tmp_path: Path, tally: Counter[str]) -> None:
    """Only the main process is killed; the next run begins at once beside the job that goes on.

    With another seed the orphan's results would be wrong: it ends without writing them.
    """
    from killing import repeats, wait_for_orphans

    fresh = Project.make(tmp_path / "fresh", **ALONE, search={"max_epochs": 3}, seed=seed)
    fresh.succeed()
    project = Project.make(tmp_path / "project", **ALONE, search={"max_epochs": 3}, seed=3)
    run = project.start(DLUTIL_EPOCH_SECONDS="1")
    while len(project.epochs()) < 3:
        time.sleep(0.1)
        assert run.poll() is None
    run.kill()
    run.wait()
    project.configure(seed=seed)
    project.succeed(DLUTIL_EPOCH_SECONDS="0.2")
    assert project.manifest == fresh.manifest
    wait_for_orphans(project.folder)
    assert project.manifest == fresh.manifest
    assert not project.would_run()
    if seed == 3:
        assert repeats(project.epochs()).epochs <= 2
    tally["kills"] += 1
