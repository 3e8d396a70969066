#!/usr/bin/env python3
"""Submits a job of Snakemake to Kubernetes: submit.py JOBSCRIPT, called by the profile beside it.

One pod for each job, with what the rule asks for, on the volume that the workflow runs on. These
variables tell where that is:

DLUTIL_IMAGE   the image of the jobs, that of the `Dockerfile`
DLUTIL_CLAIM   the persistent volume claim with the working directory; its mode is ReadWriteMany
DLUTIL_MOUNT   where it is mounted, in all pods at the same path
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

NEEDED = ("DLUTIL_IMAGE", "DLUTIL_CLAIM", "DLUTIL_MOUNT")
OWN = {"HOSTNAME", "PWD", "OLDPWD", "SHLVL", "_"}
"""Variables of the submitting pod alone. All others reach the job, as `qsub -V` hands them on."""


NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def main(script: Path) -> int:
    """Create the job and print its name, which is all that Snakemake reads."""
    missing = [name for name in NEEDED if not os.environ.get(name)]
    if missing:
        sys.exit(f"error: {', '.join(missing)}: not set; see the head of {__file__}")
    given = json.dumps(manifest(script, properties(script)))
    command = ["kubectl", "create", "--filename=-", "--output=name"]
    return subprocess.run(command, input=given, text=True, check=False).returncode


def properties(script: Path) -> dict[str, Any]:
    """What Snakemake wrote of the job into its script."""
    found = re.search(r"^# properties = (\{.*\})$", script.read_text(), re.MULTILINE)
    if found is None:
        sys.exit(f"error: {script}: tells no properties of a job")
    told: dict[str, Any] = json.loads(found[1])
    return told


def with_environment(script: Path) -> Path:
    """A script of the same job that sets this process's environment; for the user's eyes alone."""
    kept = {k: v for k, v in os.environ.items() if k not in OWN and NAME.fullmatch(k)}
    lines = [f"export {name}={shlex.quote(value)}" for name, value in sorted(kept.items())]
    path = script.with_suffix(".pod.sh")
    path.touch(mode=0o600)
    path.write_text("\n".join([*lines, f"exec /bin/sh {shlex.quote(str(script))}"]) + "\n")
    return path


def manifest(script: Path, told: dict[str, Any]) -> dict[str, Any]:
    """The job: what its one container runs, asks for and mounts."""
    asked = told["resources"]
    memory, cores = f"{asked['mem_mb']}Mi", str(asked.get("cpus_per_task") or told["threads"])
    limits = {"memory": memory}
    if asked.get("gpu"):
        limits["nvidia.com/gpu"] = str(asked["gpu"])
    rule = re.sub(r"[^a-z0-9]+", "-", str(told.get("rule") or "group").lower())
    container = {
        "name": "job",
        "image": os.environ["DLUTIL_IMAGE"],
        "command": ["/bin/sh", str(with_environment(script.absolute()))],
        "workingDir": os.getcwd(),
        "resources": {"requests": {"cpu": cores, "memory": memory}, "limits": limits},
        "volumeMounts": [{"name": "work", "mountPath": os.environ["DLUTIL_MOUNT"]}],
    }
    volume = {"name": "work", "persistentVolumeClaim": {"claimName": os.environ["DLUTIL_CLAIM"]}}
    pod = {
        "restartPolicy": "Never",  # Snakemake tries again, with more memory and time
        "securityContext": {"runAsUser": os.getuid(), "runAsGroup": os.getgid()},
        "containers": [container],
        "volumes": [volume],
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": f"dlutil-{rule[:40]}-{secrets.token_hex(4)}",
            "labels": {"app": "dlutil"},
        },
        "spec": {
            "backoffLimit": 0,
            "activeDeadlineSeconds": 60 * int(asked["runtime"]),
            "ttlSecondsAfterFinished": 3600,
            "template": {"metadata": {"labels": {"app": "dlutil"}}, "spec": pod},
        },
    }


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
