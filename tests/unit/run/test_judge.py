"""Which steps are to be made: wanted identities compared with what the result folder holds."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from run_project import run_of

from dlutil_core.common.errors import UserError
from dlutil_core.common.hash_memory import HashMemory
from dlutil_core.common.reads import ABSENT, FILE, FOLDER, Read
from dlutil_core.job.step import Step
from dlutil_core.run.job_sizes import JobSizes
from dlutil_core.run.judge import Judge
from dlutil_core.run.odd_times import settle_times
from dlutil_core.run.steps import Steps

CONFIG: dict[str, Any] = {
    "search": {"max_epochs": 3},
    "predict": ["new/a.npy"],
    "env": {"UNITS": "V"},
}
TEST = ["test", "figures", "report", "manifest"]
PREDICT = ["predict/new/a.npy", "manifest"]
SEARCH = ["plan", "bracket-1", "bracket-0", "best"]
EVERYTHING = [*SEARCH, "test", "figures", "predict/new/a.npy", "report", "manifest"]

pytestmark = pytest.mark.usefixtures("here")


def steps(**changes: Any) -> Steps:
    run = run_of(**CONFIG | changes)
    return Steps(run, JobSizes(run.values, run.plan))


def stale(**changes: Any) -> list[str]:
    """Steps that are to be made, in order."""
    return list(Judge(steps(**changes), HashMemory()).stale)


def reads_of(step: str) -> list[Read]:
    """What the code of a step reads without anybody naming it."""
    if step.startswith("bracket"):
        read = ("train.h5", "valid.h5")
        return [
            Read(os.path.abspath(f"data/{n}"), FILE, HashMemory().file(f"data/{n}") or "")
            for n in read
        ]
    if step == "test":
        found = HashMemory().read(FOLDER, "data") or ""
        return [
            Read(os.path.abspath("data"), FOLDER, found),
            Read(os.path.abspath("labels.txt"), ABSENT),
        ]
    return []


def make(**changes: Any) -> None:
    """Make what is to be made, as jobs do: files with the name of the step in them."""
    judge = Judge(steps(**changes), HashMemory())
    for planned in judge.steps:
        if planned.name not in judge.stale:
            continue
        step = Step(planned.request)
        if step.is_done():
            continue
        step.begin()
        for name in planned.request.outputs:
            path = Path(planned.request.places.path(name))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{planned.name} {name}")
        step.finish(reads_of(planned.name))


@pytest.fixture(autouse=True)
def made(here: Path) -> None:
    """Everything is made once; nothing is to be made then."""
    assert stale() == EVERYTHING
    make()
    assert stale() == []


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({"seed": 7}, EVERYTHING),
        ({"batch_size": 7}, EVERYTHING[1:]),
        ({"device": "cpu"}, EVERYTHING[1:]),
        ({"precision": "bf16"}, EVERYTHING[1:]),
        ({"env": {"UNITS": "A"}}, EVERYTHING),
        ({"search": {"max_epochs": 3, "threads_per_trial": 2}}, EVERYTHING[1:]),
        ({"search": {"max_epochs": 3, "jobs": "trial"}}, []),
        ({"keep_checkpoints": "best"}, ["prune"]),
        ({"predict": []}, ["manifest"]),
        ({"predict": ["new/a.npy", "test.h5.batch2"]}, ["predict/test.h5.batch2", "manifest"]),
    ],
)
def test_each_step_depends_on_what_it_must(changes: dict[str, Any], wanted: list[str]) -> None:
    assert stale(**changes) == wanted


def test_another_version_of_a_package_makes_all_again(monkeypatch: pytest.MonkeyPatch) -> None:
    from dlutil_core.run import steps as rooms

    known = rooms.package_versions
    monkeypatch.setattr(rooms, "package_versions", lambda names: known(names) | {"torch": "0"})
    assert stale() == EVERYTHING


def test_another_version_of_dlutil_makes_again_what_its_code_makes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from dlutil_core.run import steps as rooms

    monkeypatch.setattr(rooms, "code_sha256", lambda: "other")
    assert stale() == ["best", *EVERYTHING[4:]]
    monkeypatch.setattr(rooms, "RESULT_VERSION", 0)
    assert stale() == EVERYTHING


def replaced(path: str) -> None:
    """Another content of the same size under the same times."""
    before = os.stat(path)
    new = Path(path + ".new")
    new.write_text(Path(path).read_text()[::-1])
    os.utime(new, ns=(before.st_atime_ns, before.st_mtime_ns))
    os.replace(new, path)


def in_place(path: str) -> None:
    """Written in place, with its modification time put back."""
    before = os.stat(path)
    Path(path).write_text(Path(path).read_text()[::-1])
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def linked(path: str) -> None:
    """A link to something else."""
    Path(path).unlink()
    Path("elsewhere").write_text("elsewhere")
    Path(path).symlink_to(os.path.abspath("elsewhere"))


@pytest.mark.parametrize("change", [replaced, in_place, linked, os.unlink])
@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("data/train.h5", ["bracket-1", "bracket-0", "best", *EVERYTHING[4:]]),
        ("data/new/a.npy", PREDICT),
        ("out/best/model.pt", ["best", *EVERYTHING[4:]]),
        ("out/test/metrics.json", TEST),
        ("out/report.html", ["report", "manifest"]),
        ("out/MANIFEST.sha256", ["manifest"]),
    ],
)
def test_content_counts(change: Callable[[str], None], path: str, wanted: list[str]) -> None:
    if change is os.unlink and path == "data/new/a.npy":
        pytest.skip("what is to be predicted must be there")
    change(path)
    found = stale()
    if change is os.unlink and path.startswith("data"):
        wanted = sorted({*wanted, *TEST}, key=EVERYTHING.index)  # the test step lists the folder
    assert found == wanted


def test_times_do_not_count() -> None:
    for path in [*Path("data").rglob("*"), *Path("out").rglob("*"), Path("def.py")]:
        if path.is_file():
            os.utime(path, (0, 0))
    assert stale() == []
    for path in [*Path("data").rglob("*"), *Path("out").rglob("*")]:
        if path.is_file():
            os.utime(path, (2**31, 2**31))
    assert stale() == []


def test_what_is_listed_and_what_was_absent_counts() -> None:
    Path("data/notes.txt").write_text("")
    assert stale() == TEST, "the test step lists the folder"
    os.unlink("data/notes.txt")
    Path("labels.txt").write_text("")
    assert stale() == TEST, "the test step asked for the file"
    os.unlink("labels.txt")
    Path("data/new/notes.txt").write_text("")
    assert stale() == []


def test_a_moved_folder_is_what_it_was() -> None:
    shutil.move("out", "elsewhere")
    assert stale() == EVERYTHING
    assert stale(result="elsewhere") == []
    shutil.move("data", "numbers")
    assert stale(result="elsewhere", data="numbers") == []


def test_a_renamed_definition_is_another() -> None:
    shutil.move("def.py", "other.py")
    assert stale(definition="other.py") == EVERYTHING


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"part": 1, "inputs": [], "reads": 0}'])
def test_a_damaged_identity_is_none(text: str) -> None:
    Path("out/identity/test.json").write_text(text)
    assert stale() == TEST


def test_results_that_are_equal_stop_what_follows() -> None:
    Path("out/identity/bracket-0.json").unlink()
    assert stale() == ["bracket-0", "best", *EVERYTHING[4:]]
    before = {path: path.stat().st_mtime_ns for path in Path("out/identity").rglob("*.json")}
    make()
    after = {path: path.stat().st_mtime_ns for path in Path("out/identity").rglob("*.json")}
    assert [p.name for p in after if after[p] != before.get(p)] == ["bracket-0.json"]


def test_what_is_damaged_is_told_also_where_it_is_made_again_anyway() -> None:
    Path("out/test/metrics.json").write_text("{}")
    judge = Judge(steps(seed=9), HashMemory())
    assert judge.damaged == ["out/test/metrics.json"]


def test_an_identity_that_lost_a_part_is_none() -> None:
    path = Path("out/identity/test.json")
    found = json.loads(path.read_text())
    assert found["reads"]
    path.write_text(json.dumps(found | {"reads": []}))
    assert stale() == TEST


@pytest.mark.parametrize("path", ["out/test/metrics.json", "out/report.html"])
def test_a_folder_where_a_result_belongs_is_refused(path: str) -> None:
    os.unlink(path)
    os.mkdir(path)
    with pytest.raises(UserError, match=f"{path}: is a folder where a result belongs"):
        stale()


@pytest.mark.parametrize("future", [0, time.time() + 86400, 2**33], ids=["none", "tomorrow", "far"])
def test_results_that_are_oddly_dated_get_the_present_time(future: float) -> None:
    for path in (*Path("out").rglob("*"), Path("data/train.h5")):
        os.utime(path, (future, future))
    settle_times(steps())
    now = time.time()
    assert Path("data/train.h5").stat().st_mtime == future, "what the user gave is left alone"
    written = [p for p in Path("out").rglob("*") if p.is_file()]
    assert written and all(1 <= p.stat().st_mtime <= now for p in written)
    assert stale() == []


def test_code_that_predicts_may_read_what_is_made_unasked() -> None:
    Path("raw.txt").write_text("1\n2\n")
    files = {"features": "raw.txt", "targets": "raw.txt"}
    section = dict.fromkeys(["train", "valid", "test"], files)
    assert "preprocess" in steps(preprocess=section)["predict/new/a.npy"].before
