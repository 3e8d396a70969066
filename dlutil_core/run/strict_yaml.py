"""YAML in which each line means what it looks like: keys once, numbers as people write them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

EXPONENT = re.compile(r"^[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)[eE][-+]?[0-9]+$")
OCTAL = re.compile(r"[-+]?0[0-7_]+")


FREE = (("search", "config"), ("search", "start"), ("env",))
"""Where values may be of any type, so that `off` may be a text; elsewhere it is `false`."""

BOOLEANS = ("true", "false")


class MisleadingError(yaml.YAMLError):
    """A line that YAML takes for something else than it looks like."""


class StrictLoader(yaml.SafeLoader):
    """`yaml.SafeLoader`, but 1e-3 is a number, and what misleads is refused."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """A dictionary; a key that stands twice is refused with both of its lines."""
        seen: dict[Any, int] = {}
        for key_node, _ in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                continue
            key = self.construct_object(key_node, deep=True)  # type: ignore[no-untyped-call]
            line = key_node.start_mark.line + 1
            if not isinstance(key, (str, int, float, bool)):
                self._refuse(line, f"has the key {key!r}, but keys are texts")
            if key in seen:
                self._refuse(
                    line, f"has the key {key!r}, which is in line {seen[key]} already; keep one"
                )
            seen[key] = line
        return dict(super().construct_mapping(node, deep))

    def plain_integer(self, node: yaml.ScalarNode) -> int:
        """An integer; 012, which is 10 to YAML, and 1:30, which is 90, are refused."""
        text = str(node.value)
        if ":" in text or OCTAL.fullmatch(text):
            found = self.construct_yaml_int(node)  # type: ignore[no-untyped-call]
            self._refuse(
                node.start_mark.line + 1,
                f"holds {text}, which YAML reads as {found}; write that, or quote it",
            )
        return int(self.construct_yaml_int(node))  # type: ignore[no-untyped-call]

    def plain_float(self, node: yaml.ScalarNode) -> float:
        """A number; 1:30.5, which is 90.5 to YAML, is refused."""
        found = float(self.construct_yaml_float(node))  # type: ignore[no-untyped-call]
        if ":" in str(node.value):
            self._refuse(
                node.start_mark.line + 1,
                f"holds {node.value}, which YAML reads as {found:g}; write that, or quote it",
            )
        return found

    def no_value(self, node: yaml.Node) -> None:
        """Dates, sets and bytes are no values of a config."""
        kind = node.tag.rpartition(":")[2]
        what = {"timestamp": "a date", "binary": "bytes", "set": "a set"}.get(kind, kind)
        text = f"{node.value}, which" if isinstance(node, yaml.ScalarNode) else "what"
        self._refuse(node.start_mark.line + 1, f"holds {text} YAML reads as {what}; quote it")

    def _refuse(self, line: int, problem: str) -> None:
        raise MisleadingError(f"line {line} {problem}")


StrictLoader.add_implicit_resolver("tag:yaml.org,2002:float", EXPONENT, list("-+.0123456789"))
StrictLoader.add_constructor("tag:yaml.org,2002:int", StrictLoader.plain_integer)
StrictLoader.add_constructor("tag:yaml.org,2002:float", StrictLoader.plain_float)
for kind in ("timestamp", "binary", "set", "omap", "pairs"):
    StrictLoader.add_constructor(f"tag:yaml.org,2002:{kind}", StrictLoader.no_value)


def strict_yaml(path: Path) -> Any:
    """The content of a YAML file.

    Raises
    ------
    yaml.YAMLError
        What is no YAML; `MisleadingError`: a key that stands twice, a number that misleads.
    """
    text = path.read_text(encoding="utf-8")
    root = yaml.compose(text, StrictLoader)
    for keys in FREE:
        for node in _scalars(_below(root, keys)):
            _check_boolean(node)
    return yaml.load(text, StrictLoader)


def _below(root: yaml.Node | None, keys: tuple[str, ...]) -> yaml.Node | None:
    """What stands under these keys, one below the other."""
    for key in keys:
        pairs = root.value if isinstance(root, yaml.MappingNode) else []
        root = next((value for name, value in pairs if name.value == key), None)
    return root


def _scalars(node: yaml.Node | None) -> Iterator[yaml.ScalarNode]:
    """All single values of a node; keys are none."""
    if isinstance(node, yaml.ScalarNode):
        yield node
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _scalars(item)
    elif isinstance(node, yaml.MappingNode):
        for _, value in node.value:
            yield from _scalars(value)


def _check_boolean(node: yaml.ScalarNode) -> None:
    """Refuse words that YAML takes for true and false, and people for words: on, off, yes, no."""
    text = str(node.value)
    if node.tag == "tag:yaml.org,2002:bool" and text.lower() not in BOOLEANS:
        read = str(text.lower() in ("yes", "on")).lower()
        raise MisleadingError(
            f"line {node.start_mark.line + 1} holds {text}, which YAML reads as {read}; write "
            f"{read}, or quote it"
        )
