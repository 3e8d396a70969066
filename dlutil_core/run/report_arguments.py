"""What the report is told by the config."""

from __future__ import annotations

import json
import shlex
from typing import Any

from dlutil_core.run.run_config import RunConfig

TOLD_OF_PREPROCESSING = (
    *("split", "negatives_per_positive", "window", "ambiguous", "length", "align", "width"),
    "reverse_complement",
)


def told_preprocess(run: RunConfig) -> dict[str, Any]:
    """How the data were made, without paths."""
    section = run.values["preprocess"]
    told = {k: section[k] for k in TOLD_OF_PREPROCESSING if section.get(k) is not None}
    if run.repeat.has_folds:
        told["folds"] = run.values["repeat"]["folds"]
    if section.get("negatives") == "shuffle":
        told["negatives"] = "shuffle"
    if section.get("alphabet") in ("dna", "rna", "protein"):
        told["alphabet"] = section["alphabet"]
    return told


def report_arguments(run: RunConfig) -> str:
    """Arguments of the report, quoted for a shell."""
    words = [f"--preprocess={json.dumps(told_preprocess(run), sort_keys=True)}"]
    words += [f"--title={run.values['title']}"] if run.values["title"] else []
    words += ["--tested"] if run.values["evaluate"] else []
    words += ["--baseline"] if run.values["baseline"]["enabled"] else []
    words += ["--repeated"] if run.repeat.is_set else []
    words += ["--explained"] if run.values["explain"]["enabled"] else []
    return shlex.join(words)
