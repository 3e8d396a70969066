"""Which hyperparameters mattered: permutation importance in random forests, by scikit-learn.

Breiman (2001), Random Forests, Machine Learning 45, 5-32, section 10: how much worse a forest
predicts records that it has not seen when one of their columns is shuffled.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dlutil_core.model.metrics import mean_ranks
from dlutil_core.report.collect import Results
from dlutil_core.report.search_figures import varying
from dlutil_core.report.tables import Table

MIN_TRIALS = 20
"""Fewer trials than these tell too little."""

MAX_TRIALS = 2000
"""Of more trials, so many that are evenly spaced in their ranking are taken."""

LITTLE = 0.3
"""A smaller R² is told to be little."""

FOLDS, TREES, REPEATS, SEED = 5, 50, 3, 0


@dataclass(frozen=True)
class Importance:
    """A table, and a note on how to read it."""

    table: Table
    note: str


def importance(results: Results) -> Importance | None:
    """The importance of each hyperparameter that varies; `None` where there is nothing to tell."""
    scored = [t for t in results.trials if not t.failed]
    scored = scored[:: max(1, -(-len(scored) // MAX_TRIALS))]
    axes = varying(results)
    if len(scored) < MIN_TRIALS or len(axes) < 2:
        return None
    values = np.array([[a.place(t) for a in axes] + [float(t.budget)] for t in scored])
    names = [axis.name for axis in axes]
    r2, lost = permutation_importance(values, np.array([t.score for t in scored], dtype=float))
    order = sorted(range(len(names)), key=lambda k: (-round(lost[k], 2), names[k]))
    rows = [[names[k], f"{max(lost[k], 0.0):.2f}"] for k in order]
    rows.append(["(epochs trained)", f"{max(lost[-1], 0.0):.2f}"])
    trust = " That is little: do not trust these numbers." if r2 < LITTLE else ""
    note = (
        "How much worse the rank of a trial's score is predicted from its configuration and its "
        "epochs, in R², when one hyperparameter's values are shuffled among the trials: "
        "permutation importance in random forests (Breiman 2001, Machine Learning 45, 5-32; "
        f"scikit-learn), on trials left out of the forest, in {FOLDS} folds of {len(scored)} "
        f"trials. The whole R² is {max(r2, 0.0):.2f}.{trust} It tells nothing of values that were "
        "not tried."
    )
    head = ["hyperparameter", "importance"]
    return Importance(Table("In units of R².", head, rows, [False, True]), note)


def permutation_importance(values: np.ndarray, scores: np.ndarray) -> tuple[float, list[float]]:
    """R² of forests on trials that they have not seen, and what each column of it is.

    Parameters
    ----------
    values
        `(N, C)`: configurations as numbers.
    scores
        `(N,)`; their ranks alone count, so that a trial which went astray does not rule all.
    """
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.inspection import permutation_importance as permuted
    from sklearn.model_selection import KFold

    ranks = mean_ranks(scores) / len(scores)
    found, lost = [], []
    for train, held in KFold(FOLDS, shuffle=True, random_state=SEED).split(values):
        forest = RandomForestRegressor(TREES, min_samples_leaf=2, random_state=SEED)
        forest.fit(values[train], ranks[train])
        found.append(forest.score(values[held], ranks[held]))
        drops = permuted(forest, values[held], ranks[held], n_repeats=REPEATS, random_state=SEED)
        lost.append(drops.importances_mean)
    return float(np.mean(found)), [float(v) for v in np.mean(lost, axis=0)]
