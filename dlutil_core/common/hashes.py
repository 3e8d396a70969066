"""Content hashes: of files, of texts, and lists of them in the form that `sha256sum -c` reads."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

from dlutil_core.common.errors import UserError
from dlutil_core.common.files import write_text


def sha256_file(path: str | os.PathLike[str]) -> str:
    """Hexadecimal SHA-256 of a file's bytes, read in blocks."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_text(text: str) -> str:
    """Hexadecimal SHA-256 of a text's UTF-8 bytes."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def write_manifest(result: str, names: Iterable[str], out: str) -> None:
    """Hash these files of a result folder; the manifest holds paths relative to it."""
    lines = []
    for name in sorted(names):
        path = Path(result, name)
        if not path.is_file():
            raise UserError(f"{path}: the result file is missing; run the same command again")
        lines.append(f"{sha256_file(path)}  {name}\n")
    write_text(out, "".join(lines))


def read_manifest(path: Path) -> dict[str, str]:
    """Hashes of the files that a manifest lists, by name.

    Raises
    ------
    UserError
        A line is something else.
    """
    found = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        sha256, _, name = line.partition("  ")
        if len(sha256) != 64 or not name:
            raise UserError(f"{path}, line {number}: is no hash and name")
        found[name] = sha256
    return found
