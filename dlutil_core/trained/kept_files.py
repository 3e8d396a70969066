"""The files of a trained model's source, in `best/definition/`: `def.py`, its local modules."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from dlutil_core.common.errors import UserError
from dlutil_core.common.files import read_json, write_text
from dlutil_core.fingerprint.analysis import analyse

ENTRY = "entry.json"
"""Names the definition among the kept files."""

SMALL = 10**6
"""Bytes of a file that is kept with the source at most: a list of names, not data."""


def keep_definition(source: Path, out: Path, read: Iterable[Path] = ()) -> list[str]:
    """Copy `def.py` and the local modules that it imports, as they are now, into a folder.

    Parameters
    ----------
    source
        The `def.py`; it keeps its file name.
    out
        The folder; what it held before is replaced as a whole.
    read
        Files that it reads. Small ones in its folder are kept too, since it may find them there by
        its own place.

    Returns
    -------
    The names of the files below `out`, the definition's first.
    """
    building = out.with_name(f".{out.name}.{os.getpid()}.tmp")
    shutil.rmtree(building, ignore_errors=True)
    try:
        kept = copy_definition(source, building, read)
        names = [str(path.relative_to(building)) for path in kept]
        write_text(building / ENTRY, json.dumps({"definition": names[0]}) + "\n")
        shutil.rmtree(out, ignore_errors=True)
        building.rename(out)
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return names


def copy_definition(source: Path, out: Path, read: Iterable[Path] = ()) -> list[Path]:
    """Copy `def.py` and its local modules to a new folder; where they are now, `def.py` first."""
    out.mkdir(parents=True)
    full = source.resolve()
    # Under the name that it goes by here, which a link may have given it.
    places = {out / source.name: full}
    for path in analyse(source, search_path()).local_files:
        places.setdefault(out / _place(path, full.parent), path)
    for path in map(Path, read):
        if path.is_relative_to(full.parent) and path.is_file() and path.stat().st_size <= SMALL:
            places.setdefault(out / path.relative_to(full.parent), path)
    for target, path in places.items():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    return list(places)


def search_path() -> list[str]:
    """Folders in which modules are local, beside that of `def.py`."""
    return [p for p in os.environ.get("PYTHONPATH", "").split(os.pathsep) if p]


def _place(path: Path, home: Path) -> Path:
    """Where a module goes: its place beside `def.py`, or below its outermost package's folder."""
    if path.is_relative_to(home):
        return path.relative_to(home)
    root = path.parent
    while (root / "__init__.py").is_file():
        root = root.parent
    return path.relative_to(root)


def kept_source(best: Path) -> Path | None:
    """The `def.py` that a folder `best` keeps; `None` where it keeps none."""
    entry = best / "definition" / ENTRY
    if not entry.is_file():
        return None
    found = read_json(entry)
    name = found.get("definition") if isinstance(found, dict) else None
    if not isinstance(name, str) or os.path.basename(name) != name:
        raise UserError(f"{entry}: names no file beside it; select the best model again")
    path = entry.with_name(name)
    if not path.is_file() or not path.resolve().is_relative_to(entry.parent.resolve()):
        raise UserError(f"{path}: there is no such file; copy the whole folder {best}")
    return path
