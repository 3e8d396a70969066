"""`logs/run.html`: when a run worked, how long and on what, so that `report.html` need not tell it.

It is no result: two equal runs have two of these.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

from dlutil_core.common.files import write_text
from dlutil_core.common.identity import identity_path
from dlutil_core.common.result_folder import LOGS, RUN_PAGE, TIMES
from dlutil_core.common.shown_text import shown
from dlutil_core.common.version import __version__, package_versions
from dlutil_core.job.times import StepTimes, processor

PACKAGES = ("python", "torch", "numpy", "h5py", "scikit-learn", "snakemake")

TEMPLATE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ title }}: the run</title><link rel="icon" href="data:,">
<style>
html{color-scheme:light dark}
body{margin:0 auto;padding:24px;max-width:1100px;font:15px/1.5 system-ui,sans-serif}
h1{font-size:24px;margin:0 0 6px}h2{font-size:18px;margin:28px 0 6px}
div{overflow-x:auto}table{border-collapse:collapse;font-size:13px}
th,td{padding:4px 12px 4px 0;text-align:left;border-bottom:1px solid #8885;white-space:nowrap}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}
</style></head><body>
<h1>{{ title }}: the run</h1>
<p>{{ text }} <a href="../report.html">The report</a> tells what came out.</p>
<h2>Where</h2>
<div><table>{% for name, value in machine %}
<tr><th scope="row">{{ name }}</th><td>{{ value }}</td></tr>{% endfor %}
</table></div>
<h2>Steps</h2>
<p>{{ note }}</p>
<div><table><thead><tr><th>step</th><th>finished</th><th class="n">took</th><th>on</th>
<th>processor</th><th>in this run</th></tr></thead><tbody>{% for row in steps %}
<tr><td>{{ row[0] }}</td><td>{{ row[1] }}</td><td class="n">{{ row[2] }}</td><td>{{ row[3] }}</td>
<td>{{ row[4] }}</td><td>{{ row[5] }}</td></tr>{% endfor %}
</tbody></table></div>
</body></html>
"""

NOTE = (
    "The last job of each step. A step that this run found done is the work of an earlier one; "
    "trials that were found trained cost no time."
)


def write_run_page(
    result: str, steps: Iterable[str], began: float, title: str | None, failed: bool = False
) -> None:
    """Write the page when a run has ended.

    Parameters
    ----------
    result
        The result folder.
    steps
        Names of the run's steps, in order; those of trial jobs are found.
    began
        When the run began, in seconds since 1970.
    failed
        Whether it ended with an error.
    """
    import jinja2

    outcome = "ended with an error" if failed else "ended"
    now = time.time()
    text = f"Began {moment(began)}, {outcome} {moment(now)}: {duration(now - began)}."
    rows = [row for name in [*steps, *_trial_jobs(result)] if (row := _row(result, name, began))]
    template = jinja2.Environment(autoescape=True, finalize=_finalized).from_string(TEMPLATE)
    page = template.render(
        title=title or "dlutil", text=text, machine=_machine(), steps=rows, note=NOTE
    )
    write_text(Path(result, RUN_PAGE), page)


def _finalized(value: Any) -> Any:
    return shown(value) if type(value) is str else value


def _machine() -> list[tuple[str, str]]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    versions = ", ".join(f"{n} {v}" for n, v in package_versions(PACKAGES).items() if v)
    return [
        ("started on", platform.node()),
        ("processor", f"{processor()}, {cores} cores to use"),
        ("system", platform.platform()),
        ("versions", f"dlutil {__version__}, {versions}"),
    ]


def _row(result: str, name: str, run_began: float) -> list[str] | None:
    """A step's line; `None` where it has not been made."""
    times = StepTimes.read(result, name)
    made = identity_path(result, name)
    if times is None or not made.is_file():
        return None
    machine = f"{times.processor}, {times.gpu}" if times.gpu else times.processor
    ended = times.began + times.seconds
    now = "yes" if ended >= run_began - 1 else "no"
    return [name, moment(ended), duration(times.seconds), times.host, machine, now]


def _trial_jobs(result: str) -> list[str]:
    folder = Path(result, LOGS, TIMES)
    found = (path.relative_to(folder) for path in (folder / "slots").rglob("*.json"))
    return sorted(str(path.with_suffix("")) for path in found)


def moment(seconds: float) -> str:
    """A time of day with its date and its distance from UTC."""
    return datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M:%S %z")


def duration(seconds: float) -> str:
    """A length of time in its two largest units."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min"
