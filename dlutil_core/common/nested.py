"""Batches are arrays, tensors, or dictionaries and tuples of them; these functions walk them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np


def tree_map(function: Callable[[Any], Any], tree: Any) -> Any:
    """The same dictionaries and tuples with `function` applied to every leaf."""
    if isinstance(tree, dict):
        return {key: tree_map(function, part) for key, part in tree.items()}
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return type(tree)(*(tree_map(function, part) for part in tree))
    if isinstance(tree, (list, tuple)):
        return type(tree)(tree_map(function, part) for part in tree)
    return function(tree)


def tree_leaves(tree: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Every leaf with its dotted name (the empty name where the tree is a leaf itself)."""
    if isinstance(tree, dict):
        for key, part in tree.items():
            yield from tree_leaves(part, f"{name}.{key}" if name else str(key))
    elif isinstance(tree, (list, tuple)):
        for index, part in enumerate(tree):
            yield from tree_leaves(part, f"{name}.{index}" if name else str(index))
    else:
        yield name, tree


def tree_join(function: Callable[[list[Any]], Any], trees: Sequence[Any]) -> Any:
    """One tree of the trees' shape, whose leaves are `function` of the list of their leaves;
    `None` stays `None`.
    """
    first = trees[0]
    if isinstance(first, dict):
        return {key: tree_join(function, [t[key] for t in trees]) for key in first}
    if isinstance(first, tuple) and hasattr(first, "_fields"):
        return type(first)(
            *(tree_join(function, list(parts)) for parts in zip(*trees, strict=True))
        )
    if isinstance(first, (list, tuple)):
        return type(first)(tree_join(function, list(parts)) for parts in zip(*trees, strict=True))
    return None if first is None else function(list(trees))


def tree_of_leaves(leaves: dict[str, Any]) -> Any:
    """The tree of which these are the leaves by their dotted names, as `tree_leaves` gives them.

    Keys that are 0, 1, … become a tuple.
    """
    if set(leaves) == {""}:
        return leaves[""]
    below: dict[str, dict[str, Any]] = {}
    for name, leaf in leaves.items():
        key, _, rest = name.partition(".")
        below.setdefault(key, {})[rest] = leaf
    parts = {key: tree_of_leaves(found) for key, found in below.items()}
    if list(parts) == [str(k) for k in range(len(parts))]:
        return tuple(parts.values())
    return parts


def tree_length(tree: Any) -> int:
    """How many samples a batch has: the first dimension of its first leaf."""
    for _, leaf in tree_leaves(tree):
        return len(leaf)
    return 0


def take(tree: Any, rows: Any) -> Any:
    """These rows (a slice or an index array) of every leaf; `None` stays `None`."""
    if isinstance(tree, np.ndarray):
        return tree[rows]
    if tree is None:
        return None
    return tree_map(lambda leaf: None if leaf is None else leaf[rows], tree)
