"""Which members a result folder holds beside its best model, and which of them are to be used."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from dlutil_core.common import result_folder as names
from dlutil_core.common.errors import UserError
from dlutil_core.common.files import read_csv
from dlutil_core.common.hashes import read_manifest, sha256_file
from dlutil_core.common.identity import Identity, identity_path

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
    if manifest.is_file() and names.MEMBERS_TABLE not in read_manifest(manifest):
        return []
    return [names.member_name(int(row["fold"]), int(row["seed"])) for row in read_csv(table)]


def _check(result: Path, there: list[str]) -> None:
    """Refuse members of a search that was replaced.

    The first one is the search's best model, and the manifest lists all of one search; before there
    is one, each member's identity tells of which best model it was made.
    """
    models = [f"{names.MEMBERS}/{name}/{names.MEMBER_MODEL}" for name in there]
    found = {
        name: sha256_file(result / name)
        for name in (names.BEST_MODEL, *models)
        if (result / name).is_file()
    }
    manifest = result / names.MANIFEST
    if manifest.is_file():
        told: list[Mapping[str, str | None]] = [read_manifest(manifest)]
    else:
        steps = map(names.member_training, there)
        made = [Identity.read(identity_path(result, step)) for step in steps]
        told = [{**one.inputs, **one.outputs} for one in made if one is not None]
    replaced = any(
        one.get(name, sha256) != sha256 for one in told for name, sha256 in found.items()
    )
    if replaced or found.get(models[0]) != found[names.BEST_MODEL]:
        raise UserError(
            f"{result}: its members are not of the search that it holds; run it to the end, or "
            f"choose its best model (member {BEST_ALONE})"
        )
