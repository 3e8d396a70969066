"""The plan of a search: brackets, rungs and budgets, and the trials with their configurations.

Li, Jamieson, DeSalvo, Rostamizadeh, Talwalkar (2018): Hyperband, JMLR 18(185), algorithm 1. The
schedule is a pure function of integers, known before anything runs; only which trial fills a
promoted slot is decided at run time. `max_epochs` is the paper's `R`; a trial's `budget` is how
many epochs it is trained to, in all.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dlutil_core.common import files, result_folder
from dlutil_core.common.errors import UserError

HYPERBAND = "hyperband"
FIXED = "fixed"
STAGED = "staged"
MODEL = "model"
RANDOM = "random"
"""How a staged search draws: `search.sampler`."""


@dataclass(frozen=True)
class Trial:
    """A configuration with the seed that it is trained under, and the bracket that it starts in."""

    number: int
    seed: int
    config: dict[str, Any]
    bracket: int


@dataclass(frozen=True)
class Rung:
    """One cut of a bracket: `trials` trials, each trained to `budget` epochs in all.

    `new_epochs` of them are trained in this rung; the rungs before trained the others.
    """

    trials: int
    budget: int
    new_epochs: int


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

    @property
    def epochs(self) -> int:
        """How many epochs are trained in it, where each rung continues the one before."""
        return sum(rung.trials * rung.new_epochs for rung in self.rungs)

    def slots_after(self, rung: int) -> int:
        """How many trials of a rung are promoted: the next one's slots, none after the last."""
        return self.rungs[rung + 1].trials if rung + 1 < len(self.rungs) else 0


@dataclass(frozen=True)
class Schedule:
    """All brackets of a search, from the largest `s` (many trials, short) down to 0.

    Those of a staged search are its stages, from 0 up, and `sampler` is how they draw.
    """

    method: str
    max_epochs: int
    eta: int
    brackets: tuple[Bracket, ...]
    sampler: str = field(default="", kw_only=True)

    @property
    def settings(self) -> dict[str, Any]:
        """What of the config it follows from."""
        found = {"method": self.method, "max_epochs": self.max_epochs, "eta": self.eta}
        return found | ({"sampler": self.sampler} if self.is_staged else {})

    @property
    def is_staged(self) -> bool:
        """Whether what a bracket tries follows from the ones before."""
        return self.method == STAGED

    @property
    def kind(self) -> str:
        """What its brackets are called: `bracket` or `stage`."""
        return result_folder.STAGE if self.is_staged else result_folder.BRACKET

    @property
    def steps(self) -> list[str]:
        """The names of its brackets' steps and folders, in order."""
        return [f"{self.kind}-{bracket.number}" for bracket in self.brackets]

    @property
    def trial_count(self) -> int:
        """How many trials the search has."""
        return sum(bracket.rungs[0].trials for bracket in self.brackets)

    @property
    def epochs(self) -> int:
        """How many epochs are trained in all."""
        return sum(bracket.epochs for bracket in self.brackets)

    def bracket(self, number: int) -> Bracket:
        """The bracket `s = number`."""
        for bracket in self.brackets:
            if bracket.number == number:
                return bracket
        raise UserError(f"the plan has no {self.kind} {number}, it has {len(self.brackets)}")


@dataclass(frozen=True)
class Plan(Schedule):
    """A schedule with its trials, sampled under the run's seed: `search/plan.json`.

    Of a staged search these are the trials of the first stages, as far as they are decided: their
    configurations are in `search/stage-{k}/trials.json`.
    """

    seed: int
    trials: tuple[Trial, ...]

    @classmethod
    def of(cls, schedule: Schedule, seed: int, trials: tuple[Trial, ...]) -> Plan:
        """The plan of these trials."""
        of = schedule
        given = (of.method, of.max_epochs, of.eta, of.brackets, seed, trials)
        return cls(*given, sampler=of.sampler)

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Plan:
        """The plan that a `plan.json` holds; one that is not as it was written is a `UserError`."""
        found = files.read_json(path)
        try:
            method, max_epochs, eta = (found[k] for k in ("method", "max_epochs", "eta"))
            staged = method == STAGED
            kind = result_folder.STAGE if staged else result_folder.BRACKET
            brackets = tuple(_read_bracket(entry, kind) for entry in found[f"{kind}s"])
            told = {t["trial"]: t for t in found["trials"]}
            if staged:
                configs = _proposed(Path(path).parent, brackets)
            else:
                configs = {number: t["config"] for number, t in told.items()}
            trials = [
                Trial(j, t["seed"], configs[j], t[kind]) for j, t in told.items() if j in configs
            ]
            head = (method, max_epochs, eta, brackets, found["seed"])
            return cls(*head, tuple(trials), sampler=found.get("sampler", ""))
        except (KeyError, TypeError, IndexError) as error:
            raise UserError(
                f"{path}: not the plan of a search ({type(error).__name__}: {error}); remove it "
                "and run again"
            ) from None

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write `plan.json`."""
        files.write_json(path, self.document())

    def document(self) -> dict[str, Any]:
        """The content of `plan.json`, a documented layout: keys and their order stay."""
        return {
            **self.settings,
            "seed": self.seed,
            f"{self.kind}s": [
                {
                    self.kind: bracket.number,
                    "trials": list(bracket.trials),
                    "rungs": [{"trials": r.trials, "epochs": r.budget} for r in bracket.rungs],
                }
                for bracket in self.brackets
            ],
            "trials": [self._told(trial) for trial in self.trials],
        }

    def _told(self, trial: Trial) -> dict[str, Any]:
        found = {"trial": trial.number, self.kind: trial.bracket, "seed": trial.seed}
        return found if self.is_staged else {**found, "config": trial.config}


def _read_bracket(entry: dict[str, Any], kind: str) -> Bracket:
    sizes = [(rung["trials"], rung["epochs"]) for rung in entry["rungs"]]
    return Bracket(entry[kind], entry["trials"][0], rungs_of(sizes))


def _proposed(search: Path, stages: tuple[Bracket, ...]) -> dict[int, dict[str, Any]]:
    """The configurations of a staged search's trials, as far as its stages have proposed them."""
    found: dict[int, dict[str, Any]] = {}
    for stage in stages:
        path = search.parent / result_folder.proposal(stage.number)
        # What a job needs is its input, and whole; what another search or damage left is none.
        with suppress(UserError, KeyError, TypeError):
            entries = files.read_json(path)["trials"]
            told = {entry["trial"]: entry["config"] for entry in entries}
            if list(told) == list(stage.trials):
                found |= told
                continue
        break
    return found


def rungs_of(sizes: list[tuple[int, int]]) -> tuple[Rung, ...]:
    """The rungs with these numbers of trials and budgets."""
    before = [0, *(budget for _, budget in sizes)]
    return tuple(Rung(n, b, b - start) for (n, b), start in zip(sizes, before, strict=False))


def hyperband(max_epochs: int, eta: int = 3) -> Schedule:
    """Schedule a Hyperband search.

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
        sizes = [
            (n_0 // eta**i, rounded_quotient(max_epochs, eta ** (s - i))) for i in range(s + 1)
        ]
        brackets.append(Bracket(s, first_trial, rungs_of(sizes)))
        first_trial += n_0
    return Schedule(HYPERBAND, max_epochs, eta, tuple(brackets))


def fixed(max_epochs: int) -> Schedule:
    """The schedule of one known configuration: one bracket, one rung, one trial."""
    check_whole_number("max_epochs", max_epochs, least=1)
    return Schedule(FIXED, max_epochs, 1, (Bracket(0, 0, rungs_of([(1, max_epochs)])),))


def schedule(method: str, max_epochs: int, eta: int, sampler: str | None = None) -> Schedule:
    """The schedule of the config's `search.method`."""
    if method == STAGED:
        from dlutil_core.search.staged.stages import staged

        return staged(max_epochs, eta, sampler or MODEL)
    return fixed(max_epochs) if method == FIXED else hyperband(max_epochs, eta)


def rounded_quotient(dividend: int, divisor: int) -> int:
    """`round(dividend / divisor)` in whole numbers, halves upward."""
    return (2 * dividend + divisor) // (2 * divisor)


def check_whole_number(name: str, value: Any, least: int) -> None:
    """Refuse what is not a whole number of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise UserError(f"{name} is {value!r}, but must be a whole number of at least {least}")
