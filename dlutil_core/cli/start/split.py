"""How records become train, valid and test: files, shares, or chromosomes."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from typing import Any

from dlutil_core.common.errors import UserError

SHARE = 0.15
LEAST, MOST = 0.05, 0.25
"""Shares that chromosomes may have, to be chosen by themselves."""


def kind_of(flag: str, words: Sequence[str]) -> str:
    """`files`, `share` or `chromosomes`: what a flag's words are."""
    if all(map(os.path.isfile, words)):
        return "files"
    if len(words) == 1 and _share(words[0]) is not None:
        share = _share(words[0])
        if share is None or not 0 < share < 1:
            raise UserError(f"{flag} is {words[0]}, but a share is between 0 and 1, as in 0.1")
        return "share"
    wrong = next((w for w in words if "/" in w or os.path.isfile(w)), None)
    if wrong is not None:
        raise UserError(
            f"{flag}: {wrong} is no file; give files, a share such as 0.1, or chromosomes"
        )
    return "chromosomes"


def _share(word: str) -> float | None:
    """A number with a point; whole numbers are chromosomes of Ensembl."""
    try:
        return float(word) if "." in word else None
    except ValueError:
        return None


def split_of(
    valid: Sequence[str], test: Sequence[str], chromosomes: Counter[str] | None
) -> tuple[dict[str, Any], str]:
    """The section `split`, and a sentence where it was chosen here.

    Parameters
    ----------
    valid, test
        Words of the flags; empty where they were not given. No files.
    chromosomes
        Records by chromosome, where all tell theirs.
    """
    kinds = {kind_of(f, w) for f, w in (("--valid", valid), ("--test", test)) if w}
    if len(kinds) > 1:
        raise UserError("--valid and --test must both be files, shares or chromosomes")
    if "share" in kinds:
        shares = [float(words[0]) if words else SHARE for words in (valid, test)]
        return {"by": "fraction", "valid": shares[0], "test": shares[1]}, ""
    if chromosomes is None:
        if kinds:
            raise UserError(
                "--valid and --test name chromosomes, but not every record tells its own; write"
                " names such as chr1:100-200, or give shares, as in --test 0.15"
            )
        return {"by": "fraction", "valid": SHARE, "test": SHARE}, ""
    chosen = {"test": list(test), "valid": list(valid)}
    for name in chosen["test"] + chosen["valid"]:
        if name not in chromosomes:
            known = ", ".join(sorted(chromosomes)[:10])
            raise UserError(f"{name} is neither a file nor a chromosome of a record ({known})")
    for name, given in chosen.items():
        if not given:
            taken = set(chosen["test"] + chosen["valid"])
            chosen[name] = _some(chromosomes, taken)
    if not all(chosen.values()):
        return {"by": "fraction", "valid": SHARE, "test": SHARE}, (
            "no chromosomes hold about a sixth of the records each, so the sets are seeded shares;"
            " name some with --valid and --test for a test on other chromosomes"
        )
    split = {"by": "chromosome", "valid": chosen["valid"], "test": chosen["test"]}
    return split, ""


def _some(chromosomes: Counter[str], taken: set[str]) -> list[str]:
    """Large chromosomes that together have about the share; the same for the same records."""
    total = sum(chromosomes.values())
    found: list[str] = []
    share = 0.0
    for name, count in sorted(chromosomes.items(), key=lambda item: (-item[1], item[0])):
        if name not in taken and share < SHARE and share + count / total <= MOST:
            found.append(name)
            share += count / total
    return found if share >= LEAST else []
