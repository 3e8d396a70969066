"""The profile for Kubernetes, through a stand-in for kubectl that runs a job's command here."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from support import REPOSITORY, Project

PROFILE = (
    *("--profile", str(REPOSITORY / "workflow" / "profiles" / "kubernetes")),
    *("--seconds-between-status-checks", "1", "--latency-wait", "5"),
)

KUBECTL = """\
#!{python}
import json, os, pathlib, subprocess, sys
kept = pathlib.Path({kept!r})
if sys.argv[1] == "create":
    job = json.load(sys.stdin)
    name = job["metadata"]["name"]
    (kept / f"{{name}}.json").write_text(json.dumps(job))
    pod = job["spec"]["template"]["spec"]["containers"][0]
    ended = f'"$@"; echo $? > {{kept}}/{{name}}.rc'
    bare = {{"PATH": "/usr/bin:/bin"}}  # a pod's own, before the script sets that of the run
    with open(kept / f"{{name}}.log", "w") as log:
        command = ["sh", "-c", ended, "sh", *pod["command"]]
        subprocess.Popen(command, cwd=pod["workingDir"], env=bare, stdout=log, stderr=log,
                         stdin=subprocess.DEVNULL, start_new_session=True)
    print(f"job.batch/{{name}}")
elif sys.argv[1] == "get":
    name = sys.argv[2].removeprefix("job.batch/")
    if not (kept / f"{{name}}.json").exists():
        sys.exit("Error from server (NotFound): jobs.batch not found")
    code = kept / f"{{name}}.rc"
    text = code.read_text().strip() if code.exists() else ""
    print({{"": "//", "0": "1//"}}.get(text, "/1/True"), end="")
"""


@pytest.fixture
def cluster(tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """Where jobs are kept, and the environment in which `kubectl` is the stand-in."""
    kept, programs = tmp_path / "jobs", tmp_path / "bin"
    kept.mkdir()
    programs.mkdir()
    kubectl = programs / "kubectl"
    kubectl.write_text(KUBECTL.format(python=sys.executable, kept=str(kept)))
    kubectl.chmod(0o755)
    told = {"DLUTIL_IMAGE": "dlutil:0.2", "DLUTIL_CLAIM": "work", "DLUTIL_MOUNT": str(tmp_path)}
    return kept, told | {"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}


@pytest.mark.slow
def test_a_search_in_pods_gives_the_same_bytes(
    cluster: tuple[Path, dict[str, str]], tmp_path: Path
) -> None:
    kept, environment = cluster
    changes: dict[str, Any] = {
        "search": {"max_epochs": 1, "jobs": "trial"},
        "predict": [],
        "evaluate": False,
        "resources": {"mem_mb": 700, "runtime": 7, "minutes_per_epoch": 2},
    }
    here = Project.make(tmp_path / "here", **changes)
    here.succeed()
    project = Project.make(tmp_path / "project", **changes)
    project.succeed(*PROFILE, **environment)
    assert project.manifest == here.manifest
    jobs = [json.loads(path.read_text()) for path in sorted(kept.glob("*.json"))]
    [trial] = [job for job in jobs if "-trial-" in job["metadata"]["name"]]
    assert trial["spec"]["activeDeadlineSeconds"] == 60 * 9
    pod = trial["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsUser"] == os.getuid()
    assert pod["volumes"][0]["persistentVolumeClaim"] == {"claimName": "work"}
    [container] = pod["containers"]
    assert container["image"] == "dlutil:0.2"
    assert container["workingDir"] == str(project.folder)
    assert container["volumeMounts"] == [{"name": "work", "mountPath": str(tmp_path)}]
    asked = {"requests": {"cpu": "1", "memory": "700Mi"}, "limits": {"memory": "700Mi"}}
    assert container["resources"] == asked


def test_what_the_profile_is_not_told_is_a_sentence(
    cluster: tuple[Path, dict[str, str]], tmp_path: Path
) -> None:
    _, environment = cluster
    del environment["DLUTIL_CLAIM"]
    project = Project.make(tmp_path / "project", search={"max_epochs": 1, "jobs": "trial"})
    done = project.run(*PROFILE, "--retries", "0", **environment)
    assert done.code == 1
    assert "error: DLUTIL_CLAIM: not set; see the head of" in done.output
