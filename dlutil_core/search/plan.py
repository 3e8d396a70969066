"""The plan of a search: brackets, rungs and budgets, as a pure function of integers.

Li, Jamieson, DeSalvo, Rostamizadeh, Talwalkar (2018): Hyperband, JMLR 18(185), algorithm 1. The
plan is known before anything runs; only which trial fills a promoted slot is decided at run time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dlutil_core.common.errors import UserError


@dataclass(frozen=True)
class Rung:
    """One cut of a bracket: `trials` trials, each trained to `epochs` epochs in all."""

    trials: int
    epochs: int


@dataclass(frozen=True)
class Bracket:
    """One successive halving. `first_trial` is the number of its first trial in the search."""

    number: int
    first_trial: int
    rungs: tuple[Rung, ...]

    @property
    def trials(self) -> range:
        """Numbers of the trials that start in this bracket."""
        return range(self.first_trial, self.first_trial + self.rungs[0].trials)


@dataclass(frozen=True)
class Plan:
    """All brackets of a search, from the largest `s` (many trials, short) down to 0."""

    max_epochs: int
    eta: int
    brackets: tuple[Bracket, ...]

    @property
    def trials(self) -> int:
        """How many trials the search has."""
        return sum(b.rungs[0].trials for b in self.brackets)

    @property
    def epochs(self) -> int:
        """How many epochs are trained in all, where each rung continues the one before."""
        return sum(epochs_of(bracket) for bracket in self.brackets)

    def bracket(self, number: int) -> Bracket:
        """The bracket `s = number`."""
        for bracket in self.brackets:
            if bracket.number == number:
                return bracket
        raise UserError(f"the plan has no bracket {number}, it has {len(self.brackets)}")


def epochs_of(bracket: Bracket) -> int:
    """Epochs that a bracket trains: a promoted trial continues from the rung before."""
    before = 0
    total = 0
    for rung in bracket.rungs:
        total += rung.trials * (rung.epochs - before)
        before = rung.epochs
    return total


def hyperband(max_epochs: int, eta: int = 3) -> Plan:
    """Plan a Hyperband search.

    `s_max` is the largest `s` with `eta**s <= max_epochs`, found by a loop: the floating-point
    logarithm gives 4 instead of 5 for 243 and 3.

    Parameters
    ----------
    max_epochs
        `R`, the epochs of a trial that is never cut; at least 1.
    eta
        The reduction factor: one trial in `eta` is promoted; at least 2.
    """
    check_whole_number("max_epochs", max_epochs, least=1)
    check_whole_number("eta", eta, least=2)
    s_max = 0
    while eta ** (s_max + 1) <= max_epochs:
        s_max += 1
    brackets = []
    first_trial = 0
    for s in range(s_max, -1, -1):
        n_0 = -(-(s_max + 1) * eta**s // (s + 1))
        rungs = tuple(
            Rung(n_0 // eta**i, rounded_quotient(max_epochs, eta ** (s - i))) for i in range(s + 1)
        )
        brackets.append(Bracket(s, first_trial, rungs))
        first_trial += n_0
    return Plan(max_epochs, eta, tuple(brackets))


def fixed(max_epochs: int) -> Plan:
    """The plan of one known configuration: one bracket, one rung, one trial."""
    check_whole_number("max_epochs", max_epochs, least=1)
    return Plan(max_epochs, 1, (Bracket(0, 0, (Rung(1, max_epochs),)),))


def rounded_quotient(dividend: int, divisor: int) -> int:
    """`round(dividend / divisor)` in whole numbers, halves upward."""
    return (2 * dividend + divisor) // (2 * divisor)


def check_whole_number(name: str, value: Any, least: int) -> None:
    """Refuse what is not a whole number of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise UserError(f"{name} is {value!r}, but must be a whole number of at least {least}")
