"""YAML in which each line means what it looks like: keys once, numbers as people write them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

EXPONENT = re.compile(r"^[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)[eE][-+]?[0-9]+$")
OCTAL = re.compile(r"[-+]?0[0-7_]+")


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

    def _refuse(self, line: int, problem: str) -> None:
        raise MisleadingError(f"line {line} {problem}")


StrictLoader.add_implicit_resolver("tag:yaml.org,2002:float", EXPONENT, list("-+.0123456789"))
StrictLoader.add_constructor("tag:yaml.org,2002:int", StrictLoader.plain_integer)


def strict_yaml(path: Path) -> Any:
    """The content of a YAML file.

    Raises
    ------
    yaml.YAMLError
        What is no YAML; `MisleadingError`: a key that stands twice, a number that misleads.
    """
    return yaml.load(path.read_text(encoding="utf-8"), StrictLoader)
