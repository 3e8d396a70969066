"""Raw files as blocks of whole lines or records: plain or gzip, bounded memory, errors told.

Line ends of Windows and old Macs become plain newlines; a NUL byte or a file cut short is an error.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, cast

import numpy as np

from dlutil_core.common.errors import UserError

BLOCK_BYTES = 1 << 19
MAX_RECORD_BYTES = 1 << 24
GZIP_MAGIC = b"\x1f\x8b"
NEWLINE = ord("\n")
GZIP_ERRORS = (EOFError, zlib.error, gzip.BadGzipFile)
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def check_readable(path: str) -> None:
    """Raise a `UserError` unless `path` is a readable file with something in it."""
    file = Path(path)
    if not file.exists():
        raise UserError(f"{path}: there is no such file; correct the path")
    if not file.is_file():
        raise UserError(f"{path}: is not a file; give the path of a file")
    try:
        with file.open("rb") as opened:
            first = opened.read(1)
    except PermissionError:
        raise UserError(f"{path}: cannot be read; change its permissions") from None
    if not first:
        raise UserError(f"{path}: is empty; give a file with at least one record")


def open_raw(path: str) -> IO[bytes]:
    """Open a raw file to read bytes; gzip (bgzip too) is known by its first bytes."""
    check_readable(path)
    with Path(path).open("rb") as file:
        compressed = file.read(2) == GZIP_MAGIC
    return cast(IO[bytes], gzip.open(path)) if compressed else Path(path).open("rb")


def blocks(path: str, boundary: bytes = b"\n") -> Iterator[tuple[bytes, int]]:
    r"""Yield `(block, line)`: bytes that end before a boundary, and the number of their first line.

    Parameters
    ----------
    path
        Plain or gzip file.
    boundary
        A newline and what follows it where a record begins: ``b"\n>"`` for FASTA, ``b"\n"`` where
        each line is a record. Each block starts at a record and has a newline at its end.

    Raises
    ------
    UserError
        A file that is empty, damaged, holds a NUL byte or a record above 16 MiB.
    """
    carry = b""
    line = 1
    for piece in _pieces(path):
        carry += piece
        cut = carry.rfind(boundary) + 1
        if cut > 0:
            block = _checked(carry[:cut], path, line)
            carry = carry[cut:]
            yield block, line
            # Quicker than bytes.count where there are many.
            line += int(np.count_nonzero(np.frombuffer(block, np.uint8) == NEWLINE))
        if len(carry) > MAX_RECORD_BYTES:
            raise UserError(
                f"{path}: the record at line {line} is longer than {MAX_RECORD_BYTES >> 20} MiB,"
                " which no network takes; is this the right file?"
            )
    if carry:
        carry = carry if carry.endswith((b"\n", b"\r")) else carry + b"\n"
        yield _checked(carry, path, line), line


def _checked(block: bytes, path: str, line: int) -> bytes:
    """The block with plain newlines, free of NUL bytes."""
    if b"\r" in block:
        block = block.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    if b"\0" in block:
        at = line + block.count(b"\n", 0, block.index(b"\0"))
        raise UserError(f"{path}: line {at} has a NUL byte; the file is damaged or not a text file")
    return block


def _pieces(path: str) -> Iterator[bytes]:
    """The file's bytes in pieces, without a byte order mark."""
    with open_raw(path) as file:
        first = True
        try:
            while piece := file.read(BLOCK_BYTES):
                yield piece.removeprefix(BYTE_ORDER_MARK) if first else piece
                first = False
        except GZIP_ERRORS as error:
            raise UserError(
                f"{path}: the gzip file is cut short or damaged after line {_good_lines(path)}"
                f" ({error}); copy or download it again"
            ) from None


def _good_lines(path: str) -> int:
    """Whole lines before a gzip file's damage."""
    lines = 0
    with open_raw(path) as file, suppress(*GZIP_ERRORS):
        while piece := cast(gzip.GzipFile, file).read1(1 << 12):
            lines += piece.count(b"\n")
    return lines


def shown(text: bytes, width: int = 40) -> str:
    """A piece of raw text for a message: quoted, on one line, not too long."""
    return f"'{readable(text, width)}'"


def readable(text: bytes | str, width: int = 60) -> str:
    """A piece of raw text as printable characters on one line, not too long."""
    whole = text.decode("utf-8", "backslashreplace") if isinstance(text, bytes) else text
    cut = whole if len(whole) <= width else whole[:width] + "..."
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in cut)
