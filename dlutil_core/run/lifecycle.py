"""What the workflow does before its first job and after its last one.

One run at a time works on a result folder: the lock is held by the kernel for the process that took
it, so a killed run leaves none behind.
"""

from __future__ import annotations

import fcntl
import json
import os
import platform
import re
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import IO

from dlutil_core.common import run_lock
from dlutil_core.common.errors import UserError
from dlutil_core.common.files import DISK_ERRORS, disk_error, read_json, write_json
from dlutil_core.job.script import ERROR_PREFIX
from dlutil_core.run.run_config import RunConfig
from dlutil_core.run.warnings import run_notes

_held: dict[str, IO[str]] = {}
_started = 0.0


def start(run: RunConfig) -> None:
    """Take the result folder's lock; a second run gets a sentence and ends, as on a full disk."""
    global _started
    _started = time.time()
    try:
        _take_over(run)
    except (UserError, OSError) as error:
        if isinstance(error, OSError):
            if error.errno not in DISK_ERRORS:
                raise
            error = disk_error(error.filename or run.result, error)
        print(f"{ERROR_PREFIX}{error}", file=sys.stderr, flush=True)
        # Snakemake would go on after an exception here.
        os._exit(1)
    for note in run_notes(run):
        print(f"note: {note}", file=sys.stderr)


def _take_over(run: RunConfig) -> None:
    folder = Path(run.result)
    (folder / "logs").mkdir(parents=True, exist_ok=True)
    handle = open(folder / "logs" / run_lock.LOCK, "a+", encoding="utf-8")  # noqa: SIM115
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        handle.seek(0)
        raise UserError(
            f"{run.result}: another run works on this result folder "
            f"({handle.read().strip() or 'its process is unknown'}); wait for it or give another "
            "result folder"
        ) from None
    handle.truncate(0)
    owner = f"process {os.getpid()} on {platform.node()}, since {time.strftime('%F %T')}"
    handle.write(f"{owner}\n")
    handle.flush()
    _held[run.result] = handle
    os.environ[run_lock.VARIABLE] = owner
    remove_leftovers(folder)
    write_json(
        folder / "logs" / "run.json",
        {"definition": os.path.relpath(run.definition, run.result), "config": run.values},
    )


def remove_leftovers(result: Path) -> None:
    """Remove temporary files of processes that were killed while they wrote a result.

    Trials' folders have locks of their own, under which they are cleaned when they are used.
    """
    for folder, below, names in os.walk(result):
        if os.path.relpath(folder, result) == os.path.join("search", "trials"):
            below.clear()
        for name in names:
            if name.startswith(".") and name.endswith(".tmp"):
                Path(folder, name).unlink(missing_ok=True)


def succeed(run: RunConfig) -> None:
    """Say what came out, and where it is."""
    folder = Path(run.result)
    # A run of a single target may leave either out.
    metrics_file, best_file = folder / "test" / "metrics.json", folder / "best" / "config.json"
    if run.values["evaluate"] and metrics_file.is_file():
        metrics = read_json(metrics_file)
        print("\nTest metrics:", file=sys.stderr)
        for name, value in metrics.items():
            print(
                f"  {name:<12} {'undefined' if value is None else f'{value:.4f}'}", file=sys.stderr
            )
    if best_file.is_file():
        print(f"Best configuration: {json.dumps(read_json(best_file))}", file=sys.stderr)
    print(f"Results are in {run.result}/", file=sys.stderr)


def fail(run: RunConfig) -> None:
    """Repeat the sentences of the jobs that failed, where they are easily seen."""
    found = sentences(Path(run.result, "logs"))
    if os.environ.get("DLUTIL_QUIET"):  # main.py: nothing came between them and the prompt
        if not found:
            print(
                f"{ERROR_PREFIX}a job ended without saying why; its log is in {run.result}/logs, "
                "and the same command goes on where it stopped",
                file=sys.stderr,
            )
        return
    for sentence in found:
        print(f"\n{ERROR_PREFIX}{sentence}", file=sys.stderr)


def sentences(logs: Path) -> list[str]:
    """The error sentences that jobs of this run wrote into their logs."""
    told: dict[str, None] = {}
    for path in sorted(logs.rglob("*.log")):
        if path.stat().st_mtime < _started:
            continue
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            found = re.match(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d),\d+ " + ERROR_PREFIX + "(.*)", line)
            if found and time.mktime(time.strptime(found[1], "%Y-%m-%d %H:%M:%S")) >= _started - 1:
                told[found[2]] = None
    return list(told)


def linked_alone(package: Path, folder: Path) -> Path:
    """A folder with nothing but a link to an installed package.

    On the search path of another Python it brings this package, and not its neighbours.
    """
    folder.mkdir(parents=True, exist_ok=True)
    link = folder.absolute() / package.name
    if link.is_symlink() and link.readlink() != package:
        link.unlink()
    with suppress(FileExistsError):  # another process was first
        link.symlink_to(package)
    return link.parent
