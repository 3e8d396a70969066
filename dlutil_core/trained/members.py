"""Which members a result folder holds beside its best model, and which of them are to be used."""

from __future__ import annotations

from pathlib import Path

from dlutil_core.common import result_folder as names
from dlutil_core.common.errors import UserError
from dlutil_core.common.files import read_csv
from dlutil_core.common.hashes import sha256_file

BEST_ALONE = "best"
"""Chosen in place of a member: the best model of the search, as if there were no others."""


def model_files(result: Path, member: str | tuple[int, int] | None = None) -> list[Path]:
    """The weights to use: those of all members, or of the best model where there are none.

    Parameters
    ----------
    member
        `fold-{k}/seed-{i}` or `(k, i)`: this one alone; `best`: the best model.

    Raises
    ------
    UserError
        There is no such member, or the folder holds members of another search.
    """
    if member == BEST_ALONE:
        return [result / names.BEST_MODEL]
    there = members_of(result)
    if member is None and not there:
        return [result / names.BEST_MODEL]
    name = names.member_name(*member) if isinstance(member, tuple) else member
    if name is not None and name not in there:
        known = f"has {there[0]} to {there[-1]}" if there else "has none, only its best model"
        raise UserError(f"member {name}: {result} {known}; choose another, or {BEST_ALONE}")
    _check(result, there)
    chosen = there if name is None else [name]
    return [result / names.MEMBERS / found / names.MEMBER_MODEL for found in chosen]


def members_of(result: Path) -> list[str]:
    """Names of the members of a result folder, in their order; none where nothing is repeated.

    What the last whole run declared counts: members of an earlier one may still lie there.
    """
    table, manifest = result / names.MEMBERS_TABLE, result / names.MANIFEST
    if not table.is_file():
        return []
    if manifest.is_file():
        lines = manifest.read_text(encoding="utf-8").splitlines()
        if not any(line.endswith(f"  {names.MEMBERS_TABLE}") for line in lines):
            return []
    return [names.member_name(int(row["fold"]), int(row["seed"])) for row in read_csv(table)]


def _check(result: Path, there: list[str]) -> None:
    """Refuse members of a search that was replaced: the first one is the search's best model."""
    first = result / names.MEMBERS / there[0] / names.MEMBER_MODEL
    if not first.is_file() or sha256_file(first) != sha256_file(result / names.BEST_MODEL):
        raise UserError(
            f"{result}: its members are not of the search that it holds; run it to the end, or "
            f"choose its best model (member {BEST_ALONE})"
        )
