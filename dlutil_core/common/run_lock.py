"""Whether the run that a job belongs to still works on its result folder.

Jobs may outlive a run whose main process was killed, and go on beside the jobs of the next run,
which may have another config. Results of such an orphan are no longer wanted: it ends at its next
write. What the memo of a trial holds already stays, so nothing that it trained is lost.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dlutil_core.common.errors import UserError

LOCK = ".lock"
"""The file in `<result>/logs` that a run holds locked, and that says who holds it."""

VARIABLE = "DLUTIL_OWNER"
"""The environment variable by which a run tells its jobs what that file says."""

_lock: Path | None = None
_owner = ""
_unchecked = False


def take_note(log: Path | None) -> None:
    """Note at a job's start who owns the result folder, whose `logs` hold the job's log file."""
    global _lock, _owner
    folder = next((p for p in log.parents if (p / LOCK).is_file()), None) if log else None
    _lock = folder / LOCK if folder else None
    _owner = os.environ.get(VARIABLE) or _read()


def check() -> None:
    """Raise a `UserError` if another run has taken over the result folder."""
    if _lock is not None and not _unchecked and _read() not in ("", _owner):
        raise UserError(
            f"{_lock.parent.parent}: the run that started this job has ended and another works on "
            f"the result folder ({_read()}), so this job ends"
        )


@contextmanager
def unchecked() -> Iterator[None]:
    """Let writes happen whoever owns the result folder: a trial's memo has a lock of its own."""
    global _unchecked
    _unchecked = True
    try:
        yield
    finally:
        _unchecked = False


def _read() -> str:
    try:
        return _lock.read_text(encoding="utf-8").strip() if _lock else ""
    except OSError:
        return ""
