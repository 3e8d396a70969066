"""The model card of an export, after Mitchell et al. 2019 (FAT*, 220-229)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dlutil_core.common.errors import UserError
from dlutil_core.common.files import read_json
from dlutil_core.common.result_folder import (
    BEST_PROVENANCE,
    MEMBERS_SUMMARY,
    TEST_INTERVALS,
    TEST_METRICS,
)
from dlutil_core.common.shown_text import shown
from dlutil_core.trained.run_note import noted_data


def model_card(
    result_dir: Path, config: dict[str, Any], networks: dict[str, str], requirements: list[str]
) -> str:
    """The text of README.md: data, metrics, limits, licence, how to predict."""
    provenance = read_json(result_dir / BEST_PROVENANCE)
    parts = [
        _head(config, provenance),
        _use(networks, requirements),
        _data(provenance, _statistics(result_dir, provenance)),
        _metrics(result_dir, config),
        _limits(result_dir),
        _licence(),
    ]
    return "\n".join(parts)


def _head(config: dict[str, Any], provenance: dict[str, Any]) -> str:
    search = provenance["config"]["search"]
    rows = "\n".join(f"| {_cell(n)} | {_cell(value)} |" for n, value in config["config"].items())
    kinds = {"hyperband": "a Hyperband search", "staged": "a staged search"}
    kind = kinds.get(search["method"], "one configuration")
    return f"""# A model trained with dlutil

The best trial (number {config["trial"]}, epoch {config["epoch"]}) of {kind} of up to
{search["max_epochs"]} epochs, reward {config["score"]:.6g} on the validation set. The network and
its inputs are described by `definition/{config["definition"]}`.{_members(config)}

| hyperparameter | value |
| --- | --- |
{rows}
"""


def _members(config: dict[str, Any]) -> str:
    """What several members are, where there are such."""
    members = config.get("members")
    if not members:
        return ""
    return f"""

Predictions are means over {len(members)} members: this trial, and the same configuration trained
from other seeds or on other splits. Tables tell their standard deviation (`sd`); `python predict.py
--member NAME` takes one alone. `model.pt2` and `model.onnx`, where they are there, give the means.
The metrics below are those of the best trial alone, then of the members."""


def _spread(result_dir: Path, config: dict[str, Any]) -> list[str]:
    """The test metrics of several members, where there are such."""
    if not config.get("members"):
        return []
    rows = []
    for name, found in read_json(result_dir / MEMBERS_SUMMARY).items():
        if not name.startswith("val_") and found["mean"] is not None:
            sd, together = (found[key] for key in ("sd", "ensemble"))
            told = ["" if value is None else f"{value:.4g}" for value in (sd, together)]
            rows.append(f"| {name} | {found['mean']:.5g} | {told[0]} | {told[1]} |")
    if not rows:
        return []
    head = "| metric of the members | mean | standard deviation | of their mean predictions |"
    return [head, "| --- | --- | --- | --- |", *rows, ""]


def _cell(value: Any) -> str:
    """A text of the user in a table of Markdown."""
    return " ".join(shown(str(value)).split()).replace("|", "\\|").replace("<", "&lt;")


def _use(networks: dict[str, str], requirements: list[str]) -> str:
    return f"""## Use

    pip install -r requirements.txt
    python predict.py INPUT OUTPUT.tsv

INPUT is a file of records as the training data were (`python predict.py --help`) or, with
`--array`, a `.npy` array of inputs. In Python: `from predict import load`, then
`load().predict(...)`. Neither dlutil nor
Snakemake needs to be installed; the packages, in requirements.txt, are
{", ".join(requirements)}.

* torch.export: {networks["torch.export"]}
* ONNX: {networks["onnx"]}
"""


def _data(provenance: dict[str, Any], statistics: list[dict[str, Any]]) -> str:
    rows = [f"| {_cell(name)} | `{digest}` |" for name, digest in provenance["data_sha256"].items()]
    told = []
    for entry in statistics:
        lengths = entry.get("lengths")
        width = f", {lengths['min']} to {lengths['max']} letters" if lengths else ""
        gc = f", GC {entry['gc']:.3g}" if entry.get("gc") is not None else ""
        told.append(f"* {entry['file']}: {entry['records']} records{width}{gc}")
    lines = ["## Data", "", *told, *([""] if told else [])]
    lines += ["| training and validation file | SHA-256 |", "| --- | --- |", *rows, ""]
    return "\n".join(lines)


def _metrics(result_dir: Path, config: dict[str, Any]) -> str:
    lines = ["## Metrics", ""]
    try:
        metrics = read_json(result_dir / TEST_METRICS)
        document = read_json(result_dir / TEST_INTERVALS)
    except UserError:
        return "\n".join([*lines, "The model was not tested on held-out data.", ""])
    lines += ["| metric on the test set | value | 95 % interval |", "| --- | --- | --- |"]
    known = document["metrics"]
    for name in [*metrics, *(n for n in known if n not in metrics)]:
        value = metrics.get(name, known.get(name, {}).get("value"))
        shown = "undefined" if value is None else f"{value:.5g}"
        found = known.get(name)
        interval = f"{found['low']:.4g} to {found['high']:.4g}" if found else ""
        lines.append(f"| {name} | {shown} | {interval} |")
    told = (
        f"{document['records']} records that the search never saw; intervals are percentiles of "
        f"{document['resamples']} bootstrap resamples of them."
    )
    return "\n".join([*lines, "", told, "", *_spread(result_dir, config)])


def _limits(result_dir: Path) -> str:
    tested = (result_dir / TEST_METRICS).is_file()
    test = (
        "The metrics hold for records like those of the test set"
        if tested
        else "Without a test there is no unbiased estimate of its errors"
    )
    return f"""## Limits

* {test}; other cell types, species, assays, lengths or letters were not tested.
* The validation set chose the configuration and the epoch, so its metrics are too good.
* Predictions are associations in the training data. They say nothing about causes, and are not
  meant for clinical decisions.
* What this model is for, and what it must not be used for: write it here before you pass it on.
"""


def _licence() -> str:
    return """## Licence

The files under `dlutil_core/` and `predict.py` are dlutil's, under the MIT licence
(`dlutil_core/LICENSE`). Under which terms the weights and the definition may be used depends on
their author and on the data: write it here before you pass the model on.
"""


def _statistics(result_dir: Path, provenance: dict[str, Any]) -> list[dict[str, Any]]:
    """Statistics of the training data, where preprocessing left them and they are at hand."""
    data = noted_data(result_dir)
    if data is None:
        return []
    names = [n.removesuffix(".h5") + ".stats.json" for n in provenance["data_sha256"]]
    return [read_json(data / name) for name in names if (data / name).is_file()]
