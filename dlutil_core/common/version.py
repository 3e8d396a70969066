"""Versions of what computes results: dlutil's own, as a hash of its code, and of packages."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Iterable
from functools import cache
from pathlib import Path

__version__ = "0.2.0"


@cache
def code_sha256() -> str:
    """Hash of all files of this package: steps that are no trial are made again when it changes."""
    package = Path(__file__).resolve().parents[1]
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*")):
        inside = path.relative_to(package)
        made = {"__pycache__", "workflow", "scripts"} & set(inside.parts)
        if path.is_file() and not made and path.suffix in (".py", ".css", ".js", ".j2"):
            digest.update(f"{inside}\n".encode() + path.read_bytes())
    return digest.hexdigest()


@cache
def package_version(name: str) -> str:
    """A package's version without the build's local part; empty where it is not installed.

    Looked up without importing it, and once, since that takes 2 ms; `python` is the interpreter.
    """
    if name == "python":
        return platform.python_version()
    # Importing this takes as long as all else that a job without torch imports.
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(name).partition("+")[0]
    except PackageNotFoundError:
        return ""


def package_versions(names: Iterable[str]) -> dict[str, str]:
    """Versions by name."""
    return {name: package_version(name) for name in names}
