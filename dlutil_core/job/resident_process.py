"""The resident process of a run: imports once, then forks a child for each job that asks.

    python -P -m dlutil_core.job.resident_process SOCKET PARENT FOLDER MODULE…

SOCKET is the descriptor of a listening socket, PARENT the process to end with, FOLDER that of
`def.py`, whose code never runs here. The child of a job is as a fresh process is: where
surroundings differ it is refused (`resident.surroundings`), so that only arguments, streams and the
state of random generators are left to be set.
"""

from __future__ import annotations

import importlib
import json
import os
import runpy
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from select import select
from typing import Any

from dlutil_core.job import resident
from dlutil_core.job.usage import Usage, below


@dataclass(eq=False)
class Job:
    """A job that asks, and the child that does its work once it has one."""

    connection: socket.socket
    request: dict[str, Any] = field(default_factory=dict)
    streams: list[int] = field(default_factory=list)
    child: int = 0
    usage: Usage | None = None
    handle: int = -1
    is_gone: bool = False


class Resident:
    """The resident process.

    Parameters
    ----------
    listener
        The socket where jobs ask.
    own
        Its surroundings when it began.
    handlers
        What signals did then.
    """

    def __init__(
        self, listener: socket.socket, own: dict[str, Any], handlers: dict[int, Any]
    ) -> None:
        self.listener = listener
        self.own = own
        self.handlers = handlers
        self.jobs: list[Job] = []

    def serve(self) -> None:
        """Answer jobs for as long as the run goes on."""
        while True:
            waited_for: dict[int, Callable[[], None]] = {self.listener.fileno(): self._accept}
            for job in self.jobs:
                if not job.is_gone:
                    waited_for[job.connection.fileno()] = partial(self._hear, job)
                if job.child:
                    waited_for[job.handle] = partial(self._end, job)
            used = [job.usage for job in self.jobs if job.usage is not None]
            pause = min((found.next_look for found in used), default=None)
            seconds = None if pause is None else max(pause - time.monotonic(), 0)
            for ready in select(list(waited_for), [], [], seconds)[0]:
                waited_for[ready]()
            for found in used:
                if found.next_look <= time.monotonic():
                    found.look()

    def _accept(self) -> None:
        connection = self.listener.accept()[0]
        if resident.is_own_users(connection):
            self.jobs.append(Job(connection))
        else:
            connection.close()

    def _hear(self, job: Job) -> None:
        """A request, the word to begin, a signal for the child, or the job's end."""
        try:
            if not job.request:
                message, job.streams, _, _ = socket.recv_fds(job.connection, resident.LARGEST, 3)
            else:
                message = job.connection.recv(resident.LARGEST)
        except OSError:
            message = b""
        if not message:
            self._lose(job)
        elif not job.request:
            self._answer(job, message)
        elif not job.child and message == resident.GO:
            self._fork(job)
        elif job.child:
            os.kill(job.child, message[0])

    def _answer(self, job: Job, message: bytes) -> None:
        job.request = json.loads(message)
        alike = job.request["surroundings"] == self.own and len(job.streams) == 3
        try:
            job.connection.send(resident.YES if alike else b"no")
        except OSError:
            alike = False
        if not alike:
            self._lose(job)

    def _lose(self, job: Job) -> None:
        """The job is gone: so is its child, at once."""
        if job in self.jobs and job.child:
            job.is_gone = True
            for process in [job.child, *below(job.child)]:
                with suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
        elif job in self.jobs:
            self._forget(job)

    def _forget(self, job: Job) -> None:
        self.jobs.remove(job)
        job.connection.close()
        for stream in job.streams:
            os.close(stream)
        if job.handle >= 0:
            os.close(job.handle)

    def _fork(self, job: Job) -> None:
        parent = os.getpid()
        job.child = os.fork()
        if job.child == 0:
            try:
                self._become(job, parent)
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(1)
        job.handle = os.pidfd_open(job.child)
        job.usage = Usage(job.child)

    def _end(self, job: Job) -> None:
        if job not in self.jobs:
            return
        _, status, used = os.wait4(job.child, 0)
        table = job.usage.table(used) if job.usage else ""
        with suppress(OSError):
            job.connection.send(f"{status}\n{table}".encode())
        self._forget(job)

    def _become(self, job: Job, parent: int) -> None:
        """In the child: be what a fresh process of this command is, and run its script.

        It keeps its end of the connection: while it lives, its job does not begin anew.
        """
        resident.die_with(parent)
        resident.is_forked = True
        for number, stream in enumerate(job.streams):
            os.dup2(stream, number)
            os.close(stream)
        self.listener.close()
        for other in self.jobs:
            if other is not job:
                job_files = [other.connection.detach(), other.handle, *other.streams]
                for file in (f for f in job_files if f >= 0):
                    os.close(file)
        sys.stdout.reconfigure(line_buffering=os.isatty(1))  # type: ignore[union-attr]
        os.environ.update(job.request["shell"])
        sys.argv[:] = job.request["arguments"]
        sys.orig_argv[:] = job.request["command"]
        for signal_number, handler in self.handlers.items():
            signal.signal(signal_number, handler)
        # Generators that nobody seeds never give the same twice; Python's own does this by itself.
        sys.modules["numpy"].random.seed()
        sys.modules["torch"].default_generator.seed()
        runpy.run_path(os.path.abspath(sys.argv[0]), run_name="__main__")


def _may_be_forked(folder: str, told: int) -> bool:
    """Whether a child would be as a fresh process.

    Not where a library said something while it was imported, which no job would say, or started a
    thread, which a fork loses; nor where a module beside `def.py` has a loaded one's name.
    """
    loaded = {name.partition(".")[0] for name in sys.modules} - {"dlutil_core"}
    beside = {name.partition(".")[0] for name in os.listdir(folder)}
    silent = os.fstat(told).st_size == 0
    return silent and len(os.listdir("/proc/self/task")) == 1 and not loaded & beside


def main() -> None:
    """Import, and serve."""
    listener = socket.socket(fileno=int(sys.argv[1]))
    resident.die_with(int(sys.argv[2]))
    folder, modules = sys.argv[3], sys.argv[4:]
    own = resident.surroundings()
    # Ended with the process group too, but not before its children have ended by themselves.
    handlers: dict[int, Any] = {number: signal.getsignal(number) for number in resident.PASSED_ON}
    for number in handlers:
        signal.signal(number, signal.SIG_IGN)
    os.close(os.pidfd_open(os.getpid()))  # where the kernel has none, it ends here
    told = os.memfd_create("dlutil-told")
    os.dup2(told, 1)
    os.dup2(told, 2)
    for name in modules:
        importlib.import_module(name)
    sys.stdout.flush()
    if _may_be_forked(folder, told):
        os.close(told)
        Resident(listener, own, handlers).serve()


if __name__ == "__main__":
    main()
