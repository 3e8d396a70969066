"""A trial that fails is a result, ranked last; a worker that is killed is none, and resumes."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import pytest
from support import DEFINITION, Finished, Project, edit

# The seeds of trials and how they fail in which epoch come from outside of def.py, so that a run in
# which nothing fails has the same fingerprint.
FAILING = (
    DEFINITION.replace(
        """    def before_epoch(self):
""",
        """    def before_epoch(self):
        how, epoch, note = json.loads(os.environ.get("FAIL", "{}")).get(str(self.seed), ("", 0, ""))
        if how and epoch == self.epoch:
            self.fail(how, note)
""",
    )
    .replace(
        "    def before_epoch(self):\n",
        """    def fail(self, how, note):
        times = 1
        if note:
            with open(note, "a") as file:
                file.write("x")
            times = os.stat(note).st_size  # not read: other jobs' trials write there too
        if how == "diverges":
            for weight in self.network.parameters():
                weight.data.fill_(float("nan"))
        if how == "raises":
            raise ValueError("the dose is out of range")
        if how == "exits":
            raise SystemExit(3)
        if how == "memory" or how == "memory once" and times == 1:
            raise MemoryError("no room for 10 GB")
        if how == "killed" or how == "killed once" and times == 1:
            os.kill(os.getpid(), 9)

    def before_epoch(self):
""",
        1,
    )
    .replace("import os\n", "import json\nimport os\n", 1)
)

SEARCH: dict[str, Any] = {"max_epochs": 3}
# R = 3: bracket 1 has trials 0, 1 and 2, of which one is promoted; bracket 0 has trials 3 and 4.


def make(folder: Path, **search: Any) -> Project:
    changes: dict[str, Any] = {"search": SEARCH | search, "evaluate": False, "predict": []}
    return Project.make(folder, FAILING, **changes)


@pytest.fixture(scope="module")
def unharmed(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = make(tmp_path_factory.mktemp("unharmed") / "project")
    project.succeed()
    return project


class Failing:
    """A project whose trials fail in given ways."""

    def __init__(self, folder: Path, unharmed: Project, **search: Any) -> None:
        self.project = make(folder, **search)
        self.seeds = [t["seed"] for t in unharmed.plan["trials"]]
        self.note = folder / "note.txt"

    def run(self, **how: tuple[str, int]) -> Finished:
        """Run it; `t3=("raises", 1)` fails trial 3 in its epoch 1."""
        fails = {self.seeds[int(t[1:])]: (*how[t], str(self.note)) for t in how}
        return self.project.run(FAIL=json.dumps(fails))

    def rows(self, name: str) -> list[dict[str, str]]:
        with open(self.project.result / name, newline="") as file:
            return list(csv.DictReader(file))


@pytest.fixture
def failing(tmp_path: Path, unharmed: Project) -> Failing:
    return Failing(tmp_path / "project", unharmed)


def promoted_trial(unharmed: Project) -> int:
    """The trial of bracket 1 that reaches the last rung."""
    with open(unharmed.result / "search" / "bracket-1" / "leaderboard.csv", newline="") as file:
        return next(int(r["trial"]) for r in csv.DictReader(file) if r["promoted"] == "1")


@pytest.mark.slow
@pytest.mark.parametrize("jobs", ["bracket", "trial"])
def test_failed_trials_are_ranked_last(jobs: str, tmp_path: Path, unharmed: Project) -> None:
    failing = Failing(tmp_path / "project", unharmed, jobs=jobs)
    done = failing.run(t0=("raises", 1), t1=("diverges", 1), t3=("memory", 2))
    assert done.code == 0, done.output
    rung = [r for r in failing.rows("search/bracket-1/leaderboard.csv") if r["rung"] == "0"]
    assert [r["trial"] for r in rung] == ["2", "0", "1"]
    assert [r["status"] for r in rung] == ["ok", "raised", "diverged"]
    assert [r["promoted"] for r in rung] == ["1", "0", "0"]
    assert "ValueError: the dose is out of range" in rung[1]["message"]
    assert "not finite in epoch 1" in rung[2]["message"]
    last = failing.rows("best/leaderboard.csv")
    assert [r["trial"] for r in last[2:]] == ["0", "1", "3"]
    assert {last[0]["trial"], last[1]["trial"]} == {"2", "4"}
    assert [r["rank"] for r in last] == ["1", "2", "3", "4", "5"]
    assert last[4]["status"] == "out-of-memory"
    assert "no room for 10 GB" in last[4]["message"]
    assert all(r["score"] == "" for r in last[2:])
    error = (failing.project.result / "search" / "trials" / "00000" / "error.txt").read_text()
    assert error.startswith("Traceback") and "the dose is out of range" in error
    assert re.search(r"trial 3: out of memory, trying it alone", done.output)
    # The trials beside them are what they are in a search without failures.
    kept = {r["trial"]: r["score"] for r in last[:2]}
    with open(unharmed.result / "best" / "leaderboard.csv", newline="") as file:
        assert kept["4"] == next(r["score"] for r in csv.DictReader(file) if r["trial"] == "4")
    # Nothing is tried again, though it would go well now.
    failing.project.forget_epochs()
    manifest = failing.project.manifest
    (failing.project.result / "search" / "bracket-1" / "leaderboard.csv").unlink()
    assert failing.project.run().code == 0
    assert failing.project.manifest == manifest
    assert failing.project.epochs() == []


@pytest.mark.slow
def test_bracket_jobs_and_trial_jobs_agree_on_failures(tmp_path: Path, unharmed: Project) -> None:
    manifests = []
    going_on = promoted_trial(unharmed)
    other = next(j for j in (0, 1, 2) if j != going_on)
    for jobs in ("bracket", "trial"):
        failing = Failing(tmp_path / jobs, unharmed, jobs=jobs)
        fails = {f"t{other}": ("raises", 1), f"t{going_on}": ("diverges", 2), "t4": ("exits", 2)}
        done = failing.run(**fails)
        assert done.code == 0, done.output
        manifests.append(failing.project.manifest)
    assert manifests[0] == manifests[1]


@pytest.mark.slow
def test_a_promoted_trial_may_fail(failing: Failing, unharmed: Project) -> None:
    """The last rung of a bracket is a single trial: its failure is not the bracket's."""
    trial = promoted_trial(unharmed)
    done = failing.run(**{f"t{trial}": ("raises", 2)})
    assert done.code == 0, done.output
    last = failing.rows("best/leaderboard.csv")
    assert [(r["trial"], r["status"]) for r in last][-1] == (str(trial), "raised")
    rows = failing.rows("search/bracket-1/leaderboard.csv")
    assert [(r["trial"], r["status"]) for r in rows if r["rung"] == "1"] == [(str(trial), "raised")]


@pytest.mark.slow
@pytest.mark.parametrize("jobs", ["bracket", "trial"])
def test_all_trials_of_a_bracket_failing_is_an_error(
    jobs: str, tmp_path: Path, unharmed: Project
) -> None:
    failing = Failing(tmp_path / "project", unharmed, jobs=jobs)
    done = failing.run(t3=("raises", 1), t4=("diverges", 2))
    assert done.code != 0
    assert len(done.sentences) == 1, done.sentences
    assert done.sentences[0].startswith(
        "bracket 0: every trial failed; the first was trial 3, which raised: line "
    )
    assert "ValueError: the dose is out of range" in done.sentences[0]
    assert "Traceback (most recent call last)" not in done.output
    logs = "".join(path.read_text() for path in (failing.project.result / "logs").rglob("*.log"))
    assert 'raise ValueError("the dose is out of range")' in logs
    assert not (failing.project.result / "search" / "bracket-0" / "best.pt").exists()
    # Mended, the same command goes on.
    edit(failing.project.folder / "def.py", 'raise ValueError("the dose is out of range")', "pass")
    assert failing.project.run().code == 0


@pytest.mark.slow
def test_memory_that_suffices_for_one(failing: Failing, unharmed: Project) -> None:
    done = failing.run(t1=("memory once", 1))
    assert done.code == 0, done.output
    assert "trial 1: out of memory, trying it alone" in done.output
    assert failing.note.read_text() == "xx"
    assert failing.project.manifest == unharmed.manifest


@pytest.mark.slow
def test_a_worker_that_is_killed_once(failing: Failing, unharmed: Project) -> None:
    done = failing.run(t3=("killed once", 2))
    assert done.code == 0, done.output
    assert "trial 3: its worker ended with signal 9 (Killed), the trial resumes" in done.output
    assert failing.note.read_text() == "xx"
    assert failing.project.manifest == unharmed.manifest


@pytest.mark.slow
def test_a_worker_that_is_killed_always(failing: Failing, unharmed: Project) -> None:
    done = failing.run(t4=("killed", 2))
    assert done.code != 0
    assert failing.note.read_text() == 3 * "x"
    config = unharmed.plan["trials"][4]["config"]
    assert len(done.sentences) == 1
    assert done.sentences[0].startswith(
        "trial 4: its worker ended with signal 9 (Killed) 3 times at epoch 2; "
    )
    assert str(config) in done.sentences[0]
    # A kill is no result: when the reason is gone, the same command ends well.
    assert failing.run().code == 0
    assert failing.project.manifest == unharmed.manifest


@pytest.mark.slow
def test_a_loader_that_fails_is_no_trials_fault(failing: Failing, unharmed: Project) -> None:
    data = failing.project.folder / "data" / "train.h5"
    content = data.read_bytes()
    data.write_bytes(content[:200])
    done = failing.run()
    assert done.code != 0
    assert len(done.sentences) == 1, done.sentences
    assert "get_train_generator failed" in done.sentences[0]
    data.write_bytes(content)
    assert failing.run().code == 0
    assert failing.project.manifest == unharmed.manifest
