"""Known configurations that a search begins with: `search.start`, checked against `get_config`."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dlutil_core.common import files
from dlutil_core.common.errors import UserError
from dlutil_core.search.leaderboard import CONFIG

MOST_TEXT = 100_000
"""Characters of all configurations together, which the plan's command line holds."""


def start_configs(search: Mapping[str, Any], trials: int) -> list[dict[str, Any]]:
    """The configurations that a search begins with; of a table they are texts.

    Parameters
    ----------
    search
        The section `search` of a validated config.
    trials
        How many trials the search has.
    """
    given = search["start"]
    if not given:
        return []
    if search["method"] == "fixed":
        raise UserError("search.start is for a search, but search.method is fixed; leave one out")
    found = _of_table(given) if isinstance(given, str) else [dict(config) for config in given]
    if len(found) > trials:
        raise UserError(
            f"search.start gives {len(found)} configurations, but the search has {trials} trials; "
            "give the best of them alone, or raise search.max_epochs"
        )
    if len(json.dumps(found)) > MOST_TEXT:
        raise UserError(
            f"search.start gives more than {MOST_TEXT} characters; give fewer configurations"
        )
    return found


def _of_table(path: str) -> list[dict[str, Any]]:
    if not Path(path).is_file():
        raise UserError(f"search.start: {path}: there is no such file; check the path")
    try:
        rows = files.read_csv(path)
    except (UnicodeDecodeError, ValueError) as error:
        raise UserError(f"search.start: {path}: not a CSV file ({error})") from None
    found: list[dict[str, Any]] = []
    for row in rows:
        config = {
            str(name).removeprefix(CONFIG): text or ""
            for name, text in row.items()
            if str(name).startswith(CONFIG)
        }
        if config and config not in found:  # a bracket's table has a line for each rung
            found.append(config)
    if not found:
        raise UserError(
            f"search.start: {path}: has no line with columns such as {CONFIG}lr; give a "
            "leaderboard.csv of an earlier run"
        )
    return found


def known_configs(
    given: Sequence[Mapping[str, Any]], drawn: Sequence[Mapping[str, Any]], source: str = "def.py"
) -> list[dict[str, Any]]:
    """Configurations as `get_config` would give them: the same keys, in the same order.

    Parameters
    ----------
    given
        Those of `search.start`. A value that is a text where all draws have something else (that of
        a table) is read as JSON; an empty one is `None`, or a key that not all draws have.
    drawn
        Draws of `get_config`, which show its keys.
    source
        The file's name, for error messages.

    Raises
    ------
    UserError
        A key is missing or unknown, or a configuration stands there twice.
    """
    found: list[dict[str, Any]] = []
    for place, config in enumerate(given):
        where = f"search.start: configuration {place + 1}"
        made = _like_drawn(config, drawn, where, source)
        if made in found:
            raise UserError(f"{where} is the same as {found.index(made) + 1}; leave one out")
        found.append(made)
    return found


def _like_drawn(
    config: Mapping[str, Any], drawn: Sequence[Mapping[str, Any]], where: str, source: str
) -> dict[str, Any]:
    names = list(dict.fromkeys(name for draw in drawn for name in draw))
    for name in config:
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            hint = f"did you mean '{near[0]}'?" if near else f"it gives {', '.join(names)}"
            raise UserError(f"{where} has the key '{name}', which get_config never gives; {hint}")
    made = {}
    for name in names:
        values = [draw[name] for draw in drawn if name in draw]
        optional = len(values) < len(drawn)
        if name in config and not (config[name] == "" and optional and None not in values):
            made[name] = _value(config[name], values)
        elif not optional:
            raise UserError(f"{where} lacks the key '{name}', which get_config in {source} gives")
    return made


def _value(value: Any, values: Sequence[Any]) -> Any:
    """A value of a table by the type of the draws' values; any other as it is."""
    if not isinstance(value, str) or value in values:
        return value
    if value == "" and None in values:
        return None
    if all(isinstance(v, bool) for v in values) and value in ("0", "1"):
        return value == "1"
    if any(isinstance(v, str) for v in values):
        return value
    try:
        read = json.loads(value)
    except ValueError:
        return value
    is_whole = isinstance(read, int) and not isinstance(read, bool)
    return float(read) if is_whole and all(isinstance(v, float) for v in values) else read
