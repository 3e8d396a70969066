"""Syntax trees: canonical text, and the names that a statement binds and reads.

All walks keep their own stack: an expression of thousands of terms is deeper than Python's
recursion limit.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator

# Fields that differ between Python versions or do not change what the code does.
IGNORED_FIELDS = {"kind", "type_comment", "type_ignores", "ctx"}
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
SCOPES = (*FUNCTIONS, ast.Lambda, ast.ClassDef)
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
IDENTIFIER = re.compile(r"[^\W\d]\w*")


def is_docstring(statement: ast.stmt) -> bool:
    """Whether a statement is a constant by itself: a docstring, or another without effect."""
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def canonical(node: ast.AST, keep_docstrings: bool = False) -> str:
    """A syntax tree as one line of ASCII text that is the same in every Python version.

    Positions, docstrings, `pass` and parentheses leave no trace; values of unequal type or sign
    (`1`, `1.0`, `True`, `b"1"`) do.
    """
    parts: list[str] = []
    stack: list[object] = [node]
    while stack:
        item = stack.pop()
        if isinstance(item, str):
            parts.append(item)
        elif isinstance(item, ast.Constant):
            parts.append(f"({constant(item.value)})")
        elif isinstance(item, ast.AST):
            stack.append(")")
            for field, value in reversed(list(meaningful_fields(item, keep_docstrings))):
                stack.extend((value, f" {field}="))
            stack.append(f"({type(item).__name__}")
        elif isinstance(item, list):
            stack.append("]")
            stack.extend(part for value in reversed(item) for part in (",", value))
            stack.append("[")
        else:
            parts.append(constant(item))
    return "".join(parts)


def meaningful_fields(node: ast.AST, keep_docstrings: bool) -> Iterator[tuple[str, object]]:
    """Fields of a node that say something: absent, empty and zero ones are left out."""
    for field in node._fields:
        value = getattr(node, field, None)
        if field in IGNORED_FIELDS:
            continue
        if isinstance(value, str):
            value = Text(value)
        elif isinstance(value, list):
            if isinstance(node, ast.JoinedStr):
                value = merged_literals(value)
            else:
                value = [
                    Text(v) if isinstance(v, str) else v
                    for v in value
                    if not is_idle(v, keep_docstrings)
                ]
        if value is None or value == [] or (type(value) is int and value == 0):
            continue
        yield field, value


class Text:
    """A text that is data, where a plain `str` on the stack of `canonical` is output."""

    def __init__(self, value: str) -> None:
        self.value = value


def is_idle(item: object, keep_docstrings: bool) -> bool:
    """Whether a statement in a body does nothing."""
    if isinstance(item, ast.Pass):
        return True
    return not keep_docstrings and isinstance(item, ast.stmt) and is_docstring(item)


def merged_literals(values: list[ast.expr]) -> list[ast.expr]:
    """The parts of an f-string with neighbouring literals joined: versions split them unequally."""
    merged: list[ast.expr] = []
    for value in values:
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            last = merged[-1] if merged else None
            if isinstance(last, ast.Constant) and isinstance(last.value, str):
                merged[-1] = ast.Constant(last.value + value.value)
                continue
            if not value.value:
                continue
        merged.append(value)
    return merged


def constant(value: object) -> str:
    """A constant with its type; `ascii` and `hex` do not vary with the version or its limits."""
    if isinstance(value, Text):
        return ascii(value.value)
    if type(value) is int:
        return f"int {value:#x}"
    return f"{type(value).__name__} {value!a}"


def bound_names(statements: Iterable[ast.AST]) -> set[str]:
    """Names that the statements bind in the scope that they stand in."""
    names: set[str] = set()
    stack: list[ast.AST] = list(statements)
    while stack:
        node = stack.pop()
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            names.update(imported_name(alias) for alias in node.names)
        elif isinstance(node, (ast.ExceptHandler, ast.MatchAs, ast.MatchStar)) and node.name:
            names.add(node.name)
        elif isinstance(node, ast.MatchMapping) and node.rest:
            names.add(node.rest)
        if isinstance(node, SCOPES):
            if not isinstance(node, ast.Lambda):
                names.add(node.name)
            stack.extend(evaluated_outside(node))
        elif isinstance(node, COMPREHENSIONS):
            # Its variables are its own, but `:=` inside binds here.
            names.update(walrus_names(node))
        else:
            stack.extend(ast.iter_child_nodes(node))
    return names


def walrus_names(comprehension: ast.AST) -> set[str]:
    """Names that `:=` binds inside a comprehension, those of lambdas in it left out."""
    names: set[str] = set()
    stack = [comprehension]
    while stack:
        node = stack.pop()
        if isinstance(node, ast.NamedExpr):
            names.add(node.target.id)
        if isinstance(node, ast.Lambda):
            stack.extend(evaluated_outside(node))
        else:
            stack.extend(ast.iter_child_nodes(node))
    return names


def imported_name(alias: ast.alias) -> str:
    """The name that an import binds: `a` for `import a.b`."""
    return alias.asname or alias.name.split(".")[0]


def evaluated_outside(node: ast.AST) -> list[ast.AST]:
    """The parts of a function or class that run where it is defined, not in its own scope."""
    if isinstance(node, ast.Lambda):
        return [*node.args.defaults, *filter(None, node.args.kw_defaults)]
    if isinstance(node, ast.ClassDef):
        return [*node.decorator_list, *node.bases, *node.keywords]
    assert isinstance(node, FUNCTIONS)
    parts: list[ast.AST] = [*node.decorator_list, *node.args.defaults]
    parts.extend(filter(None, node.args.kw_defaults))
    parts.extend(annotation_parts(node))
    return parts


def annotation_parts(node: ast.FunctionDef | ast.AsyncFunctionDef) -> list[ast.expr]:
    """The annotations of a function's parameters and result."""
    found = [a.annotation for a in parameters(node.args)] + [node.returns]
    return [a for a in found if a is not None]


def parameters(arguments: ast.arguments) -> list[ast.arg]:
    """All parameters, the starred ones included."""
    plain = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    return plain + [a for a in (arguments.vararg, arguments.kwarg) if a is not None]


def free_names(root: ast.AST) -> set[str]:
    """Names that `root`, run at module level, looks up in the module (or the builtins).

    Follows Python's scoping: a parameter or variable of a function hides the module's name in it.
    Names in annotations that are written as strings count.
    """
    names: set[str] = set()
    none: frozenset[str] = frozenset()
    stack: list[tuple[ast.AST, frozenset[str]]] = [(root, none)]
    while stack:
        node, local = stack.pop()
        if isinstance(node, ast.Name):
            if not isinstance(node.ctx, ast.Store) and node.id not in local:
                names.add(node.id)
        elif isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
            names.update({node.target.id} - local)
        names.update(quoted_annotation_names(node))
        if isinstance(node, (*FUNCTIONS, ast.Lambda)):
            stack.extend((part, local) for part in evaluated_outside(node))
            body = [node.body] if isinstance(node, ast.Lambda) else node.body
            inside = local | function_locals(node, body)
            if not isinstance(node, ast.Lambda):
                inside -= declared_global(body)
                stack.extend((p, local) for p in getattr(node, "type_params", []))
            stack.extend((statement, inside) for statement in body)
        elif isinstance(node, COMPREHENSIONS):
            first = node.generators[0]
            stack.append((first.iter, local))
            inside = local | bound_names(g.target for g in node.generators)
            parts = [c for c in ast.iter_child_nodes(node) if c is not first]
            parts += [first.target, *first.ifs]
            stack.extend((part, inside) for part in parts)
        else:
            stack.extend((child, local) for child in ast.iter_child_nodes(node))
    return names


def function_locals(
    node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda, body: Iterable[ast.AST]
) -> set[str]:
    """Parameters and variables of a function."""
    return {a.arg for a in parameters(node.args)} | bound_names(body)


def declared_global(body: Iterable[ast.AST]) -> set[str]:
    """Names that a function body declares `global`, not looking into functions inside it."""
    names: set[str] = set()
    stack = list(body)
    while stack:
        node = stack.pop()
        if isinstance(node, ast.Global):
            names.update(node.names)
        elif not isinstance(node, (*SCOPES, ast.expr)):
            stack.extend(ast.iter_child_nodes(node))
    return names


def quoted_annotation_names(node: ast.AST) -> set[str]:
    """Names in the annotations of a node that are written as strings."""
    held: list[ast.expr] = []
    if isinstance(node, FUNCTIONS):
        held = annotation_parts(node)
    elif isinstance(node, ast.AnnAssign):
        held = [node.annotation]
    names: set[str] = set()
    for annotation in held:
        for part in ast.walk(annotation):
            if isinstance(part, ast.Constant) and isinstance(part.value, str):
                names.update(IDENTIFIER.findall(part.value))
    return names


def dotted(node: ast.AST) -> str:
    """`a.b.c` for an attribute of a name, else the empty text."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return ""
    return ".".join([node.id, *reversed(parts)])
