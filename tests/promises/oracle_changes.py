"""Ways to change a file, and what may be done to results: the means of the oracle's changes."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

DAY = 86400


def times_of(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_atime_ns, found.st_mtime_ns


# How a new content comes to its place; each is given the place and a file that holds the content.


def written(path: Path, new: Path) -> None:
    path.write_bytes(new.read_bytes())


def copied_with_times(path: Path, new: Path) -> None:
    """`cp -p` of a file as old as the one that was there."""
    os.utime(new, ns=times_of(path))
    shutil.copy2(new, path)


def moved(path: Path, new: Path) -> None:
    """`mv` of a file of long ago."""
    os.utime(new, (time.time() - 900 * DAY,) * 2)
    shutil.move(new, path)


def replaced(path: Path, new: Path) -> None:
    os.utime(new, ns=times_of(path))
    os.replace(new, path)


def in_place(path: Path, new: Path) -> None:
    """Written where it is, and its times put back."""
    before = times_of(path)
    path.write_bytes(new.read_bytes())
    os.utime(path, ns=before)


def from_the_future(path: Path, new: Path) -> None:
    path.write_bytes(new.read_bytes())
    os.utime(path, (time.time() + 400 * DAY,) * 2)


def turned_link(path: Path, new: Path) -> None:
    """A link to a file elsewhere, as old as the one that was there."""
    kept = new.with_name(f"{new.name}-{new.stat().st_ino}")
    os.utime(new, ns=times_of(path))
    os.rename(new, kept)
    path.unlink()
    path.symlink_to(kept)


MEANS: tuple[Callable[[Path, Path], None], ...] = (
    *(written, copied_with_times, moved, replaced, in_place, from_the_future, turned_link),
)


# What is done to a result


def flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    if content:
        content[len(content) // 2] ^= 0x41
    path.write_bytes(content)


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def foreign(path: Path) -> None:
    """A whole file of the same kind and another content, where there is one."""
    kin = (p for p in sorted(path.parents[1].rglob(f"*{path.suffix}")) if p.is_file())
    content = path.read_bytes()
    found = next((p for p in kin if p.read_bytes() != content), None)
    path.write_bytes(b"foreign\n" if found is None else found.read_bytes())


def removed(path: Path) -> None:
    path.unlink()


def quietly_edited(path: Path) -> None:
    """A digit is another one, under the same times."""
    before = times_of(path)
    digits = bytes.maketrans(b"0123456789", b"1234567890")
    path.write_bytes(path.read_bytes().translate(digits))
    os.utime(path, ns=before)


def a_link(path: Path) -> None:
    """A link to its copy elsewhere, which is edited later."""
    kept = path.with_name(f".{path.name}.kept")
    os.replace(path, kept)
    flipped(kept)
    path.symlink_to(kept.name)


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


DAMAGES: tuple[Callable[[Path], None], ...] = (
    *(flipped, truncated, emptied, foreign, removed, quietly_edited, a_link, a_folder),
)


def results(folder: Path) -> list[Path]:
    """All files of a result folder, in order; locks and logs' times are no results."""
    found = (p for p in sorted(folder.rglob("*")) if p.is_file() and not p.is_symlink())
    return [p for p in found if p.name not in ("lock", ".lock")]


TIMES: dict[str, Callable[[float], float]] = {
    "now": lambda now: now,
    "long ago": lambda now: now - 3000 * DAY,
    "never": lambda now: 0,
    "tomorrow": lambda now: now + DAY,
}


def touched(folder: Path, when: str) -> None:
    """All files below a folder get a time."""
    moment = TIMES[when](time.time())
    for path in folder.rglob("*"):
        if path.is_file() and ".snakemake" not in path.parts:
            os.utime(path, (moment, moment))


def exchanged(one: Path, other: Path) -> None:
    """Two files change places, each with its times."""
    if one == other:
        return
    between = one.with_name(one.name + ".between")
    os.rename(one, between)
    os.rename(other, one)
    os.rename(between, other)
