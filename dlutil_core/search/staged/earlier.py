"""The trials of the stages before a stage, at the budgets that the plan gave them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from dlutil_core.common import result_folder
from dlutil_core.search.leaderboard import Standing, final_standings, read_standings
from dlutil_core.search.outcome import Outcome, ranked
from dlutil_core.search.plan import Bracket, Plan
from dlutil_core.search.staged.draws import Seen
from dlutil_core.search.staged.stages import candidates


class Earlier:
    """What came of the trials of stages before; of none, for a bracket of Hyperband.

    What a larger search left in their memos is not asked: leaderboards hold planned budgets alone.

    Parameters
    ----------
    standings
        Each trial's line at the last rung that it reached.
    """

    def __init__(self, standings: Sequence[Standing] = ()) -> None:
        self.standings = {line.trial: line for line in standings}
        self.budgets = {line.trial: line.budget for line in standings}

    @classmethod
    def read(cls, plan: Plan, bracket: int, result: Path) -> Earlier:
        """From the leaderboards of a result folder.

        Parameters
        ----------
        bracket
            The stage that they are earlier than.
        """
        if not plan.is_staged:
            return cls()
        names = [result_folder.bracket(k, result_folder.STAGE) for k in range(bracket)]
        tables = [read_standings(result / name / result_folder.LEADERBOARD) for name in names]
        return cls(final_standings(tables))

    @property
    def succeeded(self) -> bool:
        """Whether any of them has a score."""
        return any(not line.failed for line in self.standings.values())

    def candidates(self, stage: Bracket, rung: int) -> list[Standing]:
        """Those that compete for the promotions of a stage's rung."""
        return [self.standings[trial] for trial in candidates(stage, rung, self.budgets)]

    def among(self, own: Iterable[Outcome], stage: Bracket, rung: int) -> list[Outcome | Standing]:
        """The trials of a stage's rung and those that compete with them, best first."""
        everyone: list[Outcome | Standing] = [*own, *self.candidates(stage, rung)]
        return ranked(everyone)

    def best_with(self, last: Iterable[Outcome]) -> Outcome | Standing:
        """The best trial so far, with the last outcomes of a stage's own trials."""
        own = {found.trial: found for found in last}
        others = [line for trial, line in self.standings.items() if trial not in own]
        everyone: list[Outcome | Standing] = [*own.values(), *others]
        return ranked(everyone)[0]

    def seen(self, plan: Plan) -> list[Seen]:
        """All of them, as the model sees them."""
        return [
            Seen(line.trial, plan.trials[line.trial].config, line.budget, line.score)
            for _, line in sorted(self.standings.items())
        ]
