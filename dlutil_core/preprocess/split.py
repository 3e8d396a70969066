"""How one input becomes train, valid and test: a split by shares or chromosomes, or folds.

With folds the input has parts. Fold k tests part k, validates on part k + 1 (the last fold on part
0) and trains on the others, so that every record is tested once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dlutil_core.common.errors import UserError

WAYS = ("fraction", "chromosome", "group")

FOLDS = "folds"
"""The key that a section has beside the config's own where `repeat.folds` is given."""

MOST_FOLDS = 255


@dataclass(frozen=True)
class Folds:
    """The parts of one input, and the fold that is made of them.

    Attributes
    ----------
    count
        Parts, and so folds.
    fold
        The one that is made, from 0.
    lists
        Chromosomes or groups of each part; empty: the parts are as equal as can be.
    """

    count: int
    fold: int = 0
    lists: tuple[tuple[str, ...], ...] = ()

    @property
    def validated(self) -> int:
        """The part that the fold validates on."""
        return (self.fold + 1) % self.count


@dataclass(frozen=True)
class Split:
    """How one input becomes train, valid and test: by shares, of groups perhaps, or chromosomes.

    With `folds`, `valid` and `test` are nothing; `by` may be empty then: by chromosome where the
    first record tells one, else by fraction.
    """

    by: str
    valid: float | tuple[str, ...] = ()
    test: float | tuple[str, ...] = ()
    column: str | int | None = None
    folds: Folds | None = None

    def sets(self) -> list[str]:
        """Names of the sets that the split makes."""
        made = self.folds is not None
        return ["train", *(name for name in ("valid", "test") if made or getattr(self, name))]


def unset(value: Any) -> bool:
    """Whether a key of the section says nothing."""
    return value is None or value == "" or value == {} or value == []


# Folds


def fold_folder(fold: int | str) -> str:
    """The folder below the data folder of a fold's files: the `data_dir` of its loaders."""
    return f"fold-{fold}"


def fold_count(folds: int | Sequence[Any] | None) -> int:
    """How many folds the config's `repeat.folds` asks for; 0: none."""
    if folds is None:
        return 0
    return folds if isinstance(folds, int) else len(folds)


def in_fold(section: Mapping[str, Any], fold: int) -> dict[str, Any]:
    """A section with folds, for one of them."""
    return {**section, FOLDS: {**section[FOLDS], "fold": fold}}


def folds_of(section: Mapping[str, Any]) -> Folds | None:
    """What a section says of folds.

    Raises
    ------
    UserError
        Too few or too many, or lists that are empty or share a name.
    """
    given = section.get(FOLDS)
    if not given:
        return None
    parts, fold = given["parts"], given["fold"]
    count = fold_count(parts)
    if not 3 <= count <= MOST_FOLDS:
        raise UserError(
            f"repeat.folds: is {count} folds, but must be 3 at least (a fold tests one part,"
            f" validates on another and trains on the rest) and {MOST_FOLDS} at most"
        )
    lists = () if isinstance(parts, int) else tuple(tuple(map(str, part)) for part in parts)
    where: dict[str, int] = {}
    for number, names in enumerate(lists):
        if not names:
            raise UserError(f"repeat.folds: the list of fold {number} is empty; name what it tests")
        for name in names:
            if name in where:
                raise UserError(
                    f"repeat.folds: {name} is in the lists of fold {where[name]} and of fold"
                    f" {number}; keep it in one of them"
                )
            where[name] = number
    return Folds(count, fold, lists)


# The section


def parse_split(keys: Mapping[str, Any], folds: Folds | None) -> Split:
    """Check `preprocess.split`, which is given unless there are folds.

    Raises
    ------
    UserError
        Keys that exclude each other, or one that another needs, by name.
    """
    by = keys.get("by") or ("" if folds else "fraction")
    if by and by not in WAYS:
        raise UserError(
            f"preprocess.split.by: is {by!r}, but must be 'fraction', 'chromosome' or 'group'"
        )
    _check_column(by, keys)
    if folds is not None:
        return _folded(by, keys, folds)
    return _by_chromosome(keys) if by == "chromosome" else _by_shares(by, keys)


def _check_column(by: str, keys: Mapping[str, Any]) -> None:
    column = keys.get("column")
    if by == "group" and unset(column):
        raise UserError(
            "preprocess.split.column: is missing; name the column of the groups, as in {by: group,"
            " column: gene, test: 0.2}, or give its number, counted from 1"
        )
    if by != "group" and not unset(column):
        raise UserError(
            f"preprocess.split.column: is {column!r}, but is read only when split.by is 'group';"
            " set split.by to group or remove it"
        )


def _folded(by: str, keys: Mapping[str, Any], folds: Folds) -> Split:
    for name in ("valid", "test"):
        if keys.get(name):
            raise UserError(
                f"preprocess.split.{name}: cannot stand beside repeat.folds, of which each fold"
                " tests one part and validates on the next; remove one of them"
            )
    if folds.lists and by == "fraction":
        raise UserError(
            "repeat.folds: lists name chromosomes or groups, but preprocess.split.by is 'fraction';"
            " give a number of folds, or set split.by to chromosome or group"
        )
    return Split(
        by or ("chromosome" if folds.lists else ""), column=keys.get("column"), folds=folds
    )


def _by_chromosome(keys: Mapping[str, Any]) -> Split:
    lists: dict[str, tuple[str, ...]] = {}
    for name in ("valid", "test"):
        value = keys.get(name) or ()
        if isinstance(value, (int, float)):
            raise UserError(
                f"preprocess.split.{name}: is {value}, but must be a list of chromosomes,"
                " as in [chr1, chr8], when split.by is 'chromosome'"
            )
        lists[name] = (value,) if isinstance(value, str) else tuple(map(str, value))
    both = sorted(set(lists["valid"]) & set(lists["test"]))
    if both:
        raise UserError(
            f"preprocess.split: {both[0]} is in valid and in test; keep it in one of them"
        )
    return Split("chromosome", lists["valid"], lists["test"])


def _by_shares(by: str, keys: Mapping[str, Any]) -> Split:
    shares = {name: keys.get(name) or 0.0 for name in ("valid", "test")}
    for name, share in shares.items():
        if not isinstance(share, (int, float)) or not 0 <= share < 1:
            raise UserError(
                f"preprocess.split.{name}: is {share!r}, but must be a number from 0 to below 1"
                f" when split.by is {by!r}"
            )
    if sum(shares.values()) >= 1:
        raise UserError(
            f"preprocess.split: valid {shares['valid']} and test {shares['test']} leave nothing"
            " to train on; make them smaller"
        )
    return Split(by, float(shares["valid"]), float(shares["test"]), keys.get("column"))
