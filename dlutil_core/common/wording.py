"""How sentences are worded: numbers with their nouns, texts that are not too long."""

from __future__ import annotations


def counted(number: int, noun: str, plural: str = "") -> str:
    """`1 trial`, `2 trials`; `plural` where it is not the noun with an s."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def shortened(text: str, width: int) -> str:
    """A text on one line; where it is longer than `width` characters, cut and ended by dots."""
    line = " ".join(text.split())
    return line if len(line) <= width else f"{line[: width - 3]}..."
