"""`dlutil watch`: a search in a terminal, drawn anew every second."""

from __future__ import annotations

import sys
import time
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlutil_core.common.wording import counted
from dlutil_core.watch.state import BracketState, RungState, State, read_state
from dlutil_core.watch.text import duration, facts, summary

if TYPE_CHECKING:
    from rich.console import Console, Group

INTERVAL = 1.0
WINDOW = 60.0
"""Seconds over which the present speed is measured."""

BAR = 24
SHOWN_RUNNING = 12


def main(result_dir: Path) -> int:
    """Show a search until it has ended or Ctrl-C is pressed; one summary without a terminal."""
    from rich.console import Console

    console = Console()
    state = read_state(result_dir, time.time())
    if not console.is_terminal:
        sys.stdout.write(summary(state))
        return 0
    _follow(result_dir, console, state)
    return 0


def _follow(result_dir: Path, console: Console, state: State) -> None:
    from rich.live import Live

    speed = Speed()
    try:
        with Live(console=console, auto_refresh=False, transient=False) as live:
            while True:
                speed.add(state)
                live.update(view(state, speed), refresh=True)
                if state.finished:
                    return
                time.sleep(INTERVAL)
                state = read_state(result_dir, time.time())
    except KeyboardInterrupt:
        return


class Speed:
    """Epochs per second over the last minute of watching."""

    def __init__(self) -> None:
        self.seen: deque[tuple[float, int]] = deque()

    def add(self, state: State) -> None:
        """Take note of a state."""
        self.seen.append((state.now, sum(t.epochs for t in state.trials.values())))
        while self.seen[-1][0] - self.seen[0][0] > WINDOW:
            self.seen.popleft()

    def now(self, state: State) -> float | None:
        """The present speed; that of the whole search as long as nothing was seen to happen."""
        (start, before), (end, after) = self.seen[0], self.seen[-1]
        if end - start >= 5 and after > before:
            return (after - before) / (end - start)
        return state.epochs_per_second


def view(state: State, speed: Speed) -> Group:
    """Everything that the terminal shows."""
    from rich.console import Group
    from rich.text import Text

    done, planned = state.trained_epochs, state.plan.epochs
    title = Text(f"{counted(state.plan.trial_count, 'trial')} of up to ", style="bold")
    title.append(f"{counted(state.plan.max_epochs, 'epoch')}  ")
    title.append(bar(done, planned))
    title.append(f"  {done}/{planned} epochs")
    lines: list[Any] = [title, _table(state)]
    running = state.running
    if running:
        shown = [_trial(state, j) for j in running[:SHOWN_RUNNING]]
        more = f" and {len(running) - SHOWN_RUNNING} more" if len(running) > SHOWN_RUNNING else ""
        lines.append(Text("Running: " + ", ".join(shown) + more))
    _, *told = facts(state)
    rate = speed.now(state)
    for sentence in told:
        if "epochs/s" in sentence and rate:
            left = duration(state.remaining_epochs / rate)
            sentence = f"{rate:.3g} epochs/s, about {left} left. Ctrl-C ends the view alone."
        lines.append(Text(sentence, style="bold green" if sentence.startswith("Best") else ""))
    return Group(*lines)


def _trial(state: State, trial: int) -> str:
    return f"{trial} (epoch {state.trials[trial].epochs})"


def _table(state: State) -> Any:
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0))
    kind = state.plan.kind
    for name in (kind, "rung", "to epoch", "", "done", "running", "failed", "waiting"):
        table.add_column(name, justify="left" if name in ("", kind) else "right")
    for bracket in state.brackets:
        for index, rung in enumerate(bracket.rungs):
            table.add_row(*_row(bracket, index, rung))
    return table


def _row(bracket: BracketState, index: int, rung: RungState) -> list[str]:
    ended, trials = rung.done + rung.failed, rung.planned.trials
    full = bracket.finished or ended >= trials
    return [
        str(bracket.number) if index == 0 else "",
        str(index),
        str(rung.planned.budget),
        bar(trials if full else ended, trials),
        f"{rung.done}/{trials}",
        f"[yellow]{len(rung.running)}[/]" if rung.running else "",
        f"[red]{rung.failed}[/]" if rung.failed else "",
        str(rung.waiting) if rung.waiting and not bracket.finished else "",
    ]


def bar(done: int, total: int) -> str:
    """A bar of fixed width."""
    filled = round(BAR * done / max(total, 1))
    return "━" * filled + "╌" * (BAR - filled)
