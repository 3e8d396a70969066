"""What the workflow does before its first job and after its last one."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from dlutil_core.common.errors import UserError
from dlutil_core.common.files import sentence_of, write_json
from dlutil_core.common.hash_memory import HashMemory
from dlutil_core.common.identity import identity_path
from dlutil_core.common.logs import ERROR_PREFIX, note_what_is_told
from dlutil_core.common.result_folder import BENCHMARKS, MEMBER_TRIALS, RUN_NOTE, TRIALS
from dlutil_core.common.run_lock import RunLock
from dlutil_core.common.shown_text import shown
from dlutil_core.common.wording import counted
from dlutil_core.job.resident_start import start_resident
from dlutil_core.job.times import Expected, seconds_of_jobs
from dlutil_core.job.usage import put_in_place
from dlutil_core.run.judge import Judge
from dlutil_core.run.requests import Requests
from dlutil_core.run.run_config import RunConfig
from dlutil_core.run.run_page import write_run_page
from dlutil_core.run.summary import summary
from dlutil_core.run.warnings import run_warnings

NEEDS_TORCH = re.compile(
    r"plan|(bracket|stage)-\d+|members/.*|test|baseline|(predict|variants)/.*|explain"
)
"""Steps whose jobs may be forks of the resident process."""


def say(text: str) -> None:
    """Say something on the terminal, without what would change how it shows."""
    print(shown(text), file=sys.stderr, flush=True)


class Lifecycle:
    """A run from its first job to its last.

    Parameters
    ----------
    run
        The run.
    judge
        What was to be made when the graph was built.
    python
        Gives how a shell calls the interpreter of jobs on this machine; empty: they run elsewhere.
    """

    def __init__(self, run: RunConfig, judge: Judge, python: Callable[[], str]) -> None:
        self.run = run
        self.judge = judge
        self.python = python
        self.began = 0.0
        self._lock: RunLock | None = None

    def start(self) -> None:
        """Take the result folder; a second run gets a sentence and ends, as on a full disk."""
        self.began = time.time()
        try:
            self._take_over()
        except (UserError, OSError) as error:
            say(f"{ERROR_PREFIX}{sentence_of(error, self.run.result)}")
            # Snakemake would go on after an exception here.
            os._exit(1)
        self._start_resident()
        for text in run_warnings(self.run):
            say(f"warning: {text}")

    def _take_over(self) -> None:
        folder = Path(self.run.result)
        self._lock = RunLock(folder)
        remove_leftovers(folder)
        put_in_place(folder / BENCHMARKS)
        Requests(writes=True).remove_old()
        definition = os.path.relpath(self.run.definition, self.run.result)
        note = {"definition": definition, "config": self.run.shown_values}
        write_json(folder / RUN_NOTE, note)
        note_what_is_told(folder / "logs" / ".told")

    def _start_resident(self) -> None:
        """Have torch imported once for the jobs, where two of them at least need it."""
        python = self.python()
        jobs = [step for step in self.judge.stale if NEEDS_TORCH.fullmatch(step)]
        if python and len(jobs) > 1:
            start_resident(python, self.run.definition, self.run.values["device"])

    def succeed(self) -> None:
        """Judge all again, and say what came out, and where it is."""
        changed = self.changed()
        self._write_page(failed=bool(changed))
        if changed:
            sys.exit(f"{ERROR_PREFIX}{changed}")
        for line in summary(self.run):
            say(line)
        self._compare_with_expected()

    def _compare_with_expected(self) -> None:
        """Say how long the search took, where it was planned for some hours."""
        plan, result = self.run.plan, self.run.result
        expected = Expected.read(result, plan.settings) if self.run.trains else None
        took = seconds_of_jobs(result, plan.steps, self.began) if expected else None
        if expected is not None and took is not None:
            say(
                f"The search took {took / 60:.3g} min; dlutil plan --hours expected about "
                f"{expected.seconds / 60:.3g} min on {counted(expected.cores, 'core')}"
            )

    def _write_page(self, failed: bool) -> None:
        """Tell when and where it worked; a page that cannot be written ends no run."""
        put_in_place(Path(self.run.result, BENCHMARKS))
        steps = [step.name for step in self.judge.steps]
        with suppress(OSError):
            write_run_page(self.run.result, steps, self.began, self.run.values["title"], failed)

    def end(self, job_failed: bool) -> None:
        """The last words where nobody tells how the run has ended.

        Parameters
        ----------
        job_failed
            Whether a job failed meanwhile; it may have been tried again.
        """
        if job_failed and Judge(self.judge.steps, HashMemory()).different:
            changed = self.changed()
            self.fail()
            if changed:
                sys.exit(f"{ERROR_PREFIX}{changed}")
        else:
            self.succeed()

    def changed(self) -> str:
        """What was changed while the run went on, as a sentence; empty where nothing was.

        A step that this run neither found present nor made (a run of a single target) is no matter.
        """
        now = Judge(self.judge.steps, HashMemory())
        for name, why in now.different.items():
            made = identity_path(self.run.result, name)
            written = made.is_file() and made.stat().st_mtime >= self.began - 1
            if not self.judge.is_stale(name) or written:
                return (
                    f"{self.run.result}: the results of {name} are not the present ones although "
                    f"the run has ended ({why}): something was changed meanwhile; run the same "
                    "command again"
                )
        return ""

    def fail(self) -> None:
        """Repeat the sentences of the jobs that failed, where they are easily seen."""
        found = sentences(Path(self.run.result, "logs"), self.began)
        self._write_page(failed=True)
        if os.environ.get("DLUTIL_QUIET"):  # main.py: nothing came between them and the prompt
            return
        for sentence in found:
            say(f"\n{ERROR_PREFIX}{sentence}")


def remove_leftovers(result: Path) -> None:
    """Remove temporary files of processes that were killed while they wrote a result.

    Trials' folders have locks of their own, under which they are cleaned when they are used.
    """
    for folder, below, names in os.walk(result):
        if os.path.relpath(folder, result) in (TRIALS, MEMBER_TRIALS):
            below.clear()
        for name in names:
            if name.startswith(".") and name.endswith(".tmp"):
                Path(folder, name).unlink(missing_ok=True)


def sentences(logs: Path, since: float) -> list[str]:
    """The error sentences that jobs of this run wrote into their logs."""
    told: dict[str, None] = {}
    for path in sorted(logs.rglob("*.log")):
        if path.stat().st_mtime < since:
            continue
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            found = re.match(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d),\d+ " + ERROR_PREFIX + "(.*)", line)
            if found and time.mktime(time.strptime(found[1], "%Y-%m-%d %H:%M:%S")) >= since - 1:
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
