"""Whether an index (.fai) is that of a genome: what it says of offsets is looked up in the file."""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from dlutil_core.preprocess.read.text_files import readable

MAX_HEADER_BYTES = 1 << 16
SAMPLED_LINES = 16
"""Line ends of a record that are looked at in a packed genome; in a plain one it is all of them."""


@dataclass(frozen=True)
class Entry:
    """A line of the index: a record, its letters, where they begin, and its lines' form."""

    name: str
    length: int
    offset: int
    letters: int
    width: int

    @property
    def end(self) -> int:
        """Where its last letter has been."""
        if not self.length:
            return self.offset
        whole, rest = divmod(self.length - 1, self.letters)
        return self.offset + whole * self.width + rest + 1

    @property
    def full_lines(self) -> int:
        """Lines that another one of this record follows."""
        return max(0, self.length - 1) // self.letters


class Letters(Protocol):
    """Bytes of an unpacked genome by place."""

    def at(self, place: int, count: int) -> bytes:
        """So many bytes from this place on, fewer at the file's end."""

    def ends_are_blank(self, entry: Entry) -> bool:
        """Whether each full line of a record is followed by a line end."""


def read_entries(path: str) -> list[Entry]:
    """The lines of an index in the order of the file; a `ValueError` where they are none."""
    entries = []
    with open(path, encoding="utf-8", errors="surrogateescape", newline="\n") as file:
        for line in file:
            fields = line.rstrip("\r\n").split("\t")
            if len(fields) < 5:
                raise ValueError(f"it has the line {readable(line.strip(), 30)!r}")
            entry = Entry(fields[0], *map(int, fields[1:5]))
            if min(entry.length, entry.offset) < 0 or not 0 < entry.letters < entry.width:
                raise ValueError(f"it has the line {readable(line.strip(), 30)!r}")
            entries.append(entry)
    return sorted(entries, key=lambda entry: entry.offset)


def misfit(entries: list[Entry], letters: Letters) -> str:
    """What an index says wrongly of its genome; empty where all is so."""
    if not entries:
        return "it holds no chromosome"
    names = [entry.name for entry in entries]
    if len(set(names)) < len(names):
        return "a name is there twice"
    place = 0
    for entry in entries:
        reason = _header_misfit(entry, place, letters)
        if reason:
            return reason
        last = letters.at(entry.end - 1, 2)
        if not letters.ends_are_blank(entry) or len(last.strip()) != 1 or last[:1].isspace():
            return f"the lines of {readable(entry.name, 30)} end elsewhere"
        place = entry.end
    rest = letters.at(place, MAX_HEADER_BYTES).split()
    if rest and rest[0].removeprefix(b">").decode("utf-8", "surrogateescape") in names:
        return f"the record {readable(rest[0][1:], 30)} is there twice"
    return f"the file goes on after {readable(names[-1], 30)}" if rest else ""


def _header_misfit(entry: Entry, place: int, letters: Letters) -> str:
    """Whether nothing but the record's header is between the record before and its offset."""
    name = readable(entry.name, 30)
    if not 0 < entry.offset - place <= MAX_HEADER_BYTES:
        return f"{name} is elsewhere in the file"
    head = letters.at(place, entry.offset - place)
    headers = [line for line in head.splitlines() if line.strip()]
    if not headers or not head.endswith((b"\n", b"\r")) or not headers[-1].startswith(b">"):
        return f"{name} is elsewhere in the file"
    named = [(line[1:].split() or [b""])[0] for line in headers]
    if named[-1] != entry.name.encode("utf-8", "surrogateescape"):
        return f"{readable(named[-1], 30)} is where it has {name}"
    if len(named) > 1:
        return f"the record {readable(named[0], 30)} is there twice or is empty"
    return ""


@contextmanager
def open_letters(path: str, block_index: str | None) -> Iterator[Letters]:
    """The bytes of a genome; of one packed by bgzip through the index of its blocks (.gzi)."""
    if block_index is None:
        yield _Plain(path)
        return
    import pysam

    with pysam.BGZFile(path, "rb", None) as file:
        yield _Packed(file, block_index)


class _Plain:
    def __init__(self, path: str) -> None:
        self._bytes = np.memmap(path, mode="r")

    def at(self, place: int, count: int) -> bytes:
        return self._bytes[place : place + count].tobytes()

    def ends_are_blank(self, entry: Entry) -> bool:
        last = entry.end
        if last > len(self._bytes):
            return False
        for column in range(entry.letters, entry.width):
            ends = self._bytes[entry.offset + column : last : entry.width]
            wanted = b"\n" if column == entry.width - 1 else b" \t\r\v\f"
            if not np.isin(np.unique(ends), np.frombuffer(wanted, np.uint8)).all():
                return False
        return True


class _Packed:
    def __init__(self, file: Any, block_index: str) -> None:
        raw = Path(block_index).read_bytes()
        count = struct.unpack("<Q", raw[:8])[0] if len(raw) >= 8 else -1
        if len(raw) != 8 + 16 * count:
            raise ValueError("the index of its blocks (.gzi) is damaged")
        pairs = struct.unpack(f"<{2 * count}Q", raw[8:])
        # The first block, at 0, is not in the file.
        self._packed, self._places = [0, *pairs[0::2]], [0, *pairs[1::2]]
        self._file = file

    def at(self, place: int, count: int) -> bytes:
        block = bisect_right(self._places, place) - 1
        inside = place - self._places[block]
        if inside >= 1 << 16:
            # Behind the last block's end, or an index that leaves blocks out.
            return b""
        self._file.seek(self._packed[block] << 16 | inside)
        found = self._file.read(count)
        return bytes(found)

    def ends_are_blank(self, entry: Entry) -> bool:
        count = entry.full_lines
        lines = {round(i * (count - 1) / (SAMPLED_LINES - 1)) for i in range(SAMPLED_LINES)}
        gap = entry.width - entry.letters
        for line in sorted(lines) if count else []:
            end = self.at(entry.offset + line * entry.width, entry.width)
            if len(end.rstrip()) != entry.letters or not end[-gap:].endswith(b"\n"):
                return False
        return True
