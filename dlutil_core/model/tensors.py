"""Batches as tensors on a model's device, in the precision of its network."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from dlutil_core.common.errors import UserError
from dlutil_core.common.nested import tree_map
from dlutil_core.model.epoch_outputs import shape_of


class DeviceTensors:
    """What has a device and a precision, and brings arrays there."""

    device: torch.device
    dtype: torch.dtype

    def batch_to_device(self, batch: Any) -> tuple[Any, Any]:
        """A batch `(x, y)` as tensors on the device."""
        if not isinstance(batch, (tuple, list)) or len(batch) != 2:
            raise UserError(
                f"a batch of the loader is {shape_of(batch)}, but must be a pair (x, y) of inputs "
                "and labels"
            )
        if batch[1] is None:
            raise UserError("a batch of the loader is a pair (x, None), but must have labels too")
        return self.to_device(batch[0]), self.to_device(batch[1])

    def to_device(self, tree: Any) -> Any:
        """Arrays as tensors on the device; floats in the network's precision."""
        if isinstance(tree, (torch.Tensor, np.ndarray)) or not isinstance(
            tree, (dict, list, tuple)
        ):
            return self._tensor(tree)
        return tree_map(self._tensor, tree)

    def _tensor(self, leaf: Any) -> torch.Tensor:
        if isinstance(leaf, np.ndarray) and not leaf.flags.writeable:
            leaf = leaf.copy()  # torch warns of arrays that it must not write to
        tensor = leaf if isinstance(leaf, torch.Tensor) else torch.as_tensor(leaf)
        dtype = self.dtype if tensor.dtype.is_floating_point else tensor.dtype
        if tensor.dtype is dtype and tensor.device == self.device:
            return tensor
        if self.device.type == "cuda" and tensor.device.type == "cpu":
            tensor = tensor.pin_memory()  # from other memory the copy would wait for the GPU
        return tensor.to(self.device, dtype, non_blocking=True)

    def _full(self, output: Any) -> Any:
        """Predictions of half precision in full."""
        if not isinstance(output, torch.Tensor):
            return tree_map(self._full, output)
        return output.float() if output.dtype in (torch.bfloat16, torch.float16) else output

    def _detached(self, output: Any) -> Any:
        if isinstance(output, torch.Tensor):
            return output.detach()
        return tree_map(lambda leaf: leaf.detach(), output)
