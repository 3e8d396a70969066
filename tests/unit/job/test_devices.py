"""Devices are handed out one by one: between processes, between a job's workers, between jobs.

There is no GPU here: `DLUTIL_DEVICES` counts devices whose locks are real and whose work a CPU
does.
"""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from support import DEFINITION, Project

from dlutil_core.common.errors import UserError
from dlutil_core.job import devices
from dlutil_core.job.devices import device_slot, lock_name, visible_devices

# A process that holds a place, says which device, and lets go when its input ends.
HOLDER = """
import sys
from dlutil_core.job.devices import device_slot
with device_slot("cuda", int(sys.argv[1]), sys.argv[2] == "alone") as device:
    print(device, flush=True)
    sys.stdin.read()
"""


class Holder:
    """Another process that holds, or waits for, a place on a device."""

    def __init__(self, per_device: int = 1, alone: bool = False) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(per_device), "alone" if alone else "shared"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def device(self) -> str:
        """The device, as soon as it has one."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def waits(self) -> bool:
        """Whether it has none after a while."""
        found, _, _ = select.select([self.process.stdout], [], [], 1)
        return not found

    def let_go(self, kill: bool = False) -> None:
        if kill:
            self.process.kill()
        self.process.communicate()


@pytest.fixture(autouse=True)
def two_devices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DLUTIL_DEVICES", "2")
    monkeypatch.setenv("DLUTIL_LOCKS", str(tmp_path / "locks"))
    for name in ("CUDA_VISIBLE_DEVICES", *devices.JOB_VARIABLES):
        monkeypatch.delenv(name, raising=False)


def test_a_cpu_needs_no_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DLUTIL_DEVICES")
    with device_slot("cpu") as one, device_slot("cpu") as other:
        assert (one, other) == ("cpu", "cpu")
    assert not devices.lock_folder().exists()


@pytest.mark.parametrize(
    ("shown", "names"),
    [
        (None, ["0", "1"]),
        ("1", ["1"]),
        ("3, GPU-8f2a", ["3", "GPU-8f2a"]),
        ("", []),
        ("5,6,7", ["5", "6"]),
    ],
)
def test_only_what_the_scheduler_shows_is_counted(
    shown: str | None, names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    if shown is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", shown)
    assert visible_devices() == names


def test_a_device_is_numbered_as_torch_does_and_locked_by_its_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "7")
    with device_slot("cuda") as device:
        assert device == "cuda:0"
        assert [p.name for p in devices.lock_folder().iterdir()] == ["7-0.lock"]


def test_a_wrong_count_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DLUTIL_DEVICES", "two")
    with pytest.raises(UserError, match="DLUTIL_DEVICES is 'two', but must be a whole number"):
        visible_devices()


def test_two_processes_get_two_devices_and_a_third_waits() -> None:
    first, second = Holder(), Holder()
    assert {first.device(), second.device()} == {"cuda:0", "cuda:1"}
    third = Holder()
    assert third.waits()
    first.let_go(kill=True)  # the kernel frees what a killed process held
    assert third.device() in ("cuda:0", "cuda:1")
    second.let_go()
    third.let_go()


# Holds a place, and has a worker like a DataLoader's that outlives it.
PARENT = """
import os, time
from dlutil_core.job.devices import device_slot
with device_slot("cuda") as device:
    worker = os.fork()
    if worker:
        print(device, worker, flush=True)
    time.sleep(600)
"""


def test_a_worker_that_outlives_its_job_keeps_no_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DLUTIL_DEVICES", "1")
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    device, worker = parent.stdout.readline().split()
    try:
        waiting = Holder()
        assert waiting.waits()  # the parent has it, whatever the worker closed
        parent.kill()
        parent.wait()
        assert not waiting.waits() and waiting.device() == device
        os.kill(int(worker), 0)  # it lives
        waiting.let_go()
    finally:
        os.kill(int(worker), signal.SIGKILL)
        parent.stdout.close()


def test_a_forked_process_lets_go_of_nothing_that_it_has_not() -> None:
    with device_slot("cuda"):
        child = os.fork()
        if child == 0:
            os._exit(0 if not devices._held else 1)
        assert os.waitpid(child, 0)[1] == 0
        assert len(devices._held) == 1
    assert not devices._held


def test_several_share_a_device_after_all_devices_have_one() -> None:
    holders = [Holder(per_device=2) for _ in range(4)]
    assert Counter(h.device() for h in holders) == {"cuda:0": 2, "cuda:1": 2}
    fifth = Holder(per_device=2)
    assert fifth.waits()
    for holder in (*holders, fifth):
        holder.let_go()


def test_alone_waits_for_the_whole_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DLUTIL_DEVICES", "1")
    one, other = Holder(per_device=2), Holder(per_device=2)
    assert one.device() == other.device() == "cuda:0"
    alone = Holder(per_device=2, alone=True)
    one.let_go()
    assert alone.waits()
    other.let_go()
    assert alone.device() == "cuda:0"
    late = Holder(per_device=2)
    assert late.waits()
    alone.let_go()
    assert late.device() == "cuda:0"
    late.let_go()


def test_a_schedulers_jobs_do_not_wait_for_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where devices are confined, each job sees its own one as number 0."""
    names = []
    for job in ("11", "12"):
        monkeypatch.setenv("SLURM_JOB_ID", job)
        names.append(lock_name("0", 0))
    assert len(set(names)) == 2


# -- in whole runs ---------------------------------------------------------------------------------

ALONE = {"predict": [], "evaluate": False}
TRAIN = ("--until", "bracket")

# Writes when each epoch begins and ends.
SPANS = DEFINITION.replace(
    "        self.before_epoch()\n        return super().fit_epoch(train)\n",
    "        began = time.time()\n"
    "        self.before_epoch()\n"
    "        found = super().fit_epoch(train)\n"
    '        name = os.environ.get("DLUTIL_SECOND_LOOK", "spans") + ".txt"\n'
    '        with open(name, "a") as file:\n'
    '            file.write(f"{began} {time.time()}\\n")\n'
    "        return found\n",
)


def most_at_once(project: Project) -> int:
    """How many epochs were trained at the same time at most."""
    lines = (project.folder / "spans.txt").read_text().splitlines()
    spans = [tuple(map(float, line.split())) for line in lines]
    return max(sum(a <= begin < b for a, b in spans) for begin, _ in spans)


@pytest.mark.slow
@pytest.mark.parametrize(("jobs", "per_device"), [("trial", 1), ("bracket", 1), ("bracket", 2)])
def test_trials_take_turns_on_the_one_device(jobs: str, per_device: int, tmp_path: Path) -> None:
    """Jobs and a job's workers alike; more workers than devices end well."""
    changes = ALONE | {"search": {"max_epochs": 2, "eta": 2, "jobs": jobs}}
    project = Project.make(tmp_path / "project", SPANS, trials_per_gpu=per_device, **changes)
    project.succeed(*TRAIN, cores=4, DLUTIL_DEVICES="1", DLUTIL_EPOCH_SECONDS="0.3")
    assert most_at_once(project) == per_device


@pytest.mark.slow
def test_trials_per_gpu_changes_no_result(tmp_path: Path) -> None:
    project = Project.make(tmp_path / "project", **ALONE | {"search": {"max_epochs": 1}})
    project.succeed(*TRAIN)
    project.forget_epochs()
    project.configure(trials_per_gpu=3)
    assert not project.succeed(*TRAIN).ran
    shutil.rmtree(project.result / "search" / "bracket-0")
    project.succeed(*TRAIN)
    assert project.epochs() == []


# Each trial needs all of its job's memory. The first time, it waits until another one of the job is
# trained beside it, and fails; the second time it fails if there still is one.
HUNGRY = DEFINITION.replace(
    "class Model(",
    """def mark(name):
    handle = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(handle, b".")
    os.close(handle)


def marks(name):
    return os.stat(name).st_size if os.path.exists(name) else 0


class Model(""",
).replace(
    "        self.before_epoch()\n",
    """        job = os.getppid()
        again = marks(f"tried-{self.seed}") > 0
        mark(f"tried-{self.seed}")
        mark(f"began-{job}")
        for _ in range(600):
            if again or marks(f"began-{job}") > 1:
                break
            time.sleep(0.1)
        beside = marks(f"began-{job}") - marks(f"ended-{job}") - 1
        mark(f"ended-{job}")
        if beside or not again:
            raise MemoryError(f"{beside} beside")
""",
)
"""Trials that have memory enough only alone, and when they are tried again. Other jobs leave their
marks in the same folder, so none of them is listed."""


def boards(project: Project) -> list[str]:
    """The leaderboards of all brackets."""
    found = sorted(project.result.glob("search/bracket-*/leaderboard.csv"))
    return [path.read_text() for path in found]


@pytest.mark.slow
def test_a_trial_that_runs_out_of_memory_is_tried_alone(tmp_path: Path) -> None:
    changes = ALONE | {"search": {"max_epochs": 2, "eta": 2}}
    here = Project.make(tmp_path / "here", **changes)
    here.succeed(*TRAIN)
    project = Project.make(tmp_path / "project", HUNGRY, **changes)
    done = project.succeed(*TRAIN, cores=4)
    assert done.output.count("out of memory, trying it alone") == 4
    assert boards(project) == boards(here)


@pytest.mark.slow
def test_a_trial_that_runs_out_of_memory_alone_has_failed(tmp_path: Path) -> None:
    """A result, ranked last; the others go on."""
    greedy = DEFINITION.replace(
        "        self.before_epoch()\n",
        '        if self.config["units"] == 16:\n            raise MemoryError("16 units")\n',
    )
    changes = ALONE | {"search": {"max_epochs": 3}, "seed": 5}
    project = Project.make(tmp_path / "project", greedy, **changes)
    done = project.succeed(*TRAIN)
    assert "out of memory, trying it alone" in done.output
    for board in boards(project):
        rows = board.splitlines()
        failed = [row for row in rows if "out-of-memory" in row]
        assert all("MemoryError: 16 units" in row for row in failed)
    first = boards(project)[1].splitlines()[1:4]
    assert ["out-of-memory" in row for row in first] == [False, False, True]
