"""Hashes of data files, one small file each, in the form that `sha256sum -c` reads."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from dlutil_core.errors import UserError
from dlutil_core.files import sha256_file, sha256_text, write_text


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
