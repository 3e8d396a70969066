"""Runs when a Python process starts whose parent records what is read; see `open_events`.

This folder is in front of `PYTHONPATH` while reads are recorded. It leaves `sys.path` at once, and
the `sitecustomize` of the user or of the environment, which it hides, runs as it would have. No
trouble in here may show in the process.
"""

import os
import sys


def _join() -> None:
    import importlib.util

    here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    spec = importlib.util.spec_from_file_location(
        "_dlutil_open_events", os.path.join(here, "open_events.py")
    )
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    module.join(os.environ["DLUTIL_READS"])


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
    try:
        _join()
    except Exception:
        sys.modules.pop("_dlutil_open_events", None)
_run_hidden()
