"""What a step read: files with hashes of their content, folders with their names, what was absent.

A read is compared with what is there now by `HashMemory`, so that a result can be told to be the
present one without running the code that made it.
"""

from __future__ import annotations

from dataclasses import dataclass

FILE = "file"
FOLDER = "folder"
ABSENT = "absent"
GLOB = "glob"
RECURSIVE_GLOB = "glob**"


@dataclass(frozen=True, order=True)
class Read:
    """One thing that code looked at.

    Parameters
    ----------
    path
        Absolute, as it was opened: links in it are not followed, so that a turned link is a change.
    kind
        `file` (opened to be read), `folder` (its names were listed), `absent` (opening it failed
        because it was not there), `glob` and `glob**` (the path is a pattern whose matches were
        asked for; the second with `**` for folders in folders).
    sha256
        Of the file's bytes, or of the names in the folder or of the matches, sorted, one a line;
        empty for what is absent.
    """

    path: str
    kind: str
    sha256: str = ""
