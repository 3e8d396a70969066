"""MANIFEST.sha256: the hash of every result file, in the form that `sha256sum -c` reads."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from dlutil_core.errors import UserError
from dlutil_core.files import sha256_file, write_text


def write_manifest(result: str, names: Iterable[str], out: str) -> None:
    """Hash these files of a result folder; the manifest holds paths relative to it."""
    lines = []
    for name in sorted(names):
        path = Path(result, name)
        if not path.is_file():
            raise UserError(f"{path}: the result file is missing; run the same command again")
        lines.append(f"{sha256_file(path)}  {name}\n")
    write_text(out, "".join(lines))
