"""Which search fits into some hours: `dlutil plan CONFIG --hours H --cores N`.

Two trials are trained for two epochs each, in a folder that is thrown away; how long they took is
kept, so that asking again takes no training.
"""

from __future__ import annotations

import argparse
import shlex
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from dlutil_core.common.errors import UserError
from dlutil_core.common.hash_memory import HashMemory
from dlutil_core.common.identity import Identity, Present
from dlutil_core.common.logs import log
from dlutil_core.common.reads import Read
from dlutil_core.common.result_folder import MEASURED
from dlutil_core.common.seeds import trial_seed
from dlutil_core.common.wording import counted
from dlutil_core.job.devices import visible_devices
from dlutil_core.job.loaded_run import LoadedRun, resolved_device
from dlutil_core.job.run_spec import RunSpec
from dlutil_core.job.times import Expected, processor
from dlutil_core.run.arguments import add_run_arguments, run_arguments, run_spec_of
from dlutil_core.run.checks import check
from dlutil_core.run.job_sizes import JobSizes
from dlutil_core.run.run_config import RunConfig
from dlutil_core.search.outcome import Outcome
from dlutil_core.search.plan import FIXED, Bracket, Schedule, Trial, schedule
from dlutil_core.search.sampling import sample_configs
from dlutil_core.search.trial_folder import EpochRow
from dlutil_core.watch.text import duration

EPOCHS = 2
"""The last one is measured: the first one also warms up."""

MEASURED_TRIALS = 2
LONG = 10.0
"""Seconds of an epoch from which on one trial is enough."""

TRIED = 5
"""Trials that are tried until so many did not fail."""

MOST_EPOCHS = 10**5


@dataclass(frozen=True)
class Measured:
    """How long a trial takes.

    Parameters
    ----------
    epoch
        Seconds of an epoch, with its validation.
    around
        Seconds of a trial in a rung beside its epochs: of making its model and storing it.
    start
        Seconds until a job trains: of loading the definition and the data.
    """

    epoch: float
    around: float
    start: float


def hours_text(config: dict[str, Any], hours: float, cores: int) -> str:
    """The largest search that fits, with the line for the config.

    Parameters
    ----------
    config
        The config, not validated.
    hours
        How long the search may take.
    cores
        How many cores it has.
    """
    run = RunConfig(config)
    if not hours > 0 or not cores >= 1:
        raise UserError(f"--hours is {hours:g} and --cores {cores}, but both must be above 0")
    if not run.trains or run.search["method"] == FIXED:
        raise UserError(
            f"--hours: search.method is {run.search['method']}, which searches nothing; set "
            "hyperband or staged"
        )
    run.set_environment()
    check(run)
    found = measured(run)
    fitting = largest(run, found, 3600 * hours, cores)
    first = (
        f"An epoch of a trial takes about {found.epoch:.3g} s, a job's start {found.start:.2g} s."
    )
    head = f"{hours:g} h on {counted(cores, 'core')}"
    if not fitting:
        needed = duration(seconds_of(run, _planned(run, 1), found, cores))
        return f"{first}\n{head}: not even max_epochs: 1 fits, which takes about {needed}.\n"
    told = []
    for made in fitting:
        seconds = seconds_of(run, made, found, cores)
        told.append(Expected(made.settings, cores, seconds))
    Expected.write(run.result, told)
    return "\n".join([first, head + ":", "", *_lines(fitting, told)]) + "\n"


def _lines(fitting: list[Schedule], told: list[Expected]) -> Iterator[str]:
    for made, expected in zip(fitting, told, strict=True):
        line = ", ".join(f"{name}: {value}" for name, value in made.settings.items())
        yield (
            f"    search: {{{line}}}  # about "
            f"{duration(expected.seconds)}, {counted(made.trial_count, 'trial')}, "
            f"{counted(made.epochs, 'epoch')}"
        )
    if len(fitting) > 1:
        yield ""
        yield f"The first is the largest that fits, the second grows to {fitting[-1].eta} times it."


def largest(run: RunConfig, found: Measured, seconds: float, cores: int) -> list[Schedule]:
    """The largest search that takes so many seconds at most, and the largest power of eta.

    Returns
    -------
    One of them where they are the same, none where nothing fits.
    """
    eta = run.search["eta"]
    best: Schedule | None = None
    power: Schedule | None = None
    epochs, next_power = 1, 1
    while epochs <= MOST_EPOCHS and (best is None or epochs <= eta * eta * best.max_epochs):
        made = _planned(run, epochs)
        if seconds_of(run, made, found, cores) <= seconds:
            best = made
            power = made if epochs == next_power else power
        elif best is None:
            return []
        if epochs == next_power:
            next_power *= eta
        epochs = min(epochs + max(1, epochs // 100), max(next_power, epochs + 1))
    made_all = [made for made in (best, power) if made is not None]
    return made_all[:1] if best is power else made_all


def _planned(run: RunConfig, max_epochs: int) -> Schedule:
    search = run.search
    return schedule(search["method"], max_epochs, search["eta"], search["sampler"])


def seconds_of(run: RunConfig, made: Schedule, found: Measured, cores: int) -> float:
    """How long a search takes on so many cores, with brackets or stages as jobs.

    On GPUs as many trials are trained side by side as the config lets share them.
    """
    sizes = JobSizes(dict(run.values), made)
    threads = min(cores, sizes.bracket_threads(cores))
    workers = max(1, threads // sizes.trial_threads)
    places = int(run.values["trials_per_gpu"]) * len(_gpus(run))
    if places:
        workers = min(workers, places)
    jobs = [found.start + _trained(b, workers, found) for b in made.brackets]
    if made.is_staged:
        spared = max(0, len(sizes.opening) - 1) * found.start
        return sum(jobs) - spared
    ends = [0.0] * max(1, cores // threads)
    for seconds in sorted(jobs, reverse=True):
        ends[ends.index(min(ends))] += seconds
    least = found.epoch * made.epochs / places if places else 0.0
    return max(*ends, least)


def _gpus(run: RunConfig) -> list[str]:
    """The devices that train; none where a CPU does."""
    return [] if resolved_device(run.values["device"]) == "cpu" else visible_devices()


def _trained(bracket: Bracket, workers: int, found: Measured) -> float:
    """Seconds that a bracket's busiest worker trains."""
    return sum(
        -(-rung.trials // workers) * (rung.new_epochs * found.epoch + found.around)
        for rung in bracket.rungs
    )


def measured(run: RunConfig) -> Measured:
    """Seconds of an epoch and of a job's start: those that are kept, or measured now."""
    names = run.files.of_stage("train")
    absent = [name for name in names if not Path(run.data, name).exists()]
    if absent:
        raise UserError(
            f"{run.data}/{absent[0]}: is not there yet, so that no epoch can be measured; make it "
            "first: dlutil run CONFIG -- --until plan"
        )
    parser = argparse.ArgumentParser()
    add_run_arguments(parser)
    spec = run_spec_of(parser.parse_args(shlex.split(run_arguments(run, "train"))))
    state = {
        "fingerprint": spec.fingerprint,
        "options": spec.options.identity(),
        "env_sha256": run.env_sha256,
        "run": [spec.seed, spec.batch_size, spec.threads, processor(), _gpus(run)],
    }
    path = Path(run.result, MEASURED)
    kept = _kept(run, path, state)
    return kept if kept is not None else _measured_now(run, spec, path, state)


def _kept(run: RunConfig, path: Path, state: dict[str, Any]) -> Measured | None:
    """What was measured before, if all that it depends on is what it was."""
    found, memory = Identity.read(path), HashMemory()
    if found is None or not isinstance(told := found.part.get("measured"), dict):
        return None
    then = {key: value for key, value in found.part.items() if key != "measured"}
    present = Present(run.places, memory)
    differs = present.difference(replace(found, part=then), state, (), ())
    memory.save()
    return None if differs else Measured(**told)


def _measured_now(run: RunConfig, spec: RunSpec, path: Path, state: dict[str, Any]) -> Measured:
    """Measure it, and keep it with the files that were read."""
    with tempfile.TemporaryDirectory() as folder:
        loaded = LoadedRun(replace(spec, trials_dir=folder, tensorboard=""))
        with loaded.on_device():
            found = _measure(loaded)
        reads = {Read(run.places.named(r.path), r.kind, r.sha256) for r in loaded.reads()}
    path.parent.mkdir(parents=True, exist_ok=True)
    Identity(state | {"measured": asdict(found)}, reads=tuple(sorted(reads))).write(path)
    return found


def _measure(loaded: LoadedRun) -> Measured:
    """Train two trials, the first of which also warms up; one, where epochs are long."""
    began = time.monotonic()
    from dlutil_core.search.trainer import Trainer

    definition = loaded.definition
    get_config = definition.get("get_config", "the search")
    seed = loaded.spec.seed
    configs = sample_configs(lambda: definition.call("get_config", get_config), TRIED, seed)
    _ = loaded.loaders
    start = time.monotonic() - began
    log.info("measuring an epoch")
    failed: list[Outcome] = []
    epochs: list[float] = []
    ends: list[float] = []

    def note(_: int, __: EpochRow) -> None:
        ends.append(time.monotonic())

    trainer = Trainer(loaded, note)
    for number, config in enumerate(configs):
        ends[:] = [time.monotonic()]
        found = trainer.train(Trial(number, trial_seed(seed, number), config, 0), EPOCHS, True)
        if found.failed:
            failed.append(found)
            continue
        epochs.append(ends[-1] - ends[-2])
        around = time.monotonic() - ends[0] - EPOCHS * epochs[-1]
        if len(epochs) == MEASURED_TRIALS or epochs[-1] > LONG:
            around = around if len(epochs) > 1 else 0.0
            return Measured(sum(epochs) / len(epochs), max(0.0, around), start)
    if epochs:
        return Measured(epochs[0], 0.0, start)
    raise UserError(
        f"no epoch can be measured: the first {TRIED} trials failed; the first of them "
        f"{failed[0].status.replace('-', ' ')}: {failed[0].message}"
    )
