"""How far a search is, as plain text."""

from __future__ import annotations

import json
from collections.abc import Sequence

from dlutil_core.common.wording import counted
from dlutil_core.watch.state import State


def summary(state: State) -> str:
    """How far a search is, for where there is no terminal."""
    rows = [[state.plan.kind, "rung", "to epoch", "trials", "done", "running", "failed", "waiting"]]
    for bracket in state.brackets:
        for index, rung in enumerate(bracket.rungs):
            counts = (rung.planned.trials, rung.done, len(rung.running), rung.failed, rung.waiting)
            name = str(bracket.number) if index == 0 else ""
            rows.append([name, str(index), str(rung.planned.budget), *map(str, counts)])
    return "\n".join([*table(rows), "", *facts(state)]) + "\n"


def facts(state: State) -> list[str]:
    """Sentences under the table: the best so far, speed, time left."""
    done, planned = state.trained_epochs, state.plan.epochs
    told = f"{done} of {planned} epochs are trained ({done / planned:.0%})"
    failed = len(state.failed)
    if failed:
        told += f"; {counted(failed, 'trial')} failed"
    if state.finished and done < planned:
        told += ", and no more are needed"
    found = [f"{told}."]
    best = state.best
    if best is not None:
        config = json.dumps(state.plan.trials[best.trial].config)
        found.append(
            f"Best so far: trial {best.trial}, reward {best.score:.6g} in epoch {best.best_epoch}, "
            f"{config}"
        )
    rate = state.epochs_per_second
    if state.finished:
        found.append("The search has ended.")
    elif rate is not None and state.seconds_left is not None:
        found.append(f"{rate:.3g} epochs/s, about {duration(state.seconds_left)} left.")
    if not state.finished and not state.running and state.held:
        found.append("A run is at work, between two rungs or before the first epoch is stored.")
    elif not state.finished and not state.running:
        found.append("Nothing runs at present; the same command goes on from here.")
    return found


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows as lines with columns of equal width, numbers to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [
        "  ".join(
            [row[0].ljust(widths[0])]
            + [c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True)]
        ).rstrip()
        for row in rows
    ]


def duration(seconds: float) -> str:
    """Seconds in the two largest units."""
    if seconds < 60:
        return f"{seconds:.0f} s" if seconds >= 1 else "1 s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min"
    return f"{hours // 24} days {hours % 24} h"


def size_text(size: float) -> str:
    """Bytes in a suitable unit."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} TB"
