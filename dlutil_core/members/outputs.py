"""What the test of a member left: its labels and predictions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dlutil_core.common import result_folder as names
from dlutil_core.common.nested import tree_of_leaves
from dlutil_core.members.repeat import Member


@dataclass(frozen=True)
class Outputs:
    """Labels and predictions of a member's test, and the names of classes where they are known."""

    arrays: tuple[Any, Any]
    classes: np.ndarray | None


def read_outputs(result: Path, member: Member) -> Outputs:
    """From `outputs.npz` in the member's folder."""
    path = result / names.member(member.fold, member.seed) / "outputs.npz"
    with np.load(path) as arrays:
        trees = []
        for part in ("y_true", "y_pred"):
            kept = [name for name in arrays.files if name.partition(".")[0] == part]
            trees.append(tree_of_leaves({name.partition(".")[2]: arrays[name] for name in kept}))
        return Outputs((trees[0], trees[1]), arrays.get("classes"))
