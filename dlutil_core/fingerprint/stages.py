"""What each stage reaches, as a hash.

A stage reaches the definitions of its root names, the names that these read, and so on through the
module; whole local modules where it reaches what they were imported as; and always the units that
act, of `def.py` and of every module that importing `def.py` runs, with what they reach.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from dlutil_core.common.hashes import sha256_text
from dlutil_core.fingerprint.dynamic import ANY, ATTRIBUTE, hooks_classes, reads_docstrings
from dlutil_core.fingerprint.sources import Library, Source
from dlutil_core.fingerprint.syntax import IDENTIFIER, canonical
from dlutil_core.fingerprint.units import MODULE_HOOKS, Reference, Unit, is_inert

# Raised when equal code must count as changed, because hashes are computed in another way.
VERSION = "dlutil fingerprint 1"
ROOTS = {
    "train": ("get_train_generator", "get_val_generator", "get_config", "Model"),
    "test": ("get_test_generator", "Model"),
    "baseline": ("get_train_generator", "get_val_generator", "get_test_generator", "Model"),
    "predict": ("get_pred_generator", "save_prediction", "Model"),
}
ASKED = frozenset(name for names in ROOTS.values() for name in names)


@dataclass(frozen=True)
class Reach:
    """Units of a module, and the imports in them."""

    units: frozenset[Unit]

    @property
    def references(self) -> list[Reference]:
        """Imports anywhere in the units."""
        return [r for unit in self.units for r in unit.references]


class Reader:
    """Follows names and imports from `def.py`.

    Parameters
    ----------
    library : Library
        Where local modules are found; holds those that were read afterwards.
    definition : Source
        `def.py`.
    """

    def __init__(self, library: Library, definition: Source) -> None:
        self.library = library
        self.definition = definition
        self._discover()
        modules = [definition, *library.sources.values()]
        self.class_hooks = any(hooks_classes(m.body) for m in modules)
        self.keep_docstrings = any(reads_docstrings(m.body) for m in modules)
        self.opaque = self._opaque()
        for module in modules:
            self._mark_unread(module)
        self.effects = self._effects()
        self.acting = self._acting()

    def fingerprints(self) -> dict[str, str]:
        """The hash of each stage."""
        if self.opaque:
            everything = sha256_text("\n".join(self._everything()))
            return dict.fromkeys(ROOTS, everything)
        return {stage: sha256_text("\n".join(self._stage(roots))) for stage, roots in ROOTS.items()}

    def _discover(self) -> None:
        """Read every local module that may be imported, and what these import."""
        folders: list[Path] = []
        while folders != self.library.folders:  # a module may add to sys.path
            folders = list(self.library.folders)
            self._discover_once()

    def _discover_once(self) -> None:
        """Ask for every import once."""
        pending = [self.definition]
        seen = set()
        while pending:
            source = pending.pop()
            names = [m for u in source.units for r in u.references for m in r.modules]
            if any(use.kind == ANY for use in source.uses):
                names.extend(module_like_texts(source))
            for name in names:
                for module in self.library.find(name):
                    if module not in seen:
                        seen.add(module)
                        pending.append(self.library.sources[module])

    def _opaque(self) -> str:
        """Why all stages share one fingerprint; empty where they do not."""
        for use in self.definition.uses:
            return f"line {use.line} {use.phrase}"
        for name in sorted(self.library.sources):
            source = self.library.sources[name]
            for use in source.uses:
                if use.kind == ANY:
                    return f"{source.path.name} line {use.line} {use.phrase}"
        return ""

    def _mark_unread(self, source: Source) -> None:
        """Make imports whose names nothing reads act: they are there for their effects.

        In local modules, other local ones are not among them: a package's `__init__` imports
        names for others to read, and what acts in them is found anyway.
        """
        read = source.read | ASKED | {"*"}
        for number, unit in enumerate(source.units):
            if not unit.is_import or unit.binds & read:
                continue
            local = bool(self._local(unit.references))
            if (source is self.definition) if local else not is_inert(unit):
                source.units[number] = replace(unit, acts=True)

    def _local(self, references: Iterable[Reference]) -> list[str]:
        """The local modules that imports run, packages before what is in them."""
        names = (m for r in references for name in r.modules for m in self.library.find(name))
        return list(dict.fromkeys(names))

    def _acts(self, unit: Unit) -> bool:
        """Whether a unit belongs to every stage."""
        return unit.acts or (self.class_hooks and isinstance(unit.node, ast.ClassDef))

    def _reach(self, units: Sequence[Unit], roots: Iterable[str]) -> Reach:
        """The units that `roots` and the units that act reach within a module."""
        binders: dict[str, list[Unit]] = {}
        for unit in units:
            for name in unit.binds:
                binders.setdefault(name, []).append(unit)
        classes = {n for n, found in binders.items() if any(is_class(u) for u in found)}
        defined = {n for n, found in binders.items() if any(u.is_definition for u in found)}
        names = [*roots, *MODULE_HOOKS]
        pending = [u for u in units if self._acts(u)]
        pending += [u for name in names for u in binders.get(name, [])]
        chosen: set[Unit] = set()
        while pending:
            unit = pending.pop()
            if unit in chosen:
                continue
            chosen.add(unit)
            reached = set(unit.reads) | (unit.strings & classes)
            if unit.unpickles:
                reached |= defined - ASKED
            for name in reached:
                pending.extend(binders.get(name, []))
                if name.startswith("__"):  # mangled inside a class
                    mangled = (b for b in binders if b.startswith("_") and b.endswith(name))
                    pending.extend(u for b in mangled for u in binders[b])
        return Reach(frozenset(chosen))

    def _loaded(self) -> list[str]:
        """Local modules that importing `def.py` runs, in the order in which they end."""
        order: list[str] = []
        seen: set[str] = set()

        def enter(source: Source) -> Iterator[str]:
            for unit in source.units:
                yield from self._local(unit.loads)

        stack: list[tuple[str, Iterator[str]]] = [("", enter(self.definition))]
        while stack:
            name, following = stack[-1]
            child = next(following, None)
            if child is None:
                stack.pop()
                order.append(name)
            elif child not in seen:
                seen.add(child)
                stack.append((child, enter(self.library.sources[child])))
        return order[:-1]

    def _effects(self) -> dict[str, Reach]:
        """What acts in local modules when `def.py` is imported, in the order of loading."""
        effects: dict[str, Reach] = {}
        for name in self._loaded():
            source = self.library.sources[name]
            reach = self._reach(source.units, ())
            hidden = any(use.kind != ATTRIBUTE for use in source.uses)
            if reach.units and hidden:  # what it reaches cannot be followed
                reach = Reach(frozenset(source.units))
            if reach.units:
                effects[name] = reach
        return effects

    def _acting(self) -> set[str]:
        """Local modules that act when they are loaded, or load some that do."""
        acting = set(self.effects)
        for name in self._loaded():  # what a module loads stands before it, but for cycles
            for unit in self.library.sources[name].units:
                if acting.intersection(self._local(unit.loads)):
                    acting.add(name)
        return acting

    def _whole(self, references: Iterable[Reference]) -> list[str]:
        """Local modules that imports reach, with all that those import; sorted."""
        found: set[str] = set()
        pending = list(references)
        while pending:
            item = pending.pop()
            names = self._local([item])
            for name in item.objects:  # a package as an object: its modules are attributes
                if name in self.library.packages:
                    names += [m for m in self.library.sources if m.startswith(f"{name}.")]
            for name in names:
                if name not in found:
                    found.add(name)
                    for unit in self.library.sources[name].units:
                        pending.extend(unit.references)
        return sorted(found)

    def _stage(self, roots: Iterable[str]) -> Iterator[str]:
        """The text of what a stage reaches."""
        reach = self._reach(self.definition.units, roots)
        yield VERSION
        yield from self._text(self.definition, reach)
        references = list(reach.references)
        for effect in self.effects.values():
            references += effect.references
        whole = self._whole(references)
        yield from self._modules(whole)
        for name, effect in self.effects.items():
            if name not in whole:
                yield f"effects of {name}"
                yield from self._text(self.library.sources[name], effect)

    def _everything(self) -> Iterator[str]:
        """The text of `def.py` and all local modules."""
        yield VERSION
        yield from self._text(self.definition, Reach(frozenset(self.definition.units)))
        yield from self._modules(sorted(self.library.sources))

    def _modules(self, names: Iterable[str]) -> Iterator[str]:
        """The text of whole modules."""
        for name in names:
            source = self.library.sources[name]
            yield f"module {name} {source.content}"
            yield from self._text(source, Reach(frozenset(source.units)))

    def _text(self, source: Source, reach: Reach) -> Iterator[str]:
        """The text of a module's units, in an order that formatters of imports keep.

        Between two units that act, imports and plain functions whose names are bound once may
        stand in any order; other units stay where they are.
        """
        counts = Counter(name for unit in source.units for name in unit.binds)
        loose: list[str] = []
        fixed: list[str] = []
        for unit in source.units:
            acting = [name for name in self._local(unit.loads) if name in self.acting]
            if acting or (self._acts(unit) and not unit.is_import):
                yield from (*sorted(loose), *fixed)
                loose, fixed = [], []
                if unit in reach.units:
                    yield canonical(unit.node, self.keep_docstrings)
                else:
                    yield f"loads {' '.join(acting)}"
            elif unit in reach.units:
                once = all(counts[name] == 1 for name in unit.binds)
                part = loose if unit.loose and once else fixed
                part.append(canonical(unit.node, self.keep_docstrings))
        yield from (*sorted(loose), *fixed)


def is_class(unit: Unit) -> bool:
    """Whether a unit is a class with bases, which these may register under its name."""
    return isinstance(unit.node, ast.ClassDef) and bool(unit.node.bases)


def module_like_texts(source: Source) -> list[str]:
    """Texts in a module that may name another one, for imports by name."""
    texts = (t.lstrip(".") for unit in source.units for t in unit.strings)
    return sorted(t for t in texts if t and all(map(IDENTIFIER.fullmatch, t.split("."))))
