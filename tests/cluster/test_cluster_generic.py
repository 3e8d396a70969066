"""Another way to a scheduler, by its commands; and jobs that need a GPU of which there is one."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

from slurm import Slurm
from support import DEFINITION, REPOSITORY, Project

PROFILE = (
    *("--profile", str(REPOSITORY / "workflow" / "profiles" / "cluster-generic")),
    *("--seconds-between-status-checks", "1"),
)

# Notes which device the scheduler gave to a job that trains.
NOTING = DEFINITION.replace(
    "    table = scaled(",
    '    with open("devices.txt", "a") as file:\n'
    '        file.write(os.environ.get("CUDA_VISIBLE_DEVICES", "none") + "\\n")\n'
    "    table = scaled(",
    1,
)


def test_bracket_jobs_take_turns_on_the_one_gpu(slurm: Slurm, tmp_path: Path) -> None:
    # There is no real GPU: jobs ask the cluster for one and go on with the CPU, as `auto` does.
    changes = {
        "search": {"max_epochs": 3, "jobs": "bracket"},
        "device": "auto",
        "predict": [],
        "evaluate": False,
        "resources": {"cpus": 1, "mem_mb": 500, "gpus": 1},
    }
    here = Project.make(tmp_path / "here", NOTING, **changes)
    here.succeed()
    before = {number for number, _, _ in slurm.jobs()}
    project = Project.make(tmp_path / "project", NOTING, **changes)
    project.succeed(*PROFILE, DLUTIL_EPOCH_SECONDS="0.5")
    assert project.manifest == here.manifest

    nodes = {
        number: node
        for number, name, node in slurm.jobs(column="%j")
        if number not in before and name == "dlutil-bracket"
    }
    assert list(nodes.values()) == ["left", "left"], "only the node called left has a GPU"
    assert (project.folder / "devices.txt").read_text().split() == ["0", "0"]
    of_bracket = {
        project.plan["trials"][j]["seed"]: bracket["bracket"]
        for bracket in project.plan["brackets"]
        for j in bracket["trials"]
    }
    order = [of_bracket[e.trial_seed] for e in sorted(project.epochs(), key=lambda e: e.time)]
    assert sum(a != b for a, b in pairwise(order)) == 1, order
