"""FASTA, with sequences on one line or many, and the two-column TSV that `paste` makes of it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from dlutil_core.common.errors import UserError
from dlutil_core.preprocess.read.blocks import Block
from dlutil_core.preprocess.read.text_files import blocks, shown

BLANKS = (b" ", b"\t", b"\v", b"\f")
LEADING = re.compile(rb"\A(\s*([#;][^\n]*)?(\n|\Z))*\s*")
"""Blank lines and comments before the first record; later ones would be letters of a sequence."""

PASTED_COMMENT = re.compile(rb"#\S*\s+[ACGTUNacgtun]{4,}\s*")
BLANK_TABLE = bytes.maketrans(b"\t\v\f", b"   ")


def read_fasta(path: str) -> Iterator[Block]:
    """Yield the records of a FASTA file; the name is the whole header without '>'.

    Lines of comments (`#` and the old `;`) are left out before the first record.
    """
    first = 1
    for text, line in blocks(path, b"\n>"):
        if first == 1:
            stripped = LEADING.sub(b"", text)
            line += text.count(b"\n", 0, len(text) - len(stripped))
            text = stripped
        if not text:
            continue
        if not text.startswith(b">"):
            raise UserError(
                f"{path}: line {line} is {shown(text.split(maxsplit=1)[0])}, but a FASTA record"
                " starts with '>' and its name; is this a FASTA file?"
            )
        block = _records(text, path, first, line)
        yield block
        first += len(block)
    if first == 1:
        raise UserError(f"{path}: has no record; give a file with at least one")


def _records(text: bytes, path: str, first: int, line: int) -> Block:
    """Split whole FASTA records; those of two lines each at the speed of `bytes.split`."""
    lines = text.split(b"\n")
    lines.pop()
    heads, sequences = b"\n".join(lines[0::2]), lines[1::2]
    names = heads[1:].split(b"\n>")
    joined = b"".join(sequences)
    plain = len(names) == len(sequences) and len(lines) == 2 * len(names) and b">" not in joined
    if not plain or any(blank in joined for blank in BLANKS):
        names, sequences = _general(text)
    names = clean_names(names)
    block = Block(path, first, names, sequences)
    if 0 in block.lengths:
        raise UserError(
            f"{block.where(sequences.index(b''))} has an empty sequence; remove the record"
        )
    return block


def _general(text: bytes) -> tuple[list[bytes], list[bytes]]:
    """Names and sequences of records with any number of lines, white space removed."""
    parts = [record.partition(b"\n") for record in text[1:].split(b"\n>")]
    return (
        [head for head, _, _ in parts],
        [rest.translate(None, b"\n \t\v\f") for _, _, rest in parts],
    )


def read_pasted(path: str) -> Iterator[Block]:
    """Yield the records of a file with a name and a sequence a line; '>' before a name is left off.

    The sequence is what follows the last blank or tab, so names may hold blanks.
    """
    first = 1
    for text, line in blocks(path):
        names, sequences = [], []
        for number, row in enumerate(text.split(b"\n")[:-1], line):
            fields = row.rsplit(None, 1)
            if not fields or row.startswith(b"#"):
                if PASTED_COMMENT.fullmatch(row):
                    raise UserError(
                        f"{path}: line {number} is {shown(row)}, which begins with '#' as comments"
                        " do, but looks like a record; remove the line or its '#'"
                    )
                continue
            if len(fields) == 1:
                raise UserError(
                    f"{path}: line {number} is {shown(row)}, but must hold a name and a sequence"
                )
            names.append(fields[0].removeprefix(b">"))
            sequences.append(fields[1])
        if names:
            yield Block(path, first, clean_names(names), sequences)
        first += len(names)
    if first == 1:
        raise UserError(f"{path}: has no record; give a file with at least one")


def clean_names(names: list[bytes]) -> list[bytes]:
    """Names as one line of UTF-8 each: tabs become blanks, bytes that are not UTF-8 are escaped."""
    joined = b"\n".join(names)
    if not joined.isascii():
        joined = joined.decode("utf-8", "backslashreplace").encode("utf-8")
        names = joined.split(b"\n")
    if any(blank in joined for blank in BLANKS):
        names = [name.translate(BLANK_TABLE).strip() for name in names]
    return names
