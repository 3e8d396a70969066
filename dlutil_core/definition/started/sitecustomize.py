"""Runs when a Python process starts whose parent records what is read; see `open_events`.

This folder is in front of `PYTHONPATH` while reads are recorded. It leaves `sys.path` at once, and
the `sitecustomize` of the user or of the environment, which it hides, runs as it would have. No
trouble in here may show in the process.
"""

import os
import sys
from contextlib import suppress


def _join() -> None:
    import importlib
    import importlib.util

    here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    # A package of another name: what the process itself imports of dlutil is none of our business.
    spec = importlib.util.spec_from_file_location(
        "_dlutil_reads", os.path.join(here, "__init__.py"), submodule_search_locations=[here]
    )
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    importlib.import_module("_dlutil_reads.open_events").join(os.environ["DLUTIL_READS"])


def _leave_path() -> None:
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [p for p in sys.path if os.path.abspath(p) != here]


def _run_hidden() -> None:
    from importlib.machinery import PathFinder
    from importlib.util import module_from_spec

    spec = PathFinder.find_spec("sitecustomize", sys.path)
    if spec is not None and spec.loader is not None:
        module = module_from_spec(spec)
        sys.modules["sitecustomize"] = module
        spec.loader.exec_module(module)


_leave_path()
if os.environ.get("DLUTIL_READS"):
    with suppress(Exception):
        _join()
_run_hidden()
