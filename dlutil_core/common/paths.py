"""Names of files: globs on paths that need not exist yet, and natural order."""

from __future__ import annotations

import re


def matches(name: str, pattern: str) -> bool:
    """Whether a path matches a glob: `*` stays within a folder, `**/` crosses folders."""
    return name == pattern or re.fullmatch(_regex(pattern), name) is not None


def _regex(pattern: str) -> str:
    tokens = {"**/": "(?:[^/]+/)*", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    parts = []
    for token in re.findall(r"\*\*/|\*\*|\*|\?|\[!?\]?[^]]*\]|.", pattern, re.DOTALL):
        if token in tokens:
            parts.append(tokens[token])
        elif token[0] == "[" and len(token) > 1:
            parts.append("[" + token[1:-1].replace("\\", "\\\\").replace("!", "^", 1) + "]")
        else:
            parts.append(re.escape(token))
    return "".join(parts)


def natural_key(path: str) -> list[tuple[int, int, str]]:
    """A sorting key that compares numbers within names as numbers: batch2 before batch10."""
    parts = re.split(r"(\d+)", path)
    return [(1, int(p), "") if p.isdigit() else (0, 0, p) for p in parts]
