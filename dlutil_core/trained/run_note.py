"""What a run wrote down of itself (`logs/run.json`): the one place that looks it up."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from dlutil_core.common.errors import UserError
from dlutil_core.common.files import read_json
from dlutil_core.common.result_folder import RUN_NOTE


def noted_definition(result: str | os.PathLike[str]) -> str:
    """Where the run that worked in a result folder last found its `def.py`.

    Raises
    ------
    UserError
        The folder holds no note of a run.
    """
    note = Path(result, RUN_NOTE)
    if not note.is_file():
        raise UserError(f"{note}: there is no such file; give the path of def.py")
    return os.path.join(result, read_json(note)["definition"])


def noted_config(result: str | os.PathLike[str]) -> dict[str, Any] | None:
    """The config of the run that worked in a result folder last; `None` where it is not known."""
    try:
        config = read_json(Path(result, RUN_NOTE))["config"]
    except (UserError, KeyError, TypeError):
        return None
    return config if isinstance(config, dict) else None


def noted_data(result: str | os.PathLike[str]) -> Path | None:
    """The data folder of that run, as seen from where the result folder is now."""
    config = noted_config(result)
    if config is None or not {"data", "result"} <= config.keys():
        return None
    return Path(result, os.path.relpath(config["data"], config["result"]))


def noted_genome(result: str | os.PathLike[str]) -> str | None:
    """The genome of that run, as seen from where the result folder is now."""
    config = noted_config(result) or {}
    genome = (config.get("preprocess") or {}).get("genome")
    if not genome or "result" not in config:
        return None
    return os.path.join(result, os.path.relpath(genome, config["result"]))
