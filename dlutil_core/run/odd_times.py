"""Times of results that Snakemake cannot compare: of the future, and of the year 1970.

Clocks that were set back and archives leave such ones. What is dated in the future makes Snakemake
take what is made of it for older than its input, and the job for failed; a result without a time is
never older than the flag that makes its job run.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from dlutil_core.run.steps import Steps


def settle_times(steps: Steps) -> None:
    """Give such results the present time; what they hold is looked at in any case.

    Parameters
    ----------
    steps
        The steps of a run, whose outputs they are.
    """
    now = time.time()
    for path in _written(steps):
        with suppress(OSError):
            if not 1 <= os.stat(path).st_mtime <= now:
                os.utime(path)


def _written(steps: Steps) -> Iterator[str | Path]:
    for step in steps:
        for name in (*step.request.outputs, f"identity/{step.name}.json"):
            yield step.request.places.path(name)
    yield from Path(steps.run.result, "search", "slots").rglob("*.json")
