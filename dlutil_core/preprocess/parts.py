"""The parts of a `preprocess` section that are made apart: each depends on its own keys alone.

All labelled sets are one part, since splits and the search for duplicates cross them; with folds
those of each fold are one. Each set to predict is one of its own, which takes the width of the
sequences from the labelled ones: so one that is added encodes itself alone, and changes nothing
that a model was trained on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dlutil_core.preprocess import section as planning
from dlutil_core.preprocess.split import FOLDS, fold_count, fold_folder, folds_of, in_fold

MAIN = "preprocess"

ENCODING = "encoding.json"
"""The file under the data folder that tells later sets how the labelled ones were encoded."""


@dataclass(frozen=True)
class Part:
    """A part of a section.

    Parameters
    ----------
    section
        The section with what the part makes alone.
    outputs
        Names under the data folder of all files that it writes.
    needed
        Names under the data folder of files that another part writes for it.
    """

    section: dict[str, Any]
    outputs: tuple[str, ...]
    needed: tuple[str, ...] = ()


def parts(section: Mapping[str, Any]) -> dict[str, Part]:
    """Each part by the name of its step, the labelled sets first; an empty section has none."""
    if not section:
        return {}
    predicted = section.get(planning.PREDICT) or {}
    main = {key: value for key, value in section.items() if key != planning.PREDICT}
    folds = folds_of(section)
    if folds is not None and not section.get("command"):
        made = {main_part(k): _main(in_fold(main, k)) for k in range(folds.count)}
    elif not predicted or not _makes_sets(main):
        return {MAIN: _main(section)}
    else:
        made = {MAIN: _main(main)}
    options = {k: v for k, v in main.items() if not _is_source(k)}
    for name, keys in predicted.items():
        own = options | {planning.PREDICT: {name: keys}}
        outputs = tuple(planning.output_files(own))
        made[f"{MAIN}/{name}"] = Part(own, outputs, (encoding_file(section),))
    return made


def main_part(fold: int | str | None) -> str:
    """The step that makes the labelled sets: of a fold, or of all data (None)."""
    return MAIN if fold is None else f"{MAIN}-{fold_folder(fold)}"


def files_of_folds(section: Mapping[str, Any]) -> list[str]:
    """What each fold's part writes, with `{fold}` for its number; nothing where there is none."""
    folder, made = fold_folder(0), parts(section)
    outputs = made[main_part(0)].outputs if main_part(0) in made else ()
    return [name.replace(folder, "fold-{fold}", 1) for name in outputs]


def encoding_file(section: Mapping[str, Any]) -> str:
    """The name under the data folder of the file that tells how labelled sets were encoded."""
    return f"{planning.parse(section).folder}{ENCODING}"


def with_folds(
    section: Mapping[str, Any], folds: int | Sequence[Any] | None, fold: int = 0
) -> dict[str, Any]:
    """A config's `preprocess` for a fold of its `repeat.folds`; as it is where it makes no folds.

    Parameters
    ----------
    folds
        A number, or lists of chromosomes or groups.
    fold
        The one whose files `planned_files` gives.
    """
    makes = fold_count(folds) and _makes_sets(section)
    return {**section, FOLDS: {"parts": folds, "fold": fold}} if makes else dict(section)


def sets_apart(section: Mapping[str, Any]) -> list[str]:
    """Names of the sets to predict that are parts of their own."""
    start = f"{MAIN}/"
    return [name.removeprefix(start) for name in parts(section) if name.startswith(start)]


def _main(section: Mapping[str, Any]) -> Part:
    """The part of the labelled sets."""
    if section.get("command"):
        own = {key: value for key, value in section.items() if key != FOLDS}
        return Part(own, tuple(planning.output_files(own)))
    return Part(dict(section), (*planning.output_files(section), encoding_file(section)))


def _makes_sets(section: Mapping[str, Any]) -> bool:
    return any(section.get(key) for key in section if _is_source(key))


def _is_source(key: str) -> bool:
    """Whether a key says what the sets are made of; others say how."""
    return key in (*planning.LABELLED_SETS, *planning.SOURCE_KEYS, "split", "command", FOLDS)
