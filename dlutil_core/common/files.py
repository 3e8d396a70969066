"""Files that are whole or absent: atomic writes, JSON and CSV with exact floats."""

from __future__ import annotations

import csv
import errno
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from dlutil_core.common.errors import UserError
from dlutil_core.common.run_lock import check_owner
from dlutil_core.common.wording import shortened

DISK_ERRORS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "the file would be larger than this process may write (ulimit -f)",
}


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it to `path` on success, remove it on failure.

    A reader sees the old file or the whole new one, never a part. A full disk becomes a
    `UserError` that names the file. A job whose run has been replaced by another writes nothing.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        check_owner()
        os.replace(temporary, target)
    except OSError as error:
        if error.errno in DISK_ERRORS:
            raise disk_error(target, error) from error
        if target.is_dir():
            raise UserError(f"{target}: is a folder where a file belongs; move it away") from error
        raise
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()


def disk_error(path: str | os.PathLike[str], error: OSError) -> UserError:
    """The sentence for a full disk."""
    reason = DISK_ERRORS.get(error.errno or 0, "the disk is full")
    return UserError(
        f"{path}: cannot be written, {reason}; free some space and run the same command again"
    )


def sentence_of(error: UserError | OSError, place: str) -> str:
    """One sentence for an error; for what the system refuses, with the file's name or `place`."""
    if isinstance(error, UserError):
        return str(error)
    name = error.filename or place
    if error.errno in DISK_ERRORS:
        return str(disk_error(name, error))
    why = (error.strerror or str(error)).lower()
    return (
        f"{shortened(str(name), 120)}: cannot be used ({why}); check the path and its permissions, "
        "or give another one"
    )


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write `text` as UTF-8, atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | os.PathLike[str], value: Any) -> None:
    """Write `value` as JSON, atomically. Floats read back exactly; NaN and infinity are refused."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False, ensure_ascii=False) + "\n")


def read_json(path: str | os.PathLike[str]) -> Any:
    """Read a JSON file; a file that is not JSON is a `UserError` that names it."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: there is no such file") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not a JSON file ({error}); remove it and run again") from None


def format_field(value: Any) -> str:
    """One CSV field: floats exactly (shortest text that reads back), None and NaN empty."""
    if value is None or value != value:
        return ""
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, float):
        return repr(float(value))
    if isinstance(value, (dict, list)):
        return json.dumps(value)
    return str(value)


def write_csv(
    path: str | os.PathLike[str],
    columns: Sequence[str],
    rows: Iterable[Mapping[str, Any]],
    delimiter: str = ",",
) -> None:
    """Write rows with these columns, atomically; a key that a row lacks is an empty field."""
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter=delimiter, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([format_field(row.get(c)) for c in columns] for row in rows)


def read_csv(path: str | os.PathLike[str]) -> list[dict[str, str]]:
    """Rows of a CSV file as dictionaries of text."""
    with Path(path).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
