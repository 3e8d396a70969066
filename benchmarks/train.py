"""Training: samples a second of `BaseModel.fit` beside hand-written loops, Lightning and skorch.

    python benchmarks/train.py [--quick] [--rounds 60] [--seconds 200] [--threads 1 2]

All contestants train the same network with the same optimizer on the same data in one process, in
turn. The bare loop indexes with `randperm` and computes no metrics; `fit` computes the contract's
metrics of every batch. 'prepared batches' is the floor: no indexing at all. 'fit with MotifScan'
looks the filters' responses up, which the others convolve.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import harness

harness.use_repository()

import numpy as np  # noqa: E402
import torch  # noqa: E402
from torch import nn, optim  # noqa: E402
from torch.utils.data import DataLoader, TensorDataset  # noqa: E402

from dlutil_core import base_model, batch_generator  # noqa: E402

BATCH = 100
PEER_EVERY = 3
"""Peers are slower and no goal is about them: they run in every third round."""
EVALUATIONS = 3
"""Passes of an evaluation, which are short."""
SCAN = "fit with MotifScan"
TRAINER_EPOCHS = 4
"""Epochs of a Lightning run, so that what it sets up before the first counts less."""

Batches = Callable[[], Iterator[tuple[torch.Tensor, torch.Tensor]]]


class Regression(base_model.RegressionModel):
    """A dense network 10-10-20-1, with mse and pearson of every batch."""

    def init_model(self) -> None:  # type: ignore[override]
        layers = [nn.Linear(10, 10), nn.ReLU(), nn.Linear(10, 20), nn.ReLU(), nn.Linear(20, 1)]
        network = nn.Sequential(*layers, nn.Flatten(0))
        super().init_model(network, optim.Adam(network.parameters(), lr=1e-3))

    def get_hyperband_reward(self, result: Any) -> float:
        return -float(result["train_loss"])


class Convolution(base_model.ClassificationModel):
    """128 filters of width 24 on 101 bp of DNA, with the accuracy of every batch."""

    def features(self) -> nn.Module:
        return nn.Sequential(nn.Conv2d(4, 128, (1, 24)), nn.ReLU(), nn.AdaptiveMaxPool2d(1))

    def init_model(self) -> None:  # type: ignore[override]
        classifier = nn.Sequential(nn.Linear(128, 32), nn.ReLU(), nn.Linear(32, 2))
        network = base_model.ConvClassificationNetwork(self.features(), classifier)
        super().init_model(network, optim.Adam(network.parameters(), lr=1e-3))

    def get_hyperband_reward(self, result: Any) -> float:
        return -float(result["train_loss"])


class Scan(Convolution):
    """The same network, its filters' responses looked up."""

    def features(self) -> nn.Module:
        return base_model.MotifScan(128, 24)


class Logits(nn.Module):
    """A network's output for the loss, where a tool wants it alone."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        found = self.network(x)
        return found["y_pred_loss"] if isinstance(found, dict) else found


class Task:
    """A model, its data and its loss."""

    def __init__(self, name: str, model: type, samples: int, device: str) -> None:
        self.name, self.model, self.samples, self.device = name, model, samples, device
        generator = np.random.default_rng(1)
        if model is Regression:
            self.x = generator.random((samples, 10), dtype=np.float32)
            self.y = generator.random(samples, dtype=np.float32)
            self.criterion: nn.Module = nn.MSELoss()
        else:
            letters = generator.integers(0, 4, (samples, 1, 101))
            onehot = np.eye(4, dtype=np.float32)[letters]
            self.x = np.ascontiguousarray(onehot.transpose(0, 3, 1, 2))
            self.y = generator.integers(0, 2, samples)
            self.criterion = nn.CrossEntropyLoss()
        self.x_t = torch.from_numpy(self.x).to(device)
        self.y_t = torch.from_numpy(self.y).to(device)

    def made(self, model: type | None = None) -> Any:
        """A new model; all contestants begin alike."""
        torch.manual_seed(1)
        return (model or self.model)({}, device=self.device)


def hand_written(task: Task, batches: Batches) -> Callable[[], object]:
    """The loop that an expert writes by hand, over batches of tensors."""
    model = task.made()
    network, optimizer = Logits(model.network), model.optimizer

    def epoch() -> None:
        network.train()
        for x, y in batches():
            optimizer.zero_grad()
            loss = task.criterion(network(x), y)
            loss.backward()
            optimizer.step()
        wait(task)

    return epoch


def wait(task: Task) -> None:
    if task.device == "cuda":
        torch.cuda.synchronize()


def indexed(task: Task) -> Batches:
    """Batches by indexing with a random permutation."""

    def batches() -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        for rows in torch.randperm(task.samples, device=task.device).split(BATCH):
            yield task.x_t[rows], task.y_t[rows]

    return batches


def prepared(task: Task) -> Batches:
    """Always the same batches, made before."""
    made = list(zip(task.x_t.split(BATCH), task.y_t.split(BATCH), strict=True))
    return lambda: iter(made)


def data_loader(task: Task, workers: int) -> Batches:
    """torch's own loader."""
    dataset = TensorDataset(task.x_t.cpu(), task.y_t.cpu())
    loader = DataLoader(
        dataset, BATCH, shuffle=True, num_workers=workers, persistent_workers=workers > 0
    )

    def batches() -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        for x, y in loader:
            yield x.to(task.device), y.to(task.device)

    return batches


def fit(task: Task, kind: type | None = None) -> Callable[[], object]:
    """dlutil, metrics included."""
    model = task.made(kind)
    data = batch_generator.MatrixBatchGenerator(task.x, task.y, BATCH, shuffle=True)
    return lambda: model.fit(data)


def evaluation(task: Task) -> tuple[Callable[[], object], Callable[[], object]]:
    """dlutil's evaluation with its metrics, and what it is held to, training's forward half."""
    model, bare = task.made(), task.made()
    network = Logits(bare.network)
    data = batch_generator.MatrixBatchGenerator(task.x, task.y)
    batches = list(zip(task.x_t.split(BATCH), task.y_t.split(BATCH), strict=True))

    def forward() -> None:
        network.train()
        for x, y in batches:
            task.criterion(network(x), y)
        wait(task)

    many = range(EVALUATIONS)
    return lambda: [model.evaluate(data) for _ in many], lambda: [forward() for _ in many]


def lightning(task: Task) -> Callable[[], object]:
    """Lightning's Trainer, with logging, checkpoints and the progress bar off."""
    import lightning as pl

    model = task.made()

    class Module(pl.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.network = Logits(model.network)

        def training_step(self, batch: Any, _: int) -> torch.Tensor:
            return task.criterion(self.network(batch[0]), batch[1])

        def configure_optimizers(self) -> Any:
            return optim.Adam(self.network.parameters(), lr=1e-3)

    loader = DataLoader(TensorDataset(task.x_t.cpu(), task.y_t.cpu()), BATCH, shuffle=True)
    module = Module()
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    off = ("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary")

    def epoch() -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            accelerator = "gpu" if task.device == "cuda" else "cpu"
            options: dict[str, Any] = dict.fromkeys(off, False)
            options |= {"max_epochs": TRAINER_EPOCHS, "accelerator": accelerator, "devices": 1}
            pl.Trainer(**options).fit(module, loader)

    return epoch


def skorch(task: Task) -> Callable[[], object]:
    """skorch's NeuralNet, without its printing and validation."""
    from skorch import NeuralNet

    net = NeuralNet(
        Logits(task.made().network),
        criterion=type(task.criterion),
        optimizer=optim.Adam,
        lr=1e-3,
        batch_size=BATCH,
        max_epochs=1,
        iterator_train__shuffle=True,
        train_split=None,
        verbose=0,
        device=task.device,
    ).initialize()
    return lambda: net.partial_fit(task.x, task.y)


def contestants(task: Task, peers: list[str]) -> list[harness.Contestant]:
    """Everyone on one task: the bare loop first."""

    def one(name: str, run: Callable[[], object], every: int = 1) -> harness.Contestant:
        return harness.Contestant(name, run, task.samples, every)

    made = [
        one("bare loop", hand_written(task, indexed(task))),
        one("fit", fit(task)),
        *([one(SCAN, fit(task, Scan))] if task.model is Convolution else []),
        one("prepared batches", hand_written(task, prepared(task))),
        one("DataLoader, 0 workers", hand_written(task, data_loader(task, 0)), PEER_EVERY),
        one("DataLoader, 2 workers", hand_written(task, data_loader(task, 2)), PEER_EVERY),
    ]
    if "lightning" in peers:
        made.append(one("Lightning", lightning(task), PEER_EVERY))
        made[-1].amount *= TRAINER_EPOCHS
    if "skorch" in peers:
        made.append(one("skorch", skorch(task), PEER_EVERY))
    mine, bare = evaluation(task)
    made += [one("evaluate", mine), one("training's forward", bare)]
    for passes in made[-2:]:
        passes.amount *= EVALUATIONS
    return made


def measure(
    task: Task, threads: int, rounds: int, seconds: float, peers: list[str], bound: float
) -> None:
    """Race on one task and print the table and the goals."""
    torch.set_num_threads(threads)
    everyone = contestants(task, peers)
    rounds = harness.race(everyone, rounds, seconds)
    named = {one.name: one for one in everyone}
    bare = named["bare loop"]
    title = f"{task.name}, {threads} thread{'s' if threads > 1 else ''}"
    print(f"\n{title}, {task.device}, {rounds} rounds of {task.samples:,} samples")
    harness.print_speeds(everyone, bare, "samples/s")
    speeds = harness.speed_ratios(named["fit"], bare)
    harness.goal(f"{title}: fit, of the bare loop", speeds, bound, at_least=True)
    if SCAN in named and task.device == "cpu" and threads == 1:
        faster = harness.speed_ratios(named[SCAN], bare)
        harness.goal(f"{title}: {SCAN}, of the bare loop", faster, 3.2, at_least=True)
    forward = harness.speed_ratios(named["evaluate"], named["training's forward"])
    harness.goal(f"{title}: evaluate, of training's forward", forward, 0.9, at_least=True)


def main() -> None:
    parser = harness.parser(__doc__, rounds=60, seconds=200)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument(
        "--no-peers", action="store_true", help="only hand-written loops and dlutil"
    )
    arguments = parser.parse_args()
    harness.print_versions("torch", "numpy", "lightning", "skorch")
    peers = [] if arguments.no_peers else harness.installed("lightning", "skorch")
    places = [("cpu", threads) for threads in arguments.threads]
    if torch.cuda.is_available():
        print(torch.cuda.get_device_name())
        places.append(("cuda", 1))
    seconds = (30 if arguments.quick else arguments.seconds) / (2 * len(places))
    for device, threads in places:
        scale = 1 if device == "cpu" else 10
        dense = Task("MLP 10-10-20-1", Regression, 5_000 * scale, device)
        measure(dense, threads, arguments.rounds, seconds, peers, bound=0.9)
        convolution = Task("convolution 128x24", Convolution, 1_000 * scale, device)
        measure(convolution, threads, arguments.rounds, seconds, peers, bound=0.97)


if __name__ == "__main__":
    main()
