"""Globs on relative paths that need not exist yet."""

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
