"""A search's trials on a table of learning curves: what training would give, read off."""

from __future__ import annotations

import json
import math
from typing import Any

from curves import Table

from dlutil_core.search.outcome import DIVERGED, OK, Outcome
from dlutil_core.search.plan import Trial


def key(config: dict[str, Any]) -> str:
    """A configuration as a text."""
    return json.dumps(config, sort_keys=True)


class Lookup:
    """Trials on a table.

    Parameters
    ----------
    table
        The curves.
    size
        How many validation records a reward is of.
    """

    def __init__(self, table: Table, size: int) -> None:
        self.table = table
        self.val = table.val[table.sizes.index(size)]
        self.rows = {key(config): row for row, config in enumerate(table.configs)}
        self.epochs = 0
        self.trained: dict[int, tuple[int, int]] = {}

    def to(self, trial: Trial, budget: int) -> Outcome:
        """The outcome of a trial at a budget."""
        row, before = self.trained.get(trial.number, (self.rows[key(trial.config)], 0))
        self.trained[trial.number] = (row, max(before, budget))
        self.epochs += max(0, budget - before)
        rewards = [float(value) for value in self.val[row, :budget]]
        bad = next((k for k, reward in enumerate(rewards) if not math.isfinite(reward)), None)
        end = budget if bad is None else bad + 1
        rows = [{"epoch": k + 1, "reward": reward} for k, reward in enumerate(rewards[:end])]
        return Outcome(trial.number, rows, OK if bad is None else DIVERGED)

    def test_reward(self, pick: Outcome) -> float:
        """Of a trial at its best epoch."""
        assert pick.best_epoch is not None
        return float(self.table.test[self.trained[pick.trial][0], pick.best_epoch - 1])
