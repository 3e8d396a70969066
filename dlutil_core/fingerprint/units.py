"""Module-level statements as units: what each binds, reads and imports, and whether it acts.

A unit acts when running it can change more than the names that it binds: any statement but a plain
definition, import or call-free assignment. Units that act belong to every stage.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from dlutil_core.fingerprint.syntax import (
    FUNCTIONS,
    annotation_parts,
    bound_names,
    dotted,
    evaluated_outside,
    free_names,
    imported_name,
    is_docstring,
)

# Decorators of methods that only wrap: with another, the class acts.
QUIET_DECORATORS = {
    *("property", "staticmethod", "classmethod", "abstractmethod", "abc.abstractmethod"),
    *("cached_property", "functools.cached_property", "override", "typing.override"),
    *("torch.no_grad", "torch.enable_grad", "torch.inference_mode"),
}
QUIET_SUFFIXES = (".setter", ".getter", ".deleter")
UNPICKLERS = {"pickle", "cPickle", "cloudpickle", "dill", "joblib", "shelve", "read_pickle"}
# Packages that dlutil imports itself.
INERT = {"dlutil_core", "h5py", "numpy", "pandas", "scipy", "sklearn", "torch"}
# Names that Python itself looks up in a module.
MODULE_HOOKS = ("__getattr__", "__dir__")


@dataclass(frozen=True)
class Reference:
    """Modules that an import runs, by absolute names, and the objects that it binds.

    `modules` may hold names that are no modules (`m.x` of `from m import x`).
    """

    modules: tuple[str, ...]
    objects: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Unit:
    """A module-level statement, or one name of an import.

    Attributes
    ----------
    acts : bool
        Belongs to every stage.
    loose : bool
        Its place among its neighbours is immaterial, if nothing else binds its name.
    references : tuple of Reference
        Imports anywhere inside it.
    strings : frozenset of str
        Texts in it, docstrings left out.
    unpickles : bool
        Can create objects of any class of the module without naming it.
    """

    node: ast.stmt
    binds: frozenset[str]
    reads: frozenset[str]
    references: tuple[Reference, ...]
    strings: frozenset[str]
    acts: bool
    loose: bool
    unpickles: bool

    @property
    def is_import(self) -> bool:
        """Whether it is a plain import, which runs its modules but nothing else."""
        return isinstance(self.node, (ast.Import, ast.ImportFrom))

    @property
    def is_definition(self) -> bool:
        """Whether it is a function or class."""
        return isinstance(self.node, (*FUNCTIONS, ast.ClassDef))

    @property
    def loads(self) -> tuple[Reference, ...]:
        """Imports that may run when the unit does; those in a plain function wait for its call."""
        return () if self.is_definition and not self.acts else self.references


def running_statements(body: Sequence[ast.stmt]) -> list[ast.stmt]:
    """Module-level statements that run in an import: `if __name__ == "__main__"` left out."""
    statements: list[ast.stmt] = []
    pending = list(reversed(body))
    while pending:
        statement = pending.pop()
        if isinstance(statement, ast.If) and tests_for_main(statement.test):
            pending.extend(reversed(statement.orelse))
        else:
            statements.append(statement)
    return statements


def tests_for_main(test: ast.expr) -> bool:
    """Whether an expression is `__name__ == "__main__"`, either way round."""
    if not (isinstance(test, ast.Compare) and len(test.ops) == 1):
        return False
    sides = (test.left, test.comparators[0])
    named = any(isinstance(s, ast.Name) and s.id == "__name__" for s in sides)
    main = any(isinstance(s, ast.Constant) and s.value == "__main__" for s in sides)
    return isinstance(test.ops[0], ast.Eq) and named and main


def split(body: Sequence[ast.stmt], package: str) -> list[Unit]:
    """The units of a module in order.

    Parameters
    ----------
    body : list of statements
        As `running_statements` returns them.
    package : str
        The package that relative imports start from; empty at the top.
    """
    units: list[Unit] = []
    for statement in body:
        if isinstance(statement, (ast.Import, ast.ImportFrom)):
            units.extend(import_unit(s, package) for s in one_name_each(statement))
        elif not (is_docstring(statement) or isinstance(statement, ast.Pass)):
            units.append(statement_unit(statement, package))
    return units


def one_name_each(statement: ast.Import | ast.ImportFrom) -> Iterator[ast.Import | ast.ImportFrom]:
    """`import a, b` as `import a` and `import b`."""
    for alias in statement.names:
        if isinstance(statement, ast.Import):
            yield ast.copy_location(ast.Import([alias]), statement)
        else:
            yield ast.copy_location(
                ast.ImportFrom(statement.module, [alias], statement.level), statement
            )


def import_unit(statement: ast.Import | ast.ImportFrom, package: str) -> Unit:
    """A unit of one imported name."""
    future = isinstance(statement, ast.ImportFrom) and statement.module == "__future__"
    return Unit(
        node=statement,
        binds=frozenset(imported_name(a) for a in statement.names),
        reads=frozenset(),
        references=(reference(statement, package),),
        strings=frozenset(),
        acts=future,
        loose=True,
        unpickles=unpickles(statement),
    )


def reference(statement: ast.Import | ast.ImportFrom, package: str) -> Reference:
    """What an import runs and binds, by absolute names."""
    if isinstance(statement, ast.Import):
        modules = tuple(a.name for a in statement.names)
        objects = (a.name if a.asname else a.name.split(".")[0] for a in statement.names)
        return Reference(modules, tuple(objects))
    base = statement.module or ""
    if statement.level:
        # Each dot after the first is one package up.
        parts = package.split(".") if package else []
        kept = parts[: max(0, len(parts) - statement.level + 1)]
        base = ".".join([*kept, base] if base else kept)
    members = tuple(f"{base}.{a.name}".lstrip(".") for a in statement.names)
    return Reference((*([base] if base else []), *members), members)


def statement_unit(statement: ast.stmt, package: str) -> Unit:
    """A unit of any statement but an import."""
    nodes = list(ast.walk(statement))
    docstrings = {id(n.value) for n in nodes if isinstance(n, ast.Expr)}
    strings = {
        n.value
        for n in nodes
        if isinstance(n, ast.Constant) and isinstance(n.value, str) and id(n) not in docstrings
    }
    imports = [n for n in nodes if isinstance(n, (ast.Import, ast.ImportFrom))]
    binds = bound_names([statement])
    reads = free_names(statement)
    return Unit(
        node=statement,
        binds=frozenset(binds),
        reads=frozenset(reads),
        references=tuple(reference(n, package) for n in imports),
        strings=frozenset(strings),
        acts=acts(statement) or bool(binds.intersection(MODULE_HOOKS)),
        loose=isinstance(statement, FUNCTIONS) and not looks_up(evaluated_outside(statement)),
        unpickles=any(unpickles(n) for n in nodes),
    )


def looks_up(parts: Iterable[ast.AST]) -> bool:
    """Whether any of the parts reads a name."""
    return any(free_names(part) for part in parts)


def unpickles(node: ast.AST) -> bool:
    """Whether a node names what loads pickles."""
    if isinstance(node, ast.Name):
        return node.id in UNPICKLERS
    if isinstance(node, ast.Attribute):
        return node.attr in UNPICKLERS
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        module = node.module if isinstance(node, ast.ImportFrom) else None
        return bool(UNPICKLERS.intersection([module, *(a.name for a in node.names)]))
    if isinstance(node, ast.keyword):
        value = getattr(node.value, "value", None)
        return (node.arg, value) in (("allow_pickle", True), ("weights_only", False))
    return False


def is_inert(unit: Unit) -> bool:
    """Whether an import runs nothing that dlutil or Python does not run anyway.

    So that an edit which leaves `import glob` behind without a reader does not change every stage.
    """
    for name in unit.references[0].modules:
        first, *rest = name.split(".")
        if first not in sys.stdlib_module_names and first not in INERT:
            return False
        # `sklearn.experimental` is imported for its effects, and private modules may be.
        if any(part == "experimental" or part.startswith("_") for part in rest):
            return False
    return True


def names_read(body: Iterable[ast.stmt]) -> set[str]:
    """Names of the module that anything in it reads, what never runs included."""
    return {name for statement in body for name in free_names(statement)}


def acts(statement: ast.stmt) -> bool:
    """Whether a statement is other than a plain definition or call-free assignment."""
    if isinstance(statement, FUNCTIONS):
        return bool(statement.decorator_list) or any(map(calls, evaluated_outside(statement)))
    if isinstance(statement, ast.ClassDef):
        return class_acts(statement)
    if isinstance(statement, ast.Assign):
        return not all(map(is_name, statement.targets)) or calls(statement.value)
    if isinstance(statement, ast.AnnAssign):
        parts = [p for p in (statement.value, statement.annotation) if p is not None]
        return not is_name(statement.target) or any(map(calls, parts))
    # Python 3.12's `type X = …` is evaluated when it is asked for.
    return type(statement).__name__ != "TypeAlias"


def class_acts(statement: ast.ClassDef) -> bool:
    """Whether a class statement can do more than bind its name."""
    if statement.decorator_list or statement.keywords or any(map(calls, statement.bases)):
        return True
    for part in statement.body:
        if isinstance(part, FUNCTIONS):
            defaults = [*part.args.defaults, *filter(None, part.args.kw_defaults)]
            quiet = all(map(is_quiet, part.decorator_list))
            if not quiet or any(map(calls, [*defaults, *annotation_parts(part)])):
                return True
        elif not (is_docstring(part) or isinstance(part, ast.Pass)) and acts(part):
            return True
    return False


def is_quiet(decorator: ast.expr) -> bool:
    """Whether a decorator of a method only wraps it."""
    if isinstance(decorator, ast.Call) and not decorator.args and not decorator.keywords:
        decorator = decorator.func
    name = dotted(decorator)
    return name in QUIET_DECORATORS or (name.count(".") == 1 and name.endswith(QUIET_SUFFIXES))


def is_name(target: ast.expr) -> bool:
    """Whether an assignment's target is a name, or names taken apart."""
    if isinstance(target, (ast.Tuple, ast.List)):
        return all(map(is_name, target.elts))
    return (
        is_name(target.value) if isinstance(target, ast.Starred) else isinstance(target, ast.Name)
    )


def calls(expression: ast.AST) -> bool:
    """Whether evaluating an expression calls something; the body of a lambda waits."""
    stack = [expression]
    while stack:
        node = stack.pop()
        if isinstance(node, (ast.Call, ast.Await, ast.Yield, ast.YieldFrom)):
            return True
        if isinstance(node, ast.Lambda):
            stack.extend(evaluated_outside(node))
        else:
            stack.extend(ast.iter_child_nodes(node))
    return False
