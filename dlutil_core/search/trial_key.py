"""What a trial's result depends on, as one hash, and the folder of its memo."""

from __future__ import annotations

import json
from functools import cache
from importlib.metadata import version
from pathlib import Path

from dlutil_core.common import result_folder
from dlutil_core.common.hashes import sha256_text
from dlutil_core.job.loaded_run import LoadedRun
from dlutil_core.job.run_spec import RESULT_VERSION
from dlutil_core.search.plan import Trial
from dlutil_core.search.trial_folder import TrialFolder


def trial_key(loaded: LoadedRun, trial: Trial) -> str:
    """Hash of everything that a trial's result depends on."""
    spec = loaded.spec
    parts = {
        "fingerprint": spec.fingerprint,
        "data": spec.train_digest,
        "config": trial.config,
        "trial_seed": trial.seed,
        "run_seed": spec.seed,
        "batch_size": spec.batch_size,
        "threads": spec.threads,
        "device": loaded.device_kind,
        "options": spec.options.identity(),
        "env": spec.env,
        "torch": torch_version(),
        "result_version": RESULT_VERSION,
    }
    return sha256_text(json.dumps(parts, sort_keys=True))


def memo_of(loaded: LoadedRun, trial: Trial) -> TrialFolder:
    """The memo folder of a trial of the plan."""
    folder = Path(loaded.spec.trials_dir) / result_folder.trial_name(trial.number)
    return TrialFolder(folder, trial_key(loaded, trial), trial)


@cache
def torch_version() -> str:
    """The version of torch, without importing it; looked up once, since it takes 2 ms."""
    return version("torch").partition("+")[0]
