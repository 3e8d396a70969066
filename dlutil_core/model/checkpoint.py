"""One dictionary of tensors and builtins to one file that is whole and unchanged, or refused.

The file is a plain `torch.save` dictionary, read with `weights_only=True`. Its key `sha256` is the
hash of everything else in it, so a truncated, bit-flipped or foreign file is never read as a
result. Equal dictionaries give equal bytes.
"""

from __future__ import annotations

import hashlib
import io
import os
import sys
import warnings
from pathlib import Path
from typing import Any

import torch

from dlutil_core.common.errors import UserError
from dlutil_core.common.files import atomic_path


class DamagedCheckpoint(UserError):
    """A checkpoint that cannot be read, or whose content is not what was written."""


def write_checkpoint(path: str | os.PathLike[str], content: dict[str, Any]) -> None:
    """Write `content`, atomically."""
    plain = canonical(content)
    plain["sha256"] = content_hash(plain)
    # torch.save writes the name of the file it is given into the archive; a buffer has none.
    buffer = io.BytesIO()
    torch.save(plain, buffer)
    with atomic_path(path) as temporary:
        temporary.write_bytes(buffer.getbuffer())


def read_checkpoint(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read what `write_checkpoint` wrote, on the CPU.

    Raises
    ------
    DamagedCheckpoint
        The file is absent, truncated, changed, or was not written by dlutil.
    """
    try:
        data = Path(path).read_bytes()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            content = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise DamagedCheckpoint(f"{path}: there is no such file") from None
    except Exception as error:  # torch raises many kinds on damaged files
        reason = str(error).partition("\n")[0][:100]
        raise DamagedCheckpoint(f"{path}: not a readable checkpoint ({reason})") from None
    if not isinstance(content, dict) or "sha256" not in content:
        raise DamagedCheckpoint(f"{path}: not a checkpoint of dlutil")
    stored = content.pop("sha256")
    if stored != content_hash(content):
        raise DamagedCheckpoint(f"{path}: its content does not match its checksum")
    return content


def canonical(value: Any) -> Any:
    """A copy of builtins and detached CPU tensors that shares nothing.

    Pickle writes an object that occurs twice as a reference, so equal values give equal bytes only
    if they share alike: texts are interned, everything else is copied.
    """
    if isinstance(value, torch.Tensor):
        return value.detach().to("cpu", copy=True).contiguous()
    if isinstance(value, dict):
        return {canonical(key): canonical(part) for key, part in value.items()}
    if isinstance(value, tuple):
        return tuple([canonical(part) for part in value])
    if isinstance(value, list):
        return [canonical(part) for part in value]
    if isinstance(value, str):
        return sys.intern(str(value))
    if value is None or isinstance(value, bool):
        return value
    for kind in (int, float):  # without what numpy's scalars and enumerations add
        if isinstance(value, kind):
            return kind(value)
    if hasattr(value, "item") and getattr(value, "shape", None) == ():
        return value.item()
    if hasattr(value, "dtype") and hasattr(value, "shape"):
        return torch.as_tensor(value).clone()
    raise UserError(
        f"save() returned {type(value).__name__}, which a checkpoint cannot hold: return tensors, "
        "numbers, texts, lists and dictionaries"
    )


def content_hash(value: Any) -> str:
    """Hexadecimal SHA-256 of a canonical value."""
    digest = hashlib.sha256()
    _feed(digest, value)
    return digest.hexdigest()


def _feed(digest: Any, value: Any) -> None:
    if isinstance(value, torch.Tensor):
        digest.update(f"T{value.dtype}{tuple(value.shape)}".encode())
        flat = value.contiguous().reshape(-1)
        if flat.numel():
            digest.update(flat.view(torch.uint8).numpy())
    elif isinstance(value, dict):
        digest.update(f"D{len(value)}".encode())
        for key, part in value.items():
            _feed(digest, key)
            _feed(digest, part)
    elif isinstance(value, (list, tuple)):
        digest.update(f"{type(value).__name__}{len(value)}".encode())
        for part in value:
            _feed(digest, part)
    else:
        digest.update(f"{type(value).__name__}:{value!r};".encode())
