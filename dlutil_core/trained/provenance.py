"""What a result came from: versions, fingerprints, hashes; nothing that cannot change a result."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from dlutil_core.common.errors import UserError
from dlutil_core.common.identity import DATA, DEFINITION, Identity, identity_path
from dlutil_core.common.reads import FILE, Read
from dlutil_core.common.version import __version__, package_versions
from dlutil_core.job.run_spec import RESULT_VERSION, RunSpec, hashed_env

PACKAGES = ("python", "torch", "numpy", "h5py")


def data_sha256(reads: Iterable[Read], data_dir: str) -> dict[str, str]:
    """Hashes of the files below the data folder that were read, by name."""
    start = os.path.abspath(data_dir).rstrip("/") + "/"
    files = (read for read in reads if read.kind == FILE and read.path.startswith(start))
    return {read.path.removeprefix(start): read.sha256 for read in sorted(files)}


def training_data(result: Path, steps: Iterable[str]) -> dict[str, str]:
    """Hashes of the files below the data folder that these steps read, by name.

    Raises
    ------
    UserError
        A step has no identity: its results are not whole.
    """
    found = _read_by(result, steps).items()
    return {k.removeprefix(DATA): v for k, v in sorted(found) if k.startswith(DATA)}


def read_beside(result: Path, steps: Iterable[str], spec: RunSpec) -> list[Path]:
    """Files in the folder of `def.py`, or below it, that these steps read."""
    home = Path(spec.definition).resolve().parent
    names = [name for name in _read_by(result, steps) if name.startswith(DEFINITION)]
    return [home / name.removeprefix(DEFINITION) for name in sorted(names)]


def _read_by(result: Path, steps: Iterable[str]) -> dict[str, str]:
    """Hashes of all files that these steps read, by their names in identities."""
    found: dict[str, str] = {}
    for step in steps:
        path = identity_path(result, step)
        identity = Identity.read(path)
        if identity is None:
            raise UserError(f"{path}: is missing; run the same command again")
        found |= {r.path: r.sha256 for r in identity.reads if r.kind == FILE}
        found |= {name: sha256 for name, sha256 in identity.inputs.items() if sha256 is not None}
    return found


def training_provenance(
    spec: RunSpec, search: dict[str, Any], plan_sha256: str, data: dict[str, str]
) -> dict[str, Any]:
    """The content of `best/provenance.json`.

    Parameters
    ----------
    spec
        The run; paths and cores are left out.
    search, plan_sha256
        How the search was planned, and the hash of `search/plan.json`.
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
            "search": search,
            "options": spec.options.identity(),
            "env_sha256": hashed_env(spec.env, os.environ),
        },
        "definition": {"train": spec.fingerprint},
        "plan_sha256": plan_sha256,
        "data_sha256": data,
    }


def recorded_env(provenance: dict[str, Any]) -> dict[str, str]:
    """Hashes of the environment variables that were part of the training.

    `provenance` is the content of `best/provenance.json`; version 0.1 kept the values themselves.
    """
    config = provenance["config"]
    values = config.get("env", {})
    return {**hashed_env(values, values), **config.get("env_sha256", {})}


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
