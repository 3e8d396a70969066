"""Code whose names cannot be followed, and the environment variables that code names."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from dlutil_core.fingerprint.syntax import dotted

ATTRIBUTE, OWN, ANY = "attribute", "own", "any"
ATTRIBUTE_CALLS = {"getattr", "setattr", "delattr"}
# Reach the names of the module they stand in …
OWN_NAMES = {"globals", "vars", "locals"}
# … or of any module.
ANY_NAMES = {"exec", "eval", "__import__", "__builtins__", "__loader__", "__spec__"}
MODULES = {"importlib", "imp", "runpy", "pkgutil", "zipimport", "builtins"}
SYS_MEMBERS = {"modules", "meta_path", "path_hooks", "path_importer_cache", "__dict__"}
ATTRIBUTES = {
    *("__globals__", "__builtins__", "f_globals", "f_locals", "f_back", "_getframe"),
    *("_current_frames", "currentframe", "getmodule", "get_objects", "get_referrers"),
}
# Code that runs when a class is made from another, or that finds classes nobody names.
CLASS_HOOKS = {
    *("__init_subclass__", "__subclasses__", "__set_name__", "__prepare__", "__mro_entries__"),
    *("with_metaclass", "add_metaclass"),
}
VARIABLE = re.compile(r"\$(\w+)|\$\{(\w+)\}")


@dataclass(frozen=True, order=True)
class Use:
    """A use of something that hides names.

    Attributes
    ----------
    line : int
    phrase : str
        Such as "uses exec".
    kind : str
        What it may reach without naming it: an `ATTRIBUTE` of an object, the names of its `OWN`
        module, or those of `ANY` module.
    """

    line: int
    phrase: str
    kind: str

    @property
    def binds(self) -> bool:
        """Whether it may bind names of the module."""
        return self.kind != ATTRIBUTE or "setattr" in self.phrase


def module_aliases(body: Iterable[ast.stmt], module: str) -> set[str]:
    """Names by which a module is imported anywhere in the statements."""
    names: set[str] = set()
    for node in walk_all(body):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name == module or (
                    alias.name.startswith(f"{module}.") and not alias.asname
                ):
                    names.add(alias.asname or module)
    return names


def member_aliases(body: Iterable[ast.stmt], module: str, member: str) -> set[str]:
    """Names by which a member of a module is imported anywhere in the statements."""
    return {
        alias.asname or alias.name
        for node in walk_all(body)
        if isinstance(node, ast.ImportFrom) and node.module == module and not node.level
        for alias in node.names
        if alias.name == member
    }


def walk_all(body: Iterable[ast.stmt]) -> Iterator[ast.AST]:
    """All nodes of the statements."""
    for statement in body:
        yield from ast.walk(statement)


def dynamic_uses(body: Sequence[ast.stmt]) -> list[Use]:
    """Uses of what hides names, in the order of lines."""
    system = module_aliases(body, "sys")
    nodes = list(walk_all(body))
    followed = {id(n.value) for n in nodes if isinstance(n, ast.Attribute)}
    literal = {id(n.func) for n in nodes if isinstance(n, ast.Call) and names_literally(n)}
    uses: set[Use] = set()
    for node in nodes:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            uses.update(import_uses(node))
        elif isinstance(node, ast.Name):
            if node.id in ATTRIBUTE_CALLS:
                if id(node) not in literal:
                    phrase = f"uses {node.id} with a computed name"
                    uses.add(Use(node.lineno, phrase, ATTRIBUTE))
            elif node.id in OWN_NAMES:
                uses.add(Use(node.lineno, f"uses {node.id}", OWN))
            elif node.id in ANY_NAMES:
                uses.add(Use(node.lineno, f"uses {node.id}", ANY))
            elif node.id in system and id(node) not in followed:
                uses.add(Use(node.lineno, "passes the module sys on", ANY))
        elif isinstance(node, ast.Attribute):
            owner = dotted(node.value)
            if node.attr in ATTRIBUTES:
                uses.add(Use(node.lineno, f"uses {node.attr}", ANY))
            elif owner in system and node.attr in SYS_MEMBERS:
                uses.add(Use(node.lineno, f"uses sys.{node.attr}", ANY))
    return sorted(uses)


def names_literally(call: ast.Call) -> bool:
    """Whether a call of getattr, setattr or delattr gives the attribute's name as a text."""
    if not isinstance(call.func, ast.Name) or call.func.id not in ATTRIBUTE_CALLS:
        return False
    if len(call.args) < 2 or any(isinstance(a, ast.Starred) for a in call.args[:2]):
        return False
    name = call.args[1]
    return isinstance(name, ast.Constant) and isinstance(name.value, str)


def import_uses(node: ast.Import | ast.ImportFrom) -> Iterator[Use]:
    """Star imports and imports of what hides names."""
    if isinstance(node, ast.Import):
        modules = [a.name for a in node.names]
    else:
        modules = [node.module or ""] if not node.level else []
        origin = "." * node.level + (node.module or "")
        for alias in node.names:
            if alias.name == "*":
                yield Use(node.lineno, f"imports * from {origin}", OWN)
            elif modules == ["sys"] and alias.name in SYS_MEMBERS:
                yield Use(node.lineno, f"uses sys.{alias.name}", ANY)
            elif alias.name in ATTRIBUTES:
                yield Use(node.lineno, f"uses {alias.name}", ANY)
    for module in modules:
        if module.split(".")[0] in MODULES:
            yield Use(node.lineno, f"uses {module.split('.')[0]}", ANY)


def hooks_classes(body: Iterable[ast.stmt]) -> bool:
    """Whether making a class may run code of the user's, or find classes that nobody names."""
    for node in walk_all(body):
        if isinstance(node, ast.keyword):
            custom = dotted(node.value) not in ("ABCMeta", "abc.ABCMeta")
            if node.arg == "metaclass" and custom:
                return True
        name = getattr(node, "attr", None) or getattr(node, "name", None)
        if (node.id if isinstance(node, ast.Name) else name) in CLASS_HOOKS:
            return True
    return False


def reads_docstrings(body: Iterable[ast.stmt]) -> bool:
    """Whether `__doc__` is named."""
    return any(
        getattr(n, "id", None) == "__doc__" or getattr(n, "attr", None) == "__doc__"
        for n in walk_all(body)
    )


def environment_names(body: Sequence[ast.stmt], constants: dict[str, str]) -> set[str]:
    """Names of environment variables that are read by a literal name.

    Parameters
    ----------
    body : list of statements
    constants : dict
        Names of the module that stand for one text.
    """
    systems = module_aliases(body, "os")
    mappings = {f"{s}.environ" for s in systems} | member_aliases(body, "os", "environ")
    for node in walk_all(body):
        if isinstance(node, ast.Assign) and dotted(node.value) in mappings:
            mappings.update(t.id for t in node.targets if isinstance(t, ast.Name))
    getters = {f"{s}.getenv" for s in systems} | member_aliases(body, "os", "getenv")
    getters |= {f"{m}.{method}" for m in mappings for method in ("get", "pop", "setdefault")}
    getters |= {f"{m}.__getitem__" for m in mappings}
    names: set[str] = set()
    for node in walk_all(body):
        keys: list[ast.expr | None] = []
        if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load):
            keys = [node.slice] if dotted(node.value) in mappings else []
        elif isinstance(node, ast.Call):
            called = dotted(node.func)
            if called in getters:
                keys = [*node.args[:1], *(k.value for k in node.keywords if k.arg == "key")]
            elif called.split(".")[-1] == "expandvars" and node.args:
                names.update(expanded_names(node.args[0]))
        elif isinstance(node, ast.Compare) and isinstance(node.ops[0], (ast.In, ast.NotIn)):
            keys = [node.left] if dotted(node.comparators[0]) in mappings else []
        for key in keys:
            if isinstance(key, ast.Constant) and isinstance(key.value, str):
                names.add(key.value)
            elif isinstance(key, ast.Name) and key.id in constants:
                names.add(constants[key.id])
    return names


def expanded_names(argument: ast.expr) -> set[str]:
    """Names of variables in the text that `os.path.expandvars` is given."""
    if not (isinstance(argument, ast.Constant) and isinstance(argument.value, str)):
        return set()
    return {plain or braced for plain, braced in VARIABLE.findall(argument.value)}


def text_constants(body: Iterable[ast.stmt]) -> dict[str, str]:
    """Names that the module assigns once, a text."""
    stores = [
        n.id for n in walk_all(body) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
    ]
    constants: dict[str, str] = {}
    for statement in body:
        if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Constant):
            for target in statement.targets:
                value = statement.value.value
                if isinstance(target, ast.Name) and isinstance(value, str):
                    constants[target.id] = value
    return {name: value for name, value in constants.items() if stores.count(name) == 1}
