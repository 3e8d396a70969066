"""What checkpoints, locks and worker processes cost, against the bare training loop.

    python benchmarks/checkpoints.py [--rounds 7] [--only regressor]

Both sides train the very same epochs of the same trials, inside one process that has loaded torch,
the definition and the data already. *Bare*: `Model.fit` rung by rung, all models kept in memory,
nothing written. *dlutil*: a bracket job as the workflow runs it, with one worker process, the lock
and the memo of each trial, and a checkpoint at each rung's end. They run in turn, round by round,
so that a busy machine slows both alike; ratios are taken within a round, and between the fastest
round of each side, which a busy machine disturbs least. Processor seconds count those of the worker
too.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ.setdefault("PYTHONPATH", str(ROOT))

from dlutil_core import plan, sampling  # noqa: E402
from dlutil_core.bracket import BracketRun  # noqa: E402
from dlutil_core.config import validated  # noqa: E402
from dlutil_core.outcome import Outcome, promoted, ranked  # noqa: E402
from dlutil_core.preprocess.pipeline import preprocess  # noqa: E402
from dlutil_core.seeding import seed_everything  # noqa: E402
from dlutil_core.session import Session, SessionSpec  # noqa: E402

Times = tuple[float, float]


@dataclass(frozen=True)
class Case:
    """An example, the search that is timed, and the ratio that it may have at most."""

    name: str
    folder: str
    max_epochs: int
    limit: float


CASES = [
    Case("regressor", "function_regressor", 27, 1.3),
    Case("CTCF", "conv_seq_classifier", 3, 1.15),
]


HEADER = (
    "example    epochs | wall: bare s, dlutil s, ratio (in rounds) | processor: bare s, dlutil s, "
    "ratio (in rounds) | at most | checkpoints"
)


def main(arguments: argparse.Namespace) -> None:
    print(HEADER)
    for case in CASES:
        if arguments.only in (None, case.name):
            with tempfile.TemporaryDirectory() as folder:
                measure(case, Path(folder), arguments.rounds)


def measure(case: Case, folder: Path, rounds: int) -> None:
    """Time one example and print its line."""
    session, document = prepared(case, folder)
    epochs = sum(plan.epochs_of(b) for b in plan.hyperband(case.max_epochs).brackets)
    bare_search(session, document)  # imports and caches
    bare: list[Times] = []
    ours: list[Times] = []
    for number in range(rounds):
        sides = [lambda: bare.append(timed(lambda: bare_search(session, document)))]
        trials = folder / f"trials-{number}"
        sides.append(lambda: ours.append(timed(lambda: search(session, document, trials))))  # noqa: B023
        for side in sides if number % 2 else reversed(sides):
            side()
        size = sum(p.stat().st_size for p in trials.rglob("*") if p.is_file())
        shutil.rmtree(trials)
    print(
        f"{case.name:<10} {epochs:>6} | {compared(bare, ours, 0)} | {compared(bare, ours, 1)}",
        end="",
    )
    print(f" | {case.limit} | {size / 2**20:.1f} MiB")


def compared(bare: list[Times], ours: list[Times], which: int) -> str:
    """The fastest round of each side and their ratio; the ratios within rounds."""
    ratios = sorted(o[which] / b[which] for o, b in zip(ours, bare, strict=True))
    fastest = [min(t[which] for t in side) for side in (bare, ours)]
    spread = f"({ratios[0]:.2f} to {ratios[-1]:.2f}, median {statistics.median(ratios):.2f})"
    return f"{fastest[0]:.2f}, {fastest[1]:.2f}, {fastest[1] / fastest[0]:.2f} {spread}"


def prepared(case: Case, folder: Path) -> tuple[Session, dict[str, Any]]:
    """The example's data, loaded, and its plan."""
    import yaml

    os.chdir(ROOT)
    example = ROOT / "examples" / case.folder
    config = validated(yaml.safe_load((example / "config.yaml").read_text()))
    section = config["preprocess"]
    if "command" in section:
        command = section["command"]["run"].replace("{data}", str(folder / "data"))
        (folder / "data").mkdir()
        words = [sys.executable if w == "python" else w for w in command.split()]
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
    else:
        preprocess(section, folder / "data", config["seed"])
    spec = SessionSpec(
        definition=str(example / "def.py"),
        data_dir=str(folder / "data"),
        batch_size=config["batch_size"],
        seed=config["seed"],
        device="cpu",
        trials_dir=str(folder / "trials"),
    )
    session = Session(spec)
    _ = session.loaders
    made = plan.hyperband(case.max_epochs)
    get_config = session.definition.module.get_config
    trials = sampling.sample_trials(get_config, made.trials, config["seed"])
    return session, sampling.plan_document(made, "hyperband", config["seed"], trials)


def bare_search(session: Session, document: dict[str, Any]) -> None:
    """Hyperband with nothing around `Model.fit`."""
    train, val = session.loaders
    for bracket in document["brackets"]:
        running = bracket["trials"]
        models: dict[int, Any] = {}
        rows: dict[int, list[dict[str, float]]] = {}
        before = 0
        rungs = bracket["rungs"]
        for i, rung in enumerate(rungs):
            for j in running:
                trial = document["trials"][j]
                if j not in models:
                    seed_everything(trial["seed"])
                    models[j], rows[j] = session.model(trial["config"]), []
                rows[j] += models[j].fit(
                    train, val, rung["epochs"], first_epoch=before + 1, seed=trial["seed"]
                )
            order = ranked([Outcome(j, rows[j]) for j in running])
            before = rung["epochs"]
            running = promoted(order, rungs[i + 1]["trials"] if i + 1 < len(rungs) else 0)


def search(session: Session, document: dict[str, Any], trials: Path) -> None:
    """The same search as bracket jobs run it, one after the other."""
    session.spec = replace(session.spec, trials_dir=str(trials))
    for bracket in document["brackets"]:
        BracketRun(session, document, bracket["bracket"], workers=1).run()


def timed(function: Callable[[], None]) -> Times:
    """Wall and processor seconds of a call, those of ended worker processes included."""
    began = time.perf_counter(), processor_seconds()
    function()
    return time.perf_counter() - began[0], processor_seconds() - began[1]


def processor_seconds() -> float:
    """Seconds of this process and of its children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", choices=[case.name for case in CASES])
    main(parser.parse_args())
