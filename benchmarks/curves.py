"""Tables of learning curves: the rewards of every configuration of a space, after every epoch.

    python benchmarks/curves.py [NAME …] [--epochs 81]

A search on a table sees what it would see if it trained, without training, so that hundreds of
searches take minutes. The networks of one shape are trained side by side, as stacks of weights.
Tables are kept in `build/curves`, a few minutes' work in all; nothing of them is committed.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import harness

harness.use_repository()

import numpy as np  # noqa: E402
import problems  # noqa: E402
import torch  # noqa: E402
from numpy.typing import NDArray  # noqa: E402
from problems import Problem  # noqa: E402
from torch import Tensor  # noqa: E402

FOLDER = harness.ROOT / "build" / "curves"
BATCH = 50
SIDE_BY_SIDE = 96
"""Networks in a stack."""
SIZES = (12, 25, 50, 100, 200, 400)
"""How many validation records a reward may be of."""


@dataclass(frozen=True)
class Table:
    """The rewards (minus the mean loss) of all configurations of a space.

    `val` has the shape (sizes, configurations, epochs): of the first so many validation records.
    `test` has (configurations, epochs).
    """

    problem: Problem
    sizes: tuple[int, ...]
    val: NDArray[np.float32]
    test: NDArray[np.float32]

    @property
    def configs(self) -> list[dict[str, Any]]:
        """The configurations in the order of the rows."""
        return grid(self.problem)


def grid(problem: Problem) -> list[dict[str, Any]]:
    """All configurations of a problem's space."""
    names = list(problem.space)
    values = [domain.values for domain in problem.space.values()]  # type: ignore[union-attr]
    return [dict(zip(names, one, strict=True)) for one in itertools.product(*values)]


class Stack:
    """Networks of one shape, each with its own configuration; all see the same batches.

    Parameters
    ----------
    configs
        Their configurations, all of one `hidden`, or `filters` and `width`.
    shape
        Of a record's inputs.
    outputs
        Classes, or 1 for a number.
    seed
        Of first weights and dropout.
    """

    def __init__(
        self, configs: list[dict[str, Any]], shape: tuple[int, ...], outputs: int, seed: int
    ) -> None:
        self.random = torch.Generator().manual_seed(seed)
        first = configs[0]
        self.width = first.get("width", 0)
        hidden = first["filters"] if self.width else first["hidden"]
        inputs = shape[0] * self.width if self.width else shape[0]
        sizes = [inputs, hidden, 20, outputs]
        self.weights: list[Tensor] = []
        for below, above in itertools.pairwise(sizes):
            for size in ((below, above), (1, above)):
                bound = below**-0.5
                drawn = torch.rand(len(configs), *size, generator=self.random)
                self.weights.append(((2 * drawn - 1) * bound).requires_grad_())
        self.rate, self.decay, self.dropout = (
            torch.tensor([config[name] for config in configs]).view(-1, 1, 1)
            for name in ("learning_rate", "weight_decay", "dropout")
        )
        tanh = [config.get("activation") == "tanh" for config in configs]
        self.tanh = torch.tensor(tanh).view(-1, 1, 1)
        self.moments = [(torch.zeros_like(w), torch.zeros_like(w)) for w in self.weights]
        self.steps = 0

    def __call__(self, x: Tensor, training: bool = False) -> Tensor:
        """Outputs of shape (networks, records, outputs)."""
        w = self.weights
        hidden = self._motifs(x) if self.width else torch.matmul(x, w[0]) + w[1]
        hidden = self._active(hidden)
        hidden = self._active(torch.bmm(self._dropped(hidden, training), w[2]) + w[3])
        return torch.bmm(hidden, w[4]) + w[5]

    def _motifs(self, x: Tensor) -> Tensor:
        """How well each filter fits, at its best place of either strand."""
        filters = self.weights[0]
        windows = x.unfold(2, self.width, 1).permute(0, 2, 1, 3).flatten(2)  # (N, places, 4 width)
        count, _, many = filters.shape
        both = filters.view(count, 4, self.width, many)
        both = torch.cat([both, both.flip(1, 2)], 3).flatten(1, 2)  # (count, 4 width, 2 many)
        found = windows @ both.transpose(0, 1).flatten(1)  # (N, places, count · 2 many)
        best = found.amax(1).view(len(x), count, 2, many).amax(2)
        return best.transpose(0, 1) + self.weights[1]

    def _active(self, values: Tensor) -> Tensor:
        if not self.tanh.any():
            return values.relu()
        return torch.where(self.tanh, values.tanh(), values.relu())

    def _dropped(self, values: Tensor, training: bool) -> Tensor:
        if not training:
            return values
        kept = torch.rand(values.shape, generator=self.random) >= self.dropout
        return values * kept / (1 - self.dropout)

    def train_batch(self, x: Tensor, y: Tensor) -> None:
        """A step of Adam (Kingma and Ba 2015), each network with its own rate."""
        losses = losses_of(self(x, training=True), y)
        gradients = torch.autograd.grad(losses.mean(1).sum(), self.weights)
        self.steps += 1
        first, second = 0.9, 0.999
        with torch.no_grad():
            for w, gradient, (mean, square) in zip(
                self.weights, gradients, self.moments, strict=True
            ):
                gradient = gradient + self.decay * w
                mean.mul_(first).add_(gradient, alpha=1 - first)
                square.mul_(second).addcmul_(gradient, gradient, value=1 - second)
                step = (mean / (1 - first**self.steps)) / (
                    (square / (1 - second**self.steps)).sqrt() + 1e-8
                )
                w -= self.rate * step


def losses_of(outputs: Tensor, y: Tensor) -> Tensor:
    """The loss of each record, shape (networks, records)."""
    if y.is_floating_point():
        return (outputs[:, :, 0] - y) ** 2
    chances = outputs.log_softmax(2)
    return -chances.gather(2, y.expand(len(outputs), -1)[:, :, None])[:, :, 0]


def trained(problem: Problem, epochs: int) -> Table:
    """Train all configurations of a problem for so many epochs."""
    assert problem.records is not None
    records, configs = problem.records(), grid(problem)
    end = problem.training + problem.validating
    sets = [records.part(0, problem.training), records.part(problem.training, end)]
    train, val, test = (
        (torch.from_numpy(one.inputs), torch.from_numpy(one.labels))
        for one in (*sets, records.part(end, len(records.labels)))
    )
    sizes = tuple(size for size in SIZES if size <= problem.validating)
    outputs = 1 if records.labels.dtype.kind == "f" else int(records.labels.max()) + 1
    val_rewards = np.zeros((len(sizes), len(configs), epochs), np.float32)
    test_rewards = np.zeros((len(configs), epochs), np.float32)
    for rows in alike(configs):
        some_configs = [configs[row] for row in rows]
        stack = Stack(some_configs, records.inputs.shape[1:], outputs, seed=rows[0])
        for epoch in range(epochs):
            order = torch.randperm(problem.training, generator=torch.Generator().manual_seed(epoch))
            for some in order.split(BATCH):
                stack.train_batch(train[0][some], train[1][some])
            with torch.no_grad():
                losses = losses_of(stack(val[0]), val[1])
                for place, size in enumerate(sizes):
                    val_rewards[place, rows, epoch] = -losses[:, :size].mean(1)
                test_rewards[rows, epoch] = -losses_of(stack(test[0]), test[1]).mean(1)
    return Table(problem, sizes, val_rewards, test_rewards)


def alike(configs: list[dict[str, Any]]) -> Iterator[list[int]]:
    """Rows of configurations of one shape, not too many at a time."""

    def shape(row: int) -> tuple[int, int]:
        config = configs[row]
        return config.get("hidden", config.get("filters")), config.get("width", 0)

    for _, group in itertools.groupby(sorted(range(len(configs)), key=shape), shape):
        rows = list(group)
        yield from (rows[k : k + SIDE_BY_SIDE] for k in range(0, len(rows), SIDE_BY_SIDE))


def late_bloomers(epochs: int) -> Table:
    """The table of a formula: what is tested is what was validated."""
    problem = problems.LATE_BLOOMERS
    curves = problems.late_curves(grid(problem), epochs)
    return Table(problem, (0,), curves[None], curves)


def table(problem: Problem, epochs: int) -> Table:
    """A problem's table of so many epochs: the one that is kept, or made now."""
    if not problem.is_real:
        return late_bloomers(epochs)
    programs = (Path(__file__), Path(problems.__file__))
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in programs)).hexdigest()
    path = FOLDER / f"{problem.name.replace(' ', '_')}-{epochs}-{digest[:12]}.npz"
    if not path.exists():
        print(f"training the curves of {problem.name}", flush=True)
        began = time.perf_counter()
        made = trained(problem, epochs)
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path.with_suffix(".part.npz"), sizes=made.sizes, val=made.val, test=made.test)
        path.with_suffix(".part.npz").replace(path)
        print(f"{len(made.configs):,} trials in {time.perf_counter() - began:.0f} s", flush=True)
    with np.load(path) as found:
        sizes = tuple(int(size) for size in found["sizes"])
        return Table(problem, sizes, found["val"], found["test"])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    names = [problem.name for problem in problems.PROBLEMS]
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(names)}; all")
    parser.add_argument("--epochs", type=int, default=81)
    arguments = parser.parse_args()
    wanted = arguments.names or names
    torch.set_num_threads(1)
    for problem in problems.PROBLEMS:
        if problem.name in wanted:
            made = table(problem, min(arguments.epochs, problem.epochs))
            best = made.val[-1].max()
            told = f"best reward {best:.4g}, median {np.median(made.val[-1].max(1)):.4g}"
            print(f"{problem.name}: {len(made.configs):,} configurations, {told}")


if __name__ == "__main__":
    main()
