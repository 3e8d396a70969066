"""What jobs are given to read: requests as files named by their content, and the flag of staleness.

Both lie in the working directory's `.snakemake/dlutil`. A file's name is the hash of what it holds,
so that another run in the same directory, whatever its config, changes nothing that this one uses.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

from dlutil_core.common.files import write_text
from dlutil_core.common.hashes import sha256_text
from dlutil_core.job.step import Request

FOLDER = Path(".snakemake", "dlutil")

KEPT_SECONDS = 30 * 86400
"""Requests that no run used for this long are removed."""

FAR_FUTURE = 2**31 - 2
"""The time of what the flag links to: later than any output, in any file system."""

LONG_AGO = 10**9
"""The flag's own time, which Snakemake compares with the outputs of a job that has ended."""


class Requests:
    """Requests of a run.

    Parameters
    ----------
    writes
        Whether this is the run's main process; its jobs only name the files.
    """

    def __init__(self, writes: bool) -> None:
        self.writes = writes
        self.folder = FOLDER / "requests"

    def path(self, request: Request) -> str:
        """Where a request lies, relative to the working directory."""
        text = request.text()
        path = self.folder / f"{sha256_text(text)[:20]}.json"
        if self.writes:
            if path.is_file() and path.read_text(encoding="utf-8") == text:
                os.utime(path)
            else:
                write_text(path, text)
        return str(path)

    def remove_old(self) -> None:
        """Remove what no run has used for a long time."""
        for path in self.folder.glob("*.json"):
            with suppress(OSError):
                if time.time() - path.stat().st_mtime > KEPT_SECONDS:
                    path.unlink()


def stale_flag(writes: bool) -> str:
    """A file that is newer than all results when it is an input, and older when they are checked.

    A link whose target is dated in the far future: whether a job must run is asked of the target,
    whether its outputs are new enough of the link.
    """
    link, target = FOLDER / "stale", FOLDER / "stale.target"
    if writes:
        FOLDER.mkdir(parents=True, exist_ok=True)
        _clear(link, target.name)
        # Never the same twice: without the profile, Snakemake compares the content of small files.
        text = f"Steps with this input are to be made: {time.time_ns()}\n"
        target.write_text(text, encoding="utf-8")
        os.utime(target, (FAR_FUTURE, FAR_FUTURE))
        if not link.is_symlink():
            with suppress(FileExistsError):
                link.symlink_to(target.name)
        os.utime(link, (LONG_AGO, LONG_AGO), follow_symlinks=False)
    return str(link)


def _clear(link: Path, name: str) -> None:
    """Remove what is no link to this name: a copy of the folder may have followed it."""
    found = os.readlink(link) if link.is_symlink() else None
    if found != name and os.path.lexists(link):
        link.unlink()
