"""The folders that code adds to `sys.path`, where they can be read off it.

`sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))` is common beside a
`def.py`; modules found there count as local.
"""

from __future__ import annotations

import ast
import os
from collections.abc import Callable, Iterable
from pathlib import Path

from dlutil_core.fingerprint.dynamic import member_aliases, module_aliases, walk_all
from dlutil_core.fingerprint.syntax import dotted

Value = str | Path
FUNCTIONS: dict[str, Callable[..., Value]] = {
    **{f"path.{f.__name__}": f for f in (os.path.dirname, os.path.abspath, os.path.realpath)},
    **{f"path.{f.__name__}": f for f in (os.path.join, os.path.normpath, os.path.expanduser)},
    "getcwd": os.getcwd,
    "cwd": Path.cwd,
    "home": Path.home,
    "Path": Path,
    "PurePath": Path,
    "str": str,
    "fspath": str,
}
METHODS = {"resolve", "absolute", "expanduser", "as_posix", "joinpath"}


class Unreadable(Exception):
    """An expression whose value only running the code can tell."""


def added_folders(
    body: list[ast.stmt], file: Path, constants: dict[str, str]
) -> tuple[list[str], list[str], list[int]]:
    """Folders put before and after `sys.path`, and the lines of those that cannot be read."""
    paths = {f"{s}.path" for s in module_aliases(body, "sys")}
    paths |= member_aliases(body, "sys", "path")
    values = known_names(body, file, constants)
    first: list[str] = []
    last: list[str] = []
    unread: list[int] = []
    for node in walk_all(body):
        expressions, front = added_expressions(node, paths)
        for expression in expressions:
            try:
                folder = str(evaluate(expression, values))
            except (Unreadable, OSError, ValueError, TypeError, IndexError, RuntimeError):
                unread.append(node.lineno)  # type: ignore[attr-defined]
            else:
                (first if front else last).append(folder)
    return first[::-1], last, unread


def added_expressions(node: ast.AST, paths: set[str]) -> tuple[list[ast.expr], bool]:
    """The expressions of folders that a node adds to one of `paths`, and whether in front."""
    if isinstance(node, ast.Call):
        owner, _, method = dotted(node.func).rpartition(".")
        if (owner, method) == ("site", "addsitedir"):
            return node.args[:1], False
        if owner in paths and method in ("append", "insert"):
            return node.args[-1:], method == "insert"
        if owner in paths and method == "extend":
            return elements(node.args[0]) if node.args else [], False
    elif isinstance(node, ast.AugAssign) and dotted(node.target) in paths:
        return elements(node.value), False
    elif isinstance(node, ast.Assign):
        for target in node.targets:
            sliced = isinstance(target, ast.Subscript) and dotted(target.value) in paths
            if sliced or dotted(target) in paths:
                return [e for e in elements(node.value) if dotted(e) not in paths], True
    return [], False


def elements(expression: ast.expr) -> list[ast.expr]:
    """The elements of a list, or of a sum of lists."""
    if isinstance(expression, (ast.List, ast.Tuple)):
        return list(expression.elts)
    if isinstance(expression, ast.BinOp) and isinstance(expression.op, ast.Add):
        return elements(expression.left) + elements(expression.right)
    return [expression]


def known_names(body: Iterable[ast.stmt], file: Path, constants: dict[str, str]) -> dict:
    """Names of the module whose value is a text or path that can be read."""
    values: dict[str, Value] = {**constants, "__file__": os.path.abspath(file)}
    for statement in body:
        if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
            target = statement.targets[0]
            if isinstance(target, ast.Name):
                try:
                    values[target.id] = evaluate(statement.value, values)
                except (Unreadable, OSError, ValueError, TypeError, IndexError, RuntimeError):
                    values.pop(target.id, None)
    return values


def evaluate(node: ast.AST, values: dict[str, Value]) -> Value:
    """The value of an expression of texts, paths and the functions on them.

    Raises
    ------
    Unreadable
        It holds anything else.
    """
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.Name) and node.id in values:
        return values[node.id]
    if isinstance(node, ast.JoinedStr):
        return "".join(str(evaluate(v, values)) for v in node.values)
    if isinstance(node, ast.FormattedValue) and node.conversion == -1 and not node.format_spec:
        return evaluate(node.value, values)
    if isinstance(node, ast.BinOp):
        left, right = evaluate(node.left, values), evaluate(node.right, values)
        if isinstance(node.op, ast.Add) and isinstance(left, str) and isinstance(right, str):
            return left + right
        if isinstance(node.op, ast.Div):
            return Path(left) / right if isinstance(left, Path) else left / Path(right)
    if isinstance(node, ast.Attribute) and node.attr == "parent":
        return Path(evaluate(node.value, values)).parent
    if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Attribute):
        index = getattr(node.slice, "value", None)
        if node.value.attr == "parents" and type(index) is int:
            return Path(evaluate(node.value.value, values)).parents[index]
    if isinstance(node, ast.Call):
        return evaluate_call(node, values)
    raise Unreadable


def evaluate_call(node: ast.Call, values: dict[str, Value]) -> Value:
    """The value of a call of a function of `FUNCTIONS` or of a path's method."""
    if node.keywords:
        raise Unreadable
    name = dotted(node.func)
    for ending in (".".join(name.split(".")[-2:]), name.split(".")[-1]):
        if ending in FUNCTIONS:
            return FUNCTIONS[ending](*(evaluate(a, values) for a in node.args))
    owner_name, _, last = name.rpartition(".")
    if owner_name in ("", "osp") and f"path.{last}" in FUNCTIONS:  # from os.path import join
        return FUNCTIONS[f"path.{last}"](*(evaluate(a, values) for a in node.args))
    if isinstance(node.func, ast.Attribute) and node.func.attr in METHODS:
        owner = evaluate(node.func.value, values)
        if isinstance(owner, Path):
            arguments = (evaluate(a, values) for a in node.args)
            return getattr(owner, node.func.attr)(*arguments)
    raise Unreadable
