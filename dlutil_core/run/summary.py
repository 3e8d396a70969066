"""The last words of a run: test metrics, the best configuration, where to look, what comes next."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from dlutil_core.common.files import read_json
from dlutil_core.common.result_folder import BEST_CONFIG, MEMBERS_SUMMARY, REPORT, TEST_METRICS
from dlutil_core.run.run_config import RunConfig

LONGEST = 300
"""Letters of a configuration that are shown; `best/config.json` has all of them."""


def summary(run: RunConfig) -> Iterator[str]:
    """Lines to say once the results are there; a run of a single target may leave some out."""
    folder = Path(run.result)
    if run.values["evaluate"] and (folder / TEST_METRICS).is_file():
        from dlutil_core.model.chosen_metrics import of_a_column

        metrics = read_json(folder / TEST_METRICS)
        metrics = {n: v for n, v in metrics.items() if not of_a_column(n)}  # the report has all
        yield "\nTest metrics:"
        width = max(12, *map(len, metrics)) if metrics else 12
        for name, value in metrics.items():
            yield f"  {name:<{width}} {'undefined' if value is None else f'{value:.4f}'}"
    if run.repeat.is_set and (folder / MEMBERS_SUMMARY).is_file():
        yield from _of_members(run, folder)
    if (folder / BEST_CONFIG).is_file():
        text = json.dumps(read_json(folder / BEST_CONFIG))
        yield f"Best configuration: {text if len(text) <= LONGEST else text[:LONGEST] + ' …'}"
    yield f"Results are in {run.result}/"
    if (folder / REPORT).is_file():
        yield f"Report: file://{(folder / REPORT).resolve()}"


def _of_members(run: RunConfig, folder: Path) -> Iterator[str]:
    """Means over members with their standard deviations, and what their mean predictions have."""
    from dlutil_core.model.chosen_metrics import of_a_column

    found = read_json(folder / MEMBERS_SUMMARY)
    told = {n: v for n, v in found.items() if not (n.startswith("val_") or of_a_column(n))}
    if not told:
        return
    yield f"Over {len(run.repeat.members)} members, with the standard deviation of one:"
    width = max(12, *map(len, told))
    for name, value in told.items():
        mean, sd, ensemble = (value[key] for key in ("mean", "sd", "ensemble"))
        spread = "" if sd is None else f" ± {sd:.2g}"
        together = "" if ensemble is None else f", of the ensemble {ensemble:.4f}"
        shown = "undefined" if mean is None else f"{mean:.4f}{spread}{together}"
        yield f"  {name:<{width}} {shown}"
