"""Starts the process that has torch loaded for the jobs of a run on this machine."""

from __future__ import annotations

import atexit
import os
import secrets
import socket
import subprocess
import tempfile
from contextlib import suppress

from dlutil_core.job import resident
from dlutil_core.job.devices import has_gpu

MODULES = (
    "dlutil_core.definition.executed",
    "dlutil_core.members.training",
    "dlutil_core.search.bracket",
    "dlutil_core.search.rung_jobs",
    "dlutil_core.search.sampling",
    "dlutil_core.search.trainer",
    "dlutil_core.trained.evaluate",
    "dlutil_core.trained.predict",
)
"""What the scripts import that ask it."""


def start_resident(python: str, definition: str, device: str) -> None:
    """Start it, to end with this process; nothing where that cannot be.

    Not where a GPU may be used: what its libraries do when they are imported stays in the jobs.

    Parameters
    ----------
    python
        How a shell calls the jobs' interpreter, with assignments of variables before it.
    definition
        Path of `def.py`.
    device
        What the config says: `auto`, `cpu` or `cuda`.
    """
    if resident.VARIABLE in os.environ or not hasattr(os, "pidfd_open"):
        return
    if device == "cpu" or not has_gpu():
        with suppress(OSError):
            _start(python, os.path.dirname(os.path.abspath(definition)))


def _start(python: str, folder: str) -> None:
    name = f"dlutil-{secrets.token_hex(16)}"
    variables = dict.fromkeys(("TMPDIR", "TMP", "TEMPDIR", "TEMP"), tempfile.gettempdir())
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        # A job that comes early waits here; once the resident is gone, there is nobody to wait for.
        listener.bind(resident.name_of(name))
        listener.listen(64)
        words = [str(listener.fileno()), str(os.getpid()), folder, *MODULES]
        command = f'exec env {python} -m {resident.__name__}_process "$@"'
        process = subprocess.Popen(
            ["/bin/sh", "-c", command, "sh", *words],
            env=os.environ | variables,
            pass_fds=[listener.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    os.environ[resident.VARIABLE] = name
    atexit.register(_stop, process, os.getpid())


def _stop(process: subprocess.Popen[bytes], starter: int) -> None:
    """End it, so that nobody finds it after the run; not in a process forked from this one."""
    if os.getpid() == starter:
        process.kill()
        process.wait()
