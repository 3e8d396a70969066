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


def write_digest(path: str, name: str, out: str) -> None:
    """Write the SHA-256 of `path` to `out`, under the name that the run knows it by."""
    if not os.path.isfile(path):
        raise UserError(f"{path}: there is no such file; check the data folder")
    write_text(out, f"{sha256_file(path)}  {name}\n")


def read_digests(paths: Iterable[str | os.PathLike[str]]) -> dict[str, str]:
    """Hashes by name, of files that `write_digest` wrote."""
    found: dict[str, str] = {}
    for path in paths:
        for line in Path(path).read_text(encoding="utf-8").splitlines():
            digest, _, name = line.partition("  ")
            if len(digest) != 64 or not name:
                raise UserError(f"{path}: not a digest file; remove it and run again")
            found[name] = digest
    return found


def joint_digest(digests: dict[str, str]) -> str:
    """One hash of several files: of their names and contents, in the order of names."""
    return sha256_text("".join(f"{digests[name]}  {name}\n" for name in sorted(digests)))


def write_manifest(result: str, names: Iterable[str], out: str) -> None:
    """Hash these files of a result folder; the manifest holds paths relative to it."""
    lines = []
    for name in sorted(names):
        path = Path(result, name)
        if not path.is_file():
            raise UserError(f"{path}: the result file is missing; run the same command again")
        lines.append(f"{sha256_file(path)}  {name}\n")
    write_text(out, "".join(lines))
