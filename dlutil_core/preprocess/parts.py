"""The parts of a `preprocess` section that are made apart: each depends on its own keys alone.

All labelled sets are one part, since splits and the search for duplicates cross them. Each set to
predict is one of its own, which takes the width of the sequences from the labelled ones: so one
that is added encodes itself alone, and changes nothing that a model was trained on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dlutil_core.preprocess import section as planning

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
    if not predicted or not _makes_sets(main):
        whole = dict(section)
        return {MAIN: Part(whole, _outputs(whole))}
    made = {MAIN: Part(main, _outputs(main))}
    options = {k: v for k, v in main.items() if not _is_source(k)}
    for name, keys in predicted.items():
        own = options | {planning.PREDICT: {name: keys}}
        outputs = tuple(planning.output_files(own))
        made[f"{MAIN}/{name}"] = Part(own, outputs, (ENCODING,))
    return made


def sets_apart(section: Mapping[str, Any]) -> list[str]:
    """Names of the sets to predict that are parts of their own."""
    start = f"{MAIN}/"
    return [name.removeprefix(start) for name in parts(section) if name.startswith(start)]


def _outputs(section: Mapping[str, Any]) -> tuple[str, ...]:
    command = bool(section.get("command"))
    return (*planning.output_files(section), *([] if command else [ENCODING]))


def _makes_sets(section: Mapping[str, Any]) -> bool:
    return any(section.get(key) for key in section if _is_source(key))


def _is_source(key: str) -> bool:
    """Whether a key says what the sets are made of; others say how."""
    return key in (*planning.LABELLED_SETS, *planning.SOURCE_KEYS, "split", "command")
