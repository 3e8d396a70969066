"""`get_config` of a `def.py` run by itself, so that planning a search need not import torch.

What `get_config` reaches is known from the fingerprint's reading of the file. Where that is plain
Python, running it alone gives what running the whole file gives, thirty times as fast. Wherever
there is a doubt the whole file is run.
"""

from __future__ import annotations

import ast
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dlutil_core.fingerprint.sources import Library
from dlutil_core.fingerprint.stages import Reader
from dlutil_core.fingerprint.units import Unit

QUIET_MODULES = {
    *("__future__", "collections", "copy", "dataclasses", "enum", "fractions", "functools"),
    *("itertools", "json", "math", "numbers", "numpy", "operator", "os", "pathlib", "random"),
    *("re", "statistics", "string", "typing"),
}
"""Modules that code may use and still be run alone: they act on nothing by being imported."""


def get_config_alone(path: str) -> Callable[[], Any] | None:
    """The function `get_config` of this file without the rest of it; `None` where there is doubt.

    Parameters
    ----------
    path
        A `def.py` that the fingerprint has read before, so that it is known to be Python.
    """
    home = Path(path).resolve().parent
    library = Library(home, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    reader = Reader(library, library.read_definition(Path(path)))
    units = reader.standalone(["get_config"])
    if units is None or not all(_is_quiet(unit) for unit in units):
        return None
    body = ast.fix_missing_locations(ast.Module([unit.node for unit in units], []))
    names: dict[str, Any] = {"__name__": "dlutil_definition", "__file__": str(Path(path).resolve())}
    try:
        exec(compile(body, path, "exec"), names)
    except Exception:
        return None
    found = names.get("get_config")
    return found if callable(found) else None


def _is_quiet(unit: Unit) -> bool:
    modules = (name for reference in unit.references for name in reference.modules)
    return all(name.partition(".")[0] in QUIET_MODULES for name in modules)
