"""The number of a prediction that is explained, and the network as a function of sequences."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from dlutil_core.common.errors import UserError
from dlutil_core.common.nested import tree_leaves

BATCH = 256
"""Sequences of one forward pass."""


class Target:
    """What is explained: one number per sequence.

    A network of one output is explained by it. Of classes, two are explained by the second output
    less the first, the log-odds of class 1, and more by the highest output of each sequence. Of
    several tasks (the columns of `multi_label` or of a regression, the parts of a dictionary) each
    is explained by its own output. `output` chooses one output instead. Outputs are those for the
    loss, such as logits, since probabilities flatten where a model is sure.

    Parameters
    ----------
    model
        The trained model; dropout is off.
    output
        Which output, from 0, or `None`.

    Raises
    ------
    UserError
        There are several tasks and `output` names none of them; see `tasks`.
    """

    def __init__(self, model: Any, output: int | None = None, name: str | None = None) -> None:
        self.model = model
        self.output = output
        self.name = name
        model.network.eval()

    def __call__(self, x: torch.Tensor, columns: torch.Tensor | None = None) -> torch.Tensor:
        """The numbers `(N,)` of sequences `(N, 4, 1, L)`; `columns` fixes outputs, see there."""
        outputs = self._outputs(x)
        if self.output is not None:
            if self.output >= outputs.shape[1]:
                raise UserError(
                    f"explain.output is {self.output}, but the network has {outputs.shape[1]} "
                    "outputs, counted from 0; choose one of them or leave it out"
                )
            return outputs[:, self.output]
        if outputs.shape[1] == 1:
            return outputs[:, 0]
        if not self.model.outputs_are_classes:
            raise UserError(
                f"the network has {outputs.shape[1]} tasks, which are explained one by one: choose "
                "one of them (explain.output), or Target.tasks"
            )
        if outputs.shape[1] == 2:
            return outputs[:, 1] - outputs[:, 0]
        if columns is None:
            return outputs.max(dim=1).values
        return outputs.gather(1, columns[:, None])[:, 0]

    def columns(self, x: torch.Tensor) -> torch.Tensor:
        """The highest output of each sequence, which stays the explained one as it is changed."""
        with torch.no_grad():
            parts = [self._outputs(part).argmax(dim=1) for part in x.split(BATCH)]
        return torch.cat(parts)

    def scores(self, x: torch.Tensor, columns: torch.Tensor | None = None) -> np.ndarray:
        """The same without gradients, in batches, as an array."""
        found = []
        with torch.no_grad():
            for start in range(0, len(x), BATCH):
                rows = slice(start, start + BATCH)
                found.append(self(x[rows], None if columns is None else columns[rows]))
        return np.asarray(torch.cat(found).cpu().numpy(), dtype=np.float64)

    def tasks(self, x: torch.Tensor) -> list[Target]:
        """The targets that are explained one after the other: this one, or one for each task."""
        with torch.no_grad():
            count = self._outputs(x[:BATCH]).shape[1]
        if self.output is not None or count == 1 or self.model.outputs_are_classes:
            return [self]
        names = self._names(x[:1])
        return [Target(self.model, k, names[k]) for k in range(count)]

    def _names(self, x: torch.Tensor) -> list[str]:
        """What each output is called: by its part of a dictionary, and by number."""
        with torch.no_grad():
            found = self.model.forward(x)[1]
        names = []
        for name, leaf in tree_leaves(found):
            columns = leaf[:1].numel()
            numbers = [""] if name and columns == 1 else [str(k) for k in range(columns)]
            names += [".".join(part for part in (name, number) if part) for number in numbers]
        return names

    def _outputs(self, x: torch.Tensor) -> torch.Tensor:
        """The outputs for the loss, `(N, K)`; those of a dictionary side by side."""
        found = self.model.forward(x)[1]
        parts = [leaf.float().reshape(len(x), -1) for _, leaf in tree_leaves(found)]
        return parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)

    @property
    def described(self) -> str:
        """What is explained, in words."""
        if self.name is not None:
            return f"task {self.name} of the network"
        if self.output is not None:
            return f"output {self.output} of the network"
        return "the network's output (of two classes the log-odds of class 1)"


def sequences(model: Any, loader: Any) -> torch.Tensor:
    """All inputs of a loader as one tensor `(N, 4, 1, L)` on the model's device.

    Raises
    ------
    UserError
        The inputs are not one-hot DNA or RNA.
    """
    parts = []
    for batch in loader:
        x = batch[0] if isinstance(batch, (tuple, list)) else batch
        parts.append(model.to_device(x))
        shape = tuple(getattr(parts[-1], "shape", ()))
        if len(shape) != 4 or shape[1:3] != (4, 1):
            told = f"of shape {shape}" if shape else f"a {type(parts[-1]).__name__}"
            raise UserError(
                f"explain.enabled is true, but the model's input is {told} and not one-hot "
                "sequences (N, 4, 1, L); set it to false"
            )
    if not parts or not sum(len(part) for part in parts):
        raise UserError("explain.enabled is true, but the loader gave no sequences; check the data")
    x = torch.cat(parts)
    if not bool(((x == 0) | (x == 1)).all()) or float(x.sum(dim=1).max()) > 1:
        raise UserError(
            "explain.enabled is true, but the model's inputs are not one-hot: each position must "
            "hold one 1 or none; set it to false"
        )
    return x
