"""One run at a time works on a result folder.

A run holds a file of the folder locked; the kernel lets go when its process ends, however it ends,
so a killed run leaves no lock behind. Jobs may outlive a run whose main process was killed, and go
on beside the jobs of the next run, which may have another config. Results of such an orphan are no
longer wanted: it ends at its next write. What the memo of a trial holds already stays, so nothing
that it trained is lost.
"""

from __future__ import annotations

import fcntl
import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO

from dlutil_core.common.errors import UserError

VARIABLE = "DLUTIL_OWNER"
"""The environment variable by which a run tells its jobs what the lock's file says."""


def lock_path(result: str | os.PathLike[str]) -> Path:
    """The file that a run holds locked, and that says who holds it."""
    return Path(result, "logs", ".lock")


class RunLock:
    """A run's hold on its result folder.

    Parameters
    ----------
    result
        The result folder.

    Raises
    ------
    UserError
        Another run holds it.
    """

    def __init__(self, result: str | os.PathLike[str]) -> None:
        path = lock_path(result)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._handle: IO[str] = open(path, "a+", encoding="utf-8")  # noqa: SIM115
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._handle.seek(0)
            raise UserError(
                f"{result}: another run works on this result folder "
                f"({self._handle.read().strip() or 'its process is unknown'}); wait for it or give "
                "another result folder"
            ) from None
        owner = _owner(os.getpid())
        self._handle.truncate(0)
        self._handle.write(f"{owner}\n")
        self._handle.flush()
        os.environ[VARIABLE] = owner


def is_held(result: str | os.PathLike[str]) -> bool:
    """Whether a run on this machine (or one that shares its locks) holds a result folder.

    It only looks on: a lock that is shared for a moment, which a run that begins then would meet,
    is never taken.
    """
    try:
        found = lock_path(result).stat()
        locks = Path("/proc/locks").read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
    place = f"{os.major(found.st_dev):02x}:{os.minor(found.st_dev):02x}:{found.st_ino}"
    return any(place in line.split() for line in locks.splitlines() if "FLOCK" in line)


@dataclass(frozen=True)
class Owner:
    """Whose job this is: what the lock of the result folder said when it began."""

    lock: Path
    name: str

    @classmethod
    def of_job(cls, result: str | os.PathLike[str]) -> Owner:
        """The owner at a job's start."""
        lock = lock_path(result)
        return cls(lock, os.environ.get(VARIABLE) or _read(lock))

    def check(self) -> None:
        """Raise a `UserError` if another run has taken over the result folder."""
        now = _read(self.lock)
        if now not in ("", self.name):
            raise UserError(
                f"{self.lock.parent.parent}: the run that started this job has ended and another "
                f"works on the result folder ({now}), so this job ends"
            )


_OWNER: ContextVar[Owner | None] = ContextVar("owner", default=None)


@contextmanager
def owned_by(owner: Owner | None) -> Iterator[None]:
    """Have every write check meanwhile that its run still owns the result folder; `None`: let
    writes happen whoever owns it, as those to a trial's memo, which has a lock of its own.
    """
    token = _OWNER.set(owner)
    try:
        yield
    finally:
        _OWNER.reset(token)


def check_owner() -> None:
    """Raise a `UserError` if this process's job belongs to a run that has been replaced."""
    owner = _OWNER.get()
    if owner is not None:
        owner.check()


@cache
def _owner(process: int) -> str:
    """This process, by one name in each folder that it holds, since its jobs know one."""
    return f"process {process} on {platform.node()}, since {time.strftime('%F %T')}"


def _read(lock: Path) -> str:
    try:
        return lock.read_text(encoding="utf-8").strip()
    except OSError:
        return ""
