"""A job's work in a fork of a process that has torch loaded already; the job's side of it.

Importing torch takes a second or two, as long as all else that a job of a small search does. A run
on this machine has a resident process (`resident_process`), whose socket it names in the
environment. A job asks it: the resident forks, the child runs the job's script with the job's
arguments and streams, and how it ends is how the job ends. Where there is none, where anything that
decides what a process does differs, or where it does not answer, the job does its work itself.

Who may end is bound to who is served. The child is killed when its job is gone, when the resident
is, and that one when Snakemake is: nothing is left behind by any kill.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import socket
import struct
import sys
from pathlib import Path
from select import select
from typing import Any

from dlutil_core.job import usage

VARIABLE = "DLUTIL_RESIDENT"
"""The environment variable by which a run names its resident's socket; `off`: none is wanted."""

LARGEST = 2**20
"""Bytes of a message; one that does not fit into the socket is not sent."""

YES, GO = b"yes", b"go"

OF_SHELL = {VARIABLE, "_", "OLDPWD", "PWD", "SHLVL"}
"""Environment variables that may differ: a shell sets them, and no library looks at them."""

PASSED_ON = (signal.SIGINT, signal.SIGTERM)

ANSWER_SECONDS = 60.0
"""How long a job waits for a resident that is still importing."""

HEARD_SECONDS = 0.5
"""A signal is often sent to the whole group; a child that has it ends within this time."""

_STATUS = ("Umask", "Uid", "Gid", "Groups", "SigBlk", "SigIgn", "Seccomp", "Cpus_allowed")

is_forked = False
"""Whether this process is a resident's child, which asks nobody."""


def name_of(name: str) -> str:
    """The address of a socket: Linux's abstract ones are no files, so that none stays behind."""
    return f"\0{name}"


def is_own_users(connection: socket.socket) -> bool:
    """Whether the process at the other end is this user's."""
    size = struct.calcsize("3i")
    found = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
    return bool(struct.unpack("3i", found)[1] == os.getuid())


def surroundings() -> dict[str, Any]:
    """What a fresh process has from its parent and its command, but for arguments and streams."""
    lines = (line.partition(":") for line in Path("/proc/self/status").read_text().splitlines())
    spaces = "/proc/self/ns"
    return {
        "environment": {k: v for k, v in os.environ.items() if k not in OF_SHELL},
        "folder": os.getcwd(),
        "status": {key: value.strip() for key, _, value in lines if key in _STATUS},
        "limits": Path("/proc/self/limits").read_text(),
        "groups": [os.getpgrp(), os.getsid(0), os.getpriority(os.PRIO_PROCESS, 0)],
        "spaces": [os.readlink(f"{spaces}/{name}") for name in sorted(os.listdir(spaces))],
        "control": Path("/proc/self/cgroup").read_text(),
        "python": [sys.executable, sys.version, list(sys.flags), sys.path],
    }


def die_with(parent: int) -> None:
    """Have the kernel end this process with its parent, however that one ends."""
    pr_set_pdeathsig = 1  # linux/prctl.h
    if ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL, 0, 0, 0) or os.getppid() != parent:
        os._exit(1)


def hand_over(measured: Path | None = None) -> None:
    """Have a resident do the work, and end as its child has ended; return where none does it.

    Parameters
    ----------
    measured
        The file where Snakemake writes what the job used, where it does.
    """
    name = os.environ.get(VARIABLE)
    if not name or is_forked or sys.platform != "linux":
        return
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
            connection.settimeout(ANSWER_SECONDS)
            connection.connect(name_of(name))
            if not is_own_users(connection):
                return
            status = _asked(connection, measured)
    except OSError:
        return
    if status is not None:
        _leave_as(status)


def _asked(connection: socket.socket, measured: Path | None) -> int | None:
    """How the child ended, as `os.waitpid` tells it; `None` where there was none, or it is lost."""
    handlers = {number: signal.getsignal(number) for number in PASSED_ON}
    request = {
        "surroundings": surroundings(),
        "arguments": sys.argv,
        "command": sys.orig_argv,
        "shell": {name: os.environ[name] for name in OF_SHELL - {VARIABLE} if name in os.environ},
    }
    socket.send_fds(connection, [json.dumps(request).encode()], [0, 1, 2])
    # The child begins with this word alone: who gave up waiting never has two at work.
    if connection.recv(LARGEST) != YES:
        return None
    connection.settimeout(None)
    heard, told = socket.socketpair()
    told.setblocking(False)
    signal.set_wakeup_fd(told.fileno())
    try:
        for number in PASSED_ON:
            if handlers[number] != signal.SIG_IGN:
                signal.signal(number, lambda *_: None)
        connection.send(GO)
        return _end_of_child(connection, heard, measured)
    finally:
        signal.set_wakeup_fd(-1)
        for number, handler in handlers.items():
            signal.signal(number, handler)


def _end_of_child(
    connection: socket.socket, signals: socket.socket, measured: Path | None
) -> int | None:
    """Wait for it, and pass on signals that it may not have got itself."""
    ended_by = 0
    while True:
        ready = select([connection, signals], [], [])[0]
        if connection in ready:
            status, _, used = connection.recv(LARGEST).decode().partition("\n")
            if status:
                if measured is not None:
                    usage.keep(used, measured)
                return int(status)
            return ended_by << 8 or None  # the resident is gone, and the child with it
        number = signals.recv(1)
        ended_by = 128 + number[0]
        if not select([connection], [], [], HEARD_SECONDS)[0]:
            connection.send(number)


def _leave_as(status: int) -> None:
    """End with this exit code, or by this signal."""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # there is one of the child
        if number != signal.SIGKILL:
            signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    os._exit(os.waitstatus_to_exitcode(status) % 256)
