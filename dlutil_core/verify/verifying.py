"""`verify`: a result looked at whole, made again but for its trials, its trials by sample."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlutil_core.common.errors import UserError
from dlutil_core.common.files import read_json
from dlutil_core.common.logs import ERROR_PREFIX
from dlutil_core.job.variables import job_variables
from dlutil_core.run.arguments import run_arguments
from dlutil_core.run.config import workflow_folder
from dlutil_core.verify.claims import Claims
from dlutil_core.verify.second_run import SecondRun
from dlutil_core.verify.segments import chance_missed

Say = Callable[[str], None]


NOTHING_TRAINED = dict.fromkeys(("segments", "sampled", "epochs", "sampled_epochs"), 0)


@dataclass(frozen=True)
class Verified:
    """What `verify` found.

    Parameters
    ----------
    differences
        What is not as the result says, a sentence each; none: all that was computed again is equal.
    files
        How many result files were made again and compared.
    segments, sampled
        How many segments the search has, and how many were trained again.
    epochs, sampled_epochs
        How many epochs these are.
    """

    differences: tuple[str, ...]
    files: int
    segments: int
    sampled: int
    epochs: int
    sampled_epochs: int

    @property
    def chance_missed(self) -> float:
        """The probability that a trial which is false in one segment was not in the sample."""
        return chance_missed(self.segments, self.sampled)


def verify(
    result: Path,
    share: float = 0.05,
    data: Path | None = None,
    cores: int = 1,
    seed: int | None = None,
    say: Say = print,
) -> Verified:
    """Compute a result again and compare it byte by byte; its folder is only read.

    Parameters
    ----------
    result
        The result folder of a run that has ended, or a copy.
    share
        Of the search's segments (from a stored checkpoint of a trial to the next), above 0 and at
        most 1: these are trained again. Default: 0.05.
    data
        A data folder instead of the config's; nothing is preprocessed then.
    cores
        How many processes train side by side. Default: 1.
    seed
        Of the sample. Default: nobody can know it before.
    say
        Told what is being done.

    Raises
    ------
    UserError
        The result cannot be verified: it is not finished, or what it was made with is not here.
    """
    if not 0 < share <= 1:
        raise UserError(f"share: {share} is not above 0 and at most 1")
    if data is not None and not data.is_dir():
        raise UserError(f"{data}: there is no such folder; give the data folder of the run")
    claims = Claims(result)
    with tempfile.TemporaryDirectory(prefix="dlutil-verify-") as name:
        again = SecondRun(claims, Path(name), data)
        again.first.set_environment()
        again.check()
        say(f"the manifest and identities of {len(claims.manifest)} files ...")
        found = list(claims.differences(step.name for step in again.steps()))
        trained: dict[str, Any] = dict(NOTHING_TRAINED)
        try:
            say("all but the training of trials, computed again ...")
            again.make(cores)
            found += again.differences()
            say(f"{100 * share:.3g} % of the search, trained again ...")
            trained = _retrained(claims, again, share, cores, seed)
            found += trained.pop("differences")
        except UserError as error:
            if not found:
                raise
            # What was seen so far is the likely cause, and is told with it.
            found.append(f"the rest could not be computed again: {error}")
    return Verified(tuple(dict.fromkeys(found)), len(again.compared), **trained)


def _retrained(
    claims: Claims, again: SecondRun, share: float, cores: int, seed: int | None
) -> dict[str, Any]:
    """What `scripts/retrain.py` found, in a fresh process that is set up like a job."""
    script = workflow_folder().parent / "scripts" / "retrain.py"
    scratch, out = again.folder / "scratch", again.folder / "retrained.json"
    scratch.mkdir()
    command = [sys.executable, "-P", str(script), *shlex.split(run_arguments(again.run, "train"))]
    memos = claims.trials or scratch / "none"
    command += [f"--trials={memos}", f"--of={claims.result}", f"--scratch={scratch}"]
    command += [f"--share={share}", f"--cores={cores}", f"--out={out}"]
    command += [] if seed is None else [f"--choice={seed}"]
    environment = os.environ | job_variables(again.run.search["threads_per_trial"])
    done = subprocess.run(command, env=environment, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        lines = done.stderr.splitlines()
        told = [line for line in lines if line.startswith(ERROR_PREFIX)] or lines[-3:]
        raise UserError(" ".join(told).removeprefix(ERROR_PREFIX))
    return dict(read_json(out))
