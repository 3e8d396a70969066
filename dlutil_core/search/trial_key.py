"""What a trial's result depends on, as one hash, and the folder of its memo."""

from __future__ import annotations

import json
import os
from pathlib import Path

from dlutil_core.common import result_folder
from dlutil_core.common.hashes import sha256_text
from dlutil_core.common.version import package_versions
from dlutil_core.job.loaded_run import LoadedRun
from dlutil_core.job.run_spec import RESULT_VERSION, TRAINING_PACKAGES, hashed_env
from dlutil_core.search.plan import Trial
from dlutil_core.search.trial_folder import TrialFolder
from dlutil_core.search.trial_reads import TrialReads


def trial_key(loaded: LoadedRun, trial: Trial) -> str:
    """Hash of all that a trial's result depends on, but for what it reads (`TrialReads`)."""
    spec = loaded.spec
    parts = {
        "fingerprint": spec.fingerprint,
        "config": trial.config,
        "trial_seed": trial.seed,
        "run_seed": spec.seed,
        "batch_size": spec.batch_size,
        "threads": spec.threads,
        "device": loaded.device_kind,
        "options": spec.options.identity(),
        "env_sha256": hashed_env(spec.env, os.environ),
        "packages": package_versions(TRAINING_PACKAGES),
        "result_version": RESULT_VERSION,
    }
    return sha256_text(json.dumps(parts, sort_keys=True))


def memo_of(loaded: LoadedRun, trial: Trial) -> TrialFolder:
    """The memo folder of a trial of the plan."""
    folder = Path(loaded.spec.trials_dir) / result_folder.trial_name(trial.number)
    return TrialFolder(folder, trial_key(loaded, trial), trial, TrialReads(loaded))
