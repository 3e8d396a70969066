"""What the config's `repeat` asks for: which folds and seeds, and so which members."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dlutil_core.common import result_folder as names
from dlutil_core.common.errors import UserError
from dlutil_core.preprocess.split import fold_count

ONCE, EACH = "once", "each"


@dataclass(frozen=True)
class Member:
    """A model of the picked configuration: its fold and its seed, both from 0."""

    fold: int
    seed: int

    @classmethod
    def named(cls, name: str) -> Member:
        """The member of a name.

        Raises
        ------
        UserError
            It is not `fold-{k}/seed-{i}`.
        """
        found = names.MEMBER_NAME.fullmatch(name)
        if found is None:
            raise UserError(f"member {name}: must be fold-{{k}}/seed-{{i}}, as below members/")
        return cls(int(found[1]), int(found[2]))

    @property
    def name(self) -> str:
        """`fold-{k}/seed-{i}`."""
        return names.member_name(self.fold, self.seed)

    @property
    def is_best_model(self) -> bool:
        """Whether it is the search's own best model; the other members are trained."""
        return (self.fold, self.seed) == (0, 0)

    @property
    def training_step(self) -> str:
        """The step that trains it."""
        return names.member_training(self.name)

    @property
    def test_step(self) -> str:
        """The step that tests it."""
        return f"{names.MEMBERS}/{self.name}/test"

    def files(self, kinds: tuple[str, ...]) -> list[str]:
        """Its files of these names, relative to the result folder."""
        return [f"{names.MEMBERS}/{self.name}/{kind}" for kind in kinds]


@dataclass(frozen=True)
class Repeat:
    """The section `repeat` of a validated config.

    Parameters
    ----------
    folds
        A number of parts, or the chromosomes or groups of each; `None`: the one split of the data.
    seeds
        Members of each fold.
    search
        `once` or `each`.
    """

    folds: int | tuple[tuple[str, ...], ...] | None = None
    seeds: int = 1
    search: str = ONCE

    @classmethod
    def of(cls, section: Mapping[str, Any]) -> Repeat:
        """Of the section with all its defaults."""
        folds = section["folds"]
        if isinstance(folds, list):
            folds = tuple(tuple(map(str, part)) for part in folds)
        return cls(folds, section["seeds"], section["search"])

    @property
    def has_folds(self) -> bool:
        """Whether there are more splits than one."""
        return self.folds is not None

    @property
    def fold_count(self) -> int:
        """How many splits there are."""
        return fold_count(self.folds) or 1

    @property
    def is_set(self) -> bool:
        """Whether there are members beside the best model."""
        return self.fold_count * self.seeds > 1

    @property
    def members(self) -> list[Member]:
        """All members, fold by fold; none where nothing is repeated."""
        if not self.is_set:
            return []
        return [Member(k, i) for k in range(self.fold_count) for i in range(self.seeds)]
