"""The first stages of a staged search in one job: alone they are shorter than a job's start.

Each is a step of its own all the same, so that what is there does not depend on the jobs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from dlutil_core.job.loaded_run import LoadedRun
from dlutil_core.job.run_spec import RunSpec
from dlutil_core.job.script import make_steps
from dlutil_core.job.step import Made, Request
from dlutil_core.search.bracket import run_bracket
from dlutil_core.search.plan import Plan
from dlutil_core.search.staged.proposals import propose


def run_opening(
    spec: RunSpec, requests: Sequence[Path], plan: Path, draws: Path, workers: int
) -> None:
    """Propose and train the first stages, as far as they are not there.

    Parameters
    ----------
    requests
        Files that tell what is wanted of `propose-0`, `stage-0`, `propose-1` and so on, in order.
    plan, draws
        `search/plan.json` and `search/draws.json`; the stages' folders lie beside them.
    workers
        How many trials are trained side by side.
    """
    loaded = LoadedRun(spec)

    def trained(stage: int, folder: Path) -> Made:
        return Made(run_bracket(loaded, Plan.read(plan), stage, workers, folder))

    def wanted() -> Iterator[tuple[Request, Callable[[], Made | None]]]:
        for path in requests:
            request = Request.read(path)
            kind, _, number = request.step.rpartition("-")
            stage = int(number)
            folder = plan.parent / f"stage-{stage}"
            if kind == "propose":
                yield request, partial(propose, plan, draws, stage, folder / "trials.json")
            else:
                yield request, partial(trained, stage, folder)

    make_steps(wanted())
