"""What a result came from: versions, fingerprints, hashes; nothing that cannot change a result."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from dlutil_core.common.identity import Places
from dlutil_core.common.reads import FILE, Read
from dlutil_core.common.version import __version__, package_versions
from dlutil_core.job.run_spec import RESULT_VERSION, RunSpec, hashed_env
from dlutil_core.search.plan import Plan

PACKAGES = ("python", "torch", "numpy", "h5py")


def data_sha256(reads: Iterable[Read], data_dir: str) -> dict[str, str]:
    """Hashes of the files below the data folder that were read, by name."""
    start = os.path.abspath(data_dir).rstrip("/") + "/"
    files = (read for read in reads if read.kind == FILE and read.path.startswith(start))
    return {read.path.removeprefix(start): read.sha256 for read in sorted(files)}


def training_provenance(
    spec: RunSpec, plan: Plan, plan_sha256: str, data: dict[str, str]
) -> dict[str, Any]:
    """The content of `best/provenance.json`.

    Parameters
    ----------
    spec
        The run; paths and cores are left out.
    plan, plan_sha256
        The search and the hash of `search/plan.json`.
    data
        Hashes of the training files by name.
    """
    return {
        "dlutil": __version__,
        "result_version": RESULT_VERSION,
        "versions": package_versions(PACKAGES),
        "config": {
            "seed": spec.seed,
            "batch_size": spec.batch_size,
            "device": spec.device,
            "threads_per_trial": spec.threads,
            "search": {"method": plan.method, "max_epochs": plan.max_epochs, "eta": plan.eta},
            "options": spec.options.identity(),
            "env_sha256": hashed_env(spec.env, os.environ),
        },
        "definition": {"train": spec.fingerprint},
        "plan_sha256": plan_sha256,
        "data_sha256": data,
    }


def test_provenance(spec: RunSpec, model_sha256: str, data: dict[str, str]) -> dict[str, Any]:
    """The content of `test/provenance.json`: what the evaluation came from."""
    return {
        "dlutil": __version__,
        "versions": package_versions(PACKAGES),
        "definition": {"test": spec.fingerprint},
        "env_sha256": hashed_env(spec.env, os.environ),
        "model_sha256": model_sha256,
        "data_sha256": data,
    }
