"""Equal sequences and names within and across sets: counted, and told with two of the records."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py

from dlutil_core.common.logs import log
from dlutil_core.preprocess.encode.row_hashes import Duplicates, Repeats, find_duplicates
from dlutil_core.preprocess.section import LABELLED_SETS
from dlutil_core.preprocess.write.set_output import SetOutput


def report_duplicates(
    outputs: dict[str, SetOutput], paths: dict[str, Path]
) -> dict[str, dict[str, Any]]:
    """Warn of leaks between sets, of repeated sequences and names; return the numbers of each set.

    Parameters
    ----------
    outputs
        Finished sets.
    paths
        Where their files are now, to look up names.
    """
    sequences = find_duplicates({name: output.hashes for name, output in outputs.items()})
    named = find_duplicates(
        {name: o.name_hashes for name, o in outputs.items() if o.name_hashes is not None}
    )
    lookup = _Names(paths)
    _warn(sequences, named, lookup)
    found: dict[str, dict[str, Any]] = {}
    for name in outputs:
        across = {
            other: {"records": repeats.count, "example": lookup.pair(first, second, repeats)}
            for (first, second), repeats in sequences.across.items()
            for other in [first if second == name else second]
            if name in (first, second) and repeats.count
        }
        within = sequences.within[name]
        found[name] = {
            "duplicates": {
                "within": {"records": within.count, "example": lookup.pair(name, name, within)},
                "across": across,
                "names": named.within[name].count,
            }
        }
    return found


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
