"""Texts of users, made safe to be shown: in a terminal, on a page, in a table."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

BIDI = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
"""What turns the direction in which text is shown, so that it reads as another one."""

_UNSAFE = re.compile(f"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029{BIDI}\ud800-\udfff]")
_CELL = re.compile(f"[\x00-\x1f\x7f-\x9f\u2028\u2029{BIDI}\ud800-\udfff]")


SHORTEST_SECRET = 8
"""Shorter values are words, such as `cpu`: hiding them would only make messages unreadable."""

_hidden: dict[str, str] = {}


def hide_values(names: Iterable[str]) -> None:
    """From now on `$NAME` is shown where a text holds the value of this environment variable."""
    for name in names:
        value = os.environ.get(name, "")
        if len(value) >= SHORTEST_SECRET:
            _hidden[value] = f"${name}"


def shown(text: str) -> str:
    r"""A text in which control characters stand as escapes such as `\x1b`; lines and tabs stay.

    Values of the environment variables that are part of the run may be secrets: they are hidden.
    """
    for value in sorted(_hidden, key=len, reverse=True):
        text = text.replace(value, _hidden[value])
    return _UNSAFE.sub(_escaped, text)


def shown_cell(text: str) -> str:
    """A text as a field of a table: one line, no tab, and no formula to any spreadsheet.

    A field that begins like a formula and is no number gets an apostrophe in front, as spreadsheets
    themselves mark text (OWASP, CSV injection).
    """
    if text[:1] in ("=", "+", "-", "@", "\t", "\r") and not _is_number(text):
        text = "'" + text
    return _CELL.sub(_escaped, text)


def _escaped(match: re.Match[str]) -> str:
    code = ord(match[0])
    if match[0] in "\t\n\r":
        return {"\t": "\\t", "\n": "\\n", "\r": "\\r"}[match[0]]
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return "_" not in text
