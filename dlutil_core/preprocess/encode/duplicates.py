"""Equal sequences and names within and across sets: counted, and told with two of the records."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py

from dlutil_core.common.logs import log
from dlutil_core.preprocess.encode.overlaps import find_overlaps
from dlutil_core.preprocess.encode.row_hashes import (
    Duplicates,
    Repeats,
    find_duplicates,
    find_turned,
)
from dlutil_core.preprocess.section import LABELLED_SETS
from dlutil_core.preprocess.write.set_output import SetOutput


def report_duplicates(
    outputs: dict[str, SetOutput], paths: dict[str, Path], both_strands: frozenset[str]
) -> dict[str, dict[str, Any]]:
    """Warn of leaks between sets, of repeated sequences and names; return the numbers of each set.

    Parameters
    ----------
    outputs
        Finished sets.
    paths
        Where their files are now, to look up names.
    both_strands
        Sets that hold the other strand of each record too.
    """
    sequences = find_duplicates({name: output.hashes for name, output in outputs.items()})
    named = find_duplicates(
        {name: o.name_hashes for name, o in outputs.items() if o.name_hashes is not None}
    )
    labelled = [name for name in outputs if name in LABELLED_SETS]
    strands = {name: outputs[name].strand_hashes for name in labelled}
    turned = {
        pair: repeats
        for pair, repeats in find_turned({n: s for n, s in strands.items() if s}).items()
        # Where a set has both strands, what is another's other strand is an equal record too.
        if not (both_strands & set(pair) and _count(sequences, pair) >= repeats.count)
    }
    overlaps = find_overlaps({name: paths[name] for name in labelled}) if labelled[1:] else {}
    lookup = _Names(paths)
    _warn(sequences, named, lookup)
    _warn_of_strands(turned, lookup)
    _warn_of_overlaps(overlaps, lookup)
    return {
        name: {
            "duplicates": {
                "within": _told(lookup, (name, name), sequences.within[name]),
                "across": _of_set(name, sequences.across, lookup),
                "names": named.within[name].count,
                "reverse_complements": _of_set(name, turned, lookup),
            },
            "overlaps": _of_set(name, overlaps, lookup),
        }
        for name in outputs
    }


def _told(lookup: _Names, pair: tuple[str, str], repeats: Repeats) -> dict[str, Any]:
    return {"records": repeats.count, "example": lookup.pair(*pair, repeats)}


def _of_set(
    name: str, found: dict[tuple[str, str], Repeats], lookup: _Names
) -> dict[str, dict[str, Any]]:
    """What a set shares with others, by their names."""
    return {
        pair[0] if pair[1] == name else pair[1]: _told(lookup, pair, repeats)
        for pair, repeats in found.items()
        if name in pair and repeats.count
    }


def _warn_of_strands(turned: dict[tuple[str, str], Repeats], lookup: _Names) -> None:
    _warn_of(
        turned,
        lookup,
        "{count} records of {second} are reverse complements of records of {first}, for example"
        " {one!r} of {other!r}: results on {second} would look too good; remove them from one of"
        " the sets",
    )


def _warn_of_overlaps(overlaps: dict[tuple[str, str], Repeats], lookup: _Names) -> None:
    _warn_of(
        overlaps,
        lookup,
        "{count} records of {second} overlap records of {first} in the genome, for example {one!r}"
        " overlaps {other!r}: results on {second} would look too good; split by chromosome, or"
        " remove them from one of the sets",
    )


def _warn_of(found: dict[tuple[str, str], Repeats], lookup: _Names, sentence: str) -> None:
    for (first, second), repeats in found.items():
        pair = lookup.pair(first, second, repeats)
        if pair is not None:
            told = {"first": first, "second": second, "one": pair[1], "other": pair[0]}
            log.warning("warning: " + sentence.format(count=repeats.count, **told))


class _Names:
    """Names of single records, from the files as written."""

    def __init__(self, paths: dict[str, Path]) -> None:
        self._paths = paths

    def name(self, of_set: str, index: int) -> str:
        with h5py.File(self._paths[of_set], "r") as file:
            return bytes(file["name"][index]).decode("utf-8", "backslashreplace")

    def pair(self, first: str, second: str, repeats: Repeats) -> list[str] | None:
        """Names of the example's two records."""
        if repeats.example is None:
            return None
        return [self.name(first, repeats.example[0]), self.name(second, repeats.example[1])]


def _warn(sequences: Duplicates, named: Duplicates, lookup: _Names) -> None:
    for (first, second), repeats in sequences.across.items():
        pair = lookup.pair(first, second, repeats)
        # A set to predict on may well hold records of the others.
        if pair is not None and {first, second} <= set(LABELLED_SETS):
            log.warning(
                f"warning: {repeats.count} records of {second} are in {first} too, for example"
                f" {pair[1]!r} is equal to {pair[0]!r}: results on {second} would look too good;"
                " remove them from one of the sets"
            )
    for name, repeats in sequences.within.items():
        pair = lookup.pair(name, name, repeats)
        if pair is not None:
            log.warning(
                f"warning: {repeats.count} records of {name} repeat the sequence of another one,"
                f" for example {pair[1]!r} is equal to {pair[0]!r}"
            )
    for name, repeats in named.within.items():
        if repeats.example is not None:
            earlier, later = repeats.example
            log.warning(
                f"warning: {repeats.count} names of {name} repeat another one, for example"
                f" {lookup.name(name, repeats.example[0])!r} names the records"
                f" {earlier + 1} and {later + 1}"
            )


def _count(found: Duplicates, pair: tuple[str, str]) -> int:
    return found.across.get(pair, Repeats()).count
