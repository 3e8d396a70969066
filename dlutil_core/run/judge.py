"""Which steps of a run are to be made: what is wanted compared with what the result folder holds.

Neither times of files nor Snakemake's memory are asked.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from dlutil_core.common.errors import UserError
from dlutil_core.common.hash_memory import HashMemory
from dlutil_core.common.identity import Identity, Present, identity_path
from dlutil_core.job.step import Request
from dlutil_core.run.steps import Steps


class Judge:
    """The verdict on each step of a run.

    Parameters
    ----------
    steps
        The run's steps.
    memory
        Remembers hashes of files.

    Raises
    ------
    UserError
        A folder lies where a file belongs.
    """

    def __init__(self, steps: Steps, memory: HashMemory) -> None:
        self.steps = steps
        self.memory = memory
        self.present = Present(steps.run.places, memory)
        self.stale: dict[str, str] = {}
        """Steps that are to be made, each with the reason."""
        self.damaged: list[str] = []
        """Files that are not what a step wrote."""
        self.different: dict[str, str] = {}
        """Those among them that are not what is wanted themselves, whatever comes before."""
        for step in steps:
            why = self._why(step.request)
            if why:
                self.different[step.name] = why
            before = next((name for name in step.before if name in self.stale), "")
            if why or before:
                self.stale[step.name] = why or f"{before} is made again"
        memory.save()

    def is_stale(self, name: str) -> bool:
        """Whether a step is to be made."""
        return name in self.stale

    def wants(self, request: Request) -> bool:
        """Whether a trial job's slots or a ranking are to be made."""
        found = Identity.read(request.path)
        why = self.present.difference(found, request.part, request.inputs, request.outputs)
        return bool(why) or self.present.damaged(found) is not None

    def _why(self, request: Request) -> str:
        for name in request.outputs:
            _check_place(request.places.path(name), request.places.shown(name))
        found = Identity.read(request.path)
        damaged = self.present.damaged(found)
        if damaged is not None and Path(request.places.path(damaged)).exists():
            self.damaged.append(request.places.shown(damaged))
        why = self.present.difference(found, request.part, request.inputs, request.outputs)
        return why or (f"{damaged} is not what was written" if damaged is not None else "")


def _check_place(path: str, shown: str) -> None:
    """Refuse a folder where a result's file belongs, which nothing could replace."""
    if os.path.isdir(path):
        raise UserError(f"{shown}: is a folder where a result belongs; move it away")


def check_search(steps: Steps, memory: HashMemory) -> None:
    """Refuse to go on from a search whose results are not what it wrote.

    Raises
    ------
    UserError
        Where nothing is searched, so that nothing could make them again.
    """
    run = steps.run
    if run.trains:
        return
    present = Present(run.places, memory)
    for path in _search_identities(Path(run.result)):
        damaged = present.damaged(Identity.read(path))
        if damaged is not None:
            raise UserError(
                f"{run.places.shown(damaged)}: is not what the search wrote; search again, with "
                "--hyper (search.method: hyperband), which makes it anew"
            )


def _search_identities(result: Path) -> Iterator[Path]:
    yield from (identity_path(result, name) for name in ("plan", "best"))
    for kind in ("bracket", "propose", "stage"):
        yield from sorted(Path(result, "identity").glob(f"{kind}-*.json"))
