"""The source of a trained model: `best/definition/` holds `def.py` and its local modules.

They are executed apart from all other definitions of the process: a module `nets` of the kept
source and a module `nets` beside the present `def.py` are two modules.
"""

from __future__ import annotations

import builtins
import json
import os
import shutil
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

from dlutil_core.common.errors import UserError
from dlutil_core.common.files import read_json, write_text
from dlutil_core.definition.executed import Definition
from dlutil_core.definition.open_events import INSTALLED
from dlutil_core.fingerprint.analysis import analyse

ENTRY = "entry.json"
"""Names the definition among the kept files."""

SMALL = 10**6
"""Bytes of a file that is kept with the source at most: a list of names, not data."""

_turn = threading.RLock()


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


class KeptSource:
    """A kept definition, executed apart.

    Parameters
    ----------
    path
        The `def.py`; it and the folder that it lies in are all that its imports find beside what
        is installed.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._folder = str(path.resolve().parent)
        self._tops = {"dlutil_definition", *_top_names(path.resolve().parent)}
        self._modules: dict[str, Any] = {}
        self._builtins = {**vars(builtins), "__import__": self._import}
        self._depth = 0
        with self.modules():
            self.definition = Definition(path, self._builtins)
        sys.modules.setdefault("dlutil_definition", self.definition.module)

    @contextmanager
    def modules(self) -> Iterator[None]:
        """Meanwhile, its modules are the ones that go by their names."""
        with _turn:
            self._depth += 1
            try:
                if self._depth > 1:
                    yield
                else:
                    with self._swapped():
                        yield
            finally:
                self._depth -= 1

    @contextmanager
    def _swapped(self) -> Iterator[None]:
        hidden = self._taken()
        sys.modules.update(self._modules)
        path = list(sys.path)
        sys.path.insert(0, self._folder)
        sys.meta_path.insert(0, self)  # type: ignore[arg-type]
        try:
            yield
        finally:
            self._modules = self._taken()
            sys.modules.update(hidden)
            sys.path[:] = path
            sys.meta_path[:] = [finder for finder in sys.meta_path if finder is not self]

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        """Find a kept module (PEP 451); what it imports later, in functions, is found here too."""
        if name.partition(".")[0] not in self._tops:
            return None
        spec = PathFinder.find_spec(name, [self._folder] if path is None else path)
        execute = getattr(spec and spec.loader, "exec_module", None)
        if spec is not None and execute is not None:

            def exec_module(module: Any) -> None:
                vars(module)["__builtins__"] = self._builtins
                execute(module)

            spec.loader.exec_module = exec_module  # type: ignore[method-assign,union-attr]
        return spec

    def _taken(self) -> dict[str, Any]:
        """The present modules of these names; they are out of `sys.modules` afterwards."""
        names = [n for n in list(sys.modules) if n.partition(".")[0] in self._tops]
        return {name: sys.modules.pop(name) for name in names}

    def _import(
        self, name: str, names: Any = None, own: Any = None, wanted: Any = (), level: int = 0
    ) -> Any:
        """What `import` does in kept code, whenever it runs."""
        if not level and name.partition(".")[0] not in self._tops:
            return builtins.__import__(name, names, own, wanted, level)
        with self.modules():
            return builtins.__import__(name, names, own, wanted, level)


def _top_names(folder: Path) -> set[str]:
    found = set()
    for path in folder.iterdir():
        if path.is_dir() or path.suffix in (".py", ".pyc", ".so"):
            found.add(path.name.partition(".")[0])
    return {name for name in found if not _is_installed(name)} - {"__pycache__", "dlutil_core"}


def _is_installed(name: str) -> bool:
    """Whether an installed module of this name is imported: a file cannot hide it any more."""
    module = sys.modules.get(name)
    if module is None:
        return False
    origin = str(getattr(module.__spec__, "origin", None))
    return origin in ("frozen", "built-in") or origin.startswith(INSTALLED)
