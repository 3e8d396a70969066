"""A run whose short jobs are forks of its resident: same bytes, and nothing outlives a kill."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from killing import left_over, wait_for_orphans
from support import DEFINITION, Finished, Project

SECONDS = 60

# The test loader notes who loads it, has a child of its own, and waits while `hold` is there.
HELD = DEFINITION.replace(
    "def for_test(table):\n",
    """def for_test(table):
    folder = os.path.dirname(os.environ["DLUTIL_TRACE"])
    worker = os.fork()
    if not worker:
        time.sleep(600)
    handle = os.open(folder + "/testers.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(handle, f"{os.getppid()} {os.getpid()} {worker}\\\\n".encode())
    os.close(handle)
    while os.access(folder + "/hold", os.F_OK):
        time.sleep(0.05)
    os.kill(worker, 9)
    os.waitpid(worker, 0)
""".replace("\\\\n", "\\n"),
)


def make(folder: Path) -> Project:
    return Project.make(folder, definition=HELD, search={"max_epochs": 3})


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A run whose every job is a process of its own."""
    project = make(tmp_path_factory.mktemp("alone") / "project")
    project.succeed(DLUTIL_RESIDENT="off")
    return project


class Held:
    """A run that waits in its test job: the resident, its child, the child's own, and the job."""

    def __init__(self, folder: Path) -> None:
        self.project = make(folder)
        self.hold = self.project.folder / "hold"
        self.hold.touch()
        self.run = self.project.start()
        testers = self.project.folder / "testers.txt"
        wait_until(lambda: testers.exists() and testers.read_text().endswith("\n"))
        self.resident, self.child, self.worker = map(psutil.Process, who_tested(self.project)[0])
        assert "dlutil_core.job.resident_process" in self.resident.cmdline()
        jobs = psutil.Process(self.run.pid).children(recursive=True)
        self.job = next(p for p in jobs if any(w.endswith("evaluate.py") for w in p.cmdline()))

    def end(self) -> Finished:
        """Let the test go on, and the run to its end."""
        self.hold.unlink()
        code = self.run.wait(SECONDS)
        return Finished(code, (self.project.folder / "run.txt").read_text(), 0)


def who_tested(project: Project) -> list[list[int]]:
    text = (project.folder / "testers.txt").read_text()
    return [[int(word) for word in line.split()] for line in text.splitlines()]


def wait_until(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.05)


def assert_gone(*processes: psutil.Process) -> None:
    """That they end although nobody lets the test go on."""
    _, alive = psutil.wait_procs(processes, timeout=SECONDS)
    assert not [p for p in alive if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]


def compare(project: Project, alone: Project) -> None:
    project.succeed()
    assert project.manifest == alone.manifest
    assert left_over(project.folder) == []


def test_forks_leave_the_same_bytes_and_nothing_else(alone: Project, tmp_path: Path) -> None:
    held = Held(tmp_path / "project")
    done = held.end()
    assert done.code == 0, done.output
    assert left_over(held.project.folder) == []
    assert held.project.manifest == alone.manifest
    identities = [p.relative_to(alone.result) for p in alone.result.glob("identity/**/*.json")]
    for name in identities:
        assert (held.project.result / name).read_text() == (alone.result / name).read_text()
    assert held.project.would_run() == {}


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_fork_ends_with_its_job(number: int, alone: Project, tmp_path: Path) -> None:
    held = Held(tmp_path / "project")
    held.job.send_signal(number)
    assert_gone(held.child)
    if number == signal.SIGKILL:
        assert_gone(held.worker)
    else:  # which is the definition's own: a job that is told to end does not look for it
        held.worker.kill()
    assert held.end().code != 0
    compare(held.project, alone)


def test_a_job_whose_resident_is_killed_does_its_work_itself(
    alone: Project, tmp_path: Path
) -> None:
    held = Held(tmp_path / "project")
    held.worker.kill()
    held.resident.kill()
    assert_gone(held.child)
    wait_until(lambda: len(who_tested(held.project)) == 2)
    assert held.end().code == 0
    assert who_tested(held.project)[1][1] == held.job.pid
    compare(held.project, alone)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
@pytest.mark.parametrize("whom", ["main process", "everything"])
def test_a_resident_ends_with_its_run(
    whom: str, number: int, alone: Project, tmp_path: Path
) -> None:
    held = Held(tmp_path / "project")
    (os.kill if whom == "main process" else os.killpg)(held.run.pid, number)
    if (whom, number) == ("main process", signal.SIGINT):  # which waits for its jobs
        held.hold.unlink()
    held.run.wait(SECONDS)
    assert_gone(held.resident, held.child)
    with_suppressed_end(held)
    wait_for_orphans(held.project.folder)
    compare(held.project, alone)


def with_suppressed_end(held: Held) -> None:
    """What the definition itself started, and a job that goes on by itself, come to their end."""
    held.hold.unlink(missing_ok=True)
    if held.worker.is_running():
        held.worker.kill()


def test_two_runs_in_one_folder_do_not_meet(alone: Project, tmp_path: Path) -> None:
    first = Held(tmp_path / "project")
    second = Project(first.project.folder)
    text = (first.project.folder / "config.yaml").read_text()
    (first.project.folder / "other.yaml").write_text(text.replace("result: out", "result: other"))
    command = second.command()
    command[command.index("config.yaml")] = "other.yaml"
    run = subprocess.Popen(command, cwd=second.folder, env=second.environ())
    wait_until(lambda: len(who_tested(second)) == 2)
    (resident, *_), (other, child, _) = who_tested(second)
    assert resident != other
    first.run.kill()
    assert_gone(first.resident, first.child)
    assert psutil.Process(child).ppid() == other
    with_suppressed_end(first)
    assert run.wait(SECONDS) == 0
    assert (second.folder / "other" / "MANIFEST.sha256").read_text() == alone.manifest
