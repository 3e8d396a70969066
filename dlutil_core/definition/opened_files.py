"""Says when a loader reads a file that the config does not name for its stage.

Snakemake cannot see what a loader opens. Python's own file opening can be watched (an audit hook,
PEP 578); what C libraries such as HDF5 open cannot.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from dlutil_core.common.logs import log

_named: dict[str, set[str]] = {}
_seen: set[str] | None = None
_installed = False


def name_files(folder: str, files: list[str]) -> None:
    """Say which files under `folder` a stage is known to read; without this nothing is watched."""
    _named[os.path.abspath(folder)] = {os.path.abspath(f) for f in files}


def _hook(event: str, arguments: tuple[object, ...]) -> None:
    if event == "open" and _seen is not None and isinstance(arguments[0], (str, bytes)):
        _seen.add(os.path.abspath(os.fsdecode(arguments[0])))


@contextmanager
def watched_files(function: str, folder: str) -> Iterator[None]:
    """Watch what is opened under `folder`; warn of files that were not named."""
    global _installed, _seen
    root = os.path.abspath(folder)
    if root not in _named:
        yield
        return
    if not _installed:
        sys.addaudithook(_hook)
        _installed = True
    _seen = set()
    try:
        yield
    finally:
        opened, _seen = _seen, None
    for path in sorted(opened - _named[root]):
        if path.startswith(root + os.sep) and os.path.isfile(path):
            log.warning(
                "warning: %s read %s, which data_files does not name: a change of it will not be "
                "noticed",
                function,
                os.path.relpath(path, root),
            )
