"""What a result came from: versions, fingerprints, hashes; nothing that cannot change a result."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from dlutil_core.common.environment import hashed_env
from dlutil_core.job.run_spec import RESULT_VERSION, RunSpec


def versions() -> dict[str, str]:
    """Versions of what computes the results."""
    found = {"python": platform.python_version()}
    for package in ("torch", "numpy", "h5py"):
        found[package] = version(package).partition("+")[0]
    return found


def dlutil_version() -> str:
    """The version of dlutil; of a checkout that is not installed, the package's own word."""
    try:
        return version("dlutil")
    except PackageNotFoundError:
        from dlutil_core.common.version import __version__

        return __version__


def training_provenance(
    spec: RunSpec, plan: dict[str, Any], plan_sha256: str, data: dict[str, str]
) -> dict[str, Any]:
    """The content of `best/provenance.json`.

    Parameters
    ----------
    spec
        The run; paths and cores are left out.
    plan, plan_sha256
        The content of `search/plan.json` and its file's hash.
    data
        Hashes of the training files by name.
    """
    return {
        "dlutil": dlutil_version(),
        "result_version": RESULT_VERSION,
        "versions": versions(),
        "config": {
            "seed": spec.seed,
            "batch_size": spec.batch_size,
            "device": spec.device,
            "threads_per_trial": spec.threads,
            "search": {k: plan[k] for k in ("method", "max_epochs", "eta")},
            "options": spec.options.identity(),
            "env": hashed_env(spec.env),
        },
        "definition": {"train": spec.fingerprint},
        "plan_sha256": plan_sha256,
        "data_sha256": data,
    }


def test_provenance(spec: RunSpec, model_sha256: str, data: dict[str, str]) -> dict[str, Any]:
    """The content of `test/provenance.json`: what the evaluation came from."""
    return {
        "dlutil": dlutil_version(),
        "versions": versions(),
        "definition": {"test": spec.fingerprint},
        "env": hashed_env(spec.env),
        "model_sha256": model_sha256,
        "data_sha256": data,
    }
