"""The source of a trained model: `best/definition/` holds `def.py` and its local modules.

They are executed apart from all other definitions of the process: a module `nets` of the kept
source and a module `nets` beside the present `def.py` are two modules.
"""

from __future__ import annotations

import builtins
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

from dlutil_core.definition.executed import Definition
from dlutil_core.definition.open_events import INSTALLED

_turn = threading.RLock()


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
