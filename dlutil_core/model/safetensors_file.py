"""A nested dictionary of tensors and builtins as one safetensors file: loading it runs no code.

Tensors get names such as `weights/features.0.bias`; everything around them is kept as JSON in the
file's metadata.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

MARK = "__tensor__"


def write_tensors(path: Path, content: dict[str, Any]) -> None:
    """Write a dictionary of tensors, numbers, texts, lists and dictionaries."""
    from safetensors.torch import save_file

    tensors: dict[str, torch.Tensor] = {}
    around = _taken_apart(content, "", tensors)
    save_file(tensors, str(path), metadata={"content": json.dumps(around)})


def read_tensors(path: Path) -> dict[str, Any]:
    """Read what `write_tensors` wrote, on the CPU."""
    from safetensors import safe_open

    with safe_open(str(path), framework="pt", device="cpu") as file:
        around = json.loads(file.metadata()["content"])
        found: dict[str, Any] = _put_together(around, file)
        return found


def _taken_apart(value: Any, name: str, tensors: dict[str, torch.Tensor]) -> Any:
    if isinstance(value, torch.Tensor):
        tensors[name] = value.detach().to("cpu", copy=True).contiguous()
        return {MARK: name}
    if isinstance(value, dict):
        return {k: _taken_apart(v, f"{name}/{k}".lstrip("/"), tensors) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_taken_apart(v, f"{name}/{i}", tensors) for i, v in enumerate(value)]
    return value


def _put_together(value: Any, file: Any) -> Any:
    if isinstance(value, dict):
        if set(value) == {MARK}:
            return file.get_tensor(value[MARK])
        return {k: _put_together(v, file) for k, v in value.items()}
    if isinstance(value, list):
        return [_put_together(v, file) for v in value]
    return value
