"""The unit tests of the rooms that a change touches, as words for pytest: a part of `make check`.

    python tests/touched.py

A change is what the branch has beyond `origin/main` (where there is one) and what is not committed.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

REPOSITORY = Path(__file__).resolve().parents[1]
UNIT = "tests/unit"

# Rules and scripts are thin: what they name is tested where it is made.
OF_RULES = (f"{UNIT}/run", f"{UNIT}/project")


def units_of(changed: Iterable[str]) -> list[str]:
    """Folders and files of tests, sorted, none below another.

    Parameters
    ----------
    changed
        Paths below the repository.
    """
    found: set[str] = set()
    for path in map(PurePosixPath, changed):
        match path.parts:
            case ("dlutil_core", room, _, *_):
                found.add(f"{UNIT}/{room}")
            case ("dlutil_core", _):  # the faces
                found.update((f"{UNIT}/model", f"{UNIT}/loaders"))
            case ("scripts" | "workflow", *_):
                found.update(OF_RULES)
            case ("tests", "unit", *_, name) if name.startswith("test_"):
                found.add(str(path))
    there = {path for path in found if (REPOSITORY / path).exists()}
    return sorted(p for p in there if not any(str(q) in there for q in PurePosixPath(p).parents))


def _changed() -> list[str]:
    base = _git("merge-base", "HEAD", "origin/main") or ["HEAD"]
    untracked = _git("ls-files", "--others", "--exclude-standard")
    return _git("diff", "--name-only", *base) + untracked


def _git(*words: str) -> list[str]:
    """The lines that a command of git prints; none where it fails."""
    done = subprocess.run(
        ["git", *words], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    return done.stdout.splitlines() if done.returncode == 0 else []


if __name__ == "__main__":
    print(*units_of(_changed()))
